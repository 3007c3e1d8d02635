#include "store/import.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/calendar.h"
#include "store/h5.h"

struct import_options import_defaults(void)
{
    return (struct import_options){.header = -1, .first_row = -1, .last_row = -1};
}

int import_wants(const struct import_options *options, const char *name)
{
    for (int i = 0; i < options->n_variables; i++)
        if (strcmp(options->variable[i], name) == 0)
            return 1;
    return options->n_variables == 0;
}

/* The group of a pandas frame ("df"), NULL when there is none. */
static const char *pandas_group(struct h5 *file, struct arena *arena)
{
    struct fault ignored = FAULT_NONE;
    int n;
    const char *const *names;
    if (h5_list(file, "/", arena, &n, &names, &ignored) != STATUS_OK)
        return NULL;
    for (int i = 0; i < n; i++)
        if (h5_exists(file, arena_printf(arena, "%s/axis0", names[i])) &&
            h5_exists(file, arena_printf(arena, "%s/block0_values", names[i])))
            return names[i];
    return NULL;
}

static enum status read_hdf5(const char *path, const struct import_options *options, struct field *field,
                             struct fault *fault)
{
    struct h5 *file;
    enum status status = h5_open(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    const char *group = pandas_group(file, field->arena);
    h5_close(file);
    return group ? import_pandas(path, group, options, field, fault) : import_grid(path, 0, options, field, fault);
}

static enum status read_any(const char *path, const struct import_options *options, struct field *field,
                            struct fault *fault)
{
    unsigned char magic[8] = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return fault_set(fault, STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
    size_t got = fread(magic, 1, sizeof magic, file);
    fclose(file);
    if (got >= 4 && memcmp(magic, "CDF", 3) == 0 && (magic[3] == 1 || magic[3] == 2 || magic[3] == 5))
        return import_grid(path, 1, options, field, fault);
    if (got == 8 && memcmp(magic, "\x89HDF\r\n\x1a\n", 8) == 0)
        return read_hdf5(path, options, field, fault);
    if (got >= 4 && memcmp(magic, "PK\3\4", 4) == 0)
        return fault_set(fault, STATUS_USAGE, "%s: this is a zip or npz archive: expected CSV, HDF5 or netCDF", path);
    if (got >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
        return fault_set(fault, STATUS_USAGE, "%s: this is compressed with gzip: unpack it first", path);
    return import_csv(path, options, field, fault);
}

static enum status keep_times(const struct import_options *options, struct field *field, struct fault *fault)
{
    int64_t first = options->first_row < 0 ? 0 : options->first_row, from_s, to_s, other;
    int64_t last = options->last_row < 0 ? field->n_rows - 1 : options->last_row;
    const char *const text[2] = {options->first_time, options->last_time};
    for (int i = 0; i < 2; i++) {
        if (!text[i])
            continue;
        if (!field->time_s)
            return fault_set(fault, STATUS_USAGE, "--%s %s: the rows have no time stamps", i ? "to" : "from", text[i]);
        const char *reason = i ? calendar_parse(text[i], &other, &to_s) : calendar_parse(text[i], &from_s, &other);
        if (reason)
            return fault_set(fault, STATUS_USAGE, "--%s: expected a date, found \"%s\": %s", i ? "to" : "from", text[i],
                             reason);
    }
    while (text[0] && first <= last && first < field->n_rows && field->time_s[first] < from_s)
        first++;
    while (text[1] && last >= first && last < field->n_rows && field->time_s[last] > to_s)
        last--;
    return field_keep_rows(field, first, last, fault);
}

static int within_box(const struct import_options *options, double latitude, double longitude)
{
    double width = fmod(options->east - options->west + 720, 360),
           distance = fmod(longitude - options->west + 1080, 360);
    if (options->east - options->west >= 360)
        width = 360;
    return latitude >= options->south && latitude <= options->north && distance <= width;
}

static enum status keep_stations(const struct import_options *options, struct field *field, struct fault *fault)
{
    if (!options->has_box && options->n_stations == 0)
        return STATUS_OK;
    if (options->has_box && !field->latitude)
        return fault_set(fault, STATUS_USAGE, "--box: the stations have no coordinates");
    uint8_t *keep = arena_array(field->arena, (size_t)field->n_stations, 1);
    int found[IMPORT_MAX_NAMES] = {0};
    for (int64_t s = 0; s < field->n_stations; s++) {
        const char *name = field->station ? field->station[s] : arena_printf(field->arena, "%lld", (long long)s);
        keep[s] = options->n_stations == 0;
        for (int i = 0; i < options->n_stations; i++)
            if (strcmp(options->station[i], name) == 0)
                keep[s] = 1, found[i] = 1;
        if (options->has_box && !within_box(options, field->latitude[s], field->longitude[s]))
            keep[s] = 0;
    }
    for (int i = 0; i < options->n_stations; i++)
        if (!found[i])
            return fault_set(fault, STATUS_USAGE, "--stations: there is no station %s", options->station[i]);
    return field_keep_stations(field, keep, fault);
}

static void rename_variables(const struct import_options *options, struct field *field)
{
    for (int i = 0; i < options->n_variables; i++)
        for (int v = 0; v < field->n_variables && options->new_name[i]; v++)
            if (strcmp(field->variable[v].name, field_name(field->arena, options->variable[i])) == 0) {
                field->variable[v].name = options->new_name[i];
                break;
            }
}

static enum status label(const struct import_options *options, struct field *field, struct fault *fault)
{
    struct dataset_variable *variable = &field->variable[0];
    if (field->n_variables == 0)
        return fault_set(fault, STATUS_USAGE, "no variable was found");
    if ((options->long_name || options->standard_name) && field->n_variables > 1)
        return fault_set(fault, STATUS_USAGE,
                         "--long-name and --standard-name speak of one variable, found %d: import one with --variable",
                         field->n_variables);
    for (int v = 0; v < field->n_variables; v++)
        if (options->units && !field->variable[v].is_static)
            field->variable[v].units = options->units;
    if (options->long_name)
        variable->long_name = options->long_name;
    if (options->standard_name)
        variable->standard_name = options->standard_name;
    rename_variables(options, field);
    if (options->title)
        field->title = options->title;
    if (options->source)
        field->source = options->source;
    return STATUS_OK;
}

static enum status refine(const struct import_options *options, struct field *field, struct fault *fault)
{
    enum status status = label(options, field, fault);
    if (status == STATUS_OK && options->stations_file)
        status = import_stations(options->stations_file, field, fault);
    if (status == STATUS_OK && options->adjacency_file)
        status = import_adjacency(options->adjacency_file, field, fault);
    if (status == STATUS_OK && options->has_missing)
        field_mark_missing(field, options->missing);
    if (status == STATUS_OK)
        status = keep_times(options, field, fault);
    if (status == STATUS_OK)
        status = keep_stations(options, field, fault);
    return status;
}

enum status import_read(const char *path, const struct import_options *options, struct arena *arena,
                        struct field *field, struct fault *fault)
{
    *field = (struct field){.arena = arena};
    enum status status = read_any(path, options, field, fault);
    return status == STATUS_OK ? refine(options, field, fault) : status;
}
