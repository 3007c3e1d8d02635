#include "base/descent.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/status.h"

enum { TRIES = 5 };

#define FIRST_DAMPING 0.01

struct walk {
    const struct descent *descent;
    descent_value *value;
    void *state;
    double x[DESCENT_MOST], at;        /* the best so far */
    double *residual, *weight;         /* [m] there */
    double *new_residual, *new_weight; /* [m] */
    double *slope;                     /* [n, m] */
    double difference[DESCENT_MOST];
    double damping;
    int n_values;
};

static double ask(struct walk *walk, const double *x)
{
    walk->n_values++;
    return walk->value(walk->state, x, walk->new_residual, walk->new_weight);
}

/* Slopes by one-sided differences; towards the other side where that is not allowed, 0 where neither is. */
static void find_slopes(struct walk *walk)
{
    size_t m = walk->descent->m;
    for (int i = 0; i < walk->descent->n; i++) {
        double x[DESCENT_MOST], *slope = walk->slope + (size_t)i * m, by = walk->difference[i];
        memset(slope, 0, m * sizeof *slope);
        for (int side = 0; side < 2; side++, by = -by) {
            memcpy(x, walk->x, sizeof x);
            x[i] += by;
            if (!isfinite(ask(walk, x)))
                continue;
            for (size_t r = 0; r < m; r++)
                slope[r] = (walk->new_residual[r] - walk->residual[r]) / by;
            break;
        }
    }
}

/* Gauss elimination of a positive matrix with the right side in the last column; 0 if it is singular. */
static int solve(double (*matrix)[DESCENT_MOST + 1], int n, double *step)
{
    for (int k = 0; k < n; k++) {
        if (!(matrix[k][k] > 0))
            return 0;
        for (int i = k + 1; i < n; i++) {
            double share = matrix[i][k] / matrix[k][k];
            for (int j = k; j <= n; j++)
                matrix[i][j] -= share * matrix[k][j];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        step[i] = matrix[i][n];
        for (int j = i + 1; j < n; j++)
            step[i] -= matrix[i][j] * step[j];
        step[i] /= matrix[i][i];
    }
    return 1;
}

static int find_step(const struct walk *walk, double *step)
{
    int n = walk->descent->n;
    size_t m = walk->descent->m;
    double matrix[DESCENT_MOST][DESCENT_MOST + 1] = {{0}};
    for (int i = 0; i < n; i++) {
        const double *a = walk->slope + (size_t)i * m;
        for (int j = 0; j <= n; j++) {
            const double *b = j < n ? walk->slope + (size_t)j * m : walk->residual;
            double sum = 0;
            for (size_t r = 0; r < m; r++)
                sum += walk->weight[r] * a[r] * b[r];
            matrix[i][j] = j < n ? sum : -sum;
        }
        matrix[i][i] *= 1 + walk->damping;
    }
    return solve(matrix, n, step);
}

static void accept(struct walk *walk, const double *x, double at)
{
    double *residual = walk->residual, *weight = walk->weight;
    walk->at = at;
    memcpy(walk->x, x, sizeof walk->x);
    walk->residual = walk->new_residual;
    walk->weight = walk->new_weight;
    walk->new_residual = residual;
    walk->new_weight = weight;
}

/* 1 if a lower point was found. */
static int go_down(struct walk *walk)
{
    find_slopes(walk);
    for (int t = 0; t < TRIES && walk->n_values < walk->descent->most_values; t++, walk->damping *= 8) {
        double x[DESCENT_MOST], step[DESCENT_MOST];
        memcpy(x, walk->x, sizeof x);
        if (!find_step(walk, step))
            return 0;
        for (int i = 0; i < walk->descent->n; i++)
            x[i] += step[i];
        double at = ask(walk, x);
        if (!(at < walk->at))
            continue;
        accept(walk, x, at);
        walk->damping /= 10;
        return 1;
    }
    walk->damping = FIRST_DAMPING;
    return 0;
}

double descent_run(const struct descent *descent, descent_value *value, void *state, double *best, int *n_values)
{
    struct arena *arena = arena_new();
    size_t m = descent->m;
    struct walk walk = {.descent = descent, .value = value, .state = state, .damping = FIRST_DAMPING};
    if (descent->n < 1 || descent->n > DESCENT_MOST)
        bug("a descent of %d variables", descent->n);
    memcpy(walk.x, descent->start, sizeof walk.x);
    memcpy(walk.difference, descent->difference, sizeof walk.difference);
    walk.residual = arena_array(arena, m, sizeof *walk.residual);
    walk.weight = arena_array(arena, m, sizeof *walk.weight);
    walk.new_residual = arena_array(arena, m, sizeof *walk.new_residual);
    walk.new_weight = arena_array(arena, m, sizeof *walk.new_weight);
    walk.slope = arena_array(arena, m * (size_t)descent->n, sizeof *walk.slope);
    accept(&walk, descent->start, ask(&walk, descent->start));
    for (int q = 0; isfinite(walk.at) && q <= descent->quarterings && walk.n_values < descent->most_values;) {
        if (go_down(&walk))
            continue;
        q++;
        for (int i = 0; i < descent->n; i++)
            walk.difference[i] /= 4;
    }
    memcpy(best, walk.x, (size_t)descent->n * sizeof *best);
    *n_values += walk.n_values;
    arena_free(arena);
    return walk.at;
}
