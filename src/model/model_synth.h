/* model_synth.h - decoders of random weights, for tests and for timing with real arithmetic.
 *
 * Matrices are normal with deviation 0.02, gammas 1, betas and biases 0. A value depends on the seed, the number of its
 * weight and its place in it (base/rng.h, RNG_INIT): equal shapes and seeds give equal models.
 */
#ifndef MODEL_MODEL_SYNTH_H
#define MODEL_MODEL_SYNTH_H

#include "model/model_file.h"

struct model_synth {
    struct decoder_config config;
    uint64_t seed;
    int is_half; /* values rounded to float16 */
};

/* Local. The content of such a model; `synth` must outlive it. Source and history are set. */
void model_synth_content(struct model_synth *synth, struct model_content *content);

#endif
