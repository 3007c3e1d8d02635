/* The load of a serving run over virtual time: tokens a second, sequences, KV cache. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/unit.h"
#include "report/page_axes.h"
#include "report/page_sections.h"

enum { INTERVALS = 200, MOST_INSTANCES = 8 };

/* Without samples in the file: when requests arrived and ended, in equal intervals of the run. */
static void add_requests(struct document *document, const struct serving_run *run)
{
    const struct serving_summary *sum = &run->summary;
    uint64_t start_ps = sum->first_arrival_ps, span_ps = sum->end_ps - start_ps;
    struct figure *figure =
        figure_new(document->arena, "requests-time", "Requests in the system over time",
                   "Requests that have arrived and not ended; serve.sample_s keeps more detail in the file.");
    if (span_ps == 0)
        return;
    double *x = figure_numbers(figure, INTERVALS + 1), *y = figure_numbers(figure, INTERVALS + 1);
    for (int i = 0; i <= INTERVALS; i++) {
        uint64_t at_ps = start_ps + (uint64_t)((wide_uint)span_ps * (uint64_t)i / INTERVALS);
        x[i] = (double)(at_ps - start_ps) * 1e-12;
        for (size_t r = 0; r < sum->n_requests; r++)
            y[i] += run->record[r].arrival_ps <= at_ps && run->record[r].finish_ps > at_ps;
    }
    figure->x = axis_time("virtual time", (double)span_ps * 1e-12, "virtual_time_s");
    figure->y = figure_axis("requests", NULL, 1, "requests");
    figure->y.is_whole = 1;
    figure->y.min = 0;
    figure_add_curve(figure, "in the system", COLOUR_BLUE, CURVE_STEPS, INTERVALS + 1, x, y);
    page_mark_serving_faults(figure, run, start_ps);
    document_figure(document, figure);
}

enum quantity { TOKENS_PER_S, PREFILL_PER_S, RUNNING, WAITING, KV_PERCENT, N_QUANTITIES };

/* Of a stretch of samples: what they sum to over its time, or their means weighted with time. */
struct stretch {
    double start_s, span_s, output_tokens, prefill_tokens, running, waiting,
        kv_share; /* the last three times seconds */
};

static void add_sample(struct stretch *stretch, const struct serving_sample *sample)
{
    double span_s = (double)(sample->end_ps - sample->start_ps) * 1e-12;
    if (stretch->span_s == 0)
        stretch->start_s = (double)sample->start_ps * 1e-12;
    stretch->span_s += span_s;
    stretch->output_tokens += (double)sample->output_tokens;
    stretch->prefill_tokens += (double)sample->prefill_tokens;
    stretch->running += sample->running * span_s;
    stretch->waiting += sample->waiting * span_s;
    stretch->kv_share += sample->kv_share * span_s;
}

static double value_of(const struct stretch *stretch, enum quantity quantity)
{
    const double sums[N_QUANTITIES] = {stretch->output_tokens, stretch->prefill_tokens, stretch->running,
                                       stretch->waiting, 100 * stretch->kv_share};
    return stretch->span_s > 0 ? sums[quantity] / stretch->span_s : 0;
}

static size_t count_samples(const struct serving_run *run, uint32_t instance)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n_samples; i++)
        n += run->sample[i].instance == instance;
    return n;
}

/* Samples that one point of a curve stands for, so that no curve has more than INTERVALS points. */
static size_t samples_per_point(const struct serving_run *run)
{
    size_t most = 1;
    for (uint32_t i = 0; i < run->summary.n_instances; i++) {
        size_t n = count_samples(run, i);
        most = n > most ? n : most;
    }
    return (most + INTERVALS - 1) / INTERVALS;
}

