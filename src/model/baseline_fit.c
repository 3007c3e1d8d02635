#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/baseline_private.h"

int baseline_present(const struct baseline_problem *problem, int64_t row, int64_t station)
{
    return !isnan(problem->values[row * problem->n_stations + station]);
}

double baseline_score(const struct baseline_work *work, int64_t row, int64_t station)
{
    double value = work->problem->values[row * work->problem->n_stations + station];
    return isnan(value) ? 0 : (value - work->mean[station]) / work->sd[station];
}

/* Equations added to a Gram matrix at a time. */
enum { BLOCK = 8 };

/* Normal equations of least squares: gram [k,k] (upper triangle, row-major), right [k,m]. */
struct normal {
    int64_t k, m;
    double *gram, *right;
};

static enum status normal_new(struct normal *normal, int64_t k, int64_t m, struct fault *fault)
{
    *normal = (struct normal){k, m, calloc((size_t)(k * k), sizeof(double)), calloc((size_t)(k * m), sizeof(double))};
    if (normal->gram && normal->right)
        return STATUS_OK;
    return fault_set(fault, STATUS_FAILED, "the baselines' normal equations (%lld unknowns) do not fit into memory",
                     (long long)k);
}

static void normal_free(struct normal *normal)
{
    free(normal->gram);
    free(normal->right);
}

/* Adds n <= BLOCK equations: x [n,k], y [n,m]. Rows of the block that are not there are zeros. */
static void normal_add(struct normal *normal, const double *x, const double *y)
{
    int64_t k = normal->k, m = normal->m;
    for (int64_t i = 0; i < k; i++) {
        double *restrict gram = normal->gram + i * k, *restrict right = normal->right + i * m;
        double c[BLOCK];
        for (int b = 0; b < BLOCK; b++)
            c[b] = x[b * k + i];
        for (int64_t j = i; j < k; j++)
            gram[j] += ((c[0] * x[j] + c[1] * x[k + j]) + (c[2] * x[2 * k + j] + c[3] * x[3 * k + j])) +
                       ((c[4] * x[4 * k + j] + c[5] * x[5 * k + j]) + (c[6] * x[6 * k + j] + c[7] * x[7 * k + j]));
        for (int64_t j = 0; j < m; j++)
            right[j] += ((c[0] * y[j] + c[1] * y[m + j]) + (c[2] * y[2 * m + j] + c[3] * y[3 * m + j])) +
                        ((c[4] * y[4 * m + j] + c[5] * y[5 * m + j]) + (c[6] * y[6 * m + j] + c[7] * y[7 * m + j]));
    }
}

/* Solves (gram + ridge I) B = right by Cholesky, U^T U, in place: B is in right. 0 when the matrix is not positive. */
static int normal_solve(struct normal *normal, double ridge)
{
    int64_t k = normal->k, m = normal->m;
    double *u = normal->gram, *b = normal->right;
    for (int64_t i = 0; i < k; i++) {
        double pivot = u[i * k + i] + ridge;
        if (!(pivot > 0))
            return 0;
        double root = sqrt(pivot);
        u[i * k + i] = root;
        for (int64_t j = i + 1; j < k; j++)
            u[i * k + j] /= root;
        for (int64_t j = 0; j < m; j++)
            b[i * m + j] /= root;
        for (int64_t r = i + 1; r < k; r++) {
            double factor = u[i * k + r];
            for (int64_t j = r; j < k; j++)
                u[r * k + j] -= factor * u[i * k + j];
            for (int64_t j = 0; j < m; j++)
                b[r * m + j] -= factor * b[i * m + j];
        }
    }
    for (int64_t i = k - 1; i >= 0; i--) {
        for (int64_t r = i + 1; r < k; r++)
            for (int64_t j = 0; j < m; j++)
                b[i * m + j] -= u[i * k + r] * b[r * m + j];
        for (int64_t j = 0; j < m; j++)
            b[i * m + j] /= u[i * k + i];
    }
    return 1;
}

