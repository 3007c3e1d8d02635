/* Masked attention against the formula written down again, and what a mask must never let through. */
#include "kernel_case.h"

Suite *suite_mask(void);

enum { ROUNDS = 60 };

static const enum number_format formats[] = {FORMAT_FP64, FORMAT_FP32, FORMAT_BF16, FORMAT_INT8};

/* Packed attention of one sample: n tokens, two heads. */
static struct kernel_case masked_case(int64_t n, int64_t width, int64_t block, uint32_t place)
{
    struct kernel_case test = {.op = {.kind = OP_ATTENTION,
                                      .samples = 1,
                                      .rows = n,
                                      .n_query = n,
                                      .n_key = n,
                                      .heads = 2,
                                      .head_width = width,
                                      .packed = 1,
                                      .causal_block = block}};
    size_t all = (size_t)(n * 2 * width);
    case_in(&test, 0, 3 * all, place, 1);
    case_out(&test, 0, all, place);
    case_out(&test, 1, (size_t)(2 * n * n), place);
    return test;
}

enum { MOST_PLACES = 7 };

/* Who sees whom among some places, by chance. */
struct places {
    struct neighbours near;
    uint8_t sees[MOST_PLACES * MOST_PLACES];
};

static const struct neighbours *random_places(struct places *places, uint32_t round)
{
    int64_t n = case_size(round, 5, MOST_PLACES);
    for (int64_t i = 0; i < n * n; i++)
        places->sees[i] = i / n == i % n || case_size(round, 10 + (uint32_t)i, 3) == 1;
    places->near = (struct neighbours){.n = n, .sees = places->sees};
    return &places->near;
}

static int sees(const struct op *op, int64_t query, int64_t key)
{
    const struct neighbours *near = op->near;
    return (!op->causal_block || key / op->causal_block <= query / op->causal_block) &&
           (!near || near->sees[query % near->n * near->n + key % near->n]);
}

/* Probabilities and context of one query and head, a sum over the keys that are seen. */
static void naive(const struct kernel_case *test, int64_t head, int64_t query, double *p, double *o)
{
    const int64_t n = test->op.n_query, d = test->op.head_width, row = 6 * d;
    const double *q = test->in[0] + query * row + head * d;
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        const double *k = test->in[0] + j * row + 2 * d + head * d;
        double score = 0;
        for (int64_t c = 0; c < d; c++)
            score += q[c] * k[c];
        p[j] = sees(&test->op, query, j) ? exp(score / sqrt((double)d)) : 0;
        sum += p[j];
    }
    memset(o, 0, (size_t)d * sizeof *o);
    for (int64_t j = 0; j < n; j++) {
        p[j] /= sum;
        for (int64_t c = 0; c < d; c++)
            o[c] += p[j] * test->in[0][j * row + 4 * d + head * d + c];
    }
}

START_TEST(double_attention_is_the_formula)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        int64_t n = case_size(round, 0, 40), width = case_size(round, 1, 9), block = case_size(round, 2, n + 2);
        struct places places;
        const struct neighbours *near = round % 2 ? random_places(&places, round) : NULL;
        n = near ? near->n * (1 + n / near->n) : n;
        struct kernel_case test = masked_case(n, width, near && round % 3 == 0 ? 0 : block, round);
        test.op.near = near;
        double *p = malloc((size_t)n * sizeof *p), *o = malloc((size_t)width * sizeof *o), off = 0;
        case_run(&test, FORMAT_FP64, -1);
        for (int64_t head = 0; head < 2; head++)
            for (int64_t i = 0; i < n; i++) {
                naive(&test, head, i, p, o);
                for (int64_t j = 0; j < n; j++)
                    off = fmax(off, fabs(test.out[1][(head * n + i) * n + j] - p[j]));
                for (int64_t c = 0; c < width; c++)
                    off = fmax(off, fabs(test.out[0][(i * 2 + head) * width + c] - o[c]));
            }
        ck_assert_msg(off < 1e-12, "round %u: off by %g", round, off);
        free(p);
        free(o);
        case_release(&test);
    }
}
END_TEST

START_TEST(what_is_not_seen_has_no_probability_at_all)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        int64_t n = case_size(round, 0, 140), block = case_size(round, 2, n);
        struct places places;
        const struct neighbours *near = _i >= 4 ? random_places(&places, round) : NULL;
        n = near ? near->n * (1 + n / near->n) : n;
        struct kernel_case test = masked_case(n, 3, near && round % 3 == 0 ? 0 : block, round);
        test.op.near = near;
        for (size_t i = 0; near && round % 4 == 0 && i < test.n_in[0]; i++)
            test.in[0][i] *= 40; /* scores that are made again from doubles */
        int wrong = 0;
        case_run(&test, formats[_i % 4], -1);
        for (int64_t r = 0; r < 2 * n; r++) {
            double sum = 0;
            for (int64_t j = 0; j < n; j++) {
                double p = test.out[1][r * n + j];
                int is_large = near && round % 4 == 0; /* where a share may be too small for a number */
                wrong += sees(&test.op, r % n, j) ? !(p > 0 || (is_large && p == 0)) : p != 0;
                sum += p;
            }
            wrong += fabs(sum - 1) > 1e-5;
        }
        ck_assert_msg(wrong == 0, "round %u: %d of %lld x %lld probabilities", round, wrong, (long long)n,
                      (long long)n);
        case_release(&test);
    }
}
END_TEST

