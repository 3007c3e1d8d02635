#include "report/palette.h"

#include <math.h>

#include "base/status.h"

static const struct {
    const char *name;
    unsigned value[2]; /* by theme */
} colours[] = {
#define X(id, name, light, dark) {name, {light, dark}},
    COLOURS(X)
#undef X
};

const char *colour_name(enum colour colour)
{
    if ((int)colour < 0 || colour >= N_COLOURS)
        bug("colour %d", (int)colour);
    return colours[colour].name;
}

unsigned colour_value(enum colour colour, enum theme theme)
{
    if ((int)colour < 0 || colour >= N_COLOURS)
        bug("colour %d", (int)colour);
    return colours[colour].value[theme];
}

enum colour colour_of_series(int i)
{
    return (enum colour)(COLOUR_BLUE + i % N_SERIES_COLOURS);
}

static double linear(unsigned channel)
{
    double c = channel / 255.0;
    return c <= 0.03928 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double luminance(unsigned value)
{
    return 0.2126 * linear(value >> 16 & 0xff) + 0.7152 * linear(value >> 8 & 0xff) + 0.0722 * linear(value & 0xff);
}

double colour_contrast(unsigned a, unsigned b)
{
    double x = luminance(a), y = luminance(b);
    return x > y ? (x + 0.05) / (y + 0.05) : (y + 0.05) / (x + 0.05);
}

enum colour colour_of_text_on(enum colour colour, enum theme theme)
{
    unsigned surface = colour_value(colour, theme);
    double ink = colour_contrast(surface, colour_value(COLOUR_INK, theme));
    return ink >= colour_contrast(surface, colour_value(COLOUR_PAPER, theme)) ? COLOUR_INK : COLOUR_PAPER;
}
