/* golden_traffic.h - files of the factorised traffic model: trace, gradients, five steps of two optimisers, and
 * training in a random subspace. A part of check_golden.c.
 *
 * Weights of these files are [in, out]; ours are [out, in]. The gradient of the K third of every bqkv is zero but for
 * rounding: it is compared absolutely, and what Adam makes of such noise in float32 is not compared.
 */
#ifndef TESTS_GOLDEN_GOLDEN_TRAFFIC_H
#define TESTS_GOLDEN_GOLDEN_TRAFFIC_H

#include "golden_model.h"
#include "model/traffic.h"

struct traffic_precision {
    enum number_format format;
    enum golden_kind output, gradient, steps, noise;
};

static const struct traffic_precision traffic_precisions[] = {
    {FORMAT_FP64, OUTPUT_F64, GRADIENT_F64, ADAM_F64, NOISE_F64},
    {FORMAT_FP32, TRAFFIC_F32, TRAFFIC_F32, TRAFFIC_STEPS_F32, NOISE_F32},
};

static int is_traffic(struct golden *golden)
{
    return h5_has_attribute(golden->file, "/", "param_order") && h5_has_attribute(golden->file, "/", "res") &&
           h5_exists(golden->file, "/inputs/tod");
}

static int is_intrinsic(struct golden *golden)
{
    return h5_has_attribute(golden->file, "/", "model_file") && h5_exists(golden->file, "/theta_d_init");
}

static struct traffic_config read_traffic(struct golden *golden)
{
    struct traffic_config config = {
        .steps = golden_int(golden, "T"),
        .stations = golden_int(golden, "N"),
        .channels = golden_int(golden, "C"),
        .horizon = golden_int(golden, "H"),
        .slots = golden_int(golden, "S"),
        .d_model = golden_int(golden, "d"),
        .heads = golden_int(golden, "h"),
        .layers = golden_int(golden, "L"),
        .ffn = golden_int(golden, "f"),
        .residual = golden_int(golden, "res") != 0,
        .loss = LOSS_MAE,
        .masked = 1,
    };
    struct fault fault = FAULT_NONE;
    golden_demand(golden, traffic_check(&config, &fault), &fault);
    return config;
}

struct traffic_run {
    struct golden *golden; /* what the results are compared with */
    struct golden *model;  /* where the model stands */
    const struct traffic_precision *precision;
    struct graph graph;
    struct interpreter it;
};

/* A parameter of the model in the layout of the files. */
struct traffic_parameter {
    const char *name;
    int tensor;
    int64_t in, out; /* of a weight; otherwise in = 1 and out = elements */
};

/* The parameters in the order of the files, which must be ours. Returns their number. */
static int list_parameters(struct traffic_run *run, struct traffic_parameter **list)
{
    struct golden *golden = run->golden;
    char *rest = arena_string(golden->arena, golden_string(run->model, "param_order")), *name;
    int n = 0, t = 0;
    *list = arena_array(golden->arena, (size_t)run->graph.n_tensors, sizeof **list);
    for (; (name = strtok_r(rest, "\n", &rest)); n++, t++) {
        while (t < run->graph.n_tensors &&
               (run->graph.tensors[t].role != TENSOR_PARAM || run->graph.tensors[t].is_block))
            t++;
        if (t == run->graph.n_tensors || strcmp(run->graph.tensors[t].name, name) != 0)
            golden_die(golden, "param_order: parameter %d: expected %s, found %s", n,
                       t < run->graph.n_tensors ? run->graph.tensors[t].name : "none", name);
        const struct tensor *tensor = &run->graph.tensors[t];
        int is_weight = tensor->n_dims == 2 && strncmp(name, "emb.", 4) != 0;
        (*list)[n] = (struct traffic_parameter){name, t, is_weight ? tensor->dims[1] : 1,
                                                is_weight ? tensor->dims[0] : tensor->elements};
    }
    return n;
}

/* Element i of a parameter of the file is this element of ours. */
static int64_t own_place(const struct traffic_parameter *parameter, int64_t i)
{
    return i % parameter->out * parameter->in + i / parameter->out;
}

static void put_parameter(struct traffic_run *run, const struct traffic_parameter *parameter, const double *values)
{
    for (int64_t i = 0; i < parameter->in * parameter->out; i++)
        interpreter_put(&run->it, parameter->tensor, own_place(parameter, i), values[i]);
}

