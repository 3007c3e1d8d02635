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

/* Length of a name without its end, 0 when that is not its end. */
static size_t stem(const char *name, const char *end)
{
    size_t length = strlen(name), n = strlen(end);
    return length > n && strcmp(name + length - n, end) == 0 ? length - n : 0;
}

/* The rows that the adapter of a module stands beside: a weight, or a third of a packed one. */
static struct place beside(const struct building *building, const char *module, int64_t out, int64_t in)
{
    const struct graph *full = building->way_back->full;
    for (int t = 0; t < full->n_tensors; t++) {
        const char *modules[3];
        if (!carry_lives_over_steps(full, t))
            continue;
        int parts = adapter_modules(full->tensors[t].name, building->carry.arena, modules);
        for (int p = 0; p < parts; p++)
            if (strcmp(modules[p], module) == 0 && full->tensors[t].elements == parts * out * in)
                return (struct place){t, p * out * in, out, in};
    }
    bug("the adapter %s stands beside no weight", module);
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
static void merge(struct building *building, int device, int t)
{
    const struct way_back *way_back = building->way_back;
    const struct graph *low = &way_back->low[device];
    const char *a_name = low->tensors[t].name;
    char *module = arena_string(building->carry.arena, a_name);
    module[stem(a_name, ".lora_a")] = 0;
    int b = graph_find(low, arena_printf(building->carry.arena, "%s.lora_b", module));
    if (b == NO_TENSOR)
        bug("%s has no other half on its device", a_name);
    int *copy = building->carry.copy[device], from = device;
    int have = multiply_out(building, device, module, copy[t], copy[b]);
    const struct tensor product = building->carry.parts[device].tensors[have];
    struct place place = beside(building, module, product.dims[0], product.dims[1]);
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
        int full = graph_find(building->way_back->full, name);
        if (full != NO_TENSOR)
            replace(building, device, t, full);
        else if (stem(name, ".lora_a"))
            merge(building, device, t);
        else if (!stem(name, ".lora_b"))
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
