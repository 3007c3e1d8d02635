/* scaling.h - speed-up, efficiency, and the laws that are fitted to them.
 *
 * A series is a time at each count n_0 < n_1 < ... of processors; all is relative to the first: m = n / n_0,
 * S(m) = t(n_0) / t(n) of the same work (strong), m t(n_0) / t(n) of work that grows as m (weak), efficiency S / m.
 */
#ifndef STUDY_SCALING_H
#define STUDY_SCALING_H

#include <stdint.h>

struct scaling_place { /* one count of a series */
    double m;          /* n / n_0 */
    double speed_up;   /* weak: scaled speed-up */
    double efficiency;
    double karp_flatt; /* experimentally determined serial fraction (1/S - 1/m) / (1 - 1/m); NaN at m = 1.
                          Source: Karp, Flatt, CACM 33 (1990), equation 2 */
    double fitted;     /* time by the fitted law, in units of t */
};

struct scaling_fit {
    double serial_fraction; /* strong: Amdahl's f, t(m) = t_1 (f + (1 - f) / m), t_1 fitted too, least squares of
                               relative errors. Weak: Gustafson's, S(m) = m - f (m - 1), least squares.
                               NaN with fewer than two counts. It may come out below 0: faster than linear.
                               Source: Amdahl, AFIPS 1967; Gustafson, CACM 31 (1988) */
    double limit;           /* strong: speed-up without end, 1 / f; INFINITY when f <= 0. Weak: NaN */
    double worst;           /* largest |fitted / t - 1|: whether the law describes the series */
};

/* Local. Of n counts (ascending, above 0) and times above 0. NaN times are left out: their place has NaN throughout.
 * The first time must not be NaN, or all is. */
void scaling_analyse(int n, const double *count, const double *time, int is_weak, struct scaling_place *place,
                     struct scaling_fit *fit);

#endif
