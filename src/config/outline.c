#include "config/outline.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* The walk over libyaml's events. */
struct walk {
    struct arena *arena;
    const char *file;
    yaml_parser_t parser;
    struct entry *root; /* NULL until the first value */
    struct entry *open; /* mapping or list that is being read */
    const char *key;    /* of the value that comes next in a mapping */
    int key_line;
    int n_values;
    int documents;
};

const struct entry *entry_find(const struct entry *entry, const char *name)
{
    if (!entry || entry->kind != ENTRY_MAPPING)
        return NULL;
    for (const struct entry *child = entry->child; child; child = child->next)
        if (!strcmp(child->name, name))
            return child;
    return NULL;
}

/* A name as it may stand in a path: printable, not long. */
static void shown_name(char *text, size_t size, const char *name)
{
    char quoted[128];
    quote(quoted, sizeof quoted, name);
    snprintf(text, size, "%.*s", (int)strlen(quoted) - 2, quoted + 1);
}

char *entry_path(char *text, size_t size, const struct entry *entry)
{
    char parent[CONFIG_MAX_PATH] = "", name[128];
    if (!entry->parent) {
        text[0] = 0;
        return text;
    }
    entry_path(parent, sizeof parent, entry->parent);
    if (entry->name) {
        shown_name(name, sizeof name, entry->name);
        snprintf(text, size, "%s%s%s", parent, *parent ? "." : "", name);
    } else {
        snprintf(text, size, "%s[%d]", parent, entry->index);
    }
    return text;
}

char *entry_found(char *text, size_t size, const struct entry *entry)
{
    if (entry->kind == ENTRY_MAPPING)
        snprintf(text, size, "a section");
    else if (entry->kind == ENTRY_LIST && entry->n == 0)
        snprintf(text, size, "an empty list");
    else if (entry->kind == ENTRY_LIST)
        snprintf(text, size, "a list of %d", entry->n);
    else if (!*entry->text)
        snprintf(text, size, "nothing");
    else
        quote(text, size, entry->text);
    return text;
}

static enum status refuse_here(const struct walk *walk, int line, const char *expected, const char *found,
                               struct fault *fault)
{
    char path[CONFIG_MAX_PATH] = "";
    if (walk->open)
        entry_path(path, sizeof path, walk->open);
    return refuse(fault, (struct place){walk->file, line}, path, expected, found);
}

/* Tabs are the commonest way to write YAML that only looks right, and libyaml's words for it help nobody. */
static enum status check_tabs(const char *file, const char *text, struct fault *fault)
{
    int line = 1;
    for (const char *p = text; *p; line++) {
        size_t blank = strspn(p, " \t"), length = strcspn(p, "\n");
        int is_empty = blank >= length || p[blank] == '#' || p[blank] == '\r';
        if (!is_empty && memchr(p, '\t', blank))
            return refuse(fault, (struct place){file, line}, NULL, "blanks as indentation", "a tab");
        p += length;
        p += *p == '\n';
    }
    return STATUS_OK;
}

static enum status refuse_yaml(const struct walk *walk, const char *text, struct fault *fault)
{
    const yaml_parser_t *parser = &walk->parser;
    size_t line = parser->problem_mark.line + 1;
    if (parser->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < parser->problem_offset && text[i]; i++)
            line += text[i] == '\n';
    }
    char found[256];
    snprintf(found, sizeof found, "an error: %s%s%s", parser->problem ? parser->problem : "unreadable text",
             parser->context ? " " : "", parser->context ? parser->context : "");
    return refuse(fault, (struct place){walk->file, (int)line}, NULL, "YAML", found);
}

static enum status check_repeated(const struct walk *walk, const struct entry *value, struct fault *fault)
{
    for (const struct entry *other = walk->open->child; other != value; other = other->next) {
        if (strcmp(other->name, value->name) != 0)
            continue;
        char found[64], path[CONFIG_MAX_PATH];
        snprintf(found, sizeof found, "a second one (the first is in line %d)", other->line);
        return refuse(fault, (struct place){walk->file, value->line}, entry_path(path, sizeof path, value), "one value",
                      found);
    }
    return STATUS_OK;
}

