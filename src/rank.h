/* rank.h - the device contract, and the life of a rank: the executor of programs.
 *
 * A device backend is one const table (struct device). For an op it answers two things: its cost (pure; the scheduler
 * prices with the same function) and, unless the run is timing-only, its result in the device's numerics. Backends:
 * rank_gpu.c, rank_pim.c (ReRAM), rank_systolic.c, rank_hbm_pim.c, rank_cpu.c.
 *
 * The executor holds the devices that live on this rank and advances their programs as far as their inputs allow: one
 * device per rank when there are ranks enough, several (folded) when not, all of them in a single process. Results,
 * virtual times and energies do not depend on it.
 */
#ifndef RANK_H
#define RANK_H

#include <stdint.h>

#include "base/archive.h"
#include "base/arena.h"
#include "base/cost.h"
#include "base/status.h"
#include "cluster/comm.h"
#include "kernel/batch.h"
#include "kernel/run.h"
#include "model/decoder_load.h"
#include "model/metrics.h"
#include "model/windows.h"
#include "plan/clock.h"
#include "plan/ledger.h"
#include "plan/mark.h"
#include "plan/program.h"

/* Options of a device that computes in its memory cells. NULL, 0 or (from program_noise to adc_range) below 0: the
 * profile's. */
struct cell_options {
    const char *fidelity, *mapping; /* kernel/crossbar.h; fidelity NULL: quantized */
    int tiles, weight_bits, input_bits, error_bits, cell_bits, adc_bits, write_verify;
    double program_noise, read_noise, stuck_low, stuck_high, drift, adc_range, endurance;
    double stuck_columns; /* after a fault; 0: none */
};

/* One device of the emulated machine, as the cluster file describes it. */
struct device_spec {
    const char *name;      /* gpu0 */
    const char *kind;      /* gpu, reram, systolic, hbm-pim, cpu */
    const char *profile;   /* name in the device catalogue */
    const char *host_link; /* link profile to its host */
    int node;
    uint64_t memory_bytes; /* overrides of the profile; 0: the profile's */
    double memory_bytes_per_s, peak_flop_per_s, tdp_w;
    double launch_s; /* gpu; 0: the profile's */
    double idle_w;   /* below 0: the backend's */
    enum number_format format;
    int stores_format; /* values in memory and in messages have the format's bytes (inference), not single precision's
                        */
    int fused_attention;
    const char *dataflow, *memory_mode; /* systolic: os ws is; ideal scalesim. NULL: the profile's; ideal */
    int64_t array_rows, array_cols;     /* systolic: of an array; 0: the profile's */
    int overlap_weights;                /* systolic */
    double speed, link_speed;           /* after a fault: compute and links as a share of the profile's; 0: all of it */
    struct cell_options cells;          /* reram */
    int64_t stacks, power_limit;        /* hbm-pim; 0 and below 0: the profile's */
};

struct device {
    const char *kind;
    /* REQUIRED. Constants of the spec into a state in the arena. Fault STATUS_USAGE: unknown profile, format not
     * supported. */
    enum status (*open)(const struct device_spec *spec, struct arena *arena, void **state, struct fault *fault);
    /* REQUIRED. Can this device run the op at all? */
    int (*supports)(const void *state, const struct op *op);
    /* REQUIRED. Pure. Time, energy, traffic of one op; never zero time. */
    void (*cost)(const void *state, const struct op *op, struct cost *cost);
    /* REQUIRED. The op's arithmetic in the device's numerics; context, operands as in kernel/run.h, elements of the
     * format's size. */
    void (*run)(void *state, const struct op *op, const struct kernel_context *context, const void *const in[OP_MAX_IN],
                void *const out[OP_MAX_OUT]);
    /* REQUIRED. Device memory in bytes; power in mW while idle and while waiting within a step. */
    uint64_t (*memory_bytes)(const void *state);
    uint64_t (*idle_power_mw)(const void *state);
    uint64_t (*wait_power_mw)(const void *state);
    /* OPTIONAL. Crossbars that a matrix [out, in] takes, and how many there are; NULL: the device holds no matrices. */
    uint64_t (*units_needed)(const void *state, int64_t out, int64_t in);
    uint64_t (*units_total)(const void *state);
    /* OPTIONAL, with the two above. Writes that a cell survives, and writes that one programming of a cell takes (mean,
     * 1 without verification). */
    double (*cell_endurance)(const void *state);
    double (*cell_pulses)(const void *state);
    /* OPTIONAL. Saves or restores what the device remembers beside its memory (cells). */
    void (*archive)(void *state, struct archive *archive);
    /* OPTIONAL. The spec after a fault: its speed and stuck columns hold from now on; all else is as open had it. */
    void (*respec)(void *state, const struct device_spec *spec);
    /* OPTIONAL. Its matrices have n new numbers: m was before[m], -1: is not programmed yet. Others are forgotten. */
    void (*renumber)(void *state, const int64_t *before, int64_t n);
    /* OPTIONAL. Releases what open took outside of the arena. */
    void (*close)(void *state);
};

