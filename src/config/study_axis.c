/* study_axis.c - keys of the job with lists or ranges of values. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/explain.h"
#include "config/study_private.h"
#include "config/value.h"

enum status study_refuse(const struct study_reading *reading, const struct entry *entry, const char *expected,
                         const char *found)
{
    char path[CONFIG_MAX_PATH];
    return refuse(reading->fault, (struct place){reading->file, entry->line}, entry_path(path, sizeof path, entry),
                  expected, found);
}

enum { MESSAGE = 512 };

static const struct job_key ranks_key = {
    .path = "ranks", .kind = KEY_INT, .min = 1, .max = 4096, .meaning = "ranks of the emulator"};

enum status study_find_key(const struct study_reading *reading, const struct entry *entry, const struct job_key **key)
{
    char path[CONFIG_MAX_PATH], expected[MESSAGE];
    const struct node *node = reading->job_tree;
    const struct place place = {reading->file, entry->line};
    entry_path(path, sizeof path, entry);
    for (const char *text = entry->name; *text;) {
        size_t length = strcspn(text, ".[");
        const struct node *child = node_find(node, text, length);
        if (!child)
            return refuse_key(reading->arena, place, path, reading->job_tree, node,
                              arena_printf(reading->arena, "%.*s", (int)length, text), reading->fault);
        node = child;
        text += length;
        if (child->list) {
            size_t digits = *text == '[' ? strspn(text + 1, "0123456789") : 0;
            if (digits == 0 || text[digits + 1] != ']')
                return refuse(reading->fault, place, path,
                              arena_printf(reading->arena, "an index, as in %s[0]", child->name), "none");
            text += digits + 2;
        }
        text += *text == '.';
    }
    if (!node->key)
        return refuse(reading->fault, place, path, "a key with a value", node_keys(expected, sizeof expected, node));
    *key = node->key;
    return STATUS_OK;
}

/* "16,8" of [16, 8]; other values as they stand. Files from the root, so that it does not matter where a run starts. */
static enum status join(const struct study_reading *reading, const struct job_key *key, const struct entry *entry,
                        struct item *items, int *n, const char **joined)
{
    char expected[MESSAGE], found[128], real[PATH_MAX];
    *n = 0;
    if (entry->kind == ENTRY_SCALAR) {
        const char *text = entry->text;
        if (key->kind == KEY_FILE && *text && *text != '/')
            text = arena_printf(reading->arena, "%s%s", reading->folder, text);
        if (key->kind == KEY_FILE && realpath(text, real))
            text = arena_string(reading->arena, real);
        items[(*n)++] = (struct item){text, entry->line};
        *joined = text;
        return STATUS_OK;
    }
    *joined = "";
    if (entry->kind != ENTRY_LIST || !key_is_list(key) || entry->n == 0 || entry->n > key_most(key))
        return study_refuse(reading, entry, key_expected(expected, sizeof expected, key, 0),
                            entry_found(found, sizeof found, entry));
    for (const struct entry *child = entry->child; child; child = child->next) {
        if (child->kind != ENTRY_SCALAR)
            return study_refuse(reading, child, key_expected(expected, sizeof expected, key, 1),
                                entry_found(found, sizeof found, child));
        items[(*n)++] = (struct item){child->text, child->line};
        *joined = arena_printf(reading->arena, "%s%s%s", *joined, **joined ? "," : "", child->text);
    }
    return STATUS_OK;
}

enum status study_value(const struct study_reading *reading, const struct job_key *key, const struct entry *entry,
                        const char **value)
{
    char path[CONFIG_MAX_PATH];
    struct item items[64];
    int n;
    struct site site = {reading->arena, reading->file, entry_path(path, sizeof path, entry), "", reading->fault};
    if (join(reading, key, entry, items, &n, value))
        return reading->fault->status;
    /* A job is large enough for the record of any key, also of an element of one of its lists. */
    struct arena *scratch = arena_new();
    site.arena = scratch;
    value_set(&site, key, arena_take(scratch, sizeof(struct job)), items, n);
    arena_free(scratch);
    return reading->fault->status;
}

