/* contrast_print.c - tables and CSV of predicted pairs. */
#include <math.h>
#include <string.h>

#include "base/unit.h"
#include "command/contrast.h"
#include "report/table.h"

static void cell_of(struct text_table *table, enum unit unit, double value)
{
    char text[32];
    text_table_cell(table, "%s", unit_show(text, sizeof text, unit, value));
}

static void cell_or_none(struct text_table *table, double value)
{
    if (isfinite(value))
        text_table_cell(table, "%.1f", value);
    else
        text_table_cell(table, "none");
}

static const char *limit_of(const struct prediction *run, struct arena *arena)
{
    double idle = 1 - run->systolic_busy - run->reram_busy;
    if (run->systolic_busy >= run->reram_busy && run->systolic_busy >= idle)
        return arena_printf(arena, "systolic (%s %.0f %% of it)", run->systolic_class, 100 * run->systolic_class_share);
    return run->reram_busy >= idle ? "ReRAM" : "waiting for each other";
}

static void add_columns(struct text_table *table, const struct contrast *contrast, struct arena *arena)
{
    text_table_column(table, ALIGN_LEFT, "", "");
    text_table_column(table, ALIGN_RIGHT, "GPU only", "");
    text_table_column(table, ALIGN_RIGHT, "HpT", "");
    text_table_column(table, ALIGN_RIGHT, "ratio", arena_printf(arena, "of %.4g", contrast->claimed_time));
    text_table_column(table, ALIGN_RIGHT, "GPU only", "");
    text_table_column(table, ALIGN_RIGHT, "HpT", "");
    text_table_column(table, ALIGN_RIGHT, "ratio", arena_printf(arena, "of %.4g", contrast->claimed_energy));
    text_table_column(table, ALIGN_RIGHT, "f", "%");
    text_table_column(table, ALIGN_RIGHT, "t", "%");
    text_table_column(table, ALIGN_RIGHT, "s", "");
    text_table_column(table, ALIGN_RIGHT, "bound", "");
    text_table_column(table, ALIGN_RIGHT, "s needed", "");
    text_table_column(table, ALIGN_RIGHT, "copies", "");
    text_table_column(table, ALIGN_RIGHT, "ReRAM", "busy %");
    text_table_column(table, ALIGN_RIGHT, "systolic", "busy %");
    text_table_column(table, ALIGN_RIGHT, "idle GPU", "energy %");
    text_table_column(table, ALIGN_LEFT, "low mode is limited by", "");
}

static void add_row(struct text_table *table, const struct contrast_row *row, struct arena *arena)
{
    const struct prediction *run = &row->run;
    text_table_row(table);
    text_table_cell(table, "%s", row->label);
    if (row->failure)
        return;
    cell_of(table, UNIT_SECONDS, row->base.time_s);
    cell_of(table, UNIT_SECONDS, run->time_s);
    text_table_cell(table, "%.2f", row->time_ratio);
    cell_of(table, UNIT_JOULES, row->base.energy_j);
    cell_of(table, UNIT_JOULES, run->energy_j);
    text_table_cell(table, "%.2f", row->energy_ratio);
    text_table_cell(table, "%.2f", 100 * row->full_share);
    text_table_cell(table, "%.2f", 100 * row->trial_share);
    text_table_cell(table, "%.2f", row->low_speed_up);
    cell_or_none(table, row->bound);
    cell_or_none(table, row->needed);
    text_table_cell(table, "%lld", (long long)run->copies);
    text_table_cell(table, "%.1f", 100 * run->reram_busy);
    text_table_cell(table, "%.1f", 100 * run->systolic_busy);
    text_table_cell(table, "%.1f", 100 * run->idle_gpu_j / run->energy_j);
    text_table_cell(table, "%s", limit_of(run, arena));
}

static int is_first_of_group(const struct contrast *contrast, int r)
{
    for (int q = 0; q < r; q++)
        if (strcmp(contrast->row[q].group, contrast->row[r].group) == 0)
            return 0;
    return 1;
}

/* Machines of the group, each once, with the first row that has it. */
static void print_machines(const struct contrast *contrast, const char *group, FILE *out)
{
    for (int r = 0; r < contrast->n; r++) {
        const struct contrast_row *row = &contrast->row[r];
        int known = row->failure != NULL || strcmp(row->group, group) != 0;
        for (int q = 0; q < r && !known; q++)
            known = !contrast->row[q].failure && strcmp(contrast->row[q].group, group) == 0 &&
                    strcmp(contrast->row[q].run.machine, row->run.machine) == 0;
        if (!known)
            fprintf(out, "  %s: %s\n", row->label, row->run.machine);
    }
}

