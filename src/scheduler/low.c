#include "scheduler/low.h"

#include <string.h>

#include "device/link.h"
#include "graph/autodiff.h"
#include "graph/microbatch.h"
#include "scheduler/handover.h"
#include "scheduler/lower.h"
#include "scheduler/order.h"
#include "scheduler/partition.h"
#include "scheduler/place.h"
#include "scheduler/return.h"

/* Parameters of one UPDATE: short enough to fit where a systolic device waits for a product of a ReRAM device. */
enum { UPDATE_PIECE = 262144 };

struct building {
    const struct low_request *request;
    struct plan *plan;
    struct model_config config; /* as the devices need it */
    struct crew reram, systolic;
    struct matrices *matrices;
    struct graph *parts; /* of a step, [n_devices] */
};

static enum status find_crews(struct building *building, struct fault *fault)
{
    const struct low_request *request = building->request;
    building->reram = place_posts(request->machine, "reram", request->arena);
    building->systolic = place_crew(request->machine, "systolic", request->arena);
    const char *missing = !building->reram.n_left ? "reram" : !building->systolic.n ? "systolic" : NULL;
    if (missing)
        return fault_set(fault, STATUS_USAGE,
                         "%s: placement.policy: hpt needs a device of kind %s, found none: add one to cluster.devices",
                         request->job->source, missing);
    if (request->job->train.minibatch % request->job->placement.micro_batches)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: placement.micro_batches: expected a number that divides train.minibatch (%lld), found %lld",
            request->job->source, (long long)request->job->train.minibatch,
            (long long)request->job->placement.micro_batches);
    return STATUS_OK;
}

/* The model in pieces that can be placed apart. */
static void cut_model(struct building *building, int64_t matrix_shards)
{
    const struct model_config *whole = building->request->config;
    int64_t groups = building->systolic.n < OP_MAX_OUT ? building->systolic.n : OP_MAX_OUT, heads = family_heads(whole);
    struct pieces pieces = {1, groups < heads ? groups : heads, matrix_shards};
    building->config = family_in_pieces(whole, &pieces);
}

static int *place(const struct building *building, struct graph *graph)
{
    return place_low(graph, family_layers(&building->config), &building->reram, &building->systolic,
                     building->request->arena);
}

/* Groups of parameters that one UPDATE changes. */
struct groups {
    int *of_tensor; /* [n_tensors], -1: not trained */
    int *device;    /* [n] */
    int n;
};

static int is_trained(const struct graph *graph, int t)
{
    return t != NO_TENSOR && graph->tensors[t].role == TENSOR_PARAM && graph->tensors[t].trainable;
}

/* Where a parameter is used, it is trained: on one device. Those of a block, and those before and after all blocks,
 * are a group of their own, so that each is updated as soon as its gradients are there; a norm to clip by is that of
 * all gradients, and then there is nothing to gain. */
static struct groups group_parameters(const struct building *building, const struct graph *graph, const int *device_of)
{
    struct arena *arena = building->request->arena;
    int n_sections = building->request->optimiser->clip_norm > 0 ? 1 : (int)family_layers(&building->config) + 2;
    size_t n_cells = (size_t)building->request->machine->n_devices * (size_t)n_sections;
    struct groups groups = {arena_array(arena, (size_t)graph->n_tensors + 1, sizeof(int)),
                            arena_array(arena, n_cells + 1, sizeof(int)), 0};
    int *group_of = arena_array(arena, n_cells + 1, sizeof *group_of), ends = 0;
    for (int t = 0; t < graph->n_tensors; t++)
        groups.of_tensor[t] = -1;
    for (size_t c = 0; c < n_cells; c++)
        group_of[c] = -1;
    for (int i = 0; i < graph->n_nodes; i++) {
        int section = graph->nodes[i].block >= 0 ? graph->nodes[i].block + 1 : ends;
        if (graph->nodes[i].block >= 0)
            ends = n_sections - 1;
        for (int k = 0; k < OP_MAX_IN; k++) {
            int t = graph->nodes[i].in[k];
            if (!is_trained(graph, t))
                continue;
            if (groups.of_tensor[t] >= 0 && groups.device[groups.of_tensor[t]] != device_of[i])
                bug("%s is trained and used on two devices", graph->tensors[t].name);
            if (groups.of_tensor[t] >= 0)
                continue;
            int *group = &group_of[device_of[i] * n_sections + (n_sections > 1 ? section : 0)];
            if (*group < 0) {
                groups.device[groups.n] = device_of[i];
                *group = groups.n++;
            }
            groups.of_tensor[t] = *group;
        }
    }
    return groups;
}

