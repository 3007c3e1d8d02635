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
#include "report/switch_tables.h"
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

/* The columns of the table of phases: first and last step, time, share, energy, share, time per step. */
static void check_phases(const char *from, const struct run *run)
{
    int64_t sum[7] = {0};
    int rules = 0, rows = 0;
    char *copy = strdup(from), *rest = copy, *line;
    while ((line = strsep(&rest, "\n")) && *line) {
        rules += is_rule(line);
        if (is_rule(line) || rules == 0)
            continue;
        char *p = line + 2 + strcspn(line + 2, " ");
        for (int c = 0; c < 7 && *p; c++) {
            int64_t value = llround(1000 * strtod(p, &p));
            if (rules == 1)
                sum[c] += value;
            else if (c >= 2 && c < 6)
                ck_assert_msg(sum[c] == value, "column %d sums to %" PRId64 ":\n%s", c, sum[c], from);
        }
        rows += rules == 1;
    }
    free(copy);
    ck_assert(rows == run->n_phases && rules == 2);
}

/* What a second mode and a choice add, and nothing of it without them. */
static void check_modes(const char *text, const struct run *run, struct arena *arena)
{
    int wrote = 0;
    for (int c = 0; c < run->n_cells; c++) {
        const struct run_cells *cells = &run->cells[c];
        const char *written = arena_printf(arena, " %" PRIu64 " ", cells->cell_writes);
        wrote |= cells->cell_writes > 0;
        ck_assert(!cells->cell_writes || strstr(text, written) != NULL);
        ck_assert_ptr_nonnull(strstr(text, arena_printf(arena, " %" PRIu64 "\n", cells->cells)));
    }
    ck_assert_int_eq(strstr(text, "\nWear of the cells") != NULL, wrote);
    ck_assert_int_eq(strstr(text, "\nSteps of each mode") != NULL, run->n_modes > 0);
    ck_assert_int_eq(strstr(text, "\nUtilisation") != NULL, run->n_modes > 0);
    ck_assert_int_eq(strstr(text, "devices (mean)") != NULL, run->n_modes > 0 && run->n_devices > 8);
    ck_assert_int_eq(strstr(text, "parameters, 12000 trained, 345 frozen; ") != NULL, run->n_modes > 0);
    ck_assert_int_eq(strstr(text, "auto has chosen gpu-only, which takes the least") != NULL,
                     run->choice.objective != NULL);
    if (run->choice.objective && run->choice.candidate[1].problem)
        ck_assert_ptr_nonnull(strstr(text, "hpt cannot be: no device\n"));
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
    check_modes(text, &run, arena);
    free(text);
    free(again);
    arena_free(arena);
}
END_TEST

