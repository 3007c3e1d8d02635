/* deviation.h - how far one run of some requests is from another, metric by metric.
 *
 * For emulated against measured runs: records of the same requests in the same order, measured[n] and emulated[n].
 * Engines stamp a request when they take it from outside, between two iterations: TTFT and E2E are from seen_ps here.
 */
#ifndef SERVING_DEVIATION_H
#define SERVING_DEVIATION_H

#include "store/served.h"

enum deviation_metric { DEVIATION_TTFT, DEVIATION_TPOT, DEVIATION_E2E, N_DEVIATION_METRICS };

struct deviation {
    size_t n; /* requests that have the metric: answers of one token have no TPOT */
    struct serving_spread measured, emulated;
    double mean_error, max_error; /* of |emulated - measured| / measured over the requests; NaN when n is 0 */
};

/* Local. "TTFT", "TPOT", "E2E". */
const char *deviation_metric_name(enum deviation_metric metric);

/* Local. The metric of a record in ps; UINT64_MAX when it has none. */
uint64_t deviation_value_ps(enum deviation_metric metric, const struct served *record);

/* Local. Measured values must be above 0. */
struct deviation deviation_of(enum deviation_metric metric, const struct served *measured,
                              const struct served *emulated, size_t n);

/* Local. Generated tokens per second from the first arrival to the last token; 0 when n is 0. */
double deviation_tokens_per_s(const struct served *record, size_t n);

/* Local. What a fit makes small: the mean over requests of |ln(emulated / measured)| of TTFT, and the same of TPOT,
 * added. A factor counts alike up and down, a long queue as much as a short answer, and single outliers by their size
 * and not by its square. */
double deviation_to_fit(const struct served *measured, const struct served *emulated, size_t n);

#endif
