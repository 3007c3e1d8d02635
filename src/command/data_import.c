#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/data.h"
#include "command/subverb.h"
#include "store/import.h"

struct import_input {
    struct arena *arena;
    struct fault *fault;
    struct import_options options;
    const char *in, *out;
    int force;
};

enum {
    KEY_HEADER = 256,
    KEY_NO_HEADER,
    KEY_LAYOUT,
    KEY_TIME_COLUMN,
    KEY_ID_COLUMN,
    KEY_UNITS,
    KEY_LONG_NAME,
    KEY_STANDARD_NAME,
    KEY_TITLE,
    KEY_SOURCE,
    KEY_START,
    KEY_STEP,
    KEY_MISSING,
    KEY_STATIONS_FILE,
    KEY_ADJACENCY,
    KEY_STATIONS,
    KEY_ROWS,
    KEY_FROM,
    KEY_TO,
    KEY_BOX,
    KEY_EVERY,
    KEY_FORCE
};

static const struct argp_option options[] = {
    {"variable", 'v', "NAMES", 0,
     "variables to import (default all), NAME=NEW to rename one; one name: what a table's values are called", 0},
    {"units", KEY_UNITS, "TEXT", 0, "units of the variables, as CF writes them (\"m s-1\")", 0},
    {"long-name", KEY_LONG_NAME, "TEXT", 0, "what the only variable is, in words", 0},
    {"standard-name", KEY_STANDARD_NAME, "NAME", 0, "its CF standard name", 0},
    {"title", KEY_TITLE, "TEXT", 0, "title of the data set", 0},
    {"source", KEY_SOURCE, "TEXT", 0, "where the data come from (default: the file's own words, or its name)", 0},
    {"missing", KEY_MISSING, "NUMBER", 0, "this number stands for a missing value", 0},
    {"start", KEY_START, "TIME", 0, "time of the first row, when the file has no dates (with --step)", 1},
    {"step", KEY_STEP, "DURATION", 0, "time between rows: 1h, 5min, 1d", 1},
    {"header", KEY_HEADER, NULL, 0, "CSV: the first line names the columns (default: found out)", 2},
    {"no-header", KEY_NO_HEADER, NULL, 0, "CSV: the first line is data", 2},
    {"layout", KEY_LAYOUT, "LAYOUT", 0,
     "CSV: stations (a column each), variables (of one station, a column each) or long (a line for each station and "
     "time)",
     2},
    {"time-column", KEY_TIME_COLUMN, "NAME", 0, "CSV: the column of times; none: there is none", 2},
    {"id-column", KEY_ID_COLUMN, "NAME", 0, "CSV, long: the column of station names", 2},
    {"stations-file", KEY_STATIONS_FILE, "CSV", 0, "names, latitudes and longitudes of the stations", 3},
    {"adjacency", KEY_ADJACENCY, "CSV", 0, "edges i,j,weight, or a matrix", 3},
    {"stations", KEY_STATIONS, "NAMES", 0, "keep these stations", 4},
    {"rows", KEY_ROWS, "A..B", 0, "keep these rows, from 0", 4},
    {"from", KEY_FROM, "TIME", 0, "keep rows from this time on", 4},
    {"to", KEY_TO, "TIME", 0, "keep rows up to this time", 4},
    {"box", KEY_BOX, "S,N,W,E", 0, "keep stations within these latitudes and longitudes, in degrees", 4},
    {"every", KEY_EVERY, "N", 0, "grids: keep each N-th point of every direction", 4},
    {"force", KEY_FORCE, NULL, 0, "replace OUT if it exists", 5},
    {0}};

static enum status parse_box(const char *text, struct import_options *o, struct fault *fault)
{
    int end = 0;
    if (sscanf(text, "%lf,%lf,%lf,%lf%n", &o->south, &o->north, &o->west, &o->east, &end) != 4 || text[end] ||
        !(o->south <= o->north) || !(o->south >= -90 && o->north <= 90) || !(o->west >= -360 && o->west <= 360) ||
        !(o->east >= -360 && o->east <= 360))
        return fault_set(fault, STATUS_USAGE,
                         "--box: expected south,north,west,east in degrees such as 30,60,-60,0, found \"%s\"", text);
    o->has_box = 1;
    return STATUS_OK;
}

static enum status parse_number(const char *text, struct import_options *o, struct fault *fault)
{
    char *end;
    o->missing = strtod(text, &end);
    o->has_missing = 1;
    if (end == text || *end)
        return fault_set(fault, STATUS_USAGE, "--missing: expected a number, found \"%s\"", text);
    return STATUS_OK;
}

static enum status parse_layout(const char *text, struct import_options *o, struct fault *fault)
{
    static const char *const words[] = {"auto", "stations", "variables", "long"};
    for (int i = 0; i < 4; i++)
        if (strcmp(text, words[i]) == 0) {
            o->layout = (enum import_layout)i;
            return STATUS_OK;
        }
    return fault_set(fault, STATUS_USAGE, "--layout: expected auto, stations, variables or long, found \"%s\"", text);
}

static const char **text_option(struct import_options *o, int key)
{
    switch (key) {
    case KEY_TIME_COLUMN:
        return &o->time_column;
    case KEY_ID_COLUMN:
        return &o->id_column;
    case KEY_UNITS:
        return &o->units;
    case KEY_LONG_NAME:
        return &o->long_name;
    case KEY_STANDARD_NAME:
        return &o->standard_name;
    case KEY_TITLE:
        return &o->title;
    case KEY_SOURCE:
        return &o->source;
    case KEY_START:
        return &o->start;
    case KEY_STATIONS_FILE:
        return &o->stations_file;
    case KEY_ADJACENCY:
        return &o->adjacency_file;
    case KEY_FROM:
        return &o->first_time;
    case KEY_TO:
        return &o->last_time;
    default:
        return NULL;
    }
}

