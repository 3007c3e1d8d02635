/* serve_requests.c - what a job serves: a trace, prompts of text, or made-up requests. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/serve_private.h"
#include "serving/arrivals.h"

enum { MOST_PROMPT_BYTES = 1 << 16 };

/* `limit` requests of a trace that fit; 0: all. */
static enum status read_trace(const struct serve *serve, const char *path, size_t limit, struct requests *requests,
                              struct fault *fault)
{
    const struct job_serve *job = &serve->job->serve;
    int64_t longest = job->longest_total ? job->longest_total : serve->config.context;
    const struct requests_options options = {
        .limit = limit, .rate_scale = job->rate_scale, .longest_total = (uint32_t)longest};
    if (longest > serve->config.context)
        return fault_set(fault, STATUS_USAGE,
                         "%s: serve.longest_total: expected at most the model's context of %lld tokens, found %lld",
                         serve->job->source, (long long)serve->config.context, (long long)longest);
    enum status status = requests_read(path, &options, serve->arena, requests, fault);
    if (status == STATUS_OK && requests->n == 0)
        return fault_set(fault, STATUS_USAGE, "%s: none of its %zu requests fits %s of %lld tokens", path,
                         requests->n_left_out, job->longest_total ? "serve.longest_total" : "the model's context",
                         (long long)longest);
    return status;
}

static enum status make_up(struct serve *serve, struct fault *fault)
{
    const struct job_serve *job = &serve->job->serve;
    struct arrivals arrivals = {
        .n = (size_t)job->requests,
        .seed = job->seed,
        .rate_per_s = job->rate_per_s,
        .cv = job->cv,
        .lengths = LENGTHS_FIXED,
        .prompt_tokens = (uint32_t)job->input_tokens,
        .output_tokens = (uint32_t)job->output_tokens,
    };
    for (int p = ARRIVAL_POISSON; p <= ARRIVAL_AT_ONCE; p++)
        if (strcmp(job->arrivals, arrival_process_name((enum arrival_process)p)) == 0)
            arrivals.process = (enum arrival_process)p;
    struct requests lengths;
    if (job->lengths_from) {
        arrivals.lengths = LENGTHS_SAMPLED;
        arrivals.sample_of = &lengths;
        if (read_trace(serve, job->lengths_from, 0, &lengths, fault) != STATUS_OK)
            return fault->status;
    }
    return arrivals_make(&arrivals, serve->arena, &serve->requests, fault);
}

/* Lines of the file; a line may be empty: a story from nothing. */
static enum status read_lines(struct serve *serve, const char *path, size_t most, struct fault *fault)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0, max = 0;
    ssize_t length;
    if (!file)
        return fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
    serve->requests.n = 0;
    while ((!most || serve->requests.n < most) && (length = getline(&line, &room, file)) >= 0) {
        if (length > MOST_PROMPT_BYTES) {
            fault_set(fault, STATUS_USAGE, "%s:%zu: expected at most %d bytes in a prompt, found %zd", path,
                      serve->requests.n + 1, MOST_PROMPT_BYTES, length);
            break;
        }
        if (serve->requests.n == max) {
            max = max ? 2 * max : 64;
            const char **larger = arena_array(serve->arena, max, sizeof *larger);
            if (serve->requests.n)
                memcpy(larger, serve->prompt, serve->requests.n * sizeof *larger);
            serve->prompt = larger;
        }
        line[strcspn(line, "\r\n")] = '\0';
        serve->prompt[serve->requests.n++] = arena_string(serve->arena, line);
    }
    free(line);
    fclose(file);
    if (fault->status == STATUS_OK && serve->requests.n == 0)
        return fault_set(fault, STATUS_USAGE, "%s: expected a prompt on each line, found an empty file", path);
    return fault->status;
}

static enum status encode(struct serve *serve, const struct tokenizer *tokenizer, size_t i, struct fault *fault)
{
    const struct job_serve *job = &serve->job->serve;
    int32_t *tokens;
    int64_t n;
    tokenizer_encode(tokenizer, serve->prompt[i], strlen(serve->prompt[i]), 1, serve->arena, &tokens, &n);
    uint32_t *prompt = arena_array(serve->arena, (size_t)n, sizeof *prompt);
    for (int64_t t = 0; t < n; t++)
        prompt[t] = (uint32_t)tokens[t];
    if (n + 1 > serve->config.context)
        return fault_set(
            fault, STATUS_USAGE,
            "%s:%zu: expected a prompt with room for an answer in the model's context of %lld tokens, found "
            "%lld tokens",
            job->prompts, i + 1, (long long)serve->config.context, (long long)n);
    int64_t room = serve->config.context - n;
    serve->requests.request[i] = (struct request){
        .prompt_tokens = (uint32_t)n,
        .output_tokens = (uint32_t)(job->output_tokens < room ? job->output_tokens : room),
        .line = (uint32_t)i + 1,
        .prompt = prompt,
    };
    return STATUS_OK;
}

static enum status read_prompts(struct serve *serve, struct fault *fault)
{
    const struct job_serve *job = &serve->job->serve;
    const struct tokenizer *tokenizer = serve->file ? model_file_tokenizer(serve->file) : NULL;
    if (!tokenizer)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: serve.prompts: expected a decoder.file with a tokenizer, found none: polyrank model import "
            "--tokenizer",
            serve->job->source);
    enum status status = read_lines(serve, job->prompts, (size_t)job->requests, fault);
    serve->requests.path = job->prompts;
    if (status == STATUS_OK)
        serve->requests.request = arena_array(serve->arena, serve->requests.n, sizeof *serve->requests.request);
    for (size_t i = 0; i < serve->requests.n && status == STATUS_OK; i++)
        status = encode(serve, tokenizer, i, fault);
    return status;
}

enum status serve_read_requests(struct serve *serve, struct fault *fault)
{
    const struct job_serve *job = &serve->job->serve;
    if (job->prompts)
        return read_prompts(serve, fault);
    if (!serve->timing_only)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: serve.prompts: expected prompts for a run with tensors, found numbers of tokens alone: run "
            "with --timing-only",
            serve->job->source);
    return job->trace ? read_trace(serve, job->trace, (size_t)job->requests, &serve->requests, fault)
                      : make_up(serve, fault);
}
