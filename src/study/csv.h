/* csv.h - cells of a study's CSV files. Each begins with its comma; a NaN is an empty cell. */
#ifndef STUDY_CSV_H
#define STUDY_CSV_H

#include <stdio.h>

#include "study/points.h"

/* Local. The shortest of 15 to 17 digits that reads back as the same double. */
void csv_put_number(FILE *out, double value);

/* Local. Quoted where it must be (RFC 4180). */
void csv_put_text(FILE *out, const char *text);

/* Local. The first n axes: their keys with units ("cluster.devices[0].memory_bytes [B]"), and a point's values, numbers
 * in base units. */
void csv_put_axis_names(FILE *out, const struct study *study, int n, struct arena *arena);
void csv_put_axes(FILE *out, const struct study *study, int n, const struct study_point *point);

#endif
