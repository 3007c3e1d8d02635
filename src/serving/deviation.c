#include "serving/deviation.h"

#include <math.h>

#include "serving/metrics.h"

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

static double mean_log(enum deviation_metric metric, const struct served *measured, const struct served *emulated,
                       size_t n)
{
    double sum = 0;
    size_t counted = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t real_ps = values[metric](&measured[i]);
        if (real_ps == UINT64_MAX)
            continue;
        sum += fabs(log((double)values[metric](&emulated[i]) / (double)real_ps));
        counted++;
    }
    return counted ? sum / (double)counted : 0;
}

double deviation_to_fit(const struct served *measured, const struct served *emulated, size_t n)
{
    return mean_log(DEVIATION_TTFT, measured, emulated, n) + mean_log(DEVIATION_TPOT, measured, emulated, n);
}
