/* engine.h - the hardware as serving sees it: what an iteration costs, and how much KV there is room for.
 *
 * One struct serving_engine for each instance (a model on its devices). Serving decides what runs when; the engine says
 * how long that takes, and in functional runs does it. Functions take the engine's own state first. A fault ends the
 * run. Costs must be above 0 for real work: an iteration of no time or no energy is a fault.
 *
 * Paged KV: token i of a sequence lies in block table[i / block_tokens], at place i % block_tokens. Sequences with
 * equal prefixes may share blocks; blocks are numbered from 0 up to the capacity. Engines that only tell costs need not
 * look.
 */
#ifndef SERVING_ENGINE_H
#define SERVING_ENGINE_H

#include <stdint.h>

#include "base/cost.h"
#include "base/status.h"

/* What one sequence does in an iteration: the KV of `new_tokens` tokens, at places context .. context + new_tokens - 1,
 * is computed against the `context` tokens that are in the cache. */
struct serving_work {
    uint32_t request;      /* number in the trace */
    uint32_t context;      /* tokens in the KV cache before this iteration */
    uint32_t new_tokens;   /* a decode has 1; a prefill, or a chunk of one, 1 or more */
    uint8_t is_prefill;    /* prompt (or, after a preemption, prompt and answer so far) */
    uint8_t makes_token;   /* decodes, and prefills whose last chunk this is */
    const uint32_t *block; /* block table, [(context + new_tokens) / block_tokens rounded up] */
    const uint32_t *token; /* [context + new_tokens] ids of prompt and answer so far; NULL in timing-only runs */
};

struct serving_iteration {
    uint64_t number;   /* of this instance, from 0 */
    uint64_t start_ps; /* virtual time */
    uint32_t n_work, n_decodes, n_tokens_made;
    uint64_t decode_context_tokens;  /* sum of `context` over the decodes */
    uint64_t prefill_tokens;         /* sum of `new_tokens` over the prefills */
    const struct serving_work *work; /* [n_work] decodes first, each group by arrival */
};

/* Filled by the engine; all zero before the call. */
struct serving_cost {
    uint64_t time_ps;
    uint64_t energy_fj[N_ENERGY_PARTS];
    uint64_t *busy_ps; /* [n_devices] how long each device worked, at most time_ps */
};

/* KV of one sequence that moves: out to the host and back (preemption by swap), or from a prefill instance to a decode
 * instance. */
struct serving_move {
    uint32_t request;
    uint32_t n_tokens;
    const uint32_t *from; /* blocks of the source; NULL when it is the host */
    const uint32_t *to;   /* blocks of the destination; NULL when it is the host */
    int from_instance;    /* -1: the host */
    int to_instance;
};

struct serving_engine {
    void *state;
    uint64_t kv_capacity_tokens; /* 0: unlimited */
    uint32_t kv_block_tokens;    /* pages of the hardware; blocks must be a multiple. 0 or 1: anything goes */
    uint32_t context_tokens;     /* most tokens of prompt and answer together; 0: no limit */
    uint64_t idle_power_mw;      /* between iterations; fJ per ps */
    uint32_t n_devices;
    const char *const *device_name; /* [n_devices] */

    /* REQUIRED. Cost of one iteration. */
    enum status (*iterate)(void *state, const struct serving_iteration *iteration, struct serving_cost *cost,
                           struct fault *fault);

    /* OPTIONAL, required by preemption by swap. Cost of one sequence's way out or back; the instance waits for it. */
    enum status (*swap)(void *state, const struct serving_move *move, struct serving_cost *cost, struct fault *fault);

    /* OPTIONAL, required of decode instances of a prefill/decode split. Cost of KV that comes over from a prefill
     * instance; both go on computing meanwhile, their ports take one transfer at a time. */
    enum status (*transfer)(void *state, const struct serving_move *move, struct serving_cost *cost,
                            struct fault *fault);

    /* OPTIONAL, functional runs: the tokens of an iteration, after its cost was asked. token[n_tokens_made], in the
     * order of the work that makes one; ends[i] set to 1 ends that sequence with this token (EOS). */
    enum status (*tokens)(void *state, const struct serving_iteration *iteration, uint32_t *token, uint8_t *ends,
                          struct fault *fault);

    /* OPTIONAL. The KV of a request on this instance is gone: it has ended, was preempted by recompute, or has been
     * handed over. (Blocks that others share stay.) */
    void (*forget)(void *state, uint32_t request);

    /* OPTIONAL. Back to the state before the first iteration: search runs the same engines again and again. */
    void (*reset)(void *state);
};

#endif
