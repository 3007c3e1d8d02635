/* model_files.h - foreign model files of a test's own, byte by byte: llama2.c, its tokenizers, safetensors. */
#ifndef TESTS_MODEL_FILES_H
#define TESTS_MODEL_FILES_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "model/model_synth.h"
#include "store/half.h"

/* ---- a file in memory ---- */

struct bytes {
    unsigned char *at;
    size_t n, room;
};

static inline void put(struct bytes *b, const void *data, size_t n)
{
    if (b->n + n > b->room) {
        b->at = realloc(b->at, b->room = 2 * (b->n + n));
        ck_assert_ptr_nonnull(b->at);
    }
    if (n)
        memcpy(b->at + b->n, data, n);
    b->n += n;
}

static inline void put_i32(struct bytes *b, int64_t value)
{
    int32_t number = (int32_t)value;
    put(b, &number, 4);
}

static inline void put_f32(struct bytes *b, float value)
{
    put(b, &value, 4);
}

static inline void save(struct bytes *b, const char *path)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(b->n ? fwrite(b->at, 1, b->n, file) : 0, b->n);
    fclose(file);
    free(b->at);
    *b = (struct bytes){0};
}

static inline void save_text(const char *path, const char *text)
{
    struct bytes b = {0};
    put(&b, text, strlen(text));
    save(&b, path);
}

static inline struct bytes load(const char *path)
{
    struct bytes b = {0};
    char block[4096];
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        put(&b, block, n);
    fclose(file);
    return b;
}

/* ---- a folder of this test's own, in which it works ---- */

static char model_folder[64];

