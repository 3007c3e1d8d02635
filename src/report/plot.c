#include "report/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/gnuplot.h"
#include "report/svg.h"
#include "report/ticks.h"

enum { POINTS_DRAWN = 600, MOST_LABELS = 12, FEW_BOXES = 120 };
static const double time_limit_s = 120;

static const struct layout {
    int width, height, font, x_ticks, y_ticks, row_height;
    double line_width, point_size;
} layouts[N_PLOT_WIDTHS] = {
    [PLOT_WIDE] = {760, 380, 15, 8, 6, 34, 2.2, 0.65},
    [PLOT_NARROW] = {380, 300, 13, 4, 5, 30, 1.8, 0.5},
};

struct drawing {
    FILE *out; /* the script */
    const struct figure *figure;
    const struct layout *layout;
    struct svg_texts *texts;
    int width, height;
    double left, right; /* margins of the frame in pixels */
};

static const char *colour(const struct drawing *d, enum colour value)
{
    return svg_stand_in_colour(d->texts->arena, value, 0);
}

static const char *text(const struct drawing *d, const char *value)
{
    return svg_stand_in(d->texts, value);
}

static int height_of(const struct figure *figure, const struct layout *layout)
{
    return figure->n_rows ? layout->row_height * figure->n_rows + 5 * layout->font + layout->font / 2 : layout->height;
}

static int count_characters(const char *value)
{
    int n = 0;
    for (; *value; value++)
        n += ((unsigned char)*value & 0xc0) != 0x80;
    return n;
}

/* About half of the width of a text in pixels. */
static double half_width(const struct drawing *d, const char *value)
{
    return 0.3 * d->layout->font * count_characters(value);
}

static const char *axis_text(const struct drawing *d, const struct figure_axis *axis)
{
    return axis->unit ? arena_printf(d->texts->arena, "%s [%s]", axis->name, axis->unit) : axis->name;
}

static struct ticks ticks_of(const struct figure *figure, const struct layout *layout, int is_y)
{
    const struct figure_axis *axis = is_y ? &figure->y : &figure->x;
    const struct tick_style style = {is_y ? layout->y_ticks : layout->x_ticks, axis->has_prefix, axis->is_whole};
    struct ticks ticks = {.n = 0};
    double min, max;
    figure_range(figure, is_y, &min, &max);
    if (axis->is_log)
        ticks_log(&ticks, min, max, &style);
    else
        ticks_linear(&ticks, min, max, &style);
    return ticks;
}

static void put_ticks(const struct drawing *d, int is_y)
{
    struct ticks ticks = ticks_of(d->figure, d->layout, is_y);
    double min, max;
    figure_range(d->figure, is_y, &min, &max);
    fprintf(d->out, "set %crange [%.12g:%.12g]\nset %ctics %s (", "xy"[is_y], min, max, "xy"[is_y],
            is_y ? "" : "offset 0, 0.35");
    for (int i = 0; i < ticks.n; i++)
        fprintf(d->out, "%s'%s' %.12g", i ? ", " : "", text(d, ticks.label[i]), ticks.at[i]);
    fprintf(d->out, ")\n");
    if ((is_y ? &d->figure->y : &d->figure->x)->is_log)
        fprintf(d->out, "set logscale %c\n", "xy"[is_y]);
}

static void put_rows(const struct drawing *d)
{
    fprintf(d->out, "set yrange [%g:-0.5]\nset ytics (", d->figure->n_rows - 0.5);
    for (int r = 0; r < d->figure->n_rows; r++)
        fprintf(d->out, "%s'%s' %d", r ? ", " : "", text(d, d->figure->row[r]), r);
    fprintf(d->out, ") scale 0\nset grid noytics\n");
}

/* The frame's place is ours, as gnuplot knows stand-ins but not the texts. */
static double left_margin(const struct figure *figure, const struct layout *layout)
{
    int longest = 0;
    struct ticks ticks = {.n = 0};
    if (!figure->n_rows)
        ticks = ticks_of(figure, layout, 1);
    for (int i = 0; i < (figure->n_rows ? figure->n_rows : ticks.n); i++) {
        int n = count_characters(figure->n_rows ? figure->row[i] : ticks.label[i]);
        longest = n > longest ? n : longest;
    }
    return (0.64 * longest + (figure->n_rows ? 1.3 : 2.6)) * layout->font;
}

