#include "scheduler/handover.h"

#include <string.h>

#include "base/status.h"
#include "scheduler/place.h"

struct building {
    const struct handover *handover;
    struct arena *arena;
    struct graph *parts;
    int **copy; /* [n_devices] numbers in parts[d] of the tensors of the device's own graph */
    int n_messages;
};

static const struct graph *source_of(const struct handover *handover, int device)
{
    return device == handover->from ? handover->full : &handover->low[device];
}

static int lives_over_steps(const struct graph *graph, int t)
{
    for (; graph->tensors[t].base != NO_TENSOR; t = graph->tensors[t].base)
        continue;
    return graph->tensors[t].role == TENSOR_PARAM || graph->tensors[t].role == TENSOR_STATE;
}

/* Parameters and state of a device, as its other programs have them. */
static int copy_tensor(struct building *building, int device, int t)
{
    int *copy = &building->copy[device][t];
    if (*copy != NO_TENSOR)
        return *copy;
    const struct tensor *tensor = &source_of(building->handover, device)->tensors[t];
    struct graph *part = &building->parts[device];
    if (tensor->base == NO_TENSOR)
        *copy = graph_tensor(part, tensor->role, tensor->name, tensor->n_dims, tensor->dims);
    else
        *copy = graph_view(part, copy_tensor(building, device, tensor->base), tensor->offset, tensor->name,
                           tensor->n_dims, tensor->dims);
    struct tensor *made = &part->tensors[*copy];
    made->trainable = tensor->trainable;
    made->is_block = tensor->is_block;
    made->init = tensor->init;
    made->init_scale = tensor->init_scale;
    made->init_place = tensor->init_place;
    return *copy;
}

static void copy_lasting(struct building *building, int device)
{
    const struct graph *source = source_of(building->handover, device);
    building->copy[device] = arena_array(building->arena, (size_t)source->n_tensors + 1, sizeof **building->copy);
    for (int t = 0; t < source->n_tensors; t++)
        building->copy[device][t] = NO_TENSOR;
    for (int t = 0; t < source->n_tensors; t++)
        if (lives_over_steps(source, t))
            copy_tensor(building, device, t);
}

static struct node *put(struct graph *part, const struct op *op, int in, int out, const char *name)
{
    struct operands operands = operands_of(1, &in, 1, &out);
    return graph_node(part, op, operands.in, operands.out, PHASE_LOAD, -1, name);
}

/* The part of the full model's parameter that a tensor of the low one stands for. */
static int sender_tensor(struct building *building, const struct graph *low, int t)
{
    const struct tensor *wanted = &low->tensors[t];
    int64_t offset = 0;
    int root = t;
    for (; low->tensors[root].base != NO_TENSOR && !low->tensors[low->tensors[root].base].is_block;
         root = low->tensors[root].base)
        offset += low->tensors[root].offset;
    const struct handover *handover = building->handover;
    int full = graph_find(handover->full, low->tensors[root].name);
    if (full == NO_TENSOR)
        return NO_TENSOR;
    int copy = copy_tensor(building, handover->from, full);
    if (root == t)
        return copy;
    return graph_view(&building->parts[handover->from], copy, offset, wanted->name, wanted->n_dims, wanted->dims);
}

/* `tensor` of the first GPU arrives in `into` of a device. */
static void send(struct building *building, int tensor, int device, int into)
{
    int from = building->handover->from;
    const struct tensor *t = &building->parts[from].tensors[tensor];
    const struct op out = {.kind = OP_SEND, .rows = t->elements}, in = {.kind = OP_RECV, .rows = t->elements};
    struct node *node = put(&building->parts[from], &out, tensor, NO_TENSOR, t->name);
    node->channel = building->n_messages;
    node->peer = device;
    node = put(&building->parts[device], &in, NO_TENSOR, into, t->name);
    node->channel = building->n_messages++;
    node->peer = from;
}

static void fill(struct building *building, int device, int t)
{
    struct graph *part = &building->parts[device];
    const struct op op = {.kind = OP_FILL, .rows = part->tensors[t].elements};
    put(part, &op, NO_TENSOR, t, part->tensors[t].name);
}

/* The frozen matrix of a product: through memory into the crossbars. */
static void program(struct building *building, int device, const struct node *product, int from)
{
    const struct handover *handover = building->handover;
    const struct matrices *matrices = &handover->matrices[device];
    int m = matrices_of(matrices, &handover->low[device], product), cells = building->copy[device][product->in[1]];
    struct graph *part = &building->parts[device];
    struct tensor like = part->tensors[cells];
    int image = graph_tensor(part, TENSOR_ACTIVATION, arena_printf(building->arena, "%s.image.%d", like.name, m),
                             like.n_dims, like.dims);
    const struct op op = {.kind = OP_PROGRAM,
                          .rows = product->op.out,
                          .out = product->op.out,
                          .in = product->op.in,
                          .matrix = m,
                          .replicas = matrices->replicas,
                          .site = matrices->matrix[m].site};
    send(building, from, device, image);
    put(part, &op, image, cells, like.name);
}

/* Everything that node i of the device's step reads and that lives over steps, once. */
static void equip_node(struct building *building, int device, int i, char *done)
{
    const struct graph *low = &building->handover->low[device];
    const struct node *node = &low->nodes[i];
    for (int k = 0; k < OP_MAX_IN; k++) {
        int t = node->in[k];
        if (t == NO_TENSOR || done[t] || !lives_over_steps(low, t))
            continue;
        done[t] = 1;
        int from = sender_tensor(building, low, t), to = building->copy[device][t];
        if (from == NO_TENSOR)
            fill(building, device, to);
        else if (k == 1 && place_is_frozen_product(low, node))
            program(building, device, node, from);
        else
            send(building, from, device, to);
    }
    for (int o = 0; o < OP_MAX_OUT; o++) {
        int t = node->out[o];
        if (t == NO_TENSOR || done[t] || !lives_over_steps(low, t) || low->tensors[t].role != TENSOR_STATE)
            continue;
        done[t] = 1;
        fill(building, device, building->copy[device][t]);
    }
}

static void equip(struct building *building, int device)
{
    const struct graph *low = &building->handover->low[device];
    char *done = arena_take(building->arena, (size_t)low->n_tensors + 1);
    for (int i = 0; i < low->n_nodes; i++)
        equip_node(building, device, i, done);
}

int handover_build(const struct handover *handover, struct arena *arena, struct graph *parts)
{
    struct building building = {.handover = handover, .arena = arena, .parts = parts};
    building.copy = arena_array(arena, (size_t)handover->n_devices, sizeof *building.copy);
    for (int d = 0; d < handover->n_devices; d++) {
        graph_init(&parts[d], arena);
        if (d == handover->from || handover->low[d].n_nodes)
            copy_lasting(&building, d);
    }
    for (int d = 0; d < handover->n_devices; d++)
        if (d != handover->from && handover->low[d].n_nodes)
            equip(&building, d);
    return building.n_messages;
}
