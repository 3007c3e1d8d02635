/* systolic.h - the physics of a systolic array with its buffers and vector unit. Pure: no tensors, no MPI, no I/O.
 *
 * A product A[M,K] B[K,N] = O[M,N] is cut into folds as large as the array; A is read from the buffer `ifmap`, B from
 * `filter`, O is written to `ofmap`. Three dataflows: output (OS), weight (WS) or input stationary (IS). Two models of
 * the memory: `ideal` (filling, then the longer of arithmetic and traffic, then emptying; traffic with physical reuse)
 * and `scalesim` (systolic_replay.h, exact). Everything that is no product runs on the vector unit. Energy is counts of
 * actions times energy of an action, plus static power times time. docs/systolic.md has the formulas.
 *
 * Every constant of a profile stands once, in the catalogue (device/catalogue.h), with its source.
 */
#ifndef DEVICE_SYSTOLIC_H
#define DEVICE_SYSTOLIC_H

#include <stdint.h>

#include "base/arena.h"
#include "base/cost.h"

/* X(enum, name) */
#define SYSTOLIC_DATAFLOWS(X)                                                                                          \
    X(SYSTOLIC_OS, "os")                                                                                               \
    X(SYSTOLIC_WS, "ws")                                                                                               \
    X(SYSTOLIC_IS, "is")

enum systolic_dataflow {
#define X(dataflow, name) dataflow,
    SYSTOLIC_DATAFLOWS(X)
#undef X
        N_SYSTOLIC_DATAFLOWS
};

#define SYSTOLIC_MEMORIES(X)                                                                                           \
    X(SYSTOLIC_IDEAL, "ideal")                                                                                         \
    X(SYSTOLIC_SCALESIM, "scalesim")

enum systolic_memory {
#define X(memory, name) memory,
    SYSTOLIC_MEMORIES(X)
#undef X
        N_SYSTOLIC_MEMORIES
};

/* Arithmetic of the array: operands; sums are int32 for int8, fp32 for the others. */
#define SYSTOLIC_MATHS(X)                                                                                              \
    X(SYSTOLIC_INT8, "int8")                                                                                           \
    X(SYSTOLIC_BF16, "bf16")                                                                                           \
    X(SYSTOLIC_FP16, "fp16")                                                                                           \
    X(SYSTOLIC_FP32, "fp32")

enum systolic_math {
#define X(math, name) math,
    SYSTOLIC_MATHS(X)
#undef X
        N_SYSTOLIC_MATHS
};

/* The constants of a profile. X(type, field, unit, meaning). An energy of 0 per MAC: no such unit. */
#define SYSTOLIC_CONSTANTS(X)                                                                                          \
    X(uint64_t, memory_bytes, "byte", "capacity of device memory")                                                     \
    X(uint64_t, arrays, "1", "equal arrays that share the folds of a product")                                         \
    X(uint64_t, rows, "1", "rows of an array")                                                                         \
    X(uint64_t, cols, "1", "columns of an array")                                                                      \
    X(uint64_t, dataflow, "1", "usual dataflow: 0 os, 1 ws, 2 is")                                                     \
    X(double, clock_hz, "Hz", "clock; one multiply-add per element and cycle")                                         \
    X(uint64_t, ifmap_kib, "KiB", "buffer of A, both halves")                                                          \
    X(uint64_t, filter_kib, "KiB", "buffer of B, both halves")                                                         \
    X(uint64_t, ofmap_kib, "KiB", "buffer of the results, both halves")                                                \
    X(double, dram_bytes_per_s, "byte/s", "bandwidth of device memory")                                                \
    X(uint64_t, vector_lanes, "1", "lanes of the vector unit")                                                         \
    X(uint64_t, vector_ops, "1", "operations of a lane in a cycle")                                                    \
    X(uint64_t, vector_fill_cycles, "cycle", "pipeline of the vector unit, once per pass")                             \
    X(double, int8_fj_per_mac, "fJ", "multiply-add of int8 into int32")                                                \
    X(double, bf16_fj_per_mac, "fJ", "multiply-add of bf16 into fp32")                                                 \
    X(double, fp16_fj_per_mac, "fJ", "multiply-add of fp16 into fp32")                                                 \
    X(double, fp32_fj_per_mac, "fJ", "multiply-add of fp32")                                                           \
    X(double, vector_fj_per_op, "fJ", "operation of a lane, fp32")                                                     \
    X(double, hop_fj_per_byte, "fJ/byte", "a byte from one element's register to the next")                            \
    X(double, sram_fj_per_byte, "fJ/byte", "a byte in or out of an SRAM of 8 KiB")                                     \
    X(double, sram_exponent, "1", "energy of a byte grows with this power of the SRAM's size")                         \
    X(double, sram_bank_bytes, "byte", "a larger buffer is banks of this size")                                        \
    X(double, dram_fj_per_byte, "fJ/byte", "a byte in or out of device memory")                                        \
    X(uint64_t, static_power_mw, "mW", "power at full clock without work")                                             \
    X(uint64_t, idle_power_mw, "mW", "power with nothing to do")

