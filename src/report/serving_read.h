/* serving_read.h - serving.h5 read back: what report/serving_result.h has written. */
#ifndef REPORT_SERVING_READ_H
#define REPORT_SERVING_READ_H

#include "base/arena.h"
#include "base/status.h"
#include "report/serving_devices.h"
#include "store/served.h"

struct serving_run {
    const char *title, *model, *config; /* as in struct serving_file; title and model may be NULL */
    struct serving_summary summary;     /* all but in_system_ps, which the file does not have */
    struct served *record;              /* [summary.n_requests] by number; seen_ps is 0 */
    struct serving_devices devices;
    struct serving_faults faults;
    size_t n_samples;
    struct serving_sample *sample; /* [n_samples] */
    double told_energy_j;          /* the file's total; summary.energy_fj is the sum of its parts */
};

/* Local. Reads all of a file into the arena. Fault STATUS_IO when it cannot be read, STATUS_USAGE when it is another
 * kind of file or of another schema. */
enum status serving_result_read(const char *path, struct arena *arena, struct serving_run *run, struct fault *fault);

#endif
