#include "device/catalogue_list.h"

/* Each list X(field, value, evidence, source) makes both a profile and its printed table. Lists are split where
 * profiles share: the technology, a memory, a chip. Energies between the two columns of tables (45 nm: Horowitz, ISSCC
 * 2014; 7 nm: Jouppi, ISCA 2021) are interpolated in the logarithm of the feature size, never extrapolated. */

#define ENERGY_7NM(X)                                                                                                  \
    X(int8_fj_per_mac, 100, RECALLED, "ISCA 2021 table 2: int8 multiply 0.07 pJ, int32 add 0.03 pJ")                   \
    X(bf16_fj_per_mac, 590, RECALLED, "ISCA 2021 table 2: bf16 multiply 0.21 pJ, fp32 add 0.38 pJ")                    \
    X(vector_fj_per_op, 845, RECALLED, "ISCA 2021 table 2: mean of fp32 multiply 1.31 and add 0.38 pJ")                \
    X(hop_fj_per_byte, 67.5, SOURCE, "AttAcc artifact, a register")                                                    \
    X(sram_fj_per_byte, 940, RECALLED, "ISCA 2021 table 2: 8 KB, 7.5 pJ for 8 bytes")                                  \
    X(sram_exponent, 0.128, DERIVED, "log-log fit of ISCA 2021 table 2, 8 KB to 1 MB, within 6 %")                     \
    X(sram_bank_bytes, 1048576, DERIVED, "largest SRAM of ISCA 2021 table 2")

#define WIDE_7NM(X)                                                                                                    \
    X(fp16_fj_per_mac, 720, RECALLED, "ISCA 2021 table 2: fp16 multiply 0.34 pJ, fp32 add 0.38 pJ")                    \
    X(fp32_fj_per_mac, 1690, RECALLED, "ISCA 2021 table 2: fp32 multiply 1.31 pJ, add 0.38 pJ")

#define ENERGY_45NM(X)                                                                                                 \
    X(int8_fj_per_mac, 300, RECALLED, "Horowitz 2014: int8 multiply 0.2 pJ, int32 add 0.1 pJ")                         \
    X(bf16_fj_per_mac, 0, SOURCE, "no such figure, no such unit")                                                      \
    X(fp16_fj_per_mac, 2000, RECALLED, "Horowitz 2014: fp16 multiply 1.1 pJ, fp32 add 0.9 pJ")                         \
    X(fp32_fj_per_mac, 4600, SOURCE, "Horowitz 2014: fp32 multiply 3.7 pJ, add 0.9 pJ")                                \
    X(vector_fj_per_op, 2300, DERIVED, "mean of fp32 multiply and add, Horowitz 2014")                                 \
    X(hop_fj_per_byte, 202.5, DERIVED, "7 nm times the ratio of the int8 MACs")                                        \
    X(sram_fj_per_byte, 1250, SOURCE, "Horowitz 2014: 8 KB, 10 pJ for 8 bytes")                                        \
    X(sram_exponent, 0.475, DERIVED, "log-log fit of Horowitz 2014, 8 KB to 1 MB, within 3 %")                         \
    X(sram_bank_bytes, 1048576, DERIVED, "largest SRAM of Horowitz 2014")

#define GENERIC(X)                                                                                                     \
    X(arrays, 1, DERIVED, "one array: SCALE-Sim's machine")                                                            \
    X(dataflow, 1, DERIVED, "weight stationary, as TPUs")                                                              \
    X(vector_ops, 1, DERIVED, "one operation a cycle")                                                                 \
    X(vector_fill_cycles, 16, DERIVED, "pipeline of load, four fp32 steps of 3 cycles, store")

