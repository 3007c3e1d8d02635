/* reproduce.c - polyrank reproduce: measured against predicted, for models that have formulas of their own errors. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/reproduce.h"

struct reproduce_input {
    struct fault *fault;
    const char *what;
    int64_t columns;
    uint64_t seed;
};

enum { KEY_COLUMNS = 256, KEY_SEED };

static const struct argp_option options_table[] = {
    {"columns", KEY_COLUMNS, "N", 0, "results of each experiment (default 8000)", 0},
    {"seed", KEY_SEED, "N", 0, "of all random numbers (default 1)", 0},
    {0},
};

static error_t whole_number(struct reproduce_input *input, const char *option, const char *text, uint64_t least,
                            uint64_t most, uint64_t *value)
{
    char *end;
    *value = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && *value >= least && *value <= most)
        return 0;
    fault_set(input->fault, STATUS_USAGE, "--%s: expected a whole number from %llu to %llu, found '%s'", option,
              (unsigned long long)least, (unsigned long long)most, text);
    return EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct reproduce_input *input = state->input;
    uint64_t value;
    error_t error;
    switch (key) {
    case ARGP_KEY_ARG:
        if (input->what)
            return ARGP_ERR_UNKNOWN;
        input->what = arg;
        return 0;
    case KEY_COLUMNS:
        error = whole_number(input, "columns", arg, 16, 1000000, &value);
        input->columns = (int64_t)value;
        return error;
    case KEY_SEED:
        return whole_number(input, "seed", arg, 0, UINT64_MAX, &input->seed);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options_table,
    parse,
    "WHAT",
    "Measures the errors of an emulated device by Monte-Carlo and compares them with the formulas that predict them.\v"
    "what:\n"
    "  reram   reads of ReRAM crossbars: converters, programming noise, read noise, rounding\n\n"
    "The exit status is 3 when a ratio is outside of its tolerance.\n\n"
    "examples:\n"
    "  polyrank reproduce reram\n"
    "  polyrank reproduce reram --columns 2000 --seed 7",
    NULL,
    NULL,
    NULL};

enum status command_reproduce(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    (void)comm;
    struct reproduce_input input = {.fault = fault, .columns = 8000, .seed = 1};
    int done, failed = 0, n = 0;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (!input.what || strcmp(input.what, "reram") != 0)
        return fault_set(fault, STATUS_USAGE, "expected reram, found '%s'", input.what ? input.what : "nothing");
    printf("%-40s  %10s  %10s  %6s  %6s  %7s\n", "128 lines, 8 bit inputs", "measured", "predicted", "ratio", "within",
           "SNR[dB]");
    struct reram_experiment experiment;
    for (; reram_experiment(n, input.seed, input.columns, &experiment); n++) {
        double ratio = experiment.measured / experiment.predicted;
        int good = fabs(ratio - 1) <= experiment.tolerance;
        failed += !good;
        printf("%-40s  %10.4g  %10.4g  %6.3f  %6.2f  %7.1f%s\n", experiment.name, experiment.measured,
               experiment.predicted, ratio, experiment.tolerance, 10 * log10(experiment.signal / experiment.measured),
               good ? "" : "  outside");
    }
    if (failed)
        return fault_set(fault, STATUS_INVALID, "%d of %d ratios are outside of their tolerance", failed, n);
    return STATUS_OK;
}
