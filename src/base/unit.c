#include "base/unit.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ,    /* understood, never written */
    PRINTED, /* unit_print may choose it too */
    SHOWN    /* unit_show may, as well */
};

/* One spelling: value in the base unit = number * 10^exponent * factor. Powers of ten are kept apart from the factor so
 * that "3.35 TB/s" becomes the double nearest to 3350000000000 instead of a rounded product. */
struct spelling {
    const char *name;
    int exponent;
    double factor;
    int use; /* SHOWN, PRINTED or READ */
};

enum { MAX_NUMBER = 64, SIGNIFICANT = 4 };

#define KIBI 0x1p10
#define MEBI 0x1p20
#define GIBI 0x1p30
#define TEBI 0x1p40
#define PEBI 0x1p50

/* The first spelling of each list is the base unit (or the one that unit_print falls back to): exponent 0, factor 1.
 * Those marked SHOWN ascend. */
static const struct spelling bytes[] = {
    {"B", 0, 1, SHOWN},      {"KiB", 0, KIBI, SHOWN}, {"MiB", 0, MEBI, SHOWN}, {"GiB", 0, GIBI, SHOWN},
    {"TiB", 0, TEBI, SHOWN}, {"PiB", 0, PEBI, SHOWN}, {"kB", 3, 1, PRINTED},   {"MB", 6, 1, PRINTED},
    {"GB", 9, 1, PRINTED},   {"TB", 12, 1, PRINTED},  {"PB", 15, 1, PRINTED},  {NULL, 0, 0, READ},
};
static const struct spelling bytes_per_s[] = {
    {"B/s", 0, 1, SHOWN},        {"kB/s", 3, 1, SHOWN},       {"MB/s", 6, 1, SHOWN},       {"GB/s", 9, 1, SHOWN},
    {"TB/s", 12, 1, SHOWN},      {"PB/s", 15, 1, SHOWN},      {"KiB/s", 0, KIBI, PRINTED}, {"MiB/s", 0, MEBI, PRINTED},
    {"GiB/s", 0, GIBI, PRINTED}, {"TiB/s", 0, TEBI, PRINTED}, {NULL, 0, 0, READ},
};
static const struct spelling seconds[] = {
    {"s", 0, 1, PRINTED},   {"ps", -12, 1, SHOWN}, {"ns", -9, 1, SHOWN},  {"us", -6, 1, SHOWN},
    {"ms", -3, 1, SHOWN},   {"s", 0, 1, SHOWN},    {"min", 0, 60, SHOWN}, {"h", 0, 3600, SHOWN},
    {"d", 0, 86400, SHOWN}, {"m", 0, 60, READ},    {NULL, 0, 0, READ},
};
static const struct spelling picoseconds[] = {
    {"ps", 0, 1, SHOWN},    {"ns", 3, 1, SHOWN},    {"us", 6, 1, SHOWN},     {"ms", 9, 1, SHOWN}, {"s", 12, 1, SHOWN},
    {"min", 12, 60, SHOWN}, {"h", 12, 3600, SHOWN}, {"d", 12, 86400, SHOWN}, {"m", 12, 60, READ}, {NULL, 0, 0, READ},
};
static const struct spelling hertz[] = {
    {"Hz", 0, 1, SHOWN},  {"kHz", 3, 1, SHOWN},  {"MHz", 6, 1, SHOWN},
    {"GHz", 9, 1, SHOWN}, {"THz", 12, 1, SHOWN}, {NULL, 0, 0, READ},
};
static const struct spelling flop_per_s[] = {
    {"FLOP/s", 0, 1, SHOWN},   {"kFLOP/s", 3, 1, SHOWN},  {"MFLOP/s", 6, 1, SHOWN},  {"GFLOP/s", 9, 1, SHOWN},
    {"TFLOP/s", 12, 1, SHOWN}, {"PFLOP/s", 15, 1, SHOWN}, {"EFLOP/s", 18, 1, SHOWN}, {"OP/s", 0, 1, READ},
    {"kOP/s", 3, 1, READ},     {"MOP/s", 6, 1, READ},     {"GOP/s", 9, 1, READ},     {"TOP/s", 12, 1, READ},
    {"POP/s", 15, 1, READ},    {NULL, 0, 0, READ},
};
static const struct spelling watts[] = {
    {"W", 0, 1, PRINTED}, {"uW", -6, 1, SHOWN}, {"mW", -3, 1, SHOWN}, {"W", 0, 1, SHOWN},
    {"kW", 3, 1, SHOWN},  {"MW", 6, 1, SHOWN},  {NULL, 0, 0, READ},
};
static const struct spelling joules[] = {
    {"J", 0, 1, PRINTED}, {"fJ", -15, 1, SHOWN}, {"pJ", -12, 1, SHOWN}, {"nJ", -9, 1, SHOWN},
    {"uJ", -6, 1, SHOWN}, {"mJ", -3, 1, SHOWN},  {"J", 0, 1, SHOWN},    {"kJ", 3, 1, SHOWN},
    {"MJ", 6, 1, SHOWN},  {"GJ", 9, 1, SHOWN},   {NULL, 0, 0, READ},
};
static const struct spelling joules_per_bit[] = {
    {"J/bit", 0, 1, PRINTED}, {"fJ/bit", -15, 1, SHOWN}, {"pJ/bit", -12, 1, SHOWN},
    {"nJ/bit", -9, 1, SHOWN}, {"J/bit", 0, 1, SHOWN},    {NULL, 0, 0, READ},
};
static const struct spelling joules_per_byte[] = {
    {"J/B", 0, 1, PRINTED}, {"fJ/B", -15, 1, SHOWN}, {"pJ/B", -12, 1, SHOWN},
    {"nJ/B", -9, 1, SHOWN}, {"J/B", 0, 1, SHOWN},    {NULL, 0, 0, READ},
};
static const struct spelling joules_per_flop[] = {
    {"J/FLOP", 0, 1, PRINTED}, {"fJ/FLOP", -15, 1, SHOWN}, {"pJ/FLOP", -12, 1, SHOWN},
    {"nJ/FLOP", -9, 1, SHOWN}, {"J/FLOP", 0, 1, SHOWN},    {NULL, 0, 0, READ},
};