#define ARRAY_128(X)                                                                                                   \
    X(rows, 128, DERIVED, "as an array of TPUv4")                                                                      \
    X(cols, 128, DERIVED, "as an array of TPUv4")                                                                      \
    X(ifmap_kib, 4096, DERIVED, "4 MiB: a TPUv4i array's share of VMEM, all told 12 of 16 MiB")                        \
    X(filter_kib, 4096, DERIVED, "as ifmap")                                                                           \
    X(ofmap_kib, 4096, DERIVED, "as ifmap, TPUv1's accumulators")                                                      \
    X(vector_lanes, 512, DERIVED, "TPUv4's 2048 lanes of a core by its four arrays, rounded")

#define SYSTOLIC_128_7NM(X)                                                                                            \
    X(clock_hz, 1000e6, DERIVED, "TPUv4's 1050 MHz, rounded")                                                          \
    X(memory_bytes, 8589934592, RECALLED, "one HBM2 stack, 8 GiB")                                                     \
    X(dram_bytes_per_s, 256e9, RECALLED, "one HBM2 stack, 2 Gbit/s per pin")                                           \
    X(dram_fj_per_byte, 43750, RECALLED, "ISCA 2021 table 2: HBM2, 250 to 450 pJ for 8 bytes")                         \
    X(static_power_mw, 13750, DERIVED, "a quarter of TPUv4i's idle power: one of four arrays")                         \
    X(idle_power_mw, 13750, DERIVED, "as static power")

#define SYSTOLIC_32_7NM(X)                                                                                             \
    X(rows, 32, DERIVED, "a sixteenth of systolic-128-7nm")                                                            \
    X(cols, 32, DERIVED, "a sixteenth of systolic-128-7nm")                                                            \
    X(ifmap_kib, 256, DERIVED, "a sixteenth of systolic-128-7nm")                                                      \
    X(filter_kib, 256, DERIVED, "a sixteenth of systolic-128-7nm")                                                     \
    X(ofmap_kib, 256, DERIVED, "a sixteenth of systolic-128-7nm")                                                      \
    X(vector_lanes, 32, DERIVED, "a sixteenth of systolic-128-7nm")                                                    \
    X(clock_hz, 1000e6, DERIVED, "as systolic-128-7nm")                                                                \
    X(memory_bytes, 4294967296, DERIVED, "4 GiB on one DDR4 channel")                                                  \
    X(dram_bytes_per_s, 25.6e9, RECALLED, "one channel of DDR4-3200")                                                  \
    X(dram_fj_per_byte, 162500, RECALLED, "ISCA 2021 table 2: DDR4, 1300 pJ for 8 bytes")                              \
    X(static_power_mw, 860, DERIVED, "a sixteenth of systolic-128-7nm")                                                \
    X(idle_power_mw, 860, DERIVED, "as static power")

#define SYSTOLIC_128_45NM(X)                                                                                           \
    X(clock_hz, 500e6, DERIVED, "TPUv1's 700 MHz (28 nm), by feature size, rounded")                                   \
    X(memory_bytes, 8589934592, RECALLED, "as TPUv1, 8 GiB")                                                           \
    X(dram_bytes_per_s, 34e9, RECALLED, "as TPUv1, two channels of DDR3")                                              \
    X(dram_fj_per_byte, 162500, RECALLED, "Horowitz 2014: DRAM, 1300 pJ for 8 bytes")                                  \
    X(static_power_mw, 7000, DERIVED, "TPUv1's idle power by number of elements")                                      \
    X(idle_power_mw, 7000, DERIVED, "as static power")

