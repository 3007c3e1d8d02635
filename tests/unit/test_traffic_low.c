/* The traffic model with adapters and in pieces: what is trained, where random numbers come from, gradients, pieces and
 * the whole, merging, and which weights its targets mean. */
#include <check.h>
#include <math.h>

#include "graph/autodiff.h"
#include "model/adapter.h"
#include "model/family.h"
#include "model/intrinsic.h"
#include "random_encoder.h"
#include "random_traffic.h"

Suite *suite_traffic_low(void);

enum { RANDOM_MODELS = 40, SAMPLES = 2 };

struct traffic_model {
    struct arena *arena;
    struct graph graph;
    struct interpreter it;
};

static void build(struct traffic_model *model, const struct traffic_config *config, int training)
{
    struct fault fault = FAULT_NONE;
    ck_assert_msg(traffic_check(config, &fault) == STATUS_OK, "%s", fault.text);
    model->arena = arena_new();
    graph_init(&model->graph, model->arena);
    traffic_build(config, SAMPLES, training, &model->graph);
}

static void build_step(struct traffic_model *model, const struct traffic_config *config)
{
    struct optimiser adamw = {.kind = OPTIMISER_ADAMW};
    build(model, config, 1);
    autodiff(&model->graph);
    graph_add_update(&model->graph, &adamw);
}

static void open_values(struct traffic_model *model, const struct traffic_config *config, enum number_format format,
                        uint32_t seed)
{
    interpreter_open(&model->it, &model->graph, format);
    interpreter_randomise(&model->it, seed);
    give_slots(&model->it, config->slots, seed);
}

static void model_close(struct traffic_model *model)
{
    interpreter_close(&model->it);
    arena_free(model->arena);
}

static int is_adapter(const struct tensor *tensor)
{
    return strstr(tensor->name, ".lora_") != NULL;
}

/* "l0.t.wqkv", not "loss.sums". */
static int in_layer(const struct tensor *tensor)
{
    return tensor->name[0] == 'l' && tensor->name[1] >= '0' && tensor->name[1] <= '9';
}

/* Frozen weights have no gradient, no node that makes one, no place among the optimiser's; everything else has. */
START_TEST(what_is_frozen_costs_no_gradient)
{
    struct traffic_config config = traffic_in_pieces(adapted_traffic((uint32_t)_i), (uint32_t)_i);
    struct traffic_model model;
    build_step(&model, &config);
    const struct graph *graph = &model.graph;
    int64_t trained = 0, moments = 0;
    int gradients = 0;
    for (int t = 0; t < graph->n_tensors; t++) {
        const struct tensor *tensor = &graph->tensors[t];
        moments += tensor->role == TENSOR_STATE ? tensor->elements : 0;
        if (tensor->role != TENSOR_PARAM || t == graph->params)
            continue;
        int norm = strstr(tensor->name, ".ln.") != NULL;
        int expected = !in_layer(tensor) || is_adapter(tensor) || (norm && config.adapter.train_norms);
        ck_assert_msg(tensor->trainable == expected, "%s", tensor->name);
        ck_assert_msg((tensor->grad != NO_TENSOR) == expected, "%s", tensor->name);
        trained += expected ? tensor->elements : 0;
        gradients += expected && tensor->n_dims > 1 && strncmp(tensor->name, "emb.", 4) != 0;
    }
    ck_assert_int_eq(count_nodes(graph, OP_LINEAR_DW, -1), gradients);
    ck_assert_int_eq(count_nodes(graph, OP_ADD_EMBED_BWD, -1), 1);
    ck_assert_int_eq(graph->tensors[graph->params].elements, trained);
    ck_assert_int_eq(moments, 2 * trained);
    arena_free(model.arena);
}
END_TEST

/* Initial values of the model's own do not depend on adapters, those of an adapter not on the others; no two share
 * their numbers. */
