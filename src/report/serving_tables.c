#include "report/serving_tables.h"

#include <inttypes.h>
#include <math.h>

#include "report/breakdown.h"
#include "report/fault_tables.h"
#include "report/ledgers.h"
#include "report/table.h"

static void time_cell(struct text_table *table, double time_s)
{
    if (isnan(time_s))
        text_table_cell(table, "-");
    else
        text_table_cell(table, "%.3f", 1e3 * time_s);
}

static void latency_row(struct text_table *table, const char *name, const struct serving_spread *spread)
{
    text_table_row(table);
    text_table_cell(table, "%s", name);
    text_table_cell(table, "%zu", spread->n);
    const double values[] = {spread->mean, spread->p50, spread->p90, spread->p95, spread->p99, spread->max};
    for (int i = 0; i < 6; i++)
        time_cell(table, values[i]);
}

static void print_latencies(const struct serving_summary *sum, struct arena *arena, FILE *out)
{
    static const char *const columns[] = {"mean", "p50", "p90", "p95", "p99", "max"};
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "latency", NULL);
    text_table_column(table, ALIGN_RIGHT, "values", NULL);
    for (int i = 0; i < 6; i++)
        text_table_column(table, ALIGN_RIGHT, columns[i], "ms");
    latency_row(table, "queue: arrival to first scheduled", &sum->queue_s);
    latency_row(table, "TTFT: arrival to first token", &sum->ttft_s);
    latency_row(table, "TPOT: mean time per later token", &sum->tpot_s);
    latency_row(table, "ITL: between tokens", &sum->itl_s);
    latency_row(table, "E2E: arrival to last token", &sum->e2e_s);
    text_table_print(table, out, TABLE_WIDTH);
}

static void rate_row(struct text_table *table, const char *name, double value, const char *unit)
{
    text_table_row(table);
    text_table_cell(table, "%s", name);
    text_table_cell(table, "%.6g", value);
    text_table_cell(table, "%s", unit);
}

static void print_rates(const struct serving_summary *sum, struct arena *arena, FILE *out)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "rate", NULL);
    text_table_column(table, ALIGN_RIGHT, "value", NULL);
    text_table_column(table, ALIGN_LEFT, "unit", NULL);
    rate_row(table, "requests", sum->requests_per_s, "1/s");
    rate_row(table, "generated tokens", sum->output_tokens_per_s, "1/s");
    rate_row(table, "prompt and generated tokens", sum->total_tokens_per_s, "1/s");
    if (sum->has_slo) {
        rate_row(table, "goodput: requests within the SLO", sum->goodput_requests_per_s, "1/s");
        rate_row(table, "share of requests within the SLO", 100 * sum->slo_share, "%");
    }
    rate_row(table, "energy per generated token", sum->energy_per_output_token_j, "J");
    if (sum->prefix_queried_tokens)
        rate_row(table, "prompt tokens found in the prefix cache",
                 100 * (double)sum->prefix_hit_tokens / (double)sum->prefix_queried_tokens, "%");
    rate_row(table, "preemptions", (double)sum->n_preemptions, "");
    rate_row(table, "tokens computed once more", (double)sum->recomputed_tokens, "");
    text_table_print(table, out, TABLE_WIDTH);
}

static double share_percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static double span_ps(const struct serving_summary *sum)
{
    return (double)(sum->end_ps - sum->first_arrival_ps);
}

