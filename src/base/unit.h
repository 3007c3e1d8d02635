/* unit.h - quantities with units, read and written.
 *
 * A quantity in a file or on the command line is a number and a unit: "3.35 TB/s", "80 GiB", "100 ns", "1h30m",
 * "0.5 pJ/bit", "700 W", "1410 MHz", "312 TFLOP/s". SI prefixes are powers of ten, IEC prefixes (Ki, Mi, Gi, Ti) powers
 * of two. Inside the program quantities are plain numbers in the base unit that the name of the variable tells.
 */
#ifndef BASE_UNIT_H
#define BASE_UNIT_H

#include <stddef.h>
#include <stdint.h>

enum unit {
    UNIT_NONE,            /* a bare number, no unit allowed */
    UNIT_BYTES,           /* B, kB, MB, GB, TB, KiB, MiB, GiB, TiB -> bytes */
    UNIT_BYTES_PER_S,     /* B/s .. TB/s, GiB/s -> bytes per second */
    UNIT_SECONDS,         /* ps ns us ms s min h d, 1h30m, H:M:S -> seconds */
    UNIT_PICOSECONDS,     /* same spellings -> picoseconds */
    UNIT_HERTZ,           /* Hz kHz MHz GHz -> hertz */
    UNIT_FLOP_PER_S,      /* FLOP/s .. PFLOP/s, OP/s -> per second */
    UNIT_WATTS,           /* mW W kW -> watts */
    UNIT_JOULES,          /* fJ pJ nJ uJ mJ J kJ MJ -> joules */
    UNIT_JOULES_PER_BIT,  /* fJ/bit pJ/bit -> joules per bit */
    UNIT_JOULES_PER_BYTE, /* pJ/B -> joules per byte */
    UNIT_JOULES_PER_FLOP, /* pJ/FLOP -> joules per flop */
    N_UNITS
};

/* Local. Reads a whole quantity. 0 on success; otherwise the reason as a static text ("a unit is missing", ...) */
const char *unit_parse(const char *text, enum unit unit, double *value);

/* Local. What a reader must write, for messages: "a bandwidth such as \"3.35 TB/s\"". */
const char *unit_expected(enum unit unit);

/* Local. Writes a value so that unit_parse reads back exactly the same double (for --print-config). Returns text. */
char *unit_print(char *text, size_t size, enum unit unit, double value);

/* Local. For people: three or four significant digits with a fitting prefix ("1.234 ms", "91.2 GiB", "3.35 TB/s",
 * "12.3 uJ"). Returns text. */
char *unit_show(char *text, size_t size, enum unit unit, double value);

/* Local. Virtual time and energy for people. Returns text. */
char *unit_show_ps(char *text, size_t size, uint64_t time_ps);

#endif
