#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/calendar.h"
#include "store/csv.h"
#include "store/import.h"

/* What the columns of a table are; -1 where there is none. */
struct table {
    struct csv csv;
    const struct import_options *options;
    int64_t first; /* row of the first data: 1 with a header */
    int64_t time, year, month, day;
    int64_t id;
    int time_is_index; /* the time column holds whole numbers */
};

static int is_date(const char *cell)
{
    int64_t first_s, last_s;
    return strlen(cell) >= 6 && !calendar_parse(cell, &first_s, &last_s);
}

static int is_value(const char *cell)
{
    double value;
    return csv_is_missing(cell) || csv_number(cell, &value);
}

static int guess_header(const struct csv *csv)
{
    for (int64_t c = 0; c < csv->n_columns; c++)
        if (!is_value(csv_cell(csv, 0, c)) && !is_date(csv_cell(csv, 0, c)))
            return 1;
    /* Names of stations can be numbers: then only the time column tells. */
    return csv->n_rows > 1 && is_date(csv_cell(csv, 1, 0)) && !is_date(csv_cell(csv, 0, 0));
}

static int64_t find_column(const struct table *table, const char *name)
{
    for (int64_t c = 0; table->first == 1 && c < table->csv.n_columns; c++)
        if (strcasecmp(csv_cell(&table->csv, 0, c), name) == 0)
            return c;
    return -1;
}

static enum status need_column(const struct table *table, const char *option, const char *name, int64_t *column,
                               struct fault *fault)
{
    if (table->first == 0)
        return fault_set(fault, STATUS_USAGE, "%s: --%s %s: the file has no header line that could name columns",
                         table->csv.path, option, name);
    *column = find_column(table, name);
    if (*column >= 0)
        return STATUS_OK;
    char list[400] = "";
    for (int64_t c = 0; c < table->csv.n_columns && strlen(list) < sizeof list - 40; c++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%.30s", c ? ", " : "",
                 csv_cell(&table->csv, 0, c));
    return fault_set(fault, STATUS_USAGE, "%s:1: --%s %s: no such column; the columns are %s", table->csv.path, option,
                     name, list);
}

static enum status find_time(struct table *table, struct fault *fault)
{
    static const char *const names[] = {"time", "date", "datetime", "timestamp", "valid_time", "date_time",
                                        "day",  "hour", "week",     "month",     "year"};
    const char *name = table->options->time_column;
    table->time = -1;
    if (name && strcmp(name, "none") == 0)
        return table->year = -1, STATUS_OK;
    if (name)
        return table->year = -1, need_column(table, "time-column", name, &table->time, fault);
    table->year = find_column(table, "year");
    table->month = find_column(table, "month");
    table->day = find_column(table, "day");
    if (table->year >= 0 && table->month >= 0)
        return STATUS_OK;
    table->year = -1;
    for (size_t i = 0; i < sizeof names / sizeof *names && table->time < 0; i++)
        table->time = find_column(table, names[i]);
    if (table->time < 0 && table->first < table->csv.n_rows && is_date(csv_cell(&table->csv, table->first, 0)))
        table->time = 0;
    return STATUS_OK;
}

/* A column of names beside the time makes a table long. */
static enum status find_id(struct table *table, struct fault *fault)
{
    const struct import_options *options = table->options;
    table->id = -1;
    if (options->id_column)
        return need_column(table, "id-column", options->id_column, &table->id, fault);
    if (options->layout == LAYOUT_STATIONS || options->layout == LAYOUT_VARIABLES || table->first == table->csv.n_rows)
        return STATUS_OK;
    for (int64_t c = 0; c < table->csv.n_columns && table->id < 0; c++)
        if (c != table->time && table->first == 1 && !is_value(csv_cell(&table->csv, 1, c)) && table->csv.n_rows > 2 &&
            !is_value(csv_cell(&table->csv, 2, c)))
            table->id = c;
    if (table->id < 0 && options->layout == LAYOUT_LONG)
        return fault_set(fault, STATUS_USAGE, "%s: no column holds station names: name it with --id-column",
                         table->csv.path);
    return STATUS_OK;
}

