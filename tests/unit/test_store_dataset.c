#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "store/calendar.h"
#include "store/dataset.h"
#include "store/h5.h"
#include "store/synth.h"

Suite *suite_store_dataset(void);

enum { ROWS = 50, STATIONS = 7 };

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/polyrank-set-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

#define OK(call) ck_assert_msg((call) == STATUS_OK, "%s", fault.text)

/* What the tests write: two variables over time (one with gaps) and a static one. */
struct sample {
    float speed[ROWS * STATIONS], gaps[ROWS * STATIONS], height[STATIONS], adjacency[STATIONS * STATIONS];
    int64_t time_s[ROWS];
    double latitude[STATIONS], longitude[STATIONS];
    const char *station[STATIONS];
    struct dataset_variable variable[3];
    struct dataset_spec spec;
};

static struct sample *sample_new(void)
{
    static const char *const names[STATIONS] = {"RPT", "VAL", "ROS", "KIL", "SHA", "Zürich", "a longer name"};
    struct rng_key key = rng_key(11, RNG_TEST, 0);
    struct sample *sample = calloc(1, sizeof *sample);
    for (uint64_t i = 0; i < ROWS * STATIONS; i++) {
        sample->speed[i] = (float)(5 + rng_normal(key, 0, i));
        sample->gaps[i] = rng_uniform(key, 1, i) < 0.2 ? NAN : (float)rng_normal(key, 2, i);
    }
    for (uint64_t s = 0; s < STATIONS; s++) {
        sample->height[s] = (float)s;
        sample->adjacency[s * STATIONS + (s + 1) % STATIONS] = 0.5F;
        sample->latitude[s] = 50 + (double)s;
        sample->longitude[s] = -10 + (double)s;
        sample->station[s] = names[s];
    }
    for (int64_t r = 0; r < ROWS; r++)
        sample->time_s[r] = calendar_seconds(2019, 3, 8, 0, 0, 0) + 3600 * r;
    sample->variable[0] = (struct dataset_variable){.name = "speed", .units = "m s-1", .standard_name = "wind_speed"};
    sample->variable[1] = (struct dataset_variable){.name = "gaps", .units = "K", .has_missing = 1};
    sample->variable[2] = (struct dataset_variable){.name = "height", .units = "m", .is_static = 1};
    sample->spec = (struct dataset_spec){.title = "a title",
                                         .source = "a test",
                                         .n_rows = ROWS,
                                         .n_stations = STATIONS,
                                         .time_s = sample->time_s,
                                         .station = sample->station,
                                         .latitude = sample->latitude,
                                         .longitude = sample->longitude,
                                         .adjacency = sample->adjacency,
                                         .n_variables = 3,
                                         .variable = sample->variable};
    return sample;
}

static enum status sample_write(const struct sample *sample, const char *path, struct fault *fault)
{
    struct dataset_writer *writer;
    enum status status = dataset_create(path, &sample->spec, &writer, fault);
    if (status != STATUS_OK)
        return status;
    for (int64_t row = 0; row < ROWS && status == STATUS_OK; row += 20) {
        int64_t n = ROWS - row < 20 ? ROWS - row : 20;
        status = dataset_write_rows(writer, 0, row, n, sample->speed + row * STATIONS, fault);
        if (status == STATUS_OK)
            status = dataset_write_rows(writer, 1, row, n, sample->gaps + row * STATIONS, fault);
    }
    if (status == STATUS_OK)
        status = dataset_write_rows(writer, 2, 0, 1, sample->height, fault);
    if (status == STATUS_OK)
        return dataset_finish(writer, fault);
    dataset_abandon(writer);
    return status;
}

static int same(float a, float b)
{
    return a == b || (isnan(a) && isnan(b));
}

