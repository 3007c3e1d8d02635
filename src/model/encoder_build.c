#include <math.h>

#include "model/encoder_private.h"

const char *builder_name(struct builder *builder, const char *module, const char *part)
{
    return arena_printf(builder->graph->arena, "%s.%s", module, part);
}

int builder_param(struct builder *builder, const char *module, const char *part, int n_dims, const int64_t *dims,
                  enum init_kind init, double scale)
{
    int id = graph_tensor(builder->graph, TENSOR_PARAM, builder_name(builder, module, part), n_dims, dims);
    struct tensor *tensor = &builder->graph->tensors[id];
    tensor->trainable = builder->block == BLOCK_NONE || builder->config->adapter.kind == ADAPTER_NONE;
    tensor->init = init;
    tensor->init_scale = scale;
    tensor->init_place = builder->n_params++;
    return id;
}

int builder_activation(struct builder *builder, const char *module, const char *part, int like, int64_t width)
{
    struct tensor shape = builder->graph->tensors[like];
    shape.dims[shape.n_dims - 1] = width;
    return graph_tensor(builder->graph, TENSOR_ACTIVATION, builder_name(builder, module, part), shape.n_dims,
                        shape.dims);
}

int64_t builder_width(const struct builder *builder, int t)
{
    const struct tensor *tensor = &builder->graph->tensors[t];
    return tensor->dims[tensor->n_dims - 1];
}

int64_t builder_rows(const struct builder *builder, int t)
{
    return builder->graph->tensors[t].elements / builder_width(builder, t);
}

void builder_append(struct builder *builder, const struct op *op, const struct operands *operands, enum phase phase,
                    const char *name)
{
    graph_node(builder->graph, op, operands->in, operands->out, phase, builder->block, name);
}

struct linear_init linear_default(int64_t in)
{
    double scale = 1 / sqrt((double)in);
    return (struct linear_init){scale, scale};
}

int builder_product(struct builder *builder, const char *module, int x, int weight, int bias, enum activation act)
{
    int64_t in = builder_width(builder, x), out = builder->graph->tensors[weight].dims[0];
    struct op op = {.kind = OP_LINEAR,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, x),
                    .in = in,
                    .out = out,
                    .act = act};
    struct operands operands = no_operands();
    operands.in[0] = x;
    operands.in[1] = weight;
    operands.in[2] = bias;
    operands.out[0] = builder_activation(builder, module, "out", x, out);
    if (act == ACT_GELU && builder->training)
        operands.out[1] = builder_activation(builder, module, "pre", x, out);
    builder_append(builder, &op, &operands, PHASE_FORWARD, module);
    return operands.out[0];
}

struct linear_params builder_linear_params(struct builder *builder, const char *module, int64_t in, int64_t out,
                                           struct linear_init init)
{
    struct linear_params params;
    params.weight =
        builder_param(builder, module, "weight", 2, (const int64_t[]){out, in}, INIT_UNIFORM, init.weight_scale);
    params.bias = builder_param(builder, module, "bias", 1, &out, init.bias_scale > 0 ? INIT_UNIFORM : INIT_ZERO,
                                init.bias_scale);
    return params;
}

int builder_linear(struct builder *builder, const char *module, int x, int64_t out, enum activation act)
{
    int64_t in = builder_width(builder, x);
    struct linear_params params = builder_linear_params(builder, module, in, out, linear_default(in));
    return builder_product(builder, module, x, params.weight, params.bias, act);
}
