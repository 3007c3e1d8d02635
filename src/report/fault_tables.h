/* fault_tables.h - what faults of the emulated hardware have done to a run: what struck when, what the recovery cost.
 */
#ifndef REPORT_FAULT_TABLES_H
#define REPORT_FAULT_TABLES_H

#include <stdio.h>

#include "base/arena.h"
#include "report/run.h"

/* Local. Two tables, each fault on a line; nothing for a job without faults. */
void fault_tables_print(FILE *out, const struct run *run, struct arena *arena);

#endif
