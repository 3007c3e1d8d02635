#include "model/intrinsic.h"

#include <string.h>

#include "kernel/fastfood.h"

enum { WHOLE_MODEL = -1 };

/* One block: the parameters of the model's layers, or of one of them. */
struct block {
    int layer; /* or WHOLE_MODEL */
    int64_t elements;
    int theta0, theta;
};

struct adapter {
    struct graph *graph;
    enum intrinsic_kind kind;
    int n_tensors; /* of the model as it was built */
    struct block *blocks;
    int n_blocks;
    int *layer_of;   /* [n_tensors] transformer block that uses it, or -1 */
    int *block_of;   /* [n_tensors] number of its block, or -1 */
    int *adapted_of; /* [n_tensors] the part of theta that stands for it */
    int theta_d;
};

static void find_layers(struct adapter *adapter)
{
    const struct graph *graph = adapter->graph;
    for (int t = 0; t < adapter->n_tensors; t++)
        adapter->layer_of[t] = -1;
    for (int n = 0; n < graph->n_nodes; n++)
        for (int i = 0; i < OP_MAX_IN; i++)
            if (graph->nodes[n].in[i] != NO_TENSOR)
                adapter->layer_of[graph->nodes[n].in[i]] = graph->nodes[n].block;
}

static int is_adapted(const struct adapter *adapter, int t)
{
    const struct tensor *tensor = &adapter->graph->tensors[t];
    return tensor->role == TENSOR_PARAM && tensor->base == NO_TENSOR && adapter->layer_of[t] >= 0;
}

static struct block *find_block(struct adapter *adapter, int layer)
{
    for (int b = 0; b < adapter->n_blocks; b++)
        if (adapter->blocks[b].layer == layer)
            return &adapter->blocks[b];
    struct block *block = &adapter->blocks[adapter->n_blocks++];
    block->layer = layer;
    return block;
}

/* Which parameter goes where, in order of creation. */
static void group_params(struct adapter *adapter)
{
    const struct graph *graph = adapter->graph;
    for (int t = 0; t < adapter->n_tensors; t++) {
        adapter->block_of[t] = -1;
        if (!is_adapted(adapter, t))
            continue;
        int layer = adapter->kind == INTRINSIC_ALL ? WHOLE_MODEL : adapter->layer_of[t];
        struct block *block = find_block(adapter, layer);
        adapter->block_of[t] = (int)(block - adapter->blocks);
        block->elements += graph->tensors[t].elements;
    }
    if (adapter->n_blocks == 0)
        bug("the model has no layers with parameters");
}

static enum status check_dim(const struct adapter *adapter, int64_t dim, struct fault *fault)
{
    int64_t scales = adapter->kind == INTRINSIC_LAYERS ? adapter->n_blocks : 0, most = adapter->blocks[0].elements;
    for (int b = 1; b < adapter->n_blocks; b++)
        most = adapter->blocks[b].elements < most ? adapter->blocks[b].elements : most;
    if (dim > scales && dim - scales <= most)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE,
                     "train.intrinsic_dim: expected a whole number from %lld to %lld%s, found %lld",
                     (long long)scales + 1, (long long)scales + most,
                     scales ? " (one for each layer's scale, the rest for one layer's parameters)"
                            : " (the parameters of the layers)",
                     (long long)dim);
}

static int named(const struct adapter *adapter, const struct block *block, enum tensor_role role, const char *name,
                 int64_t elements)
{
    struct arena *arena = adapter->graph->arena;
    const char *full = block->layer == WHOLE_MODEL ? name : arena_printf(arena, "layers.%d.%s", block->layer, name);
    return graph_tensor(adapter->graph, role, full, 1, &elements);
}

static int trained(struct graph *graph, int t, enum init_kind init)
{
    graph->tensors[t].trainable = 1;
    graph->tensors[t].init = init;
    return t;
}

/* The parameters as parts of theta0, and the same parts of theta. */
static void make_parts(struct adapter *adapter, int number)
{
    struct graph *graph = adapter->graph;
    struct block *block = &adapter->blocks[number];
    int64_t offset = 0;
    block->theta0 = named(adapter, block, TENSOR_PARAM, "theta0", block->elements);
    graph->tensors[block->theta0].is_block = 1;
    block->theta = named(adapter, block, TENSOR_ACTIVATION, "theta", block->elements);
    for (int t = 0; t < adapter->n_tensors; t++) {
        if (adapter->block_of[t] != number)
            continue;
        const struct tensor param = graph->tensors[t];
        adapter->adapted_of[t] =
            graph_view(graph, block->theta, offset, arena_printf(graph->arena, "%s.adapted", param.name), param.n_dims,
                       param.dims);
        graph->tensors[t].trainable = 0;
        graph->tensors[t].base = block->theta0;
        graph->tensors[t].offset = offset;
        offset += param.elements;
    }
}

