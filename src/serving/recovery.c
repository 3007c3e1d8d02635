/* recovery.c - an instance goes on after the loss of a device: its KV is gone, its machine is another one. */
#include "serving/recovery.h"

#include "serving/serving_private.h"

int service_can_change(const struct service *service, uint32_t instance)
{
    return !service->instance[instance].is_busy;
}

void service_wake(struct service *service, uint64_t at_ps)
{
    service->wake_ps = at_ps;
}

struct serving_recovery service_recovery(const struct service *service, uint32_t instance)
{
    return service->instance[instance].total.recovery;
}

void service_note_fault(struct service *service, uint32_t instance)
{
    service_touch(service, instance)->total.recovery.n_faults++;
}

/* The KV of a sequence is gone; it will be computed once more. */
static void drop(struct instance *instance, struct sequence *s)
{
    struct serving_recovery *recovery = &instance->total.recovery;
    recovery->n_requests++;
    recovery->lost_tokens += s->computed;
    instance->load += s->computed;
    s->lost = s->computed > s->lost ? s->computed : s->lost;
    s->recover_to = s->computed > s->recover_to ? s->computed : s->recover_to;
    s->computed = 0;
    s->is_swapped = 0;
    s->n_named = 0;
    if (instance->engine->forget)
        instance->engine->forget(instance->engine->state, s->request);
}

static void drop_running(struct instance *instance)
{
    while (instance->n_running) {
        struct sequence *s = instance->running[--instance->n_running];
        s->state = SEQUENCE_WAITING;
        s->chunk = 0;
        drop(instance, s);
        kv_release(&instance->cache, &s->table);
        queue_insert(&instance->waiting, instance->pool, s);
    }
}

/* Copies on the host are whole; when they are not to be used they go as well. */
static void drop_swapped(struct instance *instance, int keeps_host)
{
    for (uint32_t i = 0; i < instance->waiting.n; i++) {
        struct sequence *s = queue_at(&instance->waiting, i);
        if (s->is_swapped && keeps_host)
            instance->total.recovery.kept_tokens += s->computed;
        else if (s->is_swapped)
            drop(instance, s);
    }
}

static void count_stop(struct instance *instance, const struct serving_loss *loss)
{
    struct serving_recovery *recovery = &instance->total.recovery;
    recovery->n_lost_devices++;
    recovery->stop_ps += loss->time_ps;
    instance->total.busy_ps += loss->time_ps;
    for (int part = 0; part < N_ENERGY_PARTS; part++) {
        recovery->stop_energy_fj += loss->energy_fj[part];
        instance->total.energy_fj[part] += loss->energy_fj[part];
    }
}

/* Whoever has not ended has to fit the smaller machine, alone. */
static enum status check_rest(const struct service *service, const struct instance *instance, struct fault *fault)
{
    struct fault small = FAULT_NONE;
    for (size_t r = 0; r < service->requests->n; r++)
        if (!service->record[r].finish_ps &&
            serving_check_request(service->config, service->requests, r, instance->engine, instance->number, &small))
            return fault_set(fault, STATUS_DEVICE, "%s", small.text);
    return STATUS_OK;
}

enum status service_lose(struct service *service, uint32_t number, const struct serving_loss *loss, struct fault *fault)
{
    struct instance *instance = service_touch(service, number);
    uint64_t end_ps;
    if (service->config->n_prefill_instances || instance->is_busy)
        bug("instance %u cannot lose a device now", number);
    if (loss->time_ps == 0)
        return fault_set(fault, STATUS_FAILED, "instance %u: a lost device takes no time", number);
    if (__builtin_add_overflow(service->now_ps, loss->time_ps, &end_ps))
        return fault_set(fault, STATUS_FAILED, "virtual time runs out: the run takes more than 213 days");
    drop_running(instance);
    drop_swapped(instance, loss->keeps_host);
    instance_change_engine(instance, loss->engine, service->now_ps);
    count_stop(instance, loss);
    instance->iteration = (struct serving_iteration){.work = instance->work};
    instance->is_busy = 1;
    instance->start_ps = service->now_ps;
    events_add(&service->events, &service->pool,
               (struct event){.time_ps = end_ps, .kind = EVENT_ITERATION_END, .number = number, .instance = number});
    return check_rest(service, instance, fault);
}
