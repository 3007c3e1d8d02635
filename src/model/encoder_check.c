#include "model/encoder.h"

/* Elements of one weight, or of one sample's share of an activation: keeps every product of sizes within int64_t. */
static const double most_elements = 1e12;

static enum status check_positive(const struct encoder_config *config, struct fault *fault)
{
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {
        {"model.tokens", config->tokens},
        {"model.features", config->features},
        {"model.outputs", config->outputs},
        {"model.d_model", config->d_model},
        {"model.heads", config->heads},
        {"model.ffn", config->ffn},
        {"model.embed_hidden", config->embed_hidden},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].value < 1)
            return fault_set(fault, STATUS_USAGE, "%s: expected a number from 1 on, found %lld", sizes[i].key,
                             (long long)sizes[i].value);
    if (config->layers < 0)
        return fault_set(fault, STATUS_USAGE, "model.layers: expected a number from 0 on, found %lld",
                         (long long)config->layers);
    if (config->d_model % config->heads)
        return fault_set(fault, STATUS_USAGE, "model.d_model: expected a multiple of model.heads (%lld), found %lld",
                         (long long)config->heads, (long long)config->d_model);
    if (!(config->dropout >= 0 && config->dropout < 1))
        return fault_set(fault, STATUS_USAGE, "model.dropout: expected a number from 0 to below 1, found %g",
                         config->dropout);
    if (config->loss == LOSS_HUBER && !(config->huber_delta > 0))
        return fault_set(fault, STATUS_USAGE, "train.huber_delta: expected a number above 0, found %g",
                         config->huber_delta);
    return STATUS_OK;
}

/* One stack of the head on rows of `in`; *in becomes the width of its last layer. */
static enum status check_stack(const char *key, int n, const int64_t *width, int64_t *in, struct fault *fault)
{
    if (n < 0 || n > ENCODER_MAX_HEAD)
        return fault_set(fault, STATUS_USAGE, "%s: expected at most %d widths, found %d", key, ENCODER_MAX_HEAD, n);
    for (int j = 0; j < n; j++) {
        if (width[j] < 1)
            return fault_set(fault, STATUS_USAGE, "%s: expected widths from 1 on, found %lld", key,
                             (long long)width[j]);
        if ((double)*in * (double)width[j] > most_elements)
            return fault_set(fault, STATUS_USAGE, "%s: expected layers of at most %g weights, found %lld x %lld", key,
                             most_elements, (long long)*in, (long long)width[j]);
        *in = width[j];
    }
    return STATUS_OK;
}

static enum status check_head(const struct encoder_config *config, struct fault *fault)
{
    int64_t in = config->d_model * (config->concat ? 2 : 1);
    enum status status = check_stack("model.reduce_width", config->n_reduce, config->reduce_width, &in, fault);
    if (status != STATUS_OK)
        return status;
    const int64_t read = config->head_tokens ? config->head_tokens : config->tokens;
    in *= read;
    /* A head that reads some tokens may have several outputs for each. */
    int per_token = config->n_reduce && in == config->outputs &&
                    (config->reduce_width[config->n_reduce - 1] == 1 || config->head_tokens);
    if (config->n_decode == 0 && !per_token)
        return fault_set(
            fault, STATUS_USAGE,
            "model.head: expected model.outputs to be the %lld tokens, one output each, found %lld outputs and %lld "
            "for each token",
            (long long)read, (long long)config->outputs, (long long)(in / read));
    if (config->skip_steps < 0 || config->skip_steps > config->features)
        return fault_set(fault, STATUS_USAGE,
                         "model.skip_steps: expected at most the %lld features of a token, found %lld",
                         (long long)config->features, (long long)config->skip_steps);
    status = check_stack("model.decode_width", config->n_decode, config->decode_width, &in, fault);
    if (status == STATUS_OK && in != config->outputs)
        return fault_set(fault, STATUS_USAGE,
                         "model.decode_width: expected the last width to be model.outputs (%lld), found %lld",
                         (long long)config->outputs, (long long)in);
    return status;
}

