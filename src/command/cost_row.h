/* cost_row.h - one row of a table of measurements: what was measured, what the device model says, or why it says
 * nothing; and the pricers of single layouts (cost_rows.h tells them apart).
 */
#ifndef COMMAND_COST_ROW_H
#define COMMAND_COST_ROW_H

#include "command/cost_condition.h"
#include "command/table.h"
#include "device/gpu.h"

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
