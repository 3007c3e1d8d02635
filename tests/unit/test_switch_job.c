/* From a job to the configuration of a switch, and what a switch can gain. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "scheduler/switch.h"

Suite *suite_switch_job(void);

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
        {"{policy: at, at_step: 9, trial_steps: 9}", 100, 1,
         "j.yaml: train.switch.trial_steps: expected less than train.switch.at_step (9), found 9"},
        {"{policy: hpt, trial_steps: 9}", 10000, 0,
         "j.yaml: train.switch.trial_steps: expected with train.switch.policy at only, found with 'hpt'"},
        {"{policy: at, at_step: 9, trial_steps: 8}", 100, 1, NULL},
        {"{policy: hpt}", 2401, 0, NULL},
        {"{policy: at, at_step: 99}", 100, 1, NULL},
        {"{policy: always}", 100, 1, NULL},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct switch_setting setting = {100, cases[i].total_steps, 3, 8, 0, 0, cases[i].timing_only, 0};
        struct switch_config config;
        struct fault fault;
        enum status status = from_job(arena, cases[i].text, &setting, &config, &fault);
        ck_assert_int_eq(status, cases[i].message ? STATUS_USAGE : STATUS_OK);
        ck_assert_str_eq(fault.text, cases[i].message ? cases[i].message : "");
    }
    arena_free(arena);
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

Suite *suite_switch_job(void)
{
    Suite *suite = suite_create("switch_job");
    TCase *tcase = tcase_create("switch_job");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, jobs_and_defaults);
    tcase_add_test(tcase, jobs_that_cannot_be);
    tcase_add_test(tcase, speed_up_bound);
    suite_add_tcase(suite, tcase);
    return suite;
}