static enum status take_list(const struct study_reading *reading, const struct job_key *key, struct study_axis *axis,
                             const struct entry *entry)
{
    const char **values = arena_array(reading->arena, (size_t)entry->n + 1, sizeof *values);
    char found[128];
    if (entry->n == 0 || entry->n > STUDY_MAX_VALUES)
        return study_refuse(reading, entry, "a list of 1 to 1000 values", entry_found(found, sizeof found, entry));
    for (const struct entry *child = entry->child; child; child = child->next) {
        if (study_value(reading, key, child, &values[axis->n_values]))
            return reading->fault->status;
        for (int i = 0; i < axis->n_values; i++)
            if (axis->group != AXIS_ZIP && axis->group != AXIS_ALONG && !strcmp(values[i], values[axis->n_values]))
                return study_refuse(reading, child, "a value that is not in the list yet",
                                    entry_found(found, sizeof found, child));
        axis->n_values++;
    }
    axis->value = values;
    return STATUS_OK;
}

static enum status range_number(const struct study_reading *reading, const struct job_key *key,
                                const struct entry *entry, double *number)
{
    const char *text;
    double read = 0;
    if (study_value(reading, key, entry, &text))
        return reading->fault->status;
    unit_parse(text, key->kind == KEY_REAL ? key->unit : UNIT_NONE, &read);
    *number = read;
    return STATUS_OK;
}

/* A plain number above `above`; `whole`: without a fraction. */
static enum status plain_number(const struct study_reading *reading, const struct entry *entry, double above, int whole,
                                double *number)
{
    char found[128], expected[64];
    snprintf(expected, sizeof expected, "a %s number above %g", whole ? "whole" : "plain", above);
    if (entry->kind != ENTRY_SCALAR || unit_parse(entry->text, UNIT_NONE, number) || *number <= above ||
        *number > 1e300 || (whole && (*number != floor(*number) || *number > STUDY_MAX_VALUES)))
        return study_refuse(reading, entry, expected, entry_found(found, sizeof found, entry));
    return STATUS_OK;
}

static enum status take_scale(const struct study_reading *reading, const struct entry *entry, int *is_log)
{
    char found[128];
    int is_word = entry->kind == ENTRY_SCALAR;
    if (!is_word || (strcmp(entry->text, "log") != 0 && strcmp(entry->text, "linear") != 0))
        return study_refuse(reading, entry, "linear or log", entry_found(found, sizeof found, entry));
    *is_log = strcmp(entry->text, "log") == 0;
    return STATUS_OK;
}

static enum status take_range_key(const struct study_reading *reading, const struct job_key *key,
                                  struct study_axis *axis, const struct entry *entry)
{
    char found[128];
    double points = 0;
    int drawn = axis->group == AXIS_SAMPLE;
    if (!strcmp(entry->name, "from"))
        return range_number(reading, key, entry, &axis->from);
    if (!strcmp(entry->name, "to"))
        return range_number(reading, key, entry, &axis->to);
    if (!strcmp(entry->name, "scale"))
        return take_scale(reading, entry, &axis->is_log);
    if (!drawn && !strcmp(entry->name, "points")) {
        enum status status = plain_number(reading, entry, 1, 1, &points);
        axis->points = (int64_t)points;
        return status;
    }
    if (!drawn && !strcmp(entry->name, "factor"))
        return plain_number(reading, entry, 1, 0, &axis->factor);
    if (!drawn && !strcmp(entry->name, "step"))
        return key->kind == KEY_REAL ? range_number(reading, key, entry, &axis->step)
                                     : plain_number(reading, entry, 0, 0, &axis->step);
    return study_refuse(reading, entry,
                        drawn ? "one of the keys from, to, scale"
                              : "one of the keys from, to, scale, points, step, factor",
                        quote(found, sizeof found, entry->name));
}

static enum status take_range(const struct study_reading *reading, const struct job_key *key, struct study_axis *axis,
                              const struct entry *entry)
{
    if (key->kind != KEY_INT && key->kind != KEY_REAL)
        return study_refuse(reading, entry, "a list of values, because the key is no number", "a range");
    for (const struct entry *child = entry->child; child; child = child->next)
        if (take_range_key(reading, key, axis, child))
            return reading->fault->status;
    int ways = (axis->points > 0) + (axis->step > 0) + (axis->factor > 0);
    if (!entry_find(entry, "from") || !entry_find(entry, "to") || !(axis->from < axis->to))
        return study_refuse(reading, entry, "from below to", "something else");
    if (axis->group != AXIS_SAMPLE && ways != 1)
        return study_refuse(reading, entry, "one of points, step and factor", ways ? "several" : "none");
    if ((axis->is_log || axis->factor > 0) && axis->from <= 0)
        return study_refuse(reading, entry, "from above 0, because of its scale", "something else");
    return STATUS_OK;
}

