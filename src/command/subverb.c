#include "command/subverb.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

char **subverb_copy_words(struct arena *arena, int argc, char **argv)
{
    char **words = arena_array(arena, (size_t)argc + 1, sizeof *words);
    return memcpy(words, argv, (size_t)argc * sizeof *words);
}

static void print_help(const struct subverbs *verbs)
{
    printf("Usage: polyrank %s VERB ...\n%s\n\n", verbs->verb, verbs->purpose);
    for (int i = 0; i < verbs->n; i++)
        printf("  %-10s %s\n", verbs->list[i].name, verbs->list[i].summary);
    printf("\npolyrank %s VERB --help lists the options.\n", verbs->verb);
}

/* "import, synth, info or list" */
static const char *names_of(const struct subverbs *verbs, struct arena *arena)
{
    const char *text = verbs->list[0].name;
    for (int i = 1; i < verbs->n; i++)
        text = arena_printf(arena, i + 1 < verbs->n ? "%s, %s" : "%s or %s", text, verbs->list[i].name);
    return text;
}

static enum status refuse(const struct subverbs *verbs, const char *word, struct arena *arena, struct fault *fault)
{
    const char **names = arena_array(arena, (size_t)verbs->n, sizeof *names);
    for (int i = 0; i < verbs->n; i++)
        names[i] = verbs->list[i].name;
    const char *near = word ? nearest_word(word, names, (size_t)verbs->n) : NULL;
    if (!word)
        return fault_set(fault, STATUS_USAGE, "%s: expected a verb: %s", verbs->verb, names_of(verbs, arena));
    if (near)
        return fault_set(fault, STATUS_USAGE, "%s: unknown verb '%s': did you mean %s?", verbs->verb, word, near);
    return fault_set(fault, STATUS_USAGE, "%s: unknown verb '%s': expected %s", verbs->verb, word,
                     names_of(verbs, arena));
}

enum status subverbs_run(const struct subverbs *verbs, int argc, char **argv, struct fault *fault)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0))
        return print_help(verbs), STATUS_OK;
    struct arena *arena = arena_new();
    const struct subverb *found = NULL;
    for (int i = 0; word && i < verbs->n; i++)
        if (strcmp(word, verbs->list[i].name) == 0)
            found = &verbs->list[i];
    enum status status = STATUS_OK;
    if (found) {
        char **words = subverb_copy_words(arena, argc - 1, argv + 1);
        words[0] = arena_printf(arena, "%s %s", verbs->verb, found->name);
        status = found->run(arena, argc - 1, words, fault);
    } else {
        status = refuse(verbs, word, arena, fault);
    }
    arena_free(arena);
    return status;
}
