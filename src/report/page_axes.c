#include "report/page_axes.h"

#include <math.h>
#include <string.h>

#include "report/ledgers.h"
#include "report/table.h"

struct figure_axis axis_time(const char *name, double largest_s, const char *csv)
{
    struct column_unit unit = time_unit((wide_uint)(largest_s * 1e12));
    return figure_axis(name, unit.name, (double)unit.per_unit * 1e-12, csv);
}

struct figure_axis axis_energy(const char *name, double largest_j, const char *csv)
{
    struct column_unit unit = energy_unit((wide_uint)(largest_j * 1e15));
    return figure_axis(name, unit.name, (double)unit.per_unit * 1e-15, csv);
}

struct figure_axis axis_progress(enum progress_axis axis, double largest)
{
    if (axis == PROGRESS_TIME)
        return axis_time("virtual time", largest, "virtual_time_s");
    if (axis == PROGRESS_ENERGY)
        return axis_energy("energy", largest, "energy_j");
    struct figure_axis steps = figure_axis("step", NULL, 1, "step");
    steps.is_whole = 1;
    return steps;
}

/* Mean over `window` values around each; values that are not there do not count. */
static double *smooth(const double *value, size_t n, size_t window, struct arena *arena)
{
    double *mean = arena_array(arena, n + 1, sizeof *mean);
    for (size_t i = 0; i < n; i++) {
        size_t half = window / 2, first = i > half ? i - half : 0, end = i + half + 1 < n ? i + half + 1 : n,
               counted = 0;
        double sum = 0;
        for (size_t k = first; k < end; k++)
            if (isfinite(value[k])) {
                sum += value[k];
                counted++;
            }
        mean[i] = isfinite(value[i]) && counted ? sum / (double)counted : NAN;
    }
    return mean;
}

/* Losses of the modes are kept by step; the curve may have other steps. */
static void take_modes(struct progress_curve *curve, const struct run *run)
{
    const struct run_switch *told = &run->mode_switch;
    int k = 0;
    for (size_t i = 0; i < curve->n; i++) {
        while (k < told->n_steps && told->step[k].step < run->step[i].step)
            k++;
        int is_there = k < told->n_steps && told->step[k].step == run->step[i].step;
        curve->full[i] = is_there ? told->step[k].loss_full : NAN;
        curve->low[i] = is_there ? told->step[k].loss_low : NAN;
        curve->has_modes |= isfinite(curve->full[i]) || isfinite(curve->low[i]);
    }
}

struct progress_curve progress_curve(const struct run *run, struct arena *arena)
{
    struct progress_curve curve = {.n = (size_t)run->n_steps, .window = (size_t)run->n_steps / 80 * 2 + 1};
    for (int a = 0; a < N_PROGRESS_AXES; a++)
        curve.x[a] = arena_array(arena, curve.n + 1, sizeof **curve.x);
    curve.loss = arena_array(arena, curve.n + 1, sizeof *curve.loss);
    curve.full = arena_array(arena, curve.n + 1, sizeof *curve.full);
    curve.low = arena_array(arena, curve.n + 1, sizeof *curve.low);
    for (size_t i = 0; i < curve.n; i++) {
        curve.x[PROGRESS_STEP][i] = (double)run->step[i].step;
        curve.x[PROGRESS_TIME][i] = (double)run->step[i].time_ps * 1e-12;
        curve.x[PROGRESS_ENERGY][i] = run->step[i].energy_j;
        curve.loss[i] = run->step[i].loss;
    }
    take_modes(&curve, run);
    curve.mean = smooth(curve.loss, curve.n, curve.window, arena);
    curve.mean_full = smooth(curve.full, curve.n, curve.window, arena);
    curve.mean_low = smooth(curve.low, curve.n, curve.window, arena);
    return curve;
}

double progress_at(const struct progress_curve *curve, enum progress_axis axis, int64_t step)
{
    double at = 0;
    for (size_t i = 0; i < curve->n && curve->x[PROGRESS_STEP][i] <= (double)step; i++)
        at = curve->x[axis][i];
    return at;
}

static int are_alike(const struct run_device *a, const struct run_device *b)
{
    return strcmp(a->kind, b->kind) == 0 && strcmp(a->profile, b->profile) == 0;
}

int device_groups(const struct run_devices *devices, struct arena *arena, struct device_group **groups)
{
    int n = 0, is_many = devices->n > LEDGERS_MAX_COLUMNS;
    *groups = arena_array(arena, (size_t)devices->n + 1, sizeof **groups);
    for (int d = 0; d < devices->n; d++) {
        int g = is_many ? 0 : n;
        while (g < n && !are_alike(&devices->device[(*groups)[g].device[0]], &devices->device[d]))
            g++;
        struct device_group *group = &(*groups)[g];
        if (g == n) {
            group->device = arena_array(arena, (size_t)devices->n, sizeof *group->device);
            n++;
        }
        group->device[group->n++] = d;
    }
    for (int g = 0; g < n; g++) {
        const struct run_device *first = &devices->device[(*groups)[g].device[0]];
        (*groups)[g].name =
            is_many ? arena_printf(arena, "%s %s (%d)", first->kind, first->profile, (*groups)[g].n) : first->name;
    }
    return n;
}

enum colour colour_of_class(int kernel_class)
{
    static const enum colour colours[N_KERNEL_CLASSES] = {
        [CLASS_GEMM] = COLOUR_BLUE,       [CLASS_ATTENTION] = COLOUR_RED,
        [CLASS_NORM] = COLOUR_GREEN,      [CLASS_ELEMENTWISE] = COLOUR_SKY,
        [CLASS_LOSS] = COLOUR_BROWN,      [CLASS_OPTIMISER] = COLOUR_PURPLE,
        [CLASS_HOST_COPY] = COLOUR_OLIVE, [CLASS_COLLECTIVE] = COLOUR_INDIGO,
        [CLASS_TRANSFER] = COLOUR_TEAL,   [CLASS_PROGRAM] = COLOUR_CRIMSON,
        [CLASS_KV] = COLOUR_LIME};
    return colours[kernel_class];
}

enum colour colour_of_part(int energy_part)
{
    static const enum colour colours[N_ENERGY_PARTS] = {
        [ENERGY_STATIC] = COLOUR_OLIVE, [ENERGY_COMPUTE] = COLOUR_BLUE,   [ENERGY_SRAM] = COLOUR_SKY,
        [ENERGY_DRAM] = COLOUR_RED,     [ENERGY_CONVERT] = COLOUR_PURPLE, [ENERGY_WRITE] = COLOUR_CRIMSON,
        [ENERGY_LINK] = COLOUR_INDIGO};
    return colours[energy_part];
}

enum colour colour_of_mode(const char *name)
{
    static const struct {
        const char *name;
        enum colour colour;
    } modes[] = {{"full", COLOUR_BLUE}, {"trial", COLOUR_OLIVE}, {"low", COLOUR_GREEN}};
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++)
        if (strcmp(modes[m].name, name) == 0)
            return modes[m].colour;
    return COLOUR_PURPLE;
}
