#include "command/reproduce_serving.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/replay_tables.h"
#include "scheduler/calibrate.h"
#include "serving/deviation.h"

struct serving_input {
    struct fault *fault;
    const char *what, *run, *trace;
    struct replay_setting setting;
    double train_share;
};

enum {
    KEY_RUN = 256,
    KEY_TRACE,
    KEY_MODEL,
    KEY_CLUSTER,
    KEY_MAX_BATCH,
    KEY_TOKEN_BUDGET,
    KEY_SYNCHRONOUS,
    KEY_TRAIN_SHARE
};

static const struct argp_option options_table[] = {
    {"run", KEY_RUN, "FILE", 0, "CSV of what the engine did with each request", 0},
    {"trace", KEY_TRACE, "FILE", 0, "the requests it was given; without, those of the run", 0},
    {"cluster", KEY_CLUSTER, "FILE", 0, "the machine (default clusters/rtx-pro-6000.yaml)", 0},
    {"model", KEY_MODEL, "NAME", 0, "the decoder that was served (default llama-3.1-8b)", 0},
    {"max-batch", KEY_MAX_BATCH, "N", 0, "sequences the engine ran at a time (default 128)", 0},
    {"token-budget", KEY_TOKEN_BUDGET, "N", 0, "tokens of its iterations (default 2048)", 0},
    {"synchronous", KEY_SYNCHRONOUS, NULL, 0,
     "the engine put an iteration together after the one before it had ended (default: when it started)", 0},
    {"train-share", KEY_TRAIN_SHARE, "SHARE", 0,
     "the first so much of the requests, which the cluster was calibrated on, is told apart (default 0.5)", 0},
    {0},
};

static error_t whole_number(struct serving_input *input, const char *option, const char *text, int64_t most,
                            int64_t *value)
{
    char *end;
    *value = strtoll(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && *value >= 1 && *value <= most)
        return 0;
    fault_set(input->fault, STATUS_USAGE, "--%s: expected a whole number from 1 to %lld, found '%s'", option,
              (long long)most, text);
    return EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct serving_input *input = state->input;
    const struct {
        int key;
        const char **text;
    } texts[] = {{KEY_RUN, &input->run},
                 {KEY_TRACE, &input->trace},
                 {KEY_MODEL, &input->setting.model},
                 {KEY_CLUSTER, &input->setting.cluster}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].key == key) {
            *texts[i].text = arg;
            return 0;
        }
    if (key == KEY_SYNCHRONOUS) {
        input->setting.schedule_ahead = 0;
        return 0;
    }
    if (key == KEY_MAX_BATCH)
        return whole_number(input, "max-batch", arg, 65536, &input->setting.max_batch);
    if (key == KEY_TOKEN_BUDGET)
        return whole_number(input, "token-budget", arg, 1000000, &input->setting.token_budget);
    if (key == KEY_TRAIN_SHARE) {
        char *end;
        input->train_share = strtod(arg, &end);
        if (end != arg && !*end && input->train_share >= 0 && input->train_share <= 1)
            return 0;
        fault_set(input->fault, STATUS_USAGE, "--train-share: expected a number from 0 to 1, found '%s'", arg);
        return EINVAL;
    }
    if (key != ARGP_KEY_ARG || input->what)
        return ARGP_ERR_UNKNOWN;
    input->what = arg;
    return 0;
}

static const struct argp argp = {
    options_table,
    parse,
    "serving",
    "Replays the requests of a measured run of an inference engine on an emulated machine and compares time to first "
    "token, time per later token, end-to-end time and throughput, for all requests, those the machine was calibrated "
    "on and the others, those that found room at once and those that queued.\v"
    "A request fails when it cannot be compared: it is missing in one of the two files, or has other lengths there. "
    "The exit status is 3 then.\n\n"
    "example:\n"
    "  polyrank reproduce serving --run run.csv --trace trace.csv --cluster clusters/rtx-pro-6000.yaml",
    NULL,
    NULL,
    NULL};

/* The k-th request of the trace is the k-th of the run; both with the same lengths are kept. Returns how many are not.
 */
