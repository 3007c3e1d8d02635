/* Who owns the memory of a gradient.
 *
 * The walk meets the nodes in reverse. A tensor is *open* until the backward ops of the node that made it have been
 * appended: until then more contributions to its gradient may come, and afterwards nothing reads or writes its gradient
 * in its name. Identities (ADD, ADD_POS, ADD_LAST, NORM's residual without dropout) copy nothing: two or more open
 * tensors then have the same buffer as their gradient. From this follows the only rule:
 *
 *   A buffer may be written again only on behalf of a tensor that is its sole open owner.
 *
 * The first contribution to a tensor becomes its gradient. A later one is added in place where the rule allows it
 * (inside the op, by `accumulate`, or by ADD), otherwise the sum goes into another buffer, which becomes this tensor's
 * gradient, and the other owners keep what they had. A node's outputs stay open while its backward ops are appended, so
 * an op never adds into the very buffer it reads. Tensors that only see another one's memory (views of all of it) stand
 * for that tensor.
 *
 * A view of a part of a tensor has a gradient of its own: the same part of the whole tensor's gradient. The first
 * contribution must be computed in that place, later ones are added there; no other part and no identity has it. The
 * parts that are used must make up the whole tensor, once each, and the whole tensor must not be used beside them.
 *
 * Consequence: once autodiff has run, `grad` of an activation tells where its gradient stood during the walk; later ops
 * may have used the buffer again. `grad` of a parameter is final: a parameter never shares.
 */
#include "graph/autodiff.h"

#include <string.h>

#include "base/status.h"
#include "graph/shape.h"

/* Whether something trainable stands above a tensor. BY_PRODUCT: an output that an op keeps for its backward op; it has
 * no gradient of its own, so nothing else may use it (NORM's sum of two operands is an output as any other). */
enum need { NEEDS_NONE, NEEDS_GRAD, BY_PRODUCT };

struct walk {
    struct graph *graph;
    const struct node *node; /* being differentiated */
    int n_tensors;           /* of the forward part */
    unsigned char *needs;    /* enum need of each tensor */
    unsigned char *closed;
    unsigned char *in_parts; /* tensors whose gradient is made by their parts */
};

/* The tensor a view stands for. */
static int whole(const struct graph *graph, int t)
{
    int root = graph_root(graph, t);
    if (graph->tensors[root].elements != graph->tensors[t].elements)
        bug("%s is a part of %s: gradients of parts are not supported", graph->tensors[t].name,
            graph->tensors[root].name);
    return root;
}

static int is_part(const struct graph *graph, int t)
{
    return graph->tensors[graph_root(graph, t)].elements != graph->tensors[t].elements;
}

/* The tensor that has the gradient of `t`: what a view stands for, or the part itself. */
static int owner_of(const struct graph *graph, int t)
{
    if (!is_part(graph, t))
        return graph_root(graph, t);
    if (graph->tensors[graph->tensors[t].base].base != NO_TENSOR)
        bug("%s is a view of a part: gradients of such are not supported", graph->tensors[t].name);
    return t;
}

static int needs(const struct walk *walk, int t)
{
    if (t == NO_TENSOR)
        return 0;
    enum need need = walk->needs[graph_root(walk->graph, t)];
    if (need == BY_PRODUCT)
        bug("%s has no gradient", walk->graph->tensors[t].name);
    return need == NEEDS_GRAD;
}

/* `buffer` with the dimensions of `like`. */
static int seen_as(struct walk *walk, int buffer, int like)
{
    struct graph *graph = walk->graph;
    const struct tensor *have = &graph->tensors[buffer], *want = &graph->tensors[like];
    if (have->n_dims == want->n_dims && memcmp(have->dims, want->dims, sizeof have->dims) == 0)
        return buffer;
    return graph_view(graph, buffer, 0, arena_printf(graph->arena, "grad.%s", want->name), want->n_dims, want->dims);
}

/* The gradient of `t`, with its dimensions, or NO_TENSOR. */
static int grad_of(struct walk *walk, int t)
{
    int buffer = walk->graph->tensors[whole(walk->graph, t)].grad;
    return buffer == NO_TENSOR ? NO_TENSOR : seen_as(walk, buffer, t);
}

static enum tensor_role role_of_first(const struct tensor *tensor)
{
    return tensor->role == TENSOR_PARAM && tensor->trainable ? TENSOR_GRAD : TENSOR_ACTIVATION;
}

