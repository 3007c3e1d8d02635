#include <stdlib.h>
#include <string.h>

#include "store/h5_private.h"

static herr_t fetch(hid_t dataset, hid_t attribute, hid_t type, void *to)
{
    return dataset >= 0 ? H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) : H5Aread(attribute, type, to);
}

static const char *trimmed(struct arena *arena, const char *bytes, size_t width, H5T_str_t padding)
{
    size_t length = strnlen(bytes, width);
    while (padding == H5T_STR_SPACEPAD && length > 0 && bytes[length - 1] == ' ')
        length--;
    char *copy = arena_take(arena, length + 1);
    memcpy(copy, bytes, length);
    return copy;
}

static enum status fixed_strings(const struct h5 *file, const char *object, hid_t dataset, hid_t attribute, hid_t type,
                                 int64_t n, struct arena *arena, const char **strings, struct fault *fault)
{
    size_t width = H5Tget_size(type), bytes;
    char *text = size_mul(width, (size_t)n, &bytes) && bytes < SIZE_MAX / 2 ? calloc(bytes + 1, 1) : NULL;
    if (!text)
        return fault_set(fault, STATUS_IO, "%s: %s: %lld strings do not fit into memory", file->path, object,
                         (long long)n);
    enum status status = STATUS_OK;
    if (fetch(dataset, attribute, type, text) < 0)
        status = h5_fault(file, object, "its strings cannot be read", fault);
    for (int64_t i = 0; status == STATUS_OK && i < n; i++)
        strings[i] = trimmed(arena, text + (size_t)i * width, width, H5Tget_strpad(type));
    free(text);
    return status;
}

static enum status variable_strings(const struct h5 *file, const char *object, hid_t dataset, hid_t attribute,
                                    hid_t type, hid_t space, int64_t n, struct arena *arena, const char **strings,
                                    struct fault *fault)
{
    char **text = calloc((size_t)n + 1, sizeof *text);
    if (!text)
        return fault_set(fault, STATUS_IO, "%s: %s: %lld strings do not fit into memory", file->path, object,
                         (long long)n);
    if (fetch(dataset, attribute, type, text) < 0) {
        free(text);
        return h5_fault(file, object, "its strings cannot be read", fault);
    }
    for (int64_t i = 0; i < n; i++)
        strings[i] = arena_string(arena, text[i] ? text[i] : "");
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, text);
    free(text);
    return STATUS_OK;
}

enum status h5_strings_from(const struct h5 *file, const char *object, hid_t dataset, hid_t attribute, hid_t type,
                            int64_t n, struct arena *arena, const char ***out, struct fault *fault)
{
    if (n > INT32_MAX)
        return fault_set(fault, STATUS_IO, "%s: %s: %lld strings are too many", file->path, object, (long long)n);
    const char **strings = arena_array(arena, (size_t)n + 1, sizeof *strings);
    hid_t space = dataset >= 0 ? H5Dget_space(dataset) : H5Aget_space(attribute);
    enum status status = STATUS_OK;
    if (n > 0)
        status = H5Tis_variable_str(type) > 0
                     ? variable_strings(file, object, dataset, attribute, type, space, n, arena, strings, fault)
                     : fixed_strings(file, object, dataset, attribute, type, n, arena, strings, fault);
    H5Sclose(space);
    if (status == STATUS_OK)
        *out = strings;
    return status;
}

enum status h5_read_strings(struct h5 *file, const char *object, struct arena *arena, int64_t *n,
                            const char *const **out, struct fault *fault)
{
    struct h5_shape shape;
    const char **strings;
    enum status status = h5_shape(file, object, &shape, fault);
    if (status != STATUS_OK)
        return status;
    if (shape.kind != H5_KIND_STRING)
        return fault_set(fault, STATUS_IO, "%s: %s: expected strings, found another type", file->path, object);
    hid_t id = h5_dataset(file, object, fault), type = H5Dget_type(id);
    status = h5_strings_from(file, object, id, -1, type, shape.n_values, arena, &strings, fault);
    H5Tclose(type);
    if (status != STATUS_OK)
        return status;
    *n = shape.n_values;
    *out = strings;
    return STATUS_OK;
}