/* Phases add up as printed, and shares to 100.0; the table of decisions tells each, or else the last check. */
START_TEST(test_summary_of_switch)
{
    struct dice d = dice(70 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct run run = random_run(&d, arena, 2);
    random_switch(&d, arena, &run.mode_switch, run.n_steps);
    random_phases(&d, arena, &run);
    char *text = print_to_text(print_run, &run), *title = strstr(text, "\nPhases");
    const struct run_switch *told = &run.mode_switch;
    int n_decisions = 0, n_found = 0;
    ck_assert_ptr_nonnull(title);
    check_phases(strchr(title + 1, '\n') + 1, &run);
    for (int i = 0; i < told->n_records; i++)
        n_decisions += told->record[i].is_decision;
    for (const char *p = text; (p = strstr(p, "loss and weights stand still")); p++)
        n_found++;
    ck_assert_int_eq(n_found, n_decisions ? n_decisions : told->n_records > 0);
    ck_assert_ptr_nonnull(strstr(text, "\nSwitch by policy safe, windows of 8 steps"));
    ck_assert_int_eq(strstr(text, "no decision") != NULL, told->n_records == 0);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        ck_assert_msg(strcspn(line, "\n") <= TABLE_WIDTH, "too wide: %.*s", (int)strcspn(line, "\n"), line);
    free(text);
    arena_free(arena);
}
END_TEST

/* Of many decisions the middle is left out, and said so. */
START_TEST(test_summary_of_many_decisions)
{
    struct dice d = dice(79);
    struct arena *arena = arena_new();
    struct run run = random_run(&d, arena, 1);
    struct run_switch_record records[40];
    for (int i = 0; i < 40; i++)
        records[i] = (struct run_switch_record){
            i, i, "trial", "trial", i % 2 ? "restart trial" : "continue", "the arms differ", i % 2, 8, 0, NULL};
    run.mode_switch = (struct run_switch){"hpt", 2, 40, records, 0, NULL};
    char *text = print_to_text(print_run, &run);
    int n_found = 0;
    for (const char *p = text; (p = strstr(p, "the arms differ")); p++)
        n_found++;
    ck_assert_int_eq(n_found, 12);
    ck_assert_ptr_nonnull(strstr(text, ": 20 decisions, 40 records"));
    ck_assert_ptr_nonnull(strstr(text, "The 8 decisions in the middle are left out here."));
    free(text);
    arena_free(arena);
}
END_TEST

START_TEST(test_loss_csv)
{
    struct dice d = dice(80);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run_switch_number number = {"p", ">=", 0.5, 0.01, 1};
    struct run_switch_record records[] = {
        {2, 1, "full", "full", "continue", "too early", 0, 0, 0, NULL},
        {4, 2, "full", "trial", "start trial", "loss and weights stand still", 1, 8, 1, &number}};
    struct run_switch_step steps[] = {{1, 0.5, NAN, 1, "full"}, {2, 0.25, 0.125, 2, "trial"}, {3, NAN, 2, 0, "low"}};
    struct run run = random_run(&d, arena, 1);
    run.mode_switch = (struct run_switch){"hpt", 2, 2, records, 3, steps};
    folder_open(&folder);
    const char *path = folder_file(&folder, "loss.csv");
    switch_tables_write_csv(path, &run, &fault);
    expect_ok(&fault);
    char *text = read_text(path, NULL);
    ck_assert_str_eq(text, "# after step 4: start trial: loss and weights stand still\n"
                           "step,loss_full,loss_low,window,state\n1,0.5,,1,full\n2,0.25,0.125,2,trial\n3,,2,0,low\n");
    free(text);
    switch_tables_write_csv("/nowhere/loss.csv", &run, &fault);
    ck_assert_int_eq(fault.status, STATUS_IO);
    folder_close(&folder);
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
        if (quantity->better != BETTER_NEITHER && !isnan(quantity->value[0]))
            ck_assert_msg(compare_ratio(quantity, 1) == 1, "%s: %g", quantity->name, compare_ratio(quantity, 1));
        ratios += quantity->better != BETTER_NEITHER;
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

static const struct quantity *find_quantity(const struct comparison *comparison, const char *name)
{
    for (int i = 0; i < comparison->n_quantities; i++)
        if (strcmp(comparison->quantity[i].name, name) == 0)
            return &comparison->quantity[i];
    ck_abort_msg("no quantity %s", name);
}

/* A base without modes that trains everything: its last step stands beside the full steps of the run. */
START_TEST(test_compare_steps_of_modes)
{
    struct arena *arena = arena_new();
    struct run_step step[] = {{.time_ps = 10}, {.time_ps = 25, .energy_j = 3}, {.time_ps = 32, .energy_j = 5}};
    struct run_mode mode[] = {{.name = "full", .n_trained = 9, .step_ps = 14},
                              {.name = "low", .n_trained = 4, .energy_fj = 5}};
    struct run runs[2] = {{.name = "base", .step = step, .n_steps = 3, .steps = 3, .n_parameters = 9, .n_trainable = 9},
                          {.name = "run", .mode = mode, .n_modes = 2, .n_parameters = 9, .n_trainable = 9}};
    const char *paths[] = {"a.h5", "b.h5"};
    for (int is_low = 0; is_low < 2; is_low++) { /* adapters alone are no full mode */
        struct comparison comparison;
        runs[0].n_trainable = is_low ? 4 : 9;
        compare_runs(&comparison, runs, paths, 2, arena);
        const struct quantity *time = find_quantity(&comparison, "time of a step: full mode");
        ck_assert_double_eq_tol(time->value[1], 14e-12, 1e-20);
        ck_assert(isnan(find_quantity(&comparison, "time of a step: low mode")->value[0]));
        ck_assert(isnan(find_quantity(&comparison, "time of a step: low mode")->value[1]));
        ck_assert(isnan(find_quantity(&comparison, "energy of a step: low mode")->value[1]));
        ck_assert_int_eq(isnan(time->value[0]), is_low);
        if (is_low)
            continue;
        ck_assert_double_eq_tol(time->value[0], 7e-12, 1e-20);
        ck_assert(find_quantity(&comparison, "energy of a step: full mode")->value[0] == 2);
        ck_assert(find_quantity(&comparison, "parameters trained: full mode")->value[0] == 9);
    }
    arena_free(arena);
}
END_TEST

/* Steps one by one or in stretches make the same phases; neighbours differ in name, and nothing is lost. */
START_TEST(test_phases_grow)
{
    static const char *const names[] = {"full", "trial", "low"};
    struct dice d = dice(950 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct run single = {.name = NULL}, stretches = {.name = NULL};
    int64_t step = 1;
    uint64_t time_ps = 0;
    wide_uint energy_fj = 0;
    for (int i = 0; i < 60; i++) {
        const char *name = names[below(&d, 3)];
        int64_t first = step, n = 1 + (int64_t)below(&d, 5);
        for (; step < first + n; step++)
            run_add_phase(&single, arena, &(struct run_phase){name, step, step, 7, (wide_uint)1 << 70});
        run_add_phase(&stretches, arena,
                      &(struct run_phase){name, first, step - 1, 7 * (uint64_t)n, (wide_uint)n << 70});
    }
    ck_assert(single.n_phases == stretches.n_phases && single.phase[0].first_step == 1);
    for (int i = 0; i < single.n_phases; i++) {
        const struct run_phase *x = &single.phase[i], *y = &stretches.phase[i];
        ck_assert(x->name == y->name && x->first_step == y->first_step && x->last_step == y->last_step);
        ck_assert(x->time_ps == y->time_ps && x->energy_fj == y->energy_fj);
        ck_assert(i == 0 || (x[-1].name != x->name && x[-1].last_step + 1 == x->first_step));
        time_ps += x->time_ps, energy_fj += x->energy_fj;
    }
    ck_assert(time_ps == 7 * (uint64_t)(step - 1) && energy_fj == (wide_uint)(step - 1) << 70);
    arena_free(arena);
}
END_TEST

/* A run in one mode against one that switched: phases of the second only, those of one name together. */
START_TEST(test_compare_phases)
{
    struct dice d = dice(910);
    struct arena *arena = arena_new();
    struct run runs[2] = {random_run(&d, arena, 1)};
    struct comparison comparison;
    const char *paths[] = {"a.h5", "b.h5"};
    struct run_phase phases[] = {{"full", 1, 10, 1000000000000, 3000000000000000},
                                 {"low", 11, 30, 500000000000, 1000000000000000},
                                 {"full", 31, 40, 2000000000000, 4000000000000000}};
    struct run_phase twice[] = {{"full", 1, 20, 6000000000000, 14000000000000000}};
    runs[0].n_phases = 0;
    runs[1] = runs[0];
    runs[1].n_phases = 3, runs[1].phase = phases;
    compare_runs(&comparison, runs, paths, 2, arena);
    ck_assert(isnan(ratio_of(&comparison, "time: phase full")) && isnan(ratio_of(&comparison, "energy: phase low")));
    char *text = print_to_text(print_comparison, &comparison);
    ck_assert_ptr_nonnull(strstr(text, "time: phase low"));
    free(text);
    runs[0].n_phases = 1, runs[0].phase = twice;
    compare_runs(&comparison, runs, paths, 2, arena);
    ck_assert_double_eq(ratio_of(&comparison, "time: phase full"), 2);
    ck_assert_double_eq(ratio_of(&comparison, "time per step: phase full"), 2);
    ck_assert_double_eq(ratio_of(&comparison, "energy: phase full"), 2);
    ck_assert(isnan(ratio_of(&comparison, "energy: phase low")));
    for (int i = 0; i < comparison.n_quantities; i++)
        if (strcmp(comparison.quantity[i].name, "steps: phase low") == 0)
            ck_assert(isnan(comparison.quantity[i].value[0]) && comparison.quantity[i].value[1] == 20);
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
    tcase_add_loop_test(tcase, test_summary_of_switch, 0, 20);
    tcase_add_test(tcase, test_summary_of_many_decisions);
    tcase_add_test(tcase, test_loss_csv);
    tcase_add_test(tcase, test_summary_of_timing_only);
    tcase_add_test(tcase, test_wall);
    tcase_add_loop_test(tcase, test_compare_with_itself, 0, 5);
    tcase_add_test(tcase, test_compare_finds_differences);
    tcase_add_test(tcase, test_compare_steps_of_modes);
    tcase_add_test(tcase, test_compare_phases);
    tcase_add_loop_test(tcase, test_phases_grow, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}
