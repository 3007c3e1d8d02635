/* Printing a job and reading it back: the same values bit for bit, over many random jobs. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "config/job.h"
#include "config/keys.h"

Suite *suite_job_print(void);

enum { TEXT = 4096, MAX_OVERRIDES = 160 };

static struct job parse(struct arena *arena, const char *text, const char *const *overrides, int n)
{
    struct fault fault = FAULT_NONE;
    struct job job = {.name = NULL};
    enum status status = job_parse(arena, "j.yaml", text, overrides, n, &job, &fault);
    ck_assert_msg(status == STATUS_OK, "%s\n%s", fault.text, text);
    return job;
}

static int same_texts(const char *const *a, const char *const *b, int n)
{
    for (int i = 0; i < n; i++)
        if ((a[i] || b[i]) && (!a[i] || !b[i] || strcmp(a[i], b[i])))
            return 0;
    return 1;
}

/* Bit for bit. */
static int same_value(const struct job_key *key, const void *a, const void *b)
{
    const void *x = (const char *)a + key->offset, *y = (const char *)b + key->offset;
    const struct int_list *ints = x, *other_ints = y;
    const struct word_list *words = x, *other_words = y;
    switch (key->kind) {
    case KEY_INTS:
        return ints->n == other_ints->n && !memcmp(ints->value, other_ints->value, sizeof(int64_t) * (size_t)ints->n);
    case KEY_WORDS:
    case KEY_TEXTS:
        return words->n == other_words->n && same_texts(words->value, other_words->value, words->n);
    case KEY_INT_PAIR:
        return !memcmp(x, y, 2 * sizeof(int64_t));
    case KEY_TIME_PAIR:
        return same_texts(x, y, 2);
    case KEY_SWITCH:
        return !memcmp(x, y, sizeof(int));
    case KEY_INT:
    case KEY_SEED:
    case KEY_REAL:
    case KEY_SWITCH_OR_UNSET:
        return !memcmp(x, y, 8);
    default:
        return same_texts(x, y, 1);
    }
}

static void check_same(const struct job *a, const struct job *b)
{
    ck_assert_int_eq(a->cluster.n_devices, b->cluster.n_devices);
    ck_assert_int_eq(a->n_faults, b->n_faults);
    for (int i = 0; job_key(i); i++) {
        const struct job_key *key = job_key(i);
        if (!strcmp(key->path, "cluster")) /* printed inline */
            continue;
        if (!strstr(key->path, "[]"))
            ck_assert_msg(same_value(key, a, b), "%s", key->path);
        for (int d = 0; strstr(key->path, "devices[]") && d < a->cluster.n_devices; d++)
            ck_assert_msg(same_value(key, &a->cluster.device[d], &b->cluster.device[d]), "%s %d", key->path, d);
        for (int f = 0; strstr(key->path, "faults[]") && f < a->n_faults; f++)
            ck_assert_msg(same_value(key, &a->fault[f], &b->fault[f]), "%s %d", key->path, f);
    }
}

/* A random job, made from the key table as overrides of a small one. */
struct random {
    struct rng_key key;
    uint32_t step;
    uint64_t i;
};

static uint64_t below(struct random *random, uint64_t n)
{
    return rng_below(random->key, random->step, random->i++, n);
}

static void random_real(struct random *random, const struct job_key *key, char *text, size_t size)
{
    double low = key->min, high = isinf(key->max) ? fmax(low, 1) * ldexp(1, (int)below(random, 80)) : key->max;
    double value = low + (high - low) * rng_uniform(random->key, random->step, random->i++);
    if (value <= low && key->min_excluded)
        value = low + (high - low) / 2;
    unit_print(text, size, key->unit, value);
}

static void random_text(struct random *random, char *text, size_t size)
{
    static const char *const pieces[] = {"a",
                                         "Z",
                                         "9",
                                         "-",
                                         "\"",
                                         "\\",
                                         "'",
                                         "#",
                                         ": ",
                                         "{",
                                         "]",
                                         "*",
                                         "&x",
                                         "!",
                                         "%",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "~",
                                         "null",
                                         "yes",
                                         "0x1",
                                         " ",
                                         "@",
                                         "|",
                                         ">"};
    int n = 1 + (int)below(random, 12);
    text[0] = 'q';
    text[1] = 0;
    for (int i = 0; i < n; i++)
        strncat(text, pieces[below(random, sizeof pieces / sizeof pieces[0])], size - strlen(text) - 1);
    strncat(text, "q", size - strlen(text) - 1);
}

static void random_int(struct random *random, const struct job_key *key, char *text, size_t size)
{
    uint64_t range = (uint64_t)(key->max - key->min), most = below(random, 2) ? range : range > 9 ? 9 : range;
    snprintf(text, size, "%" PRId64, (int64_t)key->min + (int64_t)below(random, most + 1));
}

static void random_word(struct random *random, const struct job_key *key, char *text, size_t size)
{
    int n = 0;
    while (key_word(key, n, text, size))
        n++;
    key_word(key, (int)below(random, (uint64_t)n), text, size);
}

/* The i-th of a set of words, from a place that is the same for all of them; 0 when they are used up. */
static int set_word(const struct random *random, const struct job_key *key, int i, char *text, size_t size)
{
    int n = 0;
    while (key_word(key, n, text, size))
        n++;
    return i < n && key_word(key, (int)(random->step + (uint32_t)i) % n, text, size);
}

