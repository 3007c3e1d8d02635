/* tokens.c - embedding, norm, rotation, gate and choice of the tokens of an iteration. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "kernel/batch.h"
#include "kernel/ops.h"
#include "kernel/sample.h"

static const struct batch *batch_of(const struct op *op)
{
    if (!op->batch)
        bug("%s without an iteration", op_name(op->kind));
    return op->batch;
}

static size_t packed_columns(const struct op *op)
{
    return (size_t)((op->heads + 2 * op->kv_heads) * op->head_width);
}

size_t tokens_scratch_bytes(const struct op *op)
{
    if (op->kind == OP_ROTATE)
        return (size_t)op->head_width * sizeof(double);
    return op->kind == OP_SAMPLE ? (size_t)op->out * (sizeof(double) + sizeof(uint32_t)) : 0;
}

#define TOKENS(name) name##_f32
#define TOKENS_KERNEL(name) KERNEL_F32(name)
#define REAL float
#include "kernel/tokens_body.h"

#define TOKENS(name) name##_f64
#define TOKENS_KERNEL(name) KERNEL_F64(name)
#define REAL double
#include "kernel/tokens_body.h"