/* The place of part `t` in the gradient of the whole. */
static int place_in_whole(struct walk *walk, int t)
{
    struct graph *graph = walk->graph;
    int root = graph_root(graph, t);
    const struct tensor *part = &graph->tensors[t], *all = &graph->tensors[root];
    if (!walk->in_parts[root]) {
        if (all->grad != NO_TENSOR)
            bug("%s is used as a whole and in parts: its gradient is not supported", all->name);
        walk->in_parts[root] = 1;
        int block = graph_tensor(graph, role_of_first(all), arena_printf(graph->arena, "grad.%s", all->name),
                                 all->n_dims, all->dims);
        graph->tensors[root].grad = block;
        part = &graph->tensors[t];
    }
    return graph_view(graph, graph->tensors[root].grad, part->offset, arena_printf(graph->arena, "grad.%s", part->name),
                      part->n_dims, part->dims);
}

/* A new buffer of the shape of `t`. */
static int buffer_for(struct walk *walk, int t)
{
    struct graph *graph = walk->graph;
    const struct tensor *tensor = &graph->tensors[t];
    if (is_part(graph, t) && tensor->grad == NO_TENSOR && walk->needs[graph_root(graph, t)] == NEEDS_GRAD)
        return place_in_whole(walk, t);
    const struct tensor *owner = &graph->tensors[owner_of(graph, t)];
    return graph_tensor(graph, owner->grad == NO_TENSOR ? role_of_first(owner) : TENSOR_ACTIVATION,
                        arena_printf(graph->arena, "grad.%s", tensor->name), tensor->n_dims, tensor->dims);
}

/* 1 when another open tensor than `owner` has `buffer` as its gradient. */
static int is_shared(const struct walk *walk, int buffer, int owner)
{
    const struct graph *graph = walk->graph;
    int root = graph_root(graph, buffer);
    if (owner != NO_TENSOR && is_part(graph, owner))
        return 0; /* the other owners have other parts */
    for (int t = 0; t < walk->n_tensors; t++) {
        int grad = graph->tensors[t].grad;
        if (t != owner && !walk->closed[t] && grad != NO_TENSOR && graph_root(graph, grad) == root)
            return 1;
    }
    return 0;
}

static void append(struct walk *walk, const struct op *op, const struct operands *operands, const char *what)
{
    struct graph *graph = walk->graph;
    graph_node(graph, op, operands->in, operands->out, PHASE_BACKWARD, walk->node->block,
               arena_printf(graph->arena, "%s.%s", walk->node->name, what));
}

static void append_add(struct walk *walk, int a, int b, int sum)
{
    struct op op = {.kind = OP_ADD, .rows = walk->graph->tensors[sum].elements};
    const struct operands operands = operands_of(2, (const int[]){a, b}, 1, (const int[]){sum});
    append(walk, &op, &operands, "grad add");
}

/* `part` is a contribution to the gradient of `t`. `keep`: the caller still needs the values in `part`. */
static void contribute(struct walk *walk, int t, int part, int keep)
{
    struct graph *graph = walk->graph;
    int owner = owner_of(graph, t), have = graph->tensors[owner].grad;
    if (!walk->needs[graph_root(graph, owner)])
        return;
    if (walk->in_parts[owner])
        bug("%s is used as a whole and in parts: its gradient is not supported", graph->tensors[owner].name);
    if (have == NO_TENSOR) {
        if (owner == t && is_part(graph, t) && graph->tensors[part].base != graph->tensors[graph_root(graph, t)].grad)
            bug("%s is a part and an operand of %s: it would share its gradient", graph->tensors[t].name,
                walk->node->name);
        if (graph->tensors[owner].role == TENSOR_PARAM && graph->tensors[part].role != TENSOR_GRAD)
            bug("parameter %s is an operand of %s: it would share its gradient", graph->tensors[owner].name,
                walk->node->name);
        graph->tensors[owner].grad = part;
        return;
    }
    int sum = have;
    if (is_shared(walk, have, owner))
        sum = keep || is_shared(walk, part, NO_TENSOR) ? buffer_for(walk, owner) : part;
    append_add(walk, have, part, sum);
    graph->tensors[owner].grad = sum;
}

/* Where an op that can add writes its contribution to the gradient of `t`; then finish_sum. */
static int begin_sum(struct walk *walk, int t, int *accumulate)
{
    int owner = owner_of(walk->graph, t), have = walk->graph->tensors[owner].grad;
    *accumulate = have != NO_TENSOR && !is_shared(walk, have, owner);
    return *accumulate ? seen_as(walk, have, t) : buffer_for(walk, t);
}