/* A tensor of ours that is like the parameter, in the file's layout. */
static double *get_like(struct traffic_run *run, const struct traffic_parameter *parameter, int tensor, double divisor)
{
    int64_t n = parameter->in * parameter->out;
    double *values = arena_array(run->golden->arena, (size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = interpreter_get(&run->it, tensor, own_place(parameter, i)) / divisor;
    return values;
}

static void put_values(struct traffic_run *run, const char *name, const char *path)
{
    int t = graph_find(&run->graph, name);
    const double *values = golden_read(run->golden, path, run->graph.tensors[t].elements);
    for (int64_t i = 0; i < run->graph.tensors[t].elements; i++)
        interpreter_put(&run->it, t, i, values[i]);
}

static void open_traffic(struct traffic_run *run, struct golden *golden, const struct traffic_precision *precision,
                         const struct optimiser *optimiser)
{
    struct traffic_config config = read_traffic(golden);
    struct traffic_parameter *list;
    *run = (struct traffic_run){.golden = golden, .model = golden, .precision = precision};
    graph_init(&run->graph, golden->arena);
    traffic_build(&config, golden_int(golden, "B"), 1, &run->graph);
    autodiff(&run->graph);
    graph_add_update(&run->graph, optimiser);
    interpreter_open(&run->it, &run->graph, precision->format);
    put_values(run, "x", "/inputs/x");
    put_values(run, "tod", "/inputs/tod");
    put_values(run, "target", "/targets/y");
    put_values(run, "mask", "/targets/mask");
    int n = list_parameters(run, &list);
    int64_t elements = 0;
    for (int i = 0; i < n; i++) {
        const char *path = arena_printf(golden->arena, "/params/%s", list[i].name);
        put_parameter(run, &list[i], golden_read(golden, path, list[i].in * list[i].out));
        elements += list[i].in * list[i].out;
    }
    if (elements != graph_param_elements(&run->graph, 0) || elements != golden_int(golden, "num_params"))
        golden_die(golden, "expected %lld parameters, found %lld", (long long)graph_param_elements(&run->graph, 0),
                   (long long)elements);
}

static double traffic_loss(const struct traffic_run *run)
{
    double count = interpreter_get(&run->it, run->graph.loss_sums, 1);
    return interpreter_get(&run->it, run->graph.loss_sums, 0) / fmax(count, 1);
}

static int traced_tensor(struct traffic_run *run, const struct traffic_config *config, const char *tap)
{
    struct arena *arena = run->golden->arena;
    int l = atoi(tap + (tap[0] == 'l'));
    const char *name;
    if (strcmp(tap, "embed") == 0)
        name = "embed.out";
    else if (strcmp(tap, "final_ln") == 0)
        name = "out.ln.out";
    else if (strstr(tap, ".t"))
        name = arena_printf(arena, "l%d.s.ln.sum", l);
    else if (strstr(tap, ".s"))
        name = arena_printf(arena, "l%d.f.ln.sum", l);
    else
        name = l + 1 < config->layers ? arena_printf(arena, "l%d.t.ln.sum", l + 1) : "out.ln.sum";
    int t = graph_find(&run->graph, name);
    if (t == NO_TENSOR)
        golden_die(run->golden, "trace %s: the model has none", tap);
    return t;
}

static void compare_traffic(struct traffic_run *run, int tensor, const char *path)
{
    int64_t n = run->graph.tensors[tensor].elements;
    double *values = arena_array(run->golden->arena, (size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = interpreter_get(&run->it, tensor, i);
    golden_compare(run->golden, run->precision->output, path, values, golden_read(run->golden, path, n), n, 0);
}

static int output_of(const struct graph *graph)
{
    for (int k = 0; k < graph->n_nodes; k++)
        if (graph->nodes[k].op.kind == OP_LOSS)
            return graph->nodes[k].in[0];
    return NO_TENSOR;
}

static void compare_trace(struct traffic_run *run)
{
    struct golden *golden = run->golden;
    struct traffic_config config = read_traffic(golden);
    int n;
    const char *const *taps = golden_list(golden, "/trace", &n);
    for (int i = 0; i < n; i++)
        compare_traffic(run, traced_tensor(run, &config, taps[i]), arena_printf(golden->arena, "/trace/%s", taps[i]));
    compare_traffic(run, output_of(&run->graph), "/forward/y_hat");
    double loss = traffic_loss(run);
    golden_compare(golden, run->precision->output, "/forward/loss", &loss, golden_read(golden, "/forward/loss", 1), 1,
                   0);
    golden_close_check(golden);
}

/* The parts of a parameter that are compared alike: the thirds of a bqkv, of which the second is noise. */
static void compare_like(struct traffic_run *run, enum golden_kind kind, const char *group,
                         const struct traffic_parameter *parameter, const double *values, int skip_noise)
{
    struct golden *golden = run->golden;
    const char *path = arena_printf(golden->arena, "/%s/%s", group, parameter->name);
    int64_t n = parameter->in * parameter->out, part = n;
    const double *expected = golden_read(golden, path, n);
    if (strstr(parameter->name, "bqkv")) {
        part = n / 3;
        /* absolute: on a scale of one */
        if (!skip_noise)
            golden_compare(golden, run->precision->noise, path, values + part, expected + part, part, 1);
        golden_compare(golden, kind, path, values + 2 * part, expected + 2 * part, part, 0);
    }
    golden_compare(golden, kind, path, values, expected, part, 0);
}

static void compare_traffic_gradients(struct traffic_run *run)
{
    struct traffic_parameter *list;
    int n = list_parameters(run, &list);
    double count = interpreter_get(&run->it, run->graph.loss_sums, 1);
    for (int i = 0; i < n; i++)
        compare_like(run, run->precision->gradient, "grads", &list[i],
                     get_like(run, &list[i], run->graph.tensors[list[i].tensor].grad, fmax(count, 1)), 0);
    golden_close_check(run->golden);
}

/* Five steps on the same batch; the losses before each and after the last. */
static void check_traffic_steps(struct golden *golden, const struct traffic_precision *precision,
                                const struct optimiser *optimiser, double rate, const char *name)
{
    struct traffic_run run;
    struct traffic_parameter *list;
    double losses[GOLDEN_STEPS + 1];
    open_traffic(&run, golden, precision, optimiser);
    run.it.context.learning_rate = rate;
    for (int step = 0; step < GOLDEN_STEPS; step++) {
        run.it.context.step = (uint32_t)step + 1;
        interpreter_run(&run.it, PHASE_UPDATE);
        losses[step] = traffic_loss(&run);
    }
    interpreter_run(&run.it, PHASE_FORWARD);
    losses[GOLDEN_STEPS] = traffic_loss(&run);
    const char *path = arena_printf(golden->arena, "/%s_losses", name);
    golden_compare(golden, precision->steps, path, losses, golden_read(golden, path, GOLDEN_STEPS + 1),
                   GOLDEN_STEPS + 1, 0);
    int n = list_parameters(&run, &list), noise = optimiser->kind == OPTIMISER_ADAM && precision->format != FORMAT_FP64;
    for (int i = 0; i < n; i++)
        compare_like(&run, precision->steps, arena_printf(golden->arena, "%s5", name), &list[i],
                     get_like(&run, &list[i], list[i].tensor, 1), noise);
    golden_close_check(golden);
    interpreter_close(&run.it);
}

static struct optimiser golden_adam(struct golden *golden)
{
    return (struct optimiser){OPTIMISER_ADAM,
                              golden_double(golden, "/", "adam_beta1"),
                              golden_double(golden, "/", "adam_beta2"),
                              golden_double(golden, "/", "adam_eps"),
                              0,
                              0};
}

static void check_traffic(struct golden *golden)
{
    const struct optimiser sgd = {.kind = OPTIMISER_SGD}, adam = golden_adam(golden);
    for (size_t i = 0; i < sizeof traffic_precisions / sizeof *traffic_precisions; i++) {
        const struct traffic_precision *precision = &traffic_precisions[i];
        struct traffic_run run;
        open_traffic(&run, golden, precision, &sgd);
        interpreter_run(&run.it, PHASE_BACKWARD);
        compare_trace(&run);
        compare_traffic_gradients(&run);
        interpreter_close(&run.it);
        check_traffic_steps(golden, precision, &sgd, golden_double(golden, "/", "sgd_lr"), "sgd");
        check_traffic_steps(golden, precision, &adam, golden_double(golden, "/", "adam_lr"), "adam");
    }
}

/* Training in a subspace: theta = theta0 + P theta_d of the model in another file of the directory. */
struct subspace {
    int64_t n, k;
    const double *p, *theta0;
    double *theta, *theta_d, *grad, *m, *v; /* [n], and [k] */
};

static void subspace_put(struct traffic_run *run, struct subspace *space)
{
    struct traffic_parameter *list;
    int n = list_parameters(run, &list);
    for (int64_t i = 0; i < space->n; i++) {
        space->theta[i] = space->theta0[i];
        for (int64_t j = 0; j < space->k; j++)
            space->theta[i] += space->p[i * space->k + j] * space->theta_d[j];
    }
    const double *from = space->theta;
    for (int i = 0; i < n; from += list[i].in * list[i].out, i++)
        put_parameter(run, &list[i], from);
}

/* grad = P^T g */
static void subspace_grad(struct traffic_run *run, struct subspace *space)
{
    struct traffic_parameter *list;
    int n = list_parameters(run, &list);
    double count = fmax(interpreter_get(&run->it, run->graph.loss_sums, 1), 1);
    const double *p = space->p;
    memset(space->grad, 0, (size_t)space->k * sizeof *space->grad);
    for (int i = 0; i < n; i++) {
        const double *g = get_like(run, &list[i], run->graph.tensors[list[i].tensor].grad, count);
        for (int64_t e = 0; e < list[i].in * list[i].out; e++, p += space->k)
            for (int64_t j = 0; j < space->k; j++)
                space->grad[j] += p[j] * g[e];
    }
}

static void subspace_step(struct subspace *space, const struct optimiser *adam, double rate, uint32_t step)
{
    const struct op op = {.kind = OP_UPDATE,
                          .rows = space->k,
                          .optimiser = OPTIMISER_ADAM,
                          .beta1 = adam->beta1,
                          .beta2 = adam->beta2,
                          .optimiser_eps = adam->eps};
    const struct kernel_context context = {.format = FORMAT_FP64, .step = step, .learning_rate = rate};
    const double sums[2] = {0, 1};
    kernel_run_f64(&op, &context, (const double *const[OP_MAX_IN]){space->grad, sums, NULL, NULL, NULL},
                   (double *const[OP_MAX_OUT]){space->theta_d, space->m, space->v, NULL});
}

static struct subspace read_subspace(struct golden *golden)
{
    struct subspace space = {.n = golden_int(golden, "D"), .k = golden_int(golden, "k")};
    size_t n = (size_t)space.n, k = (size_t)space.k;
    space.p = golden_read(golden, "/P", space.n * space.k);
    space.theta0 = golden_read(golden, "/theta0", space.n);
    space.theta = arena_array(golden->arena, n, sizeof *space.theta);
    space.theta_d = golden_read(golden, "/theta_d_init", space.k);
    space.grad = arena_array(golden->arena, k, sizeof *space.grad);
    space.m = arena_array(golden->arena, k, sizeof *space.m);
    space.v = arena_array(golden->arena, k, sizeof *space.v);
    return space;
}

/* Five Adam steps on theta_d; the gradient and the output of the first. */
static void train_subspace(struct golden *golden, struct traffic_run *run, const struct optimiser *adam)
{
    const struct traffic_precision *precision = run->precision;
    struct subspace space = read_subspace(golden);
    double losses[GOLDEN_STEPS + 1], *history = arena_array(golden->arena, 6 * (size_t)space.k, sizeof *history);
    double rate = golden_double(golden, "/", "adam_lr");
    for (int step = 0; step <= GOLDEN_STEPS; step++) {
        memcpy(history + step * space.k, space.theta_d, (size_t)space.k * sizeof *history);
        subspace_put(run, &space);
        interpreter_run(&run->it, PHASE_BACKWARD);
        losses[step] = traffic_loss(run);
        subspace_grad(run, &space);
        if (step == 0) {
            golden_compare(golden, precision->output, "/loss", losses, golden_read(golden, "/loss", 1), 1, 0);
            golden_compare(golden, precision->gradient, "/grad_theta_d", space.grad,
                           golden_read(golden, "/grad_theta_d", space.k), space.k, 0);
            compare_traffic(run, output_of(&run->graph), "/y_hat");
            golden_close_check(golden);
        }
        if (step < GOLDEN_STEPS)
            subspace_step(&space, adam, rate, (uint32_t)step + 1);
    }
    golden_compare(golden, precision->steps, "/theta_d_history", history,
                   golden_read(golden, "/theta_d_history", 6 * space.k), 6 * space.k, 0);
    golden_compare(golden, precision->steps, "/theta_d_adam5", space.theta_d,
                   golden_read(golden, "/theta_d_adam5", space.k), space.k, 0);
    golden_compare(golden, precision->steps, "/adam_losses", losses, golden_read(golden, "/adam_losses", 6), 6, 0);
    golden_close_check(golden);
}

static void check_intrinsic(struct golden *golden)
{
    struct golden model = *golden;
    const char *slash = strrchr(golden->path, '/'), *file = golden_string(golden, "model_file");
    model.path = arena_printf(golden->arena, "%.*s/%s", (int)(slash - golden->path), golden->path, file);
    struct fault fault = FAULT_NONE;
    golden_demand(golden, h5_open(model.path, &model.file, &fault), &fault);
    const struct optimiser adam = golden_adam(&model), sgd = {.kind = OPTIMISER_SGD};
    for (size_t i = 0; i < sizeof traffic_precisions / sizeof *traffic_precisions; i++) {
        struct traffic_run run;
        open_traffic(&run, &model, &traffic_precisions[i], &sgd);
        run.golden = golden;
        train_subspace(golden, &run, &adam);
        interpreter_close(&run.it);
    }
    h5_close(model.file);
}

#endif
