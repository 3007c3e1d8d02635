#include "command/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the reader stands. */
struct reader {
    const char *path;
    char *next;
    size_t line;
};

enum { AFTER_FIELD, AFTER_ROW };

static enum status read_file(char **text, const char *path, struct arena *arena, struct fault *fault)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return fault_set(fault, STATUS_IO, "%s: cannot be opened: %m", path);
    size_t size = 0, room = 1 << 16, got;
    char *bytes = malloc(room);
    while (bytes && (got = fread(bytes + size, 1, room - size - 1, file)) > 0) {
        size += got;
        if (room - size < 2) {
            char *more = realloc(bytes, room *= 2);
            if (!more)
                free(bytes);
            bytes = more;
        }
    }
    int failed = !bytes || ferror(file);
    fclose(file);
    if (!failed && !memchr(bytes, '\0', size)) {
        *text = memcpy(arena_take(arena, size + 1), bytes, size);
        (*text)[size] = '\0';
    }
    free(bytes);
    if (failed)
        return fault_set(fault, STATUS_IO, "%s: cannot be read", path);
    return *text ? STATUS_OK : fault_set(fault, STATUS_USAGE, "%s: not a text file", path);
}

/* A quoted field is unquoted in place. */
static enum status quoted_field(struct reader *reader, char **field, struct fault *fault)
{
    size_t first = reader->line;
    char *from = reader->next + 1, *to = from;
    *field = from;
    for (; *from; from++) {
        if (*from == '"' && from[1] == '"')
            from++;
        else if (*from == '"')
            break;
        reader->line += *from == '\n';
        *to++ = *from;
    }
    if (!*from)
        return fault_set(fault, STATUS_USAGE, "%s:%zu: a quote is opened and not closed", reader->path, first);
    reader->next = from + 1;
    if (!strchr(",\r\n", *reader->next))
        return fault_set(fault, STATUS_USAGE,
                         "%s:%zu: expected a comma or the end of the line after a quoted field, found '%c'",
                         reader->path, reader->line, *reader->next);
    *to = '\0';
    return STATUS_OK;
}

static enum status plain_field(struct reader *reader, char **field, struct fault *fault)
{
    *field = reader->next;
    reader->next += strcspn(reader->next, ",\r\n\"");
    if (*reader->next == '"')
        return fault_set(fault, STATUS_USAGE, "%s:%zu: a quote inside a field that does not start with one",
                         reader->path, reader->line);
    return STATUS_OK;
}

static enum status read_field(struct reader *reader, char **field, int *after, struct fault *fault)
{
    enum status status = *reader->next == '"' ? quoted_field(reader, field, fault) : plain_field(reader, field, fault);
    if (status != STATUS_OK)
        return status;
    char *end = reader->next;
    *after = *end == ',' ? AFTER_FIELD : AFTER_ROW;
    if (*end == '\r' && end[1] != '\n' && end[1] != '\0')
        return fault_set(fault, STATUS_USAGE, "%s:%zu: a carriage return inside a line", reader->path, reader->line);
    reader->next += *end == '\r';
    if (*reader->next == '\n')
        reader->line++;
    reader->next += *reader->next != '\0';
    *end = '\0';
    return STATUS_OK;
}

static size_t count(const char *text, char what)
{
    size_t n = 0;
    for (; (text = strchr(text, what)); text++)
        n++;
    return n;
}

static enum status read_header(struct table *table, struct reader *reader, struct arena *arena, struct fault *fault)
{
    size_t room = count(reader->next, ',') + 1;
    table->header = arena_array(arena, room, sizeof *table->header);
    int after = AFTER_FIELD;
    while (after == AFTER_FIELD) {
        char *field;
        enum status status = read_field(reader, &field, &after, fault);
        if (status != STATUS_OK)
            return status;
        if (!*field)
            return fault_set(fault, STATUS_USAGE, "%s:1: column %zu has no name", reader->path, table->n_columns + 1);
        table->header[table->n_columns++] = field;
    }
    return STATUS_OK;
}

static enum status read_row(struct table *table, struct reader *reader, struct fault *fault)
{
    size_t n = 0, line = reader->line;
    int after = AFTER_FIELD;
    while (after == AFTER_FIELD) {
        char *field;
        enum status status = read_field(reader, &field, &after, fault);
        if (status != STATUS_OK)
            return status;
        if (n < table->n_columns)
            table->cells[table->n_rows * table->n_columns + n] = field;
        n++;
    }
    if (n != table->n_columns)
        return fault_set(fault, STATUS_USAGE, "%s:%zu: expected %zu fields as in the header, found %zu", reader->path,
                         line, table->n_columns, n);
    table->lines[table->n_rows++] = line;
    return STATUS_OK;
}

enum status table_read(struct table *table, const char *path, struct arena *arena, struct fault *fault)
{
    char *text = NULL;
    enum status status = read_file(&text, path, arena, fault);
    if (status != STATUS_OK || !text)
        return status;
    memset(table, 0, sizeof *table);
    table->path = arena_string(arena, path);
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    if (!*text)
        return fault_set(fault, STATUS_USAGE, "%s: expected a header line, found an empty file", path);
    size_t most = count(text, '\n') + 1;
    struct reader reader = {table->path, text, 1};
    status = read_header(table, &reader, arena, fault);
    if (status == STATUS_OK) {
        table->cells = arena_array(arena, most, table->n_columns * sizeof *table->cells);
        table->lines = arena_array(arena, most, sizeof *table->lines);
    }
    while (status == STATUS_OK && *reader.next)
        status = read_row(table, &reader, fault);
    return status;
}

const char *table_cell(const struct table *table, size_t row, const char *column)
{
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->header[i], column) == 0)
            return table->cells[row * table->n_columns + i];
    bug("table without a column %s", column);
}

int table_has_header(const struct table *table, const char *const *names)
{
    size_t n = 0;
    while (n < table->n_columns && names[n] && strcmp(names[n], table->header[n]) == 0)
        n++;
    return !names[n] && n == table->n_columns;
}

enum status table_number(const struct table *table, size_t row, const char *column, double *value, struct fault *fault)
{
    const char *cell = table_cell(table, row, column);
    char *end;
    double number = strtod(cell, &end);
    if (!*cell || *end || !isfinite(number) || number < 0.0)
        return fault_set(fault, STATUS_USAGE, "%s:%zu: %s: expected a number, not negative, found '%s'", table->path,
                         table->lines[row], column, cell);
    *value = number;
    return STATUS_OK;
}
