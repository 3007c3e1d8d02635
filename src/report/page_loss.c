/* The training curve: loss against steps, virtual time and energy. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/page_axes.h"
#include "report/page_sections.h"

static const struct {
    const char *id, *title, *note;
} plots[N_PROGRESS_AXES] = {
    {"loss-steps", "Loss against steps", "How fast it learns, step by step."},
    {"loss-time", "Loss against virtual time",
     "How fast it learns on this machine: steps of different modes take different times."},
    {"loss-energy", "Loss against energy",
     "What it costs to learn: energy of all devices so far, working, waiting and idle."},
};

static void add_bands(struct figure *figure, const struct run *run, const struct progress_curve *curve,
                      enum progress_axis axis)
{
    for (int p = 0; p < run->n_phases; p++) {
        const struct run_phase *phase = &run->phase[p];
        figure_add_band(figure, &(struct figure_band){arena_printf(figure->arena, "%s mode", phase->name),
                                                      colour_of_mode(phase->name),
                                                      progress_at(curve, axis, phase->first_step - 1),
                                                      progress_at(curve, axis, phase->last_step)});
    }
}

static void add_decisions(struct figure *figure, const struct run *run, const struct progress_curve *curve,
                          enum progress_axis axis)
{
    int number = 0;
    for (int i = 0; i < run->mode_switch.n_records; i++)
        if (run->mode_switch.record[i].is_decision)
            figure_add_line(figure, &(struct figure_line){0, progress_at(curve, axis, run->mode_switch.record[i].step),
                                                          arena_printf(figure->arena, "%d", ++number), COLOUR_INK});
}

static void add_test_loss(struct figure *figure, const struct run *run, const struct progress_curve *curve,
                          enum progress_axis axis)
{
    size_t n = (size_t)run->n_evaluations;
    double *x = figure_numbers(figure, n), *y = figure_numbers(figure, n);
    int is_told = 0;
    for (size_t i = 0; i < n; i++) {
        const struct run_evaluation *evaluation = &run->evaluation[i];
        x[i] = axis == PROGRESS_TIME ? (double)evaluation->time_ps * 1e-12 : progress_at(curve, axis, evaluation->step);
        y[i] = evaluation->loss;
        is_told |= isfinite(y[i]);
    }
    if (is_told)
        figure_add_curve(figure, "test set", COLOUR_RED, CURVE_DOTS, n, x, y);
}

static void add_curves(struct figure *figure, const struct progress_curve *curve, enum progress_axis axis)
{
    const double *x = curve->x[axis];
    if (curve->window > 1)
        figure_add_curve(figure, "each step", COLOUR_WAIT, CURVE_FAINT, curve->n, x, curve->loss);
    const char *suffix = curve->window > 1 ? arena_printf(figure->arena, ", mean of %zu steps", curve->window) : "";
    if (!curve->has_modes) {
        figure_add_curve(figure, arena_printf(figure->arena, "training%s", suffix), COLOUR_BLUE, CURVE_LINE, curve->n,
                         x, curve->mean);
        return;
    }
    figure_add_curve(figure, arena_printf(figure->arena, "full mode%s", suffix), COLOUR_BLUE, CURVE_LINE, curve->n, x,
                     curve->mean_full);
    figure_add_curve(figure, arena_printf(figure->arena, "low mode%s", suffix), COLOUR_GREEN, CURVE_LINE, curve->n, x,
                     curve->mean_low);
}

/* Losses that fall by more than a factor of ten are drawn on a logarithmic axis. */
static int is_wide(const double *value, size_t n)
{
    double min = INFINITY, max = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(value[i])) {
            min = value[i] < min ? value[i] : min;
            max = value[i] > max ? value[i] : max;
        }
    return min > 0 && max > 10 * min;
}

static void add_figure(struct document *document, const struct run *run, const struct progress_curve *curve,
                       enum progress_axis axis)
{
    const char *numbered =
        run->mode_switch.n_records ? " Bands are modes; dashed lines are the numbered decisions." : "";
    struct figure *figure = figure_new(document->arena, plots[axis].id, plots[axis].title,
                                       arena_printf(document->arena, "%s%s", plots[axis].note, numbered));
    figure->x = axis_progress(axis, curve->x[axis][curve->n - 1]);
    figure->y = figure_axis("loss", NULL, 1, "loss");
    figure->y.is_log = is_wide(curve->loss, curve->n);
    add_bands(figure, run, curve, axis);
    add_decisions(figure, run, curve, axis);
    page_mark_faults(figure, run, curve, axis);
    add_curves(figure, curve, axis);
    add_test_loss(figure, run, curve, axis);
    document_figure(document, figure);
}

static void phase_row(struct text_table *table, const struct run *run, int p, const uint64_t *time,
                      const uint64_t *energy, struct column_unit time_unit_, struct column_unit energy_unit_)
{
    const struct run_phase *phase = &run->phase[p];
    text_table_row(table);
    text_table_cell(table, "%s", phase->name);
    text_table_cell(table, "%" PRId64, phase->first_step);
    text_table_cell(table, "%" PRId64, phase->last_step);
    text_table_thousandths(table, column_thousandths(phase->time_ps, time_unit_));
    text_table_percent(table, time[p]);
    text_table_thousandths(table, column_thousandths(phase->energy_fj, energy_unit_));
    text_table_percent(table, energy[p]);
}

static void add_phases(struct document *document, const struct run *run)
{
    size_t n = (size_t)run->n_phases;
    if (n == 0)
        return;
    struct arena *arena = document->arena;
    wide_uint *time_ps = arena_array(arena, n, sizeof *time_ps), *energy_fj = arena_array(arena, n, sizeof *energy_fj);
    uint64_t *time = arena_array(arena, n, sizeof *time), *energy = arena_array(arena, n, sizeof *energy);
    wide_uint total_ps = 0, total_fj = 0;
    for (size_t p = 0; p < n; p++) {
        total_ps += time_ps[p] = run->phase[p].time_ps;
        total_fj += energy_fj[p] = run->phase[p].energy_fj;
    }
    apportion_percent(time_ps, run->n_phases, time);
    apportion_percent(energy_fj, run->n_phases, energy);
    struct column_unit ps = time_unit(total_ps), fj = energy_unit(total_fj);
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "phase", NULL);
    text_table_column(table, ALIGN_RIGHT, "first step", NULL);
    text_table_column(table, ALIGN_RIGHT, "last step", NULL);
    text_table_column(table, ALIGN_RIGHT, "virtual time", ps.name);
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    text_table_column(table, ALIGN_RIGHT, "energy of instructions", fj.name);
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    for (int p = 0; p < run->n_phases; p++)
        phase_row(table, run, p, time, energy, ps, fj);
    document_table(document, "Phases: stretches of steps in one mode, with the handovers and evaluations in them",
                   table);
}

void page_add_loss(struct document *document, const struct subject *subject)
{
    const struct run *run = &subject->run;
    struct progress_curve curve = progress_curve(run, document->arena);
    if (curve.n == 0 && run->n_phases == 0)
        return;
    document_heading(document, "training", "Training");
    if (run->timing_only)
        document_sentence(
            document, "A timing-only run: virtual time and energy without arithmetic, so there is no loss to draw.");
    else if (curve.n)
        for (int a = 0; a < N_PROGRESS_AXES; a++)
            add_figure(document, run, &curve, (enum progress_axis)a);
    add_phases(document, run);
}