START_TEST(a_data_set_comes_back)
{
    struct fault fault = FAULT_NONE;
    struct sample *sample = sample_new();
    struct dataset *dataset;
    float values[ROWS * STATIONS];
    uint8_t missing[ROWS * STATIONS];
    OK(sample_write(sample, "a.h5", &fault));
    ck_assert(dataset_is("a.h5"));
    OK(dataset_check("a.h5", &fault));
    OK(dataset_open("a.h5", &dataset, &fault));
    ck_assert_int_eq(dataset_n_rows(dataset), ROWS);
    ck_assert_int_eq(dataset_n_stations(dataset), STATIONS);
    ck_assert_int_eq(dataset_n_variables(dataset), 3);
    ck_assert_int_eq(dataset_n_series(dataset), 2);
    ck_assert_str_eq(dataset_series_name(dataset, 0), "gaps");
    ck_assert_str_eq(dataset_variable(dataset, 1)->units, "m s-1");
    ck_assert_str_eq(dataset_variable(dataset, 1)->standard_name, "wind_speed");
    ck_assert(dataset_variable(dataset, 0)->has_missing && !dataset_variable(dataset, 1)->has_missing);
    ck_assert(dataset_variable(dataset, 2)->is_static);
    ck_assert_str_eq(dataset_station(dataset, 5), "Zürich");
    ck_assert_str_eq(dataset_title(dataset), "a title");
    ck_assert_str_eq(dataset_history(dataset), "");
    ck_assert_double_eq(dataset_longitude(dataset)[6], -4);
    ck_assert_int_eq(dataset_time(dataset, 3), sample->time_s[3]);
    ck_assert_int_eq(dataset_step_s(dataset), 3600);
    struct rng_key key = rng_key(12, RNG_TEST, 0);
    for (uint64_t trial = 0; trial < 100; trial++) {
        int64_t first = (int64_t)rng_below(key, 0, trial, ROWS);
        int64_t n = 1 + (int64_t)rng_below(key, 1, trial, (uint64_t)(ROWS - first));
        OK(dataset_read_rows(dataset, 0, first, n, values, missing, &fault));
        for (int64_t i = 0; i < n * STATIONS; i++) {
            ck_assert(same(values[i], sample->gaps[first * STATIONS + i]));
            ck_assert_int_eq(missing[i], isnan(sample->gaps[first * STATIONS + i]) != 0);
        }
    }
    OK(dataset_read_rows(dataset, 2, 0, 1, values, NULL, &fault));
    ck_assert_mem_eq(values, sample->height, sizeof sample->height);
    ck_assert(dataset_has_adjacency(dataset));
    OK(dataset_read_adjacency(dataset, values, &fault));
    ck_assert_mem_eq(values, sample->adjacency, sizeof sample->adjacency);
    ck_assert_int_eq(dataset_read_rows(dataset, 0, ROWS - 1, 2, values, NULL, &fault), STATUS_IO);
    dataset_close(dataset);
    free(sample);
}
END_TEST

START_TEST(times_are_found)
{
    static const struct {
        const char *iso;
        int at_end;
        int64_t row; /* -1: refused */
    } cases[] = {{"2019-03-08", 0, 0},
                 {"2019-03-08", 1, 23},
                 {"2019-03-09", 0, 24},
                 {"2019-03-10", 1, 49},
                 {"2019", 0, 0},
                 {"2019", 1, 49},
                 {"2018", 0, 0},
                 {"2018", 1, -1},
                 {"2020", 0, -1},
                 {"2019-03-08T05:30", 0, 6},
                 {"2019-03-08T05:30", 1, 5},
                 {"2019-03-08T05:00", 0, 5},
                 {"2019-03-08T05:00:00", 1, 5},
                 {"soon", 0, -1}};
    struct fault fault = FAULT_NONE;
    struct sample *sample = sample_new();
    struct dataset *dataset;
    OK(sample_write(sample, "a.h5", &fault));
    OK(dataset_open("a.h5", &dataset, &fault));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t row = -1;
        fault = FAULT_NONE;
        enum status status = dataset_find_time(dataset, cases[i].iso, cases[i].at_end, &row, &fault);
        ck_assert_int_eq(status, cases[i].row < 0 ? STATUS_USAGE : STATUS_OK);
        ck_assert_int_eq(row, cases[i].row);
    }
    int variable;
    fault = FAULT_NONE;
    OK(dataset_find(dataset, "speed", &variable, &fault));
    ck_assert_int_eq(variable, 1);
    ck_assert_int_eq(dataset_find(dataset, "sped", &variable, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, "a.h5: no variable sped: did you mean speed? It has gaps, speed, height");
    dataset_close(dataset);
    free(sample);
}
END_TEST

