/* kv.c - the KV cache of a layer: tokens appended, attention to what it holds, shards put together. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "kernel/batch.h"
#include "kernel/format.h"
#include "kernel/ops.h"

static const struct batch *batch_of(const struct op *op)
{
    if (!op->batch)
        bug("%s without an iteration", op_name(op->kind));
    return op->batch;
}

/* The row of head g of a sequence's token at `position`, in keys and values. */
static size_t cache_row(const struct op *op, const struct batch_part *part, size_t g, int64_t position)
{
    int64_t block = part->block[position / op->n_key];
    if (block >= op->samples)
        bug("block %lld of a KV cache of %lld", (long long)block, (long long)op->samples);
    return ((size_t)block * (size_t)op->kv_heads + g) * (size_t)op->n_key + (size_t)(position % op->n_key);
}

/* A query and the scores of as many keys as a sequence can have (op.in); of a prompt also their keys and values. */
size_t kv_scratch_bytes(const struct op *op)
{
    size_t width = (size_t)op->head_width;
    if (op->kind == OP_KV_ATTENTION)
        return (width + (size_t)op->in) * sizeof(double);
    return op->kind == OP_PROMPT_ATTENTION ? (width + (size_t)op->in * (2 * width + 1)) * sizeof(double) : 0;
}

static void copy_f64(size_t n, const double *from, double *to)
{
    if (from != to)
        memcpy(to, from, n * sizeof *to);
}

/* Formats of the products' operands; int8 belongs to cells and arrays, not to a KV cache. */
static void round_f32(enum number_format format, size_t n, const float *from, float *to)
{
    if (format == FORMAT_INT8)
        bug("attention to a KV cache in int8");
    format_round(format, n, from, to);
}

#define KV(name) name##_f32
#define KV_KERNEL(name) KERNEL_F32(name)
#define KV_ROUND(format, n, from, to) round_f32(format, n, from, to)
#define KV_EXP(x) expf(x)
#define REAL float
#include "kernel/kv_body.h"

#define KV(name) name##_f64
#define KV_KERNEL(name) KERNEL_F64(name)
#define KV_ROUND(format, n, from, to) ((void)(format), copy_f64(n, from, to))
#define KV_EXP(x) exp(x)
#define REAL double
#include "kernel/kv_body.h"
