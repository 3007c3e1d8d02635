#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "store/calendar.h"
#include "store/csv.h"
#include "store/import.h"

Suite *suite_store_csv(void);

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/polyrank-csv-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* A table, options as words, the message. */
static const struct {
    const char *text, *option, *message;
} malformed[] = {
    {"", "", "t.csv: the file is empty"},
    {"\n\n \r\n", "", "t.csv: the file is empty"},
    {"1,2\n3\n", "", "t.csv:2: expected 2 fields as in the first line, found 1"},
    {"1,2\n3,4,5\n", "", "t.csv:2: expected 2 fields as in the first line, found 3"},
    {"1,2\n\n3,4\n", "", "t.csv:2: expected 2 fields as in the first line, found 1"},
    {"1,2\n3,4\n5,x6\n", "", "t.csv:3:3: expected a number or an empty field, found \"x6\""},
    {"1,2\n3, 4 5\n", "", "t.csv:2:3: expected a number or an empty field, found \"4 5\""},
    {"1,2\n0x10,4\n", "", "t.csv:2:1: expected a number or an empty field, found \"0x10\""},
    {"1,2\ninf,4\n", "", "t.csv:2:1: expected a number or an empty field, found \"inf\""},
    {"1,2\n1e999,4\n", "", "t.csv:2:1: expected a number or an empty field, found \"1e999\""},
    {"1,2\n1e39,4\n", "", "t.csv:2:1: expected a number or an empty field, found \"1e39\""},
    {"1,2\n1.2.3,4\n", "", "t.csv:2:1: expected a number or an empty field, found \"1.2.3\""},
    {"1,2\n--1,4\n", "", "t.csv:2:1: expected a number or an empty field, found \"--1\""},
    {"a,b\n", "", "t.csv: a header, but no data"},
    {"a,b\n1,\"2\n", "", "t.csv:2:3: this quoted field never ends"},
    {"a,b\n1,\"2\"x\n", "", "t.csv:2:6: expected a separator or the end of the line after a quoted field"},
    {"a,b\n1,2\"3\n", "", "t.csv:2:4: a quote inside of a field that does not begin with one"},
    {"a,\"b\n1,2\n", "", "t.csv:1:3: this quoted field never ends"},
    {"date,b\n2019-01-01,2\n2019-01-01,3\n", "",
     "t.csv:3: expected a time after that of the line before (for one row per station and time, use --layout long)"},
    {"date,b\n2019-01-02,2\n2019-01-01,3\n", "", "t.csv:3: expected a time after that of the line before"},
    {"date,b\n2019-01-02,2\n2019-02-30,3\n", "",
     "t.csv:3:1: expected a date such as 2019-03-08 or 2019-03-08 14:00, found \"2019-02-30\""},
    {"date,b\n2019-01-02,2\nsoon,3\n", "",
     "t.csv:3:1: expected a date such as 2019-03-08 or 2019-03-08 14:00, found \"soon\""},
    {"time,b\n1,2\n1.5,3\n", "", "t.csv:3:1: expected a whole number, found \"1.5\""},
    {"year,month,day,b\n2019,1,1,5\n2019,2,29,6\n", "", "t.csv:3: no such day: 2019-2-29"},
    {"year,month,day,b\n2019,1,1,5\n2019,x,2,6\n", "", "t.csv:3:6: expected a whole number, found \"x\""},
    {"a,b\n1,2\n", "time=when", "t.csv:1: --time-column when: no such column; the columns are a, b"},
    {"1,2\n3,4\n", "time=when", "t.csv: --time-column when: the file has no header line that could name columns"},
    {"id,time,v\nx,1,2\nx,1,3\n", "", "t.csv:3: station x has this time in line 2 already"},
    {"id,time,v\nx,1,2\n,2,3\n", "id=id", "t.csv:3:1: expected the name of a station, found \"\""},
    {"id,v\nx,2\ny,3\n", "", "t.csv: no time column was found: name it with --time-column"},
    {"time,v\n1,2\n2,3\n", "long", "t.csv: no column holds station names: name it with --id-column"},
    {"id,time,v\nx,1,2\nx,2,3\n", "var=w", "t.csv:1: --variable w: no such column; the columns are id, time, v"},
    {"time,v\n1,2\n2,3\n", "var2",
     "t.csv: --variable: the columns are stations of one variable: expected one name, found 2"},
    {"time\n1\n2\n", "", "t.csv: no column is left for values"},
    {"1,2\n3,4\n", "variables", "t.csv: --layout variables needs a header line with their names"},
    {"1,2\n3,4\n", "from", "--from 2019: the rows have no time stamps"},
    {"1,2\n3,4\n", "box", "--box: the stations have no coordinates"},
    {"1,2\n3,4\n", "rows", "expected rows within 0..1, found 1..7"},
    {"a,b\n1,2\n", "station=c", "--stations: there is no station c"},
    {"1,2\n3,4\n", "start", "--start: expected a date, found \"soon\": a date begins with a year of four digits"},
};

