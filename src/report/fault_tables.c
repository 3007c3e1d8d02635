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
static void kind_cell(struct text_table *table, const char *kind, double factor)
{
    if (factor > 0)
        text_table_cell(table, "%s%s %.3g %%", kind, strcmp(kind, "columns-stick") == 0 ? ":" : " to", 100 * factor);
    else
        text_table_cell(table, "%s", kind);
}

static void energy_cell(struct text_table *table, wide_uint energy_fj)
{
    char text[64];
    text_table_cell(table, "%s", energy_fj ? unit_show(text, sizeof text, UNIT_JOULES, joules(energy_fj)) : "-");
}

struct text_table *fault_table(const struct run *run, struct arena *arena)
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
        kind_cell(table, fault->kind, fault->factor);
        text_table_cell(table, "%s", fault->action);
        text_table_cell(table, "%" PRId64, fault->steps_undone);
    }
    return table;
}

struct text_table *fault_recovery_table(const struct run *run, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
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
        energy_cell(table, fault->recovery_fj);
        text_table_cell(table, "%" PRIu64, fault->recovery_cells);
        time_cell(table, fault->step_before_ps);
        time_cell(table, fault->step_after_ps);
        text_table_cell(table, "%" PRId64, fault->steps_since);
    }
    return table;
}

/* ---- serving ---- */

struct text_table *fault_serving_table(const struct serving_faults *faults, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_RIGHT, "fault", NULL);
    text_table_column(table, ALIGN_RIGHT, "virtual time", NULL);
    text_table_column(table, ALIGN_RIGHT, "instance", NULL);
    text_table_column(table, ALIGN_LEFT, "device", NULL);
    text_table_column(table, ALIGN_LEFT, "what happened", NULL);
    text_table_column(table, ALIGN_RIGHT, "stop for it", NULL);
    text_table_column(table, ALIGN_RIGHT, "its energy", NULL);
    text_table_column(table, ALIGN_RIGHT, "requests without KV", NULL);
    text_table_column(table, ALIGN_RIGHT, "KV lost", "tokens");
    text_table_column(table, ALIGN_RIGHT, "kept on the host", "tokens");
    for (int i = 0; i < faults->n; i++) {
        const struct serving_fault *fault = &faults->fault[i];
        text_table_row(table);
        text_table_cell(table, "%d", i + 1);
        time_cell(table, fault->struck_ps);
        text_table_cell(table, "%" PRIu32, fault->instance);
        text_table_cell(table, "%s", fault->device);
        kind_cell(table, fault->kind, fault->factor);
        time_cell(table, fault->stop_ps);
        energy_cell(table, fault->stop_energy_fj);
        text_table_cell(table, "%" PRIu64, fault->n_requests);
        text_table_cell(table, "%" PRIu64, fault->lost_tokens);
        text_table_cell(table, "%" PRIu64, fault->kept_tokens);
    }
    return table;
}

static void recovery_row(struct text_table *table, const char *name, uint64_t count, uint64_t time_ps,
                         wide_uint energy_fj)
{
    text_table_row(table);
    text_table_cell(table, "%s", name);
    text_table_cell(table, "%" PRIu64, count);
    if (energy_fj == 0) {
        text_table_cell(table, "-");
        text_table_cell(table, "-");
        return;
    }
    text_table_cell(table, "%.6g", (double)time_ps * 1e-12);
    text_table_cell(table, "%.6g", joules(energy_fj));
}

struct text_table *fault_serving_recovery_table(const struct serving_recovery *recovery, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "faults and recovery, all instances", NULL);
    text_table_column(table, ALIGN_RIGHT, "number", NULL);
    text_table_column(table, ALIGN_RIGHT, "time", "s");
    text_table_column(table, ALIGN_RIGHT, "energy", "J");
    recovery_row(table, "faults", recovery->n_faults, 0, 0);
    recovery_row(table, "devices lost: stops for it", recovery->n_lost_devices, recovery->stop_ps,
                 recovery->stop_energy_fj);
    recovery_row(table, "requests that lost their KV", recovery->n_requests, 0, 0);
    recovery_row(table, "tokens of KV lost", recovery->lost_tokens, 0, 0);
    recovery_row(table, "tokens of KV kept on the host", recovery->kept_tokens, 0, 0);
    recovery_row(table, "tokens computed once more for it", recovery->recomputed_tokens, recovery->recompute_ps,
                 recovery->recompute_energy_fj);
    return table;
}

/* ---- the terminal ---- */

const char *fault_to_come_text(int64_t n, struct arena *arena)
{
    return n ? arena_printf(arena, "%" PRId64 " fault%s of the job came after the end of the run", n, n > 1 ? "s" : "")
             : NULL;
}

static void print_table(FILE *out, const char *title, const struct text_table *table)
{
    fprintf(out, "\n%s\n", title);
    text_table_print(table, out, TABLE_WIDTH);
}

static void print_to_come(FILE *out, int64_t n, struct arena *arena)
{
    if (n)
        fprintf(out, "\n%s\n", fault_to_come_text(n, arena));
}

void fault_tables_print(FILE *out, const struct run *run, struct arena *arena)
{
    if (run->n_faults) {
        print_table(out, "Faults", fault_table(run, arena));
        for (int i = 0; i < run->n_faults; i++)
            if (*run->fault[i].reason)
                fprintf(out, "  %d: no low-parameter mode without it: %s\n", i + 1, run->fault[i].reason);
        print_table(out, "Recovery", fault_recovery_table(run, arena));
    }
    print_to_come(out, run->faults_to_come, arena);
}

void fault_serving_print(FILE *out, const struct serving_recovery *recovery, const struct serving_faults *faults,
                         struct arena *arena)
{
    if (faults->n) {
        print_table(out, "Faults", fault_serving_table(faults, arena));
        print_table(out, "Recovery", fault_serving_recovery_table(recovery, arena));
    }
    print_to_come(out, faults->n_to_come, arena);
}
