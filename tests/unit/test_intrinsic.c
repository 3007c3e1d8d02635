/* Training in a random subspace: the graph of did and said against the model that it stands for. */
#include <check.h>
#include <string.h>

#include "graph/autodiff.h"
#include "interpret.h"
#include "kernel/fastfood.h"
#include "model/encoder.h"
#include "model/intrinsic.h"

Suite *suite_intrinsic(void);

enum { SAMPLES = 2, LAYERS = 3, DIM = 11 };

static const struct encoder_config config = {
    .tokens = 3,
    .features = 4,
    .stations = 3,
    .outputs = 3,
    .d_model = 6,
    .heads = 2,
    .layers = LAYERS,
    .ffn = 5,
    .embed_hidden = 4,
    .embed_act = ACT_GELU,
    .dropout = 0.2,
    .concat = 1,
    .n_reduce = 1,
    .reduce_width = {4},
    .n_decode = 1,
    .decode_width = {3},
};

struct model {
    struct arena *arena;
    struct graph graph;
    struct interpreter it;
};

static const struct optimiser adam = {OPTIMISER_ADAM, 0.9, 0.999, 1e-8, 0, 0};

/* kind < 0: the full model. Same values of all parameters of the same name, whatever the kind. */
static void model_open(struct model *model, int kind, enum number_format format)
{
    struct fault fault = FAULT_NONE;
    model->arena = arena_new();
    graph_init(&model->graph, model->arena);
    encoder_build(&config, SAMPLES, 1, &model->graph);
    int n_built = model->graph.n_tensors;
    if (kind >= 0)
        ck_assert_msg(intrinsic_apply(&model->graph, (enum intrinsic_kind)kind, DIM, &fault) == STATUS_OK, "%s",
                      fault.text);
    autodiff(&model->graph);
    graph_add_update(&model->graph, &adam);
    interpreter_open(&model->it, &model->graph, format);
    interpreter_randomise(&model->it, 3);
    for (int t = 0; t < n_built; t++) { /* theta0 was filled after its parts */
        const struct tensor *tensor = &model->graph.tensors[t];
        for (int64_t i = 0; tensor->role == TENSOR_PARAM && i < tensor->elements; i++)
            interpreter_put(&model->it, t, i,
                            0.4 * rng_normal(rng_key(4, RNG_TEST, (uint32_t)t), 0, (uint64_t)i) +
                                (tensor->init == INIT_ONE));
    }
}

static void model_close(struct model *model)
{
    interpreter_close(&model->it);
    arena_free(model->arena);
}

static int find(const struct model *model, const char *name)
{
    int t = graph_find(&model->graph, name);
    ck_assert_msg(t != NO_TENSOR, "no tensor %s", name);
    return t;
}

static void fill(struct model *model, const char *name, double value)
{
    interpreter_fill(&model->it, find(model, name), value);
}

static void set_scales(struct model *model, double value)
{
    for (int i = 0; i < LAYERS; i++)
        fill(model, arena_printf(model->arena, "layers.%d.scale", i), value + 0.1 * i);
}

/* Central differences of the loss along every element of a parameter. */
static void check_differences(struct model *model, const char *name)
{
    const double step = 1e-5;
    int t = find(model, name), grad = model->graph.tensors[t].grad;
    interpreter_run(&model->it, PHASE_BACKWARD);
    for (int64_t i = 0; i < model->graph.tensors[t].elements; i++) {
        double kept = interpreter_get(&model->it, t, i), found = interpreter_get(&model->it, grad, i);
        interpreter_put(&model->it, t, i, kept + step);
        double above = interpreter_loss(&model->it);
        interpreter_put(&model->it, t, i, kept - step);
        double expected = (above - interpreter_loss(&model->it)) / (2 * step);
        interpreter_put(&model->it, t, i, kept);
        ck_assert_msg(fabs(expected - found) <= 1e-6 * fmax(1, fabs(expected)), "%s[%lld]: %g, found %g", name,
                      (long long)i, expected, found);
        interpreter_run(&model->it, PHASE_BACKWARD);
    }
}

START_TEST(gradients_are_differences_of_the_loss)
{
    struct model model;
    model_open(&model, _i, FORMAT_FP64);
    if (_i == INTRINSIC_LAYERS) {
        set_scales(&model, 0.7);
        check_differences(&model, "layers.1.scale");
    }
    check_differences(&model, "theta_d");
    check_differences(&model, "embed.0.bias");
    check_differences(&model, "decode.0.weight");
    model_close(&model);
}
END_TEST

