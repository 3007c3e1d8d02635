#include "report/serving_groups.h"

#include <stddef.h>

#include "report/breakdown.h"
#include "report/result_columns.h"
#include "report/result_private.h"

static const struct columns_axes no_axes = {.n = 0};
static const struct columns_axes by_part = {1, {"part"}, {N_ENERGY_PARTS}};

struct count {
    const char *name, *units, *long_name;
    size_t offset;
};

static uint64_t *count_of(void *record, const struct count *count)
{
    return (uint64_t *)(void *)((char *)record + count->offset);
}

/* A column for each count of n records, `stride` bytes apart. */
static void put_counts(struct columns *c, const struct count *count, size_t n_counts, void *record, size_t stride)
{
    uint64_t *value = arena_array(c->arena, (size_t)c->n + 1, sizeof *value);
    for (size_t k = 0; k < n_counts; k++) {
        for (int64_t i = 0; i < c->n; i++)
            value[i] = *count_of((char *)record + (size_t)i * stride, &count[k]);
        columns_put(c, count[k].name, H5_UINT64, value, count[k].units, count[k].long_name);
    }
}

static void get_counts(struct columns *c, const struct count *count, size_t n_counts, void *record, size_t stride)
{
    for (size_t k = 0; k < n_counts; k++) {
        const uint64_t *value = columns_get(c, count[k].name, H5_UINT64);
        for (int64_t i = 0; value && i < c->n; i++)
            *count_of((char *)record + (size_t)i * stride, &count[k]) = value[i];
    }
}

/* ---- ledgers ---- */

static const struct count host_counts[] = {
    {"count", "1", "transfers over links to the host", offsetof(struct ledger_entry, count)},
    {"busy_ps", "ps", "virtual time of the transfers", offsetof(struct ledger_entry, busy_ps)},
    {"bytes", "byte", "KV swapped or handed over; programs and weights after a loss",
     offsetof(struct ledger_entry, bytes)},
};
enum { N_HOST_COUNTS = sizeof host_counts / sizeof *host_counts };

static void put_host(struct columns *c, const struct serving_devices *devices)
{
    size_t n = (size_t)c->n;
    const char *parts[N_ENERGY_PARTS];
    wide_uint *energy_fj = arena_array(c->arena, n * N_ENERGY_PARTS, sizeof *energy_fj);
    for (int p = 0; p < N_ENERGY_PARTS; p++) {
        parts[p] = energy_part_name((enum energy_part)p);
        for (size_t i = 0; i < n; i++)
            energy_fj[i * N_ENERGY_PARTS + (size_t)p] = devices->host[i].energy_fj[p];
    }
    columns_put_scale(c, 0, "instance");
    columns_put_axis(c, "part", N_ENERGY_PARTS, parts, "where energy goes");
    put_counts(c, host_counts, N_HOST_COUNTS, devices->host, sizeof *devices->host);
    columns_put_energies(c, "energy", &by_part, energy_fj, "energy of the transfers");
}

void serving_write_devices(struct h5 *file, struct arena *arena, const struct serving_summary *summary,
                           const struct serving_devices *devices, struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/device", "device", devices->n);
    struct columns host = columns_of(file, arena, fault, "/host", "instance", devices->n_instances);
    double *share = arena_array(arena, (size_t)devices->n + 1, sizeof *share);
    if (devices->n == 0)
        return;
    for (int d = 0; d < devices->n; d++)
        share[d] = (double)serving_devices_busy_ps(&devices->device[d]) /
                   (double)(summary->end_ps - summary->first_arrival_ps);
    result_write_devices(file, arena, devices->device, devices->n, fault);
    columns_put(&c, "instance", H5_UINT32, devices->instance, "1", "instance that the device belongs to");
    columns_put(&c, "utilisation", H5_FLOAT64, share, "1", "share of the time of the run at work");
    put_host(&host, devices);
}

/* Devices stand instance by instance. */
static void share_out(struct columns *c, const struct serving_devices *devices, struct serving_summary *summary)
{
    const char **name = arena_array(c->arena, (size_t)devices->n + 1, sizeof *name);
    uint64_t *busy_ps = arena_array(c->arena, (size_t)devices->n + 1, sizeof *busy_ps);
    for (int d = 0; d < devices->n; d++) {
        uint32_t i = devices->instance[d];
        if (i >= summary->n_instances || (d > 0 && i < devices->instance[d - 1])) {
            fault_set(c->fault, STATUS_USAGE, "%s: /device/instance: expected numbers of instances in order, found %u",
                      h5_path(c->file), i);
            return;
        }
        struct serving_instance_summary *of = &summary->instance[i];
        name[d] = devices->device[d].name;
        busy_ps[d] = serving_devices_busy_ps(&devices->device[d]);
        if (of->n_devices++ == 0) {
            of->device_name = &name[d];
            of->device_busy_ps = &busy_ps[d];
        }
    }
}

