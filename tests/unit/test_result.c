/* What is written reads back: result.h5 bit by bit, summary.json number by number. */
#include <check.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random_run.h"
#include "report/result.h"
#include "report/summary.h"

Suite *suite_result(void);

static int is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void expect_same_metrics(const struct run_metrics *a, const struct run_metrics *b, int n)
{
    for (int h = 0; h < n; h++)
        ck_assert(a[h].mae == b[h].mae && a[h].rmse == b[h].rmse && a[h].mape_percent == b[h].mape_percent &&
                  a[h].nse == b[h].nse && a[h].count == b[h].count);
}

static void expect_same_quality(const struct run *a, const struct run *b)
{
    ck_assert_int_eq(a->n_evaluations, b->n_evaluations);
    ck_assert_int_eq(a->n_baselines, b->n_baselines);
    for (int i = 0; i < a->n_evaluations; i++) {
        const struct run_evaluation *x = &a->evaluation[i], *y = &b->evaluation[i];
        ck_assert(x->step == y->step && x->time_ps == y->time_ps && x->loss == y->loss &&
                  x->n_horizons == y->n_horizons);
        expect_same_metrics(x->horizon, y->horizon, x->n_horizons);
        expect_same_metrics(&x->all, &y->all, 1);
    }
    for (int i = 0; i < a->n_baselines; i++) {
        ck_assert_str_eq(a->baseline[i].name, b->baseline[i].name);
        ck_assert_int_eq(a->baseline[i].n_horizons, b->baseline[i].n_horizons);
        expect_same_metrics(a->baseline[i].horizon, b->baseline[i].horizon, a->baseline[i].n_horizons);
        expect_same_metrics(&a->baseline[i].all, &b->baseline[i].all, 1);
    }
}

static void expect_same_devices(const struct run *a, const struct run *b)
{
    ck_assert_int_eq(a->n_devices, b->n_devices);
    for (int i = 0; i < a->n_devices; i++) {
        const struct run_device *x = &a->device[i], *y = &b->device[i];
        ck_assert(is_same_text(x->name, y->name) && is_same_text(x->kind, y->kind) &&
                  is_same_text(x->profile, y->profile));
        ck_assert(x->node == y->node && x->memory_bytes == y->memory_bytes && x->capacity_bytes == y->capacity_bytes);
        ck_assert(ledger_energy_fj(&x->ledger) == ledger_energy_fj(&y->ledger));
        ck_assert(x->ledger.wait_energy_fj == y->ledger.wait_energy_fj);
        ck_assert_int_eq(memcmp(x->ledger.entry, y->ledger.entry, sizeof x->ledger.entry), 0);
        ck_assert_int_eq(memcmp(x->ledger.compute_ps, y->ledger.compute_ps, sizeof x->ledger.compute_ps), 0);
        ck_assert_int_eq(memcmp(x->ledger.wait_ps, y->ledger.wait_ps, sizeof x->ledger.wait_ps), 0);
        ck_assert(x->ledger.off_ps == y->ledger.off_ps);
        ck_assert(x->ledger.idle_ps == y->ledger.idle_ps && x->ledger.end_ps == y->ledger.end_ps);
    }
}

static void expect_same_weights(const struct run_parameter *a, const struct run_parameter *b, int n)
{
    for (int i = 0; i < n; i++) {
        const struct run_parameter *x = &a[i], *y = &b[i];
        ck_assert_str_eq(x->name, y->name);
        ck_assert(x->n_dims == y->n_dims && memcmp(x->dims, y->dims, (size_t)x->n_dims * sizeof *x->dims) == 0);
        ck_assert(!x->values == !y->values && !x->values64 == !y->values64);
        if (x->values)
            ck_assert_int_eq(memcmp(x->values, y->values, 6 * sizeof *x->values), 0);
        else
            ck_assert_int_eq(memcmp(x->values64, y->values64, 6 * sizeof *x->values64), 0);
    }
}

