#include "scheduler/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cluster/interrupt.h"
#include "scheduler/choose.h"
#include "scheduler/describe.h"
#include "scheduler/neighbours.h"
#include "scheduler/train_private.h"

enum { TRACE_STEPS = 4 };

static enum status open_windows(struct training *training, struct fault *fault)
{
    struct windows_config config = build_windows_config(training->job);
    return windows_open(&config, &training->windows, fault);
}

static enum status check_length(const struct training *training, struct fault *fault)
{
    const struct job *job = training->job;
    if (training_steps(training) > 0)
        return STATUS_OK;
    if (!training->windows)
        return fault_set(fault, STATUS_USAGE,
                         "%s: train.steps: expected a number of steps, since there is no data.file", job->source);
    return fault_set(fault, STATUS_USAGE,
                     "%s: train.minibatch: expected at most the %lld training samples of the data set, found %lld",
                     job->source, (long long)windows_shape(training->windows)->n_train,
                     (long long)job->train.minibatch);
}

/* Room for a power of two. */
void training_keep_plan(struct training *training, const struct plan *plan)
{
    int n = training->n_plans;
    if ((n & (n - 1)) == 0) {
        struct plan *larger = arena_array(training->arena, 2 * (size_t)n + 1, sizeof *larger);
        if (n)
            memcpy(larger, training->plans, (size_t)n * sizeof *larger);
        training->plans = larger;
    }
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
        status = faults_check(training, fault);
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
    memset(training, 0, sizeof *training);
    training->comm = comm;
    training->job = job;
    training->arena = arena;
    choose_placement(training, fault);
    if (fault->status == STATUS_OK)
        open_local(training, timing_only, fault);
    enum status status = agree(comm, 0, fault);
    if (status == STATUS_OK)
        status = comm_same(comm, training->plan.hash, "plan", fault);
    if (status == STATUS_OK)
        status = comm_same(comm, describe_arithmetic_hash(), "CPU kernels (BLAS and instruction set)", fault);
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

static wide_uint energy_of_program(const struct plan *plan, int id)
{
    wide_uint energy_fj = 0;
    for (int d = 0; d < plan->n_devices; d++)
        for (int i = 0; i < plan->programs[id][d].n_instrs; i++)
            for (int p = 0; p < N_ENERGY_PARTS; p++)
                energy_fj += plan->programs[id][d].instrs[i].cost.energy_fj[p];
    return energy_fj;
}

void course_price(struct course *course)
{
    for (int id = 0; id < N_PROGRAMS; id++)
        course->program_energy_fj[id] = energy_of_program(&course->training->plan, id);
}

static int64_t next_evaluation(const struct training *training, int64_t step)
{
    int64_t last = training_steps(training),
            every = training->job->train.evaluate_epochs * training_epoch_steps(training);
    if (every <= 0)
        return last;
    int64_t next = (step / every + 1) * every;
    return next < last ? next : last;
}

/* One step; without tensors as many as are known to be alike. */
static enum status go_on(struct course *course, int64_t until, struct fault *fault)
{
    int64_t first = course->step + 1;
    if (!course->options->timing_only) {
        course->step = first;
        return course_step(course, first, fault);
    }
    course->step = faults_known_until(course, first - 1, modes_known_until(course, first - 1, until));
    return course_time_steps(course, first, course->step, fault);
}

static enum status train(struct course *course, struct fault *fault)
{
    const struct training *training = course->training;
    int64_t last = training_steps(training);
    enum status status = course->options->resume ? course_resume(course, fault) : STATUS_OK;
    if (status == STATUS_OK)
        status = modes_begin(course, fault);
    while (course->step < last && status == STATUS_OK) {
        int64_t until = next_evaluation(training, course->step);
        status = go_on(course, until, fault);
        if (status == STATUS_OK)
            status = faults_strike(course, fault);
        if (status == STATUS_OK && course->step == until)
            status = course_evaluate(course, course->step, fault);
        if (status == STATUS_OK && course->step < last)
            status = course_control(course, fault);
    }
    return status;
}

static enum status gather(struct course *course, struct fault *fault)
{
    struct training *training = course->training;
    struct training_result *result = course->result;
    struct ledger *ledgers = NULL;
    struct mark *marks = NULL;
    enum status status = executor_ledgers(course->executor, training->arena, &ledgers, fault);
    if (status == STATUS_OK)
        status = executor_marks(course->executor, training->arena, &marks, &result->n_marks, fault);
    if (status == STATUS_OK && !course->options->timing_only)
        status = course_gather_weights(course, fault);
    if (status == STATUS_OK && training->job->output.predictions && !course->options->timing_only)
        status = describe_predictions(training, course->executor, &result->run, fault);
    faults_describe(course);
    result->marks = marks;
    if (status == STATUS_OK && ledgers)
        describe_ledgers(training, ledgers, &result->run);
    describe_steps(&result->run);
    return status;
}

static void start(struct course *course)
{
    struct training *training = course->training;
    struct run *run = &course->result->run;
    size_t steps = (size_t)training_steps(training);
    memset(course->result, 0, sizeof *course->result);
    training_describe(training, run);
    run->choice = training->choice;
    run->timing_only = course->options->timing_only;
    run->step = arena_array(training->arena, steps + 1, sizeof *run->step);
    run->evaluation = arena_array(training->arena, steps + 1, sizeof *run->evaluation);
    course_price(course);
    if (training->windows)
        course->order =
            arena_array(training->arena, (size_t)windows_shape(training->windows)->n_train + 1, sizeof *course->order);
    course->epoch = -1;
    course->start_s = course->saved_s = wall_s();
    progress_start(&course->progress, "train", "samples", steps, (double)training->job->train.minibatch,
                   course->options->quiet || comm_rank(training->comm) != 0);
}

enum status training_run(struct training *training, const struct training_options *options,
                         struct training_result *result, struct fault *fault)
{
    struct course course = {.training = training, .options = options, .result = result};
    start(&course);
    faults_open(&course);
    if (options->checkpoint)
        interrupts_watch();
    if (modes_open(&course, fault) != STATUS_OK)
        return fault->status;
    struct executor_options executor_options = {
        .timing_only = options->timing_only,
        .keep_predictions = training->job->output.predictions,
        .seed = training->job->train.seed,
        .trace_steps = training->job->output.trace ? TRACE_STEPS : 0,
    };
    enum status status = executor_open(training->comm, &training->plan, training->machine.specs, training->windows,
                                       &executor_options, &course.executor, fault);
    if (status != STATUS_OK)
        return status;
    modes_watch(&course);
    status = train(&course, fault);
    progress_end(&course.progress);
    if (status == STATUS_OK) {
        modes_describe(&course);
        status = gather(&course, fault);
    }
    result->wall = executor_wall(course.executor);
    result->wall_s = wall_s() - course.start_s;
    result->traced_steps = TRACE_STEPS;
    result->run.steps = result->run.n_steps;
    modes_close(&course);
    executor_close(course.executor);
    return status;
}
