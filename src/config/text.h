/* text.h - words for messages, and the text of a file.
 *
 * Every refusal of this room has one form: `file:line: key.path: expected ..., found ...`.
 */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

enum {
    CONFIG_MAX_BYTES = 1 << 20, /* of a file */
    CONFIG_MAX_DEPTH = 8,       /* mappings and lists inside each other */
    CONFIG_MAX_VALUES = 10000,  /* keys, values and list elements of a file */
    CONFIG_MAX_TEXT = 4096,     /* characters of one value */
    CONFIG_MAX_PATH = 256       /* of a key path in a message */
};

/* Where something stands: a line of a file, or (line 0) an override, named by its text. */
struct place {
    const char *file;
    int line;
};

/* Local. Sets STATUS_USAGE with the message; path may be NULL or empty. */
enum status refuse(struct fault *fault, struct place place, const char *path, const char *expected, const char *found);

/* Local. The user's text for a message: in quotes, cut when long, unprintable bytes as \xNN. Returns text. */
char *quote(char *text, size_t size, const char *user);

/* Local. Is it UTF-8 without control characters and line breaks of any kind? */
int text_is_printable(const char *text);

/* Local. The text as UTF-8, whatever it was: a byte that belongs to no character becomes U+FFFD. */
char *text_mended(struct arena *arena, const char *text);

/* Local. The whole file, ended by a NUL byte, in the arena. Fault STATUS_IO when it cannot be read, STATUS_USAGE when
 * it is too large or not a text. */
enum status text_read(struct arena *arena, const char *path, char **text, struct fault *fault);

/* Local. "jobs/" of "jobs/wind.yaml"; "" without a folder. And "wind": the last part without its ending, with
 * everything that may not stand in a name replaced by '_'. */
char *path_folder(struct arena *arena, const char *path);
char *path_stem(struct arena *arena, const char *path);

#endif
