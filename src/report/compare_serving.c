/* Serving runs side by side: rates, latencies, energy of a token, faults. */
#include <math.h>

#include "report/compare_private.h"

/* What a run tells in one number. */
struct told {
    const char *name, *unit;
    enum better better;
    double (*of)(const struct serving_summary *sum);
};

static double span_s(const struct serving_summary *sum)
{
    return (double)(sum->end_ps - sum->first_arrival_ps) * 1e-12;
}

static double requests(const struct serving_summary *sum)
{
    return (double)sum->n_requests;
}

static double instances(const struct serving_summary *sum)
{
    return (double)sum->n_instances;
}

static double energy_j(const struct serving_summary *sum)
{
    return joules(sum->energy_fj);
}

static double token_j(const struct serving_summary *sum)
{
    return sum->energy_per_output_token_j;
}

static double power_w(const struct serving_summary *sum)
{
    return sum->end_ps > sum->first_arrival_ps ? joules(sum->energy_fj) / span_s(sum) : NAN;
}

static double generated_per_s(const struct serving_summary *sum)
{
    return sum->output_tokens_per_s;
}

static double tokens_per_s(const struct serving_summary *sum)
{
    return sum->total_tokens_per_s;
}

static double requests_per_s(const struct serving_summary *sum)
{
    return sum->requests_per_s;
}

static double goodput(const struct serving_summary *sum)
{
    return sum->has_slo ? sum->goodput_requests_per_s : NAN;
}

static double slo_percent(const struct serving_summary *sum)
{
    return sum->has_slo ? 100 * sum->slo_share : NAN;
}

static double preemptions(const struct serving_summary *sum)
{
    return (double)sum->n_preemptions;
}

static double recomputed(const struct serving_summary *sum)
{
    return (double)sum->recomputed_tokens;
}

static double faults(const struct serving_summary *sum)
{
    return (double)sum->recovery.n_faults;
}

static double recovery_s(const struct serving_summary *sum)
{
    return (double)(sum->recovery.stop_ps + sum->recovery.recompute_ps) * 1e-12;
}

static double recovery_j(const struct serving_summary *sum)
{
    return joules(sum->recovery.stop_energy_fj + sum->recovery.recompute_energy_fj);
}

static const struct told totals[] = {
    {"requests", "1", BETTER_NEITHER, requests},
    {"instances", "1", BETTER_NEITHER, instances},
    {"virtual time", "s", BETTER_LESS, span_s},
    {"energy", "J", BETTER_LESS, energy_j},
    {"energy per generated token", "J", BETTER_LESS, token_j},
    {"mean power", "W", BETTER_NEITHER, power_w},
    {"generated tokens", "1/s", BETTER_MORE, generated_per_s},
    {"prompt and generated tokens", "1/s", BETTER_MORE, tokens_per_s},
    {"requests finished", "1/s", BETTER_MORE, requests_per_s},
    {"goodput: requests within the SLO", "1/s", BETTER_MORE, goodput},
    {"share of requests within the SLO", "%", BETTER_MORE, slo_percent},
    {"preemptions", "1", BETTER_NEITHER, preemptions},
    {"tokens computed once more", "1", BETTER_NEITHER, recomputed},
    {"faults of the hardware", "1", BETTER_NEITHER, faults},
    {"time of recovery", "s", BETTER_LESS, recovery_s},
    {"energy of recovery", "J", BETTER_LESS, recovery_j},
};

enum { N_TOTALS = sizeof totals / sizeof *totals, N_LATENCIES = 5, N_STATISTICS = 6 };

static const struct serving_spread *spread_of(const struct serving_summary *sum, int latency)
{
    const struct serving_spread *const spread[N_LATENCIES] = {&sum->queue_s, &sum->ttft_s, &sum->tpot_s, &sum->itl_s,
                                                              &sum->e2e_s};
    return spread[latency];
}

static void add_latency(struct comparison *comparison, struct arena *arena, int latency)
{
    static const char *const name[N_LATENCIES] = {"queue", "TTFT", "TPOT", "ITL", "E2E"};
    static const char *const statistic[N_STATISTICS] = {"p50", "p99", "mean", "p90", "p95", "max"};
    enum { N_SHOWN = 2 }; /* the others are in the CSV file */
    for (int s = 0; s < N_STATISTICS; s++) {
        struct quantity *quantity = compare_add(comparison, arena_printf(arena, "%s %s", name[latency], statistic[s]),
                                                "s", BETTER_LESS, s >= N_SHOWN);
        for (int r = 0; r < comparison->n_runs; r++) {
            const struct serving_spread *spread = spread_of(&comparison->serving[r].summary, latency);
            const double values[N_STATISTICS] = {spread->p50, spread->p99, spread->mean,
                                                 spread->p90, spread->p95, spread->max};
            quantity->value[r] = spread->n ? values[s] : NAN;
        }
    }
}

/* Of faults only where some run had one. */
static int is_told(const struct comparison *comparison, const struct told *told)
{
    int had = told->of != faults && told->of != recovery_s && told->of != recovery_j;
    for (int r = 0; r < comparison->n_runs; r++)
        had |= comparison->serving[r].summary.recovery.n_faults > 0;
    return had;
}

void compare_serving(struct comparison *comparison, const struct serving_run *runs, const char *const *paths, int n,
                     struct arena *arena)
{
    compare_open(comparison, paths, n, N_TOTALS + 1 + N_LATENCIES * N_STATISTICS, arena);
    comparison->serving = runs;
    for (int r = 0; r < n; r++)
        comparison->devices[r] = serving_devices_view(&runs[r].devices, arena);
    struct quantity *devices = compare_add(comparison, "devices", "1", BETTER_NEITHER, 0);
    for (int r = 0; r < n; r++)
        devices->value[r] = comparison->devices[r].n;
    for (int q = 0; q < N_TOTALS; q++) {
        if (!is_told(comparison, &totals[q]))
            continue;
        struct quantity *quantity = compare_add(comparison, totals[q].name, totals[q].unit, totals[q].better, 0);
        for (int r = 0; r < n; r++)
            quantity->value[r] = totals[q].of(&runs[r].summary);
    }
    for (int m = 0; m < N_LATENCIES; m++)
        add_latency(comparison, arena, m);
    compare_add_breakdowns(comparison, arena);
}
