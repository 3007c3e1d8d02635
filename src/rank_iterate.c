/* rank_iterate.c - one iteration of a decoder: the batch goes to all ranks, its tokens through the programs, the next
 * tokens to rank 0. */
#include <stdlib.h>

#include "rank_private.h"

/* What all ranks get to know of an iteration. */
struct announcement {
    int32_t n_parts, n_cached; /* n_parts 0: no iteration, but a wish, or the end */
    int64_t n_tokens, n_cached_tokens, n_answers, n_blocks;
    uint64_t not_before_ps;
    uint32_t number, wants_logits, wish;
};

static int64_t count_blocks(const struct batch *batch, int64_t block_tokens, int i)
{
    return (batch->parts[i].context + batch->parts[i].tokens + block_tokens - 1) / block_tokens;
}

static int64_t block_tokens_of(const struct executor *executor)
{
    for (int d = 0; d < executor->plan->n_devices; d++) {
        const struct program *program = &executor->plan->programs[PROGRAM_ITERATE][d];
        for (int i = 0; i < program->n_instrs; i++)
            if (program->instrs[i].op->kind == OP_KV_APPEND)
                return program->instrs[i].op->n_key;
    }
    bug("a plan of iterations without a KV cache");
}

static struct announcement announce(const struct executor *executor, const struct iteration *iteration)
{
    const struct batch *batch = iteration->batch;
    struct announcement now = {.n_parts = 0, .wish = iteration->wish};
    if (comm_rank(executor->comm) != 0 || !batch)
        return now;
    now = (struct announcement){.n_parts = batch->n_parts,
                                .n_cached = batch->n_cached,
                                .n_tokens = batch->n_tokens,
                                .n_cached_tokens = batch->n_cached_tokens,
                                .n_answers = batch->n_answers,
                                .not_before_ps = iteration->not_before_ps,
                                .number = iteration->number,
                                .wants_logits = iteration->logits != NULL};
    if (batch->n_parts < 1 || batch->n_tokens < 1)
        bug("an iteration without tokens");
    if (executor->options.timing_only)
        return now;
    int64_t block_tokens = block_tokens_of(executor);
    for (int i = 0; i < batch->n_parts; i++)
        now.n_blocks += count_blocks(batch, block_tokens, i);
    return now;
}

/* Parts, tokens and blocks of rank 0's batch, in the arena of this iteration on all ranks. */
static enum status share_batch(struct executor *executor, const struct announcement *now, const struct batch *from,
                               struct arena *arena, struct batch *batch, struct fault *fault)
{
    struct comm *comm = executor->comm;
    size_t n_parts = (size_t)now->n_parts, n_tokens = (size_t)now->n_tokens, n_blocks = (size_t)now->n_blocks;
    struct batch_part *parts = arena_array(arena, n_parts, sizeof *parts);
    uint32_t *ids = arena_array(arena, n_tokens + n_blocks, sizeof *ids), *block = ids + n_tokens;
    int first = comm_rank(comm) == 0, functional = !executor->options.timing_only;
    int64_t block_tokens = functional ? block_tokens_of(executor) : 0;
    if (first)
        memcpy(parts, from->parts, n_parts * sizeof *parts);
    for (int i = 0; first && functional && i < now->n_parts; i++) {
        size_t n = (size_t)count_blocks(from, block_tokens, i);
        memcpy(block, from->parts[i].block, n * sizeof *block);
        block += n;
    }
    if (first && functional)
        memcpy(ids, from->ids, n_tokens * sizeof *ids);
    enum status status = comm_broadcast(comm, parts, n_parts * sizeof *parts, fault);
    if (status == STATUS_OK && functional)
        status = comm_broadcast(comm, ids, (n_tokens + n_blocks) * sizeof *ids, fault);
    *batch = (struct batch){now->n_parts,   now->n_cached, now->n_tokens,          now->n_cached_tokens,
                            now->n_answers, parts,         functional ? ids : NULL};
    block = ids + n_tokens;
    for (int i = 0; i < now->n_parts; i++) {
        parts[i].block = functional ? block : NULL;
        block += functional ? count_blocks(batch, block_tokens, i) : 0;
    }
    return status;
}

