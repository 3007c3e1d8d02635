/* train_modes.c - full and low-parameter mode: what the controller needs to know, and what it decides, done. */
#include <math.h>
#include <string.h>

#include "scheduler/describe.h"
#include "scheduler/predict.h"
#include "scheduler/train_private.h"

enum status modes_open(struct course *course, struct fault *fault)
{
    struct training *training = course->training;
    struct job *job = training->job;
    int has_no_low = job->placement.chosen && strcmp(job->placement.chosen, "gpu-only") == 0;
    if (has_no_low || strcmp(job->train.mode_switch.policy, "never") == 0)
        return STATUS_OK;
    if (!training->matrices)
        return fault_set(fault, STATUS_USAGE,
                         "%s: train.switch.policy: expected never, because placement.policy is %s and has no "
                         "low-parameter mode, found %s",
                         job->source, job->placement.policy, job->train.mode_switch.policy);
    struct job_adapter open_keys = job->train.adapter;
    struct adapter_config adapter;
    build_adapter_config(&open_keys, &adapter);
    struct switch_setting setting = {
        .epoch_steps = training_epoch_steps(training),
        .total_steps = training_steps(training),
        .layers = (int)family_layers(&training->config),
        .width = (int)training->adapter_width,
        .most_width = (int)family_narrow_side(&training->config, adapter.targets),
        .chooses_width = job->train.adapter.width == JOB_UNSET,
        .timing_only = course->options->timing_only,
        .assume_earliest = course->options->assume_switch,
    };
    struct switch_config *config = &course->switch_config;
    enum status status = switch_config_from_job(job, &setting, config, fault);
    if (status == STATUS_OK)
        course->mode_switch = switch_new(config, training->arena);
    return status;
}

static void open_phase(struct course *course, int64_t first_step)
{
    struct run *run = &course->result->run;
    run->phase = arena_grown(course->training->arena, run->phase, (size_t)run->n_phases, sizeof *run->phase);
    course->even_since = first_step - 1;
    run->phase[run->n_phases++] = (struct run_phase){
        .name = switch_state_name(course_mode(course)),
        .first_step = first_step,
        .time_ps = course->now_ps, /* its start, until close_phase */
        .energy_fj = course_energy_fj(course),
    };
}

/* A phase without a step (the full mode of a run that switches at once) is none. What it took nevertheless (the
 * recovery from a fault on which the next one follows at once, or the end) is told with the one before. */
static void close_phase(struct course *course, int64_t last_step)
{
    struct run *run = &course->result->run;
    struct run_phase *phase = &run->phase[run->n_phases - 1];
    phase->last_step = last_step;
    phase->time_ps = course->now_ps - phase->time_ps;
    phase->energy_fj = course_energy_fj(course) - phase->energy_fj;
    if (last_step >= phase->first_step)
        return;
    run->n_phases--;
    if (run->n_phases > 0) {
        phase[-1].time_ps += phase->time_ps;
        phase[-1].energy_fj += phase->energy_fj;
    }
}

/* Between two steps: weights go over to the devices of the other mode. */
static enum status carry_weights(struct course *course, int program, int64_t step, struct fault *fault)
{
    struct step_record record = {
        .program = (uint32_t)program, .step = (uint32_t)step, .not_before_ps = course->now_ps, .repeat = 1};
    struct step_result result;
    if (program == PROGRAM_HANDOVER)
        record.generation = ++course->generation;
    enum status status = executor_step(course->executor, &record, NULL, NULL, &result, fault);
    if (status != STATUS_OK)
        return status;
    struct run *run = &course->result->run;
    uint64_t begin_ps = course->now_ps;
    wide_uint begin_fj = course_energy_fj(course);
    course_advance(course, course->program_energy_fj[program], &result);
    struct run_handover *told = program == PROGRAM_HANDOVER ? &run->handover
                                : program == PROGRAM_RETURN ? &run->way_back
                                                            : NULL;
    if (told) {
        told->n++;
        told->energy_fj += course_energy_fj(course) - begin_fj;
        told->time_ps += course->now_ps - begin_ps;
    }
    describe_writes(course->training, program, run);
    if (program != PROGRAM_REPAIR)
        *(program == PROGRAM_HANDOVER ? &course->low_since : &course->full_since) = step;
    return status;
}

enum status modes_carry(struct course *course, int program, struct fault *fault)
{
    return carry_weights(course, program, course->step, fault);
}

void modes_disturb(struct course *course, int loss, const char *reason)
{
    course->even_since = course->step;
    if (!course->mode_switch)
        return;
    if (loss >= 0)
        switch_lose(course->mode_switch, (enum switch_loss)loss, reason);
    close_phase(course, course->step);
    open_phase(course, course->step + 1);
}

