/* model_layout.h - how shapes and weights lie in model files: what writing and reading share. */
#ifndef MODEL_MODEL_LAYOUT_H
#define MODEL_MODEL_LAYOUT_H

#include "model/model_file.h"
#include "store/h5.h"

/* X(field, lowest) of struct decoder_config: whole numbers, flags, real numbers; attributes of the same names. */
#define MODEL_WHOLE(X)                                                                                                 \
    X(layers)                                                                                                          \
    X(d_model)                                                                                                         \
    X(heads)                                                                                                           \
    X(kv_heads)                                                                                                        \
    X(head_width)                                                                                                      \
    X(ffn)                                                                                                             \
    X(vocabulary)                                                                                                      \
    X(context)                                                                                                         \
    X(rope_original)
#define MODEL_FLAGS(X) X(gated) X(rotary) X(rms_norm) X(tied) X(biases)
#define MODEL_REAL(X) X(norm_eps) X(rope_theta) X(rope_factor) X(rope_low) X(rope_high)

/* Local. Names of activations in files; -1 when unknown. */
const char *model_act_name(enum activation act);
int model_act_find(const char *name);

/* Local. Hash of a shape, without its name. */
uint64_t model_config_hash(const struct decoder_config *config);

/* Local. 16 digits into text[17]. */
void model_hash_print(char *text, uint64_t hash);

/* Local. Rows of a weight that are moved at once: a few MiB, at least one. */
int64_t model_block_rows(const struct decoder_weight *weight);

#endif
