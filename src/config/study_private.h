/* study_private.h - shared by the parts of the reader of studies. */
#ifndef CONFIG_STUDY_PRIVATE_H
#define CONFIG_STUDY_PRIVATE_H

#include "config/outline.h"
#include "config/study.h"
#include "config/tree.h"

/* A study while it is being read. */
struct study_reading {
    struct arena *arena;
    const char *file, *folder;   /* folder: absolute, ending in '/' */
    const struct node *tree;     /* of the study's keys */
    const struct node *job_tree; /* of the job's keys */
    struct study *study;
    struct fault *fault;
};

/* Local. The key of a job that a path names; indices of lists are not checked. Fault: refused as in a job. */
enum status study_find_key(const struct study_reading *reading, const struct entry *entry, const struct job_key **key);

/* Local. The value below an entry as --set takes it, checked against the key's table line. */
enum status study_value(const struct study_reading *reading, const struct job_key *key, const struct entry *entry,
                        const char **value);

/* Local. Adds the axes of a section of keys to the study; of the entry `counts` of a scaling study, whose key is
 * study->over. */
enum status study_take_axes(const struct study_reading *reading, const struct entry *section, enum axis_group group);
enum status study_take_counts(const struct study_reading *reading, const struct entry *entry);

/* Local. What no single axis tells: zipped lists are as long as each other, no key varies twice. */
enum status study_check_axes(const struct study_reading *reading);

/* Local. Fault at an entry. */
enum status study_refuse(const struct study_reading *reading, const struct entry *entry, const char *expected,
                         const char *found);

#endif