/* All micro-batches of a minibatch: of a training step up to its gradients, or of an evaluation. *device_of as
 * place_low. */
static struct graph *build_batches(const struct building *building, int training, int **device_of)
{
    const struct low_request *request = building->request;
    struct arena *arena = request->arena;
    int n = (int)request->job->placement.micro_batches;
    int64_t samples = request->job->train.minibatch / n;
    struct graph *one = arena_take(arena, sizeof *one), *all = arena_take(arena, sizeof *all);
    graph_init(one, arena);
    /* The last minibatch of an evaluation may be partly empty: it needs a mask. */
    family_build(&building->config, samples, training, !training, one);
    if (training) {
        autodiff(one);
        place_separate_sums(one);
        place_rename_overwritten(one);
    }
    const int *of_one = place(building, one);
    const int *origin = graph_microbatches(one, n, samples, place_stages(of_one, one->n_nodes, arena), arena, all);
    *device_of = arena_array(arena, (size_t)all->n_nodes + 1, sizeof **device_of);
    for (int i = 0; i < all->n_nodes; i++)
        (*device_of)[i] = of_one[origin[i]];
    return all;
}

/* A step on all micro-batches, with its optimiser; *device_of as place_low. */
static struct graph *build_step(const struct building *building, int **device_of)
{
    const struct low_request *request = building->request;
    struct arena *arena = request->arena;
    int *of_first, *node_group;
    struct graph *step = build_batches(building, 1, &of_first);
    int first = step->n_nodes;
    struct groups groups = group_parameters(building, step, of_first);
    int64_t piece = request->optimiser->clip_norm > 0 ? 0 : UPDATE_PIECE;
    graph_add_updates(step, request->optimiser, groups.of_tensor, groups.n, piece, &node_group);
    int *of_step = arena_array(arena, (size_t)step->n_nodes + 1, sizeof *of_step);
    memcpy(of_step, of_first, (size_t)first * sizeof *of_step);
    for (int i = first; i < step->n_nodes; i++)
        of_step[i] = groups.device[node_group[i - first]];
    *device_of = of_step;
    return step;
}

/* What the handover brings has no initial value of its own: what the full model has, and adapters that are parts of it.
 */
static void expect_from_handover(const struct graph *full, int svd, struct graph *part)
{
    for (int t = 0; t < part->n_tensors; t++)
        if (part->tensors[t].role == TENSOR_PARAM && (svd || graph_find(full, part->tensors[t].name) != NO_TENSOR))
            part->tensors[t].init = INIT_NONE;
}

static struct graph *cut(struct building *building, const struct graph *graph, const int *device_of, int program_id)
{
    const struct low_request *request = building->request;
    int n_devices = request->machine->n_devices;
    struct graph *parts = arena_array(request->arena, (size_t)n_devices, sizeof *parts);
    building->plan->n_channels[program_id] = partition(graph, device_of, n_devices, request->arena, parts);
    for (int d = 0; d < n_devices; d++)
        expect_from_handover(request->full, family_adapter(request->config)->svd, &parts[d]);
    return parts;
}

