/* decoder.h - decoder transformers: what a model is, and the models that the catalogue knows.
 *
 * Families: gpt (GPT-2, GPT-3: learned positions, LayerNorm, GELU, biases), opt (as gpt, ReLU), mt-nlg (as gpt), llama
 * (rotary positions, RMSNorm, SwiGLU, no biases, grouped queries from Llama 2 70B on). Pre-norm throughout:
 *
 *     x = embed[token] (+ positions[place])
 *     for each layer:  x += o(attention(norm(x)));  x += down(act(gate(norm(x))) * up(norm(x)))   (gated)
 *                                                   x += down(act(up(norm(x))))                  (otherwise)
 *     logits = head(norm(x))
 *
 * Attention: query head i reads KV head i / (heads / kv_heads); scores are scaled by 1 / sqrt(head_width). Rotary:
 * the pair (2j, 2j+1) of a head turns by place * rope_theta^(-2j / head_width) - pairs of neighbours, as Meta's and
 * llama2.c's weights have them; an importer of weights in the other order (halves) reorders the rows of q and k.
 *
 * Names and shapes of the weights, in a model file and in graphs; row-major, a linear weight is [out, in]:
 *
 *     embed.weight [vocabulary, d_model]           positions.weight [context, d_model]   (not rotary)
 *     layers.L.attn_norm.gamma [d_model]           layers.L.attn_norm.beta               (not RMSNorm)
 *     layers.L.attn.q.weight [heads * head_width, d_model]      .k.weight, .v.weight [kv_heads * head_width, d_model]
 *     layers.L.attn.o.weight [d_model, heads * head_width]      .q.bias .k.bias .v.bias .o.bias   (biases)
 *     layers.L.ffn_norm.gamma, .beta
 *     layers.L.ffn.gate.weight [ffn, d_model]      (gated)      layers.L.ffn.up.weight [ffn, d_model]
 *     layers.L.ffn.down.weight [d_model, ffn]      .gate.bias .up.bias .down.bias   (biases)
 *     norm.gamma [d_model]   norm.beta             head.weight [vocabulary, d_model]     (not tied: else embed.weight)
 */
#ifndef MODEL_DECODER_H
#define MODEL_DECODER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kernel/op.h"

struct decoder_config {
    const char *name;   /* "llama-2-7b" */
    const char *family; /* gpt opt mt-nlg llama */
    int64_t layers, d_model, heads, kv_heads, head_width, ffn, vocabulary;
    int64_t context;     /* most tokens of prompt and answer together */
    enum activation act; /* of the feed-forward */
    int gated;           /* SwiGLU: act(gate) * up */
    int rotary;          /* else learned positions */
    int rms_norm;        /* else LayerNorm */
    int tied;            /* the head is the embedding */
    int biases;
    double norm_eps;
    double rope_theta; /* rotary; the classic value is 10000 */
    /* Rotary with stretched wavelengths as Llama 3.1 has it; factor 0: none. A wavelength below original / high stays,
     * above original / low it is multiplied by factor, between the two it is blended. */
    double rope_factor, rope_low, rope_high;
    int64_t rope_original;
};

/* Local. The catalogue: a model by name, or NULL; i = 0, 1, ..., NULL at the end. Each with the source of its shape. */
const struct decoder_config *decoder_model(const char *name);
const struct decoder_config *decoder_model_at(size_t i);
const char *decoder_model_source(const char *name);

/* Local. Does the shape hold together? Fault STATUS_USAGE naming the field, what was expected and found. */
enum status decoder_check(const struct decoder_config *config, struct fault *fault);

/* Local. Number of weights; KV elements that one token takes in all layers (keys and values); a token's arithmetic in
 * the linear layers and the head, multiply and add counted as two. */
int64_t decoder_parameters(const struct decoder_config *config);
int64_t decoder_kv_elements(const struct decoder_config *config);
uint64_t decoder_linear_flops(const struct decoder_config *config);

/* One weight by number, 0 .. decoder_weights - 1, in the order of the list above (layer by layer). */
struct decoder_weight {
    char name[64];
    int n_dims;
    int64_t dims[2]; /* the second is 1 for a vector */
};
int decoder_weights(const struct decoder_config *config);
void decoder_weight(const struct decoder_config *config, int i, struct decoder_weight *weight);

#endif
