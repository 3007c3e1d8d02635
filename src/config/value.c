#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "config/job.h"

enum { MAX_WORDS = 32, WORD = 64 };

static enum status refuse_item(const struct site *site, const struct job_key *key, const struct item *item, int index,
                               const char *why)
{
    char path[CONFIG_MAX_PATH], expected[512], found[256] = "nothing";
    int in_list = key_is_list(key);
    if (in_list)
        snprintf(path, sizeof path, "%s[%d]", site->path, index);
    if (*item->text)
        quote(found, sizeof found, item->text);
    if (why && *item->text)
        snprintf(found + strlen(found), sizeof found - strlen(found), " (%s)", why);
    return refuse(site->fault, (struct place){site->file, item->line}, in_list ? path : site->path,
                  key_expected(expected, sizeof expected, key, 1), found);
}

static int in_range(const struct job_key *key, double value)
{
    if (key->min_excluded ? value <= key->min : value < key->min)
        return 0;
    return key->max_excluded ? value < key->max : value <= key->max;
}

/* Decimal digits only: in YAML 010 is eight and 1_000 a thousand, which nobody means. */
static int is_integer(const char *text)
{
    const char *digits = text + (*text == '-');
    size_t n = strspn(digits, "0123456789");
    return n > 0 && !digits[n] && (n == 1 || *digits != '0');
}

static enum status int_set(const struct site *site, const struct job_key *key, const struct item *item, int index,
                           int64_t *value)
{
    if (key->words && strcmp(item->text, key->words) == 0) {
        *value = JOB_UNSET;
        return STATUS_OK;
    }
    errno = 0;
    int64_t read = is_integer(item->text) ? strtoll(item->text, NULL, 10) : 0;
    if (!is_integer(item->text) || errno || !in_range(key, (double)read))
        return refuse_item(site, key, item, index, NULL);
    *value = read;
    return STATUS_OK;
}

static enum status seed_set(const struct site *site, const struct job_key *key, const struct item *item,
                            uint64_t *value)
{
    errno = 0;
    uint64_t read = is_integer(item->text) ? strtoull(item->text, NULL, 10) : 0;
    if (!is_integer(item->text) || *item->text == '-' || errno)
        return refuse_item(site, key, item, 0, NULL);
    *value = read;
    return STATUS_OK;
}

static enum status real_set(const struct site *site, const struct job_key *key, const struct item *item, double *value)
{
    double read;
    const char *why = unit_parse(item->text, key->unit, &read);
    if (why || !in_range(key, read))
        return refuse_item(site, key, item, 0, why);
    *value = read + 0.0; /* no -0 */
    return STATUS_OK;
}

static enum status switch_set(const struct site *site, const struct job_key *key, const struct item *item, int *value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (int i = 0; i < 8; i++)
        if (!strcasecmp(item->text, words[i])) {
            *value = i % 2;
            return STATUS_OK;
        }
    return refuse_item(site, key, item, 0, NULL);
}

static enum status word_set(const struct site *site, const struct job_key *key, const struct item *item, int index,
                            const char **value)
{
    char words[MAX_WORDS][WORD], why[WORD + 32];
    const char *list[MAX_WORDS];
    size_t n = 0;
    for (; n < MAX_WORDS && key_word(key, (int)n, words[n], WORD); n++) {
        list[n] = words[n];
        if (!strcmp(item->text, words[n])) {
            *value = arena_string(site->arena, item->text);
            return STATUS_OK;
        }
    }
    if (key->alias && !strcasecmp(item->text, key->alias))
        return refuse_item(site, key, item, index, key->alias_is);
    const char *near = nearest_word(item->text, list, n);
    snprintf(why, sizeof why, "did you mean '%s'?", near ? near : "");
    return refuse_item(site, key, item, index, near ? why : NULL);
}

static int is_name(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || (text[n] && strchr("._-", text[n])))
        n++;
    return n > 0 && n <= 128 && !text[n] && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

/* A time stamp as far as its form goes; the data set's calendar decides the rest. */
static int is_time_stamp(const char *text)
{
    static const char *const forms[] = {"dddd-dd-dd", "dddd-dd-ddTdd:dd", "dddd-dd-ddTdd:dd:dd", "dddd-dd-ddTdd:dd:ddZ",
                                        "dddd-dd-ddTdd:ddZ"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t n = 0;
        while (forms[i][n] && text[n] &&
               (forms[i][n] == 'd' ? isdigit((unsigned char)text[n])
                                   : text[n] == forms[i][n] || (forms[i][n] == 'T' && text[n] == ' ')))
            n++;
        if (forms[i][n] || text[n])
            continue;
        int month = atoi(text + 5), day = atoi(text + 8), hour = n > 10 ? atoi(text + 11) : 0;
        int minute = n > 10 ? atoi(text + 14) : 0;
        return month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 && minute <= 59;
    }
    return 0;
}

