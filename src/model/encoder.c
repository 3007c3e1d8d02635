#include "model/encoder.h"

#include <math.h>

#include "base/status.h"

/* PyTorch's LayerNorm. */
static const double norm_eps = 1e-5;

enum { BLOCK_NONE = -1 };

struct builder {
    const struct encoder_config *config;
    struct graph *graph;
    int64_t samples;
    int training;
    int block;
    uint32_t n_params, n_sites;
    int x;
};

static const char *name_of(struct builder *builder, const char *module, const char *part)
{
    return arena_printf(builder->graph->arena, "%s.%s", module, part);
}

static int param(struct builder *builder, const char *module, const char *part, int n_dims, const int64_t *dims,
                 enum init_kind init, double scale)
{
    int id = graph_tensor(builder->graph, TENSOR_PARAM, name_of(builder, module, part), n_dims, dims);
    struct tensor *tensor = &builder->graph->tensors[id];
    tensor->trainable = 1;
    tensor->init = init;
    tensor->init_scale = scale;
    tensor->init_place = builder->n_params++;
    return id;
}

/* A tensor with the dimensions of `like`, but rows of `width`. */
static int activation(struct builder *builder, const char *module, const char *part, int like, int64_t width)
{
    struct tensor shape = builder->graph->tensors[like];
    shape.dims[shape.n_dims - 1] = width;
    return graph_tensor(builder->graph, TENSOR_ACTIVATION, name_of(builder, module, part), shape.n_dims, shape.dims);
}

static int64_t width_of(const struct builder *builder, int t)
{
    const struct tensor *tensor = &builder->graph->tensors[t];
    return tensor->dims[tensor->n_dims - 1];
}

static int64_t rows_of(const struct builder *builder, int t)
{
    return builder->graph->tensors[t].elements / width_of(builder, t);
}

static void append(struct builder *builder, const struct op *op, const struct operands *operands, enum phase phase,
                   const char *name)
{
    graph_node(builder->graph, op, operands->in, operands->out, phase, builder->block, name);
}

/* How a linear's weights start. */
struct linear_init {
    double weight_scale, bias_scale;
};

/* torch.nn.Linear */
static struct linear_init linear_default(int64_t in)
{
    double scale = 1 / sqrt((double)in);
    return (struct linear_init){scale, scale};
}

/* torch.nn.MultiheadAttention: Xavier over the packed projection, and no bias at first. */
static struct linear_init qkv_default(int64_t in, int64_t out)
{
    return (struct linear_init){sqrt(6 / (double)(in + out)), 0};
}

static int linear_from(struct builder *builder, const char *module, int x, int64_t out, enum activation act,
                       struct linear_init init)
{
    int64_t in = width_of(builder, x);
    struct op op = {
        .kind = OP_LINEAR, .samples = builder->samples, .rows = rows_of(builder, x), .in = in, .out = out, .act = act};
    struct operands operands = no_operands();
    operands.in[0] = x;
    operands.in[1] = param(builder, module, "weight", 2, (const int64_t[]){out, in}, INIT_UNIFORM, init.weight_scale);
    operands.in[2] =
        param(builder, module, "bias", 1, &out, init.bias_scale > 0 ? INIT_UNIFORM : INIT_ZERO, init.bias_scale);
    operands.out[0] = activation(builder, module, "out", x, out);
    if (act == ACT_GELU && builder->training)
        operands.out[1] = activation(builder, module, "pre", x, out);
    append(builder, &op, &operands, PHASE_FORWARD, module);
    return operands.out[0];
}

static int linear(struct builder *builder, const char *module, int x, int64_t out, enum activation act)
{
    return linear_from(builder, module, x, out, act, linear_default(width_of(builder, x)));
}

