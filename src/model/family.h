/* family.h - the model families beside each other, as the scheduler sees them: one config, one way to build.
 *
 * A family is a builder of graphs (encoder.h, traffic.h) with three functions: check, build, and what its preset says.
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

/* Local. Builds forward and loss for `samples` samples; see encoder_build. `masked`: the targets have a mask, whatever
 * the config says (the last minibatch of an evaluation may be partly empty). */
void family_build(const struct model_config *config, int64_t samples, int training, int masked, struct graph *graph);

/* Local. One line about the model for reports; `preset` is its name. */
const char *family_text(const struct model_config *config, const char *preset, struct arena *arena);

#endif
