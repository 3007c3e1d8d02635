#include <math.h>

#include "model/encoder_private.h"

/* PyTorch's LayerNorm. */
static const double norm_eps = 1e-5;

/* torch.nn.MultiheadAttention: Xavier over the packed projection, and no bias at first. */
static struct linear_init qkv_default(int64_t in, int64_t out)
{
    return (struct linear_init){sqrt(6 / (double)(in + out)), 0};
}

static int is_frozen(const struct builder *builder)
{
    return builder->config->adapter.kind != ADAPTER_NONE;
}

/* A weight that an adapter may be added to: its name, bit, and which part of its product's columns it is. */
struct target {
    const char *module;
    unsigned bit;
    int part;
};

/* A linear of a block: its product, and the weights that make it up. */
struct block_linear {
    const char *module;
    int64_t out;
    enum activation act;
    struct linear_init init;
    int parts;
    struct target target[3];
};

static int is_adapted(const struct builder *builder, const struct block_linear *linear)
{
    int any = 0;
    for (int p = 0; p < linear->parts; p++)
        any = any || (is_frozen(builder) && (builder->config->adapter.targets & linear->target[p].bit));
    return any;
}

/* The product in pieces: each has some rows of the weight, and so some columns of the result. Appended from the last
 * one to the first, so that the backward pass adds what they give in their order. */
static int sharded_product(struct builder *builder, const struct block_linear *linear, int x,
                           struct linear_params params, enum activation act)
{
    struct graph *graph = builder->graph;
    const int64_t in = builder_width(builder, x), out = linear->out, n = builder->config->matrix_shards;
    struct operands join = no_operands();
    struct op op = {.kind = OP_JOIN_HEADS,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, x),
                    .parts = 1,
                    .heads = out,
                    .head_width = 1,
                    .groups = n};
    for (int64_t s = n - 1; s >= 0; s--) {
        int64_t first, rows = op_group_heads(out, n, s, &first);
        const char *module = arena_printf(graph->arena, "%s.shard.%lld", linear->module, (long long)s);
        int weight = graph_view(graph, params.weight, first * in, builder_name(builder, module, "weight"), 2,
                                (const int64_t[]){rows, in});
        int bias = graph_view(graph, params.bias, first, builder_name(builder, module, "bias"), 1, &rows);
        join.in[s] = builder_product(builder, module, x, weight, bias, act);
    }
    join.out[0] = builder_activation(builder, linear->module, "out", x, out);
    builder_append(builder, &op, &join, PHASE_FORWARD, builder_name(builder, linear->module, "join"));
    return join.out[0];
}

static int dropped(struct builder *builder, const char *module, uint32_t site, int x)
{
    const double dropout = builder->config->adapter.dropout;
    if (!builder->training || !(dropout > 0))
        return x;
    struct op op = {.kind = OP_DROPOUT,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, x),
                    .in = builder_width(builder, x),
                    .dropout = dropout,
                    .site = site};
    int y = builder_activation(builder, module, "dropped", x, op.in);
    const struct operands operands = operands_of(1, &x, 1, &y);
    builder_append(builder, &op, &operands, PHASE_FORWARD, builder_name(builder, module, "dropout"));
    return y;
}

static int adapter_param(struct builder *builder, const char *module, const char *part, int64_t out, int64_t in,
                         double scale, uint32_t place)
{
    int id =
        graph_tensor(builder->graph, TENSOR_PARAM, builder_name(builder, module, part), 2, (const int64_t[]){out, in});
    struct tensor *tensor = &builder->graph->tensors[id];
    tensor->trainable = 1;
    tensor->init = scale > 0 ? INIT_UNIFORM : INIT_ZERO;
    tensor->init_scale = scale;
    tensor->init_place = place;
    return id;
}

