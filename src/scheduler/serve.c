#include "scheduler/serve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/serve_private.h"
#include "serving/serving.h"

static enum status open_model(struct serve *serve, struct fault *fault)
{
    const struct job_decoder *decoder = &serve->job->decoder;
    if (decoder->model) {
        const struct decoder_config *config = decoder_model(decoder->model);
        if (!config)
            return fault_set(
                fault, STATUS_USAGE,
                "%s: decoder.model: expected a model of the catalogue, found '%s': polyrank model list shows "
                "them",
                serve->job->source, decoder->model);
        serve->config = *config;
        serve->timing_only = 1;
        serve->config.context = decoder->context ? decoder->context : config->context;
        return STATUS_OK;
    }
    enum status status = model_file_open(decoder->file, &serve->file, fault);
    if (status == STATUS_OK)
        serve->config = *model_file_config(serve->file);
    if (status == STATUS_OK && decoder->context > serve->config.context && !serve->config.rotary)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: decoder.context: expected at most the %lld positions that the model has learned, found %lld",
            serve->job->source, (long long)serve->config.context, (long long)decoder->context);
    if (status == STATUS_OK && decoder->context)
        serve->config.context = decoder->context;
    return status;
}

/* What is not in the job file's words. */
static struct serving_config serving_config_of(const struct job_serve *job)
{
    struct serving_config config = serving_defaults();
    for (int p = 0; p < N_BATCHING_POLICIES; p++)
        if (strcmp(job->batching, batching_policy_name((enum batching_policy)p)) == 0)
            config.batching = (enum batching_policy)p;
    for (int p = 0; p < N_PREEMPTION_POLICIES; p++)
        if (strcmp(job->preemption, preemption_policy_name((enum preemption_policy)p)) == 0)
            config.preemption = (enum preemption_policy)p;
    for (int p = 0; p < N_ROUTER_POLICIES; p++)
        if (strcmp(job->router, router_policy_name((enum router_policy)p)) == 0)
            config.router = (enum router_policy)p;
    config.max_batch = (uint32_t)job->max_batch;
    config.token_budget = (uint32_t)job->token_budget;
    config.block_tokens = (uint32_t)job->block_tokens;
    config.watermark_permille = (uint32_t)lrint(job->watermark * 1000);
    config.prefix_caching = job->prefix_caching;
    config.reserve_output = job->reserve_output;
    config.schedule_ahead = job->schedule_ahead;
    config.n_prefill_instances = (uint32_t)job->prefill_instances;
    config.slo =
        (struct serving_slo){(uint64_t)(job->slo.ttft_s * 1e12 + 0.5), (uint64_t)(job->slo.tpot_s * 1e12 + 0.5),
                             (uint64_t)(job->slo.e2e_s * 1e12 + 0.5)};
    return config;
}

/* Tokens of the longest prefill: a prompt, and after a preemption its answer so far. */
static int64_t longest_prefill(const struct requests *requests)
{
    int64_t longest = 1;
    for (size_t i = 0; i < requests->n; i++) {
        int64_t tokens = (int64_t)requests->request[i].prompt_tokens + requests->request[i].output_tokens;
        longest = tokens > longest ? tokens : longest;
    }
    return longest;
}

/* Tokens that a sequence has in the cache on average. */
static int64_t typical_context(const struct requests *requests)
{
    uint64_t prompts = requests_prompt_tokens(requests), answers = requests_output_tokens(requests);
    return (int64_t)((prompts + answers / 2) / requests->n) + 1;
}

static int64_t mean_tokens(const struct requests *requests, uint64_t tokens)
{
    return (int64_t)((tokens + requests->n - 1) / requests->n);
}