static enum status lower_parts(struct building *building, const struct graph *parts, int program_id, int shared_id,
                               struct fault *fault)
{
    const struct low_request *request = building->request;
    struct plan *plan = building->plan;
    enum status status = STATUS_OK;
    for (int d = 0; d < request->machine->n_devices && status == STATUS_OK; d++) {
        struct program *program = &plan->programs[program_id][d];
        if (!parts[d].n_nodes)
            continue;
        const struct program *shared = program_id == shared_id ? NULL : &plan->programs[shared_id][d];
        if (plan->programs[PROGRAM_TRAIN][d].n_instrs)
            shared = &plan->programs[PROGRAM_TRAIN][d];
        struct lowering lowering = {.machine = request->machine,
                                    .device = d,
                                    .samples = request->job->train.minibatch,
                                    .n_group = 1,
                                    .shared = shared,
                                    .arena = request->arena};
        status = lower(&lowering, &parts[d], program, fault);
        plan->hash = program_hash(program, plan->hash);
    }
    return status;
}

static enum status find_matrices(struct building *building, struct fault *fault)
{
    const struct low_request *request = building->request;
    enum status status = STATUS_OK;
    for (int d = 0; d < request->machine->n_devices && status == STATUS_OK; d++)
        status = matrices_find(request->machine, d, &building->parts[d], request->job->placement.replicas,
                               request->arena, &building->matrices[d], fault);
    return status;
}

static uint64_t time_message(const void *context, int from, int to, int64_t elements)
{
    const struct low_request *request = context;
    uint64_t element_bytes = request->machine->specs[from].format == FORMAT_FP64 ? 8 : 4;
    struct cost cost;
    link_transfer_cost(machine_link(request->machine, from, to), (uint64_t)elements * element_bytes, &cost);
    return cost.time_ps;
}

static uint64_t time_node(const struct building *building, const struct graph *step, const struct node *node,
                          int device)
{
    const struct machine *machine = building->request->machine;
    struct op op = node->op;
    struct cost cost;
    if (op.kind == OP_LOAD) {
        for (int o = 0; o < OP_MAX_OUT; o++)
            if (node->out[o] != NO_TENSOR)
                op.transfer_bytes += 4 * (uint64_t)step->tensors[node->out[o]].elements;
    }
    if (place_is_frozen_product(step, node)) {
        op.matrix = 0;
        op.replicas = building->matrices[device].replicas;
    }
    if (!machine->backends[device]->supports(machine->states[device], &op))
        return 0; /* lowering refuses it with a message */
    machine->backends[device]->cost(machine->states[device], &op, &cost);
    return cost.time_ps;
}

/* Each device's work in the order that ends the step earliest. */
static void order_step(const struct building *building, struct graph *step, int *device_of)
{
    const struct low_request *request = building->request;
    uint64_t *cost_ps = arena_array(request->arena, (size_t)step->n_nodes + 1, sizeof *cost_ps);
    for (int i = 0; i < step->n_nodes; i++)
        cost_ps[i] = time_node(building, step, &step->nodes[i], device_of[i]);
    struct order_request order = {request->machine->n_devices, cost_ps, time_message, request};
    order_nodes(step, device_of, &order);
}

/* Crossbars that one copy takes on the first device on which the matrices do not fit. */
static uint64_t units_without_room(const struct building *building)
{
    int d = 0;
    while (d + 1 < building->request->machine->n_devices && building->matrices[d].fits)
        d++;
    return building->matrices[d].units_needed;
}

/* A step whose matrices fit: each whole on one device, or else a piece of each on every one. When neither does, the
 * fault is of the way that takes fewer crossbars. */
static enum status fit_step(struct building *building, struct fault *fault)
{
    const struct low_request *request = building->request;
    int n_devices = request->machine->n_devices;
    building->matrices = arena_array(request->arena, (size_t)n_devices, sizeof *building->matrices);
    int64_t shards[2] = {1, building->reram.n < OP_MAX_IN ? building->reram.n : OP_MAX_IN};
    enum status status = STATUS_OK;
    uint64_t fewest = UINT64_MAX;
    for (int attempt = 0; attempt < (shards[1] > 1 ? 2 : 1); attempt++) {
        struct fault problem = FAULT_NONE;
        cut_model(building, shards[attempt]);
        int *device_of;
        struct graph *step = build_step(building, &device_of);
        building->parts = cut(building, step, device_of, PROGRAM_LOW);
        status = find_matrices(building, &problem);
        if (status != STATUS_OK) {
            uint64_t units = units_without_room(building);
            if (units < fewest) {
                fewest = units;
                *fault = problem;
            }
            continue;
        }
        *fault = FAULT_NONE;
        order_step(building, step, device_of);
        building->parts = cut(building, step, device_of, PROGRAM_LOW);
        status = find_matrices(building, fault);
        break;
    }
    for (int d = 0; d < n_devices && status == STATUS_OK; d++)
        matrices_number(&building->matrices[d], &building->parts[d]);
    return status;
}

