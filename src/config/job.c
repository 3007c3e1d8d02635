#include "config/job.h"

#include <stdio.h>
#include <string.h>

#include "config/reading.h"
#include "config/study.h"

static struct reading reading_new(struct arena *arena, struct job *job, struct fault *fault)
{
    struct reading reading = {.arena = arena, .tree = tree_new(arena), .job = job, .fault = fault};
    defaults_set(&reading, reading.tree, job);
    return reading;
}

/* Reads a cluster file into the job. Its own messages name its own lines. */
static enum status read_cluster_file(struct reading *reading, const char *path)
{
    char *text;
    enum status status = text_read(reading->arena, path, &text, reading->fault);
    if (status)
        return status;
    reading->cluster_file.file = arena_string(reading->arena, path);
    reading->cluster_file.folder = path_folder(reading->arena, path);
    reading->cluster_file.root = node_find(reading->tree, "cluster", strlen("cluster"));
    reading->job->cluster.source = reading->cluster_file.file;
    return source_read(reading, &reading->cluster_file, text);
}

static enum status read_named_cluster(struct reading *reading)
{
    if (!reading->job->cluster_file) {
        reading->job->cluster.source = reading->job->source;
        return STATUS_OK;
    }
    enum status status = read_cluster_file(reading, reading->job->cluster_file);
    struct place place = value_place(reading, "cluster");
    if (status == STATUS_IO && place.line > 0)
        fault_prefix(reading->fault, "%s:%d: cluster", place.file, place.line);
    else if (status == STATUS_IO)
        fault_prefix(reading->fault, "%s: cluster", place.file);
    return status;
}

enum status job_parse(struct arena *arena, const char *name, const char *text, const char *const *overrides,
                      int n_overrides, struct job *job, struct fault *fault)
{
    struct job *read = arena_take(arena, sizeof *read);
    struct reading reading = reading_new(arena, read, fault);
    read->source = arena_string(arena, name);
    reading.job_file = (struct source){read->source, path_folder(arena, name), reading.tree, NULL};
    reading.overrides = overrides;
    reading.n_overrides = n_overrides;
    enum status status = source_read(&reading, &reading.job_file, text);
    if (!status)
        status = override_cluster(&reading);
    if (!status)
        status = read_named_cluster(&reading);
    if (!status)
        status = override_values(&reading);
    if (!status)
        status = job_check(&reading);
    if (!status)
        *job = *read;
    return status;
}

enum status job_read(struct arena *arena, const char *path, const char *const *overrides, int n_overrides,
                     struct job *job, struct fault *fault)
{
    char *text;
    enum status status = text_read(arena, path, &text, fault);
    return status ? status : job_parse(arena, path, text, overrides, n_overrides, job, fault);
}

enum status cluster_read(struct arena *arena, const char *path, struct cluster *cluster, struct fault *fault)
{
    struct job *read = arena_take(arena, sizeof *read);
    struct reading reading = reading_new(arena, read, fault);
    enum status status = read_cluster_file(&reading, path);
    if (!status)
        status = cluster_check(&reading);
    if (!status)
        *cluster = read->cluster;
    return status;
}

/* Does a line start with the name of a key of this section? */
static int starts_with_key(const struct node *section, const char *line)
{
    size_t length = strcspn(line, ": \n");
    return line[length + strspn(line + length, " ")] == ':' && node_find(section, line, length) != NULL;
}

/* Counts lines instead of parsing: a file with a mistake is still a job, and `check` is there to tell the mistake. */
const char *config_kind(const char *path)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    const struct node *tree = tree_new(arena);
    int n_keys, n_job = 0, n_cluster = 0, n_study = 0;
    const struct job_key *keys = study_keys(&n_keys);
    const struct node *study = tree_of(arena, keys, n_keys);
    char *text;
    if (!text_read(arena, path, &text, &fault)) {
        for (const char *line = text; *line;) {
            n_job += starts_with_key(tree, line);
            n_study += starts_with_key(study, line);
            n_cluster += starts_with_key(node_find(tree, "cluster", strlen("cluster")), line);
            line += strcspn(line, "\n");
            line += *line == '\n';
        }
    }
    arena_free(arena);
    if (n_study > n_job && n_study > n_cluster)
        return "study";
    return n_job > n_cluster ? "job" : n_cluster > n_job ? "cluster" : NULL;
}
