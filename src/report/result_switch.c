/* The groups /switch, /arms and /phase of a result: both directions side by side, so that they stay alike. */
#include <inttypes.h>

#include "report/result_columns.h"
#include "report/result_private.h"

/* Columns of a table of records: integers and texts. */
enum { RECORD_INTS = 5, RECORD_TEXTS = 4 };

static void put_records(struct columns *c, const struct run_switch *told)
{
    static const char *const names[RECORD_INTS][2] = {
        {"step", "training step after which this was checked or decided"},
        {"window", "number of the window, from 1; 0: outside of windows"},
        {"width", "width of the adapters that the action speaks of, or 0"},
        {"is_decision", "1 when the action is not just to go on"},
        {"n_numbers", "rows of the table of numbers that belong to this record"}};
    static const char *const texts[RECORD_TEXTS][2] = {
        {"before", "mode before"}, {"after", "mode after"}, {"action", "what was decided"}, {"reason", "why"}};
    size_t n = (size_t)told->n_records;
    int64_t *ints[RECORD_INTS];
    const char **words[RECORD_TEXTS];
    for (int f = 0; f < RECORD_INTS; f++)
        ints[f] = arena_array(c->arena, n, sizeof **ints);
    for (int f = 0; f < RECORD_TEXTS; f++)
        words[f] = arena_array(c->arena, n, sizeof **words);
    for (size_t i = 0; i < n; i++) {
        const struct run_switch_record *r = &told->record[i];
        ints[0][i] = r->step, ints[1][i] = r->window, ints[2][i] = r->width;
        ints[3][i] = r->is_decision, ints[4][i] = r->n_numbers;
        words[0][i] = r->before, words[1][i] = r->after, words[2][i] = r->action, words[3][i] = r->reason;
    }
    columns_put_scale(c, 0, "check or decision, in time order");
    for (int f = 0; f < RECORD_INTS; f++)
        columns_put(c, names[f][0], H5_INT64, ints[f], "1", names[f][1]);
    for (int f = 0; f < RECORD_TEXTS; f++)
        columns_put_names(c, texts[f][0], words[f], texts[f][1]);
}

static int64_t count_numbers(const struct run_switch *told)
{
    int64_t n = 0;
    for (int i = 0; i < told->n_records; i++)
        n += told->record[i].n_numbers;
    return n;
}

static void put_numbers(struct columns *c, const struct run_switch *told)
{
    size_t n = (size_t)c->n, k = 0;
    const char **names = arena_array(c->arena, n, sizeof *names), **relations = arena_array(c->arena, n, sizeof *names);
    double *values = arena_array(c->arena, n, sizeof *values), *thresholds = arena_array(c->arena, n, sizeof *values);
    int64_t *holds = arena_array(c->arena, n, sizeof *holds), *records = arena_array(c->arena, n, sizeof *records);
    for (int i = 0; i < told->n_records; i++)
        for (int j = 0; j < told->record[i].n_numbers; j++, k++) {
            const struct run_switch_number *number = &told->record[i].number[j];
            names[k] = number->name, relations[k] = number->relation;
            values[k] = number->value, thresholds[k] = number->threshold;
            holds[k] = number->holds, records[k] = i;
        }
    columns_put_scale(c, 0, "number of a check, in the order of the records");
    columns_put(c, "number_record", H5_INT64, records, "1", "the record it belongs to");
    columns_put_names(c, "number_name", names, "what the number is");
    columns_put(c, "number_value", H5_FLOAT64, values, "1", "its value; units stand in the name (_ps, _fj), else 1");
    columns_put_names(c, "number_relation", relations, "how it must stand to the threshold; empty: it is only told");
    columns_put(c, "number_threshold", H5_FLOAT64, thresholds, "1", "its threshold, NaN when it is only told");
    columns_put(c, "number_holds", H5_INT64, holds, "1", "verdict: 1 when it holds or is only told");
}

static void put_arms(struct columns *c, const struct run_switch *told)
{
    size_t n = (size_t)c->n;
    double *full = arena_array(c->arena, n, sizeof *full), *low = arena_array(c->arena, n, sizeof *low);
    int64_t *windows = arena_array(c->arena, n, sizeof *windows);
    const char **states = arena_array(c->arena, n, sizeof *states);
    for (size_t i = 0; i < n; i++) {
        full[i] = told->step[i].loss_full, low[i] = told->step[i].loss_low;
        windows[i] = told->step[i].window, states[i] = told->step[i].state;
    }
    columns_put_scale(c, told->step[0].step, "training step, from 1");
    columns_put(c, "loss_full", H5_FLOAT64, full, "1", "training loss of the full arm, NaN where it did not run");
    columns_put(c, "loss_low", H5_FLOAT64, low, "1", "training loss of the low arm, NaN where it did not run");
    columns_put(c, "window", H5_INT64, windows, "1", "number of the window, from 1; 0: outside of windows");
    columns_put_names(c, "state", states, "mode of the step");
}

