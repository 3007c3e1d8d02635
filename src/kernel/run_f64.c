#include <math.h>
#include <string.h>

#include "base/status.h"
#include "kernel/dims.h"
#include "kernel/gemm.h"
#include "kernel/ops.h"
#include "kernel/optimiser.h"

/* Written to be compared with the formulas of op.h line by line; only the three products are left to BLAS. */

static double gelu(double x)
{
    return 0.5 * x * (1 + erf(x * M_SQRT1_2));
}

/* tanh(sqrt(2/pi) (x + 0.044715 x^3)) */
static double gelu_tanh(double x)
{
    return tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x));
}

static double gelu_slope(enum activation act, double x)
{
    double t = gelu_tanh(x);
    if (act == ACT_GELU_TANH)
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * M_2_SQRTPI * M_SQRT1_2 * (1 + 3 * 0.044715 * x * x);
    return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * exp(-0.5 * x * x) * 0.5 * M_2_SQRTPI * M_SQRT1_2;
}

static double relu(double x)
{
    return x <= 0 ? 0 : x; /* not a number stays */
}

static double activation(enum activation act, double x)
{
    switch (act) {
    case ACT_RELU:
        return relu(x);
    case ACT_GELU:
        return gelu(x);
    case ACT_GELU_TANH:
        return 0.5 * x * (1 + gelu_tanh(x));
    default:
        return x;
    }
}

KERNEL_F64(linear_f64)
{
    (void)context;
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    double *kept = act_is_gelu(op->act) && out[1] ? out[1] : out[0];
    gemm_f64(GEMM_B_TRANSPOSED, t, o, c, in[0], in[1], 0, kept);
    for (size_t i = 0; i < t * o; i++) {
        double z = kept[i] + (in[2] ? in[2][i % o] : 0);
        kept[i] = z;
        out[0][i] = activation(op->act, z);
    }
}

KERNEL_F64(linear_dx_f64)
{
    (void)context;
    gemm_f64(GEMM_PLAIN, (size_t)op->rows, (size_t)op->in, (size_t)op->out, in[0], in[1], op->accumulate, out[0]);
}

KERNEL_F64(linear_dw_f64)
{
    (void)context;
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    gemm_f64(GEMM_A_TRANSPOSED, o, c, t, in[0], in[1], 0, out[0]);
    if (!out[1])
        return;
    memset(out[1], 0, o * sizeof *out[1]);
    for (size_t i = 0; i < t * o; i++)
        out[1][i % o] += in[0][i];
}

KERNEL_F64(act_bwd_f64)
{
    (void)context;
    size_t n = (size_t)(op->rows * op->out);
    if (!act_is_gelu(op->act) && op->act != ACT_RELU)
        bug("activation bwd of activation %d", (int)op->act);
    for (size_t i = 0; i < n; i++)
        out[0][i] = op->act == ACT_RELU ? (in[1][i] > 0 ? in[0][i] : 0) : in[0][i] * gelu_slope(op->act, in[1][i]);
}

KERNEL_F64(activation_f64)
{
    (void)context;
    if (!act_is_gelu(op->act) && op->act != ACT_RELU)
        bug("activation %d", (int)op->act);
    for (size_t i = 0; i < (size_t)(op->rows * op->out); i++)
        out[0][i] = activation(op->act, in[0][i]);
}

KERNEL_F64(add_f64)
{
    (void)context;
    for (size_t i = 0; i < add_elements(op); i++)
        out[0][i] = in[0][i] + in[1][i];
}

KERNEL_F64(add_pos_f64)
{
    (void)context;
    size_t n = sample_elements(op);
    for (size_t i = 0; i < (size_t)op->samples * n; i++)
        out[0][i] = in[0][i] + in[1][i % n];
}

KERNEL_F64(concat_f64)
{
    (void)context;
    size_t c = (size_t)op->in, o = (size_t)op->out;
    for (size_t t = 0; t < (size_t)op->rows; t++) {
        for (size_t i = 0; i < c + o; i++)
            out[0][t * (c + o) + i] = i < c ? (in[0] ? in[0][t * c + i] : 0) : in[1] ? in[1][t * o + i - c] : 0;
    }
}

KERNEL_F64(split_f64)
{
    (void)context;
    size_t c = (size_t)op->in, o = (size_t)op->out;
    for (size_t t = 0; t < (size_t)op->rows; t++) {
        if (out[0])
            memcpy(out[0] + t * c, in[0] + t * (c + o), c * sizeof(double));
        if (out[1])
            memcpy(out[1] + t * o, in[0] + t * (c + o) + c, o * sizeof(double));
    }
}

KERNEL_F64(add_last_f64)
{
    (void)context;
    size_t n = (size_t)op->out, count = (size_t)op->last_count;
    for (size_t b = 0; b < (size_t)op->samples; b++) {
        const double *last = in[1] + b * sample_elements(op) + (size_t)op->last_offset;
        for (size_t i = 0; i < n; i++)
            out[0][b * n + i] = in[0][b * n + i] + last[i % count * (size_t)op->last_stride];
    }
}

