/* series.h - one variable of a data set, normalised by its training statistics, read in blocks of rows when first
 * needed. */
#ifndef MODEL_SERIES_H
#define MODEL_SERIES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "store/dataset.h"

struct series;

enum series_scale { SERIES_RAW, SERIES_BY_STATION, SERIES_GLOBAL };

/* Local. Fault STATUS_USAGE: no such variable. The data set is borrowed. */
enum status series_open(struct arena *arena, struct dataset *dataset, const char *name, struct series **series,
                        struct fault *fault);
void series_close(struct series *series);

/* Local. */
const char *series_name(const struct series *series);
const char *series_units(const struct series *series);
int series_is_static(const struct series *series);
int series_has_missing(const struct series *series);

/* Local. Mean and population standard deviation over all rows but test_first .. test_last, missing values left
 * out (dataset_statistics). A station that never changes gets standard deviation 1. */
enum status series_fit(struct series *series, enum series_scale scale, int64_t test_first, int64_t test_last,
                       struct fault *fault);

/* Local. Row of normalised values [stations], NaN where missing; valid until series_close. */
enum status series_row(struct series *series, int64_t row, const float **values, struct fault *fault);

/* Local. A normalised value in data units. */
double series_to_units(const struct series *series, int64_t station, double normalised);

#endif
