/* data.c - polyrank data: import, synth, info, baseline. */
#include "command/data.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "base/unit.h"
#include "command/command.h"

static const struct {
    const char *name, *summary;
    enum status (*run)(struct arena *, int, char **, struct fault *);
} verbs[] = {
    {"import", "CSV, pandas HDF5, netCDF-3, netCDF-4 or HDF5 into a data set", data_import},
    {"synth", "make a data set up, of any size", data_synth},
    {"info", "what a data set holds", data_info},
    {"baseline", "what simple methods reach on it", data_baseline},
};

enum { N_VERBS = sizeof verbs / sizeof *verbs };

enum status data_may_write(const char *path, int force, struct fault *fault)
{
    if (!force && access(path, F_OK) == 0)
        return fault_set(fault, STATUS_USAGE, "%s: exists already: --force replaces it", path);
    return STATUS_OK;
}

char **data_copy_words(struct arena *arena, int argc, char **argv)
{
    char **words = arena_array(arena, (size_t)argc + 1, sizeof *words);
    return memcpy(words, argv, (size_t)argc * sizeof *words);
}

const char *data_history(struct arena *arena, int argc, char **argv, const char *out)
{
    const char *text = "polyrank";
    for (int i = 0; i < argc; i++) {
        if (argv[i] == out || strncmp(argv[i], "--fo", 4) == 0)
            continue;
        const char *slash = i > 0 ? strrchr(argv[i], '/') : NULL, *word = slash && slash[1] ? slash + 1 : argv[i];
        int quote = i > 0 && word[strcspn(word, " \t*;")] != '\0';
        text = arena_printf(arena, quote ? "%s '%s'" : "%s %s", text, word);
    }
    return text;
}

enum status data_words(struct arena *arena, const char *option, const char *text, int most, const char **words, int *n,
                       struct fault *fault)
{
    char *copy = arena_string(arena, text);
    *n = 0;
    for (char *word = copy, *next; word; word = next) {
        next = strchr(word, ',');
        if (next)
            *next++ = '\0';
        while (*word == ' ')
            word++;
        if (!*word)
            return fault_set(fault, STATUS_USAGE, "--%s: expected names separated by commas, found \"%s\"", option,
                             text);
        if (*n == most)
            return fault_set(fault, STATUS_USAGE, "--%s: expected at most %d names", option, most);
        words[(*n)++] = word;
    }
    return STATUS_OK;
}

enum status data_whole(const char *option, const char *text, int64_t least, int64_t *value, struct fault *fault)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end || number < least)
        return fault_set(fault, STATUS_USAGE, "--%s: expected a whole number of at least %lld, found \"%s\"", option,
                         (long long)least, text);
    *value = number;
    return STATUS_OK;
}

enum status data_seconds(const char *option, const char *text, double *seconds, struct fault *fault)
{
    const char *reason = unit_parse(text, UNIT_SECONDS, seconds);
    if (!reason && !(*seconds >= 1))
        reason = "expected at least one second";
    if (reason)
        return fault_set(fault, STATUS_USAGE, "--%s: expected %s, found \"%s\": %s", option,
                         unit_expected(UNIT_SECONDS), text, reason);
    return STATUS_OK;
}

enum status data_range(const char *option, const char *text, int64_t *first, int64_t *last, struct fault *fault)
{
    long long a, b;
    int end = 0;
    if (sscanf(text, "%lld..%lld%n", &a, &b, &end) != 2 || text[end] || a < 0 || b < a)
        return fault_set(fault, STATUS_USAGE, "--%s: expected rows such as 480..2119, found \"%s\"", option, text);
    *first = a;
    *last = b;
    return STATUS_OK;
}

static void print_help(FILE *out)
{
    fprintf(out,
            "Usage: polyrank data VERB ...\nMakes and looks at data sets: variables over time and stations in one HDF5 "
            "file.\n\n");
    for (int i = 0; i < N_VERBS; i++)
        fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
    fprintf(out, "\npolyrank data VERB --help lists the options.\n");
}

static enum status unknown(const char *word, struct fault *fault)
{
    const char *names[N_VERBS];
    for (int i = 0; i < N_VERBS; i++)
        names[i] = verbs[i].name;
    const char *near = nearest_word(word, names, N_VERBS);
    if (near)
        return fault_set(fault, STATUS_USAGE, "data: unknown verb '%s': did you mean %s?", word, near);
    return fault_set(fault, STATUS_USAGE, "data: unknown verb '%s': expected import, synth, info or baseline", word);
}

enum status command_data(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    (void)comm;
    if (argc < 2)
        return fault_set(fault, STATUS_USAGE, "data: expected a verb: import, synth, info or baseline");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help(stdout), STATUS_OK;
    for (int i = 0; i < N_VERBS; i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        struct arena *arena = arena_new();
        char **words = data_copy_words(arena, argc - 1, argv + 1);
        words[0] = arena_printf(arena, "data %s", verbs[i].name);
        enum status status = verbs[i].run(arena, argc - 1, words, fault);
        arena_free(arena);
        return status;
    }
    return unknown(argv[1], fault);
}
