/* serve_run.c - a serving job runs: with tensors on all ranks, timing-only on rank 0. */
#include <string.h>

#include "cluster/interrupt.h"
#include "scheduler/serve_private.h"

/* ---- what serving tells ---- */

static enum status finished(void *state, const struct served *record, struct fault *fault)
{
    const struct serve_course *course = state;
    return course->sink->finished ? course->sink->finished(course->sink->state, record, fault) : STATUS_OK;
}

static enum status answer(void *state, uint32_t request, const uint32_t *token, uint32_t n, struct fault *fault)
{
    const struct serve_course *course = state;
    struct serve *serve = course->serve;
    if (!course->sink->answer)
        return STATUS_OK;
    struct arena *arena = arena_new();
    const struct serve_answer told = {request, serve->prompt ? serve->prompt[request] : NULL, token, n,
                                      serve_text(serve, token, n, arena)};
    enum status status = course->sink->answer(course->sink->state, &told, fault);
    arena_free(arena);
    return status;
}

static enum status sample(void *state, const struct serving_sample *told, struct fault *fault)
{
    struct serve_course *course = state;
    struct serve_result *result = course->result;
    (void)fault;
    if (result->n_samples == course->sample_room) {
        course->sample_room = course->sample_room ? 2 * course->sample_room : 256;
        struct serving_sample *larger = arena_array(course->serve->arena, course->sample_room, sizeof *larger);
        if (result->n_samples)
            memcpy(larger, result->sample, result->n_samples * sizeof *larger);
        result->sample = larger;
    }
    result->sample[result->n_samples++] = *told;
    return STATUS_OK;
}

/* The start: from the beginning or from a checkpoint. */
static enum status begin(struct serve_course *course, struct fault *fault)
{
    const struct serve_sink *sink = course->sink;
    enum status status = STATUS_OK;
    if (course->checkpoint.path)
        status = serve_course_restore(course, fault);
    else if (sink->begin)
        status = sink->begin(sink->state, fault);
    if (status == STATUS_OK)
        serve_course_set_wake(course);
    return status;
}

static enum status control(void *state, struct service *service, struct fault *fault)
{
    struct serve_course *course = state;
    int has_begun = course->service != NULL;
    course->service = service;
    if (!has_begun)
        return begin(course, fault);
    enum status status = serve_course_faults(course, fault);
    return status == STATUS_OK ? serve_course_control(course, fault) : status;
}

/* Collective: on all ranks that have engines. */
static enum status end_engines(struct serve_course *course, uint64_t end_ps, struct fault *fault)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < course->n_sites && status == STATUS_OK; i++)
        status = serve_engine_end(course->site[i].engine, end_ps, fault);
    return status;
}

/* Memory: weights, activations, and its part of the most KV that sequences had at a time. */
static uint64_t memory_used(const struct serve_course *course, const struct serving_instance_summary *instance, int d)
{
    const struct decoder_plan *plan = &course->serve->plan;
    const struct decoder_need *need = &plan->need[d];
    uint64_t shards = plan->layout.pims_per_gpu ? (uint64_t)plan->partition.shards : 1;
    uint64_t tokens = instance->kv_peak_blocks * course->serve->serving.block_tokens;
    uint64_t fixed = need->weight_bytes + need->activation_bytes;
    uint64_t kv = (tokens + shards - 1) / shards * need->kv_bytes_per_token;
    return fixed + kv < need->capacity_bytes ? fixed + kv : need->capacity_bytes;
}

static void tell_device(const struct serve_course *course, uint32_t i, const struct ledger *ledger, int d,
                        struct run_device *told)
{
    const struct decoder_plan *plan = &course->serve->plan;
    const struct device_spec *spec = &plan->machine->specs[d];
    *told = (struct run_device){.name = plan->device_name[d],
                                .kind = spec->kind,
                                .profile = spec->profile,
                                .node = spec->node,
                                .memory_bytes = memory_used(course, &course->result->serving.summary.instance[i], d),
                                .capacity_bytes = plan->need[d].capacity_bytes,
                                .ledger = *ledger};
}

