#include "serving/serving.h"

#include "serving/handover.h"
#include "serving/metrics.h"
#include "serving/serving_private.h"

/* ---- names and defaults ---- */

struct serving_config serving_defaults(void)
{
    return (struct serving_config){
        .max_batch = 256, .token_budget = 8192, .block_tokens = 16, .watermark_permille = 10};
}

const char *batching_policy_name(enum batching_policy policy)
{
    static const char *const names[] = {"chunked", "prefill-first", "static"};
    return names[policy];
}

const char *preemption_policy_name(enum preemption_policy policy)
{
    static const char *const names[] = {"recompute", "swap"};
    return names[policy];
}

const char *router_policy_name(enum router_policy policy)
{
    static const char *const names[] = {"round-robin", "least-loaded", "central", "prefix"};
    return names[policy];
}

/* ---- a run ---- */

static int has_failed(const struct service *service)
{
    return service->fault->status != STATUS_OK;
}

struct instance *service_touch(struct service *service, uint32_t i)
{
    if (!service->is_touched[i]) {
        service->is_touched[i] = 1;
        service->touched[service->n_touched++] = i;
    }
    instance_usage(&service->instance[i], &service->hearing, service->now_ps, service->fault);
    return &service->instance[i];
}

static void assign(struct service *service, struct sequence *s, uint32_t i)
{
    struct instance *instance = service_touch(service, i);
    instance->load += instance_load_of(instance, s);
    queue_insert(&instance->waiting, &service->pool, s);
}

static void arrive(struct service *service)
{
    uint32_t number = (uint32_t)service->next_arrival++;
    struct sequence *s = sequence_new(&service->pool, service->requests, number, service->config, service->functional);
    service->n_in_system++;
    if (service->config->router == ROUTER_CENTRAL)
        queue_insert(&service->central, &service->pool, s);
    else
        assign(service, s, router_choose(&service->entry, service->instance, s));
}

static void take_from_central(struct service *service)
{
    for (const struct sequence *s; (s = queue_head(&service->central));) {
        int64_t taker = router_taker(&service->entry, service->instance, s);
        if (taker < 0)
            return;
        assign(service, queue_pop(&service->central), (uint32_t)taker);
    }
}

static void tell_finished(struct service *service, struct sequence *s)
{
    const struct serving_sink *sink = &service->sink;
    service->record[s->request] = s->record;
    service->n_in_system--;
    service->n_finished++;
    if (sink->finished && !has_failed(service))
        sink->finished(sink->state, &s->record, service->fault);
    if (sink->answer && s->token && !has_failed(service))
        sink->answer(sink->state, s->request, s->token + s->asked->prompt_tokens, s->made, service->fault);
    sequence_free(&service->pool, s);
}

static void end_iteration(struct service *service, uint32_t i)
{
    struct instance *instance = service_touch(service, i);
    uint32_t n = instance->iteration.n_work;
    instance_end(instance, service->now_ps, service->itl);
    for (uint32_t w = 0; w < n && !has_failed(service); w++) {
        struct sequence *s = instance->worker[w];
        if (s->state == SEQUENCE_FINISHED) {
            tell_finished(service, s);
        } else if (s->state == SEQUENCE_HANDOVER) {
            struct instance *to = service_touch(service, router_choose(&service->decode, service->instance, s));
            instance->blocked_at = 0;
            handover_offer(to, s);
        }
    }
}

static void end_transfer(struct service *service, const struct event *event)
{
    struct sequence *s = event->subject;
    struct instance *to = service_touch(service, event->instance);
    service_touch(service, s->from);
    handover_end(service->instance, to, s);
}

