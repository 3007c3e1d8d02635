/* value.h - one value of the key table: from text into its member, and back to text. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdio.h>

#include "config/keys.h"
#include "config/text.h"

/* One text as it stands in a file, a default or an override. */
struct item {
    const char *text;
    int line; /* 0: not in a file */
};

/* What a value is read for. */
struct site {
    struct arena *arena;
    const char *file;   /* for messages: the file, or the override */
    const char *path;   /* of the key, for messages */
    const char *folder; /* that file names are relative to, ending in '/'; "" for the current one */
    struct fault *fault;
};

/* Local. Checks n texts (one unless the key is a list) and stores the value at base + key->offset. Texts are copied
 * into the arena. Fault STATUS_USAGE. */
enum status value_set(const struct site *site, const struct job_key *key, void *base, const struct item *items, int n);

/* Local. The value that means not given. */
void value_unset(const struct job_key *key, void *base);
int value_is_set(const struct job_key *key, const void *base);

/* Local. Writes the value as YAML, without key and line end, so that value_set reads back exactly the same; file names
 * relative to `folder` where they lie below it. */
void value_print(FILE *out, const struct job_key *key, const void *base, const char *folder);

#endif
