/* Number formats, dropout masks, exp and erf: what the kernels are made of. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernel/dropout.h"
#include "kernel/format.h"
#include "kernel/special.h"

Suite *suite_kernel_format(void);

static float round_one(enum number_format format, float x)
{
    float y;
    format_round(format, 1, &x, &y);
    return y;
}

START_TEST(known_values)
{
    static const struct {
        enum number_format format;
        float from, to;
    } known[] = {
        {FORMAT_BF16, 1.00390625f, 1}, /* a tie: to even */
        {FORMAT_BF16, 1.01171875f, 1.015625f},
        {FORMAT_BF16, 0x1.010002p0f, 1.0078125f},
        {FORMAT_BF16, 3.4e38f, INFINITY},
        {FORMAT_BF16, 3.3895314e38f, 3.3895314e38f},
        {FORMAT_BF16, 1e-40f, 9.18355e-41f},
        {FORMAT_TF32, 1.00048828125f, 1},
        {FORMAT_TF32, 1.00146484375f, 1.001953125f},
        {FORMAT_TF32, 3.4028235e38f, INFINITY},
        {FORMAT_FP16, 65504, 65504},
        {FORMAT_FP16, 65519.996f, 65504},
        {FORMAT_FP16, 65520, INFINITY},
        {FORMAT_FP16, -1e30f, -INFINITY},
        {FORMAT_FP16, 0x1p-24f, 0x1p-24f},
        {FORMAT_FP16, 0x1p-25f, 0}, /* a tie between 0 and the smallest */
        {FORMAT_FP16, 0x1.8p-24f, 0x1p-23f},
        {FORMAT_FP16, 0x1.000002p-25f, 0x1p-24f},
        {FORMAT_FP16, 0x1.ffcp-15f, 0x1p-14f}, /* the largest subnormal and half a step */
        {FORMAT_FP16, 1e-30f, 0},
        {FORMAT_FP16, 2049, 2048},
        {FORMAT_FP16, 2051, 2052},
        {FORMAT_FP32, 1.2345678f, 1.2345678f},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        for (int sign = -1; sign < 2; sign += 2) {
            float found = round_one(known[i].format, (float)sign * known[i].from);
            ck_assert_msg(found == (float)sign * known[i].to, "%s of %a is %a", number_format_name(known[i].format),
                          (double)known[i].from, (double)found);
            ck_assert_int_eq(signbit(found) != 0, (sign < 0) != (known[i].from < 0));
        }
}
END_TEST

/* All 2^16 bf16 and fp16 patterns are their own rounding; between neighbours the nearer one wins, ties go to even. */
static float half_value(uint32_t bits)
{
    uint32_t exponent = bits >> 10 & 31, mantissa = bits & 1023;
    float magnitude = exponent == 0    ? ldexpf((float)mantissa, -24)
                      : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                       : ldexpf((float)(mantissa + 1024), (int)exponent - 25);
    return bits >> 15 ? -magnitude : magnitude;
}

static float pattern_value(enum number_format format, uint32_t bits)
{
    uint32_t wide = bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return format == FORMAT_FP16 ? half_value(bits) : value;
}

static void must_round(enum number_format format, float from, float to)
{
    float found = round_one(format, from);
    if (found != to)
        ck_abort_msg("%s of %a is %a, found %a", number_format_name(format), (double)from, (double)to, (double)found);
}

START_TEST(every_pattern_and_every_gap)
{
    enum number_format format = _i ? FORMAT_FP16 : FORMAT_BF16;
    for (uint32_t bits = 0; bits < 0x7fffu; bits++) {
        float low = pattern_value(format, bits), high = pattern_value(format, bits + 1);
        if (isnan(low)) {
            ck_assert_float_nan(round_one(format, low));
            continue;
        }
        must_round(format, low, low);
        must_round(format, -low, -low);
        if (!isfinite(high))
            continue;
        float middle = (float)(((double)low + (double)high) / 2);
        must_round(format, middle, bits % 2 ? high : low);
        must_round(format, nextafterf(middle, 0), low);
        must_round(format, nextafterf(middle, INFINITY), high);
    }
}
END_TEST

