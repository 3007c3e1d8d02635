#include "kernel/int8.h"

#include <math.h>
#include <string.h>

#include "kernel/activation.h"
#include "kernel/simd.h"
#include "kernel/tile.h"

/* 1024 * 127^2 < 2^24: a float holds the sum. */
enum { EXACT_DEPTH = 1024, BLOCK_ROWS = 48, LARGEST = 127 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

KERNEL_CLONES
float int8_scale(size_t n, const float *x)
{
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        float magnitude = fabsf(x[i]);
        largest = magnitude <= largest ? largest : magnitude;
        if (largest != largest)
            break;
    }
    float scale = largest / LARGEST;
    return scale == 0 ? 1 : scale;
}

KERNEL_CLONES
void int8_quantise(size_t n, const float *x, float scale, float *q)
{
    for (size_t i = 0; i < n; i++)
        q[i] = rintf(x[i] / scale);
}

size_t int8_product_scratch_bytes(size_t columns)
{
    return BLOCK_ROWS * lanes_up(columns) * (sizeof(float) + sizeof(double));
}

static void multiply_rows(const struct int8_product *p, size_t first, size_t rows, double *sum, float *part)
{
    size_t wide = lanes_up(p->columns);
    struct tile_product tile = {.rows = rows,
                                .columns = p->columns,
                                .a_row = p->a_row,
                                .a_step = p->a_step,
                                .b_row = p->b_row,
                                .c = part,
                                .c_row = wide,
                                .padded = 1};
    memset(sum, 0, rows * wide * sizeof *sum);
    for (size_t k = 0; k < p->depth; k += EXACT_DEPTH) {
        tile.depth = smaller(p->depth - k, EXACT_DEPTH);
        tile.a = p->a + first * p->a_row + k * p->a_step;
        tile.b = p->b + k * p->b_row;
        tile_multiply(&tile);
        for (size_t i = 0; i < rows * wide; i++)
            sum[i] += (double)part[i];
    }
    for (size_t i = 0; i < rows; i++) {
        float *c = p->c + (first + i) * p->c_row;
        for (size_t j = 0; j < p->columns; j++) {
            float value = (float)(sum[i * wide + j] * p->scale);
            c[j] = value + (p->bias ? p->bias[j] : 0) + (p->accumulate ? c[j] : 0);
        }
    }
}

void int8_multiply(const struct int8_product *product, void *scratch)
{
    double *sum = scratch;
    float *part = (float *)(void *)(sum + BLOCK_ROWS * lanes_up(product->columns));
    for (size_t i = 0; i < product->rows; i += BLOCK_ROWS)
        multiply_rows(product, i, smaller(product->rows - i, BLOCK_ROWS), sum, part);
}

size_t int8_depth(const struct op *op)
{
    int64_t depth = 0;
    if (op->kind == OP_LINEAR)
        depth = op->in;
    if (op->kind == OP_LINEAR_DX)
        depth = op->out;
    if (op->kind == OP_LINEAR_DW)
        depth = op->rows;
    if (op->kind == OP_ATTENTION || op->kind == OP_ATTENTION_BWD) {
        depth = op->head_width > op->n_key ? op->head_width : op->n_key;
        if (op->kind == OP_ATTENTION_BWD && op->n_query > depth)
            depth = op->n_query;
    }
    return (size_t)depth;
}

/* Quantised copies of a product's operands: a as it lies, b in rows of whole vectors. */
struct operands {
    float *a, *b;
    void *rest;
    double scale;
};

static struct operands quantised(size_t n_a, const float *a, int b_transposed, size_t depth, size_t columns,
                                 const float *b, void *scratch)
{
    struct operands operands = {.a = scratch};
    operands.b = operands.a + lanes_up(n_a);
    operands.rest = operands.b + depth * lanes_up(columns);
    float scale_a = int8_scale(n_a, a), scale_b = int8_scale(depth * columns, b);
    int8_quantise(n_a, a, scale_a, operands.a);
    if (b_transposed)
        tile_transpose(columns, depth, b, depth, operands.b, lanes_up(columns));
    else
        tile_copy(columns, depth, b, columns, operands.b, lanes_up(columns));
    int8_quantise(depth * lanes_up(columns), operands.b, scale_b, operands.b);
    operands.scale = (double)scale_a * (double)scale_b;
    return operands;
}

static size_t scratch_bytes(size_t n_a, size_t depth, size_t columns)
{
    return (lanes_up(n_a) + depth * lanes_up(columns)) * sizeof(float) + int8_product_scratch_bytes(columns);
}

