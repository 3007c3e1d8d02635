#include "model/hf_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/json_file.h"

/* A file being read; the first thing that is wrong stays in the fault. */
struct reading {
    const char *path;
    const json_t *root;
    struct fault *fault;
};

static void wrong(const struct reading *r, const char *key, const char *expected, const json_t *found)
{
    char *text = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    fault_set(r->fault, STATUS_USAGE, "%s: %s: expected %s, found %.80s", r->path, key, expected,
              text ? text : "nothing");
    free(text);
}

/* A value, NULL when the key is missing or null. */
static const json_t *value_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* A whole number; `otherwise` when it is missing, 0: it must not be. */
static int64_t whole(const struct reading *r, const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = value_of(object, key);
    if (!value && otherwise)
        return otherwise;
    if (!json_is_integer(value) || json_integer_value(value) < 1) {
        wrong(r, key, "a whole number of at least 1", value);
        return 1;
    }
    return json_integer_value(value);
}

static double real(const struct reading *r, const json_t *object, const char *key, double otherwise)
{
    const json_t *value = value_of(object, key);
    if (!value && otherwise > 0)
        return otherwise;
    if (!json_is_number(value) || !(json_number_value(value) > 0) || !isfinite(json_number_value(value))) {
        wrong(r, key, "a number above 0", value);
        return 1;
    }
    return json_number_value(value);
}

static int flag(const struct reading *r, const char *key, int otherwise)
{
    const json_t *value = value_of(r->root, key);
    if (!value)
        return otherwise;
    if (!json_is_boolean(value))
        wrong(r, key, "true or false", value);
    return json_is_true(value);
}

/* The key must be missing, null or false. */
static void must_be_off(const struct reading *r, const char *key, const char *why)
{
    const json_t *value = value_of(r->root, key);
    if (value && !json_is_false(value))
        wrong(r, key, why, value);
}

/* ---- LLaMA ---- */

static void read_stretch(const struct reading *r, const json_t *stretch, struct decoder_config *config)
{
    const json_t *kind = value_of(stretch, "rope_type") ? value_of(stretch, "rope_type") : value_of(stretch, "type");
    const char *name = json_string_value(kind);
    if (!json_is_object(stretch)) {
        wrong(r, "rope_scaling", "an object", stretch);
        return;
    }
    if (name && strcmp(name, "default") == 0)
        return;
    if (!name || strcmp(name, "llama3") != 0) {
        wrong(r, "rope_scaling: rope_type", "\"llama3\" or \"default\"", kind);
        return;
    }
    config->rope_factor = real(r, stretch, "factor", 0);
    config->rope_low = real(r, stretch, "low_freq_factor", 0);
    config->rope_high = real(r, stretch, "high_freq_factor", 0);
    config->rope_original = whole(r, stretch, "original_max_position_embeddings", 0);
}

/* rope_theta and rope_scaling, or, in newer files, both within rope_parameters. */
static void read_rotary(const struct reading *r, struct decoder_config *config)
{
    const json_t *parameters = value_of(r->root, "rope_parameters"), *stretch = value_of(r->root, "rope_scaling");
    const json_t *theta = parameters && value_of(parameters, "rope_theta") ? parameters : r->root;
    config->rope_theta = real(r, theta, "rope_theta", 10000);
    if (parameters && stretch)
        wrong(r, "rope_scaling", "rope_parameters or rope_scaling, not both", stretch);
    if (parameters || stretch)
        read_stretch(r, parameters ? parameters : stretch, config);
}

static void read_llama(const struct reading *r, struct decoder_config *config)
{
    const char *act = json_string_value(value_of(r->root, "hidden_act"));
    *config = (struct decoder_config){
        .family = "llama", .act = ACT_SILU, .gated = 1, .rotary = 1, .rms_norm = 1, .tied = 0, .biases = 0};
    config->layers = whole(r, r->root, "num_hidden_layers", 0);
    config->d_model = whole(r, r->root, "hidden_size", 0);
    config->heads = whole(r, r->root, "num_attention_heads", 0);
    config->kv_heads = whole(r, r->root, "num_key_value_heads", config->heads);
    config->ffn = whole(r, r->root, "intermediate_size", 0);
    config->vocabulary = whole(r, r->root, "vocab_size", 0);
    config->context = whole(r, r->root, "max_position_embeddings", 0);
    config->norm_eps = real(r, r->root, "rms_norm_eps", 1e-6);
    config->tied = flag(r, "tie_word_embeddings", 0);
    if (value_of(r->root, "head_dim"))
        config->head_width = whole(r, r->root, "head_dim", 0);
    else if (config->d_model % config->heads)
        wrong(r, "num_attention_heads", "a divisor of hidden_size", value_of(r->root, "num_attention_heads"));
    else
        config->head_width = config->d_model / config->heads;
    if (act && strcmp(act, "silu") != 0)
        wrong(r, "hidden_act", "\"silu\"", value_of(r->root, "hidden_act"));
    read_rotary(r, config);
    must_be_off(r, "attention_bias", "false: biases in LLaMA's attention are not supported");
    must_be_off(r, "mlp_bias", "false: biases in LLaMA's feed-forward are not supported");
    must_be_off(r, "sliding_window", "none: sliding windows are not supported");
}

