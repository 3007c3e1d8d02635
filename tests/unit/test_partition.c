/* A step over several devices computes what it computes on one: parts run by hand, messages passed by hand. */
#include <check.h>
#include <string.h>

#include "graph/autodiff.h"
#include "graph/microbatch.h"
#include "low_model.h"
#include "scheduler/partition.h"
#include "scheduler/place.h"

Suite *suite_partition(void);

enum { RANDOM_STEPS = 50, MAX_DEVICES = 7 };

/* A training step and the device of each of its nodes. */
struct placed {
    struct arena *arena;
    struct model_config config;
    struct graph step, parts[MAX_DEVICES];
    int *device_of, n_devices, n_messages;
    int is_reram[MAX_DEVICES], is_systolic[MAX_DEVICES];
    struct crew reram, systolic;
    int n_micro;
};

/* Devices of the two kinds in any order, and some that take no part. */
static void draw_crews(struct placed *placed, uint32_t seed)
{
    uint32_t order[MAX_DEVICES];
    placed->n_devices = 2 + (int)below(seed, 110, MAX_DEVICES - 1);
    rng_permutation(rng_key(seed, RNG_TEST, 111), 0, (uint32_t)placed->n_devices, order);
    placed->reram.n = 1 + (int)below(seed, 112, (uint64_t)placed->n_devices - 1);
    placed->systolic.n = 1 + (int)below(seed, 113, (uint64_t)(placed->n_devices - placed->reram.n));
    placed->reram.device = arena_array(placed->arena, MAX_DEVICES, sizeof(int));
    placed->systolic.device = arena_array(placed->arena, MAX_DEVICES, sizeof(int));
    for (int k = 0; k < placed->reram.n; k++)
        placed->is_reram[placed->reram.device[k] = (int)order[k]] = 1;
    for (int k = 0; k < placed->systolic.n; k++)
        placed->is_systolic[placed->systolic.device[k] = (int)order[placed->reram.n + k]] = 1;
}

/* Nodes that must share a device, because they use or make something of the same trained parameter. */
static int leader(const int *with, int i)
{
    while (with[i] != i)
        i = with[i];
    return i;
}

static int touches(const struct graph *graph, const struct node *node, int parameter)
{
    for (int k = 0; k < OP_MAX_IN; k++)
        if (graph_overlap(graph, node->in[k], parameter))
            return 1;
    for (int k = 0; k < OP_MAX_OUT; k++)
        if (graph_overlap(graph, node->out[k], graph->tensors[parameter].grad))
            return 1;
    return 0;
}

static void draw_devices(struct placed *placed, uint32_t seed)
{
    const struct graph *graph = &placed->step;
    int *with = arena_array(placed->arena, (size_t)graph->n_nodes + 1, sizeof *with);
    for (int i = 0; i < graph->n_nodes; i++)
        with[i] = i;
    for (int t = 0; t < graph->n_tensors; t++) {
        int first = -1;
        for (int i = 0; is_trained(&graph->tensors[t]) && i < graph->n_nodes; i++)
            if (touches(graph, &graph->nodes[i], t)) {
                first = first < 0 ? i : first;
                with[leader(with, i)] = leader(with, first);
            }
    }
    for (int i = 0; i < graph->n_nodes; i++)
        placed->device_of[i] = (int)below(seed, 2000 + (uint64_t)leader(with, i), (uint64_t)placed->n_devices);
}

/* The device on which each trained parameter is used: one only. Groups are numbered as devices are met. */
static void add_optimiser(struct placed *placed, uint32_t seed)
{
    struct graph *graph = &placed->step;
    int *group = arena_array(placed->arena, (size_t)graph->n_tensors + 1, sizeof *group), *node_group;
    int group_of[MAX_DEVICES], device_of_group[MAX_DEVICES], n_groups = 0, first = graph->n_nodes;
    struct optimiser optimiser = random_optimiser(seed);
    memset(group_of, -1, sizeof group_of);
    for (int t = 0; t < graph->n_tensors; t++) {
        int device = -1;
        for (int i = 0; is_trained(&graph->tensors[t]) && i < first; i++) {
            if (!touches(graph, &graph->nodes[i], t))
                continue;
            ck_assert_msg(device < 0 || device == placed->device_of[i], "%s on devices %d and %d",
                          graph->tensors[t].name, device, placed->device_of[i]);
            device = placed->device_of[i];
        }
        if (device >= 0 && group_of[device] < 0) {
            device_of_group[n_groups] = device;
            group_of[device] = n_groups++;
        }
        group[t] = device < 0 ? -1 : group_of[device];
    }
    graph_add_updates(graph, &optimiser, group, n_groups, 0, &node_group);
    for (int i = first; i < graph->n_nodes; i++)
        placed->device_of[i] = device_of_group[node_group[i - first]];
}

