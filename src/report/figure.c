#include "report/figure.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/status.h"

struct figure *figure_new(struct arena *arena, const char *id, const char *title, const char *note)
{
    struct figure *figure = arena_take(arena, sizeof *figure);
    figure->arena = arena;
    figure->id = id;
    figure->title = title;
    figure->note = note;
    return figure;
}

struct figure_axis figure_axis(const char *name, const char *unit, double per_unit, const char *csv)
{
    return (struct figure_axis){.name = name, .unit = unit, .per_unit = per_unit, .csv = csv, .min = NAN, .max = NAN};
}

struct figure_curve *figure_add_curve(struct figure *figure, const char *name, enum colour colour,
                                      enum curve_style style, size_t n, const double *x, const double *y)
{
    figure->curve = arena_grown(figure->arena, figure->curve, (size_t)figure->n_curves, sizeof *figure->curve);
    struct figure_curve *curve = &figure->curve[figure->n_curves++];
    *curve = (struct figure_curve){name, colour, style, n, x, y};
    return curve;
}

int figure_add_row(struct figure *figure, const char *name)
{
    figure->row = arena_grown(figure->arena, figure->row, (size_t)figure->n_rows, sizeof *figure->row);
    figure->row[figure->n_rows] = name;
    return figure->n_rows++;
}

void figure_add_box(struct figure *figure, const struct figure_box *box)
{
    if (box->row < 0 || box->row >= figure->n_rows)
        bug("%s: a box in row %d of %d", figure->id, box->row, figure->n_rows);
    figure->box = arena_grown(figure->arena, figure->box, (size_t)figure->n_boxes, sizeof *figure->box);
    figure->box[figure->n_boxes++] = *box;
}

void figure_add_line(struct figure *figure, const struct figure_line *line)
{
    figure->line = arena_grown(figure->arena, figure->line, (size_t)figure->n_lines, sizeof *figure->line);
    figure->line[figure->n_lines++] = *line;
}

void figure_add_band(struct figure *figure, const struct figure_band *band)
{
    figure->band = arena_grown(figure->arena, figure->band, (size_t)figure->n_bands, sizeof *figure->band);
    figure->band[figure->n_bands++] = *band;
}

double *figure_numbers(struct figure *figure, size_t n)
{
    return arena_array(figure->arena, n + 1, sizeof(double));
}

static int is_drawn(const struct figure_curve *curve, size_t i)
{
    return isfinite(curve->x[i]) && isfinite(curve->y[i]);
}

int figure_is_empty(const struct figure *figure)
{
    for (int b = 0; b < figure->n_boxes; b++)
        if (figure->box[b].to > figure->box[b].from)
            return 0;
    for (int c = 0; c < figure->n_curves; c++)
        for (size_t i = 0; i < figure->curve[c].n; i++)
            if (is_drawn(&figure->curve[c], i))
                return 0;
    return 1;
}

/* ---- ranges ---- */

struct range {
    double min, max;
    int is_log;
};

static void widen(struct range *range, double value)
{
    if (!isfinite(value) || (range->is_log && value <= 0))
        return;
    range->min = value < range->min ? value : range->min;
    range->max = value > range->max ? value : range->max;
}

static struct range extremes(const struct figure *figure, int is_y)
{
    struct range range = {INFINITY, -INFINITY, (is_y ? &figure->y : &figure->x)->is_log};
    for (int c = 0; c < figure->n_curves; c++)
        for (size_t i = 0; i < figure->curve[c].n; i++)
            if (is_drawn(&figure->curve[c], i))
                widen(&range, is_y ? figure->curve[c].y[i] : figure->curve[c].x[i]);
    for (int b = 0; !is_y && b < figure->n_boxes; b++) {
        widen(&range, figure->box[b].from);
        widen(&range, figure->box[b].to);
    }
    for (int l = 0; l < figure->n_lines; l++)
        if (figure->line[l].is_horizontal == is_y)
            widen(&range, figure->line[l].at);
    if (range.min > range.max)
        range.min = range.max = range.is_log ? 1 : 0;
    return range;
}

