/* The graph: shape checks refuse what does not fit; gradients of random graphs agree with finite differences whatever
 * shares memory with what; the optimiser's blocks. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"
#include "graph/autodiff.h"
#include "interpret.h"

Suite *suite_graph(void);

enum { MAX_POOL = 40, RANDOM_GRAPHS = 150 };

/* A random graph: a pool of tensors [B, N, C] from which ops take operands and to which they add their results. */
struct maker {
    struct graph graph;
    struct rng_key key;
    uint64_t draws;
    int64_t b, n, c, heads;
    int pool[MAX_POOL], n_pool, x, n_names;
    int weight; /* a parameter [C, C] used again and again */
};

static uint64_t below(struct maker *maker, uint64_t n)
{
    return rng_below(maker->key, 0, maker->draws++, n);
}

static const char *fresh_name(struct maker *maker, const char *what)
{
    return arena_printf(maker->graph.arena, "%s%d", what, maker->n_names++);
}

static int any_of(struct maker *maker)
{
    return maker->pool[below(maker, (uint64_t)maker->n_pool)];
}

static int keep(struct maker *maker, int tensor)
{
    if (maker->n_pool < MAX_POOL)
        maker->pool[maker->n_pool++] = tensor;
    return tensor;
}

static int new_tensor(struct maker *maker, enum tensor_role role, int n_dims, int64_t a, int64_t b, int64_t c,
                      int64_t d)
{
    const int64_t dims[4] = {a, b, c, d};
    int id = graph_tensor(&maker->graph, role, fresh_name(maker, "t"), n_dims, dims);
    if (role == TENSOR_PARAM)
        maker->graph.tensors[id].trainable = below(maker, 4) != 0;
    return id;
}

static int field(struct maker *maker, int64_t width)
{
    return new_tensor(maker, TENSOR_ACTIVATION, 3, maker->b, maker->n, width, 1);
}

static void add_node(struct maker *maker, const struct op *op, struct operands operands)
{
    graph_node(&maker->graph, op, operands.in, operands.out, PHASE_FORWARD, -1, fresh_name(maker, "n"));
}

static int add_linear(struct maker *maker, int x, int64_t in, int64_t out, int weight)
{
    const struct tensor shape = maker->graph.tensors[x];
    struct op op = {
        .kind = OP_LINEAR, .rows = shape.elements / in, .in = in, .out = out, .act = (enum activation)below(maker, 3)};
    int w = weight != NO_TENSOR ? weight : new_tensor(maker, TENSOR_PARAM, 2, out, in, 1, 1);
    int bias = below(maker, 3) ? new_tensor(maker, TENSOR_PARAM, 1, out, 1, 1, 1) : NO_TENSOR;
    int64_t dims[4] = {shape.dims[0], shape.dims[1], shape.dims[2], 1};
    dims[shape.n_dims - 1] = out;
    int y = graph_tensor(&maker->graph, TENSOR_ACTIVATION, fresh_name(maker, "t"), shape.n_dims, dims);
    int pre = op.act == ACT_GELU
                  ? graph_tensor(&maker->graph, TENSOR_ACTIVATION, fresh_name(maker, "t"), shape.n_dims, dims)
                  : NO_TENSOR;
    add_node(maker, &op, operands_of(3, (int[]){x, w, bias}, 2, (int[]){y, pre}));
    return y;
}

static void make_linear(struct maker *maker)
{
    int again = below(maker, 3) == 0;
    keep(maker, add_linear(maker, any_of(maker), maker->c, maker->c, again ? maker->weight : NO_TENSOR));
}

/* *sum: x + u, as it stands beside the norm. */
static int add_norm_of_sum(struct maker *maker, int x, int u, double dropout, int *sum)
{
    struct op op = {.kind = OP_NORM, .rows = maker->b * maker->n, .in = maker->c, .eps = 1e-5, .dropout = dropout};
    op.site = (uint32_t)maker->n_names;
    int gamma = new_tensor(maker, TENSOR_PARAM, 1, maker->c, 1, 1, 1),
        beta = new_tensor(maker, TENSOR_PARAM, 1, maker->c, 1, 1, 1);
    maker->graph.tensors[gamma].init = INIT_ONE;
    int y = field(maker, maker->c), s = u == NO_TENSOR ? NO_TENSOR : field(maker, maker->c);
    int stats = new_tensor(maker, TENSOR_ACTIVATION, 2, op.rows, 2, 1, 1);
    add_node(maker, &op, operands_of(4, (int[]){x, u, gamma, beta}, 3, (int[]){y, s, stats}));
    *sum = s;
    return y;
}

static int add_norm(struct maker *maker, int x, int u, double dropout)
{
    int sum;
    return add_norm_of_sum(maker, x, u, dropout, &sum);
}

/* A residual stream: the sum goes on beside the norm; now and then only the sum does. */
static void make_stream(struct maker *maker)
{
    int sum, x = any_of(maker), y = add_norm_of_sum(maker, x, any_of(maker), 0, &sum);
    if (below(maker, 3))
        keep(maker, y);
    keep(maker, sum);
}

