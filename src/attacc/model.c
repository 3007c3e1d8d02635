#include "attacc/model.h"

#include <math.h>
#include <string.h>

/* Shapes: the public simulator's table. */
static const struct attacc_model models[] = {
    {"GPT-175B", ATTACC_GPT, 96, 12288, 96, 4},         {"GPT-89B", ATTACC_GPT, 48, 12288, 96, 4},
    {"GPT-13B", ATTACC_GPT, 40, 5120, 40, 4},           {"LLAMA-7B", ATTACC_LLAMA, 32, 4096, 32, 8.0 / 3},
    {"LLAMA-65B", ATTACC_LLAMA, 80, 8192, 64, 8.0 / 3}, {"MT-76B", ATTACC_GPT, 60, 10240, 40, 4},
    {"MT-146B", ATTACC_GPT, 80, 12288, 80, 4},          {"MT-310B", ATTACC_GPT, 96, 16384, 128, 4},
    {"MT-530B", ATTACC_GPT, 105, 20480, 128, 4},        {"MT-1008B", ATTACC_GPT, 128, 25600, 160, 4},
    {"OPT-66B", ATTACC_OPT, 64, 9216, 72, 4},
};

const struct attacc_model *attacc_model(const char *name)
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i].name, name) == 0)
            return &models[i];
    return NULL;
}

const struct attacc_model *attacc_model_at(size_t i)
{
    return i < sizeof models / sizeof models[0] ? &models[i] : NULL;
}

double attacc_head_width(const struct attacc_model *model)
{
    return floor(model->width / model->heads);
}

double attacc_weight_bytes(const struct attacc_model *model, double words)
{
    double matrices = model->family == ATTACC_LLAMA ? 3 : 2;
    return model->decoders * model->width * (4 * model->width + matrices * model->ff_scale * model->width) * words;
}

double attacc_kv_bytes(const struct attacc_model *model, double words, double lin, double lout)
{
    return 2 * model->decoders * (lin + lout - 1) * model->width * words;
}

double attacc_request_bytes(const struct attacc_model *model, double words, double lin, double lout)
{
    double scores = (lin + lout - 1) * model->heads, width = model->width;
    double temporary = fmax(fmax((width + scores) * words, 2 * width * words),
                            fmax(2 * scores * words, (model->ff_scale + 1) * width * words));
    return attacc_kv_bytes(model, words, lin, lout) + temporary + scores;
}

double attacc_largest_batch(const struct attacc_model *model, double words, double lin, double lout, double bytes)
{
    double left = bytes - attacc_weight_bytes(model, words);
    return left < 0 ? 0 : floor(left / attacc_kv_bytes(model, words, lin, lout)) + 1;
}
