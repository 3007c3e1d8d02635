/* replay_tables.h - a replay beside the measured run that it replays: groups of requests, metrics, errors. */
#ifndef COMMAND_REPLAY_TABLES_H
#define COMMAND_REPLAY_TABLES_H

#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "store/served.h"

/* Records of the same requests, by arrival. */
struct replay_pair {
    const struct served *measured, *emulated; /* [n] */
    size_t n;
};

/* Measured queues up to here are an iteration's wait, not a lack of room. */
#define REPLAY_QUEUE_PS UINT64_C(1000000000000)

/* Local. A table of some of the pairs under a title: mean and percentiles of each metric measured and emulated, their
 * error, and the mean and largest error of the requests one by one. Nothing when there are none. */
void replay_table_print(const char *title, const struct replay_pair *pair, struct arena *arena, FILE *out);

/* Local. The pairs whose place is in [first, end); those that waited in a queue for more than REPLAY_QUEUE_PS when
 * measured (queued 1), or not (0). In the arena. */
struct replay_pair replay_part(const struct replay_pair *pair, size_t first, size_t end);
struct replay_pair replay_queued(const struct replay_pair *pair, int queued, struct arena *arena);

#endif
