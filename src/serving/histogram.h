/* histogram.h - a distribution of very many times in little memory: counts in buckets of 1/256 of an octave's value.
 *
 * Values below 256 ps are exact; above, a value told differs from the true one by at most 1/512 of it.
 */
#ifndef SERVING_HISTOGRAM_H
#define SERVING_HISTOGRAM_H

#include <stdint.h>

#include "base/archive.h"
#include "base/wide.h"
#include "store/served.h"

enum { HISTOGRAM_FINE = 256, HISTOGRAM_BUCKETS = HISTOGRAM_FINE * 58 };

struct histogram {
    uint64_t n, max;
    wide_uint sum;
    uint64_t count[HISTOGRAM_BUCKETS];
};

static inline uint32_t histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_FINE)
        return (uint32_t)value;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(value) - 8; /* value >> octave lies in 256..511 */
    return HISTOGRAM_FINE * (octave + 1) + (uint32_t)(value >> octave) - HISTOGRAM_FINE;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->count[histogram_bucket(value)]++;
    histogram->n++;
    histogram->sum += value;
    histogram->max = value > histogram->max ? value : histogram->max;
}

/* Local. Value at a share in [0, 1] of the ranks 0 .. n - 1 (the nearest rank), as the middle of its bucket, never
 * above the largest value. 0 when there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

/* Local. Mean and maximum exact, percentiles as above; ps to seconds. */
struct serving_spread histogram_spread(const struct histogram *histogram);

/* Local. Saves or restores. */
void histogram_archive(struct histogram *histogram, struct archive *archive);

#endif
