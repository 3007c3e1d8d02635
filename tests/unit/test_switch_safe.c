/* The five tests of policy safe and its ways back. */
#include "switch_feed.h"

Suite *suite_switch_safe(void);

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

/* The margin is a share of the full arm's loss. */
START_TEST(safe_margin_is_relative)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    for (int level = 1; level <= 2; level++) {
        struct mode_switch *sw = start(&config, arena);
        enum switch_action action = SWITCH_CONTINUE;
        for (int j = 0; j < 4; j++) {
            struct window window = calm(j);
            window.loss *= level;
            window.low = 0.03;
            action = feed(sw, &window, 0, 10).action;
        }
        ck_assert_int_eq(action, level == 1 ? SWITCH_RESTART_TRIAL : SWITCH_ENTER_LOW);
    }
    arena_free(arena);
}
END_TEST

/* With a tolerance a small rise is none, in either window. */
START_TEST(safe_rise_tolerance)
{
    static const double losses[][3] = {{1, 1.005, 1.011}, {1, 1.01005, 1.02011}, {1, 1.005, 1.016}};
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    config.rise_tolerance = 0.01;
    for (int c = 0; c < 3; c++) {
        struct mode_switch *sw = start(&config, arena);
        enum switch_action action = SWITCH_CONTINUE;
        for (int j = 0; j < 3; j++) {
            struct window window = {losses[c][j], calm(j).movement, 0, 0, 0.9};
            action = feed(sw, &window, 0, 10).action;
        }
        ck_assert_int_eq(action, c == 0 ? SWITCH_START_TRIAL : SWITCH_CONTINUE);
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

/* A width that was too small once is not tried again, by whatever way. */
START_TEST(safe_width_only_grows)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    struct mode_switch *sw = safe_in_low(&config, arena);
    static const enum switch_action expected[] = {SWITCH_CONTINUE,      SWITCH_CONTINUE,       SWITCH_RETURN_TO_FULL,
                                                  SWITCH_CONTINUE,      SWITCH_START_TRIAL,    SWITCH_RESTART_TRIAL,
                                                  SWITCH_RESTART_TRIAL, SWITCH_RETURN_TO_FULL, SWITCH_CONTINUE,
                                                  SWITCH_CONTINUE,      SWITCH_START_TRIAL};
    struct switch_decision decision = {SWITCH_CONTINUE, 0, ""};
    for (int j = 0; j < 11; j++) {
        struct window window = calm(j);
        window.validation = 1 + 0.1 * j, window.low = 0.03;
        decision = feed(sw, &window, 0, 13);
        ck_assert_msg(decision.action == expected[j], "window %d", j);
    }
    ck_assert_int_eq(decision.width, 8);
    check_log(&config, sw);
    arena_free(arena);
}
END_TEST

/* Nor is one that is wider than the weights: T3 and a way back stop there. */
START_TEST(safe_width_within_the_weights)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    config.most_width = 6;
    struct mode_switch *sw = start(&config, arena);
    struct switch_decision decision = {SWITCH_CONTINUE, 0, ""};
    for (int j = 0; j < 3; j++) {
        struct window window = {calm(j).loss, 0.01, 0, 0, -6}; /* 32 hold half */
        decision = feed(sw, &window, 0, 11);
    }
    ck_assert_int_eq(decision.action, SWITCH_START_TRIAL);
    ck_assert_int_eq(decision.width, 6);
    sw = safe_in_low(&config, arena); /* with adapters of 4 */
    for (int j = 0; j < 5; j++) {
        struct window window = calm(j);
        window.validation = 1 + 0.1 * j, window.low = 0.03;
        decision = feed(sw, &window, 0, 13);
    }
    ck_assert_int_eq(decision.action, SWITCH_START_TRIAL);
    ck_assert_int_eq(decision.width, 6);
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
/* With one width only, T3 asks of that one; what the others hold is told. A way back does not double it. */
START_TEST(safe_fixed_width)
{
    struct arena *arena = arena_new();
    struct switch_config config = config_of(SWITCH_SAFE, 10000);
    config.fixed_width = 1;
    config.width = 6;
    for (int c = 0; c < 3; c++) {
        static const double own[] = {0.5, 0.499, NAN};
        struct mode_switch *sw = start(&config, arena);
        struct switch_decision decision = {SWITCH_CONTINUE, 0, ""};
        for (int j = 0; j < 3; j++) {
            struct window window = calm(j);
            window.captured = own[c];
            decision = feed(sw, &window, 0, 11);
        }
        ck_assert_int_eq(decision.action, c == 0 ? SWITCH_START_TRIAL : SWITCH_CONTINUE);
        ck_assert_int_eq(decision.width, c == 0 ? 6 : 0);
        ck_assert(number(last_record(sw), "captured_width") == (c == 0 ? 2 : c == 1 ? 4 : 32));
        for (int j = 3; c == 0 && j < 9; j++) {
            struct window window = calm(j);
            window.validation = 1 + 0.1 * j;
            decision = feed(sw, &window, 0, 11);
            ck_assert_int_eq(decision.action, j == 3   ? SWITCH_ENTER_LOW
                                              : j == 6 ? SWITCH_RETURN_TO_FULL
                                              : j == 8 ? SWITCH_START_TRIAL
                                                       : SWITCH_CONTINUE);
            ck_assert_int_eq(decision.width, j == 3 || j == 8 ? 6 : 0);
        }
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

START_TEST(safe_pay_off)
{
    struct arena *arena = arena_new();
    for (int c = 0; c < 6; c++) {
        struct switch_config config = config_of(SWITCH_SAFE, 3 * K + K + (c == 0 ? 4 : 5));
        if (c >= 4)
            feed_costs.low_fj = c == 4 ? 300 : 299; /* 5 * 700 fJ to save, 3500 to pay */
        if (c == 2)
            feed_costs.low_fj = feed_costs.full_fj; /* faster, but not frugal */
        if (c == 3)
            feed_costs.low_ps = feed_costs.full_ps + 1;
        struct mode_switch *sw = start(&config, arena);
        enum switch_action action = SWITCH_CONTINUE;
        for (int j = 0; j < 3; j++) {
            struct window window = calm(j);
            action = feed(sw, &window, 0, 12).action;
        }
        ck_assert_msg(action == (c == 1 || c == 5 ? SWITCH_START_TRIAL : SWITCH_CONTINUE), "case %d", c);
        if (c < 2) {
            ck_assert_double_eq(number(last_record(sw), "steps_in_low"), c == 0 ? 4 : 5);
            ck_assert_double_eq(number(last_record(sw), "saved_ps"), c == 0 ? 320 : 400);
        }
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

/* The pay-off is that of the width that T3 chooses at the check, else of the narrowest; only the narrowest gives up. */
START_TEST(safe_pay_off_of_a_width)
{
    static const struct {
        int dear;        /* the width that does not pay */
        double captured; /* of width 2 */
        int priced;      /* by T3 */
        enum switch_action action;
        const char *reason;
    } cases[] = {
        {4, 0.3, 4, SWITCH_CONTINUE, "a switch does not pay off with adapters that can follow"},
        {4, 0.6, 2, SWITCH_START_TRIAL, "loss and weights stand still, and adapters can follow"},
        {8, 0.3, 4, SWITCH_START_TRIAL, "loss and weights stand still, and adapters can follow"},
        {4, -8, 2, SWITCH_CONTINUE, "loss or weights still move, or adapters cannot follow"},
    };
    struct arena *arena = arena_new();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct switch_config config = config_of(SWITCH_SAFE, 10000);
        feed_costs_of_width = feed_costs;
        feed_costs_of_width.low_ps = feed_costs.full_ps + 1;
        feed_width = cases[c].dear;
        struct mode_switch *sw = start(&config, arena);
        struct switch_decision decision = {SWITCH_CONTINUE, 0, ""};
        for (int j = 0; j < 3; j++) {
            struct window window = calm(j);
            window.captured = cases[c].captured;
            decision = feed(sw, &window, 0, 11);
            ck_assert(number(last_record(sw), "priced_width") == (j < 2 ? 2 : cases[c].priced));
        }
        ck_assert_int_eq(decision.action, cases[c].action);
        ck_assert_str_eq(decision.reason, cases[c].reason);
        if (c == 0) { /* narrower ones may do later */
            struct window window = calm(3);
            window.captured = 0.6;
            decision = feed(sw, &window, 0, 11);
            ck_assert_int_eq(decision.action, SWITCH_START_TRIAL);
            ck_assert_int_eq(decision.width, 2);
        }
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

/* A trial whose own width does not pay (any more) ends; narrower ones may come, unless the narrowest does not pay. */
START_TEST(safe_trial_of_a_width_that_does_not_pay)
{
    struct arena *arena = arena_new();
    for (int c = 0; c < 2; c++) {
        struct switch_config config = config_of(SWITCH_SAFE, 10000);
        struct mode_switch *sw = start(&config, arena);
        struct switch_decision decision = {SWITCH_CONTINUE, 0, ""};
        for (int j = 0; j < 4; j++) {
            struct window window = calm(j);
            if (j == 3) { /* after a fault, say */
                ck_assert_int_eq(switch_width(sw), 4);
                switch_forget_costs(sw);
                feed_costs_of_width = feed_costs;
                feed_costs_of_width.low_ps = feed_costs.full_ps + 1;
                feed_width = 4;
                if (c)
                    feed_costs = feed_costs_of_width;
            }
            decision = feed(sw, &window, 0, 11);
        }
        ck_assert_int_eq(decision.action, SWITCH_RETURN_TO_FULL);
        ck_assert(number(last_record(sw), "priced_width") == 4);
        for (int j = 4; j < 7; j++) {
            struct window window = calm(j);
            window.captured = 0.6;
            decision = feed(sw, &window, 0, 11);
        }
        ck_assert_int_eq(switch_state(sw), c ? SWITCH_FULL : SWITCH_TRIAL);
        ck_assert_int_eq(switch_width(sw), c ? 0 : 2);
        check_log(&config, sw);
    }
    arena_free(arena);
}
END_TEST

Suite *suite_switch_safe(void)
{
    Suite *suite = suite_create("switch_safe");
    TCase *tcase = tcase_create("switch_safe");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, safe_way_back_and_retries);
    tcase_add_test(tcase, safe_leaves_a_broken_low_mode);
    tcase_add_test(tcase, safe_trials);
    tcase_add_test(tcase, safe_margin_is_relative);
    tcase_add_test(tcase, safe_rise_tolerance);
    tcase_add_test(tcase, safe_width_only_grows);
    tcase_add_test(tcase, safe_width_within_the_weights);
    tcase_add_test(tcase, safe_drift_and_width);
    tcase_add_test(tcase, safe_fixed_width);
    tcase_add_test(tcase, safe_pay_off);
    tcase_add_test(tcase, safe_pay_off_of_a_width);
    tcase_add_test(tcase, safe_trial_of_a_width_that_does_not_pay);
    suite_add_tcase(suite, tcase);
    return suite;
}
