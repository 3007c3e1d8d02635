/* simplex.h - the minimum of a function of a few variables from its values alone.
 *
 * The simplex of n + 1 points is reflected, stretched, drawn in or shrunk towards its best point until it is small.
 * Deterministic; nothing is drawn by lot. It finds a minimum near the start, not necessarily the lowest.
 * Source: Nelder and Mead, "A simplex method for function minimization", The Computer Journal 7(4), 1965, with their
 * coefficients 1, 2, 1/2, 1/2.
 */
#ifndef BASE_SIMPLEX_H
#define BASE_SIMPLEX_H

enum { SIMPLEX_MOST = 6 };

struct simplex {
    int n;                      /* variables, 1..SIMPLEX_MOST */
    double start[SIMPLEX_MOST]; /* first point */
    double step[SIMPLEX_MOST];  /* the others lie this far from it, one variable each; not 0 */
    double tolerance;           /* ends when no variable differs by more between the points */
    int most_values;            /* ends after so many values of the function */
};

/* A value to be made small; infinity: not allowed. `x` has n variables. */
typedef double simplex_value(void *state, const double *x);

/* Local. Writes the best point seen to best[n], adds the number of values asked for to *n_values and returns the value
 * there. The number asked for is below most_values + n + 1. */
double simplex_minimise(const struct simplex *simplex, simplex_value *value, void *state, double *best, int *n_values);

#endif