static void random_value(struct random *random, const struct job_key *key, char *text, size_t size)
{
    switch (key->kind) {
    case KEY_INT:
    case KEY_INTS:
        random_int(random, key, text, size);
        break;
    case KEY_SEED:
        snprintf(text, size, "%" PRIu64, below(random, UINT64_MAX));
        break;
    case KEY_REAL:
        random_real(random, key, text, size);
        break;
    case KEY_SWITCH:
    case KEY_SWITCH_OR_UNSET:
        snprintf(text, size, "%s", below(random, 2) ? "true" : "off");
        break;
    case KEY_WORD:
    case KEY_WORDS:
        random_word(random, key, text, size);
        break;
    case KEY_NAME:
        snprintf(text, size, "n%" PRIu64 "-._x", below(random, 1000));
        break;
    case KEY_INT_PAIR:
        snprintf(text, size, "%" PRIu64 ", 1000", below(random, 1001));
        break;
    case KEY_TIME_PAIR:
        snprintf(text, size, "19%02" PRIu64 "-01-31,2012-06-30T18:00:00Z", below(random, 100));
        break;
    default:
        random_text(random, text, size);
    }
}

/* Keys that say what a job does: it trains a preset, or serves a decoder. */
static int is_duty(const char *path, int serves)
{
    static const char *const serving[] = {"model.preset", "decoder.model", "decoder.file", "serve.prompts",
                                          "serve.lengths_from"};
    for (size_t i = 0; i < sizeof serving / sizeof *serving && serves; i++)
        if (!strcmp(path, serving[i]))
            return 1;
    return !serves && !strncmp(path, "decoder.", 8);
}

/* What the faults of this job must not have: jobs that train have none, kind and factor go together. */
static int is_fault(const char *path, int serves)
{
    if (strcmp(path, "serve.recovery") == 0) /* goes with serve.preemption */
        return 1;
    return strncmp(path, "faults[]", 8) == 0 &&
           (!serves || strstr(path, ".kind") != NULL || strstr(path, ".factor") != NULL);
}

/* The text of one override, or 0 for a key that stays as it is. */
static int random_override(struct random *random, const struct job_key *key, int n_list, char *text, size_t size)
{
    char value[TEXT / 8];
    const char *field = strstr(key->path, "[]");
    int is_list = key->kind == KEY_INTS || key->kind == KEY_WORDS || key->kind == KEY_TEXTS;
    int is_needed = !strncmp(key->path, "cluster.links", 13) || !strcmp(key->path, "train.steps") ||
                    !strncmp(key->path, "data.test", 9) || !strcmp(key->path, "data.split_by") ||
                    !strcmp(key->path, "train.switch.at_step");
    if (!strcmp(key->path, "cluster") || !strcmp(key->path, "data.as_published") ||
        (!is_needed && below(random, 3) == 0))
        return 0;
    if (field)
        snprintf(text, size, "%.*s[%d]%s=", (int)(field - key->path), key->path, (int)below(random, 3), field + 2);
    else
        snprintf(text, size, "%s=", key->path);
    for (int i = 0; i < (is_list ? n_list : 1); i++) {
        random_value(random, key, value, sizeof value);
        if (key->is_set && !set_word(random, key, i, value, sizeof value))
            break;
        if ((!strcmp(key->path, "train.steps") || !strcmp(key->path, "serve.requests")) && !strcmp(value, "0"))
            snprintf(value, sizeof value, "1");
        snprintf(text + strlen(text), size - strlen(text), "%s%s", i ? "," : "", value);
    }
    return 1;
}

START_TEST(prints_what_it_reads_back)
{
#define CLUSTER                                                                                                        \
    "cluster: {devices: [{kind: gpu, profile: a}, {kind: gpu, profile: b}, {kind: gpu, profile: c}], "                 \
    "links: {host: h}}\n"
#define FAULTS                                                                                                         \
    "faults: [{device: a0, at: 1 s, kind: fails}, {device: b0, at: 2 s, kind: degrades, factor: 0.5}, "                \
    "{device: c0, at: 3 ms, kind: link-slows, factor: 0.25}]\n"
    static const char *const start[] = {"model: {preset: wind}\n" CLUSTER,
                                        "decoder: {file: m.h5}\nserve: {requests: 3}\n" FAULTS CLUSTER};
    static char texts[MAX_OVERRIDES][TEXT];
    struct arena *arena = arena_new();
    for (uint32_t step = 0; step < 300; step++) {
        struct random random = {rng_key(11, RNG_TEST, 3), step, 0};
        const char *overrides[MAX_OVERRIDES];
        int n = 0, n_list = 1 + (int)below(&random, JOB_MAX_LIST), serves = step % 3 == 2;
        for (int i = 0; job_key(i) && n < MAX_OVERRIDES; i++)
            if (!is_duty(job_key(i)->path, serves) && !is_fault(job_key(i)->path, serves) &&
                random_override(&random, job_key(i), n_list, texts[n], TEXT)) {
                overrides[n] = texts[n];
                n++;
            }
        if (step % 4 == 0 && !serves && n + 2 <= MAX_OVERRIDES) { /* not with every preset */
            overrides[n++] = "model.preset=wind";
            overrides[n++] = "data.as_published=true";
        }
        struct job job = parse(arena, start[serves], overrides, n);
        char *printed = job_print(arena, &job);
        struct job again = parse(arena, printed, NULL, 0);
        check_same(&job, &again);
        ck_assert_str_eq(printed, job_print(arena, &again));
    }
    arena_free(arena);
}
END_TEST

Suite *suite_job_print(void)
{
    Suite *suite = suite_create("job_print");
    TCase *tcase = tcase_create("round trip");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, prints_what_it_reads_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
