/* h5_slab.c - a box of an array, read or written. */
#include "store/h5_private.h"

static int box_fits(const struct h5_shape *shape, int n_dims, const int64_t *start, const int64_t *count)
{
    if (n_dims != shape->n_dims)
        return 0;
    for (int d = 0; d < n_dims; d++)
        if (start[d] < 0 || count[d] < 0 || start[d] > shape->dims[d] || count[d] > shape->dims[d] - start[d])
            return 0;
    return 1;
}

/* The selection of a box in the file and a dense one in memory, then the transfer. */
static herr_t transfer(hid_t id, hid_t type, int n_dims, const int64_t *start, const int64_t *count, void *to,
                       const void *from)
{
    hsize_t first[H5_MAX_DIMS], n[H5_MAX_DIMS];
    for (int d = 0; d < n_dims; d++) {
        first[d] = (hsize_t)start[d];
        n[d] = (hsize_t)count[d];
    }
    hid_t space = H5Dget_space(id), memory = H5Screate_simple(n_dims, n, NULL);
    herr_t error = H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, n, NULL);
    if (error >= 0)
        error = to ? H5Dread(id, type, memory, space, H5P_DEFAULT, to)
                   : H5Dwrite(id, type, memory, space, H5P_DEFAULT, from);
    /* Closing would clear the error stack that tells why. */
    hid_t stack = error < 0 ? H5Eget_current_stack() : -1;
    H5Sclose(memory);
    H5Sclose(space);
    if (stack >= 0)
        H5Eset_current_stack(stack);
    return error;
}

static enum status move_slab(struct h5 *file, const char *object, enum h5_type type, int n_dims, const int64_t *start,
                             const int64_t *count, void *to, const void *from, struct fault *fault)
{
    struct h5_shape shape;
    enum status status = h5_need_numbers(file, object, &shape, fault);
    if (status != STATUS_OK)
        return status;
    if (n_dims < 1 || !box_fits(&shape, n_dims, start, count))
        return fault_set(fault, STATUS_IO, "%s: %s: the part asked for lies outside of the array", file->path, object);
    for (int d = 0; d < n_dims; d++)
        if (count[d] == 0)
            return STATUS_OK;
    hid_t id = h5_dataset(file, object, fault);
    if (transfer(id, h5_memory_type(file, type), n_dims, start, count, to, from) < 0)
        return h5_fault(file, object, to ? "cannot be read: damaged" : "cannot be written", fault);
    return STATUS_OK;
}

enum status h5_read_slab(struct h5 *file, const char *object, enum h5_type type, int n_dims, const int64_t *start,
                         const int64_t *count, void *values, struct fault *fault)
{
    return move_slab(file, object, type, n_dims, start, count, values, NULL, fault);
}

enum status h5_write_slab(struct h5 *file, const char *object, enum h5_type type, int n_dims, const int64_t *start,
                          const int64_t *count, const void *values, struct fault *fault)
{
    enum status status = move_slab(file, object, type, n_dims, start, count, NULL, values, fault);
    return status == STATUS_OK ? h5_check_written(file, fault) : status;
}
