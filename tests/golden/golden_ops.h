/* golden_ops.h - the file of single ops, through the kernels of both sets. A part of check_golden.c. */
#ifndef TESTS_GOLDEN_GOLDEN_OPS_H
#define TESTS_GOLDEN_GOLDEN_OPS_H

#include "../unit/interpret.h"
#include "golden.h"
#include "kernel/fastfood.h"
#include "model/encoder.h"

/* One op on values given and taken as doubles, whatever set it runs in. */
struct op_run {
    struct golden *golden;
    enum number_format format;
    struct kernel_context context;
    const double *in[OP_MAX_IN];
    int64_t n_in[OP_MAX_IN];
    double *out[OP_MAX_OUT]; /* before and after */
    int64_t n_out[OP_MAX_OUT];
};

static void *op_block(const struct op_run *run, const double *values, int64_t n)
{
    size_t bytes = run->format == FORMAT_FP64 ? sizeof(double) : sizeof(float);
    void *block = interpreter_block((size_t)n * bytes);
    for (int64_t i = 0; i < n; i++)
        if (run->format == FORMAT_FP64)
            ((double *)block)[i] = values[i];
        else
            ((float *)block)[i] = (float)values[i];
    return block;
}

static void op_run(struct op_run *run, const struct op *op)
{
    void *in[OP_MAX_IN] = {NULL}, *out[OP_MAX_OUT] = {NULL};
    for (int i = 0; i < OP_MAX_IN; i++)
        in[i] = run->in[i] ? op_block(run, run->in[i], run->n_in[i]) : NULL;
    for (int o = 0; o < OP_MAX_OUT; o++)
        out[o] = run->out[o] ? op_block(run, run->out[o], run->n_out[o]) : NULL;
    run->context.format = run->format;
    run->context.scratch = interpreter_block(kernel_scratch_bytes(op, run->format));
    if (run->format == FORMAT_FP64)
        kernel_run_f64(op, &run->context,
                       (const double *const[OP_MAX_IN]){in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]},
                       (double *const[OP_MAX_OUT]){out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7]});
    else
        kernel_run_f32(op, &run->context,
                       (const float *const[OP_MAX_IN]){in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]},
                       (float *const[OP_MAX_OUT]){out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7]});
    for (int o = 0; o < OP_MAX_OUT; o++) {
        for (int64_t i = 0; run->out[o] && i < run->n_out[o]; i++)
            run->out[o][i] = run->format == FORMAT_FP64 ? ((double *)out[o])[i] : (double)((float *)out[o])[i];
        free(out[o]);
    }
    for (int i = 0; i < OP_MAX_IN; i++)
        free(in[i]);
    free(run->context.scratch);
}

static void op_begin(struct op_run *run)
{
    *run = (struct op_run){.golden = run->golden, .format = run->format, .context.step = 1};
}

static void op_in(struct op_run *run, int i, const double *values, int64_t n)
{
    run->in[i] = values;
    run->n_in[i] = n;
}

static double *op_out(struct op_run *run, int o, int64_t n)
{
    run->out[o] = arena_array(run->golden->arena, (size_t)n, sizeof(double));
    for (int64_t i = 0; i < n; i++)
        run->out[o][i] = NAN;
    run->n_out[o] = n;
    return run->out[o];
}