START_TEST(what_is_not_a_number_stays_so)
{
    static const uint32_t patterns[] = {0x7fc00000, 0x7f800001, 0xffffffff, 0x7fffffff, 0xff800001};
    for (int format = FORMAT_FP32; format < FORMAT_FP64; format++)
        for (int i = 0; i < 5; i++) {
            float x;
            memcpy(&x, &patterns[i], sizeof x);
            float y = round_one((enum number_format)format, x);
            ck_assert_float_nan(y);
            ck_assert_int_eq(signbit(y) != 0, patterns[i] >> 31);
        }
}
END_TEST

/* In place, over all lengths of a tail. */
START_TEST(rounding_has_no_edges)
{
    for (size_t n = 0; n < 40; n++) {
        float values[41], expected[41];
        for (size_t i = 0; i < 41; i++) {
            values[i] = (float)rng_normal(rng_key(1, RNG_TEST, 1), 0, i);
            expected[i] = i < n ? round_one(FORMAT_TF32, values[i]) : values[i];
        }
        format_round(FORMAT_TF32, n, values, values);
        ck_assert_mem_eq(values, expected, sizeof values);
    }
}
END_TEST

START_TEST(exp_over_its_range)
{
    for (int i = 0; i < 150000; i++) {
        float x = -87.3f + (float)i * (175.3f / 150000), lanes[VN_FLOATS];
        vn e = vn_exp(vn_set(x));
        memcpy(lanes, &e, sizeof lanes);
        double exact = exp((double)x);
        if (!(fabs((double)lanes[3] - exact) <= 2e-7 * exact))
            ck_abort_msg("exp(%.9g) = %.9g", (double)x, (double)lanes[3]);
    }
    const float from[] = {-88, -1e4f, -INFINITY, 0, NAN, -0.0f}, to[] = {0, 0, 0, 1, NAN, 1};
    for (int i = 0; i < 6; i++) {
        vn special = vn_exp(vn_set(from[i]));
        if (isnan(to[i]))
            ck_assert_float_nan(special[0]);
        else
            ck_assert_float_eq(special[0], to[i]);
    }
}
END_TEST

START_TEST(erf_over_its_range)
{
    for (int i = -100000; i <= 100000; i++) {
        float x = (float)i * 6e-5f, lanes[VN_FLOATS];
        vn e = vn_erf(vn_set(x));
        memcpy(lanes, &e, sizeof lanes);
        double exact = erf((double)x), allowed = fabs((double)x) < 0.5 ? 3e-7 * fabs(exact) : 2e-7;
        if (!(fabs((double)lanes[1] - exact) <= allowed))
            ck_abort_msg("erf(%.9g) = %.9g", (double)x, (double)lanes[1]);
    }
    const float from[] = {INFINITY, -INFINITY, NAN, 1e30f}, to[] = {1, -1, NAN, 1};
    for (int i = 0; i < 4; i++) {
        vn special = vn_erf(vn_set(from[i]));
        if (isnan(to[i]))
            ck_assert_float_nan(special[0]);
        else
            ck_assert_float_eq(special[0], to[i]);
    }
}
END_TEST

static struct dropout some_dropout(double p, uint32_t step)
{
    struct op op = {.kind = OP_NORM, .dropout = p, .site = 4};
    struct kernel_context context = {.seed = 0x123456789abcull, .step = step};
    return dropout_of(&op, &context);
}

START_TEST(words_are_those_of_the_generator)
{
    struct dropout dropout = some_dropout(0.25, 9);
    struct rng_key key = rng_key(0x123456789abcull, RNG_DROPOUT, 4);
    static const uint64_t firsts[] = {0, 1, 2, 3, 5, 31, 1000003, (1ull << 34) - 13, 0xffffffffull * 4 - 6};
    static const size_t lengths[] = {1, 3, 4, 31, 32, 33, 200};
    uint32_t words[200 + DROPOUT_SLACK], expected[4];
    for (size_t f = 0; f < 9; f++)
        for (size_t l = 0; l < 7; l++) {
            const uint32_t *found = dropout_words(&dropout, firsts[f], lengths[l], words);
            for (size_t i = 0; i < lengths[l]; i++) {
                rng_block(key, 9, (firsts[f] + i) / 4, expected);
                ck_assert_uint_eq(found[i], expected[(firsts[f] + i) % 4]);
            }
        }
}
END_TEST

