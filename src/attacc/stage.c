#include "attacc/stage.h"

#include <math.h>

/* Not in the catalogue: softmax, pJ per byte in and out, and the link of PIM devices. */
static const double softmax_pj = 0.0034, link_pj = 10.4, link_bytes_per_s = 600e9;

/* pJ per byte of a command of one processing unit. */
static double cell_pj(const struct hbm_pim_profile *pim)
{
    double fj_per_bit = pim->row_fj_per_bit + pim->array_fj_per_bit;
    if (pim->placement != HBM_PIM_BANK)
        fj_per_bit += pim->group_fj_per_bit;
    if (pim->placement == HBM_PIM_BUFFER)
        fj_per_bit += pim->channel_fj_per_bit + pim->via_fj_per_bit;
    return 8e-3 * fj_per_bit;
}

/* Per byte of a transfer, as published: pJ per bit taken for pJ per byte. */
static double transfer_pj(const struct hbm_pim_profile *pim)
{
    return 1e-3 * (pim->via_fj_per_bit + pim->channel_fj_per_bit + pim->group_fj_per_bit);
}

double attacc_bandwidth_scale(const struct hbm_pim_profile *pim)
{
    static const double scale[N_HBM_PIM_PLACEMENTS][2] = {{16, 9}, {8, 3}, {1, 1}};
    return scale[pim->placement][pim->power_limited];
}

static void count_commands(const struct attacc_config *config, double heads, double keys,
                           struct attacc_attention_memo *memo)
{
    const struct hbm_pim_profile *pim = config->pim;
    int64_t each = hbm_pim_token_step(pim), step = ((int64_t)keys + each - 1) / each;
    if (memo->step == step)
        return;
    int64_t stack = (int64_t)ceil(heads / ATTACC_STACKS), width = (int64_t)attacc_head_width(config->model);
    memo->step = step;
    memo->cycles = attacc_stack_cycles(pim, stack, (int64_t)keys, width, config->word_bytes);
    memo->counts = attacc_stack_counts(pim, stack, (int64_t)keys, width, config->word_bytes);
}

void attacc_pim_attention(const struct attacc_config *config, const struct attacc_layer *layers, double keys,
                          struct attacc_attention_memo *memo, struct attacc_stage_prices *prices)
{
    const struct attacc_layer *score = &layers[LAYER_SCORE], *softmax = &layers[LAYER_SOFTMAX];
    double heads = score->count, words = config->word_bytes;
    count_commands(config, heads, keys, memo);
    const struct hbm_pim_profile *pim = config->pim;
    const struct attacc_counts *counts = &memo->counts;
    double read = (double)counts->mac * hbm_pim_units(pim) * cell_pj(pim), mac_pj = 1e-3 * pim->mac_fj,
           external = pim->external_bytes_per_s * ATTACC_STACKS;
    double moved = 1e-3 * pim->interface_fj_per_bit * (double)counts->queries +
                   transfer_pj(pim) * (double)(counts->queries + counts->scores_and_results + counts->weights);
    prices->layer[LAYER_SCORE] = (struct attacc_price){.time_s = 1e-12 * (double)pim->clock_ps * (double)memo->cycles};
    prices->layer[LAYER_SCORE].energy_pj[LEVEL_DRAM] =
        ATTACC_DEVICES * ATTACC_STACKS * pim->column_bytes * (read + moved);
    prices->layer[LAYER_SCORE].energy_pj[LEVEL_ALU] = ATTACC_DEVICES * mac_pj * score->flops / 2;
    prices->layer[LAYER_SOFTMAX] =
        (struct attacc_price){.time_s = fmax(softmax->flops / (external * (2 / words)), softmax->bytes / external)};
    prices->layer[LAYER_SOFTMAX].energy_pj[LEVEL_DRAM] = ATTACC_DEVICES * softmax_pj * softmax->bytes;
    prices->layer[LAYER_SOFTMAX].energy_pj[LEVEL_ALU] = ATTACC_DEVICES * mac_pj * softmax->flops / 2;
    prices->layer[LAYER_CONTEXT] = (struct attacc_price){0};
}

struct attacc_price attacc_pim_transfer(const struct attacc_layer *layer)
{
    struct attacc_price price = {.time_s = layer->bytes / (link_bytes_per_s / 2)};
    price.energy_pj[LEVEL_LINK] = ATTACC_DEVICES * link_pj * layer->bytes;
    return price;
}

static double hidden_transfer(double transfer, double attention, double first)
{
    return attention > transfer ? first * transfer : transfer - (1 - first) * attention;
}

/* `first`: the part of a head's work that nothing runs beside, one head of a GPU's. The comparisons and the case where
 * projection can fall below zero are as published. */
static void pipeline(const struct attacc_config *config, struct attacc_stage_prices *prices)
{
    struct attacc_price *layer = prices->layer;
    double first = 1 / (config->model->heads / config->gpus);
    double transfer = layer[LAYER_TO_ATTENTION].time_s + layer[LAYER_FROM_ATTENTION].time_s,
           attention = layer[LAYER_SCORE].time_s + layer[LAYER_SOFTMAX].time_s + layer[LAYER_CONTEXT].time_s,
           *qkv = &layer[LAYER_QKV].time_s, *projection = &layer[LAYER_PROJECTION].time_s, fc = *qkv + *projection;
    if (!config->pipeline) {
        transfer = hidden_transfer(transfer, attention, first);
    } else if (attention > fc) {
        *qkv *= first;
        *projection *= first;
        transfer = hidden_transfer(transfer, attention, first);
    } else if (fc > transfer) {
        transfer *= first;
        *qkv -= 0.75 * (1 - first) * attention;
        *projection -= 0.25 * (1 - first) * attention;
    } else {
        transfer -= (1 - first) * attention;
        *qkv *= first;
        *projection *= first;
    }
    layer[LAYER_SOFTMAX].time_s = 0;
    layer[LAYER_TO_ATTENTION].time_s = layer[LAYER_FROM_ATTENTION].time_s = transfer / 2;
}

static void split_ff(const struct attacc_config *config, struct attacc_price *price)
{
    double pim_bytes_per_s = ATTACC_STACKS * config->pim->external_bytes_per_s * attacc_bandwidth_scale(config->pim);
    double peak = config->gpu->flops_per_s, memory = config->gpu->dram_bytes_per_s;
    if (price->compute_bound)
        price->time_s *= peak / (peak + 2 * pim_bytes_per_s / config->word_bytes);
    else
        price->time_s *= memory / (memory + pim_bytes_per_s / config->batch);
}

void attacc_stage_overlap(const struct attacc_config *config, struct attacc_stage_prices *prices)
{
    if (config->machine != ATTACC_DGX_PIM)
        return;
    pipeline(config, prices);
    if (!config->ff_split)
        return;
    split_ff(config, &prices->layer[LAYER_FF1]);
    split_ff(config, &prices->layer[LAYER_FF2]);
    split_ff(config, &prices->layer[LAYER_FF3]);
}
