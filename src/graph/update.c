#include <string.h>

#include "graph/graph.h"

static int add_block(struct graph *graph, enum tensor_role role, const char *name, int64_t elements)
{
    return graph_tensor(graph, role, name, 1, &elements);
}

/* Tensor t becomes elements offset .. of the block. */
static void move_into(struct graph *graph, int block, int64_t offset, int t)
{
    graph->tensors[t].base = block;
    graph->tensors[t].offset = offset;
}

static int is_updated(const struct tensor *tensor)
{
    return tensor->role == TENSOR_PARAM && tensor->trainable && tensor->grad != NO_TENSOR;
}

static void move_parameters(struct graph *graph, int n_tensors)
{
    int64_t offset = 0;
    for (int t = 0; t < n_tensors; t++) {
        if (!is_updated(&graph->tensors[t]))
            continue;
        move_into(graph, graph->params, offset, t);
        move_into(graph, graph->grads, offset, graph->tensors[t].grad);
        offset += graph->tensors[t].elements;
    }
    move_into(graph, graph->grads, offset, graph->loss_sums);
}

static void add_node(struct graph *graph, const struct op *op, const int in[3], const int out[3], const char *name)
{
    int all_in[OP_MAX_IN], all_out[OP_MAX_OUT];
    for (int i = 0; i < OP_MAX_IN; i++)
        all_in[i] = i < 3 ? in[i] : NO_TENSOR;
    for (int i = 0; i < OP_MAX_OUT; i++)
        all_out[i] = i < 3 ? out[i] : NO_TENSOR;
    graph_node(graph, op, all_in, all_out, PHASE_UPDATE, -1, name);
}

void graph_add_update(struct graph *graph, const struct optimiser *optimiser)
{
    int n_tensors = graph->n_tensors;
    int64_t elements = 0;
    for (int t = 0; t < n_tensors; t++)
        if (is_updated(&graph->tensors[t]))
            elements += graph->tensors[t].elements;
    if (elements == 0)
        bug("nothing to train");
    graph->params = add_block(graph, TENSOR_PARAM, "params", elements);
    graph->grads = add_block(graph, TENSOR_GRAD, "grads", elements + 2);
    move_parameters(graph, n_tensors);
    int gradients = graph_view(graph, graph->grads, 0, "grads.params", 1, &elements);
    int m = NO_TENSOR, v = NO_TENSOR, square_sum = NO_TENSOR;
    if (optimiser->kind != OPTIMISER_SGD) {
        m = add_block(graph, TENSOR_STATE, "state.m", elements);
        v = add_block(graph, TENSOR_STATE, "state.v", elements);
        graph->tensors[m].init = graph->tensors[v].init = INIT_ZERO;
    }
    struct op op = {.rows = elements, .optimiser = optimiser->kind, .beta1 = optimiser->beta1, .beta2 = optimiser->beta2,
                    .optimiser_eps = optimiser->eps, .weight_decay = optimiser->weight_decay,
                    .clip_norm = optimiser->clip_norm};
    if (optimiser->clip_norm > 0) {
        square_sum = add_block(graph, TENSOR_ACTIVATION, "grads.square_sum", 1);
        op.kind = OP_SQUARE_SUM;
        add_node(graph, &op, (int[3]){gradients, NO_TENSOR, NO_TENSOR}, (int[3]){square_sum, NO_TENSOR, NO_TENSOR},
                 "gradient norm");
    }
    op.kind = OP_UPDATE;
    add_node(graph, &op, (int[3]){gradients, graph->loss_sums, square_sum}, (int[3]){graph->params, m, v}, "update");
}
