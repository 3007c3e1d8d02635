#include "scheduler/decoder_plan.h"

#include <string.h>

#include "kernel/run.h"
#include "scheduler/decoder_lower.h"
#include "scheduler/ff_share.h"

static int holds_cache(const char *kind)
{
    return strcmp(kind, "hbm-pim") == 0 || strcmp(kind, "cpu") == 0;
}

/* Leaves lost devices out of the n_gpus GPUs and the PIM devices at each. */
static enum status leave_out(const uint8_t *lost, int *gpu, int *pim, struct decoder_plan *plan, struct fault *fault)
{
    int at_each = plan->layout.pims_per_gpu, least = at_each, n = 0;
    for (int g = 0; g < plan->n_gpus; g++) {
        int left = 0;
        for (int k = 0; k < at_each; k++)
            left += !lost[pim[g * at_each + k]];
        least = !lost[gpu[g]] && left < least ? left : least;
    }
    for (int g = 0; g < plan->n_gpus; g++) {
        if (lost[gpu[g]])
            continue;
        for (int k = 0, taken = 0; taken < least; k++)
            if (!lost[pim[g * at_each + k]])
                pim[n * least + taken++] = pim[g * at_each + k];
        gpu[n++] = gpu[g];
    }
    plan->lost = lost;
    plan->layout.n_gpus = plan->n_gpus = n;
    plan->layout.pims_per_gpu = least;
    plan->holder = least ? plan->holder : NULL;
    return n ? STATUS_OK : fault_set(fault, STATUS_USAGE, "%s: no GPU is left", plan->config.name);
}

/* GPUs, and devices of one kind that hold the cache; nothing else can take part. */
static enum status find_devices(const struct machine *machine, const uint8_t *lost, struct arena *arena,
                                struct decoder_plan *plan, struct fault *fault)
{
    int *gpu = arena_array(arena, (size_t)machine->n_devices, sizeof *gpu);
    int *pim = arena_array(arena, (size_t)machine->n_devices, sizeof *pim), n_pims = 0;
    plan->device_name = arena_array(arena, (size_t)machine->n_devices, sizeof *plan->device_name);
    for (int d = 0; d < machine->n_devices; d++) {
        const char *kind = machine->specs[d].kind;
        plan->device_name[d] = machine->specs[d].name;
        if (strcmp(kind, "gpu") == 0)
            gpu[plan->n_gpus++] = d;
        else if (!holds_cache(kind))
            return fault_set(fault, STATUS_USAGE,
                             "%s: a decoder runs on gpu and on hbm-pim or cpu devices: %s is none of them",
                             machine->specs[d].name, kind);
        else if (plan->holder && strcmp(plan->holder, kind) != 0)
            return fault_set(fault, STATUS_USAGE,
                             "%s: expected one kind of devices to hold the KV cache, found %s and %s",
                             machine->specs[d].name, plan->holder, kind);
        else {
            plan->holder = kind;
            pim[n_pims++] = d;
        }
    }
    if (plan->n_gpus < 1 || plan->n_gpus > plan->config.kv_heads)
        return fault_set(fault, STATUS_USAGE, "%s: expected 1 to %lld GPUs, which share its KV heads, found %d",
                         plan->config.name, (long long)plan->config.kv_heads, plan->n_gpus);
    if (n_pims % plan->n_gpus)
        return fault_set(fault, STATUS_USAGE, "expected as many %s devices at each GPU, a multiple of %d, found %d",
                         plan->holder, plan->n_gpus, n_pims);
    if (n_pims / plan->n_gpus > KV_MOST_DEVICES)
        return fault_set(fault, STATUS_USAGE,
                         "expected at most %d %s devices at each GPU, found %d: fewer devices, each larger%s",
                         KV_MOST_DEVICES, plan->holder, n_pims / plan->n_gpus,
                         strcmp(plan->holder, "hbm-pim") == 0 ? " (cluster.devices[].stacks)" : "");
    plan->layout.n_gpus = plan->n_gpus;
    plan->layout.pims_per_gpu = n_pims / plan->n_gpus;
    plan->layout.gpu = gpu;
    plan->layout.pim = pim;
    return lost ? leave_out(lost, gpu, pim, plan, fault) : STATUS_OK;
}

