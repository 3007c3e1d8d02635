/* rank_hbm_pim.c - the HBM-PIM device: it keeps keys and values and attends to them, and multiplies with weights of the
 * feed-forward that it has a copy of. The physics is device/hbm_pim, the arithmetic kernel/kv and kernel/linear. */
#include <string.h>

#include "device/catalogue.h"
#include "device/hbm_pim.h"
#include "device/hbm_pim_gemv.h"
#include "kernel/batch.h"
#include "rank.h"

/* What a head of so many tokens costs; found once for each step of tokens that makes a difference. */
struct head_price {
    uint64_t stream_ps, head_ps; /* with neighbours on its channel, alone; 0: not known yet */
    struct cost cost;            /* of one head */
};

struct hbm_pim {
    struct hbm_pim_profile profile;
    enum number_format format;
    int element_bytes;
    int n_channels;
    int64_t token_step;
    struct arena *arena;
    /* Memory of prices already found; they follow from the profile and the op alone. */
    struct head_price *price; /* [n_prices] by steps of tokens, for width and queries below */
    int64_t n_prices, width, queries;
    int bytes;
    struct channel { /* [n_channels] of the iteration that is being priced */
        uint64_t stream_ps, head_ps, n;
    } * channel;
};

static enum status hbm_open(const struct device_spec *spec, struct arena *arena, void **state, struct fault *fault)
{
    const struct hbm_pim_profile *profile = catalogue_hbm_pim(spec->profile);
    if (!profile)
        return fault_set(fault, STATUS_USAGE, "%s: unknown HBM-PIM profile '%s': polyrank devices lists them",
                         spec->name, spec->profile);
    const char *key = spec->memory_bytes             ? "memory_bytes"
                      : spec->memory_bytes_per_s > 0 ? "memory_bytes_per_s"
                      : spec->peak_flop_per_s > 0    ? "peak_flop_per_s"
                      : spec->tdp_w > 0              ? "tdp_w"
                                                     : NULL;
    if (key)
        return fault_set(fault, STATUS_USAGE, "%s: %s: expected with other kinds than hbm-pim, found with hbm-pim",
                         spec->name, key);
    if (spec->format != FORMAT_FP16 && spec->format != FORMAT_BF16 && spec->format != FORMAT_FP32)
        return fault_set(fault, STATUS_USAGE, "%s: an HBM-PIM device computes with fp16, bf16 or fp32, not %s",
                         spec->name, number_format_name(spec->format));
    struct hbm_pim *pim = arena_take(arena, sizeof *pim);
    pim->arena = arena;
    pim->profile = *profile;
    if (spec->stacks > 0)
        pim->profile.stacks = (int)spec->stacks;
    if (spec->power_limit >= 0)
        pim->profile.power_limited = (int)spec->power_limit;
    profile = &pim->profile;
    pim->format = spec->format;
    pim->element_bytes = spec->format == FORMAT_FP32 ? 4 : 2;
    pim->n_channels = hbm_pim_channels(profile);
    pim->token_step = hbm_pim_token_step(profile);
    pim->channel = arena_array(arena, (size_t)pim->n_channels, sizeof *pim->channel);
    *state = pim;
    return STATUS_OK;
}

static int hbm_supports(const void *state, const struct op *op)
{
    (void)state;
    if (op->kind == OP_LINEAR || op->kind == OP_GATE)
        return op->tokens != TOKENS_NONE;
    return op->kind == OP_KV_APPEND || op->kind == OP_KV_ATTENTION || op->kind == OP_KV_FETCH;
}

static int bytes_in_cache(const struct hbm_pim *pim, const struct op *op)
{
    return op->kv_bits == 8 ? 1 : pim->element_bytes;
}

/* Prices of another kind of head are forgotten: a device serves one model. */
static void prepare(struct hbm_pim *pim, const struct op *op, int64_t n_steps)
{
    int64_t queries = op->heads / op->kv_heads;
    int bytes = bytes_in_cache(pim, op);
    if (pim->width != op->head_width || pim->queries != queries || pim->bytes != bytes) {
        pim->n_prices = 0;
        pim->width = op->head_width;
        pim->queries = queries;
        pim->bytes = bytes;
    }
    if (n_steps < pim->n_prices)
        return;
    int64_t room = 2 * n_steps + 16;
    struct head_price *larger = arena_array(pim->arena, (size_t)room, sizeof *larger);
    if (pim->n_prices)
        memcpy(larger, pim->price, (size_t)pim->n_prices * sizeof *larger);
    pim->price = larger;
    pim->n_prices = room;
}

static const struct head_price *price_of(struct hbm_pim *pim, const struct op *op, int64_t tokens)
{
    int64_t step = (tokens + pim->token_step - 1) / pim->token_step;
    prepare(pim, op, step);
    struct head_price *price = &pim->price[step];
    if (price->stream_ps)
        return price;
    const struct hbm_pim_head head = {step * pim->token_step, pim->width, pim->bytes, (int)pim->queries};
    price->stream_ps = hbm_pim_stream_ps(&pim->profile, &head);
    price->head_ps = hbm_pim_head_ps(&pim->profile, &head);
    hbm_pim_head_cost(&pim->profile, &head, &price->cost);
    return price;
}

/* The KV heads of a sequence lie in channels one after the other, those of the next request behind them; `times`: once
 * for each of its tokens that attend. */
