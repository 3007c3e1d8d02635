/* figure.h - a plot as data: curves, boxes in rows, lines and bands over common axes. It knows no gnuplot and no HTML.
 *
 * Values are in base units (s, J, FLOP/s); an axis says how many of them make the unit that is drawn. Everything lives
 * in the arena given. Names may come from users.
 */
#ifndef REPORT_FIGURE_H
#define REPORT_FIGURE_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "report/palette.h"

struct figure_axis {
    const char *name, *unit; /* "virtual time", "ms"; unit NULL: none */
    double per_unit;         /* base units of one drawn unit; 1 when they are the same */
    const char *csv;         /* column of the data file, in base units: "virtual_time_s" */
    int is_log, has_prefix;  /* has_prefix: ticks as "1 M", "10 G" */
    int is_whole;            /* ticks at whole numbers alone */
    double min, max;         /* NaN: found from the data */
};

enum curve_style { CURVE_LINE, CURVE_FAINT, CURVE_DASHED, CURVE_STEPS, CURVE_DOTS };

struct figure_curve {
    const char *name;
    enum colour colour;
    enum curve_style style;
    size_t n;
    const double *x, *y; /* [n]; NaN: no point */
};

struct figure_box { /* from..to along x, in a row */
    int row;
    const char *part, *label; /* label NULL: none; drawn when it fits */
    enum colour colour;
    double from, to;
    double value; /* told in the data file, in the unit of value_csv */
};

struct figure_line { /* across the plot */
    int is_horizontal;
    double at;
    const char *label; /* short; NULL: none */
    enum colour colour;
};

struct figure_band { /* of x, behind the curves */
    const char *name;
    enum colour colour;
    double from, to;
};

struct figure {
    const char *id, *title, *note; /* note: one sentence that explains it */
    struct arena *arena;
    struct figure_axis x, y; /* with rows: y is not used */
    struct figure_curve *curve;
    struct figure_box *box;
    struct figure_line *line;
    struct figure_band *band;
    const char **row; /* from the top */
    int n_curves, n_boxes, n_lines, n_bands, n_rows;
    const char *value_csv; /* of boxes */
};

/* Local. An empty figure; axes are set by the caller. */
struct figure *figure_new(struct arena *arena, const char *id, const char *title, const char *note);

/* Local. An axis in base units that is found from the data. */
struct figure_axis figure_axis(const char *name, const char *unit, double per_unit, const char *csv);

/* Local. Adds a curve; its points are borrowed. Returns it, valid until the next is added. */
struct figure_curve *figure_add_curve(struct figure *figure, const char *name, enum colour colour,
                                      enum curve_style style, size_t n, const double *x, const double *y);

/* Local. Adds a row and returns its number. */
int figure_add_row(struct figure *figure, const char *name);

/* Local. */
void figure_add_box(struct figure *figure, const struct figure_box *box);
void figure_add_line(struct figure *figure, const struct figure_line *line);
void figure_add_band(struct figure *figure, const struct figure_band *band);

/* Local. Room for n numbers, in the figure's arena. */
double *figure_numbers(struct figure *figure, size_t n);

/* Local. Is there anything to draw? */
int figure_is_empty(const struct figure *figure);

/* Local. Smallest and largest x or y that is drawn, in drawn units, with room at the ends; the axis' own where it has
 * them. Never empty: min < max, and above 0 on a logarithmic axis. */
void figure_range(const struct figure *figure, int is_y, double *min, double *max);

/* Local. Rows of its data file. */
size_t figure_data_rows(const struct figure *figure);

/* Local. The data as CSV (RFC 4180): "curve,X,Y", or with rows "row,part,X_from,X_to,VALUE", in base units at full
 * precision. With at most `max_rows` rows: more points of a curve are thinned (figure_thin). */
void figure_write_csv(FILE *out, const struct figure *figure, size_t max_rows);

/* Local. Indices of at most `max` points (at least 4) of a curve, in order: all, or of each of max / 2 equal stretches
 * the lowest and the highest. Returns how many. `index` has room for max. */
size_t figure_thin(const struct figure_curve *curve, size_t max, size_t *index);

#endif
