#include "kernel_case.h"

Suite *suite_kernel(void);

enum { CASES_PER_OP = 150, N_ARITHMETIC = OP_UPDATE + 1 };

/* Those on the tokens of an iteration have tests of their own: test_tokens.c, test_kv.c. */
static int is_on_tokens(int kind)
{
    return kind >= OP_EMBED_TOKENS && kind <= OP_SAMPLE;
}

/* Largest difference over the largest value of the reference (not counting below `floor`); not a number is a
 * difference. */
static double distance(const double *found, const double *reference, size_t n, double floor)
{
    double difference = 0, largest = floor;
    for (size_t i = 0; i < n; i++) {
        double off = fabs(found[i] - reference[i]);
        difference = isnan(off) ? INFINITY : fmax(difference, off);
        largest = fmax(largest, fabs(reference[i]));
    }
    return difference / largest;
}

static void compare(const struct kernel_case *found, const struct kernel_case *reference, double tolerance,
                    uint32_t place)
{
    for (int o = 0; o < OP_MAX_OUT; o++) {
        if (!found->out[o])
            continue;
        double off = distance(found->out[o], reference->out[o], found->n_out[o], 0.1);
        ck_assert_msg(off <= tolerance, "%s, case %u, output %d: off by %g", op_name(found->op.kind), place, o, off);
    }
}

/* A small variance or large scores magnify what float arithmetic loses. */
static double tolerance_of(enum op_kind kind, uint32_t place)
{
    if (op_class(kind) == CLASS_NORM)
        return 4e-5;
    return op_class(kind) == CLASS_ATTENTION && place % 7 == 0 ? 4e-5 : 1e-5;
}

START_TEST(both_sets_agree)
{
    enum op_kind kind = (enum op_kind)_i;
    for (uint32_t c = 0; c < CASES_PER_OP && !is_on_tokens(kind); c++) {
        uint32_t place = (uint32_t)kind * 1000 + c;
        struct kernel_case fast = case_of(kind, place), reference = case_of(kind, place);
        case_run(&fast, FORMAT_FP32, -1);
        case_run(&reference, FORMAT_FP64, -1);
        compare(&fast, &reference, tolerance_of(kind, place), place);
        case_release(&fast);
        case_release(&reference);
    }
}
END_TEST

/* What each format may lose of its operands: half a unit in the last place, and sums of products of them. */
START_TEST(formats_stay_near_and_differ)
{
    static const enum op_kind kinds[] = {OP_LINEAR, OP_LINEAR_DX, OP_LINEAR_DW, OP_ATTENTION, OP_ATTENTION_BWD};
    static const double tolerance[] = {[FORMAT_TF32] = 6e-3, [FORMAT_BF16] = 5e-2, [FORMAT_FP16] = 6e-3};
    enum number_format format = (enum number_format)_i;
    double total = 0;
    for (size_t k = 0; k < 5; k++)
        for (uint32_t place = 1; place < 20; place++) {
            struct kernel_case fast = case_of(kinds[k], place), reference = case_of(kinds[k], place);
            case_run(&fast, format, -1);
            case_run(&reference, FORMAT_FP64, -1);
            if (place % 7)
                compare(&fast, &reference, tolerance[format], place);
            total += distance(fast.out[0], reference.out[0], fast.n_out[0], 0.1);
            case_release(&fast);
            case_release(&reference);
        }
    ck_assert_double_gt(total / 95, 1e-5);
}
END_TEST

/* Operands that are exact in the format give what fp32 gives. */
START_TEST(rounding_operands_is_all_that_a_format_does)
{
    static const enum op_kind kinds[] = {OP_LINEAR, OP_LINEAR_DX, OP_LINEAR_DW};
    for (int k = 0; k < 3; k++)
        for (uint32_t place = 0; place < 30; place++) {
            struct kernel_case plain = case_of(kinds[k], place), other = case_of(kinds[k], place);
            for (int i = 0; i < 2; i++)
                for (size_t e = 0; e < plain.n_in[i]; e++)
                    plain.in[i][e] = other.in[i][e] = rint(plain.in[i][e] * 4) / 4;
            case_run(&plain, FORMAT_FP32, -1);
            case_run(&other, (enum number_format)_i, -1);
            compare(&other, &plain, 0, place);
            case_release(&plain);
            case_release(&other);
        }
}
END_TEST

