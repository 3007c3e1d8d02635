/* h5_driver.c - how HDF5 writes files here. HDF5 itself does not survive a write that fails (a full disk, a quota): it
 * can neither close the file nor end the program. This driver notes the error, takes the bytes as written, and lets
 * HDF5 go on; whoever completes the file asks for the error, and the file never gets its name. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/h5_private.h"

struct driven {
    H5FD_t base; /* has to be the first */
    int descriptor;
    int *error; /* the first errno of a write; of struct h5 */
    haddr_t end_allocated, end_written;
};

struct driver_info { /* of a list of file access properties */
    int *error;
};

static H5FD_t *driver_open(const char *path, unsigned flags, hid_t access_list, haddr_t most)
{
    const struct driver_info *info = H5Pget_driver_info(access_list);
    struct driven *file = calloc(1, sizeof *file);
    (void)most;
    if (!info || !file || !(flags & H5F_ACC_CREAT)) {
        free(file);
        return NULL;
    }
    file->error = info->error;
    file->descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->descriptor >= 0)
        return &file->base;
    free(file);
    return NULL;
}

static void note(const struct driven *file, int error)
{
    if (*file->error == 0)
        *file->error = error ? error : EIO;
}

static herr_t driver_close(H5FD_t *base)
{
    struct driven *file = (struct driven *)base;
    if (close(file->descriptor) != 0)
        note(file, errno);
    free(file);
    return 0;
}

/* Small pieces are put together as the driver of HDF5 for plain files does. */
static herr_t driver_query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driven *)base)->end_allocated;
}

static herr_t driver_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    ((struct driven *)base)->end_allocated = end;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driven *)base)->end_written;
}

static herr_t driver_read(H5FD_t *base, H5FD_mem_t type, hid_t list, haddr_t at, size_t size, void *buffer)
{
    const struct driven *file = (struct driven *)base;
    char *to = buffer;
    (void)type;
    (void)list;
    while (size > 0) {
        ssize_t got = pread(file->descriptor, to, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0) { /* behind the end: zeros */
            for (size_t i = 0; i < size; i++)
                to[i] = 0;
            return 0;
        }
        to += got;
        at += (haddr_t)got;
        size -= (size_t)got;
    }
    return 0;
}

static herr_t driver_write(H5FD_t *base, H5FD_mem_t type, hid_t list, haddr_t at, size_t size, const void *buffer)
{
    struct driven *file = (struct driven *)base;
    const char *from = buffer;
    haddr_t end = at + size;
    (void)type;
    (void)list;
    while (size > 0 && *file->error == 0) {
        ssize_t put = pwrite(file->descriptor, from, size, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            note(file, errno);
            break;
        }
        from += put;
        at += (haddr_t)put;
        size -= (size_t)put;
    }
    file->end_written = end > file->end_written ? end : file->end_written;
    return 0;
}

static herr_t driver_truncate(H5FD_t *base, hid_t list, hbool_t closing)
{
    struct driven *file = (struct driven *)base;
    (void)list;
    (void)closing;
    if (*file->error == 0 && file->end_allocated != file->end_written &&
        ftruncate(file->descriptor, (off_t)file->end_allocated) != 0)
        note(file, errno);
    file->end_written = file->end_allocated;
    return 0;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600, /* of the range for drivers outside of the library */
#endif
    .name = "polyrank",
    .maxaddr = ((haddr_t)1 << 62) - 1,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct driver_info),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t h5_driver_set(hid_t access_list, int *error)
{
    const struct driver_info info = {error};
    hid_t id = H5FDregister(&driver);
    if (id >= 0 && H5Pset_driver(access_list, id, &info) < 0) {
        H5FDunregister(id);
        return -1;
    }
    return id;
}
