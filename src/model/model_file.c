#include "model/model_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "model/model_layout.h"
#include "store/half.h"

struct model_file {
    struct h5 *h5;
    struct arena *arena;
    struct decoder_config config;
    const char *source, *history, *hash;
    int n_weights;
    uint8_t *is_half; /* [n_weights] */
    struct tokenizer tokenizer;
    int has_tokenizer;
};

/* The object of a weight in the file. */
struct place {
    char object[80];
    struct decoder_weight weight;
    int64_t columns;
};

static struct place place_of(const struct model_file *file, int weight)
{
    struct place place;
    decoder_weight(&file->config, weight, &place.weight);
    snprintf(place.object, sizeof place.object, "weights/%s", place.weight.name);
    place.columns = place.weight.n_dims == 2 ? place.weight.dims[1] : 1;
    return place;
}

/* ---- opening ---- */

int model_file_is(const char *path)
{
    struct h5 *h5;
    struct fault ignored = FAULT_NONE;
    if (h5_open(path, &h5, &ignored) != STATUS_OK)
        return 0;
    int is = h5_has_attribute(h5, "/", "polyrank_model_version");
    h5_close(h5);
    return is;
}

static enum status read_version(struct model_file *file, struct fault *fault)
{
    int64_t version;
    if (!h5_has_attribute(file->h5, "/", "polyrank_model_version"))
        return fault_set(fault, STATUS_USAGE,
                         "%s: no model: expected the attribute polyrank_model_version; polyrank model import makes "
                         "models",
                         h5_path(file->h5));
    enum status status = h5_get_int(file->h5, "/", "polyrank_model_version", &version, fault);
    if (status == STATUS_OK && version != MODEL_FILE_VERSION)
        status = fault_set(fault, STATUS_USAGE, "%s: /: polyrank_model_version: expected %d, found %lld",
                           h5_path(file->h5), MODEL_FILE_VERSION, (long long)version);
    return status;
}

static enum status read_flag(struct model_file *file, const char *name, int *flag, struct fault *fault)
{
    int64_t value;
    enum status status = h5_get_int(file->h5, "/", name, &value, fault);
    if (status == STATUS_OK && value != 0 && value != 1)
        return fault_set(fault, STATUS_USAGE, "%s: /: %s: expected 0 or 1, found %lld", h5_path(file->h5), name,
                         (long long)value);
    if (status == STATUS_OK)
        *flag = (int)value;
    return status;
}

static enum status read_config(struct model_file *file, struct fault *fault)
{
    struct decoder_config *config = &file->config;
    const char *act = "";
    struct {
        const char *name, **text;
    } texts[] = {{"name", &config->name},   {"family", &config->family}, {"act", &act},
                 {"source", &file->source}, {"history", &file->history}, {"content_hash", &file->hash}};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof texts / sizeof *texts && status == STATUS_OK; i++)
        status = h5_get_string(file->h5, "/", texts[i].name, file->arena, texts[i].text, fault);
