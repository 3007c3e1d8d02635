#include "scheduler/predict.h"

#include "base/wide.h"

enum { RUNS = 3 };

struct prediction {
    uint64_t time_ps;
    wide_uint work_fj, standby_fj;
};

/* One run more, in the steady state. */
static enum status predict(const struct training *training, const struct plan *plan, int program,
                           struct prediction *prediction, struct fault *fault)
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
    if (status != STATUS_OK)
        return status;
    const struct step_end *last = &end[RUNS - 1];
    prediction->time_ps = last->end_ps - last[-1].end_ps;
    prediction->work_fj = plan_energy_fj(plan, program);
    prediction->standby_fj = (wide_uint)(last->standby_fixed_fj - last[-1].standby_fixed_fj +
                                         (wide_int)result.standby.idle_mw * prediction->time_ps);
    return STATUS_OK;
}

/* All devices of the machine, waiting. */
static wide_uint waiting_mw(const struct training *training)
{
    wide_uint sum = 0;
    for (int d = 0; d < training->machine.n_devices; d++)
        sum += training->machine.backends[d]->wait_power_mw(training->machine.states[d]);
    return sum;
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
    wide_uint steps = (wide_uint)trial_steps, longer_ps = handover.time_ps;
    if (low.time_ps > full.time_ps)
        longer_ps += steps * (low.time_ps - full.time_ps);
    *costs = (struct switch_costs){
        .full_ps = full.time_ps,
        .low_ps = low.time_ps,
        .trial_ps = narrow(longer_ps),
        .program_ps = handover.time_ps,
        .full_fj = narrow(full.work_fj + full.standby_fj),
        .low_fj = narrow(low.work_fj + low.standby_fj),
        .trial_fj = narrow(handover.work_fj + steps * low.work_fj + longer_ps * waiting_mw(training)),
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
