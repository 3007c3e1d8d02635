/* Where virtual time and energy went: stacked bars by device, and tables that sum. */
#include <inttypes.h>

#include "base/unit.h"
#include "report/breakdown.h"
#include "report/ledgers.h"
#include "report/page_axes.h"
#include "report/page_sections.h"

/* Parts of a bar: kernel classes or energy parts, then waiting, idle and failed. */
enum { MAX_PARTS = N_KERNEL_CLASSES + 3 };

struct bar {
    int n;
    const char *name[MAX_PARTS];
    enum colour colour[MAX_PARTS];
    wide_uint value[MAX_PARTS]; /* ps or fJ */
};

static void add_part(struct bar *bar, const char *name, enum colour colour, wide_uint value)
{
    bar->name[bar->n] = name;
    bar->colour[bar->n] = colour;
    bar->value[bar->n++] = value;
}

static void bar_of_time(const struct ledger *ledger, struct bar *bar)
{
    wide_uint wait_ps = 0;
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        add_part(bar, kernel_class_name(c), colour_of_class(c), ledger->compute_ps[c]);
        wait_ps += ledger->wait_ps[c];
    }
    add_part(bar, "waiting", COLOUR_WAIT, wait_ps);
    add_part(bar, "idle", COLOUR_REST, ledger->idle_ps);
    add_part(bar, "failed", COLOUR_REST, ledger->off_ps);
}

static void bar_of_classes(const struct ledger *ledger, struct bar *bar)
{
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        add_part(bar, kernel_class_name(c), colour_of_class(c), ledger_class_energy_fj(ledger, c));
    add_part(bar, "waiting", COLOUR_WAIT, ledger->wait_energy_fj);
    add_part(bar, "idle", COLOUR_REST, ledger->idle_energy_fj);
}

static void bar_of_parts(const struct ledger *ledger, struct bar *bar)
{
    struct breakdown breakdown;
    breakdown_energy_by_part(ledger, &breakdown);
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        add_part(bar, energy_part_long_name((enum energy_part)p), colour_of_part(p), breakdown.value[p]);
    add_part(bar, "waiting", COLOUR_WAIT, ledger->wait_energy_fj);
    add_part(bar, "idle", COLOUR_REST, ledger->idle_energy_fj);
}

static void add_bars(struct bar *sum, const struct ledger *ledger, void (*bar_of)(const struct ledger *, struct bar *))
{
    struct bar bar = {.n = 0};
    bar_of(ledger, &bar);
    for (int i = 0; i < bar.n; i++) {
        sum->name[i] = bar.name[i];
        sum->colour[i] = bar.colour[i];
        sum->value[i] += bar.value[i];
    }
    sum->n = bar.n;
}

static struct bar sum_bars(const struct run_devices *devices, const int *device, int n,
                           void (*bar_of)(const struct ledger *, struct bar *))
{
    struct bar sum = {.n = 0};
    for (int d = 0; d < n; d++)
        add_bars(&sum, &devices->device[device[d]].ledger, bar_of);
    return sum;
}

/* Shares in tenths of a percent, as the tables have them, so that a bar ends at 100 % exactly. */
static void add_bar(struct figure *figure, const char *name, const struct bar *bar, double per_unit)
{
    uint64_t tenths[MAX_PARTS];
    double at = 0;
    int row = figure_add_row(figure, name);
    apportion_percent(bar->value, bar->n, tenths);
    for (int i = 0; i < bar->n; i++) {
        double end = at + (double)tenths[i] / 10;
        if (bar->value[i])
            figure_add_box(figure, &(struct figure_box){.row = row,
                                                        .part = bar->name[i],
                                                        .label = arena_printf(figure->arena, "%.0f %%", end - at),
                                                        .colour = bar->colour[i],
                                                        .from = at,
                                                        .to = end,
                                                        .value = (double)bar->value[i] / per_unit});
        at = end;
    }
}

static const struct kind {
    const char *id, *title, *note, *x_name, *value_csv, *table;
    double per_unit;
    int is_time;
    void (*bar_of)(const struct ledger *, struct bar *);
} kinds[] = {
    {"time", "Virtual time by kernel class",
     "Share of each device's time: its compute engine at work by class of kernel, waiting for data, or idle.",
     "share of virtual time", "time_s", "Virtual time, mean over devices", 1e12, 1, bar_of_time},
    {"energy-classes", "Energy by kernel class", "What the energy was spent for; waiting and idle are stand-by power.",
     "share of energy", "energy_j", "Energy by kernel class, all devices", 1e15, 0, bar_of_classes},
    {"energy-parts", "Energy by part of the machine",
     "Where the energy went: static power, arithmetic, memories, conversion, links.", "share of energy", "energy_j",
     "Energy by part of the machine, all devices", 1e15, 0, bar_of_parts},
};

static struct bar bar_of_all(const struct run_devices *devices, const struct kind *kind)
{
    struct bar sum = {.n = 0};
    const struct ledger host = ledgers_host(devices);
    for (int d = 0; d < devices->n; d++)
        add_bars(&sum, &devices->device[d].ledger, kind->bar_of);
    add_bars(&sum, &host, kind->bar_of);
    return sum;
}

