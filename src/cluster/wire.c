#include "cluster/wire.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/comm_private.h"

/* MPI counts are ints. */
enum { TAG_CHANNEL = 1 << 16, MAX_MESSAGE_BYTES = 1 << 30 };

/* What nobody takes after a fault is given up soon. */
#define MOST_FAREWELL_S 0.2

enum channel_state { CHANNEL_IDLE, CHANNEL_EXPECTED, CHANNEL_ARRIVED };

struct outgoing {
    MPI_Request request;
    char *message;
    size_t room;
    int busy;
};

struct wire {
    struct comm *comm;
    int n_channels;
    size_t *max_bytes;
    enum channel_state *state;
    char **incoming;       /* [n_channels] messages, made when first asked for */
    MPI_Request *requests; /* [n_channels] MPI_REQUEST_NULL unless expected */
    int n_expected;
    struct outgoing *outgoing;
    int n_outgoing;
};

static void *take(size_t count, size_t bytes)
{
    void *memory = calloc(count + 1, bytes);
    if (!memory)
        bug("out of memory");
    return memory;
}

struct wire *wire_new(struct comm *comm, int n_channels, const size_t *max_bytes)
{
    struct wire *wire = take(1, sizeof *wire);
    size_t n = (size_t)n_channels;
    wire->comm = comm;
    wire->n_channels = n_channels;
    wire->max_bytes = take(n, sizeof *wire->max_bytes);
    wire->state = take(n, sizeof *wire->state);
    wire->incoming = take(n, sizeof *wire->incoming);
    wire->requests = take(n, sizeof *wire->requests);
    for (int c = 0; c < n_channels; c++) {
        wire->max_bytes[c] = max_bytes[c];
        wire->requests[c] = MPI_REQUEST_NULL;
        if (max_bytes[c] > MAX_MESSAGE_BYTES - sizeof(struct wire_header))
            bug("channel %d: a message of %zu bytes", c, max_bytes[c]);
    }
    return wire;
}

/* Messages that nobody waits for any more (after a fault) are given up. */
static void give_up(MPI_Request *request)
{
    if (*request == MPI_REQUEST_NULL)
        return;
    MPI_Cancel(request);
    MPI_Request_free(request);
}

/* Large messages leave in pieces, even if their receiver has them all: MPI wants to be asked. */
static int has_left(struct outgoing *outgoing, double until_s)
{
    int done = !outgoing->busy;
    while (!done && MPI_Test(&outgoing->request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && wall_s() < until_s)
        ;
    return done;
}

void wire_free(struct wire *wire)
{
    if (!wire)
        return;
    for (int c = 0; c < wire->n_channels; c++) {
        int expected = wire->requests[c] != MPI_REQUEST_NULL;
        give_up(&wire->requests[c]);
        if (!expected)
            free(wire->incoming[c]); /* else MPI may still write there */
    }
    const double until_s = wall_s() + MOST_FAREWELL_S;
    for (int o = 0; o < wire->n_outgoing; o++)
        if (has_left(&wire->outgoing[o], until_s))
            free(wire->outgoing[o].message); /* else MPI may still read there */
    free(wire->max_bytes);
    free(wire->state);
    free(wire->incoming);
    free(wire->requests);
    free(wire->outgoing);
    free(wire);
}

/* The first free outgoing message that has room, else a new one. */
static struct outgoing *free_outgoing(struct wire *wire, size_t bytes)
{
    struct outgoing *found = NULL;
    for (int o = 0; o < wire->n_outgoing; o++) {
        struct outgoing *outgoing = &wire->outgoing[o];
        int done = 0;
        if (outgoing->busy && MPI_Test(&outgoing->request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done)
            outgoing->busy = 0;
        if (!outgoing->busy && (!found || (found->room < bytes && outgoing->room >= bytes)))
            found = outgoing;
    }
    if (!found) {
        wire->outgoing = realloc(wire->outgoing, (size_t)(wire->n_outgoing + 1) * sizeof *wire->outgoing);
        if (!wire->outgoing)
            bug("out of memory");
        found = &wire->outgoing[wire->n_outgoing++];
        memset(found, 0, sizeof *found);
    }
    if (found->room < bytes) {
        free(found->message);
        found->message = take(1, bytes);
        found->room = bytes;
    }
    return found;
}

void wire_send(struct wire *wire, int rank, int channel, const struct wire_header *header, const void *data,
               size_t bytes)
{
    size_t total = sizeof *header + bytes;
    struct outgoing *outgoing = free_outgoing(wire, total);
    memcpy(outgoing->message, header, sizeof *header);
    if (bytes)
        memcpy(outgoing->message + sizeof *header, data, bytes);
    outgoing->busy = 1;
    MPI_Isend(outgoing->message, (int)total, MPI_BYTE, rank, TAG_CHANNEL + channel, wire->comm->mpi,
              &outgoing->request);
}

static void expect(struct wire *wire, int rank, int channel)
{
    size_t room = sizeof(struct wire_header) + wire->max_bytes[channel];
    if (!wire->incoming[channel])
        wire->incoming[channel] = take(1, room);
    MPI_Irecv(wire->incoming[channel], (int)room, MPI_BYTE, rank, TAG_CHANNEL + channel, wire->comm->mpi,
              &wire->requests[channel]);
    wire->state[channel] = CHANNEL_EXPECTED;
    wire->n_expected++;
}

static void note_arrival(struct wire *wire, int channel)
{
    wire->state[channel] = CHANNEL_ARRIVED;
    wire->n_expected--;
}

int wire_arrived(struct wire *wire, int rank, int channel, struct wire_header *header, const void **data)
{
    if (wire->state[channel] == CHANNEL_IDLE)
        expect(wire, rank, channel);
    if (wire->state[channel] == CHANNEL_EXPECTED) {
        int done = 0;
        MPI_Test(&wire->requests[channel], &done, MPI_STATUS_IGNORE);
        if (!done)
            return 0;
        note_arrival(wire, channel);
    }
    memcpy(header, wire->incoming[channel], sizeof *header);
    *data = wire->incoming[channel] + sizeof *header;
    return 1;
}

void wire_taken(struct wire *wire, int channel)
{
    if (wire->state[channel] != CHANNEL_ARRIVED)
        bug("channel %d has no message to take", channel);
    wire->state[channel] = CHANNEL_IDLE;
}

enum status wire_wait(struct wire *wire, struct fault *fault)
{
    if (wire->n_expected == 0)
        bug("no message is expected");
    int channel = MPI_UNDEFINED;
    enum status status = comm_wait_any(wire->comm, wire->requests, wire->n_channels, &channel, fault);
    if (status == STATUS_OK)
        note_arrival(wire, channel);
    return status;
}
