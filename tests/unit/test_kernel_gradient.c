/* Backward ops of the double set against central differences of their forward ops. */
#include "kernel_case.h"

Suite *suite_kernel_gradient(void);

static const double STEP = 1e-5;

/* sum of weights * outputs after a forward run: the scalar whose derivative the backward ops give. */
static double weighted(struct kernel_case *forward, const double *weights)
{
    double sum = 0;
    case_run(forward, FORMAT_FP64, -1);
    for (size_t i = 0; i < forward->n_out[0]; i++)
        sum += weights[i] * forward->out[0][i];
    return sum;
}

static double difference(struct kernel_case *forward, const double *weights, double *value)
{
    double kept = *value;
    *value = kept + STEP;
    double above = weighted(forward, weights);
    *value = kept - STEP;
    double below = weighted(forward, weights);
    *value = kept;
    return (above - below) / (2 * STEP);
}

/* Some elements of `values` against the gradient found for them. */
static void check_gradient(struct kernel_case *forward, const double *weights, double *values, const double *gradient,
                           size_t n)
{
    for (uint64_t probe = 0; probe < 12; probe++) {
        size_t i = (size_t)rng_below(case_key(9), 0, probe, n);
        double expected = difference(forward, weights, &values[i]);
        ck_assert_msg(fabs(expected - gradient[i]) < 2e-6 * fmax(1, fabs(expected)), "%s: gradient %zu is %g, found %g",
                      op_name(forward->op.kind), i, expected, gradient[i]);
    }
}

/* A backward case with the forward case's dimensions and no operands yet; `overwritten` outputs start as garbage. */
static struct kernel_case backward_of(const struct kernel_case *forward, enum op_kind kind)
{
    struct kernel_case backward = {.op = forward->op, .context = forward->context};
    backward.op.kind = kind;
    return backward;
}

static void give(struct kernel_case *test, int i, const double *values, size_t n)
{
    test->n_in[i] = n;
    test->in[i] = malloc(n * sizeof *values);
    memcpy(test->in[i], values, n * sizeof *values);
}

START_TEST(linear)
{
    struct kernel_case forward = case_of(OP_LINEAR, 100 + (uint32_t)_i);
    forward.op.act = ACT_NONE;
    double *dy = case_values(forward.n_out[0], 1, 1);
    struct kernel_case dx = backward_of(&forward, OP_LINEAR_DX), dw = backward_of(&forward, OP_LINEAR_DW);
    give(&dx, 0, dy, forward.n_out[0]);
    give(&dx, 1, forward.in[1], forward.n_in[1]);
    case_out(&dx, 0, forward.n_in[0], 3);
    give(&dw, 0, dy, forward.n_out[0]);
    give(&dw, 1, forward.in[0], forward.n_in[0]);
    case_out(&dw, 0, forward.n_in[1], 3);
    case_out(&dw, 1, (size_t)forward.op.out, 3);
    case_run(&dx, FORMAT_FP64, -1);
    case_run(&dw, FORMAT_FP64, -1);
    check_gradient(&forward, dy, forward.in[0], dx.out[0], forward.n_in[0]);
    check_gradient(&forward, dy, forward.in[1], dw.out[0], forward.n_in[1]);
    if (forward.in[2])
        check_gradient(&forward, dy, forward.in[2], dw.out[1], forward.n_in[2]);
    case_release(&dx);
    case_release(&dw);
    case_release(&forward);
    free(dy);
}
END_TEST

START_TEST(activation)
{
    struct kernel_case forward = {
        .op = {.kind = OP_LINEAR, .rows = 50, .in = 1, .out = 1, .act = _i ? ACT_GELU : ACT_RELU}};
    case_in(&forward, 0, 50, 4, 2);
    case_in(&forward, 1, 1, 4, 1);
    forward.in[1][0] = 1;
    case_out(&forward, 0, 50, 4);
    if (_i)
        case_out(&forward, 1, 50, 4);
    double *dy = case_values(50, 1, 1);
    case_run(&forward, FORMAT_FP64, -1);
    struct kernel_case backward = backward_of(&forward, OP_ACT_BWD);
    give(&backward, 0, dy, 50);
    give(&backward, 1, forward.out[_i], 50);
    case_out(&backward, 0, 50, 5);
    case_run(&backward, FORMAT_FP64, -1);
    check_gradient(&forward, dy, forward.in[0], backward.out[0], 50);
    case_release(&backward);
    case_release(&forward);
    free(dy);
}
END_TEST