static double within(double at, double least, double most)
{
    return at > most ? most : at < least ? least : at;
}

static void put_titles(const struct drawing *d)
{
    double font = d->layout->font, half = half_width(d, axis_text(d, &d->figure->x));
    double center = within((d->left + d->width - d->right) / 2, half, d->width - half);
    const char *muted = colour(d, COLOUR_MUTED);
    fprintf(d->out, "set label '%s' at screen %.6g, screen %.6g center textcolor rgb '%s'\n",
            text(d, axis_text(d, &d->figure->x)), center / d->width, 0.65 * font / d->height, muted);
    if (!d->figure->n_rows)
        fprintf(d->out, "set label '%s' at screen %.6g, graph 0.5 center rotate by 90 textcolor rgb '%s'\n",
                text(d, axis_text(d, &d->figure->y)), 0.9 * font / d->width, muted);
}

static void put_frame(const struct drawing *d, int number)
{
    const struct figure *figure = d->figure;
    const char *muted = colour(d, COLOUR_MUTED), *grid = colour(d, COLOUR_GRID);
    double bottom = 3.5 * d->layout->font, top = (figure->n_lines ? 1.7 : 0.6) * d->layout->font;
    fprintf(d->out, "reset\nset encoding utf8\nset terminal svg size %d,%d dynamic font 'sans-serif,%d' noenhanced\n",
            d->width, d->height, d->layout->font);
    fprintf(d->out, "set output '%d'\nunset key\nset datafile separator whitespace\n", number);
    if (figure->n_boxes && figure->n_boxes <= FEW_BOXES)
        fprintf(d->out, "set style fill solid 1 border lc rgb '%s'\n", colour(d, COLOUR_PAPER));
    else
        fprintf(d->out, "set style fill solid 1 noborder\n");
    fprintf(d->out, "set border %d lc rgb '%s' lw 1\nset tics nomirror out scale 0.4 textcolor rgb '%s'\n",
            figure->n_rows ? 1 : 3, grid, muted);
    fprintf(d->out, "set grid xtics ytics back lc rgb '%s' lt 1 lw 0.7\n", grid);
    fprintf(d->out, "set lmargin at screen %.6g\nset rmargin at screen %.6g\n", d->left / d->width,
            1 - d->right / d->width);
    fprintf(d->out, "set bmargin at screen %.6g\nset tmargin at screen %.6g\n", bottom / d->height,
            1 - top / d->height);
    put_ticks(d, 0);
    if (figure->n_rows)
        put_rows(d);
    else
        put_ticks(d, 1);
    put_titles(d);
}

static void put_bands(const struct drawing *d)
{
    double per_unit = d->figure->x.per_unit;
    for (int b = 0; b < d->figure->n_bands; b++) {
        const struct figure_band *band = &d->figure->band[b];
        fprintf(d->out,
                "set object %d rectangle from %.12g, graph 0 to %.12g, graph 1 behind fillcolor rgb '%s' fillstyle "
                "solid 0.16 noborder\n",
                b + 1, band->from / per_unit, band->to / per_unit, colour(d, band->colour));
    }
}

/* Pixels from the left to a value of x in drawn units. */
static double pixel_of(const struct drawing *d, double at)
{
    double min, max;
    figure_range(d->figure, 0, &min, &max);
    double share = d->figure->x.is_log ? log(at / min) / log(max / min) : (at - min) / (max - min);
    return d->left + share * (d->width - d->left - d->right);
}

static double label_center(const struct drawing *d, const struct figure_line *line)
{
    double half = half_width(d, line->label);
    return within(pixel_of(d, line->at / d->figure->x.per_unit), half, d->width - half);
}

/* The first of labels that would touch each other is drawn; tables have all of them. */
static int is_covered(const struct drawing *d, int l)
{
    const struct figure_line *line = &d->figure->line[l];
    for (int k = 0; k < l && !line->is_horizontal; k++) {
        const struct figure_line *other = &d->figure->line[k];
        if (other->is_horizontal || !other->label)
            continue;
        if (fabs(label_center(d, line) - label_center(d, other)) <
            half_width(d, line->label) + half_width(d, other->label) + 3)
            return 1;
    }
    return 0;
}

