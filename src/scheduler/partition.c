#include "scheduler/partition.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

struct message {
    int tensor, from, to;
    int made_at, used_at; /* nodes */
};

struct cutting {
    const struct graph *graph;
    const int *device_of;
    int n_devices;
    struct arena *arena;
    struct graph *parts;
    int *here;                /* [n_devices][n_tensors] node that made the value that the device has, or -1 */
    int *local;               /* [n_devices][n_tensors] number of the tensor in the device's graph */
    int *writes, *next_write; /* by root: its latest write as a list of (node, operand) numbers */
    struct message *messages;
    int n_messages, max_messages;
};

static int *cell(const struct cutting *cutting, int *table, int device, int t)
{
    return &table[(size_t)device * (size_t)cutting->graph->n_tensors + (size_t)t];
}

static int is_resident(const struct graph *graph, int t)
{
    enum tensor_role role = graph->tensors[graph_root(graph, t)].role;
    return role == TENSOR_PARAM || role == TENSOR_CONST || role == TENSOR_STATE;
}

/* A tensor seen with other dimensions is the same value. */
static int whole(const struct graph *graph, int t)
{
    int root = graph_root(graph, t);
    return graph->tensors[root].elements == graph->tensors[t].elements ? root : t;
}

/* The last node so far that has written some of `t`, or -1. */
static int last_write(const struct cutting *cutting, int t)
{
    int root = graph_root(cutting->graph, t);
    for (int w = cutting->writes[root]; w >= 0; w = cutting->next_write[w])
        if (graph_overlap(cutting->graph, cutting->graph->nodes[w / OP_MAX_OUT].out[w % OP_MAX_OUT], t))
            return w / OP_MAX_OUT;
    return -1;
}

static void note_write(struct cutting *cutting, int node, int o)
{
    int t = cutting->graph->nodes[node].out[o], root = graph_root(cutting->graph, t);
    int w = node * OP_MAX_OUT + o;
    cutting->next_write[w] = cutting->writes[root];
    cutting->writes[root] = w;
    *cell(cutting, cutting->here, cutting->device_of[node], whole(cutting->graph, t)) = node;
}

static void add_message(struct cutting *cutting, const struct message *message)
{
    if (cutting->n_messages == cutting->max_messages) {
        int room = cutting->max_messages ? 2 * cutting->max_messages : 64;
        struct message *larger = arena_array(cutting->arena, (size_t)room, sizeof *larger);
        if (cutting->n_messages)
            memcpy(larger, cutting->messages, (size_t)cutting->n_messages * sizeof *larger);
        cutting->messages = larger;
        cutting->max_messages = room;
    }
    cutting->messages[cutting->n_messages++] = *message;
}

static int covers(const struct graph *graph, int whole, int part)
{
    int64_t first = graph_offset(graph, whole), at = graph_offset(graph, part);
    return first <= at && at + graph->tensors[part].elements <= first + graph->tensors[whole].elements;
}

/* A value comes from one device: what several have made pieces of cannot be sent. */
static void check_one_maker(const struct cutting *cutting, int t)
{
    const struct graph *graph = cutting->graph;
    int device = -1;
    for (int w = cutting->writes[graph_root(graph, t)]; w >= 0; w = cutting->next_write[w]) {
        int node = w / OP_MAX_OUT, out = graph->nodes[node].out[w % OP_MAX_OUT];
        if (!graph_overlap(graph, out, t))
            continue;
        if (device >= 0 && cutting->device_of[node] != device)
            bug("%s is made in pieces on devices %d and %d", graph->tensors[t].name, cutting->device_of[node], device);
        device = cutting->device_of[node];
        if (covers(graph, out, t))
            return;
    }
}

/* A message that comes without prompts only must not have a reader, on its device, that works with them too. */
static void check_readers(const struct cutting *cutting, int i, int t, int made_at)
{
    const struct graph *graph = cutting->graph;
    for (int m = 0; m < cutting->n_messages && graph->nodes[i].op.tokens != TOKENS_NONE; m++) {
        const struct message *message = &cutting->messages[m];
        if (message->tensor == t && message->made_at == made_at && message->to == cutting->device_of[i] &&
            graph->nodes[message->used_at].op.tokens == TOKENS_NO_PROMPT &&
            graph->nodes[i].op.tokens != TOKENS_NO_PROMPT)
            bug("%s needs %s in iterations in which it is not sent", graph->nodes[i].name, graph->tensors[t].name);
    }
}

