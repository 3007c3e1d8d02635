/* serve_checkpoint.c - a serving run that stops and goes on: when a checkpoint is due, and the way back from one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "cluster/interrupt.h"
#include "scheduler/describe.h"
#include "scheduler/serve_private.h"
#include "store/h5.h"

#define TICK_S 0.2 /* between two questions for signals of ranks that only wait */

/* ---- signals of ranks that only wait ---- */

enum status serve_course_tick(struct serve_course *course, int ends, struct fault *fault)
{
    struct comm *comm = course->serve->comm;
    int32_t now = ends;
    if (comm_size(comm) == 1)
        return STATUS_OK;
    enum status status = comm_broadcast(comm, &now, sizeof now, fault);
    if (status != STATUS_OK || now)
        return status;
    struct arena *arena = arena_new();
    int32_t mine = interrupts_caught(), *all = arena_array(arena, (size_t)comm_size(comm), sizeof *all);
    status = comm_gather_all(comm, &mine, sizeof mine, all, fault);
    for (int r = 0; r < comm_size(comm) && status == STATUS_OK; r++)
        course->interrupts = all[r] > course->interrupts ? all[r] : course->interrupts;
    arena_free(arena);
    course->ticked_s = wall_s();
    return status;
}

enum status serve_course_watch(struct serve_course *course, struct fault *fault)
{
    struct comm *comm = course->serve->comm;
    struct arena *arena = arena_new();
    int32_t ends = 0, *all = arena_array(arena, (size_t)comm_size(comm), sizeof *all);
    enum status status = comm_broadcast(comm, &ends, sizeof ends, fault);
    while (status == STATUS_OK && !ends) {
        int32_t mine = interrupts_caught();
        status = comm_gather_all(comm, &mine, sizeof mine, all, fault);
        if (status == STATUS_OK)
            status = comm_broadcast(comm, &ends, sizeof ends, fault);
    }
    arena_free(arena);
    return status;
}

static enum status count_interrupts(struct serve_course *course, double now_s, struct fault *fault)
{
    enum status status = STATUS_OK;
    if (course->serve->timing_only && now_s - course->ticked_s > TICK_S)
        status = serve_course_tick(course, 0, fault);
    int mine = course->serve->timing_only ? interrupts_caught() : 0;
    for (size_t i = 0; i < course->n_sites && !course->serve->timing_only; i++) {
        int caught = serve_engine_interrupts(course->site[i].engine);
        mine = caught > mine ? caught : mine;
    }
    course->interrupts = mine > course->interrupts ? mine : course->interrupts;
    return status;
}

/* ---- saving ---- */

static enum status add_checksum(const char *path, uint64_t *hash, struct fault *fault)
{
    uint32_t sum = 0;
    if (path && h5_checksum(path, &sum, fault) == STATUS_OK)
        *hash = hash_number(*hash, sum);
    return fault->status;
}

/* One number for the model's file and the file of requests. */
static enum status find_input_hash(struct serve_course *course, struct fault *fault)
{
    const struct job *job = course->serve->job;
    uint64_t hash = HASH_START;
    add_checksum(job->decoder.file, &hash, fault);
    add_checksum(job->serve.trace, &hash, fault);
    add_checksum(job->serve.prompts, &hash, fault);
    add_checksum(job->serve.lengths_from, &hash, fault);
    course->input_hash = (uint32_t)(hash ^ hash >> 32);
    return fault->status;
}

static struct state_head head_of(const struct serve_course *course)
{
    const struct serve *serve = course->serve;
    struct serving_progress progress = {.now_ps = 0};
    if (course->service)
        progress = service_progress(course->service);
    return (struct state_head){
        .kind = serve->timing_only ? "serving, timing only" : "serving",
        .job = job_print(serve->arena, serve->job),
        .plan_hash = serve->plan.plan.hash,
        .arithmetic_hash = kernel_hash(),
        .input_hash = course->input_hash,
        .progress = (int64_t)progress.n_finished,
        .total = (int64_t)serve->requests.n,
        .virtual_ps = progress.now_ps,
    };
}

