#include "report/result_columns.h"

#include <inttypes.h>

int columns_failed(const struct columns *c)
{
    return c->fault->status != STATUS_OK;
}

const char *columns_path(const struct columns *c, const char *name)
{
    return arena_printf(c->arena, "%s/%s", c->group, name);
}

/* ---- writing ---- */

static void describe(struct columns *c, const char *path, const char *units, const char *long_name)
{
    if (!columns_failed(c) && units)
        h5_set_string(c->file, path, "units", units, c->fault);
    if (!columns_failed(c))
        h5_set_string(c->file, path, "long_name", long_name, c->fault);
}

static void attach(struct columns *c, const char *path, const char *units, const char *long_name)
{
    if (!columns_failed(c))
        h5_attach_scales(c->file, path, 1, &c->scale, c->fault);
    describe(c, path, units, long_name);
}

void columns_put(struct columns *c, const char *name, enum h5_type type, const void *values, const char *units,
                 const char *long_name)
{
    const char *path = columns_path(c, name);
    if (!columns_failed(c))
        h5_write(c->file, path, type, 1, &c->n, values, c->fault);
    attach(c, path, units, long_name);
}

void columns_put_names(struct columns *c, const char *name, const char *const *names, const char *long_name)
{
    const char *path = columns_path(c, name);
    if (!columns_failed(c))
        h5_write_strings(c->file, path, c->n, names, c->fault);
    attach(c, path, NULL, long_name);
}

/* The scale of a table of n rows counts from `first`. */
struct columns columns_of(struct h5 *file, struct arena *arena, struct fault *fault, const char *group,
                          const char *scale, int64_t n)
{
    struct columns c = {file, arena, fault, group, NULL, n};
    c.scale = columns_path(&c, scale);
    return c;
}

void columns_put_scale(struct columns *c, int64_t first, const char *long_name)
{
    int64_t *values = arena_array(c->arena, (size_t)c->n, sizeof *values);
    for (int64_t i = 0; i < c->n; i++)
        values[i] = first + i;
    if (!columns_failed(c))
        h5_write(c->file, c->scale, H5_INT64, 1, &c->n, values, c->fault);
    if (!columns_failed(c))
        h5_make_scale(c->file, c->scale, c->fault);
    describe(c, c->scale, "1", long_name);
}

/* Rows of a table whose scale may be absent: 0. */
void columns_find(struct columns *c)
{
    struct h5_shape shape;
    c->n = 0;
    if (columns_failed(c) || !h5_exists(c->file, c->scale) ||
        h5_shape(c->file, c->scale, &shape, c->fault) != STATUS_OK)
        return;
    if (shape.n_dims != 1 || shape.n_values > INT32_MAX)
        fault_set(c->fault, STATUS_USAGE, "%s: %s: expected one dimension", h5_path(c->file), c->scale);
    else
        c->n = shape.dims[0];
}

/* A column of the table; NULL after a fault. */
void *columns_get(struct columns *c, const char *name, enum h5_type type)
{
    struct h5_shape shape;
    const char *path = columns_path(c, name);
    if (columns_failed(c) || h5_shape(c->file, path, &shape, c->fault) != STATUS_OK)
        return NULL;
    if (shape.n_dims != 1 || shape.dims[0] != c->n) {
        fault_set(c->fault, STATUS_USAGE, "%s: %s: its shape does not fit the other arrays of the result",
                  h5_path(c->file), path);
        return NULL;
    }
    void *values = arena_array(c->arena, (size_t)c->n + 1, 8);
    return h5_read(c->file, path, type, c->n, values, c->fault) == STATUS_OK ? values : NULL;
}

const char *const *columns_get_names(struct columns *c, const char *name)
{
    int64_t n = 0;
    const char *const *names = NULL, *path = columns_path(c, name);
    if (!columns_failed(c))
        h5_read_strings(c->file, path, c->arena, &n, &names, c->fault);
    if (!columns_failed(c) && n != c->n)
        fault_set(c->fault, STATUS_USAGE, "%s: %s: expected %" PRId64 " names, found %" PRId64, h5_path(c->file), path,
                  c->n, n);
    return columns_failed(c) ? NULL : names;
}
