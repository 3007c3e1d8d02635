/* The order in which devices take up the nodes of a step: values stay, waiting goes. */
#include <check.h>
#include <string.h>

#include "graph/autodiff.h"
#include "random_encoder.h"
#include "scheduler/order.h"
#include "scheduler/place.h"

Suite *suite_order(void);

enum { RANDOM_STEPS = 60, DEVICES = 3 };

static uint64_t slow_message(const void *context, int from, int to, int64_t elements)
{
    ck_assert_int_ne(from, to);
    ck_assert_int_gt(elements, 0);
    return *(const uint64_t *)context;
}

/* A node that reads `from` and writes `to`, eight elements each. */
static void add(struct graph *graph, int from, int to)
{
    const struct op op = {.kind = OP_ACTIVATION, .act = ACT_RELU, .rows = 1, .out = 8};
    struct operands operands = operands_of(1, &from, 1, &to);
    graph_node(graph, &op, operands.in, operands.out, PHASE_FORWARD, -1, "node");
}

/* Device 1 waits for a product of device 0 although it has work of its own, which was built after it. */
START_TEST(work_fills_a_wait)
{
    struct arena *arena = arena_new();
    struct graph graph;
    int t[5], device_of[] = {1, 0, 1, 1};
    const int64_t n = 8;
    const uint64_t cost_ps[] = {10, 50, 10, 30};
    uint64_t message_ps = 5;
    graph_init(&graph, arena);
    for (int i = 0; i < 5; i++)
        t[i] = graph_tensor(&graph, TENSOR_ACTIVATION, arena_printf(arena, "t%d", i), 1, &n);
    add(&graph, t[0], t[1]);
    add(&graph, t[1], t[2]);
    add(&graph, t[2], t[3]);
    add(&graph, t[0], t[4]);
    struct order_request request = {2, cost_ps, slow_message, &message_ps};
    /* As built: 10, message 15, product 65, message 70, 80, and then 30 more. */
    ck_assert_uint_eq(order_nodes(&graph, device_of, &request), 80);
    ck_assert_int_eq(graph.nodes[1].out[0], t[4]);
    ck_assert_int_eq(graph.nodes[3].out[0], t[3]);
    static const int expected[] = {1, 1, 0, 1};
    ck_assert_mem_eq(device_of, expected, sizeof expected);
    arena_free(arena);
}
END_TEST

/* One after the other whatever it costs: readers and writers of the same memory. */
START_TEST(memory_keeps_its_order)
{
    struct arena *arena = arena_new();
    struct graph graph;
    const int64_t n = 8;
    const uint64_t cost_ps[] = {5, 5, 500, 1};
    uint64_t message_ps = 1;
    int t[4], device_of[] = {0, 0, 0, 0};
    graph_init(&graph, arena);
    for (int i = 0; i < 4; i++)
        t[i] = graph_tensor(&graph, TENSOR_ACTIVATION, arena_printf(arena, "t%d", i), 1, &n);
    add(&graph, t[0], t[1]);
    add(&graph, t[1], t[2]);
    add(&graph, t[0], t[1]); /* writes what the node before it reads */
    add(&graph, t[1], t[3]);
    struct order_request request = {1, cost_ps, slow_message, &message_ps};
    ck_assert_uint_eq(order_nodes(&graph, device_of, &request), 511);
    ck_assert_int_eq(graph.nodes[1].out[0], t[2]);
    ck_assert_int_eq(graph.nodes[3].out[0], t[3]);
    arena_free(arena);
}
END_TEST

static struct encoder_config step_config(uint32_t seed)
{
    struct encoder_config config = random_config(seed);
    config.layers = 1 + (int64_t)below(seed, 80, 2);
    config.pieces.separate_activations = 1;
    config.pieces.head_groups = 1 + (int64_t)below(seed, 81, (uint64_t)config.heads);
    config.adapter =
        (struct adapter_config){.kind = ADAPTER_LORA, .width = 2, .alpha = 4, .targets = TARGET_Q | TARGET_V};
    return config;
}

