/* Walsh-Hadamard transform and random projection: against their definitions, and by the laws that they must keep. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernel/fastfood.h"
#include "kernel/walsh.h"

Suite *suite_fastfood(void);

enum { SEEDS = 100, MOST = 4096 };

static uint64_t below(uint32_t seed, uint64_t draw, uint64_t n)
{
    return rng_below(rng_key(80, RNG_TEST, seed), 0, draw, n);
}

static double normal(uint32_t seed, uint32_t stream, uint64_t i)
{
    return rng_normal(rng_key(80, RNG_TEST, seed), stream, i);
}

static double hadamard(size_t i, size_t j)
{
    return __builtin_parityll(i & j) ? -1 : 1;
}

/* A projection of either set on doubles. */
struct projection {
    size_t dim, elements, length, element_bytes;
    void *table, *scratch, *small, *large, *work;
};

static struct projection projection_new(size_t dim, size_t elements, size_t element_bytes)
{
    struct projection p = {dim, elements, fastfood_length(elements), element_bytes, NULL, NULL, NULL, NULL, NULL};
    p.table = calloc(fastfood_table_elements(elements), element_bytes);
    p.scratch = malloc(fastfood_scratch_bytes(dim, elements, element_bytes));
    p.small = malloc(dim * element_bytes);
    p.large = malloc(elements * element_bytes);
    p.work = malloc(p.length * element_bytes);
    return p;
}

static void projection_release(struct projection *p)
{
    free(p->table);
    free(p->scratch);
    free(p->small);
    free(p->large);
    free(p->work);
}

static void put(void *to, const double *from, size_t n, size_t element_bytes)
{
    for (size_t i = 0; i < n; i++)
        if (element_bytes == sizeof(double))
            ((double *)to)[i] = from[i];
        else
            ((float *)to)[i] = (float)from[i];
}

static void get(const void *from, double *to, size_t n, size_t element_bytes)
{
    for (size_t i = 0; i < n; i++)
        to[i] = element_bytes == sizeof(double) ? ((const double *)from)[i] : (double)((const float *)from)[i];
}

static void project(struct projection *p, const double *x, double *y)
{
    put(p->small, x, p->dim, p->element_bytes);
    if (p->element_bytes == sizeof(double))
        fastfood_f64(p->dim, p->elements, p->table, p->small, p->work, p->scratch);
    else
        fastfood_f32(p->dim, p->elements, p->table, p->small, p->work, p->scratch);
    get(p->work, y, p->elements, p->element_bytes);
}

static void project_back(struct projection *p, const double *g, double *x)
{
    put(p->large, g, p->elements, p->element_bytes);
    if (p->element_bytes == sizeof(double))
        fastfood_transposed_f64(p->dim, p->elements, p->table, p->large, p->small, p->work, p->scratch);
    else
        fastfood_transposed_f32(p->dim, p->elements, p->table, p->large, p->small, p->work, p->scratch);
    get(p->small, x, p->dim, p->element_bytes);
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Whole numbers: additions are exact, so both sets must give exactly the definition. Loops over log2 n. */
START_TEST(walsh_is_its_definition)
{
    size_t n = (size_t)1 << _i;
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
    float *z = malloc(n * sizeof *z);
    for (size_t i = 0; i < n; i++) {
        x[i] = y[i] = (double)below(1, i, 201) - 100;
        z[i] = (float)x[i];
    }
    walsh_f64(n, y);
    walsh_f32(n, z);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += hadamard(i, j) * x[j];
        if (y[i] != sum || (double)z[i] != sum)
            ck_abort_msg("element %zu of %zu: %g, found %g and %g", i, n, sum, y[i], (double)z[i]);
    }
    free(x);
    free(y);
    free(z);
}
END_TEST

/* The sizes that are done in groups, in strips and in several passes over memory: three columns of H, exactly. */
START_TEST(large_walsh_is_its_definition)
{
    size_t n = (size_t)1 << _i, at[3];
    float *z = calloc(n, sizeof *z);
    double *y = calloc(n, sizeof *y);
    for (size_t k = 0; k < 3; k++) {
        at[k] = (size_t)below(2, (uint64_t)_i * 3 + k, n);
        z[at[k]] += (float)(k + 1);
        y[at[k]] += (double)(k + 1);
    }
    walsh_f32(n, z);
    walsh_f64(n, y);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t k = 0; k < 3; k++)
            sum += (double)(k + 1) * hadamard(i, at[k]);
        if ((double)z[i] != sum || y[i] != sum)
            ck_abort_msg("element %zu of %zu: %g, found %g and %g", i, n, sum, (double)z[i], y[i]);
    }
    free(y);
    free(z);
}
END_TEST

