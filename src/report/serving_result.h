/* serving_result.h - a serving run as a file: serving.h5, self-describing, the same bytes for the same run.
 *
 * Layout: docs/serving.md. As in result.h5 every array has `units`, `long_name` and dimension scales; virtual times
 * are exact integers of picoseconds; energies stand in joules beside exact whole joules and remaining femtojoules.
 */
#ifndef REPORT_SERVING_RESULT_H
#define REPORT_SERVING_RESULT_H

#include "base/arena.h"
#include "base/status.h"
#include "report/serving_devices.h"
#include "store/served.h"

enum { SERVING_SCHEMA_VERSION = 2 };

struct serving_file {
    const char *title;  /* name of the job; may be NULL */
    const char *model;  /* may be NULL */
    const char *config; /* the resolved job as text; may be NULL */
    const struct serving_summary *summary;
    const struct served *record; /* [summary->n_requests] */
    const struct serving_devices *devices;
    const struct serving_faults *faults;
    size_t n_samples;
    const struct serving_sample *sample; /* [n_samples]; may be NULL */
};

/* Local. Writes the file under a temporary name and renames it. Fault STATUS_IO. */
enum status serving_result_write(const char *path, const struct serving_file *file, struct fault *fault);

/* Local. The resolved job of a file that is there and whole, else NULL. */
const char *serving_result_config(const char *path, struct arena *arena);

#endif
