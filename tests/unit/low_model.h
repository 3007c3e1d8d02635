/* low_model.h - random models of both families as the low-parameter mode has them: frozen layers with adapters, in
 * pieces for several devices; and what the tests of their way onto devices share. */
#ifndef TESTS_UNIT_LOW_MODEL_H
#define TESTS_UNIT_LOW_MODEL_H

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/family.h"
#include "random_encoder.h"
#include "random_traffic.h"

static inline struct encoder_config low_config(uint32_t seed)
{
    struct encoder_config config = random_config(seed);
    config.layers = 1 + (int64_t)below(seed, 80, 3);
    config.adapter = (struct adapter_config){.kind = ADAPTER_LORA,
                                             .width = 1 + (int64_t)below(seed, 81, 3),
                                             .alpha = 2 + (double)below(seed, 82, 4),
                                             .dropout = below(seed, 83, 2) ? 0.3 : 0,
                                             .targets = 1 + (unsigned)below(seed, 84, ALL_ADAPTER_TARGETS),
                                             .train_norms = (int)below(seed, 85, 2)};
    int64_t narrowest = config.d_model < config.ffn ? config.d_model : config.ffn;
    config.pieces.separate_activations = 1;
    config.pieces.head_groups = 1 + (int64_t)below(seed, 87, (uint64_t)config.heads);
    config.pieces.matrix_shards = 1 + (int64_t)below(seed, 88, (uint64_t)(narrowest < 4 ? narrowest : 4));
    return config;
}

/* Every third a traffic model. */
static inline struct model_config low_family(uint32_t seed)
{
    struct model_config config = {.family = seed % 3 == 2 ? FAMILY_TRAFFIC : FAMILY_ENCODER};
    if (config.family == FAMILY_TRAFFIC)
        config.traffic = traffic_in_pieces(adapted_traffic(seed), seed);
    else
        config.encoder = low_config(seed);
    return config;
}

static inline const struct pieces *pieces_of(const struct model_config *config)
{
    return config->family == FAMILY_TRAFFIC ? &config->traffic.pieces : &config->encoder.pieces;
}

/* Values as interpreter_randomise gives them, times of day as they can be. */
static inline void low_randomise(struct interpreter *it, const struct model_config *config, uint32_t seed)
{
    interpreter_randomise(it, seed);
    if (config->family == FAMILY_TRAFFIC)
        give_slots(it, config->traffic.slots, seed);
}

static inline struct optimiser random_optimiser(uint32_t seed)
{
    return (struct optimiser){.kind = (enum optimiser_kind)below(seed, 89, 3),
                              .beta1 = 0.9,
                              .beta2 = 0.99,
                              .eps = 1e-8,
                              .weight_decay = below(seed, 90, 2) ? 0.1 : 0,
                              .clip_norm = below(seed, 91, 2) ? 0.05 : 0};
}

/* Node i as a device runs it: its rows are those of its micro-batch. */
static inline void run_node(struct interpreter *it, int i)
{
    const struct node *node = &it->graph->nodes[i];
    const struct op *op = &node->op;
    if (op->kind == OP_LOAD || op->kind == OP_METRIC)
        return;
    it->context.first_row = op->samples ? (uint64_t)(op->first_sample * (op->rows / op->samples)) : 0;
    interpreter_node(it, node);
}

static inline void run_all(struct interpreter *it)
{
    interpreter_poison(it);
    for (int i = 0; i < it->graph->n_nodes; i++)
        run_node(it, i);
}

static inline int is_trained(const struct tensor *tensor)
{
    return tensor->role == TENSOR_PARAM && tensor->trainable;
}

static inline int aborts(void (*build)(int), int which)
{
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        build(which);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
