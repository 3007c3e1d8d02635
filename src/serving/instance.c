#include "serving/instance.h"

#include <string.h>

#include "serving/histogram.h"
#include "serving/metrics.h"

static uint32_t watermark_of(const struct instance *instance)
{
    uint64_t share = (uint64_t)instance->cache.capacity * instance->config->watermark_permille;
    return (uint32_t)((share + 999) / 1000);
}

void instance_init(struct instance *instance, uint32_t number, enum instance_role role,
                   const struct serving_config *config, const struct serving_engine *engine, struct pool *pool,
                   struct arena *arena)
{
    size_t n = config->max_batch, n_devices = engine->n_devices;
    *instance = (struct instance){.number = number, .role = role, .config = config, .engine = engine, .pool = pool};
    kv_cache_init(&instance->cache, engine->kv_capacity_tokens, config->block_tokens, pool);
    instance->watermark = watermark_of(instance);
    instance->running = arena_array(arena, n, sizeof(struct sequence *));
    instance->work = arena_array(arena, n, sizeof *instance->work);
    instance->worker = arena_array(arena, n, sizeof(struct sequence *));
    instance->token = arena_array(arena, n, sizeof *instance->token);
    instance->ends = arena_array(arena, n, sizeof *instance->ends);
    instance->cost.busy_ps = arena_array(arena, n_devices, sizeof *instance->cost.busy_ps);
    instance->total.device_busy_ps = arena_array(arena, n_devices, sizeof *instance->total.device_busy_ps);
    instance->total.device_name = engine->device_name;
    instance->total.n_devices = engine->n_devices;
    instance->total.kv_blocks = instance->cache.capacity;
}

void instance_release(struct instance *instance)
{
    kv_cache_release(&instance->cache);
}

/* ---- another machine ---- */

wide_uint instance_idle_energy_fj(const struct instance *instance, uint64_t end_ps)
{
    uint64_t idle_ps = end_ps - instance->phase_ps - (instance->total.busy_ps - instance->phase_busy_ps);
    return instance->total.idle_energy_fj + (wide_uint)idle_ps * instance->engine->idle_power_mw;
}

void instance_change_engine(struct instance *instance, const struct serving_engine *engine, uint64_t now_ps)
{
    struct kv_cache *cache = &instance->cache, before = *cache;
    instance->total.idle_energy_fj = instance_idle_energy_fj(instance, now_ps);
    instance->phase_ps = now_ps;
    instance->phase_busy_ps = instance->total.busy_ps;
    instance->engine = engine;
    kv_cache_release(cache);
    kv_cache_init(cache, engine->kv_capacity_tokens, before.block_tokens, before.pool);
    cache->peak_used = before.peak_used;
    cache->n_evictions = before.n_evictions;
    cache->changes = before.changes + 1;
    instance->watermark = watermark_of(instance);
    instance->blocked_at = 0;
}

/* ---- means over time ---- */

static void integrate(struct instance *instance, uint64_t now_ps)
{
    struct usage *usage = &instance->usage;
    uint64_t dt_ps = now_ps - usage->since_ps;
    wide_uint running = (wide_uint)instance->n_running * dt_ps, blocks = (wide_uint)instance->cache.n_used * dt_ps;
    wide_uint waiting = (wide_uint)(instance->waiting.n + instance->inbox.n) * dt_ps;
    usage->running += running;
    usage->waiting += waiting;
    usage->kv_blocks += blocks;
    usage->sampled_running += running;
    usage->sampled_waiting += waiting;
    usage->sampled_blocks += blocks;
    if (instance->total.kv_blocks > instance->cache.capacity)
        usage->missing_blocks += (wide_uint)(instance->total.kv_blocks - instance->cache.capacity) * dt_ps;
    usage->busy_ps += instance->is_busy ? dt_ps : 0;
    usage->since_ps = now_ps;
}

static enum status tell_sample(struct instance *instance, const struct hearing *hearing, uint64_t end_ps,
                               struct fault *fault)
{
    struct usage *usage = &instance->usage;
    double length_ps = (double)(end_ps - usage->sample_ps);
    double blocks = (double)usage->sampled_blocks / length_ps;
    const struct serving_sample sample = {
        .instance = instance->number,
        .start_ps = usage->sample_ps,
        .end_ps = end_ps,
        .running = (double)usage->sampled_running / length_ps,
        .waiting = (double)usage->sampled_waiting / length_ps,
        .kv_share = instance->cache.capacity ? blocks / (double)instance->cache.capacity : 0,
        .kv_tokens = blocks * (double)instance->cache.block_tokens,
        .prefill_tokens = usage->prefill_tokens,
        .output_tokens = usage->output_tokens,
        .busy_ps = usage->busy_ps,
    };
    usage->sampled_running = usage->sampled_waiting = usage->sampled_blocks = 0;
    usage->prefill_tokens = usage->output_tokens = usage->busy_ps = 0;
    usage->sample_ps = end_ps;
    return hearing->sink->sample(hearing->sink->state, &sample, fault);
}