/* By place_low, or anyhow. */
static void placed_init(struct placed *placed, uint32_t seed, int anyhow)
{
    *placed =
        (struct placed){.arena = arena_new(), .config = low_family(seed), .n_micro = 1 + (int)below(seed, 114, 3)};
    struct arena *arena = placed->arena;
    int64_t samples = 1 + (int64_t)below(seed, 115, 2);
    struct graph one;
    draw_crews(placed, seed);
    graph_init(&one, arena);
    family_build(&placed->config, samples, 1, 0, &one);
    autodiff(&one);
    place_separate_sums(&one);
    const int *of_one = place_low(&one, family_layers(&placed->config), &placed->reram, &placed->systolic, arena);
    const int *origin = graph_microbatches(&one, placed->n_micro, samples, place_stages(of_one, one.n_nodes, arena),
                                           arena, &placed->step);
    placed->device_of = arena_array(arena, (size_t)placed->step.n_nodes + 3 * MAX_DEVICES, sizeof *placed->device_of);
    for (int i = 0; i < placed->step.n_nodes; i++)
        placed->device_of[i] = of_one[origin[i]];
    if (anyhow)
        draw_devices(placed, seed);
    add_optimiser(placed, seed);
    placed->n_messages = partition(&placed->step, placed->device_of, placed->n_devices, arena, placed->parts);
}

/* The parts under way. */
struct running {
    const struct placed *placed;
    struct interpreter whole, part[MAX_DEVICES];
    void **made;                             /* [nodes][OP_MAX_OUT] what each node of the whole step wrote */
    int *at[MAX_DEVICES], next[MAX_DEVICES]; /* node of the whole step for each node of a part, -1 for messages */
    void **letter;                           /* [messages] under way */
};

static size_t bytes_of(const struct interpreter *it, int t)
{
    return (size_t)it->graph->tensors[t].elements * it->element_bytes;
}

/* The nodes of a part are the device's nodes in their order, with messages between them. */
static void match_nodes(struct running *running, int device)
{
    const struct placed *placed = running->placed;
    const struct graph *part = &placed->parts[device];
    int i = 0;
    running->at[device] = arena_array(placed->arena, (size_t)part->n_nodes + 1, sizeof **running->at);
    for (int n = 0; n < part->n_nodes; n++) {
        const struct node *node = &part->nodes[n];
        running->at[device][n] = -1;
        if (node->op.kind == OP_SEND || node->op.kind == OP_RECV)
            continue;
        while (i < placed->step.n_nodes && placed->device_of[i] != device)
            i++;
        ck_assert_int_lt(i, placed->step.n_nodes);
        ck_assert_int_eq(node->op.kind, placed->step.nodes[i].op.kind);
        ck_assert_str_eq(node->name, placed->step.nodes[i].name);
        running->at[device][n] = i++;
    }
    for (; i < placed->step.n_nodes; i++)
        ck_assert_int_ne(placed->device_of[i], device);
}

/* What lives over steps lies on the devices that use it. */
static void give_parameters(struct running *running, int device)
{
    const struct graph *part = &running->placed->parts[device], *step = &running->placed->step;
    for (int n = 0; n < part->n_nodes; n++)
        for (int k = 0; running->at[device][n] >= 0 && k < OP_MAX_IN; k++) {
            int here = part->nodes[n].in[k], there = step->nodes[running->at[device][n]].in[k];
            if (here != NO_TENSOR && step->tensors[graph_root(step, there)].role == TENSOR_PARAM)
                memcpy(running->part[device].memory[here], running->whole.memory[there],
                       bytes_of(&running->whole, there));
        }
}

