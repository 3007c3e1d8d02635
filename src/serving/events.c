#include "serving/events.h"

#include <string.h>

static int goes_before(const struct event *a, const struct event *b)
{
    if (a->time_ps != b->time_ps)
        return a->time_ps < b->time_ps;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    return a->number < b->number;
}

void events_add(struct events *events, struct pool *pool, struct event event)
{
    if (events->n == events->room) {
        uint32_t room = events->room ? 2 * events->room : 16;
        struct event *heap = pool_take(pool, room * sizeof *heap);
        if (events->n)
            memcpy(heap, events->heap, events->n * sizeof *heap);
        pool_give(pool, events->heap, events->room * sizeof *heap);
        events->heap = heap;
        events->room = room;
    }
    uint32_t at = events->n++;
    for (; at && goes_before(&event, &events->heap[(at - 1) / 2]); at = (at - 1) / 2)
        events->heap[at] = events->heap[(at - 1) / 2];
    events->heap[at] = event;
}

uint64_t events_next_ps(const struct events *events)
{
    return events->n ? events->heap[0].time_ps : UINT64_MAX;
}

struct event events_pop(struct events *events)
{
    struct event first = events->heap[0], last = events->heap[--events->n];
    uint32_t at = 0;
    for (uint32_t child = 1; child < events->n; child = 2 * at + 1) {
        child += child + 1 < events->n && goes_before(&events->heap[child + 1], &events->heap[child]);
        if (!goes_before(&events->heap[child], &last))
            break;
        events->heap[at] = events->heap[child];
        at = child;
    }
    events->heap[at] = last;
    return first;
}
