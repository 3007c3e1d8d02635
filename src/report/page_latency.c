/* Latencies of served requests: distributions with their percentiles and limits. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/unit.h"
#include "report/page_axes.h"
#include "report/page_latency.h"
#include "report/page_sections.h"

static const struct latency {
    const char *id, *title, *note, *csv;
} latencies[N_LATENCIES] = {
    {"ttft", "Time to first token (TTFT)", "From arrival to the first token of the answer.", "ttft_s"},
    {"tpot", "Time per output token (TPOT)", "Mean time per token after the first, request by request.", "tpot_s"},
    {"e2e", "End-to-end latency (E2E)", "From arrival to the last token.", "e2e_s"},
};

static int by_value(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

const char *latency_title(enum latency_kind kind)
{
    return latencies[kind].title;
}

const char *latency_id(enum latency_kind kind)
{
    return latencies[kind].id;
}

struct latency_cdf latency_cdf(const struct serving_run *run, enum latency_kind kind, struct arena *arena)
{
    size_t n = 0, n_requests = run->summary.n_requests;
    struct latency_cdf cdf = {.time_s = arena_array(arena, n_requests + 2, sizeof *cdf.time_s),
                              .percent = arena_array(arena, n_requests + 2, sizeof *cdf.percent)};
    for (size_t i = 0; i < n_requests; i++) {
        const struct served *r = &run->record[i];
        const uint64_t times[N_LATENCIES] = {served_ttft_ps(r), served_tpot_ps(r), served_e2e_ps(r)};
        if (kind != LATENCY_TPOT || r->output_tokens > 1)
            cdf.time_s[++n] = (double)times[kind] * 1e-12;
    }
    qsort(cdf.time_s + 1, n, sizeof *cdf.time_s, by_value);
    for (size_t i = 1; i <= n; i++)
        cdf.percent[i] = 100 * (double)i / (double)n;
    cdf.time_s[0] = cdf.time_s[1];
    cdf.n = n ? n + 1 : 0;
    return cdf;
}

struct figure_axis latency_axis(enum latency_kind kind, double largest_s)
{
    return axis_time("latency", largest_s, latencies[kind].csv);
}

static double limit_of(const struct subject *subject, enum latency_kind kind)
{
    const struct job_slo *slo = &subject->job.serve.slo;
    const double limits[N_LATENCIES] = {slo->ttft_s, slo->tpot_s, slo->e2e_s};
    return subject->has_job ? limits[kind] : 0;
}

static void add_marks(struct figure *figure, const struct subject *subject, enum latency_kind kind)
{
    const struct serving_summary *sum = &subject->serving.summary;
    const struct serving_spread *spreads[N_LATENCIES] = {&sum->ttft_s, &sum->tpot_s, &sum->e2e_s};
    const double percent[] = {50, 90, 99}, time_s[] = {spreads[kind]->p50, spreads[kind]->p90, spreads[kind]->p99};
    double *x = figure_numbers(figure, 3), *y = figure_numbers(figure, 3);
    for (int i = 0; i < 3; i++) {
        x[i] = time_s[i];
        y[i] = percent[i];
    }
    char p50[64], p90[64], p99[64];
    figure_add_curve(
        figure,
        arena_printf(figure->arena, "p50 %s, p90 %s, p99 %s", unit_show(p50, sizeof p50, UNIT_SECONDS, x[0]),
                     unit_show(p90, sizeof p90, UNIT_SECONDS, x[1]), unit_show(p99, sizeof p99, UNIT_SECONDS, x[2])),
        COLOUR_RED, CURVE_DOTS, 3, x, y);
    if (limit_of(subject, kind) > 0)
        figure_add_line(figure, &(struct figure_line){0, limit_of(subject, kind), "SLO", COLOUR_INK});
}

static void add_figure(struct document *document, const struct subject *subject, enum latency_kind kind)
{
    struct latency_cdf cdf = latency_cdf(&subject->serving, kind, document->arena);
    struct figure *figure =
        figure_new(document->arena, latencies[kind].id, latencies[kind].title,
                   arena_printf(document->arena, "%s%s", latencies[kind].note,
                                limit_of(subject, kind) > 0 ? " Dashed: the limit of the objective (SLO)." : ""));
    double largest_s = cdf.n ? cdf.time_s[cdf.n - 1] : 0;
    figure->x = latency_axis(kind, fmax(largest_s, limit_of(subject, kind)));
    figure->x.min = 0;
    figure->y = figure_axis("requests", "%", 1, "requests_percent");
    figure->y.min = 0;
    figure->y.max = 101;
    if (cdf.n)
        figure_add_curve(figure, "share of requests that are faster", COLOUR_BLUE, CURVE_STEPS, cdf.n, cdf.time_s,
                         cdf.percent);
    if (cdf.n)
        add_marks(figure, subject, kind);
    document_figure(document, figure);
}

static void time_cell(struct text_table *table, double time_s)
{
    if (isnan(time_s))
        text_table_cell(table, "-");
    else
        text_table_cell(table, "%.3f", 1e3 * time_s);
}

static void latency_row(struct text_table *table, const char *name, const struct serving_spread *spread, double limit_s)
{
    const double values[] = {spread->mean, spread->p50, spread->p90, spread->p95, spread->p99, spread->max};
    text_table_row(table);
    text_table_cell(table, "%s", name);
    text_table_cell(table, "%zu", spread->n);
    for (int i = 0; i < 6; i++)
        time_cell(table, values[i]);
    time_cell(table, limit_s > 0 ? limit_s : NAN);
}

static void add_table(struct document *document, const struct subject *subject)
{
    static const char *const columns[] = {"mean", "p50", "p90", "p95", "p99", "max", "SLO"};
    const struct serving_summary *sum = &subject->serving.summary;
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_LEFT, "latency", NULL);
    text_table_column(table, ALIGN_RIGHT, "values", NULL);
    for (int i = 0; i < 7; i++)
        text_table_column(table, ALIGN_RIGHT, columns[i], "ms");
    latency_row(table, "queue: arrival to first scheduled", &sum->queue_s, 0);
    latency_row(table, "TTFT: arrival to first token", &sum->ttft_s, limit_of(subject, LATENCY_TTFT));
    latency_row(table, "TPOT: mean time per later token", &sum->tpot_s, limit_of(subject, LATENCY_TPOT));
    latency_row(table, "ITL: between tokens", &sum->itl_s, 0);
    latency_row(table, "E2E: arrival to last token", &sum->e2e_s, limit_of(subject, LATENCY_E2E));
    document_table(document, "Latencies", table);
}

void page_add_latency(struct document *document, const struct subject *subject)
{
    document_heading(document, "latency", "Latency");
    for (int k = 0; k < N_LATENCIES; k++)
        add_figure(document, subject, (enum latency_kind)k);
    add_table(document, subject);
}
