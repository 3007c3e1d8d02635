/* golden_traffic_ops.h - single ops in the layout of the traffic files: in_*, out, d_out, d_*; weights are [in, out]. A
 * part of check_golden.c. */
#ifndef TESTS_GOLDEN_GOLDEN_TRAFFIC_OPS_H
#define TESTS_GOLDEN_GOLDEN_TRAFFIC_OPS_H

#include "golden_ops.h"

static int is_traffic_ops(struct golden *golden)
{
    return h5_exists(golden->file, "/gelu_erf/in_x") || h5_exists(golden->file, "/linear/in_w");
}

/* Scores of thousands and rows of hardly any variance: rounding the file's numbers to float32 alone, and computing in
 * float64 from there on, moves these results by up to 1e-3. */
static int is_ill_conditioned(const char *group)
{
    return strcmp(group, "attention_large_logits") == 0 || strcmp(group, "softmax") == 0 ||
           strcmp(group, "layernorm_tiny_var") == 0;
}

static enum golden_kind single_kind(const char *group)
{
    return is_ill_conditioned(group) ? ILL_F32 : TRAFFIC_F32;
}

static void compare_named(struct op_run *run, const char *group, const char *name, const double *computed, int64_t n)
{
    compare_op(run, OUTPUT_F64, single_kind(group), group, name, computed, n);
}

static double *transposed(struct op_run *run, const double *from, int64_t rows, int64_t columns)
{
    double *to = arena_array(run->golden->arena, (size_t)(rows * columns), sizeof *to);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            to[c * rows + r] = from[r * columns + c];
    return to;
}

static void check_named_linear(struct op_run *run, const char *group)
{
    int64_t x[2], w[2];
    golden_dims(run->golden, path_of(run, group, "in_x"), 2, x);
    golden_dims(run->golden, path_of(run, group, "in_w"), 2, w);
    int64_t t = x[0], c = x[1], o = w[1];
    const double *weight = transposed(run, read_op(run, group, "in_w", c * o), c, o);
    struct op op = {.kind = OP_LINEAR, .rows = t, .in = c, .out = o};
    op_begin(run);
    op_in(run, 0, read_op(run, group, "in_x", t * c), t * c);
    op_in(run, 1, weight, o * c);
    op_in(run, 2, read_op(run, group, "in_b", o), o);
    double *y = op_out(run, 0, t * o);
    op_run(run, &op);
    compare_named(run, group, "out", y, t * o);

    op.kind = OP_LINEAR_DX;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "d_out", t * o), t * o);
    op_in(run, 1, weight, o * c);
    double *dx = op_out(run, 0, t * c);
    op_run(run, &op);
    compare_named(run, group, "d_x", dx, t * c);

    op.kind = OP_LINEAR_DW;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "d_out", t * o), t * o);
    op_in(run, 1, read_op(run, group, "in_x", t * c), t * c);
    double *dw = op_out(run, 0, o * c), *db = op_out(run, 1, o);
    op_run(run, &op);
    compare_named(run, group, "d_w", transposed(run, dw, o, c), o * c);
    compare_named(run, group, "d_b", db, o);
}

static void check_named_gelu(struct op_run *run, const char *group)
{
    enum activation act = strcmp(group, "gelu_erf") == 0 ? ACT_GELU : ACT_GELU_TANH;
    int64_t n = golden_elements(run->golden, path_of(run, group, "in_x"));
    struct op op = {.kind = OP_LINEAR, .rows = n, .in = 1, .out = 1, .act = act};
    op_begin(run);
    op_in(run, 0, read_op(run, group, "in_x", n), n);
    op_in(run, 1, constant(run, 1, 1), 1);
    double *y = op_out(run, 0, n), *kept = op_out(run, 1, n);
    op_run(run, &op);
    compare_named(run, group, "out", y, n);

    op.kind = OP_ACT_BWD;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "d_out", n), n);
    op_in(run, 1, kept, n);
    double *dx = op_out(run, 0, n);
    op_run(run, &op);
    compare_named(run, group, "d_x", dx, n);
}

static void check_named_layernorm(struct op_run *run, const char *group)
{
    int64_t x[2];
    golden_dims(run->golden, path_of(run, group, "in_x"), 2, x);
    int64_t t = x[0], c = x[1], n = t * c;
    int offset = strcmp(group, "layernorm_offset") == 0;
    enum golden_kind f64 = offset ? OFFSET_F64 : OUTPUT_F64, f32 = single_kind(group);
    if (offset && run->format != FORMAT_FP64)
        return; /* cancellation: float32 is not asked of it */
    struct op op = {.kind = OP_NORM, .rows = t, .in = c, .eps = 1e-5};
    op_begin(run);
    op_in(run, 0, read_op(run, group, "in_x", n), n);
    op_in(run, 2, read_op(run, group, "in_g", c), c);
    op_in(run, 3, read_op(run, group, "in_b", c), c);
    double *y = op_out(run, 0, n), *stats = op_out(run, 2, 2 * t);
    op_run(run, &op);
    compare_op(run, f64, f32, group, "out", y, n);

    op.kind = OP_NORM_BWD;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "d_out", n), n);
    op_in(run, 1, read_op(run, group, "in_x", n), n);
    op_in(run, 2, stats, 2 * t);
    op_in(run, 3, read_op(run, group, "in_g", c), c);
    double *dx = op_out(run, 0, n), *dgamma = op_out(run, 2, c), *dbeta = op_out(run, 3, c);
    op_run(run, &op);
    compare_op(run, f64, f32, group, "d_x", dx, n);
    compare_op(run, f64, f32, group, "d_g", dgamma, c);
    compare_op(run, f64, f32, group, "d_b", dbeta, c);
}

