#include "command/cost_rows.h"

#include <inttypes.h>
#include <string.h>

#include "device/catalogue.h"

static const char *const headers[N_LAYOUTS][12] = {
    [LAYOUT_KERNELS] = {"gpu", "kernel", "shape", "dtype", "measured", "unit", "source", "note"},
    [LAYOUT_GEMM] = {"gpu", "dtype", "m", "n", "k", "median_ms"},
    [LAYOUT_ATTENTION] = {"gpu", "phase", "dtype", "kv_dtype", "batch", "q_len", "past_kv", "n_head", "n_kv_head",
                          "head_dim", "median_ms"},
    [LAYOUT_COLLECTIVES] = {"source", "system", "op", "impl", "dtype", "num_gpus", "gpus_per_node", "bytes",
                            "median_ms"},
};

enum status cost_layout(const struct table *table, enum layout *layout, struct fault *fault)
{
    for (int i = 0; i < N_LAYOUTS; i++) {
        if (table_has_header(table, headers[i])) {
            *layout = (enum layout)i;
            return STATUS_OK;
        }
    }
    return fault_set(
        fault, STATUS_USAGE,
        "%s:1: expected the header of a table of kernels (gpu,kernel,shape,...), GEMMs (gpu,dtype,m,n,k,median_ms), "
        "attention (gpu,phase,...), collectives (source,system,op,...) or SCALE-Sim runs (id,suite,name,M,...), found "
        "%zu columns from '%s'",
        table->path, table->n_columns, table->header[0]);
}

/* The GPU column of the GEMM and attention tables. */
static const struct gpu_profile *short_gpu(const char *name, struct cost_row *result, struct arena *arena)
{
    static const char *const names[][2] = {
        {"v100", "v100"}, {"a100", "a100-80g"}, {"h100", "h100-sxm"}, {"h200", "h200-sxm"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i][0]) == 0 || strcmp(name, names[i][1]) == 0)
            return catalogue_gpu(result->device = names[i][1]);
    cost_row_outside(result, arena_printf(arena, "%s: not in the catalogue", name));
    return NULL;
}

static int math_of(const char *dtype, enum gpu_math *math, unsigned *bytes)
{
    static const struct {
        const char *name;
        enum gpu_math math;
        unsigned bytes;
    } formats[] = {{"float64", GPU_FP64, 8}, {"fp64", GPU_FP64, 8},    {"float32", GPU_FP32, 4},
                   {"fp32", GPU_FP32, 4},    {"tf32", GPU_TF32, 4},    {"bfloat16", GPU_BF16, 2},
                   {"bf16", GPU_BF16, 2},    {"float16", GPU_FP16, 2}, {"half", GPU_FP16, 2},
                   {"fp16", GPU_FP16, 2},    {"fp8", GPU_FP8, 1},      {"int8", GPU_INT8, 1}};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(dtype, formats[i].name) == 0) {
            *math = formats[i].math;
            *bytes = formats[i].bytes;
            return 1;
        }
    }
    return 0;
}

/* Several whole numbers of a row, each at least 1 unless its column may be 0. */
static enum status counts(const struct table *table, size_t row, const char *const *columns, uint64_t *values, size_t n,
                          struct fault *fault)
{
    for (size_t i = 0; i < n; i++) {
        double value;
        enum status status = table_number(table, row, columns[i], &value, fault);
        if (status != STATUS_OK)
            return status;
        if (value != (double)(uint64_t)value || (value < 1.0 && strcmp(columns[i], "past_kv") != 0))
            return fault_set(fault, STATUS_USAGE, "%s:%zu: %s: expected a whole number from 1, found '%s'", table->path,
                             table->lines[row], columns[i], table_cell(table, row, columns[i]));
        values[i] = (uint64_t)value;
    }
    return STATUS_OK;
}

