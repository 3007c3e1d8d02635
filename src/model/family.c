#include "model/family.h"

#include <string.h>

enum model_family family_of_preset(const char *preset)
{
    return strcmp(preset, "traffic") == 0 ? FAMILY_TRAFFIC : FAMILY_ENCODER;
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

static const char *encoder_text(const struct encoder_config *c, const char *preset, struct arena *arena)
{
    const char *mask = c->mask_block ? ", causal mask" : "", *grid = "";
    if (c->steps)
        grid = arena_printf(arena, " (%lld steps of %lld stations)", (long long)c->steps,
                            (long long)(c->tokens / c->steps));
    return arena_printf(
        arena, "encoder %s: %lld tokens%s x %lld features -> %lld outputs, d %lld, %lld heads, %lld layers, ffn %lld%s",
        preset, (long long)c->tokens, grid, (long long)c->features, (long long)c->outputs, (long long)c->d_model,
        (long long)c->heads, (long long)c->layers, (long long)c->ffn, mask);
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