static void make_norm(struct maker *maker)
{
    int x = any_of(maker), u = below(maker, 4) ? any_of(maker) : NO_TENSOR;
    keep(maker, add_norm(maker, x, u, u != NO_TENSOR && below(maker, 2) ? 0.3 : 0));
}

/* norm(x, linear(x)), an alias whose two users meet in one op */
static void make_residual_linear(struct maker *maker)
{
    int x = any_of(maker);
    keep(maker, add_norm(maker, x, add_linear(maker, x, maker->c, maker->c, NO_TENSOR), below(maker, 2) ? 0.3 : 0));
}

static int add_sum(struct maker *maker, int a, int b)
{
    struct op op = {.kind = OP_ADD, .rows = maker->b * maker->n * maker->c};
    int sum = field(maker, maker->c);
    add_node(maker, &op, operands_of(2, (int[]){a, b}, 1, (int[]){sum}));
    return sum;
}

static void make_add(struct maker *maker)
{
    int a = any_of(maker);
    keep(maker, add_sum(maker, a, any_of(maker)));
}

/* norm(x, u) + (x or u) + w: the gradient of x or u is shared with w before the norm, whose ds both want, adds to it.
 */
static void make_shared_norm(struct maker *maker)
{
    int at = any_of(maker), w = add_linear(maker, at, maker->c, maker->c, NO_TENSOR);
    int x = add_linear(maker, at, maker->c, maker->c, NO_TENSOR),
        u = add_linear(maker, at, maker->c, maker->c, NO_TENSOR);
    int s = add_norm(maker, x, u, 0), t = add_sum(maker, below(maker, 2) ? x : u, w);
    keep(maker, add_sum(maker, s, t));
}

static void make_positions(struct maker *maker)
{
    struct op op = {.kind = OP_ADD_POS, .samples = maker->b, .rows = maker->b * maker->n, .in = maker->c};
    int pe = new_tensor(maker, TENSOR_CONST, 2, maker->n, maker->c, 1, 1);
    double *values = arena_array(maker->graph.arena, (size_t)(maker->n * maker->c), sizeof *values);
    for (int64_t i = 0; i < maker->n * maker->c; i++)
        values[i] = rng_normal(maker->key, 1, (uint64_t)i);
    maker->graph.tensors[pe].values = values;
    int e = any_of(maker), z = field(maker, maker->c);
    add_node(maker, &op, operands_of(2, (int[]){e, pe}, 1, (int[]){z}));
    keep(maker, z);
}

/* [B, N, C] as one step of N nodes, or as N steps of one node. */
static void make_embeddings(struct maker *maker)
{
    int64_t b = maker->b, n = maker->n, c = maker->c, slots = 1 + (int64_t)below(maker, 3);
    struct op op = {.kind = OP_ADD_EMBED, .samples = b, .rows = b * n, .in = c, .out = slots};
    op.n_key = below(maker, 2) ? n : 1;
    op.n_query = n / op.n_key;
    int index = new_tensor(maker, TENSOR_CONST, 1, b * op.n_key, 1, 1, 1);
    double *values = arena_array(maker->graph.arena, (size_t)(b * op.n_key), sizeof *values);
    for (int64_t i = 0; i < b * op.n_key; i++)
        values[i] = (double)below(maker, (uint64_t)slots);
    maker->graph.tensors[index].values = values;
    int e = any_of(maker), node = new_tensor(maker, TENSOR_PARAM, 2, op.n_query, c, 1, 1);
    int step = new_tensor(maker, TENSOR_PARAM, 2, op.n_key, c, 1, 1);
    int slot = new_tensor(maker, TENSOR_PARAM, 2, slots, c, 1, 1), z = field(maker, c);
    add_node(maker, &op, operands_of(5, (int[]){e, node, step, slot, index}, 1, &z));
    keep(maker, z);
}

/* Tokens of a sample in another order. */
static void make_permutation(struct maker *maker)
{
    struct op op = {.kind = OP_PERMUTE, .samples = 1, .rows = maker->b * maker->n, .in = maker->c};
    op.n_key = maker->b;
    op.n_query = maker->n;
    int y = field(maker, maker->c);
    add_node(maker, &op, operands_of(1, (int[]){any_of(maker)}, 1, &y));
    keep(maker, y);
}

static void make_concat(struct maker *maker)
{
    struct op op = {.kind = OP_CONCAT, .rows = maker->b * maker->n, .in = maker->c, .out = maker->c};
    int a = any_of(maker), b = any_of(maker), both = field(maker, 2 * maker->c);
    add_node(maker, &op, operands_of(2, (int[]){a, b}, 1, (int[]){both}));
    keep(maker, add_linear(maker, both, 2 * maker->c, maker->c, NO_TENSOR));
}

static void make_attention(struct maker *maker)
{
    struct op op = {.kind = OP_ATTENTION,
                    .samples = maker->b,
                    .rows = maker->b * maker->n,
                    .n_query = maker->n,
                    .n_key = maker->n,
                    .heads = maker->heads,
                    .head_width = maker->c / maker->heads};
    op.packed = (int)below(maker, 2);
    if (below(maker, 3) == 0) { /* over the samples, separately for each token */
        op.samples = op.interleave = maker->n;
        op.n_query = op.n_key = maker->b;
    }
    int q = any_of(maker), k = NO_TENSOR, v = NO_TENSOR;
    if (op.packed) {
        q = add_linear(maker, q, maker->c, 3 * maker->c, NO_TENSOR);
    } else {
        k = any_of(maker);
        v = any_of(maker);
    }
    int o = field(maker, maker->c),
        p = new_tensor(maker, TENSOR_ACTIVATION, 4, op.samples, maker->heads, op.n_query, op.n_key);
    add_node(maker, &op, operands_of(3, (int[]){q, k, v}, 2, (int[]){o, p}));
    keep(maker, o);
}

