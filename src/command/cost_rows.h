/* cost_rows.h - turns a row of a table of measurements into an op of the device model, and prices it.
 *
 * Four layouts are known by their header: single kernels and microbenchmarks with a shape text; GEMMs; attention;
 * collectives.
 */
#ifndef COMMAND_COST_ROWS_H
#define COMMAND_COST_ROWS_H

#include "command/cost_row.h"

enum layout { LAYOUT_KERNELS, LAYOUT_GEMM, LAYOUT_ATTENTION, LAYOUT_COLLECTIVES, N_LAYOUTS };

/* Local. The layout of this header; fault when it is none of the four. */
enum status cost_layout(const struct table *table, enum layout *layout, struct fault *fault);

/* Local. Prices row `row`. Texts are constants or live in the arena. A field that does not say what it should is a
 * fault. */
enum status cost_row_price(const struct table *table, enum layout layout, size_t row, struct cost_row *result,
                           struct arena *arena, struct fault *fault);

#endif
