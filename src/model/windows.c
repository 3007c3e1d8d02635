#include "model/windows.h"

#include <math.h>
#include <string.h>

#include "model/series.h"

enum { MAX_INPUTS = 64 };

struct windows {
    struct arena *arena;
    struct dataset *dataset;
    struct windows_config config;
    struct windows_shape shape;
    struct series *series[MAX_INPUTS + 1]; /* the inputs, then the target unless it is one of them */
    int n_series;
    int n_inputs;
    int target;                /* place of the target in series */
    int64_t n_before, n_after; /* training and validation samples before and after the test rows */
    int64_t first_validation;  /* among these */
};

static enum status add_series(struct windows *windows, const char *name, int *place, struct fault *fault)
{
    for (int i = 0; i < windows->n_series; i++)
        if (strcmp(series_name(windows->series[i]), name) == 0) {
            *place = i;
            return STATUS_OK;
        }
    if (windows->n_series > MAX_INPUTS)
        return fault_set(fault, STATUS_USAGE, "data.inputs: expected at most %d variables", MAX_INPUTS);
    *place = windows->n_series;
    enum status status = series_open(windows->arena, windows->dataset, name, &windows->series[*place], fault);
    windows->n_series += status == STATUS_OK;
    return status;
}

/* The one variable that changes with time, when there is just one. */
static const char *only_variable(const struct dataset *dataset, const char *path, struct fault *fault)
{
    if (dataset_n_series(dataset) == 1)
        return dataset_series_name(dataset, 0);
    fault_set(fault, STATUS_USAGE, "data.target: %s has %d variables: name one of them (polyrank data info lists them)",
              path, dataset_n_series(dataset));
    return NULL;
}

static enum status open_series(struct windows *windows, struct fault *fault)
{
    const struct windows_config *config = &windows->config;
    const char *target = config->target ? config->target : only_variable(windows->dataset, config->file, fault);
    int place;
    for (int i = 0; i < config->n_inputs && fault->status == STATUS_OK; i++)
        add_series(windows, config->inputs[i], &place, fault);
    if (fault->status != STATUS_OK)
        return fault->status;
    windows->n_inputs = windows->n_series;
    enum status status = add_series(windows, target, &windows->target, fault);
    if (status != STATUS_OK)
        return status;
    if (config->n_inputs == 0)
        windows->n_inputs = 1;
    if (series_is_static(windows->series[windows->target]))
        return fault_set(fault, STATUS_USAGE, "data.target: expected a variable that changes with time, found %s",
                         target);
    windows->shape.residual_possible = windows->target < windows->n_inputs && !config->nowcast;
    windows->shape.target = target;
    windows->shape.units = series_units(windows->series[windows->target]);
    return STATUS_OK;
}

/* First and last row whose values are targets of the test set. */
static enum status find_test_rows(struct windows *windows, struct fault *fault)
{
    const struct windows_config *config = &windows->config;
    struct windows_shape *shape = &windows->shape;
    int64_t rows = shape->n_rows;
    shape->test_first_row = config->test_rows[0];
    shape->test_last_row = config->test_rows[1];
    if (config->test_time[0]) {
        for (int i = 0; i < 2; i++) {
            int64_t *row = i == 0 ? &shape->test_first_row : &shape->test_last_row;
            enum status status = dataset_find_time(windows->dataset, config->test_time[i], i == 1, row, fault);
            if (status != STATUS_OK)
                return status;
        }
    } else if (config->test_rows[0] < 0) {
        shape->test_first_row = rows - (int64_t)(config->test_fraction * (double)rows);
        shape->test_last_row = rows - 1;
    }
    if (shape->test_first_row < 0 || shape->test_last_row < shape->test_first_row || shape->test_last_row >= rows)
        return fault_set(fault, STATUS_USAGE, "data.test_rows: expected rows of %s within 0..%lld, found %lld..%lld",
                         config->file, (long long)(rows - 1), (long long)shape->test_first_row,
                         (long long)shape->test_last_row);
    return STATUS_OK;
}

static int64_t at_least_zero(int64_t n)
{
    return n > 0 ? n : 0;
}

