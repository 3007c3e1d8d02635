/* The encoder family: published sizes, names, gradients of the whole model, what training and evaluation graphs hold.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/autodiff.h"
#include "interpret.h"
#include "model/encoder.h"
#include "random_encoder.h"

Suite *suite_encoder(void);

enum { RANDOM_MODELS = 120 };

static int count_phase(const struct graph *graph, enum phase phase)
{
    int count = 0;
    for (int n = 0; n < graph->n_nodes; n++)
        count += graph->nodes[n].phase == phase;
    return count;
}

static int64_t elements_under(const struct graph *graph, const char *prefix)
{
    int64_t elements = 0;
    for (int t = 0; t < graph->n_tensors; t++)
        if (graph->tensors[t].role == TENSOR_PARAM && strncmp(graph->tensors[t].name, prefix, strlen(prefix)) == 0)
            elements += graph->tensors[t].elements;
    return elements;
}

START_TEST(presets_have_the_published_sizes)
{
    static const struct {
        const char *name;
        int64_t encoder, rest, total;
    } published[] = {
        {"swe", 37828608, 7595843, 45424451},
        {"weather", 37828608, 2254749, 40083357},
        {"covid", 37828608, 2198642, 40027250},
        {"wind", 25233408, 2150137, 27383545},
    };
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        struct encoder_config config;
        struct fault fault = FAULT_NONE;
        struct model model;
        ck_assert_int_eq(encoder_preset(published[i].name, &config, &fault), STATUS_OK);
        model_init(&model, &config, 1, 1);
        int64_t encoder = elements_under(&model.graph, "layers."), total = graph_param_elements(&model.graph, 0);
        ck_assert_int_eq(encoder, published[i].encoder);
        ck_assert_int_eq(total - encoder, published[i].rest);
        ck_assert_int_eq(total, published[i].total);
        arena_free(model.arena);
    }
}
END_TEST

START_TEST(every_preset_is_listed_and_shrinks)
{
    int n = 0;
    for (const char *const *name = encoder_presets(); *name; name++, n++)
        for (int64_t d = 8; d <= 64; d *= 2) {
            struct encoder_config config;
            struct fault fault = FAULT_NONE;
            struct model model;
            ck_assert_int_eq(encoder_preset(*name, &config, &fault), STATUS_OK);
            config.d_model = d;
            config.heads = 4;
            config.tokens = 5;
            config.outputs = 7;
            ck_assert_int_eq(encoder_head_widths(*name, &config, &fault), STATUS_OK);
            for (int j = 0; j < config.n_reduce; j++)
                ck_assert_int_ge(config.reduce_width[j], 1);
            ck_assert_int_eq(config.decode_width[config.n_decode - 1], 7);
            model_init(&model, &config, 2, 1);
            ck_assert_int_eq(model.graph.tensors[output_of(&model.graph)].elements, 14);
            arena_free(model.arena);
        }
    ck_assert_int_eq(n, 4);
}
END_TEST

START_TEST(unknown_presets_are_refused_with_a_hint)
{
    struct encoder_config config;
    struct fault fault = FAULT_NONE;
    ck_assert_int_eq(encoder_preset("wnid", &config, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "model.preset"));
    ck_assert_ptr_nonnull(strstr(fault.text, "did you mean \"wind\"?"));
    fault = FAULT_NONE;
    ck_assert_int_eq(encoder_head_widths("", &config, &fault), STATUS_USAGE);
}
END_TEST

static struct encoder_config small_config(void)
{
    struct encoder_config config = {
        .tokens = 6,
        .features = 3,
        .outputs = 12,
        .stations = 6,
        .last_offset = 2,
        .last_stride = 3,
        .d_model = 8,
        .heads = 2,
        .layers = 3,
        .ffn = 16,
        .embed_hidden = 4,
        .embed_act = ACT_GELU,
        .dropout = 0.1,
        .concat = 1,
        .n_reduce = 2,
        .n_decode = 2,
        .reduce_width = {4, 2},
        .decode_width = {10, 12},
        .reduce_act = {ACT_NONE, ACT_RELU},
        .decode_act = {ACT_GELU, ACT_NONE},
        .huber_delta = 1,
    };
    return config;
}

static void change_config(struct encoder_config *config, int which)
{
    switch (which) {
    case 0:
        config->heads = 3;
        break;
    case 1:
        config->tokens = 0;
        break;
    case 2:
        config->dropout = 1;
        break;
    case 3:
        config->decode_width[1] = 11;
        break;
    case 4:
        config->n_decode = 0;
        break;
    case 5:
        config->n_reduce = ENCODER_MAX_HEAD + 1;
        break;
    case 6:
        config->reduce_width[1] = 0;
        break;
    case 7:
        config->residual = 1;
        config->stations = 5;
        break;
    case 8:
        config->residual = 1;
        config->last_offset = 3;
        break;
    case 9:
        config->loss = LOSS_HUBER;
        config->huber_delta = 0;
        break;
    case 10:
        config->tokens = 1000000000;
        break;
    case 11:
        config->dropout = NAN;
        break;
    case 12:
        config->layers = -1;
        break;
    case 13:
        config->d_model = 8000000;
        config->heads = 1;
        break;
    case 14:
        config->decode_width[0] = 1000000000000;
        break;
    case 15:
        config->skip_steps = 4;
        break;
    case 16:
        config->steps = 4;
        break;
    case 17:
        config->mask_block = 7;
        break;
    case 18:
        config->head_tokens = 7;
        break;
    default:
        config->ffn = -4;
        break;
    }
}

START_TEST(impossible_shapes_are_refused_by_key)
{
    static const char *const keys[] = {
        "model.d_model",      "model.tokens",       "model.dropout",  "model.decode_width", "model.head",
        "model.reduce_width", "model.reduce_width", "model.residual", "model.residual",     "train.huber_delta",
        "model.tokens",       "model.dropout",      "model.layers",   "model.tokens",       "model.decode_width",
        "model.skip_steps",   "model.tokens",       "model.mask",     "model.head",         "model.ffn"};
    struct encoder_config config = small_config();
    struct fault fault = FAULT_NONE;
    config.residual = 1;
    ck_assert_int_eq(encoder_check(&config, &fault), STATUS_OK);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        config = small_config();
        change_config(&config, (int)i);
        fault = FAULT_NONE;
        ck_assert_msg(encoder_check(&config, &fault) == STATUS_USAGE, "case %zu was accepted", i);
        ck_assert_msg(strstr(fault.text, keys[i]) == fault.text, "case %zu: %s", i, fault.text);
        ck_assert_msg(strstr(fault.text, "expected") && strstr(fault.text, "found"), "case %zu: %s", i, fault.text);
    }
}
END_TEST

START_TEST(gradients_agree_with_differences)
{
    uint32_t seed = (uint32_t)_i;
    struct encoder_config config = random_config(seed);
    struct model model;
    model_init(&model, &config, 1 + (int64_t)below(seed, 99, 3), 1);
    autodiff(&model.graph);
    struct optimiser optimiser = {.kind = OPTIMISER_SGD};
    graph_add_update(&model.graph, &optimiser);
    struct interpreter it;
    interpreter_open(&it, &model.graph, FORMAT_FP64);
    interpreter_randomise(&it, 500 + seed);
    it.context.step = 1 + seed;
    interpreter_run(&it, PHASE_BACKWARD);
    int64_t n = model.graph.tensors[model.graph.grads].elements;
    double *grads = malloc((size_t)n * sizeof *grads);
    for (int64_t i = 0; i < n; i++)
        grads[i] = interpreter_get(&it, model.graph.grads, i);
    check_direction(&it, grads, NO_TENSOR, seed, "all parameters");
    for (int t = 0; t < model.graph.n_tensors; t++)
        if (model.graph.tensors[t].base == model.graph.params)
            check_direction(&it, grads, t, seed, model.graph.tensors[t].name);
    free(grads);
    interpreter_close(&it);
    arena_free(model.arena);
}
END_TEST

START_TEST(names_and_shapes_are_the_published_ones)
{
    static const struct {
        const char *name;
        int64_t rows, columns;
        enum init_kind init;
        double scale;
    } expected[] = {
        {"embed.0.weight", 4, 3, INIT_UNIFORM, 0.57735026918962573},
        {"embed.0.bias", 1, 4, INIT_UNIFORM, 0.57735026918962573},
        {"embed.1.weight", 8, 4, INIT_UNIFORM, 0.5},
        {"layers.2.attn.qkv.weight", 24, 8, INIT_UNIFORM, 0.4330127018922193},
        {"layers.2.attn.qkv.bias", 1, 24, INIT_ZERO, 0},
        {"layers.0.attn.o.weight", 8, 8, INIT_UNIFORM, 0.35355339059327379},
        {"layers.0.attn.o.bias", 1, 8, INIT_ZERO, 0},
        {"layers.1.norm1.weight", 1, 8, INIT_ONE, 0},
        {"layers.1.norm2.bias", 1, 8, INIT_ZERO, 0},
        {"layers.1.ffn.0.weight", 16, 8, INIT_UNIFORM, 0.35355339059327379},
        {"layers.1.ffn.1.weight", 8, 16, INIT_UNIFORM, 0.25},
        {"layers.1.ffn.1.bias", 1, 8, INIT_UNIFORM, 0.25},
        {"reduce.0.weight", 4, 16, INIT_UNIFORM, 0.25},
        {"reduce.1.weight", 2, 4, INIT_UNIFORM, 0.5},
        {"decode.0.weight", 10, 12, INIT_UNIFORM, 0.28867513459481287},
        {"decode.1.bias", 1, 12, INIT_UNIFORM, 0.31622776601683794},
        {"skip.weight", 12, 18, INIT_UNIFORM, 0.23570226039551584},
        {"skip.bias", 1, 12, INIT_UNIFORM, 0.23570226039551584},
    };
    struct encoder_config config = small_config();
    struct model model;
    config.linear_skip = 1;
    model_init(&model, &config, 2, 1);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int t = graph_find(&model.graph, expected[i].name);
        ck_assert_msg(t != NO_TENSOR, "no %s", expected[i].name);
        const struct tensor *tensor = &model.graph.tensors[t];
        ck_assert_int_eq(tensor->role, TENSOR_PARAM);
        ck_assert_int_eq(tensor->elements, expected[i].rows * expected[i].columns);
        ck_assert_int_eq(tensor->dims[tensor->n_dims - 1], expected[i].columns);
        ck_assert_int_eq(tensor->init, expected[i].init);
        ck_assert_double_eq_tol(tensor->init_scale, expected[i].scale, 1e-15);
    }
    arena_free(model.arena);
}
END_TEST

/* Names are unique, parameters are numbered in their order whatever the options before them. */
START_TEST(names_are_unique_and_parameters_numbered)
{
    struct encoder_config config = random_config((uint32_t)_i);
    struct model model;
    model_init(&model, &config, 2, _i % 2);
    uint32_t place = 0;
    for (int t = 0; t < model.graph.n_tensors; t++) {
        const struct tensor *tensor = &model.graph.tensors[t];
        ck_assert_int_eq(graph_find(&model.graph, tensor->name), t);
        if (tensor->role == TENSOR_PARAM) {
            ck_assert_uint_eq(tensor->init_place, place++);
            ck_assert_int_eq(tensor->trainable, 1);
            ck_assert_int_ne(tensor->init, INIT_NONE);
        }
    }
    arena_free(model.arena);
}
END_TEST