static size_t keep_common(const struct measured_run *run, const struct requests *trace, const struct served *emulated,
                          struct arena *arena, struct replay_pair *pair)
{
    size_t most = run->requests.n > trace->n ? run->requests.n : trace->n, n = 0;
    struct served *measured = arena_array(arena, most + 1, sizeof *measured);
    struct served *own = arena_array(arena, most + 1, sizeof *own);
    for (size_t i = 0; i < run->requests.n && i < trace->n; i++) {
        const struct request *asked = &trace->request[i];
        const struct served *real = &run->record[i];
        if (asked->prompt_tokens != real->prompt_tokens || asked->output_tokens != real->output_tokens ||
            emulated[i].output_tokens != real->output_tokens)
            continue;
        measured[n] = *real;
        own[n++] = emulated[i];
    }
    *pair = (struct replay_pair){measured, own, n};
    return most - n;
}

static void print_throughput(const struct replay_pair *pair)
{
    double real = deviation_tokens_per_s(pair->measured, pair->n),
           own = deviation_tokens_per_s(pair->emulated, pair->n);
    printf("throughput: measured %.1f, emulated %.1f generated tokens/s, error %+.1f %%\n", real, own,
           100 * (own - real) / real);
}

/* Rows are metrics of requests. */
static enum status print_last(const struct replay_pair *pair, size_t failed, struct fault *fault)
{
    double sum = 0, most = 0;
    size_t rows = 0;
    for (int metric = 0; metric < N_DEVIATION_METRICS; metric++) {
        struct deviation d = deviation_of((enum deviation_metric)metric, pair->measured, pair->emulated, pair->n);
        if (d.n == 0)
            continue;
        sum += d.mean_error * (double)d.n;
        most = fmax(most, d.max_error);
        rows += d.n;
    }
    printf("rows %zu, mean %.4g %%, max %.4g %%, failed %zu\n", rows, 100 * sum / (double)rows, 100 * most, failed);
    if (failed)
        return fault_set(fault, STATUS_INVALID, "%zu requests are not in both files with the same lengths", failed);
    return STATUS_OK;
}

static void print_tables(const struct replay_pair *pair, double train_share, struct arena *arena)
{
    size_t n_train = (size_t)((double)pair->n * train_share + 0.5);
    const struct replay_pair train = replay_part(pair, 0, n_train), rest = replay_part(pair, n_train, pair->n);
    const struct replay_pair light = replay_queued(pair, 0, arena), queued = replay_queued(pair, 1, arena);
    replay_table_print("all", pair, arena, stdout);
    replay_table_print("the first, which the machine was calibrated on", &train, arena, stdout);
    replay_table_print("the others", &rest, arena, stdout);
    replay_table_print("measured without a queue (at most 1 s)", &light, arena, stdout);
    replay_table_print("measured with a queue", &queued, arena, stdout);
    print_throughput(pair);
}

static enum status run_here(const struct serving_input *input, struct arena *arena, struct fault *fault)
{
    struct measured_run run;
    struct requests requests;
    struct replay_pair pair;
    struct served *record;
    struct job job;
    enum status status = measured_run_read(input->run, arena, &run, fault);
    if (status == STATUS_OK && input->trace)
        status = requests_read(input->trace, NULL, arena, &requests, fault);
    else
        requests = run.requests;
    if (status == STATUS_OK)
        status = replay_job(&input->setting, arena, &job, fault);
    if (status == STATUS_OK)
        status = replay(&job, &requests, arena, &record, fault);
    if (status != STATUS_OK)
        return status;
    size_t failed = keep_common(&run, &requests, record, arena, &pair);
    if (pair.n == 0)
        return fault_set(fault, STATUS_INVALID, "%s and %s have no request in common", input->run, requests.path);
    printf("%s on %s, %lld sequences and %lld tokens in an iteration, bf16\n\n", input->setting.model, job.cluster.name,
           (long long)input->setting.max_batch, (long long)input->setting.token_budget);
    print_tables(&pair, input->train_share, arena);
    return print_last(&pair, failed, fault);
}

enum status reproduce_serving(int argc, char **argv, struct fault *fault)
{
    struct serving_input input = {.fault = fault,
                                  .setting = {.model = "llama-3.1-8b",
                                              .cluster = "clusters/rtx-pro-6000.yaml",
                                              .max_batch = 128,
                                              .token_budget = 2048,
                                              .schedule_ahead = 1},
                                  .train_share = 0.5};
    int done;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (!input.run)
        return fault_set(fault, STATUS_USAGE, "reproduce serving: expected --run FILE, the measured run");
    struct arena *arena = arena_new();
    status = run_here(&input, arena, fault);
    arena_free(arena);
    return status;
}
