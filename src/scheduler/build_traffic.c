/* build_traffic.c - the traffic family's model of a job. */
#include <string.h>

#include "scheduler/build.h"

/* Keys that mean something to the encoder family only. */
static enum status refuse_encoder_keys(const struct job *job, struct fault *fault)
{
    const struct job_model *model = &job->model;
    const struct {
        const char *key;
        int given;
    } keys[] = {
        {"embed_hidden", model->embed_hidden != JOB_UNSET},
        {"embed", model->embed != NULL},
        {"positions", model->positions != NULL},
        {"position_site", model->position_site != NULL},
        {"mask", model->mask != NULL},
        {"neighbours", model->neighbours != 0},
        {"dropout", model->dropout > 0},
        {"concat", model->concat > 0},
        {"linear_skip", model->linear_skip},
        {"skip_steps", model->skip_steps > 0},
        {"zero_output", model->zero_output},
        {"head", strcmp(model->head, "preset") != 0},
        {"reduce_width", model->reduce_width.n > 0},
        {"reduce_act", model->reduce_act.n > 0},
        {"decode_width", model->decode_width.n > 0},
        {"decode_act", model->decode_act.n > 0},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].given)
            return fault_set(fault, STATUS_USAGE,
                             "%s: model.%s: the preset traffic has no such part: leave the key out", job->source,
                             keys[i].key);
    if (model->attention && strcmp(model->attention, "factorised") != 0)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.attention: expected factorised for the preset traffic, found %s", job->source,
                         model->attention);
    return STATUS_OK;
}

/* The job's number when it gives one, else the config's, which is then the job's. */
static void settle(int64_t *job_value, int64_t *config_value)
{
    if (*job_value != JOB_UNSET)
        *config_value = *job_value;
    else
        *job_value = *config_value;
}

/* A number that follows from elsewhere: the job may repeat it. */
static enum status settle_given(const struct job *job, const char *key, int64_t *job_value, int64_t value,
                                struct fault *fault)
{
    if (*job_value != JOB_UNSET && *job_value != value)
        return fault_set(fault, STATUS_USAGE, "%s: %s: expected %lld, found %lld: leave the key out", job->source, key,
                         (long long)value, (long long)*job_value);
    *job_value = value;
    return STATUS_OK;
}

static enum status settle_grid(struct job *job, const struct windows_shape *shape, struct traffic_config *config,
                               struct fault *fault)
{
    struct job_model *model = &job->model;
    enum status status = STATUS_OK;
    config->steps = job->data.window;
    config->horizon = job->data.horizon;
    if (shape) {
        config->stations = shape->stations;
        config->channels = shape->channels;
        config->slots = shape->slots;
        config->masked = shape->masked;
        status = settle_given(job, "model.tokens", &model->tokens, config->stations, fault);
        if (status == STATUS_OK)
            status = settle_given(job, "model.features", &model->features, config->channels, fault);
        job->data.slots = config->slots;
    } else {
        settle(&model->tokens, &config->stations);
        settle(&model->features, &config->channels);
        settle(&job->data.slots, &config->slots);
    }
    if (status == STATUS_OK)
        status = settle_given(job, "model.outputs", &model->outputs, config->stations * config->horizon, fault);
    if (status == STATUS_OK && shape && model->residual && !shape->residual_possible)
        return fault_set(fault, STATUS_USAGE,
                         "%s: model.residual: the target must be the first of data.inputs, so that its last value "
                         "can be added",
                         job->source);
    return status;
}

static enum loss_kind loss_of(const char *word)
{
    return strcmp(word, "mse") == 0 ? LOSS_MSE : strcmp(word, "mae") == 0 ? LOSS_MAE : LOSS_HUBER;
}

enum status build_traffic_config(struct job *job, const struct windows_shape *shape, struct traffic_config *config,
                                 struct fault *fault)
{
    struct job_model *model = &job->model;
    *config = traffic_preset();
    enum status status = refuse_encoder_keys(job, fault);
    if (status == STATUS_OK)
        status = settle_grid(job, shape, config, fault);
    if (status != STATUS_OK)
        return status;
    settle(&model->d_model, &config->d_model);
    settle(&model->heads, &config->heads);
    settle(&model->layers, &config->layers);
    settle(&model->ffn, &config->ffn);
    model->attention = "factorised";
    config->residual = model->residual;
    config->loss = loss_of(job->train.loss);
    config->huber_delta = job->train.huber_delta;
    if (strcmp(job->train.mode, "lora") == 0)
        build_adapter_config(&job->train.adapter, &config->adapter);
    status = traffic_check(config, fault);
    if (status != STATUS_OK)
        fault_prefix(fault, "%s", job->source);
    return status;
}

enum status build_model_config(struct job *job, const struct windows_shape *shape, struct model_config *config,
                               struct fault *fault)
{
    config->family = family_of_preset(job->model.preset);
    build_open_keys(job);
    enum status status = config->family == FAMILY_TRAFFIC ? build_traffic_config(job, shape, &config->traffic, fault)
                                                          : build_encoder_config(job, shape, &config->encoder, fault);
    return status == STATUS_OK ? build_check_width(job, config, fault) : status;
}
