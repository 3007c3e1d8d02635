/* fault_tables.h - what faults of the emulated hardware have done to a run, of training or of serving: what struck
 * when, what the recovery cost. One set of tables for the terminal and the page.
 */
#ifndef REPORT_FAULT_TABLES_H
#define REPORT_FAULT_TABLES_H

#include <stdio.h>

#include "base/arena.h"
#include "report/run.h"
#include "report/serving_devices.h"
#include "report/table.h"

/* Local. Training: each fault on a line; what its recovery took, beside the steps before and after. */
struct text_table *fault_table(const struct run *run, struct arena *arena);
struct text_table *fault_recovery_table(const struct run *run, struct arena *arena);

/* Local. Serving: each fault on a line; what all of them have cost all instances. */
struct text_table *fault_serving_table(const struct serving_faults *faults, struct arena *arena);
struct text_table *fault_serving_recovery_table(const struct serving_recovery *recovery, struct arena *arena);

/* Local. "2 faults of the job came after the end of the run"; NULL: there are none. */
const char *fault_to_come_text(int64_t n, struct arena *arena);

/* Local. All of it for the terminal; nothing for a job without faults. */
void fault_tables_print(FILE *out, const struct run *run, struct arena *arena);
void fault_serving_print(FILE *out, const struct serving_recovery *recovery, const struct serving_faults *faults,
                         struct arena *arena);

#endif
