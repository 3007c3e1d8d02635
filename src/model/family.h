/* family.h - the model families beside each other, as the scheduler sees them: one config, one way to build.
 *
 * A family is a builder of graphs (encoder.h, traffic.h) with four functions: check, build, what its preset says, and
 * which weights adapters stand beside.
 */
#ifndef MODEL_FAMILY_H
#define MODEL_FAMILY_H

#include "base/arena.h"
#include "model/encoder.h"
#include "model/traffic.h"

enum model_family { FAMILY_ENCODER, FAMILY_TRAFFIC };

struct model_config {
    enum model_family family;
    struct encoder_config encoder; /* FAMILY_ENCODER */
    struct traffic_config traffic; /* FAMILY_TRAFFIC */
};

/* Local. The family of a preset; any name but "traffic" is the encoder's to know or to refuse. */
enum model_family family_of_preset(const char *preset);

/* Local. encoder_check or traffic_check. */
enum status family_check(const struct model_config *config, struct fault *fault);

/* Local. Builds forward and loss for `samples` samples; see encoder_build. `masked`: the targets have a mask, whatever
 * the config says (the last minibatch of an evaluation may be partly empty). */
void family_build(const struct model_config *config, int64_t samples, int training, int masked, struct graph *graph);

/* Local. Blocks, attention heads of a block's attention, and how many attentions a block has. */
int64_t family_layers(const struct model_config *config);
int64_t family_heads(const struct model_config *config);
int family_attentions(const struct model_config *config);

/* Local. The adapters of a model; the same model with these adapters, and in these pieces. */
const struct adapter_config *family_adapter(const struct model_config *config);
struct model_config family_with_adapter(const struct model_config *config, const struct adapter_config *adapter);
struct model_config family_in_pieces(const struct model_config *config, const struct pieces *pieces);

/* Local. The narrow side of the weights that `targets` speak of: wider adapters hold no more. */
int64_t family_narrow_side(const struct model_config *config, unsigned targets);

/* A weight that an adapter can stand beside, or one of the equal parts of its rows. */
struct family_weight {
    const char *name;
    int64_t part, parts;
};
enum { FAMILY_MAX_TARGETS = 10 }; /* of a layer */

/* Local. The weights of a layer that `targets` (bits of enum adapter_target) speak of, parts of one beside each other,
 * in the order of their adapters' numbers. Names in the arena. Returns how many. */
int family_targets(const struct model_config *config, int64_t layer, unsigned targets, struct arena *arena,
                   struct family_weight weights[FAMILY_MAX_TARGETS]);

/* Local. One line about the model for reports; `preset` is its name. */
const char *family_text(const struct model_config *config, const char *preset, struct arena *arena);

#endif
