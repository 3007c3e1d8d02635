#include "command/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

enum { MAX_OPTIONS = 64 };

static const struct argp_option help_option[] = {{"help", 'h', NULL, 0, "this text", -1}, {0}};

/* The verb's options with --help first, in storage of the caller. */
static size_t all_options(const struct argp *argp, struct argp_option *out)
{
    size_t n = 0;
    for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc || o->group); o++)
        if (n + 2 < MAX_OPTIONS)
            out[n++] = *o;
    out[n++] = help_option[0];
    memset(&out[n], 0, sizeof out[n]);
    return n;
}

static const struct argp_option *find_long(const struct argp_option *options, size_t n, const char *name, size_t length,
                                           int *matches)
{
    const struct argp_option *found = NULL;
    *matches = 0;
    for (size_t i = 0; i < n; i++) {
        if (!options[i].name || strncmp(options[i].name, name, length) != 0)
            continue;
        if (options[i].name[length] == '\0') {
            *matches = 1;
            return &options[i];
        }
        found = &options[i];
        ++*matches;
    }
    return found;
}

static const struct argp_option *find_short(const struct argp_option *options, size_t n, char key)
{
    for (size_t i = 0; i < n; i++)
        if (options[i].key == key && key != 0)
            return &options[i];
    return NULL;
}

static enum status unknown_option(const struct argp_option *options, size_t n, const char *word, size_t length,
                                  struct fault *fault)
{
    const char *names[MAX_OPTIONS];
    size_t n_names = 0;
    for (size_t i = 0; i < n; i++)
        if (options[i].name)
            names[n_names++] = options[i].name;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    const char *near = nearest_word(name, names, n_names);
    if (near)
        return fault_set(fault, STATUS_USAGE, "unknown option --%s: did you mean --%s?", name, near);
    return fault_set(fault, STATUS_USAGE, "unknown option --%s: --help lists the options", name);
}

/* Checks one word that starts with "--"; *skip becomes 1 when the next word is its argument. */
static enum status check_long(const struct argp_option *options, size_t n, const char *word, int is_last, int *skip,
                              struct fault *fault)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    int matches;
    const struct argp_option *option = find_long(options, n, name, length, &matches);
    if (matches == 0)
        return unknown_option(options, n, name, length, fault);
    if (matches > 1)
        return fault_set(fault, STATUS_USAGE, "option --%.*s is ambiguous: write it out", (int)length, name);
    if (!option->arg && equals)
        return fault_set(fault, STATUS_USAGE, "option --%s takes no argument, found '%s'", option->name, equals + 1);
    if (option->arg && !equals && !(option->flags & OPTION_ARG_OPTIONAL)) {
        if (is_last)
            return fault_set(fault, STATUS_USAGE, "option --%s needs an argument: %s", option->name, option->arg);
        *skip = 1;
    }
    return STATUS_OK;
}

static enum status check_short(const struct argp_option *options, size_t n, const char *word, int is_last, int *skip,
                               struct fault *fault)
{
    for (const char *key = word + 1; *key; key++) {
        const struct argp_option *option = find_short(options, n, *key);
        if (!option)
            return fault_set(fault, STATUS_USAGE, "unknown option -%c: --help lists the options", *key);
        if (!option->arg)
            continue;
        if (key[1] == '\0') {
            if (is_last)
                return fault_set(fault, STATUS_USAGE, "option -%c needs an argument: %s", *key, option->arg);
            *skip = 1;
        }
        return STATUS_OK;
    }
    return STATUS_OK;
}

static int is_number(const char *word)
{
    char *end;
    strtod(word, &end);
    return *end == '\0';
}

static enum status check_words(const struct argp_option *options, size_t n, int argc, char **argv, int *help,
                               struct fault *fault)
{
    *help = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        int skip = 0;
        if (strcmp(word, "--") == 0)
            break;
        if (word[0] != '-' || word[1] == '\0' || is_number(word))
            continue;
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *help = 1;
            return STATUS_OK;
        }
        enum status status = word[1] == '-' ? check_long(options, n, word, i == argc - 1, &skip, fault)
                                            : check_short(options, n, word, i == argc - 1, &skip, fault);
        if (status != STATUS_OK)
            return status;
        i += skip;
    }
    return STATUS_OK;
}

enum status options_parse(const struct argp *argp, int argc, char **argv, void *input, int *done, struct fault *fault)
{
    struct argp_option options[MAX_OPTIONS];
    size_t n = all_options(argp, options);
    struct argp full = *argp;
    full.options = options;
    char usage[64];
    snprintf(usage, sizeof usage, "polyrank %s", argv[0]);
    int help;
    enum status status = check_words(options, n, argc, argv, &help, fault);
    if (status != STATUS_OK)
        return status;
    *done = help;
    if (help) {
        argp_help(&full, stdout, ARGP_HELP_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG | ARGP_HELP_POST_DOC, usage);
        return STATUS_OK;
    }
    int index = 0;
    int error = argp_parse(&full, argc, argv, ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP, &index, input);
    if (fault->status != STATUS_OK)
        return fault->status;
    if (error || index < argc)
        return fault_set(fault, STATUS_USAGE, "unexpected argument '%s': polyrank %s --help shows the usage",
                         index < argc ? argv[index] : argv[argc - 1], argv[0]);
    return STATUS_OK;
}
