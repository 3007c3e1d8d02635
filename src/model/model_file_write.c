/* model_file_write.c - writing model files. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "model/model_layout.h"
#include "store/half.h"

static enum status write_config(struct h5 *file, const struct model_content *content, struct fault *fault)
{
    const struct decoder_config *config = &content->config;
    enum status status = h5_set_int(file, "/", "polyrank_model_version", MODEL_FILE_VERSION, fault);
    const char *const texts[][2] = {{"name", config->name},
                                    {"family", config->family},
                                    {"act", model_act_name(config->act)},
                                    {"source", content->source},
                                    {"history", content->history}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts && status == STATUS_OK; i++)
        status = h5_set_string(file, "/", texts[i][0], texts[i][1], fault);
#define NUMBER(field)                                                                                                  \
    if (status == STATUS_OK)                                                                                           \
        status = h5_set_int(file, "/", #field, config->field, fault);
#define REAL(field)                                                                                                    \
    if (status == STATUS_OK)                                                                                           \
        status = h5_set_double(file, "/", #field, config->field, fault);
    MODEL_WHOLE(NUMBER)
    MODEL_FLAGS(NUMBER)
    MODEL_REAL(REAL)
#undef NUMBER
#undef REAL
    return status;
}

static enum status write_tokenizer(struct h5 *file, const struct tokenizer *tokenizer, struct fault *fault)
{
    const struct token_pieces *pieces = &tokenizer->pieces;
    int64_t total = 0, at = 0;
    for (int64_t i = 0; i < pieces->n; i++)
        total += pieces->length[i];
    unsigned char *bytes = malloc((size_t)total + 1);
    if (!bytes)
        return fault_set(fault, STATUS_FAILED, "%s: the tokenizer does not fit into memory", h5_path(file));
    for (int64_t i = 0; i < pieces->n; at += pieces->length[i++])
        memcpy(bytes + at, pieces->piece[i], (size_t)pieces->length[i]);
    enum status status = h5_write(file, "tokenizer/bytes", H5_UINT8, 1, &total, bytes, fault);
    if (status == STATUS_OK)
        status = h5_write(file, "tokenizer/length", H5_INT32, 1, &pieces->n, pieces->length, fault);
    if (status == STATUS_OK)
        status = h5_write(file, "tokenizer/score", H5_FLOAT32, 1, &pieces->n, pieces->score, fault);
    if (status == STATUS_OK)
        status = h5_set_int(file, "tokenizer", "bos", tokenizer->bos, fault);
    if (status == STATUS_OK)
        status = h5_set_int(file, "tokenizer", "eos", tokenizer->eos, fault);
    if (status == STATUS_OK)
        status = h5_set_int(file, "tokenizer", "max_length", pieces->max_length, fault);
    free(bytes);
    return status;
}

/* ---- weights ---- */

/* One weight on its way into the file. */
struct moving {
    struct h5 *file;
    const struct model_content *content;
    const char *object;
    struct decoder_weight weight;
    int number, is_half;
    int64_t columns, block_rows;
    float *values;
    uint16_t *halves; /* NULL: float32 */
    uint64_t hash;
    struct fault *fault;
};

/* Narrows a block; `values` become what is stored. */
static enum status narrow(struct moving *m, int64_t first_row, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float value = m->values[i];
        m->halves[i] = half_narrow(value);
        m->values[i] = half_widen(m->halves[i]);
        if (!isfinite(m->values[i]) || (m->values[i] != value && !m->content->round))
            return fault_set(m->fault, STATUS_USAGE,
                             "%s: row %" PRId64 ": expected a number that float16 holds, found %g", m->weight.name,
                             first_row + i / m->columns, (double)value);
    }
    return STATUS_OK;
}

