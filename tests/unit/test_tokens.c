/* test_tokens.c - ops on the tokens of an iteration that do not touch the KV cache: embedding, norm, rotation, gate, rows
 * merged and taken, and the choice of the next token, as a distribution.
 */
#include "kernel/sample.h"
#include "token_case.h"

Suite *suite_tokens(void);

enum { N_CASES = 40 };

static enum number_format format_of(int i)
{
    return i % 2 ? FORMAT_FP64 : FORMAT_FP32;
}

static void ck_near(const double *found, const double *expected, int64_t n, double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(found[i] - expected[i]) <= tolerance * fmax(1, fabs(expected[i]))))
            ck_abort_msg("element %lld of %lld: %.17g, expected %.17g", (long long)i, (long long)n, found[i],
                         expected[i]);
}

static double tolerance_of(enum number_format format)
{
    return format == FORMAT_FP64 ? 1e-13 : 2e-6;
}

/* An op with one output of n_out elements, which is returned. */
static double *made(struct token_case *c, const struct op *op, enum number_format format, double *const *in,
                    const int64_t *n_in, int inputs, int64_t n_out)
{
    double *out = arena_array(c->arena, (size_t)n_out + 1, sizeof *out);
    for (int64_t i = 0; i < n_out; i++)
        out[i] = -77;
    token_run(op, format, in, n_in, inputs, &out, &n_out, 1);
    return out;
}

START_TEST(embedding_is_row_and_position)
{
    struct token_case c;
    token_case_open(&c, (uint64_t)_i);
    int64_t vocabulary = 1 + (int64_t)below(&c.dice, 50), width = 1 + (int64_t)below(&c.dice, 30), row = 0;
    int learned = (int)below(&c.dice, 2);
    uint32_t *ids = arena_array(c.arena, (size_t)c.now.n_tokens, sizeof *ids);
    for (int64_t t = 0; t < c.now.n_tokens; t++)
        ids[t] = (uint32_t)below(&c.dice, (uint64_t)vocabulary);
    c.now.ids = ids;
    struct op op = token_op(&c, OP_EMBED_TOKENS, &c.now, TOKENS_ALL);
    op.in = width, op.out = vocabulary, op.n_key = 80;
    double *table = token_values(&c, vocabulary * width), *place = token_values(&c, 80 * width);
    const double *x = made(&c, &op, format_of(_i), (double *[]){table, place}, (int64_t[]){vocabulary * width, 80 * width},
                           1 + learned, c.now.n_tokens * width);
    for (int i = 0; i < c.now.n_parts; i++)
        for (int64_t t = 0; t < c.now.parts[i].tokens; t++, row++)
            for (int64_t k = 0; k < width; k++) {
                double at = learned ? place[(c.now.parts[i].context + t) * width + k] : 0;
                ck_assert_double_eq_tol(x[row * width + k], table[ids[row] * width + k] + at, 1e-6);
            }
    token_case_close(&c);
}
END_TEST

START_TEST(rms_norm_divides_by_the_root_mean_square)
{
    struct token_case c;
    token_case_open(&c, 100 + (uint64_t)_i);
    int64_t rows = c.now.n_tokens, width = 1 + (int64_t)below(&c.dice, 70), n = rows * width;
    int sums = (int)below(&c.dice, 2);
    struct op op = token_op(&c, OP_RMS_NORM, &c.now, TOKENS_ALL);
    op.in = width, op.eps = 1e-3, op.parts = 1 + sums;
    double *x = token_values(&c, n), *u = token_values(&c, n), *gamma = token_values(&c, width);
    double *out[2] = {token_values(&c, n), token_values(&c, n)}, *y = token_values(&c, n), *s = token_values(&c, n);
    token_run(&op, format_of(_i), (double *[]){x, sums ? u : NULL, gamma}, (int64_t[]){n, n, width}, 3, out,
              (int64_t[]){n, n}, 1 + sums);
    for (int64_t t = 0; t < rows; t++) {
        double squares = 0;
        for (int64_t k = t * width; k < (t + 1) * width; k++) {
            s[k] = x[k] + (sums ? u[k] : 0);
            squares += s[k] * s[k] / (double)width;
        }
        for (int64_t k = 0; k < width; k++)
            y[t * width + k] = gamma[k] * s[t * width + k] / sqrt(squares + 1e-3);
    }
    ck_near(out[0], y, n, tolerance_of(format_of(_i)));
    if (sums)
        ck_near(out[1], s, n, tolerance_of(format_of(_i)));
    token_case_close(&c);
}
END_TEST

