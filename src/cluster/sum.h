/* sum.h - the sum of vectors that several devices hold, in device order, on any number of ranks.
 *
 * Element by element ((v0 + v1) + v2) + ... whatever rank holds which device: the bytes of the result do not depend on
 * the number of ranks. Between ranks each one sums a segment and hands it to the others.
 */
#ifndef CLUSTER_SUM_H
#define CLUSTER_SUM_H

#include <stddef.h>
#include <stdint.h>

#include "cluster/comm.h"

struct sum;

/* Local. For devices 0..n_devices-1, device d on rank home[d] (borrowed). */
struct sum *sum_new(struct comm *comm, const int *home, int n_devices);
void sum_free(struct sum *sum);

/* Collective over the ranks that hold devices. vectors[k] is the vector of the k-th device of this rank, in device
 * order, n elements of element_bytes (4: float, 8: double), replaced by the sum; NULL vectors: no data, times only.
 * *start_ps: in the latest of this rank's devices' ready times, out that of all. *failed: in this rank has met a fault,
 * out any rank has: then the data is not defined, but all ranks have exchanged the same messages. */
enum status sum_run(struct sum *sum, void *const *vectors, size_t n, int element_bytes, uint64_t *start_ps, int *failed,
                    struct fault *fault);

#endif