static int attention(struct builder *builder, const char *module, int z)
{
    const struct encoder_config *config = builder->config;
    int64_t d = config->d_model, n = config->tokens;
    int qkv = linear_from(builder, name_of(builder, module, "qkv"), z, 3 * d, ACT_NONE, qkv_default(d, 3 * d));
    struct op op = {.kind = OP_ATTENTION,
                    .samples = builder->samples,
                    .rows = builder->samples * n,
                    .n_query = n,
                    .n_key = n,
                    .heads = config->heads,
                    .head_width = d / config->heads,
                    .packed = 1};
    struct operands operands = no_operands();
    operands.in[0] = qkv;
    operands.out[0] = activation(builder, module, "context", z, d);
    operands.out[1] = graph_tensor(builder->graph, TENSOR_ACTIVATION, name_of(builder, module, "probs"), 4,
                                   (const int64_t[]){builder->samples, config->heads, n, n});
    append(builder, &op, &operands, PHASE_FORWARD, module);
    struct linear_init init = linear_default(d);
    init.bias_scale = 0;
    return linear_from(builder, name_of(builder, module, "o"), operands.out[0], d, ACT_NONE, init);
}

/* norm(x + drop(u)) */
static int norm(struct builder *builder, const char *module, int x, int u)
{
    int64_t d = width_of(builder, x), rows = rows_of(builder, x);
    double dropout = builder->training ? builder->config->dropout : 0;
    struct op op = {.kind = OP_NORM,
                    .samples = builder->samples,
                    .rows = rows,
                    .in = d,
                    .dropout = dropout,
                    .site = builder->n_sites++,
                    .eps = norm_eps};
    struct operands operands = no_operands();
    operands.in[0] = x;
    operands.in[1] = u;
    operands.in[2] = param(builder, module, "weight", 1, &d, INIT_ONE, 0);
    operands.in[3] = param(builder, module, "bias", 1, &d, INIT_ZERO, 0);
    operands.out[0] = activation(builder, module, "out", x, d);
    operands.out[1] = activation(builder, module, "sum", x, d);
    operands.out[2] = graph_tensor(builder->graph, TENSOR_ACTIVATION, name_of(builder, module, "stats"), 2,
                                   (const int64_t[]){rows, 2});
    append(builder, &op, &operands, PHASE_FORWARD, module);
    return operands.out[0];
}

static int transformer_block(struct builder *builder, int i, int z)
{
    const char *module = arena_printf(builder->graph->arena, "layers.%d", i);
    builder->block = i;
    z = norm(builder, name_of(builder, module, "norm1"), z, attention(builder, name_of(builder, module, "attn"), z));
    int hidden = linear(builder, name_of(builder, module, "ffn.0"), z, builder->config->ffn, ACT_RELU);
    int u = linear(builder, name_of(builder, module, "ffn.1"), hidden, builder->config->d_model, ACT_NONE);
    z = norm(builder, name_of(builder, module, "norm2"), z, u);
    builder->block = BLOCK_NONE;
    return z;
}

/* pe[t, 2i] = sin(t w_i), pe[t, 2i+1] = cos(t w_i), w_i = 10000^(-2i / d); POSITIONS_CONSTANT: that of token 0 for all.
 * Source: Vaswani et al. 2017, section 3.5. */
static int position_table(struct builder *builder)
{
    const struct encoder_config *config = builder->config;
    int64_t n = config->tokens, d = config->d_model;
    double *values = arena_array(builder->graph->arena, (size_t)(n * d), sizeof *values);
    for (int64_t t = 0; t < n; t++)
        for (int64_t c = 0; c < d; c++) {
            double w = exp(-(double)(c - c % 2) * log(10000.0) / (double)d);
            double angle = config->positions == POSITIONS_CONSTANT ? 0 : (double)t * w;
            values[t * d + c] = c % 2 ? cos(angle) : sin(angle);
        }
    int pe = graph_tensor(builder->graph, TENSOR_CONST, "positions", 2, (const int64_t[]){n, d});
    builder->graph->tensors[pe].values = values;
    return pe;
}