static enum status build_evaluation(struct building *building, struct fault *fault)
{
    int *device_of;
    const struct graph *graph = build_batches(building, 0, &device_of);
    struct graph *parts = cut(building, graph, device_of, PROGRAM_LOW_EVALUATE);
    for (int d = 0; d < building->request->machine->n_devices; d++)
        matrices_number(&building->matrices[d], &parts[d]);
    return lower_parts(building, parts, PROGRAM_LOW_EVALUATE, PROGRAM_LOW, fault);
}

static enum status build_handover(struct building *building, struct fault *fault)
{
    const struct low_request *request = building->request;
    struct handover handover = {.full = request->full,
                                .from = request->first_gpu,
                                .low = building->parts,
                                .matrices = building->matrices,
                                .n_devices = request->machine->n_devices,
                                .adapter = family_adapter(request->config)};
    struct graph *parts = arena_array(request->arena, (size_t)handover.n_devices, sizeof *parts);
    building->plan->n_channels[PROGRAM_HANDOVER] = handover_build(&handover, request->arena, parts);
    return lower_parts(building, parts, PROGRAM_HANDOVER, PROGRAM_LOW, fault);
}

/* What the crossbars hold stays; the rest comes from the first GPU, which has kept it since the handover. */
static enum status build_repair(struct building *building, struct fault *fault)
{
    const struct low_request *request = building->request;
    struct handover handover = {.full = request->full,
                                .from = request->first_gpu,
                                .low = building->parts,
                                .matrices = building->matrices,
                                .n_devices = request->machine->n_devices,
                                .adapter = family_adapter(request->config),
                                .held = request->held};
    struct graph *parts = arena_array(request->arena, (size_t)handover.n_devices, sizeof *parts);
    building->plan->n_channels[PROGRAM_REPAIR] = handover_build(&handover, request->arena, parts);
    return lower_parts(building, parts, PROGRAM_REPAIR, PROGRAM_LOW, fault);
}

static enum status build_return(struct building *building, struct fault *fault)
{
    const struct low_request *request = building->request;
    const struct adapter_config *adapter = family_adapter(request->config);
    struct crew gpus = place_crew(request->machine, "gpu", request->arena);
    struct way_back way_back = {request->full,
                                gpus.device,
                                gpus.n,
                                building->parts,
                                request->machine->n_devices,
                                adapter->alpha / (double)adapter->width,
                                adapter->svd};
    struct graph *parts = arena_array(request->arena, (size_t)way_back.n_devices, sizeof *parts);
    building->plan->n_channels[PROGRAM_RETURN] = return_build(&way_back, request->arena, parts);
    return lower_parts(building, parts, PROGRAM_RETURN, PROGRAM_LOW, fault);
}

enum status low_build(const struct low_request *request, struct plan *plan, struct matrices **matrices,
                      struct fault *fault)
{
    struct building building = {.request = request, .plan = plan};
    enum status status = find_crews(&building, fault);
    if (status == STATUS_OK)
        status = fit_step(&building, fault);
    if (status == STATUS_OK)
        status = lower_parts(&building, building.parts, PROGRAM_LOW, PROGRAM_LOW, fault);
    if (status == STATUS_OK && request->job->data.file) /* else there is nothing to evaluate on */
        status = build_evaluation(&building, fault);
    if (status == STATUS_OK)
        status = build_handover(&building, fault);
    if (status == STATUS_OK)
        status = build_return(&building, fault);
    if (status == STATUS_OK && request->held)
        status = build_repair(&building, fault);
    *matrices = building.matrices;
    return status;
}
