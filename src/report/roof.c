#include "report/roof.h"

#include <string.h>

#include "device/catalogue.h"

static const struct cluster_device *find(const struct job *job, const char *kind, const char *profile)
{
    for (int i = 0; i < job->cluster.n_devices; i++) {
        const struct cluster_device *device = &job->cluster.device[i];
        if (device->kind && device->profile && strcmp(device->kind, kind) == 0 && strcmp(device->profile, profile) == 0)
            return device;
    }
    return NULL;
}

static int of_gpu(const struct job *job, const struct cluster_device *device, struct roof *roof)
{
    const struct gpu_profile *gpu = catalogue_gpu(device->profile);
    const char *numerics = device->numerics ? device->numerics : job->placement.numerics;
    if (!gpu)
        return 0;
    for (int m = 0; m < N_GPU_MATHS; m++)
        if (strcmp(gpu_math_name((enum gpu_math)m), numerics) == 0)
            roof->peak_flop_per_s = gpu_peak_flops_per_s(gpu, (enum gpu_math)m);
    roof->vector_flop_per_s = gpu_peak_flops_per_s(gpu, GPU_FP32);
    roof->bytes_per_s = gpu->dram_bytes_per_s;
    roof->peak_text = "matrix products";
    roof->vector_text = "other kernels (fp32)";
    roof->memory_text = "device memory";
    return 1;
}

static int of_systolic(const struct cluster_device *device, struct roof *roof)
{
    const struct systolic_profile *array = catalogue_systolic(device->profile);
    if (!array)
        return 0;
    double rows = device->array_rows > 0 ? (double)device->array_rows : (double)array->rows;
    double cols = device->array_cols > 0 ? (double)device->array_cols : (double)array->cols;
    roof->peak_flop_per_s = 2 * (double)array->arrays * rows * cols * array->clock_hz;
    roof->vector_flop_per_s = (double)array->vector_lanes * (double)array->vector_ops * array->clock_hz;
    roof->bytes_per_s = array->dram_bytes_per_s;
    roof->peak_text = "systolic arrays";
    roof->vector_text = "vector unit";
    roof->memory_text = "device memory";
    return 1;
}

static void take_int(int *value, int64_t given)
{
    if (given > 0)
        *value = (int)given;
}

static int of_reram(const struct cluster_device *device, struct roof *roof)
{
    const struct reram_profile *catalogued = catalogue_reram(device->profile);
    if (!catalogued)
        return 0;
    struct reram_profile chip = *catalogued;
    take_int(&chip.tiles, device->tiles);
    take_int(&chip.weight_bits, device->weight_bits);
    take_int(&chip.input_bits, device->input_bits);
    take_int(&chip.error_bits, device->error_bits);
    take_int(&chip.cell_bits, device->cell_bits);
    take_int(&chip.adc_bits, device->adc_bits);
    if (device->mapping)
        chip.offset_mapping = strcmp(device->mapping, "offset") == 0;
    int slices = (chip.weight_bits + chip.cell_bits - 1) / chip.cell_bits; /* cells of a weight, rounded up */
    double weights = (double)reram_capacity(&chip) * chip.rows * chip.columns / slices / (chip.offset_mapping ? 1 : 2);
    roof->peak_flop_per_s = 2 * weights / ((double)reram_initiation_ps(&chip, 0) * 1e-12);
    roof->vector_flop_per_s = 0;
    roof->bytes_per_s = chip.tile_bytes_per_s * chip.tiles;
    roof->peak_text = "all crossbars at work";
    roof->memory_text = "tile buffers";
    return 1;
}

static int of_cpu(const struct cluster_device *device, struct roof *roof)
{
    const struct cpu_profile *cpu = catalogue_cpu(device->profile);
    if (!cpu)
        return 0;
    roof->peak_flop_per_s = cpu->cores * cpu->clock_hz * cpu->flop_per_cycle;
    roof->bytes_per_s = cpu->dram_bytes_per_s;
    roof->peak_text = "all cores";
    roof->memory_text = "memory";
    return 1;
}

/* Bytes of an element in the cache. */
static int kv_bytes(const struct job *job, const struct cluster_device *device)
{
    const char *numerics = device->numerics ? device->numerics : job->placement.numerics;
    if (strcmp(job->serve.kv_numerics, "int8") == 0)
        return 1;
    return strcmp(numerics, "fp16") == 0 || strcmp(numerics, "bf16") == 0 ? 2 : 4;
}

static int of_hbm_pim(const struct job *job, const struct cluster_device *device, struct roof *roof)
{
    const struct hbm_pim_profile *catalogued = catalogue_hbm_pim(device->profile);
    if (!catalogued)
        return 0;
    struct hbm_pim_profile pim = *catalogued;
    take_int(&pim.stacks, device->stacks);
    if (device->power_limit >= 0)
        pim.power_limited = (int)device->power_limit;
    double commands_per_s = 1e12 / ((double)hbm_pim_mac_interval(&pim) * (double)pim.clock_ps) * hbm_pim_channels(&pim);
    roof->bytes_per_s = commands_per_s * hbm_pim_units(&pim) * pim.column_bytes;
    roof->peak_flop_per_s = roof->bytes_per_s * 2 / kv_bytes(job, device);
    roof->vector_flop_per_s = pim.softmax_ops_per_s * pim.stacks;
    roof->peak_text = "processing units";
    roof->vector_text = "softmax unit";
    roof->memory_text = "banks to their processing units";
    return 1;
}

int roof_of(const struct job *job, const char *kind, const char *profile, struct roof *roof)
{
    const struct cluster_device *device = find(job, kind, profile);
    int is_known = 0;
    *roof = (struct roof){.peak_text = ""};
    if (!device)
        return 0;
    if (strcmp(kind, "gpu") == 0)
        is_known = of_gpu(job, device, roof);
    else if (strcmp(kind, "systolic") == 0)
        is_known = of_systolic(device, roof);
    else if (strcmp(kind, "reram") == 0)
        is_known = of_reram(device, roof);
    else if (strcmp(kind, "hbm-pim") == 0)
        is_known = of_hbm_pim(job, device, roof);
    else if (strcmp(kind, "cpu") == 0)
        is_known = of_cpu(device, roof);
    if (device->peak_flop_per_s > 0)
        roof->peak_flop_per_s = device->peak_flop_per_s;
    if (device->memory_bytes_per_s > 0)
        roof->bytes_per_s = device->memory_bytes_per_s;
    return is_known && roof->peak_flop_per_s > 0 && roof->bytes_per_s > 0;
}

double roof_at(const struct roof *roof, double intensity, int is_matrix)
{
    double peak = is_matrix || roof->vector_flop_per_s <= 0 ? roof->peak_flop_per_s : roof->vector_flop_per_s;
    double memory = intensity * roof->bytes_per_s;
    return memory < peak ? memory : peak;
}
