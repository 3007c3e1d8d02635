/* A figure within a page. The legend is HTML, not part of the drawing: it wraps where the page is narrow. */
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/page.h"
#include "report/page_private.h"

void figure_write_sprite(FILE *out)
{
    fputs("<svg class=\"sprite\" aria-hidden=\"true\" xmlns=\"http://www.w3.org/2000/svg\"><defs><circle id=\"gpPt6\" "
          "r=\"1\" fill=\"currentColor\"/></defs></svg>\n",
          out);
}

static void put_drawing(FILE *out, const struct figure *figure, const struct plot *plot, int width)
{
    fprintf(out,
            "<div class=\"%s\"><svg viewBox=\"0 0 %d %d\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" "
            "xmlns:xlink=\"http://www.w3.org/1999/xlink\" aria-label=\"",
            width == PLOT_WIDE ? "wide" : "narrow", plot->width[width], plot->height[width]);
    html_text(out, figure->title);
    fputs(". ", out);
    html_text(out, figure->note);
    fputs("\">", out);
    fputs(plot->content[width], out);
    fputs("</svg></div>\n", out);
}

enum swatch { SWATCH_LINE, SWATCH_DASHED, SWATCH_DOT, SWATCH_BOX, SWATCH_BAND };

static void put_legend(FILE *out, const char *name, enum colour colour, enum swatch swatch)
{
    static const char *const shapes[] = {
        [SWATCH_LINE] = "<path d=\"M0,6H24\" stroke=\"var(--%s)\" stroke-width=\"2.5\"/>",
        [SWATCH_DASHED] = "<path d=\"M0,6H24\" stroke=\"var(--%s)\" stroke-width=\"2.5\" stroke-dasharray=\"6,4\"/>",
        [SWATCH_DOT] = "<circle cx=\"12\" cy=\"6\" r=\"4\" fill=\"var(--%s)\"/>",
        [SWATCH_BOX] = "<rect x=\"6\" width=\"12\" height=\"12\" rx=\"2\" fill=\"var(--%s)\"/>",
        [SWATCH_BAND] = "<rect x=\"6\" width=\"12\" height=\"12\" rx=\"2\" fill=\"var(--%s)\" fill-opacity=\"0.3\"/>"};
    fputs("<li><svg viewBox=\"0 0 24 12\" aria-hidden=\"true\">", out);
    const char *shape = shapes[swatch], *at = strstr(shape, "%s");
    fprintf(out, "%.*s%s%s</svg><span>", (int)(at - shape), shape, colour_name(colour), at + 2);
    html_text(out, name);
    fputs("</span></li>\n", out);
}

static int is_first_box(const struct figure *figure, int b)
{
    for (int i = 0; i < b; i++)
        if (figure->box[i].to > figure->box[i].from && figure->box[i].colour == figure->box[b].colour)
            return 0;
    return 1;
}

static int is_first_band(const struct figure *figure, int b)
{
    for (int i = 0; i < b; i++)
        if (strcmp(figure->band[i].name, figure->band[b].name) == 0)
            return 0;
    return 1;
}

static void put_legends(FILE *out, const struct figure *figure)
{
    static const enum swatch swatches[] = {[CURVE_LINE] = SWATCH_LINE,
                                           [CURVE_FAINT] = SWATCH_LINE,
                                           [CURVE_DASHED] = SWATCH_DASHED,
                                           [CURVE_STEPS] = SWATCH_LINE,
                                           [CURVE_DOTS] = SWATCH_DOT};
    fputs("<ul class=\"legend\">\n", out);
    for (int c = 0; c < figure->n_curves; c++)
        put_legend(out, figure->curve[c].name, figure->curve[c].colour, swatches[figure->curve[c].style]);
    for (int b = 0; b < figure->n_boxes; b++)
        if (figure->box[b].to > figure->box[b].from && is_first_box(figure, b))
            put_legend(out, figure->box[b].part, figure->box[b].colour, SWATCH_BOX);
    for (int b = 0; b < figure->n_bands; b++)
        if (is_first_band(figure, b))
            put_legend(out, figure->band[b].name, figure->band[b].colour, SWATCH_BAND);
    fputs("</ul>\n", out);
}

static void put_data(FILE *out, const struct figure *figure)
{
    char *csv;
    size_t size, rows = figure_data_rows(figure);
    FILE *text = open_memstream(&csv, &size);
    if (!text)
        bug("out of memory");
    figure_write_csv(text, figure, PAGE_DATA_ROWS);
    fclose(text);
    fprintf(out, " <a class=\"get\" download=\"%s.csv\" href=\"", figure->id);
    html_data_uri(out, "text/csv;charset=utf-8", csv, size);
    fprintf(out, "\">Data (CSV)</a>");
    if (rows > PAGE_DATA_ROWS && !figure->n_rows)
        fprintf(out, " (about %d of %zu points; --data writes all)", PAGE_DATA_ROWS, rows);
    free(csv);
}

void figure_write_html(FILE *out, const struct figure *figure, const struct plot *plot)
{
    fprintf(out, "<figure id=\"%s\">\n<h4>", figure->id);
    html_text(out, figure->title);
    fputs("</h4>\n", out);
    for (int w = 0; w < N_PLOT_WIDTHS; w++)
        put_drawing(out, figure, plot, w);
    put_legends(out, figure);
    fputs("<figcaption>", out);
    html_text(out, figure->note);
    put_data(out, figure);
    fputs("</figcaption>\n</figure>\n", out);
}
