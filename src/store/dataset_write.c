#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/dataset.h"
#include "store/h5.h"

struct dataset_writer {
    struct arena *arena;
    struct h5 *file;
    struct dataset_spec spec;
    struct dataset_variable *variable;
    int64_t *rows_written; /* [n_variables] */
    uint8_t *mask;         /* of one call, grown on demand */
    int64_t mask_room;
};

static int name_is_allowed(const char *name)
{
    static const char *const taken[] = {"time", "station", "station_to", "latitude", "longitude", "adjacency"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            return 0;
    if (!isalpha((unsigned char)name[0]))
        return 0;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            return 0;
    return strlen(name) < 200;
}

static enum status check_variables(const char *path, const struct dataset_spec *spec, struct fault *fault)
{
    if (spec->n_variables < 1 || spec->n_variables > DATASET_MAX_VARIABLES)
        return fault_set(fault, STATUS_USAGE, "%s: expected 1 to %d variables, found %d", path, DATASET_MAX_VARIABLES,
                         spec->n_variables);
    for (int i = 0; i < spec->n_variables; i++) {
        const char *name = spec->variable[i].name;
        if (!name_is_allowed(name))
            return fault_set(
                fault, STATUS_USAGE,
                "%s: \"%s\" cannot be the name of a variable: expected a letter, then letters, digits and _, not "
                "the name of a coordinate",
                path, name);
        for (int j = 0; j < i; j++)
            if (strcmp(name, spec->variable[j].name) == 0)
                return fault_set(fault, STATUS_USAGE, "%s: two variables have the name %s", path, name);
    }
    return STATUS_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status check_stations(const char *path, const struct dataset_spec *spec, struct fault *fault)
{
    size_t n = (size_t)spec->n_stations;
    for (size_t i = 0; spec->latitude && i < n; i++)
        if (!(fabs(spec->latitude[i]) <= 90) || !(fabs(spec->longitude[i]) <= 360))
            return fault_set(fault, STATUS_USAGE, "%s: station %s: no place on earth: latitude %g, longitude %g", path,
                             spec->station ? spec->station[i] : "", spec->latitude[i], spec->longitude[i]);
    if (!spec->station)
        return STATUS_OK;
    const char **sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return fault_set(fault, STATUS_FAILED, "%s: %zu station names do not fit into memory", path, n);
    memcpy(sorted, spec->station, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_names);
    enum status status = STATUS_OK;
    for (size_t i = 0; i + 1 < n && status == STATUS_OK; i++)
        if (strcmp(sorted[i], sorted[i + 1]) == 0)
            status = fault_set(fault, STATUS_USAGE, "%s: two stations have the name \"%s\"", path, sorted[i]);
    free(sorted);
    return status;
}

static enum status check_spec(const char *path, const struct dataset_spec *spec, struct fault *fault)
{
    if (spec->n_rows < 1 || spec->n_stations < 1 || spec->n_rows > INT32_MAX || spec->n_stations > INT32_MAX)
        return fault_set(fault, STATUS_USAGE, "%s: expected at least one row and one station, found %lld and %lld",
                         path, (long long)spec->n_rows, (long long)spec->n_stations);
    for (int64_t i = 0; spec->time_s && i + 1 < spec->n_rows; i++)
        if (spec->time_s[i] >= spec->time_s[i + 1])
            return fault_set(fault, STATUS_USAGE, "%s: row %lld: expected a time after that of the row before", path,
                             (long long)(i + 1));
    enum status status = check_variables(path, spec, fault);
    return status == STATUS_OK ? check_stations(path, spec, fault) : status;
}

/* Sets an attribute unless a fault is set already: a list of them reads as a list. */
static void label(struct h5 *file, const char *object, const char *name, const char *text, struct fault *fault)
{
    if (fault->status == STATUS_OK && text && text[0])
        h5_set_string(file, object, name, text, fault);
}

static enum status write_root(struct dataset_writer *writer, struct fault *fault)
{
    label(writer->file, "/", "Conventions", "CF-1.8", fault);
    label(writer->file, "/", "title", writer->spec.title, fault);
    label(writer->file, "/", "source", writer->spec.source, fault);
    label(writer->file, "/", "history", writer->spec.history, fault);
    if (fault->status == STATUS_OK)
        h5_set_int(writer->file, "/", "polyrank_dataset_version", DATASET_SCHEMA, fault);
    return fault->status;
}

static enum status write_time(struct dataset_writer *writer, struct fault *fault)
{
    int64_t n = writer->spec.n_rows, *numbers = NULL;
    const int64_t *values = writer->spec.time_s;
    if (!values) {
        values = numbers = malloc((size_t)n * sizeof *numbers);
        if (!numbers)
            return fault_set(fault, STATUS_FAILED, "%lld rows do not fit into memory", (long long)n);
        for (int64_t i = 0; i < n; i++)
            numbers[i] = i;
    }
    if (h5_write(writer->file, "time", H5_INT64, 1, &n, values, fault) == STATUS_OK)
        h5_make_scale(writer->file, "time", fault);
    free(numbers);
    label(writer->file, "time", "long_name", writer->spec.time_s ? "time" : "row", fault);
    label(writer->file, "time", "units", writer->spec.time_s ? "seconds since 1970-01-01 00:00:00" : "1", fault);
    if (writer->spec.time_s) {
        label(writer->file, "time", "standard_name", "time", fault);
        label(writer->file, "time", "calendar", "proleptic_gregorian", fault);
        label(writer->file, "time", "axis", "T", fault);
    }
    return fault->status;
}

static const char *const *station_names(struct dataset_writer *writer)
{
    if (writer->spec.station)
        return writer->spec.station;
    const char **names = arena_array(writer->arena, (size_t)writer->spec.n_stations, sizeof *names);
    for (int64_t i = 0; i < writer->spec.n_stations; i++)
        names[i] = arena_printf(writer->arena, "%lld", (long long)i);
    return names;
}

static enum status write_degrees(struct dataset_writer *writer, const char *axis, const double *values,
                                 const char *units, struct fault *fault)
{
    const char *const scales[1] = {"station"};
    if (fault->status != STATUS_OK || !values ||
        h5_write(writer->file, axis, H5_FLOAT64, 1, &writer->spec.n_stations, values, fault) != STATUS_OK ||
        h5_attach_scales(writer->file, axis, 1, scales, fault) != STATUS_OK)
        return fault->status;
    label(writer->file, axis, "units", units, fault);
    label(writer->file, axis, "standard_name", axis, fault);
    label(writer->file, axis, "long_name", axis, fault);
    return fault->status;
}

static enum status write_stations(struct dataset_writer *writer, struct fault *fault)
{
    const struct dataset_spec *spec = &writer->spec;
    const char *const *names = station_names(writer), *const scales[2] = {"station", "station_to"};
    const int64_t dims[2] = {spec->n_stations, spec->n_stations};
    for (int i = 0; i < (spec->adjacency ? 2 : 1); i++) {
        if (h5_write_strings(writer->file, scales[i], spec->n_stations, names, fault) != STATUS_OK ||
            h5_make_scale(writer->file, scales[i], fault) != STATUS_OK)
            return fault->status;
        label(writer->file, scales[i], "long_name", i ? "station at the end of an edge" : "station", fault);
    }
    write_degrees(writer, "latitude", spec->latitude, "degrees_north", fault);
    write_degrees(writer, "longitude", spec->longitude, "degrees_east", fault);
    if (spec->adjacency && fault->status == STATUS_OK &&
        h5_write(writer->file, "adjacency", H5_FLOAT32, 2, dims, spec->adjacency, fault) == STATUS_OK &&
        h5_attach_scales(writer->file, "adjacency", 2, scales, fault) == STATUS_OK) {
        label(writer->file, "adjacency", "units", "1", fault);
        label(writer->file, "adjacency", "long_name", "weight of the edge from station to station_to", fault);
    }
    return fault->status;
}

static const char *mask_name(struct dataset_writer *writer, const struct dataset_variable *variable)
{
    return arena_printf(writer->arena, "%s_missing", variable->name);
}

static enum status make_mask(struct dataset_writer *writer, const struct dataset_variable *variable, int n_dims,
                             const int64_t *dims, const char *const *scales, struct fault *fault)
{
    static const uint8_t flags[2] = {0, 1};
    const char *name = mask_name(writer, variable);
    label(writer->file, variable->name, "ancillary_variables", name, fault);
    if (fault->status != STATUS_OK || h5_make(writer->file, name, H5_UINT8, n_dims, dims, fault) != STATUS_OK ||
        h5_attach_scales(writer->file, name, n_dims, scales, fault) != STATUS_OK ||
        h5_set_bytes(writer->file, name, "flag_values", 2, flags, fault) != STATUS_OK)
        return fault->status;
    label(writer->file, name, "flag_meanings", "present missing", fault);
    label(writer->file, name, "standard_name", "status_flag", fault);
    label(writer->file, name, "long_name", arena_printf(writer->arena, "missing values of %s", variable->name), fault);
    return fault->status;
}

static enum status make_variable(struct dataset_writer *writer, const struct dataset_variable *variable,
                                 struct fault *fault)
{
    const struct dataset_spec *spec = &writer->spec;
    const char *const scales[2] = {"time", "station"};
    const int64_t dims[2] = {spec->n_rows, spec->n_stations};
    int skip = variable->is_static != 0, n_dims = 2 - skip;
    if (h5_make(writer->file, variable->name, H5_FLOAT32, n_dims, dims + skip, fault) != STATUS_OK ||
        h5_attach_scales(writer->file, variable->name, n_dims, scales + skip, fault) != STATUS_OK ||
        h5_set_float(writer->file, variable->name, "_FillValue", NAN, fault) != STATUS_OK)
        return fault->status;
    label(writer->file, variable->name, "units", variable->units, fault);
    label(writer->file, variable->name, "long_name", variable->long_name, fault);
    label(writer->file, variable->name, "standard_name", variable->standard_name, fault);
    if (spec->latitude)
        label(writer->file, variable->name, "coordinates", "latitude longitude", fault);
    if (variable->has_missing && fault->status == STATUS_OK)
        make_mask(writer, variable, n_dims, dims + skip, scales + skip, fault);
    return fault->status;
}

static enum status write_header(struct dataset_writer *writer, struct fault *fault)
{
    enum status status = write_root(writer, fault);
    if (status == STATUS_OK)
        status = write_time(writer, fault);
    if (status == STATUS_OK)
        status = write_stations(writer, fault);
    for (int i = 0; i < writer->spec.n_variables && status == STATUS_OK; i++)
        status = make_variable(writer, &writer->variable[i], fault);
    return status;
}

static const char *copy_or_null(struct arena *arena, const char *text)
{
    return text ? arena_string(arena, text) : NULL;
}

/* What is needed after creation: the caller's arrays are not. */
static void keep_variables(struct dataset_writer *writer)
{
    size_t n = (size_t)writer->spec.n_variables;
    writer->variable = arena_array(writer->arena, n, sizeof *writer->variable);
    writer->rows_written = arena_array(writer->arena, n, sizeof *writer->rows_written);
    for (size_t i = 0; i < n; i++) {
        writer->variable[i] = writer->spec.variable[i];
        writer->variable[i].name = copy_or_null(writer->arena, writer->spec.variable[i].name);
    }
}

enum status dataset_create(const char *path, const struct dataset_spec *spec, struct dataset_writer **out,
                           struct fault *fault)
{
    struct h5 *file;
    enum status status = check_spec(path, spec, fault);
    if (status == STATUS_OK)
        status = h5_create(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    struct arena *arena = arena_new();
    struct dataset_writer *writer = arena_take(arena, sizeof *writer);
    writer->arena = arena;
    writer->file = file;
    writer->spec = *spec;
    keep_variables(writer);
    status = write_header(writer, fault);
    if (status == STATUS_OK)
        *out = writer;
    else
        dataset_abandon(writer);
    return status;
}

/* Marks the NaNs in writer->mask. */
static enum status mark_missing(struct dataset_writer *writer, const struct dataset_variable *variable,
                                int64_t first_row, int64_t n_values, const float *values, struct fault *fault)
{
    if (n_values > writer->mask_room) {
        uint8_t *more = realloc(writer->mask, (size_t)n_values);
        if (!more)
            return fault_set(fault, STATUS_FAILED, "%lld values do not fit into memory", (long long)n_values);
        writer->mask = more;
        writer->mask_room = n_values;
    }
    for (int64_t i = 0; i < n_values; i++) {
        writer->mask[i] = isnan(values[i]) != 0;
        if (isinf(values[i]) || (writer->mask[i] && !variable->has_missing))
            return fault_set(fault, STATUS_USAGE, "%s: %s: row %lld, station %lld: expected a finite number, found %s",
                             h5_path(writer->file), variable->name,
                             (long long)(first_row + i / writer->spec.n_stations),
                             (long long)(i % writer->spec.n_stations), isinf(values[i]) ? "infinity" : "NaN");
    }
    return STATUS_OK;
}

enum status dataset_write_rows(struct dataset_writer *writer, int variable, int64_t first_row, int64_t n_rows,
                               const float *values, struct fault *fault)
{
    const struct dataset_variable *v = &writer->variable[variable];
    const int64_t start[2] = {first_row, 0}, count[2] = {n_rows, writer->spec.n_stations};
    int skip = v->is_static != 0;
    enum status status = mark_missing(writer, v, first_row, n_rows * writer->spec.n_stations, values, fault);
    if (status == STATUS_OK)
        status = h5_write_slab(writer->file, v->name, H5_FLOAT32, 2 - skip, start + skip, count + skip, values, fault);
    if (status == STATUS_OK && v->has_missing)
        status = h5_write_slab(writer->file, mask_name(writer, v), H5_UINT8, 2 - skip, start + skip, count + skip,
                               writer->mask, fault);
    if (status == STATUS_OK)
        writer->rows_written[variable] += n_rows;
    return status;
}

static void writer_free(struct dataset_writer *writer)
{
    free(writer->mask);
    arena_free(writer->arena);
}

enum status dataset_finish(struct dataset_writer *writer, struct fault *fault)
{
    for (int i = 0; i < writer->spec.n_variables; i++) {
        int64_t expected = writer->variable[i].is_static ? 1 : writer->spec.n_rows;
        if (writer->rows_written[i] != expected) {
            fault_set(fault, STATUS_FAILED, "%s: %s: expected %lld rows, %lld were written", h5_path(writer->file),
                      writer->variable[i].name, (long long)expected, (long long)writer->rows_written[i]);
            dataset_abandon(writer);
            return fault->status;
        }
    }
    enum status status = h5_finish(writer->file, fault);
    writer_free(writer);
    return status;
}

void dataset_abandon(struct dataset_writer *writer)
{
    if (!writer)
        return;
    h5_abandon(writer->file);
    writer_free(writer);
}