START_TEST(outputs_may_be_inputs)
{
    static const struct {
        enum op_kind kind;
        int input;
    } allowed[] = {{OP_ACT_BWD, 0}, {OP_ADD, 0},      {OP_ADD, 1},    {OP_ADD_LAST, 0},
                   {OP_ADD_POS, 0}, {OP_ADD_PART, 0}, {OP_DROPOUT, 0}};
    for (size_t a = 0; a < sizeof allowed / sizeof allowed[0]; a++)
        for (uint32_t place = 0; place < 20; place++)
            for (int f = 0; f < 2; f++) {
                enum number_format format = f ? FORMAT_FP64 : FORMAT_FP32;
                struct kernel_case apart = case_of(allowed[a].kind, place), shared = case_of(allowed[a].kind, place);
                case_run(&apart, format, -1);
                case_run(&shared, format, allowed[a].input);
                compare(&shared, &apart, 0, place);
                case_release(&apart);
                case_release(&shared);
            }
}
END_TEST

/* The same bytes twice, with other things run in between and another content of scratch and outputs before. */
START_TEST(runs_repeat_to_the_bit)
{
    for (int kind = 0; kind < N_ARITHMETIC; kind++)
        for (uint32_t place = 0; place < 5 && !is_on_tokens(kind); place++) {
            struct kernel_case first = case_of((enum op_kind)kind, place), again = case_of((enum op_kind)kind, place);
            struct kernel_case other = case_of(OP_LOSS, place + 100);
            case_run(&first, (enum number_format)_i, -1);
            case_run(&other, FORMAT_FP32, -1);
            case_run(&again, (enum number_format)_i, -1);
            for (int o = 0; o < OP_MAX_OUT; o++)
                if (first.out[o])
                    ck_assert_mem_eq(first.out[o], again.out[o], first.n_out[o] * sizeof(double));
            case_release(&first);
            case_release(&again);
            case_release(&other);
        }
}
END_TEST

/* The rows of a linear layer and of attention do not know of each other: half a minibatch gives half of the bytes. */
START_TEST(rows_do_not_depend_on_their_neighbours)
{
    for (uint32_t place = 0; place < 40; place++) {
        struct kernel_case whole = case_of(OP_LINEAR, place), part = case_of(OP_LINEAR, place);
        if (whole.op.rows < 128) {
            case_release(&whole);
            case_release(&part);
            continue;
        }
        part.op.rows = 64 + place % 5;
        part.n_in[0] = (size_t)(part.op.rows * part.op.in);
        part.n_out[0] = (size_t)(part.op.rows * part.op.out);
        part.n_out[1] = part.out[1] ? part.n_out[0] : 0;
        case_run(&whole, FORMAT_FP32, -1);
        case_run(&part, FORMAT_FP32, -1);
        ck_assert_mem_eq(whole.out[0], part.out[0], part.n_out[0] * sizeof(double));
        case_release(&whole);
        case_release(&part);
    }
}
END_TEST

/* Shapes beyond the tiles: BLAS does them. */
START_TEST(large_products_agree)
{
    static const enum op_kind kinds[] = {OP_LINEAR, OP_LINEAR_DX, OP_LINEAR_DW};
    for (uint32_t place = 0; place < 6; place++) {
        enum op_kind kind = kinds[place % 3];
        struct kernel_case pair[2];
        for (int f = 0; f < 2; f++) {
            pair[f] = (struct kernel_case){
                .op = {.kind = kind, .rows = 97, .in = 530, .out = 520, .act = place < 3 ? ACT_RELU : ACT_GELU}};
            size_t t = 97, c = 530, o = 520;
            case_in(&pair[f], 0, kind == OP_LINEAR ? t * c : t * o, place, 1);
            case_in(&pair[f], 1, kind == OP_LINEAR_DW ? t * c : o * c, place, 1);
            if (kind == OP_LINEAR)
                case_in(&pair[f], 2, o, place, 1);
            case_out(&pair[f], 0, kind == OP_LINEAR ? t * o : kind == OP_LINEAR_DX ? t * c : o * c, place);
            if (kind == OP_LINEAR && place >= 3)
                case_out(&pair[f], 1, t * o, place);
            case_run(&pair[f], f ? FORMAT_FP64 : place < 3 ? FORMAT_FP32 : FORMAT_TF32, -1);
        }
        compare(&pair[0], &pair[1], place < 3 ? 1e-5 : 2e-3, place);
        case_release(&pair[0]);
        case_release(&pair[1]);
    }
}
END_TEST

