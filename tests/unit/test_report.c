/* Random runs: what is written reads back, tables add up, traces keep the format's rules, comparisons know what they compare. */
#include <check.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/rng.h"
#include "plan/clock.h"
#include "report/breakdown.h"
#include "report/compare.h"
#include "report/result.h"
#include "report/summary.h"
#include "report/table.h"
#include "report/trace.h"
#include "report/wall.h"

Suite *suite_report(void);

struct dice {
    struct rng_key key;
    uint64_t n;
};

static struct dice dice(uint32_t place)
{
    return (struct dice){rng_key(777, RNG_TEST, place), 0};
}

static uint64_t below(struct dice *d, uint64_t n)
{
    return rng_below(d->key, 1, d->n++, n);
}

static double normal(struct dice *d)
{
    return rng_normal(d->key, 2, d->n++);
}

/* A folder of this test's own and files in it. */
struct folder {
    char path[64], *file[8];
    int n;
};

static void folder_open(struct folder *folder)
{
    *folder = (struct folder){.n = 0};
    snprintf(folder->path, sizeof folder->path, "/tmp/polyrank-report-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder->path));
}

static const char *folder_file(struct folder *folder, const char *name)
{
    ck_assert_int_gt(asprintf(&folder->file[folder->n], "%s/%s", folder->path, name), 0);
    return folder->file[folder->n++];
}

static void folder_close(struct folder *folder)
{
    for (int i = 0; i < folder->n; i++) {
        unlink(folder->file[i]);
        free(folder->file[i]);
    }
    ck_assert_msg(rmdir(folder->path) == 0, "something is left in %s", folder->path);
}

static char *read_text(const char *path, size_t *size)
{
    gzFile file = gzopen(path, "rb"); /* reads plain files as they are */
    ck_assert_msg(file != NULL, "%s", path);
    size_t max = 1 << 16, n = 0;
    char *text = malloc(max);
    for (int got; (got = gzread(file, text + n, (unsigned)(max - n - 1))) > 0;) {
        n += (size_t)got;
        if (max - n < 2)
            text = realloc(text, max *= 2);
    }
    gzclose(file);
    text[n] = '\0';
    if (size)
        *size = n;
    return text;
}

static struct run_metrics random_metrics(struct dice *d)
{
    return (struct run_metrics){fabs(normal(d)), fabs(normal(d)), 100 * fabs(normal(d)), normal(d), (int64_t)below(d, 100000)};
}

static struct run_metrics *random_horizons(struct dice *d, struct arena *arena, int n)
{
    struct run_metrics *metrics = arena_array(arena, (size_t)n, sizeof *metrics);
    for (int h = 0; h < n; h++)
        metrics[h] = random_metrics(d);
    return metrics;
}

/* Some devices never wait, some classes never run. */
static void random_ledger(struct dice *d, struct ledger *ledger, uint64_t end_ps)
{
    uint64_t left_ps = end_ps;
    memset(ledger, 0, sizeof *ledger);
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        struct cost cost = {.time_ps = below(d, left_ps / 4 + 1), .flops = below(d, UINT64_MAX), .bytes = below(d, 1u << 30)};
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            cost.energy_fj[p] = below(d, 3) ? below(d, UINT64_MAX) : 0;
        if (below(d, 3) == 0)
            continue;
        ledger_add(ledger, c, &cost, 1);
        ledger->compute_ps[c] = below(d, 2) ? cost.time_ps : 0;
        ledger->wait_ps[c] = below(d, 2) ? below(d, left_ps / 8 + 1) : 0;
        left_ps -= ledger->compute_ps[c] + ledger->wait_ps[c];
    }
    ledger->idle_ps = left_ps;
    ledger->end_ps = end_ps;
    ledger->wait_energy_fj = (wide_uint)below(d, UINT64_MAX) * below(d, 1000);
    ledger->idle_energy_fj = (wide_uint)below(d, UINT64_MAX) * below(d, 3);
}

