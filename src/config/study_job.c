/* study_job.c - a number of a job by the path of its key. */
#include <stdlib.h>
#include <string.h>

#include "config/study.h"
#include "config/tree.h"

static enum status refuse_path(const char *path, const char *expected, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "expected %s, found '%s'", expected, path);
}

enum status job_get_int(struct arena *arena, const struct job *job, const char *path, int64_t *value,
                        struct fault *fault)
{
    const struct node *node = tree_new(arena);
    const char *base = (const char *)job, *text = path;
    while (*text) {
        size_t length = strcspn(text, ".[");
        node = node_find(node, text, length);
        if (!node)
            return refuse_path(path, "a key of the job", fault);
        text += length;
        if (node->list) {
            int n = *(const int *)(const void *)(base + node->list->count_offset);
            long index = *text == '[' ? atol(text + 1) : -1;
            if (index < 0 || index >= n)
                return refuse_path(path, arena_printf(arena, "an index below %d", n), fault);
            base = (const char *)job + node->list->offset + (size_t)index * node->list->element_bytes;
            text += strcspn(text, "]");
            text += *text == ']';
        }
        text += *text == '.';
    }
    if (!node->key || node->key->kind != KEY_INT)
        return refuse_path(path, "a key with a whole number", fault);
    *value = *(const int64_t *)(const void *)(base + node->key->offset);
    return STATUS_OK;
}
