#include "model/model_import.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/model_import_private.h"

enum kind { KIND_LLAMA2, KIND_SAFETENSORS, KIND_INDEX };

struct model_import {
    struct arena *arena;
    enum kind kind;
    struct llama2_bin bin;
    struct decoder_config bin_config;
    struct hf_model hf;
    struct tokenizer tokenizer;
};

/* ---- llama2.c ---- */

static void set_bin_config(const struct llama2_bin *bin, struct decoder_config *config)
{
    *config = (struct decoder_config){.family = "llama",
                                      .layers = bin->layers,
                                      .d_model = bin->dim,
                                      .heads = bin->heads,
                                      .kv_heads = bin->kv_heads,
                                      .head_width = bin->dim / bin->heads,
                                      .ffn = bin->hidden,
                                      .vocabulary = bin->vocabulary,
                                      .context = bin->context,
                                      .act = ACT_SILU,
                                      .gated = 1,
                                      .rotary = 1,
                                      .rms_norm = 1,
                                      .tied = bin->shared,
                                      .norm_eps = 1e-5,
                                      .rope_theta = 10000};
}

/* The part of the file and the layer that hold a weight. */
static enum llama2_part part_of(const struct decoder_weight *weight, int64_t *layer)
{
    static const struct {
        const char *name;
        enum llama2_part part;
    } parts[] = {
        {"attn_norm.gamma", LLAMA2_ATTN_NORM}, {"attn.q.weight", LLAMA2_WQ},   {"attn.k.weight", LLAMA2_WK},
        {"attn.v.weight", LLAMA2_WV},          {"attn.o.weight", LLAMA2_WO},   {"ffn_norm.gamma", LLAMA2_FFN_NORM},
        {"ffn.gate.weight", LLAMA2_W1},        {"ffn.down.weight", LLAMA2_W2}, {"ffn.up.weight", LLAMA2_W3},
        {"embed.weight", LLAMA2_EMBEDDING},    {"norm.gamma", LLAMA2_NORM},    {"head.weight", LLAMA2_CLASSIFIER}};
    const char *rest = weight->name;
    int end = 0;
    long long number = 0;
    if (sscanf(weight->name, "layers.%lld.%n", &number, &end) == 1)
        rest += end;
    *layer = number;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i].name, rest) == 0)
            return parts[i].part;
    bug("llama2.c has no %s", weight->name);
}

static enum status bin_rows(void *state, int weight, int64_t first, int64_t n_rows, float *values, struct fault *fault)
{
    const struct model_import *import = state;
    struct decoder_weight shape;
    int64_t layer;
    decoder_weight(&import->bin_config, weight, &shape);
    int64_t columns = shape.n_dims == 2 ? shape.dims[1] : 1;
    enum llama2_part part = part_of(&shape, &layer);
    return llama2_bin_read(&import->bin, part, layer, first * columns, n_rows * columns, values, fault);
}

static int bin_is_half(const void *state, int weight)
{
    (void)state;
    (void)weight;
    return 0;
}

static enum status open_bin(struct model_import *import, const char *path, struct model_content *content,
                            struct fault *fault)
{
    enum status status = llama2_bin_open(path, &import->bin, fault);
    if (status != STATUS_OK)
        return status;
    set_bin_config(&import->bin, &import->bin_config);
    content->config = import->bin_config;
    content->state = import;
    content->read = bin_rows;
    content->is_half = bin_is_half;
    content->source = import->bin.version ? "llama2.c, version 1" : "llama2.c, version 0";
    return STATUS_OK;
}

/* ---- safetensors ---- */

