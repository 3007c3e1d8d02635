#include "report/switch_tables.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>

#include "report/chart.h"
#include "report/output.h"
#include "report/table.h"

/* The report tells so many first and last decisions. */
enum { TOLD_AT_EACH_END = 6 };

static int count_decisions(const struct run_switch *told)
{
    int n = 0;
    for (int i = 0; i < told->n_records; i++)
        n += told->record[i].is_decision;
    return n;
}

/* Which records the report tells: decisions, the middle of many left out; without any the last check. Returns how
 * many. */
static int choose_told(const struct run_switch *told, const struct run_switch_record **chosen)
{
    int n = 0, seen = 0, n_decisions = count_decisions(told);
    for (int i = 0; i < told->n_records; i++) {
        if (!told->record[i].is_decision)
            continue;
        if (seen < TOLD_AT_EACH_END || seen >= n_decisions - TOLD_AT_EACH_END)
            chosen[n++] = &told->record[i];
        seen++;
    }
    if (n == 0 && told->n_records)
        chosen[n++] = &told->record[told->n_records - 1];
    return n;
}

static void count_cell(struct text_table *table, int64_t count)
{
    if (count)
        text_table_cell(table, "%" PRId64, count);
    else
        text_table_cell(table, "-");
}

static void print_decisions(FILE *out, const struct run_switch_record *const *chosen, int n, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_RIGHT, "step", NULL);
    text_table_column(table, ALIGN_RIGHT, "window", NULL);
    text_table_column(table, ALIGN_LEFT, "from", NULL);
    text_table_column(table, ALIGN_LEFT, "to", NULL);
    text_table_column(table, ALIGN_LEFT, "decision", NULL);
    text_table_column(table, ALIGN_RIGHT, "width", NULL);
    text_table_column(table, ALIGN_LEFT, "because", NULL);
    for (int i = 0; i < n; i++) {
        const struct run_switch_record *record = chosen[i];
        text_table_row(table);
        text_table_cell(table, "%" PRId64, record->step);
        count_cell(table, record->window);
        text_table_cell(table, "%s", record->before);
        text_table_cell(table, "%s", record->after);
        text_table_cell(table, "%s", record->action);
        count_cell(table, record->width);
        text_table_cell(table, "%s", record->reason);
    }
    text_table_print(table, out, TABLE_WIDTH);
}

static void number_row(struct text_table *table, const struct run_switch_number *number)
{
    text_table_cell(table, "%s", number->name);
    text_table_cell(table, "%.6g", number->value);
    if (number->relation[0] == '\0')
        return;
    text_table_cell(table, "%s", number->relation);
    text_table_cell(table, "%.6g", number->threshold);
    text_table_cell(table, "%s", number->holds ? "yes" : "no");
}

static void print_numbers(FILE *out, const struct run_switch_record *const *chosen, int n, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_RIGHT, "step", NULL);
    text_table_column(table, ALIGN_LEFT, "number", NULL);
    text_table_column(table, ALIGN_RIGHT, "value", NULL);
    text_table_column(table, ALIGN_LEFT, "", NULL);
    text_table_column(table, ALIGN_RIGHT, "threshold", NULL);
    text_table_column(table, ALIGN_LEFT, "holds", NULL);
    int n_rows = 0;
    for (int i = 0; i < n; i++) {
        const struct run_switch_record *record = chosen[i];
        for (int k = 0; k < record->n_numbers; k++, n_rows++) {
            text_table_row(table);
            if (k == 0)
                text_table_cell(table, "%" PRId64, record->step);
            else
                text_table_cell(table, "%s", "");
            number_row(table, &record->number[k]);
        }
    }
    if (n_rows == 0)
        return;
    fputc('\n', out);
    text_table_print(table, out, TABLE_WIDTH);
}