static void run_whole(struct running *running)
{
    const struct graph *step = &running->placed->step;
    running->made = arena_array(running->placed->arena, (size_t)step->n_nodes * OP_MAX_OUT + 1, sizeof(void *));
    for (int i = 0; i < step->n_nodes; i++) {
        run_node(&running->whole, i);
        for (int k = 0; k < OP_MAX_OUT; k++) {
            int t = step->nodes[i].out[k];
            if (t == NO_TENSOR)
                continue;
            void **made = &running->made[i * OP_MAX_OUT + k];
            *made = arena_take(running->placed->arena, bytes_of(&running->whole, t) + 1);
            memcpy(*made, running->whole.memory[t], bytes_of(&running->whole, t));
        }
    }
}

static void running_open(struct running *running, const struct placed *placed, enum number_format format, uint32_t seed)
{
    *running = (struct running){.placed = placed};
    interpreter_open(&running->whole, &placed->step, format);
    low_randomise(&running->whole, &placed->config, seed);
    running->whole.context.learning_rate = 0.01;
    running->letter = arena_array(placed->arena, (size_t)placed->n_messages + 1, sizeof *running->letter);
    for (int d = 0; d < placed->n_devices; d++) {
        interpreter_open(&running->part[d], &placed->parts[d], format);
        running->part[d].context.learning_rate = 0.01;
        match_nodes(running, d);
        give_parameters(running, d);
    }
    run_whole(running);
}

static void running_close(struct running *running)
{
    interpreter_close(&running->whole);
    for (int d = 0; d < running->placed->n_devices; d++)
        interpreter_close(&running->part[d]);
}

static void check_made(const struct running *running, int device, int n)
{
    const struct node *node = &running->placed->parts[device].nodes[n];
    int i = running->at[device][n];
    for (int k = 0; k < OP_MAX_OUT; k++) {
        ck_assert_int_eq(node->out[k] == NO_TENSOR, !running->made[i * OP_MAX_OUT + k]);
        if (node->out[k] == NO_TENSOR)
            continue;
        const struct interpreter *it = &running->part[device];
        ck_assert_msg(
            memcmp(it->memory[node->out[k]], running->made[i * OP_MAX_OUT + k], bytes_of(it, node->out[k])) == 0,
            "node %s on device %d writes another %s", node->name, device, it->graph->tensors[node->out[k]].name);
    }
}

/* 0: waits for a message. */
static int run_part_node(struct running *running, int device)
{
    int n = running->next[device];
    struct interpreter *it = &running->part[device];
    const struct node *node = &it->graph->nodes[n];
    if (node->op.kind == OP_SEND) {
        ck_assert_ptr_null(running->letter[node->channel]);
        running->letter[node->channel] = malloc(bytes_of(it, node->in[0]));
        memcpy(running->letter[node->channel], it->memory[node->in[0]], bytes_of(it, node->in[0]));
    } else if (node->op.kind == OP_RECV) {
        if (!running->letter[node->channel])
            return 0;
        memcpy(it->memory[node->out[0]], running->letter[node->channel], bytes_of(it, node->out[0]));
        free(running->letter[node->channel]);
        running->letter[node->channel] = NULL;
    } else {
        for (int k = 0; node->op.kind == OP_LOAD && k < OP_MAX_OUT; k++)
            if (node->out[k] != NO_TENSOR)
                memcpy(it->memory[node->out[k]], running->made[running->at[device][n] * OP_MAX_OUT + k],
                       bytes_of(it, node->out[k]));
        run_node(it, n);
        check_made(running, device, n);
    }
    running->next[device]++;
    return 1;
}

/* Devices advance in any order, a few nodes at a time. */
static void run_parts(struct running *running, uint32_t seed)
{
    const struct placed *placed = running->placed;
    int left = 0;
    for (int d = 0; d < placed->n_devices; d++)
        left += placed->parts[d].n_nodes;
    for (uint64_t turn = 0; left > 0; turn++) {
        uint32_t order[MAX_DEVICES];
        int moved = 0;
        rng_permutation(rng_key(seed, RNG_TEST, 116), (uint32_t)turn, (uint32_t)placed->n_devices, order);
        for (int k = 0; k < placed->n_devices; k++) {
            int d = (int)order[k], most = 1 + (int)below(seed, 10000 + turn, 30);
            while (most-- && running->next[d] < placed->parts[d].n_nodes && run_part_node(running, d))
                moved++;
        }
        ck_assert_msg(moved > 0, "no device can go on");
        left -= moved;
    }
}