void serving_read_devices(struct h5 *file, struct arena *arena, struct serving_summary *summary,
                          struct serving_devices *devices, struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/device", "device", 0);
    struct columns host = columns_of(file, arena, fault, "/host", "instance", (int64_t)summary->n_instances);
    *devices = (struct serving_devices){.n_instances = (uint32_t)summary->n_instances};
    devices->host = arena_array(arena, summary->n_instances + 1, sizeof *devices->host);
    result_read_devices(file, arena, &devices->n, &devices->device, fault);
    c.n = devices->n;
    if (columns_failed(&c) || c.n == 0)
        return;
    devices->instance = columns_get(&c, "instance", H5_UINT32);
    get_counts(&host, host_counts, N_HOST_COUNTS, devices->host, sizeof *devices->host);
    const wide_uint *energy_fj = columns_get_energies(&host, "energy", &by_part);
    for (size_t i = 0; energy_fj && i < summary->n_instances; i++)
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            devices->host[i].energy_fj[p] = energy_fj[i * N_ENERGY_PARTS + (size_t)p];
    if (!columns_failed(&c))
        share_out(&c, devices, summary);
}

/* ---- what faults have cost each instance ---- */

#define FIELD(name) offsetof(struct serving_recovery, name)
static const struct count recovery_counts[] = {
    {"n_faults", "1", "faults of its devices", FIELD(n_faults)},
    {"n_lost_devices", "1", "devices lost", FIELD(n_lost_devices)},
    {"n_requests", "1", "times that a request lost its KV", FIELD(n_requests)},
    {"lost_tokens", "1", "tokens of KV lost", FIELD(lost_tokens)},
    {"kept_tokens", "1", "tokens of KV kept on the host", FIELD(kept_tokens)},
    {"recomputed_tokens", "1", "tokens of KV computed once more", FIELD(recomputed_tokens)},
    {"stop_ps", "ps", "virtual time in which nothing was computed: noticing, planning, loading", FIELD(stop_ps)},
    {"recompute_ps", "ps", "share, by tokens, of iterations with tokens that are computed once more",
     FIELD(recompute_ps)},
};
#undef FIELD
enum { N_RECOVERY_COUNTS = sizeof recovery_counts / sizeof *recovery_counts };

static void put_recovery(struct columns *c, const struct serving_summary *summary)
{
    size_t n = summary->n_instances;
    struct serving_recovery *each = arena_array(c->arena, n, sizeof *each);
    wide_uint *stop_fj = arena_array(c->arena, n, sizeof *stop_fj);
    wide_uint *again_fj = arena_array(c->arena, n, sizeof *again_fj);
    for (size_t i = 0; i < n; i++) {
        each[i] = summary->instance[i].recovery;
        stop_fj[i] = each[i].stop_energy_fj;
        again_fj[i] = each[i].recompute_energy_fj;
    }
    columns_put_scale(c, 0, "instance");
    put_counts(c, recovery_counts, N_RECOVERY_COUNTS, each, sizeof *each);
    columns_put_energies(c, "stop_energy", &no_axes, stop_fj, "energy of the stops");
    columns_put_energies(c, "recompute_energy", &no_axes, again_fj,
                         "share, by tokens, of the energy of iterations with tokens that are computed once more");
}

static void get_recovery(struct columns *c, struct serving_summary *summary)
{
    struct serving_recovery *each = arena_array(c->arena, (size_t)c->n + 1, sizeof *each);
    get_counts(c, recovery_counts, N_RECOVERY_COUNTS, each, sizeof *each);
    const wide_uint *stop_fj = columns_get_energies(c, "stop_energy", &no_axes);
    const wide_uint *again_fj = columns_get_energies(c, "recompute_energy", &no_axes);
    for (int64_t i = 0; !columns_failed(c) && i < c->n; i++) {
        each[i].stop_energy_fj = stop_fj[i];
        each[i].recompute_energy_fj = again_fj[i];
        summary->instance[i].recovery = each[i];
        served_add_recovery(&summary->recovery, &each[i]);
    }
}

/* ---- each fault ---- */

