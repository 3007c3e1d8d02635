/* gpu.h - the physics of a GPU: what a kernel costs in time and energy. Pure: no tensors, no MPI, no I/O.
 *
 * One model for all profiles: a kernel is blocks on streaming multiprocessors (SM) and bytes from device memory. A GEMM
 * takes the cheapest of a list of tiles and splits; attention is fused (online softmax over keys) or GEMM + softmax +
 * GEMM; everything else streams memory. Power = base + bytes + arithmetic, never above the power limit: the kernel is
 * stretched instead. docs/gpu.md has the formulas and how well they meet measurements.
 *
 * Every constant of a profile stands once, in the catalogue (device/catalogue.h), with its source.
 */
#ifndef DEVICE_GPU_H
#define DEVICE_GPU_H

#include <stdint.h>

#include "base/cost.h"

/* X(enum, name on the command line and in files) */
#define GPU_MATHS(X)                                                                                                   \
    X(GPU_FP64, "fp64")                                                                                                \
    X(GPU_FP32, "fp32")                                                                                                \
    X(GPU_TF32, "tf32")                                                                                                \
    X(GPU_BF16, "bf16")                                                                                                \
    X(GPU_FP16, "fp16")                                                                                                \
    X(GPU_FP8, "fp8")                                                                                                  \
    X(GPU_INT8, "int8")

enum gpu_math {
#define X(math, name) math,
    GPU_MATHS(X)
#undef X
        N_GPU_MATHS
};

/* The constants of a profile. X(type, field, unit, meaning). A rate of 0 means that the GPU has no such unit. */
#define GPU_CONSTANTS(X)                                                                                               \
    X(uint64_t, memory_bytes, "byte", "capacity of device memory")                                                     \
    X(double, sm_count, "1", "streaming multiprocessors")                                                              \
    X(double, clock_hz, "Hz", "boost clock, to which the peak rates belong")                                           \
    X(double, fp64_flops_per_s, "FLOP/s", "peak rate of fp64 GEMM")                                                    \
    X(double, fp32_flops_per_s, "FLOP/s", "peak rate of fp32, GEMM and elementwise")                                   \
    X(double, tf32_flops_per_s, "FLOP/s", "peak rate of tf32 GEMM")                                                    \
    X(double, bf16_flops_per_s, "FLOP/s", "peak rate of bf16 GEMM")                                                    \
    X(double, fp16_flops_per_s, "FLOP/s", "peak rate of fp16 GEMM")                                                    \
    X(double, fp8_flops_per_s, "FLOP/s", "peak rate of fp8 GEMM")                                                      \
    X(double, int8_flops_per_s, "FLOP/s", "peak rate of int8 GEMM")                                                    \
    X(double, dram_bytes_per_s, "byte/s", "bandwidth of device memory by specification")                               \
    X(double, dram_read_share, "1", "share of it that reading reaches")                                                \
    X(double, dram_write_share, "1", "share of it that writing GEMM results reaches")                                  \
    X(double, l2_bytes, "byte", "capacity of the L2 cache")                                                            \
    X(double, l2_bytes_per_s, "byte/s", "bandwidth of the L2 cache")                                                   \
    X(uint64_t, launch_ps, "ps", "shortest time from one kernel to the next of a stream")                              \
    X(double, matrix_share, "1", "share of the peak rate in the main loop of a GEMM")                                  \
    X(double, sustained_share, "1", "share of the boost clock left under the power limit in lasting matrix work")      \
    X(double, k_step_ps, "ps", "shortest time of one block for one step of the inner dimension")                       \
    X(double, last_wave_share, "1", "share of the last wave's idle time that is lost (0 none, 1 all)")                 \
    X(double, split_ps, "ps", "extra time of a GEMM whose inner dimension is split")                                   \
    X(double, overlap_loss, "1", "share of the shorter of arithmetic and memory time that is not hidden")              \
    X(double, attention_share, "1", "share of the GEMM peak rate in fused attention")                                  \
    X(double, attention_backward_share, "1", "rate of fused backward attention as a share of forward")                 \
    X(double, attention_block_ps, "ps", "start and end of a block of fused attention, many queries per request")       \
    X(double, attention_single_block_ps, "ps", "the same, one query per request")                                      \
    X(double, attention_key_ps, "ps", "shortest time of a block for one key of width 128, one query per request")      \
    X(double, attention_memory_share, "1", "share of dram_read_share that fused attention of many queries reaches")    \
    X(double, attention_rows, "1", "smallest query tile of fused attention when there are many queries")               \
    X(double, attention_packs, "1", "1: the query heads of a group share a tile when there are many queries")          \
    X(double, attention_split_ps, "ps", "extra time of fused attention whose keys are split")                          \
    X(double, attention_group_ps, "ps", "extra time when several requests of one query share keys among heads")        \
    X(double, attention_split_target, "1", "splits times batch that the library aims at (at least 2 splits)")          \
    X(double, attention_split_single, "1", "1: keys are split even when each query head has its own keys")             \
    X(double, attention_overlap_loss, "1", "as overlap_loss, for one query per request")                               \
    X(uint64_t, idle_power_mw, "mW", "power with no work and low clocks")                                              \
    X(uint64_t, base_power_mw, "mW", "power at full clocks without arithmetic or traffic")                             \
    X(uint64_t, tdp_mw, "mW", "power limit")                                                                           \
    X(double, dram_fj_per_byte, "fJ/byte", "energy of a byte between device memory and SM")                            \
    X(double, l2_fj_per_byte, "fJ/byte", "energy of a byte between L2 and SM")                                         \
    X(double, fp64_fj_per_flop, "fJ/FLOP", "energy of fp64 arithmetic")                                                \
    X(double, fp32_fj_per_flop, "fJ/FLOP", "energy of fp32 arithmetic")                                                \
    X(double, tf32_fj_per_flop, "fJ/FLOP", "energy of tf32 matrix arithmetic")                                         \
    X(double, bf16_fj_per_flop, "fJ/FLOP", "energy of bf16 and fp16 matrix arithmetic")                                \
    X(double, fp8_fj_per_flop, "fJ/FLOP", "energy of fp8 and int8 matrix arithmetic")