#define TPUV1(X)                                                                                                       \
    X(memory_bytes, 8589934592, RECALLED, "Jouppi, ISCA 2017, 8 GiB of weight memory")                                 \
    X(arrays, 1, RECALLED, "Jouppi, ISCA 2017")                                                                        \
    X(rows, 256, RECALLED, "Jouppi, ISCA 2017")                                                                        \
    X(cols, 256, RECALLED, "Jouppi, ISCA 2017")                                                                        \
    X(dataflow, 1, RECALLED, "Jouppi, ISCA 2017: weight stationary")                                                   \
    X(clock_hz, 700e6, RECALLED, "Jouppi, ISCA 2017; 2*256*256*0.7e9 = 91.8 TOPS of 92")                               \
    X(ifmap_kib, 24576, RECALLED, "Jouppi, ISCA 2017: unified buffer, 24 MiB")                                         \
    X(filter_kib, 256, RECALLED, "Jouppi, ISCA 2017: weight FIFO of four tiles of 64 KiB")                             \
    X(ofmap_kib, 4096, RECALLED, "Jouppi, ISCA 2017: accumulators, 4 MiB")                                             \
    X(dram_bytes_per_s, 34e9, RECALLED, "Jouppi, ISCA 2017: DDR3")                                                     \
    X(vector_lanes, 256, DERIVED, "activation unit as wide as the array")                                              \
    X(vector_ops, 1, DERIVED, "one operation a cycle")                                                                 \
    X(vector_fill_cycles, 16, DERIVED, "as the generic arrays")                                                        \
    X(int8_fj_per_mac, 227, DERIVED, "28 nm between 45 nm (300) and 7 nm (100)")                                       \
    X(bf16_fj_per_mac, 0, RECALLED, "Jouppi, ISCA 2017: no such unit")                                                 \
    X(fp16_fj_per_mac, 0, RECALLED, "Jouppi, ISCA 2017: no such unit")                                                 \
    X(fp32_fj_per_mac, 0, RECALLED, "Jouppi, ISCA 2017: no such unit")                                                 \
    X(vector_fj_per_op, 1782, DERIVED, "28 nm between 45 nm (2300) and 7 nm (845)")                                    \
    X(hop_fj_per_byte, 153, DERIVED, "28 nm between 45 nm (202.5) and 7 nm (67.5)")                                    \
    X(sram_fj_per_byte, 1162, DERIVED, "28 nm between 45 nm (1250) and 7 nm (940)")                                    \
    X(sram_exponent, 0.386, DERIVED, "28 nm between 45 nm (0.475) and 7 nm (0.128), linear")                           \
    X(sram_bank_bytes, 1048576, DERIVED, "as 45 nm and 7 nm")                                                          \
    X(dram_fj_per_byte, 162500, DERIVED, "as DDR4")                                                                    \
    X(static_power_mw, 28000, RECALLED, "Jouppi, ISCA 2017: idle 28 W, busy 40 W")                                     \
    X(idle_power_mw, 28000, RECALLED, "Jouppi, ISCA 2017: idle 28 W")

#define TPU_ARRAYS(X)                                                                                                  \
    X(rows, 128, SOURCE, "LLMCompass, TPU description")                                                                \
    X(cols, 128, SOURCE, "LLMCompass, TPU description")                                                                \
    X(dataflow, 1, RECALLED, "weight stationary, as TPUv1")                                                            \
    X(vector_ops, 2, RECALLED, "two ALUs per lane")                                                                    \
    X(vector_fill_cycles, 16, DERIVED, "as the generic arrays")                                                        \
    X(fp16_fj_per_mac, 0, RECALLED, "arrays multiply bf16 only")                                                       \
    X(fp32_fj_per_mac, 0, RECALLED, "arrays multiply bf16 only")

