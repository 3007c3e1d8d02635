/* The backward op of each op, and the walk over the graph in reverse. Which memory a gradient takes: gradient.c. */
#include "graph/autodiff.h"

#include "base/status.h"
#include "graph/autodiff_private.h"

/* Gradient of what the node's activation is applied to; `kept` as ACT_BWD wants it. */
static int through_activation(struct walk *walk, int kept)
{
    const struct node *node = walk->node;
    int dy = gradient_of(walk, node->out[0]), dz = gradient_over(walk);
    struct op op = {.kind = OP_ACT_BWD, .rows = node->op.rows, .out = node->op.out, .act = node->op.act};
    const struct operands operands = operands_of(2, (const int[]){dy, kept}, 1, (const int[]){dz});
    walk_append(walk, &op, &operands, "act bwd");
    return dz;
}

/* Gradient of the linear's product: dy, or dy through the activation. */
static int product_gradient(struct walk *walk)
{
    const struct node *node = walk->node;
    if (node->op.act == ACT_NONE)
        return gradient_of(walk, node->out[0]);
    return through_activation(walk, act_is_gelu(node->op.act) ? node->out[1] : node->out[0]);
}

/* Some rows of a weight. Products with the pieces of a weight may be spread over devices, so each has its own result
 * and the sum follows, in the order of the walk. */
static int is_piece(const struct graph *graph, int t)
{
    return graph->tensors[graph_root(graph, t)].role == TENSOR_PARAM && gradient_is_part(graph, t);
}

/* Weight gradient first: a device can send it while it computes the gradient of the input. */
static void linear_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int x = node->in[0], w = node->in[1], b = node->in[2], dz = product_gradient(walk);
    struct op op = {.rows = node->op.rows, .in = node->op.in, .out = node->op.out, .samples = node->op.samples};
    if (gradient_needed(walk, w) || gradient_needed(walk, b)) {
        int dw = gradient_buffer(walk, w), db = gradient_needed(walk, b) ? gradient_buffer(walk, b) : NO_TENSOR;
        const struct operands operands = operands_of(2, (const int[]){dz, x}, 2, (const int[]){dw, db});
        op.kind = OP_LINEAR_DW;
        op.skip_sums = db == NO_TENSOR;
        walk_append(walk, &op, &operands, "dw");
        if (gradient_needed(walk, w))
            gradient_add(walk, w, dw, 0);
        if (db != NO_TENSOR)
            gradient_add(walk, b, db, 0);
    }
    if (gradient_needed(walk, x)) {
        int dx = is_piece(walk->graph, w) ? gradient_buffer(walk, x) : gradient_begin_sum(walk, x, &op.accumulate);
        const struct operands operands = operands_of(2, (const int[]){dz, w}, 1, (const int[]){dx});
        op.kind = OP_LINEAR_DX;
        op.skip_sums = 0;
        walk_append(walk, &op, &operands, "dx");
        gradient_finish_sum(walk, x, dx, op.accumulate);
    }
}

static void attention_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int n_operands = node->op.packed ? 1 : 3, any = 0;
    for (int i = 0; i < n_operands; i++)
        any = any || gradient_needed(walk, node->in[i]);
    if (!any)
        return;
    struct operands operands = operands_of(
        5, (const int[]){gradient_of(walk, node->out[0]), node->in[0], node->in[1], node->in[2], node->out[1]}, 0,
        NULL);
    for (int i = 0; i < n_operands; i++)
        operands.out[i] = gradient_buffer(walk, node->in[i]);
    struct op op = node->op;
    op.kind = OP_ATTENTION_BWD;
    walk_append(walk, &op, &operands, "bwd");
    for (int i = 0; i < n_operands; i++)
        gradient_add(walk, node->in[i], operands.out[i], 0);
}

/* A norm whose sum s = x + u is used again (a residual stream): what came from its later uses and what comes through
 * the norm are one gradient, and x and u both take it as it is. */