static void add_instance(struct figure *figure, const struct serving_run *run, uint32_t instance,
                         enum quantity quantity, const char *name, enum colour colour)
{
    size_t n = 0, taken = 0, per_point = samples_per_point(run), left = count_samples(run, instance);
    double *x = figure_numbers(figure, left), *y = figure_numbers(figure, left);
    struct stretch stretch = {.span_s = 0};
    for (size_t i = 0; i < run->n_samples; i++) {
        if (run->sample[i].instance != instance)
            continue;
        add_sample(&stretch, &run->sample[i]);
        taken++;
        left--;
        if (taken < per_point && left > 0)
            continue;
        x[n] = stretch.start_s + stretch.span_s / 2;
        y[n++] = value_of(&stretch, quantity);
        stretch = (struct stretch){.span_s = 0};
        taken = 0;
    }
    figure_add_curve(figure, name, colour, CURVE_LINE, n, x, y);
}

static const struct chart {
    const char *id, *title, *note, *y_name, *y_unit, *csv;
    enum quantity quantity[2];
    const char *name[2]; /* the second NULL: one quantity */
} charts[] = {
    {"throughput-time",
     "Throughput over time",
     "Tokens by the time at which their iteration ended.",
     "tokens",
     "1/s",
     "tokens_per_s",
     {TOKENS_PER_S, PREFILL_PER_S},
     {"generated", "prefilled"}},
    {"batch-time",
     "Batch and queue over time",
     "Sequences that run together, and that wait at the instance.",
     "sequences",
     NULL,
     "sequences",
     {RUNNING, WAITING},
     {"running", "waiting"}},
    {"kv-time",
     "KV cache over time",
     "Share of the KV blocks that sequences use.",
     "KV blocks in use",
     "%",
     "kv_percent",
     {KV_PERCENT, KV_PERCENT},
     {"in use", NULL}},
};

static void add_chart(struct document *document, const struct serving_run *run, const struct chart *chart)
{
    size_t n = run->summary.n_instances < MOST_INSTANCES ? run->summary.n_instances : MOST_INSTANCES;
    struct figure *figure = figure_new(document->arena, chart->id, chart->title, chart->note);
    char text[64];
    figure->x = axis_time("virtual time", (double)run->sample[run->n_samples - 1].end_ps * 1e-12, "virtual_time_s");
    figure->y = figure_axis(chart->y_name, chart->y_unit, 1, chart->csv);
    figure->y.min = 0;
    for (uint32_t i = 0; i < n; i++)
        for (int q = 0; q < 2; q++) {
            if (!chart->name[q] || (n > 1 && q > 0))
                continue;
            const char *name =
                n == 1 ? chart->name[q] : arena_printf(document->arena, "instance %" PRIu32 ", %s", i, chart->name[q]);
            add_instance(figure, run, i, chart->quantity[q], name,
                         n == 1 ? (q ? COLOUR_RED : COLOUR_BLUE) : colour_of_series((int)i));
        }
    uint64_t interval_ps = (run->sample[0].end_ps - run->sample[0].start_ps) * samples_per_point(run);
    figure->note = arena_printf(
        document->arena, "%s A point is the mean of %s.%s", chart->note, unit_show_ps(text, sizeof text, interval_ps),
        n < run->summary.n_instances
            ? arena_printf(document->arena, " The first %zu of %zu instances.", n, run->summary.n_instances)
            : "");
    page_mark_serving_faults(figure, run, 0);
    document_figure(document, figure);
}

