/* validity.h - what must hold within a run's files: sums, orders, no work for nothing.
 *
 * A run that fails one of these is not to be believed, whatever else its report shows.
 */
#ifndef REPORT_VALIDITY_H
#define REPORT_VALIDITY_H

#include "base/arena.h"
#include "report/subject.h"

enum { MAX_VALIDITY_CHECKS = 16 };

struct validity_check {
    const char *what;  /* "times of each device sum to the run's" */
    const char *found; /* "4 devices, 12.3 ms each" or what is wrong */
    int holds;
};

struct validity {
    int n;
    struct validity_check check[MAX_VALIDITY_CHECKS];
};

/* Local. All checks of a run; texts in the arena. Reads requests.csv of a serving run when it is there. */
void validity_check(const struct subject *subject, struct arena *arena, struct validity *validity);

/* Local. Do all of them hold? */
int validity_holds(const struct validity *validity);

/* Local. The percentile of n sorted values, interpolated between ranks (numpy's default). NaN when n is 0. */
double validity_percentile(const double *sorted, size_t n, double percent);

#endif
