/* lowrank.h - the best approximation of a matrix by a product of two thin ones, and how much of the matrix it holds.
 *
 * By power iterations on random probes. Source: Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM
 * Review 53 (2011), algorithms 4.4 and 5.1: Q spans D times width + 8 probes, twice multiplied by D D^T; then the
 * singular vectors of Q^T D, a small problem, are those of D. Probes are counter-based random numbers (base/rng.h:
 * seed, RNG_PROBE, place), all sums have a fixed order: the same bytes every time.
 */
#ifndef KERNEL_LOWRANK_H
#define KERNEL_LOWRANK_H

#include <stddef.h>
#include <stdint.h>

/* The work of low_rank, for who prices it: products of [probes, rows or columns] with the matrix, and sweeps of
 * Jacobi's method over a [probes, probes] matrix (an assumption: their number depends on the values, 6 to 10 is what
 * one sees). */
enum { LOW_RANK_PRODUCTS = 6, LOW_RANK_SWEEPS = 8 };

/* Local. How many probes. */
size_t low_rank_probes(size_t rows, size_t columns, size_t width);

/* Local. Bytes of scratch for a matrix [rows, columns] and a width. */
size_t low_rank_scratch_bytes(size_t rows, size_t columns, size_t width);

/* Local. b[rows, width] and a[width, columns] with b a the best approximation of d[rows, columns] of that width, up to
 * what the probes miss; the singular values are split evenly (column i of b and row i of a have the same norm), largest
 * first. Directions that d does not have are zero. Returns |b a|^2 / |d|^2 (squares of all elements), 1 when d is zero.
 * 1 <= width <= min(rows, columns), else a bug. */
double low_rank(size_t rows, size_t columns, const double *d, size_t width, uint64_t seed, uint32_t place, double *b,
                double *a, void *scratch);

#endif