/* What every device has done, instance by instance. */
static enum status tell_devices(struct serve_course *course, struct fault *fault)
{
    struct arena *arena = course->serve->arena;
    struct serving_devices *told = &course->result->devices;
    size_t n = course->n_sites * (size_t)course->serve->plan.machine->n_devices;
    enum status status = STATUS_OK;
    if (!course->serve->timing_only)
        status = serve_course_wish(course, SERVE_WISH_LEDGERS, fault);
    if (status == STATUS_OK)
        status = end_engines(course, course->result->serving.summary.end_ps, fault);
    told->device = arena_array(arena, n + 1, sizeof *told->device);
    told->instance = arena_array(arena, n + 1, sizeof *told->instance);
    told->host = arena_array(arena, course->n_sites, sizeof *told->host);
    told->n_instances = (uint32_t)course->n_sites;
    for (uint32_t i = 0; i < course->n_sites && status == STATUS_OK; i++) {
        const struct serve_ledger *ledger = serve_engine_ledger(course->site[i].engine);
        told->host[i] = ledger->host;
        for (int d = 0; d < ledger->n_devices; d++) {
            told->instance[told->n] = i;
            tell_device(course, i, &ledger->device[d], d, &told->device[told->n++]);
        }
    }
    return status;
}

/* Rank 0: all requests on the engines. */
static enum status serve_all(struct serve_course *course, struct fault *fault)
{
    struct serve *serve = course->serve;
    struct serving_engine *engines = arena_array(serve->arena, course->n_sites, sizeof *engines);
    for (size_t i = 0; i < course->n_sites; i++)
        engines[i] = serve_engine_of(course->site[i].engine);
    const struct serving_sink sink = {course, finished, answer, serve->serving.sample_ps ? sample : NULL, control};
    enum status status = serving_run(&serve->serving, &serve->requests, engines, course->n_sites, &sink, serve->arena,
                                     &course->result->serving, fault);
    course->result->wall_s = wall_s() - course->start_s;
    if (status == STATUS_OK)
        status = tell_devices(course, fault);
    serve_course_tell_faults(course, course->result);
    for (size_t i = 0; i < course->n_sites && status == STATUS_OK; i++)
        course->result->instructions += executor_wall(serve_engine_executor(course->site[i].engine)).instructions;
    return status;
}

/* ---- with tensors ---- */

/* Rank 0: instance `number` is about to do something. */
static enum status take_turn(void *state, uint32_t number, struct fault *fault)
{
    struct serve_course *course = state;
    if (number == course->current)
        return STATUS_OK;
    enum status status = serve_course_wish(course, SERVE_WISH_TURN + number, fault);
    course->current = number;
    return status;
}

static enum status grant(struct serve_course *course, uint32_t wish, struct fault *fault)
{
    if (wish >= SERVE_WISH_TURN) {
        course->current = wish - SERVE_WISH_TURN;
        return STATUS_OK;
    }
    if (wish == SERVE_WISH_MOVE)
        return serve_course_follow_move(course, fault);
    if (wish == SERVE_WISH_LEDGERS)
        return end_engines(course, 0, fault);
    return wish == SERVE_WISH_SAVE ? serve_course_save(course, fault)
                                   : serve_course_follow_fault(course, wish - SERVE_WISH_FAULT, fault);
}

/* The other ranks do what rank 0 wants until it ends. What fails, fails on all of them. */
static enum status follow(struct serve_course *course, struct fault *fault)
{
    uint32_t wish = SERVE_WISH_END;
    enum status status;
    do {
        status = serve_engine_follow(course->site[course->current].engine, &wish, fault);
        if (status == STATUS_OK && wish != SERVE_WISH_END)
            status = grant(course, wish, fault);
    } while (status == STATUS_OK && wish != SERVE_WISH_END);
    return status;
}

static enum status open_functional(struct serve_course *course, const struct decoder_source *weights,
                                   struct fault *fault)
{
    struct serve_engine_options options = serve_engine_options_of(course->serve, weights);
    enum status status = STATUS_OK;
    options.turn = course->n_sites > 1 ? take_turn : NULL;
    options.move = serve_course_move;
    options.state = course;
    for (; options.number < course->n_sites && status == STATUS_OK; options.number++) {
        struct serve_site *site = &course->site[options.number];
        status = serve_engine_open(site->comm, site->plan, &options, &site->engine, fault);
    }
    if (status != STATUS_OK || !course->checkpoint.path)
        return status;
    serve_course_restore_engines(course, fault);
    return agree(course->serve->comm, 1, fault);
}

