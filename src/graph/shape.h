/* shape.h - checks a node's operands against its op: private to this room. */
#ifndef GRAPH_SHAPE_H
#define GRAPH_SHAPE_H

#include "graph/graph.h"

/* Local. A missing, superfluous or misshapen operand, or one that the op would overwrite while it reads it, is a bug()
 * that names node and tensor. Presence and shapes are those listed in kernel/op.h: a matrix [T, C] is any tensor of T *
 * C elements whose last dimension is C. */
void shape_check(const struct graph *graph, const struct op *op, const int *in, const int *out, const char *name);

#endif
