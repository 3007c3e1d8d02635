#include "model/traffic.h"

#include <math.h>

#include "model/builder.h"

/* PyTorch's LayerNorm, and the standard deviation that embeddings start with. */
static const double norm_eps = 1e-5, embedding_sd = 0.02;

/* Elements of one tensor of a sample: keeps every product of sizes within int64_t. */
static const double most_elements = 1e12;

struct traffic {
    struct builder builder;
    const struct traffic_config *config;
    int x, tod;
};

static int embedding(struct traffic *traffic, const char *part, int64_t entries)
{
    return builder_param(&traffic->builder, "emb", part, 2, (const int64_t[]){entries, traffic->config->d_model},
                         INIT_NORMAL, embedding_sd);
}

/* A linear layer that is called as its weight is. Glorot's uniform start; wqkv counts as three of width d. */
static struct block_linear linear_of(struct builder *builder, const char *module, const char *weight, const char *bias,
                                     int64_t in, int64_t out, int64_t out_of_init)
{
    double scale = sqrt(6 / (double)(in + out_of_init));
    struct block_linear linear = {.module = builder_name(builder, module, weight), .parts = 1};
    linear.weight = builder_param(builder, module, weight, 2, (const int64_t[]){out, in}, INIT_UNIFORM, scale);
    linear.bias = builder_param(builder, module, bias, 1, &out, INIT_ZERO, 0);
    return linear;
}

/* The same outside of the layers: never frozen. */
static int free_linear(struct builder *builder, const char *module, int x, int64_t out)
{
    struct block_linear linear = linear_of(builder, module, "w", "b", builder_width(builder, x), out, out);
    return builder_product(builder, linear.module, x, linear.weight, linear.bias, ACT_NONE);
}

/* Where an adapter can stand in a layer, in this order. */
enum place { TIME_Q, TIME_K, TIME_V, TIME_O, SPACE_Q, SPACE_K, SPACE_V, SPACE_O, FEED_W1, FEED_W2, N_PLACES };

static struct target target_of(struct builder *builder, const char *module, const char *weight, enum adapter_target bit,
                               int part, int place)
{
    return (struct target){builder_name(builder, module, weight), bit, part,
                           (uint32_t)builder->block * N_PLACES + (uint32_t)place};
}

/* The stream of the residual sums: z, and what is still to be added to it (NO_TENSOR: nothing). */
struct stream {
    int z, u;
};

/* LN(z + u); z becomes the sum. */
static int norm(struct builder *builder, const char *module, struct stream *stream)
{
    int64_t d = builder_width(builder, stream->z), rows = builder_rows(builder, stream->z);
    struct op op = {.kind = OP_NORM, .samples = builder->samples, .rows = rows, .in = d, .eps = norm_eps};
    struct operands operands = no_operands();
    operands.in[0] = stream->z;
    operands.in[1] = stream->u;
    operands.in[2] = builder_norm_param(builder, module, "g", d, INIT_ONE);
    operands.in[3] = builder_norm_param(builder, module, "b", d, INIT_ZERO);
    operands.out[0] = builder_activation(builder, module, "out", stream->z, d);
    if (stream->u != NO_TENSOR)
        operands.out[1] = builder_activation(builder, module, "sum", stream->z, d);
    operands.out[2] = graph_tensor(builder->graph, TENSOR_ACTIVATION, builder_name(builder, module, "stats"), 2,
                                   (const int64_t[]){rows, 2});
    builder_append(builder, &op, &operands, PHASE_FORWARD, module);
    if (stream->u != NO_TENSOR)
        *stream = (struct stream){operands.out[1], NO_TENSOR};
    return operands.out[0];
}

/* Attention among `tokens` rows that lie `interleave` rows apart; its sequences are all other places. `q`: the first of
 * its places of adapters. */
static void attention(struct traffic *traffic, const char *module, int64_t tokens, int64_t interleave, enum place q,
                      struct stream *stream)
{
    struct builder *builder = &traffic->builder;
    int64_t d = traffic->config->d_model, heads = traffic->config->heads;
    int normed = norm(builder, builder_name(builder, module, "ln"), stream);
    struct block_linear linear = linear_of(builder, module, "wqkv", "bqkv", d, 3 * d, d);
    linear.parts = 3;
    linear.target[0] = target_of(builder, module, "wq", TARGET_Q, 0, q);
    linear.target[1] = target_of(builder, module, "wk", TARGET_K, 1, q + 1);
    linear.target[2] = target_of(builder, module, "wv", TARGET_V, 2, q + 2);
    int qkv = builder_block_linear(builder, &linear, normed);
    struct block_attention among = {.module = builder_name(builder, module, "attention"),
                                    .sequences = builder_rows(builder, qkv) / tokens,
                                    .tokens = tokens,
                                    .interleave = interleave,
                                    .heads = heads,
                                    .head_width = d / heads};
    int context = builder_attention(builder, &among, qkv);
    linear = linear_of(builder, module, "wo", "bo", d, d, d);
    linear.target[0] = target_of(builder, module, "wo", TARGET_O, 0, q + 3);
    stream->u = builder_block_linear(builder, &linear, context);
}

static void feed_forward(struct traffic *traffic, const char *module, struct stream *stream)
{
    struct builder *builder = &traffic->builder;
    int64_t d = traffic->config->d_model, f = traffic->config->ffn;
    int normed = norm(builder, builder_name(builder, module, "ln"), stream);
    struct block_linear linear = linear_of(builder, module, "w1", "b1", d, f, f);
    linear.act = ACT_GELU;
    linear.target[0] = target_of(builder, module, "w1", TARGET_FFN0, 0, FEED_W1);
    int hidden = builder_block_linear(builder, &linear, normed);
    linear = linear_of(builder, module, "w2", "b2", f, d, d);
    linear.target[0] = target_of(builder, module, "w2", TARGET_FFN1, 0, FEED_W2);
    stream->u = builder_block_linear(builder, &linear, hidden);
}

