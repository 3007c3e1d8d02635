/* explain.h - why a document has not the shape that the key table wants, in words that help. */
#ifndef CONFIG_EXPLAIN_H
#define CONFIG_EXPLAIN_H

#include "config/outline.h"
#include "config/tree.h"

/* Local. The first disagreement, in the order of the file, between a document and the section `root` of the table as
 * fault STATUS_USAGE; STATUS_OK when there is none. */
enum status explain(struct arena *arena, const char *file, const struct node *root, const struct entry *entry,
                    struct fault *fault);

/* Local. Refuses the unknown key `name` of the section `parent`; `path` is its whole path. */
enum status refuse_key(struct arena *arena, struct place place, const char *path, const struct node *root,
                       const struct node *parent, const char *name, struct fault *fault);

#endif
