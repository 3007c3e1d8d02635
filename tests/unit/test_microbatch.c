/* A step on n micro-batches is the step on all their samples: outputs, loss sums, gradients, dropout masks, order. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "graph/autodiff.h"
#include "graph/microbatch.h"
#include "low_model.h"

Suite *suite_microbatch(void);

enum { RANDOM_STEPS = 60 };

/* The same model for all samples at once, for one micro-batch, and for n of them. */
struct steps {
    struct arena *arena;
    struct model_config config;
    struct graph whole, small, many;
    int n, *stage, *origin;
    int64_t samples; /* of a micro-batch */
};

static void build(struct graph *graph, const struct model_config *config, int64_t samples, struct arena *arena)
{
    graph_init(graph, arena);
    family_build(config, samples, 1, 0, graph);
    autodiff(graph);
}

static void steps_init(struct steps *steps, uint32_t seed, int n)
{
    struct model_config config = low_family(seed);
    if (seed % 3 == 0)
        config.encoder = random_config(seed);
    config.traffic.adapter.alpha = 1; /* large scores magnify rounding, and so does the norm of a narrow row */
    config.traffic.d_model *= 4;
    if (seed % 2 == 0)
        config.encoder.dropout = config.encoder.adapter.dropout = config.traffic.adapter.dropout = 0.4;
    *steps =
        (struct steps){.arena = arena_new(), .config = config, .n = n, .samples = 1 + (int64_t)below(seed, 100, 3)};
    build(&steps->whole, &config, steps->samples * n, steps->arena);
    build(&steps->small, &config, steps->samples, steps->arena);
    steps->stage = arena_array(steps->arena, (size_t)steps->small.n_nodes + 1, sizeof *steps->stage);
    for (int i = 1; i < steps->small.n_nodes; i++)
        steps->stage[i] = steps->stage[i - 1] + (below(seed, 200 + (uint64_t)i, 4) == 0);
    steps->origin = graph_microbatches(&steps->small, n, steps->samples, steps->stage, steps->arena, &steps->many);
    ck_assert_int_eq(steps->whole.n_nodes, steps->small.n_nodes);
}

/* Nodes of `many` that are copies; additions follow. */
static int n_copies(const struct steps *steps)
{
    return steps->n * steps->small.n_nodes;
}

static int micro_batch_of(const struct steps *steps, int node)
{
    return (int)(steps->many.nodes[node].op.first_sample / steps->samples);
}

/* Samples m * samples .. of what the whole step loads; parameters by name. */
static void give_values(const struct steps *steps, const struct interpreter *whole, struct interpreter *many)
{
    for (int t = 0; t < steps->many.n_tensors; t++) {
        const struct tensor *tensor = &steps->many.tensors[t];
        int there = graph_find(&steps->whole, tensor->name);
        for (int64_t e = 0; tensor->role == TENSOR_PARAM && tensor->base == NO_TENSOR && e < tensor->elements; e++)
            interpreter_put(many, t, e, interpreter_get(whole, there, e));
    }
    for (int j = 0; j < n_copies(steps); j++) {
        const struct node *node = &steps->many.nodes[j];
        for (int k = 0; node->op.kind == OP_LOAD && k < OP_MAX_OUT; k++) {
            int from = steps->whole.nodes[steps->origin[j]].out[k], to = node->out[k];
            int64_t first = to == NO_TENSOR ? 0 : micro_batch_of(steps, j) * steps->many.tensors[to].elements;
            for (int64_t e = 0; to != NO_TENSOR && e < steps->many.tensors[to].elements; e++)
                interpreter_put(many, to, e, interpreter_get(whole, from, first + e));
        }
    }
}

static double largest(const struct interpreter *it, int t)
{
    double most = 1;
    for (int64_t e = 0; e < it->graph->tensors[t].elements; e++)
        most = fmax(most, fabs(interpreter_get(it, t, e)));
    return most;
}

