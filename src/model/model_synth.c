#include "model/model_synth.h"

#include <string.h>

#include "base/rng.h"

static const double deviation = 0.02;

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

static enum status rows(void *state, int weight, int64_t first, int64_t n_rows, float *values, struct fault *fault)
{
    const struct model_synth *synth = state;
    struct decoder_weight shape;
    (void)fault;
    decoder_weight(&synth->config, weight, &shape);
    int64_t columns = shape.n_dims == 2 ? shape.dims[1] : 1, n = n_rows * columns, begin = first * columns;
    if (shape.n_dims == 1) {
        float value = ends_with(shape.name, ".gamma") ? 1 : 0;
        for (int64_t i = 0; i < n; i++)
            values[i] = value;
        return STATUS_OK;
    }
    struct rng_key key = rng_key(synth->seed, RNG_INIT, (uint32_t)weight);
    double pair[2];
    for (int64_t i = begin; i < begin + n; i++) {
        if (i == begin || i % 2 == 0)
            rng_normal_pair(key, 0, (uint64_t)(i / 2), pair);
        values[i - begin] = (float)(deviation * pair[i % 2]);
    }
    return STATUS_OK;
}

static int is_half(const void *state, int weight)
{
    (void)weight;
    return ((const struct model_synth *)state)->is_half;
}

void model_synth_content(struct model_synth *synth, struct model_content *content)
{
    *content = (struct model_content){.config = synth->config,
                                      .source = "random weights",
                                      .history = "",
                                      .state = synth,
                                      .read = rows,
                                      .is_half = is_half,
                                      .round = synth->is_half};
}
