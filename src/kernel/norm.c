#include <math.h>
#include <string.h>

#include "base/status.h"
#include "kernel/dropout.h"
#include "kernel/ops.h"
#include "kernel/simd.h"

/* Dropout words are made for about this many elements at a time. */
enum { CHUNK_ELEMENTS = 2048 };

/* What one pass over some rows needs. `words` are the dropout words of the first element, NULL without dropout. */
struct rows {
    size_t n_rows, n;
    const uint32_t *words;
    uint32_t last_dropped;
    float scale, eps;
    int accumulate;
};

static size_t chunk_rows(const struct op *op)
{
    size_t rows = CHUNK_ELEMENTS / (size_t)op->in;
    return rows > 0 ? rows : 1;
}

size_t norm_scratch_bytes(const struct op *op)
{
    return op->dropout > 0 ? (chunk_rows(op) * (size_t)op->in + DROPOUT_SLACK) * sizeof(uint32_t) : 0;
}

KERNEL_INLINE v16 load_some(const float *from, size_t n)
{
    return n >= LANES ? v16_load(from) : v16_load_part(from, n);
}

KERNEL_INLINE void store_some(float *to, v16 x, size_t n)
{
    if (n >= LANES)
        v16_store(to, x);
    else
        v16_store_part(to, x, n);
}

/* u of sixteen elements from `at` on after dropout. The words are readable beyond the last element. */
KERNEL_INLINE v16 dropped(const struct rows *rows, size_t at, v16 u)
{
    if (!rows->words)
        return u;
    v16u word;
    memcpy(&word, rows->words + at, sizeof word);
    v16i drop = word <= rows->last_dropped;
    return v16_select(drop, v16_set(0), u * v16_set(rows->scale));
}

/* Mean and 1 / sd of a row in two passes: a large mean does not eat the variance. */
KERNEL_INLINE void row_stats(const float *row, size_t n, float eps, v16 sum, float *stats)
{
    const float mean = v16_sum(sum) / (float)n;
    v16 squares = v16_set(0);
    for (size_t c = 0; c < n; c += LANES) {
        v16 off = v16_first(load_some(row + c, n - c) - v16_set(mean), n - c);
        squares += off * off;
    }
    stats[0] = mean;
    stats[1] = 1 / __builtin_sqrtf(v16_sum(squares) / (float)n + eps);
}

KERNEL_CLONES
static void norm_rows(const struct rows *rows, const float *x, const float *u, const float *gamma, const float *beta,
                      float *y, float *s, float *stats)
{
    const size_t n = rows->n;
    for (size_t t = 0; t < rows->n_rows; t++) {
        const size_t row = t * n;
        v16 sum = v16_set(0);
        for (size_t c = 0; c < n; c += LANES) {
            v16 value = load_some(x + row + c, n - c);
            if (u && s) {
                value += dropped(rows, row + c, load_some(u + row + c, n - c));
                store_some(s + row + c, value, n - c);
            }
            sum += value;
        }
        const float *from = u && s ? s + row : x + row;
        row_stats(from, n, rows->eps, sum, stats + 2 * t);
        v16 mean = v16_set(stats[2 * t]), inverse_sd = v16_set(stats[2 * t + 1]);
        for (size_t c = 0; c < n; c += LANES) {
            v16 unit = (load_some(from + c, n - c) - mean) * inverse_sd;
            store_some(y + row + c, unit * load_some(gamma + c, n - c) + load_some(beta + c, n - c), n - c);
        }
    }
}

/* First look at a row: the sums of g = dy gamma and of g unit, unit = (s - mean) / sd; dgamma += dy unit, dbeta += dy
 * where there are such. */
KERNEL_INLINE void row_sums(size_t n, const float *dy, const float *s, const float *stats, const float *gamma,
                            float *dgamma, float *dbeta, float sums[2])
{
    v16 sum = v16_set(0), sum_unit = v16_set(0);
    for (size_t c = 0; c < n; c += LANES) {
        v16 y = load_some(dy + c, n - c), g = y * load_some(gamma + c, n - c);
        v16 unit = (load_some(s + c, n - c) - v16_set(stats[0])) * v16_set(stats[1]);
        sum += g;
        sum_unit += g * unit;
        if (dgamma)
            store_some(dgamma + c, load_some(dgamma + c, n - c) + y * unit, n - c);
        if (dbeta)
            store_some(dbeta + c, load_some(dbeta + c, n - c) + y, n - c);
    }
    sums[0] = v16_sum(sum);
    sums[1] = v16_sum(sum_unit);
}

