/* compare_private.h - a comparison as it is put together: compare.c (what both kinds share), compare_training.c,
 * compare_serving.c; compare_print.c tells it.
 */
#ifndef REPORT_COMPARE_PRIVATE_H
#define REPORT_COMPARE_PRIVATE_H

#include "report/compare.h"

/* Local. Room for that many quantities of n runs beside those of compare_add_breakdowns. */
void compare_open(struct comparison *comparison, const char *const *paths, int n, size_t n_quantities,
                  struct arena *arena);

/* Local. A quantity that no run has yet; valid as long as the comparison. */
struct quantity *compare_add(struct comparison *comparison, const char *name, const char *unit, enum better better,
                             int is_detail);

/* Local. Time by kernel class, energy by class and by part. */
void compare_add_breakdowns(struct comparison *comparison, struct arena *arena);

#endif
