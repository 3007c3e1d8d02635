/* handover.h - the programs that carry a model from the devices that train all of it to those of the low-parameter
 * mode.
 *
 * The first GPU sends every parameter that they need; frozen matrices are programmed into crossbars, the rest lands in
 * memory; adapters start fresh and optimiser state at zero. Adapters that start as a part of their weight are made by
 * the first GPU, which keeps its weights and sends the factors and the rest. A repair after the loss of a device is a
 * handover of those matrices alone that no device holds any more.
 */
#ifndef SCHEDULER_HANDOVER_H
#define SCHEDULER_HANDOVER_H

#include "graph/graph.h"
#include "model/adapted.h"
#include "scheduler/matrices.h"

struct handover {
    const struct graph *full; /* of a training step on device `from` */
    int from;
    const struct graph *low;         /* [n_devices] parts of a step of the low-parameter mode */
    const struct matrices *matrices; /* [n_devices] */
    int n_devices;
    const struct adapter_config *adapter;
    const struct matrices *held; /* [n_devices] matrices that are programmed already: nothing but the others is carried,
                                    adapters and state are left as they are; NULL: everything is */
};

/* Local. parts[d] (caller's, [n_devices]) become graphs in the arena. Parameters and state have the names that the
 * other programs of the device give them. Returns the number of messages. */
int handover_build(const struct handover *handover, struct arena *arena, struct graph *parts);

#endif