static void check_equal(const struct interpreter *whole, int a, int64_t first, const struct interpreter *many, int b,
                        double tolerance)
{
    double room = tolerance * largest(whole, a);
    for (int64_t e = 0; e < many->graph->tensors[b].elements; e++) {
        double left = interpreter_get(whole, a, first + e), right = interpreter_get(many, b, e);
        ck_assert_msg(fabs(left - right) <= room, "%s, element %lld: %.17g, in micro-batches %.17g",
                      many->graph->tensors[b].name, (long long)e, left, right);
    }
}

/* What belongs to samples is that of each of them, what is summed over samples is the sum: within rounding, since the
 * order of a product's sums depends on how many rows it has. What is loaded is equal to the last bit. */
static void check_outputs(const struct steps *steps, const struct interpreter *whole, const struct interpreter *many)
{
    int is_double = whole->element_bytes == sizeof(double), summed = 0;
    for (int j = 0; j < n_copies(steps); j++)
        for (int k = 0; k < OP_MAX_OUT; k++) {
            int a = steps->whole.nodes[steps->origin[j]].out[k], b = steps->many.nodes[j].out[k];
            ck_assert_int_eq(a == NO_TENSOR, b == NO_TENSOR);
            if (b == NO_TENSOR)
                continue;
            int64_t elements = steps->many.tensors[b].elements;
            int m = micro_batch_of(steps, j);
            if (steps->whole.tensors[a].elements == steps->n * elements) {
                check_equal(whole, a, m * elements, many, b, is_double ? 1e-11 : 2e-5);
                continue;
            }
            ck_assert_int_eq(steps->whole.tensors[a].elements, elements);
            ck_assert_int_eq(steps->many.tensors[graph_root(&steps->many, b)].role, TENSOR_GRAD);
            if (m == 0)
                check_equal(whole, a, 0, many, b, is_double ? 1e-11 : 2e-5);
            summed += m == 0;
        }
    ck_assert_int_gt(summed, steps->n > 1);
}

/* Even: double, odd: float. */
START_TEST(micro_batches_are_the_whole)
{
    const enum number_format format = _i / 3 % 2 ? FORMAT_FP32 : FORMAT_FP64;
    const uint32_t seed = (uint32_t)_i;
    struct steps steps;
    struct interpreter whole, many;
    steps_init(&steps, seed, 2 + (int)below(seed, 101, 4));
    interpreter_open(&whole, &steps.whole, format);
    interpreter_open(&many, &steps.many, format);
    low_randomise(&whole, &steps.config, seed);
    give_values(&steps, &whole, &many);
    run_all(&whole);
    run_all(&many);
    check_outputs(&steps, &whole, &many);
    ck_assert_double_eq(interpreter_get(&whole, steps.whole.loss_sums, 1),
                        interpreter_get(&many, steps.many.loss_sums, 1));
    for (int t = 0; t < steps.whole.n_tensors; t++) {
        const struct tensor *tensor = &steps.whole.tensors[t];
        int there = graph_find(&steps.many, tensor->name);
        if (!is_trained(tensor) || tensor->grad == NO_TENSOR)
            continue;
        ck_assert_int_ne(there, NO_TENSOR);
        check_equal(&whole, tensor->grad, 0, &many, steps.many.tensors[there].grad,
                    format == FORMAT_FP64 ? 1e-11 : 2e-5);
    }
    interpreter_close(&whole);
    interpreter_close(&many);
    arena_free(steps.arena);
}
END_TEST

/* Of every dropout, on values that are all 1: what is dropped shows as zero. The micro-batches' masks are pieces of the
 * whole's; they are not all the same piece. */
