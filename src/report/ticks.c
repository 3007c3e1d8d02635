#include "report/ticks.h"

#include <math.h>
#include <stdio.h>

#include "base/status.h"

/* The one of 1, 2, 5 x 10^k that is nearest to x > 0 in ratio. */
static double nice_step(double x)
{
    double power = pow(10, floor(log10(x))), digit = x / power;
    return power * (digit < 1.4142 ? 1 : digit < 3.1623 ? 2 : digit < 7.0711 ? 5 : 10);
}

static void print_prefixed(char *text, double value)
{
    static const char *const prefix[] = {"p", "n", "u", "m", "", " k", " M", " G", " T", " P", " E"};
    int at = 4;
    double scaled = value;
    for (; fabs(scaled) >= 999.9999 && at < 10; at++)
        scaled /= 1000;
    for (; fabs(scaled) > 0 && fabs(scaled) < 0.9999999e-3 && at > 0; at--)
        scaled *= 1000;
    snprintf(text, TICK_TEXT, "%.6g%s%s", scaled, at < 4 ? " " : "", prefix[at]);
}

static void add(struct ticks *ticks, double at, int decimals, int has_prefix)
{
    if (ticks->n == TICKS_MAX)
        return;
    char *label = ticks->label[ticks->n];
    ticks->at[ticks->n++] = at;
    if (has_prefix)
        print_prefixed(label, at);
    else if (decimals < 0)
        snprintf(label, TICK_TEXT, "%g", at);
    else
        snprintf(label, TICK_TEXT, "%.*f", decimals, at);
}

void ticks_linear(struct ticks *ticks, double min, double max, const struct tick_style *style)
{
    if (!(min < max) || style->target < 2 || style->target > 12)
        bug("ticks from %g to %g, %d of them", min, max, style->target);
    double step = nice_step((max - min) / style->target);
    step = style->is_whole && step < 1 ? 1 : step;
    double largest = fmax(fabs(min), fabs(max));
    int decimals = (int)ceil(-log10(step) - 1e-9);
    if (largest >= 1e6 || step < 1e-6)
        decimals = -1;
    else if (decimals < 0)
        decimals = 0;
    *ticks = (struct ticks){.n = 0};
    for (double k = ceil(min / step - 1e-9); k * step <= max + step * 1e-9; k++)
        add(ticks, k == 0 ? 0 : k * step, decimals, style->has_prefix);
}

void ticks_log(struct ticks *ticks, double min, double max, const struct tick_style *style)
{
    static const double within[] = {1, 2, 5};
    if (!(min > 0) || !(min < max))
        bug("logarithmic ticks from %g to %g", min, max);
    int first = (int)floor(log10(min) + 1e-9), last = (int)floor(log10(max) + 1e-9), every = 1;
    double decades = log10(max / min);
    while (decades / every > style->target)
        every++;
    *ticks = (struct ticks){.n = 0};
    for (int k = first; k <= last; k++)
        for (int d = 0; d < (decades < 2 ? 3 : 1); d++) {
            double at = within[d] * pow(10, k);
            if (at >= min * (1 - 1e-9) && at <= max * (1 + 1e-9) && (k % every + every) % every == 0)
                add(ticks, at, -1, style->has_prefix);
        }
}