static int has_kv(const struct serving_run *run)
{
    for (size_t i = 0; i < run->summary.n_instances; i++)
        if (run->summary.instance[i].kv_blocks)
            return 1;
    return 0;
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void kv_cell(struct text_table *table, const struct serving_instance_summary *instance, double share)
{
    if (instance->kv_blocks)
        text_table_cell(table, "%.1f", share);
    else
        text_table_cell(table, "-");
}

static void add_instances(struct document *document, const struct serving_summary *sum)
{
    static const struct {
        const char *name, *unit;
    } columns[] = {{"instance", NULL},   {"finished", NULL}, {"prefilled", "tokens"}, {"generated", "tokens"},
                   {"iterations", NULL}, {"busy", "%"},      {"mean batch", NULL},    {"peak batch", NULL},
                   {"mean KV", "%"},     {"peak KV", "%"},   {"preemptions", NULL}};
    struct text_table *table = text_table_new(document->arena);
    double span_ps = (double)(sum->end_ps - sum->first_arrival_ps);
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        text_table_column(table, ALIGN_RIGHT, columns[c].name, columns[c].unit);
    for (size_t i = 0; i < sum->n_instances; i++) {
        const struct serving_instance_summary *one = &sum->instance[i];
        text_table_row(table);
        text_table_cell(table, "%zu", i);
        text_table_cell(table, "%" PRIu64, one->n_finished);
        text_table_cell(table, "%" PRIu64, one->prefill_tokens);
        text_table_cell(table, "%" PRIu64, one->output_tokens);
        text_table_cell(table, "%" PRIu64, one->n_iterations);
        text_table_cell(table, "%.1f", percent((double)one->busy_ps, span_ps));
        text_table_cell(table, "%.1f", one->mean_batch);
        text_table_cell(table, "%" PRIu32, one->peak_batch);
        kv_cell(table, one, 100 * one->mean_kv_share);
        kv_cell(table, one, percent((double)one->kv_peak_blocks, (double)one->kv_blocks));
        text_table_cell(table, "%" PRIu64, one->n_preemptions);
    }
    document_table(document, "Instances", table);
}

struct count {
    const char *name;
    uint64_t (*of)(const struct served *);
};

static uint64_t prompt_of(const struct served *r)
{
    return r->prompt_tokens;
}
static uint64_t output_of(const struct served *r)
{
    return r->output_tokens;
}
static uint64_t prefix_of(const struct served *r)
{
    return r->prefix_tokens;
}
static uint64_t preemptions_of(const struct served *r)
{
    return r->preemptions;
}
static uint64_t recomputed_of(const struct served *r)
{
    return r->recomputed_tokens;
}

static void add_requests_table(struct document *document, const struct serving_run *run)
{
    static const struct count counts[] = {{"prompt tokens", prompt_of},
                                          {"generated tokens", output_of},
                                          {"prompt tokens found in the prefix cache", prefix_of},
                                          {"preemptions", preemptions_of},
                                          {"tokens computed once more", recomputed_of}};
    struct text_table *table = text_table_new(document->arena);
    size_t n = run->summary.n_requests;
    text_table_column(table, ALIGN_LEFT, "of a request", NULL);
    text_table_column(table, ALIGN_RIGHT, "least", NULL);
    text_table_column(table, ALIGN_RIGHT, "mean", NULL);
    text_table_column(table, ALIGN_RIGHT, "most", NULL);
    text_table_column(table, ALIGN_RIGHT, "all requests", NULL);
    for (size_t c = 0; n && c < sizeof counts / sizeof *counts; c++) {
        uint64_t least = UINT64_MAX, most = 0, sum = 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t value = counts[c].of(&run->record[i]);
            least = value < least ? value : least;
            most = value > most ? value : most;
            sum += value;
        }
        text_table_row(table);
        text_table_cell(table, "%s", counts[c].name);
        text_table_cell(table, "%" PRIu64, least);
        text_table_cell(table, "%.1f", (double)sum / (double)n);
        text_table_cell(table, "%" PRIu64, most);
        text_table_cell(table, "%" PRIu64, sum);
    }
    document_table(document, arena_printf(document->arena, "Requests (%zu; requests.csv has each)", n), table);
}

void page_add_load(struct document *document, const struct subject *subject)
{
    const struct serving_run *run = &subject->serving;
    document_heading(document, "load", "Load");
    if (run->n_samples == 0)
        add_requests(document, run);
    for (size_t c = 0; run->n_samples && c < sizeof charts / sizeof *charts; c++)
        if (strcmp(charts[c].id, "kv-time") != 0 || has_kv(run))
            add_chart(document, run, &charts[c]);
    add_requests_table(document, run);
    add_instances(document, &run->summary);
}
