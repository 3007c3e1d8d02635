#include "serving/arrivals.h"

#include <math.h>

#include "base/rng.h"

enum { PLACE_PROMPT, PLACE_OUTPUT, PLACE_SAMPLE };

const char *arrival_process_name(enum arrival_process process)
{
    static const char *const names[] = {"poisson", "gamma", "fixed", "at-once"};
    return names[process];
}

const char *request_lengths_name(enum request_lengths lengths)
{
    static const char *const names[] = {"fixed", "uniform", "sampled"};
    return names[lengths];
}

static enum status check_range(const char *name, uint32_t least, uint32_t most, struct fault *fault)
{
    if (least < 1 || most > REQUESTS_MOST_TOKENS || least > most)
        return fault_set(fault, STATUS_USAGE,
                         "%s: expected 1 to %d tokens, the least not above the most, found %u to %u", name,
                         REQUESTS_MOST_TOKENS, least, most);
    return STATUS_OK;
}

static enum status check_lengths(const struct arrivals *a, struct fault *fault)
{
    switch (a->lengths) {
    case LENGTHS_FIXED:
        if (check_range("prompt tokens", a->prompt_tokens, a->prompt_tokens, fault) != STATUS_OK)
            return fault->status;
        return check_range("output tokens", a->output_tokens, a->output_tokens, fault);
    case LENGTHS_UNIFORM:
        if (check_range("prompt tokens", a->least_prompt_tokens, a->most_prompt_tokens, fault) != STATUS_OK)
            return fault->status;
        return check_range("output tokens", a->least_output_tokens, a->most_output_tokens, fault);
    case LENGTHS_SAMPLED:
        if (!a->sample_of || a->sample_of->n == 0)
            return fault_set(fault, STATUS_USAGE, "lengths sampled: expected a trace to sample from, found none");
        return STATUS_OK;
    }
    bug("lengths %d", (int)a->lengths);
}

static enum status check(const struct arrivals *a, struct fault *fault)
{
    if (a->n < 1 || a->n > 1000000000)
        return fault_set(fault, STATUS_USAGE, "requests: expected 1 to 1000000000, found %zu", a->n);
    if (a->process != ARRIVAL_AT_ONCE && !(a->rate_per_s > 0 && a->rate_per_s <= 1e9))
        return fault_set(fault, STATUS_USAGE, "rate of arrivals: expected above 0, at most 1e9 per second, found %g",
                         a->rate_per_s);
    if (a->process == ARRIVAL_GAMMA && !(a->cv >= 0.01 && a->cv <= 100))
        return fault_set(fault, STATUS_USAGE, "coefficient of variation of gaps: expected 0.01 to 100, found %g",
                         a->cv);
    return check_lengths(a, fault);
}

/* Gamma variate of shape >= 1 and scale 1 for element i: the steps of the stream are attempts. */
static double gamma_above_one(struct rng_key key, uint64_t i, double shape)
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (uint32_t attempt = 1;; attempt++) {
        double normal = rng_normal(key, 2 * attempt, 2 * i), cube = 1 + c * normal;
        double uniform = 1 - rng_uniform(key, 2 * attempt + 1, i);
        cube = cube * cube * cube;
        if (cube > 0 && log(uniform) < 0.5 * normal * normal + d - d * cube + d * log(cube))
            return d * cube;
    }
}

/* A gap in units of the mean gap. */
static double gap(const struct arrivals *a, struct rng_key key, uint64_t i)
{
    double shape = 1 / (a->cv * a->cv);
    switch (a->process) {
    case ARRIVAL_POISSON:
        return -log(1 - rng_uniform(key, 0, i));
    case ARRIVAL_GAMMA:
        if (shape >= 1)
            return gamma_above_one(key, i, shape) / shape;
        return gamma_above_one(key, i, shape + 1) * pow(1 - rng_uniform(key, 1, i), 1 / shape) / shape;
    case ARRIVAL_FIXED:
        return 1;
    case ARRIVAL_AT_ONCE:
        return 0;
    }
    bug("arrivals %d", (int)a->process);
}

static uint32_t between(struct rng_key key, uint64_t i, uint32_t least, uint32_t most)
{
    return least + (uint32_t)rng_below(key, 0, i, (uint64_t)most - least + 1);
}

static struct request lengths(const struct arrivals *a, uint64_t i)
{
    struct request request = {.prompt_tokens = a->prompt_tokens, .output_tokens = a->output_tokens};
    if (a->lengths == LENGTHS_UNIFORM) {
        request.prompt_tokens =
            between(rng_key(a->seed, RNG_LENGTH, PLACE_PROMPT), i, a->least_prompt_tokens, a->most_prompt_tokens);
        request.output_tokens =
            between(rng_key(a->seed, RNG_LENGTH, PLACE_OUTPUT), i, a->least_output_tokens, a->most_output_tokens);
    } else if (a->lengths == LENGTHS_SAMPLED) {
        uint64_t drawn = rng_below(rng_key(a->seed, RNG_LENGTH, PLACE_SAMPLE), 0, i, a->sample_of->n);
        request = a->sample_of->request[drawn];
    }
    return request;
}

enum status arrivals_make(const struct arrivals *arrivals, struct arena *arena, struct requests *requests,
                          struct fault *fault)
{
    if (check(arrivals, fault) != STATUS_OK)
        return fault->status;
    struct rng_key key = rng_key(arrivals->seed, RNG_ARRIVAL, 0);
    struct request *request = arena_array(arena, arrivals->n, sizeof *request);
    double gap_ps = arrivals->process == ARRIVAL_AT_ONCE ? 0 : 1e12 / arrivals->rate_per_s;
    uint64_t now_ps = 0;
    for (size_t i = 0; i < arrivals->n; i++) {
        double after_ps = gap(arrivals, key, i) * gap_ps, next_ps = (double)now_ps + after_ps;
        if (!(next_ps <= REQUESTS_LATEST_S * 1e12))
            return fault_set(fault, STATUS_USAGE, "request %zu would arrive after %.0f s, the latest is %.0f s", i,
                             next_ps * 1e-12, REQUESTS_LATEST_S);
        now_ps += (uint64_t)llround(after_ps);
        request[i] = lengths(arrivals, i);
        request[i].arrival_ps = now_ps;
    }
    *requests =
        (struct requests){.path = arena_printf(arena, "%s arrivals", arrival_process_name(arrivals->process)),
                          .n = arrivals->n,
                          .request = request,
                          .hash_tokens = arrivals->lengths == LENGTHS_SAMPLED ? arrivals->sample_of->hash_tokens : 0};
    if (arrivals->lengths == LENGTHS_SAMPLED)
        requests->path = arrivals->sample_of->path;
    return STATUS_OK;
}
