/* prefix.h - names of prompt prefixes, and where in the KV cache they lie.
 *
 * The name of block i is a 64-bit hash of the name of block i - 1 and of the tokens in block i: equal names mean equal
 * prompts from the first token on. Two different prefixes share a name by chance once in 2^64 pairs; that is neglected.
 */
#ifndef SERVING_PREFIX_H
#define SERVING_PREFIX_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/requests.h"

/* Local. Number of blocks of the prompt that can have names: full ones, all of whose tokens are known by ids or by
 * hashes. hash_tokens (of the trace) divides block_tokens or is a multiple of it. */
uint32_t prefix_blocks(const struct request *request, uint32_t hash_tokens, uint32_t block_tokens);

/* Local. Their names, name[prefix_blocks]. */
void prefix_names(const struct request *request, uint32_t hash_tokens, uint32_t block_tokens, uint64_t *name);

/* A map from names to blocks: open addressing with linear probing. */
struct prefix_slot {
    uint64_t name;
    uint32_t block_plus_1; /* 0: free */
};

struct prefix_index {
    struct prefix_slot *slot; /* heap; NULL while empty */
    size_t room, n;           /* room: a power of two, at least twice n */
};

/* Local. An index is empty when it is all zero. */
void prefix_index_release(struct prefix_index *index);

/* Local. The block of a name, or -1. */
int64_t prefix_find(const struct prefix_index *index, uint64_t name);

/* Local. Adds a name that is not there; removes one that is. */
void prefix_add(struct prefix_index *index, uint64_t name, uint32_t block);
void prefix_remove(struct prefix_index *index, uint64_t name);

#endif
