/* interpret.h - runs a graph node by node in plain memory, for tests: no scheduler, no device, no reuse of memory.
 *
 * Every tensor that owns memory has a block of its own, so that an address sanitizer sees each overrun. Before a run
 * activations and gradients are not-a-number: a value read before it was written shows in the result.
 */
#ifndef TESTS_UNIT_INTERPRET_H
#define TESTS_UNIT_INTERPRET_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "graph/graph.h"
#include "kernel/fastfood.h"
#include "kernel/run.h"

struct interpreter {
    const struct graph *graph;
    size_t element_bytes;
    void **memory; /* [n_tensors], views into the blocks of their roots */
    struct kernel_context context;
};

static inline double interpreter_get(const struct interpreter *it, int tensor, int64_t i)
{
    return it->element_bytes == sizeof(double) ? ((double *)it->memory[tensor])[i]
                                               : (double)((float *)it->memory[tensor])[i];
}

static inline void interpreter_put(struct interpreter *it, int tensor, int64_t i, double value)
{
    if (it->element_bytes == sizeof(double))
        ((double *)it->memory[tensor])[i] = value;
    else
        ((float *)it->memory[tensor])[i] = (float)value;
}

static inline void interpreter_fill(struct interpreter *it, int tensor, double value)
{
    for (int64_t i = 0; i < it->graph->tensors[tensor].elements; i++)
        interpreter_put(it, tensor, i, value);
}

/* 64-byte aligned, like device memory; not rounded up, so that overruns are seen. */
static inline void *interpreter_block(size_t bytes)
{
    void *block = NULL;
    if (posix_memalign(&block, 64, bytes ? bytes : 1))
        abort();
    return block;
}

static inline void interpreter_open(struct interpreter *it, const struct graph *graph, enum number_format format)
{
    size_t bytes = format == FORMAT_FP64 ? sizeof(double) : sizeof(float), scratch = 1;
    *it = (struct interpreter){
        .graph = graph, .element_bytes = bytes, .context = {.format = format, .step = 1, .seed = 7}};
    it->memory = calloc((size_t)graph->n_tensors, sizeof *it->memory);
    for (int t = 0; t < graph->n_tensors; t++) {
        const struct tensor *tensor = &graph->tensors[t];
        if (tensor->base != NO_TENSOR)
            continue;
        it->memory[t] = interpreter_block((size_t)tensor->elements * bytes);
        interpreter_fill(it, t, tensor->role == TENSOR_STATE ? 0 : NAN);
        for (int64_t i = 0; tensor->values && i < tensor->elements; i++)
            interpreter_put(it, t, i, tensor->values[i]);
        if (tensor->init == INIT_FASTFOOD)
            fastfood_table(it->context.seed, tensor->init_place, (size_t)tensor->init_scale, bytes, it->memory[t]);
    }
    for (int t = 0; t < graph->n_tensors; t++) {
        int64_t offset = 0;
        int root = t;
        for (; graph->tensors[root].base != NO_TENSOR; root = graph->tensors[root].base)
            offset += graph->tensors[root].offset;
        it->memory[t] = (char *)it->memory[root] + (size_t)offset * bytes;
    }
    for (int n = 0; n < graph->n_nodes; n++) {
        enum op_kind kind = graph->nodes[n].op.kind;
        size_t need = kind == OP_LOAD || kind == OP_METRIC ? 0 : kernel_scratch_bytes(&graph->nodes[n].op, format);
        scratch = need > scratch ? need : scratch;
    }
    it->context.scratch = interpreter_block(scratch);
}

static inline void interpreter_close(struct interpreter *it)
{
    for (int t = 0; t < it->graph->n_tensors; t++)
        if (it->graph->tensors[t].base == NO_TENSOR)
            free(it->memory[t]);
    free(it->memory);
    free(it->context.scratch);
}

static inline void interpreter_poison(struct interpreter *it)
{
    for (int t = 0; t < it->graph->n_tensors; t++) {
        enum tensor_role role = it->graph->tensors[t].role;
        if (it->graph->tensors[t].base == NO_TENSOR && (role == TENSOR_ACTIVATION || role == TENSOR_GRAD))
            interpreter_fill(it, t, NAN);
    }
}

static inline void interpreter_node(struct interpreter *it, const struct node *node)
{
    void *in[OP_MAX_IN], *out[OP_MAX_OUT];
    for (int i = 0; i < OP_MAX_IN; i++)
        in[i] = node->in[i] == NO_TENSOR ? NULL : it->memory[node->in[i]];
    for (int o = 0; o < OP_MAX_OUT; o++)
        out[o] = node->out[o] == NO_TENSOR ? NULL : it->memory[node->out[o]];
    if (it->element_bytes == sizeof(double)) {
        const double *const in64[OP_MAX_IN] = {in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]};
        double *const out64[OP_MAX_OUT] = {out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7]};
        kernel_run_f64(&node->op, &it->context, in64, out64);
    } else {
        const float *const in32[OP_MAX_IN] = {in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]};
        float *const out32[OP_MAX_OUT] = {out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7]};
        kernel_run_f32(&node->op, &it->context, in32, out32);
    }
}

/* Forward, and what follows up to phase `last`. LOAD and METRIC are the caller's. */
static inline void interpreter_run(struct interpreter *it, enum phase last)
{
    interpreter_poison(it);
    for (int n = 0; n < it->graph->n_nodes; n++) {
        const struct node *node = &it->graph->nodes[n];
        if (node->phase <= last && node->op.kind != OP_LOAD && node->op.kind != OP_METRIC)
            interpreter_node(it, node);
    }
}

/* Normal random values for inputs, targets and parameters, a random mask; the same for the same seed and graph. Scales
 * of parameters as in training, so that activations stay of order one; gains around one. */
static inline void interpreter_randomise(struct interpreter *it, uint64_t seed)
{
    for (int t = 0; t < it->graph->n_tensors; t++) {
        const struct tensor *tensor = &it->graph->tensors[t];
        struct rng_key key = rng_key(seed, RNG_TEST, 1000u + (uint32_t)t);
        int weight = tensor->role == TENSOR_PARAM;
        if ((!weight && tensor->role > TENSOR_MASK) || t == it->graph->params)
            continue;
        double scale = weight ? (tensor->n_dims > 1 ? 1 / sqrt((double)tensor->dims[1]) : 0.3) : 1;
        for (int64_t i = 0; i < tensor->elements; i++) {
            double value = scale * rng_normal(key, 0, (uint64_t)i) + (tensor->init == INIT_ONE);
            if (tensor->role == TENSOR_MASK)
                value = rng_uniform(key, 0, (uint64_t)i) < 0.7;
            interpreter_put(it, t, i, value);
        }
    }
}

static inline double interpreter_loss(struct interpreter *it)
{
    interpreter_run(it, PHASE_FORWARD);
    return interpreter_get(it, it->graph->loss_sums, 0);
}

#endif
