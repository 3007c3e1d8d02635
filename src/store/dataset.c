#include "store/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "store/calendar.h"
#include "store/h5.h"

struct dataset {
    struct arena *arena;
    struct h5 *file;
    int64_t n_rows, n_stations;
    int64_t *time_s; /* NULL: rows are numbered */
    int64_t step_s;
    const char *const *station;
    double *latitude, *longitude;
    const char *title, *source, *history;
    int n_variables, n_series;
    struct dataset_variable variable[DATASET_MAX_VARIABLES];
};

static const char *text_of(struct dataset *dataset, const char *object, const char *attribute)
{
    struct fault ignored = FAULT_NONE;
    const char *text = "";
    if (h5_has_attribute(dataset->file, object, attribute))
        h5_get_string(dataset->file, object, attribute, dataset->arena, &text, &ignored);
    return text;
}

static enum status check_schema(struct dataset *dataset, struct fault *fault)
{
    const char *path = h5_path(dataset->file);
    int64_t version;
    if (!h5_has_attribute(dataset->file, "/", "polyrank_dataset_version"))
        return fault_set(fault, STATUS_USAGE,
                         "%s: not a data set of this program: convert it with \"polyrank data import\"", path);
    enum status status = h5_get_int(dataset->file, "/", "polyrank_dataset_version", &version, fault);
    if (status == STATUS_OK && version != DATASET_SCHEMA)
        status = fault_set(fault, STATUS_USAGE, "%s: expected data set version %d, found %lld", path, DATASET_SCHEMA,
                           (long long)version);
    return status;
}

static enum status axis_length(struct dataset *dataset, const char *axis, int64_t *length, struct fault *fault)
{
    struct h5_shape shape;
    enum status status = h5_shape(dataset->file, axis, &shape, fault);
    if (status != STATUS_OK)
        return status;
    if (shape.n_dims != 1 || shape.dims[0] < 1 || shape.dims[0] > INT32_MAX)
        return fault_set(fault, STATUS_USAGE, "%s: %s: expected a list that is not empty", h5_path(dataset->file),
                         axis);
    *length = shape.dims[0];
    return STATUS_OK;
}

static int compare_int64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t median_step(const int64_t *time_s, int64_t n)
{
    if (n < 2)
        return 0;
    int64_t *steps = malloc((size_t)(n - 1) * sizeof *steps);
    if (!steps)
        bug("out of memory");
    for (int64_t i = 0; i + 1 < n; i++)
        if (__builtin_sub_overflow(time_s[i + 1], time_s[i], &steps[i]))
            steps[i] = 0;
    qsort(steps, (size_t)(n - 1), sizeof *steps, compare_int64);
    int64_t median = steps[(n - 1) / 2];
    free(steps);
    return median;
}

static enum status read_time(struct dataset *dataset, struct fault *fault)
{
    const char *units = text_of(dataset, "time", "units");
    double unit_s;
    int64_t origin_s;
    if (!strstr(units, " since "))
        return STATUS_OK;
    const char *reason = calendar_units(units, &unit_s, &origin_s);
    if (reason)
        return fault_set(fault, STATUS_USAGE, "%s: time: units \"%s\": %s", h5_path(dataset->file), units, reason);
    double *values = arena_array(dataset->arena, (size_t)dataset->n_rows, sizeof *values);
    dataset->time_s = arena_array(dataset->arena, (size_t)dataset->n_rows, sizeof *dataset->time_s);
    enum status status = h5_read(dataset->file, "time", H5_FLOAT64, dataset->n_rows, values, fault);
    for (int64_t i = 0; status == STATUS_OK && i < dataset->n_rows; i++) {
        if (!(fabs(values[i] * unit_s) < 1e12))
            return fault_set(fault, STATUS_USAGE, "%s: time: row %lld: no time stamp", h5_path(dataset->file),
                             (long long)i);
        dataset->time_s[i] = origin_s + (int64_t)llround(values[i] * unit_s);
    }
    dataset->step_s = median_step(dataset->time_s, dataset->n_rows);
    return status;
}

static enum status read_stations(struct dataset *dataset, struct fault *fault)
{
    struct h5_shape shape;
    int64_t n = 0, dims[H5_MAX_DIMS];
    int n_dims;
    enum status status = h5_shape(dataset->file, "station", &shape, fault);
    if (status == STATUS_OK && shape.kind != H5_KIND_STRING)
        status = fault_set(fault, STATUS_USAGE, "%s: station: expected names", h5_path(dataset->file));
    if (status == STATUS_OK)
        status = h5_read_strings(dataset->file, "station", dataset->arena, &n, &dataset->station, fault);
    static const char *const axis[2] = {"latitude", "longitude"};
    double **degrees[2] = {&dataset->latitude, &dataset->longitude};
    for (int i = 0; i < 2 && status == STATUS_OK; i++) {
        if (!h5_exists(dataset->file, axis[i]))
            continue;
        status = h5_read_doubles(dataset->file, axis[i], dataset->arena, &n_dims, dims, degrees[i], fault);
        if (status == STATUS_OK && (n_dims != 1 || dims[0] != dataset->n_stations))
            status = fault_set(fault, STATUS_USAGE, "%s: %s: expected one value for each of %lld stations",
                               h5_path(dataset->file), axis[i], (long long)dataset->n_stations);
    }
    return status;
}

