#include "scheduler/decoder_plan.h"

#include <string.h>

#include "base/unit.h"
#include "kernel/run.h"
#include "scheduler/ff_share.h"
#include "scheduler/lower.h"
#include "scheduler/partition.h"

static int64_t bytes_of(enum number_format format)
{
    return format == FORMAT_FP64 ? 8 : format == FORMAT_BF16 || format == FORMAT_FP16 ? 2 : 4;
}

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
    plan->layout.n_gpus = plan->n_gpus;
    plan->layout.pims_per_gpu = n_pims / plan->n_gpus;
    plan->layout.gpu = gpu;
    plan->layout.pim = pim;
    return lost ? leave_out(lost, gpu, pim, plan, fault) : STATUS_OK;
}

static enum status lower_all(struct decoder_plan *plan, struct arena *arena, struct fault *fault)
{
    int n = plan->machine->n_devices;
    struct graph *graph = arena_take(arena, sizeof *graph), *parts = arena_array(arena, (size_t)n, sizeof *parts);
    graph_init(graph, arena);
    const int *device_of = decoder_graph(&plan->config, &plan->layout, graph);
    plan->plan = (struct plan){.n_devices = n, .format = plan->machine->specs[plan->layout.gpu[0]].format};
    plan->plan.n_channels[PROGRAM_ITERATE] = partition(graph, device_of, n, arena, parts);
    for (int p = 0; p < N_PROGRAMS; p++) {
        plan->plan.programs[p] = arena_array(arena, (size_t)n, sizeof **plan->plan.programs);
        for (int d = 0; d < n; d++)
            program_clear(&plan->plan.programs[p][d], d);
    }
    for (int d = 0; d < n; d++) {
        const struct lowering lowering = {
            .machine = plan->machine, .device = d, .n_group = plan->n_gpus, .varies = 1, .arena = arena};
        if (!parts[d].n_nodes)
            continue;
        enum status status = lower(&lowering, &parts[d], &plan->plan.programs[PROGRAM_ITERATE][d], fault);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Slots are laid out with the host's bytes; a device's values have its own. */
static void find_need(const struct decoder_plan *plan, int d, struct decoder_need *need)
{
    const struct program *program = &plan->plan.programs[PROGRAM_ITERATE][d];
    const struct device_spec *spec = &plan->machine->specs[d];
    uint64_t bytes = (uint64_t)bytes_of(spec->format), host = plan->plan.format == FORMAT_FP64 ? 8 : 4;
    memset(need, 0, sizeof *need);
    need->capacity_bytes = plan->machine->backends[d]->memory_bytes(plan->machine->states[d]);
    need->activation_bytes = program->kind_bytes[SLOT_ACTIVATION] / host * bytes;
    for (int s = 0; s < program->n_slots; s++) {
        const struct slot *slot = &program->slots[s];
        uint64_t own = slot->bytes / host * bytes;
        if (slot->kind == SLOT_PARAM)
            need->weight_bytes += own;
        else if (slot->kind == SLOT_STATE && slot->n_dims == 4) /* keys, values: [blocks, heads, tokens, width] */
            need->kv_bytes_per_token +=
                own / (uint64_t)(slot->dims[0] * slot->dims[2]) / (plan->layout.kv_bits == 8 ? bytes : 1);
        else if (slot->kind != SLOT_ACTIVATION)
            need->activation_bytes += own;
    }
    if (plan->layout.kv_bits == 8) /* a scale of fp16 for each head's key and value */
        need->kv_bytes_per_token += need->kv_bytes_per_token / (uint64_t)plan->config.head_width * 2;
}

/* Copies of weights in a PIM device. */
static enum status refuse_copies(const struct decoder_plan *plan, int d, const char *weights, const char *activations,
                                 const char *has, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE,
                     "%s: %s needs %s for its part of the feed-forward's weights and %s for activations, has %s: "
                     "shortest fix: a smaller serve.ff_share",
                     plan->config.name, plan->machine->specs[d].name, weights, activations, has);
}

static enum status refuse_weights(const struct decoder_plan *plan, int d, struct fault *fault)
{
    const struct decoder_need *need = &plan->need[d];
    char weights[32], activations[32], has[32];
    unit_show(weights, sizeof weights, UNIT_BYTES, (double)need->weight_bytes);
    unit_show(activations, sizeof activations, UNIT_BYTES, (double)need->activation_bytes);
    unit_show(has, sizeof has, UNIT_BYTES, (double)need->capacity_bytes);
    uint64_t each = need->weight_bytes + need->activation_bytes;
    if (strcmp(plan->machine->specs[d].kind, "gpu") != 0)
        return refuse_copies(plan, d, weights, activations, has, fault);
    return fault_set(
        fault, STATUS_USAGE,
        "%s on %d GPUs: %s needs %s for weights and %s for activations, has %s: shortest fix: %llu GPUs, fewer "
        "bytes a weight (placement.numerics fp16) or a smaller serve.token_budget",
        plan->config.name, plan->n_gpus, plan->machine->specs[d].name, weights, activations, has,
        (unsigned long long)((each * (uint64_t)plan->n_gpus + need->capacity_bytes - 1) / need->capacity_bytes));
}

/* A shard holds its share of a sequence's tokens. */
static enum status find_capacity(struct decoder_plan *plan, struct fault *fault)
{
    uint64_t shards = plan->layout.pims_per_gpu ? (uint64_t)plan->layout.shards : 1;
    plan->kv_capacity_tokens = UINT64_MAX;
    for (int d = 0; d < plan->machine->n_devices; d++) {
        const struct decoder_need *need = &plan->need[d];
        uint64_t used = need->weight_bytes + need->activation_bytes;
        if (used > need->capacity_bytes)
            return refuse_weights(plan, d, fault);
        if (!need->kv_bytes_per_token)
            continue;
        uint64_t tokens = (need->capacity_bytes - used) / need->kv_bytes_per_token * shards;
        tokens -= tokens % (uint64_t)plan->layout.block_tokens;
        if (tokens < plan->kv_capacity_tokens) {
            plan->kv_capacity_tokens = tokens;
            plan->kv_limit = d;
        }
    }
    if (plan->kv_capacity_tokens >= (uint64_t)plan->layout.block_tokens)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "%s: no room is left on %s for a block of %lld tokens of KV",
                     plan->config.name, plan->machine->specs[plan->kv_limit].name,
                     (long long)plan->layout.block_tokens);
}

