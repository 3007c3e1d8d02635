/* Jobs and clusters: the key table, refusals, overrides, the examples and the manual's
 * tables. */
#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/job.h"
#include "config/keys.h"
#include "config/manual.h"
#include "config/yaml.h"

#include "config_refusals.h"

Suite *suite_config(void);

enum { TEXT = 4096 };

static struct job parse(struct arena *arena, const char *text, const char *const *overrides, int n)
{
    struct fault fault = FAULT_NONE;
    struct job job = {.name = NULL};
    enum status status = job_parse(arena, "j.yaml", text, overrides, n, &job, &fault);
    ck_assert_msg(status == STATUS_OK, "%s\n%s", fault.text, text);
    return job;
}

START_TEST(refuses_with_the_exact_message)
{
    const struct refusal *refusal = &refusals[_i];
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct job job;
    int n = 0;
    while (refusal->overrides[n])
        n++;
    memset(&job, 0x5a, sizeof job);
    enum status status = job_parse(arena, "j.yaml", refusal->text, refusal->overrides, n, &job, &fault);
    ck_assert_str_eq(fault.text, refusal->message);
    ck_assert_int_eq(status, refusal->status);
    ck_assert_int_eq(fault.status, refusal->status);
    for (size_t i = 0; i < sizeof job; i++) /* outputs only on success */
        ck_assert_uint_eq(((unsigned char *)&job)[i], 0x5a);
    arena_free(arena);
}
END_TEST

/* libcyaml logs to stderr when it is not told otherwise. */
START_TEST(refusals_are_silent)
{
    FILE *captured = tmpfile();
    int saved = dup(2);
    struct arena *arena = arena_new();
    fflush(stderr);
    dup2(fileno(captured), 2);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct fault fault = FAULT_NONE;
        struct job job;
        job_parse(arena, "j.yaml", refusals[i].text, NULL, 0, &job, &fault);
    }
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    fseek(captured, 0, SEEK_END);
    ck_assert_int_eq(ftell(captured), 0);
    fclose(captured);
    arena_free(arena);
}
END_TEST

