/* test_kv.c - the paged KV cache: attention to it against a plain softmax in double, whatever the paging, the shards and
 * the groups of heads; what int8 and fp16 keep; what a batch counts.
 */
#include "kernel/format.h"
#include "token_case.h"

Suite *suite_kv(void);

enum { N_CASES = 60, MOST_PARTS = OP_MAX_IN - 1 };

/* What the cache of one shard of one group holds; NAN where nothing was put. */
struct cache {
    double *keys, *values;
    int64_t n;
};

static struct cache cache_new(struct token_case *c, int64_t kv_heads)
{
    struct cache cache = {.n = c->n_blocks * kv_heads * c->block_tokens * c->width};
    cache.keys = arena_array(c->arena, (size_t)cache.n, sizeof *cache.keys);
    cache.values = arena_array(c->arena, (size_t)cache.n, sizeof *cache.values);
    for (int64_t i = 0; i < cache.n; i++)
        cache.keys[i] = cache.values[i] = NAN;
    return cache;
}

static double *nothing(struct token_case *c, int64_t n)
{
    double *values = arena_array(c->arena, (size_t)n + 1, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = -77;
    return values;
}

static void set_shard(struct op *op, const struct token_case *c, int64_t shard, int64_t shards)
{
    op->shard = shard;
    op->shards = shards;
    op->shard_block = c->shard_block;
}

static void append(const struct token_case *c, const struct batch *batch, double *qkv, int64_t shard, int64_t shards,
                   int kv_bits, enum number_format format, struct cache *cache)
{
    struct op op = token_op(c, OP_KV_APPEND, batch, TOKENS_ALL);
    const int64_t n_in = batch->n_tokens * token_columns(c), n_out[2] = {cache->n, cache->n};
    set_shard(&op, c, shard, shards);
    op.kv_bits = kv_bits;
    if (batch->n_tokens)
        token_run(&op, format, &qkv, &n_in, 1, (double *[]){cache->keys, cache->values}, n_out, 2);
}

/* The past and this iteration, as a shard keeps them. */
static struct cache filled(struct token_case *c, int64_t shard, int64_t shards, int kv_bits, enum number_format format)
{
    struct cache cache = cache_new(c, c->kv_heads);
    append(c, &c->past, c->past_qkv, shard, shards, kv_bits, format, &cache);
    append(c, &c->now, c->qkv, shard, shards, kv_bits, format, &cache);
    return cache;
}

static double *attend(struct token_case *c, const struct cache *cache, int64_t shard, int64_t shards,
                      enum token_rows rows, enum number_format format, int64_t *n)
{
    struct op op = token_op(c, OP_KV_ATTENTION, &c->now, rows);
    const int64_t n_in[3] = {c->now.n_tokens * token_columns(c), cache->n, cache->n};
    set_shard(&op, c, shard, shards);
    *n = op.rows * op.heads * (c->width + (shards > 1 ? 2 : 0));
    double *out = nothing(c, *n);
    token_run(&op, format, (double *[]){c->qkv, cache->keys, cache->values}, n_in, 3, &out, n, 1);
    return out;
}

/* softmax(q k^T / sqrt D) v of the history in double, [tokens][heads * width]. */
static void plain_head(const struct token_case *c, const double *history, int64_t n, int64_t g, const double *q,
                       double *o)
{
    double score[128], sum = 0;
    int64_t stride = c->kv_heads * 2 * c->width;
    for (int64_t t = 0; t < n; t++) {
        const double *k = history + t * stride + g * 2 * c->width;
        score[t] = 0;
        for (int64_t d = 0; d < c->width; d++)
            score[t] += q[d] * k[d];
        sum += score[t] = exp(score[t] / sqrt((double)c->width));
    }
    for (int64_t d = 0; d < c->width; d++) {
        o[d] = 0;
        for (int64_t t = 0; t < n; t++)
            o[d] += score[t] / sum * history[t * stride + g * 2 * c->width + c->width + d];
    }
}

static double *plain(struct token_case *c)
{
    int64_t row = 0, columns = token_columns(c), out_columns = c->kv_heads * c->queries * c->width;
    double *out = nothing(c, c->now.n_tokens * out_columns);
    for (int i = 0; i < c->now.n_parts; i++)
        for (int64_t t = 0; t < c->now.parts[i].tokens; t++, row++)
            for (int64_t head = 0; head < c->kv_heads * c->queries; head++) {
                int64_t g = head / c->queries, h = head % c->queries;
                plain_head(c, c->history[i], c->now.parts[i].context + t + 1, g,
                           c->qkv + row * columns + (g * (c->queries + 2) + h) * c->width,
                           out + row * out_columns + head * c->width);
            }
    return out;
}

static void ck_near(const double *found, const double *expected, int64_t n, double tolerance, int seed)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(found[i] - expected[i]) <= tolerance))
            ck_abort_msg("case %d: element %lld of %lld: %.17g, expected %.17g", seed, (long long)i, (long long)n,
                         found[i], expected[i]);
}