/* Local. The backend of a kind, or NULL. */
const struct device *device_find(const char *kind);

/* Local. Power of a device without a program to run: the spec's, else the backend's. */
uint64_t device_idle_power_mw(const struct device *backend, const void *state, const struct device_spec *spec);

extern const struct device gpu_device;
extern const struct device reram_device;
extern const struct device systolic_device;
extern const struct device hbm_pim_device;
extern const struct device cpu_device;

/* What changes from step to step: rank 0's, broadcast. */
struct step_record {
    uint32_t program;       /* enum program_id */
    uint32_t step;          /* training step, from 1 (dropout, optimiser, trace); evaluation: 0 */
    uint32_t validation;    /* evaluation: of the validation set, not of the test set */
    uint32_t n_samples;     /* may be fewer than the program's in evaluation */
    uint32_t wish;          /* rank 0's, passed on to all: what it wants to do after this step */
    uint32_t state_since;   /* optimiser: its state was zero after this step */
    uint32_t generation;    /* handover: number of the fresh start; keys the random numbers of FILL */
    uint64_t not_before_ps; /* virtual time of the decision that this program follows from; 0: none */
    uint64_t repeat;        /* timing-only: this many steps (>= 1) */
    double learning_rate;
};

/* What a step tells, on all ranks. */
struct step_result {
    int stopped;     /* iterations: the run has ended */
    uint32_t wish;   /* the record's */
    int interrupts;  /* signals to stop that have come to a rank: the most of all ranks */
    uint64_t end_ps; /* latest device's virtual time after the (last) step */
    double loss_sum, loss_count;
    struct standby standby; /* of all devices, until then */
};

/* The end of one of several steps: the latest device's virtual time, and standby.fixed_fj. */
struct step_end {
    uint64_t end_ps;
    wide_int standby_fixed_fj;
};

struct executor;

/* Prices an instruction of an iteration, its op bound to it; pure. For PROGRAM_ITERATE. */
struct executor_prices {
    const void *context;
    void (*price)(const void *context, int device, struct instr *instr);
};

/* Another plan for the same devices, in the middle of a run. */
struct replanning {
    const struct plan *plan; /* borrowed from now on, as the one of executor_open was */
    const struct device_spec
        *specs;                   /* [n_devices] changed by faults in speed, link_speed and cells.stuck_columns only */
    const int64_t *const *matrix; /* [n_devices] [n_matrices[d]] numbers that d's matrices had before, -1: none */
    const int64_t *n_matrices;    /* [n_devices] */
    const uint8_t *lost;          /* [n_devices] 1: has failed: idle until lost_ps, off from then on */
    uint64_t lost_ps;             /* of those that have failed since the plan before */
};

struct executor_options {
    int timing_only;
    int keep_predictions;
    uint64_t seed;
    struct executor_prices prices;        /* of programs that vary */
    const struct decoder_config *decoder; /* of PROGRAM_ITERATE; NULL: none */
    const struct decoder_source *weights; /* its weights; NULL when timing-only */
    uint32_t trace_steps;                 /* record marks in the first so many runs of each program of each plan */
};

/* Collective. Opens the devices that live here, gets their memory, initialises their parameters. `windows` may be NULL
 * when timing-only. Plan, specs and windows are borrowed. */
enum status executor_open(struct comm *comm, const struct plan *plan, const struct device_spec *specs,
                          struct windows *windows, const struct executor_options *options, struct executor **executor,
                          struct fault *fault);
void executor_close(struct executor *executor);

/* Collective, between two steps. From now on the devices run the programs of another plan. Parameters and optimiser
 * state keep their values by name where the device has them in the new plan too, others get their initial ones; clocks
 * go on, what the old programs have done is kept in the ledgers, and the change of program is a barrier. Marks are
 * recorded of the first runs of the new programs, too. A device without programs is idle from then on. */
enum status executor_replan(struct executor *executor, const struct replanning *replanning, struct fault *fault);

/* Local, on all ranks alike, between two steps. No device begins anything before `ps`: they idle until then.
 * lost [n_devices]: not those. */