/* Seen flat by one linear, and as it is by whoever takes it next. */
static void make_flat_linear(struct maker *maker)
{
    int64_t width = maker->n * maker->c;
    int flat = graph_view(&maker->graph, any_of(maker), 0, fresh_name(maker, "v"), 2, (int64_t[]){maker->b, width});
    int y = add_linear(maker, flat, width, width, NO_TENSOR);
    keep(maker, graph_view(&maker->graph, y, 0, fresh_name(maker, "v"), 3, (int64_t[]){maker->b, maker->n, maker->c}));
}

static void add_end(struct maker *maker)
{
    static const enum loss_kind losses[] = {LOSS_MSE, LOSS_MAE, LOSS_HUBER};
    struct graph *graph = &maker->graph;
    int64_t width = maker->n * maker->c, n_out = 2 * maker->n;
    int last = maker->pool[maker->n_pool - 1];
    for (int64_t more = maker->n_pool / 3; more > 0; more--) /* so that most of the graph matters to the loss */
        last = add_sum(maker, last, any_of(maker));
    last = graph_view(graph, last, 0, fresh_name(maker, "last"), 2, (int64_t[]){maker->b, width});
    int y = add_linear(maker, last, width, n_out, NO_TENSOR),
        z = new_tensor(maker, TENSOR_ACTIVATION, 2, maker->b, n_out, 1, 1);
    struct op op = {.kind = OP_ADD_LAST,
                    .samples = maker->b,
                    .rows = maker->b * maker->n,
                    .in = maker->c,
                    .out = n_out,
                    .last_offset = maker->c - 1,
                    .last_stride = maker->c,
                    .last_count = maker->n};
    add_node(maker, &op, operands_of(2, (int[]){y, maker->x}, 1, (int[]){z}));
    int target = new_tensor(maker, TENSOR_TARGET, 2, maker->b, n_out, 1, 1);
    int mask = below(maker, 2) ? new_tensor(maker, TENSOR_MASK, 2, maker->b, n_out, 1, 1) : NO_TENSOR;
    int dy = new_tensor(maker, TENSOR_ACTIVATION, 2, maker->b, n_out, 1, 1);
    graph->loss_sums = new_tensor(maker, TENSOR_GRAD, 1, 2, 1, 1, 1);
    struct op loss = {
        .kind = OP_LOSS, .samples = maker->b, .out = n_out, .loss = losses[below(maker, 3)], .huber_delta = 0.7};
    add_node(maker, &loss, operands_of(3, (int[]){z, target, mask}, 2, (int[]){graph->loss_sums, dy}));
}

/* a + scale * (low-rank product of a dropped x), on one part of a's columns. */
static void make_adapter(struct maker *maker)
{
    int x = any_of(maker), parts = 1 + (int)below(maker, 3);
    int a = add_linear(maker, any_of(maker), maker->c, parts * maker->c, NO_TENSOR);
    int dropped = field(maker, maker->c), sum = field(maker, parts * maker->c);
    struct op dropout = {.kind = OP_DROPOUT,
                         .rows = maker->b * maker->n,
                         .in = maker->c,
                         .dropout = 0.3,
                         .site = (uint32_t)maker->n_names};
    add_node(maker, &dropout, operands_of(1, &x, 1, &dropped));
    int b = add_linear(maker, dropped, maker->c, maker->c, NO_TENSOR);
    struct op add = {.kind = OP_ADD_PART,
                     .rows = maker->b * maker->n,
                     .in = maker->c,
                     .parts = parts,
                     .part = (int)below(maker, (uint64_t)parts),
                     .scale = 1.7};
    add_node(maker, &add, operands_of(2, (int[]){a, b}, 1, &sum));
    keep(maker, add_linear(maker, sum, parts * maker->c, maker->c, NO_TENSOR));
    keep(maker, b);
}

static int add_activation(struct maker *maker, int x)
{
    const struct tensor shape = maker->graph.tensors[x];
    int64_t width = shape.dims[shape.n_dims - 1];
    struct op op = {.kind = OP_ACTIVATION,
                    .rows = shape.elements / width,
                    .out = width,
                    .act = below(maker, 2) ? ACT_GELU : ACT_RELU};
    int y = field(maker, width);
    add_node(maker, &op, operands_of(1, &x, 1, &y));
    return y;
}

static void make_activation(struct maker *maker)
{
    keep(maker, add_activation(maker, any_of(maker)));
}

