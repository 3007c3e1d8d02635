/* contrast.h - pairs of jobs, one trained in full mode only and one that switches to its low-parameter mode: predicted
 * time and energy of both, and why the ratio is what it is.
 *
 * With T the base's time, N steps, S the switch: f = S / N is the share of the base before the switch; s = step of the
 * base / step of the low mode, both in the steady state; t = the rest of the run's time as a share of T: what the trial
 * costs beyond full steps, the handovers and filling the pipeline. The ratio is then exactly the bound of
 * switch_speed_up_bound(f, t, s), so each of the three can be held against the others.
 */
#ifndef COMMAND_CONTRAST_H
#define COMMAND_CONTRAST_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/status.h"
#include "command/table.h"

/* A run of a job without tensors. */
struct prediction {
    const char *key;                         /* file and overrides: the same for the same run */
    const char *machine;                     /* its devices, by kind */
    int64_t steps, switch_step, trial_steps; /* switch_step -1: none */
    double time_s, energy_j, step_s /* last step */;
    double idle_gpu_j;                /* energy of GPUs with nothing to do */
    double reram_busy, systolic_busy; /* mean share of the time after the first low step that they compute */
    double reram_j, systolic_j;
    const char *systolic_class; /* kernel class that takes most of the systolic devices' time, and its share of it */
    double systolic_class_share;
    uint64_t crossbars, crossbars_total; /* used by all copies, and there */
    int64_t copies;                      /* least of all ReRAM devices */
};

struct contrast_row {
    const char *group, *label, *x;
    const char *failure; /* NULL, or why there is no prediction */
    struct prediction base, run;
    double time_ratio, energy_ratio;
    double full_share, trial_share, low_speed_up; /* f, t, s */
    double bound;                                 /* of f and t with s infinite */
    double needed;                                /* s for the claimed speed-up, INFINITY when none is enough */
};

struct contrast {
    double claimed_time, claimed_energy;
    struct contrast_row *row;
    int n;
};

/* Local. The columns of a table of pairs: group, label, x (a number for plots or a word), base and run (job files, seen
 * from the table's folder), set_base and set_run (overrides, "key=value; key=value"). */
int contrast_table_matches(const struct table *table);

/* Local. Predicts all rows; equal runs are predicted once. A row that cannot be predicted is told in row->failure. */
void contrast_predict(const struct table *table, struct arena *arena, struct contrast *contrast);

/* Local. Tables by group; then "rows N, mean X %, max Y %, failed K" of the deviations from the claimed speed-up. */
void contrast_print(const struct contrast *contrast, struct arena *arena, FILE *out);

/* Local. Every row with all its numbers. Fault STATUS_IO. */
enum status contrast_write_csv(const char *path, const struct contrast *contrast, struct fault *fault);

/* Local. Rows without a prediction. */
int contrast_failures(const struct contrast *contrast);

#endif
