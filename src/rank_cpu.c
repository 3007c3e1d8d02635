/* rank_cpu.c - a host processor: it keeps keys and values in its memory and attends to them. The physics is device/cpu,
 * the arithmetic kernel/kv. */
#include <string.h>

#include "device/catalogue.h"
#include "device/cpu.h"
#include "kernel/batch.h"
#include "rank.h"

struct cpu {
    struct cpu_profile profile;
    enum number_format format;
    int element_bytes;
};

static void override_profile(struct cpu_profile *profile, const struct device_spec *spec)
{
    if (spec->memory_bytes)
        profile->memory_bytes = spec->memory_bytes;
    if (spec->memory_bytes_per_s > 0)
        profile->dram_bytes_per_s = spec->memory_bytes_per_s;
    if (spec->peak_flop_per_s > 0)
        profile->flop_per_cycle = spec->peak_flop_per_s / (profile->cores * profile->clock_hz);
}

static enum status cpu_open(const struct device_spec *spec, struct arena *arena, void **state, struct fault *fault)
{
    const struct cpu_profile *profile = catalogue_cpu(spec->profile);
    char text[128];
    if (!profile)
        return fault_set(fault, STATUS_USAGE, "%s: unknown CPU profile '%s': polyrank devices lists them", spec->name,
                         spec->profile);
    if (spec->tdp_w > 0)
        return fault_set(fault, STATUS_USAGE, "%s: tdp_w: expected with other kinds than cpu, found with cpu",
                         spec->name);
    if (spec->format != FORMAT_FP16 && spec->format != FORMAT_BF16 && spec->format != FORMAT_FP32)
        return fault_set(fault, STATUS_USAGE, "%s: a CPU keeps keys and values in fp16, bf16 or fp32, not %s",
                         spec->name, number_format_name(spec->format));
    struct cpu *cpu = arena_take(arena, sizeof *cpu);
    cpu->profile = *profile;
    override_profile(&cpu->profile, spec);
    if (cpu_problem(&cpu->profile, text, sizeof text))
        return fault_set(fault, STATUS_USAGE, "%s: %s", spec->name, text);
    cpu->format = spec->format;
    cpu->element_bytes = spec->format == FORMAT_FP32 ? 4 : 2;
    *state = cpu;
    return STATUS_OK;
}

static int cpu_supports(const void *state, const struct op *op)
{
    (void)state;
    return op->kind == OP_KV_APPEND || op->kind == OP_KV_ATTENTION || op->kind == OP_KV_FETCH;
}

static int bytes_in_cache(const struct cpu *cpu, const struct op *op)
{
    return op->kv_bits == 8 ? 1 : cpu->element_bytes;
}

/* Pairs of the longest sequence: it is on one core, head by head. */
static uint64_t longest_pairs(const struct op *op)
{
    const struct batch *batch = op->batch;
    uint64_t longest = 0;
    for (int i = 0; i < batch->n_cached; i++) {
        const struct batch_part *part = &batch->parts[i];
        uint64_t pairs = 0;
        for (int32_t t = 0; t < part->tokens; t++)
            pairs += (uint64_t)shard_tokens(part->context + t + 1, op->shard, op->shards, op->shard_block);
        longest = pairs > longest ? pairs : longest;
    }
    return longest;
}

static void attention(const struct cpu *cpu, const struct op *op, struct cost *cost)
{
    const struct cpu_attention work = {
        .pairs = op->batch ? batch_pairs(op) : (uint64_t)(op->rows * op->in),
        .longest = op->batch ? longest_pairs(op) : (uint64_t)op->in,
        .heads = op->heads,
        .kv_heads = op->kv_heads,
        .head_width = op->head_width,
        .element_bytes = bytes_in_cache(cpu, op),
    };
    cpu_attention_cost(&cpu->profile, &work, cost);
}

static void cpu_cost(const void *state, const struct op *op, struct cost *cost)
{
    const struct cpu *cpu = state;
    uint64_t each = (uint64_t)(op->kv_heads * 2 * op->head_width * bytes_in_cache(cpu, op));
    memset(cost, 0, sizeof *cost);
    if (op->kind == OP_KV_APPEND)
        cpu_stream_cost(&cpu->profile, (uint64_t)batch_appended(op) * each, cost);
    else if (op->kind == OP_KV_FETCH)
        cpu_stream_cost(&cpu->profile, (uint64_t)batch_fetched(op) * each, cost);
    else
        attention(cpu, op, cost);
}

static void cpu_run(void *state, const struct op *op, const struct kernel_context *context,
                    const void *const in[OP_MAX_IN], void *const out[OP_MAX_OUT])
{
    struct kernel_context own = *context;
    own.format = ((const struct cpu *)state)->format;
    kernel_run_f32(op, &own, (const float *const *)in, (float *const *)out);
}

static uint64_t cpu_memory_bytes(const void *state)
{
    return ((const struct cpu *)state)->profile.memory_bytes;
}

static uint64_t cpu_idle_power_mw(const void *state)
{
    return ((const struct cpu *)state)->profile.idle_mw;
}

const struct device cpu_device = {
    .kind = "cpu",
    .open = cpu_open,
    .supports = cpu_supports,
    .cost = cpu_cost,
    .run = cpu_run,
    .memory_bytes = cpu_memory_bytes,
    .idle_power_mw = cpu_idle_power_mw,
    .wait_power_mw = cpu_idle_power_mw,
};