/* The loss of one residual, its derivative into *slope. */
static double loss_of(const struct op *op, double r, double *slope)
{
    double a = fabs(r), sign = r > 0 ? 1 : r < 0 ? -1 : r, delta = op->huber_delta;
    switch (op->loss) {
    case LOSS_MSE:
        *slope = 2 * r;
        return r * r;
    case LOSS_MAE:
        *slope = sign;
        return a;
    case LOSS_HUBER:
        *slope = a > delta ? delta * sign : r;
        return a > delta ? delta * (a - 0.5 * delta) : 0.5 * r * r;
    }
    bug("loss %d does not exist", (int)op->loss);
}

KERNEL_F64(loss_f64)
{
    (void)context;
    double sum = 0, count = 0;
    for (size_t i = 0; i < (size_t)(op->samples * op->out); i++) {
        double slope = 0;
        if (!in[2] || in[2][i] != 0) {
            sum += loss_of(op, in[0][i] - in[1][i], &slope);
            count++;
        }
        if (out[1])
            out[1][i] = slope;
    }
    out[0][0] = sum;
    out[0][1] = count;
}

KERNEL_F64(square_sum_f64)
{
    (void)context;
    double sum = 0;
    for (size_t i = 0; i < (size_t)op->rows; i++)
        sum += in[0][i] * in[0][i];
    out[0][0] = sum;
}

KERNEL_F64(update_f64)
{
    double square_sum = op->clip_norm > 0 ? in[2][0] : 0;
    const struct optimiser_step step = optimiser_step_of(op, context, in[1][1], square_sum);
    double *p = out[0], *m = out[1], *v = out[2];
    for (size_t i = 0; i < (size_t)op->rows; i++) {
        double g = in[0][i] * step.factor + step.l2 * p[i];
        if (op->optimiser == OPTIMISER_SGD) {
            p[i] -= step.rate * g;
            continue;
        }
        p[i] *= step.keep;
        m[i] = step.beta1 * m[i] + (1 - step.beta1) * g;
        v[i] = step.beta2 * v[i] + (1 - step.beta2) * g * g;
        p[i] -= step.rate * m[i] / (sqrt(v[i]) * step.root + step.eps);
    }
}

void kernel_run_f64(const struct op *op, const struct kernel_context *context, const double *const in[OP_MAX_IN],
                    double *const out[OP_MAX_OUT])
{
    static KERNEL_F64((*const run[N_OP_KINDS])) = {
        [OP_LINEAR] = linear_f64,
        [OP_LINEAR_DX] = linear_dx_f64,
        [OP_LINEAR_DW] = linear_dw_f64,
        [OP_ACT_BWD] = act_bwd_f64,
        [OP_ATTENTION] = attention_f64,
        [OP_ATTENTION_BWD] = attention_bwd_f64,
        [OP_NORM] = norm_f64,
        [OP_NORM_BWD] = norm_bwd_f64,
        [OP_ADD] = add_f64,
        [OP_ADD_POS] = add_pos_f64,
        [OP_CONCAT] = concat_f64,
        [OP_SPLIT] = split_f64,
        [OP_ADD_LAST] = add_last_f64,
        [OP_LOSS] = loss_f64,
        [OP_FACTOR] = factor_f64,
        [OP_SQUARE_SUM] = square_sum_f64,
        [OP_UPDATE] = update_f64,
        [OP_FASTFOOD] = fastfood_op_f64,
        [OP_FASTFOOD_BWD] = fastfood_bwd_f64,
        [OP_ACTIVATION] = activation_f64,
        [OP_DROPOUT] = dropout_f64,
        [OP_ADD_PART] = add_part_f64,
        [OP_PART] = part_f64,
        [OP_SPLIT_HEADS] = split_heads_f64,
        [OP_JOIN_HEADS] = join_heads_f64,
        [OP_ADD_EMBED] = add_embed_f64,
        [OP_ADD_EMBED_BWD] = add_embed_bwd_f64,
        [OP_PERMUTE] = permute_f64,
        [OP_EMBED_TOKENS] = embed_tokens_f64,
        [OP_RMS_NORM] = rms_norm_f64,
        [OP_ROTATE] = rotate_f64,
        [OP_GATE] = gate_f64,
        [OP_KV_APPEND] = kv_append_f64,
        [OP_KV_FETCH] = kv_fetch_f64,
        [OP_KV_ATTENTION] = kv_attention_f64,
        [OP_KV_COMBINE] = kv_combine_f64,
        [OP_PROMPT_ATTENTION] = prompt_attention_f64,
        [OP_MERGE_ROWS] = merge_rows_f64,
        [OP_TAKE_ROWS] = take_rows_f64,
        [OP_SAMPLE] = sample_f64,
    };
    if ((unsigned)op->kind >= N_OP_KINDS || !run[op->kind])
        bug("op %d is not arithmetic", (int)op->kind);
    if (context->format != FORMAT_FP64)
        bug("the double kernels do not compute in number format %d", (int)context->format);
    run[op->kind](op, context, in, out);
}
