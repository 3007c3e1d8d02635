#include "model/encoder.h"

#include <math.h>
#include <string.h>

static const double NORM_EPS = 1e-5;

struct builder {
    const struct encoder_config *config;
    struct graph *graph;
    int64_t samples;
    int training;
    int block;           /* transformer block under construction, or -1 */
    uint32_t n_params;
    uint32_t n_sites;    /* of dropout */
};

static const char *join(struct builder *b, const char *name, const char *end)
{
    return arena_printf(b->graph->arena, "%s.%s", name, end);
}

static int activation(struct builder *b, const char *name, int n_dims, const int64_t *dims)
{
    return graph_tensor(b->graph, TENSOR_ACTIVATION, name, n_dims, dims);
}

static int parameter(struct builder *b, const char *name, int n_dims, const int64_t *dims, enum init_kind init, double scale)
{
    int id = graph_tensor(b->graph, TENSOR_PARAM, name, n_dims, dims);
    struct tensor *tensor = &b->graph->tensors[id];
    tensor->trainable = 1;
    tensor->init = init;
    tensor->init_scale = scale;
    tensor->init_place = b->n_params++;
    return id;
}

static int add_node(struct builder *b, const struct op *op, const int *in, int n_in, const int *out, int n_out,
                    const char *name)
{
    int all_in[OP_MAX_IN], all_out[OP_MAX_OUT];
    for (int i = 0; i < OP_MAX_IN; i++)
        all_in[i] = i < n_in ? in[i] : NO_TENSOR;
    for (int i = 0; i < OP_MAX_OUT; i++)
        all_out[i] = i < n_out ? out[i] : NO_TENSOR;
    enum phase phase = op->kind == OP_LOAD ? PHASE_LOAD : PHASE_FORWARD;
    graph_node(b->graph, op, all_in, all_out, phase, b->block, name);
    return out[0];
}

enum linear_init { INIT_AS_LINEAR, INIT_AS_ATTENTION };

/* y[rows, out] = act(x w^T + b). Initial values: uniform in 1/sqrt(in) for weight and bias; attention: Xavier uniform, no bias. */
static int linear(struct builder *b, const char *name, int x, int64_t rows, int64_t in, int64_t out, enum activation act,
                  enum linear_init init)
{
    double bound = 1 / sqrt((double)in);
    int is_attention = init == INIT_AS_ATTENTION;
    double scale = is_attention ? sqrt(6.0 / (double)(in + out)) : bound;
    int64_t w_dims[] = {out, in}, b_dims[] = {out}, y_dims[] = {rows, out};
    int w = parameter(b, join(b, name, "weight"), 2, w_dims, INIT_UNIFORM, scale);
    int bias = parameter(b, join(b, name, "bias"), 1, b_dims, is_attention ? INIT_ZERO : INIT_UNIFORM, bound);
    struct op op = {.kind = OP_LINEAR, .samples = b->samples, .rows = rows, .in = in, .out = out, .act = act};
    int operands_in[] = {x, w, bias}, operands_out[] = {activation(b, join(b, name, "out"), 2, y_dims), NO_TENSOR};
    if (act == ACT_GELU && b->training)
        operands_out[1] = activation(b, join(b, name, "pre"), 2, y_dims);
    return add_node(b, &op, operands_in, 3, operands_out, 2, name);
}

/* LayerNorm(x + dropout(u)). */
static int add_norm(struct builder *b, const char *name, int x, int u, int64_t rows, int64_t width)
{
    int64_t dims[] = {rows, width}, stats_dims[] = {rows, 2}, w_dims[] = {width};
    int gamma = parameter(b, join(b, name, "weight"), 1, w_dims, INIT_ONE, 1);
    int beta = parameter(b, join(b, name, "bias"), 1, w_dims, INIT_ZERO, 0);
    struct op op = {.kind = OP_NORM, .samples = b->samples, .rows = rows, .in = width, .eps = NORM_EPS,
                    .dropout = b->training ? b->config->dropout : 0, .site = b->n_sites++};
    int in[] = {x, u, gamma, beta};
    int out[] = {activation(b, join(b, name, "out"), 2, dims), activation(b, join(b, name, "sum"), 2, dims),
                 activation(b, join(b, name, "stats"), 2, stats_dims)};
    return add_node(b, &op, in, 4, out, 3, name);
}

