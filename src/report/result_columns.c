#include "report/result_columns.h"

#include <inttypes.h>
#include <string.h>

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

static void put_names(struct columns *c, const char *path, int64_t n, const char *const *names, const char *long_name)
{
    if (!columns_failed(c))
        h5_write_strings(c->file, path, n, names, c->fault);
    if (!columns_failed(c))
        h5_make_scale(c->file, path, c->fault);
    describe(c, path, NULL, long_name);
}

void columns_put_name_scale(struct columns *c, const char *const *names, const char *long_name)
{
    put_names(c, c->scale, c->n, names, long_name);
}

void columns_put_axis(struct columns *c, const char *axis, int64_t n, const char *const *names, const char *long_name)
{
    put_names(c, columns_path(c, axis), n, names, long_name);
}

void columns_put_table(struct columns *c, const char *name, const struct columns_axes *axes, enum h5_type type,
                       const void *values, const char *units, const char *long_name)
{
    const char *path = columns_path(c, name), *scale[3] = {c->scale};
    int64_t dims[3] = {c->n};
    for (int a = 0; a < axes->n; a++) {
        scale[1 + a] = columns_path(c, axes->name[a]);
        dims[1 + a] = axes->length[a];
    }
    if (!columns_failed(c))
        h5_write(c->file, path, type, 1 + axes->n, dims, values, c->fault);
    if (!columns_failed(c))
        h5_attach_scales(c->file, path, 1 + axes->n, scale, c->fault);
    describe(c, path, units, long_name);
}

static size_t count_values(const struct columns *c, const struct columns_axes *axes)
{
    size_t n = (size_t)c->n;
    for (int a = 0; a < axes->n; a++)
        n *= (size_t)axes->length[a];
    return n;
}

void columns_put_energies(struct columns *c, const char *name, const struct columns_axes *axes,
                          const wide_uint *energy_fj, const char *long_name)
{
    size_t n = count_values(c, axes);
    uint64_t *whole_j = arena_array(c->arena, n, sizeof *whole_j), *rest_fj = arena_array(c->arena, n, sizeof *rest_fj);
    double *values = arena_array(c->arena, n, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        whole_j[i] = (uint64_t)(energy_fj[i] / FJ_PER_J);
        rest_fj[i] = (uint64_t)(energy_fj[i] % FJ_PER_J);
        values[i] = joules(energy_fj[i]);
    }
    columns_put_table(c, arena_printf(c->arena, "%s_j", name), axes, H5_FLOAT64, values, "J", long_name);
    columns_put_table(c, arena_printf(c->arena, "%s_whole_j", name), axes, H5_UINT64, whole_j, "J",
                      "exact: whole joules; the rest is beside it");
    columns_put_table(c, arena_printf(c->arena, "%s_rest_fj", name), axes, H5_UINT64, rest_fj, "fJ",
                      "exact: what the whole joules leave");
}

/* ---- reading ---- */

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

void *columns_get_table(struct columns *c, const char *name, const struct columns_axes *axes, enum h5_type type)
{
    struct h5_shape shape;
    const char *path = columns_path(c, name);
    if (columns_failed(c) || h5_shape(c->file, path, &shape, c->fault) != STATUS_OK)
        return NULL;
    int fits = shape.n_dims == 1 + axes->n && shape.dims[0] == c->n;
    for (int a = 0; fits && a < axes->n; a++)
        fits = shape.dims[1 + a] == axes->length[a];
    if (!fits) {
        fault_set(c->fault, STATUS_USAGE, "%s: %s: its shape does not fit the other arrays of the result",
                  h5_path(c->file), path);
        return NULL;
    }
    void *values = arena_array(c->arena, (size_t)shape.n_values + 1, 8);
    return h5_read(c->file, path, type, shape.n_values, values, c->fault) == STATUS_OK ? values : NULL;
}

void *columns_get(struct columns *c, const char *name, enum h5_type type)
{
    return columns_get_table(c, name, &(struct columns_axes){.n = 0}, type);
}

const wide_uint *columns_get_energies(struct columns *c, const char *name, const struct columns_axes *axes)
{
    const uint64_t *whole_j = columns_get_table(c, arena_printf(c->arena, "%s_whole_j", name), axes, H5_UINT64);
    const uint64_t *rest_fj = columns_get_table(c, arena_printf(c->arena, "%s_rest_fj", name), axes, H5_UINT64);
    if (columns_failed(c))
        return NULL;
    size_t n = count_values(c, axes);
    wide_uint *energy_fj = arena_array(c->arena, n, sizeof *energy_fj);
    for (size_t i = 0; i < n; i++)
        energy_fj[i] = (wide_uint)whole_j[i] * FJ_PER_J + rest_fj[i];
    return energy_fj;
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

void columns_check_axis(struct columns *c, const char *axis, int n, const char *const *expected)
{
    int64_t found = 0;
    const char *const *names = NULL, *path = columns_path(c, axis);
    if (!columns_failed(c))
        h5_read_strings(c->file, path, c->arena, &found, &names, c->fault);
    if (!columns_failed(c) && found != n)
        fault_set(c->fault, STATUS_USAGE, "%s: %s: expected %d names, found %" PRId64, h5_path(c->file), path, n,
                  found);
    for (int i = 0; !columns_failed(c) && i < n; i++)
        if (strcmp(names[i], expected[i]) != 0)
            fault_set(c->fault, STATUS_USAGE, "%s: %s: expected '%s', found '%s': another version wrote it",
                      h5_path(c->file), path, expected[i], names[i]);
}
