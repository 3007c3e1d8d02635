/* kv_cache.h - paged KV memory of one instance: who has which block, and which blocks hold prefixes worth keeping.
 *
 * A block is in one of three states: *used* (one or more sequences have it in their tables: references), *kept* (no
 * references, but it holds a named prefix: a later sequence can take it as it is) or *free*. Blocks are handed out in
 * this order: those freed last first, then ones never used in ascending order, then the kept one that has gone longest
 * without reference (its prefix is forgotten). When a sequence releases its table, its last blocks count as older than
 * its first: of a kept prefix the tail goes first.
 *
 * Only full blocks have names, and a sequence writes only behind its full blocks: shared blocks are never written.
 */
#ifndef SERVING_KV_CACHE_H
#define SERVING_KV_CACHE_H

#include <stdint.h>

#include "base/archive.h"
#include "serving/pool.h"
#include "serving/prefix.h"

/* Blocks of one sequence, in order of its tokens. All zero: empty. */
struct kv_table {
    uint32_t *block; /* [n], from the pool */
    uint32_t n, room;
};

struct kv_block {
    uint64_t name;
    uint32_t references;
    uint32_t older, newer; /* neighbours among the kept; KV_NONE at the ends */
    uint32_t is_named;
};

#define KV_NONE UINT32_MAX

struct kv_cache {
    uint32_t block_tokens;
    uint32_t capacity; /* blocks; 0: unlimited */
    struct pool *pool;
    struct kv_block *block; /* [n_blocks] of room; heap */
    uint32_t n_blocks, room;
    uint32_t *free; /* [n_free] stack; heap, as long as `block` */
    uint32_t n_free, n_kept, n_used;
    uint32_t oldest, newest; /* of the kept */
    uint32_t peak_used;
    uint64_t n_evictions;
    uint64_t changes; /* grows whenever room or named prefixes may have come */
    struct prefix_index index;
};

/* Local. An empty cache; tables take their memory from the pool. capacity_tokens 0: unlimited; otherwise whole blocks
 * only count. kv_cache_release gives back what is on the heap. */
void kv_cache_init(struct kv_cache *cache, uint64_t capacity_tokens, uint32_t block_tokens, struct pool *pool);
void kv_cache_release(struct kv_cache *cache);

/* Local. Blocks for so many tokens. */
uint32_t kv_blocks(const struct kv_cache *cache, uint64_t tokens);

/* Local. Blocks that could be handed out now: never used, free and kept; UINT32_MAX when unlimited. */
uint32_t kv_available(const struct kv_cache *cache);

/* Local. How many of name[n], from the first on, are in the cache, and how many of those are kept (taking them makes
 * them unavailable). Changes nothing. */
uint32_t kv_match(const struct kv_cache *cache, const uint64_t *name, uint32_t n, uint32_t *n_kept);

/* Local. Puts the first n blocks that kv_match found into an empty table. */
void kv_take(struct kv_cache *cache, struct kv_table *table, const uint64_t *name, uint32_t n);

/* Local. Lengthens a table to n blocks. 0, and nothing is changed, when so many are not available. */
int kv_extend(struct kv_cache *cache, struct kv_table *table, uint32_t n);

/* Local. Block i of the table is full and computed: gives it its name, unless another block has it. */
void kv_name(struct kv_cache *cache, const struct kv_table *table, uint32_t i, uint64_t name);

/* Local. Drops all references of a table, which is empty afterwards. */
void kv_release(struct kv_cache *cache, struct kv_table *table);

/* Local. Saves or restores a cache, which kv_cache_init has made; tables are saved apart. */
void kv_cache_archive(struct kv_cache *cache, struct archive *archive);

/* Local. Saves or restores n tables; restored ones take their memory from the pool. */
void kv_tables_archive(struct kv_table *const *table, size_t n, struct pool *pool, struct archive *archive);

/* Local. Are all invariants kept, given every table there is? NULL, or what is broken: each block has as many
 * references as tables hold it, none is lost or in two states, every name leads to its block, the capacity holds. For
 * tests: time O(blocks). */
const char *kv_broken(const struct kv_cache *cache, const struct kv_table *const *table, size_t n_tables);

#endif
