/* axis.h - the values of a key that varies: of a list, of a range, drawn. */
#ifndef STUDY_AXIS_H
#define STUDY_AXIS_H

#include "config/study.h"

/* The values of an axis, in their order: as --set takes them. */
struct axis_values {
    int64_t n;
    const char **text;
};

/* Local. The values of a list, or the points of a range: from and to are among them with `points`; with `step` or
 * `factor` the last is the largest that does not pass `to`. Whole numbers are rounded; fault STATUS_USAGE when two
 * become the same. Source of a logarithmic range: from (to / from)^(i / (points - 1)). */
enum status axis_expand(const struct study *study, const struct study_axis *axis, struct arena *arena,
                        struct axis_values *values, struct fault *fault);

/* Local. `n` samples in [0, 1) for a key, element i the i-th sample's. "random": independent. "latin-hypercube": each
 * of the n strata [k / n, (k + 1) / n) has exactly one, in random order. Numbers are keyed by seed and key. Source:
 * McKay, Beckman, Conover, Technometrics 21 (1979), section 2.3. */
void axis_sample(const char *method, uint64_t seed, const char *key, int64_t n, double *u);

/* Local. The value at u in [0, 1): of a list the one in whose equal part u lies; of a range from + u (to - from), or
 * with equal ratios; whole numbers so that each of from..to has an equal share (log: the share of [k, k + 1)). Reals
 * have six significant digits. */
const char *axis_at(const struct study_axis *axis, double u, struct arena *arena);

/* Local. A value of the axis as a number in the base unit, NaN when it is none; the name of that unit, "" without. */
double axis_number(const struct study_axis *axis, const char *text);
const char *axis_unit(const struct study_axis *axis, struct arena *arena);

#endif
