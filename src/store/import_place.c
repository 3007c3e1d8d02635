#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/csv.h"
#include "store/import.h"

/* Degrees as -12.5 or as 51d56'N, 9d59'30"W (degrees, minutes, seconds, hemisphere). */
static int read_degrees(const char *cell, double *degrees)
{
    if (csv_number(cell, degrees))
        return 1;
    double value = 0, scale = 1;
    const char *at = cell;
    for (int part = 0; part < 3 && *at >= '0' && *at <= '9'; part++) {
        char *end;
        value += scale * strtod(at, &end);
        at = end;
        /* d or the degree sign of UTF-8, minutes, seconds */
        if (part == 0 ? *at == 'd' || *at == 'D' : *at == '\'' || *at == '"')
            at++;
        else if (part == 0 && strncmp(at, "\xC2\xB0", 2) == 0)
            at += 2;
        else
            return 0;
        scale /= 60;
    }
    if (at == cell || !strchr("NSEWnsew", *at) || *at == '\0' || at[1] != '\0')
        return 0;
    *degrees = strchr("SWsw", *at) ? -value : value;
    return 1;
}

static int64_t column_like(const struct csv *csv, const char *prefix)
{
    for (int64_t c = 0; c < csv->n_columns; c++)
        if (strncasecmp(csv_cell(csv, 0, c), prefix, strlen(prefix)) == 0)
            return c;
    return -1;
}

static int64_t row_of(const struct csv *csv, int64_t column, const char *name)
{
    for (int64_t r = 1; r < csv->n_rows; r++)
        if (strcmp(csv_cell(csv, r, column), name) == 0)
            return r;
    return -1;
}

/* The column that knows most of the stations' names. */
static int64_t name_column(const struct csv *csv, const struct field *field)
{
    int64_t best = -1, most = 0;
    for (int64_t c = 0; c < csv->n_columns; c++) {
        int64_t known = 0;
        for (int64_t s = 0; s < field->n_stations && s < 1000; s++)
            known += row_of(csv, c, field->station[s]) > 0;
        if (known > most) {
            most = known;
            best = c;
        }
    }
    return best;
}

static enum status name_by_order(const struct csv *csv, struct field *field, int64_t latitude, int64_t longitude,
                                 struct fault *fault)
{
    if (csv->n_rows - 1 != field->n_stations)
        return fault_set(fault, STATUS_USAGE,
                         "%s: the stations have no names, so one line each is needed: expected %lld, "
                         "found %lld",
                         csv->path, (long long)field->n_stations, (long long)(csv->n_rows - 1));
    int64_t name = 0;
    while (name == latitude || name == longitude)
        name++;
    field->station = arena_array(field->arena, (size_t)field->n_stations, sizeof *field->station);
    for (int64_t s = 0; s < field->n_stations; s++)
        field->station[s] =
            name < csv->n_columns ? csv_cell(csv, s + 1, name) : arena_printf(field->arena, "%lld", (long long)s);
    return STATUS_OK;
}

static enum status read_place(const struct csv *csv, int64_t row, int64_t column, double most, double *degrees,
                              struct fault *fault)
{
    if (!read_degrees(csv_cell(csv, row, column), degrees) || fabs(*degrees) > most)
        return csv_expected(csv, row, column, most > 90 ? "a longitude in degrees" : "a latitude in degrees", fault);
    return STATUS_OK;
}