/* Nodes of a training step, by hand, for L blocks with concatenation and positions before block 0. */
START_TEST(a_training_step_has_exactly_these_nodes)
{
    const int with_dropout = _i % 2, blocks = 3, linears = 2 + 4 * 3 + 2 + 2;
    struct encoder_config config = small_config();
    struct model model;
    config.dropout = with_dropout ? 0.1 : 0;
    model_init(&model, &config, 2, 1);
    autodiff(&model.graph);
    struct optimiser optimiser = {.kind = OPTIMISER_ADAMW, .clip_norm = 1};
    graph_add_update(&model.graph, &optimiser);
    const struct graph *graph = &model.graph;
    ck_assert_int_eq(graph->nodes[0].op.kind, OP_LOAD);
    ck_assert_int_eq(count_phase(graph, PHASE_LOAD), 1);
    ck_assert_int_eq(count_phase(graph, PHASE_FORWARD), linears + blocks * 3 + 1 + 1 + 1);
    ck_assert_int_eq(count_nodes(graph, OP_LINEAR_DW, PHASE_BACKWARD), linears);
    ck_assert_int_eq(count_nodes(graph, OP_LINEAR_DX, PHASE_BACKWARD), linears - 1);
    ck_assert_int_eq(count_nodes(graph, OP_ACT_BWD, PHASE_BACKWARD), 2 + blocks + 1 + 1);
    ck_assert_int_eq(count_nodes(graph, OP_NORM_BWD, PHASE_BACKWARD), 2 * blocks);
    ck_assert_int_eq(count_nodes(graph, OP_ATTENTION_BWD, PHASE_BACKWARD), blocks);
    ck_assert_int_eq(count_nodes(graph, OP_SPLIT, PHASE_BACKWARD), 1);
    /* the gradient of the embedding, from the head and from the blocks, is the only one not summed inside an op */
    ck_assert_int_eq(count_nodes(graph, OP_ADD, PHASE_BACKWARD), 1);
    ck_assert_int_eq(count_phase(graph, PHASE_UPDATE), 2);
    int accumulating = 0, blocks_right = 1;
    for (int n = 0; n < graph->n_nodes; n++) {
        accumulating += graph->nodes[n].op.accumulate;
        int in_layer = strncmp(graph->nodes[n].name, "layers.", 7) == 0;
        blocks_right = blocks_right && graph->nodes[n].block == (in_layer ? graph->nodes[n].name[7] - '0' : -1);
    }
    ck_assert_int_eq(accumulating, 2 * blocks);
    ck_assert(blocks_right);
    arena_free(model.arena);
}
END_TEST

