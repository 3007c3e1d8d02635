#include "kernel/batch.h"

#include "base/status.h"

int64_t batch_rows(const struct batch *batch, enum token_rows tokens)
{
    int64_t prompt = batch->n_tokens - batch->n_cached_tokens;
    switch (tokens) {
    case TOKENS_ALL:
        return batch->n_tokens;
    case TOKENS_CACHED:
        return batch->n_cached_tokens;
    case TOKENS_PROMPT:
        return prompt;
    case TOKENS_FETCHED: {
        int64_t rows = 0;
        for (int i = batch->n_cached; i < batch->n_parts; i++)
            rows += batch->parts[i].context;
        return rows;
    }
    case TOKENS_BOTH:
        return batch->n_cached_tokens && prompt ? batch->n_tokens : 0;
    case TOKENS_ANSWER:
        return batch->n_answers;
    case TOKENS_NO_PROMPT:
        return prompt ? 0 : batch->n_tokens;
    case TOKENS_WITH_PROMPT:
        return prompt ? batch->n_tokens : 0;
    default:
        bug("rows of no tokens");
    }
}

/* Tokens `first` .. `first + n - 1` of a sequence, each to all before it and itself. */
static uint64_t pairs_up_to(int64_t first, int64_t n)
{
    return (uint64_t)(n * first + n * (n + 1) / 2);
}

static uint64_t shard_pairs(const struct op *op, const struct batch_part *part)
{
    uint64_t pairs = 0;
    if (op->shards <= 1)
        return pairs_up_to(part->context, part->tokens);
    for (int64_t t = 0; t < part->tokens; t++)
        pairs += (uint64_t)shard_tokens(part->context + t + 1, op->shard, op->shards, op->shard_block);
    return pairs;
}

uint64_t batch_pairs(const struct op *op)
{
    const struct batch *batch = op->batch;
    uint64_t pairs = 0;
    if (!batch)
        return op->kind == OP_KV_ATTENTION ? (uint64_t)(op->rows * op->n_key) : pairs_up_to(0, op->rows);
    int first = op->tokens == TOKENS_PROMPT ? batch->n_cached : 0;
    int end = op->tokens == TOKENS_CACHED ? batch->n_cached : batch->n_parts;
    for (int i = first; i < end; i++)
        pairs += op->kind == OP_KV_ATTENTION ? shard_pairs(op, &batch->parts[i])
                                             : pairs_up_to(batch->parts[i].context, batch->parts[i].tokens);
    return pairs;
}

int64_t batch_appended(const struct op *op)
{
    int64_t n = 0;
    if (!op->batch)
        return op->rows;
    if (op->shards <= 1)
        return op->batch->n_tokens;
    for (int i = 0; i < op->batch->n_parts; i++) {
        const struct batch_part *part = &op->batch->parts[i];
        n += shard_tokens(part->context + part->tokens, op->shard, op->shards, op->shard_block) -
             shard_tokens(part->context, op->shard, op->shards, op->shard_block);
    }
    return n;
}

int64_t batch_fetched(const struct op *op)
{
    const struct batch *batch = op->batch;
    int64_t n = 0;
    for (int i = batch ? batch->n_cached : 0; batch && i < batch->n_parts; i++)
        n += shard_tokens(batch->parts[i].context, op->shard, op->shards, op->shard_block);
    return batch ? n : op->rows;
}

int64_t batch_message_elements(const struct op *op)
{
    if (op->tokens == TOKENS_FETCHED)
        return batch_fetched(op) * op->out;
    if (op->tokens == TOKENS_ALL)
        return op->batch->n_cached_tokens * (op->out - op->in) + batch_appended(op) * op->in;
    return batch_rows(op->batch, op->tokens) * op->out;
}

int batch_bind(const struct op *planned, const struct batch *batch, struct op *op)
{
    *op = *planned;
    op->batch = batch;
    int64_t rows = batch_rows(batch, planned->tokens);
    op->rows = planned->tokens == TOKENS_PROMPT ? batch->n_tokens : rows;
    if (planned->kind == OP_SEND || planned->kind == OP_RECV) {
        op->rows = rows * planned->out;
        return batch_message_elements(op) > 0;
    }
    if (rows == 0 || planned->shards <= 1)
        return rows > 0;
    if (planned->kind == OP_KV_APPEND)
        return batch_appended(op) > 0;
    if (planned->kind == OP_KV_FETCH)
        return batch_fetched(op) > 0;
    return planned->kind != OP_KV_ATTENTION || batch_pairs(op) > 0;
}
