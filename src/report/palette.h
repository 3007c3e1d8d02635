/* palette.h - the colours of a report's page: named roles, each with one value for light and one for dark.
 *
 * Eight colours tell series apart; they are chosen so that every pair of them differs under the common forms of colour
 * blindness and every one stands off its background (tests/unit/test_page.c computes both). Three more serve
 * breakdowns with many parts, which are labelled as well. The page names them as variables of its style ("--blue").
 */
#ifndef REPORT_PALETTE_H
#define REPORT_PALETTE_H

/* X(enum, name of the variable, light, dark) */
#define COLOURS(X)                                                                                                     \
    X(COLOUR_BLUE, "blue", 0x0067b1, 0x3f8ff0)                                                                         \
    X(COLOUR_RED, "red", 0xc43d0b, 0xe98a3a)                                                                           \
    X(COLOUR_GREEN, "green", 0x0ea07a, 0x35d6a0)                                                                       \
    X(COLOUR_PURPLE, "purple", 0xa8508a, 0xc77fb3)                                                                     \
    X(COLOUR_OLIVE, "olive", 0x96932a, 0xf2e05a)                                                                       \
    X(COLOUR_SKY, "sky", 0x3f9bd0, 0x93dbff)                                                                           \
    X(COLOUR_INDIGO, "indigo", 0x33207f, 0xb9b4ff)                                                                     \
    X(COLOUR_BROWN, "brown", 0x6b3a1e, 0xa9744e)                                                                       \
    X(COLOUR_TEAL, "teal", 0x00605a, 0x7fd6cf)                                                                         \
    X(COLOUR_CRIMSON, "crimson", 0xc1121f, 0xff7b72)                                                                   \
    X(COLOUR_LIME, "lime", 0x5a7d00, 0xb5d35a)                                                                         \
    X(COLOUR_WAIT, "wait", 0x7d8590, 0x8b949e)                                                                         \
    X(COLOUR_REST, "rest", 0xd3d9df, 0x3d444d)                                                                         \
    X(COLOUR_INK, "ink", 0x1b1f24, 0xe6e8eb)                                                                           \
    X(COLOUR_MUTED, "muted", 0x57606a, 0x9aa4af)                                                                       \
    X(COLOUR_GRID, "grid", 0xd0d7de, 0x373e47)                                                                         \
    X(COLOUR_PAPER, "paper", 0xffffff, 0x14181d)

enum colour {
#define X(id, name, light, dark) id,
    COLOURS(X)
#undef X
        N_COLOURS
};

enum { N_SERIES_COLOURS = 8 }; /* COLOUR_BLUE and those after it */

enum theme { THEME_LIGHT, THEME_DARK };

/* Local. "blue". */
const char *colour_name(enum colour colour);

/* Local. 0xRRGGBB. */
unsigned colour_value(enum colour colour, enum theme theme);

/* Local. The colour of series i, from 0: the eight in turn. */
enum colour colour_of_series(int i);

/* Local. Contrast ratio of two colours 0xRRGGBB, 1 to 21. Source: WCAG 2.1, "contrast ratio" and "relative luminance".
 */
double colour_contrast(unsigned a, unsigned b);

/* Local. COLOUR_INK or COLOUR_PAPER, whichever reads better on a surface of this colour. */
enum colour colour_of_text_on(enum colour colour, enum theme theme);

#endif
