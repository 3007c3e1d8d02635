/* rank_gpu.c - the GPU device: which kernels an op means on it, and its numerics. The physics is device/gpu and
 * device/link. */
#include <string.h>

#include "device/catalogue.h"
#include "kernel/fastfood.h"
#include "kernel/lowrank.h"
#include "rank.h"
#include "rank_gpu.h"

static enum gpu_math math_of(enum number_format format)
{
    switch (format) {
    case FORMAT_TF32:
        return GPU_TF32;
    case FORMAT_BF16:
        return GPU_BF16;
    case FORMAT_FP16:
        return GPU_FP16;
    case FORMAT_FP64:
        return GPU_FP64;
    default:
        return GPU_FP32;
    }
}

static unsigned operand_bytes_of(enum number_format format)
{
    if (format == FORMAT_FP64)
        return 8;
    return format == FORMAT_BF16 || format == FORMAT_FP16 ? 2 : 4;
}

static double *peak_of(struct gpu_profile *profile, enum gpu_math math)
{
    switch (math) {
    case GPU_FP64:
        return &profile->fp64_flops_per_s;
    case GPU_TF32:
        return &profile->tf32_flops_per_s;
    case GPU_BF16:
        return &profile->bf16_flops_per_s;
    case GPU_FP16:
        return &profile->fp16_flops_per_s;
    default:
        return &profile->fp32_flops_per_s;
    }
}

static void override_profile(struct gpu_profile *profile, enum gpu_math math, const struct device_spec *spec)
{
    if (spec->memory_bytes)
        profile->memory_bytes = spec->memory_bytes;
    if (spec->memory_bytes_per_s > 0)
        profile->dram_bytes_per_s = spec->memory_bytes_per_s;
    if (spec->peak_flop_per_s > 0)
        *peak_of(profile, math) = spec->peak_flop_per_s;
    if (spec->tdp_w > 0)
        profile->tdp_mw = (uint64_t)(spec->tdp_w * 1e3 + 0.5);
    if (spec->launch_s > 0)
        profile->launch_ps = (uint64_t)(spec->launch_s * 1e12 + 0.5);
}

static enum status gpu_open(const struct device_spec *spec, struct arena *arena, void **state, struct fault *fault)
{
    const struct gpu_profile *profile = catalogue_gpu(spec->profile);
    const struct link_profile *host = catalogue_link(spec->host_link);
    if (!profile)
        return fault_set(fault, STATUS_USAGE, "%s: unknown GPU profile '%s': polyrank devices lists them", spec->name,
                         spec->profile);
    if (!host)
        return fault_set(fault, STATUS_USAGE, "%s: unknown link profile '%s': polyrank devices lists them", spec->name,
                         spec->host_link);
    struct gpu *gpu = arena_take(arena, sizeof *gpu);
    gpu->profile = *profile;
    gpu->host = *host;
    gpu->format = spec->format;
    gpu->math = math_of(spec->format);
    gpu->operand_bytes = operand_bytes_of(spec->format);
    gpu->element_bytes = spec->stores_format ? gpu->operand_bytes : spec->format == FORMAT_FP64 ? 8 : 4;
    gpu->fused_attention = spec->fused_attention;
    override_profile(&gpu->profile, gpu->math, spec);
    if (gpu->profile.tdp_mw <= gpu->profile.base_power_mw)
        return fault_set(fault, STATUS_USAGE,
                         "%s: tdp_w: expected more than the %g W that a %s draws without work, found %g", spec->name,
                         (double)gpu->profile.base_power_mw * 1e-3, spec->profile, spec->tdp_w);
    if (spec->format == FORMAT_INT8 || !gpu_supports_math(&gpu->profile, gpu->math))
        return fault_set(fault, STATUS_USAGE, "%s: a %s has no %s: choose other numerics", spec->name, spec->profile,
                         number_format_name(spec->format));
    *state = gpu;
    return STATUS_OK;
}

static int gpu_supports(const void *state, const struct op *op)
{
    const struct gpu *gpu = state;
    if (op->weight_bits == 8 && (gpu->format == FORMAT_FP64 || !gpu_supports_math(&gpu->profile, GPU_INT8)))
        return 0;
    return op->kind != OP_SEND && op->kind != OP_RECV && op->kind != OP_PROGRAM;
}