/* [B,H,N,D] of the file to the kernels' layout, or back: [B,N,H,D], or [N,B,H,D] where the samples are interleaved. */
static double *turned_heads(struct op_run *run, const double *from, const struct op *op, int64_t tokens, int back)
{
    int64_t b = op->samples, h = op->heads, d = op->head_width;
    double *to = arena_array(run->golden->arena, (size_t)(b * h * tokens * d), sizeof *to);
    for (int64_t i = 0; i < b; i++)
        for (int64_t j = 0; j < h; j++)
            for (int64_t t = 0; t < tokens; t++) {
                int64_t file = ((i * h + j) * tokens + t) * d;
                int64_t ours = ((op->interleave > 1 ? t * b + i : i * tokens + t) * h + j) * d;
                memcpy(to + (back ? file : ours), from + (back ? ours : file), (size_t)d * sizeof *to);
            }
    return to;
}

static void check_heads(struct op_run *run, const char *group, int64_t interleave)
{
    static const char *const names[3] = {"in_q", "in_k", "in_v"}, *const grads[3] = {"d_q", "d_k", "d_v"};
    int64_t q[4];
    int64_t n = golden_dims(run->golden, path_of(run, group, "in_q"), 4, q), np = q[0] * q[1] * q[2] * q[2];
    struct op op = {.kind = OP_ATTENTION,
                    .samples = q[0],
                    .rows = q[0] * q[2],
                    .heads = q[1],
                    .n_query = q[2],
                    .n_key = q[2],
                    .head_width = q[3],
                    .interleave = interleave};
    const double *values[3];
    op_begin(run);
    for (int i = 0; i < 3; i++) {
        values[i] = turned_heads(run, read_op(run, group, names[i], n), &op, q[2], 0);
        op_in(run, i, values[i], n);
    }
    double *y = op_out(run, 0, n), *p = op_out(run, 1, np);
    op_run(run, &op);
    compare_named(run, group, "out", turned_heads(run, y, &op, q[2], 1), n);

    op.kind = OP_ATTENTION_BWD;
    op_begin(run);
    op_in(run, 0, turned_heads(run, read_op(run, group, "d_out", n), &op, q[2], 0), n);
    for (int i = 0; i < 3; i++)
        op_in(run, 1 + i, values[i], n);
    op_in(run, 4, p, np);
    double *out[3];
    for (int i = 0; i < 3; i++)
        out[i] = op_out(run, i, n);
    op_run(run, &op);
    for (int i = 0; i < 3; i++)
        compare_named(run, group, grads[i], turned_heads(run, out[i], &op, q[2], 1), n);
}

/* Samples one after the other, and interleaved. */
static void check_named_attention(struct op_run *run, const char *group)
{
    int64_t q[4];
    golden_dims(run->golden, path_of(run, group, "in_q"), 4, q);
    check_heads(run, group, 0);
    if (q[0] > 1)
        check_heads(run, group, q[0]);
}

/* Attention whose scores are x itself, as in check_softmax. */
static void check_named_softmax(struct op_run *run, const char *group)
{
    int64_t x[2];
    golden_dims(run->golden, path_of(run, group, "in_x"), 2, x);
    int64_t t = x[0], m = x[1];
    struct op op = {
        .kind = OP_ATTENTION, .samples = 1, .rows = t, .heads = 1, .n_query = t, .n_key = m, .head_width = m};
    double *k = constant(run, m * m, 0), *v = constant(run, m * m, 0);
    for (int64_t i = 0; i < m; i++) {
        k[i * m + i] = sqrt((double)m);
        v[i * m + i] = 1;
    }
    const double *values = read_op(run, group, "in_x", t * m);
    op_begin(run);
    op_in(run, 0, values, t * m);
    op_in(run, 1, k, m * m);
    op_in(run, 2, v, m * m);
    double *y = op_out(run, 0, t * m), *p = op_out(run, 1, t * m);
    op_run(run, &op);
    compare_named(run, group, "out", y, t * m);

    op.kind = OP_ATTENTION_BWD;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "d_out", t * m), t * m);
    op_in(run, 1, values, t * m);
    op_in(run, 2, k, m * m);
    op_in(run, 3, v, m * m);
    op_in(run, 4, p, t * m);
    double *dx = op_out(run, 0, t * m);
    op_out(run, 1, m * m);
    op_out(run, 2, m * m);
    op_run(run, &op);
    compare_named(run, group, "d_x", dx, t * m);
}

