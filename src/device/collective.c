#include <math.h>
#include <stddef.h>

#include "base/status.h"
#include "device/link_protocol.h"

/* An algorithm on p devices of one level: steps one after the other, bytes through the port of a device, bytes over all
 * links. Both byte counts are in units of the vector. */
struct schedule {
    int available;
    double steps, port, total;
};

enum algorithm { RING, RECURSIVE, HALVING, DIRECT_ONE, DIRECT_TWO, IN_SWITCH, N_ALGORITHMS };

/* One row per algorithm, one column per protocol: the name that the user sees. */
static const char *const names[N_ALGORITHMS][N_PROTOCOLS] = {
    [RING] = {"ring, low latency", "ring, 128-byte lines", "ring, bulk"},
    [RECURSIVE] = {"recursive doubling, low latency", "recursive doubling, 128-byte lines", "recursive doubling, bulk"},
    [HALVING] = {"recursive halving, low latency", "recursive halving, 128-byte lines", "recursive halving, bulk"},
    [DIRECT_ONE] = {"direct one step, low latency", "direct one step, 128-byte lines", "direct one step, bulk"},
    [DIRECT_TWO] = {"direct two steps, low latency", "direct two steps, 128-byte lines", "direct two steps, bulk"},
    [IN_SWITCH] = {"in switch, low latency", "in switch, 128-byte lines", "in switch, bulk"},
};

static const char *const tree_names[N_PROTOCOLS] = {"tree, low latency", "tree, 128-byte lines", "tree, bulk"};
static const char *const hierarchical_names[N_PROTOCOLS] = {"hierarchical, low latency", "hierarchical, 128-byte lines",
                                                            "hierarchical, bulk"};

enum {
    FIRST_TREE = N_ALGORITHMS * N_PROTOCOLS,
    FIRST_HIERARCHICAL = FIRST_TREE + N_PROTOCOLS,
    N_CANDIDATES = FIRST_HIERARCHICAL + N_PROTOCOLS
};

const char *collective_name(enum collective kind)
{
    static const char *const kinds[N_COLLECTIVES] = {"allreduce", "allgather", "reduce-scatter", "broadcast",
                                                     "alltoall"};
    return kinds[kind];
}

static double log2_up(double p)
{
    return ceil(log2(p));
}

static struct schedule allreduce_schedule(const struct link_profile *link, enum algorithm algorithm, double p)
{
    double rounds = log2_up(p), fold = exp2(rounds) == p ? 0.0 : 1.0, whole = fold > 0.0 ? rounds - 1.0 : rounds;
    switch (algorithm) {
    case RING:
        return (struct schedule){1, 2.0 * (p - 1.0), 2.0 * (p - 1.0) / p, 2.0 * (p - 1.0)};
    case RECURSIVE:
        /* Devices beyond a power of two first hand in their vector and get the result at the end. */
        return (struct schedule){link->recursive != 0.0, whole + 2.0 * fold, whole + 2.0 * fold,
                                 exp2(whole) * whole + 2.0 * (p - exp2(whole))};
    case HALVING: {
        double q = exp2(whole);
        return (struct schedule){link->recursive != 0.0, 2.0 * whole + 2.0 * fold, 2.0 * (q - 1.0) / q + 2.0 * fold,
                                 2.0 * (q - 1.0) + 2.0 * (p - q)};
    }
    case DIRECT_ONE:
        return (struct schedule){link->peer_kernels != 0.0, 1.0, p - 1.0, p * (p - 1.0)};
    case DIRECT_TWO:
        return (struct schedule){link->peer_kernels != 0.0, 2.0, 2.0 * (p - 1.0) / p, 2.0 * (p - 1.0)};
    case IN_SWITCH:
        return (struct schedule){link->switch_reduces != 0.0 && p > 2.0, 2.0, 1.0 + 1.0 / p, p + 1.0};
    case N_ALGORITHMS:
        break;
    }
    return (struct schedule){0, 0.0, 0.0, 0.0};
}

/* All-gather and reduce-scatter are mirror images of each other. */
static struct schedule gather_schedule(const struct link_profile *link, enum algorithm algorithm, double p)
{
    struct schedule schedule = {1, p - 1.0, (p - 1.0) / p, p - 1.0};
    if (algorithm == RING)
        return schedule;
    if (algorithm == RECURSIVE) {
        schedule.available = link->recursive != 0.0;
        schedule.steps = log2_up(p);
        return schedule;
    }
    if (algorithm == DIRECT_ONE) {
        schedule.available = link->peer_kernels != 0.0;
        schedule.steps = 1.0;
        return schedule;
    }
    return (struct schedule){0, 0.0, 0.0, 0.0};
}

