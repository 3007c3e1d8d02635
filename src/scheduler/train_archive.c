/* train_archive.c - a training run, saved and restored: how far it is, what it has recorded, its controller. */
#include <string.h>

#include "scheduler/train_private.h"

static void archive_steps(struct run *run, struct archive *archive)
{
    run->n_steps = (int)archive_count(archive, "n", (size_t)run->n_steps);
    size_t n = (size_t)run->n_steps, stride = sizeof *run->step;
    archive_column(archive, "step", &run->step->step, n, stride);
    archive_column(archive, "loss", &run->step->loss, n, stride);
    archive_column(archive, "learning_rate", &run->step->learning_rate, n, stride);
    archive_column(archive, "time_ps", &run->step->time_ps, n, stride);
    archive_column(archive, "energy_j", &run->step->energy_j, n, stride);
}

static void archive_metrics(struct run_metrics *metrics, size_t n, struct archive *archive)
{
    archive_column(archive, "mae", &metrics->mae, n, sizeof *metrics);
    archive_column(archive, "rmse", &metrics->rmse, n, sizeof *metrics);
    archive_column(archive, "mape_percent", &metrics->mape_percent, n, sizeof *metrics);
    archive_column(archive, "nse", &metrics->nse, n, sizeof *metrics);
    archive_column(archive, "count", &metrics->count, n, sizeof *metrics);
}

static void archive_evaluation(struct run_evaluation *evaluation, struct archive *archive)
{
    archive_field(archive, "step", &evaluation->step);
    archive_field(archive, "time_ps", &evaluation->time_ps);
    archive_field(archive, "loss", &evaluation->loss);
    evaluation->n_horizons = (int)archive_count(archive, "n_horizons", (size_t)evaluation->n_horizons);
    size_t n = (size_t)evaluation->n_horizons;
    if (archive_restores(archive))
        evaluation->horizon = arena_array(archive_arena(archive), n + 1, sizeof *evaluation->horizon);
    archive_enter(archive, "horizon");
    archive_metrics(evaluation->horizon, n, archive);
    archive_leave(archive);
    archive_enter(archive, "all");
    archive_metrics(&evaluation->all, 1, archive);
    archive_leave(archive);
}

static void archive_evaluations(struct run *run, struct archive *archive)
{
    run->n_evaluations = (int)archive_count(archive, "n", (size_t)run->n_evaluations);
    for (int i = 0; i < run->n_evaluations; i++) {
        archive_enter(archive, "%04d", i);
        archive_evaluation(&run->evaluation[i], archive);
        archive_leave(archive);
    }
}

/* Phases grow one by one (arena_grown): room for the next power of two. */
static void archive_phases(struct run *run, struct archive *archive)
{
    run->n_phases = (int)archive_count(archive, "n", (size_t)run->n_phases);
    size_t n = (size_t)run->n_phases, stride = sizeof *run->phase;
    if (archive_restores(archive))
        run->phase = arena_array(archive_arena(archive), 2 * n + 2, stride);
    struct run_phase none = {0}, *phase = n ? run->phase : &none;
    archive_texts(archive, "name", &phase->name, n, stride);
    archive_column(archive, "first_step", &phase->first_step, n, stride);
    archive_column(archive, "last_step", &phase->last_step, n, stride);
    archive_column(archive, "time_ps", &phase->time_ps, n, stride);
    archive_wide(archive, "energy_fj", &phase->energy_fj, n, stride);
}

static void archive_handover(struct run_handover *handover, const char *name, struct archive *archive)
{
    archive_enter(archive, "%s", name);
    archive_field(archive, "n", &handover->n);
    archive_field(archive, "time_ps", &handover->time_ps);
    archive_wide(archive, "energy_fj", &handover->energy_fj, 1, sizeof handover->energy_fj);
    archive_leave(archive);
}

static void archive_run(struct run *run, struct archive *archive)
{
    archive_enter(archive, "steps");
    archive_steps(run, archive);
    archive_leave(archive);
    archive_enter(archive, "evaluations");
    archive_evaluations(run, archive);
    archive_leave(archive);
    archive_enter(archive, "phases");
    archive_phases(run, archive);
    archive_leave(archive);
    struct run_matrix none = {0},
                      *matrix = run->n_matrices ? run->matrix : &none; /* rows: as many as plans so far have led to */
    archive_column(archive, "cell_writes", &matrix->cell_writes, (size_t)run->n_matrices, sizeof *matrix);
    archive_handover(&run->handover, "handover", archive);
    archive_handover(&run->way_back, "way_back", archive);
}

void course_archive(struct course *course, struct archive *archive)
{
    archive_enter(archive, "run");
    archive_field(archive, "step", &course->step);
    archive_field(archive, "now_ps", &course->now_ps);
    archive_wide(archive, "work_fj", &course->work_fj, 1, sizeof course->work_fj);
    archive_field(archive, "generation", &course->generation);
    archive_field(archive, "low_since", &course->low_since);
    archive_field(archive, "full_since", &course->full_since);
    archive_field(archive, "even_since", &course->even_since);
    archive_run(&course->result->run, archive);
    archive_leave(archive);
    if (!course->mode_switch)
        return;
    archive_enter(archive, "switch");
    switch_archive(course->mode_switch, archive);
    archive_leave(archive);
    archive_enter(archive, "movement");
    movement_archive(course->movement, archive);
    archive_leave(archive);
}
