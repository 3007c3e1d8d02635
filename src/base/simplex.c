#include "base/simplex.h"

#include <math.h>
#include <string.h>

#include "base/status.h"

struct search {
    const struct simplex *simplex;
    simplex_value *value;
    void *state;
    double x[SIMPLEX_MOST + 1][SIMPLEX_MOST], at[SIMPLEX_MOST + 1]; /* points by value, the best first */
    int n_values;
};

static double ask(struct search *search, const double *x)
{
    double value = search->value(search->state, x);
    search->n_values++;
    return isnan(value) ? INFINITY : value;
}

/* Puts a point where it belongs; the ones behind move, the last is lost. Equals stay in the order they came. */
static void insert(struct search *search, int n_points, const double *x, double value)
{
    int place = n_points;
    for (; place > 0 && value < search->at[place - 1]; place--) {
        memcpy(search->x[place], search->x[place - 1], sizeof search->x[place]);
        search->at[place] = search->at[place - 1];
    }
    memcpy(search->x[place], x, sizeof search->x[place]);
    search->at[place] = value;
}

static void begin(struct search *search)
{
    const struct simplex *simplex = search->simplex;
    for (int p = 0; p <= simplex->n; p++) {
        double x[SIMPLEX_MOST];
        memcpy(x, simplex->start, sizeof x);
        if (p > 0)
            x[p - 1] += simplex->step[p - 1];
        insert(search, p, x, ask(search, x));
    }
}

static int is_small(const struct search *search)
{
    for (int p = 1; p <= search->simplex->n; p++)
        for (int i = 0; i < search->simplex->n; i++)
            if (fabs(search->x[p][i] - search->x[0][i]) > search->simplex->tolerance)
                return 0;
    return 1;
}

/* centre + factor (worst - centre), the centre being that of all points but the worst. */
static double try_at(struct search *search, double factor, double *x)
{
    int n = search->simplex->n;
    memset(x, 0, SIMPLEX_MOST * sizeof *x);
    for (int i = 0; i < n; i++) {
        double centre = 0;
        for (int p = 0; p < n; p++)
            centre += search->x[p][i] / n;
        x[i] = centre + factor * (search->x[n][i] - centre);
    }
    return ask(search, x);
}

static void shrink(struct search *search)
{
    int n = search->simplex->n;
    double old[SIMPLEX_MOST + 1][SIMPLEX_MOST];
    memcpy(old, search->x, sizeof old);
    for (int p = 1; p <= n; p++) {
        double x[SIMPLEX_MOST] = {0};
        for (int i = 0; i < n; i++)
            x[i] = old[0][i] + (old[p][i] - old[0][i]) / 2;
        insert(search, p, x, ask(search, x));
    }
}

static void step(struct search *search)
{
    int n = search->simplex->n;
    double near[SIMPLEX_MOST], far[SIMPLEX_MOST], reflected = try_at(search, -1, near);
    if (reflected < search->at[0]) {
        double stretched = try_at(search, -2, far);
        insert(search, n, stretched < reflected ? far : near, fmin(stretched, reflected));
    } else if (reflected < search->at[n - 1]) {
        insert(search, n, near, reflected);
    } else {
        double drawn_in = try_at(search, reflected < search->at[n] ? -0.5 : 0.5, far);
        if (drawn_in < fmin(reflected, search->at[n]))
            insert(search, n, far, drawn_in);
        else
            shrink(search);
    }
}

double simplex_minimise(const struct simplex *simplex, simplex_value *value, void *state, double *best, int *n_values)
{
    struct search search = {.simplex = simplex, .value = value, .state = state};
    if (simplex->n < 1 || simplex->n > SIMPLEX_MOST)
        bug("a simplex of %d variables", simplex->n);
    begin(&search);
    while (search.n_values < simplex->most_values && !is_small(&search))
        step(&search);
    memcpy(best, search.x[0], (size_t)simplex->n * sizeof *best);
    *n_values += search.n_values;
    return search.at[0];
}
