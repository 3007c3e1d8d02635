#include "model/traffic.h"

#include <math.h>

/* PyTorch's LayerNorm, and the standard deviation that embeddings start with. */
static const double norm_eps = 1e-5, embedding_sd = 0.02;

enum { BLOCK_NONE = -1 };

/* Elements of one tensor of a sample: keeps every product of sizes within int64_t. */
static const double most_elements = 1e12;

struct builder {
    const struct traffic_config *config;
    struct graph *graph;
    int64_t samples, rows; /* B, and B * T * N */
    int training;
    int block;
    uint32_t n_params;
    int x, tod, target, mask;
};

static void append(struct builder *builder, const struct op *op, const struct operands *operands, enum phase phase,
                   const char *name)
{
    graph_node(builder->graph, op, operands->in, operands->out, phase, builder->block, name);
}

static const char *name_of(struct builder *builder, const char *module, const char *part)
{
    return arena_printf(builder->graph->arena, "%s.%s", module, part);
}

static int param(struct builder *builder, const char *name, int n_dims, const int64_t *dims, enum init_kind init,
                 double scale)
{
    int id = graph_tensor(builder->graph, TENSOR_PARAM, name, n_dims, dims);
    struct tensor *tensor = &builder->graph->tensors[id];
    tensor->trainable = 1;
    tensor->init = init;
    tensor->init_scale = scale;
    tensor->init_place = builder->n_params++;
    return id;
}

static int embedding(struct builder *builder, const char *name, int64_t entries)
{
    return param(builder, name, 2, (const int64_t[]){entries, builder->config->d_model}, INIT_NORMAL, embedding_sd);
}

/* [B, T, N, width] */
static int grid(struct builder *builder, const char *name, int64_t width)
{
    const struct traffic_config *config = builder->config;
    return graph_tensor(builder->graph, TENSOR_ACTIVATION, name, 4,
                        (const int64_t[]){builder->samples, config->steps, config->stations, width});
}

/* A linear layer whose weight and bias have these names. Glorot's uniform start; wqkv counts as three of width d. */
struct linear {
    const char *weight, *bias;
    int64_t in, out, out_of_init;
    enum activation act;
};

static void append_linear(struct builder *builder, const struct linear *linear, int64_t rows, int x, int y, int pre)
{
    struct op op = {.kind = OP_LINEAR,
                    .samples = builder->samples,
                    .rows = rows,
                    .in = linear->in,
                    .out = linear->out,
                    .act = linear->act};
    struct operands operands = no_operands();
    double scale = sqrt(6 / (double)(linear->in + linear->out_of_init));
    operands.in[0] = x;
    operands.in[1] = param(builder, linear->weight, 2, (const int64_t[]){linear->out, linear->in}, INIT_UNIFORM, scale);
    operands.in[2] = param(builder, linear->bias, 1, &linear->out, INIT_ZERO, 0);
    operands.out[0] = y;
    operands.out[1] = pre;
    append(builder, &op, &operands, PHASE_FORWARD, linear->weight);
}

/* A linear layer over the grid; returns its output. */
static int grid_linear(struct builder *builder, const char *module, const char *weight, const char *bias, int x,
                       int64_t in, int64_t out, int64_t out_of_init, enum activation act)
{
    struct linear linear = {
        name_of(builder, module, weight), name_of(builder, module, bias), in, out, out_of_init, act};
    int y = grid(builder, name_of(builder, linear.weight, "out"), out), pre = NO_TENSOR;
    if (act == ACT_GELU && builder->training)
        pre = grid(builder, name_of(builder, linear.weight, "pre"), out);
    append_linear(builder, &linear, builder->rows, x, y, pre);
    return y;
}

/* The stream of the residual sums: z, and what is still to be added to it (NO_TENSOR: nothing). */
struct stream {
    int z, u;
};

