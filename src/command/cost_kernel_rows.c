/* cost_kernel_rows.c - rows of single kernels and microbenchmarks, with their sizes in a text "M=1;N=2;K=3". */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "command/cost_row.h"
#include "device/catalogue.h"

static const char *const gpus[][2] = {
    {"A100-80G", "a100-80g"},     {"H100-SXM", "h100-sxm"},     {"H200-SXM", "h200-sxm"},
    {"A100-40G-SXM", "a100-40g"}, {"V100-SXM2-32G", "v100"},    {"H100 (inferred)", "h100-sxm"},
    {"A100-80G x4", "a100-80g"},  {"A100-80G DGX", "a100-80g"}, {"H100-SXM DGX", "h100-sxm"},
    {"H200-SXM x8", "h200-sxm"},  {"A100-40G x8", "a100-40g"},
};

/* What a row says, so far as its kernel needs it. */
struct sizes {
    double m, n, k, rows, cols, batch, seq, heads, width, causal, tokens, devices, devices_per_node, bytes,
        flop_per_byte, gb_per_s, gflop_per_s;
};

static const struct {
    const char *name;
    size_t offset;
} names[] = {
    {"M", offsetof(struct sizes, m)},           {"N", offsetof(struct sizes, n)},
    {"K", offsetof(struct sizes, k)},           {"rows", offsetof(struct sizes, rows)},
    {"cols", offsetof(struct sizes, cols)},     {"n", offsetof(struct sizes, cols)},
    {"batch", offsetof(struct sizes, batch)},   {"seq", offsetof(struct sizes, seq)},
    {"heads", offsetof(struct sizes, heads)},   {"headdim", offsetof(struct sizes, width)},
    {"causal", offsetof(struct sizes, causal)}, {"tokens", offsetof(struct sizes, tokens)},
    {"p", offsetof(struct sizes, devices)},     {"devices_per_node", offsetof(struct sizes, devices_per_node)},
    {"bytes", offsetof(struct sizes, bytes)},   {"flop_per_byte", offsetof(struct sizes, flop_per_byte)},
    {"GBps", offsetof(struct sizes, gb_per_s)}, {"GFps", offsetof(struct sizes, gflop_per_s)},
};

/* Takes "name=number" parts; others are left alone. */
static void read_sizes(const char *shape, struct sizes *sizes)
{
    memset(sizes, 0, sizeof *sizes);
    for (const char *part = shape; part; part = strchr(part, ';') ? strchr(part, ';') + 1 : NULL) {
        size_t length = strcspn(part, "=;");
        double value = part[length] == '=' ? strtod(part + length + 1, NULL) : 0.0;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strlen(names[i].name) == length && strncmp(part, names[i].name, length) == 0)
                memcpy((char *)sizes + names[i].offset, &value, sizeof value);
    }
}

static int is_compass(const struct table *table, size_t row)
{
    return strstr(table_cell(table, row, "source"), "LLMCompass") != NULL;
}

static void price_gemm(const struct gpu_profile *gpu, const struct sizes *s, const char *dtype, int compass,
                       struct cost_row *result)
{
    if (s->m < 1 || s->n < 1 || s->k < 1) {
        cost_row_failed(result, "a GEMM without M, N and K");
        return;
    }
    int fp8 = strcmp(dtype, "fp8") == 0;
    enum gpu_math math = fp8 ? GPU_FP8 : strcmp(dtype, "bf16") == 0 ? GPU_BF16 : GPU_FP16;
    if (!gpu_supports_math(gpu, math)) {
        cost_row_failed(result, "arithmetic that the GPU does not have");
        return;
    }
    struct gpu_gemm gemm = {1, (uint64_t)s->m, (uint64_t)s->n, (uint64_t)s->k, math, fp8 ? 1 : 2, 2};
    struct cost cost;
    gpu_gemm_cost(gpu, &gemm, &cost);
    enum condition_id events = strcmp(result->device, "h100-sxm") == 0 ? CONDITION_EVENTS_H100 : CONDITION_PLAIN;
    cost_row_priced(result, compass ? "gemm, torch" : "gemm", compass ? CONDITION_COMPASS_GEMM : events, cost.time_ps);
    if (strcmp(result->unit, "TFLOP/s") == 0) {
        result->class = "best gemm";
        result->predicted = 2.0 * s->m * s->n * s->k / result->predicted * 1e-6;
    }
}

