#include "device/gpu.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "device/gpu_power.h"

const char *gpu_math_name(enum gpu_math math)
{
    static const char *const names[] = {
#define X(math, name) name,
        GPU_MATHS(X)
#undef X
    };
    return names[math];
}

const char *gpu_kernel_name(enum gpu_kernel kernel)
{
    static const char *const names[] = {
#define X(kernel, name, start_ps, rate_share, row_bytes_per_s, evidence, source) name,
        GPU_KERNELS(X)
#undef X
    };
    return names[kernel];
}

double gpu_peak_flops_per_s(const struct gpu_profile *gpu, enum gpu_math math)
{
    switch (math) {
    case GPU_FP64:
        return gpu->fp64_flops_per_s;
    case GPU_FP32:
        return gpu->fp32_flops_per_s;
    case GPU_TF32:
        return gpu->tf32_flops_per_s;
    case GPU_BF16:
        return gpu->bf16_flops_per_s;
    case GPU_FP16:
        return gpu->fp16_flops_per_s;
    case GPU_FP8:
        return gpu->fp8_flops_per_s;
    case GPU_INT8:
        return gpu->int8_flops_per_s;
    case N_GPU_MATHS:
        break;
    }
    bug("gpu arithmetic %d is not in the list", (int)math);
}

double gpu_fj_per_flop(const struct gpu_profile *gpu, enum gpu_math math)
{
    switch (math) {
    case GPU_FP64:
        return gpu->fp64_fj_per_flop;
    case GPU_FP32:
        return gpu->fp32_fj_per_flop;
    case GPU_TF32:
        return gpu->tf32_fj_per_flop;
    case GPU_BF16:
    case GPU_FP16:
        return gpu->bf16_fj_per_flop;
    case GPU_FP8:
    case GPU_INT8:
        return gpu->fp8_fj_per_flop;
    case N_GPU_MATHS:
        break;
    }
    bug("gpu arithmetic %d is not in the list", (int)math);
}

int gpu_supports_math(const struct gpu_profile *gpu, enum gpu_math math)
{
    return gpu_peak_flops_per_s(gpu, math) > 0.0;
}

void gpu_charge(const struct gpu_profile *gpu, const struct gpu_work *work, struct cost *cost)
{
    if (gpu->tdp_mw <= gpu->base_power_mw)
        bug("a power limit of %llu mW under a base power of %llu mW", (unsigned long long)gpu->tdp_mw,
            (unsigned long long)gpu->base_power_mw);
    double compute_fj = work->flops * work->fj_per_flop, dram_fj = work->dram_bytes * gpu->dram_fj_per_byte,
           sram_fj = work->l2_bytes * gpu->l2_fj_per_byte;
    double limited_ps = (compute_fj + dram_fj + sram_fj) / (double)(gpu->tdp_mw - gpu->base_power_mw);
    memset(cost, 0, sizeof *cost);
    cost->time_ps = cost_whole(ceil(fmax(work->time_ps, limited_ps)));
    cost->energy_fj[ENERGY_STATIC] = cost_of_power(gpu->base_power_mw, cost->time_ps);
    cost->energy_fj[ENERGY_COMPUTE] = cost_whole(compute_fj);
    cost->energy_fj[ENERGY_DRAM] = cost_whole(dram_fj);
    cost->energy_fj[ENERGY_SRAM] = cost_whole(sram_fj);
    cost->flops = cost_whole(work->flops);
    cost->bytes = cost_whole(work->dram_bytes);
}

struct kernel_shape {
    double start_ps, rate_share, row_bytes_per_s;
};

static const struct kernel_shape kernel_shapes[N_GPU_KERNELS] = {
#define X(kernel, name, start_ps, rate_share, row_bytes_per_s, evidence, source)                                       \
    {start_ps, rate_share, row_bytes_per_s},
    GPU_KERNELS(X)
#undef X
};

/* The starts and row rates were fitted on the A100; both are instructions, so they go with the clock. */
static const double fitted_clock_hz = 1410e6;

/* Working sets below a tenth of L2 stay in it between the kernel before and this one, above six tenths nothing does. */
static double resident_share(const struct gpu_profile *gpu, double bytes)
{
    return fmin(fmax((0.6 - bytes / gpu->l2_bytes) / 0.5, 0.0), 1.0);
}

void gpu_stream_cost(const struct gpu_profile *gpu, const struct gpu_stream *stream, struct cost *cost)
{
    double bytes = (double)stream->read_bytes + (double)stream->write_bytes;
    if (bytes == 0.0)
        bug("a streaming kernel without bytes");
    const struct kernel_shape *shape = &kernel_shapes[stream->kernel];
    double resident = resident_share(gpu, bytes), speed = gpu->clock_hz / fitted_clock_hz;
    double dram_s = bytes * (1.0 - resident) / (gpu->dram_bytes_per_s * gpu->dram_read_share);
    double work_s = (dram_s + bytes * resident / gpu->l2_bytes_per_s) / shape->rate_share;
    if (stream->rows && shape->row_bytes_per_s > 0.0)
        work_s = fmax(work_s, bytes / (double)stream->rows / (shape->row_bytes_per_s * speed));
    work_s = fmax(work_s, (double)stream->flops / gpu->fp32_flops_per_s);
    struct gpu_work work = {.time_ps = shape->start_ps / speed + work_s * 1e12,
                            .flops = (double)stream->flops,
                            .fj_per_flop = gpu->fp32_fj_per_flop,
                            .dram_bytes = bytes * (1.0 - resident),
                            .l2_bytes = bytes * resident};
    gpu_charge(gpu, &work, cost);
    cost->bytes = stream->read_bytes + stream->write_bytes;
}

uint64_t gpu_idle_energy_fj(const struct gpu_profile *gpu, uint64_t idle_ps)
{
    return gpu->idle_power_mw * idle_ps;
}

struct gpu_profile gpu_in_burst(const struct gpu_profile *gpu)
{
    struct gpu_profile burst = *gpu;
    burst.sustained_share = 1.0;
    burst.tdp_mw = gpu->tdp_mw * 4;
    return burst;
}
