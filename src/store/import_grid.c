#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/calendar.h"
#include "store/grid.h"
#include "store/import.h"

/* What the dimensions of the file mean: `time`, and those of space in the order of the first imported variable. */
struct axes {
    const struct grid_variable *time;
    const char *time_dim;
    int n_space;
    const char *space[GRID_MAX_DIMS];
    int64_t length[GRID_MAX_DIMS];
    int64_t n_stations;
    const struct grid_variable *latitude, *longitude;
};

static int is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(word, *words) == 0)
            return 1;
    return 0;
}

static int is_latitude(const struct grid_variable *v)
{
    static const char *const names[] = {"lat", "latitude", "nav_lat", "xlat", NULL};
    return !v->is_text && (strcmp(v->standard_name, "latitude") == 0 || strcasecmp(v->units, "degrees_north") == 0 ||
                           strcasecmp(v->units, "degree_north") == 0 || is_one_of(v->name, names));
}

static int is_longitude(const struct grid_variable *v)
{
    static const char *const names[] = {"lon", "longitude", "nav_lon", "xlong", NULL};
    return !v->is_text && (strcmp(v->standard_name, "longitude") == 0 || strcasecmp(v->units, "degrees_east") == 0 ||
                           strcasecmp(v->units, "degree_east") == 0 || is_one_of(v->name, names));
}

static int is_time(const struct grid_variable *v)
{
    static const char *const names[] = {"time", "valid_time", "t", "date", "datetime", NULL};
    if (v->is_text || v->n_dims != 1)
        return 0;
    return strcmp(v->standard_name, "time") == 0 || strstr(v->units, " since ") || is_one_of(v->name, names);
}

static const struct grid_variable *find_like(const struct grid *grid, int (*is)(const struct grid_variable *),
                                             int n_dims)
{
    for (int i = 0; i < grid->n_variables; i++)
        if (grid->variable[i].n_dims == n_dims && is(&grid->variable[i]))
            return &grid->variable[i];
    return NULL;
}

/* The name of a dimension without one, by its length: the first of time, lat, lon that no earlier dimension has taken.
 * When latitude and longitude are as long as each other and there is one such dimension, it is that of stations. */
static const char *guess_dimension(const struct grid *grid, const struct grid_variable *v, int d)
{
    const struct grid_variable *time = find_like(grid, is_time, 1), *latitude = find_like(grid, is_latitude, 1);
    const struct grid_variable *longitude = find_like(grid, is_longitude, 1);
    int64_t length = v->dims[d];
    int taken_time = 0, same = 0, nth = 0;
    for (int i = 0; i < v->n_dims; i++) {
        same += v->dims[i] == length;
        nth += i < d && v->dims[i] == length;
        taken_time |= i < d && v->dim[i] && strcmp(v->dim[i], "time") == 0;
    }
    if (time && !taken_time && length == time->dims[0])
        return "time";
    if (latitude && longitude && length == latitude->dims[0] && length == longitude->dims[0])
        return same < 2 ? "station" : nth == 0 ? "latitude" : "longitude";
    if (latitude && length == latitude->dims[0])
        return "latitude";
    if (longitude && length == longitude->dims[0])
        return "longitude";
    return arena_printf(grid->arena, "dim_%lld", (long long)length);
}

/* Plain HDF5 has no names of dimensions: coordinates come first, since others are known by them. */
static void name_dimensions(struct grid *grid)
{
    for (int i = 0; i < grid->n_variables; i++)
        for (int d = 0; d < grid->variable[i].n_dims; d++)
            if (!grid->variable[i].dim[d])
                grid->variable[i].dim[d] = guess_dimension(grid, &grid->variable[i], d);
}

static int dimension_of(const struct grid_variable *v, const char *dim)
{
    for (int d = 0; d < v->n_dims; d++)
        if (strcmp(v->dim[d], dim) == 0)
            return d;
    return -1;
}

static enum status refuse(const struct grid *grid, const char *why, struct fault *fault)
{
    char list[700];
    return fault_set(fault, STATUS_USAGE, "%s: %s; the file has %s", grid->path, why,
                     grid->n_variables ? grid_list(grid, list, sizeof list) : "no arrays");
}

