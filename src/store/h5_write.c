#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/h5_private.h"

enum { CHUNK_BYTES = 256 * 1024, SMALL_BYTES = 4096, DEFLATE_LEVEL = 4 };

static int type_bytes(const struct h5 *file, enum h5_type type)
{
    return (int)H5Tget_size(h5_memory_type(file, type));
}

enum status h5_create(const char *path, struct h5 **out, struct fault *fault)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    struct h5 *file = calloc(1, sizeof *file);
    if (!file || !(file->path = strdup(path)) || asprintf(&file->temporary, "%s.tmp", path) < 0)
        bug("out of memory");
    /* The reason of a file that cannot be made is the system's, and HDF5 hides it. */
    int descriptor = open(file->temporary, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        enum status status = fault_set(fault, STATUS_IO, "%s: cannot be created: %s", path, strerror(errno));
        file->id = file->half = file->driver = -1;
        h5_close(file);
        return status;
    }
    close(descriptor);
    hid_t creation = H5Pcreate(H5P_FILE_CREATE), access_list = H5Pcreate(H5P_FILE_ACCESS);
    /* Object headers of 1.8 carry checksums. */
    H5Pset_libver_bounds(access_list, H5F_LIBVER_V18, H5F_LIBVER_V18);
    H5Pset_fclose_degree(access_list, H5F_CLOSE_STRONG);
    file->driver = h5_driver_set(access_list, &file->write_error);
    H5Pset_obj_track_times(creation, 0);
    /* Ordered links let netCDF-4 see variables and dimensions in the order they were made. */
    H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    file->half = h5_half_type();
    file->id = H5Fcreate(file->temporary, H5F_ACC_TRUNC, creation, access_list);
    enum status status = file->id < 0 ? h5_fault(file, NULL, "cannot be created", fault) : STATUS_OK;
    H5Pclose(creation);
    H5Pclose(access_list);
    if (status == STATUS_OK)
        *out = file;
    else
        h5_abandon(file);
    return status;
}

void h5_abandon(struct h5 *file)
{
    if (!file)
        return;
    h5_forget(file);
    if (file->id >= 0)
        H5Fclose(file->id);
    file->id = -1;
    unlink(file->temporary);
    h5_close(file);
}

static enum status sync_path(const char *path, int flags, const char *told, struct fault *fault)
{
    int descriptor = open(path, flags | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) != 0) {
        int error = errno;
        if (descriptor >= 0)
            close(descriptor);
        /* Some file systems cannot sync a folder; the file itself is safe by then. */
        if ((flags & O_DIRECTORY) && (error == EINVAL || error == ENOTSUP))
            return STATUS_OK;
        return fault_set(fault, STATUS_IO, "%s: cannot be written to the disk: %s", told, strerror(error));
    }
    close(descriptor);
    return STATUS_OK;
}

static enum status sync_folder(const char *path, struct fault *fault)
{
    char *folder = strdup(path);
    if (!folder)
        bug("out of memory");
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    enum status status = sync_path(slash ? folder : ".", O_RDONLY | O_DIRECTORY, path, fault);
    free(folder);
    return status;
}

enum status h5_check_written(const struct h5 *file, struct fault *fault)
{
    if (file->write_error == 0)
        return STATUS_OK;
    return fault_set(fault, STATUS_IO, "%s: cannot be written: %s", file->path, strerror(file->write_error));
}

enum status h5_complete(struct h5 *file, struct fault *fault)
{
    h5_forget(file);
    int flushed = H5Fflush(file->id, H5F_SCOPE_GLOBAL) >= 0, closed = H5Fclose(file->id) >= 0;
    file->id = -1;
    enum status status = h5_check_written(file, fault);
    if (status == STATUS_OK && !(flushed && closed))
        status = h5_fault(file, NULL, "cannot be written", fault);
    if (status == STATUS_OK)
        status = h5_seal(file->temporary, file->path, fault);
    return status == STATUS_OK ? sync_path(file->temporary, O_RDONLY, file->path, fault) : status;
}

