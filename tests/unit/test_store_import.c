#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "model/baseline.h"
#include "store/calendar.h"
#include "store/h5.h"
#include "store/import.h"

Suite *suite_store_import(void);

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/polyrank-import-XXXXXX");
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

static struct field import(const char *path, const struct import_options *options, struct arena *arena)
{
    struct fault fault = FAULT_NONE;
    struct field field;
    OK(import_read(path, options, arena, &field, &fault));
    return field;
}

START_TEST(a_pandas_frame_is_read)
{
    static const char *const columns[3] = {"773869", "767541", "717447"};
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct h5 *file;
    const int64_t dims[2] = {2, 3}, times[2] = {1330560000000000000, 1330560300000000000};
    const double values[6] = {64.375, 67.625, 0, 62.75, 68.5, 61};
    OK(h5_create("f.h5", &file, &fault));
    OK(h5_write_strings(file, "df/axis0", 3, columns, &fault));
    OK(h5_write(file, "df/axis1", H5_INT64, 1, dims, times, &fault));
    OK(h5_set_string(file, "df/axis1", "kind", "datetime64", &fault));
    OK(h5_write(file, "df/block0_values", H5_FLOAT64, 2, dims, values, &fault));
    OK(h5_finish(file, &fault));
    struct import_options options = import_defaults();
    options.has_missing = 1;
    options.variable[0] = "speed";
    options.n_variables = 1;
    options.units = "mph";
    struct field field = import("f.h5", &options, arena);
    ck_assert_int_eq(field.n_rows, 2);
    ck_assert_int_eq(field.n_stations, 3);
    ck_assert_str_eq(field.station[1], "767541");
    ck_assert_int_eq(field.time_s[1], 1330560300);
    ck_assert_str_eq(field.variable[0].name, "speed");
    ck_assert_str_eq(field.variable[0].units, "mph");
    ck_assert(isnan(field.values[0][2]));
    ck_assert_float_eq(field.values[0][3], 62.75F);
    OK(field_write(&field, "o.h5", &fault));
    OK(dataset_check("o.h5", &fault));
    arena_free(arena);
}
END_TEST

/* A netCDF-4-like file: packed unsigned shorts, [y, time, x], named dimensions, fill values, hours since. */
static void write_packed(void)
{
    struct fault fault = FAULT_NONE;
    struct h5 *file;
    static const char *const scales[3] = {"lat", "time", "lon"};
    const int64_t dims[3] = {2, 3, 2}, two = 2, three = 3;
    const double latitude[2] = {10, -12.5}, longitude[2] = {359, 361}, hours[3] = {0, 6, 12};
    const int16_t packed[12] = {0, 1, 2, -1, 4, 5, 6, 7, -32768, 9, 10, -2};
    OK(h5_create("p.nc", &file, &fault));
    OK(h5_write(file, "lat", H5_FLOAT64, 1, &two, latitude, &fault));
    OK(h5_write(file, "lon", H5_FLOAT64, 1, &two, longitude, &fault));
    OK(h5_write(file, "time", H5_FLOAT64, 1, &three, hours, &fault));
    OK(h5_set_string(file, "time", "units", "hours since 2000-01-01 12:00:00", &fault));
    for (int i = 0; i < 3; i++)
        OK(h5_make_scale(file, scales[i], &fault));
    OK(h5_write(file, "HT", H5_INT16, 3, dims, packed, &fault));
    OK(h5_attach_scales(file, "HT", 3, scales, &fault));
    OK(h5_set_double(file, "HT", "scale_factor", 0.5, &fault));
    OK(h5_set_double(file, "HT", "add_offset", 100, &fault));
    OK(h5_set_int(file, "HT", "_FillValue", -1, &fault));
    OK(h5_set_string(file, "HT", "_Unsigned", "true", &fault));
    OK(h5_set_string(file, "HT", "units", "m", &fault));
    OK(h5_finish(file, &fault));
}