static void archive_faults(struct serve_course *course, struct archive *archive)
{
    size_t n = (size_t)course->n_due, stride = sizeof *course->due;
    struct serving_fault *told = &course->due->told;
    archive_enter(archive, "faults");
    archive_column(archive, "has_happened", &course->due->has_happened, n, stride);
    archive_column(archive, "struck_ps", &told->struck_ps, n, stride);
    archive_column(archive, "stop_ps", &told->stop_ps, n, stride);
    archive_wide(archive, "stop_energy_fj", &told->stop_energy_fj, n, stride);
    archive_column(archive, "n_requests", &told->n_requests, n, stride);
    archive_column(archive, "lost_tokens", &told->lost_tokens, n, stride);
    archive_column(archive, "kept_tokens", &told->kept_tokens, n, stride);
    archive_leave(archive);
}

/* What the engines have done under earlier plans, and how long they were at work. */
static void archive_ledgers(struct serve_course *course, struct archive *archive)
{
    for (size_t i = 0; i < course->n_sites; i++) {
        archive_enter(archive, "ledger/%04zu", i);
        serve_ledger_archive(serve_engine_ledger(course->site[i].engine), archive);
        archive_leave(archive);
    }
}

static void archive_engines(struct serve_course *course, struct archive *archive)
{
    int swaps = course->serve->serving.preemption == PREEMPTION_SWAP;
    for (size_t i = 0; i < course->n_sites; i++) {
        archive_enter(archive, "engine/%04zu", i);
        executor_archive(serve_engine_executor(course->site[i].engine), archive);
        archive_leave(archive);
    }
    if (swaps && !course->serve->timing_only)
        serve_course_archive_kept(course, archive);
}

static void archive_samples(struct serve_course *course, struct archive *archive)
{
    struct serve_result *result = course->result;
    result->n_samples = archive_count(archive, "n", result->n_samples);
    size_t n = result->n_samples, stride = sizeof *result->sample;
    if (archive_restores(archive)) {
        course->sample_room = n;
        result->sample = arena_array(course->serve->arena, n + 1, stride);
    }
    struct serving_sample none = {.instance = 0}, *sample = n ? result->sample : &none;
    archive_column(archive, "instance", &sample->instance, n, stride);
    archive_column(archive, "start_ps", &sample->start_ps, n, stride);
    archive_column(archive, "end_ps", &sample->end_ps, n, stride);
    archive_column(archive, "running", &sample->running, n, stride);
    archive_column(archive, "waiting", &sample->waiting, n, stride);
    archive_column(archive, "kv_share", &sample->kv_share, n, stride);
    archive_column(archive, "kv_tokens", &sample->kv_tokens, n, stride);
    archive_column(archive, "prefill_tokens", &sample->prefill_tokens, n, stride);
    archive_column(archive, "output_tokens", &sample->output_tokens, n, stride);
    archive_column(archive, "busy_ps", &sample->busy_ps, n, stride);
}

/* What rank 0 alone knows. */
static enum status archive_run(struct serve_course *course, struct archive *archive, struct fault *fault)
{
    const struct serve_sink *sink = course->sink;
    service_archive(course->service, archive);
    archive_ledgers(course, archive);
    archive_enter(archive, "sample");
    archive_samples(course, archive);
    archive_leave(archive);
    if (archive_status(archive, fault) != STATUS_OK || !sink->archive)
        return fault->status;
    archive_enter(archive, "told");
    sink->archive(sink->state, archive, fault);
    archive_leave(archive);
    return fault->status == STATUS_OK ? archive_status(archive, fault) : fault->status;
}

enum status serve_course_save(struct serve_course *course, struct fault *fault)
{
    struct comm *comm = course->site[0].comm;
    struct arena *arena = arena_new();
    struct archive *archive = archive_new(arena);
    struct state_head head = {.kind = NULL};
    archive_engines(course, archive);
    if (comm_rank(comm) == 0) {
        head = head_of(course);
        archive_faults(course, archive);
        archive_run(course, archive, fault);
    }
    enum status status = agree(comm, 0, fault);
    if (status == STATUS_OK)
        status = checkpoint_write(comm, course->options.checkpoint, &head, archive, fault);
    arena_free(arena);
    if (status != STATUS_OK && !course->serve->timing_only)
        serve_course_abandon(course);
    return status;
}

/* ---- when ---- */

/* Time for another pause between two instants as long as the longest so far, and to write. */
static int runs_out(const struct serve_course *course, double now_s)
{
    double limit_s = course->options.max_wall_s;
    return limit_s > 0 && now_s - course->start_s + 2 * course->longest_s > limit_s;
}