enum status h5_place(struct h5 *file, struct fault *fault)
{
    enum status status = STATUS_OK;
    if (rename(file->temporary, file->path) != 0)
        status = fault_set(fault, STATUS_IO, "%s: cannot be put in place: %s", file->path, strerror(errno));
    if (status == STATUS_OK)
        status = sync_folder(file->path, fault);
    else
        unlink(file->temporary);
    h5_close(file);
    return status;
}

enum status h5_finish(struct h5 *file, struct fault *fault)
{
    enum status status = h5_complete(file, fault);
    if (status == STATUS_OK)
        return h5_place(file, fault);
    h5_abandon(file);
    return status;
}

static hid_t link_list(void)
{
    hid_t list = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(list, 1);
    H5Pset_char_encoding(list, H5T_CSET_UTF8);
    return list;
}

enum status h5_make_group(struct h5 *file, const char *group, struct fault *fault)
{
    if (h5_exists(file, group))
        return STATUS_OK;
    hid_t links = link_list(), creation = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(creation, 0);
    hid_t id = H5Gcreate2(file->id, group, links, creation, H5P_DEFAULT);
    enum status status = id < 0 ? h5_fault(file, group, "cannot be created", fault) : STATUS_OK;
    if (id >= 0)
        H5Gclose(id);
    H5Pclose(creation);
    H5Pclose(links);
    return status;
}

/* HDF5 gives groups made on the way the default properties, time stamps with them: make them ourselves. */
static enum status make_parents(struct h5 *file, const char *object, struct fault *fault)
{
    const char *slash = strrchr(object, '/');
    if (!slash || slash == object)
        return STATUS_OK;
    char *parent = strndup(object, (size_t)(slash - object));
    if (!parent)
        bug("out of memory");
    enum status status = make_parents(file, parent, fault);
    if (status == STATUS_OK)
        status = h5_make_group(file, parent, fault);
    free(parent);
    return status;
}

/* Chunks: trailing dimensions whole as long as they fit, the first that does not is cut, those before it 1. */
static void chunk_shape(int n_dims, const int64_t *dims, int element_bytes, hsize_t *chunk)
{
    int64_t room = CHUNK_BYTES / element_bytes;
    for (int d = n_dims - 1; d >= 0; d--) {
        int64_t size = dims[d] < room ? dims[d] : room;
        chunk[d] = (hsize_t)(size > 0 ? size : 1);
        room /= (int64_t)chunk[d];
        room = room > 0 ? room : 1;
    }
}

static hid_t creation_list(const struct h5 *file, enum h5_type type, int n_dims, const int64_t *dims)
{
    static const float nan_float = NAN;
    static const double nan_double = NAN;
    static const uint16_t nan_half = 0x7e00;
    int64_t bytes = type_bytes(file, type);
    for (int d = 0; d < n_dims; d++)
        bytes = dims[d] > 0 && bytes > INT64_MAX / dims[d] ? INT64_MAX : bytes * dims[d];
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(list, 0);
    /* netCDF-4 libraries want to see attributes in the order they were made. */
    H5Pset_attr_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    if (type == H5_FLOAT32)
        H5Pset_fill_value(list, H5T_NATIVE_FLOAT, &nan_float);
    if (type == H5_FLOAT16)
        H5Pset_fill_value(list, file->half, &nan_half);
    if (type == H5_FLOAT64)
        H5Pset_fill_value(list, H5T_NATIVE_DOUBLE, &nan_double);
    if (n_dims > 0 && bytes > SMALL_BYTES) {
        hsize_t chunk[H5_MAX_DIMS];
        chunk_shape(n_dims, dims, type_bytes(file, type), chunk);
        H5Pset_chunk(list, n_dims, chunk);
        H5Pset_shuffle(list);
        H5Pset_deflate(list, DEFLATE_LEVEL);
        H5Pset_fletcher32(list);
    } else {
        H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
    }
    return list;
}

