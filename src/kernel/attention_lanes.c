#include "kernel/attention_lanes.h"

#include <math.h>
#include <string.h>

#include "kernel/dims.h"
#include "kernel/format.h"
#include "kernel/special.h"

/* From here on a float's unit in the last place shows in a probability (as in attention.c). */
enum { LARGE_SCORE = 256 };

/* Up to a register full of sequences: N queries, M keys, width D, each element a vector of lanes. */
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
    size_t query = lanes.n_query * lanes.width * VN_FLOATS, key = lanes.n_key * lanes.width * VN_FLOATS;
    float **part[] = {&lanes.q, &lanes.grad, &lanes.dq, &lanes.k, &lanes.v, &lanes.dk, &lanes.dv};
    for (int i = 0; i < 7; i++) {
        *part[i] = scratch;
        scratch += i < 3 ? query : key;
    }
    lanes.scores = scratch;
    lanes.shares = scratch + lanes.n_query * lanes.n_key * VN_FLOATS;
    return lanes;
}

size_t attention_lanes_scratch_bytes(const struct op *op)
{
    size_t n = (size_t)op->n_query, m = (size_t)op->n_key, d = (size_t)op->head_width;
    return (3 * n * d + 4 * m * d + 2 * n * m) * LANES * sizeof(float); /* enough for every width of registers */
}

/* Four rows of four become four columns of four: to[c][r] = from[r][c]. */
KERNEL_INLINE void turn_four(const float *from, size_t from_row, float *to, size_t to_row)
{
    v4 r[4], t[4];
    for (int i = 0; i < 4; i++)
        memcpy(&r[i], from + (size_t)i * from_row, sizeof r[i]);
    for (int i = 0; i < 2; i++) {
        t[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 4, 1, 5);
        t[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 2, 6, 3, 7);
    }
    for (int i = 0; i < 2; i++) {
        v4 even = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 4, 5);
        v4 odd = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 6, 7);
        memcpy(to + (size_t)(2 * i) * to_row, &even, sizeof even);
        memcpy(to + (size_t)(2 * i + 1) * to_row, &odd, sizeof odd);
    }
}

/* to[t, c] lanes = from[sequence, c] of token t; lanes without a sequence become 0. */
KERNEL_CLONES
static void gather(const struct lanes *lanes, size_t tokens, const float *from, size_t row, size_t step, float *to)
{
    const size_t width = lanes->width;
    for (size_t t = 0; t < tokens; t++, from += step, to += width * VN_FLOATS) {
        if (lanes->count == VN_FLOATS && width % 4 == 0) {
            for (size_t l = 0; l < VN_FLOATS; l += 4)
                for (size_t c = 0; c < width; c += 4)
                    turn_four(from + l * row + c, row, to + c * VN_FLOATS + l, VN_FLOATS);
            continue;
        }
        for (size_t c = 0; c < width; c++)
            for (size_t l = 0; l < VN_FLOATS; l++)
                to[c * VN_FLOATS + l] = l < lanes->count ? from[l * row + c] : 0;
    }
}

