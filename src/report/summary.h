/* summary.h - a finished run, told to people (stdout) and to programs (summary.json).
 *
 * Both are functions of the run alone: no wall times, dates or host names, so they are the same for every number of
 * ranks.
 */
#ifndef REPORT_SUMMARY_H
#define REPORT_SUMMARY_H

#include <stdio.h>

#include "base/status.h"
#include "report/run.h"

/* Local. The report at the end of a run: what ran, the training curve, the errors on the test set beside the baselines,
 * where virtual time and energy went. Every column of shares sums to 100.0 %. Up to 8 devices have a column each, more
 * are told as minimum, mean and maximum. */
void summary_print(FILE *out, const struct run *run);

/* Local. Only the last part: devices, time, energy (also for a plan that has not run). */
void summary_print_ledgers(FILE *out, const struct run *run);

/* Local. The same numbers as JSON at full precision: sorted keys, NaN as null, integers as integers, energies in
 * joules. Written to a temporary file and renamed. Fault STATUS_IO. */
enum status summary_write_json(const char *path, const struct run *run, struct fault *fault);

#endif