static void add_figure(struct document *document, const struct run_devices *devices, const struct kind *kind)
{
    struct device_group *groups;
    int n = device_groups(devices, document->arena, &groups), has_links = !kind->is_time && devices->host.count;
    struct figure *figure = figure_new(document->arena, kind->id, kind->title, kind->note);
    struct bar all = bar_of_all(devices, kind);
    figure->x = figure_axis(kind->x_name, "%", 1, "share_percent");
    figure->x.min = 0;
    figure->x.max = 100;
    figure->value_csv = kind->value_csv;
    if (has_links)
        figure->note = arena_printf(document->arena, "%s The first bar has the links to the host, too.", kind->note);
    add_bar(figure, has_links ? "all" : "all devices", &all, kind->per_unit);
    for (int g = 0; g < n; g++) {
        struct bar bar = sum_bars(devices, groups[g].device, groups[g].n, kind->bar_of);
        add_bar(figure, groups[g].name, &bar, kind->per_unit);
    }
    document_figure(document, figure);
}

static void add_table(struct document *document, const struct run_devices *devices, const struct kind *kind)
{
    struct bar all = bar_of_all(devices, kind);
    uint64_t tenths[MAX_PARTS], whole[MAX_PARTS];
    wide_uint sum = 0;
    for (int i = 0; i < all.n; i++)
        sum += all.value[i];
    wide_uint total = kind->is_time ? sum / (wide_uint)devices->n : sum;
    struct column_unit unit = kind->is_time ? time_unit(total) : energy_unit(total);
    apportion_percent(all.value, all.n, tenths);
    apportion(all.value, all.n, column_thousandths(total, unit), whole);
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_LEFT, kind->is_time ? "time" : "energy", NULL);
    text_table_column(table, ALIGN_RIGHT, kind->is_time ? "mean of devices" : "all devices", unit.name);
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    for (int i = 0; i < all.n; i++) {
        if (!all.value[i])
            continue;
        text_table_row(table);
        text_table_cell(table, "%s", all.name[i]);
        text_table_thousandths(table, whole[i]);
        text_table_percent(table, tenths[i]);
    }
    text_table_rule(table);
    text_table_row(table);
    text_table_cell(table, "total");
    text_table_thousandths(table, column_thousandths(total, unit));
    text_table_percent_total(table, tenths, all.n);
    document_table(document, kind->table, table);
}

static void device_row(struct text_table *table, const struct run_device *device, wide_uint all_fj)
{
    char memory[64], energy[64];
    wide_uint busy_ps = 0, wait_ps = 0, energy_fj = ledger_energy_fj(&device->ledger);
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        busy_ps += device->ledger.compute_ps[c];
        wait_ps += device->ledger.wait_ps[c];
    }
    const wide_uint parts[] = {busy_ps, wait_ps, (wide_uint)device->ledger.idle_ps + device->ledger.off_ps};
    uint64_t tenths[3];
    apportion_percent(parts, 3, tenths);
    text_table_row(table);
    text_table_cell(table, "%s", device->name);
    text_table_cell(table, "%s", device->profile);
    text_table_cell(table, "%d", device->node);
    text_table_cell(table, "%s", unit_show(memory, sizeof memory, UNIT_BYTES, (double)device->memory_bytes));
    for (int i = 0; i < 3; i++)
        text_table_percent(table, tenths[i]);
    text_table_cell(table, "%s", unit_show(energy, sizeof energy, UNIT_JOULES, joules(energy_fj)));
    text_table_cell(table, "%.1f", all_fj ? 100 * (double)energy_fj / (double)all_fj : 0.0);
}

static void add_devices(struct document *document, const struct run_devices *devices)
{
    struct text_table *table = text_table_new(document->arena);
    int any_off = 0;
    for (int d = 0; d < devices->n; d++)
        any_off |= devices->device[d].ledger.off_ps > 0;
    text_table_column(table, ALIGN_LEFT, "device", NULL);
    text_table_column(table, ALIGN_LEFT, "profile", NULL);
    text_table_column(table, ALIGN_RIGHT, "node", NULL);
    text_table_column(table, ALIGN_RIGHT, "memory used", NULL);
    text_table_column(table, ALIGN_RIGHT, "busy", "%");
    text_table_column(table, ALIGN_RIGHT, "waiting", "%");
    text_table_column(table, ALIGN_RIGHT, any_off ? "idle or off" : "idle", "%");
    text_table_column(table, ALIGN_RIGHT, "energy", NULL);
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    wide_uint all_fj = run_devices_energy_fj(devices);
    for (int d = 0; d < devices->n; d++)
        device_row(table, &devices->device[d], all_fj);
    document_table(document, "Devices", table);
}

void page_add_breakdown(struct document *document, const struct subject *subject)
{
    const struct run_devices devices = subject_devices(subject, document->arena);
    if (devices.n == 0)
        return;
    document_heading(document, "breakdown", "Time and energy");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        add_figure(document, &devices, &kinds[k]);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        add_table(document, &devices, &kinds[k]);
    if (subject->kind == SUBJECT_SERVING)
        page_add_serving_energy(document, subject);
    add_devices(document, &devices);
}
