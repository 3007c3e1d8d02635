/* plot.h - figures drawn by gnuplot, each in two widths: for the width of a desk and for that of a phone.
 *
 * Letters keep their size when a page is narrow, because the narrow drawing is another one, not the wide one shrunk.
 */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include "base/arena.h"
#include "base/status.h"
#include "report/figure.h"

enum plot_width { PLOT_WIDE, PLOT_NARROW, N_PLOT_WIDTHS };

struct plot {
    const char *content[N_PLOT_WIDTHS]; /* SVG without its outermost element; colours are variables of the page */
    int width[N_PLOT_WIDTHS], height[N_PLOT_WIDTHS];
};

/* Local. Draws all figures (none of them empty) with one run of gnuplot: plot[n]. Faults of gnuplot_run, and
 * STATUS_FAILED for a drawing that is not understood. */
enum status plot_draw(const struct figure *const *figure, int n, struct arena *arena, struct plot *plot,
                      struct fault *fault);

#endif
