#include "serving/kv_cache.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BLOCKS = INT32_MAX };

void kv_cache_init(struct kv_cache *cache, uint64_t capacity_tokens, uint32_t block_tokens, struct pool *pool)
{
    uint64_t capacity = capacity_tokens / block_tokens;
    if (capacity_tokens && capacity == 0)
        bug("a KV cache without room for one block");
    *cache = (struct kv_cache){.block_tokens = block_tokens,
                               .capacity = capacity > MOST_BLOCKS ? MOST_BLOCKS : (uint32_t)capacity,
                               .pool = pool,
                               .oldest = KV_NONE,
                               .newest = KV_NONE};
}

void kv_cache_release(struct kv_cache *cache)
{
    free(cache->block);
    free(cache->free);
    prefix_index_release(&cache->index);
    *cache = (struct kv_cache){.block = NULL};
}

uint32_t kv_blocks(const struct kv_cache *cache, uint64_t tokens)
{
    return (uint32_t)((tokens + cache->block_tokens - 1) / cache->block_tokens);
}

uint32_t kv_available(const struct kv_cache *cache)
{
    return cache->capacity ? cache->capacity - cache->n_used : UINT32_MAX;
}

/* ---- the kept, by age ---- */

static void keep(struct kv_cache *cache, uint32_t b)
{
    struct kv_block *block = &cache->block[b];
    block->older = cache->newest;
    block->newer = KV_NONE;
    if (cache->newest != KV_NONE)
        cache->block[cache->newest].newer = b;
    else
        cache->oldest = b;
    cache->newest = b;
    cache->n_kept++;
}

static void unkeep(struct kv_cache *cache, uint32_t b)
{
    const struct kv_block *block = &cache->block[b];
    if (block->older != KV_NONE)
        cache->block[block->older].newer = block->newer;
    else
        cache->oldest = block->newer;
    if (block->newer != KV_NONE)
        cache->block[block->newer].older = block->older;
    else
        cache->newest = block->older;
    cache->n_kept--;
}

/* ---- handing out ---- */

static void grow(struct kv_cache *cache)
{
    uint64_t room = cache->room ? 2 * (uint64_t)cache->room : 1024;
    uint64_t most = cache->capacity ? cache->capacity : MOST_BLOCKS;
    room = room > most ? most : room;
    if (room == cache->room)
        bug("more than %d KV blocks", MOST_BLOCKS);
    cache->block = realloc(cache->block, room * sizeof *cache->block);
    cache->free = realloc(cache->free, room * sizeof *cache->free);
    if (!cache->block || !cache->free)
        bug("out of memory");
    cache->room = (uint32_t)room;
}

static uint32_t evict_oldest(struct kv_cache *cache)
{
    uint32_t b = cache->oldest;
    if (b == KV_NONE)
        bug("no KV block is left");
    unkeep(cache, b);
    prefix_remove(&cache->index, cache->block[b].name);
    cache->n_evictions++;
    return b;
}

static uint32_t hand_out(struct kv_cache *cache)
{
    uint32_t b;
    if (cache->n_free) {
        b = cache->free[--cache->n_free];
    } else if (!cache->capacity || cache->n_blocks < cache->capacity) {
        if (cache->n_blocks == cache->room)
            grow(cache);
        b = cache->n_blocks++;
    } else {
        b = evict_oldest(cache);
    }
    cache->block[b] = (struct kv_block){.references = 1, .older = KV_NONE, .newer = KV_NONE};
    cache->n_used++;
    return b;
}

static void table_room(struct pool *pool, struct kv_table *table, uint32_t n)
{
    if (n <= table->room)
        return;
    uint32_t room = table->room ? table->room : 16;
    while (room < n)
        room *= 2;
    uint32_t *more = pool_take(pool, room * sizeof *more);
    if (table->n)
        memcpy(more, table->block, table->n * sizeof *more);
    pool_give(pool, table->block, table->room * sizeof *more);
    table->block = more;
    table->room = room;
}

