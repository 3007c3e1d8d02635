#include "report/fault_tables.h"

#include <inttypes.h>
#include <string.h>

#include "base/unit.h"
#include "report/table.h"

static void time_cell(struct text_table *table, uint64_t time_ps)
{
    char text[64];
    text_table_cell(table, "%s", time_ps ? unit_show_ps(text, sizeof text, time_ps) : "-");
}

/* "degrades to 50 %", "columns-stick: 5 %". */
static void kind_cell(struct text_table *table, const struct run_fault *fault)
{
    if (fault->factor > 0)
        text_table_cell(table, "%s%s %.3g %%", fault->kind, strcmp(fault->kind, "columns-stick") == 0 ? ":" : " to",
                        100 * fault->factor);
    else
        text_table_cell(table, "%s", fault->kind);
}

static void print_faults(FILE *out, const struct run *run, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_RIGHT, "fault", NULL);
    text_table_column(table, ALIGN_RIGHT, "after step", NULL);
    text_table_column(table, ALIGN_RIGHT, "virtual time", NULL);
    text_table_column(table, ALIGN_LEFT, "device", NULL);
    text_table_column(table, ALIGN_LEFT, "what happened", NULL);
    text_table_column(table, ALIGN_LEFT, "what was done", NULL);
    text_table_column(table, ALIGN_RIGHT, "steps undone", NULL);
    for (int i = 0; i < run->n_faults; i++) {
        const struct run_fault *fault = &run->fault[i];
        text_table_row(table);
        text_table_cell(table, "%d", i + 1);
        text_table_cell(table, "%" PRId64, fault->step);
        time_cell(table, fault->time_ps);
        text_table_cell(table, "%s", fault->device);
        kind_cell(table, fault);
        text_table_cell(table, "%s", fault->action);
        text_table_cell(table, "%" PRId64, fault->steps_undone);
    }
    fprintf(out, "\nFaults\n");
    text_table_print(table, out, TABLE_WIDTH);
    for (int i = 0; i < run->n_faults; i++)
        if (*run->fault[i].reason)
            fprintf(out, "  %d: no low-parameter mode without it: %s\n", i + 1, run->fault[i].reason);
}

static void print_recovery(FILE *out, const struct run *run, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    char text[64];
    text_table_column(table, ALIGN_RIGHT, "fault", NULL);
    text_table_column(table, ALIGN_RIGHT, "time of recovery", NULL);
    text_table_column(table, ALIGN_RIGHT, "its energy", NULL);
    text_table_column(table, ALIGN_RIGHT, "cells programmed", NULL);
    text_table_column(table, ALIGN_RIGHT, "a step before", NULL);
    text_table_column(table, ALIGN_RIGHT, "a step after", NULL);
    text_table_column(table, ALIGN_RIGHT, "steps since", NULL);
    for (int i = 0; i < run->n_faults; i++) {
        const struct run_fault *fault = &run->fault[i];
        text_table_row(table);
        text_table_cell(table, "%d", i + 1);
        time_cell(table, fault->recovery_ps);
        text_table_cell(table, "%s",
                        fault->recovery_fj ? unit_show(text, sizeof text, UNIT_JOULES, joules(fault->recovery_fj))
                                           : "-");
        text_table_cell(table, "%" PRIu64, fault->recovery_cells);
        time_cell(table, fault->step_before_ps);
        time_cell(table, fault->step_after_ps);
        text_table_cell(table, "%" PRId64, fault->steps_since);
    }
    fprintf(out, "\nRecovery\n");
    text_table_print(table, out, TABLE_WIDTH);
}

void fault_tables_print(FILE *out, const struct run *run, struct arena *arena)
{
    if (run->n_faults) {
        print_faults(out, run, arena);
        print_recovery(out, run, arena);
    }
    if (run->faults_to_come)
        fprintf(out, "\n%" PRId64 " fault%s of the job came after the end of the run\n", run->faults_to_come,
                run->faults_to_come > 1 ? "s" : "");
}
