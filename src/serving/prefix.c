#include "serving/prefix.h"

#include <stdlib.h>

/* The finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014): every bit of the input reaches every bit. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static uint64_t chain(uint64_t name, uint64_t content)
{
    return mix(name ^ mix(content));
}

uint32_t prefix_blocks(const struct request *request, uint32_t hash_tokens, uint32_t block_tokens)
{
    uint32_t full = request->prompt_tokens / block_tokens;
    if (request->prompt)
        return full;
    if (request->n_hashes == 0 || hash_tokens == 0)
        return 0;
    uint64_t known = (uint64_t)request->n_hashes * hash_tokens / block_tokens;
    return known < full ? (uint32_t)known : full;
}

void prefix_names(const struct request *request, uint32_t hash_tokens, uint32_t block_tokens, uint64_t *name)
{
    uint32_t n = prefix_blocks(request, hash_tokens, block_tokens);
    uint64_t last = block_tokens;
    for (uint32_t i = 0; i < n; i++) {
        if (request->prompt) {
            for (uint32_t t = 0; t < block_tokens; t++)
                last = chain(last, request->prompt[(size_t)i * block_tokens + t]);
        } else if (hash_tokens >= block_tokens) {
            uint32_t per_hash = hash_tokens / block_tokens;
            last = chain(chain(last, request->hash[i / per_hash]), i % per_hash);
        } else {
            uint32_t per_block = block_tokens / hash_tokens;
            for (uint32_t h = 0; h < per_block; h++)
                last = chain(last, request->hash[(size_t)i * per_block + h]);
        }
        name[i] = last;
    }
}

void prefix_index_release(struct prefix_index *index)
{
    free(index->slot);
    *index = (struct prefix_index){.slot = NULL};
}

/* The slot of a name, or the free one where it would go. */
static size_t probe(const struct prefix_index *index, uint64_t name)
{
    size_t at = mix(name) & (index->room - 1);
    while (index->slot[at].block_plus_1 && index->slot[at].name != name)
        at = (at + 1) & (index->room - 1);
    return at;
}

int64_t prefix_find(const struct prefix_index *index, uint64_t name)
{
    return index->n ? (int64_t)index->slot[probe(index, name)].block_plus_1 - 1 : -1;
}

static void grow(struct prefix_index *index)
{
    struct prefix_index larger = {.room = index->room ? 2 * index->room : 1024, .n = index->n};
    larger.slot = calloc(larger.room, sizeof *larger.slot);
    if (!larger.slot)
        bug("out of memory");
    for (size_t i = 0; i < index->room; i++)
        if (index->slot[i].block_plus_1)
            larger.slot[probe(&larger, index->slot[i].name)] = index->slot[i];
    free(index->slot);
    *index = larger;
}

void prefix_add(struct prefix_index *index, uint64_t name, uint32_t block)
{
    if (2 * (index->n + 1) > index->room)
        grow(index);
    size_t at = probe(index, name);
    if (index->slot[at].block_plus_1)
        bug("a prefix is added twice");
    index->slot[at] = (struct prefix_slot){name, block + 1};
    index->n++;
}

/* What stands behind the gap moves up when its way from home leads over the gap. */
void prefix_remove(struct prefix_index *index, uint64_t name)
{
    size_t mask = index->room - 1, gap = index->n ? probe(index, name) : 0;
    if (index->n == 0 || !index->slot[gap].block_plus_1)
        bug("a prefix to remove is not there");
    for (size_t at = (gap + 1) & mask; index->slot[at].block_plus_1; at = (at + 1) & mask) {
        size_t home = mix(index->slot[at].name) & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            index->slot[gap] = index->slot[at];
            gap = at;
        }
    }
    index->slot[gap] = (struct prefix_slot){0, 0};
    index->n--;
}
