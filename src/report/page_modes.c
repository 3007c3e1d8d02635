/* Steps of each mode, and how busy devices are in them. */
#include <inttypes.h>

#include "base/unit.h"
#include "report/page_axes.h"
#include "report/page_modes.h"

static void add_steps(struct document *document, const struct run *run)
{
    struct text_table *table = text_table_new(document->arena);
    char text[64];
    text_table_column(table, ALIGN_LEFT, "mode", NULL);
    text_table_column(table, ALIGN_RIGHT, "trained", "parameters");
    text_table_column(table, ALIGN_RIGHT, "time of a step", NULL);
    text_table_column(table, ALIGN_RIGHT, "energy of a step", NULL);
    for (int m = 0; m < run->n_modes; m++) {
        const struct run_mode *mode = &run->mode[m];
        text_table_row(table);
        text_table_cell(table, "%s", mode->name);
        text_table_cell(table, "%" PRId64, mode->n_trained);
        text_table_cell(table, "%s", mode->step_ps ? unit_show_ps(text, sizeof text, mode->step_ps) : "-");
        text_table_cell(table, "%s",
                        mode->step_ps ? unit_show(text, sizeof text, UNIT_JOULES, joules(mode->energy_fj)) : "-");
    }
    document_table(document, "Steps of each mode", table);
}

static void busy_cell(struct text_table *table, const struct run_mode *mode, const struct device_group *group)
{
    double sum = 0;
    int takes_part = 0;
    for (int d = 0; d < group->n; d++) {
        sum += run_utilisation(mode, group->device[d]);
        takes_part |= mode->busy_ps[group->device[d]] > 0;
    }
    if (takes_part && mode->step_ps)
        text_table_cell(table, "%.1f", 100 * sum / group->n);
    else
        text_table_cell(table, "-");
}

static void add_utilisation(struct document *document, const struct run *run)
{
    struct device_group *groups;
    const struct run_devices devices = run_devices(run);
    int n = device_groups(&devices, document->arena, &groups);
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_LEFT, "device", NULL);
    text_table_column(table, ALIGN_LEFT, "profile", NULL);
    for (int m = 0; m < run->n_modes; m++)
        text_table_column(table, ALIGN_RIGHT, arena_printf(document->arena, "%s mode", run->mode[m].name), "% busy");
    for (int g = 0; g < n; g++) {
        text_table_row(table);
        text_table_cell(table, "%s", groups[g].name);
        text_table_cell(table, "%s", run->device[groups[g].device[0]].profile);
        for (int m = 0; m < run->n_modes; m++)
            busy_cell(table, &run->mode[m], &groups[g]);
    }
    document_table(document, "Compute engines at work, from step to step", table);
}

void page_add_modes(struct document *document, const struct run *run)
{
    if (run->n_modes == 0)
        return;
    add_steps(document, run);
    add_utilisation(document, run);
}
