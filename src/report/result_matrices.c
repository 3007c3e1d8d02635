/* The group /matrix of a result: matrices in memory cells and how often they were written. Both directions side by
 * side, so that they stay alike. */
#include <inttypes.h>

#include "report/result_columns.h"
#include "report/result_private.h"

enum { MATRIX_COUNTS = 5 };

static const char *const count_names[MATRIX_COUNTS][2] = {
    {"outputs", "rows of the weight: outputs"},
    {"inputs", "columns of the weight: inputs"},
    {"crossbars", "crossbars that all its copies take"},
    {"cells", "cells that one handover programs, all copies"},
    {"cell_writes", "programmings of these cells in the run"},
};

static uint64_t count_of(const struct run_matrix *matrix, int field)
{
    const uint64_t counts[MATRIX_COUNTS] = {(uint64_t)matrix->out, (uint64_t)matrix->in, matrix->crossbars,
                                            matrix->cells, matrix->cell_writes};
    return counts[field];
}

void result_write_matrices(struct h5 *file, struct arena *arena, const struct run *run, struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/matrix", "matrix", run->n_matrices);
    size_t n = (size_t)run->n_matrices;
    if (n == 0)
        return;
    const char **names = arena_array(arena, n, sizeof *names);
    int64_t *device = arena_array(arena, n, sizeof *device);
    uint64_t *counts = arena_array(arena, n, sizeof *counts);
    for (size_t m = 0; m < n; m++) {
        names[m] = run->matrix[m].name;
        device[m] = run->matrix[m].device;
    }
    columns_put_scale(&c, 0, "matrix in memory cells");
    columns_put_names(&c, "name", names, "parameter that it is (a part of)");
    columns_put(&c, "device", H5_INT64, device, "1", "number of its device, from 0");
    for (int f = 0; f < MATRIX_COUNTS; f++) {
        for (size_t m = 0; m < n; m++)
            counts[m] = count_of(&run->matrix[m], f);
        columns_put(&c, count_names[f][0], H5_UINT64, counts, "1", count_names[f][1]);
    }
}

void result_read_matrices(struct h5 *file, struct arena *arena, struct run *run, struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/matrix", "matrix", 0);
    const uint64_t *count[MATRIX_COUNTS];
    columns_find(&c);
    if (c.n == 0)
        return;
    const char *const *names = columns_get_names(&c, "name");
    const int64_t *device = columns_get(&c, "device", H5_INT64);
    for (int f = 0; f < MATRIX_COUNTS; f++)
        count[f] = columns_get(&c, count_names[f][0], H5_UINT64);
    for (int64_t m = 0; !columns_failed(&c) && m < c.n; m++)
        if (device[m] < 0 || device[m] >= run->n_devices)
            fault_set(fault, STATUS_USAGE, "%s: %s/device: no device of the run: %" PRId64, h5_path(file), c.group,
                      device[m]);
    if (columns_failed(&c))
        return;
    run->n_matrices = (int)c.n;
    run->matrix = arena_array(arena, (size_t)c.n, sizeof *run->matrix);
    for (int64_t m = 0; m < c.n; m++)
        run->matrix[m] = (struct run_matrix){.device = (int)device[m],
                                             .name = names[m],
                                             .out = (int64_t)count[0][m],
                                             .in = (int64_t)count[1][m],
                                             .crossbars = count[2][m],
                                             .cells = count[3][m],
                                             .cell_writes = count[4][m]};
}
