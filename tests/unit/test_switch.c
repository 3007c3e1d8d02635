/* The switch controller on scripted and on random runs: each path through its states, the laws of its log. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#include "base/rng.h"
#include "scheduler/switch.h"

Suite *suite_switch(void);

enum { K = 8 };

/* What happens in one window. */
struct window {
    double loss, movement; /* mean full loss; displacement (hpt) or drift of each matrix (safe) */
    double low;            /* loss of the low arm above the full arm's */
    double validation;     /* of the low mode */
    double captured;       /* share of width 2; each doubling takes half of what is left */
};

static struct switch_config config_of(enum switch_policy policy, int64_t total_steps)
{
    struct switch_config config;
    switch_config_defaults(policy, &config);
    config.window_steps = K;
    config.total_steps = total_steps;
    config.costs = (struct switch_costs){100, 20, 300, 50, 1000, 100, 3000, 500};
    return config;
}

static void fill_captured(double captured[SWITCH_WIDTHS], double share)
{
    for (int i = 0; i < SWITCH_WIDTHS; i++, share += 0.5 * (1 - share))
        captured[i] = share;
}

/* Gives only what is wanted: what is read without being wanted is NaN, or no memory. */
static struct switch_window numbers_of(const struct window *window, int wants, double drifts[3])
{
    struct switch_window numbers = {.displacement = NAN, .validation_loss = NAN};
    for (int i = 0; i < SWITCH_WIDTHS; i++)
        numbers.captured[i] = NAN;
    if (wants & SWITCH_WANTS_DISPLACEMENT)
        numbers.displacement = window->movement;
    if (wants & SWITCH_WANTS_DRIFT) {
        drifts[0] = 9, drifts[1] = 0, drifts[2] = window->movement;
        numbers.n_matrices = 3;
        numbers.relative_displacement = drifts;
    }
    if (wants & SWITCH_WANTS_CAPTURED)
        fill_captured(numbers.captured, window->captured);
    if (wants & SWITCH_WANTS_VALIDATION)
        numbers.validation_loss = window->validation;
    return numbers;
}

/* One window: K steps around the window's loss, both arms with noise of their own. */
static struct switch_decision feed(struct mode_switch *sw, const struct window *window, double noise, uint32_t seed)
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
    return switch_observe_window(sw, &numbers);
}

static struct mode_switch *start(const struct switch_config *config, struct arena *arena)
{
    struct mode_switch *sw = switch_new(config, arena);
    switch_begin(sw);
    return sw;
}

static const struct switch_record *last_record(const struct mode_switch *sw)
{
    int n;
    const struct switch_record *log = switch_log(sw, &n);
    ck_assert_int_gt(n, 0);
    return &log[n - 1];
}

static double number(const struct switch_record *record, const char *name)
{
    for (int i = 0; i < record->n_numbers; i++)
        if (strcmp(record->number[i].name, name) == 0)
            return record->number[i].value;
    ck_abort_msg("no number %s in the record of step %d", name, (int)record->step);
    return NAN;
}

static int recompute(const struct switch_number *x)
{
    return x->relation == SWITCH_TOLD    ? 1
           : x->relation == SWITCH_BELOW ? x->value < x->threshold
           : x->relation == SWITCH_ABOVE ? x->value > x->threshold
                                         : x->value >= x->threshold;
}

/* The log by itself gives the decisions: states connect, verdicts follow from numbers, actions from verdicts. */
static void check_record(const struct switch_config *config, const struct switch_record *record)
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

static void check_log(const struct switch_config *config, const struct mode_switch *sw)
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
static struct window calm(int j)
{
    double left = pow(0.5, j);
    return (struct window){1 + 0.02 * left, 0.01 + 0.0001 * left, 0, 1, 0.3};
}

