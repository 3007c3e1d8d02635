/* serve_ledger.h - what the devices of a serving instance have done over a run, plan after plan.
 *
 * Instructions keep their own ledgers in the executor. Here stands what only serving knows: how long the instance was
 * at work, so that the rest of each device's time is waiting (at stand-by power) or idle, and what went over the link
 * to the host beside the programs. Of each device, over a stretch of time in which the plan is the same:
 *
 *     busy + waiting = iterations + swaps + stops after the loss of a device;    idle = the stretch - these
 *     waiting: for what its instructions waited for; for the host (its own engine's time, swaps, stops): host copy; the
 *              rest, until the others have ended their part of the iteration: transfer
 *
 * A lost device is idle without power. Energies of instructions, waiting, idle and the host's links sum to the energy
 * that serving tells.
 */
#ifndef SCHEDULER_SERVE_LEDGER_H
#define SCHEDULER_SERVE_LEDGER_H

#include "base/archive.h"
#include "base/arena.h"
#include "plan/ledger.h"

struct serve_ledger {
    int n_devices;
    struct ledger *device;    /* [n_devices] up to start_ps */
    struct ledger_entry host; /* KV swapped or handed over; programs and weights after a loss */
    uint64_t start_ps;        /* since when the plan is as it is */
    uint64_t work_ps;         /* since then: iterations, swaps, stops ... */
    uint64_t host_ps;         /* ... of which the host's: its engine, swaps, stops */
};

/* A stretch that has ended. */
struct serve_stretch {
    const struct ledger *instructions;             /* [n_devices] of its executor: entries, compute_ps, wait_ps */
    const uint64_t *wait_power_mw, *idle_power_mw; /* [n_devices] 0 for lost ones */
    const uint8_t *lost;                           /* [n_devices] or NULL */
    uint64_t end_ps;
};

/* Local. Nothing done yet; the run starts at start_ps. */
void serve_ledger_init(struct serve_ledger *ledger, int n_devices, uint64_t start_ps, struct arena *arena);

/* Local. An iteration of which the host's engine needs host_ps. */
static inline void serve_ledger_iteration(struct serve_ledger *ledger, uint64_t time_ps, uint64_t host_ps)
{
    ledger->work_ps += time_ps;
    ledger->host_ps += host_ps;
}

/* Local. Something over the link to the host; the instance stops for stop_ps meanwhile (0: it goes on). */
void serve_ledger_host(struct serve_ledger *ledger, const struct cost *link, uint64_t stop_ps);

/* Local. Adds a stretch to the devices' ledgers; the next one starts at its end. Bug: a device that worked longer than
 * the instance. */
void serve_ledger_close(struct serve_ledger *ledger, const struct serve_stretch *stretch);

/* Local. Saves or restores. */
void serve_ledger_archive(struct serve_ledger *ledger, struct archive *archive);

#endif