/* i / 2: model; even: as placed, odd: anyhow. Every third in float. */
START_TEST(parts_are_the_whole)
{
    struct placed placed;
    struct running running;
    placed_init(&placed, (uint32_t)_i / 2, _i % 2);
    running_open(&running, &placed, _i % 3 == 0 ? FORMAT_FP32 : FORMAT_FP64, (uint32_t)_i);
    run_parts(&running, (uint32_t)_i);
    for (int c = 0; c < placed.n_messages; c++)
        ck_assert_ptr_null(running.letter[c]);
    running_close(&running);
    arena_free(placed.arena);
}
END_TEST

struct ends {
    int sender, receiver, send, receive; /* devices, nodes */
};

static struct ends *find_ends(const struct placed *placed)
{
    struct ends *ends = arena_array(placed->arena, (size_t)placed->n_messages + 1, sizeof *ends);
    for (int c = 0; c < placed->n_messages; c++)
        ends[c] = (struct ends){-1, -1, -1, -1};
    for (int d = 0; d < placed->n_devices; d++)
        for (int n = 0; n < placed->parts[d].n_nodes; n++) {
            const struct node *node = &placed->parts[d].nodes[n];
            int is_send = node->op.kind == OP_SEND;
            if (!is_send && node->op.kind != OP_RECV)
                continue;
            ck_assert(node->channel >= 0 && node->channel < placed->n_messages);
            struct ends *end = &ends[node->channel];
            ck_assert_int_eq(is_send ? end->sender : end->receiver, -1);
            *(is_send ? &end->sender : &end->receiver) = d;
            *(is_send ? &end->send : &end->receive) = n;
        }
    return ends;
}

START_TEST(every_send_has_its_receive)
{
    struct placed placed;
    placed_init(&placed, (uint32_t)_i / 2, _i % 2);
    const struct ends *ends = find_ends(&placed);
    for (int c = 0; c < placed.n_messages; c++) {
        ck_assert(ends[c].sender >= 0 && ends[c].receiver >= 0 && ends[c].sender != ends[c].receiver);
        const struct graph *from = &placed.parts[ends[c].sender], *to = &placed.parts[ends[c].receiver];
        const struct node *send = &from->nodes[ends[c].send], *receive = &to->nodes[ends[c].receive];
        ck_assert_int_eq(send->peer, ends[c].receiver);
        ck_assert_int_eq(receive->peer, ends[c].sender);
        ck_assert_int_eq(send->op.rows, receive->op.rows);
        ck_assert_int_eq(from->tensors[send->in[0]].elements, send->op.rows);
        ck_assert_int_eq(to->tensors[receive->out[0]].elements, send->op.rows);
        ck_assert_str_eq(from->tensors[send->in[0]].name, to->tensors[receive->out[0]].name);
    }
    if (placed.n_devices > 1)
        ck_assert_int_gt(placed.n_messages, 0);
    arena_free(placed.arena);
}
END_TEST

static int reads(const struct graph *graph, const struct node *node, int t)
{
    for (int k = 0; k < OP_MAX_IN; k++)
        if (graph_overlap(graph, node->in[k], t))
            return 1;
    return node->op.accumulate && graph_overlap(graph, node->out[0], t);
}

static int makes(const struct graph *graph, const struct node *node, int t)
{
    for (int k = 0; k < OP_MAX_OUT; k++)
        if (graph_overlap(graph, node->out[k], t))
            return 1;
    return 0;
}

/* Right after the value was made: between SEND and its maker are only other SENDs. The same memory does not go to the
 * same device again before something writes it anew. */