static enum status make(struct h5 *file, const char *object, hid_t type, int n_dims, const int64_t *dims,
                        hid_t creation, struct fault *fault)
{
    hsize_t extent[H5_MAX_DIMS];
    enum status status = make_parents(file, object, fault);
    if (status != STATUS_OK)
        return status;
    for (int d = 0; d < n_dims; d++)
        extent[d] = (hsize_t)dims[d];
    hid_t space = n_dims ? H5Screate_simple(n_dims, extent, NULL) : H5Screate(H5S_SCALAR), links = link_list();
    hid_t id = H5Dcreate2(file->id, object, type, space, links, creation, H5P_DEFAULT);
    if (id < 0)
        status = h5_fault(file, object, "cannot be created", fault);
    else
        H5Dclose(id);
    H5Pclose(links);
    H5Sclose(space);
    return status;
}

enum status h5_make(struct h5 *file, const char *object, enum h5_type type, int n_dims, const int64_t *dims,
                    struct fault *fault)
{
    if (n_dims < 0 || n_dims > H5_MAX_DIMS)
        bug("%s: %d dimensions", object, n_dims);
    hid_t creation = creation_list(file, type, n_dims, dims);
    enum status status = make(file, object, h5_file_type(file, type), n_dims, dims, creation, fault);
    H5Pclose(creation);
    return status;
}

enum status h5_make_plain(struct h5 *file, const char *object, enum h5_type type, int64_t n, struct fault *fault)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, 0);
    H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    enum status status = make(file, object, h5_file_type(file, type), 1, &n, creation, fault);
    H5Pclose(creation);
    return status;
}

enum status h5_write(struct h5 *file, const char *object, enum h5_type type, int n_dims, const int64_t *dims,
                     const void *values, struct fault *fault)
{
    enum status status = h5_make(file, object, type, n_dims, dims, fault);
    if (status != STATUS_OK)
        return status;
    for (int d = 0; d < n_dims; d++)
        if (dims[d] == 0)
            return STATUS_OK;
    hid_t id = h5_dataset(file, object, fault);
    if (id < 0)
        return fault->status;
    if (H5Dwrite(id, h5_memory_type(file, type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        return h5_fault(file, object, "cannot be written", fault);
    return h5_check_written(file, fault);
}

static enum status write_strings(struct h5 *file, const char *object, int n_dims, int64_t n, size_t width,
                                 const char *text, struct fault *fault)
{
    hid_t type = H5Tcopy(H5T_C_S1), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Pset_obj_track_times(creation, 0);
    H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    enum status status = make(file, object, type, n_dims, &n, creation, fault);
    if (status == STATUS_OK && n > 0) {
        hid_t id = h5_dataset(file, object, fault);
        if (id < 0 || H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0)
            status = h5_fault(file, object, "cannot be written", fault);
    }
    H5Pclose(creation);
    H5Tclose(type);
    return status;
}

enum status h5_write_strings(struct h5 *file, const char *object, int64_t n, const char *const *strings,
                             struct fault *fault)
{
    size_t width = 1;
    for (int64_t i = 0; i < n; i++)
        if (strlen(strings[i]) > width)
            width = strlen(strings[i]);
    char *text = calloc((size_t)n + 1, width);
    if (!text)
        return fault_set(fault, STATUS_FAILED, "%s: %s: %lld strings do not fit into memory", file->path, object,
                         (long long)n);
    for (int64_t i = 0; i < n; i++)
        memcpy(text + (size_t)i * width, strings[i], strlen(strings[i]));
    enum status status = write_strings(file, object, 1, n, width, text, fault);
    free(text);
    return status;
}

enum status h5_write_text(struct h5 *file, const char *object, const char *text, struct fault *fault)
{
    size_t width = strlen(text);
    return write_strings(file, object, 0, 1, width ? width : 1, text, fault);
}
