/* Quantities with units and the nearest word. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/rng.h"
#include "base/unit.h"

Suite *suite_unit(void);

static const struct {
    const char *text;
    enum unit unit;
    double value;
} good[] = {
    {"90", UNIT_NONE, 90},
    {" -1.5e3 ", UNIT_NONE, -1500},
    {".5", UNIT_NONE, 0.5},
    {"5.", UNIT_NONE, 5},
    {"3.35 TB/s", UNIT_BYTES_PER_S, 3.35e12},
    {"3.35TB/s", UNIT_BYTES_PER_S, 3.35e12},
    {"2 GiB/s", UNIT_BYTES_PER_S, 2147483648.0},
    {"80 GiB", UNIT_BYTES, 85899345920.0},
    {"80 GB", UNIT_BYTES, 80e9},
    {"25 MiB", UNIT_BYTES, 26214400.0},
    {"1.5 kB", UNIT_BYTES, 1500},
    {"100 ns", UNIT_SECONDS, 100e-9},
    {"100 ns", UNIT_PICOSECONDS, 100000},
    {"0.7 ps", UNIT_PICOSECONDS, 0.7},
    {"1h30m", UNIT_SECONDS, 5400},
    {"1 h 30 min", UNIT_SECONDS, 5400},
    {"1d2h3min4s", UNIT_SECONDS, 93784},
    {"1:30:00", UNIT_SECONDS, 5400},
    {"0:00:01", UNIT_PICOSECONDS, 1e12},
    {"2 min", UNIT_SECONDS, 120},
    {"-3 s", UNIT_SECONDS, -3},
    {"1410 MHz", UNIT_HERTZ, 1410e6},
    {"312 TFLOP/s", UNIT_FLOP_PER_S, 312e12},
    {"624 TOP/s", UNIT_FLOP_PER_S, 624e12},
    {"700 W", UNIT_WATTS, 700},
    {"0.4 kW", UNIT_WATTS, 400},
    {"12.3 uJ", UNIT_JOULES, 12.3e-6},
    {"0.5 pJ/bit", UNIT_JOULES_PER_BIT, 0.5e-12},
    {"4 pJ/B", UNIT_JOULES_PER_BYTE, 4e-12},
    {"1e-3 nJ/FLOP", UNIT_JOULES_PER_FLOP, 1e-12},
};

START_TEST(reads_quantities)
{
    double value = NAN;
    const char *reason = unit_parse(good[_i].text, good[_i].unit, &value);
    ck_assert_msg(!reason, "%s: %s", good[_i].text, reason);
    ck_assert_msg(value == good[_i].value, "%s: %.17g", good[_i].text, value);
}
END_TEST

static const struct {
    const char *text;
    enum unit unit;
    const char *reason;
} bad[] = {
    {"", UNIT_NONE, "it is not a number"},
    {"x", UNIT_NONE, "it is not a number"},
    {"inf", UNIT_NONE, "it is not a number"},
    {"nan", UNIT_NONE, "it is not a number"},
    {"-", UNIT_NONE, "it is not a number"},
    {".", UNIT_NONE, "it is not a number"},
    {"0x10", UNIT_NONE, "a unit or text after the number is not allowed"},
    {"1,5", UNIT_NONE, "a unit or text after the number is not allowed"},
    {"1 2", UNIT_NONE, "a unit or text after the number is not allowed"},
    {"3 s", UNIT_NONE, "a unit or text after the number is not allowed"},
    {"1e400", UNIT_NONE, "the number is too large"},
    {"1e99999999999", UNIT_NONE, "the number is too large or too small"},
    {"3", UNIT_SECONDS, "a unit is missing"},
    {"3 ", UNIT_BYTES, "a unit is missing"},
    {"GiB", UNIT_BYTES, "it is not a number"},
    {"inf GiB", UNIT_BYTES, "it is not a number"},
    {"3 gib", UNIT_BYTES, "the unit is unknown here"},
    {"3 Gb", UNIT_BYTES, "the unit is unknown here"},
    {"3 GB/s", UNIT_BYTES, "the unit is unknown here"},
    {"3 GB GB", UNIT_BYTES, "text after the unit is not allowed"},
    {"3 GB 4 MB", UNIT_BYTES, "text after the unit is not allowed"},
    {"3 GB-", UNIT_BYTES, "text after the unit is not allowed"},
    {"3 :", UNIT_BYTES, "text after the number is not allowed"},
    {"1e308 TB", UNIT_BYTES, "the number is too large"},
    {"1e308 d", UNIT_SECONDS, "the number is too large"},
    {"3 s s", UNIT_SECONDS, "text after the unit is not allowed"},
    {"3 s 4 s", UNIT_SECONDS, "parts of a time must descend, such as 1h30m"},
    {"30m1h", UNIT_SECONDS, "parts of a time must descend, such as 1h30m"},
    {"-1h30m", UNIT_SECONDS, "parts of a time must descend, such as 1h30m"},
    {"1h30", UNIT_SECONDS, "a unit is missing"},
    {"1h-30m", UNIT_SECONDS, "text after the unit is not allowed"},
    {"1:60:00", UNIT_SECONDS, "text after the number is not allowed"},
    {"1:30", UNIT_SECONDS, "text after the number is not allowed"},
    {"1:2:3", UNIT_SECONDS, "text after the number is not allowed"},
    {"12345678901234567890123456789012345678901234567890123456789012345 B", UNIT_BYTES,
     "the number has too many characters"},
};

START_TEST(refuses_what_is_no_quantity)
{
    double value = 42;
    const char *reason = unit_parse(bad[_i].text, bad[_i].unit, &value);
    ck_assert_msg(reason != NULL, "'%s' was read as %g", bad[_i].text, value);
    ck_assert_str_eq(reason, bad[_i].reason);
    ck_assert_double_eq(value, 42);
}
END_TEST

/* A double of any size: random bits, with finite exponents of half the range so that prefixes cannot overflow. */
static double random_double(struct rng_key key, uint64_t i)
{
    double mantissa = 1 + rng_uniform(key, 0, i);
    return ldexp(rng_below(key, 2, i, 2) ? mantissa : -mantissa, (int)rng_below(key, 1, i, 900) - 450);
}