static enum status price_gemm(const struct table *table, size_t row, struct cost_row *result, struct arena *arena,
                              struct fault *fault)
{
    static const char *const columns[] = {"m", "n", "k"};
    uint64_t size[3] = {0};
    enum status status = counts(table, row, columns, size, 3, fault);
    const struct gpu_profile *gpu = short_gpu(table_cell(table, row, "gpu"), result, arena);
    if (status != STATUS_OK || !gpu)
        return status;
    const char *dtype = table_cell(table, row, "dtype");
    struct gpu_gemm gemm = {.batch = 1, .m = size[0], .n = size[1], .k = size[2], .result_bytes = 2};
    if (!math_of(dtype, &gemm.math, &gemm.operand_bytes)) {
        cost_row_failed(result, arena_printf(arena, "dtype %s is not known", dtype));
        return STATUS_OK;
    }
    if (!gpu_supports_math(gpu, gemm.math)) {
        cost_row_failed(result, arena_printf(arena, "%s has no %s", result->device, gpu_math_name(gemm.math)));
        return STATUS_OK;
    }
    enum condition_id condition = gemm.math == GPU_FP8 ? CONDITION_FP8 : CONDITION_BURST;
    struct gpu_profile profile = cost_row_profile(gpu, condition);
    struct cost cost;
    gpu_gemm_cost(&profile, &gemm, &cost);
    cost_row_priced(result, arena_printf(arena, "gemm %s", gpu_math_name(gemm.math)), condition, cost.time_ps);
    result->predicted += 1e-6 * condition_of(condition)->cast_ps * (double)gemm.m * (double)gemm.k;
    return STATUS_OK;
}

static enum status price_attention(const struct table *table, size_t row, struct cost_row *result, struct arena *arena,
                                   struct fault *fault)
{
    static const char *const columns[] = {"batch", "q_len", "past_kv", "n_head", "n_kv_head", "head_dim"};
    uint64_t v[6] = {0};
    enum status status = counts(table, row, columns, v, 6, fault);
    const struct gpu_profile *gpu = short_gpu(table_cell(table, row, "gpu"), result, arena);
    if (status != STATUS_OK || !gpu)
        return status;
    const char *dtype = table_cell(table, row, "dtype"), *kv_dtype = table_cell(table, row, "kv_dtype");
    enum gpu_math math, kv_math;
    unsigned bytes, kv;
    if (!math_of(dtype, &math, &bytes) || !math_of(kv_dtype, &kv_math, &kv)) {
        cost_row_failed(result, arena_printf(arena, "dtype %s or %s is not known", dtype, kv_dtype));
        return STATUS_OK;
    }
    if (!v[4] || v[3] % v[4] || !gpu_supports_math(gpu, math)) {
        cost_row_failed(result, arena_printf(arena, "%" PRIu64 " heads over %" PRIu64 " in %s", v[3], v[4], dtype));
        return STATUS_OK;
    }
    struct gpu_attention attention = {.batch = v[0],
                                      .n_query = v[1],
                                      .n_key = v[1] + v[2],
                                      .heads = v[3],
                                      .kv_heads = v[4],
                                      .head_width = v[5],
                                      .math = math,
                                      .operand_bytes = bytes,
                                      .kv_bytes = kv,
                                      .causal = 1,
                                      .fused = 1};
    enum condition_id condition = kv == 1 ? CONDITION_ATTENTION_FP8 : CONDITION_ATTENTION;
    struct gpu_profile profile = cost_row_profile(gpu, condition);
    struct cost cost;
    gpu_attention_cost(&profile, &attention, &cost);
    const char *class =
        arena_printf(arena, "attention %s, %s keys", table_cell(table, row, "phase"), gpu_math_name(kv_math));
    cost_row_priced(result, class, condition, cost.time_ps);
    return STATUS_OK;
}

enum status cost_row_price(const struct table *table, enum layout layout, size_t row, struct cost_row *result,
                           struct arena *arena, struct fault *fault)
{
    memset(result, 0, sizeof *result);
    const char *column = layout == LAYOUT_KERNELS ? "measured" : "median_ms";
    enum status status = table_number(table, row, column, &result->measured, fault);
    if (status != STATUS_OK)
        return status;
    if (result->measured == 0.0) {
        cost_row_outside(result, "measured 0: below the resolution of the measurement");
        return STATUS_OK;
    }
    if (layout == LAYOUT_KERNELS)
        return cost_row_kernels(table, row, result, arena, fault);
    result->measured *= 1e3;
    result->unit = "us";
    if (layout == LAYOUT_GEMM)
        return price_gemm(table, row, result, arena, fault);
    if (layout == LAYOUT_ATTENTION)
        return price_attention(table, row, result, arena, fault);
    return cost_row_collectives(table, row, result, arena, fault);
}