static enum status text_set(const struct site *site, const struct job_key *key, const struct item *item, int index,
                            const char **value)
{
    int is_good = *item->text && strlen(item->text) <= CONFIG_MAX_TEXT && text_is_printable(item->text);
    if (key->kind == KEY_NAME)
        is_good = is_name(item->text);
    else if (key->kind == KEY_TIME_PAIR)
        is_good = is_time_stamp(item->text);
    if (!is_good)
        return refuse_item(site, key, item, index, NULL);
    const char *folder = key->kind == KEY_FILE && item->text[0] != '/' ? site->folder : "";
    *value = arena_printf(site->arena, "%s%s", folder, item->text);
    return STATUS_OK;
}

static enum status check_pair(const struct site *site, const struct item *items, int ascending)
{
    char expected[160], last[96], first[96];
    if (ascending)
        return STATUS_OK;
    snprintf(expected, sizeof expected, "a last value not before the first (%s)",
             quote(first, sizeof first, items[0].text));
    return refuse(site->fault, (struct place){site->file, items[1].line}, site->path, expected,
                  quote(last, sizeof last, items[1].text));
}

static enum status ints_set(const struct site *site, const struct job_key *key, int64_t *value,
                            const struct item *items, int n)
{
    for (int i = 0; i < n; i++) {
        enum status status = int_set(site, key, &items[i], i, &value[i]);
        if (status)
            return status;
    }
    return key->kind == KEY_INT_PAIR ? check_pair(site, items, value[0] <= value[1]) : STATUS_OK;
}

/* A set of words: once is enough where order says nothing. */
static enum status check_once(const struct site *site, const char *const *value, const struct item *items, int n)
{
    char path[CONFIG_MAX_PATH + 16], found[96];
    for (int i = 1; i < n; i++)
        for (int j = 0; j < i; j++)
            if (!strcmp(value[i], value[j])) {
                snprintf(path, sizeof path, "%s[%d]", site->path, i);
                quote(found, sizeof found, value[i]);
                strcat(found, " twice");
                return refuse(site->fault, (struct place){site->file, items[i].line}, path, "each of its words once",
                              found);
            }
    return STATUS_OK;
}

static enum status texts_set(const struct site *site, const struct job_key *key, const char **value,
                             const struct item *items, int n)
{
    for (int i = 0; i < n; i++) {
        enum status status = key->kind == KEY_WORDS ? word_set(site, key, &items[i], i, &value[i])
                                                    : text_set(site, key, &items[i], i, &value[i]);
        if (status)
            return status;
    }
    if (key->is_set)
        return check_once(site, value, items, n);
    return key->kind == KEY_TIME_PAIR ? check_pair(site, items, strcmp(value[0], value[1]) <= 0) : STATUS_OK;
}

static enum status list_set(const struct site *site, const struct job_key *key, void *at, const struct item *items,
                            int n)
{
    char expected[512], found[64];
    if (n < key_least(key) || n > key_most(key)) {
        snprintf(found, sizeof found, "a list of %d", n);
        return refuse(site->fault, (struct place){site->file, items[0].line}, site->path,
                      key_expected(expected, sizeof expected, key, 0), found);
    }
    enum status status;
    if (key->kind == KEY_INTS) {
        status = ints_set(site, key, ((struct int_list *)at)->value, items, n);
        ((struct int_list *)at)->n = n;
    } else if (key->kind == KEY_INT_PAIR) {
        status = ints_set(site, key, at, items, n);
    } else if (key->kind == KEY_TIME_PAIR) {
        status = texts_set(site, key, at, items, n);
    } else {
        status = texts_set(site, key, ((struct word_list *)at)->value, items, n);
        ((struct word_list *)at)->n = n;
    }
    return status;
}

enum status value_set(const struct site *site, const struct job_key *key, void *base, const struct item *items, int n)
{
    void *at = (char *)base + key->offset;
    enum status status;
    int on = 0;
    switch (key->kind) {
    case KEY_INT:
        return int_set(site, key, items, 0, at);
    case KEY_SEED:
        return seed_set(site, key, items, at);
    case KEY_REAL:
        return real_set(site, key, items, at);
    case KEY_SWITCH:
        return switch_set(site, key, items, at);
    case KEY_SWITCH_OR_UNSET:
        status = switch_set(site, key, items, &on);
        if (!status)
            *(int64_t *)at = on;
        return status;
    case KEY_WORD:
        return word_set(site, key, items, 0, at);
    case KEY_NAME:
    case KEY_TEXT:
    case KEY_FILE:
        return text_set(site, key, items, 0, at);
    default:
        return list_set(site, key, at, items, n);
    }
}

