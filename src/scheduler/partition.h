/* partition.h - one graph over several devices becomes one graph for each, with the messages between them.
 *
 * A value that a node reads and another device has made is sent once to every device that uses it, right after it was
 * made, and received right before the first use. Parameters, constants and optimiser state lie where they are used.
 * Each device keeps the order of the whole graph, so whoever waits for a message waits for something earlier: no set of
 * devices can lock each other up.
 */
#ifndef SCHEDULER_PARTITION_H
#define SCHEDULER_PARTITION_H

#include "graph/graph.h"

/* Local. device_of[i] is the device of node i. parts[d] (caller's, [n_devices]) become graphs in the arena, without
 * nodes for a device that has none to run; their loss_sums are set where the loss is computed. Returns the number of
 * messages. A trained parameter that two devices use, and a value that two devices have made pieces
 * of, is a bug() of the placement. */
int partition(const struct graph *graph, const int *device_of, int n_devices, struct arena *arena, struct graph *parts);

#endif
