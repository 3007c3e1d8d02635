/* kernel_case.h - one op with operands of random values, run by either set of kernels. A part of the kernel tests.
 *
 * Every buffer, scratch included, stands between two guards; a run checks them and leaves its results as doubles.
 */
#ifndef TESTS_UNIT_KERNEL_CASE_H
#define TESTS_UNIT_KERNEL_CASE_H

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernel/fastfood.h"
#include "kernel/run.h"

struct kernel_case {
    struct op op;
    struct kernel_context context;
    size_t n_in[OP_MAX_IN], n_out[OP_MAX_OUT];
    double *in[OP_MAX_IN];   /* values, exact as floats; NULL: absent */
    double *out[OP_MAX_OUT]; /* before a run: what the kernel finds; after it: what it left */
};

enum { GUARD_BYTES = 256, GUARD_VALUE = 0xA5 };

static inline struct rng_key case_key(uint32_t place)
{
    return rng_key(77, RNG_TEST, place);
}

/* Uniform, mean 0, standard deviation about `scale`. */
static inline double *case_values(size_t n, uint32_t place, double scale)
{
    double *values = malloc((n ? n : 1) * sizeof *values);
    uint32_t word[4] = {0};
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            rng_block(case_key(place), 0, i / 4, word);
        values[i] = (double)(float)(scale * 1.75 * ((double)word[i % 4] * 0x1p-31 - 1));
    }
    return values;
}

static inline void case_in(struct kernel_case *test, int i, size_t n, uint32_t place, double scale)
{
    test->n_in[i] = n;
    test->in[i] = case_values(n, place + (uint32_t)i, scale);
}

static inline void case_out(struct kernel_case *test, int o, size_t n, uint32_t place)
{
    test->n_out[o] = n;
    test->out[o] = case_values(n, place + 16 + (uint32_t)o, 1);
}

static inline void case_release(struct kernel_case *test)
{
    for (int i = 0; i < OP_MAX_IN; i++)
        free(test->in[i]);
    for (int o = 0; o < OP_MAX_OUT; o++)
        free(test->out[o]);
}

static inline void *guarded_new(size_t bytes)
{
    size_t whole = (bytes + 63) / 64 * 64;
    char *block = aligned_alloc(64, whole + 2 * GUARD_BYTES);
    memset(block, GUARD_VALUE, whole + 2 * GUARD_BYTES);
    return block + GUARD_BYTES;
}

/* Checks the bytes before and behind, releases. (An assertion that holds costs a system call: not one for every byte.)
 */
static inline void guarded_free(void *memory, size_t bytes, const char *what)
{
    unsigned char *start = memory;
    for (size_t i = 1; i <= GUARD_BYTES; i++) {
        if (start[-(ptrdiff_t)i] != GUARD_VALUE)
            ck_abort_msg("%s: byte -%zu was written", what, i);
        if (start[bytes + i - 1] != GUARD_VALUE)
            ck_abort_msg("%s: byte %zu of %zu was written", what, bytes + i - 1, bytes);
    }
    free(start - GUARD_BYTES);
}

static inline void *case_buffer(const double *values, size_t n, size_t element_bytes)
{
    void *buffer = guarded_new(n * element_bytes);
    for (size_t i = 0; i < n; i++)
        if (element_bytes == sizeof(double))
            ((double *)buffer)[i] = values[i];
        else
            ((float *)buffer)[i] = (float)values[i];
    return buffer;
}

static inline double case_element(const void *buffer, size_t i, size_t element_bytes)
{
    return element_bytes == sizeof(double) ? ((const double *)buffer)[i] : (double)((const float *)buffer)[i];
}

/* The table of a projection is no list of numbers. */
static inline int is_table(const struct kernel_case *test, int i)
{
    return i == 3 && (test->op.kind == OP_FASTFOOD || test->op.kind == OP_FASTFOOD_BWD);
}

static inline void *case_operand(const struct kernel_case *test, int i, size_t element_bytes)
{
    void *buffer = case_buffer(test->in[i], test->n_in[i], element_bytes);
    if (is_table(test, i))
        fastfood_table(test->context.seed, test->op.site, (size_t)test->op.out, element_bytes, buffer);
    return buffer;
}

