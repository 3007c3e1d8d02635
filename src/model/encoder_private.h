/* encoder_private.h - how the pieces of an encoder's graph are built: shared by encoder.c (embedding, head, loss) and
 * encoder_block.c (transformer blocks, adapters). */
#ifndef MODEL_ENCODER_PRIVATE_H
#define MODEL_ENCODER_PRIVATE_H

#include "model/encoder.h"

enum { BLOCK_NONE = -1 };

struct builder {
    const struct encoder_config *config;
    struct graph *graph;
    int64_t samples;
    int training;
    int block; /* that is being built, or BLOCK_NONE */
    uint32_t n_params, n_sites;
    int x;
};

/* How a linear's weights start: uniform in [-scale, scale). */
struct linear_init {
    double weight_scale, bias_scale;
};

/* Local. "module.part", in the graph's arena. */
const char *builder_name(struct builder *builder, const char *module, const char *part);

/* Local. A parameter "module.part": trained, unless it belongs to a block that adapters leave frozen. */
int builder_param(struct builder *builder, const char *module, const char *part, int n_dims, const int64_t *dims,
                  enum init_kind init, double scale);

/* Local. A tensor with the dimensions of `like`, but rows of `width`. */
int builder_activation(struct builder *builder, const char *module, const char *part, int like, int64_t width);

/* Local. Width and number of a tensor's rows. */
int64_t builder_width(const struct builder *builder, int t);
int64_t builder_rows(const struct builder *builder, int t);

void builder_append(struct builder *builder, const struct op *op, const struct operands *operands, enum phase phase,
                    const char *name);

/* Local. The parameters module.weight [out, in] and module.bias [out]; torch.nn.Linear's start. */
struct linear_params {
    int weight, bias;
};
struct linear_params builder_linear_params(struct builder *builder, const char *module, int64_t in, int64_t out,
                                           struct linear_init init);
struct linear_init linear_default(int64_t in);

/* Local. act(x weight^T + bias) with an output "module.out", which it returns; bias may be NO_TENSOR. */
int builder_product(struct builder *builder, const char *module, int x, int weight, int bias, enum activation act);

/* Local. The same with parameters of its own that start as torch.nn.Linear's. */
int builder_linear(struct builder *builder, const char *module, int x, int64_t out, enum activation act);

/* Local. Transformer block `i` on z; returns its output. */
int encoder_block(struct builder *builder, int i, int z);

#endif
