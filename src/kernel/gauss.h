/* gauss.h - many normal random numbers at once.
 *
 * Element i of a stream belongs to group g = i / 32, made of the sixteen words 16 g .. 16 g + 15 of the stream's Philox
 * blocks (base/rng.h; word w is word w % 4 of block w / 4): the halves of word j are u = (high + 1/2) / 2^16 and
 * v = low / 2^16; element 32 g + j is sqrt(-2 ln u) cos(2 pi v) and element 32 g + 16 + j the same with sin. The
 * grid of 2^-16 cuts the tails at 4.9 and changes the variance by less than 1e-4. A number depends on key, step and i
 * alone.
 */
#ifndef KERNEL_GAUSS_H
#define KERNEL_GAUSS_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

enum { GAUSS_GROUP = 32 };

/* Local. to[j] = element first + j, j < n. `first` and n are multiples of GAUSS_GROUP. */
void gauss_fill(struct rng_key key, uint32_t step, uint64_t first, size_t n, float *to);

#endif
