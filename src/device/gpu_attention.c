#include <math.h>
#include <string.h>

#include "base/status.h"
#include "device/gpu.h"
#include "device/gpu_power.h"

enum { SPLIT_MIN_KEYS = 128, MAX_SPLITS = 256, WIDTH_OF_KEY_TIME = 128 };

static double up(double value, double step)
{
    return ceil(value / step) * step;
}

/* Query heads that share a head of keys. */
static double group_of(const struct gpu_attention *a)
{
    uint64_t group = a->heads / a->kv_heads;
    return (double)group;
}

static unsigned kv_bytes(const struct gpu_attention *a)
{
    return a->kv_bytes ? a->kv_bytes : a->operand_bytes;
}

static double block_of(const struct gpu_attention *a)
{
    return a->causal_block > 1 ? (double)a->causal_block : 1.0;
}

/* Pairs that the first n positions see. */
static double seen_pairs(const struct gpu_attention *a, double n)
{
    double block = block_of(a), whole = floor(n / block);
    return block * block * whole * (whole + 1.0) / 2.0 +
           (n - whole * block) * fmin((whole + 1.0) * block, (double)a->n_key);
}

/* Query-key pairs that are really computed, per head. */
static double scored_pairs(const struct gpu_attention *a)
{
    double queries = (double)a->n_query, keys = (double)a->n_key;
    return a->causal ? seen_pairs(a, keys) - seen_pairs(a, keys - queries) : queries * keys;
}

/* One tile of `rows` queries over the keys: how many blocks, and how many keys a block goes through on average and at
 * most. */
struct attention_tile {
    double rows, blocks, mean_keys, most_keys, pair_share;
};

static struct attention_tile attention_tile(const struct gpu_profile *gpu, const struct gpu_attention *a, double rows)
{
    double group = group_of(a), queries = (double)a->n_query, keys = (double)a->n_key;
    int packs = a->n_query == 1 || gpu->attention_packs != 0.0;
    double wide = packs ? group : 1.0;
    struct attention_tile tile = {.rows = rows, .most_keys = keys, .mean_keys = keys, .pair_share = 1};
    tile.blocks = (double)a->batch * (double)a->heads / wide * ceil(wide * queries / rows);
    if (a->causal && a->n_query > 1)
        tile.mean_keys = keys - queries + (queries + fmin(queries, fmax(rows / wide, block_of(a)))) / 2.0;
    if (a->tiles) {
        const struct gpu_tiles *left = &a->tiles[rows > GPU_SMALL_BLOCK];
        tile.mean_keys *= left->key_share;
        tile.most_keys = (double)left->most_keys;
        tile.pair_share = left->pair_share;
    }
    return tile;
}

/* A block takes the longer of its arithmetic and, with nothing else to do meanwhile, of fetching the key; blocks beyond
 * the SMs queue. */
static double tile_ps(const struct gpu_profile *gpu, const struct gpu_attention *a, const struct attention_tile *tile,
                      double splits)
{
    double width = (double)a->head_width;
    double rate = gpu_peak_flops_per_s(gpu, a->math) * gpu->attention_share / gpu->sm_count;
    double key_ps = 4.0 * tile->rows * width / rate * 1e12;
    if (a->n_query == 1)
        key_ps = fmax(key_ps, gpu->attention_key_ps * width / WIDTH_OF_KEY_TIME);
    if (a->backward)
        key_ps *= 2.5 / gpu->attention_backward_share;
    double waves = ceil(tile->blocks * splits / gpu->sm_count);
    double block_ps = a->n_query == 1 ? gpu->attention_single_block_ps : gpu->attention_block_ps;
    double mean_ps = waves * (up(tile->mean_keys / splits, GPU_KEY_TILE) * key_ps + block_ps);
    double most_ps = up(tile->most_keys / splits, GPU_KEY_TILE) * key_ps + block_ps;
    return fmax(mean_ps, most_ps);
}

static int may_split(const struct gpu_profile *gpu, const struct gpu_attention *a, uint64_t splits)
{
    if (splits == 1)
        return 1;
    if (a->n_query > 1 || a->backward || a->n_key < splits * SPLIT_MIN_KEYS)
        return 0;
    if (a->heads == a->kv_heads && gpu->attention_split_single == 0.0)
        return 0;
    return (double)splits <= fmax(2.0, ceil(gpu->attention_split_target / (double)a->batch));
}

static double fused_bytes(const struct gpu_attention *a)
{
    double kv = 2.0 * (double)a->n_key * (double)a->kv_heads, q = 2.0 * (double)a->n_query * (double)a->heads;
    double width = (double)a->batch * (double)a->head_width;
    /* Backward reads q, k, v, o and do and writes dq, dk and dv. */
    if (a->backward)
        return width * (2.0 * kv * kv_bytes(a) + 2.0 * q * a->operand_bytes);
    return width * (kv * kv_bytes(a) + q * a->operand_bytes);
}

/* Some libraries gather the heads of a group with another kernel; one that splits anyway has paid for it. */
static double extra_ps(const struct gpu_profile *gpu, const struct gpu_attention *a, uint64_t splits)
{
    if (splits > 1)
        return gpu->attention_split_ps;
    return a->n_query == 1 && a->batch > 1 && a->heads > a->kv_heads ? gpu->attention_group_ps : 0.0;
}