/* The formula of the header with sums written out, B, Pi and G given. */
START_TEST(projection_is_its_definition)
{
    uint32_t seed = (uint32_t)_i;
    size_t elements = 1 + below(seed, 0, 90), dim = 1 + below(seed, 1, elements), length = fastfood_length(elements);
    double signs[128], gauss[128], x[128], u[128], y[128], squares = 0;
    uint32_t order[128];
    rng_permutation(rng_key(81, RNG_TEST, seed), 3, (uint32_t)length, order);
    for (size_t i = 0; i < length; i++) {
        signs[i] = below(seed, 1000 + i, 2) ? 1 : -1;
        gauss[i] = normal(seed, 1, i);
        squares += gauss[i] * gauss[i];
        x[i] = normal(seed, 2, i);
    }
    for (size_t i = 0; i < length; i++) {
        u[i] = 0;
        for (size_t j = 0; j < dim; j++)
            u[i] += hadamard(i, j) * signs[j] * x[j];
    }
    double scale = 1 / (sqrt((double)length * squares) * sqrt((double)elements / (double)length));
    for (int f = 0; f < 2; f++) {
        struct projection p = projection_new(dim, elements, f ? sizeof(double) : sizeof(float));
        fastfood_table_of(signs, order, gauss, elements, p.element_bytes, p.table);
        project(&p, x, y);
        for (size_t i = 0; i < elements; i++) {
            double sum = 0;
            for (size_t j = 0; j < length; j++)
                sum += hadamard(i, j) * gauss[j] * u[order[j]];
            ck_assert_double_eq_tol(y[i], scale * sum, f ? 1e-13 * (double)length : 1e-5);
        }
        projection_release(&p);
    }
}
END_TEST

/* Sizes of both kinds: dim well below a cache line, and dim = elements. */
static struct projection random_projection(uint32_t seed, size_t element_bytes)
{
    size_t elements = 1 + below(seed, 0, MOST), dim = 1 + below(seed, 1, seed % 2 ? elements : 1 + elements / 20);
    struct projection p = projection_new(dim, elements, element_bytes);
    fastfood_table(seed, seed % 5, elements, element_bytes, p.table);
    return p;
}

/* <Px, g> = <x, P^T g> for a g that Px is a part of, so that the product is not small by chance. */
START_TEST(transposed_is_the_transpose)
{
    static double x[MOST], y[MOST], g[MOST], back[MOST];
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        struct projection p = random_projection(seed, _i ? sizeof(double) : sizeof(float));
        for (size_t i = 0; i < p.dim; i++)
            x[i] = (double)(float)normal(seed, 1, i);
        project(&p, x, y);
        for (size_t i = 0; i < p.elements; i++)
            g[i] = (double)(float)(y[i] + 0.1 * normal(seed, 2, i));
        project_back(&p, g, back);
        double forward = dot(y, g, p.elements), backward = dot(x, back, p.dim);
        double tolerance = (_i ? 1e-12 : 1e-5) * fabs(forward);
        ck_assert_msg(fabs(forward - backward) <= tolerance, "seed %u: <Px,g> = %.9g, <x,P'g> = %.9g", seed, forward,
                      backward);
        projection_release(&p);
    }
}
END_TEST

START_TEST(projection_keeps_lengths)
{
    static double x[MOST], y[2 * MOST];
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        size_t dim = 50 + below(seed, 0, 950), elements = MOST + below(seed, 1, MOST);
        struct projection p = projection_new(dim, elements, _i ? sizeof(double) : sizeof(float));
        fastfood_table(seed, 3, elements, p.element_bytes, p.table);
        for (size_t i = 0; i < dim; i++)
            x[i] = normal(seed, 1, i);
        project(&p, x, y);
        double ratio = sqrt(dot(y, y, elements) / dot(x, x, dim));
        ck_assert_msg(fabs(ratio - 1) < 3 / sqrt((double)dim), "seed %u, d %zu: ratio %g", seed, dim, ratio);
        projection_release(&p);
    }
}
END_TEST