static double *constant(struct op_run *run, int64_t n, double value)
{
    double *values = arena_array(run->golden->arena, (size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = value;
    return values;
}

static char *path_of(struct op_run *run, const char *group, const char *name)
{
    return arena_printf(run->golden->arena, "/%s/%s", group, name);
}

static double *read_op(struct op_run *run, const char *group, const char *name, int64_t n)
{
    return golden_read(run->golden, path_of(run, group, name), n);
}

static void compare_op(struct op_run *run, enum golden_kind f64, enum golden_kind f32, const char *group,
                       const char *name, const double *computed, int64_t n)
{
    const char *path = path_of(run, group, name);
    golden_compare(run->golden, run->format == FORMAT_FP64 ? f64 : f32, path, computed,
                   golden_read(run->golden, path, n), n, 0);
}

static void compare_output(struct op_run *run, const char *group, const char *name, const double *computed, int64_t n)
{
    compare_op(run, OUTPUT_F64, OUTPUT_F32, group, name, computed, n);
}

static void compare_gradient(struct op_run *run, const char *group, const char *name, const double *computed, int64_t n)
{
    compare_op(run, GRADIENT_F64, GRADIENT_F32, group, name, computed, n);
}

static void check_linear(struct op_run *run, const char *group)
{
    int64_t x[2], w[2];
    golden_dims(run->golden, path_of(run, group, "x"), 2, x);
    golden_dims(run->golden, path_of(run, group, "weight"), 2, w);
    int64_t t = x[0], c = x[1], o = w[0];
    struct op op = {.kind = OP_LINEAR, .rows = t, .in = c, .out = o};
    op_begin(run);
    op_in(run, 0, read_op(run, group, "x", t * c), t * c);
    op_in(run, 1, read_op(run, group, "weight", o * c), o * c);
    op_in(run, 2, read_op(run, group, "bias", o), o);
    double *y = op_out(run, 0, t * o);
    op_run(run, &op);
    compare_output(run, group, "y", y, t * o);

    op.kind = OP_LINEAR_DX;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "dy", t * o), t * o);
    op_in(run, 1, read_op(run, group, "weight", o * c), o * c);
    double *dx = op_out(run, 0, t * c);
    op_run(run, &op);
    compare_gradient(run, group, "dx", dx, t * c);

    op.kind = OP_LINEAR_DW;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "dy", t * o), t * o);
    op_in(run, 1, read_op(run, group, "x", t * c), t * c);
    double *dw = op_out(run, 0, o * c), *db = op_out(run, 1, o);
    op_run(run, &op);
    compare_gradient(run, group, "dweight", dw, o * c);
    compare_gradient(run, group, "dbias", db, o);
}

/* The three products of a linear with one adapter, and their sum; backward the same way round. */
struct lora_case {
    int64_t t, c, o, r;
    double scale;
    const double *x, *weight, *bias, *a, *b, *dy;
};

static double *product(struct op_run *run, enum op_kind kind, int64_t t, int64_t c, int64_t o, const double *first,
                       const double *second, const double *bias)
{
    const int64_t n_first = kind == OP_LINEAR ? t * c : t * o, n_second = kind == OP_LINEAR_DW ? t * c : o * c;
    struct op op = {.kind = kind, .rows = t, .in = c, .out = o};
    op_begin(run);
    op_in(run, 0, first, n_first);
    op_in(run, 1, second, n_second);
    if (bias)
        op_in(run, 2, bias, o);
    double *result = op_out(run, 0, kind == OP_LINEAR ? t * o : kind == OP_LINEAR_DX ? t * c : o * c);
    op_run(run, &op);
    return result;
}

static void check_lora_backward(struct op_run *run, const char *group, const struct lora_case *lora, const double *u)
{
    const int64_t t = lora->t, c = lora->c, o = lora->o, r = lora->r;
    struct op part = {.kind = OP_PART, .rows = t, .in = o, .parts = 1, .scale = lora->scale};
    op_begin(run);
    op_in(run, 0, lora->dy, t * o);
    double *ddelta = op_out(run, 0, t * o);
    op_run(run, &part);
    double *du = product(run, OP_LINEAR_DX, t, r, o, ddelta, lora->b, NULL);
    compare_gradient(run, group, "dBm", product(run, OP_LINEAR_DW, t, r, o, ddelta, u, NULL), o * r);
    compare_gradient(run, group, "dA", product(run, OP_LINEAR_DW, t, c, r, du, lora->x, NULL), r * c);

    struct op op = {.kind = OP_LINEAR_DX, .rows = t, .in = c, .out = r, .accumulate = 1};
    double *dx = product(run, OP_LINEAR_DX, t, c, o, lora->dy, lora->weight, NULL);
    op_begin(run);
    op_in(run, 0, du, t * r);
    op_in(run, 1, lora->a, r * c);
    run->out[0] = dx;
    run->n_out[0] = t * c;
    op_run(run, &op);
    compare_gradient(run, group, "dx", dx, t * c);

    op = (struct op){.kind = OP_LINEAR_DW, .rows = t, .in = c, .out = o};
    op_begin(run);
    op_in(run, 0, lora->dy, t * o);
    op_in(run, 1, lora->x, t * c);
    double *dw = op_out(run, 0, o * c), *db = op_out(run, 1, o);
    op_run(run, &op);
    compare_gradient(run, group, "dweight", dw, o * c);
    compare_gradient(run, group, "dbias", db, o);
}