START_TEST(random_numbers_are_everyones_own)
{
    struct traffic_config config = adapted_traffic((uint32_t)_i), plain = config, all = config;
    struct traffic_model with, without, most;
    plain.adapter.kind = ADAPTER_NONE;
    all.adapter.targets = ALL_ADAPTER_TARGETS;
    all.adapter.dropout = config.adapter.dropout = 0.3;
    all = traffic_in_pieces(all, (uint32_t)_i);
    build(&with, &config, 1);
    build(&without, &plain, 1);
    build(&most, &all, 1);
    for (int t = 0; t < most.graph.n_tensors; t++) {
        const struct tensor *tensor = &most.graph.tensors[t];
        if (tensor->role != TENSOR_PARAM || tensor->base != NO_TENSOR)
            continue;
        const struct graph *other = is_adapter(tensor) ? &with.graph : &without.graph;
        int there = graph_find(other, tensor->name);
        ck_assert(is_adapter(tensor) || there != NO_TENSOR);
        if (there != NO_TENSOR)
            ck_assert_uint_eq(tensor->init_place, other->tensors[there].init_place);
        for (int before = 0; before < t; before++)
            if (most.graph.tensors[before].role == TENSOR_PARAM && most.graph.tensors[before].base == NO_TENSOR)
                ck_assert_uint_ne(tensor->init_place, most.graph.tensors[before].init_place);
    }
    for (int n = 0; n < most.graph.n_nodes; n++)
        for (int k = 0; k < n && most.graph.nodes[n].op.kind == OP_DROPOUT; k++)
            if (most.graph.nodes[k].op.kind == OP_DROPOUT)
                ck_assert_uint_ne(most.graph.nodes[n].op.site, most.graph.nodes[k].op.site);
    ck_assert_int_eq(count_nodes(&most.graph, OP_DROPOUT, -1), FAMILY_MAX_TARGETS * (int)config.layers);
    arena_free(with.arena);
    arena_free(without.arena);
    arena_free(most.arena);
}
END_TEST

START_TEST(gradients_agree_with_differences)
{
    const uint32_t seed = (uint32_t)_i;
    struct traffic_config config = adapted_traffic(seed);
    if (seed % 3)
        config = traffic_in_pieces(config, seed);
    struct traffic_model model;
    build_step(&model, &config);
    open_values(&model, &config, FORMAT_FP64, seed);
    interpreter_run(&model.it, PHASE_BACKWARD);
    int64_t n = model.graph.tensors[model.graph.params].elements;
    double *grads = malloc((size_t)n * sizeof *grads);
    for (int64_t i = 0; i < n; i++)
        grads[i] = interpreter_get(&model.it, model.graph.grads, i);
    check_direction(&model.it, grads, NO_TENSOR, seed, "all parameters");
    for (int t = 0; t < model.graph.n_tensors; t++)
        if (model.graph.tensors[t].role == TENSOR_PARAM && is_adapter(&model.graph.tensors[t]))
            check_direction(&model.it, grads, t, seed, model.graph.tensors[t].name);
    free(grads);
    model_close(&model);
}
END_TEST

/* Outputs and gradients of the model in pieces are those of the model. */
START_TEST(pieces_are_the_whole)
{
    struct traffic_config config = adapted_traffic((uint32_t)_i), pieces = traffic_in_pieces(config, (uint32_t)_i);
    struct traffic_model one, many;
    build_step(&one, &config);
    build_step(&many, &pieces);
    open_values(&one, &config, FORMAT_FP64, 4);
    interpreter_open(&many.it, &many.graph, FORMAT_FP64);
    copy_values(&many.it, &one.it);
    interpreter_run(&one.it, PHASE_BACKWARD);
    interpreter_run(&many.it, PHASE_BACKWARD);
    int y = output_of(&one.graph), z = output_of(&many.graph);
    for (int64_t i = 0; i < one.graph.tensors[y].elements; i++)
        ck_assert_double_eq_tol(interpreter_get(&one.it, y, i), interpreter_get(&many.it, z, i), 1e-11);
    ck_assert_int_eq(one.graph.tensors[one.graph.params].elements, many.graph.tensors[many.graph.params].elements);
    for (int64_t i = 0; i < one.graph.tensors[one.graph.params].elements; i++) {
        double left = interpreter_get(&one.it, one.graph.grads, i),
               right = interpreter_get(&many.it, many.graph.grads, i);
        ck_assert_double_eq_tol(left, right, 1e-9 * fmax(1, fabs(left)));
    }
    model_close(&one);
    model_close(&many);
}
END_TEST

/* With B = 0, as training starts, the adapted model is the model. */
START_TEST(adapters_start_without_effect)
{
    struct traffic_config config = adapted_traffic((uint32_t)_i), plain = config;
    struct traffic_model with, without;
    plain.adapter.kind = ADAPTER_NONE;
    build_step(&with, &config);
    build_step(&without, &plain);
    open_values(&with, &config, FORMAT_FP64, 5);
    for (int t = 0; t < with.graph.n_tensors; t++)
        if (with.graph.tensors[t].role == TENSOR_PARAM && with.graph.tensors[t].init == INIT_ZERO &&
            is_adapter(&with.graph.tensors[t]))
            interpreter_fill(&with.it, t, 0);
    interpreter_open(&without.it, &without.graph, FORMAT_FP64);
    copy_values(&without.it, &with.it);
    /* with an adapter on w1 its activation is an op of its own: within rounding */
    double left = interpreter_loss(&with.it), right = interpreter_loss(&without.it);
    ck_assert_double_eq_tol(left, right, 1e-12 * fmax(1, fabs(right)));
    model_close(&with);
    model_close(&without);
}
END_TEST