/* LN(z + u); z becomes the sum. */
static int norm(struct builder *builder, const char *module, struct stream *stream)
{
    int64_t d = builder->config->d_model;
    struct op op = {.kind = OP_NORM, .samples = builder->samples, .rows = builder->rows, .in = d, .eps = norm_eps};
    struct operands operands = no_operands();
    operands.in[0] = stream->z;
    operands.in[1] = stream->u;
    operands.in[2] = param(builder, name_of(builder, module, "g"), 1, &d, INIT_ONE, 0);
    operands.in[3] = param(builder, name_of(builder, module, "b"), 1, &d, INIT_ZERO, 0);
    operands.out[0] = grid(builder, name_of(builder, module, "out"), d);
    if (stream->u != NO_TENSOR)
        operands.out[1] = grid(builder, name_of(builder, module, "sum"), d);
    operands.out[2] = graph_tensor(builder->graph, TENSOR_ACTIVATION, name_of(builder, module, "stats"), 2,
                                   (const int64_t[]){builder->rows, 2});
    append(builder, &op, &operands, PHASE_FORWARD, module);
    if (stream->u != NO_TENSOR)
        *stream = (struct stream){operands.out[1], NO_TENSOR};
    return operands.out[0];
}

/* Attention among `tokens` rows that lie `interleave` rows apart; the samples of the op are all other places. */
static void attention(struct builder *builder, const char *module, int64_t tokens, int64_t interleave,
                      struct stream *stream)
{
    const struct traffic_config *config = builder->config;
    int64_t d = config->d_model, sequences = builder->rows / tokens;
    int normed = norm(builder, name_of(builder, module, "ln"), stream);
    int qkv = grid_linear(builder, module, "wqkv", "bqkv", normed, d, 3 * d, d, ACT_NONE);
    struct op op = {.kind = OP_ATTENTION,
                    .samples = sequences,
                    .rows = builder->rows,
                    .n_query = tokens,
                    .n_key = tokens,
                    .heads = config->heads,
                    .head_width = d / config->heads,
                    .packed = 1,
                    .interleave = interleave};
    struct operands operands = no_operands();
    operands.in[0] = qkv;
    operands.out[0] = grid(builder, name_of(builder, module, "context"), d);
    operands.out[1] = graph_tensor(builder->graph, TENSOR_ACTIVATION, name_of(builder, module, "probs"), 4,
                                   (const int64_t[]){sequences, config->heads, tokens, tokens});
    append(builder, &op, &operands, PHASE_FORWARD, name_of(builder, module, "attention"));
    stream->u = grid_linear(builder, module, "wo", "bo", operands.out[0], d, d, d, ACT_NONE);
}

static void feed_forward(struct builder *builder, const char *module, struct stream *stream)
{
    int64_t d = builder->config->d_model, f = builder->config->ffn;
    int normed = norm(builder, name_of(builder, module, "ln"), stream);
    int hidden = grid_linear(builder, module, "w1", "b1", normed, d, f, f, ACT_GELU);
    stream->u = grid_linear(builder, module, "w2", "b2", hidden, f, d, d, ACT_NONE);
}

static void layer(struct builder *builder, int l, struct stream *stream)
{
    const struct traffic_config *config = builder->config;
    struct arena *arena = builder->graph->arena;
    builder->block = l;
    attention(builder, arena_printf(arena, "l%d.t", l), config->steps, config->stations, stream);
    attention(builder, arena_printf(arena, "l%d.s", l), config->stations, 1, stream);
    feed_forward(builder, arena_printf(arena, "l%d.f", l), stream);
    builder->block = BLOCK_NONE;
}

static void load(struct builder *builder)
{
    const struct traffic_config *config = builder->config;
    struct graph *graph = builder->graph;
    const int64_t output[2] = {builder->samples, config->horizon * config->stations};
    struct op op = {.kind = OP_LOAD, .samples = builder->samples};
    struct operands operands = no_operands();
    builder->x = operands.out[0] =
        graph_tensor(graph, TENSOR_INPUT, "x", 4,
                     (const int64_t[]){builder->samples, config->steps, config->stations, config->channels});
    builder->target = operands.out[1] = graph_tensor(graph, TENSOR_TARGET, "target", 2, output);
    builder->mask = NO_TENSOR;
    if (config->masked)
        builder->mask = operands.out[2] = graph_tensor(graph, TENSOR_MASK, "mask", 2, output);
    builder->tod = operands.out[3] =
        graph_tensor(graph, TENSOR_INPUT, "tod", 2, (const int64_t[]){builder->samples, config->steps});
    append(builder, &op, &operands, PHASE_LOAD, "load");
}

