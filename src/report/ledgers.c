#include "report/ledgers.h"

#include <inttypes.h>
#include <string.h>

#include "base/unit.h"
#include "report/breakdown.h"
#include "report/table.h"

/* One breakdown of all devices together and of each. */
struct view {
    const struct run_devices *devices;
    const char *quantity, *share;      /* names of the columns of all devices */
    struct breakdown all, *device;     /* [n_devices] */
    uint64_t (*tenths)[BREAKDOWN_MAX]; /* [n_devices] shares of each device */
    uint64_t all_tenths[BREAKDOWN_MAX];
    uint64_t thousandths[BREAKDOWN_MAX]; /* of the column unit, all devices */
    struct column_unit unit;
};

struct ledger ledgers_host(const struct run_devices *devices)
{
    struct ledger ledger = {.end_ps = 0};
    ledger.entry[CLASS_HOST_COPY] = devices->host;
    return ledger;
}

static void open_view(struct view *view, const struct run_devices *devices,
                      void (*break_down)(const struct ledger *ledger, struct breakdown *breakdown), struct arena *arena)
{
    size_t n = (size_t)devices->n;
    memset(view, 0, sizeof *view);
    view->devices = devices;
    view->device = arena_array(arena, n, sizeof *view->device);
    view->tenths = arena_array(arena, n, sizeof *view->tenths);
    for (size_t d = 0; d < n; d++) {
        break_down(&devices->device[d].ledger, &view->device[d]);
        apportion_percent(view->device[d].value, view->device[d].n, view->tenths[d]);
        breakdown_add(&view->all, &view->device[d]);
    }
    const struct ledger host = ledgers_host(devices);
    struct breakdown links;
    break_down(&host, &links);
    breakdown_add(&view->all, &links);
    apportion_percent(view->all.value, view->all.n, view->all_tenths);
}

/* The column of absolute numbers: `whole` split as the parts of all devices are. */
static void set_column(struct view *view, struct column_unit unit, wide_uint whole)
{
    view->unit = unit;
    apportion(view->all.value, view->all.n, column_thousandths(whole, unit), view->thousandths);
}

static void extremes(const struct view *view, int part, uint64_t *min, uint64_t *max)
{
    *min = *max = view->tenths[0][part];
    for (int d = 1; d < view->devices->n; d++) {
        if (view->tenths[d][part] < *min)
            *min = view->tenths[d][part];
        if (view->tenths[d][part] > *max)
            *max = view->tenths[d][part];
    }
}

static int has_columns(const struct run_devices *devices)
{
    return devices->n <= LEDGERS_MAX_COLUMNS;
}

static struct text_table *open_table(const struct view *view, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "part", NULL);
    text_table_column(table, ALIGN_RIGHT, view->quantity, view->unit.name);
    text_table_column(table, ALIGN_RIGHT, view->share, "%");
    if (view->devices->n > 1 && has_columns(view->devices))
        for (int d = 0; d < view->devices->n; d++)
            text_table_column(table, ALIGN_RIGHT, view->devices->device[d].name, "%");
    if (!has_columns(view->devices)) {
        text_table_column(table, ALIGN_RIGHT, "least", "%");
        text_table_column(table, ALIGN_RIGHT, "most", "%");
    }
    return table;
}

static void add_part(struct text_table *table, const struct view *view, int part)
{
    text_table_row(table);
    text_table_cell(table, "%s", view->all.name[part]);
    text_table_thousandths(table, view->thousandths[part]);
    text_table_percent(table, view->all_tenths[part]);
    if (view->devices->n > 1 && has_columns(view->devices))
        for (int d = 0; d < view->devices->n; d++)
            text_table_percent(table, view->tenths[d][part]);
    if (!has_columns(view->devices)) {
        uint64_t min, max;
        extremes(view, part, &min, &max);
        text_table_percent(table, min);
        text_table_percent(table, max);
    }
}

static void add_total(struct text_table *table, const struct view *view)
{
    uint64_t sum = 0;
    for (int i = 0; i < view->all.n; i++)
        sum += view->thousandths[i];
    text_table_rule(table);
    text_table_row(table);
    text_table_cell(table, "total");
    text_table_thousandths(table, sum);
    text_table_percent_total(table, view->all_tenths, view->all.n);
    if (view->devices->n > 1 && has_columns(view->devices))
        for (int d = 0; d < view->devices->n; d++)
            text_table_percent_total(table, view->tenths[d], view->all.n);
}

static void print_view(FILE *out, const struct view *view, struct arena *arena)
{
    struct text_table *table = open_table(view, arena);
    for (int i = 0; i < view->all.n; i++)
        if (view->all.value[i])
            add_part(table, view, i);
    add_total(table, view);
    text_table_print(table, out, TABLE_WIDTH);
}

static void print_time(FILE *out, const struct run_devices *devices, struct arena *arena)
{
    struct view view;
    open_view(&view, devices, breakdown_time, arena);
    set_column(&view, time_unit(devices->end_ps), devices->end_ps);
    fprintf(out, "\nVirtual time of the compute engine%s\n",
            has_columns(devices) ? "" : ": shares of each device, least, mean and most over devices");
    view.quantity = devices->n > 1 ? "mean time" : "time";
    view.share = devices->n > 1 ? "mean" : "share";
    print_view(out, &view, arena);
}

static void print_energy(FILE *out, const struct run_devices *devices, const char *title,
                         void (*break_down)(const struct ledger *ledger, struct breakdown *breakdown),
                         struct arena *arena)
{
    struct view view;
    open_view(&view, devices, break_down, arena);
    wide_uint whole_fj = breakdown_sum(&view.all);
    set_column(&view, energy_unit(whole_fj), whole_fj);
    fprintf(out, "\n%s%s%s\n", title, devices->n > 1 ? ", all devices" : "",
            devices->host.count ? " and links to the host"
            : devices->n > 1    ? "; shares of each device's energy"
                                : "");
    view.quantity = "energy";
    view.share = devices->n > 1 ? "all" : "share";
    print_view(out, &view, arena);
}

