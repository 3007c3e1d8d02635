/* hf_config.h - the shape of a model from the config.json that lies beside safetensors files.
 *
 * model_type "llama" (LLaMA, Llama 2, 3, 3.1) and "gpt2". What our decoders cannot do is refused with the key, what was
 * expected and found: other types, sliding windows, biases of LLaMA's attention, other kinds of stretched positions,
 * quantised weights, ... Keys that change nothing in the arithmetic are passed over.
 */
#ifndef MODEL_HF_CONFIG_H
#define MODEL_HF_CONFIG_H

#include "base/arena.h"
#include "base/status.h"
#include "model/decoder.h"

struct hf_config {
    struct decoder_config decoder; /* without a name */
    int is_gpt2;                   /* otherwise LLaMA */
};

/* Local. Reads and checks the file. Faults: STATUS_IO, STATUS_USAGE. */
enum status hf_config_read(const char *path, struct hf_config *config, struct fault *fault);

#endif
