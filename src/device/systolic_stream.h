/* systolic_stream.h - what an array asks its buffers for, line by line; private to the systolic physics.
 *
 * A line is one cycle of an array that never waits. Folds run column fold outside, row fold inside, `line_cycles` lines
 * each. In one line the words of an operand are neighbours in the order in which the operand is fetched from memory, so
 * that a request is a range of that order: nothing below the range is ever looked at.
 *
 * Order of fetching: the operand's folds are stacked, each one array edge wide. A streamed operand goes by
 * anti-diagonals of the whole stack, a stationary one row by row.
 */
#ifndef DEVICE_SYSTOLIC_STREAM_H
#define DEVICE_SYSTOLIC_STREAM_H

#include "base/arena.h"
#include "device/systolic.h"

/* How a product lies on the array: `down` on rows, `across` on columns, `steps` in time. */
struct mapping {
    int64_t rows, cols, down, across, steps;
    int64_t row_folds, col_folds, line_cycles; /* of one fold */
    enum systolic_dataflow dataflow;
};

struct range {
    int64_t first, n; /* n = 0: nothing is asked for */
};

/* One operand. */
struct stream {
    int stationary, by_row_fold; /* streamed: along the row folds, else along the column folds */
    int64_t steps, width, extent;
    int64_t offset; /* line of a fold in which it starts */
    int64_t words;  /* of the operand */
    int64_t slots;  /* of the order of fetching, empty ones included */
    int64_t *start; /* streamed: [folds][steps + width - 1] place of a line's first word */
};

/* Local. */
struct mapping mapping_of(const struct systolic_product *product);

/* Local. The operands A (`ifmap`) and B (`filter`) of a mapping. Tables live in the arena. */
struct stream stream_ifmap(const struct mapping *map, struct arena *arena);
struct stream stream_filter(const struct mapping *map, struct arena *arena);

/* Local. What line `line` of fold (row_fold, col_fold) asks of an operand, and how many results it writes. */
struct range stream_range(const struct stream *stream, const struct mapping *map, int64_t row_fold, int64_t col_fold,
                          int64_t line);
int64_t mapping_results(const struct mapping *map, int64_t row_fold, int64_t col_fold, int64_t line);

#endif
