/* train_evaluate.c - the test and the validation set, on the devices of the mode of now. */
#include "scheduler/describe.h"
#include "scheduler/train_private.h"

static void record_evaluation(struct course *course, int64_t step, uint64_t end_ps, const struct metric_sums *sums)
{
    struct run *run = &course->result->run;
    struct run_evaluation *evaluation = &run->evaluation[run->n_evaluations++];
    struct metric_row total = metric_total(sums);
    *evaluation = (struct run_evaluation){
        .step = step,
        .time_ps = end_ps,
        .loss = sums->loss_sum / sums->loss_count,
        .n_horizons = sums->n_horizons,
        .horizon = arena_array(course->training->arena, (size_t)sums->n_horizons + 1, sizeof *evaluation->horizon),
        .all = describe_metrics(&total),
    };
    for (int h = 0; h < sums->n_horizons; h++)
        evaluation->horizon[h] = describe_metrics(&sums->row[h]);
}

/* The test or the validation set, minibatch by minibatch, on the devices of the mode of now. */
static enum status run_set(struct course *course, int validation, struct step_result *result, struct fault *fault)
{
    const struct training *training = course->training;
    const struct windows_shape *shape = training->windows ? windows_shape(training->windows) : NULL;
    int64_t n = !shape ? 0 : validation ? shape->n_validation : shape->n_test;
    int64_t minibatch = training->job->train.minibatch, n_runs = (n + minibatch - 1) / minibatch;
    struct arena *arena = arena_new();
    uint32_t *samples = arena_array(arena, (size_t)minibatch + 1, sizeof *samples);
    int program = course_mode(course) == SWITCH_LOW ? PROGRAM_LOW_EVALUATE : PROGRAM_EVALUATE;
    enum status status = STATUS_OK;
    int timing_only = course->options->timing_only;
    for (int64_t first = 0; first < n && status == STATUS_OK; first += minibatch) {
        struct step_record record = {.program = (uint32_t)program,
                                     .validation = (uint32_t)validation,
                                     .repeat = timing_only ? (uint64_t)n_runs : 1};
        record.n_samples = (uint32_t)(n - first < minibatch ? n - first : minibatch);
        for (uint32_t s = 0; s < record.n_samples; s++)
            samples[s] = (uint32_t)first + s;
        status = executor_step(course->executor, &record, samples, NULL, result, fault);
        course_note(course, result);
        if (timing_only)
            break;
        if (status == STATUS_OK && course->interrupts > 1)
            status = course_leave(course, fault);
    }
    if (n_runs)
        course_advance(course, (wide_uint)n_runs * course->program_energy_fj[program], result);
    arena_free(arena);
    return status;
}

enum status course_evaluate(struct course *course, int64_t step, struct fault *fault)
{
    struct step_result result = {0};
    struct metric_sums sums = {0};
    int timing_only = course->options->timing_only;
    enum status status = run_set(course, 0, &result, fault);
    if (status == STATUS_OK && !timing_only)
        status = executor_metrics(course->executor, &sums, fault);
    if (status == STATUS_OK && !timing_only)
        record_evaluation(course, step, result.end_ps, &sums);
    return status;
}

enum status course_validate(struct course *course, double *loss, struct fault *fault)
{
    struct step_result result = {0};
    struct metric_sums sums = {0};
    enum status status = run_set(course, 1, &result, fault);
    if (status == STATUS_OK)
        status = executor_metrics(course->executor, &sums, fault);
    *loss = sums.loss_sum / sums.loss_count;
    return status == STATUS_OK ? comm_broadcast(course->training->comm, loss, sizeof *loss, fault) : status;
}