/* The parameters of a model in its interpreter, as arrays. */
static struct weight_array *weights_of(const struct traffic_model *model, int *n)
{
    const struct graph *graph = &model->graph;
    struct weight_array *weights = arena_array(model->arena, (size_t)graph->n_tensors, sizeof *weights);
    *n = 0;
    for (int t = 0; t < graph->n_tensors; t++) {
        const struct tensor *tensor = &graph->tensors[t];
        if (tensor->role != TENSOR_PARAM || tensor->base != NO_TENSOR)
            continue;
        struct weight_array *weight = &weights[(*n)++];
        *weight =
            (struct weight_array){.name = tensor->name, .n_dims = tensor->n_dims, .values64 = model->it.memory[t]};
        memcpy(weight->dims, tensor->dims, sizeof weight->dims);
    }
    return weights;
}

START_TEST(a_merged_model_gives_what_the_adapted_one_gave)
{
    struct traffic_config config = adapted_traffic((uint32_t)_i), plain;
    struct traffic_model adapted, merged;
    struct weight_array *list;
    int n;
    config.steps++, config.stations++; /* one token attends to itself, whatever q and k */
    config.d_model *= 4;               /* the norm of a narrow row forgets what was added to it */
    plain = config = traffic_in_pieces(config, (uint32_t)_i);
    plain.adapter.kind = ADAPTER_NONE;
    build(&adapted, &config, 0);
    build(&merged, &plain, 0);
    open_values(&adapted, &config, FORMAT_FP64, 6);
    interpreter_open(&merged.it, &merged.graph, FORMAT_FP64);
    copy_values(&merged.it, &adapted.it);
    double scale = config.adapter.alpha / (double)config.adapter.width;
    ck_assert_double_ne(interpreter_loss(&adapted.it), interpreter_loss(&merged.it));
    const struct weight_array *weights = weights_of(&adapted, &n);
    int n_merged = adapter_merge(weights, n, scale, adapted.arena, &list);
    for (int i = 0; i < n_merged; i++) {
        int t = graph_find(&merged.graph, list[i].name);
        ck_assert_int_ne(t, NO_TENSOR);
        for (int64_t e = 0; e < merged.graph.tensors[t].elements; e++)
            interpreter_put(&merged.it, t, e, list[i].values64[e]);
    }
    interpreter_loss(&merged.it);
    int y = output_of(&adapted.graph), z = output_of(&merged.graph);
    for (int64_t i = 0; i < adapted.graph.tensors[y].elements; i++) {
        double left = interpreter_get(&adapted.it, y, i), right = interpreter_get(&merged.it, z, i);
        ck_assert_double_eq_tol(left, right, 1e-10 * fmax(1, fabs(left)));
    }
    model_close(&adapted);
    model_close(&merged);
}
END_TEST

/* What the family says of its targets is what the model has: of both families. Even: traffic. */
START_TEST(targets_are_where_adapters_are)
{
    struct model_config config = {.family = _i % 2 ? FAMILY_ENCODER : FAMILY_TRAFFIC};
    struct graph graph;
    struct arena *arena = arena_new();
    config.traffic = adapted_traffic((uint32_t)_i);
    config.encoder = random_config((uint32_t)_i);
    config.encoder.layers = config.traffic.layers;
    config.encoder.adapter = config.traffic.adapter;
    graph_init(&graph, arena);
    family_build(&config, SAMPLES, 1, 0, &graph);
    int n_adapters = 0, n_found = 0;
    struct adapter_place place;
    for (int t = 0; t < graph.n_tensors; t++) {
        if (graph.tensors[t].role != TENSOR_PARAM || !adapter_place_of(graph.tensors[t].name, arena, &place))
            continue;
        n_adapters++;
        for (int64_t layer = 0; layer < family_layers(&config); layer++) {
            struct family_weight weights[FAMILY_MAX_TARGETS];
            int n = family_targets(&config, layer, family_adapter(&config)->targets, arena, weights);
            for (int i = 0; i < n; i++)
                if (strcmp(weights[i].name, place.weight) == 0 && weights[i].part == place.part) {
                    int weight = graph_find(&graph, place.weight);
                    int b = graph_find(&graph, arena_printf(arena, "%s.lora_b", place.module));
                    ck_assert_msg(weight != NO_TENSOR, "no weight %s", place.weight);
                    ck_assert_msg(b != NO_TENSOR, "no adapter %s", place.module);
                    ck_assert_int_eq(weights[i].parts, place.parts);
                    ck_assert_int_eq(graph.tensors[b].dims[0] * place.parts, graph.tensors[weight].dims[0]);
                    n_found++;
                }
        }
    }
    ck_assert_int_gt(n_adapters, 0);
    ck_assert_int_eq(n_found, n_adapters);
    arena_free(arena);
}
END_TEST

