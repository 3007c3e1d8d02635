/* wire.h - messages between devices on different ranks: numbered channels, each used once in a run of a program.
 *
 * A sender never waits: the message is copied and on its way. A receiver asks whether the message of a channel is here,
 * and when nothing else is left to do, waits until any message that it asked for arrives. So ranks that follow one
 * global order of instructions cannot lock each other up, whatever devices they hold.
 */
#ifndef CLUSTER_WIRE_H
#define CLUSTER_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "cluster/comm.h"

struct wire;

/* What travels with every message. */
struct wire_header {
    uint64_t start_ps; /* virtual time at which the sender's port began to send */
    uint64_t failed;   /* the sender's rank has met a fault: there are no data */
};

/* Local. max_bytes[channel] of data at most; channels 0 .. n_channels-1, below 2^20. */
struct wire *wire_new(struct comm *comm, int n_channels, const size_t *max_bytes);
void wire_free(struct wire *wire);

/* Local. Sends `bytes` bytes (0: the header alone) to another rank. */
void wire_send(struct wire *wire, int rank, int channel, const struct wire_header *header, const void *data,
               size_t bytes);

/* Local. 1 when the channel's message from `rank` is here: *header and *data are set, and stay until the channel is
 * asked again after wire_taken. */
int wire_arrived(struct wire *wire, int rank, int channel, struct wire_header *header, const void **data);

/* Local. The message was used; the channel is free for the next run. */
void wire_taken(struct wire *wire, int channel);

/* Local, but waits for others. Until a channel that wire_arrived was asked about in vain has its message. Fault
 * STATUS_FAILED when that takes longer than the peer timeout. Bug when nothing is expected. */
enum status wire_wait(struct wire *wire, struct fault *fault);

#endif
