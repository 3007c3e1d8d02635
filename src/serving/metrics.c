#include "serving/metrics.h"

#include <math.h>
#include <stdlib.h>

static void exchange(uint64_t *value, size_t a, size_t b)
{
    uint64_t kept = value[a];
    value[a] = value[b];
    value[b] = kept;
}

static uint64_t median_of_three(uint64_t a, uint64_t b, uint64_t c)
{
    if (a < b)
        return b < c ? b : a < c ? c : a;
    return a < c ? a : b < c ? c : b;
}

/* Hoare's partition: value[low..split] <= value[split + 1..high]; low <= split < high. */
static size_t partition(uint64_t *value, size_t low, size_t high)
{
    uint64_t pivot = median_of_three(value[low], value[low + (high - low) / 2], value[high]);
    for (size_t i = low, j = high;; i++, j--) {
        while (value[i] < pivot)
            i++;
        while (value[j] > pivot)
            j--;
        if (i >= j)
            return j;
        exchange(value, i, j);
    }
}

/* Afterwards value[rank] is in its place, nothing before it is larger, nothing behind it smaller. */
static uint64_t select_rank(uint64_t *value, size_t n, size_t rank)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        size_t split = partition(value, low, high);
        if (rank <= split)
            high = split;
        else
            low = split + 1;
    }
    return value[rank];
}

uint64_t quantile_ps(uint64_t *value, size_t n, uint32_t percent)
{
    size_t scaled = (n - 1) * percent, rank = scaled / 100;
    uint64_t below = select_rank(value, n, rank);
    if (scaled % 100 == 0)
        return below;
    uint64_t above = value[rank + 1];
    for (size_t i = rank + 2; i < n; i++)
        above = value[i] < above ? value[i] : above;
    return below + (uint64_t)((wide_uint)(above - below) * (scaled % 100) / 100);
}

int slo_is_set(const struct serving_slo *slo)
{
    return slo->ttft_ps || slo->tpot_ps || slo->e2e_ps;
}

int slo_is_met(const struct serving_slo *slo, const struct served *record)
{
    return (!slo->ttft_ps || served_ttft_ps(record) <= slo->ttft_ps) &&
           (!slo->tpot_ps || served_tpot_ps(record) <= slo->tpot_ps) &&
           (!slo->e2e_ps || served_e2e_ps(record) <= slo->e2e_ps);
}

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static double percentile_s(const uint64_t *sorted, size_t n, double percent)
{
    double place = percent / 100 * (double)(n - 1);
    size_t rank = (size_t)place;
    double below = (double)sorted[rank], above = (double)sorted[rank + 1 < n ? rank + 1 : rank];
    return (below + (above - below) * (place - (double)rank)) * 1e-12;
}

struct serving_spread served_spread(const struct served *record, size_t n, uint64_t (*of)(const struct served *record))
{
    struct serving_spread spread = {0, NAN, NAN, NAN, NAN, NAN, NAN};
    uint64_t *value = malloc((n + 1) * sizeof *value);
    wide_uint sum = 0;
    size_t kept = 0;
    if (!value)
        bug("out of memory");
    for (size_t i = 0; i < n; i++) {
        value[kept] = of(&record[i]);
        if (value[kept] != UINT64_MAX)
            sum += value[kept++];
    }
    if (kept) {
        qsort(value, kept, sizeof *value, by_size);
        spread = (struct serving_spread){.n = kept,
                                         .mean = (double)sum / (double)kept * 1e-12,
                                         .p50 = percentile_s(value, kept, 50),
                                         .p90 = percentile_s(value, kept, 90),
                                         .p95 = percentile_s(value, kept, 95),
                                         .p99 = percentile_s(value, kept, 99),
                                         .max = (double)value[kept - 1] * 1e-12};
    }
    free(value);
    return spread;
}

static uint64_t queue_of(const struct served *record)
{
    return served_queue_ps(record);
}

static uint64_t ttft_of(const struct served *record)
{
    return served_ttft_ps(record);
}

static uint64_t tpot_of(const struct served *record)
{
    return record->output_tokens > 1 ? served_tpot_ps(record) : UINT64_MAX;
}

static uint64_t e2e_of(const struct served *record)
{
    return served_e2e_ps(record);
}

static void sum_records(const struct served *record, size_t n, struct serving_summary *summary)
{
    for (size_t i = 0; i < n; i++) {
        summary->prompt_tokens += record[i].prompt_tokens;
        summary->output_tokens += record[i].output_tokens;
        summary->n_preemptions += record[i].preemptions;
        summary->n_swaps += record[i].swaps;
        summary->recomputed_tokens += record[i].recomputed_tokens;
        summary->n_meet_slo += record[i].meets_slo != 0;
    }
}

static void sum_instances(struct serving_summary *summary)
{
    for (size_t i = 0; i < summary->n_instances; i++) {
        const struct serving_instance_summary *instance = &summary->instance[i];
        summary->energy_fj += instance->idle_energy_fj;
        for (int part = 0; part < N_ENERGY_PARTS; part++)
            summary->energy_fj += instance->energy_fj[part];
        summary->prefix_queried_tokens += instance->prefix_queried_tokens;
        summary->prefix_hit_tokens += instance->prefix_hit_tokens;
        summary->n_iterations += instance->n_iterations;
        served_add_recovery(&summary->recovery, &instance->recovery);
    }
}

void serving_summarise(const struct serving_config *config, const struct served *record, size_t n,
                       const struct histogram *itl, struct serving_summary *summary)
{
    summary->n_requests = n;
    summary->first_arrival_ps = record[0].arrival_ps;
    sum_records(record, n, summary);
    sum_instances(summary);
    summary->queue_s = served_spread(record, n, queue_of);
    summary->ttft_s = served_spread(record, n, ttft_of);
    summary->tpot_s = served_spread(record, n, tpot_of);
    summary->e2e_s = served_spread(record, n, e2e_of);
    summary->itl_s = histogram_spread(itl);
    double span_s = (double)(summary->end_ps - summary->first_arrival_ps) * 1e-12;
    summary->requests_per_s = (double)n / span_s;
    summary->output_tokens_per_s = (double)summary->output_tokens / span_s;
    summary->total_tokens_per_s = (double)(summary->prompt_tokens + summary->output_tokens) / span_s;
    summary->has_slo = slo_is_set(&config->slo);
    summary->slo_share = (double)summary->n_meet_slo / (double)n;
    summary->goodput_requests_per_s = (double)summary->n_meet_slo / span_s;
    summary->energy_per_output_token_j = joules(summary->energy_fj) / (double)summary->output_tokens;
}