/* A profile is plain data: copy it and change a constant to ask "what if". The power limit must stay above the base
 * power. */
struct gpu_profile {
#define X(type, field, unit, meaning) type field;
    GPU_CONSTANTS(X)
#undef X
};

/* `batch` independent products (m,k) x (k,n); operands of operand_bytes, results of result_bytes per element. */
struct gpu_gemm {
    uint64_t batch, m, n, k;
    enum gpu_math math;
    unsigned operand_bytes, result_bytes;
};

/* Kernels that stream memory. X(enum, name, start_ps, rate_share, row_bytes_per_s, evidence, source)
 * start_ps: shortest time on an A100 (others: by clock). rate_share: bandwidth as a share of what
 * reading reaches. row_bytes_per_s: rate of the one block that works on a row, on an A100; 0: a row may be shared by
 * many blocks. */
#define GPU_KERNELS(X)                                                                                                 \
    X(GPU_KERNEL_ADD, "add", 2000e3, 1.0, 0.0, FITTED, "Vidur A100, every 8th row of 3146")                            \
    X(GPU_KERNEL_ACTIVATION, "activation", 1550e3, 0.76, 0.0, FITTED, "Vidur A100 GELU, every 8th row of 101")         \
    X(GPU_KERNEL_GATED, "gated", 3240e3, 0.57, 12.3e9, FITTED, "Vidur A100 SiLU*mul, every 8th row of 3120")           \
    X(GPU_KERNEL_LAYERNORM, "layernorm", 6130e3, 0.69, 11.9e9, FITTED, "Vidur A100, every 8th row of 110")             \
    X(GPU_KERNEL_RMSNORM, "rmsnorm", 4580e3, 0.41, 13.7e9, FITTED, "Vidur A100, every 8th row of 6133")                \
    X(GPU_KERNEL_SOFTMAX, "softmax", 2600e3, 0.57, 0.0, DERIVED, "LLMCompass A100 softmax rows less launch")           \
    X(GPU_KERNEL_LOSS, "loss", 2600e3, 0.57, 0.0, DERIVED, "as softmax")                                               \
    X(GPU_KERNEL_REDUCE, "reduce", 2600e3, 0.7, 0.0, RECALLED, "two-pass column reductions")                           \
    X(GPU_KERNEL_OPTIMISER, "optimiser", 2600e3, 0.9, 0.0, RECALLED, "fused optimisers run near triad rate")           \
    X(GPU_KERNEL_COPY, "copy", 2000e3, 1.0, 0.0, DERIVED, "as add")

