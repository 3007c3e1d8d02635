/* train.h - control of a training run: which minibatch, which learning rate, when to evaluate, when to stop. */
#ifndef SCHEDULER_TRAIN_H
#define SCHEDULER_TRAIN_H

#include "base/arena.h"
#include "base/status.h"
#include "cluster/comm.h"
#include "config/job.h"
#include "report/run.h"
#include "scheduler/build.h"

/* A job that is ready to run: the same on all ranks. */
struct training {
    struct comm *comm;
    struct job *job;
    struct arena *arena;
    struct windows *windows; /* NULL without a data set */
    struct machine machine;
    struct model_config config;
    struct plan plan;   /* of now: faults change it */
    struct plan *plans; /* [n_plans] so far, that of now is the last: what marks of the trace speak of */
    int n_plans;
    int64_t adapter_width;     /* of the plan of now */
    int first_gpu;             /* holds the full model's weights */
    struct matrices *matrices; /* [n_devices] what each holds in crossbars, or NULL */
    struct run_choice choice;  /* rank 0: what placement.policy auto has chosen */
};

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

/* Collective. Opens data and machine, builds the plan. Without `timing_only` the job must name a data set. */
enum status training_open(struct comm *comm, struct job *job, int timing_only, struct arena *arena,
                          struct training *training, struct fault *fault);
void training_close(struct training *training);

/* Local. Steps of the whole run, and of an epoch (0 without a data set). */
int64_t training_steps(const struct training *training);
int64_t training_epoch_steps(const struct training *training);

/* Local. Learning rate of a step (from 1). */
double training_learning_rate(const struct training *training, int64_t step);

/* Collective. Trains, evaluates, gathers. A signal, or the end of max_wall_s, stops it after a step: then a checkpoint
 * is written and the fault is STATUS_REQUEUE; there is no result. */
enum status training_run(struct training *training, const struct training_options *options,
                         struct training_result *result, struct fault *fault);

/* Local. Describes the model, the placement and the devices of a run that has not run (for `polyrank plan`). */
void training_describe(const struct training *training, struct run *run);

#endif