START_TEST(prints_what_it_reads_back)
{
    struct rng_key key = rng_key(7, RNG_TEST, 1);
    for (uint64_t i = 0; i < 20000; i++) {
        enum unit unit = (enum unit)(i % N_UNITS);
        double value = random_double(key, i), back = NAN;
        if (i % 3 == 0) /* numbers as people write them */
            value = (double)rng_below(key, 3, i, 100000) * (i % 2 ? 0x1p20 : 1e-3);
        char text[80];
        unit_print(text, sizeof text, unit, value);
        const char *reason = unit_parse(text, unit, &back);
        ck_assert_msg(!reason && memcmp(&back, &value, sizeof back) == 0, "%s: %s, %.17g became %.17g", text,
                      reason ? reason : "read", value, back);
    }
}
END_TEST

static const struct {
    double value;
    enum unit unit;
    const char *printed, *shown;
} texts[] = {
    {0, UNIT_BYTES, "0 B", "0 B"},
    {80, UNIT_NONE, "80", "80"},
    {26214400, UNIT_BYTES, "25 MiB", "25 MiB"},
    {80e9, UNIT_BYTES, "80 GB", "74.51 GiB"},
    {3.35e12, UNIT_BYTES_PER_S, "3.35 TB/s", "3.35 TB/s"},
    {1.2344e-3, UNIT_SECONDS, "1.2344 ms", "1.234 ms"},
    {999.96e-6, UNIT_SECONDS, "999.96 us", "1 ms"},
    {5400, UNIT_SECONDS, "1.5 h", "1.5 h"},
    {86400.0 * 4000, UNIT_SECONDS, "4000 d", "4000 d"},
    {12.3e-6, UNIT_JOULES, "12.3 uJ", "12.3 uJ"},
    {1e-18, UNIT_JOULES, "1e-18 J", "0.001 fJ"},
    {-700, UNIT_WATTS, "-700 W", "-700 W"},
    {312e12, UNIT_FLOP_PER_S, "312 TFLOP/s", "312 TFLOP/s"},
    {INFINITY, UNIT_JOULES, NULL, "inf J"},
};

