/* serve.c - polyrank serve: batched inference of prompts or of a request trace on an emulated machine. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/progress.h"
#include "command/command.h"
#include "command/job_options.h"
#include "command/output.h"
#include "command/plan_serve.h"
#include "config/differences.h"
#include "config/text.h"
#include "report/serving_csv.h"
#include "report/serving_json.h"
#include "report/serving_read.h"
#include "report/serving_result.h"
#include "report/serving_tables.h"
#include "scheduler/serve.h"

static const struct argp_option options_table[] = {
    {"set", 's', "KEY=VALUE", 0, "override a key of the job (repeatable), e.g. serve.max_batch=64", 1},
    {"timing-only", 't', NULL, 0, "virtual time and energy without tensors; models without weights always", 1},
    {"print-config", 'p', NULL, 0, "print the resolved job and stop; can be used as a job", 1},
    {"seed", KEY_SEED, "N", 0, "seed of all random numbers (serve.seed)", 1},
    {"output", 'o', "DIR", 0, "where results go (output.directory)", 1},
    {"force", 'f', NULL, 0, "replace an earlier result in the output directory", 1},
    {"find-rate", KEY_FIND_RATE, NULL, 0,
     "search the highest rate of arrivals at which serve.slo is kept, instead of one run", 1},
    CHECKPOINT_OPTIONS("iterations"),
    {"peer-timeout", KEY_PEER_TIMEOUT, "TIME", 0, "longest wait for another rank (default 10 min)", 1},
    {"quiet", 'q', NULL, 0, "no progress on stderr", 1},
    {0},
};

static const struct argp argp = {
    options_table,
    job_options_parse,
    "JOB",
    "Serves the requests of JOB with the decoder it names: prefill and decode on the emulated GPUs, attention to the "
    "KV "
    "cache on them or on the PIM devices that hold it. With weights and prompts it does the real arithmetic and tells "
    "the "
    "answers; without, virtual time and energy alone.\v"
    "Writes requests.csv (a row as each request ends), serving.h5, summary.json and, with prompts, answers.jsonl into "
    "the "
    "output directory; with --find-rate rates.csv. The report goes to stdout, progress to stderr. TERM, INT or USR1 to "
    "any rank: the iteration is finished, checkpoint.h5 is written there, exit 75.\n\n"
    "examples:\n"
    "  polyrank serve jobs/story.yaml\n"
    "  mpirun -n 4 polyrank serve jobs/story.yaml --set serve.partition=sequence\n"
    "  polyrank serve jobs/azure-attacc.yaml --set serve.rate_scale=2\n"
    "  srun --mpi=pmix polyrank serve JOB --max-wall 55m --resume auto",
    NULL,
    NULL,
    NULL};

struct writing {
    struct serving_csv csv;
    struct rows answers;
    const char *csv_path, *answers_path;
    const struct serve *serve;
    struct progress progress;
    uint64_t n_finished;
};

static enum status finished(void *state, const struct served *record, struct fault *fault)
{
    struct writing *writing = state;
    progress_show(&writing->progress, ++writing->n_finished, "");
    return serving_csv_row(&writing->csv, record, fault);
}

/* One line of JSON for each answer; the text to stdout too. Tokens need not make whole characters, and prompts are
 * bytes: what is no UTF-8 is mended. */