static void random_devices(struct dice *d, struct arena *arena, struct run *run, int n)
{
    run->n_devices = n;
    run->device = arena_array(arena, (size_t)n, sizeof *run->device);
    for (int i = 0; i < n; i++) {
        struct run_device *device = &run->device[i];
        *device = (struct run_device){.name = arena_printf(arena, "gpu%d", i),
                                      .kind = "gpu",
                                      .profile = i % 2 ? "a100-80g" : "h200",
                                      .node = i / 8,
                                      .memory_bytes = below(d, UINT64_C(80) << 30),
                                      .capacity_bytes = UINT64_C(80) << 30};
        random_ledger(d, &device->ledger, run->end_ps);
    }
}

static void random_parameters(struct dice *d, struct arena *arena, struct run *run)
{
    run->n_parameters_stored = 12;
    run->parameter = arena_array(arena, 12, sizeof *run->parameter);
    for (int i = 0; i < 12; i++) {
        struct run_parameter *parameter = &run->parameter[i];
        float *values = arena_array(arena, 6, sizeof *values);
        double *values64 = arena_array(arena, 6, sizeof *values64);
        for (int k = 0; k < 6; k++)
            values[k] = (float)(values64[k] = normal(d));
        *parameter = (struct run_parameter){arena_printf(arena, "encoder.%d.attention.q.weight", i), 2, {2, 3}, values, NULL};
        if (i % 2)
            parameter->values = NULL, parameter->values64 = values64, parameter->n_dims = 1, parameter->dims[0] = 6;
    }
}

static struct run random_run(struct dice *d, struct arena *arena, int n_devices)
{
    int n_horizons = 1 + (int)below(d, 4);
    struct run run = {.name = "wind \"quoted\"",
                      .config = "name: wind\ndata:\n  window: 12\n  target: wind\ncluster:\n  devices:\n    - kind: gpu\n"
                                "      count: 2\n    - kind: pim\n      count: 1\ntrain:\n  seed: 1\n",
                      .model_text = "encoder wind: 57 tokens x 12 features",
                      .placement_text = "data parallel over 2 GPUs",
                      .units = "m s-1",
                      .target = "wind_speed",
                      .n_parameters = 12345,
                      .n_trainable = 12000,
                      .n_train = 4000,
                      .n_test = 730,
                      .n_steps = 1 + (int)below(d, 40),
                      .n_evaluations = 2,
                      .n_baselines = 2,
                      .flops = below(d, UINT64_MAX),
                      .end_ps = 1000000 + below(d, UINT64_C(1) << (20 + below(d, 43)))};
    run.steps = run.n_steps;
    run.step = arena_array(arena, (size_t)run.n_steps, sizeof *run.step);
    for (int i = 0; i < run.n_steps; i++)
        run.step[i] = (struct run_step){i + 1, exp(normal(d)), 1e-3, run.end_ps / (uint64_t)(run.n_steps - i), 1e-3 * i};
    run.evaluation = arena_array(arena, 2, sizeof *run.evaluation);
    run.baseline = arena_array(arena, 2, sizeof *run.baseline);
    for (int i = 0; i < 2; i++) {
        run.evaluation[i] = (struct run_evaluation){
            i + 1, run.end_ps / 2, fabs(normal(d)), n_horizons, random_horizons(d, arena, n_horizons), random_metrics(d)};
        run.baseline[i] = (struct run_baseline){i ? "AR(12)" : "persistence", n_horizons - i,
                                                random_horizons(d, arena, n_horizons - i), random_metrics(d)};
    }
    random_devices(d, arena, &run, n_devices);
    random_parameters(d, arena, &run);
    run.n_predictions = 3, run.n_outputs = 2;
    float *values = arena_array(arena, 6, sizeof *values);
    for (int i = 0; i < 6; i++)
        values[i] = (float)normal(d);
    run.prediction = run.observation = values;
    return run;
}

