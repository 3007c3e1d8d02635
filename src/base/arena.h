/* arena.h - memory with one lifetime (program, run, step).
 *
 * Small metadata is taken from an arena and freed with it; nothing is freed one by one. Tensor data is not: it is one
 * block per device (block_new). Running out of memory in an arena ends the process with a message: metadata is small
 * and a caller could do nothing better. A block can be large, so block_new reports a fault.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/status.h"

struct arena;

/* Local. A new, empty arena; arena_free releases everything taken from it. */
struct arena *arena_new(void);
void arena_free(struct arena *arena);

/* Local. `size` bytes, zeroed, aligned to 64. Never NULL. */
void *arena_take(struct arena *arena, size_t size) __attribute__((returns_nonnull));

/* Local. `count` elements of `size` bytes each, zeroed; overflow of the product is a bug. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull));

/* Local. The list of n elements with room for one more, zeroed. For lists that grow one by one from NULL and 0: their
 * room is a power of two, and a full one is copied to one twice as large. */
void *arena_grown(struct arena *arena, void *list, size_t n, size_t size);

/* Local. A copy of a string. */
char *arena_string(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. One zeroed block for tensors, aligned to 4096 bytes (large ones to 2 MiB, in huge pages where the host has
 * them), pages touched. Fault STATUS_FAILED when the host has not that much memory. Free with block_free (NULL is
 * allowed). */
enum status block_new(void **block, size_t bytes, struct fault *fault);
void block_free(void *block);

/* Local. a * b into *product; 0 when it overflows. */
int size_mul(size_t a, size_t b, size_t *product);

#endif
