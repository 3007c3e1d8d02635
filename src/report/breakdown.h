/* breakdown.h - a device's ledger as named parts that sum to a whole: time, energy by class, energy by part.
 *
 * One order and one set of names for the terminal, the result file and the comparison of runs.
 */
#ifndef REPORT_BREAKDOWN_H
#define REPORT_BREAKDOWN_H

#include "base/wide.h"
#include "plan/ledger.h"

enum {
    TIME_PARTS = 2 * N_KERNEL_CLASSES + 2, /* busy by class, waiting for a class, idle, failed */
    CLASS_PARTS = N_KERNEL_CLASSES + 2,    /* energy by class, waiting, idle */
    SOURCE_PARTS = N_ENERGY_PARTS + 2,     /* energy by part, waiting, idle */
    BREAKDOWN_MAX = TIME_PARTS
};

struct breakdown {
    const char *title; /* "time" */
    int n;
    const char *name[BREAKDOWN_MAX]; /* "gemm", "waiting for host copy", "idle" */
    wide_uint value[BREAKDOWN_MAX];  /* ps or fJ */
};

/* Local. Virtual time of the compute engine in ps: sums to ledger->end_ps. */
void breakdown_time(const struct ledger *ledger, struct breakdown *breakdown);

/* Local. Energy in fJ by kernel class and by part: both sum to ledger_energy_fj. */
void breakdown_energy_by_class(const struct ledger *ledger, struct breakdown *breakdown);
void breakdown_energy_by_part(const struct ledger *ledger, struct breakdown *breakdown);

/* Local. Adds the parts of another device; `sum` is zeroed before the first. (Ledgers are not merged for this: the
 * times of many devices together need not fit 64 bits.) */
void breakdown_add(struct breakdown *sum, const struct breakdown *breakdown);

/* Local. Sum of all parts. */
wide_uint breakdown_sum(const struct breakdown *breakdown);

/* Local. "static", "dram"; "static and base power". */
const char *energy_part_name(enum energy_part part);
const char *energy_part_long_name(enum energy_part part);

#endif