static int embed(struct builder *builder)
{
    const struct traffic_config *config = builder->config;
    struct op op = {.kind = OP_ADD_EMBED,
                    .samples = builder->samples,
                    .rows = builder->rows,
                    .in = config->d_model,
                    .out = config->slots,
                    .n_query = config->stations,
                    .n_key = config->steps};
    struct operands operands = no_operands();
    operands.in[0] =
        grid_linear(builder, "in", "w", "b", builder->x, config->channels, config->d_model, config->d_model, ACT_NONE);
    operands.in[1] = embedding(builder, "emb.node", config->stations);
    operands.in[3] = embedding(builder, "emb.tod", config->slots);
    operands.in[2] = embedding(builder, "emb.pos", config->steps);
    operands.in[4] = builder->tod;
    operands.out[0] = grid(builder, "embed.out", config->d_model);
    append(builder, &op, &operands, PHASE_FORWARD, "embed");
    return operands.out[0];
}

/* x[B, steps, stations, width] with steps and stations exchanged. */
static int turn(struct builder *builder, const char *name, int x, int64_t steps, int64_t stations, int64_t width)
{
    struct op op = {.kind = OP_PERMUTE,
                    .samples = builder->samples,
                    .rows = builder->samples * steps * stations,
                    .in = width,
                    .n_query = stations,
                    .n_key = steps};
    struct operands operands = no_operands();
    operands.in[0] = x;
    operands.out[0] = graph_tensor(builder->graph, TENSOR_ACTIVATION, name_of(builder, name, "out"), 4,
                                   (const int64_t[]){builder->samples, stations, steps, width});
    append(builder, &op, &operands, PHASE_FORWARD, name);
    return operands.out[0];
}

static int add_last(struct builder *builder, int y)
{
    const struct traffic_config *config = builder->config;
    int64_t outputs = config->horizon * config->stations;
    struct op op = {.kind = OP_ADD_LAST,
                    .samples = builder->samples,
                    .rows = builder->rows,
                    .in = config->channels,
                    .out = outputs,
                    .last_offset = (config->steps - 1) * config->stations * config->channels,
                    .last_stride = config->channels,
                    .last_count = config->stations};
    struct operands operands = no_operands();
    operands.in[0] = y;
    operands.in[1] = builder->x;
    operands.out[0] = graph_tensor(builder->graph, TENSOR_ACTIVATION, "residual.out", 2,
                                   (const int64_t[]){builder->samples, outputs});
    append(builder, &op, &operands, PHASE_FORWARD, "residual");
    return operands.out[0];
}

/* y [B, H*N] */
static int output(struct builder *builder, struct stream *stream)
{
    const struct traffic_config *config = builder->config;
    int64_t b = builder->samples, n = config->stations, h = config->horizon, wide = config->steps * config->d_model;
    int z = turn(builder, "turn", norm(builder, "out.ln", stream), config->steps, n, config->d_model);
    int rows = graph_view(builder->graph, z, 0, "out.rows", 2, (const int64_t[]){b * n, wide});
    int y = graph_tensor(builder->graph, TENSOR_ACTIVATION, "out.w.out", 2, (const int64_t[]){b * n, h});
    struct linear linear = {"out.w", "out.b", wide, h, h, ACT_NONE};
    append_linear(builder, &linear, b * n, rows, y, NO_TENSOR);
    y = turn(builder, "out.turn", y, n, h, 1);
    y = graph_view(builder->graph, y, 0, "out.flat", 2, (const int64_t[]){b, h * n});
    return config->residual ? add_last(builder, y) : y;
}