START_TEST(masks_are_those_of_the_whole)
{
    enum { N = 4, SAMPLES = 8, TOKENS = 3, WIDTH = 5 };
    struct arena *arena = arena_new();
    struct graph small, whole, many;
    struct graph *graphs[2] = {&small, &whole};
    for (int g = 0; g < 2; g++) {
        int64_t samples = g ? N * SAMPLES : SAMPLES;
        graph_init(graphs[g], arena);
        int x = graph_tensor(graphs[g], TENSOR_INPUT, "x", 3, (int64_t[]){samples, TOKENS, WIDTH});
        int y = graph_tensor(graphs[g], TENSOR_ACTIVATION, "y", 3, (int64_t[]){samples, TOKENS, WIDTH});
        struct op op = {
            .kind = OP_DROPOUT, .samples = samples, .rows = samples * TOKENS, .in = WIDTH, .dropout = 0.5, .site = 3};
        struct operands operands = operands_of(1, &x, 1, &y);
        graph_node(graphs[g], &op, operands.in, operands.out, PHASE_FORWARD, -1, "drop");
    }
    int stage = 0;
    graph_microbatches(&small, N, SAMPLES, &stage, arena, &many);
    struct interpreter a, b;
    interpreter_open(&a, &whole, _i ? FORMAT_FP32 : FORMAT_FP64);
    interpreter_open(&b, &many, _i ? FORMAT_FP32 : FORMAT_FP64);
    interpreter_fill(&a, graph_find(&whole, "x"), 1);
    for (int j = 0; j < N; j++)
        interpreter_fill(&b, many.nodes[j].in[0], 1);
    run_all(&a);
    run_all(&b);
    int differ = 0, y = graph_find(&whole, "y");
    for (int64_t e = 0; e < N * SAMPLES * TOKENS * WIDTH; e++) {
        int64_t piece = SAMPLES * TOKENS * WIDTH;
        double kept = interpreter_get(&a, y, e);
        ck_assert_double_eq(kept, interpreter_get(&b, many.nodes[e / piece].out[0], e % piece));
        differ += kept != interpreter_get(&a, y, e % piece);
    }
    ck_assert_int_gt(differ, 10);
    interpreter_close(&a);
    interpreter_close(&b);
    arena_free(arena);
}
END_TEST

static void check_same_tensor(const struct graph *a, int s, const struct graph *b, int t)
{
    ck_assert_int_eq(s == NO_TENSOR, t == NO_TENSOR);
    if (s == NO_TENSOR)
        return;
    const struct tensor *left = &a->tensors[s], *right = &b->tensors[t];
    ck_assert_str_eq(left->name, right->name);
    ck_assert_int_eq(left->role, right->role);
    ck_assert_int_eq(left->elements, right->elements);
    ck_assert_int_eq(left->trainable, right->trainable);
    ck_assert_int_eq(left->init, right->init);
    ck_assert_uint_eq(left->init_place, right->init_place);
    ck_assert_int_eq(left->offset, right->offset);
    ck_assert_ptr_eq(left->values, right->values);
    check_same_tensor(a, left->base, b, right->base);
}

START_TEST(one_micro_batch_changes_nothing)
{
    struct steps steps;
    steps_init(&steps, (uint32_t)_i, 1);
    const struct graph *a = &steps.small, *b = &steps.many;
    ck_assert_int_eq(a->n_nodes, b->n_nodes);
    for (int i = 0; i < a->n_nodes; i++) {
        const struct node *left = &a->nodes[i], *right = &b->nodes[i];
        ck_assert_int_eq(steps.origin[i], i);
        ck_assert_str_eq(left->name, right->name);
        ck_assert_int_eq(left->phase, right->phase);
        ck_assert_int_eq(left->block, right->block);
        ck_assert_int_eq(left->op.kind, right->op.kind);
        ck_assert_int_eq(left->op.rows, right->op.rows);
        ck_assert_int_eq(left->op.samples, right->op.samples);
        ck_assert_int_eq(left->op.accumulate, right->op.accumulate);
        ck_assert_uint_eq(left->op.site, right->op.site);
        ck_assert_double_eq(left->op.dropout, right->op.dropout);
        ck_assert_int_eq(right->op.first_sample, 0);
        for (int k = 0; k < OP_MAX_IN; k++)
            check_same_tensor(a, left->in[k], b, right->in[k]);
        for (int k = 0; k < OP_MAX_OUT; k++)
            check_same_tensor(a, left->out[k], b, right->out[k]);
    }
    check_same_tensor(a, a->loss_sums, b, b->loss_sums);
    for (int t = 0; t < a->n_tensors; t++)
        if (is_trained(&a->tensors[t]))
            check_same_tensor(a, a->tensors[t].grad, b, b->tensors[graph_find(b, a->tensors[t].name)].grad);
    arena_free(steps.arena);
}
END_TEST