static enum status answer(void *state, const struct serve_answer *told, struct fault *fault)
{
    struct writing *writing = state;
    struct arena *arena = arena_new();
    const char *prompt = told->prompt ? text_mended(arena, told->prompt) : NULL;
    const char *text = told->text ? text_mended(arena, told->text) : NULL;
    json_t *ids = json_array(), *object = json_object();
    for (uint32_t i = 0; i < told->n_tokens; i++)
        json_array_append_new(ids, json_integer(told->token[i]));
    json_object_set_new(object, "request", json_integer(told->request));
    json_object_set_new(object, "prompt", prompt ? json_string(prompt) : json_null());
    json_object_set_new(object, "token_ids", ids);
    json_object_set_new(object, "text", text ? json_string(text) : json_null());
    int bad = json_dumpf(object, writing->answers.file, JSON_COMPACT) != 0;
    fputc('\n', writing->answers.file);
    json_decref(object);
    if (text)
        printf("[%" PRIu32 "] %s%s\n", told->request, prompt ? prompt : "", text);
    arena_free(arena);
    return bad ? fault_set(fault, STATUS_IO, "%s: cannot be written", writing->answers_path)
               : rows_flush(&writing->answers, fault);
}

/* A run from its beginning. */
static enum status begin(void *state, struct fault *fault)
{
    struct writing *writing = state;
    enum status status = serving_csv_open(&writing->csv, writing->csv_path, fault);
    if (status == STATUS_OK && !writing->serve->timing_only)
        status = rows_open(&writing->answers, writing->answers_path, fault);
    return status;
}

/* What has been told, saved; or taken back to what had been told. */
static enum status archive_told(void *state, struct archive *archive, struct fault *fault)
{
    struct writing *writing = state;
    archive_field(archive, "n_finished", &writing->n_finished);
    enum status status = serving_csv_archive(&writing->csv, writing->csv_path, archive, fault);
    if (status == STATUS_OK && !writing->serve->timing_only) {
        archive_enter(archive, "answers");
        status = rows_archive(&writing->answers, writing->answers_path, archive, fault);
        archive_leave(archive);
    }
    if (archive_restores(archive))
        progress_skip(&writing->progress, writing->n_finished);
    return status;
}

static void name_files(struct writing *writing, const struct serve *serve, const struct job_options *options)
{
    struct arena *arena = serve->arena;
    const struct job *job = serve->job;
    progress_start(&writing->progress, "serve", "requests", serve->requests.n, 1, options->quiet);
    writing->serve = serve;
    writing->csv_path = output_path(arena, job, "requests.csv");
    writing->answers_path = output_path(arena, job, "answers.jsonl");
}

static enum status close_files(struct writing *writing, struct fault *fault)
{
    progress_end(&writing->progress);
    rows_close(&writing->answers, fault);
    return serving_csv_close(&writing->csv, fault);
}

static const char *model_text(const struct serve *serve)
{
    const struct decoder_config *config = &serve->config;
    return arena_printf(serve->arena, "%s: %" PRId64 " layers, d %" PRId64 ", %" PRId64 " heads, %" PRId64 " KV heads",
                        config->name, config->layers, config->d_model, config->heads, config->kv_heads);
}

static void print_report(const struct serve *serve, const struct serving_summary *summary,
                         const struct serving_devices *devices, const struct serving_faults *faults)
{
    printf("\n");
    plan_serve_head(serve);
    printf("\n");
    serving_tables_print(summary, devices, faults, serve->arena, stdout);
    printf("\nresults: %s/\n", serve->job->output.directory);
}

static enum status tell(const struct serve *serve, const struct serve_result *result, struct fault *fault)
{
    const struct serving_file file = {
        .title = serve->job->name,
        .model = model_text(serve),
        .config = job_print(serve->arena, serve->job),
        .summary = &result->serving.summary,
        .record = result->serving.record,
        .devices = &result->devices,
        .faults = &result->faults,
        .n_samples = result->n_samples,
        .sample = result->sample,
    };
    enum status status = serving_json_write(output_path(serve->arena, serve->job, "summary.json"), file.summary,
                                            file.devices, file.faults, fault);
    if (status == STATUS_OK) /* the last one: where it is, the run is complete */
        status = serving_result_write(output_path(serve->arena, serve->job, "serving.h5"), &file, fault);
    if (status != STATUS_OK)
        return status;
    print_report(serve, file.summary, file.devices, file.faults);
    return STATUS_OK;
}

