/* Percentiles, histograms, and the search for the highest rate. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "folder.h"
#include "serving/metrics.h"
#include "serving/search.h"
#include "serving_toy.h"

Suite *suite_serving_search(void);

static struct serving_config one_at_a_time(void)
{
    struct serving_config config = serving_defaults();
    config.max_batch = 1;
    config.block_tokens = 4;
    return config;
}

START_TEST(percentiles_lie_between_ranks)
{
    uint64_t value[200], sorted[200];
    struct dice d = dice(4);
    for (int k = 0; k < 300; k++) {
        size_t n = 1 + below(&d, 200);
        uint64_t range = 1 + below(&d, 1000);
        for (size_t i = 0; i < n; i++) {
            sorted[i] = value[i] = below(&d, range);
            for (size_t j = i; j && sorted[j - 1] > sorted[j]; j--) {
                uint64_t swap = sorted[j];
                sorted[j] = sorted[j - 1];
                sorted[j - 1] = swap;
            }
        }
        uint32_t percent = (uint32_t)below(&d, 101);
        size_t scaled = (n - 1) * percent, rank = scaled / 100;
        uint64_t expected = sorted[rank];
        if (scaled % 100)
            expected += (sorted[rank + 1] - sorted[rank]) * (scaled % 100) / 100;
        ck_assert_uint_eq(quantile_ps(value, n, percent), expected);
    }
}
END_TEST

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

START_TEST(histograms_are_close_and_their_means_exact)
{
    struct histogram *histogram = calloc(1, sizeof *histogram);
    struct dice d = dice(5);
    enum { N = 5000 };
    static uint64_t value[N];
    long double sum = 0;
    for (int i = 0; i < N; i++) {
        value[i] = below(&d, UINT64_C(1) << below(&d, 63));
        sum += (long double)value[i];
        histogram_add(histogram, value[i]);
        uint32_t bucket = histogram_bucket(value[i]);
        ck_assert_uint_lt(bucket, HISTOGRAM_BUCKETS);
    }
    qsort(value, N, sizeof *value, by_value);
    for (uint32_t percent = 0; percent <= 100; percent++) {
        size_t rank = (size_t)llround((N - 1) * (percent / 100.0));
        uint64_t got = histogram_quantile(histogram, percent / 100.0), exact = value[rank];
        ck_assert_double_eq_tol((double)got, (double)exact, 0.5 + (double)exact / 511);
    }
    ck_assert_double_eq_tol(histogram_spread(histogram).mean, (double)(sum / N) * 1e-12, 1e-9);
    free(histogram);
}
END_TEST

struct told {
    int n;
};

static void hear_run(void *state, const struct serving_search_run *run)
{
    struct told *told = state;
    ck_assert(run->rate_per_s > 0 && run->share >= 0 && run->share <= 1);
    told->n++;
}

/* Requests every 1 / rate, each served in 1 ms: 1000 wait at most half a ms up to 1000 / (1 - 0.5 / 999) a second. */
START_TEST(the_highest_rate_is_found)
{
    struct toy toy = {.base_ps = 1000000000, .block_tokens = 4};
    struct serving_engine engine = toy_engine(&toy, 0);
    struct arrivals arrivals = {
        .n = 1000, .process = ARRIVAL_FIXED, .rate_per_s = _i ? 20000 : 70, .prompt_tokens = 1, .output_tokens = 1};
    struct serving_config config = one_at_a_time();
    struct serving_search search = {.share = 1, .tolerance = 0.001};
    struct serving_search_result result;
    struct arena *arena = arena_new();
    struct requests requests;
    struct fault fault = FAULT_NONE;
    struct told told = {0};
    double highest = 1000 / (1 - 0.5 / 999);
    arrivals_make(&arrivals, arena, &requests, &fault);
    config.slo.e2e_ps = 1500000000;
    serving_search(&config, &requests, &engine, 1, &search, hear_run, &told, arena, &result, &fault);
    expect_ok(&fault);
    ck_assert_int_eq(result.end, SEARCH_FOUND);
    ck_assert_double_le(result.rate_per_s, highest * 1.000001);
    ck_assert_double_ge(result.fails_per_s, highest * 0.999999);
    ck_assert_double_le(result.fails_per_s, 1.001 * result.rate_per_s);
    ck_assert_int_eq(told.n, result.n_runs);
    ck_assert_uint_eq(result.best.summary.n_meet_slo, 1000);
    ck_assert_uint_eq(result.best.record[999].request, 999);
    arena_free(arena);
}
END_TEST

START_TEST(searches_without_an_end_say_so)
{
    struct toy toy = {.base_ps = 1000000000, .block_tokens = 4};
    struct serving_engine engine = toy_engine(&toy, 0);
    struct arrivals arrivals = {.n = 20, .rate_per_s = 70, .prompt_tokens = 1, .output_tokens = 1};
    struct serving_config config = one_at_a_time();
    struct serving_search search = {.share = 0};
    struct serving_search_result result;
    struct arena *arena = arena_new();
    struct requests requests;
    struct fault fault = FAULT_NONE;
    arrivals_make(&arrivals, arena, &requests, &fault);
    ck_assert_int_eq(serving_search(&config, &requests, &engine, 1, &search, NULL, NULL, arena, &result, &fault),
                     STATUS_USAGE);
    ck_assert_str_eq(fault.text, "a search for the highest rate needs a limit of ttft, tpot or e2e");
    fault = FAULT_NONE;
    config.slo.e2e_ps = UINT64_C(21000000000);
    serving_search(&config, &requests, &engine, 1, &search, NULL, NULL, arena, &result, &fault);
    expect_ok(&fault);
    ck_assert_int_eq(result.end, SEARCH_ALL_KEEP);
    ck_assert_int_eq(result.n_runs, 2);
    config.slo.e2e_ps = 900000000;
    serving_search(&config, &requests, &engine, 1, &search, NULL, NULL, arena, &result, &fault);
    expect_ok(&fault);
    ck_assert_int_eq(result.end, SEARCH_NONE_KEEPS);
    ck_assert_double_eq(result.rate_per_s, 0);
    config.slo.e2e_ps = UINT64_C(1500000000);
    search.most_runs = 3;
    ck_assert_int_eq(serving_search(&config, &requests, &engine, 1, &search, NULL, NULL, arena, &result, &fault),
                     STATUS_FAILED);
    arena_free(arena);
}
END_TEST

Suite *suite_serving_search(void)
{
    Suite *suite = suite_create("serving_search");
    TCase *tcase = tcase_create("search");
    tcase_add_test(tcase, percentiles_lie_between_ranks);
    tcase_add_test(tcase, histograms_are_close_and_their_means_exact);
    tcase_add_loop_test(tcase, the_highest_rate_is_found, 0, 2);
    tcase_add_test(tcase, searches_without_an_end_say_so);
    suite_add_tcase(suite, tcase);
    return suite;
}
