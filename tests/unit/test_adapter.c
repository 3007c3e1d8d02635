/* LoRA: what is trained and what is not, where random numbers come from, gradients, the model in pieces, merging. */
#include <check.h>
#include <string.h>

#include "graph/autodiff.h"
#include "model/adapter.h"
#include "random_encoder.h"

Suite *suite_adapter(void);

enum { RANDOM_ADAPTERS = 60 };

/* A random model with layers and random adapters. */
static struct encoder_config adapted_config(uint32_t seed)
{
    struct encoder_config config = random_config(seed);
    config.layers = 1 + (int64_t)below(seed, 80, 2);
    config.adapter = (struct adapter_config){.kind = ADAPTER_LORA,
                                             .width = 1 + (int64_t)below(seed, 81, 4),
                                             .alpha = 2 + (double)below(seed, 82, 4),
                                             .dropout = below(seed, 83, 2) ? 0.3 : 0,
                                             .targets = 1 + (unsigned)below(seed, 84, ALL_ADAPTER_TARGETS),
                                             .train_norms = (int)below(seed, 85, 2)};
    return config;
}

/* The same model as several devices would hold it. */
static struct encoder_config in_pieces(struct encoder_config config, uint32_t seed)
{
    int64_t narrowest = config.d_model < config.ffn ? config.d_model : config.ffn;
    config.pieces.separate_activations = (int)below(seed, 86, 2);
    config.pieces.head_groups = 1 + (int64_t)below(seed, 87, (uint64_t)config.heads);
    config.pieces.matrix_shards =
        1 + (int64_t)below(seed, 88, (uint64_t)(narrowest < OP_MAX_IN ? narrowest : OP_MAX_IN));
    return config;
}

static int is_adapter(const struct tensor *tensor)
{
    return strstr(tensor->name, ".lora_") != NULL;
}

START_TEST(presets_train_the_published_numbers)
{
    static const struct {
        const char *preset;
        int64_t trained;
    } published[] = {{"swe", 7792451}, {"weather", 2451357}, {"covid", 2395250}, {"wind", 2346745}};
    struct encoder_config config;
    struct fault fault = FAULT_NONE;
    struct model model;
    ck_assert_int_eq(encoder_preset(published[_i].preset, &config, &fault), STATUS_OK);
    config.adapter = (struct adapter_config){
        .kind = ADAPTER_LORA, .width = 8, .alpha = 64, .dropout = 0.1, .targets = TARGET_Q | TARGET_V};
    model_init(&model, &config, 1, 1);
    int64_t adapters = 0;
    for (int t = 0; t < model.graph.n_tensors; t++)
        if (model.graph.tensors[t].role == TENSOR_PARAM && is_adapter(&model.graph.tensors[t]))
            adapters += model.graph.tensors[t].elements;
    ck_assert_int_eq(adapters, 196608);
    ck_assert_int_eq(graph_param_elements(&model.graph, 1), published[_i].trained);
    arena_free(model.arena);
}
END_TEST

/* Initial values and masks of the model's own do not depend on adapters, those of an adapter not on the others. */
START_TEST(random_numbers_are_everyones_own)
{
    struct encoder_config config = adapted_config((uint32_t)_i), plain = config, all = config;
    struct model with, without, most;
    plain.adapter.kind = ADAPTER_NONE;
    all.adapter.targets = ALL_ADAPTER_TARGETS;
    all.adapter.dropout = config.adapter.dropout = 0.3;
    all = in_pieces(all, (uint32_t)_i);
    model_init(&with, &config, 1, 1);
    model_init(&without, &plain, 1, 1);
    model_init(&most, &all, 1, 1);
    for (int t = 0; t < with.graph.n_tensors; t++) {
        const struct tensor *tensor = &with.graph.tensors[t];
        if (tensor->role != TENSOR_PARAM)
            continue;
        const struct graph *other = is_adapter(tensor) ? &most.graph : &without.graph;
        int there = graph_find(other, tensor->name);
        ck_assert_int_ne(there, NO_TENSOR);
        ck_assert_uint_eq(tensor->init_place, other->tensors[there].init_place);
        ck_assert_int_eq(tensor->init, other->tensors[there].init);
        for (int before = 0; before < t; before++)
            if (with.graph.tensors[before].role == TENSOR_PARAM)
                ck_assert_uint_ne(tensor->init_place, with.graph.tensors[before].init_place);
    }
    for (int n = 0; n < with.graph.n_nodes; n++) {
        const struct node *node = &with.graph.nodes[n];
        const struct graph *other = node->op.kind == OP_DROPOUT ? &most.graph : &without.graph;
        for (int k = 0; k < other->n_nodes && node->op.dropout > 0; k++)
            if (strcmp(other->nodes[k].name, node->name) == 0)
                ck_assert_uint_eq(other->nodes[k].op.site, node->op.site);
        for (int k = 0; k < n && node->op.dropout > 0; k++)
            if (with.graph.nodes[k].op.dropout > 0)
                ck_assert_uint_ne(with.graph.nodes[k].op.site, node->op.site);
    }
    arena_free(with.arena);
    arena_free(without.arena);
    arena_free(most.arena);
}
END_TEST

