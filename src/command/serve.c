/* serve.c - polyrank serve: batched inference of prompts or of a request trace on an emulated machine. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/progress.h"
#include "command/command.h"
#include "command/job_options.h"
#include "command/output.h"
#include "report/serving_csv.h"
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
    "Writes requests.csv (a row as each request ends), serving.h5 and, with prompts, answers.jsonl into the output "
    "directory; the report goes to stdout, progress to stderr.\n\n"
    "examples:\n"
    "  polyrank serve jobs/story.yaml\n"
    "  mpirun -n 4 polyrank serve jobs/story.yaml --set serve.partition=sequence\n"
    "  polyrank serve jobs/azure-attacc.yaml --set serve.rate_scale=2",
    NULL,
    NULL,
    NULL};

struct writing {
    struct serving_csv csv;
    FILE *answers;
    const char *answers_path;
    struct progress progress;
    uint64_t n_finished;
};

static enum status finished(void *state, const struct served *record, struct fault *fault)
{
    struct writing *writing = state;
    progress_show(&writing->progress, ++writing->n_finished, "");
    return serving_csv_row(&writing->csv, record, fault);
}

/* One line of JSON for each answer; the text to stdout too. */
static enum status answer(void *state, const struct serve_answer *told, struct fault *fault)
{
    struct writing *writing = state;
    json_t *ids = json_array(), *object = json_object();
    for (uint32_t i = 0; i < told->n_tokens; i++)
        json_array_append_new(ids, json_integer(told->token[i]));
    json_object_set_new(object, "request", json_integer(told->request));
    json_object_set_new(object, "prompt", told->prompt ? json_string_nocheck(told->prompt) : json_null());
    json_object_set_new(object, "token_ids", ids);
    json_object_set_new(object, "text", told->text ? json_string_nocheck(told->text) : json_null());
    int bad = json_dumpf(object, writing->answers, JSON_COMPACT) != 0 || fputc('\n', writing->answers) == EOF;
    json_decref(object);
    if (told->text)
        printf("[%" PRIu32 "] %s%s\n", told->request, told->prompt ? told->prompt : "", told->text);
    return bad ? fault_set(fault, STATUS_IO, "%s: cannot write", writing->answers_path) : STATUS_OK;
}

static enum status open_files(struct writing *writing, const struct serve *serve, const struct job_options *options,
                              struct fault *fault)
{
    struct arena *arena = serve->arena;
    const struct job *job = serve->job;
    progress_start(&writing->progress, "serve", "requests", serve->requests.n, 1, options->quiet);
    enum status status = output_prepare(arena, job, "serving.h5", options->force, fault);
    if (status == STATUS_OK)
        status = serving_csv_open(&writing->csv, output_path(arena, job, "requests.csv"), fault);
    writing->answers_path = output_path(arena, job, "answers.jsonl");
    if (status == STATUS_OK && !serve->timing_only && !(writing->answers = fopen(writing->answers_path, "w")))
        return fault_set(fault, STATUS_IO, "%s: cannot write", writing->answers_path);
    return status;
}

static enum status close_files(struct writing *writing, struct fault *fault)
{
    progress_end(&writing->progress);
    if (writing->answers && fclose(writing->answers) != 0)
        fault_set(fault, STATUS_IO, "%s: cannot write", writing->answers_path);
    if (writing->csv.file)
        return serving_csv_close(&writing->csv, fault);
    return fault->status;
}

static const char *model_text(const struct serve *serve)
{
    const struct decoder_config *config = &serve->config;
    return arena_printf(serve->arena, "%s: %" PRId64 " layers, d %" PRId64 ", %" PRId64 " heads, %" PRId64 " KV heads",
                        config->name, config->layers, config->d_model, config->heads, config->kv_heads);
}

static void print_head(const struct serve *serve)
{
    const struct decoder_plan *plan = &serve->plan;
    printf("\nmodel     %s\n", model_text(serve));
    printf("machine   %s: %d GPUs", serve->job->cluster.name, plan->n_gpus);
    if (plan->layout.pims_per_gpu)
        printf(", %d PIM devices at each: KV heads in %" PRId64 " groups, tokens in %" PRId64 " shards",
               plan->layout.pims_per_gpu, plan->partition.groups, plan->partition.shards);
    printf("\nKV cache  %" PRIu64 " tokens (%s holds least), blocks of %" PRId64 "\n\n", plan->kv_capacity_tokens,
           plan->machine->specs[plan->kv_limit].name, plan->layout.block_tokens);
}

static enum status tell(const struct serve *serve, const struct serve_result *result, struct fault *fault)
{
    const struct serving_file file = {
        .title = serve->job->name,
        .model = model_text(serve),
        .config = job_print(serve->arena, serve->job),
        .summary = &result->serving.summary,
        .record = result->serving.record,
        .n_samples = result->n_samples,
        .sample = result->sample,
    };
    enum status status = serving_result_write(output_path(serve->arena, serve->job, "serving.h5"), &file, fault);
    if (status != STATUS_OK)
        return status;
    print_head(serve);
    serving_tables_print(&result->serving.summary, serve->arena, stdout);
    printf("\nresults: %s/\n", serve->job->output.directory);
    return STATUS_OK;
}

static enum status run(struct comm *comm, const struct job_options *options, struct job *job, struct arena *arena,
                       struct fault *fault)
{
    struct serve serve;
    struct serve_result result;
    struct writing writing = {.n_finished = 0};
    int first = comm_rank(comm) == 0;
    enum status status = serve_open(comm, job, options->timing_only, NULL, arena, &serve, fault);
    if (status != STATUS_OK)
        return status;
    if (options->print_config) {
        if (first)
            fputs(job_print(arena, job), stdout);
        serve_close(&serve);
        return STATUS_OK;
    }
    if (first)
        open_files(&writing, &serve, options, fault);
    status = agree(comm, 0, fault);
    if (status == STATUS_OK)
        status = serve_run(&serve, &(struct serve_sink){&writing, finished, answer}, &result, fault);
    if (first) {
        close_files(&writing, fault);
        if (fault->status == STATUS_OK)
            tell(&serve, &result, fault);
    }
    serve_close(&serve);
    return agree(comm, 0, fault);
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
    if (status == STATUS_OK)
        status = run(comm, &options, &job, arena, fault);
    arena_free(arena);
    return status;
}
