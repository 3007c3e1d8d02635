/* The groups /mode, /cells, /handover, /way_back and /choice of a result: both directions side by side, so that they
 * stay alike.
 */
#include <inttypes.h>

#include "report/result_columns.h"
#include "report/result_private.h"

static void split_energy(wide_uint energy_fj, uint64_t *whole_j, uint64_t *rest_fj)
{
    *whole_j = (uint64_t)(energy_fj / RESULT_FJ_PER_J);
    *rest_fj = (uint64_t)(energy_fj % RESULT_FJ_PER_J);
}

/* Busy time by device stands with the other numbers of devices. */
static const char *busy_name(const struct columns *c, const struct run_mode *mode)
{
    return arena_printf(c->arena, "step_busy_%s_ps", mode->name);
}

static void put_modes(struct columns *c, const struct run *run)
{
    size_t n = (size_t)run->n_modes;
    const char **names = arena_array(c->arena, n, sizeof *names);
    int64_t *trained = arena_array(c->arena, n, sizeof *trained);
    uint64_t *step_ps = arena_array(c->arena, n, sizeof *step_ps);
    uint64_t *whole_j = arena_array(c->arena, n, sizeof *whole_j), *rest_fj = arena_array(c->arena, n, sizeof *rest_fj);
    for (size_t m = 0; m < n; m++) {
        names[m] = run->mode[m].name, trained[m] = run->mode[m].n_trained, step_ps[m] = run->mode[m].step_ps;
        split_energy(run->mode[m].energy_fj, &whole_j[m], &rest_fj[m]);
    }
    columns_put_scale(c, 0, "mode of the run");
    columns_put_names(c, "name", names, "its name");
    columns_put(c, "n_trained", H5_INT64, trained, "1", "parameters trained");
    columns_put(c, "step_time_ps", H5_UINT64, step_ps, "ps", "from step to step; 0: no step was in this mode");
    columns_put(c, "step_energy_whole_j", H5_UINT64, whole_j, "J", "energy of all devices in a step: whole joules");
    columns_put(c, "step_energy_rest_fj", H5_UINT64, rest_fj, "fJ", "and what the whole joules leave");
    struct columns devices = columns_of(c->file, c->arena, c->fault, "/device", "device", run->n_devices);
    for (size_t m = 0; m < n; m++)
        columns_put(&devices, busy_name(c, &run->mode[m]), H5_UINT64, run->mode[m].busy_ps, "ps",
                    "compute engine busy in a step of the mode; 0: takes no part");
}

enum { CELL_COUNTS = 6, CELL_REALS = 2, CELL_DERIVED = 4 };

static uint64_t *count_of(struct run_cells *cells, int field)
{
    uint64_t *const counts[CELL_COUNTS] = {&cells->n_matrices, &cells->crossbars_used, &cells->crossbars_total,
                                           &cells->copies,     &cells->cells,          &cells->cell_writes};
    return counts[field];
}

static const char *const count_names[CELL_COUNTS][2] = {
    {"n_matrices", "frozen matrices in its crossbars"},
    {"crossbars_used", "crossbars that all copies take"},
    {"crossbars_total", "crossbars there are"},
    {"copies", "copies of each matrix"},
    {"handover_cells", "cells that one handover programs"},
    {"cell_writes", "programmings of cells in the run"},
};

static const char *const derived_names[CELL_DERIVED][2] = {
    {"writes_per_cell", "writes of each programmed cell in the run"},
    {"lifetime_runs", "runs that the cells survive"},
    {"all_reram_writes_per_cell", "writes of a cell if every weight were trained in cells"},
    {"all_reram_lifetime_runs", "runs that the cells would survive then"},
};

static void put_cells(struct columns *c, const struct run *run)
{
    size_t n = (size_t)run->n_cells;
    int64_t *device = arena_array(c->arena, n, sizeof *device);
    uint64_t *counts = arena_array(c->arena, n, sizeof *counts);
    double *real[CELL_REALS + CELL_DERIVED];
    for (int f = 0; f < CELL_REALS + CELL_DERIVED; f++)
        real[f] = arena_array(c->arena, n, sizeof **real);
    for (size_t i = 0; i < n; i++) {
        const struct run_cells *cells = &run->cells[i];
        double writes = run_writes_per_cell(cells), full = run_full_writes_per_cell(run, cells);
        device[i] = cells->device;
        real[0][i] = cells->pulses, real[1][i] = cells->endurance, real[2][i] = writes, real[4][i] = full;
        real[3][i] = run_lifetime(cells, writes), real[5][i] = run_lifetime(cells, full);
    }
    columns_put_scale(c, 0, "device that computes in its memory cells");
    columns_put(c, "device", H5_INT64, device, "1", "its number among the devices, from 0");
    for (int f = 0; f < CELL_COUNTS; f++) {
        for (size_t i = 0; i < n; i++) {
            struct run_cells cells = run->cells[i];
            counts[i] = *count_of(&cells, f);
        }
        columns_put(c, count_names[f][0], H5_UINT64, counts, "1", count_names[f][1]);
    }
    columns_put(c, "pulses", H5_FLOAT64, real[0], "1", "writes that one programming of a cell takes, mean");
    columns_put(c, "endurance", H5_FLOAT64, real[1], "1", "writes that a cell survives");
    for (int f = 0; f < CELL_DERIVED; f++)
        columns_put(c, derived_names[f][0], H5_FLOAT64, real[CELL_REALS + f], "1", derived_names[f][1]);
}

