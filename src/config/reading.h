/* reading.h - a job while it is being read: where each value came from, so that late checks can still name file and
 * line. */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include "config/job.h"
#include "config/outline.h"
#include "config/tree.h"

/* A document that values came from. */
struct source {
    const char *file;          /* as messages name it */
    const char *folder;        /* that its file names are relative to */
    const struct node *root;   /* what it holds: the whole tree, or the section `cluster` */
    const struct entry *entry; /* NULL: not read */
};

struct reading {
    struct arena *arena;
    const struct node *tree;
    struct job *job;
    struct source job_file;     /* entry NULL when a cluster is read alone */
    struct source cluster_file; /* entry NULL when the cluster stands in the job */
    const char *const *overrides;
    int n_overrides;
    struct fault *fault;
};

/* Local. Sets every value of a record (job or list element) below `node` to its default or to not given. */
void defaults_set(const struct reading *reading, const struct node *node, void *base);

/* Local. Reads the text of a source into the job. */
enum status source_read(const struct reading *reading, struct source *source, const char *text);

/* Local. "--set train.epochs=3" as the place of a message. */
struct place override_place(const struct reading *reading, int i);

/* Local. Where the value of a key came from: the last override that gives it, the cluster's or the job's file. */
struct place value_place(const struct reading *reading, const char *path);

/* Local. Takes `cluster=FILE` overrides only: sets job->cluster_file to the last one and forgets the cluster read so
 * far. */
enum status override_cluster(const struct reading *reading);

/* Local. Takes all other overrides in their order. */
enum status override_values(const struct reading *reading);

/* Local. Fills in what follows from other values, then checks what no single value can tell. */
enum status job_check(const struct reading *reading);
enum status cluster_check(const struct reading *reading);

#endif
