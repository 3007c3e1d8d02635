#include "model/tokenizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* ---- making one ---- */

static int compare_bytes(const char *a, size_t n_a, const char *b, size_t n_b)
{
    int order = memcmp(a, b, n_a < n_b ? n_a : n_b);
    return order ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare_tokens(const void *x, const void *y, void *data)
{
    const struct token_pieces *pieces = data;
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;
    int order = compare_bytes(pieces->piece[a], (size_t)pieces->length[a], pieces->piece[b], (size_t)pieces->length[b]);
    return order ? order : (a > b) - (a < b);
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that a piece "<0x0A>" stands for, or -1. */
static int byte_of(const struct token_pieces *pieces, int64_t token)
{
    const char *piece = pieces->piece[token];
    if (pieces->length[token] != 6 || memcmp(piece, "<0x", 3) != 0 || piece[5] != '>')
        return -1;
    int high = digit_of(piece[3]), low = digit_of(piece[4]);
    return high >= 0 && low >= 0 ? 16 * high + low : -1;
}

static enum status check_pieces(const char *path, const struct token_pieces *pieces, int64_t bos, int64_t eos,
                                struct fault *fault)
{
    if (pieces->n < TOKENIZER_FIRST_BYTE + 256 || pieces->n > INT32_MAX)
        return fault_set(fault, STATUS_USAGE,
                         "%s: tokenizer: expected at least %d pieces (3 and 256 bytes), found %lld", path,
                         TOKENIZER_FIRST_BYTE + 256, (long long)pieces->n);
    if (bos < 0 || bos >= pieces->n || eos < 0 || eos >= pieces->n)
        return fault_set(fault, STATUS_USAGE, "%s: tokenizer: expected BOS and EOS in 0 .. %lld, found %lld and %lld",
                         path, (long long)pieces->n - 1, (long long)bos, (long long)eos);
    for (int64_t i = 0; i < pieces->n; i++) {
        if (!isfinite(pieces->score[i]))
            return fault_set(fault, STATUS_USAGE, "%s: piece %lld: score: expected a finite number, found %g", path,
                             (long long)i, (double)pieces->score[i]);
        if (pieces->length[i] < 0 || pieces->length[i] > pieces->max_length)
            return fault_set(fault, STATUS_USAGE, "%s: piece %lld: length: expected 0 .. %lld, found %d", path,
                             (long long)i, (long long)pieces->max_length, pieces->length[i]);
        int64_t byte = i - TOKENIZER_FIRST_BYTE;
        if (byte >= 0 && byte < 256 && byte_of(pieces, i) != byte)
            return fault_set(fault, STATUS_USAGE, "%s: piece %lld: expected \"<0x%02llX>\", found \"%.*s\"", path,
                             (long long)i, (unsigned long long)byte,
                             pieces->length[i] < 40 ? (int)pieces->length[i] : 40, pieces->piece[i]);
    }
    return STATUS_OK;
}

enum status tokenizer_new(const char *path, const struct token_pieces *pieces, int64_t bos, int64_t eos,
                          struct arena *arena, struct tokenizer *tokenizer, struct fault *fault)
{
    enum status status = check_pieces(path, pieces, bos, eos, fault);
    if (status != STATUS_OK)
        return status;
    int32_t *order = arena_array(arena, (size_t)pieces->n, sizeof *order);
    for (int64_t i = 0; i < pieces->n; i++)
        order[i] = (int32_t)i;
    qsort_r(order, (size_t)pieces->n, sizeof *order, compare_tokens, (void *)pieces);
    *tokenizer = (struct tokenizer){*pieces, (int32_t)bos, (int32_t)eos, order};
    return STATUS_OK;
}

enum status tokenizer_read(const char *path, struct arena *arena, struct tokenizer *tokenizer, struct fault *fault)
{
    struct token_pieces pieces;
    enum status status = token_pieces_read(path, arena, &pieces, fault);
    if (status == STATUS_OK)
        status = tokenizer_new(path, &pieces, TOKENIZER_BOS, TOKENIZER_EOS, arena, tokenizer, fault);
    return status;
}

/* ---- encoding ---- */

/* The token of a piece, the smallest number of equal ones; -1 if there is none. */
static int32_t find(const struct tokenizer *tokenizer, const char *text, size_t length)
{
    const struct token_pieces *pieces = &tokenizer->pieces;
    int64_t low = 0, high = pieces->n;
    if (length == 0 || (int64_t)length > pieces->max_length)
        return -1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int32_t token = tokenizer->order[middle];
        if (compare_bytes(pieces->piece[token], (size_t)pieces->length[token], text, length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == pieces->n)
        return -1;
    int32_t token = tokenizer->order[low];
    return compare_bytes(pieces->piece[token], (size_t)pieces->length[token], text, length) == 0 ? token : -1;
}

/* A pair that could be merged: what it becomes, and which state of its left token it was found in. */
struct candidate {
    float score;
    int32_t joined;
    int64_t place;
    int64_t version;
};

/* What merging is about. Tokens keep their places; a merge takes the right one out of the chain. */
struct merging {
    const struct tokenizer *tokenizer;
    int64_t n;               /* places */
    int32_t *token;          /* [n] */
    int64_t *before, *after; /* [n] neighbours in the chain, -1: none */
    int64_t *version;        /* [n] counts the changes of a place and its right neighbour */
    struct candidate *heap;  /* [3 n]: a first pair of each place and two more for each merge; the best is the first */
    int64_t n_heap;
    char *text; /* room for two pieces */
};

/* The higher score first, of equal ones the left pair. */
static int is_better(const struct candidate *a, const struct candidate *b)
{
    return a->score > b->score || (a->score == b->score && a->place < b->place);
}

static void swap(struct candidate *a, struct candidate *b)
{
    struct candidate c = *a;
    *a = *b;
    *b = c;
}

static void heap_add(struct merging *m, struct candidate candidate)
{
    int64_t i = m->n_heap++;
    m->heap[i] = candidate;
    for (; i > 0 && is_better(&m->heap[i], &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&m->heap[i], &m->heap[(i - 1) / 2]);
}

static struct candidate heap_take(struct merging *m)
{
    struct candidate best = m->heap[0];
    m->heap[0] = m->heap[--m->n_heap];
    for (int64_t i = 0;;) {
        int64_t next = 2 * i + 1;
        if (next + 1 < m->n_heap && is_better(&m->heap[next + 1], &m->heap[next]))
            next++;
        if (next >= m->n_heap || !is_better(&m->heap[next], &m->heap[i]))
            return best;
        swap(&m->heap[i], &m->heap[next]);
        i = next;
    }
}

/* Looks at the pair that begins at a place, which or whose neighbour has changed. */
static void consider(struct merging *m, int64_t place)
{
    const struct token_pieces *pieces = &m->tokenizer->pieces;
    if (place < 0)
        return;
    m->version[place]++;
    if (m->after[place] < 0)
        return;
    int32_t a = m->token[place], b = m->token[m->after[place]];
    size_t n_a = (size_t)pieces->length[a], n_b = (size_t)pieces->length[b];
    memcpy(m->text, pieces->piece[a], n_a);
    memcpy(m->text + n_a, pieces->piece[b], n_b);
    int32_t joined = find(m->tokenizer, m->text, n_a + n_b);
    if (joined >= 0)
        heap_add(m, (struct candidate){pieces->score[joined], joined, place, m->version[place]});
}

static void merge_all(struct merging *m)
{
    for (int64_t i = 0; i < m->n; i++) {
        m->before[i] = i - 1;
        m->after[i] = i + 1 < m->n ? i + 1 : -1;
    }
    for (int64_t i = 0; i < m->n; i++)
        consider(m, i);
    while (m->n_heap > 0) {
        struct candidate best = heap_take(m);
        int64_t left = best.place, right = m->after[left];
        if (best.version != m->version[left])
            continue;
        m->token[left] = best.joined;
        m->after[left] = m->after[right];
        if (m->after[right] >= 0)
            m->before[m->after[right]] = left;
        m->version[right]++; /* it is gone, and with it the pair that began there */
        consider(m, left);
        consider(m, m->before[left]);
    }
    int64_t n = 0;
    for (int64_t i = m->n ? 0 : -1; i >= 0; i = m->after[i])
        m->token[n++] = m->token[i];
    m->n = n;
}

/* Bytes of the character at the start of the text: one and up to three continuations. */
static size_t character(const char *text, size_t length)
{
    size_t n = 1;
    while (n < 4 && n < length && (text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static void add_characters(struct merging *m, const char *text, size_t length)
{
    for (size_t n; length > 0; text += n, length -= n) {
        n = character(text, length);
        int32_t token = find(m->tokenizer, text, n);
        if (token >= 0)
            m->token[m->n++] = token;
        for (size_t i = 0; token < 0 && i < n; i++)
            m->token[m->n++] = TOKENIZER_FIRST_BYTE + (unsigned char)text[i];
    }
}

void tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length, int with_bos,
                      struct arena *arena, int32_t **tokens, int64_t *n)
{
    size_t most = length + 2; /* tokens: each byte, the space before, BOS */
    int32_t *room = arena_array(arena, most, sizeof *room);
    struct arena *scratch = arena_new();
    struct merging m = {.tokenizer = tokenizer,
                        .token = room + (with_bos != 0),
                        .before = arena_array(scratch, most, sizeof *m.before),
                        .after = arena_array(scratch, most, sizeof *m.after),
                        .version = arena_array(scratch, most, sizeof *m.version),
                        .heap = arena_array(scratch, 3 * most, sizeof *m.heap),
                        .text = arena_array(scratch, 2, (size_t)tokenizer->pieces.max_length + 1)};
    if (length > 0) {
        add_characters(&m, " ", 1);
        add_characters(&m, text, length);
    }
    merge_all(&m);
    if (with_bos)
        room[0] = tokenizer->bos;
    *tokens = room;
    *n = m.n + (with_bos != 0);
    arena_free(scratch);
}

/* ---- decoding ---- */

/* A byte token's text: one byte of a table of all. */
static const char *byte_text(int byte)
{
    static const unsigned char bytes[256] = {
#define ROW(x) x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7
#define ROWS(x) ROW(x), ROW(x + 8), ROW(x + 16), ROW(x + 24)
        ROWS(0), ROWS(32), ROWS(64), ROWS(96), ROWS(128), ROWS(160), ROWS(192), ROWS(224)};
    return (const char *)&bytes[byte];
}

const char *tokenizer_decode(const struct tokenizer *tokenizer, int32_t previous, int32_t token, size_t *length)
{
    const struct token_pieces *pieces = &tokenizer->pieces;
    if (token < 0 || token >= pieces->n)
        bug("token %d of %lld", token, (long long)pieces->n);
    *length = 0;
    if (token == tokenizer->bos || token == tokenizer->eos)
        return "";
    int byte = byte_of(pieces, token);
    *length = byte >= 0 ? 1 : (size_t)pieces->length[token];
    const char *text = byte >= 0 ? byte_text(byte) : pieces->piece[token];
    if (previous == tokenizer->bos && *length > 0 && byte < 0 && text[0] == ' ') {
        text++;
        --*length;
    }
    return text;
}

char *tokenizer_text(const struct tokenizer *tokenizer, const int32_t *tokens, int64_t n, struct arena *arena,
                     size_t *length)
{
    size_t total = 0, part;
    for (int64_t i = 0; i < n; i++) {
        tokenizer_decode(tokenizer, i ? tokens[i - 1] : -1, tokens[i], &part);
        total += part;
    }
    char *text = arena_take(arena, total + 1);
    *length = 0;
    for (int64_t i = 0; i < n; i++) {
        const char *piece = tokenizer_decode(tokenizer, i ? tokens[i - 1] : -1, tokens[i], &part);
        memcpy(text + *length, piece, part);
        *length += part;
    }
    return text;
}

uint64_t tokenizer_hash(const struct tokenizer *tokenizer, uint64_t hash)
{
    const struct token_pieces *pieces = &tokenizer->pieces;
    hash = hash_number(hash, (uint64_t)pieces->n);
    for (int64_t i = 0; i < pieces->n; i++) {
        hash = hash_number(hash, (uint64_t)pieces->length[i]);
        hash = hash_bytes(hash, (size_t)pieces->length[i], pieces->piece[i]);
    }
    hash = hash_floats(hash, (size_t)pieces->n, pieces->score);
    return hash_number(hash_number(hash, (uint64_t)tokenizer->bos), (uint64_t)tokenizer->eos);
}