/* Columns dealt to groups, some of which pass through an activation, and joined again. */
static void make_groups(struct maker *maker)
{
    int x = any_of(maker), y = field(maker, maker->c);
    struct operands operands = no_operands();
    struct op op = {
        .kind = OP_SPLIT_HEADS, .rows = maker->b * maker->n, .parts = 1, .heads = maker->c, .head_width = 1};
    op.groups = 1 + (int64_t)below(maker, (uint64_t)(maker->c < OP_MAX_OUT ? maker->c : OP_MAX_OUT));
    if (maker->c % 2 == 0 && op.groups <= maker->c / 2)
        op.parts = 2, op.heads = maker->c / 2;
    for (int64_t g = 0; g < op.groups; g++) {
        int64_t first;
        operands.out[g] = field(maker, op.parts * op_group_heads(op.heads, op.groups, g, &first));
    }
    operands.in[0] = x;
    add_node(maker, &op, operands);
    struct operands join = no_operands();
    for (int64_t g = 0; g < op.groups; g++)
        join.in[g] = below(maker, 2) ? add_activation(maker, operands.out[g]) : operands.out[g];
    op.kind = OP_JOIN_HEADS;
    join.out[0] = y;
    add_node(maker, &op, join);
    keep(maker, y);
}

/* A frozen linear in two pieces of its rows. */
static void make_shards(struct maker *maker)
{
    int64_t c = maker->c, upper = c - c / 2;
    int x = any_of(maker), w = new_tensor(maker, TENSOR_PARAM, 2, c, c, 1, 1), y = field(maker, c);
    maker->graph.tensors[w].trainable = 0;
    if (c < 2)
        return;
    struct op join = {
        .kind = OP_JOIN_HEADS, .rows = maker->b * maker->n, .parts = 1, .heads = c, .head_width = 1, .groups = 2};
    int piece[2];
    for (int s = 1; s >= 0; s--) {
        int64_t rows = s ? c / 2 : upper;
        int view = graph_view(&maker->graph, w, s ? upper * c : 0, fresh_name(maker, "view"), 2, (int64_t[]){rows, c});
        piece[s] = add_linear(maker, x, c, rows, view);
    }
    add_node(maker, &join, operands_of(2, piece, 1, &y));
    keep(maker, y);
}

static void make_graph(struct maker *maker, struct arena *arena, uint32_t seed)
{
    static void (*const steps[])(struct maker *) = {
        make_linear, make_norm,      make_residual_linear, make_add,        make_shared_norm, make_positions,
        make_concat, make_attention, make_flat_linear,     make_adapter,    make_activation,  make_groups,
        make_shards, make_stream,    make_embeddings,      make_permutation};
    *maker = (struct maker){.key = rng_key(60, RNG_TEST, seed), .weight = NO_TENSOR};
    graph_init(&maker->graph, arena);
    maker->b = 1 + (int64_t)below(maker, 2);
    maker->n = 1 + (int64_t)below(maker, 4);
    maker->heads = 1 + (int64_t)below(maker, 2);
    maker->c = maker->heads * (1 + (int64_t)below(maker, 3));
    maker->x = keep(maker, new_tensor(maker, TENSOR_INPUT, 3, maker->b, maker->n, maker->c, 1));
    maker->weight = new_tensor(maker, TENSOR_PARAM, 2, maker->c, maker->c, 1, 1);
    int n_steps = 2 + (int)below(maker, 10);
    make_linear(maker);
    for (int i = 0; i < n_steps; i++)
        steps[below(maker, sizeof steps / sizeof *steps)](maker);
    add_end(maker);
}

/* Central difference of the loss sum along one element. */
static double difference(struct interpreter *it, int param, int64_t i, double step)
{
    double value = interpreter_get(it, param, i);
    interpreter_put(it, param, i, value + step);
    double up = interpreter_loss(it);
    interpreter_put(it, param, i, value - step);
    double down = interpreter_loss(it);
    interpreter_put(it, param, i, value);
    return (up - down) / (2 * step);
}

/* Compares up to three elements of a parameter's gradient; returns how many. */
static int check_param(struct interpreter *it, int param, const double *grad, uint32_t seed)
{
    const double step = 1e-6;
    const struct tensor *tensor = &it->graph->tensors[param];
    struct rng_key key = rng_key(61, RNG_TEST, seed);
    for (int n = 0; n < 3; n++) {
        int64_t i = (int64_t)rng_below(key, (uint32_t)param, (uint64_t)n, (uint64_t)tensor->elements);
        double numeric = difference(it, param, i, step), scale = fmax(1, fmax(fabs(numeric), fabs(grad[i])));
        ck_assert_msg(fabs(numeric - grad[i]) < 2e-6 * scale,
                      "graph %u: gradient of %s[%lld]: %.12g, by differences %.12g", seed, tensor->name, (long long)i,
                      grad[i], numeric);
    }
    return 3;
}

static int check_gradients(struct interpreter *it, uint32_t seed)
{
    const struct graph *graph = it->graph;
    int checked = 0;
    double **grads = calloc((size_t)graph->n_tensors, sizeof *grads);
    interpreter_run(it, PHASE_BACKWARD);
    for (int t = 0; t < graph->n_tensors; t++) {
        if (graph->tensors[t].role != TENSOR_PARAM || graph->tensors[t].grad == NO_TENSOR)
            continue;
        grads[t] = malloc((size_t)graph->tensors[t].elements * sizeof **grads);
        for (int64_t i = 0; i < graph->tensors[t].elements; i++)
            grads[t][i] = interpreter_get(it, graph->tensors[t].grad, i);
    }
    for (int t = 0; t < graph->n_tensors; t++)
        if (grads[t])
            checked += check_param(it, t, grads[t], seed);
    for (int t = 0; t < graph->n_tensors; t++)
        free(grads[t]);
    free(grads);
    return checked;
}

