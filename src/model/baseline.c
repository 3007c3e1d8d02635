#include "model/baseline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/baseline_private.h"

int64_t baseline_period(int64_t step_s)
{
    const int64_t day_s = 86400;
    if (step_s <= 0)
        return 0;
    if (step_s < day_s)
        return day_s % step_s == 0 ? day_s / step_s : 0;
    if (step_s == day_s)
        return 7;
    if (step_s == 7 * day_s)
        return 52;
    return step_s >= 28 * day_s && step_s <= 31 * day_s ? 12 : 0;
}

static void predict_persistence(const struct baseline_work *work, int64_t r, double *out)
{
    const struct baseline_problem *problem = work->problem;
    for (int64_t s = 0; s < problem->n_stations; s++) {
        int64_t row = r - 1, oldest = r - problem->window;
        while (row >= oldest && !baseline_present(problem, row, s))
            row--;
        double value = row >= oldest ? problem->values[row * problem->n_stations + s] : work->mean[s];
        for (int64_t h = 0; h < problem->horizon; h++)
            out[h * problem->n_stations + s] = value;
    }
}

static void predict_mean(const struct baseline_work *work, int64_t r, double *out)
{
    (void)r;
    for (int64_t h = 0; h < work->problem->horizon; h++)
        memcpy(out + h * work->problem->n_stations, work->mean, (size_t)work->problem->n_stations * sizeof *out);
}

static void predict_season(const struct baseline_work *work, int64_t r, double *out)
{
    const struct baseline_problem *problem = work->problem;
    for (int64_t h = 0; h < problem->horizon; h++)
        for (int64_t s = 0; s < problem->n_stations; s++) {
            int64_t row = r + h;
            do
                row -= problem->period_rows;
            while (row >= 0 && (row >= r || !baseline_present(problem, row, s)));
            out[h * problem->n_stations + s] =
                row >= 0 ? problem->values[row * problem->n_stations + s] : work->mean[s];
        }
}

static void predict_phase(const struct baseline_work *work, int64_t r, double *out)
{
    const struct baseline_problem *problem = work->problem;
    size_t n = (size_t)problem->n_stations;
    for (int64_t h = 0; h < problem->horizon; h++)
        memcpy(out + (size_t)h * n, work->phase + (size_t)((r + h) % problem->period_rows) * n, n * sizeof *out);
}

static void fill_history(const struct baseline_work *work, int64_t r, int64_t order)
{
    double *to = work->history;
    for (int64_t row = r - order; row < r; row++)
        for (int64_t s = 0; s < work->problem->n_stations; s++)
            *to++ = baseline_score(work, row, s);
}

static void history_to_units(const struct baseline_work *work, int64_t order, double *out)
{
    int64_t n = work->problem->n_stations;
    for (int64_t h = 0; h < work->problem->horizon; h++)
        for (int64_t s = 0; s < n; s++)
            out[h * n + s] = work->mean[s] + work->sd[s] * work->history[(order + h) * n + s];
}

static void predict_ar(const struct baseline_work *work, int64_t r, double *out)
{
    int64_t n = work->problem->n_stations, order = work->ar_order;
    fill_history(work, r, order);
    for (int64_t h = 0; h < work->problem->horizon; h++)
        for (int64_t s = 0; s < n; s++) {
            const double *weight = work->ar + s * (order + 1);
            double sum = weight[order];
            for (int64_t lag = 1; lag <= order; lag++)
                sum += weight[lag - 1] * work->history[(order + h - lag) * n + s];
            work->history[(order + h) * n + s] = sum;
        }
    history_to_units(work, order, out);
}

static void predict_var(const struct baseline_work *work, int64_t r, double *out)
{
    int64_t n = work->problem->n_stations, order = work->var_order;
    fill_history(work, r, order);
    for (int64_t h = 0; h < work->problem->horizon; h++) {
        double *to = work->history + (order + h) * n;
        memset(to, 0, (size_t)n * sizeof *to);
        for (int64_t lag = 1; lag <= order; lag++)
            for (int64_t i = 0; i < n; i++) {
                double input = work->history[(order + h - lag) * n + i];
                const double *weight = work->var + ((lag - 1) * n + i) * n;
                for (int64_t s = 0; s < n; s++)
                    to[s] += weight[s] * input;
            }
    }
    history_to_units(work, order, out);
}

static void evaluate(const struct baseline_work *work, void (*predict)(const struct baseline_work *, int64_t, double *),
                     double *out, struct baseline *baseline)
{
    const struct baseline_problem *problem = work->problem;
    int64_t n = problem->n_stations, first = problem->test_first_row;
    if (problem->window_within_test)
        first += problem->window;
    if (first < problem->window)
        first = problem->window;
    baseline->sums = (struct metric_sums){.n_horizons = (int)problem->horizon};
    for (int64_t r = first; r + problem->horizon - 1 <= problem->test_last_row; r++) {
        predict(work, r, out);
        for (int64_t h = 0; h < problem->horizon; h++)
            for (int64_t s = 0; s < n; s++)
                if (baseline_present(problem, r + h, s))
                    metric_add(&baseline->sums.row[h], out[h * n + s], problem->values[(r + h) * n + s]);
    }
}

