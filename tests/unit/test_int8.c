#include "kernel/int8.h"
#include "kernel_case.h"
#include "rank.h"

Suite *suite_int8(void);

/* Values as an array of integers sees them, by plain loops. */
struct operand {
    double scale;
    int64_t *q;
};

static struct operand quantised(size_t n, const double *x)
{
    struct operand operand = {0, malloc(n * sizeof(int64_t))};
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf((float)x[i]));
    float scale = largest / 127;
    if (scale == 0)
        scale = 1;
    for (size_t i = 0; i < n; i++) {
        float exact = (float)x[i] / scale, low = floorf(exact), above = exact - low;
        int64_t whole = (int64_t)low;
        operand.q[i] = above > 0.5f || (above == 0.5f && whole % 2 != 0) ? whole + 1 : whole;
        ck_assert(operand.q[i] >= -127 && operand.q[i] <= 127);
    }
    operand.scale = (double)scale;
    return operand;
}

/* a[i * a_row + k * a_step] b[j * b_column + k * b_step], summed in 64 bits. */
static double exact_sum(const struct operand *a, size_t a_at, size_t a_step, const struct operand *b, size_t b_at,
                        size_t b_step, size_t depth)
{
    int64_t sum = 0;
    for (size_t k = 0; k < depth; k++)
        sum += a->q[a_at + k * a_step] * b->q[b_at + k * b_step];
    ck_assert(sum <= INT32_MAX && sum >= INT32_MIN);
    return (double)(float)((double)sum * (a->scale * b->scale));
}

static void linear_case(struct kernel_case *test, enum op_kind kind, uint32_t place)
{
    static const int64_t sizes[][3] = {{1, 1, 1},     {5, 3, 2},    {48, 17, 33}, {97, 64, 130},
                                       {3, 2500, 19}, {2500, 7, 5}, {7, 31, 2500}};
    const int64_t *size = sizes[place % 7];
    size_t t = (size_t)size[0], c = (size_t)size[1], o = (size_t)size[2];
    *test = (struct kernel_case){.op = {.kind = kind, .samples = 1, .rows = size[0], .in = size[1], .out = size[2]}};
    test->op.accumulate = kind == OP_LINEAR_DX && place % 2;
    case_in(test, 0, kind == OP_LINEAR ? t * c : t * o, 10 * place, 2);
    case_in(test, 1, kind == OP_LINEAR_DW ? t * c : o * c, 10 * place, 0.1);
    if (kind == OP_LINEAR && place % 2)
        case_in(test, 2, o, 10 * place, 1);
    case_out(test, 0, kind == OP_LINEAR ? t * o : kind == OP_LINEAR_DX ? t * c : o * c, 10 * place);
}

/* Every result equals the one of 64-bit loops, to the bit. */
START_TEST(linear_ops_are_exact)
{
    static const enum op_kind kinds[] = {OP_LINEAR, OP_LINEAR_DX, OP_LINEAR_DW};
    enum op_kind kind = kinds[_i % 3];
    struct kernel_case test;
    linear_case(&test, kind, (uint32_t)(_i / 3));
    size_t t = (size_t)test.op.rows, c = (size_t)test.op.in, o = (size_t)test.op.out, n = test.n_out[0];
    double *before = malloc(n * sizeof *before);
    memcpy(before, test.out[0], n * sizeof *before);
    struct operand a = quantised(test.n_in[0], test.in[0]), b = quantised(test.n_in[1], test.in[1]);
    case_run(&test, FORMAT_INT8, -1);
    size_t columns = kind == OP_LINEAR ? o : c;
    for (size_t i = 0; i < n; i++) {
        size_t row = i / columns, column = i % columns;
        double sum = kind == OP_LINEAR      ? exact_sum(&a, row * c, 1, &b, column * c, 1, c)
                     : kind == OP_LINEAR_DX ? exact_sum(&a, row * o, 1, &b, column, c, o)
                                            : exact_sum(&a, row, o, &b, column, c, t);
        float expected = (float)sum;
        expected += test.in[2] ? (float)test.in[2][column] : 0;
        expected += test.op.accumulate ? (float)before[i] : 0;
        if (test.out[0][i] != (double)expected)
            ck_abort_msg("%s, result %zu: %.9g instead of %.9g", op_name(kind), i, test.out[0][i], (double)expected);
    }
    free(a.q), free(b.q), free(before);
    case_release(&test);
}
END_TEST

START_TEST(ties_go_to_even_and_zeros_stay)
{
    const float x[] = {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -126.5f}, q[] = {127, 0, 2, 2, 0, -2, -126};
    float to[7], zeros[3] = {0}, tiny[2] = {1e-45f, -1e-45f}, infinite[2] = {1, INFINITY};
    ck_assert_float_eq(int8_scale(7, x), 1);
    int8_quantise(7, x, 1, to);
    for (int i = 0; i < 7; i++)
        ck_assert_float_eq(to[i], q[i]);
    ck_assert_float_eq(int8_scale(3, zeros), 1);
    ck_assert_float_eq(int8_scale(2, tiny), 1);
    infinite[0] = NAN;
    ck_assert(isnan(int8_scale(2, infinite)));
}
END_TEST

