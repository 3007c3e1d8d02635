/* decoder_private.h - inside of a decoder's graph: decoder_graph.c (embedding, attention, logits), decoder_ffn.c
 * (feed-forward), decoder_parts.c (tensors and nodes). Not for other rooms. */
#ifndef MODEL_DECODER_PRIVATE_H
#define MODEL_DECODER_PRIVATE_H

#include "model/decoder_graph.h"

struct building {
    const struct decoder_config *config;
    const struct decoder_layout *layout;
    struct graph *graph;
    int *device_of;
    int gpu;    /* whose nodes are being built */
    int device; /* that runs them; -1: that GPU */
    int64_t kv_heads, queries,
        columns;         /* this GPU's; query heads of a KV head; columns of packed q, k, v of a KV head */
    int64_t chunk;       /* of the heads; -1: none in particular */
    const char *place;   /* of a piece of the feed-forward: "shared"; NULL: all of it */
    int64_t first, some; /* its places of the GPU's inner width; some 0: all */
    int x;               /* residual stream */
};

/* Local. "name", "name#chunk" or "name#place", each with "@gpu" when there are several; the arena's or `name` itself.
 */
char *building_name(const struct building *b, const char *name);

/* Local. New tensors: values [rows, columns]; a weight [rows, columns], or a vector with columns 0. */
int building_value(struct building *b, const char *name, int64_t rows, int64_t columns);
int building_weight(struct building *b, const char *name, int64_t rows, int64_t columns, int64_t copies);

/* Local. New nodes, on a device; with one output on b->device or the GPU. */
void building_node(struct building *b, int device, const struct op *op, const int *in, int n_in, const int *out,
                   int n_out, const char *name);
void building_on_gpu(struct building *b, const struct op *op, const int *in, int n_in, int out, const char *name);

/* Local. A product of a layer, weights as layout->weight_bits says: y = act(x w^T (+ bias)) [rows, out]; returns y. */
int building_linear(struct building *b, const char *name, int x, int64_t rows, int64_t in, int64_t out,
                    enum token_rows tokens, enum activation act, int has_bias, int64_t copies);

/* Local. x += y on these rows; the sum of x over all GPUs, if there are several. */
void building_add(struct building *b, int x, int y, enum token_rows tokens, const char *name);
void building_allreduce(struct building *b, int x, const char *name);

/* Local. decoder_ffn.c: what the feed-forward part makes of x, summed over the GPUs. */
int building_feed_forward(struct building *b, int x);

#endif