static void layer(struct traffic *traffic, int l, struct stream *stream)
{
    const struct traffic_config *config = traffic->config;
    struct arena *arena = traffic->builder.graph->arena;
    traffic->builder.block = l;
    attention(traffic, arena_printf(arena, "l%d.t", l), config->steps, config->stations, TIME_Q, stream);
    attention(traffic, arena_printf(arena, "l%d.s", l), config->stations, 1, SPACE_Q, stream);
    feed_forward(traffic, arena_printf(arena, "l%d.f", l), stream);
    traffic->builder.block = BLOCK_NONE;
}

static struct builder_loss load(struct traffic *traffic)
{
    const struct traffic_config *config = traffic->config;
    struct builder *builder = &traffic->builder;
    struct graph *graph = builder->graph;
    const int64_t b = builder->samples, output[2] = {b, config->horizon * config->stations};
    struct op op = {.kind = OP_LOAD, .samples = b};
    struct operands operands = no_operands();
    struct builder_loss loss = {.mask = NO_TENSOR, .kind = config->loss, .huber_delta = config->huber_delta};
    traffic->x = operands.out[0] = graph_tensor(
        graph, TENSOR_INPUT, "x", 4, (const int64_t[]){b, config->steps, config->stations, config->channels});
    loss.target = operands.out[1] = graph_tensor(graph, TENSOR_TARGET, "target", 2, output);
    if (config->masked)
        loss.mask = operands.out[2] = graph_tensor(graph, TENSOR_MASK, "mask", 2, output);
    traffic->tod = operands.out[3] = graph_tensor(graph, TENSOR_INPUT, "tod", 2, (const int64_t[]){b, config->steps});
    builder_append(builder, &op, &operands, PHASE_LOAD, "load");
    return loss;
}

static int embed(struct traffic *traffic)
{
    const struct traffic_config *config = traffic->config;
    struct builder *builder = &traffic->builder;
    struct op op = {.kind = OP_ADD_EMBED,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, traffic->x),
                    .in = config->d_model,
                    .out = config->slots,
                    .n_query = config->stations,
                    .n_key = config->steps};
    struct operands operands = no_operands();
    operands.in[0] = free_linear(builder, "in", traffic->x, config->d_model);
    operands.in[1] = embedding(traffic, "node", config->stations);
    operands.in[3] = embedding(traffic, "tod", config->slots);
    operands.in[2] = embedding(traffic, "pos", config->steps);
    operands.in[4] = traffic->tod;
    operands.out[0] = builder_activation(builder, "embed", "out", operands.in[0], config->d_model);
    builder_append(builder, &op, &operands, PHASE_FORWARD, "embed");
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
    int y = graph_tensor(builder->graph, TENSOR_ACTIVATION, builder_name(builder, name, "out"), 4,
                         (const int64_t[]){builder->samples, stations, steps, width});
    const struct operands operands = operands_of(1, &x, 1, &y);
    builder_append(builder, &op, &operands, PHASE_FORWARD, name);
    return y;
}

static int add_last(struct traffic *traffic, int y)
{
    const struct traffic_config *config = traffic->config;
    struct builder *builder = &traffic->builder;
    int64_t outputs = config->horizon * config->stations;
    struct op op = {.kind = OP_ADD_LAST,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, traffic->x),
                    .in = config->channels,
                    .out = outputs,
                    .last_offset = (config->steps - 1) * config->stations * config->channels,
                    .last_stride = config->channels,
                    .last_count = config->stations};
    int sum = builder_activation(builder, "residual", "out", y, outputs);
    const struct operands operands = operands_of(2, (const int[]){y, traffic->x}, 1, &sum);
    builder_append(builder, &op, &operands, PHASE_FORWARD, "residual");
    return sum;
}

/* y [B, H*N] */
static int output(struct traffic *traffic, struct stream *stream)
{
    const struct traffic_config *config = traffic->config;
    struct builder *builder = &traffic->builder;
    int64_t b = builder->samples, n = config->stations, h = config->horizon, d = config->d_model;
    int z = turn(builder, "turn", norm(builder, "out.ln", stream), config->steps, n, d);
    int rows = graph_view(builder->graph, z, 0, "out.rows", 2, (const int64_t[]){b * n, config->steps * d});
    int y = turn(builder, "out.turn", free_linear(builder, "out", rows, h), n, h, 1);
    y = graph_view(builder->graph, y, 0, "out.flat", 2, (const int64_t[]){b, h * n});
    return config->residual ? add_last(traffic, y) : y;
}

void traffic_build(const struct traffic_config *config, int64_t samples, int training, struct graph *graph)
{
    struct traffic traffic = {.builder = {.graph = graph,
                                          .samples = samples,
                                          .training = training,
                                          .block = BLOCK_NONE,
                                          .adapter = &config->adapter,
                                          .pieces = &config->pieces},
                              .config = config};
    struct builder_loss loss = load(&traffic);
    struct stream stream = {embed(&traffic), NO_TENSOR};
    for (int l = 0; l < config->layers; l++)
        layer(&traffic, l, &stream);
    builder_append_loss(&traffic.builder, output(&traffic, &stream), &loss);
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
    return adapted_check(&config->adapter, &config->pieces, config->heads, config->d_model, config->ffn, fault);
}