static void freeze(struct graph *graph, const char *prefix)
{
    for (int t = 0; t < graph->n_tensors; t++)
        if (graph->tensors[t].role == TENSOR_PARAM && strncmp(graph->tensors[t].name, prefix, strlen(prefix)) == 0)
            graph->tensors[t].trainable = 0;
}

static int is_written(const struct graph *graph, const char *prefix)
{
    char name[64];
    snprintf(name, sizeof name, "grad.%s", prefix);
    for (int t = 0; t < graph->n_tensors; t++)
        if (strncmp(graph->tensors[t].name, name, strlen(name)) == 0)
            return 1;
    return 0;
}

/* Frozen blocks pass gradients on but have none; below frozen ones alone nothing is computed. */
START_TEST(frozen_parts_cost_what_they_must)
{
    struct encoder_config config = small_config();
    struct model model;
    config.concat = 0;
    model_init(&model, &config, 2, 1);
    freeze(&model.graph, "layers.");
    autodiff(&model.graph);
    ck_assert_int_eq(count_nodes(&model.graph, OP_LINEAR_DW, -1), 2 + 4);
    ck_assert_int_eq(count_nodes(&model.graph, OP_LINEAR_DX, -1), 1 + 4 * 3 + 4);
    for (int n = 0; n < model.graph.n_nodes; n++)
        if (model.graph.nodes[n].op.kind == OP_NORM_BWD)
            ck_assert(model.graph.nodes[n].out[2] == NO_TENSOR && model.graph.nodes[n].out[3] == NO_TENSOR);
    arena_free(model.arena);

    model_init(&model, &config, 2, 1);
    freeze(&model.graph, "embed.");
    freeze(&model.graph, "layers.0.");
    freeze(&model.graph, "layers.1.");
    autodiff(&model.graph);
    ck_assert_int_eq(count_nodes(&model.graph, OP_LINEAR_DW, -1), 4 + 4);
    ck_assert_int_eq(count_nodes(&model.graph, OP_ATTENTION_BWD, -1), 1);
    ck_assert(is_written(&model.graph, "layers.2.attn.qkv"));
    ck_assert(!is_written(&model.graph, "layers.1."));
    ck_assert(!is_written(&model.graph, "layers.0."));
    ck_assert(!is_written(&model.graph, "embed"));
    arena_free(model.arena);
}
END_TEST

