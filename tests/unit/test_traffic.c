/* The traffic family: gradients of the whole model, names and sizes, what stations and steps may be exchanged with; the
 * samples of a grid and their times of day. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "graph/autodiff.h"
#include "model/family.h"
#include "model/windows.h"
#include "random_traffic.h"
#include "store/dataset.h"

Suite *suite_traffic(void);

enum { RANDOM_MODELS = 25 };

struct model {
    struct arena *arena;
    struct graph graph;
    struct interpreter it;
};

static void model_open(struct model *model, const struct traffic_config *config, int64_t samples, int training,
                       enum number_format format, uint32_t seed)
{
    model->arena = arena_new();
    graph_init(&model->graph, model->arena);
    traffic_build(config, samples, training, &model->graph);
    if (training)
        autodiff(&model->graph);
    interpreter_open(&model->it, &model->graph, format);
    interpreter_randomise(&model->it, seed);
    give_slots(&model->it, config->slots, seed);
}

static void model_close(struct model *model)
{
    interpreter_close(&model->it);
    arena_free(model->arena);
}

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

START_TEST(gradients_agree_with_differences)
{
    struct traffic_config config = random_traffic((uint32_t)_i);
    struct model model;
    model_open(&model, &config, 2, 1, FORMAT_FP64, (uint32_t)_i);
    const struct graph *graph = &model.graph;
    interpreter_run(&model.it, PHASE_BACKWARD);
    int n = 0;
    double grads[200][2];
    for (int pass = 0; pass < 2; pass++, n = 0)
        for (int t = 0; t < graph->n_tensors; t++) {
            if (graph->tensors[t].role != TENSOR_PARAM)
                continue;
            ck_assert_int_ne(graph->tensors[t].grad, NO_TENSOR);
            for (uint64_t k = 0; k < 2; k++) {
                int64_t i = (int64_t)traffic_draw((uint32_t)_i, 1000 + 2 * (uint64_t)t + k,
                                                  (uint64_t)graph->tensors[t].elements);
                if (pass == 0) {
                    grads[n][k] = interpreter_get(&model.it, graph->tensors[t].grad, i);
                    continue;
                }
                double numeric = difference(&model.it, t, i, 1e-6), scale = fmax(1, fabs(numeric));
                ck_assert_msg(fabs(numeric - grads[n][k]) < 2e-6 * scale, "%s[%lld]: %.12g, by differences %.12g",
                              graph->tensors[t].name, (long long)i, grads[n][k], numeric);
            }
            n++;
        }
    model_close(&model);
}
END_TEST

static int find_output(const struct graph *graph)
{
    for (int n = 0; n < graph->n_nodes; n++)
        if (graph->nodes[n].op.kind == OP_LOSS)
            return graph->nodes[n].in[0];
    return NO_TENSOR;
}

START_TEST(float_agrees_with_double)
{
    struct traffic_config config = random_traffic((uint32_t)_i);
    struct model exact, single;
    config.d_model *= 4; /* the norm of a narrow row magnifies rounding */
    model_open(&exact, &config, 3, 1, FORMAT_FP64, (uint32_t)_i);
    model_open(&single, &config, 3, 1, FORMAT_FP32, (uint32_t)_i);
    interpreter_run(&exact.it, PHASE_BACKWARD);
    interpreter_run(&single.it, PHASE_BACKWARD);
    int y = find_output(&exact.graph);
    for (int64_t i = 0; i < exact.graph.tensors[y].elements; i++)
        ck_assert_double_eq_tol(interpreter_get(&exact.it, y, i), interpreter_get(&single.it, y, i), 2e-5);
    model_close(&exact);
    model_close(&single);
}
END_TEST

