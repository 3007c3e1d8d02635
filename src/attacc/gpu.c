#include "attacc/gpu.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const double compute_share = 0.8, memory_share = 0.85, tile_depth = 32;
/* pJ per byte, per operation of a register, per multiply-add. */
static const double dram_pj = 28.72, l2_pj = 2.4, l1_pj = 1.28, register_pj = 0.0675, mac_pj = 0.32, link_pj = 10.4;
static const double cpu_flops_per_s = 4e12, cpu_dram_bytes_per_s = 200e9;
/* The lines for elementwise kernels were fitted on a GPU of this bandwidth; us and us per byte. */
static const double fitted_bytes_per_s = 1555e9;

const struct attacc_gpu *attacc_gpu(const char *name)
{
    static const struct attacc_gpu gpus[] = {
        {"A100a", 108, 312e12, 3352e9, 192 * 1024.0, 40 * 1048576.0, 600e9, 4 * 64e9},
        {"H100", 132, 989.4e12, 3352e9, 256 * 1024.0, 50 * 1048576.0, 900e9, 4 * 128e9},
    };
    for (size_t i = 0; i < sizeof gpus / sizeof gpus[0]; i++)
        if (strcmp(gpus[i].name, name) == 0)
            return &gpus[i];
    return NULL;
}

double attacc_cpu_bytes_per_s(void)
{
    return cpu_dram_bytes_per_s;
}

static double traffic(const struct attacc_layer *layer, double tm, double tn, double words)
{
    return words * layer->count *
           (ceil(layer->n / tn) * layer->m * layer->k + ceil(layer->m / tm) * layer->n * layer->k +
            layer->m * layer->n);
}

static double utilisation(double blocks, double sms)
{
    return blocks / (ceil(blocks / sms) * sms);
}

struct tile {
    double m, n, utilisation;
};

static struct tile l1_tile(const struct attacc_gpu *gpu, const struct attacc_layer *layer, double words)
{
    static const double sizes[] = {8, 16, 32, 64, 128, 192, 256, 320, 384, 448, 512};
    enum { N = sizeof sizes / sizeof sizes[0] };
    struct tile best = {0, 0, 0};
    double least = INFINITY, last_m = 0;
    for (int i = 0; i < N; i++) {
        double tm = fmin(sizes[i], layer->m), last_n = 0;
        for (int j = 0; j < N && tm != last_m; j++) {
            double tn = fmin(sizes[j], layer->n);
            if (tn == last_n || ((tm + tn) * tile_depth + tm * tn) * words > gpu->l1_bytes)
                continue;
            double blocks = layer->count;
            if (layer->kind == KIND_FC)
                blocks *= ceil(layer->m / tm) * ceil(layer->n / tn);
            double u = utilisation(blocks, gpu->sms), cost = traffic(layer, tm, tn, words) / (u * u);
            if (cost < least) {
                least = cost;
                best = (struct tile){tm, tn, u};
            }
            last_n = tn;
        }
        last_m = tm;
    }
    return best;
}

static int fits(const struct attacc_gpu *gpu, const struct attacc_layer *layer, double tm, double tn, double words)
{
    return ((tm + tn) * layer->k / 64 + tm * tn) * words <= gpu->l2_bytes;
}

/* The widest tile of these rows that fits: multiples of tn, or all of n; 0 when none does. Traffic does not grow with
 * it, so no other need be looked at. */
static double widest(const struct attacc_gpu *gpu, const struct attacc_layer *layer, double tm, double tn, double words)
{
    if (fits(gpu, layer, tm, layer->n, words))
        return layer->n;
    double low = 0, high = floor(layer->n / tn);
    while (low < high) {
        double middle = floor((low + high + 1) / 2);
        if (fits(gpu, layer, tm, middle * tn, words))
            low = middle;
        else
            high = middle - 1;
    }
    return low * tn;
}

/* Least traffic from DRAM; the L1 tile itself is always allowed. */
static double dram_traffic(const struct attacc_gpu *gpu, const struct attacc_layer *layer, const struct tile *tile,
                           double words)
{
    double least = traffic(layer, tile->m, tile->n, words), last = 0;
    int64_t steps = (int64_t)floor(layer->m / tile->m);
    for (int64_t i = 1; i <= steps + 1; i++) {
        double tm = i <= steps ? (double)i * tile->m : layer->m, rows = ceil(layer->m / tm);
        if (i < steps && rows == last)
            continue; /* the same number of tiles, but higher ones */
        double tn = widest(gpu, layer, tm, tile->n, words);
        if (tn <= 0)
            continue;
        least = fmin(least, traffic(layer, tm, tn, words));
        last = rows;
    }
    return least;
}