/* Freezing changes which gradients there are, not their values. */
START_TEST(frozen_parts_leave_the_other_gradients_as_they_are)
{
    static const char *const frozen[] = {"embed.",  "layers.",        "layers.0.", "decode.0",
                                         "reduce.", "layers.0.norm1", "embed.1"};
    struct encoder_config config = random_config((uint32_t)_i);
    config.layers += 1;
    struct model all, some;
    model_init(&all, &config, 2, 1);
    model_init(&some, &config, 2, 1);
    freeze(&some.graph, frozen[_i % 7]);
    int n = some.graph.n_tensors;
    autodiff(&all.graph);
    autodiff(&some.graph);
    struct interpreter a, b;
    interpreter_open(&a, &all.graph, FORMAT_FP64);
    interpreter_open(&b, &some.graph, FORMAT_FP64);
    interpreter_randomise(&a, 9);
    interpreter_randomise(&b, 9);
    interpreter_run(&a, PHASE_BACKWARD);
    interpreter_run(&b, PHASE_BACKWARD);
    int compared = 0;
    for (int t = 0; t < n; t++) {
        const struct tensor *tensor = &some.graph.tensors[t];
        if (tensor->role != TENSOR_PARAM || !tensor->trainable)
            continue;
        ck_assert_int_ne(tensor->grad, NO_TENSOR);
        for (int64_t i = 0; i < tensor->elements; i++, compared++)
            ck_assert_double_eq_tol(interpreter_get(&b, tensor->grad, i),
                                    interpreter_get(&a, all.graph.tensors[t].grad, i), 1e-12);
    }
    ck_assert_int_gt(compared, 0);
    interpreter_close(&a);
    interpreter_close(&b);
    arena_free(all.arena);
    arena_free(some.arena);
}
END_TEST