/* Pairs of neighbours turn; v stays. */
START_TEST(rotation_turns_queries_and_keys)
{
    enum number_format format = format_of(_i);
    struct token_case c;
    token_case_open(&c, 200 + (uint64_t)_i);
    int64_t n = c.now.n_tokens * token_columns(&c), half = c.width / 2, row = 0, heads = c.kv_heads * (c.queries + 2);
    double *frequency = token_values(&c, half), *expected = token_values(&c, n);
    for (int64_t j = 0; j < half; j++)
        frequency[j] = fabs(frequency[j]);
    const struct op op = token_op(&c, OP_ROTATE, &c.now, TOKENS_ALL);
    const double *found = made(&c, &op, format, (double *[]){c.qkv, frequency}, (int64_t[]){n, half}, 2, n);
    for (int i = 0; i < c.now.n_parts; i++)
        for (int64_t t = 0; t < c.now.parts[i].tokens; t++, row++)
            for (int64_t at = 0; at < heads * half; at++) {
                int turns = at / half % (c.queries + 2) <= c.queries;
                double angle = turns ? (double)(c.now.parts[i].context + t) * frequency[at % half] : 0;
                const double *from = c.qkv + row * token_columns(&c) + 2 * at;
                double *to = expected + row * token_columns(&c) + 2 * at;
                to[0] = from[0] * cos(angle) - from[1] * sin(angle);
                to[1] = from[0] * sin(angle) + from[1] * cos(angle);
            }
    ck_near(found, expected, n, tolerance_of(format));
    double *place = token_values(&c, n);
    memcpy(place, c.qkv, (size_t)n * sizeof *place);
    struct kernel_case in_place = {.op = op, .in = {place, frequency}, .n_in = {(size_t)n, (size_t)half}};
    in_place.out[0] = place, in_place.n_out[0] = (size_t)n;
    case_run(&in_place, format, 0);
    ck_assert_mem_eq(place, found, (size_t)n * sizeof *place);
    token_case_close(&c);
}
END_TEST

/* What makes attention relative: the product of a turned query and a turned key depends on their distance alone. */
START_TEST(rotated_products_depend_on_distance)
{
    const uint32_t block[64] = {0};
    double frequency[4] = {1, 0.3, 0.02, 0.001}, qkv[2][24], product[2];
    const struct batch_part part = {.tokens = 2, .block = block};
    for (int shift = 1; shift < 60; shift++) {
        for (int side = 0; side < 2; side++) {
            struct batch_part parts[2] = {part, part};
            parts[0].tokens = parts[1].tokens = 1;
            parts[0].context = side * shift, parts[1].context = 7 + side * shift;
            const struct batch batch = {2, 2, 2, 2, 0, parts, NULL};
            const struct op op = {.kind = OP_ROTATE, .rows = 2, .heads = 1, .kv_heads = 1, .head_width = 8,
                                  .tokens = TOKENS_ALL, .batch = &batch};
            double *out = &qkv[0][0], *in[2] = {case_values(48, 3, 1), frequency};
            const int64_t n_in[2] = {48, 4}, n = 48;
            token_run(&op, FORMAT_FP64, in, n_in, 2, &out, &n, 1);
            product[side] = 0;
            for (int k = 0; k < 8; k++)
                product[side] += qkv[0][k] * qkv[1][8 + k];
            free(in[0]);
        }
        ck_assert_double_eq_tol(product[0], product[1], 1e-12);
    }
}
END_TEST

