/* field.h - a whole data set in memory, between a reader of some format and the data set file.
 *
 * Readers fill it, selections shrink it, field_write writes it. Everything lives in one arena.
 */
#ifndef STORE_FIELD_H
#define STORE_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "store/dataset.h"

struct field {
    struct arena *arena;
    const char *title, *source, *history; /* NULL: none */
    int64_t n_rows, n_stations;
    int64_t *time_s;              /* [n_rows]; NULL: rows are numbered */
    const char **station;         /* [n_stations]; NULL: they are numbered */
    double *latitude, *longitude; /* [n_stations] or NULL */
    float *adjacency;             /* [n_stations, n_stations] or NULL */
    int n_variables;
    struct dataset_variable variable[DATASET_MAX_VARIABLES];
    float *values[DATASET_MAX_VARIABLES]; /* [n_rows, n_stations], static ones [n_stations]; NaN: missing */
};

/* Local. 1 if n elements of this size could be in this machine's memory at all: what a damaged file claims may not. */
int field_fits(int64_t n, size_t size);

/* Local. Room for n_rows x n_stations values, or a fault when they do not fit into memory. */
enum status field_room(struct field *field, int64_t n_rows, int64_t n_stations, float **values, struct fault *fault);

/* Local. Adds a variable (name, units and so on are copied); fault when there are too many. */
enum status field_add(struct field *field, const struct dataset_variable *variable, float *values, struct fault *fault);

/* Local. Text as a name of a variable: letters, digits and _ stay, other characters become _. */
const char *field_name(struct arena *arena, const char *text);

/* Local. Keeps rows first..last only; keeps only the stations with keep[i] != 0. Faults when nothing is left. */
enum status field_keep_rows(struct field *field, int64_t first, int64_t last, struct fault *fault);
enum status field_keep_stations(struct field *field, const uint8_t *keep, struct fault *fault);

/* Local. Turns each value equal to `missing` (as float) of all variables that change with time into NaN. */
void field_mark_missing(struct field *field, double missing);

/* Local. Writes the data set file; sets has_missing of the variables on the way. Faults: see dataset_create. */
enum status field_write(struct field *field, const char *path, struct fault *fault);

#endif
