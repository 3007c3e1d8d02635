/* arrivals.h - made-up requests: random arrivals, with fixed, uniform or sampled lengths.
 *
 * Counter-based random numbers keyed by the number of the request: the first n requests are the same however many are
 * made, and another rate only stretches time.
 */
#ifndef SERVING_ARRIVALS_H
#define SERVING_ARRIVALS_H

#include "base/arena.h"
#include "base/status.h"
#include "store/requests.h"

enum arrival_process {
    ARRIVAL_POISSON, /* exponential gaps */
    ARRIVAL_GAMMA,   /* gamma gaps with coefficient of variation cv: bursts above 1, regular below */
    ARRIVAL_FIXED,   /* gaps of 1 / rate */
    ARRIVAL_AT_ONCE  /* all at time 0 */
};

enum request_lengths {
    LENGTHS_FIXED,   /* prompt_tokens and output_tokens */
    LENGTHS_UNIFORM, /* whole numbers from least to most, both included, prompt and answer independent */
    LENGTHS_SAMPLED  /* pairs drawn from a trace, with replacement; its hashes go with them */
};

struct arrivals {
    size_t n;
    uint64_t seed;
    enum arrival_process process;
    double rate_per_s; /* above 0, but for ARRIVAL_AT_ONCE */
    double cv;         /* ARRIVAL_GAMMA: 0.01 to 100 */
    enum request_lengths lengths;
    uint32_t prompt_tokens, output_tokens;            /* LENGTHS_FIXED */
    uint32_t least_prompt_tokens, most_prompt_tokens; /* LENGTHS_UNIFORM */
    uint32_t least_output_tokens, most_output_tokens;
    const struct requests *sample_of; /* LENGTHS_SAMPLED */
};

/* Names in job files: "poisson", "gamma", "fixed", "at-once"; "fixed", "uniform", "sampled". */
const char *arrival_process_name(enum arrival_process process);
const char *request_lengths_name(enum request_lengths lengths);

/* Local. Makes the requests in the arena; the first gap lies before the first request. Gaps are rounded to the
 * picosecond. Fault STATUS_USAGE names the setting that is out of range.
 * Source of the gamma variates: Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26(3),
 * 2000; for shapes below 1 their remark with U^(1 / shape). */
enum status arrivals_make(const struct arrivals *arrivals, struct arena *arena, struct requests *requests,
                          struct fault *fault);

#endif
