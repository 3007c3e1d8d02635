#include "scheduler/predict.h"

#include "base/wide.h"

enum { RUNS = 3 };

struct prediction {
    uint64_t time_ps;
    wide_uint work_fj, standby_fj;
};

/* Virtual time of one run more. */
static enum status measure(const struct training *training, const struct plan *plan, int program, uint64_t *time_ps,
                           struct fault *fault)
{
    struct executor_options options = {.timing_only = 1, .seed = training->job->train.seed};
    struct executor *executor;
    enum status status = executor_open(training->comm, plan, training->machine.specs, NULL, &options, &executor, fault);
    if (status != STATUS_OK)
        return status;
    struct step_record record = {.program = (uint32_t)program, .step = 1, .repeat = RUNS};
    struct step_result result;
    struct step_end end[RUNS];
    status = executor_step(executor, &record, NULL, end, &result, fault);
    executor_close(executor);
    if (status == STATUS_OK)
        *time_ps = end[RUNS - 1].end_ps - end[RUNS - 2].end_ps;
    return status;
}

static wide_uint work_of(const struct program *program, uint64_t *compute_ps)
{
    wide_uint energy_fj = 0;
    *compute_ps = 0;
    for (int i = 0; i < program->n_instrs; i++) {
        const struct instr *instr = &program->instrs[i];
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            energy_fj += instr->cost.energy_fj[p];
        if (instr->engine == ENGINE_COMPUTE)
            *compute_ps += instr->cost.time_ps;
    }
    return energy_fj;
}

/* A device that computes nothing in a program idles through it. */
static uint64_t standby_mw(const struct training *training, int device, int computes)
{
    const struct device *backend = training->machine.backends[device];
    const void *state = training->machine.states[device];
    return computes ? backend->wait_power_mw(state)
                    : device_idle_power_mw(backend, state, &training->machine.specs[device]);
}

static enum status predict(const struct training *training, const struct plan *plan, int program,
                           struct prediction *prediction, struct fault *fault)
{
    *prediction = (struct prediction){0};
    enum status status = measure(training, plan, program, &prediction->time_ps, fault);
    for (int d = 0; d < plan->n_devices && status == STATUS_OK; d++) {
        uint64_t compute_ps;
        prediction->work_fj += work_of(&plan->programs[program][d], &compute_ps);
        if (compute_ps < prediction->time_ps) /* mW ps = fJ */
            prediction->standby_fj +=
                (wide_uint)standby_mw(training, d, compute_ps > 0) * (prediction->time_ps - compute_ps);
    }
    return status;
}

/* Costs are compared in 64 bits. */
static uint64_t narrow(wide_uint value)
{
    return value > UINT64_MAX ? UINT64_MAX : (uint64_t)value;
}

enum status predict_costs(const struct training *training, const struct plan *plan, int64_t trial_steps,
                          struct switch_costs *costs, struct fault *fault)
{
    struct prediction full, low, handover;
    enum status status = predict(training, plan, PROGRAM_TRAIN, &full, fault);
    if (status == STATUS_OK)
        status = predict(training, plan, PROGRAM_LOW, &low, fault);
    if (status == STATUS_OK)
        status = predict(training, plan, PROGRAM_HANDOVER, &handover, fault);
    if (status != STATUS_OK)
        return status;
    wide_uint steps = (wide_uint)trial_steps, longer_ps = handover.time_ps, standby = 0;
    if (low.time_ps > full.time_ps)
        longer_ps += steps * (low.time_ps - full.time_ps);
    for (int d = 0; d < plan->n_devices; d++)
        standby += standby_mw(training, d, 1);
    *costs = (struct switch_costs){
        .full_ps = full.time_ps,
        .low_ps = low.time_ps,
        .trial_ps = narrow(longer_ps),
        .program_ps = handover.time_ps,
        .full_fj = narrow(full.work_fj + full.standby_fj),
        .low_fj = narrow(low.work_fj + low.standby_fj),
        .trial_fj = narrow(handover.work_fj + steps * low.work_fj + longer_ps * standby),
        .program_fj = narrow(handover.work_fj + handover.standby_fj),
    };
    return status;
}

enum status predict_costs_of_width(const struct training *training, int64_t width, int64_t trial_steps,
                                   struct switch_costs *costs, struct fault *fault)
{
    if (width == training->adapter_width)
        return predict_costs(training, &training->plan, trial_steps, costs, fault);
    const struct build_standing standing = {.adapter_width = width};
    struct arena *arena = arena_new();
    struct plan plan;
    struct matrices *matrices;
    enum status status =
        build_plan(training->job, &training->config, &training->machine, &standing, arena, &plan, &matrices, fault);
    if (status == STATUS_OK)
        status = predict_costs(training, &plan, trial_steps, costs, fault);
    arena_free(arena);
    return status;
}
