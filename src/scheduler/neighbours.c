#include "scheduler/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

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

/* An edge leads from who is seen to who sees. */
static enum status see_edges(struct windows *windows, int64_t n, uint8_t *sees, struct fault *fault)
{
    struct arena *arena = arena_new();
    float *weight = arena_array(arena, (size_t)(n * n), sizeof *weight);
    enum status status = windows_read_adjacency(windows, weight, fault);
    for (int64_t from = 0; from < n && status == STATUS_OK; from++)
        for (int64_t to = 0; to < n; to++)
            if (weight[from * n + to] > 0)
                sees[to * n + from] = 1;
    arena_free(arena);
    return status;
}

/* Are a sequence's tokens stations, and is it known which of them are near? */
static enum status check(const struct job *job, const struct windows *windows, struct fault *fault)
{
    const struct job_model *model = &job->model;
    const struct windows_shape *shape = windows ? windows_shape(windows) : NULL;
    if (strcmp(model->attention, "spatial") != 0 && strcmp(model->attention, "joint") != 0)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: model.neighbours: expected 0, since only tokens of model.attention spatial and joint are stations, "
            "found attention %s",
            job->source, model->attention);
    if (!shape)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.neighbours: expected 0, since without data.file no station is near another",
                         job->source);
    if (model->neighbours == JOB_UNSET && !windows_has_adjacency(windows))
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.neighbours: expected a data set with an adjacency, found none: give it to "
                         "`polyrank data import`",
                         job->source);
    if (model->neighbours > 0 && !(shape->latitude && shape->longitude))
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.neighbours: expected a data set with the coordinates of its stations, found none: "
                         "give them to `polyrank data import`",
                         job->source);
    return STATUS_OK;
}

enum status neighbours_build(const struct job *job, struct windows *windows, struct arena *arena,
                             struct model_config *config, struct fault *fault)
{
    if (job->model.neighbours == 0)
        return STATUS_OK;
    enum status status = check(job, windows, fault);
    if (status != STATUS_OK)
        return status;
    int64_t n = windows_shape(windows)->stations;
    uint8_t *sees = arena_array(arena, (size_t)(n * n), sizeof *sees);
    for (int64_t s = 0; s < n; s++)
        sees[s * n + s] = 1;
    if (job->model.neighbours == JOB_UNSET)
        status = see_edges(windows, n, sees, fault);
    else
        see_nearest(windows_shape(windows), job->model.neighbours, sees);
    struct neighbours *near = arena_take(arena, sizeof *near);
    *near = (struct neighbours){n, sees, hash_bytes(HASH_START, (size_t)(n * n), sees)};
    config->encoder.near = near;
    return status;
}