/* At theta_d = 0 the model is the full one: the same loss, the same gradients of what both train. */
START_TEST(starts_as_the_full_model)
{
    struct model full, part;
    model_open(&full, -1, FORMAT_FP64);
    model_open(&part, _i, FORMAT_FP64);
    fill(&part, "theta_d", 0);
    interpreter_run(&full.it, PHASE_BACKWARD);
    interpreter_run(&part.it, PHASE_BACKWARD);
    ck_assert_double_eq(interpreter_get(&full.it, full.graph.loss_sums, 0),
                        interpreter_get(&part.it, part.graph.loss_sums, 0));
    for (int t = 0; t < full.graph.n_tensors; t++) {
        const struct tensor *tensor = &full.graph.tensors[t];
        if (tensor->role != TENSOR_PARAM || t == full.graph.params)
            continue;
        const struct tensor *same = &part.graph.tensors[find(&part, tensor->name)];
        int adapted = strncmp(tensor->name, "layers.", 7) == 0;
        ck_assert_int_eq(same->trainable, !adapted);
        ck_assert_int_eq(same->grad == NO_TENSOR, adapted);
        for (int64_t i = 0; !adapted && i < tensor->elements; i++)
            ck_assert_double_eq(interpreter_get(&full.it, tensor->grad, i), interpreter_get(&part.it, same->grad, i));
    }
    model_close(&full);
    model_close(&part);
}
END_TEST

/* Gradient of a layer's parameters (all layers': layer < 0) in the full model, in order. */
static int64_t full_gradient(const struct model *full, int layer, double *g)
{
    int64_t n = 0;
    const char *prefix = layer < 0 ? "layers." : arena_printf(full->arena, "layers.%d.", layer);
    for (int t = 0; t < full->graph.n_tensors; t++) {
        const struct tensor *tensor = &full->graph.tensors[t];
        if (tensor->role != TENSOR_PARAM || strncmp(tensor->name, prefix, strlen(prefix)) != 0)
            continue;
        for (int64_t i = 0; i < tensor->elements; i++)
            g[n++] = interpreter_get(&full->it, tensor->grad, i);
    }
    return n;
}

/* Adds P^T g of one block. */
static void add_projected(int64_t dim, uint32_t place, const double *g, int64_t n, double *sum)
{
    size_t elements = (size_t)n;
    double *table = malloc(fastfood_table_elements(elements) * sizeof *table), back[DIM];
    double *work = malloc(fastfood_length(elements) * sizeof *work);
    double *scratch = malloc(fastfood_scratch_bytes((size_t)dim, elements, sizeof(double)));
    fastfood_table(7, place, elements, sizeof *table, table);
    fastfood_transposed_f64((size_t)dim, elements, table, g, back, work, scratch);
    for (int64_t i = 0; i < dim; i++)
        sum[i] += back[i];
    free(table);
    free(work);
    free(scratch);
}

/* Chain rule: at theta_d = 0 its gradient is P^T times the full model's gradient, with one projection or one a layer.
 */
START_TEST(gradient_is_the_projected_gradient)
{
    static double g[4096];
    struct model full, part;
    double expected[DIM] = {0};
    model_open(&full, -1, FORMAT_FP64);
    model_open(&part, _i, FORMAT_FP64);
    fill(&part, "theta_d", 0);
    if (_i == INTRINSIC_LAYERS)
        for (int i = 0; i < LAYERS; i++)
            fill(&part, arena_printf(part.arena, "layers.%d.scale", i), 1);
    interpreter_run(&full.it, PHASE_BACKWARD);
    interpreter_run(&part.it, PHASE_BACKWARD);
    const struct tensor *theta_d = &part.graph.tensors[find(&part, "theta_d")];
    ck_assert_int_eq(theta_d->elements, _i == INTRINSIC_LAYERS ? DIM - LAYERS : DIM);
    for (int layer = 0; layer < (_i == INTRINSIC_LAYERS ? LAYERS : 1); layer++) {
        int64_t n = full_gradient(&full, _i == INTRINSIC_LAYERS ? layer : -1, g);
        add_projected(theta_d->elements, _i == INTRINSIC_LAYERS ? 1 + (uint32_t)layer : 0, g, n, expected);
    }
    for (int64_t i = 0; i < theta_d->elements; i++)
        ck_assert_double_eq_tol(interpreter_get(&part.it, theta_d->grad, i), expected[i],
                                1e-10 * fmax(1, fabs(expected[i])));
    model_close(&full);
    model_close(&part);
}
END_TEST

