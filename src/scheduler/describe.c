#include "scheduler/describe.h"

#include <math.h>
#include <string.h>

#include "model/baseline.h"

static int64_t parameter_elements(const struct program *program, int trained_only)
{
    int64_t elements = 0;
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].is_weight && (!trained_only || program->slots[s].is_trained))
            elements += program->slots[s].elements;
    return elements;
}

/* "width 8, alpha 64, dropout 0 on q v" */
static const char *adapter_text(const struct training *training)
{
    struct arena *arena = training->arena;
    struct job_adapter adapter = training->job->train.adapter;
    struct adapter_config filled_in;
    const char *targets = "", *width = "auto";
    build_adapter_config(&adapter, &filled_in);
    if (adapter.width != JOB_UNSET)
        width = arena_printf(arena, "%lld", (long long)adapter.width);
    for (int i = 0; i < adapter.targets.n; i++)
        targets = arena_printf(arena, "%s %s", targets, adapter.targets.value[i]);
    return arena_printf(arena, "width %s, alpha %g, dropout %g on%s%s%s", width, adapter.alpha, adapter.dropout,
                        targets, adapter.train_norms ? ", norms trained" : "",
                        strcmp(adapter.init, "svd") == 0 ? ", started from the weights' singular vectors" : "");
}

/* What train.mode and the low-parameter mode add to the model, or nothing. */
static const char *mode_text(const struct training *training)
{
    const struct job_train *train = &training->job->train;
    if (family_adapter(&training->config)->kind != ADAPTER_NONE)
        return arena_printf(training->arena, "; mode %s: %s", train->mode, adapter_text(training));
    if (strcmp(train->mode, "did") == 0 || strcmp(train->mode, "said") == 0)
        return arena_printf(training->arena, "; mode %s: the layers in %lld random dimensions%s", train->mode,
                            (long long)train->intrinsic_dim,
                            strcmp(train->mode, "said") == 0 ? ", a scale for each layer among them" : "");
    return training->matrices ? arena_printf(training->arena, "; low mode: adapters of %s", adapter_text(training))
                              : "";
}

void training_describe(const struct training *training, struct run *run)
{
    const struct job *job = training->job;
    const struct program *program = &training->plan.programs[PROGRAM_TRAIN][training->first_gpu];
    run->name = job->name;
    run->config = job_print(training->arena, job);
    run->model_text =
        arena_printf(training->arena, "%s%s%s", family_text(&training->config, job->model.preset, training->arena),
                     mode_text(training), job->data.as_published ? ", target as published" : "");
    run->placement_text = describe_placement(training);
    run->n_parameters = parameter_elements(program, 0);
    run->n_trainable = parameter_elements(program, 1);
    if (training->windows) {
        const struct windows_shape *shape = windows_shape(training->windows);
        run->target = shape->target;
        run->units = shape->units;
        run->n_train = shape->n_train;
        run->n_test = shape->n_test;
        run->n_outputs = shape->outputs;
    }
    run->n_devices = training->plan.n_devices;
    run->device = arena_array(training->arena, (size_t)run->n_devices, sizeof *run->device);
    for (int d = 0; d < run->n_devices; d++) {
        const struct device_spec *spec = &training->machine.specs[d];
        run->device[d] = (struct run_device){
            .name = spec->name,
            .kind = spec->kind,
            .profile = spec->profile,
            .node = spec->node,
            .memory_bytes = describe_memory_bytes(training, d),
            .capacity_bytes = training->plan.capacity_bytes[d],
        };
    }
    describe_modes(training, run);
}

void describe_ledgers(const struct training *training, const struct ledger *ledgers, struct run *run)
{
    (void)training;
    run->flops = 0;
    for (int d = 0; d < run->n_devices; d++) {
        run->device[d].ledger = ledgers[d];
        for (int c = 0; c < N_KERNEL_CLASSES; c++)
            run->flops += ledgers[d].entry[c].flops;
        run->end_ps = ledgers[d].end_ps;
    }
    for (int c = 0; c < run->n_cells; c++)
        run->cells[c].cell_writes = run->device[run->cells[c].device].ledger.entry[CLASS_PROGRAM].cell_writes;
}