START_TEST(hpt_switches_at_five_windows_at_the_earliest)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_HPT, 1000);
    struct mode_switch *sw = start(&config, arena);
    static const int wants[] = {0, SWITCH_WANTS_DISPLACEMENT, SWITCH_WANTS_DISPLACEMENT, SWITCH_WANTS_DISPLACEMENT, 0};
    for (int j = 0; j < 5; j++) {
        struct window window = calm(j);
        ck_assert_int_eq(switch_wants(sw), wants[j]);
        struct switch_decision decision = feed(sw, &window, 0.01, 1);
        ck_assert_int_eq(decision.action, j < 3 ? SWITCH_CONTINUE : j == 3 ? SWITCH_START_TRIAL : SWITCH_ENTER_LOW);
        ck_assert_int_eq(decision.width, j < 3 ? 0 : 8);
    }
    const struct switch_record *record = last_record(sw);
    ck_assert(record->step == 5 * K && record->step == switch_earliest_step(&config));
    ck_assert(number(record, "p") >= 0.01 && number(record, "degrees_of_freedom") == 2 * K - 2);
    ck_assert(switch_state(sw) == SWITCH_LOW && switch_width(sw) == 8 && switch_wants(sw) == 0);
    for (int j = 5; j < 12; j++) { /* for good */
        switch_observe_step(sw, 5 * K + j - 4, NAN, 7);
        ck_assert(!switch_window_is_full(sw) && switch_state(sw) == SWITCH_LOW);
    }
    check_log(&config, sw);
    arena_free(arena);
}
END_TEST