/* y plus alpha / width B(A(drop x)) on the target's part of its columns. */
static int adapt(struct builder *builder, const struct target *target, int parts, int x, int y)
{
    const struct adapter_config *adapter = &builder->config->adapter;
    const int64_t in = builder_width(builder, x), out = builder_width(builder, y) / parts;
    uint32_t number = (uint32_t)builder->block * N_ADAPTER_TARGETS;
    for (unsigned bit = 1; bit < target->bit; bit <<= 1)
        number++;
    int z = dropped(builder, target->module, ENCODER_ADAPTER_PLACE + number, x);
    int a = adapter_param(builder, target->module, "lora_a", adapter->width, in, 1 / sqrt((double)in),
                          ENCODER_ADAPTER_PLACE + 2 * number);
    if (adapter->svd) {
        builder->graph->tensors[a].init = INIT_FACTOR;
        builder->graph->tensors[a].init_scale = adapter->alpha / (double)adapter->width;
    }
    int b = adapter_param(builder, target->module, "lora_b", out, adapter->width, 0,
                          ENCODER_ADAPTER_PLACE + 2 * number + 1);
    int u = builder_product(builder, builder_name(builder, target->module, "lora_a"), z, a, NO_TENSOR, ACT_NONE);
    int delta = builder_product(builder, builder_name(builder, target->module, "lora_b"), u, b, NO_TENSOR, ACT_NONE);
    struct op op = {.kind = OP_ADD_PART,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, y),
                    .in = out,
                    .part = target->part,
                    .parts = parts,
                    .scale = adapter->alpha / (double)adapter->width};
    int sum = builder_activation(builder, target->module, "adapted", y, parts * out);
    const struct operands operands = operands_of(2, (const int[]){y, delta}, 1, &sum);
    builder_append(builder, &op, &operands, PHASE_FORWARD, builder_name(builder, target->module, "lora_add"));
    return sum;
}

static int activation_apart(struct builder *builder, const char *module, int x, enum activation act)
{
    struct op op = {.kind = OP_ACTIVATION,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, x),
                    .out = builder_width(builder, x),
                    .act = act};
    int y = builder_activation(builder, module, "act", x, op.out);
    const struct operands operands = operands_of(1, &x, 1, &y);
    builder_append(builder, &op, &operands, PHASE_FORWARD, builder_name(builder, module, "act"));
    return y;
}

/* What stands before the activation must be complete first: adapters are added to the product. */
static int block_linear(struct builder *builder, const struct block_linear *linear, int x)
{
    int apart = linear->act != ACT_NONE && (builder->config->separate_activations || is_adapted(builder, linear));
    enum activation act = apart ? ACT_NONE : linear->act;
    struct linear_params params =
        builder_linear_params(builder, linear->module, builder_width(builder, x), linear->out, linear->init);
    int y = is_frozen(builder) && builder->config->matrix_shards > 1
                ? sharded_product(builder, linear, x, params, act)
                : builder_product(builder, linear->module, x, params.weight, params.bias, act);
    for (int p = 0; p < linear->parts; p++)
        if (is_frozen(builder) && (builder->config->adapter.targets & linear->target[p].bit))
            y = adapt(builder, &linear->target[p], linear->parts, x, y);
    return apart ? activation_apart(builder, linear->module, y, linear->act) : y;
}

/* Attention of `heads` heads that stand side by side in qkv. */
static int attention_of(struct builder *builder, const char *module, int qkv, int64_t heads)
{
    const struct encoder_config *config = builder->config;
    int64_t n = config->tokens, head_width = config->d_model / config->heads;
    struct op op = {.kind = OP_ATTENTION,
                    .samples = builder->samples,
                    .rows = builder->samples * n,
                    .n_query = n,
                    .n_key = n,
                    .heads = heads,
                    .head_width = head_width,
                    .causal_block = config->mask_block,
                    .packed = 1};
    struct operands operands = no_operands();
    operands.in[0] = qkv;
    operands.out[0] = builder_activation(builder, module, "context", qkv, heads * head_width);
    operands.out[1] = graph_tensor(builder->graph, TENSOR_ACTIVATION, builder_name(builder, module, "probs"), 4,
                                   (const int64_t[]){builder->samples, heads, n, n});
    builder_append(builder, &op, &operands, PHASE_FORWARD, module);
    return operands.out[0];
}

