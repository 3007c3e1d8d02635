/* wall.h - where the wall time of this process (or of all ranks) went: a table for stderr.
 *
 * Wall times differ from run to run and never enter the results (report/run.h).
 */
#ifndef REPORT_WALL_H
#define REPORT_WALL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct wall_section {
    const char *name;
    double min_s, avg_s, max_s; /* over ranks */
};

/* Local. The section of one value per rank; the first at `first_s`, each next one `stride_bytes` further (a member of
 * an array of structs). */
struct wall_section wall_section(const char *name, const double *first_s, size_t stride_bytes, int n_ranks);

/* Local. A line "Wall time of 0.94 s on 4 ranks for 300 steps", then a row per section (min, avg, max over ranks,
 * varavg, total) and "other": what is left of total_s, the wall time of the loop, so that the column total sums to
 * 100.0. varavg is half the distance from minimum to maximum in percent of the average: 0 when all ranks took equally
 * long. Sections that sum to more than total_s leave other at 0. */
void wall_print(FILE *out, const struct wall_section *section, int n, double total_s, int n_ranks, int64_t n_steps);

/* Local. The wall seconds of a run in what it told on stderr: of wall_print's first line, or of serving's
 * "polyrank: 96 tokens in 40 iterations, 0.94 s of wall time: ...". 1 and *seconds when there is such a line (the last
 * counts), else 0. */
int wall_find(const char *text, double *seconds);

#endif