static int is_due(const struct serve_course *course, double now_s, int64_t iterations)
{
    const struct serve_options *options = &course->options;
    int64_t every = options->checkpoint_iterations;
    return (every > 0 && iterations / every > course->saved_iterations / every) ||
           (options->checkpoint_every_s > 0 && now_s - course->saved_s > options->checkpoint_every_s);
}

static enum status save(struct serve_course *course, int64_t iterations, struct fault *fault)
{
    enum status status = STATUS_OK;
    if (!course->serve->timing_only)
        status = serve_course_wish(course, SERVE_WISH_SAVE, fault);
    if (status == STATUS_OK)
        status = serve_course_save(course, fault);
    course->saved_s = course->last_s = wall_s();
    course->saved_iterations = iterations;
    return status;
}

enum status serve_course_control(struct serve_course *course, struct fault *fault)
{
    const struct serve_options *options = &course->options;
    double now_s = wall_s();
    course->longest_s = now_s - course->last_s > course->longest_s ? now_s - course->last_s : course->longest_s;
    course->last_s = now_s;
    if (count_interrupts(course, now_s, fault) != STATUS_OK || !options->checkpoint)
        return fault->status;
    const struct serving_progress progress = service_progress(course->service);
    int stops = course->interrupts > 0 || runs_out(course, now_s);
    if (progress.n_finished == course->serve->requests.n ||
        !(stops || is_due(course, now_s, (int64_t)progress.n_iterations)))
        return STATUS_OK;
    enum status status = save(course, (int64_t)progress.n_iterations, fault);
    if (status != STATUS_OK || !stops)
        return status;
    return fault_set(fault, STATUS_REQUEUE,
                     "stopped by %s after iteration %" PRIu64 " with %zu of %zu requests served: %s holds all of it; "
                     "the same command with --resume auto goes on",
                     course->interrupts ? "a signal" : "the limit of wall time", progress.n_iterations,
                     progress.n_finished, course->serve->requests.n, options->checkpoint);
}

/* ---- the way back ---- */

static struct archive *source_of(struct serve_course *course)
{
    const struct archive_source source = state_source(course->checkpoint.file);
    return archive_from(&source, course->serve->arena);
}

static enum status status_of(const struct serve_course *course, const struct archive *archive, struct fault *fault)
{
    if (archive_status(archive, fault) != STATUS_OK)
        fault_prefix(fault, "%s", course->checkpoint.path);
    return fault->status;
}

enum status serve_course_find(struct serve_course *course, struct fault *fault)
{
    struct comm *comm = course->site[0].comm;
    const struct serve_options *options = &course->options;
    struct state_head expected = {.kind = NULL};
    if (!options->checkpoint)
        return STATUS_OK;
    if (comm_rank(comm) == 0 && find_input_hash(course, fault) == STATUS_OK)
        expected = head_of(course);
    enum status status = agree(comm, 0, fault);
    if (status != STATUS_OK || !options->resume)
        return status;
    status = checkpoint_open(comm, options->resume, options->checkpoint, &expected, course->serve->arena,
                             &course->checkpoint, fault);
    if (status != STATUS_OK || !course->checkpoint.path)
        return status;
    struct archive *archive = source_of(course);
    archive_faults(course, archive);
    status_of(course, archive, fault);
    return agree(comm, 1, fault);
}

enum status serve_course_restore_engines(struct serve_course *course, struct fault *fault)
{
    struct archive *archive = source_of(course);
    archive_engines(course, archive);
    return status_of(course, archive, fault);
}

enum status serve_course_restore(struct serve_course *course, struct fault *fault)
{
    struct archive *archive = source_of(course);
    if (course->serve->timing_only && serve_course_restore_engines(course, fault) != STATUS_OK)
        return fault->status;
    if (archive_run(course, archive, fault) != STATUS_OK) {
        status_of(course, archive, fault);
        return fault->status;
    }
    const struct serving_progress progress = service_progress(course->service);
    course->saved_iterations = (int64_t)progress.n_iterations;
    if (!course->options.quiet)
        fprintf(stderr, "polyrank: goes on after iteration %" PRIu64 " with %zu of %zu requests served (%s)\n",
                progress.n_iterations, progress.n_finished, course->serve->requests.n, course->checkpoint.path);
    serve_course_restored(course);
    return STATUS_OK;
}

void serve_course_restored(struct serve_course *course)
{
    if (course->checkpoint.path)
        checkpoint_close(&course->checkpoint);
}
