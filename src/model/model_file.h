/* model_file.h - a decoder model in one HDF5 file: its shape, weights and tokenizer.
 *
 * Layout, readable with h5py as it is:
 *
 *     /            attributes: polyrank_model_version (1), name, family, layers, d_model, heads, kv_heads, head_width,
 *                  ffn, vocabulary, context, act (relu gelu gelu_tanh silu), gated, rotary, rms_norm, tied, biases,
 *                  norm_eps, rope_theta, rope_factor, rope_low, rope_high, rope_original, source, history, content_hash
 *     /weights/N   float32 or float16, N and shape as model/decoder.h lists them ("layers.0.attn.q.weight");
 *                  attribute hash
 *     /tokenizer   (optional) attributes bos, eos, max_length; bytes uint8 [sum of lengths], length int32 [pieces],
 *                  score float32 [pieces]
 *
 * Hashes are FNV-1a 64 (base/hash.h) in 16 hexadecimal digits: a weight's of its values as float32, whatever it is
 * stored as; content_hash of the shape without its name, all weights and the tokenizer. Two files of equal content_hash
 * answer alike. Rows of weights can be read alone, so that a device reads its share.
 *
 * Faults: STATUS_IO (no such file, damaged), STATUS_USAGE (no model, a version or shape that does not fit: file,
 * object, expected, found), STATUS_INVALID (the content is wrong: a hash, a number that is not finite).
 */
#ifndef MODEL_MODEL_FILE_H
#define MODEL_MODEL_FILE_H

#include "base/arena.h"
#include "base/status.h"
#include "model/decoder.h"
#include "model/tokenizer.h"

enum { MODEL_FILE_VERSION = 1 };

/* ---- writing ---- */

/* A model to write: its shape, and where its weights come from, row by row (a vector of n values has n rows of one). */
struct model_content {
    struct decoder_config config;
    const char *source;                /* where the model comes from, in words */
    const char *history;               /* the command line; "" */
    const struct tokenizer *tokenizer; /* NULL: none */
    void *state;                       /* of the two functions */
    /* Rows first .. first + n_rows - 1 of a weight by its number (decoder_weight). */
    enum status (*read)(void *state, int weight, int64_t first, int64_t n_rows, float *values, struct fault *fault);
    /* Whether a weight is stored as float16; its values must then be float16 values, or `round` is set. */
    int (*is_half)(const void *state, int weight);
    int round; /* values may be rounded to float16 */
};

/* Local. Writes the file, in blocks of rows of a few MiB: no weight is in memory as a whole. The hash into `hash`
 * (17 bytes), which may be NULL. */
enum status model_file_write(const char *path, const struct model_content *content, char *hash, struct fault *fault);

/* ---- reading ---- */

struct model_file;

/* Local. 1 if the file is an HDF5 file that says that it is a model. */
int model_file_is(const char *path);

/* Local. Opens a model and reads its shape; every weight must be there, with its shape and type. */
enum status model_file_open(const char *path, struct model_file **file, struct fault *fault);
void model_file_close(struct model_file *file);

/* Local. What the file says; borrowed until it is closed. */
const struct decoder_config *model_file_config(const struct model_file *file);
const char *model_file_source(const struct model_file *file);
const char *model_file_history(const struct model_file *file);
const char *model_file_hash(const struct model_file *file); /* 16 digits */
int model_file_is_half(const struct model_file *file, int weight);
const struct tokenizer *model_file_tokenizer(const struct model_file *file); /* NULL: none */

/* Local. Rows first .. first + n_rows - 1 of a weight, widened to float. Out of range: a bug. */
enum status model_file_read_rows(struct model_file *file, int weight, int64_t first, int64_t n_rows, float *values,
                                 struct fault *fault);

/* Local. A whole weight, compared with its hash. */
enum status model_file_read(struct model_file *file, int weight, float *values, struct fault *fault);

/* Local. All weights, compared with their hashes: value[i] of weight i, in one block that the caller frees with
 * block_free. Fault STATUS_FAILED when they do not fit into memory. */
enum status model_file_read_all(struct model_file *file, const float **value, void **block, struct fault *fault);

/* Local. Reads every byte: the checksum of the file, weights that are finite numbers, all hashes. */
enum status model_file_check(const char *path, struct fault *fault);

#endif