static void note_peak(struct kv_cache *cache)
{
    cache->peak_used = cache->n_used > cache->peak_used ? cache->n_used : cache->peak_used;
}

int kv_extend(struct kv_cache *cache, struct kv_table *table, uint32_t n)
{
    if (n <= table->n)
        return 1;
    if (n - table->n > kv_available(cache))
        return 0;
    table_room(cache->pool, table, n);
    while (table->n < n)
        table->block[table->n++] = hand_out(cache);
    note_peak(cache);
    return 1;
}

/* ---- prefixes ---- */

uint32_t kv_match(const struct kv_cache *cache, const uint64_t *name, uint32_t n, uint32_t *n_kept)
{
    uint32_t found = 0;
    *n_kept = 0;
    for (; found < n; found++) {
        int64_t b = prefix_find(&cache->index, name[found]);
        if (b < 0)
            break;
        *n_kept += cache->block[b].references == 0;
    }
    return found;
}

void kv_take(struct kv_cache *cache, struct kv_table *table, const uint64_t *name, uint32_t n)
{
    if (table->n)
        bug("prefix blocks for a table that has some");
    table_room(cache->pool, table, n);
    for (uint32_t i = 0; i < n; i++) {
        int64_t b = prefix_find(&cache->index, name[i]);
        if (b < 0)
            bug("a prefix that was found is gone");
        if (cache->block[b].references++ == 0) {
            unkeep(cache, (uint32_t)b);
            cache->n_used++;
        }
        table->block[table->n++] = (uint32_t)b;
    }
    note_peak(cache);
}

void kv_name(struct kv_cache *cache, const struct kv_table *table, uint32_t i, uint64_t name)
{
    struct kv_block *block = &cache->block[table->block[i]];
    if (block->is_named || prefix_find(&cache->index, name) >= 0)
        return;
    prefix_add(&cache->index, name, table->block[i]);
    block->name = name;
    block->is_named = 1;
    cache->changes++;
}

void kv_release(struct kv_cache *cache, struct kv_table *table)
{
    for (uint32_t i = table->n; i-- > 0;) {
        uint32_t b = table->block[i];
        if (--cache->block[b].references)
            continue;
        cache->n_used--;
        if (cache->block[b].is_named)
            keep(cache, b);
        else
            cache->free[cache->n_free++] = b;
    }
    pool_give(cache->pool, table->block, table->room * sizeof *table->block);
    *table = (struct kv_table){.block = NULL};
    cache->changes++;
}

/* ---- saved and restored ---- */

static void archive_blocks(struct kv_cache *cache, struct archive *archive)
{
    size_t n = cache->n_blocks, stride = sizeof *cache->block;
    struct kv_block none = {.name = 0}, *block = n ? cache->block : &none;
    archive_column(archive, "name", &block->name, n, stride);
    archive_column(archive, "references", &block->references, n, stride);
    archive_column(archive, "older", &block->older, n, stride);
    archive_column(archive, "newer", &block->newer, n, stride);
    archive_column(archive, "is_named", &block->is_named, n, stride);
    archive_array(archive, "free", cache->free, cache->n_free);
}

/* Where names lie in the index depends on the order they came in, what is found does not. */
void kv_cache_archive(struct kv_cache *cache, struct archive *archive)
{
    archive_field(archive, "capacity", &cache->capacity);
    archive_field(archive, "n_free", &cache->n_free);
    archive_field(archive, "n_kept", &cache->n_kept);
    archive_field(archive, "n_used", &cache->n_used);
    archive_field(archive, "oldest", &cache->oldest);
    archive_field(archive, "newest", &cache->newest);
    archive_field(archive, "peak_used", &cache->peak_used);
    archive_field(archive, "n_evictions", &cache->n_evictions);
    archive_field(archive, "changes", &cache->changes);
    cache->n_blocks = (uint32_t)archive_count(archive, "n_blocks", cache->n_blocks);
    if (cache->n_free > cache->n_blocks)
        archive_refuse(archive, "%u of %u blocks are free", cache->n_free, cache->n_blocks);
    while (cache->room < cache->n_blocks)
        grow(cache);
    cache->n_free = cache->n_free > cache->room ? 0 : cache->n_free;
    archive_blocks(cache, archive);
    for (uint32_t b = 0; b < cache->n_blocks && archive_restores(archive) && !archive_has_failed(archive); b++)
        if (cache->block[b].is_named)
            prefix_add(&cache->index, cache->block[b].name, b);
}

