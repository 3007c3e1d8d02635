/* decoder_parts.c - the tensors and nodes that a decoder's graph is made of. */
#include <string.h>

#include "model/decoder_private.h"

char *building_name(const struct building *b, const char *name)
{
    struct arena *arena = b->graph->arena;
    if (b->chunk >= 0 && b->layout->head_chunks > 1)
        name = arena_printf(arena, "%s#%lld", name, (long long)b->chunk);
    if (b->place)
        name = arena_printf(arena, "%s#%s", name, b->place);
    return b->layout->n_gpus > 1 ? arena_printf(arena, "%s@%d", name, b->gpu) : (char *)name;
}

int building_value(struct building *b, const char *name, int64_t rows, int64_t columns)
{
    return graph_tensor(b->graph, TENSOR_ACTIVATION, building_name(b, name), 2, (int64_t[]){rows, columns});
}

int building_weight(struct building *b, const char *name, int64_t rows, int64_t columns, int64_t copies)
{
    int n_dims = columns ? 2 : 1;
    int t = graph_tensor(b->graph, TENSOR_PARAM, building_name(b, name), n_dims, (int64_t[]){rows, columns});
    struct tensor *tensor = &b->graph->tensors[t];
    tensor->init = INIT_WEIGHT;
    tensor->copies = copies;
    tensor->part = b->gpu;
    tensor->parts = b->layout->n_gpus;
    tensor->chunk = b->chunk < 0 ? 0 : (int)b->chunk;
    tensor->chunks = b->chunk < 0 ? 1 : (int)b->layout->head_chunks;
    tensor->first = b->first;
    tensor->some = b->some;
    return t;
}

void building_node(struct building *b, int device, const struct op *op, const int *in, int n_in, const int *out,
                   int n_out, const char *name)
{
    struct operands operands = operands_of(n_in, in, n_out, out);
    int i = b->graph->n_nodes;
    graph_node(b->graph, op, operands.in, operands.out, PHASE_FORWARD, -1, building_name(b, name));
    b->device_of = arena_grown(b->graph->arena, b->device_of, (size_t)i, sizeof *b->device_of);
    b->device_of[i] = device;
}

void building_on_gpu(struct building *b, const struct op *op, const int *in, int n_in, int out, const char *name)
{
    building_node(b, b->device >= 0 ? b->device : b->layout->gpu[b->gpu], op, in, n_in, &out, 1, name);
}

/* Of a sum over GPUs only the first adds the bias. */
int building_linear(struct building *b, const char *name, int x, int64_t rows, int64_t in, int64_t out,
                    enum token_rows tokens, enum activation act, int has_bias, int64_t copies)
{
    struct op op = {.kind = OP_LINEAR, .rows = rows, .in = in, .out = out, .act = act, .tokens = tokens};
    struct arena *arena = b->graph->arena;
    int w = building_weight(b, arena_printf(arena, "%s.weight", name), out, in, copies);
    int bias = has_bias ? building_weight(b, arena_printf(arena, "%s.bias", name), out, 0, copies) : NO_TENSOR;
    int y = building_value(b, arena_printf(arena, "%s.out", name), rows, out);
    if (b->device < 0)
        op.weight_bits = b->layout->weight_bits;
    building_on_gpu(b, &op, (int[]){x, w, bias}, 3, y, name);
    return y;
}

void building_allreduce(struct building *b, int x, const char *name)
{
    const struct op op = {
        .kind = OP_ALLREDUCE, .rows = b->layout->max_tokens, .in = b->config->d_model, .tokens = TOKENS_ALL};
    if (b->layout->n_gpus > 1)
        building_on_gpu(b, &op, &x, 1, x, arena_printf(b->graph->arena, "%s.sum", name));
}

void building_add(struct building *b, int x, int y, enum token_rows tokens, const char *name)
{
    const struct op op = {.kind = OP_ADD, .rows = b->layout->max_tokens, .in = b->config->d_model, .tokens = tokens};
    building_on_gpu(b, &op, (int[]){x, y}, 2, x, name);
}
