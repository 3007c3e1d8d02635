/* results.h - the table of a study: a row for each point, from what lies in the points' folders.
 *
 * The table depends on the study and the runs' results alone, not on how many ran at a time, in which order or on how
 * many ranks. Wall times are kept apart (study/series.h).
 */
#ifndef STUDY_RESULTS_H
#define STUDY_RESULTS_H

#include <stdio.h>

#include "study/execute.h"
#include "study/metric.h"
#include "study/pareto.h"

enum row_state {
    ROW_MISSING, /* did not run, or for another study */
    ROW_STOPPED, /* to be gone on with */
    ROW_FAILED,
    ROW_OK
};

struct study_row {
    const struct study_point *point;
    enum row_state state;
    int exit_status;
    const char *message;  /* "" unless it failed or was stopped */
    const double *metric; /* [MAX_METRICS]; NaN unless ROW_OK */
    double wall_s;        /* fastest repetition; NaN. Never in the table */
};

/* Points that differ in their seed alone: statistics over those that are ROW_OK, by metric. */
struct study_group {
    const struct study_row *first;
    int64_t n_ok;
    const double *mean, *deviation, *min, *max; /* [MAX_METRICS]; deviation with divisor n - 1, NaN below two */
    uint8_t on_front;                           /* its means: no other group's are better in all objectives */
};

struct study_objective {
    int metric, sign; /* 1: less is better; -1: more is */
};

struct study_results {
    const struct study *study;
    const struct study_points *points;
    int n_metrics, metric[MAX_METRICS]; /* the columns, numbers of the table of metrics */
    int n_objectives;
    struct study_objective objective[PARETO_MAX_OBJECTIVES];
    int64_t n, n_state[ROW_OK + 1];
    struct study_row *row;
    int64_t n_groups;
    struct study_group *group;
};

/* Local. The columns and objectives that the study names, or the default ones. Fault STATUS_USAGE with file and line:
 * to be asked before anything runs. */
enum status results_columns(const struct study *study, const struct study_points *points, struct arena *arena,
                            struct study_results *results, struct fault *fault);

/* Local. Fills the table, whose columns are known, from the folders of an execution. */
void results_collect(const struct execution *execution, struct arena *arena, struct study_results *results);

/* Local. "ok", "failed", "stopped", "missing". */
const char *row_state_name(enum row_state state);

/* Local. Is a column of numbers? (A key with words or lists is none.) */
int results_axis_is_number(const struct study_axis *axis);

/* Local. For people: as many of a key's last parts as tell it from the other axes; its value, files without folders. */
const char *results_axis_name(const struct study *study, int axis);
const char *results_axis_shown(const struct study_axis *axis, const char *value);

/* Local. Writes study.csv (and, with replicas, means.csv) and study.h5 into the study's folder. Fault STATUS_IO. */
enum status results_write_csv(const struct study_results *results, const char *folder, struct arena *arena,
                              struct fault *fault);
enum status results_write_h5(const struct study_results *results, const char *folder, struct arena *arena,
                             struct fault *fault);

/* Local. The table for people: aligned, units in the header, Pareto front marked and told by itself. */
void results_print(const struct study_results *results, FILE *out, struct arena *arena);

#endif