static const struct stream_kernel {
    const char *name;
    double reads; /* per element written */
    double flops;
    enum gpu_kernel kernel;
    enum condition_id compass;
} streams[] = {
    {"add", 2, 1, GPU_KERNEL_ADD, CONDITION_COMPASS_GELU},
    {"gelu", 1, 8, GPU_KERNEL_ACTIVATION, CONDITION_COMPASS_GELU},
    {"silu_mul", 2, 9, GPU_KERNEL_GATED, CONDITION_COMPASS_GELU},
    {"layernorm", 1, 8, GPU_KERNEL_LAYERNORM, CONDITION_COMPASS_NORM},
    {"rmsnorm", 1, 5, GPU_KERNEL_RMSNORM, CONDITION_COMPASS_NORM},
    {"softmax", 1, 5, GPU_KERNEL_SOFTMAX, CONDITION_COMPASS_SOFTMAX},
};

static void price_stream(const struct gpu_profile *gpu, const struct stream_kernel *kernel, const struct sizes *s,
                         int compass, struct cost_row *result, struct arena *arena)
{
    double rows = fmax(s->rows, 1.0), elements = rows * s->cols;
    if (elements < 1) {
        cost_row_failed(result, "a streaming kernel without rows and columns");
        return;
    }
    struct gpu_stream stream = {.kernel = kernel->kernel,
                                .read_bytes = (uint64_t)(2.0 * kernel->reads * elements),
                                .write_bytes = (uint64_t)(2.0 * elements),
                                .flops = (uint64_t)(kernel->flops * elements),
                                .rows = (uint64_t)s->rows};
    struct cost cost;
    gpu_stream_cost(gpu, &stream, &cost);
    cost_row_priced(result, compass ? arena_printf(arena, "%s, torch", kernel->name) : kernel->name,
                    compass ? kernel->compass : CONDITION_PLAIN, cost.time_ps);
}

/* Flash attention rows: bf16 or fp16 on Hopper, in TFLOP/s (half counted when causal) or us. */
static void price_flash(const struct gpu_profile *gpu, const struct sizes *s, const char *kernel,
                        struct cost_row *result)
{
    int flash2 = strncmp(kernel, "flash2", 6) == 0 || strncmp(kernel, "triton", 6) == 0;
    int backward = strstr(kernel, "bwd") != NULL, both = strstr(kernel, "fwdbwd") != NULL;
    enum condition_id condition = flash2 ? CONDITION_FLASH2 : CONDITION_BURST;
    double batch = s->batch > 0 ? s->batch : s->tokens / s->seq, heads = s->heads > 0 ? s->heads : 2048.0 / s->width;
    if (!(batch >= 1 && heads >= 1 && s->seq >= 1 && s->width >= 1)) {
        cost_row_failed(result, "attention without batch, heads, length and width");
        return;
    }
    struct gpu_attention attention = {.batch = (uint64_t)batch,
                                      .heads = (uint64_t)heads,
                                      .kv_heads = (uint64_t)heads,
                                      .n_query = (uint64_t)s->seq,
                                      .n_key = (uint64_t)s->seq,
                                      .head_width = (uint64_t)s->width,
                                      .math = GPU_FP16,
                                      .operand_bytes = 2,
                                      .causal = s->causal > 0,
                                      .backward = backward && !both,
                                      .fused = 1};
    struct gpu_profile profile = cost_row_profile(gpu, condition);
    struct cost cost, more;
    gpu_attention_cost(&profile, &attention, &cost);
    double flops =
        4.0 * batch * heads * s->seq * s->seq * s->width * (s->causal > 0 ? 0.5 : 1.0) * (backward ? 2.5 : 1.0);
    if (both) {
        attention.backward = 1;
        gpu_attention_cost(&profile, &attention, &more);
        cost.time_ps += more.time_ps;
        flops *= 1.4;
    }
    cost_row_priced(result, flash2 ? "flash attention 2" : "flash attention 3", condition, cost.time_ps);
    if (strcmp(result->unit, "TFLOP/s") == 0)
        result->predicted = flops / result->predicted * 1e-6;
}

