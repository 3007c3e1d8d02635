/* outline.h - what stands where in a YAML text: names, texts and line numbers, before any meaning.
 *
 * It refuses what no job needs and what could be abused: anchors and aliases, tags, second documents, repeated keys,
 * tabs as indentation, NUL characters, deep nesting, huge texts. libcyaml then loads a text that is known to be
 * harmless.
 */
#ifndef CONFIG_OUTLINE_H
#define CONFIG_OUTLINE_H

#include "config/text.h"

enum entry_kind { ENTRY_SCALAR, ENTRY_LIST, ENTRY_MAPPING };

struct entry {
    enum entry_kind kind;
    const char *name; /* key; NULL for list elements and the root */
    const char *text; /* of a scalar */
    int line;
    int index; /* place among its siblings */
    int n;     /* children */
    int depth;
    struct entry *parent, *child, *last, *next;
};

/* Local. Reads the text (ended by NUL) of the file `file` (for messages). Fault STATUS_USAGE. */
enum status outline_read(struct arena *arena, const char *file, const char *text, struct entry **root,
                         struct fault *fault);

/* Local. The child with this key, or NULL (also when entry is NULL or no mapping). */
const struct entry *entry_find(const struct entry *entry, const char *name);

/* Local. "cluster.devices[0].kind". Returns text. */
char *entry_path(char *text, size_t size, const struct entry *entry);

/* Local. What was found there, for a message: "'ten'", "a list of 3", "a section", "nothing". Returns text. */
char *entry_found(char *text, size_t size, const struct entry *entry);

#endif