START_TEST(not_a_number_is_not_hidden)
{
    for (int i = 0; i < 2; i++) {
        struct kernel_case test;
        linear_case(&test, OP_LINEAR, 2);
        test.in[0][3] = i ? NAN : INFINITY;
        case_run(&test, FORMAT_INT8, -1);
        ck_assert(isnan(test.out[0][0]));
        case_release(&test);
    }
}
END_TEST

static void attention_case(struct kernel_case *test, int backward, int packed, int64_t n, int64_t d)
{
    *test = (struct kernel_case){.op = {.kind = backward ? OP_ATTENTION_BWD : OP_ATTENTION,
                                        .samples = 2,
                                        .rows = 2 * n,
                                        .n_query = n,
                                        .n_key = n,
                                        .heads = 3,
                                        .head_width = d,
                                        .packed = packed}};
    size_t all = (size_t)(2 * n * 3 * d), scores = (size_t)(2 * 3 * n * n);
    int first = backward ? 1 : 0;
    if (backward)
        case_in(test, 0, all, 90, 1);
    for (int i = 0; i < (packed ? 1 : 3); i++)
        case_in(test, first + i, all * (packed ? 3 : 1), 91 + 7 * (uint32_t)i, 1);
    if (!backward) {
        case_out(test, 0, all, 140);
        case_out(test, 1, scores, 150);
        return;
    }
    case_in(test, 4, scores, 120, 1);
    for (size_t r = 0; r < scores / (size_t)n; r++) { /* rows of probabilities */
        double sum = 0;
        for (size_t j = 0; j < (size_t)n; j++)
            sum += fabs(test->in[4][r * (size_t)n + j]);
        for (size_t j = 0; j < (size_t)n; j++)
            test->in[4][r * (size_t)n + j] = (double)(float)(fabs(test->in[4][r * (size_t)n + j]) / sum);
    }
    for (int o = 0; o < (packed ? 1 : 3); o++)
        case_out(test, o, all * (packed ? 3 : 1), 160 + 10 * (uint32_t)o);
}

/* Close to the products of reals, and not the same; eight bits are a part in 254 of the largest operand. */
START_TEST(attention_is_near_the_reals)
{
    int backward = _i % 2, packed = _i / 2 % 2;
    static const int64_t sizes[][2] = {{1, 4}, {5, 3}, {57, 16}, {130, 33}};
    for (int s = 0; s < 4; s++) {
        struct kernel_case test, reference;
        attention_case(&test, backward, packed, sizes[s][0], sizes[s][1]);
        attention_case(&reference, backward, packed, sizes[s][0], sizes[s][1]);
        case_run(&test, FORMAT_INT8, -1);
        case_run(&reference, FORMAT_FP64, -1);
        for (int o = 0; o < 3; o++) {
            double error = 0, size = 0;
            for (size_t i = 0; test.out[o] && i < test.n_out[o]; i++) {
                error += pow(test.out[o][i] - reference.out[o][i], 2);
                size += pow(reference.out[o][i], 2);
            }
            if (!test.out[o] || (sizes[s][0] == 1 && backward))
                continue;
            ck_assert_msg(error <= 0.06 * 0.06 * size, "size %d, output %d: error %g of %g", s, o, sqrt(error),
                          sqrt(size));
            ck_assert(error > 0 || sizes[s][0] == 1);
        }
        case_release(&test);
        case_release(&reference);
    }
}
END_TEST

/* The first product alone: with values all multiples of the scale nothing is rounded, and scores are exact. */
START_TEST(attention_of_whole_numbers_has_exact_scores)
{
    enum { N = 6, D = 4 };
    struct kernel_case test, reference;
    attention_case(&test, 0, 0, N, D);
    attention_case(&reference, 0, 0, N, D);
    for (int i = 0; i < 2; i++)
        for (size_t e = 0; e < test.n_in[i]; e++) {
            double value = e / (3 * D) % N == 0 ? 127 : (double)((int)(e * 37 % 11) - 5);
            test.in[i][e] = reference.in[i][e] = value / 64;
        }
    case_run(&test, FORMAT_INT8, -1);
    case_run(&reference, FORMAT_FP64, -1);
    for (size_t i = 0; i < test.n_out[1]; i++)
        ck_assert_double_eq_tol(test.out[1][i], reference.out[1][i], 2e-6);
    case_release(&test);
    case_release(&reference);
}
END_TEST

