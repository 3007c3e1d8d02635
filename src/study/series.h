/* series.h - the series of a scaling study: times at its counts, and what they say.
 *
 * Over devices the time is virtual and the same on every machine: files scaling.csv and scaling_fit.csv, group /scaling
 * of study.h5, tables on stdout. Over ranks of the emulator it is wall time of this machine at this hour, which nothing
 * reproduces: files wall.csv and wall_fit.csv, tables on stderr, never in study.*.
 */
#ifndef STUDY_SERIES_H
#define STUDY_SERIES_H

#include <stdio.h>

#include "store/h5.h"
#include "study/results.h"
#include "study/scaling.h"

struct study_series {
    int n; /* counts */
    const struct study_row *row;
    double *count, *time_s; /* time NaN where a run failed */
    struct scaling_place *place;
    struct scaling_fit fit;
};

/* Local. The i-th series of a scaling study's table. */
struct study_series series_of(const struct study_results *results, int64_t i, struct arena *arena);

/* Local. "scaling" or "wall": the stem of the files. */
const char *series_stem(const struct study *study);

/* Local. What a series is besides its counts: "partition heads, ..."; "" when it is the only one. */
const char *series_title(const struct study_results *results, const struct study_series *series, struct arena *arena);

/* Local. A table for each series, and its fit. */
void series_print(const struct study_results *results, FILE *out, struct arena *arena);

/* Local. Writes STEM.csv and STEM_fit.csv. Fault STATUS_IO. */
enum status series_write_csv(const struct study_results *results, const char *folder, struct arena *arena,
                             struct fault *fault);

/* Local. Adds /scaling to study.h5, of virtual time only; nothing for other studies. */
void series_put(struct h5 *file, const struct study_results *results, struct arena *arena, struct fault *fault);

/* Local. Over ranks, strong: every metric must be the same at each count. Fault STATUS_INVALID names the first that is
 * not. */
enum status series_check(const struct study_results *results, struct fault *fault);

/* Local. Draws STEM.svg of STEM.csv by gnuplot, with the commands beside it (STEM.gnuplot). *drawn is 0, and a line
 * goes to stderr, when gnuplot is not there or fails; the tables are there in any case. Fault STATUS_IO. */
enum status series_plot(const struct study_results *results, const char *folder, struct arena *arena, int *drawn,
                        struct fault *fault);

#endif
