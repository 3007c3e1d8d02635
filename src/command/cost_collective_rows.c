/* cost_collective_rows.c - rows of collectives and messages between GPUs. */
#include <string.h>

#include "command/cost_row.h"
#include "device/catalogue.h"

/* Systems whose fabric is in the catalogue. */
static const struct system {
    const char *name, *inside, *between;
} systems[] = {
    {"a100_sxm", "nvlink3", "ib-hdr"}, {"a100_dgx", "nvlink3", "ib-hdr"}, {"h100_sxm", "nvlink4", "ib-ndr"},
    {"h200_sxm", "nvlink4", "ib-ndr"}, {"h100_dgx", "nvlink4", "ib-ndr"},
};

static const char *outside_reason(const char *system, struct arena *arena)
{
    if (strstr(system, "pairwise"))
        return arena_printf(arena, "%s: NVLink between pairs only is not in the catalogue", system);
    return arena_printf(arena, "%s: not in the catalogue", system);
}

static int collective_of(const char *op, enum collective *kind)
{
    static const char *const names[N_COLLECTIVES] = {"all_reduce", "all_gather", "reduce_scatter", "broadcast",
                                                     "alltoall"};
    for (int i = 0; i < N_COLLECTIVES; i++)
        if (strcmp(op, names[i]) == 0) {
            *kind = (enum collective)i;
            return 1;
        }
    return 0;
}

static enum condition_id condition_of_row(const char *system, const char *impl, int is_message, int crosses)
{
    if (strstr(impl, "eager"))
        return strncmp(system, "a100", 4) == 0 ? CONDITION_EAGER_A100 : CONDITION_EAGER_HOPPER;
    if (strncmp(impl, "custom", 6) == 0)
        return CONDITION_PEER;
    if (strcmp(impl, "nccl(torch)") != 0)
        return CONDITION_PLAIN;
    if (crosses && strncmp(system, "a100", 4) == 0)
        return is_message ? CONDITION_CLOUD_MESSAGE : CONDITION_CLOUD_REDUCE;
    if (is_message)
        return CONDITION_PLAIN;
    return strncmp(system, "a100", 4) == 0 ? CONDITION_TORCH_REDUCE : CONDITION_TORCH_REDUCE_HOPPER;
}

static struct fabric fabric_under(const struct system *system, double devices_per_node, enum condition_id condition)
{
    const struct condition *how = condition_of(condition);
    struct fabric fabric = {*catalogue_link(system->inside), *catalogue_link(system->between),
                            (unsigned)devices_per_node};
    fabric.inside.peer_kernels = how->peer;
    if (how->slow_network > 0.0)
        fabric.between.efficiency = fabric.between.message_efficiency = how->slow_network / devices_per_node;
    return fabric;
}

static enum status sizes(const struct table *table, size_t row, double size[3], struct fault *fault)
{
    static const char *const columns[] = {"num_gpus", "gpus_per_node", "bytes"};
    for (int i = 0; i < 3; i++) {
        enum status status = table_number(table, row, columns[i], &size[i], fault);
        if (status != STATUS_OK)
            return status;
        if (size[i] < 1.0 || size[i] > 1e15)
            return fault_set(fault, STATUS_USAGE, "%s:%zu: %s: expected 1 or more, found '%s'", table->path,
                             table->lines[row], columns[i], table_cell(table, row, columns[i]));
    }
    return STATUS_OK;
}

enum status cost_row_collectives(const struct table *table, size_t row, struct cost_row *result, struct arena *arena,
                                 struct fault *fault)
{
    double size[3];
    enum status status = sizes(table, row, size, fault);
    if (status != STATUS_OK)
        return status;
    const char *name = table_cell(table, row, "system"), *op = table_cell(table, row, "op"),
               *impl = table_cell(table, row, "impl");
    const struct system *system = NULL;
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        if (strcmp(systems[i].name, name) == 0)
            system = &systems[i];
    if (!system) {
        cost_row_outside(result, outside_reason(name, arena));
        return STATUS_OK;
    }
    int is_message = strcmp(op, "send_recv") == 0, crosses = size[0] > size[1];
    enum collective kind;
    if ((!is_message && !collective_of(op, &kind)) || size[0] < 2.0) {
        cost_row_failed(result, arena_printf(arena, "%s of %g devices is not known", op, size[0]));
        return STATUS_OK;
    }
    enum condition_id condition = condition_of_row(name, impl, is_message, crosses);
    struct fabric fabric = fabric_under(system, size[1], condition);
    struct cost cost;
    if (is_message)
        link_transfer_cost(crosses ? &fabric.between : &fabric.inside, (uint64_t)size[2], &cost);
    else
        fabric_collective_cost(&fabric, kind, (unsigned)size[0], (uint64_t)size[2], NULL, &cost);
    result->device = crosses ? system->between : system->inside;
    const char *software = strstr(impl, "eager")              ? ", peer, torch"
                           : strncmp(impl, "custom", 6) == 0  ? ", peer"
                           : strcmp(impl, "nccl(torch)") == 0 ? ", torch"
                                                              : "";
    cost_row_priced(result, arena_printf(arena, "%s%s", op, software), condition, cost.time_ps);
    return STATUS_OK;
}
