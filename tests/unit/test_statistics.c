/* Student's t against tables, the two tests against laws. The tables were made with mpmath 1.3.0 at 40 digits:
 * betainc(df / 2, 1 / 2, 0, df / (df + t^2), regularized) / 2, its inverse by bisection, and the series DLMF 8.17.8. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/statistics.h"

Suite *suite_statistics(void);

enum { MOST = 400 };

static void expect_close(double found, double expected, double relative, const char *what, int i)
{
    ck_assert_msg(fabs(found - expected) <= relative * fabs(expected), "%s %d: %.17g, not %.17g", what, i, found,
                  expected);
}

/* clang-format off */
static const struct { double t, df, tail; } tails[] = {
    {0.001, 1, 0.49968169021991944},
    {0.5, 1, 0.35241638234956673},
    {1, 1, 0.25},
    {2.5, 1, 0.1211189415908434},
    {6, 1, 0.05256845671125343},
    {-1.75, 1, 0.83475065946143209},
    {0.001, 2, 0.49964644669779504},
    {0.5, 2, 0.33333333333333333},
    {1, 2, 0.21132486540518712},
    {2.5, 2, 0.064805860110755405},
    {6, 2, 0.013335736607712386},
    {-1.75, 2, 0.88888888888888889},
    {0.001, 3, 0.49963244748473047},
    {0.5, 3, 0.3257239824240755},
    {1, 3, 0.19550110947788532},
    {2.5, 3, 0.043853323504032774},
    {6, 3, 0.0046363574461423337},
    {-1.75, 3, 0.9107872869508643},
    {0.001, 5.5, 0.49961869355967467},
    {0.5, 5.5, 0.31822017435770655},
    {1, 5.5, 0.17962668740656014},
    {2.5, 5.5, 0.025060042934610823},
    {6, 5.5, 0.00066039136676681324},
    {-1.75, 5.5, 0.93241230219671057},
    {0.001, 10, 0.49961089168737049},
    {0.5, 10, 0.31394680287148647},
    {1, 10, 0.17044656615102994},
    {2.5, 10, 0.015723422118304402},
    {6, 10, 6.6054430177392802e-5},
    {-1.75, 10, 0.94465952786702645},
    {0.001, 30, 0.49960436788324255},
    {0.5, 30, 0.31036150244256364},
    {1, 30, 0.16265430771301495},
    {2.5, 30, 0.0090578245340333471},
    {6, 30, 6.9713843836023714e-7},
    {-1.75, 30, 0.95482913602339444},
    {0.001, 100, 0.4996020538800517},
    {0.5, 100, 0.30908678291544329},
    {1, 100, 0.15986207789206168},
    {2.5, 100, 0.0070228945620385887},
    {6, 100, 1.5862457514014283e-8},
    {-1.75, 100, 0.95840715395124466},
    {0.001, 1000, 0.49960115750922637},
    {0.5, 1000, 0.30859254041693741},
    {1, 1000, 0.15877620904233615},
    {2.5, 1000, 0.0062892839005453984},
    {6, 1000, 1.3776845866887346e-9},
    {-1.75, 1000, 0.9597874953202711},
    {0.001, 15998, 0.49960106402029575},
    {0.5, 15998, 0.30854097726051473},
    {1, 15998, 0.15866281634373404},
    {2.5, 15998, 0.0062146307732578511},
    {6, 15998, 1.0078609345623743e-9},
    {-1.75, 15998, 0.95993125789617549},
    {0.001, 1000000, 0.49960105788582454},
    {0.5, 1000000, 0.30853759373618569},
    {1, 1000000, 0.15865537491678906},
    {2.5, 1000000, 0.0062097447510816231},
    {6, 1000000, 9.8692490617721733e-10},
    {-1.75, 1000000, 0.95994068979172606},
};

