/* test_validation.c - the validation set: the last training samples by time, which share no row with the others. */
#include <string.h>

#include "config/job.h"
#include "folder.h"
#include "model/windows.h"
#include "scheduler/build.h"
#include "store/synth.h"

Suite *suite_validation(void);

enum { CASES = 12, STATIONS = 3 };

static void write_data(const char *file, int64_t rows)
{
    struct synth_options options = {
        .n_stations = STATIONS, .n_rows = rows, .seed = 3, .step_s = 3600, .n_variables = 1};
    options.variable[0] = "wind_speed";
    options.units[0] = "m s-1";
    struct fault fault = FAULT_NONE;
    ck_assert_msg(synth_write(file, &options, &fault) == STATUS_OK, "%s", fault.text);
}

static struct windows *open_windows(struct windows_config *config, double fraction)
{
    struct windows *windows;
    struct fault fault = FAULT_NONE;
    config->validation_fraction = fraction;
    ck_assert_msg(windows_open(config, &windows, &fault) == STATUS_OK, "%s", fault.text);
    return windows;
}

static void mark_rows(const struct windows *windows, const struct windows_config *config, enum window_set set,
                      int64_t n, char *rows)
{
    for (int64_t s = 0; s < n; s++)
        for (int64_t r = -config->window; r < config->horizon; r++)
            rows[windows_row(windows, set, s) + r] |= (char)(1 << set);
}

static void check_same_samples(struct windows *whole, struct windows *split, int64_t n, int64_t first)
{
    float x[2][64], target[2][16];
    struct fault fault = FAULT_NONE;
    for (int64_t s = 0; s < n; s++) {
        memset(x, 0, sizeof x);
        memset(target, 0, sizeof target);
        ck_assert(windows_sample(whole, WINDOWS_TRAIN, first + s, 4, x[0], target[0], NULL, &fault) == STATUS_OK);
        ck_assert(windows_sample(split, WINDOWS_VALIDATION, s, 4, x[1], target[1], NULL, &fault) == STATUS_OK);
        ck_assert(memcmp(x[0], x[1], sizeof x[0]) == 0 && memcmp(target[0], target[1], sizeof target[0]) == 0);
    }
}

START_TEST(sets_are_apart)
{
    struct dice d = dice(5000 + (uint32_t)_i);
    struct folder folder;
    folder_open(&folder);
    const char *file = folder_file(&folder, "synth.h5");
    int64_t rows = 80 + (int64_t)below(&d, 60), first = (int64_t)below(&d, (uint64_t)rows - 30);
    write_data(file, rows);
    struct windows_config config = {.file = file,
                                    .window = 1 + (int64_t)below(&d, 5),
                                    .horizon = 1 + (int64_t)below(&d, 3),
                                    .normalise = "station",
                                    .test_rows = {first, first + 20}};
    double fraction = 0.05 + 0.3 * rng_uniform(d.key, 9, 0);
    struct windows *whole = open_windows(&config, 0), *split = open_windows(&config, fraction);
    const struct windows_shape *all = windows_shape(whole), *some = windows_shape(split);
    ck_assert_int_eq(all->n_validation, 0);
    ck_assert_int_eq(some->n_validation, (int64_t)(fraction * (double)all->n_train));
    ck_assert_int_gt(some->n_validation, 0);
    ck_assert_int_eq(some->n_test, all->n_test);
    ck_assert_int_eq(some->n_train, all->n_train - some->n_validation - config.window - config.horizon + 1);
    char *seen = calloc((size_t)rows, 1);
    mark_rows(split, &config, WINDOWS_TRAIN, some->n_train, seen);
    mark_rows(split, &config, WINDOWS_VALIDATION, some->n_validation, seen);
    mark_rows(split, &config, WINDOWS_TEST, some->n_test, seen);
    for (int64_t r = 0; r < rows; r++)
        ck_assert_msg((seen[r] & (seen[r] - 1)) == 0, "row %d is in two sets", (int)r);
    for (int64_t s = 1; s < some->n_train; s++)
        ck_assert(windows_row(split, WINDOWS_TRAIN, s) < windows_row(split, WINDOWS_VALIDATION, 0));
    check_same_samples(whole, split, some->n_validation, all->n_train - some->n_validation);
    free(seen);
    windows_close(whole);
    windows_close(split);
    folder_close(&folder);
}
END_TEST

