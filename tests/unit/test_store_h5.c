#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "store/h5.h"

Suite *suite_store_h5(void);

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/polyrank-h5-XXXXXX");
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

static void write_small(const char *path, const double *values)
{
    struct fault fault = FAULT_NONE;
    struct h5 *file;
    const int64_t dims[2] = {60, 50};
    OK(h5_create(path, &file, &fault));
    OK(h5_write(file, "run/loss", H5_FLOAT64, 2, dims, values, &fault));
    OK(h5_set_string(file, "run/loss", "units", "m s-1", &fault));
    OK(h5_finish(file, &fault));
}

static void *some_values(void)
{
    struct rng_key key = rng_key(1, RNG_TEST, 0);
    double *values = malloc(3000 * sizeof *values);
    for (int i = 0; i < 3000; i++)
        values[i] = rng_normal(key, 0, (uint64_t)i);
    return values;
}

START_TEST(numbers_of_all_types_come_back)
{
    static const double sample[6] = {0, 1, 2, 127, 100, 7};
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct h5 *file;
    const int64_t dims[2] = {2, 3};
    OK(h5_create("a.h5", &file, &fault));
    for (int type = 0; type < N_H5_TYPES; type++) {
        char name[32];
        snprintf(name, sizeof name, "deep/down/t%d", type);
        OK(h5_make(file, name, (enum h5_type)type, 2, dims, &fault));
        for (int64_t r = 0; r < 2; r++) {
            const int64_t start[2] = {r, 0}, count[2] = {1, 3};
            OK(h5_write_slab(file, name, H5_FLOAT64, 2, start, count, sample + 3 * r, &fault));
        }
    }
    OK(h5_write(file, "scalar", H5_INT64, 0, NULL, &(int64_t){42}, &fault));
    OK(h5_finish(file, &fault));
    OK(h5_open("a.h5", &file, &fault));
    for (int type = 0; type < N_H5_TYPES; type++) {
        char name[32];
        int n_dims;
        int64_t back[H5_MAX_DIMS];
        double *values;
        snprintf(name, sizeof name, "/deep/down/t%d", type);
        OK(h5_read_doubles(file, name, arena, &n_dims, back, &values, &fault));
        ck_assert_int_eq(n_dims, 2);
        ck_assert_int_eq(back[0], 2);
        ck_assert_int_eq(back[1], 3);
        ck_assert_mem_eq(values, sample, sizeof sample);
    }
    int64_t number;
    OK(h5_read(file, "scalar", H5_INT64, 1, &number, &fault));
    ck_assert_int_eq(number, 42);
    int n;
    const char *const *names;
    OK(h5_list(file, "/", arena, &n, &names, &fault));
    ck_assert_int_eq(n, 2);
    ck_assert_str_eq(names[0], "deep");
    ck_assert_str_eq(names[1], "scalar");
    h5_close(file);
    arena_free(arena);
}
END_TEST

START_TEST(slabs_are_the_boxes_asked_for)
{
    struct fault fault = FAULT_NONE;
    struct rng_key key = rng_key(2, RNG_TEST, 0);
    double *values = some_values(), part[3000];
    struct h5 *file;
    write_small("a.h5", values);
    OK(h5_open("a.h5", &file, &fault));
    for (uint64_t trial = 0; trial < 200; trial++) {
        int64_t start[2], count[2];
        for (uint64_t d = 0; d < 2; d++) {
            int64_t dim = d ? 50 : 60;
            start[d] = (int64_t)rng_below(key, 1, 4 * trial + d, (uint64_t)dim);
            count[d] = (int64_t)rng_below(key, 1, 4 * trial + 2 + d, (uint64_t)(dim - start[d] + 1));
        }
        OK(h5_read_slab(file, "run/loss", H5_FLOAT64, 2, start, count, part, &fault));
        for (int64_t i = 0; i < count[0] * count[1]; i++)
            ck_assert_double_eq(part[i], values[(start[0] + i / count[1]) * 50 + start[1] + i % count[1]]);
    }
    h5_close(file);
    free(values);
}
END_TEST

