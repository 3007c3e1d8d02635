/* execute.h - the points of a study as runs of this program.
 *
 * Each point runs in a folder of its own, OUTPUT/points/0001: `polyrank train|serve JOB --set ... --output FOLDER`, by
 * itself or under a launcher. A point that is done is not run again; one that was stopped goes on from its checkpoint.
 * While a point runs, its folder is locked: several sweeps (an array of SLURM) can work on one study.
 */
#ifndef STUDY_EXECUTE_H
#define STUDY_EXECUTE_H

#include "base/arena.h"
#include "config/study.h"
#include "study/points.h"
#include "study/stamp.h"

struct execution {
    const struct study *study;
    const struct study_points *points;
    const char *output;   /* folder of the study */
    const char *launcher; /* words; "{ranks}" stands for their number. For runs on more than one rank */
    int timing_only, force, quiet;
    int n_slots;       /* processes at a time */
    double max_wall_s; /* then as after a signal; 0: no limit */
};

struct execution_told {
    int64_t n_skipped;                  /* were done before */
    int64_t n_run, n_failed, n_stopped; /* of those that ran */
    int stopped;                        /* by a signal or the limit */
    const char *last_message;           /* of the last point that failed */
    int last_exit;
};

/* Local. The folder of a point. */
const char *execution_folder(const struct execution *execution, int64_t number, struct arena *arena);

/* Local. Runs the points first..last (numbers from 1) that are not done. Points that fail are counted, not a fault.
 * Faults: STATUS_IO (folders), STATUS_FAILED (no process can be started). */
enum status execute(const struct execution *execution, int64_t first, int64_t last, struct arena *arena,
                    struct execution_told *told, struct fault *fault);

#endif
