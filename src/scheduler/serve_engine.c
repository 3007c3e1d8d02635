#include "scheduler/serve_engine.h"

#include <stdlib.h>
#include <string.h>

#include "device/catalogue.h"

struct serve_engine {
    struct comm *comm;
    const struct decoder_plan *plan;
    struct serve_engine_options options;
    struct decoder_source weights;
    struct executor *executor;
    struct arena *arena;
    uint64_t *busy_ps, *wait_power_mw;
    uint64_t idle_power_mw, kv_bytes_per_token;
    struct link_profile host;
    int interrupts;
    int is_abandoned;
    /* of the last iteration */
    struct batch_part *parts; /* [max_sequences] */
    uint32_t *ids;            /* [max_tokens] */
    uint32_t *next;           /* [max_answers] in the order of the batch */
    int *answer_of;           /* [max_sequences] work item: its number in `next`, or -1 */
};

static enum status open_executor(struct serve_engine *engine, struct fault *fault)
{
    const struct serve_engine_options *options = &engine->options;
    const struct executor_options executor_options = {
        .timing_only = options->timing_only,
        .seed = options->seed,
        .prices = decoder_plan_prices(engine->plan),
        .decoder = &engine->plan->config,
        .weights = options->timing_only ? NULL : &engine->weights,
        .trace_steps = options->trace_steps,
    };
    return executor_open(engine->comm, &engine->plan->plan, engine->plan->machine->specs, NULL, &executor_options,
                         &engine->executor, fault);
}

/* Lost devices draw nothing. */
static void describe_devices(struct serve_engine *engine)
{
    const struct machine *machine = engine->plan->machine;
    size_t n = (size_t)machine->n_devices;
    uint64_t shards = engine->plan->layout.pims_per_gpu ? (uint64_t)engine->plan->layout.shards : 1;
    engine->busy_ps = arena_array(engine->arena, n, sizeof *engine->busy_ps);
    engine->wait_power_mw = arena_array(engine->arena, n, sizeof *engine->wait_power_mw);
    engine->idle_power_mw = engine->kv_bytes_per_token = 0;
    for (int d = 0; d < machine->n_devices; d++) {
        if (engine->plan->lost && engine->plan->lost[d])
            continue;
        engine->wait_power_mw[d] = machine->backends[d]->wait_power_mw(machine->states[d]);
        engine->idle_power_mw += device_idle_power_mw(machine->backends[d], machine->states[d], &machine->specs[d]);
        engine->kv_bytes_per_token += engine->plan->need[d].kv_bytes_per_token;
    }
    engine->kv_bytes_per_token = (engine->kv_bytes_per_token + shards - 1) / shards;
}

enum status serve_engine_open(struct comm *comm, const struct decoder_plan *plan,
                              const struct serve_engine_options *options, struct serve_engine **out,
                              struct fault *fault)
{
    struct arena *arena = arena_new();
    struct serve_engine *engine = arena_take(arena, sizeof *engine);
    size_t sequences = (size_t)plan->layout.max_answers, tokens = (size_t)plan->layout.max_tokens;
    const struct link_profile *host = catalogue_link(options->host_link);
    engine->comm = comm;
    engine->plan = plan;
    engine->options = *options;
    if (options->weights)
        engine->weights = *options->weights;
    engine->arena = arena;
    engine->parts = arena_array(arena, sequences, sizeof *engine->parts);
    engine->ids = arena_array(arena, tokens, sizeof *engine->ids);
    engine->next = arena_array(arena, sequences, sizeof *engine->next);
    engine->answer_of = arena_array(arena, sequences, sizeof *engine->answer_of);
    if (host)
        engine->host = *host;
    else
        fault_set(fault, STATUS_USAGE, "unknown link profile '%s': polyrank devices lists them", options->host_link);
    describe_devices(engine);
    enum status status = agree(comm, 0, fault);
    if (status == STATUS_OK)
        status = open_executor(engine, fault);
    if (status == STATUS_OK)
        *out = engine;
    else
        serve_engine_close(engine);
    return status;
}

void serve_engine_close(struct serve_engine *engine)
{
    if (!engine)
        return;
    executor_close(engine->executor);
    arena_free(engine->arena);
}