static void print_group(const struct contrast *contrast, int first, struct arena *arena, FILE *out)
{
    const char *group = contrast->row[first].group;
    struct text_table *table = text_table_new(arena);
    add_columns(table, contrast, arena);
    for (int r = first; r < contrast->n; r++)
        if (strcmp(contrast->row[r].group, group) == 0)
            add_row(table, &contrast->row[r], arena);
    fprintf(out, "%s\n", group);
    text_table_print(table, out, TABLE_WIDTH);
    print_machines(contrast, group, out);
    for (int r = first; r < contrast->n; r++)
        if (contrast->row[r].failure && strcmp(contrast->row[r].group, group) == 0)
            fprintf(out, "  %s: %s\n", contrast->row[r].label, contrast->row[r].failure);
    fputc('\n', out);
}

void contrast_print(const struct contrast *contrast, struct arena *arena, FILE *out)
{
    double sum = 0, most = 0;
    int n = 0;
    for (int r = 0; r < contrast->n; r++)
        if (is_first_of_group(contrast, r))
            print_group(contrast, r, arena, out);
    for (int r = 0; r < contrast->n; r++) {
        if (contrast->row[r].failure)
            continue;
        double deviation = fabs(contrast->row[r].time_ratio / contrast->claimed_time - 1);
        sum += deviation;
        most = fmax(most, deviation);
        n++;
    }
    fprintf(out,
            "ratio = 1 / (f + t + (1 - f) / s): f share of the GPU-only run before the switch, t trial, handovers and\n"
            "filling, s step of the GPU / step of the low mode; bound: s infinite; s needed: for a ratio of %.4g.\n\n",
            contrast->claimed_time);
    fprintf(out, "rows %d, mean %.2f %%, max %.1f %%, failed %d\n", n, n ? 100 * sum / n : 0.0, 100 * most,
            contrast_failures(contrast));
}

static void write_text(const char *text, const char *end, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fprintf(out, "\"%s", end);
}

static void write_row(const struct contrast_row *row, FILE *out)
{
    const struct prediction *base = &row->base, *run = &row->run;
    write_text(row->group, ",", out);
    write_text(row->label, ",", out);
    write_text(row->x, ",", out);
    if (row->failure) {
        fputs(",,,,,,,,,,,,,,,,,,,,,,,", out);
        write_text(row->failure, "\n", out);
        return;
    }
    fprintf(out, "%.9g,%.9g,%.6g,%.9g,%.9g,%.6g,", base->time_s, run->time_s, row->time_ratio, base->energy_j,
            run->energy_j, row->energy_ratio);
    fprintf(out, "%lld,%lld,%lld,%.6g,%.6g,%.6g,%.6g,%.6g,", (long long)run->steps, (long long)run->switch_step,
            (long long)run->trial_steps, row->full_share, row->trial_share, row->low_speed_up, row->bound, row->needed);
    fprintf(out, "%.9g,%.9g,%.6g,%.6g,%.6g,%.6g,%.6g,%llu,%llu,", base->step_s, run->step_s, run->reram_busy,
            run->systolic_busy, run->idle_gpu_j, run->reram_j, run->systolic_j, (unsigned long long)run->crossbars,
            (unsigned long long)run->crossbars_total);
    write_text("", "\n", out);
}

enum status contrast_write_csv(const char *path, const struct contrast *contrast, struct fault *fault)
{
    FILE *out = fopen(path, "w");
    if (!out)
        return fault_set(fault, STATUS_IO, "%s: cannot be written: %m", path);
    fputs("group,label,x,gpu_time_s,hpt_time_s,time_ratio,gpu_energy_j,hpt_energy_j,energy_ratio,steps,switch_step,"
          "trial_steps,f,t,s,bound,s_needed,gpu_step_s,low_step_s,reram_busy,systolic_busy,idle_gpu_j,reram_j,"
          "systolic_j,crossbars,crossbars_total,failure\n",
          out);
    for (int r = 0; r < contrast->n; r++)
        write_row(&contrast->row[r], out);
    int failed = ferror(out);
    if (fclose(out) != 0 || failed)
        return fault_set(fault, STATUS_IO, "%s: cannot be written: %m", path);
    return STATUS_OK;
}
