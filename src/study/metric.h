/* metric.h - what a study can tell of a run: one table of names, units, meanings.
 *
 * Values come from the run's own files, result.h5 of a training run and serving.h5 of a serving run, which are checked
 * as they are read. A value that a run does not have (a test error without a test set) is NaN.
 */
#ifndef STUDY_METRIC_H
#define STUDY_METRIC_H

#include "base/arena.h"
#include "base/status.h"

enum { METRIC_TRAIN = 1, METRIC_SERVE = 2 };

struct metric {
    const char *name; /* with its unit at the end, as columns of other files */
    const char *unit; /* "s"; "1" without */
    int of;           /* METRIC_TRAIN, METRIC_SERVE, or both */
    int is_default;   /* a column when the study names none */
    const char *meaning;
};

enum { MAX_METRICS = 96 };

/* Local. The table. */
const struct metric *metrics(int *n);

/* Local. The number of a metric of that kind of run. Fault STATUS_USAGE "expected a metric of ..., found 'x' (did you
 * mean 'y'?)". */
enum status metric_find(const char *name, int of, struct arena *arena, int *index, struct fault *fault);

/* Local. The file in a run's folder that holds its values. */
const char *metric_file(int serves);

/* Local. All metrics of the run in a folder: value[MAX_METRICS] by number. Fault STATUS_IO when the file is missing or
 * damaged. */
enum status metric_read(const char *folder, int serves, struct arena *arena, double *value, struct fault *fault);

#endif