static enum status date_of_columns(const struct table *table, int64_t row, int64_t *time_s, struct fault *fault)
{
    const int64_t column[3] = {table->year, table->month, table->day};
    double value[3] = {0, 1, 1};
    for (int i = 0; i < 3; i++)
        if (column[i] >= 0 &&
            (!csv_number(csv_cell(&table->csv, row, column[i]), &value[i]) || value[i] != floor(value[i])))
            return csv_expected(&table->csv, row, column[i], "a whole number", fault);
    if (!(fabs(value[0]) < 1e4) || !(fabs(value[1]) < 100) || !(fabs(value[2]) < 100) ||
        !calendar_is_date((int64_t)value[0], (int)value[1], (int)value[2]))
        return fault_set(fault, STATUS_USAGE, "%s:%lld: no such day: %g-%g-%g", table->csv.path,
                         (long long)table->csv.line[row], value[0], value[1], value[2]);
    *time_s = calendar_seconds((int64_t)value[0], (int)value[1], (int)value[2], 0, 0, 0);
    return STATUS_OK;
}

/* Time of a data row: seconds since 1970, or the number in an index column. */
static enum status time_of_row(const struct table *table, int64_t row, int64_t *time, struct fault *fault)
{
    if (table->year >= 0)
        return date_of_columns(table, row, time, fault);
    const char *cell = csv_cell(&table->csv, row, table->time);
    int64_t last_s;
    double index;
    if (!table->time_is_index) {
        if (calendar_parse(cell, time, &last_s))
            return csv_expected(&table->csv, row, table->time, "a date such as 2019-03-08 or 2019-03-08 14:00", fault);
        return STATUS_OK;
    }
    if (!csv_number(cell, &index) || index != floor(index) || fabs(index) > 1e12)
        return csv_expected(&table->csv, row, table->time, "a whole number", fault);
    *time = (int64_t)index;
    return STATUS_OK;
}

static int has_time(const struct table *table)
{
    return table->time >= 0 || table->year >= 0;
}

static int is_data_column(const struct table *table, int64_t c)
{
    if (c == table->time || c == table->id)
        return 0;
    return table->year < 0 || (c != table->year && c != table->month && c != table->day);
}

static enum status read_value(const struct table *table, int64_t row, int64_t column, float *value, struct fault *fault)
{
    const char *cell = csv_cell(&table->csv, row, column);
    double number;
    if (csv_is_missing(cell)) {
        *value = NAN;
        return STATUS_OK;
    }
    if (!csv_number(cell, &number) || fabs(number) > 3.4e38)
        return csv_expected(&table->csv, row, column, "a number or an empty field", fault);
    *value = (float)number;
    return STATUS_OK;
}

static enum status set_time(const struct table *table, struct field *field, const int64_t *time, struct fault *fault)
{
    const struct import_options *options = table->options;
    int64_t start_s, last_s;
    if (has_time(table) && !table->time_is_index) {
        field->time_s = arena_array(field->arena, (size_t)field->n_rows, sizeof *field->time_s);
        memcpy(field->time_s, time, (size_t)field->n_rows * sizeof *time);
        return STATUS_OK;
    }
    if (!options->start || !(options->step_s >= 1))
        return STATUS_OK;
    const char *reason = calendar_parse(options->start, &start_s, &last_s);
    if (reason)
        return fault_set(fault, STATUS_USAGE, "--start: expected a date, found \"%s\": %s", options->start, reason);
    field->time_s = arena_array(field->arena, (size_t)field->n_rows, sizeof *field->time_s);
    for (int64_t r = 0; r < field->n_rows; r++)
        field->time_s[r] = start_s + (int64_t)llround(options->step_s * (double)(time ? time[r] - time[0] : r));
    return STATUS_OK;
}