static enum axis_value axis_value_of(const struct job_key *key)
{
    switch (key->kind) {
    case KEY_INT:
        return VALUE_WHOLE;
    case KEY_REAL:
        return VALUE_REAL;
    case KEY_SEED:
        return VALUE_SEED;
    case KEY_FILE:
        return VALUE_FILE;
    default:
        return VALUE_TEXT;
    }
}

static enum status take_axis(const struct study_reading *reading, const struct job_key *key, const char *name,
                             enum axis_group group, const struct entry *entry)
{
    char found[128];
    struct study *study = reading->study;
    if (study->n_axes == STUDY_MAX_AXES)
        return study_refuse(reading, entry, "at most 16 keys that vary", "one more");
    struct study_axis *axis = &study->axis[study->n_axes++];
    *axis = (struct study_axis){
        .group = group, .key = name, .line = entry->line, .kind = axis_value_of(key), .unit = key->unit};
    if (key->kind != KEY_REAL)
        axis->unit = UNIT_NONE;
    if (entry->kind == ENTRY_LIST)
        return take_list(reading, key, axis, entry);
    if (entry->kind == ENTRY_MAPPING && group != AXIS_ZIP && group != AXIS_ALONG)
        return take_range(reading, key, axis, entry);
    return study_refuse(reading, entry,
                        group == AXIS_ZIP || group == AXIS_ALONG
                            ? "a list of values"

                            : "a list of values, or a range such as {from: 1, to: 8, points: 8}",
                        entry_found(found, sizeof found, entry));
}

enum status study_take_axes(const struct study_reading *reading, const struct entry *section, enum axis_group group)
{
    char found[128];
    if (section->kind != ENTRY_MAPPING)
        return study_refuse(reading, section, "a section of keys of the job",
                            entry_found(found, sizeof found, section));
    for (const struct entry *entry = section->child; entry; entry = entry->next) {
        const struct job_key *key;
        if (study_find_key(reading, entry, &key) || take_axis(reading, key, entry->name, group, entry))
            return reading->fault->status;
    }
    return STATUS_OK;
}

enum status study_take_counts(const struct study_reading *reading, const struct entry *entry)
{
    const struct study *study = reading->study;
    const struct job_key *key = &ranks_key;
    const struct entry *over = entry_find(entry_find(study->entry, "scaling"), "over");
    if (!study_is_over_ranks(study)) {
        /* The key stands where a value does: looked up as if it were a key of its own. */
        struct entry named = *over;
        named.name = study->over;
        named.parent = entry->parent;
        if (study_find_key(reading, &named, &key))
            return reading->fault->status;
        if (key->kind != KEY_INT)
            return study_refuse(reading, over, "a key of the job with a whole number, or ranks", study->over);
    }
    return take_axis(reading, key, study->over, AXIS_SCALE, entry);
}

static enum status refuse_axis(const struct study_reading *reading, const struct study_axis *axis, const char *expected,
                               const char *found)
{
    return refuse(reading->fault, (struct place){reading->file, axis->line}, axis->key, expected, found);
}

enum status study_check_axes(const struct study_reading *reading)
{
    const struct study *study = reading->study;
    const struct study_axis *zip = NULL;
    for (int i = 0; i < study->n_axes; i++) {
        const struct study_axis *axis = &study->axis[i];
        for (int k = 0; k < i; k++)
            if (!strcmp(axis->key, study->axis[k].key))
                return refuse_axis(reading, axis, "a key that varies once", "it in two places");
        for (int k = 0; k < study->n_set; k++)
            if (!strcmp(axis->key, study->set[k].key))
                return refuse_axis(reading, axis, "a key that does not stand in set", "it there, too");
        if (axis->group != AXIS_ZIP)
            continue;
        if (zip && zip->n_values != axis->n_values)
            return refuse_axis(reading, axis,
                               arena_printf(reading->arena, "a list of %d values, as %s has", zip->n_values, zip->key),
                               arena_printf(reading->arena, "%d", axis->n_values));
        zip = axis;
    }
    return STATUS_OK;
}
