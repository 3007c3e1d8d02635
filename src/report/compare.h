/* compare.h - finished runs side by side, all of training or all of serving: virtual time, energy, quality or latency,
 * with ratios.
 *
 * Above 1 a run is better than the base: of quantities of which less is better ratios are "base / run" (a speed-up, an
 * energy ratio, a ratio of errors or latencies), of those of which more is better "run / base" (throughput).
 */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include <stdio.h>

#include "base/arena.h"
#include "base/status.h"
#include "report/run.h"
#include "report/serving_read.h"

enum { COMPARE_MAX_RUNS = 9 }; /* the base included */

enum better { BETTER_NEITHER, BETTER_LESS, BETTER_MORE };

struct quantity {
    const char *name, *unit;        /* "virtual time", "s" */
    enum better better;             /* neither: it has no ratio */
    int is_detail;                  /* in the CSV file only */
    double value[COMPARE_MAX_RUNS]; /* NaN: this run has none */
};

struct comparison {
    int n_runs;                        /* the base first */
    const struct run *run;             /* [n_runs] of training, or NULL */
    const struct serving_run *serving; /* [n_runs] of serving, or NULL */
    const char *const *path;
    struct run_devices *devices; /* [n_runs] */
    struct quantity *quantity;
    int n_quantities;
};

/* Local. Collects the quantities of 1 to COMPARE_MAX_RUNS runs; everything in the arena. */
void compare_runs(struct comparison *comparison, const struct run *runs, const char *const *paths, int n,
                  struct arena *arena);
void compare_serving(struct comparison *comparison, const struct serving_run *runs, const char *const *paths, int n,
                     struct arena *arena);

/* Local. Above 1: the run is better than the base. NaN when the quantity has no ratio or a value is missing. Equal
 * values give exactly 1. */
double compare_ratio(const struct quantity *quantity, int run);

/* Local. Keys in which the resolved job of a run differs from the base's ("data.window"), in the order of the files:
 * those that must be equal for errors to be comparable (data, target, test samples; of serving: what was asked for), or
 * all others. Returns how many. */
int compare_differences(const struct comparison *comparison, int run, int must_be_equal, struct arena *arena,
                        const char ***keys);

/* Local. The tables, with the definition of the ratios and a warning for each run whose data or requests are not the
 * base's. */
void compare_print(FILE *out, const struct comparison *comparison, struct arena *arena);

/* Local. One line per quantity and run: quantity,unit,run,file,job,value,ratio; full precision. Fault STATUS_IO. */
enum status compare_write_csv(const char *path, const struct comparison *comparison, struct fault *fault);

#endif
