#include <string.h>

#include "base/status.h"
#include "graph/graph.h"

/* What one UPDATE works on. */
struct block {
    int params, grads; /* trainable parameters side by side, and their gradients */
    int square_sum;
    int64_t elements;
};

static int is_trained(const struct tensor *tensor)
{
    return tensor->role == TENSOR_PARAM && tensor->trainable;
}

static const char *numbered(struct graph *graph, const char *name, int number)
{
    return number ? arena_printf(graph->arena, "%s.%d", name, number) : name;
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

static int64_t group_elements(const struct graph *graph, const int *group, int g)
{
    int64_t elements = 0;
    for (int t = 0; t < graph->n_tensors; t++)
        if (is_trained(&graph->tensors[t]) && (!group || group[t] == g))
            elements += graph->tensors[t].elements;
    return elements;
}

/* Lays a group's parameters and gradients side by side in two blocks, with room for `extra` elements behind the
 * gradients. `group` covers the first n_tensors tensors; NULL: all are of this group. */
static struct block gather_block(struct graph *graph, const int *group, int n_tensors, int g, int64_t extra)
{
    struct block block = {.square_sum = NO_TENSOR, .elements = group_elements(graph, group, g)};
    int64_t offset = 0;
    if (!block.elements)
        bug("nothing to train in group %d", g);
    block.params = flat_tensor(graph, TENSOR_PARAM, numbered(graph, "params", g), block.elements);
    graph->tensors[block.params].is_block = 1;
    block.grads = flat_tensor(graph, TENSOR_GRAD, numbered(graph, "grads", g), block.elements + extra);
    for (int t = 0; t < n_tensors; t++) {
        if (!is_trained(&graph->tensors[t]) || (group && group[t] != g))
            continue;
        if (graph->tensors[t].grad == NO_TENSOR)
            bug("parameter %s has no gradient: it takes no part in the loss", graph->tensors[t].name);
        make_part(graph, t, block.params, offset);
        make_part(graph, graph->tensors[t].grad, block.grads, offset);
        offset += graph->tensors[t].elements;
    }
    return block;
}

static int grads_of_params(struct graph *graph, const struct block *block, int g)
{
    return graph_view(graph, block->grads, 0, numbered(graph, "grads.of_params", g), 1, &block->elements);
}

static int add_square_sum(struct graph *graph, int grads, int64_t elements, int g)
{
    int sum = flat_tensor(graph, TENSOR_ACTIVATION, numbered(graph, "grads.square_sum", g), 1);
    const struct op op = {.kind = OP_SQUARE_SUM, .rows = elements};
    struct operands operands = operands_of(1, &grads, 1, &sum);
    graph_node(graph, &op, operands.in, operands.out, PHASE_UPDATE, -1, "square_sum");
    return sum;
}

/* Elements first .. first + n - 1 of a block. */
static void add_piece(struct graph *graph, const struct optimiser *optimiser, const struct block *block, int grads,
                      const char *suffix, int64_t first, int64_t n)
{
    int moments = optimiser->kind != OPTIMISER_SGD, params = block->params;
    struct arena *arena = graph->arena;
    int m = moments ? state_tensor(graph, arena_printf(arena, "optimiser.m%s", suffix), n) : NO_TENSOR;
    int v = moments ? state_tensor(graph, arena_printf(arena, "optimiser.v%s", suffix), n) : NO_TENSOR;
    if (n < block->elements) {
        grads = graph_view(graph, grads, first, arena_printf(arena, "grads.piece%s", suffix), 1, &n);
        params = graph_view(graph, params, first, arena_printf(arena, "params.piece%s", suffix), 1, &n);
        graph->tensors[params].is_block = 1;
    }
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
    struct operands operands =
        operands_of(3, (const int[]){grads, graph->loss_sums, block->square_sum}, 3, (const int[]){params, m, v});
    graph_node(graph, &op, operands.in, operands.out, PHASE_UPDATE, -1, "update");
}

static int64_t count_pieces(int64_t piece, const struct block *block)
{
    return piece > 0 ? (block->elements + piece - 1) / piece : 1;
}

static void add_update(struct graph *graph, const struct optimiser *optimiser, const struct block *block, int grads,
                       int g, int64_t piece)
{
    const char *suffix = numbered(graph, "", g);
    int64_t pieces = count_pieces(piece, block);
    for (int64_t i = 0; i < pieces; i++) {
        int64_t first = block->elements * i / pieces, end = block->elements * (i + 1) / pieces;
        const char *name = pieces > 1 ? arena_printf(graph->arena, "%s.%lld", suffix, (long long)i) : suffix;
        add_piece(graph, optimiser, block, grads, name, first, end - first);
    }
}

static void refuse_second(const struct graph *graph)
{
    if (graph->params != NO_TENSOR)
        bug("the graph has an optimiser already");
}

void graph_add_update(struct graph *graph, const struct optimiser *optimiser)
{
    refuse_second(graph);
    struct block block = gather_block(graph, NULL, graph->n_tensors, 0, 2);
    make_part(graph, graph->loss_sums, block.grads, block.elements);
    graph->params = block.params;
    graph->grads = block.grads;
    int grads = grads_of_params(graph, &block, 0);
    if (optimiser->clip_norm > 0)
        block.square_sum = add_square_sum(graph, grads, block.elements, 0);
    add_update(graph, optimiser, &block, grads, 0, 0);
}

/* Square sums of all groups, added in their order: the same for every group. */
static void add_total_square_sum(struct graph *graph, struct block *blocks, const int *grads, int n_groups, int **mark)
{
    for (int g = 0; g < n_groups; g++) {
        blocks[g].square_sum = add_square_sum(graph, grads[g], blocks[g].elements, g);
        *(*mark)++ = g;
    }
    int total = blocks[0].square_sum;
    for (int g = 1; g < n_groups; g++) {
        const struct op op = {.kind = OP_ADD, .rows = 1};
        int sum = flat_tensor(graph, TENSOR_ACTIVATION, numbered(graph, "grads.square_total", g), 1);
        struct operands operands = operands_of(2, (const int[]){total, blocks[g].square_sum}, 1, &sum);
        graph_node(graph, &op, operands.in, operands.out, PHASE_UPDATE, -1, "square_sum.add");
        *(*mark)++ = 0;
        total = sum;
    }
    for (int g = 0; g < n_groups; g++)
        blocks[g].square_sum = total;
}

void graph_add_updates(struct graph *graph, const struct optimiser *optimiser, const int *group, int n_groups,
                       int64_t piece, int **node_group)
{
    refuse_second(graph);
    int n = graph->n_tensors;
    struct block *blocks = arena_array(graph->arena, (size_t)n_groups, sizeof *blocks);
    int *grads = arena_array(graph->arena, (size_t)n_groups, sizeof *grads);
    size_t n_nodes = 2 * (size_t)n_groups;
    for (int g = 0; g < n_groups; g++) {
        blocks[g] = gather_block(graph, group, n, g, 0);
        grads[g] = grads_of_params(graph, &blocks[g], g);
        n_nodes += (size_t)count_pieces(piece, &blocks[g]);
    }
    int *mark = *node_group = arena_array(graph->arena, n_nodes, sizeof *mark);
    graph->params = blocks[0].params;
    if (optimiser->clip_norm > 0)
        add_total_square_sum(graph, blocks, grads, n_groups, &mark);
    for (int g = 0; g < n_groups; g++) {
        add_update(graph, optimiser, &blocks[g], grads[g], g, piece);
        for (int64_t i = 0; i < count_pieces(piece, &blocks[g]); i++)
            *mark++ = g;
    }
}
