/* ledger.h - where virtual time and energy went, device by device, exactly.
 *
 * Each device's time line is cut into parts that sum to the run's virtual time: busy by kernel class (on its compute
 * engine), waiting by what it waited for (host copy, collective, transfer), idle (nothing left to do while others
 * still work), and off (it has failed). Energy is summed per kernel class and part in integers; waiting and idle energy
 * are the device's stand-by power times that time; a device that is off draws none.
 */
#ifndef PLAN_LEDGER_H
#define PLAN_LEDGER_H

#include <stdint.h>

#include "base/archive.h"
#include "base/cost.h"
#include "base/wide.h"
#include "kernel/op.h"

struct ledger_entry {
    uint64_t count;   /* instructions */
    uint64_t busy_ps; /* of the engine it runs on */
    wide_uint energy_fj[N_ENERGY_PARTS];
    uint64_t flops, bytes, cell_writes;
};

struct ledger { /* of one device */
    struct ledger_entry entry[N_KERNEL_CLASSES];
    uint64_t compute_ps[N_KERNEL_CLASSES]; /* compute engine busy, by class */
    uint64_t wait_ps[N_KERNEL_CLASSES];    /* compute engine waiting for an instruction of this class */
    uint64_t idle_ps;                      /* before its first work, between programs and after its last */
    uint64_t off_ps;                       /* since it failed */
    wide_uint wait_energy_fj, idle_energy_fj;
    uint64_t end_ps; /* virtual time of the run: the same for all devices */
};

/* Local. Adds `count` times the cost of one instruction. */
void ledger_add(struct ledger *ledger, enum kernel_class class, const struct cost *cost, uint64_t count);

/* Local. Adds all of `from`. */
void ledger_merge(struct ledger *ledger, const struct ledger *from);

/* Local. All energy of one device; energy of one class. */
wide_uint ledger_energy_fj(const struct ledger *ledger);
wide_uint ledger_class_energy_fj(const struct ledger *ledger, enum kernel_class class);

/* Local. Saves or restores the work of all classes (counts, busy times, energy, traffic): what ledger_add adds up. */
void ledger_archive(struct ledger *ledger, struct archive *archive);

/* Local. Bug when the parts do not sum to the whole: sum(compute) + sum(wait) + idle + off = end. */
void ledger_validate(const struct ledger *ledger);

#endif
