#include <math.h>

#include "model/encoder_private.h"

struct linear_init encoder_linear_default(int64_t in)
{
    double scale = 1 / sqrt((double)in);
    return (struct linear_init){scale, scale};
}

struct linear_params encoder_linear_params(struct builder *builder, const char *module, int64_t in, int64_t out,
                                           struct linear_init init)
{
    struct linear_params params;
    params.weight =
        builder_param(builder, module, "weight", 2, (const int64_t[]){out, in}, INIT_UNIFORM, init.weight_scale);
    params.bias = builder_param(builder, module, "bias", 1, &out, init.bias_scale > 0 ? INIT_UNIFORM : INIT_ZERO,
                                init.bias_scale);
    return params;
}

/* PyTorch's LayerNorm. */
static const double norm_eps = 1e-5;

/* torch.nn.MultiheadAttention: Xavier over the packed projection, and no bias at first. */
static struct linear_init qkv_default(int64_t in, int64_t out)
{
    return (struct linear_init){sqrt(6 / (double)(in + out)), 0};
}

/* The six targets of a block are numbered in the order of their bits. */
static struct target target_of(const struct encoder *encoder, const char *module, enum adapter_target bit, int part)
{
    uint32_t number = (uint32_t)encoder->builder.block * N_ADAPTER_TARGETS;
    for (unsigned before = 1; before < (unsigned)bit; before <<= 1)
        number++;
    return (struct target){module, bit, part, number};
}

static struct block_linear linear_of(struct encoder *encoder, const char *module, int64_t in, int64_t out,
                                     struct linear_init init)
{
    struct linear_params params = encoder_linear_params(&encoder->builder, module, in, out, init);
    return (struct block_linear){.module = module, .weight = params.weight, .bias = params.bias, .parts = 1};
}

static int attention(struct encoder *encoder, const char *module, int z)
{
    const struct encoder_config *config = encoder->config;
    struct builder *builder = &encoder->builder;
    const int64_t d = config->d_model;
    struct block_linear qkv = linear_of(encoder, builder_name(builder, module, "qkv"), d, 3 * d, qkv_default(d, 3 * d));
    qkv.parts = 3;
    qkv.target[0] = target_of(encoder, builder_name(builder, module, "q"), TARGET_Q, 0);
    qkv.target[1] = target_of(encoder, builder_name(builder, module, "k"), TARGET_K, 1);
    qkv.target[2] = target_of(encoder, builder_name(builder, module, "v"), TARGET_V, 2);
    struct block_attention heads = {.module = module,
                                    .sequences = builder->samples,
                                    .tokens = config->tokens,
                                    .causal_block = config->mask_block,
                                    .near = config->near,
                                    .heads = config->heads,
                                    .head_width = d / config->heads};
    int context = builder_attention(builder, &heads, builder_block_linear(builder, &qkv, z));
    const char *name = builder_name(builder, module, "o");
    struct linear_init init = encoder_linear_default(d);
    init.bias_scale = 0;
    struct block_linear o = linear_of(encoder, name, d, d, init);
    o.target[0] = target_of(encoder, name, TARGET_O, 0);
    return builder_block_linear(builder, &o, context);
}

/* norm(x + drop(u)) */
static int norm(struct encoder *encoder, const char *module, int x, int u)
{
    struct builder *builder = &encoder->builder;
    int64_t d = builder_width(builder, x), rows = builder_rows(builder, x);
    double dropout = builder->training ? encoder->config->dropout : 0;
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
    operands.in[2] = builder_norm_param(builder, module, "weight", d, INIT_ONE);
    operands.in[3] = builder_norm_param(builder, module, "bias", d, INIT_ZERO);
    operands.out[0] = builder_activation(builder, module, "out", x, d);
    operands.out[1] = builder_activation(builder, module, "sum", x, d);
    operands.out[2] = graph_tensor(builder->graph, TENSOR_ACTIVATION, builder_name(builder, module, "stats"), 2,
                                   (const int64_t[]){rows, 2});
    builder_append(builder, &op, &operands, PHASE_FORWARD, module);
    return operands.out[0];
}

static int feed_forward(struct encoder *encoder, const char *module, int z)
{
    const int64_t d = encoder->config->d_model, f = encoder->config->ffn;
    struct builder *builder = &encoder->builder;
    const char *name = builder_name(builder, module, "ffn.0");
    struct block_linear linear = linear_of(encoder, name, d, f, encoder_linear_default(d));
    linear.act = ACT_RELU;
    linear.target[0] = target_of(encoder, name, TARGET_FFN0, 0);
    int hidden = builder_block_linear(builder, &linear, z);
    name = builder_name(builder, module, "ffn.1");
    linear = linear_of(encoder, name, f, d, encoder_linear_default(f));
    linear.target[0] = target_of(encoder, name, TARGET_FFN1, 0);
    return builder_block_linear(builder, &linear, hidden);
}

int encoder_block(struct encoder *encoder, int i, int z)
{
    struct builder *builder = &encoder->builder;
    const char *module = arena_printf(builder->graph->arena, "layers.%d", i);
    builder->block = i;
    int attended = attention(encoder, builder_name(builder, module, "attn"), z);
    z = norm(encoder, builder_name(builder, module, "norm1"), z, attended);
    z = norm(encoder, builder_name(builder, module, "norm2"), z, feed_forward(encoder, module, z));
    builder->block = BLOCK_NONE;
    return z;
}