/* Each of the six terms alone keeps the run in FULL. */
START_TEST(hpt_needs_all_six_terms)
{
    static const double losses[][4] = {{1, 1.2, 1.05, 1}, {1, 1.2, 1.085, 0.976}, {1, 1, 0.98, 0.95}};
    static const double calm_loss[] = {1, 1, 0.95, 0.93};
    static const double movements[][4] = {{0, 1, 0.98, 0.975}, {0, 1, 0.99001, 0.9800595}, {0, 1, 0.998, 0.993}};
    static const double calm_movement[] = {0, 1, 0.995, 0.993};
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_HPT, 1000);
    for (int c = 0; c < 7; c++) {
        struct mode_switch *sw = start(&config, arena);
        struct switch_decision decision = {SWITCH_CONTINUE, 0, ""};
        for (int j = 0; j < 4; j++) {
            struct window window = {c < 3 ? losses[c][j] : calm_loss[j],
                                    c >= 3 && c < 6 ? movements[c - 3][j] : calm_movement[j], 0, 0, 0};
            decision = feed(sw, &window, 0, 1);
        }
        ck_assert_msg(decision.action == (c < 6 ? SWITCH_CONTINUE : SWITCH_START_TRIAL), "case %d", c);
        const struct switch_record *record = last_record(sw);
        int fails = 0, failing = -1;
        for (int i = 0, term = 0; i < record->n_numbers; i++) {
            if (record->number[i].relation == SWITCH_TOLD)
                continue;
            if (!record->number[i].holds)
                fails++, failing = term;
            term++;
        }
        ck_assert_msg(fails == (c < 6) && failing == (c < 6 ? c : -1), "case %d fails in %d terms, term %d", c, fails,
                      failing);
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

START_TEST(no_plateau_no_switch)
{
    struct arena *arena = arena_new();
    for (enum switch_policy policy = SWITCH_HPT; policy <= SWITCH_SAFE; policy++) {
        struct switch_config config = config_of(policy, 1000);
        struct mode_switch *sw = start(&config, arena);
        for (int j = 0; j < 40; j++) {
            struct window window = {pow(0.8, j), 0.01 * pow(0.9, j), 0, 1, 0.9};
            ck_assert_int_eq(feed(sw, &window, 0, 2).action, SWITCH_CONTINUE);
        }
        ck_assert_int_eq(switch_state(sw), SWITCH_FULL);
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

/* As published a rising loss passes for a plateau; safe does not let it. */
START_TEST(rising_loss)
{
    struct arena *arena = arena_new();
    for (enum switch_policy policy = SWITCH_HPT; policy <= SWITCH_SAFE; policy++) {
        struct switch_config config = config_of(policy, 1000);
        struct mode_switch *sw = start(&config, arena);
        int trials = 0;
        for (int j = 0; j < 6; j++) {
            struct window window = {1 + 0.01 * j * j, calm(j).movement, 0, 1, 0.9};
            trials += feed(sw, &window, 0, 3).action == SWITCH_START_TRIAL;
        }
        ck_assert_int_eq(trials, policy == SWITCH_HPT);
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

START_TEST(hpt_rejected_twice_then_accepted)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_HPT, 1000);
    struct mode_switch *sw = start(&config, arena);
    static const enum switch_action expected[] = {SWITCH_CONTINUE,    SWITCH_CONTINUE,      SWITCH_CONTINUE,
                                                  SWITCH_START_TRIAL, SWITCH_RESTART_TRIAL, SWITCH_RESTART_TRIAL,
                                                  SWITCH_ENTER_LOW};
    for (int j = 0; j < 7; j++) {
        struct window window = calm(j);
        window.low = j == 4 ? 1 : j == 5 ? -1 : 0; /* two-sided: better is different, too */
        ck_assert_int_eq(feed(sw, &window, 0.01, 4).action, expected[j]);
    }
    check_log(&config, sw);
    /* A low arm that diverged is never accepted. */
    sw = start(&config, arena);
    for (int j = 0; j < 12; j++) {
        struct window window = calm(j);
        window.low = NAN;
        enum switch_action action = feed(sw, &window, 0.01, 4).action;
        ck_assert_int_eq(action, j < 3 ? SWITCH_CONTINUE : j == 3 ? SWITCH_START_TRIAL : SWITCH_RESTART_TRIAL);
    }
    check_log(&config, sw);
    arena_free(arena);
}
END_TEST

START_TEST(controls)
{
    struct arena *arena = arena_new();
    for (int c = 0; c < 4; c++) {
        static const enum switch_policy policies[] = {SWITCH_NEVER, SWITCH_ALWAYS, SWITCH_AT, SWITCH_AT};
        struct switch_config config = config_of(policies[c], 100);
        config.at_step = c == 2 ? 0 : 17;
        struct mode_switch *sw = switch_new(&config, arena);
        int starts_low = c == 1 || c == 2;
        struct switch_decision decision = switch_begin(sw);
        ck_assert_int_eq(decision.action, starts_low ? SWITCH_ENTER_LOW : SWITCH_CONTINUE);
        for (int64_t step = 1; step <= 100; step++) {
            decision = switch_observe_step(sw, step, 1, 1);
            ck_assert_int_eq(decision.action, c == 3 && step == 17 ? SWITCH_ENTER_LOW : SWITCH_CONTINUE);
            ck_assert_int_eq(switch_state(sw), starts_low || (c == 3 && step >= 17) ? SWITCH_LOW : SWITCH_FULL);
            ck_assert(!switch_window_is_full(sw) && switch_wants(sw) == 0);
        }
        int n;
        switch_log(sw, &n);
        ck_assert_int_eq(n, c > 0);
        ck_assert_int_eq(switch_earliest_step(&config), c == 0 ? -1 : c == 3 ? 17 : 0);
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

/* ---- safe ---- */

/* Into LOW after four windows with width 4: half of what 2 leaves of 0.3 makes 0.65. */
static struct mode_switch *safe_in_low(const struct switch_config *config, struct arena *arena)
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

START_TEST(safe_way_back_and_retries)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    struct mode_switch *sw = safe_in_low(&config, arena);
    int width = 4;
    for (int stay = 0; stay < 3; stay++) {
        /* one bad window is forgiven, two in a row are not; the best of this stay counts, not the first */
        static const double validations[] = {1, 1.05, 1.01, 0.9, 0.915, 0.919, 0.93};
        for (int j = 0; j < 7; j++) {
            struct window window = {1, 1, 0, validations[j], 0};
            ck_assert_int_eq(switch_wants(sw), SWITCH_WANTS_VALIDATION);
            enum switch_action action = feed(sw, &window, 0.001, 6).action;
            ck_assert_msg(action == (j == 6 ? SWITCH_RETURN_TO_FULL : SWITCH_CONTINUE), "stay %d window %d", stay, j);
        }
        ck_assert(switch_state(sw) == SWITCH_FULL && switch_wants(sw) == 0);
        if (stay == 2)
            break;
        width *= 2;
        static const enum switch_action expected[] = {SWITCH_CONTINUE, SWITCH_START_TRIAL, SWITCH_ENTER_LOW};
        for (int j = 0; j < 3; j++) {
            struct window window = {1, 1, 0, 1, 0};
            struct switch_decision decision = feed(sw, &window, 0.001, 7);
            ck_assert_int_eq(decision.action, expected[j]);
            ck_assert_int_eq(decision.width, j ? width : 0);
        }
    }
    /* twice is enough */
    int n, later;
    switch_log(sw, &n);
    for (int j = 0; j < 5; j++) {
        struct window window = calm(j);
        ck_assert_int_eq(feed(sw, &window, 0.001, 8).action, SWITCH_CONTINUE);
    }
    switch_log(sw, &later);
    ck_assert(later == n && switch_state(sw) == SWITCH_FULL);
    check_log(&config, sw);
    arena_free(arena);
}
END_TEST

/* A validation that is no number degrades, whatever came before. */
START_TEST(safe_leaves_a_broken_low_mode)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    struct mode_switch *sw = safe_in_low(&config, arena);
    struct window window = {1, 1, 0, NAN, 0};
    ck_assert_int_eq(feed(sw, &window, 0, 9).action, SWITCH_CONTINUE);
    ck_assert_int_eq(feed(sw, &window, 0, 9).action, SWITCH_RETURN_TO_FULL);
    check_log(&config, sw);
    arena_free(arena);
}
END_TEST

/* Non-inferiority: worse by more than the margin is rejected, better never; after three trials back to the tests. */
START_TEST(safe_trials)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    static const enum switch_action expected[] = {
        SWITCH_CONTINUE,       SWITCH_CONTINUE, SWITCH_START_TRIAL, SWITCH_RESTART_TRIAL, SWITCH_RESTART_TRIAL,
        SWITCH_RETURN_TO_FULL, SWITCH_CONTINUE, SWITCH_CONTINUE,    SWITCH_START_TRIAL,   SWITCH_ENTER_LOW};
    struct mode_switch *sw = start(&config, arena);
    for (int j = 0; j < 10; j++) {
        struct window window = calm(j);
        window.low = j == 9 ? -0.5 : 0.03;
        ck_assert_msg(feed(sw, &window, 0, 10).action == expected[j], "window %d", j);
    }
    check_log(&config, sw);
    /* By 1 % worse: within the margin when that is certain, not when it is lost in noise. */
    for (int noisy = 0; noisy < 2; noisy++) {
        sw = start(&config, arena);
        for (int j = 0; j < 3; j++) {
            struct window window = calm(j);
            feed(sw, &window, 0, 10);
        }
        struct window window = {1, 1, 0.01, 0, 0};
        enum switch_action action = feed(sw, &window, noisy ? 0.5 : 0.001, 10).action;
        ck_assert_int_eq(action, noisy ? SWITCH_RESTART_TRIAL : SWITCH_ENTER_LOW);
        ck_assert_double_eq_tol(number(last_record(sw), "difference"), 0.01, noisy ? 0.2 : 0.001);
    }
    arena_free(arena);
}
END_TEST

/* T2 and T3 alone keep the run in FULL; the width is the smallest that holds half. */
START_TEST(safe_drift_and_width)
{
    static const struct {
        double movement, captured;
        int width; /* 0: no trial */
    } cases[] = {{0.01, 0.5, 2}, {0.01, 0.499, 4}, {0.01, 0.2, 4}, {0.01, -0.5, 8}, {0.01, -2, 16},
                 {0.01, -6, 32}, {0.01, -8, 0},    {0.01, NAN, 0}, {0.021, 0.9, 0}, {0.0199, 0.9, 2}};
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct mode_switch *sw = start(&config, arena);
        struct switch_decision decision = {SWITCH_CONTINUE, 0, ""};
        for (int j = 0; j < 3; j++) {
            struct window window = {calm(j).loss, cases[c].movement, 0, 0, cases[c].captured};
            decision = feed(sw, &window, 0, 11);
        }
        ck_assert_msg(decision.width == cases[c].width, "case %d: width %d", (int)c, decision.width);
        ck_assert_int_eq(decision.action, cases[c].width ? SWITCH_START_TRIAL : SWITCH_CONTINUE);
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

/* T5, to the step: with 80 ps saved per step and 350 ps to pay, five steps in LOW pay and four do not. */
START_TEST(safe_pay_off)
{
    struct arena *arena = arena_new();
    for (int c = 0; c < 4; c++) {
        struct switch_config config = config_of(SWITCH_SAFE, 3 * K + K + (c == 0 ? 4 : 5));
        if (c == 2)
            config.costs.low_fj = config.costs.full_fj; /* faster, but not frugal */
        if (c == 3)
            config.costs.low_ps = config.costs.full_ps + 1;
        struct mode_switch *sw = start(&config, arena);
        enum switch_action action = SWITCH_CONTINUE;
        for (int j = 0; j < 3; j++) {
            struct window window = calm(j);
            action = feed(sw, &window, 0, 12).action;
        }
        ck_assert_msg(action == (c == 1 ? SWITCH_START_TRIAL : SWITCH_CONTINUE), "case %d", c);
        if (c < 2) {
            ck_assert_double_eq(number(last_record(sw), "steps_in_low"), c == 0 ? 4 : 5);
            ck_assert_double_eq(number(last_record(sw), "saved_ps"), c == 0 ? 320 : 400);
        }
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

/* ---- random runs ---- */

/* A loss that falls towards a floor, stands still for a while, falls again, with noise and an occasional NaN. */
static struct window random_window(struct rng_key key, uint32_t j, double *level)
{
    if (rng_below(key, j, 0, 5) == 0)
        *level *= rng_uniform(key, j, 1);
    double roughness = pow(10, -4 + 3 * rng_uniform(key, 0, 99));
    struct window window = {*level * (1 + exp(-0.5 * j) + roughness * rng_normal(key, j, 2)),
                            0.01 * (1 + exp(-0.7 * j) + roughness * rng_normal(key, j, 3)),
                            *level * 0.05 * rng_normal(key, j, 4) * (double)rng_below(key, j, 5, 2),
                            1 + 0.03 * rng_normal(key, j, 6), rng_uniform(key, j, 7)};
    if (rng_below(key, j, 8, 60) == 0)
        window.low = NAN;
    return window;
}

static struct mode_switch *random_switch(const struct switch_config *config, uint32_t seed, struct arena *arena)
{
    struct rng_key key = rng_key(seed, RNG_TEST, 52);
    struct mode_switch *sw = start(config, arena);
    double level = 1;
    for (uint32_t j = 0; (switch_windows(sw) + 1) * K <= config->total_steps; j++) {
        int64_t windows = switch_windows(sw);
        struct window window = random_window(key, j, &level);
        feed(sw, &window, 0.01, seed);
        if (switch_windows(sw) == windows)
            break; /* nothing left to decide */
    }
    return sw;
}

static int same_number(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void expect_same_log(const struct mode_switch *a, const struct mode_switch *b)
{
    int n, m;
    const struct switch_record *x = switch_log(a, &n), *y = switch_log(b, &m);
    ck_assert_int_eq(n, m);
    for (int i = 0; i < n; i++) {
        ck_assert(x[i].step == y[i].step && x[i].window == y[i].window && x[i].action == y[i].action);
        ck_assert(x[i].before == y[i].before && x[i].after == y[i].after && x[i].width == y[i].width);
        ck_assert_int_eq(x[i].n_numbers, y[i].n_numbers);
        for (int k = 0; k < x[i].n_numbers; k++)
            ck_assert(x[i].number[k].name == y[i].number[k].name &&
                      same_number(x[i].number[k].value, y[i].number[k].value));
    }
}

START_TEST(random_runs)
{
    int entered[2] = {0}, returned = 0, restarted = 0;
    for (uint32_t seed = 0; seed < 200; seed++) {
        struct arena *arena = arena_new();
        struct switch_config config = config_of(seed % 2 ? SWITCH_SAFE : SWITCH_HPT, 60 * K);
        struct mode_switch *sw = random_switch(&config, seed, arena), *twin = random_switch(&config, seed, arena);
        check_log(&config, sw);
        expect_same_log(sw, twin);
        int n;
        const struct switch_record *log = switch_log(sw, &n);
        for (int i = 0; i < n; i++) {
            entered[seed % 2] += log[i].action == SWITCH_ENTER_LOW;
            returned += log[i].action == SWITCH_RETURN_TO_FULL && log[i].before == SWITCH_LOW;
            restarted += log[i].action == SWITCH_RESTART_TRIAL;
        }
        arena_free(arena);
    }
    /* the cases reach what they are about */
    ck_assert_msg(entered[0] > 10 && entered[1] > 10 && returned > 5 && restarted > 5, "%d %d %d %d", entered[0],
                  entered[1], returned, restarted);
}
END_TEST

START_TEST(describes_itself)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    struct mode_switch *sw = safe_in_low(&config, arena);
    struct run_switch told;
    switch_describe(sw, arena, &told);
    ck_assert_str_eq(told.policy, "safe");
    ck_assert(told.window_steps == K && told.n_records == 4 && told.n_steps == 4 * K);
    ck_assert_str_eq(told.record[2].action, "start trial");
    ck_assert(told.record[2].is_decision && !told.record[1].is_decision && told.record[2].width == 4);
    ck_assert_str_eq(told.record[3].before, "trial");
    ck_assert_str_eq(told.record[3].after, "low");
    ck_assert(isnan(told.step[0].loss_low) && !isnan(told.step[0].loss_full));
    ck_assert(!isnan(told.step[3 * K].loss_low) && !isnan(told.step[3 * K].loss_full));
    ck_assert_str_eq(told.step[3 * K].state, "trial");
    ck_assert(told.step[3 * K].step == 3 * K + 1 && told.step[3 * K].window == 4);
    for (int i = 0; i < told.record[3].n_numbers; i++)
        ck_assert(told.record[3].number[i].holds);
    arena_free(arena);
}
END_TEST

/* ---- jobs ---- */

static enum status from_job(struct arena *arena, const char *text, const struct switch_setting *setting,
                            struct switch_config *config, struct fault *fault)
{
    struct job job;
    *fault = FAULT_NONE;
    const char *whole = arena_printf(arena,
                                     "model: {preset: wind}\ncluster: {devices: [{kind: gpu, profile: a}], "
                                     "links: {host: h}}\ntrain: {steps: 1, switch: %s}\n",
                                     text);
    ck_assert_msg(job_parse(arena, "j.yaml", whole, NULL, 0, &job, fault) == STATUS_OK, "%s", fault->text);
    return switch_config_from_job(&job, setting, config, fault);
}

START_TEST(jobs_and_defaults)
{
    struct arena *arena = arena_new();
    struct switch_setting setting = {.epoch_steps = 6734, .total_steps = 161616, .layers = 12, .width = 16};
    struct switch_config config;
    struct fault fault;
    ck_assert_int_eq(from_job(arena, "{policy: hpt}", &setting, &config, &fault), STATUS_OK);
    ck_assert(config.policy == SWITCH_HPT && config.window_steps == 480 && config.width == 16);
    ck_assert(config.alpha == 0.01 && config.loss_threshold == 0.1 && config.weight_threshold == 0.01);
    ck_assert(config.watch_layer == 11 && config.total_steps == 161616);
    /* 2400 of 161,616 steps: the published 1.5 % */
    ck_assert_double_eq_tol((double)switch_earliest_step(&config) / 161616, 0.015, 5e-4);
    ck_assert_int_eq(from_job(arena, "{policy: safe, watch_layer: 0}", &setting, &config, &fault), STATUS_OK);
    ck_assert(config.window_steps == 6734 / 8 && config.weight_threshold == 0.05 && config.margin == 0.02);
    ck_assert_int_eq(config.watch_layer, 0);
    ck_assert_int_eq(from_job(arena, "{policy: at, at_step: 5}", &setting, &config, &fault), STATUS_OK);
    ck_assert(config.policy == SWITCH_AT && config.at_step == 5);
    setting.epoch_steps = 100;
    ck_assert_int_eq(from_job(arena, "{policy: safe}", &setting, &config, &fault), STATUS_OK);
    ck_assert_int_eq(config.window_steps, 64);
    ck_assert_int_eq(from_job(arena, "{policy: safe, window_steps: 9, margin: 0.5, weight_threshold: 0.3}", &setting,
                              &config, &fault),
                     STATUS_OK);
    ck_assert(config.window_steps == 9 && config.margin == 0.5 && config.weight_threshold == 0.3);
    ck_assert_int_eq(from_job(arena, "{}", &setting, &config, &fault), STATUS_OK);
    ck_assert_int_eq(config.policy, SWITCH_NEVER);
    arena_free(arena);
}
END_TEST

START_TEST(jobs_that_cannot_be)
{
    static const struct {
        const char *text;
        int64_t total_steps;
        int timing_only;
        const char *message;
    } cases[] = {
        {"{policy: hpt}", 2400, 0,
         "j.yaml: train.switch.window_steps: expected windows of which 5 end before the run's 2400 steps do, found 480 "
         "steps (the default)"},
        {"{policy: safe, window_steps: 25}", 100, 0,
         "j.yaml: train.switch.window_steps: expected windows of which 4 end before the run's 100 steps do, found 25 "
         "steps"},
        {"{policy: hpt, window_steps: 5}", 100, 1,
         "j.yaml: train.switch.policy: expected never, at or always in a timing-only run, which has no losses to test, "
         "found 'hpt'"},
        {"{policy: at, at_step: 100}", 100, 0,
         "j.yaml: train.switch.at_step: expected less than the run's 100 steps, found 100"},
        {"{policy: hpt, watch_layer: 3}", 10000, 0,
         "j.yaml: train.switch.watch_layer: expected a layer from 0 to 2, or -1 for the last, found 3"},
        {"{policy: hpt}", 2401, 0, NULL},
        {"{policy: at, at_step: 99}", 100, 1, NULL},
        {"{policy: always}", 100, 1, NULL},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct switch_setting setting = {100, cases[i].total_steps, 3, 8, cases[i].timing_only};
        struct switch_config config;
        struct fault fault;
        enum status status = from_job(arena, cases[i].text, &setting, &config, &fault);
        ck_assert_int_eq(status, cases[i].message ? STATUS_USAGE : STATUS_OK);
        ck_assert_str_eq(fault.text, cases[i].message ? cases[i].message : "");
    }
    arena_free(arena);
}
END_TEST

START_TEST(order_of_steps)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_HPT, 1000);
    struct mode_switch *sw = start(&config, arena);
    switch_observe_step(sw, 2, 1, 1);
}
END_TEST

START_TEST(free_steps)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 1000);
    config.costs.low_fj = 0;
    switch_new(&config, arena);
}
END_TEST

/* 11.9 times needs f + t <= 8.4 % even with a low mode that takes no time, and s = 16.5 with f + t = 2.5 %. */
START_TEST(speed_up_bound)
{
    ck_assert_double_eq_tol(1 / switch_speed_up_bound(0.084, 0, INFINITY), 0.084, 1e-15);
    ck_assert(switch_speed_up_bound(0.084, 0, INFINITY) > 11.9 && switch_speed_up_bound(0.085, 0, INFINITY) < 11.9);
    ck_assert_double_eq_tol(switch_needed_speed_up(0.0225, 0.0025, 11.9), 16.5, 0.1);
    ck_assert(isinf(switch_needed_speed_up(0.05, 0.05, 11.9)));
    ck_assert(switch_speed_up_bound(1, 0, 5) == 1 && switch_speed_up_bound(0, 0, 5) == 5);
    for (uint64_t i = 0; i < 500; i++) {
        struct rng_key key = rng_key(9, RNG_TEST, 53);
        double f = rng_uniform(key, 1, i), t = 0.2 * rng_uniform(key, 2, i), s = 1 + 50 * rng_uniform(key, 3, i);
        double bound = switch_speed_up_bound(f, t, s);
        ck_assert_double_eq_tol(switch_needed_speed_up(f, t, bound), s, 1e-7 * s);
        ck_assert(bound <= s && switch_speed_up_bound(f, t, s + 1) > bound &&
                  switch_speed_up_bound(f, t + 0.1, s) < bound);
    }
}
END_TEST

Suite *suite_switch(void)
{
    Suite *suite = suite_create("switch");
    TCase *tcase = tcase_create("switch");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, hpt_switches_at_five_windows_at_the_earliest);
    tcase_add_test(tcase, hpt_needs_all_six_terms);
    tcase_add_test(tcase, no_plateau_no_switch);
    tcase_add_test(tcase, rising_loss);
    tcase_add_test(tcase, hpt_rejected_twice_then_accepted);
    tcase_add_test(tcase, controls);
    tcase_add_test(tcase, safe_way_back_and_retries);
    tcase_add_test(tcase, safe_leaves_a_broken_low_mode);
    tcase_add_test(tcase, safe_trials);
    tcase_add_test(tcase, safe_drift_and_width);
    tcase_add_test(tcase, safe_pay_off);
    tcase_add_test(tcase, random_runs);
    tcase_add_test(tcase, describes_itself);
    tcase_add_test(tcase, jobs_and_defaults);
    tcase_add_test(tcase, jobs_that_cannot_be);
    tcase_add_test_raise_signal(tcase, order_of_steps, SIGABRT);
    tcase_add_test_raise_signal(tcase, free_steps, SIGABRT);
    tcase_add_test(tcase, speed_up_bound);
    suite_add_tcase(suite, tcase);
    return suite;
}