static void check_lora_linear(struct op_run *run, const char *group)
{
    const char *object = arena_printf(run->golden->arena, "/%s", group);
    int64_t x[2], b[2];
    golden_dims(run->golden, path_of(run, group, "x"), 2, x);
    golden_dims(run->golden, path_of(run, group, "Bm"), 2, b);
    const int64_t t = x[0], c = x[1], o = b[0], r = b[1];
    struct lora_case lora = {.t = t, .c = c, .o = o, .r = r};
    lora.scale = golden_double(run->golden, object, "alpha") / (double)r;
    lora.x = read_op(run, group, "x", t * c);
    lora.weight = read_op(run, group, "weight", o * c);
    lora.bias = read_op(run, group, "bias", o);
    lora.a = read_op(run, group, "A", r * c);
    lora.b = read_op(run, group, "Bm", o * r);
    lora.dy = read_op(run, group, "dy", t * o);
    double *base = product(run, OP_LINEAR, t, c, o, lora.x, lora.weight, lora.bias);
    double *u = product(run, OP_LINEAR, t, c, r, lora.x, lora.a, NULL);
    double *delta = product(run, OP_LINEAR, t, r, o, u, lora.b, NULL);
    struct op add = {.kind = OP_ADD_PART, .rows = t, .in = o, .parts = 1, .scale = lora.scale};
    op_begin(run);
    op_in(run, 0, base, t * o);
    op_in(run, 1, delta, t * o);
    double *y = op_out(run, 0, t * o);
    op_run(run, &add);
    compare_output(run, group, "y", y, t * o);
    check_lora_backward(run, group, &lora, u);
}

/* The activation of a linear layer that multiplies by one. */
static void check_activation(struct op_run *run, const char *group)
{
    enum activation act = strcmp(group, "gelu") == 0 ? ACT_GELU : ACT_RELU;
    int64_t n = golden_elements(run->golden, path_of(run, group, "x"));
    struct op op = {.kind = OP_LINEAR, .rows = n, .in = 1, .out = 1, .act = act};
    op_begin(run);
    op_in(run, 0, read_op(run, group, "x", n), n);
    op_in(run, 1, constant(run, 1, 1), 1);
    op_in(run, 2, constant(run, 1, 0), 1);
    double *y = op_out(run, 0, n), *kept = act == ACT_GELU ? op_out(run, 1, n) : y;
    op_run(run, &op);
    compare_output(run, group, "y", y, n);

    op.kind = OP_ACT_BWD;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "dy", n), n);
    op_in(run, 1, kept, n);
    double *dx = op_out(run, 0, n);
    op_run(run, &op);
    compare_gradient(run, group, "dx", dx, n);
}

static void check_layernorm(struct op_run *run, const char *group)
{
    int offset = strcmp(group, "layernorm_offset") == 0;
    if (offset && run->format != FORMAT_FP64)
        return; /* cancellation: float32 is not asked of it */
    int64_t x[2];
    golden_dims(run->golden, path_of(run, group, "x"), 2, x);
    int64_t t = x[0], c = x[1], n = t * c;
    enum golden_kind output = offset ? OFFSET_F64 : OUTPUT_F64, gradient = offset ? OFFSET_F64 : GRADIENT_F64;
    struct op op = {.kind = OP_NORM, .rows = t, .in = c, .eps = 1e-5};
    op_begin(run);
    op_in(run, 0, read_op(run, group, "x", n), n);
    op_in(run, 2, read_op(run, group, "weight", c), c);
    op_in(run, 3, read_op(run, group, "bias", c), c);
    double *y = op_out(run, 0, n), *stats = op_out(run, 2, 2 * t);
    op_run(run, &op);
    compare_op(run, output, OUTPUT_F32, group, "y", y, n);

    op.kind = OP_NORM_BWD;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "dy", n), n);
    op_in(run, 1, read_op(run, group, "x", n), n);
    op_in(run, 2, stats, 2 * t);
    op_in(run, 3, read_op(run, group, "weight", c), c);
    double *dx = op_out(run, 0, n), *dgamma = op_out(run, 2, c), *dbeta = op_out(run, 3, c);
    op_run(run, &op);
    compare_op(run, gradient, GRADIENT_F32, group, "dx", dx, n);
    compare_op(run, gradient, GRADIENT_F32, group, "dweight", dgamma, c);
    compare_op(run, gradient, GRADIENT_F32, group, "dbias", dbeta, c);
}

