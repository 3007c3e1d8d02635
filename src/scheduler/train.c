#include "scheduler/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/progress.h"
#include "base/rng.h"
#include "scheduler/describe.h"

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

static enum status open_local(struct training *training, int timing_only, struct fault *fault)
{
    struct job *job = training->job;
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
        status = check_length(training, fault);
    if (status == STATUS_OK)
        status = build_plan(job, &training->config, &training->machine, training->arena, &training->plan, fault);
    return status;
}

enum status training_open(struct comm *comm, struct job *job, int timing_only, struct arena *arena,
                          struct training *training, struct fault *fault)
{
    memset(training, 0, sizeof *training);
    training->comm = comm;
    training->job = job;
    training->arena = arena;
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

/* State of a run under way. */
struct progress_of_run {
    struct training *training;
    const struct training_options *options;
    struct executor *executor;
    struct training_result *result;
    struct progress progress;
    wide_uint program_energy_fj[N_PROGRAMS]; /* one run, all devices */
    wide_uint energy_fj;
    uint32_t *order; /* of the training samples in this epoch */
    int64_t epoch;   /* whose order it is; -1 at first */
    double start_s;
    int stopped;
};

static wide_uint program_energy_fj(const struct plan *plan, int id)
{
    wide_uint energy_fj = 0;
    for (int d = 0; d < plan->n_devices; d++)
        for (int i = 0; i < plan->programs[id][d].n_instrs; i++)
            for (int p = 0; p < N_ENERGY_PARTS; p++)
                energy_fj += plan->programs[id][d].instrs[i].cost.energy_fj[p];
    return energy_fj;
}

static const uint32_t *minibatch_samples(struct progress_of_run *state, int64_t step)
{
    const struct training *training = state->training;
    int64_t epoch_steps = training_epoch_steps(training), epoch = (step - 1) / epoch_steps;
    if (epoch != state->epoch) {
        struct rng_key key = rng_key(training->job->train.seed, RNG_SHUFFLE, (uint32_t)epoch);
        rng_permutation(key, 0, (uint32_t)windows_shape(training->windows)->n_train, state->order);
        state->epoch = epoch;
    }
    return state->order + (step - 1) % epoch_steps * training->job->train.minibatch;
}

static void record_step(struct progress_of_run *state, int64_t step, uint64_t end_ps, double loss)
{
    struct run *run = &state->result->run;
    state->energy_fj += state->program_energy_fj[PROGRAM_TRAIN];
    run->step[run->n_steps++] =
        (struct run_step){step, loss, training_learning_rate(state->training, step), end_ps, joules(state->energy_fj)};
}

static int out_of_time(const struct progress_of_run *state)
{
    return state->options->max_wall_s > 0 && wall_s() - state->start_s > state->options->max_wall_s;
}

static enum status train_step(struct progress_of_run *state, int64_t step, struct fault *fault)
{
    const struct training *training = state->training;
    struct step_record record = {
        .program = PROGRAM_TRAIN,
        .step = (uint32_t)step,
        .n_samples = (uint32_t)training->job->train.minibatch,
        .stop = (uint32_t)out_of_time(state),
        .repeat = 1,
        .learning_rate = training_learning_rate(training, step),
    };
    struct step_result result;
    enum status status = executor_step(state->executor, &record, minibatch_samples(state, step), NULL, &result, fault);
    if (status != STATUS_OK)
        return status;
    state->stopped = result.stopped;
    if (result.stopped)
        return STATUS_OK;
    double loss = result.loss_sum / result.loss_count;
    if (!isfinite(result.loss_sum))
        return fault_set(
            fault, STATUS_FAILED,
            "the loss is not finite at step %lld: lower train.optimiser.learning_rate or set train.clip_norm",
            (long long)step);
    record_step(state, step, result.end_ps, loss);
    char note[64];
    snprintf(note, sizeof note, "loss %.4g", loss);
    progress_show(&state->progress, (uint64_t)step, note);
    return STATUS_OK;
}

/* Steps first .. last without tensors: one call, so that repetitions cost nothing. */
static enum status time_steps(struct progress_of_run *state, int64_t first, int64_t last, struct fault *fault)
{
    uint64_t n = (uint64_t)(last - first + 1);
    uint64_t *end_ps = arena_array(state->training->arena, n, sizeof *end_ps);
    struct step_record record = {.program = PROGRAM_TRAIN, .step = (uint32_t)first, .repeat = n};
    struct step_result result;
    enum status status = executor_step(state->executor, &record, NULL, end_ps, &result, fault);
    for (uint64_t i = 0; i < n && status == STATUS_OK; i++)
        record_step(state, first + (int64_t)i, end_ps[i], NAN);
    return status;
}

static void record_evaluation(struct progress_of_run *state, int64_t step, uint64_t end_ps,
                              const struct metric_sums *sums)
{
    struct run *run = &state->result->run;
    struct run_evaluation *evaluation = &run->evaluation[run->n_evaluations++];
    struct metric_row total = metric_total(sums);
    *evaluation = (struct run_evaluation){
        .step = step,
        .time_ps = end_ps,
        .loss = sums->loss_sum / sums->loss_count,
        .n_horizons = sums->n_horizons,
        .horizon = arena_array(state->training->arena, (size_t)sums->n_horizons + 1, sizeof *evaluation->horizon),
        .all = describe_metrics(&total),
    };
    for (int h = 0; h < sums->n_horizons; h++)
        evaluation->horizon[h] = describe_metrics(&sums->row[h]);
}

/* The test set, minibatch by minibatch. */
static enum status evaluate(struct progress_of_run *state, int64_t step, struct fault *fault)
{
    const struct training *training = state->training;
    int64_t n_test = training->windows ? windows_shape(training->windows)->n_test : 0;
    int64_t minibatch = training->job->train.minibatch, n_runs = (n_test + minibatch - 1) / minibatch;
    uint32_t *samples = arena_array(training->arena, (size_t)minibatch + 1, sizeof *samples);
    struct step_result result = {0};
    enum status status = STATUS_OK;
    int timing_only = state->options->timing_only;
    for (int64_t first = 0; first < n_test && status == STATUS_OK; first += minibatch) {
        struct step_record record = {.program = PROGRAM_EVALUATE, .repeat = timing_only ? (uint64_t)n_runs : 1};
        record.n_samples = (uint32_t)(n_test - first < minibatch ? n_test - first : minibatch);
        for (uint32_t s = 0; s < record.n_samples; s++)
            samples[s] = (uint32_t)first + s;
        status = executor_step(state->executor, &record, samples, NULL, &result, fault);
        if (timing_only)
            break;
    }
    state->energy_fj += (wide_uint)n_runs * state->program_energy_fj[PROGRAM_EVALUATE];
    struct metric_sums sums = {0};
    if (status == STATUS_OK && !timing_only)
        status = executor_metrics(state->executor, &sums, fault);
    if (status == STATUS_OK && !timing_only)
        record_evaluation(state, step, result.end_ps, &sums);
    return status;
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

static enum status train(struct progress_of_run *state, struct fault *fault)
{
    const struct training *training = state->training;
    int64_t last = training_steps(training);
    enum status status = STATUS_OK;
    for (int64_t step = 0; step < last && status == STATUS_OK && !state->stopped;) {
        int64_t until = next_evaluation(training, step);
        if (state->options->timing_only) {
            status = time_steps(state, step + 1, until, fault);
            step = until;
        }
        for (; step < until && status == STATUS_OK && !state->stopped; step += !state->stopped)
            status = train_step(state, step + 1, fault);
        if (status == STATUS_OK)
            status = evaluate(state, step, fault);
    }
    return status;
}

static enum status gather_weights(struct progress_of_run *state, struct fault *fault)
{
    struct training *training = state->training;
    struct run *run = &state->result->run;
    const struct program *program = &training->plan.programs[PROGRAM_TRAIN][0];
    run->parameter = arena_array(training->arena, (size_t)program->n_slots, sizeof *run->parameter);
    for (int s = 0; s < program->n_slots; s++) {
        const struct slot *slot = &program->slots[s];
        if (!describe_is_parameter(program, s))
            continue;
        void *values = NULL;
        enum status status = executor_fetch(state->executor, training->arena, 0, PROGRAM_TRAIN, s, &values, fault);
        if (status != STATUS_OK)
            return status;
        struct run_parameter *parameter = &run->parameter[run->n_parameters_stored++];
        *parameter = (struct run_parameter){.name = slot->name, .n_dims = slot->n_dims};
        memcpy(parameter->dims, slot->dims, sizeof parameter->dims);
        if (training->plan.format == FORMAT_FP64)
            parameter->values64 = values;
        else
            parameter->values = values;
    }
    return STATUS_OK;
}

static enum status gather(struct progress_of_run *state, struct fault *fault)
{
    struct training *training = state->training;
    struct training_result *result = state->result;
    struct ledger *ledgers = NULL;
    struct mark *marks = NULL;
    enum status status = executor_ledgers(state->executor, training->arena, &ledgers, fault);
    if (status == STATUS_OK)
        status = executor_marks(state->executor, training->arena, &marks, &result->n_marks, fault);
    if (status == STATUS_OK && !state->options->timing_only)
        status = gather_weights(state, fault);
    if (status == STATUS_OK && training->job->output.predictions && !state->options->timing_only)
        status = describe_predictions(training, state->executor, &result->run, fault);
    result->marks = marks;
    if (status == STATUS_OK && ledgers)
        describe_ledgers(training, ledgers, &result->run);
    return status;
}

static void start(struct progress_of_run *state)
{
    struct training *training = state->training;
    struct run *run = &state->result->run;
    size_t steps = (size_t)training_steps(training);
    memset(state->result, 0, sizeof *state->result);
    training_describe(training, run);
    run->timing_only = state->options->timing_only;
    run->step = arena_array(training->arena, steps + 1, sizeof *run->step);
    run->evaluation = arena_array(training->arena, steps + 1, sizeof *run->evaluation);
    for (int id = 0; id < N_PROGRAMS; id++)
        state->program_energy_fj[id] = program_energy_fj(&training->plan, id);
    if (training->windows)
        state->order =
            arena_array(training->arena, (size_t)windows_shape(training->windows)->n_train + 1, sizeof *state->order);
    state->epoch = -1;
    state->start_s = wall_s();
    progress_start(&state->progress, "train", "samples", steps, (double)training->job->train.minibatch,
                   state->options->quiet || comm_rank(training->comm) != 0);
}

enum status training_run(struct training *training, const struct training_options *options,
                         struct training_result *result, struct fault *fault)
{
    struct progress_of_run state = {.training = training, .options = options, .result = result};
    start(&state);
    struct executor_options executor_options = {
        .timing_only = options->timing_only,
        .keep_predictions = training->job->output.predictions,
        .seed = training->job->train.seed,
        .trace_steps = training->job->output.trace ? TRACE_STEPS : 0,
    };
    enum status status = executor_open(training->comm, &training->plan, training->machine.specs, training->windows,
                                       &executor_options, &state.executor, fault);
    if (status != STATUS_OK)
        return status;
    status = train(&state, fault);
    progress_end(&state.progress);
    if (status == STATUS_OK)
        status = gather(&state, fault);
    result->wall = executor_wall(state.executor);
    result->wall_s = wall_s() - state.start_s;
    result->traced_steps = TRACE_STEPS;
    result->run.stopped_early = state.stopped;
    result->run.steps = result->run.n_steps;
    executor_close(state.executor);
    return status;
}
