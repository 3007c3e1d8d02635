/* kv_body.h - the KV cache for one type: what is appended, and attention to it; kv.c includes it once for each.
 *
 * KV(name): adds the type to a name; KV_KERNEL(name): the signature; REAL: the type; KV_ROUND(format, n, x, to): to the
 * operands' number format.
 */

/* One head of one token into the cache: rounded, or on a grid of 255 levels of its own. */
static void KV(keep)(const struct op *op, enum number_format format, const REAL *from, REAL *to)
{
    size_t width = (size_t)op->head_width;
    if (op->kv_bits != 8) {
        KV_ROUND(format, width, from, to);
        return;
    }
    REAL most = 0;
    for (size_t d = 0; d < width; d++)
        most = from[d] > most ? from[d] : -from[d] > most ? -from[d] : most;
    REAL scale = most / 127;
    for (size_t d = 0; d < width; d++)
        to[d] = scale > 0 ? (REAL)rint((double)(from[d] / scale)) * scale : 0;
}

KV_KERNEL(KV(kv_append))
{
    const struct batch *batch = batch_of(op);
    size_t width = (size_t)op->head_width, queries = (size_t)(op->heads / op->kv_heads), heads = (size_t)op->kv_heads;
    size_t columns = heads * (queries + 2) * width;
    const REAL *row = in[0];
    for (int i = 0; i < batch->n_parts; i++)
        for (int64_t t = 0; t < batch->parts[i].tokens; t++, row += columns) {
            int64_t at = batch->parts[i].context + t;
            if (!shard_holds(at, op->shard, op->shards, op->shard_block))
                continue;
            for (size_t g = 0; g < heads; g++) {
                size_t to = cache_row(op, &batch->parts[i], g, at) * width;
                const REAL *k = row + (g * (queries + 2) + queries) * width;
                KV(keep)(op, context->format, k, out[0] + to);
                KV(keep)(op, context->format, k + width, out[1] + to);
            }
        }
}