/* [B,H,N,D] of the file to [B,N,H*D] of the kernels, or back. */
static double *swap_heads(struct op_run *run, const double *from, int64_t b, int64_t first, int64_t second, int64_t d)
{
    double *to = arena_array(run->golden->arena, (size_t)(b * first * second * d), sizeof *to);
    for (int64_t i = 0; i < b; i++)
        for (int64_t j = 0; j < first; j++)
            for (int64_t k = 0; k < second; k++)
                memcpy(to + ((i * second + k) * first + j) * d, from + ((i * first + j) * second + k) * d,
                       (size_t)d * sizeof *to);
    return to;
}

static const double *read_heads(struct op_run *run, const char *group, const char *name, const struct op *op,
                                int64_t tokens)
{
    const double *values = read_op(run, group, name, op->samples * op->heads * tokens * op->head_width);
    return swap_heads(run, values, op->samples, op->heads, tokens, op->head_width);
}

static void check_attention(struct op_run *run, const char *group)
{
    int64_t q[4], k[4];
    golden_dims(run->golden, path_of(run, group, "q"), 4, q);
    golden_dims(run->golden, path_of(run, group, "k"), 4, k);
    struct op op = {.kind = OP_ATTENTION,
                    .samples = q[0],
                    .rows = q[0] * q[2],
                    .heads = q[1],
                    .n_query = q[2],
                    .n_key = k[2],
                    .head_width = q[3]};
    int64_t nq = q[0] * q[1] * q[2] * q[3], nk = k[0] * k[1] * k[2] * k[3], np = q[0] * q[1] * q[2] * k[2];
    const double *values[3] = {read_heads(run, group, "q", &op, q[2]), read_heads(run, group, "k", &op, k[2]),
                               read_heads(run, group, "v", &op, k[2])};
    op_begin(run);
    for (int i = 0; i < 3; i++)
        op_in(run, i, values[i], i ? nk : nq);
    double *y = op_out(run, 0, nq), *p = op_out(run, 1, np);
    op_run(run, &op);
    compare_output(run, group, "y", swap_heads(run, y, q[0], q[2], q[1], q[3]), nq);

    op.kind = OP_ATTENTION_BWD;
    op_begin(run);
    op_in(run, 0, read_heads(run, group, "dy", &op, q[2]), nq);
    for (int i = 0; i < 3; i++)
        op_in(run, 1 + i, values[i], i ? nk : nq);
    op_in(run, 4, p, np);
    double *grads[3];
    for (int i = 0; i < 3; i++)
        grads[i] = op_out(run, i, i ? nk : nq);
    op_run(run, &op);
    compare_gradient(run, group, "dq", swap_heads(run, grads[0], q[0], q[2], q[1], q[3]), nq);
    compare_gradient(run, group, "dk", swap_heads(run, grads[1], q[0], k[2], q[1], q[3]), nk);
    compare_gradient(run, group, "dv", swap_heads(run, grads[2], q[0], k[2], q[1], q[3]), nk);
}

/* Attention whose scores are x itself: keys sqrt(D) times the identity, values the identity. Then o = p = softmax(x)
 * and dq = dx. */
