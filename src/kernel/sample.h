/* sample.h - the next token, from the logits. */
#ifndef KERNEL_SAMPLE_H
#define KERNEL_SAMPLE_H

#include <stdint.h>

#include "kernel/batch.h"

/* Local. Temperature 0: the largest logit, the lowest token of equals. Otherwise softmax(logits / temperature); of the
 * likeliest tokens (equals: lower first) as many as are needed for top_p of the whole; one of them with a random number
 * keyed by seed, request and position of the token. `logits` [n] are overwritten, `order` [n] is scratch. A logit that
 * is not a number is never taken; all of them: token 0. */
int32_t sample_token(int64_t n, double *logits, uint32_t *order, const struct batch_part *part, uint64_t seed);

#endif
