#include "model/encoder.h"

#include <math.h>

#include "base/status.h"
#include "model/encoder_private.h"

static int linear(struct builder *builder, const char *module, int x, int64_t out, enum activation act)
{
    int64_t in = builder_width(builder, x);
    struct linear_params params = encoder_linear_params(builder, module, in, out, encoder_linear_default(in));
    return builder_product(builder, module, x, params.weight, params.bias, act);
}

/* pe[t, 2i] = sin(t w_i), pe[t, 2i+1] = cos(t w_i), w_i = 10000^(-2i / d); POSITIONS_CONSTANT: that of token 0 for all.
 * Source: Vaswani et al. 2017, section 3.5. */
static int position_table(struct encoder *encoder)
{
    const struct encoder_config *config = encoder->config;
    struct graph *graph = encoder->builder.graph;
    int64_t n = config->tokens, d = config->d_model;
    double *values = arena_array(graph->arena, (size_t)(n * d), sizeof *values);
    for (int64_t t = 0; t < n; t++)
        for (int64_t c = 0; c < d; c++) {
            double w = exp(-(double)(c - c % 2) * log(10000.0) / (double)d);
            double angle = config->positions == POSITIONS_CONSTANT ? 0 : (double)t * w;
            values[t * d + c] = c % 2 ? cos(angle) : sin(angle);
        }
    int pe = graph_tensor(graph, TENSOR_CONST, "positions", 2, (const int64_t[]){n, d});
    graph->tensors[pe].values = values;
    return pe;
}

static int add_positions(struct encoder *encoder, const char *module, int e)
{
    const struct encoder_config *config = encoder->config;
    struct builder *builder = &encoder->builder;
    if (config->positions == POSITIONS_NONE)
        return e;
    struct op op = {
        .kind = OP_ADD_POS, .samples = builder->samples, .rows = builder_rows(builder, e), .in = config->d_model};
    struct operands operands = no_operands();
    operands.in[0] = e;
    operands.in[1] = position_table(encoder);
    operands.out[0] = builder_activation(builder, module, "out", e, config->d_model);
    builder_append(builder, &op, &operands, PHASE_FORWARD, module);
    return operands.out[0];
}