static void check_softmax(struct op_run *run, const char *group)
{
    int64_t x[2];
    golden_dims(run->golden, path_of(run, group, "x"), 2, x);
    int64_t t = x[0], m = x[1];
    struct op op = {
        .kind = OP_ATTENTION, .samples = 1, .rows = t, .heads = 1, .n_query = t, .n_key = m, .head_width = m};
    double *k = constant(run, m * m, 0), *v = constant(run, m * m, 0);
    for (int64_t i = 0; i < m; i++) {
        k[i * m + i] = sqrt((double)m);
        v[i * m + i] = 1;
    }
    op_begin(run);
    op_in(run, 0, read_op(run, group, "x", t * m), t * m);
    op_in(run, 1, k, m * m);
    op_in(run, 2, v, m * m);
    double *y = op_out(run, 0, t * m), *p = op_out(run, 1, t * m);
    op_run(run, &op);
    compare_output(run, group, "y", y, t * m);
    compare_output(run, group, "y", p, t * m);

    op.kind = OP_ATTENTION_BWD;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "dy", t * m), t * m);
    op_in(run, 1, read_op(run, group, "x", t * m), t * m);
    op_in(run, 2, k, m * m);
    op_in(run, 3, v, m * m);
    op_in(run, 4, p, t * m);
    double *dx = op_out(run, 0, t * m);
    op_out(run, 1, m * m);
    op_out(run, 2, m * m);
    op_run(run, &op);
    compare_gradient(run, group, "dx", dx, t * m);
}

static void check_mse(struct op_run *run, const char *group)
{
    int64_t dims[2];
    int64_t n = golden_dims(run->golden, path_of(run, group, "y"), 2, dims);
    struct op op = {.kind = OP_LOSS, .samples = dims[0], .rows = dims[0], .out = dims[1], .loss = LOSS_MSE};
    op_begin(run);
    op_in(run, 0, read_op(run, group, "y", n), n);
    op_in(run, 1, read_op(run, group, "target", n), n);
    double *sums = op_out(run, 0, 2), *dy = op_out(run, 1, n);
    op_run(run, &op);
    double loss = sums[0] / sums[1];
    for (int64_t i = 0; i < n; i++)
        dy[i] /= sums[1];
    compare_output(run, group, "loss", &loss, 1);
    compare_gradient(run, group, "dy", dy, n);
}

static void check_adam(struct op_run *run, const char *group)
{
    static const char *const kept[3] = {"p", "m", "v"};
    const char *object = arena_printf(run->golden->arena, "/%s", group);
    int64_t n = golden_elements(run->golden, path_of(run, group, "p0"));
    struct op op = {
        .kind = OP_UPDATE,
        .rows = n,
        .optimiser = strcmp(group, "adamw") == 0 ? OPTIMISER_ADAMW : OPTIMISER_ADAM,
        .beta1 = golden_double(run->golden, object, "beta1"),
        .beta2 = golden_double(run->golden, object, "beta2"),
        .optimiser_eps = golden_double(run->golden, object, "eps"),
        .weight_decay = golden_double(run->golden, object, "weight_decay"),
    };
    double *state[3] = {read_op(run, group, "p0", n), constant(run, n, 0), constant(run, n, 0)},
           *sums = constant(run, 2, 1);
    for (int step = 1; step <= 3; step++) {
        op_begin(run);
        run->context.step = (uint32_t)step;
        run->context.learning_rate = golden_double(run->golden, object, "lr");
        op_in(run, 0, read_op(run, group, arena_printf(run->golden->arena, "grad%d", step), n), n);
        op_in(run, 1, sums, 2);
        for (int i = 0; i < 3; i++) {
            run->out[i] = state[i];
            run->n_out[i] = n;
        }
        op_run(run, &op);
        for (int i = 0; i < 3; i++)
            compare_op(run, ADAM_F64, ADAM_F32, group, arena_printf(run->golden->arena, "%s%d", kept[i], step),
                       state[i], n);
    }
}

