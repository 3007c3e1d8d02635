#include <math.h>
#include <string.h>

#include "kernel/attention_lanes.h"
#include "kernel/dims.h"
#include "kernel/format.h"
#include "kernel/ops.h"
#include "kernel/special.h"
#include "kernel/tile.h"

/* Rows of scores that are made, turned into probabilities and used while they are hot. */
enum { BLOCK_ROWS = 60 };

/* From here on a float's unit in the last place shows in a probability. */
enum { LARGE_SCORE = 256 };

/* One head of one sample. Its operands are copied to rows of whole vectors: the tensors' rows lie far apart. */
struct head {
    const struct op *op;
    size_t n_query, n_key, width, wide_width, wide_keys; /* N, M, D; D and M in whole vectors */
    enum number_format format;
    float scale;             /* 1 / sqrt D */
    float *q, *k, *v, *grad; /* [N or M, wide_width] */
    float *crossed;          /* [D, wide_keys]: k^T forward, v^T backward */
    float *scores, *kept;    /* [BLOCK_ROWS, wide_keys] */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct head head_of(const struct op *op, enum number_format format, float *scratch)
{
    struct head head = {.op = op,
                        .n_query = (size_t)op->n_query,
                        .n_key = (size_t)op->n_key,
                        .width = (size_t)op->head_width,
                        .wide_width = lanes_up((size_t)op->head_width),
                        .wide_keys = lanes_up((size_t)op->n_key),
                        .format = format,
                        .scale = (float)(1 / sqrt((double)op->head_width))};
    head.q = scratch;
    head.k = head.q + head.n_query * head.wide_width;
    head.v = head.k + head.n_key * head.wide_width;
    head.grad = head.v + head.n_key * head.wide_width;
    head.crossed = head.grad + head.n_query * head.wide_width;
    head.scores = head.crossed + head.width * head.wide_keys;
    head.kept = head.scores + BLOCK_ROWS * head.wide_keys;
    return head;
}

size_t attention_scratch_bytes(const struct op *op)
{
    if (op->interleave > 1)
        return attention_lanes_scratch_bytes(op);
    struct head head = head_of(op, FORMAT_FP32, NULL);
    return (2 * (head.n_query + head.n_key) * head.wide_width + head.width * head.wide_keys +
            2 * BLOCK_ROWS * head.wide_keys) *
           sizeof(float);
}

/* Where q, k, v (or their gradients) of a sample's head start; `tensor` is packed or three tensors. */
struct position {
    size_t query, key, value, output; /* elements from the start of each tensor */
};

static struct position position_of(const struct op *op, size_t sample, size_t h)
{
    size_t stride = qkv_stride(op), all = heads_stride(op), column = h * (size_t)op->head_width;
    size_t query_row = sample * (size_t)op->n_query, key_row = sample * (size_t)op->n_key;
    struct position at = {.query = query_row * stride + column,
                          .key = key_row * stride + column + (op->packed ? all : 0),
                          .value = key_row * stride + column + (op->packed ? 2 * all : 0),
                          .output = query_row * all + column};
    return at;
}

static void copy_in(const struct head *head, size_t rows, const float *from, size_t from_row, float *to)
{
    tile_copy(head->width, rows, from, from_row, to, head->wide_width);
    if (head->format != FORMAT_FP32)
        format_round(head->format, rows * head->wide_width, to, to);
}

/* Keys of a row of scores that are not near get no share. */
static void hide_far(const struct head *head, size_t i, size_t seen, float *row)
{
    for (size_t j = 0; head->op->near && j < seen; j++)
        if (!key_is_near(head->op, i, j))
            row[j] = -INFINITY;
}

/* Scores of several hundred leave floats too few digits for their differences, which are all that softmax sees: such a
 * row is made again as differences to its largest, from doubles. They stand where only other formats keep their
 * factors. */
KERNEL_CLONES
static void refine_row(const struct head *head, const float *q, size_t i, float *row)
{
    const size_t seen = keys_seen(head->op, i);
    double *exact = (double *)(void *)head->kept, largest = -INFINITY;
    for (size_t j = 0; j < head->wide_keys; j += LANES) {
        double sum[LANES] = {0};
        for (size_t d = 0; d < head->width; d++)
            for (size_t l = 0; l < LANES; l++)
                sum[l] += (double)q[d] * (double)head->crossed[d * head->wide_keys + j + l];
        memcpy(exact + j, sum, sizeof sum);
    }
    for (size_t j = 0; j < seen; j++)
        largest = exact[j] > largest && key_is_near(head->op, i, j) ? exact[j] : largest;
    for (size_t j = 0; j < seen; j++)
        row[j] = (float)(exact[j] - largest);
    hide_far(head, i, seen, row);
}

/* The largest of each row of scores, from query `first` on; what lies behind the last key that the query sees becomes
 * so small that it has no share. */
KERNEL_CLONES
static void find_largest(const struct head *head, size_t first, size_t rows, float *largest)
{
    const size_t width = head->wide_keys;
    for (size_t i = 0; i < rows; i++) {
        float *row = head->scores + i * width;
        const size_t seen = keys_seen(head->op, first + i);
        hide_far(head, first + i, seen, row);
        for (size_t j = seen; j < width; j++)
            row[j] = -__builtin_inff();
        struct v16 top = v16_set(-__builtin_inff());
        for (size_t j = 0; j < width; j += LANES)
            for (int part = 0; part < V16_PARTS; part++)
                top.part[part] = vn_max(vn_load(row + j + part * VN_FLOATS), top.part[part]);
        largest[i] = v16_largest(&top);
    }
}

/* scores become e^(scale (score - largest)), *share one over the sum of each row. */
KERNEL_CLONES
static void exponentiate(const struct head *head, size_t rows, const float *largest, float *share)
{
    const size_t width = head->wide_keys;
    const vn scale = vn_set(head->scale);
    for (size_t i = 0; i < rows; i++) {
        float *row = head->scores + i * width;
        const vn top = vn_set(largest[i]);
        struct v16 sum = v16_set(0);
        for (size_t j = 0; j < width; j += LANES)
            for (int part = 0; part < V16_PARTS; part++) {
                float *at = row + j + part * VN_FLOATS;
                vn e = vn_exp((vn_load(at) - top) * scale);
                vn_store(at, e);
                sum.part[part] += e;
            }
        share[i] = 1 / v16_sum(&sum);
    }
}

/* Rows of p are written in order: what a register holds behind the last key of one is overwritten by the next. */
KERNEL_CLONES
static void keep_shares(const struct head *head, size_t rows, const float *share, float *p)
{
    const size_t n = head->n_key, width = head->wide_keys, end = rows * n;
    for (size_t i = 0; i < rows; i++) {
        float *row = head->scores + i * width;
        const vn factor = vn_set(share[i]);
        size_t j = 0;
        for (; j < n; j += VN_FLOATS) {
            vn shares = vn_load(row + j) * factor;
            vn_store(row + j, shares);
            vn_store_row(p, i * n + j, end, shares);
        }
        for (; j < width; j += VN_FLOATS)
            vn_store(row + j, vn_set(0));
    }
}

/* p[i,j] = softmax over keys j of scale * scores[i,j], for queries from `first` on; scores keep p, 0 behind the last
 * key that is seen. Passes over all rows: the chains of one row are long, and rows overlap. */
static void softmax_rows(const struct head *head, size_t first, size_t rows, float *p)
{
    const float *q = head->q + first * head->wide_width;
    float largest[BLOCK_ROWS], share[BLOCK_ROWS];
    find_largest(head, first, rows, largest);
    for (size_t i = 0; i < rows; i++)
        if (head->format == FORMAT_FP32 && fabsf(largest[i] * head->scale) > LARGE_SCORE) {
            refine_row(head, q + i * head->wide_width, first + i, head->scores + i * head->wide_keys);
            largest[i] = 0;
        }
    exponentiate(head, rows, largest, share);
    keep_shares(head, rows, share, p);
}

/* The sixteen sums of p (grad - off) over the keys; p's row starts at element `at` of `end`, and what is read beyond it
 * is the next row. */
KERNEL_INLINE float sum_products(const struct head *head, const float *grad, const float *p, size_t at, size_t end,
                                 vn off)
{
    const size_t n = head->n_key, whole = n / LANES * LANES;
    struct v16 sum = v16_set(0);
    for (size_t j = 0; j < whole; j += LANES)
        for (int part = 0; part < V16_PARTS; part++) {
            const size_t here = j + (size_t)part * VN_FLOATS;
            sum.part[part] += vn_load(p + at + here) * (vn_load(grad + here) - off);
        }
    for (int part = 0; whole < n && part < V16_PARTS; part++) {
        const size_t here = whole + (size_t)part * VN_FLOATS;
        vn shares = vn_first(vn_load_row(p, at + here, end), here < n ? n - here : 0);
        sum.part[part] += shares * (vn_load(grad + here) - off);
    }
    return v16_sum(&sum);
}

/* grad[i,j] = p[i,j] (grad[i,j] - sum over j of grad p) scale, rows of grad in whole vectors; the rest of a row becomes
 * 0. The sum is taken twice, the second time of what the first left: where one p is nearly 1, its gradient is the small
 * difference of two large numbers. Passes over all rows, as in softmax_rows. */
KERNEL_CLONES
static void softmax_bwd_rows(const struct head *head, size_t rows, const float *p)
{
    const size_t n = head->n_key, width = head->wide_keys, end = rows * n;
    const vn scale = vn_set(head->scale);
    float center[BLOCK_ROWS];
    for (size_t i = 0; i < rows; i++)
        center[i] = sum_products(head, head->scores + i * width, p, i * n, end, vn_set(0));
    for (size_t i = 0; i < rows; i++)
        center[i] += sum_products(head, head->scores + i * width, p, i * n, end, vn_set(center[i]));
    for (size_t i = 0; i < rows; i++) {
        float *row = head->scores + i * width;
        const vn middle = vn_set(center[i]);
        for (size_t j = 0; j < width; j += VN_FLOATS) {
            vn shares = j + VN_FLOATS <= n ? vn_load(p + i * n + j)
                                           : vn_first(vn_load_row(p, i * n + j, end), j < n ? n - j : 0);
            vn_store(row + j, shares * ((vn_load(row + j) - middle) * scale));
        }
    }
}

/* scores of `rows` queries: a[rows, D] times the first `keys` of the crossed keys or values. */
static void multiply_crossed(const struct head *head, const float *a, size_t rows, size_t keys)
{
    struct tile_product product = {.rows = rows,
                                   .columns = keys,
                                   .depth = head->width,
                                   .a = a,
                                   .a_row = head->wide_width,
                                   .a_step = 1,
                                   .b = head->crossed,
                                   .b_row = head->wide_keys,
                                   .c = head->scores,
                                   .c_row = head->wide_keys,
                                   .padded = 1};
    tile_multiply(&product);
}

/* to[rows, D] = scores[rows, M] times b[M, D], of the first `keys` of the M. */
static void multiply_scores(const struct head *head, size_t rows, size_t keys, const float *b, float *to, size_t to_row)
{
    struct tile_product product = {.rows = rows,
                                   .columns = head->width,
                                   .depth = keys,
                                   .a = head->scores,
                                   .a_row = head->wide_keys,
                                   .a_step = 1,
                                   .b = b,
                                   .b_row = head->wide_width,
                                   .c = to,
                                   .c_row = to_row};
    tile_multiply(&product);
}

/* to[M, D] (+)= a[rows, M]^T times b[rows, D]. */
static void add_outer(const struct head *head, size_t rows, const float *a, size_t a_step, const float *b, int first,
                      float *to, size_t to_row)
{
    struct tile_product product = {.rows = head->n_key,
                                   .columns = head->width,
                                   .depth = rows,
                                   .a = a,
                                   .a_row = 1,
                                   .a_step = a_step,
                                   .b = b,
                                   .b_row = head->wide_width,
                                   .start = first ? NULL : to,
                                   .start_row = to_row,
                                   .c = to,
                                   .c_row = to_row};
    tile_multiply(&product);
}

static void forward_head(const struct head *head, float *o, size_t o_row, float *p)
{
    tile_transpose(head->n_key, head->width, head->k, head->wide_width, head->crossed, head->wide_keys);
    for (size_t i = 0; i < head->n_query; i += BLOCK_ROWS) {
        size_t rows = smaller(head->n_query - i, BLOCK_ROWS);
        size_t keys = keys_seen(head->op, i + rows - 1); /* by any of these queries */
        multiply_crossed(head, head->q + i * head->wide_width, rows, keys);
        softmax_rows(head, i, rows, p + i * head->n_key);
        if (head->format != FORMAT_FP32)
            format_round(head->format, rows * head->wide_keys, head->scores, head->scores);
        multiply_scores(head, rows, keys, head->v, o + i * o_row, o_row);
    }
}

KERNEL_F32(attention_f32)
{
    if (op->interleave > 1) {
        attention_lanes_f32(op, context, in, out);
        return;
    }
    struct head head = head_of(op, context->format, context->scratch);
    const size_t stride = qkv_stride(op), heads = (size_t)op->heads;
    const float *q = in[0], *k = op->packed ? q : in[1], *v = op->packed ? q : in[2];
    for (size_t b = 0; b < (size_t)op->samples; b++)
        for (size_t h = 0; h < heads; h++) {
            struct position at = position_of(op, b, h);
            copy_in(&head, head.n_query, q + at.query, stride, head.q);
            copy_in(&head, head.n_key, k + at.key, stride, head.k);
            copy_in(&head, head.n_key, v + at.value, stride, head.v);
            forward_head(&head, out[0] + at.output, heads_stride(op),
                         out[1] + (b * heads + h) * head.n_query * head.n_key);
        }
}

static void backward_head(const struct head *head, const float *p, float *dq, float *dk, float *dv, size_t stride)
{
    tile_transpose(head->n_key, head->width, head->v, head->wide_width, head->crossed, head->wide_keys);
    for (size_t i = 0; i < head->n_query; i += BLOCK_ROWS) {
        size_t rows = smaller(head->n_query - i, BLOCK_ROWS);
        const float *grad = head->grad + i * head->wide_width, *shares = p + i * head->n_key, *factors = shares;
        multiply_crossed(head, grad, rows, head->n_key);
        if (head->format != FORMAT_FP32) {
            format_round(head->format, rows * head->n_key, shares, head->kept);
            factors = head->kept;
        }
        add_outer(head, rows, factors, head->n_key, grad, i == 0, dv, stride);
        softmax_bwd_rows(head, rows, shares);
        if (head->format != FORMAT_FP32)
            format_round(head->format, rows * head->wide_keys, head->scores, head->scores);
        multiply_scores(head, rows, head->n_key, head->k, dq + i * stride, stride);
        add_outer(head, rows, head->scores, head->wide_keys, head->q + i * head->wide_width, i == 0, dk, stride);
    }
}

KERNEL_F32(attention_bwd_f32)
{
    if (op->interleave > 1) {
        attention_lanes_bwd_f32(op, context, in, out);
        return;
    }
    struct head head = head_of(op, context->format, context->scratch);
    const size_t stride = qkv_stride(op), heads = (size_t)op->heads;
    const float *q = in[1], *k = op->packed ? q : in[2], *v = op->packed ? q : in[3];
    float *dq = out[0], *dk = op->packed ? dq : out[1], *dv = op->packed ? dq : out[2];
    for (size_t b = 0; b < (size_t)op->samples; b++)
        for (size_t h = 0; h < heads; h++) {
            struct position at = position_of(op, b, h);
            copy_in(&head, head.n_query, q + at.query, stride, head.q);
            copy_in(&head, head.n_key, k + at.key, stride, head.k);
            copy_in(&head, head.n_key, v + at.value, stride, head.v);
            copy_in(&head, head.n_query, in[0] + at.output, heads_stride(op), head.grad);
            backward_head(&head, in[4] + (b * heads + h) * head.n_query * head.n_key, dq + at.query, dk + at.key,
                          dv + at.value, stride);
        }
}