START_TEST(statistics_are_those_of_the_values)
{
    const struct dataset_rows ranges[2] = {{3, 17}, {30, 49}};
    struct fault fault = FAULT_NONE;
    struct sample *sample = sample_new();
    struct dataset *dataset;
    struct dataset_statistics station[STATIONS], all;
    for (int r = 0; r < ROWS; r++)
        sample->gaps[r * STATIONS + 2] = 0.1F;
    OK(sample_write(sample, "a.h5", &fault));
    OK(dataset_open("a.h5", &dataset, &fault));
    OK(dataset_statistics(dataset, 0, ranges, 2, station, &all, &fault));
    long double total = 0, total_squares = 0;
    int64_t total_count = 0, total_missing = 0;
    for (int s = 0; s < STATIONS; s++) {
        long double sum = 0, squares = 0;
        int64_t count = 0, missing = 0;
        for (int r = 0; r < ROWS; r++) {
            float value = sample->gaps[r * STATIONS + s];
            if (!((r >= 3 && r <= 17) || r >= 30))
                continue;
            missing += isnan(value) != 0;
            if (isnan(value))
                continue;
            sum += value;
            squares += (long double)value * value;
            count++;
        }
        double mean = (double)(sum / count), sd = (double)sqrtl(squares / count - sum / count * (sum / count));
        ck_assert_double_eq_tol(station[s].mean, mean, 1e-12);
        ck_assert_double_eq_tol(station[s].sd, s == 2 ? 1 : sd, 1e-9);
        ck_assert_int_eq(station[s].is_constant, s == 2);
        ck_assert_int_eq(station[s].count, count);
        ck_assert_int_eq(station[s].missing, missing);
        total += sum;
        total_squares += squares;
        total_count += count;
        total_missing += missing;
    }
    long double mean = total / total_count;
    ck_assert_double_eq_tol(all.mean, (double)mean, 1e-12);
    ck_assert_double_eq_tol(all.sd, (double)sqrtl(total_squares / total_count - mean * mean), 1e-9);
    ck_assert_int_eq(all.count, total_count);
    ck_assert_int_eq(all.missing, total_missing);
    OK(dataset_statistics(dataset, 2, NULL, 0, NULL, &all, &fault));
    ck_assert_double_eq(all.mean, 3);
    ck_assert_double_eq(all.max, 6);
    dataset_close(dataset);
    free(sample);
}
END_TEST

START_TEST(wrong_specs_are_refused)
{
    struct fault fault = FAULT_NONE;
    struct sample *sample = sample_new();
#define REFUSED(change, undo, message)                                                                                 \
    change;                                                                                                            \
    fault = FAULT_NONE;                                                                                                \
    ck_assert_int_eq(sample_write(sample, "a.h5", &fault), STATUS_USAGE);                                              \
    ck_assert_str_eq(fault.text, message);                                                                             \
    undo;                                                                                                              \
    ck_assert_int_ne(access("a.h5", F_OK), 0);                                                                         \
    ck_assert_int_ne(access("a.h5.tmp", F_OK), 0)
    REFUSED(sample->station[1] = "RPT", sample->station[1] = "VAL", "a.h5: two stations have the name \"RPT\"");
    REFUSED(sample->time_s[4] = sample->time_s[3], sample->time_s[4] += 3600,
            "a.h5: row 4: expected a time after that of the row before");
    REFUSED(sample->latitude[6] = 91, sample->latitude[6] = 0,
            "a.h5: station a longer name: no place on earth: latitude 91, longitude -4");
    REFUSED(sample->variable[0].name = "time", sample->variable[0].name = "speed",
            "a.h5: \"time\" cannot be the name of a variable: expected a letter, then letters, digits and _, not the "
            "name of "
            "a coordinate");
    REFUSED(sample->variable[0].name = "gaps", sample->variable[0].name = "speed",
            "a.h5: two variables have the name gaps");
    REFUSED(sample->speed[8] = NAN, sample->speed[8] = 1,
            "a.h5: speed: row 1, station 1: expected a finite number, found NaN");
    REFUSED(sample->gaps[350 - 1] = INFINITY, sample->gaps[349] = 1,
            "a.h5: gaps: row 49, station 6: expected a finite number, found infinity");
    OK((fault = FAULT_NONE, sample_write(sample, "a.h5", &fault)));
    struct dataset_writer *writer;
    OK(dataset_create("b.h5", &sample->spec, &writer, &fault));
    ck_assert_int_eq(dataset_finish(writer, &fault), STATUS_FAILED);
    ck_assert_str_eq(fault.text, "b.h5: speed: expected 50 rows, 0 were written");
    ck_assert_int_ne(access("b.h5", F_OK), 0);
    free(sample);
}
END_TEST