/* The table that the encoder adds, made in float64 and rounded on a float32 device. */
static void check_positional(struct op_run *run, const char *group)
{
    int64_t dims[2], n = golden_dims(run->golden, path_of(run, group, "pe"), 2, dims);
    struct encoder_config config = {.tokens = dims[0],
                                    .features = 1,
                                    .outputs = 1,
                                    .stations = 1,
                                    .d_model = dims[1],
                                    .heads = 1,
                                    .ffn = 1,
                                    .embed_hidden = 1,
                                    .n_decode = 1,
                                    .decode_width = {1}};
    struct graph graph;
    graph_init(&graph, run->golden->arena);
    encoder_build(&config, 1, 0, &graph);
    const double *table = graph.tensors[graph_find(&graph, "positions")].values;
    double *pe = constant(run, n, 0);
    for (int64_t i = 0; i < n; i++)
        pe[i] = run->format == FORMAT_FP64 ? table[i] : (double)(float)table[i];
    compare_output(run, group, "pe", pe, n);
}

/* One head: q [t,d] to keys first .. first+n-1. */
static double *attend(struct op_run *run, const char *group, int64_t t, int64_t all, int64_t first, int64_t n,
                      int64_t d)
{
    struct op op = {
        .kind = OP_ATTENTION, .samples = 1, .rows = t, .heads = 1, .n_query = t, .n_key = n, .head_width = d};
    op_begin(run);
    op_in(run, 0, read_op(run, group, "q", t * d), t * d);
    op_in(run, 1, read_op(run, group, "k", all * d) + first * d, n * d);
    op_in(run, 2, read_op(run, group, "v", all * d) + first * d, n * d);
    double *o = op_out(run, 0, t * d);
    op_out(run, 1, t * n);
    op_run(run, &op);
    return o;
}

/* Attention to all keys, and to each shard: its unnormalised output is the shard's own times the sum of exponentials,
 * which the file tells; no kernel gives that sum yet. */
static void check_partial_softmax(struct op_run *run, const char *group)
{
    int64_t q[2], k[2], first = 0;
    golden_dims(run->golden, path_of(run, group, "q"), 2, q);
    golden_dims(run->golden, path_of(run, group, "k"), 2, k);
    int64_t t = q[0], d = q[1], n_shards = golden_elements(run->golden, path_of(run, group, "shard_sizes"));
    double *whole = attend(run, group, t, k[0], 0, k[0], d);
    compare_output(run, group, "whole", whole, t * d);
    compare_output(run, group, "combined", whole, t * d);
    const double *sizes = read_op(run, group, "shard_sizes", n_shards);
    for (int64_t j = 0; j < n_shards; first += (int64_t)sizes[j], j++) {
        if (sizes[j] < 1)
            continue;
        const double *l = read_op(run, group, arena_printf(run->golden->arena, "l%d", (int)j), t);
        double *o = attend(run, group, t, k[0], first, (int64_t)sizes[j], d);
        for (int64_t i = 0; i < t * d; i++)
            o[i] *= l[i / d];
        compare_output(run, group, arena_printf(run->golden->arena, "o%d", (int)j), o, t * d);
    }
}

static int64_t int_attribute(struct op_run *run, const char *group, const char *attribute)
{
    return (int64_t)golden_double(run->golden, arena_printf(run->golden->arena, "/%s", group), attribute);
}

/* The table of the file's B, Pi and G, with the scale that the file tells. */
static void *read_table(struct op_run *run, const char *group, int64_t elements, int64_t length)
{
    size_t bytes = run->format == FORMAT_FP64 ? sizeof(double) : sizeof(float);
    const double *gauss = read_op(run, group, "G", length), *pi = read_op(run, group, "Pi", length);
    uint32_t *order = arena_array(run->golden->arena, (size_t)length, sizeof *order);
    void *table = arena_array(run->golden->arena, fastfood_table_elements((size_t)elements), bytes);
    for (int64_t i = 0; i < length; i++)
        order[i] = (uint32_t)pi[i];
    fastfood_table_of(read_op(run, group, "B", length), order, gauss, (size_t)elements, bytes, table);
    double scaled = run->format == FORMAT_FP64 ? *(double *)table : (double)*(float *)table;
    double expected = gauss[0] * golden_double(run->golden, arena_printf(run->golden->arena, "/%s", group), "scale");
    golden_compare(run->golden, run->format == FORMAT_FP64 ? OUTPUT_F64 : OUTPUT_F32, "scale", &scaled, &expected, 1,
                   0);
    return table;
}

