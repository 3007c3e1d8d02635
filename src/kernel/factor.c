/* factor.c - a matrix becomes a product of two thin ones and the rest of it. */
#include <math.h>
#include <string.h>

#include "kernel/lowrank.h"
#include "kernel/ops.h"

size_t factor_scratch_bytes(const struct op *op)
{
    size_t o = (size_t)op->out, c = (size_t)op->in, r = (size_t)op->width;
    return (o * c + o * r + r * c) * sizeof(double) + low_rank_scratch_bytes(o, c, r);
}

/* b and a in scratch, behind w, which is there already; each has its share of 1 / scale. */
static void find_factors(const struct op *op, const struct kernel_context *context, double **b, double **a)
{
    size_t o = (size_t)op->out, c = (size_t)op->in, r = (size_t)op->width;
    double *w = context->scratch, share = 1 / sqrt(op->scale);
    *b = w + o * c;
    *a = *b + o * r;
    low_rank(o, c, w, r, context->seed, op->site, *b, *a, *a + r * c);
    for (size_t i = 0; i < o * r; i++)
        (*b)[i] *= share;
    for (size_t i = 0; i < r * c; i++)
        (*a)[i] *= share;
}

KERNEL_F32(factor_f32)
{
    size_t o = (size_t)op->out, c = (size_t)op->in, r = (size_t)op->width;
    double *w = context->scratch, *b, *a;
    for (size_t i = 0; i < o * c; i++)
        w[i] = (double)in[0][i];
    find_factors(op, context, &b, &a);
    for (size_t i = 0; i < o * r; i++)
        out[1][i] = (float)b[i];
    for (size_t i = 0; i < r * c; i++)
        out[2][i] = (float)a[i];
    for (size_t i = 0; i < o; i++)
        for (size_t j = 0; j < c; j++) {
            double sum = 0;
            for (size_t k = 0; k < r; k++)
                sum += (double)out[1][i * r + k] * (double)out[2][k * c + j];
            out[0][i * c + j] = (float)(w[i * c + j] - op->scale * sum);
        }
}

KERNEL_F64(factor_f64)
{
    size_t o = (size_t)op->out, c = (size_t)op->in, r = (size_t)op->width;
    double *w = context->scratch, *b, *a;
    memcpy(w, in[0], o * c * sizeof *w);
    find_factors(op, context, &b, &a);
    memcpy(out[1], b, o * r * sizeof *b);
    memcpy(out[2], a, r * c * sizeof *a);
    for (size_t i = 0; i < o; i++)
        for (size_t j = 0; j < c; j++) {
            double sum = 0;
            for (size_t k = 0; k < r; k++)
                sum += b[i * r + k] * a[k * c + j];
            out[0][i * c + j] = w[i * c + j] - op->scale * sum;
        }
}
