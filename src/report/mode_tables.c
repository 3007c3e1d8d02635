#include "report/mode_tables.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/unit.h"
#include "report/ledgers.h"
#include "report/table.h"

static void print_candidate(FILE *out, const char *indent, const struct run_candidate *candidate,
                            const struct run_choice *choice)
{
    char time[64], energy[64];
    unit_show_ps(time, sizeof time, candidate->time_ps);
    unit_show(energy, sizeof energy, UNIT_JOULES, candidate->energy_j);
    fprintf(out, "%s              ", indent);
    if (candidate->problem) {
        fprintf(out, "%s cannot be: %s\n", candidate->policy, candidate->problem);
        return;
    }
    fprintf(out, "%s takes %s and %s", candidate->policy, time, energy);
    if (strcmp(choice->objective, "product") == 0)
        fprintf(out, ", %.4g J s", run_worth(candidate, choice->objective));
    if (strcmp(candidate->policy, "hpt") == 0 && choice->switch_step >= 0)
        fprintf(out, ", with low-parameter steps after step %" PRId64, choice->switch_step);
    else if (strcmp(candidate->policy, "hpt") == 0)
        fprintf(out, ", without a low-parameter step: a switch would not pay off");
    fprintf(out, "\n");
    if (strcmp(candidate->policy, "hpt") == 0 && choice->adapter_width > 0)
        fprintf(out,
                "%s                priced with adapters of width %" PRId64 ", the widest that the switch may choose\n",
                indent, choice->adapter_width);
}

void mode_print_placement(FILE *out, const char *indent, const struct run *run)
{
    const struct run_choice *choice = &run->choice;
    fprintf(out, "%splacement   %s\n", indent, run->placement_text ? run->placement_text : "-");
    if (!choice->objective)
        return;
    int is_product = strcmp(choice->objective, "product") == 0;
    fprintf(out, "%s            auto has chosen %s, which takes the least %s\n", indent, choice->chosen,
            is_product ? "product of time and energy" : choice->objective);
    for (int c = 0; c < choice->n_candidates; c++)
        print_candidate(out, indent, &choice->candidate[c], choice);
}

static void steps_row(struct text_table *table, const struct run_mode *mode)
{
    char text[64];
    text_table_row(table);
    text_table_cell(table, "%s", mode->name);
    text_table_cell(table, "%" PRId64, mode->n_trained);
    text_table_cell(table, "%s", mode->step_ps ? unit_show_ps(text, sizeof text, mode->step_ps) : "-");
    text_table_cell(table, "%s",
                    mode->step_ps ? unit_show(text, sizeof text, UNIT_JOULES, joules(mode->energy_fj)) : "-");
}

/* Does device d stand for those like it that come after it? Each does when there are few. */
static int is_first_of_group(const struct run *run, int d)
{
    for (int e = 0; run->n_devices > LEDGERS_MAX_COLUMNS && e < d; e++)
        if (strcmp(run->device[e].kind, run->device[d].kind) == 0 &&
            strcmp(run->device[e].profile, run->device[d].profile) == 0)
            return 0;
    return 1;
}

static int is_in_group(const struct run *run, int first, int d)
{
    if (run->n_devices <= LEDGERS_MAX_COLUMNS)
        return first == d;
    return strcmp(run->device[first].kind, run->device[d].kind) == 0 &&
           strcmp(run->device[first].profile, run->device[d].profile) == 0;
}

static void utilisation_cell(struct text_table *table, const struct run *run, const struct run_mode *mode, int first)
{
    double sum = 0;
    int n = 0, takes_part = 0;
    for (int d = first; d < run->n_devices; d++) {
        if (!is_in_group(run, first, d))
            continue;
        sum += run_utilisation(mode, d);
        takes_part |= mode->busy_ps[d] > 0;
        n++;
    }
    if (takes_part && mode->step_ps)
        text_table_cell(table, "%.1f", 100 * sum / n);
    else
        text_table_cell(table, "-");
}

static void print_utilisation(FILE *out, const struct run *run, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, run->n_devices > LEDGERS_MAX_COLUMNS ? "devices (mean)" : "device", NULL);
    text_table_column(table, ALIGN_LEFT, "profile", NULL);
    for (int m = 0; m < run->n_modes; m++)
        text_table_column(table, ALIGN_RIGHT, arena_printf(arena, "%s mode", run->mode[m].name), "% busy");
    for (int d = 0; d < run->n_devices; d++) {
        if (!is_first_of_group(run, d))
            continue;
        text_table_row(table);
        text_table_cell(table, "%s", run->n_devices > LEDGERS_MAX_COLUMNS ? run->device[d].kind : run->device[d].name);
        text_table_cell(table, "%s", run->device[d].profile);
        for (int m = 0; m < run->n_modes; m++)
            utilisation_cell(table, run, &run->mode[m], d);
    }
    fprintf(out, "\nUtilisation: busy share of the compute engine from step to step\n");
    text_table_print(table, out, TABLE_WIDTH);
}

static const struct run_mode *find_mode(const struct run *run, const char *name)
{
    for (int m = 0; m < run->n_modes; m++)
        if (strcmp(run->mode[m].name, name) == 0)
            return &run->mode[m];
    return NULL;
}