START_TEST(a_packed_grid_is_unpacked)
{
    struct arena *arena = arena_new();
    struct import_options options = import_defaults();
    write_packed();
    struct field field = import("p.nc", &options, arena);
    ck_assert_int_eq(field.n_rows, 3);
    ck_assert_int_eq(field.n_stations, 4);
    ck_assert_int_eq(field.time_s[2], calendar_seconds(2000, 1, 2, 0, 0, 0));
    ck_assert_str_eq(field.station[0], "10N_1W");
    ck_assert_str_eq(field.station[3], "12.5S_1E");
    ck_assert_double_eq(field.longitude[1], 1);
    /* row 1 (time 1): packed [y][1][x] */
    ck_assert_float_eq(field.values[0][4], 101);
    ck_assert(isnan(field.values[0][5]));
    ck_assert_float_eq(field.values[0][6], 100 + 0.5F * 32768);
    ck_assert_float_eq(field.values[0][11], 100 + 0.5F * 65534);
    options.has_box = 1;
    options.south = -20;
    options.west = -5;
    options.east = 0;
    field = import("p.nc", &options, arena);
    ck_assert_int_eq(field.n_stations, 1);
    ck_assert_float_eq(field.values[0][0], 103);
    arena_free(arena);
}
END_TEST

START_TEST(a_file_without_time_is_refused_with_what_it_has)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct import_options options = import_defaults();
    struct field field;
    struct h5 *file;
    const int64_t dims[2] = {2, 3};
    const double values[6] = {0};
    OK(h5_create("n.h5", &file, &fault));
    OK(h5_write(file, "HT", H5_FLOAT64, 2, dims, values, &fault));
    OK(h5_write(file, "t", H5_FLOAT64, 0, NULL, values, &fault));
    OK(h5_finish(file, &fault));
    ck_assert_int_eq(import_read("n.h5", &options, arena, &field, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text,
                     "n.h5: expected a variable over time, found no list of times (a variable with units \"... since "
                     "...\"); the file has HT [dim_2=2, dim_3=3], t []");
    write_packed();
    fault = FAULT_NONE;
    options.variable[0] = "XX";
    options.n_variables = 1;
    ck_assert_int_eq(import_read("p.nc", &options, arena, &field, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text,
                     "p.nc: --variable XX: no such variable over time and space; the file has HT [lat=2, time=3, "
                     "lon=2], lat [lat=2], lon [lon=2], time [time=3]");
    arena_free(arena);
}
END_TEST

/* A netCDF-3 file, byte by byte. */
struct bytes {
    unsigned char byte[2048];
    size_t n;
};

static void put(struct bytes *bytes, uint64_t value, int n)
{
    for (int i = n - 1; i >= 0; i--)
        bytes->byte[bytes->n++] = (unsigned char)(value >> 8 * i);
}

static void put_text(struct bytes *bytes, const char *text)
{
    size_t length = strlen(text);
    put(bytes, length, 4);
    memcpy(bytes->byte + bytes->n, text, length);
    bytes->n += (length + 3) / 4 * 4;
}

static void put_number(struct bytes *bytes, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(bytes, bits, 4);
}

/* CDF-1: time (unlimited, 2 records of int), station = 3, speed(time, station) float with _FillValue -9. */
static struct bytes netcdf3(void)
{
    struct bytes b = {{0}, 0};
    memcpy(b.byte, "CDF\1", 4);
    b.n = 4;
    put(&b, 2, 4);
    put(&b, 10, 4), put(&b, 2, 4);
    put_text(&b, "time"), put(&b, 0, 4);
    put_text(&b, "station"), put(&b, 3, 4);
    put(&b, 12, 4), put(&b, 1, 4);
    put_text(&b, "title"), put(&b, 2, 4), put_text(&b, "by hand");
    put(&b, 11, 4), put(&b, 2, 4);
    put_text(&b, "time"), put(&b, 1, 4), put(&b, 0, 4);
    put(&b, 12, 4), put(&b, 1, 4), put_text(&b, "units"), put(&b, 2, 4), put_text(&b, "days since 2000-01-01");
    put(&b, 4, 4), put(&b, 4, 4);
    size_t place = b.n;
    put(&b, 0, 4);
    put_text(&b, "speed"), put(&b, 2, 4), put(&b, 0, 4), put(&b, 1, 4);
    put(&b, 12, 4), put(&b, 2, 4);
    put_text(&b, "_FillValue"), put(&b, 5, 4), put(&b, 1, 4), put_number(&b, -9);
    put_text(&b, "units"), put(&b, 2, 4), put_text(&b, "m s-1");
    put(&b, 5, 4), put(&b, 12, 4);
    size_t other = b.n;
    put(&b, 0, 4);
    size_t end = b.n;
    for (int record = 0; record < 2; record++) {
        put(&b, (uint64_t)record, 4);
        for (int s = 0; s < 3; s++)
            put_number(&b, record == 1 && s == 2 ? -9 : (float)(10 * record + s) + 0.5F);
    }
    size_t n = b.n;
    b.n = place;
    put(&b, end, 4);
    b.n = other;
    put(&b, end + 4, 4);
    b.n = n;
    return b;
}

static void save(const struct bytes *bytes, size_t n)
{
    FILE *file = fopen("c.nc", "wb");
    fwrite(bytes->byte, 1, n, file);
    fclose(file);
}

START_TEST(netcdf3_is_read)
{
    struct arena *arena = arena_new();
    struct import_options options = import_defaults();
    struct bytes bytes = netcdf3();
    save(&bytes, bytes.n);
    struct field field = import("c.nc", &options, arena);
    ck_assert_int_eq(field.n_rows, 2);
    ck_assert_int_eq(field.n_stations, 3);
    ck_assert_str_eq(field.title, "by hand");
    ck_assert_str_eq(field.variable[0].name, "speed");
    ck_assert_str_eq(field.variable[0].units, "m s-1");
    ck_assert_int_eq(field.time_s[1], 946684800 + 86400);
    ck_assert_float_eq(field.values[0][1], 1.5F);
    ck_assert_float_eq(field.values[0][3], 10.5F);
    ck_assert(isnan(field.values[0][5]));
    arena_free(arena);
}
END_TEST

START_TEST(damaged_netcdf3_is_refused)
{
    struct rng_key key = rng_key(14, RNG_TEST, 0);
    struct import_options options = import_defaults();
    const struct bytes whole = netcdf3();
    for (uint64_t i = 0; i < 3000; i++) {
        struct arena *arena = arena_new();
        struct field field;
        struct fault fault = FAULT_NONE;
        struct bytes bytes = whole;
        size_t n = bytes.n;
        int cut = i % 4 == 0;
        if (cut)
            n = rng_below(key, 0, i, n);
        else
            bytes.byte[rng_below(key, 1, i, n)] = (unsigned char)rng_below(key, 2, i, 256);
        save(&bytes, n);
        enum status status = import_read("c.nc", &options, arena, &field, &fault);
        ck_assert(status == STATUS_OK || fault.text[0]);
        ck_assert(!cut || status != STATUS_OK);
        arena_free(arena);
    }
}
END_TEST

/* What the program writes, it reads back as a foreign file: names, coordinates, gaps, static variables. */
START_TEST(a_data_set_is_a_file_to_import)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    FILE *file = fopen("t.csv", "w");
    fputs("id,time,a,b,size\nX,2019-01-01,1,,5\nY,2019-01-01,2,3,6\nX,2019-01-02,4,5,5\nY,2019-01-02,6,7,6\n", file);
    fclose(file);
    file = fopen("s.csv", "w");
    fputs("id,lat,lon\nY,10,20\nX,30,40\n", file);
    fclose(file);
    struct import_options options = import_defaults();
    options.stations_file = "s.csv";
    struct field first = import("t.csv", &options, arena);
    OK(field_write(&first, "a.h5", &fault));
    options = import_defaults();
    struct field second = import("a.h5", &options, arena);
    ck_assert_int_eq(second.n_variables, 3);
    ck_assert_int_eq(second.n_stations, 2);
    ck_assert_str_eq(second.station[1], "Y");
    ck_assert_double_eq(second.latitude[0], 30);
    for (int v = 0; v < 3; v++) {
        ck_assert_str_eq(second.variable[v].name, first.variable[v].name);
        ck_assert_int_eq(second.variable[v].is_static, first.variable[v].is_static);
        for (int i = 0; i < (first.variable[v].is_static ? 2 : 4); i++)
            ck_assert(first.values[v][i] == second.values[v][i] ||
                      (isnan(first.values[v][i]) && isnan(second.values[v][i])));
    }
    ck_assert_int_eq(second.time_s[1], first.time_s[1]);
    arena_free(arena);
}
END_TEST