static int output_number(const struct node *node, int t)
{
    for (int k = 0; k < OP_MAX_OUT; k++)
        if (node->out[k] == t)
            return k;
    return -1;
}

/* The tensor of `small` whose first copy an addition adds to: its origin writes it, and no later node does. */
static void check_addition(const struct steps *steps, int j)
{
    const struct node *add = &steps->many.nodes[j];
    int origin = steps->origin[j], t = NO_TENSOR;
    ck_assert_int_eq(add->op.kind, OP_ADD);
    ck_assert_int_eq(add->in[0], add->out[0]);
    for (int i = 0; i < n_copies(steps); i++)
        if (steps->origin[i] == origin && micro_batch_of(steps, i) == 0) {
            int k = output_number(&steps->many.nodes[i], add->out[0]);
            ck_assert_msg(k >= 0, "%s does not make what is added", steps->small.nodes[origin].name);
            t = steps->small.nodes[origin].out[k];
        }
    ck_assert_int_ne(t, NO_TENSOR);
    for (int i = origin + 1; i < steps->small.n_nodes; i++)
        ck_assert_int_lt(output_number(&steps->small.nodes[i], t), 0);
}

/* Stage by stage; in a stage micro-batch by micro-batch; of a micro-batch in the order of the graph. Then the
 * additions, each in the name of the last node that wrote what it adds to. */
START_TEST(stages_come_one_after_the_other)
{
    struct steps steps;
    int n_trained = 0, n = 2 + (int)below((uint32_t)_i, 101, 4);
    steps_init(&steps, (uint32_t)_i, n);
    int *seen = arena_array(steps.arena, (size_t)steps.small.n_nodes + 1, sizeof *seen);
    for (int j = 0; j < n_copies(&steps); j++) {
        int i = steps.origin[j], m = micro_batch_of(&steps, j);
        ck_assert_int_eq(steps.many.nodes[j].op.kind, steps.small.nodes[i].op.kind);
        ck_assert_int_eq(m, seen[i]++);
        if (j == 0)
            continue;
        int before = steps.origin[j - 1], m_before = micro_batch_of(&steps, j - 1);
        int stage = steps.stage[i], stage_before = steps.stage[before];
        ck_assert(stage_before < stage || (stage_before == stage && (m_before < m || (m_before == m && before < i))));
    }
    for (int t = 0; t < steps.small.n_tensors; t++)
        n_trained += is_trained(&steps.small.tensors[t]) && steps.small.tensors[t].grad != NO_TENSOR;
    ck_assert_int_eq(steps.many.n_nodes, n_copies(&steps) + (n - 1) * (n_trained + 1));
    for (int j = n_copies(&steps); j < steps.many.n_nodes; j++)
        check_addition(&steps, j);
    arena_free(steps.arena);
}
END_TEST

Suite *suite_microbatch(void)
{
    Suite *suite = suite_create("microbatch");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, micro_batches_are_the_whole, 0, RANDOM_STEPS);
    tcase_add_loop_test(tcase, masks_are_those_of_the_whole, 0, 2);
    tcase_add_loop_test(tcase, one_micro_batch_changes_nothing, 0, 20);
    tcase_add_loop_test(tcase, stages_come_one_after_the_other, 0, 20);
    suite_add_tcase(suite, tcase);
    return suite;
}
