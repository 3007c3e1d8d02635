/* autodiff.h - reverse-mode differentiation of a graph, on the graph. */
#ifndef GRAPH_AUTODIFF_H
#define GRAPH_AUTODIFF_H

#include "graph/graph.h"

/* Local. Appends the backward ops of everything between the LOSS node and the trainable parameters, in reverse order.
 * A parameter that is not trainable gets no gradient and no weight-gradient op; a tensor above which nothing is
 * trainable gets no gradient at all. A tensor used several times has its gradient accumulated in the order in which
 * autodiff meets the uses. Gradients are of the loss sum, not of the mean (LOSS in kernel/op.h). The graph must hold
 * exactly one LOSS node with dy. */
void autodiff(struct graph *graph);

#endif
