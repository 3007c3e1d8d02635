/* rank_gpu.h - inside of the GPU device: rank_gpu.c (ops of training), rank_gpu_mask.c (neighbours), rank_gpu_tokens.c
 * (ops on the tokens of an iteration). */
#ifndef RANK_GPU_H
#define RANK_GPU_H

#include "device/gpu.h"
#include "device/link.h"
#include "kernel/op.h"

struct gpu {
    struct gpu_profile profile;
    struct link_profile host;
    enum gpu_math math;
    enum number_format format;
    unsigned operand_bytes; /* of what GEMMs read */
    unsigned element_bytes; /* of everything else, and of what GEMMs write */
    int fused_attention;
};

/* Local. Adds one kernel that streams `reads` and `writes` arrays of `elements` elements; norms and gates: in `rows`
 * rows, 0 otherwise. */
static inline void gpu_add_stream(const struct gpu *gpu, enum gpu_kernel kernel, int64_t elements, int64_t rows,
                                  double reads, double writes, double flops_per_element, struct cost *total)
{
    double bytes = (double)elements * gpu->element_bytes;
    struct gpu_stream stream = {kernel, (uint64_t)(reads * bytes), (uint64_t)(writes * bytes),
                                (uint64_t)(flops_per_element * (double)elements), (uint64_t)rows};
    struct cost cost;
    gpu_stream_cost(&gpu->profile, &stream, &cost);
    cost_add(total, &cost);
}

/* Local. What an attention's neighbours leave of blocks of so many queries. A query sees its own key: never nothing. */
struct gpu_tiles gpu_tiles_of(const struct op *op, int64_t queries);

/* Local. Adds the kernels of an op on tokens; 0 for other ops. */
int gpu_add_token_kernels(const struct gpu *gpu, const struct op *op, struct cost *cost);

#endif