static double activated(enum activation act, double x)
{
    switch (act) {
    case ACT_SILU:
        return x / (1 + exp(-x));
    case ACT_RELU:
        return fmax(x, 0);
    case ACT_GELU:
        return x * 0.5 * erfc(-x / sqrt(2));
    case ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    default:
        return x;
    }
}

START_TEST(gate_is_a_product)
{
    static const enum activation acts[] = {ACT_NONE, ACT_RELU, ACT_GELU, ACT_GELU_TANH, ACT_SILU};
    struct token_case c;
    token_case_open(&c, 300 + (uint64_t)_i);
    struct op op = token_op(&c, OP_GATE, &c.now, TOKENS_ALL);
    op.out = 1 + (int64_t)below(&c.dice, 40), op.act = acts[_i % 5];
    int64_t n = c.now.n_tokens * op.out;
    double *a = token_values(&c, n), *b = token_values(&c, n), *expected = token_values(&c, n);
    for (int64_t i = 0; i < n; i++) {
        a[i] *= i % 7 ? 3 : 40; /* where exponentials overflow, too */
        expected[i] = activated(op.act, a[i]) * b[i];
    }
    ck_near(made(&c, &op, format_of(_i), (double *[]){a, b}, (int64_t[]){n, n}, 2, n), expected, n, 1e-5);
    token_case_close(&c);
}
END_TEST

START_TEST(rows_are_merged_and_taken)
{
    enum number_format format = format_of(_i);
    struct token_case c;
    token_case_open(&c, 400 + (uint64_t)_i);
    int64_t width = 1 + (int64_t)below(&c.dice, 20), n = c.now.n_tokens * width, row = 0, taken = 0;
    double *a = token_values(&c, n), *b = token_values(&c, n);
    struct op op = token_op(&c, OP_MERGE_ROWS, &c.now, TOKENS_BOTH);
    op.in = width;
    const double *merged = made(&c, &op, format, (double *[]){a, b}, (int64_t[]){n, n}, 2, n);
    for (int64_t i = 0; i < n; i++)
        ck_assert_double_eq(merged[i], i < c.now.n_cached_tokens * width ? a[i] : b[i]);
    op = token_op(&c, OP_TAKE_ROWS, &c.now, TOKENS_ANSWER);
    op.in = width;
    const double *last = made(&c, &op, format, &a, &n, 1, c.now.n_answers * width);
    for (int i = 0; i < c.now.n_parts; i++) {
        row += c.now.parts[i].tokens;
        if (c.now.parts[i].is_answer)
            ck_assert_mem_eq(last + taken++ * width, a + (row - 1) * width, (size_t)width * sizeof *a);
    }
    ck_assert_int_eq(taken, c.now.n_answers);
    token_case_close(&c);
}
END_TEST

/* One choice of sample_token; logits stay. */
static int32_t choose(int64_t n, const double *logits, float temperature, float top_p, uint32_t request, uint64_t seed)
{
    double share[64];
    uint32_t order[64];
    const struct batch_part part = {
        .context = 9, .tokens = 1, .request = request, .temperature = temperature, .top_p = top_p};
    memcpy(share, logits, (size_t)n * sizeof *share);
    return sample_token(n, share, order, &part, seed);
}

