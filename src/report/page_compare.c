/* Several runs in one page: overlaid curves, quantities side by side with ratios. */
#include <inttypes.h>
#include <math.h>

#include "report/compare.h"
#include "report/page_axes.h"
#include "report/page_latency.h"
#include "report/page_sections.h"

static int count_of(const struct subject *subject, int n, enum subject_kind kind)
{
    int found = 0;
    for (int i = 0; i < n; i++)
        found += subject[i].kind == kind;
    return found;
}

static const char *label(struct arena *arena, const struct subject *subject, int i)
{
    return arena_printf(arena, "run %d: %s", i + 1, subject[i].name);
}

/* ---- training ---- */

static void add_losses(struct document *document, const struct subject *subject, int n, enum progress_axis axis)
{
    static const char *const texts[N_PROGRESS_AXES][3] = {
        {"compare-loss-steps", "Loss against steps", "Training loss (running mean) of each run, step by step."},
        {"compare-loss-time", "Loss against virtual time",
         "The same over the virtual time of each machine: further left is faster."},
        {"compare-loss-energy", "Loss against energy",
         "The same over the energy of all devices of each machine: further left is cheaper."}};
    double largest = 0;
    struct figure *figure = figure_new(document->arena, texts[axis][0], texts[axis][1], texts[axis][2]);
    for (int i = 0; i < n; i++) {
        if (subject[i].kind != SUBJECT_TRAINING || subject[i].run.timing_only)
            continue;
        struct progress_curve curve = progress_curve(&subject[i].run, document->arena);
        if (curve.n == 0)
            continue;
        largest = fmax(largest, curve.x[axis][curve.n - 1]);
        figure_add_curve(figure, label(document->arena, subject, i), colour_of_series(i), CURVE_LINE, curve.n,
                         curve.x[axis], curve.mean);
    }
    figure->x = axis_progress(axis, largest);
    figure->y = figure_axis("loss", NULL, 1, "loss");
    if (figure->n_curves)
        document_figure(document, figure);
}

static void value_cell(struct text_table *table, double value)
{
    if (isnan(value))
        text_table_cell(table, "-");
    else if (value == floor(value) && fabs(value) < 1e9)
        text_table_cell(table, "%.0f", value);
    else
        text_table_cell(table, "%.5g", value);
}

static void quantity_row(struct text_table *table, const struct quantity *quantity, int n_runs)
{
    text_table_row(table);
    text_table_cell(table, "%s", quantity->name);
    text_table_cell(table, "%s", quantity->unit);
    for (int r = 0; r < n_runs; r++) {
        value_cell(table, quantity->value[r]);
        if (r > 0)
            value_cell(table, compare_ratio(quantity, r));
    }
}

static struct text_table *new_table(struct arena *arena, const int *number, int n)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "quantity", NULL);
    text_table_column(table, ALIGN_LEFT, "unit", NULL);
    for (int r = 0; r < n; r++) {
        text_table_column(table, ALIGN_RIGHT, arena_printf(arena, "run %d", number[r] + 1), NULL);
        if (r > 0)
            text_table_column(table, ALIGN_RIGHT, arena_printf(arena, "%d/%d", number[0] + 1, number[r] + 1), "ratio");
    }
    return table;
}

static void warn(struct document *document, const struct comparison *comparison, const int *number, int r)
{
    const char **keys;
    int n = compare_differences(comparison, r, 1, document->arena, &keys);
    if (n)
        document_sentence(document, "Warning: run %d was not %s of run %d (%s%s differs): %s cannot be compared.",
                          number[r] + 1, comparison->run ? "tested on the data" : "asked for the requests",
                          number[0] + 1, keys[0], n > 1 ? " and more" : "",
                          comparison->run ? "their errors" : "their latencies and energies");
}

/* All runs of a kind. */
static void add_quantities(struct document *document, const struct comparison *comparison, const int *number)
{
    struct text_table *table = new_table(document->arena, number, comparison->n_runs);
    for (int q = 0; q < comparison->n_quantities; q++)
        if (!comparison->quantity[q].is_detail)
            quantity_row(table, &comparison->quantity[q], comparison->n_runs);
    document_table(document, comparison->run ? "Training runs side by side" : "Serving runs side by side", table);
    for (int r = 1; r < comparison->n_runs; r++)
        warn(document, comparison, number, r);
}

static void add_table(struct document *document, const struct subject *subject, int n, enum subject_kind kind)
{
    struct run *runs = arena_array(document->arena, (size_t)n, sizeof *runs);
    struct serving_run *serving = arena_array(document->arena, (size_t)n, sizeof *serving);
    const char **paths = arena_array(document->arena, (size_t)n, sizeof *paths);
    int *number = arena_array(document->arena, (size_t)n, sizeof *number), m = 0;
    struct comparison comparison;
    for (int i = 0; i < n; i++)
        if (subject[i].kind == kind) {
            runs[m] = subject[i].run;
            serving[m] = subject[i].serving;
            paths[m] = subject[i].file;
            number[m++] = i;
        }
    if (kind == SUBJECT_TRAINING)
        compare_runs(&comparison, runs, paths, m, document->arena);
    else
        compare_serving(&comparison, serving, paths, m, document->arena);
    add_quantities(document, &comparison, number);
}

/* ---- serving ---- */

static void add_latencies(struct document *document, const struct subject *subject, int n, enum latency_kind kind)
{
    double largest_s = 0;
    struct figure *figure =
        figure_new(document->arena, arena_printf(document->arena, "compare-%s", latency_id(kind)), latency_title(kind),
                   "Share of each run's requests that are faster: further left is better.");
    for (int i = 0; i < n; i++) {
        if (subject[i].kind != SUBJECT_SERVING)
            continue;
        struct latency_cdf cdf = latency_cdf(&subject[i].serving, kind, document->arena);
        if (cdf.n == 0)
            continue;
        largest_s = fmax(largest_s, cdf.time_s[cdf.n - 1]);
        figure_add_curve(figure, label(document->arena, subject, i), colour_of_series(i), CURVE_STEPS, cdf.n,
                         cdf.time_s, cdf.percent);
    }
    figure->x = latency_axis(kind, largest_s);
    figure->x.min = 0;
    figure->y = figure_axis("requests", "%", 1, "requests_percent");
    figure->y.min = 0;
    figure->y.max = 101;
    if (figure->n_curves)
        document_figure(document, figure);
}

void page_add_comparison(struct document *document, const struct subject *subject, int n)
{
    int is_training = count_of(subject, n, SUBJECT_TRAINING) > 1,
        is_serving = count_of(subject, n, SUBJECT_SERVING) > 1;
    if (!is_training && !is_serving)
        return;
    document_heading(document, "comparison", "Comparison");
    for (int a = 0; is_training && a < N_PROGRESS_AXES; a++)
        add_losses(document, subject, n, (enum progress_axis)a);
    for (int k = 0; is_serving && k < N_LATENCIES; k++)
        add_latencies(document, subject, n, (enum latency_kind)k);
    if (is_training)
        add_table(document, subject, n, SUBJECT_TRAINING);
    if (is_serving)
        add_table(document, subject, n, SUBJECT_SERVING);
    document_sentence(document,
                      "Ratios are above 1 where the run is better than the first one: time, energy, latency and "
                      "error of the first over the run's, throughput of the run over the first's. Times of parts "
                      "are means over the devices of a run.");
    if (is_training)
        document_sentence(document,
                          "Times and energies of phases are with the handovers and evaluations in them; energies "
                          "are of all devices, working, waiting and idle.");
}