static void gemm_price(const struct attacc_gpu *gpu, double words, const struct attacc_layer *layer,
                       struct attacc_price *price)
{
    struct tile tile = l1_tile(gpu, layer, words);
    double bytes = dram_traffic(gpu, layer, &tile, words), u = tile.utilisation;
    double arithmetic = layer->flops / (compute_share * gpu->flops_per_s * u * (2 / words)),
           memory = bytes / (memory_share * gpu->dram_bytes_per_s * u);
    price->time_s = fmax(arithmetic, memory);
    price->compute_bound = arithmetic > memory;
    price->energy_pj[LEVEL_DRAM] = dram_pj * bytes;
    price->energy_pj[LEVEL_L2] = l2_pj * traffic(layer, tile.m, tile.n, words);
    price->energy_pj[LEVEL_L1] = l1_pj * traffic(layer, 16, 16, words);
    price->energy_pj[LEVEL_REGISTER] = register_pj * 3 * layer->m * layer->n * layer->k; /* neither count nor words */
}

static void elementwise_price(const struct attacc_gpu *gpu, double words, const struct attacc_layer *layer,
                              struct attacc_price *price)
{
    double u = layer->kind == KIND_SOFTMAX ? utilisation(layer->count, gpu->sms) : 1 / gpu->sms;
    double arithmetic = layer->flops / (compute_share * gpu->flops_per_s * u * (2 / words)), memory;
    double stretch = fitted_bytes_per_s / gpu->dram_bytes_per_s;
    if (layer->kind == KIND_SOFTMAX)
        memory = layer->bytes / (memory_share * gpu->dram_bytes_per_s * u);
    else if (layer->kind == KIND_ACTIVATION)
        memory = (4.47e-7 * stretch * layer->bytes + 8.29) * 1e-6;
    else
        memory = (1.6e-6 * stretch * layer->bytes + 6.87) * 1e-6;
    price->time_s = fmax(arithmetic, memory);
    price->compute_bound = arithmetic > memory;
    price->energy_pj[LEVEL_DRAM] = dram_pj * layer->bytes;
    price->energy_pj[LEVEL_L2] = l2_pj * layer->bytes;
    price->energy_pj[LEVEL_L1] = l1_pj * layer->bytes;
    price->energy_pj[LEVEL_REGISTER] = register_pj * layer->bytes;
}

/* One step of (gpus - 1) in which every GPU passes `bytes` on; nothing to pass takes a second, as published. */
static double gather_step_s(double bytes, double link_bytes_per_s)
{
    if (bytes == 0)
        return 1;
    return fmax((6060 + 0.009 * bytes * 600e9 / link_bytes_per_s) * 1e-9, bytes / (link_bytes_per_s / 2));
}

struct attacc_price attacc_gpu_price(const struct attacc_gpu *gpu, double gpus, double words,
                                     const struct attacc_layer *layer)
{
    struct attacc_price price = {0};
    if (layer->count == 0)
        return price;
    if (layer->kind == KIND_GATHER) {
        price.time_s = (gpus - 1) * gather_step_s(layer->bytes / gpus, gpu->link_bytes_per_s);
        price.energy_pj[LEVEL_LINK] = link_pj * layer->bytes;
    } else if (layer->kind == KIND_FC || layer->kind == KIND_MATMUL) {
        gemm_price(gpu, words, layer, &price);
    } else {
        elementwise_price(gpu, words, layer, &price);
    }
    price.energy_pj[LEVEL_ALU] = mac_pj * layer->flops / 2;
    for (int i = 0; i < N_ATTACC_LEVELS; i++)
        price.energy_pj[i] *= gpus;
    return price;
}

struct attacc_price attacc_cpu_price(const struct attacc_gpu *gpu, double words, const struct attacc_layer *layer)
{
    struct attacc_price price = {0};
    if (layer->kind == KIND_TRANSFER) {
        price.time_s = layer->bytes / (gpu->cpu_link_bytes_per_s / 2);
        return price;
    }
    double arithmetic = layer->flops / (compute_share * cpu_flops_per_s * (2 / words)),
           memory = layer->bytes / (memory_share * cpu_dram_bytes_per_s);
    price.time_s = fmax(arithmetic, memory);
    price.compute_bound = arithmetic > memory;
    return price;
}
