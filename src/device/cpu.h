/* cpu.h - the physics of host processors that keep keys and values in their memory and attend to them. Pure: no
 * tensors, no MPI, no I/O.
 *
 * A roofline of cores: an op has pieces (a sequence's KV head each) of bytes to read and of arithmetic. A piece runs on
 * one core; all together take as long as the slowest of
 *     memory       bytes / (dram_bytes_per_s * dram_share)
 *     arithmetic   FLOP / (cores * clock_hz * flop_per_cycle * vector_share)
 *     one core     the longest piece at core_bytes_per_s and at a core's arithmetic
 * behind start_ps, in which the threads come together. Numbers of two bytes are widened before they are multiplied
 * (half_share of the rate). What pieces of unequal length leave idle at the end is not counted, but for the longest.
 *
 * Energy: DRAM by bytes, COMPUTE by FLOP, STATIC active_mw as long as the op lasts; waiting draws idle_mw.
 * Every constant stands once, in the catalogue, with its source.
 */
#ifndef DEVICE_CPU_H
#define DEVICE_CPU_H

#include <stddef.h>
#include <stdint.h>

#include "base/cost.h"

/* The constants of a profile. X(type, field, unit, meaning). */
#define CPU_CONSTANTS(X)                                                                                               \
    X(uint64_t, memory_bytes, "byte", "capacity of the memory")                                                        \
    X(double, cores, "1", "cores")                                                                                     \
    X(double, clock_hz, "Hz", "clock with all cores at work")                                                          \
    X(double, flop_per_cycle, "FLOP", "fp32 multiplications and additions of a core in a cycle")                       \
    X(double, vector_share, "1", "share of the peak rate that attention reaches")                                      \
    X(double, half_share, "1", "rate with numbers of two bytes as a share of that with fp32")                          \
    X(double, softmax_flops, "FLOP", "work on one score: exponential, maximum, sum, scaling")                          \
    X(double, dram_bytes_per_s, "byte/s", "bandwidth of the memory by specification")                                  \
    X(double, dram_share, "1", "share of it that reading reaches")                                                     \
    X(double, core_bytes_per_s, "byte/s", "what one core alone can read")                                              \
    X(uint64_t, start_ps, "ps", "start and end of an op on all threads")                                               \
    X(double, dram_fj_per_byte, "fJ/byte", "reading or writing memory")                                                \
    X(double, fj_per_flop, "fJ/FLOP", "arithmetic, registers and caches")                                              \
    X(uint64_t, idle_mw, "mW", "power without work")                                                                   \
    X(uint64_t, active_mw, "mW", "power at work without arithmetic and traffic")

/* A profile is plain data: copy it and change a constant to ask "what if". */
struct cpu_profile {
#define X(type, field, unit, meaning) type field;
    CPU_CONSTANTS(X)
#undef X
};

/* Local. NULL, or what is wrong with a profile ("cores: expected ..., found ..."), written into `text`. */
const char *cpu_problem(const struct cpu_profile *cpu, char *text, size_t size);

/* Local. fp32 FLOP/s of all cores. */
double cpu_peak_flop_per_s(const struct cpu_profile *cpu);

/* Attention of query heads to keys and values in memory. pairs: (query row, token) pairs of one query head, over all
 * sequences; longest: those of the longest sequence. Each pair reads the key and the value of every KV head once. */
struct cpu_attention {
    uint64_t pairs, longest;
    int64_t heads, kv_heads, head_width;
    int element_bytes; /* of keys and values */
};

/* Local. Time and energy of it: FLOP = pairs * heads * (4 * head_width + softmax_flops). Nothing to do is a bug. */
void cpu_attention_cost(const struct cpu_profile *cpu, const struct cpu_attention *attention, struct cost *cost);

/* Local. Reading or writing `bytes` on all cores: keys and values that come in or go out. 0 bytes is a bug. */
void cpu_stream_cost(const struct cpu_profile *cpu, uint64_t bytes, struct cost *cost);

#endif
