#include <math.h>
#include <string.h>

#include "kernel/dropout.h"
#include "kernel/ops.h"
#include "kernel/simd.h"

/* Masks of one row, made again in the backward pass. */
size_t norm_scratch_bytes(const struct op *op)
{
    size_t words = op->dropout > 0 ? (size_t)op->in + 2 * DROPOUT_SLACK : 0;
    return words * sizeof(uint32_t) + 2 * lanes_up((size_t)op->in) * sizeof(float) + 64;
}

/* s = x + u, u dropped where the mask says so. */
KERNEL_INLINE void add_dropped(const float *x, const float *u, const uint32_t *words, const struct dropout *dropout, size_t n,
                               float *s)
{
    float scale = (float)dropout->scale;
    uint32_t last = dropout->last_dropped;
    for (size_t i = 0; i < n; i++)
        s[i] = x[i] + (words[i] > last ? u[i] * scale : 0);
}

KERNEL_INLINE float row_sum(const float *x, size_t n)
{
    v16 sums = v16_set(0);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        sums += v16_load(x + i);
    if (i < n)
        sums += v16_load_part(x + i, n - i);
    return v16_sum(sums);
}

KERNEL_INLINE float row_variance(const float *x, size_t n, float mean)
{
    v16 sums = v16_set(0), center = v16_set(mean);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        v16 d = v16_load(x + i) - center;
        sums += d * d;
    }
    float rest = 0;
    for (; i < n; i++)
        rest += (x[i] - mean) * (x[i] - mean);
    return (v16_sum(sums) + rest) / (float)n;
}

KERNEL_CLONES
static void norm_rows(const float *const in[OP_MAX_IN], float *const out[OP_MAX_OUT], size_t rows, size_t n, float eps,
                      const struct dropout *dropout, uint64_t first, uint32_t *words)
{
    for (size_t t = 0; t < rows; t++) {
        const float *s = in[0] + t * n;
        float *y = out[0] + t * n;
        if (in[1] && dropout)
            add_dropped(s, in[1] + t * n, dropout_words(dropout, first + t * n, n, words), dropout, n, out[1] + t * n);
        else if (in[1])
            for (size_t i = 0; i < n; i++)
                out[1][t * n + i] = s[i] + in[1][t * n + i];
        if (in[1])
            s = out[1] + t * n;
        float mean = row_sum(s, n) / (float)n, inverse = 1 / sqrtf(row_variance(s, n, mean) + eps);
        for (size_t i = 0; i < n; i++)
            y[i] = (s[i] - mean) * inverse * in[2][i] + in[3][i];
        out[2][2 * t] = mean;
        out[2][2 * t + 1] = inverse;
    }
}

KERNEL_F32(norm_f32)
{
    struct dropout dropout;
    int drops = in[1] && op->dropout > 0;
    if (drops)
        dropout = dropout_of(op, context);
    norm_rows(in, out, (size_t)op->rows, (size_t)op->in, (float)op->eps, drops ? &dropout : NULL,
              context->first_row * (uint64_t)op->in, context->scratch);
}

struct norm_bwd {
    const float *dy, *s, *stats, *gamma;
    float *ds, *du, *dgamma, *dbeta;
    size_t n;
    int accumulate;
};

KERNEL_INLINE void norm_bwd_row(const struct norm_bwd *op, size_t t, const uint32_t *words, const struct dropout *dropout)
{
    const size_t n = op->n;
    const float *dy = op->dy + t * n, *s = op->s + t * n, *gamma = op->gamma;
    float *ds = op->ds + t * n, mean = op->stats[2 * t], inverse = op->stats[2 * t + 1];
    v16 sum_g = v16_set(0), sum_gx = v16_set(0), m = v16_set(mean), r = v16_set(inverse);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        v16 x = (v16_load(s + i) - m) * r, d = v16_load(dy + i), g = d * v16_load(gamma + i);
        sum_g += g;
        sum_gx += g * x;
        v16_store(op->dgamma + i, v16_load(op->dgamma + i) + d * x);
        v16_store(op->dbeta + i, v16_load(op->dbeta + i) + d);
    }
    float total_g = v16_sum(sum_g), total_gx = v16_sum(sum_gx);
    for (; i < n; i++) {
        float x = (s[i] - mean) * inverse, g = dy[i] * gamma[i];
        total_g += g;
        total_gx += g * x;
        op->dgamma[i] += dy[i] * x;
        op->dbeta[i] += dy[i];
    }
    total_g /= (float)n;
    total_gx /= (float)n;
    for (i = 0; i < n; i++) {
        float x = (s[i] - mean) * inverse, d = inverse * (dy[i] * gamma[i] - total_g - x * total_gx);
        if (dropout)
            op->du[t * n + i] = words[i] > dropout->last_dropped ? d * (float)dropout->scale : 0;
        ds[i] = op->accumulate ? ds[i] + d : d;
    }
}

KERNEL_CLONES
static void norm_bwd_rows(const struct norm_bwd *op, size_t rows, const struct dropout *dropout, uint64_t first,
                          uint32_t *words)
{
    for (size_t t = 0; t < rows; t++)
        norm_bwd_row(op, t, dropout ? dropout_words(dropout, first + t * op->n, op->n, words) : NULL, dropout);
}

KERNEL_F32(norm_bwd_f32)
{
    size_t n = (size_t)op->in;
    float *spare = context->scratch;
    uint32_t *words = (uint32_t *)(void *)(spare + 2 * lanes_up(n));
    struct norm_bwd bwd = {in[0], in[1], in[2], in[3], out[0], out[1], out[2] ? out[2] : spare,
                           out[3] ? out[3] : spare + lanes_up(n), n, op->accumulate};
    struct dropout dropout;
    int drops = out[1] && op->dropout > 0;
    if (drops)
        dropout = dropout_of(op, context);
    memset(bwd.dgamma, 0, n * sizeof(float));
    memset(bwd.dbeta, 0, n * sizeof(float));
    norm_bwd_rows(&bwd, (size_t)op->rows, drops ? &dropout : NULL, context->first_row * (uint64_t)n, words);
}