START_TEST(evaluation_is_training_without_dropout)
{
    struct encoder_config config = random_config((uint32_t)_i);
    struct model train, eval;
    config.dropout = 0;
    model_init(&train, &config, 2, 1);
    config.dropout = 0.5;
    model_init(&eval, &config, 2, 0);
    const struct node *last = &eval.graph.nodes[eval.graph.n_nodes - 1];
    ck_assert_int_eq(last->op.kind, OP_METRIC);
    ck_assert_int_eq(last->in[0], output_of(&eval.graph));
    for (int n = 0; n < eval.graph.n_nodes; n++) {
        const struct node *node = &eval.graph.nodes[n];
        ck_assert_double_eq(node->op.dropout, 0);
        if (node->op.kind == OP_LINEAR || node->op.kind == OP_LOSS)
            ck_assert_int_eq(node->out[1], NO_TENSOR);
    }
    struct interpreter a, b;
    interpreter_open(&a, &train.graph, FORMAT_FP64);
    interpreter_open(&b, &eval.graph, FORMAT_FP64);
    interpreter_randomise(&a, 3);
    copy_values(&b, &a);
    ck_assert_double_eq(interpreter_loss(&a), interpreter_loss(&b));
    for (int64_t i = 0; i < 2 * config.outputs; i++)
        ck_assert_double_eq(interpreter_get(&a, output_of(&train.graph), i),
                            interpreter_get(&b, output_of(&eval.graph), i));
    interpreter_close(&a);
    interpreter_close(&b);
    arena_free(train.arena);
    arena_free(eval.arena);
}
END_TEST