/* Steps of tokens, masks and heads of whole steps. */
static enum status check_steps(const struct encoder_config *config, struct fault *fault)
{
    if (config->steps < 0 || (config->steps && config->tokens % config->steps))
        return fault_set(fault, STATUS_USAGE,
                         "model.tokens: expected as many tokens for each of the %lld steps of data.window, found %lld",
                         (long long)config->steps, (long long)config->tokens);
    if (config->mask_block < 0 || config->mask_block > config->tokens)
        return fault_set(fault, STATUS_USAGE, "model.mask: expected steps of at most %lld tokens, found %lld",
                         (long long)config->tokens, (long long)config->mask_block);
    if (config->near && config->tokens % config->near->n)
        return fault_set(fault, STATUS_USAGE, "model.neighbours: expected tokens of %lld places, found %lld tokens",
                         (long long)config->near->n, (long long)config->tokens);
    if (config->head_tokens < 0 || config->head_tokens > config->tokens)
        return fault_set(fault, STATUS_USAGE, "model.head: expected it to read at most %lld tokens, found %lld",
                         (long long)config->tokens, (long long)config->head_tokens);
    return STATUS_OK;
}

static enum status check_sizes(const struct encoder_config *config, struct fault *fault)
{
    const double n = (double)config->tokens, d = (double)config->d_model, f = (double)config->features;
    double widest = f > 3 * d ? f : 3 * d;
    widest = (double)config->ffn > widest ? (double)config->ffn : widest;
    widest = (double)config->embed_hidden > widest ? (double)config->embed_hidden : widest;
    for (int j = 0; j < config->n_reduce && j < ENCODER_MAX_HEAD; j++)
        widest = (double)config->reduce_width[j] > widest ? (double)config->reduce_width[j] : widest;
    if (n * widest > most_elements || widest * d > most_elements || f * (double)config->embed_hidden > most_elements ||
        n * n * (double)config->heads > most_elements || n * f * (double)config->outputs > most_elements)
        return fault_set(
            fault, STATUS_USAGE,
            "model.tokens: expected no tensor of more than %g elements, found %lld tokens with rows of up to %g: "
            "lower model.tokens, model.d_model, model.ffn or model.outputs",
            most_elements, (long long)config->tokens, widest);
    return STATUS_OK;
}

static enum status check_residual(const struct encoder_config *config, struct fault *fault)
{
    if (config->stations < 1 || config->outputs % config->stations)
        return fault_set(fault, STATUS_USAGE,
                         "model.residual: expected model.outputs to be a multiple of the stations (%lld), found %lld",
                         (long long)config->stations, (long long)config->outputs);
    int64_t sample = config->tokens * config->features;
    int fits =
        config->last_offset >= 0 && config->last_stride >= 1 && config->last_offset < sample &&
        (config->stations == 1 || (sample - 1 - config->last_offset) / (config->stations - 1) >= config->last_stride);
    if (!fits)
        return fault_set(
            fault, STATUS_USAGE,
            "model.residual: expected the last values of %lld stations within the %lld inputs of a sample, "
            "found them from element %lld in steps of %lld",
            (long long)config->stations, (long long)sample, (long long)config->last_offset,
            (long long)config->last_stride);
    return STATUS_OK;
}

enum status encoder_check(const struct encoder_config *config, struct fault *fault)
{
    enum status status = check_positive(config, fault);
    if (status == STATUS_OK)
        status = check_steps(config, fault);
    if (status == STATUS_OK)
        status = check_sizes(config, fault);
    if (status == STATUS_OK)
        status = check_head(config, fault);
    if (status == STATUS_OK && config->residual)
        status = check_residual(config, fault);
    if (status == STATUS_OK)
        status = adapted_check(&config->adapter, &config->pieces, config->heads, config->d_model, config->ffn, fault);
    return status;
}
