/* csv.h - reads a CSV file strictly into cells that know their place.
 *
 * RFC 4180: quoted fields may hold separators, line ends and doubled quotes. The separator is the comma; a semicolon or
 * a tab when the first line has no comma. A byte order mark and blank lines at the end are skipped. Everything else
 * that is odd is a fault "file:line:column: ...", STATUS_USAGE; STATUS_IO when the file cannot be read.
 */
#ifndef STORE_CSV_H
#define STORE_CSV_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct csv {
    const char *path;
    int64_t n_rows; /* the first may be a header */
    int64_t n_columns;
    const char **cell; /* [n_rows, n_columns] without quotes and outer blanks */
    uint32_t *column;  /* [n_rows, n_columns] place of the cell in its line, from 1, in bytes */
    int64_t *line;     /* [n_rows] from 1 */
};

/* Local. Reads a file into the arena. All rows have the same number of fields. */
enum status csv_read(const char *path, struct arena *arena, struct csv *csv, struct fault *fault);

/* Local. The same from memory; `path` is for messages. text[size] must be writable.
 * The text is changed and kept: it must live as long as the arena. */
enum status csv_parse(const char *path, char *text, size_t size, struct arena *arena, struct csv *csv,
                      struct fault *fault);

/* Local. */
const char *csv_cell(const struct csv *csv, int64_t row, int64_t column);

/* Local. 1 for "", NA, N/A, NaN, null, None, - and . in any case. */
int csv_is_missing(const char *cell);

/* Local. Reads a decimal number that fills the cell; 0 if it is none (hexadecimal, infinite and NaN are none). */
int csv_number(const char *cell, double *value);

/* Local. Sets a fault "file:line:column: expected WHAT, found CELL" and returns STATUS_USAGE. */
enum status csv_expected(const struct csv *csv, int64_t row, int64_t column, const char *what, struct fault *fault);

#endif
