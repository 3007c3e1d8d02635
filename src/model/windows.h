/* windows.h - samples of a data set: a window of past values as input, the values ahead as target.
 *
 * Sample numbers 0..n-1 of the training and of the test set stand for target rows. Sample with first target row r reads
 * rows r-window .. r-1 of the inputs and rows r .. r+horizon-1 of the target. A sample belongs to the test set when its
 * target rows and its input rows all do, to the training set when none does; samples across a border belong to neither.
 * So no test row is ever read in training, and statistics come from rows outside of the test set. With `nowcast` a
 * sample reads rows r-window+1 .. r of the inputs instead; which samples there are stays the same.
 *
 * A part of the training samples, the last ones by time, can be kept out of training as a validation set. The samples
 * before them that share a row with the first of them belong to neither.
 *
 * Layout of x: spatial [stations][inputs * window] (a token is a station; its features are the window of each input in
 * turn, oldest first); temporal [window][inputs * stations] (a token is a time step); grid and joint
 * [window][stations][inputs] (a token is a station at a time step; grid: with the times of the day beside x). Targets:
 * [horizon][stations]. Rows are read from the file in blocks, only those that samples of this rank need, and kept
 * normalised.
 */
#ifndef MODEL_WINDOWS_H
#define MODEL_WINDOWS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct windows;

enum windows_layout { WINDOWS_SPATIAL, WINDOWS_TEMPORAL, WINDOWS_GRID, WINDOWS_JOINT };

struct windows_config {
    const char *file;
    const char *const *inputs; /* n_inputs variable names; none: the target alone */
    int n_inputs;
    const char *target; /* NULL: the only variable */
    int64_t window, horizon;
    int nowcast; /* inputs one row later: the last of them is the first target row */
    enum windows_layout layout;
    int64_t slots;         /* grid: times of the day that are told apart; 0: as many as the data has */
    const char *normalise; /* station global none */
    int64_t test_rows[2];  /* first and last, or -1: use test_time, or test_fraction */
    const char *test_time[2];
    double test_fraction;
    double validation_fraction; /* of the training samples; 0: no validation set */
};

/* What a model needs to know. */
struct windows_shape {
    int64_t tokens, features, outputs, stations, horizon;
    int64_t last_offset, last_stride; /* of the target variable's newest value of station i within a sample */
    int64_t n_train, n_validation, n_test;
    int64_t n_rows, test_first_row, test_last_row;
    int64_t slots;         /* grid: times of the day, as windows_slots numbers them; else 0 */
    int64_t channels;      /* inputs */
    int masked;            /* some value is missing */
    int residual_possible; /* the target's past is among the inputs; grid: it is the first of them */
    const char *target, *units;
    const double *latitude, *longitude; /* [stations] degrees, or NULL */
};

enum window_set { WINDOWS_TRAIN, WINDOWS_VALIDATION, WINDOWS_TEST };

/* Local. Opens the data set and computes its statistics (a streaming pass over the rows outside of the test set).
 * Faults: STATUS_USAGE (variables, splits that leave no sample), STATUS_IO. */
enum status windows_open(const struct windows_config *config, struct windows **windows, struct fault *fault);
void windows_close(struct windows *windows);

/* Local. */
const struct windows_shape *windows_shape(const struct windows *windows);

/* Local. Weights of edges between stations, [stations][stations], row = from, column = to, where the data set has
 * them. */
int windows_has_adjacency(const struct windows *windows);
enum status windows_read_adjacency(struct windows *windows, float *values, struct fault *fault);

/* Local. One sample as doubles or floats (by element size 8 or 4): x [tokens*features], target [outputs] and mask
 * [outputs] (1 = counts; may be NULL), all normalised; missing inputs are 0 (the mean), missing targets 0 with mask 0.
 */
enum status windows_sample(struct windows *windows, enum window_set set, int64_t sample, int element_bytes, void *x,
                           void *target, void *mask, struct fault *fault);

/* Local. Grid: the time of the day of each of a sample's input rows, [window] whole numbers 0 .. slots-1 as doubles or
 * floats: the share of the day that has passed at the row's time stamp (UTC, as the file has it), times the slots,
 * rounded down. Rows without time stamps are counted: row number modulo slots. */
void windows_slots(const struct windows *windows, enum window_set set, int64_t sample, int element_bytes, void *slots);

/* Local. A normalised value of the target variable at station i back in data units. */
double windows_to_units(const struct windows *windows, int64_t station, double normalised);

/* Local. The whole target variable in data units, [n_rows][stations], NaN where missing: for baselines. */
enum status windows_target(struct windows *windows, float *values, struct fault *fault);

/* Local. Rows of a sample's inputs. */
int64_t windows_steps(const struct windows *windows);

/* Local. Usual step between rows in seconds; 0 when unknown. */
int64_t windows_step_s(const struct windows *windows);

/* Local. First target row of a sample. */
int64_t windows_row(const struct windows *windows, enum window_set set, int64_t sample);

#endif
