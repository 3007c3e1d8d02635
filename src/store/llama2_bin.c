#include "store/llama2_bin.h"

#include <stdlib.h>

static const uint32_t magic = UINT32_C(0x616b3432);

enum { LEGACY_HEADER = 28, HEADER = 256, FLAGS_AT = 36 };

/* Sizes that are far above every model there is keep all products below 2^62. */
static enum status check_sizes(const struct llama2_bin *bin, struct fault *fault)
{
    const struct {
        const char *name;
        int64_t value, most;
    } fields[] = {{"dim", bin->dim, 1 << 20},
                  {"hidden_dim", bin->hidden, 1 << 21},
                  {"n_layers", bin->layers, 1 << 14},
                  {"n_heads", bin->heads, 1 << 16},
                  {"n_kv_heads", bin->kv_heads, 1 << 16},
                  {"vocab_size", bin->vocabulary, 1 << 26},
                  {"seq_len", bin->context, 1 << 24}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value < 1 || fields[i].value > fields[i].most)
            return fault_set(fault, STATUS_USAGE, "%s: not a model of llama2.c: %s: expected 1 .. %lld, found %lld",
                             bin->raw.path, fields[i].name, (long long)fields[i].most, (long long)fields[i].value);
    if (bin->dim % bin->heads)
        return fault_set(fault, STATUS_USAGE, "%s: n_heads: expected a divisor of the dim %lld, found %lld",
                         bin->raw.path, (long long)bin->dim, (long long)bin->heads);
    if (bin->heads % bin->kv_heads)
        return fault_set(fault, STATUS_USAGE, "%s: n_kv_heads: expected a divisor of the %lld heads, found %lld",
                         bin->raw.path, (long long)bin->heads, (long long)bin->kv_heads);
    return STATUS_OK;
}

static int is_by_layer(enum llama2_part part)
{
    return part != LLAMA2_EMBEDDING && part != LLAMA2_NORM && part != LLAMA2_CLASSIFIER;
}

static void set_sizes(struct llama2_bin *bin)
{
    int64_t dim = bin->dim, kv = dim / bin->heads * bin->kv_heads;
    const int64_t values[N_LLAMA2_PARTS] = {[LLAMA2_EMBEDDING] = bin->vocabulary * dim,
                                            [LLAMA2_ATTN_NORM] = dim,
                                            [LLAMA2_WQ] = dim * dim,
                                            [LLAMA2_WK] = kv * dim,
                                            [LLAMA2_WV] = kv * dim,
                                            [LLAMA2_WO] = dim * dim,
                                            [LLAMA2_FFN_NORM] = dim,
                                            [LLAMA2_W1] = bin->hidden * dim,
                                            [LLAMA2_W2] = bin->hidden * dim,
                                            [LLAMA2_W3] = bin->hidden * dim,
                                            [LLAMA2_NORM] = dim,
                                            [LLAMA2_CLASSIFIER] = bin->vocabulary * dim};
    for (int i = 0; i < N_LLAMA2_PARTS; i++)
        bin->layer_values[i] = values[i];
}

/* Where each part begins; returns the length that the file must have. */
static int64_t set_offsets(struct llama2_bin *bin)
{
    static const enum llama2_part orders[2][N_LLAMA2_PARTS] = {
        {LLAMA2_EMBEDDING, LLAMA2_ATTN_NORM, LLAMA2_WQ, LLAMA2_WK, LLAMA2_WV, LLAMA2_WO, LLAMA2_FFN_NORM, LLAMA2_W1,
         LLAMA2_W2, LLAMA2_W3, LLAMA2_NORM, LLAMA2_CLASSIFIER},
        {LLAMA2_ATTN_NORM, LLAMA2_FFN_NORM, LLAMA2_NORM, LLAMA2_EMBEDDING, LLAMA2_WQ, LLAMA2_WK, LLAMA2_WV, LLAMA2_WO,
         LLAMA2_W1, LLAMA2_W2, LLAMA2_W3, LLAMA2_CLASSIFIER}};
    int64_t at = bin->version == 0 ? LEGACY_HEADER : HEADER;
    for (int i = 0; i < N_LLAMA2_PARTS; i++) {
        enum llama2_part part = orders[bin->version][i];
        if (part == LLAMA2_CLASSIFIER && bin->version == 0)
            at += 4 * 2 * bin->context * (bin->dim / bin->heads / 2);
        bin->offset[part] = at;
        if (part == LLAMA2_CLASSIFIER && bin->shared)
            break;
        at += 4 * bin->layer_values[part] * (is_by_layer(part) ? bin->layers : 1);
    }
    return at;
}