struct search_rows {
    int n;
    FILE *csv;
};

/* One row of the search as it goes on. */
static void tell_run(void *state, const struct serving_search_run *run)
{
    struct search_rows *rows = state;
    if (rows->n++ == 0) {
        printf("%12s  %9s  %12s  %12s  %12s  %14s  %s\n", "rate [1/s]", "share [%]", "TTFT p99 [s]", "TPOT p99 [s]",
               "E2E p99 [s]", "tokens [1/s]", "objective");
        fprintf(rows->csv, "rate_per_s,slo_share,ttft_p99_s,tpot_p99_s,e2e_p99_s,output_tokens_per_s,"
                           "goodput_requests_per_s,keeps\n");
    }
    printf("%12.4g  %9.2f  %12.4g  %12.4g  %12.4g  %14.1f  %s\n", run->rate_per_s, 100 * run->share, run->ttft_p99_s,
           run->tpot_p99_s, run->e2e_p99_s, run->output_tokens_per_s, run->keeps ? "kept" : "not kept");
    fprintf(rows->csv, "%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%d\n", run->rate_per_s, run->share, run->ttft_p99_s,
            run->tpot_p99_s, run->e2e_p99_s, run->output_tokens_per_s, run->goodput_requests_per_s, run->keeps);
    fflush(stdout);
}

static enum status open_rates(const struct serve *serve, const struct job_options *options, struct search_rows *rows,
                              struct fault *fault)
{
    const char *path = output_path(serve->arena, serve->job, "rates.csv");
    enum status status = output_prepare(serve->arena, serve->job, "rates.csv", options->force, fault);
    if (status == STATUS_OK && !(rows->csv = fopen(path, "w")))
        status = fault_set(fault, STATUS_IO, "%s: cannot write", path);
    return status;
}

static void tell_search(const struct serving_search_result *result)
{
    if (result->end == SEARCH_NONE_KEEPS)
        printf("\nthe objective is not kept at any rate\n");
    else if (result->end == SEARCH_ALL_KEEP)
        printf("\nthe objective is kept even when all requests come at once\n");
    else
        printf("\nhighest rate %.4g/s keeps the objective, %.4g/s does not (%d runs): %.1f tokens/s, %.4g J a token\n",
               result->rate_per_s, result->fails_per_s, result->n_runs, result->best.summary.output_tokens_per_s,
               result->best.summary.energy_per_output_token_j);
}

static enum status find_rate(struct serve *serve, const struct job_options *options, struct fault *fault)
{
    struct serving_search_result result;
    struct search_rows rows = {0, NULL};
    int first = comm_rank(serve->comm) == 0;
    const struct serving_slo *slo = &serve->serving.slo;
    if (!slo->ttft_ps && !slo->tpot_ps && !slo->e2e_ps)
        fault_set(fault, STATUS_USAGE,
                  "%s: serve.slo: --find-rate needs a limit of ttft_s, tpot_s or e2e_s, found none",
                  serve->job->source);
    else if (first && open_rates(serve, options, &rows, fault) == STATUS_OK)
        plan_serve_head(serve);
    enum status status = agree(serve->comm, 0, fault);
    if (status == STATUS_OK)
        status = serve_find_rate(serve, tell_run, &rows, &result, fault);
    if (rows.csv && fclose(rows.csv) != 0 && status == STATUS_OK)
        status = fault_set(fault, STATUS_IO, "rates.csv: cannot write");
    if (status == STATUS_OK && first) {
        tell_search(&result);
        if (result.end == SEARCH_FOUND)
            serving_json_write(output_path(serve->arena, serve->job, "summary.json"), &result.best.summary, NULL, NULL,
                               fault);
    }
    return agree(serve->comm, 0, fault);
}

