/* encoder.h - the encoder family: spatio-temporal attention models (HpT's four presets and their relatives).
 *
 *   e = act(embed.1(act(embed.0(x))))        [B, n, d]
 *   z = e + positions
 *   per block: z = norm1(z + drop(attn.o(attention(q, k, v of z)))), z = norm2(z + drop(ffn.1(relu(ffn.0(z)))))
 *   c = [z ; e] or z; per token c = act(reduce.j(c)); flatten; y = act(decode.j(.))
 *   y += last value (residual), y += skip(x flattened) (linear_skip)
 *
 * Parameter names are those of the published layout of golden tensors: embed.{0,1}, layers.{i}.attn.{qkv,o},
 * layers.{i}.norm{1,2}, layers.{i}.ffn.{0,1}, reduce.{j}, decode.{j}, skip; each .weight [out, in] and .bias. q, k and
 * v are the three thirds of qkv, in this order.
 */
#ifndef MODEL_ENCODER_H
#define MODEL_ENCODER_H

#include <stdint.h>

#include "base/status.h"
#include "graph/graph.h"

enum positions { POSITIONS_TRUE, POSITIONS_CONSTANT, POSITIONS_NONE };
enum position_site { POSITION_ENCODER, POSITION_HEAD }; /* added before block 0, or to the head's input only */
enum { ENCODER_MAX_HEAD = 8 };

/* Adapters: every weight of the blocks is frozen, small matrices beside some of them are trained instead.
 *
 * LoRA: y = x W^T + b + alpha / width * (drop(x) A^T) B^T with A [width, in] and B [out, width], named like the weight
 * they stand beside: layers.{i}.attn.{q,k,v,o}.lora_a, layers.{i}.ffn.{0,1}.lora_b. A starts uniform in +-1/sqrt(in),
 * which is torch's kaiming_uniform_ with a = sqrt(5), B starts at zero, so the model starts as it was.
 * Source: Hu et al. 2021, arXiv 2106.09685, section 4.1; the start of A is that of its authors' code (loralib), where
 * the paper has a normal distribution. With `svd` B and A start as the best approximation of their weight of that width
 * (kernel/op.h, FACTOR), and the frozen weight is what is left of it: again the model starts as it was. Source: Meng,
 * Wang, Zhang 2024, arXiv 2404.02948, equations 2 to 4 (PiSSA). Trained besides: embedding, head and skip, and the
 * norms with train_norms. */
enum adapter_kind { ADAPTER_NONE, ADAPTER_LORA };
enum adapter_target {
    TARGET_Q = 1,
    TARGET_K = 2,
    TARGET_V = 4,
    TARGET_O = 8,
    TARGET_FFN0 = 16,
    TARGET_FFN1 = 32,
    N_ADAPTER_TARGETS = 6,
    ALL_ADAPTER_TARGETS = 63
};

struct adapter_config {
    int kind;         /* enum adapter_kind; everything below counts only with adapters */
    int64_t width;    /* of the low-rank product */
    double alpha;     /* its scale is alpha / width */
    double dropout;   /* on the adapters' input */
    unsigned targets; /* TARGET_ bits */
    int train_norms;
    int svd; /* adapters start as a part of their weight */
};

/* Random numbers of adapters (init_place, dropout site) are numbered from here on, by block and target: those of the
 * model itself do not depend on which adapters there are. */
#define ENCODER_ADAPTER_PLACE (UINT32_C(1) << 24)

struct encoder_config {
    int64_t tokens, features; /* n, f */
    int64_t steps;            /* joint attention: tokens are steps x (tokens / steps) stations, oldest first; else 0 */
    int64_t mask_block;       /* tokens of a time step when a token sees its own and earlier steps only; 0: sees all */
    int64_t head_tokens;      /* the head reads the last so many tokens only; 0: all */
    int64_t outputs;          /* n_out = stations * horizon, horizon-major */
    int64_t stations;         /* for `residual`: outputs = horizon * stations */
    int64_t last_offset,
        last_stride; /* where station i's last value stands in a sample: x[last_offset + i * last_stride] */
    int64_t d_model, heads, layers, ffn, embed_hidden;
    enum activation embed_act;
    enum positions positions;
    enum position_site position_site;
    double dropout;
    int concat;
    int n_reduce, n_decode;
    int64_t reduce_width[ENCODER_MAX_HEAD], decode_width[ENCODER_MAX_HEAD]; /* the last decode width is n_out */
    enum activation reduce_act[ENCODER_MAX_HEAD], decode_act[ENCODER_MAX_HEAD];
    int residual, linear_skip;
    int64_t skip_steps; /* linear_skip reads only the last so many features of each token; 0: all */
    int zero_output;    /* the head's last layer and the skip start at zero */
    enum loss_kind loss;
    double huber_delta;
    int masked; /* targets have a mask */
    struct adapter_config adapter;
    int separate_activations; /* within blocks: LINEAR, then ACTIVATION as a node of its own */
    int64_t head_groups;      /* above 1: attention of so many groups of heads, a node each (at most OP_MAX_OUT) */
    int64_t matrix_shards; /* above 1: each frozen linear of a block is so many LINEARs over some rows of its weight (at
                              most OP_MAX_IN); their gradients of the input are added in their order */
};

/* Local. Fills a config with a preset ("wind" "swe" "weather" "covid") at its published size; NULL-terminated list of
 * names from encoder_presets. Fault STATUS_USAGE for an unknown name. After changing d_model, tokens or outputs call
 * encoder_head_widths, which sets the head's widths by the preset's formula from them. */
const char *const *encoder_presets(void);
enum status encoder_preset(const char *name, struct encoder_config *config, struct fault *fault);
enum status encoder_head_widths(const char *preset, struct encoder_config *config, struct fault *fault);

/* Local. Refuses impossible shapes (d_model not a multiple of heads, ...) with STATUS_USAGE and the job key to change.
 */
enum status encoder_check(const struct encoder_config *config, struct fault *fault);

/* Local. Builds forward and loss for `samples` samples. The first node is LOAD (x, target, mask); evaluation graphs
 * (training = 0) have no dropout, a LOSS without dy and a METRIC node at the end, keep nothing for a backward pass. */
void encoder_build(const struct encoder_config *config, int64_t samples, int training, struct graph *graph);

#endif
