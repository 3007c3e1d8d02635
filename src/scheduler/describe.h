/* describe.h - what a run was, for its report: texts, devices, ledgers, baselines, predictions. */
#ifndef SCHEDULER_DESCRIBE_H
#define SCHEDULER_DESCRIBE_H

#include "rank.h"
#include "report/run.h"
#include "scheduler/training.h"

/* Local. The model, the placement and the devices of a run that has not run. */
void training_describe(const struct training *training, struct run *run);

/* Local. Ledgers (of all devices) into the run: time and energy per device, end, FLOP. */
void describe_ledgers(const struct training *training, const struct ledger *ledgers, struct run *run);

/* Local. "hpt: full steps on 2 x a100-80g (fp32), 16 samples each; low-parameter steps on ...". */
const char *describe_placement(const struct training *training);

/* Local. Memory that one program of a device needs, and the largest of all its programs; frozen matrices lie in
 * crossbars and are not counted. */
uint64_t describe_program_bytes(const struct training *training, int program_id, int device);
uint64_t describe_memory_bytes(const struct training *training, int device);

/* Local. Before a run: its modes and what its devices hold in cells, as far as the plan tells. Nothing without a
 * low-parameter mode. */
void describe_modes(const struct training *training, struct run *run);

/* Local. After a change of the adapters' width: what the low-parameter mode is now. */
void describe_low_mode(const struct training *training, struct run *run);

/* Local. After a change of plans: rows for devices and matrices in cells that there were none of before. */
void describe_more_cells(const struct training *training, struct run *run);

/* Local. PROGRAM_HANDOVER or PROGRAM_REPAIR has run: writes of cells, matrix by matrix. */
void describe_writes(const struct training *training, int program_id, struct run *run);

/* Local. After it: the time from step to step in each mode. Needs steps and phases. */
void describe_steps(struct run *run);

/* Local. The shortest time from step to step among steps first .. last; 0: no two of them. */
uint64_t describe_step_ps(const struct run *run, int64_t first, int64_t last);

/* Local. The errors that sums stand for. */
struct run_metrics describe_metrics(const struct metric_row *row);

/* Collective. Predictions of the last evaluation and what was observed. */
enum status describe_predictions(const struct training *training, struct executor *executor, struct run *run,
                                 struct fault *fault);

/* Local. Persistence, AR and ridge VAR on the same data and split. */
enum status describe_baselines(const struct training *training, struct run *run, struct fault *fault);

#endif
