#include "kernel/optimiser.h"

#include <math.h>

#include "base/status.h"
#include "kernel/ops.h"
#include "kernel/simd.h"

struct optimiser_step optimiser_step_of(const struct op *op, const struct kernel_context *context, double count,
                                        double square_sum)
{
    double share = 1 / fmax(count, 1), lr = context->learning_rate;
    struct optimiser_step step = {.factor = share, .rate = lr, .keep = 1, .root = 1};
    if (op->clip_norm > 0) {
        /* PyTorch's rule: the small term in the denominator is part of it. */
        double coefficient = op->clip_norm / (sqrt(square_sum) * share + 1e-6);
        step.factor *= coefficient < 1 ? coefficient : 1;
    }
    if (op->optimiser == OPTIMISER_SGD) {
        step.l2 = op->weight_decay;
        return step;
    }
    if (context->step <= context->state_since)
        bug("optimiser steps count from 1");
    double updates = context->step - context->state_since;
    step.beta1 = op->beta1;
    step.beta2 = op->beta2;
    step.eps = op->optimiser_eps;
    step.rate = lr / (1 - pow(op->beta1, updates));
    step.root = 1 / sqrt(1 - pow(op->beta2, updates));
    if (op->optimiser == OPTIMISER_ADAMW)
        step.keep = 1 - lr * op->weight_decay;
    else
        step.l2 = op->weight_decay;
    return step;
}

/* Sums of squares in doubles: a float would lose small gradients behind large ones, and could overflow on the way. */
KERNEL_CLONES
static double squares(size_t n, const float *g)
{
    double sum[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            sum[l] += (double)g[i + (size_t)l] * (double)g[i + (size_t)l];
    for (; i < n; i++)
        sum[i % LANES] += (double)g[i] * (double)g[i];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            sum[l] += sum[l + half];
    return sum[0];
}

KERNEL_F32(square_sum_f32)
{
    (void)context;
    out[0][0] = (float)squares((size_t)op->rows, in[0]);
}

KERNEL_CLONES
static void sgd(const struct optimiser_step *step, size_t n, const float *restrict g, float *restrict p)
{
    const float factor = (float)step->factor, rate = (float)step->rate, l2 = (float)step->l2;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        p[i] -= rate * (g[i] * factor + l2 * p[i]);
}

KERNEL_CLONES
static void adam(const struct optimiser_step *step, size_t n, const float *restrict g, float *restrict p,
                 float *restrict m, float *restrict v)
{
    const float factor = (float)step->factor, rate = (float)step->rate, keep = (float)step->keep, l2 = (float)step->l2;
    const float beta1 = (float)step->beta1, beta2 = (float)step->beta2, root = (float)step->root;
    const float rest1 = (float)(1 - step->beta1), rest2 = (float)(1 - step->beta2), eps = (float)step->eps;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] * factor + l2 * p[i];
        float first = beta1 * m[i] + rest1 * gradient, second = beta2 * v[i] + rest2 * gradient * gradient;
        m[i] = first;
        v[i] = second;
        p[i] = p[i] * keep - rate * first / (__builtin_sqrtf(second) * root + eps);
    }
}

KERNEL_F32(update_f32)
{
    double square_sum = op->clip_norm > 0 ? (double)in[2][0] : 0;
    struct optimiser_step step = optimiser_step_of(op, context, (double)in[1][1], square_sum);
    if (op->optimiser == OPTIMISER_SGD)
        sgd(&step, (size_t)op->rows, in[0], out[0]);
    else
        adam(&step, (size_t)op->rows, in[0], out[0], out[1], out[2]);
}
