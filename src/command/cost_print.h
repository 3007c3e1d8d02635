/* cost_print.h - what the devices of polyrank cost share: reading sizes, telling a cost. */
#ifndef COMMAND_COST_PRINT_H
#define COMMAND_COST_PRINT_H

#include <stdint.h>

#include "base/cost.h"
#include "base/status.h"

/* Local. Fault STATUS_USAGE: time or energy of this op are more than 64 bits hold. */
enum status cost_check(const char *op, const struct cost *cost, struct fault *fault);

/* Local. "4096x128" -> {4096, 128}; the number of sizes, or 0. */
int cost_read_dims(const char *text, uint64_t dims[5]);

/* Local. One line of a name and a text; time, energy by part and power. To stdout. */
void cost_print_line(const char *name, const char *text);
void cost_print(const struct cost *cost);

#endif
