#include "scheduler/carry.h"

int carry_lives_over_steps(const struct graph *graph, int t)
{
    for (; graph->tensors[t].base != NO_TENSOR; t = graph->tensors[t].base)
        continue;
    return graph->tensors[t].role == TENSOR_PARAM || graph->tensors[t].role == TENSOR_STATE;
}

static int copy_tensor(struct carry *carry, int device, int t)
{
    int *copy = &carry->copy[device][t];
    if (*copy != NO_TENSOR)
        return *copy;
    const struct tensor *tensor = &carry->source[device]->tensors[t];
    struct graph *part = &carry->parts[device];
    if (tensor->base == NO_TENSOR)
        *copy = graph_tensor(part, tensor->role, tensor->name, tensor->n_dims, tensor->dims);
    else
        *copy = graph_view(part, copy_tensor(carry, device, tensor->base), tensor->offset, tensor->name, tensor->n_dims,
                           tensor->dims);
    struct tensor *made = &part->tensors[*copy];
    made->trainable = tensor->trainable;
    made->is_block = tensor->is_block;
    made->init = tensor->init;
    made->init_scale = tensor->init_scale;
    made->init_place = tensor->init_place;
    return *copy;
}

static void copy_lasting(struct carry *carry, int device)
{
    const struct graph *source = carry->source[device];
    carry->copy[device] = arena_array(carry->arena, (size_t)source->n_tensors + 1, sizeof **carry->copy);
    for (int t = 0; t < source->n_tensors; t++)
        carry->copy[device][t] = NO_TENSOR;
    for (int t = 0; t < source->n_tensors; t++)
        if (carry_lives_over_steps(source, t))
            copy_tensor(carry, device, t);
}

struct carry carry_begin(const struct graph *const *source, int n_devices, struct arena *arena, struct graph *parts)
{
    struct carry carry = {.source = source, .n_devices = n_devices, .arena = arena, .parts = parts};
    carry.copy = arena_array(arena, (size_t)n_devices, sizeof *carry.copy);
    for (int d = 0; d < n_devices; d++) {
        graph_init(&parts[d], arena);
        if (source[d])
            copy_lasting(&carry, d);
    }
    return carry;
}

struct node *carry_put(struct carry *carry, int device, const struct op *op, int in, int out, const char *name)
{
    struct operands operands = operands_of(1, &in, 1, &out);
    return graph_node(&carry->parts[device], op, operands.in, operands.out, PHASE_LOAD, -1, name);
}

void carry_send(struct carry *carry, int from, int tensor, int to, int into)
{
    const struct tensor *sent = &carry->parts[from].tensors[tensor];
    const struct op out = {.kind = OP_SEND, .rows = sent->elements}, in = {.kind = OP_RECV, .rows = sent->elements};
    struct node *node = carry_put(carry, from, &out, tensor, NO_TENSOR, sent->name);
    node->channel = carry->n_messages;
    node->peer = to;
    node = carry_put(carry, to, &in, NO_TENSOR, into, sent->name);
    node->channel = carry->n_messages++;
    node->peer = from;
}

void carry_fill(struct carry *carry, int device, int t)
{
    const struct tensor *tensor = &carry->parts[device].tensors[t];
    const struct op op = {.kind = OP_FILL, .rows = tensor->elements};
    carry_put(carry, device, &op, NO_TENSOR, t, tensor->name);
}