static struct import_options options_of(const char *words)
{
    struct import_options options = import_defaults();
    options.time_column = strncmp(words, "time=", 5) == 0 ? words + 5 : NULL;
    options.id_column = strncmp(words, "id=", 3) == 0 ? words + 3 : NULL;
    if (strncmp(words, "var=", 4) == 0)
        options.variable[options.n_variables++] = words + 4;
    if (strcmp(words, "var2") == 0) {
        options.variable[0] = options.variable[1] = "v";
        options.n_variables = 2;
    }
    if (strncmp(words, "station=", 8) == 0)
        options.station[options.n_stations++] = words + 8;
    options.layout = strcmp(words, "long") == 0        ? LAYOUT_LONG
                     : strcmp(words, "variables") == 0 ? LAYOUT_VARIABLES
                                                       : LAYOUT_AUTO;
    if (strcmp(words, "from") == 0)
        options.first_time = "2019";
    if (strcmp(words, "start") == 0) {
        options.start = "soon";
        options.step_s = 60;
    }
    options.has_box = strcmp(words, "box") == 0;
    if (strcmp(words, "rows") == 0) {
        options.first_row = 1;
        options.last_row = 7;
    }
    return options;
}

static enum status import(const char *text, const char *words, struct arena *arena, struct field *field,
                          struct fault *fault)
{
    struct import_options options = options_of(words);
    *fault = FAULT_NONE;
    put("t.csv", text);
    return import_read("t.csv", &options, arena, field, fault);
}

