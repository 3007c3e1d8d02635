#include "graph/autodiff.h"

#include <string.h>

/* Gradients of tensors that do not change values (residual branches, position sums) are shared: one tensor is the gradient of
 * several. Rule of ownership: a contribution may be added into a shared gradient in place only when every other tensor that
 * shares it has already been differentiated (its producer's backward ops, which read it, are emitted and so run earlier);
 * otherwise the sum goes into a new tensor. */

struct sweep {
    struct graph *graph;
    int n;             /* tensors of the forward pass */
    char *needed;      /* [n] something trainable stands above */
    char *done;        /* [n] its producer has been differentiated */
    int *grad;         /* [n] gradient of a tensor that owns memory, or NO_TENSOR */
};

static int root_of(const struct graph *graph, int t)
{
    while (graph->tensors[t].base != NO_TENSOR)
        t = graph->tensors[t].base;
    return t;
}

static int is_needed(const struct sweep *sweep, int t)
{
    return t != NO_TENSOR && sweep->needed[root_of(sweep->graph, t)];
}

static void find_needed(struct sweep *sweep)
{
    const struct graph *graph = sweep->graph;
    for (int t = 0; t < sweep->n; t++)
        sweep->needed[t] = graph->tensors[t].role == TENSOR_PARAM && graph->tensors[t].trainable;
    for (int i = 0; i < graph->n_nodes; i++) {
        int needed = 0;
        for (int k = 0; k < OP_MAX_IN; k++)
            needed |= is_needed(sweep, graph->nodes[i].in[k]);
        if (needed && graph->nodes[i].out[0] != NO_TENSOR)
            sweep->needed[root_of(graph, graph->nodes[i].out[0])] = 1;
    }
}

static int new_gradient(struct sweep *sweep, int t)
{
    struct graph *graph = sweep->graph;
    const struct tensor like = graph->tensors[t];
    int role = like.role == TENSOR_PARAM ? TENSOR_GRAD : TENSOR_ACTIVATION;
    const char *name = arena_printf(graph->arena, "grad.%s", like.name);
    return graph_tensor(graph, (enum tensor_role)role, name, like.n_dims, like.dims);
}

static int gradient_of(const struct sweep *sweep, int t)
{
    return sweep->grad[root_of(sweep->graph, t)];
}

/* May `root`'s gradient be written in place? */
static int owns_gradient(const struct sweep *sweep, int root)
{
    for (int t = 0; t < sweep->n; t++)
        if (t != root && !sweep->done[t] && sweep->grad[t] == sweep->grad[root])
            return 0;
    return 1;
}

static struct node *emit(struct sweep *sweep, const struct node *of, const struct op *op, const int *in, int n_in,
                         const int *out, int n_out)
{
    int all_in[OP_MAX_IN], all_out[OP_MAX_OUT];
    for (int i = 0; i < OP_MAX_IN; i++)
        all_in[i] = i < n_in ? in[i] : NO_TENSOR;
    for (int i = 0; i < OP_MAX_OUT; i++)
        all_out[i] = i < n_out ? out[i] : NO_TENSOR;
    return graph_node(sweep->graph, op, all_in, all_out, PHASE_BACKWARD, of->block, of->name);
}

/* `gradient`, which may be shared, is one more part of the gradient of t. */
static void contribute(struct sweep *sweep, const struct node *of, int t, int gradient)
{
    int root = root_of(sweep->graph, t), have = sweep->grad[root];
    if (have == NO_TENSOR) {
        sweep->grad[root] = gradient;
        return;
    }
    struct op op = {.kind = OP_ADD, .rows = sweep->graph->tensors[root].elements};
    int in[] = {have, gradient}, out[] = {owns_gradient(sweep, root) ? have : new_gradient(sweep, root)};
    emit(sweep, of, &op, in, 2, out, 1);
    sweep->grad[root] = out[0];
}

/* Where an op that can accumulate writes its part of the gradient of t: into what is there already, or into a new tensor that
 * finish_target then hands to contribute. */
static int open_target(struct sweep *sweep, int t, int *accumulate)
{
    int root = root_of(sweep->graph, t);
    *accumulate = sweep->grad[root] != NO_TENSOR && owns_gradient(sweep, root);
    return *accumulate ? sweep->grad[root] : new_gradient(sweep, root);
}

static void finish_target(struct sweep *sweep, const struct node *of, int t, int target, int accumulate)
{
    if (!accumulate)
        contribute(sweep, of, t, target);
}

static int parameter_gradient(struct sweep *sweep, int t)
{
    struct graph *graph = sweep->graph;
    if (t == NO_TENSOR || !graph->tensors[t].trainable)
        return NO_TENSOR;
    if (graph->tensors[t].grad != NO_TENSOR)
        bug("parameter %s is used twice", graph->tensors[t].name);
    int gradient = new_gradient(sweep, t);
    graph->tensors[t].grad = gradient;
    return gradient;
}

static int activation_backward(struct sweep *sweep, const struct node *node, int dy)
{
    if (node->op.act == ACT_NONE)
        return dy;
    int y = node->out[0], root = root_of(sweep->graph, y);
    struct op op = {.kind = OP_ACT_BWD, .rows = node->op.rows, .out = node->op.out, .act = node->op.act};
    int in[] = {dy, node->op.act == ACT_GELU ? node->out[1] : y};
    int out[] = {owns_gradient(sweep, root) ? dy : new_gradient(sweep, root)};
    emit(sweep, node, &op, in, 2, out, 1);
    return out[0];
}

