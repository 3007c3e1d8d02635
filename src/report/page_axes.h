/* page_axes.h - what the parts of a report share: axes in fitting units, the training curve as numbers, groups of
 * devices.
 */
#ifndef REPORT_PAGE_AXES_H
#define REPORT_PAGE_AXES_H

#include "report/figure.h"
#include "report/run.h"

/* Local. Axes of virtual time in s and of energy in J, drawn in the unit that fits the largest value. */
struct figure_axis axis_time(const char *name, double largest_s, const char *csv);
struct figure_axis axis_energy(const char *name, double largest_j, const char *csv);

enum progress_axis { PROGRESS_STEP, PROGRESS_TIME, PROGRESS_ENERGY, N_PROGRESS_AXES };

/* The training curve of a run, step by step. */
struct progress_curve {
    size_t n, window;           /* steps; those that a mean is over */
    double *x[N_PROGRESS_AXES]; /* [n] step, s, J at its end */
    double *loss, *full, *low;  /* [n] as trained; of the two modes (NaN where one did not run, or there are none) */
    double *mean, *mean_full, *mean_low; /* [n] means over `window` steps around; NaN where there is no loss */
    int has_modes;
};

/* Local. In the arena; n is 0 when the run has no curve. */
struct progress_curve progress_curve(const struct run *run, struct arena *arena);

/* Local. The axis of progress for a curve that ends at `largest`. */
struct figure_axis axis_progress(enum progress_axis axis, double largest);

/* Local. Place on the axis of the end of a step; 0 before the first. */
double progress_at(const struct progress_curve *curve, enum progress_axis axis, int64_t step);

/* Devices that are told together: each its own, or when there are many all of a kind and profile. */
struct device_group {
    const char *name; /* "gpu0", "gpu a100-80g (4)" */
    int n;
    int *device; /* [n] */
};

/* Local. Groups in the order of the devices; returns how many. */
int device_groups(const struct run_devices *devices, struct arena *arena, struct device_group **groups);

/* Local. The colours of kernel classes and of energy parts, the same in every figure. */
enum colour colour_of_class(int kernel_class);
enum colour colour_of_part(int energy_part);
enum colour colour_of_mode(const char *name);

#endif
