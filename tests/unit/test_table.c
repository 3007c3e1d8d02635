#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "command/cost_table.h"
#include "command/table.h"

Suite *suite_table(void);

static const char gemm_header[] = "gpu,dtype,m,n,k,median_ms\n";

/* A file with this text; the caller frees and unlinks. */
static char *file_of(const char *text)
{
    char *path = strdup("/tmp/polyrank-table-XXXXXX");
    int descriptor = mkstemp(path);
    ck_assert_int_ge(descriptor, 0);
    FILE *file = fdopen(descriptor, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static enum status read_text(struct table *table, const char *text, struct arena *arena, struct fault *fault)
{
    char *path = file_of(text);
    *fault = FAULT_NONE;
    enum status status = table_read(table, path, arena, fault);
    unlink(path);
    free(path);
    return status;
}

START_TEST(fields_quotes_and_line_ends_are_read)
{
    struct arena *arena = arena_new();
    struct table table;
    struct fault fault;
    ck_assert_int_eq(read_text(&table,
                               "\xef\xbb\xbf"
                               "a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n,3",
                               arena, &fault),
                     STATUS_OK);
    ck_assert_uint_eq(table.n_rows, 2);
    ck_assert_uint_eq(table.n_columns, 2);
    ck_assert_str_eq(table_cell(&table, 0, "a"), "1");
    ck_assert_str_eq(table_cell(&table, 0, "b"), "x, \"y\"\nz");
    ck_assert_str_eq(table_cell(&table, 1, "a"), "");
    ck_assert_str_eq(table_cell(&table, 1, "b"), "3");
    ck_assert_uint_eq(table.lines[1], 4);
    arena_free(arena);
}
END_TEST

static const struct {
    const char *text, *told;
} bad_tables[] = {
    {"", "expected a header line"},
    {"a,,b\n", "column 2 has no name"},
    {"a,b\n1\n", ":2: expected 2 fields as in the header, found 1"},
    {"a,b\n1,2\n3,4,5\n", ":3: expected 2 fields as in the header, found 3"},
    {"a,b\n1,\"2\n", ":2: a quote is opened and not closed"},
    {"a,b\n1,\"2\"3\n", ":2: expected a comma or the end of the line after a quoted field, found '3'"},
    {"a,b\n1,2\"3\n", ":2: a quote inside a field"},
    {"a,b\n1\r,2\n", ":2: a carriage return inside a line"},
};

START_TEST(broken_tables_are_refused_with_the_line)
{
    struct arena *arena = arena_new();
    struct table table;
    struct fault fault;
    ck_assert_int_eq(read_text(&table, bad_tables[_i].text, arena, &fault), STATUS_USAGE);
    ck_assert_msg(strstr(fault.text, bad_tables[_i].told), "%s", fault.text);
    arena_free(arena);
}
END_TEST

START_TEST(a_missing_file_is_an_io_fault)
{
    struct arena *arena = arena_new();
    struct table table;
    struct fault fault = FAULT_NONE;
    ck_assert_int_eq(table_read(&table, "/nowhere/at/all.csv", arena, &fault), STATUS_IO);
    arena_free(arena);
}
END_TEST

/* Prices a GEMM table of this body; the rows. */
static enum status price(struct cost_table *priced, const char *header, const char *body, struct arena *arena,
                         struct fault *fault)
{
    char *path = file_of(arena_printf(arena, "%s%s", header, body));
    *fault = FAULT_NONE;
    struct table table;
    enum status status = table_read(&table, path, arena, fault);
    if (status == STATUS_OK)
        status = cost_table_price(priced, &table, arena, fault);
    unlink(path);
    free(path);
    return status;
}

START_TEST(rows_are_priced_outside_or_failed)
{
    struct arena *arena = arena_new();
    struct cost_table priced;
    struct fault fault;
    const char *body = "a100,bfloat16,4096,4096,4096,0.5\nb200,bfloat16,1,1,1,0.1\na100,fp8,16,16,32,0.1\n"
                       "h100,int4,16,16,32,0.1\na100,bfloat16,1,1,32,0\n";
    ck_assert_int_eq(price(&priced, gemm_header, body, arena, &fault), STATUS_OK);
    static const enum verdict verdicts[] = {ROW_PRICED, ROW_OUTSIDE, ROW_FAILED, ROW_FAILED, ROW_OUTSIDE};
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(priced.rows[i].verdict, verdicts[i]);
    ck_assert_str_eq(priced.rows[0].device, "a100-80g");
    ck_assert_double_eq_tol(priced.rows[0].predicted / priced.rows[0].measured, 1.0, 0.15);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    cost_table_summary(&priced, arena, out);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "b200: not in the catalogue"));
    ck_assert_ptr_nonnull(strstr(text, "\nrows 1, mean "));
    ck_assert_ptr_nonnull(strstr(text, "failed 2\n"));
    free(text);
    arena_free(arena);
}
END_TEST

START_TEST(what_is_written_can_be_read)
{
    struct arena *arena = arena_new();
    struct cost_table priced;
    struct fault fault;
    struct table again;
    const char *body = "a100,bfloat16,4096,4096,4096,0.5\n\"b,\"\"200\",bfloat16,1,1,1,0.1\n";
    ck_assert_int_eq(price(&priced, gemm_header, body, arena, &fault), STATUS_OK);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    cost_table_write(&priced, out);
    fclose(out);
    ck_assert_int_eq(read_text(&again, text, arena, &fault), STATUS_OK);
    ck_assert_uint_eq(again.n_rows, 2);
    ck_assert_str_eq(table_cell(&again, 1, "gpu"), "b,\"200");
    ck_assert_str_eq(table_cell(&again, 0, "device"), "a100-80g");
    free(text);
    arena_free(arena);
}
END_TEST

static const char *const bad_rows[] = {"a100,bfloat16,x,1,32,0.1\n",   "a100,bfloat16,0,1,32,0.1\n",
                                       "a100,bfloat16,1.5,1,32,0.1\n", "a100,bfloat16,-1,1,32,0.1\n",
                                       "a100,bfloat16,1,1,32,\n",      "a100,bfloat16,1,1,32,nan\n"};

START_TEST(numbers_that_are_none_are_refused)
{
    struct arena *arena = arena_new();
    struct cost_table priced;
    struct fault fault;
    ck_assert_int_eq(price(&priced, gemm_header, bad_rows[_i], arena, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, ":2: "));
    ck_assert_ptr_nonnull(strstr(fault.text, "expected"));
    arena_free(arena);
}
END_TEST

START_TEST(unknown_layouts_are_refused)
{
    struct arena *arena = arena_new();
    struct cost_table priced;
    struct fault fault;
    ck_assert_int_eq(price(&priced, "gpu,m,n\n", "a100,1,2\n", arena, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "expected the header"));
    arena_free(arena);
}
END_TEST

Suite *suite_table(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");
    tcase_add_test(tcase, fields_quotes_and_line_ends_are_read);
    tcase_add_loop_test(tcase, broken_tables_are_refused_with_the_line, 0, sizeof bad_tables / sizeof bad_tables[0]);
    tcase_add_test(tcase, a_missing_file_is_an_io_fault);
    tcase_add_test(tcase, rows_are_priced_outside_or_failed);
    tcase_add_test(tcase, what_is_written_can_be_read);
    tcase_add_loop_test(tcase, numbers_that_are_none_are_refused, 0, sizeof bad_rows / sizeof bad_rows[0]);
    tcase_add_test(tcase, unknown_layouts_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