static void add_stream(const struct gpu *gpu, enum gpu_kernel kernel, int64_t elements, double reads, double writes,
                       double flops_per_element, struct cost *total)
{
    gpu_add_stream(gpu, kernel, elements, 0, reads, writes, flops_per_element, total);
}

static void add_gemm(const struct gpu *gpu, int64_t m, int64_t n, int64_t k, struct cost *total)
{
    struct gpu_gemm gemm = {1,         (uint64_t)m,        (uint64_t)n,       (uint64_t)k,
                            gpu->math, gpu->operand_bytes, gpu->element_bytes};
    struct cost cost;
    gpu_gemm_cost(&gpu->profile, &gemm, &cost);
    cost_add(total, &cost);
}

/* Eight-bit weights and rows: a kernel finds each row's scale and writes the row in bytes, the product is one of
 * integers and writes ordinary values. */
static void add_w8a8(const struct gpu *gpu, const struct op *op, struct cost *total)
{
    const struct gpu_gemm gemm = {1, (uint64_t)op->rows, (uint64_t)op->out, (uint64_t)op->in, GPU_INT8,
                                  1, gpu->element_bytes};
    struct cost cost;
    gpu_add_stream(gpu, GPU_KERNEL_RMSNORM, op->rows * op->in, op->rows, 1, 1.0 / gpu->element_bytes, 3, total);
    gpu_gemm_cost(&gpu->profile, &gemm, &cost);
    cost_add(total, &cost);
}

static void add_attention(const struct gpu *gpu, const struct op *op, int backward, struct cost *total)
{
    struct gpu_attention attention = {
        .batch = (uint64_t)op->samples,
        .heads = (uint64_t)op->heads,
        .kv_heads = (uint64_t)op->heads,
        .n_query = (uint64_t)op->n_query,
        .n_key = (uint64_t)op->n_key,
        .head_width = (uint64_t)op->head_width,
        .math = gpu->math,
        .operand_bytes = gpu->operand_bytes,
        .causal = op->causal_block > 0,
        .causal_block = (uint64_t)op->causal_block,
        .backward = backward,
        .fused = gpu->fused_attention,
    };
    struct gpu_tiles tiles[2];
    if (op->near && attention.fused && op->n_query > 1) {
        tiles[0] = gpu_tiles_of(op, GPU_SMALL_BLOCK);
        tiles[1] = gpu_tiles_of(op, 2 * GPU_SMALL_BLOCK);
        attention.tiles = tiles;
    }
    struct cost cost;
    gpu_attention_cost(&gpu->profile, &attention, &cost);
    cost_add(total, &cost);
}

static void add_host_copy(const struct gpu *gpu, uint64_t bytes, struct cost *total)
{
    struct cost cost;
    link_transfer_cost(&gpu->host, bytes, &cost);
    cost_add(total, &cost);
}

/* GEMMs and attention; 0 for other ops. A bias goes with its GEMM, an activation is a kernel of its own. */
static int add_matrix_kernels(const struct gpu *gpu, const struct op *op, struct cost *cost)
{
    int64_t out_elements = op->rows * op->out;
    switch (op->kind) {
    case OP_LINEAR:
        if (op->weight_bits == 8)
            add_w8a8(gpu, op, cost);
        else
            add_gemm(gpu, op->rows, op->out, op->in, cost);
        if (op->act != ACT_NONE)
            add_stream(gpu, GPU_KERNEL_ACTIVATION, out_elements, 1, 1, act_is_gelu(op->act) ? 8 : 1, cost);
        return 1;
    case OP_LINEAR_DX:
        add_gemm(gpu, op->rows, op->in, op->out, cost);
        if (op->accumulate)
            add_stream(gpu, GPU_KERNEL_ADD, op->rows * op->in, 2, 1, 1, cost);
        return 1;
    case OP_LINEAR_DW:
        add_gemm(gpu, op->out, op->in, op->rows, cost);
        if (!op->skip_sums)
            add_stream(gpu, GPU_KERNEL_REDUCE, out_elements, 1, 1.0 / (double)op->rows, 1, cost);
        return 1;
    case OP_ATTENTION:
    case OP_ATTENTION_BWD:
        add_attention(gpu, op, op->kind == OP_ATTENTION_BWD, cost);
        return 1;
    default:
        return 0;
    }
}