/* *pair_share: of the blocks that are chosen. */
static double fused_ps(const struct gpu_profile *gpu, const struct gpu_attention *a, double memory_ps,
                       double *pair_share)
{
    double group = group_of(a), best_ps = INFINITY;
    /* With many queries a block's loads and stores are not hidden behind its own arithmetic. */
    double loss = a->n_query == 1 ? gpu->attention_overlap_loss : 1.0;
    for (unsigned rows = a->n_query == 1 ? 16 : (unsigned)gpu->attention_rows; rows <= 128; rows *= 2) {
        struct attention_tile tile = attention_tile(gpu, a, rows);
        for (uint64_t splits = 1; splits <= MAX_SPLITS && may_split(gpu, a, splits); splits *= 2) {
            double compute_ps = tile_ps(gpu, a, &tile, (double)splits);
            double time_ps = fmax(compute_ps, memory_ps) + loss * fmin(compute_ps, memory_ps);
            time_ps += extra_ps(gpu, a, splits);
            if (time_ps < best_ps)
                best_ps = time_ps, *pair_share = tile.pair_share;
            if (tile.blocks * (double)splits > 2.0 * gpu->sm_count)
                break;
        }
        if (a->n_query == 1 && group <= rows)
            break;
    }
    return best_ps;
}

static void fused_cost(const struct gpu_profile *gpu, const struct gpu_attention *a, struct cost *cost)
{
    double bytes = fused_bytes(a);
    double share = gpu->dram_read_share * (a->n_query == 1 ? 1.0 : gpu->attention_memory_share);
    double memory_ps = bytes / (gpu->dram_bytes_per_s * share) * 1e12;
    double pairs = scored_pairs(a) * (double)a->batch * (double)a->heads, pair_share = 1;
    double time_ps = (double)gpu->launch_ps + fused_ps(gpu, a, memory_ps, &pair_share);
    pairs *= pair_share;
    struct gpu_work work = {.time_ps = time_ps,
                            .flops = 4.0 * pairs * (double)a->head_width * (a->backward ? 2.5 : 1.0),
                            .fj_per_flop = gpu_fj_per_flop(gpu, a->math),
                            .dram_bytes = bytes};
    gpu_charge(gpu, &work, cost);
}

/* The heads of a group share keys and values, so that they are rows of one product. */
static void add_gemm(const struct gpu_profile *gpu, const struct gpu_attention *a, uint64_t m, uint64_t n, uint64_t k,
                     struct cost *sum)
{
    struct gpu_gemm gemm = {a->batch * a->kv_heads, m, n, k, a->math, a->operand_bytes, a->operand_bytes};
    struct cost part;
    gpu_gemm_cost(gpu, &gemm, &part);
    cost_add(sum, &part);
}

static void unfused_cost(const struct gpu_profile *gpu, const struct gpu_attention *a, struct cost *cost)
{
    uint64_t rows = a->heads / a->kv_heads * a->n_query;
    uint64_t scores = a->batch * a->heads * a->n_query * a->n_key, bytes = scores * a->operand_bytes;
    memset(cost, 0, sizeof *cost);
    if (a->backward) {
        add_gemm(gpu, a, rows, a->n_key, a->head_width, cost); /* dP = dO V^T */
        add_gemm(gpu, a, a->n_key, a->head_width, rows, cost); /* dV = P^T dO */
        add_gemm(gpu, a, rows, a->head_width, a->n_key, cost); /* dQ = dS K */
        add_gemm(gpu, a, a->n_key, a->head_width, rows, cost); /* dK = dS^T Q */
    } else {
        add_gemm(gpu, a, rows, a->n_key, a->head_width, cost);
        add_gemm(gpu, a, rows, a->head_width, a->n_key, cost);
    }
    struct gpu_stream softmax = {.kernel = GPU_KERNEL_SOFTMAX,
                                 .read_bytes = a->backward ? 2 * bytes : bytes,
                                 .write_bytes = bytes,
                                 .flops = 5 * scores,
                                 .rows = a->batch * a->heads * a->n_query};
    struct cost part;
    gpu_stream_cost(gpu, &softmax, &part);
    cost_add(cost, &part);
}

void gpu_attention_cost(const struct gpu_profile *gpu, const struct gpu_attention *a, struct cost *cost)
{
    if (!a->batch || !a->heads || !a->n_query || !a->n_key || !a->head_width || !a->operand_bytes)
        bug("attention of size 0");
    if (!a->kv_heads || a->heads % a->kv_heads)
        bug("attention with %llu heads over %llu", (unsigned long long)a->heads, (unsigned long long)a->kv_heads);
    if (a->causal && a->n_query > a->n_key)
        bug("causal attention of more queries than keys");
    if (!gpu_supports_math(gpu, a->math))
        bug("attention in %s on a GPU without it", gpu_math_name(a->math));
    if (a->fused)
        fused_cost(gpu, a, cost);
    else
        unfused_cost(gpu, a, cost);
}
