/* The group /device of a result, of training and of serving: both directions side by side, so that they stay alike. */
#include <inttypes.h>

#include "report/breakdown.h"
#include "report/result_columns.h"
#include "report/result_private.h"

static const struct columns_axes no_axes = {.n = 0};
static const struct columns_axes by_class = {1, {"class"}, {N_KERNEL_CLASSES}};
static const struct columns_axes by_class_and_part = {2, {"class", "part"}, {N_KERNEL_CLASSES, N_ENERGY_PARTS}};

static void name_axes(const char **classes, const char **parts)
{
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        classes[c] = kernel_class_name(c);
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        parts[p] = energy_part_name(p);
}

/* ---- writing ---- */

static void put_names(struct columns *c, const struct run_device *device)
{
    const char **names[3], *classes[N_KERNEL_CLASSES], *parts[N_ENERGY_PARTS];
    for (int i = 0; i < 3; i++)
        names[i] = arena_array(c->arena, (size_t)c->n, sizeof **names);
    for (int64_t d = 0; d < c->n; d++) {
        names[0][d] = device[d].name;
        names[1][d] = device[d].kind;
        names[2][d] = device[d].profile;
    }
    name_axes(classes, parts);
    columns_put_name_scale(c, names[0], "emulated device");
    columns_put_names(c, "kind", names[1], "kind of device");
    columns_put_names(c, "profile", names[2], "entry in the device catalogue");
    columns_put_axis(c, "class", N_KERNEL_CLASSES, classes, "kernel class");
    columns_put_axis(c, "part", N_ENERGY_PARTS, parts, "where in the device energy goes");
}

static void put_counts(struct columns *c, const struct run_device *device)
{
    uint64_t *values = arena_array(c->arena, (size_t)c->n * N_KERNEL_CLASSES, sizeof *values);
    for (int f = 0; f < RESULT_CLASS_FIELDS; f++) {
        const struct result_field *field = result_class_field(f);
        for (int64_t d = 0; d < c->n; d++) {
            struct ledger ledger = device[d].ledger;
            for (int k = 0; k < N_KERNEL_CLASSES; k++)
                values[d * N_KERNEL_CLASSES + k] = *result_class_value(&ledger, f, k);
        }
        columns_put_table(c, field->name, &by_class, H5_UINT64, values, field->units, field->long_name);
    }
    for (int f = 0; f < RESULT_DEVICE_FIELDS; f++) {
        const struct result_field *field = result_device_field(f);
        for (int64_t d = 0; d < c->n; d++) {
            struct run_device copy = device[d];
            values[d] = *result_device_value(&copy, f);
        }
        columns_put(c, field->name, H5_UINT64, values, field->units, field->long_name);
    }
    for (int64_t d = 0; d < c->n; d++)
        values[d] = (uint64_t)device[d].node;
    columns_put(c, "node", H5_UINT64, values, "1", "node of the cluster");
}

static void put_energies(struct columns *c, const struct run_device *device)
{
    size_t n = (size_t)c->n, i = 0;
    wide_uint *energy_fj = arena_array(c->arena, n * N_KERNEL_CLASSES * N_ENERGY_PARTS, sizeof *energy_fj);
    wide_uint *wait_fj = arena_array(c->arena, n, sizeof *wait_fj);
    wide_uint *idle_fj = arena_array(c->arena, n, sizeof *idle_fj);
    for (size_t d = 0; d < n; d++) {
        const struct ledger *ledger = &device[d].ledger;
        wait_fj[d] = ledger->wait_energy_fj;
        idle_fj[d] = ledger->idle_energy_fj;
        for (int k = 0; k < N_KERNEL_CLASSES; k++)
            for (int p = 0; p < N_ENERGY_PARTS; p++)
                energy_fj[i++] = ledger->entry[k].energy_fj[p];
    }
    columns_put_energies(c, "energy", &by_class_and_part, energy_fj, "energy of instructions");
    columns_put_energies(c, "wait_energy", &no_axes, wait_fj, "stand-by energy while waiting");
    columns_put_energies(c, "idle_energy", &no_axes, idle_fj, "stand-by energy while idle");
}

