#include "scheduler/lower.h"

#include <string.h>

#include "kernel/run.h"
#include "scheduler/memory.h"

static enum slot_kind kind_of(enum tensor_role role)
{
    switch (role) {
    case TENSOR_INPUT:
    case TENSOR_TARGET:
    case TENSOR_MASK:
        return SLOT_LOADED;
    case TENSOR_CONST:
        return SLOT_CONST;
    case TENSOR_PARAM:
        return SLOT_PARAM;
    case TENSOR_GRAD:
        return SLOT_GRAD;
    case TENSOR_STATE:
        return SLOT_STATE;
    default:
        return SLOT_ACTIVATION;
    }
}

static enum slot_init init_of(const struct tensor *tensor)
{
    static const enum slot_init init[] = {SLOT_INIT_NONE,   SLOT_INIT_ZERO,     SLOT_INIT_ONE,    SLOT_INIT_UNIFORM,
                                          SLOT_INIT_NORMAL, SLOT_INIT_FASTFOOD, SLOT_INIT_WEIGHT, SLOT_INIT_FACTOR};
    return tensor->values ? SLOT_INIT_VALUES : init[tensor->init];
}

static void lower_tensor(const struct graph *graph, int t, uint64_t element_bytes, struct slot *slot)
{
    const struct tensor *tensor = &graph->tensors[t];
    *slot = (struct slot){
        .name = tensor->name,
        .root = t,
        .elements = tensor->elements,
        .bytes = (uint64_t)(tensor->elements * (tensor->copies > 1 ? tensor->copies : 1)) * element_bytes,
        .copies = tensor->copies,
        .apart = tensor->apart,
        .chunk = tensor->chunk,
        .chunks = tensor->chunks,
        .first = tensor->first,
        .some = tensor->some,
        .part = tensor->part,
        .parts = tensor->parts,
        .init = init_of(tensor),
        .init_scale = tensor->init_scale,
        .init_place = tensor->init_place,
        .values = tensor->values,
        .n_dims = tensor->n_dims,
        .is_weight = tensor->role == TENSOR_PARAM && !tensor->is_block &&
                     (tensor->base == NO_TENSOR || graph->tensors[tensor->base].is_block),
    };
    slot->is_trained = slot->is_weight && tensor->trainable;
    memcpy(slot->dims, tensor->dims, sizeof slot->dims);
    for (; graph->tensors[slot->root].base != NO_TENSOR; slot->root = graph->tensors[slot->root].base)
        slot->offset_bytes += (uint64_t)graph->tensors[slot->root].offset * element_bytes;
    slot->kind = kind_of(graph->tensors[slot->root].role);
}

static enum engine engine_of(enum op_kind kind)
{
    switch (kind) {
    case OP_LOAD:
    case OP_METRIC:
        return ENGINE_COPY;
    case OP_ALLREDUCE:
    case OP_SEND:
        return ENGINE_SEND;
    case OP_RECV:
        return ENGINE_RECEIVE;
    case OP_PROGRAM:
        return ENGINE_PROGRAM;
    default:
        return ENGINE_COMPUTE;
    }
}

static uint64_t operand_bytes(const struct program *program, const int *slots, int n)
{
    uint64_t bytes = 0;
    for (int i = 0; i < n; i++)
        if (slots[i] != NO_SLOT)
            bytes += program->slots[slots[i]].bytes;
    return bytes;
}

