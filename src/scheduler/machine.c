#include "scheduler/machine.h"

#include <inttypes.h>
#include <string.h>

#include "device/catalogue.h"

static enum number_format format_of(const char *name)
{
    for (int f = 0; f < N_NUMBER_FORMATS; f++)
        if (strcmp(name, number_format_name((enum number_format)f)) == 0)
            return (enum number_format)f;
    bug("number format %s", name);
}

enum number_format machine_format(const struct job *job)
{
    return format_of(job->placement.numerics);
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

/* The kind that trains data-parallel: GPUs where there are any, else the first. */
static const char *leading_kind(const struct cluster *cluster)
{
    for (int i = 0; i < cluster->n_devices; i++)
        if (is_gpu(cluster->device[i].kind))
            return cluster->device[i].kind;
    return cluster->device[0].kind;
}

/* Devices of the leading kind, or the others; *per_node: how many share a node, by their first entry. */
static int64_t count_devices(const struct cluster *cluster, int leading, int64_t *per_node)
{
    const char *kind = leading_kind(cluster);
    int64_t n = 0;
    *per_node = 0;
    for (int i = 0; i < cluster->n_devices; i++) {
        if ((strcmp(cluster->device[i].kind, kind) == 0) != leading)
            continue;
        if (n == 0)
            *per_node = cluster->device[i].per_node;
        n += cluster->device[i].count;
    }
    if (*per_node <= 0)
        *per_node = n;
    return n;
}

/* The links of the other devices: between them, and to the leading ones. */
static enum status open_stack(const struct cluster *cluster, struct machine *machine, struct fault *fault)
{
    int64_t per_node, others = count_devices(cluster, 0, &per_node);
    const char *bridge = cluster->links.bridge ? cluster->links.bridge : cluster->links.host;
    enum status status = STATUS_OK;
    if (others > 1)
        status = find_link(cluster, "stack", cluster->links.stack, &machine->stack, fault);
    if (others > 0 && status == STATUS_OK)
        status = find_link(cluster, "bridge", bridge, &machine->bridge, fault);
    return status;
}

const char *machine_leading_kind(const struct machine *machine)
{
    for (int d = 0; d < machine->n_devices; d++)
        if (is_gpu(machine->specs[d].kind))
            return machine->specs[d].kind;
    return machine->specs[0].kind;
}

const struct link_profile *machine_link(const struct machine *machine, int from, int to)
{
    const char *kind = machine_leading_kind(machine);
    int leading = (strcmp(machine->specs[from].kind, kind) == 0) + (strcmp(machine->specs[to].kind, kind) == 0);
    if (leading < 2)
        return leading == 1 ? &machine->bridge : &machine->stack;
    return machine->specs[from].node == machine->specs[to].node ? &machine->fabric.inside : &machine->fabric.between;
}

/* A link that no device uses need not be named. */
static enum status open_fabric(const struct cluster *cluster, struct fabric *fabric, struct fault *fault)
{
    int64_t per_node, n = count_devices(cluster, 1, &per_node);
    enum status status = STATUS_OK;
    fabric->devices_per_node = (unsigned)per_node;
    if (n > 1 && per_node > 1)
        status = find_link(cluster, "inside", cluster->links.inside, &fabric->inside, fault);
    if (n > per_node && status == STATUS_OK && !cluster->links.between)
        return fault_set(fault, STATUS_USAGE,
                         "%s: links.between: expected a link profile, since the %" PRId64
                         " devices of kind %s are in nodes of %" PRId64
                         ", as many as their first entry has in one; per_node: %" PRId64
                         " in each of their entries puts all of them in one node, found none",
                         cluster->source, n, leading_kind(cluster), per_node, n);
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
        .launch_s = device->launch_s,
        .idle_w = device->idle_w,
        .format = device->numerics ? format_of(device->numerics) : machine_format(job),
        .stores_format = job->placement.stores_format,
        .fused_attention =
            strcmp(device->attention_kernel ? device->attention_kernel : job->placement.attention_kernel, "fused") == 0,
        .dataflow = device->dataflow,
        .memory_mode = device->memory_mode,
        .array_rows = device->array_rows,
        .array_cols = device->array_cols,
        .overlap_weights = device->overlap_weights,
        .stacks = device->stacks,
        .power_limit = device->power_limit,
        .cells = {.fidelity = device->fidelity,
                  .mapping = device->mapping,
                  .tiles = (int)device->tiles,
                  .weight_bits = (int)device->weight_bits,
                  .input_bits = (int)device->input_bits,
                  .error_bits = (int)device->error_bits,
                  .cell_bits = (int)device->cell_bits,
                  .adc_bits = (int)device->adc_bits,
                  .write_verify = device->write_verify,
                  .program_noise = device->program_noise,
                  .read_noise = device->read_noise,
                  .stuck_low = device->stuck_low,
                  .stuck_high = device->stuck_high,
                  .drift = device->drift,
                  .adc_range = device->adc_range,
                  .endurance = device->endurance},
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

/* Tensors are doubles on all devices or on none; what only a systolic array has, no other kind takes. */
static enum status check_device(const struct job *job, int i, struct fault *fault)
{
    const struct cluster *cluster = &job->cluster;
    const struct cluster_device *device = &cluster->device[i];
    int is_fp64 = machine_format(job) == FORMAT_FP64;
    if (device->numerics && (format_of(device->numerics) == FORMAT_FP64) != is_fp64)
        return fault_set(fault, STATUS_USAGE,
                         "%s: devices[%d].numerics: expected %s, because the job's are %s, found '%s'", cluster->source,
                         i, is_fp64 ? "fp64" : "another format than fp64", job->placement.numerics, device->numerics);
    if (strcmp(device->kind, systolic_device.kind) == 0)
        return STATUS_OK;
    const char *key = device->dataflow          ? "dataflow"
                      : device->memory_mode     ? "memory_mode"
                      : device->array_rows > 0  ? "array_rows"
                      : device->array_cols > 0  ? "array_cols"
                      : device->overlap_weights ? "overlap_weights"
                                                : NULL;
    if (key)
        return fault_set(fault, STATUS_USAGE,
                         "%s: devices[%d].%s: expected with kind systolic only, found with kind %s", cluster->source, i,
                         key, device->kind);
    return STATUS_OK;
}

static enum status check_kernels(const struct job *job, int i, struct fault *fault)
{
    const struct cluster_device *device = &job->cluster.device[i];
    if (device->attention_kernel && !is_gpu(device->kind) && strcmp(device->kind, systolic_device.kind) != 0)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: devices[%d].attention_kernel: expected with kind gpu or systolic only, found with kind %s",
            job->cluster.source, i, device->kind);
    if (device->launch_s <= 0 || is_gpu(device->kind))
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "%s: devices[%d].launch_s: expected with kind gpu only, found with kind %s",
                     job->cluster.source, i, device->kind);
}

