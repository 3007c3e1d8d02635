/* train.h - control of a training run: which minibatch, when to evaluate, when to stop. */
#ifndef SCHEDULER_TRAIN_H
#define SCHEDULER_TRAIN_H

#include "report/run.h"
#include "scheduler/training.h"

struct training_options {
    int timing_only;
    double max_wall_s;         /* 0: no limit */
    const char *checkpoint;    /* path; NULL: none are written (plans) */
    int64_t checkpoint_steps;  /* write one after every so many steps; 0: not by steps */
    double checkpoint_every_s; /* ... and when so much wall time has passed since the last; 0: not by time */
    const char *resume;        /* a checkpoint, or "auto" for the newest valid one at that path; NULL: from the start */
    int quiet;
    int assume_switch; /* timing-only: policies that test losses switch at the earliest step that they can */
};

/* What a run leaves behind. Everything but wall is rank 0's. */
struct training_result {
    struct run run;
    const struct mark *marks;
    size_t n_marks;
    uint64_t traced_steps;
    double wall_s;
    struct executor_wall wall; /* of this rank */
};

/* Collective. Trains, evaluates, gathers. A signal, or the end of max_wall_s, stops it after a step: then a checkpoint
 * is written and the fault is STATUS_REQUEUE; there is no result. */
enum status training_run(struct training *training, const struct training_options *options,
                         struct training_result *result, struct fault *fault);

#endif
