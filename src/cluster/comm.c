#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/launcher.h"
#include "cluster/comm_private.h"

static const double DEFAULT_PEER_TIMEOUT_S = 600;

/* A process without a launcher: Open MPI would start a daemon beside it, in case that it starts others. */
static const char LONE[] = "OMPI_MCA_ess_singleton_isolated";

static void start_mpi(struct comm *comm, int is_launched, int *argc, char ***argv)
{
    int provided, is_ours = !is_launched && !getenv(LONE);
    if (is_ours)
        setenv(LONE, "1", 0);
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    if (is_ours)
        unsetenv(LONE); /* processes that this one starts may be launchers */
    comm->mpi = MPI_COMM_WORLD;
    comm->has_mpi = 1;
    MPI_Comm_set_errhandler(comm->mpi, MPI_ERRORS_RETURN);
    MPI_Comm_rank(comm->mpi, &comm->rank);
    MPI_Comm_size(comm->mpi, &comm->size);
}

struct comm *comm_alone(void)
{
    struct comm *comm = calloc(1, sizeof *comm);
    if (!comm)
        bug("out of memory");
    comm->size = 1;
    comm->peer_timeout_s = DEFAULT_PEER_TIMEOUT_S;
    return comm;
}

enum status comm_open(int *argc, char ***argv, int parallel, struct comm **out, struct fault *fault)
{
    struct comm *comm = comm_alone();
    const char *variable = NULL;
    int launched = launcher_size(&variable);
    if (parallel || launched)
        start_mpi(comm, launched, argc, argv);
    *out = comm;
    if (launched > 1 && comm->size == 1)
        return fault_set(
            fault, STATUS_USAGE,
            "the launcher started %d processes (%s) but MPI sees only this one: start it with the launcher of "
            "the MPI it was built with (mpirun), or with srun --mpi=pmix (srun --mpi=list shows what there is)",
            launched, variable);
    return STATUS_OK;
}

void comm_close(struct comm *comm, int exit_status)
{
    if (comm->has_mpi && comm->lost)
        MPI_Abort(comm->mpi, exit_status ? exit_status : STATUS_FAILED);
    if (comm->has_mpi)
        MPI_Finalize();
    free(comm);
}

int comm_rank(const struct comm *comm)
{
    return comm->rank;
}

int comm_size(const struct comm *comm)
{
    return comm->size;
}

int comm_is_lost(const struct comm *comm)
{
    return comm->lost;
}

void comm_set_timeout(struct comm *comm, double peer_timeout_s)
{
    comm->peer_timeout_s = peer_timeout_s;
}

double comm_waited_s(const struct comm *comm)
{
    return comm->waited_s;
}

const char *comm_library(const struct comm *comm, char *text, size_t size)
{
    (void)comm;
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(version, &length);
    snprintf(text, size, "%s", version);
    text[strcspn(text, ",\n")] = '\0';
    return text;
}

enum status comm_broadcast(struct comm *comm, void *buffer, size_t bytes, struct fault *fault)
{
    char *part = buffer;
    while (comm->size > 1 && bytes) {
        size_t piece = bytes < 1u << 30 ? bytes : 1u << 30;
        MPI_Request request;
        MPI_Ibcast(part, (int)piece, MPI_BYTE, 0, comm->mpi, &request);
        enum status status = comm_wait(comm, &request, 1, fault);
        if (status != STATUS_OK)
            return status;
        part += piece;
        bytes -= piece;
    }
    return STATUS_OK;
}

enum status agree(struct comm *comm, int name_rank, struct fault *fault)
{
    if (comm->size == 1 || comm->lost)
        return fault->status;
    int mine = fault->status == STATUS_OK ? comm->size : comm->rank, first = mine;
    MPI_Request request;
    struct fault lost = FAULT_NONE;
    MPI_Iallreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm->mpi, &request);
    if (comm_wait(comm, &request, 1, &lost) != STATUS_OK) {
        if (fault->status == STATUS_OK)
            *fault = lost;
        return fault->status;
    }
    if (first == comm->size)
        return STATUS_OK;
    struct fault theirs = *fault;
    if (name_rank && comm->rank == first)
        fault_prefix(&theirs, "rank %d", comm->rank);
    MPI_Ibcast(&theirs, (int)sizeof theirs, MPI_BYTE, first, comm->mpi, &request);
    if (comm_wait(comm, &request, 1, &lost) == STATUS_OK)
        *fault = theirs;
    return fault->status;
}

enum status comm_broadcast_text(struct comm *comm, struct arena *arena, char **text, struct fault *fault)
{
    uint64_t bytes = comm->rank == 0 ? strlen(*text) + 1 : 0;
    enum status status = comm_broadcast(comm, &bytes, sizeof bytes, fault);
    if (status != STATUS_OK)
        return status;
    if (comm->rank != 0)
        *text = arena_take(arena, bytes);
    return comm_broadcast(comm, *text, bytes, fault);
}

enum status comm_gather(struct comm *comm, const void *mine, size_t bytes, void *all, struct fault *fault)
{
    if (comm->size == 1) {
        memcpy(all, mine, bytes);
        return STATUS_OK;
    }
    MPI_Request request;
    MPI_Igather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, 0, comm->mpi, &request);
    return comm_wait(comm, &request, 1, fault);
}

enum status comm_gather_all(struct comm *comm, const void *mine, size_t bytes, void *all, struct fault *fault)
{
    if (comm->size == 1) {
        memcpy(all, mine, bytes);
        return STATUS_OK;
    }
    MPI_Request request;
    MPI_Iallgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, comm->mpi, &request);
    return comm_wait(comm, &request, 1, fault);
}

enum status comm_gather_varying(struct comm *comm, struct arena *arena, const void *mine, size_t bytes, char **all,
                                size_t *sizes, struct fault *fault)
{
    enum { TAG = 1 };
    uint64_t my_size = bytes;
    uint64_t *their_sizes = arena_array(arena, (size_t)comm->size, sizeof *their_sizes);
    enum status status = comm_gather(comm, &my_size, sizeof my_size, their_sizes, fault);
    if (status != STATUS_OK)
        return status;
    struct transfers *transfers = transfers_new(comm);
    if (comm->rank == 0) {
        size_t total = 0;
        for (int r = 0; r < comm->size; r++)
            total += sizes[r] = their_sizes[r];
        char *to = *all = arena_take(arena, total + 1);
        if (bytes)
            memcpy(to, mine, bytes);
        for (int r = 1; r < comm->size; r++) {
            to += sizes[r - 1];
            if (sizes[r])
                transfers_receive(transfers, r, TAG, to, sizes[r]);
        }
    } else if (bytes) {
        transfers_send(transfers, 0, TAG, mine, bytes);
    }
    status = transfers_wait(transfers, fault);
    transfers_free(transfers);
    return status;
}

enum status comm_same(struct comm *comm, uint64_t value, const char *what, struct fault *fault)
{
    if (comm->size == 1)
        return STATUS_OK;
    uint64_t mine[2] = {value, ~value}, least[2];
    MPI_Request request;
    MPI_Iallreduce(mine, least, 2, MPI_UINT64_T, MPI_MIN, comm->mpi, &request);
    enum status status = comm_wait(comm, &request, 1, fault);
    if (status == STATUS_OK && least[0] != ~least[1])
        return fault_set(fault, STATUS_FAILED, "the ranks do not have the same %s", what);
    return status;
}