static enum status read_numbers(struct llama2_bin *bin, int64_t offset, struct fault *fault)
{
    unsigned char bytes[LEGACY_HEADER];
    int64_t *const fields[7] = {&bin->dim,      &bin->hidden,     &bin->layers, &bin->heads,
                                &bin->kv_heads, &bin->vocabulary, &bin->context};
    enum status status = raw_read(&bin->raw, offset, sizeof bytes, bytes, "header", fault);
    for (int i = 0; i < 7 && status == STATUS_OK; i++)
        *fields[i] = (int32_t)raw_u32(bytes + 4 * i);
    return status;
}

static enum status read_header(struct llama2_bin *bin, struct fault *fault)
{
    unsigned char bytes[FLAGS_AT + 1];
    enum status status = raw_read(&bin->raw, 0, 8, bytes, "header", fault);
    if (status != STATUS_OK)
        return status;
    if (raw_u32(bytes) != magic) {
        status = read_numbers(bin, 0, fault);
        bin->shared = bin->vocabulary > 0;
        bin->vocabulary = bin->vocabulary > 0 ? bin->vocabulary : -bin->vocabulary;
        return status;
    }
    uint32_t version = raw_u32(bytes + 4);
    if (version == 2)
        return fault_set(fault, STATUS_USAGE,
                         "%s: version: expected 0 or 1 (float32), found 2 (quantised to int8): export the model in "
                         "version 0 or 1",
                         bin->raw.path);
    if (version != 1)
        return fault_set(fault, STATUS_USAGE, "%s: version: expected 0 or 1, found %u", bin->raw.path, version);
    bin->version = 1;
    status = raw_read(&bin->raw, 0, sizeof bytes, bytes, "header", fault);
    if (status == STATUS_OK)
        status = read_numbers(bin, 8, fault);
    if (status == STATUS_OK && bytes[FLAGS_AT] > 1)
        status = fault_set(fault, STATUS_USAGE, "%s: shared classifier: expected 0 or 1, found %d", bin->raw.path,
                           bytes[FLAGS_AT]);
    bin->shared = status == STATUS_OK && bytes[FLAGS_AT];
    return status;
}

enum status llama2_bin_open(const char *path, struct llama2_bin *out, struct fault *fault)
{
    struct llama2_bin bin = {0};
    enum status status = raw_open(path, &bin.raw, fault);
    if (status != STATUS_OK)
        return status;
    status = read_header(&bin, fault);
    if (status == STATUS_OK)
        status = check_sizes(&bin, fault);
    if (status == STATUS_OK) {
        set_sizes(&bin);
        int64_t size = set_offsets(&bin);
        if (bin.raw.size != size)
            status =
                fault_set(fault, STATUS_USAGE, "%s: a model of llama2.c, version %d: expected %lld bytes, found %lld",
                          path, bin.version, (long long)size, (long long)bin.raw.size);
    }
    if (status == STATUS_OK)
        *out = bin;
    else
        raw_close(&bin.raw);
    return status;
}

void llama2_bin_close(struct llama2_bin *bin)
{
    raw_close(&bin->raw);
}

enum status llama2_bin_read(const struct llama2_bin *bin, enum llama2_part part, int64_t layer, int64_t first,
                            int64_t n, float *values, struct fault *fault)
{
    int64_t per_layer = bin->layer_values[part];
    if (layer < 0 || layer >= (is_by_layer(part) ? bin->layers : 1) || first < 0 || n < 0 || first > per_layer ||
        n > per_layer - first || (part == LLAMA2_CLASSIFIER && bin->shared))
        bug("%s: part %d of layer %lld has no values %lld + %lld", bin->raw.path, (int)part, (long long)layer,
            (long long)first, (long long)n);
    enum status status =
        raw_read(&bin->raw, bin->offset[part] + 4 * (layer * per_layer + first), 4 * n, values, "weights", fault);
    for (int64_t i = 0; i < n && status == STATUS_OK; i++)
        values[i] = raw_f32((const unsigned char *)&values[i]);
    return status;
}