static void expect_same_arrays(const struct run *a, const struct run *b)
{
    ck_assert_int_eq(a->n_parameters_stored, b->n_parameters_stored);
    ck_assert_int_eq(a->n_merged, b->n_merged);
    expect_same_weights(a->parameter, b->parameter, a->n_parameters_stored);
    expect_same_weights(a->merged, b->merged, a->n_merged);
    ck_assert(a->n_predictions == b->n_predictions && (a->n_predictions == 0 || a->n_outputs == b->n_outputs));
    for (int64_t i = 0; i < a->n_predictions * a->n_outputs; i++)
        ck_assert(a->prediction[i] == b->prediction[i] && a->observation[i] == b->observation[i]);
}

static int is_same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void expect_same_numbers(const struct run_switch_record *x, const struct run_switch_record *y)
{
    ck_assert_int_eq(x->n_numbers, y->n_numbers);
    for (int k = 0; k < x->n_numbers; k++) {
        const struct run_switch_number *u = &x->number[k], *v = &y->number[k];
        ck_assert(is_same_text(u->name, v->name) && is_same_text(u->relation, v->relation) && u->holds == v->holds);
        ck_assert(is_same_number(u->value, v->value) && is_same_number(u->threshold, v->threshold));
    }
}

static void expect_same_switch(const struct run *a, const struct run *b)
{
    const struct run_switch *s = &a->mode_switch, *t = &b->mode_switch;
    ck_assert(is_same_text(s->policy, t->policy) && s->window_steps == t->window_steps);
    ck_assert(s->n_records == t->n_records && s->n_steps == t->n_steps && a->n_phases == b->n_phases);
    for (int i = 0; i < s->n_records; i++) {
        const struct run_switch_record *x = &s->record[i], *y = &t->record[i];
        ck_assert(x->step == y->step && x->window == y->window && x->width == y->width);
        ck_assert(is_same_text(x->before, y->before) && is_same_text(x->after, y->after));
        ck_assert(is_same_text(x->action, y->action) && is_same_text(x->reason, y->reason));
        ck_assert_int_eq(x->is_decision, y->is_decision);
        expect_same_numbers(x, y);
    }
    for (int i = 0; i < s->n_steps; i++) {
        const struct run_switch_step *x = &s->step[i], *y = &t->step[i];
        ck_assert(x->step == y->step && x->window == y->window && is_same_text(x->state, y->state));
        ck_assert(is_same_number(x->loss_full, y->loss_full) && is_same_number(x->loss_low, y->loss_low));
    }
    for (int i = 0; i < a->n_phases; i++) {
        const struct run_phase *x = &a->phase[i], *y = &b->phase[i];
        ck_assert(is_same_text(x->name, y->name) && x->first_step == y->first_step && x->last_step == y->last_step);
        ck_assert(x->time_ps == y->time_ps && x->energy_fj == y->energy_fj);
    }
}

static void expect_same_modes(const struct run *a, const struct run *b)
{
    ck_assert(a->n_modes == b->n_modes && a->n_cells == b->n_cells);
    for (int m = 0; m < a->n_modes; m++) {
        const struct run_mode *x = &a->mode[m], *y = &b->mode[m];
        ck_assert(is_same_text(x->name, y->name) && x->n_trained == y->n_trained && x->step_ps == y->step_ps);
        ck_assert(x->energy_fj == y->energy_fj);
        ck_assert_int_eq(memcmp(x->busy_ps, y->busy_ps, (size_t)a->n_devices * sizeof *x->busy_ps), 0);
    }
    const struct run_handover *ways[2][2] = {{&a->handover, &b->handover}, {&a->way_back, &b->way_back}};
    for (int w = 0; a->n_modes && w < 2; w++)
        ck_assert(ways[w][0]->n == ways[w][1]->n && ways[w][0]->time_ps == ways[w][1]->time_ps &&
                  ways[w][0]->energy_fj == ways[w][1]->energy_fj);
    ck_assert_int_eq(a->n_matrices, b->n_matrices);
    for (int m = 0; m < a->n_matrices; m++) {
        const struct run_matrix *x = &a->matrix[m], *y = &b->matrix[m];
        ck_assert(x->device == y->device && x->out == y->out && x->in == y->in && x->crossbars == y->crossbars);
        ck_assert(x->cells == y->cells && x->cell_writes == y->cell_writes && strcmp(x->name, y->name) == 0);
    }
    for (int c = 0; c < a->n_cells; c++) {
        const struct run_cells *x = &a->cells[c], *y = &b->cells[c];
        ck_assert(x->device == y->device && x->n_matrices == y->n_matrices && x->copies == y->copies);
        ck_assert(x->crossbars_used == y->crossbars_used && x->crossbars_total == y->crossbars_total);
        ck_assert(x->cells == y->cells && x->cell_writes == y->cell_writes);
        ck_assert(x->pulses == y->pulses && x->endurance == y->endurance);
    }
}