static double train(struct model *model, int steps)
{
    double loss = 0;
    for (int s = 1; s <= steps; s++) {
        model->it.context.step = (uint32_t)s;
        model->it.context.learning_rate = 0.02;
        interpreter_run(&model->it, PHASE_UPDATE);
        loss = interpreter_get(&model->it, model->graph.loss_sums, 0);
    }
    return loss;
}

/* Frozen is frozen, the subspace is enough to learn something, and the same bytes come twice. */
START_TEST(training_moves_the_subspace_alone)
{
    struct model first, again;
    model_open(&first, _i, FORMAT_FP32);
    model_open(&again, _i, FORMAT_FP32);
    const char *frozen = _i == INTRINSIC_LAYERS ? "layers.2.theta0" : "theta0";
    int theta0 = find(&first, frozen), theta_d = find(&first, "theta_d");
    size_t bytes = (size_t)first.graph.tensors[theta0].elements * sizeof(float);
    float *before = malloc(bytes);
    memcpy(before, first.it.memory[theta0], bytes);
    fill(&first, "theta_d", 0);
    fill(&again, "theta_d", 0);
    double start = train(&first, 1), end = train(&first, 30);
    ck_assert_double_lt(end, 0.9 * start);
    ck_assert_mem_eq(before, first.it.memory[theta0], bytes);
    ck_assert_double_ne(interpreter_get(&first.it, theta_d, 0), 0);
    train(&again, 1);
    train(&again, 30);
    ck_assert_mem_eq(first.it.memory[first.graph.params], again.it.memory[again.graph.params],
                     (size_t)first.graph.tensors[first.graph.params].elements * sizeof(float));
    free(before);
    model_close(&first);
    model_close(&again);
}
END_TEST

/* A layer has 4 * (6 * 6 + 6) + 4 * 6 + 6 * 5 + 5 + 5 * 6 + 6 = 263 parameters. */
START_TEST(impossible_dimensions_are_refused)
{
    static const struct {
        enum intrinsic_kind kind;
        int64_t dim, trained;
    } cases[] = {{INTRINSIC_ALL, 0, -1},    {INTRINSIC_ALL, 790, -1},    {INTRINSIC_ALL, 789, 789},
                 {INTRINSIC_LAYERS, 3, -1}, {INTRINSIC_LAYERS, 267, -1}, {INTRINSIC_LAYERS, 266, 266},
                 {INTRINSIC_ALL, 1, 1},     {INTRINSIC_LAYERS, 4, 4}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct arena *arena = arena_new();
        struct graph graph;
        struct fault fault = FAULT_NONE;
        graph_init(&graph, arena);
        encoder_build(&config, SAMPLES, 0, &graph);
        int64_t all = graph_param_elements(&graph, 0), layers = 0;
        for (int t = 0; t < graph.n_tensors; t++)
            if (graph.tensors[t].role == TENSOR_PARAM && strncmp(graph.tensors[t].name, "layers.", 7) == 0)
                layers += graph.tensors[t].elements;
        enum status status = intrinsic_apply(&graph, cases[c].kind, cases[c].dim, &fault);
        ck_assert_int_eq(status, cases[c].trained < 0 ? STATUS_USAGE : STATUS_OK);
        if (status == STATUS_OK) {
            ck_assert_int_eq(graph_param_elements(&graph, 0), all + cases[c].trained);
            ck_assert_int_eq(graph_param_elements(&graph, 1), all - layers + cases[c].trained);
        } else {
            ck_assert_ptr_nonnull(strstr(fault.text, "train.intrinsic_dim"));
        }
        arena_free(arena);
    }
}
END_TEST

Suite *suite_intrinsic(void)
{
    Suite *suite = suite_create("intrinsic");
    TCase *tcase = tcase_create("subspace");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, gradients_are_differences_of_the_loss, 0, 2);
    tcase_add_loop_test(tcase, starts_as_the_full_model, 0, 2);
    tcase_add_loop_test(tcase, gradient_is_the_projected_gradient, 0, 2);
    tcase_add_loop_test(tcase, training_moves_the_subspace_alone, 0, 2);
    tcase_add_test(tcase, impossible_dimensions_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