static const struct {
    const struct spelling *spellings;
    const char *expected;
} units[N_UNITS] = {
    [UNIT_NONE] = {NULL, "a number"},
    [UNIT_BYTES] = {bytes, "a size such as \"80 GiB\""},
    [UNIT_BYTES_PER_S] = {bytes_per_s, "a bandwidth such as \"3.35 TB/s\""},
    [UNIT_SECONDS] = {seconds, "a time such as \"100 ns\" or \"1h30m\""},
    [UNIT_PICOSECONDS] = {picoseconds, "a time such as \"100 ns\" or \"1h30m\""},
    [UNIT_HERTZ] = {hertz, "a frequency such as \"1410 MHz\""},
    [UNIT_FLOP_PER_S] = {flop_per_s, "a rate such as \"312 TFLOP/s\""},
    [UNIT_WATTS] = {watts, "a power such as \"700 W\""},
    [UNIT_JOULES] = {joules, "an energy such as \"12.3 uJ\""},
    [UNIT_JOULES_PER_BIT] = {joules_per_bit, "an energy per bit such as \"0.5 pJ/bit\""},
    [UNIT_JOULES_PER_BYTE] = {joules_per_byte, "an energy per byte such as \"4 pJ/B\""},
    [UNIT_JOULES_PER_FLOP] = {joules_per_flop, "an energy per operation such as \"0.5 pJ/FLOP\""},
};

static const char *skip_blanks(const char *text)
{
    while (*text == ' ')
        text++;
    return text;
}

/* The end of a decimal number at `text`, or `text` itself. Narrower than strtod: no blanks, hexadecimal, inf or nan. An
 * exponent needs digits: the e of "1 eV" or "3e" is not part of the number. */
