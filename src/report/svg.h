/* svg.h - drawings of gnuplot's svg terminal as parts of a page: colours become variables of the page's style, texts
 * are put in from a list, names that could collide are taken out.
 *
 * gnuplot never sees a text from outside. Its script has a stand-in of the same width for each ("{{3_____}}"), which
 * becomes the escaped text here.
 */
#ifndef REPORT_SVG_H
#define REPORT_SVG_H

#include <stdio.h>

#include "base/arena.h"
#include "report/palette.h"

/* Texts that stand in drawings. */
struct svg_texts {
    struct arena *arena;
    const char **text;
    int n;
};

/* Local. Adds a text and returns its stand-in, which has as many characters (at least six) and needs no escapes. */
const char *svg_stand_in(struct svg_texts *texts, const char *text);

/* Local. The colour by which a script names a role: "#010200" and so on; `is_on`: text upon a surface of that colour.
 */
const char *svg_stand_in_colour(struct arena *arena, enum colour colour, int is_on);

/* Local. Writes the content of one drawing of gnuplot 5 (what is within its outermost group), rewritten. Returns 0,
 * writing nothing, when the text is no such drawing. */
int svg_write(FILE *out, const char *drawing, const struct svg_texts *texts);

#endif