static void linear_backward(struct sweep *sweep, const struct node *node, int dy)
{
    int x = node->in[0], w = node->in[1], b = node->in[2];
    int dz = activation_backward(sweep, node, dy);
    struct op op = {.rows = node->op.rows, .in = node->op.in, .out = node->op.out};
    if (is_needed(sweep, x)) {
        int in[] = {dz, w}, out[] = {open_target(sweep, x, &op.accumulate)};
        op.kind = OP_LINEAR_DX;
        emit(sweep, node, &op, in, 2, out, 1);
        finish_target(sweep, node, x, out[0], op.accumulate);
    }
    int in[] = {dz, x}, out[] = {parameter_gradient(sweep, w), parameter_gradient(sweep, b)};
    op.kind = OP_LINEAR_DW;
    op.accumulate = 0;
    if (out[0] != NO_TENSOR)
        emit(sweep, node, &op, in, 2, out, 2);
    else if (out[1] != NO_TENSOR)
        bug("%s: a trainable bias of a frozen weight", node->name);
}

static void attention_backward(struct sweep *sweep, const struct node *node, int dy)
{
    struct op op = node->op;
    op.kind = OP_ATTENTION_BWD;
    int in[] = {dy, node->in[0], node->in[1], node->in[2], node->out[1]}, out[3] = {NO_TENSOR, NO_TENSOR, NO_TENSOR};
    int n = op.packed ? 1 : 3;
    for (int i = 0; i < n; i++)
        out[i] = new_gradient(sweep, root_of(sweep->graph, node->in[i]));
    emit(sweep, node, &op, in, 5, out, n);
    for (int i = 0; i < n; i++)
        if (is_needed(sweep, node->in[i]))
            contribute(sweep, node, node->in[i], out[i]);
}

/* ds is the gradient of both summands; with dropout the second one's is masked and a tensor of its own. */
static void norm_backward(struct sweep *sweep, const struct node *node, int dy)
{
    int x = node->in[0], u = node->in[1];
    struct op op = node->op;
    op.kind = OP_NORM_BWD;
    op.accumulate = 0;
    int has_own_du = u != NO_TENSOR && op.dropout > 0;
    int in[] = {dy, u == NO_TENSOR ? x : node->out[1], node->out[2], node->in[2]};
    int out[] = {new_gradient(sweep, root_of(sweep->graph, x)), has_own_du ? new_gradient(sweep, root_of(sweep->graph, u)) : NO_TENSOR,
                 parameter_gradient(sweep, node->in[2]), parameter_gradient(sweep, node->in[3])};
    emit(sweep, node, &op, in, 4, out, 4);
    if (is_needed(sweep, x))
        contribute(sweep, node, x, out[0]);
    if (is_needed(sweep, u))
        contribute(sweep, node, u, has_own_du ? out[1] : out[0]);
}

static void concat_backward(struct sweep *sweep, const struct node *node, int dc)
{
    struct op op = {.kind = OP_SPLIT, .rows = node->op.rows, .in = node->op.in, .out = node->op.out};
    int in[] = {dc}, out[2] = {NO_TENSOR, NO_TENSOR};
    for (int i = 0; i < 2; i++)
        if (is_needed(sweep, node->in[i]))
            out[i] = new_gradient(sweep, root_of(sweep->graph, node->in[i]));
    emit(sweep, node, &op, in, 1, out, 2);
    for (int i = 0; i < 2; i++)
        if (out[i] != NO_TENSOR)
            contribute(sweep, node, node->in[i], out[i]);
}

static void node_backward(struct sweep *sweep, const struct node *node)
{
    int dy = gradient_of(sweep, node->out[0]);
    if (dy == NO_TENSOR)
        return; /* nothing that the loss depends on, or nothing trainable above */
    sweep->done[root_of(sweep->graph, node->out[0])] = 1;
    switch (node->op.kind) {
    case OP_LINEAR:
        linear_backward(sweep, node, dy);
        break;
    case OP_ATTENTION:
        attention_backward(sweep, node, dy);
        break;
    case OP_NORM:
        norm_backward(sweep, node, dy);
        break;
    case OP_CONCAT:
        concat_backward(sweep, node, dy);
        break;
    case OP_ADD:
        for (int i = 0; i < 2; i++)
            if (is_needed(sweep, node->in[i]))
                contribute(sweep, node, node->in[i], dy);
        break;
    case OP_ADD_POS:
    case OP_ADD_LAST:
        if (is_needed(sweep, node->in[0]))
            contribute(sweep, node, node->in[0], dy);
        break;
    default:
        bug("no backward rule for %s", op_name(node->op.kind));
    }
}

void autodiff(struct graph *graph)
{
    struct sweep sweep = {.graph = graph, .n = graph->n_tensors};
    size_t n = (size_t)graph->n_tensors;
    sweep.needed = arena_take(graph->arena, n);
    sweep.done = arena_take(graph->arena, n);
    sweep.grad = arena_array(graph->arena, n, sizeof *sweep.grad);
    for (int t = 0; t < sweep.n; t++)
        sweep.grad[t] = NO_TENSOR;
    find_needed(&sweep);
    int n_losses = 0;
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        struct node node = graph->nodes[i]; /* by value: emitting moves the list */
        if (node.op.kind == OP_LOSS) {
            if (n_losses++ || node.out[1] == NO_TENSOR)
                bug("the graph needs exactly one loss with a gradient");
            if (is_needed(&sweep, node.in[0]))
                contribute(&sweep, &node, node.in[0], node.out[1]);
        } else if (node.op.kind != OP_LOAD && node.op.kind != OP_METRIC) {
            node_backward(&sweep, &node);
        }
    }
    if (n_losses != 1)
        bug("the graph has no loss");
}
