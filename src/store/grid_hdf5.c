#include <stdlib.h>
#include <string.h>

#include "store/grid.h"
#include "store/h5.h"

/* A netCDF-4 dimension without values leaves an array that is no variable. */
static int is_bare_dimension(struct h5 *file, const char *name, struct arena *arena)
{
    static const char mark[] = "This is a netCDF dimension but not a netCDF variable";
    struct fault ignored = FAULT_NONE;
    const char *text = "";
    if (h5_has_attribute(file, name, "NAME"))
        h5_get_string(file, name, "NAME", arena, &text, &ignored);
    return strncmp(text, mark, sizeof mark - 1) == 0;
}

static void read_attributes(struct grid *grid, struct grid_variable *variable, const char *object)
{
    static const char *const texts[] = {"title",     "source",        "history",  "units",
                                        "long_name", "standard_name", "calendar", "_Unsigned"};
    static const char *const numbers[] = {"scale_factor", "add_offset", "_FillValue", "missing_value"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct fault ignored = FAULT_NONE;
        const char *text;
        if (h5_has_attribute(grid->state, object, texts[i]) &&
            h5_get_string(grid->state, object, texts[i], grid->arena, &text, &ignored) == STATUS_OK)
            grid_text_attribute(grid, variable, texts[i], text);
    }
    for (size_t i = 0; variable && i < sizeof numbers / sizeof *numbers; i++) {
        struct fault ignored = FAULT_NONE;
        double value;
        if (h5_has_attribute(grid->state, object, numbers[i]) &&
            h5_get_double(grid->state, object, numbers[i], &value, &ignored) == STATUS_OK)
            grid_number_attribute(variable, numbers[i], value);
    }
}

static enum status add_array(struct grid *grid, const char *name, struct fault *fault)
{
    struct h5_shape shape;
    enum status status = h5_shape(grid->state, name, &shape, fault);
    if (status != STATUS_OK || shape.kind == H5_KIND_GROUP || shape.kind == H5_KIND_OTHER)
        return status;
    if (is_bare_dimension(grid->state, name, grid->arena))
        return STATUS_OK;
    struct grid_variable *v = &grid->variable[grid->n_variables++];
    *v = grid_variable(name);
    v->is_text = shape.kind == H5_KIND_STRING;
    v->type = v->is_text ? shape.element_bytes : 0;
    v->n_dims = shape.n_dims;
    v->n_values = shape.n_values;
    memcpy(v->dims, shape.dims, sizeof v->dims);
    read_attributes(grid, v, name);
    if (v->unsigned_range == 1)
        v->unsigned_range = shape.is_signed && shape.element_bytes <= 4 ? (double)(1ULL << 8 * shape.element_bytes) : 0;
    return h5_dimension_names(grid->state, name, grid->arena, v->dim, fault);
}

static enum status read_numbers(struct grid *grid, const struct grid_variable *variable, double *values,
                                struct fault *fault)
{
    return h5_read(grid->state, variable->name, H5_FLOAT64, variable->n_values, values, fault);
}

static enum status read_text(struct grid *grid, const struct grid_variable *variable, int64_t n, const char **text,
                             struct fault *fault)
{
    int64_t n_read;
    const char *const *strings;
    enum status status = h5_read_strings(grid->state, variable->name, grid->arena, &n_read, &strings, fault);
    if (status != STATUS_OK)
        return status;
    /* Characters one by one: the last dimension is the length. */
    int64_t length = n > 0 ? n_read / n : 0;
    for (int64_t i = 0; i < n; i++) {
        char *joined = arena_take(grid->arena, (size_t)length + 1);
        for (int64_t c = 0; c < length; c++)
            joined[c] = strings[i * length + c][0];
        text[i] = length == 1 ? strings[i] : joined;
    }
    return STATUS_OK;
}

static void close_file(struct grid *grid)
{
    h5_close(grid->state);
}

enum status grid_open_hdf5(const char *path, struct arena *arena, struct grid *grid, struct fault *fault)
{
    struct h5 *file;
    int n;
    const char *const *names;
    enum status status = h5_open(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    *grid = (struct grid){.path = path,
                          .arena = arena,
                          .title = "",
                          .source = "",
                          .history = "",
                          .state = file,
                          .read = read_numbers,
                          .read_text = read_text,
                          .close = close_file};
    status = h5_list(file, "/", arena, &n, &names, fault);
    if (status == STATUS_OK) {
        grid->variable = arena_array(arena, (size_t)n + 1, sizeof *grid->variable);
        read_attributes(grid, NULL, "/");
    }
    for (int i = 0; status == STATUS_OK && i < n; i++)
        status = add_array(grid, names[i], fault);
    if (status != STATUS_OK)
        close_file(grid);
    return status;
}
