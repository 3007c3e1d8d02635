/* Errors on the test set, horizon by horizon, beside those of simple forecasts. */
#include <inttypes.h>
#include <math.h>

#include "report/page_sections.h"

enum { MOST_ROWS = 8 };

static void number_cell(struct text_table *table, const char *format, double value)
{
    char text[64];
    snprintf(text, sizeof text, format, value);
    text_table_cell(table, "%s", isnan(value) ? "-" : text);
}

static void error_row(struct text_table *table, const char *horizon, const char *name,
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

/* The k-th of `lines` evenly spread over 0..n-1, first and last included. */
static int spread(int k, int lines, int n)
{
    return lines >= n ? k : (int)(((int64_t)k * (n - 1) + (lines - 1) / 2) / (lines - 1));
}

static void add_table(struct document *document, const struct run *run, const struct run_evaluation *last)
{
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_RIGHT, "horizon", "steps");
    text_table_column(table, ALIGN_LEFT, "forecast", NULL);
    text_table_column(table, ALIGN_RIGHT, "MAE", run->units);
    text_table_column(table, ALIGN_RIGHT, "RMSE", run->units);
    text_table_column(table, ALIGN_RIGHT, "MAPE", "%");
    text_table_column(table, ALIGN_RIGHT, "NSE", NULL);
    int lines = last->n_horizons < MOST_ROWS ? last->n_horizons : MOST_ROWS;
    for (int k = 0; k < lines && last->n_horizons > 1; k++) {
        int h = spread(k, lines, last->n_horizons);
        error_row(table, arena_printf(document->arena, "%d", h + 1), "model", &last->horizon[h]);
        for (int b = 0; b < run->n_baselines; b++)
            if (h < run->baseline[b].n_horizons)
                error_row(table, "", run->baseline[b].name, &run->baseline[b].horizon[h]);
    }
    if (last->n_horizons > 1)
        text_table_rule(table);
    error_row(table, "all", "model", &last->all);
    for (int b = 0; b < run->n_baselines; b++)
        error_row(table, "", run->baseline[b].name, &run->baseline[b].all);
    document_table(document, arena_printf(document->arena, "Errors on the test set after step %" PRId64, last->step),
                   table);
}

static double metric(const struct run_metrics *metrics, int which)
{
    return which == 0 ? metrics->mae : metrics->rmse;
}

static void add_forecast(struct figure *figure, const char *name, int number, const struct run_metrics *horizon, int n,
                         int which)
{
    double *x = figure_numbers(figure, (size_t)n), *y = figure_numbers(figure, (size_t)n);
    for (int h = 0; h < n; h++) {
        x[h] = h + 1;
        y[h] = metric(&horizon[h], which);
    }
    enum curve_style style = n == 1 ? CURVE_DOTS : number == 0 ? CURVE_LINE : CURVE_DASHED;
    figure_add_curve(figure, name, colour_of_series(number), style, (size_t)n, x, y);
}

static void add_figure(struct document *document, const struct run *run, const struct run_evaluation *last, int which)
{
    static const char *const names[2][4] = {{"mae", "Mean absolute error by horizon", "MAE", "mae"},
                                            {"rmse", "Root mean square error by horizon", "RMSE", "rmse"}};
    struct figure *figure = figure_new(document->arena, names[which][0], names[which][1],
                                       "Less is better; the model against simple forecasts from the same data.");
    figure->x = figure_axis("horizon", "steps ahead", 1, "horizon");
    figure->x.is_whole = 1;
    figure->y = figure_axis(names[which][2], run->units, 1, names[which][3]);
    figure->y.min = 0;
    add_forecast(figure, "model", 0, last->horizon, last->n_horizons, which);
    for (int b = 0; b < run->n_baselines; b++)
        add_forecast(figure, run->baseline[b].name, b + 1, run->baseline[b].horizon, run->baseline[b].n_horizons,
                     which);
    document_figure(document, figure);
}

void page_add_errors(struct document *document, const struct subject *subject)
{
    const struct run *run = &subject->run;
    if (run->n_evaluations == 0)
        return;
    const struct run_evaluation *last = &run->evaluation[run->n_evaluations - 1];
    document_heading(document, "errors", "Errors on the test set");
    for (int which = 0; which < 2 && last->n_horizons > 1; which++)
        add_figure(document, run, last, which);
    add_table(document, run, last);
}