static const struct { double p, df, t; } quantiles[] = {
    {0.6, 1, 0.32491969623290633},
    {0.95, 1, 6.3137515146750431},
    {0.975, 1, 12.706204736174705},
    {0.995, 1, 63.656741162871581},
    {0.9995, 1, 636.61924876871962},
    {0.6, 2, 0.28867513459481288},
    {0.95, 2, 2.9199855803537257},
    {0.975, 2, 4.3026527297494639},
    {0.995, 2, 9.9248432009182931},
    {0.9995, 2, 31.599054576443621},
    {0.6, 4, 0.27072229470759742},
    {0.95, 4, 2.1318467863266503},
    {0.975, 4, 2.7764451051977944},
    {0.995, 4, 4.6040948713499932},
    {0.9995, 4, 8.6103015813792751},
    {0.6, 9, 0.26095533647391101},
    {0.95, 9, 1.8331129326562372},
    {0.975, 9, 2.2621571627982055},
    {0.995, 9, 3.2498355415921263},
    {0.9995, 9, 4.7809125859311391},
    {0.6, 29, 0.25568363457125614},
    {0.95, 29, 1.6991270265334978},
    {0.975, 29, 2.0452296421327043},
    {0.995, 29, 2.7563859036706055},
    {0.9995, 29, 3.6594050194663329},
    {0.6, 120, 0.25390952321492856},
    {0.95, 120, 1.6576508993552356},
    {0.975, 120, 1.9799304050824408},
    {0.995, 120, 2.617421145106866},
    {0.9995, 120, 3.3734537685625004},
    {0.6, 1917.5, 0.25338225703374916},
    {0.95, 1917.5, 1.6456486778346192},
    {0.975, 1917.5, 1.961201921381587},
    {0.995, 1917.5, 2.5783957485768662},
    {0.9995, 1917.5, 3.2956080216243812},
};

static const struct { double a, b, x, value; } betas[] = {
    {0.5, 0.5, 0.3, 0.36901011956554538},
    {2, 3, 0.1, 0.0523},
    {2, 3, 0.9, 0.9963},
    {0.1, 7, 0.001, 0.63546026962893348},
    {50, 60, 0.4, 0.12470685834310026},
    {8000, 0.5, 0.9999, 0.20589895877560208},
    {1e5, 2e5, 0.334, 0.78076181383212648},
    {1, 1, 0.25, 0.25},
    {12, 0.5, 0.999999, 0.99613168799668635},
    {0.01, 0.02, 0.5, 0.6667194610412722},
};
/* clang-format on */

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))

START_TEST(tables)
{
    for (int i = 0; i < COUNT(tails); i++) {
        expect_close(statistics_student_tail(tails[i].t, tails[i].df), tails[i].tail, 1e-9, "tail", i);
        expect_close(statistics_student_cdf(tails[i].t, tails[i].df), 1 - tails[i].tail, 1e-9, "cdf", i);
    }
    for (int i = 0; i < COUNT(quantiles); i++) {
        expect_close(statistics_student_quantile(quantiles[i].p, quantiles[i].df), quantiles[i].t, 1e-9, "quantile", i);
        expect_close(statistics_student_quantile(1 - quantiles[i].p, quantiles[i].df), -quantiles[i].t, 1e-9, "low", i);
    }
    for (int i = 0; i < COUNT(betas); i++)
        expect_close(statistics_incomplete_beta(betas[i].a, betas[i].b, betas[i].x), betas[i].value, 1e-9, "beta", i);
}
END_TEST

static double uniform(uint32_t test, uint64_t *i)
{
    return rng_uniform(rng_key(41, RNG_TEST, test), 0, (*i)++);
}

/* I_x(a, b) + I_{1-x}(b, a) = 1, and the contiguous relation of DLMF 8.17.20. */
START_TEST(beta_laws)
{
    uint64_t i = 0;
    for (int n = 0; n < 2000; n++) {
        double a = exp(8 * uniform(1, &i) - 3), b = exp(8 * uniform(1, &i) - 3), x = uniform(1, &i);
        double value = statistics_incomplete_beta(a, b, x);
        ck_assert(value >= 0 && value <= 1);
        ck_assert_double_eq_tol(value + statistics_incomplete_beta(b, a, 1 - x), 1, 1e-11);
        double step = exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a + 1) - lgamma(b));
        ck_assert_double_eq_tol(statistics_incomplete_beta(a + 1, b, x), value - step, 1e-11);
        ck_assert(statistics_incomplete_beta(a, b, 0.5 * x) <= value);
    }
}
END_TEST

