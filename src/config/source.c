#include <stdio.h>
#include <string.h>

#include "config/reading.h"
#include "config/value.h"
#include "config/yaml.h"

enum { MAX_ITEMS = 64 };

static enum status take_section(const struct reading *reading, const struct source *source, const struct node *node,
                                const struct entry *entry, const struct slot *slots, void *base);

void defaults_set(const struct reading *reading, const struct node *node, void *base)
{
    for (const struct node *child = node->child; child; child = child->next) {
        if (child->key)
            value_unset(child->key, base);
        if (child->key && child->key->need == KEY_DEFAULT) {
            struct fault fault = FAULT_NONE;
            struct site site = {reading->arena, "default", child->key->path, "", &fault};
            if (value_set(&site, child->key, base, &(struct item){child->key->fallback, 0}, 1))
                bug("%s", fault.text);
        }
        if (!child->list)
            defaults_set(reading, child, base);
    }
}

static enum status take_value(const struct reading *reading, const struct source *source, const struct job_key *key,
                              const struct entry *entry, const struct slot *slot, void *base)
{
    struct item items[MAX_ITEMS];
    char path[CONFIG_MAX_PATH];
    struct site site = {reading->arena, source->file, entry_path(path, sizeof path, entry), source->folder,
                        reading->fault};
    if (!key_is_list(key))
        return value_set(&site, key, base, &(struct item){slot->data, entry->line}, 1);
    const struct entry *element = entry->child;
    unsigned n = 0;
    for (; element && n < slot->count && n < MAX_ITEMS; element = element->next, n++)
        items[n] = (struct item){((char **)slot->data)[n], element->line};
    return value_set(&site, key, base, items, (int)n);
}

static enum status take_list(const struct reading *reading, const struct source *source, const struct node *node,
                             const struct entry *entry, const struct slot *slot)
{
    char *job = (char *)reading->job;
    const struct entry *element = entry->child;
    for (unsigned i = 0; i < slot->count; i++, element = element->next) {
        void *base = job + node->list->offset + i * node->list->element_bytes;
        const struct slot *slots = (const struct slot *)slot->data + i * (unsigned)node->n_slots;
        memset(base, 0, node->list->element_bytes);
        defaults_set(reading, node, base);
        enum status status = take_section(reading, source, node, element, slots, base);
        if (status)
            return status;
    }
    *(int *)(job + node->list->count_offset) = (int)slot->count;
    return STATUS_OK;
}

/* In the order of the file: the first wrong value is the one that is told. The shape is known to be right. */
static enum status take_section(const struct reading *reading, const struct source *source, const struct node *node,
                                const struct entry *entry, const struct slot *slots, void *base)
{
    enum status status = STATUS_OK;
    for (const struct entry *below = entry->child; below && !status; below = below->next) {
        const struct node *child = node_find(node, below->name, strlen(below->name));
        if (child->list)
            status = take_list(reading, source, child, below, &slots[child->slot]);
        else if (child->key && (!child->child || below->kind == ENTRY_SCALAR))
            status = take_value(reading, source, child->key, below, &slots[child->slot], base);
        else
            status = take_section(reading, source, child, below, slots, base);
    }
    return status;
}

enum status source_read(const struct reading *reading, struct source *source, const char *text)
{
    struct entry *entry;
    struct texts *texts;
    enum status status = outline_read(reading->arena, source->file, text, &entry, reading->fault);
    if (status)
        return status;
    source->entry = entry;
    status = texts_load(reading->arena, source->file, text, source->root, entry, &texts, reading->fault);
    if (status)
        return status;
    status = take_section(reading, source, source->root, entry, texts_record(texts), reading->job);
    texts_free(texts);
    return status;
}