static void add_norm_kernels(const struct gpu *gpu, const struct op *op, struct cost *cost)
{
    int64_t elements = op->rows * op->in;
    if (op->kind == OP_NORM) {
        if (op->dropout > 0)
            add_stream(gpu, GPU_KERNEL_ADD, elements, 1, 1.25, 2, cost);
        add_stream(gpu, GPU_KERNEL_ADD, elements, 2, 1, 1, cost);
        gpu_add_stream(gpu, GPU_KERNEL_LAYERNORM, elements, op->rows, 1, 1, 8, cost);
        return;
    }
    gpu_add_stream(gpu, GPU_KERNEL_LAYERNORM, elements, op->rows, 2, 1, 12, cost);
    if (!op->skip_sums)
        add_stream(gpu, GPU_KERNEL_REDUCE, elements, 2, 2.0 / (double)op->rows, 3, cost);
    if (op->dropout > 0)
        add_stream(gpu, GPU_KERNEL_ADD, elements, 1.25, 1, 1, cost);
    if (op->accumulate)
        add_stream(gpu, GPU_KERNEL_ADD, elements, 2, 1, 1, cost);
}

/* Reads and writes of the optimiser: gradient, parameter and state, all but the gradient written back. */
static void add_update_kernel(const struct gpu *gpu, const struct op *op, struct cost *cost)
{
    double states = op->optimiser == OPTIMISER_SGD ? 0 : 2;
    add_stream(gpu, GPU_KERNEL_OPTIMISER, op->rows, 2 + states, 1 + states, op->optimiser == OPTIMISER_SGD ? 2 : 12,
               cost);
}

/* Kernels that pass over the L elements of a transform. Assumed: a block holds a tile of 32 KiB in shared memory and
 * does all levels of it; the first kernel takes contiguous tiles, a later one rows of 32 bytes (one sector of device
 * memory), 1024 of them: 10 levels. */
static int transform_passes(const struct gpu *gpu, int64_t length)
{
    enum { TILE_BYTES = 32 << 10, TILE_ROWS = 1024 };
    int passes = 1;
    for (int64_t done = TILE_BYTES / gpu->element_bytes; done < length; done *= TILE_ROWS)
        passes++;
    return passes;
}

static void add_factor_product(const struct gpu *gpu, uint64_t m, uint64_t n, uint64_t k, struct cost *total)
{
    enum gpu_math math = gpu->element_bytes == 8 ? GPU_FP64 : GPU_FP32;
    struct gpu_gemm gemm = {1, m, n, k, math, gpu->element_bytes, gpu->element_bytes};
    struct cost cost;
    gpu_gemm_cost(&gpu->profile, &gemm, &cost);
    cost_add(total, &cost);
}

/* Gram-Schmidt over m rows of n: each row twice, a product with the rows before it and what they take off it. */
static void add_orthonormal(const struct gpu *gpu, int64_t m, int64_t n, struct cost *total)
{
    for (int64_t row = 0; row < m; row++)
        for (int twice = 0; twice < 2; twice++) {
            add_stream(gpu, GPU_KERNEL_REDUCE, n, (double)(row + 1), 0, 2 * (double)row, total);
            add_stream(gpu, GPU_KERNEL_ADD, n, (double)(row + 1), 1, 2 * (double)row + 1, total);
        }
}

/* low_rank step by step: probes; six products in full precision; five times orthonormal rows; the small eigenproblem,
 * a kernel for each round of rotations that touch different rows; then b, a and the rest of the matrix. */