/* Values of places that a place does not see change nothing of its context. (In INT8 they do: one scale for all of a
 * head.) */
START_TEST(what_is_not_near_changes_nothing)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct places places;
        const struct neighbours *near = random_places(&places, round);
        int64_t n = near->n * (1 + case_size(round, 0, 6)), block = round % 2 ? near->n : 0;
        struct kernel_case before = masked_case(n, 8, block, round), after = masked_case(n, 8, block, round);
        before.op.near = after.op.near = near;
        const size_t row = 3 * 2 * 8;
        const int64_t place = case_size(round, 7, near->n) - 1;
        for (size_t i = 0; i < row; i++)
            for (int64_t t = 0; t < n; t++)
                if (t % near->n == place)
                    before.in[0][(size_t)t * row + i] = after.in[0][(size_t)t * row + i] = i % 2 ? 4 : -4;
        for (int64_t t = 0; t < n; t++)
            for (size_t i = 0; i < row && t % near->n != place; i++)
                if (!near->sees[place * near->n + t % near->n])
                    after.in[0][(size_t)t * row + i] *= -0.5;
        case_run(&before, formats[_i], -1);
        case_run(&after, formats[_i], -1);
        for (int64_t t = place; t < n; t += near->n)
            ck_assert_mem_eq(before.out[0] + t * 16, after.out[0] + t * 16, 16 * sizeof(double));
        case_release(&before);
        case_release(&after);
    }
}
END_TEST

/* Later steps get other values; contexts and probabilities of the steps before keep every byte. The largest values of
 * all are in the first token, so that the one scale of INT8 stays. */
START_TEST(a_later_step_changes_nothing_before_it)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        int64_t block = case_size(round, 2, 20), steps = 2 + (int64_t)(round % 5), n = steps * block;
        int64_t from = block * (1 + (int64_t)(round / 5) % (steps - 1));
        struct kernel_case before = masked_case(n, 8, block, round), after = masked_case(n, 8, block, round);
        size_t row = 3 * 2 * 8;
        for (size_t i = 0; i < row; i++)
            before.in[0][i] = after.in[0][i] = i % 2 ? 4 : -4;
        for (size_t i = (size_t)from * row; i < after.n_in[0]; i++)
            after.in[0][i] = -0.5 * after.in[0][i] + 0.25;
        case_run(&before, formats[_i], -1);
        case_run(&after, formats[_i], -1);
        ck_assert_mem_eq(before.out[0], after.out[0], (size_t)from * 16 * sizeof(double));
        ck_assert_mem_eq(before.out[1], after.out[1], (size_t)(from * n) * sizeof(double));
        ck_assert(memcmp(before.out[0], after.out[0], before.n_out[0] * sizeof(double)) != 0);
        case_release(&before);
        case_release(&after);
    }
}
END_TEST

/* One block of all keys is no mask; blocks of 1 see half of the pairs, and work is counted by what is seen. */
START_TEST(work_is_counted_by_pairs)
{
    struct op op = {.kind = OP_ATTENTION, .samples = 3, .n_query = 12, .n_key = 12, .heads = 2, .head_width = 5};
    uint64_t all = op_flops(&op);
    op.causal_block = 12;
    ck_assert_uint_eq(op_flops(&op), all);
    op.causal_block = 1;
    ck_assert_uint_eq(op_flops(&op) * 144, all * 78);
    op.causal_block = 4;
    ck_assert_uint_eq(op_flops(&op) * 144, all * 96);
    op.n_query = 1; /* the newest token of a decoder sees everything */
    ck_assert_uint_eq(op_flops(&op) * 12, all);
}
END_TEST

Suite *suite_mask(void)
{
    Suite *suite = suite_create("mask");
    TCase *tcase = tcase_create("attention");
    tcase_add_test(tcase, double_attention_is_the_formula);
    tcase_add_loop_test(tcase, what_is_not_seen_has_no_probability_at_all, 0, 8);
    tcase_add_loop_test(tcase, a_later_step_changes_nothing_before_it, 0, 4);
    tcase_add_loop_test(tcase, what_is_not_near_changes_nothing, 0, 3);
    tcase_add_test(tcase, work_is_counted_by_pairs);
    suite_add_tcase(suite, tcase);
    return suite;
}
