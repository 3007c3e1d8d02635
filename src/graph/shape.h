/* shape.h - do a node's tensors have the shapes that its op tells? */
#ifndef GRAPH_SHAPE_H
#define GRAPH_SHAPE_H

#include "graph/graph.h"

/* Local. A mismatch is a bug() of the model that built the node: the message names node, operand, elements expected and found. */
void shape_check(const struct graph *graph, const struct node *node);

#endif