#define NUMBER(field)                                                                                                  \
    if (status == STATUS_OK)                                                                                           \
        status = h5_get_int(file->h5, "/", #field, &config->field, fault);
#define FLAG(field)                                                                                                    \
    if (status == STATUS_OK)                                                                                           \
        status = read_flag(file, #field, &config->field, fault);
#define REAL(field)                                                                                                    \
    if (status == STATUS_OK)                                                                                           \
        status = h5_get_double(file->h5, "/", #field, &config->field, fault);
    MODEL_WHOLE(NUMBER)
    MODEL_FLAGS(FLAG)
    MODEL_REAL(REAL)
#undef NUMBER
#undef FLAG
#undef REAL
    if (status != STATUS_OK)
        return status;
    int known = model_act_find(act);
    if (known < 0)
        return fault_set(fault, STATUS_USAGE, "%s: /: act: expected one of relu, gelu, gelu_tanh, silu, found %.60s",
                         h5_path(file->h5), act);
    config->act = (enum activation)known;
    status = decoder_check(config, fault);
    if (status != STATUS_OK)
        fault_prefix(fault, "%s", h5_path(file->h5));
    return status;
}

static enum status check_weight(struct model_file *file, int weight, struct fault *fault)
{
    struct place place = place_of(file, weight);
    struct h5_shape shape;
    char expected[64], found[160] = "";
    enum status status = h5_shape(file->h5, place.object, &shape, fault);
    if (status != STATUS_OK)
        return status;
    if (shape.kind != H5_KIND_FLOAT || (shape.element_bytes != 4 && shape.element_bytes != 2))
        return fault_set(fault, STATUS_USAGE, "%s: %s: expected float32 or float16, found another type",
                         h5_path(file->h5), place.object);
    int equal = shape.n_dims == place.weight.n_dims;
    for (int d = 0; d < shape.n_dims; d++) {
        size_t at = strlen(found);
        equal = equal && shape.dims[d] == place.weight.dims[d];
        snprintf(found + at, sizeof found - at, "%s%lld", d ? " x " : "", (long long)shape.dims[d]);
    }
    if (!equal) {
        snprintf(expected, sizeof expected, place.weight.n_dims == 2 ? "%lld x %lld" : "%lld",
                 (long long)place.weight.dims[0], (long long)place.weight.dims[1]);
        return fault_set(fault, STATUS_USAGE, "%s: %s: expected %s values, found %s", h5_path(file->h5), place.object,
                         expected, found[0] ? found : "one");
    }
    file->is_half[weight] = shape.element_bytes == 2;
    return STATUS_OK;
}

/* All weights are there, so a different number of objects means some that the shape does not have. */
static enum status check_others(struct model_file *file, struct fault *fault)
{
    int n;
    const char *const *names;
    enum status status = h5_list(file->h5, "weights", file->arena, &n, &names, fault);
    if (status == STATUS_OK && n != file->n_weights)
        status = fault_set(fault, STATUS_USAGE, "%s: weights: expected %d arrays, found %d", h5_path(file->h5),
                           file->n_weights, n);
    return status;
}

/* A 1-d array of n values; n < 0: any number, into *n_found. */
static enum status check_vector(struct model_file *file, const char *object, int64_t n, int64_t *n_found,
                                struct fault *fault)
{
    struct h5_shape shape;
    enum status status = h5_shape(file->h5, object, &shape, fault);
    if (status != STATUS_OK)
        return status;
    if (shape.n_dims != 1 || (n >= 0 && shape.dims[0] != n) || shape.dims[0] > INT32_MAX / 4)
        return fault_set(fault, STATUS_USAGE,
                         "%s: %s: expected a list of %lld values, found %d dimensions, %lld values", h5_path(file->h5),
                         object, (long long)n, shape.n_dims, (long long)shape.n_values);
    *n_found = shape.dims[0];
    return STATUS_OK;
}

static enum status cut_pieces(struct model_file *file, struct token_pieces *pieces, const char *bytes, int64_t total,
                              struct fault *fault)
{
    int64_t at = 0;
    for (int64_t i = 0; i < pieces->n; i++) {
        if (pieces->length[i] < 0 || pieces->length[i] > total - at)
            return fault_set(fault, STATUS_USAGE, "%s: tokenizer/length: piece %lld: expected 0 .. %lld, found %d",
                             h5_path(file->h5), (long long)i, (long long)(total - at), pieces->length[i]);
        pieces->piece[i] = bytes + at;
        at += pieces->length[i];
    }
    if (at != total)
        return fault_set(fault, STATUS_USAGE, "%s: tokenizer/bytes: expected %lld values, found %lld",
                         h5_path(file->h5), (long long)at, (long long)total);
    return STATUS_OK;
}

static enum status read_tokenizer(struct model_file *file, struct fault *fault)
{
    struct token_pieces pieces = {.n = file->config.vocabulary};
    int64_t bos = 0, eos = 0, total = 0, n;
    enum status status = h5_get_int(file->h5, "tokenizer", "bos", &bos, fault);
    if (status == STATUS_OK)
        status = h5_get_int(file->h5, "tokenizer", "eos", &eos, fault);
    if (status == STATUS_OK)
        status = h5_get_int(file->h5, "tokenizer", "max_length", &pieces.max_length, fault);
    if (status == STATUS_OK)
        status = check_vector(file, "tokenizer/length", pieces.n, &n, fault);
    if (status == STATUS_OK)
        status = check_vector(file, "tokenizer/score", pieces.n, &n, fault);
    if (status == STATUS_OK)
        status = check_vector(file, "tokenizer/bytes", -1, &total, fault);
    if (status != STATUS_OK)
        return status;
    if (pieces.max_length < 1 || pieces.max_length > 1 << 16)
        return fault_set(fault, STATUS_USAGE, "%s: tokenizer: max_length: expected 1 .. %d, found %lld",
                         h5_path(file->h5), 1 << 16, (long long)pieces.max_length);
    char *bytes = arena_take(file->arena, (size_t)total + 1);
    pieces.piece = arena_array(file->arena, (size_t)pieces.n, sizeof *pieces.piece);
    pieces.length = arena_array(file->arena, (size_t)pieces.n, sizeof *pieces.length);
    pieces.score = arena_array(file->arena, (size_t)pieces.n, sizeof *pieces.score);
    status = h5_read(file->h5, "tokenizer/bytes", H5_UINT8, total, bytes, fault);
    if (status == STATUS_OK)
        status = h5_read(file->h5, "tokenizer/length", H5_INT32, pieces.n, pieces.length, fault);
    if (status == STATUS_OK)
        status = h5_read(file->h5, "tokenizer/score", H5_FLOAT32, pieces.n, pieces.score, fault);
    if (status == STATUS_OK)
        status = cut_pieces(file, &pieces, bytes, total, fault);
    if (status == STATUS_OK)
        status = tokenizer_new(h5_path(file->h5), &pieces, bos, eos, file->arena, &file->tokenizer, fault);
    file->has_tokenizer = status == STATUS_OK;
    return status;
}

enum status model_file_open(const char *path, struct model_file **out, struct fault *fault)
{
    struct h5 *h5;
    enum status status = h5_open(path, &h5, fault);
    if (status != STATUS_OK)
        return status;
    struct arena *arena = arena_new();
    struct model_file *file = arena_take(arena, sizeof *file);
    file->h5 = h5;
    file->arena = arena;
    status = read_version(file, fault);
    if (status == STATUS_OK)
        status = read_config(file, fault);
    if (status == STATUS_OK) {
        file->n_weights = decoder_weights(&file->config);
        file->is_half = arena_take(arena, (size_t)file->n_weights);
    }
    for (int i = 0; i < file->n_weights && status == STATUS_OK; i++)
        status = check_weight(file, i, fault);
    if (status == STATUS_OK)
        status = check_others(file, fault);
    if (status == STATUS_OK && h5_exists(h5, "tokenizer"))
        status = read_tokenizer(file, fault);
    if (status == STATUS_OK)
        *out = file;
    else
        model_file_close(file);
    return status;
}

void model_file_close(struct model_file *file)
{
    if (!file)
        return;
    h5_close(file->h5);
    arena_free(file->arena);
}

const struct decoder_config *model_file_config(const struct model_file *file)
{
    return &file->config;
}

const char *model_file_source(const struct model_file *file)
{
    return file->source;
}

const char *model_file_history(const struct model_file *file)
{
    return file->history;
}

const char *model_file_hash(const struct model_file *file)
{
    return file->hash;
}

int model_file_is_half(const struct model_file *file, int weight)
{
    return file->is_half[weight];
}

const struct tokenizer *model_file_tokenizer(const struct model_file *file)
{
    return file->has_tokenizer ? &file->tokenizer : NULL;
}

/* ---- reading ---- */

enum status model_file_read_rows(struct model_file *file, int weight, int64_t first, int64_t n_rows, float *values,
                                 struct fault *fault)
{
    struct place place = place_of(file, weight);
    if (first < 0 || n_rows < 0 || first > place.weight.dims[0] || n_rows > place.weight.dims[0] - first)
        bug("%s has no rows %lld + %lld", place.weight.name, (long long)first, (long long)n_rows);
    const int64_t start[2] = {first, 0}, count[2] = {n_rows, place.columns};
    if (!file->is_half[weight])
        return h5_read_slab(file->h5, place.object, H5_FLOAT32, place.weight.n_dims, start, count, values, fault);
    /* The bit patterns wait in the second half of the place of the floats; widened from the first on. */
    int64_t n = n_rows * place.columns;
    void *halves = (char *)values + 2 * n;
    enum status status =
        h5_read_slab(file->h5, place.object, H5_FLOAT16, place.weight.n_dims, start, count, halves, fault);
    for (int64_t i = 0; i < n && status == STATUS_OK; i++) {
        uint16_t bits;
        memcpy(&bits, (const char *)values + 2 * n + 2 * i, sizeof bits);
        float value = half_widen(bits);
        memcpy(&values[i], &value, sizeof value);
    }
    return status;
}

/* A weight in blocks: into `values` if given, otherwise only looked at; its hash. */
static enum status read_blocks(struct model_file *file, int weight, float *values, uint64_t *hash, struct fault *fault)
{
    struct place place = place_of(file, weight);
    int64_t block_rows = model_block_rows(&place.weight);
    float *room = values ? NULL : malloc((size_t)(block_rows * place.columns) * sizeof *room);
    enum status status = STATUS_OK;
    if (!values && !room)
        return fault_set(fault, STATUS_FAILED, "%s: a block of %s does not fit into memory", h5_path(file->h5),
                         place.object);
    *hash = HASH_START;
    for (int64_t row = 0; row < place.weight.dims[0] && status == STATUS_OK; row += block_rows) {
        int64_t rest = place.weight.dims[0] - row, n_rows = rest < block_rows ? rest : block_rows;
        float *block = values ? values + row * place.columns : room;
        status = model_file_read_rows(file, weight, row, n_rows, block, fault);
        for (int64_t i = 0; i < n_rows * place.columns && status == STATUS_OK; i++)
            if (!isfinite(block[i]))
                status = fault_set(fault, STATUS_INVALID, "%s: %s: row %" PRId64 ": expected a finite number, found %g",
                                   h5_path(file->h5), place.object, row + i / place.columns, (double)block[i]);
        if (status == STATUS_OK)
            *hash = hash_floats(*hash, (size_t)(n_rows * place.columns), block);
    }
    free(room);
    return status;
}

static enum status read_checked(struct model_file *file, int weight, float *values, uint64_t *hash, struct fault *fault)
{
    struct place place = place_of(file, weight);
    char found[17];
    const char *expected;
    struct arena *arena = arena_new();
    enum status status = h5_get_string(file->h5, place.object, "hash", arena, &expected, fault);
    if (status == STATUS_OK)
        status = read_blocks(file, weight, values, hash, fault);
    if (status == STATUS_OK) {
        model_hash_print(found, *hash);
        if (strcmp(found, expected) != 0)
            status = fault_set(fault, STATUS_INVALID, "%s: %s: hash: expected %.40s, found %s", h5_path(file->h5),
                               place.object, expected, found);
    }
    arena_free(arena);
    return status;
}

enum status model_file_read(struct model_file *file, int weight, float *values, struct fault *fault)
{
    uint64_t hash;
    return read_checked(file, weight, values, &hash, fault);
}

enum status model_file_read_all(struct model_file *file, const float **value, void **block, struct fault *fault)
{
    float *values;
    int64_t at = 0;
    enum status status = block_new((void **)&values, (size_t)decoder_parameters(&file->config) * sizeof *values, fault);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < file->n_weights && status == STATUS_OK; i++) {
        struct place place = place_of(file, i);
        value[i] = values + at;
        status = model_file_read(file, i, values + at, fault);
        at += place.weight.dims[0] * place.columns;
    }
    if (status == STATUS_OK)
        *block = values;
    else
        block_free(values);
    return status;
}

enum status model_file_check(const char *path, struct fault *fault)
{
    struct model_file *file;
    char found[17];
    enum status status = h5_verify(path, fault);
    if (status == STATUS_OK)
        status = model_file_open(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    uint64_t total = model_config_hash(&file->config), hash = 0;
    for (int i = 0; i < file->n_weights && status == STATUS_OK; i++) {
        status = read_checked(file, i, NULL, &hash, fault);
        total = hash_number(total, hash);
    }
    if (file->has_tokenizer)
        total = tokenizer_hash(&file->tokenizer, total);
    model_hash_print(found, total);
    if (status == STATUS_OK && strcmp(found, file->hash) != 0)
        status =
            fault_set(fault, STATUS_INVALID, "%s: content_hash: expected %.40s, found %s", path, file->hash, found);
    model_file_close(file);
    return status;
}