static int attention(struct builder *b, const char *name, int z)
{
    const struct encoder_config *c = b->config;
    int64_t rows = b->samples * c->tokens, d = c->d_model, p_dims[] = {b->samples, c->heads, c->tokens, c->tokens};
    int64_t o_dims[] = {rows, d};
    int qkv = linear(b, join(b, name, "qkv"), z, rows, d, 3 * d, ACT_NONE, INIT_AS_ATTENTION);
    struct op op = {.kind = OP_ATTENTION, .samples = b->samples, .rows = rows, .n_query = c->tokens, .n_key = c->tokens,
                    .heads = c->heads, .head_width = d / c->heads, .packed = 1};
    int in[] = {qkv};
    int out[] = {activation(b, join(b, name, "heads"), 2, o_dims), activation(b, join(b, name, "p"), 4, p_dims)};
    int heads = add_node(b, &op, in, 1, out, 2, name);
    return linear(b, join(b, name, "o"), heads, rows, d, d, ACT_NONE, INIT_AS_LINEAR);
}

static int transformer_block(struct builder *b, int i, int z)
{
    const struct encoder_config *c = b->config;
    int64_t rows = b->samples * c->tokens, d = c->d_model;
    const char *name = arena_printf(b->graph->arena, "layers.%d", i);
    b->block = i;
    z = add_norm(b, join(b, name, "norm1"), z, attention(b, join(b, name, "attn"), z), rows, d);
    int f = linear(b, join(b, name, "ffn.0"), z, rows, d, c->ffn, ACT_RELU, INIT_AS_LINEAR);
    f = linear(b, join(b, name, "ffn.1"), f, rows, c->ffn, d, ACT_NONE, INIT_AS_LINEAR);
    z = add_norm(b, join(b, name, "norm2"), z, f, rows, d);
    b->block = -1;
    return z;
}

static const double *position_values(struct builder *b)
{
    const struct encoder_config *c = b->config;
    double *values = arena_array(b->graph->arena, (size_t)(c->tokens * c->d_model), sizeof *values);
    for (int64_t t = 0; t < c->tokens; t++)
        for (int64_t j = 0; j < c->d_model; j++) {
            double w = exp(-(double)(j / 2 * 2) * log(10000.0) / (double)c->d_model);
            double angle = (c->positions == POSITIONS_TRUE ? (double)t : 0) * w;
            values[t * c->d_model + j] = j % 2 ? cos(angle) : sin(angle);
        }
    return values;
}

static int add_positions(struct builder *b, int e, const char *name)
{
    const struct encoder_config *c = b->config;
    if (c->positions == POSITIONS_NONE)
        return e;
    int64_t pe_dims[] = {c->tokens, c->d_model}, dims[] = {b->samples * c->tokens, c->d_model};
    int pe = graph_tensor(b->graph, TENSOR_CONST, "positions", 2, pe_dims);
    b->graph->tensors[pe].values = position_values(b);
    struct op op = {.kind = OP_ADD_POS, .samples = b->samples, .rows = dims[0], .in = c->d_model};
    int in[] = {e, pe}, out[] = {activation(b, name, 2, dims)};
    return add_node(b, &op, in, 2, out, 1, "add positions");
}

static int head_input(struct builder *b, int z, int e, int64_t *width)
{
    const struct encoder_config *c = b->config;
    int64_t rows = b->samples * c->tokens, dims[] = {rows, 2 * c->d_model};
    if (c->position_site == POSITION_HEAD)
        z = add_positions(b, z, "head.positions");
    *width = c->d_model;
    if (!c->concat)
        return z;
    *width = 2 * c->d_model;
    struct op op = {.kind = OP_CONCAT, .samples = b->samples, .rows = rows, .in = c->d_model, .out = c->d_model};
    int in[] = {z, e}, out[] = {activation(b, "head.concat", 2, dims)};
    return add_node(b, &op, in, 2, out, 1, "head.concat");
}