static void add_loss(struct builder *builder, int y)
{
    const struct traffic_config *config = builder->config;
    int64_t outputs = config->horizon * config->stations;
    struct op op = {.kind = OP_LOSS,
                    .samples = builder->samples,
                    .rows = builder->samples,
                    .out = outputs,
                    .loss = config->loss,
                    .huber_delta = config->huber_delta};
    struct operands operands = no_operands();
    operands.in[0] = y;
    operands.in[1] = builder->target;
    operands.in[2] = builder->mask;
    operands.out[0] = builder->graph->loss_sums =
        graph_tensor(builder->graph, TENSOR_GRAD, "loss.sums", 1, (const int64_t[]){2});
    if (builder->training)
        operands.out[1] =
            graph_tensor(builder->graph, TENSOR_ACTIVATION, "loss.dy", 2, (const int64_t[]){builder->samples, outputs});
    append(builder, &op, &operands, PHASE_FORWARD, "loss");
    if (builder->training)
        return;
    operands.out[0] = NO_TENSOR;
    struct op metric = {.kind = OP_METRIC, .samples = builder->samples, .out = outputs};
    append(builder, &metric, &operands, PHASE_FORWARD, "metric");
}

void traffic_build(const struct traffic_config *config, int64_t samples, int training, struct graph *graph)
{
    struct builder builder = {.config = config,
                              .graph = graph,
                              .samples = samples,
                              .rows = samples * config->steps * config->stations,
                              .training = training,
                              .block = BLOCK_NONE};
    load(&builder);
    struct stream stream = {embed(&builder), NO_TENSOR};
    for (int l = 0; l < config->layers; l++)
        layer(&builder, l, &stream);
    add_loss(&builder, output(&builder, &stream));
}

struct traffic_config traffic_preset(void)
{
    struct traffic_config config = {.steps = 12,
                                    .stations = 207,
                                    .channels = 1,
                                    .horizon = 12,
                                    .slots = 288,
                                    .d_model = 64,
                                    .heads = 4,
                                    .layers = 2,
                                    .ffn = 128,
                                    .residual = 1,
                                    .loss = LOSS_MAE,
                                    .huber_delta = 1,
                                    .masked = 1};
    return config;
}

enum status traffic_check(const struct traffic_config *config, struct fault *fault)
{
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {
        {"data.window", config->steps},    {"model.tokens", config->stations}, {"model.features", config->channels},
        {"data.horizon", config->horizon}, {"data.slots", config->slots},      {"model.d_model", config->d_model},
        {"model.heads", config->heads},    {"model.ffn", config->ffn},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].value < 1)
            return fault_set(fault, STATUS_USAGE, "%s: expected a number from 1 on, found %lld", sizes[i].key,
                             (long long)sizes[i].value);
    if (config->layers < 0)
        return fault_set(fault, STATUS_USAGE, "model.layers: expected a number from 0 on, found %lld",
                         (long long)config->layers);
    if (config->d_model % config->heads)
        return fault_set(fault, STATUS_USAGE, "model.d_model: expected a multiple of model.heads (%lld), found %lld",
                         (long long)config->heads, (long long)config->d_model);
    double t = (double)config->steps, n = (double)config->stations, d = (double)config->d_model,
           widest = fmax(fmax(3 * d, (double)config->ffn), (double)config->channels);
    if (t * n * widest > most_elements || widest * d > most_elements ||
        t * d * (double)config->horizon > most_elements || t * n * (n + t) * (double)config->heads > most_elements ||
        n * (double)config->horizon > most_elements || (n + t + (double)config->slots) * d > most_elements)
        return fault_set(fault, STATUS_USAGE,
                         "model.d_model: expected no tensor of more than %g elements, found %lld steps of %lld "
                         "stations with rows of up to %g",
                         most_elements, (long long)config->steps, (long long)config->stations, widest);
    return STATUS_OK;
}