static enum status read_times(const struct table *table, struct field *field, struct fault *fault)
{
    if (!has_time(table))
        return set_time(table, field, NULL, fault);
    int64_t *time = arena_array(field->arena, (size_t)field->n_rows, sizeof *time);
    for (int64_t r = 0; r < field->n_rows; r++) {
        enum status status = time_of_row(table, table->first + r, &time[r], fault);
        if (status != STATUS_OK)
            return status;
        if (r > 0 && time[r] <= time[r - 1])
            return fault_set(fault, STATUS_USAGE, "%s:%lld: expected a time after that of the line before%s",
                             table->csv.path, (long long)table->csv.line[table->first + r],
                             time[r] == time[r - 1] ? " (for one row per station and time, use --layout long)" : "");
    }
    return set_time(table, field, time, fault);
}

static enum status read_columns(const struct table *table, const int64_t *column, int64_t n_columns, int64_t n_rows,
                                float *values, struct fault *fault)
{
    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t c = 0; c < n_columns; c++) {
            enum status status = read_value(table, table->first + r, column[c], &values[r * n_columns + c], fault);
            if (status != STATUS_OK)
                return status;
        }
    return STATUS_OK;
}

static enum status read_wide(const struct table *table, const int64_t *column, int64_t n, struct field *field,
                             struct fault *fault)
{
    const struct import_options *options = table->options;
    struct dataset_variable variable = {.name = "value"};
    float *values;
    if (options->n_variables > 1)
        return fault_set(fault, STATUS_USAGE,
                         "%s: --variable: the columns are stations of one variable: expected one name, found %d",
                         table->csv.path, options->n_variables);
    if (options->n_variables == 1)
        variable.name = options->variable[0];
    field->n_stations = n;
    enum status status = field_room(field, field->n_rows, n, &values, fault);
    if (status == STATUS_OK)
        status = read_columns(table, column, n, field->n_rows, values, fault);
    if (status != STATUS_OK)
        return status;
    if (table->first == 1) {
        field->station = arena_array(field->arena, (size_t)n, sizeof *field->station);
        for (int64_t c = 0; c < n; c++)
            field->station[c] = csv_cell(&table->csv, 0, column[c]);
    }
    return field_add(field, &variable, values, fault);
}

/* A name that had to be changed is kept in words. */
static struct dataset_variable named(struct field *field, const char *name)
{
    const char *allowed = field_name(field->arena, name);
    return (struct dataset_variable){.name = allowed, .long_name = strcmp(allowed, name) == 0 ? "" : name};
}

static enum status read_columns_as_variables(const struct table *table, const int64_t *column, int64_t n,
                                             struct field *field, struct fault *fault)
{
    enum status status = STATUS_OK;
    if (table->first == 0)
        return fault_set(fault, STATUS_USAGE, "%s: --layout variables needs a header line with their names",
                         table->csv.path);
    field->n_stations = 1;
    for (int64_t c = 0; c < n && status == STATUS_OK; c++) {
        const char *name = csv_cell(&table->csv, 0, column[c]);
        struct dataset_variable variable = named(field, name);
        float *values;
        if (!import_wants(table->options, name))
            continue;
        status = field_room(field, field->n_rows, 1, &values, fault);
        if (status == STATUS_OK)
            status = read_columns(table, &column[c], 1, field->n_rows, values, fault);
        if (status == STATUS_OK)
            status = field_add(field, &variable, values, fault);
    }
    return status;
}

/* Place of each data row of a long table in the field. */
struct places {
    int64_t *row, *station;
    int64_t *time; /* [n_rows of the field], sorted */
};

