/* served.h - what serving leaves: a record for each request, samples over time, and the summary of a run.
 *
 * Only data; serving/ fills it, report/ tells it. All times are virtual picoseconds from the start of the run. Metrics,
 * in the field's terms (docs/serving.md):
 *
 *     queue   from arrival until the request is first scheduled
 *     TTFT    from arrival until the first token
 *     TPOT    (last token - first token) / (tokens - 1); none for answers of one token
 *     ITL     from one token to the next of the same request
 *     E2E     from arrival until the last token
 */
#ifndef STORE_SERVED_H
#define STORE_SERVED_H

#include <stddef.h>
#include <stdint.h>

#include "base/cost.h"
#include "base/wide.h"

struct served {
    uint32_t request;                      /* number in the trace, from 0 */
    uint32_t instance;                     /* that did the prefill */
    uint32_t decode_instance;              /* that made the last token: another one only with a prefill/decode split */
    uint32_t prompt_tokens, output_tokens; /* output: made; fewer than asked for when the sequence ended itself */
    uint32_t prefix_tokens;                /* of the prompt that were found in the cache when first scheduled */
    uint32_t preemptions;                  /* by recompute and by swap */
    uint32_t swaps;                        /* those by swap */
    uint32_t recomputed_tokens;            /* KV that was computed once more */
    uint64_t arrival_ps, scheduled_ps, first_token_ps, finish_ps;
    uint64_t seen_ps; /* the first start of an iteration at or after the arrival: engines look at their queue then */
    uint64_t itl_max_ps, itl_p99_ps; /* 0 for answers of one token; p99 interpolated between ranks, rounded down */
    int meets_slo;
};

/* Local. Derived times of a record; served_tpot_ps rounds down and is 0 for answers of one token. */
static inline uint64_t served_queue_ps(const struct served *s)
{
    return s->scheduled_ps - s->arrival_ps;
}

static inline uint64_t served_ttft_ps(const struct served *s)
{
    return s->first_token_ps - s->arrival_ps;
}

static inline uint64_t served_e2e_ps(const struct served *s)
{
    return s->finish_ps - s->arrival_ps;
}

static inline uint64_t served_tpot_ps(const struct served *s)
{
    return s->output_tokens > 1 ? (s->finish_ps - s->first_token_ps) / (s->output_tokens - 1) : 0;
}

/* One interval of one instance; means are over time. */
struct serving_sample {
    uint32_t instance;
    uint64_t start_ps, end_ps;
    double running, waiting; /* mean number of sequences */
    double kv_share;         /* mean share of the KV blocks in use by sequences; 0 when capacity is unlimited */
    double kv_tokens;        /* mean KV in use by sequences, in tokens (whole blocks) */
    uint64_t prefill_tokens, output_tokens; /* computed, made; counted when their iteration ends */
    uint64_t busy_ps;
};

/* A distribution. Percentiles interpolate linearly between ranks (numpy's default). NaN when n is 0. */
struct serving_spread {
    size_t n;
    double mean, p50, p90, p95, p99, max;
};

/* What faults of the emulated hardware have cost an instance (docs/serving.md). */
struct serving_recovery {
    uint64_t n_faults, n_lost_devices;
    uint64_t n_requests;        /* times that a request lost its KV */
    uint64_t lost_tokens;       /* of KV */
    uint64_t kept_tokens;       /* of KV that came back from the host */
    uint64_t recomputed_tokens; /* of what was lost, those computed once more; the others came from the prefix cache */
    uint64_t stop_ps;           /* nothing was computed: noticing, planning, loading */
    uint64_t recompute_ps;      /* of the iterations: the share, by tokens, of those computed once more */
    wide_uint stop_energy_fj, recompute_energy_fj; /* parts of energy_fj */
};

/* Local. Adds what another instance's faults have cost. */
static inline void served_add_recovery(struct serving_recovery *sum, const struct serving_recovery *part)
{
    sum->n_faults += part->n_faults;
    sum->n_lost_devices += part->n_lost_devices;
    sum->n_requests += part->n_requests;
    sum->lost_tokens += part->lost_tokens;
    sum->kept_tokens += part->kept_tokens;
    sum->recomputed_tokens += part->recomputed_tokens;
    sum->stop_ps += part->stop_ps;
    sum->recompute_ps += part->recompute_ps;
    sum->stop_energy_fj += part->stop_energy_fj;
    sum->recompute_energy_fj += part->recompute_energy_fj;
}

/* A fault of the emulated hardware that struck the run. */
struct serving_fault {
    const char *device, *kind; /* "pim3", "fails" */
    double factor;             /* speed that is left; 0: the device failed */
    uint32_t instance;
    uint64_t at_ps, struck_ps;                     /* virtual time: of the job, at which it showed */
    uint64_t stop_ps;                              /* from then on nothing was computed for so long */
    wide_uint stop_energy_fj;                      /* of that time */
    uint64_t n_requests, lost_tokens, kept_tokens; /* that lost their KV; of KV: lost, kept on the host */
};

struct serving_instance_summary {
    uint64_t n_iterations, busy_ps;
    uint64_t prefill_tokens, output_tokens;
    uint64_t n_finished, n_preemptions, n_swaps;
    uint64_t prefix_queried_tokens, prefix_hit_tokens, n_evictions;
    uint64_t kv_blocks;                 /* capacity; 0: unlimited */
    uint64_t kv_peak_blocks;            /* most in use by sequences at a time */
    uint32_t peak_batch;                /* most sequences in one iteration */
    double mean_batch;                  /* sequences of an iteration, weighted with its time */
    double mean_running, mean_kv_share; /* over the run */
    wide_uint energy_fj[N_ENERGY_PARTS];
    wide_uint idle_energy_fj;
    struct serving_recovery recovery;
    uint32_t n_devices;
    const char *const *device_name; /* [n_devices] */
    uint64_t *device_busy_ps;       /* [n_devices] */
};

struct serving_summary {
    size_t n_requests;
    uint64_t end_ps;           /* last token of the run */
    uint64_t first_arrival_ps; /* rates are over end_ps - first_arrival_ps */
    uint64_t prompt_tokens, output_tokens;
    struct serving_spread queue_s, ttft_s, tpot_s, itl_s, e2e_s; /* tpot, itl: requests, tokens after the first */
    double requests_per_s, output_tokens_per_s, total_tokens_per_s;
    int has_slo;
    size_t n_meet_slo;
    double slo_share, goodput_requests_per_s; /* of requests that meet every limit */
    uint64_t n_preemptions, n_swaps, recomputed_tokens;
    uint64_t prefix_queried_tokens, prefix_hit_tokens;
    wide_uint energy_fj; /* all parts and idle, of all instances */
    double energy_per_output_token_j;
    wide_uint in_system_ps; /* integral of the number of requests in the system: Little's law says sum of E2E */
    uint64_t n_iterations;
    struct serving_recovery recovery; /* of all instances */
    size_t n_instances;
    struct serving_instance_summary *instance; /* [n_instances] */
};

#endif
