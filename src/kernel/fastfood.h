/* fastfood.h - a random projection P from d to D >= d dimensions with O(D) memory, and its transpose.
 *
 *   P x = scale * (H (G o (H (B o [x ; 0]))[Pi]))[0:D]        scale = 1 / (sqrt(L sum G^2) sqrt(D / L))
 *
 * L is the next power of two of D, B[L] signs, Pi a permutation of 0..L-1 (v[Pi][i] = v[Pi[i]]), G[L] standard normal,
 * H the Walsh-Hadamard matrix (kernel/walsh.h). The scale makes P keep lengths: |P x| is about |x|.
 * Source: Le, Sarlos, Smola, "Fastfood", ICML 2013, without its matrix S; as the projection of intrinsic-dimension
 * training: Li et al. 2018 (arXiv 1804.08838), Aghajanyan et al. 2020 (arXiv 2012.13255).
 *
 * A *table* holds what is random: 2 L elements of the format's size, first scale * G[i], then as 32-bit words Pi[i]
 * (bits 0 to 30) and the sign of B[i] (bit 31 set: -1). It is made once and only read afterwards.
 *
 * The float set uses that x has few elements: with M the next power of two of d, H [x ; 0] repeats itself every M
 * elements, so the first transform is one of M elements and the gather reads from a small table; transposed, only the
 * first M elements of the last transform are wanted, and they are one of M sums. One transform of L elements is left.
 * The double set does what the formula says.
 */
#ifndef KERNEL_FASTFOOD_H
#define KERNEL_FASTFOOD_H

#include <stddef.h>
#include <stdint.h>

/* Local. L of D = elements (at least 1, at most 2^31). */
size_t fastfood_length(size_t elements);

/* Local. Elements of a table for D = elements. */
size_t fastfood_table_elements(size_t elements);

/* Local. Bytes of scratch that one call needs. */
size_t fastfood_scratch_bytes(size_t dim, size_t elements, size_t element_bytes);

/* Local. Fills a table for D = elements with random numbers of its own (base/rng.h: seed, RNG_FASTFOOD, place), for
 * elements of 4 or 8 bytes: O(L) time. */
void fastfood_table(uint64_t seed, uint32_t place, size_t elements, size_t element_bytes, void *table);

/* Local. Fills a table from given B[L] (+-1), Pi[L], G[L]. Pi must be a permutation. */
void fastfood_table_of(const double *signs, const uint32_t *order, const double *gauss, size_t elements,
                       size_t element_bytes, void *table);

/* Local. work[0:elements] = P x, x[dim]; work[L] must not overlap x. 1 <= dim <= elements, else a bug. */
void fastfood_f32(size_t dim, size_t elements, const float *table, const float *x, float *work, void *scratch);
void fastfood_f64(size_t dim, size_t elements, const double *table, const double *x, double *work, void *scratch);

/* Local. x[dim] = P^T g, g[elements]; work[L] is overwritten and must not overlap g. */
void fastfood_transposed_f32(size_t dim, size_t elements, const float *table, const float *g, float *x, float *work,
                             void *scratch);
void fastfood_transposed_f64(size_t dim, size_t elements, const double *table, const double *g, double *x, double *work,
                             void *scratch);

/* Local. The same two with a stored matrix p[elements, dim]: y = p x and x = p^T g. For checks: O(D d) memory. */
void dense_projection_f64(size_t dim, size_t elements, const double *p, const double *x, double *y);
void dense_projection_transposed_f64(size_t dim, size_t elements, const double *p, const double *g, double *x);

#endif
