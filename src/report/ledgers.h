/* ledgers.h - the tables of devices, virtual time and energy of a run. */
#ifndef REPORT_LEDGERS_H
#define REPORT_LEDGERS_H

#include <stdio.h>

#include "base/arena.h"
#include "report/run.h"

/* More devices than these have no column of their own. */
enum { LEDGERS_MAX_COLUMNS = 8 };

/* Local. Devices (memory, busy, energy), time by class, energy by class, energy by part. */
void ledgers_print(FILE *out, const struct run *run, struct arena *arena);

#endif
