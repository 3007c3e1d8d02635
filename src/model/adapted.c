#include "model/adapted.h"

#include <math.h>

#include "model/builder.h"

static int is_frozen(const struct builder *builder)
{
    return builder->adapter->kind != ADAPTER_NONE;
}

static int is_adapted(const struct builder *builder, const struct target *target)
{
    return is_frozen(builder) && (builder->adapter->targets & target->bit);
}

/* The product in pieces: each has some rows of the weight, and so some columns of the result. Appended from the last
 * one to the first, so that the backward pass adds what they give in their order. */
static int sharded_product(struct builder *builder, const struct block_linear *linear, int x, enum activation act)
{
    struct graph *graph = builder->graph;
    const int64_t in = builder_width(builder, x), out = graph->tensors[linear->weight].dims[0],
                  n = builder->pieces->matrix_shards;
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
        int weight = graph_view(graph, linear->weight, first * in, builder_name(builder, module, "weight"), 2,
                                (const int64_t[]){rows, in});
        int bias = graph_view(graph, linear->bias, first, builder_name(builder, module, "bias"), 1, &rows);
        join.in[s] = builder_product(builder, module, x, weight, bias, act);
    }
    join.out[0] = builder_activation(builder, linear->module, "out", x, out);
    builder_append(builder, &op, &join, PHASE_FORWARD, builder_name(builder, linear->module, "join"));
    return join.out[0];
}

static int dropped(struct builder *builder, const struct target *target, int x)
{
    const double dropout = builder->adapter->dropout;
    if (!builder->training || !(dropout > 0))
        return x;
    struct op op = {.kind = OP_DROPOUT,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, x),
                    .in = builder_width(builder, x),
                    .dropout = dropout,
                    .site = ADAPTER_PLACE + target->number};
    int y = builder_activation(builder, target->module, "dropped", x, op.in);
    const struct operands operands = operands_of(1, &x, 1, &y);
    builder_append(builder, &op, &operands, PHASE_FORWARD, builder_name(builder, target->module, "dropout"));
    return y;
}