START_TEST(random_graphs_agree_with_differences)
{
    struct arena *arena = arena_new();
    struct maker maker;
    make_graph(&maker, arena, (uint32_t)_i);
    autodiff(&maker.graph);
    struct interpreter it;
    interpreter_open(&it, &maker.graph, FORMAT_FP64);
    interpreter_randomise(&it, 100 + (uint64_t)_i);
    check_gradients(&it, (uint32_t)_i);
    interpreter_close(&it);
    arena_free(arena);
}
END_TEST

/* A parameter without a gradient must not matter to the loss, or be frozen. */
START_TEST(what_has_no_gradient_does_not_matter)
{
    struct arena *arena = arena_new();
    struct maker maker;
    make_graph(&maker, arena, (uint32_t)_i);
    autodiff(&maker.graph);
    struct interpreter it;
    interpreter_open(&it, &maker.graph, FORMAT_FP64);
    interpreter_randomise(&it, 100 + (uint64_t)_i);
    for (int t = 0; t < maker.graph.n_tensors; t++) {
        const struct tensor *tensor = &maker.graph.tensors[t];
        if (tensor->role != TENSOR_PARAM)
            continue;
        if (!tensor->trainable)
            ck_assert_int_eq(tensor->grad, NO_TENSOR);
        else if (tensor->grad == NO_TENSOR)
            ck_assert_double_eq(difference(&it, t, tensor->elements / 2, 0.1), 0);
    }
    interpreter_close(&it);
    arena_free(arena);
}
END_TEST

/* Every node of the backward pass serves: what it writes is read later, or is a parameter's gradient. */
static int is_used(const struct graph *graph, int from, int tensor)
{
    for (int n = from; n < graph->n_nodes; n++)
        for (int i = 0; i < OP_MAX_IN; i++) {
            int t = graph->nodes[n].in[i];
            for (; t != NO_TENSOR; t = graph->tensors[t].base)
                if (t == tensor)
                    return 1;
        }
    return 0;
}

START_TEST(nothing_is_computed_in_vain)
{
    struct arena *arena = arena_new();
    struct maker maker;
    make_graph(&maker, arena, (uint32_t)_i);
    struct graph *graph = &maker.graph;
    autodiff(graph);
    for (int n = 0; n < graph->n_nodes; n++) {
        const struct node *node = &graph->nodes[n];
        if (node->phase != PHASE_BACKWARD)
            continue;
        int used = 0;
        for (int o = 0; o < OP_MAX_OUT; o++) {
            int t = node->out[o];
            for (; t != NO_TENSOR && graph->tensors[t].base != NO_TENSOR;)
                t = graph->tensors[t].base;
            if (t != NO_TENSOR)
                used = used || graph->tensors[t].role == TENSOR_GRAD || is_used(graph, n + 1, t);
        }
        ck_assert_msg(used, "graph %d: node %s (%s) serves nothing", _i, node->name, op_name(node->op.kind));
    }
    arena_free(arena);
}
END_TEST

/* x -> two linears with frozen or trained parameters -> loss. */
static void two_linears(struct maker *maker, struct arena *arena, int first_trained, int second_trained)
{
    *maker = (struct maker){.key = rng_key(62, RNG_TEST, 0), .b = 2, .n = 3, .c = 4, .heads = 2, .weight = NO_TENSOR};
    graph_init(&maker->graph, arena);
    maker->x = keep(maker, new_tensor(maker, TENSOR_INPUT, 3, 2, 3, 4, 1));
    keep(maker, add_linear(maker, maker->x, 4, 4, NO_TENSOR));
    int n_first = maker->graph.n_tensors;
    add_end(maker);
    for (int t = 0; t < maker->graph.n_tensors; t++)
        if (maker->graph.tensors[t].role == TENSOR_PARAM)
            maker->graph.tensors[t].trainable = t < n_first ? first_trained : second_trained;
}

static int count_nodes(const struct graph *graph, enum op_kind kind)
{
    int count = 0;
    for (int n = 0; n < graph->n_nodes; n++)
        count += graph->nodes[n].op.kind == kind;
    return count;
}

START_TEST(frozen_parameters_cost_no_gradient)
{
    const int expected[4][2] = {{0, 0}, {1, 0}, {1, 1}, {2, 1}}; /* LINEAR_DW, LINEAR_DX: no dx of the input */
    for (int i = 0; i < 4; i++) {
        struct arena *arena = arena_new();
        struct maker maker;
        two_linears(&maker, arena, i >> 1, i & 1);
        int forward = maker.graph.n_nodes;
        autodiff(&maker.graph);
        ck_assert_int_eq(count_nodes(&maker.graph, OP_LINEAR_DW), expected[i][0]);
        ck_assert_int_eq(count_nodes(&maker.graph, OP_LINEAR_DX), expected[i][1]);
        if (i == 0)
            ck_assert_int_eq(maker.graph.n_nodes, forward);
        arena_free(arena);
    }
}
END_TEST

