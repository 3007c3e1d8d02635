/* order.h - in which order the devices of a step take up its nodes.
 *
 * A graph comes in the order in which it was built: a device then waits for a message although it has other work that
 * is ready, such as weight gradients, updates, or the adapters' branch. Here every device takes, whenever it is free,
 * the ready node with the longest way to the end of the step behind it, messages included (list scheduling by bottom
 * level; Kwok and Ahmad, ACM Computing Surveys 31(4), 1999, section 6). Nodes that touch the same memory, one of them
 * writing, keep their order: values are the same, bit by bit.
 */
#ifndef SCHEDULER_ORDER_H
#define SCHEDULER_ORDER_H

#include <stdint.h>

#include "graph/graph.h"

struct order_request {
    int n_devices;
    const uint64_t *cost_ps; /* [n_nodes] of each node on its device */
    /* Time of a message of `elements` from device to device. */
    uint64_t (*message_ps)(const void *context, int from, int to, int64_t elements);
    const void *context;
};

/* Local. Reorders the graph's nodes and device_of [n_nodes] with them when that ends the step earlier, by a simulation
 * in which a device does one thing at a time and sends messages one after the other; leaves them alone otherwise.
 * Returns the end in ps by this simulation. Deterministic. */
uint64_t order_nodes(struct graph *graph, int *device_of, const struct order_request *request);

#endif
