#include <math.h>
#include <string.h>

#include "kernel/dims.h"
#include "kernel/ops.h"

/* Where the heads of one sample start in q, k, v and in the output, and how far apart their rows and the
 * probabilities of a row are. */
struct place {
    size_t query, key, value, output, probability, row, output_row, share_step;
};

static struct place place_of(const struct op *op, size_t b, size_t h)
{
    size_t n = (size_t)op->n_query, m = (size_t)op->n_key, d = (size_t)op->head_width;
    size_t row = qkv_stride(op), output_row = heads_stride(op);
    size_t query = token_row(op, b, n), key = token_row(op, b, m), step = token_step(op);
    struct place at = {.query = query * row + h * d,
                       .key = key * row + h * d + (op->packed ? output_row : 0),
                       .value = key * row + h * d + (op->packed ? 2 * output_row : 0),
                       .output = query * output_row + h * d,
                       .probability = share_offset(op, b, h),
                       .row = row * step,
                       .output_row = output_row * step,
                       .share_step = step};
    return at;
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_scaled(double *to, double factor, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += factor * from[i];
}

/* The first `seen` of the n elements of a row; the others become 0. Elements are `step` apart. */
static void softmax(double *row, size_t n, size_t seen, size_t step)
{
    double largest = row[0], sum = 0;
    for (size_t j = 1; j < seen; j++)
        largest = fmax(largest, row[j * step]);
    for (size_t j = 0; j < seen; j++)
        sum += row[j * step] = exp(row[j * step] - largest);
    for (size_t j = 0; j < n; j++)
        row[j * step] = j < seen ? row[j * step] / sum : 0;
}

size_t double_scratch_bytes(const struct op *op)
{
    return op->kind == OP_ATTENTION_BWD ? (size_t)op->n_key * sizeof(double) : 0;
}

KERNEL_F64(attention_f64)
{
    (void)context;
    size_t n = (size_t)op->n_query, m = (size_t)op->n_key, d = (size_t)op->head_width, heads = (size_t)op->heads;
    const double *q = in[0], *k = op->packed ? q : in[1], *v = op->packed ? q : in[2];
    for (size_t head = 0; head < (size_t)op->samples * heads; head++) {
        struct place at = place_of(op, head / heads, head % heads);
        for (size_t i = 0; i < n; i++) {
            double *p = out[1] + at.probability + i * m * at.share_step, *o = out[0] + at.output + i * at.output_row;
            size_t seen = keys_seen(op, i);
            for (size_t j = 0; j < seen; j++)
                p[j * at.share_step] =
                    key_is_near(op, i, j) ? dot(q + at.query + i * at.row, k + at.key + j * at.row, d) / sqrt((double)d)
                                          : -INFINITY;
            softmax(p, m, seen, at.share_step);
            memset(o, 0, d * sizeof *o);
            for (size_t j = 0; j < seen; j++)
                add_scaled(o, p[j * at.share_step], v + at.value + j * at.row, d);
        }
    }
}

KERNEL_F64(attention_bwd_f64)
{
    size_t n = (size_t)op->n_query, m = (size_t)op->n_key, d = (size_t)op->head_width, heads = (size_t)op->heads;
    const double *grad = in[0], *q = in[1], *k = op->packed ? q : in[2], *v = op->packed ? q : in[3];
    double *dq = out[0], *dk = op->packed ? dq : out[1], *dv = op->packed ? dq : out[2], *dp = context->scratch;
    memset(dq, 0, (size_t)op->samples * n * qkv_stride(op) * sizeof *dq);
    if (!op->packed) {
        memset(dk, 0, (size_t)op->samples * m * qkv_stride(op) * sizeof *dk);
        memset(dv, 0, (size_t)op->samples * m * qkv_stride(op) * sizeof *dv);
    }
    for (size_t head = 0; head < (size_t)op->samples * heads; head++) {
        struct place at = place_of(op, head / heads, head % heads);
        for (size_t i = 0; i < n; i++) {
            const double *p = in[4] + at.probability + i * m * at.share_step, *g = grad + at.output + i * at.output_row;
            for (size_t j = 0; j < m; j++)
                dp[j] = dot(g, v + at.value + j * at.row, d);
            double mean = 0;
            for (size_t j = 0; j < m; j++)
                mean += p[j * at.share_step] * dp[j];
            for (size_t j = 0; j < m; j++) {
                double ds = p[j * at.share_step] * (dp[j] - mean) / sqrt((double)d);
                add_scaled(dv + at.value + j * at.row, p[j * at.share_step], g, d);
                add_scaled(dq + at.query + i * at.row, ds, k + at.key + j * at.row, d);
                add_scaled(dk + at.key + j * at.row, ds, q + at.query + i * at.row, d);
            }
        }
    }
}
