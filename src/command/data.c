/* data.c - polyrank data: import, synth, info, baseline. */
#include "command/data.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/unit.h"
#include "command/command.h"
#include "command/subverb.h"

static const struct subverb verbs[] = {
    {"import", "CSV, pandas HDF5, netCDF-3, netCDF-4 or HDF5 into a data set", data_import},
    {"synth", "make a data set up, of any size", data_synth},
    {"info", "what a data set holds", data_info},
    {"baseline", "what simple methods reach on it", data_baseline},
};

enum status data_may_write(const char *path, int force, struct fault *fault)
{
    if (!force && access(path, F_OK) == 0)
        return fault_set(fault, STATUS_USAGE, "%s: exists already: --force replaces it", path);
    return STATUS_OK;
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

enum status command_data(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    (void)comm;
    const struct subverbs all = {
        .verb = "data",
        .purpose = "Makes and looks at data sets: variables over time and stations in one HDF5 file.",
        .list = verbs,
        .n = sizeof verbs / sizeof *verbs,
    };
    return subverbs_run(&all, argc, argv, fault);
}
