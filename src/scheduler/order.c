#include "scheduler/order.h"

#include <string.h>

#include "base/status.h"

/* Node `before` must end before `after` starts; its value travels when they are on different devices. */
struct edge {
    int before, after;
    int64_t elements; /* of the message, 0: none */
    int next_in, next_out;
};

struct access {
    int node, writes;
    int64_t first, end; /* elements of the root */
    int next;           /* earlier one of the same root */
};

struct ordering {
    struct graph *graph;
    const int *device_of;
    const struct order_request *request;
    struct edge *edges;
    int n_edges;
    int *first_in, *first_out; /* [n_nodes] */
    struct access *accesses;
    int *last_access;  /* [n_tensors] of roots */
    uint64_t *rest_ps; /* [n_nodes] longest way from its start to the end of the step */
};

static int root_of(const struct graph *graph, int t, int64_t *offset)
{
    for (*offset = 0; graph->tensors[t].base != NO_TENSOR; t = graph->tensors[t].base)
        *offset += graph->tensors[t].offset;
    return t;
}

static void add_edge(struct ordering *ordering, int before, int after, int64_t elements)
{
    for (int e = ordering->first_in[after]; e >= 0; e = ordering->edges[e].next_in)
        if (ordering->edges[e].before == before) {
            if (elements > ordering->edges[e].elements)
                ordering->edges[e].elements = elements;
            return;
        }
    ordering->edges =
        arena_grown(ordering->graph->arena, ordering->edges, (size_t)ordering->n_edges, sizeof *ordering->edges);
    struct edge edge = {before, after, elements, ordering->first_in[after], ordering->first_out[before]};
    ordering->first_in[after] = ordering->first_out[before] = ordering->n_edges;
    ordering->edges[ordering->n_edges++] = edge;
}

/* Against the accesses so far; those that a write covers cannot matter to later ones. */
static void add_access(struct ordering *ordering, int node, int tensor, int writes, int *n)
{
    int64_t first;
    const struct graph *graph = ordering->graph;
    int root = root_of(graph, tensor, &first);
    int64_t end = first + graph->tensors[tensor].elements;
    int *link = &ordering->last_access[root];
    while (*link >= 0) {
        struct access *other = &ordering->accesses[*link];
        int conflict = (writes || other->writes) && other->first < end && first < other->end;
        if (conflict && other->node != node)
            add_edge(ordering, other->node, node, other->writes && !writes ? graph->tensors[tensor].elements : 0);
        if (conflict && writes && other->node != node && first <= other->first && other->end <= end)
            *link = other->next;
        else
            link = &other->next;
    }
    ordering->accesses[*n] = (struct access){node, writes, first, end, ordering->last_access[root]};
    ordering->last_access[root] = (*n)++;
}

static void find_edges(struct ordering *ordering)
{
    const struct graph *graph = ordering->graph;
    int n = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        for (int k = 0; k < OP_MAX_IN; k++)
            if (graph->nodes[i].in[k] != NO_TENSOR)
                add_access(ordering, i, graph->nodes[i].in[k], 0, &n);
        for (int o = 0; o < OP_MAX_OUT; o++)
            if (graph->nodes[i].out[o] != NO_TENSOR)
                add_access(ordering, i, graph->nodes[i].out[o], 1, &n);
    }
}

static uint64_t message_ps(const struct ordering *ordering, const struct edge *edge)
{
    if (!edge)
        bug("an edge that is not there");
    int from = ordering->device_of[edge->before], to = ordering->device_of[edge->after];
    if (from == to || edge->elements == 0)
        return 0;
    return ordering->request->message_ps(ordering->request->context, from, to, edge->elements);
}

static void find_rests(struct ordering *ordering)
{
    for (int i = ordering->graph->n_nodes - 1; i >= 0; i--) {
        uint64_t longest_ps = 0;
        for (int e = ordering->first_out[i]; e >= 0; e = ordering->edges[e].next_out) {
            uint64_t ps = message_ps(ordering, &ordering->edges[e]) + ordering->rest_ps[ordering->edges[e].after];
            longest_ps = ps > longest_ps ? ps : longest_ps;
        }
        ordering->rest_ps[i] = ordering->request->cost_ps[i] + longest_ps;
    }
}

/* The course of a step: when devices and their ports are free, when nodes are ready. */
struct course {
    uint64_t *free_ps, *port_free_ps; /* [n_devices] */
    uint64_t *ready_ps;               /* [n_nodes] */
    int *missing;                     /* [n_nodes] nodes that must end before */
    uint64_t end_ps;
};

static struct course begin(const struct ordering *ordering)
{
    size_t n = (size_t)ordering->graph->n_nodes + 1, n_devices = (size_t)ordering->request->n_devices + 1;
    struct arena *arena = ordering->graph->arena;
    struct course course = {arena_array(arena, n_devices, sizeof(uint64_t)),
                            arena_array(arena, n_devices, sizeof(uint64_t)), arena_array(arena, n, sizeof(uint64_t)),
                            arena_array(arena, n, sizeof(int)), 0};
    for (int e = 0; e < ordering->n_edges; e++)
        course.missing[ordering->edges[e].after]++;
    return course;
}

