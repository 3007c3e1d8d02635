/* Energy and time of a serving run: parts by instance, devices at work. */
#include <inttypes.h>

#include "report/breakdown.h"
#include "report/page_axes.h"
#include "report/page_sections.h"

enum { PARTS = N_ENERGY_PARTS + 1, MOST_ROWS = 16 };

static const char *part_name(int p)
{
    return p < N_ENERGY_PARTS ? energy_part_long_name((enum energy_part)p) : "idle, between iterations";
}

static void add_bar(struct figure *figure, const char *name, const wide_uint *part_fj)
{
    uint64_t tenths[PARTS];
    double at = 0;
    int row = figure_add_row(figure, name);
    apportion_percent(part_fj, PARTS, tenths);
    for (int p = 0; p < PARTS; p++) {
        double end = at + (double)tenths[p] / 10;
        if (part_fj[p])
            figure_add_box(figure, &(struct figure_box){.row = row,
                                                        .part = part_name(p),
                                                        .label = arena_printf(figure->arena, "%.0f %%", end - at),
                                                        .colour = p < N_ENERGY_PARTS ? colour_of_part(p) : COLOUR_REST,
                                                        .from = at,
                                                        .to = end,
                                                        .value = joules(part_fj[p])});
        at = end;
    }
}

static void parts_of(const struct serving_instance_summary *instance, wide_uint *part_fj)
{
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        part_fj[p] += instance->energy_fj[p];
    part_fj[N_ENERGY_PARTS] += instance->idle_energy_fj;
}

static void add_parts(struct document *document, const struct serving_summary *sum)
{
    wide_uint all_fj[PARTS] = {0};
    struct figure *figure =
        figure_new(document->arena, "energy-parts", "Energy by part of the machine",
                   "Where the energy went: static power, arithmetic, memories, links; idle is stand-by "
                   "power between iterations.");
    figure->x = figure_axis("share of energy", "%", 1, "share_percent");
    figure->x.min = 0;
    figure->x.max = 100;
    figure->value_csv = "energy_j";
    for (size_t i = 0; i < sum->n_instances; i++)
        parts_of(&sum->instance[i], all_fj);
    add_bar(figure, "all instances", all_fj);
    for (size_t i = 0; sum->n_instances > 1 && i < sum->n_instances && i < MOST_ROWS; i++) {
        wide_uint part_fj[PARTS] = {0};
        parts_of(&sum->instance[i], part_fj);
        add_bar(figure, arena_printf(document->arena, "instance %zu", i), part_fj);
    }
    document_figure(document, figure);
}

static void add_devices(struct document *document, const struct serving_summary *sum)
{
    double span_s = (double)(sum->end_ps - sum->first_arrival_ps) * 1e-12;
    int rows = 0, left_out = 0;
    struct figure *figure = figure_new(document->arena, "utilisation", "Devices at work", "");
    figure->x = figure_axis("share of the run's virtual time", "%", 1, "share_percent");
    figure->x.min = 0;
    figure->x.max = 100;
    figure->value_csv = "time_s";
    for (size_t i = 0; i < sum->n_instances; i++)
        for (uint32_t d = 0; d < sum->instance[i].n_devices; d++) {
            if (rows == MOST_ROWS) {
                left_out++;
                continue;
            }
            double busy_s = (double)sum->instance[i].device_busy_ps[d] * 1e-12;
            double share = span_s > 0 ? 100 * busy_s / span_s : 0;
            const char *name = sum->instance[i].device_name[d];
            int row =
                figure_add_row(figure, sum->n_instances > 1 ? arena_printf(document->arena, "%zu: %s", i, name) : name);
            const char *label = arena_printf(document->arena, "%.0f %%", share);
            figure_add_box(figure, &(struct figure_box){row, "at work", label, COLOUR_BLUE, 0, share, busy_s});
            figure_add_box(
                figure, &(struct figure_box){row, "waiting or idle", NULL, COLOUR_REST, share, 100, span_s - busy_s});
            rows++;
        }
    figure->note =
        left_out ? arena_printf(document->arena, "The first %d devices; %d more are in the table.", rows, left_out)
                 : "Share of the run in which each device works; the rest is waiting for others, or idle.";
    if (rows)
        document_figure(document, figure);
}

static void add_table(struct document *document, const struct serving_summary *sum)
{
    wide_uint part_fj[PARTS] = {0};
    uint64_t tenths[PARTS], whole[PARTS];
    for (size_t i = 0; i < sum->n_instances; i++)
        parts_of(&sum->instance[i], part_fj);
    struct column_unit unit = energy_unit(sum->energy_fj);
    uint64_t total = column_thousandths(sum->energy_fj, unit);
    apportion(part_fj, PARTS, total, whole);
    apportion_percent(part_fj, PARTS, tenths);
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_LEFT, "energy", NULL);
    text_table_column(table, ALIGN_RIGHT, "all instances", unit.name);
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    text_table_column(table, ALIGN_RIGHT, "of a generated token", "J");
    for (int p = 0; p < PARTS; p++) {
        if (!part_fj[p])
            continue;
        text_table_row(table);
        text_table_cell(table, "%s", part_name(p));
        text_table_thousandths(table, whole[p]);
        text_table_percent(table, tenths[p]);
        text_table_cell(table, "%.4g", sum->output_tokens ? joules(part_fj[p]) / (double)sum->output_tokens : 0.0);
    }
    text_table_rule(table);
    text_table_row(table);
    text_table_cell(table, "total");
    text_table_thousandths(table, total);
    text_table_percent_total(table, tenths, PARTS);
    text_table_cell(table, "%.4g", sum->energy_per_output_token_j);
    document_table(document, "Energy", table);
}

static void add_device_table(struct document *document, const struct serving_summary *sum)
{
    struct text_table *table = text_table_new(document->arena);
    double span_ps = (double)(sum->end_ps - sum->first_arrival_ps);
    text_table_column(table, ALIGN_LEFT, "device", NULL);
    text_table_column(table, ALIGN_RIGHT, "instance", NULL);
    text_table_column(table, ALIGN_RIGHT, "at work", "s");
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    for (size_t i = 0; i < sum->n_instances; i++)
        for (uint32_t d = 0; d < sum->instance[i].n_devices; d++) {
            double busy_ps = (double)sum->instance[i].device_busy_ps[d];
            text_table_row(table);
            text_table_cell(table, "%s", sum->instance[i].device_name[d]);
            text_table_cell(table, "%zu", i);
            text_table_cell(table, "%.6g", busy_ps * 1e-12);
            text_table_cell(table, "%.1f", span_ps > 0 ? 100 * busy_ps / span_ps : 0.0);
        }
    document_table(document, "Devices", table);
}

void page_add_serving_energy(struct document *document, const struct subject *subject)
{
    const struct serving_summary *sum = &subject->serving.summary;
    document_heading(document, "breakdown", "Time and energy");
    add_parts(document, sum);
    add_devices(document, sum);
    add_table(document, sum);
    add_device_table(document, sum);
}
