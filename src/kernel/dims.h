/* dims.h - the sizes of an op's operands, read off its fields in one place.
 *
 * ADD counts its elements as rows, or rows * in when `in` is set; ADD_POS takes n = rows / samples tokens of `in`
 * channels; ADD_LAST's x has rows / samples * in elements per sample. Flat ops (SQUARE_SUM, UPDATE): n = rows.
 */
#ifndef KERNEL_DIMS_H
#define KERNEL_DIMS_H

#include <stddef.h>

#include "kernel/op.h"

/* Local. Elements of ADD. */
static inline size_t add_elements(const struct op *op)
{
    return (size_t)op->rows * (size_t)(op->in ? op->in : 1);
}

/* Local. Elements of one sample of a [samples, tokens, in] tensor. */
static inline size_t sample_elements(const struct op *op)
{
    return (size_t)(op->rows / op->samples) * (size_t)op->in;
}

/* Local. Elements between the rows of q, k, v as they lie in memory. */
static inline size_t qkv_stride(const struct op *op)
{
    return (size_t)(op->heads * op->head_width * (op->packed ? 3 : 1));
}

/* Local. Attention: the row of token 0 of a sample in a tensor of `tokens` tokens a sample, and rows from one token to
 * the next. */
static inline size_t token_row(const struct op *op, size_t sample, size_t tokens)
{
    size_t g = op->interleave > 1 ? (size_t)op->interleave : 1;
    return sample / g * tokens * g + sample % g;
}

static inline size_t token_step(const struct op *op)
{
    return op->interleave > 1 ? (size_t)op->interleave : 1;
}

/* Local. Attention: where p[sample, h, 0, 0] lies; from one p to the next of a row are token_step elements. */
static inline size_t share_offset(const struct op *op, size_t sample, size_t h)
{
    size_t g = token_step(op);
    return (sample / g * (size_t)op->heads + h) * (size_t)(op->n_query * op->n_key) * g + sample % g;
}

/* Local. Attention: how many keys, from the first on, query i sees. */
static inline size_t keys_seen(const struct op *op, size_t i)
{
    if (op->causal_block == 0)
        return (size_t)op->n_key;
    size_t block = (size_t)op->causal_block, at = i + (size_t)(op->n_key - op->n_query), end = (at / block + 1) * block;
    return end < (size_t)op->n_key ? end : (size_t)op->n_key;
}

/* Local. Attention: is key j, one of those, that of a neighbour of query i's place? */
static inline int key_is_near(const struct op *op, size_t i, size_t j)
{
    if (!op->near)
        return 1;
    size_t n = (size_t)op->near->n, at = i + (size_t)(op->n_key - op->n_query);
    return op->near->sees[at % n * n + j % n];
}

/* Local. Elements between the rows of the attention's output. */
static inline size_t heads_stride(const struct op *op)
{
    return (size_t)(op->heads * op->head_width);
}

#endif
