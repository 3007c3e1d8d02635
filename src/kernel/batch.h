/* batch.h - the tokens of one iteration of a decoder: which sequences they belong to and where those lie in the KV
 * cache.
 *
 * * Rows are the tokens, sequence after sequence: first those of sequences that attend to the cache where it lies, then
 * those of prompts (or pieces of prompts), whose attention is on a GPU: what they have in the cache already is fetched.
 *
 * The cache is paged: token p of a sequence lies in block block[p / block_tokens], at place p % block_tokens. When it
 * is dealt to shards, token p belongs to shard p / shard_block % shards; its place in its block is the same on every
 * shard.
 */
#ifndef KERNEL_BATCH_H
#define KERNEL_BATCH_H

#include <stdint.h>

#include "kernel/op.h"

struct batch_part {        /* one sequence */
    int64_t context;       /* tokens of the sequence before this iteration: all in the cache */
    int32_t tokens;        /* of this iteration */
    int32_t is_answer;     /* the last token's successor is wanted */
    uint32_t request;      /* number of the request: keys the random numbers of sampling */
    float temperature;     /* 0: the most likely token */
    float top_p;           /* (0, 1]: sample among the likeliest tokens whose probabilities sum to at least this */
    const uint32_t *block; /* [(context + tokens) / block_tokens rounded up]; NULL when timing-only */
};

struct batch {
    int n_parts, n_cached; /* the first n_cached parts attend to the cache */
    int64_t n_tokens, n_cached_tokens, n_answers;
    const struct batch_part *parts;
    const uint32_t *ids; /* [n_tokens]; NULL when timing-only */
};

/* Local. How many rows of an iteration these are: of TOKENS_PROMPT those of the prompts alone; of TOKENS_BOTH all of
 * them when there are decoding sequences and prompts, else 0; of TOKENS_NO_PROMPT and TOKENS_WITH_PROMPT all or none.
 */
int64_t batch_rows(const struct batch *batch, enum token_rows tokens);

/* Local. Pairs of a row and a token of the KV cache (KV_ATTENTION: of this op's shard) or of the prompt
 * (PROMPT_ATTENTION) that it attends to. Without an iteration: what a full one could have. */
uint64_t batch_pairs(const struct op *op);

/* Local. New tokens that this op's shard keeps; tokens of prompts that it has already. */
int64_t batch_appended(const struct op *op);
int64_t batch_fetched(const struct op *op);

/* Local. An op of a plan made ready for an iteration: its rows, and the iteration itself. Returns 0 when there is no
 * work for it. */
int batch_bind(const struct op *planned, const struct batch *batch, struct op *op);

/* Local. Elements that a message (SEND, RECV; bound) moves over the link: `out` of each row. Of TOKENS_ALL, `in` of
 * them are keys and values, which go with the tokens that the shard keeps, the others queries, which go with cached
 * rows. Of TOKENS_FETCHED the rows are the shard's tokens. */
int64_t batch_message_elements(const struct op *op);

/* Local. How many of the tokens 0 .. n-1 of a sequence shard `shard` of `shards` holds when blocks of `block` tokens
 * are dealt in turn; whether it holds token p. */
static inline int64_t shard_tokens(int64_t n, int64_t shard, int64_t shards, int64_t block)
{
    if (shards <= 1)
        return n;
    int64_t round = block * shards, rest = n % round - shard * block;
    return n / round * block + (rest < 0 ? 0 : rest < block ? rest : block);
}

static inline int shard_holds(int64_t p, int64_t shard, int64_t shards, int64_t block)
{
    return shards <= 1 || p / block % shards == shard;
}

#endif
