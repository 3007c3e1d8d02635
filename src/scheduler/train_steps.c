/* train_steps.c - the steps of a run: which samples, what the devices do, what is recorded. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "scheduler/train_private.h"

static const uint32_t *minibatch_samples(struct course *course, int64_t step)
{
    const struct training *training = course->training;
    int64_t epoch_steps = training_epoch_steps(training), epoch = (step - 1) / epoch_steps;
    if (epoch != course->epoch) {
        struct rng_key key = rng_key(training->job->train.seed, RNG_SHUFFLE, (uint32_t)epoch);
        rng_permutation(key, 0, (uint32_t)windows_shape(training->windows)->n_train, course->order);
        course->epoch = epoch;
    }
    return course->order + (step - 1) % epoch_steps * training->job->train.minibatch;
}

static void record_step(struct course *course, int64_t step, double loss)
{
    struct run *run = &course->result->run;
    run->step[run->n_steps++] = (struct run_step){step, loss, training_learning_rate(course->training, step),
                                                  course->now_ps, joules(course_energy_fj(course))};
}

/* The adapters may learn at a rate of their own; the schedule is the same. */
static double learning_rate(const struct training *training, int program, int64_t step)
{
    const struct job_train *train = &training->job->train;
    double rate = training_learning_rate(training, step);
    if (program == PROGRAM_LOW && train->adapter.learning_rate > 0)
        rate *= train->adapter.learning_rate / train->optimiser.learning_rate;
    return rate;
}

static struct step_record step_of(const struct course *course, int program, int64_t step)
{
    return (struct step_record){
        .program = (uint32_t)program,
        .step = (uint32_t)step,
        .state_since = (uint32_t)(program == PROGRAM_LOW ? course->low_since : course->full_since),
        .repeat = 1,
        .learning_rate = learning_rate(course->training, program, step),
    };
}

/* One step of one arm. */
static enum status run_arm(struct course *course, int program, int64_t step, double *loss, struct fault *fault)
{
    struct step_record record = step_of(course, program, step);
    record.n_samples = (uint32_t)course->training->job->train.minibatch;
    record.wish = course_wish(course);
    struct step_result result;
    enum status status =
        executor_step(course->executor, &record, minibatch_samples(course, step), NULL, &result, fault);
    if (status != STATUS_OK)
        return status;
    course_note(course, &result);
    if (!isfinite(result.loss_sum))
        return fault_set(fault, STATUS_FAILED, "the loss is not finite at step %lld: lower %s or set train.clip_norm",
                         (long long)step,
                         program == PROGRAM_LOW && course->training->job->train.adapter.learning_rate > 0
                             ? "train.adapter.learning_rate"
                             : "train.optimiser.learning_rate");
    *loss = result.loss_sum / result.loss_count;
    course_advance(course, course->program_energy_fj[program], &result);
    return STATUS_OK;
}

enum status course_step(struct course *course, int64_t step, struct fault *fault)
{
    enum switch_state mode = course_mode(course);
    double loss_full = NAN, loss_low = NAN;
    enum status status = STATUS_OK;
    if (mode != SWITCH_LOW)
        status = run_arm(course, PROGRAM_TRAIN, step, &loss_full, fault);
    if (mode != SWITCH_FULL && status == STATUS_OK)
        status = run_arm(course, PROGRAM_LOW, step, &loss_low, fault);
    if (status != STATUS_OK)
        return status;
    double loss = mode == SWITCH_LOW ? loss_low : loss_full;
    record_step(course, step, loss);
    char note[64];
    snprintf(note, sizeof note, "loss %.4g%s", loss,
             mode == SWITCH_FULL    ? ""
             : mode == SWITCH_TRIAL ? ", trial"
                                    : ", low mode");
    progress_show(&course->progress, (uint64_t)step, note);
    return modes_after_step(course, step, loss_full, loss_low, fault);
}

/* n steps of one arm. end[i] becomes the later of what it was and the end of the i-th; its stand-by energy grows by
 * what this arm's devices add until then to that before (other devices stand still meanwhile). */
static enum status time_arm(struct course *course, int program, int64_t first, uint64_t n, struct step_end *end,
                            struct fault *fault)
{
    struct step_end *arm = arena_array(course->training->arena, n, sizeof *arm);
    wide_int before_fj = course->standby.fixed_fj;
    struct step_record record = step_of(course, program, first);
    record.repeat = n;
    struct step_result result;
    record.wish = course_wish(course);
    enum status status = executor_step(course->executor, &record, NULL, arm, &result, fault);
    course_note(course, &result);
    for (uint64_t i = 0; i < n && status == STATUS_OK; i++) {
        end[i].end_ps = arm[i].end_ps > end[i].end_ps ? arm[i].end_ps : end[i].end_ps;
        end[i].standby_fixed_fj += arm[i].standby_fixed_fj - before_fj;
    }
    course->standby = result.standby;
    return status;
}

/* The arms of a trial run on devices of their own: one after the other here, side by side in virtual time. */
enum status course_time_steps(struct course *course, int64_t first, int64_t last, struct fault *fault)
{
    uint64_t n = (uint64_t)(last - first + 1);
    struct step_end *end = arena_array(course->training->arena, n, sizeof *end);
    wide_int begin_fj = course->standby.fixed_fj;
    enum switch_state mode = course_mode(course);
    wide_uint step_fj = 0;
    enum status status = STATUS_OK;
    if (mode != SWITCH_LOW) {
        status = time_arm(course, PROGRAM_TRAIN, first, n, end, fault);
        step_fj += course->program_energy_fj[PROGRAM_TRAIN];
    }
    if (mode != SWITCH_FULL && status == STATUS_OK) {
        status = time_arm(course, PROGRAM_LOW, first, n, end, fault);
        step_fj += course->program_energy_fj[PROGRAM_LOW];
    }
    for (uint64_t i = 0; i < n && status == STATUS_OK; i++) {
        struct step_result result = {.end_ps = end[i].end_ps,
                                     .standby = {begin_fj + end[i].standby_fixed_fj, course->standby.idle_mw}};
        course_advance(course, step_fj, &result);
        record_step(course, first + (int64_t)i, NAN);
        status = modes_after_step(course, first + (int64_t)i, NAN, NAN, fault);
    }
    return status;
}