static double tolerance_of(enum number_format format)
{
    return format == FORMAT_FP64 ? 1e-12 : 1e-5;
}

START_TEST(cached_attention_is_a_softmax)
{
    enum number_format format = _i % 2 ? FORMAT_FP64 : FORMAT_FP32;
    struct token_case c;
    int64_t n;
    token_case_open(&c, (uint64_t)_i);
    struct cache cache = filled(&c, 0, 1, 0, format);
    const double *expected = plain(&c), *found = attend(&c, &cache, 0, 1, TOKENS_ALL, format, &n);
    ck_near(found, expected, n, tolerance_of(format), _i);
    token_case_close(&c);
}
END_TEST

/* The places of a shard that hold something are those of its tokens, and the tokens' values are there. */
static void check_places(struct token_case *c, const struct cache *cache, int64_t shard)
{
    int64_t n_kept = 0, n_filled = 0;
    for (int i = 0; i < c->now.n_parts; i++)
        for (int64_t t = 0; t < c->now.parts[i].context + c->now.parts[i].tokens; t++) {
            if (t / c->shard_block % c->shards != shard)
                continue;
            for (int64_t g = 0; g < c->kv_heads; g++, n_kept += c->width) {
                int64_t block = c->now.parts[i].block[t / c->block_tokens];
                int64_t at = ((block * c->kv_heads + g) * c->block_tokens + t % c->block_tokens) * c->width;
                const double *from = c->history[i] + (t * c->kv_heads + g) * 2 * c->width;
                ck_assert_mem_eq(cache->keys + at, from, (size_t)c->width * sizeof *from);
                ck_assert_mem_eq(cache->values + at, from + c->width, (size_t)c->width * sizeof *from);
            }
        }
    for (int64_t i = 0; i < cache->n; i++)
        n_filled += !isnan(cache->keys[i]);
    ck_assert_int_eq(n_filled, n_kept);
}

START_TEST(shards_together_are_the_whole)
{
    enum number_format format = _i % 2 ? FORMAT_FP64 : FORMAT_FP32;
    struct token_case c;
    double *part[MOST_PARTS];
    int64_t n_part[MOST_PARTS], n;
    token_case_open(&c, 1000 + (uint64_t)_i);
    c.shards += c.shards == 1;
    const double *expected = plain(&c);
    for (int64_t s = 0; s < c.shards; s++) {
        struct cache cache = filled(&c, s, c.shards, 0, format);
        check_places(&c, &cache, s);
        part[s] = attend(&c, &cache, s, c.shards, TOKENS_CACHED, format, &n_part[s]);
    }
    struct op op = token_op(&c, OP_KV_COMBINE, &c.now, TOKENS_CACHED);
    op.shards = c.shards;
    n = op.rows * op.heads * c.width;
    double *found = nothing(&c, n);
    if (n)
        token_run(&op, format, part, n_part, (int)c.shards, &found, &n, 1);
    ck_near(found, expected, n, tolerance_of(format), _i);
    token_case_close(&c);
}
END_TEST

