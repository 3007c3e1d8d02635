/* decoder_shape.c - what follows from the shape of a decoder: is it sound, its weights, their number, its arithmetic.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/decoder.h"

/* Far above every model there is; products of three of them and their sums over all layers stay below 2^62. */
enum {
    MAX_LAYERS = 1 << 14,
    MAX_HEADS = 1 << 16,
    MAX_HEAD_WIDTH = 1 << 14,
    MAX_WIDTH = 1 << 21,
    MAX_VOCABULARY = 1 << 26,
    MAX_CONTEXT = 1 << 30
};

static const char *name_of(const struct decoder_config *config)
{
    return config->name && config->name[0] ? config->name : "decoder";
}

static enum status check_sizes(const struct decoder_config *config, struct fault *fault)
{
    const struct {
        const char *name;
        int64_t value, most;
    } fields[] = {{"layers", config->layers, MAX_LAYERS},
                  {"d_model", config->d_model, MAX_WIDTH},
                  {"heads", config->heads, MAX_HEADS},
                  {"kv_heads", config->kv_heads, MAX_HEADS},
                  {"head_width", config->head_width, MAX_HEAD_WIDTH},
                  {"ffn", config->ffn, MAX_WIDTH},
                  {"vocabulary", config->vocabulary, MAX_VOCABULARY},
                  {"context", config->context, MAX_CONTEXT}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value < 1 || fields[i].value > fields[i].most)
            return fault_set(fault, STATUS_USAGE, "%s: %s: expected 1 .. %" PRId64 ", found %" PRId64, name_of(config),
                             fields[i].name, fields[i].most, fields[i].value);
    if (config->heads % config->kv_heads)
        return fault_set(fault, STATUS_USAGE,
                         "%s: kv_heads: expected a divisor of the %" PRId64 " heads, found %" PRId64, name_of(config),
                         config->heads, config->kv_heads);
    if (config->heads * config->head_width > MAX_WIDTH)
        return fault_set(fault, STATUS_USAGE, "%s: heads x head_width: expected at most %d, found %" PRId64,
                         name_of(config), MAX_WIDTH, config->heads * config->head_width);
    return STATUS_OK;
}

static enum status check_kind(const struct decoder_config *config, struct fault *fault)
{
    static const char *const families[] = {"gpt", "opt", "mt-nlg", "llama"};
    const struct {
        const char *name;
        int value;
    } flags[] = {{"gated", config->gated},
                 {"rotary", config->rotary},
                 {"rms_norm", config->rms_norm},
                 {"tied", config->tied},
                 {"biases", config->biases}};
    int known = 0;
    for (int i = 0; i < 4 && config->family; i++)
        known |= strcmp(config->family, families[i]) == 0;
    if (!known)
        return fault_set(fault, STATUS_USAGE, "%s: family: expected one of gpt, opt, mt-nlg, llama, found %s",
                         name_of(config), config->family ? config->family : "none");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].value != 0 && flags[i].value != 1)
            return fault_set(fault, STATUS_USAGE, "%s: %s: expected 0 or 1, found %d", name_of(config), flags[i].name,
                             flags[i].value);
    if (config->act != ACT_RELU && config->act != ACT_GELU && config->act != ACT_GELU_TANH && config->act != ACT_SILU)
        return fault_set(fault, STATUS_USAGE, "%s: act: expected one of relu, gelu, gelu_tanh, silu, found number %d",
                         name_of(config), (int)config->act);
    if (!(config->norm_eps > 0 && config->norm_eps < 1))
        return fault_set(fault, STATUS_USAGE, "%s: norm_eps: expected a number between 0 and 1, found %g",
                         name_of(config), config->norm_eps);
    return STATUS_OK;
}

static enum status check_rotary(const struct decoder_config *config, struct fault *fault)
{
    if (config->head_width % 2)
        return fault_set(fault, STATUS_USAGE,
                         "%s: head_width: expected an even number, as rotary positions turn pairs, found %" PRId64,
                         name_of(config), config->head_width);
    if (!(config->rope_theta > 1 && isfinite(config->rope_theta)))
        return fault_set(fault, STATUS_USAGE, "%s: rope_theta: expected a number above 1, found %g", name_of(config),
                         config->rope_theta);
    if (config->rope_factor == 0)
        return STATUS_OK;
    if (!(config->rope_factor >= 1 && isfinite(config->rope_factor)))
        return fault_set(fault, STATUS_USAGE, "%s: rope_factor: expected 0 (none) or at least 1, found %g",
                         name_of(config), config->rope_factor);
    if (!(config->rope_low > 0 && config->rope_high > config->rope_low && isfinite(config->rope_high)))
        return fault_set(fault, STATUS_USAGE, "%s: rope_low, rope_high: expected 0 < low < high, found %g and %g",
                         name_of(config), config->rope_low, config->rope_high);
    if (config->rope_original < 1 || config->rope_original > MAX_CONTEXT)
        return fault_set(fault, STATUS_USAGE, "%s: rope_original: expected 1 .. %d, found %" PRId64, name_of(config),
                         MAX_CONTEXT, config->rope_original);
    return STATUS_OK;
}