/* Share of dropped elements within five standard deviations; another step, another mask. */
START_TEST(as_many_drop_as_should)
{
    enum { N = 200000 };
    static const double shares[] = {0.001, 0.1, 0.5, 0.9};
    uint32_t *words = aligned_alloc(64, (N + DROPOUT_SLACK) * sizeof *words);
    for (int s = 0; s < 4; s++) {
        struct dropout dropout = some_dropout(shares[s], 3);
        const uint32_t *word = dropout_words(&dropout, 0, N, words);
        double dropped = 0;
        for (int i = 0; i < N; i++)
            dropped += word[i] <= dropout.last_dropped;
        ck_assert_double_le(fabs(dropped - N * shares[s]), 5 * sqrt(N * shares[s] * (1 - shares[s])));
        ck_assert_double_eq_tol(dropout.scale, 1 / (1 - shares[s]), 1e-12);
    }
    ck_assert_uint_eq(some_dropout(0.5, 1).last_dropped, 0x7fffffffu);
    ck_assert_uint_eq(some_dropout(0x1p-32, 1).last_dropped, 0);
    struct dropout other = some_dropout(0.5, 4);
    uint32_t first[200 + DROPOUT_SLACK];
    ck_assert_mem_ne(dropout_words(&other, 0, 200, first), words, 200 * sizeof *words);
    free(words);
}
END_TEST

/* A minibatch on one device or cut at any row over two: the same sums. */
START_TEST(masks_do_not_depend_on_the_split)
{
    enum { T = 12, C = 37 };
    static float x[T * C], u[T * C], gamma[C], beta[C], whole[T * C], parts[T * C], s[T * C], stats[2 * T];
    static uint32_t scratch[8192];
    for (int i = 0; i < T * C; i++)
        x[i] = (float)i, u[i] = 1000;
    for (size_t cut = 1; cut < T; cut++) {
        struct op op = {.kind = OP_NORM, .rows = T, .in = C, .eps = 1e-5, .dropout = 0.3, .site = 2};
        struct kernel_context context = {.seed = 5, .step = 6, .scratch = scratch};
        ck_assert_uint_le(kernel_scratch_bytes(&op, FORMAT_FP32), sizeof scratch);
        kernel_run_f32(&op, &context, (const float *const[OP_MAX_IN]){x, u, gamma, beta},
                       (float *const[OP_MAX_OUT]){whole, s, stats});
        memcpy(whole, s, sizeof whole);
        for (size_t part = 0; part < 2; part++) {
            size_t first = part ? cut : 0;
            op.rows = (int64_t)(part ? T - cut : cut);
            context.first_row = first;
            kernel_run_f32(&op, &context, (const float *const[OP_MAX_IN]){x + first * C, u + first * C, gamma, beta},
                           (float *const[OP_MAX_OUT]){parts + first * C, s + first * C, stats});
        }
        ck_assert_mem_eq(s, whole, sizeof whole);
    }
}
END_TEST

Suite *suite_kernel_format(void)
{
    Suite *suite = suite_create("kernel_format");
    TCase *formats = tcase_create("formats"), *functions = tcase_create("functions"),
          *dropout = tcase_create("dropout");
    tcase_set_timeout(functions, 60);
    tcase_add_test(formats, known_values);
    tcase_add_loop_test(formats, every_pattern_and_every_gap, 0, 2);
    tcase_add_test(formats, what_is_not_a_number_stays_so);
    tcase_add_test(formats, rounding_has_no_edges);
    tcase_add_test(functions, exp_over_its_range);
    tcase_add_test(functions, erf_over_its_range);
    tcase_add_test(dropout, words_are_those_of_the_generator);
    tcase_add_test(dropout, as_many_drop_as_should);
    tcase_add_test(dropout, masks_do_not_depend_on_the_split);
    suite_add_tcase(suite, formats);
    suite_add_tcase(suite, functions);
    suite_add_tcase(suite, dropout);
    return suite;
}