START_TEST(student_laws)
{
    uint64_t i = 0;
    for (int n = 0; n < 300; n++) {
        double df = exp(12 * uniform(2, &i)) / 2, t = 20 * uniform(2, &i) - 10, p = uniform(2, &i);
        ck_assert_double_eq_tol(statistics_student_cdf(t, df) + statistics_student_tail(t, df), 1, 1e-14);
        ck_assert_double_eq(statistics_student_cdf(t, df), statistics_student_tail(-t, df));
        ck_assert(statistics_student_tail(t + 0.1, df) <= statistics_student_tail(t, df));
        ck_assert_double_eq_tol(statistics_student_cdf(statistics_student_quantile(p, df), df), p, 1e-12);
    }
}
END_TEST

START_TEST(domains)
{
    ck_assert(isnan(statistics_incomplete_beta(0, 1, 0.5)) && isnan(statistics_incomplete_beta(1, -1, 0.5)));
    ck_assert(isnan(statistics_incomplete_beta(1, 1, 1.1)) && isnan(statistics_incomplete_beta(1, 1, NAN)));
    ck_assert(statistics_incomplete_beta(2, 3, 0) == 0 && statistics_incomplete_beta(2, 3, 1) == 1);
    ck_assert(isnan(statistics_student_tail(1, 0)) && isnan(statistics_student_tail(NAN, 3)));
    ck_assert(statistics_student_tail(INFINITY, 3) == 0 && statistics_student_tail(-INFINITY, 3) == 1);
    ck_assert(statistics_student_tail(0, 7) == 0.5 && statistics_student_tail(1e200, 1) >= 0);
    ck_assert(statistics_student_quantile(0.5, 7) == 0);
    ck_assert(statistics_student_quantile(0, 7) == -INFINITY && statistics_student_quantile(1, 7) == INFINITY);
    ck_assert(isnan(statistics_student_quantile(-0.1, 7)) && isnan(statistics_student_quantile(0.1, NAN)));
}
END_TEST

START_TEST(moments_and_median)
{
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct moments moments = statistics_moments(values, 8);
    ck_assert(moments.n == 8 && moments.mean == 5);
    ck_assert_double_eq_tol(moments.variance, 32.0 / 7, 1e-15);
    ck_assert(isnan(statistics_moments(values, 0).mean) && isnan(statistics_moments(values, 1).variance));
    const double equal[] = {0.1, 0.1, 0.1};
    ck_assert(statistics_moments(equal, 3).variance == 0 && statistics_moments(equal, 3).mean == 0.1);
    const double broken[] = {1, NAN, 3};
    ck_assert(isnan(statistics_moments(broken, 3).mean) && isnan(statistics_moments(broken, 3).variance));
    double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2}, bad[] = {1, NAN};
    ck_assert(statistics_median(odd, 3) == 5 && statistics_median(even, 4) == 2.5);
    ck_assert(isnan(statistics_median(bad, 2)) && isnan(statistics_median(odd, 0)));
}
END_TEST

static struct t_test test_of(const double *a, size_t n_a, const double *b, size_t n_b)
{
    struct moments x = statistics_moments(a, n_a), y = statistics_moments(b, n_b);
    return statistics_t_test(&x, &y);
}

