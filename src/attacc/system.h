/* system.h - a whole machine as AttAcc's public simulator models it: prefill, generation stage by stage, 51 columns.
 *
 *   dgx          P GPUs
 *   dgx-cpu      attention of the generation on the host's CPUs
 *   dgx-attacc   attention of the generation in eight AttAcc devices of five HBM-PIM stacks
 * The prefill is always on the GPUs. One generation stage makes one token of each request; stage s of 1 .. lout - 1
 * reads lin + s keys. Times are of all decoder blocks, milliseconds per stage, mean over stages; energies nanojoules
 * per stage of the whole batch (not per token). Equations and their peculiarities: docs/attacc.md.
 */
#ifndef ATTACC_SYSTEM_H
#define ATTACC_SYSTEM_H

#include "attacc/gpu.h"
#include "attacc/model.h"
#include "device/hbm_pim.h"

enum attacc_machine { ATTACC_DGX, ATTACC_DGX_CPU, ATTACC_DGX_PIM, N_ATTACC_MACHINES };

enum { ATTACC_DEVICES = 8, ATTACC_STACKS = 5 };

struct attacc_config {
    enum attacc_machine machine;
    const struct attacc_gpu *gpu;
    const struct attacc_model *model;
    const struct hbm_pim_profile *pim; /* of one device: placement and power limit; for DGX_PIM */
    int gpus, word_bytes;              /* 2: W16A16, 1: W8A8 */
    int pipeline;                      /* heads of QKV and projection beside attention */
    int ff_split;                      /* the feed-forward on GPUs and PIM devices together */
    int lin, lout, batch;
};

/* The output columns. X(field, name in the simulator's table, group for error summaries) */
#define ATTACC_COLUMNS(X)                                                                                              \
    X(cap, "cap", "configuration")                                                                                     \
    X(bw, "bw", "configuration")                                                                                       \
    X(sys_opb, "sys_opb", "configuration")                                                                             \
    X(required_cap, "required_cap", "capacity")                                                                        \
    X(s_flops, "s_flops", "flops")                                                                                     \
    X(g_flops, "g_flops", "flops")                                                                                     \
    X(s_time, "s_time", "prefill time")                                                                                \
    X(s_matmul, "s_matmul", "prefill time")                                                                            \
    X(s_fc, "s_fc", "prefill time")                                                                                    \
    X(s_comm, "s_comm", "prefill time")                                                                                \
    X(s_softmax, "s_softmax", "prefill time")                                                                          \
    X(s_act, "s_act", "prefill time")                                                                                  \
    X(s_lnorm, "s_lnorm", "prefill time")                                                                              \
    X(g_time, "g_time (ms)", "time per stage")                                                                         \
    X(g_matmul, "g_matmul", "time per stage")                                                                          \
    X(g_fc, "g_fc", "time per stage")                                                                                  \
    X(g_comm, "g_comm", "time per stage")                                                                              \
    X(g_etc, "g_etc", "time per stage")                                                                                \
    X(g_qkv, "g_qkv_time", "time per stage")                                                                           \
    X(g_prj, "g_prj_time", "time per stage")                                                                           \
    X(g_ff, "g_ff_time", "time per stage")                                                                             \
    X(g2g_comm, "g2g_comm", "time per stage")                                                                          \
    X(c2g_comm, "c2g_comm", "time per stage")                                                                          \
    X(g_softmax, "g_softmax", "time per stage")                                                                        \
    X(g_act, "g_act", "time per stage")                                                                                \
    X(g_lnorm, "g_lnorm", "time per stage")                                                                            \
    X(g_energy, "g_energy (nJ)", "energy")                                                                             \
    X(g_dram_energy, "g_dram_energy", "energy")                                                                        \
    X(g_l2_energy, "g_l2_energy", "energy")                                                                            \
    X(g_l1_energy, "g_l1_energy", "energy")                                                                            \
    X(g_reg_energy, "g_reg_energy", "energy")                                                                          \
    X(g_alu_energy, "g_alu_energy", "energy")                                                                          \
    X(g_fc_mem, "g_fc_mem_energy", "energy")                                                                           \
    X(g_fc_comp, "g_fc_comp_energy", "energy")                                                                         \
    X(g_attn_mem, "g_attn_mem_energy", "energy")                                                                       \
    X(g_attn_comp, "g_attn_comp_energy", "energy")                                                                     \
    X(g_etc_mem, "g_etc_mem_energy", "energy")                                                                         \
    X(g_etc_comp, "g_etc_comp_energy", "energy")                                                                       \
    X(g_comm_energy, "g_comm_energy", "energy")

struct attacc_output {
#define X(field, name, group) double field;
    ATTACC_COLUMNS(X)
#undef X
};

/* A column of the output: where it is, by `offset` into the struct. */
struct attacc_column {
    const char *name, *group;
    size_t offset;
};

/* Local. All columns, [*n]. */
const struct attacc_column *attacc_columns(size_t *n);

/* Local. The value of a column. */
double attacc_column_value(const struct attacc_output *output, const struct attacc_column *column);

/* Local. Runs the model. The configuration must hold together (attacc_problem). */
void attacc_run(const struct attacc_config *config, struct attacc_output *output);

/* Local. NULL, or what is wrong with a configuration, written into `text`. lout >= 2: there must be a stage. */
const char *attacc_problem(const struct attacc_config *config, char *text, size_t size);

/* Local. "dgx", "dgx-cpu", "dgx-attacc". */
const char *attacc_machine_name(enum attacc_machine machine);

/* Local. Nominal bandwidth of the processing units over that of the stacks: 16, 8, 1, under the power limit 9, 3, 1. */
double attacc_bandwidth_scale(const struct hbm_pim_profile *pim);

/* Local. Milliseconds from the first prompt to the last token of the batch: prefill and lout - 1 stages. */
double attacc_end_to_end_ms(const struct attacc_config *config, const struct attacc_output *output);

#endif
