/* import.h - foreign files become data sets: CSV, pandas HDF5, netCDF-4 and plain HDF5, netCDF-3.
 *
 * import_read finds out what a file is, reads it into a field and applies the selections. Messages begin with the
 * file's name, for text files with line and column.
 */
#ifndef STORE_IMPORT_H
#define STORE_IMPORT_H

#include <stdint.h>

#include "store/field.h"

enum import_layout { LAYOUT_AUTO, LAYOUT_STATIONS, LAYOUT_VARIABLES, LAYOUT_LONG };

enum { IMPORT_MAX_NAMES = 64 };

struct import_options {
    int header; /* CSV: -1 find out, 0 none, 1 the first line */
    enum import_layout
        layout; /* CSV: columns are stations, or variables of one station, or one row per station and time */
    const char *time_column; /* CSV: name of the time column; NULL: found by name or content; "none": there is none */
    const char *id_column;   /* CSV, long: name of the station column */
    int n_variables;         /* 0: all. CSV wide: the one name is what the values are called */
    const char *variable[IMPORT_MAX_NAMES];
    const char *new_name[IMPORT_MAX_NAMES]; /* what it is called from then on; NULL: the same */
    const char *units;                      /* of all variables that change with time; NULL: the file's */
    const char *long_name, *standard_name;  /* of the only variable */
    const char *title, *source;             /* of the data set */
    const char *start;                      /* ISO time of the first row, when rows have no dates */
    double step_s;                          /* with start; 0: not given */
    int has_missing;                        /* the number `missing` stands for a missing value */
    double missing;
    const char *stations_file;  /* CSV with names and coordinates */
    const char *adjacency_file; /* CSV: i,j,w or a matrix */
    int n_stations;             /* > 0: keep these stations, in the file's order */
    const char *station[IMPORT_MAX_NAMES];
    int64_t first_row, last_row;        /* -1: from the first, to the last */
    const char *first_time, *last_time; /* ISO; NULL: not given */
    int has_box; /* keep stations within south..north, west..east (degrees; west > east wraps around) */
    double south, north, west, east;
    int every; /* grids: keep each n-th point of both directions; 0 or 1: all */
};

/* Local. Options that change nothing. */
struct import_options import_defaults(void);

/* Local. Reads `path` into a field that lives in `arena`. Faults: STATUS_IO, STATUS_USAGE. */
enum status import_read(const char *path, const struct import_options *options, struct arena *arena,
                        struct field *field, struct fault *fault);

/* Local. The readers behind it; each fills an empty field. */
enum status import_csv(const char *path, const struct import_options *options, struct field *field,
                       struct fault *fault);
enum status import_pandas(const char *path, const char *group, const struct import_options *options,
                          struct field *field, struct fault *fault);
enum status import_grid(const char *path, int is_netcdf3, const struct import_options *options, struct field *field,
                        struct fault *fault);

/* Local. Names and coordinates of the stations, edges between them. */
enum status import_stations(const char *path, struct field *field, struct fault *fault);
enum status import_adjacency(const char *path, struct field *field, struct fault *fault);

/* Local. 1 if the name was asked for (or none was). */
int import_wants(const struct import_options *options, const char *name);

#endif
