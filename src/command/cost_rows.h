/* cost_rows.h - turns a row of a table of measurements into an op of the device model, and prices it.
 *
 * Four layouts are known by their header: single kernels and microbenchmarks with a shape text; GEMMs; attention;
 * collectives.
 */
#ifndef COMMAND_COST_ROWS_H
#define COMMAND_COST_ROWS_H

#include "command/cost_condition.h"
#include "command/table.h"
#include "device/gpu.h"

enum layout { LAYOUT_KERNELS, LAYOUT_GEMM, LAYOUT_ATTENTION, LAYOUT_COLLECTIVES, N_LAYOUTS };

enum verdict {
    ROW_PRICED,
    ROW_OUTSIDE, /* other hardware, not an op: `reason` */
    ROW_FAILED   /* should be covered, could not be priced: `reason` */
};

struct cost_row {
    enum verdict verdict;
    const char *device; /* catalogue name */
    const char *class;  /* kernel class of the summary */
    const char *reason;
    enum condition_id condition;
    double measured, predicted; /* in `unit` */
    const char *unit;
};

/* Local. The layout of this header; fault when it is none of the four. */
enum status cost_layout(const struct table *table, enum layout *layout, struct fault *fault);

/* Local. Prices row `row`. Texts are constants or live in the arena. A field that does not say what it should is a
 * fault. */
enum status cost_row_price(const struct table *table, enum layout layout, size_t row, struct cost_row *result,
                           struct arena *arena, struct fault *fault);

/* Local. The layouts' own pricers, as cost_row_price. */
enum status cost_row_kernels(const struct table *table, size_t row, struct cost_row *result, struct arena *arena,
                             struct fault *fault);
enum status cost_row_collectives(const struct table *table, size_t row, struct cost_row *result, struct arena *arena,
                                 struct fault *fault);

/* Local. Helpers for the pricers: verdicts, and the GPU profile under a condition. */
void cost_row_outside(struct cost_row *result, const char *reason);
void cost_row_failed(struct cost_row *result, const char *reason);
void cost_row_priced(struct cost_row *result, const char *class, enum condition_id condition, uint64_t time_ps);
struct gpu_profile cost_row_profile(const struct gpu_profile *gpu, enum condition_id condition);

#endif
