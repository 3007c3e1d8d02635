/* pool.h - arrays that come and go within one run: given back, they serve the next of their size.
 *
 * Sizes are rounded up to powers of two; memory comes from an arena and returns to it with the run.
 */
#ifndef SERVING_POOL_H
#define SERVING_POOL_H

#include <stddef.h>

#include "base/arena.h"

enum { POOL_CLASSES = 48, POOL_LEAST_BYTES = 64 };

/* What a free array holds at its beginning. */
struct pool_link {
    struct pool_link *next;
};

struct pool {
    struct arena *arena;
    struct pool_link *free[POOL_CLASSES];
};

/* Local. */
void pool_init(struct pool *pool, struct arena *arena);

/* Local. `bytes` bytes, not zeroed; NULL for 0. Give back with the same number of bytes (NULL is allowed). */
void *pool_take(struct pool *pool, size_t bytes);
void pool_give(struct pool *pool, void *array, size_t bytes);

#endif