static enum status find_time(const struct grid *grid, struct axes *axes, struct fault *fault)
{
    axes->time = find_like(grid, is_time, 1);
    if (!axes->time)
        return refuse(grid,
                      "expected a variable over time, found no list of times (a variable with units \"... since ...\")",
                      fault);
    axes->time_dim = axes->time->dim[0];
    if (axes->time->dims[0] < 1 || !field_fits(axes->time->dims[0], 64))
        return refuse(grid, "the list of times is empty or absurdly long", fault);
    return STATUS_OK;
}

static int is_mask(const struct grid *grid, const struct grid_variable *v)
{
    static const char suffix[] = "_missing";
    size_t length = strlen(v->name), tail = sizeof suffix - 1;
    if (length <= tail || strcmp(v->name + length - tail, suffix) != 0)
        return 0;
    char *base = arena_string(grid->arena, v->name);
    base[length - tail] = '\0';
    return grid_find(grid, base) != NULL;
}

/* Files may say anything: the same dimension twice, or with another length than its coordinate has. */
static int has_sound_dimensions(const struct axes *axes, const struct grid_variable *v)
{
    for (int d = 0; d < v->n_dims; d++) {
        for (int other = 0; other < d; other++)
            if (strcmp(v->dim[d], v->dim[other]) == 0)
                return 0;
        if (strcmp(v->dim[d], axes->time_dim) == 0 && v->dims[d] != axes->time->dims[0])
            return 0;
    }
    return v->n_values > 0;
}

/* A field: numbers over time and at least one more dimension. */
static int is_field(const struct grid *grid, const struct axes *axes, const struct grid_variable *v)
{
    return !v->is_text && v->n_dims >= 2 && dimension_of(v, axes->time_dim) >= 0 && has_sound_dimensions(axes, v) &&
           !is_mask(grid, v);
}

static int has_same_space(const struct axes *axes, const struct grid_variable *v, int with_time)
{
    int n = 0;
    for (int d = 0; d < v->n_dims; d++) {
        if (with_time && strcmp(v->dim[d], axes->time_dim) == 0)
            continue;
        if (n == axes->n_space || strcmp(v->dim[d], axes->space[n]) != 0 || v->dims[d] != axes->length[n])
            return 0;
        n++;
    }
    return n == axes->n_space && (with_time == (dimension_of(v, axes->time_dim) >= 0));
}

static void set_space(struct axes *axes, const struct grid_variable *v)
{
    axes->n_stations = 1;
    for (int d = 0; d < v->n_dims; d++)
        if (strcmp(v->dim[d], axes->time_dim) != 0) {
            axes->space[axes->n_space] = v->dim[d];
            axes->length[axes->n_space++] = v->dims[d];
            axes->n_stations *= v->dims[d];
        }
}

static enum status find_space(const struct grid *grid, const struct import_options *options, struct axes *axes,
                              struct fault *fault)
{
    for (int i = 0; i < options->n_variables; i++) {
        const struct grid_variable *v = grid_find(grid, options->variable[i]);
        char why[200];
        if (v && (is_field(grid, axes, v) || v->n_dims >= 1))
            continue;
        snprintf(why, sizeof why, "--variable %.80s: no such variable over time and space", options->variable[i]);
        return refuse(grid, why, fault);
    }
    for (int i = 0; i < grid->n_variables; i++) {
        const struct grid_variable *v = &grid->variable[i];
        if (is_field(grid, axes, v) && import_wants(options, v->name)) {
            set_space(axes, v);
            /* Names and coordinates are taken from the arena, which has no fault for a damaged extent. */
            if (!field_fits(v->n_values, 2 * sizeof(double)) || !field_fits(axes->n_stations, 64))
                return fault_set(fault, STATUS_FAILED, "%s: %s: %lld values do not fit into memory", grid->path,
                                 v->name, (long long)v->n_values);
            return STATUS_OK;
        }
    }
    return refuse(grid, "expected a variable over time and space, found none", fault);
}

