/* node.c - nodes of a graph: operands and the check of their shapes. */
#include <string.h>

#include "base/status.h"
#include "graph/graph.h"
#include "graph/shape.h"

struct operands no_operands(void)
{
    struct operands none;
    for (int i = 0; i < OP_MAX_IN; i++)
        none.in[i] = NO_TENSOR;
    for (int o = 0; o < OP_MAX_OUT; o++)
        none.out[o] = NO_TENSOR;
    return none;
}

struct operands operands_of(int n_in, const int *in, int n_out, const int *out)
{
    struct operands operands = no_operands();
    if (n_in > OP_MAX_IN || n_out > OP_MAX_OUT)
        bug("a node of %d and %d operands", n_in, n_out);
    for (int i = 0; i < n_in; i++)
        operands.in[i] = in[i];
    for (int o = 0; o < n_out; o++)
        operands.out[o] = out[o];
    return operands;
}

struct node *graph_node(struct graph *graph, const struct op *op, const int *in, const int *out, enum phase phase,
                        int block, const char *name)
{
    shape_check(graph, op, in, out, name);
    struct node node = {.op = *op, .phase = phase, .block = block, .name = arena_string(graph->arena, name)};
    memcpy(node.in, in, sizeof node.in);
    memcpy(node.out, out, sizeof node.out);
    graph->nodes = arena_grown(graph->arena, graph->nodes, (size_t)graph->n_nodes, sizeof node);
    graph->nodes[graph->n_nodes] = node;
    return &graph->nodes[graph->n_nodes++];
}