/* What happens at the very end of an interval belongs to it. */
enum status instance_usage(struct instance *instance, const struct hearing *hearing, uint64_t now_ps,
                           struct fault *fault)
{
    if (hearing->interval_ps)
        while (now_ps - instance->usage.sample_ps > hearing->interval_ps) {
            uint64_t end_ps = instance->usage.sample_ps + hearing->interval_ps;
            integrate(instance, end_ps);
            if (tell_sample(instance, hearing, end_ps, fault) != STATUS_OK)
                return fault->status;
        }
    integrate(instance, now_ps);
    return STATUS_OK;
}

enum status instance_usage_end(struct instance *instance, const struct hearing *hearing, uint64_t end_ps,
                               struct fault *fault)
{
    if (instance_usage(instance, hearing, end_ps, fault) != STATUS_OK)
        return fault->status;
    if (!hearing->interval_ps || instance->usage.sample_ps == end_ps)
        return STATUS_OK;
    return tell_sample(instance, hearing, end_ps, fault);
}

/* ---- the running ---- */

uint64_t instance_load_of(const struct instance *instance, const struct sequence *s)
{
    uint64_t whole = s->asked->prompt_tokens;
    if (instance->role != ROLE_PREFILL)
        whole += s->asked->output_tokens - 1;
    return whole - s->computed;
}

void instance_insert(struct instance *instance, struct sequence *s)
{
    uint32_t at = instance->n_running++;
    for (; at && instance->running[at - 1]->request > s->request; at--)
        instance->running[at] = instance->running[at - 1];
    instance->running[at] = s;
    s->state = SEQUENCE_RUNNING;
    s->chunk = 0;
}

void instance_remove(struct instance *instance, uint32_t place)
{
    instance->n_running--;
    for (uint32_t i = place; i < instance->n_running; i++)
        instance->running[i] = instance->running[i + 1];
}

/* ---- iterations ---- */

void instance_count_cost(struct instance *instance)
{
    struct serving_cost *cost = &instance->cost;
    for (int part = 0; part < N_ENERGY_PARTS; part++)
        instance->total.energy_fj[part] += cost->energy_fj[part];
    for (uint32_t d = 0; d < instance->engine->n_devices; d++) {
        instance->total.device_busy_ps[d] += cost->busy_ps[d];
        cost->busy_ps[d] = 0;
    }
    memset(cost->energy_fj, 0, sizeof cost->energy_fj);
    cost->time_ps = 0;
}

/* By tokens: which share of the iteration computes KV that was lost with a device. */
static void count_recovery(struct instance *instance, uint64_t time_ps)
{
    struct serving_recovery *recovery = &instance->total.recovery;
    uint64_t tokens = instance->iteration.n_decodes + instance->iteration.prefill_tokens, again = 0;
    wide_uint energy_fj = 0;
    for (uint32_t i = 0; i < instance->iteration.n_work; i++) {
        const struct sequence *s = instance->worker[i];
        if (s->recover_to > s->computed)
            again += s->recover_to - s->computed < s->chunk ? s->recover_to - s->computed : s->chunk;
    }
    for (int part = 0; part < N_ENERGY_PARTS; part++)
        energy_fj += instance->cost.energy_fj[part];
    recovery->recomputed_tokens += again;
    recovery->recompute_ps += (uint64_t)((wide_uint)time_ps * again / tokens);
    recovery->recompute_energy_fj += energy_fj * again / tokens;
}

static enum status check_cost(const struct instance *instance, struct fault *fault)
{
    const struct serving_cost *cost = &instance->cost;
    uint64_t energy_fj = 0;
    for (int part = 0; part < N_ENERGY_PARTS; part++)
        energy_fj |= cost->energy_fj[part];
    if (cost->time_ps == 0 || energy_fj == 0)
        return fault_set(fault, STATUS_FAILED, "instance %u: the engine takes no %s for an iteration of %u sequences",
                         instance->number, cost->time_ps ? "energy" : "time", instance->iteration.n_work);
    for (uint32_t d = 0; d < instance->engine->n_devices; d++)
        if (cost->busy_ps[d] > cost->time_ps)
            return fault_set(fault, STATUS_FAILED, "instance %u: device %u is busy for %llu ps of an iteration of %llu",
                             instance->number, d, (unsigned long long)cost->busy_ps[d],
                             (unsigned long long)cost->time_ps);
    return STATUS_OK;
}

