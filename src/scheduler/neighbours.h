/* neighbours.h - which stations a job lets attention look at, from coordinates or edges. */
#ifndef SCHEDULER_NEIGHBOURS_H
#define SCHEDULER_NEIGHBOURS_H

#include "config/job.h"
#include "model/family.h"
#include "model/windows.h"

/* Local. Gives the model the neighbours that the job asks for, in the arena; nothing when it asks for none. `windows`
 * NULL: no data set. A station always sees itself. By coordinates: the nearest as the crow flies, the one with the
 * smaller number of two that are equally near. By adjacency: those from which an edge leads to it. Faults:
 * STATUS_USAGE (no stations, no coordinates, no adjacency), STATUS_IO. */
enum status neighbours_build(const struct job *job, struct windows *windows, struct arena *arena,
                             struct model_config *config, struct fault *fault);

#endif
