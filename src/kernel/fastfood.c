#include "kernel/fastfood.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/status.h"
#include "kernel/ops.h"
#include "kernel/simd.h"
#include "kernel/walsh.h"

/* Streams of a key. */
enum { STREAM_GAUSS, STREAM_ORDER, STREAM_SIGNS };

enum { MOST_LENGTH_LOG2 = 31, WORD_BITS = 32, BLOCK_BITS = 128 };

static const uint32_t sign_bit = UINT32_C(1) << 31;

static size_t power_of_two(size_t n)
{
    size_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

size_t fastfood_length(size_t elements)
{
    if (elements < 1 || elements > (size_t)1 << MOST_LENGTH_LOG2)
        bug("a projection to %zu elements", elements);
    return power_of_two(elements);
}

size_t fastfood_table_elements(size_t elements)
{
    return 2 * fastfood_length(elements);
}

/* The float set: M sums in double; the double set: the vector between its two transforms. */
size_t fastfood_scratch_bytes(size_t dim, size_t elements, size_t element_bytes)
{
    size_t n = element_bytes == sizeof(float) ? power_of_two(dim) : fastfood_length(elements);
    return n * sizeof(double);
}

static uint32_t *words_of(void *table, size_t length, size_t element_bytes)
{
    return (uint32_t *)((char *)table + length * element_bytes);
}

static void scale_gauss(void *table, size_t length, size_t elements, double squares, size_t element_bytes)
{
    double scale =
        1 / (sqrt((double)length * squares) * sqrt((double)elements / (double)length)); /* what keeps lengths */
    for (size_t i = 0; i < length; i++)
        if (element_bytes == sizeof(float))
            ((float *)table)[i] = (float)(scale * (double)((float *)table)[i]);
        else
            ((double *)table)[i] *= scale;
}

static void put(void *table, size_t i, double value, size_t element_bytes)
{
    if (element_bytes == sizeof(float))
        ((float *)table)[i] = (float)value;
    else
        ((double *)table)[i] = value;
}

/* Row one, not scaled yet; returns the sum of squares. */
static double draw_gauss(uint64_t seed, uint32_t place, size_t length, size_t element_bytes, void *table)
{
    struct rng_key key = rng_key(seed, RNG_FASTFOOD, place);
    double squares = 0;
    for (size_t i = 0; i < length; i += 2) {
        double pair[2];
        rng_normal_pair(key, STREAM_GAUSS, i / 2, pair);
        for (size_t k = 0; k < 2 && i + k < length; k++) {
            put(table, i + k, pair[k], element_bytes);
            squares += pair[k] * pair[k];
        }
    }
    return squares;
}

static void draw_signs(uint64_t seed, uint32_t place, size_t length, uint32_t *words)
{
    struct rng_key key = rng_key(seed, RNG_FASTFOOD, place);
    uint32_t bits[4] = {0};
    for (size_t i = 0; i < length; i++) {
        size_t bit = i % BLOCK_BITS;
        if (bit == 0)
            rng_block(key, STREAM_SIGNS, i / BLOCK_BITS, bits);
        if (bits[bit / WORD_BITS] >> bit % WORD_BITS & 1)
            words[i] |= sign_bit;
    }
}

void fastfood_table(uint64_t seed, uint32_t place, size_t elements, size_t element_bytes, void *table)
{
    size_t length = fastfood_length(elements);
    uint32_t *words = words_of(table, length, element_bytes);
    double squares = draw_gauss(seed, place, length, element_bytes, table);
    scale_gauss(table, length, elements, squares, element_bytes);
    rng_permutation(rng_key(seed, RNG_FASTFOOD, place), STREAM_ORDER, (uint32_t)length, words);
    draw_signs(seed, place, length, words);
    if (element_bytes > sizeof *words)
        memset(words + length, 0, length * (element_bytes - sizeof *words));
}

void fastfood_table_of(const double *signs, const uint32_t *order, const double *gauss, size_t elements,
                       size_t element_bytes, void *table)
{
    size_t length = fastfood_length(elements);
    uint32_t *words = words_of(table, length, element_bytes);
    double squares = 0;
    memset(table, 0, 2 * length * element_bytes);
    for (size_t i = 0; i < length; i++) {
        if (order[i] >= length || words[order[i]] & sign_bit)
            bug("a projection's order is no permutation of 0 to %zu", length - 1);
        words[order[i]] |= sign_bit;
    }
    for (size_t i = 0; i < length; i++) {
        put(table, i, gauss[i], element_bytes);
        squares += gauss[i] * gauss[i];
        words[i] = order[i] | (signs[i] < 0 ? sign_bit : 0);
    }
    scale_gauss(table, length, elements, squares, element_bytes);
}

static void check_sizes(size_t dim, size_t elements)
{
    if (dim < 1 || dim > elements)
        bug("a projection from %zu to %zu dimensions", dim, elements);
}

/* The words of a table lie behind its factors. */
static const uint32_t *words_behind(const void *factors_end)
{
    return factors_end;
}

KERNEL_CLONES
static void spread(size_t length, const float *restrict gauss, const uint32_t *restrict words, uint32_t mask,
                   const float *restrict small, float *restrict work)
{
#pragma omp simd
    for (size_t i = 0; i < length; i++)
        work[i] = gauss[i] * small[words[i] & mask];
}

void fastfood_f32(size_t dim, size_t elements, const float *table, const float *x, float *work, void *scratch)
{
    check_sizes(dim, elements);
    const size_t length = fastfood_length(elements), period = power_of_two(dim);
    const uint32_t *words = words_behind(table + length), mask = (uint32_t)period - 1;
    float *small = scratch;
    for (size_t i = 0; i < dim; i++)
        small[i] = words[i] & sign_bit ? -x[i] : x[i];
    memset(small + dim, 0, (period - dim) * sizeof *small);
    walsh_f32(period, small);
    spread(length, table, words, mask, small, work);
    walsh_f32(length, work);
}

void fastfood_transposed_f32(size_t dim, size_t elements, const float *table, const float *g, float *x, float *work,
                             void *scratch)
{
    check_sizes(dim, elements);
    const size_t length = fastfood_length(elements), period = power_of_two(dim);
    const uint32_t *words = words_behind(table + length), mask = (uint32_t)period - 1;
    double *sums = scratch;
    memcpy(work, g, elements * sizeof *work);
    memset(work + elements, 0, (length - elements) * sizeof *work);
    walsh_f32(length, work);
    memset(sums, 0, period * sizeof *sums);
    for (size_t i = 0; i < length; i++)
        sums[words[i] & mask] += (double)(table[i] * work[i]);
    walsh_f64(period, sums);
    for (size_t i = 0; i < dim; i++)
        x[i] = (float)(words[i] & sign_bit ? -sums[i] : sums[i]);
}

void fastfood_f64(size_t dim, size_t elements, const double *table, const double *x, double *work, void *scratch)
{
    check_sizes(dim, elements);
    const size_t length = fastfood_length(elements);
    const uint32_t *words = words_behind(table + length);
    double *u = scratch;
    for (size_t i = 0; i < length; i++)
        u[i] = i >= dim ? 0 : words[i] & sign_bit ? -x[i] : x[i];
    walsh_f64(length, u);
    for (size_t i = 0; i < length; i++)
        work[i] = table[i] * u[words[i] & ~sign_bit];
    walsh_f64(length, work);
}

void fastfood_transposed_f64(size_t dim, size_t elements, const double *table, const double *g, double *x, double *work,
                             void *scratch)
{
    check_sizes(dim, elements);
    const size_t length = fastfood_length(elements);
    const uint32_t *words = words_behind(table + length);
    double *u = scratch;
    for (size_t i = 0; i < length; i++)
        work[i] = i < elements ? g[i] : 0;
    walsh_f64(length, work);
    for (size_t i = 0; i < length; i++)
        u[words[i] & ~sign_bit] = table[i] * work[i];
    walsh_f64(length, u);
    for (size_t i = 0; i < dim; i++)
        x[i] = words[i] & sign_bit ? -u[i] : u[i];
}

void dense_projection_f64(size_t dim, size_t elements, const double *p, const double *x, double *y)
{
    for (size_t i = 0; i < elements; i++) {
        y[i] = 0;
        for (size_t k = 0; k < dim; k++)
            y[i] += p[i * dim + k] * x[k];
    }
}

void dense_projection_transposed_f64(size_t dim, size_t elements, const double *p, const double *g, double *x)
{
    memset(x, 0, dim * sizeof *x);
    for (size_t i = 0; i < elements; i++)
        for (size_t k = 0; k < dim; k++)
            x[k] += p[i * dim + k] * g[i];
}

/* out = theta0 + lambda P theta_d; lambda absent: 1. */
KERNEL_CLONES
static void add_scaled(size_t n, const float *restrict theta0, float lambda, const float *restrict delta,
                       float *restrict theta)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        theta[i] = theta0[i] + lambda * delta[i];
}

