/* libFuzzer target: HDF5 and netCDF-3 files of any structure, and damaged files of our own.
 *
 * The HDF5 library itself does not survive every damaged file, so that bytes at random would only find its faults.
 * Instead the input is a program that builds a sound HDF5 file out of arrays, groups and attributes with names that
 * mean something to the readers; the first byte chooses that, or a netCDF-3 file of the bytes as they are, or one
 * flipped byte in a finished file, which its checksum must tell. clang -fsanitize=fuzzer,address,undefined
 * -D_GNU_SOURCE -Isrc $(pkg-config --cflags hdf5-openmpi) tests/fuzz/fuzz_hdf5.c src/store/[a-z]*.c src/base/[a-z]*.c
 * $(pkg-config --libs hdf5-openmpi zlib) -lm
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/dataset.h"
#include "store/h5.h"
#include "store/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at, *end;
};

static unsigned next(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static const char *const names[] = {"time",      "lat", "lon",        "station",         "latitude", "longitude",
                                    "adjacency", "v",   "v_missing",  "df/axis0",        "df/axis1", "df/block0_values",
                                    "t",         "w",   "station_to", "df/block1_values"};
static const char *const attributes[] = {
    "units", "scale_factor", "add_offset", "_FillValue",    "missing_value",       "_Unsigned",
    "kind",  "calendar",     "long_name",  "standard_name", "ancillary_variables", "polyrank_dataset_version"};
static const char *const texts[] = {"hours since 2000-01-01",
                                    "degrees_north",
                                    "degrees_east",
                                    "true",
                                    "datetime64",
                                    "months since 1970-01-01",
                                    "v_missing",
                                    "latitude",
                                    "360_day",
                                    "time",
                                    "seconds since 1970-01-01",
                                    ""};

#define PICK(list, input) (list)[next(input) % (sizeof(list) / sizeof *(list))]

static void make_array(struct h5 *file, struct input *input)
{
    static const double numbers[] = {0, 1, 2, 3, -1, 100, 1e30, -9, 0.5, 360, 719, -32768};
    struct fault ignored = FAULT_NONE;
    const char *name = PICK(names, input);
    int n_dims = (int)(next(input) % 4);
    int64_t dims[4], n = 1;
    double values[625];
    if (h5_exists(file, name))
        return;
    for (int d = 0; d < n_dims; d++)
        n *= dims[d] = (int64_t)(next(input) % 6);
    unsigned choice = next(input);
    if (choice % 4 == 3 && n_dims == 1) {
        const char *strings[6];
        for (int64_t i = 0; i < n; i++)
            strings[i] = PICK(texts, input);
        h5_write_strings(file, name, n, strings, &ignored);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        values[i] = choice & 128 ? (double)i : PICK(numbers, input);
    enum h5_type type = (enum h5_type)(choice % N_H5_TYPES);
    if (h5_make(file, name, type, n_dims, dims, &ignored) == STATUS_OK && n_dims > 0 && n > 0)
        h5_write_slab(file, name, H5_FLOAT64, n_dims, (int64_t[4]){0}, dims, values, &ignored);
}

static void make_attribute(struct h5 *file, struct input *input)
{
    struct fault ignored = FAULT_NONE;
    unsigned choice = next(input);
    const char *object = choice & 64 ? "/" : PICK(names, input), *name = PICK(attributes, input);
    if (!h5_exists(file, object))
        return;
    if (choice % 3 == 0)
        h5_set_string(file, object, name, PICK(texts, input), &ignored);
    else if (choice % 3 == 1)
        h5_set_int(file, object, name, (int64_t)next(input) - 1, &ignored);
    else
        h5_set_double(file, object, name, (double)next(input) / 16 - 1, &ignored);
}

static void make_scales(struct h5 *file, struct input *input)
{
    struct fault ignored = FAULT_NONE;
    struct h5_shape shape;
    const char *name = PICK(names, input), *scales[H5_MAX_DIMS];
    if (!h5_exists(file, name) || h5_shape(file, name, &shape, &ignored) != STATUS_OK || shape.kind == H5_KIND_GROUP ||
        h5_has_attribute(file, name, "DIMENSION_LIST"))
        return;
    for (int d = 0; d < shape.n_dims; d++) {
        scales[d] = PICK(names, input);
        if (!h5_exists(file, scales[d]))
            return;
    }
    h5_attach_scales(file, name, shape.n_dims, scales, &ignored);
}

static void build(const char *path, struct input *input)
{
    struct fault fault = FAULT_NONE;
    struct h5 *file;
    if (h5_create(path, &file, &fault) != STATUS_OK)
        bug("%s", fault.text);
    while (input->at < input->end)
        switch (next(input) % 4) {
        case 0:
            make_attribute(file, input);
            break;
        case 1:
            make_scales(file, input);
            break;
        default:
            make_array(file, input);
        }
    if (h5_finish(file, &fault) != STATUS_OK)
        bug("%s", fault.text);
}

static void read_all_ways(const char *path)
{
    struct arena *arena = arena_new();
    struct field *field = arena_take(arena, sizeof *field);
    struct import_options options = import_defaults();
    struct fault fault = FAULT_NONE;
    if (import_read(path, &options, arena, field, &fault) != STATUS_OK && !*fault.text)
        bug("refused without a word");
    fault = FAULT_NONE;
    if (dataset_check(path, &fault) != STATUS_OK && !*fault.text)
        bug("refused without a word");
    arena_free(arena);
}

static void save(const char *path, const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size)
        bug("cannot write %s", path);
    fclose(file);
}

/* One byte of a finished file becomes another one. */
static void damage(const char *path, struct input *input)
{
    unsigned char byte;
    struct fault fault = FAULT_NONE;
    size_t place = (size_t)next(input) << 8 | next(input);
    unsigned flip = next(input) | 1;
    build(path, input);
    FILE *file = fopen(path, "r+b");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        bug("cannot open %s", path);
    place %= (size_t)ftell(file) - 24;
    fseek(file, (long)place, SEEK_SET);
    if (fread(&byte, 1, 1, file) != 1)
        bug("cannot read %s", path);
    byte ^= (unsigned char)flip;
    fseek(file, (long)place, SEEK_SET);
    fwrite(&byte, 1, 1, file);
    fclose(file);
    if (dataset_check(path, &fault) != STATUS_IO)
        bug("damage at byte %zu was not found", place);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct input input = {data, data + size};
    unsigned choice = next(&input) % 4;
    snprintf(path, sizeof path, "/tmp/polyrank-fuzz-%d.h5", (int)getpid());
    if (choice == 0)
        damage(path, &input);
    else if (choice == 1)
        save(path, input.at, (size_t)(input.end - input.at));
    else
        build(path, &input);
    if (choice != 0)
        read_all_ways(path);
    unlink(path);
    return 0;
}