/* Stations have no order: exchange two of them in the input and in their embedding, and their outputs are exchanged. */
START_TEST(stations_may_be_exchanged)
{
    struct traffic_config config = random_traffic((uint32_t)_i);
    config.stations = 2 + _i % 4;
    struct model model;
    model_open(&model, &config, 1, 0, FORMAT_FP64, (uint32_t)_i);
    int x = graph_find(&model.graph, "x"), node = graph_find(&model.graph, "emb.node"), y = find_output(&model.graph);
    int64_t n = config.stations, c = config.channels, d = config.d_model, a = 0, b = n - 1;
    double before[64];
    interpreter_run(&model.it, PHASE_FORWARD);
    for (int64_t i = 0; i < model.graph.tensors[y].elements; i++)
        before[i] = interpreter_get(&model.it, y, i);
    for (int64_t i = 0; i < d; i++) {
        double kept = interpreter_get(&model.it, node, a * d + i);
        interpreter_put(&model.it, node, a * d + i, interpreter_get(&model.it, node, b * d + i));
        interpreter_put(&model.it, node, b * d + i, kept);
    }
    for (int64_t t = 0; t < config.steps; t++)
        for (int64_t i = 0; i < c; i++) {
            int64_t from = (t * n + a) * c + i, to = (t * n + b) * c + i;
            double kept = interpreter_get(&model.it, x, from);
            interpreter_put(&model.it, x, from, interpreter_get(&model.it, x, to));
            interpreter_put(&model.it, x, to, kept);
        }
    interpreter_run(&model.it, PHASE_FORWARD);
    for (int64_t h = 0; h < config.horizon; h++)
        for (int64_t s = 0; s < n; s++) {
            int64_t other = s == a ? b : s == b ? a : s;
            ck_assert_double_eq_tol(interpreter_get(&model.it, y, h * n + s), before[h * n + other], 1e-10);
        }
    model_close(&model);
}
END_TEST

START_TEST(the_preset_has_its_published_size)
{
    struct traffic_config config = traffic_preset();
    struct arena *arena = arena_new();
    struct graph graph;
    struct fault fault = FAULT_NONE;
    ck_assert_int_eq(traffic_check(&config, &fault), STATUS_OK);
    graph_init(&graph, arena);
    traffic_build(&config, 1, 1, &graph);
    int64_t d = 64, f = 128, attention = 2 * d + 3 * d * d + 3 * d + d * d + d;
    int64_t layer = 2 * attention + 2 * d + d * f + f + f * d + d;
    int64_t rest = 2 * d + (207 + 288 + 12) * d + 2 * d + 12 * d * 12 + 12;
    ck_assert_int_eq(graph_param_elements(&graph, 0), 2 * layer + rest);
    ck_assert_int_ne(graph_find(&graph, "l1.s.wqkv"), NO_TENSOR);
    arena_free(arena);
}
END_TEST

