#include "model/decoder_private.h"

#include <math.h>
#include <string.h>

/* The residual stream x, increased by u (unless NO_TENSOR), and its norm. */
static int norm(struct building *b, const char *name, int x, int u, int64_t rows, enum token_rows tokens,
                int64_t copies)
{
    const struct decoder_config *config = b->config;
    struct arena *arena = b->graph->arena;
    int64_t c = config->d_model;
    int gamma = building_weight(b, arena_printf(arena, "%s.gamma", name), c, 0, copies);
    int y = building_value(b, arena_printf(arena, "%s.out", name), rows, c);
    struct op op = {.kind = OP_RMS_NORM, .rows = rows, .in = c, .eps = config->norm_eps, .tokens = tokens};
    if (config->rms_norm) {
        op.parts = u == NO_TENSOR ? 1 : 2;
        building_node(b, b->layout->gpu[b->gpu], &op, (int[]){x, u, gamma}, 3,
                      (int[]){y, u == NO_TENSOR ? NO_TENSOR : x}, 2, name);
        return y;
    }
    int beta = building_weight(b, arena_printf(arena, "%s.beta", name), c, 0, copies);
    int stats = building_value(b, arena_printf(arena, "%s.stats", name), rows, 2);
    op.kind = OP_NORM;
    if (u != NO_TENSOR)
        building_add(b, x, u, TOKENS_ALL, arena_printf(arena, "%s.add", name));
    building_node(b, b->layout->gpu[b->gpu], &op, (int[]){x, NO_TENSOR, gamma, beta}, 4, (int[]){y, NO_TENSOR, stats},
                  3, name);
    return y;
}

static struct op attention_op(const struct building *b, enum op_kind kind, int64_t kv_heads, enum token_rows tokens)
{
    return (struct op){.kind = kind,
                       .rows = b->layout->max_tokens,
                       .heads = kv_heads * b->queries,
                       .kv_heads = kv_heads,
                       .head_width = b->config->head_width,
                       .shards = 1,
                       .tokens = tokens};
}

/* Turns k in the wavelengths of decoder.h. */
static double frequency(const struct decoder_config *config, int64_t j)
{
    double f = pow(config->rope_theta, -2 * (double)j / (double)config->head_width);
    if (!(config->rope_factor > 0))
        return f;
    double turns = (double)config->rope_original * f / (8 * atan(1));
    if (turns >= config->rope_high)
        return f;
    if (turns <= config->rope_low)
        return f / config->rope_factor;
    double share = (turns - config->rope_low) / (config->rope_high - config->rope_low);
    return (1 - share) * f / config->rope_factor + share * f;
}

static void rotate(struct building *b, int qkv)
{
    int64_t half = b->config->head_width / 2;
    double *values = arena_array(b->graph->arena, (size_t)half, sizeof *values);
    for (int64_t j = 0; j < half; j++)
        values[j] = frequency(b->config, j);
    int t = graph_tensor(b->graph, TENSOR_CONST, building_name(b, "frequency"), 1, &half);
    b->graph->tensors[t].values = values;
    const struct op op = attention_op(b, OP_ROTATE, b->kv_heads, TOKENS_ALL);
    building_on_gpu(b, &op, (int[]){qkv, t}, 2, qkv, "layers.attn.rotate");
}

/* Of PIM devices: keys and values of the tokens that prompts have here already, for the GPU. */
static int fetch(struct building *b, int device, const struct op *append, const int *cache, const char *place)
{
    struct op op = *append;
    struct arena *arena = b->graph->arena;
    op.kind = OP_KV_FETCH;
    op.tokens = TOKENS_FETCHED;
    op.rows = b->layout->max_fetched;
    int kv = building_value(b, arena_printf(arena, "layers.attn.fetched%s", place), op.rows,
                            op.kv_heads * 2 * op.head_width);
    b->graph->tensors[kv].apart = 1; /* a run with tensors needs more room than one without, and takes as long */
    building_node(b, device, &op, cache, 2, &kv, 1, arena_printf(arena, "layers.attn.fetch%s", place));
    return kv;
}

