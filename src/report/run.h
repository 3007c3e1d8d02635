/* run.h - everything a finished run has to tell: filled by the scheduler, written as result.h5, summary.json and
 * tables.
 *
 * All of it is virtual or numeric, so it is the same for every number of ranks; wall times are not here
 * (report/wall.h). Arrays belong to whoever filled them (an arena that lives as long).
 */
#ifndef REPORT_RUN_H
#define REPORT_RUN_H

#include <stdint.h>

#include "base/arena.h"
#include "plan/ledger.h"

struct run_step { /* one training step */
    int64_t step; /* from 1 */
    double loss;  /* mean over counted elements; NaN in timing-only runs */
    double learning_rate;
    uint64_t time_ps; /* virtual time at its end (latest device) */
    double energy_j;  /* of all devices up to then: working, waiting, idle until time_ps */
};

struct run_metrics { /* of one horizon, in data units */
    double mae, rmse, mape_percent, nse;
    int64_t count;
};

struct run_evaluation { /* of the test set */
    int64_t step;
    uint64_t time_ps;
    double loss;
    int n_horizons;
    struct run_metrics *horizon; /* [n_horizons] */
    struct run_metrics all;      /* over all horizons */
};

struct run_baseline {
    const char *name; /* "persistence", "AR(12)", "ridge VAR(3)" */
    int n_horizons;
    struct run_metrics *horizon;
    struct run_metrics all;
};

struct run_device {
    const char *name; /* gpu0 */
    const char *kind, *profile;
    int node;
    uint64_t memory_bytes, capacity_bytes;
    struct ledger ledger;
};

/* Devices side by side, to be told: a view. */
struct run_devices {
    int n;
    const struct run_device *device; /* [n] */
    uint64_t end_ps;                 /* of the run: every ledger's */
    struct ledger_entry host;        /* over links to the host beside the devices' own programs (serving); else 0 */
};

struct run_parameter {
    const char *name;
    int n_dims;
    int64_t dims[4];
    const float *values; /* or NULL with values64 */
    const double *values64;
};

struct run_switch_number { /* of one check: holds when `value relation threshold`, always when it is only told */
    const char *name;      /* "loss_decrease" */
    const char *relation;  /* "<" ">" ">="; "" when only told */
    double value, threshold;
    int holds;
};

struct run_switch_record {      /* one check, or one decision without a check */
    int64_t step;               /* after which it was made */
    int64_t window;             /* 0: outside of windows */
    const char *before, *after; /* modes: "full" "trial" "low" */
    const char *action, *reason;
    int is_decision; /* the action is not just to go on */
    int width;       /* of adapters, 0 when the action speaks of none */
    int n_numbers;
    struct run_switch_number *number;
};

struct run_switch_step { /* losses of both arms; NaN where one did not run */
    int64_t step;
    double loss_full, loss_low;
    int64_t window;    /* 0: outside of windows */
    const char *state; /* "full" "trial" "low" */
};

struct run_switch {     /* how the run went over to its low-parameter mode */
    const char *policy; /* NULL: the run had none */
    int64_t window_steps;
    int n_records;
    struct run_switch_record *record;
    int n_steps;
    struct run_switch_step *step;
};

struct run_phase {    /* steps in one mode; in time order, without a gap */
    const char *name; /* "full" "trial" "low", or another that a run has */
    int64_t first_step, last_step;
    uint64_t time_ps;    /* of virtual time */
    wide_uint energy_fj; /* of all devices */
};

struct run_mode {        /* one step in a mode of a run that has several */
    const char *name;    /* "full" "low" */
    int64_t n_trained;   /* parameters */
    uint64_t step_ps;    /* virtual time from step to step in the steady state; 0: no step of the run was in it */
    wide_uint energy_fj; /* of all devices in that time */
    uint64_t *busy_ps;   /* [n_devices] of the compute engine in one step; 0: takes no part */
};

struct run_cells { /* a device that computes in its memory cells */
    int device;
    uint64_t n_matrices;
    uint64_t crossbars_used, crossbars_total, copies; /* used by all copies */
    uint64_t cells;                                   /* programmed by one handover */
    uint64_t cell_writes;                             /* programmings of cells in the run */
    double pulses;                                    /* writes that one programming of a cell takes */
    double endurance;                                 /* writes that a cell survives */
};

struct run_matrix { /* in the memory cells of a device */
    int device;
    const char *name;   /* of the parameter that it is, or is a part of */
    int64_t out, in;    /* as a weight [out, in] */
    uint64_t crossbars; /* that all its copies take */
    uint64_t cells;     /* of all copies, programmed by one handover */
    uint64_t cell_writes;
};

struct run_handover { /* of weights from the devices of one mode to those of the other, all of them together */
    int64_t n;
    uint64_t time_ps;    /* from the last step before to its end */
    wide_uint energy_fj; /* of all devices in that time */
};