static const char *real_file(const char *name, struct arena *arena)
{
    const char *where = getenv("POLYRANK_TEST_DATA");
    const char *path = where ? arena_printf(arena, "%s/%s", where, name) : NULL;
    if (path && access(path, R_OK) == 0)
        return path;
    fprintf(stderr, "store_import: %s: skipped, set POLYRANK_TEST_DATA to the folder that has it\n", name);
    return NULL;
}

/* Published with the first 12 test rows left out, as their windows begin before the test rows. */
START_TEST(the_baselines_of_the_wind_data_are_reproduced)
{
    static const struct {
        const char *name;
        double mae, rmse;
    } expected[] = {{"persistence", .588, .944}, {"AR(12)", .625, .877}, {"ridge VAR(3)", .604, .835}};
    struct arena *arena = arena_new();
    struct import_options options = import_defaults();
    const char *path = real_file("wind57_hourly.csv", arena);
    if (path) {
        struct fault fault = FAULT_NONE;
        struct field field = import(path, &options, arena);
        struct baseline table[BASELINE_MAX];
        int n, found = 0;
        struct baseline_problem problem = {.values = field.values[0],
                                           .n_rows = field.n_rows,
                                           .n_stations = field.n_stations,
                                           .test_first_row = 480,
                                           .test_last_row = 2119,
                                           .window = 12,
                                           .horizon = 1,
                                           .window_within_test = 1};
        OK(baseline_compute(&problem, table, &n, &fault));
        for (int i = 0; i < n; i++)
            for (int e = 0; e < 3; e++)
                if (strcmp(table[i].name, expected[e].name) == 0) {
                    ck_assert_double_eq_tol(metric_mae(&table[i].sums.row[0]), expected[e].mae, 0.0005);
                    ck_assert_double_eq_tol(metric_rmse(&table[i].sums.row[0]), expected[e].rmse, 0.0005);
                    found++;
                }
        ck_assert_int_eq(found, 3);
    }
    arena_free(arena);
}
END_TEST