static void norm_of_sum_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int y = node->out[0], s = node->out[1], gamma = node->in[2], beta = node->in[3];
    if (node->op.dropout > 0)
        bug("node %s: the gradient of a sum with dropout is not supported", node->name);
    if (walk->graph->tensors[gradient_whole(walk->graph, y)].grad != NO_TENSOR) {
        struct op op = node->op;
        op.kind = OP_NORM_BWD;
        int ds = gradient_begin_sum(walk, s, &op.accumulate);
        int dgamma = gradient_needed(walk, gamma) ? gradient_buffer(walk, gamma) : NO_TENSOR;
        int dbeta = gradient_needed(walk, beta) ? gradient_buffer(walk, beta) : NO_TENSOR;
        op.skip_sums = dgamma == NO_TENSOR && dbeta == NO_TENSOR;
        const struct operands operands = operands_of(4, (const int[]){gradient_of(walk, y), s, node->out[2], gamma}, 4,
                                                     (const int[]){ds, NO_TENSOR, dgamma, dbeta});
        walk_append(walk, &op, &operands, "bwd");
        if (dgamma != NO_TENSOR)
            gradient_add(walk, gamma, dgamma, 0);
        if (dbeta != NO_TENSOR)
            gradient_add(walk, beta, dbeta, 0);
        gradient_finish_sum(walk, s, ds, op.accumulate);
    }
    for (int i = 0; i < 2; i++)
        if (gradient_needed(walk, node->in[i]))
            gradient_add(walk, node->in[i], gradient_of(walk, s), 1);
}

/* ds is the gradient of x and, without dropout, of u too: then it must hold nothing else, and both take it as it is. */
static void norm_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int x = node->in[0], u = node->in[1], gamma = node->in[2], beta = node->in[3];
    struct op op = node->op;
    op.kind = OP_NORM_BWD;
    if (u != NO_TENSOR && walk->graph->tensors[gradient_whole(walk->graph, node->out[1])].grad != NO_TENSOR) {
        norm_of_sum_bwd(walk);
        return;
    }
    int to_u = gradient_needed(walk, u), masked = to_u && op.dropout > 0;
    int alone = gradient_needed(walk, x) && !to_u;
    int ds = alone ? gradient_begin_sum(walk, x, &op.accumulate)
                   : gradient_buffer(walk, gradient_needed(walk, x) || !to_u ? x : u);
    int du = masked ? gradient_buffer(walk, u) : NO_TENSOR;
    int dgamma = gradient_needed(walk, gamma) ? gradient_buffer(walk, gamma) : NO_TENSOR;
    int dbeta = gradient_needed(walk, beta) ? gradient_buffer(walk, beta) : NO_TENSOR;
    op.skip_sums = dgamma == NO_TENSOR && dbeta == NO_TENSOR;
    const struct operands operands = operands_of(
        4, (const int[]){gradient_of(walk, node->out[0]), u == NO_TENSOR ? x : node->out[1], node->out[2], gamma}, 4,
        (const int[]){ds, du, dgamma, dbeta});
    walk_append(walk, &op, &operands, "bwd");
    if (dgamma != NO_TENSOR)
        gradient_add(walk, gamma, dgamma, 0);
    if (dbeta != NO_TENSOR)
        gradient_add(walk, beta, dbeta, 0);
    if (to_u)
        gradient_add(walk, u, masked ? du : ds, !masked);
    gradient_finish_sum(walk, x, ds, op.accumulate);
}

static void concat_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    struct op op = node->op;
    op.kind = OP_SPLIT;
    struct operands operands = no_operands();
    for (int i = 0; i < 2; i++)
        if (gradient_needed(walk, node->in[i]))
            operands.out[i] = gradient_buffer(walk, node->in[i]);
    if (operands.out[0] == NO_TENSOR && operands.out[1] == NO_TENSOR)
        return;
    operands.in[0] = gradient_of(walk, node->out[0]);
    walk_append(walk, &op, &operands, "bwd");
    for (int i = 0; i < 2; i++)
        if (operands.out[i] != NO_TENSOR)
            gradient_add(walk, node->in[i], operands.out[i], 0);
}

static void split_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    if (!gradient_needed(walk, node->in[0]))
        return;
    struct op op = node->op;
    op.kind = OP_CONCAT;
    struct operands operands = no_operands();
    for (int i = 0; i < 2; i++)
        if (node->out[i] != NO_TENSOR)
            operands.in[i] = gradient_of(walk, node->out[i]);
    operands.out[0] = gradient_buffer(walk, node->in[0]);
    walk_append(walk, &op, &operands, "bwd");
    gradient_add(walk, node->in[0], operands.out[0], 0);
}

