/* switch_archive.c - the switch controller, saved and restored: what it has observed, where it stands, its log. */
#include <string.h>

#include "scheduler/switch_private.h"

static void archive_history(struct history *history, const char *name, struct archive *archive)
{
    archive_enter(archive, "%s", name);
    archive_field(archive, "n", &history->n);
    archive_array(archive, "value", history->value, 3);
    archive_leave(archive);
}

static void archive_standing(struct mode_switch *sw, struct archive *archive)
{
    archive_field(archive, "state", &sw->state);
    archive_field(archive, "step", &sw->step);
    archive_field(archive, "windows", &sw->windows);
    archive_field(archive, "window_fill", &sw->window_fill);
    archive_field(archive, "is_over", &sw->is_over);
    archive_field(archive, "width", &sw->width);
    archive_field(archive, "least_width", &sw->least_width);
    archive_field(archive, "trial", &sw->trial);
    archive_field(archive, "retry", &sw->retry);
    archive_field(archive, "windows_to_wait", &sw->windows_to_wait);
    archive_field(archive, "best_validation", &sw->best_validation);
    archive_field(archive, "degraded", &sw->degraded);
    archive_history(&sw->loss, "loss", archive);
    archive_history(&sw->movement, "movement", archive);
    if (sw->full) {
        archive_array(archive, "loss_full", sw->full, (size_t)sw->config.window_steps);
        archive_array(archive, "loss_low", sw->low, (size_t)sw->config.window_steps);
    }
}

static void archive_steps(struct mode_switch *sw, struct archive *archive)
{
    sw->n_steps = (int64_t)archive_count(archive, "n", (size_t)sw->n_steps);
    size_t n = (size_t)sw->n_steps, stride = sizeof *sw->steps;
    if (archive_restores(archive)) {
        sw->steps_room = sw->n_steps;
        sw->steps = arena_array(sw->arena, n + 1, stride);
    }
    struct switch_step none = {0}, *steps = n ? sw->steps : &none;
    archive_column(archive, "loss_full", &steps->loss_full, n, stride);
    archive_column(archive, "loss_low", &steps->loss_low, n, stride);
    archive_column(archive, "window", &steps->window, n, stride);
    archive_column(archive, "state", &steps->state, n, stride);
}

/* The numbers of all records, one after the other. */
static void archive_numbers(struct mode_switch *sw, struct archive *archive)
{
    size_t n = 0, at = 0;
    for (int i = 0; i < sw->n_log; i++)
        n += (size_t)sw->log[i].n_numbers;
    struct arena *arena = arena_new();
    struct switch_number *all = arena_array(arena, n + 1, sizeof *all);
    for (int i = 0; i < sw->n_log && !archive_restores(archive); i++)
        for (int k = 0; k < sw->log[i].n_numbers; k++)
            all[at++] = sw->log[i].number[k];
    archive_enter(archive, "number");
    archive_texts(archive, "name", &all->name, n, sizeof *all);
    archive_column(archive, "value", &all->value, n, sizeof *all);
    archive_column(archive, "threshold", &all->threshold, n, sizeof *all);
    archive_column(archive, "relation", &all->relation, n, sizeof *all);
    archive_column(archive, "holds", &all->holds, n, sizeof *all);
    archive_leave(archive);
    at = 0;
    for (int i = 0; i < sw->n_log && archive_restores(archive); i++)
        for (int k = 0; k < sw->log[i].n_numbers; k++)
            sw->log[i].number[k] = all[at++];
    arena_free(arena);
}

static void archive_log(struct mode_switch *sw, struct archive *archive)
{
    sw->n_log = (int)archive_count(archive, "n", (size_t)sw->n_log);
    size_t n = (size_t)sw->n_log, stride = sizeof *sw->log;
    if (archive_restores(archive)) {
        sw->log_room = sw->n_log;
        sw->log = arena_array(sw->arena, n + 1, stride);
    }
    struct switch_record none = {.n_numbers = 0}, *log = n ? sw->log : &none;
    archive_column(archive, "step", &log->step, n, stride);
    archive_column(archive, "window", &log->window, n, stride);
    archive_column(archive, "before", &log->before, n, stride);
    archive_column(archive, "after", &log->after, n, stride);
    archive_column(archive, "action", &log->action, n, stride);
    archive_column(archive, "width", &log->width, n, stride);
    archive_texts(archive, "reason", &log->reason, n, stride);
    archive_column(archive, "n_numbers", &log->n_numbers, n, stride);
    for (size_t i = 0; i < n; i++)
        if (log[i].n_numbers < 0 || log[i].n_numbers > SWITCH_MAX_NUMBERS)
            bug("a log of %d numbers", log[i].n_numbers);
    archive_numbers(sw, archive);
}

void switch_archive(struct mode_switch *sw, struct archive *archive)
{
    archive_standing(sw, archive);
    archive_enter(archive, "steps");
    archive_steps(sw, archive);
    archive_leave(archive);
    archive_enter(archive, "log");
    archive_log(sw, archive);
    archive_leave(archive);
}
