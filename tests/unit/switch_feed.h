/* switch_feed.h - feeds a switch controller with scripted windows, and checks its log. */
#ifndef TESTS_SWITCH_FEED_H
#define TESTS_SWITCH_FEED_H

#include <check.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "scheduler/switch.h"

enum { K = 8 };

/* What config_of's controllers are told that a switch costs, but for those of one width. */
static struct switch_costs feed_costs, feed_costs_of_width;
static int feed_width; /* whose costs these are; 0: none's */
static inline void feed_prices(struct mode_switch *sw, const struct switch_window *numbers)
{
    for (int width; (width = switch_lacks_costs(sw, numbers)) > 0;)
        switch_set_costs(sw, width, width == feed_width ? &feed_costs_of_width : &feed_costs);
}

/* What happens in one window. */
struct window {
    double loss, movement; /* mean full loss; displacement (hpt) or drift of each matrix (safe) */
    double low;            /* loss of the low arm above the full arm's */
    double validation;     /* of the low mode */
    double captured;       /* share of width 2 and of the fixed width; each doubling takes half of what is left */
};

static inline struct switch_config config_of(enum switch_policy policy, int64_t total_steps)
{
    struct switch_config config;
    switch_config_defaults(policy, &config);
    config.window_steps = K;
    config.total_steps = total_steps;
    feed_costs = (struct switch_costs){100, 20, 300, 50, 1000, 100, 3000, 500};
    feed_width = 0;
    return config;
}

static inline void fill_captured(double captured[SWITCH_WIDTHS], double share)
{
    for (int i = 0; i < SWITCH_WIDTHS; i++, share += 0.5 * (1 - share))
        captured[i] = share;
}

/* Gives only what is wanted: what is read without being wanted is NaN, or no memory. */
static inline struct switch_window numbers_of(const struct window *window, int wants, double drifts[3])
{
    struct switch_window numbers = {.displacement = NAN, .captured_own = NAN, .validation_loss = NAN};
    for (int i = 0; i < SWITCH_WIDTHS; i++)
        numbers.captured[i] = NAN;
    if (wants & SWITCH_WANTS_DISPLACEMENT)
        numbers.displacement = window->movement;
    if (wants & SWITCH_WANTS_DRIFT) {
        drifts[0] = 9, drifts[1] = 0, drifts[2] = window->movement;
        numbers.n_matrices = 3;
        numbers.relative_displacement = drifts;
    }
    if (wants & SWITCH_WANTS_CAPTURED) {
        fill_captured(numbers.captured, window->captured);
        numbers.captured_own = window->captured;
    }
    if (wants & SWITCH_WANTS_VALIDATION)
        numbers.validation_loss = window->validation;
    return numbers;
}

/* One window: K steps around the window's loss, both arms with noise of their own. */
static inline struct switch_decision feed(struct mode_switch *sw, const struct window *window, double noise,
                                          uint32_t seed)
{
    struct rng_key key = rng_key(seed, RNG_TEST, 51);
    int64_t first = switch_steps(sw);
    struct switch_decision decision = {SWITCH_CONTINUE, 0, ""};
    double drifts[3];
    int before = switch_wants(sw);
    for (int i = 0; i < K; i++) {
        uint64_t step = (uint64_t)(first + i + 1);
        double batch = noise * rng_normal(key, 0, step), own = noise * rng_normal(key, 1, step);
        double full = window->loss + batch - (i % 2 ? noise : -noise), low = full + window->low + 0.1 * own;
        decision = switch_observe_step(sw, (int64_t)step, full, low);
        ck_assert_int_eq(decision.action, SWITCH_CONTINUE);
        if (i < K - 1)
            ck_assert(!switch_window_is_full(sw));
    }
    if (!switch_window_is_full(sw))
        return decision;
    int wants = switch_wants(sw);
    ck_assert_msg((wants & ~before) == 0, "wanted at the end only: %d, %d before", wants, before);
    struct switch_window numbers = numbers_of(window, wants, drifts);
    feed_prices(sw, wants ? &numbers : NULL);
    return switch_observe_window(sw, wants ? &numbers : NULL);
}

static inline struct mode_switch *start(const struct switch_config *config, struct arena *arena)
{
    struct mode_switch *sw = switch_new(config, arena);
    switch_begin(sw);
    return sw;
}

