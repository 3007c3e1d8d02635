/* compare.h - finished runs side by side: virtual time, energy, quality, with ratios.
 *
 * Ratios are "base / run" of quantities of which less is better: a speed-up, an energy ratio, a ratio of errors. Above
 * 1 the run is better than the base.
 */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include <stdio.h>

#include "base/arena.h"
#include "base/status.h"
#include "report/run.h"

enum { COMPARE_MAX_RUNS = 9 }; /* the base included */

struct quantity {
    const char *name, *unit;        /* "virtual_time", "s" */
    int has_ratio;                  /* less is better: base / run means something */
    int is_detail;                  /* in the CSV file only */
    double value[COMPARE_MAX_RUNS]; /* NaN: this run has none */
};

struct comparison {
    int n_runs;
    const struct run *run; /* [n_runs], the base first */
    const char *const *path;
    struct quantity *quantity;
    int n_quantities;
};

/* Local. Collects the quantities of 1 to COMPARE_MAX_RUNS runs; everything in the arena. */
void compare_runs(struct comparison *comparison, const struct run *runs, const char *const *paths, int n,
                  struct arena *arena);

/* Local. base / run of a quantity; NaN when it has no ratio or a value is missing. Equal values give exactly 1. */
double compare_ratio(const struct quantity *quantity, int run);

/* Local. Keys in which the resolved jobs of two runs differ ("data.window"), in the order of the files: those that must
 * be equal for errors to be comparable (data, target, test samples), or all others. Returns how many. */
int compare_differences(const struct run *a, const struct run *b, int must_be_equal, struct arena *arena,
                        const char ***keys);

/* Local. The tables, with the definition of the ratios and a warning for each run whose data are not the base's. */
void compare_print(FILE *out, const struct comparison *comparison, struct arena *arena);

/* Local. One line per quantity and run: quantity,unit,run,file,job,value,ratio; full precision. Fault STATUS_IO. */
enum status compare_write_csv(const char *path, const struct comparison *comparison, struct fault *fault);

#endif
