#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "store/h5_private.h"

/* An element of REFERENCE_LIST, as the HDF5 library of dimension scales lays it out. */
struct back_reference {
    hobj_ref_t dataset;
    unsigned int dimension;
};

static enum status set_ascii(struct h5 *file, hid_t id, const char *object, const char *name, const char *text,
                             struct fault *fault)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    hid_t attribute = H5Acreate2(id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    enum status status = STATUS_OK;
    if (attribute < 0 || H5Awrite(attribute, type, text) < 0)
        status = h5_fault(file, object, "cannot become a dimension scale", fault);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

enum status h5_make_scale(struct h5 *file, const char *object, struct fault *fault)
{
    const char *slash = strrchr(object, '/');
    hid_t id = h5_dataset(file, object, fault);
    if (id < 0)
        return fault->status;
    enum status status = set_ascii(file, id, object, "CLASS", "DIMENSION_SCALE", fault);
    if (status == STATUS_OK)
        status = set_ascii(file, id, object, "NAME", slash ? slash + 1 : object, fault);
    return status;
}

static hid_t back_reference_type(void)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(struct back_reference));
    H5Tinsert(type, "dataset", offsetof(struct back_reference, dataset), H5T_STD_REF_OBJ);
    H5Tinsert(type, "dimension", offsetof(struct back_reference, dimension), H5T_NATIVE_UINT);
    return type;
}

/* The list as it stands, with room for one more. */
static struct back_reference *back_references(hid_t scale, hid_t type, hsize_t *n)
{
    *n = 0;
    if (H5Aexists(scale, "REFERENCE_LIST") <= 0)
        return calloc(1, sizeof(struct back_reference));
    hid_t attribute = H5Aopen(scale, "REFERENCE_LIST", H5P_DEFAULT), space = H5Aget_space(attribute);
    *n = (hsize_t)H5Sget_simple_extent_npoints(space);
    struct back_reference *list = calloc((size_t)*n + 1, sizeof *list);
    if (list && H5Aread(attribute, type, list) < 0)
        *n = 0;
    H5Sclose(space);
    H5Aclose(attribute);
    H5Adelete(scale, "REFERENCE_LIST");
    return list;
}

static herr_t add_back_reference(hid_t scale, hobj_ref_t array, unsigned dimension)
{
    hsize_t n;
    hid_t type = back_reference_type();
    struct back_reference *list = back_references(scale, type, &n);
    if (!list)
        bug("out of memory");
    list[n].dataset = array;
    list[n++].dimension = dimension;
    hid_t space = H5Screate_simple(1, &n, NULL);
    hid_t attribute = H5Acreate2(scale, "REFERENCE_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t error = attribute < 0 ? -1 : H5Awrite(attribute, type, list);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    free(list);
    return error;
}

static herr_t write_dimension_list(hid_t array, int n_dims, hobj_ref_t *scales)
{
    hvl_t list[H5_MAX_DIMS];
    hsize_t n = (hsize_t)n_dims;
    for (int d = 0; d < n_dims; d++)
        list[d] = (hvl_t){.len = 1, .p = &scales[d]};
    hid_t type = H5Tvlen_create(H5T_STD_REF_OBJ), space = H5Screate_simple(1, &n, NULL);
    hid_t attribute = H5Acreate2(array, "DIMENSION_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t error = attribute < 0 ? -1 : H5Awrite(attribute, type, list);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return error;
}

enum status h5_attach_scales(struct h5 *file, const char *object, int n_dims, const char *const *scales,
                             struct fault *fault)
{
    hobj_ref_t reference[H5_MAX_DIMS], array_reference;
    hid_t array = h5_dataset(file, object, fault);
    if (array < 0)
        return fault->status;
    herr_t error = H5Rcreate(&array_reference, file->id, object, H5R_OBJECT, -1);
    for (int d = 0; d < n_dims && error >= 0; d++) {
        hid_t scale = h5_dataset(file, scales[d], fault);
        if (scale < 0)
            return fault->status;
        error = H5Rcreate(&reference[d], file->id, scales[d], H5R_OBJECT, -1);
        if (error >= 0)
            error = add_back_reference(scale, array_reference, (unsigned)d);
    }
    if (error >= 0)
        error = write_dimension_list(array, n_dims, reference);
    return error < 0 ? h5_fault(file, object, "its dimension scales cannot be written", fault) : STATUS_OK;
}

/* Last component of the path of a referenced object, NULL when the reference leads nowhere. */
static const char *referenced_name(hid_t array, hobj_ref_t *reference, struct arena *arena)
{
    hid_t id = H5Rdereference2(array, H5P_DEFAULT, H5R_OBJECT, reference);
    if (id < 0)
        return NULL;
    ssize_t length = H5Iget_name(id, NULL, 0);
    char *path = NULL;
    if (length > 0 && length < 65536) {
        path = arena_take(arena, (size_t)length + 1);
        H5Iget_name(id, path, (size_t)length + 1);
    }
    H5Oclose(id);
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

/* A damaged or foreign DIMENSION_LIST leaves the dimensions without names. */
static void read_dimension_list(hid_t array, int n_dims, struct arena *arena, const char **names)
{
    hvl_t list[H5_MAX_DIMS];
    hid_t attribute = H5Aopen(array, "DIMENSION_LIST", H5P_DEFAULT);
    if (attribute < 0)
        return;
    hid_t stored = H5Aget_type(attribute), space = H5Aget_space(attribute), type = H5Tvlen_create(H5T_STD_REF_OBJ);
    int fits =
        stored >= 0 && H5Tget_class(stored) == H5T_VLEN && space >= 0 && H5Sget_simple_extent_npoints(space) == n_dims;
    if (fits && H5Aread(attribute, type, list) >= 0) {
        for (int d = 0; d < n_dims; d++)
            if (list[d].len > 0)
                names[d] = referenced_name(array, list[d].p, arena);
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, list);
    }
    H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (stored >= 0)
        H5Tclose(stored);
    H5Aclose(attribute);
}

enum status h5_dimension_names(struct h5 *file, const char *object, struct arena *arena, const char **names,
                               struct fault *fault)
{
    struct h5_shape shape;
    hid_t array = h5_dataset(file, object, fault);
    if (array < 0)
        return fault->status;
    enum status status = h5_shape(file, object, &shape, fault);
    if (status != STATUS_OK)
        return status;
    for (int d = 0; d < H5_MAX_DIMS; d++)
        names[d] = NULL;
    if (shape.n_dims > 0 && H5Aexists(array, "DIMENSION_LIST") > 0)
        read_dimension_list(array, shape.n_dims, arena, names);
    /* A dimension scale is its own dimension. */
    const char *slash = strrchr(object, '/');
    if (shape.n_dims == 1 && !names[0] && H5Aexists(array, "REFERENCE_LIST") > 0)
        names[0] = arena_string(arena, slash ? slash + 1 : object);
    return STATUS_OK;
}