static const char *beside(struct arena *arena, const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    return arena_printf(arena, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
}

static enum status open_hf(struct model_import *import, const char *path, const char *config,
                           struct model_content *content, struct fault *fault)
{
    if (!config)
        config = beside(import->arena, path, "config.json");
    if (access(config, F_OK) != 0)
        return fault_set(fault, STATUS_IO, "%s: no such file: expected the model's config.json (--config names it)",
                         config);
    enum status status = hf_model_open(path, import->kind == KIND_INDEX, config, import->arena, &import->hf, fault);
    if (status != STATUS_OK)
        return status;
    content->config = import->hf.config;
    content->state = &import->hf;
    content->read = hf_model_rows;
    content->is_half = hf_model_is_half;
    content->source = "safetensors";
    return STATUS_OK;
}

/* ---- what a file is ---- */

static int begins_with(const char *path, const char *start)
{
    char found[16] = "";
    size_t n = strlen(start);
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(found, 1, n, file) : 0;
    if (file)
        fclose(file);
    return got == n && memcmp(found, start, n) == 0;
}

/* The file that is meant by a path, and what it is. */
static enum status recognise(struct model_import *import, const char **path, struct fault *fault)
{
    struct stat info;
    if (stat(*path, &info) == 0 && S_ISDIR(info.st_mode)) {
        const char *index = arena_printf(import->arena, "%s/model.safetensors.index.json", *path);
        const char *single = arena_printf(import->arena, "%s/model.safetensors", *path);
        const char *folder = *path;
        *path = access(index, F_OK) == 0 ? index : single;
        if (access(*path, F_OK) != 0)
            return fault_set(fault, STATUS_IO,
                             "%s: expected model.safetensors or model.safetensors.index.json in this folder, found "
                             "neither",
                             folder);
    }
    if (begins_with(*path, "\211HDF"))
        return fault_set(fault, STATUS_USAGE,
                         "%s: expected a file of llama2.c or safetensors, found HDF5: polyrank model info reads models "
                         "that are imported",
                         *path);
    if (begins_with(*path, "GGUF") || begins_with(*path, "PK\003\004"))
        return fault_set(fault, STATUS_USAGE, "%s: expected a file of llama2.c or safetensors, found %s", *path,
                         begins_with(*path, "GGUF") ? "GGUF" : "a PyTorch or zip archive");
    import->kind = safetensors_is(*path) ? KIND_SAFETENSORS : begins_with(*path, "{") ? KIND_INDEX : KIND_LLAMA2;
    return STATUS_OK;
}

/* The file's name without its ending; of "model..." the folder's. */
static const char *name_of(struct arena *arena, const char *path)
{
    char *copy = arena_string(arena, path), *slash = strrchr(copy, '/'), *name = slash ? slash + 1 : copy;
    if (slash && strncmp(name, "model", 5) == 0) {
        *slash = '\0';
        char *before = strrchr(copy, '/');
        name = before ? before + 1 : copy;
        if (name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            return name;
        name = slash + 1;
    }
    char *dot = strchr(name, '.');
    if (dot && dot != name)
        *dot = '\0';
    return name;
}

static enum status open_tokenizer(struct model_import *import, const char *path, struct model_content *content,
                                  struct fault *fault)
{
    enum status status = tokenizer_read(path, import->arena, &import->tokenizer, fault);
    if (status == STATUS_OK && import->tokenizer.pieces.n != content->config.vocabulary)
        status = fault_set(fault, STATUS_USAGE, "%s: expected %lld pieces, as the model's vocabulary, found %lld", path,
                           (long long)content->config.vocabulary, (long long)import->tokenizer.pieces.n);
    content->tokenizer = &import->tokenizer;
    return status;
}

enum status model_import_open(const char *path, const struct model_import_options *options, struct model_import **out,
                              struct model_content *content, struct fault *fault)
{
    struct arena *arena = arena_new();
    struct model_import *import = arena_take(arena, sizeof *import);
    import->arena = arena;
    import->bin.raw.descriptor = -1;
    const char *file = arena_string(arena, path);
    *content = (struct model_content){.history = ""};
    enum status status = recognise(import, &file, fault);
    if (status == STATUS_OK && import->kind == KIND_LLAMA2 && options->config)
        status = fault_set(fault, STATUS_USAGE, "--config: expected none for a model of llama2.c, found %s",
                           options->config);
    if (status == STATUS_OK)
        status = import->kind == KIND_LLAMA2 ? open_bin(import, file, content, fault)
                                             : open_hf(import, file, options->config, content, fault);
    if (status == STATUS_OK) {
        content->config.name = options->name ? arena_string(arena, options->name) : name_of(arena, file);
        status = decoder_check(&content->config, fault);
        if (status != STATUS_OK)
            fault_prefix(fault, "%s", file);
    }
    if (status == STATUS_OK && options->tokenizer)
        status = open_tokenizer(import, options->tokenizer, content, fault);
    if (status == STATUS_OK)
        *out = import;
    else
        model_import_close(import);
    return status;
}

void model_import_close(struct model_import *import)
{
    if (!import)
        return;
    llama2_bin_close(&import->bin);
    tensor_set_close(&import->hf.set);
    arena_free(import->arena);
}
