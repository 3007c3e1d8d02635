/* calendar.h - dates as seconds since 1970-01-01T00:00:00 in the Gregorian calendar (extended into the past), no leap
 * seconds. */
#ifndef STORE_CALENDAR_H
#define STORE_CALENDAR_H

#include <stddef.h>
#include <stdint.h>

/* Local. Seconds of a date; month 1..12, day 1..31 (not checked). */
int64_t calendar_seconds(int64_t year, int month, int day, int hour, int minute, int second);

/* Local. 1 if year, month and day are a date. */
int calendar_is_date(int64_t year, int month, int day);

/* Local. Reads ISO 8601 as data files write it: 2019, 2019-03, 2019-03-08, 2019/03/08, then after T or a blank 14,
 * 14:30, 14:30:05, 14:30:05.250 (fractions are dropped), then Z or +01:00. What is named is an interval (a month, a
 * day, a second): its first and last second. 0 on success, otherwise the reason as a static text. */
const char *calendar_parse(const char *text, int64_t *first_s, int64_t *last_s);

/* Local. Reads CF time units, "hours since 1980-01-14 14:00:00": length of the unit in seconds (as a double:
 * milliseconds are 1e-3) and the origin. 0 on success, otherwise the reason: months and years have no fixed length. */
const char *calendar_units(const char *text, double *unit_s, int64_t *origin_s);

/* Local. "1980-01-14T14:00:00"; the date alone when `date_only`. Returns text. */
char *calendar_print(char *text, size_t size, int64_t time_s, int date_only);

#endif
