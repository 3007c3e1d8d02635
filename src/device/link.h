/* link.h - the physics of links between devices: one message, and collectives over a fabric of two levels.
 *
 * A message costs software overhead, wire latency and bytes over bandwidth; small ones use a low-latency protocol with
 * a fraction of the bandwidth, large ones a bulk protocol with a start-up time. A collective is the cheapest of the
 * algorithms and protocols that the library has. Congestion beyond the port of a device is not modelled. docs/gpu.md
 * section 5.
 */
#ifndef DEVICE_LINK_H
#define DEVICE_LINK_H

#include <stdint.h>

#include "base/cost.h"

/* The constants of a link, seen from one device. X(type, field, unit, meaning) */
#define LINK_CONSTANTS(X)                                                                                              \
    X(double, bandwidth_bytes_per_s, "byte/s", "bandwidth of a device in one direction, all its links")                \
    X(double, efficiency, "1", "share of it that large transfers reach")                                               \
    X(double, pair_share, "1", "share of that when two devices gather, scatter or exchange")                           \
    X(double, message_efficiency, "1", "share of the bandwidth that one large message reaches")                        \
    X(double, links_per_device, "1", "physical links of a device (the bandwidth is that of all)")                      \
    X(uint64_t, overhead_ps, "ps", "software time of one operation: call, kernel launch, completion")                  \
    X(uint64_t, latency_ps, "ps", "one way through wires and switch")                                                  \
    X(uint64_t, small_step_ps, "ps", "software time of a step with the low-latency protocol (flags inside the data)")  \
    X(double, small_share, "1", "bandwidth of the low-latency protocol as a share of bulk")                            \
    X(uint64_t, medium_start_ps, "ps", "start of the 128-byte-line protocol")                                          \
    X(uint64_t, medium_step_ps, "ps", "software time of a step with it")                                               \
    X(double, medium_share, "1", "its bandwidth as a share of bulk")                                                   \
    X(uint64_t, bulk_start_ps, "ps", "start of the bulk protocol")                                                     \
    X(uint64_t, bulk_step_ps, "ps", "software time of a step with it")                                                 \
    X(double, switch_reduces, "1", "1: the switch adds up data on the way (all-reduce of more than two devices)")      \
    X(double, switch_efficiency, "1", "share of the bandwidth that in-switch all-reduce reaches")                      \
    X(double, recursive, "1", "1: the library has recursive doubling, halving and binomial algorithms")                \
    X(double, peer_kernels, "1", "1: one- and two-step all-reduce through peer memory is available")                   \
    X(uint64_t, peer_overhead_ps, "ps", "its time without data")                                                       \
    X(double, fj_per_bit, "fJ/bit", "energy of a bit from device to device")

struct link_profile {
#define X(type, field, unit, meaning) type field;
    LINK_CONSTANTS(X)
#undef X
};

enum collective {
    COLLECTIVE_ALLREDUCE,
    COLLECTIVE_ALLGATHER,
    COLLECTIVE_REDUCE_SCATTER,
    COLLECTIVE_BROADCAST,
    COLLECTIVE_ALLTOALL,
    N_COLLECTIVES
};

/* Devices in nodes: `inside` a node, `between` nodes (each device has its own port to both). */
struct fabric {
    struct link_profile inside, between;
    unsigned devices_per_node;
};

/* Local. "allreduce", "allgather", "reduce-scatter", "broadcast", "alltoall". */
const char *collective_name(enum collective kind);

/* Local. One message from one device to another. cost->bytes = bytes, energy in ENERGY_LINK. 0 bytes is a bug. */
void link_transfer_cost(const struct link_profile *link, uint64_t bytes, struct cost *cost);

/* Local. A collective of n_devices >= 2 devices that fill nodes in order, each device with a vector of `bytes`:
 * all-reduce and broadcast the vector itself; all-gather and reduce-scatter the whole (gathered, to be scattered)
 * vector; all-to-all the vector of n_devices equal pieces. *algorithm (may be NULL) becomes the chosen algorithm and
 * protocol, a constant text. Time of all together; energy and bytes summed over all participants. 0 bytes or 1 device
 * is a bug. Source of the step and byte counts: Thakur, Rabenseifner, Gropp, IJHPCA 19(1), 2005. */
void fabric_collective_cost(const struct fabric *fabric, enum collective kind, unsigned n_devices, uint64_t bytes,
                            const char **algorithm, struct cost *cost);

/* Local. The i-th candidate of the collective's algorithms and protocols: 1 and its cost, or 0 when there is none with
 * this number or it is not available here. For tests: the chosen one is the cheapest. */
int fabric_collective_candidate(const struct fabric *fabric, enum collective kind, unsigned n_devices, uint64_t bytes,
                                unsigned i, const char **algorithm, struct cost *cost);

/* Local. How many candidates there are at most. */
unsigned fabric_collective_candidates(void);

#endif
