/* serving.h - a run: requests that arrive, instances that serve them, in virtual time.
 *
 * One event loop over all instances. What happens at the same picosecond happens in a fixed order: iterations end and
 * transfers arrive (by instance), then requests arrive (by number), then idle instances take from the central queue,
 * then idle instances that have work start an iteration. Nothing depends on wall time, ranks or addresses.
 * Rules of scheduling: docs/serving.md.
 */
#ifndef SERVING_SERVING_H
#define SERVING_SERVING_H

#include "base/archive.h"
#include "base/arena.h"
#include "base/status.h"
#include "serving/engine.h"
#include "store/requests.h"
#include "store/served.h"

enum batching_policy {
    BATCHING_CHUNKED,       /* decodes first, then prefill chunks up to the token budget, in one iteration */
    BATCHING_PREFILL_FIRST, /* iterations of whole prompts go before iterations of decodes */
    BATCHING_STATIC,        /* as above, but nobody joins before the whole batch has ended */
    N_BATCHING_POLICIES
};

enum preemption_policy {
    PREEMPTION_RECOMPUTE, /* KV is dropped and computed once more */
    PREEMPTION_SWAP,      /* KV goes to the host and comes back */
    N_PREEMPTION_POLICIES
};

enum router_policy {
    ROUTER_ROUND_ROBIN,
    ROUTER_LEAST_LOADED, /* fewest outstanding tokens (of prompts and answers, to compute) at arrival */
    ROUTER_CENTRAL,      /* one queue; an instance takes from it when it forms a batch */
    ROUTER_PREFIX,       /* least loaded, when what is cached of the prompt at arrival counts as done */
    N_ROUTER_POLICIES
};

/* Limits of a service-level objective; 0: no limit. A request meets it when it meets all of them. */
struct serving_slo {
    uint64_t ttft_ps, tpot_ps, e2e_ps;
};

struct serving_config {
    enum batching_policy batching;     /* chunked */
    uint32_t max_batch;                /* sequences of an instance that run at a time; 256 */
    uint32_t token_budget;             /* tokens of an iteration; 8192 (chunked: 2048 is usual) */
    uint32_t block_tokens;             /* tokens of a KV block; 16 */
    int prefix_caching;                /* off */
    int schedule_ahead;                /* an iteration is decided when the one before it starts; off */
    int reserve_output;                /* room for the whole answer is taken at admission: no preemption; off */
    uint32_t watermark_permille;       /* blocks that admission leaves free while others run; 10 */
    enum preemption_policy preemption; /* recompute */
    enum router_policy router;         /* round robin */
    uint32_t n_prefill_instances;      /* the first so many only prefill and hand over to the others; 0: no split */
    struct serving_slo slo;            /* none */
    uint64_t sample_ps;                /* length of the intervals that `sample` is called for; 0: never */
};

/* Local. The defaults that stand above. */
struct serving_config serving_defaults(void);

/* Names in job files: "chunked", "prefill-first", "static"; "recompute", "swap"; "round-robin", "least-loaded",
 * "central", "prefix". */
const char *batching_policy_name(enum batching_policy policy);
const char *preemption_policy_name(enum preemption_policy policy);
const char *router_policy_name(enum router_policy policy);

struct service; /* a run under way */

/* Who is told during the run; each may be NULL. A fault ends the run. */
struct serving_sink {
    void *state;
    /* A request has its last token. Records come in the order of time, then of instance. */
    enum status (*finished)(void *state, const struct served *record, struct fault *fault);
    /* Its answer, after `finished`; functional runs only. */
    enum status (*answer)(void *state, uint32_t request, const uint32_t *token, uint32_t n, struct fault *fault);
    /* An interval of an instance has ended; the last one may be shorter. */
    enum status (*sample)(void *state, const struct serving_sample *sample, struct fault *fault);
    /* At the start, and at every instant when all that happens then has happened and no iteration has begun yet: the
     * place to save the run (service_archive), to restore it (at the start), to lose devices (recovery.h). A fault of
     * STATUS_REQUEUE ends the run in good order. */
    enum status (*control)(void *state, struct service *service, struct fault *fault);
};

/* How far a run is. */
struct serving_progress {
    uint64_t now_ps, n_iterations;
    size_t n_finished;
};

/* Local. From within `control`. */
struct serving_progress service_progress(const struct service *service);

/* Local. From within `control`: saves or restores everything but the engines, requests and configuration, which are
 * the same again. */
void service_archive(struct service *service, struct archive *archive);

struct serving_result {
    struct serving_summary summary;
    struct served *record; /* [n_requests] by number of the request */
};

/* Local. Can this be run at all? Every request must fit every instance that may get it, alone. Faults STATUS_USAGE name
 * the request, what it needs, what there is and the shortest fix. serving_run checks by itself. */
enum status serving_check(const struct serving_config *config, const struct requests *requests,
                          const struct serving_engine *engines, size_t n_engines, struct fault *fault);

/* Local. Serves all requests on n_engines instances, engines[n_engines]. The result lives in the arena; what is needed
 * only during the run is given back. Time O(generated tokens); memory O(requests + sequences in the system). */
enum status serving_run(const struct serving_config *config, const struct requests *requests,
                        const struct serving_engine *engines, size_t n_engines, const struct serving_sink *sink,
                        struct arena *arena, struct serving_result *result, struct fault *fault);

#endif
