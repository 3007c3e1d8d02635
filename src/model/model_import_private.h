/* model_import_private.h - the two kinds of foreign models behind model_import.h. */
#ifndef MODEL_MODEL_IMPORT_PRIVATE_H
#define MODEL_MODEL_IMPORT_PRIVATE_H

#include "model/hf_config.h"
#include "model/model_import.h"
#include "store/llama2_bin.h"
#include "store/safetensors.h"

/* Where a weight lies in a tensor of a safetensors file. */
struct hf_place {
    const struct safetensor *tensor;
    int64_t first;  /* the weight begins at this column (matrices that are transposed) or value (vectors) */
    int transposed; /* the tensor is [in, out] */
    int halves;     /* rows of each head are in half order */
};

struct hf_model {
    struct tensor_set set;
    struct decoder_config config;
    struct hf_place *place; /* [decoder_weights(&config)] */
};

/* Local. Opens safetensors (file, or index) with its config.json. */
enum status hf_model_open(const char *path, int is_index, const char *config_path, struct arena *arena,
                          struct hf_model *model, struct fault *fault);

/* Local. The functions of struct model_content, on a struct hf_model and on a struct llama2_bin. */
enum status hf_model_rows(void *state, int weight, int64_t first, int64_t n_rows, float *values, struct fault *fault);
int hf_model_is_half(const void *state, int weight);

/* Local. Finds a place for each weight: names, shapes, types; refuses tensors that are left over. */
enum status hf_places(const struct tensor_set *set, const struct hf_config *config, struct arena *arena,
                      struct hf_place **places, struct fault *fault);

#endif
