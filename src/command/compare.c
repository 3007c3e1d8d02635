/* compare.c - polyrank compare: finished runs side by side. */
#include <errno.h>
#include <stdio.h>

#include "command/command.h"
#include "report/compare.h"
#include "report/subject.h"

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
    "Shows finished runs side by side, by the folders that train or serve wrote or by the result.h5 or serving.h5 in "
    "them; all of training or all of serving: virtual time, energy, where both went, errors on the test set or "
    "latencies "
    "and throughput, and how much better than the base each run is.\v"
    "Warns when a run was not tested on the base's data, or not asked for the base's requests. Ratios are above 1 "
    "where "
    "the run is better than the base.\n\n"
    "examples:\n"
    "  polyrank compare gpu pim --csv ratios.csv\n"
    "  polyrank compare dgx/serving.h5 attacc/serving.h5",
    NULL,
    NULL,
    NULL};

static const char *kind_name(enum subject_kind kind)
{
    return kind == SUBJECT_TRAINING ? "training" : "serving";
}

/* Runs of one kind. */
static enum status open_runs(const struct compare_input *input, struct subject *subject, struct arena *arena,
                             struct fault *fault)
{
    for (int i = 0; i < input->n; i++) {
        if (subject_open(input->path[i], arena, &subject[i], fault) != STATUS_OK)
            return fault->status;
        if (subject[i].kind != subject[0].kind)
            return fault_set(fault, STATUS_USAGE, "compare: expected runs of one kind, found %s (%s) and %s (%s)",
                             subject[0].file, kind_name(subject[0].kind), subject[i].file, kind_name(subject[i].kind));
    }
    return STATUS_OK;
}

static enum status compare(const struct compare_input *input, struct arena *arena, struct fault *fault)
{
    size_t n = (size_t)input->n;
    struct subject *subject = arena_array(arena, n, sizeof *subject);
    struct run *runs = arena_array(arena, n, sizeof *runs);
    struct serving_run *serving = arena_array(arena, n, sizeof *serving);
    const char **paths = arena_array(arena, n, sizeof *paths);
    struct comparison comparison;
    if (open_runs(input, subject, arena, fault) != STATUS_OK)
        return fault->status;
    for (size_t i = 0; i < n; i++) {
        runs[i] = subject[i].run;
        serving[i] = subject[i].serving;
        paths[i] = subject[i].file;
    }
    if (subject[0].kind == SUBJECT_TRAINING)
        compare_runs(&comparison, runs, paths, input->n, arena);
    else
        compare_serving(&comparison, serving, paths, input->n, arena);
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