void kv_tables_archive(struct kv_table *const *table, size_t n, struct pool *pool, struct archive *archive)
{
    struct arena *arena = arena_new();
    uint32_t *count = arena_array(arena, n + 1, sizeof *count);
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        count[i] = table[i]->n;
    archive_array(archive, "n", count, n);
    for (size_t i = 0; i < n; i++)
        total += count[i];
    uint32_t *block = arena_array(arena, total + 1, sizeof *block), *at = block;
    for (size_t i = 0; i < n && !archive_restores(archive); at += count[i++])
        if (count[i])
            memcpy(at, table[i]->block, count[i] * sizeof *at);
    archive_array(archive, "block", block, total);
    at = block;
    for (size_t i = 0; i < n && archive_restores(archive); at += count[i++]) {
        table_room(pool, table[i], count[i]);
        table[i]->n = count[i];
        if (count[i])
            memcpy(table[i]->block, at, count[i] * sizeof *at);
    }
    arena_free(arena);
}

/* ---- invariants ---- */

static const char *count_states(const struct kv_cache *cache, const uint32_t *references, uint8_t *is_free)
{
    uint32_t used = 0, kept = 0, named = 0;
    for (uint32_t i = 0; i < cache->n_free; i++) {
        if (cache->free[i] >= cache->n_blocks || is_free[cache->free[i]]++)
            return "a free block is listed twice or never existed";
    }
    for (uint32_t b = 0; b < cache->n_blocks; b++) {
        const struct kv_block *block = &cache->block[b];
        if (block->references != references[b])
            return "references differ from the tables";
        if (is_free[b] && block->references)
            return "a used block is free";
        if (is_free[b])
            continue;
        used += block->references > 0;
        kept += block->references == 0;
        named += block->is_named;
        if (block->references == 0 && !block->is_named)
            return "a block is lost";
        if (block->is_named && prefix_find(&cache->index, block->name) != (int64_t)b)
            return "a name does not lead to its block";
    }
    if (used != cache->n_used || kept != cache->n_kept || named != cache->index.n)
        return "counts of blocks are wrong";
    return NULL;
}

static const char *walk_kept(const struct kv_cache *cache)
{
    uint32_t n = 0, before = KV_NONE;
    for (uint32_t b = cache->oldest; b != KV_NONE && n <= cache->n_kept; before = b, b = cache->block[b].newer, n++)
        if (cache->block[b].references || cache->block[b].older != before)
            return "the list of kept blocks is broken";
    return n == cache->n_kept && cache->newest == before ? NULL : "the list of kept blocks has a wrong length";
}

const char *kv_broken(const struct kv_cache *cache, const struct kv_table *const *table, size_t n_tables)
{
    if (cache->capacity && (cache->n_blocks > cache->capacity || cache->peak_used > cache->capacity))
        return "more blocks than there are";
    uint32_t *references = calloc((size_t)cache->n_blocks + 1, sizeof *references);
    uint8_t *is_free = calloc((size_t)cache->n_blocks + 1, sizeof *is_free);
    const char *broken = references && is_free ? NULL : "out of memory";
    for (size_t t = 0; t < n_tables && !broken; t++)
        for (uint32_t i = 0; i < table[t]->n && !broken; i++) {
            if (table[t]->block[i] >= cache->n_blocks)
                broken = "a table holds a block that never existed";
            else
                references[table[t]->block[i]]++;
        }
    if (!broken)
        broken = count_states(cache, references, is_free);
    if (!broken)
        broken = walk_kept(cache);
    free(references);
    free(is_free);
    return broken;
}