static REAL KV(dot)(size_t n, const REAL *a, const REAL *b)
{
    REAL sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Scores of one query with n keys that lie together; returns the largest, not below `most`. */
static REAL KV(score_keys)(size_t width, size_t n, const REAL *query, const REAL *keys, REAL *score, REAL most)
{
    REAL scale = (REAL)(1 / sqrt((double)width));
    for (size_t j = 0; j < n; j++) {
        score[j] = KV(dot)(width, query, keys + j * width) * scale;
        most = score[j] > most ? score[j] : most;
    }
    return most;
}

/* score becomes e^(score - most) in the operands' format; returns their sum before rounding. */
static REAL KV(exponentials)(enum number_format format, size_t n, REAL *score, REAL most)
{
    REAL sum = 0;
    for (size_t j = 0; j < n; j++) {
        score[j] = KV_EXP(score[j] - most);
        sum += score[j];
    }
    KV_ROUND(format, n, score, score);
    return sum;
}

static void KV(add_values)(size_t width, size_t n, const REAL *share, const REAL *values, REAL *o)
{
    for (size_t j = 0; j < n; j++)
#pragma omp simd
        for (size_t d = 0; d < width; d++)
            o[d] += share[j] * values[j * width + d];
}

/* Tokens from `first` on, of a sequence of n, that lie in one block of the cache and on one shard. */
static int64_t KV(run_length)(const struct op *op, int64_t first, int64_t n)
{
    int64_t run = op->n_key - first % op->n_key;
    if (op->shards > 1 && op->shard_block - first % op->shard_block < run)
        run = op->shard_block - first % op->shard_block;
    return n - first < run ? n - first : run;
}

/* The first token from `first` on that this shard holds, or one not below n. */
static int64_t KV(next_held)(const struct op *op, int64_t first, int64_t n)
{
    while (first < n && !shard_holds(first, op->shard, op->shards, op->shard_block))
        first += op->shard_block - first % op->shard_block;
    return first;
}

/* One query against this shard's share of a sequence's first n tokens: o[D] = sum of e^(score - *most) v, *sum of
 * e^(score - *most). Without tokens o and *sum are 0. */
static void KV(attend)(const struct op *op, enum number_format format, const struct batch_part *part, size_t g,
                       int64_t n, const REAL *query, const REAL *keys, const REAL *values, REAL *score, REAL *o,
                       REAL *most, REAL *sum)
{
    size_t width = (size_t)op->head_width, done = 0;
    *most = (REAL)-INFINITY;
    memset(o, 0, width * sizeof *o);
    for (int64_t at = KV(next_held)(op, 0, n), run; at < n; at = KV(next_held)(op, at + run, n)) {
        run = KV(run_length)(op, at, n);
        const REAL *here = keys + cache_row(op, part, g, at) * width;
        *most = KV(score_keys)(width, (size_t)run, query, here, score + done, *most);
        done += (size_t)run;
    }
    *sum = KV(exponentials)(format, done, score, *most);
    done = 0;
    for (int64_t at = KV(next_held)(op, 0, n), run; at < n; at = KV(next_held)(op, at + run, n)) {
        run = KV(run_length)(op, at, n);
        KV(add_values)(width, (size_t)run, score + done, values + cache_row(op, part, g, at) * width, o);
        done += (size_t)run;
    }
}

/* One row's query heads. Of a single shard o is divided by the sum and stands without maximum and sum. */
static void KV(attend_row)(const struct op *op, enum number_format format, const struct batch_part *part, int64_t n,
                           const REAL *row, const REAL *keys, const REAL *values, REAL *scratch, REAL *out)
{
    size_t width = (size_t)op->head_width, queries = (size_t)(op->heads / op->kv_heads);
    int whole = op->shards <= 1;
    REAL *query = scratch, *score = scratch + width, most, sum;
    for (size_t g = 0; g < (size_t)op->kv_heads; g++)
        for (size_t h = 0; h < queries; h++) {
            REAL *o = out + (g * queries + h) * (width + (whole ? 0 : 2));
            KV_ROUND(format, width, row + (g * (queries + 2) + h) * width, query);
            KV(attend)(op, format, part, g, n, query, keys, values, score, o, &most, &sum);
            for (size_t d = 0; whole && d < width; d++)
                o[d] /= sum;
            if (!whole) {
                o[width] = most;
                o[width + 1] = sum;
            }
        }
}

KV_KERNEL(KV(kv_attention))
{
    const struct batch *batch = batch_of(op);
    size_t columns = (size_t)((op->heads + 2 * op->kv_heads) * op->head_width);
    size_t out_columns = (size_t)(op->heads * (op->head_width + (op->shards <= 1 ? 0 : 2))), row = 0;
    for (int i = 0; i < batch->n_parts && row < (size_t)op->rows; i++)
        for (int64_t t = 0; t < batch->parts[i].tokens && row < (size_t)op->rows; t++, row++) {
            KV(attend_row)
            (op, context->format, &batch->parts[i], batch->parts[i].context + t + 1, in[0] + row * columns, in[1],
             in[2], context->scratch, out[0] + row * out_columns);
        }
}

/* One head: the parts' outputs weighted with e^(their maximum - that of all). */
static void KV(combine_head)(size_t n, const REAL *const *part, size_t width, REAL *o)
{
    REAL most = (REAL)-INFINITY, sum = 0;
    for (size_t s = 0; s < n; s++)
        most = part[s][width] > most ? part[s][width] : most;
    memset(o, 0, width * sizeof *o);
    for (size_t s = 0; s < n; s++) {
        REAL weight = part[s][width + 1] > 0 ? KV_EXP(part[s][width] - most) : 0;
        sum += weight * part[s][width + 1];
        for (size_t d = 0; d < width; d++)
            o[d] += weight * part[s][d];
    }
    for (size_t d = 0; d < width; d++)
        o[d] /= sum;
}

KV_KERNEL(KV(kv_combine))
{
    (void)context;
    size_t width = (size_t)op->head_width, heads = (size_t)op->heads;
    for (size_t head = 0; head < (size_t)op->rows * heads; head++) {
        const REAL *part[OP_MAX_IN];
        size_t n = 0;
        for (int s = 0; s < OP_MAX_IN; s++)
            if (in[s])
                part[n++] = in[s] + head * (width + 2);
        KV(combine_head)(n, part, width, out[0] + head * width);
    }
}

KV_KERNEL(KV(kv_fetch))
{
    (void)context;
    const struct batch *batch = batch_of(op);
    size_t width = (size_t)op->head_width, heads = (size_t)op->kv_heads;
    REAL *row = out[0];
    for (int i = batch->n_cached; i < batch->n_parts; i++)
        for (int64_t at = 0; at < batch->parts[i].context; at++, row += heads * 2 * width)
            for (size_t g = 0; g < heads && shard_holds(at, op->shard, op->shards, op->shard_block); g++) {
                size_t from = cache_row(op, &batch->parts[i], g, at) * width;
                memcpy(row + g * 2 * width, in[0] + from, width * sizeof *row);
                memcpy(row + (g * 2 + 1) * width, in[1] + from, width * sizeof *row);
            }
}

/* Key and value of head g of a prompt's token that was fetched: row `row` of what its shard sent. */
static const REAL *KV(fetched)(const struct op *op, const REAL *const *in, size_t g, int64_t at, size_t row)
{
    int64_t groups = op->groups > 1 ? op->groups : 1, shards = op->shards > 1 ? op->shards : 1, group = 0, first, n;
    while (n = op_group_heads(op->kv_heads, groups, group, &first), (int64_t)g >= first + n)
        group++;
    const REAL *kv = in[1 + group * shards + at / (op->shard_block ? op->shard_block : 1) % shards];
    return kv + (row * (size_t)n + g - (size_t)first) * 2 * (size_t)op->head_width;
}

/* Keys and values of one head of a prompt, [2][context + tokens][width]: those fetched, then its own, rounded as the
 * cache would have them. `fetched`: number of the first fetched row of this prompt. */
static void KV(take_head)(const struct op *op, enum number_format format, const struct batch_part *part,
                          const REAL *const *in, const REAL *rows, size_t fetched, size_t g, REAL *keys)
{
    size_t width = (size_t)op->head_width, queries = (size_t)(op->heads / op->kv_heads);
    size_t columns = (size_t)op->kv_heads * (queries + 2) * width, context = (size_t)part->context;
    size_t tokens = context + (size_t)part->tokens;
    for (size_t t = 0; t < context; t++) {
        const REAL *k = KV(fetched)(op, in, g, (int64_t)t, fetched + t);
        memcpy(keys + t * width, k, width * sizeof *keys);
        memcpy(keys + (tokens + t) * width, k + width, width * sizeof *keys);
    }
    for (size_t t = context; t < tokens; t++) {
        const REAL *k = rows + (t - context) * columns + (g * (queries + 2) + queries) * width;
        KV(keep)(op, format, k, keys + t * width);
        KV(keep)(op, format, k + width, keys + (tokens + t) * width);
    }
}

static void KV(prompt_head)(const struct op *op, enum number_format format, const struct batch_part *part,
                            const REAL *const *in, const REAL *rows, size_t fetched, size_t g, REAL *scratch, REAL *out)
{
    size_t width = (size_t)op->head_width, queries = (size_t)(op->heads / op->kv_heads);
    size_t columns = (size_t)op->kv_heads * (queries + 2) * width, o_columns = (size_t)op->heads * width;
    size_t context = (size_t)part->context, tokens = context + (size_t)part->tokens;
    REAL *keys = scratch, *query = keys + 2 * tokens * width, *score = query + width;
    KV(take_head)(op, format, part, in, rows, fetched, g, keys);
    for (size_t t = context; t < tokens; t++)
        for (size_t h = 0; h < queries; h++) {
            REAL *o = out + (t - context) * o_columns + (g * queries + h) * width;
            KV_ROUND(format, width, rows + (t - context) * columns + (g * (queries + 2) + h) * width, query);
            memset(o, 0, width * sizeof *o);
            REAL most = KV(score_keys)(width, t + 1, query, keys, score, (REAL)-INFINITY);
            REAL sum = KV(exponentials)(format, t + 1, score, most);
            KV(add_values)(width, t + 1, score, keys + tokens * width, o);
            for (size_t d = 0; d < width; d++)
                o[d] /= sum;
        }
}

KV_KERNEL(KV(prompt_attention))
{
    const struct batch *batch = batch_of(op);
    size_t columns = (size_t)((op->heads + 2 * op->kv_heads) * op->head_width);
    size_t out_columns = (size_t)(op->heads * op->head_width), row = (size_t)batch->n_cached_tokens, fetched = 0;
    for (int i = batch->n_cached; i < batch->n_parts; i++) {
        const struct batch_part *part = &batch->parts[i];
        for (size_t g = 0; g < (size_t)op->kv_heads; g++)
            KV(prompt_head)
        (op, context->format, part, in, in[0] + row * columns, fetched, g, context->scratch,
         out[0] + row * out_columns);
        row += (size_t)part->tokens;
        fetched += (size_t)part->context;
    }
}

#undef KV
#undef KV_KERNEL
#undef KV_ROUND
#undef KV_EXP
#undef REAL
