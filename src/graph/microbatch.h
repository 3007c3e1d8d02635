/* microbatch.h - a step on a few samples becomes a step on several times as many, micro-batch by micro-batch.
 *
 * Parameters and constants stay one; everything that a micro-batch makes exists once for each. The gradients of
 * trainable parameters and the loss sums are added up in the order of the micro-batches. Devices that each run a part
 * of the stack can then work at the same time on different micro-batches (GPipe: Huang et al. 2019, arXiv 1811.06965,
 * section 2.2).
 */
#ifndef GRAPH_MICROBATCH_H
#define GRAPH_MICROBATCH_H

#include "graph/graph.h"

/* Local. `from` is a graph for `samples` samples after autodiff and before graph_add_update. Fills `to` (graph_init'ed
 * by this function in the arena) with n copies. stage[i] is the stage of node i, not falling with i: the nodes of one
 * stage are run through for the first micro-batch, then for the second, ... before the next stage begins, so a device
 * that runs one stage gets its micro-batches in turn. Returns, in the arena, for each node of `to` the node of `from`
 * that it was made from; the additions at the end stand for the last node that wrote what they add to. */
int *graph_microbatches(const struct graph *from, int n, int64_t samples, const int *stage, struct arena *arena,
                        struct graph *to);

#endif
