/* build_adapter.c - a job becomes a plan: the adapters that it asks for. */
#include <inttypes.h>
#include <string.h>

#include "base/status.h"
#include "scheduler/build.h"
#include "scheduler/switch.h"

static unsigned target_of(const char *word)
{
    static const char *const words[N_ADAPTER_TARGETS] = {"q", "k", "v", "o", "ffn0", "ffn1"};
    for (int i = 0; i < N_ADAPTER_TARGETS; i++)
        if (strcmp(word, words[i]) == 0)
            return 1u << i;
    bug("no weight of a layer is called '%s'", word);
}

void build_adapter_config(struct job_adapter *job, struct adapter_config *adapter)
{
    if (!job->targets.n)
        job->targets = (struct word_list){2, {"q", "v"}};
    int svd = strcmp(job->init, "svd") == 0;
    if (job->dropout < 0)
        job->dropout = svd ? 0 : 0.1;
    *adapter = (struct adapter_config){.kind = ADAPTER_LORA,
                                       .width = job->width == JOB_UNSET ? 0 : job->width,
                                       .alpha = job->alpha,
                                       .dropout = job->dropout,
                                       .svd = svd,
                                       .train_norms = job->train_norms};
    for (int i = 0; i < job->targets.n; i++)
        adapter->targets |= target_of(job->targets.value[i]);
}

struct build_widths build_adapter_widths(const struct job *job, const struct model_config *config)
{
    struct job_adapter open_keys = job->train.adapter;
    struct adapter_config adapter;
    build_adapter_config(&open_keys, &adapter);
    if (adapter.width)
        return (struct build_widths){adapter.width, adapter.width};
    int64_t side = family_narrow_side(config, adapter.targets), first = switch_widths[0],
            last = switch_widths[SWITCH_WIDTHS - 1];
    return (struct build_widths){first < side ? first : side, last < side ? last : side};
}

enum status build_check_width(const struct job *job, const struct model_config *config, struct fault *fault)
{
    struct job_adapter open_keys = job->train.adapter;
    struct adapter_config adapter;
    if (strcmp(job->train.mode, "lora") != 0 && strcmp(build_policy(job), "gpu-only") == 0)
        return STATUS_OK;
    build_adapter_config(&open_keys, &adapter);
    int64_t side = family_narrow_side(config, adapter.targets);
    if (adapter.width <= side)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE,
                     "%s: train.adapter.width: expected at most %" PRId64
                     ", the narrow side of the weights, found %" PRId64,
                     job->source, side, adapter.width);
}