/* Runs the case in a format. `shared` >= 0: output 0 is the buffer of that input. */
static inline void case_run(struct kernel_case *test, enum number_format format, int shared)
{
    size_t bytes = format == FORMAT_FP64 ? sizeof(double) : sizeof(float);
    size_t scratch_bytes = kernel_scratch_bytes(&test->op, format);
    void *in[OP_MAX_IN] = {NULL}, *out[OP_MAX_OUT] = {NULL}, *scratch = guarded_new(scratch_bytes);
    for (int i = 0; i < OP_MAX_IN; i++)
        in[i] = test->in[i] ? case_operand(test, i, bytes) : NULL;
    for (int o = 0; o < OP_MAX_OUT; o++)
        out[o] = test->out[o] ? case_buffer(test->out[o], test->n_out[o], bytes) : NULL;
    void *first = out[0];
    if (shared >= 0)
        out[0] = in[shared];
    memset(scratch, 0xFF, scratch_bytes); /* not a number: what is read before it was written shows */
    test->context.format = format;
    test->context.scratch = scratch;
    if (format == FORMAT_FP64)
        kernel_run_f64(&test->op, &test->context, (const double *const *)in, (double *const *)out);
    else
        kernel_run_f32(&test->op, &test->context, (const float *const *)in, (float *const *)out);
    for (int o = 0; o < OP_MAX_OUT; o++)
        for (size_t i = 0; test->out[o] && i < test->n_out[o]; i++)
            test->out[o][i] = case_element(out[o], i, bytes);
    out[0] = first;
    for (int i = 0; i < OP_MAX_IN; i++)
        if (in[i])
            guarded_free(in[i], test->n_in[i] * bytes, op_name(test->op.kind));
    for (int o = 0; o < OP_MAX_OUT; o++)
        if (out[o])
            guarded_free(out[o], test->n_out[o] * bytes, op_name(test->op.kind));
    guarded_free(scratch, scratch_bytes, "scratch");
}

/* A size: often 1, often not a multiple of a vector, sometimes large. */
static inline int64_t case_size(uint32_t place, uint64_t i, int64_t most)
{
    static const int64_t favourites[] = {1, 2, 3, 15, 16, 17, 31, 33, 48, 57, 64, 65, 96, 100};
    uint64_t pick = rng_below(case_key(place), 1, i, 24);
    int64_t size = pick < 14 ? favourites[pick] : 1 + (int64_t)rng_below(case_key(place), 2, i, (uint64_t)most);
    return size < most ? size : most;
}

static inline void case_factor(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    op->out = op->rows = case_size(place, 0, 40), op->in = case_size(place, 1, 40);
    op->width = case_size(place, 2, op->in < op->out ? op->in : op->out);
    op->scale = 0.5 + (double)(place % 5), op->site = place;
    size_t o = (size_t)op->out, c = (size_t)op->in, r = (size_t)op->width;
    case_in(test, 0, o * c, place, 1);
    case_out(test, 0, o * c, place);
    case_out(test, 1, o * r, place);
    case_out(test, 2, r * c, place);
}

static inline void case_linear(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    if (op->kind == OP_FACTOR) {
        case_factor(test, place);
        return;
    }
    op->rows = case_size(place, 0, 180), op->in = case_size(place, 1, 100), op->out = case_size(place, 2, 100);
    op->act = (enum activation)rng_below(case_key(place), 3, 0, 4);
    op->accumulate = op->kind == OP_LINEAR_DX && place % 2;
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    case_in(test, 0, op->kind == OP_LINEAR ? t * c : t * o, place, 1);
    case_in(test, 1, op->kind == OP_LINEAR_DW ? t * c : o * c, place, 1);
    if (op->kind == OP_LINEAR && place % 5)
        case_in(test, 2, o, place, 1);
    case_out(test, 0, op->kind == OP_LINEAR ? t * o : op->kind == OP_LINEAR_DX ? t * c : o * c, place);
    if (op->kind == OP_LINEAR_DW && place % 3)
        case_out(test, 1, o, place);
    if (op->kind == OP_LINEAR && act_is_gelu(op->act) && place % 4)
        case_out(test, 1, t * o, place);
}

/* Probabilities for the backward pass come from the forward pass of the same operands. */
static inline void case_probabilities(struct kernel_case *test, uint32_t place)
{
    struct kernel_case forward = {.op = test->op};
    forward.op.kind = OP_ATTENTION;
    for (int i = 0; i < 3; i++)
        if (test->in[i + 1]) {
            forward.in[i] = test->in[i + 1];
            forward.n_in[i] = test->n_in[i + 1];
        }
    case_out(&forward, 0, test->n_in[0], place);
    case_out(&forward, 1, test->n_in[4], place);
    case_run(&forward, FORMAT_FP64, -1);
    for (size_t i = 0; i < test->n_in[4]; i++)
        test->in[4][i] = forward.out[1][i];
    free(forward.out[0]);
    free(forward.out[1]);
}