static void price_link(const struct sizes *s, const char *gpu, const char *kernel, struct cost_row *result)
{
    int hopper = gpu[0] == 'H', is_message = strcmp(kernel, "send_recv") == 0, torch = strstr(gpu, "DGX") != NULL;
    double per_node = s->devices_per_node > 0 ? s->devices_per_node : s->devices;
    int crosses = s->devices > per_node;
    if (s->devices < 2 || s->bytes < 1) {
        cost_row_failed(result, "a collective without devices and bytes");
        return;
    }
    struct fabric fabric = {*catalogue_link(hopper ? "nvlink4" : "nvlink3"),
                            *catalogue_link(hopper ? "ib-ndr" : "ib-hdr"), (unsigned)per_node};
    enum condition_id condition = CONDITION_PLAIN;
    if (torch && !is_message)
        condition = hopper ? CONDITION_TORCH_REDUCE_HOPPER : CONDITION_TORCH_REDUCE;
    if (crosses && !hopper)
        condition = is_message ? CONDITION_CLOUD_MESSAGE : CONDITION_CLOUD_REDUCE;
    if (condition_of(condition)->slow_network > 0)
        fabric.between.efficiency = fabric.between.message_efficiency =
            condition_of(condition)->slow_network / per_node;
    struct cost cost;
    if (is_message)
        link_transfer_cost(crosses ? &fabric.between : &fabric.inside, (uint64_t)s->bytes, &cost);
    else
        fabric_collective_cost(&fabric, COLLECTIVE_ALLREDUCE, (unsigned)s->devices, (uint64_t)s->bytes, NULL, &cost);
    result->device = hopper ? crosses ? "ib-ndr" : "nvlink4" : crosses ? "ib-hdr" : "nvlink3";
    cost_row_priced(result,
                    is_message ? "send_recv"
                    : torch    ? "all_reduce, torch"
                               : "all_reduce",
                    condition, cost.time_ps);
}

/* Power at measured rates: the energy constants alone. */
static void price_power(const struct gpu_profile *gpu, const struct sizes *s, struct cost_row *result)
{
    double power_w = (double)gpu->base_power_mw * 1e-3 + s->gb_per_s * 1e9 * gpu->dram_fj_per_byte * 1e-15 +
                     s->gflop_per_s * 1e9 * gpu->fp32_fj_per_flop * 1e-15;
    cost_row_priced(result, "power", CONDITION_PLAIN, 0);
    result->predicted = fmin(power_w, (double)gpu->tdp_mw * 1e-3);
}

static const char *outside_kernel(const char *kernel)
{
    static const struct {
        const char *prefix, *reason;
    } reasons[] = {
        {"stream_", "memory microbenchmark: where a constant comes from"},
        {"l2_read", "memory microbenchmark: where a constant comes from"},
        {"pcie", "link microbenchmark: where a constant comes from"},
        {"nvbandwidth", "link microbenchmark: where a constant comes from"},
        {"gpt3_layer", "a layer of a model: not one kernel"},
        {"gpt-", "a whole model: not one kernel"},
        {"gpt2", "a whole model: not one kernel"},
        {"nanogpt", "a whole model: not one kernel"},
        {"llm", "a whole model: not one kernel"},
        {"pytorch", "a whole model: not one kernel"},
        {"train", "a whole model: not one kernel"},
        {"torch_attn", "eager PyTorch attention: a chain of kernels that is not documented"},
        {"std_attn", "eager PyTorch attention: a chain of kernels that is not documented"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strncmp(kernel, reasons[i].prefix, strlen(reasons[i].prefix)) == 0)
            return reasons[i].reason;
    return NULL;
}

enum status cost_row_kernels(const struct table *table, size_t row, struct cost_row *result, struct arena *arena,
                             struct fault *fault)
{
    (void)fault;
    const char *name = table_cell(table, row, "gpu"), *kernel = table_cell(table, row, "kernel"),
               *outside = outside_kernel(kernel);
    result->unit = table_cell(table, row, "unit");
    const struct gpu_profile *gpu = NULL;
    for (size_t i = 0; i < sizeof gpus / sizeof gpus[0]; i++)
        if (strcmp(name, gpus[i][0]) == 0)
            gpu = catalogue_gpu(result->device = gpus[i][1]);
    if (outside || !gpu) {
        cost_row_outside(result, outside ? outside : arena_printf(arena, "%s: not in the catalogue", name));
        return STATUS_OK;
    }
    struct sizes sizes;
    read_sizes(table_cell(table, row, "shape"), &sizes);
    if (strcmp(kernel, "gemm") == 0 || strcmp(kernel, "gemm_max_achievable") == 0)
        price_gemm(gpu, &sizes, table_cell(table, row, "dtype"), is_compass(table, row), result);
    else if (strcmp(kernel, "allreduce") == 0 || strcmp(kernel, "send_recv") == 0)
        price_link(&sizes, name, kernel, result);
    else if (strcmp(kernel, "roofline_power") == 0)
        price_power(gpu, &sizes, result);
    else if (strncmp(kernel, "flash", 5) == 0 || strncmp(kernel, "triton", 6) == 0 || strncmp(kernel, "cudnn", 5) == 0)
        price_flash(gpu, &sizes, kernel, result);
    else {
        for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
            if (strcmp(kernel, streams[i].name) == 0) {
                price_stream(gpu, &streams[i], &sizes, is_compass(table, row), result, arena);
                return STATUS_OK;
            }
        cost_row_failed(result, arena_printf(arena, "kernel %s is not known", kernel));
    }
    return STATUS_OK;
}