/* Bars begin at the axis; curves keep a distance from the frame, in y alone. */
static void add_room(struct range *range, int is_y)
{
    if (range->is_log) {
        double factor = range->max > range->min ? pow(range->max / range->min, 0.06) : 2;
        range->min /= factor;
        range->max *= factor;
        return;
    }
    double extent = range->max - range->min;
    if (extent <= 0)
        extent = fabs(range->max) > 0 ? fabs(range->max) : 1;
    else if (!is_y)
        return;
    double room = 0.06 * extent, min = range->min;
    range->min = min >= 0 && min < 0.3 * range->max ? 0 : min - room;
    range->max += room;
}

void figure_range(const struct figure *figure, int is_y, double *min, double *max)
{
    const struct figure_axis *axis = is_y ? &figure->y : &figure->x;
    struct range range = extremes(figure, is_y);
    add_room(&range, is_y);
    *min = (isnan(axis->min) ? range.min : axis->min) / axis->per_unit;
    *max = (isnan(axis->max) ? range.max : axis->max) / axis->per_unit;
    if (!(*min < *max))
        *max = *min + 1;
}

/* ---- data ---- */

size_t figure_data_rows(const struct figure *figure)
{
    size_t n = (size_t)figure->n_boxes;
    for (int c = 0; c < figure->n_curves; c++)
        n += figure->curve[c].n;
    return n;
}

size_t figure_thin(const struct figure_curve *curve, size_t max, size_t *index)
{
    size_t n = 0, stretches = max / 2;
    if (curve->n <= max) {
        for (; n < curve->n; n++)
            index[n] = n;
        return n;
    }
    for (size_t s = 0; s < stretches; s++) {
        size_t first = curve->n * s / stretches, end = curve->n * (s + 1) / stretches, low = first, high = first;
        for (size_t i = first; i < end; i++) {
            low = curve->y[i] < curve->y[low] || isnan(curve->y[low]) ? i : low;
            high = curve->y[i] > curve->y[high] || isnan(curve->y[high]) ? i : high;
        }
        index[n++] = low < high ? low : high;
        if (low != high)
            index[n++] = low < high ? high : low;
    }
    return n;
}

static void put_field(FILE *out, const char *text)
{
    text = text ? text : "";
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++)
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, out);
    fputc('"', out);
}

static void put_number(FILE *out, double value)
{
    fputc(',', out);
    if (isfinite(value))
        fprintf(out, "%.15g", value);
}

static void write_boxes(FILE *out, const struct figure *figure)
{
    fprintf(out, "row,part,%s_from,%s_to,%s\n", figure->x.csv, figure->x.csv, figure->value_csv);
    for (int b = 0; b < figure->n_boxes; b++) {
        put_field(out, figure->row[figure->box[b].row]);
        fputc(',', out);
        put_field(out, figure->box[b].part);
        put_number(out, figure->box[b].from);
        put_number(out, figure->box[b].to);
        put_number(out, figure->box[b].value);
        fputc('\n', out);
    }
}

void figure_write_csv(FILE *out, const struct figure *figure, size_t max_rows)
{
    if (figure->n_rows) {
        write_boxes(out, figure);
        return;
    }
    size_t rows = figure_data_rows(figure), share = max_rows;
    fprintf(out, "curve,%s,%s\n", figure->x.csv, figure->y.csv);
    for (int c = 0; c < figure->n_curves; c++) {
        const struct figure_curve *curve = &figure->curve[c];
        if (rows > max_rows)
            share = max_rows / (size_t)figure->n_curves < 4 ? 4 : max_rows / (size_t)figure->n_curves;
        size_t *index = arena_array(figure->arena, curve->n + share + 1, sizeof *index);
        size_t n = figure_thin(curve, rows > max_rows ? share : curve->n + 4, index);
        for (size_t k = 0; k < n; k++) {
            put_field(out, curve->name);
            put_number(out, curve->x[index[k]]);
            put_number(out, curve->y[index[k]]);
            fputc('\n', out);
        }
    }
}
