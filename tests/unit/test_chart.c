#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "folder.h"
#include "report/chart.h"

Suite *suite_chart(void);

enum { LEFT = 14 }; /* characters before the first column */

/* What is printed; the caller frees. */
static char *drawn(const struct chart *chart)
{
    struct arena *arena = arena_new();
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    chart_print(out, chart, arena);
    fclose(out);
    arena_free(arena);
    return text;
}

/* The n-th line, without its end; the caller frees. */
static char *line_of(const char *text, int n)
{
    for (; n > 0; n--)
        text = strchr(text, '\n') + 1;
    return strndup(text, strcspn(text, "\n"));
}

START_TEST(two_curves_cross_and_events_stand_below)
{
    const int64_t x[4] = {1, 2, 3, 4};
    const double falls[4] = {4, 2, 1, NAN}, stands[4] = {NAN, 1, 1, 4};
    const struct chart_curve curve[2] = {{'a', 4, x, falls}, {'b', 4, x, stands}};
    const struct chart_event event[2] = {{2, 'T'}, {4, 'L'}};
    const struct chart chart = {"step", 1, 4, 2, curve, 2, event};
    char *text = drawn(&chart);
    char *top = line_of(text, 0), *bottom = line_of(text, CHART_ROWS - 1), *below = line_of(text, CHART_ROWS + 1);
    char *axis = line_of(text, CHART_ROWS + 2);
    ck_assert_str_eq(top, "           4 |a  b");
    ck_assert_str_eq(bottom, "           1 | b#");
    ck_assert_str_eq(below, "               T L");
    ck_assert_str_eq(axis, "        step  1  4");
    free(top);
    free(bottom);
    free(below);
    free(axis);
    free(text);
}
END_TEST

START_TEST(columns_hold_means_of_many_points)
{
    enum { N = 10 * CHART_COLUMNS };
    int64_t x[N];
    double y[N];
    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = i % 10 == 0 ? 10 : 0; /* the mean of every column is 1 */
    }
    const struct chart_curve curve = {'*', N, x, y};
    const struct chart chart = {"step", 0, N - 1, 1, &curve, 0, NULL};
    char *text = drawn(&chart), *level = NULL;
    int rows_with_marks = 0;
    for (int row = 0; row < CHART_ROWS; row++) {
        char *line = line_of(text, row);
        if (strchr(line, '*')) {
            rows_with_marks++;
            free(level);
            level = strdup(line);
        }
        free(line);
    }
    ck_assert_int_eq(rows_with_marks, 1);
    ck_assert_uint_eq(strspn(level + LEFT, "*"), CHART_COLUMNS);
    ck_assert_double_eq(chart_column_width(&chart), 10);
    free(level);
    free(text);
}
END_TEST

START_TEST(the_axis_is_logarithmic_over_decades)
{
    const int64_t x[3] = {0, 1, 2};
    const double y[3] = {1000, pow(1000, 6.0 / 11), 1};
    const struct chart_curve curve = {'*', 3, x, y};
    const struct chart chart = {"step", 0, 2, 1, &curve, 0, NULL};
    char *text = drawn(&chart), *middle = line_of(text, (CHART_ROWS - 1) / 2);
    ck_assert_int_eq(middle[LEFT + 1], '*');
    free(middle);
    free(text);
}
END_TEST

START_TEST(nothing_is_drawn_of_nothing)
{
    const int64_t x[2] = {1, 2};
    const double y[2] = {NAN, NAN};
    const struct chart_curve curve = {'*', 2, x, y};
    const struct chart chart = {"step", 1, 2, 1, &curve, 0, NULL};
    char *text = drawn(&chart);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

/* Any finite values: as many rows as there should be, no line wider than the chart, none that ends in a blank. */
START_TEST(random_curves_stay_inside)
{
    struct dice d = dice((uint32_t)(600 + _i));
    enum { N = 40 };
    int64_t x[N];
    double y[N];
    for (int i = 0; i < N; i++) {
        x[i] = (int64_t)below(&d, 5000);
        y[i] = (normal(&d) + 1) * pow(10, _i % 7 - 3);
    }
    const struct chart_curve curve = {'*', N, x, y};
    const struct chart_event event = {(int64_t)below(&d, 5000), 'T'};
    const struct chart chart = {"step", 0, 4999, 1, &curve, 1, &event};
    char *text = drawn(&chart);
    int lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        ck_assert_uint_le(strlen(line), LEFT + CHART_COLUMNS);
        ck_assert_int_ne(line[strlen(line) - 1], ' ');
    }
    ck_assert_int_eq(lines, CHART_ROWS + 3);
    free(text);
}
END_TEST

Suite *suite_chart(void)
{
    Suite *suite = suite_create("chart");
    TCase *tcase = tcase_create("chart");
    tcase_add_test(tcase, two_curves_cross_and_events_stand_below);
    tcase_add_test(tcase, columns_hold_means_of_many_points);
    tcase_add_test(tcase, the_axis_is_logarithmic_over_decades);
    tcase_add_test(tcase, nothing_is_drawn_of_nothing);
    tcase_add_loop_test(tcase, random_curves_stay_inside, 0, 30);
    suite_add_tcase(suite, tcase);
    return suite;
}