/* The output with an option, less the output without. */
static double *option_effect(const struct encoder_config *without, const struct encoder_config *with,
                             struct model *model, struct interpreter *it)
{
    struct model plain;
    struct interpreter base;
    int64_t n = 2 * with->outputs;
    model_init(&plain, without, 2, 0);
    model_init(model, with, 2, 0);
    interpreter_open(&base, &plain.graph, FORMAT_FP64);
    interpreter_open(it, &model->graph, FORMAT_FP64);
    interpreter_randomise(it, 4);
    copy_values(&base, it);
    interpreter_loss(&base);
    interpreter_loss(it);
    double *effect = malloc((size_t)n * sizeof *effect);
    for (int64_t i = 0; i < n; i++)
        effect[i] =
            interpreter_get(it, output_of(&model->graph), i) - interpreter_get(&base, output_of(&plain.graph), i);
    interpreter_close(&base);
    arena_free(plain.arena);
    return effect;
}

START_TEST(residual_adds_the_last_value_of_each_station)
{
    struct encoder_config without = small_config(), with = without;
    struct model model;
    struct interpreter it;
    with.residual = 1;
    double *effect = option_effect(&without, &with, &model, &it);
    for (int64_t b = 0; b < 2; b++)
        for (int64_t i = 0; i < with.outputs; i++)
            ck_assert_double_eq_tol(effect[b * 12 + i],
                                    interpreter_get(&it, graph_find(&model.graph, "x"), b * 18 + i % 6 * 3 + 2), 1e-12);
    free(effect);
    interpreter_close(&it);
    arena_free(model.arena);
}
END_TEST

START_TEST(linear_skip_adds_a_linear_of_the_newest_inputs)
{
    struct encoder_config without = small_config(), with = without;
    struct model model;
    struct interpreter it;
    without.residual = with.residual = _i % 2;
    with.linear_skip = 1;
    with.skip_steps = _i / 2; /* 0: all three features of each of the six tokens */
    double *effect = option_effect(&without, &with, &model, &it);
    const struct graph *graph = &model.graph;
    int w = graph_find(graph, "skip.weight"), bias = graph_find(graph, "skip.bias"), x = graph_find(graph, "x");
    int64_t steps = with.skip_steps ? with.skip_steps : 3;
    ck_assert_int_eq(graph->tensors[w].dims[1], 6 * steps);
    for (int64_t b = 0; b < 2; b++)
        for (int64_t o = 0; o < 12; o++) {
            double sum = interpreter_get(&it, bias, o);
            for (int64_t t = 0; t < 6; t++)
                for (int64_t s = 0; s < steps; s++)
                    sum += interpreter_get(&it, w, (o * 6 + t) * steps + s) *
                           interpreter_get(&it, x, (b * 6 + t) * 3 + 3 - steps + s);
            ck_assert_double_eq_tol(effect[b * 12 + o], sum, 1e-12);
        }
    free(effect);
    interpreter_close(&it);
    arena_free(model.arena);
}
END_TEST

/* Samples with other values at their later steps: what the blocks make of the earlier ones keeps every byte, with a
 * mask; without one nothing does. */
START_TEST(a_mask_lets_nothing_back_in_time)
{
    enum { STEPS = 3, STATIONS = 2, SAMPLES = 2 };
    struct encoder_config config = small_config();
    struct model model;
    struct interpreter it;
    config.steps = STEPS;
    config.mask_block = _i ? STATIONS : 0;
    config.pieces.head_groups = 1 + _i % 2;
    model_init(&model, &config, SAMPLES, 0);
    interpreter_open(&it, &model.graph, FORMAT_FP64);
    interpreter_randomise(&it, 900);
    int x = graph_find(&model.graph, "x"), z = graph_find(&model.graph, "layers.2.norm2.out");
    int64_t d = config.d_model, n = model.graph.tensors[z].elements;
    double *before = malloc((size_t)n * sizeof *before);
    interpreter_run(&it, PHASE_FORWARD);
    for (int64_t i = 0; i < n; i++)
        before[i] = interpreter_get(&it, z, i);
    for (int64_t i = 0; i < model.graph.tensors[x].elements; i++)
        if (i / config.features % config.tokens / STATIONS == STEPS - 1)
            interpreter_put(&it, x, i, 1 - interpreter_get(&it, x, i));
    interpreter_run(&it, PHASE_FORWARD);
    int changed_early = 0, changed_late = 0;
    for (int64_t i = 0; i < n; i++) {
        int changed = interpreter_get(&it, z, i) != before[i];
        *(i / d % config.tokens / STATIONS == STEPS - 1 ? &changed_late : &changed_early) += changed;
    }
    ck_assert_int_gt(changed_late, 0);
    ck_assert(_i ? changed_early == 0 : changed_early > 0);
    free(before);
    interpreter_close(&it);
    arena_free(model.arena);
}
END_TEST

