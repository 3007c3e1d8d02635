/* An optimiser in groups, as devices have it, does what one for all does. */
#include <check.h>
#include <string.h>

#include "graph/autodiff.h"
#include "low_model.h"

Suite *suite_update(void);

enum { RANDOM_UPDATES = 54, STEPS = 3 };

/* A model whose optimiser is whole (n_groups = 0) or in groups. */
static int *open_grouped(struct model *model, struct interpreter *it, const struct encoder_config *config,
                         const struct optimiser *optimiser, int n_groups, uint32_t seed, enum number_format format)
{
    model_init(model, config, 2, 1);
    autodiff(&model->graph);
    struct graph *graph = &model->graph;
    int *group = arena_array(model->arena, (size_t)graph->n_tensors + 1, sizeof *group), *node_group = NULL;
    for (int t = 0, n = 0; t < graph->n_tensors; t++) /* none is empty */
        if (is_trained(&graph->tensors[t])) {
            group[t] = n < n_groups ? n : (int)below(seed, 3000 + (uint64_t)t, (uint64_t)(n_groups ? n_groups : 1));
            n++;
        }
    if (n_groups)
        graph_add_updates(graph, optimiser, group, n_groups, 0, &node_group);
    else
        graph_add_update(graph, optimiser);
    interpreter_open(it, graph, format);
    it->context.learning_rate = 0.02;
    return node_group;
}

static void close_both(struct model *a, struct interpreter *x, struct model *b, struct interpreter *y)
{
    interpreter_close(x);
    interpreter_close(y);
    arena_free(a->arena);
    arena_free(b->arena);
}

/* Some steps with both, from the same values; the largest difference of a parameter, and how far they went. */
static double difference(struct interpreter *a, struct interpreter *b, double *moved)
{
    double most = 0;
    *moved = 0;
    double *start = malloc((size_t)graph_param_elements(a->graph, 1) * sizeof *start), *at = start;
    for (int t = 0; t < a->graph->n_tensors; t++)
        for (int64_t e = 0; is_trained(&a->graph->tensors[t]) && e < a->graph->tensors[t].elements; e++)
            *at++ = interpreter_get(a, t, e);
    for (uint32_t step = 1; step <= STEPS; step++) {
        a->context.step = b->context.step = step;
        run_all(a);
        run_all(b);
    }
    at = start;
    for (int t = 0; t < a->graph->n_tensors; t++) {
        const struct tensor *tensor = &a->graph->tensors[t];
        int there = graph_find(b->graph, tensor->name);
        for (int64_t e = 0; is_trained(tensor) && e < tensor->elements; e++) {
            double left = interpreter_get(a, t, e), right = interpreter_get(b, there, e);
            ck_assert(isfinite(left) && isfinite(right));
            most = fmax(most, fabs(left - right));
            *moved = fmax(*moved, fabs(left - *at++));
        }
    }
    free(start);
    return most;
}

/* A model whose last activation passes nothing does not move. */
static int has_no_gradient(const struct interpreter *it)
{
    const struct graph *graph = it->graph;
    for (int t = 0; t < graph->n_tensors; t++)
        for (int64_t e = 0;
             graph->tensors[t].grad != NO_TENSOR && is_trained(&graph->tensors[t]) && e < graph->tensors[t].elements;
             e++)
            if (interpreter_get(it, graph->tensors[t].grad, e) != 0)
                return 0;
    return 1;
}

/* Without clipping to the last bit, in either format. With it, the squares are summed in another order. */
START_TEST(groups_update_as_one)
{
    const uint32_t seed = (uint32_t)_i;
    const enum number_format format = _i % 2 ? FORMAT_FP32 : FORMAT_FP64;
    struct encoder_config config = _i % 4 < 2 ? low_config(seed) : random_config(seed);
    struct optimiser optimiser = random_optimiser(seed);
    optimiser.kind = (enum optimiser_kind)(_i % 3);
    optimiser.clip_norm = _i / 3 % 2 ? 0.05 : 0;
    struct model one, many;
    struct interpreter a, b;
    double moved;
    open_grouped(&one, &a, &config, &optimiser, 0, seed, format);
    open_grouped(&many, &b, &config, &optimiser, 2 + (int)below(seed, 120, 2), seed, format);
    interpreter_randomise(&a, seed);
    copy_values(&b, &a);
    double most = difference(&a, &b, &moved);
    ck_assert(moved > 1e-7 || has_no_gradient(&a));
    ck_assert_double_le(most, optimiser.clip_norm > 0 ? (format == FORMAT_FP64 ? 1e-12 : 1e-4) : 0);
    close_both(&one, &a, &many, &b);
}
END_TEST

START_TEST(one_group_is_the_whole)
{
    const uint32_t seed = (uint32_t)_i;
    struct encoder_config config = low_config(seed);
    struct optimiser optimiser = random_optimiser(seed);
    struct model one, grouped;
    struct interpreter a, b;
    double moved;
    open_grouped(&one, &a, &config, &optimiser, 0, seed, FORMAT_FP64);
    open_grouped(&grouped, &b, &config, &optimiser, 1, seed, FORMAT_FP64);
    interpreter_randomise(&a, seed);
    copy_values(&b, &a);
    ck_assert_double_eq(difference(&a, &b, &moved), 0);
    ck_assert(moved > 1e-7 || has_no_gradient(&a));
    ck_assert_int_eq(one.graph.n_nodes, grouped.graph.n_nodes);
    close_both(&one, &a, &grouped, &b);
}
END_TEST

/* Each group has its own UPDATE, on its own parameters, marked with its number; all use the same norm. */
START_TEST(groups_have_their_own_nodes)
{
    const uint32_t seed = (uint32_t)_i;
    const int n_groups = 1 + (int)below(seed, 121, 3);
    struct encoder_config config = low_config(seed);
    struct optimiser optimiser = random_optimiser(seed);
    struct model model;
    struct interpreter it;
    const int *node_group = open_grouped(&model, &it, &config, &optimiser, n_groups, seed, FORMAT_FP64);
    const struct graph *graph = &model.graph;
    int first = 0, updates = 0, norm = NO_TENSOR;
    while (graph->nodes[first].phase != PHASE_UPDATE)
        first++;
    int64_t elements = 0;
    for (int i = first; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        ck_assert(node_group[i - first] >= 0 && node_group[i - first] < n_groups);
        if (node->op.kind != OP_UPDATE)
            continue;
        ck_assert_int_eq(node_group[i - first], updates++);
        ck_assert_int_eq(node->in[1], graph->loss_sums);
        ck_assert(updates == 1 || node->in[2] == norm);
        norm = node->in[2];
        elements += node->op.rows;
    }
    ck_assert_int_eq(updates, n_groups);
    ck_assert_int_eq(norm != NO_TENSOR, optimiser.clip_norm > 0);
    ck_assert_int_eq(elements, graph_param_elements(graph, 1));
    ck_assert_int_eq(graph->n_nodes - first, n_groups + (optimiser.clip_norm > 0 ? 2 * n_groups - 1 : 0));
    interpreter_close(&it);
    arena_free(model.arena);
}
END_TEST

Suite *suite_update(void)
{
    Suite *suite = suite_create("update");
    TCase *tcase = tcase_create("groups");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, groups_update_as_one, 0, RANDOM_UPDATES);
    tcase_add_loop_test(tcase, one_group_is_the_whole, 0, 20);
    tcase_add_loop_test(tcase, groups_have_their_own_nodes, 0, 20);
    suite_add_tcase(suite, tcase);
    return suite;
}
