/* tree.h - the key table as a tree of sections, for walking it beside a YAML document. */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "base/arena.h"
#include "config/keys.h"

struct node {
    const char *name; /* "epochs"; NULL at the root */
    struct node *parent, *child, *next;
    const struct job_key *key;   /* a value; `cluster` is both a value (file name) and a section */
    const struct job_list *list; /* a list of mappings; the children are the keys of one element */
    int slot;                    /* number of this value or list in its record: the job or one element */
    int n_slots;                 /* root and lists: slots of one record */
};

/* Local. The whole tree, in the arena; siblings in the order of the table. */
struct node *tree_new(struct arena *arena);

/* Local. The same of another table (a study's). */
struct node *tree_of(struct arena *arena, const struct job_key *keys, int n_keys);

/* Local. The child with this name (length characters of it), or NULL. */
const struct node *node_find(const struct node *parent, const char *name, size_t length);

/* Local. "train.epochs", "devices[].kind": the path as seen from `root`. Returns text. */
char *node_path(char *text, size_t size, const struct node *node, const struct node *root);

/* Local. What may stand there, for a message: "a section with the keys epochs, steps, ...". Returns text. */
char *node_expected(char *text, size_t size, const struct node *node);

/* Local. "one of the keys epochs, steps, ...": what a section knows. Returns text. */
char *node_keys(char *text, size_t size, const struct node *node);

/* Local. "'train.epochs'" in "(did you mean 'train.epochs'?)": the known node nearest to a name that `parent` does not
 * have, first among its children, then anywhere below `root`; NULL when none is near. */
const struct node *node_nearest(struct arena *arena, const struct node *parent, const struct node *root,
                                const char *name);

#endif
