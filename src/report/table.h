/* table.h - tables of text: aligned columns, units in the header, printed parts that sum to the printed total.
 *
 * A table is filled row by row with finished text and printed once. Everything lives in the arena given. The numbers of
 * a breakdown are not rounded one by one: apportion() rounds them together so that the column adds up as printed.
 */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/wide.h"

enum align { ALIGN_LEFT, ALIGN_RIGHT };

enum { TABLE_WIDTH = 120 }; /* of a report in characters; tables wider than that are printed in parts */

struct text_table;

/* Local. An empty table; the names and units of its columns are added from left to right before the first row. `unit`
 * NULL or
 * "": none. */
struct text_table *text_table_new(struct arena *arena);
void text_table_column(struct text_table *table, enum align align, const char *name, const char *unit);

/* Local. A row of empty cells; then its cells from left to right (printf). A cell too many is a bug. */
void text_table_row(struct text_table *table);
void text_table_cell(struct text_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. A line between the rows so far and the rows to come (before a total). */
void text_table_rule(struct text_table *table);

/* Local. Prints the table, each line after two blanks. Columns that do not fit `width` characters follow in further
 * parts, each of which repeats the first column. Lines have no blanks at their end. */
void text_table_print(const struct text_table *table, FILE *out, int width);

/* Local. The same table as HTML: <table> with a caption, column headers with units, row headers. A row below a rule has
 * the class "rule". All text is escaped. */
void text_table_html(const struct text_table *table, FILE *out, const char *caption);

/* Local. Rounds n parts together: whole[i] is the part's share of `total`, rounded so that their sum is exactly `total`
 * (largest remainders first, ties by index). All parts 0: all 0. */
void apportion(const wide_uint *part, int n, uint64_t total, uint64_t *whole);

/* Local. Shares of parts in tenths of a percent: they sum to 1000, or to 0 when every part is 0. */
void apportion_percent(const wide_uint *part, int n, uint64_t *tenths);

/* Local. The cell of a share in tenths of a percent: "12.3"; a bug when above 100 %. */
void text_table_percent(struct text_table *table, uint64_t tenths);

/* Local. The cell of the total under a column of shares; a bug when they sum to neither 100.0 nor 0.0 %. */
void text_table_percent_total(struct text_table *table, const uint64_t *tenths, int n);

/* A decimal unit for a column of integers: a printed number is value / per_unit. */
struct column_unit {
    const char *name; /* "ms" */
    wide_uint per_unit;
};

/* Local. The unit in which `largest` has one to three digits before the point. Of virtual time in ps, of energy in fJ.
 */
struct column_unit time_unit(wide_uint largest_ps);
struct column_unit energy_unit(wide_uint largest_fj);

/* Local. Value in thousandths of the unit, rounded half up; the cell of thousandths, "12.345". */
uint64_t column_thousandths(wide_uint value, struct column_unit unit);
void text_table_thousandths(struct text_table *table, uint64_t thousandths);

#endif
