#include "kernel/attention_lanes.h"

#include <math.h>
#include <string.h>

#include "kernel/dims.h"
#include "kernel/format.h"
#include "kernel/special.h"

/* From here on a float's unit in the last place shows in a probability (as in attention.c). */
enum { LARGE_SCORE = 256 };

/* Up to sixteen sequences: N queries, M keys, width D, each element a vector of lanes. */
struct lanes {
    const struct op *op;
    size_t n_query, n_key, width;
    enum number_format format;
    float scale;
    float *q, *k, *v, *grad;  /* [N or M, D] lanes */
    float *scores, *shares;   /* [N, M] lanes */
    float *dq, *dk, *dv;      /* [N or M, D] lanes; dq: o in the forward pass */
    size_t at, count;         /* which sequences of the G: at .. at + count - 1 */
    size_t row, step, o_step; /* elements from a sequence to the next, from a token to the next: of q, k, v and of o */
};

static struct lanes lanes_of(const struct op *op, enum number_format format, float *scratch)
{
    struct lanes lanes = {.op = op,
                          .n_query = (size_t)op->n_query,
                          .n_key = (size_t)op->n_key,
                          .width = (size_t)op->head_width,
                          .format = format,
                          .scale = (float)(1 / sqrt((double)op->head_width)),
                          .row = qkv_stride(op),
                          .step = qkv_stride(op) * token_step(op),
                          .o_step = heads_stride(op) * token_step(op)};
    size_t query = lanes.n_query * lanes.width * LANES, key = lanes.n_key * lanes.width * LANES;
    float **part[] = {&lanes.q, &lanes.grad, &lanes.dq, &lanes.k, &lanes.v, &lanes.dk, &lanes.dv};
    for (int i = 0; i < 7; i++) {
        *part[i] = scratch;
        scratch += i < 3 ? query : key;
    }
    lanes.scores = scratch;
    lanes.shares = scratch + lanes.n_query * lanes.n_key * LANES;
    return lanes;
}

size_t attention_lanes_scratch_bytes(const struct op *op)
{
    size_t n = (size_t)op->n_query, m = (size_t)op->n_key, d = (size_t)op->head_width;
    return (3 * n * d + 4 * m * d + 2 * n * m) * LANES * sizeof(float);
}

KERNEL_INLINE v8 v8_load(const float *from)
{
    v8 x;
    memcpy(&x, from, sizeof x);
    return x;
}

