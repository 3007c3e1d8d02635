#include "scheduler/handover.h"

#include <string.h>

#include "base/status.h"
#include "model/adapter.h"
#include "scheduler/carry.h"
#include "scheduler/place.h"

struct building {
    const struct handover *handover;
    struct carry carry;
    int *rest; /* of each tensor of the full graph: what is left of a weight without its adapters, or NO_TENSOR */
};

/* A copy of the full weight on the sender, out of which its adapters are taken. */
static int rest_of(struct building *building, int full)
{
    struct graph *part = &building->carry.parts[building->handover->from];
    int weight = building->carry.copy[building->handover->from][full];
    if (building->rest[full] != NO_TENSOR)
        return building->rest[full];
    const struct tensor whole = part->tensors[weight];
    const struct op op = {.kind = OP_PART, .rows = whole.dims[0], .in = whole.dims[1], .parts = 1, .scale = 1};
    const char *name = arena_printf(building->carry.arena, "%s.rest", whole.name);
    building->rest[full] = graph_tensor(part, TENSOR_ACTIVATION, name, whole.n_dims, whole.dims);
    carry_put(&building->carry, building->handover->from, &op, weight, building->rest[full], name);
    return building->rest[full];
}

/* The adapters whose first half is tensor t of a device. */
static void factor(struct building *building, const struct graph *low, int t, const struct adapter_place *place)
{
    const struct handover *handover = building->handover;
    struct graph *part = &building->carry.parts[handover->from];
    const struct tensor a = low->tensors[t];
    int full = graph_find(handover->full, place->weight);
    if (full == NO_TENSOR)
        bug("the adapter %s stands beside no weight", place->module);
    const int64_t *dims = handover->full->tensors[full].dims, rows[2] = {dims[0] / place->parts, dims[1]};
    const struct op op = op_factor(rows[0], rows[1], a.dims[0],
                                   handover->adapter->alpha / (double)handover->adapter->width, a.init_place);
    int weight = rest_of(building, full);
    if (place->parts > 1)
        weight = graph_view(part, weight, place->part * rows[0] * rows[1],
                            arena_printf(building->carry.arena, "%s.rest", place->module), 2, rows);
    int half_b = graph_tensor(part, TENSOR_ACTIVATION, arena_printf(building->carry.arena, "%s.lora_b", place->module),
                              2, (const int64_t[]){rows[0], op.width});
    int half_a = graph_tensor(part, TENSOR_ACTIVATION, a.name, 2, a.dims);
    const struct operands operands = operands_of(1, &weight, 3, (const int[]){weight, half_b, half_a});
    graph_node(part, &op, operands.in, operands.out, PHASE_LOAD, -1, place->module);
}

/* Is the weight that an adapter stands beside, or its part, among what is carried? */
static int is_carried(const struct handover *handover, const struct adapter_place *place)
{
    if (!handover->held)
        return 1;
    for (int d = 0; d < handover->n_devices; d++)
        for (int m = 0; m < handover->matrices[d].n; m++) {
            const struct matrix *matrix = &handover->matrices[d].matrix[m];
            if (strcmp(matrix->name, place->weight) == 0 && matrices_find_same(&handover->held[d], matrix) < 0)
                return 1;
        }
    return 0;
}

static void factor_all(struct building *building)
{
    const struct handover *handover = building->handover;
    struct adapter_place place;
    building->rest = arena_array(building->carry.arena, (size_t)handover->full->n_tensors + 1, sizeof(int));
    for (int t = 0; t < handover->full->n_tensors; t++)
        building->rest[t] = NO_TENSOR;
    for (int d = 0; d < handover->n_devices && handover->adapter->svd; d++)
        for (int t = 0; t < handover->low[d].n_tensors; t++)
            if (handover->low[d].tensors[t].role == TENSOR_PARAM &&
                adapter_place_of(handover->low[d].tensors[t].name, building->carry.arena, &place) &&
                is_carried(handover, &place))
                factor(building, &handover->low[d], t, &place);
}

/* The part of the full model's parameter, or the adapter, that a tensor of the low one stands for; NO_TENSOR: it starts
 * fresh. */
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
    if (full == NO_TENSOR) /* or the name of an adapter that was made here */
        return graph_find(&building->carry.parts[handover->from], low->tensors[root].name);
    int copy = building->rest[full] != NO_TENSOR ? building->rest[full] : building->carry.copy[handover->from][full];
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

static int is_held(const struct building *building, int device, const struct node *product)
{
    const struct handover *handover = building->handover;
    const struct matrices *matrices = &handover->matrices[device];
    int m = matrices_of(matrices, &handover->low[device], product);
    return matrices_find_same(&handover->held[device], &matrices->matrix[m]) >= 0;
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

/* The matrices of the device's step that it does not hold yet, with what is added to their products (biases). */
static void repair(struct building *building, int device)
{
    const struct graph *low = &building->handover->low[device];
    char *done = arena_take(building->carry.arena, (size_t)low->n_tensors + 1);
    for (int i = 0; i < low->n_nodes; i++)
        if (place_is_frozen_product(low, &low->nodes[i]) && !is_held(building, device, &low->nodes[i]))
            equip_node(building, device, i, done);
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
    factor_all(&building);
    for (int d = 0; d < handover->n_devices; d++)
        if (d != handover->from && source[d]) {
            if (handover->held)
                repair(&building, d);
            else
                equip(&building, d);
        }
    return building.carry.n_messages;
}