static void expect_same_faults(const struct run *a, const struct run *b)
{
    ck_assert_int_eq(a->n_faults, b->n_faults);
    ck_assert_int_eq(a->faults_to_come, b->faults_to_come);
    for (int i = 0; i < a->n_faults; i++) {
        const struct run_fault *x = &a->fault[i], *y = &b->fault[i];
        ck_assert_str_eq(x->device, y->device);
        ck_assert_str_eq(x->kind, y->kind);
        ck_assert_str_eq(x->action, y->action);
        ck_assert_str_eq(x->reason, y->reason);
        ck_assert(x->factor == y->factor && x->at_ps == y->at_ps && x->time_ps == y->time_ps && x->step == y->step);
        ck_assert(x->recovery_ps == y->recovery_ps && x->recovery_fj == y->recovery_fj);
        ck_assert(x->recovery_cells == y->recovery_cells && x->steps_undone == y->steps_undone);
        ck_assert(x->steps_since == y->steps_since && x->step_before_ps == y->step_before_ps);
        ck_assert(x->step_after_ps == y->step_after_ps);
    }
}

static void expect_same_choice(const struct run_choice *a, const struct run_choice *b)
{
    ck_assert_int_eq(a->adapter_width, b->adapter_width);
    ck_assert(is_same_text(a->objective, b->objective) && is_same_text(a->chosen, b->chosen));
    ck_assert_int_eq(a->n_candidates, b->n_candidates);
    ck_assert(!a->objective || a->switch_step == b->switch_step);
    for (int c = 0; c < a->n_candidates; c++) {
        const struct run_candidate *x = &a->candidate[c], *y = &b->candidate[c];
        ck_assert(is_same_text(x->policy, y->policy) && is_same_text(x->problem, y->problem));
        ck_assert(x->time_ps == y->time_ps && x->energy_j == y->energy_j);
    }
}

static void expect_same_run(const struct run *a, const struct run *b)
{
    ck_assert(is_same_text(a->name, b->name) && is_same_text(a->config, b->config) && is_same_text(a->units, b->units));
    ck_assert(is_same_text(a->model_text, b->model_text) && is_same_text(a->placement_text, b->placement_text));
    ck_assert(is_same_text(a->target, b->target) && a->timing_only == b->timing_only);
    ck_assert(a->n_parameters == b->n_parameters && a->n_trainable == b->n_trainable && a->n_train == b->n_train);
    ck_assert(a->n_test == b->n_test && a->steps == b->steps && a->flops == b->flops && a->end_ps == b->end_ps);
    ck_assert_int_eq(a->n_steps, b->n_steps);
    for (int i = 0; i < a->n_steps; i++) {
        const struct run_step *x = &a->step[i], *y = &b->step[i];
        ck_assert(x->step == y->step && x->time_ps == y->time_ps && x->energy_j == y->energy_j);
        ck_assert(x->learning_rate == y->learning_rate && (x->loss == y->loss || (isnan(x->loss) && isnan(y->loss))));
    }
    expect_same_quality(a, b);
    expect_same_devices(a, b);
    expect_same_arrays(a, b);
    expect_same_switch(a, b);
    expect_same_modes(a, b);
    expect_same_choice(&a->choice, &b->choice);
    expect_same_faults(a, b);
}