static enum status fill_observations(const struct training *training, struct run *run, float *observation,
                                     struct fault *fault)
{
    const struct windows_shape *shape = windows_shape(training->windows);
    size_t x_elements = (size_t)(shape->tokens * shape->features), outputs = (size_t)shape->outputs;
    float *x = arena_array(training->arena, x_elements, sizeof *x);
    float *mask = arena_array(training->arena, outputs, sizeof *mask);
    for (int64_t s = 0; s < run->n_test; s++) {
        float *row = observation + (size_t)s * outputs;
        enum status status = windows_sample(training->windows, WINDOWS_TEST, s, 4, x, row, mask, fault);
        if (status != STATUS_OK)
            return status;
        for (size_t o = 0; o < outputs; o++)
            row[o] =
                mask[o] != 0 ? (float)windows_to_units(training->windows, (int64_t)o % shape->stations, row[o]) : NAN;
    }
    return STATUS_OK;
}

enum status describe_predictions(const struct training *training, struct executor *executor, struct run *run,
                                 struct fault *fault)
{
    float *predictions = NULL;
    enum status status =
        executor_predictions(executor, training->arena, run->n_test, run->n_outputs, &predictions, fault);
    if (status != STATUS_OK)
        return status;
    if (predictions) {
        float *observation =
            arena_array(training->arena, (size_t)(run->n_test * run->n_outputs) + 1, sizeof *observation);
        fill_observations(training, run, observation, fault);
        run->n_predictions = run->n_test;
        run->prediction = predictions;
        run->observation = observation;
    }
    return agree(training->comm, 1, fault);
}

struct run_metrics describe_metrics(const struct metric_row *row)
{
    struct run_metrics metrics = {metric_mae(row), metric_rmse(row), metric_mape_percent(row), metric_nse(row),
                                  (int64_t)row->count};
    return metrics;
}

static void fill_baseline(struct arena *arena, const struct baseline *from, struct run_baseline *to)
{
    struct metric_row total = metric_total(&from->sums);
    to->name = arena_string(arena, from->name);
    to->n_horizons = from->sums.n_horizons;
    to->horizon = arena_array(arena, (size_t)to->n_horizons + 1, sizeof *to->horizon);
    for (int h = 0; h < to->n_horizons; h++)
        to->horizon[h] = describe_metrics(&from->sums.row[h]);
    to->all = describe_metrics(&total);
}

enum status describe_baselines(const struct training *training, struct run *run, struct fault *fault)
{
    const struct windows_shape *shape = windows_shape(training->windows);
    struct arena *arena = training->arena;
    float *values = arena_array(arena, (size_t)(shape->n_rows * shape->stations), sizeof *values);
    enum status status = windows_target(training->windows, values, fault);
    if (status != STATUS_OK)
        return status;
    struct baseline_problem problem = {
        .values = values,
        .n_rows = shape->n_rows,
        .n_stations = shape->stations,
        .test_first_row = shape->test_first_row,
        .test_last_row = shape->test_last_row,
        .window = training->job->data.window,
        .window_within_test = 1,
        .horizon = shape->horizon,
        .period_rows = baseline_period(windows_step_s(training->windows)),
    };
    struct baseline *table = arena_array(arena, BASELINE_MAX, sizeof *table);
    int n = 0;
    status = baseline_compute(&problem, table, &n, fault);
    if (status != STATUS_OK)
        return status;
    run->baseline = arena_array(arena, (size_t)n + 1, sizeof *run->baseline);
    run->n_baselines = n;
    for (int b = 0; b < n; b++)
        fill_baseline(arena, &table[b], &run->baseline[b]);
    return STATUS_OK;
}
