/* serve_private.h - inside of a serving job: serve.c (opening), serve_requests.c (what is served), serve_run.c (the
 * run), serve_checkpoint.c (it stops and goes on), serve_move.c (KV moves with its values), serve_fault.c (devices
 * fail). */
#ifndef SCHEDULER_SERVE_PRIVATE_H
#define SCHEDULER_SERVE_PRIVATE_H

#include "scheduler/checkpoint.h"
#include "scheduler/serve.h"
#include "serving/recovery.h"

/* Local. Trace, prompts or made-up requests. */
enum status serve_read_requests(struct serve *serve, struct fault *fault);

/* Local. The weights of the model's file. */
struct decoder_source serve_weights(const struct serve *serve);

/* Local. Of the job; weights NULL when timing-only. */
struct serve_engine_options serve_engine_options_of(const struct serve *serve, const struct decoder_source *weights);

/* Local. Timing-only engines of this process alone, [serve.instances] each. */
enum status serve_open_alone(const struct serve *serve, struct serve_engine **engines, struct comm **alone,
                             struct fault *fault);
void serve_close_alone(const struct serve *serve, struct serve_engine **engines, struct comm **alone);

/* An instance: its machine as it is now. */
struct serve_site {
    struct machine machine; /* specs of its own, for its faults */
    uint8_t *lost;          /* [n_devices] */
    const struct decoder_plan *plan;
    struct comm *comm; /* the engine's: all ranks, or (timing-only) this process alone */
    struct serve_engine *engine;
    struct serving_engine serving;
};

/* One of the job's faults, and whether it has happened. */
struct serve_due {
    const struct job_fault *fault;
    uint64_t at_ps; /* not before the first request */
    int device;
    uint8_t has_happened;
    struct serving_fault told; /* once it has; rank 0 */
};

/* With tensors: KV of a preempted sequence on the host, this rank's devices' part. */
struct serve_kept {
    uint32_t request, instance, n_blocks;
    char *values;
};

/* A run. On other ranks than 0 only what functional engines need. */
struct serve_course {
    struct serve *serve;
    const struct serve_sink *sink;
    struct serve_options options;
    struct serve_result *result;
    size_t sample_room;
    struct serve_site *site; /* [n_sites] */
    size_t n_sites;
    uint32_t current;        /* with tensors: the site whose engine the other ranks follow */
    struct serve_kept *kept; /* [n_kept], the same on all ranks but for the values */
    size_t n_kept, kept_room;
    struct serve_due *due; /* [n_due] in the order in which they happen */
    int n_due;
    struct checkpoint checkpoint; /* that is being restored */
    uint32_t input_hash;
    struct service *service; /* once it has begun; rank 0 */
    int interrupts;          /* other ranks' signals, timing-only */
    double start_s, last_s, longest_s, saved_s, ticked_s;
    int64_t saved_iterations; /* of all instances, at the last checkpoint */
};

/* What rank 0 asks of the others in functional runs (serve_engine_wish). All ranks hold their parts of all instances;
 * instances take turns, and at any time the others follow the one that is `current`. */
enum {
    SERVE_WISH_END,
    SERVE_WISH_SAVE,
    SERVE_WISH_MOVE,
    SERVE_WISH_LEDGERS,
    SERVE_WISH_FAULT,         /* and above: number of the due fault */
    SERVE_WISH_TURN = 1 << 20 /* and above: instance that is current from now on */
};

/* Rank 0: a wish to those who follow. */
static inline enum status serve_course_wish(struct serve_course *course, uint32_t wish, struct fault *fault)
{
    return serve_engine_wish(course->site[course->current].engine, wish, fault);
}

/* All ranks alike, after a fault that all know: nobody follows any more. */
static inline void serve_course_abandon(struct serve_course *course)
{
    serve_engine_abandon(course->site[course->current].engine);
}

/* ---- serve_checkpoint.c ---- */

/* Collective over site[0].comm. The checkpoint to go on from, if any: opens it and takes from it which faults have
 * happened. */
enum status serve_course_find(struct serve_course *course, struct fault *fault);

/* Local. Restores the engines that live here; rank 0, from within `control`: the rest. serve_course_restored closes. */
enum status serve_course_restore_engines(struct serve_course *course, struct fault *fault);
enum status serve_course_restore(struct serve_course *course, struct fault *fault);
void serve_course_restored(struct serve_course *course);

/* Collective over site[0].comm. Writes a checkpoint. */
enum status serve_course_save(struct serve_course *course, struct fault *fault);

/* Rank 0, at every instant: saves when it is time to, and stops when it is. */
enum status serve_course_control(struct serve_course *course, struct fault *fault);

/* Timing-only runs: ranks that only wait tell rank 0 of signals now and then, until it ends. */
enum status serve_course_watch(struct serve_course *course, struct fault *fault);
enum status serve_course_tick(struct serve_course *course, int ends, struct fault *fault);

/* ---- serve_move.c ---- */

/* Rank 0, with tensors: the engines' `move`; and the others' part of it. */
enum status serve_course_move(void *state, const struct serving_move *move, struct fault *fault);
enum status serve_course_follow_move(struct serve_course *course, struct fault *fault);

/* Local, on all ranks alike. What is on the host is gone, of one instance or (-1) of all; it is saved or restored. */
void serve_course_forget_kept(struct serve_course *course, int32_t instance);
void serve_course_archive_kept(struct serve_course *course, struct archive *archive);

/* ---- serve_fault.c ---- */

/* Local. Reads the job's faults. STATUS_USAGE: no such device or instance, a device that is lost already. */
enum status serve_course_read_faults(struct serve_course *course, struct fault *fault);

/* Local. Machines and plans of all sites, after the faults that have happened; no engines yet. */
enum status serve_course_open_sites(struct serve_course *course, struct fault *fault);

/* Rank 0, at every instant: lets happen what is due. */
enum status serve_course_faults(struct serve_course *course, struct fault *fault);

/* Local. The faults that have happened, in that order, and how many have not. */
void serve_course_tell_faults(const struct serve_course *course, struct serve_result *result);

/* Collective, functional: the others' part of a fault. */
enum status serve_course_follow_fault(struct serve_course *course, uint32_t number, struct fault *fault);

/* Local. The next instant that a fault wants. */
void serve_course_set_wake(struct serve_course *course);

#endif
