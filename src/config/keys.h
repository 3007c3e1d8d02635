/* keys.h - the one table of everything that may stand in a job or a cluster.
 *
 * From it come the shape of the YAML that libcyaml is told to accept, defaults, checks, --set, job_print, the nearest
 * known key of a message and the table of keys in the manual. A new key is one line in the part of the table that it
 * belongs to (keys_train.c, keys_serve.c, keys_run.c, keys_cluster.c) and one member in job.h; a new section needs
 * nothing else: sections are the parts of the paths before the dots. A new list of mappings is one line in job_lists().
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stddef.h>

#include "base/unit.h"

enum key_kind {
    KEY_INT,             /* int64_t; a key with a word: JOB_UNSET where that is written */
    KEY_SEED,            /* uint64_t, its whole range */
    KEY_REAL,            /* double, with the key's unit */
    KEY_SWITCH,          /* int: 0 1 */
    KEY_SWITCH_OR_UNSET, /* int64_t: 0 1 JOB_UNSET */
    KEY_WORD,            /* const char *: one of the key's words */
    KEY_NAME,            /* const char *: letters, digits, '.', '_', '-' */
    KEY_TEXT,            /* const char *: any printable text */
    KEY_FILE,            /* const char *: as text; relative to the folder of the file it stands in */
    KEY_INTS,            /* struct int_list */
    KEY_WORDS,           /* struct word_list, each one of the key's words */
    KEY_TEXTS,           /* struct word_list of any texts */
    KEY_INT_PAIR,        /* int64_t[2], ascending */
    KEY_TIME_PAIR,       /* const char *[2]: ISO 8601, ascending */
    N_KEY_KINDS
};

enum key_need {
    KEY_DEFAULT, /* `fallback` is the default, written as in a file */
    KEY_OPEN,    /* may stay unset; `fallback` tells who decides then ("the preset") */
    KEY_REQUIRED
};

struct job_key {
    const char *path; /* "train.epochs"; keys of a list of mappings: "cluster.devices[].kind" */
    enum key_kind kind;
    size_t offset; /* in struct job, or in one element of the list */
    enum key_need need;
    const char *fallback;
    double unset;    /* KEY_OPEN numbers: the value that means not given */
    enum unit unit;  /* KEY_REAL */
    double min, max; /* numbers and elements of KEY_INTS, KEY_INT_PAIR */
    int min_excluded, max_excluded;
    const char *words;    /* KEY_WORD, KEY_WORDS: allowed words, separated by blanks; KEY_INT: one that may stand
                             instead of a number; KEY_TEXT: what text, for people */
    const char *alias;    /* KEY_WORD: a name that people know for what another word means, or NULL; ... */
    const char *alias_is; /* ... what it is called here, for the refusal of it */
    int is_set;           /* KEY_WORDS: each word once at most */
    int most;             /* lists: the most elements (the fewest are 1) */
    const char *meaning;  /* one line for the manual */
};

/* A list of mappings. */
struct job_list {
    const char *path;    /* "cluster.devices" */
    size_t offset;       /* of the first element in struct job */
    size_t count_offset; /* of its int count */
    size_t element_bytes;
    int required, most; /* elements: at least one needed; the most */
    const char *meaning;
};

/* Local. The i-th key, from 0, in the order of the manual and of job_print: keys of one section stand together. NULL
 * after the last. */
const struct job_key *job_key(int i);

/* Local. The table of lists. */
const struct job_list *job_lists(int *n);

/* Local. "a whole number from 1 to 8", "one of fp32, tf32", "a size such as ...": what a reader must write for a key
 * or, with `element`, for one element of a list key. Returns text. */
char *key_expected(char *text, size_t size, const struct job_key *key, int element);

/* Local. Kinds that are written as a YAML list; the fewest and the most elements. */
int key_is_list(const struct job_key *key);
int key_least(const struct job_key *key);
int key_most(const struct job_key *key);

/* Local. Copies the i-th of a key's words into word and returns it; NULL after the last. */
char *key_word(const struct job_key *key, int i, char *word, size_t size);

#endif
