#include "attacc/layers.h"

#include <math.h>
#include <string.h>

static struct attacc_layer gemm(enum attacc_kind kind, double m, double n, double k, double count, double words)
{
    return (struct attacc_layer){kind, m, n, k, count, 2 * m * n * k * count, count * (m * k + n * k + m * n) * words};
}

/* `each` operations per element, `tensors` of the same size in and out. */
static struct attacc_layer elementwise(enum attacc_kind kind, double m, double n, double count, double each,
                                       double tensors, double words)
{
    return (struct attacc_layer){kind, m, n, 1, count, each * m * n * count, tensors * m * n * count * words};
}

static struct attacc_layer transfer(enum attacc_kind kind, double m, double n, double count, double words)
{
    return (struct attacc_layer){kind, m, n, 1, count, 0, m * n * count * words};
}

static struct attacc_layer activation(const struct attacc_model *model, double m, double n, double words)
{
    if (model->family == ATTACC_LLAMA)
        return elementwise(KIND_ACTIVATION, m, n, 1, 9, 3, words);
    return elementwise(KIND_ACTIVATION, m, n, 1, model->family == ATTACC_OPT ? 1 : 8, 2, words);
}

/* Everything but attention, for `rows` rows. */
static void block(const struct attacc_model *model, double gpus, double words, double rows, struct attacc_layer *layers)
{
    double width = model->width, part = floor(width / gpus), wide = model->ff_scale * part;
    memset(layers, 0, N_ATTACC_LAYERS * sizeof *layers);
    layers[LAYER_QKV] = gemm(KIND_FC, rows, 3 * part, width, 1, words);
    layers[LAYER_PROJECTION] = gemm(KIND_FC, rows, width, part, 1, words);
    layers[LAYER_GATHER1] = layers[LAYER_GATHER2] = transfer(KIND_GATHER, rows, width, 1, words);
    layers[LAYER_NORM1] = layers[LAYER_NORM2] = elementwise(KIND_NORM, rows, width, 1, 5, 3, words);
    layers[LAYER_FF1] = gemm(KIND_FC, rows, wide, width, 1, words);
    if (model->family == ATTACC_LLAMA)
        layers[LAYER_FF2] = layers[LAYER_FF1];
    layers[LAYER_ACTIVATION] = activation(model, rows, wide, words);
    layers[LAYER_FF3] = gemm(KIND_FC, rows, width, wide, 1, words);
}

static void attention(const struct attacc_model *model, double gpus, double words, double batch, double queries,
                      double keys, struct attacc_layer *layers)
{
    double count = floor(model->heads / gpus) * batch, head = attacc_head_width(model);
    layers[LAYER_SCORE] = gemm(KIND_MATMUL, queries, keys, head, count, words);
    layers[LAYER_SOFTMAX] = elementwise(KIND_SOFTMAX, queries, keys, count, 5, 2, words);
    layers[LAYER_CONTEXT] = gemm(KIND_MATMUL, queries, head, keys, count, words);
}

void attacc_prefill(const struct attacc_model *model, double gpus, double words, double batch, double lin,
                    struct attacc_layer *layers)
{
    block(model, gpus, words, batch * lin, layers);
    attention(model, gpus, words, batch, lin, lin, layers);
}

void attacc_stage_keys(const struct attacc_model *model, double gpus, double words, double batch, double keys,
                       struct attacc_layer *layers)
{
    attention(model, gpus, words, batch, 1, keys, layers);
}

void attacc_stage(const struct attacc_model *model, double gpus, double words, double batch, double keys, int apart,
                  struct attacc_layer *layers)
{
    block(model, gpus, words, batch, layers);
    attacc_stage_keys(model, gpus, words, batch, keys, layers);
    if (!apart)
        return;
    double part = floor(model->width / gpus), heads = floor(model->heads / gpus);
    layers[LAYER_TO_ATTENTION] = transfer(KIND_TRANSFER, batch, 3 * part, 1, words);
    layers[LAYER_FROM_ATTENTION] = transfer(KIND_TRANSFER, 1, attacc_head_width(model), heads * batch, words);
}