/* The nodes use theta; returns the first that does. */
static int use_parts(struct adapter *adapter, int number)
{
    struct graph *graph = adapter->graph;
    int first = graph->n_nodes;
    for (int n = graph->n_nodes - 1; n >= 0; n--)
        for (int i = 0; i < OP_MAX_IN; i++) {
            int *operand = &graph->nodes[n].in[i];
            if (*operand == NO_TENSOR || *operand >= adapter->n_tensors || adapter->block_of[*operand] != number)
                continue;
            *operand = adapter->adapted_of[*operand];
            first = n;
        }
    return first;
}

/* Moves the last node before node `to`. */
static void move_last_node(struct graph *graph, int to)
{
    struct node last = graph->nodes[graph->n_nodes - 1];
    memmove(&graph->nodes[to + 1], &graph->nodes[to], (size_t)(graph->n_nodes - 1 - to) * sizeof last);
    graph->nodes[to] = last;
}

static void add_projection(struct adapter *adapter, int number)
{
    struct graph *graph = adapter->graph;
    make_parts(adapter, number);
    const struct block *block = &adapter->blocks[number];
    uint32_t place = block->layer == WHOLE_MODEL ? 0 : 1 + (uint32_t)block->layer;
    size_t elements = (size_t)block->elements;
    int scale = adapter->kind == INTRINSIC_ALL
                    ? NO_TENSOR
                    : trained(graph, named(adapter, block, TENSOR_PARAM, "scale", 1), INIT_ONE);
    int table = named(adapter, block, TENSOR_CONST, "theta.table", (int64_t)fastfood_table_elements(elements));
    int work = named(adapter, block, TENSOR_ACTIVATION, "theta.work", (int64_t)fastfood_length(elements));
    graph->tensors[table].init = INIT_FASTFOOD;
    graph->tensors[table].init_scale = (double)block->elements;
    graph->tensors[table].init_place = place;
    struct op op = {
        .kind = OP_FASTFOOD, .in = graph->tensors[adapter->theta_d].elements, .out = block->elements, .site = place};
    int in[OP_MAX_IN], out[OP_MAX_OUT];
    for (int i = 0; i < OP_MAX_IN; i++)
        in[i] = NO_TENSOR;
    for (int o = 0; o < OP_MAX_OUT; o++)
        out[o] = NO_TENSOR;
    in[0] = adapter->theta_d, in[1] = block->theta0, in[2] = scale, in[3] = table;
    out[0] = block->theta, out[1] = work;
    int first = use_parts(adapter, number);
    graph_node(graph, &op, in, out, PHASE_FORWARD, block->layer == WHOLE_MODEL ? -1 : block->layer,
               graph->tensors[block->theta].name);
    move_last_node(graph, first);
}

enum status intrinsic_apply(struct graph *graph, enum intrinsic_kind kind, int64_t dim, struct fault *fault)
{
    size_t n = (size_t)graph->n_tensors;
    struct adapter adapter = {.graph = graph,
                              .kind = kind,
                              .n_tensors = graph->n_tensors,
                              .blocks = arena_array(graph->arena, n, sizeof *adapter.blocks),
                              .layer_of = arena_array(graph->arena, n, sizeof *adapter.layer_of),
                              .block_of = arena_array(graph->arena, n, sizeof *adapter.block_of),
                              .adapted_of = arena_array(graph->arena, n, sizeof *adapter.adapted_of)};
    find_layers(&adapter);
    group_params(&adapter);
    enum status status = check_dim(&adapter, dim, fault);
    if (status != STATUS_OK)
        return status;
    int64_t length = kind == INTRINSIC_LAYERS ? dim - adapter.n_blocks : dim;
    adapter.theta_d = trained(graph, graph_tensor(graph, TENSOR_PARAM, "theta_d", 1, &length), INIT_ZERO);
    for (int b = 0; b < adapter.n_blocks; b++)
        add_projection(&adapter, b);
    return STATUS_OK;
}
