/* random_traffic.h - small traffic models with random sizes, whole and as the low-parameter mode has them. */
#ifndef TESTS_UNIT_RANDOM_TRAFFIC_H
#define TESTS_UNIT_RANDOM_TRAFFIC_H

#include <string.h>

#include "interpret.h"
#include "model/traffic.h"

static inline uint64_t traffic_draw(uint32_t seed, uint64_t draw, uint64_t n)
{
    return rng_below(rng_key(80, RNG_TEST, seed), 0, draw, n);
}

static inline struct traffic_config random_traffic(uint32_t seed)
{
    struct traffic_config config = {
        .steps = 1 + (int64_t)traffic_draw(seed, 0, 4),
        .stations = 1 + (int64_t)traffic_draw(seed, 1, 5),
        .channels = 1 + (int64_t)traffic_draw(seed, 2, 2),
        .horizon = 1 + (int64_t)traffic_draw(seed, 3, 3),
        .slots = 1 + (int64_t)traffic_draw(seed, 4, 5),
        .heads = 1 + (int64_t)traffic_draw(seed, 5, 2),
        .layers = (int64_t)traffic_draw(seed, 6, 3),
        .ffn = 1 + (int64_t)traffic_draw(seed, 7, 6),
        .residual = (int)traffic_draw(seed, 8, 2),
        .loss = (enum loss_kind)traffic_draw(seed, 9, 3),
        .huber_delta = 0.8,
        .masked = (int)traffic_draw(seed, 10, 2),
    };
    config.d_model = config.heads * (2 + (int64_t)traffic_draw(seed, 11, 3));
    return config;
}

/* With layers and random adapters. */
static inline struct traffic_config adapted_traffic(uint32_t seed)
{
    struct traffic_config config = random_traffic(seed);
    config.heads = 1 + (int64_t)traffic_draw(seed, 20, 4);
    config.d_model = config.heads * (2 + (int64_t)traffic_draw(seed, 11, 3));
    config.layers = 1 + (int64_t)traffic_draw(seed, 21, 2);
    config.adapter = (struct adapter_config){.kind = ADAPTER_LORA,
                                             .width = 1 + (int64_t)traffic_draw(seed, 22, 4),
                                             .alpha = 2 + (double)traffic_draw(seed, 23, 4),
                                             .dropout = traffic_draw(seed, 24, 2) ? 0.3 : 0,
                                             .targets = 1 + (unsigned)traffic_draw(seed, 25, ALL_ADAPTER_TARGETS),
                                             .train_norms = (int)traffic_draw(seed, 26, 2)};
    return config;
}

/* The same model as several devices would hold it. */
static inline struct traffic_config traffic_in_pieces(struct traffic_config config, uint32_t seed)
{
    int64_t narrowest = config.d_model < config.ffn ? config.d_model : config.ffn;
    config.pieces = (struct pieces){1, 1 + (int64_t)traffic_draw(seed, 27, (uint64_t)config.heads),
                                    1 + (int64_t)traffic_draw(seed, 28, (uint64_t)(narrowest < 4 ? narrowest : 4))};
    return config;
}

/* Times of day are whole numbers below `slots`. Of all micro-batches. */
static inline void give_slots(struct interpreter *it, int64_t slots, uint32_t seed)
{
    for (int t = 0; t < it->graph->n_tensors; t++) {
        const struct tensor *tensor = &it->graph->tensors[t];
        if (tensor->role != TENSOR_INPUT || strncmp(tensor->name, "tod", 3) != 0)
            continue;
        for (int64_t i = 0; i < tensor->elements; i++)
            interpreter_put(it, t, i, (double)traffic_draw(seed, 100 + (uint64_t)(31 * t + i), (uint64_t)slots));
    }
}

#endif
