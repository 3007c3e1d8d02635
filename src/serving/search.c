#include "serving/search.h"

#include <math.h>

#include "serving/metrics.h"

#define DEFAULT_SHARE 0.99
#define DEFAULT_TOLERANCE 0.02
#define AT_ONCE 1e20 /* times as fast: everything arrives within the first picosecond */

enum { DEFAULT_RUNS = 40 };

struct finder {
    const struct serving_config *config;
    const struct requests *requests;
    const struct serving_engine *engines;
    size_t n_engines;
    struct serving_search search; /* with defaults filled in */
    void (*told)(void *state, const struct serving_search_run *run);
    void *told_state;
    double base_per_s; /* rate of the requests as they are */
    struct arena *arena;
    struct serving_search_result *result;
    struct fault *fault;
};

static void note_run(struct finder *finder, double rate_per_s, const struct serving_result *result)
{
    const struct serving_summary *sum = &result->summary;
    struct serving_search_run *run = &finder->result->run[finder->result->n_runs++];
    *run = (struct serving_search_run){.rate_per_s = rate_per_s,
                                       .share = sum->slo_share,
                                       .ttft_p99_s = sum->ttft_s.p99,
                                       .tpot_p99_s = sum->tpot_s.p99,
                                       .e2e_p99_s = sum->e2e_s.p99,
                                       .output_tokens_per_s = sum->output_tokens_per_s,
                                       .goodput_requests_per_s = sum->goodput_requests_per_s,
                                       .keeps = sum->slo_share >= finder->search.share};
    if (finder->told)
        finder->told(finder->told_state, run);
}

static struct served *copy_records(const struct serving_result *result, struct arena *arena)
{
    struct served *copy = arena_array(arena, result->summary.n_requests, sizeof *copy);
    for (size_t i = 0; i < result->summary.n_requests; i++)
        copy[i] = result->record[i];
    return copy;
}

static struct serving_instance_summary *copy_instances(const struct serving_result *result, struct arena *arena)
{
    size_t n = result->summary.n_instances;
    struct serving_instance_summary *copy = arena_array(arena, n, sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = result->summary.instance[i];
        copy[i].device_busy_ps = arena_array(arena, copy[i].n_devices, sizeof *copy[i].device_busy_ps);
        for (uint32_t d = 0; d < copy[i].n_devices; d++)
            copy[i].device_busy_ps[d] = result->summary.instance[i].device_busy_ps[d];
    }
    return copy;
}

/* One run from scratch; *keeps tells. The result of the last rate that kept the objective stays. */
static enum status try(struct finder *finder, double rate_per_s, int *keeps)
{
    struct requests scaled;
    struct serving_result result;
    if (finder->result->n_runs == finder->search.most_runs)
        return fault_set(finder->fault, STATUS_FAILED, "the highest rate is not found within %d runs",
                         finder->search.most_runs);
    struct arena *arena = arena_new();
    double scale = isinf(rate_per_s) ? AT_ONCE : rate_per_s / finder->base_per_s;
    if (requests_scaled(finder->requests, scale, arena, &scaled, finder->fault) == STATUS_OK &&
        serving_run(finder->config, &scaled, finder->engines, finder->n_engines, NULL, arena, &result, finder->fault) ==
            STATUS_OK) {
        note_run(finder, rate_per_s, &result);
        *keeps = finder->result->run[finder->result->n_runs - 1].keeps;
        if (*keeps) {
            finder->result->best.summary = result.summary;
            finder->result->best.summary.instance = copy_instances(&result, finder->arena);
            finder->result->best.record = copy_records(&result, finder->arena);
        }
    }
    arena_free(arena);
    return finder->fault->status;
}

/* As slow as the clock allows. */
static int is_slowest(const struct finder *finder, double rate_per_s)
{
    const struct request *last = &finder->requests->request[finder->requests->n - 1];
    return (double)last->arrival_ps * finder->base_per_s / rate_per_s > REQUESTS_LATEST_S * 1e12;
}

/* Doubles from a rate that keeps, or halves from one that does not, until *low keeps and *high does not; 0 and infinity
 * stand for a side that has no end. */
