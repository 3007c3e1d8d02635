#include "model/windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/split.h"
#include "store/dataset.h"

enum { BLOCK_ROWS = 256, MAX_INPUTS = 64 };

/* One variable, normalised, in blocks of rows that are read when first needed; missing values are NaN here. */
struct column {
    const char *name;
    int is_static;       /* [stations]: one row for all times */
    int64_t rows;
    double *mean, *sd;   /* [stations] */
    float **blocks;      /* [n_blocks][BLOCK_ROWS * stations], NULL until read */
};

struct windows {
    struct arena *arena;
    struct dataset *dataset;
    struct windows_config config;
    struct windows_shape shape;
    struct column column[MAX_INPUTS + 1];
    int n_inputs;             /* columns 0..n_inputs-1 are inputs */
    int target;               /* column of the target; may be one of the inputs */
    int target_input;         /* its place among the inputs, or -1 */
    struct split split;
};

static enum status open_column(struct windows *windows, const char *name, struct column *column, struct fault *fault)
{
    const struct dataset_variable *variable = dataset_variable(windows->dataset, name);
    if (!variable)
        return dataset_unknown_variable(windows->dataset, name, fault);
    column->name = variable->name;
    column->is_static = variable->is_static;
    column->rows = variable->is_static ? 1 : windows->shape.n_rows;
    int64_t n_blocks = (column->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    column->blocks = arena_array(windows->arena, (size_t)n_blocks, sizeof *column->blocks);
    column->mean = arena_array(windows->arena, (size_t)windows->shape.stations, sizeof *column->mean);
    column->sd = arena_array(windows->arena, (size_t)windows->shape.stations, sizeof *column->sd);
    return STATUS_OK;
}