static struct schedule broadcast_schedule(const struct link_profile *link, enum algorithm algorithm, double p)
{
    if (algorithm == RING) /* in a pipeline, so that the vector passes each port once */
        return (struct schedule){1, p - 1.0, 1.0, p - 1.0};
    if (algorithm == RECURSIVE)
        return (struct schedule){link->recursive != 0.0, log2_up(p), log2_up(p), p - 1.0};
    if (algorithm == HALVING) /* scatter and ring all-gather */
        return (struct schedule){link->recursive != 0.0, log2_up(p) + p - 1.0, 2.0 * (p - 1.0) / p, 2.0 * (p - 1.0)};
    return (struct schedule){0, 0.0, 0.0, 0.0};
}

static struct schedule alltoall_schedule(const struct link_profile *link, enum algorithm algorithm, double p)
{
    if (algorithm == DIRECT_ONE) /* messages are under way at once, in doubling rounds; the port serialises them */
        return (struct schedule){1, log2_up(p), (p - 1.0) / p, p - 1.0};
    if (algorithm == RECURSIVE)
        return (struct schedule){link->recursive != 0.0, log2_up(p), log2_up(p) / 2.0, p * log2_up(p) / 2.0};
    return (struct schedule){0, 0.0, 0.0, 0.0};
}

static struct schedule schedule_of(const struct link_profile *link, enum collective kind, enum algorithm algorithm,
                                   double p)
{
    switch (kind) {
    case COLLECTIVE_ALLREDUCE:
        return allreduce_schedule(link, algorithm, p);
    case COLLECTIVE_ALLGATHER:
    case COLLECTIVE_REDUCE_SCATTER:
        return gather_schedule(link, algorithm, p);
    case COLLECTIVE_BROADCAST:
        return broadcast_schedule(link, algorithm, p);
    case COLLECTIVE_ALLTOALL:
        return alltoall_schedule(link, algorithm, p);
    case N_COLLECTIVES:
        break;
    }
    bug("collective %d is not in the list", (int)kind);
}

static int is_direct(enum algorithm algorithm, enum collective kind)
{
    return (algorithm == DIRECT_ONE || algorithm == DIRECT_TWO) && kind != COLLECTIVE_ALLTOALL;
}

/* An all-reduce of two moves data both ways all the time; the others of two leave ports idle in turns. */
static double port_rate(const struct link_profile *link, enum collective kind, enum algorithm algorithm,
                        const struct protocol *protocol, double p)
{
    if (algorithm == IN_SWITCH)
        return protocol->bytes_per_s / link->efficiency * link->switch_efficiency;
    return protocol->bytes_per_s * (p == 2.0 && kind != COLLECTIVE_ALLREDUCE ? link->pair_share : 1.0);
}

/* Time on one level without the software overhead of the call. */
static double level_ps(const struct link_profile *link, enum collective kind, enum algorithm algorithm,
                       enum protocol_kind protocol_kind, double p, double bytes)
{
    struct protocol protocol = link_protocol(link, protocol_kind);
    struct schedule schedule = schedule_of(link, kind, algorithm, p);
    return protocol.start_ps + schedule.steps * protocol.step_ps +
           1e12 * schedule.port * bytes / port_rate(link, kind, algorithm, &protocol, p);
}

/* All devices in one ring, tree, ... when they share a node or when a node has one device. */
static int flat_candidate(const struct fabric *fabric, enum collective kind, double p, double bytes, unsigned i,
                          const char **algorithm, struct cost *cost)
{
    enum algorithm which = (enum algorithm)(i / N_PROTOCOLS);
    enum protocol_kind protocol = (enum protocol_kind)(i % N_PROTOCOLS);
    const struct link_profile *link = p > fabric->devices_per_node ? &fabric->between : &fabric->inside;
    struct schedule schedule = schedule_of(link, kind, which, p);
    if (!schedule.available)
        return 0;
    /* Peer kernels and switches work on memory in place: no copy protocol to choose. */
    if ((is_direct(which, kind) || which == IN_SWITCH) && protocol != PROTOCOL_BULK)
        return 0;
    double start_ps = (double)link->overhead_ps, time_ps = level_ps(link, kind, which, protocol, p, bytes);
    if (is_direct(which, kind)) {
        start_ps = (double)link->peer_overhead_ps;
        time_ps = schedule.steps * (double)link->latency_ps +
                  1e12 * schedule.port * bytes / (link->bandwidth_bytes_per_s * link->efficiency);
    }
    link_charge(start_ps + time_ps, schedule.total * bytes, 8.0 * schedule.total * bytes * link->fj_per_bit, cost);
    *algorithm = names[which][protocol];
    return 1;
}

