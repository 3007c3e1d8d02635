/* serving_tables.h - a serving run on the terminal: latencies, rates, instances, faults, devices, time, energy. */
#ifndef REPORT_SERVING_TABLES_H
#define REPORT_SERVING_TABLES_H

#include <stdio.h>

#include "base/arena.h"
#include "report/serving_devices.h"

/* Local. All tables of a run; deterministic. */
void serving_tables_print(const struct serving_summary *summary, const struct serving_devices *devices,
                          const struct serving_faults *faults, struct arena *arena, FILE *out);

#endif