/* Columns of `kv_heads` heads from `first` on. */
static double *columns_of(struct token_case *c, const double *qkv, int64_t rows, int64_t first, int64_t kv_heads)
{
    int64_t columns = token_columns(c), each = (c->queries + 2) * c->width;
    double *out = nothing(c, rows * kv_heads * each);
    for (int64_t r = 0; r < rows; r++)
        memcpy(out + r * kv_heads * each, qkv + r * columns + first * each, (size_t)(kv_heads * each) * sizeof *out);
    return out;
}

/* What shard s of a group of heads sends of the prompts' tokens. */
static double *fetch(struct token_case *whole, int64_t group, int64_t groups, int64_t s, int kv_bits,
                     enum number_format format, int64_t *n)
{
    struct token_case c = *whole;
    int64_t first;
    c.kv_heads = op_group_heads(whole->kv_heads, groups, group, &first);
    c.past_qkv = columns_of(whole, whole->past_qkv, whole->past.n_tokens, first, c.kv_heads);
    struct cache cache = cache_new(&c, c.kv_heads);
    append(&c, &c.past, c.past_qkv, s, c.shards, kv_bits, format, &cache);
    struct op op = token_op(&c, OP_KV_FETCH, &c.now, TOKENS_FETCHED);
    set_shard(&op, &c, s, c.shards);
    *n = op.rows * c.kv_heads * 2 * c.width;
    double *out = nothing(&c, *n);
    token_run(&op, format, (double *[]){cache.keys, cache.values}, (int64_t[]){cache.n, cache.n}, 2, &out, n, 1);
    return out;
}

/* Prompts on the GPU, what they have in the cache fetched from groups * shards devices; [tokens][heads * width]. */
static double *prompt(struct token_case *c, int64_t groups, int kv_bits, enum number_format format)
{
    double *in[OP_MAX_IN] = {c->qkv};
    int64_t n_in[OP_MAX_IN] = {c->now.n_tokens * token_columns(c)};
    int n = 1;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t s = 0; s < c->shards; s++, n++)
            in[n] = fetch(c, g, groups, s, kv_bits, format, &n_in[n]);
    struct op op = token_op(c, OP_PROMPT_ATTENTION, &c->now, TOKENS_PROMPT);
    set_shard(&op, c, 0, c->shards);
    op.groups = groups;
    op.kv_bits = kv_bits;
    int64_t n_out = c->now.n_tokens * op.heads * c->width;
    double *out = nothing(c, n_out);
    token_run(&op, format, in, n_in, n, &out, &n_out, 1);
    return out;
}

START_TEST(fetched_prompts_are_as_fresh_ones)
{
    enum number_format format = _i % 2 ? FORMAT_FP64 : FORMAT_FP32;
    struct token_case c;
    token_case_open(&c, 2000 + (uint64_t)_i);
    int64_t groups = 1 + (int64_t)below(&c.dice, (uint64_t)c.kv_heads), columns = c.kv_heads * c.queries * c.width;
    c.shards = 1 + (int64_t)below(&c.dice, (uint64_t)(MOST_PARTS / groups));
    int64_t cached = c.now.n_cached_tokens * columns;
    const double *expected = plain(&c), *found = prompt(&c, groups, 0, format);
    for (int64_t i = 0; i < cached; i++)
        ck_assert_double_eq(found[i], -77);
    ck_near(found + cached, expected + cached, c.now.n_tokens * columns - cached, tolerance_of(format), _i);
    token_case_close(&c);
}
END_TEST

/* A prompt in int8, whole or in pieces, on the GPU or where the cache is: the same keys and values for everybody. */
START_TEST(pieces_of_prompts_in_int8_are_as_the_cache)
{
    struct token_case c;
    int64_t n;
    token_case_open(&c, 3000 + (uint64_t)_i);
    c.shards = 1 + (int64_t)below(&c.dice, 4);
    int64_t cached = c.now.n_cached_tokens * c.kv_heads * c.queries * c.width;
    struct cache cache = filled(&c, 0, 1, 8, FORMAT_FP64);
    const double *expected = attend(&c, &cache, 0, 1, TOKENS_ALL, FORMAT_FP64, &n);
    const double *found = prompt(&c, 1 + (int64_t)below(&c.dice, (uint64_t)c.kv_heads) % 2, 8, FORMAT_FP64);
    ck_near(found + cached, expected + cached, n - cached, 1e-12, _i);
    token_case_close(&c);
}
END_TEST

