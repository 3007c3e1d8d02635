/* builder.h - how the graph of a model is built from its parts: shared by the families (encoder.c, traffic.c).
 *
 * Names are "module.part". A product takes its name, and those of what it makes, from its module. */
#ifndef MODEL_BUILDER_H
#define MODEL_BUILDER_H

#include "graph/graph.h"
#include "model/adapted.h"

enum { BLOCK_NONE = -1 };

struct builder {
    struct graph *graph;
    int64_t samples;
    int training;
    int block; /* that is being built, or BLOCK_NONE */
    uint32_t n_params, n_sites;
    const struct adapter_config *adapter;
    const struct pieces *pieces;
};

/* Local. "module.part", in the graph's arena. */
const char *builder_name(struct builder *builder, const char *module, const char *part);

/* Local. A parameter "module.part": trained, unless it belongs to a block that adapters leave frozen. */
int builder_param(struct builder *builder, const char *module, const char *part, int n_dims, const int64_t *dims,
                  enum init_kind init, double scale);

/* Local. The same for a norm of width d, which is trained with train_norms too. */
int builder_norm_param(struct builder *builder, const char *module, const char *part, int64_t d, enum init_kind init);

/* Local. A tensor with the dimensions of `like`, but rows of `width`. */
int builder_activation(struct builder *builder, const char *module, const char *part, int like, int64_t width);

/* Local. Width and number of a tensor's rows. */
int64_t builder_width(const struct builder *builder, int t);
int64_t builder_rows(const struct builder *builder, int t);

void builder_append(struct builder *builder, const struct op *op, const struct operands *operands, enum phase phase,
                    const char *name);

/* Local. act(x weight^T + bias) with an output "module.out", which it returns; bias may be NO_TENSOR. */
int builder_product(struct builder *builder, const char *module, int x, int weight, int bias, enum activation act);

/* Local. The loss of y [B, n_out] and, in an evaluation, the METRIC behind it; `mask` may be NO_TENSOR. */
struct builder_loss {
    int target, mask;
    enum loss_kind kind;
    double huber_delta;
};
void builder_append_loss(struct builder *builder, int y, const struct builder_loss *loss);

/* A weight of a block that an adapter may stand beside: the adapter's name, its bit, which part of the product's
 * columns it is, and the number of the place in the model. */
struct target {
    const char *module;
    unsigned bit;
    int part;
    uint32_t number;
};

/* A linear of a block: its product, and the weights that make it up. */
struct block_linear {
    const char *module;
    int weight, bias; /* [out, in], [out] */
    enum activation act;
    int parts;
    struct target target[3];
};

/* Local. act(x weight^T + bias + adapters), in pieces where the builder says so. Returns the output. */
int builder_block_linear(struct builder *builder, const struct block_linear *linear, int x);

/* The attention of a block: of `sequences` of `tokens` each, interleaved as in kernel/op.h. */
struct block_attention {
    const char *module; /* of its node, of module.context and module.probs */
    int64_t sequences, tokens, interleave;
    int64_t causal_block;          /* of its mask, 0: none */
    const struct neighbours *near; /* NULL: all places */
    int64_t heads, head_width;
};

/* Local. Attention on the packed qkv [.., 3 * heads * head_width], one node or one for each group of heads. Returns the
 * context [.., heads * head_width]. */
int builder_attention(struct builder *builder, const struct block_attention *attention, int qkv);

#endif