/* ds = (g - mean(g) - unit mean(g unit)) / sd, row by row. */
KERNEL_CLONES
static void norm_bwd_rows(const struct rows *rows, const float *dy, const float *s, const float *stats,
                          const float *gamma, float *ds, float *du, float *dgamma, float *dbeta)
{
    const size_t n = rows->n;
    const float share = 1 / (float)n;
    for (size_t t = 0; t < rows->n_rows; t++) {
        const size_t row = t * n;
        float sums[2];
        row_sums(n, dy + row, s + row, stats + 2 * t, gamma, dgamma, dbeta, sums);
        v16 mean = v16_set(stats[2 * t]), inverse_sd = v16_set(stats[2 * t + 1]);
        v16 mean_g = v16_set(sums[0] * share), mean_g_unit = v16_set(sums[1] * share);
        for (size_t c = 0; c < n; c += LANES) {
            v16 g = load_some(dy + row + c, n - c) * load_some(gamma + c, n - c);
            v16 unit = (load_some(s + row + c, n - c) - mean) * inverse_sd;
            v16 fresh = (g - mean_g - unit * mean_g_unit) * inverse_sd;
            if (du)
                store_some(du + row + c, dropped(rows, row + c, fresh), n - c);
            if (rows->accumulate)
                fresh += load_some(ds + row + c, n - c);
            store_some(ds + row + c, fresh, n - c);
        }
    }
}

/* The rows of one chunk, with their dropout words in scratch. */
static struct rows rows_of(const struct op *op, const struct kernel_context *context, const struct dropout *dropout,
                           size_t first)
{
    size_t left = (size_t)op->rows - first, rows = chunk_rows(op);
    struct rows chunk = {
        .n_rows = left < rows ? left : rows, .n = (size_t)op->in, .eps = (float)op->eps, .accumulate = op->accumulate};
    if (op->dropout > 0) {
        uint64_t element = (context->first_row + first) * chunk.n;
        chunk.words = dropout_words(dropout, element, chunk.n_rows * chunk.n, context->scratch);
        chunk.last_dropped = dropout->last_dropped;
        chunk.scale = (float)dropout->scale;
    }
    return chunk;
}

KERNEL_F32(norm_f32)
{
    struct dropout dropout = {.scale = 1};
    if (in[1] && !out[1])
        bug("norm of a sum without a place for it");
    if (op->dropout > 0)
        dropout = dropout_of(op, context);
    for (size_t t = 0; t < (size_t)op->rows; t += chunk_rows(op)) {
        struct rows rows = rows_of(op, context, &dropout, t);
        size_t at = t * rows.n;
        norm_rows(&rows, in[0] + at, in[1] ? in[1] + at : NULL, in[2], in[3], out[0] + at, out[1] ? out[1] + at : NULL,
                  out[2] + 2 * t);
    }
}

KERNEL_F32(norm_bwd_f32)
{
    struct dropout dropout = {.scale = 1};
    if (op->dropout > 0)
        dropout = dropout_of(op, context);
    float *du = op->dropout > 0 ? out[1] : NULL, *dgamma = out[2], *dbeta = out[3];
    if (dgamma)
        memset(dgamma, 0, (size_t)op->in * sizeof *dgamma);
    if (dbeta)
        memset(dbeta, 0, (size_t)op->in * sizeof *dbeta);
    for (size_t t = 0; t < (size_t)op->rows; t += chunk_rows(op)) {
        struct rows rows = rows_of(op, context, &dropout, t);
        size_t at = t * rows.n;
        const float *dy = in[0] + at, *s = in[1] + at, *stats = in[2] + 2 * t;
        norm_bwd_rows(&rows, dy, s, stats, in[3], out[0] + at, du ? du + at : NULL, dgamma, dbeta);
    }
}
