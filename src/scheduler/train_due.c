/* train_due.c - faults of the emulated hardware in a training run: which one is next, and what it takes away.
 *
 * A fault strikes at the first end of a step at or after its time; steps are whole.
 */
#include <string.h>

#include "scheduler/describe.h"
#include "scheduler/train_private.h"

void faults_open(struct course *course)
{
    const struct training *training = course->training;
    course->due = due_list(training);
    course->n_due = training->job->n_faults;
    struct run_fault *fault = arena_array(training->arena, (size_t)course->n_due + 1, sizeof *fault);
    for (int i = 0; i < course->n_due; i++) {
        const struct job_fault *told = &training->job->fault[course->due[i].number];
        fault[i] = (struct run_fault){.device = training->machine.specs[course->due[i].device].name,
                                      .kind = told->kind,
                                      .factor = told->factor == JOB_UNSET ? 0 : told->factor,
                                      .at_ps = course->due[i].at_ps,
                                      .action = "",
                                      .reason = ""};
    }
    course->result->run.fault = fault;
}

static uint64_t step_ps(const struct run *run, int back)
{
    return run->step[run->n_steps - 1 - back].time_ps - run->step[run->n_steps - 2 - back].time_ps;
}

/* Half of what fits at the pace of the last two steps: a step takes at most twice as long as those before it, once
 * there have been three of its kind. */
int64_t faults_known_until(const struct course *course, int64_t step, int64_t until)
{
    const struct run *run = &course->result->run;
    if (course->n_struck == course->n_due)
        return until;
    if (run->n_steps < 3 || step - course->even_since < 3)
        return step + 1;
    uint64_t pace_ps = step_ps(run, 0) > step_ps(run, 1) ? step_ps(run, 0) : step_ps(run, 1),
             at_ps = course->due[course->n_struck].at_ps, left_ps = at_ps > course->now_ps ? at_ps - course->now_ps : 0;
    uint64_t fit = left_ps / (2 * (pace_ps ? pace_ps : 1));
    int64_t n = fit < 1 ? 1 : fit < (uint64_t)(until - step) ? (int64_t)fit : until - step;
    return step + n;
}

/* Shares of speeds multiply; of the columns that still conduct, too. */
void faults_mark(struct training *training, const struct due *due)
{
    const struct job_fault *told = &training->job->fault[due->number];
    struct device_spec *spec = &training->machine.specs[due->device];
    if (due_is(told, "fails")) {
        training->machine.lost[due->device] = 1;
        spec->speed = spec->link_speed = 0; /* nobody waits for it any more */
    } else if (due_is(told, "degrades")) {
        spec->speed = (spec->speed > 0 ? spec->speed : 1) * told->factor;
    } else if (due_is(told, "link-slows")) {
        spec->link_speed = (spec->link_speed > 0 ? spec->link_speed : 1) * told->factor;
    } else {
        spec->cells.stuck_columns = 1 - (1 - spec->cells.stuck_columns) * (1 - told->factor);
    }
}

static void archive_told(struct run *run, size_t n, struct archive *archive)
{
    struct run_fault none = {0}, *told = n ? run->fault : &none;
    size_t stride = sizeof *told;
    archive_column(archive, "time_ps", &told->time_ps, n, stride);
    archive_column(archive, "step", &told->step, n, stride);
    archive_texts(archive, "action", &told->action, n, stride);
    archive_texts(archive, "reason", &told->reason, n, stride);
    archive_column(archive, "recovery_ps", &told->recovery_ps, n, stride);
    archive_wide(archive, "recovery_fj", &told->recovery_fj, n, stride);
    archive_column(archive, "recovery_cells", &told->recovery_cells, n, stride);
    archive_column(archive, "steps_undone", &told->steps_undone, n, stride);
}

void faults_archive(struct course *course, struct archive *archive)
{
    struct run *run = &course->result->run;
    archive_enter(archive, "faults");
    size_t n = archive_count(archive, "struck", (size_t)course->n_struck);
    if (n > (size_t)course->n_due)
        bug("%zu faults have struck, of %d", n, course->n_due);
    course->n_struck = run->n_faults = (int)n;
    archive_told(run, n, archive);
    archive_leave(archive);
}

/* Steps of the phase of a step; of the whole run when it has none. */
static void phase_of(const struct run *run, int64_t step, int64_t *first, int64_t *last)
{
    *first = 1;
    *last = run->n_steps;
    for (int p = 0; p < run->n_phases; p++)
        if (run->phase[p].first_step <= step && step <= run->phase[p].last_step) {
            *first = run->phase[p].first_step;
            *last = run->phase[p].last_step;
        }
}

/* Steps first .. last are cut where other faults have struck. */
static void cut_at_faults(const struct run *run, int64_t step, int64_t *first, int64_t *last)
{
    for (int k = 0; k < run->n_faults; k++) {
        int64_t other = run->fault[k].step;
        if (other < step && other >= *first)
            *first = other + 1;
        if (other > step && other < *last)
            *last = other;
    }
}

void faults_describe(struct course *course)
{
    struct run *run = &course->result->run;
    run->faults_to_come = course->n_due - course->n_struck;
    for (int i = 0; i < run->n_faults; i++) {
        struct run_fault *told = &run->fault[i];
        int64_t first, last;
        told->steps_since = run->n_steps - told->step;
        phase_of(run, told->step, &first, &last);
        cut_at_faults(run, told->step, &first, &last);
        told->step_before_ps = describe_step_ps(run, first, told->step);
        phase_of(run, told->step + 1, &first, &last);
        cut_at_faults(run, told->step, &first, &last);
        told->step_after_ps = describe_step_ps(run, told->step + 1, last);
    }
}
