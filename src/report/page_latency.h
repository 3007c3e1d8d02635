/* page_latency.h - distributions of latencies, for one run and for several. */
#ifndef REPORT_PAGE_LATENCY_H
#define REPORT_PAGE_LATENCY_H

#include "report/figure.h"
#include "report/serving_read.h"

enum latency_kind { LATENCY_TTFT, LATENCY_TPOT, LATENCY_E2E, N_LATENCIES };

/* Share of the requests, in percent, that took at most time_s; starts at 0 %. */
struct latency_cdf {
    size_t n;
    double *time_s, *percent; /* [n], rising */
};

/* Local. In the arena; n is 0 when no request has such a latency. */
struct latency_cdf latency_cdf(const struct serving_run *run, enum latency_kind kind, struct arena *arena);

/* Local. */
const char *latency_id(enum latency_kind kind);
const char *latency_title(enum latency_kind kind);
struct figure_axis latency_axis(enum latency_kind kind, double largest_s);

#endif