/* The double set's products come from BLAS: against the sum written out. */
START_TEST(double_linear_is_the_formula)
{
    struct kernel_case test = case_of(OP_LINEAR, 12);
    case_run(&test, FORMAT_FP64, -1);
    size_t c = (size_t)test.op.in, o = (size_t)test.op.out;
    for (size_t i = 0; i < test.n_out[0]; i++) {
        double z = test.in[2] ? test.in[2][i % o] : 0;
        for (size_t k = 0; k < c; k++)
            z += test.in[0][i / o * c + k] * test.in[1][i % o * c + k];
        double y = test.op.act == ACT_RELU ? fmax(z, 0) : test.op.act == ACT_GELU ? 0.5 * z * erfc(-z / sqrt(2)) : z;
        ck_assert_double_eq_tol(test.out[0][i], y, 1e-12);
    }
    case_release(&test);
}
END_TEST

static struct kernel_case scores_of(const double *q, const double *k, size_t n)
{
    struct kernel_case test = {
        .op = {.kind = OP_ATTENTION, .samples = 1, .n_query = 1, .n_key = (int64_t)n, .heads = 1, .head_width = 1}};
    case_in(&test, 0, 1, 1, 1);
    case_in(&test, 1, n, 1, 1);
    case_in(&test, 2, n, 1, 1);
    test.in[0][0] = *q;
    memcpy(test.in[1], k, n * sizeof *k);
    case_out(&test, 0, 1, 1);
    case_out(&test, 1, n, 1);
    return test;
}

START_TEST(softmax_survives_extremes)
{
    static const double one = 1,
                        scores[][4] = {
                            {1e4, -1e4, 0, 1e4}, {-1e30, -1e30, -1e30, -1e30}, {88, -88, 0, -104}, {3e38, -3e38, 0, 0}};
    static const double expected[][4] = {{0.5, 0, 0, 0.5}, {0.25, 0.25, 0.25, 0.25}, {1, 0, 0, 0}, {1, 0, 0, 0}};
    for (int f = 0; f < 2; f++)
        for (int s = 0; s < 4; s++) {
            struct kernel_case test = scores_of(&one, scores[s], 4);
            case_run(&test, f ? FORMAT_FP64 : FORMAT_FP32, -1);
            for (int j = 0; j < 4; j++)
                ck_assert_double_eq_tol(test.out[1][j], expected[s][j], 1e-6);
            case_release(&test);
        }
}
END_TEST

START_TEST(softmax_does_not_hide_what_is_not_a_number)
{
    static const double one = 1, scores[4] = {1, NAN, 2, 0};
    for (int f = 0; f < 2; f++) {
        struct kernel_case test = scores_of(&one, scores, 4);
        case_run(&test, f ? FORMAT_FP64 : FORMAT_FP32, -1);
        ck_assert_double_nan(test.out[0][0]);
        case_release(&test);
    }
}
END_TEST

START_TEST(norm_survives_a_large_mean)
{
    for (int f = 0; f < 2; f++) {
        struct kernel_case test = {.op = {.kind = OP_NORM, .rows = 3, .in = 64, .eps = 1e-12}};
        case_in(&test, 0, 192, 3, 1e-3);
        for (int i = 0; i < 192; i++)
            test.in[0][i] = (double)(float)(test.in[0][i] + 100);
        for (int i = 2; i < 4; i++) {
            case_in(&test, i, 64, 3, 1);
            for (int c = 0; c < 64; c++)
                test.in[i][c] = i == 2;
        }
        case_out(&test, 0, 192, 3);
        case_out(&test, 2, 6, 3);
        case_run(&test, f ? FORMAT_FP64 : FORMAT_FP32, -1);
        for (int t = 0; t < 3; t++) {
            double sum = 0, squares = 0;
            for (int c = 0; c < 64; c++) {
                sum += test.out[0][t * 64 + c];
                squares += test.out[0][t * 64 + c] * test.out[0][t * 64 + c];
            }
            ck_assert_double_eq_tol(sum / 64, 0, f ? 1e-9 : 0.02);
            ck_assert_double_eq_tol(squares / 64, 1, f ? 1e-5 : 0.01);
        }
        case_release(&test);
    }
}
END_TEST

