/* libFuzzer target: any bytes as a tokenizer file, and any bytes as a text for a tokenizer. An encoded text comes back.
 */
#include <stdlib.h>
#include <string.h>

#include "memory_file.h"
#include "model/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { START_BYTES = 4 + 3 * (8 + 5) + 256 * (8 + 6) };

/* The pieces that every tokenizer has, so that the input's own come after them. */
static size_t start_of_file(uint8_t *bytes)
{
    size_t n = 0;
    const int32_t longest = 20, length = 6, marks = 5;
    const float score = 0;
    memcpy(bytes, &longest, 4);
    n += 4;
    for (int i = 0; i < 259; i++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", (unsigned)(i - 3) & 255);
        memcpy(bytes + n, &score, 4);
        memcpy(bytes + n + 4, i < 3 ? &marks : &length, 4);
        memcpy(bytes + n + 8, i < 3 ? "<s> <" : text, i < 3 ? 5 : 6);
        n += i < 3 ? 13 : 14;
    }
    return n;
}

static void round_trip(const struct tokenizer *tokenizer, const char *text, size_t length, struct arena *arena)
{
    int32_t *tokens;
    int64_t n;
    size_t n_back;
    tokenizer_encode(tokenizer, text, length, 1, arena, &tokens, &n);
    if (n < 1 || n > (int64_t)length + 2)
        bug("%lld tokens of %zu bytes", (long long)n, length);
    tokenizer_text(tokenizer, tokens, n, arena, &n_back);
    /* Pieces that the input made up may be BOS, bytes or blanks in disguise; without any the text must come back. */
    if (tokenizer->pieces.n == 259) {
        const char *back = tokenizer_text(tokenizer, tokens, n, arena, &n_back);
        if (length > 0 && (n_back != length + 1 || memcmp(back + 1, text, length) != 0))
            bug("a text of %zu bytes came back as %zu", length, n_back);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct tokenizer tokenizer;
    int with_start = size > 0 && data[0] % 4 != 0;
    /* A second text after "\xff\xfe" is what is encoded. */
    const uint8_t *mark = size ? memmem(data, size, "\xff\xfe", 2) : NULL;
    size_t n_file = mark ? (size_t)(mark - data) : size, n_text = mark ? size - n_file - 2 : 0;
    uint8_t *bytes = malloc(START_BYTES + n_file + 1);
    size_t n = with_start ? start_of_file(bytes) : 0;
    if (n_file > 1)
        memcpy(bytes + n, data + 1, n_file - 1);
    struct memory_file file = memory_file(bytes, n + (n_file > 1 ? n_file - 1 : 0));
    if (tokenizer_read(file.path, arena, &tokenizer, &fault) == STATUS_OK)
        round_trip(&tokenizer, mark ? (const char *)mark + 2 : "abc", mark ? n_text : 3, arena);
    else if (!*fault.text)
        bug("refused without a word");
    close(file.descriptor);
    free(bytes);
    arena_free(arena);
    return 0;
}
