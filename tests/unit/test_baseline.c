#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/baseline.h"

Suite *suite_baseline(void);

static const struct baseline *find(const struct baseline *table, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    ck_abort_msg("no baseline %s", name);
    return NULL;
}

static void compute(const struct baseline_problem *problem, struct baseline *table, int *n)
{
    struct fault fault = FAULT_NONE;
    ck_assert_msg(baseline_compute(problem, table, n, &fault) == STATUS_OK, "%s", fault.text);
}

/* x(t) = a x(t-1) + e, variance of e 1: AR reaches an error of 1, persistence sqrt(2 (1 - a) / (1 - a^2)). */
static float *ar1(int64_t rows, int64_t stations, double a)
{
    struct rng_key key = rng_key(5, RNG_TEST, 1);
    float *values = malloc((size_t)(rows * stations) * sizeof *values);
    for (int64_t s = 0; s < stations; s++) {
        double x = 0;
        for (int64_t r = -100; r < rows; r++) {
            x = a * x + rng_normal(key, (uint32_t)s, (uint64_t)(r + 100));
            if (r >= 0)
                values[r * stations + s] = (float)(10 + x);
        }
    }
    return values;
}

START_TEST(an_ar_process_is_predicted_as_well_as_it_can_be)
{
    const double a = 0.8;
    struct baseline table[BASELINE_MAX];
    int n;
    float *values = ar1(20000, 3, a);
    struct baseline_problem problem = {.values = values,
                                       .n_rows = 20000,
                                       .n_stations = 3,
                                       .test_first_row = 8000,
                                       .test_last_row = 15999,
                                       .window = 12,
                                       .horizon = 4};
    compute(&problem, table, &n);
    const struct metric_sums *ar = &find(table, n, "AR(12)")->sums, *var = &find(table, n, "ridge VAR(3)")->sums;
    const struct metric_sums *persistence = &find(table, n, "persistence")->sums;
    double variance = 0;
    for (int h = 0; h < 4; h++) {
        variance += pow(a, 2 * h);
        ck_assert_double_eq_tol(metric_rmse(&ar->row[h]), sqrt(variance), 0.02);
        double steps = 2 * (1 - pow(a, h + 1)) / (1 - a * a);
        ck_assert_double_eq_tol(metric_rmse(&persistence->row[h]), sqrt(steps), 0.03);
    }
    ck_assert_double_eq_tol(metric_rmse(&var->row[0]), 1, 0.05);
    ck_assert_double_eq_tol(metric_rmse(&find(table, n, "training mean")->sums.row[0]), sqrt(1 / (1 - a * a)), 0.05);
    ck_assert_double_eq(ar->row[0].count, 3 * (15999 - 3 - 8000 + 1));
    free(values);
}
END_TEST

/* A field that moves on by one station in each step is known to VAR from the neighbour, and not to the station's own
 * past. */
START_TEST(var_sees_what_comes_from_the_neighbour)
{
    enum { ROWS = 4000, STATIONS = 6 };
    struct rng_key key = rng_key(6, RNG_TEST, 1);
    struct baseline table[BASELINE_MAX];
    int n;
    float *values = malloc(ROWS * STATIONS * sizeof *values);
    for (int r = 0; r < ROWS; r++)
        for (int s = 0; s < STATIONS; s++)
            values[r * STATIONS + s] = (float)rng_normal(key, 0, (uint64_t)(r - s + STATIONS));
    struct baseline_problem problem = {.values = values,
                                       .n_rows = ROWS,
                                       .n_stations = STATIONS,
                                       .test_first_row = 3000,
                                       .test_last_row = ROWS - 1,
                                       .window = 3,
                                       .horizon = 1,
                                       .ridge_lambda = 1e-6};
    compute(&problem, table, &n);
    double ar = metric_total(&find(table, n, "AR(3)")->sums).square;
    double var = metric_total(&find(table, n, "ridge VAR(3)")->sums).square;
    /* Only the first station, where new values come in, cannot be known: a sixth of the variance. */
    ck_assert_double_eq_tol(var / ar, 1.0 / STATIONS, 0.02);
    free(values);
}
END_TEST

