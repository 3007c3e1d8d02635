#include <stdio.h>

#include "serving/metrics.h"
#include "serving/serving_private.h"

/* What is asked of an engine, and by whom, for messages: "trace.csv:17", "request 3". */
static const char *name_of(const struct requests *requests, size_t i, char *text, size_t size)
{
    if (requests->request[i].line)
        snprintf(text, size, "%s:%u", requests->path ? requests->path : "trace", requests->request[i].line);
    else
        snprintf(text, size, "request %zu", i);
    return text;
}

static enum status check_config(const struct serving_config *config, size_t n_engines, struct fault *fault)
{
    if (config->max_batch == 0 || config->max_batch > 1000000)
        return fault_set(fault, STATUS_USAGE, "max_batch: expected 1 to 1000000 sequences, found %u",
                         config->max_batch);
    if (config->token_budget == 0)
        return fault_set(fault, STATUS_USAGE, "token_budget: expected at least 1 token, found 0");
    if (config->block_tokens == 0 || config->block_tokens > 1048576)
        return fault_set(fault, STATUS_USAGE, "block_tokens: expected 1 to 1048576 tokens, found %u",
                         config->block_tokens);
    if (config->batching == BATCHING_CHUNKED && config->token_budget < config->max_batch)
        return fault_set(fault, STATUS_USAGE,
                         "token_budget: %u sequences may decode at a time, one token each; the budget has %u; shortest "
                         "fix: token_budget %u, or max_batch %u",
                         config->max_batch, config->token_budget, config->max_batch, config->token_budget);
    if (config->watermark_permille > 999)
        return fault_set(fault, STATUS_USAGE, "watermark: expected less than 1000 of 1000 blocks, found %u",
                         config->watermark_permille);
    if (config->router == ROUTER_PREFIX && !config->prefix_caching)
        return fault_set(fault, STATUS_USAGE, "router prefix needs prefix caching; shortest fix: router least-loaded");
    if (n_engines == 0)
        return fault_set(fault, STATUS_USAGE, "expected at least one instance, found none");
    if (config->n_prefill_instances >= n_engines && config->n_prefill_instances)
        return fault_set(fault, STATUS_USAGE,
                         "prefill instances: %u of %zu leave none for decodes; shortest fix: at most %zu",
                         config->n_prefill_instances, n_engines, n_engines - 1);
    return STATUS_OK;
}

static enum status check_engine(const struct serving_config *config, const struct serving_engine *engine, size_t i,
                                struct fault *fault)
{
    int decodes = i >= config->n_prefill_instances, is_split = config->n_prefill_instances > 0;
    if (!engine->iterate)
        bug("an engine without iterate");
    if (engine->kv_block_tokens > 1 && config->block_tokens % engine->kv_block_tokens)
        return fault_set(fault, STATUS_USAGE,
                         "block_tokens: instance %zu has pages of %u tokens: expected a multiple, found %u", i,
                         engine->kv_block_tokens, config->block_tokens);
    if (engine->kv_capacity_tokens && engine->kv_capacity_tokens < config->block_tokens)
        return fault_set(fault, STATUS_USAGE, "instance %zu has room for %llu tokens of KV, less than a block of %u", i,
                         (unsigned long long)engine->kv_capacity_tokens, config->block_tokens);
    if (config->preemption == PREEMPTION_SWAP && !config->reserve_output && decodes && !engine->swap)
        return fault_set(fault, STATUS_USAGE,
                         "preemption: instance %zu cannot swap KV to the host; shortest fix: preemption recompute", i);
    if (is_split && decodes && !engine->transfer)
        return fault_set(fault, STATUS_USAGE,
                         "prefill instances: instance %zu cannot take KV from another one; shortest fix: no split", i);
    return STATUS_OK;
}

static enum status check_prefixes(const struct serving_config *config, const struct requests *requests,
                                  struct fault *fault)
{
    uint32_t hash = requests->hash_tokens, block = config->block_tokens;
    if (config->prefix_caching && hash && hash % block && block % hash)
        return fault_set(fault, STATUS_USAGE,
                         "block_tokens: the trace names prompts by pieces of %u tokens: expected a divisor or a "
                         "multiple, found %u",
                         hash, block);
    return STATUS_OK;
}