KERNEL_CLONES
static void scatter(const struct lanes *lanes, size_t tokens, const float *from, float *to, size_t row, size_t step)
{
    const size_t width = lanes->width;
    for (size_t t = 0; t < tokens; t++, to += step, from += width * VN_FLOATS) {
        if (lanes->count == VN_FLOATS && width % 4 == 0) {
            for (size_t l = 0; l < VN_FLOATS; l += 4)
                for (size_t c = 0; c < width; c += 4)
                    turn_four(from + c * VN_FLOATS + l, VN_FLOATS, to + l * row + c, row);
            continue;
        }
        for (size_t l = 0; l < lanes->count; l++)
            for (size_t c = 0; c < width; c++)
                to[l * row + c] = from[c * VN_FLOATS + l];
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

/* Tiles of at most TILE_ROWS x TILE_COLUMNS sums: twelve registers. */
enum { TILE_ROWS = 3, TILE_COLUMNS = 4 };

KERNEL_INLINE void product_tile(const struct product *p, size_t i, size_t j, const int rows, const int columns)
{
    vn sum[TILE_ROWS][TILE_COLUMNS];
    const size_t a_row = p->a_row * VN_FLOATS, b_row = p->b_row * VN_FLOATS;
    const float *a = p->a + i * a_row, *b = p->b + j * b_row;
    float *to = p->c + (i * p->columns + j) * VN_FLOATS;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            sum[r][c] = vn_set(0);
    for (size_t k = 0; k < p->depth; k++, a += p->a_step * VN_FLOATS, b += p->b_step * VN_FLOATS) {
        vn right[TILE_COLUMNS];
        for (int c = 0; c < columns; c++)
            right[c] = vn_load(b + (size_t)c * b_row);
        for (int r = 0; r < rows; r++) {
            vn left = vn_load(a + (size_t)r * a_row);
            for (int c = 0; c < columns; c++)
                sum[r][c] += left * right[c];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            vn_store(to + ((size_t)r * p->columns + (size_t)c) * VN_FLOATS, sum[r][c]);
}

KERNEL_INLINE void product_rows(const struct product *p, size_t i, const int rows)
{
    size_t j = 0;
    for (; j + TILE_COLUMNS <= p->columns; j += TILE_COLUMNS)
        product_tile(p, i, j, rows, TILE_COLUMNS);
    for (; j < p->columns; j++)
        product_tile(p, i, j, rows, 1);
}

KERNEL_CLONES
static void multiply(const struct product *p)
{
    size_t i = 0;
    for (; i + TILE_ROWS <= p->rows; i += TILE_ROWS)
        product_rows(p, i, TILE_ROWS);
    for (; i < p->rows; i++)
        product_rows(p, i, 1);
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

/* The scores of one query and sequence made again from doubles, as differences to the largest: see attention.c. */
static void refine(const struct lanes *lanes, size_t i, size_t l)
{
    const size_t seen = keys_seen(lanes->op, i);
    const float *q = lanes->q + i * lanes->width * VN_FLOATS + l;
    float *row = lanes->scores + i * lanes->n_key * VN_FLOATS + l;
    double largest = -INFINITY;
    for (int pass = 0; pass < 2; pass++)
        for (size_t j = 0; j < seen; j++) {
            const float *k = lanes->k + j * lanes->width * VN_FLOATS + l;
            double sum = 0;
            for (size_t d = 0; d < lanes->width; d++)
                sum += (double)q[d * VN_FLOATS] * (double)k[d * VN_FLOATS];
            if (!key_is_near(lanes->op, i, j))
                continue; /* hidden before */
            if (pass)
                row[j * VN_FLOATS] = (float)(sum - largest);
            else
                largest = sum > largest ? sum : largest;
        }
}

/* Keys of a row of scores that are not near get no share. */
static void hide_far(const struct lanes *lanes, size_t i, size_t seen, float *row)
{
    for (size_t j = 0; lanes->op->near && j < seen; j++)
        if (!key_is_near(lanes->op, i, j))
            vn_store(row + j * VN_FLOATS, vn_set(-INFINITY));
}

/* The largest score of each lane. */
KERNEL_CLONES
static void largest_scores(size_t seen, const float *row, float *top)
{
    vn largest = vn_load(row);
    for (size_t j = 1; j < seen; j++)
        largest = vn_max(vn_load(row + j * VN_FLOATS), largest);
    vn_store(top, largest);
}

/* scores of one query become shares, 0 for keys that it does not see. */
KERNEL_CLONES
static void softmax_row(const struct lanes *lanes, size_t seen, float *row, const float *top)
{
    const vn largest = vn_load(top), scale = vn_set(lanes->scale);
    vn sum = vn_set(0);
    for (size_t j = 0; j < seen; j++) {
        vn e = vn_exp((vn_load(row + j * VN_FLOATS) - largest) * scale);
        vn_store(row + j * VN_FLOATS, e);
        sum += e;
    }
    const vn share = vn_set(1) / sum;
    for (size_t j = 0; j < lanes->n_key; j++)
        vn_store(row + j * VN_FLOATS, j < seen ? vn_load(row + j * VN_FLOATS) * share : vn_set(0));
}

static void softmax(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->n_query; i++) {
        const size_t seen = keys_seen(lanes->op, i);
        float top[VN_FLOATS], *row = lanes->scores + i * lanes->n_key * VN_FLOATS;
        hide_far(lanes, i, seen, row);
        largest_scores(seen, row, top);
        for (size_t l = 0; l < lanes->count; l++)
            if (lanes->format == FORMAT_FP32 && fabsf(top[l] * lanes->scale) > LARGE_SCORE) {
                refine(lanes, i, l);
                top[l] = 0;
            }
        softmax_row(lanes, seen, row, top);
    }
}

/* scores = shares (scores - sum over j of shares scores) scale; the sum is taken twice, see attention.c. */
KERNEL_CLONES
static void softmax_bwd(const struct lanes *lanes)
{
    const size_t n = lanes->n_key * VN_FLOATS;
    for (size_t i = 0; i < lanes->n_query; i++) {
        float *row = lanes->scores + i * n;
        const float *share = lanes->shares + i * n;
        vn center = vn_set(0), rest = vn_set(0);
        for (size_t j = 0; j < n; j += VN_FLOATS)
            center += vn_load(share + j) * vn_load(row + j);
        for (size_t j = 0; j < n; j += VN_FLOATS)
            rest += vn_load(share + j) * (vn_load(row + j) - center);
        center += rest;
        for (size_t j = 0; j < n; j += VN_FLOATS) {
            vn off = (vn_load(row + j) - center) * vn_set(lanes->scale);
            vn_store(row + j, vn_load(share + j) * off);
        }
    }
}

/* The shares of these sequences in the tensor [N, M, G], or from it. */
KERNEL_CLONES
static void keep_shares(const struct lanes *lanes, size_t all, float *p)
{
    for (size_t i = 0; i < lanes->n_query * lanes->n_key; i++) {
        vn shares = vn_load(lanes->scores + i * VN_FLOATS);
        vn_store_row(p + i * all, 0, lanes->count, shares);
    }
}

KERNEL_CLONES
static void take_shares(const struct lanes *lanes, size_t all, const float *p)
{
    for (size_t i = 0; i < lanes->n_query * lanes->n_key; i++) {
        vn_store(lanes->shares + i * VN_FLOATS, vn_load_row(p + i * all, 0, lanes->count));
    }
}

static void round_lanes(const struct lanes *lanes, size_t elements, float *values)
{
    if (lanes->format != FORMAT_FP32)
        format_round(lanes->format, elements * VN_FLOATS, values, values);
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
    lanes->count = all - at < VN_FLOATS ? all - at : VN_FLOATS;
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
            for (size_t at = 0; next_lanes(&lanes, all, at); at += VN_FLOATS) {
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
            for (size_t at = 0; next_lanes(&lanes, all, at); at += VN_FLOATS) {
                struct operands from = operands_at(op, in + 1, first + at, h),
                                to = operands_at(op, outs, first + at, h);
                size_t o = token_row(op, first + at, lanes.n_query) * row + h * lanes.width;
                backward(&lanes, op, &from, in[0] + o, in[4] + share_offset(op, first + at, h));
                scatter(&lanes, lanes.n_query, lanes.dq, (float *)to.q, lanes.row, lanes.step);
                scatter(&lanes, lanes.n_key, lanes.dk, (float *)to.k, lanes.row, lanes.step);
                scatter(&lanes, lanes.n_key, lanes.dv, (float *)to.v, lanes.row, lanes.step);
            }
}
