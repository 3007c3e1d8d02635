#include "serving/deviation.h"

#include <math.h>

#include "serving/metrics.h"

#define LEAST_ERROR 1e-3

const char *deviation_metric_name(enum deviation_metric metric)
{
    static const char *const names[N_DEVIATION_METRICS] = {"TTFT", "TPOT", "E2E"};
    return names[metric];
}

static uint64_t ttft_ps(const struct served *record)
{
    return record->first_token_ps - record->seen_ps;
}

static uint64_t e2e_ps(const struct served *record)
{
    return record->finish_ps - record->seen_ps;
}

static uint64_t tpot_ps(const struct served *record)
{
    return record->output_tokens > 1 ? served_tpot_ps(record) : UINT64_MAX;
}

typedef uint64_t value_of(const struct served *record);

static value_of *const values[N_DEVIATION_METRICS] = {ttft_ps, tpot_ps, e2e_ps};

uint64_t deviation_value_ps(enum deviation_metric metric, const struct served *record)
{
    return values[metric](record);
}

struct deviation deviation_of(enum deviation_metric metric, const struct served *measured,
                              const struct served *emulated, size_t n)
{
    struct deviation deviation = {.measured = served_spread(measured, n, values[metric]),
                                  .emulated = served_spread(emulated, n, values[metric])};
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t real_ps = values[metric](&measured[i]), own_ps = values[metric](&emulated[i]);
        if (real_ps == UINT64_MAX)
            continue;
        double error = fabs((double)own_ps - (double)real_ps) / (double)real_ps;
        sum += error;
        deviation.max_error = fmax(deviation.max_error, error);
        deviation.n++;
    }
    deviation.mean_error = sum / (double)deviation.n;
    if (deviation.n == 0)
        deviation.max_error = NAN;
    return deviation;
}

double deviation_tokens_per_s(const struct served *record, size_t n)
{
    uint64_t first_ps = UINT64_MAX, last_ps = 0, tokens = 0;
    for (size_t i = 0; i < n; i++) {
        first_ps = record[i].arrival_ps < first_ps ? record[i].arrival_ps : first_ps;
        last_ps = record[i].finish_ps > last_ps ? record[i].finish_ps : last_ps;
        tokens += record[i].output_tokens;
    }
    return n ? (double)tokens / ((double)(last_ps - first_ps) * 1e-12) : 0;
}

/* ln(emulated / measured); 0, and *is_one 0, of a metric that the request has not. */
static double log_error(enum deviation_metric metric, const struct served *measured, const struct served *emulated,
                        int *is_one)
{
    uint64_t real_ps = values[metric](measured);
    *is_one = real_ps != UINT64_MAX;
    return *is_one ? log((double)values[metric](emulated) / (double)real_ps) : 0;
}

/* Mean of the absolute logarithms; *counted of them. */
static double mean_log(enum deviation_metric metric, const struct served *measured, const struct served *emulated,
                       size_t n, size_t *counted)
{
    double sum = 0;
    *counted = 0;
    for (size_t i = 0; i < n; i++) {
        int is_one;
        sum += fabs(log_error(metric, &measured[i], &emulated[i], &is_one));
        *counted += (size_t)is_one;
    }
    return *counted ? sum / (double)*counted : 0;
}

double deviation_to_fit(const struct served *measured, const struct served *emulated, size_t n)
{
    size_t counted;
    double ttft = mean_log(DEVIATION_TTFT, measured, emulated, n, &counted);
    double tpot = mean_log(DEVIATION_TPOT, measured, emulated, n, &counted);
    return sqrt((ttft + LEAST_ERROR) * (tpot + LEAST_ERROR));
}

double deviation_residuals(const struct served *measured, const struct served *emulated, size_t n, double *residual,
                           double *weight)
{
    for (int metric = DEVIATION_TTFT; metric <= DEVIATION_TPOT; metric++) {
        size_t counted;
        double mean = mean_log((enum deviation_metric)metric, measured, emulated, n, &counted) + LEAST_ERROR;
        for (size_t i = 0; i < n; i++) {
            size_t place = (size_t)metric * n + i;
            int is_one;
            residual[place] = log_error((enum deviation_metric)metric, &measured[i], &emulated[i], &is_one);
            weight[place] = is_one ? 1 / (mean * (double)counted * (fabs(residual[place]) + LEAST_ERROR)) : 0;
        }
    }
    return deviation_to_fit(measured, emulated, n);
}
