#include "attacc/system.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "attacc/stage.h"

enum { PIM_GIB = 640, HOST_GIB = 2048 };

const struct attacc_column *attacc_columns(size_t *n)
{
    static const struct attacc_column columns[] = {
#define X(field, name, group) {name, group, offsetof(struct attacc_output, field)},
        ATTACC_COLUMNS(X)
#undef X
    };
    *n = sizeof columns / sizeof columns[0];
    return columns;
}

double attacc_column_value(const struct attacc_output *output, const struct attacc_column *column)
{
    double value;
    memcpy(&value, (const char *)output + column->offset, sizeof value);
    return value;
}

const char *attacc_machine_name(enum attacc_machine machine)
{
    static const char *const names[N_ATTACC_MACHINES] = {"dgx", "dgx-cpu", "dgx-attacc"};
    return names[machine];
}

const char *attacc_problem(const struct attacc_config *config, char *text, size_t size)
{
    const struct {
        const char *name;
        int value, least, most;
    } limits[] = {
        {"GPUs", config->gpus, 1, 1024},    {"word", config->word_bytes, 1, 2},   {"lin", config->lin, 1, 1 << 20},
        {"lout", config->lout, 2, 1 << 20}, {"batch", config->batch, 1, 1 << 20},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i].value < limits[i].least || limits[i].value > limits[i].most) {
            snprintf(text, size, "%s: expected %d to %d, found %d", limits[i].name, limits[i].least, limits[i].most,
                     limits[i].value);
            return text;
        }
    if (config->model->heads < config->gpus) {
        snprintf(text, size, "GPUs: expected at most %g, the heads of %s, found %d", config->model->heads,
                 config->model->name, config->gpus);
        return text;
    }
    if ((config->machine == ATTACC_DGX_PIM) != (config->pim != NULL) ||
        (config->machine != ATTACC_DGX_PIM && (config->pipeline || config->ff_split))) {
        snprintf(text, size, "processing units, pipelining and sharing of the feed-forward go with dgx-attacc only");
        return text;
    }
    if (config->machine == ATTACC_DGX_CPU && config->gpus != ATTACC_DEVICES) {
        snprintf(text, size, "GPUs: expected 8 with dgx-cpu, found %d", config->gpus);
        return text;
    }
    return NULL;
}

static void configuration_columns(const struct attacc_config *config, struct attacc_output *output)
{
    double words = config->word_bytes;
    output->cap = ATTACC_GPU_GIB * config->gpus + (config->machine == ATTACC_DGX_PIM ? PIM_GIB : 0) +
                  (config->machine == ATTACC_DGX_CPU ? HOST_GIB : 0);
    output->bw = 1;
    if (config->machine == ATTACC_DGX_CPU)
        output->bw = attacc_cpu_bytes_per_s() / config->gpu->dram_bytes_per_s;
    else if (config->machine == ATTACC_DGX_PIM)
        output->bw = attacc_bandwidth_scale(config->pim);
    output->sys_opb = config->gpu->flops_per_s / config->gpu->dram_bytes_per_s;
    output->required_cap = attacc_weight_bytes(config->model, words) +
                           config->batch * attacc_request_bytes(config->model, words, config->lin, config->lout);
}

static double flops_of(const struct attacc_layer *layers)
{
    double flops = 0;
    for (int i = 0; i < N_ATTACC_LAYERS; i++)
        flops += layers[i].flops;
    return flops;
}

static void prefill_columns(const struct attacc_config *config, struct attacc_output *output)
{
    struct attacc_layer layers[N_ATTACC_LAYERS];
    double ms = 1000 * config->model->decoders;
    attacc_prefill(config->model, config->gpus, config->word_bytes, config->batch, config->lin, layers);
    double *sums[] = {
        [KIND_FC] = &output->s_fc,      [KIND_MATMUL] = &output->s_matmul,  [KIND_SOFTMAX] = &output->s_softmax,
        [KIND_NORM] = &output->s_lnorm, [KIND_ACTIVATION] = &output->s_act, [KIND_GATHER] = &output->s_comm};
    for (int i = 0; i < N_ATTACC_LAYERS; i++)
        if (layers[i].count > 0)
            *sums[layers[i].kind] +=
                ms * attacc_gpu_price(config->gpu, config->gpus, config->word_bytes, &layers[i]).time_s;
    output->s_time =
        output->s_matmul + output->s_fc + output->s_comm + output->s_softmax + output->s_act + output->s_lnorm;
    output->s_flops = flops_of(layers) * config->gpus * config->model->decoders / (config->lout - 1);
}

/* Adds what a layer's energy is part of. */
static void add_energy(enum attacc_kind kind, const struct attacc_price *price, struct attacc_output *output)
{
    const double *pj = price->energy_pj;
    double on_chip = pj[LEVEL_L2] + pj[LEVEL_L1] + pj[LEVEL_REGISTER] + pj[LEVEL_ALU];
    output->g_dram_energy += pj[LEVEL_DRAM];
    output->g_l2_energy += pj[LEVEL_L2];
    output->g_l1_energy += pj[LEVEL_L1];
    output->g_reg_energy += pj[LEVEL_REGISTER];
    output->g_alu_energy += pj[LEVEL_ALU];
    output->g_comm_energy += pj[LEVEL_LINK];
    if (kind == KIND_FC) {
        output->g_fc_mem += pj[LEVEL_DRAM];
        output->g_fc_comp += on_chip;
    } else if (kind == KIND_MATMUL || kind == KIND_SOFTMAX) {
        output->g_attn_mem += pj[LEVEL_DRAM];
        output->g_attn_comp += on_chip;
    } else if (kind == KIND_ACTIVATION || kind == KIND_NORM) {
        output->g_etc_mem += pj[LEVEL_DRAM];
        output->g_etc_comp += on_chip;
    }
}

