#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "config/key_table.h"

/* clang-format off */
static const struct job_key top[] = {
    {"name", KEY_NAME, IN(name), OPEN("the file's name"), MEANS("name of the job in reports")},
    {"cluster", KEY_FILE, IN(cluster_file), OPEN("the section cluster"),
        MEANS("cluster file; or the cluster itself as a section")},
};

static const struct job_list lists[] = {
    {"faults", IN(fault), IN(n_faults), sizeof(struct job_fault), 0, JOB_MAX_FAULTS,
        "faults of the emulated hardware, at virtual times"},
    {"cluster.devices", IN(cluster.device), IN(cluster.n_devices), sizeof(struct cluster_device), 1,
        CLUSTER_MAX_DEVICES,
        "the devices, one entry per kind and profile"},
};
/* clang-format on */

const struct job_key *job_key(int i)
{
    const struct key_part part[] = {
        {top, sizeof top / sizeof top[0]}, keys_of_training(), keys_of_serving(), keys_of_runs(), keys_of_clusters(),
    };
    for (size_t p = 0; p < sizeof part / sizeof part[0]; p++) {
        if (i < part[p].n)
            return &part[p].keys[i];
        i -= part[p].n;
    }
    return NULL;
}

const struct job_list *job_lists(int *n)
{
    *n = (int)(sizeof lists / sizeof lists[0]);
    return lists;
}

int key_is_list(const struct job_key *key)
{
    return key->kind == KEY_INTS || key->kind == KEY_WORDS || key->kind == KEY_TEXTS || key->kind == KEY_INT_PAIR ||
           key->kind == KEY_TIME_PAIR;
}

static int is_pair(const struct job_key *key)
{
    return key->kind == KEY_INT_PAIR || key->kind == KEY_TIME_PAIR;
}

int key_least(const struct job_key *key)
{
    return is_pair(key) ? 2 : 1;
}

int key_most(const struct job_key *key)
{
    return is_pair(key) ? 2 : key_is_list(key) ? key->most : 1;
}

char *key_word(const struct job_key *key, int i, char *word, size_t size)
{
    const char *p = key->words ? key->words : "";
    for (; *p && i > 0; i--) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    if (!*p)
        return NULL;
    snprintf(word, size, "%.*s", (int)strcspn(p, " "), p);
    return word;
}

static void append_words(char *text, size_t size, const struct job_key *key)
{
    char word[64];
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; key_word(key, i, word, sizeof word) && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i > 0 ? ", " : "", word);
}

static void bound(char *text, size_t size, const struct job_key *key, double value)
{
    if (key->kind == KEY_REAL)
        unit_print(text, size, key->unit, value);
    else
        snprintf(text, size, "%.0f", value);
}

/* " from 1 to 8", " above 0 and below 1", " of at least 0 B" */
static void append_range(char *text, size_t size, const struct job_key *key)
{
    char low[64], high[64];
    size_t at = strlen(text);
    bound(low, sizeof low, key, key->min);
    bound(high, sizeof high, key, key->max);
    if (isinf(key->max))
        snprintf(text + at, size - at, " %s %s", key->min_excluded ? "above" : "of at least", low);
    else if (!key->min_excluded && !key->max_excluded)
        snprintf(text + at, size - at, " from %s to %s", low, high);
    else
        snprintf(text + at, size - at, " %s %s and %s %s", key->min_excluded ? "above" : "of at least", low,
                 key->max_excluded ? "below" : "at most", high);
}

static void expected_element(char *text, size_t size, const struct job_key *key)
{
    char words[256];
    switch (key->kind) {
    case KEY_INT:
    case KEY_INTS:
    case KEY_INT_PAIR:
        snprintf(text, size, "a whole number");
        append_range(text, size, key);
        if (key->words)
            snprintf(text + strlen(text), size - strlen(text), ", or %s", key->words);
        break;
    case KEY_SEED:
        snprintf(text, size, "a whole number from 0 to 18446744073709551615");
        break;
    case KEY_REAL:
        snprintf(text, size, "%s", unit_expected(key->unit));
        append_range(text, size, key);
        break;
    case KEY_SWITCH:
    case KEY_SWITCH_OR_UNSET:
        snprintf(text, size, "true or false");
        break;
    case KEY_WORD:
    case KEY_WORDS:
        append_words(words, sizeof words, key);
        snprintf(text, size, "%s%s", strchr(key->words, ' ') ? "one of " : "", words);
        break;
    case KEY_NAME:
        snprintf(text, size, "a name of letters, digits, '.', '_' and '-'");
        break;
    case KEY_FILE:
        snprintf(text, size, "a file name");
        break;
    case KEY_TIME_PAIR:
        snprintf(text, size, "a time stamp such as \"2012-06-30\" or \"2012-06-30T18:00\"");
        break;
    case KEY_TEXT:
    case KEY_TEXTS:
    case N_KEY_KINDS:
        snprintf(text, size, "%s", key->words ? key->words : "printable text");
        break;
    }
}

static const char *element_plural(const struct job_key *key)
{
    return key->kind == KEY_INTS || key->kind == KEY_INT_PAIR ? "whole numbers"
           : key->kind == KEY_TIME_PAIR                       ? "time stamps"
           : key->kind == KEY_WORDS                           ? "words"
                                                              : "texts";
}

char *key_expected(char *text, size_t size, const struct job_key *key, int element)
{
    if (element || !key_is_list(key))
        expected_element(text, size, key);
    else if (is_pair(key))
        snprintf(text, size, "a list of 2 %s", element_plural(key));
    else
        snprintf(text, size, "a list of 1 to %d %s", key->most, element_plural(key));
    return text;
}