static void print_switch(FILE *out, const struct run_switch *told, struct arena *arena)
{
    int n_decisions = count_decisions(told), left_out = n_decisions - 2 * TOLD_AT_EACH_END;
    fprintf(out, "\nSwitch by policy %s", told->policy);
    if (told->window_steps)
        fprintf(out, ", windows of %" PRId64 " steps", told->window_steps);
    if (told->n_records == 0) {
        fprintf(out, ": no decision\n");
        return;
    }
    fprintf(out, ": %d decision%s, %d record%s (all are in result.h5)%s\n", n_decisions, n_decisions == 1 ? "" : "s",
            told->n_records, told->n_records == 1 ? "" : "s", n_decisions ? "" : "; the last check:");
    if (left_out > 0)
        fprintf(out, "The %d decisions in the middle are left out here.\n", left_out);
    const struct run_switch_record **chosen = arena_array(arena, 2 * TOLD_AT_EACH_END + 1, sizeof *chosen);
    int n = choose_told(told, chosen);
    print_decisions(out, chosen, n, arena);
    print_numbers(out, chosen, n, arena);
}

/* ---- losses ---- */

static void print_losses(FILE *out, const struct run_switch *told, struct arena *arena)
{
    size_t n = (size_t)told->n_steps;
    int64_t *step = arena_array(arena, n, sizeof *step);
    double *full = arena_array(arena, n, sizeof *full), *low = arena_array(arena, n, sizeof *low);
    struct chart_event *event = arena_array(arena, (size_t)told->n_records + 1, sizeof *event);
    int n_events = 0;
    for (size_t i = 0; i < n; i++) {
        step[i] = told->step[i].step;
        full[i] = told->step[i].loss_full;
        low[i] = told->step[i].loss_low;
    }
    for (int i = 0; i < told->n_records; i++) {
        const struct run_switch_record *record = &told->record[i];
        if (record->is_decision && record->step >= step[0] && record->step <= step[n - 1])
            event[n_events++] = (struct chart_event){record->step, (char)toupper((unsigned char)record->after[0])};
    }
    const struct chart_curve curve[2] = {{'f', (int)n, step, full}, {'l', (int)n, step, low}};
    const struct chart chart = {"step", step[0], step[n - 1], 2, curve, n_events, event};
    fprintf(out,
            "\nLoss: f full, l low mode, # both; means of %.3g steps; below, decisions: to F full, T trial, L low\n",
            chart_column_width(&chart));
    chart_print(out, &chart, arena);
}

static int has_losses(const struct run_switch *told)
{
    for (int i = 0; i < told->n_steps; i++)
        if (isfinite(told->step[i].loss_full) || isfinite(told->step[i].loss_low))
            return 1;
    return 0;
}

/* ---- phases ---- */

struct phase_columns {
    struct column_unit time, energy, step_time;
    uint64_t *time_tenths, *energy_tenths;
    uint64_t *time_thousandths, *energy_thousandths;
    wide_uint time_ps, energy_fj;
};

static void share_out(const struct run *run, struct arena *arena, struct phase_columns *columns)
{
    size_t n = (size_t)run->n_phases;
    wide_uint *time_ps = arena_array(arena, n, sizeof *time_ps), *energy_fj = arena_array(arena, n, sizeof *energy_fj);
    wide_uint slowest_ps = 0;
    *columns = (struct phase_columns){.time_tenths = arena_array(arena, n, sizeof(uint64_t)),
                                      .energy_tenths = arena_array(arena, n, sizeof(uint64_t)),
                                      .time_thousandths = arena_array(arena, n, sizeof(uint64_t)),
                                      .energy_thousandths = arena_array(arena, n, sizeof(uint64_t))};
    for (size_t i = 0; i < n; i++) {
        const struct run_phase *phase = &run->phase[i];
        wide_uint step_ps = phase->time_ps / (uint64_t)(phase->last_step - phase->first_step + 1);
        slowest_ps = step_ps > slowest_ps ? step_ps : slowest_ps;
        columns->time_ps += time_ps[i] = phase->time_ps;
        columns->energy_fj += energy_fj[i] = phase->energy_fj;
    }
    columns->time = time_unit(columns->time_ps);
    columns->energy = energy_unit(columns->energy_fj);
    columns->step_time = time_unit(slowest_ps);
    apportion_percent(time_ps, run->n_phases, columns->time_tenths);
    apportion_percent(energy_fj, run->n_phases, columns->energy_tenths);
    apportion(time_ps, run->n_phases, column_thousandths(columns->time_ps, columns->time), columns->time_thousandths);
    apportion(energy_fj, run->n_phases, column_thousandths(columns->energy_fj, columns->energy),
              columns->energy_thousandths);
}

