/* rank_gpu_tokens.c - ops on the tokens of an iteration as kernels of a GPU: those of today's inference engines, with
 * fused attention and fused norms. */
#include "kernel/batch.h"
#include "rank_gpu.h"

static void add_one_attention(const struct gpu *gpu, const struct op *op, int64_t batch, int64_t queries, int64_t keys,
                              struct cost *total)
{
    const struct gpu_attention attention = {
        .batch = (uint64_t)batch,
        .heads = (uint64_t)op->heads,
        .kv_heads = (uint64_t)op->kv_heads,
        .n_query = (uint64_t)queries,
        .n_key = (uint64_t)keys,
        .head_width = (uint64_t)op->head_width,
        .math = gpu->math,
        .operand_bytes = gpu->operand_bytes,
        .causal = 1,
        .fused = 1,
        .kv_bytes = op->kv_bits == 8 ? 1 : 0,
    };
    struct cost cost;
    gpu_attention_cost(&gpu->profile, &attention, &cost);
    cost_add(total, &cost);
}

/* Sequences with one token each are one kernel, priced as if all had the mean number of keys; a piece of a prompt is
 * one of its own. */
static void add_attention(const struct gpu *gpu, const struct op *op, struct cost *cost)
{
    const struct batch *batch = op->batch;
    if (!batch) {
        add_one_attention(gpu, op, 1, op->rows, op->rows, cost);
        return;
    }
    int64_t single = 0, keys = 0;
    int first = op->tokens == TOKENS_PROMPT ? batch->n_cached : 0;
    int end = op->tokens == TOKENS_CACHED ? batch->n_cached : batch->n_parts;
    for (int i = first; i < end; i++) {
        const struct batch_part *part = &batch->parts[i];
        if (part->tokens > 1) {
            add_one_attention(gpu, op, 1, part->tokens, part->context + part->tokens, cost);
            continue;
        }
        single++;
        keys += part->context + 1;
    }
    if (single)
        add_one_attention(gpu, op, single, 1, (keys + single - 1) / single, cost);
}

/* Keys and values of the rows, written into the cache; int8 takes half of fp16. */
static void add_append(const struct gpu *gpu, const struct op *op, struct cost *cost)
{
    double writes = op->kv_bits == 8 ? 1.0 / gpu->element_bytes : 1;
    gpu_add_stream(gpu, GPU_KERNEL_COPY, op->rows * 2 * op->kv_heads * op->head_width, 0, 1, writes, 0, cost);
}

int gpu_add_token_kernels(const struct gpu *gpu, const struct op *op, struct cost *cost)
{
    int64_t rows = op->rows, width = op->head_width;
    switch (op->kind) {
    case OP_EMBED_TOKENS:
        gpu_add_stream(gpu, GPU_KERNEL_COPY, rows * op->in, 0, 1, 1, 0, cost);
        return 1;
    case OP_RMS_NORM: /* with the sum before it: one kernel */
        gpu_add_stream(gpu, GPU_KERNEL_RMSNORM, rows * op->in, rows, op->parts, op->parts, 5, cost);
        return 1;
    case OP_ROTATE:
        gpu_add_stream(gpu, GPU_KERNEL_ADD, rows * (op->heads + op->kv_heads) * width, 0, 1, 1, 3, cost);
        return 1;
    case OP_GATE:
        gpu_add_stream(gpu, GPU_KERNEL_GATED, rows * op->out, rows, 2, 1, 9, cost);
        return 1;
    case OP_KV_APPEND:
        add_append(gpu, op, cost);
        return 1;
    case OP_KV_ATTENTION:
    case OP_PROMPT_ATTENTION:
        add_attention(gpu, op, cost);
        return 1;
    case OP_KV_COMBINE:
        gpu_add_stream(gpu, GPU_KERNEL_ADD, rows * op->heads * width, 0, (double)op->shards, 1, 3, cost);
        return 1;
    case OP_MERGE_ROWS:
    case OP_TAKE_ROWS:
        gpu_add_stream(gpu, GPU_KERNEL_COPY, rows * op->in, 0, 1, 1, 0, cost);
        return 1;
    case OP_SAMPLE:
        gpu_add_stream(gpu, GPU_KERNEL_SOFTMAX, rows * op->out, 0, 1, 0, 5, cost);
        return 1;
    default:
        return 0;
    }
}
