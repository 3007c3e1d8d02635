#include "report/chart.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/status.h"

/* The y axis is logarithmic above this ratio. */
static const double log_ratio = 10;

/* Rows from the top. */
struct canvas {
    char cell[CHART_ROWS][CHART_COLUMNS + 1];
    char events[CHART_COLUMNS + 1];
    double low, high;
    int logarithmic;
};

static int drawn_columns(const struct chart *chart)
{
    int64_t span = chart->last_x - chart->first_x + 1;
    return span < CHART_COLUMNS ? (int)span : CHART_COLUMNS;
}

static int column_of(const struct chart *chart, int64_t x)
{
    if (x < chart->first_x || x > chart->last_x)
        bug("chart: x %" PRId64 " is not on the axis from %" PRId64 " to %" PRId64, x, chart->first_x, chart->last_x);
    double span = (double)(chart->last_x - chart->first_x) + 1;
    if (span < CHART_COLUMNS)
        return (int)(x - chart->first_x);
    return (int)((double)(x - chart->first_x) * CHART_COLUMNS / span);
}

double chart_column_width(const struct chart *chart)
{
    double width = ((double)(chart->last_x - chart->first_x) + 1) / CHART_COLUMNS;
    return width > 1 ? width : 1;
}

/* mean[CHART_COLUMNS]; NaN where there is no point. */
static void means(const struct chart *chart, const struct chart_curve *curve, double *mean)
{
    int count[CHART_COLUMNS] = {0};
    memset(mean, 0, CHART_COLUMNS * sizeof *mean);
    for (int i = 0; i < curve->n; i++) {
        if (!isfinite(curve->y[i]))
            continue;
        int column = column_of(chart, curve->x[i]);
        mean[column] += curve->y[i];
        count[column]++;
    }
    for (int c = 0; c < CHART_COLUMNS; c++)
        mean[c] = count[c] ? mean[c] / count[c] : NAN;
}

static void find_range(const double *mean, int n, struct canvas *canvas)
{
    canvas->low = INFINITY;
    canvas->high = -INFINITY;
    for (int i = 0; i < n; i++) {
        canvas->low = fmin(canvas->low, mean[i]); /* the number where one is NaN */
        canvas->high = fmax(canvas->high, mean[i]);
    }
    canvas->logarithmic = canvas->low > 0 && canvas->high > log_ratio * canvas->low;
}

/* Height of y from 0 at the bottom to 1 at the top. */
static double height_of(const struct canvas *canvas, double y)
{
    if (!(canvas->high > canvas->low))
        return 0.5;
    if (canvas->logarithmic)
        return log(y / canvas->low) / log(canvas->high / canvas->low);
    return (y - canvas->low) / (canvas->high - canvas->low);
}

static double value_at(const struct canvas *canvas, int row)
{
    double height = 1 - (double)row / (CHART_ROWS - 1);
    if (canvas->logarithmic)
        return canvas->low * pow(canvas->high / canvas->low, height);
    return canvas->low + height * (canvas->high - canvas->low);
}

static void draw(struct canvas *canvas, const double *mean, char mark)
{
    for (int c = 0; c < CHART_COLUMNS; c++) {
        if (isnan(mean[c]))
            continue;
        int row = (int)lround((1 - height_of(canvas, mean[c])) * (CHART_ROWS - 1));
        char *cell = &canvas->cell[row][c];
        *cell = *cell == ' ' ? mark : '#';
    }
}

/* The text without the blanks at its end. */
static void put_line(FILE *out, const char *label, const char *text)
{
    int length = (int)strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        length--;
    fprintf(out, "  %10s |%.*s\n", label, length, text);
}

static void print_canvas(FILE *out, const struct chart *chart, const struct canvas *canvas)
{
    char label[32], line[CHART_COLUMNS + 1];
    for (int row = 0; row < CHART_ROWS; row++) {
        int has_label = row == 0 || row == CHART_ROWS - 1 || row == (CHART_ROWS - 1) / 2;
        snprintf(label, sizeof label, "%.4g", value_at(canvas, row));
        put_line(out, has_label ? label : "", canvas->cell[row]);
    }
    int columns = drawn_columns(chart);
    memset(line, '-', (size_t)columns);
    line[columns] = '\0';
    fprintf(out, "  %10s +%s\n", "", line);
    if (chart->n_events)
        fprintf(out, "  %10s  %s\n", "", canvas->events);
    int used = snprintf(label, sizeof label, "%" PRId64, chart->first_x);
    fprintf(out, "  %10s  %s %*" PRId64 "\n", chart->x_name, label, columns - used - 1, chart->last_x);
}

void chart_print(FILE *out, const struct chart *chart, struct arena *arena)
{
    size_t n_means = (size_t)chart->n_curves * CHART_COLUMNS;
    double *mean = arena_array(arena, n_means + 1, sizeof *mean);
    struct canvas *canvas = arena_take(arena, sizeof *canvas);
    for (int k = 0; k < chart->n_curves; k++)
        means(chart, &chart->curve[k], mean + k * CHART_COLUMNS);
    find_range(mean, (int)n_means, canvas);
    if (!(canvas->high >= canvas->low))
        return;
    for (int row = 0; row < CHART_ROWS; row++)
        memset(canvas->cell[row], ' ', CHART_COLUMNS);
    int last = -1;
    memset(canvas->events, ' ', CHART_COLUMNS);
    for (int k = 0; k < chart->n_events; k++) {
        int column = column_of(chart, chart->event[k].x);
        canvas->events[column] = chart->event[k].mark;
        last = column > last ? column : last;
    }
    canvas->events[last + 1] = '\0';
    for (int k = 0; k < chart->n_curves; k++)
        draw(canvas, mean + k * CHART_COLUMNS, chart->curve[k].mark);
    print_canvas(out, chart, canvas);
}
