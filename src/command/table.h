/* table.h - reads a CSV table strictly: a header, then rows of as many fields.
 *
 * RFC 4180: fields separated by commas, quoted ones may hold commas, line ends and doubled quotes. Everything else (a
 * stray quote, a short row, an empty file, a field that should be a number) is a fault that names the line.
 */
#ifndef COMMAND_TABLE_H
#define COMMAND_TABLE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

struct table {
    const char *path;
    const char **header; /* n_columns names */
    const char **cells;  /* n_rows x n_columns */
    size_t *lines;       /* where each row starts in the file, from 1 */
    size_t n_rows, n_columns;
};

/* Local. Reads the whole file; everything is owned by the arena. Faults: STATUS_IO when it cannot be read, STATUS_USAGE
 * when it is not a table. */
enum status table_read(struct table *table, const char *path, struct arena *arena, struct fault *fault);

/* Local. The cell of this row in the column of this name, which must exist (a bug otherwise). */
const char *table_cell(const struct table *table, size_t row, const char *column);

/* Local. 1 if the header is exactly these names, a NULL-terminated list. */
int table_has_header(const struct table *table, const char *const *names);

/* Local. The cell as a number; fault with file, line and column when it is none, or negative. */
enum status table_number(const struct table *table, size_t row, const char *column, double *value, struct fault *fault);

#endif
