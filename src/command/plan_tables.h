/* plan_tables.h - what `polyrank plan` prints of programs that are built but have not run: memory, who does what, the
 * instructions.
 */
#ifndef COMMAND_PLAN_TABLES_H
#define COMMAND_PLAN_TABLES_H

#include "report/run.h"
#include "scheduler/train.h"

/* Local. Memory of each device, in each mode when there are two. */
void plan_print_memory(const struct training *training);

/* Local. The low-parameter mode: who does what and why, crossbars, steps, handover, wear, and the switch that was
 * assumed; with a width of adapters that is left to the switch, a step with the narrowest and with the widest. `run` is
 * the timing-only run of the job; training->comm is of this process alone. */
enum status plan_print_modes(const struct training *training, const struct run *run, struct fault *fault);

/* Local. The same job priced on the GPUs of the machine alone, beside the run. */
void plan_print_gpus_alone(const struct training *training, const struct run *run);

/* Local. Programs of a step: of the first GPU, and of each device of the low-parameter mode; or all of the device of
 * this name. */
void plan_print_instructions(const struct training *training, const char *device);

/* Local. Fault STATUS_USAGE: no device of this name (NULL: all of them, no fault). */
enum status plan_find_device(const struct training *training, const char *name, struct fault *fault);

#endif
