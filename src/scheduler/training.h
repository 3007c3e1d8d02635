/* training.h - a training job that is ready to run: data, machine, model, plan; how many steps, and which learning
 * rate. */
#ifndef SCHEDULER_TRAINING_H
#define SCHEDULER_TRAINING_H

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

/* Collective. Opens data and machine, builds the plan, for a placement that is decided (choose_open opens any). Without
 * `timing_only` the job must name a data set. */
enum status training_open(struct comm *comm, struct job *job, int timing_only, struct arena *arena,
                          struct training *training, struct fault *fault);
void training_close(struct training *training);

/* Local. Another plan joins those of the run. */
void training_keep_plan(struct training *training, const struct plan *plan);

/* Local. Steps of the whole run, and of an epoch (0 without a data set). */
int64_t training_steps(const struct training *training);
int64_t training_epoch_steps(const struct training *training);

/* Local. Learning rate of a step (from 1). */
double training_learning_rate(const struct training *training, int64_t step);

#endif
