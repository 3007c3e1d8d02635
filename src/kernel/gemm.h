/* gemm.h - matrix products by BLAS. The only file of the program that knows a BLAS library is gemm.c.
 *
 * Matrices are row-major and contiguous.
 */
#ifndef KERNEL_GEMM_H
#define KERNEL_GEMM_H

#include <stddef.h>

/* Which operand is stored transposed: c[m,n] = a[m,k] b[n,k]^T, a[m,k] b[k,n], a[k,m]^T b[k,n]. */
enum gemm_layout { GEMM_B_TRANSPOSED, GEMM_PLAIN, GEMM_A_TRANSPOSED };

/* Local. c = a b, or c += a b with `accumulate`. No operand may overlap c. */
void gemm_f32(enum gemm_layout layout, size_t m, size_t n, size_t k, const float *a, const float *b, int accumulate,
              float *c);
void gemm_f64(enum gemm_layout layout, size_t m, size_t n, size_t k, const double *a, const double *b, int accumulate,
              double *c);

/* Local. c = a b of n x n matrices: the product by which benchmarks measure what one core can do. */
void gemm_peak_product(size_t n, const float *a, const float *b, float *c);

#endif
