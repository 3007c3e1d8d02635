#include "config/tree.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

const struct node *node_find(const struct node *parent, const char *name, size_t length)
{
    for (const struct node *child = parent->child; child; child = child->next)
        if (strlen(child->name) == length && !memcmp(child->name, name, length))
            return child;
    return NULL;
}

static struct node *add(struct arena *arena, struct node *parent, const char *name, size_t length)
{
    struct node **link = &parent->child;
    for (; *link; link = &(*link)->next)
        if (strlen((*link)->name) == length && !memcmp((*link)->name, name, length))
            return *link;
    struct node *child = arena_take(arena, sizeof *child);
    child->name = arena_printf(arena, "%.*s", (int)length, name);
    child->parent = parent;
    *link = child;
    return child;
}

/* The node of a path; *record becomes the root or list that its value belongs to. */
static struct node *add_path(struct arena *arena, struct node *root, const char *path, struct node **record)
{
    struct node *node = root;
    *record = root;
    while (*path) {
        size_t length = strcspn(path, ".[");
        node = add(arena, node, path, length);
        path += length;
        if (!strncmp(path, "[]", 2)) {
            *record = node;
            path += 2;
        }
        path += *path == '.';
    }
    return node;
}

static void add_key(struct arena *arena, struct node *root, const struct job_key *key)
{
    struct node *record;
    struct node *node = add_path(arena, root, key->path, &record);
    node->key = key;
    node->slot = record->n_slots++;
}

struct node *tree_of(struct arena *arena, const struct job_key *keys, int n_keys)
{
    struct node *root = arena_take(arena, sizeof *root);
    for (int i = 0; i < n_keys; i++)
        add_key(arena, root, &keys[i]);
    return root;
}

struct node *tree_new(struct arena *arena)
{
    int n_lists;
    const struct job_list *lists = job_lists(&n_lists);
    struct node *root = arena_take(arena, sizeof *root), *record;
    for (int i = 0; job_key(i); i++)
        add_key(arena, root, job_key(i));
    for (int i = 0; i < n_lists; i++) {
        struct node *node = add_path(arena, root, lists[i].path, &record);
        node->list = &lists[i];
        node->slot = record->n_slots++;
    }
    return root;
}

char *node_path(char *text, size_t size, const struct node *node, const struct node *root)
{
    char parent[256] = "";
    if (node == root || !node->parent) {
        text[0] = 0;
        return text;
    }
    node_path(parent, sizeof parent, node->parent, root);
    snprintf(text, size, "%s%s%s%s", parent, *parent ? "." : "", node->name, node->list ? "[]" : "");
    return text;
}

static void append_children(char *text, size_t size, const struct node *node)
{
    for (const struct node *child = node->child; child; child = child->next) {
        size_t at = strlen(text);
        snprintf(text + at, size - at, "%s%s", child == node->child ? "" : ", ", child->name);
    }
}

char *node_expected(char *text, size_t size, const struct node *node)
{
    if (node->key && node->child)
        snprintf(text, size, "%s or a section with the keys ", key_expected((char[256]){0}, 256, node->key, 0));
    else if (node->key)
        return key_expected(text, size, node->key, 0);
    else if (node->list)
        snprintf(text, size, "a list of 1 to %d sections with the keys ", node->list->most);
    else
        snprintf(text, size, "a section with the keys ");
    append_children(text, size, node);
    return text;
}

char *node_keys(char *text, size_t size, const struct node *node)
{
    char path[256];
    if (!node->child) {
        snprintf(text, size, "no further key below %s", node_path(path, sizeof path, node, NULL));
        return text;
    }
    snprintf(text, size, "one of the keys ");
    append_children(text, size, node);
    return text;
}

static int count(const struct node *node)
{
    int n = 0;
    for (const struct node *child = node->child; child; child = child->next)
        n += 1 + count(child);
    return n;
}

/* The children of `node`, with `deep` also what is below them. */
static int gather(const struct node *node, int deep, const struct node **nodes, int n)
{
    for (const struct node *child = node->child; child; child = child->next) {
        nodes[n++] = child;
        if (deep)
            n = gather(child, deep, nodes, n);
    }
    return n;
}

static const struct node *nearest_among(struct arena *arena, const struct node *top, int deep, const char *name)
{
    size_t most = (size_t)count(top);
    if (most == 0)
        return NULL;
    const struct node **nodes = arena_array(arena, most, sizeof(struct node *));
    const char **names = arena_array(arena, most, sizeof(char *));
    int n = gather(top, deep, nodes, 0);
    for (int i = 0; i < n; i++)
        names[i] = nodes[i]->name;
    const char *nearest = nearest_word(name, names, (size_t)n);
    for (int i = 0; nearest && i < n; i++)
        if (names[i] == nearest)
            return nodes[i];
    return NULL;
}

const struct node *node_nearest(struct arena *arena, const struct node *parent, const struct node *root,
                                const char *name)
{
    const struct node *nearest = nearest_among(arena, parent, 0, name);
    return nearest ? nearest : nearest_among(arena, root, 1, name);
}
