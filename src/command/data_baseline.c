#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/data.h"
#include "model/baseline.h"
#include "report/table.h"
#include "store/dataset.h"

struct baseline_input {
    struct fault *fault;
    const char *path, *target, *test_from, *test_to;
    int64_t first_row, last_row; /* -1: not given */
    double fraction;             /* 0: not given */
    struct baseline_problem problem;
    int64_t period; /* -1: what suits the step */
};

enum {
    KEY_WINDOW = 256,
    KEY_HORIZON,
    KEY_TEST_ROWS,
    KEY_TEST_FRACTION,
    KEY_TEST_FROM,
    KEY_TEST_TO,
    KEY_PERIOD,
    KEY_AR,
    KEY_VAR,
    KEY_LAMBDA,
    KEY_ACROSS
};

static const struct argp_option options[] = {
    {"target", 't', "NAME", 0, "variable (default: the only one)", 0},
    {"window", KEY_WINDOW, "ROWS", 0, "rows a prediction may know (default 12)", 0},
    {"horizon", KEY_HORIZON, "ROWS", 0, "rows ahead (default 1)", 0},
    {"test-rows", KEY_TEST_ROWS, "A..B", 0, "rows to predict, from 0", 1},
    {"test-from", KEY_TEST_FROM, "TIME", 0, "the first time to predict", 1},
    {"test-to", KEY_TEST_TO, "TIME", 0, "the last time to predict (default the end)", 1},
    {"test-fraction", KEY_TEST_FRACTION, "F", 0, "the last part of the rows (default 0.2)", 1},
    {"across-border", KEY_ACROSS, NULL, 0, "predict the first test rows too, from the rows before them", 1},
    {"period", KEY_PERIOD, "ROWS", 0, "rows of a season (default: a day, a week, a year, by the step); 0: none", 2},
    {"ar", KEY_AR, "P", 0, "order of the AR of each station (default 12, at most the window)", 2},
    {"var", KEY_VAR, "Q", 0, "order of the ridge VAR of all stations (default 3, at most the window)", 2},
    {"lambda", KEY_LAMBDA, "L", 0, "ridge per training row, on z-scores (default 0.045)", 2},
    {0}};

static enum status take_positive(const char *option, const char *text, double most, double *value, struct fault *fault)
{
    char *end;
    *value = strtod(text, &end);
    if (end == text || *end || !(*value > 0 && *value < most))
        return fault_set(fault, STATUS_USAGE, "--%s: expected a number in (0, %g), found \"%s\"", option, most, text);
    return STATUS_OK;
}