START_TEST(attention)
{
    struct kernel_case forward = case_of(OP_ATTENTION, 200 + (uint32_t)_i);
    double *dy = case_values(forward.n_out[0], 1, 1);
    case_run(&forward, FORMAT_FP64, -1);
    struct kernel_case backward = backward_of(&forward, OP_ATTENTION_BWD);
    give(&backward, 0, dy, forward.n_out[0]);
    give(&backward, 4, forward.out[1], forward.n_out[1]);
    for (int i = 0; i < 3; i++)
        if (forward.in[i]) {
            give(&backward, i + 1, forward.in[i], forward.n_in[i]);
            case_out(&backward, i, forward.n_in[i], 5);
        }
    case_run(&backward, FORMAT_FP64, -1);
    for (int i = 0; i < 3; i++)
        if (forward.in[i])
            check_gradient(&forward, dy, forward.in[i], backward.out[i], forward.n_in[i]);
    case_release(&backward);
    case_release(&forward);
    free(dy);
}
END_TEST

/* Loops over with and without dropout, with and without a gradient that is already there. */
START_TEST(norm)
{
    struct kernel_case forward = {
        .op = {.kind = OP_NORM, .rows = 5, .in = 13, .eps = 1e-5, .dropout = _i & 1 ? 0.4 : 0, .site = 3},
        .context = {.seed = 8, .step = 2, .first_row = 7}};
    for (int i = 0; i < 4; i++)
        case_in(&forward, i, i < 2 ? 65 : 13, 6, 1);
    for (int o = 0; o < 3; o++)
        case_out(&forward, o, o < 2 ? 65 : 10, 6);
    double *dy = case_values(65, 1, 1);
    case_run(&forward, FORMAT_FP64, -1);
    struct kernel_case backward = backward_of(&forward, OP_NORM_BWD);
    backward.op.accumulate = (_i & 2) != 0;
    give(&backward, 0, dy, 65);
    give(&backward, 1, forward.out[1], 65);
    give(&backward, 2, forward.out[2], 10);
    give(&backward, 3, forward.in[2], 13);
    for (int o = 0; o < 4; o++)
        case_out(&backward, o, o < 2 ? 65 : 13, 7);
    double before[65];
    memcpy(before, backward.out[0], sizeof before);
    case_run(&backward, FORMAT_FP64, -1);
    for (int i = 0; i < 65 && backward.op.accumulate; i++)
        backward.out[0][i] -= before[i];
    check_gradient(&forward, dy, forward.in[0], backward.out[0], 65);
    if (forward.op.dropout > 0)
        check_gradient(&forward, dy, forward.in[1], backward.out[1], 65);
    check_gradient(&forward, dy, forward.in[2], backward.out[2], 13);
    check_gradient(&forward, dy, forward.in[3], backward.out[3], 13);
    case_release(&backward);
    case_release(&forward);
    free(dy);
}
END_TEST

START_TEST(loss)
{
    struct kernel_case forward = case_of(OP_LOSS, 300 + (uint32_t)_i);
    const double weights[2] = {1, 0};
    if (!forward.out[1])
        case_out(&forward, 1, forward.n_in[0], 3);
    case_run(&forward, FORMAT_FP64, -1);
    double *dy = malloc(forward.n_in[0] * sizeof *dy);
    memcpy(dy, forward.out[1], forward.n_in[0] * sizeof *dy);
    forward.in[0][0] += 0.1; /* its residual is 0, where the absolute value has no derivative */
    case_run(&forward, FORMAT_FP64, -1);
    memcpy(dy, forward.out[1], forward.n_in[0] * sizeof *dy);
    check_gradient(&forward, weights, forward.in[0], dy, forward.n_in[0]);
    case_release(&forward);
    free(dy);
}
END_TEST

/* y = act(x): ReLU keeps y, GELU x. */
START_TEST(activation_alone)
{
    struct kernel_case forward = case_of(OP_ACTIVATION, 500 + (uint32_t)_i);
    double *dy = case_values(forward.n_out[0], 1, 1);
    case_run(&forward, FORMAT_FP64, -1);
    struct kernel_case backward = backward_of(&forward, OP_ACT_BWD);
    give(&backward, 0, dy, forward.n_out[0]);
    give(&backward, 1, forward.op.act == ACT_GELU ? forward.in[0] : forward.out[0], forward.n_out[0]);
    case_out(&backward, 0, forward.n_in[0], 5);
    case_run(&backward, FORMAT_FP64, -1);
    check_gradient(&forward, dy, forward.in[0], backward.out[0], forward.n_in[0]);
    case_release(&backward);
    case_release(&forward);
    free(dy);
}
END_TEST

