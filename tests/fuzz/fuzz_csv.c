/* libFuzzer target: any bytes as a CSV table. The first byte chooses options; what is read must be a consistent field.
 *   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc $(pkg-config --cflags hdf5-openmpi)
 * tests/fuzz/fuzz_csv.c src/store/[a-z]*.c src/base/[a-z]*.c $(pkg-config --libs hdf5-openmpi zlib) -lm
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/csv.h"
#include "store/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file in memory, for the readers open files by name. */
static const char *as_file(const uint8_t *data, size_t size, char *path, size_t room, int *descriptor)
{
    *descriptor = memfd_create("fuzz", 0);
    if (*descriptor < 0 || write(*descriptor, data, size) != (ssize_t)size)
        bug("no file in memory");
    snprintf(path, room, "/proc/self/fd/%d", *descriptor);
    return path;
}

static struct import_options options_of(uint8_t choice)
{
    struct import_options options = import_defaults();
    options.header = choice % 3 - 1;
    options.layout = (enum import_layout)(choice / 3 % 4);
    options.time_column = choice & 64 ? "time" : NULL;
    options.id_column = choice & 128 ? "id" : NULL;
    return options;
}

static void check_field(const struct field *field)
{
    if (field->n_rows < 1 || field->n_stations < 1 || field->n_variables < 1)
        bug("an empty field");
    for (int v = 0; v < field->n_variables; v++)
        for (int64_t i = 0; i < (field->variable[v].is_static ? 1 : field->n_rows) * field->n_stations; i++)
            if (isinf(field->values[v][i]))
                bug("infinity");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = FAULT_NONE;
    char path[64];
    int descriptor;
    if (size < 1)
        return 0;
    struct arena *arena = arena_new();
    struct field *field = arena_take(arena, sizeof *field);
    struct import_options options = options_of(data[0]);
    as_file(data + 1, size - 1, path, sizeof path, &descriptor);
    if (import_read(path, &options, arena, field, &fault) == STATUS_OK) {
        check_field(field);
        /* The same bytes as a list of stations and of edges. */
        if (import_stations(path, field, &fault) == STATUS_OK || import_adjacency(path, field, &fault) == STATUS_OK)
            check_field(field);
    } else if (!*fault.text) {
        bug("refused without a word");
    }
    close(descriptor);
    arena_free(arena);
    return 0;
}
