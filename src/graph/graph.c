#include "graph/graph.h"

#include <string.h>

#include "base/status.h"

void graph_init(struct graph *graph, struct arena *arena)
{
    *graph = (struct graph){.arena = arena, .loss_sums = NO_TENSOR, .params = NO_TENSOR, .grads = NO_TENSOR};
}

int graph_tensor(struct graph *graph, enum tensor_role role, const char *name, int n_dims, const int64_t *dims)
{
    if (n_dims < 1 || n_dims > TENSOR_MAX_DIMS)
        bug("tensor %s has %d dimensions", name, n_dims);
    struct tensor tensor = {
        .name = arena_string(graph->arena, name),
        .role = role,
        .n_dims = n_dims,
        .elements = 1,
        .base = NO_TENSOR,
        .grad = NO_TENSOR,
    };
    for (int i = 0; i < n_dims; i++) {
        tensor.dims[i] = dims[i];
        if (dims[i] < 1 || __builtin_mul_overflow(tensor.elements, dims[i], &tensor.elements))
            bug("tensor %s: dimension %d is %lld", name, i, (long long)dims[i]);
    }
    graph->tensors = arena_grown(graph->arena, graph->tensors, (size_t)graph->n_tensors, sizeof tensor);
    graph->tensors[graph->n_tensors] = tensor;
    return graph->n_tensors++;
}

int graph_view(struct graph *graph, int base, int64_t offset, const char *name, int n_dims, const int64_t *dims)
{
    int view = graph_tensor(graph, graph->tensors[base].role, name, n_dims, dims);
    struct tensor *tensor = &graph->tensors[view];
    if (offset < 0 || offset + tensor->elements > graph->tensors[base].elements)
        bug("view %s: elements %lld to %lld of %s, which has %lld", name, (long long)offset,
            (long long)(offset + tensor->elements), graph->tensors[base].name,
            (long long)graph->tensors[base].elements);
    tensor->base = base;
    tensor->offset = offset;
    return view;
}

int graph_root(const struct graph *graph, int tensor)
{
    while (graph->tensors[tensor].base != NO_TENSOR)
        tensor = graph->tensors[tensor].base;
    return tensor;
}

int64_t graph_offset(const struct graph *graph, int tensor)
{
    int64_t offset = 0;
    for (; graph->tensors[tensor].base != NO_TENSOR; tensor = graph->tensors[tensor].base)
        offset += graph->tensors[tensor].offset;
    return offset;
}

int graph_overlap(const struct graph *graph, int a, int b)
{
    if (a == NO_TENSOR || b == NO_TENSOR || graph_root(graph, a) != graph_root(graph, b))
        return 0;
    int64_t a_first = graph_offset(graph, a), b_first = graph_offset(graph, b);
    return a_first < b_first + graph->tensors[b].elements && b_first < a_first + graph->tensors[a].elements;
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
        int whole = tensor->base == NO_TENSOR || graph->tensors[tensor->base].is_block;
        if (tensor->role == TENSOR_PARAM && !tensor->is_block && whole && (tensor->trainable || !trainable_only))
            elements += tensor->elements;
    }
    return elements;
}
