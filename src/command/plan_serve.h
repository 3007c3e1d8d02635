/* plan_serve.h - what `polyrank plan` shows of a serving job. */
#ifndef COMMAND_PLAN_SERVE_H
#define COMMAND_PLAN_SERVE_H

#include "base/status.h"
#include "scheduler/serve.h"

/* Local. Model, machine, partition of the KV cache, memory of each device, room for KV, and what iterations take. */
enum status plan_serve_print(const struct serve *serve, struct fault *fault);

/* Local. Two lines: the model; the machine and who holds the KV cache. */
void plan_serve_head(const struct serve *serve);

#endif
