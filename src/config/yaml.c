#include "config/yaml.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/explain.h"

enum { LOG_BYTES = 200 };

struct texts {
    cyaml_config_t config;
    cyaml_schema_value_t top;
    void *record;
    char log[LOG_BYTES];
};

/* All texts are loaded as they are: numbers, units and words are the business of value.c, whose messages tell more. */
static const cyaml_schema_value_t text_value = {
    .type = CYAML_STRING, .flags = CYAML_FLAG_POINTER, .data_size = sizeof(char), .string = {0, CYAML_UNLIMITED}};

static const cyaml_schema_field_t *fields_new(struct arena *arena, const struct node *node, uint32_t record_bytes,
                                              const struct entry *entry);

static uint32_t slots_bytes(const struct node *record)
{
    return (uint32_t)record->n_slots * (uint32_t)sizeof(struct slot);
}

static void text_field(cyaml_schema_field_t *field, const struct job_key *key)
{
    if (!key_is_list(key)) {
        field->value = text_value;
        return;
    }
    field->value.type = CYAML_SEQUENCE;
    field->value.flags = CYAML_FLAG_POINTER;
    field->value.data_size = sizeof(char *);
    field->value.sequence.entry = &text_value;
    field->value.sequence.min = (uint32_t)key_least(key);
    field->value.sequence.max = (uint32_t)key_most(key);
}

static void list_field(struct arena *arena, cyaml_schema_field_t *field, const struct node *node)
{
    cyaml_schema_value_t *element = arena_take(arena, sizeof *element);
    element->type = CYAML_MAPPING;
    element->data_size = slots_bytes(node);
    element->mapping.fields = fields_new(arena, node, slots_bytes(node), NULL);
    field->value.type = CYAML_SEQUENCE;
    field->value.flags = CYAML_FLAG_POINTER;
    field->value.data_size = slots_bytes(node);
    field->value.sequence.entry = element;
    field->value.sequence.min = 1;
    field->value.sequence.max = (uint32_t)node->list->most;
}

/* Sections are no structs of their own: their values lie in the record's slots, so each section starts at offset 0. */
static void section_field(struct arena *arena, cyaml_schema_field_t *field, const struct node *node,
                          uint32_t record_bytes, const struct entry *entry)
{
    field->data_offset = 0;
    field->value.type = CYAML_MAPPING;
    field->value.data_size = record_bytes;
    field->value.mapping.fields = fields_new(arena, node, record_bytes, entry);
}

/* The schema of a section. `entry` (may be NULL) decides where the table allows a value or a section. */
static const cyaml_schema_field_t *fields_new(struct arena *arena, const struct node *node, uint32_t record_bytes,
                                              const struct entry *entry)
{
    size_t n = 0;
    for (const struct node *child = node->child; child; child = child->next)
        n++;
    cyaml_schema_field_t *fields = arena_array(arena, n + 1, sizeof *fields), *field = fields;
    for (const struct node *child = node->child; child; child = child->next, field++) {
        const struct entry *below = entry_find(entry, child->name);
        int as_value = child->key && (!child->child || (below && below->kind == ENTRY_SCALAR));
        field->key = child->name;
        field->data_offset = (uint32_t)child->slot * (uint32_t)sizeof(struct slot);
        field->count_offset = field->data_offset + (uint32_t)offsetof(struct slot, count);
        field->count_size = sizeof(unsigned);
        if (as_value)
            text_field(field, child->key);
        else if (child->list)
            list_field(arena, field, child);
        else
            section_field(arena, field, child, record_bytes, below);
        /* An override may still give what the file lacks: what is missing is found out at the end. */
        field->value.flags |= CYAML_FLAG_OPTIONAL;
    }
    return fields;
}

static const struct node *whole_tree(const struct node *node)
{
    while (node->parent)
        node = node->parent;
    return node;
}

/* Keeps the first error that libcyaml logs. */
static void keep_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
    char *log = context;
    if (level < CYAML_LOG_ERROR || *log)
        return;
    vsnprintf(log, LOG_BYTES, format, args);
    log[strcspn(log, "\n")] = 0;
}

static void schema_init(struct arena *arena, struct texts *texts, const struct node *root, const struct entry *entry)
{
    uint32_t bytes = slots_bytes(whole_tree(root));
    texts->config.log_fn = keep_log;
    texts->config.log_ctx = texts->log;
    texts->config.log_level = CYAML_LOG_ERROR;
    texts->config.mem_fn = cyaml_mem;
    texts->config.flags = CYAML_CFG_NO_ALIAS;
    texts->top.type = CYAML_MAPPING;
    texts->top.flags = CYAML_FLAG_POINTER;
    texts->top.data_size = bytes;
    texts->top.mapping.fields = fields_new(arena, root, bytes, entry);
}

enum status texts_load(struct arena *arena, const char *file, const char *text, const struct node *root,
                       const struct entry *entry, struct texts **result, struct fault *fault)
{
    struct texts *texts = arena_take(arena, sizeof *texts);
    schema_init(arena, texts, root, entry);
    cyaml_err_t error =
        cyaml_load_data((const uint8_t *)text, strlen(text), &texts->config, &texts->top, &texts->record, NULL);
    if (error == CYAML_OK) {
        *result = texts;
        return STATUS_OK;
    }
    if (error == CYAML_ERR_OOM)
        return fault_set(fault, STATUS_FAILED, "%s: out of memory while reading YAML", file);
    enum status status = explain(arena, file, root, entry, fault);
    if (status)
        return status;
    char found[LOG_BYTES + 64];
    snprintf(found, sizeof found, "%s (%s)", cyaml_strerror(error), texts->log);
    return refuse(fault, (struct place){file, entry->line}, NULL, "YAML that libcyaml accepts", found);
}

const struct slot *texts_record(const struct texts *texts)
{
    return texts->record;
}

void texts_free(struct texts *texts)
{
    if (texts)
        cyaml_free(&texts->config, &texts->top, texts->record, 0);
}

static void each_field(const cyaml_schema_field_t *field, const char *parent,
                       void (*visit)(void *context, const char *path), void *context)
{
    for (; field->key; field++) {
        char path[CONFIG_MAX_PATH];
        const cyaml_schema_value_t *value = &field->value;
        int is_list = value->type == CYAML_SEQUENCE && value->sequence.entry->type == CYAML_MAPPING;
        snprintf(path, sizeof path, "%s%s%s%s", parent, *parent ? "." : "", field->key, is_list ? "[]" : "");
        if (is_list)
            each_field(value->sequence.entry->mapping.fields, path, visit, context);
        else if (value->type == CYAML_MAPPING)
            each_field(value->mapping.fields, path, visit, context);
        else
            visit(context, path);
    }
}

void texts_each_key(struct arena *arena, void (*visit)(void *context, const char *path), void *context)
{
    struct texts *texts = arena_take(arena, sizeof *texts);
    schema_init(arena, texts, tree_new(arena), NULL);
    each_field(texts->top.mapping.fields, "", visit, context);
}
