#include "report/run.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/status.h"

void run_add_phase(struct run *run, struct arena *arena, const struct run_phase *steps)
{
    struct run_phase *last = run->n_phases ? &run->phase[run->n_phases - 1] : NULL;
    if (steps->first_step > steps->last_step || (last && steps->first_step != last->last_step + 1))
        bug("steps %" PRId64 " to %" PRId64 " do not follow the phases so far", steps->first_step, steps->last_step);
    if (!last || strcmp(last->name, steps->name) != 0) {
        run->phase = arena_grown(arena, run->phase, (size_t)run->n_phases, sizeof *run->phase);
        run->phase[run->n_phases++] = *steps;
        return;
    }
    last->last_step = steps->last_step;
    last->time_ps += steps->time_ps;
    last->energy_fj += steps->energy_fj;
}

double run_energy_j(const struct run *run)
{
    wide_uint sum_fj = 0;
    for (int d = 0; d < run->n_devices; d++)
        sum_fj += ledger_energy_fj(&run->device[d].ledger);
    return joules(sum_fj);
}

struct run_devices run_devices(const struct run *run)
{
    return (struct run_devices){.n = run->n_devices, .device = run->device, .end_ps = run->end_ps};
}

wide_uint run_entry_energy_fj(const struct ledger_entry *entry)
{
    wide_uint sum_fj = 0;
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        sum_fj += entry->energy_fj[p];
    return sum_fj;
}

wide_uint run_devices_energy_fj(const struct run_devices *devices)
{
    wide_uint sum_fj = run_entry_energy_fj(&devices->host);
    for (int d = 0; d < devices->n; d++)
        sum_fj += ledger_energy_fj(&devices->device[d].ledger);
    return sum_fj;
}

double run_writes_per_cell(const struct run_cells *cells)
{
    return cells->cells ? (double)cells->cell_writes / (double)cells->cells * cells->pulses : 0;
}

double run_full_writes_per_cell(const struct run *run, const struct run_cells *cells)
{
    return (double)run->steps * cells->pulses;
}

double run_lifetime(const struct run_cells *cells, double writes_per_cell)
{
    return writes_per_cell > 0 ? cells->endurance / writes_per_cell : INFINITY;
}

double run_utilisation(const struct run_mode *mode, int device)
{
    return mode->step_ps ? (double)mode->busy_ps[device] / (double)mode->step_ps : 0;
}

int64_t run_switch_step(const struct run *run)
{
    for (int p = 0; p < run->n_phases; p++)
        if (strcmp(run->phase[p].name, "low") == 0)
            return run->phase[p].first_step - 1;
    return -1;
}

double run_worth(const struct run_candidate *candidate, const char *objective)
{
    double time_s = (double)candidate->time_ps * 1e-12;
    if (strcmp(objective, "time") == 0)
        return time_s;
    return strcmp(objective, "energy") == 0 ? candidate->energy_j : time_s * candidate->energy_j;
}
