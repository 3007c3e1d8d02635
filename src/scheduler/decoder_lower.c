#include "scheduler/decoder_lower.h"

#include <string.h>

#include "base/unit.h"
#include "scheduler/lower.h"
#include "scheduler/partition.h"

static int64_t bytes_of(enum number_format format)
{
    return format == FORMAT_FP64 ? 8 : format == FORMAT_BF16 || format == FORMAT_FP16 ? 2 : 4;
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

/* By a weight in int8 with a scale of fp32 for each output, in all copies. */
static uint64_t bytes_saved(const struct program *program, const struct instr *instr, uint64_t bytes)
{
    const struct slot *weight = &program->slots[instr->in[1]];
    uint64_t copies = weight->copies > 1 ? (uint64_t)weight->copies : 1;
    return copies * ((uint64_t)weight->elements * (bytes - 1) - 4 * (uint64_t)weight->dims[0]);
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
        if (slot->root != s) /* a tied head is the embedding */
            continue;
        if (slot->kind == SLOT_PARAM)
            need->weight_bytes += own;
        else if (slot->kind == SLOT_STATE && slot->n_dims == 4) /* keys, values: [blocks, heads, tokens, width] */
            need->kv_bytes_per_token +=
                own / (uint64_t)(slot->dims[0] * slot->dims[2]) / (plan->layout.kv_bits == 8 ? bytes : 1);
        else if (slot->kind != SLOT_ACTIVATION)
            need->activation_bytes += own;
    }
    for (int i = 0; i < program->n_instrs; i++)
        if (program->instrs[i].op->weight_bits == 8)
            need->weight_bytes -= bytes_saved(program, &program->instrs[i], bytes);
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

/* Whatever sequences a block belongs to, a shard has no more of it than a piece: the device that is full first is full
 * by its own bytes. */
static enum status find_capacity(struct decoder_plan *plan, struct fault *fault)
{
    uint64_t block = (uint64_t)plan->layout.block_tokens;
    plan->kv_capacity_tokens = UINT64_MAX;
    for (int d = 0; d < plan->machine->n_devices; d++) {
        const struct decoder_need *need = &plan->need[d];
        uint64_t used = need->weight_bytes + need->activation_bytes;
        if (used > need->capacity_bytes)
            return refuse_weights(plan, d, fault);
        if (!need->kv_bytes_per_token)
            continue;
        uint64_t of_block = need->kv_bytes_per_token * (uint64_t)plan->layout.shard_block;
        uint64_t tokens = (need->capacity_bytes - used) / of_block * block;
        if (tokens < plan->kv_capacity_tokens) {
            plan->kv_capacity_tokens = tokens;
            plan->kv_limit = d;
        }
    }
    if (plan->kv_capacity_tokens >= block)
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
    plan->layout.shard_block =
        plan->layout.pims_per_gpu ? kv_partition_piece(partition, limits->block_tokens) : limits->block_tokens;
    plan->layout.head_chunks = plan->layout.pims_per_gpu ? chunks_of(plan, partition, limits->head_chunks) : 1;
    enum status status = lower_all(plan, arena, fault);
    plan->need = arena_array(arena, (size_t)plan->machine->n_devices, sizeof *plan->need);
    for (int d = 0; d < plan->machine->n_devices && status == STATUS_OK; d++)
        find_need(plan, d, &plan->need[d]);
    return status == STATUS_OK ? find_capacity(plan, fault) : status;
}