START_TEST(strings_and_attributes_come_back)
{
    static const char *const names[] = {"Valentia", "", "Malin Head", "Zürich"};
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct h5 *file;
    OK(h5_create("a.h5", &file, &fault));
    OK(h5_write_strings(file, "names", 4, names, &fault));
    OK(h5_write_text(file, "job", "name: wind\n", &fault));
    OK(h5_write_text(file, "nothing", "", &fault));
    OK(h5_set_string(file, "/", "title", "first", &fault));
    OK(h5_set_string(file, "/", "title", "second", &fault));
    OK(h5_set_double(file, "names", "seconds", 0.1, &fault));
    OK(h5_set_int(file, "names", "count", INT64_MAX, &fault));
    OK(h5_set_float(file, "names", "_FillValue", NAN, &fault));
    OK(h5_finish(file, &fault));

    OK(h5_open("a.h5", &file, &fault));
    int64_t n, count;
    double number;
    const char *const *back, *text;
    OK(h5_read_strings(file, "names", arena, &n, &back, &fault));
    ck_assert_int_eq(n, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(back[i], names[i]);
    OK(h5_read_strings(file, "job", arena, &n, &back, &fault));
    ck_assert_str_eq(back[0], "name: wind\n");
    OK(h5_read_strings(file, "nothing", arena, &n, &back, &fault));
    ck_assert_str_eq(back[0], "");
    OK(h5_get_string(file, "/", "title", arena, &text, &fault));
    ck_assert_str_eq(text, "second");
    OK(h5_get_double(file, "names", "seconds", &number, &fault));
    ck_assert_double_eq(number, 0.1);
    OK(h5_get_int(file, "names", "count", &count, &fault));
    ck_assert_int_eq(count, INT64_MAX);
    OK(h5_get_double(file, "names", "_FillValue", &number, &fault));
    ck_assert(isnan(number));
    ck_assert(!h5_has_attribute(file, "names", "absent"));
    ck_assert(!h5_has_attribute(file, "absent", "absent"));
    h5_close(file);
    arena_free(arena);
}
END_TEST

START_TEST(scales_name_the_dimensions)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct h5 *file;
    const int64_t dims[2] = {2, 3};
    const double values[6] = {0};
    const char *const scales[2] = {"time", "space/station"};
    const char *names[H5_MAX_DIMS];
    OK(h5_create("a.h5", &file, &fault));
    OK(h5_write(file, "time", H5_FLOAT64, 1, dims, values, &fault));
    OK(h5_write(file, "space/station", H5_FLOAT64, 1, dims + 1, values, &fault));
    OK(h5_make_scale(file, "time", &fault));
    OK(h5_make_scale(file, "space/station", &fault));
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        OK(h5_write(file, name, H5_FLOAT64, 2, dims, values, &fault));
        OK(h5_attach_scales(file, name, 2, scales, &fault));
    }
    OK(h5_write(file, "bare", H5_FLOAT64, 2, dims, values, &fault));
    OK(h5_finish(file, &fault));
    OK(h5_open("a.h5", &file, &fault));
    OK(h5_dimension_names(file, "v19", arena, names, &fault));
    ck_assert_str_eq(names[0], "time");
    ck_assert_str_eq(names[1], "station");
    OK(h5_dimension_names(file, "time", arena, names, &fault));
    ck_assert_str_eq(names[0], "time");
    OK(h5_dimension_names(file, "bare", arena, names, &fault));
    ck_assert_ptr_null(names[0]);
    h5_close(file);
    arena_free(arena);
}
END_TEST

START_TEST(a_file_appears_when_it_is_complete)
{
    struct fault fault = FAULT_NONE;
    double *values = some_values();
    struct h5 *file;
    OK(h5_create("a.h5", &file, &fault));
    ck_assert_int_ne(access("a.h5", F_OK), 0);
    h5_abandon(file);
    ck_assert_int_ne(access("a.h5.tmp", F_OK), 0);
    ck_assert_int_ne(access("a.h5", F_OK), 0);
    write_small("a.h5", values);
    ck_assert_int_ne(access("a.h5.tmp", F_OK), 0);
    OK(h5_create("a.h5", &file, &fault));
    h5_abandon(file);
    OK(h5_open("a.h5", &file, &fault));
    ck_assert(h5_exists(file, "run/loss"));
    h5_close(file);
    free(values);
}
END_TEST

START_TEST(equal_content_gives_equal_bytes)
{
    double *values = some_values();
    write_small("a.h5", values);
    sleep(1); /* A time stamp inside would have another second. */
    write_small("b.h5", values);
    ck_assert_int_eq(system("cmp -s a.h5 b.h5"), 0);
    free(values);
}
END_TEST

#define REFUSED(call, message)                                                                                         \
    do {                                                                                                               \
        fault = FAULT_NONE;                                                                                            \
        ck_assert_int_eq((call), STATUS_IO);                                                                           \
        ck_assert_str_eq(fault.text, message);                                                                         \
    } while (0)