/* On stderr: how fast the emulation was. */
static void tell_wall(const struct serve_result *result)
{
    const struct serving_summary *summary = &result->serving.summary;
    fprintf(stderr,
            "polyrank: %" PRIu64 " tokens in %" PRIu64 " iterations, %.2f s of wall time: %.3g tokens/s, %" PRIu64
            " instructions stepped\n",
            summary->output_tokens, summary->n_iterations, result->wall_s,
            (double)summary->output_tokens / result->wall_s, result->instructions);
}

/* Rank 0. A run that goes on may have come to its end before: then its report is told again. */
static int is_complete(const struct serve *serve, struct fault *fault)
{
    const char *path = output_path(serve->arena, serve->job, "serving.h5");
    const char *config = serving_result_config(path, serve->arena);
    char differences[512];
    struct serving_run run;
    if (!config)
        return 0;
    if (differences_of_jobs(config, job_print(serve->arena, serve->job), differences, sizeof differences) > 0) {
        fault_set(fault, STATUS_USAGE, "%s is the result of another job (%s): give another --output", path,
                  differences);
        return 0;
    }
    if (serving_result_read(path, serve->arena, &run, fault) != STATUS_OK)
        return 0;
    fprintf(stderr, "polyrank: %s is complete: nothing is left to do\n", path);
    print_report(serve, &run.summary, &run.devices, &run.faults);
    return 1;
}

static enum status serve_and_tell(struct serve *serve, const struct job_options *options, struct fault *fault)
{
    struct serve_result result;
    struct writing writing = {.n_finished = 0};
    const struct serve_options run_options = {
        .checkpoint = output_path(serve->arena, serve->job, "checkpoint.h5"),
        .checkpoint_iterations = options->checkpoint_steps,
        .checkpoint_every_s = options->checkpoint_every_s,
        .max_wall_s = job_options_limit_s(options),
        .resume = options->resume,
        .quiet = options->quiet,
    };
    const struct serve_sink sink = {&writing, begin, archive_told, finished, answer};
    name_files(&writing, serve, options);
    enum status status = serve_run(serve, &run_options, &sink, &result, fault);
    if (comm_rank(serve->comm) != 0)
        return status;
    close_files(&writing, fault);
    if (fault->status == STATUS_OK)
        tell(serve, &result, fault);
    if (fault->status == STATUS_OK && !options->quiet)
        tell_wall(&result);
    return fault->status;
}

static enum status run(struct serve *serve, const struct job_options *options, struct fault *fault)
{
    int first = comm_rank(serve->comm) == 0, complete = 0;
    if (options->print_config && first)
        fputs(job_print(serve->arena, serve->job), stdout);
    if (options->print_config)
        return STATUS_OK;
    if (options->find_rate)
        return find_rate(serve, options, fault);
    if (first &&
        output_prepare(serve->arena, serve->job, "serving.h5", options->force || options->resume, fault) == STATUS_OK)
        complete = options->resume && !options->force && is_complete(serve, fault);
    enum status status = agree(serve->comm, 0, fault);
    if (status == STATUS_OK)
        status = comm_broadcast(serve->comm, &complete, sizeof complete, fault);
    if (status == STATUS_OK && !complete)
        serve_and_tell(serve, options, fault);
    return agree(serve->comm, 0, fault);
}

enum status command_serve(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    struct job_options options = {.fault = fault, .seed_key = "serve.seed"};
    int done = 0;
    enum status status = options_parse(&argp, argc, argv, &options, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (options.peer_timeout_s > 0)
        comm_set_timeout(comm, options.peer_timeout_s);
    struct arena *arena = arena_new();
    struct job job;
    status = job_options_read_all(comm, &options, arena, &job, fault);
    struct serve serve;
    if (status == STATUS_OK)
        status = serve_open(comm, &job, options.timing_only, NULL, arena, &serve, fault);
    if (status == STATUS_OK) {
        status = run(&serve, &options, fault);
        serve_close(&serve);
    }
    arena_free(arena);
    return status;
}
