#include "kernel/dropout.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "kernel/simd.h"

/* Words of a block are 32 bits in 64-bit lanes: the only multiplication wide enough that every instruction set has. */
typedef uint64_t v8w __attribute__((vector_size(64)));

enum { BLOCK_WORDS = 4, VECTOR_BLOCKS = 8, ROUNDS = 10 };

struct dropout dropout_of(const struct op *op, const struct kernel_context *context)
{
    if (!(op->dropout > 0 && op->dropout < 1))
        bug("dropout %g is not between 0 and 1", op->dropout);
    struct dropout dropout = {
        .key = rng_key(context->seed, RNG_DROPOUT, op->site),
        .step = context->step,
        .last_dropped = (uint32_t)(ceil(op->dropout * 0x1p32) - 1),
        .scale = 1 / (1 - op->dropout),
    };
    return dropout;
}

/* A loop for the reason given at v16_set. */
KERNEL_INLINE v8w words_set(uint64_t x)
{
    uint64_t lane[VECTOR_BLOCKS];
    v8w all;
    for (int i = 0; i < VECTOR_BLOCKS; i++)
        lane[i] = x;
    memcpy(&all, lane, sizeof all);
    return all;
}

/* Eight consecutive blocks, as rng_block makes them, in the order of their elements. */
KERNEL_INLINE void eight_blocks(const struct dropout *dropout, uint64_t block, uint32_t *to)
{
    const v8w low = words_set(0xffffffffu);
    v8w index = words_set(block) + (v8w){0, 1, 2, 3, 4, 5, 6, 7};
    v8w c0 = index & low, c1 = index >> 32, c2 = words_set(dropout->step), c3 = words_set(dropout->key.place);
    uint32_t k0 = dropout->key.word[0], k1 = dropout->key.word[1];
    for (int round = 0; round < ROUNDS; round++) {
        v8w p0 = c0 * words_set(0xD2511F53u), p1 = c2 * words_set(0xCD9E8D57u);
        c0 = (p1 >> 32) ^ c1 ^ words_set(k0);
        c2 = (p0 >> 32) ^ c3 ^ words_set(k1);
        c1 = p1 & low;
        c3 = p0 & low;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    v8w first = c0 | c1 << 32, second = c2 | c3 << 32;
    v8w front = __builtin_shufflevector(first, second, 0, 8, 1, 9, 2, 10, 3, 11);
    v8w back = __builtin_shufflevector(first, second, 4, 12, 5, 13, 6, 14, 7, 15);
    memcpy(to, &front, sizeof front);
    memcpy(to + LANES, &back, sizeof back);
}

KERNEL_CLONES
const uint32_t *dropout_words(const struct dropout *dropout, uint64_t first, size_t n, uint32_t *words)
{
    uint64_t block = first / BLOCK_WORDS;
    size_t skip = (size_t)(first % BLOCK_WORDS);
    size_t blocks = (skip + n + BLOCK_WORDS - 1) / BLOCK_WORDS;
    for (size_t b = 0; b < blocks; b += VECTOR_BLOCKS)
        eight_blocks(dropout, block + b, words + b * BLOCK_WORDS);
    return words + skip;
}