void mode_print_steps(FILE *out, const struct run *run, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    const struct run_mode *full = find_mode(run, "full"), *low = find_mode(run, "low");
    text_table_column(table, ALIGN_LEFT, "mode", NULL);
    text_table_column(table, ALIGN_RIGHT, "trained", "parameters");
    text_table_column(table, ALIGN_RIGHT, "time of a step", NULL);
    text_table_column(table, ALIGN_RIGHT, "energy of a step", NULL);
    for (int m = 0; m < run->n_modes; m++)
        steps_row(table, &run->mode[m]);
    fprintf(out, "\nSteps of each mode\n");
    text_table_print(table, out, TABLE_WIDTH);
    if (full && low && full->step_ps && low->step_ps)
        fprintf(out, "  a low-parameter step is %.3g times as fast, for %.3g times the energy\n",
                (double)full->step_ps / (double)low->step_ps, joules(low->energy_fj) / joules(full->energy_fj));
    print_utilisation(out, run, arena);
}

static void print_handovers(FILE *out, const struct run_handover *handover, const char *one, const char *several)
{
    char time[64], energy[64];
    if (handover->n == 0)
        return;
    unit_show_ps(time, sizeof time, handover->time_ps / (uint64_t)handover->n);
    unit_show(energy, sizeof energy, UNIT_JOULES, joules(handover->energy_fj) / (double)handover->n);
    fprintf(out, "  %" PRId64 " %s: %s, %s%s\n", handover->n, handover->n > 1 ? several : one, time, energy,
            handover->n > 1 ? " each" : "");
}

void mode_print_crossbars(FILE *out, const struct run *run, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "device", NULL);
    text_table_column(table, ALIGN_RIGHT, "matrices", NULL);
    text_table_column(table, ALIGN_RIGHT, "copies", NULL);
    text_table_column(table, ALIGN_RIGHT, "crossbars used", NULL);
    text_table_column(table, ALIGN_RIGHT, "there are", NULL);
    text_table_column(table, ALIGN_RIGHT, "used", "%");
    text_table_column(table, ALIGN_RIGHT, "cells of a handover", NULL);
    for (int c = 0; c < run->n_cells; c++) {
        const struct run_cells *cells = &run->cells[c];
        text_table_row(table);
        text_table_cell(table, "%s", run->device[cells->device].name);
        text_table_cell(table, "%" PRIu64, cells->n_matrices);
        text_table_cell(table, "%" PRIu64, cells->copies);
        text_table_cell(table, "%" PRIu64, cells->crossbars_used);
        text_table_cell(table, "%" PRIu64, cells->crossbars_total);
        text_table_cell(table, "%.1f", 100.0 * (double)cells->crossbars_used / (double)cells->crossbars_total);
        text_table_cell(table, "%" PRIu64, cells->cells);
    }
    fprintf(out, "\nCrossbars: frozen matrices\n");
    text_table_print(table, out, TABLE_WIDTH);
    print_handovers(out, &run->handover, "handover", "handovers");
    print_handovers(out, &run->way_back, "way back", "ways back");
}

static int wrote_cells(const struct run *run)
{
    for (int c = 0; c < run->n_cells; c++)
        if (run->cells[c].cell_writes)
            return 1;
    return 0;
}

static void runs_cell(struct text_table *table, double runs)
{
    if (isfinite(runs))
        text_table_cell(table, "%.4g", runs);
    else
        text_table_cell(table, "-");
}

static void wear_row(struct text_table *table, const struct run *run, const struct run_cells *cells)
{
    double writes = run_writes_per_cell(cells), full = run_full_writes_per_cell(run, cells);
    text_table_row(table);
    text_table_cell(table, "%s", run->device[cells->device].name);
    text_table_cell(table, "%" PRIu64, cells->cell_writes);
    text_table_cell(table, "%.4g", writes);
    text_table_cell(table, "%.3g", cells->endurance);
    runs_cell(table, run_lifetime(cells, writes));
    text_table_cell(table, "%.4g", full);
    runs_cell(table, run_lifetime(cells, full));
}

void mode_print_wear(FILE *out, const struct run *run, struct arena *arena)
{
    if (!wrote_cells(run))
        return;
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "device", NULL);
    text_table_column(table, ALIGN_RIGHT, "cells programmed", NULL);
    text_table_column(table, ALIGN_RIGHT, "writes of a cell", NULL);
    text_table_column(table, ALIGN_RIGHT, "endurance", "writes");
    text_table_column(table, ALIGN_RIGHT, "life", "runs");
    text_table_column(table, ALIGN_RIGHT, "all in ReRAM: writes", NULL);
    text_table_column(table, ALIGN_RIGHT, "its life", "runs");
    for (int c = 0; c < run->n_cells; c++)
        wear_row(table, run, &run->cells[c]);
    fprintf(out, "\nWear of the cells, and that of training every weight in them, which writes each once a step\n");
    text_table_print(table, out, TABLE_WIDTH);
}

void mode_tables_print(FILE *out, const struct run *run, struct arena *arena)
{
    if (run->n_modes == 0)
        return;
    mode_print_steps(out, run, arena);
    mode_print_crossbars(out, run, arena);
    mode_print_wear(out, run, arena);
}
