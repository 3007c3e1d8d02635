/* baseline.h - what simple methods reach: the numbers a model has to beat.
 *
 * Pure functions of one series [rows, stations]. The samples are those of windows.h: a test sample with first target
 * row r knows rows before r and predicts r .. r+horizon-1, all of them test rows. Methods are fitted on rows outside of
 * the test set only: no training equation holds a test row, neither as target nor as input. Fitted models predict one
 * step and are fed their own predictions for longer horizons. Missing inputs stand for the station's training mean;
 * missing targets are not counted. Sums in double, in a fixed order.
 *
 * Methods: persistence (the last known value of the window); training mean of the station; seasonal (the value a whole
 * number of periods before, the latest one known); seasonal mean (of the training rows at the same phase of the
 * period); AR(p) per station, least squares with intercept; ridge VAR(q): every station from q rows of all stations, on
 * z-scores by the training statistics, minimising mean (y - Bx)^2 + lambda |B|^2, normal equations by Cholesky. p and q
 * never exceed the window: a baseline knows no more rows than the model (the seasonal one excepted).
 */
#ifndef MODEL_BASELINE_H
#define MODEL_BASELINE_H

#include <stdint.h>

#include "base/status.h"
#include "model/metrics.h"

enum { BASELINE_MAX = 6, BASELINE_NAME_MAX = 40 };

struct baseline_problem {
    const float *values; /* [n_rows, n_stations] in data units, NaN where missing */
    int64_t n_rows, n_stations;
    int64_t test_first_row, test_last_row; /* inclusive */
    int64_t window;                        /* the model's: samples with r < window are left out, as in windows.h */
    int64_t horizon;                       /* 1 .. METRIC_MAX_HORIZON */
    int64_t period_rows;                   /* of the season (a day, a week, a year); 0: no seasonal baseline */
    int64_t ar_order;                      /* 0: BASELINE_AR_ORDER */
    int64_t var_order;                     /* 0: BASELINE_VAR_ORDER */
    double ridge_lambda;                   /* per training equation; 0: BASELINE_LAMBDA */
    int64_t max_var_inputs;                /* no VAR when stations * order exceeds it; 0: BASELINE_VAR_INPUTS */
    int window_within_test;                /* 1: leave samples out whose window reaches before the test rows */
};

enum { BASELINE_AR_ORDER = 12, BASELINE_VAR_ORDER = 3, BASELINE_VAR_INPUTS = 700 };
#define BASELINE_LAMBDA 0.045

struct baseline {
    char name[BASELINE_NAME_MAX]; /* "persistence", "AR(12)", "ridge VAR(3)" */
    struct metric_sums sums;
};

/* Local. Fills table[0 .. *n-1] with the methods that apply: persistence and the mean always, seasonal with a period,
 * AR and VAR when there are at least twice as many training equations as coefficients (orders shrink to what fits).
 * Faults: STATUS_USAGE for impossible ranges, STATUS_FAILED when memory is short. */
enum status baseline_compute(const struct baseline_problem *problem, struct baseline table[BASELINE_MAX], int *n,
                             struct fault *fault);

/* Local. The season that suits a step: rows of a day for steps below a day, of a week for daily ones, 12 for monthly,
 * 52 for weekly ones; 0 when there is none (step_s 0). */
int64_t baseline_period(int64_t step_s);

#endif
