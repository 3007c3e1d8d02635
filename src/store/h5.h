/* h5.h - HDF5 files, checked: every call either works or gives one fault text with the file, the object and the reason.
 *
 * This is the only way the program touches HDF5. Reading is generic (any integer or floating type is converted to the
 * one asked for); writing makes files that h5py, xarray and netCDF-4 open as they are: dimension scales, UTF-8 strings,
 * formats of HDF5 1.8, no time stamps inside (equal content gives equal bytes). Objects are named by path within the
 * file
 * ("steps/loss"; a leading slash may be left out; "/" is the root). Each rank opens files by itself: nothing is
 * collective.
 *
 * A new file is written under the name `path.tmp` and renamed when h5_finish has flushed it to the disk, so that a file
 * under its own name is always complete. After a fault call h5_abandon: it removes the temporary.
 *
 * Finished files carry a checksum of the whole (behind the end of what HDF5 reads); h5_open compares it in files of up
 * to 256 MiB, h5_verify always. Foreign files have none: HDF5 itself may not survive a damaged one.
 *
 * All faults are STATUS_IO unless said otherwise ("wind.h5: steps/loss: no such object in the file").
 */
#ifndef STORE_H5_H
#define STORE_H5_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct h5;

enum { H5_MAX_DIMS = 8 };

/* Element types in memory and, for writing, in the file (little endian). A float16 is its bit pattern in a uint16_t
 * (store/half.h). */
enum h5_type {
    H5_FLOAT32,
    H5_FLOAT64,
    H5_UINT8,
    H5_INT8,
    H5_INT16,
    H5_INT32,
    H5_INT64,
    H5_UINT32,
    H5_UINT64,
    H5_FLOAT16,
    N_H5_TYPES
};

/* What an object in a file is. Numbers of any width are integers or floats. */
enum h5_kind { H5_KIND_INTEGER, H5_KIND_FLOAT, H5_KIND_STRING, H5_KIND_OTHER, H5_KIND_GROUP };

struct h5_shape {
    enum h5_kind kind;
    int n_dims; /* 0: scalar (and groups) */
    int64_t dims[H5_MAX_DIMS];
    int64_t n_values;  /* product of the dims; 1 for a scalar */
    int element_bytes; /* in the file */
    int is_signed;     /* integers */
};

/* ---- reading ---- */

/* Local. Opens a file for reading. Faults name what is wrong: no such file, not an HDF5 file, truncated. */
enum status h5_open(const char *path, struct h5 **file, struct fault *fault);

/* Local. The same of a file of this program that has been verified: its checksum is not compared. */
enum status h5_open_verified(const char *path, struct h5 **file, struct fault *fault);

/* Local. Reads the whole file and compares its checksum; files without one pass. */
enum status h5_verify(const char *path, struct fault *fault);

/* Local. The same, but a file without a checksum is not whole. */
enum status h5_verify_sealed(const char *path, struct fault *fault);

/* Local. CRC-32 of any file's bytes. */
enum status h5_checksum(const char *path, uint32_t *sum, struct fault *fault);

/* Local. Closes a file that was opened for reading. NULL is allowed. */
void h5_close(struct h5 *file);

/* Local. The path the file was opened or created with, for messages. */
const char *h5_path(const struct h5 *file);

/* Local. 1 if the object exists (every group on the way too). */
int h5_exists(struct h5 *file, const char *object);

/* Local. Names of the members of a group in alphabetical (byte) order. */
enum status h5_list(struct h5 *file, const char *group, struct arena *arena, int *n, const char *const **names,
                    struct fault *fault);

/* Local. Kind and shape of a dataset or group. */
enum status h5_shape(struct h5 *file, const char *object, struct h5_shape *shape, struct fault *fault);

/* Local. Reads a whole numeric dataset as `type` into values, in C order. n_values is what the caller has room for and
 * must equal the number of elements. */
enum status h5_read(struct h5 *file, const char *object, enum h5_type type, int64_t n_values, void *values,
                    struct fault *fault);

/* Local. Reads the box start[d] .. start[d]+count[d]-1 of a numeric dataset of n_dims dimensions, in C order. */
enum status h5_read_slab(struct h5 *file, const char *object, enum h5_type type, int n_dims, const int64_t *start,
                         const int64_t *count, void *values, struct fault *fault);

/* Local. Reads a whole numeric dataset of any shape as doubles into the arena: *n_dims, dims[H5_MAX_DIMS], *values in C
 * order (one value for a scalar, n_dims 0). */
enum status h5_read_doubles(struct h5 *file, const char *object, struct arena *arena, int *n_dims, int64_t *dims,
                            double **values, struct fault *fault);

/* Local. Reads a string dataset (fixed or variable length, 0 or more dimensions) into the arena. Characters after the
 * first NUL are dropped, trailing blanks of blank-padded strings too. */
enum status h5_read_strings(struct h5 *file, const char *object, struct arena *arena, int64_t *n,
                            const char *const **strings, struct fault *fault);

