#include "device/catalogue_list.h"

/* Each list X(field, value, evidence, source) makes both a profile and its printed table. */

/* A core of an EPYC 7742 and what it runs, whatever the number of cores. */
#define ROME(X)                                                                                                        \
    X(clock_hz, 2.25e9, RECALLED, "EPYC 7742: base clock")                                                             \
    X(flop_per_cycle, 32, RECALLED, "Zen 2: two 256-bit fused multiply-adds a cycle")                                  \
    X(core_bytes_per_s, 20e9, RECALLED, "one Zen 2 core reads about 20 GB/s")

#define CPU_WORK(X)                                                                                                    \
    X(vector_share, 0.8, SOURCE, "AttAcc artifact: the share it takes for GPU and CPU")                                \
    X(half_share, 0.5, RECALLED, "fp16 and bf16 are widened first, about one instruction more for each product")       \
    X(softmax_flops, 20, RECALLED, "exponential by a polynomial, maximum, sum, scaling")                               \
    X(dram_share, 0.85, SOURCE, "AttAcc artifact; STREAM on Rome is near it")                                          \
    X(start_ps, 10000000, RECALLED, "fork and join of the threads of a socket, about 10 us")                           \
    X(dram_fj_per_byte, 150e3, RECALLED, "DDR4 with controller, near 19 pJ/bit")                                       \
    X(fj_per_flop, 20000, DERIVED, "(225 W of a socket - its active power) / 4.6 TFLOP/s, rounded")

#define HOST(X)                                                                                                        \
    X(memory_bytes, 2199023255552, SOURCE, "AttAcc artifact, and a DGX A100 640GB: 2 TiB")                             \
    X(cores, 128, RECALLED, "DGX A100: two EPYC 7742 of 64 cores")                                                     \
    X(dram_bytes_per_s, 409.6e9, RECALLED, "two sockets of eight channels DDR4-3200")                                  \
    X(idle_mw, 200000, RECALLED, "two sockets and 32 memory modules at rest")                                          \
    X(active_mw, 270000, RECALLED, "two sockets at full clock without traffic, about 135 W each")

#define HOST_SHARE(X)                                                                                                  \
    X(memory_bytes, 274877906944, DERIVED, "an eighth of dgx-host")                                                    \
    X(cores, 16, DERIVED, "an eighth of dgx-host")                                                                     \
    X(dram_bytes_per_s, 51.2e9, DERIVED, "an eighth of dgx-host")                                                      \
    X(idle_mw, 25000, DERIVED, "an eighth of dgx-host")                                                                \
    X(active_mw, 33750, DERIVED, "an eighth of dgx-host")

#define ATTACC_CPU(X)                                                                                                  \
    X(memory_bytes, 274877906944, SOURCE, "AttAcc artifact: 2 TiB for eight GPUs")                                     \
    X(cores, 64, SOURCE, "AttAcc artifact")                                                                            \
    X(clock_hz, 2.25e9, RECALLED, "EPYC 7742: base clock")                                                             \
    X(flop_per_cycle, 27.777777777777779, DERIVED, "AttAcc artifact: 4e12 FLOP/s on 64 cores")                         \
    X(core_bytes_per_s, 20e9, RECALLED, "one Zen 2 core reads about 20 GB/s")                                          \
    X(dram_bytes_per_s, 200e9, SOURCE, "AttAcc artifact: at each GPU, as if there were eight sockets")                 \
    X(idle_mw, 100000, DERIVED, "half of dgx-host")                                                                    \
    X(active_mw, 135000, DERIVED, "half of dgx-host")

enum cpu_field {
#define X(type, field, unit, meaning) FIELD_##field,
    CPU_CONSTANTS(X)
#undef X
};

static const struct constant_field cpu_fields[] = {
#define X(type, field, unit, meaning) {#field, unit, meaning},
    CPU_CONSTANTS(X)
#undef X
};

#define SET(field, value, evidence, source) .field = (value),
#define ROW(field, value, evidence, source) {FIELD_##field, (value), EVIDENCE_##evidence, source},

static const struct constant host_rows[] = {HOST(ROW) ROME(ROW) CPU_WORK(ROW)};
static const struct constant share_rows[] = {HOST_SHARE(ROW) ROME(ROW) CPU_WORK(ROW)};
static const struct constant attacc_rows[] = {ATTACC_CPU(ROW) CPU_WORK(ROW)};

#define ENTRY(name, title, rows)                                                                                       \
    {                                                                                                                  \
        name, "cpu", title, cpu_fields, rows, sizeof(rows) / sizeof(rows)[0]                                           \
    }

static const struct cpu_entry cpu_entries[] = {
    {ENTRY("dgx-host", "both processors of a DGX A100 and their memory", host_rows),
     {HOST(SET) ROME(SET) CPU_WORK(SET)}},
    {ENTRY("dgx-host-share", "one GPU's eighth of dgx-host", share_rows), {HOST_SHARE(SET) ROME(SET) CPU_WORK(SET)}},
    {ENTRY("attacc-cpu", "AttAcc's CPU: a whole processor at each GPU", attacc_rows), {ATTACC_CPU(SET) CPU_WORK(SET)}},
};

const struct cpu_entry *cpu_entry(size_t i)
{
    return i < sizeof cpu_entries / sizeof cpu_entries[0] ? &cpu_entries[i] : NULL;
}
