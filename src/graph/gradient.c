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
#include "graph/autodiff_private.h"

#include <string.h>

#include "base/status.h"

/* The tensor a view stands for. */
int gradient_whole(const struct graph *graph, int t)
{
    int root = graph_root(graph, t);
    if (graph->tensors[root].elements != graph->tensors[t].elements)
        bug("%s is a part of %s: gradients of parts are not supported", graph->tensors[t].name,
            graph->tensors[root].name);
    return root;
}

int gradient_is_part(const struct graph *graph, int t)
{
    return graph->tensors[graph_root(graph, t)].elements != graph->tensors[t].elements;
}

/* The tensor that has the gradient of `t`: what a view stands for, or the part itself. */
static int owner_of(const struct graph *graph, int t)
{
    if (!gradient_is_part(graph, t))
        return graph_root(graph, t);
    if (graph->tensors[graph->tensors[t].base].base != NO_TENSOR)
        bug("%s is a view of a part: gradients of such are not supported", graph->tensors[t].name);
    return t;
}

int gradient_needed(const struct walk *walk, int t)
{
    if (t == NO_TENSOR)
        return 0;
    enum grad_need need = walk->needs[graph_root(walk->graph, t)];
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
int gradient_of(struct walk *walk, int t)
{
    int buffer = walk->graph->tensors[gradient_whole(walk->graph, t)].grad;
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
int gradient_buffer(struct walk *walk, int t)
{
    struct graph *graph = walk->graph;
    const struct tensor *tensor = &graph->tensors[t];
    if (gradient_is_part(graph, t) && tensor->grad == NO_TENSOR && walk->needs[graph_root(graph, t)] == NEEDS_GRAD)
        return place_in_whole(walk, t);
    const struct tensor *owner = &graph->tensors[owner_of(graph, t)];
    return graph_tensor(graph, owner->grad == NO_TENSOR ? role_of_first(owner) : TENSOR_ACTIVATION,
                        arena_printf(graph->arena, "grad.%s", tensor->name), tensor->n_dims, tensor->dims);
}

/* 1 when another open tensor than `owner` has `buffer` as its gradient. */
static int gradient_is_shared(const struct walk *walk, int buffer, int owner)
{
    const struct graph *graph = walk->graph;
    int root = graph_root(graph, buffer);
    if (owner != NO_TENSOR && gradient_is_part(graph, owner))
        return 0; /* the other owners have other parts */
    for (int t = 0; t < walk->n_tensors; t++) {
        int grad = graph->tensors[t].grad;
        if (t != owner && !walk->closed[t] && grad != NO_TENSOR && graph_root(graph, grad) == root)
            return 1;
    }
    return 0;
}

void walk_append(struct walk *walk, const struct op *op, const struct operands *operands, const char *what)
{
    struct graph *graph = walk->graph;
    graph_node(graph, op, operands->in, operands->out, PHASE_BACKWARD, walk->node->block,
               arena_printf(graph->arena, "%s.%s", walk->node->name, what));
}

static void append_add(struct walk *walk, int a, int b, int sum)
{
    struct op op = {.kind = OP_ADD, .rows = walk->graph->tensors[sum].elements};
    const struct operands operands = operands_of(2, (const int[]){a, b}, 1, (const int[]){sum});
    walk_append(walk, &op, &operands, "grad add");
}

/* `part` is a contribution to the gradient of `t`. `keep`: the caller still needs the values in `part`. */
void gradient_add(struct walk *walk, int t, int part, int keep)
{
    struct graph *graph = walk->graph;
    int owner = owner_of(graph, t), have = graph->tensors[owner].grad;
    if (!walk->needs[graph_root(graph, owner)])
        return;
    if (walk->in_parts[owner])
        bug("%s is used as a whole and in parts: its gradient is not supported", graph->tensors[owner].name);
    if (have == NO_TENSOR) {
        if (owner == t && gradient_is_part(graph, t) &&
            graph->tensors[part].base != graph->tensors[graph_root(graph, t)].grad)
            bug("%s is a part and an operand of %s: it would share its gradient", graph->tensors[t].name,
                walk->node->name);
        if (graph->tensors[owner].role == TENSOR_PARAM && graph->tensors[part].role != TENSOR_GRAD)
            bug("parameter %s is an operand of %s: it would share its gradient", graph->tensors[owner].name,
                walk->node->name);
        graph->tensors[owner].grad = part;
        return;
    }
    int sum = have;
    if (gradient_is_shared(walk, have, owner))
        sum = keep || gradient_is_shared(walk, part, NO_TENSOR) ? gradient_buffer(walk, owner) : part;
    append_add(walk, have, part, sum);
    graph->tensors[owner].grad = sum;
}

/* Where an op that can add writes its contribution to the gradient of `t`; then finish_sum. */
int gradient_begin_sum(struct walk *walk, int t, int *accumulate)
{
    int owner = owner_of(walk->graph, t), have = walk->graph->tensors[owner].grad;
    *accumulate = have != NO_TENSOR && !gradient_is_shared(walk, have, owner);
    return *accumulate ? seen_as(walk, have, t) : gradient_buffer(walk, t);
}

void gradient_finish_sum(struct walk *walk, int t, int part, int accumulate)
{
    if (!accumulate)
        gradient_add(walk, t, part, 0);
}

/* Where an elementwise op may write what it makes of the gradient of the node's output: over it, unless others hold it.
 */
int gradient_over(struct walk *walk)
{
    int y = walk->node->out[0], dy = gradient_of(walk, y);
    return gradient_is_shared(walk, dy, gradient_whole(walk->graph, y)) ? gradient_buffer(walk, y) : dy;
}
