/* switch.h - when a training run goes over from full-parameter mode to low-parameter mode, and whether it comes back.
 *
 *     FULL --tests hold--> TRIAL --not worse--> LOW        policies hpt, safe
 *      ^                   |   ^ |                |
 *      |                   |   +-+ worse: a new copy, k more steps
 *      +-------------------+----------------------+        policy safe only: the ways back
 *
 * A pure state machine: it computes no loss, moves no weight and sends no message. The run feeds it the losses of every
 * step and, at the end of each window of k steps, the numbers that it asked for; it answers with what to do next, and
 * keeps a log of every check with all numbers, thresholds and verdicts. Same inputs, same log.
 *
 * How a run drives it:
 *
 *     decision = switch_begin(sw)
 *     for each step: (at the start of a window: keep the snapshots that switch_wants(sw) may need)
 *         decision = switch_observe_step(sw, step, loss_full, loss_low)
 *         if (switch_window_is_full(sw))
 *             (collect what switch_wants(sw) says) decision = switch_observe_window(sw, &numbers)
 *         (act on the decision before the next step)
 *
 * Policy hpt, as published (Dahal et al., IEEE TPDS 36(3), 2025, and its public code). With L_j the mean training loss
 * of window j and D_j the Frobenius norm of the change of one layer's [Wq Wv] over it, a plateau of x is the three-term
 * flag (x_{j-2} - x_{j-1}) / x_{j-2} < h, (x_{j-1} - x_j) / x_{j-1} < h, x_{j-1} - x_j < x_{j-2} - x_{j-1}; both flags
 * at the same check (h = 10 % for L, 1 % for D) start a trial: the model is copied, the copy gets adapters, and both
 * see the same minibatches for k steps. A pooled two-sided t-test of the two arms' losses at level alpha that does not
 * reject means: switch for good. Rejected: a new copy, k more steps. The first window has no displacement (the first
 * snapshot is taken at its end), so the earliest check is at 4 k and the earliest switch at 5 k. As published, a rising
 * loss passes for a plateau, and the pairing of the samples is not used.
 *
 * Policy safe, five tests and a way back:
 *   T1 the loss flag, and the loss must not have risen in either window (rise_tolerance);
 *   T2 drift, the median over adapted matrices of |change| / |weight| in a window: decreased by less than 5 % twice,
 *      and is below 2 %;
 *   T3 the adapter width is the smallest of 2, 4, 8, 16, 32 (most_width at most) whose leading part holds half of the
 *      window displacement's squared norm; a job that gives a width (fixed_width) asks that of its own, and the log
 *      tells the smallest that would do;
 *   T4 trial on the low mode's numerics, differences low - full paired by step: mean + t_{0.95, n_eff - 1} s /
 *      sqrt(n_eff) below 2 % of the mean full loss, n_eff = n (1 - a) / (1 + a) with the lag-1 autocorrelation a;
 *   T5 pay-off: what the low mode saves in the steps left is above the cost of trial and programming, in time and in
 *      energy; asked before a trial (with the trial) and before the switch (without it: it is spent). Steps are priced
 *      with adapters of the width that T3 chooses at this check; when it has not been asked, or no width holds enough,
 *      of the narrowest that it may still choose; in a trial, of the trial's. A run for which not even the narrowest
 *      pays stays in FULL for good. The log tells the width (priced_width).
 *   A trial is repeated at most trials times; then back to FULL and T1 anew. In LOW the run validates at each window's
 *   end; more than 2 % worse than the best of this stay for two windows in a row: merge, back to FULL for 2 k steps,
 *   then a new trial with the width doubled; after `retries` of those FULL for good.
 */
#ifndef SCHEDULER_SWITCH_H
#define SCHEDULER_SWITCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/archive.h"
#include "base/arena.h"
#include "base/status.h"
#include "config/job.h"
#include "report/run.h"

enum switch_policy { SWITCH_NEVER, SWITCH_AT, SWITCH_ALWAYS, SWITCH_HPT, SWITCH_SAFE };

enum switch_state { SWITCH_FULL, SWITCH_TRIAL, SWITCH_LOW };

enum switch_action {
    SWITCH_CONTINUE,
    SWITCH_START_TRIAL,   /* copy the model, give the copy adapters of `width` */
    SWITCH_RESTART_TRIAL, /* the same again from the full arm's weights of now */
    SWITCH_ENTER_LOW,     /* adapters of `width` on the full weights of now, optimiser state zero; program the cells */
    SWITCH_RETURN_TO_FULL /* from LOW: merge the adapters; from TRIAL: drop the copy */
};

/* Adapter widths whose captured share test T3 compares. */
enum { SWITCH_WIDTHS = 5 };
extern const int switch_widths[SWITCH_WIDTHS]; /* 2 4 8 16 32 */