/* A share as a number, or "auto". */
static enum status read_share(const struct serve *serve, double *share, struct fault *fault)
{
    const char *text = serve->job->serve.ff_share;
    char *end;
    *share = FF_SHARE_AUTO;
    if (strcmp(text, "auto") == 0)
        return STATUS_OK;
    *share = strtod(text, &end);
    if (end != text && !*end && *share >= 0 && *share <= FF_MOST_SHARE)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "%s: serve.ff_share: expected a number from 0 to %g or auto, found '%s'",
                     serve->job->source, FF_MOST_SHARE, text);
}

static enum status check_watermark(const struct serve *serve, struct fault *fault)
{
    double share = serve->job->serve.watermark;
    if (fabs(share * 1000 - rint(share * 1000)) < 1e-9)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "%s: serve.watermark: expected thousandths, found %g", serve->job->source,
                     share);
}

static struct decoder_limits limits_of(const struct serve *serve, double ff_share)
{
    const struct job_serve *job = &serve->job->serve;
    int64_t sequences = (int64_t)serve->requests.n < job->max_batch ? (int64_t)serve->requests.n : job->max_batch;
    int64_t longest = longest_prefill(&serve->requests), context = typical_context(&serve->requests);
    return (struct decoder_limits){
        .max_tokens = (job->token_budget > longest ? job->token_budget : longest) + sequences,
        .max_sequences = sequences,
        .block_tokens = job->block_tokens,
        .n_blocks =
            serve->timing_only ? 0 : sequences * ((serve->config.context + job->block_tokens - 1) / job->block_tokens),
        .head_chunks = job->head_chunks,
        .kv_bits = strcmp(job->kv_numerics, "int8") == 0 ? 8 : 0,
        .weight_bits = strcmp(job->weight_numerics, "int8") == 0 ? 8 : 0,
        .partition = job->partition,
        .ff_share = ff_share,
        .typical_context = context < serve->config.context ? context : serve->config.context,
        .typical_prompt = mean_tokens(&serve->requests, requests_prompt_tokens(&serve->requests)),
        .typical_answer = mean_tokens(&serve->requests, requests_output_tokens(&serve->requests)),
    };
}

/* What can never be served is refused before a file is opened. */
static enum status check_requests(struct serve *serve, struct fault *fault)
{
    size_t n = (size_t)serve->job->serve.instances;
    struct serving_engine *engines = arena_array(serve->arena, n, sizeof *engines);
    for (size_t i = 0; i < n; i++)
        engines[i] = serve_engine_kind(&serve->plan, serve->timing_only);
    return serving_check(&serve->serving, &serve->requests, engines, n, fault);
}

static enum status open_local(struct serve *serve, const struct serve_given *given, struct fault *fault)
{
    struct job *job = serve->job;
    if (!job->decoder.model && !job->decoder.file)
        return fault_set(fault, STATUS_USAGE,
                         "%s: decoder.file: expected a decoder to serve, found none: polyrank train "
                         "trains a job with model.preset",
                         job->source);
    job->placement.stores_format = 1;
    enum status status = open_model(serve, fault);
    if (status == STATUS_OK)
        status = machine_open(job, serve->arena, &serve->machine, fault);
    if (given) {
        serve->requests = given->requests;
        serve->prompt = given->prompt;
    } else if (status == STATUS_OK) {
        status = serve_read_requests(serve, fault);
    }
    double ff_share = 0;
    if (status == STATUS_OK)
        status = read_share(serve, &ff_share, fault);
    if (status == STATUS_OK)
        status = check_watermark(serve, fault);
    if (status != STATUS_OK)
        return status;
    serve->limits = limits_of(serve, ff_share);
    serve->serving = serving_config_of(&job->serve);
    status = decoder_plan_build(&serve->config, &serve->machine, &serve->limits, serve->arena, &serve->plan, fault);
    if (status == STATUS_OK)
        status = check_requests(serve, fault);
    struct serve_course course = {.serve = serve};
    return status == STATUS_OK ? serve_course_read_faults(&course, fault) : status;
}