/* A minimal data set made by hand with one thing wrong. */
static void write_wrong(const char *what)
{
    struct fault fault = FAULT_NONE;
    struct h5 *file;
    const char *stations[2] = {"a", strcmp(what, "names") == 0 ? "a" : "b"};
    const int64_t n = 2, dims[2] = {3, 2}, times[3] = {0, 5, strcmp(what, "times") == 0 ? 5 : 9};
    float values[6] = {1, 2, 3, 4, 5, 6};
    const uint8_t mask[6] = {0, 0, 1, 0, 0, 0};
    const double latitude[2] = {0, strcmp(what, "latitude") == 0 ? 100 : 10};
    if (strcmp(what, "infinite") == 0)
        values[3] = -INFINITY;
    if (strcmp(what, "nan") == 0)
        values[3] = NAN;
    OK(h5_create("w.h5", &file, &fault));
    OK(h5_set_int(file, "/", "polyrank_dataset_version", strcmp(what, "version") == 0 ? 9 : 1, &fault));
    OK(h5_write(file, "time", H5_INT64, 1, dims, times, &fault));
    OK(h5_set_string(file, "time", "units",
                     strcmp(what, "units") == 0 ? "months since 1970-01-01" : "seconds since 1970-01-01", &fault));
    OK(h5_write_strings(file, "station", 2, stations, &fault));
    if (strcmp(what, "latitude") == 0 || strcmp(what, "one") == 0)
        OK(h5_write(file, "latitude", H5_FLOAT64, 1, &n, latitude, &fault));
    if (strcmp(what, "latitude") == 0)
        OK(h5_write(file, "longitude", H5_FLOAT64, 1, &n, latitude, &fault));
    if (strcmp(what, "empty") != 0)
        OK(h5_write(file, "v", H5_FLOAT32, 2, strcmp(what, "shape") == 0 ? (int64_t[]){2, 3} : dims, values, &fault));
    if (strcmp(what, "mask") == 0) {
        OK(h5_write(file, "v_missing", H5_UINT8, 2, dims, mask, &fault));
        OK(h5_set_string(file, "v", "ancillary_variables", "v_missing", &fault));
    }
    OK(h5_finish(file, &fault));
}