/* Predicted costs of test T5, with adapters of one width. A step's are of the whole machine: its virtual time, the
 * energy of all its devices. */
struct switch_costs {
    uint64_t full_ps, low_ps; /* of one step in FULL, in LOW */
    uint64_t trial_ps;        /* what a whole trial (k steps and its programming) costs beyond k steps in FULL */
    uint64_t program_ps;      /* of the switch: programming of the frozen weights */
    uint64_t full_fj, low_fj, trial_fj, program_fj;
};

struct switch_config {
    enum switch_policy policy;
    int64_t window_steps; /* k */
    int64_t total_steps;  /* of the run */
    int64_t at_step;      /* at: the last step in FULL; 0 is always */
    int64_t trial_steps; /* at: so many of them, the last ones, are a trial whose outcome is not asked; below at_step */
    int watch_layer;     /* whose [Wq Wv] is D's; from 0 */
    int width;           /* of adapters; policy safe chooses by T3 unless fixed_width */
    int fixed_width;     /* safe: T3 asks of `width` only, and a trial after a way back keeps it */
    int most_width;      /* safe without fixed_width: wider ones are not chosen; 0: no limit */
    double alpha, loss_threshold, weight_threshold;
    /* safe only */
    double rise_tolerance;              /* T1: relative rise of a window's loss that is none */
    double drift_limit;                 /* T2 */
    double captured_share;              /* T3 */
    double confidence, margin;          /* T4 */
    double degradation;                 /* LOW: relative to the best validation */
    int degraded_windows, full_windows; /* in a row until the way back; windows in FULL after it */
    int trials, retries;
    int assumes_earliest; /* hpt, safe: the trial and the switch come as early as they can; of all tests only safe's
                           * pay-off (T5), which needs no losses, is made */
};

/* What a job does not say. */
struct switch_setting {
    int64_t epoch_steps, total_steps;
    int layers;                    /* of the model */
    int width;                     /* adapters of the job */
    int chooses_width, most_width; /* safe: T3 chooses it, up to the narrow side of the weights */
    int timing_only;
    int assume_earliest; /* the switch of a run without losses is assumed, not refused */
};

/* Local. All published defaults of a policy; window_steps and total_steps are left 0. Widths: 8, not fixed. */
void switch_config_defaults(enum switch_policy policy, struct switch_config *config);

/* Local. The configuration of a job. Window: as given, else hpt the published one of
 * the preset (swe 365, weather 8000, covid 720, wind 480; another preset as safe), safe an eighth of an epoch within
 * [64, 4096]. Fault STATUS_USAGE: hpt or safe without losses (timing only) or with windows of one step, which have no
 * spread; a run shorter than the earliest switch; a step or layer that the run or the model does not have. */
enum status switch_config_from_job(const struct job *job, const struct switch_setting *setting,
                                   struct switch_config *config, struct fault *fault);

/* Local. The first step after which LOW can begin: 5 k, 4 k (safe), at_step, 0; -1 when never. */
int64_t switch_earliest_step(const struct switch_config *config);

/* One number of a test. It holds when `value relation threshold`; NaN holds in no relation. */
enum switch_relation { SWITCH_TOLD, SWITCH_BELOW, SWITCH_ABOVE, SWITCH_AT_LEAST }; /* TOLD: no test */

struct switch_number {
    const char *name; /* "loss_decrease"; a static string */
    double value, threshold;
    enum switch_relation relation;
    int holds; /* verdict; 1 for numbers that are only told */
};

enum { SWITCH_MAX_NUMBERS = 20 };

/* One entry of the log: a check at the end of a window, or a switch by decree. */
struct switch_record {
    int64_t step;   /* after which it was made */
    int64_t window; /* from 1; 0 outside of windows */
    enum switch_state before, after;
    enum switch_action action;
    int width;          /* of the adapters that the action speaks of, else 0 */
    const char *reason; /* one clause for people; a static string */
    int n_numbers;
    struct switch_number number[SWITCH_MAX_NUMBERS];
};

struct switch_decision {
    enum switch_action action;
    int width;
    const char *reason;
};

struct mode_switch; /* `switch` is a word of C */

/* Local. A controller in state FULL before step 1; it and its log live in the arena. A policy with windows needs
 * window_steps > 0 (a bug otherwise). */
struct mode_switch *switch_new(const struct switch_config *config, struct arena *arena);

/* Local. Once, before the first step: ENTER_LOW under policy always (and `at` 0), else CONTINUE. */
struct switch_decision switch_begin(struct mode_switch *sw);

/* Local. After step `step` (1, 2, 3, ...: another order is a bug). Losses of arms that do not run are ignored: give
 * NaN. Decides under policy `at` only. */
