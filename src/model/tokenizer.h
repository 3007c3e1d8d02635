/* tokenizer.h - text to tokens and back: byte pairs merged by score, as llama2.c and sentencepiece models have it.
 *
 * A tokenizer is a list of pieces; a token is the number of a piece. Encoding: a space before a text that is not empty;
 * every UTF-8 character (a byte and up to three continuation bytes) becomes its piece, or, if there is none, its bytes
 * become the tokens byte + 3 (the pieces "<0x00>" .. "<0xFF>" at 3 .. 258); then the pair of neighbours whose joined
 * piece has the highest score, the leftmost of equal ones, is merged until no pair has a piece. Decoding puts the
 * pieces side by side: one leading space after BOS is dropped, "<0x0A>" is that byte, BOS and EOS are no text. Source:
 * llama2.c, run.c (encode, decode), written anew.
 *
 * Any bytes can be encoded, NUL included. Equal pieces: the one of the smaller number is taken.
 */
#ifndef MODEL_TOKENIZER_H
#define MODEL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "store/token_pieces.h"

enum { TOKENIZER_BOS = 1, TOKENIZER_EOS = 2, TOKENIZER_FIRST_BYTE = 3 };

struct tokenizer {
    struct token_pieces pieces;
    int32_t bos, eos;
    const int32_t *order; /* [pieces.n] tokens by piece, equal pieces by number */
};

/* Local. Checks the pieces (borrowed: they must live as long as the arena) and sorts them. Fault STATUS_USAGE: BOS or
 * EOS out of range, the 256 bytes missing, a length or score that is out of range. `path` is for messages. */
enum status tokenizer_new(const char *path, const struct token_pieces *pieces, int64_t bos, int64_t eos,
                          struct arena *arena, struct tokenizer *tokenizer, struct fault *fault);

/* Local. Reads a tokenizer file of llama2.c; BOS 1, EOS 2. */
enum status tokenizer_read(const char *path, struct arena *arena, struct tokenizer *tokenizer, struct fault *fault);

/* Local. The tokens of `length` bytes of text, BOS first if asked for, into the arena. Never fails: there is a token
 * for every byte. Time is of order length x log(length x pieces). */
void tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length, int with_bos,
                      struct arena *arena, int32_t **tokens, int64_t *n);

/* Local. The text that `token` adds after `previous` (-1: nothing before): *length bytes, borrowed. A token out of
 * range is a bug: check it against pieces.n first. */
const char *tokenizer_decode(const struct tokenizer *tokenizer, int32_t previous, int32_t token, size_t *length);

/* Local. The text of n tokens, NUL-terminated (it may hold NULs, *length counts them), into the arena. */
char *tokenizer_text(const struct tokenizer *tokenizer, const int32_t *tokens, int64_t n, struct arena *arena,
                     size_t *length);

/* Local. Hash of pieces, scores, BOS and EOS. */
uint64_t tokenizer_hash(const struct tokenizer *tokenizer, uint64_t hash);

#endif