START_TEST(test_result_round_trip)
{
    struct dice d = dice(200 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run run = random_run(&d, arena, _i == 0 ? 64 : 1 + (int)below(&d, 12)), found;
    if (_i == 1) { /* as little as there can be */
        run.units = run.target = run.placement_text = NULL;
        run.n_evaluations = run.n_baselines = run.n_parameters_stored = 0;
        run.n_predictions = run.n_steps = 0;
        run.timing_only = 1;
        run.mode_switch = (struct run_switch){.policy = NULL};
        run.n_phases = 0;
    }
    run.step[0].loss = NAN;
    folder_open(&folder);
    const char *path = folder_file(&folder, "result.h5"), *twin = folder_file(&folder, "twin.h5");
    result_write(path, &run, &fault);
    expect_ok(&fault);
    result_read(path, arena, &found, &fault);
    expect_ok(&fault);
    expect_same_run(&run, &found);
    result_write(twin, &found, &fault);
    expect_ok(&fault);
    size_t size, twin_size;
    char *bytes = read_text(path, &size), *twin_bytes = read_text(twin, &twin_size);
    ck_assert_uint_eq(size, twin_size);
    ck_assert_int_eq(memcmp(bytes, twin_bytes, size), 0);
    free(bytes);
    free(twin_bytes);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

START_TEST(test_result_refuses)
{
    struct dice d = dice(300);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run run = random_run(&d, arena, 2), found = {.n_steps = -1};
    folder_open(&folder);
    const char *path = folder_file(&folder, "result.h5");
    ck_assert_int_eq(result_read(path, arena, &found, &fault), STATUS_IO);
    fault = FAULT_NONE;
    run.device[1].ledger.idle_ps++;
    result_write(path, &run, &fault);
    expect_ok(&fault);
    ck_assert_int_eq(result_read(path, arena, &found, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "the times of gpu1 do not sum"));
    ck_assert_int_eq(found.n_steps, -1);
    fault = FAULT_NONE;
    ck_assert_int_ne(result_write("/nowhere/at/all/result.h5", &run, &fault), STATUS_OK);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* As a user would open it; without h5py there is nothing to show. */
START_TEST(test_result_opens_in_h5py)
{
    struct dice d = dice(310);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run run = random_run(&d, arena, 3);
    if (system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0) {
        fprintf(stderr, "notice: no h5py here: result.h5 was not opened with it\n");
        arena_free(arena);
        return;
    }
    folder_open(&folder);
    const char *path = folder_file(&folder, "result.h5");
    result_write(path, &run, &fault);
    expect_ok(&fault);
    const char *script = "import h5py, sys\n"
                         "f = h5py.File(sys.argv[1])\n"
                         "assert f['curve/loss'].dims[0].keys(), 'no scale'\n"
                         "def look(name, o):\n"
                         "    assert not isinstance(o, h5py.Dataset) or 'long_name' in o.attrs, name\n"
                         "f.visititems(look)\n"
                         "assert f['curve/virtual_time_ps'][-1] == int(sys.argv[2])\n"
                         "assert f['device/energy_j'].attrs['units'] == 'J'\n"
                         "assert abs(f['device/energy_j'][()].sum() + f['device/wait_energy_j'][()].sum() + "
                         "f['device/idle_energy_j'][()].sum() - f.attrs['energy_j']) < 1e-9 * f.attrs['energy_j']\n";
    char *command =
        arena_printf(arena, "/usr/bin/python3 -c \"%s\" %s %" PRIu64, script, path, run.step[run.n_steps - 1].time_ps);
    ck_assert_int_eq(system(command), 0);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

/* ---- summary.json ---- */

static double json_number(json_t *json, const char *key)
{
    json_t *value = json_object_get(json, key);
    ck_assert_msg(json_is_number(value), "%s is no number", key);
    return json_number_value(value);
}

static void check_json_device(json_t *json, const struct run_device *device)
{
    json_t *time = json_object_get(json, "time_ps"), *busy = json_object_get(time, "busy"), *value;
    json_t *energy = json_object_get(json, "energy_j_by_part");
    const char *key;
    double sum_j = 0;
    ck_assert_str_eq(json_string_value(json_object_get(json, "name")), device->name);
    ck_assert_int_eq(json_integer_value(json_object_get(time, "idle")), (json_int_t)device->ledger.idle_ps);
    ck_assert_int_eq(json_integer_value(json_object_get(time, "failed")), (json_int_t)device->ledger.off_ps);
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        ck_assert_int_eq(json_integer_value(json_object_get(busy, kernel_class_name(c))),
                         (json_int_t)device->ledger.compute_ps[c]);
    json_object_foreach(energy, key, value) sum_j += strcmp(key, "total") ? json_number_value(value) : 0;
    ck_assert_double_eq_tol(sum_j, json_number(energy, "total"), 1e-12 * sum_j);
    ck_assert_double_eq(json_number(energy, "total"), joules(ledger_energy_fj(&device->ledger)));
}

static void check_json_switch(json_t *json, const struct run *run)
{
    const struct run_switch *told = &run->mode_switch;
    json_t *object = json_object_get(json, "switch"), *records = json_object_get(object, "record");
    json_t *phases = json_object_get(json, "phase");
    ck_assert_int_eq(object != NULL, told->policy != NULL);
    ck_assert_uint_eq(json_array_size(records), told->policy ? (size_t)told->n_records : 0);
    for (size_t i = 0; i < json_array_size(records); i++) {
        json_t *numbers = json_object_get(json_array_get(records, i), "number");
        ck_assert_uint_eq(json_array_size(numbers), (size_t)told->record[i].n_numbers);
        for (size_t k = 0; k < json_array_size(numbers); k++)
            ck_assert_double_eq(json_number(json_array_get(numbers, k), "value"), told->record[i].number[k].value);
    }
    ck_assert_uint_eq(json_array_size(phases), (size_t)run->n_phases);
    for (int i = 0; i < run->n_phases; i++)
        ck_assert_double_eq(json_number(json_array_get(phases, (size_t)i), "energy_j"),
                            joules(run->phase[i].energy_fj));
}

START_TEST(test_summary_json)
{
    struct dice d = dice(400 + (uint32_t)_i);
    struct arena *arena = arena_new();
    struct folder folder;
    struct fault fault = FAULT_NONE;
    struct run run = random_run(&d, arena, 3);
    run.step[0].loss = NAN;
    folder_open(&folder);
    const char *path = folder_file(&folder, "summary.json");
    summary_write_json(path, &run, &fault);
    expect_ok(&fault);
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json_object_get(json, "job")), run.name);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "virtual_time_ps")), (json_int_t)run.end_ps);
    ck_assert_double_eq(json_number(json, "energy_j"), run_energy_j(&run));
    json_t *loss = json_object_get(json_object_get(json, "curve"), "loss");
    ck_assert_uint_eq(json_array_size(loss), (size_t)run.n_steps);
    ck_assert(json_is_null(json_array_get(loss, 0)));
    for (int i = 1; i < run.n_steps; i++)
        ck_assert_double_eq(json_real_value(json_array_get(loss, (size_t)i)), run.step[i].loss);
    json_t *evaluation = json_array_get(json_object_get(json, "evaluation"), 1);
    ck_assert_double_eq(json_number(json_object_get(evaluation, "all"), "rmse"), run.evaluation[1].all.rmse);
    for (int i = 0; i < run.n_devices; i++)
        check_json_device(json_array_get(json_object_get(json, "device"), (size_t)i), &run.device[i]);
    check_json_switch(json, &run);
    json_decref(json);
    folder_close(&folder);
    arena_free(arena);
}
END_TEST

Suite *suite_result(void)
{
    Suite *suite = suite_create("result");
    TCase *tcase = tcase_create("result");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_result_round_trip, 0, 8);
    tcase_add_test(tcase, test_result_refuses);
    tcase_add_test(tcase, test_result_opens_in_h5py);
    tcase_add_loop_test(tcase, test_summary_json, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}