/* Student's own data (sleep, 1908), as two independent samples: t = -1.8608, df = 18, p = 0.07919. */
START_TEST(t_test_known)
{
    const double a[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
    const double b[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
    struct t_test test = test_of(a, 10, b, 10);
    ck_assert_double_eq_tol(test.t, -1.8608, 5e-5);
    ck_assert(test.df == 18);
    ck_assert_double_eq_tol(test.p, 0.07919, 5e-6);
}
END_TEST

START_TEST(t_test_degenerate)
{
    const double same[] = {3, 3, 3}, other[] = {4, 4}, broken[] = {1, NAN, 2};
    struct t_test test = test_of(same, 3, same, 3);
    ck_assert(test.t == 0 && test.p == 1);
    test = test_of(same, 3, other, 2);
    ck_assert(isinf(test.t) && test.t < 0 && test.p == 0 && test.df == 3);
    ck_assert(isnan(test_of(same, 1, other, 2).p) && isnan(test_of(same, 3, other, 1).t));
    ck_assert(isnan(test_of(same, 3, broken, 3).p) && isnan(test_of(broken, 3, same, 3).t));
}
END_TEST

/* Laws of the pooled test: swapping the samples turns t, p is invariant under x -> s x + c, and under equal means p is
 * uniform. */
START_TEST(t_test_laws)
{
    double a[40], b[40], shifted_a[40], shifted_b[40];
    int below_tenth = 0;
    for (uint32_t n = 0; n < 2000; n++) {
        struct rng_key key = rng_key(42, RNG_TEST, n);
        size_t n_a = 2 + (size_t)rng_below(key, 1, 0, 30), n_b = 2 + (size_t)rng_below(key, 1, 1, 30);
        double scale = exp(rng_normal(key, 2, 0)), shift = rng_normal(key, 2, 1);
        for (size_t i = 0; i < 40; i++) {
            a[i] = rng_normal(key, 3, i), b[i] = rng_normal(key, 4, i);
            shifted_a[i] = scale * a[i] + shift, shifted_b[i] = scale * b[i] + shift;
        }
        struct t_test test = test_of(a, n_a, b, n_b), swapped = test_of(b, n_b, a, n_a);
        struct t_test shifted = test_of(shifted_a, n_a, shifted_b, n_b);
        ck_assert_double_eq_tol(test.t, -swapped.t, 1e-12 * (1 + fabs(test.t)));
        ck_assert_double_eq_tol(test.p, shifted.p, 1e-10);
        ck_assert(test.p >= 0 && test.p <= 1 && test.df == (double)(n_a + n_b) - 2);
        below_tenth += test.p < 0.1;
    }
    ck_assert_msg(below_tenth > 150 && below_tenth < 250, "%d of 2000 below 0.1", below_tenth);
}
END_TEST

START_TEST(paired_degenerate)
{
    const double a[] = {1, 2, 3, 4}, b[] = {0, 1, 2, 3}, broken[] = {1, NAN, 3, 4};
    struct paired paired = statistics_paired(a, b, 4, 0.95);
    ck_assert(paired.mean == 1 && paired.deviation == 0 && paired.autocorrelation == 0 && paired.n_effective == 4);
    ck_assert(paired.upper == 1);
    paired = statistics_paired(a, b, 1, 0.95);
    ck_assert(paired.n == 1 && isnan(paired.upper) && isnan(paired.mean));
    ck_assert(isnan(statistics_paired(a, broken, 4, 0.95).upper));
    const double step[] = {1, 1, 1, 1, 1, 1, 9, 9, 9, 9, 9, 9}, zero[12] = {0};
    paired = statistics_paired(step, zero, 12, 0.95);
    ck_assert_double_eq_tol(paired.autocorrelation, 0.75, 1e-12); /* ten products 16, one -16, over 12 * 16 */
    ck_assert(paired.n_effective == 2);
}
END_TEST

/* An autoregressive series d_i = c d_{i-1} + e_i has lag-1 autocorrelation c, and n_eff follows; for independent
 * differences the bound covers the true mean as often as its confidence says. */
START_TEST(paired_laws)
{
    static double a[MOST], b[MOST];
    int covered = 0;
    for (uint32_t n = 0; n < 400; n++) {
        struct rng_key key = rng_key(43, RNG_TEST, n);
        double c = (n % 4) * 0.25, d = 0;
        for (size_t i = 0; i < MOST; i++) {
            d = c * d + rng_normal(key, 1, i);
            b[i] = rng_normal(key, 2, i), a[i] = b[i] + d + 3;
        }
        struct paired paired = statistics_paired(a, b, MOST, 0.9);
        ck_assert_double_eq_tol(paired.autocorrelation, c, 0.2);
        ck_assert_double_eq_tol(paired.n_effective, MOST * (1 - paired.autocorrelation) / (1 + paired.autocorrelation),
                                1e-9);
        ck_assert(paired.upper > paired.mean);
        ck_assert(statistics_paired(a, b, MOST, 0.99).upper > paired.upper);
        covered += paired.upper > 3;
    }
    ck_assert_msg(covered > 335 && covered < 390, "%d of 400", covered);
}
END_TEST

Suite *suite_statistics(void)
{
    Suite *suite = suite_create("statistics");
    TCase *tcase = tcase_create("statistics");
    tcase_add_test(tcase, tables);
    tcase_add_test(tcase, beta_laws);
    tcase_add_test(tcase, student_laws);
    tcase_add_test(tcase, domains);
    tcase_add_test(tcase, moments_and_median);
    tcase_add_test(tcase, t_test_known);
    tcase_add_test(tcase, t_test_degenerate);
    tcase_add_test(tcase, t_test_laws);
    tcase_add_test(tcase, paired_degenerate);
    tcase_add_test(tcase, paired_laws);
    suite_add_tcase(suite, tcase);
    return suite;
}