enum status import_stations(const char *path, struct field *field, struct fault *fault)
{
    struct csv csv;
    enum status status = csv_read(path, field->arena, &csv, fault);
    if (status != STATUS_OK)
        return status;
    int64_t latitude = column_like(&csv, "lat"), longitude = column_like(&csv, "lon"), name = -1;
    if (latitude < 0 || longitude < 0)
        return fault_set(fault, STATUS_USAGE, "%s:1: expected a header with columns of names, lat... and lon...", path);
    int by_order = !field->station;
    if (by_order)
        status = name_by_order(&csv, field, latitude, longitude, fault);
    else if ((name = name_column(&csv, field)) < 0)
        status = fault_set(fault, STATUS_USAGE, "%s: no column holds the stations' names (the first is \"%s\")", path,
                           field->station[0]);
    field->latitude = arena_array(field->arena, (size_t)field->n_stations, sizeof(double));
    field->longitude = arena_array(field->arena, (size_t)field->n_stations, sizeof(double));
    for (int64_t s = 0; s < field->n_stations && status == STATUS_OK; s++) {
        int64_t row = by_order ? s + 1 : row_of(&csv, name, field->station[s]);
        if (row < 0)
            return fault_set(fault, STATUS_USAGE, "%s: station %s is not listed", path, field->station[s]);
        status = read_place(&csv, row, latitude, 90, &field->latitude[s], fault);
        if (status == STATUS_OK)
            status = read_place(&csv, row, longitude, 360, &field->longitude[s], fault);
    }
    return status;
}

/* A station by its name, otherwise by its number. */
static enum status read_end(const struct csv *csv, int64_t row, int64_t column, const struct field *field,
                            int by_number, int64_t *station, struct fault *fault)
{
    const char *cell = csv_cell(csv, row, column);
    double number;
    char expected[96];
    if (by_number && csv_number(cell, &number) && number == floor(number) && number >= 0 &&
        number < (double)field->n_stations) {
        *station = (int64_t)number;
        return STATUS_OK;
    }
    for (int64_t s = 0; !by_number && s < field->n_stations; s++)
        if (strcmp(field->station[s], cell) == 0) {
            *station = s;
            return STATUS_OK;
        }
    snprintf(expected, sizeof expected, by_number ? "the number of a station, 0..%lld" : "the name of a station",
             (long long)(field->n_stations - 1));
    return csv_expected(csv, row, column, expected, fault);
}

static enum status read_weight(const struct csv *csv, int64_t row, int64_t column, float *weight, struct fault *fault)
{
    double value;
    if (!csv_number(csv_cell(csv, row, column), &value) || value < 0 || value > 3.4e38)
        return csv_expected(csv, row, column, "a weight of 0 or more", fault);
    *weight = (float)value;
    return STATUS_OK;
}

static int names_a_station(const struct field *field, const char *cell)
{
    for (int64_t s = 0; field->station && s < field->n_stations; s++)
        if (strcmp(field->station[s], cell) == 0)
            return 1;
    return 0;
}

static enum status read_edges(const struct csv *csv, struct field *field, struct fault *fault)
{
    double number;
    int64_t first = !csv_number(csv_cell(csv, 0, 2), &number), n = field->n_stations;
    if (first >= csv->n_rows)
        return fault_set(fault, STATUS_USAGE, "%s: a header, but no edge", csv->path);
    int by_number = !names_a_station(field, csv_cell(csv, first, 0));
    for (int64_t r = first; r < csv->n_rows; r++) {
        int64_t i = 0, j = 0;
        float weight = 0;
        enum status status = read_end(csv, r, 0, field, by_number, &i, fault);
        if (status == STATUS_OK)
            status = read_end(csv, r, 1, field, by_number, &j, fault);
        if (status == STATUS_OK)
            status = read_weight(csv, r, 2, &weight, fault);
        if (status != STATUS_OK)
            return status;
        field->adjacency[i * n + j] = weight;
    }
    return STATUS_OK;
}

enum status import_adjacency(const char *path, struct field *field, struct fault *fault)
{
    struct csv csv;
    int64_t n = field->n_stations;
    enum status status = csv_read(path, field->arena, &csv, fault);
    if (status == STATUS_OK)
        status = field_room(field, n, n, &field->adjacency, fault);
    if (status != STATUS_OK)
        return status;
    if (csv.n_columns == n && csv.n_rows == n) {
        for (int64_t i = 0; i < n * n && status == STATUS_OK; i++)
            status = read_weight(&csv, i / n, i % n, &field->adjacency[i], fault);
        return status;
    }
    if (csv.n_columns != 3)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: expected edges i,j,weight, or a matrix of %lld x %lld weights, found %lld lines of %lld fields", path,
            (long long)n, (long long)n, (long long)csv.n_rows, (long long)csv.n_columns);
    return read_edges(&csv, field, fault);
}