static inline void model_folder_enter(void)
{
    snprintf(model_folder, sizeof model_folder, "/tmp/polyrank-model-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(model_folder));
    ck_assert_int_eq(chdir(model_folder), 0);
}

static inline void model_folder_leave(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", model_folder);
    ck_assert_int_eq(system(command), 0);
}

#define OK(call) ck_assert_msg((call) == STATUS_OK, "%s", fault.text)

/* The call is refused with this status and a message that holds the text. */
#define REFUSED(call, want, words)                                                                                     \
    do {                                                                                                               \
        fault = FAULT_NONE;                                                                                            \
        enum status got = (call);                                                                                      \
        ck_assert_msg(got == (want), "expected %d, found %d: %s", (int)(want), (int)got, fault.text);                  \
        ck_assert_msg(strstr(fault.text, words) != NULL, "expected \"%s\" in \"%s\"", words, fault.text);              \
    } while (0)

/* ---- models to compare with ---- */

static inline struct decoder_config small_llama(void)
{
    return (struct decoder_config){.name = "small",
                                   .family = "llama",
                                   .layers = 2,
                                   .d_model = 24,
                                   .heads = 6,
                                   .kv_heads = 2,
                                   .head_width = 4,
                                   .ffn = 20,
                                   .vocabulary = 300,
                                   .context = 16,
                                   .act = ACT_SILU,
                                   .gated = 1,
                                   .rotary = 1,
                                   .rms_norm = 1,
                                   .norm_eps = 1e-5,
                                   .rope_theta = 10000};
}

static inline struct decoder_config small_gpt(void)
{
    return (struct decoder_config){.name = "small",
                                   .family = "gpt",
                                   .layers = 2,
                                   .d_model = 12,
                                   .heads = 3,
                                   .kv_heads = 3,
                                   .head_width = 4,
                                   .ffn = 48,
                                   .vocabulary = 30,
                                   .context = 10,
                                   .act = ACT_GELU_TANH,
                                   .tied = 1,
                                   .biases = 1,
                                   .norm_eps = 1e-5};
}

/* All values of weight i of a content, vectors too made distinct: a vector of ones would hide mistakes. */
static inline int64_t values_of(const struct decoder_config *config, int i, float **out)
{
    struct decoder_weight weight;
    decoder_weight(config, i, &weight);
    int64_t n = weight.dims[0] * (weight.n_dims == 2 ? weight.dims[1] : 1);
    float *values = malloc((size_t)n * sizeof *values);
    for (int64_t k = 0; k < n; k++)
        values[k] = (float)((i + 1) * 8 + (k * 37 + 11) % 1021 / 1021.0);
    *out = values;
    return n;
}

/* The number of a weight by its name. */
static inline int weight_number(const struct decoder_config *config, const char *format, ...)
{
    char name[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    for (int i = 0; i < decoder_weights(config); i++) {
        struct decoder_weight weight;
        decoder_weight(config, i, &weight);
        if (strcmp(weight.name, name) == 0)
            return i;
    }
    ck_abort_msg("no weight %s", name);
}

static inline void put_weight(struct bytes *b, const struct decoder_config *config, int i)
{
    float *values;
    int64_t n = values_of(config, i, &values);
    put(b, values, (size_t)n * sizeof *values);
    free(values);
}

/* ---- llama2.c ---- */

static inline void put_layers(struct bytes *b, const struct decoder_config *config, const char *name)
{
    for (int l = 0; l < (int)config->layers; l++)
        put_weight(b, config, weight_number(config, "layers.%d.%s", l, name));
}

static inline struct bytes make_bin(const struct decoder_config *config, int version)
{
    static const char *const matrices[] = {"attn.q.weight",   "attn.k.weight",   "attn.v.weight", "attn.o.weight",
                                           "ffn.gate.weight", "ffn.down.weight", "ffn.up.weight"};
    struct bytes b = {0};
    if (version == 1)
        put(&b, "24ka\1\0\0\0", 8);
    put_i32(&b, config->d_model);
    put_i32(&b, config->ffn);
    put_i32(&b, config->layers);
    put_i32(&b, config->heads);
    put_i32(&b, config->kv_heads);
    put_i32(&b, version == 0 && !config->tied ? -config->vocabulary : config->vocabulary);
    put_i32(&b, config->context);
    if (version == 1) {
        put(&b, config->tied ? "\1" : "\0", 1);
        while (b.n < 256)
            put(&b, "\0", 1);
        put_layers(&b, config, "attn_norm.gamma");
        put_layers(&b, config, "ffn_norm.gamma");
        put_weight(&b, config, weight_number(config, "norm.gamma"));
    }
    put_weight(&b, config, weight_number(config, "embed.weight"));
    if (version == 0)
        put_layers(&b, config, "attn_norm.gamma");
    for (int m = 0; m < 7; m++) {
        if (m == 4 && version == 0)
            put_layers(&b, config, "ffn_norm.gamma");
        put_layers(&b, config, matrices[m]);
    }
    if (version == 0) {
        put_weight(&b, config, weight_number(config, "norm.gamma"));
        for (int64_t i = 0; i < config->context * config->head_width; i++)
            put_f32(&b, 12345);
    }
    if (!config->tied)
        put_weight(&b, config, weight_number(config, "head.weight"));
    return b;
}

static inline void put_piece(struct bytes *b, float score, const char *piece)
{
    put_f32(b, score);
    put_i32(b, (int64_t)strlen(piece));
    put(b, piece, strlen(piece));
}

/* 259 pieces that every tokenizer has, and `more` with scores that fall from 0. */
static inline struct bytes make_tokenizer(int max_length, int n, const char *const *more)
{
    struct bytes b = {0};
    char text[8];
    put_i32(&b, max_length);
    put_piece(&b, 0, "<unk>");
    put_piece(&b, 0, "\n<s>\n");
    put_piece(&b, 0, "\n</s>\n");
    for (int i = 0; i < 256; i++) {
        snprintf(text, sizeof text, "<0x%02X>", (unsigned)i);
        put_piece(&b, 0, text);
    }
    for (int i = 0; i < n; i++)
        put_piece(&b, (float)-i, more[i]);
    return b;
}

/* ---- safetensors ---- */

struct st_file {
    struct bytes header, data; /* the header without its closing brace */
};

/* Adds a tensor of floats, stored as F32, F16 or BF16 (rounded towards zero). */
static inline void st_add(struct st_file *file, const char *name, const char *dtype, int n_dims, const int64_t *dims,
                          const float *values)
{
    char text[512], shape[128] = "";
    int64_t n = 1;
    size_t begin = file->data.n;
    for (int d = 0; d < n_dims; d++) {
        size_t at = strlen(shape);
        snprintf(shape + at, sizeof shape - at, "%s%lld", d ? "," : "", (long long)dims[d]);
        n *= dims[d];
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], 4);
        uint16_t two = strcmp(dtype, "F16") == 0 ? half_narrow(values[i]) : (uint16_t)(bits >> 16);
        put(&file->data, strcmp(dtype, "F32") == 0 ? (const void *)&bits : (const void *)&two,
            strcmp(dtype, "F32") == 0 ? 4 : 2);
    }
    snprintf(text, sizeof text, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
             file->header.n ? "," : "{\"__metadata__\":{\"format\":\"pt\"},", name, dtype, shape, begin, file->data.n);
    put(&file->header, text, strlen(text));
}

static inline void st_save(struct st_file *file, const char *path)
{
    struct bytes b = {0};
    put(&file->header, "} ", 2);
    uint64_t length = file->header.n;
    put(&b, &length, 8);
    put(&b, file->header.at, file->header.n);
    put(&b, file->data.at, file->data.n);
    free(file->header.at);
    free(file->data.at);
    *file = (struct st_file){0};
    save(&b, path);
}

/* A file of exactly this header and n bytes of zeros. */
static inline void st_save_raw(const char *path, const char *header, size_t n)
{
    struct bytes b = {0};
    uint64_t length = strlen(header);
    put(&b, &length, 8);
    put(&b, header, length);
    for (size_t i = 0; i < n; i++)
        put(&b, "\0", 1);
    save(&b, path);
}

#endif