#define TPUV3(X)                                                                                                       \
    X(memory_bytes, 34359738368, RECALLED, "TPUv3, 32 GiB")                                                            \
    X(arrays, 4, RECALLED, "TPUv3: two cores of two arrays")                                                           \
    X(clock_hz, 940e6, SOURCE, "LLMCompass; 4*2*128*128*0.94e9 = 123.2 TFLOP/s of 123")                                \
    X(ifmap_kib, 16384, DERIVED, "half of the 32 MiB on chip")                                                         \
    X(filter_kib, 8192, DERIVED, "a quarter of the 32 MiB on chip")                                                    \
    X(ofmap_kib, 8192, DERIVED, "a quarter of the 32 MiB on chip")                                                     \
    X(dram_bytes_per_s, 900e9, RECALLED, "TPUv3, HBM2")                                                                \
    X(vector_lanes, 2048, RECALLED, "two cores of 128 x 8 lanes")                                                      \
    X(int8_fj_per_mac, 0, RECALLED, "arrays multiply bf16 only")                                                       \
    X(bf16_fj_per_mac, 929, DERIVED, "16 nm between 45 nm (fp16 2000 by the bf16/fp16 ratio of 7 nm) and 7 nm (590)")  \
    X(vector_fj_per_op, 1319, DERIVED, "16 nm between 45 nm (2300) and 7 nm (845)")                                    \
    X(hop_fj_per_byte, 110, DERIVED, "16 nm between 45 nm (202.5) and 7 nm (67.5)")                                    \
    X(sram_fj_per_byte, 1067, DERIVED, "16 nm between 45 nm (1250) and 7 nm (940)")                                    \
    X(sram_exponent, 0.282, DERIVED, "16 nm between 45 nm (0.475) and 7 nm (0.128), linear")                           \
    X(sram_bank_bytes, 1048576, DERIVED, "as 45 nm and 7 nm")                                                          \
    X(dram_fj_per_byte, 43750, RECALLED, "ISCA 2021 table 2: HBM2, 250 to 450 pJ for 8 bytes")                         \
    X(static_power_mw, 123000, RECALLED, "Jouppi, ISCA 2023: idle 123 W")                                              \
    X(idle_power_mw, 123000, RECALLED, "Jouppi, ISCA 2023: idle 123 W")

#define TPUV4I(X)                                                                                                      \
    X(memory_bytes, 8589934592, RECALLED, "Jouppi, ISCA 2021, 8 GiB")                                                  \
    X(arrays, 4, SOURCE, "LLMCompass, TPU description")                                                                \
    X(clock_hz, 1050e6, RECALLED, "Jouppi, ISCA 2021; 4*2*128*128*1.05e9 = 137.6 TFLOP/s of 138")                      \
    X(ifmap_kib, 73728, DERIVED, "half of the 144 MB on chip")                                                         \
    X(filter_kib, 36864, DERIVED, "a quarter of the 144 MB on chip")                                                   \
    X(ofmap_kib, 36864, DERIVED, "a quarter of the 144 MB on chip")                                                    \
    X(dram_bytes_per_s, 614e9, RECALLED, "Jouppi, ISCA 2021")                                                          \
    X(vector_lanes, 1024, RECALLED, "one core of 128 x 8 lanes")                                                       \
    X(dram_fj_per_byte, 43750, RECALLED, "ISCA 2021 table 2: HBM2, 250 to 450 pJ for 8 bytes")                         \
    X(static_power_mw, 55000, RECALLED, "Jouppi, ISCA 2021: idle 55 W")                                                \
    X(idle_power_mw, 55000, RECALLED, "Jouppi, ISCA 2021: idle 55 W")

#define TPUV4(X)                                                                                                       \
    X(memory_bytes, 34359738368, RECALLED, "TPUv4, 32 GiB")                                                            \
    X(arrays, 8, SOURCE, "LLMCompass, TPU description")                                                                \
    X(clock_hz, 1050e6, RECALLED, "8*2*128*128*1.05e9 = 275.3 TFLOP/s of 275")                                         \
    X(ifmap_kib, 81920, DERIVED, "half of 160 MiB on chip (recalled: 128 shared and 2 x 16)")                          \
    X(filter_kib, 40960, DERIVED, "a quarter of 160 MiB on chip")                                                      \
    X(ofmap_kib, 40960, DERIVED, "a quarter of 160 MiB on chip")                                                       \
    X(dram_bytes_per_s, 1200e9, SOURCE, "LLMCompass, TPU description")                                                 \
    X(vector_lanes, 2048, RECALLED, "two cores of 128 x 8 lanes")                                                      \
    X(dram_fj_per_byte, 43750, RECALLED, "ISCA 2021 table 2: HBM2, 250 to 450 pJ for 8 bytes")                         \
    X(static_power_mw, 90000, RECALLED, "Jouppi, ISCA 2023: idle 90 W, at most 192 W")                                 \
    X(idle_power_mw, 90000, RECALLED, "Jouppi, ISCA 2023: idle 90 W")

