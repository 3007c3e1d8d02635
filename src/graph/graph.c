#include "graph/graph.h"

#include <string.h>

#include "graph/shape.h"

void graph_init(struct graph *graph, struct arena *arena)
{
    memset(graph, 0, sizeof *graph);
    graph->arena = arena;
    graph->loss_sums = graph->params = graph->grads = NO_TENSOR;
}

/* Lists in an arena grow by copying; what they leave behind is small. */
static void *grow(struct arena *arena, void *list, int n, int *max, size_t size)
{
    if (n < *max)
        return list;
    *max = *max ? 2 * *max : 256;
    void *larger = arena_array(arena, (size_t)*max, size);
    if (n)
        memcpy(larger, list, (size_t)n * size);
    return larger;
}

int graph_tensor(struct graph *graph, enum tensor_role role, const char *name, int n_dims, const int64_t *dims)
{
    if (n_dims < 1 || n_dims > TENSOR_MAX_DIMS)
        bug("tensor %s has %d dimensions", name, n_dims);
    graph->tensors = grow(graph->arena, graph->tensors, graph->n_tensors, &graph->max_tensors, sizeof *graph->tensors);
    struct tensor *tensor = &graph->tensors[graph->n_tensors];
    *tensor = (struct tensor){.name = name, .role = role, .n_dims = n_dims, .elements = 1, .base = NO_TENSOR,
                              .grad = NO_TENSOR};
    for (int i = 0; i < n_dims; i++) {
        if (dims[i] < 1 || __builtin_mul_overflow(tensor->elements, dims[i], &tensor->elements))
            bug("dimension %d of tensor %s is %lld", i, name, (long long)dims[i]);
        tensor->dims[i] = dims[i];
    }
    return graph->n_tensors++;
}

int graph_view(struct graph *graph, int base, int64_t offset, const char *name, int n_dims, const int64_t *dims)
{
    int id = graph_tensor(graph, graph->tensors[base].role, name, n_dims, dims);
    struct tensor *view = &graph->tensors[id];
    if (offset < 0 || offset + view->elements > graph->tensors[base].elements)
        bug("view %s lies outside of %s", name, graph->tensors[base].name);
    view->base = base;
    view->offset = offset;
    return id;
}

struct node *graph_node(struct graph *graph, const struct op *op, const int *in, const int *out, enum phase phase, int block,
                        const char *name)
{
    graph->nodes = grow(graph->arena, graph->nodes, graph->n_nodes, &graph->max_nodes, sizeof *graph->nodes);
    struct node *node = &graph->nodes[graph->n_nodes++];
    *node = (struct node){.op = *op, .phase = phase, .block = block, .name = name};
    memcpy(node->in, in, sizeof node->in);
    memcpy(node->out, out, sizeof node->out);
    shape_check(graph, node);
    return node;
}

int graph_find(const struct graph *graph, const char *name)
{
    for (int t = 0; t < graph->n_tensors; t++)
        if (strcmp(graph->tensors[t].name, name) == 0)
            return t;
    return NO_TENSOR;
}

int64_t graph_param_elements(const struct graph *graph, int trainable_only)
{
    int64_t elements = 0;
    for (int t = 0; t < graph->n_tensors; t++) {
        const struct tensor *tensor = &graph->tensors[t];
        if (tensor->role == TENSOR_PARAM && t != graph->params && (tensor->trainable || !trainable_only))
            elements += tensor->elements;
    }
    return elements;
}
