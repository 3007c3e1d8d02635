/* ticks.h - where an axis has ticks, and what stands at them. */
#ifndef REPORT_TICKS_H
#define REPORT_TICKS_H

enum { TICKS_MAX = 24, TICK_TEXT = 24 };

struct ticks {
    int n;
    double at[TICKS_MAX];
    char label[TICKS_MAX][TICK_TEXT]; /* "" for a tick without a number */
};

struct tick_style {
    int target;     /* about how many, 2 to 12 */
    int has_prefix; /* "2 k", "500 m" */
    int is_whole;   /* of a linear axis: at whole numbers alone */
};

/* Local. Multiples of 1, 2 or 5 times a power of ten within [min, max], with as many decimals as the step needs. min <
 * max. */
void ticks_linear(struct ticks *ticks, double min, double max, const struct tick_style *style);

/* Local. Of a logarithmic axis, 0 < min < max: powers of ten, every second or third one when there are more than
 * `target`; 1, 2, 5 when the axis has less than two decades. */
void ticks_log(struct ticks *ticks, double min, double max, const struct tick_style *style);

#endif
