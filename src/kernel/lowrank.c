#include "kernel/lowrank.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/status.h"
#include "kernel/gemm.h"

enum { MORE_PROBES = 8, POWER_ITERATIONS = 2, MOST_SWEEPS = 40 };

/* A direction that is this small beside what it came from is rounding. */
static const double rounding = 1e-13;

struct work {
    size_t rows, columns, probes, width;
    const double *d;
    double *left;    /* [probes, rows]: the basis Q, a direction in each row */
    double *right;   /* [probes, columns] */
    double *gram;    /* [probes, probes] */
    double *vectors; /* [probes, probes], an eigenvector in each column */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t low_rank_probes(size_t rows, size_t columns, size_t width)
{
    return smaller(width + MORE_PROBES, smaller(rows, columns));
}

size_t low_rank_scratch_bytes(size_t rows, size_t columns, size_t width)
{
    size_t probes = low_rank_probes(rows, columns, width);
    return probes * (rows + columns + 2 * probes) * sizeof(double);
}

static double dot(size_t n, const double *x, const double *y)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Makes the rows of q[m, n] orthonormal (Gram-Schmidt, each row twice, which keeps them so to rounding). A row that
 * depends on those before becomes zero. */
static void orthonormalise(size_t m, size_t n, double *q)
{
    for (size_t k = 0; k < m; k++) {
        double *row = q + k * n, before = sqrt(dot(n, row, row));
        for (int twice = 0; twice < 2; twice++)
            for (size_t j = 0; j < k; j++) {
                double along = dot(n, row, q + j * n);
                for (size_t i = 0; i < n; i++)
                    row[i] -= along * q[j * n + i];
            }
        double norm = sqrt(dot(n, row, row)), scale = norm > rounding * before ? 1 / norm : 0;
        for (size_t i = 0; i < n; i++)
            row[i] *= scale;
    }
}

static void times_transposed(const struct work *work) /* left = right d^T */
{
    gemm_f64(GEMM_B_TRANSPOSED, work->probes, work->rows, work->columns, work->right, work->d, 0, work->left);
    orthonormalise(work->probes, work->rows, work->left);
}

static void times_matrix(const struct work *work) /* right = left d */
{
    gemm_f64(GEMM_PLAIN, work->probes, work->columns, work->rows, work->left, work->d, 0, work->right);
}

/* One rotation of Jacobi's method that makes element (p, q) of the symmetric s[n, n] zero. */
static void rotate(size_t n, double *s, double *vectors, size_t p, size_t q)
{
    double off = s[p * n + q];
    if (off == 0)
        return;
    double theta = (s[q * n + q] - s[p * n + p]) / (2 * off);
    double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1);
    for (size_t k = 0; k < n; k++) {
        double x = s[k * n + p], y = s[k * n + q], u = vectors[k * n + p], v = vectors[k * n + q];
        s[k * n + p] = c * x - c * t * y;
        s[k * n + q] = c * t * x + c * y;
        vectors[k * n + p] = c * u - c * t * v;
        vectors[k * n + q] = c * t * u + c * v;
    }
    for (size_t k = 0; k < n; k++) {
        double x = s[p * n + k], y = s[q * n + k];
        s[p * n + k] = c * x - c * t * y;
        s[q * n + k] = c * t * x + c * y;
    }
}

/* Eigenvalues of the symmetric s[n, n] onto its diagonal, eigenvectors into columns. Source: Golub and Van Loan, Matrix
 * Computations, section 8.5. */
static void diagonalise(size_t n, double *s, double *vectors)
{
    memset(vectors, 0, n * n * sizeof *vectors);
    for (size_t i = 0; i < n; i++)
        vectors[i * n + i] = 1;
    for (int sweep = 0; sweep < MOST_SWEEPS; sweep++) {
        double off = 0, all = dot(n * n, s, s);
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                off += s[p * n + q] * s[p * n + q];
        if (off <= 1e-32 * all)
            return;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                rotate(n, s, vectors, p, q);
    }
    bug("Jacobi's method did not come to an end");
}

/* The next largest eigenvalue: its place, or the number of them when none above `least` is left. Taken ones become 0.
 */
static size_t take_largest(const struct work *work, double least, double *value)
{
    size_t n = work->probes, best = n;
    *value = least;
    for (size_t i = 0; i < n; i++)
        if (work->gram[i * n + i] > *value) {
            best = i;
            *value = work->gram[i * n + i];
        }
    if (best < n)
        work->gram[best * n + best] = 0;
    return best;
}

/* Column i of b and row i of a from eigenvector `from` of right right^T and its eigenvalue, the squared singular value.
 */
static void write_direction(const struct work *work, size_t from, double value, size_t i, double *b, double *a)
{
    size_t probes = work->probes;
    double root = sqrt(sqrt(value));
    for (size_t k = 0; k < probes; k++) {
        double weight = work->vectors[k * probes + from];
        for (size_t r = 0; r < work->rows; r++)
            b[r * work->width + i] += weight * root * work->left[k * work->rows + r];
        for (size_t c = 0; c < work->columns; c++)
            a[i * work->columns + c] += weight / root * work->right[k * work->columns + c];
    }
}

static void draw_probes(const struct work *work, uint64_t seed, uint32_t place)
{
    struct rng_key key = rng_key(seed, RNG_PROBE, place);
    for (size_t i = 0; i < work->probes * work->columns; i++)
        work->right[i] = rng_normal(key, 0, i);
}

double low_rank(size_t rows, size_t columns, const double *d, size_t width, uint64_t seed, uint32_t place, double *b,
                double *a, void *scratch)
{
    if (width < 1 || width > smaller(rows, columns))
        bug("an approximation of width %zu for a matrix of %zu times %zu", width, rows, columns);
    struct work work = {
        .rows = rows, .columns = columns, .probes = low_rank_probes(rows, columns, width), .width = width};
    work.d = d;
    work.left = scratch;
    work.right = work.left + work.probes * rows;
    work.gram = work.right + work.probes * columns;
    work.vectors = work.gram + work.probes * work.probes;
    memset(b, 0, rows * width * sizeof *b);
    memset(a, 0, width * columns * sizeof *a);
    double all = dot(rows * columns, d, d), captured = 0;
    if (all == 0)
        return 1;
    draw_probes(&work, seed, place);
    times_transposed(&work);
    for (int i = 0; i < POWER_ITERATIONS; i++) {
        times_matrix(&work);
        orthonormalise(work.probes, columns, work.right);
        times_transposed(&work);
    }
    times_matrix(&work);
    gemm_f64(GEMM_B_TRANSPOSED, work.probes, work.probes, columns, work.right, work.right, 0, work.gram);
    diagonalise(work.probes, work.gram, work.vectors);
    for (size_t i = 0; i < width; i++) {
        double value;
        size_t from = take_largest(&work, rounding * all, &value);
        if (from == work.probes)
            break;
        write_direction(&work, from, value, i, b, a);
        captured += value;
    }
    return captured < all ? captured / all : 1;
}