static void check_part(const struct graph *graph, int part, int block, int64_t offset)
{
    ck_assert_int_eq(graph->tensors[part].base, block);
    ck_assert_int_eq(graph->tensors[part].offset, offset);
}

static void check_blocks(const struct graph *graph, int64_t frozen)
{
    int64_t offset = 0, n = graph_param_elements(graph, 1);
    int before = -1;
    for (int t = 0; t < graph->n_tensors; t++) {
        const struct tensor *tensor = &graph->tensors[t];
        if (tensor->role != TENSOR_PARAM || !tensor->trainable)
            continue;
        ck_assert_int_gt(t, before);
        check_part(graph, t, graph->params, offset);
        check_part(graph, tensor->grad, graph->grads, offset);
        offset += tensor->elements;
        before = t;
    }
    ck_assert_int_eq(offset, n);
    ck_assert_int_eq(graph->tensors[graph->params].elements, n);
    ck_assert_int_eq(graph->tensors[graph->grads].elements, n + 2);
    check_part(graph, graph->loss_sums, graph->grads, n);
    ck_assert_int_eq(graph_param_elements(graph, 0), n + frozen);
}

START_TEST(optimiser_works_on_blocks)
{
    struct arena *arena = arena_new();
    struct maker maker;
    int clipped = _i / 3, kind = _i % 3;
    two_linears(&maker, arena, 1, 1);
    struct graph *graph = &maker.graph;
    int frozen = graph->nodes[0].in[1];
    graph->tensors[frozen].trainable = 0;
    autodiff(graph);
    struct optimiser optimiser = {(enum optimiser_kind)kind, 0.9, 0.999, 1e-8, 0.01, clipped ? 1.5 : 0};
    int64_t all = graph_param_elements(graph, 0);
    graph_add_update(graph, &optimiser);
    check_blocks(graph, graph->tensors[frozen].elements);
    ck_assert_int_eq(graph_param_elements(graph, 0), all);
    ck_assert_int_eq(graph->tensors[frozen].base, NO_TENSOR);
    const struct node *update = &graph->nodes[graph->n_nodes - 1];
    ck_assert_int_eq(update->op.kind, OP_UPDATE);
    ck_assert_int_eq(update->op.rows, graph->tensors[graph->params].elements);
    ck_assert_int_eq(update->phase, PHASE_UPDATE);
    ck_assert_int_eq(update->out[1] == NO_TENSOR, kind == OPTIMISER_SGD);
    ck_assert_int_eq(update->in[2] == NO_TENSOR, !clipped);
    ck_assert_int_eq(count_nodes(graph, OP_SQUARE_SUM), clipped);
    arena_free(arena);
}
END_TEST

/* One step of gradient descent without decay: p - lr * g / count, g clipped to a norm. */
START_TEST(update_divides_by_the_count_and_clips)
{
    const double rate = 0.1, clip_norm = 0.01;
    struct arena *arena = arena_new();
    struct maker maker;
    two_linears(&maker, arena, 1, 1);
    struct graph *graph = &maker.graph;
    autodiff(graph);
    struct optimiser optimiser = {.kind = OPTIMISER_SGD, .clip_norm = _i ? clip_norm : 0};
    graph_add_update(graph, &optimiser);
    struct interpreter it;
    interpreter_open(&it, graph, FORMAT_FP64);
    interpreter_randomise(&it, 5);
    it.context.learning_rate = rate;
    int64_t n = graph->tensors[graph->params].elements;
    double *before = malloc((size_t)n * sizeof *before), squares = 0, moved = 0;
    for (int64_t i = 0; i < n; i++)
        before[i] = interpreter_get(&it, graph->params, i);
    interpreter_run(&it, PHASE_UPDATE);
    double count = interpreter_get(&it, graph->loss_sums, 1);
    ck_assert_double_gt(count, 1);
    for (int64_t i = 0; i < n; i++) {
        double g = interpreter_get(&it, graph->grads, i) / count,
               step = before[i] - interpreter_get(&it, graph->params, i);
        squares += g * g;
        moved += step * step;
        if (!_i)
            ck_assert_double_eq_tol(step, rate * g, 1e-12);
    }
    ck_assert_double_gt(sqrt(squares), clip_norm);
    ck_assert_double_eq_tol(sqrt(moved), rate * (_i ? clip_norm : sqrt(squares)), 1e-9);
    free(before);
    interpreter_close(&it);
    arena_free(arena);
}
END_TEST

