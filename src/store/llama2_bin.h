/* llama2_bin.h - models in the files of llama2.c.
 *
 * A model file begins with 7 int32 (version 0: dim, hidden, layers, heads, kv heads, vocabulary, context; a negative
 * vocabulary says that the classifier is stored separately), or with the magic number 0x616b3432 ("ak42"), a version,
 * the same 7 numbers and a byte that is 1 when the classifier is shared, padded with zeros to 256 bytes (version 1).
 * Then float32 arrays follow. Version 2 is quantised to int8: refused.
 *
 *     version 0: embedding, attention norms, wq, wk, wv, wo, ffn norms, w1, w2, w3 (each of all layers), final norm,
 *                2 x [context, head width / 2] of cosines and sines (not needed), classifier if not shared
 *     version 1: attention norms, ffn norms (of all layers), final norm, embedding, wq, wk, wv, wo, w1, w2, w3,
 *                classifier if not shared
 *
 * Source: llama2.c, export.py.
 */
#ifndef STORE_LLAMA2_BIN_H
#define STORE_LLAMA2_BIN_H

#include <stdint.h>

#include "base/status.h"
#include "store/raw.h"

enum llama2_part {
    LLAMA2_EMBEDDING,  /* [vocabulary, dim] */
    LLAMA2_ATTN_NORM,  /* [dim] of each layer */
    LLAMA2_WQ,         /* [heads * width, dim] of each layer, width = dim / heads */
    LLAMA2_WK,         /* [kv_heads * width, dim] */
    LLAMA2_WV,         /* [kv_heads * width, dim] */
    LLAMA2_WO,         /* [dim, heads * width] */
    LLAMA2_FFN_NORM,   /* [dim] of each layer */
    LLAMA2_W1,         /* [hidden, dim], the gate */
    LLAMA2_W2,         /* [dim, hidden], down */
    LLAMA2_W3,         /* [hidden, dim], up */
    LLAMA2_NORM,       /* [dim] */
    LLAMA2_CLASSIFIER, /* [vocabulary, dim], if not shared */
    N_LLAMA2_PARTS
};

struct llama2_bin {
    struct raw raw;
    int version; /* 0 or 1 */
    int64_t dim, hidden, layers, heads, kv_heads, vocabulary, context;
    int shared;                           /* the classifier is the embedding */
    int64_t offset[N_LLAMA2_PARTS];       /* of a part in the file, bytes */
    int64_t layer_values[N_LLAMA2_PARTS]; /* values of one layer (of the whole, for parts that are not by layer) */
};

/* Local. Opens a model file: header, sizes and the length of the file must agree. Faults: STATUS_IO (cannot be read,
 * truncated), STATUS_USAGE (what is wrong, with expected and found). `path` must outlive it. */
enum status llama2_bin_open(const char *path, struct llama2_bin *bin, struct fault *fault);
void llama2_bin_close(struct llama2_bin *bin);

/* Local. Values first .. first + n - 1 of a part of one layer (0 for parts that are not by layer). */
enum status llama2_bin_read(const struct llama2_bin *bin, enum llama2_part part, int64_t layer, int64_t first,
                            int64_t n, float *values, struct fault *fault);

#endif
