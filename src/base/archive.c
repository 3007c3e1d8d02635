#include "base/archive.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 8, MOST_NAME = 256 };

struct archive {
    struct arena *arena;
    struct archive_source source; /* restoring; look NULL: saving */
    struct archive_entry *entry;
    size_t n, room;
    char path[MOST_NAME];
    size_t level[MOST_DEPTH]; /* lengths of the path before each archive_enter */
    int depth;
    struct fault fault;
};

size_t archive_type_bytes(enum archive_type type)
{
    static const size_t bytes[N_ARCHIVE_TYPES] = {
        [ARCHIVE_U8] = 1,  [ARCHIVE_I32] = 4, [ARCHIVE_U32] = 4, [ARCHIVE_I64] = 8,
        [ARCHIVE_U64] = 8, [ARCHIVE_F32] = 4, [ARCHIVE_F64] = 8, [ARCHIVE_I16] = 2};
    return bytes[type];
}

struct archive *archive_new(struct arena *arena)
{
    struct archive *archive = arena_take(arena, sizeof *archive);
    archive->arena = arena;
    return archive;
}

struct archive *archive_from(const struct archive_source *source, struct arena *arena)
{
    struct archive *archive = archive_new(arena);
    archive->source = *source;
    return archive;
}

int archive_restores(const struct archive *archive)
{
    return archive->source.look != NULL;
}

struct arena *archive_arena(const struct archive *archive)
{
    return archive->arena;
}

enum status archive_status(const struct archive *archive, struct fault *fault)
{
    if (archive->fault.status != STATUS_OK)
        return fault_set(fault, archive->fault.status, "%s", archive->fault.text);
    return STATUS_OK;
}

int archive_has_failed(const struct archive *archive)
{
    return archive->fault.status != STATUS_OK;
}

void archive_refuse(struct archive *archive, const char *format, ...)
{
    char text[FAULT_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fault_set(&archive->fault, STATUS_IO, "%s: %s", archive->path, text);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct archive_entry *)left)->name, ((const struct archive_entry *)right)->name);
}

const struct archive_entry *archive_entries(struct archive *archive, size_t *n)
{
    if (archive->n > 1)
        qsort(archive->entry, archive->n, sizeof *archive->entry, by_name);
    for (size_t i = 1; i < archive->n; i++)
        if (strcmp(archive->entry[i - 1].name, archive->entry[i].name) == 0)
            bug("%s is saved twice", archive->entry[i].name);
    *n = archive->n;
    return archive->entry;
}

void archive_enter(struct archive *archive, const char *format, ...)
{
    size_t length = strlen(archive->path), left = sizeof archive->path - length;
    va_list arguments;
    if (archive->depth == MOST_DEPTH)
        bug("an archive deeper than %d", MOST_DEPTH);
    archive->level[archive->depth++] = length;
    va_start(arguments, format);
    size_t n = (size_t)vsnprintf(archive->path + length, left, format, arguments);
    va_end(arguments);
    if (n + 2 > left)
        bug("an archive's name is longer than %d characters: %s", MOST_NAME, archive->path);
    memcpy(archive->path + length + n, "/", 2);
}

void archive_leave(struct archive *archive)
{
    archive->path[archive->level[--archive->depth]] = '\0';
}

static const char *full_name(struct archive *archive, const char *name)
{
    return arena_printf(archive->arena, "%s%s", archive->path, name);
}

static void add(struct archive *archive, const struct archive_entry *entry)
{
    if (archive->n == archive->room) {
        archive->room = archive->room ? 2 * archive->room : 256;
        struct archive_entry *larger = arena_array(archive->arena, archive->room, sizeof *larger);
        if (archive->n)
            memcpy(larger, archive->entry, archive->n * sizeof *larger);
        archive->entry = larger;
    }
    archive->entry[archive->n++] = *entry;
}

static const char *const type_name[N_ARCHIVE_TYPES] = {
    [ARCHIVE_U8] = "uint8",   [ARCHIVE_I32] = "int32",   [ARCHIVE_U32] = "uint32",  [ARCHIVE_I64] = "int64",
    [ARCHIVE_U64] = "uint64", [ARCHIVE_F32] = "float32", [ARCHIVE_F64] = "float64", [ARCHIVE_I16] = "int16"};

