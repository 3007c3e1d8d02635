/* study.h - a study as read from YAML: a base job, what varies, how often, what is told.
 *
 * What may stand in a study is one table (study_keys), read as strictly as a job. Keys of jobs below `set`,
 * `runs.grid`, `runs.zip` and `runs.sample.over` are those of --set, looked up in the table of the job; their values
 * are checked here, one by one, against that table. Whether they go together only a whole job can tell (job_read, per
 * point).
 *
 * Files among the values are relative to the study's folder and come out absolute, so that they mean the same on the
 * command line of a run.
 */
#ifndef CONFIG_STUDY_H
#define CONFIG_STUDY_H

#include "base/unit.h"
#include "config/job.h"

struct job_key; /* config/keys.h */

enum { STUDY_MAX_AXES = 16, STUDY_MAX_VALUES = 1000, STUDY_MAX_POINTS = 100000 };

enum axis_group {
    AXIS_GRID,   /* every value with every other */
    AXIS_ZIP,    /* the i-th values of all such axes together */
    AXIS_SAMPLE, /* drawn */
    AXIS_ALONG,  /* goes with the counts of a scaling study, value by value */
    AXIS_SCALE   /* those counts: always the last axis */
};

/* What the values of an axis are: numbers but for the last two. */
enum axis_value { VALUE_WHOLE, VALUE_REAL, VALUE_SEED, VALUE_FILE, VALUE_TEXT };

/* One key that varies. Either a list of values or a range. */
struct study_axis {
    enum axis_group group;
    const char *key; /* as --set takes it; "ranks" of a scaling study over ranks */
    int line;
    enum axis_value kind;
    enum unit unit;
    int n_values; /* of the list; 0: a range */
    const char *const *value;
    double from, to;     /* range in base units, from < to */
    int is_log;          /* range: points have equal ratios instead of equal differences */
    int64_t points;      /* grid: so many from `from` to `to`; 0: by step or factor */
    double step, factor; /* grid: of neighbours; 0: not given */
};

/* A fixed override. */
struct study_set {
    const char *key, *value;
    int line;
};

struct study {
    const char *source, *text; /* file, and what stands in it */
    const char *name;
    const char *kind; /* sweep strong-scaling weak-scaling */
    const char *job;  /* file */
    const char *output;
    int64_t ranks, replicas, repeats;
    int timing_only;
    struct word_list metrics, minimise, maximise;
    const char *method; /* random latin-hypercube */
    int64_t samples;
    uint64_t seed;
    const char *over; /* scaling: key of a count, or "ranks" */
    struct word_list grow;
    int n_axes;
    struct study_axis axis[STUDY_MAX_AXES]; /* in the order of the file; counts last */
    int n_set;
    struct study_set set[STUDY_MAX_AXES * 2];
    const struct entry *entry; /* the document, for study_place */
};

/* Local. Reads and checks a study. Everything lives in the arena. Fault STATUS_USAGE "file:line: key: expected ...,
 * found ..."; STATUS_IO when the file cannot be read. */
enum status study_read(struct arena *arena, const char *path, struct study *study, struct fault *fault);

/* Local. Is a study over counts, and over the emulator's ranks instead of emulated devices? */
int study_is_scaling(const struct study *study);
int study_is_over_ranks(const struct study *study);

/* Local. "file:line" of a key of the study, or of the section that would hold it. */
const char *study_place(struct arena *arena, const struct study *study, const char *path);

/* Local. The table of what may stand in a study, in the order of the manual. */
const struct job_key *study_keys(int *n);

/* Local. The value of a whole-number key of a job ("serve.requests", "cluster.devices[1].count"). Fault STATUS_USAGE
 * "expected a key with a whole number, found ...". */
enum status job_get_int(struct arena *arena, const struct job *job, const char *path, int64_t *value,
                        struct fault *fault);

#endif
