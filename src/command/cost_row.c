#include "command/cost_row.h"

void cost_row_outside(struct cost_row *result, const char *reason)
{
    result->verdict = ROW_OUTSIDE;
    result->reason = reason;
}

void cost_row_failed(struct cost_row *result, const char *reason)
{
    result->verdict = ROW_FAILED;
    result->reason = reason;
}

void cost_row_priced(struct cost_row *result, const char *class, enum condition_id condition, uint64_t time_ps)
{
    result->verdict = ROW_PRICED;
    result->class = class;
    result->condition = condition;
    result->predicted = (double)time_ps * 1e-6 + condition_of(condition)->extra_us;
}

struct gpu_profile cost_row_profile(const struct gpu_profile *gpu, enum condition_id condition)
{
    const struct condition *how = condition_of(condition);
    struct gpu_profile profile = how->burst ? gpu_in_burst(gpu) : *gpu;
    if (how->attention_share > 0.0)
        profile.attention_share = how->attention_share;
    return profile;
}