/* Reads an entry that has to have this type and length into values without gaps. */
static int restore(struct archive *archive, const struct archive_entry *entry, void *values)
{
    enum archive_type type;
    uint64_t n;
    if (archive->fault.status != STATUS_OK)
        return 0;
    if (archive->source.look(archive->source.state, entry->name, &type, &n, &archive->fault) != STATUS_OK)
        return 0;
    if (type != entry->type || n != entry->n) {
        fault_set(&archive->fault, STATUS_IO, "%s: expected %llu values of type %s, found %llu of type %s", entry->name,
                  (unsigned long long)entry->n, type_name[entry->type], (unsigned long long)n, type_name[type]);
        return 0;
    }
    return n == 0 || archive->source.read(archive->source.state, entry, values, &archive->fault) == STATUS_OK;
}

static void gather(char *to, const char *from, size_t n, size_t bytes, size_t stride)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * bytes, from + i * stride, bytes);
}

static void scatter(char *to, const char *from, size_t n, size_t bytes, size_t stride)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * stride, from + i * bytes, bytes);
}

void archive_put(struct archive *archive, const char *name, enum archive_type type, void *values, size_t n,
                 size_t stride)
{
    size_t bytes = archive_type_bytes(type);
    struct archive_entry entry = {full_name(archive, name), type, n, NULL};
    if (archive_restores(archive)) {
        struct arena *arena = arena_new();
        char *read = arena_array(arena, n + 1, bytes);
        if (restore(archive, &entry, read))
            scatter(values, read, n, bytes, stride);
        arena_free(arena);
        return;
    }
    char *copy = arena_array(archive->arena, n + 1, bytes);
    gather(copy, values, n, bytes, stride);
    entry.values = copy;
    add(archive, &entry);
}

void archive_memory(struct archive *archive, const char *name, enum archive_type type, void *values, size_t n)
{
    const struct archive_entry entry = {full_name(archive, name), type, n, values};
    if (archive_restores(archive))
        restore(archive, &entry, values);
    else
        add(archive, &entry);
}

size_t archive_count(struct archive *archive, const char *name, size_t n)
{
    uint64_t count = n;
    archive_field(archive, name, &count);
    return archive->fault.status == STATUS_OK ? (size_t)count : 0;
}

void archive_wide(struct archive *archive, const char *name, wide_uint *values, size_t n, size_t stride)
{
    struct arena *arena = arena_new();
    uint64_t *halves = arena_array(arena, 2 * n + 1, sizeof *halves);
    for (size_t i = 0; i < n && !archive_restores(archive); i++) {
        wide_uint value;
        memcpy(&value, (char *)values + i * stride, sizeof value);
        halves[2 * i] = (uint64_t)value;
        halves[2 * i + 1] = (uint64_t)(value >> 64);
    }
    archive_array(archive, name, halves, 2 * n);
    for (size_t i = 0; i < n && archive_restores(archive) && archive->fault.status == STATUS_OK; i++) {
        wide_uint value = (wide_uint)halves[2 * i + 1] << 64 | halves[2 * i];
        memcpy((char *)values + i * stride, &value, sizeof value);
    }
    arena_free(arena);
}

static const char *text_at(const char **values, size_t i, size_t stride)
{
    const char *text = *(const char **)(void *)((char *)values + i * stride);
    return text ? text : "";
}

/* All strings in one array of characters, each with its NUL. */
void archive_texts(struct archive *archive, const char *name, const char **values, size_t n, size_t stride)
{
    size_t length = 0;
    for (size_t i = 0; i < n && !archive_restores(archive); i++)
        length += strlen(text_at(values, i, stride)) + 1;
    archive_enter(archive, "%s", name);
    length = archive_count(archive, "length", length);
    uint8_t *all = arena_take(archive->arena, length + 1);
    for (size_t i = 0, at = 0; i < n && !archive_restores(archive); i++) {
        const char *text = text_at(values, i, stride);
        memcpy(all + at, text, strlen(text) + 1);
        at += strlen(text) + 1;
    }
    archive_array(archive, "text", all, length);
    archive_leave(archive);
    for (size_t i = 0, at = 0; i < n && archive_restores(archive) && archive->fault.status == STATUS_OK; i++) {
        if (at >= length) {
            fault_set(&archive->fault, STATUS_IO, "%s%s: expected %zu texts, found %zu", archive->path, name, n, i);
            return;
        }
        *(const char **)(void *)((char *)values + i * stride) = (const char *)all + at;
        at += strlen((const char *)all + at) + 1;
    }
}
