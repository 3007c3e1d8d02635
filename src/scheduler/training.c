#include "scheduler/training.h"

#include <math.h>
#include <string.h>

#include "kernel/run.h"
#include "scheduler/due.h"
#include "scheduler/neighbours.h"

static enum status open_windows(struct training *training, struct fault *fault)
{
    struct windows_config config = build_windows_config(training->job);
    return windows_open(&config, &training->windows, fault);
}

static enum status check_length(const struct training *training, struct fault *fault)
{
    const struct job *job = training->job;
    if (training_steps(training) > 0 && (!training->windows || training_epoch_steps(training) > 0))
        return STATUS_OK;
    if (!training->windows)
        return fault_set(fault, STATUS_USAGE,
                         "%s: train.steps: expected a number of steps, since there is no data.file", job->source);
    return fault_set(fault, STATUS_USAGE,
                     "%s: train.minibatch: expected at most the %lld training samples of the data set, found %lld",
                     job->source, (long long)windows_shape(training->windows)->n_train,
                     (long long)job->train.minibatch);
}

void training_keep_plan(struct training *training, const struct plan *plan)
{
    training->plans = arena_grown(training->arena, training->plans, (size_t)training->n_plans, sizeof *training->plans);
    training->plans[training->n_plans++] = *plan;
}

static enum status open_local(struct training *training, int timing_only, struct fault *fault)
{
    struct job *job = training->job;
    if (!job->model.preset)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.preset: expected a model to train, found a decoder: polyrank serve runs this job",
                         job->source);
    if (!job->data.file && !timing_only)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: data.file: expected a data set to train on, found none: give one, or run with --timing-only",
            job->source);
    enum status status = job->data.file ? open_windows(training, fault) : STATUS_OK;
    if (status == STATUS_OK)
        status = machine_open(job, training->arena, &training->machine, fault);
    const struct windows_shape *shape = training->windows ? windows_shape(training->windows) : NULL;
    if (status == STATUS_OK)
        status = build_model_config(job, shape, &training->config, fault);
    if (status == STATUS_OK)
        status = neighbours_build(job, training->windows, training->arena, &training->config, fault);
    if (status == STATUS_OK)
        status = check_length(training, fault);
    if (status == STATUS_OK)
        status = build_plan(job, &training->config, &training->machine, NULL, training->arena, &training->plan,
                            &training->matrices, fault);
    if (status == STATUS_OK)
        status = due_check(training, fault);
    training_keep_plan(training, &training->plan);
    if (status == STATUS_OK)
        training->adapter_width = build_adapter_widths(job, &training->config).widest;
    while (status == STATUS_OK && !training->plan.programs[PROGRAM_TRAIN][training->first_gpu].n_instrs)
        training->first_gpu++;
    return status;
}

enum status training_open(struct comm *comm, struct job *job, int timing_only, struct arena *arena,
                          struct training *training, struct fault *fault)
{
    if (!job->placement.chosen && strcmp(job->placement.policy, "auto") == 0)
        bug("placement auto has not been decided");
    memset(training, 0, sizeof *training);
    training->comm = comm;
    training->job = job;
    training->arena = arena;
    open_local(training, timing_only, fault);
    enum status status = agree(comm, 0, fault);
    if (status == STATUS_OK)
        status = comm_same(comm, training->plan.hash, "plan", fault);
    if (status == STATUS_OK)
        status = comm_same(comm, kernel_hash(), "CPU kernels (BLAS and instruction set)", fault);
    return status;
}

void training_close(struct training *training)
{
    windows_close(training->windows);
    training->windows = NULL;
}

int64_t training_epoch_steps(const struct training *training)
{
    return training->windows ? windows_shape(training->windows)->n_train / training->job->train.minibatch : 0;
}

int64_t training_steps(const struct training *training)
{
    const struct job_train *train = &training->job->train;
    return train->steps > 0 ? train->steps : train->epochs * training_epoch_steps(training);
}

double training_learning_rate(const struct training *training, int64_t step)
{
    const struct job_train *train = &training->job->train;
    const struct job_schedule *schedule = &train->schedule;
    double base = train->optimiser.learning_rate, done = (double)(step - 1);
    int64_t epoch_steps = training_epoch_steps(training);
    if (step <= schedule->warmup_steps)
        return base * (double)step / (double)schedule->warmup_steps;
    if (strcmp(schedule->kind, "cosine") == 0) {
        double from = (double)schedule->warmup_steps, length = (double)training_steps(training) - from;
        double low = base * schedule->final_fraction;
        return low + (base - low) * 0.5 * (1 + cos(3.14159265358979323846 * (done - from) / length));
    }
    if (strcmp(schedule->kind, "step") == 0 && epoch_steps > 0) {
        int64_t drops = (step - 1) / epoch_steps / schedule->step_epochs;
        for (; drops > 0; drops--)
            base *= schedule->step_factor;
    }
    return base;
}
