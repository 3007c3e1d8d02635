/* golden_model.h - a file of one encoder, fully trained and with adapters: outputs, gradients and five steps of two
 * optimisers. A part of
 * check_golden.c. */
#ifndef TESTS_GOLDEN_GOLDEN_MODEL_H
#define TESTS_GOLDEN_GOLDEN_MODEL_H

#include "../unit/interpret.h"
#include "golden.h"
#include "graph/autodiff.h"
#include "model/encoder.h"

enum { GOLDEN_STEPS = 5 };

/* Which tolerances a number format has. */
struct precision {
    enum number_format format;
    enum golden_kind output, gradient, sgd, adam_loss;
    int adam_params; /* compared at all */
};

static int is_model(struct golden *golden)
{
    static const char *const attributes[] = {"n", "f",     "d",      "h",     "L",   "ffn",        "embed_hidden",
                                             "B", "n_out", "concat", "embed", "pos", "reduce_act", "decode_act"};
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (!h5_has_attribute(golden->file, "/", attributes[i]))
            return 0;
    return h5_exists(golden->file, "/full/params");
}

/* Position of `word` in the list. */
static int word_place(struct golden *golden, const char *attribute, const char *word, const char *const *words, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    golden_die(golden, "attribute %s: \"%s\" is unknown", attribute, word);
}

/* One stack of the head: activations from the comma list, widths from the biases. Returns the number of layers. */
static int read_stack(struct golden *golden, const char *stack, int64_t *width, enum activation *act)
{
    static const char *const words[] = {"none", "relu", "gelu"};
    const char *attribute = arena_printf(golden->arena, "%s_act", stack);
    char *rest = arena_string(golden->arena, golden_string(golden, attribute)), *word;
    int n = 0;
    for (; (word = strtok_r(rest, ",", &rest)); n++) {
        if (n == ENCODER_MAX_HEAD)
            golden_die(golden, "attribute %s: more than %d layers", attribute, ENCODER_MAX_HEAD);
        act[n] = (enum activation)word_place(golden, attribute, word, words, 3);
        golden_dims(golden, arena_printf(golden->arena, "/full/params/%s.%d.bias", stack, n), 1, &width[n]);
    }
    return n;
}

static struct encoder_config read_config(struct golden *golden)
{
    static const char *const embeds[] = {"linear", "gelu"}, *const positions[] = {"true", "const", "none"};
    struct encoder_config config = {
        .tokens = golden_int(golden, "n"),
        .features = golden_int(golden, "f"),
        .outputs = golden_int(golden, "n_out"),
        .stations = 1,
        .d_model = golden_int(golden, "d"),
        .heads = golden_int(golden, "h"),
        .layers = golden_int(golden, "L"),
        .ffn = golden_int(golden, "ffn"),
        .embed_hidden = golden_int(golden, "embed_hidden"),
        .embed_act = word_place(golden, "embed", golden_string(golden, "embed"), embeds, 2) ? ACT_GELU : ACT_NONE,
        .positions = (enum positions)word_place(golden, "pos", golden_string(golden, "pos"), positions, 3),
        .concat = golden_int(golden, "concat") != 0,
        .loss = LOSS_MSE,
    };
    struct fault fault = FAULT_NONE;
    config.n_reduce = read_stack(golden, "reduce", config.reduce_width, config.reduce_act);
    config.n_decode = read_stack(golden, "decode", config.decode_width, config.decode_act);
    golden_demand(golden, encoder_check(&config, &fault), &fault);
    return config;
}

/* Where a golden parameter stands: q, k and v are thirds of the packed projection. */
struct place {
    int tensor;
    int64_t offset, elements;
};

static struct place find_place(struct golden *golden, const struct graph *graph, const char *name)
{
    static const char thirds[] = "qkv";
    char packed[256];
    const char *attn = strstr(name, ".attn.");
    snprintf(packed, sizeof packed, "%s", name);
    int64_t third = 0;
    if (attn && attn[6] && attn[7] == '.' && strchr(thirds, attn[6]) && !strstr(name, ".lora_")) {
        snprintf(packed, sizeof packed, "%.*s.attn.qkv%s", (int)(attn - name), name, attn + 7);
        third = strchr(thirds, attn[6]) - thirds + 1;
    }
    int t = graph_find(graph, packed);
    if (t == NO_TENSOR || graph->tensors[t].role != TENSOR_PARAM)
        golden_die(golden, "parameter %s: the model has no %s", name, packed);
    int64_t elements = graph->tensors[t].elements / (third ? 3 : 1);
    return (struct place){t, third ? (third - 1) * elements : 0, elements};
}