/* Per token dense layers, flatten, dense layers. */
static int head(struct builder *b, int z, int e)
{
    const struct encoder_config *c = b->config;
    int64_t rows = b->samples * c->tokens, width;
    int x = head_input(b, z, e, &width);
    for (int j = 0; j < c->n_reduce; j++) {
        x = linear(b, arena_printf(b->graph->arena, "reduce.%d", j), x, rows, width, c->reduce_width[j], c->reduce_act[j],
                   INIT_AS_LINEAR);
        width = c->reduce_width[j];
    }
    int64_t flat_dims[] = {b->samples, c->tokens * width};
    x = graph_view(b->graph, x, 0, "head.flat", 2, flat_dims);
    width *= c->tokens;
    for (int j = 0; j < c->n_decode; j++) {
        x = linear(b, arena_printf(b->graph->arena, "decode.%d", j), x, b->samples, width, c->decode_width[j],
                   c->decode_act[j], INIT_AS_LINEAR);
        width = c->decode_width[j];
    }
    return x;
}

static int add_skip(struct builder *b, int y, int x)
{
    const struct encoder_config *c = b->config;
    int64_t flat_dims[] = {b->samples, c->tokens * c->features}, y_dims[] = {b->samples, c->outputs};
    int flat = graph_view(b->graph, x, 0, "x.flat", 2, flat_dims);
    int skip = linear(b, "skip", flat, b->samples, flat_dims[1], c->outputs, ACT_NONE, INIT_AS_LINEAR);
    struct op op = {.kind = OP_ADD, .samples = b->samples, .rows = b->samples * c->outputs};
    int in[] = {y, skip}, out[] = {activation(b, "skip.sum", 2, y_dims)};
    return add_node(b, &op, in, 2, out, 1, "skip.sum");
}

static int add_last_value(struct builder *b, int y, int x)
{
    const struct encoder_config *c = b->config;
    int64_t y_dims[] = {b->samples, c->outputs};
    struct op op = {.kind = OP_ADD_LAST, .samples = b->samples, .rows = b->samples, .in = c->tokens * c->features,
                    .out = c->outputs, .last_offset = c->last_offset, .last_stride = c->last_stride,
                    .last_count = c->stations};
    int in[] = {y, x}, out[] = {activation(b, "residual.sum", 2, y_dims)};
    return add_node(b, &op, in, 2, out, 1, "residual");
}

static void add_loss(struct builder *b, int y, int target, int mask)
{
    const struct encoder_config *c = b->config;
    int64_t two = 2, y_dims[] = {b->samples, c->outputs};
    struct op op = {.kind = OP_LOSS, .samples = b->samples, .rows = b->samples, .out = c->outputs, .loss = c->loss,
                    .huber_delta = c->huber_delta};
    int sums = activation(b, "loss.sums", 1, &two);
    int in[] = {y, target, mask}, out[] = {sums, b->training ? activation(b, "grad.output", 2, y_dims) : NO_TENSOR};
    add_node(b, &op, in, 3, out, 2, "loss");
    b->graph->loss_sums = sums;
    if (!b->training) {
        struct op metric = {.kind = OP_METRIC, .samples = b->samples, .rows = b->samples, .out = c->outputs};
        int none[] = {NO_TENSOR};
        add_node(b, &metric, in, 3, none, 1, "metric");
    }
}

void encoder_build(const struct encoder_config *config, int64_t samples, int training, struct graph *graph)
{
    struct builder b = {.config = config, .graph = graph, .samples = samples, .training = training, .block = -1};
    int64_t rows = samples * config->tokens, x_dims[] = {samples, config->tokens, config->features};
    int64_t y_dims[] = {samples, config->outputs};
    int x = graph_tensor(graph, TENSOR_INPUT, "x", 3, x_dims);
    int target = graph_tensor(graph, TENSOR_TARGET, "target", 2, y_dims);
    int mask = config->masked ? graph_tensor(graph, TENSOR_MASK, "mask", 2, y_dims) : NO_TENSOR;
    struct op load = {.kind = OP_LOAD, .samples = samples, .rows = samples};
    int out[] = {x, target, mask};
    add_node(&b, &load, NULL, 0, out, 3, "load");
    int e = linear(&b, "embed.0", x, rows, config->features, config->embed_hidden, config->embed_act, INIT_AS_LINEAR);
    e = linear(&b, "embed.1", e, rows, config->embed_hidden, config->d_model, config->embed_act, INIT_AS_LINEAR);
    int z = config->position_site == POSITION_ENCODER ? add_positions(&b, e, "embed.positions") : e;
    for (int i = 0; i < config->layers; i++)
        z = transformer_block(&b, i, z);
    int y = head(&b, z, e);
    if (config->linear_skip)
        y = add_skip(&b, y, x);
    if (config->residual)
        y = add_last_value(&b, y, x);
    add_loss(&b, y, target, mask);
}
