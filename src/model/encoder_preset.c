#include <string.h>

#include "base/nearest.h"
#include "model/encoder.h"

/* Shapes of the published HpT models (docs/models.md). */
struct preset {
    const char *name;
    int64_t tokens, features, d_model, heads, layers, ffn, embed_hidden;
    enum activation embed_act;
    int concat;
    void (*head)(struct encoder_config *config);
};

static int64_t share(int64_t width, int64_t parts)
{
    return width / parts > 1 ? width / parts : 1;
}

static void set_reduce(struct encoder_config *config, int j, int64_t width, enum activation act)
{
    config->reduce_width[j] = width;
    config->reduce_act[j] = act;
    config->n_reduce = j + 1;
}

static void set_decode(struct encoder_config *config, int j, int64_t width, enum activation act)
{
    config->decode_width[j] = width;
    config->decode_act[j] = act;
    config->n_decode = j + 1;
}

/* swe and weather differ in the widths of the code and of the hidden layer per token. */
static void field_head(struct encoder_config *config, int64_t code, int64_t hidden)
{
    int64_t d = config->d_model;
    set_reduce(config, 0, share(d, 2), ACT_NONE);
    set_reduce(config, 1, share(d, 2), ACT_RELU);
    set_reduce(config, 2, share(d, 4), ACT_NONE);
    set_reduce(config, 3, code, ACT_RELU);
    set_decode(config, 0, config->tokens * hidden, ACT_GELU);
    set_decode(config, 1, config->outputs, ACT_NONE);
}

static void swe_head(struct encoder_config *config)
{
    field_head(config, share(config->d_model, 32), share(config->d_model, 128));
}

static void weather_head(struct encoder_config *config)
{
    field_head(config, share(config->d_model, 8), share(config->d_model, 16));
}

static void covid_head(struct encoder_config *config)
{
    int64_t d = config->d_model;
    set_reduce(config, 0, share(d, 2), ACT_NONE);
    set_reduce(config, 1, share(d, 8), ACT_RELU);
    set_decode(config, 0, d, ACT_RELU);
    set_decode(config, 1, share(d, 2), ACT_RELU);
    set_decode(config, 2, config->outputs, ACT_NONE);
}

static void wind_head(struct encoder_config *config)
{
    int64_t d = config->d_model;
    set_reduce(config, 0, share(d, 4), ACT_NONE);
    set_reduce(config, 1, share(d, 8), ACT_RELU);
    set_decode(config, 0, d, ACT_RELU);
    set_decode(config, 1, share(d, 4), ACT_RELU);
    set_decode(config, 2, config->outputs, ACT_NONE);
}

enum { N_PRESETS = 4 };

static const char *const preset_names[N_PRESETS + 1] = {"wind", "swe", "weather", "covid", NULL};

static const struct preset presets[N_PRESETS] = {
    {"wind", 57, 12, 512, 8, 12, 1024, 256, ACT_NONE, 0, wind_head},
    {"swe", 323, 19, 512, 16, 12, 2048, 256, ACT_GELU, 1, swe_head},
    {"weather", 29, 13, 512, 16, 12, 2048, 256, ACT_GELU, 1, weather_head},
    {"covid", 50, 19, 512, 8, 12, 2048, 256, ACT_NONE, 1, covid_head},
};

const char *const *encoder_presets(void)
{
    return preset_names;
}

static enum status find_preset(const char *name, const struct preset **preset, struct fault *fault)
{
    for (int i = 0; i < N_PRESETS; i++)
        if (strcmp(presets[i].name, name) == 0) {
            *preset = &presets[i];
            return STATUS_OK;
        }
    const char *near = nearest_word(name, preset_names, N_PRESETS);
    return fault_set(fault, STATUS_USAGE, "model.preset: expected one of wind, swe, weather, covid, found \"%s\"%s%s%s",
                     name, near ? ": did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

enum status encoder_preset(const char *name, struct encoder_config *config, struct fault *fault)
{
    const struct preset *preset;
    enum status status = find_preset(name, &preset, fault);
    if (status != STATUS_OK)
        return status;
    *config = (struct encoder_config){
        .tokens = preset->tokens,
        .features = preset->features,
        .outputs = preset->tokens,
        .stations = preset->tokens,
        .last_offset = preset->features - 1,
        .last_stride = preset->features,
        .d_model = preset->d_model,
        .heads = preset->heads,
        .layers = preset->layers,
        .ffn = preset->ffn,
        .embed_hidden = preset->embed_hidden,
        .embed_act = preset->embed_act,
        .positions = POSITIONS_TRUE,
        .position_site = POSITION_ENCODER,
        .dropout = 0.1,
        .concat = preset->concat,
        .loss = LOSS_MSE,
        .huber_delta = 1,
    };
    preset->head(config);
    return STATUS_OK;
}

enum status encoder_head_widths(const char *name, struct encoder_config *config, struct fault *fault)
{
    const struct preset *preset;
    enum status status = find_preset(name, &preset, fault);
    if (status == STATUS_OK)
        preset->head(config);
    return status;
}