static enum status bracket(struct finder *finder, double *low, double *high)
{
    double rate = finder->search.first_rate_per_s;
    int keeps, rises = 0, all_keep = 0;
    *low = 0;
    *high = INFINITY;
    if (try(finder, rate, &rises) != STATUS_OK)
        return finder->fault->status;
    *(rises ? low : high) = rate;
    if (rises && try(finder, INFINITY, &all_keep) != STATUS_OK)
        return finder->fault->status;
    for (keeps = rises; keeps == rises && !all_keep;) {
        rate = rises ? 2 * rate : rate / 2;
        if (!rises && is_slowest(finder, rate))
            return STATUS_OK;
        if (try(finder, rate, &keeps) != STATUS_OK)
            return finder->fault->status;
        *(keeps ? low : high) = rate;
    }
    if (all_keep)
        *low = INFINITY;
    return STATUS_OK;
}

static enum status bisect(struct finder *finder, double *low, double *high)
{
    while (*high - *low > finder->search.tolerance * *low) {
        double rate = sqrt(*low * *high);
        int keeps = 0;
        if (try(finder, rate, &keeps) != STATUS_OK)
            return finder->fault->status;
        *(keeps ? low : high) = rate;
    }
    return STATUS_OK;
}

static enum status check(const struct finder *finder)
{
    const struct serving_search *search = &finder->search;
    if (!slo_is_set(&finder->config->slo))
        return fault_set(finder->fault, STATUS_USAGE,
                         "a search for the highest rate needs a limit of ttft, tpot or e2e");
    if (!(finder->base_per_s > 0))
        return fault_set(finder->fault, STATUS_USAGE,
                         "a search for the highest rate needs requests that do not all arrive at once");
    if (!(search->share > 0 && search->share <= 1))
        return fault_set(finder->fault, STATUS_USAGE,
                         "share of requests within the objective: expected above 0, at most 1, found %g",
                         search->share);
    if (!(search->tolerance >= 1e-6 && search->tolerance < 1))
        return fault_set(finder->fault, STATUS_USAGE, "tolerance of the rate: expected 1e-6 to 1, found %g",
                         search->tolerance);
    if (!(search->first_rate_per_s > 0) || !isfinite(search->first_rate_per_s))
        return fault_set(finder->fault, STATUS_USAGE, "first rate of the search: expected above 0, found %g",
                         search->first_rate_per_s);
    return STATUS_OK;
}

static void fill_defaults(struct finder *finder)
{
    struct serving_search *search = &finder->search;
    search->first_rate_per_s = search->first_rate_per_s != 0 ? search->first_rate_per_s : finder->base_per_s;
    search->share = search->share != 0 ? search->share : DEFAULT_SHARE;
    search->tolerance = search->tolerance != 0 ? search->tolerance : DEFAULT_TOLERANCE;
    search->most_runs = search->most_runs > 0 ? search->most_runs : DEFAULT_RUNS;
}

enum status serving_search(const struct serving_config *config, const struct requests *requests,
                           const struct serving_engine *engines, size_t n_engines, const struct serving_search *search,
                           void (*told)(void *state, const struct serving_search_run *run), void *told_state,
                           struct arena *arena, struct serving_search_result *result, struct fault *fault)
{
    struct serving_search_result found = {.end = SEARCH_FOUND};
    struct finder finder = {config, requests, engines, n_engines, *search, told, told_state, requests_rate(requests),
                            arena,  &found,   fault};
    double low, high;
    fill_defaults(&finder);
    if (check(&finder) != STATUS_OK)
        return fault->status;
    found.run = arena_array(arena, (size_t)finder.search.most_runs, sizeof *found.run);
    if (bracket(&finder, &low, &high) != STATUS_OK)
        return fault->status;
    if (low == 0)
        found.end = SEARCH_NONE_KEEPS;
    else if (isinf(high))
        found.end = SEARCH_ALL_KEEP;
    else if (bisect(&finder, &low, &high) != STATUS_OK)
        return fault->status;
    found.rate_per_s = low;
    found.fails_per_s = high;
    *result = found;
    return STATUS_OK;
}
