#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/dataset.h"
#include "store/h5.h"

enum { BLOCK_VALUES = 1 << 18 };

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status check_names(const struct dataset *dataset, const char *path, struct fault *fault)
{
    size_t n = (size_t)dataset_n_stations(dataset);
    const char **sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return fault_set(fault, STATUS_FAILED, "%s: %zu stations do not fit into memory", path, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = dataset_station(dataset, (int64_t)i);
    qsort(sorted, n, sizeof *sorted, compare_names);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < n && status == STATUS_OK; i++)
        if (sorted[i][0] == '\0')
            status = fault_set(fault, STATUS_INVALID, "%s: station: a name is empty", path);
        else if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
            status = fault_set(fault, STATUS_INVALID, "%s: station: \"%s\" appears twice", path, sorted[i]);
    free(sorted);
    return status;
}

static enum status check_coordinates(const struct dataset *dataset, const char *path, struct fault *fault)
{
    const double *latitude = dataset_latitude(dataset), *longitude = dataset_longitude(dataset);
    for (int64_t row = 1; row < dataset_n_rows(dataset) && dataset_time(dataset, 0) != DATASET_NO_TIME; row++)
        if (dataset_time(dataset, row) <= dataset_time(dataset, row - 1))
            return fault_set(fault, STATUS_INVALID, "%s: time: row %lld is not after the row before", path,
                             (long long)row);
    if (!latitude != !longitude)
        return fault_set(fault, STATUS_INVALID, "%s: expected both latitude and longitude or none", path);
    for (int64_t s = 0; latitude && s < dataset_n_stations(dataset); s++)
        if (!(fabs(latitude[s]) <= 90) || !(fabs(longitude[s]) <= 360))
            return fault_set(fault, STATUS_INVALID, "%s: station %s: no place on earth: latitude %g, longitude %g",
                             path, dataset_station(dataset, s), latitude[s], longitude[s]);
    return STATUS_OK;
}

struct block {
    float *values;
    uint8_t *missing, *mask;
};

static enum status check_values(const struct dataset *dataset, const struct dataset_variable *variable,
                                const char *path, int64_t first_row, int64_t n_values, const struct block *block,
                                struct fault *fault)
{
    for (int64_t i = 0; i < n_values; i++) {
        const char *wrong = NULL;
        if (isinf(block->values[i]))
            wrong = "infinite";
        else if (block->missing[i] && !variable->has_missing)
            wrong = "missing, but the variable has no mask";
        else if (variable->has_missing && block->mask[i] != block->missing[i])
            wrong = block->missing[i] ? "missing, but not in the mask" : "present, but marked as missing";
        if (wrong)
            return fault_set(fault, STATUS_INVALID, "%s: %s: row %lld, station %s: the value is %s", path,
                             variable->name, (long long)(first_row + i / dataset_n_stations(dataset)),
                             dataset_station(dataset, i % dataset_n_stations(dataset)), wrong);
    }
    return STATUS_OK;
}

static enum status check_block(struct dataset *dataset, struct h5 *file, int v, int64_t row, int64_t n,
                               const struct block *block, struct fault *fault)
{
    const struct dataset_variable *variable = dataset_variable(dataset, v);
    const int64_t start[2] = {row, 0}, count[2] = {n, dataset_n_stations(dataset)};
    int skip = variable->is_static;
    char mask[256];
    snprintf(mask, sizeof mask, "%s_missing", variable->name);
    enum status status = dataset_read_rows(dataset, v, row, n, block->values, block->missing, fault);
    if (status == STATUS_OK && variable->has_missing)
        status = h5_read_slab(file, mask, H5_UINT8, 2 - skip, start + skip, count + skip, block->mask, fault);
    if (status == STATUS_OK)
        status = check_values(dataset, variable, h5_path(file), row, n * count[1], block, fault);
    return status;
}

static enum status check_variables(struct dataset *dataset, struct h5 *file, struct fault *fault)
{
    int64_t n = dataset_n_stations(dataset), block_rows = BLOCK_VALUES / n > 0 ? BLOCK_VALUES / n : 1;
    size_t n_values = (size_t)(block_rows * n);
    struct block block = {malloc(n_values * sizeof(float)), malloc(n_values), malloc(n_values)};
    enum status status = STATUS_OK;
    if (!block.values || !block.missing || !block.mask)
        status = fault_set(fault, STATUS_FAILED, "%s: %zu values do not fit into memory", h5_path(file), n_values);
    for (int v = 0; v < dataset_n_variables(dataset) && status == STATUS_OK; v++) {
        int64_t n_rows = dataset_variable(dataset, v)->is_static ? 1 : dataset_n_rows(dataset);
        for (int64_t row = 0; row < n_rows && status == STATUS_OK; row += block_rows)
            status = check_block(dataset, file, v, row, n_rows - row < block_rows ? n_rows - row : block_rows, &block,
                                 fault);
    }
    free(block.values);
    free(block.missing);
    free(block.mask);
    return status;
}

static enum status check_adjacency(struct dataset *dataset, const char *path, struct fault *fault)
{
    int64_t n = dataset_n_stations(dataset);
    if (!dataset_has_adjacency(dataset))
        return STATUS_OK;
    float *weight = malloc((size_t)(n * n) * sizeof *weight);
    if (!weight)
        return fault_set(fault, STATUS_FAILED, "%s: adjacency: %lld stations do not fit into memory", path,
                         (long long)n);
    enum status status = dataset_read_adjacency(dataset, weight, fault);
    for (int64_t i = 0; i < n * n && status == STATUS_OK; i++)
        if (!isfinite(weight[i]) || weight[i] < 0)
            status =
                fault_set(fault, STATUS_INVALID, "%s: adjacency: %s to %s: expected a weight of 0 or more, found %g",
                          path, dataset_station(dataset, i / n), dataset_station(dataset, i % n), (double)weight[i]);
    free(weight);
    return status;
}

enum status dataset_check(const char *path, struct fault *fault)
{
    struct dataset *dataset;
    struct h5 *file;
    enum status status = h5_verify(path, fault);
    if (status == STATUS_OK)
        status = dataset_open(path, &dataset, fault);
    if (status != STATUS_OK)
        return status;
    status = h5_open(path, &file, fault);
    if (status == STATUS_OK) {
        status = check_names(dataset, path, fault);
        if (status == STATUS_OK)
            status = check_coordinates(dataset, path, fault);
        if (status == STATUS_OK)
            status = check_adjacency(dataset, path, fault);
        if (status == STATUS_OK)
            status = check_variables(dataset, file, fault);
        h5_close(file);
    }
    dataset_close(dataset);
    return status;
}