/* ---- GPT-2 ---- */

static enum activation read_act(const struct reading *r)
{
    static const struct {
        const char *name;
        enum activation act;
    } acts[] = {{"gelu_new", ACT_GELU_TANH},
                {"gelu_pytorch_tanh", ACT_GELU_TANH},
                {"gelu", ACT_GELU},
                {"relu", ACT_RELU},
                {"silu", ACT_SILU}};
    const json_t *value = value_of(r->root, "activation_function");
    if (!value)
        return ACT_GELU_TANH;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (json_is_string(value) && strcmp(json_string_value(value), acts[i].name) == 0)
            return acts[i].act;
    wrong(r, "activation_function", "one of gelu_new, gelu_pytorch_tanh, gelu, relu, silu", value);
    return ACT_GELU_TANH;
}

static void read_gpt2(const struct reading *r, struct decoder_config *config)
{
    *config = (struct decoder_config){.family = "gpt", .biases = 1};
    config->layers = whole(r, r->root, "n_layer", 0);
    config->d_model = whole(r, r->root, "n_embd", 0);
    config->heads = config->kv_heads = whole(r, r->root, "n_head", 0);
    config->vocabulary = whole(r, r->root, "vocab_size", 0);
    config->context = whole(r, r->root, "n_positions", 0);
    config->ffn = config->d_model < INT64_MAX / 4 ? 4 * config->d_model : config->d_model;
    config->ffn = whole(r, r->root, "n_inner", config->ffn);
    config->norm_eps = real(r, r->root, "layer_norm_epsilon", 1e-5);
    config->act = read_act(r);
    config->tied = flag(r, "tie_word_embeddings", 1);
    config->head_width = config->d_model / config->heads;
    if (config->d_model % config->heads)
        wrong(r, "n_head", "a divisor of n_embd", value_of(r->root, "n_head"));
    if (!flag(r, "scale_attn_weights", 1))
        wrong(r, "scale_attn_weights", "true: scores without scale are not supported",
              value_of(r->root, "scale_attn_weights"));
    must_be_off(r, "scale_attn_by_inverse_layer_idx", "false: scores scaled by the layer are not supported");
    must_be_off(r, "add_cross_attention", "false: attention to an encoder is not supported");
}

enum status hf_config_read(const char *path, struct hf_config *out, struct fault *fault)
{
    json_t *root;
    struct hf_config config = {.is_gpt2 = 0};
    enum status status = json_file_read(path, &root, fault);
    if (status != STATUS_OK)
        return status;
    const struct reading reading = {path, root, fault};
    const json_t *type = value_of(root, "model_type");
    const char *name = json_string_value(type);
    if (!json_is_object(root))
        fault_set(fault, STATUS_USAGE, "%s: expected an object with model_type", path);
    else if (name && strcmp(name, "llama") == 0)
        read_llama(&reading, &config.decoder);
    else if ((config.is_gpt2 = name && strcmp(name, "gpt2") == 0))
        read_gpt2(&reading, &config.decoder);
    else
        wrong(&reading, "model_type", "\"llama\" or \"gpt2\"", type);
    if (fault->status == STATUS_OK && value_of(root, "quantization_config"))
        fault_set(fault, STATUS_USAGE, "%s: quantization_config: expected none: quantised weights are not supported",
                  path);
    json_decref(root);
    if (fault->status == STATUS_OK && decoder_check(&config.decoder, fault) != STATUS_OK)
        fault_prefix(fault, "%s", path);
    if (fault->status == STATUS_OK)
        *out = config;
    return fault->status;
}