static inline void case_attention(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    op->samples = case_size(place, 0, 2), op->heads = case_size(place, 1, 3), op->head_width = case_size(place, 2, 36);
    op->packed = place % 2;
    op->n_query = case_size(place, 3, 90);
    op->n_key = op->packed ? op->n_query : case_size(place, 4, 90);
    if (place % 3 == 2) { /* short sequences, interleaved */
        op->interleave = case_size(place, 5, 40);
        op->samples *= op->interleave;
        op->n_query = 1 + op->n_query % 13;
        op->n_key = op->packed ? op->n_query : 1 + op->n_key % 13;
    }
    if (place % 5 < 2) { /* masked: queries are the last of the keys */
        op->n_key = op->n_key < op->n_query ? op->n_query : op->n_key;
        op->causal_block = place % 5 == 0 ? 1 : case_size(place, 6, op->n_key + 3);
    }
    op->rows = op->samples * op->n_query;
    size_t width = (size_t)(op->heads * op->head_width), query = (size_t)op->rows * width;
    size_t key = (size_t)(op->samples * op->n_key) * width,
           p = (size_t)(op->samples * op->heads * op->n_query * op->n_key);
    int first = op->kind == OP_ATTENTION_BWD;
    double scale = place % 7 == 0 ? 6 : 1;
    case_in(test, first, op->packed ? 3 * query : query, place, scale);
    if (!op->packed) {
        case_in(test, first + 1, key, place, scale);
        case_in(test, first + 2, key, place, 1);
    }
    if (op->kind == OP_ATTENTION) {
        case_out(test, 0, query, place);
        case_out(test, 1, p, place);
        return;
    }
    case_in(test, 0, query, place + 1, 1);
    case_in(test, 4, p, place, 1);
    case_probabilities(test, place);
    case_out(test, 0, op->packed ? 3 * query : query, place);
    if (!op->packed) {
        case_out(test, 1, key, place);
        case_out(test, 2, key, place);
    }
}

static inline void case_norm(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    op->rows = case_size(place, 0, 70), op->in = case_size(place, 1, 200);
    op->eps = 1e-5;
    op->dropout = place % 3 == 0 ? 0.1 + 0.2 * (double)(place % 4) : 0;
    op->site = place;
    op->accumulate = op->kind == OP_NORM_BWD && place % 2;
    test->context.first_row = place % 4 ? 0 : 1000 + place;
    size_t c = (size_t)op->in, n = (size_t)op->rows * c;
    case_in(test, 0, n, place, 1);
    if (op->kind == OP_NORM) {
        if (op->dropout > 0 || place % 2)
            case_in(test, 1, n, place, 1);
        case_in(test, 2, c, place, 1);
        case_in(test, 3, c, place, 1);
        case_out(test, 0, n, place);
        if (test->in[1])
            case_out(test, 1, n, place);
        case_out(test, 2, 2 * (size_t)op->rows, place);
        return;
    }
    case_in(test, 1, n, place, 1);
    case_in(test, 2, 2 * (size_t)op->rows, place, 1);
    case_in(test, 3, c, place, 1);
    for (size_t t = 0; t < (size_t)op->rows; t++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < c; i++)
            mean += test->in[1][t * c + i] / (double)c;
        for (size_t i = 0; i < c; i++)
            variance += pow(test->in[1][t * c + i] - mean, 2) / (double)c;
        test->in[2][2 * t] = (double)(float)mean;
        test->in[2][2 * t + 1] = (double)(float)(1 / sqrt(variance + op->eps));
    }
    case_out(test, 0, n, place);
    if (op->dropout > 0)
        case_out(test, 1, n, place);
    if (place % 5)
        case_out(test, 2, c, place);
    if (place % 7)
        case_out(test, 3, c, place);
}

static inline void case_embed(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    int bwd = op->kind == OP_ADD_EMBED_BWD, index = bwd ? 1 : 4;
    op->n_query = op->rows / op->samples, op->n_key = case_size(place, 4, 12);
    op->rows *= op->n_key;
    size_t c = (size_t)op->in, n = (size_t)op->rows * c, steps = (size_t)(op->samples * op->n_key);
    const size_t rows[3] = {(size_t)op->n_query, (size_t)op->n_key, (size_t)op->out};
    case_in(test, 0, n, place, 1);
    case_in(test, index, steps, place, 1);
    for (size_t i = 0; i < steps; i++)
        test->in[index][i] = (double)rng_below(case_key(place), 5, i, (uint64_t)op->out);
    for (int i = 0; i < 3; i++) {
        if (!bwd)
            case_in(test, 1 + i, rows[i] * c, place, 1);
        else if ((place + (uint32_t)i) % 4)
            case_out(test, i, rows[i] * c, place);
    }
    if (!bwd)
        case_out(test, 0, n, place);
}

