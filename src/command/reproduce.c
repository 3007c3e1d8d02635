/* reproduce.c - polyrank reproduce: models against what they have to meet: formulas of their own errors, published
 * tables. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cluster/comm.h"
#include "command/command.h"
#include "command/reproduce.h"
#include "command/reproduce_attacc.h"
#include "command/reproduce_llama.h"
#include "command/reproduce_serving.h"

struct reproduce_input {
    struct fault *fault;
    const char *what;
    int64_t columns;
    uint64_t seed;
    int for_reram; /* an option of it was given */
    struct attacc_request attacc;
};

enum {
    KEY_COLUMNS = 256,
    KEY_SEED,
    KEY_MODEL,
    KEY_SYSTEM,
    KEY_GPU,
    KEY_NGPU,
    KEY_WORD,
    KEY_LIN,
    KEY_LOUT,
    KEY_BATCH,
    KEY_PIM,
    KEY_POWER_LIMIT,
    KEY_PIPELINE,
    KEY_FF,
    KEY_HEADLINE
};

static const struct argp_option options_table[] = {
    {"columns", KEY_COLUMNS, "N", 0, "reram: results of each experiment (default 8000)", 0},
    {"seed", KEY_SEED, "N", 0, "reram: of all random numbers (default 1)", 0},
    {"headline", KEY_HEADLINE, NULL, 0, "attacc: the paper's claims beside the public simulator's figures and ours", 1},
    {"model", KEY_MODEL, "NAME", 0, "attacc: an own configuration; GPT-175B (default), LLAMA-65B, MT-530B, ...", 1},
    {"system", KEY_SYSTEM, "NAME", 0, "attacc: dgx, 2xdgx, dgx-cpu, dgx-attacc (default)", 1},
    {"gpu", KEY_GPU, "NAME", 0, "attacc: A100a (default), H100", 1},
    {"ngpu", KEY_NGPU, "N", 0, "attacc: GPUs (default 8, 2xdgx 16)", 1},
    {"word", KEY_WORD, "TYPE", 0, "attacc: W16A16 (default), W8A8", 1},
    {"lin", KEY_LIN, "N", 0, "attacc: tokens of a prompt (default 2048)", 1},
    {"lout", KEY_LOUT, "N", 0, "attacc: tokens made (default 128)", 1},
    {"batch", KEY_BATCH, "N,...", 0, "attacc: requests at once (default 1,8,64)", 1},
    {"pim", KEY_PIM, "PLACE", 0, "attacc: processing units at bank (default), bank-group, buffer", 1},
    {"power-limit", KEY_POWER_LIMIT, NULL, 0, "attacc: processing units under the power limit", 1},
    {"pipeline", KEY_PIPELINE, NULL, 0, "attacc: heads of QKV and projection beside attention", 1},
    {"ff", KEY_FF, NULL, 0, "attacc: the feed-forward on GPUs and PIM devices together", 1},
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

/* What goes with `attacc`. */
static error_t parse_attacc(int key, const char *arg, struct attacc_request *request)
{
    const struct {
        int key;
        const char **text;
    } texts[] = {{KEY_MODEL, &request->model}, {KEY_SYSTEM, &request->machine}, {KEY_GPU, &request->gpu},
                 {KEY_NGPU, &request->gpus},   {KEY_WORD, &request->word},      {KEY_LIN, &request->lin},
                 {KEY_LOUT, &request->lout},   {KEY_BATCH, &request->batch},    {KEY_PIM, &request->pim}};
    const struct {
        int key, *set;
    } switches[] = {{KEY_POWER_LIMIT, &request->power_limit},
                    {KEY_PIPELINE, &request->pipeline},
                    {KEY_FF, &request->ff_split},
                    {KEY_HEADLINE, &request->headline}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].key == key) {
            *texts[i].text = arg;
            return 0;
        }
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (switches[i].key == key) {
            *switches[i].set = 1;
            return 0;
        }
    return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct reproduce_input *input = state->input;
    uint64_t value;
    error_t error;
    switch (key) {
    case ARGP_KEY_ARG:
        if (input->what && (input->attacc.table || strcmp(input->what, "attacc") != 0))
            return ARGP_ERR_UNKNOWN;
        *(input->what ? &input->attacc.table : &input->what) = arg;
        return 0;
    case KEY_COLUMNS:
        error = whole_number(input, "columns", arg, 16, 1000000, &value);
        input->columns = (int64_t)value;
        input->for_reram = 1;
        return error;
    case KEY_SEED:
        input->for_reram = 1;
        return whole_number(input, "seed", arg, 0, UINT64_MAX, &input->seed);
    default:
        return parse_attacc(key, arg, &input->attacc);
    }
}

