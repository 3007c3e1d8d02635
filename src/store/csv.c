#include "store/csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct reader {
    const char *path;
    char *at, *end;
    char *line_start;
    int64_t line;
    char separator;
    int after_row; /* the cell just read ended its row */
    struct arena *arena;
    struct csv *csv;
    int64_t n_cells;
};

static enum status complain(const struct reader *reader, const char *at, const char *what, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "%s:%lld:%lld: %s", reader->path, (long long)reader->line,
                     (long long)(at - reader->line_start + 1), what);
}

static void add_cell(struct reader *reader, const char *text, uint32_t column)
{
    struct csv *csv = reader->csv;
    size_t n = (size_t)reader->n_cells;
    csv->cell = arena_grown(reader->arena, csv->cell, n, sizeof *csv->cell);
    csv->column = arena_grown(reader->arena, csv->column, n, sizeof *csv->column);
    csv->column[reader->n_cells] = column;
    csv->cell[reader->n_cells++] = text;
}

/* Consumes the separator or the line end after a cell; the cell's last byte may be overwritten by then. */
static enum status end_cell(struct reader *reader, struct fault *fault)
{
    reader->after_row = 1;
    if (reader->at == reader->end)
        return STATUS_OK;
    if (*reader->at == reader->separator) {
        reader->after_row = 0;
        reader->at++;
        return STATUS_OK;
    }
    if (*reader->at == '\r')
        reader->at++;
    if (reader->at < reader->end && *reader->at != '\n')
        return complain(reader, reader->at, "expected a separator or the end of the line after a quoted field", fault);
    reader->at += reader->at < reader->end;
    return STATUS_OK;
}

/* Quoted: unescaped in place; doubled quotes shrink. */
static enum status quoted_cell(struct reader *reader, char **text, struct fault *fault)
{
    char *open = reader->at++, *to = open;
    int64_t line = reader->line;
    char *line_start = reader->line_start;
    for (; reader->at < reader->end; reader->at++) {
        if (*reader->at == '\n') {
            reader->line++;
            reader->line_start = reader->at + 1;
        }
        if (*reader->at == '"') {
            if (reader->at + 1 == reader->end || reader->at[1] != '"')
                break;
            reader->at++;
        }
        *to++ = *reader->at;
    }
    if (reader->at == reader->end) {
        reader->line = line;
        reader->line_start = line_start;
        return complain(reader, open, "this quoted field never ends", fault);
    }
    reader->at++;
    enum status status = end_cell(reader, fault);
    *to = '\0';
    *text = open;
    return status;
}

static enum status bare_cell(struct reader *reader, char **text, struct fault *fault)
{
    char *start = reader->at;
    while (reader->at < reader->end && *reader->at != reader->separator && *reader->at != '\n') {
        if (*reader->at == '"')
            return complain(reader, reader->at, "a quote inside of a field that does not begin with one", fault);
        reader->at++;
    }
    char *stop = reader->at;
    if (stop > start && stop[-1] == '\r' && (stop == reader->end || *stop == '\n'))
        stop--;
    reader->after_row = reader->at == reader->end || *reader->at == '\n';
    reader->at += reader->at < reader->end;
    while (start < stop && (*start == ' ' || *start == '\t'))
        start++;
    while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    /* The separator is consumed: its place is free. The last cell of a file without a line end has the byte after the
     * text. */
    *stop = '\0';
    *text = start;
    return STATUS_OK;
}

static int is_blank(const struct reader *reader)
{
    for (const char *c = reader->at; c < reader->end; c++)
        if (*c != ' ' && *c != '\r' && *c != '\n' && *c != '\t')
            return 0;
    return 1;
}

static enum status read_row(struct reader *reader, struct fault *fault)
{
    struct csv *csv = reader->csv;
    int64_t n = 0, line = reader->line;
    csv->line = arena_grown(reader->arena, csv->line, (size_t)csv->n_rows, sizeof *csv->line);
    reader->line_start = reader->at;
    do {
        char *text = NULL;
        int64_t column = reader->at - reader->line_start + 1;
        enum status status = reader->at < reader->end && *reader->at == '"' ? quoted_cell(reader, &text, fault)
                                                                            : bare_cell(reader, &text, fault);
        if (status != STATUS_OK)
            return status;
        add_cell(reader, text, (uint32_t)column);
        n++;
    } while (!reader->after_row);
    csv->line[csv->n_rows++] = line;
    reader->line++;
    if (csv->n_rows == 1)
        csv->n_columns = n;
    if (n != csv->n_columns)
        return fault_set(fault, STATUS_USAGE, "%s:%lld: expected %lld fields as in the first line, found %lld",
                         reader->path, (long long)line, (long long)csv->n_columns, (long long)n);
    return STATUS_OK;
}

static char find_separator(const char *text, const char *end)
{
    char found = ',';
    int quoted = 0;
    for (const char *c = text; c < end && (quoted || *c != '\n'); c++) {
        quoted ^= *c == '"';
        if (quoted)
            continue;
        if (*c == ',')
            return ',';
        if ((*c == ';' || *c == '\t') && found == ',')
            found = *c;
    }
    return found;
}

enum status csv_parse(const char *path, char *text, size_t size, struct arena *arena, struct csv *csv,
                      struct fault *fault)
{
    static const char mark[] = "\xEF\xBB\xBF";
    *csv = (struct csv){.path = arena_string(arena, path)};
    struct reader reader = {.path = path, .at = text, .end = text + size, .line = 1, .arena = arena, .csv = csv};
    const char *nul = memchr(text, '\0', size);
    if (nul)
        return fault_set(fault, STATUS_USAGE, "%s: not a text file: byte %lld is NUL", path, (long long)(nul - text));
    if (size >= 3 && memcmp(text, mark, 3) == 0)
        reader.at += 3;
    reader.separator = find_separator(reader.at, reader.end);
    if (is_blank(&reader))
        return fault_set(fault, STATUS_USAGE, "%s: the file is empty", path);
    while (!is_blank(&reader)) {
        enum status status = read_row(&reader, fault);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status csv_read(const char *path, struct arena *arena, struct csv *csv, struct fault *fault)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file)
        return fault_set(fault, STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
        fclose(file);
        return fault_set(fault, STATUS_IO, "%s: expected a file", path);
    }
    size_t size = (size_t)info.st_size;
    char *text = arena_take(arena, size + 1);
    size_t got = fread(text, 1, size, file);
    int failed = ferror(file) || got != size;
    fclose(file);
    if (failed)
        return fault_set(fault, STATUS_IO, "%s: cannot be read", path);
    return csv_parse(path, text, size, arena, csv, fault);
}

const char *csv_cell(const struct csv *csv, int64_t row, int64_t column)
{
    return csv->cell[row * csv->n_columns + column];
}

int csv_is_missing(const char *cell)
{
    static const char *const words[] = {"", "NA", "N/A", "NaN", "null", "None", "-", "."};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(cell, words[i]) == 0)
            return 1;
    return 0;
}

int csv_number(const char *cell, double *value)
{
    if (!cell[0] || strspn(cell, "+-0123456789.eE") != strlen(cell))
        return 0;
    char *end;
    double number = strtod(cell, &end);
    if (*end || !isfinite(number))
        return 0;
    *value = number;
    return 1;
}

enum status csv_expected(const struct csv *csv, int64_t row, int64_t column, const char *what, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "%s:%lld:%u: expected %s, found \"%.60s\"", csv->path,
                     (long long)csv->line[row], csv->column[row * csv->n_columns + column], what,
                     csv_cell(csv, row, column));
}