/* May row r, with `order` rows before it, be a training equation? */
static int is_training(const struct baseline_problem *problem, int64_t r, int64_t order)
{
    return r >= order && (r < problem->test_first_row || r - order > problem->test_last_row);
}

static int64_t count_training(const struct baseline_problem *problem, int64_t order)
{
    int64_t n = 0;
    for (int64_t r = order; r < problem->n_rows; r++)
        n += is_training(problem, r, order);
    return n;
}

/* The largest order with at least two equations for each coefficient. */
static int64_t fitting_order(const struct baseline_problem *problem, int64_t order, int64_t inputs_per_order)
{
    while (order > 0 && count_training(problem, order) < 2 * (order * inputs_per_order + 1))
        order--;
    return order;
}

static int64_t fit_station(const struct baseline_work *work, int64_t station, struct normal *normal, double *x)
{
    const struct baseline_problem *problem = work->problem;
    int64_t order = work->ar_order, k = order + 1, n = 0, in_block = 0;
    double y[BLOCK] = {0};
    memset(x, 0, (size_t)(BLOCK * k) * sizeof *x);
    for (int64_t r = order; r < problem->n_rows; r++) {
        if (!is_training(problem, r, order) || !baseline_present(problem, r, station))
            continue;
        double *row = x + in_block * k;
        for (int64_t lag = 1; lag <= order; lag++)
            row[lag - 1] = baseline_score(work, r - lag, station);
        row[order] = 1;
        y[in_block++] = baseline_score(work, r, station);
        n++;
        if (in_block == BLOCK) {
            normal_add(normal, x, y);
            in_block = 0;
        }
    }
    for (int64_t b = in_block; b < BLOCK; b++) {
        memset(x + b * k, 0, (size_t)k * sizeof *x);
        y[b] = 0;
    }
    normal_add(normal, x, y);
    return n;
}

enum status baseline_fit_ar(struct baseline_work *work, struct fault *fault)
{
    const struct baseline_problem *problem = work->problem;
    int64_t wanted = problem->ar_order ? problem->ar_order : BASELINE_AR_ORDER;
    work->ar_order = fitting_order(problem, wanted < problem->window ? wanted : problem->window, 1);
    int64_t k = work->ar_order + 1;
    if (work->ar_order == 0)
        return STATUS_OK;
    work->ar = calloc((size_t)(problem->n_stations * k), sizeof *work->ar);
    double *x = calloc((size_t)(BLOCK * k), sizeof *x);
    enum status status = STATUS_OK;
    if (!work->ar || !x) {
        free(x);
        return fault_set(fault, STATUS_FAILED, "the AR baseline does not fit into memory");
    }
    for (int64_t s = 0; s < problem->n_stations && status == STATUS_OK; s++) {
        struct normal normal;
        status = normal_new(&normal, k, 1, fault);
        /* A ridge far below the data's noise keeps a station that never changes solvable: it predicts its mean. */
        if (status == STATUS_OK) {
            int64_t n = fit_station(work, s, &normal, x);
            if (n >= 2 * k && normal_solve(&normal, 1e-9 * (double)n))
                memcpy(work->ar + s * k, normal.right, (size_t)k * sizeof *work->ar);
        }
        normal_free(&normal);
    }
    free(x);
    return status;
}

static void fill_inputs(const struct baseline_work *work, int64_t r, double *x)
{
    int64_t n = work->problem->n_stations;
    for (int64_t lag = 1; lag <= work->var_order; lag++)
        for (int64_t s = 0; s < n; s++)
            *x++ = baseline_score(work, r - lag, s);
}

/* Adds the training equations; `station` < 0: of all stations at once, otherwise of those rows only where it is
 * present. */