void executor_wait(struct executor *executor, const uint8_t *lost, uint64_t ps);

/* Local. The rank on which a device lives. Rank 0 schedules and hosts devices only when there are not ranks enough. */
int executor_home(int device, int n_devices, int n_ranks);

/* Collective. Runs record->program once on every device (timing-only: record->repeat times; ends[i], when not NULL,
 * gets the end of the i-th). `samples` [n_samples] are sample numbers of the train or test set; device d takes
 * its share. record and samples count on rank 0 only. Sums of errors of an evaluation stay in the executor until
 * executor_metrics. A fault on any rank is everybody's. */
enum status executor_step(struct executor *executor, const struct step_record *record, const uint32_t *samples,
                          struct step_end *ends, struct step_result *result, struct fault *fault);

/* Collective. Stand-by energy of all devices until now, on all ranks: after a change of plan, a restart. */
enum status executor_standby(struct executor *executor, struct standby *standby, struct fault *fault);

/* Collective. Runs PROGRAM_ITERATE once: the tokens of `batch` through the decoder, not before not_before_ps. batch
 * counts on rank 0 only, where next[n_answers] gets the tokens chosen (unless timing-only). A batch of NULL there with
 * a wish passes the wish on to all ranks (result->wish) and does nothing else; without one it ends the run
 * (result->stopped). Blocks of the cache are the caller's to assign. */
struct iteration {
    const struct batch *batch;
    uint32_t wish;   /* without a batch: what rank 0 wants to do; 0: to end */
    uint32_t number; /* from 1 */
    uint64_t not_before_ps;
    float *logits; /* rank 0, functional: [n_answers][vocabulary], or NULL */
};

/* What an iteration's instructions cost, all devices together, without stand-by power; on rank 0. */
struct iteration_cost {
    uint64_t energy_fj[N_ENERGY_PARTS];
    uint64_t *busy_ps; /* [n_devices] compute engines; the caller's, or NULL */
};

/* next and cost may be NULL. */
enum status executor_iterate(struct executor *executor, const struct iteration *iteration, uint32_t *next,
                             struct iteration_cost *cost, struct step_result *result, struct fault *fault);

/* The rest are collective and give their result on rank 0; memory in `arena`.
 *
 * executor_metrics: sums of errors since the last call, added in device order.
 * executor_ledgers: [n_devices], waiting and idle time closed at the run's end.
 * executor_marks: of all devices, sorted (plan/mark.h).
 * executor_fetch: memory of one slot of a device's program.
 * executor_predictions: of the last evaluation in data units, [n_samples][outputs]; needs keep_predictions. */
enum status executor_metrics(struct executor *executor, struct metric_sums *sums, struct fault *fault);
enum status executor_ledgers(struct executor *executor, struct arena *arena, struct ledger **ledgers,
                             struct fault *fault);
enum status executor_marks(struct executor *executor, struct arena *arena, struct mark **marks, size_t *n_marks,
                           struct fault *fault);
enum status executor_fetch(struct executor *executor, struct arena *arena, int device, int program_id, int slot,
                           void **values, struct fault *fault);
enum status executor_predictions(struct executor *executor, struct arena *arena, int64_t n_samples, int64_t n_outputs,
                                 float **predictions, struct fault *fault);

/* Local, between two steps. Saves or restores the devices that live here: memory that lives over steps (of a decoder:
 * its KV cache alone, for the weights are in a file), what is in cells, clocks and ledgers, recorded marks. Names do
 * not tell the rank. */
void executor_archive(struct executor *executor, struct archive *archive);

/* Local, on all ranks alike, between two iterations. The KV of n blocks on the devices that live here: how many bytes
 * it has; out of the cache to `kept` (is_out), or from there into this cache or that of another executor of an equal
 * plan on the same ranks; `kept` saved or restored, by device. */
size_t executor_kv_bytes(const struct executor *executor, size_t n);
void executor_kv_move(struct executor *executor, const uint32_t *block, size_t n, char *kept, int is_out);
void executor_kv_archive(struct executor *executor, size_t n, char *kept, struct archive *archive);

/* Local, on all ranks alike, between two iterations. Prices have changed: forgets those that were kept. `specs` as
 * given to executor_open, changed. */
void executor_reprice(struct executor *executor, const struct device_spec *specs);

/* Wall seconds of this rank by section, for the wall report. */
struct executor_wall {
    double arithmetic_s, data_s, exchange_s;
    uint64_t instructions;
};

/* Local. */
struct executor_wall executor_wall(const struct executor *executor);

#endif
