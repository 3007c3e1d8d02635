/* token_pieces.h - the tokenizer files of llama2.c: pieces of text and their scores.
 *
 * int32 longest piece in bytes, then for each piece until the end of the file float32 score, int32 length, that many
 * bytes; little-endian. How a text becomes pieces is model/tokenizer.h.
 * Source: llama2.c, tokenizer.py.
 */
#ifndef STORE_TOKEN_PIECES_H
#define STORE_TOKEN_PIECES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

/* Pieces by token number; texts are not NUL-terminated and may hold any byte. */
struct token_pieces {
    int64_t n;
    int64_t max_length; /* as the file says: no piece is longer */
    const char **piece;
    int32_t *length; /* bytes */
    float *score;
};

/* Local. Reads a tokenizer file into the arena. Faults: STATUS_IO (cannot be read, truncated), STATUS_USAGE (a negative
 * or too large length, a score that is no finite number, no pieces; with the number of the piece). */
enum status token_pieces_read(const char *path, struct arena *arena, struct token_pieces *pieces, struct fault *fault);

#endif
