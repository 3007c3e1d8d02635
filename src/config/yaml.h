/* yaml.h - libcyaml: the texts of a document, loaded by a schema that is made from the key table.
 *
 * libcyaml decides what shape a document may have. What it says goes into the fault, never to stderr; when it refuses,
 * the outline tells where and in which words.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "config/outline.h"
#include "config/tree.h"

/* One key of a record (a job, or one element of a list of mappings); data is NULL when the key is absent. */
struct slot {
    void *data; /* a value: char *; a list key: char *[count]; a list of mappings: struct slot[count * n_slots] */
    unsigned count;
};

/* Local. Loads `text`, whose outline is `entry`, as the section `root`. *record gets root->n_slots slots (of the whole
 * tree's root when `root` is a section of it), to be freed by texts_free. Fault STATUS_USAGE. */
struct texts;
enum status texts_load(struct arena *arena, const char *file, const char *text, const struct node *root,
                       const struct entry *entry, struct texts **texts, struct fault *fault);
const struct slot *texts_record(const struct texts *texts);
void texts_free(struct texts *texts);

/* Local. Calls visit for every key path of the schema that libcyaml gets ("train.epochs", "cluster.devices[].kind"), so
 * that a test can hold it against the key table. */
void texts_each_key(struct arena *arena, void (*visit)(void *context, const char *path), void *context);

#endif
