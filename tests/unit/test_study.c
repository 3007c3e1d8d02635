#include <check.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/manual.h"
#include "config/study.h"
#include "folder.h"
#include "report/wall.h"
#include "study/axis.h"
#include "study/csv.h"
#include "study/pareto.h"
#include "study/points.h"
#include "study/results.h"
#include "study/scaling.h"
#include "study/stamp.h"

Suite *suite_study(void);

static const char job_text[] = "model:\n  preset: wind\ntrain:\n  steps: 10\n  minibatch: 8\n"
                               "cluster:\n  devices:\n    - kind: gpu\n      profile: v100\n      count: 2\n"
                               "  links:\n    inside: nvlink2\n    host: pcie3\n";

/* A study beside a job, read. */
struct bench {
    struct folder folder;
    struct arena *arena;
    struct study study;
    struct study_points points;
    struct fault fault;
};

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void open_bench(struct bench *bench, const char *text)
{
    *bench = (struct bench){.arena = arena_new(), .fault = FAULT_NONE};
    folder_open(&bench->folder);
    write_text(folder_file(&bench->folder, "job.yaml"), job_text);
    const char *path = folder_file(&bench->folder, "study.yaml");
    write_text(path, text);
    const struct study_extra extra = {0, NULL, 0};
    if (study_read(bench->arena, path, &bench->study, &bench->fault) == STATUS_OK)
        study_points(&bench->study, &extra, bench->arena, &bench->points, &bench->fault);
}

static void close_bench(struct bench *bench)
{
    arena_free(bench->arena);
    folder_close(&bench->folder);
}

static void refused(const char *text, const char *message)
{
    struct bench bench;
    open_bench(&bench, text);
    ck_assert_msg(bench.fault.status == STATUS_USAGE || bench.fault.status == STATUS_IO, "accepted: %s", text);
    ck_assert_msg(strstr(bench.fault.text, message) != NULL, "'%s' does not say '%s'", bench.fault.text, message);
    close_bench(&bench);
}

/* ---- samples ---- */

START_TEST(a_latin_hypercube_has_one_sample_in_each_stratum)
{
    struct dice d = dice((uint32_t)_i);
    for (int round = 0; round < 50; round++) {
        int64_t n = 1 + (int64_t)below(&d, 200);
        double u[200];
        int seen[200] = {0};
        char key[16];
        snprintf(key, sizeof key, "key%d", (int)below(&d, 1000));
        axis_sample("latin-hypercube", below(&d, 1u << 30), key, n, u);
        for (int64_t i = 0; i < n; i++) {
            ck_assert(u[i] >= 0 && u[i] < 1);
            seen[(int64_t)(u[i] * (double)n)]++;
        }
        for (int64_t k = 0; k < n; k++)
            ck_assert_int_eq(seen[k], 1);
    }
}
END_TEST