static void put_phases(struct columns *c, const struct run *run)
{
    size_t n = (size_t)c->n;
    const char **names = arena_array(c->arena, n, sizeof *names);
    int64_t *first = arena_array(c->arena, n, sizeof *first), *last = arena_array(c->arena, n, sizeof *last);
    uint64_t *time_ps = arena_array(c->arena, n, sizeof *time_ps);
    uint64_t *whole_j = arena_array(c->arena, n, sizeof *whole_j), *rest_fj = arena_array(c->arena, n, sizeof *rest_fj);
    double *energy_j = arena_array(c->arena, n, sizeof *energy_j);
    for (size_t i = 0; i < n; i++) {
        const struct run_phase *phase = &run->phase[i];
        names[i] = phase->name, first[i] = phase->first_step, last[i] = phase->last_step, time_ps[i] = phase->time_ps;
        whole_j[i] = (uint64_t)(phase->energy_fj / RESULT_FJ_PER_J);
        rest_fj[i] = (uint64_t)(phase->energy_fj % RESULT_FJ_PER_J);
        energy_j[i] = joules(phase->energy_fj);
    }
    columns_put_scale(c, 0, "phase of the run, in time order");
    columns_put_names(c, "name", names, "mode of the phase");
    columns_put(c, "first_step", H5_INT64, first, "1", "first training step of the phase");
    columns_put(c, "last_step", H5_INT64, last, "1", "last training step of the phase");
    columns_put(c, "virtual_time_ps", H5_UINT64, time_ps, "ps", "virtual time of the phase");
    columns_put(c, "energy_j", H5_FLOAT64, energy_j, "J", "energy of all devices: working, waiting, idle");
    columns_put(c, "energy_whole_j", H5_UINT64, whole_j, "J", "exact: whole joules; the rest is beside it");
    columns_put(c, "energy_rest_fj", H5_UINT64, rest_fj, "fJ", "exact: what the whole joules leave");
}

void result_write_switch(struct h5 *file, struct arena *arena, const struct run *run, struct fault *fault)
{
    const struct run_switch *told = &run->mode_switch;
    struct columns c = columns_of(file, arena, fault, "/switch", "record", told->n_records);
    if (told->policy && !columns_failed(&c))
        h5_make_group(file, "/switch", fault);
    if (told->policy && !columns_failed(&c))
        h5_set_string(file, "/switch", "policy", told->policy, fault);
    if (told->policy && !columns_failed(&c))
        h5_set_int(file, "/switch", "window_steps", told->window_steps, fault);
    if (told->policy && told->n_records) {
        put_records(&c, told);
        c = columns_of(file, arena, fault, "/switch", "number", count_numbers(told));
        if (c.n)
            put_numbers(&c, told);
    }
    c = columns_of(file, arena, fault, "/arms", "step", told->n_steps);
    if (told->policy && c.n)
        put_arms(&c, told);
    c = columns_of(file, arena, fault, "/phase", "phase", run->n_phases);
    if (c.n)
        put_phases(&c, run);
}

static void get_records(struct columns *c, struct run_switch *told)
{
    const int64_t *step = columns_get(c, "step", H5_INT64), *window = columns_get(c, "window", H5_INT64);
    const int64_t *width = columns_get(c, "width", H5_INT64), *is_decision = columns_get(c, "is_decision", H5_INT64);
    const int64_t *n_numbers = columns_get(c, "n_numbers", H5_INT64);
    const char *const *before = columns_get_names(c, "before"), *const *after = columns_get_names(c, "after");
    const char *const *action = columns_get_names(c, "action"), *const *reason = columns_get_names(c, "reason");
    if (columns_failed(c))
        return;
    told->n_records = (int)c->n;
    told->record = arena_array(c->arena, (size_t)c->n, sizeof *told->record);
    for (int64_t i = 0; i < c->n; i++) {
        if (n_numbers[i] < 0 || n_numbers[i] > INT32_MAX / c->n)
            fault_set(c->fault, STATUS_USAGE, "%s: %s/n_numbers: no count of numbers: %" PRId64, h5_path(c->file),
                      c->group, n_numbers[i]);
        told->record[i] = (struct run_switch_record){
            .step = step[i],
            .window = window[i],
            .before = before[i],
            .after = after[i],
            .action = action[i],
            .reason = reason[i],
            .is_decision = (int)is_decision[i],
            .width = (int)width[i],
            .n_numbers = (int)n_numbers[i],
        };
    }
}

