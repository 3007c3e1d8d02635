/* world.h - what MPI suites share: the communicator, and assertions that all ranks make together. */
#ifndef TESTS_MPI_WORLD_H
#define TESTS_MPI_WORLD_H

#include <check.h>

#include "cluster/comm.h"

void world_set(struct comm *comm);
struct comm *world(void);

/* Collective. Is the condition true on every rank? */
int all_ranks(int condition);

#define ck_all(condition) ck_assert_msg(all_ranks(condition), "not on every rank: %s", #condition)

#endif