/* One layer from each token of the newest step: prediction h of station s is row h of the layer times token s. */
START_TEST(a_head_on_the_newest_step_is_horizon_major)
{
    enum { STATIONS = 2, HORIZON = 3 };
    struct encoder_config config = small_config();
    struct model model;
    struct interpreter it;
    config.steps = 3;
    config.concat = 0;
    config.stations = config.head_tokens = STATIONS;
    config.outputs = STATIONS * HORIZON;
    config.n_decode = 0;
    config.n_reduce = 1;
    config.reduce_width[0] = HORIZON;
    model_init(&model, &config, 2, 0);
    interpreter_open(&it, &model.graph, FORMAT_FP64);
    interpreter_randomise(&it, 901);
    interpreter_run(&it, PHASE_FORWARD);
    int z = graph_find(&model.graph, "layers.2.norm2.out"), w = graph_find(&model.graph, "reduce.0.weight"),
        bias = graph_find(&model.graph, "reduce.0.bias"), y = output_of(&model.graph);
    for (int64_t b = 0; b < 2; b++)
        for (int64_t h = 0; h < HORIZON; h++)
            for (int64_t s = 0; s < STATIONS; s++) {
                double sum = interpreter_get(&it, bias, h);
                for (int64_t c = 0; c < 8; c++)
                    sum += interpreter_get(&it, w, h * 8 + c) *
                           interpreter_get(&it, z, (b * 6 + 2 * STATIONS + s) * 8 + c);
                ck_assert_double_eq_tol(interpreter_get(&it, y, (b * HORIZON + h) * STATIONS + s), sum, 1e-12);
            }
    interpreter_close(&it);
    arena_free(model.arena);
}
END_TEST

/* The model that starts as its residual: only the last layer and the skip are zero. */
START_TEST(zero_output_starts_with_zero)
{
    struct encoder_config config = small_config();
    struct model model;
    config.linear_skip = config.zero_output = 1;
    model_init(&model, &config, 2, 1);
    for (int t = 0; t < model.graph.n_tensors; t++) {
        const struct tensor *tensor = &model.graph.tensors[t];
        int last = strncmp(tensor->name, "decode.1.", 9) == 0 || strncmp(tensor->name, "skip.", 5) == 0;
        if (tensor->role == TENSOR_PARAM && tensor->n_dims == 2)
            ck_assert_int_eq(tensor->init, last ? INIT_ZERO : INIT_UNIFORM);
        if (tensor->role == TENSOR_PARAM && last)
            ck_assert_int_eq(tensor->init, INIT_ZERO);
    }
    arena_free(model.arena);
}
END_TEST

/* Value of a tensor by name. */
static double value(const struct interpreter *it, const char *name, int64_t i)
{
    int t = graph_find(it->graph, name);
    ck_assert_msg(t != NO_TENSOR, "no tensor %s", name);
    return interpreter_get(it, t, i);
}

