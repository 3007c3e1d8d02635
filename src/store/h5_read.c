#include <stdlib.h>
#include <string.h>

#include "store/h5_private.h"

/* Extents as a damaged file may tell them: their product must not overflow. */
static enum status fill_shape(const struct h5 *file, const char *object, hid_t space, struct h5_shape *shape,
                              struct fault *fault)
{
    hsize_t dims[H5S_MAX_RANK];
    int n_dims = H5Sget_simple_extent_dims(space, dims, NULL);
    if (n_dims < 0)
        return h5_fault(file, object, "its shape cannot be read", fault);
    if (n_dims > H5_MAX_DIMS)
        return fault_set(fault, STATUS_IO, "%s: %s: expected at most %d dimensions, found %d", file->path, object,
                         H5_MAX_DIMS, n_dims);
    shape->n_dims = n_dims;
    shape->n_values = H5Sget_simple_extent_type(space) == H5S_NULL ? 0 : 1;
    for (int d = 0; d < n_dims; d++) {
        if (dims[d] > INT64_MAX || __builtin_mul_overflow(shape->n_values, (int64_t)dims[d], &shape->n_values))
            return fault_set(fault, STATUS_IO, "%s: %s: impossible extent: the file is damaged", file->path, object);
        shape->dims[d] = (int64_t)dims[d];
    }
    return STATUS_OK;
}

static enum status dataset_shape(const struct h5 *file, const char *object, hid_t id, struct h5_shape *shape,
                                 struct fault *fault)
{
    hid_t type = H5Dget_type(id), space = H5Dget_space(id);
    enum status status = STATUS_OK;
    if (type < 0 || space < 0)
        status = h5_fault(file, object, "its type cannot be read", fault);
    if (status == STATUS_OK) {
        shape->kind = h5_kind_of(type);
        shape->element_bytes = (int)H5Tget_size(type);
        shape->is_signed = shape->kind == H5_KIND_INTEGER && H5Tget_sign(type) == H5T_SGN_2;
        status = fill_shape(file, object, space, shape, fault);
    }
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return status;
}

enum status h5_shape(struct h5 *file, const char *object, struct h5_shape *out, struct fault *fault)
{
    struct h5_shape shape = {.kind = H5_KIND_GROUP, .n_values = 1};
    H5O_info_t info;
    if (!h5_exists(file, object))
        return fault_set(fault, STATUS_IO, "%s: %s: no such object in the file", file->path, object);
    if (H5Oget_info_by_name(file->id, object[0] ? object : "/", &info, H5P_DEFAULT) < 0)
        return h5_fault(file, object, "cannot be opened", fault);
    if (info.type == H5O_TYPE_DATASET) {
        hid_t id = h5_dataset(file, object, fault);
        if (id < 0 || dataset_shape(file, object, id, &shape, fault) != STATUS_OK)
            return fault->status;
    } else if (info.type != H5O_TYPE_GROUP) {
        shape.kind = H5_KIND_OTHER;
    }
    *out = shape;
    return STATUS_OK;
}

enum status h5_need_numbers(struct h5 *file, const char *object, struct h5_shape *shape, struct fault *fault)
{
    *shape = (struct h5_shape){.kind = H5_KIND_OTHER};
    enum status status = h5_shape(file, object, shape, fault);
    if (status == STATUS_OK && shape->kind != H5_KIND_INTEGER && shape->kind != H5_KIND_FLOAT)
        status = fault_set(fault, STATUS_IO, "%s: %s: expected an array of numbers, found %s", file->path, object,
                           shape->kind == H5_KIND_STRING  ? "strings"
                           : shape->kind == H5_KIND_GROUP ? "a group"
                                                          : "another type");
    return status;
}

enum status h5_read(struct h5 *file, const char *object, enum h5_type type, int64_t n_values, void *values,
                    struct fault *fault)
{
    struct h5_shape shape;
    enum status status = h5_need_numbers(file, object, &shape, fault);
    if (status != STATUS_OK)
        return status;
    if (shape.n_values != n_values)
        return fault_set(fault, STATUS_IO, "%s: %s: expected %lld values, found %lld", file->path, object,
                         (long long)n_values, (long long)shape.n_values);
    hid_t id = h5_dataset(file, object, fault);
    if (n_values > 0 && H5Dread(id, h5_memory_type(file, type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        return h5_fault(file, object, "cannot be read: damaged", fault);
    return STATUS_OK;
}

enum status h5_read_doubles(struct h5 *file, const char *object, struct arena *arena, int *n_dims, int64_t *dims,
                            double **values, struct fault *fault)
{
    struct h5_shape shape;
    enum status status = h5_need_numbers(file, object, &shape, fault);
    if (status != STATUS_OK)
        return status;
    /* A damaged extent must not end the process, which the arena would. */
    void *probe =
        malloc((size_t)(shape.n_values < INT64_MAX / 16 ? shape.n_values : INT64_MAX / 16) * sizeof(double) + 1);
    free(probe);
    if (!probe)
        return fault_set(fault, STATUS_IO, "%s: %s: %lld values do not fit into memory", file->path, object,
                         (long long)shape.n_values);
    double *numbers = arena_array(arena, (size_t)shape.n_values, sizeof *numbers);
    status = h5_read(file, object, H5_FLOAT64, shape.n_values, numbers, fault);
    if (status != STATUS_OK)
        return status;
    *n_dims = shape.n_dims;
    memcpy(dims, shape.dims, sizeof shape.dims);
    *values = numbers;
    return STATUS_OK;
}
