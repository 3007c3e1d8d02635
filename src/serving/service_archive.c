/* service_archive.c - a whole run, saved and restored. */
#include <stdlib.h>

#include "serving/serving_private.h"

struct serving_progress service_progress(const struct service *service)
{
    struct serving_progress progress = {.now_ps = service->now_ps, .n_finished = service->n_finished};
    for (uint32_t i = 0; i < service->n_instances; i++)
        progress.n_iterations += service->instance[i].total.n_iterations;
    return progress;
}

static void add_queue(struct roll *roll, const struct queue *queue)
{
    for (uint32_t i = 0; i < queue->n; i++)
        roll->sequence[roll->n++] = queue_at(queue, i);
}

static int by_request(const void *left, const void *right)
{
    uint32_t a = (*(struct sequence *const *)left)->request, b = (*(struct sequence *const *)right)->request;
    return (a > b) - (a < b);
}

/* Each is in one place: a queue, among the running, or on its way from one instance to another. */
static void call_roll(const struct service *service, struct roll *roll)
{
    add_queue(roll, &service->central);
    for (uint32_t i = 0; i < service->n_instances; i++) {
        const struct instance *instance = &service->instance[i];
        add_queue(roll, &instance->waiting);
        add_queue(roll, &instance->inbox);
        for (uint32_t r = 0; r < instance->n_running; r++)
            roll->sequence[roll->n++] = instance->running[r];
    }
    for (uint32_t e = 0; e < service->events.n; e++)
        if (service->events.heap[e].kind == EVENT_TRANSFER_END)
            roll->sequence[roll->n++] = service->events.heap[e].subject;
    if (roll->n != service->n_in_system)
        bug("%zu sequences are found, %u are in the system", roll->n, service->n_in_system);
    if (roll->n > 1)
        qsort(roll->sequence, roll->n, sizeof(struct sequence *), by_request);
}

static void renew_roll(struct service *service, struct roll *roll, const uint32_t *request, struct archive *archive)
{
    for (size_t i = 0; i < service->n_in_system && !archive_has_failed(archive); i++) {
        if (request[i] >= service->requests->n || (i && request[i] <= request[i - 1])) {
            archive_refuse(archive, "request %u is in the system", request[i]);
            return;
        }
        roll->sequence[roll->n++] =
            sequence_new(&service->pool, service->requests, request[i], service->config, service->functional);
    }
}

static void archive_sequences(struct service *service, struct roll *roll, struct archive *archive)
{
    struct arena *arena = arena_new();
    service->n_in_system = (uint32_t)archive_count(archive, "n", service->n_in_system);
    roll->sequence = arena_array(service->arena, (size_t)service->n_in_system + 1, sizeof(struct sequence *));
    uint32_t *request = arena_array(arena, (size_t)service->n_in_system + 1, sizeof *request);
    if (!archive_restores(archive))
        call_roll(service, roll);
    for (size_t i = 0; i < roll->n; i++)
        request[i] = roll->sequence[i]->request;
    archive_array(archive, "request", request, service->n_in_system);
    if (archive_restores(archive))
        renew_roll(service, roll, request, archive);
    roll_archive(roll, &service->pool, archive);
    arena_free(arena);
}

static void find_subjects(struct service *service, const struct roll *roll, struct archive *archive)
{
    for (uint32_t e = 0; e < service->events.n; e++) {
        struct event *event = &service->events.heap[e];
        if (event->kind == EVENT_TRANSFER_END && !(event->subject = roll_find(roll, event->number)))
            archive_refuse(archive, "request %u is on its way, but not in the system", event->number);
        if (event->instance >= service->n_instances)
            archive_refuse(archive, "instance %u of %u", event->instance, service->n_instances);
    }
}

static void archive_touched(struct service *service, struct archive *archive)
{
    size_t n = archive_count(archive, "n_touched", service->n_touched);
    if (n > service->n_instances) {
        archive_refuse(archive, "%zu of %u instances", n, service->n_instances);
        return;
    }
    service->n_touched = (uint32_t)n;
    archive_array(archive, "touched", service->touched, n);
    for (size_t t = 0; t < n && archive_restores(archive) && !archive_has_failed(archive); t++) {
        if (service->touched[t] < service->n_instances)
            service->is_touched[service->touched[t]] = 1;
        else
            archive_refuse(archive, "instance %u of %u", service->touched[t], service->n_instances);
    }
}

static void archive_counts(struct service *service, struct archive *archive)
{
    service->next_arrival = archive_count(archive, "next_arrival", service->next_arrival);
    service->n_finished = archive_count(archive, "n_finished", service->n_finished);
    archive_field(archive, "now_ps", &service->now_ps);
    archive_wide(archive, "in_system_ps", &service->in_system_ps, 1, sizeof service->in_system_ps);
    archive_touched(service, archive);
    archive_enter(archive, "entry");
    router_archive(&service->entry, archive);
    archive_leave(archive);
    archive_enter(archive, "decode");
    router_archive(&service->decode, archive);
    archive_leave(archive);
    archive_enter(archive, "itl");
    histogram_archive(service->itl, archive);
    archive_leave(archive);
}

void service_archive(struct service *service, struct archive *archive)
{
    struct roll roll = {NULL, 0};
    archive_enter(archive, "service");
    archive_counts(service, archive);
    archive_enter(archive, "sequence");
    archive_sequences(service, &roll, archive);
    archive_leave(archive);
    queue_archive(&service->central, &roll, &service->pool, "central", archive);
    archive_enter(archive, "event");
    events_archive(&service->events, &service->pool, archive);
    find_subjects(service, &roll, archive);
    archive_leave(archive);
    for (uint32_t i = 0; i < service->n_instances; i++) {
        archive_enter(archive, "instance/%04u", i);
        instance_archive(&service->instance[i], &roll, archive);
        archive_leave(archive);
    }
    archive_enter(archive, "record");
    served_archive(service->record, service->requests->n, archive);
    archive_leave(archive);
    archive_leave(archive);
}
