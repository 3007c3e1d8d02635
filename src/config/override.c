#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/explain.h"
#include "config/reading.h"
#include "config/value.h"

enum { MAX_ITEMS = 64, MESSAGE = 512 };

/* One override, taken apart. */
struct override {
    struct place place;
    const char *path; /* of the key */
    char *value;
    const struct node *node; /* the key or section */
    void *base;              /* of its record */
};

struct place override_place(const struct reading *reading, int i)
{
    char quoted[128];
    quote(quoted, sizeof quoted, reading->overrides[i]);
    return (struct place){arena_printf(reading->arena, "--set %.*s", (int)strlen(quoted) - 2, quoted + 1), 0};
}

static char *trim(char *text)
{
    while (*text == ' ')
        text++;
    for (size_t n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
        text[n - 1] = 0;
    return text;
}

/* The element that "[2]" at *text means; moves *text behind it. */
static enum status step_into_list(const struct reading *reading, struct override *override, const char **text)
{
    const struct job_list *list = override->node->list;
    int n = *(int *)((char *)reading->job + list->count_offset);
    size_t digits = **text == '[' ? strspn(*text + 1, "0123456789") : 0;
    long index = digits > 0 && digits < 6 ? atol(*text + 1) : -1;
    char expected[MESSAGE], found[128];
    if (n == 0)
        snprintf(expected, sizeof expected, "a %s with %s", strncmp(list->path, "cluster.", 8) == 0 ? "cluster" : "job",
                 override->node->name);
    else
        snprintf(expected, sizeof expected, "an index from %s[0] to %s[%d]", override->node->name, override->node->name,
                 n - 1);
    if (index < 0 || index >= n || (*text)[digits + 1] != ']')
        return refuse(reading->fault, override->place, override->path, expected,
                      **text ? quote(found, sizeof found, *text) : "no index");
    *text += digits + 2;
    override->base = (char *)reading->job + list->offset + (size_t)index * list->element_bytes;
    return STATUS_OK;
}

/* Follows the path through the tree and, by indices, into lists. */
static enum status find_key(const struct reading *reading, struct override *override)
{
    const char *text = override->path;
    override->node = reading->tree;
    override->base = reading->job;
    for (;;) {
        size_t length = strcspn(text, ".[");
        const struct node *child = node_find(override->node, text, length);
        if (!child)
            return refuse_key(reading->arena, override->place, override->path, reading->tree, override->node,
                              arena_printf(reading->arena, "%.*s", (int)length, text), reading->fault);
        override->node = child;
        text += length;
        if (child->list) {
            enum status status = step_into_list(reading, override, &text);
            if (status)
                return status;
        }
        if (*text != '.')
            break;
        text++;
    }
    char found[128];
    return *text ? refuse(reading->fault, override->place, override->path, "a key without an index",
                          quote(found, sizeof found, text))
                 : STATUS_OK;
}

static enum status take_apart(const struct reading *reading, int i, struct override *override)
{
    char *text = arena_string(reading->arena, reading->overrides[i]), found[128];
    char *equals = strchr(text, '=');
    override->place = override_place(reading, i);
    if (!equals)
        return refuse(reading->fault, override->place, NULL, "KEY=VALUE", quote(found, sizeof found, text));
    *equals = 0;
    override->path = trim(text);
    override->value = trim(equals + 1);
    if (strlen(override->path) >= CONFIG_MAX_PATH || !text_is_printable(override->path))
        return refuse(reading->fault, override->place, NULL, "a known key", quote(found, sizeof found, override->path));
    return find_key(reading, override);
}

/* On the command line a file name is one of the current folder, as everywhere in a shell. Written out, so that it still
 * means the same in the printed job, whose names are relative to the job's folder. */
static enum status current_folder(const struct reading *reading, const struct place place, const char **folder)
{
    *folder = "";
    if (!*reading->job_file.folder)
        return STATUS_OK;
    char *current = getcwd(NULL, 0);
    if (!current)
        return fault_set(reading->fault, STATUS_IO, "%s: current folder: %s", place.file, strerror(errno));
    *folder = arena_printf(reading->arena, "%s/", strcmp(current, "/") ? current : "");
    free(current);
    return STATUS_OK;
}

static int split(char *text, struct item *items)
{
    size_t length = strlen(text);
    int n = 0;
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = 0;
        text++;
    }
    for (char *rest = text, *piece; (piece = strsep(&rest, ",")) && n < MAX_ITEMS; n++)
        items[n] = (struct item){trim(piece), 0};
    return n;
}

static enum status set_value(const struct reading *reading, struct override *override)
{
    if (!override->node)
        bug("an override whose key was not found");
    struct item items[MAX_ITEMS] = {{override->value, 0}};
    const struct job_key *key = override->node->key;
    struct site site = {reading->arena, override->place.file, override->path, "", reading->fault};
    char expected[MESSAGE], found[128] = "nothing";
    if (!key) { /* a section, or an element of a list of sections */
        if (*override->value)
            quote(found, sizeof found, override->value);
        const struct node section = {.child = override->node->child};
        return refuse(reading->fault, override->place, override->path,
                      node_expected(expected, sizeof expected, &section), found);
    }
    if (key->kind == KEY_FILE && current_folder(reading, override->place, &site.folder))
        return reading->fault->status;
    return value_set(&site, key, override->base, items, key_is_list(key) ? split(override->value, items) : 1);
}

static int is_cluster(const char *override)
{
    char name[16];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(override, "="), override);
    return !strcmp(trim(name), "cluster");
}

enum status override_cluster(const struct reading *reading)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < reading->n_overrides && !status; i++) {
        struct override override = {.node = NULL};
        if (!is_cluster(reading->overrides[i]) || !strchr(reading->overrides[i], '='))
            continue;
        status = take_apart(reading, i, &override);
        if (!status)
            status = set_value(reading, &override);
        reading->job->cluster = (struct cluster){.n_devices = 0};
        defaults_set(reading, node_find(reading->tree, "cluster", strlen("cluster")), reading->job);
    }
    return status;
}

enum status override_values(const struct reading *reading)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < reading->n_overrides && !status; i++) {
        struct override override = {.node = NULL};
        if (is_cluster(reading->overrides[i]) && strchr(reading->overrides[i], '='))
            continue;
        status = take_apart(reading, i, &override);
        if (!status)
            status = set_value(reading, &override);
    }
    return status;
}