static int compare_int64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static enum status place_rows(const struct table *table, int64_t n, struct field *field, struct places *places,
                              struct fault *fault)
{
    int64_t *time = arena_array(field->arena, (size_t)n, sizeof *time);
    places->row = arena_array(field->arena, (size_t)n, sizeof *places->row);
    places->time = arena_array(field->arena, (size_t)n, sizeof *places->time);
    for (int64_t i = 0; i < n; i++) {
        enum status status = time_of_row(table, table->first + i, &time[i], fault);
        if (status != STATUS_OK)
            return status;
    }
    memcpy(places->time, time, (size_t)n * sizeof *time);
    qsort(places->time, (size_t)n, sizeof *time, compare_int64);
    field->n_rows = 0;
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || places->time[i] != places->time[i - 1])
            places->time[field->n_rows++] = places->time[i];
    for (int64_t i = 0; i < n; i++) {
        const int64_t *found = bsearch(&time[i], places->time, (size_t)field->n_rows, sizeof *time, compare_int64);
        places->row[i] = found - places->time;
    }
    return STATUS_OK;
}

struct named_row {
    const char *name;
    int64_t row;
};

static int compare_named(const void *a, const void *b)
{
    const struct named_row *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

/* Stations in the order of their first appearance. */
static enum status place_stations(const struct table *table, int64_t n, struct field *field, struct places *places,
                                  struct fault *fault)
{
    struct named_row *sorted = arena_array(field->arena, (size_t)n, sizeof *sorted);
    int64_t *first = arena_array(field->arena, (size_t)n, sizeof *first);
    places->station = arena_array(field->arena, (size_t)n, sizeof *places->station);
    field->station = arena_array(field->arena, (size_t)n, sizeof *field->station);
    for (int64_t i = 0; i < n; i++) {
        sorted[i] = (struct named_row){csv_cell(&table->csv, table->first + i, table->id), i};
        if (!sorted[i].name[0])
            return csv_expected(&table->csv, table->first + i, table->id, "the name of a station", fault);
    }
    qsort(sorted, (size_t)n, sizeof *sorted, compare_named);
    for (int64_t i = 0; i < n; i++)
        first[sorted[i].row] =
            i > 0 && strcmp(sorted[i].name, sorted[i - 1].name) == 0 ? first[sorted[i - 1].row] : sorted[i].row;
    for (int64_t i = 0; i < n; i++) {
        if (first[i] == i) {
            places->station[i] = field->n_stations;
            field->station[field->n_stations++] = csv_cell(&table->csv, table->first + i, table->id);
        }
        places->station[i] = places->station[first[i]];
    }
    return STATUS_OK;
}

static enum status check_once(const struct table *table, int64_t n, const struct field *field,
                              const struct places *places, struct fault *fault)
{
    int64_t *line = calloc((size_t)(field->n_rows * field->n_stations), sizeof *line);
    if (!line)
        return fault_set(fault, STATUS_FAILED, "%s: %lld times x %lld stations do not fit into memory", table->csv.path,
                         (long long)field->n_rows, (long long)field->n_stations);
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < n && status == STATUS_OK; i++) {
        int64_t *seen = &line[places->row[i] * field->n_stations + places->station[i]];
        if (*seen)
            status = fault_set(fault, STATUS_USAGE, "%s:%lld: station %s has this time in line %lld already",
                               table->csv.path, (long long)table->csv.line[table->first + i],
                               field->station[places->station[i]], (long long)*seen);
        *seen = table->csv.line[table->first + i];
    }
    free(line);
    return status;
}

/* A column that says the same in all rows of a station describes the station. */
static int never_changes(const struct field *field, const float *values)
{
    for (int64_t r = 0; r < field->n_rows; r++)
        for (int64_t s = 0; s < field->n_stations; s++)
            if (!(values[r * field->n_stations + s] == values[s]))
                return 0;
    return field->n_rows > 1;
}

