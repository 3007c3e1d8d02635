/* The switch controller on scripted and on random runs: the published policy, controls, the laws of its log. */
#include <signal.h>

#include "switch_feed.h"

Suite *suite_switch(void);

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

/* Policy at with a trial that is there for its cost alone. */
START_TEST(trial_without_a_verdict)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_AT, 100);
    config.at_step = 17;
    config.trial_steps = 5;
    struct mode_switch *sw = switch_new(&config, arena);
    ck_assert_int_eq(switch_begin(sw).action, SWITCH_CONTINUE);
    for (int64_t step = 1; step <= 100; step++) {
        struct switch_decision decision = switch_observe_step(sw, step, 1, 9);
        ck_assert_int_eq(decision.action, step == 12   ? SWITCH_START_TRIAL
                                          : step == 17 ? SWITCH_ENTER_LOW
                                                       : SWITCH_CONTINUE);
        ck_assert_int_eq(switch_state(sw), step < 12 ? SWITCH_FULL : step < 17 ? SWITCH_TRIAL : SWITCH_LOW);
        ck_assert(!switch_window_is_full(sw) && switch_wants(sw) == 0);
    }
    int n;
    switch_log(sw, &n);
    ck_assert_int_eq(n, 2);
    check_log(&config, sw);
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

/* The switch of a run without losses: steps known beforehand lead from one end of a window to the next. */
START_TEST(assumed_without_tests)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(_i ? SWITCH_HPT : SWITCH_SAFE, 200);
    config.assumes_earliest = 1;
    struct mode_switch *sw = switch_new(&config, arena);
    int64_t earliest = switch_earliest_step(&config), known = 0;
    ck_assert_int_eq(switch_begin(sw).action, SWITCH_CONTINUE);
    for (int64_t step = 1; step <= 200; step++) {
        enum switch_state state = step <= earliest - K ? SWITCH_FULL : step <= earliest ? SWITCH_TRIAL : SWITCH_LOW;
        ck_assert_int_eq(switch_state(sw), state);
        if (known == 0)
            known = switch_known_steps(sw);
        ck_assert(known > 0 && (known <= K || step > earliest));
        switch_observe_step(sw, step, NAN, NAN);
        ck_assert_int_eq(switch_wants(sw), 0);
        known--;
        ck_assert_int_eq(switch_window_is_full(sw), known == 0);
        if (known > 0)
            continue;
        feed_prices(sw, NULL);
        switch_observe_window(sw, NULL);
    }
    int n;
    const struct switch_record *log = switch_log(sw, &n);
    ck_assert_int_eq(n, earliest / K);
    ck_assert(log[n - 1].step == earliest && log[n - 1].action == SWITCH_ENTER_LOW);
    ck_assert(log[n - 2].step == earliest - K && log[n - 2].action == SWITCH_START_TRIAL);
    ck_assert(log[n - 1].n_numbers == 0 && log[n - 1].width == config.width);
    arena_free(arena);
}
END_TEST

/* Policy safe, without losses: what does not pay off is told once, with its numbers, and no trial begins. */
START_TEST(assumed_but_does_not_pay)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 200);
    config.assumes_earliest = 1;
    feed_costs.low_ps = feed_costs.full_ps + 1;
    struct mode_switch *sw = switch_new(&config, arena);
    switch_begin(sw);
    for (int64_t step = 1; step <= 200; step++) {
        ck_assert_int_eq(switch_state(sw), SWITCH_FULL);
        switch_observe_step(sw, step, NAN, NAN);
        ck_assert_int_eq(switch_window_is_full(sw), step == K);
        if (step != K)
            continue;
        feed_prices(sw, NULL);
        ck_assert_int_eq(switch_observe_window(sw, NULL).action, SWITCH_CONTINUE);
    }
    int n;
    const struct switch_record *log = switch_log(sw, &n);
    ck_assert(n == 1 && log[0].step == K);
    ck_assert(number(log, "steps_in_low") == 200 - 2 * K && number(log, "saved_ps") == -(200 - 2 * K));
    ck_assert_int_eq(switch_known_steps(sw), INT64_MAX);
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
    feed_costs.low_fj = 0;
    switch_set_costs(switch_new(&config, arena), 8, &feed_costs);
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
    tcase_add_test(tcase, trial_without_a_verdict);
    tcase_add_test(tcase, random_runs);
    tcase_add_test(tcase, describes_itself);
    tcase_add_loop_test(tcase, assumed_without_tests, 0, 2);
    tcase_add_test(tcase, assumed_but_does_not_pay);
    tcase_add_test_raise_signal(tcase, order_of_steps, SIGABRT);
    tcase_add_test_raise_signal(tcase, free_steps, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite;
}