static void add_factor(const struct gpu *gpu, const struct op *op, struct cost *cost)
{
    int64_t o = op->out, c = op->in, r = op->width, m = (int64_t)low_rank_probes((size_t)o, (size_t)c, (size_t)r);
    add_stream(gpu, GPU_KERNEL_COPY, m * c, 0, 1, 20, cost);
    for (int i = 0; i < LOW_RANK_PRODUCTS; i++)
        add_factor_product(gpu, (uint64_t)m, (uint64_t)(i % 2 ? c : o), (uint64_t)(i % 2 ? o : c), cost);
    for (int i = 0; i < LOW_RANK_PRODUCTS - 1; i++)
        add_orthonormal(gpu, m, i % 2 ? c : o, cost);
    add_factor_product(gpu, (uint64_t)m, (uint64_t)m, (uint64_t)c, cost);
    for (int64_t round = 0; round < LOW_RANK_SWEEPS * (m - 1); round++)
        add_stream(gpu, GPU_KERNEL_ADD, m * m, 3, 3, 9, cost);
    add_factor_product(gpu, (uint64_t)o, (uint64_t)r, (uint64_t)m, cost);
    add_factor_product(gpu, (uint64_t)r, (uint64_t)c, (uint64_t)m, cost);
    add_factor_product(gpu, (uint64_t)o, (uint64_t)c, (uint64_t)r, cost);
    add_stream(gpu, GPU_KERNEL_ADD, o * c, 2, 1, 1, cost);
}

/* Fastfood as fused kernels: the small transform of theta_d (a kernel of its own); then the passes of the large one,
 * whose first loads the table and gathers from the small result in shared memory, whose last adds theta0. Backward: the
 * passes, the first of which loads g, then sums into bins in shared memory, then the small transform. No framework has
 * such kernels; what they move is counted, the rate is that of an add. */
static void add_fastfood(const struct gpu *gpu, const struct op *op, struct cost *cost)
{
    int64_t length = (int64_t)fastfood_length((size_t)op->out), period = (int64_t)fastfood_length((size_t)op->in);
    double share = (double)op->out / (double)length, word = 4.0 / gpu->element_bytes;
    int passes = transform_passes(gpu, length), forward = op->kind == OP_FASTFOOD;
    double levels = (double)(op_flops(op)) / (double)(length * passes);
    for (int p = 0; p < passes; p++) {
        int first = p == 0, last = p == passes - 1;
        double reads = first ? (forward ? 1 + word : share) : 1, writes = last && forward ? share : 1;
        if (last && forward)
            reads += share;
        add_stream(gpu, GPU_KERNEL_ADD, length, reads, writes, levels, cost);
    }
    if (!forward)
        add_stream(gpu, GPU_KERNEL_REDUCE, length, 2 + word, (double)period / (double)length, 2, cost);
    add_stream(gpu, GPU_KERNEL_ADD, period, 1, 1, 1, cost);
}

