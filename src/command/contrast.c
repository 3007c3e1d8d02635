/* contrast.c - polyrank contrast: full-parameter training against training that switches, pair by pair. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "command/command.h"
#include "command/contrast.h"

struct contrast_input {
    struct fault *fault;
    const char *path, *csv;
    struct contrast contrast;
};

enum { KEY_TIME = 1000, KEY_ENERGY };

static const struct argp_option options_table[] = {
    {"csv", 'c', "FILE", 0, "write every row with all its numbers there", 0},
    {"claim-time", KEY_TIME, "RATIO", 0, "speed-up to hold the rows against (default 11.9, as published for HpT)", 0},
    {"claim-energy", KEY_ENERGY, "RATIO", 0, "energy ratio to hold them against (default 12.05)", 0},
    {0},
};

static int parse_ratio(struct contrast_input *input, const char *name, const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    if (*text && !*end && isfinite(*value) && *value > 0)
        return 0;
    fault_set(input->fault, STATUS_USAGE, "--%s: expected a number above 0, found '%s'", name, text);
    return EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct contrast_input *input = state->input;
    switch (key) {
    case 'c':
        input->csv = arg;
        return 0;
    case KEY_TIME:
        return parse_ratio(input, "claim-time", arg, &input->contrast.claimed_time);
    case KEY_ENERGY:
        return parse_ratio(input, "claim-energy", arg, &input->contrast.claimed_energy);
    case ARGP_KEY_ARG:
        if (input->path)
            return ARGP_ERR_UNKNOWN;
        input->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (input->path)
            return 0;
        fault_set(input->fault, STATUS_USAGE, "no table: expected a CSV file such as jobs/hpt/published.csv");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options_table,
    parse,
    "TABLE",
    "Predicts pairs of jobs, one that trains all parameters to the end and one that switches to its low-parameter "
    "mode: virtual time and energy of both, their ratios, and what bounds them. Nothing is trained.\v"
    "TABLE is CSV: group, label, x, base, run, set_base, set_run; base and run are job files seen from its folder, the "
    "last two overrides as in --set, separated by semicolons. Fails when a row cannot be predicted.\n\n"
    "example:\n"
    "  polyrank contrast jobs/hpt/published.csv --csv ratios.csv",
    NULL,
    NULL,
    NULL};

static enum status contrast(struct contrast_input *input, struct arena *arena, struct fault *fault)
{
    struct table table;
    enum status status = table_read(&table, input->path, arena, fault);
    if (status != STATUS_OK)
        return status;
    if (!contrast_table_matches(&table))
        return fault_set(fault, STATUS_USAGE,
                         "%s:1: expected the columns group, label, x, base, run, set_base, set_run", input->path);
    contrast_predict(&table, arena, &input->contrast);
    contrast_print(&input->contrast, arena, stdout);
    if (input->csv)
        contrast_write_csv(input->csv, &input->contrast, fault);
    int failures = contrast_failures(&input->contrast);
    if (fault->status == STATUS_OK && failures)
        fault_set(fault, STATUS_FAILED, "%s: %d of %d rows cannot be predicted", input->path, failures,
                  input->contrast.n);
    return fault->status;
}

enum status command_contrast(struct comm *none, int argc, char **argv, struct fault *fault)
{
    struct contrast_input input = {.fault = fault, .contrast = {.claimed_time = 11.9, .claimed_energy = 12.05}};
    int done = 0;
    (void)none;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    struct arena *arena = arena_new();
    contrast(&input, arena, fault);
    arena_free(arena);
    return fault->status;
}
