#include "kernel/op.h"

#include "base/status.h"
#include "kernel/batch.h"
#include "kernel/dims.h"
#include "kernel/fastfood.h"
#include "kernel/lowrank.h"

/* Per element, multiply and add counted as two: exp, maximum, sum and division of a softmax; mean, variance and scaling
 * of a norm. The other figures count the formulas of run_f64.c and its neighbours. */
enum {
    FLOPS_SOFTMAX = 5,
    FLOPS_SOFTMAX_BWD = 4,
    FLOPS_NORM = 8,
    FLOPS_NORM_BWD = 11,
    FLOPS_NORM_SUMS = 3, /* of them, for the gradients of gain and bias */
    FLOPS_GELU = 8,
    FLOPS_GELU_BWD = 12
};

const char *op_name(enum op_kind kind)
{
    static const char *const names[N_OP_KINDS] = {
#define X(id, name, class, n_in, n_out) [id] = name,
        OP_KINDS(X)
#undef X
    };
    if ((unsigned)kind >= N_OP_KINDS)
        bug("op kind %d does not exist", (int)kind);
    return names[kind];
}

enum kernel_class op_class(enum op_kind kind)
{
    static const enum kernel_class classes[N_OP_KINDS] = {
#define X(id, name, class, n_in, n_out) [id] = class,
        OP_KINDS(X)
#undef X
    };
    if ((unsigned)kind >= N_OP_KINDS)
        bug("op kind %d does not exist", (int)kind);
    return classes[kind];
}

const char *kernel_class_name(enum kernel_class class)
{
    static const char *const names[N_KERNEL_CLASSES] = {
#define X(id, name) [id] = name,
        KERNEL_CLASSES(X)
#undef X
    };
    if ((unsigned)class >= N_KERNEL_CLASSES)
        bug("kernel class %d does not exist", (int)class);
    return names[class];
}

const char *number_format_name(enum number_format format)
{
    static const char *const names[N_NUMBER_FORMATS] = {
        [FORMAT_FP32] = "fp32", [FORMAT_TF32] = "tf32", [FORMAT_BF16] = "bf16",
        [FORMAT_FP16] = "fp16", [FORMAT_FP64] = "fp64", [FORMAT_INT8] = "int8"};
    if ((unsigned)format >= N_NUMBER_FORMATS)
        bug("number format %d does not exist", (int)format);
    return names[format];
}

struct op op_factor(int64_t out, int64_t in, int64_t width, double scale, uint32_t site)
{
    return (struct op){
        .kind = OP_FACTOR, .rows = out, .out = out, .in = in, .width = width, .scale = scale, .site = site};
}

int64_t op_group_heads(int64_t heads, int64_t groups, int64_t group, int64_t *first)
{
    int64_t each = heads / groups, more = heads % groups;
    *first = group * each + (group < more ? group : more);
    return each + (group < more);
}

static uint64_t act_flops(enum activation act)
{
    return act == ACT_NONE ? 0 : act == ACT_RELU ? 1 : FLOPS_GELU;
}

static uint64_t linear_flops(const struct op *op)
{
    uint64_t t = (uint64_t)op->rows, c = (uint64_t)op->in, o = (uint64_t)op->out;
    uint64_t product = 2 * t * c * o;
    if (op->kind == OP_LINEAR)
        return product + t * o * (1 + act_flops(op->act));
    if (op->kind == OP_LINEAR_DX)
        return product + (op->accumulate ? t * c : 0);
    return product + (op->skip_sums ? 0 : t * o);
}

static uint64_t attention_flops(const struct op *op)
{
    uint64_t pairs = 0, width = (uint64_t)op->head_width;
    for (int64_t i = 0; op->causal_block && i < op->n_query; i++)
        pairs += keys_seen(op, (size_t)i);
    if (!op->causal_block)
        pairs = (uint64_t)(op->n_query * op->n_key);
    uint64_t scores = (uint64_t)(op->samples * op->heads) * pairs;
    if (op->kind == OP_ATTENTION)
        return scores * (4 * width + FLOPS_SOFTMAX);
    return scores * (8 * width + FLOPS_SOFTMAX_BWD);
}

static uint64_t norm_flops(const struct op *op)
{
    uint64_t elements = (uint64_t)(op->rows * op->in);
    uint64_t dropped = op->dropout > 0 ? elements : 0;
    if (op->kind == OP_NORM)
        return elements * (FLOPS_NORM + 1) + dropped;
    uint64_t each = FLOPS_NORM_BWD - (op->skip_sums ? FLOPS_NORM_SUMS : 0u) + (op->accumulate ? 1u : 0u);
    return elements * each + dropped;
}

static uint64_t update_flops(const struct op *op)
{
    uint64_t scaled = op->optimiser == OPTIMISER_SGD ? 3 : 15;
    return (uint64_t)op->rows * scaled;
}

