/* output.h - the folder that a run writes into. */
#ifndef COMMAND_OUTPUT_H
#define COMMAND_OUTPUT_H

#include "base/arena.h"
#include "config/job.h"

/* Local. A file of the job's output folder, in the arena. */
const char *output_path(struct arena *arena, const struct job *job, const char *name);

/* Local, once. The folder must exist, or be made, and must not hold the file `result` already (unless `force`), before
 * hours of work go into it. It is locked until this process ends: two runs never work in one folder; one that is on its
 * way out is waited for. */
enum status output_prepare(struct arena *arena, const struct job *job, const char *result, int force,
                           struct fault *fault);

#endif
