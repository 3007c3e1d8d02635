/* Crossbars: what lies in them, how often their cells were written, what that means for their life. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/page_axes.h"
#include "report/page_sections.h"

static double writes_of(const struct run_matrix *matrix, const struct run_cells *cells)
{
    return matrix->cells ? (double)matrix->cell_writes / (double)matrix->cells * cells->pulses : 0;
}

/* Colours of different numbers of writes, in the order in which they are met. */
struct levels {
    int n;
    double writes[N_SERIES_COLOURS];
};

static int level_of(struct levels *levels, double writes)
{
    for (int i = 0; i < levels->n; i++)
        if (levels->writes[i] == writes)
            return i;
    if (levels->n == N_SERIES_COLOURS)
        return N_SERIES_COLOURS - 1;
    levels->writes[levels->n] = writes;
    return levels->n++;
}

/* "0.attn.qkv" of "layers.0.attn.qkv.weight". */
static const char *short_name(struct arena *arena, const char *name)
{
    static const char first[] = "layers.", last[] = ".weight";
    size_t n = strlen(name);
    if (n > strlen(last) && strcmp(name + n - strlen(last), last) == 0)
        n -= strlen(last);
    size_t skip = strncmp(name, first, strlen(first)) == 0 && n > strlen(first) ? strlen(first) : 0;
    return arena_printf(arena, "%.*s", (int)(n - skip), name + skip);
}

static void add_map_row(struct figure *figure, const struct run *run, const struct run_cells *cells,
                        struct levels *levels)
{
    struct arena *arena = figure->arena;
    double at = 0;
    int row = figure_add_row(figure, run->device[cells->device].name);
    for (int m = 0; m < run->n_matrices; m++) {
        const struct run_matrix *matrix = &run->matrix[m];
        if (matrix->device != cells->device)
            continue;
        double writes = writes_of(matrix, cells), end = at + (double)matrix->crossbars;
        int level = level_of(levels, writes);
        figure_add_box(figure, &(struct figure_box){.row = row,
                                                    .part = arena_printf(arena, "cells written %.4g times", writes),
                                                    .label = short_name(arena, matrix->name),
                                                    .colour = colour_of_series(level),
                                                    .from = at,
                                                    .to = end,
                                                    .value = writes});
        at = end;
    }
    if (at < (double)cells->crossbars_total)
        figure_add_box(figure, &(struct figure_box){.row = row,
                                                    .part = "not used",
                                                    .colour = COLOUR_REST,
                                                    .from = at,
                                                    .to = (double)cells->crossbars_total});
}

static void add_map(struct document *document, const struct run *run)
{
    struct levels levels = {.n = 0};
    struct figure *figure = figure_new(document->arena, "wear-map", "Wear map of the crossbars",
                                       "Crossbars of each device, matrix by matrix with all their copies, coloured by "
                                       "how often this run wrote their cells.");
    figure->x = figure_axis("crossbars", NULL, 1, "crossbar");
    figure->x.min = 0;
    figure->value_csv = "writes_per_cell";
    for (int c = 0; c < run->n_cells; c++)
        add_map_row(figure, run, &run->cells[c], &levels);
    document_figure(document, figure);
}

static void add_life_bar(struct figure *figure, const char *name, const char *part, enum colour colour, double writes)
{
    int row = figure_add_row(figure, name);
    if (writes > 0)
        figure_add_box(figure, &(struct figure_box){row, part, NULL, colour, 0.5, writes, writes});
}

/* From half a write on, so that a single one can be seen on a logarithmic axis. */
static void add_life(struct document *document, const struct run *run)
{
    struct figure *figure = figure_new(document->arena, "wear-life", "Writes of a cell against its endurance",
                                       "Dashed: the writes that a cell survives. Training every weight in cells would "
                                       "write each of them once a step.");
    struct arena *arena = document->arena;
    double endurance = 0;
    figure->x = figure_axis("writes of a cell", NULL, 1, "writes_per_cell");
    figure->x.is_log = 1;
    figure->x.has_prefix = 1;
    figure->x.min = 0.5;
    figure->value_csv = "writes";
    for (int c = 0; c < run->n_cells; c++) {
        const struct run_cells *cells = &run->cells[c];
        const char *device = run->device[cells->device].name;
        add_life_bar(figure, device, "this run", COLOUR_BLUE, run_writes_per_cell(cells));
        add_life_bar(figure, arena_printf(arena, "%s, all in ReRAM", device), "every weight trained in cells",
                     COLOUR_RED, run_full_writes_per_cell(run, cells));
        if (cells->endurance != endurance && cells->endurance > 0) {
            endurance = cells->endurance;
            figure_add_line(figure, &(struct figure_line){0, endurance, "endurance", COLOUR_INK});
        }
    }
    document_figure(document, figure);
}

