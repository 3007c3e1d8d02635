/* descent.h - a few variables that make many weighted residuals small, where they change smoothly.
 *
 * Levenberg and Marquardt's way: residuals are taken as linear around a point, by differences; the step that makes
 * their weighted squares least is tried, shorter and steeper when it fails. Weights belong to the point and are asked
 * anew at each; 1 / |residual| makes the squares absolute values. What is compared is the function's own value.
 * Narrow valleys, in which cloud.h and simplex.h lie down, are its strength; steps of the function are not.
 * Source: Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", J. SIAM 11(2), 1963.
 */
#ifndef BASE_DESCENT_H
#define BASE_DESCENT_H

#include <stddef.h>

enum { DESCENT_MOST = 6 };

struct descent {
    int n;    /* variables, 1..DESCENT_MOST */
    size_t m; /* residuals */
    double start[DESCENT_MOST];
    double difference[DESCENT_MOST]; /* for derivatives at first; divided by four when no step helps */
    int quarterings;                 /* ends after so many */
    int most_values;                 /* or when so many values have been asked for */
};

/* The value at x[n], and residual[m], weight[m] there; infinity: not allowed, nothing is written. */
typedef double descent_value(void *state, const double *x, double *residual, double *weight);

/* Local. Writes the best point to best[n], adds the values asked for to *n_values, returns the value there. The number
 * asked for is below most_values + 2 n. The start must be allowed, or it comes back with infinity. */
double descent_run(const struct descent *descent, descent_value *value, void *state, double *best, int *n_values);

#endif