/* 255 levels on each head of a token: whole steps of the largest / 127, off by half a step at most. */
static void check_levels(const double *kept, const double *exact, int64_t width)
{
    double most = 0;
    for (int64_t d = 0; d < width; d++)
        most = fmax(most, fabs(exact[d]));
    for (int64_t d = 0; d < width; d++) {
        double level = kept[d] / (most / 127);
        ck_assert_double_le(fabs(kept[d] - exact[d]), most / 254 * (1 + 1e-9));
        ck_assert_double_eq_tol(level, rint(level), 1e-9);
        ck_assert_double_le(fabs(level), 127 + 1e-9);
    }
}

START_TEST(int8_keeps_within_half_a_step)
{
    struct token_case c;
    token_case_open(&c, 4000 + (uint64_t)_i);
    struct cache cache = filled(&c, 0, 1, 8, FORMAT_FP64);
    for (int i = 0; i < c.now.n_parts; i++)
        for (int64_t t = 0; t < c.now.parts[i].context + c.now.parts[i].tokens; t++)
            for (int64_t g = 0; g < c.kv_heads; g++) {
                int64_t block = c.now.parts[i].block[t / c.block_tokens];
                int64_t at = ((block * c.kv_heads + g) * c.block_tokens + t % c.block_tokens) * c.width;
                const double *exact = c.history[i] + (t * c.kv_heads + g) * 2 * c.width;
                check_levels(cache.keys + at, exact, c.width);
                check_levels(cache.values + at, exact + c.width, c.width);
            }
    token_case_close(&c);
}
END_TEST

/* Rounds in place. */
static void round_all(enum number_format format, double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float value = (float)x[i];
        format_round(format, 1, &value, &value);
        x[i] = (double)value;
    }
}

/* fp16 and bf16: the cache holds what rounding makes of keys and values; outputs are near, and not the same. */
START_TEST(narrow_formats_round_what_they_keep)
{
    static const double tolerance[] = {[FORMAT_FP16] = 4e-3, [FORMAT_BF16] = 3e-2};
    enum number_format format = _i % 2 ? FORMAT_FP16 : FORMAT_BF16;
    struct token_case c;
    int64_t n;
    double off = 0;
    token_case_open(&c, 5000 + (uint64_t)_i);
    const double *expected = plain(&c);
    struct cache cache = filled(&c, 0, 1, 0, format);
    const double *found = attend(&c, &cache, 0, 1, TOKENS_ALL, format, &n);
    ck_near(found, expected, n, tolerance[format], _i);
    for (int64_t i = 0; i < n; i++)
        off += fabs(found[i] - expected[i]);
    ck_assert_double_gt(off, 0);
    round_all(format, c.qkv, c.now.n_tokens * token_columns(&c));
    round_all(format, c.past_qkv, c.past.n_tokens * token_columns(&c));
    struct cache rounded = filled(&c, 0, 1, 0, FORMAT_FP32);
    ck_assert_mem_eq(rounded.keys, cache.keys, (size_t)cache.n * sizeof(double));
    ck_assert_mem_eq(rounded.values, cache.values, (size_t)cache.n * sizeof(double));
    token_case_close(&c);
}
END_TEST