START_TEST(real_files_are_read)
{
    static const struct {
        const char *name, *time_column;
        int64_t rows, stations;
        int variables;
    } files[] = {{"metr-la-week.h5", NULL, 2016, 207, 1},
                 {"navy_winds_monthly_1982_1992.h5", NULL, 132, 10512, 2},
                 {"swe_ghcn100_daily_1950_2020.h5", NULL, 25476, 100, 1},
                 {"covid500_weekly.csv", "week", 35, 500, 6},
                 {"irish_wind12_daily_1961_1978.csv", NULL, 6574, 12, 1},
                 {"de_pm10_70st_daily_1998_2009.csv", NULL, 4383, 70, 1},
                 {"ETTh1.csv", NULL, 17420, 7, 1},
                 {"goes16_cloud_top_height_20171025.nc", NULL, 0, 0, 0},
                 {"gold_l1c_test.nc", NULL, 0, 0, 0}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct arena *arena = arena_new();
        struct fault fault = FAULT_NONE;
        struct field field;
        struct import_options options = import_defaults();
        const char *path = real_file(files[i].name, arena);
        options.time_column = files[i].time_column;
        if (path && files[i].rows == 0) {
            ck_assert_int_eq(import_read(path, &options, arena, &field, &fault), STATUS_USAGE);
            ck_assert_ptr_nonnull(strstr(fault.text, "; the file has "));
        } else if (path) {
            OK(import_read(path, &options, arena, &field, &fault));
            ck_assert_int_eq(field.n_rows, files[i].rows);
            ck_assert_int_eq(field.n_stations, files[i].stations);
            ck_assert_int_eq(field.n_variables, files[i].variables);
            OK(field_write(&field, "r.h5", &fault));
            OK(dataset_check("r.h5", &fault));
        }
        arena_free(arena);
    }
}
END_TEST

Suite *suite_store_import(void)
{
    Suite *suite = suite_create("store_import");
    TCase *tcase = tcase_create("import");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_pandas_frame_is_read);
    tcase_add_test(tcase, a_packed_grid_is_unpacked);
    tcase_add_test(tcase, a_file_without_time_is_refused_with_what_it_has);
    tcase_add_test(tcase, netcdf3_is_read);
    tcase_add_test(tcase, damaged_netcdf3_is_refused);
    tcase_add_test(tcase, a_data_set_is_a_file_to_import);
    tcase_add_test(tcase, the_baselines_of_the_wind_data_are_reproduced);
    tcase_add_test(tcase, real_files_are_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
