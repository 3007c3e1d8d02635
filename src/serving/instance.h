/* instance.h - one instance: its queue, its running sequences, its KV, and what it has done.
 *
 * An instance is driven from outside: batching_form decides what an iteration holds, instance_start asks the engine
 * what it costs, instance_end makes the tokens. Whatever changes the numbers of running, waiting or KV calls
 * instance_usage first, so that means over time are exact.
 */
#ifndef SERVING_INSTANCE_H
#define SERVING_INSTANCE_H

#include "serving/sequence.h"

enum instance_role { ROLE_BOTH, ROLE_PREFILL, ROLE_DECODE };

/* What is integrated over time; exact. */
struct usage {
    uint64_t since_ps;                                          /* integrals are up to here */
    uint64_t sample_ps;                                         /* start of the sample under way */
    wide_uint running, waiting, kv_blocks;                      /* times ps, of the run */
    wide_uint missing_blocks;                                   /* capacity lost with devices, times ps */
    wide_uint sampled_running, sampled_waiting, sampled_blocks; /* of this sample */
    uint64_t prefill_tokens, output_tokens, busy_ps;            /* of this sample */
};

struct instance {
    uint32_t number;
    enum instance_role role;
    const struct serving_config *config;
    const struct serving_engine *engine;
    struct pool *pool;
    struct kv_cache cache;
    uint32_t watermark; /* blocks */

    struct queue waiting;      /* for a place among the running */
    struct queue inbox;        /* decode instances: prefilled elsewhere, KV still there */
    struct sequence **running; /* [max_batch] by priority */
    uint32_t n_running;
    uint32_t n_coming;   /* KV on the way here: they have a place among the running */
    uint64_t port_ps;    /* when the port for transfers is free */
    uint64_t load;       /* tokens still to compute of all that is assigned here (without what ends early) */
    uint64_t blocked_at; /* cache.changes when the head of the queue did not fit; 0: it has not been tried */

    int is_busy;
    uint64_t start_ps;         /* of the iteration under way, or of the last one */
    uint64_t end_ps;           /* of the last one */
    uint32_t n_left;           /* sequences that left the running at its end */
    uint64_t move_ps;          /* swaps that go before the iteration under way */
    struct serving_work *work; /* [max_batch] */
    struct sequence **worker;  /* [max_batch] whose work it is */
    uint32_t *token;           /* [max_batch] functional */
    uint8_t *ends;             /* [max_batch] functional */
    struct serving_iteration iteration;
    struct serving_cost cost; /* with room for its devices */

    uint64_t phase_ps, phase_busy_ps; /* since when the machine is as it is; total.busy_ps then */
    struct usage usage;
    wide_uint batch_ps; /* sequences of iterations times their time */
    struct serving_instance_summary total;
};

/* Who hears of samples, and where. */
struct hearing {
    const struct serving_sink *sink;
    uint64_t interval_ps;
};

/* Local. Arrays come from the arena; instance_release gives back the heap of the cache. */
void instance_init(struct instance *instance, uint32_t number, enum instance_role role,
                   const struct serving_config *config, const struct serving_engine *engine, struct pool *pool,
                   struct arena *arena);
void instance_release(struct instance *instance);

/* Local. Another machine from now on, between iterations and with all tables released: an empty cache of its size,
 * its idle power. */
void instance_change_engine(struct instance *instance, const struct serving_engine *engine, uint64_t now_ps);

/* Local. Energy between iterations up to end_ps. */
wide_uint instance_idle_energy_fj(const struct instance *instance, uint64_t end_ps);

/* Local. Saves or restores everything; of the sequences of the roll. */
void instance_archive(struct instance *instance, const struct roll *roll, struct archive *archive);

/* Local. Integrates up to now_ps; tells samples that have ended. */
enum status instance_usage(struct instance *instance, const struct hearing *hearing, uint64_t now_ps,
                           struct fault *fault);

/* Local. Ends the last sample at end_ps (nothing when it is empty). */
enum status instance_usage_end(struct instance *instance, const struct hearing *hearing, uint64_t end_ps,
                               struct fault *fault);

/* Local. Tokens that the instance still has to compute for a sequence. */
uint64_t instance_load_of(const struct instance *instance, const struct sequence *sequence);

/* Local. Puts a sequence among the running, or out of them, in order. */
void instance_insert(struct instance *instance, struct sequence *sequence);
void instance_remove(struct instance *instance, uint32_t place);

/* Local. Adds energy and busy times that the engine told (in instance->cost) to the totals; clears them. */
void instance_count_cost(struct instance *instance);

/* Local. Asks what the formed iteration costs; *end_ps is when it ends. Fault STATUS_FAILED for a cost of 0. */
enum status instance_start(struct instance *instance, uint64_t now_ps, uint64_t *end_ps, struct fault *fault);

/* Local. The iteration is over: KV is there, tokens are made (functional: by the engine). Sequences that ended have
 * state SEQUENCE_FINISHED, those that a prefill instance is through with SEQUENCE_HANDOVER; both stand in
 * instance->worker[] and no longer among the running. `itl` (may be NULL) counts gaps between tokens. */
struct histogram;
void instance_end(struct instance *instance, uint64_t now_ps, struct histogram *itl);

#endif