/* What a model must not build. Each case changes one thing of a node that is right. */
static void build_case(int which)
{
    struct arena *arena = arena_new();
    struct graph graph;
    graph_init(&graph, arena);
    int x = graph_tensor(&graph, TENSOR_INPUT, "x", 3, (int64_t[]){2, 3, 4});
    int w = graph_tensor(&graph, TENSOR_PARAM, "w", 2, (int64_t[]){5, 4});
    int b = graph_tensor(&graph, TENSOR_PARAM, "b", 1, (int64_t[]){5});
    int y = graph_tensor(&graph, TENSOR_ACTIVATION, "y", 3, (int64_t[]){2, 3, 5});
    struct op op = {.kind = OP_LINEAR, .rows = 6, .in = 4, .out = 5};
    struct operands operands = operands_of(3, (int[]){x, w, b}, 1, &y);
    int *in = operands.in, *out = operands.out;
    switch (which) {
    case 1:
        op.rows = 5;
        break;
    case 2:
        in[1] = NO_TENSOR;
        break;
    case 3:
        in[3] = b;
        break;
    case 4:
        in[2] = w;
        break;
    case 5:
        out[0] = graph_tensor(&graph, TENSOR_ACTIVATION, "t", 3, (int64_t[]){2, 5, 3});
        break;
    case 6:
        out[1] = graph_tensor(&graph, TENSOR_ACTIVATION, "t", 3, (int64_t[]){2, 3, 5});
        break; /* pre, without gelu */
    case 7:
        op.accumulate = 1;
        break;
    case 8:
        out[0] = graph_tensor(&graph, TENSOR_PARAM, "t", 3, (int64_t[]){2, 3, 5});
        break;
    case 9:
        graph_view(&graph, x, 1, "v", 1, (int64_t[]){24});
        break;
    case 10:
        op = (struct op){.kind = OP_ALLREDUCE, .rows = 24};
        break;
    case 11:
        in[0] = 99;
        break;
    case 12:
        graph_tensor(&graph, TENSOR_ACTIVATION, "t", 2, (int64_t[]){3, 0});
        break;
    case 13:
        graph_tensor(&graph, TENSOR_ACTIVATION, "t", 2, (int64_t[]){INT64_MAX / 2, 3});
        break;
    case 14:
        op.in = 5;
        op.out = 4;
        out[0] = x;
        in[0] = y;
        in[1] = graph_view(&graph, w, 0, "v", 2, (int64_t[]){4, 5});
        in[2] = NO_TENSOR;
        in[0] = graph_view(&graph, x, 0, "u", 2, (int64_t[]){6, 4});
        break;
    case 15:
        op.dropout = 1;
        break;
    case 16:
        op = (struct op){.kind = OP_DROPOUT, .rows = 6, .in = 4};
        operands = operands_of(1, &x, 1, (int[]){graph_tensor(&graph, TENSOR_ACTIVATION, "t", 2, (int64_t[]){6, 4})});
        break; /* drops nothing */
    case 17:
        op = (struct op){.kind = OP_PART, .rows = 6, .in = 2, .parts = 2, .part = 2};
        operands = operands_of(1, &x, 1, (int[]){graph_tensor(&graph, TENSOR_ACTIVATION, "t", 2, (int64_t[]){6, 2})});
        break;
    case 18:
        op = (struct op){.kind = OP_SPLIT_HEADS, .rows = 6, .heads = 4, .head_width = 1, .parts = 1, .groups = 5};
        operands = operands_of(1, &x, 0, NULL);
        break;
    case 19:
        op = (struct op){.kind = OP_ACTIVATION, .rows = 6, .out = 4};
        operands = operands_of(1, &x, 1, (int[]){graph_tensor(&graph, TENSOR_ACTIVATION, "t", 2, (int64_t[]){6, 4})});
        break;
    default:
        break;
    }
    graph_node(&graph, &op, in, out, PHASE_FORWARD, -1, "n");
    arena_free(arena);
}

enum { WRONG_CASES = 19 };

