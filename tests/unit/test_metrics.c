/* test_metrics.c - error sums: those of several devices are those of one, devices that took no part change nothing. */
#include <check.h>
#include <math.h>

#include "base/rng.h"
#include "model/metrics.h"
#include "suites.h"

Suite *suite_metrics(void);

enum { HORIZONS = 3, PAIRS = 60 };

static void add_pair(struct metric_sums *sums, int i)
{
    struct rng_key key = rng_key(11, RNG_TEST, 0);
    double prediction = rng_uniform(key, 0, (uint64_t)i), observation = rng_uniform(key, 1, (uint64_t)i);
    sums->n_horizons = HORIZONS;
    metric_add(&sums->row[i % HORIZONS], prediction, observation);
    sums->loss_sum += 0.25;
    sums->loss_count += 1;
}

/* Devices 0 .. n-1 of which only those of `active` have seen anything, each a part of the pairs. */
static struct metric_sums merged(int n, unsigned active)
{
    struct metric_sums total = {0};
    int n_active = 0, next = 0;
    for (int d = 0; d < n; d++)
        n_active += active >> d & 1;
    for (int d = 0; d < n; d++) {
        struct metric_sums part = {0};
        for (int i = next; (active >> d & 1) && i < PAIRS; i += n_active)
            add_pair(&part, i);
        next += (int)(active >> d & 1);
        metric_merge(&total, &part);
    }
    return total;
}

START_TEST(devices_without_a_part_change_nothing)
{
    struct metric_sums one = {0};
    for (int i = 0; i < PAIRS; i++)
        add_pair(&one, i);
    struct metric_row want = metric_total(&one);
    for (unsigned active = 1; active < 1u << 5; active++) {
        struct metric_sums sums = merged(5, active);
        struct metric_row row = metric_total(&sums);
        ck_assert_int_eq(sums.n_horizons, HORIZONS);
        ck_assert_double_eq(row.count, PAIRS);
        ck_assert_double_eq_tol(metric_mae(&row), metric_mae(&want), 1e-13);
        ck_assert_double_eq_tol(metric_rmse(&row), metric_rmse(&want), 1e-13);
        ck_assert_double_eq_tol(sums.loss_sum / sums.loss_count, 0.25, 1e-13);
    }
}
END_TEST

START_TEST(nothing_counted_is_not_a_number)
{
    struct metric_sums none = merged(4, 0);
    struct metric_row row = metric_total(&none);
    ck_assert(isnan(metric_mae(&row)) && isnan(metric_rmse(&row)) && isnan(metric_nse(&row)));
}
END_TEST

Suite *suite_metrics(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("sums");
    tcase_add_test(tcase, devices_without_a_part_change_nothing);
    tcase_add_test(tcase, nothing_counted_is_not_a_number);
    suite_add_tcase(suite, tcase);
    return suite;
}
