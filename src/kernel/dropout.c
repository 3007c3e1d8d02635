#include "kernel/dropout.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "kernel/ops.h"
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

double dropout_factor(const struct op *op, const struct kernel_context *context, size_t t, size_t c)
{
    if (!(op->dropout > 0))
        return 1;
    struct dropout dropout = dropout_of(op, context);
    uint64_t element = (context->first_row + t) * (uint64_t)op->in + c;
    uint32_t word[BLOCK_WORDS];
    rng_block(dropout.key, dropout.step, element / BLOCK_WORDS, word);
    return word[element % BLOCK_WORDS] <= dropout.last_dropped ? 0 : dropout.scale;
}

enum { PIECE = 4096 }; /* elements whose words fit the first-level cache */

size_t dropout_scratch_bytes(const struct op *op)
{
    (void)op;
    return (PIECE + DROPOUT_SLACK) * sizeof(uint32_t);
}

KERNEL_CLONES
static void drop(size_t n, const uint32_t *words, uint32_t last_dropped, float scale, const float *x, float *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = words[i] <= last_dropped ? 0 : x[i] * scale;
}

KERNEL_F32(dropout_f32)
{
    const struct dropout dropout = dropout_of(op, context);
    const size_t n = (size_t)(op->rows * op->in);
    const uint64_t first = context->first_row * (uint64_t)op->in;
    for (size_t i = 0; i < n; i += PIECE) {
        size_t piece = n - i < PIECE ? n - i : PIECE;
        const uint32_t *words = dropout_words(&dropout, first + i, piece, context->scratch);
        drop(piece, words, dropout.last_dropped, (float)dropout.scale, in[0] + i, out[0] + i);
    }
}

KERNEL_F64(dropout_f64)
{
    size_t c = (size_t)op->in;
    for (size_t i = 0; i < (size_t)op->rows * c; i++) {
        double factor = dropout_factor(op, context, i / c, i % c);
        out[0][i] = factor > 0 ? factor * in[0][i] : 0;
    }
}
