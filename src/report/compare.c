#include "report/compare.h"

#include <math.h>
#include <string.h>

#include "report/breakdown.h"
#include "report/output.h"
#include "report/table.h"

enum { SIZE_OF_HEAD = 16 };

static struct quantity *add(struct comparison *comparison, const char *name, const char *unit, int has_ratio,
                            int is_detail)
{
    struct quantity *quantity = &comparison->quantity[comparison->n_quantities++];
    *quantity = (struct quantity){.name = name, .unit = unit, .has_ratio = has_ratio, .is_detail = is_detail};
    for (int r = 0; r < comparison->n_runs; r++)
        quantity->value[r] = NAN;
    return quantity;
}

/* A part that no run has says nothing. */
static void drop_if_zero(struct comparison *comparison)
{
    const struct quantity *last = &comparison->quantity[comparison->n_quantities - 1];
    for (int r = 0; r < comparison->n_runs; r++)
        if (last->value[r] != 0)
            return;
    comparison->n_quantities--;
}

static void add_totals(struct comparison *comparison)
{
    struct quantity *steps = add(comparison, "steps", "1", 0, 0), *time = add(comparison, "virtual time", "s", 1, 0);
    struct quantity *energy = add(comparison, "energy", "J", 1, 0), *power = add(comparison, "mean power", "W", 0, 0);
    struct quantity *devices = add(comparison, "devices", "1", 0, 0),
                    *flops = add(comparison, "arithmetic", "FLOP", 0, 0);
    for (int r = 0; r < comparison->n_runs; r++) {
        const struct run *run = &comparison->run[r];
        steps->value[r] = (double)run->steps;
        time->value[r] = (double)run->end_ps * 1e-12;
        energy->value[r] = run_energy_j(run);
        power->value[r] = run->end_ps ? energy->value[r] / time->value[r] : NAN;
        devices->value[r] = run->n_devices;
        flops->value[r] = (double)run->flops;
    }
}

/* Time as a mean over devices (so that the parts sum to the virtual time), energy of all of them. */
static void add_breakdown(struct comparison *comparison, struct arena *arena, const char *what,
                          void (*break_down)(const struct ledger *ledger, struct breakdown *breakdown))
{
    const struct ledger nothing = {.end_ps = 0};
    struct breakdown names, device, *parts = arena_array(arena, (size_t)comparison->n_runs, sizeof *parts);
    int is_time = break_down == breakdown_time;
    break_down(&nothing, &names);
    for (int r = 0; r < comparison->n_runs; r++)
        for (int d = 0; d < comparison->run[r].n_devices; d++) {
            break_down(&comparison->run[r].device[d].ledger, &device);
            breakdown_add(&parts[r], &device);
        }
    for (int i = 0; i < names.n; i++) {
        const char *name = arena_printf(arena, "%s: %s", what, names.name[i]);
        struct quantity *quantity = add(comparison, name, is_time ? "s" : "J", 1, 0);
        for (int r = 0; r < comparison->n_runs; r++) {
            int n_devices = comparison->run[r].n_devices;
            if (is_time)
                quantity->value[r] = n_devices ? (double)parts[r].value[i] * 1e-12 / n_devices : 0;
            else
                quantity->value[r] = joules(parts[r].value[i]);
        }
        drop_if_zero(comparison);
    }
}

static const struct run_evaluation *last_evaluation(const struct run *run)
{
    return run->n_evaluations ? &run->evaluation[run->n_evaluations - 1] : NULL;
}

/* Horizon h (from 0), or all of them together for -1. */
static void add_metrics(struct comparison *comparison, struct arena *arena, int h)
{
    const char *where = h < 0 ? "" : arena_printf(arena, ", horizon %d", h + 1);
    const char *units = comparison->run[0].units ? comparison->run[0].units : "1";
    struct quantity *mae = add(comparison, arena_printf(arena, "MAE%s", where), units, 1, h >= 0);
    struct quantity *rmse = add(comparison, arena_printf(arena, "RMSE%s", where), units, 1, h >= 0);
    struct quantity *mape = add(comparison, arena_printf(arena, "MAPE%s", where), "%", 1, h >= 0);
    struct quantity *nse = add(comparison, arena_printf(arena, "NSE%s", where), "1", 0, h >= 0);
    for (int r = 0; r < comparison->n_runs; r++) {
        const struct run_evaluation *last = last_evaluation(&comparison->run[r]);
        if (!last || h >= last->n_horizons)
            continue;
        const struct run_metrics *metrics = h < 0 ? &last->all : &last->horizon[h];
        mae->value[r] = metrics->mae;
        rmse->value[r] = metrics->rmse;
        mape->value[r] = metrics->mape_percent;
        nse->value[r] = metrics->nse;
    }
}

