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

static void grow(struct events *events, struct pool *pool)
{
    uint32_t room = events->room ? 2 * events->room : 16;
    struct event *heap = pool_take(pool, room * sizeof *heap);
    if (events->n)
        memcpy(heap, events->heap, events->n * sizeof *heap);
    pool_give(pool, events->heap, events->room * sizeof *heap);
    events->heap = heap;
    events->room = room;
}

void events_add(struct events *events, struct pool *pool, struct event event)
{
    if (events->n == events->room)
        grow(events, pool);
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

void events_archive(struct events *events, struct pool *pool, struct archive *archive)
{
    uint32_t n = (uint32_t)archive_count(archive, "n", events->n);
    while (events->room < n)
        grow(events, pool);
    events->n = n;
    struct event none = {.time_ps = 0}, *event = n ? events->heap : &none;
    struct arena *arena = arena_new();
    uint8_t *kind = arena_array(arena, n + 1, sizeof *kind);
    for (uint32_t i = 0; i < n && !archive_restores(archive); i++)
        kind[i] = (uint8_t)event[i].kind;
    archive_array(archive, "kind", kind, n);
    archive_column(archive, "time_ps", &event->time_ps, n, sizeof *event);
    archive_column(archive, "number", &event->number, n, sizeof *event);
    archive_column(archive, "instance", &event->instance, n, sizeof *event);
    for (uint32_t i = 0; i < n && archive_restores(archive); i++) {
        event[i].kind = (enum event_kind)kind[i];
        event[i].subject = NULL;
    }
    arena_free(arena);
}