START_TEST(greedy_takes_the_first_of_the_largest)
{
    static const double ties[6] = {1, 3, -2, 3, 3, 0}, holes[5] = {NAN, NAN, -5, NAN, -4}, none[3] = {NAN, NAN, NAN};
    static const double steep[4] = {-INFINITY, 2, INFINITY, 1}, flat[3] = {-INFINITY, -INFINITY, -INFINITY};
    for (uint32_t request = 0; request < 20; request++) {
        ck_assert_int_eq(choose(6, ties, 0, 1, request, 3), 1);
        ck_assert_int_eq(choose(5, holes, 0, 1, request, 3), 4);
        for (int t = 0; t < 2; t++) { /* with a temperature too */
            ck_assert_int_eq(choose(3, none, (float)t, 1, request, 3), 0);
            ck_assert_int_eq(choose(4, steep, (float)t, 1, request, 3), 2);
            ck_assert_int_eq(choose(3, flat, (float)t, 1, request, 3), 0);
        }
        int32_t token = choose(5, holes, 1, 1, request, 3);
        ck_assert(token == 2 || token == 4);
        ck_assert_int_eq(choose(6, ties, 1, 1e-6f, request, 3), 1); /* top_p so small that one is left */
        ck_assert_int_eq(choose(5, (double[]){1, 2, 9, 3, 4}, 1e-3f, 1, request, 3), 2);
    }
}
END_TEST

enum { N_TOKENS = 24, N_DRAWS = 40000 };

/* Shares that sampling should have, 0 for what top_p cuts off: the likeliest, lower numbers first, until they make it. */
static int expected_shares(const double *logits, double temperature, double top_p, double *share)
{
    double sum = 0, kept = 0;
    int taken[N_TOKENS] = {0}, n_kept = 0;
    for (int v = 0; v < N_TOKENS; v++)
        sum += share[v] = exp(logits[v] / temperature);
    while (n_kept < N_TOKENS && (n_kept == 0 || kept < top_p * sum)) {
        int best = -1;
        for (int v = 0; v < N_TOKENS; v++)
            if (!taken[v] && (best < 0 || share[v] > share[best]))
                best = v;
        taken[best] = 1;
        kept += share[best];
        n_kept++;
    }
    for (int v = 0; v < N_TOKENS; v++)
        share[v] = taken[v] ? share[v] / kept : 0;
    return n_kept;
}

/* Chi square of the draws: between its 0.01 % and 99.99 % points (Wilson-Hilferty). Seeds are fixed. */
START_TEST(sampled_tokens_have_their_frequencies)
{
    static const float temperatures[] = {1, 0.5f, 2, 1, 0.7f}, top_ps[] = {1, 1, 1, 0.6f, 0.9f};
    struct dice d = dice(500 + (uint32_t)_i);
    double logits[N_TOKENS], share[N_TOKENS], chi_square = 0;
    int count[N_TOKENS] = {0};
    for (int v = 0; v < N_TOKENS; v++)
        logits[v] = v % 5 == 4 ? logits[v - 1] : normal(&d);
    int n_kept = expected_shares(logits, (double)temperatures[_i], (double)top_ps[_i], share);
    ck_assert(top_ps[_i] < 1 ? n_kept < N_TOKENS && n_kept > 2 : n_kept == N_TOKENS);
    for (uint32_t i = 0; i < N_DRAWS; i++)
        count[choose(N_TOKENS, logits, temperatures[_i], top_ps[_i], i, 11)]++;
    for (int v = 0; v < N_TOKENS; v++) {
        double expected = share[v] * N_DRAWS;
        ck_assert_msg(share[v] > 0 || count[v] == 0, "token %d was cut off and came %d times", v, count[v]);
        chi_square += share[v] > 0 ? (count[v] - expected) * (count[v] - expected) / expected : 0;
    }
    double k = n_kept - 1, middle = 1 - 2 / (9 * k), reach = 3.72 * sqrt(2 / (9 * k));
    ck_assert_double_le(chi_square, k * pow(middle + reach, 3));
    ck_assert_double_gt(chi_square, k * pow(fmax(middle - reach, 0), 3)); /* too even is no chance either */
}
END_TEST