START_TEST(a_season_is_known_exactly)
{
    enum { ROWS = 240 };
    struct baseline table[BASELINE_MAX];
    int n;
    float values[ROWS];
    for (int r = 0; r < ROWS; r++)
        values[r] = (float)((r * 7) % 24);
    struct baseline_problem problem = {.values = values,
                                       .n_rows = ROWS,
                                       .n_stations = 1,
                                       .test_first_row = 190,
                                       .test_last_row = 239,
                                       .window = 5,
                                       .horizon = 30,
                                       .period_rows = 24};
    compute(&problem, table, &n);
    struct metric_row total = metric_total(&find(table, n, "seasonal (24 rows)")->sums);
    ck_assert_double_eq(total.absolute, 0);
    total = metric_total(&find(table, n, "seasonal mean (24 rows)")->sums);
    ck_assert_double_eq(total.absolute, 0);
    ck_assert_double_eq(total.count, 30 * (239 - 30 + 1 - 190 + 1));
}
END_TEST

/* The prediction of the first test row must not move when that row, and all test rows after it, do. */
START_TEST(test_rows_do_not_leak_into_the_fit)
{
    struct baseline_problem problem = {
        .n_rows = 400, .n_stations = 2, .test_first_row = 200, .window = 6, .horizon = 1, .period_rows = 5};
    float *values = ar1(400, 2, 0.6), *moved = malloc(800 * sizeof *moved);
    struct baseline one[BASELINE_MAX], other[BASELINE_MAX];
    int n, n_other;
    memcpy(moved, values, 800 * sizeof *moved);
    for (int64_t i = 2 * 200; i < 2 * 231; i++) {
        values[i] += 1000;
        moved[i] += 3000;
    }
    problem.test_last_row = 230;
    problem.values = values;
    compute(&problem, one, &n);
    problem.values = moved;
    compute(&problem, other, &n_other);
    ck_assert_int_eq(n, n_other);
    ck_assert_int_eq(n, 6);
    for (int i = 0; i < n; i++)
        ck_assert_str_eq(one[i].name, other[i].name);
    /* Mean and fits know nothing of the rows: the mean's error grows by exactly 2000 for each value. */
    ck_assert_double_eq_tol(other[1].sums.row[0].absolute - one[1].sums.row[0].absolute, 2000.0 * 2 * 31, 0.01);
    /* With the one test row 200 all inputs lie before it: every method's error grows by exactly 2000 for each station.
     */
    problem.test_last_row = 200;
    memcpy(moved, values, 800 * sizeof *moved);
    moved[400] += 2000;
    moved[401] += 2000;
    problem.values = values;
    compute(&problem, one, &n);
    problem.values = moved;
    compute(&problem, other, &n_other);
    for (int i = 0; i < n; i++)
        ck_assert_double_eq_tol(other[i].sums.row[0].absolute - one[i].sums.row[0].absolute, 4000, 0.01);
    free(values);
    free(moved);
}
END_TEST

START_TEST(missing_values_are_no_targets)
{
    struct rng_key key = rng_key(7, RNG_TEST, 1);
    float *values = ar1(6000, 4, 0.9);
    struct baseline table[BASELINE_MAX];
    int n;
    double present = 0;
    for (uint64_t i = 0; i < 24000; i++)
        if (rng_uniform(key, 0, i) < 0.3)
            values[i] = NAN;
    for (int64_t i = 4 * 5000; i < 24000; i++)
        present += !isnan(values[i]);
    struct baseline_problem problem = {.values = values,
                                       .n_rows = 6000,
                                       .n_stations = 4,
                                       .test_first_row = 5000,
                                       .test_last_row = 5999,
                                       .window = 12,
                                       .horizon = 1};
    compute(&problem, table, &n);
    for (int i = 0; i < n; i++) {
        ck_assert_double_eq(table[i].sums.row[0].count, present);
        ck_assert(isfinite(metric_rmse(&table[i].sums.row[0])));
    }
    ck_assert_double_lt(metric_rmse(&find(table, n, "AR(12)")->sums.row[0]),
                        metric_rmse(&find(table, n, "training mean")->sums.row[0]));
    ck_assert_double_lt(metric_rmse(&find(table, n, "ridge VAR(3)")->sums.row[0]),
                        metric_rmse(&find(table, n, "training mean")->sums.row[0]));
    free(values);
}
END_TEST