/* The last samples are for validation; those right before them, which share rows with them, are for nothing. */
static enum status split_validation(struct windows *windows, struct fault *fault)
{
    const struct windows_config *config = &windows->config;
    struct windows_shape *shape = &windows->shape;
    int64_t n = shape->n_train, overlap = config->window + config->horizon - 1;
    shape->n_validation = (int64_t)(config->validation_fraction * (double)n);
    windows->first_validation = n - shape->n_validation;
    if (config->validation_fraction == 0)
        return STATUS_OK;
    shape->n_train = at_least_zero(windows->first_validation - overlap);
    if (shape->n_validation > 0 && shape->n_train > 0)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE,
                     "data.validation_fraction: expected a part of the %lld training samples that leaves some on both "
                     "sides of it, found %g",
                     (long long)n, config->validation_fraction);
}

/* Target rows of a sample: r .. r+horizon-1, its inputs r-window .. r-1. */
static enum status count_samples(struct windows *windows, struct fault *fault)
{
    const struct windows_config *config = &windows->config;
    struct windows_shape *shape = &windows->shape;
    int64_t window = config->window, horizon = config->horizon, first = shape->test_first_row,
            last = shape->test_last_row;
    shape->n_test = at_least_zero(last - horizon + 1 - (first + window) + 1);
    windows->n_before = at_least_zero(first - horizon - window + 1);
    windows->n_after = at_least_zero(shape->n_rows - horizon - (last + 1 + window) + 1);
    shape->n_train = windows->n_before + windows->n_after;
    if (shape->n_test < 1)
        return fault_set(fault, STATUS_USAGE,
                         "data: no test sample: window %lld and horizon %lld do not fit test rows %lld..%lld",
                         (long long)window, (long long)horizon, (long long)first, (long long)last);
    if (shape->n_train < 1)
        return fault_set(
            fault, STATUS_USAGE,
            "data: no training sample: window %lld and horizon %lld do not fit the %lld rows outside of the test set",
            (long long)window, (long long)horizon, (long long)(shape->n_rows - (last - first + 1)));
    return split_validation(windows, fault);
}

static enum status fit_series(struct windows *windows, struct fault *fault)
{
    static const char *const words[] = {"none", "station", "global"};
    enum series_scale scale = SERIES_RAW;
    for (int i = 0; i < 3; i++)
        if (strcmp(windows->config.normalise, words[i]) == 0)
            scale = (enum series_scale)i;
    for (int i = 0; i < windows->n_series; i++) {
        enum status status =
            series_fit(windows->series[i], scale, windows->shape.test_first_row, windows->shape.test_last_row, fault);
        if (status != STATUS_OK)
            return status;
        windows->shape.masked |= series_has_missing(windows->series[i]) && i == windows->target;
    }
    return STATUS_OK;
}

/* Whether a token is a station at a time step. */
static int is_grid(const struct windows *windows)
{
    return windows->config.layout == WINDOWS_GRID || windows->config.layout == WINDOWS_JOINT;
}

/* Features of input i of a token: its window, or one value when it does not change with time. */
static int64_t input_width(const struct windows *windows, int i)
{
    int once = series_is_static(windows->series[i]) && !is_grid(windows);
    return once ? 1 : windows->config.window;
}

/* How many times of the day there are. */
static enum status count_slots(struct windows *windows, struct fault *fault)
{
    const int64_t day_s = 86400, step_s = dataset_step_s(windows->dataset);
    int64_t *slots = &windows->shape.slots;
    *slots = windows->config.slots;
    if (*slots == 0 && dataset_time(windows->dataset, 0) == DATASET_NO_TIME)
        return fault_set(fault, STATUS_USAGE,
                         "data.slots: the rows of %s have no time stamps: expected the number of rows of a day",
                         windows->config.file);
    if (*slots == 0)
        *slots = step_s > 0 && step_s < day_s ? (day_s + step_s - 1) / step_s : 1;
    return STATUS_OK;
}