/* ---- attributes of an object ("/" for the file's own) ---- */

/* Local. 1 if the object exists and has the attribute. */
int h5_has_attribute(struct h5 *file, const char *object, const char *name);

/* Local. Reads a string attribute (a one-element array counts). Fault when it is absent or no string. */
enum status h5_get_string(struct h5 *file, const char *object, const char *name, struct arena *arena, const char **text,
                          struct fault *fault);

/* Local. Reads a numeric attribute of one value. Fault when it is absent, no number, or has more values. */
enum status h5_get_double(struct h5 *file, const char *object, const char *name, double *value, struct fault *fault);
enum status h5_get_int(struct h5 *file, const char *object, const char *name, int64_t *value, struct fault *fault);

/* ---- writing ---- */

/* Local. Starts a new file; nothing is seen under `path` before h5_finish, which replaces a file that is there. Fault
 * when the folder is missing or not writable. */
enum status h5_create(const char *path, struct h5 **file, struct fault *fault);

/* Local. Completes a new file: flush, close, fsync, rename to its name, fsync of the folder. The handle is gone
 * afterwards in any case; on a fault the temporary is removed and what was under the name before is untouched. */
enum status h5_finish(struct h5 *file, struct fault *fault);

/* Local. The two halves of it, for who has something to do in between: the file is complete and on the disk under its
 * temporary name (after a fault: h5_abandon); it takes its name (the handle is gone in any case). */
enum status h5_complete(struct h5 *file, struct fault *fault);
enum status h5_place(struct h5 *file, struct fault *fault);

/* Local. Gives a new file up: closes it and removes the temporary. NULL is allowed. */
void h5_abandon(struct h5 *file);

/* Local. Creates a group, with the groups on the way to it. An existing group is fine. */
enum status h5_make_group(struct h5 *file, const char *group, struct fault *fault);

/* Local. Creates a numeric dataset without writing it, with the groups on the way; unwritten floats are NaN, integers
 * 0. More than 4 KiB: chunks of at most 256 KiB (the trailing dimensions whole when they fit), shuffle, deflate,
 * Fletcher32; smaller ones contiguous. n_dims 0: scalar. */
enum status h5_make(struct h5 *file, const char *object, enum h5_type type, int n_dims, const int64_t *dims,
                    struct fault *fault);

/* Local. A 1-d dataset of n numbers as they stand in memory: in one piece, without filters. To be written whole. */
enum status h5_make_plain(struct h5 *file, const char *object, enum h5_type type, int64_t n, struct fault *fault);

/* Local. Writes a box of a dataset made before (any numeric type in memory). */
enum status h5_write_slab(struct h5 *file, const char *object, enum h5_type type, int n_dims, const int64_t *start,
                          const int64_t *count, const void *values, struct fault *fault);

/* Local. h5_make and the whole content at once. `values` may be NULL when an extent is 0. */
enum status h5_write(struct h5 *file, const char *object, enum h5_type type, int n_dims, const int64_t *dims,
                     const void *values, struct fault *fault);

/* Local. A 1-d dataset of n fixed-size UTF-8 strings (as wide as the longest). */
enum status h5_write_strings(struct h5 *file, const char *object, int64_t n, const char *const *strings,
                             struct fault *fault);

/* Local. A scalar string dataset of any length (a job file, a text). */
enum status h5_write_text(struct h5 *file, const char *object, const char *text, struct fault *fault);

/* Local. Sets an attribute (replaces one that is there). Strings are UTF-8 of variable length: h5py reads them as str.
 */
enum status h5_set_string(struct h5 *file, const char *object, const char *name, const char *text, struct fault *fault);
enum status h5_set_double(struct h5 *file, const char *object, const char *name, double value, struct fault *fault);
enum status h5_set_float(struct h5 *file, const char *object, const char *name, float value, struct fault *fault);
enum status h5_set_int(struct h5 *file, const char *object, const char *name, int64_t value, struct fault *fault);

/* Local. A 1-d array attribute of bytes (CF flag_values of a uint8 variable). */
enum status h5_set_bytes(struct h5 *file, const char *object, const char *name, int n, const uint8_t *values,
                         struct fault *fault);

/* Local. Makes a 1-d dataset a dimension scale (attributes CLASS and NAME); its own name becomes the name of the
 * dimension. */
enum status h5_make_scale(struct h5 *file, const char *object, struct fault *fault);

/* Local. Attaches the scales to all dimensions of an array: n_dims paths of scales in order (DIMENSION_LIST there, and
 * REFERENCE_LIST at each scale). Once per array. Source: HDF5 dimension scale specification. */
enum status h5_attach_scales(struct h5 *file, const char *object, int n_dims, const char *const *scales,
                             struct fault *fault);

/* Local. The names (last component) of the scales attached to a dataset, one for each dimension; NULL where a dimension
 * has none. names has room for H5_MAX_DIMS. */
enum status h5_dimension_names(struct h5 *file, const char *object, struct arena *arena, const char **names,
                               struct fault *fault);

#endif