/* Draws of other requests, places and seeds are others: as often alike as chance has it. */
START_TEST(draws_are_independent)
{
    double flat[8] = {0};
    uint32_t order[8];
    int alike[3] = {0}, n = 8000;
    for (int i = 0; i < n; i++) {
        struct batch_part part = {.context = i, .tokens = 1, .request = 5, .temperature = 1, .top_p = 1};
        memset(flat, 0, sizeof flat);
        int32_t token = sample_token(8, flat, order, &part, 1), other[3];
        for (int k = 0; k < 3; k++) {
            struct batch_part changed = part;
            changed.request += k == 0;
            changed.context += k == 1;
            memset(flat, 0, sizeof flat);
            other[k] = sample_token(8, flat, order, &changed, k == 2 ? 2 : 1);
            alike[k] += other[k] == token;
        }
    }
    for (int k = 0; k < 3; k++) /* binomial: mean n / 8, five standard deviations */
        ck_assert_double_eq_tol(alike[k], n / 8.0, 5 * sqrt(n * 7.0 / 64));
}
END_TEST

/* The token of a request does not depend on its batch: neither on its row nor on how its tokens were cut. */
START_TEST(choice_does_not_depend_on_the_batch)
{
    enum number_format format = format_of(_i);
    struct token_case c;
    token_case_open(&c, 600 + (uint64_t)_i);
    struct batch_part parts[8], reversed[8];
    double logits[8 * N_TOKENS], turned[8 * N_TOKENS], found[8], again[8];
    for (int i = 0; i < 8; i++) {
        parts[i] = (struct batch_part){.context = (int64_t)below(&c.dice, 50), .tokens = 2 + (int32_t)below(&c.dice, 5),
                                       .is_answer = 1, .request = (uint32_t)i, .temperature = i % 3 ? 1 : 0,
                                       .top_p = i % 2 ? 0.8f : 1};
        for (int v = 0; v < N_TOKENS; v++)
            logits[i * N_TOKENS + v] = (double)(float)normal(&c.dice);
    }
    for (int i = 0; i < 8; i++) {
        reversed[i] = parts[7 - i];
        reversed[i].context += reversed[i].tokens - 1, reversed[i].tokens = 1;
        memcpy(turned + i * N_TOKENS, logits + (7 - i) * N_TOKENS, N_TOKENS * sizeof *turned);
    }
    const struct batch one = {8, 8, 8, 8, 8, parts, NULL}, two = {8, 0, 8, 0, 8, reversed, NULL};
    struct op op = {.kind = OP_SAMPLE, .rows = 8, .out = N_TOKENS, .tokens = TOKENS_ANSWER, .batch = &one};
    const int64_t n_in = 8 * N_TOKENS, n_out = 8;
    token_run(&op, format, (double *[]){logits}, &n_in, 1, (double *[]){found}, &n_out, 1);
    op.batch = &two;
    token_run(&op, format, (double *[]){turned}, &n_in, 1, (double *[]){again}, &n_out, 1);
    for (int i = 0; i < 8; i++) {
        ck_assert_double_eq(found[i], again[7 - i]);
        if (i % 3 == 0)
            ck_assert_int_eq((int)found[i], choose(N_TOKENS, logits + i * N_TOKENS, 0, 1, 0, 0));
    }
    token_case_close(&c);
}
END_TEST

Suite *suite_tokens(void)
{
    Suite *suite = suite_create("tokens");
    TCase *tcase = tcase_create("rows");
    tcase_add_loop_test(tcase, embedding_is_row_and_position, 0, N_CASES);
    tcase_add_loop_test(tcase, rms_norm_divides_by_the_root_mean_square, 0, N_CASES);
    tcase_add_loop_test(tcase, rotation_turns_queries_and_keys, 0, N_CASES);
    tcase_add_test(tcase, rotated_products_depend_on_distance);
    tcase_add_loop_test(tcase, gate_is_a_product, 0, N_CASES);
    tcase_add_loop_test(tcase, rows_are_merged_and_taken, 0, N_CASES);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("sampling");
    tcase_add_test(tcase, greedy_takes_the_first_of_the_largest);
    tcase_add_loop_test(tcase, sampled_tokens_have_their_frequencies, 0, 5);
    tcase_add_test(tcase, draws_are_independent);
    tcase_add_loop_test(tcase, choice_does_not_depend_on_the_batch, 0, 10);
    suite_add_tcase(suite, tcase);
    return suite;
}