START_TEST(faults_name_file_and_object)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct h5 *file;
    double *values = some_values(), *doubles;
    int n_dims, n;
    int64_t dims[H5_MAX_DIMS], n_strings;
    const char *const *strings, *text;
    double number;
    REFUSED(h5_open("absent.h5", &file, &fault), "absent.h5: cannot be opened: No such file or directory");
    REFUSED(h5_open(".", &file, &fault), ".: expected a file, found a folder");
    close(open("empty.h5", O_CREAT | O_WRONLY, 0600));
    REFUSED(h5_open("empty.h5", &file, &fault), "empty.h5: the file is empty");
    ck_assert_int_eq(system("echo a,b > text.h5"), 0);
    REFUSED(h5_open("text.h5", &file, &fault), "text.h5: not an HDF5 file");
    REFUSED(h5_create("nowhere/a.h5", &file, &fault), "nowhere/a.h5: cannot be created: No such file or directory");
    write_small("a.h5", values);
    OK(h5_open("a.h5", &file, &fault));
    REFUSED(h5_read_doubles(file, "nothing", arena, &n_dims, dims, &doubles, &fault),
            "a.h5: nothing: no such object in the file");
    REFUSED(h5_read_doubles(file, "run", arena, &n_dims, dims, &doubles, &fault),
            "a.h5: run: expected an array of numbers, found a group");
    REFUSED(h5_read(file, "run/loss", H5_FLOAT64, 7, values, &fault), "a.h5: run/loss: expected 7 values, found 3000");
    REFUSED(h5_read_slab(file, "run/loss", H5_FLOAT64, 2, (int64_t[]){59, 0}, (int64_t[]){2, 1}, values, &fault),
            "a.h5: run/loss: the part asked for lies outside of the array");
    REFUSED(h5_read_slab(file, "run/loss", H5_FLOAT64, 1, (int64_t[]){0}, (int64_t[]){2}, values, &fault),
            "a.h5: run/loss: the part asked for lies outside of the array");
    REFUSED(h5_read_strings(file, "run/loss", arena, &n_strings, &strings, &fault),
            "a.h5: run/loss: expected strings, found another type");
    REFUSED(h5_get_string(file, "run/loss", "title", arena, &text, &fault),
            "a.h5: run/loss: attribute title is missing");
    REFUSED(h5_get_double(file, "run/loss", "units", &number, &fault),
            "a.h5: run/loss: attribute units: expected one number");
    fault = FAULT_NONE;
    ck_assert_int_eq(h5_list(file, "none", arena, &n, &strings, &fault), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(fault.text, "a.h5: none: no such group in the file"));
    h5_close(file);
    free(values);
    arena_free(arena);
}
END_TEST

static enum status read_all(const char *path, double *values, struct fault *fault)
{
    struct h5 *file;
    enum status status = h5_open(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    status = h5_read(file, "run/loss", H5_FLOAT64, 3000, values, fault);
    h5_close(file);
    return status;
}

START_TEST(a_truncated_file_is_refused)
{
    double *values = some_values(), back[3000];
    struct rng_key key = rng_key(3, RNG_TEST, 0);
    struct stat info;
    write_small("a.h5", values);
    ck_assert_int_eq(stat("a.h5", &info), 0);
    for (uint64_t i = 0; i < 60; i++) {
        struct fault fault = FAULT_NONE;
        write_small("b.h5", values);
        /* The last 24 bytes are the checksum: a file without it is whole. */
        ck_assert_int_eq(truncate("b.h5", (off_t)rng_below(key, 0, i, (uint64_t)info.st_size - 24)), 0);
        ck_assert_int_eq(read_all("b.h5", back, &fault), STATUS_IO);
        ck_assert_int_eq(strncmp(fault.text, "b.h5: ", 6), 0);
    }
    free(values);
}
END_TEST

/* A flip within the mark of the checksum makes a file without one, which reads as before. */
START_TEST(a_flipped_bit_gives_no_wrong_values)
{
    double *values = some_values(), back[3000];
    struct rng_key key = rng_key(4, RNG_TEST, 0);
    struct stat info;
    int n_faults = 0;
    write_small("a.h5", values);
    ck_assert_int_eq(stat("a.h5", &info), 0);
    for (uint64_t i = 0; i < 200; i++) {
        struct fault fault = FAULT_NONE;
        unsigned char byte;
        off_t place = (off_t)rng_below(key, 0, i, (uint64_t)info.st_size);
        write_small("b.h5", values);
        int descriptor = open("b.h5", O_RDWR);
        ck_assert_int_eq(pread(descriptor, &byte, 1, place), 1);
        byte ^= (unsigned char)(1U << rng_below(key, 1, i, 8));
        ck_assert_int_eq(pwrite(descriptor, &byte, 1, place), 1);
        close(descriptor);
        if (read_all("b.h5", back, &fault) == STATUS_OK)
            ck_assert_mem_eq(back, values, sizeof back);
        else
            n_faults++;
    }
    ck_assert_int_gt(n_faults, 195);
    free(values);
}
END_TEST

Suite *suite_store_h5(void)
{
    Suite *suite = suite_create("store_h5");
    TCase *tcase = tcase_create("h5");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, numbers_of_all_types_come_back);
    tcase_add_test(tcase, slabs_are_the_boxes_asked_for);
    tcase_add_test(tcase, strings_and_attributes_come_back);
    tcase_add_test(tcase, scales_name_the_dimensions);
    tcase_add_test(tcase, a_file_appears_when_it_is_complete);
    tcase_add_test(tcase, equal_content_gives_equal_bytes);
    tcase_add_test(tcase, faults_name_file_and_object);
    tcase_add_test(tcase, a_truncated_file_is_refused);
    tcase_add_test(tcase, a_flipped_bit_gives_no_wrong_values);
    suite_add_tcase(suite, tcase);
    return suite;
}
