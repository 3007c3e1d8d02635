/* rank_gpu_mask.c - the GPU device: what neighbours leave of fused attention. */
#include "kernel/dims.h"
#include "rank_gpu.h"

struct tile {
    size_t first_query, end_query, first_key, end_key;
};

/* Pairs that the causal mask leaves. */
static uint64_t pairs_of(const struct op *op, const struct tile *tile)
{
    uint64_t pairs = 0;
    for (size_t i = tile->first_query; i < tile->end_query; i++) {
        size_t seen = keys_seen(op, i), end = seen < tile->end_key ? seen : tile->end_key;
        pairs += end > tile->first_key ? end - tile->first_key : 0;
    }
    return pairs;
}

static int is_seen(const struct op *op, const struct tile *tile)
{
    for (size_t i = tile->first_query; i < tile->end_query; i++)
        for (size_t j = tile->first_key; j < tile->end_key && j < keys_seen(op, i); j++)
            if (key_is_near(op, i, j))
                return 1;
    return 0;
}

struct gpu_tiles gpu_tiles_of(const struct op *op, int64_t queries)
{
    size_t n_query = (size_t)op->n_query, n_key = (size_t)op->n_key, step = (size_t)queries;
    uint64_t keys = 0, pairs = 0, left_keys = 0, left_pairs = 0, most_keys = 0;
    for (size_t i = 0; i < n_query; i += step) {
        uint64_t keys_before = left_keys;
        for (size_t j = 0; j < n_key; j += GPU_KEY_TILE) {
            struct tile tile = {i, i + step < n_query ? i + step : n_query, j,
                                j + GPU_KEY_TILE < n_key ? j + GPU_KEY_TILE : n_key};
            uint64_t width = tile.end_key - tile.first_key, here = pairs_of(op, &tile);
            if (here == 0)
                continue;
            int seen = is_seen(op, &tile);
            keys += width, left_keys += seen ? width : 0;
            pairs += here, left_pairs += seen ? here : 0;
        }
        if (left_keys - keys_before > most_keys)
            most_keys = left_keys - keys_before;
    }
    return (struct gpu_tiles){(double)left_keys / (double)keys, (double)left_pairs / (double)pairs, most_keys};
}
