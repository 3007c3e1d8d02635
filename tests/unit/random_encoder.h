/* random_encoder.h - encoders with random options, and what tests do with them. */
#ifndef TESTS_UNIT_RANDOM_ENCODER_H
#define TESTS_UNIT_RANDOM_ENCODER_H

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "interpret.h"
#include "model/encoder.h"

static inline uint64_t below(uint32_t seed, uint64_t draw, uint64_t n)
{
    return rng_below(rng_key(70, RNG_TEST, seed), 0, draw, n);
}

/* The head: dense layers over all tokens, or one layer from each token of the newest step to all horizons. */
static inline void make_joint(struct encoder_config *config, uint32_t seed)
{
    const int64_t horizon = 1 + (int64_t)below(seed, 101, 3);
    config->steps = 1 + (int64_t)below(seed, 102, 3);
    config->stations = 1 + (int64_t)below(seed, 103, 3);
    config->tokens = config->steps * config->stations;
    config->mask_block = below(seed, 104, 3) ? config->stations : 0;
    config->outputs = config->stations * horizon;
    config->skip_steps = 0;
    config->n_decode = (int)below(seed, 105, 2);
    if (config->n_decode) {
        config->decode_width[0] = config->outputs;
        return;
    }
    config->head_tokens = config->stations;
    config->n_reduce = 1 + (int)below(seed, 106, 2);
    config->reduce_width[config->n_reduce - 1] = horizon;
}

/* A small model with any mixture of options. */
static inline struct encoder_config random_config(uint32_t seed)
{
    struct encoder_config config = {
        .tokens = 1 + (int64_t)below(seed, 0, 4),
        .features = 1 + (int64_t)below(seed, 1, 4),
        .stations = 1 + (int64_t)below(seed, 2, 3),
        .heads = 1 + (int64_t)below(seed, 3, 3),
        .layers = (int64_t)below(seed, 4, 3),
        .ffn = 1 + (int64_t)below(seed, 5, 6),
        .embed_hidden = 1 + (int64_t)below(seed, 6, 5),
        .embed_act = below(seed, 7, 2) ? ACT_GELU : ACT_NONE,
        .positions = (enum positions)below(seed, 8, 3),
        .position_site = (enum position_site)below(seed, 9, 2),
        .dropout = below(seed, 10, 2) ? 0.25 : 0,
        .concat = (int)below(seed, 11, 2),
        .n_reduce = (int)below(seed, 12, 3),
        .n_decode = 1 + (int)below(seed, 13, 3),
        .residual = (int)below(seed, 14, 2),
        .linear_skip = (int)below(seed, 15, 2),
        .loss = (enum loss_kind)below(seed, 16, 3),
        .huber_delta = 0.8,
        .masked = (int)below(seed, 17, 2),
    };
    config.d_model = config.heads * (1 + (int64_t)below(seed, 18, 4));
    config.outputs = config.stations * (1 + (int64_t)below(seed, 19, 3));
    for (int j = 0; j < 3; j++) {
        config.reduce_width[j] = 1 + (int64_t)below(seed, 20 + (uint64_t)j, 5);
        config.reduce_act[j] = (enum activation)below(seed, 30 + (uint64_t)j, 3);
        config.decode_width[j] = 1 + (int64_t)below(seed, 40 + (uint64_t)j, 6);
        config.decode_act[j] = (enum activation)below(seed, 50 + (uint64_t)j, 3);
    }
    config.decode_width[config.n_decode - 1] = config.outputs;
    config.skip_steps = (int64_t)below(seed, 61, (uint64_t)config.features + 1);
    config.zero_output = (int)below(seed, 62, 2);
    if (below(seed, 63, 5) == 0) { /* one output for each token */
        config.stations = config.outputs = config.tokens;
        config.n_decode = 0;
        config.n_reduce = 1 + (int)below(seed, 64, 2);
        config.reduce_width[config.n_reduce - 1] = 1;
    }
    if (below(seed, 100, 3) == 0) /* joint: stations at steps, masked or not */
        make_joint(&config, seed);
    int64_t sample = config.tokens * config.features;
    config.last_stride = 1;
    if (config.stations > sample)
        config.residual = 0;
    else
        config.last_offset = (int64_t)below(seed, 60, (uint64_t)(sample - config.stations + 1));
    return config;
}

struct model {
    struct arena *arena;
    struct graph graph;
    struct encoder_config config;
};

static inline void model_init(struct model *model, const struct encoder_config *config, int64_t samples, int training)
{
    struct fault fault = FAULT_NONE;
    ck_assert_msg(encoder_check(config, &fault) == STATUS_OK, "%s", fault.text);
    model->arena = arena_new();
    model->config = *config;
    graph_init(&model->graph, model->arena);
    encoder_build(&model->config, samples, training, &model->graph);
}

static inline int output_of(const struct graph *graph)
{
    for (int n = 0; n < graph->n_nodes; n++)
        if (graph->nodes[n].op.kind == OP_LOSS)
            return graph->nodes[n].in[0];
    return NO_TENSOR;
}

static inline int count_nodes(const struct graph *graph, enum op_kind kind, int phase)
{
    int count = 0;
    for (int n = 0; n < graph->n_nodes; n++)
        count += graph->nodes[n].op.kind == kind && (phase < 0 || (int)graph->nodes[n].phase == phase);
    return count;
}

/* Along random directions through all parameters at once, and through one parameter at a time. */
static inline void check_direction(struct interpreter *it, const double *grads, int only, uint32_t seed,
                                   const char *what)
{
    const struct graph *graph = it->graph;
    const double step = 1e-6;
    int block = graph->params;
    int64_t first = only == NO_TENSOR ? 0 : graph->tensors[only].offset;
    int64_t n = only == NO_TENSOR ? graph->tensors[block].elements : graph->tensors[only].elements;
    struct rng_key key = rng_key(71, RNG_TEST, seed);
    double *values = malloc((size_t)n * sizeof *values), loss[2], exact = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        values[i] = interpreter_get(it, block, first + i);
        exact += grads[first + i] * rng_normal(key, 0, (uint64_t)(first + i));
        size += fabs(grads[first + i]);
    }
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < n; i++)
            interpreter_put(it, block, first + i,
                            values[i] + (side ? -step : step) * rng_normal(key, 0, (uint64_t)(first + i)));
        loss[side] = interpreter_loss(it);
    }
    for (int64_t i = 0; i < n; i++)
        interpreter_put(it, block, first + i, values[i]);
    double numeric = (loss[0] - loss[1]) / (2 * step);
    ck_assert_msg(fabs(numeric - exact) < 1e-6 * fmax(1, size),
                  "model %u: derivative along %s: %.12g, by differences %.12g", seed, what, exact, numeric);
    free(values);
}

/* Copies x, target and parameters by name. */
static inline void copy_values(struct interpreter *to, const struct interpreter *from)
{
    for (int t = 0; t < from->graph->n_tensors; t++) {
        const struct tensor *tensor = &from->graph->tensors[t];
        int there = graph_find(to->graph, tensor->name);
        if (there == NO_TENSOR || t == from->graph->params ||
            (tensor->role != TENSOR_PARAM && tensor->role > TENSOR_MASK))
            continue;
        for (int64_t i = 0; i < tensor->elements; i++)
            interpreter_put(to, there, i, interpreter_get(from, t, i));
    }
}

#endif