/* What nodes of the layers use is frozen and moves with theta_d; the rest is trained as before. With theta_d = 0 the
 * model is what it was. */
START_TEST(layers_train_in_a_subspace)
{
    const enum intrinsic_kind kind = _i % 2 ? INTRINSIC_LAYERS : INTRINSIC_ALL;
    struct traffic_config config = random_traffic((uint32_t)_i);
    struct optimiser sgd = {.kind = OPTIMISER_SGD};
    struct fault fault = FAULT_NONE;
    struct traffic_model model, plain;
    config.layers = 1 + _i % 3;
    build(&plain, &config, 1);
    build(&model, &config, 1);
    int n_built = model.graph.n_tensors;
    ck_assert_msg(intrinsic_apply(&model.graph, kind, 3 + config.layers, &fault) == STATUS_OK, "%s", fault.text);
    autodiff(&model.graph);
    graph_add_update(&model.graph, &sgd);
    for (int t = 0; t < n_built; t++)
        if (model.graph.tensors[t].role == TENSOR_PARAM)
            ck_assert_msg(model.graph.tensors[t].trainable == !in_layer(&model.graph.tensors[t]), "%s",
                          model.graph.tensors[t].name);
    open_values(&model, &config, FORMAT_FP64, (uint32_t)_i);
    interpreter_run(&model.it, PHASE_BACKWARD);
    int64_t n = model.graph.tensors[model.graph.params].elements;
    double *grads = malloc((size_t)n * sizeof *grads);
    for (int64_t i = 0; i < n; i++)
        grads[i] = interpreter_get(&model.it, model.graph.grads, i);
    check_direction(&model.it, grads, NO_TENSOR, (uint32_t)_i, "all parameters");
    check_direction(&model.it, grads, graph_find(&model.graph, "theta_d"), (uint32_t)_i, "theta_d");
    free(grads);
    open_values(&plain, &config, FORMAT_FP64, 1);
    copy_values(&plain.it, &model.it);
    double moved = interpreter_loss(&model.it), was = interpreter_loss(&plain.it);
    interpreter_fill(&model.it, graph_find(&model.graph, "theta_d"), 0);
    ck_assert_double_ne(moved, was);
    ck_assert_double_eq(interpreter_loss(&model.it), was);
    model_close(&model);
    model_close(&plain);
}
END_TEST

START_TEST(impossible_adapters_are_refused_by_key)
{
    static const struct {
        const char *key;
        struct adapter_config adapter;
        struct pieces pieces;
    } cases[] = {
        {"train.adapter.width", {ADAPTER_LORA, 0, 1, 0, 1, 0, 0}, {0, 0, 0}},
        {"train.adapter.targets", {ADAPTER_LORA, 1, 1, 0, 0, 0, 0}, {0, 0, 0}},
        {"model.heads", {ADAPTER_NONE, 0, 0, 0, 0, 0, 0}, {0, 5, 0}},
        {"model.d_model", {ADAPTER_LORA, 1, 1, 0, 1, 0, 0}, {0, 0, OP_MAX_IN + 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct traffic_config config = traffic_preset();
        struct fault fault = FAULT_NONE;
        config.adapter = cases[i].adapter;
        config.pieces = cases[i].pieces;
        ck_assert_msg(traffic_check(&config, &fault) == STATUS_USAGE, "case %zu was accepted", i);
        ck_assert_msg(strstr(fault.text, cases[i].key) == fault.text, "case %zu: %s", i, fault.text);
    }
}
END_TEST

Suite *suite_traffic_low(void)
{
    Suite *suite = suite_create("traffic_low");
    TCase *tcase = tcase_create("lora");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, what_is_frozen_costs_no_gradient, 0, RANDOM_MODELS);
    tcase_add_loop_test(tcase, random_numbers_are_everyones_own, 0, 20);
    tcase_add_loop_test(tcase, gradients_agree_with_differences, 0, RANDOM_MODELS);
    tcase_add_loop_test(tcase, pieces_are_the_whole, 0, RANDOM_MODELS);
    tcase_add_loop_test(tcase, adapters_start_without_effect, 0, 20);
    tcase_add_loop_test(tcase, a_merged_model_gives_what_the_adapted_one_gave, 0, RANDOM_MODELS);
    tcase_add_loop_test(tcase, targets_are_where_adapters_are, 0, 12);
    tcase_add_loop_test(tcase, layers_train_in_a_subspace, 0, 12);
    tcase_add_test(tcase, impossible_adapters_are_refused_by_key);
    suite_add_tcase(suite, tcase);
    return suite;
}
