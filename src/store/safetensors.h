/* safetensors.h - weights in safetensors files, one or several shards with an index.
 *
 * A file is 8 bytes (little-endian length of the header), a JSON object {"name": {"dtype", "shape", "data_offsets"}},
 * and the data, to which the offsets count from their first byte. Everything is checked at opening: lengths against the
 * file, shapes against offsets, names and ranges that appear twice, gaps (up to 63 zeros at the end are padding). Data
 * are read in pieces when asked for, and widened exactly to float; F32, F16 and BF16 can be read. Source: safetensors,
 * "Format" of its documentation.
 *
 * Faults: STATUS_IO (cannot be read, truncated), STATUS_USAGE with file, tensor, what was expected and found.
 */
#ifndef STORE_SAFETENSORS_H
#define STORE_SAFETENSORS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "store/raw.h"

enum { SAFETENSOR_MAX_DIMS = 8 };

enum safetensor_type {
    SAFETENSOR_F32,
    SAFETENSOR_F16,
    SAFETENSOR_BF16,
    SAFETENSOR_OTHER /* known to the format, cannot be read here */
};

struct safetensor {
    const char *name, *dtype; /* as the file has them */
    enum safetensor_type type;
    int n_dims;
    int64_t dims[SAFETENSOR_MAX_DIMS];
    int64_t n_values;
    int64_t begin, end; /* bytes from the start of the file */
    const struct raw *raw;
};

/* All tensors of a model, by name in byte order. */
struct tensor_set {
    const char *path; /* of the file or the index */
    int n_files;
    struct raw *file;
    int64_t n;
    struct safetensor *tensor;
};

/* Local. Opens one file, or an index ({"weight_map": {"name": "file"}}) with the files beside it that it names: each
 * tensor must be where the index says, and no tensor may be missing from it. Lives in the arena; close it. */
enum status tensor_set_open(const char *path, struct arena *arena, struct tensor_set *set, struct fault *fault);
enum status tensor_set_open_index(const char *path, struct arena *arena, struct tensor_set *set, struct fault *fault);
void tensor_set_close(struct tensor_set *set);

/* Local. The tensor of this name, or NULL. */
const struct safetensor *tensor_set_find(const struct tensor_set *set, const char *name);

/* Local. Values first .. first + n - 1 in C order, widened to float. Outside of the tensor: a bug. */
enum status safetensor_read(const struct safetensor *tensor, int64_t first, int64_t n, float *values,
                            struct fault *fault);

/* Local. "[4096, 11008]" into text. Returns text. */
char *safetensor_shape(const struct safetensor *tensor, char *text, size_t size);

/* Local. 1 if the file begins as a safetensors file does. */
int safetensors_is(const char *path);

#endif
