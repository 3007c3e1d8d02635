/* train_checkpoint.c - a training run that stops and goes on: when a checkpoint is due, and the way back from one. */
#include <inttypes.h>
#include <stdio.h>

#include "scheduler/checkpoint.h"
#include "scheduler/describe.h"
#include "scheduler/train_private.h"
#include "store/h5.h"

/* Time to finish another step as long as the longest one so far, and to write. */
static int runs_out(const struct course *course, double now_s)
{
    double limit_s = course->options->max_wall_s;
    return limit_s > 0 && now_s - course->start_s + 2 * course->longest_step_s > limit_s;
}

uint32_t course_wish(struct course *course)
{
    const struct training_options *options = course->options;
    double now_s = wall_s();
    if (course->step_s > 0 && now_s - course->step_s > course->longest_step_s)
        course->longest_step_s = now_s - course->step_s;
    course->step_s = now_s;
    if (comm_rank(course->training->comm) != 0 || !options->checkpoint)
        return WISH_NONE;
    if (runs_out(course, now_s))
        return WISH_STOP;
    return options->checkpoint_every_s > 0 && now_s - course->saved_s > options->checkpoint_every_s ? WISH_CHECKPOINT
                                                                                                    : WISH_NONE;
}

static enum status head_of(const struct course *course, struct state_head *head, struct fault *fault)
{
    const struct training *training = course->training;
    *head = (struct state_head){
        .kind = course->options->timing_only ? "training, timing only" : "training",
        .job = job_print(training->arena, training->job),
        .plan_hash = training->plans[0].hash,
        .arithmetic_hash = kernel_hash(),
        .progress = course->step,
        .total = training_steps(training),
        .virtual_ps = course->now_ps,
    };
    return training->job->data.file ? h5_checksum(training->job->data.file, &head->input_hash, fault) : STATUS_OK;
}

static enum status save(struct course *course, struct fault *fault)
{
    struct comm *comm = course->training->comm;
    struct arena *arena = arena_new();
    struct archive *archive = archive_new(arena);
    struct state_head head = {.kind = NULL};
    executor_archive(course->executor, archive);
    if (comm_rank(comm) == 0) {
        faults_archive(course, archive);
        replans_archive(course, archive);
        course_archive(course, archive);
        head_of(course, &head, fault);
    }
    enum status status = agree(comm, 0, fault);
    if (status == STATUS_OK)
        status = checkpoint_write(comm, course->options->checkpoint, &head, archive, fault);
    arena_free(arena);
    course->saved_step = course->step;
    course->saved_s = wall_s();
    return status;
}

enum status course_control(struct course *course, struct fault *fault)
{
    const struct training_options *options = course->options;
    int stops = course->interrupts > 0 || course->wish == WISH_STOP;
    int is_due = options->checkpoint_steps > 0 && course->step % options->checkpoint_steps == 0;
    int is_wished = course->wish == WISH_CHECKPOINT;
    course->wish = WISH_NONE;
    if (!options->checkpoint || !(stops || is_due || is_wished))
        return STATUS_OK;
    enum status status = save(course, fault);
    if (status != STATUS_OK || !stops)
        return status;
    return fault_set(fault, STATUS_REQUEUE,
                     "stopped by %s after step %" PRId64 " of %" PRId64 ": %s holds all of it; the same command with "
                     "--resume auto goes on",
                     course->interrupts ? "a signal" : "the limit of wall time", course->step,
                     training_steps(course->training), options->checkpoint);
}

enum status course_leave(const struct course *course, struct fault *fault)
{
    if (course->saved_step == 0)
        return fault_set(fault, STATUS_FAILED,
                         "stopped by a second signal in the evaluation after step %" PRId64
                         ": no checkpoint was written",
                         course->step);
    return fault_set(fault, STATUS_REQUEUE,
                     "stopped by a second signal in the evaluation after step %" PRId64 ": the checkpoint after step "
                     "%" PRId64 " stands, --resume auto goes on from it",
                     course->step, course->saved_step);
}

static enum status restore(struct course *course, struct checkpoint *checkpoint, struct fault *fault)
{
    struct training *training = course->training;
    const struct archive_source source = state_source(checkpoint->file);
    struct archive *archive = archive_from(&source, training->arena);
    faults_archive(course, archive);
    replans_archive(course, archive);
    archive_status(archive, fault);
    enum status status = agree(training->comm, 1, fault);
    if (status == STATUS_OK)
        status = replans_restore(course, fault);
    if (status != STATUS_OK) {
        checkpoint_close(checkpoint);
        return status;
    }
    course_archive(course, archive);
    executor_archive(course->executor, archive);
    if (archive_status(archive, fault) != STATUS_OK)
        fault_prefix(fault, "%s", checkpoint->path);
    checkpoint_close(checkpoint);
    status = agree(training->comm, 1, fault);
    return status == STATUS_OK ? executor_standby(course->executor, &course->standby, fault) : status;
}

enum status course_resume(struct course *course, struct fault *fault)
{
    const struct training *training = course->training;
    struct state_head expected = {.kind = NULL};
    struct checkpoint checkpoint = {.path = NULL};
    if (comm_rank(training->comm) == 0)
        head_of(course, &expected, fault);
    enum status status = agree(training->comm, 0, fault);
    if (status == STATUS_OK)
        status = checkpoint_open(training->comm, course->options->resume, course->options->checkpoint, &expected,
                                 training->arena, &checkpoint, fault);
    if (status != STATUS_OK || !checkpoint.path)
        return status;
    const char *path = arena_string(training->arena, checkpoint.path);
    status = restore(course, &checkpoint, fault);
    if (status != STATUS_OK)
        return status;
    course->saved_step = course->step;
    progress_skip(&course->progress, (uint64_t)course->step);
    if (!course->options->quiet && comm_rank(training->comm) == 0)
        fprintf(stderr, "polyrank: goes on after step %" PRId64 " of %" PRId64 " (%s)\n", course->step,
                training_steps(training), path);
    return STATUS_OK;
}