/* Values that the host keeps in host_bytes have own_bytes on the device. */
static void lower_node(const struct node *node, struct program *program, uint64_t host_bytes, uint64_t own_bytes,
                       struct arena *arena, struct instr *instr)
{
    struct op *op = arena_take(arena, sizeof *op);
    *op = node->op;
    if (op->kind == OP_LOAD)
        op->transfer_bytes = operand_bytes(program, node->out, OP_MAX_OUT);
    if (op->kind == OP_METRIC || op->kind == OP_SEND)
        op->transfer_bytes = program->slots[node->in[0]].bytes;
    if (op->kind == OP_RECV || op->kind == OP_ALLREDUCE)
        op->transfer_bytes = program->slots[node->out[0]].bytes;
    if (op->tokens != TOKENS_NONE)
        op->transfer_bytes = op->transfer_bytes / host_bytes * own_bytes;
    int is_message = op->kind == OP_SEND || op->kind == OP_RECV;
    *instr = (struct instr){
        .op = op,
        .engine = engine_of(op->kind),
        .phase = (int)node->phase,
        .block = node->block,
        .name = node->name,
        .group = op->kind == OP_ALLREDUCE ? 0 : -1,
        .channel = is_message                 ? node->channel
                   : op->kind == OP_ALLREDUCE ? program->n_collectives++
                                              : -1,
        .peer = is_message ? node->peer : -1,
    };
    memcpy(instr->in, node->in, sizeof instr->in);
    memcpy(instr->out, node->out, sizeof instr->out);
}

/* A piece of the gradients that is summed over the devices as soon as the backward pass has completed it. */
struct bucket {
    int64_t first, elements; /* of the block of gradients */
    int after;               /* node that completes it */
};

/* Last node that writes into elements first .. first+elements-1 of the block. */
static int completed_by(const struct graph *graph, int64_t first, int64_t elements)
{
    int last = -1;
    for (int i = 0; i < graph->n_nodes; i++)
        for (int o = 0; o < OP_MAX_OUT; o++) {
            int t = graph->nodes[i].out[o];
            if (t == NO_TENSOR || graph->tensors[t].base != graph->grads)
                continue;
            if (graph->tensors[t].offset < first + elements &&
                first < graph->tensors[t].offset + graph->tensors[t].elements)
                last = i;
        }
    return last;
}

/* Cuts the gradients, from the end (which the backward pass completes first), at borders of parameters. */
static int cut_buckets(const struct graph *graph, double bucket_bytes, uint64_t element_bytes, struct bucket *buckets)
{
    int64_t total = graph->tensors[graph->grads].elements, end = total;
    int n = 0;
    for (int t = graph->n_tensors - 1; t >= 0 && end > 0; t--) {
        const struct tensor *tensor = &graph->tensors[t];
        if (tensor->base != graph->params || tensor->offset >= end)
            continue;
        if ((double)(end - tensor->offset) * (double)element_bytes < bucket_bytes && tensor->offset > 0)
            continue;
        buckets[n].first = tensor->offset;
        buckets[n].elements = end - tensor->offset;
        buckets[n].after = completed_by(graph, buckets[n].first, buckets[n].elements);
        end = tensor->offset;
        n++;
    }
    return n;
}

static void add_bucket_slot(struct program *program, const struct graph *graph, const struct bucket *bucket, int number,
                            uint64_t element_bytes, struct arena *arena)
{
    program->slots[program->n_slots++] = (struct slot){
        .name = arena_printf(arena, "grads.bucket.%d", number),
        .kind = SLOT_GRAD,
        .root = graph->grads,
        .elements = bucket->elements,
        .offset_bytes = (uint64_t)bucket->first * element_bytes,
        .bytes = (uint64_t)bucket->elements * element_bytes,
        .n_dims = 1,
        .dims = {bucket->elements},
    };
}

static void add_allreduce(struct program *program, const struct bucket *bucket, int slot, struct arena *arena)
{
    struct op *op = arena_take(arena, sizeof *op);
    op->kind = OP_ALLREDUCE;
    op->rows = bucket->elements;
    op->transfer_bytes = program->slots[slot].bytes;
    struct instr *instr = &program->instrs[program->n_instrs++];
    *instr = (struct instr){
        .op = op,
        .engine = ENGINE_SEND,
        .phase = PHASE_BACKWARD,
        .block = -1,
        .name = program->slots[slot].name,
        .group = 0,
        .channel = program->n_collectives++,
        .peer = -1,
    };
    for (int i = 0; i < OP_MAX_IN; i++)
        instr->in[i] = NO_SLOT;
    for (int i = 0; i < OP_MAX_OUT; i++)
        instr->out[i] = NO_SLOT;
    instr->in[0] = instr->out[0] = slot;
}