START_TEST(samples_depend_on_seed_and_key_alone)
{
    double a[64], b[64], longer[100];
    axis_sample("random", 7, "train.minibatch", 64, a);
    axis_sample("random", 7, "train.minibatch", 100, longer);
    ck_assert_mem_eq(a, longer, sizeof a);
    axis_sample("random", 8, "train.minibatch", 64, b);
    ck_assert_mem_ne(a, b, sizeof a);
    axis_sample("random", 7, "model.layers", 64, b);
    ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

START_TEST(every_whole_number_of_a_range_has_its_share)
{
    struct study_axis axis = {.group = AXIS_SAMPLE, .key = "k", .kind = VALUE_WHOLE, .from = 3, .to = 7};
    struct arena *arena = arena_new();
    double u[500];
    int seen[5] = {0};
    axis_sample("latin-hypercube", 3, "k", 500, u);
    for (int i = 0; i < 500; i++)
        seen[atoi(axis_at(&axis, u[i], arena)) - 3]++;
    for (int k = 0; k < 5; k++)
        ck_assert_int_eq(seen[k], 100);
    axis = (struct study_axis){
        .group = AXIS_SAMPLE, .kind = VALUE_REAL, .unit = UNIT_SECONDS, .from = 1e-3, .to = 10, .is_log = 1};
    double low = axis_number(&axis, axis_at(&axis, 0, arena)), mid = axis_number(&axis, axis_at(&axis, 0.5, arena));
    ck_assert_double_eq_tol(low, 1e-3, 1e-9);
    ck_assert_double_eq_tol(mid, 0.1, 1e-6);
    ck_assert_str_eq(axis_unit(&axis, arena), "s");
    arena_free(arena);
}
END_TEST

START_TEST(draws_stay_in_their_range)
{
    struct arena *arena = arena_new();
    struct dice d = dice(100);
    for (int round = 0; round < 2000; round++) {
        double from = exp(normal(&d)), to = from * (1 + exp(normal(&d)));
        struct study_axis axis = {
            .kind = below(&d, 2) ? VALUE_WHOLE : VALUE_REAL, .unit = UNIT_NONE, .is_log = (int)below(&d, 2)};
        axis.from = axis.kind == VALUE_WHOLE ? ceil(from) : from;
        axis.to = axis.kind == VALUE_WHOLE ? ceil(from) + ceil(to) : to;
        double u = (double)below(&d, 1u << 30) / (1u << 30);
        double value = axis_number(&axis, axis_at(&axis, round % 3 ? u : nextafter(1, 0), arena));
        ck_assert_msg(value >= axis.from && value <= axis.to, "%g not in %g..%g", value, axis.from, axis.to);
    }
    arena_free(arena);
}
END_TEST

/* ---- points ---- */

START_TEST(a_grid_is_the_product_of_its_axes)
{
    struct bench bench;
    open_bench(&bench, "job: job.yaml\nreplicas: 2\nruns:\n  grid:\n    train.minibatch: [4, 8, 16]\n"
                       "    model.layers: {from: 1, to: 4, points: 4}\n  zip:\n    model.d_model: [8, 16]\n"
                       "    model.heads: [1, 2]\n");
    expect_ok(&bench.fault);
    ck_assert_int_eq(bench.points.n, 3 * 4 * 2 * 2);
    ck_assert_int_eq(bench.points.n_groups, 3 * 4 * 2);
    for (int64_t i = 0; i < bench.points.n; i++) {
        const struct study_point *point = &bench.points.point[i];
        ck_assert_double_eq(point->x[0], 4 << (i / 16));
        ck_assert_double_eq(point->x[1], 1 + (double)(i / 4 % 4));
        ck_assert_double_eq(point->x[2], i / 2 % 2 ? 16 : 8);
        ck_assert_double_eq(point->x[3], i / 2 % 2 ? 2 : 1);
        ck_assert_uint_eq(point->seed, (uint64_t)(i % 2));
        for (int64_t k = 0; k < i; k++)
            ck_assert_uint_ne(point->hash, bench.points.point[k].hash);
    }
    close_bench(&bench);
}
END_TEST

START_TEST(ranges_have_their_ends)
{
    struct bench bench;
    open_bench(&bench, "job: job.yaml\nruns:\n  grid:\n    model.layers: {from: 1, to: 64, factor: 2}\n"
                       "    train.optimiser.learning_rate: {from: 0.001, to: 0.1, points: 3, scale: log}\n"
                       "    train.minibatch: {from: 4, to: 15, step: 4}\n");
    expect_ok(&bench.fault);
    ck_assert_int_eq(bench.points.n, 7 * 3 * 3);
    const double *last = bench.points.point[bench.points.n - 1].x;
    ck_assert_double_eq(last[0], 64);
    ck_assert_double_eq(last[1], 0.1);
    ck_assert_double_eq(last[2], 12);
    ck_assert_double_eq(bench.points.point[3].x[1], 0.01);
    close_bench(&bench);
}
END_TEST

START_TEST(a_new_key_changes_no_other_draws)
{
    struct bench one, two;
    static const char text[] = "job: job.yaml\nruns:\n  sample:\n    points: 9\n    over:\n"
                               "      train.minibatch: {from: 2, to: 64, scale: log}\n";
    char more[512];
    snprintf(more, sizeof more, "%s      model.layers: {from: 1, to: 4}\n", text);
    open_bench(&one, text);
    open_bench(&two, more);
    expect_ok(&one.fault);
    expect_ok(&two.fault);
    for (int i = 0; i < 9; i++)
        ck_assert_str_eq(one.points.point[i].value[0], two.points.point[i].value[0]);
    close_bench(&one);
    close_bench(&two);
}
END_TEST

START_TEST(weak_scaling_grows_what_it_says)
{
    struct bench bench;
    open_bench(&bench, "kind: weak-scaling\njob: job.yaml\nscaling:\n  over: cluster.devices[0].count\n"
                       "  counts: [2, 4, 6]\n  grow: [train.minibatch]\n");
    expect_ok(&bench.fault);
    static const char *const expected[] = {"train.minibatch=8", "train.minibatch=16", "train.minibatch=24"};
    for (int i = 0; i < 3; i++) {
        int found = 0;
        for (int o = 0; o < bench.points.point[i].n_overrides; o++)
            found |= strcmp(bench.points.point[i].override[o], expected[i]) == 0;
        ck_assert_msg(found, "point %d does not set %s", i, expected[i]);
    }
    close_bench(&bench);
}
END_TEST

START_TEST(mistakes_are_refused_with_their_line)
{
    refused("job: job.yaml\nruns:\n  grid:\n    train.epoch: [1]\n",
            "study.yaml:4: runs.grid.train.epoch: expected a known key, found 'epoch' (did you mean 'train.epochs'?)");
    refused("job: job.yaml\nrun:\n  grid:\n    train.epochs: [1]\n", "study.yaml:2: run: expected a known key, found "
                                                                     "'run' (did you mean 'runs'?)");
    refused("job: job.yaml\nruns:\n  grid:\n    train.epochs: [1, x]\n", "study.yaml:4: runs.grid.train.epochs");
    refused("job: job.yaml\nruns:\n  grid:\n    train.epochs: [1, 1]\n", "that is not in the list yet");
    refused("job: job.yaml\nruns:\n  grid:\n    train.optimiser.kind: {from: 1, to: 2, points: 2}\n", "no number");
    refused("job: job.yaml\nruns:\n  grid:\n    model.layers: {from: 1, to: 3, points: 5}\n", "found 2 twice");
    refused("job: job.yaml\nruns:\n  grid:\n    model.layers: {from: 1, to: 3}\n", "one of points, step and factor");
    refused("job: job.yaml\nruns:\n  zip:\n    model.layers: [1, 2]\n    model.heads: [1]\n", "a list of 2 values");
    refused("job: job.yaml\nruns:\n  grid:\n    model.layers: [1]\n  zip:\n    model.layers: [1]\n", "varies once");
    refused("job: job.yaml\nset:\n  model.layers: 1\nruns:\n  grid:\n    model.layers: [1]\n", "stand in set");
    refused("job: job.yaml\nruns:\n  grid:\n    cluster.devices[3].count: [1, 2]\n", "study.yaml:4: point 1: ");
    refused("job: none.yaml\nruns:\n  grid:\n    model.layers: [1]\n", "study.yaml:1: job: ");
    refused("job: job.yaml\n", "expected keys of the job in grid, zip or sample");
    refused("job: job.yaml\nruns:\n  grid:\n    output.directory: [a, b]\n", "a folder of its own");
    refused("job: job.yaml\nobjectives:\n  minimise: [energy_j]\nruns:\n  grid:\n    model.layers: [1]\n",
            "two or three metrics");
    refused("kind: strong-scaling\njob: job.yaml\nruns:\n  grid:\n    model.layers: [1]\n", "scaling.over");
    refused("kind: weak-scaling\njob: job.yaml\nscaling:\n  over: ranks\n  counts: [1, 2]\n", "scaling.grow");
    refused("kind: strong-scaling\njob: job.yaml\nscaling:\n  over: train.optimiser.kind\n  counts: [1, 2]\n",
            "with a whole number");
    refused("kind: strong-scaling\njob: job.yaml\nscaling:\n  over: cluster.devices[0].count\n  counts: [1, 2]\n"
            "  along:\n    train.minibatch: [8, 16, 32]\n",
            "one for each count");
}
END_TEST

START_TEST(unknown_metrics_are_refused)
{
    struct bench bench;
    struct study_results results;
    open_bench(&bench, "job: job.yaml\nmetrics: [energy]\nruns:\n  grid:\n    model.layers: [1, 2]\n");
    expect_ok(&bench.fault);
    ck_assert_int_eq(results_columns(&bench.study, &bench.points, bench.arena, &results, &bench.fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(bench.fault.text, "study.yaml:2: metrics: expected a metric of a run that trains, "
                                                   "found 'energy' (did you mean 'energy_j'?)"));
    close_bench(&bench);
}
END_TEST

/* ---- Pareto ---- */

static int beaten(int64_t n, int k, const double *value, const int *sign, int64_t i)
{
    for (int64_t other = 0; other < n; other++) {
        int no_worse = 1, better = 0;
        for (int j = 0; j < k; j++) {
            double a = sign[j] * value[other * k + j], b = sign[j] * value[i * k + j];
            no_worse &= a <= b;
            better |= a < b;
        }
        if (no_worse && better)
            return 1;
    }
    return 0;
}

START_TEST(the_front_is_what_brute_force_finds)
{
    struct dice d = dice(200 + (uint32_t)_i);
    for (int round = 0; round < 300; round++) {
        int64_t n = 1 + (int64_t)below(&d, 60);
        int k = 2 + (int)below(&d, 2), sign[3];
        double value[180];
        uint8_t front[60];
        uint64_t levels = 2 + below(&d, 30); /* few: many equal points */
        for (int j = 0; j < k; j++)
            sign[j] = below(&d, 2) ? 1 : -1;
        for (int64_t i = 0; i < n * k; i++)
            value[i] = below(&d, 15) == 0 ? NAN : (double)below(&d, levels);
        pareto_front(n, k, value, sign, front);
        for (int64_t i = 0; i < n; i++) {
            int complete = 1;
            for (int j = 0; j < k; j++)
                complete &= !isnan(value[i * k + j]);
            ck_assert_int_eq(front[i], complete && !beaten(n, k, value, sign, i));
        }
    }
}
END_TEST

/* ---- scaling ---- */

START_TEST(the_fit_finds_a_known_serial_fraction)
{
    struct dice d = dice(300);
    for (int round = 0; round < 200; round++) {
        double f = (double)below(&d, 1000) / 1000, t1 = exp(normal(&d)), first = (double)(1 + below(&d, 4));
        double count[8], strong[8], weak[8];
        struct scaling_place place[8];
        struct scaling_fit fit;
        for (int i = 0; i < 8; i++) {
            double m = pow(2, i);
            count[i] = first * m;
            strong[i] = t1 * (f + (1 - f) / m);
            weak[i] = t1 * m / (m - f * (m - 1));
        }
        if (round % 2)
            strong[5] = weak[5] = NAN; /* a run that failed */
        scaling_analyse(8, count, strong, 0, place, &fit);
        ck_assert_double_eq_tol(fit.serial_fraction, f, 1e-9);
        ck_assert_double_lt(fit.worst, 1e-9);
        for (int i = 1; i < 8; i++)
            if (!isnan(strong[i]))
                ck_assert_double_eq_tol(place[i].karp_flatt, f, 1e-9); /* constant, as the law is exact */
        scaling_analyse(8, count, weak, 1, place, &fit);
        ck_assert_double_eq_tol(fit.serial_fraction, f, 1e-9);
        ck_assert_double_eq_tol(place[3].efficiency, weak[0] / weak[3], 1e-12);
    }
}
END_TEST

START_TEST(perfect_and_no_scaling)
{
    const double count[3] = {1, 2, 4}, perfect[3] = {8, 4, 2}, none[3] = {8, 8, 8}, lost[3] = {NAN, 4, 2};
    struct scaling_place place[3];
    struct scaling_fit fit;
    scaling_analyse(3, count, perfect, 0, place, &fit);
    ck_assert_double_eq_tol(fit.serial_fraction, 0, 1e-12);
    ck_assert_double_eq(place[2].speed_up, 4);
    ck_assert_double_eq(place[2].efficiency, 1);
    scaling_analyse(3, count, none, 0, place, &fit);
    ck_assert_double_eq_tol(fit.serial_fraction, 1, 1e-12);
    ck_assert_double_eq_tol(place[2].karp_flatt, 1, 1e-12);
    scaling_analyse(3, count, lost, 0, place, &fit);
    ck_assert(isnan(fit.serial_fraction) && isnan(place[2].speed_up));
}
END_TEST

/* ---- files ---- */

START_TEST(stamps_read_back)
{
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct stamp read;
    const struct stamp written = {.state = STAMP_FAILED,
                                  .point = 12,
                                  .hash = UINT64_C(0xfedcba9876543210),
                                  .exit_status = 4,
                                  .message = "a \"message\"",
                                  .n_wall = 2,
                                  .wall_s = {1.5, 0.25}};
    folder_open(&folder);
    stamp_read(folder.path, arena, &read);
    ck_assert_int_eq(read.state, STAMP_NONE);
    stamp_write(folder.path, &written, &fault);
    expect_ok(&fault);
    stamp_read(folder.path, arena, &read);
    ck_assert_int_eq(read.state, STAMP_FAILED);
    ck_assert_int_eq(read.point, 12);
    ck_assert_uint_eq(read.hash, written.hash);
    ck_assert_int_eq(read.exit_status, 4);
    ck_assert_str_eq(read.message, written.message);
    ck_assert_int_eq(read.n_wall, 2);
    ck_assert_double_eq(read.wall_s[1], 0.25);
    write_text(folder_file(&folder, "point.json"), "{\"schema\": \"polyrank-point\", \"state\": \"done\"");
    stamp_read(folder.path, arena, &read);
    ck_assert_int_eq(read.state, STAMP_NONE);
    arena_free(arena);
    folder_close(&folder);
}
END_TEST

START_TEST(wall_times_are_found_where_runs_tell_them)
{
    double wall_s = 7;
    ck_assert_int_eq(wall_find("polyrank: something\n", &wall_s), 0);
    ck_assert_double_eq(wall_s, 7);
    ck_assert_int_eq(wall_find("train: step 3 of 4\nWall time of 1.25 s on 4 ranks for 300 steps\n  more\n", &wall_s),
                     1);
    ck_assert_double_eq(wall_s, 1.25);
    ck_assert_int_eq(wall_find("polyrank: 96 tokens in 40 iterations, 0.94 s of wall time: 102 tokens/s\n", &wall_s),
                     1);
    ck_assert_double_eq(wall_s, 0.94);
    struct wall_section section = {"devices", 0.1, 0.2, 0.3};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    wall_print(out, &section, 1, 0.5, 2, 10);
    fclose(out);
    ck_assert_int_eq(wall_find(text, &wall_s), 1);
    ck_assert_double_eq(wall_s, 0.5);
    free(text);
}
END_TEST

/* ---- the manual and the examples ---- */

static char *tables(struct arena *arena)
{
    int n;
    const struct metric *table = metrics(&n);
    char *text =
        arena_printf(arena, "%s\n## Metrics\n\n| metric | unit | of runs that | meaning |\n|---|---|---|---|\n",
                     manual_study_keys(arena));
    for (int m = 0; m < n; m++)
        text = arena_printf(arena, "%s| `%s`%s | %s | %s | %s |\n", text, table[m].name,
                            table[m].is_default ? " *" : "", table[m].unit,
                            table[m].of == METRIC_TRAIN   ? "train"
                            : table[m].of == METRIC_SERVE ? "serve"
                                                          : "both",
                            table[m].meaning);
    return text;
}

/* UPDATE_DOCS=1 writes the tables anew: they are the end of the page. */
START_TEST(the_manual_has_the_same_keys_and_metrics)
{
    static const char path[] = "docs/studies.md";
    struct arena *arena = arena_new();
    size_t size;
    char *page = read_text(path, &size), *wanted = tables(arena), *at = strstr(page, "\n| key |");
    if (getenv("UPDATE_DOCS")) {
        write_text(path, arena_printf(arena, "%.*s%s", (int)(at ? (size_t)(at - page) : size), page, wanted));
        at = wanted;
    }
    ck_assert_msg(at && strcmp(at, wanted) == 0, "docs/studies.md has not the keys: run with UPDATE_DOCS=1");
    free(page);
    arena_free(arena);
}
END_TEST

START_TEST(the_examples_can_be_read)
{
    glob_t found;
    const struct study_extra extra = {0, NULL, 0};
    ck_assert_int_eq(glob("studies/*.yaml", 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, 5);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct arena *arena = arena_new();
        struct fault fault = FAULT_NONE;
        struct study study;
        struct study_points points;
        struct study_results results;
        study_read(arena, found.gl_pathv[i], &study, &fault);
        expect_ok(&fault);
        study_points(&study, &extra, arena, &points, &fault);
        expect_ok(&fault);
        results_columns(&study, &points, arena, &results, &fault);
        expect_ok(&fault);
        ck_assert_str_eq(config_kind(found.gl_pathv[i]), "study");
        arena_free(arena);
    }
    globfree(&found);
}
END_TEST

START_TEST(cells_of_csv_read_back)
{
    static const double numbers[] = {0, 1, -2.5, 0.1, 1.0 / 3, 12345678.9, 1e300, 5e-324};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        csv_put_number(out, numbers[i]);
    csv_put_number(out, NAN);
    csv_put_text(out, "a \"b\", c");
    fclose(out);
    char *at = text;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        ck_assert_double_eq(strtod(at + 1, &at), numbers[i]);
    ck_assert_str_eq(at, ",,\"a \"\"b\"\", c\"");
    free(text);
}
END_TEST

Suite *suite_study(void)
{
    Suite *suite = suite_create("study");
    TCase *tcase = tcase_create("study");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_latin_hypercube_has_one_sample_in_each_stratum, 0, 3);
    tcase_add_test(tcase, samples_depend_on_seed_and_key_alone);
    tcase_add_test(tcase, every_whole_number_of_a_range_has_its_share);
    tcase_add_test(tcase, draws_stay_in_their_range);
    tcase_add_test(tcase, a_grid_is_the_product_of_its_axes);
    tcase_add_test(tcase, ranges_have_their_ends);
    tcase_add_test(tcase, a_new_key_changes_no_other_draws);
    tcase_add_test(tcase, weak_scaling_grows_what_it_says);
    tcase_add_test(tcase, mistakes_are_refused_with_their_line);
    tcase_add_test(tcase, unknown_metrics_are_refused);
    tcase_add_loop_test(tcase, the_front_is_what_brute_force_finds, 0, 4);
    tcase_add_test(tcase, the_fit_finds_a_known_serial_fraction);
    tcase_add_test(tcase, perfect_and_no_scaling);
    tcase_add_test(tcase, stamps_read_back);
    tcase_add_test(tcase, wall_times_are_found_where_runs_tell_them);
    tcase_add_test(tcase, cells_of_csv_read_back);
    tcase_add_test(tcase, the_manual_has_the_same_keys_and_metrics);
    tcase_add_test(tcase, the_examples_can_be_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
