/* cost_csv.h - `polyrank cost --csv`: prices every row of a table of measurements, or of simulated arrays. */
#ifndef COMMAND_COST_CSV_H
#define COMMAND_COST_CSV_H

#include "base/status.h"

/* Local. `output`: the table with predictions goes there; NULL: to stdout, unless `summary` asks for errors alone.
 * Fault STATUS_USAGE: no such table; STATUS_IO. */
enum status cost_csv(const char *path, const char *output, int summary, struct fault *fault);

#endif
