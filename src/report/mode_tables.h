/* mode_tables.h - what a run with a low-parameter mode adds to the report: placement and its choice, steps of the
 * modes, how busy devices are in them, crossbars and their wear.
 */
#ifndef REPORT_MODE_TABLES_H
#define REPORT_MODE_TABLES_H

#include <stdio.h>

#include "base/arena.h"
#include "report/run.h"

/* Local. "placement   hpt: full steps on ...", and under it what placement.policy auto has chosen and why; `indent`
 * stands before each line. */
void mode_print_placement(FILE *out, const char *indent, const struct run *run);

/* Local. All tables below; nothing for a run in one mode. */
void mode_tables_print(FILE *out, const struct run *run, struct arena *arena);

/* Local. Parameters trained, time and energy of a step, and busy shares of the compute engines, device by device; more
 * than LEDGERS_MAX_COLUMNS devices are told by kind and profile, as means. */
void mode_print_steps(FILE *out, const struct run *run, struct arena *arena);

/* Local. Devices that compute in cells: matrices, crossbars, copies. */
void mode_print_crossbars(FILE *out, const struct run *run, struct arena *arena);

/* Local. Cells written by the run and the life they leave, beside a run of as many steps that would train every weight
 * in cells. Nothing when the run wrote no cells. */
void mode_print_wear(FILE *out, const struct run *run, struct arena *arena);

#endif