/* Operands of SPLIT_HEADS and JOIN_HEADS; sometimes a group is absent. */
static inline void case_heads(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    op->parts = 1 + (int)(place % 3), op->heads = case_size(place, 2, 20), op->head_width = case_size(place, 3, 9);
    op->groups = op->heads < 8 ? op->heads : 8;
    op->groups = 1 + (int64_t)rng_below(case_key(place), 3, 0, (uint64_t)op->groups);
    size_t rows = (size_t)op->rows * (size_t)op->parts, width = (size_t)op->head_width;
    if (op->kind == OP_SPLIT_HEADS)
        case_in(test, 0, rows * (size_t)op->heads * width, place, 1);
    else
        case_out(test, 0, rows * (size_t)op->heads * width, place);
    for (int g = 0; g < op->groups; g++) {
        int64_t first, heads = op_group_heads(op->heads, op->groups, g, &first);
        size_t n = rows * (size_t)heads * width;
        if (rng_below(case_key(place), 4, (uint64_t)g, 5) == 0)
            continue;
        if (op->kind == OP_SPLIT_HEADS)
            case_out(test, g, n, place);
        else
            case_in(test, g, n, place, 1);
    }
}

/* ADD_PART, PART, DROPOUT, ACTIVATION */
static inline void case_adapter(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    size_t n = (size_t)(op->rows * op->in);
    if (op->kind == OP_ACTIVATION) {
        op->out = op->in;
        op->act = place % 2 ? ACT_GELU : ACT_RELU;
    } else if (op->kind == OP_DROPOUT) {
        op->dropout = 0.1 + 0.2 * (double)(place % 4);
        op->site = place;
        test->context.first_row = place % 4 ? 0 : 1000 + place;
    } else {
        op->parts = 1 + (int)(place % 4), op->part = (int)(place / 4) % op->parts, op->scale = 1.5;
    }
    size_t all = op->kind == OP_ADD_PART || op->kind == OP_PART ? n * (size_t)op->parts : n;
    case_in(test, 0, all, place, 2);
    if (op->kind == OP_ADD_PART)
        case_in(test, 1, n, place, 1);
    case_out(test, 0, op->kind == OP_ADD_PART ? all : n, place);
}

static inline void case_elementwise(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    int64_t b = case_size(place, 0, 5), n = case_size(place, 1, 20);
    op->samples = b, op->rows = b * n, op->in = case_size(place, 2, 90), op->out = case_size(place, 3, 90);
    size_t t_in = (size_t)(op->rows * op->in), t_out = (size_t)(op->rows * op->out);
    if (op->kind == OP_SPLIT_HEADS || op->kind == OP_JOIN_HEADS) {
        case_heads(test, place);
    } else if (op->kind == OP_ACTIVATION || op->kind == OP_DROPOUT || op->kind == OP_ADD_PART || op->kind == OP_PART) {
        case_adapter(test, place);
    } else if (op->kind == OP_ACT_BWD) {
        op->act = place % 2 ? ACT_GELU : place % 4 ? ACT_RELU : ACT_GELU_TANH;
        case_in(test, 0, t_out, place, 1);
        case_in(test, 1, t_out, place, 2);
        case_out(test, 0, t_out, place);
    } else if (op->kind == OP_ADD || op->kind == OP_ADD_POS) {
        case_in(test, 0, t_in, place, 1);
        case_in(test, 1, op->kind == OP_ADD ? t_in : t_in / (size_t)b, place, 1);
        case_out(test, 0, t_in, place);
    } else if (op->kind == OP_CONCAT) {
        if (place % 7)
            case_in(test, 0, t_in, place, 1);
        if (place % 5)
            case_in(test, 1, t_out, place, 1);
        case_out(test, 0, t_in + t_out, place);
    } else if (op->kind == OP_SPLIT) {
        case_in(test, 0, t_in + t_out, place, 1);
        if (place % 3)
            case_out(test, 0, t_in, place);
        if (place % 4)
            case_out(test, 1, t_out, place);
    } else if (op->kind == OP_ADD_EMBED || op->kind == OP_ADD_EMBED_BWD) {
        case_embed(test, place);
    } else if (op->kind == OP_PERMUTE) {
        op->n_query = n, op->n_key = case_size(place, 4, 12), op->rows = b * n * op->n_key;
        case_in(test, 0, (size_t)(op->rows * op->in), place, 1);
        case_out(test, 0, (size_t)(op->rows * op->in), place);
    } else {
        op->last_count = n, op->last_stride = op->in, op->last_offset = op->in - 1,
        op->out = n * case_size(place, 4, 5);
        case_in(test, 0, (size_t)(b * op->out), place, 1);
        case_in(test, 1, t_in, place, 1);
        case_out(test, 0, (size_t)(b * op->out), place);
    }
}

