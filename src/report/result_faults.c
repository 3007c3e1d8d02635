/* The group /faults of a result: both directions side by side, so that they stay alike. */
#include "report/result_columns.h"
#include "report/result_private.h"

enum { FAULT_TEXTS = 4, FAULT_COUNTS = 6, FAULT_STEPS = 3 };

static const char *const text_names[FAULT_TEXTS][2] = {{"device", "device that it struck"},
                                                       {"kind", "fails, degrades, link-slows or columns-stick"},
                                                       {"action", "what was done about it"},
                                                       {"reason", "why nothing better could be; may be empty"}};

static const char *const count_names[FAULT_COUNTS][3] = {
    {"at_ps", "ps", "virtual time of the job"},
    {"virtual_time_ps", "ps", "end of the step at which it struck"},
    {"recovery_ps", "ps", "from there to the end of the recovery"},
    {"recovery_cells", "1", "cells that the recovery has programmed"},
    {"step_before_ps", "ps", "from step to step up to then; 0: no two steps"},
    {"step_after_ps", "ps", "from step to step from then on; 0: no two steps"},
};

static const char *const step_names[FAULT_STEPS][2] = {
    {"step", "training step after which it struck"},
    {"steps_undone", "training steps whose work was lost"},
    {"steps_since", "training steps since"},
};

static const char **text_of(struct run_fault *fault, int field)
{
    const char **const texts[FAULT_TEXTS] = {&fault->device, &fault->kind, &fault->action, &fault->reason};
    return texts[field];
}

static uint64_t *count_of(struct run_fault *fault, int field)
{
    uint64_t *const counts[FAULT_COUNTS] = {&fault->at_ps,          &fault->time_ps,        &fault->recovery_ps,
                                            &fault->recovery_cells, &fault->step_before_ps, &fault->step_after_ps};
    return counts[field];
}

static int64_t *step_of(struct run_fault *fault, int field)
{
    int64_t *const steps[FAULT_STEPS] = {&fault->step, &fault->steps_undone, &fault->steps_since};
    return steps[field];
}

static void put_energy(struct columns *c, const struct run *run)
{
    size_t n = (size_t)c->n;
    uint64_t *whole_j = arena_array(c->arena, n, sizeof *whole_j), *rest_fj = arena_array(c->arena, n, sizeof *rest_fj);
    double *factor = arena_array(c->arena, n, sizeof *factor);
    for (size_t i = 0; i < n; i++) {
        whole_j[i] = (uint64_t)(run->fault[i].recovery_fj / RESULT_FJ_PER_J);
        rest_fj[i] = (uint64_t)(run->fault[i].recovery_fj % RESULT_FJ_PER_J);
        factor[i] = run->fault[i].factor;
    }
    columns_put(c, "factor", H5_FLOAT64, factor, "1",
                "speed that is left, or share of the columns that stick; 0: the device failed");
    columns_put(c, "recovery_energy_whole_j", H5_UINT64, whole_j, "J", "energy of the recovery: whole joules");
    columns_put(c, "recovery_energy_rest_fj", H5_UINT64, rest_fj, "fJ", "and what the whole joules leave");
}

static void put_faults(struct columns *c, const struct run *run)
{
    size_t n = (size_t)c->n;
    const char **texts = arena_array(c->arena, n, sizeof *texts);
    uint64_t *counts = arena_array(c->arena, n, sizeof *counts);
    int64_t *steps = arena_array(c->arena, n, sizeof *steps);
    columns_put_scale(c, 0, "fault of the emulated hardware, in the order in which they struck");
    for (int f = 0; f < FAULT_TEXTS; f++) {
        for (size_t i = 0; i < n; i++)
            texts[i] = *text_of(&run->fault[i], f);
        columns_put_names(c, text_names[f][0], texts, text_names[f][1]);
    }
    for (int f = 0; f < FAULT_COUNTS; f++) {
        for (size_t i = 0; i < n; i++)
            counts[i] = *count_of(&run->fault[i], f);
        columns_put(c, count_names[f][0], H5_UINT64, counts, count_names[f][1], count_names[f][2]);
    }
    for (int f = 0; f < FAULT_STEPS; f++) {
        for (size_t i = 0; i < n; i++)
            steps[i] = *step_of(&run->fault[i], f);
        columns_put(c, step_names[f][0], H5_INT64, steps, "1", step_names[f][1]);
    }
    put_energy(c, run);
}

void result_write_faults(struct h5 *file, struct arena *arena, const struct run *run, struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/faults", "fault", run->n_faults);
    if (run->n_faults + run->faults_to_come == 0)
        return;
    if (c.n)
        put_faults(&c, run);
    else if (!columns_failed(&c))
        h5_make_group(file, "/faults", fault);
    if (!columns_failed(&c))
        h5_set_int(file, "/faults", "to_come", run->faults_to_come, fault);
}

static void get_faults(struct columns *c, struct run *run)
{
    const char *const *texts[FAULT_TEXTS];
    const uint64_t *counts[FAULT_COUNTS];
    const int64_t *steps[FAULT_STEPS];
    for (int f = 0; f < FAULT_TEXTS; f++)
        texts[f] = columns_get_names(c, text_names[f][0]);
    for (int f = 0; f < FAULT_COUNTS; f++)
        counts[f] = columns_get(c, count_names[f][0], H5_UINT64);
    for (int f = 0; f < FAULT_STEPS; f++)
        steps[f] = columns_get(c, step_names[f][0], H5_INT64);
    const double *factor = columns_get(c, "factor", H5_FLOAT64);
    const uint64_t *whole_j = columns_get(c, "recovery_energy_whole_j", H5_UINT64);
    const uint64_t *rest_fj = columns_get(c, "recovery_energy_rest_fj", H5_UINT64);
    if (columns_failed(c))
        return;
    run->n_faults = (int)c->n;
    run->fault = arena_array(c->arena, (size_t)c->n, sizeof *run->fault);
    for (int64_t i = 0; i < c->n; i++) {
        struct run_fault *told = &run->fault[i];
        for (int f = 0; f < FAULT_TEXTS; f++)
            *text_of(told, f) = texts[f][i];
        for (int f = 0; f < FAULT_COUNTS; f++)
            *count_of(told, f) = counts[f][i];
        for (int f = 0; f < FAULT_STEPS; f++)
            *step_of(told, f) = steps[f][i];
        told->factor = factor[i];
        told->recovery_fj = (wide_uint)whole_j[i] * RESULT_FJ_PER_J + rest_fj[i];
    }
}

void result_read_faults(struct h5 *file, struct arena *arena, struct run *run, struct fault *fault)
{
    struct columns c = columns_of(file, arena, fault, "/faults", "fault", 0);
    if (columns_failed(&c) || !h5_exists(file, "/faults"))
        return;
    columns_find(&c);
    if (c.n)
        get_faults(&c, run);
    if (!columns_failed(&c))
        h5_get_int(file, "/faults", "to_come", &run->faults_to_come, fault);
}