void result_write_devices(struct h5 *file, struct arena *arena, const struct run_device *device, int n,
                          struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/device", "device", n);
    if (n == 0)
        return;
    put_names(&c, device);
    put_counts(&c, device);
    put_energies(&c, device);
}

/* ---- reading ---- */

static void get_names(struct columns *c, struct run_device *device)
{
    const char *classes[N_KERNEL_CLASSES], *parts[N_ENERGY_PARTS];
    name_axes(classes, parts);
    columns_check_axis(c, "class", N_KERNEL_CLASSES, classes);
    columns_check_axis(c, "part", N_ENERGY_PARTS, parts);
    const char *const *names = columns_get_names(c, "device"), *const *kinds = columns_get_names(c, "kind");
    const char *const *profiles = columns_get_names(c, "profile");
    for (int64_t d = 0; !columns_failed(c) && d < c->n; d++) {
        device[d].name = names[d];
        device[d].kind = kinds[d];
        device[d].profile = profiles[d];
    }
}

static void get_counts(struct columns *c, struct run_device *device)
{
    for (int f = 0; f < RESULT_CLASS_FIELDS; f++) {
        const uint64_t *values = columns_get_table(c, result_class_field(f)->name, &by_class, H5_UINT64);
        for (int64_t d = 0; values && d < c->n; d++)
            for (int k = 0; k < N_KERNEL_CLASSES; k++)
                *result_class_value(&device[d].ledger, f, k) = values[d * N_KERNEL_CLASSES + k];
    }
    for (int f = 0; f < RESULT_DEVICE_FIELDS; f++) {
        const char *name = result_device_field(f)->name;
        if (f >= RESULT_DEVICE_FIELDS_FIRST && !h5_exists(c->file, arena_printf(c->arena, "/device/%s", name)))
            continue;
        const uint64_t *values = columns_get(c, name, H5_UINT64);
        for (int64_t d = 0; values && d < c->n; d++)
            *result_device_value(&device[d], f) = values[d];
    }
    const uint64_t *node = columns_get(c, "node", H5_UINT64);
    for (int64_t d = 0; node && d < c->n; d++)
        device[d].node = (int)node[d];
}

static void get_energies(struct columns *c, struct run_device *device)
{
    const wide_uint *energy_fj = columns_get_energies(c, "energy", &by_class_and_part);
    const wide_uint *wait_fj = columns_get_energies(c, "wait_energy", &no_axes);
    const wide_uint *idle_fj = columns_get_energies(c, "idle_energy", &no_axes);
    for (int64_t d = 0; !columns_failed(c) && d < c->n; d++) {
        struct ledger *ledger = &device[d].ledger;
        ledger->wait_energy_fj = wait_fj[d];
        ledger->idle_energy_fj = idle_fj[d];
        for (int k = 0; k < N_KERNEL_CLASSES; k++)
            for (int p = 0; p < N_ENERGY_PARTS; p++)
                ledger->entry[k].energy_fj[p] = *energy_fj++;
    }
}

/* What a table of shares needs; a damaged file must not become a bug. */
static void check_times(struct columns *c, const struct run_device *device)
{
    const struct ledger *ledger = &device->ledger;
    wide_uint sum_ps = (wide_uint)ledger->idle_ps + ledger->off_ps;
    for (int k = 0; k < N_KERNEL_CLASSES; k++)
        sum_ps += (wide_uint)ledger->compute_ps[k] + ledger->wait_ps[k];
    if (!columns_failed(c) && sum_ps != ledger->end_ps)
        fault_set(c->fault, STATUS_USAGE, "%s: /device: the times of %s do not sum to the run's %" PRIu64 " ps",
                  h5_path(c->file), device->name, ledger->end_ps);
}

void result_read_devices(struct h5 *file, struct arena *arena, int *n, struct run_device **device, struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/device", "device", 0);
    columns_find(&c);
    *n = (int)c.n;
    if (c.n == 0)
        return;
    *device = arena_array(arena, (size_t)c.n, sizeof **device);
    get_names(&c, *device);
    get_counts(&c, *device);
    get_energies(&c, *device);
    for (int64_t d = 0; d < c.n && !columns_failed(&c); d++)
        check_times(&c, &(*device)[d]);
}
