/* cost.h - what one instruction costs on a device, in integers.
 *
 * Virtual time is picoseconds, energy is femtojoules: integers add to the same total in every order, so that breakdowns
 * sum exactly and repetitions can be multiplied. (1 mW over 1 ps is 1 fJ.) Totals are kept in 128 bits (ledger) and
 * told in joules.
 */
#ifndef BASE_COST_H
#define BASE_COST_H

#include <stdint.h>

/* X(enum, name in reports and files, long name) */
#define ENERGY_PARTS(X)                                                                                                \
    X(ENERGY_STATIC, "static", "static and base power")                                                                \
    X(ENERGY_COMPUTE, "compute", "arithmetic units")                                                                   \
    X(ENERGY_SRAM, "sram", "registers, caches and buffers on chip")                                                    \
    X(ENERGY_DRAM, "dram", "device memory")                                                                            \
    X(ENERGY_CONVERT, "convert", "digital-analog conversion")                                                          \
    X(ENERGY_WRITE, "write", "programming of cells")                                                                   \
    X(ENERGY_LINK, "link", "links between devices and to the host")

enum energy_part {
#define X(part, name, text) part,
    ENERGY_PARTS(X)
#undef X
        N_ENERGY_PARTS
};

struct cost {
    uint64_t time_ps;                   /* the engine is busy for this long */
    uint64_t energy_fj[N_ENERGY_PARTS]; /* by part */
    uint64_t flops;                     /* real arithmetic, multiply and add counted as two */
    uint64_t bytes;                     /* traffic to device memory, or over the link for a transfer */
    uint64_t cell_writes;               /* non-volatile cells programmed */
};

/* What 64 bits do not hold (18 kJ, 213 days) is COST_TOO_LARGE, and so is what it is added to or multiplied with:
 * whoever asked for it is refused (cost_is_countable). */
#define COST_TOO_LARGE UINT64_MAX

/* Local. A cost that is no negative number, half up. */
uint64_t cost_whole(double value);

/* Local. Energy in fJ of a power for a time: mW ps. */
uint64_t cost_of_power(uint64_t power_mw, uint64_t time_ps);

/* Local. Is nothing of it too large? */
int cost_is_countable(const struct cost *cost);

/* Local. `part` follows on what `total` holds: everything adds up, the time too. */
void cost_add(struct cost *total, const struct cost *part);

#endif
