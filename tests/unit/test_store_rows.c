/* A file of rows that is cut back to what a checkpoint knows of it. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive_copy.h"
#include "folder.h"
#include "store/rows.h"

Suite *suite_store_rows(void);

enum { CASES = 40, MOST_ROWS = 400 };

static void write_rows(struct rows *rows, int first, int end)
{
    for (int i = first; i < end; i++)
        fprintf(rows->file, "row %d of many, %d\n", i, i * i);
}

/* Rows up to `saved` are in the checkpoint; the run had written up to `written` when it was stopped. */
START_TEST(goes_on_where_it_was_saved)
{
    struct dice d = dice(8800 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct rows rows;
    struct archive_copy copy;
    struct folder folder;
    folder_open(&folder);
    const char *path = folder_file(&folder, "rows");
    int middle = (int)below(&d, 150), saved = middle + (int)below(&d, 100), written = saved + (int)below(&d, 100);
    rows_open(&rows, path, &fault);
    write_rows(&rows, 0, middle);
    rows_archive(&rows, path, archive_new(arena), &fault); /* an earlier checkpoint */
    write_rows(&rows, middle, saved);
    struct archive *archive = archive_new(arena);
    rows_archive(&rows, path, archive, &fault);
    write_rows(&rows, saved, written);
    rows_close(&rows, &fault);
    expect_ok(&fault);
    rows_archive(&rows, path, archive_back(archive, &copy, arena), &fault);
    write_rows(&rows, saved, MOST_ROWS);
    rows_close(&rows, &fault);
    expect_ok(&fault);
    size_t n_cut, n_whole;
    char *cut = read_text(path, &n_cut);
    rows_open(&rows, path, &fault);
    write_rows(&rows, 0, MOST_ROWS);
    rows_close(&rows, &fault);
    expect_ok(&fault);
    char *whole = read_text(path, &n_whole);
    ck_assert(n_cut == n_whole && memcmp(cut, whole, n_cut) == 0);
    free(cut);
    free(whole);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* Shorter than it was, or with another byte: refused, and left as it is. */
START_TEST(what_was_changed_is_refused)
{
    struct dice d = dice(8900 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE, refused = FAULT_NONE;
    struct rows rows;
    struct archive_copy copy;
    struct folder folder;
    folder_open(&folder);
    const char *path = folder_file(&folder, "rows");
    struct archive *archive = archive_new(arena);
    rows_open(&rows, path, &fault);
    write_rows(&rows, 0, 1 + (int)below(&d, 200));
    rows_archive(&rows, path, archive, &fault);
    long n = ftell(rows.file);
    rows_close(&rows, &fault);
    expect_ok(&fault);
    if (_i % 2) {
        ck_assert_int_eq(truncate(path, (long)below(&d, (uint64_t)n)), 0);
    } else {
        FILE *file = fopen(path, "r+");
        fseek(file, (long)below(&d, (uint64_t)n), SEEK_SET);
        fputc(1, file);
        fclose(file);
    }
    size_t n_before, n_after;
    char *before = read_text(path, &n_before);
    rows_archive(&rows, path, archive_back(archive, &copy, arena), &refused);
    ck_assert_int_eq(refused.status, STATUS_IO);
    rows_close(&rows, &fault);
    char *after = read_text(path, &n_after);
    ck_assert(n_before == n_after && memcmp(before, after, n_before) == 0);
    free(before);
    free(after);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

Suite *suite_store_rows(void)
{
    Suite *suite = suite_create("store_rows");
    TCase *tcase = tcase_create("rows");
    tcase_add_loop_test(tcase, goes_on_where_it_was_saved, 0, CASES);
    tcase_add_loop_test(tcase, what_was_changed_is_refused, 0, CASES);
    suite_add_tcase(suite, tcase);
    return suite;
}
