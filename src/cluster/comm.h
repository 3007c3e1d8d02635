/* comm.h - the processes of a run, and how they agree.
 *
 * The only rooms that see MPI are this one and main. Every wait here is a loop of tests that yields the core, then
 * sleeps, and ends with a fault after `peer_timeout_s`: a dead peer never becomes a hang. After such a fault
 * (comm_is_lost) no further collective can work: main prints the message and aborts the job.
 */
#ifndef CLUSTER_COMM_H
#define CLUSTER_COMM_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct comm;

/* Collective. Starts MPI when `parallel` is set or a launcher started this process; otherwise the communicator is this
 * process alone and MPI is never touched. Fault STATUS_USAGE when the launcher says N > 1 and MPI says 1 (N
 * singletons). */
enum status comm_open(int *argc, char ***argv, int parallel, struct comm **comm, struct fault *fault);

/* Local. A communicator of this process alone, without MPI; comm_close ends it. */
struct comm *comm_alone(void);

/* Collective. Ends MPI. With `exit_status` other than 0 after a lost peer: aborts the job. */
void comm_close(struct comm *comm, int exit_status);

/* Local. */
int comm_rank(const struct comm *comm);
int comm_size(const struct comm *comm);
int comm_is_lost(const struct comm *comm);
void comm_set_timeout(struct comm *comm, double peer_timeout_s);

/* Local. Wall seconds spent waiting for others in this room since the start. */
double comm_waited_s(const struct comm *comm);

/* Local. "Open MPI v4.1.4, ..." or "none (one process)". */
const char *comm_library(const struct comm *comm, char *text, size_t size);

/* Collective. All ranks return the same status: that of the lowest rank with a fault, whose text all get (with "rank N:
 * " before it when there is more than one rank and `name_rank` is set). Stands between a step that can fail on one rank
 * and the next collective. */
enum status agree(struct comm *comm, int name_rank, struct fault *fault);

/* Collective. `bytes` bytes of rank 0 to all. */
enum status comm_broadcast(struct comm *comm, void *buffer, size_t bytes, struct fault *fault);

/* Collective. A string of rank 0 to all; on the others *text is taken from the arena. */
enum status comm_broadcast_text(struct comm *comm, struct arena *arena, char **text, struct fault *fault);

/* Collective. Fixed-size records to rank 0: `all` is [size][bytes] there and unused elsewhere. */
enum status comm_gather(struct comm *comm, const void *mine, size_t bytes, void *all, struct fault *fault);

/* Collective. The same, to all ranks. */
enum status comm_gather_all(struct comm *comm, const void *mine, size_t bytes, void *all, struct fault *fault);

/* Collective. Records of different sizes (in bytes) to rank 0, in rank order. On rank 0 *all (from the arena) holds
 * them one after the other and sizes[rank] their sizes; elsewhere they are untouched. */
enum status comm_gather_varying(struct comm *comm, struct arena *arena, const void *mine, size_t bytes, char **all,
                                size_t *sizes, struct fault *fault);

/* Collective. Fault STATUS_FAILED naming `what` when not all ranks have the same value. */
enum status comm_same(struct comm *comm, uint64_t value, const char *what, struct fault *fault);

/* Point to point, between ranks. Post any number, then wait for all of them. Buffers must live until then. Tags are >=
 * 0 and below 2^20. */
struct transfers;
struct transfers *transfers_new(struct comm *comm);
void transfers_free(struct transfers *transfers);
void transfers_send(struct transfers *transfers, int rank, int tag, const void *buffer, size_t bytes);
void transfers_receive(struct transfers *transfers, int rank, int tag, void *buffer, size_t bytes);
enum status transfers_wait(struct transfers *transfers, struct fault *fault);

/* Local. Wall clock, for progress and wall reports only: never for results. */
double wall_s(void);

#endif
