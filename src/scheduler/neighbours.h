/* neighbours.h - which stations a job lets attention look at, from coordinates or from a file. */
#ifndef SCHEDULER_NEIGHBOURS_H
#define SCHEDULER_NEIGHBOURS_H

#include "config/job.h"
#include "model/family.h"
#include "model/windows.h"

/* Local. Gives the model the neighbours that the job asks for, in the arena; nothing when it asks for none. `shape`
 * NULL: no data set. A station always sees itself. By coordinates: the nearest as the crow flies, the one with the
 * smaller number of two that are equally near. Faults: STATUS_USAGE (no stations, no coordinates, a file that is none
 * of pairs), STATUS_IO. */
enum status neighbours_build(const struct job *job, const struct windows_shape *shape, struct arena *arena,
                             struct model_config *config, struct fault *fault);

#endif