/* Frozen weights have no gradient, no node that makes one, no place among the optimiser's; everything else has. */
START_TEST(what_is_frozen_costs_no_gradient)
{
    struct encoder_config config = in_pieces(adapted_config((uint32_t)_i), (uint32_t)_i);
    struct model model;
    model_init(&model, &config, 2, 1);
    autodiff(&model.graph);
    struct optimiser adamw = {.kind = OPTIMISER_ADAMW};
    graph_add_update(&model.graph, &adamw);
    const struct graph *graph = &model.graph;
    int64_t trained = 0, moments = 0;
    int gradients = 0;
    for (int t = 0; t < graph->n_tensors; t++) {
        const struct tensor *tensor = &graph->tensors[t];
        moments += tensor->role == TENSOR_STATE ? tensor->elements : 0;
        if (tensor->role != TENSOR_PARAM || t == graph->params)
            continue;
        int in_layer = strncmp(tensor->name, "layers.", 7) == 0, norm = strstr(tensor->name, ".norm") != NULL;
        int expected = !in_layer || is_adapter(tensor) || (norm && config.adapter.train_norms);
        ck_assert_msg(tensor->trainable == expected, "%s", tensor->name);
        ck_assert_msg((tensor->grad != NO_TENSOR) == expected, "%s", tensor->name);
        trained += expected ? tensor->elements : 0;
        gradients += expected && tensor->n_dims > 1;
    }
    ck_assert_int_eq(count_nodes(graph, OP_LINEAR_DW, -1), gradients);
    ck_assert_int_eq(graph->tensors[graph->params].elements, trained);
    ck_assert_int_eq(moments, 2 * trained);
    arena_free(model.arena);
}
END_TEST

static void open_trained(struct model *model, struct interpreter *it, const struct encoder_config *config)
{
    struct optimiser sgd = {.kind = OPTIMISER_SGD};
    model_init(model, config, 2, 1);
    autodiff(&model->graph);
    graph_add_update(&model->graph, &sgd);
    interpreter_open(it, &model->graph, FORMAT_FP64);
}

START_TEST(gradients_agree_with_differences)
{
    const uint32_t seed = (uint32_t)_i;
    struct encoder_config config = adapted_config(seed);
    if (seed % 3)
        config = in_pieces(config, seed);
    struct model model;
    struct interpreter it;
    open_trained(&model, &it, &config);
    interpreter_randomise(&it, seed);
    interpreter_run(&it, PHASE_BACKWARD);
    int64_t n = model.graph.tensors[model.graph.params].elements;
    double *grads = malloc((size_t)n * sizeof *grads);
    for (int64_t i = 0; i < n; i++)
        grads[i] = interpreter_get(&it, model.graph.grads, i);
    check_direction(&it, grads, NO_TENSOR, seed, "all parameters");
    for (int t = 0; t < model.graph.n_tensors; t++)
        if (model.graph.tensors[t].role == TENSOR_PARAM && is_adapter(&model.graph.tensors[t]))
            check_direction(&it, grads, t, seed, model.graph.tensors[t].name);
    free(grads);
    interpreter_close(&it);
    arena_free(model.arena);
}
END_TEST

