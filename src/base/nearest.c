#include "base/nearest.h"

#include <string.h>

enum { MAX_WORD = 96 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Edit distance in which swapping two neighbours counts once ("epcohs"), the commonest slip of fingers. Three rows of
 * the table are enough. */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t rows[3][MAX_WORD + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n_b; j++)
        above[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[n_b];
}

const char *nearest_word(const char *word, const char *const *words, size_t n_words)
{
    size_t length = strlen(word);
    if (length == 0 || length > MAX_WORD)
        return NULL;
    size_t limit = length / 3 < 2 ? 2 : length / 3;
    if (limit > length / 2) /* too little in common would be left */
        limit = length / 2;
    const char *nearest = NULL;
    for (size_t i = 0; i < n_words; i++) {
        size_t n = strlen(words[i]);
        if (n == 0 || n > MAX_WORD)
            continue;
        size_t d = distance(word, length, words[i], n);
        if (d <= limit && d < n) {
            nearest = words[i];
            limit = d == 0 ? 0 : d - 1;
            if (d == 0)
                break;
        }
    }
    return nearest;
}