static enum status run_functional(struct serve_course *course, struct fault *fault)
{
    struct comm *comm = course->serve->comm;
    const struct decoder_source weights = serve_weights(course->serve);
    for (size_t i = 0; i < course->n_sites; i++)
        course->site[i].comm = comm;
    enum status status = serve_course_find(course, fault);
    if (status == STATUS_OK) {
        serve_course_open_sites(course, fault);
        status = agree(comm, 1, fault);
    }
    if (status == STATUS_OK)
        status = open_functional(course, &weights, fault);
    if (status != STATUS_OK)
        return status;
    if (comm_rank(comm) != 0)
        return follow(course, fault);
    status = serve_all(course, fault);
    if (!comm_is_lost(comm)) {
        struct fault end = FAULT_NONE;
        serve_course_wish(course, SERVE_WISH_END, &end);
    }
    return status;
}

/* ---- without ---- */

static enum status run_timing(struct serve_course *course, struct fault *fault)
{
    const struct serve_engine_options options = serve_engine_options_of(course->serve, NULL);
    for (size_t i = 0; i < course->n_sites; i++)
        course->site[i].comm = comm_alone();
    enum status status = serve_course_find(course, fault);
    if (status == STATUS_OK)
        status = serve_course_open_sites(course, fault);
    for (size_t i = 0; i < course->n_sites && status == STATUS_OK; i++) {
        struct serve_site *site = &course->site[i];
        status = serve_engine_open(site->comm, site->plan, &options, &site->engine, fault);
    }
    return status == STATUS_OK ? serve_all(course, fault) : status;
}

static void close_course(struct serve_course *course)
{
    serve_course_restored(course);
    serve_course_forget_kept(course, -1);
    for (size_t i = 0; i < course->n_sites; i++) {
        struct serve_site *site = &course->site[i];
        serve_engine_close(site->engine);
        if (site->comm && course->serve->timing_only)
            comm_close(site->comm, 0);
    }
}

enum status serve_run(struct serve *serve, const struct serve_options *options, const struct serve_sink *sink,
                      struct serve_result *result, struct fault *fault)
{
    struct serve_course course = {
        .serve = serve, .sink = sink, .options = *options, .result = result, .start_s = wall_s()};
    int first = comm_rank(serve->comm) == 0;
    memset(result, 0, sizeof *result);
    course.last_s = course.saved_s = course.ticked_s = course.start_s;
    course.n_sites = (size_t)serve->job->serve.instances;
    course.site = arena_array(serve->arena, course.n_sites, sizeof *course.site);
    serve->serving.sample_ps = (uint64_t)(serve->job->serve.sample_s * 1e12 + 0.5);
    if (options->checkpoint)
        interrupts_watch();
    serve_course_read_faults(&course, fault);
    enum status status = agree(serve->comm, 0, fault);
    if (status != STATUS_OK)
        return status;
    if (!serve->timing_only) {
        run_functional(&course, fault);
    } else if (first) {
        struct fault end = FAULT_NONE;
        run_timing(&course, fault);
        serve_course_tick(&course, 1, &end);
    } else {
        serve_course_watch(&course, fault);
    }
    close_course(&course);
    return agree(serve->comm, 0, fault);
}

/* ---- the highest rate ---- */

static enum status search_alone(struct serve *serve, void (*told)(void *state, const struct serving_search_run *run),
                                void *state, struct serving_search_result *result, struct fault *fault)
{
    size_t n = (size_t)serve->job->serve.instances;
    struct serve_engine **own = arena_array(serve->arena, n, sizeof *own);
    struct serving_engine *engines = arena_array(serve->arena, n, sizeof *engines);
    struct comm **alone = arena_array(serve->arena, n, sizeof *alone);
    const struct serving_search search = {.share = serve->job->serve.slo.share};
    enum status status = serve_open_alone(serve, own, alone, fault);
    for (size_t i = 0; i < n && status == STATUS_OK; i++)
        engines[i] = serve_engine_of(own[i]);
    if (status == STATUS_OK)
        status = serving_search(&serve->serving, &serve->requests, engines, n, &search, told, state, serve->arena,
                                result, fault);
    serve_close_alone(serve, own, alone);
    return status;
}

enum status serve_find_rate(struct serve *serve, void (*told)(void *state, const struct serving_search_run *run),
                            void *state, struct serving_search_result *result, struct fault *fault)
{
    if (!serve->timing_only)
        return fault_set(fault, STATUS_USAGE, "%s: --find-rate: expected a run without tensors: add --timing-only",
                         serve->job->source);
    if (serve->job->n_faults)
        return fault_set(fault, STATUS_USAGE, "%s: --find-rate: expected a machine without faults, found %d",
                         serve->job->source, serve->job->n_faults);
    if (comm_rank(serve->comm) == 0)
        search_alone(serve, told, state, result, fault);
    return agree(serve->comm, 0, fault);
}