static enum status check_room(const struct serving_config *config, const struct serving_engine *engine, size_t i,
                              uint64_t tokens, const struct requests *requests, size_t r, struct fault *fault)
{
    char who[512];
    uint64_t has = engine->kv_capacity_tokens / config->block_tokens, room = has * config->block_tokens;
    uint64_t needs = (tokens + config->block_tokens - 1) / config->block_tokens;
    if (engine->kv_capacity_tokens && needs > has)
        return fault_set(fault, STATUS_USAGE,
                         "%s: needs KV for %llu tokens (%llu blocks of %u), instance %zu has room for %llu (%llu "
                         "blocks); shortest fix: leave out requests of more than %llu tokens",
                         name_of(requests, r, who, sizeof who), (unsigned long long)tokens, (unsigned long long)needs,
                         config->block_tokens, i, (unsigned long long)room, (unsigned long long)has,
                         (unsigned long long)room);
    return STATUS_OK;
}

enum status serving_check_request(const struct serving_config *config, const struct requests *requests, size_t r,
                                  const struct serving_engine *engine, size_t i, struct fault *fault)
{
    char who[512];
    const struct request *request = &requests->request[r];
    uint64_t total = (uint64_t)request->prompt_tokens + request->output_tokens;
    int only_prefills = i < config->n_prefill_instances;
    if (engine->context_tokens && total > engine->context_tokens)
        return fault_set(fault, STATUS_USAGE,
                         "%s: needs a context of %llu tokens (prompt %u, answer %u), the model has %u; shortest fix: "
                         "leave out requests of more than %u tokens",
                         name_of(requests, r, who, sizeof who), (unsigned long long)total, request->prompt_tokens,
                         request->output_tokens, engine->context_tokens, engine->context_tokens);
    if (config->batching != BATCHING_CHUNKED && request->prompt_tokens > config->token_budget)
        return fault_set(fault, STATUS_USAGE,
                         "%s: needs an iteration of %u tokens for its prompt, token_budget has %u; shortest fix: "
                         "token_budget %u, or batching chunked",
                         name_of(requests, r, who, sizeof who), request->prompt_tokens, config->token_budget,
                         request->prompt_tokens);
    if (engine->tokens && !request->prompt)
        return fault_set(fault, STATUS_USAGE, "%s: has no prompt, only its length: run timing-only",
                         name_of(requests, r, who, sizeof who));
    return check_room(config, engine, i, only_prefills ? request->prompt_tokens : total - 1, requests, r, fault);
}

/* Once for each kind of engine is enough, but engines are few. */
static enum status check_requests(const struct serving_config *config, const struct requests *requests,
                                  const struct serving_engine *engines, size_t n_engines, struct fault *fault)
{
    char who[512];
    if (requests->n == 0 || requests->n >= UINT32_MAX)
        return fault_set(fault, STATUS_USAGE, "expected 1 to 4294967294 requests, found %zu", requests->n);
    for (size_t r = 0; r < requests->n; r++) {
        const struct request *request = &requests->request[r];
        if (request->prompt_tokens == 0 || request->output_tokens == 0)
            return fault_set(fault, STATUS_USAGE, "%s: expected a prompt and an answer of at least 1 token",
                             name_of(requests, r, who, sizeof who));
        if (r && request->arrival_ps < requests->request[r - 1].arrival_ps)
            return fault_set(fault, STATUS_USAGE, "%s: arrives before the request above it",
                             name_of(requests, r, who, sizeof who));
        for (size_t i = 0; i < n_engines; i++)
            if (serving_check_request(config, requests, r, &engines[i], i, fault) != STATUS_OK)
                return fault->status;
    }
    return STATUS_OK;
}

enum status serving_check(const struct serving_config *config, const struct requests *requests,
                          const struct serving_engine *engines, size_t n_engines, struct fault *fault)
{
    if (check_config(config, n_engines, fault) != STATUS_OK || check_prefixes(config, requests, fault) != STATUS_OK)
        return fault->status;
    for (size_t i = 0; i < n_engines; i++) {
        if (check_engine(config, &engines[i], i, fault) != STATUS_OK)
            return fault->status;
        if (!engines[i].tokens != !engines[0].tokens)
            return fault_set(fault, STATUS_USAGE, "instances 0 and %zu: one makes tokens, the other only times", i);
    }
    return check_requests(config, requests, engines, n_engines, fault);
}
