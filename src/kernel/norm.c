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

/* Elements `at` .. of a row of n; rows of whole sixteens (`whole`, known when compiled) ask nothing. */
KERNEL_INLINE vn load(const float *row, size_t at, size_t n, const int whole)
{
    return whole ? vn_load(row + at) : vn_load_row(row, at, n);
}

KERNEL_INLINE void store(float *row, size_t at, size_t n, const int whole, vn x)
{
    if (whole)
        vn_store(row + at, x);
    else
        vn_store_row(row, at, n, x);
}

/* u of the elements from `at` on after dropout. The words are readable beyond the last element. */
KERNEL_INLINE vn dropped(const struct rows *rows, size_t at, vn u)
{
    if (!rows->words)
        return u;
    vnu word, last = (vnu)vn_set(0) + rows->last_dropped;
    memcpy(&word, rows->words + at, sizeof word);
    return vn_select(word <= last, vn_set(0), u * vn_set(rows->scale));
}

/* s = x + u after dropout, row `row` in units of elements; returns the sixteen sums of s. Without u or s: of x. */
KERNEL_INLINE struct v16 add_row(const struct rows *rows, size_t row, const int whole, const float *x, const float *u,
                                 float *s)
{
    struct v16 sum = v16_set(0);
    for (size_t c = 0; c < rows->n; c += LANES)
        for (int i = 0; i < V16_PARTS; i++) {
            const size_t at = c + (size_t)i * VN_FLOATS;
            vn value = load(x + row, at, rows->n, whole);
            if (u && s) {
                value += dropped(rows, row + at, load(u + row, at, rows->n, whole));
                store(s + row, at, rows->n, whole, value);
            }
            sum.part[i] += value;
        }
    return sum;
}

/* Mean and 1 / sd of a row in two passes: a large mean does not eat the variance. */
KERNEL_INLINE void row_stats(const float *row, size_t n, const int whole, float eps, const struct v16 *sum,
                             float *stats)
{
    const float mean = v16_sum(sum) / (float)n;
    struct v16 squares = v16_set(0);
    for (size_t c = 0; c < n; c += LANES)
        for (int i = 0; i < V16_PARTS; i++) {
            const size_t at = c + (size_t)i * VN_FLOATS;
            vn off = load(row, at, n, whole) - vn_set(mean);
            if (!whole)
                off = vn_first(off, at < n ? n - at : 0);
            squares.part[i] += off * off;
        }
    stats[0] = mean;
    stats[1] = 1 / __builtin_sqrtf(v16_sum(&squares) / (float)n + eps);
}

KERNEL_INLINE void norm_rows(const struct rows *rows, const int whole, const float *x, const float *u,
                             const float *gamma, const float *beta, float *y, float *s, float *stats)
{
    const size_t n = rows->n;
    for (size_t t = 0; t < rows->n_rows; t++) {
        const size_t row = t * n;
        struct v16 sum = add_row(rows, row, whole, x, u, s);
        const float *from = u && s ? s + row : x + row;
        row_stats(from, n, whole, rows->eps, &sum, stats + 2 * t);
        vn mean = vn_set(stats[2 * t]), inverse_sd = vn_set(stats[2 * t + 1]);
        for (size_t c = 0; c < n; c += VN_FLOATS) {
            vn unit = (load(from, c, n, whole) - mean) * inverse_sd;
            store(y + row, c, n, whole, unit * load(gamma, c, n, whole) + load(beta, c, n, whole));
        }
    }
}

KERNEL_CLONES
static void norm_any(const struct rows *rows, const float *x, const float *u, const float *gamma, const float *beta,
                     float *y, float *s, float *stats)
{
    if (rows->n % LANES == 0)
        norm_rows(rows, 1, x, u, gamma, beta, y, s, stats);
    else
        norm_rows(rows, 0, x, u, gamma, beta, y, s, stats);
}

/* First look at a row: the sums of g = dy gamma and of g unit, unit = (s - mean) / sd; dgamma += dy unit, dbeta += dy
 * where there are such. */
KERNEL_INLINE void row_sums(size_t n, const int whole, const float *dy, const float *s, const float *stats,
                            const float *gamma, float *dgamma, float *dbeta, float sums[2])
{
    const vn mean = vn_set(stats[0]), inverse_sd = vn_set(stats[1]);
    struct v16 sum = v16_set(0), sum_unit = v16_set(0);
    for (size_t c = 0; c < n; c += LANES)
        for (int i = 0; i < V16_PARTS; i++) {
            const size_t at = c + (size_t)i * VN_FLOATS;
            vn y = load(dy, at, n, whole), g = y * load(gamma, at, n, whole);
            vn unit = (load(s, at, n, whole) - mean) * inverse_sd;
            sum.part[i] += g;
            sum_unit.part[i] += g * unit;
            if (dgamma)
                store(dgamma, at, n, whole, load(dgamma, at, n, whole) + y * unit);
            if (dbeta)
                store(dbeta, at, n, whole, load(dbeta, at, n, whole) + y);
        }
    sums[0] = v16_sum(&sum);
    sums[1] = v16_sum(&sum_unit);
}

/* ds = (g - mean(g) - unit mean(g unit)) / sd, row by row. */
KERNEL_INLINE void norm_bwd_rows(const struct rows *rows, const int whole, const float *dy, const float *s,
                                 const float *stats, const float *gamma, float *ds, float *du, float *dgamma,
                                 float *dbeta)
{
    const size_t n = rows->n;
    const float share = 1 / (float)n;
    for (size_t t = 0; t < rows->n_rows; t++) {
        const size_t row = t * n;
        float sums[2];
        row_sums(n, whole, dy + row, s + row, stats + 2 * t, gamma, dgamma, dbeta, sums);
        vn mean = vn_set(stats[2 * t]), inverse_sd = vn_set(stats[2 * t + 1]);
        vn mean_g = vn_set(sums[0] * share), mean_g_unit = vn_set(sums[1] * share);
        for (size_t c = 0; c < n; c += VN_FLOATS) {
            vn g = load(dy + row, c, n, whole) * load(gamma, c, n, whole);
            vn unit = (load(s + row, c, n, whole) - mean) * inverse_sd;
            vn fresh = (g - mean_g - unit * mean_g_unit) * inverse_sd;
            if (du)
                store(du + row, c, n, whole, dropped(rows, row + c, fresh));
            if (rows->accumulate)
                fresh += load(ds + row, c, n, whole);
            store(ds + row, c, n, whole, fresh);
        }
    }
}

KERNEL_CLONES
static void norm_bwd_any(const struct rows *rows, const float *dy, const float *s, const float *stats,
                         const float *gamma, float *ds, float *du, float *dgamma, float *dbeta)
{
    if (rows->n % LANES == 0)
        norm_bwd_rows(rows, 1, dy, s, stats, gamma, ds, du, dgamma, dbeta);
    else
        norm_bwd_rows(rows, 0, dy, s, stats, gamma, ds, du, dgamma, dbeta);
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
        norm_any(&rows, in[0] + at, in[1] ? in[1] + at : NULL, in[2], in[3], out[0] + at, out[1] ? out[1] + at : NULL,
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
        norm_bwd_any(&rows, dy, s, stats, in[3], out[0] + at, du ? du + at : NULL, dgamma, dbeta);
    }
}