static void put_label(const struct drawing *d, const struct figure_line *line, double at)
{
    if (line->is_horizontal)
        fprintf(d->out, "set label '%s' at graph 0.99, first %.12g right offset 0, 0.5 front", text(d, line->label),
                at);
    else
        fprintf(d->out, "set label '%s' at screen %.6g, graph 1.0 center offset 0, 0.6 front", text(d, line->label),
                label_center(d, line) / d->width);
    fprintf(d->out, " textcolor rgb '%s'\n", colour(d, line->colour));
}

static void put_lines(const struct drawing *d)
{
    for (int l = 0; l < d->figure->n_lines; l++) {
        const struct figure_line *line = &d->figure->line[l];
        double at = line->at / (line->is_horizontal ? d->figure->y.per_unit : d->figure->x.per_unit);
        if (line->is_horizontal)
            fprintf(d->out, "set arrow from graph 0, first %.12g to graph 1, first %.12g", at, at);
        else
            fprintf(d->out, "set arrow from first %.12g, graph 0 to first %.12g, graph 1", at, at);
        fprintf(d->out, " nohead front dashtype (6,4) lw 1.2 lc rgb '%s'\n", colour(d, line->colour));
        if (line->label && d->figure->n_lines <= MOST_LABELS && !is_covered(d, l))
            put_label(d, line, at);
    }
}

/* A label stands in a box that is wider than it. */
static void put_box_labels(const struct drawing *d)
{
    double per_unit = d->figure->x.per_unit;
    for (int b = 0; b < d->figure->n_boxes; b++) {
        const struct figure_box *box = &d->figure->box[b];
        double pixels = box->to > box->from ? pixel_of(d, box->to / per_unit) - pixel_of(d, box->from / per_unit) : 0;
        if (!box->label || pixels < 2.2 * half_width(d, box->label) + 4)
            continue;
        fprintf(d->out, "set label '%s' at first %.12g, first %d center front textcolor rgb '%s'\n",
                text(d, box->label), (box->from + box->to) / 2 / per_unit, box->row,
                svg_stand_in_colour(d->texts->arena, box->colour, 1));
    }
}

static void put_points(const struct drawing *d, int number)
{
    const struct figure_curve *curve = &d->figure->curve[number];
    size_t index[POINTS_DRAWN];
    size_t n = figure_thin(curve, POINTS_DRAWN, index);
    fprintf(d->out, "$c%d << END\n", number);
    for (size_t k = 0; k < n; k++) {
        double x = curve->x[index[k]] / d->figure->x.per_unit, y = curve->y[index[k]] / d->figure->y.per_unit;
        if (isfinite(x) && isfinite(y))
            fprintf(d->out, "%.12g %.12g\n", x, y); /* as the range: the last point must not lie beyond */
        else
            fprintf(d->out, "\n");
    }
    fprintf(d->out, "END\n");
}

static void put_curve(const struct drawing *d, int number)
{
    static const char *const styles[] = {[CURVE_LINE] = "lines",
                                         [CURVE_FAINT] = "lines",
                                         [CURVE_DASHED] = "lines dashtype (7,5)",
                                         [CURVE_STEPS] = "steps",
                                         [CURVE_DOTS] = "points pointtype 7"};
    const struct figure_curve *curve = &d->figure->curve[number];
    fprintf(d->out, "$c%d using 1:2 with %s lc rgb '%s'", number, styles[curve->style], colour(d, curve->colour));
    if (curve->style == CURVE_DOTS)
        fprintf(d->out, " pointsize %g", (curve->n < 4 ? 1.5 : 1) * d->layout->point_size);
    else
        fprintf(d->out, " linewidth %g", curve->style == CURVE_FAINT ? 0.8 : d->layout->line_width);
    fprintf(d->out, " title '%s'", text(d, curve->name));
}

static int has_boxes(const struct figure *figure, enum colour of)
{
    for (int b = 0; b < figure->n_boxes; b++)
        if (figure->box[b].colour == of && figure->box[b].to > figure->box[b].from)
            return 1;
    return 0;
}

