#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "cluster/comm_private.h"

double wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* First give the core away without sleeping (an answer is usually near), then sleep longer and longer: idle ranks must
 * not burn the cores that busy ones need. */
static void back_off(unsigned turn)
{
    enum { YIELDS = 400, FIRST_SLEEP_NS = 20000, LAST_SLEEP_NS = 500000 };
    if (turn < YIELDS) {
        sched_yield();
        return;
    }
    long sleep_ns = FIRST_SLEEP_NS * (1 + (long)(turn - YIELDS) / 16);
    struct timespec pause = {0, sleep_ns < LAST_SLEEP_NS ? sleep_ns : LAST_SLEEP_NS};
    nanosleep(&pause, NULL);
}

static enum status lose(struct comm *comm, int error, struct fault *fault)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(error, text, &length);
    comm->lost = 1;
    return fault_set(fault, STATUS_FAILED, "rank %d lost its connection to another rank (%.*s)", comm->rank, length,
                     text);
}

/* Tests until `test` says done. */
static enum status wait_until(struct comm *comm, int (*test)(void *what, int *done), void *what, struct fault *fault)
{
    double start_s = wall_s();
    enum status status = STATUS_OK;
    for (unsigned turn = 0;; turn++) {
        int done = 0;
        int error = test(what, &done);
        if (error != MPI_SUCCESS) {
            status = lose(comm, error, fault);
            break;
        }
        if (done)
            break;
        if (turn > 1000 && wall_s() - start_s > comm->peer_timeout_s) {
            comm->lost = 1;
            status =
                fault_set(fault, STATUS_FAILED,
                          "rank %d waited %.0f s for another rank: it hangs or died (--peer-timeout sets the limit)",
                          comm->rank, comm->peer_timeout_s);
            break;
        }
        back_off(turn);
    }
    comm->waited_s += wall_s() - start_s;
    return status;
}

struct request_list {
    MPI_Request *requests;
    int n;
    int which; /* the one that is done */
};

static int test_all(void *what, int *done)
{
    struct request_list *list = what;
    return MPI_Testall(list->n, list->requests, done, MPI_STATUSES_IGNORE);
}

static int test_any(void *what, int *done)
{
    struct request_list *list = what;
    return MPI_Testany(list->n, list->requests, &list->which, done, MPI_STATUS_IGNORE);
}

enum status comm_wait(struct comm *comm, MPI_Request *requests, int n, struct fault *fault)
{
    struct request_list list = {requests, n, MPI_UNDEFINED};
    return wait_until(comm, test_all, &list, fault);
}

enum status comm_wait_any(struct comm *comm, MPI_Request *requests, int n, int *which, struct fault *fault)
{
    struct request_list list = {requests, n, MPI_UNDEFINED};
    enum status status = wait_until(comm, test_any, &list, fault);
    *which = list.which;
    return status;
}

struct transfers {
    struct comm *comm;
    MPI_Request *requests;
    int n, max;
};

struct transfers *transfers_new(struct comm *comm)
{
    struct transfers *transfers = calloc(1, sizeof *transfers);
    if (!transfers)
        bug("out of memory");
    transfers->comm = comm;
    return transfers;
}

void transfers_free(struct transfers *transfers)
{
    if (transfers)
        free(transfers->requests);
    free(transfers);
}

static MPI_Request *next_request(struct transfers *transfers)
{
    if (transfers->n == transfers->max) {
        transfers->max = transfers->max ? 2 * transfers->max : 16;
        transfers->requests = realloc(transfers->requests, (size_t)transfers->max * sizeof *transfers->requests);
        if (!transfers->requests)
            bug("out of memory");
    }
    return &transfers->requests[transfers->n++];
}

/* MPI counts are ints: long messages go in pieces. */
enum { PIECE_BYTES = 1 << 30 };

void transfers_send(struct transfers *transfers, int rank, int tag, const void *buffer, size_t bytes)
{
    const char *from = buffer;
    do {
        size_t piece = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
        MPI_Isend(from, (int)piece, MPI_BYTE, rank, tag, transfers->comm->mpi, next_request(transfers));
        from += piece;
        bytes -= piece;
    } while (bytes);
}

void transfers_receive(struct transfers *transfers, int rank, int tag, void *buffer, size_t bytes)
{
    char *to = buffer;
    do {
        size_t piece = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
        MPI_Irecv(to, (int)piece, MPI_BYTE, rank, tag, transfers->comm->mpi, next_request(transfers));
        to += piece;
        bytes -= piece;
    } while (bytes);
}

enum status transfers_wait(struct transfers *transfers, struct fault *fault)
{
    int n = transfers->n;
    transfers->n = 0;
    return n ? comm_wait(transfers->comm, transfers->requests, n, fault) : STATUS_OK;
}
