/* model_import.h - foreign model files become models: llama2.c, and safetensors with config.json (LLaMA, GPT-2).
 *
 * What a file is, its content says: a llama2.c file; a safetensors file; an index of several (model.safetensors.index
 * .json); a folder with one of the two. config.json is taken from the same folder unless it is named. Weights keep
 * their numbers exactly: float16 stays float16, bfloat16 and float32 become float32.
 *
 * Safetensors of LLaMA have the rows of q and k in half order (pairs j and j + width / 2 turn together): they are put
 * side by side, as model/decoder.h has them. GPT-2's matrices are [in, out] and q, k, v one: transposed and cut apart.
 * Tensors that the model does not have are refused, except GPT-2's causal masks, rotary frequencies, and a head that
 * equals the embedding to which it is tied.
 */
#ifndef MODEL_MODEL_IMPORT_H
#define MODEL_MODEL_IMPORT_H

#include "model/model_file.h"

struct model_import;

struct model_import_options {
    const char *config;    /* path of config.json; NULL: beside the weights */
    const char *tokenizer; /* path of a tokenizer of llama2.c; NULL: none */
    const char *name;      /* of the model; NULL: from the file's or folder's name */
};

/* Local. Opens a foreign model: shape, every tensor and its shape, tokenizer. *content reads from it until it is
 * closed; its source is set, its history "". Faults: STATUS_IO, STATUS_USAGE with file, tensor or key, expected and
 * found. */
enum status model_import_open(const char *path, const struct model_import_options *options,
                              struct model_import **import, struct model_content *content, struct fault *fault);
void model_import_close(struct model_import *import);

#endif
