#include "scheduler/place.h"

#include <string.h>

#include "base/status.h"

struct crew place_posts(const struct machine *machine, const char *kind, struct arena *arena)
{
    size_t room = (size_t)machine->n_devices;
    struct crew crew = {.device = arena_array(arena, room, sizeof *crew.device),
                        .left = arena_array(arena, room, sizeof *crew.left)};
    for (int d = 0; d < machine->n_devices; d++) {
        if (strcmp(machine->specs[d].kind, kind) != 0)
            continue;
        crew.device[crew.n++] = machine->lost[d] ? -1 : d;
        if (!machine->lost[d])
            crew.left[crew.n_left++] = d;
    }
    return crew;
}

struct crew place_crew(const struct machine *machine, const char *kind, struct arena *arena)
{
    struct crew crew = place_posts(machine, kind, arena);
    return (struct crew){crew.n_left, crew.left, crew.n_left, crew.left};
}

int place_is_frozen_product(const struct graph *graph, const struct node *node)
{
    if (node->op.kind != OP_LINEAR && node->op.kind != OP_LINEAR_DX)
        return 0;
    const struct tensor *weight = &graph->tensors[graph_root(graph, node->in[1])];
    return node->block >= 0 && weight->role == TENSOR_PARAM && !weight->trainable && !weight->is_block;
}

static void append_with_sum(struct graph *graph, const struct node *node)
{
    struct tensor like = graph->tensors[node->out[0]];
    int part = graph_tensor(graph, TENSOR_ACTIVATION, arena_printf(graph->arena, "%s.part", node->name), like.n_dims,
                            like.dims);
    struct operands operands = no_operands();
    memcpy(operands.in, node->in, sizeof operands.in);
    operands.out[0] = part;
    struct op op = node->op;
    op.accumulate = 0;
    graph_node(graph, &op, operands.in, operands.out, node->phase, node->block, node->name);
    const struct op add = {.kind = OP_ADD, .rows = like.elements};
    operands = operands_of(2, (const int[]){node->out[0], part}, 1, &node->out[0]);
    graph_node(graph, &add, operands.in, operands.out, node->phase, node->block,
               arena_printf(graph->arena, "%s.add", node->name));
}

static int has_views(const struct graph *graph, int t)
{
    for (int v = 0; v < graph->n_tensors; v++)
        if (graph->tensors[v].base == t)
            return 1;
    return graph->tensors[t].base != NO_TENSOR;
}

/* Every use of `old` from node `first` on. */
static void rename_uses(struct graph *graph, int first, int old, int new)
{
    for (int i = first; i < graph->n_nodes; i++) {
        for (int k = 0; k < OP_MAX_IN; k++)
            if (graph->nodes[i].in[k] == old)
                graph->nodes[i].in[k] = new;
        for (int o = 0; o < OP_MAX_OUT; o++)
            if (graph->nodes[i].out[o] == old)
                graph->nodes[i].out[o] = new;
    }
}

void place_rename_overwritten(struct graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        int old = graph->nodes[i].in[0];
        if (graph->nodes[i].op.kind != OP_ACT_BWD || graph->nodes[i].out[0] != old || has_views(graph, old))
            continue;
        struct tensor like = graph->tensors[old];
        int new =
            graph_tensor(graph, like.role, arena_printf(graph->arena, "%s.act", like.name), like.n_dims, like.dims);
        graph->nodes[i].out[0] = new;
        rename_uses(graph, i + 1, old, new);
    }
}

void place_separate_sums(struct graph *graph)
{
    const struct node *nodes = graph->nodes;
    int n = graph->n_nodes;
    graph->nodes = NULL;
    graph->n_nodes = 0;
    for (int i = 0; i < n; i++) {
        if (place_is_frozen_product(graph, &nodes[i]) && nodes[i].op.accumulate)
            append_with_sum(graph, &nodes[i]);
        else
            graph_node(graph, &nodes[i].op, nodes[i].in, nodes[i].out, nodes[i].phase, nodes[i].block, nodes[i].name);
    }
}

struct placing {
    const struct graph *graph;
    int64_t layers;
    const struct crew *reram, *systolic;
    int *device_of;
    int first_block, last_block; /* nodes */
    int *dealt;                  /* [n_dealt] tensors: matrices of lost devices, in the order in which they are dealt */
    int n_dealt;
};