/* Nodes in their order, each bucket's all-reduce right after the node that completes it. */
static void lower_nodes(const struct lowering *lowering, const struct graph *graph, uint64_t element_bytes,
                        struct program *program)
{
    struct arena *arena = lowering->arena;
    struct bucket *buckets = arena_array(arena, (size_t)graph->n_tensors + 1, sizeof *buckets);
    int n_buckets = 0;
    if (graph->grads != NO_TENSOR && lowering->n_group > 1)
        n_buckets = cut_buckets(graph, lowering->bucket_bytes, element_bytes, buckets);
    const struct device_spec *spec = &lowering->machine->specs[lowering->device];
    uint64_t own_bytes =
        spec->stores_format && (spec->format == FORMAT_FP16 || spec->format == FORMAT_BF16) ? 2 : element_bytes;
    int first_slot = program->n_slots;
    for (int b = 0; b < n_buckets; b++)
        add_bucket_slot(program, graph, &buckets[b], b, element_bytes, arena);
    program->instrs = arena_array(arena, (size_t)graph->n_nodes + (size_t)n_buckets, sizeof *program->instrs);
    for (int i = 0; i < graph->n_nodes; i++) {
        if (i == graph->loop_first)
            program->loop_first = program->n_instrs;
        lower_node(&graph->nodes[i], program, element_bytes, own_bytes, arena, &program->instrs[program->n_instrs++]);
        for (int b = 0; b < n_buckets; b++)
            if (buckets[b].after == i)
                add_allreduce(program, &buckets[b], first_slot + b, arena);
        if (i + 1 == graph->loop_end)
            program->loop_end = program->n_instrs;
    }
    program->loop_count = graph->loop_end > graph->loop_first ? graph->loop_count : 0;
    for (int i = program->loop_first; i < program->loop_end; i++)
        program->n_loop_collectives += program->instrs[i].op->kind == OP_ALLREDUCE;
}

/* Each device's part of a collective's energy and traffic is the same. */
static void price_allreduce(const struct machine *machine, int n_group, struct instr *instr)
{
    unsigned n = (unsigned)n_group;
    fabric_collective_cost(&machine->fabric, COLLECTIVE_ALLREDUCE, n, instr->op->transfer_bytes, &instr->algorithm,
                           &instr->cost);
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        instr->cost.energy_fj[p] /= n;
    instr->cost.bytes /= n;
    instr->cost.flops /= n;
}

/* Both ports are busy as long as the message lasts; its energy is the sender's. */
static void price_message(const struct machine *machine, int device, struct instr *instr)
{
    link_transfer_cost(machine_link(machine, device, instr->peer), instr->op->transfer_bytes, &instr->cost);
    if (instr->op->kind == OP_RECV)
        instr->cost = (struct cost){.time_ps = instr->cost.time_ps};
}

/* What remains of the speed of a device or its link after faults. */
static double share_of(double speed)
{
    return speed > 0 ? speed : 1;
}

static double slower(double a, double b)
{
    return a < b ? a : b;
}

/* Takes longer by 1 / share; power that is drawn all the time is drawn for longer. */
static void stretch(struct cost *cost, double share)
{
    if (share == 1)
        return;
    cost->time_ps = cost_whole((double)cost->time_ps / share);
    cost->energy_fj[ENERGY_STATIC] = cost_whole((double)cost->energy_fj[ENERGY_STATIC] / share);
}

/* An all-reduce goes at the pace of its slowest link. */
static double slowest_link(const struct machine *machine)
{
    const char *kind = machine_leading_kind(machine);
    double share = 1;
    for (int d = 0; d < machine->n_devices; d++)
        if (strcmp(machine->specs[d].kind, kind) == 0)
            share = slower(share, share_of(machine->specs[d].link_speed));
    return share;
}

