#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/data.h"
#include "command/subverb.h"
#include "store/synth.h"

struct synth_input {
    struct arena *arena;
    struct fault *fault;
    struct synth_options options;
    const char *out;
    int force;
};

enum { KEY_STATIONS = 256, KEY_ROWS, KEY_SEED, KEY_STEP, KEY_MISSING, KEY_FORCE };

static const struct argp_option options[] = {
    {"stations", KEY_STATIONS, "N", 0, "number of stations (default 64)", 0},
    {"rows", KEY_ROWS, "T", 0, "number of rows (default 2000)", 0},
    {"step", KEY_STEP, "DURATION", 0, "time between rows (default 1h)", 0},
    {"variables", 'v', "NAMES", 0, "names with units after a colon (default \"wind_speed:m s-1\")", 0},
    {"missing", KEY_MISSING, "FRACTION", 0, "fraction of values that are missing, at random (default 0)", 0},
    {"seed", KEY_SEED, "N", 0, "another seed, another field (default 1)", 0},
    {"force", KEY_FORCE, NULL, 0, "replace OUT if it exists", 1},
    {0}};

static enum status take_variables(struct synth_input *input, const char *arg)
{
    struct synth_options *o = &input->options;
    enum status status =
        data_words(input->arena, "variables", arg, SYNTH_MAX_VARIABLES, o->variable, &o->n_variables, input->fault);
    for (int i = 0; i < o->n_variables && status == STATUS_OK; i++) {
        char *name = arena_string(input->arena, o->variable[i]), *colon = strchr(name, ':');
        if (colon)
            *colon++ = '\0';
        o->variable[i] = name;
        o->units[i] = colon ? colon : "1";
    }
    return status;
}

static enum status take_fraction(struct synth_input *input, const char *arg)
{
    char *end;
    input->options.missing_fraction = strtod(arg, &end);
    if (end == arg || *end || !(input->options.missing_fraction >= 0 && input->options.missing_fraction < 1))
        return fault_set(input->fault, STATUS_USAGE, "--missing: expected a fraction in [0, 1), found \"%s\"", arg);
    return STATUS_OK;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct synth_input *input = state->input;
    struct synth_options *o = &input->options;
    int64_t seed;
    double step_s;
    switch (key) {
    case ARGP_KEY_ARG:
        if (input->out)
            return ARGP_ERR_UNKNOWN;
        input->out = arg;
        return 0;
    case KEY_STATIONS:
        return data_whole("stations", arg, 1, &o->n_stations, input->fault) ? EINVAL : 0;
    case KEY_ROWS:
        return data_whole("rows", arg, 1, &o->n_rows, input->fault) ? EINVAL : 0;
    case KEY_SEED:
        if (data_whole("seed", arg, 0, &seed, input->fault))
            return EINVAL;
        o->seed = (uint64_t)seed;
        return 0;
    case KEY_STEP:
        if (data_seconds("step", arg, &step_s, input->fault))
            return EINVAL;
        o->step_s = (int64_t)step_s;
        return 0;
    case 'v':
        return take_variables(input, arg) ? EINVAL : 0;
    case KEY_MISSING:
        return take_fraction(input, arg) ? EINVAL : 0;
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
    "OUT",
    "Makes a data set up: waves that travel over scattered stations, a daily cycle, slow noise; "
    "positive values. Equal options give equal data.\v"
    "example:\n"
    "  polyrank data synth big.h5 --stations 1000 --rows 10000 --variables u:m\\ s-1,v:m\\ s-1",
    NULL,
    NULL,
    NULL};

enum status data_synth(struct arena *arena, int argc, char **argv, struct fault *fault)
{
    enum { START_S = 1577836800 }; /* 2020-01-01 */
    struct synth_input input = {.arena = arena,
                                .fault = fault,
                                .options = {.n_stations = 64,
                                            .n_rows = 2000,
                                            .seed = 1,
                                            .step_s = 3600,
                                            .start_s = START_S,
                                            .n_variables = 1,
                                            .variable = {"wind_speed"},
                                            .units = {"m s-1"}}};
    int done;
    char **words = subverb_copy_words(arena, argc, argv);
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (!input.out)
        return fault_set(fault, STATUS_USAGE, "data synth: expected a file to write");
    input.options.history = data_history(arena, argc, words, input.out);
    status = data_may_write(input.out, input.force, fault);
    if (status == STATUS_OK)
        status = synth_write(input.out, &input.options, fault);
    if (status == STATUS_OK)
        printf("%s: %lld rows x %lld stations, %d variable%s, coordinates\n", input.out,
               (long long)input.options.n_rows, (long long)input.options.n_stations, input.options.n_variables,
               input.options.n_variables == 1 ? "" : "s");
    return status;
}