/* The part of a cache that a device holds, what it appends and what it answers to queries. *fetched, unless NULL: what
 * it hands to the GPU. */
static int cached_attention(struct building *b, int device, int qkv, int64_t kv_heads, int64_t shard,
                            enum token_rows tokens, const char *place, int *fetched)
{
    const struct decoder_layout *layout = b->layout;
    struct arena *arena = b->graph->arena;
    struct op op = attention_op(b, OP_KV_APPEND, kv_heads, TOKENS_ALL);
    op.shard = shard;
    op.shards = layout->shards;
    op.shard_block = layout->shard_block;
    op.samples = layout->n_blocks;
    op.n_key = layout->block_tokens;
    op.in = b->config->context;
    op.kv_bits = layout->kv_bits;
    const int64_t dims[] = {op.samples, kv_heads, op.n_key, op.head_width};
    int cache[2];
    for (int i = 0; i < 2; i++) {
        const char *name = arena_printf(arena, "%s%s", i ? "values" : "keys", place);
        cache[i] = graph_tensor(b->graph, TENSOR_STATE, building_name(b, name), 4, dims);
        b->graph->tensors[cache[i]].copies = b->config->layers;
    }
    building_node(b, device, &op, &qkv, 1, cache, 2, arena_printf(arena, "layers.attn.append%s", place));
    if (fetched)
        *fetched = fetch(b, device, &op, cache, place);
    op.kind = OP_KV_ATTENTION;
    op.tokens = tokens;
    int64_t width = op.heads * (op.head_width + (op.shards > 1 ? 2 : 0));
    int out = building_value(b, arena_printf(arena, "layers.attn.part%s", place), op.rows, width);
    building_node(b, device, &op, (int[]){qkv, cache[0], cache[1]}, 3, &out, 1,
                  arena_printf(arena, "layers.attn.heads%s", place));
    return out;
}

/* One group of heads on its shards; their outputs combined. */
static int group_attention(struct building *b, int qkv, int64_t kv_heads, int64_t group, int *fetched)
{
    const struct decoder_layout *layout = b->layout;
    struct arena *arena = b->graph->arena;
    int parts[OP_MAX_IN];
    for (int64_t s = 0; s < layout->shards; s++) {
        int device = layout->pim[b->gpu * layout->pims_per_gpu + group * layout->shards + s];
        const char *place = arena_printf(arena, ".%lld.%lld", (long long)group, (long long)s);
        parts[s] =
            cached_attention(b, device, qkv, kv_heads, s, TOKENS_CACHED, place, &fetched[group * layout->shards + s]);
    }
    if (layout->shards == 1)
        return parts[0];
    struct op op = attention_op(b, OP_KV_COMBINE, kv_heads, TOKENS_CACHED);
    op.shards = layout->shards;
    int o = building_value(b, arena_printf(arena, "layers.attn.combined.%lld", (long long)group), op.rows,
                           op.heads * op.head_width);
    building_on_gpu(b, &op, parts, (int)layout->shards, o,
                    arena_printf(arena, "layers.attn.combine.%lld", (long long)group));
    return o;
}

/* Columns of the groups' heads, apart and together again. */
static struct op heads_op(const struct building *b, enum op_kind kind, int64_t width, enum token_rows tokens)
{
    return (struct op){.kind = kind,
                       .rows = b->layout->max_tokens,
                       .parts = 1,
                       .heads = b->kv_heads,
                       .head_width = width,
                       .groups = b->layout->groups,
                       .tokens = tokens};
}

static void keep_queries_of_prompts(struct building *b, int qkv, int64_t kv_heads)
{
    b->graph->tensors[qkv].prompt_columns = kv_heads * 2 * b->config->head_width;
}