/* It is linear, so about the share p of the outputs is 0, and what it does to x is what it does to the gradient. */
START_TEST(dropout)
{
    struct kernel_case forward = case_of(OP_DROPOUT, 520 + (uint32_t)_i);
    double *dy = case_values(forward.n_out[0], 1, 1);
    struct kernel_case backward = backward_of(&forward, OP_DROPOUT);
    give(&backward, 0, dy, forward.n_out[0]);
    case_out(&backward, 0, forward.n_in[0], 5);
    case_run(&backward, FORMAT_FP64, -1);
    check_gradient(&forward, dy, forward.in[0], backward.out[0], forward.n_in[0]);
    double n = (double)forward.n_out[0], p = forward.op.dropout, dropped = 0;
    for (size_t i = 0; i < forward.n_out[0]; i++)
        dropped += forward.out[0][i] == 0;
    ck_assert_double_le(fabs(dropped / n - p), 4 * sqrt(p * (1 - p) / n));
    case_release(&backward);
    case_release(&forward);
    free(dy);
}
END_TEST

START_TEST(add_part)
{
    struct kernel_case forward = case_of(OP_ADD_PART, 540 + (uint32_t)_i);
    double *dy = case_values(forward.n_out[0], 1, 1);
    struct kernel_case backward = backward_of(&forward, OP_PART);
    give(&backward, 0, dy, forward.n_out[0]);
    case_out(&backward, 0, forward.n_in[1], 5);
    case_run(&backward, FORMAT_FP64, -1);
    check_gradient(&forward, dy, forward.in[0], dy, forward.n_in[0]);
    check_gradient(&forward, dy, forward.in[1], backward.out[0], forward.n_in[1]);
    case_release(&backward);
    case_release(&forward);
    free(dy);
}
END_TEST

/* A permutation: what JOIN_HEADS makes of the pieces is what was split, in both sets. */
START_TEST(heads_are_split_and_joined)
{
    enum number_format format = _i % 2 ? FORMAT_FP64 : FORMAT_FP32;
    struct kernel_case split = case_of(OP_SPLIT_HEADS, 560 + (uint32_t)_i);
    for (int g = 0; g < split.op.groups; g++) {
        int64_t first, heads = op_group_heads(split.op.heads, split.op.groups, g, &first);
        if (!split.out[g])
            case_out(&split, g, (size_t)(split.op.rows * split.op.parts * heads * split.op.head_width), 6);
    }
    case_run(&split, format, -1);
    struct kernel_case join = backward_of(&split, OP_JOIN_HEADS);
    for (int g = 0; g < split.op.groups; g++)
        give(&join, g, split.out[g], split.n_out[g]);
    case_out(&join, 0, split.n_in[0], 3);
    case_run(&join, format, -1);
    ck_assert_mem_eq(join.out[0], split.in[0], split.n_in[0] * sizeof(double));
    ck_assert_double_eq(split.out[0][0], split.in[0][0]);
    int64_t first;
    op_group_heads(split.op.heads, split.op.groups, split.op.groups - 1, &first);
    ck_assert_double_eq(split.out[split.op.groups - 1][0], split.in[0][first * split.op.head_width]);
    case_release(&join);
    case_release(&split);
}
END_TEST

/* SPLIT undoes CONCAT, which makes it its transpose. */
START_TEST(split_is_the_backward_of_concat)
{
    for (int f = 0; f < 2; f++) {
        struct kernel_case concat = case_of(OP_CONCAT, 401);
        case_run(&concat, f ? FORMAT_FP64 : FORMAT_FP32, -1);
        struct kernel_case split = backward_of(&concat, OP_SPLIT);
        give(&split, 0, concat.out[0], concat.n_out[0]);
        case_out(&split, 0, concat.n_in[0], 3);
        case_out(&split, 1, concat.n_in[1], 3);
        case_run(&split, f ? FORMAT_FP64 : FORMAT_FP32, -1);
        for (int o = 0; o < 2; o++)
            ck_assert_mem_eq(split.out[o], concat.in[o], concat.n_in[o] * sizeof(double));
        case_release(&split);
        case_release(&concat);
    }
}
END_TEST

Suite *suite_kernel_gradient(void)
{
    Suite *suite = suite_create("kernel_gradient");
    TCase *tcase = tcase_create("differences");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, linear, 0, 8);
    tcase_add_loop_test(tcase, activation, 0, 2);
    tcase_add_loop_test(tcase, attention, 0, 8);
    tcase_add_loop_test(tcase, norm, 0, 4);
    tcase_add_loop_test(tcase, loss, 0, 6);
    tcase_add_loop_test(tcase, activation_alone, 0, 4);
    tcase_add_loop_test(tcase, dropout, 0, 8);
    tcase_add_loop_test(tcase, add_part, 0, 8);
    tcase_add_loop_test(tcase, heads_are_split_and_joined, 0, 16);
    tcase_add_test(tcase, split_is_the_backward_of_concat);
    suite_add_tcase(suite, tcase);
    return suite;
}
