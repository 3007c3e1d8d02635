/* attention_int8.c - attention whose products are of eight-bit integers, head by head. */
#include <math.h>

#include "kernel/dims.h"
#include "kernel/int8.h"
#include "kernel/simd.h"
#include "kernel/special.h"
#include "kernel/tile.h"

/* One head of one sample; n x d operands in rows of whole vectors. Products want their second operand with the inner
 * dimension first: `crossed` holds k^T or v^T. */
struct head {
    const struct op *op;
    size_t n_query, n_key, width, wide_width, wide_keys;
    float *q, *k, *v, *grad; /* [N or M, wide_width], quantised */
    float *crossed;          /* [D, wide_keys] */
    float *scores, *shares;  /* [N, wide_keys] */
    void *rest;
    double q_scale, k_scale, v_scale, grad_scale;
};

static struct head head_of(const struct op *op)
{
    struct head head = {.op = op,
                        .n_query = (size_t)op->n_query,
                        .n_key = (size_t)op->n_key,
                        .width = (size_t)op->head_width,
                        .wide_width = lanes_up((size_t)op->head_width),
                        .wide_keys = lanes_up((size_t)op->n_key)};
    return head;
}

/* attention_int8_scratch_bytes adds up the same. */
static void place_head(struct head *head, float *scratch)
{
    head->q = scratch;
    head->grad = head->q + head->n_query * head->wide_width;
    head->k = head->grad + head->n_query * head->wide_width;
    head->v = head->k + head->n_key * head->wide_width;
    head->crossed = head->v + head->n_key * head->wide_width;
    head->scores = head->crossed + head->width * head->wide_keys;
    head->shares = head->scores + head->n_query * head->wide_keys;
    head->rest = head->shares + head->n_query * head->wide_keys;
}

size_t attention_int8_scratch_bytes(const struct op *op)
{
    struct head head = head_of(op);
    size_t widest = head.width > head.n_key ? head.width : head.n_key;
    return (2 * (head.n_query + head.n_key) * head.wide_width + head.width * head.wide_keys +
            2 * head.n_query * head.wide_keys) *
               sizeof(float) +
           int8_product_scratch_bytes(widest);
}

static double copy_in(const struct head *head, size_t rows, const float *from, size_t from_row, float *to)
{
    tile_copy(head->width, rows, from, from_row, to, head->wide_width);
    float scale = int8_scale(rows * head->wide_width, to);
    int8_quantise(rows * head->wide_width, to, scale, to);
    return (double)scale;
}

/* Score-shaped values become quantised in place. */
static double quantise_scores(const struct head *head, float *scores)
{
    float scale = int8_scale(head->n_query * head->wide_keys, scores);
    int8_quantise(head->n_query * head->wide_keys, scores, scale, scores);
    return (double)scale;
}

/* to[N, M] = a[N, D] keys[M, D]^T; what lies behind the last key is 0. */
static void multiply_crossed(const struct head *head, const float *a, const float *keys, double scale, float *to)
{
    tile_transpose(head->n_key, head->width, keys, head->wide_width, head->crossed, head->wide_keys);
    struct int8_product product = {.rows = head->n_query,
                                   .columns = head->n_key,
                                   .depth = head->width,
                                   .a = a,
                                   .a_row = head->wide_width,
                                   .a_step = 1,
                                   .b = head->crossed,
                                   .b_row = head->wide_keys,
                                   .scale = scale,
                                   .c = to,
                                   .c_row = head->wide_keys};
    int8_multiply(&product, head->rest);
    for (size_t i = 0; i < head->n_query; i++)
        for (size_t j = head->n_key; j < head->wide_keys; j++)
            to[i * head->wide_keys + j] = 0;
}

/* to[N, D] = scores[N, M] b[M, D]. */
static void multiply_scores(const struct head *head, const float *scores, const float *b, double scale, float *to,
                            size_t to_row)
{
    struct int8_product product = {.rows = head->n_query,
                                   .columns = head->width,
                                   .depth = head->n_key,
                                   .a = scores,
                                   .a_row = head->wide_keys,
                                   .a_step = 1,
                                   .b = b,
                                   .b_row = head->wide_width,
                                   .scale = scale,
                                   .c = to,
                                   .c_row = to_row};
    int8_multiply(&product, head->rest);
}

/* to[M, D] = scores[N, M]^T b[N, D]. */
static void multiply_turned(const struct head *head, const float *scores, const float *b, double scale, float *to,
                            size_t to_row)
{
    struct int8_product product = {.rows = head->n_key,
                                   .columns = head->width,
                                   .depth = head->n_query,
                                   .a = scores,
                                   .a_row = 1,
                                   .a_step = head->wide_keys,
                                   .b = b,
                                   .b_row = head->wide_width,
                                   .scale = scale,
                                   .c = to,
                                   .c_row = to_row};
    int8_multiply(&product, head->rest);
}