/* Decoding tokens' outputs from the PIM devices; what they hold of prompts. */
static int decode_attention(struct building *b, int qkv, int *fetched)
{
    const struct decoder_layout *layout = b->layout;
    struct arena *arena = b->graph->arena;
    int group_qkv[OP_MAX_OUT] = {qkv}, group_o[OP_MAX_IN];
    int64_t first, kv_heads[OP_MAX_OUT];
    for (int64_t g = 0; g < layout->groups; g++) {
        kv_heads[g] = op_group_heads(b->kv_heads, layout->groups, g, &first);
        if (layout->groups > 1)
            group_qkv[g] = building_value(b, arena_printf(arena, "layers.attn.qkv.%lld", (long long)g),
                                          layout->max_tokens, kv_heads[g] * b->columns);
        keep_queries_of_prompts(b, group_qkv[g], kv_heads[g]);
    }
    const struct op split = heads_op(b, OP_SPLIT_HEADS, b->columns, TOKENS_ALL);
    if (layout->groups > 1)
        building_node(b, layout->gpu[b->gpu], &split, &qkv, 1, group_qkv, (int)layout->groups, "layers.attn.split");
    for (int64_t g = 0; g < layout->groups; g++)
        group_o[g] = group_attention(b, group_qkv[g], kv_heads[g], g, fetched);
    if (layout->groups == 1)
        return group_o[0];
    int64_t width = b->queries * b->config->head_width;
    const struct op join = heads_op(b, OP_JOIN_HEADS, width, TOKENS_CACHED);
    int o = building_value(b, "layers.attn.joined", layout->max_tokens, b->kv_heads * width);
    building_on_gpu(b, &join, group_o, (int)layout->groups, o, "layers.attn.join");
    return o;
}

static int attention(struct building *b, int qkv)
{
    const struct decoder_layout *layout = b->layout;
    if (!layout->pims_per_gpu)
        return cached_attention(b, layout->gpu[b->gpu], qkv, b->kv_heads, 0, TOKENS_ALL, "", NULL);
    struct op prompt = attention_op(b, OP_PROMPT_ATTENTION, b->kv_heads, TOKENS_PROMPT);
    int64_t width = prompt.heads * prompt.head_width;
    int in[OP_MAX_IN] = {qkv}, own = building_value(b, "layers.attn.prompt", layout->max_tokens, width);
    int decoded = decode_attention(b, qkv, in + 1),
        o = building_value(b, "layers.attn.merged", layout->max_tokens, width);
    prompt.groups = layout->groups;
    prompt.shards = layout->shards;
    prompt.shard_block = layout->shard_block;
    prompt.in = b->config->context;
    prompt.kv_bits = layout->kv_bits;
    building_on_gpu(b, &prompt, in, 1 + (int)(layout->groups * layout->shards), own, "layers.attn.prompt");
    const struct op merge = {.kind = OP_MERGE_ROWS, .rows = layout->max_tokens, .in = width, .tokens = TOKENS_BOTH};
    building_on_gpu(b, &merge, (int[]){decoded, own}, 2, o, "layers.attn.merge");
    return o;
}

/* Heads of a chunk become this GPU's heads; without one, all of them. */
static void take_chunk(struct building *b, int64_t chunk)
{
    int64_t first, all = op_group_heads(b->config->kv_heads, b->layout->n_gpus, b->gpu, &first);
    b->chunk = chunk;
    b->kv_heads = chunk < 0 ? all : op_group_heads(all, b->layout->head_chunks, chunk, &first);
}

static int queries_keys_values(struct building *b, int x)
{
    const struct decoder_config *config = b->config;
    int qkv = building_linear(b, "layers.attn.qkv", x, b->layout->max_tokens, config->d_model, b->kv_heads * b->columns,
                              TOKENS_ALL, ACT_NONE, config->biases, config->layers);
    if (config->rotary)
        rotate(b, qkv);
    return qkv;
}