/* A table whose rows are picked by an index: the slots of a grid of one node, everything else zero. */
static void check_named_embedding(struct op_run *run, const char *group)
{
    int64_t table[2], index[2];
    golden_dims(run->golden, path_of(run, group, "in_table"), 2, table);
    golden_dims(run->golden, path_of(run, group, "in_idx"), 2, index);
    int64_t s = table[0], c = table[1], b = index[0], m = index[1];
    struct op op = {.kind = OP_ADD_EMBED, .samples = b, .rows = b * m, .n_query = 1, .n_key = m, .in = c, .out = s};
    const double *picks = read_op(run, group, "in_idx", b * m);
    op_begin(run);
    op_in(run, 0, constant(run, b * m * c, 0), b * m * c);
    op_in(run, 1, constant(run, c, 0), c);
    op_in(run, 2, constant(run, m * c, 0), m * c);
    op_in(run, 3, read_op(run, group, "in_table", s * c), s * c);
    op_in(run, 4, picks, b * m);
    double *z = op_out(run, 0, b * m * c);
    op_run(run, &op);
    compare_named(run, group, "out", z, b * m * c);

    op.kind = OP_ADD_EMBED_BWD;
    op_begin(run);
    op_in(run, 0, read_op(run, group, "d_out", b * m * c), b * m * c);
    op_in(run, 1, picks, b * m);
    double *dtable = op_out(run, 2, s * c);
    op_run(run, &op);
    compare_named(run, group, "d_table", dtable, s * c);
}

static void check_named_mae(struct op_run *run, const char *group)
{
    int64_t n = golden_elements(run->golden, path_of(run, group, "in_pred"));
    struct op op = {.kind = OP_LOSS, .samples = 1, .rows = 1, .out = n, .loss = LOSS_MAE};
    op_begin(run);
    op_in(run, 0, read_op(run, group, "in_pred", n), n);
    op_in(run, 1, read_op(run, group, "in_y", n), n);
    op_in(run, 2, read_op(run, group, "in_mask", n), n);
    double *sums = op_out(run, 0, 2), *dy = op_out(run, 1, n);
    op_run(run, &op);
    double loss = sums[0] / fmax(sums[1], 1);
    for (int64_t i = 0; i < n; i++)
        dy[i] /= fmax(sums[1], 1);
    compare_named(run, group, "out", &loss, 1);
    compare_named(run, group, "d_pred", dy, n);
}

/* Five steps of the optimiser on given gradients. */
static void check_named_adam(struct op_run *run, const char *group)
{
    int64_t dims[2];
    golden_dims(run->golden, path_of(run, group, "grads"), 2, dims);
    int64_t n = dims[1];
    struct op op = {
        .kind = OP_UPDATE, .rows = n, .optimiser = OPTIMISER_ADAM, .beta1 = 0.9, .beta2 = 0.999, .optimiser_eps = 1e-8};
    double *p = read_op(run, group, "init", n), *m = constant(run, n, 0), *v = constant(run, n, 0);
    double *grads = read_op(run, group, "grads", dims[0] * n), *history = constant(run, dims[0] * n, 0),
           sums[2] = {0, 1};
    for (int64_t step = 0; step < dims[0]; step++) {
        op_begin(run);
        run->context.step = (uint32_t)step + 1;
        run->context.learning_rate = golden_double(run->golden, arena_printf(run->golden->arena, "/%s", group), "lr");
        op_in(run, 0, grads + step * n, n);
        op_in(run, 1, sums, 2);
        for (int o = 0; o < 3; o++)
            run->out[o] = o == 0 ? p : o == 1 ? m : v, run->n_out[o] = n;
        op_run(run, &op);
        memcpy(history + step * n, p, (size_t)n * sizeof *p);
    }
    compare_named(run, group, "history", history, dims[0] * n);
    compare_named(run, group, "m_final", m, n);
    compare_named(run, group, "v_final", v, n);
}

static const struct {
    const char *prefix; /* of the group's name */
    void (*check)(struct op_run *run, const char *group);
} named_checks[] = {
    {"adam", check_named_adam},      {"attention", check_named_attention}, {"embedding", check_named_embedding},
    {"gelu", check_named_gelu},      {"layernorm", check_named_layernorm}, {"linear", check_named_linear},
    {"masked_mae", check_named_mae}, {"softmax", check_named_softmax},
};

static void check_traffic_ops(struct golden *golden)
{
    int n, n_checks = sizeof named_checks / sizeof *named_checks;
    const char *const *groups = golden_list(golden, "/", &n);
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < n_checks && strncmp(groups[i], named_checks[k].prefix, strlen(named_checks[k].prefix)) != 0)
            k++;
        if (k == n_checks) {
            golden_skip(golden, groups[i], "an op this program does not know");
            continue;
        }
        for (int single = 0; single < 2; single++) {
            struct op_run run = {.golden = golden, .format = single ? FORMAT_FP32 : FORMAT_FP64};
            named_checks[k].check(&run, groups[i]);
        }
        golden_close_check(golden);
    }
}

#endif