static const char *number_end(const char *text)
{
    const char *p = text;
    if (*p == '+' || *p == '-')
        p++;
    const char *digits = p;
    while (isdigit((unsigned char)*p))
        p++;
    ptrdiff_t n_digits = p - digits;
    if (*p == '.') {
        p++;
        while (isdigit((unsigned char)*p)) {
            p++;
            n_digits++;
        }
    }
    if (n_digits == 0)
        return text;
    if (*p == 'e' || *p == 'E') {
        const char *e = p + 1;
        if (*e == '+' || *e == '-')
            e++;
        if (isdigit((unsigned char)*e)) {
            while (isdigit((unsigned char)*e))
                e++;
            p = e;
        }
    }
    return p;
}

/* The number in text[0..length) times 10^exponent, rounded once: the exponent is written into the decimal text. */
static const char *number_value(const char *text, size_t length, int exponent, double *value)
{
    char copy[MAX_NUMBER + 16];
    if (length > MAX_NUMBER)
        return "the number has too many characters";
    size_t mantissa = 0;
    while (mantissa < length && text[mantissa] != 'e' && text[mantissa] != 'E')
        mantissa++;
    memcpy(copy, text, length);
    copy[length] = 0;
    long written = 0;
    if (mantissa < length)
        written = strtol(copy + mantissa + 1, NULL, 10);
    if (written < -9999 || written > 9999)
        return "the number is too large or too small";
    snprintf(copy + mantissa, sizeof copy - mantissa, "e%ld", written + exponent);
    *value = strtod(copy, NULL);
    return isfinite(*value) ? NULL : "the number is too large";
}

/* The end of a unit's name: letters, slashes and the like up to a blank or a digit. */
static size_t name_length(const char *text)
{
    return strcspn(text, " 0123456789.+-:");
}

static const struct spelling *find_spelling(enum unit unit, const char *name, size_t length)
{
    for (const struct spelling *s = units[unit].spellings; s->name; s++)
        if (strlen(s->name) == length && !memcmp(s->name, name, length))
            return s;
    return NULL;
}

static int is_time(enum unit unit)
{
    return unit == UNIT_SECONDS || unit == UNIT_PICOSECONDS;
}

/* H:M:S with two-digit M and S. Returns 1 when the text has this form. */
static int parse_clock(const char *text, double *seconds_value)
{
    size_t hours = strspn(text, "0123456789");
    const char *p = text + hours;
    if (hours < 1 || hours > 6 || p[0] != ':' || strlen(p) != 6 || p[3] != ':')
        return 0;
    if (strspn(p + 1, "0123456789") != 2 || strspn(p + 4, "0123456789") != 2 || p[1] > '5' || p[4] > '5')
        return 0;
    *seconds_value = (double)(atol(text) * 3600 + atol(p + 1) * 60 + atol(p + 4));
    return 1;
}

static const char *parse_bare(const char *text, double *value)
{
    const char *end = number_end(text);
    if (end == text)
        return "it is not a number";
    if (*skip_blanks(end))
        return "a unit or text after the number is not allowed";
    double number;
    const char *reason = number_value(text, (size_t)(end - text), 0, &number);
    if (!reason)
        *value = number;
    return reason;
}

/* Number and unit at *text; moves *text behind them. */
static const char *parse_part(const char **text, enum unit unit, const struct spelling **spelling, double *value)
{
    const char *end = number_end(*text);
    if (end == *text)
        return "it is not a number";
    const char *name = skip_blanks(end);
    size_t length = name_length(name);
    if (length == 0)
        return *name ? "text after the number is not allowed" : "a unit is missing";
    *spelling = find_spelling(unit, name, length);
    if (!*spelling)
        return "the unit is unknown here";
    const char *reason = number_value(*text, (size_t)(end - *text), (*spelling)->exponent, value);
    if (reason)
        return reason;
    *value *= (*spelling)->factor;
    *text = skip_blanks(name + length);
    return isfinite(*value) ? NULL : "the number is too large";
}

static double scale(const struct spelling *spelling)
{
    return spelling->factor * pow(10, spelling->exponent);
}