START_TEST(check_finds_what_is_wrong)
{
    static const struct {
        const char *what, *message;
        enum status status;
    } cases[] = {
        {"nothing", "", STATUS_OK},
        {"version", "w.h5: expected data set version 1, found 9", STATUS_USAGE},
        {"names", "w.h5: station: \"a\" appears twice", STATUS_INVALID},
        {"times", "w.h5: time: row 2 is not after the row before", STATUS_INVALID},
        {"units",
         "w.h5: time: units \"months since 1970-01-01\": expected a unit of fixed length: seconds, minutes, hours, "
         "days "
         "or weeks",
         STATUS_USAGE},
        {"latitude", "w.h5: station b: no place on earth: latitude 100, longitude 100", STATUS_INVALID},
        {"one", "w.h5: expected both latitude and longitude or none", STATUS_INVALID},
        {"infinite", "w.h5: v: row 1, station b: the value is infinite", STATUS_INVALID},
        {"nan", "w.h5: v: row 1, station b: the value is missing, but the variable has no mask", STATUS_INVALID},
        {"mask", "w.h5: v: row 1, station a: the value is present, but marked as missing", STATUS_INVALID},
        {"shape", "w.h5: v: expected numbers [3 rows, 2 stations] or [2 stations]", STATUS_USAGE},
        {"empty", "w.h5: the data set has no variable", STATUS_USAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault fault = FAULT_NONE;
        write_wrong(cases[i].what);
        ck_assert_int_eq(dataset_check("w.h5", &fault), cases[i].status);
        ck_assert_str_eq(fault.text, cases[i].message);
    }
    struct fault fault = FAULT_NONE;
    struct h5 *file;
    OK(h5_create("w.h5", &file, &fault));
    OK(h5_finish(file, &fault));
    ck_assert(!dataset_is("w.h5"));
    ck_assert_int_eq(dataset_check("w.h5", &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, "w.h5: not a data set of this program: convert it with \"polyrank data import\"");
}
END_TEST

START_TEST(damage_is_found)
{
    struct rng_key key = rng_key(13, RNG_TEST, 0);
    struct sample *sample = sample_new();
    struct fault fault = FAULT_NONE;
    struct stat info;
    OK(sample_write(sample, "a.h5", &fault));
    ck_assert_int_eq(stat("a.h5", &info), 0);
    for (uint64_t i = 0; i < 300; i++) {
        unsigned char byte;
        off_t place = (off_t)rng_below(key, 0, i, (uint64_t)info.st_size - 24);
        ck_assert_int_eq(system("cp a.h5 b.h5"), 0);
        if (i % 3 == 0) {
            ck_assert_int_eq(truncate("b.h5", place), 0);
        } else {
            int descriptor = open("b.h5", O_RDWR);
            ck_assert_int_eq(pread(descriptor, &byte, 1, place), 1);
            byte ^= (unsigned char)(1U << rng_below(key, 1, i, 8));
            ck_assert_int_eq(pwrite(descriptor, &byte, 1, place), 1);
            close(descriptor);
        }
        fault = FAULT_NONE;
        enum status status = dataset_check("b.h5", &fault);
        ck_assert_int_eq(status, STATUS_IO);
        ck_assert_int_eq(strncmp(fault.text, "b.h5: ", 6), 0);
    }
    free(sample);
}
END_TEST

START_TEST(a_synthetic_set_does_not_depend_on_blocks)
{
    struct synth_options options = {.n_stations = 9,
                                    .n_rows = 70,
                                    .seed = 5,
                                    .step_s = 3600,
                                    .missing_fraction = 0.1,
                                    .n_variables = 2,
                                    .variable = {"u", "v"},
                                    .units = {"m s-1", "m s-1"}};
    struct fault fault = FAULT_NONE;
    struct dataset *one, *other;
    float a[70 * 9], b[70 * 9];
    OK(synth_write("a.h5", &options, &fault));
    options.block_rows = 7;
    OK(synth_write("b.h5", &options, &fault));
    OK(dataset_check("a.h5", &fault));
    OK(dataset_open("a.h5", &one, &fault));
    OK(dataset_open("b.h5", &other, &fault));
    for (int v = 0; v < 2; v++) {
        int n_missing = 0;
        OK(dataset_read_rows(one, v, 0, 70, a, NULL, &fault));
        OK(dataset_read_rows(other, v, 0, 70, b, NULL, &fault));
        for (int i = 0; i < 630; i++) {
            ck_assert(same(a[i], b[i]));
            ck_assert(isnan(a[i]) || a[i] > 0);
            n_missing += isnan(a[i]) != 0;
        }
        ck_assert_int_gt(n_missing, 30);
        ck_assert_int_lt(n_missing, 100);
    }
    dataset_close(one);
    dataset_close(other);
    options.seed = 6;
    OK(synth_write("c.h5", &options, &fault));
    OK(dataset_open("c.h5", &one, &fault));
    OK(dataset_read_rows(one, 0, 0, 70, a, NULL, &fault));
    ck_assert(memcmp(a, b, sizeof a) != 0);
    dataset_close(one);
}
END_TEST

static const char look[] =
    "import h5py, numpy as np\n"
    "f = h5py.File('a.h5', 'r')\n"
    "assert f.attrs['Conventions'] == 'CF-1.8' and f.attrs['title'] == 'a title'\n"
    "v = f['gaps']\n"
    "assert v.shape == (50, 7) and v.dtype == np.float32 and v.attrs['units'] == 'K', v\n"
    "assert v.attrs['ancillary_variables'] == 'gaps_missing' and np.isnan(v.attrs['_FillValue'])\n"
    "assert (np.isnan(v[:]) == f['gaps_missing'][:]).all() and f['gaps_missing'][:].any()\n"
    "assert v.dims[0][0].name == '/time' and v.dims[1][0].name == '/station'\n"
    "assert f['adjacency'].dims[1][0].name == '/station_to'\n"
    "assert f['station'].asstr()[5] == 'Z\\u00fcrich'\n"
    "assert f['time'].attrs['units'] == 'seconds since 1970-01-01 00:00:00' and f['time'][0] == 1552003200\n"
    "s = lambda name: h5py.h5ds.is_scale(f[name].id)\n"
    "assert s('time') and s('station') and not s('gaps')\n";

START_TEST(others_open_it)
{
    struct fault fault = FAULT_NONE;
    struct sample *sample = sample_new();
    OK(sample_write(sample, "a.h5", &fault));
    free(sample);
    if (system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0) {
        fprintf(stderr, "store_dataset: python3-h5py is not here: not tested that it opens a data set\n");
    } else {
        FILE *script = fopen("look.py", "w");
        fputs(look, script);
        fclose(script);
        ck_assert_int_eq(system("/usr/bin/python3 look.py"), 0);
    }
    if (system("command -v ncdump >/dev/null") == 0)
        ck_assert_int_eq(system("ncdump -h a.h5 | grep -q 'float gaps(time, station)'"), 0);
}
END_TEST

Suite *suite_store_dataset(void)
{
    Suite *suite = suite_create("store_dataset");
    TCase *tcase = tcase_create("dataset");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_data_set_comes_back);
    tcase_add_test(tcase, times_are_found);
    tcase_add_test(tcase, statistics_are_those_of_the_values);
    tcase_add_test(tcase, wrong_specs_are_refused);
    tcase_add_test(tcase, check_finds_what_is_wrong);
    tcase_add_test(tcase, damage_is_found);
    tcase_add_test(tcase, a_synthetic_set_does_not_depend_on_blocks);
    tcase_add_test(tcase, others_open_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