enum status instance_start(struct instance *instance, uint64_t now_ps, uint64_t *end_ps, struct fault *fault)
{
    const struct serving_engine *engine = instance->engine;
    const struct serving_iteration *iteration = &instance->iteration;
    if (engine->iterate(engine->state, iteration, &instance->cost, fault) != STATUS_OK ||
        check_cost(instance, fault) != STATUS_OK)
        return fault->status;
    if (engine->tokens) {
        memset(instance->ends, 0, instance->config->max_batch);
        if (engine->tokens(engine->state, iteration, instance->token, instance->ends, fault) != STATUS_OK)
            return fault->status;
    }
    uint64_t time_ps = instance->cost.time_ps + instance->move_ps;
    struct serving_instance_summary *total = &instance->total;
    instance->batch_ps += (wide_uint)iteration->n_work * time_ps;
    total->busy_ps += time_ps;
    total->n_iterations++;
    total->prefill_tokens += iteration->prefill_tokens;
    total->output_tokens += iteration->n_tokens_made;
    total->peak_batch = iteration->n_work > total->peak_batch ? iteration->n_work : total->peak_batch;
    if (total->recovery.n_requests)
        count_recovery(instance, time_ps);
    instance_count_cost(instance);
    instance->move_ps = 0;
    instance->is_busy = 1;
    instance->start_ps = now_ps;
    if (__builtin_add_overflow(now_ps, time_ps, end_ps))
        return fault_set(fault, STATUS_FAILED, "virtual time runs out: the run takes more than 213 days");
    return STATUS_OK;
}

static void name_blocks(struct instance *instance, struct sequence *s)
{
    uint32_t full = s->computed / instance->cache.block_tokens;
    full = full < s->n_names ? full : s->n_names;
    for (; s->n_named < full; s->n_named++)
        kv_name(&instance->cache, &s->table, s->n_named, s->name[s->n_named]);
}

static void finish(struct instance *instance, struct sequence *s, uint64_t now_ps)
{
    s->state = SEQUENCE_FINISHED;
    s->record.finish_ps = now_ps;
    s->record.output_tokens = s->made;
    s->record.decode_instance = instance->number;
    s->record.itl_p99_ps = s->made > 1 ? quantile_ps(s->gap_ps, s->made - 1, 99) : 0;
    s->record.meets_slo = slo_is_met(&instance->config->slo, &s->record);
    instance->load -= instance_load_of(instance, s);
    kv_release(&instance->cache, &s->table);
    if (instance->engine->forget)
        instance->engine->forget(instance->engine->state, s->request);
    instance->total.n_finished++;
}

/* Out of the running whoever has another state; the others keep their order. */
static void drop_others(struct instance *instance)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < instance->n_running; i++)
        if (instance->running[i]->state == SEQUENCE_RUNNING)
            instance->running[kept++] = instance->running[i];
    instance->n_running = kept;
}

void instance_end(struct instance *instance, uint64_t now_ps, struct histogram *itl)
{
    const struct serving_iteration *iteration = &instance->iteration;
    uint32_t n_made = 0, n_left = 0;
    instance->is_busy = 0;
    for (uint32_t i = 0; i < iteration->n_work; i++) {
        struct sequence *s = instance->worker[i];
        s->computed += s->chunk;
        instance->load -= s->chunk;
        s->chunk = 0;
        if (s->computed >= s->recover_to)
            s->recover_to = 0;
        if (s->n_named < s->n_names)
            name_blocks(instance, s);
        if (!instance->work[i].makes_token)
            continue;
        uint64_t before_ps = s->last_token_ps;
        sequence_token(instance->pool, s, now_ps, instance->token[n_made]);
        if (itl && s->made > 1)
            histogram_add(itl, now_ps - before_ps);
        if (s->made == s->asked->output_tokens || instance->ends[n_made])
            finish(instance, s, now_ps);
        else if (instance->role == ROLE_PREFILL)
            s->state = SEQUENCE_HANDOVER;
        n_left += s->state != SEQUENCE_RUNNING;
        n_made++;
    }
    if (n_left)
        drop_others(instance);
    instance->end_ps = now_ps;
    instance->n_left = n_left;
    instance->usage.prefill_tokens += iteration->prefill_tokens;
    instance->usage.output_tokens += n_made;
}