enum status serve_open(struct comm *comm, struct job *job, int timing_only, const struct serve_given *given,
                       struct arena *arena, struct serve *serve, struct fault *fault)
{
    memset(serve, 0, sizeof *serve);
    serve->comm = comm;
    serve->job = job;
    serve->arena = arena;
    serve->timing_only = timing_only;
    open_local(serve, given, fault);
    enum status status = agree(comm, 0, fault);
    if (status == STATUS_OK)
        status = comm_same(comm, serve->plan.plan.hash, "plan", fault);
    if (status != STATUS_OK)
        serve_close(serve);
    return status;
}

void serve_close(struct serve *serve)
{
    model_file_close(serve->file);
    serve->file = NULL;
}

/* ---- engines ---- */

struct weights_of_file {
    struct model_file *file;
    const struct decoder_config *config;
};

static int number_of(const struct decoder_config *config, const char *name)
{
    struct decoder_weight weight;
    for (int i = 0; i < decoder_weights(config); i++) {
        decoder_weight(config, i, &weight);
        if (strcmp(weight.name, name) == 0)
            return i;
    }
    bug("the model has no weight %s", name);
}

static enum status read_rows(void *state, const char *weight, int64_t first_row, int64_t n_rows, int64_t columns,
                             float *values, struct fault *fault)
{
    const struct weights_of_file *weights = state;
    (void)columns;
    return model_file_read_rows(weights->file, number_of(weights->config, weight), first_row, n_rows, values, fault);
}

struct decoder_source serve_weights(const struct serve *serve)
{
    struct weights_of_file *weights = arena_take(serve->arena, sizeof *weights);
    *weights = (struct weights_of_file){serve->file, &serve->config};
    return (struct decoder_source){weights, read_rows};
}

const char *serve_text(const struct serve *serve, const uint32_t *token, uint32_t n, struct arena *arena)
{
    const struct tokenizer *tokenizer = serve->file ? model_file_tokenizer(serve->file) : NULL;
    size_t length;
    if (!tokenizer)
        return NULL;
    int32_t *tokens = arena_array(arena, n + 1, sizeof *tokens);
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = (int32_t)token[i];
    return tokenizer_text(tokenizer, tokens, (int64_t)n, arena, &length);
}

struct serve_engine_options serve_engine_options_of(const struct serve *serve, const struct decoder_source *weights)
{
    const struct job_serve *job = &serve->job->serve;
    const struct tokenizer *tokenizer = serve->file ? model_file_tokenizer(serve->file) : NULL;
    return (struct serve_engine_options){
        .timing_only = serve->timing_only,
        .seed = job->seed,
        .temperature = job->temperature,
        .top_p = job->top_p,
        .eos = tokenizer ? tokenizer->eos : -1,
        .bos = tokenizer ? tokenizer->bos : -1,
        .host_link = serve->job->cluster.links.host,
        .overhead_ps = (uint64_t)(serve->job->cluster.iteration_overhead_s * 1e12 + 0.5),
        .weights = weights,
    };
}

enum status serve_open_engine(const struct serve *serve, struct serve_engine **engine, struct fault *fault)
{
    const struct decoder_source weights = serve_weights(serve);
    const struct serve_engine_options options = serve_engine_options_of(serve, &weights);
    return serve_engine_open(serve->comm, &serve->plan, &options, engine, fault);
}

enum status serve_open_alone(const struct serve *serve, struct serve_engine **engines, struct comm **alone,
                             struct fault *fault)
{
    const struct serve_engine_options options = serve_engine_options_of(serve, NULL);
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < serve->job->serve.instances && status == STATUS_OK; i++) {
        alone[i] = comm_alone();
        status = serve_engine_open(alone[i], &serve->plan, &options, &engines[i], fault);
    }
    return status;
}

void serve_close_alone(const struct serve *serve, struct serve_engine **engines, struct comm **alone)
{
    for (int64_t i = 0; i < serve->job->serve.instances; i++) {
        serve_engine_close(engines[i]);
        if (alone[i])
            comm_close(alone[i], 0);
    }
}