struct switch_decision switch_observe_step(struct mode_switch *sw, int64_t step, double loss_full, double loss_low);

/* Local. Has the last step completed a window? Then switch_observe_window comes before the next step. Never under
 * policies that do not test, nor when nothing is left to decide. */
int switch_window_is_full(const struct mode_switch *sw);

enum {
    SWITCH_WANTS_DISPLACEMENT = 1, /* hpt: struct switch_window.displacement */
    SWITCH_WANTS_DRIFT = 2,        /* safe: relative_displacement */
    SWITCH_WANTS_CAPTURED = 4,     /* safe: captured */
    SWITCH_WANTS_VALIDATION = 8    /* safe: validation_loss, in LOW */
};

/* What the loss of a device takes from the run. */
enum switch_loss {
    SWITCH_LOSES_COPY,  /* TRIAL: the low arm; it begins anew, without counting as another trial */
    SWITCH_LOSES_STEPS, /* LOW: the mode goes on with adapters that have started anew */
    SWITCH_LOSES_LOW    /* any state: the low-parameter mode cannot be any more, so FULL to the end */
};

/* Local. After a step and its decision. `reason` is kept, not copied. A loss that the state cannot have is a bug. */
struct switch_decision switch_lose(struct mode_switch *sw, enum switch_loss loss, const char *reason);

/* Local. Predicted costs with adapters of a width; steps that cost nothing are a bug. All of them have changed. */
void switch_set_costs(struct mode_switch *sw, int width, const struct switch_costs *costs);
void switch_forget_costs(struct mode_switch *sw);

/* Local. So many steps from now on are surely in the state of now; INT64_MAX: all. */
int64_t switch_known_steps(const struct mode_switch *sw);

/* Local. Which numbers the end of the running window needs, as a sum of the above. Before the window is full: those
 * that it may need (keep the weights of its start for any of the first three); when it is full: those that it does. */
int switch_wants(const struct mode_switch *sw);

/* Numbers of a window that cost something; what was not wanted is not read. */
struct switch_window {
    double displacement; /* Frobenius norm of the change of the watched layer's [Wq Wv] over the window */
    int n_matrices;
    const double *relative_displacement; /* [n_matrices]: |change| / |weights at the start|, each adapted matrix */
    double captured[SWITCH_WIDTHS];      /* squared norm of the leading part of each width over that of the whole
                                            change, summed over adapted matrices */
    double captured_own;                 /* the same of the configuration's width: read with fixed_width only */
    double validation_loss;              /* of the low mode on its device's numerics */
};

/* Local. At the end of a window, with its numbers: a width that the check prices and whose costs have not been set; 0:
 * there is none (left). */
int switch_lacks_costs(const struct mode_switch *sw, const struct switch_window *numbers);

/* Local. At the end of a window, when no costs are lacking; `numbers` may be NULL when nothing is wanted. */
struct switch_decision switch_observe_window(struct mode_switch *sw, const struct switch_window *numbers);

/* Local. The state that the next step runs in; steps observed and windows ended so far; adapters' width of TRIAL and
 * LOW, else 0. */
enum switch_state switch_state(const struct mode_switch *sw);
int64_t switch_steps(const struct mode_switch *sw);
int64_t switch_windows(const struct mode_switch *sw);
int switch_width(const struct mode_switch *sw);

/* Local. The log so far, in time order; valid until the next observation. */
const struct switch_record *switch_log(const struct mode_switch *sw, int *n);

/* Local. Saves or restores the controller, which switch_new has made with the same configuration. */
void switch_archive(struct mode_switch *sw, struct archive *archive);

/* Local. Words for reports: "safe", "trial", "start trial", "<" ("" when only told). */
const char *switch_policy_name(enum switch_policy policy);
const char *switch_state_name(enum switch_state state);
const char *switch_action_name(enum switch_action action);
const char *switch_relation_name(enum switch_relation relation);

/* Local. The controller's story for the report of a run (struct run.mode_switch): the log, and each observed step's
 * losses, window and state. Everything in the arena. */
void switch_describe(const struct mode_switch *sw, struct arena *arena, struct run_switch *told);

/* Local. Amdahl's bound of the whole run's speed-up over full mode only: 1 / (f + t + (1 - f) / s), f the share of
 * full-mode time before the switch, t the trial's cost as a share of that time, s >= 1 the speed-up of the low mode
 * (INFINITY is allowed). */
double switch_speed_up_bound(double full_share, double trial_share, double low_speed_up);

/* Local. The s that this bound needs for a speed-up; INFINITY when f + t alone exceed 1 / speed_up or equal it. */
double switch_needed_speed_up(double full_share, double trial_share, double speed_up);

#endif
