#include "scheduler/handover.h"

#include <string.h>

#include "base/status.h"
#include "scheduler/carry.h"
#include "scheduler/place.h"

struct building {
    const struct handover *handover;
    struct carry carry;
};

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
    int copy = building->carry.copy[handover->from][full];
    if (root == t)
        return copy;
    return graph_view(&building->carry.parts[handover->from], copy, offset, wanted->name, wanted->n_dims, wanted->dims);
}

/* The frozen matrix of a product arrives where it lies from then on: it takes no memory beside its crossbars. */
static void program(struct building *building, int device, const struct node *product, int from)
{
    const struct handover *handover = building->handover;
    const struct matrices *matrices = &handover->matrices[device];
    int m = matrices_of(matrices, &handover->low[device], product),
        cells = building->carry.copy[device][product->in[1]];
    struct graph *part = &building->carry.parts[device];
    const struct op op = {.kind = OP_PROGRAM,
                          .rows = product->op.out,
                          .out = product->op.out,
                          .in = product->op.in,
                          .matrix = m,
                          .replicas = matrices->replicas,
                          .site = matrices->matrix[m].site};
    carry_send(&building->carry, handover->from, from, device, cells);
    carry_put(&building->carry, device, &op, cells, cells, part->tensors[cells].name);
}

/* Everything that node i of the device's step reads and that lives over steps, once. */
static void equip_node(struct building *building, int device, int i, char *done)
{
    const struct graph *low = &building->handover->low[device];
    const struct node *node = &low->nodes[i];
    for (int k = 0; k < OP_MAX_IN; k++) {
        int t = node->in[k];
        if (t == NO_TENSOR || done[t] || !carry_lives_over_steps(low, t))
            continue;
        done[t] = 1;
        int from = sender_tensor(building, low, t), to = building->carry.copy[device][t];
        if (from == NO_TENSOR)
            carry_fill(&building->carry, device, to);
        else if (k == 1 && place_is_frozen_product(low, node))
            program(building, device, node, from);
        else
            carry_send(&building->carry, building->handover->from, from, device, to);
    }
    for (int o = 0; o < OP_MAX_OUT; o++) {
        int t = node->out[o];
        if (t == NO_TENSOR || done[t] || !carry_lives_over_steps(low, t) || low->tensors[t].role != TENSOR_STATE)
            continue;
        done[t] = 1;
        carry_fill(&building->carry, device, building->carry.copy[device][t]);
    }
}

static void equip(struct building *building, int device)
{
    const struct graph *low = &building->handover->low[device];
    char *done = arena_take(building->carry.arena, (size_t)low->n_tensors + 1);
    for (int i = 0; i < low->n_nodes; i++)
        equip_node(building, device, i, done);
}

int handover_build(const struct handover *handover, struct arena *arena, struct graph *parts)
{
    const struct graph **source = arena_array(arena, (size_t)handover->n_devices, sizeof *source);
    for (int d = 0; d < handover->n_devices; d++)
        source[d] = d == handover->from ? handover->full : handover->low[d].n_nodes ? &handover->low[d] : NULL;
    struct building building = {.handover = handover, .carry = carry_begin(source, handover->n_devices, arena, parts)};
    for (int d = 0; d < handover->n_devices; d++)
        if (d != handover->from && source[d])
            equip(&building, d);
    return building.carry.n_messages;
}
