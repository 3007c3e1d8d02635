/* Low-rank approximation: against matrices of known spectrum, and by the laws of best approximations. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernel/lowrank.h"

Suite *suite_lowrank(void);

static double normal(uint32_t seed, uint32_t stream, uint64_t i)
{
    return rng_normal(rng_key(90, RNG_TEST, seed), stream, i);
}

/* n orthonormal vectors of m elements, one in each row. */
static double *orthonormal(uint32_t seed, size_t n, size_t m)
{
    double *q = malloc(n * m * sizeof *q);
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < m; i++)
            q[k * m + i] = normal(seed, (uint32_t)k, i);
        for (size_t j = 0; j <= k; j++) {
            double along = 0;
            for (size_t i = 0; i < m; i++)
                along += q[k * m + i] * q[j * m + i];
            for (size_t i = 0; i < m; i++)
                q[k * m + i] = j < k ? q[k * m + i] - along * q[j * m + i] : q[k * m + i] / sqrt(along);
        }
    }
    return q;
}

struct known {
    size_t rows, columns, n; /* n singular values */
    double *u, *v, *value;   /* [n, rows] [n, columns] [n] descending */
    double *d;
};

static double *product(const struct known *known, size_t width)
{
    double *d = calloc(known->rows * known->columns, sizeof *d);
    for (size_t k = 0; k < width; k++)
        for (size_t r = 0; r < known->rows; r++)
            for (size_t c = 0; c < known->columns; c++)
                d[r * known->columns + c] +=
                    known->value[k] * known->u[k * known->rows + r] * known->v[k * known->columns + c];
    return d;
}

/* Singular values falling by `ratio`. */
static struct known known_new(uint32_t seed, size_t rows, size_t columns, size_t n, double ratio)
{
    struct known known = {rows,
                          columns,
                          n,
                          orthonormal(2 * seed, n, rows),
                          orthonormal(2 * seed + 1, n, columns),
                          malloc(n * sizeof(double)),
                          NULL};
    for (size_t k = 0; k < n; k++)
        known.value[k] = 3 * pow(ratio, (double)k);
    known.d = product(&known, n);
    return known;
}

static void known_release(struct known *known)
{
    free(known->u);
    free(known->v);
    free(known->value);
    free(known->d);
}

struct factors {
    double *b, *a, share;
};

static struct factors factor(const struct known *known, size_t width, uint64_t seed)
{
    struct factors f = {malloc(known->rows * width * sizeof(double)), malloc(width * known->columns * sizeof(double)),
                        0};
    void *scratch = malloc(low_rank_scratch_bytes(known->rows, known->columns, width));
    f.share = low_rank(known->rows, known->columns, known->d, width, seed, 4, f.b, f.a, scratch);
    free(scratch);
    return f;
}

static void factors_release(struct factors *f)
{
    free(f->b);
    free(f->a);
}

static double element(const struct known *known, const struct factors *f, size_t width, size_t r, size_t c)
{
    double sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += f->b[r * width + i] * f->a[i * known->columns + c];
    return sum;
}

/* With a spectrum that falls, the product is the truncated sum and the share is that of the squares. */
START_TEST(finds_a_known_spectrum)
{
    static const size_t shapes[][4] = {{40, 30, 20, 4}, {30, 40, 20, 8}, {64, 17, 17, 2}, {9, 9, 9, 9},
                                       {50, 50, 3, 8},  {1, 12, 1, 1},   {12, 1, 1, 1},   {70, 60, 50, 1}};
    const size_t *s = shapes[_i], width = s[3];
    struct known known = known_new((uint32_t)_i, s[0], s[1], s[2], 0.5);
    struct factors f = factor(&known, width, 1);
    double *best = product(&known, width < s[2] ? width : s[2]), all = 0, kept = 0;
    for (size_t k = 0; k < s[2]; k++) {
        all += known.value[k] * known.value[k];
        kept += k < width ? known.value[k] * known.value[k] : 0;
    }
    ck_assert_double_eq_tol(f.share, kept / all, 1e-9);
    for (size_t r = 0; r < s[0]; r++)
        for (size_t c = 0; c < s[1]; c++)
            ck_assert_double_eq_tol(element(&known, &f, width, r, c), best[r * s[1] + c], 1e-6);
    for (size_t i = 0; i < width; i++) {
        double b2 = 0, a2 = 0, value = i < s[2] ? known.value[i] : 0;
        for (size_t r = 0; r < s[0]; r++)
            b2 += f.b[r * width + i] * f.b[r * width + i];
        for (size_t c = 0; c < s[1]; c++)
            a2 += f.a[i * s[1] + c] * f.a[i * s[1] + c];
        ck_assert_double_eq_tol(b2, value, 1e-6);
        ck_assert_double_eq_tol(a2, value, 1e-6);
    }
    free(best);
    factors_release(&f);
    known_release(&known);
}
END_TEST

/* Slowly falling values are the hard case: the share may be a little less than the best, never more. */
START_TEST(a_flat_spectrum_is_nearly_captured)
{
    struct known known = known_new(30, 80, 60, 60, 0.97);
    double all = 0, kept = 0, residual = 0;
    struct factors f = factor(&known, 8, 2);
    for (size_t k = 0; k < known.n; k++) {
        all += known.value[k] * known.value[k];
        kept += k < 8 ? known.value[k] * known.value[k] : 0;
    }
    ck_assert_double_le(f.share, kept / all + 1e-12);
    ck_assert_double_ge(f.share, 0.93 * kept / all);
    for (size_t r = 0; r < known.rows; r++)
        for (size_t c = 0; c < known.columns; c++)
            residual += pow(known.d[r * known.columns + c] - element(&known, &f, 8, r, c), 2);
    ck_assert_double_eq_tol(residual / all, 1 - f.share, 1e-9);
    factors_release(&f);
    known_release(&known);
}
END_TEST

START_TEST(repeats_to_the_bit)
{
    struct known known = known_new(31, 33, 21, 21, 0.9);
    struct factors first = factor(&known, 4, 3), again = factor(&known, 4, 3), other = factor(&known, 4, 4);
    ck_assert_mem_eq(first.b, again.b, known.rows * 4 * sizeof(double));
    ck_assert_mem_eq(first.a, again.a, known.columns * 4 * sizeof(double));
    ck_assert(memcmp(first.a, other.a, known.columns * 4 * sizeof(double)) != 0);
    factors_release(&first);
    factors_release(&again);
    factors_release(&other);
    known_release(&known);
}
END_TEST

START_TEST(nothing_is_all_of_nothing)
{
    struct known known = known_new(32, 8, 6, 3, 0.5);
    memset(known.d, 0, known.rows * known.columns * sizeof *known.d);
    struct factors f = factor(&known, 2, 1);
    ck_assert_double_eq(f.share, 1);
    for (size_t i = 0; i < 2 * known.columns; i++)
        ck_assert_double_eq(f.a[i], 0);
    factors_release(&f);
    known_release(&known);
}
END_TEST

Suite *suite_lowrank(void)
{
    Suite *suite = suite_create("lowrank");
    TCase *tcase = tcase_create("approximation");
    tcase_add_loop_test(tcase, finds_a_known_spectrum, 0, 8);
    tcase_add_test(tcase, a_flat_spectrum_is_nearly_captured);
    tcase_add_test(tcase, repeats_to_the_bit);
    tcase_add_test(tcase, nothing_is_all_of_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