/* With PIM devices prompts attend on the GPU, decoding sequences to the cache; without, all to the cache. */
static int attends_to_cache(const struct serve_engine *engine, const struct serving_work *work)
{
    return !engine->plan->layout.pims_per_gpu || !work->is_prefill;
}

static void add_part(struct serve_engine *engine, const struct serving_work *work, int i, struct batch *batch)
{
    const struct serve_engine_options *options = &engine->options;
    engine->parts[batch->n_parts++] = (struct batch_part){
        .context = work->context,
        .tokens = (int32_t)work->new_tokens,
        .is_answer = work->makes_token,
        .request = work->request,
        .temperature = (float)options->temperature,
        .top_p = (float)options->top_p,
        .block = work->block,
    };
    engine->answer_of[i] = work->makes_token ? (int)batch->n_answers++ : -1;
    if (work->token)
        memcpy(engine->ids + batch->n_tokens, work->token + work->context, work->new_tokens * sizeof *engine->ids);
    batch->n_tokens += work->new_tokens;
}

static enum status make_batch(struct serve_engine *engine, const struct serving_iteration *iteration,
                              struct batch *batch, struct fault *fault)
{
    uint64_t tokens = iteration->n_decodes + iteration->prefill_tokens;
    const struct decoder_layout *layout = &engine->plan->layout;
    if (iteration->n_work > (uint64_t)layout->max_answers || tokens > (uint64_t)layout->max_tokens)
        return fault_set(fault, STATUS_FAILED,
                         "an iteration of %u sequences and %llu tokens on a plan for %lld and %lld", iteration->n_work,
                         (unsigned long long)tokens, (long long)layout->max_answers, (long long)layout->max_tokens);
    *batch = (struct batch){.parts = engine->parts, .ids = engine->options.timing_only ? NULL : engine->ids};
    for (int cached = 1; cached >= 0; cached--) {
        for (uint32_t i = 0; i < iteration->n_work; i++)
            if (attends_to_cache(engine, &iteration->work[i]) == cached)
                add_part(engine, &iteration->work[i], (int)i, batch);
        if (cached) {
            batch->n_cached = batch->n_parts;
            batch->n_cached_tokens = batch->n_tokens;
        }
    }
    return STATUS_OK;
}

static void add_waiting(const struct serve_engine *engine, uint64_t time_ps, struct serving_cost *cost)
{
    for (int d = 0; d < engine->plan->machine->n_devices; d++) {
        uint64_t busy_ps = engine->busy_ps[d] < time_ps ? engine->busy_ps[d] : time_ps;
        cost->energy_fj[ENERGY_STATIC] += engine->wait_power_mw[d] * (time_ps - busy_ps);
        if (cost->busy_ps)
            cost->busy_ps[d] = busy_ps;
    }
}

static enum status iterate(void *state, const struct serving_iteration *iteration, struct serving_cost *cost,
                           struct fault *fault)
{
    struct serve_engine *engine = state;
    struct batch batch;
    struct step_result result;
    struct iteration_cost own = {.busy_ps = engine->busy_ps};
    enum status status = make_batch(engine, iteration, &batch, fault);
    if (status == STATUS_OK && engine->options.turn)
        status = engine->options.turn(engine->options.state, engine->options.number, fault);
    if (status != STATUS_OK)
        return status;
    const struct iteration now = {
        .batch = &batch, .number = (uint32_t)iteration->number + 1, .not_before_ps = iteration->start_ps};
    status = executor_iterate(engine->executor, &now, engine->next, &own, &result, fault);
    if (status != STATUS_OK) {
        serve_engine_abandon(engine);
        return status;
    }
    engine->interrupts = result.interrupts > engine->interrupts ? result.interrupts : engine->interrupts;
    cost->time_ps = result.end_ps - iteration->start_ps + engine->options.overhead_ps;
    memcpy(cost->energy_fj, own.energy_fj, sizeof cost->energy_fj);
    add_waiting(engine, cost->time_ps, cost);
    return STATUS_OK;
}

