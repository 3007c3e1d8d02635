/* decoder_load.h - what a tensor of a decoder's graph holds of the model's weights.
 *
 * Names of decoder.h without the number of the layer ("layers.ffn.up.weight"), and "@" with the number of the GPU when
 * there are several, "#" before it with the number of a chunk of its heads: part `part` of `parts` is then its share,
 * by op_group_heads. "layers.attn.qkv" is packed by KV heads (kernel/op.h); "o" and "down" are cut by columns, the
 * others by rows; of the feed-forward a piece of the share can be taken ("#" with a name); norms, embeddings and the
 * biases behind a sum over GPUs are whole. The head of a tied model is a view of the embedding and is not loaded.
 */
#ifndef MODEL_DECODER_LOAD_H
#define MODEL_DECODER_LOAD_H

#include "model/decoder.h"

/* Where the weights come from, one by one. */
struct decoder_source {
    void *state;
    /* Rows first_row .. first_row + n_rows - 1 of a weight of decoder.h, `columns` elements each (1 for vectors). */
    enum status (*read)(void *state, const char *weight, int64_t first_row, int64_t n_rows, int64_t columns,
                        float *values, struct fault *fault);
};

struct decoder_piece {
    const char *name; /* of the graph's tensor */
    int64_t layer;    /* for names that begin with "layers." */
    int part, parts;
    int chunk, chunks;   /* of the part's heads; chunks 0 or 1: all */
    int64_t first, some; /* `some` places of the part of the feed-forward's inner width from `first` on; 0: all */
    int64_t elements;    /* of `to`: what the caller has room for, and must be right */
};

/* Local. Reads a piece. */
enum status decoder_load(const struct decoder_config *config, const struct decoder_source *source,
                         const struct decoder_piece *piece, float *to, struct fault *fault);

#endif
