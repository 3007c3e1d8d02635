/* compare.c - polyrank compare: finished runs side by side. */
#include <errno.h>
#include <stdio.h>

#include "command/command.h"
#include "report/compare.h"
#include "report/result.h"

struct compare_input {
    struct fault *fault;
    const char *csv;
    const char *path[COMPARE_MAX_RUNS];
    int n;
};

static const struct argp_option options_table[] = {
    {"csv", 'c', "FILE", 0, "write all quantities there as well, one line per quantity and run", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct compare_input *input = state->input;
    switch (key) {
    case 'c':
        input->csv = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (input->n == COMPARE_MAX_RUNS) {
            fault_set(input->fault, STATUS_USAGE, "compare takes at most %d results, found one more: %s",
                      COMPARE_MAX_RUNS, arg);
            return EINVAL;
        }
        input->path[input->n++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (input->n < 2) {
            fault_set(input->fault, STATUS_USAGE,
                      "compare needs at least two results, found %d: polyrank compare BASE RUN...", input->n);
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options_table,
    parse,
    "BASE RUN...",
    "Shows finished runs (their result.h5) side by side: virtual time, energy, where both went, errors on the test "
    "set, and the "
    "ratio of the base's value to each run's.\v"
    "Warns when a run was not tested on the base's data. Ratios are above 1 where the run is better than the base.\n\n"
    "example:\n"
    "  polyrank compare gpu/result.h5 pim/result.h5 --csv ratios.csv",
    NULL,
    NULL,
    NULL};

static enum status compare(const struct compare_input *input, struct arena *arena, struct fault *fault)
{
    struct run runs[COMPARE_MAX_RUNS];
    struct comparison comparison;
    for (int i = 0; i < input->n; i++)
        if (result_read(input->path[i], arena, &runs[i], fault) != STATUS_OK)
            return fault->status;
    compare_runs(&comparison, runs, input->path, input->n, arena);
    compare_print(stdout, &comparison, arena);
    if (input->csv)
        compare_write_csv(input->csv, &comparison, fault);
    return fault->status;
}

enum status command_compare(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    struct compare_input input = {.fault = fault};
    int done = 0;
    (void)comm;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    struct arena *arena = arena_new();
    compare(&input, arena, fault);
    arena_free(arena);
    return fault->status;
}