static void add_losses(struct comparison *comparison)
{
    struct quantity *train = add(comparison, "training loss", "1", 1, 0),
                    *test = add(comparison, "test loss", "1", 1, 0);
    for (int r = 0; r < comparison->n_runs; r++) {
        const struct run *run = &comparison->run[r];
        if (run->n_steps)
            train->value[r] = run->step[run->n_steps - 1].loss;
        if (run->n_evaluations)
            test->value[r] = last_evaluation(run)->loss;
    }
}

static int most_phases(const struct comparison *comparison)
{
    int n = 0;
    for (int r = 0; r < comparison->n_runs; r++)
        n += comparison->run[r].n_phases;
    return n;
}

static int is_named_before(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return 1;
    return 0;
}

/* Phases of one name together; a run without that phase has none of it (NaN), and no ratio. */
static void add_phase(struct comparison *comparison, struct arena *arena, const char *name)
{
    struct quantity *steps = add(comparison, arena_printf(arena, "steps: phase %s", name), "1", 0, 0);
    struct quantity *time = add(comparison, arena_printf(arena, "time: phase %s", name), "s", 1, 0);
    struct quantity *step_time = add(comparison, arena_printf(arena, "time per step: phase %s", name), "s", 1, 0);
    struct quantity *energy = add(comparison, arena_printf(arena, "energy: phase %s", name), "J", 1, 0);
    for (int r = 0; r < comparison->n_runs; r++) {
        const struct run *run = &comparison->run[r];
        int64_t n_steps = 0;
        wide_uint time_ps = 0, energy_fj = 0;
        for (int i = 0; i < run->n_phases; i++)
            if (strcmp(run->phase[i].name, name) == 0) {
                n_steps += run->phase[i].last_step - run->phase[i].first_step + 1;
                time_ps += run->phase[i].time_ps;
                energy_fj += run->phase[i].energy_fj;
            }
        if (n_steps == 0)
            continue;
        steps->value[r] = (double)n_steps;
        time->value[r] = (double)time_ps * 1e-12;
        step_time->value[r] = time->value[r] / (double)n_steps;
        energy->value[r] = joules(energy_fj);
    }
}

static void add_phases(struct comparison *comparison, struct arena *arena)
{
    int n = 0;
    const char **names = arena_array(arena, (size_t)most_phases(comparison) + 1, sizeof *names);
    for (int r = 0; r < comparison->n_runs; r++)
        for (int i = 0; i < comparison->run[r].n_phases; i++) {
            const char *name = comparison->run[r].phase[i].name;
            if (is_named_before(names, n, name))
                continue;
            names[n++] = name;
            add_phase(comparison, arena, name);
        }
}

static int most_horizons(const struct comparison *comparison)
{
    int n = 0;
    for (int r = 0; r < comparison->n_runs; r++) {
        const struct run_evaluation *last = last_evaluation(&comparison->run[r]);
        if (last && last->n_horizons > n)
            n = last->n_horizons;
    }
    return n;
}

void compare_runs(struct comparison *comparison, const struct run *runs, const char *const *paths, int n,
                  struct arena *arena)
{
    if (n < 1 || n > COMPARE_MAX_RUNS)
        bug("a comparison of %d runs", n);
    *comparison = (struct comparison){.n_runs = n, .run = runs, .path = paths};
    int n_horizons = most_horizons(comparison);
    size_t max = SIZE_OF_HEAD + TIME_PARTS + CLASS_PARTS + SOURCE_PARTS + 4 * ((size_t)n_horizons + 1) +
                 4 * (size_t)most_phases(comparison);
    comparison->quantity = arena_array(arena, max, sizeof *comparison->quantity);
    add_totals(comparison);
    add_losses(comparison);
    add_metrics(comparison, arena, -1);
    add_phases(comparison, arena);
    add_breakdown(comparison, arena, "time", breakdown_time);
    add_breakdown(comparison, arena, "energy", breakdown_energy_by_class);
    add_breakdown(comparison, arena, "energy part", breakdown_energy_by_part);
    for (int h = 0; h < n_horizons; h++)
        add_metrics(comparison, arena, h);
}

double compare_ratio(const struct quantity *quantity, int run)
{
    double base = quantity->value[0], value = quantity->value[run];
    if (!quantity->has_ratio || isnan(base) || isnan(value) || value == 0)
        return base == value && quantity->has_ratio ? 1 : NAN;
    return base / value;
}

static void value_cell(struct text_table *table, double value)
{
    if (isnan(value))
        text_table_cell(table, "-");
    else if (value == floor(value) && fabs(value) < 1e9)
        text_table_cell(table, "%.0f", value);
    else
        text_table_cell(table, "%.5g", value);
}

static void ratio_cell(struct text_table *table, const struct quantity *quantity, int run)
{
    double ratio = compare_ratio(quantity, run);
    if (isnan(ratio))
        text_table_cell(table, "-");
    else
        text_table_cell(table, "%.3f", ratio);
}

static int is_known(const struct comparison *comparison, const struct quantity *quantity)
{
    for (int r = 0; r < comparison->n_runs; r++)
        if (!isnan(quantity->value[r]))
            return 1;
    return 0;
}