/* The last output is for the op's own use: nothing is said of what it holds. */
static inline void case_fastfood(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    op->out = case_size(place, 0, 3000);
    op->in = case_size(place, 1, op->out);
    op->site = place;
    size_t d = (size_t)op->in, n = (size_t)op->out;
    int forward = op->kind == OP_FASTFOOD;
    case_in(test, 0, forward ? d : n, place, 1);
    case_in(test, 1, forward ? n : d, place, 1);
    if (place % 3)
        case_in(test, 2, 1, place, 1);
    case_in(test, 3, fastfood_table_elements(n), place, 1);
    case_out(test, 0, forward ? n : d, place);
    if (!forward && place % 3)
        case_out(test, 1, 1, place);
    case_out(test, forward ? 1 : 2, fastfood_length(n), place);
}

static inline void case_loss(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    op->samples = case_size(place, 0, 40), op->out = case_size(place, 1, 200);
    op->loss = (enum loss_kind)(place % 3);
    op->huber_delta = 0.7;
    size_t n = (size_t)(op->samples * op->out);
    case_in(test, 0, n, place, 1);
    case_in(test, 1, n, place, 1);
    test->in[1][0] = test->in[0][0];
    if (place % 2)
        case_in(test, 2, n, place, 1);
    for (size_t i = 0; test->in[2] && i < n; i++) {
        test->in[2][i] = test->in[2][i] > -0.5;
        if (test->in[2][i] == 0)
            test->in[1][i] = NAN;
    }
    case_out(test, 0, 2, place);
    if (place % 5)
        case_out(test, 1, n, place);
}

static inline void case_optimiser(struct kernel_case *test, uint32_t place)
{
    struct op *op = &test->op;
    op->rows = case_size(place, 0, 3000);
    size_t n = (size_t)op->rows;
    case_in(test, 0, n, place, 1);
    if (op->kind == OP_SQUARE_SUM) {
        case_out(test, 0, 1, place);
        return;
    }
    op->optimiser = (enum optimiser_kind)(place % 3);
    op->beta1 = 0.9, op->beta2 = 0.999, op->optimiser_eps = 1e-8, op->weight_decay = 0.01;
    op->clip_norm = place % 2 ? 0.5 : 0;
    test->context.learning_rate = 1e-3;
    test->context.step = 1 + place % 20;
    case_in(test, 1, 2, place, 1);
    test->in[1][1] = place % 4 ? 37 : 0;
    case_in(test, 2, 1, place, 1);
    test->in[2][0] = place % 8 ? 2000 : 0.01;
    case_out(test, 0, n, place);
    if (op->optimiser == OPTIMISER_SGD)
        return;
    case_out(test, 1, n, place);
    case_out(test, 2, n, place);
    for (size_t i = 0; i < n; i++)
        test->out[2][i] *= test->out[2][i];
}

/* A case of some shape; the same `place`, the same case. Release it with case_release. */
static inline struct kernel_case case_of(enum op_kind kind, uint32_t place)
{
    struct kernel_case test = {.op = {.kind = kind}, .context = {.step = 1, .seed = 5}};
    switch (op_class(kind)) {
    case CLASS_GEMM:
        case_linear(&test, place);
        break;
    case CLASS_ATTENTION:
        case_attention(&test, place);
        break;
    case CLASS_NORM:
        case_norm(&test, place);
        break;
    case CLASS_LOSS:
        case_loss(&test, place);
        break;
    case CLASS_OPTIMISER:
        case_optimiser(&test, place);
        break;
    default:
        if (kind == OP_FASTFOOD || kind == OP_FASTFOOD_BWD) {
            case_fastfood(&test, place);
            break;
        }
        case_elementwise(&test, place);
        break;
    }
    return test;
}

#endif