static void refuse_text(struct arena *arena, const char *text, const char *message)
{
    struct fault fault = FAULT_NONE;
    struct job job;
    ck_assert_int_eq(job_parse(arena, "j.yaml", text, NULL, 0, &job, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, message);
}

START_TEST(refuses_huge_texts)
{
    struct arena *arena = arena_new();
    size_t size = (size_t)3 << 20;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = 0;
    refuse_text(arena, text, "j.yaml: expected at most 1024 KiB of YAML, found 3072 KiB");
    text[(1 << 20) - 1] = 0;
    refuse_text(arena, text, "j.yaml:1: expected at most 4096 characters in a value, found more");
    memset(text, '[', 1 << 20);
    text[(1 << 20) - 1] = 0;
    refuse_text(arena, text, "j.yaml:1: [0][0][0][0][0][0][0][0]: expected at most 8 levels of nesting, found more");
    strcpy(text, "data: {inputs: [");
    for (int i = 0; i < 20000; i++)
        strcat(text + 16 + 2 * i, "1,");
    strcat(text + 16 + 40000, "1]}\n");
    refuse_text(arena, text, "j.yaml:1: data.inputs: expected at most 10000 values in a file, found more");
    free(text);
    arena_free(arena);
}
END_TEST

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static void refuse_file(struct arena *arena, const char *path, enum status wanted, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void refuse_file(struct arena *arena, const char *path, enum status wanted, const char *format, ...)
{
    struct fault fault = FAULT_NONE;
    struct job job;
    char message[TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    ck_assert_int_eq(job_read(arena, path, NULL, 0, &job, &fault), wanted);
    ck_assert_str_eq(fault.text, message);
}

START_TEST(refuses_files)
{
    char folder[] = "/tmp/polyrank-test-XXXXXX", job[64], cluster[64];
    struct arena *arena = arena_new();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(job, sizeof job, "%s/job.yaml", folder);
    snprintf(cluster, sizeof cluster, "%s/machine.yaml", folder);
    refuse_file(arena, job, STATUS_IO, "%s: No such file or directory", job);
    refuse_file(arena, folder, STATUS_IO, "%s: expected a file, found a folder", folder);
    refuse_file(arena, "/dev/zero", STATUS_IO, "/dev/zero: expected a file, found a device");
    write_file(job, "name: a\n\0b\n", 11);
    refuse_file(arena, job, STATUS_USAGE, "%s:2: expected YAML text, found a NUL byte", job);
    write_file(job, "", 0);
    ck_assert_int_eq(truncate(job, 100 << 20), 0);
    refuse_file(arena, job, STATUS_USAGE, "%s: expected at most 1024 KiB of YAML, found 102400 KiB", job);
    const char *text = MODEL "cluster: machine.yaml\n" STEPS;
    write_file(job, text, strlen(text));
    refuse_file(arena, job, STATUS_IO, "%s:2: cluster: %s: No such file or directory", job, cluster);
    const char *machine = "devices:\n  - kind: gpu\n    profile: a100\n    count: 2x\n";
    write_file(cluster, machine, strlen(machine));
    refuse_file(arena, job, STATUS_USAGE,
                "%s:4: devices[0].count: expected a whole number from 1 to 1000000, found '2x'", cluster);
    machine = "devices:\n  - kind: gpu\n    profile: a100\n    count: 2\nlinks:\n  host: pcie4\n";
    write_file(cluster, machine, strlen(machine));
    refuse_file(arena, job, STATUS_USAGE,
                "%s:5: links.inside: expected a link profile, because a node has several devices, found nothing",
                cluster);
    ck_assert_str_eq(config_kind(job), "job");
    ck_assert_str_eq(config_kind(cluster), "cluster");
    unlink(job);
    unlink(cluster);
    rmdir(folder);
    ck_assert_ptr_null(config_kind(job));
    arena_free(arena);
}
END_TEST

START_TEST(fills_in_defaults)
{
    struct arena *arena = arena_new();
    struct job job = parse(arena, GOOD, NULL, 0);
    ck_assert_str_eq(job.name, "j");
    ck_assert_str_eq(job.output.directory, "j-out");
    ck_assert_str_eq(job.model.preset, "wind");
    ck_assert_int_eq(job.model.d_model, JOB_UNSET);
    ck_assert_int_eq(job.model.concat, JOB_UNSET);
    ck_assert_double_eq(job.model.dropout, JOB_UNSET);
    ck_assert_ptr_null(job.model.embed);
    ck_assert_int_eq(job.model.reduce_width.n, 0);
    ck_assert_int_eq(job.data.test_rows[0], JOB_UNSET);
    ck_assert_str_eq(job.data.split_by, "fraction");
    ck_assert_int_eq(job.train.epochs, 10);
    ck_assert_double_eq(job.placement.bucket_bytes, 25 * 0x1p20);
    ck_assert_int_eq(job.output.trace, 1);
    ck_assert_int_eq(job.cluster.n_devices, 1);
    ck_assert_int_eq(job.cluster.device[0].per_node, 1);
    ck_assert_double_eq(job.cluster.device[0].memory_bytes, 0);
    ck_assert_str_eq(job.cluster.source, "j.yaml");
    ck_assert_ptr_null(job.cluster.links.inside);
    arena_free(arena);
}
END_TEST

START_TEST(overrides_win_in_their_order)
{
    static const char *const overrides[] = {"train.epochs=3",
                                            "train.epochs = 4 ",
                                            "model.reduce_width=16, 8",
                                            "model.reduce_width=[5,6,7]",
                                            "data.test_rows=10,20",
                                            "cluster.links.inside=nvlink4",
                                            "cluster.devices[0].count=4",
                                            "output.directory=a=b",
                                            "train.seed=18446744073709551615",
                                            "placement.bucket_bytes=1.5 MB",
                                            "model.preset=covid"};
    struct arena *arena = arena_new();
    struct job job = parse(arena, GOOD "data: {test_rows: [1, 2]}\n", overrides, 11);
    ck_assert_int_eq(job.train.epochs, 4);
    ck_assert_int_eq(job.model.reduce_width.n, 3);
    ck_assert_int_eq(job.model.reduce_width.value[2], 7);
    ck_assert_int_eq(job.data.test_rows[1], 20);
    ck_assert_str_eq(job.data.split_by, "rows");
    ck_assert_int_eq(job.cluster.device[0].count, 4);
    ck_assert_int_eq(job.cluster.device[0].per_node, 4);
    ck_assert_str_eq(job.output.directory, "a=b");
    ck_assert_uint_eq(job.train.seed, UINT64_MAX);
    ck_assert_double_eq(job.placement.bucket_bytes, 1.5e6);
    ck_assert_str_eq(job.model.preset, "covid");
    /* what the file lacks may come from an override */
    job = parse(arena, CLUSTER, (const char *const[]){"model.preset=swe", "train.steps=2"}, 2);
    ck_assert_str_eq(job.model.preset, "swe");
    arena_free(arena);
}
END_TEST

START_TEST(a_cluster_override_comes_first)
{
    static const char *const overrides[] = {"cluster.devices[0].count=3", "cluster=clusters/1xa100.yaml",
                                            "cluster=clusters/8xh100.yaml"};
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct job job;
    ck_assert_msg(!job_read(arena, "jobs/wind.yaml", overrides, 3, &job, &fault), "%s", fault.text);
    ck_assert_str_eq(job.cluster.name, "8xh100");
    ck_assert_str_eq(job.cluster.device[0].profile, "h100-sxm");
    ck_assert_int_eq(job.cluster.device[0].count, 3);
    /* nothing of a cluster in the job is left over */
    static const char text[] =
        MODEL STEPS "cluster:\n  name: mine\n  devices: [{kind: gpu, profile: a}, {kind: gpu, profile: b}]\n"
                    "  links: {host: x, inside: y, between: z}\n";
    job = parse(arena, text, &overrides[1], 1);
    ck_assert_str_eq(job.cluster.name, "1xa100");
    ck_assert_int_eq(job.cluster.n_devices, 1);
    ck_assert_str_eq(job.cluster.links.host, "pcie4");
    ck_assert_ptr_null(job.cluster.links.inside);
    ck_assert_ptr_null(job.cluster.links.between);
    arena_free(arena);
}
END_TEST

START_TEST(file_names_follow_their_file)
{
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct job job, again;
    char here[TEXT], path[TEXT + 16];
    const char *text = GOOD "data: {file: ../data/x.h5}\n";
    ck_assert(!job_parse(arena, "some/where/j.yaml", text, NULL, 0, &job, &fault));
    ck_assert_str_eq(job.data.file, "some/where/../data/x.h5");
    ck_assert_ptr_nonnull(strstr(job_print(arena, &job), "  file: \"../data/x.h5\"\n"));
    ck_assert(!job_parse(arena, "some/where/j.yaml", job_print(arena, &job), NULL, 0, &again, &fault));
    ck_assert_str_eq(again.data.file, job.data.file);
    /* on the command line: of the current folder */
    const char *const override = "data.file=x.h5";
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    snprintf(path, sizeof path, "%s/x.h5", here);
    ck_assert(!job_parse(arena, "some/where/j.yaml", text, &override, 1, &job, &fault));
    ck_assert_str_eq(job.data.file, path);
    ck_assert(!job_parse(arena, "some/where/j.yaml", job_print(arena, &job), NULL, 0, &again, &fault));
    ck_assert_str_eq(again.data.file, path);
    arena_free(arena);
}
END_TEST

static int n_job_keys(void)
{
    int n = 0;
    while (job_key(n))
        n++;
    return n;
}

struct seen {
    int n;
    int count[256];
    int unknown;
};

static void mark_key(void *context, const char *path)
{
    struct seen *seen = context;
    for (int i = 0; i < seen->n; i++)
        if (!strcmp(job_key(i)->path, path)) {
            seen->count[i]++;
            return;
        }
    seen->unknown++;
}

START_TEST(libcyaml_knows_every_key_once)
{
    struct arena *arena = arena_new();
    struct seen seen = {.unknown = 0};
    seen.n = n_job_keys();
    ck_assert_int_lt(seen.n, 256);
    texts_each_key(arena, mark_key, &seen);
    ck_assert_int_eq(seen.unknown, 0);
    for (int i = 0; i < seen.n; i++) /* `cluster` stands for the section here */
        ck_assert_msg(seen.count[i] == (strcmp(job_key(i)->path, "cluster") ? 1 : 0), "%s", job_key(i)->path);
    arena_free(arena);
}
END_TEST

START_TEST(every_key_is_complete)
{
    const struct job_key *key = job_key(_i);
    int has_range = key->kind == KEY_INT || key->kind == KEY_REAL || key->kind == KEY_INTS || key->kind == KEY_INT_PAIR;
    ck_assert(key->meaning && *key->meaning);
    ck_assert(!key->fallback == (key->need == KEY_REQUIRED));
    ck_assert(!key->words == (key->kind != KEY_WORD && key->kind != KEY_WORDS) || key->kind == KEY_INT);
    ck_assert(key->kind != KEY_INT || !key->words || (!strchr(key->words, ' ') && key->min > JOB_UNSET));
    ck_assert(!has_range || key->min < key->max);
    ck_assert(!key_is_list(key) || key_most(key) >= key_least(key));
    ck_assert(key->kind == KEY_REAL || key->unit == UNIT_NONE);
    ck_assert(key->kind != KEY_INTS || key->most <= JOB_MAX_LIST);
    ck_assert((key->kind != KEY_WORDS && key->kind != KEY_TEXTS) || key->most <= 64);
}
END_TEST

/* Do both paths lead into the job itself, or into elements of the same list? */
static int same_record(const char *a, const char *b)
{
    const char *end_a = strstr(a, "[]"), *end_b = strstr(b, "[]");
    if (!end_a || !end_b)
        return !end_a && !end_b;
    return end_a - a == end_b - b && strncmp(a, b, (size_t)(end_a - a)) == 0;
}

/* No two keys of the job, or of an element of a list, share memory. */
START_TEST(keys_do_not_overlap)
{
    for (int i = 0; job_key(i); i++)
        for (int j = 0; j < i; j++)
            ck_assert_msg(job_key(i)->offset != job_key(j)->offset || !same_record(job_key(i)->path, job_key(j)->path),
                          "%s %s", job_key(i)->path, job_key(j)->path);
}
END_TEST

static const char *const example_jobs[] = {"jobs/wind.yaml",
                                           "jobs/demo.yaml",
                                           "jobs/wind-published.yaml",
                                           "jobs/swe-published.yaml",
                                           "jobs/weather-published.yaml",
                                           "jobs/covid-published.yaml"};

START_TEST(example_jobs_are_read)
{
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct job job, again;
    ck_assert_msg(!job_read(arena, example_jobs[_i], NULL, 0, &job, &fault), "%s", fault.text);
    ck_assert_msg(!job_parse(arena, example_jobs[_i], job_print(arena, &job), NULL, 0, &again, &fault), "%s",
                  fault.text);
    ck_assert_str_eq(job_print(arena, &job), job_print(arena, &again));
    ck_assert_str_eq(config_kind(example_jobs[_i]), "job");
    arena_free(arena);
}
END_TEST

static const char *const example_clusters[] = {"1xa100",   "4xa100", "4xv100",        "8xh100",
                                               "2x8xh100", "8xh200", "dgx-a100-hbm3", "rtx-pro-6000"};

START_TEST(example_clusters_are_read)
{
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct cluster cluster;
    char *path = arena_printf(arena, "clusters/%s.yaml", example_clusters[_i]);
    ck_assert_msg(!cluster_read(arena, path, &cluster, &fault), "%s", fault.text);
    ck_assert_str_eq(cluster.name, example_clusters[_i]);
    ck_assert_str_eq(cluster.source, path);
    ck_assert_str_eq(config_kind(path), "cluster");
    arena_free(arena);
}
END_TEST

/* UPDATE_DOCS=1 writes the tables anew, below the line "## Keys" and its paragraph. */
START_TEST(the_manual_has_the_same_keys)
{
    static const char path[] = "docs/jobs.md";
    struct arena *arena = arena_new();
    char *page = arena_take(arena, 1 << 18), *tables = manual_keys(arena);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is missing (tests run in the repository's root)", path);
    ck_assert_uint_lt(fread(page, 1, (1 << 18) - 1, file), (1 << 18) - 1);
    fclose(file);
    char *at = strstr(page, "\n| key |");
    if (getenv("UPDATE_DOCS")) {
        char *head = arena_printf(arena, "%.*s", (int)(at ? (size_t)(at - page) : strlen(page)), page);
        char *whole = arena_printf(arena, "%s%s", head, tables);
        write_file(path, whole, strlen(whole));
        at = tables;
    }
    ck_assert_msg(at && !strcmp(at, tables), "docs/jobs.md has not the keys of the program: run with UPDATE_DOCS=1");
    arena_free(arena);
}
END_TEST

Suite *suite_config(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("refusals");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, refuses_with_the_exact_message, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_test(tcase, refusals_are_silent);
    tcase_add_test(tcase, refuses_huge_texts);
    tcase_add_test(tcase, refuses_files);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("values");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, fills_in_defaults);
    tcase_add_test(tcase, overrides_win_in_their_order);
    tcase_add_test(tcase, a_cluster_override_comes_first);
    tcase_add_test(tcase, file_names_follow_their_file);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("keys");
    tcase_add_test(tcase, libcyaml_knows_every_key_once);
    tcase_add_loop_test(tcase, every_key_is_complete, 0, n_job_keys());
    tcase_add_test(tcase, keys_do_not_overlap);
    tcase_add_loop_test(tcase, example_jobs_are_read, 0, sizeof example_jobs / sizeof example_jobs[0]);
    tcase_add_loop_test(tcase, example_clusters_are_read, 0, sizeof example_clusters / sizeof example_clusters[0]);
    tcase_add_test(tcase, the_manual_has_the_same_keys);
    suite_add_tcase(suite, tcase);
    return suite;
}