static void begin_iteration(struct service *service, struct instance *instance)
{
    uint64_t end_ps;
    if (batching_form(instance, service->now_ps, service->fault) != STATUS_OK || instance->iteration.n_work == 0)
        return;
    if (instance_start(instance, service->now_ps, &end_ps, service->fault) != STATUS_OK)
        return;
    events_add(
        &service->events, &service->pool,
        (struct event){
            .time_ps = end_ps, .kind = EVENT_ITERATION_END, .number = instance->number, .instance = instance->number});
}

/* Everything of this instant has happened: who is idle and has work begins; who has room takes KV over. */
static void begin(struct service *service, struct instance *instance)
{
    if (!instance->is_busy && batching_has_work(instance))
        begin_iteration(service, instance);
    if (instance->role == ROLE_DECODE && !has_failed(service))
        handover_start(service->instance, instance, service->now_ps, &service->events, service->fault);
}

static void begin_touched(struct service *service)
{
    for (uint32_t t = 0; t < service->n_touched && !has_failed(service); t++) {
        service->is_touched[service->touched[t]] = 0;
        begin(service, &service->instance[service->touched[t]]);
    }
    service->n_touched = 0;
}

static void control(struct service *service)
{
    if (service->sink.control && !has_failed(service))
        service->sink.control(service->sink.state, service, service->fault);
}

/* One instant of virtual time. */
static void advance(struct service *service, uint64_t now_ps)
{
    const struct requests *requests = service->requests;
    service->in_system_ps += (wide_uint)service->n_in_system * (now_ps - service->now_ps);
    service->now_ps = now_ps;
    while (events_next_ps(&service->events) == now_ps && !has_failed(service)) {
        struct event event = events_pop(&service->events);
        if (event.kind == EVENT_ITERATION_END)
            end_iteration(service, event.instance);
        else
            end_transfer(service, &event);
    }
    while (service->next_arrival < requests->n && requests->request[service->next_arrival].arrival_ps == now_ps)
        arrive(service);
    take_from_central(service);
    control(service);
    begin_touched(service);
}

static uint64_t next_instant_ps(const struct service *service)
{
    const struct requests *requests = service->requests;
    uint64_t next_ps = events_next_ps(&service->events);
    if (service->next_arrival < requests->n && requests->request[service->next_arrival].arrival_ps < next_ps)
        next_ps = requests->request[service->next_arrival].arrival_ps;
    return next_ps != UINT64_MAX && service->wake_ps > service->now_ps && service->wake_ps < next_ps ? service->wake_ps
                                                                                                     : next_ps;
}

static void run(struct service *service)
{
    const struct requests *requests = service->requests;
    control(service);
    begin_touched(service); /* restored in the middle of an instant */
    for (uint64_t next_ps; !has_failed(service) && (next_ps = next_instant_ps(service)) != UINT64_MAX;)
        advance(service, next_ps);
    if (has_failed(service))
        return;
    if (service->n_finished != requests->n)
        bug("%zu of %zu requests were served and nothing is left to do", service->n_finished, requests->n);
    for (uint32_t i = 0; i < service->n_instances; i++)
        if (service->instance[i].cache.n_used || service->instance[i].load)
            bug("instance %u ends with KV in use or work to do", i);
}

/* ---- before and after ---- */

static enum instance_role role_of(const struct serving_config *config, uint32_t i)
{
    if (!config->n_prefill_instances)
        return ROLE_BOTH;
    return i < config->n_prefill_instances ? ROLE_PREFILL : ROLE_DECODE;
}

static void set_up(struct service *service, const struct serving_engine *engines)
{
    const struct serving_config *config = service->config;
    uint32_t n = service->n_instances, n_prefill = config->n_prefill_instances;
    pool_init(&service->pool, service->arena);
    service->instance = arena_array(service->arena, n, sizeof *service->instance);
    service->touched = arena_array(service->arena, n, sizeof *service->touched);
    service->is_touched = arena_array(service->arena, n, sizeof *service->is_touched);
    service->itl = arena_take(service->arena, sizeof *service->itl);
    service->functional = engines[0].tokens != NULL;
    service->entry = (struct router){config->router, 0, n_prefill ? n_prefill : n, 0};
    service->decode = (struct router){config->router, n_prefill, n - n_prefill, 0};
    service->hearing = (struct hearing){&service->sink, service->sink.sample ? config->sample_ps : 0};
    service->wake_ps = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (engines[i].reset)
            engines[i].reset(engines[i].state);
        instance_init(&service->instance[i], i, role_of(config, i), config, &engines[i], &service->pool,
                      service->arena);
        service->instance[i].phase_ps = service->requests->request[0].arrival_ps;
    }
}