START_TEST(positions_reach_the_head_only_when_asked)
{
    struct encoder_config config = small_config();
    struct model model;
    struct interpreter it;
    config.position_site = POSITION_HEAD;
    config.concat = _i;
    model_init(&model, &config, 2, 0);
    interpreter_open(&it, &model.graph, FORMAT_FP64);
    interpreter_randomise(&it, 8);
    interpreter_loss(&it);
    int qkv = graph_find(&model.graph, "layers.0.attn.qkv.weight"), takes = NO_TENSOR;
    for (int n = 0; n < model.graph.n_nodes; n++)
        if (model.graph.nodes[n].in[1] == qkv)
            takes = model.graph.nodes[n].in[0];
    ck_assert_str_eq(model.graph.tensors[takes].name, "embed.1.out");
    const char *const from = _i ? "embed.1.out" : "layers.2.norm2.out";
    for (int64_t row = 0; row < 12; row++)
        for (int64_t c = 0; c < 8; c++) {
            double angle = (double)(row % 6) * exp(-(double)(c - c % 2) * log(10000.0) / 8);
            double expected = value(&it, from, row * 8 + c) + (c % 2 ? cos(angle) : sin(angle));
            ck_assert_double_eq_tol(value(&it, "head_pos.out", row * 8 + c), expected, 1e-12);
            if (!_i)
                continue;
            ck_assert_double_eq(value(&it, "concat.out", row * 16 + c), value(&it, "layers.2.norm2.out", row * 8 + c));
            ck_assert_double_eq(value(&it, "concat.out", row * 16 + 8 + c), value(&it, "head_pos.out", row * 8 + c));
        }
    interpreter_close(&it);
    arena_free(model.arena);
}
END_TEST

/* Dropout acts on what a sub-layer made, not on what it is added to; its sites differ and are the same in every build.
 */
START_TEST(dropout_sites_are_numbered)
{
    static const char *const made[] = {"attn.o.out", "ffn.1.out"};
    struct encoder_config config = small_config();
    struct model model;
    model_init(&model, &config, 2, 1);
    uint32_t site = 0;
    for (int n = 0; n < model.graph.n_nodes; n++)
        if (model.graph.nodes[n].op.kind == OP_NORM) {
            char name[64];
            snprintf(name, sizeof name, "layers.%u.%s", site / 2, made[site % 2]);
            ck_assert_str_eq(model.graph.tensors[model.graph.nodes[n].in[1]].name, name);
            ck_assert_uint_eq(model.graph.nodes[n].op.site, site++);
            ck_assert_double_eq(model.graph.nodes[n].op.dropout, 0.1);
        }
    ck_assert_uint_eq(site, 6);
    arena_free(model.arena);
}
END_TEST

Suite *suite_encoder(void)
{
    Suite *suite = suite_create("encoder");
    TCase *shapes = tcase_create("shapes"), *values = tcase_create("values");
    tcase_set_timeout(values, 60);
    tcase_add_test(shapes, presets_have_the_published_sizes);
    tcase_add_test(shapes, every_preset_is_listed_and_shrinks);
    tcase_add_test(shapes, unknown_presets_are_refused_with_a_hint);
    tcase_add_test(shapes, impossible_shapes_are_refused_by_key);
    tcase_add_test(shapes, names_and_shapes_are_the_published_ones);
    tcase_add_loop_test(shapes, names_are_unique_and_parameters_numbered, 0, 40);
    tcase_add_loop_test(shapes, a_training_step_has_exactly_these_nodes, 0, 2);
    tcase_add_test(shapes, frozen_parts_cost_what_they_must);
    tcase_add_test(shapes, dropout_sites_are_numbered);
    tcase_add_test(shapes, zero_output_starts_with_zero);
    tcase_add_loop_test(shapes, a_mask_lets_nothing_back_in_time, 0, 3);
    tcase_add_test(shapes, a_head_on_the_newest_step_is_horizon_major);
    tcase_add_loop_test(values, gradients_agree_with_differences, 0, RANDOM_MODELS);
    tcase_add_loop_test(values, frozen_parts_leave_the_other_gradients_as_they_are, 0, 42);
    tcase_add_loop_test(values, evaluation_is_training_without_dropout, 0, 40);
    tcase_add_test(values, residual_adds_the_last_value_of_each_station);
    tcase_add_loop_test(values, linear_skip_adds_a_linear_of_the_newest_inputs, 0, 8);
    tcase_add_loop_test(values, positions_reach_the_head_only_when_asked, 0, 2);
    suite_add_tcase(suite, shapes);
    suite_add_tcase(suite, values);
    return suite;
}
