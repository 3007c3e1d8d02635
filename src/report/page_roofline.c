/* Kernels of a run under the roofs of their devices. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/unit.h"
#include "report/html.h"
#include "report/page_axes.h"
#include "report/page_sections.h"
#include "report/roof.h"

/* A class of kernels on all devices of one profile; rates are those of one device. */
struct point {
    int class;
    uint64_t count;
    double flops, bytes, busy_s, intensity, flop_per_s;
};

/* Kernels of the compute engine that do arithmetic on what memory holds; links and hosts have no roof here. */
static int is_drawn(int class)
{
    return class != CLASS_HOST_COPY && class != CLASS_COLLECTIVE && class != CLASS_TRANSFER && class != CLASS_PROGRAM;
}

static int is_matrix(int class)
{
    return class == CLASS_GEMM || class == CLASS_ATTENTION;
}

static int are_alike(const struct run_device *a, const struct run_device *b)
{
    return strcmp(a->kind, b->kind) == 0 && strcmp(a->profile, b->profile) == 0;
}

static int collect(const struct run_devices *devices, const struct run_device *like, struct point *points)
{
    int n = 0;
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        struct point point = {.class = c};
        for (int d = 0; d < devices->n; d++) {
            const struct ledger_entry *entry = &devices->device[d].ledger.entry[c];
            if (!are_alike(&devices->device[d], like))
                continue;
            point.count += entry->count;
            point.flops += (double)entry->flops;
            point.bytes += (double)entry->bytes;
            point.busy_s += (double)entry->busy_ps * 1e-12;
        }
        if (!is_drawn(c) || !(point.flops > 0) || !(point.bytes > 0) || !(point.busy_s > 0))
            continue;
        point.intensity = point.flops / point.bytes;
        point.flop_per_s = point.flops / point.busy_s;
        points[n++] = point;
    }
    return n;
}

static void add_roof(struct figure *figure, const char *name, enum curve_style style, double peak, double bytes_per_s,
                     double first, double last)
{
    double ridge = peak / bytes_per_s;
    double *x = figure_numbers(figure, 3), *y = figure_numbers(figure, 3);
    x[0] = first, x[1] = ridge > first ? ridge : first, x[2] = last;
    for (int i = 0; i < 3; i++)
        y[i] = fmin(peak, x[i] * bytes_per_s);
    figure_add_curve(figure, name, COLOUR_MUTED, style, 3, x, y);
}

static const char *name_of_roof(struct arena *arena, const char *text, double peak)
{
    char rate[64];
    return arena_printf(arena, "roof: %s, %s", text, unit_show(rate, sizeof rate, UNIT_FLOP_PER_S, peak));
}

static void add_roofs(struct figure *figure, const struct roof *roof, const struct point *points, int n)
{
    double first = roof->peak_flop_per_s / roof->bytes_per_s, last = first;
    for (int i = 0; i < n; i++) {
        first = fmin(first, points[i].intensity);
        last = fmax(last, points[i].intensity);
    }
    first /= 4, last *= 4;
    add_roof(figure, name_of_roof(figure->arena, roof->peak_text, roof->peak_flop_per_s), CURVE_LINE,
             roof->peak_flop_per_s, roof->bytes_per_s, first, last);
    if (roof->vector_flop_per_s > 0 && roof->vector_flop_per_s != roof->peak_flop_per_s)
        add_roof(figure, name_of_roof(figure->arena, roof->vector_text, roof->vector_flop_per_s), CURVE_DASHED,
                 roof->vector_flop_per_s, roof->bytes_per_s, first, last);
}