static void phase_row(struct text_table *table, const struct run_phase *phase, const struct phase_columns *columns,
                      int i)
{
    int64_t steps = phase->last_step - phase->first_step + 1;
    text_table_row(table);
    text_table_cell(table, "%s", phase->name);
    text_table_cell(table, "%" PRId64, phase->first_step);
    text_table_cell(table, "%" PRId64, phase->last_step);
    text_table_thousandths(table, columns->time_thousandths[i]);
    text_table_percent(table, columns->time_tenths[i]);
    text_table_thousandths(table, columns->energy_thousandths[i]);
    text_table_percent(table, columns->energy_tenths[i]);
    text_table_thousandths(table, column_thousandths(phase->time_ps / (uint64_t)steps, columns->step_time));
}

static void print_phases(FILE *out, const struct run *run, struct arena *arena)
{
    struct phase_columns columns;
    struct text_table *table = text_table_new(arena);
    share_out(run, arena, &columns);
    text_table_column(table, ALIGN_LEFT, "phase", NULL);
    text_table_column(table, ALIGN_RIGHT, "first step", NULL);
    text_table_column(table, ALIGN_RIGHT, "last step", NULL);
    text_table_column(table, ALIGN_RIGHT, "virtual time", columns.time.name);
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    text_table_column(table, ALIGN_RIGHT, "energy", columns.energy.name);
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    text_table_column(table, ALIGN_RIGHT, "per step", columns.step_time.name);
    for (int i = 0; i < run->n_phases; i++)
        phase_row(table, &run->phase[i], &columns, i);
    text_table_rule(table);
    text_table_row(table);
    text_table_cell(table, "all");
    text_table_cell(table, "%" PRId64, run->phase[0].first_step);
    text_table_cell(table, "%" PRId64, run->phase[run->n_phases - 1].last_step);
    text_table_thousandths(table, column_thousandths(columns.time_ps, columns.time));
    text_table_percent_total(table, columns.time_tenths, run->n_phases);
    text_table_thousandths(table, column_thousandths(columns.energy_fj, columns.energy));
    text_table_percent_total(table, columns.energy_tenths, run->n_phases);
    fprintf(out, "\nPhases, with the handovers and evaluations in them\n");
    text_table_print(table, out, TABLE_WIDTH);
}

void switch_tables_print(FILE *out, const struct run *run, struct arena *arena)
{
    if (run->mode_switch.policy)
        print_switch(out, &run->mode_switch, arena);
    if (has_losses(&run->mode_switch))
        print_losses(out, &run->mode_switch, arena);
    if (run->n_phases)
        print_phases(out, run, arena);
}

/* ---- loss.csv ---- */

static void put_loss(FILE *out, double loss)
{
    if (isnan(loss))
        fputc(',', out);
    else
        fprintf(out, "%.17g,", loss);
}

static void put_steps(FILE *out, const struct run_switch *told)
{
    for (int i = 0; i < told->n_records; i++)
        if (told->record[i].is_decision)
            fprintf(out, "# after step %" PRId64 ": %s: %s\n", told->record[i].step, told->record[i].action,
                    told->record[i].reason);
    fputs("step,loss_full,loss_low,window,state\n", out);
    for (int i = 0; i < told->n_steps; i++) {
        const struct run_switch_step *step = &told->step[i];
        fprintf(out, "%" PRId64 ",", step->step);
        put_loss(out, step->loss_full);
        put_loss(out, step->loss_low);
        fprintf(out, "%" PRId64 ",%s\n", step->window, step->state);
    }
}

enum status switch_tables_write_csv(const char *path, const struct run *run, struct fault *fault)
{
    struct output output;
    if (output_open(&output, path, fault) == STATUS_OK) {
        put_steps(output.file, &run->mode_switch);
        output_finish(&output, fault);
    }
    output_close(&output);
    return fault->status;
}