static enum status read_doubles(struct grid *grid, const struct grid_variable *v, double **values, struct fault *fault)
{
    double *numbers =
        field_fits(v->n_values, sizeof *numbers) ? malloc((size_t)v->n_values * sizeof *numbers + 1) : NULL;
    if (!numbers)
        return fault_set(fault, STATUS_FAILED, "%s: %s: %lld values do not fit into memory", grid->path, v->name,
                         (long long)v->n_values);
    enum status status = grid->read(grid, v, numbers, fault);
    for (int64_t i = 0; status == STATUS_OK && i < v->n_values; i++) {
        double raw = numbers[i];
        int missing = isnan(raw);
        for (int f = 0; f < v->n_fills; f++)
            missing |= raw == v->fill[f];
        if (v->unsigned_range > 0 && raw < 0)
            raw += v->unsigned_range;
        numbers[i] = missing ? NAN : raw * v->scale + v->offset;
    }
    if (status == STATUS_OK)
        *values = numbers;
    else
        free(numbers);
    return status;
}

static enum status read_time(struct grid *grid, const struct axes *axes, struct field *field, struct fault *fault)
{
    const struct grid_variable *v = axes->time;
    double unit_s, *values = NULL;
    int64_t origin_s;
    field->n_rows = v->dims[0];
    if (!strstr(v->units, " since "))
        return STATUS_OK;
    const char *reason = calendar_units(v->units, &unit_s, &origin_s);
    static const char *const calendars[] = {"", "standard", "gregorian", "proleptic_gregorian", NULL};
    if (!reason && !is_one_of(v->calendar, calendars))
        reason = "the calendar is not the Gregorian one";
    if (reason)
        return fault_set(fault, STATUS_USAGE, "%s: %s: units \"%s\": %s", grid->path, v->name, v->units, reason);
    enum status status = read_doubles(grid, v, &values, fault);
    field->time_s = arena_array(field->arena, (size_t)field->n_rows, sizeof *field->time_s);
    for (int64_t r = 0; r < field->n_rows && status == STATUS_OK; r++) {
        if (!(fabs(values[r] * unit_s) < 1e12))
            status = fault_set(fault, STATUS_USAGE, "%s: %s: value %lld is no time", grid->path, v->name, (long long)r);
        else
            field->time_s[r] = origin_s + (int64_t)llround(values[r] * unit_s);
    }
    free(values);
    return status;
}

/* A coordinate over some of the dimensions of space, spread over all stations. */
static enum status read_coordinate(struct grid *grid, const struct axes *axes, const struct grid_variable *v,
                                   double **out, struct fault *fault)
{
    int64_t stride[GRID_MAX_DIMS] = {0}, step = 1;
    double *values;
    for (int d = v->n_dims - 1; d >= 0; step *= v->dims[d--])
        for (int s = 0; s < axes->n_space; s++)
            if (strcmp(axes->space[s], v->dim[d]) == 0 && axes->length[s] == v->dims[d])
                stride[s] = step;
    enum status status = read_doubles(grid, v, &values, fault);
    if (status != STATUS_OK)
        return status;
    *out = arena_array(grid->arena, (size_t)axes->n_stations, sizeof **out);
    for (int64_t i = 0; i < axes->n_stations; i++) {
        int64_t rest = i, place = 0;
        for (int s = axes->n_space - 1; s >= 0; s--) {
            place += rest % axes->length[s] * stride[s];
            rest /= axes->length[s];
        }
        (*out)[i] = values[place];
    }
    free(values);
    return STATUS_OK;
}

/* Does every dimension of v belong to space? */
static int lies_in_space(const struct axes *axes, const struct grid_variable *v)
{
    for (int d = 0; d < v->n_dims; d++) {
        int found = 0;
        for (int s = 0; s < axes->n_space; s++)
            found |= strcmp(axes->space[s], v->dim[d]) == 0 && axes->length[s] == v->dims[d];
        if (!found)
            return 0;
    }
    return v->n_dims >= 1 && has_sound_dimensions(axes, v);
}