/* Node i reads `t`: when another device has its latest value, it must be sent. */
static void note_read(struct cutting *cutting, int i, int t)
{
    t = whole(cutting->graph, t);
    int device = cutting->device_of[i], made_at = last_write(cutting, t);
    if (is_resident(cutting->graph, t)) {
        if (made_at >= 0 && cutting->device_of[made_at] != device)
            bug("%s is trained on device %d and used on %d", cutting->graph->tensors[t].name,
                cutting->device_of[made_at], device);
        return;
    }
    if (made_at < 0)
        bug("node %s reads %s, which nothing has made", cutting->graph->nodes[i].name, cutting->graph->tensors[t].name);
    check_one_maker(cutting, t);
    int *here = cell(cutting, cutting->here, device, t);
    if (cutting->device_of[made_at] == device)
        return;
    if (*here == made_at) {
        check_readers(cutting, i, t, made_at);
        return;
    }
    *here = made_at;
    add_message(cutting, &(struct message){t, cutting->device_of[made_at], device, made_at, i});
}

static void find_messages(struct cutting *cutting)
{
    const struct graph *graph = cutting->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        for (int k = 0; k < OP_MAX_IN; k++)
            if (node->in[k] != NO_TENSOR)
                note_read(cutting, i, node->in[k]);
        if (node->op.accumulate)
            note_read(cutting, i, node->out[0]);
        for (int o = 0; o < OP_MAX_OUT; o++)
            if (node->out[o] != NO_TENSOR)
                note_write(cutting, i, o);
    }
}

/* What another device has loaded or summed is an ordinary value here. */
static enum tensor_role local_role(const struct cutting *cutting, int device, int root)
{
    enum tensor_role role = cutting->graph->tensors[root].role;
    int resident = role == TENSOR_PARAM || role == TENSOR_CONST || role == TENSOR_STATE;
    return resident || *cell(cutting, cutting->here, device, root) == -2 ? role : TENSOR_ACTIVATION;
}

static int local_tensor(struct cutting *cutting, int device, int t)
{
    if (t == NO_TENSOR)
        return NO_TENSOR;
    int *local = cell(cutting, cutting->local, device, t);
    if (*local != NO_TENSOR)
        return *local;
    const struct tensor *tensor = &cutting->graph->tensors[t];
    struct graph *part = &cutting->parts[device];
    int base = local_tensor(cutting, device, tensor->base);
    *local = base == NO_TENSOR
                 ? graph_tensor(part, local_role(cutting, device, t), tensor->name, tensor->n_dims, tensor->dims)
                 : graph_view(part, base, tensor->offset, tensor->name, tensor->n_dims, tensor->dims);
    struct tensor *made = &part->tensors[*local];
    made->trainable = tensor->trainable;
    made->is_block = tensor->is_block;
    made->init = tensor->init;
    made->init_scale = tensor->init_scale;
    made->init_place = tensor->init_place;
    made->values = tensor->values;
    made->copies = tensor->copies;
    made->apart = tensor->apart;
    made->prompt_columns = tensor->prompt_columns;
    made->chunk = tensor->chunk;
    made->chunks = tensor->chunks;
    made->first = tensor->first;
    made->some = tensor->some;
    made->part = tensor->part;
    made->parts = tensor->parts;
    return *local;
}

static void put_message(struct cutting *cutting, int channel, int send)
{
    const struct message *message = &cutting->messages[channel];
    const struct tensor *tensor = &cutting->graph->tensors[message->tensor];
    const struct node *maker = &cutting->graph->nodes[message->made_at];
    const struct node *user = &cutting->graph->nodes[message->used_at];
    int device = send ? message->from : message->to;
    int t = local_tensor(cutting, device, message->tensor);
    struct op op = {.kind = send ? OP_SEND : OP_RECV, .rows = tensor->elements, .tokens = maker->op.tokens};
    if (user->op.tokens == TOKENS_NO_PROMPT) /* what is made in every iteration is not needed in every one */
        op.tokens = TOKENS_NO_PROMPT;
    if (op.tokens != TOKENS_NONE) {
        op.out = tensor->dims[tensor->n_dims - 1];
        op.in = tensor->prompt_columns ? tensor->prompt_columns : op.out;
        const struct op *cut =
            tensor->prompt_columns ? &user->op : &maker->op; /* who tells of which shard's tokens it is */
        op.shard = cut->shard;
        op.shards = cut->shards;
        op.shard_block = cut->shard_block;
    }
    struct operands operands = send ? operands_of(1, &t, 0, NULL) : operands_of(0, NULL, 1, &t);
    const struct node *place = send ? maker : user;
    struct node *node =
        graph_node(&cutting->parts[device], &op, operands.in, operands.out, place->phase, place->block, tensor->name);
    node->channel = channel;
    node->peer = send ? message->to : message->from;
}

