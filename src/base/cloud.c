#include "base/cloud.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/status.h"

/* Of the old distribution, in the new one. */
#define KEPT 0.2

struct sky {
    const struct cloud *cloud;
    double mean[CLOUD_MOST], covariance[CLOUD_MOST][CLOUD_MOST];
    double (*x)[CLOUD_MOST], *at; /* [points] the best first */
};

/* Lower triangle with factor factor^T = covariance; a variable that no longer spreads stands still. */
static void find_factor(const struct sky *sky, double (*factor)[CLOUD_MOST])
{
    int n = sky->cloud->n;
    memset(factor, 0, sizeof(double[CLOUD_MOST][CLOUD_MOST]));
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double left = sky->covariance[i][j];
            for (int k = 0; k < j; k++)
                left -= factor[i][k] * factor[j][k];
            if (i == j)
                factor[i][i] = left > 0 ? sqrt(left) : 0;
            else
                factor[i][j] = factor[j][j] > 0 ? left / factor[j][j] : 0;
        }
}

/* By value; equals stay in the order they were drawn. */
static void insert(struct sky *sky, int n_points, const double *x, double at)
{
    int place = n_points;
    for (; place > 0 && at < sky->at[place - 1]; place--) {
        memcpy(sky->x[place], sky->x[place - 1], sizeof sky->x[place]);
        sky->at[place] = sky->at[place - 1];
    }
    memcpy(sky->x[place], x, sizeof sky->x[place]);
    sky->at[place] = at;
}

static double allowed(double value)
{
    return isnan(value) ? INFINITY : value;
}

static void draw(struct sky *sky, int number, cloud_value *value, void *state)
{
    const struct cloud *cloud = sky->cloud;
    double factor[CLOUD_MOST][CLOUD_MOST];
    find_factor(sky, factor);
    for (int p = 0; p < cloud->points; p++) {
        double x[CLOUD_MOST], normal[CLOUD_MOST];
        memcpy(x, sky->mean, sizeof x);
        for (int i = 0; i < cloud->n; i++)
            normal[i] = rng_normal(cloud->key, (uint32_t)number, (uint64_t)p * (uint64_t)cloud->n + (uint64_t)i);
        for (int i = 0; i < cloud->n; i++)
            for (int k = 0; k <= i; k++)
                x[i] += factor[i][k] * normal[k];
        insert(sky, p, x, allowed(value(state, x)));
    }
}

/* Mean and covariance of the best; covariance about the old mean, so that a cloud on its way grows along it. */
static void gather(struct sky *sky)
{
    int n = sky->cloud->n, n_best = sky->cloud->points / 4;
    double mean[CLOUD_MOST] = {0};
    for (int p = 0; p < n_best; p++)
        for (int i = 0; i < n; i++)
            mean[i] += sky->x[p][i] / n_best;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < n_best; p++)
                sum += (sky->x[p][i] - sky->mean[i]) * (sky->x[p][j] - sky->mean[j]) / n_best;
            sky->covariance[i][j] = KEPT * sky->covariance[i][j] + (1 - KEPT) * sum;
        }
    for (int i = 0; i < n; i++)
        sky->mean[i] = mean[i];
}

double cloud_minimise(const struct cloud *cloud, cloud_value *value, void *state, double *best)
{
    if (cloud->n < 1 || cloud->n > CLOUD_MOST || cloud->points < 8)
        bug("a cloud of %d points in %d variables", cloud->points, cloud->n);
    struct arena *arena = arena_new();
    struct sky sky = {.cloud = cloud,
                      .x = arena_array(arena, (size_t)cloud->points, sizeof *sky.x),
                      .at = arena_array(arena, (size_t)cloud->points, sizeof *sky.at)};
    memcpy(sky.mean, cloud->centre, sizeof sky.mean);
    for (int i = 0; i < cloud->n; i++)
        sky.covariance[i][i] = cloud->spread[i] * cloud->spread[i];
    double least = allowed(value(state, cloud->centre));
    memcpy(best, cloud->centre, (size_t)cloud->n * sizeof *best);
    for (int number = 0; number < cloud->clouds; number++) {
        draw(&sky, number, value, state);
        if (sky.at[0] < least) {
            least = sky.at[0];
            memcpy(best, sky.x[0], (size_t)cloud->n * sizeof *best);
        }
        if (isfinite(sky.at[cloud->points / 4 - 1]))
            gather(&sky);
    }
    arena_free(arena);
    return least;
}