enum status decoder_check(const struct decoder_config *config, struct fault *fault)
{
    enum status status = check_kind(config, fault);
    if (status == STATUS_OK)
        status = check_sizes(config, fault);
    if (status == STATUS_OK && config->rotary)
        status = check_rotary(config, fault);
    return status;
}

/* ---- weights ---- */

enum { MAX_PARTS = 24 };

struct parts {
    int n;
    struct decoder_weight part[MAX_PARTS]; /* names without "layers.L." */
};

/* n_columns 0: a vector. */
static void add(struct parts *parts, int present, const char *name, int64_t n_rows, int64_t n_columns)
{
    if (!present)
        return;
    struct decoder_weight *part = &parts->part[parts->n++];
    *part = (struct decoder_weight){.n_dims = n_columns ? 2 : 1, .dims = {n_rows, n_columns ? n_columns : 1}};
    snprintf(part->name, sizeof part->name, "%s", name);
}

static void list_layer(const struct decoder_config *config, struct parts *parts)
{
    int64_t d = config->d_model, ffn = config->ffn;
    int64_t q = config->heads * config->head_width, kv = config->kv_heads * config->head_width;
    int gated = config->gated, biases = config->biases, has_beta = !config->rms_norm;
    parts->n = 0;
    add(parts, 1, "attn_norm.gamma", d, 0);
    add(parts, has_beta, "attn_norm.beta", d, 0);
    add(parts, 1, "attn.q.weight", q, d);
    add(parts, 1, "attn.k.weight", kv, d);
    add(parts, 1, "attn.v.weight", kv, d);
    add(parts, 1, "attn.o.weight", d, q);
    add(parts, biases, "attn.q.bias", q, 0);
    add(parts, biases, "attn.k.bias", kv, 0);
    add(parts, biases, "attn.v.bias", kv, 0);
    add(parts, biases, "attn.o.bias", d, 0);
    add(parts, 1, "ffn_norm.gamma", d, 0);
    add(parts, has_beta, "ffn_norm.beta", d, 0);
    add(parts, gated, "ffn.gate.weight", ffn, d);
    add(parts, 1, "ffn.up.weight", ffn, d);
    add(parts, 1, "ffn.down.weight", d, ffn);
    add(parts, gated && biases, "ffn.gate.bias", ffn, 0);
    add(parts, biases, "ffn.up.bias", ffn, 0);
    add(parts, biases, "ffn.down.bias", d, 0);
}

static void list_start(const struct decoder_config *config, struct parts *parts)
{
    parts->n = 0;
    add(parts, 1, "embed.weight", config->vocabulary, config->d_model);
    add(parts, !config->rotary, "positions.weight", config->context, config->d_model);
}

static void list_end(const struct decoder_config *config, struct parts *parts)
{
    parts->n = 0;
    add(parts, 1, "norm.gamma", config->d_model, 0);
    add(parts, !config->rms_norm, "norm.beta", config->d_model, 0);
    add(parts, !config->tied, "head.weight", config->vocabulary, config->d_model);
}

int decoder_weights(const struct decoder_config *config)
{
    struct parts start, layer, end;
    list_start(config, &start);
    list_layer(config, &layer);
    list_end(config, &end);
    return start.n + (int)config->layers * layer.n + end.n;
}

void decoder_weight(const struct decoder_config *config, int i, struct decoder_weight *weight)
{
    struct parts parts;
    list_start(config, &parts);
    int before = parts.n;
    if (i >= 0 && i < before) {
        *weight = parts.part[i];
        return;
    }
    list_layer(config, &parts);
    int64_t layer = (i - before) / parts.n;
    if (i >= before && layer < config->layers) {
        const struct decoder_weight *part = &parts.part[(i - before) % parts.n];
        *weight = *part;
        snprintf(weight->name, sizeof weight->name, "layers.%" PRId64 ".%.40s", layer, part->name);
        return;
    }
    int after = i - before - (int)config->layers * parts.n;
    list_end(config, &parts);
    if (after < 0 || after >= parts.n)
        bug("%s has no weight %d", name_of(config), i);
    *weight = parts.part[after];
}

/* ---- counts ---- */

static int64_t count(const struct parts *parts)
{
    int64_t sum = 0;
    for (int i = 0; i < parts->n; i++)
        sum += parts->part[i].dims[0] * parts->part[i].dims[1];
    return sum;
}

int64_t decoder_parameters(const struct decoder_config *config)
{
    struct parts start, layer, end;
    list_start(config, &start);
    list_layer(config, &layer);
    list_end(config, &end);
    return count(&start) + config->layers * count(&layer) + count(&end);
}

int64_t decoder_kv_elements(const struct decoder_config *config)
{
    return 2 * config->layers * config->kv_heads * config->head_width;
}

uint64_t decoder_linear_flops(const struct decoder_config *config)
{
    struct parts layer;
    int64_t products = 0;
    list_layer(config, &layer);
    for (int i = 0; i < layer.n; i++)
        if (layer.part[i].n_dims == 2)
            products += layer.part[i].dims[0] * layer.part[i].dims[1];
    return 2 * (uint64_t)(config->layers * products + config->vocabulary * config->d_model);
}
