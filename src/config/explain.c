#include "config/explain.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE = 700 };

struct reader {
    struct arena *arena;
    const char *file;
    const struct node *root;
    struct fault *fault;
};

static enum status explain_entry(const struct reader *reader, const struct node *node, const struct entry *entry);

/* "train.epochs" written as one key: right on the command line, not in YAML. */
static const struct node *find_dotted(const struct node *node, const char *name)
{
    while (node && *name) {
        size_t length = strcspn(name, ".");
        node = node_find(node, name, length);
        name += length;
        name += *name == '.';
    }
    return node;
}

enum status refuse_key(struct arena *arena, struct place place, const char *path, const struct node *root,
                       const struct node *parent, const char *name, struct fault *fault)
{
    char expected[MESSAGE], found[MESSAGE], quoted[128], near[CONFIG_MAX_PATH];
    quote(quoted, sizeof quoted, name);
    const struct node *nearest = node_nearest(arena, parent, root, name);
    snprintf(expected, sizeof expected, "a known key");
    if (strchr(name, '.') && find_dotted(parent, name))
        snprintf(found, sizeof found, "%s (write a section per dot: '%.*s:' and below it the rest)", quoted,
                 (int)strcspn(name, "."), name);
    else if (nearest && parent->child)
        snprintf(found, sizeof found, "%s (did you mean '%s'?)", quoted, node_path(near, sizeof near, nearest, root));
    else {
        snprintf(found, sizeof found, "%s", quoted);
        node_keys(expected, sizeof expected, parent);
    }
    return refuse(fault, place, path, expected, found);
}

static enum status refuse_entry(const struct reader *reader, const struct node *node, const struct entry *entry)
{
    char path[CONFIG_MAX_PATH], expected[MESSAGE], found[128];
    return refuse(reader->fault, (struct place){reader->file, entry->line}, entry_path(path, sizeof path, entry),
                  node_expected(expected, sizeof expected, node), entry_found(found, sizeof found, entry));
}

/* One element of a list key is something else than a text. */
static enum status refuse_element(const struct reader *reader, const struct job_key *key, const struct entry *entry)
{
    char path[CONFIG_MAX_PATH], expected[MESSAGE], found[128];
    return refuse(reader->fault, (struct place){reader->file, entry->line}, entry_path(path, sizeof path, entry),
                  key_expected(expected, sizeof expected, key, 1), entry_found(found, sizeof found, entry));
}

static enum status explain_list(const struct reader *reader, const struct node *node, const struct entry *entry)
{
    const struct job_key *key = node->key;
    if (entry->kind != ENTRY_LIST || entry->n < key_least(key) || entry->n > key_most(key))
        return refuse_entry(reader, node, entry);
    for (const struct entry *child = entry->child; child; child = child->next)
        if (child->kind != ENTRY_SCALAR)
            return refuse_element(reader, key, child);
    return STATUS_OK;
}

static enum status explain_section(const struct reader *reader, const struct node *node, const struct entry *entry)
{
    char path[CONFIG_MAX_PATH];
    if (entry->kind != ENTRY_MAPPING)
        return refuse_entry(reader, node, entry);
    for (const struct entry *child = entry->child; child; child = child->next) {
        const struct node *known = node_find(node, child->name, strlen(child->name));
        if (!known)
            return refuse_key(reader->arena, (struct place){reader->file, child->line},
                              entry_path(path, sizeof path, child), reader->root, node, child->name, reader->fault);
        enum status status = explain_entry(reader, known, child);
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* One element of a list of sections is something else. */
static enum status refuse_section(const struct reader *reader, const struct node *node, const struct entry *entry)
{
    char path[CONFIG_MAX_PATH], expected[MESSAGE], found[128];
    const struct node element = {.child = node->child};
    return refuse(reader->fault, (struct place){reader->file, entry->line}, entry_path(path, sizeof path, entry),
                  node_expected(expected, sizeof expected, &element), entry_found(found, sizeof found, entry));
}

static enum status explain_mappings(const struct reader *reader, const struct node *node, const struct entry *entry)
{
    if (entry->kind != ENTRY_LIST || entry->n < 1 || entry->n > node->list->most)
        return refuse_entry(reader, node, entry);
    for (const struct entry *child = entry->child; child; child = child->next) {
        if (child->kind != ENTRY_MAPPING)
            return refuse_section(reader, node, child);
        enum status status = explain_section(reader, node, child);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status explain_entry(const struct reader *reader, const struct node *node, const struct entry *entry)
{
    if (node->list)
        return explain_mappings(reader, node, entry);
    if (node->key && key_is_list(node->key))
        return explain_list(reader, node, entry);
    if (node->key && entry->kind == ENTRY_SCALAR)
        return STATUS_OK;
    if (node->key && !node->child)
        return refuse_entry(reader, node, entry);
    return explain_section(reader, node, entry);
}

enum status explain(struct arena *arena, const char *file, const struct node *root, const struct entry *entry,
                    struct fault *fault)
{
    struct reader reader = {arena, file, root, fault};
    return explain_section(&reader, root, entry);
}
