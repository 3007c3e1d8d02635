#include "serving/histogram.h"

#include <math.h>

static uint64_t middle_of(uint32_t bucket)
{
    if (bucket < HISTOGRAM_FINE)
        return bucket;
    uint32_t octave = bucket / HISTOGRAM_FINE - 1;
    uint64_t least = (uint64_t)(HISTOGRAM_FINE + bucket % HISTOGRAM_FINE) << octave;
    return least + (((UINT64_C(1) << octave) - 1) / 2);
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    if (histogram->n == 0)
        return 0;
    uint64_t rank = (uint64_t)llround(share * (double)(histogram->n - 1)), before = 0;
    for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
        before += histogram->count[b];
        if (before > rank)
            return middle_of(b) < histogram->max ? middle_of(b) : histogram->max;
    }
    return histogram->max;
}

struct serving_spread histogram_spread(const struct histogram *histogram)
{
    if (histogram->n == 0)
        return (struct serving_spread){0, NAN, NAN, NAN, NAN, NAN, NAN};
    return (struct serving_spread){
        .n = histogram->n,
        .mean = (double)histogram->sum / (double)histogram->n * 1e-12,
        .p50 = (double)histogram_quantile(histogram, 0.50) * 1e-12,
        .p90 = (double)histogram_quantile(histogram, 0.90) * 1e-12,
        .p95 = (double)histogram_quantile(histogram, 0.95) * 1e-12,
        .p99 = (double)histogram_quantile(histogram, 0.99) * 1e-12,
        .max = (double)histogram->max * 1e-12,
    };
}

void histogram_archive(struct histogram *histogram, struct archive *archive)
{
    archive_field(archive, "n", &histogram->n);
    archive_field(archive, "max", &histogram->max);
    archive_wide(archive, "sum", &histogram->sum, 1, sizeof histogram->sum);
    archive_array(archive, "count", histogram->count, HISTOGRAM_BUCKETS);
}
