/* token_case.h - random iterations of sequences with a paged KV cache, for tests of the ops on tokens.
 *
 * A sequence has a history: keys and values of all its tokens, and queries of those of this iteration. `past` is the
 * iteration that computes what is in the cache before this one, so that the cache gets filled as in a run.
 */
#ifndef TESTS_UNIT_TOKEN_CASE_H
#define TESTS_UNIT_TOKEN_CASE_H

#include "base/arena.h"
#include "folder.h"
#include "kernel/batch.h"
#include "kernel_case.h"

struct token_case {
    struct dice dice;
    struct arena *arena;
    int64_t kv_heads, queries, width; /* queries: of a KV head */
    int64_t block_tokens, n_blocks, shards, shard_block;
    struct batch now, past;
    double *qkv, *past_qkv; /* [tokens][kv_heads][queries + 2][width] */
    double **history;       /* [n_parts] -> [context + tokens][kv_heads][2][width] */
};

static inline int64_t token_columns(const struct token_case *c)
{
    return c->kv_heads * (c->queries + 2) * c->width;
}

/* Uniform about 0, exact as a float. */
static inline double *token_values(struct token_case *c, int64_t n)
{
    double *values = arena_array(c->arena, (size_t)n + 1, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = (double)(float)(((double)below(&c->dice, 1u << 24) * 0x1p-23 - 1) * 1.5);
    return values;
}

/* Blocks of all sequences are dealt from one shuffled deck: nobody's lie in order. */
static inline void token_blocks(struct token_case *c, struct batch_part *parts, int n)
{
    uint32_t *deck = arena_array(c->arena, (size_t)c->n_blocks, sizeof *deck);
    rng_permutation(case_key((uint32_t)below(&c->dice, 1u << 30)), 0, (uint32_t)c->n_blocks, deck);
    for (int i = 0; i < n; i++) {
        parts[i].block = deck;
        deck += (parts[i].context + parts[i].tokens + c->block_tokens - 1) / c->block_tokens;
    }
}

static inline struct batch_part *token_parts(struct token_case *c, int n_parts, int n_cached)
{
    struct batch_part *parts = arena_array(c->arena, (size_t)n_parts, sizeof *parts);
    c->n_blocks = 1 + (int64_t)below(&c->dice, 4); /* some belong to nobody */
    for (int i = 0; i < n_parts; i++) {
        parts[i].context = below(&c->dice, 3) ? (int64_t)below(&c->dice, 60) : 0;
        parts[i].tokens = i < n_cached && below(&c->dice, 2) ? 1 : 1 + (int32_t)below(&c->dice, 20);
        parts[i].is_answer = below(&c->dice, 3) > 0;
        parts[i].request = (uint32_t)below(&c->dice, 1000);
        parts[i].top_p = 1;
        c->n_blocks += (parts[i].context + parts[i].tokens + c->block_tokens - 1) / c->block_tokens;
    }
    token_blocks(c, parts, n_parts);
    return parts;
}

static inline void token_count(struct batch *batch)
{
    for (int i = 0; i < batch->n_parts; i++) {
        batch->n_tokens += batch->parts[i].tokens;
        batch->n_cached_tokens += i < batch->n_cached ? batch->parts[i].tokens : 0;
        batch->n_answers += batch->parts[i].is_answer;
    }
}

static inline void token_history(struct token_case *c)
{
    int64_t columns = token_columns(c), row = 0, past_row = 0;
    c->history = arena_array(c->arena, (size_t)c->now.n_parts, sizeof *c->history);
    c->qkv = token_values(c, c->now.n_tokens * columns);
    c->past_qkv = token_values(c, c->past.n_tokens * columns);
    for (int i = 0; i < c->now.n_parts; i++) {
        int64_t context = c->now.parts[i].context, tokens = context + c->now.parts[i].tokens;
        double *to = c->history[i] = arena_array(c->arena, (size_t)(tokens * c->kv_heads * 2 * c->width), sizeof *to);
        for (int64_t t = 0; t < tokens; t++) {
            const double *from = t < context ? c->past_qkv + past_row++ * columns : c->qkv + row++ * columns;
            for (int64_t g = 0; g < c->kv_heads; g++, to += 2 * c->width)
                memcpy(to, from + (g * (c->queries + 2) + c->queries) * c->width, (size_t)(2 * c->width) * sizeof *to);
        }
    }
}

/* The past is one iteration of prompts: sequences without a past have no part in it. */
static inline void token_past(struct token_case *c)
{
    struct batch_part *parts = arena_array(c->arena, (size_t)c->now.n_parts, sizeof *parts);
    c->past = (struct batch){.parts = parts};
    for (int i = 0; i < c->now.n_parts; i++)
        if (c->now.parts[i].context)
            parts[c->past.n_parts++] =
                (struct batch_part){.tokens = (int32_t)c->now.parts[i].context, .block = c->now.parts[i].block};
    token_count(&c->past);
}

static inline void token_case_open(struct token_case *c, uint64_t seed)
{
    memset(c, 0, sizeof *c);
    c->dice = (struct dice){rng_key(seed, RNG_TEST, 31), 0};
    c->arena = arena_new();
    c->kv_heads = 1 + (int64_t)below(&c->dice, 5), c->queries = 1 + (int64_t)below(&c->dice, 4);
    c->width = 2 * (1 + (int64_t)below(&c->dice, 20));
    c->block_tokens = 1 + (int64_t)below(&c->dice, 17);
    c->shards = 1 + (int64_t)below(&c->dice, 8);
    c->shard_block = 1 + (int64_t)below(&c->dice, 40);
    int n_parts = 1 + (int)below(&c->dice, 7), n_cached = (int)below(&c->dice, (uint64_t)n_parts + 1);
    c->now = (struct batch){.n_parts = n_parts, .n_cached = n_cached, .parts = token_parts(c, n_parts, n_cached)};
    token_count(&c->now);
    token_past(c);
    token_history(c);
}

static inline void token_case_close(struct token_case *c)
{
    arena_free(c->arena);
}

static inline struct op token_op(const struct token_case *c, enum op_kind kind, const struct batch *batch,
                                 enum token_rows tokens)
{
    return (struct op){.kind = kind,
                       .rows = tokens == TOKENS_PROMPT ? batch->n_tokens : batch_rows(batch, tokens),
                       .tokens = tokens,
                       .samples = c->n_blocks,
                       .n_key = c->block_tokens,
                       .heads = c->kv_heads * c->queries,
                       .kv_heads = c->kv_heads,
                       .head_width = c->width,
                       .in = 80,
                       .shards = 1,
                       .batch = batch};
}

/* Runs an op on operands that the caller keeps; what it leaves goes back into `out`. */
static inline void token_run(const struct op *op, enum number_format format, double *const *in, const int64_t *n_in,
                             int inputs, double *const *out, const int64_t *n_out, int outputs)
{
    struct kernel_case test = {.op = *op, .context = {.seed = 5, .step = 1}};
    for (int i = 0; i < inputs; i++)
        test.in[i] = in[i], test.n_in[i] = (size_t)n_in[i];
    for (int o = 0; o < outputs; o++)
        test.out[o] = out[o], test.n_out[o] = (size_t)n_out[o];
    case_run(&test, format, -1);
}

#endif