static double nodes_of(const struct fabric *fabric, double p)
{
    return ceil(p / fabric->devices_per_node);
}

/* All-reduce along a chain in each node and a binary tree of nodes, in a pipeline: the vector goes up once and down
 * once. */
static int tree_candidate(const struct fabric *fabric, enum collective kind, double p, double bytes,
                          enum protocol_kind protocol, const char **algorithm, struct cost *cost)
{
    double local = fabric->devices_per_node, nodes = nodes_of(fabric, p);
    if (kind != COLLECTIVE_ALLREDUCE || p <= local)
        return 0;
    struct protocol inside = link_protocol(&fabric->inside, protocol),
                    between = link_protocol(&fabric->between, protocol);
    double rate = local > 1.0 ? fmin(inside.bytes_per_s, local * between.bytes_per_s) : between.bytes_per_s;
    double time_ps = between.start_ps + 2.0 * (local - 1.0) * inside.step_ps + 2.0 * log2_up(nodes) * between.step_ps +
                     2e12 * bytes / rate;
    double outer_bytes = 2.0 * (nodes - 1.0) * bytes, inner_bytes = 2.0 * (p - nodes) * bytes;
    link_charge((double)fabric->between.overhead_ps + time_ps, inner_bytes + outer_bytes,
                8.0 * (inner_bytes * fabric->inside.fj_per_bit + outer_bytes * fabric->between.fj_per_bit), cost);
    *algorithm = tree_names[protocol];
    return 1;
}

/* Inside each node first (reduce-scatter), then every device with its peers of the other nodes, then inside again. */
static int hierarchical_candidate(const struct fabric *fabric, enum collective kind, double p, double bytes,
                                  enum protocol_kind protocol, const char **algorithm, struct cost *cost)
{
    double local = fabric->devices_per_node, nodes = nodes_of(fabric, p), share = bytes / local;
    if (p <= local || local < 2.0 || kind == COLLECTIVE_ALLTOALL)
        return 0;
    double passes = kind == COLLECTIVE_ALLREDUCE || kind == COLLECTIVE_BROADCAST ? 2.0 : 1.0;
    double time_ps = passes * level_ps(&fabric->inside, COLLECTIVE_ALLGATHER, RING, protocol, local, bytes) +
                     level_ps(&fabric->between, kind, RING, protocol, nodes, share);
    double inner_bytes = passes * nodes * (local - 1.0) * bytes;
    double outer_bytes = local * schedule_of(&fabric->between, kind, RING, nodes).total * share;
    link_charge((double)fabric->between.overhead_ps + time_ps, inner_bytes + outer_bytes,
                8.0 * (inner_bytes * fabric->inside.fj_per_bit + outer_bytes * fabric->between.fj_per_bit), cost);
    *algorithm = hierarchical_names[protocol];
    return 1;
}

unsigned fabric_collective_candidates(void)
{
    return N_CANDIDATES;
}

int fabric_collective_candidate(const struct fabric *fabric, enum collective kind, unsigned n_devices, uint64_t bytes,
                                unsigned i, const char **algorithm, struct cost *cost)
{
    const char *name = NULL;
    int found = 0;
    if (i < FIRST_TREE)
        found = flat_candidate(fabric, kind, n_devices, (double)bytes, i, &name, cost);
    else if (i < FIRST_HIERARCHICAL)
        found =
            tree_candidate(fabric, kind, n_devices, (double)bytes, (enum protocol_kind)(i - FIRST_TREE), &name, cost);
    else if (i < N_CANDIDATES)
        found = hierarchical_candidate(fabric, kind, n_devices, (double)bytes,
                                       (enum protocol_kind)(i - FIRST_HIERARCHICAL), &name, cost);
    if (found && algorithm)
        *algorithm = name;
    return found;
}

void fabric_collective_cost(const struct fabric *fabric, enum collective kind, unsigned n_devices, uint64_t bytes,
                            const char **algorithm, struct cost *cost)
{
    if (n_devices < 2 || bytes == 0 || fabric->devices_per_node == 0)
        bug("collective of %u devices and %llu bytes", n_devices, (unsigned long long)bytes);
    int found = 0;
    for (unsigned i = 0; i < N_CANDIDATES; i++) {
        const char *name;
        struct cost candidate;
        if (!fabric_collective_candidate(fabric, kind, n_devices, bytes, i, &name, &candidate))
            continue;
        if (found && candidate.time_ps >= cost->time_ps)
            continue;
        found = 1;
        *cost = candidate;
        if (algorithm)
            *algorithm = name;
    }
    if (!found)
        bug("collective %s has no algorithm", collective_name(kind));
}