static int add_positions(struct builder *builder, const char *module, int e)
{
    if (builder->config->positions == POSITIONS_NONE)
        return e;
    struct op op = {
        .kind = OP_ADD_POS, .samples = builder->samples, .rows = rows_of(builder, e), .in = builder->config->d_model};
    struct operands operands = no_operands();
    operands.in[0] = e;
    operands.in[1] = position_table(builder);
    operands.out[0] = activation(builder, module, "out", e, builder->config->d_model);
    append(builder, &op, &operands, PHASE_FORWARD, module);
    return operands.out[0];
}

static int concat(struct builder *builder, int z, int e)
{
    int64_t d = builder->config->d_model;
    struct op op = {.kind = OP_CONCAT, .samples = builder->samples, .rows = rows_of(builder, z), .in = d, .out = d};
    struct operands operands = no_operands();
    operands.in[0] = z;
    operands.in[1] = e;
    operands.out[0] = activation(builder, "concat", "out", z, 2 * d);
    append(builder, &op, &operands, PHASE_FORWARD, "concat");
    return operands.out[0];
}

static int stack(struct builder *builder, const char *name, int c, int n, const int64_t *width,
                 const enum activation *act)
{
    for (int j = 0; j < n; j++)
        c = linear(builder, arena_printf(builder->graph->arena, "%s.%d", name, j), c, width[j], act[j]);
    return c;
}

static int flatten(struct builder *builder, const char *name, int t)
{
    int64_t elements = builder->graph->tensors[t].elements;
    return graph_view(builder->graph, t, 0, name, 2, (const int64_t[]){builder->samples, elements / builder->samples});
}

static int add_last(struct builder *builder, int y)
{
    const struct encoder_config *config = builder->config;
    struct op op = {.kind = OP_ADD_LAST,
                    .samples = builder->samples,
                    .rows = builder->samples * config->tokens,
                    .in = config->features,
                    .out = config->outputs,
                    .last_offset = config->last_offset,
                    .last_stride = config->last_stride,
                    .last_count = config->stations};
    struct operands operands = no_operands();
    operands.in[0] = y;
    operands.in[1] = builder->x;
    operands.out[0] = activation(builder, "residual", "out", y, config->outputs);
    append(builder, &op, &operands, PHASE_FORWARD, "residual");
    return operands.out[0];
}

/* The last skip_steps features of each token. */
static int newest_features(struct builder *builder)
{
    const struct encoder_config *config = builder->config;
    int64_t steps = config->skip_steps;
    if (steps == 0 || steps == config->features)
        return builder->x;
    struct op op = {.kind = OP_SPLIT,
                    .samples = builder->samples,
                    .rows = builder->samples * config->tokens,
                    .in = config->features - steps,
                    .out = steps};
    struct operands operands = no_operands();
    operands.in[0] = builder->x;
    operands.out[1] = activation(builder, "x", "newest", builder->x, steps);
    append(builder, &op, &operands, PHASE_FORWARD, "skip.newest");
    return operands.out[1];
}

static void start_at_zero(struct builder *builder, const char *module)
{
    static const char *const parts[] = {"weight", "bias"};
    for (int i = 0; i < 2; i++)
        builder->graph->tensors[graph_find(builder->graph, name_of(builder, module, parts[i]))].init = INIT_ZERO;
}

static int add_skip(struct builder *builder, int y)
{
    int64_t n_out = builder->config->outputs;
    int skip = linear(builder, "skip", flatten(builder, "skip.flat", newest_features(builder)), n_out, ACT_NONE);
    if (builder->config->zero_output)
        start_at_zero(builder, "skip");
    struct op op = {.kind = OP_ADD, .samples = builder->samples, .rows = builder->samples * n_out};
    struct operands operands = no_operands();
    operands.in[0] = y;
    operands.in[1] = skip;
    operands.out[0] = activation(builder, "add_skip", "out", y, n_out);
    append(builder, &op, &operands, PHASE_FORWARD, "add_skip");
    return operands.out[0];
}

