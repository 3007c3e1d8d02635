/* systolic_energy.h - cycles and counts of actions become a cost; private to the systolic physics. */
#ifndef DEVICE_SYSTOLIC_ENERGY_H
#define DEVICE_SYSTOLIC_ENERGY_H

#include "device/systolic.h"

struct systolic_actions {
    double cycles;
    double macs, mac_fj, vector_ops;
    double hop_bytes;
    double ifmap_bytes, filter_bytes, ofmap_bytes; /* in and out of the buffers */
    double dram_bytes;
};

/* Local. Fills *cost; flops counts two per MAC and one per operation of a lane. */
void systolic_charge(const struct systolic_profile *profile, const struct systolic_actions *actions, struct cost *cost);

/* Local. Cycles that memory needs for so many bytes, not rounded. */
double systolic_memory_cycles(const struct systolic_profile *profile, double bytes);

#endif