/* Every group has a head in every chunk. */
static int64_t chunks_of(const struct decoder_plan *plan, const struct kv_partition *partition, int64_t wanted)
{
    int64_t most = plan->config.kv_heads / plan->n_gpus / partition->groups;
    return wanted < most ? wanted : most;
}

enum status decoder_plan_lower(struct decoder_plan *plan, const struct kv_partition *partition,
                               const struct decoder_limits *limits, struct arena *arena, struct fault *fault)
{
    plan->partition = *partition;
    plan->layout.groups = partition->groups;
    plan->layout.shards = partition->shards;
    plan->layout.head_chunks = plan->layout.pims_per_gpu ? chunks_of(plan, partition, limits->head_chunks) : 1;
    enum status status = lower_all(plan, arena, fault);
    plan->need = arena_array(arena, (size_t)plan->machine->n_devices, sizeof *plan->need);
    for (int d = 0; d < plan->machine->n_devices && status == STATUS_OK; d++)
        find_need(plan, d, &plan->need[d]);
    return status == STATUS_OK ? find_capacity(plan, fault) : status;
}

struct candidate {
    struct kv_partition partition;
    uint64_t time_ps, room; /* of the iteration that is priced; tokens of KV, no more than it has */
};

static enum status try_partition(const struct decoder_plan *plan, const struct decoder_limits *limits,
                                 struct candidate *candidate, struct fault *fault)
{
    struct arena *arena = arena_new();
    struct decoder_plan own = *plan;
    uint64_t wanted = (uint64_t)(limits->max_sequences * limits->typical_context);
    const struct decoder_iteration iteration = {limits->max_sequences, limits->typical_context, 0};
    double energy_j;
    enum status status = decoder_plan_lower(&own, &candidate->partition, limits, arena, fault);
    if (status == STATUS_OK)
        status = decoder_plan_price(&own, &iteration, &candidate->time_ps, &energy_j, fault);
    candidate->room = own.kv_capacity_tokens < wanted ? own.kv_capacity_tokens : wanted;
    arena_free(arena);
    return status;
}

