/* archive_copy.h - what was saved into an archive, to be restored from memory: round trips without a file. */
#ifndef TESTS_ARCHIVE_COPY_H
#define TESTS_ARCHIVE_COPY_H

#include <check.h>
#include <string.h>

#include "base/archive.h"

struct archive_copy {
    const struct archive_entry *entry;
    size_t n;
};

static inline const struct archive_entry *copy_find(const struct archive_copy *copy, const char *name)
{
    for (size_t i = 0; i < copy->n; i++)
        if (strcmp(copy->entry[i].name, name) == 0)
            return &copy->entry[i];
    return NULL;
}

static inline enum status copy_look(void *state, const char *name, enum archive_type *type, uint64_t *n,
                                    struct fault *fault)
{
    const struct archive_entry *entry = copy_find(state, name);
    if (!entry)
        return fault_set(fault, STATUS_IO, "%s: no such entry", name);
    *type = entry->type;
    *n = entry->n;
    return STATUS_OK;
}

static inline enum status copy_read(void *state, const struct archive_entry *wanted, void *values, struct fault *fault)
{
    const struct archive_entry *entry = copy_find(state, wanted->name);
    (void)fault;
    memcpy(values, entry->values, (size_t)entry->n * archive_type_bytes(entry->type));
    return STATUS_OK;
}

/* An archive that restores what `saved` holds; `copy` is the caller's and lives as long. */
static inline struct archive *archive_back(struct archive *saved, struct archive_copy *copy, struct arena *arena)
{
    copy->entry = archive_entries(saved, &copy->n);
    const struct archive_source source = {copy, copy_look, copy_read};
    return archive_from(&source, arena);
}

#endif