static void check_send(const struct graph *part, int n)
{
    const struct node *send = &part->nodes[n];
    int maker = n - 1;
    while (maker >= 0 && part->nodes[maker].op.kind == OP_SEND)
        maker--;
    ck_assert_msg(maker >= 0 && makes(part, &part->nodes[maker], send->in[0]), "%s is not sent when it is made",
                  send->name);
    for (int later = n + 1; later < part->n_nodes && !makes(part, &part->nodes[later], send->in[0]); later++) {
        const struct node *other = &part->nodes[later];
        ck_assert_msg(other->op.kind != OP_SEND || other->peer != send->peer ||
                          !graph_overlap(part, other->in[0], send->in[0]),
                      "%s goes to device %d twice", send->name, send->peer);
    }
}

/* Right before the first use: between RECV and a node that reads it are only other RECVs. */
static void check_receive(const struct graph *part, int n)
{
    int user = n + 1;
    while (user < part->n_nodes && part->nodes[user].op.kind == OP_RECV)
        user++;
    ck_assert_msg(user < part->n_nodes && reads(part, &part->nodes[user], part->nodes[n].out[0]),
                  "%s is not received when it is used", part->nodes[n].name);
}

/* Everything but parameters, constants and state is written, in whole, before it is read. */
static void check_written_before(const struct graph *part, int n, int t)
{
    enum tensor_role role = part->tensors[graph_root(part, t)].role;
    if (role == TENSOR_PARAM || role == TENSOR_CONST || role == TENSOR_STATE)
        return;
    int64_t first = graph_offset(part, t), elements = part->tensors[t].elements, written = 0;
    char *seen = calloc((size_t)elements, 1);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < OP_MAX_OUT; k++) {
            int out = part->nodes[i].out[k];
            if (!graph_overlap(part, out, t))
                continue;
            int64_t from = graph_offset(part, out) - first, to = from + part->tensors[out].elements;
            for (int64_t e = from < 0 ? 0 : from; e < to && e < elements; e++) {
                written += !seen[e];
                seen[e] = 1;
            }
        }
    free(seen);
    ck_assert_msg(written == elements, "%s reads %s, of which %lld of %lld elements are written", part->nodes[n].name,
                  part->tensors[t].name, (long long)written, (long long)elements);
}

START_TEST(values_travel_once_and_in_time)
{
    struct placed placed;
    placed_init(&placed, (uint32_t)_i / 2, _i % 2);
    for (int d = 0; d < placed.n_devices; d++) {
        const struct graph *part = &placed.parts[d];
        for (int n = 0; n < part->n_nodes; n++) {
            const struct node *node = &part->nodes[n];
            if (node->op.kind == OP_SEND)
                check_send(part, n);
            if (node->op.kind == OP_RECV)
                check_receive(part, n);
            for (int k = 0; k < OP_MAX_IN; k++)
                if (node->in[k] != NO_TENSOR)
                    check_written_before(part, n, node->in[k]);
            if (node->op.accumulate)
                check_written_before(part, n, node->out[0]);
        }
    }
    arena_free(placed.arena);
}
END_TEST

/* What place.h says of who does what. The optimiser of a parameter works where the parameter is used. */
START_TEST(kinds_of_devices_do_what_they_can)
{
    struct placed placed;
    int losses = 0, loads = 0;
    placed_init(&placed, (uint32_t)_i, 0);
    for (int i = 0; i < placed.step.n_nodes; i++) {
        const struct node *node = &placed.step.nodes[i];
        int d = placed.device_of[i];
        if (place_is_frozen_product(&placed.step, node)) {
            ck_assert_msg(placed.is_reram[d], "%s is not on a reram device", node->name);
            ck_assert_int_eq(node->op.accumulate, 0);
        } else {
            ck_assert_msg(placed.is_systolic[d], "%s is not on a systolic device", node->name);
        }
        if (node->op.kind == OP_LOAD)
            ck_assert_int_eq(d, placed.systolic.device[0]);
        if (node->op.kind == OP_LOSS)
            ck_assert_int_eq(d, placed.systolic.device[placed.systolic.n - 1]);
        losses += node->op.kind == OP_LOSS;
        loads += node->op.kind == OP_LOAD;
    }
    ck_assert_int_eq(losses, placed.n_micro);
    ck_assert_int_eq(loads, placed.n_micro);
    for (int d = 0; d < placed.n_devices; d++)
        ck_assert_int_eq(placed.parts[d].loss_sums != NO_TENSOR, d == placed.systolic.device[placed.systolic.n - 1]);
    arena_free(placed.arena);
}
END_TEST