struct systolic_profile {
#define X(type, field, unit, meaning) type field;
    SYSTOLIC_CONSTANTS(X)
#undef X
};

/* One product on one array. */
struct systolic_product {
    uint64_t m, n, k, rows, cols;
    enum systolic_dataflow dataflow;
};

/* Counts of the array alone, exact for every dataflow. Words of an operand, not bytes. */
struct systolic_counts {
    uint64_t row_folds, col_folds, fold_cycles; /* folds = row_folds * col_folds, line_cycles = folds * fold_cycles */
    uint64_t line_cycles;
    uint64_t ifmap_reads, filter_reads; /* from the buffers */
    uint64_t ofmap_writes;              /* to the buffer: partial sums of each row fold with WS and IS */
};

struct systolic_memo;

/* An array in use: a profile and how it is run. */
struct systolic {
    struct systolic_profile profile;
    enum systolic_dataflow dataflow;
    enum systolic_memory memory;
    int overlap_weights; /* the next stationary tile is loaded while the last one works (OS: folds back to back) */
    int own_ports; /* ideal: each buffer has a third of the bandwidth for itself, as SCALE-Sim's have; else they share
                      it */
    struct systolic_memo *memo; /* replays by shape, or NULL: each is run anew */
};

/* `batch` products (m,k) x (k,n). What stays on chip costs no traffic to memory (ideal only: a bug with scalesim). */
struct systolic_gemm {
    uint64_t batch, m, n, k;
    enum systolic_math math;
    unsigned operand_bytes, result_bytes;
    int a_on_chip, b_on_chip, result_on_chip;
};

/* One pass of the vector unit: `ops` operations of a lane; bytes from and to device memory, and of the buffers alone.
 */
struct systolic_pass {
    uint64_t ops, read_bytes, write_bytes, chip_bytes;
};

/* Local. Names. */
const char *systolic_dataflow_name(enum systolic_dataflow dataflow);
const char *systolic_memory_name(enum systolic_memory memory);
const char *systolic_math_name(enum systolic_math math);

/* Local. Energy of a multiply-add in fJ; 0: the array cannot do it. */
double systolic_fj_per_mac(const struct systolic_profile *profile, enum systolic_math math);

/* Local. Exact for SCALE-Sim v3 but for its OS writes, which count folds * (rows + cols) too many. */
void systolic_count(const struct systolic_product *product, struct systolic_counts *counts);

/* Local. A memory of replays, in the arena. */
struct systolic_memo *systolic_memo_new(struct arena *arena);

/* Local. Words per cycle of each buffer in mode scalesim: a third of the memory's bandwidth; 0 when that is less than
 * one word of `word_bytes`. */
uint64_t systolic_buffer_rate(const struct systolic_profile *profile, unsigned word_bytes);

/* Local. Time and energy of a product. A size of 0, or arithmetic that the array does not have, is a bug; so is
 * scalesim with more than one array or with a rate of 0. */
void systolic_gemm_cost(const struct systolic *array, const struct systolic_gemm *gemm, struct cost *cost);

/* Local. Time and energy of a pass of the vector unit; one without work is a bug. */
void systolic_pass_cost(const struct systolic *array, const struct systolic_pass *pass, struct cost *cost);

#endif