struct run_fault {             /* a fault of the emulated hardware that struck the run */
    const char *device, *kind; /* "reram1", "fails" */
    double factor;             /* speed that is left, or share of the columns that stick; 0: the device failed */
    uint64_t at_ps, time_ps;   /* virtual time: of the job, of the end of the step at which it struck */
    int64_t step;              /* after which it struck */
    const char *action;        /* what was done: "its matrices go to the others" */
    const char *reason;        /* why nothing better could be; "" */
    uint64_t recovery_ps;      /* from that end of a step to the end of the recovery */
    wide_uint recovery_fj;     /* of all devices in that time */
    uint64_t recovery_cells;   /* programmed by it */
    int64_t steps_undone;      /* training lost with the device */
    int64_t steps_since;       /* of the run */
    uint64_t step_before_ps, step_after_ps; /* from step to step up to then, and from then on; 0: no two steps */
};

struct run_candidate { /* a placement that was priced before the run */
    const char *policy;
    const char *problem; /* why it cannot be, or NULL */
    uint64_t time_ps;    /* predicted, of the whole run */
    double energy_j;     /* all of it */
};

struct run_choice {        /* placement.policy auto */
    const char *objective; /* "time" "energy" "product"; NULL: nothing was chosen */
    const char *chosen;    /* policy */
    int64_t switch_step;   /* hpt was priced with low-parameter steps after this one ... */
    int64_t adapter_width; /* ... with adapters of this width, which will be chosen at the switch; 0: the job says it */
    int n_candidates;
    struct run_candidate *candidate;
};

struct run {
    const char *name;       /* of the job */
    const char *config;     /* the resolved job, YAML */
    const char *model_text; /* one line: "encoder wind: 57 tokens x 12 features, d 64, ..." */
    const char *placement_text;
    const char *units; /* of the target, "m s-1" */
    const char *target;
    int timing_only;
    int64_t n_parameters, n_trainable;
    int64_t n_train, n_test; /* samples */
    int64_t steps;
    uint64_t flops; /* of the whole run */
    int n_steps;
    struct run_step *step;
    int n_evaluations;
    struct run_evaluation *evaluation;
    int n_baselines;
    struct run_baseline *baseline;
    int n_devices;
    struct run_device *device;
    int n_parameters_stored;
    struct run_parameter *parameter; /* the model's weights at the end, adapters among them */
    int n_merged;
    struct run_parameter *merged; /* weights with their adapters added in: they replace those of the same name */
    int64_t n_predictions;        /* 0 when not stored; [n_predictions, n_outputs] in data units */
    int64_t n_outputs;
    const float *prediction, *observation;
    struct run_switch mode_switch;
    int n_phases; /* 0: a run in one mode */
    struct run_phase *phase;
    int n_modes; /* 0: a run that has one mode only */
    struct run_mode *mode;
    struct run_handover handover; /* to the low-parameter mode */
    struct run_handover way_back; /* from it */
    int n_cells;
    struct run_cells *cells;
    int n_matrices;
    struct run_matrix *matrix; /* device by device */
    struct run_choice choice;
    int n_faults;
    struct run_fault *fault; /* in the order in which they struck */
    int64_t faults_to_come;  /* of the job, later than the run's end */
    uint64_t end_ps;
};

/* Local. The devices of a run. */
struct run_devices run_devices(const struct run *run);

/* Local. Energy of one entry; of all devices and the host's links. */
wide_uint run_entry_energy_fj(const struct ledger_entry *entry);
wide_uint run_devices_energy_fj(const struct run_devices *devices);

/* Local. Adds steps first..last of one mode to the phases: to the last phase when that has this name, else as a new
 * one. They must follow the steps added before (a bug otherwise). `name` is kept, not copied. */
void run_add_phase(struct run *run, struct arena *arena, const struct run_phase *steps);

/* Local. Writes of each programmed cell in this run; those of a run of the same steps that would train every weight in
 * cells, which writes each of them once a step. */
double run_writes_per_cell(const struct run_cells *cells);
double run_full_writes_per_cell(const struct run *run, const struct run_cells *cells);

/* Local. Runs that the cells survive at so many writes of a cell in each; INFINITY without writes. */
double run_lifetime(const struct run_cells *cells, double writes_per_cell);

/* Local. Busy share of a device's compute engine in a step of the mode, from 0 to 1; 0 when no step was in it. */
double run_utilisation(const struct run_mode *mode, int device);

/* Local. The last step before the run's first low-parameter phase; -1 when there is none. */
int64_t run_switch_step(const struct run *run);

/* Local. What a candidate is worth under an objective: s, J, or s J; less is better. */
double run_worth(const struct run_candidate *candidate, const char *objective);

/* Local. Energy of the run over all devices, stand-by included. */
double run_energy_j(const struct run *run);

#endif