static void runs_cell(struct text_table *table, double runs)
{
    if (isfinite(runs))
        text_table_cell(table, "%.4g", runs);
    else
        text_table_cell(table, "-");
}

static void add_devices(struct document *document, const struct run *run)
{
    static const struct {
        const char *name, *unit;
    } columns[] = {{"matrices", NULL},      {"copies", NULL},           {"crossbars used", NULL},
                   {"there are", NULL},     {"cells programmed", NULL}, {"writes a cell", NULL},
                   {"endurance", "writes"}, {"life", "runs"},           {"all in ReRAM: life", "runs"}};
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_LEFT, "device", NULL);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        text_table_column(table, ALIGN_RIGHT, columns[i].name, columns[i].unit);
    for (int c = 0; c < run->n_cells; c++) {
        const struct run_cells *cells = &run->cells[c];
        double writes = run_writes_per_cell(cells);
        text_table_row(table);
        text_table_cell(table, "%s", run->device[cells->device].name);
        text_table_cell(table, "%" PRIu64, cells->n_matrices);
        text_table_cell(table, "%" PRIu64, cells->copies);
        text_table_cell(table, "%" PRIu64, cells->crossbars_used);
        text_table_cell(table, "%" PRIu64, cells->crossbars_total);
        text_table_cell(table, "%" PRIu64, cells->cell_writes);
        text_table_cell(table, "%.4g", writes);
        text_table_cell(table, "%.3g", cells->endurance);
        runs_cell(table, run_lifetime(cells, writes));
        runs_cell(table, run_lifetime(cells, run_full_writes_per_cell(run, cells)));
    }
    document_table(document, "Crossbars and their wear", table);
}

static const struct run_cells *cells_of(const struct run *run, int device)
{
    for (int c = 0; c < run->n_cells; c++)
        if (run->cells[c].device == device)
            return &run->cells[c];
    return NULL;
}

static void add_matrices(struct document *document, const struct run *run)
{
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_LEFT, "matrix", NULL);
    text_table_column(table, ALIGN_LEFT, "device", NULL);
    text_table_column(table, ALIGN_RIGHT, "outputs", NULL);
    text_table_column(table, ALIGN_RIGHT, "inputs", NULL);
    text_table_column(table, ALIGN_RIGHT, "crossbars", "all copies");
    text_table_column(table, ALIGN_RIGHT, "cells", NULL);
    text_table_column(table, ALIGN_RIGHT, "writes a cell", NULL);
    for (int m = 0; m < run->n_matrices; m++) {
        const struct run_matrix *matrix = &run->matrix[m];
        const struct run_cells *cells = cells_of(run, matrix->device);
        text_table_row(table);
        text_table_cell(table, "%s", matrix->name);
        text_table_cell(table, "%s", run->device[matrix->device].name);
        text_table_cell(table, "%" PRId64, matrix->out);
        text_table_cell(table, "%" PRId64, matrix->in);
        text_table_cell(table, "%" PRIu64, matrix->crossbars);
        text_table_cell(table, "%" PRIu64, matrix->cells);
        text_table_cell(table, "%.4g", cells ? writes_of(matrix, cells) : 0.0);
    }
    document_table(document, "Matrices in crossbars", table);
}

void page_add_wear(struct document *document, const struct subject *subject)
{
    const struct run *run = &subject->run;
    if (run->n_cells == 0)
        return;
    document_heading(document, "wear", "Crossbars and wear");
    if (run->n_matrices)
        add_map(document, run);
    add_life(document, run);
    add_devices(document, run);
    if (run->n_matrices)
        add_matrices(document, run);
}