/* Of the partitions with room for the iteration that is priced, or else with the most room, the fastest; the first of
 * equals. */
static enum status choose_partition(const struct decoder_plan *plan, const struct decoder_limits *limits,
                                    struct kv_partition *chosen, struct fault *fault)
{
    struct candidate candidate, best = {.time_ps = 0};
    struct fault last = FAULT_NONE;
    int64_t kv_heads = plan->config.kv_heads / plan->n_gpus;
    for (int i = 0; kv_partition_candidate(i, plan->layout.pims_per_gpu, kv_heads, &candidate.partition); i++)
        if (try_partition(plan, limits, &candidate, &last) == STATUS_OK &&
            (best.time_ps == 0 || candidate.room > best.room ||
             (candidate.room == best.room && candidate.time_ps < best.time_ps)))
            best = candidate;
    *chosen = best.partition;
    if (best.time_ps)
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
                                           .shard_block = limits->block_tokens,
                                           .n_blocks = limits->n_blocks ? limits->n_blocks : 1,
                                           .max_fetched = limits->n_blocks ? limits->n_blocks * limits->block_tokens
                                                                           : config->context,
                                           .kv_bits = limits->kv_bits};
    enum status status = find_devices(machine, limits->lost, arena, plan, fault);
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

static void price(const void *context, int device, struct instr *instr)
{
    const struct decoder_plan *plan = context;
    lower_price(plan->machine, device, plan->n_gpus, instr);
}

struct executor_prices decoder_plan_prices(const struct decoder_plan *plan)
{
    return (struct executor_prices){plan, price};
}

enum status decoder_plan_price(const struct decoder_plan *plan, const struct decoder_iteration *iteration,
                               uint64_t *time_ps, double *energy_j, struct fault *fault)
{
    struct arena *arena = arena_new();
    struct comm *alone = comm_alone();
    struct executor *executor = NULL;
    const struct executor_options options = {.timing_only = 1, .prices = decoder_plan_prices(plan)};
    int64_t n = iteration->decodes, prompt = iteration->prompt_tokens;
    struct batch_part *parts = arena_array(arena, (size_t)n + 1, sizeof *parts);
    for (int64_t i = 0; i < n; i++)
        parts[i] =
            (struct batch_part){.context = iteration->context - 1, .tokens = 1, .is_answer = 1, .request = (uint32_t)i};
    parts[n] = (struct batch_part){.tokens = (int32_t)prompt, .is_answer = 1, .request = (uint32_t)n};
    const struct batch batch = {(int)n + (prompt > 0), (int)n, n + prompt, n, n + (prompt > 0), parts, NULL};
    struct step_result result = {0};
    struct iteration_cost cost = {.busy_ps = NULL};
    enum status status = executor_open(alone, &plan->plan, plan->machine->specs, NULL, &options, &executor, fault);
    if (status == STATUS_OK)
        status =
            executor_iterate(executor, &(struct iteration){.batch = &batch, .number = 1}, NULL, &cost, &result, fault);
    *time_ps = result.end_ps;
    *energy_j = 0;
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        *energy_j += (double)cost.energy_fj[p] * 1e-15;
    executor_close(executor);
    comm_close(alone, 0);
    arena_free(arena);
    return status;
}