static void check_fastfood(struct op_run *run, const char *group)
{
    struct arena *arena = run->golden->arena;
    int64_t elements = int_attribute(run, group, "D"), dim = int_attribute(run, group, "d");
    size_t length = fastfood_length((size_t)elements), n = (size_t)elements, d = (size_t)dim;
    if (int_attribute(run, group, "L") != (int64_t)length)
        golden_die(run->golden, "%s: expected L %zu", group, length);
    void *table = read_table(run, group, elements, (int64_t)length);
    const double *x = read_op(run, group, "theta_d", dim), *g = read_op(run, group, "g", elements);
    double *delta = constant(run, (int64_t)length, NAN), *g_d = constant(run, dim, NAN);
    double *scratch = constant(run, (int64_t)length, NAN), *work = constant(run, (int64_t)length, NAN);
    if (run->format == FORMAT_FP64) {
        fastfood_f64(d, n, table, x, delta, scratch);
        fastfood_transposed_f64(d, n, table, g, g_d, work, scratch);
    } else {
        float *in = arena_array(arena, n, sizeof *in), *out = arena_array(arena, length, sizeof *out);
        float *small = arena_array(arena, d, sizeof *small);
        for (size_t i = 0; i < d; i++)
            small[i] = (float)x[i];
        for (size_t i = 0; i < n; i++)
            in[i] = (float)g[i];
        fastfood_f32(d, n, table, small, out, scratch);
        for (size_t i = 0; i < n; i++)
            delta[i] = (double)out[i];
        fastfood_transposed_f32(d, n, table, in, small, out, scratch);
        for (size_t i = 0; i < d; i++)
            g_d[i] = (double)small[i];
    }
    compare_output(run, group, "delta", delta, elements);
    compare_gradient(run, group, "g_d", g_d, dim);
}

struct op_check {
    const char *group;
    void (*check)(struct op_run *run, const char *group);
    const char *skipped; /* why, or NULL */
};

static const struct op_check op_checks[] = {
    {"adam", check_adam, NULL},
    {"adamw", check_adam, NULL},
    {"attention", check_attention, NULL},
    {"attention_large_scores", check_attention, NULL},
    {"fastfood_a", check_fastfood, NULL},
    {"fastfood_b", check_fastfood, NULL},
    {"gelu", check_activation, NULL},
    {"layernorm", check_layernorm, NULL},
    {"layernorm_offset", check_layernorm, NULL},
    {"linear", check_linear, NULL},
    {"lora_linear", check_lora_linear, NULL},
    {"mse", check_mse, NULL},
    {"partial_softmax", check_partial_softmax, NULL},
    {"positional", check_positional, NULL},
    {"relu", check_activation, NULL},
    {"softmax", check_softmax, NULL},
};

/* Gradients beside values are what tells this layout from others with an "ops.h5". */
static int is_ops(struct golden *golden)
{
    return h5_exists(golden->file, "/linear/dweight") || h5_exists(golden->file, "/layernorm/dweight") ||
           h5_exists(golden->file, "/adamw/grad1") || h5_exists(golden->file, "/positional/pe");
}

static const struct op_check *find_check(const char *group)
{
    for (size_t i = 0; i < sizeof op_checks / sizeof *op_checks; i++)
        if (strcmp(op_checks[i].group, group) == 0)
            return &op_checks[i];
    return NULL;
}

static void check_ops(struct golden *golden)
{
    int n;
    const char *const *groups = golden_list(golden, "/", &n);
    for (int i = 0; i < n; i++) {
        const struct op_check *check = find_check(groups[i]);
        if (!check || !check->check) {
            golden_skip(golden, groups[i], check ? check->skipped : "an op this program does not know");
            continue;
        }
        for (int single = 0; single < 2; single++) {
            struct op_run run = {.golden = golden, .format = single ? FORMAT_FP32 : FORMAT_FP64};
            check->check(&run, groups[i]);
        }
        golden_close_check(golden);
    }
}

#endif