static void put_boxes(const struct drawing *d, enum colour of)
{
    double per_unit = d->figure->x.per_unit;
    fprintf(d->out, "$b%d << END\n", (int)of);
    for (int b = 0; b < d->figure->n_boxes; b++) {
        const struct figure_box *box = &d->figure->box[b];
        if (box->colour == of && box->to > box->from)
            fprintf(d->out, "%.12g %d %.12g %.12g %g %g\n", box->from / per_unit, box->row, box->from / per_unit,
                    box->to / per_unit, box->row - 0.36, box->row + 0.36);
    }
    fprintf(d->out, "END\n");
}

static const char *part_of(const struct figure *figure, enum colour of)
{
    for (int b = 0; b < figure->n_boxes; b++)
        if (figure->box[b].colour == of)
            return figure->box[b].part;
    return "";
}

static void put_figure(const struct drawing *d, int number)
{
    const char *comma = "";
    put_frame(d, number);
    put_bands(d);
    put_lines(d);
    put_box_labels(d);
    for (int c = 0; c < d->figure->n_curves; c++)
        put_points(d, c);
    for (int c = 0; c < N_COLOURS; c++)
        if (has_boxes(d->figure, (enum colour)c))
            put_boxes(d, (enum colour)c);
    fprintf(d->out, "plot ");
    for (int c = 0; c < N_COLOURS; c++)
        if (has_boxes(d->figure, (enum colour)c)) {
            fprintf(d->out, "%s$b%d using 1:2:3:4:5:6 with boxxyerror lc rgb '%s' title '%s'", comma, c,
                    colour(d, (enum colour)c), text(d, part_of(d->figure, (enum colour)c)));
            comma = ", ";
        }
    for (int c = 0; c < d->figure->n_curves; c++, comma = ", ") {
        fputs(comma, d->out);
        put_curve(d, c);
    }
    fprintf(d->out, "\nunset output\n");
}

static char *write_script(const struct figure *const *figure, int n, struct svg_texts *texts, struct plot *plot)
{
    char *script;
    size_t size;
    FILE *out = open_memstream(&script, &size);
    if (!out)
        bug("out of memory");
    for (int f = 0; f < n; f++)
        for (int w = 0; w < N_PLOT_WIDTHS; w++) {
            const struct layout *layout = &layouts[w];
            plot[f].width[w] = layout->width;
            plot[f].height[w] = height_of(figure[f], layout);
            const struct drawing drawing = {.out = out,
                                            .figure = figure[f],
                                            .layout = layout,
                                            .texts = texts,
                                            .width = plot[f].width[w],
                                            .height = plot[f].height[w],
                                            .left = left_margin(figure[f], layout),
                                            .right = 1.3 * layout->font};
            put_figure(&drawing, f * N_PLOT_WIDTHS + w);
        }
    fclose(out);
    return script;
}

static const char *rewrite(const char *drawing, const struct svg_texts *texts)
{
    char *content;
    size_t size;
    FILE *out = open_memstream(&content, &size);
    if (!out)
        bug("out of memory");
    int is_understood = svg_write(out, drawing, texts);
    fclose(out);
    const char *kept = is_understood ? arena_string(texts->arena, content) : NULL;
    free(content);
    return kept;
}

enum status plot_draw(const struct figure *const *figure, int n, struct arena *arena, struct plot *plot,
                      struct fault *fault)
{
    struct svg_texts texts = {arena, NULL, 0};
    const char **drawing = arena_array(arena, (size_t)n * N_PLOT_WIDTHS + 1, sizeof *drawing);
    if (n == 0)
        return STATUS_OK;
    char *script = write_script(figure, n, &texts, plot);
    enum status status = gnuplot_run(script, n * N_PLOT_WIDTHS, time_limit_s, arena, drawing, fault);
    free(script);
    for (int f = 0; f < n && status == STATUS_OK; f++)
        for (int w = 0; w < N_PLOT_WIDTHS; w++) {
            plot[f].content[w] = rewrite(drawing[f * N_PLOT_WIDTHS + w], &texts);
            if (!plot[f].content[w])
                return fault_set(fault, STATUS_FAILED, "gnuplot's drawing of '%s' is not understood: another version?",
                                 figure[f]->title);
        }
    return status;
}
