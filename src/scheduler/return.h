/* return.h - the programs that bring a model back from the devices of the low-parameter mode to the GPUs.
 *
 * What those devices trained in place of the GPUs replaces it; what they trained beside a frozen weight W, the adapter
 * alpha / width * B A, is multiplied out on the systolic device that owns it, sent, and added to W, which the GPUs have
 * kept since the handover (without what the adapters started as, when that was a part of W). Optimiser state of the
 * GPUs starts at zero again.
 *
 * The first GPU receives; each GPU passes on to the next what has arrived, piece by piece, and adds for itself. All of
 * them end with the same bytes. In virtual time that is the cheapest of the ways there are: GPUs that each receive from
 * the systolic device share its one sending port and the bridge (PCIe 4: a tenth of NVLink 3), and a first GPU that
 * sends to all others sends n - 1 times where the chain sends once, all links at a time.
 */
#ifndef SCHEDULER_RETURN_H
#define SCHEDULER_RETURN_H

#include "graph/graph.h"

struct way_back {
    const struct graph *full; /* of a training step on a GPU */
    const int *gpu;           /* [n_gpus] devices, in the order in which weights are passed on */
    int n_gpus;
    const struct graph *low; /* [n_devices] parts of a step of the low-parameter mode */
    int n_devices;
    double scale; /* alpha / width of the adapters */
    int svd;      /* they started as a part of their weight */
};

/* Local. parts[d] (caller's, [n_devices]) become graphs in the arena. Parameters and state have the names that the
 * other programs of the device give them. Returns the number of messages. An adapter beside a weight that the full
 * model does not have is a bug(). Source of the merged weight: Hu et al. 2021, arXiv 2106.09685, section 4.1. */
int return_build(const struct way_back *way_back, struct arena *arena, struct graph *parts);

#endif