/* Outputs and gradients of the model in pieces are those of the model. */
START_TEST(pieces_are_the_whole)
{
    struct encoder_config config = adapted_config((uint32_t)_i), pieces = in_pieces(config, (uint32_t)_i);
    struct model one, many;
    struct interpreter a, b;
    open_trained(&one, &a, &config);
    open_trained(&many, &b, &pieces);
    interpreter_randomise(&a, 4);
    copy_values(&b, &a);
    interpreter_run(&a, PHASE_BACKWARD);
    interpreter_run(&b, PHASE_BACKWARD);
    int y = output_of(&one.graph), z = output_of(&many.graph);
    for (int64_t i = 0; i < 2 * config.outputs; i++)
        ck_assert_double_eq_tol(interpreter_get(&a, y, i), interpreter_get(&b, z, i), 1e-11);
    ck_assert_int_eq(one.graph.tensors[one.graph.params].elements, many.graph.tensors[many.graph.params].elements);
    for (int64_t i = 0; i < one.graph.tensors[one.graph.params].elements; i++) {
        double left = interpreter_get(&a, one.graph.grads, i), right = interpreter_get(&b, many.graph.grads, i);
        ck_assert_double_eq_tol(left, right, 1e-9 * fmax(1, fabs(left)));
    }
    interpreter_close(&a);
    interpreter_close(&b);
    arena_free(one.arena);
    arena_free(many.arena);
}
END_TEST

/* With B = 0, as training starts, the adapted model is the model. */
START_TEST(adapters_start_without_effect)
{
    struct encoder_config config = adapted_config((uint32_t)_i), plain = config;
    struct model with, without;
    struct interpreter a, b;
    plain.adapter.kind = ADAPTER_NONE;
    open_trained(&with, &a, &config);
    open_trained(&without, &b, &plain);
    interpreter_randomise(&a, 5);
    for (int t = 0; t < with.graph.n_tensors; t++)
        if (with.graph.tensors[t].role == TENSOR_PARAM && with.graph.tensors[t].init == INIT_ZERO &&
            is_adapter(&with.graph.tensors[t]))
            interpreter_fill(&a, t, 0);
    copy_values(&b, &a);
    ck_assert_double_eq(interpreter_loss(&a), interpreter_loss(&b));
    interpreter_close(&a);
    interpreter_close(&b);
    arena_free(with.arena);
    arena_free(without.arena);
}
END_TEST

/* The parameters of a model in its interpreter, as arrays. */
static struct weight_array *weights_of(const struct interpreter *it, struct arena *arena, int *n)
{
    struct weight_array *weights = arena_array(arena, (size_t)it->graph->n_tensors, sizeof *weights);
    *n = 0;
    for (int t = 0; t < it->graph->n_tensors; t++) {
        const struct tensor *tensor = &it->graph->tensors[t];
        if (tensor->role != TENSOR_PARAM || tensor->base != NO_TENSOR)
            continue;
        struct weight_array *weight = &weights[(*n)++];
        *weight = (struct weight_array){.name = tensor->name, .n_dims = tensor->n_dims};
        memcpy(weight->dims, tensor->dims, sizeof weight->dims);
        if (it->element_bytes == sizeof(double))
            weight->values64 = it->memory[t];
        else
            weight->values = it->memory[t];
    }
    return weights;
}

