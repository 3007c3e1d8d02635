#include "scheduler/matrices.h"

#include <string.h>

#include "base/status.h"
#include "scheduler/place.h"

static struct matrix describe(const struct graph *part, const struct node *node)
{
    int t = node->in[1];
    struct matrix matrix = {.out = node->op.out, .in = node->op.in};
    int64_t elements = part->tensors[t].elements;
    int root = graph_root(part, t);
    matrix.offset = graph_offset(part, t);
    matrix.name = part->tensors[root].name;
    matrix.site = part->tensors[root].init_place * 256 + (uint32_t)(matrix.offset / elements);
    return matrix;
}

static int find(const struct matrices *matrices, const struct matrix *matrix)
{
    for (int m = 0; m < matrices->n; m++)
        if (matrices->matrix[m].offset == matrix->offset && strcmp(matrices->matrix[m].name, matrix->name) == 0)
            return m;
    return -1;
}

static enum status fit(const struct machine *machine, int device, int64_t replicas, struct matrices *matrices,
                       struct fault *fault)
{
    const char *name = machine->specs[device].name;
    unsigned long long needed = matrices->units_needed, total = matrices->units_total;
    if (needed > total)
        return fault_set(
            fault, STATUS_USAGE,
            "%s needs %llu crossbars for its %d matrices, found %llu: give it more tiles, or add devices of "
            "its kind",
            name, needed, matrices->n, total);
    matrices->replicas = needed ? (int64_t)(total / needed) : 1;
    if (replicas > matrices->replicas)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: placement.replicas: expected at most %lld copies of its matrices, which take %llu of %llu "
            "crossbars, found %lld",
            name, (long long)matrices->replicas, needed, total, (long long)replicas);
    if (replicas > 0)
        matrices->replicas = replicas;
    matrices->fits = 1;
    return STATUS_OK;
}

enum status matrices_find(const struct machine *machine, int device, const struct graph *part, int64_t replicas,
                          struct arena *arena, struct matrices *matrices, struct fault *fault)
{
    const struct device *backend = machine->backends[device];
    memset(matrices, 0, sizeof *matrices);
    matrices->matrix = arena_array(arena, (size_t)part->n_nodes + 1, sizeof *matrices->matrix);
    for (int i = 0; i < part->n_nodes; i++) {
        if (!place_is_frozen_product(part, &part->nodes[i]))
            continue;
        struct matrix matrix = describe(part, &part->nodes[i]);
        if (find(matrices, &matrix) >= 0)
            continue;
        if (!backend->units_needed)
            bug("%s holds no matrices", machine->specs[device].name);
        matrix.units = backend->units_needed(machine->states[device], matrix.out, matrix.in);
        matrices->units_needed += matrix.units;
        matrices->matrix[matrices->n++] = matrix;
    }
    matrices->fits = matrices->n == 0;
    if (matrices->fits)
        return STATUS_OK;
    matrices->units_total = backend->units_total(machine->states[device]);
    return fit(machine, device, replicas, matrices, fault);
}

int matrices_find_same(const struct matrices *matrices, const struct matrix *matrix)
{
    int m = find(matrices, matrix);
    return m >= 0 && matrices->matrix[m].out == matrix->out && matrices->matrix[m].in == matrix->in ? m : -1;
}

int matrices_of(const struct matrices *matrices, const struct graph *part, const struct node *node)
{
    struct matrix matrix = describe(part, node);
    int m = find(matrices, &matrix);
    if (m < 0)
        bug("%s multiplies with %s, which its device does not hold", node->name, matrix.name);
    return m;
}

void matrices_number(const struct matrices *matrices, struct graph *part)
{
    for (int i = 0; i < part->n_nodes; i++) {
        struct node *node = &part->nodes[i];
        if (!place_is_frozen_product(part, node))
            continue;
        node->op.matrix = matrices_of(matrices, part, node);
        node->op.replicas = matrices->replicas;
        node->op.site = matrices->matrix[node->op.matrix].site;
    }
}