START_TEST(a_constant_station_is_predicted)
{
    float values[300];
    struct baseline table[BASELINE_MAX];
    int n;
    for (int i = 0; i < 300; i++)
        values[i] = 0.1F;
    struct baseline_problem problem = {.values = values,
                                       .n_rows = 100,
                                       .n_stations = 3,
                                       .test_first_row = 80,
                                       .test_last_row = 99,
                                       .window = 4,
                                       .horizon = 2};
    compute(&problem, table, &n);
    for (int i = 0; i < n; i++)
        ck_assert_double_le(metric_rmse(&table[i].sums.row[1]), 1e-6);
}
END_TEST

START_TEST(impossible_problems_are_refused)
{
    float values[20] = {0};
    struct baseline table[BASELINE_MAX];
    int n;
    const struct baseline_problem wrong[] = {
        {.values = values,
         .n_rows = 20,
         .n_stations = 1,
         .test_first_row = 10,
         .test_last_row = 20,
         .window = 1,
         .horizon = 1},
        {.values = values,
         .n_rows = 20,
         .n_stations = 1,
         .test_first_row = 0,
         .test_last_row = 19,
         .window = 1,
         .horizon = 1},
        {.values = values,
         .n_rows = 20,
         .n_stations = 1,
         .test_first_row = 9,
         .test_last_row = 8,
         .window = 1,
         .horizon = 1},
        {.values = values,
         .n_rows = 20,
         .n_stations = 1,
         .test_first_row = 9,
         .test_last_row = 12,
         .window = 0,
         .horizon = 1},
        {.values = values,
         .n_rows = 20,
         .n_stations = 1,
         .test_first_row = 9,
         .test_last_row = 12,
         .window = 1,
         .horizon = METRIC_MAX_HORIZON + 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fault fault = FAULT_NONE;
        ck_assert_int_eq(baseline_compute(&wrong[i], table, &n, &fault), STATUS_USAGE);
        ck_assert_int_eq(strncmp(fault.text, "baselines: ", 11), 0);
    }
}
END_TEST

START_TEST(seasons_follow_from_the_step)
{
    ck_assert_int_eq(baseline_period(3600), 24);
    ck_assert_int_eq(baseline_period(300), 288);
    ck_assert_int_eq(baseline_period(86400), 7);
    ck_assert_int_eq(baseline_period(7 * 86400), 52);
    ck_assert_int_eq(baseline_period(30 * 86400), 12);
    ck_assert_int_eq(baseline_period(0), 0);
    ck_assert_int_eq(baseline_period(5000), 0);
}
END_TEST

Suite *suite_baseline(void)
{
    Suite *suite = suite_create("baseline");
    TCase *tcase = tcase_create("baseline");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_ar_process_is_predicted_as_well_as_it_can_be);
    tcase_add_test(tcase, var_sees_what_comes_from_the_neighbour);
    tcase_add_test(tcase, a_season_is_known_exactly);
    tcase_add_test(tcase, test_rows_do_not_leak_into_the_fit);
    tcase_add_test(tcase, missing_values_are_no_targets);
    tcase_add_test(tcase, a_constant_station_is_predicted);
    tcase_add_test(tcase, impossible_problems_are_refused);
    tcase_add_test(tcase, seasons_follow_from_the_step);
    suite_add_tcase(suite, tcase);
    return suite;
}