/* As published: the same samples, whose inputs end with the row of the target. */
START_TEST(inputs_reach_the_target_row)
{
    enum { WINDOW = 4 };
    struct folder folder;
    folder_open(&folder);
    const char *file = folder_file(&folder, "synth.h5");
    write_data(file, 60);
    struct windows_config config = {
        .file = file, .window = WINDOW, .horizon = 1 + _i, .normalise = "station", .test_rows = {40, 59}};
    struct windows *next = open_windows(&config, 0.2);
    config.nowcast = 1;
    struct windows *same = open_windows(&config, 0.2);
    ck_assert_int_eq(windows_shape(next)->residual_possible, 1);
    ck_assert_int_eq(windows_shape(same)->residual_possible, 0);
    for (int set = WINDOWS_TRAIN; set <= WINDOWS_TEST; set++) {
        double before[STATIONS * WINDOW], x[STATIONS * WINDOW], target[4 * STATIONS], wanted[4 * STATIONS];
        struct fault fault = FAULT_NONE;
        ck_assert_int_eq(windows_row(next, (enum window_set)set, 1), windows_row(same, (enum window_set)set, 1));
        windows_sample(next, (enum window_set)set, 1, 8, before, wanted, NULL, &fault);
        windows_sample(same, (enum window_set)set, 1, 8, x, target, NULL, &fault);
        ck_assert_int_eq(fault.status, STATUS_OK);
        for (int s = 0; s < STATIONS; s++) {
            ck_assert_double_eq(target[s], wanted[s]);
            ck_assert_double_eq(x[s * WINDOW + WINDOW - 1], target[s]);
            ck_assert_mem_eq(x + s * WINDOW, before + s * WINDOW + 1, (WINDOW - 1) * sizeof *x);
        }
    }
    windows_close(next);
    windows_close(same);
    folder_close(&folder);
}
END_TEST

START_TEST(sets_that_cannot_be)
{
    struct folder folder;
    folder_open(&folder);
    const char *file = folder_file(&folder, "synth.h5");
    write_data(file, 60);
    static const double fractions[] = {0.001, 0.999};
    for (int i = 0; i < 2; i++) {
        struct windows *windows;
        struct windows_config config = {.file = file,
                                        .window = 3,
                                        .horizon = 1,
                                        .normalise = "none",
                                        .test_rows = {40, 59},
                                        .validation_fraction = fractions[i]};
        struct fault fault = FAULT_NONE;
        ck_assert_int_eq(windows_open(&config, &windows, &fault), STATUS_USAGE);
        ck_assert_msg(strstr(fault.text, "data.validation_fraction: expected") != NULL, "%s", fault.text);
    }
    folder_close(&folder);
}
END_TEST

/* Rows, times and a fraction may all be given: split_by says which of them counts. */
START_TEST(split_by_tells_the_test_set)
{
    static const char *const ways[] = {"rows", "time", "fraction"};
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    for (int i = 0; i < 3; i++) {
        const char *const overrides[] = {"data.test_rows=10,20", "data.test_time=2020-01-02,2020-01-03",
                                         "data.test_fraction=0.25", arena_printf(arena, "data.split_by=%s", ways[i])};
        struct job job;
        ck_assert_msg(!job_read(arena, "jobs/wind.yaml", overrides, 4, &job, &fault), "%s", fault.text);
        struct windows_config config = build_windows_config(&job);
        ck_assert_int_eq(config.test_rows[0], i == 0 ? 10 : -1);
        ck_assert_int_eq(config.test_rows[1], i == 0 ? 20 : -1);
        ck_assert_int_eq(config.test_time[0] != NULL, i == 1);
        ck_assert_int_eq(config.test_time[1] != NULL, i == 1);
        ck_assert_double_eq(config.test_fraction, 0.25);
    }
    arena_free(arena);
}
END_TEST

Suite *suite_validation(void)
{
    Suite *suite = suite_create("validation");
    TCase *tcase = tcase_create("validation");
    tcase_add_loop_test(tcase, sets_are_apart, 0, CASES);
    tcase_add_test(tcase, split_by_tells_the_test_set);
    tcase_add_test(tcase, sets_that_cannot_be);
    tcase_add_loop_test(tcase, inputs_reach_the_target_row, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}
