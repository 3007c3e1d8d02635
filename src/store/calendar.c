#include "store/calendar.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DAY_S = 86400 };

static const int month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static int is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int64_t year, int month)
{
    return month_days[month - 1] + (month == 2 && is_leap(year));
}

int calendar_is_date(int64_t year, int month, int day)
{
    return year >= 0 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= days_in(year, month);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days from 1970-01-01 to the first of January of a year. */
static int64_t days_before(int64_t year)
{
    int64_t y = year - 1;
    return 365 * (year - 1970) + (floor_div(y, 4) - 492) - (floor_div(y, 100) - 19) + (floor_div(y, 400) - 4);
}

int64_t calendar_seconds(int64_t year, int month, int day, int hour, int minute, int second)
{
    int64_t days = days_before(year) + day - 1;
    for (int m = 1; m < month; m++)
        days += days_in(year, m);
    return days * DAY_S + hour * 3600 + minute * 60 + second;
}

/* Reads 1..max_digits digits; 0 if there is none. */
static int digits(const char **at, int max_digits, int *value)
{
    int n = 0;
    for (*value = 0; n < max_digits && isdigit((unsigned char)**at); n++)
        *value = *value * 10 + (*(*at)++ - '0');
    return n;
}

struct moment {
    int field[6]; /* year month day hour minute second */
    int n_fields; /* how many were written */
    int offset_s; /* of the time zone */
};

static const char *read_clock(const char **at, struct moment *moment)
{
    static const int most[3] = {24, 59, 60};
    for (int i = 0; i < 3; i++) {
        if (i > 0 && *(*at)++ != ':')
            return "expected ':' between hours, minutes and seconds";
        if (digits(at, 2, &moment->field[3 + i]) == 0 || moment->field[3 + i] > most[i])
            return "no time of day";
        moment->n_fields = 4 + i;
        if (**at != ':')
            break;
    }
    if (**at == '.' && moment->n_fields == 6)
        for (++*at; isdigit((unsigned char)**at);)
            ++*at;
    return NULL;
}

static const char *read_zone(const char **at, struct moment *moment)
{
    int hours, minutes = 0;
    while (**at == ' ')
        ++*at;
    if (strncasecmp(*at, "UTC", 3) == 0 || strncasecmp(*at, "GMT", 3) == 0)
        *at += 3;
    else if (**at == 'Z' || **at == 'z')
        ++*at;
    else if (**at == '+' || **at == '-') {
        int sign = *(*at)++ == '-' ? -1 : 1;
        if (digits(at, 2, &hours) == 0)
            return "no time zone";
        *at += **at == ':';
        digits(at, 2, &minutes);
        moment->offset_s = sign * (hours * 3600 + minutes * 60);
    }
    return NULL;
}

static const char *read_date(const char **at, struct moment *moment)
{
    if (digits(at, 4, &moment->field[0]) != 4)
        return "a date begins with a year of four digits";
    moment->n_fields = 1;
    char separator = **at;
    for (int i = 1; i < 3 && (separator == '-' || separator == '/') && **at == separator; i++) {
        ++*at;
        if (digits(at, 2, &moment->field[i]) == 0)
            return "expected digits after the year";
        moment->n_fields = i + 1;
    }
    if (!calendar_is_date(moment->field[0], moment->field[1], moment->field[2]))
        return "no such day";
    return NULL;
}

static const char *read_moment(const char *text, struct moment *moment)
{
    *moment = (struct moment){.field = {0, 1, 1, 0, 0, 0}};
    while (*text == ' ')
        text++;
    const char *reason = read_date(&text, moment);
    if (!reason && moment->n_fields == 3 && (*text == 'T' || *text == ' ') && isdigit((unsigned char)text[1])) {
        text++;
        reason = read_clock(&text, moment);
        if (!reason)
            reason = read_zone(&text, moment);
    } else if (!reason && (*text == 'Z' || *text == ' ')) {
        reason = read_zone(&text, moment);
    }
    while (*text == ' ')
        text++;
    if (!reason && *text)
        reason = "something follows the date";
    return reason;
}

static int64_t moment_start(const struct moment *moment)
{
    const int *f = moment->field;
    return calendar_seconds(f[0], f[1], f[2], f[3], f[4], f[5]) - moment->offset_s;
}

const char *calendar_parse(const char *text, int64_t *first_s, int64_t *last_s)
{
    static const int length_s[7] = {0, 0, 0, DAY_S, 3600, 60, 1};
    struct moment moment;
    const char *reason = read_moment(text, &moment);
    if (reason)
        return reason;
    *first_s = moment_start(&moment);
    int64_t length = length_s[moment.n_fields];
    if (moment.n_fields == 2)
        length = (int64_t)days_in(moment.field[0], moment.field[1]) * DAY_S;
    if (moment.n_fields == 1)
        length = (365 + is_leap(moment.field[0])) * (int64_t)DAY_S;
    *last_s = *first_s + length - 1;
    return NULL;
}

/* Length in seconds of a unit's word in the singular or plural; 0 when unknown. */
static double unit_length(const char *word, size_t n)
{
    static const struct {
        const char *word;
        double seconds;
    } units[] = {{"nanosecond", 1e-9}, {"ns", 1e-9}, {"microsecond", 1e-6}, {"us", 1e-6}, {"millisecond", 1e-3},
                 {"msec", 1e-3},       {"ms", 1e-3}, {"second", 1},         {"sec", 1},   {"s", 1},
                 {"minute", 60},       {"min", 60},  {"hour", 3600},        {"hr", 3600}, {"h", 3600},
                 {"day", 86400},       {"d", 86400}, {"week", 604800}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t length = strlen(units[i].word);
        if (strncasecmp(word, units[i].word, length) != 0)
            continue;
        if (n == length || (n == length + 1 && tolower((unsigned char)word[length]) == 's'))
            return units[i].seconds;
    }
    return 0;
}

const char *calendar_units(const char *text, double *unit_s, int64_t *origin_s)
{
    const char *since = strcasestr(text, " since ");
    struct moment moment;
    if (!since)
        return "expected time units such as \"hours since 2000-01-01\"";
    size_t n = (size_t)(since - text);
    while (n > 0 && text[n - 1] == ' ')
        n--;
    double length = unit_length(text, n);
    if (length == 0)
        return "expected a unit of fixed length: seconds, minutes, hours, days or weeks";
    const char *reason = read_moment(since + 7, &moment);
    if (reason)
        return reason;
    *unit_s = length;
    *origin_s = moment_start(&moment);
    return NULL;
}

char *calendar_print(char *text, size_t size, int64_t time_s, int date_only)
{
    int64_t day = floor_div(time_s, DAY_S), second = time_s - day * DAY_S;
    int64_t year = 1970 + floor_div(day * 400, 146097);
    while (days_before(year + 1) <= day)
        year++;
    while (days_before(year) > day)
        year--;
    int left = (int)(day - days_before(year)), month = 1;
    while (left >= days_in(year, month))
        left -= days_in(year, month++);
    if (date_only)
        snprintf(text, size, "%04lld-%02d-%02d", (long long)year, month, left + 1);
    else
        snprintf(text, size, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year, month, left + 1, (int)(second / 3600),
                 (int)(second / 60 % 60), (int)(second % 60));
    return text;
}
