#include "store/field.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_VALUES = 1 << 20 };

int field_fits(int64_t n, size_t size)
{
    size_t bytes, memory_bytes;
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    if (n < 0 || !size_mul((size_t)n, size, &bytes))
        return 0;
    return pages <= 0 || !size_mul((size_t)pages, (size_t)page_bytes, &memory_bytes) || bytes <= memory_bytes;
}

enum status field_room(struct field *field, int64_t n_rows, int64_t n_stations, float **values, struct fault *fault)
{
    size_t n;
    int fits =
        size_mul((size_t)n_rows, (size_t)n_stations, &n) && n < INT64_MAX && field_fits((int64_t)n, sizeof **values);
    void *probe = fits ? malloc(n * sizeof **values + 65536) : NULL;
    free(probe);
    if (!probe)
        return fault_set(fault, STATUS_FAILED, "%lld rows x %lld stations do not fit into memory", (long long)n_rows,
                         (long long)n_stations);
    *values = arena_array(field->arena, n, sizeof **values);
    return STATUS_OK;
}

static const char *copy(struct arena *arena, const char *text)
{
    return arena_string(arena, text ? text : "");
}

enum status field_add(struct field *field, const struct dataset_variable *variable, float *values, struct fault *fault)
{
    if (field->n_variables == DATASET_MAX_VARIABLES)
        return fault_set(fault, STATUS_USAGE, "expected at most %d variables", DATASET_MAX_VARIABLES);
    struct dataset_variable *to = &field->variable[field->n_variables];
    *to = *variable;
    to->name = copy(field->arena, variable->name);
    to->units = copy(field->arena, variable->units);
    to->long_name = copy(field->arena, variable->long_name);
    to->standard_name = copy(field->arena, variable->standard_name);
    field->values[field->n_variables++] = values;
    return STATUS_OK;
}

const char *field_name(struct arena *arena, const char *text)
{
    char *name = arena_printf(arena, "%s%s", isalpha((unsigned char)text[0]) ? "" : "v_", text);
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
    return name;
}

enum status field_keep_rows(struct field *field, int64_t first, int64_t last, struct fault *fault)
{
    if (first < 0 || last < first || last >= field->n_rows)
        return fault_set(fault, STATUS_USAGE, "expected rows within 0..%lld, found %lld..%lld",
                         (long long)(field->n_rows - 1), (long long)first, (long long)last);
    field->n_rows = last - first + 1;
    if (field->time_s)
        field->time_s += first;
    for (int v = 0; v < field->n_variables; v++)
        if (!field->variable[v].is_static)
            field->values[v] += first * field->n_stations;
    return STATUS_OK;
}

static void keep_columns(float *values, int64_t n_rows, int64_t n_columns, const uint8_t *keep)
{
    float *to = values;
    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t s = 0; s < n_columns; s++)
            if (keep[s])
                *to++ = values[r * n_columns + s];
}

enum status field_keep_stations(struct field *field, const uint8_t *keep, struct fault *fault)
{
    int64_t n = field->n_stations, kept = 0;
    if (!field->station) {
        field->station = arena_array(field->arena, (size_t)n, sizeof *field->station);
        for (int64_t s = 0; s < n; s++)
            field->station[s] = arena_printf(field->arena, "%lld", (long long)s);
    }
    for (int v = 0; v < field->n_variables; v++)
        keep_columns(field->values[v], field->variable[v].is_static ? 1 : field->n_rows, n, keep);
    if (field->adjacency) {
        float *to = field->adjacency;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                if (keep[i] && keep[j])
                    *to++ = field->adjacency[i * n + j];
    }
    for (int64_t s = 0; s < n; s++) {
        if (!keep[s])
            continue;
        field->station[kept] = field->station[s];
        if (field->latitude) {
            field->latitude[kept] = field->latitude[s];
            field->longitude[kept] = field->longitude[s];
        }
        kept++;
    }
    field->n_stations = kept;
    return kept > 0 ? STATUS_OK : fault_set(fault, STATUS_USAGE, "the selection leaves no station");
}

static int64_t n_values(const struct field *field, int variable)
{
    return (field->variable[variable].is_static ? 1 : field->n_rows) * field->n_stations;
}

void field_mark_missing(struct field *field, double missing)
{
    for (int v = 0; v < field->n_variables; v++)
        for (int64_t i = 0; !field->variable[v].is_static && i < n_values(field, v); i++)
            if (field->values[v][i] == (float)missing)
                field->values[v][i] = NAN;
}

static void find_missing(struct field *field)
{
    for (int v = 0; v < field->n_variables; v++) {
        field->variable[v].has_missing = 0;
        for (int64_t i = 0; i < n_values(field, v) && !field->variable[v].has_missing; i++)
            field->variable[v].has_missing = isnan(field->values[v][i]) != 0;
    }
}

static enum status write_variable(const struct field *field, struct dataset_writer *writer, int v, struct fault *fault)
{
    int64_t n_rows = field->variable[v].is_static ? 1 : field->n_rows, block = BLOCK_VALUES / field->n_stations;
    block = block > 0 ? block : 1;
    enum status status = STATUS_OK;
    for (int64_t row = 0; row < n_rows && status == STATUS_OK; row += block)
        status = dataset_write_rows(writer, v, row, n_rows - row < block ? n_rows - row : block,
                                    field->values[v] + row * field->n_stations, fault);
    return status;
}

enum status field_write(struct field *field, const char *path, struct fault *fault)
{
    find_missing(field);
    struct dataset_spec spec = {.title = field->title,
                                .source = field->source,
                                .history = field->history,
                                .n_rows = field->n_rows,
                                .n_stations = field->n_stations,
                                .time_s = field->time_s,
                                .station = (const char *const *)field->station,
                                .latitude = field->latitude,
                                .longitude = field->longitude,
                                .adjacency = field->adjacency,
                                .n_variables = field->n_variables,
                                .variable = field->variable};
    struct dataset_writer *writer;
    enum status status = dataset_create(path, &spec, &writer, fault);
    if (status != STATUS_OK)
        return status;
    for (int v = 0; v < field->n_variables && status == STATUS_OK; v++)
        status = write_variable(field, writer, v, fault);
    if (status == STATUS_OK)
        return dataset_finish(writer, fault);
    dataset_abandon(writer);
    return status;
}
