#include "device/systolic.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "device/systolic_energy.h"
#include "device/systolic_stream.h"

static const double small_sram_bytes = 8192;

const char *systolic_dataflow_name(enum systolic_dataflow dataflow)
{
    static const char *const names[] = {
#define X(dataflow, name) name,
        SYSTOLIC_DATAFLOWS(X)
#undef X
    };
    if ((unsigned)dataflow >= N_SYSTOLIC_DATAFLOWS)
        bug("dataflow %d does not exist", (int)dataflow);
    return names[dataflow];
}

const char *systolic_memory_name(enum systolic_memory memory)
{
    static const char *const names[] = {
#define X(memory, name) name,
        SYSTOLIC_MEMORIES(X)
#undef X
    };
    if ((unsigned)memory >= N_SYSTOLIC_MEMORIES)
        bug("memory mode %d does not exist", (int)memory);
    return names[memory];
}

const char *systolic_math_name(enum systolic_math math)
{
    static const char *const names[] = {
#define X(math, name) name,
        SYSTOLIC_MATHS(X)
#undef X
    };
    if ((unsigned)math >= N_SYSTOLIC_MATHS)
        bug("systolic arithmetic %d does not exist", (int)math);
    return names[math];
}

double systolic_fj_per_mac(const struct systolic_profile *profile, enum systolic_math math)
{
    switch (math) {
    case SYSTOLIC_INT8:
        return profile->int8_fj_per_mac;
    case SYSTOLIC_BF16:
        return profile->bf16_fj_per_mac;
    case SYSTOLIC_FP16:
        return profile->fp16_fj_per_mac;
    case SYSTOLIC_FP32:
        return profile->fp32_fj_per_mac;
    case N_SYSTOLIC_MATHS:
        break;
    }
    bug("systolic arithmetic %d does not exist", (int)math);
}

void systolic_count(const struct systolic_product *product, struct systolic_counts *counts)
{
    struct mapping map = mapping_of(product);
    uint64_t a = product->m * product->k, b = product->k * product->n, o = product->m * product->n;
    uint64_t row_folds = (uint64_t)map.row_folds, col_folds = (uint64_t)map.col_folds;
    *counts = (struct systolic_counts){.row_folds = row_folds,
                                       .col_folds = col_folds,
                                       .fold_cycles = (uint64_t)map.line_cycles,
                                       .line_cycles = row_folds * col_folds * (uint64_t)map.line_cycles,
                                       .ifmap_reads = product->dataflow == SYSTOLIC_IS ? a : col_folds * a,
                                       .filter_reads = b,
                                       .ofmap_writes = product->dataflow == SYSTOLIC_OS ? o : row_folds * o};
    if (product->dataflow == SYSTOLIC_OS)
        counts->filter_reads = row_folds * b;
    if (product->dataflow == SYSTOLIC_IS)
        counts->filter_reads = col_folds * b;
}

static double sram_fj_per_byte(const struct systolic_profile *profile, uint64_t kib)
{
    double bytes = fmin((double)kib * 1024, profile->sram_bank_bytes);
    return profile->sram_fj_per_byte * pow(bytes / small_sram_bytes, profile->sram_exponent);
}

double systolic_memory_cycles(const struct systolic_profile *profile, double bytes)
{
    return bytes * profile->clock_hz / profile->dram_bytes_per_s;
}

void systolic_charge(const struct systolic_profile *profile, const struct systolic_actions *actions, struct cost *cost)
{
    memset(cost, 0, sizeof *cost);
    cost->time_ps = cost_whole(ceil(actions->cycles * 1e12 / profile->clock_hz));
    if (cost->time_ps == 0)
        bug("work of a systolic array that takes no time");
    cost->energy_fj[ENERGY_STATIC] = cost_of_power(profile->static_power_mw, cost->time_ps);
    cost->energy_fj[ENERGY_COMPUTE] =
        cost_whole(actions->macs * actions->mac_fj + actions->vector_ops * profile->vector_fj_per_op);
    cost->energy_fj[ENERGY_SRAM] = cost_whole(actions->hop_bytes * profile->hop_fj_per_byte +
                                              actions->ifmap_bytes * sram_fj_per_byte(profile, profile->ifmap_kib) +
                                              actions->filter_bytes * sram_fj_per_byte(profile, profile->filter_kib) +
                                              actions->ofmap_bytes * sram_fj_per_byte(profile, profile->ofmap_kib));
    cost->energy_fj[ENERGY_DRAM] = cost_whole(actions->dram_bytes * profile->dram_fj_per_byte);
    cost->flops = cost_whole(2 * actions->macs + actions->vector_ops);
    cost->bytes = cost_whole(actions->dram_bytes);
}

/* What comes from memory goes through a buffer: in and out. */
void systolic_pass_cost(const struct systolic *array, const struct systolic_pass *pass, struct cost *cost)
{
    const struct systolic_profile *profile = &array->profile;
    double ops = (double)pass->ops, bytes = (double)pass->read_bytes + (double)pass->write_bytes;
    if (ops + bytes + (double)pass->chip_bytes == 0)
        bug("a pass of the vector unit without work");
    double lane_cycles = ceil(ops / ((double)profile->vector_lanes * (double)profile->vector_ops));
    double word_cycles = ceil((double)pass->chip_bytes / 4 / (double)profile->vector_lanes);
    double memory_cycles = ceil(systolic_memory_cycles(profile, bytes));
    struct systolic_actions actions = {.cycles = (double)profile->vector_fill_cycles +
                                                 fmax(fmax(lane_cycles, word_cycles), memory_cycles),
                                       .vector_ops = ops,
                                       .ofmap_bytes = 2 * bytes + (double)pass->chip_bytes,
                                       .dram_bytes = bytes};
    systolic_charge(profile, &actions, cost);
}