static double value_of(const struct executor *executor, const void *values, int64_t i)
{
    return element_bytes(executor) == 8 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

/* The device that chooses tokens, and what it chooses from. */
static int find_sampler(const struct executor *executor, const struct instr **sample)
{
    for (int d = 0; d < executor->plan->n_devices; d++) {
        const struct program *program = &executor->plan->programs[PROGRAM_ITERATE][d];
        for (int i = 0; i < program->n_instrs; i++)
            if (program->instrs[i].op->kind == OP_SAMPLE) {
                *sample = &program->instrs[i];
                return d;
            }
    }
    bug("no device chooses tokens");
}

/* The tokens that were chosen, and the logits that they were chosen from when they are wanted. */
static enum status fetch_answers(struct executor *executor, const struct batch *batch, const struct announcement *now,
                                 struct arena *arena, uint32_t *next, float *logits, struct fault *fault)
{
    const struct instr *sample;
    int device = find_sampler(executor, &sample);
    void *values = NULL;
    enum status status = executor_fetch(executor, arena, device, PROGRAM_ITERATE, sample->out[0], &values, fault);
    for (int64_t i = 0; values && i < batch->n_answers; i++)
        next[i] = (uint32_t)value_of(executor, values, i);
    if (status != STATUS_OK || !now->wants_logits)
        return status;
    values = NULL;
    status = executor_fetch(executor, arena, device, PROGRAM_ITERATE, sample->in[0], &values, fault);
    for (int64_t i = 0; values && i < batch->n_answers * sample->op->out; i++)
        logits[i] = (float)value_of(executor, values, i);
    return status;
}

/* What the programs as they are bound cost, all devices together. */
static void sum_costs(struct executor *executor, struct iteration_cost *cost)
{
    memset(cost->energy_fj, 0, sizeof cost->energy_fj);
    for (int d = 0; d < executor->plan->n_devices; d++) {
        struct binding *root = executor->bindings[d] ? binding_root(executor->bindings[d]) : NULL;
        if (root && root == executor->bindings[d])
            binding_cost(root);
        for (int p = 0; root && p < N_ENERGY_PARTS; p++)
            cost->energy_fj[p] += root->energy_fj[p];
        if (cost->busy_ps)
            cost->busy_ps[d] = root ? root->busy_ps : 0;
    }
}

/* Programs of the devices that are stepped here, and of those that rank 0 prices. */
static void bind_all(struct executor *executor, const struct batch *batch, struct iteration_cost *cost)
{
    for (int d = 0; d < executor->plan->n_devices; d++)
        if (executor->bindings[d] && !executor->is_follower[d])
            bind_device(executor, d, executor->bindings[d], batch);
    for (int k = 0; k < executor->n_stepped; k++)
        if (executor->stepped[k]->bound)
            clock_account(&executor->stepped[k]->clock, &executor->stepped[k]->bound->program);
    if (cost && comm_rank(executor->comm) == 0)
        sum_costs(executor, cost);
}

enum status executor_iterate(struct executor *executor, const struct iteration *iteration, uint32_t *next,
                             struct iteration_cost *cost, struct step_result *result, struct fault *fault)
{
    struct announcement now = announce(executor, iteration);
    memset(result, 0, sizeof *result);
    enum status status = comm_broadcast(executor->comm, &now, sizeof now, fault);
    result->wish = now.wish;
    result->stopped = now.n_parts == 0 && now.wish == 0;
    if (status != STATUS_OK || now.n_parts == 0)
        return status;
    struct arena *arena = arena_new();
    struct batch batch;
    uint64_t shift_ps;
    status = share_batch(executor, &now, iteration->batch, arena, &batch, fault);
    const struct step_record record = {
        .program = PROGRAM_ITERATE, .step = now.number, .not_before_ps = now.not_before_ps, .repeat = 1};
    twins_find(executor, PROGRAM_ITERATE);
    if (status == STATUS_OK)
        bind_all(executor, &batch, cost);
    if (status == STATUS_OK)
        status = run_program(executor, &record, fault);
    if (status == STATUS_OK)
        status = exchange_replies(executor, PROGRAM_ITERATE, result, &shift_ps, fault);
    if (status == STATUS_OK && !executor->options.timing_only && batch.n_answers)
        status = fetch_answers(executor, &batch, &now, arena, next, iteration->logits, fault);
    arena_free(arena);
    return status;
}
