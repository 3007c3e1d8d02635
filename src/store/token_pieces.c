#include "store/token_pieces.h"

#include <math.h>

#include "store/raw.h"

enum { MAX_FILE_BYTES = 1 << 28, MAX_PIECE_BYTES = 1 << 16 };

/* One piece at `at` of the file's bytes; the place after it, or -1 with a fault. */
static int64_t read_piece(const char *path, const unsigned char *bytes, int64_t size, int64_t at,
                          struct token_pieces *pieces, struct fault *fault)
{
    long long number = (long long)pieces->n;
    if (size - at < 8) {
        fault_set(fault, STATUS_IO, "%s: truncated: piece %lld: expected a score and a length, found %lld bytes", path,
                  number, (long long)(size - at));
        return -1;
    }
    float score = raw_f32(bytes + at);
    int64_t length = (int32_t)raw_u32(bytes + at + 4);
    if (!isfinite(score)) {
        fault_set(fault, STATUS_USAGE, "%s: piece %lld: score: expected a finite number, found %g", path, number,
                  (double)score);
        return -1;
    }
    if (length < 0 || length > pieces->max_length) {
        fault_set(fault, STATUS_USAGE, "%s: piece %lld: length: expected 0 .. %lld, found %lld", path, number,
                  (long long)pieces->max_length, (long long)length);
        return -1;
    }
    if (length > size - at - 8) {
        fault_set(fault, STATUS_IO, "%s: truncated: piece %lld: expected %lld bytes, found %lld", path, number,
                  (long long)length, (long long)(size - at - 8));
        return -1;
    }
    if (pieces->piece) {
        pieces->piece[pieces->n] = (const char *)bytes + at + 8;
        pieces->length[pieces->n] = (int32_t)length;
        pieces->score[pieces->n] = score;
    }
    pieces->n++;
    return at + 8 + length;
}

static enum status walk(const char *path, const unsigned char *bytes, int64_t size, struct token_pieces *pieces,
                        struct fault *fault)
{
    pieces->n = 0;
    for (int64_t at = 4; at < size;) {
        at = read_piece(path, bytes, size, at, pieces, fault);
        if (at < 0)
            return fault->status;
    }
    if (pieces->n == 0)
        return fault_set(fault, STATUS_USAGE, "%s: not a tokenizer of llama2.c: it has no pieces", path);
    return STATUS_OK;
}

enum status token_pieces_read(const char *path, struct arena *arena, struct token_pieces *out, struct fault *fault)
{
    struct raw raw;
    struct token_pieces pieces = {0};
    enum status status = raw_open(path, &raw, fault);
    if (status != STATUS_OK)
        return status;
    unsigned char *bytes = NULL;
    if (raw.size < 4 || raw.size > MAX_FILE_BYTES)
        status = fault_set(fault, STATUS_USAGE, "%s: not a tokenizer of llama2.c: expected 4 .. %d bytes, found %lld",
                           path, MAX_FILE_BYTES, (long long)raw.size);
    if (status == STATUS_OK) {
        bytes = arena_take(arena, (size_t)raw.size);
        status = raw_read(&raw, 0, raw.size, bytes, "tokenizer", fault);
    }
    raw_close(&raw);
    if (status != STATUS_OK)
        return status;
    pieces.max_length = (int32_t)raw_u32(bytes);
    if (pieces.max_length < 1 || pieces.max_length > MAX_PIECE_BYTES)
        return fault_set(fault, STATUS_USAGE,
                         "%s: not a tokenizer of llama2.c: longest piece: expected 1 .. %d bytes, found %lld", path,
                         MAX_PIECE_BYTES, (long long)pieces.max_length);
    status = walk(path, bytes, raw.size, &pieces, fault); /* counts */
    if (status != STATUS_OK)
        return status;
    pieces.piece = arena_array(arena, (size_t)pieces.n, sizeof *pieces.piece);
    pieces.length = arena_array(arena, (size_t)pieces.n, sizeof *pieces.length);
    pieces.score = arena_array(arena, (size_t)pieces.n, sizeof *pieces.score);
    status = walk(path, bytes, raw.size, &pieces, fault);
    if (status == STATUS_OK)
        *out = pieces;
    return status;
}
