#include "study/scaling.h"

#include <math.h>

/* t = a + b / m, least squares of (a + b / m) / t - 1: unknowns of the normal equations of rows (1 / t, 1 / (m t)). */
static void fit_amdahl(int n, const double *time, struct scaling_place *place, struct scaling_fit *fit)
{
    double aa = 0, ab = 0, bb = 0, a1 = 0, b1 = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(time[i]))
            continue;
        double u = 1 / time[i], v = 1 / (place[i].m * time[i]);
        aa += u * u;
        ab += u * v;
        bb += v * v;
        a1 += u;
        b1 += v;
    }
    double determinant = aa * bb - ab * ab;
    double a = (a1 * bb - b1 * ab) / determinant, b = (b1 * aa - a1 * ab) / determinant;
    fit->serial_fraction = a / (a + b);
    fit->limit = fit->serial_fraction > 0 ? 1 / fit->serial_fraction : INFINITY;
    for (int i = 0; i < n; i++)
        place[i].fitted = isnan(time[i]) ? NAN : a + b / place[i].m;
}

/* S = m - f (m - 1): one unknown. */
static void fit_gustafson(int n, const double *time, struct scaling_place *place, struct scaling_fit *fit)
{
    double below = 0, above = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(time[i]))
            continue;
        double excess = place[i].m - 1;
        below += excess * excess;
        above += excess * (place[i].m - place[i].speed_up);
    }
    fit->serial_fraction = above / below;
    for (int i = 0; i < n; i++)
        place[i].fitted =
            isnan(time[i]) ? NAN : place[i].m * time[0] / (place[i].m - fit->serial_fraction * (place[i].m - 1));
}

void scaling_analyse(int n, const double *count, const double *time, int is_weak, struct scaling_place *place,
                     struct scaling_fit *fit)
{
    int n_told = 0;
    *fit = (struct scaling_fit){NAN, NAN, NAN};
    for (int i = 0; i < n; i++) {
        double m = count[i] / count[0], ratio = time[0] / time[i];
        double speed_up = is_weak ? m * ratio : ratio;
        place[i] = (struct scaling_place){m, speed_up, speed_up / m, (1 / speed_up - 1 / m) / (1 - 1 / m), NAN};
        if (i == 0)
            place[i].karp_flatt = NAN;
        n_told += !isnan(ratio);
    }
    if (n_told < 2)
        return;
    if (is_weak)
        fit_gustafson(n, time, place, fit);
    else
        fit_amdahl(n, time, place, fit);
    fit->worst = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(time[i]))
            fit->worst = fmax(fit->worst, fabs(place[i].fitted / time[i] - 1));
}
