/* The page of a report: texts cannot break out of it, colours can be told apart, ticks and thinning keep what matters,
 * drawings follow the page. */
#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "folder.h"
#include "report/document.h"
#include "report/gnuplot.h"
#include "report/html.h"
#include "report/page.h"
#include "report/palette.h"
#include "report/plot.h"
#include "report/svg.h"
#include "report/ticks.h"

Suite *suite_page(void);

#define EVIL "<script>alert(\"x\")</script> & 'q' `id` {{0}} %d \\n @x"
#define EVIL_ESCAPED "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;q&#39; `id` {{0}} %d \\n @x"

static void expect_text(const char *text, const char *escaped)
{
    char *got;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    html_text(out, text);
    fclose(out);
    ck_assert_str_eq(got, escaped);
    free(got);
}

START_TEST(texts_are_escaped)
{
    expect_text(EVIL, EVIL_ESCAPED);
    expect_text(NULL, "");
    expect_text("m s\xc2\xb2 \xe2\x82\xac \xf0\x9f\x98\x80", "m s\xc2\xb2 \xe2\x82\xac \xf0\x9f\x98\x80");
    expect_text("a\x01"
                "b\x7f"
                "c\td",
                "a b c\td");
    expect_text("\xff\xc0\xaf\xed\xa0\x80z",
                "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
    expect_text("cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

/* Random bytes: what comes out has no character that could end a text or an attribute, and is UTF-8. */
START_TEST(random_bytes_stay_text)
{
    struct dice d = dice(41 + (uint32_t)_i);
    char text[200], *got;
    size_t size;
    for (int i = 0; i < 199; i++)
        text[i] = (char)(1 + below(&d, 255));
    text[199] = '\0';
    FILE *out = open_memstream(&got, &size);
    html_text(out, text);
    fclose(out);
    ck_assert_uint_eq(strcspn(got, "<>\"'"), size);
    for (const char *at = got; (at = strchr(at, '&')); at++)
        ck_assert(strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&lt;", 4) == 0 || strncmp(at, "&gt;", 4) == 0 ||
                  strncmp(at, "&quot;", 6) == 0 || strncmp(at, "&#39;", 5) == 0);
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    ck_assert_uint_ne(mbstowcs(NULL, got, 0), (size_t)-1);
    free(got);
}
END_TEST

START_TEST(bytes_become_uris)
{
    static const struct {
        const char *bytes, *uri;
    } cases[] = {
        {"", "data:a;base64,"},        {"f", "data:a;base64,Zg=="},          {"fo", "data:a;base64,Zm8="},
        {"foo", "data:a;base64,Zm9v"}, {"foobar", "data:a;base64,Zm9vYmFy"}, {"\xff\xfe\xfd", "data:a;base64,//79"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got;
        size_t size;
        FILE *out = open_memstream(&got, &size);
        html_data_uri(out, "a", cases[i].bytes, strlen(cases[i].bytes));
        fclose(out);
        ck_assert_str_eq(got, cases[i].uri); /* RFC 4648, section 10 */
        free(got);
    }
}
END_TEST

START_TEST(names_are_safe)
{
    char name[16];
    ck_assert_str_eq(html_name(name, sizeof name, "Loss / Steps!"), "loss-steps");
    ck_assert_str_eq(html_name(name, sizeof name, "../../etc"), "etc");
    ck_assert_str_eq(html_name(name, sizeof name, "<>"), "x");
    ck_assert_uint_lt(strlen(html_name(name, sizeof name, "a very long name indeed")), sizeof name);
}
END_TEST

/* ---- colours ---- */

static double linear(double c)
{
    return c <= 0.03928 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double curve(double t)
{
    return t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116;
}

/* CIELAB of a colour as eyes see it: 0 all cones, 1 without green (deuteranopia), 2 without red (protanopia).
 * Source of the matrices: Machado, Oliveira, Fernandes, IEEE TVCG 15(6), 2009, severity 1. */
static void lab_of(unsigned value, int eyes, double *lab)
{
    static const double seen[3][3][3] = {
        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
        {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
        {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}};
    const double rgb[3] = {linear((value >> 16 & 255) / 255.0), linear((value >> 8 & 255) / 255.0),
                           linear((value & 255) / 255.0)};
    double as[3];
    for (int i = 0; i < 3; i++)
        as[i] = fmin(1, fmax(0, seen[eyes][i][0] * rgb[0] + seen[eyes][i][1] * rgb[1] + seen[eyes][i][2] * rgb[2]));
    double x = curve((0.4124 * as[0] + 0.3576 * as[1] + 0.1805 * as[2]) / 0.95047);
    double y = curve(0.2126 * as[0] + 0.7152 * as[1] + 0.0722 * as[2]);
    double z = curve((0.0193 * as[0] + 0.1192 * as[1] + 0.9505 * as[2]) / 1.08883);
    lab[0] = 116 * y - 16, lab[1] = 500 * (x - y), lab[2] = 200 * (y - z);
}

static double difference(enum colour a, enum colour b, enum theme theme, int eyes)
{
    double x[3], y[3];
    lab_of(colour_value(a, theme), eyes, x);
    lab_of(colour_value(b, theme), eyes, y);
    return sqrt(pow(x[0] - y[0], 2) + pow(x[1] - y[1], 2) + pow(x[2] - y[2], 2));
}

START_TEST(series_can_be_told_apart)
{
    for (int a = 0; a < N_SERIES_COLOURS; a++)
        for (int b = 0; b < a; b++)
            for (int theme = 0; theme < 2; theme++)
                for (int eyes = 0; eyes < 3; eyes++) {
                    double apart = difference(colour_of_series(a), colour_of_series(b), (enum theme)theme, eyes);
                    ck_assert_msg(apart > 10, "%s and %s are %.1f apart (theme %d, eyes %d)",
                                  colour_name(colour_of_series(a)), colour_name(colour_of_series(b)), apart, theme,
                                  eyes);
                }
}
END_TEST

START_TEST(colours_stand_off_the_paper)
{
    ck_assert_double_eq_tol(colour_contrast(0x000000, 0xffffff), 21, 1e-9);
    ck_assert_double_eq_tol(colour_contrast(0x777777, 0xffffff), 4.478, 1e-3);
    for (int theme = 0; theme < 2; theme++) {
        unsigned paper = colour_value(COLOUR_PAPER, (enum theme)theme);
        for (int c = 0; c <= COLOUR_WAIT; c++)
            ck_assert_msg(colour_contrast(colour_value((enum colour)c, (enum theme)theme), paper) >= 3, "%s, theme %d",
                          colour_name((enum colour)c), theme); /* WCAG 2.1, 1.4.11 */
        ck_assert(colour_contrast(colour_value(COLOUR_INK, (enum theme)theme), paper) >= 7);
        ck_assert(colour_contrast(colour_value(COLOUR_MUTED, (enum theme)theme), paper) >= 4.5); /* 1.4.3 */
        for (int c = 0; c <= COLOUR_REST; c++) {
            enum colour on = colour_of_text_on((enum colour)c, (enum theme)theme);
            ck_assert_msg(colour_contrast(colour_value((enum colour)c, (enum theme)theme),
                                          colour_value(on, (enum theme)theme)) >= 4.2,
                          "text on %s, theme %d", colour_name((enum colour)c), theme);
        }
    }
}
END_TEST

/* ---- axes ---- */

START_TEST(ticks_are_even_and_within)
{
    struct dice d = dice(60 + (uint32_t)_i);
    double min = normal(&d) * pow(10, (double)below(&d, 9) - 4);
    double max = min + (fabs(normal(&d)) + 0.01) * pow(10, (double)below(&d, 9) - 4);
    int target = 2 + (int)below(&d, 9);
    struct ticks ticks;
    ticks_linear(&ticks, min, max, &(struct tick_style){.target = target});
    ck_assert_int_ge(ticks.n, 1);
    ck_assert_int_le(ticks.n, 2 * target + 1);
    double slack = 1e-6 * (max - min);
    for (int i = 0; i < ticks.n; i++) {
        ck_assert(ticks.at[i] >= min - slack && ticks.at[i] <= max + slack);
        ck_assert_msg(fabs(atof(ticks.label[i]) - ticks.at[i]) <= 1e-5 * fabs(ticks.at[i]) + slack, "'%s' at %.12g",
                      ticks.label[i], ticks.at[i]);
        if (i > 1)
            ck_assert_double_eq_tol(ticks.at[i] - ticks.at[i - 1], ticks.at[1] - ticks.at[0], slack);
    }
}
END_TEST

START_TEST(ticks_by_hand)
{
    struct ticks ticks;
    ticks_linear(&ticks, 0, 100, &(struct tick_style){.target = 5});
    ck_assert_int_eq(ticks.n, 6);
    ck_assert_str_eq(ticks.label[5], "100");
    ticks_linear(&ticks, 0.5, 3, &(struct tick_style){.target = 8, .is_whole = 1});
    ck_assert_int_eq(ticks.n, 3);
    ck_assert_str_eq(ticks.label[0], "1");
    ticks_log(&ticks, 0.2, 3e4, &(struct tick_style){.target = 8});
    ck_assert_int_eq(ticks.n, 5);
    ck_assert_str_eq(ticks.label[4], "10000");
    ticks_log(&ticks, 9e8, 2.5e12, &(struct tick_style){.target = 8, .has_prefix = 1});
    ck_assert_str_eq(ticks.label[0], "1 G");
    ck_assert_str_eq(ticks.label[3], "1 T");
    ticks_log(&ticks, 3, 60, &(struct tick_style){.target = 4});
    ck_assert_int_eq(ticks.n, 4); /* 5 10 20 50 */
    ticks_log(&ticks, 1e-30, 1e30, &(struct tick_style){.target = 6});
    ck_assert_int_le(ticks.n, 7);
}
END_TEST

/* The extremes of a curve survive, in order, however much it is thinned. */
START_TEST(thinning_keeps_extremes)
{
    struct dice d = dice(70 + (uint32_t)_i);
    enum { MOST = 5000 };
    static double x[MOST], y[MOST];
    static size_t index[MOST];
    size_t n = 1 + below(&d, MOST), max = 4 + below(&d, 300), low = 0, high = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)i;
        y[i] = normal(&d);
        low = y[i] < y[low] ? i : low;
        high = y[i] > y[high] ? i : high;
    }
    const struct figure_curve curve = {"c", COLOUR_BLUE, CURVE_LINE, n, x, y};
    size_t got = figure_thin(&curve, max, index);
    ck_assert_uint_le(got, max);
    int has_low = 0, has_high = 0;
    for (size_t k = 0; k < got; k++) {
        ck_assert(index[k] < n && (k == 0 || index[k] > index[k - 1]));
        has_low |= index[k] == low;
        has_high |= index[k] == high;
    }
    ck_assert(has_low && has_high);
    ck_assert(n > max || got == n);
}
END_TEST

START_TEST(ranges_are_never_empty)
{
    struct arena *arena = arena_new();
    double x[2] = {5, 5}, y[2] = {NAN, 0}, min, max;
    struct figure *figure = figure_new(arena, "f", "F", "");
    figure->x = figure_axis("x", NULL, 1, "x");
    figure->y = figure_axis("y", NULL, 1, "y");
    ck_assert(figure_is_empty(figure));
    figure_add_curve(figure, "c", COLOUR_BLUE, CURVE_LINE, 2, x, y);
    ck_assert(!figure_is_empty(figure));
    for (int is_y = 0; is_y < 2; is_y++) {
        figure_range(figure, is_y, &min, &max);
        ck_assert(min < max);
    }
    figure->y.is_log = 1;
    figure_range(figure, 1, &min, &max);
    ck_assert(min > 0 && min < max);
    arena_free(arena);
}
END_TEST

START_TEST(data_are_csv)
{
    struct arena *arena = arena_new();
    double x[3] = {1, 2, 3}, y[3] = {0.1, NAN, 1e-30};
    struct figure *figure = figure_new(arena, "f", "F", "");
    figure->x = figure_axis("x", NULL, 1, "x_s");
    figure->y = figure_axis("y", NULL, 1, "y_j");
    figure_add_curve(figure, "a, \"b\"", COLOUR_BLUE, CURVE_LINE, 3, x, y);
    char *got;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    figure_write_csv(out, figure, SIZE_MAX);
    fclose(out);
    ck_assert_str_eq(got, "curve,x_s,y_j\n\"a, \"\"b\"\"\",1,0.1\n\"a, \"\"b\"\"\",2,\n\"a, \"\"b\"\"\",3,1e-30\n");
    free(got);
    arena_free(arena);
}
END_TEST

/* ---- drawings ---- */

START_TEST(stand_ins_are_as_wide_as_their_texts)
{
    struct arena *arena = arena_new();
    struct svg_texts texts = {arena, NULL, 0};
    for (int n = 0; n < 40; n++) {
        char text[64] = "";
        for (int i = 0; i < n; i++)
            strcat(text, i % 2 ? "\xc2\xb5" : "<");
        const char *stand_in = svg_stand_in(&texts, n < 20 ? text : "short");
        ck_assert_uint_eq(strlen(stand_in), (size_t)(n < 20 && n > 5 + (texts.n > 10) ? n : 5 + (texts.n > 10)));
        ck_assert_uint_eq(strspn(stand_in, "{}_0123456789"), strlen(stand_in));
    }
    arena_free(arena);
}
END_TEST

START_TEST(drawings_are_rewritten)
{
    struct arena *arena = arena_new();
    struct svg_texts texts = {arena, NULL, 0};
    const char *evil = svg_stand_in(&texts, EVIL);
    const char *drawing = arena_printf(
        arena,
        "<?xml?><svg><g id=\"gnuplot_canvas\"><defs>dropped</defs>\n<g fill=\"none\" color=\"black\" "
        "stroke=\"x\">\n</g>\n"
        "<g id=\"p1\" color=\"black\"><title>%s</title>\n\t<path stroke='rgb(  1,   2,  %d)' fill = 'rgb(1, 3, %d)'/>"
        "<path stroke='black' fill=\"gray\"/><path stroke='rgb(9,9,9)'/></g>\n</g>\n</svg>",
        evil, COLOUR_GREEN, COLOUR_BLUE);
    char *got;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    ck_assert_int_eq(svg_write(out, drawing, &texts), 1);
    ck_assert_int_eq(svg_write(out, "<html></defs></g></svg>", &texts), 0);
    fclose(out);
    ck_assert_str_eq(got, "\n<g><title>" EVIL_ESCAPED "</title>\n<path stroke='var(--green)' fill = 'var(--on-blue)'/>"
                          "<path stroke='currentColor' fill=\"var(--grid)\"/><path stroke='rgb(9,9,9)'/></g>\n");
    free(got);
    arena_free(arena);
}
END_TEST

static struct document *evil_document(struct arena *arena)
{
    struct document *document = document_new(arena, EVIL);
    double *x = arena_array(arena, 50, sizeof *x), *y = arena_array(arena, 50, sizeof *y);
    for (int i = 0; i < 50; i++)
        x[i] = i, y[i] = sin(i);
    struct figure *curves = figure_new(arena, "curves", EVIL, EVIL), *bars = figure_new(arena, "bars", EVIL, EVIL);
    curves->x = bars->x = figure_axis(EVIL, EVIL, 1, "x");
    curves->y = figure_axis(EVIL, EVIL, 1, "y");
    figure_add_curve(curves, EVIL, COLOUR_BLUE, CURVE_LINE, 50, x, y);
    figure_add_line(curves, &(struct figure_line){0, 20, EVIL, COLOUR_INK});
    figure_add_band(curves, &(struct figure_band){EVIL, COLOUR_GREEN, 10, 20});
    bars->value_csv = "v";
    figure_add_box(bars, &(struct figure_box){figure_add_row(bars, EVIL), EVIL, EVIL, COLOUR_RED, 0, 100, 1});
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, EVIL, EVIL);
    text_table_row(table);
    text_table_cell(table, "%s", EVIL);
    document_verdict(document, 0, EVIL);
    document_fact(document, EVIL, "%s", EVIL);
    document_heading(document, "one", EVIL);
    document_sentence(document, "%s", EVIL);
    document_figure(document, curves);
    document_figure(document, bars);
    document_table(document, EVIL, table);
    document_source(document, EVIL, EVIL);
    return document;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

/* A point on the edge of the frame is within it, however many digits it has. */
START_TEST(the_last_dot_is_drawn)
{
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    double x[] = {0.1, 0.302368561875}, y[] = {2, 1}; /* nine digits round it up */
    struct figure *figure = figure_new(arena, "dots", "Dots", "");
    figure->x = figure_axis("virtual time", "ms", 1e-3, "virtual_time_s");
    figure->y = figure_axis("loss", NULL, 1, "loss");
    figure_add_curve(figure, "test set", COLOUR_RED, CURVE_DOTS, 2, x, y);
    const struct figure *const figures[] = {figure};
    struct plot plot;
    plot_draw(figures, 1, arena, &plot, &fault);
    expect_ok(&fault);
    for (int w = 0; w < N_PLOT_WIDTHS; w++)
        ck_assert_int_eq(count(plot.content[w], "<use "), 2);
    arena_free(arena);
}
END_TEST

START_TEST(a_page_cannot_be_broken_into)
{
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    folder_open(&folder);
    const char *path[2] = {folder_file(&folder, "a.html"), folder_file(&folder, "b.html")};
    char *page[2];
    for (int i = 0; i < 2; i++) {
        page_write(path[i], evil_document(arena), &fault);
        expect_ok(&fault);
        page[i] = read_text(path[i], NULL);
    }
    ck_assert_str_eq(page[0], page[1]); /* the same bytes */
    ck_assert_ptr_null(strstr(page[0], "<script"));
    ck_assert_ptr_null(strstr(page[0], "alert(\""));
    ck_assert_int_ge(count(page[0], EVIL_ESCAPED), 20);
    ck_assert_ptr_null(strstr(page[0], "http://www.w3.org/1999/xhtml"));
    for (const char *at = page[0]; (at = strstr(at, "http"));
         at++) /* names of the vocabulary alone, nothing to fetch */
        ck_assert_msg(strncmp(at, "http://www.w3.org/", 18) == 0, "%.40s", at);
    for (int i = 0; i < 2; i++)
        free(page[i]);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

START_TEST(gnuplot_is_ended_when_it_takes_too_long)
{
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    const char *content[1];
    ck_assert_int_eq(gnuplot_run("pause 60\n", 1, 0.3, arena, content, &fault), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(fault.text, "longer than 0.3 s"));
    fault = FAULT_NONE;
    ck_assert_int_eq(gnuplot_run("plot nonsense(\n", 1, 20, arena, content, &fault), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(fault.text, "gnuplot failed: "));
    fault = FAULT_NONE;
    ck_assert_int_eq(gnuplot_run("x = 1\n", 1, 20, arena, content, &fault), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(fault.text, "has not drawn plot 0"));
    arena_free(arena);
}
END_TEST

START_TEST(no_gnuplot_no_page)
{
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    folder_open(&folder);
    const char *path = folder_file(&folder, "a.html");
    setenv("PATH", folder.path, 1); /* a process of its own: Check forks */
    ck_assert_int_eq(page_write(path, evil_document(arena), &fault), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(fault.text, "gnuplot is not installed"));
    ck_assert_int_ne(access(path, F_OK), 0);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

Suite *suite_page(void)
{
    Suite *suite = suite_create("page");
    TCase *tcase = tcase_create("page");
    tcase_add_test(tcase, texts_are_escaped);
    tcase_add_loop_test(tcase, random_bytes_stay_text, 0, 50);
    tcase_add_test(tcase, bytes_become_uris);
    tcase_add_test(tcase, names_are_safe);
    tcase_add_test(tcase, series_can_be_told_apart);
    tcase_add_test(tcase, colours_stand_off_the_paper);
    tcase_add_loop_test(tcase, ticks_are_even_and_within, 0, 200);
    tcase_add_test(tcase, ticks_by_hand);
    tcase_add_loop_test(tcase, thinning_keeps_extremes, 0, 40);
    tcase_add_test(tcase, ranges_are_never_empty);
    tcase_add_test(tcase, data_are_csv);
    tcase_add_test(tcase, stand_ins_are_as_wide_as_their_texts);
    tcase_add_test(tcase, drawings_are_rewritten);
    tcase_add_test(tcase, the_last_dot_is_drawn);
    tcase_add_test(tcase, a_page_cannot_be_broken_into);
    tcase_add_test(tcase, gnuplot_is_ended_when_it_takes_too_long);
    tcase_add_test(tcase, no_gnuplot_no_page);
    suite_add_tcase(suite, tcase);
    return suite;
}
