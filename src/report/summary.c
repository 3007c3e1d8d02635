#include "report/summary.h"

#include <inttypes.h>
#include <math.h>

#include "base/unit.h"
#include "report/fault_tables.h"
#include "report/ledgers.h"
#include "report/mode_tables.h"
#include "report/switch_tables.h"
#include "report/table.h"

enum { CURVE_LINES = 10, HORIZON_LINES = 6 };

static void print_header(FILE *out, const struct run *run)
{
    fprintf(out, "job         %s%s\n", run->name, run->timing_only ? "  (timing only: no arithmetic was done)" : "");
    fprintf(out, "model       %s\n", run->model_text ? run->model_text : "-");
    fprintf(out, "            %" PRId64 " parameters, %" PRId64 " trained", run->n_parameters, run->n_trainable);
    if (run->n_trainable < run->n_parameters)
        fprintf(out, ", %" PRId64 " frozen", run->n_parameters - run->n_trainable);
    for (int m = 1; m < run->n_modes; m++)
        fprintf(out, "; %" PRId64 " trained in %s mode", run->mode[m].n_trained, run->mode[m].name);
    fprintf(out, "\n");
    mode_print_placement(out, "", run);
    if (run->target)
        fprintf(out, "data        %s%s%s%s, %" PRId64 " training samples, %" PRId64 " test samples\n", run->target,
                run->units ? " [" : "", run->units ? run->units : "", run->units ? "]" : "", run->n_train, run->n_test);
}

static void number_cell(struct text_table *table, const char *format, double value)
{
    char text[64];
    snprintf(text, sizeof text, format, value);
    text_table_cell(table, "%s", isnan(value) ? "-" : text);
}

static void femtojoules_cell(struct text_table *table, double energy_j, struct column_unit unit)
{
    text_table_cell(table, "%.3f", energy_j * 1e15 / (double)unit.per_unit);
}

static void curve_row(struct text_table *table, const struct run_step *step, struct column_unit time,
                      struct column_unit energy)
{
    text_table_row(table);
    text_table_cell(table, "%" PRId64, step->step);
    number_cell(table, "%.6g", step->loss);
    number_cell(table, "%.4g", step->learning_rate);
    text_table_thousandths(table, column_thousandths(step->time_ps, time));
    femtojoules_cell(table, step->energy_j, energy);
}

/* `lines` of 0..n-1, evenly spread, first and last included; the k-th of them. */
static int spread(int k, int lines, int n)
{
    return lines >= n ? k : (int)(((int64_t)k * (n - 1) + (lines - 1) / 2) / (lines - 1));
}

static void print_curve(FILE *out, const struct run *run, struct arena *arena)
{
    if (run->n_steps == 0)
        return;
    const struct run_step *last = &run->step[run->n_steps - 1];
    struct column_unit time = time_unit(last->time_ps), energy = energy_unit((wide_uint)(last->energy_j * 1e15));
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_RIGHT, "step", NULL);
    text_table_column(table, ALIGN_RIGHT, "loss", NULL);
    text_table_column(table, ALIGN_RIGHT, "learning rate", NULL);
    text_table_column(table, ALIGN_RIGHT, "virtual time", time.name);
    text_table_column(table, ALIGN_RIGHT, "energy", energy.name);
    int lines = run->n_steps < CURVE_LINES ? run->n_steps : CURVE_LINES;
    for (int k = 0; k < lines; k++)
        curve_row(table, &run->step[spread(k, lines, run->n_steps)], time, energy);
    fprintf(out, "\nTraining%s\n", lines < run->n_steps ? " (all steps are in result.h5)" : "");
    text_table_print(table, out, TABLE_WIDTH);
}

static void metrics_row(struct text_table *table, const char *horizon, const char *name,
                        const struct run_metrics *metrics)
{
    text_table_row(table);
    text_table_cell(table, "%s", horizon);
    text_table_cell(table, "%s", name);
    number_cell(table, "%.4f", metrics->mae);
    number_cell(table, "%.4f", metrics->rmse);
    number_cell(table, "%.2f", metrics->mape_percent);
    number_cell(table, "%.4f", metrics->nse);
}

static void horizon_rows(struct text_table *table, const struct run *run, const struct run_evaluation *evaluation,
                         int h)
{
    char horizon[16];
    snprintf(horizon, sizeof horizon, "%d", h + 1);
    metrics_row(table, horizon, "model", &evaluation->horizon[h]);
    for (int b = 0; b < run->n_baselines; b++)
        if (h < run->baseline[b].n_horizons)
            metrics_row(table, "", run->baseline[b].name, &run->baseline[b].horizon[h]);
}

static void print_metrics(FILE *out, const struct run *run, struct arena *arena)
{
    if (run->n_evaluations == 0)
        return;
    const struct run_evaluation *last = &run->evaluation[run->n_evaluations - 1];
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_RIGHT, "horizon", "steps");
    text_table_column(table, ALIGN_LEFT, "forecast", NULL);
    text_table_column(table, ALIGN_RIGHT, "MAE", run->units);
    text_table_column(table, ALIGN_RIGHT, "RMSE", run->units);
    text_table_column(table, ALIGN_RIGHT, "MAPE", "%");
    text_table_column(table, ALIGN_RIGHT, "NSE", NULL);
    int lines = last->n_horizons < HORIZON_LINES ? last->n_horizons : HORIZON_LINES;
    for (int k = 0; k < lines && last->n_horizons > 1; k++)
        horizon_rows(table, run, last, spread(k, lines, last->n_horizons));
    if (last->n_horizons > 1)
        text_table_rule(table);
    metrics_row(table, "all", "model", &last->all);
    for (int b = 0; b < run->n_baselines; b++)
        metrics_row(table, "", run->baseline[b].name, &run->baseline[b].all);
    fprintf(out, "\nTest set after step %" PRId64 ", %" PRId64 " values", last->step, last->all.count);
    if (!isnan(last->loss))
        fprintf(out, ", loss %.6g", last->loss);
    fprintf(out, "\n");
    text_table_print(table, out, TABLE_WIDTH);
}

static void print_totals(FILE *out, const struct run *run)
{
    char text[64];
    double energy_j = run_energy_j(run), end_s = (double)run->end_ps * 1e-12;
    fprintf(out, "\nTotals\n");
    fprintf(out, "  virtual time  %s\n", unit_show_ps(text, sizeof text, run->end_ps));
    fprintf(out, "  energy        %s\n", unit_show(text, sizeof text, UNIT_JOULES, energy_j));
    if (run->end_ps)
        fprintf(out, "  mean power    %s\n", unit_show(text, sizeof text, UNIT_WATTS, energy_j / end_s));
    fprintf(out, "  arithmetic    %.4g FLOP\n", (double)run->flops);
    if (run->end_ps)
        fprintf(out, "  achieved      %s\n", unit_show(text, sizeof text, UNIT_FLOP_PER_S, (double)run->flops / end_s));
}

void summary_print_ledgers(FILE *out, const struct run *run)
{
    struct arena *arena = arena_new();
    const struct run_devices devices = run_devices(run);
    ledgers_print(out, &devices, arena);
    print_totals(out, run);
    arena_free(arena);
}

void summary_print(FILE *out, const struct run *run)
{
    struct arena *arena = arena_new();
    print_header(out, run);
    print_curve(out, run, arena);
    print_metrics(out, run, arena);
    switch_tables_print(out, run, arena);
    mode_tables_print(out, run, arena);
    fault_tables_print(out, run, arena);
    summary_print_ledgers(out, run);
    arena_free(arena);
}