static void permute_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    if (!gradient_needed(walk, node->in[0]))
        return;
    struct op op = node->op;
    op.n_query = node->op.n_key;
    op.n_key = node->op.n_query;
    int dx = gradient_buffer(walk, node->in[0]);
    const struct operands operands =
        operands_of(1, (const int[]){gradient_of(walk, node->out[0])}, 1, (const int[]){dx});
    walk_append(walk, &op, &operands, "bwd");
    gradient_add(walk, node->in[0], dx, 0);
}

static void refuse_grad(const struct walk *walk, int i)
{
    if (gradient_needed(walk, walk->node->in[i]))
        bug("node %s: the gradient of %s is not supported", walk->node->name,
            walk->graph->tensors[walk->node->in[i]].name);
}

static void fastfood_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    struct graph *graph = walk->graph;
    struct op op = node->op;
    int theta_d = node->in[0], lambda = node->in[2];
    op.kind = OP_FASTFOOD_BWD;
    refuse_grad(walk, 1);
    int g_d = gradient_buffer(walk, theta_d),
        slope = gradient_needed(walk, lambda) ? gradient_buffer(walk, lambda) : NO_TENSOR;
    int work = graph_tensor(graph, TENSOR_ACTIVATION, arena_printf(graph->arena, "%s.bwd.work", node->name), 1,
                            &graph->tensors[node->out[1]].elements);
    const int in[] = {gradient_of(walk, node->out[0]), theta_d, lambda, node->in[3]}, out[] = {g_d, slope, work};
    const struct operands operands = operands_of(4, in, 3, out);
    walk_append(walk, &op, &operands, "bwd");
    gradient_add(walk, theta_d, g_d, 0);
    if (slope != NO_TENSOR)
        gradient_add(walk, lambda, slope, 0);
}

/* Operand `i` enters the output as it is. */
static void identity_bwd(struct walk *walk, int i)
{
    int t = walk->node->in[i];
    if (gradient_needed(walk, t))
        gradient_add(walk, t, gradient_of(walk, walk->node->out[0]), 1);
}

static void activation_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    if (gradient_needed(walk, node->in[0]))
        gradient_add(walk, node->in[0],
                     through_activation(walk, act_is_gelu(node->op.act) ? node->in[0] : node->out[0]), 0);
}

static void dropout_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    if (!gradient_needed(walk, node->in[0]))
        return;
    int dy = gradient_of(walk, node->out[0]), dx = gradient_over(walk);
    const struct operands operands = operands_of(1, &dy, 1, &dx);
    walk_append(walk, &node->op, &operands, "bwd");
    gradient_add(walk, node->in[0], dx, 0);
}

static void add_part_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int b = node->in[1];
    if (gradient_needed(walk, b)) {
        int dy = gradient_of(walk, node->out[0]), db = gradient_buffer(walk, b);
        const struct operands operands = operands_of(1, &dy, 1, &db);
        struct op op = node->op;
        op.kind = OP_PART;
        walk_append(walk, &op, &operands, "part");
        gradient_add(walk, b, db, 0);
    }
    identity_bwd(walk, 0);
}

static void split_heads_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    struct operands operands = no_operands();
    struct op op = node->op;
    if (!gradient_needed(walk, node->in[0]))
        return;
    for (int64_t g = 0; g < op.groups; g++) {
        operands.in[g] = node->out[g] == NO_TENSOR ? NO_TENSOR : gradient_of(walk, node->out[g]);
        if (operands.in[g] == NO_TENSOR)
            bug("node %s: group %lld takes no part in the loss", node->name, (long long)g);
    }
    op.kind = OP_JOIN_HEADS;
    operands.out[0] = gradient_buffer(walk, node->in[0]);
    walk_append(walk, &op, &operands, "bwd");
    gradient_add(walk, node->in[0], operands.out[0], 0);
}