static int concat(struct encoder *encoder, int z, int e)
{
    struct builder *builder = &encoder->builder;
    int64_t d = encoder->config->d_model;
    struct op op = {
        .kind = OP_CONCAT, .samples = builder->samples, .rows = builder_rows(builder, z), .in = d, .out = d};
    struct operands operands = no_operands();
    operands.in[0] = z;
    operands.in[1] = e;
    operands.out[0] = builder_activation(builder, "concat", "out", z, 2 * d);
    builder_append(builder, &op, &operands, PHASE_FORWARD, "concat");
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

static int add_last(struct encoder *encoder, int y)
{
    const struct encoder_config *config = encoder->config;
    struct builder *builder = &encoder->builder;
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
    operands.in[1] = encoder->x;
    operands.out[0] = builder_activation(builder, "residual", "out", y, config->outputs);
    builder_append(builder, &op, &operands, PHASE_FORWARD, "residual");
    return operands.out[0];
}

/* The last skip_steps features of each token. */
static int newest_features(struct encoder *encoder)
{
    const struct encoder_config *config = encoder->config;
    struct builder *builder = &encoder->builder;
    int64_t steps = config->skip_steps;
    if (steps == 0 || steps == config->features)
        return encoder->x;
    struct op op = {.kind = OP_SPLIT,
                    .samples = builder->samples,
                    .rows = builder->samples * config->tokens,
                    .in = config->features - steps,
                    .out = steps};
    struct operands operands = no_operands();
    operands.in[0] = encoder->x;
    operands.out[1] = builder_activation(builder, "x", "newest", encoder->x, steps);
    builder_append(builder, &op, &operands, PHASE_FORWARD, "skip.newest");
    return operands.out[1];
}

static void start_at_zero(struct builder *builder, const char *module)
{
    static const char *const parts[] = {"weight", "bias"};
    for (int i = 0; i < 2; i++)
        builder->graph->tensors[graph_find(builder->graph, builder_name(builder, module, parts[i]))].init = INIT_ZERO;
}

static int add_skip(struct encoder *encoder, int y)
{
    struct builder *builder = &encoder->builder;
    int64_t n_out = encoder->config->outputs;
    int skip = linear(builder, "skip", flatten(builder, "skip.flat", newest_features(encoder)), n_out, ACT_NONE);
    if (encoder->config->zero_output)
        start_at_zero(builder, "skip");
    struct op op = {.kind = OP_ADD, .samples = builder->samples, .rows = builder->samples * n_out};
    struct operands operands = no_operands();
    operands.in[0] = y;
    operands.in[1] = skip;
    operands.out[0] = builder_activation(builder, "add_skip", "out", y, n_out);
    builder_append(builder, &op, &operands, PHASE_FORWARD, "add_skip");
    return operands.out[0];
}

/* The last head_tokens tokens of each sample. */
static int newest_tokens(struct encoder *encoder, int c)
{
    struct builder *builder = &encoder->builder;
    const int64_t b = builder->samples, kept = encoder->config->head_tokens, width = builder_width(builder, c);
    if (kept == 0 || kept == encoder->config->tokens)
        return c;
    struct op op = {
        .kind = OP_SPLIT, .samples = b, .rows = b, .in = (encoder->config->tokens - kept) * width, .out = kept * width};
    struct operands operands = no_operands();
    operands.in[0] = flatten(builder, "tokens.flat", c);
    operands.out[1] = graph_tensor(builder->graph, TENSOR_ACTIVATION, "tokens.newest", 2, (const int64_t[]){b, op.out});
    builder_append(builder, &op, &operands, PHASE_FORWARD, "tokens.newest");
    return graph_view(builder->graph, operands.out[1], 0, "tokens.newest.rows", 3, (const int64_t[]){b, kept, width});
}

/* Outputs of each token side by side become horizon-major. */
static int horizon_major(struct encoder *encoder, int y)
{
    struct builder *builder = &encoder->builder;
    const int64_t b = builder->samples, outputs = encoder->config->outputs, horizon = builder_width(builder, y);
    if (encoder->config->n_decode || horizon == 1)
        return flatten(builder, "code.flat", y);
    struct op op = {
        .kind = OP_PERMUTE, .samples = b, .rows = b * outputs, .in = 1, .n_query = horizon, .n_key = outputs / horizon};
    struct operands operands = no_operands();
    operands.in[0] = y;
    operands.out[0] = graph_tensor(builder->graph, TENSOR_ACTIVATION, "turn.out", 2, (const int64_t[]){b, outputs});
    builder_append(builder, &op, &operands, PHASE_FORWARD, "turn");
    return operands.out[0];
}

/* `z` and `e`: output of the last block, and the embedding. */
static int head(struct encoder *encoder, int z, int e)
{
    const struct encoder_config *config = encoder->config;
    struct builder *builder = &encoder->builder;
    int c = z;
    if (config->position_site == POSITION_HEAD && config->concat)
        e = add_positions(encoder, "head_pos", e);
    else if (config->position_site == POSITION_HEAD)
        c = add_positions(encoder, "head_pos", z);
    if (config->concat)
        c = concat(encoder, z, e);
    c = stack(builder, "reduce", newest_tokens(encoder, c), config->n_reduce, config->reduce_width, config->reduce_act);
    int y =
        stack(builder, "decode", horizon_major(encoder, c), config->n_decode, config->decode_width, config->decode_act);
    if (config->zero_output)
        start_at_zero(builder, arena_printf(builder->graph->arena, config->n_decode ? "decode.%d" : "reduce.%d",
                                            (config->n_decode ? config->n_decode : config->n_reduce) - 1));
    if (config->residual)
        y = add_last(encoder, y);
    return config->linear_skip ? add_skip(encoder, y) : y;
}

static struct builder_loss add_load(struct encoder *encoder)
{
    const struct encoder_config *config = encoder->config;
    struct builder *builder = &encoder->builder;
    const int64_t sample[3] = {builder->samples, config->tokens, config->features};
    const int64_t output[2] = {builder->samples, config->outputs};
    struct op op = {.kind = OP_LOAD, .samples = builder->samples};
    struct operands operands = no_operands();
    struct builder_loss loss = {.mask = NO_TENSOR, .kind = config->loss, .huber_delta = config->huber_delta};
    encoder->x = operands.out[0] = graph_tensor(builder->graph, TENSOR_INPUT, "x", 3, sample);
    loss.target = operands.out[1] = graph_tensor(builder->graph, TENSOR_TARGET, "target", 2, output);
    if (config->masked)
        loss.mask = operands.out[2] = graph_tensor(builder->graph, TENSOR_MASK, "mask", 2, output);
    builder_append(builder, &op, &operands, PHASE_LOAD, "load");
    return loss;
}

void encoder_build(const struct encoder_config *config, int64_t samples, int training, struct graph *graph)
{
    struct encoder encoder = {.builder = {.graph = graph,
                                          .samples = samples,
                                          .training = training,
                                          .block = BLOCK_NONE,
                                          .adapter = &config->adapter,
                                          .pieces = &config->pieces},
                              .config = config};
    struct builder *builder = &encoder.builder;
    struct builder_loss loss = add_load(&encoder);
    int e = linear(builder, "embed.0", encoder.x, config->embed_hidden, config->embed_act);
    e = linear(builder, "embed.1", e, config->d_model, config->embed_act);
    int z = config->position_site == POSITION_ENCODER ? add_positions(&encoder, "embed_pos", e) : e;
    for (int i = 0; i < config->layers; i++)
        z = encoder_block(&encoder, i, z);
    builder_append_loss(builder, head(&encoder, z, e), &loss);
}
