/* metrics.h - records become percentiles, rates and the summary of a run. Definitions: docs/serving.md. */
#ifndef SERVING_METRICS_H
#define SERVING_METRICS_H

#include "serving/histogram.h"
#include "serving/serving.h"

/* Local. The percentile (0..100) of value[n], n > 0, between ranks (n - 1) * percent / 100 by linear interpolation,
 * rounded down. Reorders the values; time O(n). */
uint64_t quantile_ps(uint64_t *value, size_t n, uint32_t percent);

/* Local. Does a finished request meet every limit? 1 when there are none. */
int slo_is_met(const struct serving_slo *slo, const struct served *record);
int slo_is_set(const struct serving_slo *slo);

/* Local. Spread in seconds of a time of all records. `of` may leave a record out by returning UINT64_MAX. */
struct serving_spread served_spread(const struct served *record, size_t n, uint64_t (*of)(const struct served *record));

/* Local. Fills what follows from records, gaps and the instances' totals (which are complete); end_ps, in_system_ps,
 * n_instances and instance are set before. */
void serving_summarise(const struct serving_config *config, const struct served *record, size_t n,
                       const struct histogram *itl, struct serving_summary *summary);

#endif
