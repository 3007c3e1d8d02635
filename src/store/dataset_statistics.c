#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/dataset.h"

/* Values in memory at a time. */
enum { BLOCK_VALUES = 1 << 20 };

struct sums {
    double sum, squares; /* of the values, then of their distances from the mean */
    double min, max;
    int64_t count, missing;
};

struct pass {
    struct dataset *dataset;
    int variable;
    int64_t n_stations;
    float *block;
    int64_t block_rows;
    struct sums *station; /* [n_stations], then one for all */
};

static void add_row(struct pass *pass, const float *row, const double *mean)
{
    struct sums *all = &pass->station[pass->n_stations];
    for (int64_t s = 0; s < pass->n_stations; s++) {
        struct sums *sums = &pass->station[s];
        double value = row[s];
        if (isnan(value)) {
            sums->missing += !mean;
            all->missing += !mean;
        } else if (mean) {
            double own = value - mean[s], common = value - mean[pass->n_stations];
            sums->squares += own * own;
            all->squares += common * common;
        } else {
            sums->min = sums->count == 0 || value < sums->min ? value : sums->min;
            sums->max = sums->count == 0 || value > sums->max ? value : sums->max;
            sums->count++;
            sums->sum += value;
            all->sum += value;
        }
    }
}

/* One stream over all rows: sums first, then (mean given) squared distances. */
static enum status stream(struct pass *pass, const struct dataset_rows *ranges, int n_ranges, const double *mean,
                          struct fault *fault)
{
    for (int i = 0; i < n_ranges; i++)
        for (int64_t row = ranges[i].first; row <= ranges[i].last; row += pass->block_rows) {
            int64_t left = ranges[i].last - row + 1, n = left < pass->block_rows ? left : pass->block_rows;
            enum status status = dataset_read_rows(pass->dataset, pass->variable, row, n, pass->block, NULL, fault);
            if (status != STATUS_OK)
                return status;
            for (int64_t r = 0; r < n; r++)
                add_row(pass, pass->block + r * pass->n_stations, mean);
        }
    return STATUS_OK;
}

static void sum_up(struct pass *pass, double *mean)
{
    struct sums *all = &pass->station[pass->n_stations];
    for (int64_t s = 0; s < pass->n_stations; s++) {
        const struct sums *sums = &pass->station[s];
        mean[s] = sums->count ? sums->sum / (double)sums->count : 0;
        if (sums->count && (all->count == 0 || sums->min < all->min))
            all->min = sums->min;
        if (sums->count && (all->count == 0 || sums->max > all->max))
            all->max = sums->max;
        all->count += sums->count;
    }
    mean[pass->n_stations] = all->count ? all->sum / (double)all->count : 0;
}

static struct dataset_statistics finished(const struct sums *sums, double mean)
{
    double sd = sums->count ? sqrt(sums->squares / (double)sums->count) : 0;
    /* The rounded mean of equal values can differ from them in the last digit. */
    int constant = sums->count == 0 || sums->min == sums->max;
    return (struct dataset_statistics){.mean = constant && sums->count ? sums->min : mean,
                                       .sd = constant ? 1 : sd,
                                       .min = sums->count ? sums->min : NAN,
                                       .max = sums->count ? sums->max : NAN,
                                       .count = sums->count,
                                       .missing = sums->missing,
                                       .is_constant = constant};
}

enum status dataset_statistics(struct dataset *dataset, int variable, const struct dataset_rows *ranges, int n_ranges,
                               struct dataset_statistics *by_station, struct dataset_statistics *overall,
                               struct fault *fault)
{
    const struct dataset_rows only = {0, 0};
    if (dataset_variable(dataset, variable)->is_static) {
        ranges = &only;
        n_ranges = 1;
    }
    int64_t n = dataset_n_stations(dataset);
    struct pass pass = {.dataset = dataset, .variable = variable, .n_stations = n};
    pass.block_rows = BLOCK_VALUES / n > 0 ? BLOCK_VALUES / n : 1;
    pass.block = malloc((size_t)(pass.block_rows * n) * sizeof *pass.block);
    pass.station = calloc((size_t)n + 1, sizeof *pass.station);
    double *mean = calloc((size_t)n + 1, sizeof *mean);
    enum status status = STATUS_OK;
    if (!pass.block || !pass.station || !mean)
        status = fault_set(fault, STATUS_FAILED, "statistics of %lld stations do not fit into memory", (long long)n);
    if (status == STATUS_OK)
        status = stream(&pass, ranges, n_ranges, NULL, fault);
    if (status == STATUS_OK) {
        sum_up(&pass, mean);
        status = stream(&pass, ranges, n_ranges, mean, fault);
    }
    for (int64_t s = 0; status == STATUS_OK && by_station && s < n; s++)
        by_station[s] = finished(&pass.station[s], mean[s]);
    if (status == STATUS_OK && overall)
        *overall = finished(&pass.station[n], mean[n]);
    free(mean);
    free(pass.station);
    free(pass.block);
    return status;
}
