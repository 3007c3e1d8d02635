/* page_private.h - figures within a page. */
#ifndef REPORT_PAGE_PRIVATE_H
#define REPORT_PAGE_PRIVATE_H

#include "report/figure.h"
#include "report/plot.h"

/* Local. What drawings refer to: the dot that marks points. Once in a page, before the first figure. */
void figure_write_sprite(FILE *out);

/* Local. <figure>: title, both drawings, legend, the sentence that explains it, its data as a link. */
void figure_write_html(FILE *out, const struct figure *figure, const struct plot *plot);

#endif