static void instance_row(struct text_table *table, const struct serving_summary *sum, size_t i)
{
    const struct serving_instance_summary *instance = &sum->instance[i];
    text_table_row(table);
    text_table_cell(table, "%zu", i);
    text_table_cell(table, "%" PRIu64, instance->n_finished);
    text_table_cell(table, "%" PRIu64, instance->prefill_tokens);
    text_table_cell(table, "%" PRIu64, instance->output_tokens);
    text_table_cell(table, "%" PRIu64, instance->n_iterations);
    text_table_cell(table, "%.1f", share_percent((double)instance->busy_ps, span_ps(sum)));
    text_table_cell(table, "%.1f", instance->mean_batch);
    text_table_cell(table, "%u", instance->peak_batch);
    if (instance->kv_blocks) {
        text_table_cell(table, "%.1f", 100 * instance->mean_kv_share);
        text_table_cell(table, "%.1f", share_percent((double)instance->kv_peak_blocks, (double)instance->kv_blocks));
    } else {
        text_table_cell(table, "-");
        text_table_cell(table, "-");
    }
    text_table_cell(table, "%" PRIu64, instance->n_preemptions);
}

static void print_instances(const struct serving_summary *sum, struct arena *arena, FILE *out)
{
    static const struct {
        const char *name, *unit;
    } columns[] = {{"instance", NULL},   {"finished", NULL}, {"prefilled", "tokens"}, {"generated", "tokens"},
                   {"iterations", NULL}, {"busy", "%"},      {"mean batch", NULL},    {"peak batch", NULL},
                   {"mean KV", "%"},     {"peak KV", "%"},   {"preemptions", NULL}};
    struct text_table *table = text_table_new(arena);
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        text_table_column(table, ALIGN_RIGHT, columns[c].name, columns[c].unit);
    for (size_t i = 0; i < sum->n_instances; i++)
        instance_row(table, sum, i);
    text_table_print(table, out, TABLE_WIDTH);
}

enum { ENERGY_ROWS = N_ENERGY_PARTS + 1 };

static void print_energy(const struct serving_summary *sum, struct arena *arena, FILE *out)
{
    wide_uint part_fj[ENERGY_ROWS] = {0};
    uint64_t tenths[ENERGY_ROWS], whole[ENERGY_ROWS];
    for (size_t i = 0; i < sum->n_instances; i++) {
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            part_fj[p] += sum->instance[i].energy_fj[p];
        part_fj[N_ENERGY_PARTS] += sum->instance[i].idle_energy_fj;
    }
    struct column_unit unit = energy_unit(sum->energy_fj);
    uint64_t total = column_thousandths(sum->energy_fj, unit);
    apportion(part_fj, ENERGY_ROWS, total, whole);
    apportion_percent(part_fj, ENERGY_ROWS, tenths);
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "energy", NULL);
    text_table_column(table, ALIGN_RIGHT, "all instances", unit.name);
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    for (int p = 0; p < ENERGY_ROWS; p++) {
        if (part_fj[p] == 0)
            continue;
        text_table_row(table);
        text_table_cell(table, "%s",
                        p < N_ENERGY_PARTS ? energy_part_long_name((enum energy_part)p) : "between iterations");
        text_table_thousandths(table, whole[p]);
        text_table_percent(table, tenths[p]);
    }
    text_table_rule(table);
    text_table_row(table);
    text_table_cell(table, "total");
    text_table_thousandths(table, total);
    text_table_percent_total(table, tenths, ENERGY_ROWS);
    text_table_print(table, out, TABLE_WIDTH);
}

void serving_tables_print(const struct serving_summary *sum, const struct serving_devices *devices,
                          const struct serving_faults *faults, struct arena *arena, FILE *out)
{
    const struct run_devices view = serving_devices_view(devices, arena);
    fprintf(out,
            "Served %zu requests, %" PRIu64 " prompt tokens, %" PRIu64
            " generated tokens, in %.6g s of virtual time\n\n",
            sum->n_requests, sum->prompt_tokens, sum->output_tokens, span_ps(sum) * 1e-12);
    print_latencies(sum, arena, out);
    fprintf(out, "\n");
    print_rates(sum, arena, out);
    fprintf(out, "\n");
    print_instances(sum, arena, out);
    fault_serving_print(out, &sum->recovery, faults, arena);
    ledgers_print(out, &view, arena);
    fprintf(out, "\n");
    print_energy(sum, arena, out);
}
