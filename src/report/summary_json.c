#include <inttypes.h>
#include <math.h>

#include <jansson.h>

#include "report/breakdown.h"
#include "report/output.h"
#include "report/result.h"
#include "report/summary.h"
#include "report/summary_device.h"

static void set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        bug("JSON: '%s' cannot be set: out of memory or not UTF-8", key);
}

static void append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        bug("JSON: out of memory");
}

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *whole(uint64_t value)
{
    return value <= INT64_MAX ? json_integer((json_int_t)value) : json_real((double)value);
}

/* Text from a job may hold any bytes; what is not UTF-8 cannot stand in JSON. */
static json_t *text(const char *value)
{
    json_t *string = value ? json_string(value) : json_null();
    return string ? string : json_null();
}

static json_t *metrics_json(const struct run_metrics *metrics)
{
    json_t *object = json_object();
    set(object, "mae", real(metrics->mae));
    set(object, "rmse", real(metrics->rmse));
    set(object, "mape_percent", real(metrics->mape_percent));
    set(object, "nse", real(metrics->nse));
    set(object, "count", json_integer(metrics->count));
    return object;
}

static json_t *horizons_json(const struct run_metrics *metrics, int n)
{
    json_t *array = json_array();
    for (int h = 0; h < n; h++)
        append(array, metrics_json(&metrics[h]));
    return array;
}

static json_t *evaluation_json(const struct run_evaluation *evaluation)
{
    json_t *object = json_object();
    set(object, "step", json_integer(evaluation->step));
    set(object, "virtual_time_ps", whole(evaluation->time_ps));
    set(object, "loss", real(evaluation->loss));
    set(object, "horizon", horizons_json(evaluation->horizon, evaluation->n_horizons));
    set(object, "all", metrics_json(&evaluation->all));
    return object;
}

static json_t *baseline_json(const struct run_baseline *baseline)
{
    json_t *object = json_object();
    set(object, "name", text(baseline->name));
    set(object, "horizon", horizons_json(baseline->horizon, baseline->n_horizons));
    set(object, "all", metrics_json(&baseline->all));
    return object;
}

static json_t *times_json(const struct ledger *ledger)
{
    json_t *object = json_object(), *busy = json_object(), *waiting = json_object();
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        set(busy, kernel_class_name(c), whole(ledger->compute_ps[c]));
        set(waiting, kernel_class_name(c), whole(ledger->wait_ps[c]));
    }
    set(object, "busy", busy);
    set(object, "waiting_for", waiting);
    set(object, "idle", whole(ledger->idle_ps));
    if (ledger->off_ps)
        set(object, "failed", whole(ledger->off_ps));
    set(object, "total", whole(ledger->end_ps));
    return object;
}

static json_t *energies_json(const struct breakdown *breakdown)
{
    json_t *object = json_object();
    for (int i = 0; i < breakdown->n; i++)
        set(object, breakdown->name[i], real(joules(breakdown->value[i])));
    set(object, "total", real(joules(breakdown_sum(breakdown))));
    return object;
}

static json_t *engines_json(const struct ledger *ledger)
{
    json_t *object = json_object();
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        const struct ledger_entry *entry = &ledger->entry[c];
        json_t *row = json_object();
        set(row, "count", whole(entry->count));
        set(row, "busy_ps", whole(entry->busy_ps));
        set(row, "flops", whole(entry->flops));
        set(row, "bytes", whole(entry->bytes));
        set(row, "cell_writes", whole(entry->cell_writes));
        set(object, kernel_class_name(c), row);
    }
    return object;
}

json_t *summary_device_json(const struct run_device *device)
{
    struct breakdown breakdown;
    json_t *object = json_object();
    set(object, "name", text(device->name));
    set(object, "kind", text(device->kind));
    set(object, "profile", text(device->profile));
    set(object, "node", json_integer(device->node));
    set(object, "memory_bytes", whole(device->memory_bytes));
    set(object, "capacity_bytes", whole(device->capacity_bytes));
    set(object, "time_ps", times_json(&device->ledger));
    set(object, "class", engines_json(&device->ledger));
    breakdown_energy_by_class(&device->ledger, &breakdown);
    set(object, "energy_j_by_class", energies_json(&breakdown));
    breakdown_energy_by_part(&device->ledger, &breakdown);
    set(object, "energy_j_by_part", energies_json(&breakdown));
    return object;
}

static json_t *curve_json(const struct run *run)
{
    json_t *step = json_array(), *loss = json_array(), *rate = json_array();
    json_t *time = json_array(), *energy = json_array(), *object = json_object();
    for (int i = 0; i < run->n_steps; i++) {
        append(step, json_integer(run->step[i].step));
        append(loss, real(run->step[i].loss));
        append(rate, real(run->step[i].learning_rate));
        append(time, whole(run->step[i].time_ps));
        append(energy, real(run->step[i].energy_j));
    }
    set(object, "step", step);
    set(object, "loss", loss);
    set(object, "learning_rate", rate);
    set(object, "virtual_time_ps", time);
    set(object, "energy_j", energy);
    return object;
}

