/* decoder_graph.h - an iteration of a decoder as a graph: tokens in, layers, next tokens out, on a layout of devices.
 *
 * Tensor parallel over GPUs (Shoeybi et al. 2019, arXiv 1909.08053): each holds an equal share of the KV heads with
 * their query heads, of the feed-forward's width and of the vocabulary; two all-reduces a layer. The residual stream is
 * on all of them.
 *
 * The KV cache lies on the GPUs, or on PIM devices, the same number at each GPU: its heads are dealt to `groups` groups
 * of devices and the tokens of a head, in pieces, to the `shards` devices of a group. Tokens of prompts attend to each
 * other on the GPU and go to the cache as they pass; decoding ones send their queries and get back outputs.
 *
 * Weights are those of decoder.h; what a tensor of the graph holds of them: decoder_load.h.
 */
#ifndef MODEL_DECODER_GRAPH_H
#define MODEL_DECODER_GRAPH_H

#include "graph/graph.h"
#include "model/decoder.h"

struct decoder_layout {
    int n_gpus, pims_per_gpu; /* no PIM devices: the cache lies on the GPUs */
    const int *gpu;           /* [n_gpus] numbers of the devices */
    const int *pim;           /* [n_gpus][pims_per_gpu] */
    int64_t groups, shards;   /* groups * shards <= pims_per_gpu, < OP_MAX_IN; without PIM devices 1 */
    int64_t shard_block;      /* tokens that are dealt to a shard at a time */
    int64_t head_chunks; /* a GPU's KV heads go through QKV, attention and projection in so many pieces, so that PIM
                            devices work on one while the GPU works on the next (head-level pipelining); 1: all at once.
                            With PIM devices at most KV heads of a GPU / groups */
    int64_t ff_columns;  /* places of each GPU's share of the feed-forward's inner width that its PIM devices compute in
                            iterations without prompts; the GPU has them too. 0: none, else at least pims_per_gpu */
    int64_t max_tokens, max_answers; /* of an iteration */
    int64_t n_blocks, block_tokens;  /* of the KV cache, on every device that holds part of it */
    int64_t max_fetched;             /* tokens in the cache that prompts of an iteration can have there already */
    int kv_bits;                     /* 8, or 0: the devices' number format */
    int weight_bits;                 /* of the layers' products on GPUs: 8 (kernel/op.h), or 0: as above */
};

/* Local. Fills a graph_init'ed graph, its loop over the layers included; the tensor "next" holds the tokens chosen.
 * Returns the device of each node, in the graph's arena. Not more GPUs than KV heads. */
int *decoder_graph(const struct decoder_config *config, const struct decoder_layout *layout, struct graph *graph);

#endif