/* A whole step; the parameters in three groups as they come. */
static void build(struct model *model, const struct encoder_config *config, int64_t piece, int renamed)
{
    model_init(model, config, 3, 1);
    struct graph *graph = &model->graph;
    autodiff(graph);
    if (renamed)
        place_rename_overwritten(graph);
    int *group = arena_array(model->arena, (size_t)graph->n_tensors, sizeof *group), *node_group, n = 0;
    for (int t = 0; t < graph->n_tensors; t++) {
        int is_trained = graph->tensors[t].role == TENSOR_PARAM && graph->tensors[t].trainable;
        group[t] = is_trained ? n++ % 3 : -1;
    }
    struct optimiser optimiser = {OPTIMISER_ADAMW, 0.9, 0.99, 1e-8, 0.01, 0};
    int first = graph->n_nodes;
    graph_add_updates(graph, &optimiser, group, n < 3 ? n : 3, piece, &node_group);
    for (int i = first; i < graph->n_nodes; i++)
        ck_assert(node_group[i - first] >= 0 && node_group[i - first] < 3);
}

static void order_randomly(struct model *model, uint32_t seed)
{
    struct graph *graph = &model->graph;
    uint64_t *cost_ps = arena_array(model->arena, (size_t)graph->n_nodes, sizeof *cost_ps), load_ps[DEVICES] = {0},
             message_ps = 1 + below(seed, 90, 50);
    int *device_of = arena_array(model->arena, (size_t)graph->n_nodes, sizeof *device_of);
    for (int i = 0; i < graph->n_nodes; i++) {
        cost_ps[i] = 1 + below(seed, 1000 + 2 * (uint64_t)i, 100);
        device_of[i] = (int)below(seed, 1001 + 2 * (uint64_t)i, DEVICES);
        load_ps[device_of[i]] += graph->nodes[i].op.kind == OP_LOAD ? 0 : cost_ps[i];
    }
    struct order_request request = {DEVICES, cost_ps, slow_message, &message_ps};
    uint64_t end_ps = order_nodes(graph, device_of, &request);
    for (int d = 0; d < DEVICES; d++)
        ck_assert_uint_ge(end_ps, load_ps[d]);
}

/* All parameters after one step, bit by bit: in the order built, and reordered with updates in pieces. */
START_TEST(values_stay)
{
    uint32_t seed = (uint32_t)_i;
    struct encoder_config config = step_config(seed);
    struct model built, ordered;
    struct interpreter a, b;
    build(&built, &config, 0, 0);
    build(&ordered, &config, 1 + (int64_t)below(seed, 91, 7), 1);
    order_randomly(&ordered, seed);
    interpreter_open(&a, &built.graph, FORMAT_FP64);
    interpreter_open(&b, &ordered.graph, FORMAT_FP64);
    interpreter_randomise(&a, seed);
    copy_values(&b, &a);
    a.context.learning_rate = b.context.learning_rate = 0.01;
    interpreter_run(&a, PHASE_UPDATE);
    interpreter_run(&b, PHASE_UPDATE);
    for (int t = 0; t < built.graph.n_tensors; t++) {
        const struct tensor *tensor = &built.graph.tensors[t];
        if (tensor->role != TENSOR_PARAM || tensor->is_block)
            continue;
        int other = graph_find(&ordered.graph, tensor->name);
        for (int64_t i = 0; i < tensor->elements; i++)
            ck_assert_msg(interpreter_get(&a, t, i) == interpreter_get(&b, other, i), "seed %u: %s[%lld]: %.17g, %.17g",
                          seed, tensor->name, (long long)i, interpreter_get(&a, t, i), interpreter_get(&b, other, i));
    }
    interpreter_close(&a);
    interpreter_close(&b);
    arena_free(built.arena);
    arena_free(ordered.arena);
}
END_TEST

Suite *suite_order(void)
{
    Suite *suite = suite_create("order");
    TCase *cases = tcase_create("order");
    tcase_add_test(cases, work_fills_a_wait);
    tcase_add_test(cases, memory_keeps_its_order);
    tcase_add_loop_test(cases, values_stay, 0, RANDOM_STEPS);
    suite_add_tcase(suite, cases);
    return suite;
}