static int is_coordinate(const char *name)
{
    static const char *const names[] = {"time", "station", "station_to", "latitude", "longitude", "adjacency"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return 1;
    return 0;
}

/* The mask of a variable is told by the variable. */
static int is_mask(struct dataset *dataset, const char *name)
{
    static const char suffix[] = "_missing";
    size_t length = strlen(name), tail = sizeof suffix - 1;
    if (length <= tail || strcmp(name + length - tail, suffix) != 0)
        return 0;
    char *base = arena_string(dataset->arena, name);
    base[length - tail] = '\0';
    return strcmp(text_of(dataset, base, "ancillary_variables"), name) == 0;
}

static enum status add_variable(struct dataset *dataset, const char *name, int want_static, struct fault *fault)
{
    struct h5_shape shape;
    enum status status = h5_shape(dataset->file, name, &shape, fault);
    if (status != STATUS_OK || shape.kind == H5_KIND_GROUP)
        return status;
    int is_static = shape.n_dims == 1;
    int fits = is_static
                   ? shape.dims[0] == dataset->n_stations
                   : shape.n_dims == 2 && shape.dims[0] == dataset->n_rows && shape.dims[1] == dataset->n_stations;
    if (!fits || (shape.kind != H5_KIND_FLOAT && shape.kind != H5_KIND_INTEGER))
        return fault_set(fault, STATUS_USAGE, "%s: %s: expected numbers [%lld rows, %lld stations] or [%lld stations]",
                         h5_path(dataset->file), name, (long long)dataset->n_rows, (long long)dataset->n_stations,
                         (long long)dataset->n_stations);
    if (is_static != want_static)
        return STATUS_OK;
    if (dataset->n_variables == DATASET_MAX_VARIABLES)
        return fault_set(fault, STATUS_USAGE, "%s: expected at most %d variables", h5_path(dataset->file),
                         DATASET_MAX_VARIABLES);
    dataset->variable[dataset->n_variables++] =
        (struct dataset_variable){.name = name,
                                  .units = text_of(dataset, name, "units"),
                                  .long_name = text_of(dataset, name, "long_name"),
                                  .standard_name = text_of(dataset, name, "standard_name"),
                                  .is_static = is_static,
                                  .has_missing = h5_has_attribute(dataset->file, name, "ancillary_variables")};
    return STATUS_OK;
}

static enum status read_variables(struct dataset *dataset, struct fault *fault)
{
    int n;
    const char *const *names;
    enum status status = h5_list(dataset->file, "/", dataset->arena, &n, &names, fault);
    for (int pass = 0; pass < 2 && status == STATUS_OK; pass++) {
        for (int i = 0; i < n && status == STATUS_OK; i++)
            if (!is_coordinate(names[i]) && !is_mask(dataset, names[i]))
                status = add_variable(dataset, names[i], pass, fault);
        if (pass == 0)
            dataset->n_series = dataset->n_variables;
    }
    if (status == STATUS_OK && dataset->n_variables == 0)
        status = fault_set(fault, STATUS_USAGE, "%s: the data set has no variable", h5_path(dataset->file));
    return status;
}

static enum status read_header(struct dataset *dataset, struct fault *fault)
{
    enum status status = check_schema(dataset, fault);
    if (status == STATUS_OK)
        status = axis_length(dataset, "time", &dataset->n_rows, fault);
    if (status == STATUS_OK)
        status = axis_length(dataset, "station", &dataset->n_stations, fault);
    if (status == STATUS_OK)
        status = read_time(dataset, fault);
    if (status == STATUS_OK)
        status = read_stations(dataset, fault);
    if (status == STATUS_OK)
        status = read_variables(dataset, fault);
    dataset->title = text_of(dataset, "/", "title");
    dataset->source = text_of(dataset, "/", "source");
    dataset->history = text_of(dataset, "/", "history");
    return status;
}

enum status dataset_open(const char *path, struct dataset **out, struct fault *fault)
{
    struct h5 *file;
    enum status status = h5_open(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    struct arena *arena = arena_new();
    struct dataset *dataset = arena_take(arena, sizeof *dataset);
    dataset->arena = arena;
    dataset->file = file;
    status = read_header(dataset, fault);
    if (status == STATUS_OK)
        *out = dataset;
    else
        dataset_close(dataset);
    return status;
}

void dataset_close(struct dataset *dataset)
{
    if (!dataset)
        return;
    h5_close(dataset->file);
    arena_free(dataset->arena);
}

int dataset_is(const char *path)
{
    struct fault fault = FAULT_NONE;
    struct h5 *file;
    if (h5_open(path, &file, &fault) != STATUS_OK)
        return 0;
    int is = h5_has_attribute(file, "/", "polyrank_dataset_version");
    h5_close(file);
    return is;
}

int64_t dataset_n_rows(const struct dataset *dataset)
{
    return dataset->n_rows;
}

int64_t dataset_n_stations(const struct dataset *dataset)
{
    return dataset->n_stations;
}

int dataset_n_variables(const struct dataset *dataset)
{
    return dataset->n_variables;
}

const struct dataset_variable *dataset_variable(const struct dataset *dataset, int variable)
{
    return &dataset->variable[variable];
}

int dataset_n_series(const struct dataset *dataset)
{
    return dataset->n_series;
}

const char *dataset_series_name(const struct dataset *dataset, int series)
{
    return dataset->variable[series].name;
}

enum status dataset_find(const struct dataset *dataset, const char *name, int *variable, struct fault *fault)
{
    const char *names[DATASET_MAX_VARIABLES];
    char list[512] = "";
    for (int i = 0; i < dataset->n_variables; i++) {
        names[i] = dataset->variable[i].name;
        if (strcmp(names[i], name) == 0) {
            *variable = i;
            return STATUS_OK;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", names[i]);
    }
    const char *near = nearest_word(name, names, (size_t)dataset->n_variables);
    if (near)
        return fault_set(fault, STATUS_USAGE, "%s: no variable %s: did you mean %s? It has %s", h5_path(dataset->file),
                         name, near, list);
    return fault_set(fault, STATUS_USAGE, "%s: no variable %s: it has %s", h5_path(dataset->file), name, list);
}

int64_t dataset_time(const struct dataset *dataset, int64_t row)
{
    return dataset->time_s ? dataset->time_s[row] : DATASET_NO_TIME;
}

int64_t dataset_step_s(const struct dataset *dataset)
{
    return dataset->step_s;
}

enum status dataset_find_time(const struct dataset *dataset, const char *iso, int at_end, int64_t *row,
                              struct fault *fault)
{
    const char *path = h5_path(dataset->file);
    int64_t first_s, last_s, low = 0, high = dataset->n_rows;
    if (!dataset->time_s)
        return fault_set(fault, STATUS_USAGE, "%s: the rows have no time stamps: give row numbers instead of %s", path,
                         iso);
    const char *reason = calendar_parse(iso, &first_s, &last_s);
    if (reason)
        return fault_set(fault, STATUS_USAGE,
                         "expected a date such as 2019-03-08 or 2019-03-08T14:00, found \"%s\": %s", iso, reason);
    /* First row not before the start, or first row after the end. */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (at_end ? dataset->time_s[middle] > last_s : dataset->time_s[middle] >= first_s)
            high = middle;
        else
            low = middle + 1;
    }
    int64_t found = at_end ? low - 1 : low;
    if (found < 0 || found >= dataset->n_rows) {
        char from[32], to[32];
        return fault_set(fault, STATUS_USAGE, "%s: expected a time within %s .. %s, found %s", path,
                         calendar_print(from, sizeof from, dataset->time_s[0], 0),
                         calendar_print(to, sizeof to, dataset->time_s[dataset->n_rows - 1], 0), iso);
    }
    *row = found;
    return STATUS_OK;
}

const char *dataset_station(const struct dataset *dataset, int64_t station)
{
    return dataset->station[station];
}

const double *dataset_latitude(const struct dataset *dataset)
{
    return dataset->latitude;
}

const double *dataset_longitude(const struct dataset *dataset)
{
    return dataset->longitude;
}

const char *dataset_title(const struct dataset *dataset)
{
    return dataset->title;
}

const char *dataset_source(const struct dataset *dataset)
{
    return dataset->source;
}

const char *dataset_history(const struct dataset *dataset)
{
    return dataset->history;
}

int dataset_has_adjacency(const struct dataset *dataset)
{
    return h5_exists(dataset->file, "adjacency");
}

enum status dataset_read_adjacency(struct dataset *dataset, float *values, struct fault *fault)
{
    const int64_t start[2] = {0, 0}, count[2] = {dataset->n_stations, dataset->n_stations};
    return h5_read_slab(dataset->file, "adjacency", H5_FLOAT32, 2, start, count, values, fault);
}

enum status dataset_read_rows(struct dataset *dataset, int variable, int64_t first_row, int64_t n_rows, float *values,
                              uint8_t *missing, struct fault *fault)
{
    const struct dataset_variable *v = &dataset->variable[variable];
    const int64_t start[2] = {first_row, 0}, count[2] = {n_rows, dataset->n_stations};
    if (v->is_static && (first_row != 0 || n_rows != 1))
        bug("%s: rows %lld + %lld of a static variable", v->name, (long long)first_row, (long long)n_rows);
    enum status status = h5_read_slab(dataset->file, v->name, H5_FLOAT32, v->is_static ? 1 : 2, start + v->is_static,
                                      count + v->is_static, values, fault);
    if (status == STATUS_OK && missing)
        for (int64_t i = 0; i < n_rows * dataset->n_stations; i++)
            missing[i] = isnan(values[i]) != 0;
    return status;
}
