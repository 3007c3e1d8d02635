/* Training runs side by side: time, energy, errors on the test set, phases and modes. */
#include <math.h>
#include <string.h>

#include "report/compare_private.h"

enum { SIZE_OF_HEAD = 16, PER_PHASE = 4, PER_MODE = 3, HANDOVER_QUANTITIES = 3 };

static void add_totals(struct comparison *comparison)
{
    struct quantity *steps = compare_add(comparison, "steps", "1", BETTER_NEITHER, 0),
                    *time = compare_add(comparison, "virtual time", "s", BETTER_LESS, 0);
    struct quantity *energy = compare_add(comparison, "energy", "J", BETTER_LESS, 0),
                    *power = compare_add(comparison, "mean power", "W", BETTER_NEITHER, 0);
    struct quantity *devices = compare_add(comparison, "devices", "1", BETTER_NEITHER, 0),
                    *flops = compare_add(comparison, "arithmetic", "FLOP", BETTER_NEITHER, 0);
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

static const struct run_evaluation *last_evaluation(const struct run *run)
{
    return run->n_evaluations ? &run->evaluation[run->n_evaluations - 1] : NULL;
}

/* Horizon h (from 0), or all of them together for -1. */
static void add_metrics(struct comparison *comparison, struct arena *arena, int h)
{
    const char *where = h < 0 ? "" : arena_printf(arena, ", horizon %d", h + 1);
    const char *units = comparison->run[0].units ? comparison->run[0].units : "1";
    struct quantity *mae = compare_add(comparison, arena_printf(arena, "MAE%s", where), units, BETTER_LESS, h >= 0);
    struct quantity *rmse = compare_add(comparison, arena_printf(arena, "RMSE%s", where), units, BETTER_LESS, h >= 0);
    struct quantity *mape = compare_add(comparison, arena_printf(arena, "MAPE%s", where), "%", BETTER_LESS, h >= 0);
    struct quantity *nse = compare_add(comparison, arena_printf(arena, "NSE%s", where), "1", BETTER_NEITHER, h >= 0);
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
    struct quantity *train = compare_add(comparison, "training loss", "1", BETTER_LESS, 0),
                    *test = compare_add(comparison, "test loss", "1", BETTER_LESS, 0);
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
    struct quantity *steps =
        compare_add(comparison, arena_printf(arena, "steps: phase %s", name), "1", BETTER_NEITHER, 0);
    struct quantity *time = compare_add(comparison, arena_printf(arena, "time: phase %s", name), "s", BETTER_LESS, 0);
    struct quantity *step_time =
        compare_add(comparison, arena_printf(arena, "time per step: phase %s", name), "s", BETTER_LESS, 0);
    struct quantity *energy =
        compare_add(comparison, arena_printf(arena, "energy: phase %s", name), "J", BETTER_LESS, 0);
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

static int most_modes(const struct comparison *comparison)
{
    int n = 0;
    for (int r = 0; r < comparison->n_runs; r++)
        n += comparison->run[r].n_modes;
    return n;
}

struct mode_quantities {
    struct quantity *trained, *time, *energy;
};

/* A mode without a step in the run has neither time nor energy of one. */
static void put_mode(const struct mode_quantities *quantities, int r, const struct run_mode *mode)
{
    quantities->trained->value[r] = (double)mode->n_trained;
    quantities->time->value[r] = mode->step_ps ? (double)mode->step_ps * 1e-12 : NAN;
    quantities->energy->value[r] = mode->step_ps ? joules(mode->energy_fj) : NAN;
}

/* A run of one mode tells no steps of modes; when it trains every parameter all its steps are full ones, and the last
 * one is what they take. */
static void put_only_mode(const struct mode_quantities *quantities, int r, const struct run *run, const char *name)
{
    int n = run->n_steps;
    if (strcmp(name, "full") != 0 || run->n_modes || run->n_trainable != run->n_parameters)
        return;
    quantities->trained->value[r] = (double)run->n_trainable;
    if (n < 2)
        return;
    quantities->time->value[r] = (double)(run->step[n - 1].time_ps - run->step[n - 2].time_ps) * 1e-12;
    quantities->energy->value[r] = run->step[n - 1].energy_j - run->step[n - 2].energy_j;
}

/* One step of a mode in the steady state. */
static void add_mode(struct comparison *comparison, struct arena *arena, const char *name)
{
    const struct mode_quantities quantities = {
        compare_add(comparison, arena_printf(arena, "parameters trained: %s mode", name), "1", BETTER_NEITHER, 0),
        compare_add(comparison, arena_printf(arena, "time of a step: %s mode", name), "s", BETTER_LESS, 0),
        compare_add(comparison, arena_printf(arena, "energy of a step: %s mode", name), "J", BETTER_LESS, 0)};
    for (int r = 0; r < comparison->n_runs; r++) {
        const struct run *run = &comparison->run[r];
        put_only_mode(&quantities, r, run, name);
        for (int m = 0; m < run->n_modes; m++)
            if (strcmp(run->mode[m].name, name) == 0)
                put_mode(&quantities, r, &run->mode[m]);
    }
}

/* All handovers of a run together; NaN where there were none. */
static void add_handovers(struct comparison *comparison)
{
    struct quantity *count = compare_add(comparison, "handovers", "1", BETTER_NEITHER, 0),
                    *time = compare_add(comparison, "time: handovers", "s", BETTER_LESS, 0);
    struct quantity *energy = compare_add(comparison, "energy: handovers", "J", BETTER_LESS, 0);
    for (int r = 0; r < comparison->n_runs; r++) {
        const struct run_handover *handover = &comparison->run[r].handover;
        if (handover->n == 0)
            continue;
        count->value[r] = (double)handover->n;
        time->value[r] = (double)handover->time_ps * 1e-12;
        energy->value[r] = joules(handover->energy_fj);
    }
}

static void add_modes(struct comparison *comparison, struct arena *arena)
{
    int n = 0;
    const char **names = arena_array(arena, (size_t)most_modes(comparison) + 1, sizeof *names);
    for (int r = 0; r < comparison->n_runs; r++)
        for (int m = 0; m < comparison->run[r].n_modes; m++) {
            const char *name = comparison->run[r].mode[m].name;
            if (is_named_before(names, n, name))
                continue;
            names[n++] = name;
            add_mode(comparison, arena, name);
        }
    if (n)
        add_handovers(comparison);
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
    const struct comparison all = {.n_runs = n, .run = runs};
    int n_horizons = most_horizons(&all);
    compare_open(comparison, paths, n,
                 SIZE_OF_HEAD + 4 * ((size_t)n_horizons + 1) + PER_PHASE * (size_t)most_phases(&all) +
                     PER_MODE * (size_t)most_modes(&all) + HANDOVER_QUANTITIES,
                 arena);
    comparison->run = runs;
    for (int r = 0; r < n; r++)
        comparison->devices[r] = run_devices(&runs[r]);
    add_totals(comparison);
    add_losses(comparison);
    add_metrics(comparison, arena, -1);
    add_phases(comparison, arena);
    add_modes(comparison, arena);
    compare_add_breakdowns(comparison, arena);
    for (int h = 0; h < n_horizons; h++)
        add_metrics(comparison, arena, h);
}