size_t linear_int8_scratch_bytes(const struct op *op)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    if (op->kind == OP_LINEAR)
        return scratch_bytes(t * c, c, o);
    if (op->kind == OP_LINEAR_DX)
        return scratch_bytes(t * o, o, c);
    return scratch_bytes(t * o, t, c);
}

KERNEL_F32(linear_int8)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    struct operands operands = quantised(t * c, in[0], 1, c, o, in[1], context->scratch);
    float *kept = act_is_gelu(op->act) && out[1] ? out[1] : out[0];
    struct int8_product product = {.rows = t,
                                   .columns = o,
                                   .depth = c,
                                   .a = operands.a,
                                   .a_row = c,
                                   .a_step = 1,
                                   .b = operands.b,
                                   .b_row = lanes_up(o),
                                   .scale = operands.scale,
                                   .bias = in[2],
                                   .c = kept,
                                   .c_row = o};
    int8_multiply(&product, operands.rest);
    if (op->act == ACT_GELU)
        gelu_f32(t * o, kept, out[0]);
    else if (op->act == ACT_GELU_TANH)
        gelu_tanh_f32(t * o, kept, out[0]);
    if (op->act == ACT_RELU)
        bias_f32(t, o, NULL, 1, kept);
}

size_t linear_w8a8_scratch_bytes(const struct op *op)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    return scratch_bytes(t * c, c, o) + (lanes_up(t) + lanes_up(o) + lanes_up(c * o)) * sizeof(float);
}

/* Rows of n values each on a grid of its own; scale[rows]. */
static void quantise_rows(size_t rows, size_t n, const float *x, float *q, float *scale)
{
    for (size_t i = 0; i < rows; i++) {
        scale[i] = int8_scale(n, x + i * n);
        int8_quantise(n, x + i * n, scale[i], q + i * n);
    }
}

KERNEL_F32(linear_w8a8)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out, wide = lanes_up(o);
    float *scale_x = context->scratch, *scale_w = scale_x + lanes_up(t), *x = scale_w + wide, *w = x + lanes_up(t * c);
    float *across = w + lanes_up(c * o);
    quantise_rows(t, c, in[0], x, scale_x);
    quantise_rows(o, c, in[1], w, scale_w);
    tile_transpose(o, c, w, c, across, wide);
    const struct int8_product product = {.rows = t,
                                         .columns = o,
                                         .depth = c,
                                         .a = x,
                                         .a_row = c,
                                         .a_step = 1,
                                         .b = across,
                                         .b_row = wide,
                                         .scale = 1,
                                         .c = out[0],
                                         .c_row = o};
    int8_multiply(&product, across + c * wide);
    for (size_t i = 0; i < t; i++)
        for (size_t j = 0; j < o; j++) {
            double scaled = (double)out[0][i * o + j] * ((double)scale_x[i] * (double)scale_w[j]);
            out[0][i * o + j] = (float)scaled + (in[2] ? in[2][j] : 0);
        }
    if (op->act == ACT_GELU)
        gelu_f32(t * o, out[0], out[0]);
    else if (op->act == ACT_GELU_TANH)
        gelu_tanh_f32(t * o, out[0], out[0]);
    else if (op->act == ACT_RELU)
        bias_f32(t, o, NULL, 1, out[0]);
}

KERNEL_F32(linear_dx_int8)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    struct operands operands = quantised(t * o, in[0], 0, o, c, in[1], context->scratch);
    struct int8_product product = {.rows = t,
                                   .columns = c,
                                   .depth = o,
                                   .a = operands.a,
                                   .a_row = o,
                                   .a_step = 1,
                                   .b = operands.b,
                                   .b_row = lanes_up(c),
                                   .scale = operands.scale,
                                   .accumulate = op->accumulate,
                                   .c = out[0],
                                   .c_row = c};
    int8_multiply(&product, operands.rest);
}

/* The bias' gradient is no product: it is summed in floats, as in the other formats. */
KERNEL_F32(linear_dw_int8)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    struct operands operands = quantised(t * o, in[0], 0, t, c, in[1], context->scratch);
    struct int8_product product = {.rows = o,
                                   .columns = c,
                                   .depth = t,
                                   .a = operands.a,
                                   .a_row = 1,
                                   .a_step = o,
                                   .b = operands.b,
                                   .b_row = lanes_up(c),
                                   .scale = operands.scale,
                                   .c = out[0],
                                   .c_row = c};
    int8_multiply(&product, operands.rest);
    for (size_t j = 0; out[1] && j < o; j++) {
        float sum = 0;
        for (size_t i = 0; i < t; i++)
            sum += in[0][i * o + j];
        out[1][j] = sum;
    }
}
