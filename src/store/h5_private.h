/* h5_private.h - what the files of the HDF5 wrappers share. */
#ifndef STORE_H5_PRIVATE_H
#define STORE_H5_PRIVATE_H

#include <hdf5.h>

#include "store/h5.h"

enum { H5_KEPT = 32 };

/* Datasets stay open while the file is, so that reading rows again and again finds its chunk in the cache. */
struct h5 {
    hid_t id;
    hid_t half; /* the type float16, which HDF5 has no name for */
    char *path;
    char *temporary; /* NULL for files opened for reading */
    hid_t driver;    /* of files that are written; -1: none */
    int write_error; /* errno of the first write that failed */
    int n_kept, next_kept;
    struct {
        char *object;
        hid_t id;
    } kept[H5_KEPT];
};

/* Local. Records "path: object: what (HDF5's reason)"; the reason is on HDF5's error stack, so call it right after the
 * failure. Returns STATUS_IO. */
enum status h5_fault(const struct h5 *file, const char *object, const char *what, struct fault *fault);

/* Local. The open dataset (borrowed), -1 with a fault if there is none. */
hid_t h5_dataset(struct h5 *file, const char *object, struct fault *fault);

/* Local. Opens a dataset or group, "/" is the root; the caller closes it with H5Oclose. -1 with a fault. */
hid_t h5_object(const struct h5 *file, const char *object, struct fault *fault);

/* Local. Shape of an array of numbers. Fault STATUS_IO: it is not one, or there is none. */
enum status h5_need_numbers(struct h5 *file, const char *object, struct h5_shape *shape, struct fault *fault);

/* Local. The type in memory and in the file (borrowed: constants of HDF5, or the file's float16). */
hid_t h5_memory_type(const struct h5 *file, enum h5_type type);
hid_t h5_file_type(const struct h5 *file, enum h5_type type);

/* Local. A new IEEE binary16, little-endian; -1 when HDF5 cannot make it. */
hid_t h5_half_type(void);

/* Local. Kind of a type. */
enum h5_kind h5_kind_of(hid_t type);

/* Local. Files that are created with this list are written by a driver that notes in *error what the system says to a
 * write that fails, and goes on. Returns the driver, to be unregistered (H5FDunregister) after the file is closed; -1
 * when HDF5 refuses. */
hid_t h5_driver_set(hid_t access_list, int *error);

/* Local. Has what HDF5 has written so far come to the system? Else its reason. */
enum status h5_check_written(const struct h5 *file, struct fault *fault);

/* Local. Closes all kept datasets. */
void h5_forget(struct h5 *file);

/* Local. Reads n strings of `type` (fixed or variable length) from a dataset or attribute, whichever of the two is
 * given (the other -1). */
enum status h5_strings_from(const struct h5 *file, const char *object, hid_t dataset, hid_t attribute, hid_t type,
                            int64_t n, struct arena *arena, const char ***strings, struct fault *fault);

/* Local. Appends the checksum to a closed file; `told` is the name for messages. */
enum status h5_seal(const char *path, const char *told, struct fault *fault);

/* Local. Compares the checksum, if the file has one and is not larger than most_bytes (0: of any size). With `required`
 * a file without one is a fault. */
enum status h5_check_seal(const char *path, int64_t most_bytes, int required, struct fault *fault);

#endif