static void add_figure(struct document *document, const struct run_device *device, const struct roof *roof,
                       const struct point *points, int n)
{
    char name[64], bandwidth[64];
    struct arena *arena = document->arena;
    unit_show(bandwidth, sizeof bandwidth, UNIT_BYTES_PER_S, roof->bytes_per_s);
    const char *id = arena_printf(arena, "roofline-%s", html_name(name, sizeof name, device->profile));
    struct figure *figure = figure_new(
        arena, id, arena_printf(arena, "Roofline of %s (%s)", device->profile, device->kind),
        arena_printf(arena,
                     "Rate that each class of kernels reached on one device while at work, beside the most that "
                     "arithmetic and memory (%s: %s) allow.",
                     roof->memory_text, bandwidth));
    figure->x = figure_axis("intensity", "FLOP/byte", 1, "intensity_flop_per_byte");
    figure->y = figure_axis("rate", "FLOP/s", 1, "rate_flop_per_s");
    figure->x.is_log = figure->y.is_log = figure->y.has_prefix = 1;
    add_roofs(figure, roof, points, n);
    for (int i = 0; i < n; i++) {
        double *x = figure_numbers(figure, 1), *y = figure_numbers(figure, 1);
        *x = points[i].intensity;
        *y = points[i].flop_per_s;
        figure_add_curve(figure, kernel_class_name(points[i].class), colour_of_class(points[i].class), CURVE_DOTS, 1, x,
                         y);
    }
    document_figure(document, figure);
}

static void add_rows(struct text_table *table, const struct run_device *device, const struct roof *roof,
                     const struct point *points, int n)
{
    for (int i = 0; i < n; i++) {
        char rate[64], most[64];
        double limit = roof_at(roof, points[i].intensity, is_matrix(points[i].class));
        text_table_row(table);
        text_table_cell(table, "%s", device->profile);
        text_table_cell(table, "%s", kernel_class_name(points[i].class));
        text_table_cell(table, "%" PRIu64, points[i].count);
        text_table_cell(table, "%.4g", points[i].flops);
        text_table_cell(table, "%.4g", points[i].bytes);
        text_table_cell(table, "%.3g", points[i].intensity);
        text_table_cell(table, "%s", unit_show(rate, sizeof rate, UNIT_FLOP_PER_S, points[i].flop_per_s));
        text_table_cell(table, "%s", unit_show(most, sizeof most, UNIT_FLOP_PER_S, limit));
        text_table_cell(table, "%.1f", 100 * points[i].flop_per_s / limit);
    }
}

static struct text_table *new_table(struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "profile", NULL);
    text_table_column(table, ALIGN_LEFT, "kernels", NULL);
    text_table_column(table, ALIGN_RIGHT, "count", NULL);
    text_table_column(table, ALIGN_RIGHT, "arithmetic", "FLOP");
    text_table_column(table, ALIGN_RIGHT, "traffic", "byte");
    text_table_column(table, ALIGN_RIGHT, "intensity", "FLOP/byte");
    text_table_column(table, ALIGN_RIGHT, "rate of a device", NULL);
    text_table_column(table, ALIGN_RIGHT, "roof", NULL);
    text_table_column(table, ALIGN_RIGHT, "of the roof", "%");
    return table;
}

static int is_first_alike(const struct run_devices *devices, int d)
{
    for (int e = 0; e < d; e++)
        if (are_alike(&devices->device[e], &devices->device[d]))
            return 0;
    return 1;
}

void page_add_roofline(struct document *document, const struct subject *subject)
{
    const struct run_devices devices = subject_devices(subject, document->arena);
    struct text_table *table = new_table(document->arena);
    int rows = 0;
    for (int d = 0; d < devices.n; d++) {
        struct point points[N_KERNEL_CLASSES];
        const struct run_device *device = &devices.device[d];
        struct roof roof;
        int n = is_first_alike(&devices, d) ? collect(&devices, device, points) : 0;
        if (n == 0 || !subject->has_job || !roof_of(&subject->job, device->kind, device->profile, &roof))
            continue;
        if (rows == 0)
            document_heading(document, "roofline", "Roofline");
        add_figure(document, device, &roof, points, n);
        add_rows(table, device, &roof, points, n);
        rows += n;
    }
    if (rows)
        document_table(document, "Kernels under their roofs", table);
}
