/* switch_tables.h - how a run went over to its low-parameter mode: the tables of its report, and a file for plots. */
#ifndef REPORT_SWITCH_TABLES_H
#define REPORT_SWITCH_TABLES_H

#include <stdio.h>

#include "base/arena.h"
#include "base/status.h"
#include "report/run.h"

/* Local. Decisions with every number that they rest on (without any decision: the last check, which says why), the
 * losses with the decisions drawn below them, then virtual time and energy by phase. Nothing for a run that has none.
 */
void switch_tables_print(FILE *out, const struct run *run, struct arena *arena);

/* Local. loss.csv: a line of comment per decision ("# after step 40: start trial ..."), then step, loss_full, loss_low,
 * window, state; a loss that was not computed is empty, as gnuplot's `set datafile separator ","` wants it. Appears
 * complete or not at all. Fault STATUS_IO. */
enum status switch_tables_write_csv(const char *path, const struct run *run, struct fault *fault);

#endif
