/* model.h - the decoders that AttAcc's public simulator knows, as it knows them, and how much memory they take.
 *
 * Every block alike; no embedding, no head, no bias; grouped queries are not modelled. The width of LLaMA's
 * feed-forward is 8/3 of the model's and stays a fraction: dimensions are real numbers throughout.
 */
#ifndef ATTACC_MODEL_H
#define ATTACC_MODEL_H

#include <stddef.h>

enum attacc_family { ATTACC_GPT, ATTACC_OPT, ATTACC_LLAMA };

struct attacc_model {
    const char *name;
    enum attacc_family family; /* activation: GELU, ReLU, gated with a third matrix */
    double decoders, width, heads, ff_scale;
};

/* Local. By name ("GPT-175B"), or NULL; i = 0, 1, ..., NULL at the end. */
const struct attacc_model *attacc_model(const char *name);
const struct attacc_model *attacc_model_at(size_t i);

/* Local. int(width / heads). */
double attacc_head_width(const struct attacc_model *model);

/* Local. Bytes of all weights; of one request's keys and values; of one request with its temporaries (the published
 * rule: its last term is in elements, not bytes). `words` bytes each, lin + lout - 1 tokens. */
double attacc_weight_bytes(const struct attacc_model *model, double words);
double attacc_kv_bytes(const struct attacc_model *model, double words, double lin, double lout);
double attacc_request_bytes(const struct attacc_model *model, double words, double lin, double lout);

/* Local. The largest batch of the published runs in so much memory: floor((memory - weights) / kv) + 1, one more than
 * fits. 0 when the weights do not fit. */
double attacc_largest_batch(const struct attacc_model *model, double words, double lin, double lout, double bytes);

#endif
