/* chart.h - curves drawn in characters, for reports on a terminal. */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"

enum { CHART_COLUMNS = 96, CHART_ROWS = 12 };

struct chart_curve {
    char mark; /* the character that draws it */
    int n;
    const int64_t *x;
    const double *y; /* NaN: no point */
};

struct chart_event {
    int64_t x;
    char mark; /* stands under the axis; of two in one column the later is seen */
};

struct chart {
    const char *x_name;
    int64_t first_x, last_x; /* the axis; every x lies on it (a bug otherwise) */
    int n_curves;
    const struct chart_curve *curve;
    int n_events;
    const struct chart_event *event;
};

/* Local. Points of a column are drawn as their mean; a place that two curves share is '#'. The y axis reaches from the
 * smallest to the largest mean, and is logarithmic where they are positive and a factor of ten apart. Lines have no
 * blanks at their end. Without any point nothing is printed. */
void chart_print(FILE *out, const struct chart *chart, struct arena *arena);

/* Local. Values of x from one column to the next, at least 1. */
double chart_column_width(const struct chart *chart);

#endif
