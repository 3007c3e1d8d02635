/* comm_private.h - inside src/cluster only. */
#ifndef CLUSTER_COMM_PRIVATE_H
#define CLUSTER_COMM_PRIVATE_H

#include <mpi.h>

#include "cluster/comm.h"

struct comm {
    MPI_Comm mpi;
    int rank, size;
    int has_mpi;
    int lost;
    double peer_timeout_s;
    double waited_s;
};

/* Local. Waits for all requests; sets comm->lost on a timeout or an MPI error. */
enum status comm_wait(struct comm *comm, MPI_Request *requests, int n, struct fault *fault);

/* Local. Waits for one of the requests (MPI_REQUEST_NULL: none) and tells which. */
enum status comm_wait_any(struct comm *comm, MPI_Request *requests, int n, int *which, struct fault *fault);

#endif
