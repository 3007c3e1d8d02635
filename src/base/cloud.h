/* cloud.h - the minimum of a rugged function of a few variables from its values alone.
 *
 * A cloud of points is drawn from a normal distribution; its best quarter gives the next one's mean and covariance, so
 * that the cloud stretches along valleys, draws together, and small steps of the function are seen from above. Where it
 * ends, simplex.h goes on. Random numbers are counter-based: the same call finds the same.
 * Source: Rubinstein and Kroese, "The Cross-Entropy Method", Springer 2004, chapter 5; Gaussian family, smoothed.
 */
#ifndef BASE_CLOUD_H
#define BASE_CLOUD_H

#include "base/rng.h"

enum { CLOUD_MOST = 6 };

struct cloud {
    int n;                     /* variables, 1..CLOUD_MOST */
    double centre[CLOUD_MOST]; /* of the first cloud; asked for too */
    double spread[CLOUD_MOST]; /* its standard deviations, above 0 */
    int points, clouds;        /* of a cloud, 8 or more; how many of them */
    struct rng_key key;
};

/* A value to be made small; infinity: not allowed. `x` has n variables. */
typedef double cloud_value(void *state, const double *x);

/* Local. Writes the best point seen to best[n] and returns the value there; asks for 1 + points * clouds values. */
double cloud_minimise(const struct cloud *cloud, cloud_value *value, void *state, double *best);

#endif
