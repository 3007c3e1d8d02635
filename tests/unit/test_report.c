/* Printed parts add up to printed totals; comparisons know what they compare. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random_run.h"
#include "report/compare.h"
#include "report/summary.h"
#include "report/table.h"
#include "report/wall.h"

Suite *suite_report(void);

START_TEST(test_apportion)
{
    struct dice d = dice(1 + (uint32_t)_i);
    wide_uint part[20], sum = 0;
    uint64_t whole[20], given = 0, total = 1 + below(&d, _i % 2 ? 1000 : 100000000);
    int n = 1 + (int)below(&d, 20);
    for (int i = 0; i < n; i++)
        sum += part[i] = (wide_uint)below(&d, UINT64_MAX) << below(&d, 40) >> below(&d, 60);
    apportion(part, n, total, whole);
    for (int i = 0; i < n; i++) {
        double exact = (double)part[i] / (double)sum * (double)total;
        ck_assert_msg(fabs((double)whole[i] - exact) <= 1.001, "part %d: %g of %g", i, (double)whole[i], exact);
        given += whole[i];
    }
    ck_assert_uint_eq(given, total);
    memset(part, 0, sizeof part);
    apportion(part, n, total, whole);
    for (int i = 0; i < n; i++)
        ck_assert_uint_eq(whole[i], 0);
}
END_TEST

START_TEST(test_apportion_thirds)
{
    uint64_t tenths[3];
    apportion_percent((const wide_uint[]){1, 1, 1}, 3, tenths);
    ck_assert(tenths[0] == 334 && tenths[1] == 333 && tenths[2] == 333);
}
END_TEST

/* Not inlined: gcc 12 would take the stream's buffer for a dangling local. */
static __attribute__((noinline)) char *print_to_text(void (*print)(FILE *, const void *), const void *subject)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print(out, subject);
    fclose(out);
    return text;
}

static void print_small_table(FILE *out, const void *width)
{
    struct arena *arena = arena_new();
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "part", NULL);
    text_table_column(table, ALIGN_RIGHT, "time", "ms");
    text_table_column(table, ALIGN_RIGHT, "share", "%");
    text_table_row(table);
    text_table_cell(table, "gemm");
    text_table_thousandths(table, 12345);
    text_table_percent(table, 1000);
    text_table_rule(table);
    text_table_row(table);
    text_table_cell(table, "\xc3\xa4");
    text_table_print(table, out, *(const int *)width);
    arena_free(arena);
}

START_TEST(test_table_layout)
{
    int width = 80;
    char *text = print_to_text(print_small_table, &width);
    ck_assert_str_eq(text,
                     "  part    time  share\n          [ms]    [%]\n  -------------------\n  gemm  12.345  100.0\n"
                     "  -------------------\n  \xc3\xa4\n");
    free(text);
    width = 16;
    text = print_to_text(print_small_table, &width);
    ck_assert_str_eq(text,
                     "  part    time\n          [ms]\n  ------------\n  gemm  12.345\n  ------------\n  \xc3\xa4\n\n"
                     "  part  share\n          [%]\n  -----------\n  gemm  100.0\n  -----------\n  \xc3\xa4\n");
    free(text);
}
END_TEST

static void print_run(FILE *out, const void *run)
{
    summary_print(out, run);
}

static int is_rule(const char *line)
{
    return line[strspn(line, " -")] == '\0' && strstr(line, "---") != NULL;
}

