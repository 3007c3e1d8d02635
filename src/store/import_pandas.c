#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/calendar.h"
#include "store/h5.h"
#include "store/import.h"

/* A frame as pandas writes it with PyTables, "fixed" format: axis0 the columns, axis1 the index, block0_values [rows,
 * columns]. */
struct frame {
    struct h5 *file;
    const char *group;
    struct field *field;
    const struct import_options *options;
};

static const char *member(const struct frame *frame, const char *name)
{
    return arena_printf(frame->field->arena, "%s/%s", frame->group, name);
}

static enum status check_frame(const struct frame *frame, struct h5_shape *shape, struct fault *fault)
{
    struct h5_shape rows, columns;
    const char *path = h5_path(frame->file);
    if (h5_exists(frame->file, member(frame, "block1_values")))
        return fault_set(
            fault, STATUS_USAGE,
            "%s: %s: the frame has columns of several types: expected one table of numbers (convert it with "
            "df.astype(\"float64\"))",
            path, frame->group);
    enum status status = h5_shape(frame->file, member(frame, "block0_values"), shape, fault);
    if (status == STATUS_OK)
        status = h5_shape(frame->file, member(frame, "axis0"), &columns, fault);
    if (status == STATUS_OK)
        status = h5_shape(frame->file, member(frame, "axis1"), &rows, fault);
    if (status != STATUS_OK)
        return status;
    if (shape->n_dims != 2 || shape->dims[0] != rows.n_values || shape->dims[1] != columns.n_values ||
        rows.n_values < 1 || columns.n_values < 1)
        return fault_set(fault, STATUS_USAGE, "%s: %s/block0_values: expected numbers [%lld rows, %lld columns]", path,
                         frame->group, (long long)rows.n_values, (long long)columns.n_values);
    return STATUS_OK;
}

static enum status read_columns(const struct frame *frame, struct fault *fault)
{
    struct h5_shape shape;
    const char *axis = member(frame, "axis0");
    const char *const *names;
    struct field *field = frame->field;
    int64_t n = field->n_stations;
    enum status status = h5_shape(frame->file, axis, &shape, fault);
    if (status != STATUS_OK)
        return status;
    field->station = arena_array(field->arena, (size_t)n, sizeof *field->station);
    if (shape.kind == H5_KIND_STRING) {
        status = h5_read_strings(frame->file, axis, field->arena, &n, &names, fault);
        for (int64_t s = 0; s < n && status == STATUS_OK; s++)
            field->station[s] = names[s];
        return status;
    }
    int64_t *numbers = arena_array(field->arena, (size_t)n, sizeof *numbers);
    status = h5_read(frame->file, axis, H5_INT64, n, numbers, fault);
    for (int64_t s = 0; s < n && status == STATUS_OK; s++)
        field->station[s] = arena_printf(field->arena, "%lld", (long long)numbers[s]);
    return status;
}

static enum status start_and_step(const struct frame *frame, struct fault *fault)
{
    struct field *field = frame->field;
    int64_t start_s, last_s;
    if (!frame->options->start || !(frame->options->step_s >= 1))
        return STATUS_OK;
    const char *reason = calendar_parse(frame->options->start, &start_s, &last_s);
    if (reason)
        return fault_set(fault, STATUS_USAGE, "--start: expected a date, found \"%s\": %s", frame->options->start,
                         reason);
    field->time_s = arena_array(field->arena, (size_t)field->n_rows, sizeof *field->time_s);
    for (int64_t r = 0; r < field->n_rows; r++)
        field->time_s[r] = start_s + (int64_t)llround(frame->options->step_s * (double)r);
    return STATUS_OK;
}

static enum status read_index(const struct frame *frame, struct fault *fault)
{
    const char *axis = member(frame, "axis1"), *kind = "";
    struct field *field = frame->field;
    if (h5_has_attribute(frame->file, axis, "kind") &&
        h5_get_string(frame->file, axis, "kind", field->arena, &kind, fault) != STATUS_OK)
        return fault->status;
    if (strncmp(kind, "datetime64", 10) != 0)
        return start_and_step(frame, fault);
    field->time_s = arena_array(field->arena, (size_t)field->n_rows, sizeof *field->time_s);
    enum status status = h5_read(frame->file, axis, H5_INT64, field->n_rows, field->time_s, fault);
    for (int64_t r = 0; r < field->n_rows && status == STATUS_OK; r++)
        field->time_s[r] = (field->time_s[r] - (field->time_s[r] < 0 ? 999999999 : 0)) / 1000000000;
    return status;
}

static enum status read_frame(const struct frame *frame, struct fault *fault)
{
    struct h5_shape shape;
    struct field *field = frame->field;
    float *values;
    struct dataset_variable variable = {.name = "value"};
    if (frame->options->n_variables > 1)
        return fault_set(fault, STATUS_USAGE, "%s: --variable: the frame is one variable: expected one name, found %d",
                         h5_path(frame->file), frame->options->n_variables);
    if (frame->options->n_variables == 1)
        variable.name = frame->options->variable[0];
    enum status status = check_frame(frame, &shape, fault);
    if (status != STATUS_OK)
        return status;
    field->n_rows = shape.dims[0];
    field->n_stations = shape.dims[1];
    status = field_room(field, field->n_rows, field->n_stations, &values, fault);
    if (status == STATUS_OK)
        status = read_columns(frame, fault);
    if (status == STATUS_OK)
        status = read_index(frame, fault);
    if (status == STATUS_OK)
        status = h5_read(frame->file, member(frame, "block0_values"), H5_FLOAT32, shape.n_values, values, fault);
    return status == STATUS_OK ? field_add(field, &variable, values, fault) : status;
}

enum status import_pandas(const char *path, const char *group, const struct import_options *options,
                          struct field *field, struct fault *fault)
{
    struct frame frame = {.group = group, .field = field, .options = options};
    enum status status = h5_open(path, &frame.file, fault);
    if (status != STATUS_OK)
        return status;
    status = read_frame(&frame, fault);
    h5_close(frame.file);
    return status;
}