/* `z` and `e`: output of the last block, and the embedding. */
static int head(struct builder *builder, int z, int e)
{
    const struct encoder_config *config = builder->config;
    int c = z;
    if (config->position_site == POSITION_HEAD && config->concat)
        e = add_positions(builder, "head_pos", e);
    else if (config->position_site == POSITION_HEAD)
        c = add_positions(builder, "head_pos", z);
    if (config->concat)
        c = concat(builder, z, e);
    c = stack(builder, "reduce", c, config->n_reduce, config->reduce_width, config->reduce_act);
    int y = stack(builder, "decode", flatten(builder, "code.flat", c), config->n_decode, config->decode_width,
                  config->decode_act);
    if (config->zero_output)
        start_at_zero(builder, arena_printf(builder->graph->arena, config->n_decode ? "decode.%d" : "reduce.%d",
                                            (config->n_decode ? config->n_decode : config->n_reduce) - 1));
    if (config->residual)
        y = add_last(builder, y);
    return config->linear_skip ? add_skip(builder, y) : y;
}

struct loaded {
    int target, mask;
};

static struct loaded add_load(struct builder *builder)
{
    const struct encoder_config *config = builder->config;
    struct graph *graph = builder->graph;
    const int64_t sample[3] = {builder->samples, config->tokens, config->features};
    const int64_t output[2] = {builder->samples, config->outputs};
    struct op op = {.kind = OP_LOAD, .samples = builder->samples};
    struct operands operands = no_operands();
    struct loaded loaded;
    builder->x = operands.out[0] = graph_tensor(graph, TENSOR_INPUT, "x", 3, sample);
    loaded.target = operands.out[1] = graph_tensor(graph, TENSOR_TARGET, "target", 2, output);
    loaded.mask = operands.out[2] = config->masked ? graph_tensor(graph, TENSOR_MASK, "mask", 2, output) : NO_TENSOR;
    append(builder, &op, &operands, PHASE_LOAD, "load");
    return loaded;
}

static void add_loss(struct builder *builder, int y, struct loaded loaded)
{
    const struct encoder_config *config = builder->config;
    struct op op = {.kind = OP_LOSS,
                    .samples = builder->samples,
                    .rows = builder->samples,
                    .out = config->outputs,
                    .loss = config->loss,
                    .huber_delta = config->huber_delta};
    struct operands operands = no_operands();
    operands.in[0] = y;
    operands.in[1] = loaded.target;
    operands.in[2] = loaded.mask;
    operands.out[0] = builder->graph->loss_sums =
        graph_tensor(builder->graph, TENSOR_GRAD, "loss.sums", 1, (const int64_t[]){2});
    if (builder->training)
        operands.out[1] = activation(builder, "loss", "dy", y, config->outputs);
    append(builder, &op, &operands, PHASE_FORWARD, "loss");
    if (builder->training)
        return;
    operands.out[0] = NO_TENSOR;
    struct op metric = {.kind = OP_METRIC, .samples = builder->samples, .out = config->outputs};
    append(builder, &metric, &operands, PHASE_FORWARD, "metric");
}

void encoder_build(const struct encoder_config *config, int64_t samples, int training, struct graph *graph)
{
    struct builder builder = {
        .config = config, .graph = graph, .samples = samples, .training = training, .block = BLOCK_NONE};
    struct loaded loaded = add_load(&builder);
    int e = linear(&builder, "embed.0", builder.x, config->embed_hidden, config->embed_act);
    e = linear(&builder, "embed.1", e, config->d_model, config->embed_act);
    int z = config->position_site == POSITION_ENCODER ? add_positions(&builder, "embed_pos", e) : e;
    for (int i = 0; i < config->layers; i++)
        z = transformer_block(&builder, i, z);
    add_loss(&builder, head(&builder, z, e), loaded);
}