/* Adds up the numbers of each column of a breakdown as a reader would, in thousandths. */
static int check_breakdown(const char *from)
{
    int64_t sum[32] = {0};
    int rules = 0, columns = 0, max_columns = 0;
    char *copy = strdup(from), *rest = copy, *line;
    while ((line = strsep(&rest, "\n")) && *line) {
        rules += is_rule(line);
        if (is_rule(line) || rules == 0)
            continue;
        /* Names may hold blanks: numbers start after two of them. */
        char *p = line + 2 + strcspn(line + 2, "0123456789");
        for (columns = 0; *p; columns++, p += strspn(p, " ")) {
            int64_t value = llround(1000 * strtod(p, &p));
            if (rules == 1)
                sum[columns] += value;
            else
                ck_assert_msg(sum[columns] == value, "column %d sums to %" PRId64 ", not to %" PRId64 ":\n%s", columns,
                              sum[columns], value, from);
        }
        max_columns = rules == 2 ? columns : 0;
    }
    free(copy);
    return max_columns;
}

START_TEST(test_summary_adds_up)
{
    static const int counts[] = {1, 2, 8, 9, 64};
    static const char *const titles[] = {"\nVirtual time of the compute engine", "\nEnergy by kernel class",
                                         "\nEnergy by part"};
    struct dice d = dice(50 + (uint32_t)_i);
    struct arena *arena = arena_new();
    int n = counts[_i % 5];
    struct run run = random_run(&d, arena, n);
    char *text = print_to_text(print_run, &run), *again = print_to_text(print_run, &run);
    ck_assert_str_eq(text, again);
    for (int i = 0; i < 3; i++) {
        const char *title = strstr(text, titles[i]);
        ck_assert_ptr_nonnull(title);
        int columns = check_breakdown(strchr(title + 1, '\n') + 1);
        ck_assert_int_eq(columns, n == 1 || n > 8 ? 2 : 2 + n);
    }
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        ck_assert_msg(strcspn(line, "\n") <= TABLE_WIDTH, "too wide: %.*s", (int)strcspn(line, "\n"), line);
    ck_assert_ptr_nonnull(strstr(text, "persistence"));
    free(text);
    free(again);
    arena_free(arena);
}
END_TEST

START_TEST(test_summary_of_timing_only)
{
    struct dice d = dice(90);
    struct arena *arena = arena_new();
    struct run run = random_run(&d, arena, 2);
    run.timing_only = 1;
    run.n_evaluations = run.n_baselines = 0;
    for (int i = 0; i < run.n_steps; i++)
        run.step[i].loss = NAN;
    char *text = print_to_text(print_run, &run);
    ck_assert_ptr_nonnull(strstr(text, "timing only"));
    ck_assert_ptr_null(strstr(text, "nan"));
    ck_assert_ptr_null(strstr(text, "Test set"));
    free(text);
    arena_free(arena);
}
END_TEST

static void print_wall(FILE *out, const void *sections)
{
    wall_print(out, sections, 2, 10, 4, 300);
}

START_TEST(test_wall)
{
    const double of_ranks[][2] = {{1, 2}, {1, 4}, {1, 3}, {1, 3}};
    struct wall_section sections[] = {wall_section("data", &of_ranks[0][0], sizeof of_ranks[0], 4),
                                      wall_section("arithmetic", &of_ranks[0][1], sizeof of_ranks[0], 4)};
    ck_assert(sections[1].min_s == 2 && sections[1].avg_s == 3 && sections[1].max_s == 4);
    char *text = print_to_text(print_wall, sections);
    ck_assert_ptr_nonnull(strstr(text, "Wall time of 10 s on 4 ranks for 300 steps\n"));
    ck_assert_ptr_nonnull(strstr(text, "arithmetic  2.0000   3.0000  4.0000    33.3   30.0\n"));
    ck_assert_ptr_nonnull(strstr(text, "other       6.0000   6.0000  6.0000     0.0   60.0\n"));
    ck_assert_ptr_nonnull(strstr(text, "total               10.0000                  100.0\n"));
    free(text);
}
END_TEST

static void print_comparison(FILE *out, const void *comparison)
{
    struct arena *arena = arena_new();
    compare_print(out, comparison, arena);
    arena_free(arena);
}