static void put_handover(struct columns *c, const char *group, const struct run_handover *handover)
{
    uint64_t whole_j, rest_fj;
    split_energy(handover->energy_fj, &whole_j, &rest_fj);
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"count", (uint64_t)handover->n},
                  {"virtual_time_ps", handover->time_ps},
                  {"energy_whole_j", whole_j},
                  {"energy_rest_fj", rest_fj}};
    if (!columns_failed(c))
        h5_make_group(c->file, group, c->fault);
    for (size_t f = 0; f < sizeof fields / sizeof *fields && !columns_failed(c); f++)
        h5_set_int(c->file, group, fields[f].name, (int64_t)fields[f].value, c->fault);
}

static void put_choice(struct columns *c, const struct run_choice *choice)
{
    size_t n = (size_t)c->n;
    const char **policies = arena_array(c->arena, n, sizeof *policies);
    const char **problems = arena_array(c->arena, n, sizeof *problems);
    uint64_t *time_ps = arena_array(c->arena, n, sizeof *time_ps);
    double *energy_j = arena_array(c->arena, n, sizeof *energy_j);
    for (size_t i = 0; i < n; i++) {
        const struct run_candidate *candidate = &choice->candidate[i];
        policies[i] = candidate->policy, problems[i] = candidate->problem ? candidate->problem : "";
        time_ps[i] = candidate->time_ps, energy_j[i] = candidate->energy_j;
    }
    columns_put_scale(c, 0, "placement that was priced before the run");
    columns_put_names(c, "policy", policies, "its name");
    columns_put_names(c, "problem", problems, "why it cannot be; empty when it can");
    columns_put(c, "virtual_time_ps", H5_UINT64, time_ps, "ps",
                "predicted virtual time of the run, 0 when it cannot be");
    columns_put(c, "energy_j", H5_FLOAT64, energy_j, "J", "predicted energy of the run, 0 when it cannot be");
    if (!columns_failed(c))
        h5_set_string(c->file, "/choice", "objective", choice->objective, c->fault);
    if (!columns_failed(c))
        h5_set_string(c->file, "/choice", "chosen", choice->chosen, c->fault);
    if (!columns_failed(c))
        h5_set_int(c->file, "/choice", "switch_step", choice->switch_step, c->fault);
    if (!columns_failed(c))
        h5_set_int(c->file, "/choice", "adapter_width", choice->adapter_width, c->fault);
}

void result_write_modes(struct h5 *file, struct arena *arena, const struct run *run, struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/mode", "mode", run->n_modes);
    if (c.n) {
        put_modes(&c, run);
        put_handover(&c, "/handover", &run->handover);
        put_handover(&c, "/way_back", &run->way_back);
    }
    c = columns_of(file, arena, fault, "/cells", "row", run->n_cells);
    if (c.n)
        put_cells(&c, run);
    c = columns_of(file, arena, fault, "/choice", "candidate", run->choice.n_candidates);
    if (c.n)
        put_choice(&c, &run->choice);
}

static void get_modes(struct columns *c, struct run *run)
{
    const char *const *names = columns_get_names(c, "name");
    const int64_t *trained = columns_get(c, "n_trained", H5_INT64);
    const uint64_t *step_ps = columns_get(c, "step_time_ps", H5_UINT64);
    const uint64_t *whole_j = columns_get(c, "step_energy_whole_j", H5_UINT64);
    const uint64_t *rest_fj = columns_get(c, "step_energy_rest_fj", H5_UINT64);
    if (columns_failed(c))
        return;
    struct columns devices = columns_of(c->file, c->arena, c->fault, "/device", "device", run->n_devices);
    run->n_modes = (int)c->n;
    run->mode = arena_array(c->arena, (size_t)c->n, sizeof *run->mode);
    for (int64_t m = 0; m < c->n; m++) {
        struct run_mode *mode = &run->mode[m];
        *mode = (struct run_mode){names[m], trained[m], step_ps[m],
                                  (wide_uint)whole_j[m] * RESULT_FJ_PER_J + rest_fj[m], NULL};
        mode->busy_ps = columns_get(&devices, busy_name(c, mode), H5_UINT64);
    }
}

