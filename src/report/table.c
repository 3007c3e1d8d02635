#include "report/table_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

enum { GAP = 2 };

struct text_table *text_table_new(struct arena *arena)
{
    struct text_table *table = arena_take(arena, sizeof *table);
    table->arena = arena;
    return table;
}

/* Characters, not bytes: text is UTF-8. */
static int text_width(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void widen(struct column *column, const char *text)
{
    int width = text_width(text);
    if (width > column->width)
        column->width = width;
}

void text_table_column(struct text_table *table, enum align align, const char *name, const char *unit)
{
    if (table->n_columns == TABLE_MAX_COLUMNS || table->first)
        bug("no room for column '%s'", name);
    struct column *column = &table->column[table->n_columns++];
    *column = (struct column){.align = align, .name = arena_string(table->arena, name)};
    column->unit = unit && *unit ? arena_printf(table->arena, "[%s]", unit) : "";
    widen(column, column->name);
    widen(column, column->unit);
}

void text_table_row(struct text_table *table)
{
    struct row *row = arena_take(table->arena, sizeof *row);
    row->rule_before = table->rule_next;
    if (table->last)
        table->last->next = row;
    else
        table->first = row;
    table->last = row;
    table->rule_next = 0;
    table->n_cells = 0;
}

void text_table_cell(struct text_table *table, const char *format, ...)
{
    if (!table->last || table->n_cells == table->n_columns)
        bug("a table's row has more cells than the %d columns", table->n_columns);
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        bug("out of memory");
    const char *cell = arena_string(table->arena, text);
    free(text);
    widen(&table->column[table->n_cells], cell);
    table->last->cell[table->n_cells++] = cell;
}

void text_table_rule(struct text_table *table)
{
    table->rule_next = 1;
}

/* One line of the columns 0 and first..end-1; text(row, column) is row's cell or, without a row, the header. */
struct part {
    const struct text_table *table;
    int first, end;
};

static void print_padding(FILE *out, int n)
{
    for (int i = 0; i < n; i++)
        fputc(' ', out);
}

static int print_text(FILE *out, const struct column *column, const char *text, int owed)
{
    int pad = column->width - text_width(text), left = column->align == ALIGN_RIGHT ? pad : 0;
    if (*text) {
        print_padding(out, owed + left);
        fputs(text, out);
        return pad - left + GAP;
    }
    return owed + column->width + GAP;
}

/* The blanks owed by a cell are printed only when another follows. */
static void print_line(const struct part *part, const char *const *cells, FILE *out)
{
    int owed = GAP;
    for (int c = 0; c < part->end; c = c == 0 ? part->first : c + 1)
        owed = print_text(out, &part->table->column[c], cells[c] ? cells[c] : "", owed);
    fputc('\n', out);
}

static void print_rule(const struct part *part, FILE *out)
{
    print_padding(out, GAP);
    int width = -GAP;
    for (int c = 0; c < part->end; c = c == 0 ? part->first : c + 1)
        width += part->table->column[c].width + GAP;
    for (int i = 0; i < width; i++)
        fputc('-', out);
    fputc('\n', out);
}

static void print_header(const struct part *part, FILE *out)
{
    const char *names[TABLE_MAX_COLUMNS] = {NULL}, *units[TABLE_MAX_COLUMNS] = {NULL};
    int has_units = 0;
    for (int c = 0; c < part->table->n_columns; c++) {
        names[c] = part->table->column[c].name;
        units[c] = part->table->column[c].unit;
    }
    for (int c = part->first; c < part->end; c++)
        has_units |= part->table->column[c].unit[0] != '\0';
    print_line(part, names, out);
    if (has_units)
        print_line(part, units, out);
    print_rule(part, out);
}

static void print_part(const struct part *part, FILE *out)
{
    print_header(part, out);
    for (const struct row *row = part->table->first; row; row = row->next) {
        if (row->rule_before)
            print_rule(part, out);
        print_line(part, row->cell, out);
    }
}

static int part_end(const struct text_table *table, int first, int width)
{
    int used = GAP + table->column[0].width, end = first;
    while (end < table->n_columns && (end == first || used + GAP + table->column[end].width <= width))
        used += GAP + table->column[end++].width;
    return end;
}

void text_table_print(const struct text_table *table, FILE *out, int width)
{
    struct part part = {table, 1, 1};
    do {
        part.end = part_end(table, part.first, width);
        if (part.first > 1)
            fputc('\n', out);
        print_part(&part, out);
        part.first = part.end;
    } while (part.end < table->n_columns);
}

/* Indices of parts by falling remainder; ties stay in the order of the parts. */
struct remainder {
    wide_uint value;
    int index;
};

static int by_falling_remainder(const void *left, const void *right)
{
    const struct remainder *a = left, *b = right;
    if (a->value != b->value)
        return a->value > b->value ? -1 : 1;
    return a->index - b->index;
}

void apportion(const wide_uint *part, int n, uint64_t total, uint64_t *whole)
{
    wide_uint sum = 0;
    uint64_t given = 0;
    for (int i = 0; i < n; i++)
        sum += part[i];
    struct remainder *remainder = calloc((size_t)n + 1, sizeof *remainder);
    if (!remainder)
        bug("out of memory");
    /* Shares are exact as long as part * total fits 128 bits; larger sums lose bits that no printed digit shows. */
    int shift = 0;
    while (sum >> shift >> 64)
        shift++;
    wide_uint shifted = 0;
    for (int i = 0; i < n; i++)
        shifted += part[i] >> shift;
    for (int i = 0; i < n; i++) {
        wide_uint product = (part[i] >> shift) * total;
        whole[i] = shifted ? (uint64_t)(product / shifted) : 0;
        remainder[i] = (struct remainder){shifted ? product % shifted : 0, i};
        given += whole[i];
    }
    qsort(remainder, (size_t)n, sizeof *remainder, by_falling_remainder);
    for (int i = 0; shifted && given < total; i++, given++)
        whole[remainder[i].index]++;
    free(remainder);
}

void apportion_percent(const wide_uint *part, int n, uint64_t *tenths)
{
    apportion(part, n, 1000, tenths);
}

void text_table_percent(struct text_table *table, uint64_t tenths)
{
    if (tenths > 1000)
        bug("a share of %" PRIu64 " tenths of a percent", tenths);
    text_table_cell(table, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
}

void text_table_percent_total(struct text_table *table, const uint64_t *tenths, int n)
{
    uint64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += tenths[i];
    if (sum != 1000 && sum != 0)
        bug("a breakdown sums to %" PRIu64 " tenths of a percent", sum);
    text_table_percent(table, sum);
}

static struct column_unit choose_unit(wide_uint largest, const char *const *names, int n_names)
{
    struct column_unit unit = {names[0], 1};
    for (int i = 1; i < n_names && largest >= unit.per_unit * 1000; i++) {
        unit.per_unit *= 1000;
        unit.name = names[i];
    }
    return unit;
}

struct column_unit time_unit(wide_uint largest_ps)
{
    static const char *const names[] = {"ps", "ns", "us", "ms", "s"};
    return choose_unit(largest_ps, names, sizeof names / sizeof *names);
}

struct column_unit energy_unit(wide_uint largest_fj)
{
    static const char *const names[] = {"fJ", "pJ", "nJ", "uJ", "mJ", "J", "kJ", "MJ", "GJ"};
    return choose_unit(largest_fj, names, sizeof names / sizeof *names);
}

uint64_t column_thousandths(wide_uint value, struct column_unit unit)
{
    return (uint64_t)((value * 1000 + unit.per_unit / 2) / unit.per_unit);
}

void text_table_thousandths(struct text_table *table, uint64_t thousandths)
{
    text_table_cell(table, "%" PRIu64 ".%03" PRIu64, thousandths / 1000, thousandths % 1000);
}