START_TEST(tables_repeat_and_differ)
{
    enum { ELEMENTS = 777 };
    size_t length = fastfood_length(ELEMENTS);
    for (int f = 0; f < 2; f++) {
        size_t bytes = f ? sizeof(double) : sizeof(float), n = fastfood_table_elements(ELEMENTS) * bytes;
        char *first = malloc(n), *again = malloc(n);
        memset(first, 1, n);
        memset(again, 2, n);
        fastfood_table(5, 1, ELEMENTS, bytes, first);
        fastfood_table(5, 1, ELEMENTS, bytes, again);
        ck_assert_mem_eq(first, again, n);
        const uint32_t *words = (const void *)(first + length * bytes);
        char *seen = calloc(length, 1);
        size_t negative = 0;
        for (size_t i = 0; i < length; i++) {
            ck_assert_uint_lt(words[i] & 0x7fffffffu, length);
            seen[words[i] & 0x7fffffffu]++;
            negative += words[i] >> 31;
        }
        for (size_t i = 0; i < length; i++)
            ck_assert_int_eq(seen[i], 1);
        ck_assert_uint_gt(negative, length * 2 / 5);
        ck_assert_uint_lt(negative, length * 3 / 5);
        for (int other = 0; other < 2; other++) {
            fastfood_table(other ? 6 : 5, other ? 1 : 2, ELEMENTS, bytes, again);
            ck_assert(memcmp(first, again, length * bytes) != 0);
            ck_assert(memcmp(first + length * bytes, again + length * bytes, length * sizeof *words) != 0);
        }
        free(seen);
        free(first);
        free(again);
    }
}
END_TEST

/* The fast set leaves out what the definition computes in vain; what is left is the same map. */
START_TEST(both_sets_are_one_map)
{
    static double x[MOST], y[MOST], z[MOST];
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        struct projection p = random_projection(seed, sizeof(float)), q = random_projection(seed, sizeof(double));
        for (size_t i = 0; i < p.dim; i++)
            x[i] = (double)(float)normal(seed, 1, i);
        project(&p, x, y);
        project(&q, x, z);
        double size = sqrt(dot(z, z, p.elements) / (double)p.elements);
        for (size_t i = 0; i < p.elements; i++)
            if (!(fabs(y[i] - z[i]) <= 1e-5 * size))
                ck_abort_msg("seed %u, element %zu: %g and %g", seed, i, y[i], z[i]);
        projection_release(&p);
        projection_release(&q);
    }
}
END_TEST

START_TEST(dense_projection)
{
    enum { D = 23, K = 7 };
    double p[D * K], x[K], g[D], y[D], back[K];
    for (size_t i = 0; i < D * K; i++)
        p[i] = normal(1, 1, i);
    for (size_t i = 0; i < D; i++)
        g[i] = normal(1, 2, i);
    for (size_t k = 0; k < K; k++) {
        memset(x, 0, sizeof x);
        x[k] = 1;
        dense_projection_f64(K, D, p, x, y);
        for (size_t i = 0; i < D; i++)
            ck_assert_double_eq(y[i], p[i * K + k]);
        dense_projection_transposed_f64(K, D, p, g, back);
        ck_assert_double_eq_tol(back[k], dot(y, g, D), 1e-12);
    }
}
END_TEST

Suite *suite_fastfood(void)
{
    Suite *suite = suite_create("fastfood");
    TCase *tcase = tcase_create("projection");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, walsh_is_its_definition, 0, 14);
    tcase_add_loop_test(tcase, large_walsh_is_its_definition, 12, 24);
    tcase_add_loop_test(tcase, projection_is_its_definition, 0, 40);
    tcase_add_loop_test(tcase, transposed_is_the_transpose, 0, 2);
    tcase_add_loop_test(tcase, projection_keeps_lengths, 0, 2);
    tcase_add_test(tcase, tables_repeat_and_differ);
    tcase_add_test(tcase, both_sets_are_one_map);
    tcase_add_test(tcase, dense_projection);
    suite_add_tcase(suite, tcase);
    return suite;
}