static const struct argp argp = {
    options_table,
    parse,
    "WHAT [TABLE]",
    "Compares models with what they have to meet: formulas of their own errors, or tables of a published simulator.\v"
    "what:\n"
    "  reram   reads of ReRAM crossbars by Monte-Carlo: converters, programming noise, read noise, rounding\n"
    "  attacc  the public simulator of AttAcc: a table of its results, an own configuration, or the paper's claims\n"
    "  llama   a reference's tokens, texts and logits (reproduce llama --help)\n"
    "  serving a measured run of an inference engine (reproduce serving --help)\n\n"
    "The exit status is 3 when something is outside of its tolerance.\n\n"
    "examples:\n"
    "  polyrank reproduce reram --columns 2000 --seed 7\n"
    "  polyrank reproduce attacc tests/golden/attacc/gpu.csv\n"
    "  polyrank reproduce attacc --model GPT-175B --lin 2048 --lout 128 --batch 1,8,64 --power-limit --pipeline --ff\n"
    "  polyrank reproduce attacc --headline",
    NULL,
    NULL,
    NULL};

static enum status reproduce_reram(const struct reproduce_input *input, struct fault *fault)
{
    int failed = 0, n = 0;
    printf("%-40s  %10s  %10s  %6s  %6s  %7s\n", "128 lines, 8 bit inputs", "measured", "predicted", "ratio", "within",
           "SNR[dB]");
    struct reram_experiment experiment;
    for (; reram_experiment(n, input->seed, input->columns, &experiment); n++) {
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

static enum status reproduce_attacc(const struct attacc_request *request, struct fault *fault)
{
    int asked = (request->table != NULL) + (request->headline != 0) + attacc_request_is_run(request);
    if (asked != 1)
        return fault_set(fault, STATUS_USAGE,
                         "expected one of a table, --headline and an own configuration such as --model GPT-175B");
    if (request->headline) {
        attacc_headline(stdout);
        return STATUS_OK;
    }
    if (!request->table)
        return attacc_own(request, stdout, fault);
    struct arena *arena = arena_new();
    struct table table = {0};
    enum status status = table_read(&table, request->table, arena, fault);
    if (status == STATUS_OK)
        status = attacc_table(&table, stdout, fault);
    arena_free(arena);
    return status;
}

/* What one process does alone. */
static enum status reproduce_here(int argc, char **argv, struct fault *fault)
{
    struct reproduce_input input = {.fault = fault, .columns = 8000, .seed = 1};
    int done;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    int for_attacc = input.attacc.table || input.attacc.headline || attacc_request_is_run(&input.attacc);
    if (input.what && strcmp(input.what, "reram") == 0 && !for_attacc)
        return reproduce_reram(&input, fault);
    if (input.what && strcmp(input.what, "attacc") == 0 && !input.for_reram)
        return reproduce_attacc(&input.attacc, fault);
    if (input.what && (strcmp(input.what, "reram") == 0 || strcmp(input.what, "attacc") == 0))
        return fault_set(fault, STATUS_USAGE, "an option does not go with %s: --help tells which do", input.what);
    return fault_set(fault, STATUS_USAGE, "expected reram, attacc, llama or serving, found '%s'",
                     input.what ? input.what : "nothing");
}

/* Is the word among the arguments? */
static int is_about(const char *what, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], what) == 0)
            return 1;
    return 0;
}

enum status command_reproduce(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    if (is_about("llama", argc, argv))
        return reproduce_llama(comm, argc, argv, fault);
    if (!comm || comm_rank(comm) == 0) {
        if (is_about("serving", argc, argv))
            reproduce_serving(argc, argv, fault);
        else
            reproduce_here(argc, argv, fault);
    }
    return comm ? agree(comm, 0, fault) : fault->status;
}
