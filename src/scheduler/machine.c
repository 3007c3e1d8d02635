#include "scheduler/machine.h"

#include <string.h>

#include "device/catalogue.h"

enum number_format machine_format(const struct job *job)
{
    for (int f = 0; f < N_NUMBER_FORMATS; f++)
        if (strcmp(job->placement.numerics, number_format_name((enum number_format)f)) == 0)
            return (enum number_format)f;
    bug("number format %s", job->placement.numerics);
}

static enum status find_link(const struct cluster *cluster, const char *key, const char *name,
                             struct link_profile *link, struct fault *fault)
{
    const struct link_profile *profile = name ? catalogue_link(name) : NULL;
    if (!name)
        return fault_set(fault, STATUS_USAGE,
                         "%s: links.%s: expected a link profile, since devices talk over it, found none",
                         cluster->source, key);
    if (!profile)
        return fault_set(fault, STATUS_USAGE, "%s: links.%s: unknown link profile '%s': polyrank devices lists them",
                         cluster->source, key, name);
    *link = *profile;
    return STATUS_OK;
}

static int is_gpu(const char *kind)
{
    return strcmp(kind, "gpu") == 0;
}

/* Devices that are GPUs, or are not; *per_node: how many share a node, by their first entry. */
static int64_t count_devices(const struct cluster *cluster, int gpus, int64_t *per_node)
{
    int64_t n = 0;
    *per_node = 0;
    for (int i = 0; i < cluster->n_devices; i++) {
        if (is_gpu(cluster->device[i].kind) != gpus)
            continue;
        if (n == 0)
            *per_node = cluster->device[i].per_node;
        n += cluster->device[i].count;
    }
    if (*per_node <= 0)
        *per_node = n;
    return n;
}

/* The links of devices that are not GPUs. */
static enum status open_stack(const struct cluster *cluster, struct machine *machine, struct fault *fault)
{
    int64_t per_node, others = count_devices(cluster, 0, &per_node), gpus = count_devices(cluster, 1, &per_node);
    const char *bridge = cluster->links.bridge ? cluster->links.bridge : cluster->links.host;
    enum status status = STATUS_OK;
    if (others > 1)
        status = find_link(cluster, "stack", cluster->links.stack, &machine->stack, fault);
    if (others > 0 && gpus > 0 && status == STATUS_OK)
        status = find_link(cluster, "bridge", bridge, &machine->bridge, fault);
    return status;
}

const struct link_profile *machine_link(const struct machine *machine, int from, int to)
{
    int gpus = is_gpu(machine->specs[from].kind) + is_gpu(machine->specs[to].kind);
    return gpus == 2 ? &machine->fabric.inside : gpus == 1 ? &machine->bridge : &machine->stack;
}

/* A link that no device uses need not be named. */
static enum status open_fabric(const struct cluster *cluster, struct fabric *fabric, struct fault *fault)
{
    int64_t per_node, n = count_devices(cluster, 1, &per_node);
    enum status status = STATUS_OK;
    fabric->devices_per_node = (unsigned)per_node;
    if (n > 1 && per_node > 1)
        status = find_link(cluster, "inside", cluster->links.inside, &fabric->inside, fault);
    if (n > per_node && status == STATUS_OK)
        status = find_link(cluster, "between", cluster->links.between, &fabric->between, fault);
    return status;
}

static void fill_spec(const struct job *job, const struct cluster_device *device, int number, struct arena *arena,
                      struct device_spec *spec)
{
    int64_t per_node = device->per_node > 0 ? device->per_node : device->count;
    *spec = (struct device_spec){
        .name = arena_printf(arena, "%s%d", device->kind, number),
        .kind = device->kind,
        .profile = device->profile,
        .host_link = job->cluster.links.host,
        .node = (int)(number / per_node),
        .memory_bytes = (uint64_t)device->memory_bytes,
        .memory_bytes_per_s = device->memory_bytes_per_s,
        .peak_flop_per_s = device->peak_flop_per_s,
        .tdp_w = device->tdp_w,
        .format = machine_format(job),
        .fused_attention = strcmp(job->placement.attention_kernel, "fused") == 0,
    };
}

/* Devices of a kind so far: they are numbered kind by kind (gpu0, gpu1, reram0). */
static int count_of_kind(const struct machine *machine, const char *kind)
{
    int n = 0;
    for (int d = 0; d < machine->n_devices - 1; d++)
        n += strcmp(machine->specs[d].kind, kind) == 0;
    return n;
}

enum status machine_open(const struct job *job, struct arena *arena, struct machine *machine, struct fault *fault)
{
    const struct cluster *cluster = &job->cluster;
    int64_t per_node;
    size_t n = (size_t)(count_devices(cluster, 0, &per_node) + count_devices(cluster, 1, &per_node));
    memset(machine, 0, sizeof *machine);
    machine->specs = arena_array(arena, n, sizeof *machine->specs);
    machine->backends = arena_array(arena, n, sizeof *machine->backends);
    machine->states = arena_array(arena, n, sizeof *machine->states);
    enum status status = open_fabric(cluster, &machine->fabric, fault);
    if (status == STATUS_OK)
        status = open_stack(cluster, machine, fault);
    for (int i = 0; i < cluster->n_devices && status == STATUS_OK; i++) {
        const struct device *backend = device_find(cluster->device[i].kind);
        if (!backend)
            return fault_set(fault, STATUS_USAGE, "%s: devices[%d].kind: expected gpu, found '%s'", cluster->source, i,
                             cluster->device[i].kind);
        for (int64_t k = 0; k < cluster->device[i].count && status == STATUS_OK; k++) {
            int d = machine->n_devices++;
            fill_spec(job, &cluster->device[i], count_of_kind(machine, cluster->device[i].kind), arena,
                      &machine->specs[d]);
            machine->backends[d] = backend;
            status = backend->open(&machine->specs[d], arena, &machine->states[d], fault);
            if (status != STATUS_OK)
                fault_prefix(fault, "%s: devices[%d]", cluster->source, i);
        }
    }
    return status;
}