/* Consecutive blocks to each device. */
static int of_block(const struct placing *placing, const struct crew *crew, int block)
{
    return crew->device[(int64_t)block * crew->n / placing->layers];
}

static int is_same_place(const struct graph *graph, int a, int b)
{
    return graph_root(graph, a) == graph_root(graph, b) && graph_offset(graph, a) == graph_offset(graph, b);
}

/* A matrix without a device: the next one that is left takes it, and keeps it. */
static int deal(struct placing *placing, int matrix)
{
    int k = 0;
    while (k < placing->n_dealt && !is_same_place(placing->graph, placing->dealt[k], matrix))
        k++;
    if (k == placing->n_dealt)
        placing->dealt[placing->n_dealt++] = matrix;
    return placing->reram->left[k % placing->reram->n_left];
}

/* A part of a matrix (a view of some of its rows) goes to another device than the parts before it. */
static int of_matrix(struct placing *placing, const struct node *node)
{
    const struct graph *graph = placing->graph;
    const struct crew *crew = placing->reram;
    int root = graph_root(graph, node->in[1]);
    int64_t offset = graph_offset(graph, node->in[1]);
    int64_t first = (int64_t)node->block * crew->n / placing->layers;
    int device = crew->device[(first + offset * crew->n / graph->tensors[root].elements) % crew->n];
    return device >= 0 ? device : deal(placing, node->in[1]);
}

static int maker_of(const struct placing *placing, int t, int before, int *output)
{
    for (int i = before - 1; i >= 0; i--)
        for (int o = 0; o < OP_MAX_OUT; o++)
            if (placing->graph->nodes[i].out[o] == t) {
                *output = o;
                return i;
            }
    bug("nothing makes %s", placing->graph->tensors[t].name);
}

static int of_attention(const struct placing *placing, const struct node *node, int i)
{
    int output;
    if (node->op.kind == OP_ATTENTION_BWD)
        return placing->device_of[maker_of(placing, node->in[4], i, &output)];
    int maker = maker_of(placing, node->in[0], i, &output);
    if (placing->graph->nodes[maker].op.kind == OP_SPLIT_HEADS)
        return placing->systolic->device[output % placing->systolic->n];
    return of_block(placing, placing->systolic, node->block);
}

/* Before the first block and after the last one, and in the backward pass the other way round. */
static int of_ends(const struct placing *placing, const struct node *node, int i)
{
    int before = i < placing->first_block || (i > placing->last_block && node->phase == PHASE_BACKWARD);
    return placing->systolic->device[before ? 0 : placing->systolic->n - 1];
}

static int of_node(struct placing *placing, int i)
{
    const struct node *node = &placing->graph->nodes[i];
    if (place_is_frozen_product(placing->graph, node))
        return of_matrix(placing, node);
    if (node->op.kind == OP_ATTENTION || node->op.kind == OP_ATTENTION_BWD)
        return of_attention(placing, node, i);
    return node->block >= 0 ? of_block(placing, placing->systolic, node->block) : of_ends(placing, node, i);
}

int *place_low(const struct graph *graph, int64_t layers, const struct crew *reram, const struct crew *systolic,
               struct arena *arena)
{
    struct placing placing = {.graph = graph,
                              .layers = layers,
                              .reram = reram,
                              .systolic = systolic,
                              .device_of = arena_array(arena, (size_t)graph->n_nodes + 1, sizeof *placing.device_of),
                              .dealt = arena_array(arena, (size_t)graph->n_nodes + 1, sizeof *placing.dealt),
                              .first_block = graph->n_nodes,
                              .last_block = -1};
    for (int i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].block >= 0) {
            placing.first_block = i < placing.first_block ? i : placing.first_block;
            placing.last_block = i;
        }
    for (int i = 0; i < graph->n_nodes; i++)
        placing.device_of[i] = of_node(&placing, i);
    return placing.device_of;
}

int *place_stages(const int *device_of, int n_nodes, struct arena *arena)
{
    int *stage = arena_array(arena, (size_t)n_nodes + 1, sizeof *stage);
    for (int i = 1; i < n_nodes; i++)
        stage[i] = stage[i - 1] + (device_of[i] != device_of[i - 1]);
    return stage;
}
