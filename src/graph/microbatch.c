#include "graph/microbatch.h"

#include <string.h>

#include "base/status.h"
#include "graph/shape.h"

struct copying {
    const struct graph *from;
    struct graph *to;
    int n;
    int64_t samples;
    int *tensor; /* [n][from->n_tensors] number in `to`, or NO_TENSOR */
    int *origin; /* of the nodes of `to` */
};

static int is_common(const struct graph *graph, int t)
{
    enum tensor_role role = graph->tensors[graph_root(graph, t)].role;
    return role == TENSOR_PARAM || role == TENSOR_CONST;
}

static int *place_of(struct copying *copying, int t, int m)
{
    return &copying->tensor[(size_t)m * (size_t)copying->from->n_tensors + (size_t)t];
}

/* The tensor of micro-batch m that stands for `t`. */
static int copy_tensor(struct copying *copying, int t, int m)
{
    if (t == NO_TENSOR)
        return NO_TENSOR;
    if (is_common(copying->from, t))
        m = 0;
    if (*place_of(copying, t, m) != NO_TENSOR)
        return *place_of(copying, t, m);
    struct tensor tensor = copying->from->tensors[t];
    struct arena *arena = copying->to->arena;
    const char *name = m ? arena_printf(arena, "%s.%d", tensor.name, m) : tensor.name;
    int base = copy_tensor(copying, tensor.base, m);
    int copy = base == NO_TENSOR ? graph_tensor(copying->to, tensor.role, name, tensor.n_dims, tensor.dims)
                                 : graph_view(copying->to, base, tensor.offset, name, tensor.n_dims, tensor.dims);
    struct tensor *made = &copying->to->tensors[copy];
    made->trainable = tensor.trainable;
    made->init = tensor.init;
    made->init_scale = tensor.init_scale;
    made->init_place = tensor.init_place;
    made->values = tensor.values;
    *place_of(copying, t, m) = copy;
    return copy;
}

static void copy_node(struct copying *copying, int i, int m)
{
    const struct node *node = &copying->from->nodes[i];
    int in[OP_MAX_IN], out[OP_MAX_OUT];
    for (int k = 0; k < OP_MAX_IN; k++)
        in[k] = copy_tensor(copying, node->in[k], m);
    for (int k = 0; k < OP_MAX_OUT; k++)
        out[k] = copy_tensor(copying, node->out[k], m);
    struct op op = node->op;
    op.first_sample = m * copying->samples;
    const char *name = m ? arena_printf(copying->to->arena, "%s.%d", node->name, m) : node->name;
    copying->origin[copying->to->n_nodes] = i;
    graph_node(copying->to, &op, in, out, node->phase, node->block, name);
}

static int last_writer(const struct graph *graph, int t)
{
    int last = -1;
    for (int i = 0; i < graph->n_nodes; i++)
        for (int k = 0; k < OP_MAX_OUT; k++)
            if (graph->nodes[i].out[k] == t)
                last = i;
    return last;
}

/* first += that of every other micro-batch, in order. */
static void add_up(struct copying *copying, int t)
{
    int writer = last_writer(copying->from, t);
    if (writer < 0)
        bug("nothing writes %s", copying->from->tensors[t].name);
    for (int m = 1; m < copying->n; m++) {
        int sum = copy_tensor(copying, t, 0), part = copy_tensor(copying, t, m);
        const struct op op = {.kind = OP_ADD, .rows = copying->from->tensors[t].elements};
        struct operands operands = operands_of(2, (const int[]){sum, part}, 1, &sum);
        copying->origin[copying->to->n_nodes] = writer;
        graph_node(copying->to, &op, operands.in, operands.out, PHASE_BACKWARD, copying->from->nodes[writer].block,
                   arena_printf(copying->to->arena, "%s.add.%d", copying->from->tensors[t].name, m));
    }
}

static int is_trained(const struct tensor *tensor)
{
    return tensor->role == TENSOR_PARAM && tensor->trainable;
}

static int count_additions(const struct graph *graph)
{
    int n = 1; /* the loss sums */
    for (int t = 0; t < graph->n_tensors; t++)
        n += is_trained(&graph->tensors[t]);
    return n;
}

static void copy_stages(struct copying *copying, const int *stage)
{
    const struct graph *from = copying->from;
    for (int first = 0, end; first < from->n_nodes; first = end) {
        for (end = first; end < from->n_nodes && stage[end] == stage[first]; end++)
            continue;
        for (int m = 0; m < copying->n; m++)
            for (int i = first; i < end; i++)
                copy_node(copying, i, m);
    }
}

int *graph_microbatches(const struct graph *from, int n, int64_t samples, const int *stage, struct arena *arena,
                        struct graph *to)
{
    if (from->params != NO_TENSOR)
        bug("micro-batches of a graph that has its optimiser already");
    graph_init(to, arena);
    struct copying copying = {.from = from, .to = to, .n = n, .samples = samples};
    copying.tensor = arena_array(arena, (size_t)n * (size_t)from->n_tensors, sizeof *copying.tensor);
    for (int i = 0; i < n * from->n_tensors; i++)
        copying.tensor[i] = NO_TENSOR;
    copying.origin =
        arena_array(arena, (size_t)n * (size_t)(from->n_nodes + count_additions(from)) + 1, sizeof *copying.origin);
    copy_stages(&copying, stage);
    for (int t = 0; t < from->n_tensors; t++) {
        const struct tensor *tensor = &from->tensors[t];
        if (is_trained(tensor) && tensor->grad != NO_TENSOR) {
            add_up(&copying, tensor->grad);
            to->tensors[copy_tensor(&copying, t, 0)].grad = copy_tensor(&copying, tensor->grad, 0);
        }
    }
    if (from->loss_sums != NO_TENSOR) {
        add_up(&copying, from->loss_sums);
        to->loss_sums = copy_tensor(&copying, from->loss_sums, 0);
    }
    return copying.origin;
}
