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
 * v are the three thirds of qkv, in this order. Adapters (adapted.h) are layers.{i}.attn.{q,k,v,o} and
 * layers.{i}.ffn.{0,1} with .lora_a and .lora_b.
 */
#ifndef MODEL_ENCODER_H
#define MODEL_ENCODER_H

#include <stdint.h>

#include "base/status.h"
#include "graph/graph.h"
#include "model/adapted.h"

enum positions { POSITIONS_TRUE, POSITIONS_CONSTANT, POSITIONS_NONE };
enum position_site { POSITION_ENCODER, POSITION_HEAD }; /* added before block 0, or to the head's input only */
enum { ENCODER_MAX_HEAD = 8 };

struct encoder_config {
    int64_t tokens, features; /* n, f */
    int64_t steps;            /* joint attention: tokens are steps x (tokens / steps) stations, oldest first; else 0 */
    int64_t mask_block;       /* tokens of a time step when a token sees its own and earlier steps only; 0: sees all */
    const struct neighbours *near; /* tokens see those of neighbouring places alone; NULL: of all */
    int64_t head_tokens;           /* the head reads the last so many tokens only; 0: all */
    int64_t outputs;               /* n_out = stations * horizon, horizon-major */
    int64_t stations;              /* for `residual`: outputs = horizon * stations */
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
    struct pieces pieces;
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
