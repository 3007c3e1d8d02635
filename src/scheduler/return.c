#include "scheduler/return.h"

#include <string.h>

#include "base/status.h"
#include "model/adapter.h"
#include "scheduler/carry.h"

struct building {
    const struct way_back *way_back;
    struct carry carry;
};

/* Some rows of a parameter of the full model, [out, in] from element `offset` on. */
struct place {
    int full; /* tensor of the full graph */
    int64_t offset, out, in;
};

static int is_trained(const struct tensor *tensor)
{
    return tensor->role == TENSOR_PARAM && tensor->trainable && !tensor->is_block;
}

/* The tensor of a GPU's part that stands for a place. */
static int at(struct building *building, int gpu, const struct place *place)
{
    struct graph *part = &building->carry.parts[gpu];
    const struct tensor *whole = &building->way_back->full->tensors[place->full];
    int copy = building->carry.copy[gpu][place->full];
    if (place->out * place->in == whole->elements)
        return copy;
    const int64_t dims[2] = {place->out, place->in};
    const char *name = arena_printf(building->carry.arena, "%s.%lld", whole->name, (long long)place->offset);
    return graph_view(part, copy, place->offset, name, 2, dims);
}

/* A parameter that was trained elsewhere, through all GPUs. */
static void replace(struct building *building, int device, int t, int full)
{
    const struct way_back *way_back = building->way_back;
    int from = device, have = building->carry.copy[device][t];
    for (int g = 0; g < way_back->n_gpus; g++) {
        int to = way_back->gpu[g], into = building->carry.copy[to][full];
        carry_send(&building->carry, from, have, to, into);
        from = to;
        have = into;
    }
}

static int is_second_half(const char *name)
{
    static const char end[] = ".lora_b";
    size_t length = strlen(name), n = strlen(end);
    return length > n && strcmp(name + length - n, end) == 0;
}

/* The rows that an adapter of [out, in] stands beside. */
static struct place beside(const struct building *building, const struct adapter_place *adapter, int64_t out,
                           int64_t in)
{
    const struct graph *full = building->way_back->full;
    struct place place = {graph_find(full, adapter->weight), adapter->part * out * in, out, in};
    if (place.full == NO_TENSOR || place.offset + out * in > full->tensors[place.full].elements)
        bug("the adapter %s stands beside no weight", adapter->module);
    return place;
}

/* What a GPU has kept since the handover becomes what was frozen there: the weight without what the adapters started
 * as, which is found again from the same values. */
static void take_out(struct building *building, int gpu, const struct place *place, const struct tensor *a)
{
    struct graph *part = &building->carry.parts[gpu];
    const int64_t dims[2] = {place->out, a->dims[0]};
    const struct op op = op_factor(place->out, place->in, a->dims[0], building->way_back->scale, a->init_place);
    int weight = at(building, gpu, place);
    int half_b =
        graph_tensor(part, TENSOR_ACTIVATION, arena_printf(building->carry.arena, "%s.start_b", a->name), 2, dims);
    int half_a =
        graph_tensor(part, TENSOR_ACTIVATION, arena_printf(building->carry.arena, "%s.start_a", a->name), 2, a->dims);
    const struct operands operands = operands_of(1, &weight, 3, (const int[]){weight, half_b, half_a});
    graph_node(part, &op, operands.in, operands.out, PHASE_LOAD, -1, part->tensors[weight].name);
}

/* B A on the device of the adapter, [out, in]: the gradient of the input of a product with A, when B is that of its
 * output. */
static int multiply_out(struct building *building, int device, const char *module, int a, int b)
{
    struct graph *part = &building->carry.parts[device];
    const int64_t *a_dims = part->tensors[a].dims, dims[2] = {part->tensors[b].dims[0], a_dims[1]};
    const struct op op = {.kind = OP_LINEAR_DX, .rows = dims[0], .out = a_dims[0], .in = dims[1]};
    const char *name = arena_printf(building->carry.arena, "%s.lora", module);
    int product = graph_tensor(part, TENSOR_ACTIVATION, name, 2, dims);
    struct operands operands = operands_of(2, (const int[]){b, a}, 1, &product);
    graph_node(part, &op, operands.in, operands.out, PHASE_LOAD, -1, name);
    return product;
}

