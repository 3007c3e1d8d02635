#include "base/statistics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/status.h"

#define MAX_AUTOCORRELATION 0.99
#define MIN_EFFECTIVE 2.0

enum { MAX_FRACTION_TERMS = 100000 };

static double mean_of(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return n ? sum / (double)n : NAN;
}

/* A mean of equal values is rounded, too: without this they would have a variance. */
static int all_equal(const double *values, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (values[i] != values[0])
            return 0;
    return n > 0 && values[0] == values[0];
}

struct moments statistics_moments(const double *values, size_t n)
{
    struct moments moments = {.n = n, .mean = mean_of(values, n), .variance = NAN};
    if (all_equal(values, n)) {
        moments.mean = values[0];
        moments.variance = n < 2 ? NAN : 0;
        return moments;
    }
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - moments.mean) * (values[i] - moments.mean);
    if (n >= 2)
        moments.variance = squares / (double)(n - 1);
    return moments;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double statistics_median(double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(values[i]))
            return NAN;
    if (n == 0)
        return NAN;
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : 0.5 * values[n / 2 - 1] + 0.5 * values[n / 2];
}

struct t_test statistics_t_test(const struct moments *a, const struct moments *b)
{
    struct t_test test = {.t = NAN, .df = (double)a->n + (double)b->n - 2, .p = NAN};
    double difference = a->mean - b->mean;
    if (a->n < 2 || b->n < 2 || isnan(difference))
        return test;
    double n_a = (double)a->n, n_b = (double)b->n;
    double pooled = ((n_a - 1) * a->variance + (n_b - 1) * b->variance) / test.df;
    if (pooled == 0)
        test.t = difference == 0 ? 0 : copysign(INFINITY, difference);
    else
        test.t = difference / sqrt(pooled * (1 / n_a + 1 / n_b));
    test.p = 2 * statistics_student_tail(fabs(test.t), test.df);
    return test;
}

/* sum (d_i - m)(d_{i+1} - m) / sum (d_i - m)^2 */
static double lag_one(const double *d, size_t n, double mean)
{
    double products = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (d[i] - mean) * (d[i] - mean);
    for (size_t i = 0; i + 1 < n; i++)
        products += (d[i] - mean) * (d[i + 1] - mean);
    return products / squares;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

struct paired statistics_paired(const double *a, const double *b, size_t n, double confidence)
{
    struct paired paired = {n, NAN, NAN, NAN, NAN, NAN};
    if (n < 2)
        return paired;
    double *d = malloc(n * sizeof *d);
    if (!d)
        bug("out of memory");
    for (size_t i = 0; i < n; i++)
        d[i] = a[i] - b[i];
    struct moments moments = statistics_moments(d, n);
    paired.mean = moments.mean;
    paired.deviation = sqrt(moments.variance);
    paired.autocorrelation = moments.variance == 0 ? 0 : clamp(lag_one(d, n, moments.mean), 0, MAX_AUTOCORRELATION);
    double n_effective = (double)n * (1 - paired.autocorrelation) / (1 + paired.autocorrelation);
    paired.n_effective = n_effective < MIN_EFFECTIVE ? MIN_EFFECTIVE : n_effective;
    double t = statistics_student_quantile(confidence, paired.n_effective - 1);
    paired.upper = paired.mean + t * paired.deviation / sqrt(paired.n_effective);
    free(d);
    return paired;
}

/* Lentz's method, modified: no term may be 0. */
static double away_from_zero(double value)
{
    return fabs(value) < DBL_MIN / DBL_EPSILON ? DBL_MIN / DBL_EPSILON : value;
}

static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), fraction = d;
    for (int m = 1; m <= MAX_FRACTION_TERMS; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / away_from_zero(1 + even * d);
        c = away_from_zero(1 + even / c);
        fraction *= d * c;
        d = 1 / away_from_zero(1 + odd * d);
        c = away_from_zero(1 + odd / c);
        fraction *= d * c;
        if (fabs(d * c - 1) < 4 * DBL_EPSILON)
            return fraction;
    }
    return NAN;
}

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* I_x(a, b) with y = 1 - x given, too, so that neither end loses digits. */
static double incomplete_beta(double a, double b, double x, double y)
{
    if (x <= 0 || y <= 0)
        return x <= 0 ? 0 : 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log(y));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, y) / b;
}

double statistics_incomplete_beta(double a, double b, double x)
{
    if (!(a > 0) || !(b > 0) || !(x >= 0) || !(x <= 1))
        return NAN;
    return incomplete_beta(a, b, x, 1 - x);
}

double statistics_student_tail(double t, double df)
{
    if (isnan(t) || !(df > 0))
        return NAN;
    if (isinf(t))
        return t > 0 ? 0 : 1;
    /* x = df / (df + t^2) without overflow of t^2. */
    double ratio = t / sqrt(df), x = 1 / (1 + ratio * ratio);
    double y = isinf(ratio * ratio) ? 1 : ratio * ratio / (1 + ratio * ratio);
    double tail = 0.5 * incomplete_beta(0.5 * df, 0.5, x, y);
    return t >= 0 ? tail : 1 - tail;
}

double statistics_student_cdf(double t, double df)
{
    return statistics_student_tail(-t, df);
}

/* Bisection on the tail, down to neighbouring doubles: slow, and exact to what the tail is. */
double statistics_student_quantile(double p, double df)
{
    if (!(p >= 0) || !(p <= 1) || !(df > 0))
        return NAN;
    if (p == 0.5)
        return 0;
    double tail = p < 0.5 ? p : 1 - p, low = 0, high = 1;
    if (tail == 0)
        return p < 0.5 ? -INFINITY : INFINITY;
    while (statistics_student_tail(high, df) > tail && high < DBL_MAX / 4)
        low = high, high *= 2;
    for (double middle = 0.5 * (low + high); middle > low && middle < high; middle = 0.5 * (low + high)) {
        if (statistics_student_tail(middle, df) > tail)
            low = middle;
        else
            high = middle;
    }
    return p < 0.5 ? -high : high;
}