static inline const struct switch_record *last_record(const struct mode_switch *sw)
{
    int n;
    const struct switch_record *log = switch_log(sw, &n);
    ck_assert_int_gt(n, 0);
    return &log[n - 1];
}

static inline double number(const struct switch_record *record, const char *name)
{
    for (int i = 0; i < record->n_numbers; i++)
        if (strcmp(record->number[i].name, name) == 0)
            return record->number[i].value;
    ck_abort_msg("no number %s in the record of step %d", name, (int)record->step);
    return NAN;
}

static inline int recompute(const struct switch_number *x)
{
    return x->relation == SWITCH_TOLD    ? 1
           : x->relation == SWITCH_BELOW ? x->value < x->threshold
           : x->relation == SWITCH_ABOVE ? x->value > x->threshold
                                         : x->value >= x->threshold;
}

/* The log by itself gives the decisions: states connect, verdicts follow from numbers, actions from verdicts. */
static inline void check_record(const struct switch_config *config, const struct switch_record *record)
{
    int all = 1, n_tests = 0;
    for (int i = 0; i < record->n_numbers; i++) {
        const struct switch_number *x = &record->number[i];
        ck_assert_msg(recompute(x) == x->holds, "%s: %g against %g", x->name, x->value, x->threshold);
        all &= x->holds;
        n_tests += x->relation != SWITCH_TOLD;
    }
    ck_assert(record->reason && record->reason[0]);
    ck_assert_int_eq(record->action == SWITCH_CONTINUE,
                     record->before == record->after && record->action != SWITCH_RESTART_TRIAL);
    ck_assert_int_eq(record->width > 0, record->after != SWITCH_FULL && record->action != SWITCH_CONTINUE);
    if (config->policy != SWITCH_HPT && config->policy != SWITCH_SAFE)
        return;
    if (record->before == SWITCH_FULL && record->action == SWITCH_CONTINUE && n_tests > 3)
        ck_assert_msg(!all, "all holds at step %d, and no trial", (int)record->step);
    if (record->before == SWITCH_FULL && record->action != SWITCH_CONTINUE)
        ck_assert(record->action == SWITCH_START_TRIAL && all);
    if (record->before == SWITCH_TRIAL)
        ck_assert_int_eq(record->action == SWITCH_ENTER_LOW, all);
    if (record->before == SWITCH_LOW)
        ck_assert(config->policy == SWITCH_SAFE && (record->action == SWITCH_RETURN_TO_FULL) == !all);
    if (config->policy == SWITCH_HPT)
        ck_assert_int_ne(record->action, SWITCH_RETURN_TO_FULL);
}

static inline void check_log(const struct switch_config *config, const struct mode_switch *sw)
{
    int n;
    const struct switch_record *log = switch_log(sw, &n);
    enum switch_state state = SWITCH_FULL;
    int64_t step = -1;
    for (int i = 0; i < n; i++) {
        ck_assert(log[i].before == state && log[i].step > step);
        check_record(config, &log[i]);
        state = log[i].after, step = log[i].step;
        if (state == SWITCH_LOW)
            ck_assert_int_ge(step, switch_earliest_step(config));
    }
    ck_assert_int_eq(state, switch_state(sw));
}

/* Losses and movements that stand still from the first window on, but for ever smaller steps. */
static inline struct window calm(int j)
{
    double left = pow(0.5, j);
    return (struct window){1 + 0.02 * left, 0.01 + 0.0001 * left, 0, 1, 0.3};
}

/* Into LOW after four windows with width 4: half of what 2 leaves of 0.3 makes 0.65. */
static inline struct mode_switch *safe_in_low(const struct switch_config *config, struct arena *arena)
{
    struct mode_switch *sw = start(config, arena);
    for (int j = 0; j < 4; j++) {
        struct window window = calm(j);
        ck_assert_int_eq(switch_wants(sw), j == 3   ? 0
                                           : j == 2 ? SWITCH_WANTS_DRIFT + SWITCH_WANTS_CAPTURED
                                                    : SWITCH_WANTS_DRIFT);
        struct switch_decision decision = feed(sw, &window, 0.001, 5);
        ck_assert_int_eq(decision.action, j < 2 ? SWITCH_CONTINUE : j == 2 ? SWITCH_START_TRIAL : SWITCH_ENTER_LOW);
        ck_assert_int_eq(decision.width, j < 2 ? 0 : 4);
    }
    ck_assert_int_eq(last_record(sw)->step, switch_earliest_step(config));
    return sw;
}

#endif