static enum status read_long_column(const struct table *table, int64_t column, int64_t n, const struct places *places,
                                    struct field *field, struct fault *fault)
{
    const char *name = csv_cell(&table->csv, 0, column);
    struct dataset_variable variable = named(field, name);
    float *values;
    enum status status = field_room(field, field->n_rows, field->n_stations, &values, fault);
    for (int64_t i = 0; status == STATUS_OK && i < field->n_rows * field->n_stations; i++)
        values[i] = NAN;
    for (int64_t i = 0; status == STATUS_OK && i < n; i++)
        status = read_value(table, table->first + i, column,
                            &values[places->row[i] * field->n_stations + places->station[i]], fault);
    if (status != STATUS_OK)
        return status;
    variable.is_static = never_changes(field, values);
    return field_add(field, &variable, values, fault);
}

static enum status read_long(const struct table *table, const int64_t *column, int64_t n_columns, struct field *field,
                             struct fault *fault)
{
    struct places places;
    int64_t n = table->csv.n_rows - table->first;
    if (!has_time(table))
        return fault_set(fault, STATUS_USAGE, "%s: no time column was found: name it with --time-column",
                         table->csv.path);
    enum status status = place_rows(table, n, field, &places, fault);
    if (status == STATUS_OK)
        status = place_stations(table, n, field, &places, fault);
    if (status == STATUS_OK)
        status = check_once(table, n, field, &places, fault);
    if (status == STATUS_OK)
        status = set_time(table, field, places.time, fault);
    for (int64_t c = 0; c < n_columns && status == STATUS_OK; c++)
        if (import_wants(table->options, csv_cell(&table->csv, 0, column[c])))
            status = read_long_column(table, column[c], n, &places, field, fault);
    return status;
}

static enum status open_table(struct table *table, const char *path, struct field *field, struct fault *fault)
{
    enum status status = csv_read(path, field->arena, &table->csv, fault);
    if (status != STATUS_OK)
        return status;
    table->first = table->options->header < 0 ? guess_header(&table->csv) : table->options->header;
    status = find_time(table, fault);
    if (status == STATUS_OK)
        status = find_id(table, fault);
    field->n_rows = table->csv.n_rows - table->first;
    if (status == STATUS_OK && field->n_rows < 1)
        status = fault_set(fault, STATUS_USAGE, "%s: a header, but no data", path);
    double index;
    if (status == STATUS_OK && table->time >= 0)
        table->time_is_index = csv_number(csv_cell(&table->csv, table->first, table->time), &index);
    return status;
}

static enum status check_wanted(const struct table *table, struct fault *fault)
{
    int64_t column;
    for (int i = 0; i < table->options->n_variables; i++)
        if (need_column(table, "variable", table->options->variable[i], &column, fault) != STATUS_OK)
            return fault->status;
    return STATUS_OK;
}

enum status import_csv(const char *path, const struct import_options *options, struct field *field, struct fault *fault)
{
    struct table table = {.options = options, .year = -1, .month = -1, .day = -1};
    enum status status = open_table(&table, path, field, fault);
    if (status != STATUS_OK)
        return status;
    int64_t *column = arena_array(field->arena, (size_t)table.csv.n_columns, sizeof *column), n = 0;
    for (int64_t c = 0; c < table.csv.n_columns; c++)
        if (is_data_column(&table, c))
            column[n++] = c;
    if (n == 0)
        return fault_set(fault, STATUS_USAGE, "%s: no column is left for values", path);
    if (table.id >= 0 || options->layout == LAYOUT_VARIABLES) {
        status = check_wanted(&table, fault);
        if (status != STATUS_OK)
            return status;
    }
    if (table.id >= 0)
        return read_long(&table, column, n, field, fault);
    status = read_times(&table, field, fault);
    if (status != STATUS_OK)
        return status;
    return options->layout == LAYOUT_VARIABLES ? read_columns_as_variables(&table, column, n, field, fault)
                                               : read_wide(&table, column, n, field, fault);
}