static void print_table(FILE *out, const struct comparison *comparison, struct arena *arena)
{
    struct text_table *table = text_table_new(arena);
    text_table_column(table, ALIGN_LEFT, "quantity", NULL);
    text_table_column(table, ALIGN_LEFT, "unit", NULL);
    text_table_column(table, ALIGN_RIGHT, "base", NULL);
    for (int r = 1; r < comparison->n_runs; r++) {
        text_table_column(table, ALIGN_RIGHT, arena_printf(arena, "run %d", r), NULL);
        text_table_column(table, ALIGN_RIGHT, arena_printf(arena, "base/run %d", r), NULL);
    }
    for (int i = 0; i < comparison->n_quantities; i++) {
        const struct quantity *quantity = &comparison->quantity[i];
        if (quantity->is_detail || !is_known(comparison, quantity))
            continue;
        text_table_row(table);
        text_table_cell(table, "%s", quantity->name);
        text_table_cell(table, "%s", strcmp(quantity->unit, "1") == 0 ? "" : quantity->unit);
        value_cell(table, quantity->value[0]);
        for (int r = 1; r < comparison->n_runs; r++) {
            value_cell(table, quantity->value[r]);
            ratio_cell(table, quantity, r);
        }
    }
    text_table_print(table, out, TABLE_WIDTH);
}

static void print_keys(FILE *out, const char *before, const char *const *keys, int n, int max)
{
    if (n == 0)
        return;
    fputs(before, out);
    for (int i = 0; i < n && i < max; i++)
        fprintf(out, "%s%s", i ? ", " : " ", keys[i]);
    if (n > max)
        fprintf(out, ", and %d more", n - max);
    fputc('\n', out);
}

static void print_differences(FILE *out, const struct comparison *comparison, struct arena *arena)
{
    for (int r = 1; r < comparison->n_runs; r++) {
        const char **keys;
        int n = compare_differences(&comparison->run[0], &comparison->run[r], 1, arena, &keys);
        print_keys(out,
                   arena_printf(arena,
                                "\nwarning: run %d was not tested on the base's data; errors are not comparable."
                                "\n  different:",
                                r),
                   keys, n, 64);
        n = compare_differences(&comparison->run[0], &comparison->run[r], 0, arena, &keys);
        print_keys(out, arena_printf(arena, "\nrun %d differs from the base in:", r), keys, n, 16);
    }
}

static void print_runs(FILE *out, const struct comparison *comparison)
{
    for (int r = 0; r < comparison->n_runs; r++) {
        const struct run *run = &comparison->run[r];
        char label[16];
        snprintf(label, sizeof label, r ? "run %d" : "base", r);
        fprintf(out, "%-7s %s  (%s%s%s%s)\n", label, comparison->path[r], run->name ? run->name : "unnamed",
                run->placement_text ? "; " : "", run->placement_text ? run->placement_text : "",
                run->timing_only ? "; timing only" : "");
    }
}

void compare_print(FILE *out, const struct comparison *comparison, struct arena *arena)
{
    print_runs(out, comparison);
    fputc('\n', out);
    print_table(out, comparison, arena);
    fputs("\nbase/run is the base's value over the run's (speed-up, energy ratio, ratio of errors): above 1 the run is "
          "better.\n"
          "Times of parts are means over the devices of a run; energies are of all its devices.\n",
          out);
    print_differences(out, comparison, arena);
}

/* RFC 4180. */
static void put_field(FILE *out, const char *text, const char *end)
{
    if (!text)
        text = "";
    if (!strpbrk(text, ",\"\r\n")) {
        fprintf(out, "%s%s", text, end);
        return;
    }
    fputc('"', out);
    for (; *text; text++)
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, out);
    fprintf(out, "\"%s", end);
}

static void put_number(FILE *out, double value, const char *end)
{
    if (isnan(value))
        fputs(end, out);
    else
        fprintf(out, "%.17g%s", value, end);
}

static void put_row(FILE *out, const struct comparison *comparison, const struct quantity *quantity, int r)
{
    put_field(out, quantity->name, ",");
    put_field(out, quantity->unit, ",");
    fprintf(out, "%d,", r);
    put_field(out, comparison->path[r], ",");
    put_field(out, comparison->run[r].name, ",");
    put_number(out, quantity->value[r], ",");
    put_number(out, compare_ratio(quantity, r), "\n");
}

enum status compare_write_csv(const char *path, const struct comparison *comparison, struct fault *fault)
{
    struct output output;
    if (output_open(&output, path, fault) != STATUS_OK)
        return fault->status;
    fputs("quantity,unit,run,file,job,value,base_over_run\n", output.file);
    for (int i = 0; i < comparison->n_quantities; i++)
        for (int r = 0; r < comparison->n_runs; r++)
            put_row(output.file, comparison, &comparison->quantity[i], r);
    output_finish(&output, fault);
    output_close(&output);
    return fault->status;
}