/* The costs that the check at this window's end asks. */
static enum status price_window(struct course *course, const struct switch_window *window, struct fault *fault)
{
    struct mode_switch *sw = course->mode_switch;
    enum status status = STATUS_OK;
    for (int width; status == STATUS_OK && (width = switch_lacks_costs(sw, window)) > 0;) {
        struct switch_costs costs;
        status = predict_costs_of_width(course->training, width, course->switch_config.window_steps, &costs, fault);
        if (status == STATUS_OK)
            switch_set_costs(sw, width, &costs);
    }
    return status;
}

/* The next adapters are of another width: so are the programs of the low-parameter mode. */
static enum status change_width(struct course *course, int width, struct fault *fault)
{
    const struct replan replan = {
        .n_struck = course->n_struck, .n_cells_struck = course->n_struck, .adapter_width = width};
    struct next_plan next;
    enum status status = replan_build(course, &replan, &next, fault);
    return status == STATUS_OK ? replan_begin(course, &replan, &next, fault) : status;
}

/* From a trial there is nothing to bring back: the full arm went on all the time, the copy is forgotten. */
static enum status return_to_full(struct course *course, int64_t step, struct fault *fault)
{
    int n;
    const struct switch_record *log = switch_log(course->mode_switch, &n);
    return log[n - 1].before == SWITCH_LOW ? carry_weights(course, PROGRAM_RETURN, step, fault) : STATUS_OK;
}

/* Step `step` was the last before the decision. */
static enum status act(struct course *course, const struct switch_decision *decision, int64_t step, struct fault *fault)
{
    if (decision->action == SWITCH_CONTINUE)
        return STATUS_OK;
    close_phase(course, step);
    open_phase(course, step + 1);
    if (decision->action == SWITCH_RETURN_TO_FULL)
        return return_to_full(course, step, fault);
    enum status status = STATUS_OK;
    if (decision->width != course->training->adapter_width)
        status = change_width(course, decision->width, fault);
    return status == STATUS_OK ? carry_weights(course, PROGRAM_HANDOVER, step, fault) : status;
}

enum { WANTS_WEIGHTS = SWITCH_WANTS_DISPLACEMENT | SWITCH_WANTS_DRIFT | SWITCH_WANTS_CAPTURED };

/* A run that assumes the earliest switch (a plan's) has no weights to look at. */
static int wanted(const struct course *course)
{
    return course->options->assume_switch ? 0 : switch_wants(course->mode_switch);
}

static enum status begin_window(struct course *course, struct fault *fault)
{
    int wants = wanted(course);
    return wants & WANTS_WEIGHTS ? movement_begin(course->movement, fault) : STATUS_OK;
}

void modes_watch(struct course *course)
{
    if (course->mode_switch)
        course->movement = movement_open(course->training, course->executor, &course->switch_config);
}

enum status modes_begin(struct course *course, struct fault *fault)
{
    if (!course->mode_switch || course->step > 0) /* restored: it has begun before */
        return STATUS_OK;
    open_phase(course, 1);
    struct switch_decision decision = switch_begin(course->mode_switch);
    enum status status = act(course, &decision, 0, fault);
    return status == STATUS_OK ? begin_window(course, fault) : status;
}

void modes_close(struct course *course)
{
    movement_close(course->movement);
}

/* What the controller wants to know at a window's end, and what it decides. */
static enum status end_window(struct course *course, struct switch_decision *decision, struct fault *fault)
{
    struct switch_window window = {.displacement = NAN};
    int wants = wanted(course);
    enum status status = STATUS_OK;
    if (wants & WANTS_WEIGHTS)
        status = movement_end(course->movement, wants, &window, fault);
    if (wants & SWITCH_WANTS_VALIDATION && status == STATUS_OK)
        status = course_validate(course, &window.validation_loss, fault);
    if (status == STATUS_OK)
        status = price_window(course, &window, fault);
    if (status == STATUS_OK)
        *decision = switch_observe_window(course->mode_switch, &window);
    return status;
}

enum status modes_after_step(struct course *course, int64_t step, double loss_full, double loss_low,
                             struct fault *fault)
{
    struct mode_switch *sw = course->mode_switch;
    if (!sw)
        return STATUS_OK;
    struct switch_decision decision = switch_observe_step(sw, step, loss_full, loss_low);
    if (!switch_window_is_full(sw))
        return act(course, &decision, step, fault);
    enum status status = end_window(course, &decision, fault);
    if (status == STATUS_OK)
        status = act(course, &decision, step, fault);
    return status == STATUS_OK ? begin_window(course, fault) : status;
}

int64_t modes_known_until(const struct course *course, int64_t step, int64_t until)
{
    int64_t known = course->mode_switch ? switch_known_steps(course->mode_switch) : INT64_MAX;
    return known < until - step ? step + known : until;
}

void modes_describe(struct course *course)
{
    if (!course->mode_switch)
        return;
    close_phase(course, course->result->run.n_steps);
    switch_describe(course->mode_switch, course->training->arena, &course->result->run.mode_switch);
}