static void add(struct building *building, int gpu, const struct place *place, int product)
{
    int weight = at(building, gpu, place);
    const struct op op = {
        .kind = OP_ADD_PART, .rows = place->out, .in = place->in, .parts = 1, .scale = building->way_back->scale};
    struct operands operands = operands_of(2, (const int[]){weight, product}, 1, &weight);
    struct graph *part = &building->carry.parts[gpu];
    graph_node(part, &op, operands.in, operands.out, PHASE_UPDATE, -1, part->tensors[weight].name);
}

/* The product of an adapter whose first half is tensor t, through all GPUs. */
static void merge(struct building *building, int device, int t, const struct adapter_place *adapter)
{
    const struct way_back *way_back = building->way_back;
    const struct graph *low = &way_back->low[device];
    int b = graph_find(low, arena_printf(building->carry.arena, "%s.lora_b", adapter->module));
    if (b == NO_TENSOR)
        bug("%s has no other half on its device", low->tensors[t].name);
    int *copy = building->carry.copy[device], from = device;
    int have = multiply_out(building, device, adapter->module, copy[t], copy[b]);
    const struct tensor product = building->carry.parts[device].tensors[have];
    struct place place = beside(building, adapter, product.dims[0], product.dims[1]);
    for (int g = 0; g < way_back->n_gpus && way_back->svd; g++)
        take_out(building, way_back->gpu[g], &place, &low->tensors[t]);
    for (int g = 0; g < way_back->n_gpus; g++) {
        int to = way_back->gpu[g];
        int arrived = graph_tensor(&building->carry.parts[to], TENSOR_ACTIVATION, product.name, 2, product.dims);
        carry_send(&building->carry, from, have, to, arrived);
        from = to;
        have = arrived;
    }
    for (int g = 0; g < way_back->n_gpus; g++)
        add(building, way_back->gpu[g], &place, graph_find(&building->carry.parts[way_back->gpu[g]], product.name));
}

static void bring_back(struct building *building, int device)
{
    const struct graph *low = &building->way_back->low[device];
    for (int t = 0; t < low->n_tensors; t++) {
        const char *name = low->tensors[t].name;
        if (!is_trained(&low->tensors[t]))
            continue;
        struct adapter_place adapter;
        int full = graph_find(building->way_back->full, name);
        if (full != NO_TENSOR)
            replace(building, device, t, full);
        else if (adapter_place_of(name, building->carry.arena, &adapter))
            merge(building, device, t, &adapter);
        else if (!is_second_half(name))
            bug("%s is trained, but the full model does not have it", name);
    }
}

static void forget_state(struct building *building, int gpu)
{
    const struct graph *full = building->way_back->full;
    for (int t = 0; t < full->n_tensors; t++)
        if (full->tensors[t].role == TENSOR_STATE && full->tensors[t].base == NO_TENSOR)
            carry_fill(&building->carry, gpu, building->carry.copy[gpu][t]);
}

int return_build(const struct way_back *way_back, struct arena *arena, struct graph *parts)
{
    const struct graph **source = arena_array(arena, (size_t)way_back->n_devices, sizeof *source);
    for (int d = 0; d < way_back->n_devices; d++)
        for (int t = 0; t < way_back->low[d].n_tensors; t++)
            if (is_trained(&way_back->low[d].tensors[t]))
                source[d] = &way_back->low[d];
    for (int g = 0; g < way_back->n_gpus; g++)
        source[way_back->gpu[g]] = way_back->full;
    struct building building = {.way_back = way_back, .carry = carry_begin(source, way_back->n_devices, arena, parts)};
    for (int d = 0; d < way_back->n_devices; d++)
        if (source[d] == &way_back->low[d])
            bring_back(&building, d);
    for (int g = 0; g < way_back->n_gpus; g++)
        forget_state(&building, way_back->gpu[g]);
    return building.carry.n_messages;
}