/* Over the time of the run, of the capacity that there was. */
static double kv_share(const struct instance *instance, double span_ps)
{
    double missing = (double)instance->usage.missing_blocks / span_ps;
    return instance->total.kv_blocks
               ? (double)instance->usage.kv_blocks / span_ps / ((double)instance->total.kv_blocks - missing)
               : 0;
}

static struct serving_instance_summary sum_up_instance(const struct instance *instance, uint64_t first_ps,
                                                       uint64_t end_ps, struct arena *arena)
{
    struct serving_instance_summary sum = instance->total;
    double span_ps = (double)(end_ps - first_ps);
    sum.device_busy_ps = arena_array(arena, sum.n_devices, sizeof *sum.device_busy_ps);
    for (uint32_t d = 0; d < sum.n_devices; d++)
        sum.device_busy_ps[d] = instance->total.device_busy_ps[d];
    sum.kv_peak_blocks = instance->cache.peak_used;
    sum.n_evictions = instance->cache.n_evictions;
    uint64_t iterations_ps = sum.busy_ps - sum.recovery.stop_ps;
    sum.mean_batch = iterations_ps ? (double)instance->batch_ps / (double)iterations_ps : 0;
    sum.mean_running = (double)instance->usage.running / span_ps;
    sum.mean_kv_share = kv_share(instance, span_ps);
    sum.idle_energy_fj = instance_idle_energy_fj(instance, end_ps);
    return sum;
}

static void sum_up(struct service *service, struct arena *arena, struct serving_result *result)
{
    uint64_t first_ps = service->requests->request[0].arrival_ps, end_ps = service->now_ps;
    struct serving_summary sum = {
        .end_ps = end_ps, .in_system_ps = service->in_system_ps, .n_instances = service->n_instances};
    sum.instance = arena_array(arena, service->n_instances, sizeof *sum.instance);
    for (uint32_t i = 0; i < service->n_instances && !has_failed(service); i++) {
        instance_usage_end(&service->instance[i], &service->hearing, end_ps, service->fault);
        sum.instance[i] = sum_up_instance(&service->instance[i], first_ps, end_ps, arena);
    }
    serving_summarise(service->config, service->record, service->requests->n, service->itl, &sum);
    if (!has_failed(service))
        *result = (struct serving_result){sum, service->record};
}

enum status serving_run(const struct serving_config *config, const struct requests *requests,
                        const struct serving_engine *engines, size_t n_engines, const struct serving_sink *sink,
                        struct arena *arena, struct serving_result *result, struct fault *fault)
{
    static const struct serving_sink deaf;
    if (serving_check(config, requests, engines, n_engines, fault) != STATUS_OK)
        return fault->status;
    struct service *service = arena_take(arena, sizeof *service);
    *service = (struct service){.config = config,
                                .requests = requests,
                                .sink = sink ? *sink : deaf,
                                .fault = fault,
                                .arena = arena_new(),
                                .n_instances = (uint32_t)n_engines};
    service->record = arena_array(arena, requests->n, sizeof *service->record);
    set_up(service, engines);
    run(service);
    if (!has_failed(service))
        sum_up(service, arena, result);
    for (uint32_t i = 0; i < service->n_instances; i++)
        instance_release(&service->instance[i]);
    arena_free(service->arena);
    return fault->status;
}