static void add_stage(const struct attacc_layer *layers, const struct attacc_stage_prices *prices,
                      struct attacc_output *output)
{
    const struct attacc_price *layer = prices->layer;
    output->g_qkv += layer[LAYER_QKV].time_s;
    output->g_prj += layer[LAYER_PROJECTION].time_s;
    output->g_ff += layer[LAYER_FF1].time_s + layer[LAYER_FF2].time_s + layer[LAYER_FF3].time_s;
    output->g_matmul += layer[LAYER_SCORE].time_s + layer[LAYER_CONTEXT].time_s;
    output->g_softmax += layer[LAYER_SOFTMAX].time_s;
    output->g2g_comm += layer[LAYER_GATHER1].time_s + layer[LAYER_GATHER2].time_s;
    output->c2g_comm += layer[LAYER_TO_ATTENTION].time_s + layer[LAYER_FROM_ATTENTION].time_s;
    output->g_act += layer[LAYER_ACTIVATION].time_s;
    output->g_lnorm += layer[LAYER_NORM1].time_s + layer[LAYER_NORM2].time_s;
    output->g_flops += flops_of(layers);
    for (int i = 0; i < N_ATTACC_LAYERS; i++)
        if (layers[i].count > 0)
            add_energy(layers[i].kind, &layer[i], output);
}

/* Means over stages; milliseconds and nanojoules of all blocks. */
static void finish(const struct attacc_config *config, struct attacc_output *output)
{
    double blocks = config->model->decoders / (config->lout - 1), ms = 1000 * blocks, nj = blocks / 1000;
    double *times[] = {&output->g_qkv,    &output->g_prj,    &output->g_ff,  &output->g_matmul, &output->g_softmax,
                       &output->g2g_comm, &output->c2g_comm, &output->g_act, &output->g_lnorm};
    double *energies[] = {&output->g_dram_energy, &output->g_l2_energy, &output->g_l1_energy, &output->g_reg_energy,
                          &output->g_alu_energy,  &output->g_fc_mem,    &output->g_fc_comp,   &output->g_attn_mem,
                          &output->g_attn_comp,   &output->g_etc_mem,   &output->g_etc_comp,  &output->g_comm_energy};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        *times[i] *= ms;
    for (size_t i = 0; i < sizeof energies / sizeof energies[0]; i++)
        *energies[i] *= nj;
    output->g_flops *= config->gpus * blocks;
    output->g_fc = output->g_qkv + output->g_prj + output->g_ff;
    output->g_comm = output->g2g_comm + output->c2g_comm;
    output->g_etc = output->g_act + output->g_lnorm;
    output->g_time = output->g_matmul + output->g_fc + output->g_comm + output->g_etc + output->g_softmax;
    output->g_energy = output->g_dram_energy + output->g_l2_energy + output->g_l1_energy + output->g_reg_energy +
                       output->g_alu_energy + output->g_comm_energy;
}

static void price_attention(const struct attacc_config *config, const struct attacc_layer *layers, double keys,
                            struct attacc_attention_memo *memo, struct attacc_stage_prices *prices)
{
    if (config->machine == ATTACC_DGX_PIM) {
        attacc_pim_attention(config, layers, keys, memo, prices);
        return;
    }
    for (int i = LAYER_SCORE; i <= LAYER_CONTEXT; i++)
        prices->layer[i] = config->machine == ATTACC_DGX_CPU
                               ? attacc_cpu_price(config->gpu, config->word_bytes, &layers[i])
                               : attacc_gpu_price(config->gpu, config->gpus, config->word_bytes, &layers[i]);
}

static struct attacc_price price_transfer(const struct attacc_config *config, const struct attacc_layer *layer)
{
    return config->machine == ATTACC_DGX_PIM ? attacc_pim_transfer(layer)
                                             : attacc_cpu_price(config->gpu, config->word_bytes, layer);
}

/* Only attention changes from stage to stage. */
static void generation_columns(const struct attacc_config *config, struct attacc_output *output)
{
    struct attacc_layer layers[N_ATTACC_LAYERS];
    struct attacc_stage_prices same = {0};
    struct attacc_attention_memo memo = {0};
    attacc_stage(config->model, config->gpus, config->word_bytes, config->batch, 1, config->machine != ATTACC_DGX,
                 layers);
    for (int i = 0; i < N_ATTACC_LAYERS; i++) {
        if (layers[i].kind == KIND_TRANSFER)
            same.layer[i] = price_transfer(config, &layers[i]);
        else if (layers[i].kind != KIND_MATMUL && layers[i].kind != KIND_SOFTMAX)
            same.layer[i] = attacc_gpu_price(config->gpu, config->gpus, config->word_bytes, &layers[i]);
    }
    for (int stage = 1; stage < config->lout; stage++) {
        struct attacc_stage_prices prices = same;
        double keys = config->lin + stage;
        attacc_stage_keys(config->model, config->gpus, config->word_bytes, config->batch, keys, layers);
        price_attention(config, layers, keys, &memo, &prices);
        attacc_stage_overlap(config, &prices);
        add_stage(layers, &prices, output);
    }
}

void attacc_run(const struct attacc_config *config, struct attacc_output *output)
{
    *output = (struct attacc_output){0};
    configuration_columns(config, output);
    prefill_columns(config, output);
    generation_columns(config, output);
    finish(config, output);
}

double attacc_end_to_end_ms(const struct attacc_config *config, const struct attacc_output *output)
{
    return output->s_time + (config->lout - 1) * output->g_time;
}