static enum status check_weight_bits(const struct decoder_plan *plan, const struct decoder_limits *limits,
                                     struct fault *fault)
{
    const struct machine *machine = plan->machine;
    const struct op product = {.kind = OP_LINEAR, .rows = 1, .in = 1, .out = 1, .weight_bits = limits->weight_bits};
    if (limits->weight_bits && limits->ff_share != 0)
        return fault_set(fault, STATUS_USAGE,
                         "serve.weight_numerics: expected same with serve.ff_share: PIM devices have no int8 products");
    for (int g = 0; g < plan->layout.n_gpus && limits->weight_bits; g++) {
        int d = plan->layout.gpu[g];
        if (!machine->backends[d]->supports(machine->states[d], &product))
            return fault_set(
                fault, STATUS_USAGE, "serve.weight_numerics: expected same: %s (%s, numerics %s) has no int8 products",
                machine->specs[d].name, machine->specs[d].profile, number_format_name(machine->specs[d].format));
    }
    return STATUS_OK;
}

static double rate_of(const struct decoder_plan *plan, const struct decoder_limits *limits,
                      const struct kv_partition *partition, struct fault *fault)
{
    struct arena *arena = arena_new();
    struct decoder_plan own = *plan;
    double rate = 0;
    if (decoder_plan_lower(&own, partition, limits, arena, fault) == STATUS_OK)
        decoder_plan_rate(&own, limits, &rate, fault);
    arena_free(arena);
    return fault->status == STATUS_OK ? rate : 0;
}

/* The partition with the highest rate; the first of equals. */
static enum status choose_partition(const struct decoder_plan *plan, const struct decoder_limits *limits,
                                    struct kv_partition *chosen, struct fault *fault)
{
    struct kv_partition candidate;
    struct fault last = FAULT_NONE;
    double best = 0;
    int64_t kv_heads = plan->config.kv_heads / plan->n_gpus;
    for (int i = 0; kv_partition_candidate(i, plan->layout.pims_per_gpu, kv_heads, &candidate); i++) {
        struct fault own = FAULT_NONE;
        double rate = rate_of(plan, limits, &candidate, &own);
        last = own.status == STATUS_OK ? last : own;
        if (rate > best) {
            best = rate;
            *chosen = candidate;
        }
    }
    if (best > 0)
        return STATUS_OK;
    *fault = last;
    return fault->status;
}

enum status decoder_plan_build(const struct decoder_config *config, const struct machine *machine,
                               const struct decoder_limits *limits, struct arena *arena, struct decoder_plan *plan,
                               struct fault *fault)
{
    struct decoder_limits own = *limits;
    struct kv_partition partition = {1, 1};
    memset(plan, 0, sizeof *plan);
    plan->machine = machine;
    plan->config = *config;
    plan->layout = (struct decoder_layout){.max_tokens = limits->max_tokens,
                                           .max_answers = limits->max_sequences,
                                           .block_tokens = limits->block_tokens,
                                           .n_blocks = limits->n_blocks ? limits->n_blocks : 1,
                                           .max_fetched = limits->n_blocks ? limits->n_blocks * limits->block_tokens
                                                                           : config->context,
                                           .kv_bits = limits->kv_bits,
                                           .weight_bits = limits->weight_bits};
    enum status status = find_devices(machine, limits->lost, arena, plan, fault);
    if (status == STATUS_OK)
        status = check_weight_bits(plan, limits, fault);
    int64_t pims = plan->layout.pims_per_gpu;
    if (limits->lost && !pims) {
        own.ff_share = 0;
        limits = &own;
    }
    if (status == STATUS_OK)
        status = ff_share_check(plan, limits, fault);
    if (status == STATUS_OK && limits->ff_share > 0)
        ff_share_take(plan, limits->ff_share);
    if (status == STATUS_OK && pims && strcmp(limits->partition, "auto") == 0)
        status = choose_partition(plan, limits, &partition, fault);
    else if (status == STATUS_OK && pims)
        partition = kv_partition_of(limits->partition, pims, config->kv_heads / plan->n_gpus);
    if (status == STATUS_OK && limits->ff_share == FF_SHARE_AUTO) {
        plan->partition = partition;
        ff_share_take(plan, ff_share_choose(plan, limits));
    }
    if (status == STATUS_OK)
        status = decoder_plan_lower(plan, &partition, limits, arena, fault);
    for (int d = 0; d < machine->n_devices && status == STATUS_OK; d++)
        plan->plan.hash = program_hash(&plan->plan.programs[PROGRAM_ITERATE][d], plan->plan.hash);
    return status;
}