START_TEST(prints_short_and_shows_rounded)
{
    char text[80];
    if (texts[_i].printed)
        ck_assert_str_eq(unit_print(text, sizeof text, texts[_i].unit, texts[_i].value), texts[_i].printed);
    ck_assert_str_eq(unit_show(text, sizeof text, texts[_i].unit, texts[_i].value), texts[_i].shown);
}
END_TEST

START_TEST(shows_within_half_a_thousandth)
{
    struct rng_key key = rng_key(8, RNG_TEST, 2);
    for (uint64_t i = 0; i < 5000; i++) {
        enum unit unit = (enum unit)(1 + i % (N_UNITS - 1));
        double value = ldexp(1 + rng_uniform(key, 0, i), (int)rng_below(key, 1, i, 80) - 40), back = NAN;
        char text[80];
        unit_show(text, sizeof text, unit, value);
        ck_assert_msg(!unit_parse(text, unit, &back) && fabs(back - value) <= 5.1e-4 * value, "%.17g shown as %s",
                      value, text);
    }
}
END_TEST

START_TEST(shows_virtual_time)
{
    char text[80];
    ck_assert_str_eq(unit_show_ps(text, sizeof text, 0), "0 s");
    ck_assert_str_eq(unit_show_ps(text, sizeof text, 999), "999 ps");
    ck_assert_str_eq(unit_show_ps(text, sizeof text, 1234567), "1.235 us");
    ck_assert_str_eq(unit_show_ps(text, sizeof text, 90000000000000), "1.5 min");
}
END_TEST

START_TEST(every_unit_tells_what_it_wants)
{
    for (int unit = UNIT_BYTES; unit < N_UNITS; unit++) {
        const char *expected = unit_expected((enum unit)unit);
        const char *open = strchr(expected, '"');
        char example[64];
        double value;
        ck_assert_ptr_nonnull(open);
        snprintf(example, sizeof example, "%.*s", (int)strcspn(open + 1, "\""), open + 1);
        ck_assert_msg(!unit_parse(example, (enum unit)unit, &value), "%s", expected);
    }
    ck_assert_str_eq(unit_expected(UNIT_NONE), "a number");
}
END_TEST

START_TEST(nearest_helps_or_is_silent)
{
    static const char *const words[] = {"epochs", "steps", "minibatch", "learning_rate", "loss", "ffn"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"epoch", "epochs"},
        {"epcohs", "epochs"},
        {"learning-rate", "learning_rate"},
        {"learnig_rat", "learning_rate"},
        {"mini_batch", "minibatch"},
        {"steps", "steps"},
        {"los", "loss"},
        {"foo", NULL},
        {"x", NULL},
        {"", NULL},
        {"xyzzyplugh", NULL},
        {"ffm", "ffn"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *nearest = nearest_word(cases[i].word, words, sizeof words / sizeof words[0]);
        ck_assert_pstr_eq(nearest, cases[i].nearest);
    }
    ck_assert_ptr_null(nearest_word("x", words, 0));
}
END_TEST

START_TEST(nearest_takes_the_first_of_equals_and_any_length)
{
    static const char *const words[] = {"abcdx", "abcdy"};
    char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    ck_assert_ptr_eq(nearest_word("abcdz", words, 2), words[0]);
    ck_assert_ptr_null(nearest_word(longest, words, 2));
    const char *const long_words[] = {longest, "abc"};
    ck_assert_ptr_eq(nearest_word("abd", long_words, 2), long_words[1]);
}
END_TEST

Suite *suite_unit(void)
{
    Suite *suite = suite_create("unit");
    TCase *tcase = tcase_create("quantities");
    tcase_add_loop_test(tcase, reads_quantities, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(tcase, refuses_what_is_no_quantity, 0, sizeof bad / sizeof bad[0]);
    tcase_add_loop_test(tcase, prints_short_and_shows_rounded, 0, sizeof texts / sizeof texts[0]);
    tcase_add_test(tcase, prints_what_it_reads_back);
    tcase_add_test(tcase, shows_within_half_a_thousandth);
    tcase_add_test(tcase, shows_virtual_time);
    tcase_add_test(tcase, every_unit_tells_what_it_wants);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("nearest");
    tcase_add_test(tcase, nearest_helps_or_is_silent);
    tcase_add_test(tcase, nearest_takes_the_first_of_equals_and_any_length);
    suite_add_tcase(suite, tcase);
    return suite;
}