/* The kernels of each op as an eager framework launches them. */
static void gpu_cost(const void *state, const struct op *op, struct cost *cost)
{
    const struct gpu *gpu = state;
    memset(cost, 0, sizeof *cost);
    if (add_matrix_kernels(gpu, op, cost) || gpu_add_token_kernels(gpu, op, cost))
        return;
    switch (op->kind) {
    case OP_ACT_BWD:
        add_stream(gpu, GPU_KERNEL_ACTIVATION, op->rows * op->out, 2, 1, act_is_gelu(op->act) ? 12 : 1, cost);
        break;
    case OP_NORM:
    case OP_NORM_BWD:
        add_norm_kernels(gpu, op, cost);
        break;
    case OP_ADD:
        add_stream(gpu, GPU_KERNEL_ADD, op->rows * (op->in ? op->in : 1), 2, 1, 1, cost);
        break;
    case OP_ADD_POS:
        add_stream(gpu, GPU_KERNEL_ADD, op->rows * op->in, 1, 1, 1, cost);
        break;
    case OP_ADD_EMBED: /* three sums, and the rows of the slots picked */
        add_stream(gpu, GPU_KERNEL_COPY, op->samples * op->n_key * op->in, 1, 1, 0, cost);
        for (int i = 0; i < 3; i++)
            add_stream(gpu, GPU_KERNEL_ADD, op->rows * op->in, 1, 1, 1, cost);
        break;
    case OP_ADD_EMBED_BWD: /* sums over steps, over nodes, and those added to their slots */
        for (int i = 0; i < 2; i++)
            add_stream(gpu, GPU_KERNEL_REDUCE, op->rows * op->in, 1,
                       1.0 / (double)(i ? op->n_query : op->samples * op->n_key), 1, cost);
        add_stream(gpu, GPU_KERNEL_REDUCE, op->samples * op->n_key * op->in, 1,
                   (double)op->out / (double)(op->samples * op->n_key), 1, cost);
        break;
    case OP_PERMUTE:
        add_stream(gpu, GPU_KERNEL_COPY, op->rows * op->in, 1, 1, 0, cost);
        break;
    case OP_CONCAT:
    case OP_SPLIT:
        add_stream(gpu, GPU_KERNEL_COPY, op->rows * (op->in + op->out), 1, 1, 0, cost);
        break;
    case OP_ADD_LAST:
        add_stream(gpu, GPU_KERNEL_ADD, op->samples * op->out, 2, 1, 1, cost);
        break;
    case OP_FACTOR:
        add_factor(gpu, op, cost);
        break;
    case OP_FASTFOOD:
    case OP_FASTFOOD_BWD:
        add_fastfood(gpu, op, cost);
        break;
    case OP_ACTIVATION:
        add_stream(gpu, GPU_KERNEL_ACTIVATION, op->rows * op->out, 1, 1, act_is_gelu(op->act) ? 8 : 1, cost);
        break;
    case OP_DROPOUT: /* a byte of mask is kept for each element, as in NORM */
        add_stream(gpu, GPU_KERNEL_ADD, op->rows * op->in, 1, 1.25, 2, cost);
        break;
    case OP_ADD_PART: /* priced with its copy of a; the sum itself touches one part of it */
        add_stream(gpu, GPU_KERNEL_ADD, op->rows * op->in, op->parts + 1, op->parts, 2, cost);
        break;
    case OP_PART:
        add_stream(gpu, GPU_KERNEL_COPY, op->rows * op->in, 1, 1, 1, cost);
        break;
    case OP_FILL:
        add_stream(gpu, GPU_KERNEL_COPY, op->rows, 0, 1, 0, cost);
        break;
    case OP_SPLIT_HEADS:
    case OP_JOIN_HEADS:
        add_stream(gpu, GPU_KERNEL_COPY, op->rows * op->parts * op->heads * op->head_width, 1, 1, 0, cost);
        break;
    case OP_LOSS:
        add_stream(gpu, GPU_KERNEL_LOSS, op->samples * op->out, 2, 1, 4, cost);
        break;
    case OP_SQUARE_SUM:
        add_stream(gpu, GPU_KERNEL_REDUCE, op->rows, 1, 0, 2, cost);
        break;
    case OP_UPDATE:
        add_update_kernel(gpu, op, cost);
        break;
    case OP_LOAD:
    case OP_METRIC:
        add_host_copy(gpu, op->transfer_bytes, cost);
        break;
    default: /* an all-reduce is priced by the fabric that joins the devices */
        bug("a GPU has no cost of its own for %s", op_name(op->kind));
    }
}

static void gpu_run(void *state, const struct op *op, const struct kernel_context *context,
                    const void *const in[OP_MAX_IN], void *const out[OP_MAX_OUT])
{
    const struct gpu *gpu = state;
    struct kernel_context own = *context;
    own.format = gpu->format;
    if (gpu->format == FORMAT_FP64)
        kernel_run_f64(op, &own, (const double *const *)in, (double *const *)out);
    else
        kernel_run_f32(op, &own, (const float *const *)in, (float *const *)out);
}

static uint64_t gpu_memory_bytes(const void *state)
{
    return ((const struct gpu *)state)->profile.memory_bytes;
}

static uint64_t gpu_idle_power_mw(const void *state)
{
    return ((const struct gpu *)state)->profile.idle_power_mw;
}

/* Within a step the clocks stay up: waiting draws base power, not idle power (device/gpu.h). */
static uint64_t gpu_wait_power_mw(const void *state)
{
    return ((const struct gpu *)state)->profile.base_power_mw;
}

const struct device gpu_device = {
    .kind = "gpu",
    .open = gpu_open,
    .supports = gpu_supports,
    .cost = gpu_cost,
    .run = gpu_run,
    .memory_bytes = gpu_memory_bytes,
    .idle_power_mw = gpu_idle_power_mw,
    .wait_power_mw = gpu_wait_power_mw,
    .close = NULL,
};