const char *unit_parse(const char *text, enum unit unit, double *value)
{
    text = skip_blanks(text);
    if (unit == UNIT_NONE)
        return parse_bare(text, value);
    double total, part;
    if (is_time(unit) && parse_clock(text, &total)) {
        *value = unit == UNIT_PICOSECONDS ? total * 1e12 : total;
        return NULL;
    }
    const struct spelling *spelling, *before;
    const char *reason = parse_part(&text, unit, &spelling, &total);
    while (!reason && *text) {
        before = spelling;
        if (!is_time(unit) || !isdigit((unsigned char)*text))
            return "text after the unit is not allowed";
        reason = parse_part(&text, unit, &spelling, &part);
        if (reason)
            break;
        if (total < 0 || scale(spelling) >= scale(before))
            return "parts of a time must descend, such as 1h30m";
        total += part;
    }
    if (reason)
        return reason;
    *value = total;
    return NULL;
}

const char *unit_expected(enum unit unit)
{
    return units[unit].expected;
}

/* The shortest decimal text that strtod reads back as the same double. */
static void print_number(char *text, size_t size, double value)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (strchr(text, 'e') && fabs(value) >= 1 && fabs(value) < 1e15) /* a round number: 80, not 8e+01 */
        snprintf(text, size, "%.0f", value);
}

/* The value in another unit. The decimal point is moved in the text: dividing by 0.001 would turn 1.2344 ms into
 * 1.2343999999999999 ms. */
static double in_unit(double value, const struct spelling *spelling)
{
    char text[MAX_NUMBER];
    double moved = value;
    print_number(text, sizeof text, value);
    number_value(text, strlen(text), -spelling->exponent, &moved);
    return moved / spelling->factor;
}

char *unit_print(char *text, size_t size, enum unit unit, double value)
{
    char number[MAX_NUMBER], best[MAX_NUMBER + 16];
    print_number(number, sizeof number, value);
    if (unit == UNIT_NONE) {
        snprintf(text, size, "%s", number);
        return text;
    }
    const struct spelling *spellings = units[unit].spellings;
    snprintf(best, sizeof best, "%s %s", number, spellings->name);
    for (const struct spelling *s = spellings + 1; s->name && value != 0; s++) {
        char candidate[MAX_NUMBER + 16];
        double back;
        print_number(number, sizeof number, in_unit(value, s));
        snprintf(candidate, sizeof candidate, "%s %s", number, s->name);
        if (s->use != READ && strlen(candidate) <= strlen(best) && !unit_parse(candidate, unit, &back) && back == value)
            memcpy(best, candidate, sizeof best);
    }
    snprintf(text, size, "%s", best);
    return text;
}

/* The value in this unit as people want to read it: four significant digits. */
static double round_shown(char *text, size_t size, double value)
{
    snprintf(text, size, "%.*g", SIGNIFICANT, value);
    return strtod(text, NULL);
}

char *unit_show(char *text, size_t size, enum unit unit, double value)
{
    char number[MAX_NUMBER];
    const struct spelling *spelling = units[unit].spellings, *chosen = spelling;
    if (unit == UNIT_NONE || value == 0 || !isfinite(value)) {
        round_shown(number, sizeof number, value);
        snprintf(text, size, "%s%s%s", number, spelling ? " " : "", spelling ? spelling->name : "");
        return text;
    }
    /* Compare after rounding: 999.97 us is shown as 1 ms. */
    int started = 0;
    for (; spelling->name; spelling++) {
        if (spelling->use != SHOWN)
            continue;
        double shown = round_shown(number, sizeof number, value / scale(spelling));
        if (!started || fabs(shown) >= 1)
            chosen = spelling;
        started = 1;
    }
    double amount = value / scale(chosen);
    if (fabs(amount) >= 1000 && fabs(amount) < 1e6)
        snprintf(number, sizeof number, "%.0f", amount);
    else
        round_shown(number, sizeof number, amount);
    snprintf(text, size, "%s %s", number, chosen->name);
    return text;
}

char *unit_show_ps(char *text, size_t size, uint64_t time_ps)
{
    if (time_ps == 0) {
        snprintf(text, size, "0 s");
        return text;
    }
    return unit_show(text, size, UNIT_PICOSECONDS, (double)time_ps);
}