static void put_node(struct cutting *cutting, int i)
{
    const struct node *node = &cutting->graph->nodes[i];
    int device = cutting->device_of[i];
    struct operands operands = no_operands();
    for (int k = 0; k < OP_MAX_IN; k++)
        operands.in[k] = local_tensor(cutting, device, node->in[k]);
    for (int o = 0; o < OP_MAX_OUT; o++)
        operands.out[o] = local_tensor(cutting, device, node->out[o]);
    graph_node(&cutting->parts[device], &node->op, operands.in, operands.out, node->phase, node->block, node->name);
    if (node->op.kind == OP_LOSS)
        cutting->parts[device].loss_sums = local_tensor(cutting, device, cutting->graph->loss_sums);
}

static int *sorted_by_maker(const struct cutting *cutting)
{
    int n = cutting->n_messages, n_nodes = cutting->graph->n_nodes;
    int *first = arena_array(cutting->arena, (size_t)n_nodes + 1, sizeof *first);
    int *order = arena_array(cutting->arena, (size_t)n + 1, sizeof *order);
    for (int c = 0; c < n; c++)
        first[cutting->messages[c].made_at + 1]++;
    for (int i = 0; i < n_nodes; i++)
        first[i + 1] += first[i];
    for (int c = 0; c < n; c++)
        order[first[cutting->messages[c].made_at]++] = c;
    return order;
}

/* Is node i in the graph's loop? */
static int in_loop(const struct graph *graph, int i)
{
    return i >= graph->loop_first && i < graph->loop_end;
}

/* A message within the loop is sent in each repetition; none may cross its border. */
static void check_loop(const struct cutting *cutting)
{
    const struct graph *graph = cutting->graph;
    for (int m = 0; m < cutting->n_messages; m++)
        if (in_loop(graph, cutting->messages[m].made_at) != in_loop(graph, cutting->messages[m].used_at))
            bug("%s is sent across the border of a loop", graph->tensors[cutting->messages[m].tensor].name);
}

/* Node i comes next: where the graph's loop begins and ends, each device's does. */
static void mark_borders(struct cutting *cutting, int i)
{
    for (int d = 0; d < cutting->n_devices; d++) {
        struct graph *part = &cutting->parts[d];
        if (i == cutting->graph->loop_first)
            part->loop_first = part->n_nodes;
        if (i == cutting->graph->loop_end)
            part->loop_end = part->n_nodes;
        part->loop_count = cutting->graph->loop_count;
    }
}

/* Messages are found in the order of their use; those to be sent are looked up by their maker. */
static void build_parts(struct cutting *cutting)
{
    const int *order = sorted_by_maker(cutting);
    int received = 0, sent = 0;
    for (int i = 0; i < cutting->graph->n_nodes; i++) {
        mark_borders(cutting, i);
        for (; received < cutting->n_messages && cutting->messages[received].used_at == i; received++)
            put_message(cutting, received, 0);
        put_node(cutting, i);
        for (; sent < cutting->n_messages && cutting->messages[order[sent]].made_at == i; sent++)
            put_message(cutting, order[sent], 1);
    }
    mark_borders(cutting, cutting->graph->n_nodes);
}

/* From here on `here` of a root tells -2 where a node of the device itself writes into it. */
static void mark_makers(struct cutting *cutting)
{
    const struct graph *graph = cutting->graph;
    for (int i = 0; i < graph->n_nodes; i++)
        for (int o = 0; o < OP_MAX_OUT; o++)
            if (graph->nodes[i].out[o] != NO_TENSOR) {
                int root = graph_root(graph, graph->nodes[i].out[o]);
                *cell(cutting, cutting->here, cutting->device_of[i], root) = -2;
            }
}

int partition(const struct graph *graph, const int *device_of, int n_devices, struct arena *arena, struct graph *parts)
{
    size_t cells = (size_t)n_devices * (size_t)graph->n_tensors + 1, n_nodes = (size_t)graph->n_nodes;
    struct cutting cutting = {
        .graph = graph, .device_of = device_of, .n_devices = n_devices, .arena = arena, .parts = parts};
    cutting.here = arena_array(arena, cells, sizeof *cutting.here);
    cutting.local = arena_array(arena, cells, sizeof *cutting.local);
    cutting.writes = arena_array(arena, (size_t)graph->n_tensors + 1, sizeof *cutting.writes);
    cutting.next_write = arena_array(arena, n_nodes * OP_MAX_OUT + 1, sizeof *cutting.next_write);
    for (size_t c = 0; c < cells; c++)
        cutting.here[c] = cutting.local[c] = NO_TENSOR;
    for (int t = 0; t < graph->n_tensors; t++)
        cutting.writes[t] = -1;
    for (int d = 0; d < n_devices; d++)
        graph_init(&parts[d], arena);
    find_messages(&cutting);
    check_loop(&cutting);
    mark_makers(&cutting);
    build_parts(&cutting);
    return cutting.n_messages;
}