void lower_price(const struct machine *machine, int device, int n_group, struct instr *instr)
{
    const struct device_spec *specs = machine->specs;
    if (instr->op->kind == OP_SEND || instr->op->kind == OP_RECV) {
        price_message(machine, device, instr);
        stretch(&instr->cost, slower(share_of(specs[device].link_speed), share_of(specs[instr->peer].link_speed)));
    } else if (instr->op->kind == OP_ALLREDUCE) {
        price_allreduce(machine, n_group, instr);
        stretch(&instr->cost, slowest_link(machine));
    } else {
        machine->backends[device]->cost(machine->states[device], instr->op, &instr->cost);
        stretch(&instr->cost, share_of(specs[device].speed));
    }
}

static enum status price(const struct lowering *lowering, struct program *program, struct fault *fault)
{
    const struct machine *machine = lowering->machine;
    const struct device *backend = machine->backends[lowering->device];
    for (int i = 0; i < program->n_instrs; i++) {
        struct instr *instr = &program->instrs[i];
        int is_message = instr->op->kind == OP_SEND || instr->op->kind == OP_RECV;
        if (!is_message && !backend->supports(machine->states[lowering->device], instr->op))
            return fault_set(fault, STATUS_USAGE, "%s cannot run %s (%s)", machine->specs[lowering->device].name,
                             op_name(instr->op->kind), instr->name);
        lower_price(machine, lowering->device, lowering->n_group, instr);
    }
    return STATUS_OK;
}

static int find_output(const struct graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op.kind == OP_LOSS)
            return graph->nodes[i].in[0];
    for (int i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op.kind == OP_SAMPLE)
            return graph->nodes[i].out[0];
    return NO_TENSOR;
}

/* Of a product on the tokens of an iteration with any number of rows: kernels change with it. */
static uint64_t largest_scratch_bytes(const struct op *op, enum number_format format)
{
    uint64_t largest = kernel_scratch_bytes(op, format);
    struct op fewer = *op;
    for (; op->kind == OP_LINEAR && op->tokens != TOKENS_NONE && fewer.rows > 1; fewer.rows /= 2) {
        uint64_t bytes = kernel_scratch_bytes(&fewer, format);
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

enum status lower(const struct lowering *lowering, const struct graph *graph, struct program *program,
                  struct fault *fault)
{
    enum number_format format = lowering->machine->specs[lowering->device].format;
    uint64_t element_bytes = format == FORMAT_FP64 ? 8 : 4;
    memset(program, 0, sizeof *program);
    program->device = lowering->device;
    program->first_sample = lowering->first_sample;
    program->samples = lowering->samples;
    program->varies = lowering->varies;
    program->slots = arena_array(lowering->arena, 2 * (size_t)graph->n_tensors + 1, sizeof *program->slots);
    for (; program->n_slots < graph->n_tensors; program->n_slots++)
        lower_tensor(graph, program->n_slots, element_bytes, &program->slots[program->n_slots]);
    program->sums = graph->loss_sums;
    program->output = find_output(graph);
    lower_nodes(lowering, graph, element_bytes, program);
    enum status status = price(lowering, program, fault);
    if (status != STATUS_OK)
        return status;
    memory_plan(program, lowering->shared, lowering->arena);
    program_link_waits(program, NULL, lowering->arena);
    for (int i = 0; i < program->n_instrs; i++) {
        const struct op *op = program->instrs[i].op;
        uint64_t scratch = largest_scratch_bytes(op, format);
        program->scratch_bytes = scratch > program->scratch_bytes ? scratch : program->scratch_bytes;
    }
    program_validate(program);
    if (lowering->varies) /* decoder_plan counts in the devices' own bytes */
        return STATUS_OK;
    int holds_matrices = lowering->machine->backends[lowering->device]->units_needed != NULL;
    return memory_check(
        program, holds_matrices, lowering->machine->specs[lowering->device].name,
        lowering->machine->backends[lowering->device]->memory_bytes(lowering->machine->states[lowering->device]),
        fault);
}