static enum status read_coordinates(struct grid *grid, struct axes *axes, struct field *field, struct fault *fault)
{
    for (int i = 0; i < grid->n_variables; i++) {
        const struct grid_variable *v = &grid->variable[i];
        if (!axes->latitude && is_latitude(v) && lies_in_space(axes, v))
            axes->latitude = v;
        if (!axes->longitude && is_longitude(v) && lies_in_space(axes, v))
            axes->longitude = v;
    }
    if (!axes->latitude || !axes->longitude)
        return STATUS_OK;
    enum status status = read_coordinate(grid, axes, axes->latitude, &field->latitude, fault);
    if (status == STATUS_OK)
        status = read_coordinate(grid, axes, axes->longitude, &field->longitude, fault);
    /* A grid may run past 360 degrees to keep a sea in one piece. */
    for (int64_t s = 0; status == STATUS_OK && s < axes->n_stations; s++)
        if (field->longitude[s] > 360 && field->longitude[s] <= 720)
            field->longitude[s] -= 360;
    return status;
}

/* "30N_60.5W" for the points of a grid of latitudes and longitudes. */
static const char *point_name(struct arena *arena, double latitude, double longitude)
{
    double east = longitude > 180 ? longitude - 360 : longitude;
    return arena_printf(arena, "%g%c_%g%c", fabs(latitude), latitude < 0 ? 'S' : 'N', fabs(east), east < 0 ? 'W' : 'E');
}

static int all_differ(const char **name, int64_t n, int64_t step)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            if (strcmp(name[i * step], name[j * step]) == 0)
                return 0;
    return 1;
}

/* Points are named by their coordinates when these are lists that tell them apart: the first column and the first row
 * do. */
static int name_points(const struct axes *axes, struct field *field)
{
    if (axes->n_space != 2 || !field->latitude || axes->latitude->n_dims != 1 || axes->longitude->n_dims != 1)
        return 0;
    for (int64_t i = 0; i < axes->n_stations; i++)
        field->station[i] = point_name(field->arena, field->latitude[i], field->longitude[i]);
    return all_differ(field->station, axes->length[0], axes->length[1]) &&
           all_differ(field->station, axes->length[1], 1);
}

/* Names: a list of strings over the dimension of stations, else the coordinates of a grid, else the numbers of its
 * indices. */
static enum status name_stations(struct grid *grid, const struct axes *axes, struct field *field, struct fault *fault)
{
    field->station = arena_array(field->arena, (size_t)axes->n_stations, sizeof *field->station);
    for (int i = 0; i < grid->n_variables && axes->n_space == 1; i++) {
        const struct grid_variable *v = &grid->variable[i];
        int is_list = v->n_dims == 1 || (v->n_dims == 2 && v->type == 2) || (v->n_dims == 2 && v->type == 1);
        if (v->is_text && is_list && strcmp(v->dim[0], axes->space[0]) == 0 && v->dims[0] == axes->n_stations)
            return grid->read_text(grid, v, axes->n_stations, field->station, fault);
    }
    if (name_points(axes, field))
        return STATUS_OK;
    for (int64_t i = 0; i < axes->n_stations; i++) {
        char name[200] = "";
        int64_t rest = i, index[GRID_MAX_DIMS] = {0};
        for (int s = axes->n_space - 1; s >= 0; s--) {
            index[s] = rest % axes->length[s];
            rest /= axes->length[s];
        }
        for (int s = 0; s < axes->n_space; s++)
            snprintf(name + strlen(name), sizeof name - strlen(name), "%s%lld", s ? "_" : "", (long long)index[s]);
        field->station[i] = arena_string(field->arena, name);
    }
    return STATUS_OK;
}

static struct dataset_variable description(struct field *field, const struct grid_variable *v)
{
    return (struct dataset_variable){.name = field_name(field->arena, v->name),
                                     .units = v->units,
                                     .long_name = v->long_name,
                                     .standard_name = v->standard_name};
}