/* What a chunk's heads add to the residual stream. */
static int projection(struct building *b, int o)
{
    const struct decoder_config *config = b->config;
    return building_linear(b, "layers.attn.o", o, b->layout->max_tokens, b->kv_heads * b->queries * config->head_width,
                           config->d_model, TOKENS_ALL, ACT_NONE, config->biases && b->gpu == 0 && b->chunk <= 0,
                           config->layers);
}

static int attention_block(struct building *b)
{
    int64_t n = b->layout->head_chunks;
    int x = norm(b, "layers.attn_norm", b->x, NO_TENSOR, b->layout->max_tokens, TOKENS_ALL, b->config->layers);
    int *qkv = arena_array(b->graph->arena, (size_t)n, sizeof *qkv), sum = NO_TENSOR;
    for (int64_t c = 0; c < n; c++) {
        take_chunk(b, c);
        qkv[c] = queries_keys_values(b, x);
    }
    for (int64_t c = 0; c < n; c++) {
        take_chunk(b, c);
        int part = projection(b, attention(b, qkv[c]));
        if (c > 0)
            building_add(b, sum, part, TOKENS_ALL, "layers.attn.add");
        else
            sum = part;
    }
    take_chunk(b, -1);
    building_allreduce(b, sum, "layers.attn");
    return sum;
}

static void embed(struct building *b)
{
    const struct decoder_config *config = b->config;
    struct op op = {.kind = OP_EMBED_TOKENS,
                    .rows = b->layout->max_tokens,
                    .in = config->d_model,
                    .out = config->vocabulary,
                    .n_key = config->context,
                    .tokens = TOKENS_ALL};
    int table = building_weight(b, "embed.weight", config->vocabulary, config->d_model, 1);
    int positions =
        config->rotary ? NO_TENSOR : building_weight(b, "positions.weight", config->context, config->d_model, 1);
    building_on_gpu(b, &op, (int[]){table, positions}, 2, b->x, "embed");
}

/* Logits of this GPU's part of the vocabulary; in a tied model those rows of the embedding, which is there already. */
static int logits(struct building *b)
{
    const struct decoder_config *config = b->config;
    int64_t answers = b->layout->max_answers, c = config->d_model, first;
    const struct op take = {.kind = OP_TAKE_ROWS, .rows = answers, .in = c, .tokens = TOKENS_ANSWER};
    int last = building_value(b, "last", answers, c);
    building_on_gpu(b, &take, &b->x, 1, last, "take");
    int y = norm(b, "norm", last, NO_TENSOR, answers, TOKENS_ANSWER, 1);
    const struct op head = {.kind = OP_LINEAR,
                            .rows = answers,
                            .in = c,
                            .out = op_group_heads(config->vocabulary, b->layout->n_gpus, b->gpu, &first),
                            .tokens = TOKENS_ANSWER};
    int w = config->tied ? graph_view(b->graph, graph_find(b->graph, building_name(b, "embed.weight")), first * c,
                                      building_name(b, "head.weight"), 2, (int64_t[]){head.out, c})
                         : building_weight(b, "head.weight", head.out, c, 1);
    int out = building_value(b, "head.out", answers, head.out);
    building_on_gpu(b, &head, (int[]){y, w}, 2, out, "head");
    return out;
}

