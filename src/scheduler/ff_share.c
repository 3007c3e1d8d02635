#include "scheduler/ff_share.h"

#include <string.h>

#include "scheduler/decoder_lower.h"

void ff_share_take(struct decoder_plan *plan, double share)
{
    int64_t width = plan->config.ffn / plan->n_gpus, columns = (int64_t)(share * (double)width + 0.5);
    columns = columns > width - 1 ? width - 1 : columns;
    if (share > 0 && columns < plan->layout.pims_per_gpu)
        columns = plan->layout.pims_per_gpu;
    plan->layout.ff_columns = columns;
    plan->ff_share = (double)columns / (double)width;
}

enum status ff_share_check(const struct decoder_plan *plan, const struct decoder_limits *limits, struct fault *fault)
{
    int64_t width = plan->config.ffn / plan->n_gpus;
    if (limits->ff_share == 0)
        return STATUS_OK;
    if (!plan->holder || strcmp(plan->holder, "hbm-pim") != 0)
        return fault_set(fault, STATUS_USAGE,
                         "serve.ff_share: expected 0 without hbm-pim devices, which alone share the feed-forward");
    if (width <= plan->layout.pims_per_gpu)
        return fault_set(fault, STATUS_USAGE,
                         "serve.ff_share: %s has %lld places of the feed-forward for each GPU, too few for it and %d "
                         "hbm-pim devices",
                         plan->config.name, (long long)width, plan->layout.pims_per_gpu);
    return STATUS_OK;
}

/* The rate with a share; 0: it does not fit. */
static double share_rate(const struct decoder_plan *plan, const struct decoder_limits *limits, double share)
{
    struct arena *arena = arena_new();
    struct decoder_plan candidate = *plan;
    struct fault fault = FAULT_NONE;
    double rate = 0;
    ff_share_take(&candidate, share);
    enum status status = decoder_plan_lower(&candidate, &plan->partition, limits, arena, &fault);
    if (status == STATUS_OK)
        status = decoder_plan_rate(&candidate, limits, &rate, &fault);
    arena_free(arena);
    return status == STATUS_OK ? rate : 0;
}

/* On a grid of twentieths and then of hundredths about the best of those; the smaller of equals. GPU and PIM devices
 * end together there, as the one's time falls with the share and the others' rises. */
double ff_share_choose(const struct decoder_plan *plan, const struct decoder_limits *limits)
{
    double best_rate = share_rate(plan, limits, 0);
    int best = 0; /* hundredths */
    for (int pass = 0; pass < 2; pass++) {
        int step = pass ? 1 : 5, from = pass ? best - 4 : 5, to = pass ? best + 4 : 90;
        for (int share = from < 1 ? 1 : from; share <= to && share <= 90; share += step) {
            double rate = share_rate(plan, limits, share / 100.0);
            if (rate > best_rate) {
                best_rate = rate;
                best = share;
            }
        }
    }
    return best / 100.0;
}
