/* statistics.h - the few statistics that decisions rest on: means, Student's t, two tests of a difference.
 *
 * All sums run from the first element to the last. NaN among the data makes every result that depends on it NaN, and
 * NaN passes no test: compare so that NaN falls on the safe side.
 */
#ifndef BASE_STATISTICS_H
#define BASE_STATISTICS_H

#include <stddef.h>

/* Mean and unbiased variance (divisor n - 1, two passes). */
struct moments {
    size_t n;
    double mean;     /* NaN when n < 1 */
    double variance; /* NaN when n < 2; exactly 0 when all values are equal */
};

/* Local. Of values[n]. */
struct moments statistics_moments(const double *values, size_t n);

/* Local. Median of values[n], which are sorted in place; the mean of the middle two when n is even. NaN when n is 0 or
 * a value is NaN. */
double statistics_median(double *values, size_t n);

struct t_test {
    double t, df;
    double p; /* two-sided: probability of a |t| at least this large when the means are equal */
};

/* Local. Student's two-sample test with pooled variance, t = (mean_a - mean_b) / sqrt(s2 (1/n_a + 1/n_b)),
 * s2 = ((n_a - 1) var_a + (n_b - 1) var_b) / df, df = n_a + n_b - 2.
 * Without any variance: p = 1 (t = 0) for equal means, p = 0 (t infinite) for others. t and p are NaN when a sample has
 * fewer than two values. */
struct t_test statistics_t_test(const struct moments *a, const struct moments *b);

/* Differences d_i = a_i - b_i of pairs in time order, whose neighbours resemble each other. */
struct paired {
    size_t n;
    double mean, deviation; /* of d; deviation with divisor n - 1 */
    double autocorrelation; /* of d at lag 1, clamped to [0, 0.99]; 0 without any variance */
    double n_effective;     /* n (1 - autocorrelation) / (1 + autocorrelation), at least 2 */
    double upper;           /* mean + t_{confidence, n_effective - 1} deviation / sqrt(n_effective) */
};

/* Local. Of a[n] and b[n]; `confidence` in (0, 1) is that of the one-sided upper bound of the mean difference. All
 * numbers but n are NaN when n < 2. */
struct paired statistics_paired(const double *a, const double *b, size_t n, double confidence);

/* Local. Regularised incomplete beta function I_x(a, b), a and b above 0, x in [0, 1]; NaN outside. Continued fraction
 * by Lentz's method; relative error below 1e-9 for a, b up to 1e6.
 * Source: DLMF 8.17.22 (the fraction) and 8.17.4 (the reflection). */
double statistics_incomplete_beta(double a, double b, double x);

/* Local. Student's t with df > 0 degrees of freedom (not necessarily whole): P(T <= t), P(T > t), and the t with
 * P(T <= t) = p. The quantiles of 0 and 1 are infinite. NaN outside of their domains.
 * Source: DLMF 8.17, P(T > t) = I_{df / (df + t^2)}(df / 2, 1 / 2) / 2 for t >= 0. */
double statistics_student_cdf(double t, double df);
double statistics_student_tail(double t, double df);
double statistics_student_quantile(double p, double df);

#endif