/* Counts of a batch against going through all tokens one by one. */
static void check_counts(const struct token_case *c, int64_t shard)
{
    uint64_t all = 0, cached = 0, prompts = 0;
    int64_t appended = 0, fetched = 0;
    for (int i = 0; i < c->now.n_parts; i++)
        for (int64_t t = 0; t < c->now.parts[i].context + c->now.parts[i].tokens; t++) {
            int is_new = t >= c->now.parts[i].context, is_here = t / c->shard_block % c->shards == shard;
            appended += is_new && is_here;
            fetched += !is_new && is_here && i >= c->now.n_cached;
            for (int64_t u = 0; is_new && u <= t; u++) {
                all += u / c->shard_block % c->shards == shard;
                cached += i < c->now.n_cached && u / c->shard_block % c->shards == shard;
                prompts += i >= c->now.n_cached;
            }
        }
    struct op op = token_op(c, OP_KV_ATTENTION, &c->now, TOKENS_ALL);
    set_shard(&op, c, shard, c->shards);
    ck_assert_uint_eq(batch_pairs(&op), all);
    ck_assert_int_eq(batch_appended(&op), appended);
    ck_assert_int_eq(batch_fetched(&op), fetched);
    op.tokens = TOKENS_CACHED;
    ck_assert_uint_eq(batch_pairs(&op), cached);
    op.kind = OP_PROMPT_ATTENTION, op.tokens = TOKENS_PROMPT;
    ck_assert_uint_eq(batch_pairs(&op), prompts);
}

START_TEST(counts_are_those_of_single_tokens)
{
    struct token_case c;
    token_case_open(&c, 6000 + (uint64_t)_i);
    for (int64_t s = 0; s < c.shards; s++)
        check_counts(&c, s);
    for (int64_t n = 0; n < 90; n++) {
        int64_t sum = 0;
        for (int64_t s = 0; s < c.shards; s++)
            sum += shard_tokens(n, s, c.shards, c.shard_block);
        ck_assert_int_eq(sum, n);
    }
    token_case_close(&c);
}
END_TEST

/* Ends of a message move the same bytes, and who has no work moves none. */
START_TEST(messages_carry_what_is_wanted)
{
    struct token_case c;
    token_case_open(&c, 7000 + (uint64_t)_i);
    int64_t kv = c.kv_heads * 2 * c.width, columns = token_columns(&c);
    for (int64_t s = 0; s < c.shards; s++) {
        struct op planned = {.kind = OP_SEND, .tokens = TOKENS_ALL, .rows = 500 * columns, .out = columns, .in = kv}, op;
        set_shard(&planned, &c, s, c.shards);
        int has_work = batch_bind(&planned, &c.now, &op);
        ck_assert_int_eq(batch_message_elements(&op),
                         c.now.n_cached_tokens * (columns - kv) + batch_appended(&op) * kv);
        ck_assert_int_eq(has_work, batch_message_elements(&op) > 0);
        ck_assert_int_eq(op.rows, c.now.n_tokens * columns);
        planned = token_op(&c, OP_KV_APPEND, &c.now, TOKENS_ALL);
        set_shard(&planned, &c, s, c.shards);
        ck_assert_int_eq(batch_bind(&planned, &c.now, &op), batch_appended(&op) > 0);
        planned.kind = OP_KV_ATTENTION, planned.tokens = TOKENS_CACHED;
        ck_assert_int_eq(batch_bind(&planned, &c.now, &op), batch_pairs(&op) > 0);
        planned.kind = OP_KV_FETCH, planned.tokens = TOKENS_FETCHED;
        ck_assert_int_eq(batch_bind(&planned, &c.now, &op), batch_fetched(&op) > 0);
    }
    token_case_close(&c);
}
END_TEST

Suite *suite_kv(void)
{
    Suite *suite = suite_create("kv");
    TCase *tcase = tcase_create("cache");
    tcase_add_loop_test(tcase, cached_attention_is_a_softmax, 0, N_CASES);
    tcase_add_loop_test(tcase, shards_together_are_the_whole, 0, N_CASES);
    tcase_add_loop_test(tcase, fetched_prompts_are_as_fresh_ones, 0, N_CASES);
    tcase_add_loop_test(tcase, pieces_of_prompts_in_int8_are_as_the_cache, 0, N_CASES);
    tcase_add_loop_test(tcase, int8_keeps_within_half_a_step, 0, 20);
    tcase_add_loop_test(tcase, narrow_formats_round_what_they_keep, 0, N_CASES);
    tcase_add_loop_test(tcase, counts_are_those_of_single_tokens, 0, N_CASES);
    tcase_add_loop_test(tcase, messages_carry_what_is_wanted, 0, N_CASES);
    suite_add_tcase(suite, tcase);
    return suite;
}
