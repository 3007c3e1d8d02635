#include "config/study.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/explain.h"
#include "config/study_private.h"
#include "config/value.h"

enum { MESSAGE = 512 };

static enum status take_defaults(const struct study_reading *reading)
{
    int n;
    const struct job_key *keys = study_keys(&n);
    for (int i = 0; i < n; i++) {
        struct site site = {reading->arena, "default", keys[i].path, "", reading->fault};
        if (keys[i].need == KEY_DEFAULT &&
            value_set(&site, &keys[i], reading->study, &(struct item){keys[i].fallback, 0}, 1))
            return reading->fault->status;
    }
    return STATUS_OK;
}

static enum status take_set(const struct study_reading *reading, const struct entry *section)
{
    struct study *study = reading->study;
    if (section->kind != ENTRY_MAPPING)
        return study_refuse(reading, section, "a section of keys of the job", "something else");
    for (const struct entry *entry = section->child; entry; entry = entry->next) {
        const struct job_key *key;
        struct study_set *set = &study->set[study->n_set];
        if (study->n_set == (int)(sizeof study->set / sizeof *study->set))
            return study_refuse(reading, entry, "at most 32 keys", "one more");
        if (study_find_key(reading, entry, &key) || study_value(reading, key, entry, &set->value))
            return reading->fault->status;
        set->key = entry->name;
        set->line = entry->line;
        study->n_set++;
    }
    return STATUS_OK;
}

/* The keys of the job below the free sections; -1: not one of them. */
static int take_free(const struct study_reading *reading, const char *path, const struct entry *entry)
{
    if (!strcmp(path, "set"))
        return (int)take_set(reading, entry);
    if (!strcmp(path, "runs.grid"))
        return (int)study_take_axes(reading, entry, AXIS_GRID);
    if (!strcmp(path, "runs.zip"))
        return (int)study_take_axes(reading, entry, AXIS_ZIP);
    if (!strcmp(path, "runs.sample.over"))
        return (int)study_take_axes(reading, entry, AXIS_SAMPLE);
    if (!strcmp(path, "scaling.along"))
        return (int)study_take_axes(reading, entry, AXIS_ALONG);
    if (!strcmp(path, "scaling.counts"))
        return STATUS_OK; /* once scaling.over is known */
    return -1;
}

static enum status take_key(const struct study_reading *reading, const struct job_key *key, const struct entry *entry)
{
    char expected[MESSAGE], found[128], path[CONFIG_MAX_PATH];
    struct item items[64];
    struct site site = {reading->arena, reading->file, entry_path(path, sizeof path, entry), reading->folder,
                        reading->fault};
    enum entry_kind wanted = key_is_list(key) ? ENTRY_LIST : ENTRY_SCALAR;
    int n = 0;
    if (entry->kind != wanted || (wanted == ENTRY_LIST && (entry->n < 1 || entry->n > key->most)))
        return study_refuse(reading, entry, key_expected(expected, sizeof expected, key, 0),
                            entry_found(found, sizeof found, entry));
    if (wanted == ENTRY_SCALAR)
        return value_set(&site, key, reading->study, &(struct item){entry->text, entry->line}, 1);
    for (const struct entry *child = entry->child; child; child = child->next) {
        if (child->kind != ENTRY_SCALAR)
            return study_refuse(reading, child, key_expected(expected, sizeof expected, key, 1),
                                entry_found(found, sizeof found, child));
        items[n++] = (struct item){child->text, child->line};
    }
    return value_set(&site, key, reading->study, items, n);
}

static enum status take_section(const struct study_reading *reading, const struct node *node, const struct entry *entry)
{
    char expected[MESSAGE], found[128], path[CONFIG_MAX_PATH];
    if (entry->kind != ENTRY_MAPPING)
        return study_refuse(reading, entry, node_expected(expected, sizeof expected, node),
                            entry_found(found, sizeof found, entry));
    enum status status = STATUS_OK;
    for (const struct entry *child = entry->child; child && !status; child = child->next) {
        const struct node *known = node_find(node, child->name, strlen(child->name));
        entry_path(path, sizeof path, child);
        if (!known)
            return refuse_key(reading->arena, (struct place){reading->file, child->line}, path, reading->tree, node,
                              child->name, reading->fault);
        int taken = known->key ? take_free(reading, path, child) : -1;
        if (taken >= 0)
            status = (enum status)taken;
        else
            status = known->key ? take_key(reading, known->key, child) : take_section(reading, known, child);
    }
    return status;
}

const char *study_place(struct arena *arena, const struct study *study, const char *path)
{
    const struct entry *entry = study->entry, *below;
    while (*path) {
        char *name = arena_printf(arena, "%.*s", (int)strcspn(path, "."), path);
        if (!(below = entry_find(entry, name)))
            break;
        entry = below;
        path += strlen(name);
        path += *path == '.';
    }
    return arena_printf(arena, "%s:%d", study->source, entry->line);
}