static int64_t add_equations(const struct baseline_work *work, int64_t station, struct normal *normal, double *x,
                             double *y)
{
    const struct baseline_problem *problem = work->problem;
    int64_t k = normal->k, m = normal->m, n = 0, in_block = 0;
    for (int64_t r = work->var_order; r < problem->n_rows; r++) {
        if (!is_training(problem, r, work->var_order) || (station >= 0 && !baseline_present(problem, r, station)))
            continue;
        fill_inputs(work, r, x + in_block * k);
        for (int64_t j = 0; j < m; j++)
            y[in_block * m + j] = baseline_score(work, r, station < 0 ? j : station);
        n++;
        if (++in_block == BLOCK) {
            normal_add(normal, x, y);
            in_block = 0;
        }
    }
    memset(x + in_block * k, 0, (size_t)((BLOCK - in_block) * k) * sizeof *x);
    memset(y + in_block * m, 0, (size_t)((BLOCK - in_block) * m) * sizeof *y);
    normal_add(normal, x, y);
    return n;
}

static int has_gap(const struct baseline_problem *problem, int64_t station)
{
    for (int64_t r = 0; r < problem->n_rows; r++)
        if (!baseline_present(problem, r, station))
            return 1;
    return 0;
}

/* A station with gaps has equations of its own: those rows where it is present. */
static enum status fit_gapped(struct baseline_work *work, int64_t station, double lambda, double *x, double *y,
                              struct fault *fault)
{
    int64_t stations = work->problem->n_stations, k = stations * work->var_order;
    struct normal normal;
    enum status status = normal_new(&normal, k, 1, fault);
    if (status == STATUS_OK) {
        int64_t n = add_equations(work, station, &normal, x, y);
        int solved = n > 0 && normal_solve(&normal, lambda * (double)n);
        for (int64_t i = 0; i < k; i++)
            work->var[i * stations + station] = solved ? normal.right[i] : 0;
    }
    normal_free(&normal);
    return status;
}

static enum status fit_var(struct baseline_work *work, double *x, double *y, struct fault *fault)
{
    const struct baseline_problem *problem = work->problem;
    double lambda = problem->ridge_lambda > 0 ? problem->ridge_lambda : BASELINE_LAMBDA;
    int64_t stations = problem->n_stations, k = stations * work->var_order;
    struct normal normal;
    enum status status = normal_new(&normal, k, stations, fault);
    if (status == STATUS_OK) {
        int64_t n = add_equations(work, -1, &normal, x, y);
        if (normal_solve(&normal, lambda * (double)n))
            memcpy(work->var, normal.right, (size_t)(k * stations) * sizeof *work->var);
    }
    normal_free(&normal);
    for (int64_t s = 0; s < stations && status == STATUS_OK; s++)
        if (has_gap(problem, s))
            status = fit_gapped(work, s, lambda, x, y, fault);
    return status;
}

enum status baseline_fit_var(struct baseline_work *work, struct fault *fault)
{
    const struct baseline_problem *problem = work->problem;
    int64_t stations = problem->n_stations, wanted = problem->var_order ? problem->var_order : BASELINE_VAR_ORDER;
    int64_t most = problem->max_var_inputs ? problem->max_var_inputs : BASELINE_VAR_INPUTS;
    wanted = wanted < problem->window ? wanted : problem->window;
    wanted = wanted < most / stations ? wanted : most / stations;
    work->var_order = fitting_order(problem, wanted, stations);
    if (work->var_order == 0 || stations < 2)
        return work->var_order = 0, STATUS_OK;
    int64_t k = stations * work->var_order;
    work->var = calloc((size_t)(k * stations), sizeof *work->var);
    double *x = calloc((size_t)(BLOCK * k), sizeof *x), *y = calloc((size_t)(BLOCK * stations), sizeof *y);
    enum status status = work->var && x && y
                             ? fit_var(work, x, y, fault)
                             : fault_set(fault, STATUS_FAILED, "the VAR baseline does not fit into memory");
    free(x);
    free(y);
    return status;
}