static void finish_sum(struct walk *walk, int t, int part, int accumulate)
{
    if (!accumulate)
        contribute(walk, t, part, 0);
}

/* Where an elementwise op may write what it makes of the gradient of the node's output: over it, unless others hold it.
 */
static int over_gradient(struct walk *walk)
{
    int y = walk->node->out[0], dy = grad_of(walk, y);
    return is_shared(walk, dy, whole(walk->graph, y)) ? buffer_for(walk, y) : dy;
}

/* Gradient of what the node's activation is applied to; `kept` as ACT_BWD wants it. */
static int through_activation(struct walk *walk, int kept)
{
    const struct node *node = walk->node;
    int dy = grad_of(walk, node->out[0]), dz = over_gradient(walk);
    struct op op = {.kind = OP_ACT_BWD, .rows = node->op.rows, .out = node->op.out, .act = node->op.act};
    const struct operands operands = operands_of(2, (const int[]){dy, kept}, 1, (const int[]){dz});
    append(walk, &op, &operands, "act bwd");
    return dz;
}

/* Gradient of the linear's product: dy, or dy through the activation. */
static int product_gradient(struct walk *walk)
{
    const struct node *node = walk->node;
    if (node->op.act == ACT_NONE)
        return grad_of(walk, node->out[0]);
    return through_activation(walk, act_is_gelu(node->op.act) ? node->out[1] : node->out[0]);
}

/* Some rows of a weight. Products with the pieces of a weight may be spread over devices, so each has its own result
 * and the sum follows, in the order of the walk. */
static int is_piece(const struct graph *graph, int t)
{
    return graph->tensors[graph_root(graph, t)].role == TENSOR_PARAM && is_part(graph, t);
}

/* Weight gradient first: a device can send it while it computes the gradient of the input. */
static void linear_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int x = node->in[0], w = node->in[1], b = node->in[2], dz = product_gradient(walk);
    struct op op = {.rows = node->op.rows, .in = node->op.in, .out = node->op.out, .samples = node->op.samples};
    if (needs(walk, w) || needs(walk, b)) {
        int dw = buffer_for(walk, w), db = needs(walk, b) ? buffer_for(walk, b) : NO_TENSOR;
        const struct operands operands = operands_of(2, (const int[]){dz, x}, 2, (const int[]){dw, db});
        op.kind = OP_LINEAR_DW;
        op.skip_sums = db == NO_TENSOR;
        append(walk, &op, &operands, "dw");
        if (needs(walk, w))
            contribute(walk, w, dw, 0);
        if (db != NO_TENSOR)
            contribute(walk, b, db, 0);
    }
    if (needs(walk, x)) {
        int dx = is_piece(walk->graph, w) ? buffer_for(walk, x) : begin_sum(walk, x, &op.accumulate);
        const struct operands operands = operands_of(2, (const int[]){dz, w}, 1, (const int[]){dx});
        op.kind = OP_LINEAR_DX;
        op.skip_sums = 0;
        append(walk, &op, &operands, "dx");
        finish_sum(walk, x, dx, op.accumulate);
    }
}

static void attention_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int n_operands = node->op.packed ? 1 : 3, any = 0;
    for (int i = 0; i < n_operands; i++)
        any = any || needs(walk, node->in[i]);
    if (!any)
        return;
    struct operands operands = operands_of(
        5, (const int[]){grad_of(walk, node->out[0]), node->in[0], node->in[1], node->in[2], node->out[1]}, 0, NULL);
    for (int i = 0; i < n_operands; i++)
        operands.out[i] = buffer_for(walk, node->in[i]);
    struct op op = node->op;
    op.kind = OP_ATTENTION_BWD;
    append(walk, &op, &operands, "bwd");
    for (int i = 0; i < n_operands; i++)
        contribute(walk, node->in[i], operands.out[i], 0);
}

/* A norm whose sum s = x + u is used again (a residual stream): what came from its later uses and what comes through
 * the norm are one gradient, and x and u both take it as it is. */