static enum status take_every(const char *text, struct import_options *o, struct fault *fault)
{
    int64_t every;
    enum status status = data_whole("every", text, 1, &every, fault);
    if (status == STATUS_OK && every > 1000000)
        status = fault_set(fault, STATUS_USAGE, "--every: expected at most 1000000, found %s", text);
    if (status == STATUS_OK)
        o->every = (int)every;
    return status;
}

static enum status take_variables(struct import_input *input, const char *arg)
{
    struct import_options *o = &input->options;
    enum status status =
        data_words(input->arena, "variable", arg, IMPORT_MAX_NAMES, o->variable, &o->n_variables, input->fault);
    for (int i = 0; i < o->n_variables && status == STATUS_OK; i++) {
        char *name = arena_string(input->arena, o->variable[i]), *equals = strchr(name, '=');
        if (!equals)
            continue;
        *equals = '\0';
        if (equals == name || !equals[1])
            return fault_set(input->fault, STATUS_USAGE, "--variable: expected NAME or NAME=NEW, found \"%s\"",
                             o->variable[i]);
        o->variable[i] = name;
        o->new_name[i] = equals + 1;
    }
    return status;
}

static enum status take_words(struct import_input *input, int key, const char *arg)
{
    struct import_options *o = &input->options;
    if (key == 'v')
        return take_variables(input, arg);
    return data_words(input->arena, "stations", arg, IMPORT_MAX_NAMES, o->station, &o->n_stations, input->fault);
}

static error_t take_argument(struct import_input *input, const char *arg)
{
    if (input->out)
        return ARGP_ERR_UNKNOWN;
    *(input->in ? &input->out : &input->in) = arg;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct import_input *input = state->input;
    struct import_options *o = &input->options;
    const char **text = text_option(o, key);
    if (text) {
        *text = arg;
        return 0;
    }
    switch (key) {
    case ARGP_KEY_ARG:
        return take_argument(input, arg);
    case 'v':
    case KEY_STATIONS:
        return take_words(input, key, arg) ? EINVAL : 0;
    case KEY_HEADER:
    case KEY_NO_HEADER:
        o->header = key == KEY_HEADER;
        return 0;
    case KEY_LAYOUT:
        return parse_layout(arg, o, input->fault) ? EINVAL : 0;
    case KEY_STEP:
        return data_seconds("step", arg, &o->step_s, input->fault) ? EINVAL : 0;
    case KEY_MISSING:
        return parse_number(arg, o, input->fault) ? EINVAL : 0;
    case KEY_ROWS:
        return data_range("rows", arg, &o->first_row, &o->last_row, input->fault) ? EINVAL : 0;
    case KEY_BOX:
        return parse_box(arg, o, input->fault) ? EINVAL : 0;
    case KEY_EVERY:
        return take_every(arg, o, input->fault) ? EINVAL : 0;
    case KEY_FORCE:
        input->force = 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse,
    "IN OUT",
    "Turns a file into a data set: variables over time and stations, HDF5 with CF attributes. What IN is, it finds "
    "out: CSV, "
    "pandas HDF5, netCDF-3, netCDF-4 or plain HDF5.\v"
    "examples:\n"
    "  polyrank data import wind.csv wind.h5 --variable speed --units 'm s-1' --start 2010-01-01 --step 1h\n"
    "  polyrank data import traffic.h5 la.h5 --variable speed --units mph --missing 0 --adjacency edges.csv\n"
    "  polyrank data import era5.nc atlantic.h5 --variable u10,v10 --box 30,60,-60,0",
    NULL,
    NULL,
    NULL};

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void tell(const struct field *field, const char *out)
{
    int n_static = 0;
    for (int v = 0; v < field->n_variables; v++)
        n_static += field->variable[v].is_static;
    printf("%s: %lld row%s x %lld station%s, %d variable%s", out, (long long)field->n_rows,
           field->n_rows == 1 ? "" : "s", (long long)field->n_stations, field->n_stations == 1 ? "" : "s",
           field->n_variables - n_static, field->n_variables - n_static == 1 ? "" : "s");
    if (n_static)
        printf(", %d that never change%s", n_static, n_static == 1 ? "s" : "");
    printf("%s%s%s\n", field->time_s ? "" : ", no time stamps", field->latitude ? ", coordinates" : "",
           field->adjacency ? ", adjacency" : "");
}

static enum status run(struct import_input *input, const char *history, struct fault *fault)
{
    struct field *field = arena_take(input->arena, sizeof *field);
    if ((input->options.start != NULL) != (input->options.step_s > 0))
        return fault_set(fault, STATUS_USAGE, "--start and --step: expected both or none");
    enum status status = data_may_write(input->out, input->force, fault);
    if (status == STATUS_OK)
        status = import_read(input->in, &input->options, input->arena, field, fault);
    if (status != STATUS_OK)
        return status;
    if (!field->source || !field->source[0])
        field->source = file_name(input->in);
    if (field->history && field->history[0])
        history = arena_printf(input->arena, "%s\n%s", history, field->history);
    field->history = history;
    status = field_write(field, input->out, fault);
    if (status == STATUS_OK)
        tell(field, input->out);
    return status;
}

enum status data_import(struct arena *arena, int argc, char **argv, struct fault *fault)
{
    struct import_input input = {.arena = arena, .fault = fault, .options = import_defaults()};
    int done;
    char **words = subverb_copy_words(arena, argc, argv);
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (!input.out)
        return fault_set(fault, STATUS_USAGE, "data import: expected a file to read and a file to write");
    return run(&input, data_history(arena, argc, words, input.out), fault);
}