/* ---- tables ---- */

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
    ck_assert_str_eq(text, "  part    time  share\n          [ms]    [%]\n  -------------------\n  gemm  12.345  100.0\n"
                           "  -------------------\n  \xc3\xa4\n");
    free(text);
    width = 16;
    text = print_to_text(print_small_table, &width);
    ck_assert_str_eq(text, "  part    time\n          [ms]\n  ------------\n  gemm  12.345\n  ------------\n  \xc3\xa4\n\n"
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
    static const char *const titles[] = {"\nVirtual time of the compute engine", "\nEnergy by kernel class", "\nEnergy by part"};
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
    ck_assert_ptr_nonnull(strstr(text, "total               10.0000                   100.0\n"));
    free(text);
}
END_TEST

/* ---- result.h5 ---- */

static int is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void expect_same_metrics(const struct run_metrics *a, const struct run_metrics *b, int n)
{
    for (int h = 0; h < n; h++)
        ck_assert(a[h].mae == b[h].mae && a[h].rmse == b[h].rmse && a[h].mape_percent == b[h].mape_percent &&
                  a[h].nse == b[h].nse && a[h].count == b[h].count);
}

static void expect_same_quality(const struct run *a, const struct run *b)
{
    ck_assert_int_eq(a->n_evaluations, b->n_evaluations);
    ck_assert_int_eq(a->n_baselines, b->n_baselines);
    for (int i = 0; i < a->n_evaluations; i++) {
        const struct run_evaluation *x = &a->evaluation[i], *y = &b->evaluation[i];
        ck_assert(x->step == y->step && x->time_ps == y->time_ps && x->loss == y->loss && x->n_horizons == y->n_horizons);
        expect_same_metrics(x->horizon, y->horizon, x->n_horizons);
        expect_same_metrics(&x->all, &y->all, 1);
    }
    for (int i = 0; i < a->n_baselines; i++) {
        ck_assert_str_eq(a->baseline[i].name, b->baseline[i].name);
        ck_assert_int_eq(a->baseline[i].n_horizons, b->baseline[i].n_horizons);
        expect_same_metrics(a->baseline[i].horizon, b->baseline[i].horizon, a->baseline[i].n_horizons);
        expect_same_metrics(&a->baseline[i].all, &b->baseline[i].all, 1);
    }
}

static void expect_same_devices(const struct run *a, const struct run *b)
{
    ck_assert_int_eq(a->n_devices, b->n_devices);
    for (int i = 0; i < a->n_devices; i++) {
        const struct run_device *x = &a->device[i], *y = &b->device[i];
        ck_assert(is_same_text(x->name, y->name) && is_same_text(x->kind, y->kind) && is_same_text(x->profile, y->profile));
        ck_assert(x->node == y->node && x->memory_bytes == y->memory_bytes && x->capacity_bytes == y->capacity_bytes);
        ck_assert(ledger_energy_fj(&x->ledger) == ledger_energy_fj(&y->ledger));
        ck_assert(x->ledger.wait_energy_fj == y->ledger.wait_energy_fj);
        ck_assert_int_eq(memcmp(x->ledger.entry, y->ledger.entry, sizeof x->ledger.entry), 0);
        ck_assert_int_eq(memcmp(x->ledger.compute_ps, y->ledger.compute_ps, sizeof x->ledger.compute_ps), 0);
        ck_assert_int_eq(memcmp(x->ledger.wait_ps, y->ledger.wait_ps, sizeof x->ledger.wait_ps), 0);
        ck_assert(x->ledger.idle_ps == y->ledger.idle_ps && x->ledger.end_ps == y->ledger.end_ps);
    }
}

static void expect_same_arrays(const struct run *a, const struct run *b)
{
    ck_assert_int_eq(a->n_parameters_stored, b->n_parameters_stored);
    for (int i = 0; i < a->n_parameters_stored; i++) {
        const struct run_parameter *x = &a->parameter[i], *y = &b->parameter[i];
        ck_assert_str_eq(x->name, y->name);
        ck_assert(x->n_dims == y->n_dims && memcmp(x->dims, y->dims, (size_t)x->n_dims * sizeof *x->dims) == 0);
        ck_assert(!x->values == !y->values && !x->values64 == !y->values64);
        if (x->values)
            ck_assert_int_eq(memcmp(x->values, y->values, 6 * sizeof *x->values), 0);
        else
            ck_assert_int_eq(memcmp(x->values64, y->values64, 6 * sizeof *x->values64), 0);
    }
    ck_assert(a->n_predictions == b->n_predictions && (a->n_predictions == 0 || a->n_outputs == b->n_outputs));
    for (int64_t i = 0; i < a->n_predictions * a->n_outputs; i++)
        ck_assert(a->prediction[i] == b->prediction[i] && a->observation[i] == b->observation[i]);
}