/* A token is a station at a time step, its features the inputs. */
static enum status shape_grid(struct windows *windows, struct fault *fault)
{
    struct windows_shape *shape = &windows->shape;
    int64_t window = windows->config.window;
    shape->tokens = window * shape->stations;
    shape->features = windows->n_inputs;
    shape->last_offset = (window - 1) * shape->stations * shape->features;
    shape->last_stride = shape->features;
    if (windows->config.layout == WINDOWS_JOINT) {
        shape->last_offset += windows->target;
        return STATUS_OK;
    }
    shape->residual_possible = windows->target == 0;
    return count_slots(windows, fault);
}

static enum status shape_tensors(struct windows *windows, struct fault *fault)
{
    struct windows_shape *shape = &windows->shape;
    int64_t width = 0, target_at = 0, window = windows->config.window;
    int temporal = windows->config.layout == WINDOWS_TEMPORAL;
    shape->horizon = windows->config.horizon;
    shape->outputs = shape->horizon * shape->stations;
    shape->channels = windows->n_inputs;
    if (is_grid(windows))
        return shape_grid(windows, fault);
    for (int i = 0; i < windows->n_inputs; i++) {
        if (temporal && series_is_static(windows->series[i]))
            return fault_set(fault, STATUS_USAGE,
                             "data.inputs: %s does not change with time: temporal attention cannot use it",
                             series_name(windows->series[i]));
        if (i == windows->target)
            target_at = width;
        width += temporal ? shape->stations : input_width(windows, i);
    }
    shape->tokens = temporal ? window : shape->stations;
    shape->features = width;
    shape->last_offset = temporal ? (window - 1) * width + target_at : target_at + window - 1;
    shape->last_stride = temporal ? 1 : width;
    return STATUS_OK;
}

enum status windows_open(const struct windows_config *config, struct windows **out, struct fault *fault)
{
    struct arena *arena = arena_new();
    struct windows *windows = arena_take(arena, sizeof *windows);
    windows->arena = arena;
    windows->config = *config;
    enum status status = dataset_open(config->file, &windows->dataset, fault);
    if (status == STATUS_OK) {
        windows->shape.n_rows = dataset_n_rows(windows->dataset);
        windows->shape.stations = dataset_n_stations(windows->dataset);
        windows->shape.latitude = dataset_latitude(windows->dataset);
        windows->shape.longitude = dataset_longitude(windows->dataset);
        status = open_series(windows, fault);
    }
    if (status == STATUS_OK)
        status = find_test_rows(windows, fault);
    if (status == STATUS_OK)
        status = count_samples(windows, fault);
    if (status == STATUS_OK)
        status = shape_tensors(windows, fault);
    if (status == STATUS_OK)
        status = fit_series(windows, fault);
    if (status == STATUS_OK)
        *out = windows;
    else
        windows_close(windows);
    return status;
}

void windows_close(struct windows *windows)
{
    if (!windows)
        return;
    dataset_close(windows->dataset);
    for (int i = 0; i < windows->n_series; i++)
        series_close(windows->series[i]);
    arena_free(windows->arena);
}

const struct windows_shape *windows_shape(const struct windows *windows)
{
    return &windows->shape;
}

int64_t windows_row(const struct windows *windows, enum window_set set, int64_t sample)
{
    const struct windows_shape *shape = &windows->shape;
    int64_t window = windows->config.window;
    if (set == WINDOWS_TEST)
        return shape->test_first_row + window + sample;
    if (set == WINDOWS_VALIDATION)
        sample += windows->first_validation;
    if (sample < windows->n_before)
        return window + sample;
    return shape->test_last_row + 1 + window + sample - windows->n_before;
}

/* First input row of a sample whose first target row is `target_row`. */
static int64_t first_input_row(const struct windows *windows, int64_t target_row)
{
    return target_row - windows->config.window + (windows->config.nowcast != 0);
}

static void put(void *to, int element_bytes, int64_t i, double value)
{
    if (element_bytes == 8)
        ((double *)to)[i] = value;
    else
        ((float *)to)[i] = (float)value;
}

/* Input i, `steps` rows from `first` on; element (row k, station s) goes to at + k * row_stride + s * station_stride.
 */
