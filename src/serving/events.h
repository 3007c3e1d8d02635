/* events.h - what is to happen, by virtual time; at the same time iterations end before transfers, each by number. */
#ifndef SERVING_EVENTS_H
#define SERVING_EVENTS_H

#include <stdint.h>

#include "base/archive.h"
#include "serving/pool.h"

enum event_kind { EVENT_ITERATION_END, EVENT_TRANSFER_END };

struct event {
    uint64_t time_ps;
    enum event_kind kind;
    uint32_t number;   /* of the instance; of the request */
    uint32_t instance; /* where it happens */
    void *subject;     /* the sequence of a transfer */
};

/* A binary heap from the pool. All zero: empty. */
struct events {
    struct event *heap;
    uint32_t n, room;
};

/* Local. */
void events_add(struct events *events, struct pool *pool, struct event event);

/* Local. The next one; events_next_ps is UINT64_MAX when there is none. */
uint64_t events_next_ps(const struct events *events);
struct event events_pop(struct events *events);

/* Local. Saves or restores; who restores finds the subjects of transfers by their numbers. */
void events_archive(struct events *events, struct pool *pool, struct archive *archive);

#endif