/* Eight-bit weights and rows, each with a scale of its own: to the bit what 64-bit loops give; the same for a row
 * whatever rows are beside it; near the product of reals. */
START_TEST(rows_and_outputs_have_their_own_scales)
{
    struct kernel_case test, alone;
    linear_case(&test, OP_LINEAR, (uint32_t)_i);
    test.op.weight_bits = 8;
    size_t t = (size_t)test.op.rows, c = (size_t)test.op.in, o = (size_t)test.op.out;
    for (size_t i = 0; i < t * c; i++) /* rows of very different sizes */
        test.in[0][i] = (double)(float)(test.in[0][i] * (double)(1 + 100 * (i / c % 3)));
    case_run(&test, FORMAT_FP32, -1);
    alone = test;
    alone.op.rows = 1;
    alone.n_in[0] = c;
    alone.n_out[0] = o;
    alone.out[0] = case_values(o, 5, 1);
    case_run(&alone, FORMAT_FP16, -1);
    for (size_t j = 0; j < o; j++)
        ck_assert_double_eq(alone.out[0][j], test.out[0][j]);
    free(alone.out[0]);
    for (size_t i = 0; i < t; i++) {
        struct operand x = quantised(c, test.in[0] + i * c);
        for (size_t j = 0; j < o; j++) {
            struct operand w = quantised(c, test.in[1] + j * c);
            double sum = 0, real = 0, size = 0, bias = test.in[2] ? test.in[2][j] : 0;
            for (size_t k = 0; k < c; k++) {
                sum += (double)(x.q[k] * w.q[k]);
                real += test.in[0][i * c + k] * test.in[1][j * c + k];
                size += fabs(test.in[0][i * c + k] * test.in[1][j * c + k]);
            }
            float scaled = (float)((double)(float)sum * (x.scale * w.scale));
            ck_assert_double_eq(test.out[0][i * o + j], (double)(scaled + (float)bias));
            ck_assert_double_le(fabs((double)scaled - real), 0.02 * (size + 127 * x.scale * w.scale));
            free(w.q);
        }
        free(x.q);
    }
    case_release(&test);
}
END_TEST

/* On a GPU: large products at up to twice the rate, a few rows with half the weights to read; none without such units.
 */
START_TEST(products_of_bytes_are_faster_where_there_are_any)
{
    static const char *const profiles[] = {"a100-80g", "h100-sxm", "h200-sxm"};
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    void *state;
    struct op op = {.kind = OP_LINEAR, .rows = 4096, .in = 8192, .out = 8192, .tokens = TOKENS_ALL}, bytes = op;
    bytes.weight_bits = 8;
    for (int p = 0; p < 3; p++)
        for (int few = 0; few < 2; few++) {
            struct device_spec spec = {.name = "g",
                                       .kind = "gpu",
                                       .profile = profiles[p],
                                       .host_link = "pcie4",
                                       .idle_w = -1,
                                       .stores_format = 1};
            struct cost wide, narrow;
            spec.format = FORMAT_FP16;
            op.rows = bytes.rows = few ? 4 : 4096;
            ck_assert_msg(gpu_device.open(&spec, arena, &state, &fault) == STATUS_OK, "%s", fault.text);
            ck_assert(gpu_device.supports(state, &bytes));
            gpu_device.cost(state, &op, &wide);
            gpu_device.cost(state, &bytes, &narrow);
            ck_assert_uint_lt(narrow.time_ps, wide.time_ps);
            ck_assert_uint_gt(2 * narrow.time_ps, wide.time_ps);
            if (few)
                ck_assert(narrow.bytes > wide.bytes / 2 && narrow.bytes < wide.bytes * 51 / 100);
        }
    struct device_spec old = {
        .name = "g", .kind = "gpu", .profile = "v100", .host_link = "pcie4", .idle_w = -1, .format = FORMAT_FP16};
    ck_assert_int_eq(gpu_device.open(&old, arena, &state, &fault), STATUS_OK);
    ck_assert(gpu_device.supports(state, &op) && !gpu_device.supports(state, &bytes));
    arena_free(arena);
}
END_TEST

Suite *suite_int8(void)
{
    Suite *suite = suite_create("int8");
    TCase *tcase = tcase_create("products");
    tcase_add_loop_test(tcase, linear_ops_are_exact, 0, 21);
    tcase_add_loop_test(tcase, rows_and_outputs_have_their_own_scales, 0, 7);
    tcase_add_test(tcase, products_of_bytes_are_faster_where_there_are_any);
    tcase_add_test(tcase, ties_go_to_even_and_zeros_stay);
    tcase_add_test(tcase, not_a_number_is_not_hidden);
    tcase_add_loop_test(tcase, attention_is_near_the_reals, 0, 4);
    tcase_add_test(tcase, attention_of_whole_numbers_has_exact_scores);
    suite_add_tcase(suite, tcase);
    return suite;
}