static enum status put_input(struct windows *windows, int i, int64_t first, int64_t steps, int64_t at,
                             int64_t row_stride, int64_t station_stride, int element_bytes, void *x,
                             struct fault *fault)
{
    for (int64_t k = 0; k < steps; k++) {
        const float *row;
        enum status status =
            series_row(windows->series[i], series_is_static(windows->series[i]) ? 0 : first + k, &row, fault);
        if (status != STATUS_OK)
            return status;
        for (int64_t s = 0; s < windows->shape.stations; s++)
            put(x, element_bytes, at + k * row_stride + s * station_stride, isnan(row[s]) ? 0 : row[s]);
    }
    return STATUS_OK;
}

static enum status put_inputs(struct windows *windows, int64_t first_row, int element_bytes, void *x,
                              struct fault *fault)
{
    const struct windows_shape *shape = &windows->shape;
    int64_t at = 0, f = shape->features;
    for (int i = 0; i < windows->n_inputs; i++) {
        /* from a row to the next, from a station to the next, from an input to the next */
        int64_t steps = input_width(windows, i);
        const int64_t strides[4][3] = {[WINDOWS_SPATIAL] = {1, f, steps},
                                       [WINDOWS_TEMPORAL] = {f, 1, shape->stations},
                                       [WINDOWS_GRID] = {f * shape->stations, f, 1},
                                       [WINDOWS_JOINT] = {f * shape->stations, f, 1}};
        const int64_t *stride = strides[windows->config.layout];
        enum status status = put_input(windows, i, first_row, steps, at, stride[0], stride[1], element_bytes, x, fault);
        if (status != STATUS_OK)
            return status;
        at += stride[2];
    }
    return STATUS_OK;
}

enum status windows_sample(struct windows *windows, enum window_set set, int64_t sample, int element_bytes, void *x,
                           void *target, void *mask, struct fault *fault)
{
    const struct windows_shape *shape = &windows->shape;
    int64_t first = windows_row(windows, set, sample);
    enum status status = put_inputs(windows, first_input_row(windows, first), element_bytes, x, fault);
    for (int64_t h = 0; h < shape->horizon && status == STATUS_OK; h++) {
        const float *row;
        status = series_row(windows->series[windows->target], first + h, &row, fault);
        for (int64_t s = 0; status == STATUS_OK && s < shape->stations; s++) {
            put(target, element_bytes, h * shape->stations + s, isnan(row[s]) ? 0 : row[s]);
            if (mask)
                put(mask, element_bytes, h * shape->stations + s, isnan(row[s]) ? 0 : 1);
        }
    }
    return status;
}

void windows_slots(const struct windows *windows, enum window_set set, int64_t sample, int element_bytes, void *slots)
{
    const int64_t day_s = 86400, n = windows->shape.slots;
    int64_t first = first_input_row(windows, windows_row(windows, set, sample));
    for (int64_t k = 0; k < windows->config.window; k++) {
        int64_t time_s = dataset_time(windows->dataset, first + k), slot = (first + k) % n;
        if (time_s != DATASET_NO_TIME) {
            int64_t of_day_s = (time_s % day_s + day_s) % day_s;
            slot = of_day_s * n / day_s;
        }
        put(slots, element_bytes, k, (double)slot);
    }
}

double windows_to_units(const struct windows *windows, int64_t station, double normalised)
{
    return series_to_units(windows->series[windows->target], station, normalised);
}

enum status windows_target(struct windows *windows, float *values, struct fault *fault)
{
    int variable;
    enum status status = dataset_find(windows->dataset, windows->shape.target, &variable, fault);
    if (status != STATUS_OK)
        return status;
    return dataset_read_rows(windows->dataset, variable, 0, windows->shape.n_rows, values, NULL, fault);
}

int64_t windows_steps(const struct windows *windows)
{
    return windows->config.window;
}

int64_t windows_step_s(const struct windows *windows)
{
    return dataset_step_s(windows->dataset);
}

int windows_has_adjacency(const struct windows *windows)
{
    return dataset_has_adjacency(windows->dataset);
}

enum status windows_read_adjacency(struct windows *windows, float *values, struct fault *fault)
{
    return dataset_read_adjacency(windows->dataset, values, fault);
}