/* A copy from the host has an engine of its own. */
static int uses_device(const struct ordering *ordering, int i)
{
    return ordering->graph->nodes[i].op.kind != OP_LOAD;
}

static uint64_t start_of(const struct ordering *ordering, const struct course *course, int i)
{
    uint64_t free_ps = course->free_ps[ordering->device_of[i]];
    return uses_device(ordering, i) && free_ps > course->ready_ps[i] ? free_ps : course->ready_ps[i];
}

static void run_node(const struct ordering *ordering, struct course *course, int i)
{
    int device = ordering->device_of[i];
    uint64_t end_ps = start_of(ordering, course, i) + ordering->request->cost_ps[i];
    if (uses_device(ordering, i))
        course->free_ps[device] = end_ps;
    course->end_ps = end_ps > course->end_ps ? end_ps : course->end_ps;
    for (int e = ordering->first_out[i]; e >= 0; e = ordering->edges[e].next_out) {
        const struct edge *edge = &ordering->edges[e];
        uint64_t travel_ps = message_ps(ordering, edge), there_ps = end_ps;
        if (travel_ps) {
            uint64_t leave_ps = course->port_free_ps[device] > end_ps ? course->port_free_ps[device] : end_ps;
            there_ps = course->port_free_ps[device] = leave_ps + travel_ps;
        }
        course->missing[edge->after]--;
        if (there_ps > course->ready_ps[edge->after])
            course->ready_ps[edge->after] = there_ps;
    }
}

/* Earliest start first, then the longest rest, then the order in which the graph was built. */
static int is_better(const struct ordering *ordering, const struct course *course, int a, int b)
{
    uint64_t a_ps = start_of(ordering, course, a), b_ps = start_of(ordering, course, b);
    if (a_ps != b_ps)
        return a_ps < b_ps;
    if (ordering->rest_ps[a] != ordering->rest_ps[b])
        return ordering->rest_ps[a] > ordering->rest_ps[b];
    return a < b;
}

static uint64_t list_schedule(const struct ordering *ordering, int *order)
{
    struct course course = begin(ordering);
    int n = ordering->graph->n_nodes, n_ready = 0;
    int *ready = arena_array(ordering->graph->arena, (size_t)n + 1, sizeof *ready);
    for (int i = 0; i < n; i++)
        if (course.missing[i] == 0)
            ready[n_ready++] = i;
    for (int done = 0; done < n; done++) {
        int best = 0;
        for (int r = 1; r < n_ready; r++)
            if (is_better(ordering, &course, ready[r], ready[best]))
                best = r;
        if (n_ready == 0)
            bug("the nodes of a step wait for one another");
        int i = order[done] = ready[best];
        ready[best] = ready[--n_ready];
        run_node(ordering, &course, i);
        for (int e = ordering->first_out[i]; e >= 0; e = ordering->edges[e].next_out)
            if (course.missing[ordering->edges[e].after] == 0)
                ready[n_ready++] = ordering->edges[e].after;
    }
    return course.end_ps;
}

static uint64_t end_as_built(const struct ordering *ordering)
{
    struct course course = begin(ordering);
    for (int i = 0; i < ordering->graph->n_nodes; i++)
        run_node(ordering, &course, i);
    return course.end_ps;
}

static void apply(struct graph *graph, int *device_of, const int *order)
{
    size_t n = (size_t)graph->n_nodes;
    struct node *nodes = arena_array(graph->arena, n + 1, sizeof *nodes);
    int *devices = arena_array(graph->arena, n + 1, sizeof *devices);
    memcpy(nodes, graph->nodes, n * sizeof *nodes);
    memcpy(devices, device_of, n * sizeof *devices);
    for (size_t i = 0; i < n; i++) {
        graph->nodes[i] = nodes[order[i]];
        device_of[i] = devices[order[i]];
    }
}

uint64_t order_nodes(struct graph *graph, int *device_of, const struct order_request *request)
{
    struct arena *arena = graph->arena;
    size_t n = (size_t)graph->n_nodes + 1;
    struct ordering ordering = {.graph = graph, .device_of = device_of, .request = request};
    ordering.first_in = arena_array(arena, n, sizeof(int));
    ordering.first_out = arena_array(arena, n, sizeof(int));
    ordering.accesses = arena_array(arena, n * (OP_MAX_IN + OP_MAX_OUT), sizeof *ordering.accesses);
    ordering.last_access = arena_array(arena, (size_t)graph->n_tensors + 1, sizeof(int));
    ordering.rest_ps = arena_array(arena, n, sizeof(uint64_t));
    for (size_t i = 0; i < n; i++)
        ordering.first_in[i] = ordering.first_out[i] = -1;
    for (int t = 0; t < graph->n_tensors; t++)
        ordering.last_access[t] = -1;
    find_edges(&ordering);
    find_rests(&ordering);
    int *order = arena_array(arena, n, sizeof *order);
    uint64_t built_ps = end_as_built(&ordering), ordered_ps = list_schedule(&ordering, order);
    if (ordered_ps >= built_ps)
        return built_ps;
    apply(graph, device_of, order);
    return ordered_ps;
}