/* Hangs a new value under the open mapping or list. */
static enum status add_entry(struct walk *walk, enum entry_kind kind, const char *text, int line, struct fault *fault)
{
    struct entry *parent = walk->open, *entry = arena_take(walk->arena, sizeof *entry);
    if (++walk->n_values > CONFIG_MAX_VALUES)
        return refuse_here(walk, line, "at most 10000 values in a file", "more", fault);
    entry->kind = kind;
    entry->text = text;
    entry->line = walk->key ? walk->key_line : line;
    entry->name = walk->key;
    entry->parent = parent;
    walk->key = NULL;
    if (!parent) {
        walk->root = entry;
        walk->open = entry;
        return STATUS_OK;
    }
    entry->index = parent->n++;
    entry->depth = parent->depth + 1;
    if (entry->depth > CONFIG_MAX_DEPTH)
        return refuse_here(walk, line, "at most 8 levels of nesting", "more", fault);
    if (parent->last)
        parent->last->next = entry;
    else
        parent->child = entry;
    parent->last = entry;
    enum status status = entry->name ? check_repeated(walk, entry, fault) : STATUS_OK;
    if (kind != ENTRY_SCALAR)
        walk->open = entry;
    return status;
}

static int wants_key(const struct walk *walk)
{
    return walk->open && walk->open->kind == ENTRY_MAPPING && !walk->key;
}

static enum status take_scalar(struct walk *walk, const yaml_event_t *event, int line, struct fault *fault)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (strlen(text) != length)
        return refuse_here(walk, line, "text", "a NUL character", fault);
    if (length > CONFIG_MAX_TEXT)
        return refuse_here(walk, line, "at most 4096 characters in a value", "more", fault);
    if (wants_key(walk)) {
        walk->key = arena_string(walk->arena, text);
        walk->key_line = line;
        return STATUS_OK;
    }
    return add_entry(walk, ENTRY_SCALAR, arena_string(walk->arena, text), line, fault);
}

static enum status take_start(struct walk *walk, enum entry_kind kind, int line, struct fault *fault)
{
    if (wants_key(walk))
        return refuse_here(walk, line, "a key", kind == ENTRY_LIST ? "a list" : "a section", fault);
    return add_entry(walk, kind, NULL, line, fault);
}

/* Anchors and tags mean nothing here; an alias is only ever possible after an anchor. */
static enum status check_plain(const struct walk *walk, const yaml_event_t *event, int line, struct fault *fault)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (event->type == YAML_ALIAS_EVENT)
        return refuse_here(walk, line, "plain values", "an alias (*)", fault);
    if (anchor)
        return refuse_here(walk, line, "plain values", "an anchor (&)", fault);
    return tag ? refuse_here(walk, line, "plain values", "a tag (!)", fault) : STATUS_OK;
}

static enum status take_event(struct walk *walk, const yaml_event_t *event, struct fault *fault)
{
    int line = (int)event->start_mark.line + 1;
    enum status status = check_plain(walk, event, line, fault);
    if (status)
        return status;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(walk, event, line, fault);
    case YAML_SEQUENCE_START_EVENT:
        return take_start(walk, ENTRY_LIST, line, fault);
    case YAML_MAPPING_START_EVENT:
        return take_start(walk, ENTRY_MAPPING, line, fault);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        walk->open = walk->open->parent;
        return STATUS_OK;
    case YAML_DOCUMENT_START_EVENT:
        if (++walk->documents > 1)
            return refuse_here(walk, line, "one document", "a second one", fault);
        return STATUS_OK;
    default:
        return STATUS_OK;
    }
}

static enum status take_events(struct walk *walk, const char *text, struct fault *fault)
{
    enum status status = STATUS_OK;
    for (int ended = 0; !ended && !status;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&walk->parser, &event))
            return refuse_yaml(walk, text, fault);
        ended = event.type == YAML_STREAM_END_EVENT;
        status = take_event(walk, &event, fault);
        yaml_event_delete(&event);
    }
    return status;
}

enum status outline_read(struct arena *arena, const char *file, const char *text, struct entry **root,
                         struct fault *fault)
{
    struct walk walk = {.arena = arena, .file = file};
    size_t size = strlen(text);
    if (size > CONFIG_MAX_BYTES)
        return fault_set(fault, STATUS_USAGE, "%s: expected at most %d KiB of YAML, found %zu KiB", file,
                         CONFIG_MAX_BYTES / 1024, size / 1024);
    enum status status = check_tabs(file, text, fault);
    if (status)
        return status;
    if (!yaml_parser_initialize(&walk.parser))
        return fault_set(fault, STATUS_FAILED, "%s: out of memory while reading YAML", file);
    yaml_parser_set_encoding(&walk.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&walk.parser, (const unsigned char *)text, size);
    status = take_events(&walk, text, fault);
    yaml_parser_delete(&walk.parser);
    if (status)
        return status;
    if (!walk.root)
        return refuse(fault, (struct place){file, 1}, NULL,
                      "YAML sections such as model: and cluster:", "an empty file");
    *root = walk.root;
    return STATUS_OK;
}