/* Mean and population standard deviation over the rows outside of the test set; a constant station gets 1. */
static void fit_scores(struct baseline_work *work)
{
    const struct baseline_problem *problem = work->problem;
    for (int64_t s = 0; s < problem->n_stations; s++) {
        double sum = 0, squares = 0, count = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t r = 0; r < problem->n_rows; r++) {
                if ((r >= problem->test_first_row && r <= problem->test_last_row) || !baseline_present(problem, r, s))
                    continue;
                double value = problem->values[r * problem->n_stations + s];
                count += pass == 0;
                sum += pass == 0 ? value : 0;
                double distance = pass == 1 ? value - sum / count : 0;
                squares += distance * distance;
            }
        work->mean[s] = count > 0 ? sum / count : 0;
        double sd = count > 0 ? sqrt(squares / count) : 0;
        work->sd[s] = sd > 1e-12 * (1 + fabs(work->mean[s])) ? sd : 1;
    }
}

/* Mean of the training rows of each phase; a phase without any has the station's mean. */
static void fit_phases(struct baseline_work *work)
{
    const struct baseline_problem *problem = work->problem;
    int64_t n = problem->n_stations, period = problem->period_rows;
    for (int64_t phase = 0; phase < period; phase++)
        for (int64_t s = 0; s < n; s++) {
            double sum = 0, count = 0;
            for (int64_t r = phase; r < problem->n_rows; r += period) {
                if ((r >= problem->test_first_row && r <= problem->test_last_row) || !baseline_present(problem, r, s))
                    continue;
                sum += problem->values[r * n + s];
                count++;
            }
            work->phase[phase * n + s] = count > 0 ? sum / count : work->mean[s];
        }
}

static enum status check(const struct baseline_problem *p, struct fault *fault)
{
    if (p->n_rows < 2 || p->n_stations < 1 || p->window < 1 || p->horizon < 1 || p->horizon > METRIC_MAX_HORIZON)
        return fault_set(
            fault, STATUS_USAGE,
            "baselines: expected at least 2 rows, 1 station, a window of at least 1 and a horizon of 1 to %d, "
            "found %lld rows, %lld stations, window %lld, horizon %lld",
            METRIC_MAX_HORIZON, (long long)p->n_rows, (long long)p->n_stations, (long long)p->window,
            (long long)p->horizon);
    if (p->test_first_row < 0 || p->test_last_row < p->test_first_row || p->test_last_row >= p->n_rows)
        return fault_set(fault, STATUS_USAGE, "baselines: expected test rows within 0..%lld, found %lld..%lld",
                         (long long)(p->n_rows - 1), (long long)p->test_first_row, (long long)p->test_last_row);
    if (p->test_last_row - p->test_first_row + 1 == p->n_rows)
        return fault_set(fault, STATUS_USAGE, "baselines: all rows are test rows: nothing is left to fit on");
    return STATUS_OK;
}

static enum status work_open(struct baseline_work *work, double **out, struct fault *fault)
{
    const struct baseline_problem *problem = work->problem;
    size_t n = (size_t)problem->n_stations, most = (size_t)(problem->window + problem->horizon);
    work->mean = calloc(n, sizeof(double));
    work->sd = calloc(n, sizeof(double));
    work->history = calloc(most * n, sizeof(double));
    *out = calloc((size_t)problem->horizon * n, sizeof(double));
    if (problem->period_rows > 0)
        work->phase = calloc((size_t)problem->period_rows * n, sizeof(double));
    if (!work->mean || !work->sd || !work->history || !*out || (problem->period_rows > 0 && !work->phase))
        return fault_set(fault, STATUS_FAILED, "the baselines of %zu stations do not fit into memory", n);
    fit_scores(work);
    fit_phases(work);
    enum status status = baseline_fit_ar(work, fault);
    return status == STATUS_OK ? baseline_fit_var(work, fault) : status;
}

static void work_close(struct baseline_work *work)
{
    free(work->mean);
    free(work->sd);
    free(work->history);
    free(work->phase);
    free(work->ar);
    free(work->var);
}

enum status baseline_compute(const struct baseline_problem *problem, struct baseline table[BASELINE_MAX], int *n,
                             struct fault *fault)
{
    enum status status = check(problem, fault);
    if (status != STATUS_OK)
        return status;
    struct baseline_work work = {.problem = problem};
    double *out = NULL;
    int count = 0;
    status = work_open(&work, &out, fault);
    if (status == STATUS_OK) {
        snprintf(table[count].name, BASELINE_NAME_MAX, "persistence");
        evaluate(&work, predict_persistence, out, &table[count++]);
        snprintf(table[count].name, BASELINE_NAME_MAX, "training mean");
        evaluate(&work, predict_mean, out, &table[count++]);
        if (problem->period_rows > 0) {
            snprintf(table[count].name, BASELINE_NAME_MAX, "seasonal (%lld rows)", (long long)problem->period_rows);
            evaluate(&work, predict_season, out, &table[count++]);
            snprintf(table[count].name, BASELINE_NAME_MAX, "seasonal mean (%lld rows)",
                     (long long)problem->period_rows);
            evaluate(&work, predict_phase, out, &table[count++]);
        }
        if (work.ar_order > 0) {
            snprintf(table[count].name, BASELINE_NAME_MAX, "AR(%lld)", (long long)work.ar_order);
            evaluate(&work, predict_ar, out, &table[count++]);
        }
        if (work.var_order > 0) {
            snprintf(table[count].name, BASELINE_NAME_MAX, "ridge VAR(%lld)", (long long)work.var_order);
            evaluate(&work, predict_var, out, &table[count++]);
        }
        *n = count;
    }
    free(out);
    work_close(&work);
    return status;
}
