/* layers.h - what one decoder block computes on one GPU of a tensor-parallel group, as AttAcc's public simulator lists
 * it.
 *
 * With B requests, P GPUs, width H, heads A: a = int(A / P) heads and h = int(H / P) columns of each GPU, dh = int(H /
 * A); F h columns of the feed-forward, a fraction for LLaMA. M rows: B * lin in the prefill, B in a generation stage;
 * attention of one generation stage is one query row over L = lin + stage keys, of the prefill lin full rows (no causal
 * saving). A layer is (m, n, k) done `count` times.
 */
#ifndef ATTACC_LAYERS_H
#define ATTACC_LAYERS_H

#include "attacc/model.h"

/* X(enum, name) in the order of execution; not every block has all of them. */
#define ATTACC_LAYERS(X)                                                                                               \
    X(LAYER_QKV, "qkv")                                                                                                \
    X(LAYER_TO_ATTENTION, "to attention")                                                                              \
    X(LAYER_SCORE, "score")                                                                                            \
    X(LAYER_SOFTMAX, "softmax")                                                                                        \
    X(LAYER_CONTEXT, "context")                                                                                        \
    X(LAYER_FROM_ATTENTION, "from attention")                                                                          \
    X(LAYER_PROJECTION, "projection")                                                                                  \
    X(LAYER_GATHER1, "gather")                                                                                         \
    X(LAYER_NORM1, "norm")                                                                                             \
    X(LAYER_FF1, "ff1")                                                                                                \
    X(LAYER_FF2, "ff2")                                                                                                \
    X(LAYER_ACTIVATION, "activation")                                                                                  \
    X(LAYER_FF3, "ff3")                                                                                                \
    X(LAYER_GATHER2, "gather")                                                                                         \
    X(LAYER_NORM2, "norm")

enum attacc_layer_id {
#define X(id, name) id,
    ATTACC_LAYERS(X)
#undef X
        N_ATTACC_LAYERS
};

enum attacc_kind { KIND_FC, KIND_MATMUL, KIND_SOFTMAX, KIND_NORM, KIND_ACTIVATION, KIND_GATHER, KIND_TRANSFER };

struct attacc_layer {
    enum attacc_kind kind;
    double m, n, k, count; /* count 0: this block has no such layer */
    double flops;          /* FC, MATMUL 2 m n k; softmax, norm 5 m n; GELU 8, gated 9, ReLU 1 m n; times count */
    double bytes;          /* in and out; of a transfer: what is sent */
};

/* Local. Fills layers[N_ATTACC_LAYERS] of the prefill, or of the generation stage with `keys` keys. Transfers to and
 * from attention are there when it runs on another device (`apart`); the prefill never moves its keys and values. */
void attacc_prefill(const struct attacc_model *model, double gpus, double words, double batch, double lin,
                    struct attacc_layer *layers);
void attacc_stage(const struct attacc_model *model, double gpus, double words, double batch, double keys, int apart,
                  struct attacc_layer *layers);

/* Local. Only the layers that depend on the number of keys: score, softmax, context. */
void attacc_stage_keys(const struct attacc_model *model, double gpus, double words, double batch, double keys,
                       struct attacc_layer *layers);

#endif
