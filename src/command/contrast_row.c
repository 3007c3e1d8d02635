/* contrast_row.c - predicts the runs of a table of pairs, and what follows from a pair. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "command/contrast.h"
#include "command/job_options.h"
#include "scheduler/choose.h"
#include "scheduler/switch.h"

static const char *const columns[] = {"group", "label", "x", "base", "run", "set_base", "set_run", NULL};

int contrast_table_matches(const struct table *table)
{
    return table_has_header(table, columns);
}

/* "a=1; b=2" into overrides; returns how many, or -1 when there are too many. */
static int split_overrides(const char *text, struct arena *arena, const char **overrides)
{
    int n = 0;
    for (const char *end; *text; text = *end ? end + 1 : end) {
        end = text + strcspn(text, ";");
        const char *last = end;
        while (text < last && isspace((unsigned char)*text))
            text++;
        while (last > text && isspace((unsigned char)last[-1]))
            last--;
        if (last == text)
            continue;
        if (n == MAX_OVERRIDES)
            return -1;
        overrides[n++] = arena_printf(arena, "%.*s", (int)(last - text), text);
    }
    return n;
}

static double seconds(uint64_t ps)
{
    return (double)ps * 1e-12;
}

static int is_kind(const struct run_device *device, const char *kind)
{
    return strcmp(device->kind, kind) == 0;
}

static double busy_ps(const struct ledger *ledger)
{
    double sum = 0;
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        sum += (double)ledger->compute_ps[c];
    return sum;
}

static double mean_busy(const struct run *run, const char *kind, double low_ps)
{
    double sum = 0;
    int n = 0;
    for (int d = 0; d < run->n_devices; d++)
        if (is_kind(&run->device[d], kind)) {
            sum += busy_ps(&run->device[d].ledger);
            n++;
        }
    return n && low_ps > 0 ? sum / n / low_ps : 0;
}

static double energy_of_kind(const struct run *run, const char *kind)
{
    double sum = 0;
    for (int d = 0; d < run->n_devices; d++)
        if (is_kind(&run->device[d], kind))
            sum += joules(ledger_energy_fj(&run->device[d].ledger));
    return sum;
}

static void find_class(const struct run *run, struct prediction *found)
{
    double by_class[N_KERNEL_CLASSES] = {0}, all = 0;
    int most = 0;
    for (int d = 0; d < run->n_devices; d++)
        for (int c = 0; is_kind(&run->device[d], "systolic") && c < N_KERNEL_CLASSES; c++) {
            by_class[c] += (double)run->device[d].ledger.compute_ps[c];
            all += (double)run->device[d].ledger.compute_ps[c];
        }
    for (int c = 1; c < N_KERNEL_CLASSES; c++)
        most = by_class[c] > by_class[most] ? c : most;
    found->systolic_class = all > 0 ? kernel_class_name((enum kernel_class)most) : "";
    found->systolic_class_share = all > 0 ? by_class[most] / all : 0;
}

static void find_phases(const struct run *run, struct prediction *found)
{
    double low_ps = 0;
    found->switch_step = run->n_phases ? 0 : -1;
    for (int p = 0; p < run->n_phases; p++) {
        const struct run_phase *phase = &run->phase[p];
        int is_low = strcmp(phase->name, "low") == 0, is_trial = strcmp(phase->name, "trial") == 0;
        if (is_low || is_trial)
            low_ps += (double)phase->time_ps;
        if (is_trial)
            found->trial_steps += phase->last_step - phase->first_step + 1;
        if (!is_low)
            found->switch_step = phase->last_step;
    }
    found->reram_busy = mean_busy(run, "reram", low_ps);
    found->systolic_busy = mean_busy(run, "systolic", low_ps);
}

static void find_crossbars(const struct training *training, struct prediction *found)
{
    for (int d = 0; training->matrices && d < training->machine.n_devices; d++) {
        const struct matrices *matrices = &training->matrices[d];
        if (!matrices->n)
            continue;
        found->crossbars += matrices->units_needed * (uint64_t)matrices->replicas;
        found->crossbars_total += matrices->units_total;
        if (!found->copies || matrices->replicas < found->copies)
            found->copies = matrices->replicas;
    }
}

/* "1 a100-80g (fp32), 3 isaac (12096 of 48384 crossbars in use), 1 systolic-128-7nm (fp32); links ..." */
static const char *describe(const struct training *training, const struct prediction *found, struct arena *arena)
{
    const struct machine *machine = &training->machine;
    const struct cluster_links *links = &training->job->cluster.links;
    const char *text = "";
    for (int d = 0, end; d < machine->n_devices; d = end) {
        const struct device_spec *spec = &machine->specs[d];
        for (end = d; end < machine->n_devices && strcmp(machine->specs[end].kind, spec->kind) == 0; end++)
            continue;
        const char *detail = number_format_name(spec->format);
        if (strcmp(spec->kind, "reram") == 0)
            detail = arena_printf(arena, "%llu of %llu crossbars in %lld copies", (unsigned long long)found->crossbars,
                                  (unsigned long long)found->crossbars_total, (long long)found->copies);
        text = arena_printf(arena, "%s%d %s (%s%s), ", text, end - d, spec->profile, detail,
                            spec->fused_attention && strcmp(spec->kind, "reram") != 0 ? ", fused attention" : "");
    }
    return arena_printf(arena, "%slinks %s, %s", text, links->bridge ? links->bridge : links->host,
                        links->stack ? links->stack : "no stack");
}