static void join_heads_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    struct operands operands = no_operands();
    struct op op = node->op;
    int any = 0;
    for (int64_t g = 0; g < op.groups; g++)
        if (gradient_needed(walk, node->in[g])) {
            operands.out[g] = gradient_buffer(walk, node->in[g]);
            any = 1;
        }
    if (!any)
        return;
    op.kind = OP_SPLIT_HEADS;
    operands.in[0] = gradient_of(walk, node->out[0]);
    walk_append(walk, &op, &operands, "bwd");
    for (int64_t g = 0; g < op.groups; g++)
        if (operands.out[g] != NO_TENSOR)
            gradient_add(walk, node->in[g], operands.out[g], 0);
}

/* The summand e takes the gradient as it is, the embeddings what falls to each of their rows. */
static void add_embed_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    struct op op = node->op;
    op.kind = OP_ADD_EMBED_BWD;
    struct operands operands = operands_of(2, (const int[]){gradient_of(walk, node->out[0]), node->in[4]}, 0, NULL);
    int any = 0;
    for (int i = 0; i < 3; i++)
        if (gradient_needed(walk, node->in[1 + i])) {
            operands.out[i] = gradient_buffer(walk, node->in[1 + i]);
            any = 1;
        }
    if (any)
        walk_append(walk, &op, &operands, "bwd");
    for (int i = 0; i < 3; i++)
        if (operands.out[i] != NO_TENSOR)
            gradient_add(walk, node->in[1 + i], operands.out[i], 0);
    identity_bwd(walk, 0);
    refuse_grad(walk, 4);
}

static void differentiate(struct walk *walk)
{
    switch (walk->node->op.kind) {
    case OP_LINEAR:
        linear_bwd(walk);
        return;
    case OP_ATTENTION:
        attention_bwd(walk);
        return;
    case OP_NORM:
        norm_bwd(walk);
        return;
    case OP_CONCAT:
        concat_bwd(walk);
        return;
    case OP_SPLIT:
        split_bwd(walk);
        return;
    case OP_PERMUTE:
        permute_bwd(walk);
        return;
    case OP_ADD_EMBED:
        add_embed_bwd(walk);
        return;
    case OP_FASTFOOD:
        fastfood_bwd(walk);
        return;
    case OP_ADD:
        identity_bwd(walk, 0);
        identity_bwd(walk, 1);
        return;
    case OP_ADD_POS:
    case OP_ADD_LAST:
        identity_bwd(walk, 0);
        refuse_grad(walk, 1);
        return;
    case OP_ACTIVATION:
        activation_bwd(walk);
        return;
    case OP_DROPOUT:
        dropout_bwd(walk);
        return;
    case OP_ADD_PART:
        add_part_bwd(walk);
        return;
    case OP_SPLIT_HEADS:
        split_heads_bwd(walk);
        return;
    case OP_JOIN_HEADS:
        join_heads_bwd(walk);
        return;
    default:
        bug("node %s: %s cannot be differentiated", walk->node->name, op_name(walk->node->op.kind));
    }
}

/* Outputs of an op that have gradients of their own; the others are kept for its backward op. */
static int results_of(const struct op *op)
{
    return op->kind == OP_SPLIT_HEADS ? (int)op->groups : op->kind == OP_NORM || op->kind == OP_SPLIT ? 2 : 1;
}

/* Whether something trainable stands above an output: above NORM's sum only what stands above its operands. */
static int stands_above(const struct walk *walk, const struct node *node, int o)
{
    int any = 0, n_in = o == 1 && node->op.kind == OP_NORM ? 2 : OP_MAX_IN;
    for (int i = 0; i < n_in; i++)
        any = any || gradient_needed(walk, node->in[i]);
    return any && node->op.kind != OP_LOSS;
}

static void mark_needs(struct walk *walk)
{
    const struct graph *graph = walk->graph;
    for (int t = 0; t < walk->n_tensors; t++) {
        const struct tensor *tensor = &graph->tensors[t];
        int trained = tensor->role == TENSOR_PARAM && tensor->trainable;
        if (trained && tensor->base != NO_TENSOR)
            bug("%s is a part of %s: train all of that or nothing", tensor->name, graph->tensors[tensor->base].name);
        walk->needs[t] = trained ? NEEDS_GRAD : NEEDS_NONE;
    }
    for (int n = 0; n < graph->n_nodes; n++) {
        const struct node *node = &graph->nodes[n];
        for (int o = 0; o < OP_MAX_OUT; o++)
            if (node->out[o] != NO_TENSOR && stands_above(walk, node, o))
                walk->needs[graph_root(graph, node->out[o])] = o < results_of(&node->op) ? NEEDS_GRAD : BY_PRODUCT;
    }
}

