/* Energy of a serving run: by instance, of a generated token. */
#include "report/breakdown.h"
#include "report/page_axes.h"
#include "report/page_sections.h"

enum { PARTS = N_ENERGY_PARTS + 1, MOST_ROWS = 16 };

static const char *part_name(int p)
{
    return p < N_ENERGY_PARTS ? energy_part_long_name((enum energy_part)p) : "idle, between iterations";
}

static void add_bar(struct figure *figure, const char *name, const wide_uint *part_fj)
{
    uint64_t tenths[PARTS];
    double at = 0;
    int row = figure_add_row(figure, name);
    apportion_percent(part_fj, PARTS, tenths);
    for (int p = 0; p < PARTS; p++) {
        double end = at + (double)tenths[p] / 10;
        if (part_fj[p])
            figure_add_box(figure, &(struct figure_box){.row = row,
                                                        .part = part_name(p),
                                                        .label = arena_printf(figure->arena, "%.0f %%", end - at),
                                                        .colour = p < N_ENERGY_PARTS ? colour_of_part(p) : COLOUR_REST,
                                                        .from = at,
                                                        .to = end,
                                                        .value = joules(part_fj[p])});
        at = end;
    }
}

static void parts_of(const struct serving_instance_summary *instance, wide_uint *part_fj)
{
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        part_fj[p] += instance->energy_fj[p];
    part_fj[N_ENERGY_PARTS] += instance->idle_energy_fj;
}

/* With several instances; one is all of it, and has the figure of its parts. */
static void add_instances(struct document *document, const struct serving_summary *sum)
{
    struct figure *figure = figure_new(document->arena, "energy-instances", "Energy of each instance",
                                       "The same by instance; static power is at work and while waiting.");
    if (sum->n_instances < 2)
        return;
    figure->x = figure_axis("share of energy", "%", 1, "share_percent");
    figure->x.min = 0;
    figure->x.max = 100;
    figure->value_csv = "energy_j";
    for (size_t i = 0; i < sum->n_instances && i < MOST_ROWS; i++) {
        wide_uint part_fj[PARTS] = {0};
        parts_of(&sum->instance[i], part_fj);
        add_bar(figure, arena_printf(document->arena, "instance %zu", i), part_fj);
    }
    if (sum->n_instances > MOST_ROWS)
        figure->note =
            arena_printf(document->arena, "%s The first %d of %zu.", figure->note, MOST_ROWS, sum->n_instances);
    document_figure(document, figure);
}

static void add_table(struct document *document, const struct serving_summary *sum)
{
    wide_uint part_fj[PARTS] = {0};
    uint64_t tenths[PARTS], whole[PARTS];
    for (size_t i = 0; i < sum->n_instances; i++)
        parts_of(&sum->instance[i], part_fj);
    struct column_unit unit = energy_unit(sum->energy_fj);
    uint64_t total = column_thousandths(sum->energy_fj, unit);
    apportion(part_fj, PARTS, total, whole);
    apportion_percent(part_fj, PARTS, tenths);
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_LEFT, "energy", NULL);
    text_table_column(table, ALIGN_RIGHT, "all instances", unit.name);
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    text_table_column(table, ALIGN_RIGHT, "of a generated token", "J");
    for (int p = 0; p < PARTS; p++) {
        if (!part_fj[p])
            continue;
        text_table_row(table);
        text_table_cell(table, "%s", part_name(p));
        text_table_thousandths(table, whole[p]);
        text_table_percent(table, tenths[p]);
        text_table_cell(table, "%.4g", sum->output_tokens ? joules(part_fj[p]) / (double)sum->output_tokens : 0.0);
    }
    text_table_rule(table);
    text_table_row(table);
    text_table_cell(table, "total");
    text_table_thousandths(table, total);
    text_table_percent_total(table, tenths, PARTS);
    text_table_cell(table, "%.4g", sum->energy_per_output_token_j);
    document_table(document, "Energy of the run, and of a generated token", table);
}

void page_add_serving_energy(struct document *document, const struct subject *subject)
{
    const struct serving_summary *sum = &subject->serving.summary;
    add_instances(document, sum);
    add_table(document, sum);
}