static void norm_of_sum_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int y = node->out[0], s = node->out[1], gamma = node->in[2], beta = node->in[3];
    if (node->op.dropout > 0)
        bug("node %s: the gradient of a sum with dropout is not supported", node->name);
    if (walk->graph->tensors[whole(walk->graph, y)].grad != NO_TENSOR) {
        struct op op = node->op;
        op.kind = OP_NORM_BWD;
        int ds = begin_sum(walk, s, &op.accumulate);
        int dgamma = needs(walk, gamma) ? buffer_for(walk, gamma) : NO_TENSOR;
        int dbeta = needs(walk, beta) ? buffer_for(walk, beta) : NO_TENSOR;
        op.skip_sums = dgamma == NO_TENSOR && dbeta == NO_TENSOR;
        const struct operands operands = operands_of(4, (const int[]){grad_of(walk, y), s, node->out[2], gamma}, 4,
                                                     (const int[]){ds, NO_TENSOR, dgamma, dbeta});
        append(walk, &op, &operands, "bwd");
        if (dgamma != NO_TENSOR)
            contribute(walk, gamma, dgamma, 0);
        if (dbeta != NO_TENSOR)
            contribute(walk, beta, dbeta, 0);
        finish_sum(walk, s, ds, op.accumulate);
    }
    for (int i = 0; i < 2; i++)
        if (needs(walk, node->in[i]))
            contribute(walk, node->in[i], grad_of(walk, s), 1);
}

/* ds is the gradient of x and, without dropout, of u too: then it must hold nothing else, and both take it as it is. */
static void norm_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int x = node->in[0], u = node->in[1], gamma = node->in[2], beta = node->in[3];
    struct op op = node->op;
    op.kind = OP_NORM_BWD;
    if (u != NO_TENSOR && walk->graph->tensors[whole(walk->graph, node->out[1])].grad != NO_TENSOR) {
        norm_of_sum_bwd(walk);
        return;
    }
    int to_u = needs(walk, u), masked = to_u && op.dropout > 0;
    int alone = needs(walk, x) && !to_u;
    int ds = alone ? begin_sum(walk, x, &op.accumulate) : buffer_for(walk, needs(walk, x) || !to_u ? x : u);
    int du = masked ? buffer_for(walk, u) : NO_TENSOR;
    int dgamma = needs(walk, gamma) ? buffer_for(walk, gamma) : NO_TENSOR;
    int dbeta = needs(walk, beta) ? buffer_for(walk, beta) : NO_TENSOR;
    op.skip_sums = dgamma == NO_TENSOR && dbeta == NO_TENSOR;
    const struct operands operands = operands_of(
        4, (const int[]){grad_of(walk, node->out[0]), u == NO_TENSOR ? x : node->out[1], node->out[2], gamma}, 4,
        (const int[]){ds, du, dgamma, dbeta});
    append(walk, &op, &operands, "bwd");
    if (dgamma != NO_TENSOR)
        contribute(walk, gamma, dgamma, 0);
    if (dbeta != NO_TENSOR)
        contribute(walk, beta, dbeta, 0);
    if (to_u)
        contribute(walk, u, masked ? du : ds, !masked);
    finish_sum(walk, x, ds, op.accumulate);
}

static void concat_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    struct op op = node->op;
    op.kind = OP_SPLIT;
    struct operands operands = no_operands();
    for (int i = 0; i < 2; i++)
        if (needs(walk, node->in[i]))
            operands.out[i] = buffer_for(walk, node->in[i]);
    if (operands.out[0] == NO_TENSOR && operands.out[1] == NO_TENSOR)
        return;
    operands.in[0] = grad_of(walk, node->out[0]);
    append(walk, &op, &operands, "bwd");
    for (int i = 0; i < 2; i++)
        if (operands.out[i] != NO_TENSOR)
            contribute(walk, node->in[i], operands.out[i], 0);
}

static void permute_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    if (!needs(walk, node->in[0]))
        return;
    struct op op = node->op;
    op.n_query = node->op.n_key;
    op.n_key = node->op.n_query;
    int dx = buffer_for(walk, node->in[0]);
    const struct operands operands = operands_of(1, (const int[]){grad_of(walk, node->out[0])}, 1, (const int[]){dx});
    append(walk, &op, &operands, "bwd");
    contribute(walk, node->in[0], dx, 0);
}

static void refuse_grad(const struct walk *walk, int i)
{
    if (needs(walk, walk->node->in[i]))
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
    int g_d = buffer_for(walk, theta_d), slope = needs(walk, lambda) ? buffer_for(walk, lambda) : NO_TENSOR;
    int work = graph_tensor(graph, TENSOR_ACTIVATION, arena_printf(graph->arena, "%s.bwd.work", node->name), 1,
                            &graph->tensors[node->out[1]].elements);
    const int in[] = {grad_of(walk, node->out[0]), theta_d, lambda, node->in[3]}, out[] = {g_d, slope, work};
    const struct operands operands = operands_of(4, in, 3, out);
    append(walk, &op, &operands, "bwd");
    contribute(walk, theta_d, g_d, 0);
    if (slope != NO_TENSOR)
        contribute(walk, lambda, slope, 0);
}