struct model_run {
    struct golden *golden;
    const struct precision *precision;
    struct graph graph;
    struct interpreter it;
};

static double *values_of(struct model_run *run, int tensor, int64_t offset, int64_t n, double divisor)
{
    double *values = arena_array(run->golden->arena, (size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = interpreter_get(&run->it, tensor, offset + i) / divisor;
    return values;
}

static void load_values(struct model_run *run, int tensor, int64_t offset, int64_t n, const char *path)
{
    const double *values = golden_read(run->golden, path, n);
    for (int64_t i = 0; i < n; i++)
        interpreter_put(&run->it, tensor, offset + i, values[i]);
}

/* All parameters of a group of the file; returns how many elements they are. */
static int64_t load_group(struct model_run *run, const char *group)
{
    struct golden *golden = run->golden;
    int n;
    int64_t elements = 0;
    const char *const *names = golden_list(golden, group, &n);
    for (int i = 0; i < n; i++) {
        struct place place = find_place(golden, &run->graph, names[i]);
        load_values(run, place.tensor, place.offset, place.elements,
                    arena_printf(golden->arena, "%s/%s", group, names[i]));
        elements += place.elements;
    }
    return elements;
}

/* The file's parameters, each once and all of them. */
static void load_params(struct model_run *run, const struct encoder_config *config)
{
    struct golden *golden = run->golden;
    int64_t elements = load_group(run, "/full/params");
    if (config->adapter.kind != ADAPTER_NONE)
        elements += load_group(run, "/lora/adapters");
    if (elements != graph_param_elements(&run->graph, 0))
        golden_die(golden, "/full/params: expected %lld parameters, found %lld",
                   (long long)graph_param_elements(&run->graph, 0), (long long)elements);
}

static void open_run(struct model_run *run, struct golden *golden, const struct precision *precision,
                     const struct encoder_config *config, const struct optimiser *optimiser)
{
    *run = (struct model_run){.golden = golden, .precision = precision};
    graph_init(&run->graph, golden->arena);
    encoder_build(config, golden_int(golden, "B"), 1, &run->graph);
    autodiff(&run->graph);
    graph_add_update(&run->graph, optimiser);
    interpreter_open(&run->it, &run->graph, precision->format);
    int x = graph_find(&run->graph, "x"), target = graph_find(&run->graph, "target");
    load_values(run, x, 0, run->graph.tensors[x].elements, "/x");
    load_values(run, target, 0, run->graph.tensors[target].elements, "/target");
    load_params(run, config);
}

static double mean_loss(const struct model_run *run)
{
    return interpreter_get(&run->it, run->graph.loss_sums, 0) / interpreter_get(&run->it, run->graph.loss_sums, 1);
}

static int tap_tensor(struct model_run *run, const struct encoder_config *config, const char *tap)
{
    struct arena *arena = run->golden->arena;
    const char *name = NULL;
    if (strcmp(tap, "embed") == 0)
        name = "embed.1.out";
    else if (strcmp(tap, "embed_pos") == 0)
        name = config->positions == POSITIONS_NONE ? "embed.1.out" : "embed_pos.out";
    else if (strncmp(tap, "layer", 5) == 0)
        name = arena_printf(arena, "layers.%s.norm2.out", tap + 5);
    else if (strcmp(tap, "code") == 0 && config->n_reduce)
        name = arena_printf(arena, "reduce.%d.out", config->n_reduce - 1);
    int t = name ? graph_find(&run->graph, name) : NO_TENSOR;
    if (t == NO_TENSOR)
        golden_die(run->golden, "tap %s: the model has none", tap);
    return t;
}

static void compare_tensor(struct model_run *run, enum golden_kind kind, int tensor, const char *path)
{
    int64_t n = run->graph.tensors[tensor].elements;
    golden_compare(run->golden, kind, path, values_of(run, tensor, 0, n, 1), golden_read(run->golden, path, n), n, 0);
}

/* Taps, output and loss of one group of results. */
static void compare_outputs(struct model_run *run, const struct encoder_config *config, const char *group)
{
    struct golden *golden = run->golden;
    enum golden_kind kind = run->precision->output;
    int n, y = NO_TENSOR;
    const char *taps = arena_printf(golden->arena, "%s/taps", group);
    const char *const *names = golden_list(golden, taps, &n);
    for (int i = 0; i < n; i++)
        compare_tensor(run, kind, tap_tensor(run, config, names[i]),
                       arena_printf(golden->arena, "%s/%s", taps, names[i]));
    for (int k = 0; k < run->graph.n_nodes; k++)
        if (run->graph.nodes[k].op.kind == OP_LOSS)
            y = run->graph.nodes[k].in[0];
    compare_tensor(run, kind, y, arena_printf(golden->arena, "%s/output", group));
    const char *path = arena_printf(golden->arena, "%s/loss", group);
    double loss = mean_loss(run);
    golden_compare(golden, kind, path, &loss, golden_read(golden, path, 1), 1, 0);
}

/* `whole`: the group whose largest gradient is the floor. */
static void compare_gradients(struct model_run *run, const char *group, const char *whole)
{
    struct golden *golden = run->golden;
    int n;
    const char *grads = arena_printf(golden->arena, "%s/grads", group);
    const char *const *names = golden_list(golden, grads, &n);
    double floor = 1e-3 * golden_double(golden, arena_printf(golden->arena, "%s/grads", whole), "max_abs_over_all");
    double count = interpreter_get(&run->it, run->graph.loss_sums, 1);
    int64_t elements = 0;
    for (int i = 0; i < n; i++) {
        struct place place = find_place(golden, &run->graph, names[i]);
        const char *path = arena_printf(golden->arena, "%s/%s", grads, names[i]);
        double *values = values_of(run, run->graph.tensors[place.tensor].grad, place.offset, place.elements, count);
        golden_compare(golden, run->precision->gradient, path, values, golden_read(golden, path, place.elements),
                       place.elements, floor);
        elements += place.elements;
    }
    if (elements != graph_param_elements(&run->graph, 1))
        golden_die(golden, "%s: not every trained parameter has a gradient", grads);
}

static void compare_params(struct model_run *run, enum golden_kind kind, const char *group)
{
    struct golden *golden = run->golden;
    int n;
    const char *params = arena_printf(golden->arena, "%s/params", group);
    const char *const *names = golden_list(golden, params, &n);
    for (int i = 0; i < n; i++) {
        struct place place = find_place(golden, &run->graph, names[i]);
        const char *path = arena_printf(golden->arena, "%s/%s", params, names[i]);
        golden_compare(golden, kind, path, values_of(run, place.tensor, place.offset, place.elements, 1),
                       golden_read(golden, path, place.elements), place.elements, 0);
    }
}

/* Five steps on the same batch; the losses before each and after the last. */
static void check_steps(struct golden *golden, const struct precision *precision, const struct encoder_config *config,
                        const struct optimiser *optimiser, double rate, const char *group, enum golden_kind losses_kind,
                        enum golden_kind params_kind, int params)
{
    struct model_run run;
    double losses[GOLDEN_STEPS + 1];
    open_run(&run, golden, precision, config, optimiser);
    run.it.context.learning_rate = rate;
    for (int step = 0; step < GOLDEN_STEPS; step++) {
        run.it.context.step = (uint32_t)step + 1;
        interpreter_run(&run.it, PHASE_UPDATE);
        losses[step] = mean_loss(&run);
    }
    interpreter_run(&run.it, PHASE_FORWARD);
    losses[GOLDEN_STEPS] = mean_loss(&run);
    const char *path = arena_printf(golden->arena, "%s/losses", group);
    golden_compare(golden, losses_kind, path, losses, golden_read(golden, path, GOLDEN_STEPS + 1), GOLDEN_STEPS + 1, 0);
    if (params)
        compare_params(&run, params_kind, group);
    interpreter_close(&run.it);
}

/* One of the ways of training that a file holds: "/full" or "/lora". */
static void check_precision(struct golden *golden, const struct encoder_config *config,
                            const struct precision *precision, const char *group)
{
    const struct optimiser sgd = {.kind = OPTIMISER_SGD};
    const struct optimiser adamw = {OPTIMISER_ADAMW, 0.9, 0.999, 1e-8, 1e-2, 0};
    const char *f32 = arena_printf(golden->arena, "%s/f32", group);
    struct model_run run;
    open_run(&run, golden, precision, config, &sgd);
    interpreter_run(&run.it, PHASE_BACKWARD);
    compare_outputs(&run, config, group);
    compare_gradients(&run, group, group);
    if (precision->format != FORMAT_FP64 && h5_exists(golden->file, f32)) {
        compare_outputs(&run, config, f32);
        compare_gradients(&run, f32, group);
    }
    interpreter_close(&run.it);
    check_steps(golden, precision, config, &sgd, 1e-2, arena_printf(golden->arena, "%s/sgd5", group), precision->sgd,
                precision->sgd, 1);
    check_steps(golden, precision, config, &adamw, 1e-3, arena_printf(golden->arena, "%s/adamw5", group),
                precision->adam_loss, ADAM_F64, precision->adam_params);
    golden_close_check(golden);
}

/* Which weights the file's adapters stand beside. */
static unsigned adapter_targets(struct golden *golden)
{
    static const char *const parts[N_ADAPTER_TARGETS] = {".attn.q.", ".attn.k.", ".attn.v.",
                                                         ".attn.o.", ".ffn.0.",  ".ffn.1."};
    unsigned targets = 0;
    int n;
    const char *const *names = golden_list(golden, "/lora/adapters", &n);
    for (int i = 0; i < n; i++)
        for (int t = 0; t < N_ADAPTER_TARGETS; t++)
            if (strstr(names[i], parts[t]))
                targets |= 1u << t;
    return targets;
}

/* The adapters as they are, and with the model cut into pieces as several devices would hold it. */
static void check_adapters(struct golden *golden, const struct encoder_config *full, const struct precision *precision)
{
    struct encoder_config config = *full;
    struct fault fault = FAULT_NONE;
    config.adapter = (struct adapter_config){.kind = ADAPTER_LORA,
                                             .width = golden_int(golden, "lora_r"),
                                             .alpha = golden_double(golden, "/", "lora_alpha"),
                                             .targets = adapter_targets(golden)};
    golden_demand(golden, encoder_check(&config, &fault), &fault);
    check_precision(golden, &config, precision, "/lora");
    config.pieces.separate_activations = 1;
    config.pieces.head_groups = config.heads < 3 ? config.heads : 3;
    config.pieces.matrix_shards = config.d_model < 4 ? config.d_model : config.ffn < 4 ? config.ffn : 4;
    golden_demand(golden, encoder_check(&config, &fault), &fault);
    check_precision(golden, &config, precision, "/lora");
}

/* The table of positions; a constant one is stored as one row. */
static void check_positions(struct golden *golden, const struct encoder_config *config)
{
    struct graph graph;
    if (config->positions == POSITIONS_NONE)
        return;
    graph_init(&graph, golden->arena);
    encoder_build(config, 1, 0, &graph);
    const struct tensor *pe = &graph.tensors[graph_find(&graph, "positions")];
    int64_t rows = config->positions == POSITIONS_CONSTANT && golden_elements(golden, "/pe") == config->d_model
                       ? 1
                       : config->tokens;
    const double *stored = golden_read(golden, "/pe", rows * config->d_model);
    double *expected = arena_array(golden->arena, (size_t)pe->elements, sizeof *expected);
    for (int64_t i = 0; i < pe->elements; i++)
        expected[i] = stored[i % (rows * config->d_model)];
    golden_compare(golden, OUTPUT_F64, "/pe", pe->values, expected, pe->elements, 0);
    golden_close_check(golden);
}

static void check_model(struct golden *golden)
{
    /* float32 Adam: a gradient that is noise moves a parameter by a whole step, so only the losses say something */
    static const struct precision precisions[] = {
        {FORMAT_FP64, OUTPUT_F64, GRADIENT_F64, SGD_F64, ADAM_F64, 1},
        {FORMAT_FP32, OUTPUT_F32, GRADIENT_F32, SGD_F32, ADAM_LOSS_F32, 0},
    };
    struct encoder_config config = read_config(golden);
    check_positions(golden, &config);
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
        check_precision(golden, &config, &precisions[i], "/full");
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions && h5_exists(golden->file, "/lora"); i++)
        check_adapters(golden, &config, &precisions[i]);
}

#endif
