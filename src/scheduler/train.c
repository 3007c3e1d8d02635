#include "scheduler/train.h"

#include <stdio.h>
#include <string.h>

#include "cluster/interrupt.h"
#include "scheduler/describe.h"
#include "scheduler/train_private.h"

enum { TRACE_STEPS = 4 };

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
    if (course->options->checkpoint && course->options->checkpoint_steps > 0) {
        int64_t each = course->options->checkpoint_steps, next = (first - 1) / each * each + each;
        until = next < until ? next : until;
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

/* What was told of the energy on the way is what the ledgers say at the end. */
static void check_energy(const struct course *course, const struct ledger *ledgers)
{
    wide_uint sum_fj = 0;
    for (int d = 0; d < course->training->plan.n_devices; d++)
        sum_fj += ledger_energy_fj(&ledgers[d]);
    if (sum_fj != course_energy_fj(course))
        bug("the steps' energy is %.17g J, the ledgers' %.17g J", joules(course_energy_fj(course)), joules(sum_fj));
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
        check_energy(course, ledgers);
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
    if (course_check_size(&course, fault) != STATUS_OK)
        return fault->status;
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
