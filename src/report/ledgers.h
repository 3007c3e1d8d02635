/* ledgers.h - the tables of devices, virtual time and energy of a run. */
#ifndef REPORT_LEDGERS_H
#define REPORT_LEDGERS_H

#include <stdio.h>

#include "base/arena.h"
#include "report/run.h"

/* More devices than these have no column of their own. */
enum { LEDGERS_MAX_COLUMNS = 8 };

/* Local. Devices (memory, busy, energy), time by class, energy by class, energy by part; links to the host, where there
 * are some, count as host copy. */
void ledgers_print(FILE *out, const struct run_devices *devices, struct arena *arena);

/* Local. What the links to the host did as a ledger: energy alone, its times are no device's. */
struct ledger ledgers_host(const struct run_devices *devices);

#endif