/* Time becomes the first dimension; the others keep their order. */
static enum status add_field(struct grid *grid, const struct axes *axes, const struct grid_variable *v, int is_static,
                             struct field *field, struct fault *fault)
{
    double *numbers;
    float *values;
    int64_t n_rows = is_static ? 1 : field->n_rows, inner = 1;
    int time = is_static ? 0 : dimension_of(v, axes->time_dim);
    for (int d = time + 1; d < v->n_dims && !is_static; d++)
        inner *= v->dims[d];
    if (is_static)
        inner = axes->n_stations;
    enum status status = read_doubles(grid, v, &numbers, fault);
    if (status != STATUS_OK)
        return status;
    status = field_room(field, n_rows, axes->n_stations, &values, fault);
    for (int64_t r = 0; r < n_rows && status == STATUS_OK; r++)
        for (int64_t s = 0; s < axes->n_stations; s++)
            values[r * axes->n_stations + s] = (float)numbers[(s / inner * n_rows + r) * inner + s % inner];
    free(numbers);
    struct dataset_variable variable = description(field, v);
    variable.is_static = is_static;
    return status == STATUS_OK ? field_add(field, &variable, values, fault) : status;
}

static enum status read_fields(struct grid *grid, const struct import_options *options, const struct axes *axes,
                               struct field *field, struct fault *fault)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < grid->n_variables && status == STATUS_OK; i++) {
        const struct grid_variable *v = &grid->variable[i];
        if (v->is_text || !import_wants(options, v->name) || v == axes->latitude || v == axes->longitude ||
            is_mask(grid, v))
            continue;
        int is_coordinate = v->n_dims == 1 && strcmp(v->dim[0], v->name) == 0;
        if (is_field(grid, axes, v) && has_same_space(axes, v, 1))
            status = add_field(grid, axes, v, 0, field, fault);
        else if (!is_coordinate && v->n_values > 0 && has_same_space(axes, v, 0))
            status = add_field(grid, axes, v, 1, field, fault);
        else if (options->n_variables > 0)
            status = refuse(
                grid, arena_printf(grid->arena, "--variable %s has other dimensions than the first variable", v->name),
                fault);
    }
    return status;
}

/* Every n-th point of each direction. */
static enum status thin(const struct axes *axes, int every, struct field *field, struct fault *fault)
{
    if (every < 2)
        return STATUS_OK;
    uint8_t *keep = arena_array(field->arena, (size_t)field->n_stations, 1);
    for (int64_t i = 0; i < field->n_stations; i++) {
        int64_t rest = i;
        keep[i] = 1;
        for (int s = axes->n_space - 1; s >= 0; s--) {
            keep[i] &= rest % axes->length[s] % every == 0;
            rest /= axes->length[s];
        }
    }
    return field_keep_stations(field, keep, fault);
}

static enum status read_grid(struct grid *grid, const struct import_options *options, struct field *field,
                             struct fault *fault)
{
    struct axes axes = {0};
    name_dimensions(grid);
    enum status status = find_time(grid, &axes, fault);
    if (status == STATUS_OK)
        status = find_space(grid, options, &axes, fault);
    if (status == STATUS_OK)
        status = read_time(grid, &axes, field, fault);
    field->n_stations = axes.n_stations;
    if (status == STATUS_OK)
        status = read_coordinates(grid, &axes, field, fault);
    if (status == STATUS_OK)
        status = name_stations(grid, &axes, field, fault);
    if (status == STATUS_OK)
        status = read_fields(grid, options, &axes, field, fault);
    field->title = grid->title;
    field->source = grid->source;
    field->history = grid->history;
    return status == STATUS_OK ? thin(&axes, options->every, field, fault) : status;
}

enum status import_grid(const char *path, int is_netcdf3, const struct import_options *options, struct field *field,
                        struct fault *fault)
{
    struct grid grid;
    enum status status = is_netcdf3 ? grid_open_netcdf3(path, field->arena, &grid, fault)
                                    : grid_open_hdf5(path, field->arena, &grid, fault);
    if (status != STATUS_OK)
        return status;
    status = read_grid(&grid, options, field, fault);
    grid.close(&grid);
    return status;
}