START_TEST(a_malformed_table_is_refused)
{
    struct arena *arena = arena_new();
    struct field field;
    struct fault fault;
    ck_assert_int_eq(import(malformed[_i].text, malformed[_i].option, arena, &field, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, malformed[_i].message);
    arena_free(arena);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
    struct arena *arena = arena_new();
    struct field field;
    struct fault fault = FAULT_NONE;
    struct import_options options = import_defaults();
    FILE *file = fopen("t.csv", "wb");
    fwrite("1,2\n3\0,4\n", 1, 9, file);
    fclose(file);
    ck_assert_int_eq(import_read("t.csv", &options, arena, &field, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, "t.csv: not a text file: byte 5 is NUL");
    put("t.csv", "PK\3\4zip");
    fault = FAULT_NONE;
    ck_assert_int_eq(import_read("t.csv", &options, arena, &field, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, "t.csv: this is a zip or npz archive: expected CSV, HDF5 or netCDF");
    fault = FAULT_NONE;
    ck_assert_int_eq(import_read("absent.csv", &options, arena, &field, &fault), STATUS_IO);
    ck_assert_str_eq(fault.text, "absent.csv: cannot be opened: No such file or directory");
    arena_free(arena);
}
END_TEST

static struct field read_field(const char *text, const char *words, struct arena *arena)
{
    struct field field;
    struct fault fault;
    ck_assert_msg(import(text, words, arena, &field, &fault) == STATUS_OK, "%s", fault.text);
    return field;
}

START_TEST(tables_without_header_are_stations)
{
    struct arena *arena = arena_new();
    struct field field = read_field("\xEF\xBB\xBF"
                                    "1,2.5,NA\r\n-3e-1,,+4\r\n\r\n",
                                    "", arena);
    ck_assert_int_eq(field.n_rows, 2);
    ck_assert_int_eq(field.n_stations, 3);
    ck_assert_ptr_null(field.time_s);
    ck_assert_ptr_null(field.station);
    ck_assert_float_eq(field.values[0][1], 2.5F);
    ck_assert(isnan(field.values[0][2]) && isnan(field.values[0][4]));
    ck_assert_float_eq(field.values[0][3], -0.3F);
    ck_assert_float_eq(field.values[0][5], 4);
    arena_free(arena);
}
END_TEST

START_TEST(dates_and_names_are_found)
{
    struct arena *arena = arena_new();
    struct field field = read_field(
        "when,\"Roche's, Point\",\"say \"\"B\"\"\"\n2019-03-08 14:00,1,2\n2019-03-08 15:00:30Z,3,4\n", "", arena);
    ck_assert_int_eq(field.n_stations, 2);
    ck_assert_str_eq(field.station[0], "Roche's, Point");
    ck_assert_str_eq(field.station[1], "say \"B\"");
    ck_assert_int_eq(field.time_s[0], 1552053600);
    ck_assert_int_eq(field.time_s[1], 1552053600 + 3630);
    field = read_field(",773869,767541\n2012-03-01 00:00:00,64.4,67.6\n2012-03-01 00:05:00,62,68\n", "", arena);
    ck_assert_int_eq(field.n_stations, 2);
    ck_assert_str_eq(field.station[0], "773869");
    field = read_field("year;month;day;RPT\n1961;1;1;15.04\n1961;1;2;14.71\n", "", arena);
    ck_assert_int_eq(field.time_s[1], calendar_seconds(1961, 1, 2, 0, 0, 0));
    ck_assert_int_eq(field.n_stations, 1);
    field = read_field("time,a,b\n2019-01-01,1,2\n", "variables", arena);
    ck_assert_int_eq(field.n_variables, 2);
    ck_assert_int_eq(field.n_stations, 1);
    ck_assert_str_eq(field.variable[1].name, "b");
    arena_free(arena);
}
END_TEST

START_TEST(long_tables_are_spread_out)
{
    struct arena *arena = arena_new();
    struct field field = read_field("county,week,deaths,people\nB,2,5,100\nA,1,1,70\nB,1,4,100\nA,2,,70\n", "", arena);
    ck_assert_int_eq(field.n_rows, 2);
    ck_assert_int_eq(field.n_stations, 2);
    ck_assert_str_eq(field.station[0], "B");
    ck_assert_int_eq(field.n_variables, 2);
    ck_assert_float_eq(field.values[0][0], 4);
    ck_assert_float_eq(field.values[0][1], 1);
    ck_assert_float_eq(field.values[0][2], 5);
    ck_assert(isnan(field.values[0][3]));
    ck_assert(field.variable[1].is_static && !field.variable[0].is_static);
    ck_assert_float_eq(field.values[1][0], 100);
    ck_assert_float_eq(field.values[1][1], 70);
    arena_free(arena);
}
END_TEST

START_TEST(stations_and_edges_are_joined)
{
    struct arena *arena = arena_new();
    struct field field;
    struct fault fault = FAULT_NONE;
    struct import_options options = import_defaults();
    put("t.csv", "date,VAL,BEL\n2019-01-01,1,2\n2019-01-02,3,4\n");
    put("s.csv", "Station,Code,Latitude,Longitude\nBelmullet,BEL,54d30'N,10d00'W\nValentia,VAL,51.5,-10.25\n");
    put("e.csv", "i,j,w\n0,1,0.5\n1,1,1\n");
    options.stations_file = "s.csv";
    options.adjacency_file = "e.csv";
    ck_assert_msg(import_read("t.csv", &options, arena, &field, &fault) == STATUS_OK, "%s", fault.text);
    ck_assert_double_eq(field.latitude[0], 51.5);
    ck_assert_double_eq(field.latitude[1], 54.5);
    ck_assert_double_eq(field.longitude[1], -10);
    ck_assert_float_eq(field.adjacency[1], 0.5F);
    ck_assert_float_eq(field.adjacency[2], 0);
    put("e.csv", "from,to,cost\nBEL,VAL,2\n");
    options.has_box = 1;
    options.south = 52;
    options.north = 60;
    options.west = 340;
    options.east = 5;
    ck_assert_msg(import_read("t.csv", &options, arena, &field, &fault) == STATUS_OK, "%s", fault.text);
    ck_assert_int_eq(field.n_stations, 1);
    ck_assert_str_eq(field.station[0], "BEL");
    ck_assert_float_eq(field.values[0][1], 4);
    static const struct {
        const char *file, *text, *message;
    } wrong[] = {
        {"e.csv", "i,j,w\n0,2,1\n", "e.csv:2:3: expected the number of a station, 0..1, found \"2\""},
        {"e.csv", "i,j,w\n0,1,-1\n", "e.csv:2:5: expected a weight of 0 or more, found \"-1\""},
        {"e.csv", "BEL,XXX,1\n", "e.csv:1:5: expected the name of a station, found \"XXX\""},
        {"e.csv", "1,2,3,4\n",
         "e.csv: expected edges i,j,weight, or a matrix of 2 x 2 weights, found 1 lines of 4 fields"},
        {"s.csv", "Code,Latitude,Longitude\nBEL,54,10\n", "s.csv: station VAL is not listed"},
        {"s.csv", "Code,Latitude,Longitude\nBEL,54,10\nVAL,95,3\n",
         "s.csv:3:5: expected a latitude in degrees, found \"95\""},
        {"s.csv", "Code,Place\nBEL,54\n", "s.csv:1: expected a header with columns of names, lat... and lon..."},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fault = FAULT_NONE;
        put(wrong[i].file, wrong[i].text);
        ck_assert_int_eq(import_read("t.csv", &options, arena, &field, &fault), STATUS_USAGE);
        ck_assert_str_eq(fault.text, wrong[i].message);
    }
    arena_free(arena);
}
END_TEST

START_TEST(any_cells_come_back)
{
    struct rng_key key = rng_key(8, RNG_TEST, 0);
    static const char alphabet[] = "ab,\"\n\r 1;";
    for (uint32_t trial = 0; trial < 300; trial++) {
        struct arena *arena = arena_new();
        struct csv csv;
        struct fault fault = FAULT_NONE;
        int64_t rows = 1 + (int64_t)rng_below(key, trial, 0, 4), columns = 2 + (int64_t)rng_below(key, trial, 1, 3);
        char text[4096] = "", cells[20][12];
        for (int64_t i = 0; i < rows * columns; i++) {
            uint64_t length = rng_below(key, trial, 100 + (uint64_t)i, 6);
            char quoted[32] = "\"";
            for (uint64_t c = 0; c < length; c++)
                cells[i][c] = alphabet[rng_below(key, trial, 200 + 10 * (uint64_t)i + c, sizeof alphabet - 1)];
            cells[i][length] = '\0';
            for (uint64_t c = 0; c < length; c++)
                strncat(strcat(quoted, cells[i][c] == '"' ? "\"" : ""), &cells[i][c], 1);
            strcat(strcat(text, quoted), i % columns == columns - 1 ? "\"\r\n" : "\",");
        }
        ck_assert_msg(csv_parse("t", text, strlen(text), arena, &csv, &fault) == STATUS_OK, "%s", fault.text);
        ck_assert_int_eq(csv.n_rows, rows);
        ck_assert_int_eq(csv.n_columns, columns);
        for (int64_t i = 0; i < rows * columns; i++)
            ck_assert_str_eq(csv_cell(&csv, i / columns, i % columns), cells[i]);
        arena_free(arena);
    }
}
END_TEST

START_TEST(dates_print_and_read_back)
{
    struct rng_key key = rng_key(9, RNG_TEST, 0);
    char text[32];
    int64_t first_s, last_s;
    for (uint64_t i = 0; i < 3000; i++) {
        int64_t time_s = (int64_t)rng_below(key, 0, i, 315000000000) - 62000000000;
        ck_assert_ptr_null(calendar_parse(calendar_print(text, sizeof text, time_s, 0), &first_s, &last_s));
        ck_assert_int_eq(first_s, time_s);
        ck_assert_int_eq(last_s, time_s);
    }
    ck_assert_ptr_null(calendar_parse("2020-02", &first_s, &last_s));
    ck_assert_int_eq(last_s - first_s, 29 * 86400 - 1);
    ck_assert_ptr_null(calendar_parse("1970-01-01T01:00:00+01:00", &first_s, &last_s));
    ck_assert_int_eq(first_s, 0);
    static const char *const wrong[] = {
        "", "19", "2019-13", "2019-02-29", "2019-02-20T25:00", "2019-1-1x", "2019-01-01T12:61"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_ptr_nonnull(calendar_parse(wrong[i], &first_s, &last_s));
    double unit_s;
    ck_assert_ptr_null(calendar_units("hour since 1980-01-14 14:00:00", &unit_s, &first_s));
    ck_assert_double_eq(unit_s, 3600);
    ck_assert_int_eq(first_s, calendar_seconds(1980, 1, 14, 14, 0, 0));
    ck_assert_ptr_null(calendar_units("days since 1970-01-01", &unit_s, &first_s));
    ck_assert_ptr_null(calendar_units("seconds since 2000-01-01 12:00:00 UTC", &unit_s, &first_s));
    ck_assert_int_eq(first_s, 946728000);
    ck_assert_ptr_nonnull(calendar_units("months since 1970-01-01", &unit_s, &first_s));
    ck_assert_ptr_nonnull(calendar_units("hours", &unit_s, &first_s));
}
END_TEST

Suite *suite_store_csv(void)
{
    Suite *suite = suite_create("store_csv");
    TCase *tcase = tcase_create("csv");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_malformed_table_is_refused, 0, sizeof malformed / sizeof *malformed);
    tcase_add_test(tcase, bytes_that_are_no_text_are_refused);
    tcase_add_test(tcase, tables_without_header_are_stations);
    tcase_add_test(tcase, dates_and_names_are_found);
    tcase_add_test(tcase, long_tables_are_spread_out);
    tcase_add_test(tcase, stations_and_edges_are_joined);
    tcase_add_test(tcase, any_cells_come_back);
    tcase_add_test(tcase, dates_print_and_read_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