static enum status take(struct baseline_input *input, int key, const char *arg)
{
    struct baseline_problem *p = &input->problem;
    switch (key) {
    case KEY_WINDOW:
        return data_whole("window", arg, 1, &p->window, input->fault);
    case KEY_HORIZON:
        return data_whole("horizon", arg, 1, &p->horizon, input->fault);
    case KEY_TEST_ROWS:
        return data_range("test-rows", arg, &input->first_row, &input->last_row, input->fault);
    case KEY_TEST_FRACTION:
        return take_positive("test-fraction", arg, 1, &input->fraction, input->fault);
    case KEY_PERIOD:
        return data_whole("period", arg, 0, &input->period, input->fault);
    case KEY_AR:
        return data_whole("ar", arg, 1, &p->ar_order, input->fault);
    case KEY_VAR:
        return data_whole("var", arg, 1, &p->var_order, input->fault);
    default:
        return take_positive("lambda", arg, 1e12, &p->ridge_lambda, input->fault);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct baseline_input *input = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (input->path)
            return ARGP_ERR_UNKNOWN;
        input->path = arg;
        return 0;
    case 't':
        input->target = arg;
        return 0;
    case KEY_TEST_FROM:
        input->test_from = arg;
        return 0;
    case KEY_TEST_TO:
        input->test_to = arg;
        return 0;
    case KEY_ACROSS:
        input->problem.window_within_test = 0;
        return 0;
    case KEY_WINDOW:
    case KEY_HORIZON:
    case KEY_TEST_ROWS:
    case KEY_TEST_FRACTION:
    case KEY_PERIOD:
    case KEY_AR:
    case KEY_VAR:
    case KEY_LAMBDA:
        return take(input, key, arg) ? EINVAL : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options,
                                 parse,
                                 "FILE",
                                 "What simple methods reach on a data set, in data units: the numbers a model has to "
                                 "beat. They are fitted on the rows "
                                 "outside of the test rows.\v"
                                 "example:\n"
                                 "  polyrank data baseline wind.h5 --window 12 --horizon 3 --test-rows 480..2119",
                                 NULL,
                                 NULL,
                                 NULL};

static enum status find_target(const struct dataset *dataset, const struct baseline_input *input, int *variable,
                               struct fault *fault)
{
    if (!input->target && dataset_n_series(dataset) != 1)
        return fault_set(fault, STATUS_USAGE, "%s has %d variables over time: name one with --target", input->path,
                         dataset_n_series(dataset));
    *variable = 0;
    if (input->target && dataset_find(dataset, input->target, variable, fault) != STATUS_OK)
        return fault->status;
    if (*variable >= dataset_n_series(dataset))
        return fault_set(fault, STATUS_USAGE, "--target: %s does not change with time", input->target);
    return STATUS_OK;
}

static enum status find_rows(const struct dataset *dataset, struct baseline_input *input, struct fault *fault)
{
    struct baseline_problem *p = &input->problem;
    int ways = (input->first_row >= 0) + (input->test_from || input->test_to) + (input->fraction > 0);
    if (ways > 1)
        return fault_set(fault, STATUS_USAGE,
                         "expected only one of --test-rows, --test-fraction and --test-from with --test-to");
    p->n_rows = dataset_n_rows(dataset);
    p->n_stations = dataset_n_stations(dataset);
    p->test_first_row = input->first_row;
    p->test_last_row = input->first_row >= 0 ? input->last_row : p->n_rows - 1;
    double fraction = input->fraction > 0 ? input->fraction : 0.2;
    if (input->first_row < 0)
        p->test_first_row = p->n_rows - (int64_t)(fraction * (double)p->n_rows);
    if (input->test_from || input->test_to)
        p->test_first_row = 0;
    if (input->test_from && dataset_find_time(dataset, input->test_from, 0, &p->test_first_row, fault) != STATUS_OK)
        return fault->status;
    if (input->test_to && dataset_find_time(dataset, input->test_to, 1, &p->test_last_row, fault) != STATUS_OK)
        return fault->status;
    p->period_rows = input->period >= 0 ? input->period : baseline_period(dataset_step_s(dataset));
    return STATUS_OK;
}

static void add_row(struct text_table *table, const char *name, const char *horizon, const struct metric_row *row)
{
    text_table_row(table);
    text_table_cell(table, "%s", name);
    text_table_cell(table, "%s", horizon);
    if (row->count < 1) {
        for (int i = 0; i < 4; i++)
            text_table_cell(table, "-");
        return;
    }
    text_table_cell(table, "%.4f", metric_mae(row));
    text_table_cell(table, "%.4f", metric_rmse(row));
    text_table_cell(table, row->relative_count > 0 ? "%.2f" : "-", metric_mape_percent(row));
    text_table_cell(table, isnan(metric_nse(row)) ? "-" : "%.4f", metric_nse(row));
}

static void print_table(const struct baseline *table, int n, const char *units, struct arena *arena)
{
    struct text_table *text = text_table_new(arena);
    char horizon[32];
    text_table_column(text, ALIGN_LEFT, "method", NULL);
    text_table_column(text, ALIGN_RIGHT, "ahead", "rows");
    text_table_column(text, ALIGN_RIGHT, "MAE", units);
    text_table_column(text, ALIGN_RIGHT, "RMSE", units);
    text_table_column(text, ALIGN_RIGHT, "MAPE", "%");
    text_table_column(text, ALIGN_RIGHT, "NSE", NULL);
    for (int b = 0; b < n; b++) {
        for (int h = 0; h < table[b].sums.n_horizons; h++) {
            snprintf(horizon, sizeof horizon, "%d", h + 1);
            add_row(text, table[b].name, horizon, &table[b].sums.row[h]);
        }
        struct metric_row total = metric_total(&table[b].sums);
        if (table[b].sums.n_horizons > 1)
            add_row(text, table[b].name, "all", &total);
    }
    text_table_print(text, stdout, TABLE_WIDTH);
}

static enum status compute(struct dataset *dataset, struct baseline_input *input, int variable, struct arena *arena,
                           struct fault *fault)
{
    struct baseline_problem *p = &input->problem;
    struct baseline *table = arena_array(arena, BASELINE_MAX, sizeof *table);
    void *values;
    int n;
    enum status status = block_new(&values, (size_t)(p->n_rows * p->n_stations) * sizeof(float), fault);
    if (status != STATUS_OK)
        return status;
    status = dataset_read_rows(dataset, variable, 0, p->n_rows, values, NULL, fault);
    p->values = values;
    if (status == STATUS_OK)
        status = baseline_compute(p, table, &n, fault);
    block_free(values);
    if (status != STATUS_OK)
        return status;
    const struct dataset_variable *v = dataset_variable(dataset, variable);
    printf("%s of %s: window %lld, test rows %lld..%lld of %lld, %.0f values\n", v->name, input->path,
           (long long)p->window, (long long)p->test_first_row, (long long)p->test_last_row, (long long)p->n_rows,
           metric_total(&table[0].sums).count);
    print_table(table, n, v->units, arena);
    return STATUS_OK;
}

enum status data_baseline(struct arena *arena, int argc, char **argv, struct fault *fault)
{
    struct baseline_input input = {.fault = fault,
                                   .first_row = -1,
                                   .last_row = -1,
                                   .period = -1,
                                   .problem = {.window = 12, .horizon = 1, .window_within_test = 1}};
    struct dataset *dataset;
    int done, variable = 0;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (!input.path)
        return fault_set(fault, STATUS_USAGE, "data baseline: expected a file");
    status = dataset_open(input.path, &dataset, fault);
    if (status != STATUS_OK)
        return status;
    status = find_target(dataset, &input, &variable, fault);
    if (status == STATUS_OK)
        status = find_rows(dataset, &input, fault);
    if (status == STATUS_OK)
        status = compute(dataset, &input, variable, arena, fault);
    dataset_close(dataset);
    return status;
}