/* PyTorch's first AdamW step by hand: p (1 - lr wd) - lr sign(g) for g far above eps. */
START_TEST(first_adamw_step_is_known)
{
    for (int f = 0; f < 2; f++) {
        struct kernel_case test = {.op = {.kind = OP_UPDATE,
                                          .rows = 1,
                                          .optimiser = OPTIMISER_ADAMW,
                                          .beta1 = 0.9,
                                          .beta2 = 0.999,
                                          .optimiser_eps = 1e-8,
                                          .weight_decay = 0.01},
                                   .context = {.step = 1, .learning_rate = 1e-3}};
        case_in(&test, 0, 1, 1, 1);
        case_in(&test, 1, 2, 1, 1);
        test.in[0][0] = 8, test.in[1][1] = 4;
        for (int o = 0; o < 3; o++) {
            case_out(&test, o, 1, 1);
            test.out[o][0] = o == 0;
        }
        case_run(&test, f ? FORMAT_FP64 : FORMAT_FP32, -1);
        ck_assert_double_eq_tol(test.out[0][0], (1 - 1e-5) - 1e-3, f ? 1e-11 : 1e-7);
        ck_assert_double_eq_tol(test.out[1][0], 0.2, 1e-7);
        ck_assert_double_eq_tol(test.out[2][0], 0.004, 1e-8);
        case_release(&test);
    }
}
END_TEST

START_TEST(every_kind_has_name_class_and_work)
{
    for (int kind = 0; kind < N_OP_KINDS; kind++) {
        ck_assert_str_ne(op_name((enum op_kind)kind), "");
        ck_assert_str_ne(kernel_class_name(op_class((enum op_kind)kind)), "");
    }
    for (int format = 0; format < N_NUMBER_FORMATS; format++)
        ck_assert_str_ne(number_format_name((enum number_format)format), "");
    for (int kind = 0; kind < N_ARITHMETIC; kind++) {
        if (is_on_tokens(kind))
            continue;
        struct kernel_case test = case_of((enum op_kind)kind, 3);
        int moves = kind == OP_CONCAT || kind == OP_SPLIT || kind == OP_SPLIT_HEADS || kind == OP_JOIN_HEADS ||
                    kind == OP_PERMUTE;
        ck_assert_int_eq(op_flops(&test.op) > 0, !moves);
        case_release(&test);
    }
    struct op linear = {.kind = OP_LINEAR, .rows = 5, .in = 7, .out = 3};
    ck_assert_uint_eq(op_flops(&linear), 2 * 5 * 7 * 3 + 15);
}
END_TEST

Suite *suite_kernel(void)
{
    Suite *suite = suite_create("kernel");
    TCase *tcase = tcase_create("sets");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, both_sets_agree, 0, N_ARITHMETIC);
    tcase_add_loop_test(tcase, formats_stay_near_and_differ, FORMAT_TF32, FORMAT_FP64);
    tcase_add_loop_test(tcase, rounding_operands_is_all_that_a_format_does, FORMAT_TF32, FORMAT_FP64);
    tcase_add_test(tcase, outputs_may_be_inputs);
    tcase_add_loop_test(tcase, runs_repeat_to_the_bit, 0, N_NUMBER_FORMATS);
    tcase_add_test(tcase, rows_do_not_depend_on_their_neighbours);
    tcase_add_test(tcase, large_products_agree);
    tcase_add_test(tcase, double_linear_is_the_formula);
    tcase_add_test(tcase, softmax_survives_extremes);
    tcase_add_test(tcase, softmax_does_not_hide_what_is_not_a_number);
    tcase_add_test(tcase, norm_survives_a_large_mean);
    tcase_add_test(tcase, first_adamw_step_is_known);
    tcase_add_test(tcase, every_kind_has_name_class_and_work);
    suite_add_tcase(suite, tcase);
    return suite;
}
