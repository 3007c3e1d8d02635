/* train_modes.c - full and low-parameter mode: what the controller needs to know, and what it decides, done. */
#include <math.h>
#include <string.h>

#include "scheduler/train_private.h"

enum switch_state course_mode(const struct course *course)
{
    return course->mode_switch ? switch_state(course->mode_switch) : SWITCH_FULL;
}

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
    struct switch_setting setting = {
        .epoch_steps = training_epoch_steps(training),
        .total_steps = training_steps(training),
        .layers = (int)training->config.encoder.layers,
        .width = (int)job->train.adapter.width,
        .timing_only = course->options->timing_only,
        .assume_earliest = course->options->assume_switch,
    };
    struct switch_config config;
    enum status status = switch_config_from_job(job, &setting, &config, fault);
    if (status == STATUS_OK)
        course->mode_switch = switch_new(&config, training->arena);
    return status;
}

static void open_phase(struct course *course, int64_t first_step)
{
    struct run *run = &course->result->run;
    int n = run->n_phases;
    if ((n & (n - 1)) == 0) { /* room for a power of two */
        struct run_phase *larger = arena_array(course->training->arena, 2 * (size_t)n + 1, sizeof *larger);
        if (n)
            memcpy(larger, run->phase, (size_t)n * sizeof *larger);
        run->phase = larger;
    }
    run->phase[run->n_phases++] = (struct run_phase){
        .name = switch_state_name(course_mode(course)),
        .first_step = first_step,
        .time_ps = course->now_ps, /* its start, until close_phase */
        .energy_fj = course->energy_fj,
    };
}

/* A phase without a step (the full mode of a run that switches at once) is none. */
static void close_phase(struct course *course, int64_t last_step)
{
    struct run *run = &course->result->run;
    struct run_phase *phase = &run->phase[run->n_phases - 1];
    phase->last_step = last_step;
    phase->time_ps = course->now_ps - phase->time_ps;
    phase->energy_fj = course->energy_fj - phase->energy_fj;
    if (last_step < phase->first_step)
        run->n_phases--;
}

static enum status run_handover(struct course *course, int64_t step, struct fault *fault)
{
    struct step_record record = {
        .program = PROGRAM_HANDOVER, .step = (uint32_t)step, .repeat = 1, .generation = ++course->generation};
    struct step_result result;
    enum status status = executor_step(course->executor, &record, NULL, NULL, &result, fault);
    struct run_handover *told = &course->result->run.handover;
    course->low_since = step;
    course->energy_fj += course->program_energy_fj[PROGRAM_HANDOVER];
    told->n++;
    told->energy_fj += course->program_energy_fj[PROGRAM_HANDOVER];
    told->time_ps += result.end_ps > course->now_ps ? result.end_ps - course->now_ps : 0;
    course->now_ps = result.end_ps > course->now_ps ? result.end_ps : course->now_ps;
    return status;
}

/* Step `step` was the last before the decision. */
static enum status act(struct course *course, const struct switch_decision *decision, int64_t step,
                       struct fault *fault)
{
    switch (decision->action) {
    case SWITCH_CONTINUE:
        return STATUS_OK;
    case SWITCH_START_TRIAL:
    case SWITCH_RESTART_TRIAL:
    case SWITCH_ENTER_LOW:
        close_phase(course, step);
        open_phase(course, step + 1);
        return run_handover(course, step, fault);
    default:
        bug("the controller decides %s", switch_action_name(decision->action));
    }
}

enum status modes_begin(struct course *course, struct fault *fault)
{
    if (!course->mode_switch)
        return STATUS_OK;
    open_phase(course, 1);
    struct switch_decision decision = switch_begin(course->mode_switch);
    return act(course, &decision, 0, fault);
}

static const char *watched_name(const struct course *course)
{
    int64_t layer = course->training->job->train.mode_switch.watch_layer;
    return arena_printf(course->training->arena, "layers.%lld.attn.qkv.weight",
                        (long long)(layer < 0 ? course->training->config.encoder.layers - 1 : layer));
}

static int find_weight(const struct program *program, const char *name)
{
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].is_weight && strcmp(program->slots[s].name, name) == 0)
            return s;
    bug("there is no weight %s", name);
}

static double element(const void *values, int element_bytes, int64_t i)
{
    return element_bytes == 8 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

/* Frobenius norm of the change of Wq and Wv, the first and last third of the packed weight [3d, d]. */
static double displacement(const void *before, const void *after, int64_t d, int element_bytes)
{
    double sum = 0;
    for (int64_t i = 0; i < 3 * d * d; i++) {
        if (i / (d * d) == 1)
            continue;
        double change = element(after, element_bytes, i) - element(before, element_bytes, i);
        sum += change * change;
    }
    return sqrt(sum);
}

/* Collective. The norm on all ranks (NaN without a snapshot), and a new snapshot. */
static enum status watch(struct course *course, double *norm, struct fault *fault)
{
    struct training *training = course->training;
    const struct program *program = &training->plan.programs[PROGRAM_TRAIN][training->first_gpu];
    int slot = find_weight(program, watched_name(course));
    void *now = NULL;
    *norm = NAN;
    enum status status = executor_fetch(course->executor, training->arena, training->first_gpu, PROGRAM_TRAIN, slot,
                                        &now, fault);
    if (status != STATUS_OK)
        return status;
    int bytes = training->plan.format == FORMAT_FP64 ? 8 : 4;
    if (now && course->snapshot)
        *norm = displacement(course->snapshot, now, training->config.encoder.d_model, bytes);
    course->snapshot = now;
    return comm_broadcast(training->comm, norm, sizeof *norm, fault);
}

enum status modes_after_step(struct course *course, int64_t step, double loss_full, double loss_low,
                             struct fault *fault)
{
    struct mode_switch *sw = course->mode_switch;
    if (!sw)
        return STATUS_OK;
    struct switch_decision decision = switch_observe_step(sw, step, loss_full, loss_low);
    enum status status = STATUS_OK;
    if (switch_window_is_full(sw)) {
        struct switch_window window = {.displacement = NAN};
        if (switch_state(sw) == SWITCH_FULL && !course->options->assume_switch)
            status = watch(course, &window.displacement, fault);
        if (status != STATUS_OK)
            return status;
        decision = switch_observe_window(sw, &window);
    }
    return act(course, &decision, step, fault);
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