static void take(const struct training *training, const struct run *run, struct arena *arena, struct prediction *found)
{
    int n = run->n_steps;
    found->steps = n;
    found->time_s = seconds(run->end_ps);
    found->energy_j = run_energy_j(run);
    found->step_s = seconds(n > 1 ? run->step[n - 1].time_ps - run->step[n - 2].time_ps : run->step[0].time_ps);
    found->reram_j = energy_of_kind(run, "reram");
    found->systolic_j = energy_of_kind(run, "systolic");
    for (int d = 0; d < run->n_devices; d++)
        if (is_kind(&run->device[d], "gpu"))
            found->idle_gpu_j += joules(run->device[d].ledger.idle_energy_fj);
    find_phases(run, found);
    find_class(run, found);
    find_crossbars(training, found);
    found->systolic_class = arena_printf(arena, "%s", found->systolic_class);
    found->machine = describe(training, found, arena);
}

static enum status predict(const char *path, const char *set, struct arena *keep, struct prediction *found,
                           struct fault *fault)
{
    struct arena *arena = arena_new();
    struct comm *comm = comm_alone();
    struct training training;
    struct training_result result;
    struct training_options options = {.timing_only = 1, .quiet = 1};
    struct job job;
    const char *overrides[MAX_OVERRIDES];
    int n = split_overrides(set, arena, overrides);
    enum status status = n < 0 ? fault_set(fault, STATUS_USAGE, "expected at most %d overrides", MAX_OVERRIDES)
                               : job_read(arena, path, overrides, n, &job, fault);
    job.n_faults = 0; /* machines are held against each other as they are */
    if (status == STATUS_OK) {
        job.output.trace = 0;
        status = choose_open(comm, &job, 1, arena, &training, fault);
        if (status == STATUS_OK)
            status = training_run(&training, &options, &result, fault);
        if (status == STATUS_OK)
            take(&training, &result.run, keep, found);
        training_close(&training);
    }
    comm_close(comm, 0);
    arena_free(arena);
    return status;
}

/* A run that an earlier row had is not predicted again. */
static enum status recall_or_predict(const struct contrast *contrast, int row, const char *path, const char *set,
                                     struct arena *arena, struct prediction *found, struct fault *fault)
{
    const char *key = arena_printf(arena, "%s %s", path, set);
    for (int r = 0; r < row; r++) {
        const struct prediction *known[2] = {&contrast->row[r].base, &contrast->row[r].run};
        for (int k = 0; k < 2; k++)
            if (known[k]->key && strcmp(known[k]->key, key) == 0) {
                *found = *known[k];
                return STATUS_OK;
            }
    }
    enum status status = predict(path, set, arena, found, fault);
    found->key = status == STATUS_OK ? key : NULL;
    return status;
}

static void relate(const struct contrast *contrast, struct contrast_row *row)
{
    const struct prediction *base = &row->base, *run = &row->run;
    double n = (double)base->steps, before = (double)run->switch_step, base_step_s = base->time_s / n;
    row->time_ratio = base->time_s / run->time_s;
    row->energy_ratio = base->energy_j / run->energy_j;
    row->full_share = before / n;
    row->low_speed_up = base_step_s / run->step_s;
    row->trial_share = (run->time_s - before * base_step_s - (n - before) * run->step_s) / base->time_s;
    row->bound = switch_speed_up_bound(row->full_share, row->trial_share, INFINITY);
    row->needed = switch_needed_speed_up(row->full_share, row->trial_share, contrast->claimed_time);
}

static void predict_row(const struct table *table, size_t r, const char *folder, struct arena *arena,
                        struct contrast *contrast)
{
    struct contrast_row *row = &contrast->row[r];
    struct fault fault = FAULT_NONE;
    row->group = table_cell(table, r, "group");
    row->label = table_cell(table, r, "label");
    row->x = table_cell(table, r, "x");
    const char *base = arena_printf(arena, "%s%s", folder, table_cell(table, r, "base")),
               *run = arena_printf(arena, "%s%s", folder, table_cell(table, r, "run"));
    enum status status =
        recall_or_predict(contrast, (int)r, base, table_cell(table, r, "set_base"), arena, &row->base, &fault);
    if (status == STATUS_OK)
        status = recall_or_predict(contrast, (int)r, run, table_cell(table, r, "set_run"), arena, &row->run, &fault);
    if (status == STATUS_OK && row->base.steps != row->run.steps)
        status = fault_set(&fault, STATUS_USAGE, "expected as many steps in both jobs, found %lld and %lld",
                           (long long)row->base.steps, (long long)row->run.steps);
    if (status == STATUS_OK && row->base.switch_step >= 0)
        status = fault_set(&fault, STATUS_USAGE,
                           "%s: expected a base that trains all parameters to the end, found one that switches", base);
    if (status == STATUS_OK && row->run.switch_step < 0)
        status = fault_set(&fault, STATUS_USAGE, "%s: train.switch.policy: expected at or always, found never", run);
    if (status == STATUS_OK)
        relate(contrast, row);
    else
        row->failure = arena_printf(arena, "%s", fault.text);
}

void contrast_predict(const struct table *table, struct arena *arena, struct contrast *contrast)
{
    const char *slash = strrchr(table->path, '/');
    const char *folder = slash ? arena_printf(arena, "%.*s", (int)(slash - table->path + 1), table->path) : "";
    contrast->n = (int)table->n_rows;
    contrast->row = arena_array(arena, table->n_rows + 1, sizeof *contrast->row);
    for (size_t r = 0; r < table->n_rows; r++)
        predict_row(table, r, folder, arena, contrast);
}

int contrast_failures(const struct contrast *contrast)
{
    int n = 0;
    for (int r = 0; r < contrast->n; r++)
        n += contrast->row[r].failure != NULL;
    return n;
}