static void add_sequence(struct hbm_pim *pim, const struct op *op, const struct batch_part *part, int64_t tokens,
                         uint64_t times, struct cost *cost)
{
    if (tokens == 0)
        return;
    const struct head_price *price = price_of(pim, op, tokens);
    uint64_t first = part->request * (uint64_t)op->kv_heads, n = (uint64_t)op->kv_heads * times;
    for (int64_t h = 0; h < op->kv_heads; h++) {
        struct channel *channel = &pim->channel[(first + (uint64_t)h) % (uint64_t)pim->n_channels];
        channel->stream_ps += price->stream_ps * times;
        channel->head_ps = price->head_ps > channel->head_ps ? price->head_ps : channel->head_ps;
        channel->n += times;
    }
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        cost->energy_fj[p] += price->cost.energy_fj[p] * n;
    cost->flops += price->cost.flops * n;
    cost->bytes += price->cost.bytes * n;
}

/* The busiest channel tells the time: a head alone takes head_ps, several hide each other's transfers. */
static uint64_t busiest_ps(struct hbm_pim *pim)
{
    uint64_t most_ps = 0;
    for (int c = 0; c < pim->n_channels; c++) {
        struct channel *channel = &pim->channel[c];
        uint64_t ps = channel->n < 2 || channel->stream_ps < channel->head_ps ? channel->head_ps : channel->stream_ps;
        most_ps = ps > most_ps ? ps : most_ps;
        memset(channel, 0, sizeof *channel);
    }
    return most_ps;
}

static void add_attention(struct hbm_pim *pim, const struct op *op, struct cost *cost)
{
    const struct batch *batch = op->batch;
    const struct batch_part one = {.context = op->in - 1, .tokens = 1};
    if (!batch)
        add_sequence(pim, op, &one, op->in, (uint64_t)op->rows, cost);
    for (int i = 0; batch && i < batch->n_cached; i++) {
        const struct batch_part *part = &batch->parts[i];
        int64_t tokens = shard_tokens(part->context + part->tokens, op->shard, op->shards, op->shard_block);
        add_sequence(pim, op, part, tokens, (uint64_t)part->tokens, cost);
    }
    cost->time_ps = busiest_ps(pim);
    if (batch && batch->n_cached > 1) {
        const struct hbm_pim_head head = {pim->token_step, pim->width, pim->bytes, (int)pim->queries};
        cost->time_ps += hbm_pim_fill_ps(&pim->profile, &head);
    }
}

/* A bias and an activation are the softmax unit's. */
static void add_linear(const struct hbm_pim *pim, const struct op *op, struct cost *cost)
{
    const struct hbm_pim_gemv gemv = {.vectors = op->rows,
                                      .in = op->in,
                                      .out = op->out,
                                      .element_bytes = pim->element_bytes,
                                      .unit_ops = 1 + (op->act == ACT_NONE ? 0 : HBM_PIM_ACTIVATION_OPS)};
    hbm_pim_gemv_cost(&pim->profile, &gemv, cost);
}

static void hbm_cost(const void *state, const struct op *op, struct cost *cost)
{
    struct hbm_pim *pim = (struct hbm_pim *)state; /* what it remembers changes no price */
    memset(cost, 0, sizeof *cost);
    if (op->kind == OP_KV_APPEND)
        hbm_pim_append_cost(&pim->profile, (uint64_t)(batch_appended(op) * op->kv_heads), op->head_width,
                            bytes_in_cache(pim, op), cost);
    else if (op->kind == OP_KV_FETCH)
        hbm_pim_stream_bytes_cost(&pim->profile,
                                  (uint64_t)(batch_fetched(op) * op->kv_heads * 2 * op->head_width) *
                                      (uint64_t)bytes_in_cache(pim, op),
                                  cost);
    else if (op->kind == OP_LINEAR)
        add_linear(pim, op, cost);
    else if (op->kind == OP_GATE)
        hbm_pim_unit_cost(&pim->profile, op->rows * op->out, HBM_PIM_GATE_OPS, pim->element_bytes, cost);
    else
        add_attention(pim, op, cost);
    cost->energy_fj[ENERGY_STATIC] += hbm_pim_static_mw(&pim->profile) * cost->time_ps;
}

static void hbm_run(void *state, const struct op *op, const struct kernel_context *context,
                    const void *const in[OP_MAX_IN], void *const out[OP_MAX_OUT])
{
    struct kernel_context own = *context;
    own.format = ((const struct hbm_pim *)state)->format;
    kernel_run_f32(op, &own, (const float *const *)in, (float *const *)out);
}

static uint64_t hbm_memory_bytes(const void *state)
{
    const struct hbm_pim *pim = state;
    return (uint64_t)pim->profile.stacks * hbm_pim_stack_bytes(&pim->profile);
}

static uint64_t hbm_power_mw(const void *state)
{
    return hbm_pim_static_mw(&((const struct hbm_pim *)state)->profile);
}

const struct device hbm_pim_device = {
    .kind = "hbm-pim",
    .open = hbm_open,
    .supports = hbm_supports,
    .cost = hbm_cost,
    .run = hbm_run,
    .memory_bytes = hbm_memory_bytes,
    .idle_power_mw = hbm_power_mw,
    .wait_power_mw = hbm_power_mw,
};