enum systolic_field {
#define X(type, field, unit, meaning) FIELD_##field,
    SYSTOLIC_CONSTANTS(X)
#undef X
};

static const struct constant_field systolic_fields[] = {
#define X(type, field, unit, meaning) {#field, unit, meaning},
    SYSTOLIC_CONSTANTS(X)
#undef X
};

#define SET(field, value, evidence, source) .field = (value),
#define ROW(field, value, evidence, source) {FIELD_##field, (double)(value), EVIDENCE_##evidence, source},

#define SYSTOLIC_128_7NM_ALL(X) GENERIC(X) ARRAY_128(X) ENERGY_7NM(X) WIDE_7NM(X) SYSTOLIC_128_7NM(X)
#define SYSTOLIC_32_7NM_ALL(X) GENERIC(X) ENERGY_7NM(X) WIDE_7NM(X) SYSTOLIC_32_7NM(X)
#define SYSTOLIC_128_45NM_ALL(X) GENERIC(X) ARRAY_128(X) ENERGY_45NM(X) SYSTOLIC_128_45NM(X)
#define TPUV3_ALL(X) TPU_ARRAYS(X) TPUV3(X)
#define TPUV4I_ALL(X) TPU_ARRAYS(X) ENERGY_7NM(X) TPUV4I(X)
#define TPUV4_ALL(X) TPU_ARRAYS(X) ENERGY_7NM(X) TPUV4(X)

static const struct constant array_128_7nm_rows[] = {SYSTOLIC_128_7NM_ALL(ROW)};
static const struct constant array_32_7nm_rows[] = {SYSTOLIC_32_7NM_ALL(ROW)};
static const struct constant array_128_45nm_rows[] = {SYSTOLIC_128_45NM_ALL(ROW)};
static const struct constant tpuv1_rows[] = {TPUV1(ROW)};
static const struct constant tpuv3_rows[] = {TPUV3_ALL(ROW)};
static const struct constant tpuv4i_rows[] = {TPUV4I_ALL(ROW)};
static const struct constant tpuv4_rows[] = {TPUV4_ALL(ROW)};

#define ENTRY(name, title, rows)                                                                                       \
    {                                                                                                                  \
        name, "systolic", title, systolic_fields, rows, sizeof(rows) / sizeof(rows)[0]                                 \
    }

static const struct systolic_entry systolic_entries[] = {
    {ENTRY("systolic-128-7nm", "array of 128 x 128, 7 nm, one HBM2 stack", array_128_7nm_rows),
     {SYSTOLIC_128_7NM_ALL(SET)}},
    {ENTRY("systolic-32-7nm", "array of 32 x 32, 7 nm, one DDR4 channel", array_32_7nm_rows),
     {SYSTOLIC_32_7NM_ALL(SET)}},
    {ENTRY("systolic-128-45nm", "array of 128 x 128, 45 nm, DDR3", array_128_45nm_rows), {SYSTOLIC_128_45NM_ALL(SET)}},
    {ENTRY("tpuv1", "Google TPUv1, 28 nm, int8", tpuv1_rows), {TPUV1(SET)}},
    {ENTRY("tpuv3", "Google TPUv3, 16 nm, bf16", tpuv3_rows), {TPUV3_ALL(SET)}},
    {ENTRY("tpuv4i", "Google TPUv4i, 7 nm, bf16 and int8", tpuv4i_rows), {TPUV4I_ALL(SET)}},
    {ENTRY("tpuv4", "Google TPUv4, 7 nm, bf16 and int8", tpuv4_rows), {TPUV4_ALL(SET)}},
};

const struct systolic_entry *systolic_entry(size_t i)
{
    return i < sizeof systolic_entries / sizeof systolic_entries[0] ? &systolic_entries[i] : NULL;
}
