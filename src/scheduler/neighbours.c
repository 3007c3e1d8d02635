#include "scheduler/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/csv.h"

/* Squared distance of two points of the unit sphere, through it: grows with the distance on it. */
static double distance(const double a[3], const double b[3])
{
    double sum = 0;
    for (int c = 0; c < 3; c++)
        sum += (a[c] - b[c]) * (a[c] - b[c]);
    return sum;
}

static void put_on_sphere(double latitude, double longitude, double point[3])
{
    const double degree = 3.14159265358979323846 / 180;
    point[0] = cos(latitude * degree) * cos(longitude * degree);
    point[1] = cos(latitude * degree) * sin(longitude * degree);
    point[2] = sin(latitude * degree);
}

struct candidate {
    double distance;
    int64_t station;
};

static int by_distance(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    return (a->station > b->station) - (a->station < b->station);
}

static void see_nearest(const struct windows_shape *shape, int64_t n_nearest, uint8_t *sees)
{
    struct arena *arena = arena_new();
    size_t n = (size_t)shape->stations;
    double(*point)[3] = arena_array(arena, n, sizeof *point);
    struct candidate *others = arena_array(arena, n, sizeof *others);
    for (size_t s = 0; s < n; s++)
        put_on_sphere(shape->latitude[s], shape->longitude[s], point[s]);
    for (size_t s = 0; s < n; s++) {
        size_t k = 0;
        for (size_t t = 0; t < n; t++)
            if (t != s)
                others[k++] = (struct candidate){distance(point[s], point[t]), (int64_t)t};
        qsort(others, k, sizeof *others, by_distance);
        for (size_t i = 0; i < k && i < (size_t)n_nearest; i++)
            sees[s * n + (size_t)others[i].station] = 1;
    }
    arena_free(arena);
}

static int station_of(const struct csv *csv, int64_t row, int64_t column, int64_t n, int64_t *station)
{
    double value;
    if (!csv_number(csv_cell(csv, row, column), &value) || value != floor(value) || value < 0 || value >= (double)n)
        return 0;
    *station = (int64_t)value;
    return 1;
}

static enum status see_pairs(const struct csv *csv, int64_t n, uint8_t *sees, struct fault *fault)
{
    static const char *const names[] = {"i", "j", "w"};
    for (int64_t c = 0; c < csv->n_columns || c < 2; c++)
        if (c > 2 || c >= csv->n_columns || csv->n_rows < 1 || strcmp(csv_cell(csv, 0, c), names[c]) != 0)
            return fault_set(fault, STATUS_USAGE, "%s:1: expected the header i,j or i,j,w", csv->path);
    for (int64_t row = 1; row < csv->n_rows; row++) {
        int64_t pair[2];
        double weight = 1;
        for (int c = 0; c < 2; c++)
            if (!station_of(csv, row, c, n, &pair[c]))
                return csv_expected(csv, row, c, "the number of a station, from 0", fault);
        if (csv->n_columns == 3 && !csv_number(csv_cell(csv, row, 2), &weight))
            return csv_expected(csv, row, 2, "a weight", fault);
        if (weight != 0)
            sees[pair[0] * n + pair[1]] = 1;
    }
    return STATUS_OK;
}

/* Are a sequence's tokens stations, and are there some? */
static enum status check(const struct job *job, const struct windows_shape *shape, const struct encoder_config *config,
                         int64_t n, struct fault *fault)
{
    const struct job_model *model = &job->model;
    const char *key = model->neighbours ? "neighbours" : "neighbours_file";
    if (model->neighbours && model->neighbours_file)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.neighbours: expected 0 beside model.neighbours_file, found %lld", job->source,
                         (long long)model->neighbours);
    if (strcmp(model->attention, "spatial") != 0 && strcmp(model->attention, "joint") != 0)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.%s: expected model.attention spatial or joint, whose tokens are stations, found %s",
                         job->source, key, model->attention);
    if (n < 1 || config->tokens % n)
        return fault_set(fault, STATUS_USAGE, "%s: model.%s: expected a data set with stations, found none",
                         job->source, key);
    if (model->neighbours && (!shape || !shape->latitude || !shape->longitude))
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.neighbours: expected a data set with the coordinates of its stations, found none: "
                         "give them (`polyrank data import`), or a model.neighbours_file",
                         job->source);
    return STATUS_OK;
}

enum status neighbours_build(const struct job *job, const struct windows_shape *shape, struct arena *arena,
                             struct model_config *config, struct fault *fault)
{
    const struct job_model *model = &job->model;
    if (model->neighbours == 0 && !model->neighbours_file)
        return STATUS_OK;
    int64_t n = shape ? shape->stations : config->encoder.stations;
    enum status status = check(job, shape, &config->encoder, n, fault);
    if (status != STATUS_OK)
        return status;
    uint8_t *sees = arena_array(arena, (size_t)(n * n), sizeof *sees);
    for (int64_t s = 0; s < n; s++)
        sees[s * n + s] = 1;
    if (model->neighbours) {
        see_nearest(shape, model->neighbours, sees);
    } else {
        struct arena *text = arena_new();
        struct csv csv;
        status = csv_read(model->neighbours_file, text, &csv, fault);
        if (status == STATUS_OK)
            status = see_pairs(&csv, n, sees, fault);
        arena_free(text);
    }
    struct neighbours *near = arena_take(arena, sizeof *near);
    *near = (struct neighbours){n, sees, hash_bytes(HASH_START, (size_t)(n * n), sees)};
    config->encoder.near = near;
    return status;
}