KERNEL_F32(fastfood_op_f32)
{
    size_t dim = (size_t)op->in, elements = (size_t)op->out;
    fastfood_f32(dim, elements, in[3], in[0], out[1], context->scratch);
    add_scaled(elements, in[1], in[2] ? in[2][0] : 1, out[1], out[0]);
}

KERNEL_F64(fastfood_op_f64)
{
    size_t dim = (size_t)op->in, elements = (size_t)op->out;
    double lambda = in[2] ? in[2][0] : 1;
    fastfood_f64(dim, elements, in[3], in[0], out[1], context->scratch);
    for (size_t i = 0; i < elements; i++)
        out[0][i] = in[1][i] + lambda * out[1][i];
}

/* With g_P = P^T g: the gradient of theta_d is lambda g_P, that of lambda is <P theta_d, g> = <theta_d, g_P>. */
KERNEL_F32(fastfood_bwd_f32)
{
    size_t dim = (size_t)op->in;
    float lambda = in[2] ? in[2][0] : 1;
    fastfood_transposed_f32(dim, (size_t)op->out, in[3], in[0], out[0], out[2], context->scratch);
    double along = 0;
    for (size_t i = 0; i < dim; i++) {
        along += (double)in[1][i] * (double)out[0][i];
        out[0][i] *= lambda;
    }
    if (out[1])
        out[1][0] = (float)along;
}

KERNEL_F64(fastfood_bwd_f64)
{
    size_t dim = (size_t)op->in;
    double lambda = in[2] ? in[2][0] : 1, along = 0;
    fastfood_transposed_f64(dim, (size_t)op->out, in[3], in[0], out[0], out[2], context->scratch);
    for (size_t i = 0; i < dim; i++) {
        along += in[1][i] * out[0][i];
        out[0][i] *= lambda;
    }
    if (out[1])
        out[1][0] = along;
}
