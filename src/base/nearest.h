/* nearest.h - "did you mean": the known word nearest to a misspelt one. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* Local. The word of `words[n_words]` with the smallest edit distance to `word`, or NULL when none is close enough to
 * help (distance above a third of the length, at least 2). Ties: the first in the list. */
const char *nearest_word(const char *word, const char *const *words, size_t n_words);

#endif