/* Files from before there was a group for the way back have none. */
static void get_handover(struct columns *c, const char *group, struct run_handover *handover)
{
    int64_t time_ps = 0, whole_j = 0, rest_fj = 0;
    if (!columns_failed(c) && !h5_exists(c->file, group))
        return;
    if (!columns_failed(c))
        h5_get_int(c->file, group, "count", &handover->n, c->fault);
    if (!columns_failed(c))
        h5_get_int(c->file, group, "virtual_time_ps", &time_ps, c->fault);
    if (!columns_failed(c))
        h5_get_int(c->file, group, "energy_whole_j", &whole_j, c->fault);
    if (!columns_failed(c))
        h5_get_int(c->file, group, "energy_rest_fj", &rest_fj, c->fault);
    handover->time_ps = (uint64_t)time_ps;
    handover->energy_fj = (wide_uint)(uint64_t)whole_j * RESULT_FJ_PER_J + (uint64_t)rest_fj;
}

static void get_cells(struct columns *c, struct run *run)
{
    const int64_t *device = columns_get(c, "device", H5_INT64);
    const double *pulses = columns_get(c, "pulses", H5_FLOAT64), *endurance = columns_get(c, "endurance", H5_FLOAT64);
    const uint64_t *counts[CELL_COUNTS];
    for (int f = 0; f < CELL_COUNTS; f++)
        counts[f] = columns_get(c, count_names[f][0], H5_UINT64);
    for (int64_t i = 0; !columns_failed(c) && i < c->n; i++)
        if (device[i] < 0 || device[i] >= run->n_devices)
            fault_set(c->fault, STATUS_USAGE, "%s: %s/device: no device of the run: %" PRId64, h5_path(c->file),
                      c->group, device[i]);
    if (columns_failed(c))
        return;
    run->n_cells = (int)c->n;
    run->cells = arena_array(c->arena, (size_t)c->n, sizeof *run->cells);
    for (int64_t i = 0; i < c->n; i++) {
        run->cells[i] = (struct run_cells){.device = (int)device[i], .pulses = pulses[i], .endurance = endurance[i]};
        for (int f = 0; f < CELL_COUNTS; f++)
            *count_of(&run->cells[i], f) = counts[f][i];
    }
}

static void get_choice(struct columns *c, struct run_choice *choice)
{
    const char *const *policies = columns_get_names(c, "policy"), *const *problems = columns_get_names(c, "problem");
    const uint64_t *time_ps = columns_get(c, "virtual_time_ps", H5_UINT64);
    const double *energy_j = columns_get(c, "energy_j", H5_FLOAT64);
    if (!columns_failed(c))
        h5_get_string(c->file, "/choice", "objective", c->arena, &choice->objective, c->fault);
    if (!columns_failed(c))
        h5_get_string(c->file, "/choice", "chosen", c->arena, &choice->chosen, c->fault);
    if (!columns_failed(c))
        h5_get_int(c->file, "/choice", "switch_step", &choice->switch_step, c->fault);
    if (!columns_failed(c) && h5_has_attribute(c->file, "/choice", "adapter_width")) /* earlier results have none */
        h5_get_int(c->file, "/choice", "adapter_width", &choice->adapter_width, c->fault);
    if (columns_failed(c))
        return;
    choice->n_candidates = (int)c->n;
    choice->candidate = arena_array(c->arena, (size_t)c->n, sizeof *choice->candidate);
    for (int64_t i = 0; i < c->n; i++)
        choice->candidate[i] =
            (struct run_candidate){policies[i], *problems[i] ? problems[i] : NULL, time_ps[i], energy_j[i]};
}

void result_read_modes(struct h5 *file, struct arena *arena, struct run *run, struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/mode", "mode", 0);
    columns_find(&c);
    if (c.n) {
        get_modes(&c, run);
        get_handover(&c, "/handover", &run->handover);
        get_handover(&c, "/way_back", &run->way_back);
    }
    c = columns_of(file, arena, fault, "/cells", "row", 0);
    columns_find(&c);
    if (c.n)
        get_cells(&c, run);
    c = columns_of(file, arena, fault, "/choice", "candidate", 0);
    columns_find(&c);
    if (c.n)
        get_choice(&c, &run->choice);
}
