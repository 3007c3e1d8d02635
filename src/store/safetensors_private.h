/* safetensors_private.h - what the files of the safetensors reader share. */
#ifndef STORE_SAFETENSORS_PRIVATE_H
#define STORE_SAFETENSORS_PRIVATE_H

#include <jansson.h>

#include "store/safetensors.h"

/* Local. Reads and checks the header of one open file: its tensors, in no order, into the arena. */
enum status safetensors_header(const struct raw *raw, struct arena *arena, struct safetensor **tensors, int64_t *n,
                               struct fault *fault);

#endif