/* One transform of L elements and one of the M = next power of two of d; a product and its sum or gather for each of
 * L elements; theta0 + lambda x, or the two gradients. */
static uint64_t fastfood_flops(const struct op *op)
{
    uint64_t flops = 0, length = fastfood_length((size_t)op->out), period = fastfood_length((size_t)op->in);
    for (uint64_t n = 1; n < length; n *= 2)
        flops += length;
    for (uint64_t n = 1; n < period; n *= 2)
        flops += period;
    return flops + (op->kind == OP_FASTFOOD ? length + 2 * (uint64_t)op->out : 2 * length + 3 * (uint64_t)op->in);
}

/* low_rank's products, orthonormal rows and eigenvectors; what they make of b and a; rest. */
static uint64_t factor_flops(const struct op *op)
{
    uint64_t o = (uint64_t)op->out, c = (uint64_t)op->in, r = (uint64_t)op->width;
    uint64_t m = low_rank_probes((size_t)o, (size_t)c, (size_t)r), sweeps = LOW_RANK_SWEEPS;
    uint64_t products = LOW_RANK_PRODUCTS * 2 * m * c * o + 2 * m * m * c;
    uint64_t orthonormal = 4 * m * m * (3 * o + 2 * c), eigen = 9 * sweeps * m * m * m;
    return products + orthonormal + eigen + 2 * m * r * (o + c) + 2 * o * c * (r + 1);
}

/* Ops on the tokens of an iteration. A rotation turns with 6, a gate adds a product; sampling scales, takes e^x, sums,
 * divides and searches. Rows of prompts alone: those of the iteration. */
static uint64_t token_flops(const struct op *op)
{
    uint64_t width = (uint64_t)op->head_width, heads = (uint64_t)op->heads;
    uint64_t rows = (uint64_t)(op->batch ? batch_rows(op->batch, op->tokens) : op->rows);
    switch (op->kind) {
    case OP_EMBED_TOKENS:
        return rows * (uint64_t)op->in;
    case OP_RMS_NORM:
        return rows * (uint64_t)op->in * 5;
    case OP_ROTATE:
        return rows * (heads + (uint64_t)op->kv_heads) * width * 3;
    case OP_GATE:
        return rows * (uint64_t)op->out * (1 + act_flops(op->act));
    case OP_KV_ATTENTION:
    case OP_PROMPT_ATTENTION:
        return batch_pairs(op) * heads * (4 * width + FLOPS_SOFTMAX);
    case OP_KV_COMBINE:
        return rows * heads * width * 3 * (uint64_t)op->shards;
    case OP_SAMPLE:
        return rows * (uint64_t)op->out * FLOPS_SOFTMAX;
    default:
        return 0;
    }
}

uint64_t op_flops(const struct op *op)
{
    switch (op->kind) {
    case OP_EMBED_TOKENS:
    case OP_RMS_NORM:
    case OP_ROTATE:
    case OP_GATE:
    case OP_KV_ATTENTION:
    case OP_PROMPT_ATTENTION:
    case OP_KV_COMBINE:
    case OP_SAMPLE:
        return token_flops(op);
    case OP_LINEAR:
    case OP_LINEAR_DX:
    case OP_LINEAR_DW:
        return linear_flops(op);
    case OP_FACTOR:
        return factor_flops(op);
    case OP_ACT_BWD:
        return (uint64_t)(op->rows * op->out) * (act_is_gelu(op->act) ? FLOPS_GELU_BWD : 1u);
    case OP_ATTENTION:
    case OP_ATTENTION_BWD:
        return attention_flops(op);
    case OP_NORM:
    case OP_NORM_BWD:
        return norm_flops(op);
    case OP_ADD:
        return (uint64_t)op->rows;
    case OP_ADD_POS:
        return (uint64_t)(op->rows * op->in);
    case OP_ADD_EMBED:
        return (uint64_t)(op->rows * op->in) * 3;
    case OP_ADD_EMBED_BWD:
        return (uint64_t)(op->rows * op->in) * 2;
    case OP_ADD_LAST:
        return (uint64_t)(op->samples * op->out);
    case OP_ACTIVATION:
        return (uint64_t)(op->rows * op->out) * act_flops(op->act);
    case OP_DROPOUT:
    case OP_PART:
        return (uint64_t)(op->rows * op->in);
    case OP_ADD_PART:
        return (uint64_t)(op->rows * op->in) * 2;
    case OP_LOSS:
        return (uint64_t)(op->samples * op->out) * 4;
    case OP_FASTFOOD:
    case OP_FASTFOOD_BWD:
        return fastfood_flops(op);
    case OP_SQUARE_SUM:
        return (uint64_t)op->rows * 2;
    case OP_UPDATE:
        return update_flops(op);
    default:
        return 0;
    }
}
