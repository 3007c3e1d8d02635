/* dataset.h - a spatio-temporal data set in one HDF5 file: variables over time and stations.
 *
 * Layout (CF-1.8; opens in h5py, xarray and netCDF-4): time [T], station [S] (names), latitude [S] and longitude [S] if
 * known; each variable float32 [T,S], or [S] when it does not change with time, with units and _FillValue NaN; a
 * variable with missing values has its mask beside it, `NAME_missing` uint8 (1 = missing), named by the attribute
 * ancillary_variables. adjacency [S,S] float32 if known. Rows are time steps; a grid point is a station as any other.
 *
 * Reading is local and touches only the rows asked for. Every message begins with the file's name.
 */
#ifndef STORE_DATASET_H
#define STORE_DATASET_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum { DATASET_SCHEMA = 1, DATASET_MAX_VARIABLES = 256 };

/* No time stamp is known for the rows. */
#define DATASET_NO_TIME INT64_MIN

struct dataset;

struct dataset_variable {
    const char *name;
    const char *units;         /* "" when the file does not say */
    const char *long_name;     /* "" */
    const char *standard_name; /* CF standard name or "" */
    int is_static;             /* [S]: the same in all rows */
    int has_missing;           /* some value is missing (NaN) */
};

/* ---- reading ---- */

/* Local. Opens a data set and reads its metadata, names and time stamps. Faults: STATUS_IO (no such file, no HDF5,
 * damaged), STATUS_USAGE (an HDF5 file that is no data set: the message says how to import it). */
enum status dataset_open(const char *path, struct dataset **dataset, struct fault *fault);
void dataset_close(struct dataset *dataset);

/* Local. Sizes. */
int64_t dataset_n_rows(const struct dataset *dataset);
int64_t dataset_n_stations(const struct dataset *dataset);

/* Local. The variables, those that change with time first, in order of name. */
int dataset_n_variables(const struct dataset *dataset);
const struct dataset_variable *dataset_variable(const struct dataset *dataset, int variable);

/* Local. The variables that change with time are variables 0 .. n_series-1. */
int dataset_n_series(const struct dataset *dataset);
const char *dataset_series_name(const struct dataset *dataset, int series);

/* Local. Number of the variable with this name; fault STATUS_USAGE lists the names there are. */
enum status dataset_find(const struct dataset *dataset, const char *name, int *variable, struct fault *fault);

/* Local. Time stamp of a row in seconds since 1970-01-01T00:00:00, or DATASET_NO_TIME. */
int64_t dataset_time(const struct dataset *dataset, int64_t row);

/* Local. The usual step between rows in seconds (the median); 0 when unknown or fewer than two rows. */
int64_t dataset_step_s(const struct dataset *dataset);

/* Local. Row of an ISO 8601 time: the first row not before it, or, when `at_end`, the last row not after it ("2019-03"
 * at the end means the end of that month; a day its last second). Faults STATUS_USAGE: no time stamps, no date,
 * outside. */
enum status dataset_find_time(const struct dataset *dataset, const char *iso, int at_end, int64_t *row,
                              struct fault *fault);

/* Local. Station names (the number as text when the file has none), coordinates in degrees [S] or NULL. */
const char *dataset_station(const struct dataset *dataset, int64_t station);
const double *dataset_latitude(const struct dataset *dataset);
const double *dataset_longitude(const struct dataset *dataset);

/* Local. Texts of the file: title, source, history ("" when absent). */
const char *dataset_title(const struct dataset *dataset);
const char *dataset_source(const struct dataset *dataset);
const char *dataset_history(const struct dataset *dataset);

/* Local. 1 if there is an adjacency; reads it, [S,S], row = from, column = to. */
int dataset_has_adjacency(const struct dataset *dataset);
enum status dataset_read_adjacency(struct dataset *dataset, float *values, struct fault *fault);

/* Local. Reads rows first_row .. first_row+n_rows-1 of a variable: values [n_rows,S] in data units, NaN where missing;
 * missing [n_rows,S] is 1 there, 0 elsewhere (may be NULL). A static variable has the one row 0. */
enum status dataset_read_rows(struct dataset *dataset, int variable, int64_t first_row, int64_t n_rows, float *values,
                              uint8_t *missing, struct fault *fault);

/* Local. Statistics of a variable, over row ranges of the caller's choice. */
struct dataset_rows {
    int64_t first, last; /* inclusive */
};

struct dataset_statistics {
    double mean, sd; /* population; sd 1 when the values never change */
    double min, max;
    int64_t count, missing;
    int is_constant; /* sd was 0 (or nothing was there: then mean 0) */
};

/* Local. Streams over n_ranges ranges of rows: by_station [S] (may be NULL) and overall (may be NULL). Doubles, two
 * passes, rows in order, stations in order: the same bytes for every block size. */
enum status dataset_statistics(struct dataset *dataset, int variable, const struct dataset_rows *ranges, int n_ranges,
                               struct dataset_statistics *by_station, struct dataset_statistics *overall,
                               struct fault *fault);

/* Local. Reads everything and checks it: checksums, shapes, time stamps increasing, names unique, coordinates within
 * range, masks that agree with the NaNs, no infinities, adjacency finite and not negative. Fault STATUS_INVALID or
 * STATUS_IO for the first thing that is wrong. */
enum status dataset_check(const char *path, struct fault *fault);

/* Local. 1 if the file is an HDF5 file with our data set schema (for `polyrank check`). */
int dataset_is(const char *path);

/* ---- writing ---- */

struct dataset_writer;

struct dataset_spec {
    const char *title, *source, *history; /* NULL: left out */
    int64_t n_rows, n_stations;
    const int64_t *time_s;              /* [n_rows] seconds since 1970, strictly increasing; NULL: rows are numbered */
    const char *const *station;         /* [n_stations] unique names; NULL: "0", "1", ... */
    const double *latitude, *longitude; /* [n_stations] degrees; both or NULL */
    const float *adjacency;             /* [n_stations,n_stations] or NULL */
    int n_variables;
    const struct dataset_variable *variable; /* names: letters, digits, _; not those of the coordinates */
};

/* Local. Starts a data set (under a temporary name). Fault STATUS_USAGE for a spec that is not allowed. */
enum status dataset_create(const char *path, const struct dataset_spec *spec, struct dataset_writer **writer,
                           struct fault *fault);

/* Local. Writes rows of a variable, NaN where missing (allowed only where has_missing was said; infinities never).
 * Each row exactly once; a static variable has the one row 0. */
enum status dataset_write_rows(struct dataset_writer *writer, int variable, int64_t first_row, int64_t n_rows,
                               const float *values, struct fault *fault);

/* Local. Completes the file, or gives it up (NULL is allowed). Both free the writer. Finish refuses when rows are
 * missing. */
enum status dataset_finish(struct dataset_writer *writer, struct fault *fault);
void dataset_abandon(struct dataset_writer *writer);

#endif
