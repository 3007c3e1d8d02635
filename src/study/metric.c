#include "study/metric.h"

#include <math.h>
#include <string.h>

#include "base/nearest.h"
#include "report/result.h"
#include "store/h5.h"

/* The first come from a training run, in the order of `training`; the latencies are the rows of /summary/time_s. */
#define TRAIN METRIC_TRAIN
#define SERVE METRIC_SERVE
#define BOTH (METRIC_TRAIN | METRIC_SERVE)
#define LATENCY(name, of)                                                                                              \
    {#name "_mean_s", "s", SERVE, 0, "mean of the " of}, {#name "_p50_s", "s", SERVE, 0, "median of the " of},         \
        {#name "_p90_s", "s", SERVE, 0, "90th percentile of the " of},                                                 \
        {#name "_p95_s", "s", SERVE, 0, "95th percentile of the " of},                                                 \
        {#name "_p99_s", "s", SERVE, 0, "99th percentile of the " of},                                                 \
    {                                                                                                                  \
#name "_max_s", "s", SERVE, 0, "largest of the " of                                                            \
    }

enum { N_LATENCIES = 5, N_STATISTICS = 6 };

/* The order of the table. */
enum {
    VIRTUAL_TIME,
    ENERGY,
    MEAN_POWER,
    ENERGY_DELAY,
    STEPS,
    STEP_TIME,
    FLOPS,
    FLOP_RATE,
    TRAIN_LOSS,
    TEST_LOSS,
    TEST_MAE,
    TEST_RMSE,
    TEST_MAPE,
    TEST_NSE,
    PARAMETERS,
    TRAINABLE,
    SWITCH_STEP,
    HANDOVERS,
    CELL_WRITES,
    ENERGY_PER_TOKEN,
    OUTPUT_TOKENS,
    OUTPUT_RATE,
    TOTAL_RATE,
    REQUEST_RATE,
    SLO_SHARE,
    GOODPUT,
    ITERATIONS,
    PREEMPTIONS,
    RECOMPUTED,
    FIRST_LATENCY,
    N_METRICS = FIRST_LATENCY + N_LATENCIES * N_STATISTICS
};

/* clang-format off */
static const struct metric table[N_METRICS] = {
    [VIRTUAL_TIME] = {"virtual_time_s", "s", BOTH, 1, "virtual time of the run"},
    [ENERGY] = {"energy_j", "J", BOTH, 1, "energy of all devices, stand-by included"},
    [MEAN_POWER] = {"mean_power_w", "W", BOTH, 0, "energy / virtual time"},
    [ENERGY_DELAY] = {"energy_delay_js", "J s", BOTH, 0, "energy x virtual time"},
    [STEPS] = {"steps", "1", TRAIN, 0, "training steps"},
    [STEP_TIME] = {"step_time_s", "s", TRAIN, 0, "virtual time / steps"},
    [FLOPS] = {"flops", "1", TRAIN, 0, "floating-point operations of the run"},
    [FLOP_RATE] = {"achieved_flop_per_s", "1/s", TRAIN, 0, "flops / virtual time"},
    [TRAIN_LOSS] = {"train_loss", "1", TRAIN, 0, "loss of the last step"},
    [TEST_LOSS] = {"test_loss", "1", TRAIN, 1, "loss on the test set at the end"},
    [TEST_MAE] = {"test_mae", "data", TRAIN, 0, "mean absolute error on the test set, in the data's unit"},
    [TEST_RMSE] = {"test_rmse", "data", TRAIN, 1, "root mean square error on the test set, in the data's unit"},
    [TEST_MAPE] = {"test_mape_percent", "%", TRAIN, 0, "mean absolute percentage error on the test set"},
    [TEST_NSE] = {"test_nse", "1", TRAIN, 0, "Nash-Sutcliffe efficiency on the test set"},
    [PARAMETERS] = {"n_parameters", "1", TRAIN, 0, "parameters of the model"},
    [TRAINABLE] = {"n_trainable", "1", TRAIN, 0, "trained parameters"},
    [SWITCH_STEP] = {"switch_step", "1", TRAIN, 0, "last step before the first low-parameter phase"},
    [HANDOVERS] = {"handovers", "1", TRAIN, 0, "handovers of weights to the low-parameter mode"},
    [CELL_WRITES] = {"cell_writes", "1", TRAIN, 0, "programmings of ReRAM cells"},
    [ENERGY_PER_TOKEN] = {"energy_per_output_token_j", "J", SERVE, 1, "energy / generated tokens"},
    [OUTPUT_TOKENS] = {"output_tokens", "1", SERVE, 0, "generated tokens"},
    [OUTPUT_RATE] = {"output_tokens_per_s", "1/s", SERVE, 1, "generated tokens / virtual time"},
    [TOTAL_RATE] = {"total_tokens_per_s", "1/s", SERVE, 0, "tokens of prompts and answers / virtual time"},
    [REQUEST_RATE] = {"requests_per_s", "1/s", SERVE, 0, "requests / virtual time"},
    [SLO_SHARE] = {"slo_share", "1", SERVE, 0, "share of requests within every limit of serve.slo"},
    [GOODPUT] = {"goodput_requests_per_s", "1/s", SERVE, 0, "those requests / virtual time"},
    [ITERATIONS] = {"n_iterations", "1", SERVE, 0, "iterations of all instances"},
    [PREEMPTIONS] = {"n_preemptions", "1", SERVE, 0, "preemptions"},
    [RECOMPUTED] = {"recomputed_tokens", "1", SERVE, 0, "tokens computed once more after preemptions"},
    [FIRST_LATENCY] = LATENCY(queue, "time in the queue"), LATENCY(ttft, "time to the first token"),
    LATENCY(tpot, "time per token after the first"), LATENCY(itl, "time between tokens"),
    LATENCY(e2e, "time to the last token"),
};
/* clang-format on */

const struct metric *metrics(int *n)
{
    _Static_assert(N_METRICS <= (int)MAX_METRICS, "room for all metrics");
    *n = N_METRICS;
    return table;
}

enum status metric_find(const char *name, int of, struct arena *arena, int *index, struct fault *fault)
{
    const char *names[N_METRICS];
    size_t n = 0;
    for (int m = 0; m < N_METRICS; m++) {
        if (!(table[m].of & of))
            continue;
        if (strcmp(table[m].name, name) == 0) {
            *index = m;
            return STATUS_OK;
        }
        names[n++] = table[m].name;
    }
    const char *near = nearest_word(name, names, n);
    return fault_set(fault, STATUS_USAGE, "expected a metric of a run that %s, found '%s'%s",
                     of == METRIC_SERVE ? "serves" : "trains", name,
                     near ? arena_printf(arena, " (did you mean '%s'?)", near) : "");
}

const char *metric_file(int serves)
{
    return serves ? "serving.h5" : "result.h5";
}

static void set_common(double *value, double time_s, double energy_j)
{
    value[VIRTUAL_TIME] = time_s;
    value[ENERGY] = energy_j;
    value[MEAN_POWER] = energy_j / time_s;
    value[ENERGY_DELAY] = energy_j * time_s;
}

static void set_evaluation(double *value, const struct run_evaluation *last)
{
    value[TEST_LOSS] = last->loss;
    value[TEST_MAE] = last->all.mae;
    value[TEST_RMSE] = last->all.rmse;
    value[TEST_MAPE] = last->all.mape_percent;
    value[TEST_NSE] = last->all.nse;
}

static enum status read_training(const char *path, struct arena *arena, double *value, struct fault *fault)
{
    struct run run;
    if (result_read(path, arena, &run, fault))
        return fault->status;
    double time_s = (double)run.end_ps * 1e-12, writes = 0;
    set_common(value, time_s, run_energy_j(&run));
    value[STEPS] = (double)run.steps;
    value[STEP_TIME] = time_s / (double)run.steps;
    value[FLOPS] = (double)run.flops;
    value[FLOP_RATE] = (double)run.flops / time_s;
    if (run.n_steps > 0)
        value[TRAIN_LOSS] = run.step[run.n_steps - 1].loss;
    if (run.n_evaluations > 0)
        set_evaluation(value, &run.evaluation[run.n_evaluations - 1]);
    value[PARAMETERS] = (double)run.n_parameters;
    value[TRAINABLE] = (double)run.n_trainable;
    if (run_switch_step(&run) >= 0)
        value[SWITCH_STEP] = (double)run_switch_step(&run);
    for (int c = 0; c < run.n_cells; c++)
        writes += (double)run.cells[c].cell_writes;
    if (run.n_modes > 0) {
        value[HANDOVERS] = (double)run.handover.n;
        value[CELL_WRITES] = writes;
    }
    return STATUS_OK;
}

static void get_number(struct h5 *file, const char *name, double *value, struct fault *fault)
{
    if (fault->status == STATUS_OK)
        h5_get_double(file, "/", name, value, fault);
}

static enum status read_serving_file(struct h5 *file, double *value, struct fault *fault)
{
    static const struct {
        const char *name;
        int metric;
    } attributes[] = {
        {"energy_per_output_token_j", ENERGY_PER_TOKEN},
        {"output_tokens", OUTPUT_TOKENS},
        {"output_tokens_per_s", OUTPUT_RATE},
        {"total_tokens_per_s", TOTAL_RATE},
        {"requests_per_s", REQUEST_RATE},
        {"n_iterations", ITERATIONS},
        {"n_preemptions", PREEMPTIONS},
        {"recomputed_tokens", RECOMPUTED},
    };
    double time_s = NAN, energy_j = NAN;
    get_number(file, "virtual_time_s", &time_s, fault);
    get_number(file, "energy_j", &energy_j, fault);
    set_common(value, time_s, energy_j);
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        get_number(file, attributes[i].name, &value[attributes[i].metric], fault);
    if (h5_has_attribute(file, "/", "slo_share")) {
        get_number(file, "slo_share", &value[SLO_SHARE], fault);
        get_number(file, "goodput_requests_per_s", &value[GOODPUT], fault);
    }
    if (fault->status == STATUS_OK)
        h5_read(file, "/summary/time_s", H5_FLOAT64, N_LATENCIES * N_STATISTICS, &value[FIRST_LATENCY], fault);
    return fault->status;
}

enum status metric_read(const char *folder, int serves, struct arena *arena, double *value, struct fault *fault)
{
    const char *path = arena_printf(arena, "%s/%s", folder, metric_file(serves));
    struct h5 *file;
    for (int m = 0; m < MAX_METRICS; m++)
        value[m] = NAN;
    if (!serves)
        return read_training(path, arena, value, fault);
    if (h5_open(path, &file, fault) == STATUS_OK) {
        read_serving_file(file, value, fault);
        h5_close(file);
    }
    return fault->status;
}
