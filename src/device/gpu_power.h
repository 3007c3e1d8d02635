/* gpu_power.h - what a kernel's arithmetic and traffic cost in energy, and how long the power limit makes them last.
 *
 * Shared by the GPU cost functions; not for other rooms.
 */
#ifndef DEVICE_GPU_POWER_H
#define DEVICE_GPU_POWER_H

#include "device/gpu.h"

/* The physical work of one kernel. */
struct gpu_work {
    double time_ps; /* without a power limit */
    double flops;
    double fj_per_flop;
    double dram_bytes;
    double l2_bytes; /* served by the L2 cache alone */
};

/* Local. Fills *cost: time stretched until base power + work / time <= the power limit; static energy = base power x
 * time. */
void gpu_charge(const struct gpu_profile *gpu, const struct gpu_work *work, struct cost *cost);

/* Local. Energy of one operation of this arithmetic. */
double gpu_fj_per_flop(const struct gpu_profile *gpu, enum gpu_math math);

#endif
