/* cost_table.h - prices a whole table of measurements: the rows with predictions, and how far off they are. */
#ifndef COMMAND_COST_TABLE_H
#define COMMAND_COST_TABLE_H

#include <stdio.h>

#include "command/cost_rows.h"

struct cost_table {
    struct table table;
    enum layout layout;
    struct cost_row *rows; /* one per row of the table */
};

/* Local. Prices a table that was read; everything is owned by the arena. */
enum status cost_table_price(struct cost_table *priced, const struct table *table, struct arena *arena,
                             struct fault *fault);

/* Local. Writes the table as it was read with the columns device, class, predicted, unit and error (relative; empty
 * when not priced, then `class` says why). */
void cost_table_write(const struct cost_table *priced, FILE *out);

/* Local. Prints the errors per device and class, what is not covered and why, the conditions in use, and a last line
 * "rows N, mean X %, max Y %, failed K". */
void cost_table_summary(const struct cost_table *priced, struct arena *arena, FILE *out);

#endif
