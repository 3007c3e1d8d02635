/* pareto.h - which points no other point beats in everything. */
#ifndef STUDY_PARETO_H
#define STUDY_PARETO_H

#include <stdint.h>

enum { PARETO_MAX_OBJECTIVES = 3 };

/* Local. value[n, n_objectives]; sign[j] 1: less is better, -1: more is. on_front[i] is 1 when no other point is at
 * least as good in every objective and better in one. Equal points stand or fall together. A point with a NaN is never
 * on the front and beats none. O(n log n) for two objectives; O(n f) for three, f points on the front. */
void pareto_front(int64_t n, int n_objectives, const double *value, const int *sign, uint8_t *on_front);

#endif
