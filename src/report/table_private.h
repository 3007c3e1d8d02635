/* table_private.h - what a table holds, for its writers. */
#ifndef REPORT_TABLE_PRIVATE_H
#define REPORT_TABLE_PRIVATE_H

#include "report/table.h"

enum { TABLE_MAX_COLUMNS = 32 };

struct column {
    enum align align;
    const char *name, *unit; /* unit with its brackets; never NULL */
    int width;
};

struct row {
    int rule_before;
    const char *cell[TABLE_MAX_COLUMNS]; /* NULL: empty */
    struct row *next;
};

struct text_table {
    struct arena *arena;
    struct column column[TABLE_MAX_COLUMNS];
    int n_columns, n_cells, rule_next;
    struct row *first, *last;
};

#endif