/* Errors of cells are those of analog ones alone. */
static enum status check_errors(const struct job *job, int i, struct fault *fault)
{
    const struct cluster_device *device = &job->cluster.device[i];
    const char *fidelity = device->fidelity ? device->fidelity : "quantized";
    const char *key = device->program_noise > 0 ? "program_noise"
                      : device->read_noise > 0  ? "read_noise"
                      : device->stuck_low > 0   ? "stuck_low"
                      : device->stuck_high > 0  ? "stuck_high"
                      : device->drift > 0       ? "drift"
                                                : NULL;
    if (!key || strcmp(fidelity, "analog") == 0)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE,
                     "%s: devices[%d].%s: expected with fidelity analog only, or 0, found with fidelity %s%s",
                     job->cluster.source, i, key, fidelity, device->fidelity ? "" : " (the default)");
}

/* What only cells have, no other kind takes. */
static enum status check_cells(const struct job *job, int i, struct fault *fault)
{
    const struct cluster_device *device = &job->cluster.device[i];
    if (strcmp(device->kind, reram_device.kind) == 0)
        return check_errors(job, i, fault);
    const char *key = device->fidelity             ? "fidelity"
                      : device->mapping            ? "mapping"
                      : device->tiles > 0          ? "tiles"
                      : device->weight_bits > 0    ? "weight_bits"
                      : device->input_bits > 0     ? "input_bits"
                      : device->error_bits > 0     ? "error_bits"
                      : device->cell_bits > 0      ? "cell_bits"
                      : device->adc_bits > 0       ? "adc_bits"
                      : device->program_noise >= 0 ? "program_noise"
                      : device->read_noise >= 0    ? "read_noise"
                      : device->stuck_low >= 0     ? "stuck_low"
                      : device->stuck_high >= 0    ? "stuck_high"
                      : device->drift >= 0         ? "drift"
                      : device->adc_range >= 0     ? "adc_range"
                      : device->endurance > 0      ? "endurance"
                      : device->write_verify       ? "write_verify"
                                                   : NULL;
    if (key)
        return fault_set(fault, STATUS_USAGE, "%s: devices[%d].%s: expected with kind reram only, found with kind %s",
                         job->cluster.source, i, key, device->kind);
    return STATUS_OK;
}

/* What only HBM with processing units has, no other kind takes. */
static enum status check_stacks(const struct job *job, int i, struct fault *fault)
{
    const struct cluster_device *device = &job->cluster.device[i];
    const char *key = device->stacks > 0 ? "stacks" : device->power_limit >= 0 ? "power_limit" : NULL;
    if (!key || strcmp(device->kind, hbm_pim_device.kind) == 0)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "%s: devices[%d].%s: expected with kind hbm-pim only, found with kind %s",
                     job->cluster.source, i, key, device->kind);
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
    machine->lost = arena_array(arena, n, sizeof *machine->lost);
    enum status status = open_fabric(cluster, &machine->fabric, fault);
    if (status == STATUS_OK)
        status = open_stack(cluster, machine, fault);
    for (int i = 0; i < cluster->n_devices && status == STATUS_OK; i++) {
        const struct device *backend = device_find(cluster->device[i].kind);
        if (!backend)
            return fault_set(fault, STATUS_USAGE,
                             "%s: devices[%d].kind: expected gpu, reram, systolic, hbm-pim or cpu, found '%s'",
                             cluster->source, i, cluster->device[i].kind);
        status = check_device(job, i, fault);
        if (status == STATUS_OK)
            status = check_cells(job, i, fault);
        if (status == STATUS_OK)
            status = check_kernels(job, i, fault);
        if (status == STATUS_OK)
            status = check_stacks(job, i, fault);
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