static int aborts(void (*build)(int), int which)
{
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        build(which);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

START_TEST(misshapen_nodes_are_refused)
{
    ck_assert_int_eq(aborts(build_case, 0), 0);
    for (int which = 1; which <= WRONG_CASES; which++)
        ck_assert_msg(aborts(build_case, which), "case %d was accepted", which);
}
END_TEST

/* 0: right. 1: a trained parameter stands outside of the loss. 2: nothing is trained. 3: two optimisers. 4: two losses.
 */
static void update_case(int which)
{
    struct arena *arena = arena_new();
    struct maker maker;
    two_linears(&maker, arena, which != 2, which != 2);
    if (which == 1)
        maker.graph.tensors[new_tensor(&maker, TENSOR_PARAM, 1, 4, 1, 1, 1)].trainable = 1;
    if (which == 4)
        add_end(&maker);
    autodiff(&maker.graph);
    struct optimiser optimiser = {.kind = OPTIMISER_SGD};
    graph_add_update(&maker.graph, &optimiser);
    if (which == 3)
        graph_add_update(&maker.graph, &optimiser);
    arena_free(arena);
}

START_TEST(updates_without_sense_are_refused)
{
    ck_assert_int_eq(aborts(update_case, 0), 0);
    for (int which = 1; which <= 4; which++)
        ck_assert_msg(aborts(update_case, which), "case %d was accepted", which);
}
END_TEST

/* 0: right. 1: a trained piece of a parameter. 2: a piece of a trained parameter. 3: a group of heads that nothing
 * uses. 4: an operand is overwritten. */
static void gradient_case(int which)
{
    struct arena *arena = arena_new();
    struct graph graph;
    graph_init(&graph, arena);
    int x = graph_tensor(&graph, TENSOR_INPUT, "x", 2, (int64_t[]){3, 4});
    int w = graph_tensor(&graph, TENSOR_PARAM, "w", 2, (int64_t[]){6, 4});
    int v = graph_view(&graph, w, 0, "v", 2, (int64_t[]){4, 4});
    int y = graph_tensor(&graph, TENSOR_ACTIVATION, "y", 2, (int64_t[]){3, 4});
    int z = graph_tensor(&graph, TENSOR_ACTIVATION, "z", 2, (int64_t[]){3, 4});
    int half[2] = {graph_tensor(&graph, TENSOR_ACTIVATION, "h0", 2, (int64_t[]){3, 2}),
                   graph_tensor(&graph, TENSOR_ACTIVATION, "h1", 2, (int64_t[]){3, 2})};
    int u = graph_tensor(&graph, TENSOR_PARAM, "u", 2, (int64_t[]){4, 4});
    graph.tensors[u].trainable = 1;
    graph.tensors[v].trainable = which == 1;
    graph.tensors[w].trainable = which == 2;
    struct op linear = {.kind = OP_LINEAR, .rows = 3, .in = 4, .out = 4};
    struct operands operands = operands_of(2, (int[]){x, u}, 1, &y);
    graph_node(&graph, &linear, operands.in, operands.out, PHASE_FORWARD, -1, "l0");
    operands = operands_of(2, (int[]){y, v}, 1, &z);
    graph_node(&graph, &linear, operands.in, operands.out, PHASE_FORWARD, -1, "l1");
    struct op split = {.kind = OP_SPLIT_HEADS, .rows = 3, .parts = 1, .heads = 4, .head_width = 1, .groups = 2};
    operands = operands_of(1, &z, which == 3 ? 1 : 2, half);
    graph_node(&graph, &split, operands.in, operands.out, PHASE_FORWARD, -1, "split");
    struct op add = {.kind = OP_ADD, .rows = 6};
    int sum = which == 4 ? half[0] : graph_tensor(&graph, TENSOR_ACTIVATION, "sum", 2, (int64_t[]){3, 2});
    operands = operands_of(2, (int[]){half[0], half[which != 3]}, 1, &sum);
    graph_node(&graph, &add, operands.in, operands.out, PHASE_FORWARD, -1, "add");
    int target = graph_tensor(&graph, TENSOR_TARGET, "target", 2, (int64_t[]){3, 2});
    int dy = graph_tensor(&graph, TENSOR_ACTIVATION, "dy", 2, (int64_t[]){3, 2});
    graph.loss_sums = graph_tensor(&graph, TENSOR_GRAD, "sums", 1, (int64_t[]){2});
    struct op loss = {.kind = OP_LOSS, .samples = 3, .out = 2};
    operands = operands_of(2, (int[]){sum, target}, 2, (int[]){graph.loss_sums, dy});
    graph_node(&graph, &loss, operands.in, operands.out, PHASE_FORWARD, -1, "loss");
    autodiff(&graph);
    arena_free(arena);
}

START_TEST(gradients_without_sense_are_refused)
{
    ck_assert_int_eq(aborts(gradient_case, 0), 0);
    for (int which = 1; which <= 4; which++)
        ck_assert_msg(aborts(gradient_case, which), "case %d was accepted", which);
}
END_TEST

START_TEST(names_and_views_are_found)
{
    struct arena *arena = arena_new();
    struct graph graph;
    graph_init(&graph, arena);
    char name[16] = "t0";
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "t%d", i);
        ck_assert_int_eq(graph_tensor(&graph, TENSOR_ACTIVATION, name, 2, (int64_t[]){i + 1, 2}), i);
    }
    int view = graph_view(&graph, graph_find(&graph, "t7"), 3, "view", 1, (int64_t[]){5});
    ck_assert_int_eq(graph_find(&graph, "view"), view);
    ck_assert_int_eq(graph_find(&graph, "t199"), 199);
    ck_assert_int_eq(graph_find(&graph, "t200"), NO_TENSOR);
    ck_assert_int_eq(graph.tensors[199].elements, 400);
    check_part(&graph, view, 7, 3);
    arena_free(arena);
}
END_TEST

Suite *suite_graph(void)
{
    Suite *suite = suite_create("graph");
    TCase *gradients = tcase_create("gradients"), *structure = tcase_create("structure");
    tcase_set_timeout(gradients, 60);
    tcase_add_loop_test(gradients, random_graphs_agree_with_differences, 0, RANDOM_GRAPHS);
    tcase_add_loop_test(gradients, what_has_no_gradient_does_not_matter, 0, RANDOM_GRAPHS / 3);
    tcase_add_loop_test(gradients, nothing_is_computed_in_vain, 0, RANDOM_GRAPHS);
    tcase_add_loop_test(gradients, update_divides_by_the_count_and_clips, 0, 2);
    tcase_add_test(structure, frozen_parameters_cost_no_gradient);
    tcase_add_loop_test(structure, optimiser_works_on_blocks, 0, 6);
    tcase_add_test(structure, misshapen_nodes_are_refused);
    tcase_add_test(structure, updates_without_sense_are_refused);
    tcase_add_test(structure, gradients_without_sense_are_refused);
    tcase_add_test(structure, names_and_views_are_found);
    suite_add_tcase(suite, gradients);
    suite_add_tcase(suite, structure);
    return suite;
}
