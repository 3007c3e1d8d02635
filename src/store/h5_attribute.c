#include <string.h>

#include "store/h5_private.h"

int h5_has_attribute(struct h5 *file, const char *object, const char *name)
{
    return h5_exists(file, object) && H5Aexists_by_name(file->id, object[0] ? object : "/", name, H5P_DEFAULT) > 0;
}

static hid_t attribute_open(struct h5 *file, const char *object, const char *name, struct fault *fault)
{
    if (!h5_has_attribute(file, object, name)) {
        fault_set(fault, STATUS_IO, "%s: %s: attribute %s is missing", file->path, object, name);
        return -1;
    }
    hid_t id = H5Aopen_by_name(file->id, object[0] ? object : "/", name, H5P_DEFAULT, H5P_DEFAULT);
    if (id < 0)
        h5_fault(file, object, "an attribute cannot be opened", fault);
    return id;
}

static int64_t attribute_count(hid_t id)
{
    hid_t space = H5Aget_space(id);
    int64_t n = space < 0 ? -1 : (int64_t)H5Sget_simple_extent_npoints(space);
    if (space >= 0)
        H5Sclose(space);
    return n;
}

enum status h5_get_string(struct h5 *file, const char *object, const char *name, struct arena *arena, const char **text,
                          struct fault *fault)
{
    hid_t id = attribute_open(file, object, name, fault);
    if (id < 0)
        return fault->status;
    hid_t type = H5Aget_type(id);
    int64_t n = attribute_count(id);
    const char **strings;
    enum status status;
    if (type < 0 || h5_kind_of(type) != H5_KIND_STRING || n < 0 || n > 1)
        status = fault_set(fault, STATUS_IO, "%s: %s: attribute %s: expected one string", file->path, object, name);
    else
        status = h5_strings_from(file, object, -1, id, type, n, arena, &strings, fault);
    if (status == STATUS_OK)
        *text = n == 1 ? strings[0] : "";
    if (type >= 0)
        H5Tclose(type);
    H5Aclose(id);
    return status;
}

static enum status get_number(struct h5 *file, const char *object, const char *name, hid_t memory, void *value,
                              struct fault *fault)
{
    hid_t id = attribute_open(file, object, name, fault);
    if (id < 0)
        return fault->status;
    hid_t type = H5Aget_type(id);
    enum h5_kind kind = type < 0 ? H5_KIND_OTHER : h5_kind_of(type);
    enum status status = STATUS_OK;
    if ((kind != H5_KIND_INTEGER && kind != H5_KIND_FLOAT) || attribute_count(id) != 1)
        status = fault_set(fault, STATUS_IO, "%s: %s: attribute %s: expected one number", file->path, object, name);
    else if (H5Aread(id, memory, value) < 0)
        status = h5_fault(file, object, "an attribute cannot be read", fault);
    if (type >= 0)
        H5Tclose(type);
    H5Aclose(id);
    return status;
}

enum status h5_get_double(struct h5 *file, const char *object, const char *name, double *value, struct fault *fault)
{
    return get_number(file, object, name, H5T_NATIVE_DOUBLE, value, fault);
}

enum status h5_get_int(struct h5 *file, const char *object, const char *name, int64_t *value, struct fault *fault)
{
    return get_number(file, object, name, H5T_NATIVE_INT64, value, fault);
}

static enum status set(struct h5 *file, const char *object, const char *name, hid_t file_type, hid_t memory_type,
                       hid_t space, const void *value, struct fault *fault)
{
    hid_t id = h5_object(file, object, fault);
    if (id < 0)
        return fault->status;
    if (H5Aexists(id, name) > 0)
        H5Adelete(id, name);
    hid_t attribute = H5Acreate2(id, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    enum status status = STATUS_OK;
    if (attribute < 0 || H5Awrite(attribute, memory_type, value) < 0)
        status = h5_fault(file, object, "an attribute cannot be written", fault);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Oclose(id);
    return status;
}

static enum status set_scalar(struct h5 *file, const char *object, const char *name, enum h5_type type,
                              const void *value, struct fault *fault)
{
    hid_t space = H5Screate(H5S_SCALAR);
    enum status status =
        set(file, object, name, h5_file_type(file, type), h5_memory_type(file, type), space, value, fault);
    H5Sclose(space);
    return status;
}

enum status h5_set_double(struct h5 *file, const char *object, const char *name, double value, struct fault *fault)
{
    return set_scalar(file, object, name, H5_FLOAT64, &value, fault);
}

enum status h5_set_float(struct h5 *file, const char *object, const char *name, float value, struct fault *fault)
{
    return set_scalar(file, object, name, H5_FLOAT32, &value, fault);
}

enum status h5_set_int(struct h5 *file, const char *object, const char *name, int64_t value, struct fault *fault)
{
    return set_scalar(file, object, name, H5_INT64, &value, fault);
}

enum status h5_set_bytes(struct h5 *file, const char *object, const char *name, int n, const uint8_t *values,
                         struct fault *fault)
{
    hsize_t dim = (hsize_t)n;
    hid_t space = H5Screate_simple(1, &dim, NULL);
    enum status status = set(file, object, name, H5T_STD_U8LE, H5T_NATIVE_UINT8, space, values, fault);
    H5Sclose(space);
    return status;
}

enum status h5_set_string(struct h5 *file, const char *object, const char *name, const char *text, struct fault *fault)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    enum status status = set(file, object, name, type, type, space, &text, fault);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}
