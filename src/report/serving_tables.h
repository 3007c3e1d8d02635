/* serving_tables.h - a serving run on the terminal: latencies, rates, instances, devices, energy. */
#ifndef REPORT_SERVING_TABLES_H
#define REPORT_SERVING_TABLES_H

#include <stdio.h>

#include "base/arena.h"
#include "store/served.h"

/* Local. All tables of a run; deterministic. */
void serving_tables_print(const struct serving_summary *summary, struct arena *arena, FILE *out);

#endif