static const struct node *find_loss(const struct graph *graph)
{
    const struct node *loss = NULL;
    for (int n = 0; n < graph->n_nodes; n++)
        if (graph->nodes[n].op.kind == OP_LOSS) {
            if (loss)
                bug("two losses: %s and %s", loss->name, graph->nodes[n].name);
            loss = &graph->nodes[n];
        }
    if (!loss || loss->out[1] == NO_TENSOR)
        bug("the graph has no loss with a derivative");
    return loss;
}

/* Two parts overlap, or together they are less than the whole: part of its gradient would never be written. */
static void check_parts(const struct walk *walk, int root)
{
    const struct tensor *tensors = walk->graph->tensors;
    int64_t covered = 0;
    for (int t = 0; t < walk->n_tensors; t++) {
        if (tensors[t].base != root || tensors[t].grad == NO_TENSOR)
            continue;
        covered += tensors[t].elements;
        for (int u = 0; u < t; u++)
            if (tensors[u].base == root && tensors[u].grad != NO_TENSOR &&
                tensors[u].offset < tensors[t].offset + tensors[t].elements &&
                tensors[t].offset < tensors[u].offset + tensors[u].elements)
                bug("parts %s and %s overlap", tensors[u].name, tensors[t].name);
    }
    if (covered != tensors[root].elements)
        bug("%s: its parts have gradients for %lld of %lld elements", tensors[root].name, (long long)covered,
            (long long)tensors[root].elements);
}

static int has_gradient(const struct walk *walk)
{
    const struct node *node = walk->node;
    int any = 0;
    for (int o = 0; o < results_of(&node->op); o++) {
        if (node->out[o] == NO_TENSOR)
            continue;
        int out = graph_root(walk->graph, node->out[o]);
        any = any || (walk->needs[out] && walk->graph->tensors[out].grad != NO_TENSOR);
    }
    return any;
}

/* A tensor that two nodes write stands for two values, but has one gradient. */
static void refuse_overwriting(const struct walk *walk)
{
    const struct node *node = walk->node;
    int first = node->out[0] != NO_TENSOR ? node->out[0] : node->out[1];
    for (int i = 0; i < OP_MAX_IN; i++)
        if (node->in[i] != NO_TENSOR && graph_root(walk->graph, node->in[i]) == graph_root(walk->graph, first))
            bug("node %s overwrites its operand: it cannot be differentiated", node->name);
}

static void close_results(struct walk *walk)
{
    const struct node *node = walk->node;
    for (int o = 0; o < results_of(&node->op); o++)
        if (node->out[o] != NO_TENSOR)
            walk->closed[graph_root(walk->graph, node->out[o])] = 1;
}

void autodiff(struct graph *graph)
{
    struct walk walk = {.graph = graph, .n_tensors = graph->n_tensors};
    walk.needs = arena_take(graph->arena, (size_t)graph->n_tensors);
    walk.closed = arena_take(graph->arena, (size_t)graph->n_tensors);
    walk.in_parts = arena_take(graph->arena, (size_t)graph->n_tensors);
    const struct node *loss = find_loss(graph);
    mark_needs(&walk);
    int y = gradient_whole(graph, loss->in[0]);
    if (walk.needs[y])
        graph->tensors[y].grad = loss->out[1];
    for (int n = graph->n_nodes - 1; n >= 0; n--) {
        struct node node = graph->nodes[n]; /* appending moves the array */
        if (node.op.kind == OP_LOSS)
            continue;
        walk.node = &node;
        if (has_gradient(&walk)) {
            refuse_overwriting(&walk);
            differentiate(&walk);
        }
        close_results(&walk);
    }
    for (int t = 0; t < walk.n_tensors; t++)
        if (walk.in_parts[t])
            check_parts(&walk, t);
}
