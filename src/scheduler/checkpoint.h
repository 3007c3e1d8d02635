/* checkpoint.h - the state of a run on disk: written by all ranks together, restored on any number of them.
 *
 * Each rank saves what it holds (its devices; rank 0 also the run itself) into an archive of its own. Rank 0 makes the
 * file from the names of all of them, in alphabetical order, and takes the values in pieces from their owners: the same
 * bytes for every number of ranks. The ranks send to rank 0 rather than write side by side through MPI-IO because no
 * collective of MPI-IO can be given a time limit: here every wait ends (cluster/comm.h), whoever has died.
 *
 * DIR/checkpoint.h5 is the newest, DIR/checkpoint.prev.h5 the one before (store/state.h).
 */
#ifndef SCHEDULER_CHECKPOINT_H
#define SCHEDULER_CHECKPOINT_H

#include "cluster/comm.h"
#include "store/state.h"

/* Collective. Writes one checkpoint; `head` counts on rank 0 only. After a fault (a full disk) the one before is
 * still there. */
enum status checkpoint_write(struct comm *comm, const char *path, const struct state_head *head,
                             struct archive *archive, struct fault *fault);

/* A checkpoint to go on from, open on this rank. */
struct checkpoint {
    const char *path; /* NULL: there is none, the run starts from its beginning */
    struct state_file *file;
};

/* Collective. Finds and opens the checkpoint that `resume` asks for on all ranks: a file, or "auto": the newest valid
 * one of the two beside `path`. Passed-over ones are told on stderr with the reason. `expected` (rank 0) is what this
 * run is. Faults: STATUS_IO when the file, or with auto every file there is, is damaged; STATUS_USAGE when it belongs
 * to another run: the text names the keys of the job that differ. */
enum status checkpoint_open(struct comm *comm, const char *resume, const char *path, const struct state_head *expected,
                            struct arena *arena, struct checkpoint *checkpoint, struct fault *fault);
void checkpoint_close(struct checkpoint *checkpoint);

#endif