static enum status tokens(void *state, const struct serving_iteration *iteration, uint32_t *token, uint8_t *ends,
                          struct fault *fault)
{
    const struct serve_engine *engine = state;
    (void)fault;
    for (uint32_t i = 0, made = 0; i < iteration->n_work; i++) {
        if (engine->answer_of[i] < 0)
            continue;
        token[made] = engine->next[engine->answer_of[i]];
        ends[made] = (int32_t)token[made] == engine->options.eos || (int32_t)token[made] == engine->options.bos;
        made++;
    }
    return STATUS_OK;
}

/* KV of n tokens goes over the link to the host, one way. */
static enum status move(void *state, const struct serving_move *moved, struct serving_cost *cost, struct fault *fault)
{
    const struct serve_engine *engine = state;
    struct cost link;
    if (!engine->options.timing_only && engine->options.move(engine->options.state, moved, fault) != STATUS_OK)
        return fault->status;
    link_transfer_cost(&engine->host, moved->n_tokens * engine->kv_bytes_per_token, &link);
    cost->time_ps = link.time_ps;
    memcpy(cost->energy_fj, link.energy_fj, sizeof cost->energy_fj);
    for (int d = 0; d < engine->plan->machine->n_devices; d++)
        cost->energy_fj[ENERGY_STATIC] += engine->wait_power_mw[d] * link.time_ps;
    return STATUS_OK;
}

static void reset(void *state)
{
    struct serve_engine *engine = state;
    struct fault fault = FAULT_NONE;
    executor_close(engine->executor);
    engine->executor = NULL;
    if (open_executor(engine, &fault) != STATUS_OK)
        bug("an executor that was open before does not open again: %s", fault.text);
}

struct serving_engine serve_engine_kind(const struct decoder_plan *plan, int timing_only)
{
    uint64_t own = (uint64_t)plan->layout.n_blocks * (uint64_t)plan->layout.block_tokens;
    return (struct serving_engine){
        .kv_capacity_tokens = timing_only || plan->kv_capacity_tokens < own ? plan->kv_capacity_tokens : own,
        .kv_block_tokens = (uint32_t)plan->layout.block_tokens,
        .context_tokens = (uint32_t)plan->config.context,
        .n_devices = (uint32_t)plan->machine->n_devices,
        .device_name = plan->device_name,
        .iterate = iterate,
        .swap = move,
        .transfer = move,
        .tokens = timing_only ? NULL : tokens,
        .reset = timing_only ? reset : NULL,
    };
}

struct serving_engine serve_engine_of(struct serve_engine *engine)
{
    struct serving_engine serving = serve_engine_kind(engine->plan, engine->options.timing_only);
    serving.state = engine;
    serving.idle_power_mw = engine->idle_power_mw;
    return serving;
}

enum status serve_engine_follow(struct serve_engine *engine, uint32_t *wish, struct fault *fault)
{
    struct step_result result = {0};
    enum status status = STATUS_OK;
    *wish = 0;
    while (status == STATUS_OK && !result.stopped && !result.wish)
        status = executor_iterate(engine->executor, &(struct iteration){0}, NULL, NULL, &result, fault);
    *wish = result.wish;
    return status;
}

enum status serve_engine_wish(struct serve_engine *engine, uint32_t wish, struct fault *fault)
{
    struct step_result result;
    if (engine->is_abandoned)
        return STATUS_OK;
    return executor_iterate(engine->executor, &(struct iteration){.wish = wish}, NULL, NULL, &result, fault);
}

void serve_engine_abandon(struct serve_engine *engine)
{
    engine->is_abandoned = 1;
}

int serve_engine_interrupts(const struct serve_engine *engine)
{
    return engine->interrupts;
}

enum status serve_engine_replan(struct serve_engine *engine, const struct decoder_plan *plan, struct fault *fault)
{
    executor_close(engine->executor);
    engine->executor = NULL;
    engine->plan = plan;
    describe_devices(engine);
    enum status status = open_executor(engine, fault);
    if (status != STATUS_OK)
        serve_engine_abandon(engine);
    return status;
}

void serve_engine_reprice(struct serve_engine *engine)
{
    executor_reprice(engine->executor, engine->plan->machine->specs);
}

struct executor *serve_engine_executor(struct serve_engine *engine)
{
    return engine->executor;
}
