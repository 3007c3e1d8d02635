#include "model/builder.h"

const char *builder_name(struct builder *builder, const char *module, const char *part)
{
    return arena_printf(builder->graph->arena, "%s.%s", module, part);
}

int builder_param(struct builder *builder, const char *module, const char *part, int n_dims, const int64_t *dims,
                  enum init_kind init, double scale)
{
    int id = graph_tensor(builder->graph, TENSOR_PARAM, builder_name(builder, module, part), n_dims, dims);
    struct tensor *tensor = &builder->graph->tensors[id];
    tensor->trainable = builder->block == BLOCK_NONE || builder->adapter->kind == ADAPTER_NONE;
    tensor->init = init;
    tensor->init_scale = scale;
    tensor->init_place = builder->n_params++;
    return id;
}

int builder_norm_param(struct builder *builder, const char *module, const char *part, int64_t d, enum init_kind init)
{
    int id = builder_param(builder, module, part, 1, &d, init, 0);
    if (builder->adapter->train_norms)
        builder->graph->tensors[id].trainable = 1;
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

void builder_append_loss(struct builder *builder, int y, const struct builder_loss *loss)
{
    const int64_t n_out = builder_width(builder, y);
    struct op op = {.kind = OP_LOSS,
                    .samples = builder->samples,
                    .rows = builder->samples,
                    .out = n_out,
                    .loss = loss->kind,
                    .huber_delta = loss->huber_delta};
    struct operands operands = operands_of(3, (const int[]){y, loss->target, loss->mask}, 0, NULL);
    operands.out[0] = builder->graph->loss_sums =
        graph_tensor(builder->graph, TENSOR_GRAD, "loss.sums", 1, (const int64_t[]){2});
    if (builder->training)
        operands.out[1] = builder_activation(builder, "loss", "dy", y, n_out);
    builder_append(builder, &op, &operands, PHASE_FORWARD, "loss");
    if (builder->training)
        return;
    operands.out[0] = NO_TENSOR;
    struct op metric = {.kind = OP_METRIC, .samples = builder->samples, .out = n_out};
    builder_append(builder, &metric, &operands, PHASE_FORWARD, "metric");
}
