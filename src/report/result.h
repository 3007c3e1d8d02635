/* result.h - a finished run as a file: result.h5, self-describing, the same bytes for the same run.
 *
 * Layout: docs/results.md. Every array has `units` and `long_name` and dimension scales, so h5py, pandas and xarray
 * open it as it is. Nothing in it depends on time, host or number of ranks. Virtual time is exact integer ps; energy
 * stands as joules (double) beside the exact whole joules and remaining femtojoules (integers), so that a run reads
 * back bit by bit.
 */
#ifndef REPORT_RESULT_H
#define REPORT_RESULT_H

#include "base/arena.h"
#include "base/status.h"
#include "report/run.h"

enum { RESULT_SCHEMA_VERSION = 1 };

/* Local. Writes the run under a temporary name and renames it. Fault STATUS_IO when the file system fails. */
enum status result_write(const char *path, const struct run *run, struct fault *fault);

/* Local. Reads all of a result into the arena. Fault STATUS_IO when it cannot be read, STATUS_USAGE when it is another
 * kind of file or of another schema. */
enum status result_read(const char *path, struct arena *arena, struct run *run, struct fault *fault);

#endif
