/* systolic_replay.h - a product on a systolic array with double-buffered memories, cycle by cycle.
 *
 * The memory mode `scalesim`: array, buffers, prefetch and stalls behave as in SCALE-Sim v3 (commit 1d62b68), its
 * peculiarities included, so that its numbers are met exactly; docs/systolic.md section 3 has the rules. Pure: integers
 * only, no state outlives a call. Cost: O(cycles of the array that never waits + moves of the buffers' windows).
 */
#ifndef DEVICE_SYSTOLIC_REPLAY_H
#define DEVICE_SYSTOLIC_REPLAY_H

#include "device/systolic.h"

/* Sizes in words (even), rates in words per cycle. */
struct systolic_buffers {
    uint64_t ifmap_words, filter_words, ofmap_words;
    uint64_t ifmap_rate, filter_rate, ofmap_rate;
    int unlimited_reads; /* reads never stall and are counted without prefetch; results leave at one word per column */
};

struct systolic_replay {
    uint64_t total_cycles;   /* last cycle of the array, counted from 0; stalls included */
    int64_t stall_cycles;    /* total - what the array alone takes */
    uint64_t overall_cycles; /* from the first fill of the buffers to the last result in memory; 0 with unlimited_reads
                              */
    uint64_t ifmap_dram_words, filter_dram_words, ofmap_dram_words;
};

/* Local. Sizes and rates of 0 are a bug. */
void systolic_replay(const struct systolic_product *product, const struct systolic_buffers *buffers,
                     struct systolic_replay *replay);

#endif
