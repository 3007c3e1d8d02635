/* walsh.h - the Walsh-Hadamard transform: x becomes H x, in place.
 *
 * H is the unnormalised Hadamard matrix in natural order, H[i,j] = (-1)^(bits set in i & j); H H = n I. A transform of
 * n elements has log2 n levels of n additions. They are done in blocks that fit a cache: each block of the first level
 * cache completely, then strips of blocks, so that main memory is passed over two or three times instead of log2 n
 * times. Only additions and subtractions in one fixed tree: the same bytes with every instruction set.
 */
#ifndef KERNEL_WALSH_H
#define KERNEL_WALSH_H

#include <stddef.h>

/* Local. Transforms x[n], n a power of two (anything else is a bug). No memory but a strip on the stack. */
void walsh_f32(size_t n, float *x);
void walsh_f64(size_t n, double *x);

#endif