static enum status move_block(struct moving *m, int64_t first_row, int64_t n_rows)
{
    int64_t n = n_rows * m->columns;
    enum status status = m->content->read(m->content->state, m->number, first_row, n_rows, m->values, m->fault);
    for (int64_t i = 0; i < n && status == STATUS_OK; i++)
        if (!isfinite(m->values[i]))
            status = fault_set(m->fault, STATUS_USAGE, "%s: row %" PRId64 ": expected a finite number, found %g",
                               m->weight.name, first_row + i / m->columns, (double)m->values[i]);
    if (status == STATUS_OK && m->is_half)
        status = narrow(m, first_row, n);
    if (status != STATUS_OK)
        return status;
    m->hash = hash_floats(m->hash, (size_t)n, m->values);
    const int64_t start[2] = {first_row, 0}, count[2] = {n_rows, m->columns};
    return h5_write_slab(m->file, m->object, m->is_half ? H5_FLOAT16 : H5_FLOAT32, m->weight.n_dims, start, count,
                         m->is_half ? (const void *)m->halves : (const void *)m->values, m->fault);
}

static enum status move_weight(struct moving *m)
{
    char text[17];
    enum status status =
        h5_make(m->file, m->object, m->is_half ? H5_FLOAT16 : H5_FLOAT32, m->weight.n_dims, m->weight.dims, m->fault);
    size_t room = (size_t)(m->block_rows * m->columns);
    m->values = malloc(room * sizeof *m->values);
    m->halves = m->is_half ? malloc(room * sizeof *m->halves) : NULL;
    if (status == STATUS_OK && (!m->values || (m->is_half && !m->halves)))
        status = fault_set(m->fault, STATUS_FAILED, "%s: a block of %zu values does not fit into memory",
                           m->weight.name, room);
    for (int64_t row = 0; row < m->weight.dims[0] && status == STATUS_OK; row += m->block_rows) {
        int64_t rest = m->weight.dims[0] - row;
        status = move_block(m, row, rest < m->block_rows ? rest : m->block_rows);
    }
    free(m->values);
    free(m->halves);
    model_hash_print(text, m->hash);
    if (status == STATUS_OK)
        status = h5_set_string(m->file, m->object, "hash", text, m->fault);
    return status;
}

static enum status write_weights(struct h5 *file, const struct model_content *content, uint64_t *hash,
                                 struct fault *fault)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < decoder_weights(&content->config) && status == STATUS_OK; i++) {
        char object[80];
        struct moving m = {.file = file, .content = content, .object = object, .number = i, .fault = fault};
        decoder_weight(&content->config, i, &m.weight);
        snprintf(object, sizeof object, "weights/%s", m.weight.name);
        m.is_half = content->is_half(content->state, i);
        m.columns = m.weight.n_dims == 2 ? m.weight.dims[1] : 1;
        m.block_rows = model_block_rows(&m.weight);
        m.hash = HASH_START;
        status = move_weight(&m);
        *hash = hash_number(*hash, m.hash);
    }
    return status;
}

enum status model_file_write(const char *path, const struct model_content *content, char *hash_text,
                             struct fault *fault)
{
    struct h5 *file;
    char text[17];
    enum status status = decoder_check(&content->config, fault);
    if (status == STATUS_OK && content->tokenizer && content->tokenizer->pieces.n != content->config.vocabulary)
        status =
            fault_set(fault, STATUS_USAGE, "tokenizer: expected %lld pieces, as the model's vocabulary, found %lld",
                      (long long)content->config.vocabulary, (long long)content->tokenizer->pieces.n);
    if (status == STATUS_OK)
        status = h5_create(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    uint64_t hash = model_config_hash(&content->config);
    status = write_config(file, content, fault);
    if (status == STATUS_OK)
        status = write_weights(file, content, &hash, fault);
    if (status == STATUS_OK && content->tokenizer)
        status = write_tokenizer(file, content->tokenizer, fault);
    if (content->tokenizer)
        hash = tokenizer_hash(content->tokenizer, hash);
    model_hash_print(text, hash);
    if (status == STATUS_OK)
        status = h5_set_string(file, "/", "content_hash", text, fault);
    if (status != STATUS_OK) {
        h5_abandon(file);
        return status;
    }
    status = h5_finish(file, fault);
    if (status == STATUS_OK && hash_text)
        memcpy(hash_text, text, sizeof text);
    return status;
}
