/* encoder_private.h - how the pieces of an encoder's graph are built: shared by encoder.c (embedding, head, loss) and
 * encoder_block.c (transformer blocks). */
#ifndef MODEL_ENCODER_PRIVATE_H
#define MODEL_ENCODER_PRIVATE_H

#include "model/builder.h"
#include "model/encoder.h"

struct encoder {
    struct builder builder;
    const struct encoder_config *config;
    int x;
};

/* How a linear's weights start: uniform in [-scale, scale). */
struct linear_init {
    double weight_scale, bias_scale;
};

/* Local. torch.nn.Linear's start. */
struct linear_init encoder_linear_default(int64_t in);

/* Local. The parameters module.weight [out, in] and module.bias [out]. */
struct linear_params {
    int weight, bias;
};
struct linear_params encoder_linear_params(struct builder *builder, const char *module, int64_t in, int64_t out,
                                           struct linear_init init);

/* Local. Transformer block `i` on z; returns its output. */
int encoder_block(struct encoder *encoder, int i, int z);

#endif