#define FIELD(name) offsetof(struct serving_fault, name)
static const struct count fault_counts[] = {
    {"at_ps", "ps", "virtual time of the job", FIELD(at_ps)},
    {"virtual_time_ps", "ps", "virtual time at which it showed: between two iterations", FIELD(struck_ps)},
    {"stop_ps", "ps", "from then on nothing was computed for so long", FIELD(stop_ps)},
    {"n_requests", "1", "requests that lost their KV", FIELD(n_requests)},
    {"lost_tokens", "1", "tokens of KV lost", FIELD(lost_tokens)},
    {"kept_tokens", "1", "tokens of KV kept on the host", FIELD(kept_tokens)},
};
#undef FIELD
enum { N_FAULT_COUNTS = sizeof fault_counts / sizeof *fault_counts };

static void put_faults(struct columns *c, const struct serving_faults *faults)
{
    size_t n = (size_t)c->n;
    const char **device = arena_array(c->arena, n, sizeof *device), **kind = arena_array(c->arena, n, sizeof *kind);
    double *factor = arena_array(c->arena, n, sizeof *factor);
    uint32_t *instance = arena_array(c->arena, n, sizeof *instance);
    wide_uint *stop_fj = arena_array(c->arena, n, sizeof *stop_fj);
    for (size_t i = 0; i < n; i++) {
        const struct serving_fault *told = &faults->fault[i];
        device[i] = told->device, kind[i] = told->kind, factor[i] = told->factor;
        instance[i] = told->instance, stop_fj[i] = told->stop_energy_fj;
    }
    columns_put_scale(c, 0, "fault of the emulated hardware, in the order in which they struck");
    columns_put_names(c, "device", device, "device that it struck");
    columns_put_names(c, "kind", kind, "fails, degrades or link-slows");
    columns_put(c, "factor", H5_FLOAT64, factor, "1", "speed that is left; 0: the device failed");
    columns_put(c, "instance", H5_UINT32, instance, "1", "instance that the device belongs to");
    put_counts(c, fault_counts, N_FAULT_COUNTS, faults->fault, sizeof *faults->fault);
    columns_put_energies(c, "stop_energy", &no_axes, stop_fj, "energy of the stop");
}

static void get_faults(struct columns *c, const struct serving_summary *summary, struct serving_faults *faults)
{
    faults->fault = arena_array(c->arena, (size_t)c->n + 1, sizeof *faults->fault);
    const char *const *device = columns_get_names(c, "device"), *const *kind = columns_get_names(c, "kind");
    const double *factor = columns_get(c, "factor", H5_FLOAT64);
    const uint32_t *instance = columns_get(c, "instance", H5_UINT32);
    const wide_uint *stop_fj = columns_get_energies(c, "stop_energy", &no_axes);
    get_counts(c, fault_counts, N_FAULT_COUNTS, faults->fault, sizeof *faults->fault);
    for (int64_t i = 0; !columns_failed(c) && i < c->n; i++) {
        struct serving_fault *told = &faults->fault[i];
        told->device = device[i], told->kind = kind[i], told->factor = factor[i];
        told->instance = instance[i], told->stop_energy_fj = stop_fj[i];
        if (instance[i] >= summary->n_instances)
            fault_set(c->fault, STATUS_USAGE, "%s: /fault/instance: expected one of %zu instances, found %u",
                      h5_path(c->file), summary->n_instances, instance[i]);
    }
    faults->n = columns_failed(c) ? 0 : (int)c->n;
}

void serving_write_faults(struct h5 *file, struct arena *arena, const struct serving_summary *summary,
                          const struct serving_faults *faults, struct fault *fault)
{
    struct columns recovery = columns_of(file, arena, fault, "/recovery", "instance", (int64_t)summary->n_instances);
    struct columns each = columns_of(file, arena, fault, "/fault", "fault", faults->n);
    if (summary->recovery.n_faults)
        put_recovery(&recovery, summary);
    if (faults->n + faults->n_to_come == 0)
        return;
    if (faults->n)
        put_faults(&each, faults);
    else if (!columns_failed(&each))
        h5_make_group(file, "/fault", fault);
    if (!columns_failed(&each))
        h5_set_int(file, "/fault", "to_come", faults->n_to_come, fault);
}

void serving_read_faults(struct h5 *file, struct arena *arena, struct serving_summary *summary,
                         struct serving_faults *faults, struct fault *fault)
{
    struct columns recovery = columns_of(file, arena, fault, "/recovery", "instance", (int64_t)summary->n_instances);
    struct columns each = columns_of(file, arena, fault, "/fault", "fault", 0);
    *faults = (struct serving_faults){.n = 0};
    if (!columns_failed(&each) && h5_exists(file, "/recovery"))
        get_recovery(&recovery, summary);
    if (columns_failed(&each) || !h5_exists(file, "/fault"))
        return;
    columns_find(&each);
    if (each.n)
        get_faults(&each, summary, faults);
    if (!columns_failed(&each))
        h5_get_int(file, "/fault", "to_come", &faults->n_to_come, fault);
}
