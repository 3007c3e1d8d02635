#include "model/family.h"

#include <string.h>

enum model_family family_of_preset(const char *preset)
{
    return strcmp(preset, "traffic") == 0 ? FAMILY_TRAFFIC : FAMILY_ENCODER;
}

enum status family_check(const struct model_config *config, struct fault *fault)
{
    return config->family == FAMILY_TRAFFIC ? traffic_check(&config->traffic, fault)
                                            : encoder_check(&config->encoder, fault);
}

void family_build(const struct model_config *config, int64_t samples, int training, int masked, struct graph *graph)
{
    struct model_config shaped = *config;
    shaped.encoder.masked |= masked;
    shaped.traffic.masked |= masked;
    if (config->family == FAMILY_TRAFFIC)
        traffic_build(&shaped.traffic, samples, training, graph);
    else
        encoder_build(&shaped.encoder, samples, training, graph);
}

int64_t family_layers(const struct model_config *config)
{
    return config->family == FAMILY_TRAFFIC ? config->traffic.layers : config->encoder.layers;
}

int64_t family_heads(const struct model_config *config)
{
    return config->family == FAMILY_TRAFFIC ? config->traffic.heads : config->encoder.heads;
}

int family_attentions(const struct model_config *config)
{
    return config->family == FAMILY_TRAFFIC ? 2 : 1;
}

const struct adapter_config *family_adapter(const struct model_config *config)
{
    return config->family == FAMILY_TRAFFIC ? &config->traffic.adapter : &config->encoder.adapter;
}

struct model_config family_with_adapter(const struct model_config *config, const struct adapter_config *adapter)
{
    struct model_config adapted = *config;
    adapted.encoder.adapter = adapted.traffic.adapter = *adapter;
    return adapted;
}

struct model_config family_in_pieces(const struct model_config *config, const struct pieces *pieces)
{
    struct model_config cut = *config;
    cut.encoder.pieces = cut.traffic.pieces = *pieces;
    return cut;
}

int64_t family_narrow_side(const struct model_config *config, unsigned targets)
{
    int is_traffic = config->family == FAMILY_TRAFFIC;
    int64_t d_model = is_traffic ? config->traffic.d_model : config->encoder.d_model;
    int64_t ffn = is_traffic ? config->traffic.ffn : config->encoder.ffn;
    return targets & (TARGET_FFN0 | TARGET_FFN1) && ffn < d_model ? ffn : d_model;
}

struct layer_weight {
    const char *name; /* behind the layer's */
    enum adapter_target target;
    int part, parts;
};

static const struct layer_weight encoder_weights[N_ADAPTER_TARGETS] = {
    {"attn.qkv.weight", TARGET_Q, 0, 3}, {"attn.qkv.weight", TARGET_K, 1, 3}, {"attn.qkv.weight", TARGET_V, 2, 3},
    {"attn.o.weight", TARGET_O, 0, 1},   {"ffn.0.weight", TARGET_FFN0, 0, 1}, {"ffn.1.weight", TARGET_FFN1, 0, 1},
};

static const struct layer_weight traffic_weights[FAMILY_MAX_TARGETS] = {
    {"t.wqkv", TARGET_Q, 0, 3},  {"t.wqkv", TARGET_K, 1, 3},  {"t.wqkv", TARGET_V, 2, 3}, {"t.wo", TARGET_O, 0, 1},
    {"s.wqkv", TARGET_Q, 0, 3},  {"s.wqkv", TARGET_K, 1, 3},  {"s.wqkv", TARGET_V, 2, 3}, {"s.wo", TARGET_O, 0, 1},
    {"f.w1", TARGET_FFN0, 0, 1}, {"f.w2", TARGET_FFN1, 0, 1},
};

int family_targets(const struct model_config *config, int64_t layer, unsigned targets, struct arena *arena,
                   struct family_weight weights[FAMILY_MAX_TARGETS])
{
    int is_traffic = config->family == FAMILY_TRAFFIC, n = 0;
    const char *prefix = is_traffic ? "l" : "layers.";
    const struct layer_weight *all = is_traffic ? traffic_weights : encoder_weights;
    int n_all = is_traffic ? FAMILY_MAX_TARGETS : N_ADAPTER_TARGETS;
    for (int i = 0; i < n_all; i++)
        if (targets & (unsigned)all[i].target)
            weights[n++] = (struct family_weight){
                arena_printf(arena, "%s%lld.%s", prefix, (long long)layer, all[i].name), all[i].part, all[i].parts};
    return n;
}

static const char *encoder_text(const struct encoder_config *c, const char *preset, struct arena *arena)
{
    const char *mask = c->mask_block ? ", causal mask" : "", *grid = "";
    if (c->steps)
        grid = arena_printf(arena, " (%lld steps of %lld stations)", (long long)c->steps,
                            (long long)(c->tokens / c->steps));
    return arena_printf(
        arena,
        "encoder %s: %lld tokens%s x %lld features -> %lld outputs, d %lld, %lld heads, %lld layers, ffn %lld%s%s",
        preset, (long long)c->tokens, grid, (long long)c->features, (long long)c->outputs, (long long)c->d_model,
        (long long)c->heads, (long long)c->layers, (long long)c->ffn, mask, c->near ? ", neighbours alone" : "");
}

static const char *traffic_text(const struct traffic_config *c, struct arena *arena)
{
    return arena_printf(arena,
                        "traffic: %lld steps x %lld stations x %lld channels -> %lld steps, %lld times of day, "
                        "d %lld, %lld heads, %lld layers, ffn %lld",
                        (long long)c->steps, (long long)c->stations, (long long)c->channels, (long long)c->horizon,
                        (long long)c->slots, (long long)c->d_model, (long long)c->heads, (long long)c->layers,
                        (long long)c->ffn);
}

const char *family_text(const struct model_config *config, const char *preset, struct arena *arena)
{
    return config->family == FAMILY_TRAFFIC ? traffic_text(&config->traffic, arena)
                                            : encoder_text(&config->encoder, preset, arena);
}
