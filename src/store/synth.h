/* synth.h - made-up data sets of any size: fields that move over scattered stations, for tests, demonstrations and
 * scaling.
 *
 * Value at station s (place x, y; variable v; time t): a station's own mean, waves that travel over the region with the
 * mean flow, a daily cycle that follows the sun, and a slow random part of each station (AR(1)); kept positive by a
 * smooth bend. All random numbers are functions of (seed, variable, row, station): the content does not depend on how
 * it is written.
 */
#ifndef STORE_SYNTH_H
#define STORE_SYNTH_H

#include <stdint.h>

#include "base/status.h"

enum { SYNTH_MAX_VARIABLES = 64 };

struct synth_options {
    int64_t n_stations, n_rows;
    uint64_t seed;
    int64_t step_s;          /* between rows */
    int64_t start_s;         /* of row 0, seconds since 1970 */
    double missing_fraction; /* of all values, at random; 0: none */
    int n_variables;
    const char *variable[SYNTH_MAX_VARIABLES];
    const char *units[SYNTH_MAX_VARIABLES];
    int64_t block_rows;  /* rows in memory at a time; 0: as suits */
    const char *history; /* NULL: none */
};

/* Local. Writes the data set. Faults: STATUS_USAGE for sizes or names that are not allowed, STATUS_IO. */
enum status synth_write(const char *path, const struct synth_options *options, struct fault *fault);

#endif
