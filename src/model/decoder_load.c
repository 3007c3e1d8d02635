#include "model/decoder_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loading {
    const struct decoder_config *config;
    const struct decoder_source *source;
    const struct decoder_piece *piece;
    float *to;
    int64_t done; /* elements of `to` */
    struct fault *fault;
};

/* "layers.attn.q.weight" of layer 3: "layers.3.attn.q.weight". */
static void file_name(const struct loading *loading, const char *name, char *text, size_t size)
{
    if (strncmp(name, "layers.", 7) == 0)
        snprintf(text, size, "layers.%lld.%s", (long long)loading->piece->layer, name + 7);
    else
        snprintf(text, size, "%s", name);
}

static enum status take_rows(struct loading *loading, const char *name, int64_t first, int64_t rows, int64_t columns)
{
    char text[96];
    file_name(loading, name, text, sizeof text);
    if (loading->done + rows * columns > loading->piece->elements)
        bug("%s has no room for %s", loading->piece->name, text);
    float *to = loading->to + loading->done;
    loading->done += rows * columns;
    return loading->source->read(loading->source->state, text, first, rows, columns, to, loading->fault);
}

/* Columns first .. first + n - 1 of all rows, a few hundred KiB at a time. */
static enum status take_columns(struct loading *loading, const char *name, int64_t rows, int64_t columns, int64_t first,
                                int64_t n)
{
    char text[96];
    file_name(loading, name, text, sizeof text);
    int64_t at_once = 1 + (1 << 16) / columns;
    float *values = malloc((size_t)(at_once * columns) * sizeof *values);
    if (!values)
        bug("out of memory");
    enum status status = STATUS_OK;
    for (int64_t r = 0; r < rows && status == STATUS_OK; r += at_once) {
        int64_t some = rows - r < at_once ? rows - r : at_once;
        status = loading->source->read(loading->source->state, text, r, some, columns, values, loading->fault);
        for (int64_t k = 0; k < some && status == STATUS_OK; k++, loading->done += n)
            memcpy(loading->to + loading->done, values + k * columns + first, (size_t)n * sizeof *values);
    }
    free(values);
    return status;
}

/* KV heads of the piece: of its part, and of that the chunk. */
static int64_t heads_of(const struct loading *loading, int64_t *first)
{
    const struct decoder_piece *piece = loading->piece;
    int64_t within = 0, n = op_group_heads(loading->config->kv_heads, piece->parts, piece->part, first);
    if (piece->chunks > 1)
        n = op_group_heads(n, piece->chunks, piece->chunk, &within);
    *first += within;
    return n;
}

/* This part's KV heads: for each its query heads, its key, its value. `suffix`: ".weight" or ".bias". */
static enum status take_packed(struct loading *loading, const char *suffix, int64_t columns)
{
    const struct decoder_config *config = loading->config;
    int64_t first, n = heads_of(loading, &first);
    int64_t width = config->head_width, queries = config->heads / config->kv_heads;
    char name[3][48];
    for (int i = 0; i < 3; i++)
        snprintf(name[i], sizeof name[i], "layers.attn.%c%s", "qkv"[i], suffix);
    enum status status = STATUS_OK;
    for (int64_t g = first; g < first + n && status == STATUS_OK; g++)
        for (int i = 0; i < 3 && status == STATUS_OK; i++) {
            int64_t rows = (i == 0 ? queries : 1) * width;
            status = take_rows(loading, name[i], g * rows, rows, columns);
        }
    return status;
}

static enum status take_heads_columns(struct loading *loading)
{
    const struct decoder_config *config = loading->config;
    int64_t first, n = heads_of(loading, &first);
    int64_t width = config->heads / config->kv_heads * config->head_width;
    return take_columns(loading, "layers.attn.o.weight", config->d_model, config->heads * config->head_width,
                        first * width, n * width);
}

/* A share of `all` rows of `columns` elements, or of all columns of a matrix with d_model rows. */
static enum status take_share(struct loading *loading, const char *name, int64_t all, int64_t columns, int by_columns)
{
    const struct decoder_piece *piece = loading->piece;
    int64_t first, n = op_group_heads(all, piece->parts, piece->part, &first);
    if (piece->some) {
        if (piece->first + piece->some > n)
            bug("%s: places %lld to %lld of %lld", name, (long long)piece->first,
                (long long)(piece->first + piece->some), (long long)n);
        first += piece->first;
        n = piece->some;
    }
    return by_columns ? take_columns(loading, name, loading->config->d_model, all, first, n)
                      : take_rows(loading, name, first, n, columns);
}

static int is(const char *name, const char *what)
{
    return strcmp(name, what) == 0;
}

static enum status take(struct loading *loading, const char *name)
{
    const struct decoder_config *config = loading->config;
    int64_t c = config->d_model;
    if (is(name, "layers.attn.qkv.weight"))
        return take_packed(loading, ".weight", c);
    if (is(name, "layers.attn.qkv.bias"))
        return take_packed(loading, ".bias", 1);
    if (is(name, "layers.attn.o.weight"))
        return take_heads_columns(loading);
    if (is(name, "layers.ffn.gate.weight") || is(name, "layers.ffn.up.weight"))
        return take_share(loading, name, config->ffn, c, 0);
    if (is(name, "layers.ffn.gate.bias") || is(name, "layers.ffn.up.bias"))
        return take_share(loading, name, config->ffn, 1, 0);
    if (is(name, "layers.ffn.down.weight"))
        return take_share(loading, name, config->ffn, c, 1);
    if (is(name, "head.weight"))
        return take_share(loading, name, config->vocabulary, c, 0);
    if (is(name, "embed.weight"))
        return take_rows(loading, name, 0, config->vocabulary, c);
    if (is(name, "positions.weight"))
        return take_rows(loading, name, 0, config->context, c);
    return take_rows(loading, name, 0, c, 1); /* norms, biases behind sums */
}

enum status decoder_load(const struct decoder_config *config, const struct decoder_source *source,
                         const struct decoder_piece *piece, float *to, struct fault *fault)
{
    struct loading loading = {config, source, piece, to, 0, fault};
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(piece->name, "#@"), piece->name);
    enum status status = take(&loading, name);
    if (status == STATUS_OK && loading.done != piece->elements)
        bug("%s: %lld of %lld elements are in the model", piece->name, (long long)loading.done,
            (long long)piece->elements);
    return status;
}