/* Even: double, odd: float. */
START_TEST(a_merged_model_gives_what_the_adapted_one_gave)
{
    const enum number_format format = _i % 2 ? FORMAT_FP32 : FORMAT_FP64;
    struct encoder_config config = adapted_config((uint32_t)_i), plain;
    struct model adapted, merged;
    struct interpreter a, b;
    struct weight_array *list;
    int n;
    config.d_model *= 4; /* the norm of a narrow row forgets what was added to it */
    config.adapter.targets |= TARGET_V;
    for (int j = 0; j < ENCODER_MAX_HEAD; j++) /* nor does a row of zeros tell */
        config.reduce_act[j] = config.decode_act[j] = ACT_NONE;
    plain = config = in_pieces(config, (uint32_t)_i);
    plain.adapter.kind = ADAPTER_NONE;
    plain.pieces.matrix_shards = 0;
    model_init(&adapted, &config, 2, 0);
    model_init(&merged, &plain, 2, 0);
    interpreter_open(&a, &adapted.graph, format);
    interpreter_open(&b, &merged.graph, format);
    interpreter_randomise(&a, 6);
    copy_values(&b, &a);
    double before = interpreter_loss(&a), scale = config.adapter.alpha / (double)config.adapter.width;
    ck_assert_double_ne(before, interpreter_loss(&b));
    const struct weight_array *weights = weights_of(&a, adapted.arena, &n);
    int n_merged = adapter_merge(weights, n, scale, adapted.arena, &list);
    for (int i = 0; i < n_merged; i++) {
        int t = graph_find(&merged.graph, list[i].name);
        ck_assert_int_ne(t, NO_TENSOR);
        for (int64_t e = 0; e < merged.graph.tensors[t].elements; e++)
            interpreter_put(&b, t, e, list[i].values ? (double)list[i].values[e] : list[i].values64[e]);
    }
    interpreter_loss(&b);
    int y = output_of(&adapted.graph), z = output_of(&merged.graph);
    for (int64_t i = 0; i < 2 * config.outputs; i++) {
        double left = interpreter_get(&a, y, i), right = interpreter_get(&b, z, i);
        ck_assert_double_eq_tol(left, right, (_i % 2 ? 2e-4 : 1e-10) * fmax(1, fabs(left)));
    }
    interpreter_close(&a);
    interpreter_close(&b);
    arena_free(adapted.arena);
    arena_free(merged.arena);
}
END_TEST

START_TEST(impossible_adapters_are_refused_by_key)
{
    static const struct {
        const char *key;
        struct adapter_config adapter;
        int64_t head_groups, matrix_shards;
    } cases[] = {
        {"train.adapter.width", {ADAPTER_LORA, 0, 1, 0, 1, 0, 0}, 0, 0},
        {"train.adapter.alpha", {ADAPTER_LORA, 1, 0, 0, 1, 0, 0}, 0, 0},
        {"train.adapter.dropout", {ADAPTER_LORA, 1, 1, 1, 1, 0, 0}, 0, 0},
        {"train.adapter.targets", {ADAPTER_LORA, 1, 1, 0, 0, 0, 0}, 0, 0},
        {"train.adapter.targets", {ADAPTER_LORA, 1, 1, 0, ALL_ADAPTER_TARGETS + 1, 0, 0}, 0, 0},
        {"train.adapter.width", {ADAPTER_LORA, 513, 1, 0, TARGET_O, 0, 1}, 0, 0},
        {"model.heads", {ADAPTER_NONE, 0, 0, 0, 0, 0, 0}, OP_MAX_OUT + 1, 0},
        {"model.d_model", {ADAPTER_LORA, 1, 1, 0, 1, 0, 0}, 0, OP_MAX_IN + 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct encoder_config config;
        struct fault fault = FAULT_NONE;
        ck_assert_int_eq(encoder_preset("swe", &config, &fault), STATUS_OK);
        config.adapter = cases[i].adapter;
        config.pieces.head_groups = cases[i].head_groups;
        config.pieces.matrix_shards = cases[i].matrix_shards;
        ck_assert_msg(encoder_check(&config, &fault) == STATUS_USAGE, "case %zu was accepted", i);
        ck_assert_msg(strstr(fault.text, cases[i].key) == fault.text, "case %zu: %s", i, fault.text);
    }
}
END_TEST

Suite *suite_adapter(void)
{
    Suite *suite = suite_create("adapter");
    TCase *tcase = tcase_create("lora");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, presets_train_the_published_numbers, 0, 4);
    tcase_add_loop_test(tcase, random_numbers_are_everyones_own, 0, 30);
    tcase_add_loop_test(tcase, what_is_frozen_costs_no_gradient, 0, 30);
    tcase_add_loop_test(tcase, gradients_agree_with_differences, 0, RANDOM_ADAPTERS);
    tcase_add_loop_test(tcase, pieces_are_the_whole, 0, RANDOM_ADAPTERS);
    tcase_add_loop_test(tcase, adapters_start_without_effect, 0, 30);
    tcase_add_loop_test(tcase, a_merged_model_gives_what_the_adapted_one_gave, 0, RANDOM_ADAPTERS);
    tcase_add_test(tcase, impossible_adapters_are_refused_by_key);
    suite_add_tcase(suite, tcase);
    return suite;
}