void value_unset(const struct job_key *key, void *base)
{
    void *at = (char *)base + key->offset;
    if (key->kind == KEY_INT || key->kind == KEY_SWITCH_OR_UNSET)
        *(int64_t *)at = (int64_t)key->unset;
    else if (key->kind == KEY_REAL)
        *(double *)at = key->unset;
    else if (key->kind == KEY_INTS)
        ((struct int_list *)at)->n = 0;
    else if (key->kind == KEY_WORDS || key->kind == KEY_TEXTS)
        ((struct word_list *)at)->n = 0;
    else if (key->kind == KEY_INT_PAIR)
        ((int64_t *)at)[0] = ((int64_t *)at)[1] = JOB_UNSET;
    else if (key->kind == KEY_TIME_PAIR)
        ((const char **)at)[0] = ((const char **)at)[1] = NULL;
    else if (key->kind != KEY_SEED && key->kind != KEY_SWITCH)
        *(const char **)at = NULL;
}

int value_is_set(const struct job_key *key, const void *base)
{
    const void *at = (const char *)base + key->offset;
    switch (key->kind) {
    case KEY_INT:
    case KEY_SWITCH_OR_UNSET:
        return key->need == KEY_DEFAULT || *(const int64_t *)at != (int64_t)key->unset;
    case KEY_REAL:
        return key->need == KEY_DEFAULT || *(const double *)at != key->unset;
    case KEY_INTS:
        return ((const struct int_list *)at)->n > 0;
    case KEY_WORDS:
    case KEY_TEXTS:
        return ((const struct word_list *)at)->n > 0;
    case KEY_INT_PAIR:
        return *(const int64_t *)at != JOB_UNSET;
    case KEY_SEED:
    case KEY_SWITCH:
        return 1;
    default:
        return *(const char *const *)at != NULL;
    }
}

/* Double quotes keep every printable text from being taken for something else. */
static void print_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void print_texts(FILE *out, const char *const *texts, int n)
{
    for (int i = 0; i < n; i++) {
        fputs(i ? ", " : "[", out);
        print_text(out, texts[i]);
    }
    fputc(']', out);
}

static void print_ints(FILE *out, const int64_t *ints, int n)
{
    for (int i = 0; i < n; i++)
        fprintf(out, "%s%" PRId64, i ? ", " : "[", ints[i]);
    fputc(']', out);
}

static void print_file(FILE *out, const char *path, const char *folder)
{
    size_t n = strlen(folder);
    print_text(out, n > 0 && !strncmp(path, folder, n) && path[n] != '/' && path[n] ? path + n : path);
}

static void print_word_list(FILE *out, const struct job_key *key, const struct word_list *list)
{
    if (key->kind == KEY_TEXTS) {
        print_texts(out, list->value, list->n);
        return;
    }
    for (int i = 0; i < list->n; i++)
        fprintf(out, "%s%s", i ? ", " : "[", list->value[i]);
    fputc(']', out);
}

void value_print(FILE *out, const struct job_key *key, const void *base, const char *folder)
{
    const void *at = (const char *)base + key->offset;
    char number[64];
    switch (key->kind) {
    case KEY_INT:
        if (key->words && *(const int64_t *)at == JOB_UNSET)
            fputs(key->words, out);
        else
            fprintf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case KEY_SEED:
        fprintf(out, "%" PRIu64, *(const uint64_t *)at);
        break;
    case KEY_REAL:
        fputs(unit_print(number, sizeof number, key->unit, *(const double *)at), out);
        break;
    case KEY_SWITCH:
        fputs(*(const int *)at ? "true" : "false", out);
        break;
    case KEY_SWITCH_OR_UNSET:
        fputs(*(const int64_t *)at ? "true" : "false", out);
        break;
    case KEY_WORD:
        fputs(*(const char *const *)at, out);
        break;
    case KEY_INTS:
        print_ints(out, ((const struct int_list *)at)->value, ((const struct int_list *)at)->n);
        break;
    case KEY_INT_PAIR:
        print_ints(out, at, 2);
        break;
    case KEY_WORDS:
    case KEY_TEXTS:
        print_word_list(out, key, at);
        break;
    case KEY_TIME_PAIR:
        print_texts(out, at, 2);
        break;
    case KEY_FILE:
        print_file(out, *(const char *const *)at, folder);
        break;
    default:
        print_text(out, *(const char *const *)at);
    }
}