static int adapter_param(struct builder *builder, const char *name, int64_t out, int64_t in, double scale,
                         uint32_t place)
{
    int id = graph_tensor(builder->graph, TENSOR_PARAM, name, 2, (const int64_t[]){out, in});
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
    const struct adapter_config *adapter = builder->adapter;
    const int64_t in = builder_width(builder, x), out = builder_width(builder, y) / parts;
    const char *a_name = builder_name(builder, target->module, "lora_a"),
               *b_name = builder_name(builder, target->module, "lora_b");
    const uint32_t place = ADAPTER_PLACE + 2 * target->number;
    int z = dropped(builder, target, x);
    int a = adapter_param(builder, a_name, adapter->width, in, 1 / sqrt((double)in), place);
    if (adapter->svd) {
        builder->graph->tensors[a].init = INIT_FACTOR;
        builder->graph->tensors[a].init_scale = adapter->alpha / (double)adapter->width;
    }
    int b = adapter_param(builder, b_name, out, adapter->width, 0, place + 1);
    int u = builder_product(builder, a_name, z, a, NO_TENSOR, ACT_NONE);
    int delta = builder_product(builder, b_name, u, b, NO_TENSOR, ACT_NONE);
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
int builder_block_linear(struct builder *builder, const struct block_linear *linear, int x)
{
    int any = builder->pieces->separate_activations;
    for (int p = 0; p < linear->parts; p++)
        any = any || is_adapted(builder, &linear->target[p]);
    int apart = linear->act != ACT_NONE && any;
    enum activation act = apart ? ACT_NONE : linear->act;
    int y = is_frozen(builder) && builder->pieces->matrix_shards > 1
                ? sharded_product(builder, linear, x, act)
                : builder_product(builder, linear->module, x, linear->weight, linear->bias, act);
    for (int p = 0; p < linear->parts; p++)
        if (is_adapted(builder, &linear->target[p]))
            y = adapt(builder, &linear->target[p], linear->parts, x, y);
    return apart ? activation_apart(builder, linear->module, y, linear->act) : y;
}

/* One node: attention of `heads` heads that stand side by side in qkv. */
static int attention_of(struct builder *builder, const struct block_attention *attention, const char *module, int qkv,
                        int64_t heads)
{
    struct op op = {.kind = OP_ATTENTION,
                    .samples = attention->sequences,
                    .rows = builder_rows(builder, qkv),
                    .n_query = attention->tokens,
                    .n_key = attention->tokens,
                    .heads = heads,
                    .head_width = attention->head_width,
                    .causal_block = attention->causal_block,
                    .near = attention->near,
                    .packed = 1,
                    .interleave = attention->interleave};
    struct operands operands = no_operands();
    operands.in[0] = qkv;
    operands.out[0] = builder_activation(builder, module, "context", qkv, heads * attention->head_width);
    operands.out[1] =
        graph_tensor(builder->graph, TENSOR_ACTIVATION, builder_name(builder, module, "probs"), 4,
                     (const int64_t[]){attention->sequences, heads, attention->tokens, attention->tokens});
    builder_append(builder, &op, &operands, PHASE_FORWARD, module);
    return operands.out[0];
}

static int grouped_attention(struct builder *builder, const struct block_attention *attention, int qkv)
{
    const int64_t groups = builder->pieces->head_groups, head_width = attention->head_width;
    const char *module = attention->module;
    struct operands split = no_operands(), join = no_operands();
    struct op op = {.kind = OP_SPLIT_HEADS,
                    .samples = builder->samples,
                    .rows = builder_rows(builder, qkv),
                    .parts = 3,
                    .heads = attention->heads,
                    .head_width = head_width,
                    .groups = groups};
    const char *group[OP_MAX_OUT];
    int64_t heads[OP_MAX_OUT], first;
    split.in[0] = qkv;
    for (int64_t g = 0; g < groups; g++) {
        group[g] = arena_printf(builder->graph->arena, "%s.group.%lld", module, (long long)g);
        heads[g] = op_group_heads(attention->heads, groups, g, &first);
        split.out[g] = builder_activation(builder, group[g], "qkv", qkv, 3 * heads[g] * head_width);
    }
    builder_append(builder, &op, &split, PHASE_FORWARD, builder_name(builder, module, "split"));
    for (int64_t g = 0; g < groups; g++)
        join.in[g] = attention_of(builder, attention, group[g], split.out[g], heads[g]);
    op.kind = OP_JOIN_HEADS;
    op.parts = 1;
    join.out[0] = builder_activation(builder, module, "context", qkv, attention->heads * head_width);
    builder_append(builder, &op, &join, PHASE_FORWARD, builder_name(builder, module, "join"));
    return join.out[0];
}

int builder_attention(struct builder *builder, const struct block_attention *attention, int qkv)
{
    return builder->pieces->head_groups > 1
               ? grouped_attention(builder, attention, qkv)
               : attention_of(builder, attention, attention->module, qkv, attention->heads);
}

static enum status check_adapter(const struct adapter_config *adapter, int64_t d_model, int64_t ffn,
                                 struct fault *fault)
{
    const int64_t widest = d_model > ffn ? d_model : ffn;
    const int64_t narrowest = adapter->targets & (TARGET_FFN0 | TARGET_FFN1) && ffn < d_model ? ffn : d_model;
    static const double most_elements = 1e12; /* of an adapter: keeps products of sizes within int64_t */
    if (adapter->width < 1 || (double)adapter->width * (double)widest > most_elements)
        return fault_set(fault, STATUS_USAGE, "train.adapter.width: expected a number from 1 on, found %lld",
                         (long long)adapter->width);
    if (adapter->svd && adapter->width > narrowest)
        return fault_set(fault, STATUS_USAGE,
                         "train.adapter.width: expected at most %lld, the narrow side of the weights, with "
                         "train.adapter.init svd, found %lld",
                         (long long)narrowest, (long long)adapter->width);
    if (!(adapter->alpha > 0))
        return fault_set(fault, STATUS_USAGE, "train.adapter.alpha: expected a number above 0, found %g",
                         adapter->alpha);
    if (!(adapter->dropout >= 0 && adapter->dropout < 1))
        return fault_set(fault, STATUS_USAGE, "train.adapter.dropout: expected a number from 0 to below 1, found %g",
                         adapter->dropout);
    if (!adapter->targets || adapter->targets & ~(unsigned)ALL_ADAPTER_TARGETS)
        return fault_set(fault, STATUS_USAGE, "train.adapter.targets: expected at least one of q, k, v, o, ffn0, ffn1");
    return STATUS_OK;
}

/* Pieces are operands of one op. */
static enum status check_pieces(const struct pieces *pieces, int64_t heads, int64_t narrowest, struct fault *fault)
{
    int64_t most = heads < OP_MAX_OUT ? heads : OP_MAX_OUT;
    if (pieces->head_groups < 0 || pieces->head_groups > most)
        return fault_set(fault, STATUS_USAGE,
                         "model.heads: expected heads for at most %lld groups, found %lld groups of %lld heads",
                         (long long)most, (long long)pieces->head_groups, (long long)heads);
    most = narrowest < OP_MAX_IN ? narrowest : OP_MAX_IN;
    if (pieces->matrix_shards < 0 || pieces->matrix_shards > most)
        return fault_set(fault, STATUS_USAGE, "model.d_model: expected weights in at most %lld pieces, found %lld",
                         (long long)most, (long long)pieces->matrix_shards);
    return STATUS_OK;
}

enum status adapted_check(const struct adapter_config *adapter, const struct pieces *pieces, int64_t heads,
                          int64_t d_model, int64_t ffn, struct fault *fault)
{
    int64_t narrowest = d_model < ffn ? d_model : ffn;
    enum status status = adapter->kind == ADAPTER_NONE ? STATUS_OK : check_adapter(adapter, d_model, ffn, fault);
    return status == STATUS_OK ? check_pieces(pieces, heads, narrowest, fault) : status;
}
