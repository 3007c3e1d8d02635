#include "cluster/sum.h"

#include <stdlib.h>
#include <string.h>

struct header {
    uint64_t start_ps;
    uint64_t failed;
};

struct sum {
    struct comm *comm;
    const int *home;
    int n_devices;
    int n_owners; /* ranks that hold devices */
    int *owner;   /* their numbers, ascending */
    int me;       /* my place among them */
    struct header *headers;
    struct transfers *transfers;
    char *received; /* segments of the other ranks' devices */
    size_t received_bytes;
};

enum { TAG_HEADER = 2, TAG_RESULT = 3, TAG_SEGMENT = 16 };

static void find_owners(struct sum *sum)
{
    int size = comm_size(sum->comm), rank = comm_rank(sum->comm);
    sum->owner = calloc((size_t)size, sizeof *sum->owner);
    sum->headers = calloc((size_t)size, sizeof *sum->headers);
    if (!sum->owner || !sum->headers)
        bug("out of memory");
    for (int r = 0; r < size; r++) {
        int holds = 0;
        for (int d = 0; d < sum->n_devices; d++)
            holds |= sum->home[d] == r;
        if (!holds)
            continue;
        if (r == rank)
            sum->me = sum->n_owners;
        sum->owner[sum->n_owners++] = r;
    }
}

struct sum *sum_new(struct comm *comm, const int *home, int n_devices)
{
    struct sum *sum = calloc(1, sizeof *sum);
    if (!sum)
        bug("out of memory");
    sum->comm = comm;
    sum->home = home;
    sum->n_devices = n_devices;
    sum->transfers = transfers_new(comm);
    find_owners(sum);
    return sum;
}

void sum_free(struct sum *sum)
{
    if (!sum)
        return;
    transfers_free(sum->transfers);
    free(sum->owner);
    free(sum->headers);
    free(sum->received);
    free(sum);
}

static void add_floats(float *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

static void add_doubles(double *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

static void add(void *to, const void *from, size_t n, int element_bytes)
{
    if (element_bytes == 8)
        add_doubles(to, from, n);
    else
        add_floats(to, from, n);
}

/* Elements first..end-1 belong to owner o. */
static size_t segment_start(const struct sum *sum, size_t n, int o)
{
    return n / (size_t)sum->n_owners * (size_t)o + n % (size_t)sum->n_owners * (size_t)o / (size_t)sum->n_owners;
}

static enum status exchange_headers(struct sum *sum, uint64_t *start_ps, int *failed, struct fault *fault)
{
    struct header mine = {*start_ps, (uint64_t)*failed};
    for (int o = 0; o < sum->n_owners; o++) {
        if (o == sum->me)
            continue;
        transfers_receive(sum->transfers, sum->owner[o], TAG_HEADER, &sum->headers[o], sizeof mine);
        transfers_send(sum->transfers, sum->owner[o], TAG_HEADER, &mine, sizeof mine);
    }
    enum status status = transfers_wait(sum->transfers, fault);
    if (status != STATUS_OK)
        return status;
    for (int o = 0; o < sum->n_owners; o++) {
        if (o == sum->me)
            continue;
        if (sum->headers[o].start_ps > *start_ps)
            *start_ps = sum->headers[o].start_ps;
        *failed |= (int)sum->headers[o].failed;
    }
    return STATUS_OK;
}

/* Every device's part of every segment goes to the segment's owner. */
static enum status exchange_segments(struct sum *sum, void *const *vectors, size_t n, size_t element_bytes,
                                     struct fault *fault)
{
    size_t first = segment_start(sum, n, sum->me), mine = segment_start(sum, n, sum->me + 1) - first;
    size_t needed = (size_t)sum->n_devices * mine * element_bytes + 1;
    if (needed > sum->received_bytes) {
        free(sum->received);
        sum->received = malloc(needed);
        sum->received_bytes = needed;
        if (!sum->received)
            bug("out of memory");
    }
    int rank = comm_rank(sum->comm), local = 0;
    for (int d = 0; d < sum->n_devices; d++) {
        if (sum->home[d] != rank) {
            if (mine)
                transfers_receive(sum->transfers, sum->home[d], TAG_SEGMENT + d,
                                  sum->received + (size_t)d * mine * element_bytes, mine * element_bytes);
            continue;
        }
        const char *vector = vectors[local++];
        for (int o = 0; o < sum->n_owners; o++) {
            size_t from = segment_start(sum, n, o), length = segment_start(sum, n, o + 1) - from;
            if (o != sum->me && length)
                transfers_send(sum->transfers, sum->owner[o], TAG_SEGMENT + d, vector + from * element_bytes,
                               length * element_bytes);
        }
    }
    return transfers_wait(sum->transfers, fault);
}

/* Adds elements first .. first+length-1 of all devices, in device order, into `to`. */
static void add_segment(const struct sum *sum, void *const *vectors, size_t first, size_t length, int element_bytes,
                        char *to)
{
    int rank = comm_rank(sum->comm), local = 0;
    size_t bytes = length * (size_t)element_bytes;
    for (int d = 0; d < sum->n_devices; d++) {
        const char *from = sum->home[d] == rank ? (const char *)vectors[local++] + first * (size_t)element_bytes
                                                : sum->received + (size_t)d * bytes;
        if (d == 0)
            memmove(to, from, bytes);
        else
            add(to, from, length, element_bytes);
    }
}

/* The sum is built apart and then put into every local vector: a vector may not change before it was added. */
static enum status sum_segments(struct sum *sum, void *const *vectors, size_t n, int element_bytes, struct fault *fault)
{
    size_t first = segment_start(sum, n, sum->me), length = segment_start(sum, n, sum->me + 1) - first;
    size_t bytes = length * (size_t)element_bytes;
    char *total = malloc(bytes + 1);
    if (!total)
        bug("out of memory");
    add_segment(sum, vectors, first, length, element_bytes, total);
    char *into = vectors[0];
    memcpy(into + first * (size_t)element_bytes, total, bytes);
    for (int o = 0; o < sum->n_owners; o++) {
        size_t from = segment_start(sum, n, o), theirs = segment_start(sum, n, o + 1) - from;
        if (o == sum->me)
            continue;
        if (theirs)
            transfers_receive(sum->transfers, sum->owner[o], TAG_RESULT, into + from * (size_t)element_bytes,
                              theirs * (size_t)element_bytes);
        if (length)
            transfers_send(sum->transfers, sum->owner[o], TAG_RESULT, total, bytes);
    }
    enum status status = transfers_wait(sum->transfers, fault);
    free(total);
    return status;
}

enum status sum_run(struct sum *sum, void *const *vectors, size_t n, int element_bytes, uint64_t *start_ps, int *failed,
                    struct fault *fault)
{
    enum status status = STATUS_OK;
    if (sum->n_owners > 1)
        status = exchange_headers(sum, start_ps, failed, fault);
    if (status != STATUS_OK || !vectors || *failed)
        return status;
    if (sum->n_owners > 1)
        status = exchange_segments(sum, vectors, n, (size_t)element_bytes, fault);
    if (status == STATUS_OK)
        status = sum_segments(sum, vectors, n, element_bytes, fault);
    int rank = comm_rank(sum->comm), local = 0;
    for (int d = 0; d < sum->n_devices && status == STATUS_OK; d++)
        if (sum->home[d] == rank && local++ > 0)
            memcpy(vectors[local - 1], vectors[0], n * (size_t)element_bytes);
    return status;
}
