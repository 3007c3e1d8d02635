/* serving_toy.h - an engine for tests of serving: costs by a simple formula, or KV that is really kept and checked.
 *
 * In functional runs the engine keeps a paged KV memory: what it stores for place i of a sequence is a hash of the
 * tokens 0..i. Before an iteration every place of the context is read through the block table and compared: whatever
 * sharing, preemption or handover did to the blocks shows. The next token is a function of all tokens so far.
 */
#ifndef TESTS_SERVING_TOY_H
#define TESTS_SERVING_TOY_H

#include <math.h>
#include <string.h>

#include "folder.h"
#include "serving/arrivals.h"
#include "serving/serving.h"

enum { TOY_BLOCKS = 2048, TOY_REQUESTS = 128, TOY_TOKENS = 256, TOY_VOCABULARY = 97 };

struct toy {
    uint64_t base_ps, decode_ps, context_ps, prefill_ps; /* of an iteration, for each decode, place, prefill token */
    double exponential_ps;                               /* instead: mean of exponential service, by request */
    uint64_t seed;
    uint32_t block_tokens, end_token; /* end_token: 0 is none */
    struct toy *all;                  /* engines of all instances, for handovers */
    uint64_t *kv;                     /* [TOY_BLOCKS * block_tokens] functional */
    uint64_t (*host)[TOY_TOKENS];     /* [TOY_REQUESTS] swapped out */
    uint64_t n_iterations, n_decodes, n_prefill_tokens, n_mixed, most_blocks, most_tokens, n_forgotten;
    uint64_t refuses_at; /* number of the iteration that fails; 0: none does */
    const char *name[1];
};

static inline uint64_t toy_hash(uint64_t before, uint64_t token)
{
    uint64_t x = (before ^ token) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    return x ^ x >> 29;
}

/* An assertion for inner loops: those of Check write to a file each. */
static inline void must_at(int holds, int line)
{
    if (!holds)
        ck_abort_msg("serving_toy.h:%d", line);
}
#define must(holds) must_at((holds), __LINE__)

/* Decodes first, each group by arrival; the sums hold. */
static inline void toy_look(struct toy *toy, const struct serving_iteration *iteration)
{
    uint64_t context = 0, prefill = 0, made = 0;
    for (uint32_t i = 0; i < iteration->n_work; i++) {
        const struct serving_work *work = &iteration->work[i];
        must(work->is_prefill == (i >= iteration->n_decodes));
        must(work->new_tokens >= 1);
        must(work->is_prefill || (work->new_tokens == 1 && work->makes_token));
        if (i && i != iteration->n_decodes)
            must(work->request > work[-1].request);
        context += work->is_prefill ? 0 : work->context;
        prefill += work->is_prefill ? work->new_tokens : 0;
        made += work->makes_token;
    }
    must(context == iteration->decode_context_tokens);
    must(prefill == iteration->prefill_tokens);
    must(made == iteration->n_tokens_made);
    must(iteration->number == toy->n_iterations);
    toy->n_mixed += iteration->n_decodes && prefill;
    if (iteration->n_decodes + prefill > toy->most_tokens)
        toy->most_tokens = iteration->n_decodes + prefill;
}

static inline enum status toy_iterate(void *state, const struct serving_iteration *iteration, struct serving_cost *cost,
                                      struct fault *fault)
{
    struct toy *toy = state;
    if (toy->refuses_at && toy->n_iterations == toy->refuses_at)
        return fault_set(fault, STATUS_DEVICE, "the toy is broken");
    toy_look(toy, iteration);
    cost->time_ps = toy->base_ps + toy->decode_ps * iteration->n_decodes +
                    toy->context_ps * iteration->decode_context_tokens + toy->prefill_ps * iteration->prefill_tokens;
    if (toy->exponential_ps > 0) {
        double uniform = rng_uniform(rng_key(toy->seed, RNG_TEST, 99), 0, iteration->work[0].request);
        cost->time_ps = 1 + (uint64_t)(-log(1 - uniform) * toy->exponential_ps);
    }
    cost->energy_fj[ENERGY_COMPUTE] = 3 * iteration->n_work;
    cost->energy_fj[ENERGY_DRAM] = 1 + iteration->decode_context_tokens;
    cost->busy_ps[0] = cost->time_ps / 2;
    toy->n_iterations++;
    toy->n_decodes += iteration->n_decodes;
    toy->n_prefill_tokens += iteration->prefill_tokens;
    return STATUS_OK;
}

static inline enum status toy_move_cost(const struct serving_move *move, struct serving_cost *cost)
{
    cost->time_ps = 50 * (uint64_t)move->n_tokens;
    cost->energy_fj[ENERGY_LINK] = move->n_tokens;
    return STATUS_OK;
}

static inline uint64_t *toy_place(struct toy *toy, const uint32_t *block, uint32_t i)
{
    return &toy->kv[(size_t)block[i / toy->block_tokens] * toy->block_tokens + i % toy->block_tokens];
}