/* Devices of one kind and profile, told in one row when there are many. */
struct group {
    const struct run_device *first;
    int n;
    uint64_t memory_bytes;
    wide_uint busy_ps, energy_fj;
};

static uint64_t busy_ps(const struct ledger *ledger)
{
    uint64_t sum_ps = 0;
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        sum_ps += ledger->compute_ps[c];
    return sum_ps;
}

static int is_alike(const struct run_device *a, const struct run_device *b)
{
    return strcmp(a->kind, b->kind) == 0 && strcmp(a->profile, b->profile) == 0;
}

static int find_groups(const struct run_devices *devices, struct group *group)
{
    int n = 0;
    for (int d = 0; d < devices->n; d++) {
        const struct run_device *device = &devices->device[d];
        int g = n;
        for (int i = 0; !has_columns(devices) && i < n; i++)
            if (is_alike(group[i].first, device))
                g = i;
        if (g == n)
            group[n++] = (struct group){.first = device};
        group[g].n++;
        group[g].busy_ps += busy_ps(&device->ledger);
        group[g].energy_fj += ledger_energy_fj(&device->ledger);
        if (device->memory_bytes > group[g].memory_bytes)
            group[g].memory_bytes = device->memory_bytes;
    }
    return n;
}

static void group_row(struct text_table *table, const struct run_devices *devices, const struct group *group,
                      uint64_t tenths, uint64_t thousandths)
{
    char text[64];
    const struct run_device *device = group->first;
    text_table_row(table);
    if (has_columns(devices))
        text_table_cell(table, "%s", device->name);
    else
        text_table_cell(table, "%d x %s", group->n, device->kind);
    text_table_cell(table, "%s", device->profile);
    text_table_cell(table, "%s", unit_show(text, sizeof text, UNIT_BYTES, (double)group->memory_bytes));
    text_table_cell(table, "%s", unit_show(text, sizeof text, UNIT_BYTES, (double)device->capacity_bytes));
    text_table_cell(table, "%.1f",
                    devices->end_ps ? 100.0 * (double)group->busy_ps / ((double)devices->end_ps * group->n) : 0.0);
    text_table_thousandths(table, thousandths);
    text_table_percent(table, tenths);
}

static void device_columns(struct text_table *table, const struct run_devices *devices, struct column_unit unit)
{
    text_table_column(table, ALIGN_LEFT, has_columns(devices) ? "device" : "devices", NULL);
    text_table_column(table, ALIGN_LEFT, "profile", NULL);
    text_table_column(table, ALIGN_RIGHT, has_columns(devices) ? "memory" : "most memory", NULL);
    text_table_column(table, ALIGN_RIGHT, "capacity", NULL);
    text_table_column(table, ALIGN_RIGHT, "busy", "%");
    text_table_column(table, ALIGN_RIGHT, "energy", unit.name);
    text_table_column(table, ALIGN_RIGHT, "energy", "%");
}

static void device_total(struct text_table *table, uint64_t thousandths, const uint64_t *tenths, int n)
{
    text_table_rule(table);
    text_table_row(table);
    text_table_cell(table, "total");
    for (int i = 0; i < 4; i++)
        text_table_cell(table, "%s", "");
    text_table_thousandths(table, thousandths);
    text_table_percent_total(table, tenths, n);
}

/* Of links to the host only the energy has a column. */
static void host_row(struct text_table *table, uint64_t tenths, uint64_t thousandths)
{
    text_table_row(table);
    text_table_cell(table, "links to the host");
    for (int i = 0; i < 4; i++)
        text_table_cell(table, "%s", "");
    text_table_thousandths(table, thousandths);
    text_table_percent(table, tenths);
}

static void print_devices(FILE *out, const struct run_devices *devices, struct arena *arena)
{
    size_t max = (size_t)devices->n + 1;
    struct group *group = arena_array(arena, max, sizeof *group);
    int n = find_groups(devices, group), n_rows = n + (devices->host.count > 0);
    wide_uint *energy_fj = arena_array(arena, max, sizeof *energy_fj), whole_fj = run_devices_energy_fj(devices);
    uint64_t *tenths = arena_array(arena, max, sizeof *tenths), *parts = arena_array(arena, max, sizeof *parts);
    for (int g = 0; g < n; g++)
        energy_fj[g] = group[g].energy_fj;
    energy_fj[n] = run_entry_energy_fj(&devices->host);
    struct column_unit unit = energy_unit(whole_fj);
    apportion_percent(energy_fj, n_rows, tenths);
    apportion(energy_fj, n_rows, column_thousandths(whole_fj, unit), parts);
    struct text_table *table = text_table_new(arena);
    device_columns(table, devices, unit);
    for (int g = 0; g < n; g++)
        group_row(table, devices, &group[g], tenths[g], parts[g]);
    if (n_rows > n)
        host_row(table, tenths[n], parts[n]);
    if (n_rows > 1)
        device_total(table, column_thousandths(whole_fj, unit), tenths, n_rows);
    fprintf(out, "\nDevices\n");
    text_table_print(table, out, TABLE_WIDTH);
}

void ledgers_print(FILE *out, const struct run_devices *devices, struct arena *arena)
{
    if (devices->n == 0)
        return;
    print_devices(out, devices, arena);
    print_time(out, devices, arena);
    print_energy(out, devices, "Energy by kernel class", breakdown_energy_by_class, arena);
    print_energy(out, devices, "Energy by part", breakdown_energy_by_part, arena);
}
