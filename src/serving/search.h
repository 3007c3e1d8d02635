/* search.h - the highest rate of arrivals at which a service keeps its objective.
 *
 * The requests stay the same, their arrivals come faster or slower. A rate keeps the objective when at least `share` of
 * the requests meet every limit of config->slo. From the first rate the search doubles or halves until one rate keeps
 * it and the next does not, then bisects (geometric mean) until the two differ by no more than `tolerance` of the
 * lower. The share need not fall everywhere as the rate rises (batches form differently); what is told is a rate that
 * was run and keeps the objective, beside one at most `tolerance` higher that was run and does not.
 */
#ifndef SERVING_SEARCH_H
#define SERVING_SEARCH_H

#include "serving/serving.h"

struct serving_search {
    double first_rate_per_s; /* 0: that of the requests */
    double share;            /* of requests that must meet the objective; 0: 0.99 */
    double tolerance;        /* relative; 0: 0.02 */
    int most_runs;           /* 0: 40 */
};

struct serving_search_run {
    double rate_per_s; /* infinite: all requests at once, tried when the first rate keeps the objective */
    double share;      /* met the objective */
    double ttft_p99_s, tpot_p99_s, e2e_p99_s;
    double output_tokens_per_s, goodput_requests_per_s;
    int keeps;
};

enum serving_search_end {
    SEARCH_FOUND,     /* rate_per_s keeps the objective, fails_per_s does not */
    SEARCH_ALL_KEEP,  /* even with all requests at once the objective is kept: both rates are infinite */
    SEARCH_NONE_KEEPS /* not even requests that come one by one: rate_per_s is 0 */
};

struct serving_search_result {
    enum serving_search_end end;
    double rate_per_s, fails_per_s;
    int n_runs;
    struct serving_search_run *run; /* [n_runs] in the order they were made */
    struct serving_result best;     /* the run at rate_per_s, when there is one */
};

/* Local. Needs an SLO in the config, at least two requests that do not all come at once, and engines whose costs depend
 * on nothing but the iteration (or have `reset`). `told` (may be NULL) hears each run as it ends. Faults STATUS_USAGE;
 * STATUS_FAILED when most_runs are not enough. */
enum status serving_search(const struct serving_config *config, const struct requests *requests,
                           const struct serving_engine *engines, size_t n_engines, const struct serving_search *search,
                           void (*told)(void *state, const struct serving_search_run *run), void *told_state,
                           struct arena *arena, struct serving_search_result *result, struct fault *fault);

#endif