/* How many times each head of a block is attended to, forward and backward; a group's two on one device. */
static void count_heads(const struct placed *placed, int block, int *forward, int *backward)
{
    const struct graph *step = &placed->step;
    for (int i = 0; i < step->n_nodes; i++) {
        const struct node *node = &step->nodes[i];
        if (node->block != block || op_class(node->op.kind) != CLASS_ATTENTION)
            continue;
        int is_backward = node->op.kind == OP_ATTENTION_BWD, group = 0, qkv = node->in[is_backward];
        int64_t groups = pieces_of(&placed->config)->head_groups, first = 0, heads;
        groups = groups > 1 ? groups : 1;
        for (int s = 0; s < i; s++)
            for (int k = 0; step->nodes[s].op.kind == OP_SPLIT_HEADS && k < OP_MAX_OUT; k++)
                if (step->nodes[s].out[k] == qkv)
                    group = k;
        heads = op_group_heads(family_heads(&placed->config), groups, group, &first);
        ck_assert_int_eq(heads, node->op.heads);
        for (int64_t h = first; h < first + heads; h++)
            (is_backward ? backward : forward)[h]++;
        if (groups > 1)
            ck_assert_int_eq(placed->device_of[i], placed->systolic.device[group % placed->systolic.n]);
    }
}

START_TEST(every_head_has_one_owner)
{
    struct placed placed;
    placed_init(&placed, (uint32_t)_i, 0);
    const int times = placed.n_micro * family_attentions(&placed.config);
    for (int block = 0; block < family_layers(&placed.config); block++) {
        int forward[8] = {0}, backward[8] = {0};
        count_heads(&placed, block, forward, backward);
        for (int64_t h = 0; h < family_heads(&placed.config); h++) {
            ck_assert_int_eq(forward[h], times);
            ck_assert(backward[h] == 0 || backward[h] == times);
        }
    }
    arena_free(placed.arena);
}
END_TEST

/* Consecutive blocks: the device of a block's norms, and of its matrices as wholes, never falls in the crew's order. */
START_TEST(devices_take_consecutive_blocks)
{
    struct placed placed;
    placed_init(&placed, (uint32_t)_i, 0);
    int of_block[3] = {-1, -1, -1};
    for (int i = 0; i < placed.step.n_nodes; i++) {
        const struct node *node = &placed.step.nodes[i];
        if (node->block < 0 || node->op.kind != OP_NORM)
            continue;
        ck_assert(of_block[node->block] < 0 || of_block[node->block] == placed.device_of[i]);
        of_block[node->block] = placed.device_of[i];
    }
    const int64_t layers = family_layers(&placed.config);
    for (int64_t b = 0; b < layers; b++)
        ck_assert_int_eq(of_block[b], placed.systolic.device[b * placed.systolic.n / layers]);
    arena_free(placed.arena);
}
END_TEST

/* Sums apart give the same values as sums within the products, within rounding. */
START_TEST(separate_sums_are_the_same_sums)
{
    const uint32_t seed = (uint32_t)_i;
    struct model_config config = low_family(seed);
    struct arena *arena = arena_new();
    struct graph one, apart;
    struct interpreter a, b;
    int within = 0;
    graph_init(&one, arena);
    graph_init(&apart, arena);
    family_build(&config, 2, 1, 0, &one);
    family_build(&config, 2, 1, 0, &apart);
    autodiff(&one);
    autodiff(&apart);
    place_separate_sums(&apart);
    for (int i = 0; i < one.n_nodes; i++)
        within += place_is_frozen_product(&one, &one.nodes[i]) && one.nodes[i].op.accumulate;
    ck_assert_int_eq(apart.n_nodes, one.n_nodes + within);
    interpreter_open(&a, &one, FORMAT_FP64);
    interpreter_open(&b, &apart, FORMAT_FP64);
    low_randomise(&a, &config, seed);
    copy_values(&b, &a);
    run_all(&a);
    run_all(&b);
    for (int t = 0; t < one.n_tensors; t++) {
        const struct tensor *tensor = &one.tensors[t];
        for (int64_t e = 0; is_trained(tensor) && tensor->grad != NO_TENSOR && e < tensor->elements; e++) {
            double left = interpreter_get(&a, tensor->grad, e), right = interpreter_get(&b, tensor->grad, e);
            ck_assert_double_eq_tol(left, right, 1e-10 * fmax(1, fabs(left)));
        }
    }
    interpreter_close(&a);
    interpreter_close(&b);
    arena_free(arena);
}
END_TEST