static void expect_same_run(const struct run *a, const struct run *b)
{
    ck_assert(is_same_text(a->name, b->name) && is_same_text(a->config, b->config) && is_same_text(a->units, b->units));
    ck_assert(is_same_text(a->model_text, b->model_text) && is_same_text(a->placement_text, b->placement_text));
    ck_assert(is_same_text(a->target, b->target) && a->timing_only == b->timing_only && a->stopped_early == b->stopped_early);
    ck_assert(a->n_parameters == b->n_parameters && a->n_trainable == b->n_trainable && a->n_train == b->n_train);
    ck_assert(a->n_test == b->n_test && a->steps == b->steps && a->flops == b->flops && a->end_ps == b->end_ps);
    ck_assert_int_eq(a->n_steps, b->n_steps);
    for (int i = 0; i < a->n_steps; i++) {
        const struct run_step *x = &a->step[i], *y = &b->step[i];
        ck_assert(x->step == y->step && x->time_ps == y->time_ps && x->energy_j == y->energy_j);
        ck_assert(x->learning_rate == y->learning_rate && (x->loss == y->loss || (isnan(x->loss) && isnan(y->loss))));
    }
    expect_same_quality(a, b);
    expect_same_devices(a, b);
    expect_same_arrays(a, b);
}

static void expect_ok(const struct fault *fault)
{
    ck_assert_msg(fault->status == STATUS_OK, "%s", fault->text);
}