static json_t *switch_numbers_json(const struct run_switch_record *record)
{
    json_t *array = json_array();
    for (int i = 0; i < record->n_numbers; i++) {
        const struct run_switch_number *number = &record->number[i];
        json_t *object = json_object();
        set(object, "name", text(number->name));
        set(object, "value", real(number->value));
        set(object, "relation", text(number->relation));
        set(object, "threshold", real(number->threshold));
        set(object, "holds", json_boolean(number->holds));
        append(array, object);
    }
    return array;
}

static json_t *switch_json(const struct run_switch *told)
{
    json_t *object = json_object(), *records = json_array();
    for (int i = 0; i < told->n_records; i++) {
        const struct run_switch_record *record = &told->record[i];
        json_t *row = json_object();
        set(row, "step", json_integer(record->step));
        set(row, "window", json_integer(record->window));
        set(row, "before", text(record->before));
        set(row, "after", text(record->after));
        set(row, "action", text(record->action));
        set(row, "reason", text(record->reason));
        set(row, "is_decision", json_boolean(record->is_decision));
        set(row, "width", json_integer(record->width));
        set(row, "number", switch_numbers_json(record));
        append(records, row);
    }
    set(object, "policy", text(told->policy));
    set(object, "window_steps", json_integer(told->window_steps));
    set(object, "record", records);
    return object;
}

static json_t *phases_json(const struct run *run)
{
    json_t *array = json_array();
    for (int i = 0; i < run->n_phases; i++) {
        const struct run_phase *phase = &run->phase[i];
        json_t *object = json_object();
        set(object, "name", text(phase->name));
        set(object, "first_step", json_integer(phase->first_step));
        set(object, "last_step", json_integer(phase->last_step));
        set(object, "virtual_time_ps", whole(phase->time_ps));
        set(object, "energy_j", real(joules(phase->energy_fj)));
        append(array, object);
    }
    return array;
}

static json_t *modes_json(const struct run *run)
{
    json_t *array = json_array();
    for (int m = 0; m < run->n_modes; m++) {
        const struct run_mode *mode = &run->mode[m];
        json_t *object = json_object(), *busy = json_object(), *share = json_object();
        for (int d = 0; d < run->n_devices; d++) {
            set(busy, run->device[d].name, whole(mode->busy_ps[d]));
            set(share, run->device[d].name, real(run_utilisation(mode, d)));
        }
        set(object, "name", text(mode->name));
        set(object, "n_trained", json_integer(mode->n_trained));
        set(object, "step_time_ps", mode->step_ps ? whole(mode->step_ps) : json_null());
        set(object, "step_energy_j", mode->step_ps ? real(joules(mode->energy_fj)) : json_null());
        set(object, "busy_ps", busy);
        set(object, "utilisation", mode->step_ps ? json_incref(share) : json_null());
        json_decref(share);
        append(array, object);
    }
    return array;
}

static json_t *cells_json(const struct run *run)
{
    json_t *array = json_array();
    for (int c = 0; c < run->n_cells; c++) {
        const struct run_cells *cells = &run->cells[c];
        double writes = run_writes_per_cell(cells), full = run_full_writes_per_cell(run, cells);
        json_t *object = json_object();
        set(object, "device", text(run->device[cells->device].name));
        set(object, "matrices", whole(cells->n_matrices));
        set(object, "copies", whole(cells->copies));
        set(object, "crossbars_used", whole(cells->crossbars_used));
        set(object, "crossbars_total", whole(cells->crossbars_total));
        set(object, "handover_cells", whole(cells->cells));
        set(object, "cell_writes", whole(cells->cell_writes));
        set(object, "pulses", real(cells->pulses));
        set(object, "endurance", real(cells->endurance));
        set(object, "writes_per_cell", real(writes));
        set(object, "lifetime_runs", real(run_lifetime(cells, writes)));
        set(object, "all_reram_writes_per_cell", real(full));
        set(object, "all_reram_lifetime_runs", real(run_lifetime(cells, full)));
        append(array, object);
    }
    return array;
}

static json_t *handover_json(const struct run_handover *handover)
{
    json_t *object = json_object();
    set(object, "count", json_integer(handover->n));
    set(object, "virtual_time_ps", whole(handover->time_ps));
    set(object, "energy_j", real(joules(handover->energy_fj)));
    return object;
}

static json_t *choice_json(const struct run_choice *choice)
{
    json_t *object = json_object(), *candidates = json_array();
    for (int c = 0; c < choice->n_candidates; c++) {
        const struct run_candidate *candidate = &choice->candidate[c];
        json_t *row = json_object();
        set(row, "policy", text(candidate->policy));
        set(row, "problem", text(candidate->problem));
        set(row, "virtual_time_ps", candidate->problem ? json_null() : whole(candidate->time_ps));
        set(row, "energy_j", candidate->problem ? json_null() : real(candidate->energy_j));
        append(candidates, row);
    }
    set(object, "objective", text(choice->objective));
    set(object, "chosen", text(choice->chosen));
    set(object, "switch_step", choice->switch_step < 0 ? json_null() : json_integer(choice->switch_step));
    set(object, "adapter_width", choice->adapter_width ? json_integer(choice->adapter_width) : json_null());
    set(object, "candidate", candidates);
    return object;
}