static enum status refuse_missing(const struct study_reading *reading, const char *path, const char *expected,
                                  const char *found)
{
    return fault_set(reading->fault, STATUS_USAGE, "%s: %s: expected %s, found %s",
                     study_place(reading->arena, reading->study, path), path, expected, found);
}

/* The job from the root, as its runs will be told. */
static enum status find_job(const struct study_reading *reading)
{
    struct study *study = reading->study;
    char real[PATH_MAX], found[128];
    if (!study->job)
        return refuse_missing(reading, "job", "a job file such as ../jobs/demo.yaml", "nothing");
    if (!realpath(study->job, real))
        return fault_set(reading->fault, STATUS_IO, "%s: job: %s: %s", study_place(reading->arena, study, "job"),
                         quote(found, sizeof found, study->job), strerror(errno));
    study->job = arena_string(reading->arena, real);
    return STATUS_OK;
}

/* Scaling studies need their section, others must not have it. */
static enum status check_scaling(const struct study_reading *reading)
{
    struct study *study = reading->study;
    const struct entry *scaling = entry_find(study->entry, "scaling");
    const struct entry *counts = entry_find(scaling, "counts");
    if (!study_is_scaling(study))
        return scaling ? refuse_missing(reading, "scaling", "no such section, because kind is sweep", "one")
                       : STATUS_OK;
    if (!study->over)
        return refuse_missing(reading, "scaling.over", "a key of the job such as cluster.devices[0].count, or ranks",
                              "nothing");
    if (!counts)
        return refuse_missing(reading, "scaling.counts", "a list of whole numbers, or a range", "nothing");
    if (strcmp(study->kind, "weak-scaling") == 0 && study->grow.n == 0)
        return refuse_missing(reading, "scaling.grow", "keys of the job that grow with the count", "nothing");
    if (strcmp(study->kind, "strong-scaling") == 0 && study->grow.n > 0)
        return refuse_missing(reading, "scaling.grow", "nothing, because kind is strong-scaling", "a list");
    if (study_is_over_ranks(study) && study->ranks != 1)
        return refuse_missing(reading, "ranks", "nothing, because scaling.over is ranks", "a number");
    if (!study_is_over_ranks(study) && study->repeats > 1)
        return refuse_missing(reading, "scaling.repeats", "1, because virtual time is always the same", "more");
    if (study->replicas > 1)
        return refuse_missing(reading, "replicas", "1, because a scaling study is about times", "more");
    return study_take_counts(reading, counts);
}

static enum status check(const struct study_reading *reading)
{
    struct study *study = reading->study;
    int n_samples = 0;
    for (int i = 0; i < study->n_axes; i++)
        n_samples += study->axis[i].group == AXIS_SAMPLE;
    if (find_job(reading))
        return reading->fault->status;
    if (n_samples > 0 && study->samples == 0)
        return refuse_missing(reading, "runs.sample.points", "a whole number above 0", "nothing");
    if (n_samples == 0 && study->samples > 0)
        return refuse_missing(reading, "runs.sample.over", "keys of the job", "nothing");
    if (study->minimise.n + study->maximise.n == 1 || study->minimise.n + study->maximise.n > 3)
        return refuse_missing(reading, "objectives", "two or three metrics",
                              study->minimise.n + study->maximise.n == 1 ? "one" : "more");
    if (check_scaling(reading) || study_check_axes(reading))
        return reading->fault->status;
    if (study->n_axes == 0 && study->replicas == 1)
        return refuse_missing(reading, "runs", "keys of the job in grid, zip or sample, or replicas", "nothing");
    if (!study->name)
        study->name = path_stem(reading->arena, study->source);
    if (!study->output)
        study->output = arena_printf(reading->arena, "%s-out", study->name);
    return STATUS_OK;
}

/* Where the file lies, from the root: values must mean the same on another command line. */
static enum status find_folder(struct study_reading *reading, const char *path)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return fault_set(reading->fault, STATUS_IO, "%s: %s", path, strerror(errno));
    reading->folder = path_folder(reading->arena, real);
    return STATUS_OK;
}

enum status study_read(struct arena *arena, const char *path, struct study *study, struct fault *fault)
{
    int n;
    const struct job_key *keys = study_keys(&n);
    struct study *read = arena_take(arena, sizeof *read);
    struct entry *entry;
    char *text;
    struct study_reading reading = {.arena = arena,
                                    .file = arena_string(arena, path),
                                    .tree = tree_of(arena, keys, n),
                                    .job_tree = tree_new(arena),
                                    .study = read,
                                    .fault = fault};
    if (text_read(arena, path, &text, fault) || find_folder(&reading, path) ||
        outline_read(arena, reading.file, text, &entry, fault))
        return fault->status;
    read->source = reading.file;
    read->text = text;
    read->entry = entry;
    if (take_defaults(&reading) || take_section(&reading, reading.tree, entry) || check(&reading))
        return fault->status;
    *study = *read;
    return STATUS_OK;
}