START_TEST(test_result_round_trip)
{
    struct dice d = dice(200 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run run = random_run(&d, arena, _i == 0 ? 64 : 1 + (int)below(&d, 12)), found;
    if (_i == 1) { /* as little as there can be */
        run.units = run.target = run.placement_text = NULL;
        run.n_evaluations = run.n_baselines = run.n_parameters_stored = 0;
        run.n_predictions = run.n_steps = 0;
        run.timing_only = run.stopped_early = 1;
    }
    run.step[0].loss = NAN;
    folder_open(&folder);
    const char *path = folder_file(&folder, "result.h5"), *twin = folder_file(&folder, "twin.h5");
    result_write(path, &run, &fault);
    expect_ok(&fault);
    result_read(path, arena, &found, &fault);
    expect_ok(&fault);
    expect_same_run(&run, &found);
    result_write(twin, &found, &fault);
    expect_ok(&fault);
    size_t size, twin_size;
    char *bytes = read_text(path, &size), *twin_bytes = read_text(twin, &twin_size);
    ck_assert_uint_eq(size, twin_size);
    ck_assert_int_eq(memcmp(bytes, twin_bytes, size), 0);
    free(bytes);
    free(twin_bytes);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

START_TEST(test_result_refuses)
{
    struct dice d = dice(300);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run run = random_run(&d, arena, 2), found = {.n_steps = -1};
    folder_open(&folder);
    const char *path = folder_file(&folder, "result.h5");
    ck_assert_int_eq(result_read(path, arena, &found, &fault), STATUS_IO);
    fault = FAULT_NONE;
    run.device[1].ledger.idle_ps++;
    result_write(path, &run, &fault);
    expect_ok(&fault);
    ck_assert_int_eq(result_read(path, arena, &found, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "the times of gpu1 do not sum"));
    ck_assert_int_eq(found.n_steps, -1);
    fault = FAULT_NONE;
    ck_assert_int_ne(result_write("/nowhere/at/all/result.h5", &run, &fault), STATUS_OK);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* As a user would open it; without h5py there is nothing to show. */
START_TEST(test_result_opens_in_h5py)
{
    struct dice d = dice(310);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run run = random_run(&d, arena, 3);
    if (system("python3 -c 'import h5py' 2>/dev/null") != 0) {
        fprintf(stderr, "notice: no h5py here: result.h5 was not opened with it\n");
        arena_free(arena);
        return;
    }
    folder_open(&folder);
    const char *path = folder_file(&folder, "result.h5");
    result_write(path, &run, &fault);
    expect_ok(&fault);
    const char *script = "import h5py, sys\n"
                         "f = h5py.File(sys.argv[1])\n"
                         "assert f['curve/loss'].dims[0].keys(), 'no scale'\n"
                         "def look(name, o):\n"
                         "    assert not isinstance(o, h5py.Dataset) or 'long_name' in o.attrs, name\n"
                         "f.visititems(look)\n"
                         "assert f['curve/virtual_time_ps'][-1] == int(sys.argv[2])\n"
                         "assert f['device/energy_j'].attrs['units'] == 'J'\n"
                         "assert abs(f['device/energy_j'][()].sum() + f['device/wait_energy_j'][()].sum() + "
                         "f['device/idle_energy_j'][()].sum() - f.attrs['energy_j']) < 1e-9 * f.attrs['energy_j']\n";
    char *command = arena_printf(arena, "python3 -c \"%s\" %s %" PRIu64, script, path, run.step[run.n_steps - 1].time_ps);
    ck_assert_int_eq(system(command), 0);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* ---- summary.json ---- */

static double json_number(json_t *json, const char *key)
{
    json_t *value = json_object_get(json, key);
    ck_assert_msg(json_is_number(value), "%s is no number", key);
    return json_number_value(value);
}

static void check_json_device(json_t *json, const struct run_device *device)
{
    json_t *time = json_object_get(json, "time_ps"), *busy = json_object_get(time, "busy"), *value;
    json_t *energy = json_object_get(json, "energy_j_by_part");
    const char *key;
    double sum_j = 0;
    ck_assert_str_eq(json_string_value(json_object_get(json, "name")), device->name);
    ck_assert_int_eq(json_integer_value(json_object_get(time, "idle")), (json_int_t)device->ledger.idle_ps);
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        ck_assert_int_eq(json_integer_value(json_object_get(busy, kernel_class_name(c))),
                         (json_int_t)device->ledger.compute_ps[c]);
    json_object_foreach(energy, key, value)
        sum_j += strcmp(key, "total") ? json_number_value(value) : 0;
    ck_assert_double_eq_tol(sum_j, json_number(energy, "total"), 1e-12 * sum_j);
    ck_assert_double_eq(json_number(energy, "total"), joules(ledger_energy_fj(&device->ledger)));
}

START_TEST(test_summary_json)
{
    struct dice d = dice(400 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run run = random_run(&d, arena, 3);
    run.step[0].loss = NAN;
    folder_open(&folder);
    const char *path = folder_file(&folder, "summary.json");
    summary_write_json(path, &run, &fault);
    expect_ok(&fault);
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json_object_get(json, "job")), run.name);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "virtual_time_ps")), (json_int_t)run.end_ps);
    ck_assert_double_eq(json_number(json, "energy_j"), run_energy_j(&run));
    json_t *loss = json_object_get(json_object_get(json, "curve"), "loss");
    ck_assert_uint_eq(json_array_size(loss), (size_t)run.n_steps);
    ck_assert(json_is_null(json_array_get(loss, 0)));
    for (int i = 1; i < run.n_steps; i++)
        ck_assert_double_eq(json_real_value(json_array_get(loss, (size_t)i)), run.step[i].loss);
    json_t *evaluation = json_array_get(json_object_get(json, "evaluation"), 1);
    ck_assert_double_eq(json_number(json_object_get(evaluation, "all"), "rmse"), run.evaluation[1].all.rmse);
    for (int i = 0; i < run.n_devices; i++)
        check_json_device(json_array_get(json_object_get(json, "device"), (size_t)i), &run.device[i]);
    json_decref(json);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* ---- trace ---- */

enum { N_BENCH_INSTRS = 12, N_BENCH_DEVICES = 3, N_BENCH_STEPS = 4 };

/* A plan of some instructions on all engines, run for some steps on a clock: marks as an executor makes them. */
struct bench {
    struct plan plan;
    struct program program[N_PROGRAMS][N_BENCH_DEVICES];
    struct op op[N_BENCH_INSTRS];
    struct run run;
    struct mark_list marks;
};

static void bench_program(struct bench *b, struct dice *d, struct arena *arena, int device)
{
    struct program *program = &b->program[PROGRAM_TRAIN][device];
    program->n_instrs = N_BENCH_INSTRS;
    program->instrs = arena_array(arena, N_BENCH_INSTRS, sizeof *program->instrs);
    program->waits = arena_array(arena, N_BENCH_INSTRS, sizeof *program->waits);
    for (int i = 0; i < N_BENCH_INSTRS; i++) {
        static const enum op_kind kinds[N_ENGINES] = {OP_LINEAR, OP_LOAD, OP_ALLREDUCE, OP_RECV, OP_UPDATE};
        struct instr *instr = &program->instrs[i];
        int engine = (int)below(d, N_ENGINES);
        b->op[i].kind = kinds[engine];
        *instr = (struct instr){.op = &b->op[i],
                                .engine = engine,
                                .phase = i * PROGRAM_PHASES / N_BENCH_INSTRS,
                                .name = arena_printf(arena, "instr \"%d\\\n", i),
                                .algorithm = engine == ENGINE_SEND ? "ring" : NULL,
                                .cost = {.time_ps = 1 + below(d, 3000000), .energy_fj = {below(d, 1000), below(d, 1000)}}};
        if (i) {
            program->waits[program->n_waits] = (struct wait){(int)below(d, (uint64_t)i), 0};
            instr->first_wait = program->n_waits++;
            instr->n_waits = 1;
        }
    }
}

static void bench_run(struct bench *b, struct arena *arena, int device)
{
    const struct program *programs[N_PROGRAMS] = {&b->program[0][device], &b->program[1][device]};
    const struct program *program = programs[PROGRAM_TRAIN];
    struct clock clock;
    clock_init(&clock, programs, arena);
    for (uint32_t step = 1; step <= N_BENCH_STEPS; step++) {
        clock_begin(&clock, PROGRAM_TRAIN);
        for (int i = 0; i < program->n_instrs; i++) {
            uint64_t start_ps = clock_start_ps(&clock, program, PROGRAM_TRAIN, i);
            clock_run(&clock, program, PROGRAM_TRAIN, i, start_ps);
            mark_list_add(&b->marks, &(struct mark){start_ps, step, (uint32_t)device, (uint32_t)i, PROGRAM_TRAIN});
        }
    }
    uint64_t end_ps = clock_end_ps(&clock);
    b->run.end_ps = end_ps > b->run.end_ps ? end_ps : b->run.end_ps;
    clock_ledger(&clock, programs, end_ps, 100, 50, &b->run.device[device].ledger);
}

static void bench_init(struct bench *b, struct dice *d, struct arena *arena)
{
    memset(b, 0, sizeof *b);
    b->plan.n_devices = N_BENCH_DEVICES;
    b->run = (struct run){.name = "trace", .steps = N_BENCH_STEPS, .n_devices = N_BENCH_DEVICES};
    b->run.device = arena_array(arena, N_BENCH_DEVICES, sizeof *b->run.device);
    for (int p = 0; p < N_PROGRAMS; p++)
        b->plan.programs[p] = b->program[p];
    for (int i = 0; i < N_BENCH_DEVICES; i++) {
        b->run.device[i].name = arena_printf(arena, "gpu%d", i);
        b->run.device[i].kind = "gpu";
        b->run.device[i].profile = "h200";
        bench_program(b, d, arena, i);
        bench_run(b, arena, i);
    }
}

/* What the format's rules need to know while the events go by. Times in ps. */
struct track {
    uint64_t end_ps, busy_ps[N_KERNEL_CLASSES];
    int is_named;
};

struct seen {
    struct track track[N_BENCH_DEVICES][N_ENGINES];
    int is_named[N_BENCH_DEVICES];
    size_t events, instants;
};

/* The decimal text of a member, exactly: jansson's doubles would hide a lost picosecond. */
static uint64_t member_ps(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    ck_assert_ptr_nonnull(at);
    char *end;
    uint64_t whole = strtoull(at + strlen(key), &end, 10);
    ck_assert_msg(*end == '.' && strspn(end + 1, "0123456789") == 6, "no fixed-point time: %s", line);
    return whole * 1000000 + strtoull(end + 1, NULL, 10);
}

static void check_event(struct seen *seen, const char *line, json_t *event)
{
    json_t *args = json_object_get(event, "args");
    const char *class = json_string_value(json_object_get(args, "class"));
    int64_t device = json_integer_value(json_object_get(event, "pid")) - 1;
    int64_t engine = json_integer_value(json_object_get(event, "tid")) - 1;
    struct track *track = &seen->track[device][engine];
    uint64_t start_ps = member_ps(line, "\"ts\":"), duration_ps = member_ps(line, "\"dur\":");
    ck_assert_msg(track->is_named && seen->is_named[device], "a track without a name: %s", line);
    ck_assert_msg(start_ps >= track->end_ps, "events overlap: %s", line);
    ck_assert_double_eq_tol(json_number_value(json_object_get(event, "ts")), (double)start_ps * 1e-6, 1e-6);
    ck_assert(json_is_integer(json_object_get(args, "step")) && json_is_string(json_object_get(args, "phase")));
    ck_assert(json_is_integer(json_object_get(args, "bytes")) && json_is_integer(json_object_get(args, "energy_fj")));
    track->end_ps = start_ps + duration_ps;
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        if (strcmp(class, kernel_class_name(c)) == 0)
            track->busy_ps[c] += duration_ps;
    seen->events++;
}

static void check_line(struct seen *seen, char *line)
{
    size_t length = strlen(line);
    if (length && line[length - 1] == ',')
        line[length - 1] = '\0';
    json_t *event = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(event != NULL, "no JSON: %s", line);
    const char *kind = json_string_value(json_object_get(event, "ph"));
    const char *name = json_string_value(json_object_get(event, "name"));
    int64_t pid = json_integer_value(json_object_get(event, "pid")), tid = json_integer_value(json_object_get(event, "tid"));
    ck_assert(pid >= 1 && pid <= N_BENCH_DEVICES && tid >= 0 && tid <= N_ENGINES);
    if (*kind == 'M' && strcmp(name, "process_name") == 0)
        seen->is_named[pid - 1]++;
    else if (*kind == 'M' && strcmp(name, "thread_name") == 0)
        seen->track[pid - 1][tid - 1].is_named++;
    else if (*kind == 'X')
        check_event(seen, line, event);
    else if (*kind == 'i')
        seen->instants++;
    json_decref(event);
}

/* Checks a trace file by the format's rules; returns its otherData. */
static json_t *check_trace(const char *path, struct seen *seen)
{
    char *text = read_text(path, NULL), *rest = text, *line;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    memset(seen, 0, sizeof *seen);
    ck_assert_msg(json != NULL, "%s is no JSON", path);
    ck_assert_str_eq(json_string_value(json_object_get(json, "displayTimeUnit")), "ns");
    ck_assert(json_is_array(json_object_get(json, "traceEvents")));
    strsep(&rest, "\n");
    while ((line = strsep(&rest, "\n")) && *line == '{')
        check_line(seen, line);
    json_t *other = json_incref(json_object_get(json, "otherData"));
    json_decref(json);
    free(text);
    return other;
}

START_TEST(test_trace_whole)
{
    struct dice d = dice(500 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct bench b;
    struct seen seen;
    bench_init(&b, &d, arena);
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json"), *packed = folder_file(&folder, "trace.json.gz");
    fclose(fopen(packed, "w")); /* an older one, now wrong */
    trace_write(path, &b.plan, &b.run, b.marks.mark, b.marks.n, 1 << 30, &fault);
    expect_ok(&fault);
    ck_assert_int_ne(access(packed, F_OK), 0);
    json_t *other = check_trace(path, &seen);
    ck_assert(json_is_false(json_object_get(other, "truncated")));
    ck_assert_uint_eq(seen.events, b.marks.n);
    ck_assert_uint_eq(seen.instants, 0);
    for (int i = 0; i < N_BENCH_DEVICES; i++)
        for (int c = 0; c < N_KERNEL_CLASSES; c++) {
            uint64_t busy_ps = 0;
            for (int e = 0; e < N_ENGINES; e++)
                busy_ps += seen.track[i][e].busy_ps[c];
            ck_assert_uint_eq(busy_ps, b.run.device[i].ledger.entry[c].busy_ps);
            ck_assert_uint_eq(seen.track[i][ENGINE_COMPUTE].busy_ps[c], b.run.device[i].ledger.compute_ps[c]);
        }
    json_decref(other);
    mark_list_release(&b.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

START_TEST(test_trace_capped)
{
    struct dice d = dice(600);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct bench b;
    struct seen seen;
    bench_init(&b, &d, arena);
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json");
    uint64_t cap = 8000 + 3000 * (uint64_t)_i;
    trace_write(path, &b.plan, &b.run, b.marks.mark, b.marks.n, cap, &fault);
    expect_ok(&fault);
    size_t size;
    free(read_text(path, &size));
    ck_assert_uint_le(size, cap);
    json_t *other = check_trace(path, &seen), *cut = json_object_get(other, "truncated");
    ck_assert(seen.events > 0 && seen.events < b.marks.n);
    ck_assert_uint_eq(seen.instants, 1);
    ck_assert_int_eq(json_integer_value(json_object_get(cut, "events_left_out")), (json_int_t)(b.marks.n - seen.events));
    ck_assert_int_ge(json_integer_value(json_object_get(cut, "step")), 1);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(cut, "reason")), "size cap"));
    json_decref(other);
    mark_list_release(&b.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* Many runs of the same marks, later and later: large enough to be compressed, in parts as a streaming writer gets them. */
START_TEST(test_trace_compressed)
{
    struct dice d = dice(700);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct bench b;
    struct seen seen;
    struct trace *trace;
    bench_init(&b, &d, arena);
    folder_open(&folder);
    const char *path = folder_file(&folder, "trace.json"), *packed = folder_file(&folder, "trace.json.gz");
    trace_open(path, &b.plan, &b.run, 1 << 30, &trace, &fault);
    expect_ok(&fault);
    for (int k = 0; k < 40; k++) {
        trace_marks(trace, b.marks.mark, b.marks.n, &fault);
        for (size_t i = 0; i < b.marks.n; i++)
            b.marks.mark[i].start_ps += b.run.end_ps;
    }
    ck_assert_uint_eq(trace_written(trace), 40 * b.marks.n);
    ck_assert_uint_eq(trace_left_out(trace), 0);
    trace_close(trace, &fault);
    expect_ok(&fault);
    ck_assert_int_ne(access(path, F_OK), 0);
    json_decref(check_trace(packed, &seen));
    ck_assert_uint_eq(seen.events, 40 * b.marks.n);
    mark_list_release(&b.marks);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* ---- compare ---- */

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
    runs[1].config = "name: other\ndata:\n  window: 24\n  target: wind\n  horizon: 3\ncluster:\n  devices:\n    - kind: gpu\n"
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
    ck_assert_ptr_nonnull(strstr(text, "quantity,unit,run,file,job,value,base_over_run\nsteps,1,0,a.h5,\"wind \"\"quoted\"\"\","));
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
    tcase_add_loop_test(tcase, test_result_round_trip, 0, 8);
    tcase_add_test(tcase, test_result_refuses);
    tcase_add_test(tcase, test_result_opens_in_h5py);
    tcase_add_loop_test(tcase, test_summary_json, 0, 5);
    tcase_add_loop_test(tcase, test_trace_whole, 0, 10);
    tcase_add_loop_test(tcase, test_trace_capped, 0, 5);
    tcase_add_test(tcase, test_trace_compressed);
    tcase_add_loop_test(tcase, test_compare_with_itself, 0, 5);
    tcase_add_test(tcase, test_compare_finds_differences);
    suite_add_tcase(suite, tcase);
    return suite;
}