/* Eight rows of eight become eight columns of eight: to[c][r] = from[r][c]. */
KERNEL_INLINE void turn_eight(const float *from, size_t from_row, float *to, size_t to_row)
{
    v8 r[8], t[8], s[8];
    for (int i = 0; i < 8; i++)
        r[i] = v8_load(from + (size_t)i * from_row);
    for (int i = 0; i < 8; i += 2) {
        t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int half = 0; half < 8; half += 4)
        for (int i = 0; i < 2; i++) {
            s[half + 2 * i] = __builtin_shufflevector(t[half + i], t[half + i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            s[half + 2 * i + 1] = __builtin_shufflevector(t[half + i], t[half + i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int i = 0; i < 4; i++) {
        v8 low = __builtin_shufflevector(s[i], s[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        v8 high = __builtin_shufflevector(s[i], s[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
        memcpy(to + (size_t)i * to_row, &low, sizeof low);
        memcpy(to + (size_t)(i + 4) * to_row, &high, sizeof high);
    }
}

/* to[t, c] lanes = from[sequence, c] of token t; lanes without a sequence become 0. */
KERNEL_CLONES
static void gather(const struct lanes *lanes, size_t tokens, const float *from, size_t row, size_t step, float *to)
{
    const size_t width = lanes->width;
    for (size_t t = 0; t < tokens; t++, from += step, to += width * LANES) {
        if (lanes->count == LANES && width % 8 == 0) {
            for (size_t c = 0; c < width; c += 8)
                for (size_t half = 0; half < LANES; half += 8)
                    turn_eight(from + half * row + c, row, to + c * LANES + half, LANES);
            continue;
        }
        for (size_t c = 0; c < width; c++)
            for (size_t l = 0; l < LANES; l++)
                to[c * LANES + l] = l < lanes->count ? from[l * row + c] : 0;
    }
}

KERNEL_CLONES
static void scatter(const struct lanes *lanes, size_t tokens, const float *from, float *to, size_t row, size_t step)
{
    const size_t width = lanes->width;
    for (size_t t = 0; t < tokens; t++, to += step, from += width * LANES) {
        if (lanes->count == LANES && width % 8 == 0) {
            for (size_t c = 0; c < width; c += 8)
                for (size_t half = 0; half < LANES; half += 8)
                    turn_eight(from + c * LANES + half, LANES, to + half * row + c, row);
            continue;
        }
        for (size_t l = 0; l < lanes->count; l++)
            for (size_t c = 0; c < width; c++)
                to[l * row + c] = from[c * LANES + l];
    }
}

/* c[i,j] = sum over k of a[i,k] b[j,k], every element lanes; rows, steps in vectors. */
struct product {
    size_t rows, columns, depth;
    const float *a;
    size_t a_row, a_step;
    const float *b;
    size_t b_row, b_step;
    float *c; /* [rows, columns] */
};

KERNEL_INLINE void product_tile(const struct product *p, size_t i, size_t j, const int rows, const int columns)
{
    v16 sum[2][2];
    const float *a = p->a + i * p->a_row * LANES, *b = p->b + j * p->b_row * LANES;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            sum[r][c] = v16_set(0);
    for (size_t k = 0; k < p->depth; k++, a += p->a_step * LANES, b += p->b_step * LANES)
        for (int r = 0; r < rows; r++) {
            v16 left = v16_load(a + (size_t)r * p->a_row * LANES);
            for (int c = 0; c < columns; c++)
                sum[r][c] += left * v16_load(b + (size_t)c * p->b_row * LANES);
        }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            v16_store(p->c + ((i + (size_t)r) * p->columns + j + (size_t)c) * LANES, sum[r][c]);
}

KERNEL_CLONES
static void multiply(const struct product *p)
{
    size_t i = 0;
    for (; i + 2 <= p->rows; i += 2) {
        size_t j = 0;
        for (; j + 2 <= p->columns; j += 2)
            product_tile(p, i, j, 2, 2);
        for (; j < p->columns; j++)
            product_tile(p, i, j, 2, 1);
    }
    for (; i < p->rows; i++)
        for (size_t j = 0; j < p->columns; j++)
            product_tile(p, i, j, 1, 1);
}

/* to[N, M] = a[N, D] b[M, D]^T */
static void multiply_rows(const struct lanes *lanes, const float *a, const float *b, float *to)
{
    struct product product = {lanes->n_query, lanes->n_key, lanes->width, a, lanes->width, 1, b, lanes->width, 1, to};
    multiply(&product);
}

/* to[N, D] = s[N, M] b[M, D] */
static void multiply_shares(const struct lanes *lanes, const float *s, const float *b, float *to)
{
    struct product product = {lanes->n_query, lanes->width, lanes->n_key, s, lanes->n_key, 1, b, 1, lanes->width, to};
    multiply(&product);
}

/* to[M, D] = s[N, M]^T a[N, D] */
static void multiply_crossed(const struct lanes *lanes, const float *s, const float *a, float *to)
{
    struct product product = {lanes->n_key, lanes->width, lanes->n_query, s, 1, lanes->n_key, a, 1, lanes->width, to};
    multiply(&product);
}

/* The scores of one query made again from doubles, as differences to the largest: see attention.c. */
static void refine(const struct lanes *lanes, size_t i)
{
    const size_t seen = keys_seen(lanes->op, i);
    float *row = lanes->scores + i * lanes->n_key * LANES;
    for (size_t l = 0; l < lanes->count; l++) {
        const float *q = lanes->q + i * lanes->width * LANES + l;
        double largest = -INFINITY;
        for (int pass = 0; pass < 2; pass++)
            for (size_t j = 0; j < seen; j++) {
                const float *k = lanes->k + j * lanes->width * LANES + l;
                double sum = 0;
                for (size_t d = 0; d < lanes->width; d++)
                    sum += (double)q[d * LANES] * (double)k[d * LANES];
                if (pass)
                    row[j * LANES + l] = (float)(sum - largest);
                else
                    largest = sum > largest ? sum : largest;
            }
    }
}

KERNEL_CLONES
static float largest_scores(size_t seen, const float *row, float *top)
{
    v16 largest = v16_load(row);
    for (size_t j = 1; j < seen; j++)
        largest = v16_max(v16_load(row + j * LANES), largest);
    v16_store(top, largest);
    return v16_largest(v16_abs(largest));
}

/* scores of one query become shares, 0 for keys that it does not see. */
KERNEL_CLONES
static void softmax_row(const struct lanes *lanes, size_t seen, float *row, const float *top)
{
    const v16 largest = v16_load(top), scale = v16_set(lanes->scale);
    v16 sum = v16_set(0);
    for (size_t j = 0; j < seen; j++) {
        v16 e = v16_exp((v16_load(row + j * LANES) - largest) * scale);
        v16_store(row + j * LANES, e);
        sum += e;
    }
    const v16 share = v16_set(1) / sum;
    for (size_t j = 0; j < lanes->n_key; j++)
        v16_store(row + j * LANES, j < seen ? v16_load(row + j * LANES) * share : v16_set(0));
}

static void softmax(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->n_query; i++) {
        const size_t seen = keys_seen(lanes->op, i);
        float top[LANES], *row = lanes->scores + i * lanes->n_key * LANES;
        if (largest_scores(seen, row, top) * lanes->scale > LARGE_SCORE && lanes->format == FORMAT_FP32) {
            refine(lanes, i);
            memset(top, 0, sizeof top);
        }
        softmax_row(lanes, seen, row, top);
    }
}

/* scores = shares (scores - sum over j of shares scores) scale; the sum is taken twice, see attention.c. */
KERNEL_CLONES
static void softmax_bwd(const struct lanes *lanes)
{
    const size_t n = lanes->n_key * LANES;
    for (size_t i = 0; i < lanes->n_query; i++) {
        float *row = lanes->scores + i * n;
        const float *share = lanes->shares + i * n;
        v16 center = v16_set(0), rest = v16_set(0);
        for (size_t j = 0; j < n; j += LANES)
            center += v16_load(share + j) * v16_load(row + j);
        for (size_t j = 0; j < n; j += LANES)
            rest += v16_load(share + j) * (v16_load(row + j) - center);
        center += rest;
        for (size_t j = 0; j < n; j += LANES) {
            v16 off = (v16_load(row + j) - center) * v16_set(lanes->scale);
            v16_store(row + j, v16_load(share + j) * off);
        }
    }
}

/* The shares of these sequences in the tensor [N, M, G], or from it. */
KERNEL_CLONES
static void keep_shares(const struct lanes *lanes, size_t all, float *p)
{
    for (size_t i = 0; i < lanes->n_query * lanes->n_key; i++) {
        v16 shares = v16_load(lanes->scores + i * LANES);
        if (lanes->count == LANES)
            v16_store(p + i * all, shares);
        else
            v16_store_part(p + i * all, shares, lanes->count);
    }
}

KERNEL_CLONES
static void take_shares(const struct lanes *lanes, size_t all, const float *p)
{
    for (size_t i = 0; i < lanes->n_query * lanes->n_key; i++) {
        const float *from = p + i * all;
        v16_store(lanes->shares + i * LANES,
                  lanes->count == LANES ? v16_load(from) : v16_load_part(from, lanes->count));
    }
}

static void round_lanes(const struct lanes *lanes, size_t elements, float *values)
{
    if (lanes->format != FORMAT_FP32)
        format_round(lanes->format, elements * LANES, values, values);
}

/* q, k and v of one head, and where they came from. */
struct operands {
    const float *q, *k, *v;
};

/* The operands of head h of the first sequence; `packed` tensors are one. */
static struct operands operands_at(const struct op *op, const float *const in[3], size_t sample, size_t h)
{
    size_t row = qkv_stride(op), all = heads_stride(op), column = h * (size_t)op->head_width;
    const float *q = in[0] + token_row(op, sample, (size_t)op->n_query) * row + column;
    size_t key = token_row(op, sample, (size_t)op->n_key) * row + column;
    if (op->packed)
        return (struct operands){q, q + all, q + 2 * all};
    return (struct operands){q, in[1] + key, in[2] + key};
}

static void gather_operands(const struct lanes *lanes, const struct operands *from)
{
    gather(lanes, lanes->n_query, from->q, lanes->row, lanes->step, lanes->q);
    gather(lanes, lanes->n_key, from->k, lanes->row, lanes->step, lanes->k);
    gather(lanes, lanes->n_key, from->v, lanes->row, lanes->step, lanes->v);
    round_lanes(lanes, lanes->n_query * lanes->width, lanes->q);
    round_lanes(lanes, lanes->n_key * lanes->width, lanes->k);
    round_lanes(lanes, lanes->n_key * lanes->width, lanes->v);
}

/* Sequences `at` .. of the G interleaved ones; returns 0 behind the last. */
static int next_lanes(struct lanes *lanes, size_t all, size_t at)
{
    lanes->at = at;
    lanes->count = all - at < LANES ? all - at : LANES;
    return at < all;
}

static void forward(const struct lanes *lanes, const struct op *op, const struct operands *from, float *o, float *p)
{
    gather_operands(lanes, from);
    multiply_rows(lanes, lanes->q, lanes->k, lanes->scores);
    softmax(lanes);
    keep_shares(lanes, token_step(op), p);
    round_lanes(lanes, lanes->n_query * lanes->n_key, lanes->scores);
    multiply_shares(lanes, lanes->scores, lanes->v, lanes->dq);
    scatter(lanes, lanes->n_query, lanes->dq, o, heads_stride(op), lanes->o_step);
}

KERNEL_F32(attention_lanes_f32)
{
    struct lanes lanes = lanes_of(op, context->format, context->scratch);
    const size_t all = token_step(op), heads = (size_t)op->heads, row = heads_stride(op);
    for (size_t first = 0; first < (size_t)op->samples; first += all)
        for (size_t h = 0; h < heads; h++)
            for (size_t at = 0; next_lanes(&lanes, all, at); at += LANES) {
                struct operands from = operands_at(op, in, first + at, h);
                size_t o = token_row(op, first + at, lanes.n_query) * row + h * lanes.width;
                forward(&lanes, op, &from, out[0] + o, out[1] + share_offset(op, first + at, h));
            }
}

static void backward(const struct lanes *lanes, const struct op *op, const struct operands *from, const float *grad,
                     const float *p)
{
    gather_operands(lanes, from);
    gather(lanes, lanes->n_query, grad, heads_stride(op), lanes->o_step, lanes->grad);
    round_lanes(lanes, lanes->n_query * lanes->width, lanes->grad);
    take_shares(lanes, token_step(op), p);
    multiply_rows(lanes, lanes->grad, lanes->v, lanes->scores);
    softmax_bwd(lanes);
    round_lanes(lanes, lanes->n_query * lanes->n_key, lanes->scores);
    round_lanes(lanes, lanes->n_query * lanes->n_key, lanes->shares);
    multiply_crossed(lanes, lanes->shares, lanes->grad, lanes->dv);
    multiply_shares(lanes, lanes->scores, lanes->k, lanes->dq);
    multiply_crossed(lanes, lanes->scores, lanes->q, lanes->dk);
}

KERNEL_F32(attention_lanes_bwd_f32)
{
    struct lanes lanes = lanes_of(op, context->format, context->scratch);
    const size_t all = token_step(op), heads = (size_t)op->heads, row = heads_stride(op);
    const float *const outs[3] = {out[0], out[1], out[2]};
    for (size_t first = 0; first < (size_t)op->samples; first += all)
        for (size_t h = 0; h < heads; h++)
            for (size_t at = 0; next_lanes(&lanes, all, at); at += LANES) {
                struct operands from = operands_at(op, in + 1, first + at, h),
                                to = operands_at(op, outs, first + at, h);
                size_t o = token_row(op, first + at, lanes.n_query) * row + h * lanes.width;
                backward(&lanes, op, &from, in[0] + o, in[4] + share_offset(op, first + at, h));
                scatter(&lanes, lanes.n_query, lanes.dq, (float *)to.q, lanes.row, lanes.step);
                scatter(&lanes, lanes.n_key, lanes.dk, (float *)to.k, lanes.row, lanes.step);
                scatter(&lanes, lanes.n_key, lanes.dv, (float *)to.v, lanes.row, lanes.step);
            }
}
