/* dropout.h - which elements a dropout drops: the same for every split of a minibatch, forward and backward.
 *
 * Element e = (first row + row) * channels + column of a site takes word e % 4 of Philox block e / 4 (base/rng.h: key
 * of seed, RNG_DROPOUT and site; counter of step and block). It is dropped when word < p * 2^32; survivors are
 * multiplied by 1 / (1 - p). The masks are made again in the backward pass rather than kept.
 */
#ifndef KERNEL_DROPOUT_H
#define KERNEL_DROPOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "kernel/run.h"

/* Words that dropout_words may write beyond the n asked for: it works in whole vectors of blocks. */
enum { DROPOUT_SLACK = 64 };

struct dropout {
    struct rng_key key;
    uint32_t step;
    uint32_t last_dropped; /* dropped when word <= this */
    double scale;          /* of the survivors */
};

/* Local. The dropout of an op with op->dropout > 0; a probability of 1 or more is a bug. */
struct dropout dropout_of(const struct op *op, const struct kernel_context *context);

/* Local. Words of elements first .. first + n - 1, written into `words` (n + DROPOUT_SLACK of them, aligned to 64);
 * returns where the first one stands. */
const uint32_t *dropout_words(const struct dropout *dropout, uint64_t first, size_t n, uint32_t *words);

/* Local. What a dropout multiplies element (row t of this device, channel c) by: 0 or 1 / (1 - p); 1 without dropout.
 * For the double kernels. */
double dropout_factor(const struct op *op, const struct kernel_context *context, size_t t, size_t c);

#endif