/* Attention of each group of heads as a node of its own. */
static int grouped_attention(struct builder *builder, const char *module, int qkv)
{
    const struct encoder_config *config = builder->config;
    const int64_t groups = config->head_groups, head_width = config->d_model / config->heads;
    struct operands split = no_operands(), join = no_operands();
    struct op op = {.kind = OP_SPLIT_HEADS,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, qkv),
                    .parts = 3,
                    .heads = config->heads,
                    .head_width = head_width,
                    .groups = groups};
    const char *group[OP_MAX_OUT];
    int64_t heads[OP_MAX_OUT], first;
    split.in[0] = qkv;
    for (int64_t g = 0; g < groups; g++) {
        group[g] = arena_printf(builder->graph->arena, "%s.group.%lld", module, (long long)g);
        heads[g] = op_group_heads(config->heads, groups, g, &first);
        split.out[g] = builder_activation(builder, group[g], "qkv", qkv, 3 * heads[g] * head_width);
    }
    builder_append(builder, &op, &split, PHASE_FORWARD, builder_name(builder, module, "split"));
    for (int64_t g = 0; g < groups; g++)
        join.in[g] = attention_of(builder, group[g], split.out[g], heads[g]);
    op.kind = OP_JOIN_HEADS;
    op.parts = 1;
    join.out[0] = builder_activation(builder, module, "context", qkv, config->d_model);
    builder_append(builder, &op, &join, PHASE_FORWARD, builder_name(builder, module, "join"));
    return join.out[0];
}

static int attention(struct builder *builder, const char *module, int z)
{
    const struct encoder_config *config = builder->config;
    const int64_t d = config->d_model;
    struct block_linear qkv = {.module = builder_name(builder, module, "qkv"),
                               .out = 3 * d,
                               .init = qkv_default(d, 3 * d),
                               .parts = 3,
                               .target = {{builder_name(builder, module, "q"), TARGET_Q, 0},
                                          {builder_name(builder, module, "k"), TARGET_K, 1},
                                          {builder_name(builder, module, "v"), TARGET_V, 2}}};
    int product = block_linear(builder, &qkv, z);
    int context = config->head_groups > 1 ? grouped_attention(builder, module, product)
                                          : attention_of(builder, module, product, config->heads);
    const char *name = builder_name(builder, module, "o");
    struct block_linear o = {
        .module = name, .out = d, .init = linear_default(d), .parts = 1, .target = {{name, TARGET_O, 0}}};
    o.init.bias_scale = 0;
    return block_linear(builder, &o, context);
}

static int norm_param(struct builder *builder, const char *module, const char *part, int64_t d, enum init_kind init)
{
    int id = builder_param(builder, module, part, 1, &d, init, 0);
    if (builder->config->adapter.train_norms)
        builder->graph->tensors[id].trainable = 1;
    return id;
}

/* norm(x + drop(u)) */
static int norm(struct builder *builder, const char *module, int x, int u)
{
    int64_t d = builder_width(builder, x), rows = builder_rows(builder, x);
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
    operands.in[2] = norm_param(builder, module, "weight", d, INIT_ONE);
    operands.in[3] = norm_param(builder, module, "bias", d, INIT_ZERO);
    operands.out[0] = builder_activation(builder, module, "out", x, d);
    operands.out[1] = builder_activation(builder, module, "sum", x, d);
    operands.out[2] = graph_tensor(builder->graph, TENSOR_ACTIVATION, builder_name(builder, module, "stats"), 2,
                                   (const int64_t[]){rows, 2});
    builder_append(builder, &op, &operands, PHASE_FORWARD, module);
    return operands.out[0];
}

static int feed_forward(struct builder *builder, const char *module, int z)
{
    const struct encoder_config *config = builder->config;
    const char *name = builder_name(builder, module, "ffn.0");
    struct block_linear linear = {.module = name,
                                  .out = config->ffn,
                                  .act = ACT_RELU,
                                  .init = linear_default(config->d_model),
                                  .parts = 1,
                                  .target = {{name, TARGET_FFN0, 0}}};
    int hidden = block_linear(builder, &linear, z);
    name = builder_name(builder, module, "ffn.1");
    linear = (struct block_linear){.module = name,
                                   .out = config->d_model,
                                   .init = linear_default(config->ffn),
                                   .parts = 1,
                                   .target = {{name, TARGET_FFN1, 0}}};
    return block_linear(builder, &linear, hidden);
}

int encoder_block(struct builder *builder, int i, int z)
{
    const char *module = arena_printf(builder->graph->arena, "layers.%d", i);
    builder->block = i;
    int attended = attention(builder, builder_name(builder, module, "attn"), z);
    z = norm(builder, builder_name(builder, module, "norm1"), z, attended);
    z = norm(builder, builder_name(builder, module, "norm2"), z, feed_forward(builder, module, z));
    builder->block = BLOCK_NONE;
    return z;
}