/* 0: right. 1: a parameter is trained on one device and used on another. 2: two devices each make a half of what a
 * third one reads. */
static void wrong_case(int which)
{
    struct arena *arena = arena_new();
    struct graph graph, parts[3];
    graph_init(&graph, arena);
    int g = graph_tensor(&graph, TENSOR_GRAD, "g", 1, (int64_t[]){4});
    int half[2] = {graph_view(&graph, g, 0, "g0", 1, (int64_t[]){2}),
                   graph_view(&graph, g, 2, "g1", 1, (int64_t[]){2})};
    int sums = graph_tensor(&graph, TENSOR_GRAD, "sums", 1, (int64_t[]){2});
    int p = graph_tensor(&graph, TENSOR_PARAM, "p", 1, (int64_t[]){4});
    int x = graph_tensor(&graph, TENSOR_ACTIVATION, "x", 1, (int64_t[]){2});
    int y = graph_tensor(&graph, TENSOR_ACTIVATION, "y", 1, (int64_t[]){4});
    struct op fill = {.kind = OP_FILL, .rows = 2}, add = {.kind = OP_ADD, .rows = 2};
    struct op update = {.kind = OP_UPDATE, .rows = 4, .optimiser = OPTIMISER_SGD};
    struct operands out_x = operands_of(0, NULL, 1, &x), out_sums = operands_of(0, NULL, 1, &sums);
    graph_node(&graph, &fill, out_x.in, out_x.out, PHASE_FORWARD, -1, "x");
    graph_node(&graph, &fill, out_sums.in, out_sums.out, PHASE_FORWARD, -1, "sums");
    for (int k = 0; k < 2; k++) {
        struct operands operands = operands_of(2, (int[]){x, x}, 1, &half[k]);
        graph_node(&graph, &add, operands.in, operands.out, PHASE_BACKWARD, -1, "half");
    }
    struct operands operands = operands_of(2, (int[]){g, sums}, 1, &p);
    graph_node(&graph, &update, operands.in, operands.out, PHASE_UPDATE, -1, "update");
    add.rows = 4;
    operands = operands_of(2, (int[]){p, p}, 1, &y);
    graph_node(&graph, &add, operands.in, operands.out, PHASE_FORWARD, -1, "use");
    int device_of[6] = {0, 0, 1, which == 2 ? 0 : 1, 2, which == 1 ? 0 : 2};
    partition(&graph, device_of, 3, arena, parts);
    arena_free(arena);
}

START_TEST(placements_without_sense_are_refused)
{
    ck_assert_int_eq(aborts(wrong_case, 0), 0);
    for (int which = 1; which <= 2; which++)
        ck_assert_msg(aborts(wrong_case, which), "case %d was accepted", which);
}
END_TEST

Suite *suite_partition(void)
{
    Suite *suite = suite_create("partition");
    TCase *tcase = tcase_create("parts"), *places = tcase_create("places");
    tcase_set_timeout(tcase, 60);
    tcase_set_timeout(places, 60);
    tcase_add_loop_test(tcase, parts_are_the_whole, 0, 2 * RANDOM_STEPS);
    tcase_add_loop_test(tcase, every_send_has_its_receive, 0, 2 * RANDOM_STEPS);
    tcase_add_loop_test(tcase, values_travel_once_and_in_time, 0, RANDOM_STEPS);
    tcase_add_test(tcase, placements_without_sense_are_refused);
    tcase_add_loop_test(places, kinds_of_devices_do_what_they_can, 0, RANDOM_STEPS);
    tcase_add_loop_test(places, every_head_has_one_owner, 0, RANDOM_STEPS);
    tcase_add_loop_test(places, devices_take_consecutive_blocks, 0, RANDOM_STEPS);
    tcase_add_loop_test(places, separate_sums_are_the_same_sums, 0, RANDOM_STEPS);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, places);
    return suite;
}
