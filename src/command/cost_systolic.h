/* cost_systolic.h - polyrank cost on systolic arrays: one product, and tables of simulated ones. */
#ifndef COMMAND_COST_SYSTOLIC_H
#define COMMAND_COST_SYSTOLIC_H

#include <stdio.h>

#include "command/table.h"
#include "device/systolic.h"

/* What the command line asks for. Texts may be NULL: the profile's dataflow, ideal, the array's first arithmetic. */
struct systolic_request {
    const char *name, *op, *dims;
    const char *dataflow, *memory, *math;
    int overlap_weights;
};

/* Local. Prints the cost of one op to stdout. Faults STATUS_USAGE name the option. */
enum status cost_on_systolic(const struct systolic_profile *profile, const struct systolic_request *request,
                             struct fault *fault);

/* Local. 1 if the table is one of SCALE-Sim runs: its header is exactly the columns of docs/systolic.md section 5. */
int systolic_table_matches(const struct table *table);

/* Local. Prices every row and compares with what the table says: with `summary` the rows that are equal, per mode and
 * suite, and a last line "rows N, mean X %, max Y %, failed K"; else the predictions, row by row. `times`, when not
 * NULL, gets the wall times. Fault STATUS_INVALID when a row is not equal and the summary was asked for. */
enum status systolic_table_price(const struct table *table, int summary, FILE *out, FILE *times, struct arena *arena,
                                 struct fault *fault);

#endif