static inline enum status toy_swap(void *state, const struct serving_move *move, struct serving_cost *cost,
                                   struct fault *fault)
{
    struct toy *toy = state;
    (void)fault;
    for (uint32_t i = 0; i < move->n_tokens && toy->kv; i++) {
        if (move->to)
            *toy_place(toy, move->to, i) = toy->host[move->request][i];
        else
            toy->host[move->request][i] = *toy_place(toy, move->from, i);
    }
    return toy_move_cost(move, cost);
}

static inline enum status toy_transfer(void *state, const struct serving_move *move, struct serving_cost *cost,
                                       struct fault *fault)
{
    struct toy *toy = state;
    (void)fault;
    for (uint32_t i = 0; i < move->n_tokens && toy->kv; i++)
        *toy_place(toy, move->to, i) = *toy_place(&toy->all[move->from_instance], move->from, i);
    return toy_move_cost(move, cost);
}

static inline enum status toy_work(struct toy *toy, const struct serving_work *work, uint64_t *last,
                                   struct fault *fault)
{
    uint64_t hash = 1;
    for (uint32_t i = 0; i < work->context + work->new_tokens; i++) {
        hash = toy_hash(hash, work->token[i]);
        if (work->block[i / toy->block_tokens] >= TOY_BLOCKS)
            return fault_set(fault, STATUS_FAILED, "block %u", work->block[i / toy->block_tokens]);
        toy->most_blocks = work->block[i / toy->block_tokens] + 1 > toy->most_blocks
                               ? work->block[i / toy->block_tokens] + 1
                               : toy->most_blocks;
        if (i >= work->context)
            *toy_place(toy, work->block, i) = hash;
        else if (*toy_place(toy, work->block, i) != hash)
            return fault_set(fault, STATUS_FAILED, "request %u: place %u of its KV holds something else", work->request,
                             i);
    }
    *last = hash;
    return STATUS_OK;
}

static inline enum status toy_tokens(void *state, const struct serving_iteration *iteration, uint32_t *token,
                                     uint8_t *ends, struct fault *fault)
{
    struct toy *toy = state;
    uint32_t n = 0;
    for (uint32_t i = 0; i < iteration->n_work; i++) {
        uint64_t last = 0;
        if (toy_work(toy, &iteration->work[i], &last, fault) != STATUS_OK)
            return fault->status;
        if (!iteration->work[i].makes_token)
            continue;
        token[n] = 1 + (uint32_t)(last % TOY_VOCABULARY);
        ends[n] = toy->end_token && token[n] == toy->end_token;
        n++;
    }
    return STATUS_OK;
}

static inline void toy_forget(void *state, uint32_t request)
{
    struct toy *toy = state;
    (void)request;
    toy->n_forgotten++;
}

static inline void toy_reset(void *state)
{
    struct toy *toy = state;
    toy->n_iterations = toy->n_decodes = toy->n_prefill_tokens = toy->n_mixed = toy->n_forgotten = 0;
    toy->most_blocks = toy->most_tokens = 0;
}

static inline struct serving_engine toy_engine(struct toy *toy, uint64_t capacity_tokens)
{
    toy->name[0] = "toy";
    return (struct serving_engine){.state = toy,
                                   .kv_capacity_tokens = capacity_tokens,
                                   .idle_power_mw = 2,
                                   .n_devices = 1,
                                   .device_name = toy->name,
                                   .iterate = toy_iterate,
                                   .swap = toy_swap,
                                   .transfer = toy_transfer,
                                   .forget = toy_forget,
                                   .reset = toy_reset,
                                   .tokens = toy->kv ? toy_tokens : NULL};
}

/* A usual one: 1 us and a little for everything. */
static inline struct toy toy_usual(void)
{
    return (struct toy){
        .base_ps = 1000000, .decode_ps = 10000, .context_ps = 10, .prefill_ps = 5000, .block_tokens = 16};
}

/* The same with KV memory. */
static inline struct toy toy_functional(uint32_t block_tokens, struct arena *arena)
{
    struct toy toy = toy_usual();
    toy.block_tokens = block_tokens;
    toy.kv = arena_array(arena, (size_t)TOY_BLOCKS * block_tokens, sizeof *toy.kv);
    toy.host = arena_array(arena, TOY_REQUESTS, sizeof *toy.host);
    return toy;
}

/* Gives requests prompts of token ids: the first tokens of many are those of a few. */
static inline void toy_prompts(struct requests *requests, struct dice *d, struct arena *arena)
{
    for (size_t i = 0; i < requests->n; i++) {
        struct request *request = &requests->request[i];
        uint32_t *prompt = arena_array(arena, request->prompt_tokens, sizeof *prompt);
        uint64_t family = below(d, 3), shared = below(d, 2) ? below(d, request->prompt_tokens + 1) : 0;
        for (uint32_t t = 0; t < request->prompt_tokens; t++)
            prompt[t] =
                t < shared ? 1 + (uint32_t)((family + 7 * t) % TOY_VOCABULARY) : 1 + (uint32_t)below(d, TOY_VOCABULARY);
        request->prompt = prompt;
    }
}

#endif
