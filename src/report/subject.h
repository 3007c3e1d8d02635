/* subject.h - a finished run that a report is about: its folder, its file, what the file holds. */
#ifndef REPORT_SUBJECT_H
#define REPORT_SUBJECT_H

#include "base/arena.h"
#include "base/status.h"
#include "config/job.h"
#include "report/run.h"
#include "report/serving_read.h"

enum subject_kind { SUBJECT_TRAINING, SUBJECT_SERVING };

struct subject {
    enum subject_kind kind;
    const char *given;                           /* as on the command line */
    const char *folder, *file;                   /* "wind-out", "wind-out/result.h5" */
    const char *name;                            /* of the job */
    const char *source;                          /* "polyrank 0.1.0": the program that ran it */
    const char *model, *config;                  /* never NULL */
    const char *placement;                       /* NULL: the file does not tell */
    uint64_t file_hash, config_hash, model_hash; /* FNV-1a, 64 bits (base/hash.h) */
    struct run run;                              /* SUBJECT_TRAINING */
    double told_energy_j;                        /* the total that its file tells */
    struct serving_run serving;                  /* SUBJECT_SERVING */
    int has_job;                                 /* the configuration could be read again: */
    struct job job;
};

/* Local. A run by its folder (which holds a result.h5 or a serving.h5) or by one of these files, into the arena. Faults
 * STATUS_USAGE: no such folder, a folder with neither or both, another kind of file; STATUS_IO: a damaged file. */
enum status subject_open(const char *given, struct arena *arena, struct subject *subject, struct fault *fault);

/* Local. A file of the run's folder. */
const char *subject_path(const struct subject *subject, struct arena *arena, const char *name);

/* Local. Its devices, of all instances. */
struct run_devices subject_devices(const struct subject *subject, struct arena *arena);

/* Local. Virtual time and energy of the run. */
double subject_time_s(const struct subject *subject);
double subject_energy_j(const struct subject *subject);

#endif