START_TEST(impossible_shapes_are_refused)
{
    static const struct {
        size_t field;
        int64_t value;
        const char *key;
    } cases[] = {
        {offsetof(struct traffic_config, d_model), 66, "model.d_model"},
        {offsetof(struct traffic_config, steps), 0, "data.window"},
        {offsetof(struct traffic_config, slots), 0, "data.slots"},
        {offsetof(struct traffic_config, layers), -1, "model.layers"},
        {offsetof(struct traffic_config, stations), 1000000000, "model.d_model"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct traffic_config config = traffic_preset();
        struct fault fault = FAULT_NONE;
        *(int64_t *)(void *)((char *)&config + cases[i].field) = cases[i].value;
        ck_assert_int_eq(traffic_check(&config, &fault), STATUS_USAGE);
        ck_assert_msg(strstr(fault.text, cases[i].key) == fault.text, "%s", fault.text);
    }
}
END_TEST

enum { ROWS = 40, STATIONS = 3 };

static float value_at(int variable, int64_t row, int64_t station)
{
    return (float)(1000 * variable + 10 * row + station);
}

/* Two variables, five minutes apart from 23:50 on; one value of the first is missing. */
static void write_grid(const char *path, int with_time)
{
    static const struct dataset_variable variable[2] = {{.name = "a", .has_missing = 1}, {.name = "b"}};
    struct fault fault = FAULT_NONE;
    struct dataset_writer *writer = NULL;
    int64_t time_s[ROWS];
    for (int64_t r = 0; r < ROWS; r++)
        time_s[r] = 10 * 86400 - 600 + 300 * r;
    struct dataset_spec spec = {.n_rows = ROWS,
                                .n_stations = STATIONS,
                                .time_s = with_time ? time_s : NULL,
                                .n_variables = 2,
                                .variable = variable};
    ck_assert_msg(dataset_create(path, &spec, &writer, &fault) == STATUS_OK, "%s", fault.text);
    for (int v = 0; v < 2; v++) {
        float values[ROWS * STATIONS];
        for (int64_t i = 0; i < ROWS * STATIONS; i++)
            values[i] = v == 0 && i == 8 * STATIONS + 1 ? NAN : value_at(v, i / STATIONS, i % STATIONS);
        ck_assert_int_eq(dataset_write_rows(writer, v, 0, ROWS, values, &fault), STATUS_OK);
    }
    ck_assert_msg(dataset_finish(writer, &fault) == STATUS_OK, "%s", fault.text);
}

static struct windows_config grid_config(const char *path)
{
    static const char *const inputs[] = {"a", "b"};
    struct windows_config config = {.file = path,
                                    .inputs = inputs,
                                    .n_inputs = 2,
                                    .target = "a",
                                    .window = 4,
                                    .horizon = 2,
                                    .layout = WINDOWS_GRID,
                                    .normalise = "none",
                                    .test_rows = {30, 39}};
    return config;
}

START_TEST(a_grid_lies_as_the_model_reads_it)
{
    struct folder folder;
    folder_open(&folder);
    const char *path = folder_file(&folder, "grid.h5");
    struct fault fault = FAULT_NONE;
    struct windows *windows = NULL;
    write_grid(path, 1);
    struct windows_config config = grid_config(path);
    ck_assert_msg(windows_open(&config, &windows, &fault) == STATUS_OK, "%s", fault.text);
    const struct windows_shape *shape = windows_shape(windows);
    ck_assert_int_eq(shape->tokens * shape->features, 4 * STATIONS * 2);
    ck_assert_int_eq(shape->slots, 288);
    ck_assert_int_eq(shape->channels, 2);
    ck_assert_int_eq(shape->residual_possible, 1);
    double x[4 * STATIONS * 2], target[2 * STATIONS], mask[2 * STATIONS], slots[4];
    const int64_t sample = 3, first = sample; /* of the input rows */
    ck_assert_int_eq(windows_sample(windows, WINDOWS_TRAIN, sample, 8, x, target, mask, &fault), STATUS_OK);
    for (int64_t t = 0; t < 4; t++)
        for (int64_t s = 0; s < STATIONS; s++)
            for (int v = 0; v < 2; v++)
                ck_assert_double_eq(x[(t * STATIONS + s) * 2 + v], (double)value_at(v, first + t, s));
    for (int64_t h = 0; h < 2; h++)
        for (int64_t s = 0; s < STATIONS; s++) {
            int missing = first + 4 + h == 8 && s == 1;
            ck_assert_double_eq(mask[h * STATIONS + s], !missing);
            ck_assert_double_eq(target[h * STATIONS + s], missing ? 0 : (double)value_at(0, first + 4 + h, s));
        }
    windows_slots(windows, WINDOWS_TRAIN, 0, 8, slots);
    static const double expected[4] = {286, 287, 0, 1};
    for (int t = 0; t < 4; t++)
        ck_assert_double_eq(slots[t], expected[t]);
    windows_close(windows);
    folder_close(&folder);
}
END_TEST

START_TEST(without_time_stamps_rows_are_counted)
{
    struct folder folder;
    folder_open(&folder);
    const char *path = folder_file(&folder, "rows.h5");
    struct fault fault = FAULT_NONE;
    struct windows *windows = NULL;
    float slots[4];
    write_grid(path, 0);
    struct windows_config config = grid_config(path);
    ck_assert_int_eq(windows_open(&config, &windows, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "data.slots"));
    fault = FAULT_NONE;
    config.slots = 6;
    ck_assert_msg(windows_open(&config, &windows, &fault) == STATUS_OK, "%s", fault.text);
    windows_slots(windows, WINDOWS_TRAIN, 4, 4, slots);
    static const float expected[4] = {4, 5, 0, 1};
    ck_assert_mem_eq(slots, expected, sizeof slots);
    windows_close(windows);
    folder_close(&folder);
}
END_TEST

Suite *suite_traffic(void)
{
    Suite *suite = suite_create("traffic");
    TCase *model = tcase_create("model"), *data = tcase_create("data");
    tcase_add_loop_test(model, gradients_agree_with_differences, 0, RANDOM_MODELS);
    tcase_add_loop_test(model, float_agrees_with_double, 0, RANDOM_MODELS);
    tcase_add_loop_test(model, stations_may_be_exchanged, 0, 8);
    tcase_add_test(model, the_preset_has_its_published_size);
    tcase_add_test(model, impossible_shapes_are_refused);
    tcase_add_test(data, a_grid_lies_as_the_model_reads_it);
    tcase_add_test(data, without_time_stamps_rows_are_counted);
    suite_add_tcase(suite, model);
    suite_add_tcase(suite, data);
    return suite;
}
