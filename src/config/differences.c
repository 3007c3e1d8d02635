#include "config/differences.h"

#include <stdio.h>
#include <string.h>

#include "config/outline.h"

enum { MOST_TOLD = 4, MOST_PATH = 256 };

struct comparison {
    char *text;
    size_t size;
    int n;
};

/* Where results go; where data set, model and requests are, as long as they are the same (their checksum tells). */
static int changes_no_result(const char *path)
{
    static const char *const places[] = {"output.directory", "data.file",     "decoder.file",
                                         "serve.trace",      "serve.prompts", "serve.lengths_from"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(path, places[i]) == 0)
            return 1;
    return 0;
}

static void tell(struct comparison *comparison, const struct entry *at, const char *was, const char *is)
{
    char path[MOST_PATH];
    entry_path(path, sizeof path, at);
    if (changes_no_result(path))
        return;
    size_t length = strlen(comparison->text), left = comparison->size - length;
    if (comparison->n++ < MOST_TOLD)
        snprintf(comparison->text + length, left, "%s%s was %s and is %s", length ? ", " : "", path, was, is);
    else if (comparison->n == MOST_TOLD + 1)
        snprintf(comparison->text + length, left, ", ...");
}

/* The entry of the other text at the same place. */
static const struct entry *partner_of(const struct entry *entry, const struct entry *parent)
{
    const struct entry *other = parent->child;
    while (other &&
           !(entry->name ? other->name && strcmp(other->name, entry->name) == 0 : other->index == entry->index))
        other = other->next;
    return other;
}

static void compare(struct comparison *comparison, const struct entry *was, const struct entry *is)
{
    char found[2][128];
    if (was->kind != is->kind || was->kind == ENTRY_SCALAR) {
        if (was->kind != is->kind || strcmp(was->text, is->text) != 0)
            tell(comparison, was, entry_found(found[0], sizeof found[0], was),
                 entry_found(found[1], sizeof found[1], is));
        return;
    }
    for (const struct entry *child = was->child; child; child = child->next) {
        const struct entry *other = partner_of(child, is);
        if (other)
            compare(comparison, child, other);
        else
            tell(comparison, child, entry_found(found[0], sizeof found[0], child), "not given");
    }
    for (const struct entry *child = is->child; child; child = child->next)
        if (!partner_of(child, was))
            tell(comparison, child, "not given", entry_found(found[0], sizeof found[0], child));
}

int differences_of_jobs(const char *was, const char *is, char *text, size_t size)
{
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct entry *left = NULL, *right = NULL;
    struct comparison comparison = {text, size, 0};
    text[0] = '\0';
    if (outline_read(arena, "the checkpoint's job", was, &left, &fault) != STATUS_OK ||
        outline_read(arena, "the job", is, &right, &fault) != STATUS_OK) {
        snprintf(text, size, "%s", fault.text);
        comparison.n = 1;
    } else {
        compare(&comparison, left, right);
    }
    arena_free(arena);
    return comparison.n;
}