/* Operand `i` enters the output as it is. */
static void identity_bwd(struct walk *walk, int i)
{
    int t = walk->node->in[i];
    if (needs(walk, t))
        contribute(walk, t, grad_of(walk, walk->node->out[0]), 1);
}

static void activation_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    if (needs(walk, node->in[0]))
        contribute(walk, node->in[0], through_activation(walk, act_is_gelu(node->op.act) ? node->in[0] : node->out[0]),
                   0);
}

static void dropout_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    if (!needs(walk, node->in[0]))
        return;
    int dy = grad_of(walk, node->out[0]), dx = over_gradient(walk);
    const struct operands operands = operands_of(1, &dy, 1, &dx);
    append(walk, &node->op, &operands, "bwd");
    contribute(walk, node->in[0], dx, 0);
}

static void add_part_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    int b = node->in[1];
    if (needs(walk, b)) {
        int dy = grad_of(walk, node->out[0]), db = buffer_for(walk, b);
        const struct operands operands = operands_of(1, &dy, 1, &db);
        struct op op = node->op;
        op.kind = OP_PART;
        append(walk, &op, &operands, "part");
        contribute(walk, b, db, 0);
    }
    identity_bwd(walk, 0);
}

static void split_heads_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    struct operands operands = no_operands();
    struct op op = node->op;
    if (!needs(walk, node->in[0]))
        return;
    for (int64_t g = 0; g < op.groups; g++) {
        operands.in[g] = node->out[g] == NO_TENSOR ? NO_TENSOR : grad_of(walk, node->out[g]);
        if (operands.in[g] == NO_TENSOR)
            bug("node %s: group %lld takes no part in the loss", node->name, (long long)g);
    }
    op.kind = OP_JOIN_HEADS;
    operands.out[0] = buffer_for(walk, node->in[0]);
    append(walk, &op, &operands, "bwd");
    contribute(walk, node->in[0], operands.out[0], 0);
}

static void join_heads_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    struct operands operands = no_operands();
    struct op op = node->op;
    int any = 0;
    for (int64_t g = 0; g < op.groups; g++)
        if (needs(walk, node->in[g])) {
            operands.out[g] = buffer_for(walk, node->in[g]);
            any = 1;
        }
    if (!any)
        return;
    op.kind = OP_SPLIT_HEADS;
    operands.in[0] = grad_of(walk, node->out[0]);
    append(walk, &op, &operands, "bwd");
    for (int64_t g = 0; g < op.groups; g++)
        if (operands.out[g] != NO_TENSOR)
            contribute(walk, node->in[g], operands.out[g], 0);
}

/* The summand e takes the gradient as it is, the embeddings what falls to each of their rows. */
static void add_embed_bwd(struct walk *walk)
{
    const struct node *node = walk->node;
    struct op op = node->op;
    op.kind = OP_ADD_EMBED_BWD;
    struct operands operands = operands_of(2, (const int[]){grad_of(walk, node->out[0]), node->in[4]}, 0, NULL);
    int any = 0;
    for (int i = 0; i < 3; i++)
        if (needs(walk, node->in[1 + i])) {
            operands.out[i] = buffer_for(walk, node->in[1 + i]);
            any = 1;
        }
    if (any)
        append(walk, &op, &operands, "bwd");
    for (int i = 0; i < 3; i++)
        if (operands.out[i] != NO_TENSOR)
            contribute(walk, node->in[1 + i], operands.out[i], 0);
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
    return op->kind == OP_SPLIT_HEADS ? (int)op->groups : op->kind == OP_NORM ? 2 : 1;
}

/* Whether something trainable stands above an output: above NORM's sum only what stands above its operands. */
static int stands_above(const struct walk *walk, const struct node *node, int o)
{
    int any = 0, n_in = o == 1 && node->op.kind == OP_NORM ? 2 : OP_MAX_IN;
    for (int i = 0; i < n_in; i++)
        any = any || needs(walk, node->in[i]);
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
    for (int i = 0; i < OP_MAX_IN; i++)
        if (node->in[i] != NO_TENSOR && graph_root(walk->graph, node->in[i]) == graph_root(walk->graph, node->out[0]))
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
    int y = whole(graph, loss->in[0]);
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
