/* switch_private.h - the inside of the switch controller, for its state machine, its tests and its report. */
#ifndef SCHEDULER_SWITCH_PRIVATE_H
#define SCHEDULER_SWITCH_PRIVATE_H

#include "scheduler/switch.h"

/* A quantity at the ends of the last three windows, the newest last. */
struct history {
    int n;
    double value[3];
};

/* One step as it was observed. */
struct switch_step {
    double loss_full, loss_low; /* NaN for an arm that did not run */
    int64_t window;
    enum switch_state state;
};

enum { SWITCH_MOST_PRICES = 16 }; /* T3's widths, and those of ways back */

struct mode_switch {
    struct switch_config config;
    struct arena *arena;
    enum switch_state state;
    int64_t step, windows; /* observed so far */
    int64_t window_fill;   /* steps of the running window */
    int is_over;           /* nothing is left to decide */
    double *full, *low;    /* [window_steps]: losses of the running window */
    struct history loss, movement;
    int width, least_width; /* of TRIAL and LOW; of the next trial at least */
    int trial, retry;       /* trials in a row, ways back so far */
    int windows_to_wait;    /* in FULL after a way back */
    double best_validation;
    int degraded;
    struct switch_price { /* not saved: predicted anew */
        int width;
        struct switch_costs costs;
    } price[SWITCH_MOST_PRICES];
    int n_prices;
    struct switch_record *log;
    int n_log, log_room;
    struct switch_step *steps;
    int64_t n_steps, steps_room;
};

void history_add(struct history *history, double value);

/* A number that is only told; one that must hold. */
void switch_tell(struct switch_record *record, const char *name, double value);
void switch_require(struct switch_record *record, const char *name, double value, enum switch_relation relation,
                    double threshold);

/* Does everything that was required hold? */
int switch_record_holds(const struct switch_record *record);

/* The three-term flag of a loss or a displacement; `names` are those of the three numbers. */
void switch_test_plateau(struct switch_record *record, const struct history *history, double threshold,
                         const char *const names[3]);
void switch_test_loss(const struct mode_switch *sw, struct switch_record *record);
void switch_test_displacement(const struct mode_switch *sw, struct switch_record *record);
void switch_test_drift(const struct mode_switch *sw, struct switch_record *record);

/* A width, or the widest that may be chosen. */
int switch_width_within(const struct mode_switch *sw, int width);

/* T3; the width to take, 0 when none of those that it may choose from holds enough. */
int switch_test_captured(const struct mode_switch *sw, struct switch_record *record,
                         const struct switch_window *numbers);

/* The costs with adapters of a width, NULL: not set. */
const struct switch_costs *switch_costs_of(const struct mode_switch *sw, int width);

/* T5 of `steps` steps in LOW with adapters of a width, with a trial before them or with that of the past. */
void switch_test_payoff(const struct mode_switch *sw, struct switch_record *record, int width, int64_t steps,
                        int with_trial);

/* The end of a trial, on the losses of the window. */
void switch_test_arms_hpt(const struct mode_switch *sw, struct switch_record *record);
void switch_test_arms_safe(const struct mode_switch *sw, struct switch_record *record);

/* Does the loss flag hold for this history? */
int switch_loss_holds(const struct mode_switch *sw, const struct history *history);

#endif
