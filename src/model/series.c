#include "model/series.h"

#include <stdlib.h>

enum { BLOCK_ROWS = 256 };

struct series {
    struct dataset *dataset;
    int number; /* of the variable */
    const struct dataset_variable *variable;
    int64_t rows, stations;
    double *mean, *sd; /* [stations] */
    float **blocks;    /* [n_blocks][BLOCK_ROWS * stations], NULL until read */
    int64_t n_blocks;
};

enum status series_open(struct arena *arena, struct dataset *dataset, const char *name, struct series **out,
                        struct fault *fault)
{
    struct series *series = arena_take(arena, sizeof *series);
    enum status status = dataset_find(dataset, name, &series->number, fault);
    if (status != STATUS_OK)
        return status;
    series->dataset = dataset;
    series->variable = dataset_variable(dataset, series->number);
    series->rows = series->variable->is_static ? 1 : dataset_n_rows(dataset);
    series->stations = dataset_n_stations(dataset);
    series->n_blocks = (series->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    series->blocks = arena_array(arena, (size_t)series->n_blocks, sizeof *series->blocks);
    series->mean = arena_array(arena, (size_t)series->stations, sizeof *series->mean);
    series->sd = arena_array(arena, (size_t)series->stations, sizeof *series->sd);
    *out = series;
    return STATUS_OK;
}

void series_close(struct series *series)
{
    for (int64_t b = 0; b < series->n_blocks; b++)
        free(series->blocks[b]);
}

const char *series_name(const struct series *series)
{
    return series->variable->name;
}

const char *series_units(const struct series *series)
{
    return series->variable->units;
}

int series_is_static(const struct series *series)
{
    return series->variable->is_static;
}

int series_has_missing(const struct series *series)
{
    return series->variable->has_missing;
}

static int64_t block_rows(const struct series *series, int64_t block)
{
    int64_t left = series->rows - block * BLOCK_ROWS;
    return left < BLOCK_ROWS ? left : BLOCK_ROWS;
}

enum status series_fit(struct series *series, enum series_scale scale, int64_t test_first, int64_t test_last,
                       struct fault *fault)
{
    const struct dataset_rows ranges[] = {{0, test_first - 1}, {test_last + 1, series->rows - 1}}, all = {0, 0};
    int first = test_first == 0, last = test_last + 1 < series->rows;
    struct dataset_statistics overall = {.sd = 1}, *by_station = calloc((size_t)series->stations, sizeof *by_station);
    enum status status = STATUS_OK;
    if (!by_station)
        bug("out of memory");
    if (series->variable->is_static && scale != SERIES_RAW)
        status = dataset_statistics(series->dataset, series->number, &all, 1, NULL, &overall, fault);
    else if (scale != SERIES_RAW)
        status = dataset_statistics(series->dataset, series->number, ranges + first, 1 + last - first, by_station,
                                    &overall, fault);
    /* What does not change with time differs between stations only: one mean for all of them. */
    int is_global = scale != SERIES_BY_STATION || series->variable->is_static;
    for (int64_t s = 0; s < series->stations; s++) {
        series->mean[s] = is_global ? overall.mean : by_station[s].mean;
        series->sd[s] = is_global ? overall.sd : by_station[s].sd;
    }
    free(by_station);
    return status;
}

static enum status read_block(struct series *series, int64_t block, struct fault *fault)
{
    int64_t n = block_rows(series, block) * series->stations;
    float *values = malloc((size_t)n * sizeof *values + 1);
    if (!values)
        bug("out of memory");
    enum status status = dataset_read_rows(series->dataset, series->number, block * BLOCK_ROWS,
                                           block_rows(series, block), values, NULL, fault);
    if (status != STATUS_OK) {
        free(values);
        return status;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t s = i % series->stations;
        values[i] = (float)((values[i] - series->mean[s]) / series->sd[s]);
    }
    series->blocks[block] = values;
    return STATUS_OK;
}

enum status series_row(struct series *series, int64_t row, const float **values, struct fault *fault)
{
    int64_t block = row / BLOCK_ROWS;
    if (!series->blocks[block]) {
        enum status status = read_block(series, block, fault);
        if (status != STATUS_OK)
            return status;
    }
    *values = series->blocks[block] + row % BLOCK_ROWS * series->stations;
    return STATUS_OK;
}

double series_to_units(const struct series *series, int64_t station, double normalised)
{
    return normalised * series->sd[station] + series->mean[station];
}
