#include "base/status.h"
#include "graph/graph.h"

static int is_trained(const struct tensor *tensor)
{
    return tensor->role == TENSOR_PARAM && tensor->trainable;
}

static int flat_tensor(struct graph *graph, enum tensor_role role, const char *name, int64_t elements)
{
    return graph_tensor(graph, role, name, 1, &elements);
}

static int state_tensor(struct graph *graph, const char *name, int64_t elements)
{
    int state = flat_tensor(graph, TENSOR_STATE, name, elements);
    graph->tensors[state].init = INIT_ZERO;
    return state;
}

static void make_part(struct graph *graph, int part, int block, int64_t offset)
{
    struct tensor *tensor = &graph->tensors[part];
    if (tensor->base != NO_TENSOR)
        bug("%s is already a part of %s", tensor->name, graph->tensors[tensor->base].name);
    tensor->base = block;
    tensor->offset = offset;
}

/* Lays parameters and gradients side by side in the two blocks; returns the elements of the parameters. */
static int64_t gather_blocks(struct graph *graph)
{
    int n = graph->n_tensors;
    int64_t elements = graph_param_elements(graph, 1), offset = 0;
    if (!elements)
        bug("nothing to train");
    graph->params = flat_tensor(graph, TENSOR_PARAM, "params", elements);
    graph->grads = flat_tensor(graph, TENSOR_GRAD, "grads", elements + 2);
    for (int t = 0; t < n; t++) {
        if (!is_trained(&graph->tensors[t]))
            continue;
        if (graph->tensors[t].grad == NO_TENSOR)
            bug("parameter %s has no gradient: it takes no part in the loss", graph->tensors[t].name);
        make_part(graph, t, graph->params, offset);
        make_part(graph, graph->tensors[t].grad, graph->grads, offset);
        offset += graph->tensors[t].elements;
    }
    make_part(graph, graph->loss_sums, graph->grads, elements);
    return elements;
}

static int add_square_sum(struct graph *graph, int g, int64_t elements)
{
    int sum = flat_tensor(graph, TENSOR_ACTIVATION, "grads.square_sum", 1);
    const struct op op = {.kind = OP_SQUARE_SUM, .rows = elements};
    const struct operands operands = operands_of(1, (const int[]){g}, 1, (const int[]){sum});
    graph_node(graph, &op, operands.in, operands.out, PHASE_UPDATE, -1, "square_sum");
    return sum;
}

void graph_add_update(struct graph *graph, const struct optimiser *optimiser)
{
    if (graph->params != NO_TENSOR)
        bug("the graph has an optimiser already");
    int64_t n = gather_blocks(graph);
    int g = graph_view(graph, graph->grads, 0, "grads.of_params", 1, &n);
    int square_sum = optimiser->clip_norm > 0 ? add_square_sum(graph, g, n) : NO_TENSOR;
    int moments = optimiser->kind != OPTIMISER_SGD;
    int m = moments ? state_tensor(graph, "optimiser.m", n) : NO_TENSOR;
    int v = moments ? state_tensor(graph, "optimiser.v", n) : NO_TENSOR;
    const struct op op = {
        .kind = OP_UPDATE,
        .rows = n,
        .optimiser = optimiser->kind,
        .beta1 = optimiser->beta1,
        .beta2 = optimiser->beta2,
        .optimiser_eps = optimiser->eps,
        .weight_decay = optimiser->weight_decay,
        .clip_norm = optimiser->clip_norm,
    };
    const struct operands operands =
        operands_of(3, (const int[]){g, graph->loss_sums, square_sum}, 3, (const int[]){graph->params, m, v});
    graph_node(graph, &op, operands.in, operands.out, PHASE_UPDATE, -1, "update");
}
