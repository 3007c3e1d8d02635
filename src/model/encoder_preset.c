#include <string.h>

#include "model/encoder.h"

/* Shapes and heads as published (docs/models.md). */
struct preset {
    const char *name;
    int64_t tokens, features, outputs, d_model, heads, layers, ffn;
    int64_t embed_hidden;     /* 0: half of d_model */
    enum activation embed_act;
    int concat;
};

static const struct preset presets[] = {
    {"wind", 57, 12, 57, 512, 8, 12, 1024, 256, ACT_NONE, 0},
    {"swe", 323, 19, 323, 512, 16, 12, 2048, 0, ACT_GELU, 1},
    {"weather", 29, 13, 29, 512, 16, 12, 2048, 0, ACT_GELU, 1},
    {"covid", 50, 19, 50, 512, 8, 12, 2048, 256, ACT_NONE, 1},
};

enum { N_PRESETS = sizeof presets / sizeof *presets };

const char *const *encoder_presets(void)
{
    static const char *const names[N_PRESETS + 1] = {"wind", "swe", "weather", "covid", NULL};
    return names;
}

static const struct preset *find(const char *name)
{
    for (int i = 0; i < N_PRESETS; i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}

static enum status unknown(const char *name, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "model.preset: expected wind, swe, weather or covid, found '%s'", name);
}

enum status encoder_preset(const char *name, struct encoder_config *config, struct fault *fault)
{
    const struct preset *preset = find(name);
    if (!preset)
        return unknown(name, fault);
    *config = (struct encoder_config){
        .tokens = preset->tokens,
        .features = preset->features,
        .outputs = preset->outputs,
        .stations = preset->outputs,
        .last_offset = preset->features - 1,
        .last_stride = preset->features,
        .d_model = preset->d_model,
        .heads = preset->heads,
        .layers = preset->layers,
        .ffn = preset->ffn,
        .embed_hidden = preset->embed_hidden ? preset->embed_hidden : preset->d_model / 2,
        .embed_act = preset->embed_act,
        .positions = POSITIONS_TRUE,
        .position_site = POSITION_ENCODER,
        .dropout = 0.1,
        .concat = preset->concat,
        .loss = LOSS_MSE,
        .huber_delta = 1,
    };
    return encoder_head_widths(name, config, fault);
}

static int64_t at_least(int64_t least, int64_t value)
{
    return value < least ? least : value;
}

static void add_reduce(struct encoder_config *config, int64_t width, enum activation act)
{
    config->reduce_width[config->n_reduce] = width;
    config->reduce_act[config->n_reduce++] = act;
}

static void add_decode(struct encoder_config *config, int64_t width, enum activation act)
{
    config->decode_width[config->n_decode] = width;
    config->decode_act[config->n_decode++] = act;
}

enum status encoder_head_widths(const char *name, struct encoder_config *config, struct fault *fault)
{
    if (!find(name))
        return unknown(name, fault);
    int64_t d = config->d_model, n = config->tokens;
    int is_swe = strcmp(name, "swe") == 0;
    config->n_reduce = config->n_decode = 0;
    if (strcmp(name, "wind") == 0) {
        add_reduce(config, at_least(1, d / 4), ACT_NONE);
        add_reduce(config, at_least(2, d / 8), ACT_RELU);
        add_decode(config, d, ACT_RELU);
        add_decode(config, at_least(1, d / 4), ACT_RELU);
    } else if (strcmp(name, "covid") == 0) {
        add_reduce(config, at_least(1, d / 2), ACT_NONE);
        add_reduce(config, at_least(2, d / 8), ACT_RELU);
        add_decode(config, d, ACT_RELU);
        add_decode(config, d / 2, ACT_RELU);
    } else {
        add_reduce(config, at_least(1, d / 2), ACT_NONE);
        add_reduce(config, at_least(1, d / 2), ACT_RELU);
        add_reduce(config, at_least(1, d / 4), ACT_NONE);
        add_reduce(config, at_least(2, is_swe ? d / 32 : d / 8), ACT_RELU);
        add_decode(config, n * at_least(1, is_swe ? d / 128 : d / 16), ACT_GELU);
    }
    add_decode(config, config->outputs, ACT_NONE);
    return STATUS_OK;
}

static enum status too_small(const char *key, int64_t value, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "model.%s: expected at least 1, found %lld", key, (long long)value);
}

enum status encoder_check(const struct encoder_config *config, struct fault *fault)
{
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {{"tokens", config->tokens}, {"features", config->features}, {"outputs", config->outputs},
                 {"d_model", config->d_model}, {"heads", config->heads}, {"layers", config->layers},
                 {"ffn", config->ffn}, {"embed_hidden", config->embed_hidden}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].value < 1)
            return too_small(sizes[i].key, sizes[i].value, fault);
    if (config->d_model % config->heads != 0)
        return fault_set(fault, STATUS_USAGE, "model.d_model: expected a multiple of model.heads (%lld), found %lld",
                         (long long)config->heads, (long long)config->d_model);
    if (config->n_decode < 1 || config->decode_width[config->n_decode - 1] != config->outputs)
        return fault_set(fault, STATUS_USAGE,
                         "model.decode_width: expected the last width to be the number of outputs, %lld, found %lld",
                         (long long)config->outputs,
                         (long long)(config->n_decode ? config->decode_width[config->n_decode - 1] : 0));
    for (int j = 0; j < config->n_reduce; j++)
        if (config->reduce_width[j] < 1)
            return too_small("reduce_width", config->reduce_width[j], fault);
    return STATUS_OK;
}