enum gpu_kernel {
#define X(kernel, name, start_ps, rate_share, row_bytes_per_s, evidence, source) kernel,
    GPU_KERNELS(X)
#undef X
        N_GPU_KERNELS
};

/* `rows`: independent rows, each worked on by one block (norms, gated activations); 0: not known, any block takes any
 * element. */
struct gpu_stream {
    enum gpu_kernel kernel;
    uint64_t read_bytes, write_bytes, flops;
    uint64_t rows;
};

/* What any other mask leaves of fused attention. A block of queries leaves out tiles of GPU_KEY_TILE keys of which none
 * of its queries sees any; of the others it computes all that the causal mask leaves. Shares are of what that leaves,
 * above 0. */
enum { GPU_KEY_TILE = 64, GPU_SMALL_BLOCK = 64 };

struct gpu_tiles {
    double key_share;   /* of the keys that all blocks go through */
    double pair_share;  /* of the pairs of a query and a key that are computed */
    uint64_t most_keys; /* that one block goes through */
};

/* Attention of `batch` requests, `heads` query heads over kv_heads <= heads, head_width wide: n_query queries over
 * n_key keys (causal: the queries are the last n_query positions; each sees the positions of its own block of
 * causal_block and of those before it; 0 and 1: up to its own position). kv_bytes: bytes per element of keys and
 * values, 0: operand_bytes. A fused kernel leaves out the tiles that nothing of is seen, an unfused one computes every
 * score.
 */
struct gpu_attention {
    uint64_t batch, heads, kv_heads, n_query, n_key, head_width;
    enum gpu_math math;
    unsigned operand_bytes;
    int causal, backward, fused;
    unsigned kv_bytes;
    uint64_t causal_block;
    const struct gpu_tiles *tiles; /* fused, several queries: [2], blocks of 64 and of 128; NULL: no other mask */
};

/* Local. 1 if the GPU has a unit for this arithmetic. */
int gpu_supports_math(const struct gpu_profile *gpu, enum gpu_math math);

/* Local. Peak rate in FLOP/s; 0 without such a unit. */
double gpu_peak_flops_per_s(const struct gpu_profile *gpu, enum gpu_math math);

/* Local. Names. */
const char *gpu_math_name(enum gpu_math math);
const char *gpu_kernel_name(enum gpu_kernel kernel);

/* Local. Time and energy of one GEMM: launch + min over tile and split of the longer of arithmetic and memory time
 * (docs/gpu.md section 2). A size of 0 or unsupported arithmetic is a bug. */
void gpu_gemm_cost(const struct gpu_profile *gpu, const struct gpu_gemm *gemm, struct cost *cost);

/* Local. Time and energy of a kernel that reads and writes memory once; what fits into L2 runs at L2 speed. */
void gpu_stream_cost(const struct gpu_profile *gpu, const struct gpu_stream *stream, struct cost *cost);

/* Local. Time and energy of attention, forward or backward. Fused: one kernel, the matrix of scores is never stored.
 * Unfused: GEMM, softmax, GEMM, each with its launch (backward: four GEMMs and a softmax gradient, probabilities kept).
 */
void gpu_attention_cost(const struct gpu_profile *gpu, const struct gpu_attention *attention, struct cost *cost);

/* Local. Energy of waiting without work for idle_ps. */
uint64_t gpu_idle_energy_fj(const struct gpu_profile *gpu, uint64_t idle_ps);

/* Local. The profile as a short measurement from cool sees it: full boost clock, power limit not felt. */
struct gpu_profile gpu_in_burst(const struct gpu_profile *gpu);

#endif
