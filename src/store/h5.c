#include "store/h5_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static herr_t innermost(unsigned n, const H5E_error2_t *error, void *reason)
{
    const char **text = reason;
    (void)n;
    if (!*text && error->desc && error->desc[0])
        *text = error->desc;
    return 0;
}

enum status h5_fault(const struct h5 *file, const char *object, const char *what, struct fault *fault)
{
    const char *reason = NULL;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &reason);
    const char *name = object ? object : "", *colon = object ? ": " : "";
    if (reason)
        fault_set(fault, STATUS_IO, "%s: %s%s%s (HDF5: %s)", file->path, name, colon, what, reason);
    else
        fault_set(fault, STATUS_IO, "%s: %s%s%s", file->path, name, colon, what);
    return STATUS_IO;
}

/* An error that only HDF5 knows is not printed by it: the stack is read where the call failed. */
static void silence(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* Larger files are compared by h5_verify: reading them whole at every start would take too long. */
enum { SEAL_CHECK_BYTES = 256 << 20 };

static enum status check_readable(const char *path, struct fault *fault)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return fault_set(fault, STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return fault_set(fault, STATUS_IO, "%s: expected a file, found a folder", path);
    if (access(path, R_OK) != 0)
        return fault_set(fault, STATUS_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (info.st_size == 0)
        return fault_set(fault, STATUS_IO, "%s: the file is empty", path);
    return STATUS_OK;
}

enum status h5_verify(const char *path, struct fault *fault)
{
    return h5_check_seal(path, 0, 0, fault);
}

static struct h5 *handle(const char *path)
{
    struct h5 *file = calloc(1, sizeof *file);
    char *copy = strdup(path);
    if (!file || !copy)
        bug("out of memory");
    file->path = copy;
    file->id = file->driver = -1;
    file->half = h5_half_type();
    return file;
}

enum status h5_open(const char *path, struct h5 **out, struct fault *fault)
{
    enum status status = check_readable(path, fault);
    if (status == STATUS_OK)
        status = h5_check_seal(path, SEAL_CHECK_BYTES, 0, fault);
    return status == STATUS_OK ? h5_open_verified(path, out, fault) : status;
}

enum status h5_open_verified(const char *path, struct h5 **out, struct fault *fault)
{
    silence();
    enum status status = check_readable(path, fault);
    if (status == STATUS_OK && H5Fis_hdf5(path) <= 0)
        status = fault_set(fault, STATUS_IO, "%s: not an HDF5 file", path);
    if (status != STATUS_OK)
        return status;
    struct h5 *file = handle(path);
    hid_t access_list = H5Pcreate(H5P_FILE_ACCESS);
    /* Shared file systems often cannot lock, and a reader needs no lock. */
    H5Pset_file_locking(access_list, 0, 1);
    H5Pset_fclose_degree(access_list, H5F_CLOSE_STRONG);
    file->id = H5Fopen(path, H5F_ACC_RDONLY, access_list);
    if (file->id < 0) {
        status = h5_fault(file, NULL, "cannot be opened: the file is damaged or truncated", fault);
        h5_close(file);
        file = NULL;
    }
    H5Pclose(access_list);
    if (file)
        *out = file;
    return status;
}

void h5_forget(struct h5 *file)
{
    for (int i = 0; i < file->n_kept; i++) {
        H5Dclose(file->kept[i].id);
        free(file->kept[i].object);
    }
    file->n_kept = file->next_kept = 0;
}

void h5_close(struct h5 *file)
{
    if (!file)
        return;
    h5_forget(file);
    if (file->id >= 0)
        H5Fclose(file->id);
    if (file->half >= 0)
        H5Tclose(file->half);
    if (file->driver >= 0)
        H5FDunregister(file->driver);
    free(file->path);
    free(file->temporary);
    free(file);
}

const char *h5_path(const struct h5 *file)
{
    return file->path;
}

int h5_exists(struct h5 *file, const char *object)
{
    char *path = strdup(object);
    if (!path)
        bug("out of memory");
    int exists = 1;
    /* H5Lexists wants every group on the way to exist. */
    for (char *slash = path; exists && slash;) {
        slash = strchr(slash + (slash == path && *slash == '/'), '/');
        if (slash)
            *slash = '\0';
        if (path[0] && strcmp(path, "/") != 0)
            exists = H5Lexists(file->id, path, H5P_DEFAULT) > 0 && H5Oexists_by_name(file->id, path, H5P_DEFAULT) > 0;
        if (slash)
            *slash++ = '/';
    }
    free(path);
    return exists;
}

hid_t h5_object(const struct h5 *file, const char *object, struct fault *fault)
{
    hid_t id = H5Oopen(file->id, object[0] ? object : "/", H5P_DEFAULT);
    if (id < 0)
        h5_fault(file, object, "no such object in the file", fault);
    return id;
}

static hid_t keep(struct h5 *file, const char *object, hid_t id)
{
    int place = file->n_kept;
    if (file->n_kept == H5_KEPT) {
        place = file->next_kept;
        file->next_kept = (place + 1) % H5_KEPT;
        H5Dclose(file->kept[place].id);
        free(file->kept[place].object);
    } else {
        file->n_kept++;
    }
    file->kept[place].id = id;
    file->kept[place].object = strdup(object);
    if (!file->kept[place].object)
        bug("out of memory");
    return id;
}

hid_t h5_dataset(struct h5 *file, const char *object, struct fault *fault)
{
    for (int i = 0; i < file->n_kept; i++)
        if (strcmp(file->kept[i].object, object) == 0)
            return file->kept[i].id;
    if (!h5_exists(file, object)) {
        fault_set(fault, STATUS_IO, "%s: %s: no such object in the file", file->path, object);
        return -1;
    }
    hid_t id = H5Oopen(file->id, object, H5P_DEFAULT);
    if (id < 0) {
        h5_fault(file, object, "cannot be opened", fault);
        return -1;
    }
    if (H5Iget_type(id) != H5I_DATASET) {
        fault_set(fault, STATUS_IO, "%s: %s: expected an array, found a group", file->path, object);
        H5Oclose(id);
        return -1;
    }
    return keep(file, object, id);
}

struct name_list {
    struct arena *arena;
    int n, room;
    const char **names;
};

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    struct name_list *list = data;
    (void)group;
    (void)info;
    if (list->n == list->room) {
        const char **more = arena_array(list->arena, (size_t)(list->room = 2 * list->room + 16), sizeof *more);
        if (list->n > 0)
            memcpy(more, list->names, (size_t)list->n * sizeof *more);
        list->names = more;
    }
    list->names[list->n++] = arena_string(list->arena, name);
    return 0;
}

enum status h5_list(struct h5 *file, const char *group, struct arena *arena, int *n, const char *const **names,
                    struct fault *fault)
{
    struct name_list list = {arena, 0, 0, NULL};
    hid_t id = H5Gopen2(file->id, group[0] ? group : "/", H5P_DEFAULT);
    if (id < 0)
        return h5_fault(file, group, "no such group in the file", fault);
    hsize_t at = 0;
    herr_t error = H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, &at, add_name, &list);
    enum status status = error < 0 ? h5_fault(file, group, "cannot be listed", fault) : STATUS_OK;
    H5Gclose(id);
    if (status != STATUS_OK)
        return status;
    *n = list.n;
    *names = list.names;
    return STATUS_OK;
}
