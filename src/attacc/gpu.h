/* gpu.h - the published simulator's GPU: a tile search for traffic, then the larger of arithmetic and memory time.
 *
 *   L1 tile (tm, tn), depth 32, from a list of sizes: least traffic / utilisation^2
 *   L2 tile, multiples of it: least traffic from DRAM
 *     traffic T(tm, tn) = words count (ceil(n / tn) m k + ceil(m / tm) n k + m n)
 *   utilisation u = blocks / (whole waves of blocks on all SMs); blocks are tiles for FC, but `count` for everything
 *     else; u divides the memory bandwidth as well as the peak rate
 *   time = max(flops / (0.8 peak u (2 / words)), bytes / (0.85 bandwidth u));   ACT and NORM: a fitted line in bytes
 * Energy in pJ: DRAM, L2 and L1 by the traffic of their tiles, registers and arithmetic by operations.
 * Source: the simulator's equations, in our words; docs/attacc.md lists what is peculiar about them.
 */
#ifndef ATTACC_GPU_H
#define ATTACC_GPU_H

#include "attacc/layers.h"

/* Constants of the published simulator, not of the catalogue's devices: H100 keeps the memory of A100a. */
struct attacc_gpu {
    const char *name;
    double sms, flops_per_s, dram_bytes_per_s, l1_bytes, l2_bytes;
    double link_bytes_per_s;     /* both directions */
    double cpu_link_bytes_per_s; /* of the host's CPUs, both directions */
};

enum { ATTACC_GPU_GIB = 80 };

/* Local. "A100a", "H100", or NULL. */
const struct attacc_gpu *attacc_gpu(const char *name);

enum attacc_level { LEVEL_DRAM, LEVEL_L2, LEVEL_L1, LEVEL_REGISTER, LEVEL_ALU, LEVEL_LINK, N_ATTACC_LEVELS };

struct attacc_price {
    double time_s;
    int compute_bound;
    double energy_pj[N_ATTACC_LEVELS]; /* of all devices together */
};

/* Local. A layer on each of `gpus` GPUs; gather layers are collective over them: (gpus - 1) steps of
 * max(6.06 us + 0.009 ns x 600e9 / link x bytes, bytes / half the link). A layer of count 0 costs nothing. */
struct attacc_price attacc_gpu_price(const struct attacc_gpu *gpu, double gpus, double words,
                                     const struct attacc_layer *layer);

/* Local. Score, softmax, context on the host's CPUs, and the transfers to and from them; no energy. */
struct attacc_price attacc_cpu_price(const struct attacc_gpu *gpu, double words, const struct attacc_layer *layer);

/* Local. Of the CPUs, per GPU served: bytes per second. */
double attacc_cpu_bytes_per_s(void);

#endif