static json_t *faults_json(const struct run *run)
{
    json_t *array = json_array();
    for (int i = 0; i < run->n_faults; i++) {
        const struct run_fault *fault = &run->fault[i];
        json_t *object = json_object();
        set(object, "device", text(fault->device));
        set(object, "kind", text(fault->kind));
        set(object, "factor", fault->factor > 0 ? real(fault->factor) : json_null());
        set(object, "at_ps", whole(fault->at_ps));
        set(object, "virtual_time_ps", whole(fault->time_ps));
        set(object, "step", json_integer(fault->step));
        set(object, "action", text(fault->action));
        set(object, "reason", text(fault->reason));
        set(object, "recovery_ps", whole(fault->recovery_ps));
        set(object, "recovery_energy_j", real(joules(fault->recovery_fj)));
        set(object, "recovery_cells", whole(fault->recovery_cells));
        set(object, "steps_undone", json_integer(fault->steps_undone));
        set(object, "steps_since", json_integer(fault->steps_since));
        set(object, "step_before_ps", fault->step_before_ps ? whole(fault->step_before_ps) : json_null());
        set(object, "step_after_ps", fault->step_after_ps ? whole(fault->step_after_ps) : json_null());
        append(array, object);
    }
    return array;
}

/* What only runs with several modes, a choice or faults have. */
static void set_placement(json_t *object, const struct run *run)
{
    if (run->n_modes) {
        set(object, "mode", modes_json(run));
        set(object, "cells", cells_json(run));
        set(object, "handover", handover_json(&run->handover));
        set(object, "way_back", handover_json(&run->way_back));
    }
    if (run->choice.objective)
        set(object, "choice", choice_json(&run->choice));
    if (run->n_faults + run->faults_to_come > 0) {
        set(object, "fault", faults_json(run));
        set(object, "faults_to_come", json_integer(run->faults_to_come));
    }
}

static void set_totals(json_t *object, const struct run *run)
{
    double energy_j = run_energy_j(run), end_s = (double)run->end_ps * 1e-12;
    set(object, "n_parameters", json_integer(run->n_parameters));
    set(object, "n_trainable", json_integer(run->n_trainable));
    set(object, "n_train", json_integer(run->n_train));
    set(object, "n_test", json_integer(run->n_test));
    set(object, "steps", json_integer(run->steps));
    set(object, "flops", whole(run->flops));
    set(object, "virtual_time_ps", whole(run->end_ps));
    set(object, "virtual_time_s", real(end_s));
    set(object, "energy_j", real(energy_j));
    set(object, "mean_power_w", real(energy_j / end_s));
    set(object, "achieved_flop_per_s", real((double)run->flops / end_s));
}

static json_t *run_json(const struct run *run)
{
    json_t *object = json_object(), *evaluations = json_array(), *baselines = json_array(), *devices = json_array();
    set(object, "schema", json_string("polyrank-summary"));
    set(object, "schema_version", json_integer(RESULT_SCHEMA_VERSION));
    set(object, "job", text(run->name));
    set(object, "model", text(run->model_text));
    set(object, "placement", text(run->placement_text));
    set(object, "target", text(run->target));
    set(object, "units", text(run->units));
    set(object, "timing_only", json_boolean(run->timing_only));
    set_totals(object, run);
    for (int i = 0; i < run->n_evaluations; i++)
        append(evaluations, evaluation_json(&run->evaluation[i]));
    for (int i = 0; i < run->n_baselines; i++)
        append(baselines, baseline_json(&run->baseline[i]));
    for (int i = 0; i < run->n_devices; i++)
        append(devices, summary_device_json(&run->device[i]));
    set(object, "curve", curve_json(run));
    set(object, "evaluation", evaluations);
    set(object, "baseline", baselines);
    set(object, "device", devices);
    if (run->mode_switch.policy)
        set(object, "switch", switch_json(&run->mode_switch));
    if (run->n_phases)
        set(object, "phase", phases_json(run));
    set_placement(object, run);
    return object;
}

enum status summary_write_json(const char *path, const struct run *run, struct fault *fault)
{
    struct output output;
    enum status status = output_open(&output, path, fault);
    if (status == STATUS_OK) {
        json_t *json = run_json(run);
        if (json_dumpf(json, output.file, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_REAL_PRECISION(17)) != 0)
            status = fault_set(fault, STATUS_IO, "%s: cannot be written: is the disk full?", path);
        fputc('\n', output.file);
        json_decref(json);
    }
    if (status == STATUS_OK)
        status = output_finish(&output, fault);
    output_close(&output);
    return status;
}
