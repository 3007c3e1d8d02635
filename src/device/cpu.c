#include "device/cpu.h"

#include <math.h>
#include <stdio.h>

#include "base/status.h"

const char *cpu_problem(const struct cpu_profile *cpu, char *text, size_t size)
{
    const struct {
        const char *name;
        double value, least, most;
    } limits[] = {
        {"memory_bytes", (double)cpu->memory_bytes, 1, 1e18},
        {"cores", cpu->cores, 1, 1e6},
        {"clock_hz", cpu->clock_hz, 1e6, 1e12},
        {"flop_per_cycle", cpu->flop_per_cycle, 1, 1e6},
        {"vector_share", cpu->vector_share, 1e-3, 1},
        {"half_share", cpu->half_share, 1e-3, 2},
        {"softmax_flops", cpu->softmax_flops, 1, 1e4},
        {"dram_bytes_per_s", cpu->dram_bytes_per_s, 1, 1e16},
        {"dram_share", cpu->dram_share, 1e-3, 1},
        {"core_bytes_per_s", cpu->core_bytes_per_s, 1, 1e16},
        {"start_ps", (double)cpu->start_ps, 1, 1e15},
        {"dram_fj_per_byte", cpu->dram_fj_per_byte, 1e-3, 1e9},
        {"fj_per_flop", cpu->fj_per_flop, 1e-3, 1e9},
        {"idle_mw", (double)cpu->idle_mw, 0, 1e12},
        {"active_mw", (double)cpu->active_mw, (double)cpu->idle_mw, 1e12},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (!(limits[i].value >= limits[i].least && limits[i].value <= limits[i].most)) {
            snprintf(text, size, "%s: expected %g to %g, found %g", limits[i].name, limits[i].least, limits[i].most,
                     limits[i].value);
            return text;
        }
    return NULL;
}

double cpu_peak_flop_per_s(const struct cpu_profile *cpu)
{
    return cpu->cores * cpu->clock_hz * cpu->flop_per_cycle;
}

/* Time of the parts above and what they draw meanwhile. */
static void finish(const struct cpu_profile *cpu, double seconds, double flops, double bytes, struct cost *cost)
{
    *cost = (struct cost){
        .time_ps = cpu->start_ps + (uint64_t)ceil(seconds * 1e12), .flops = (uint64_t)flops, .bytes = (uint64_t)bytes};
    cost->energy_fj[ENERGY_DRAM] = (uint64_t)llround(bytes * cpu->dram_fj_per_byte);
    cost->energy_fj[ENERGY_COMPUTE] = (uint64_t)llround(flops * cpu->fj_per_flop);
    cost->energy_fj[ENERGY_STATIC] = cpu->active_mw * cost->time_ps;
}

static double memory_s(const struct cpu_profile *cpu, double bytes)
{
    return bytes / (cpu->dram_bytes_per_s * cpu->dram_share);
}

void cpu_attention_cost(const struct cpu_profile *cpu, const struct cpu_attention *attention, struct cost *cost)
{
    double heads = (double)attention->heads, kv_heads = (double)attention->kv_heads,
           width = (double)attention->head_width;
    if (!attention->pairs || !attention->longest || attention->longest > attention->pairs || heads < 1 || kv_heads < 1)
        bug("attention of %llu pairs, %llu of them in one sequence", (unsigned long long)attention->pairs,
            (unsigned long long)attention->longest);
    double rate = cpu_peak_flop_per_s(cpu) * cpu->vector_share * (attention->element_bytes < 4 ? cpu->half_share : 1);
    double flops_each = heads * (4 * width + cpu->softmax_flops),
           bytes_each = kv_heads * 2 * width * attention->element_bytes;
    double flops = (double)attention->pairs * flops_each, bytes = (double)attention->pairs * bytes_each,
           longest = (double)attention->longest / kv_heads;
    double core = fmax(longest * flops_each * cpu->cores / rate, longest * bytes_each / cpu->core_bytes_per_s);
    finish(cpu, fmax(fmax(flops / rate, memory_s(cpu, bytes)), core), flops, bytes, cost);
}

void cpu_stream_cost(const struct cpu_profile *cpu, uint64_t bytes, struct cost *cost)
{
    if (!bytes)
        bug("a transfer of nothing");
    finish(cpu, memory_s(cpu, (double)bytes), 0, (double)bytes, cost);
}