START_TEST(test_compare_with_itself)
{
    struct dice d = dice(800 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct run runs[2] = {random_run(&d, arena, 1 + (int)below(&d, 10))};
    struct comparison comparison;
    const char *paths[] = {"a.h5", "a.h5"};
    runs[1] = runs[0];
    compare_runs(&comparison, runs, paths, 2, arena);
    int ratios = 0;
    for (int i = 0; i < comparison.n_quantities; i++) {
        const struct quantity *quantity = &comparison.quantity[i];
        if (quantity->has_ratio)
            ck_assert_msg(compare_ratio(quantity, 1) == 1, "%s: %g", quantity->name, compare_ratio(quantity, 1));
        ratios += quantity->has_ratio;
    }
    ck_assert_int_gt(ratios, 20);
    char *text = print_to_text(print_comparison, &comparison);
    ck_assert_ptr_null(strstr(text, "warning"));
    ck_assert_ptr_null(strstr(text, "differs"));
    free(text);
    arena_free(arena);
}
END_TEST

static double ratio_of(const struct comparison *comparison, const char *name)
{
    for (int i = 0; i < comparison->n_quantities; i++)
        if (strcmp(comparison->quantity[i].name, name) == 0)
            return compare_ratio(&comparison->quantity[i], 1);
    ck_abort_msg("no quantity %s", name);
    return NAN;
}

START_TEST(test_compare_finds_differences)
{
    struct dice d = dice(900);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run runs[2] = {random_run(&d, arena, 2)};
    struct run_evaluation evaluation = runs[0].evaluation[1];
    struct comparison comparison;
    const char *paths[] = {"a.h5", "b,\"c\".h5"};
    runs[1] = runs[0];
    runs[1].end_ps = runs[0].end_ps / 2;
    runs[1].n_test++;
    evaluation.all.mae *= 4;
    runs[1].evaluation = &evaluation, runs[1].n_evaluations = 1;
    runs[1].config =
        "name: other\ndata:\n  window: 24\n  target: wind\n  horizon: 3\ncluster:\n  devices:\n    - kind: gpu\n"
        "      count: 4\n    - kind: pim\n      count: 1\ntrain:\n  seed: 1\n";
    compare_runs(&comparison, runs, paths, 2, arena);
    ck_assert_double_eq_tol(ratio_of(&comparison, "virtual time"), 2, 1e-5);
    ck_assert_double_eq_tol(ratio_of(&comparison, "MAE"), 0.25, 1e-12);
    char *text = print_to_text(print_comparison, &comparison);
    ck_assert_msg(strstr(text, "different: data.window, data.horizon, test samples\n") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "differs from the base in: cluster.devices[0].count\n") != NULL, "%s", text);
    free(text);
    folder_open(&folder);
    const char *path = folder_file(&folder, "ratios.csv");
    compare_write_csv(path, &comparison, &fault);
    expect_ok(&fault);
    text = read_text(path, NULL);
    ck_assert_ptr_nonnull(
        strstr(text, "quantity,unit,run,file,job,value,base_over_run\nsteps,1,0,a.h5,\"wind \"\"quoted\"\"\","));
    ck_assert_ptr_nonnull(strstr(text, "\nMAE,m s-1,1,\"b,\"\"c\"\".h5\","));
    int lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    ck_assert_int_eq(lines, 1 + 2 * comparison.n_quantities);
    free(text);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

Suite *suite_report(void)
{
    Suite *suite = suite_create("report");
    TCase *tcase = tcase_create("report");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_apportion, 0, 200);
    tcase_add_test(tcase, test_apportion_thirds);
    tcase_add_test(tcase, test_table_layout);
    tcase_add_loop_test(tcase, test_summary_adds_up, 0, 20);
    tcase_add_test(tcase, test_summary_of_timing_only);
    tcase_add_test(tcase, test_wall);
    tcase_add_loop_test(tcase, test_compare_with_itself, 0, 5);
    tcase_add_test(tcase, test_compare_finds_differences);
    suite_add_tcase(suite, tcase);
    return suite;
}
