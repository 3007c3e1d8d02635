#include <math.h>

#include "base/status.h"
#include "device/gpu.h"
#include "device/gpu_power.h"

/* Result tiles that the libraries have kernels for. */
static const struct tile {
    uint64_t m, n;
} tiles[] = {{256, 128}, {128, 256}, {192, 128}, {128, 192}, {128, 128}, {256, 64}, {64, 256},
             {128, 64},  {64, 128},  {64, 64},   {32, 128},  {128, 32},  {32, 64},  {64, 32},
             {16, 128},  {16, 64},   {64, 16},   {32, 32},   {16, 32}};

enum { N_TILES = sizeof tiles / sizeof tiles[0], MAX_SPLITS = 32, SPLIT_MIN_K = 256, K_STEP = 32 };

/* What does not depend on the tile, in ps. */
struct gemm_plan {
    double flop_ps; /* one FLOP on one SM in the main loop */
    double memory_ps;
    double reduce_ps; /* one partial result more per element */
};

/* Reading each operand once is the least; an L2 of S elements forces 2 m n k / sqrt(S) reads once the blocks in flight
 * no longer fit (Hong and Kung's bound, met by rasterised tiles). */
static double gemm_read_bytes(const struct gpu_profile *gpu, const struct gpu_gemm *gemm)
{
    double m = (double)gemm->m, n = (double)gemm->n, k = (double)gemm->k, width = gemm->operand_bytes;
    double once = width * (m * k + k * n), streamed = 2.0 * m * n * k * width / sqrt(gpu->l2_bytes / width);
    return (double)gemm->batch * fmax(once, streamed);
}

/* Blocks beyond the first wave wait for a free SM; part of the last wave's idle time is lost. */
static double gemm_waves(const struct gpu_profile *gpu, double blocks)
{
    double waves = blocks / gpu->sm_count;
    return waves <= 1.0 ? 1.0 : waves + gpu->last_wave_share * (ceil(waves) - waves);
}

static double gemm_tile_ps(const struct gpu_profile *gpu, const struct gpu_gemm *gemm, const struct gemm_plan *plan,
                           const struct tile *tile)
{
    uint64_t down = (gemm->m + tile->m - 1) / tile->m, across = (gemm->n + tile->n - 1) / tile->n;
    double blocks = (double)gemm->batch * (double)down * (double)across;
    double step_ps = fmax(2.0 * (double)(tile->m * tile->n) * plan->flop_ps, gpu->k_step_ps);
    double best_ps = INFINITY;
    for (uint64_t splits = 1; splits <= MAX_SPLITS; splits *= 2) {
        if (splits > 1 && gemm->k < SPLIT_MIN_K * splits)
            break;
        uint64_t depth = (gemm->k + splits * K_STEP - 1) / (splits * K_STEP) * K_STEP;
        double compute_ps = gemm_waves(gpu, blocks * (double)splits) * (double)depth * step_ps;
        double time_ps = fmax(compute_ps, plan->memory_ps) + gpu->overlap_loss * fmin(compute_ps, plan->memory_ps);
        if (splits > 1)
            time_ps += gpu->split_ps + (double)splits * plan->reduce_ps;
        best_ps = fmin(best_ps, time_ps);
        if (blocks * (double)splits > 2.0 * gpu->sm_count)
            break;
    }
    return best_ps;
}

void gpu_gemm_cost(const struct gpu_profile *gpu, const struct gpu_gemm *gemm, struct cost *cost)
{
    double results = (double)gemm->batch * (double)gemm->m * (double)gemm->n, k = (double)gemm->k;
    if (results * k == 0.0 || gemm->operand_bytes == 0 || gemm->result_bytes == 0)
        bug("gemm of size 0");
    if (!gpu_supports_math(gpu, gemm->math))
        bug("gemm in %s on a GPU without it", gpu_math_name(gemm->math));
    double read_bytes = gemm_read_bytes(gpu, gemm), write_bytes = results * gemm->result_bytes;
    double rate = gpu_peak_flops_per_s(gpu, gemm->math) * gpu->matrix_share * gpu->sustained_share / gpu->sm_count;
    struct gemm_plan plan = {
        .flop_ps = 1e12 / rate,
        .memory_ps =
            1e12 / gpu->dram_bytes_per_s * (read_bytes / gpu->dram_read_share + write_bytes / gpu->dram_write_share),
        .reduce_ps = 1e12 * 8.0 * results / gpu->l2_bytes_per_s,
    };
    double best_ps = INFINITY;
    for (int i = 0; i < N_TILES; i++)
        best_ps = fmin(best_ps, gemm_tile_ps(gpu, gemm, &plan, &tiles[i]));
    struct gpu_work work = {.time_ps = (double)gpu->launch_ps + best_ps,
                            .flops = 2.0 * results * k,
                            .fj_per_flop = gpu_fj_per_flop(gpu, gemm->math),
                            .dram_bytes = read_bytes + write_bytes};
    gpu_charge(gpu, &work, cost);
}