/* scores[N, M] become probabilities, 0 for keys that are not seen; packed into p[N, M] too when it is given. */
KERNEL_CLONES
static void softmax(const struct head *head, float scale, float *scores, float *p)
{
    for (size_t i = 0; i < head->n_query; i++) {
        const size_t seen = keys_seen(head->op, i);
        float *row = scores + i * head->wide_keys;
        for (size_t j = 0; head->op->near && j < seen; j++)
            if (!key_is_near(head->op, i, j))
                row[j] = -__builtin_inff();
        float largest = row[0];
        for (size_t j = 1; j < seen; j++)
            largest = row[j] > largest ? row[j] : largest;
        for (size_t j = seen; j < head->wide_keys; j++)
            row[j] = -__builtin_inff();
        struct v16 sum = v16_set(0);
        for (size_t j = 0; j < head->wide_keys; j += LANES)
            for (int part = 0; part < V16_PARTS; part++) {
                float *at = row + j + part * VN_FLOATS;
                vn e = vn_exp((vn_load(at) - vn_set(largest)) * vn_set(scale));
                vn_store(at, e);
                sum.part[part] += e;
            }
        vn share = vn_set(1 / v16_sum(&sum));
        for (size_t j = 0; j < head->wide_keys; j += VN_FLOATS)
            vn_store(row + j, vn_load(row + j) * share);
        for (size_t j = 0; p && j < head->n_key; j++)
            p[i * head->n_key + j] = row[j];
    }
}

/* grad[i,j] = p[i,j] (grad[i,j] - sum over j of grad p) scale. */
KERNEL_CLONES
static void softmax_bwd(const struct head *head, float scale, const float *p, float *grad)
{
    for (size_t i = 0; i < head->n_query; i++) {
        const float *shares = p + i * head->wide_keys;
        float *row = grad + i * head->wide_keys;
        struct v16 sum = v16_set(0);
        for (size_t j = 0; j < head->wide_keys; j += LANES)
            for (int part = 0; part < V16_PARTS; part++) {
                size_t at = j + (size_t)part * VN_FLOATS;
                sum.part[part] += vn_load(shares + at) * vn_load(row + at);
            }
        vn center = vn_set(v16_sum(&sum));
        for (size_t j = 0; j < head->wide_keys; j += VN_FLOATS)
            vn_store(row + j, vn_load(shares + j) * (vn_load(row + j) - center) * vn_set(scale));
    }
}

static void forward_head(struct head *head, float *o, size_t o_row, float *p)
{
    float scale = (float)(1 / sqrt((double)head->width));
    multiply_crossed(head, head->q, head->k, head->q_scale * head->k_scale, head->scores);
    softmax(head, scale, head->scores, p);
    double p_scale = quantise_scores(head, head->scores);
    multiply_scores(head, head->scores, head->v, p_scale * head->v_scale, o, o_row);
}

static void backward_head(struct head *head, const float *p, float *dq, float *dk, float *dv, size_t stride)
{
    float scale = (float)(1 / sqrt((double)head->width));
    tile_copy(head->n_key, head->n_query, p, head->n_key, head->shares, head->wide_keys);
    multiply_crossed(head, head->grad, head->v, head->grad_scale * head->v_scale, head->scores);
    softmax_bwd(head, scale, head->shares, head->scores);
    double p_scale = quantise_scores(head, head->shares), s_scale = quantise_scores(head, head->scores);
    multiply_turned(head, head->shares, head->grad, p_scale * head->grad_scale, dv, stride);
    multiply_scores(head, head->scores, head->k, s_scale * head->k_scale, dq, stride);
    multiply_turned(head, head->scores, head->q, s_scale * head->q_scale, dk, stride);
}

KERNEL_F32(attention_int8)
{
    struct head head = head_of(op);
    const size_t stride = qkv_stride(op), all = heads_stride(op), shift = op->packed ? all : 0;
    const float *q = in[0], *k = op->packed ? q : in[1], *v = op->packed ? q : in[2];
    place_head(&head, context->scratch);
    for (size_t b = 0; b < (size_t)op->samples; b++)
        for (size_t h = 0; h < (size_t)op->heads; h++) {
            size_t column = h * head.width, query = b * head.n_query, key = b * head.n_key * stride + column;
            head.q_scale = copy_in(&head, head.n_query, q + query * stride + column, stride, head.q);
            head.k_scale = copy_in(&head, head.n_key, k + key + shift, stride, head.k);
            head.v_scale = copy_in(&head, head.n_key, v + key + 2 * shift, stride, head.v);
            float *p = out[1] ? out[1] + (b * (size_t)op->heads + h) * head.n_query * head.n_key : NULL;
            forward_head(&head, out[0] + query * all + column, all, p);
        }
}

KERNEL_F32(attention_bwd_int8)
{
    struct head head = head_of(op);
    const size_t stride = qkv_stride(op), all = heads_stride(op), shift = op->packed ? all : 0;
    const float *q = in[1], *k = op->packed ? q : in[2], *v = op->packed ? q : in[3];
    float *dq = out[0], *dk = op->packed ? dq : out[1], *dv = op->packed ? dq : out[2];
    place_head(&head, context->scratch);
    for (size_t b = 0; b < (size_t)op->samples; b++)
        for (size_t h = 0; h < (size_t)op->heads; h++) {
            size_t column = h * head.width, query = b * head.n_query, key = b * head.n_key * stride + column;
            head.q_scale = copy_in(&head, head.n_query, q + query * stride + column, stride, head.q);
            head.k_scale = copy_in(&head, head.n_key, k + key + shift, stride, head.k);
            head.v_scale = copy_in(&head, head.n_key, v + key + 2 * shift, stride, head.v);
            head.grad_scale = copy_in(&head, head.n_query, in[0] + query * all + column, all, head.grad);
            backward_head(&head, in[4] + (b * (size_t)op->heads + h) * head.n_query * head.n_key,
                          dq + query * stride + column, dk + key + shift, dv + key + 2 * shift, stride);
        }
}