/* Parts of the vocabulary side by side: as many as a JOIN_HEADS takes, those behind them by CONCAT. */
static int join_logits(struct building *b, const int *parts)
{
    int64_t answers = b->layout->max_answers, n = b->layout->n_gpus, done = 0;
    int all = NO_TENSOR;
    for (int64_t g = 0; g < n; g += OP_MAX_OUT) {
        int64_t some = n - g < OP_MAX_OUT ? n - g : OP_MAX_OUT, width = 0;
        for (int64_t k = 0; k < some; k++)
            width += b->graph->tensors[parts[g + k]].dims[1];
        const struct op join = {.kind = OP_JOIN_HEADS,
                                .rows = answers,
                                .parts = 1,
                                .heads = width,
                                .head_width = 1,
                                .groups = some,
                                .tokens = TOKENS_ANSWER};
        int piece = graph_tensor(b->graph, TENSOR_ACTIVATION, arena_printf(b->graph->arena, "logits.%d", (int)g), 2,
                                 (int64_t[]){answers, width});
        building_on_gpu(b, &join, parts + g, (int)some, piece, "logits.join");
        const struct op concat = {
            .kind = OP_CONCAT, .rows = answers, .in = done, .out = width, .tokens = TOKENS_ANSWER};
        done += width;
        if (all == NO_TENSOR) {
            all = piece;
            continue;
        }
        int wider = graph_tensor(b->graph, TENSOR_ACTIVATION, arena_printf(b->graph->arena, "logits.to.%d", (int)g), 2,
                                 (int64_t[]){answers, done});
        building_on_gpu(b, &concat, (int[]){all, piece}, 2, wider, "logits.concat");
        all = wider;
    }
    return all;
}

/* The first GPU gets all logits and chooses. */
static void choose(struct building *b, const int *parts)
{
    int64_t answers = b->layout->max_answers;
    const struct op sample = {
        .kind = OP_SAMPLE, .rows = answers, .out = b->config->vocabulary, .tokens = TOKENS_ANSWER};
    int next = graph_tensor(b->graph, TENSOR_ACTIVATION, "next", 1, &answers);
    b->gpu = 0;
    int all = b->layout->n_gpus > 1 ? join_logits(b, parts) : parts[0];
    building_on_gpu(b, &sample, &all, 1, next, "sample");
}

static void on_each_gpu(struct building *b, int gpu, int *x)
{
    b->gpu = gpu;
    take_chunk(b, -1);
    if (x[gpu] == NO_TENSOR)
        x[gpu] = graph_tensor(b->graph, TENSOR_STATE, building_name(b, "x"), 2,
                              (int64_t[]){b->layout->max_tokens, b->config->d_model});
    b->x = x[gpu];
}

int *decoder_graph(const struct decoder_config *config, const struct decoder_layout *layout, struct graph *graph)
{
    struct building b = {.config = config, .layout = layout, .graph = graph, .device = -1, .chunk = -1};
    int n = layout->n_gpus, *x = arena_array(graph->arena, 3 * (size_t)n + 1, sizeof *x), *sum = x + n, *part = sum + n;
    if (n < 1 || n > config->kv_heads || (layout->pims_per_gpu && layout->groups * layout->shards >= OP_MAX_IN))
        bug("a decoder on %d GPUs, %lld groups of %lld shards", n, (long long)layout->groups,
            (long long)layout->shards);
    b.queries = config->heads / config->kv_heads;
    b.columns = (b.queries + 2) * config->head_width;
    for (int g = 0; g < n; g++)
        x[g] = NO_TENSOR;
    for (int g = 0; g < n; g++) {
        on_each_gpu(&b, g, x);
        embed(&b);
    }
    graph->loop_first = graph->n_nodes;
    for (int g = 0; g < n; g++) {
        on_each_gpu(&b, g, x);
        sum[g] = attention_block(&b);
        int y = norm(&b, "layers.ffn_norm", b.x, sum[g], layout->max_tokens, TOKENS_ALL, config->layers);
        building_add(&b, b.x, building_feed_forward(&b, y), TOKENS_ALL, "layers.ffn.add");
    }
    graph->loop_end = graph->n_nodes;
    graph->loop_count = config->layers;
    for (int g = 0; g < n; g++) {
        on_each_gpu(&b, g, x);
        part[g] = logits(&b);
    }
    choose(&b, part);
    return b.device_of;
}