static void get_numbers(struct columns *c, struct run_switch *told)
{
    if (!columns_failed(c) && c->n != count_numbers(told))
        fault_set(c->fault, STATUS_USAGE, "%s: %s: expected %" PRId64 " numbers of the records, found %" PRId64,
                  h5_path(c->file), c->scale, count_numbers(told), c->n);
    if (columns_failed(c) || c->n == 0)
        return;
    const char *const *names = columns_get_names(c, "number_name"), *const *relations =
                                                                        columns_get_names(c, "number_relation");
    const double *values = columns_get(c, "number_value", H5_FLOAT64),
                 *thresholds = columns_get(c, "number_threshold", H5_FLOAT64);
    const int64_t *holds = columns_get(c, "number_holds", H5_INT64);
    if (columns_failed(c))
        return;
    struct run_switch_number *number = arena_array(c->arena, (size_t)c->n, sizeof *number);
    for (int64_t i = 0; i < c->n; i++)
        number[i] = (struct run_switch_number){names[i], relations[i], values[i], thresholds[i], (int)holds[i]};
    for (int i = 0; i < told->n_records; number += told->record[i].n_numbers, i++)
        told->record[i].number = number;
}

static void get_arms(struct columns *c, struct run_switch *told)
{
    const int64_t *step = columns_get(c, "step", H5_INT64), *window = columns_get(c, "window", H5_INT64);
    const double *full = columns_get(c, "loss_full", H5_FLOAT64), *low = columns_get(c, "loss_low", H5_FLOAT64);
    const char *const *state = columns_get_names(c, "state");
    if (columns_failed(c))
        return;
    told->n_steps = (int)c->n;
    told->step = arena_array(c->arena, (size_t)c->n, sizeof *told->step);
    for (int64_t i = 0; i < c->n; i++)
        told->step[i] = (struct run_switch_step){step[i], full[i], low[i], window[i], state[i]};
}

static void get_phases(struct columns *c, struct run *run)
{
    const char *const *name = columns_get_names(c, "name");
    const int64_t *first = columns_get(c, "first_step", H5_INT64), *last = columns_get(c, "last_step", H5_INT64);
    const uint64_t *time_ps = columns_get(c, "virtual_time_ps", H5_UINT64);
    const uint64_t *whole_j = columns_get(c, "energy_whole_j", H5_UINT64),
                   *rest_fj = columns_get(c, "energy_rest_fj", H5_UINT64);
    for (int64_t i = 0; !columns_failed(c) && i < c->n; i++)
        if (first[i] > last[i])
            fault_set(c->fault, STATUS_USAGE, "%s: %s: phase %" PRId64 " ends before it begins", h5_path(c->file),
                      c->group, i);
    if (columns_failed(c))
        return;
    run->n_phases = (int)c->n;
    run->phase = arena_array(c->arena, (size_t)c->n, sizeof *run->phase);
    for (int64_t i = 0; i < c->n; i++)
        run->phase[i] = (struct run_phase){name[i], first[i], last[i], time_ps[i],
                                           (wide_uint)whole_j[i] * RESULT_FJ_PER_J + rest_fj[i]};
}

void result_read_switch(struct h5 *file, struct arena *arena, struct run *run, struct fault *fault)
{
    struct run_switch *told = &run->mode_switch;
    struct columns c = columns_of(file, arena, fault, "/switch", "record", 0);
    if (!columns_failed(&c) && h5_exists(file, "/switch")) {
        h5_get_string(file, "/switch", "policy", arena, &told->policy, fault);
        if (!columns_failed(&c))
            h5_get_int(file, "/switch", "window_steps", &told->window_steps, fault);
        columns_find(&c);
        if (c.n)
            get_records(&c, told);
        c = columns_of(file, arena, fault, "/switch", "number", 0);
        columns_find(&c);
        get_numbers(&c, told);
        c = columns_of(file, arena, fault, "/arms", "step", 0);
        columns_find(&c);
        if (c.n)
            get_arms(&c, told);
    }
    c = columns_of(file, arena, fault, "/phase", "phase", 0);
    columns_find(&c);
    if (c.n)
        get_phases(&c, run);
}
