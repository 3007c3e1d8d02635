/* Queueing theory as a known answer: one sequence at a time, service exponential or fixed, Poisson arrivals.
 *
 * Mean waiting times are compared within the confidence bounds of batch means (99.9 %, Student's t); the bounds
 * themselves must be narrow. Sources: Pollaczek-Khinchine W = rho s (1 + cv^2) / (2 (1 - rho)); Erlang C.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/statistics.h"
#include "folder.h"
#include "serving_toy.h"

Suite *suite_serving_queue(void);

enum { BATCHES = 40, PER_BATCH = 5000, N = BATCHES * PER_BATCH, MOST_SERVERS = 8 };

#define SERVICE_PS UINT64_C(1000000000) /* 1 ms */

struct queue_case {
    int servers;
    double load; /* of each server */
    int exponential;
    enum router_policy router;
};

static void serve(const struct queue_case *c, struct arena *arena, struct serving_result *result)
{
    struct toy toy[MOST_SERVERS];
    struct serving_engine engine[MOST_SERVERS];
    struct requests requests;
    struct fault fault = FAULT_NONE;
    struct arrivals arrivals = {
        .n = N, .seed = 11, .rate_per_s = 1000 * c->load * c->servers, .prompt_tokens = 1, .output_tokens = 1};
    struct serving_config config = serving_defaults();
    config.max_batch = 1;
    config.router = c->router;
    for (int i = 0; i < c->servers; i++) {
        toy[i] = (struct toy){.base_ps = SERVICE_PS, .seed = 12, .exponential_ps = c->exponential ? SERVICE_PS : 0};
        engine[i] = toy_engine(&toy[i], 0);
    }
    arrivals_make(&arrivals, arena, &requests, &fault);
    serving_run(&config, &requests, engine, (size_t)c->servers, NULL, arena, result, &fault);
    expect_ok(&fault);
}

/* Mean wait in units of the service time, and the half width of its confidence interval. */
static double mean_wait(const struct serving_result *result, double *half_width)
{
    double mean[BATCHES];
    for (int b = 0; b < BATCHES; b++) {
        double sum = 0;
        for (int i = 0; i < PER_BATCH; i++)
            sum += (double)served_queue_ps(&result->record[b * PER_BATCH + i]);
        mean[b] = sum / PER_BATCH / (double)SERVICE_PS;
    }
    struct moments moments = statistics_moments(mean, BATCHES);
    *half_width = statistics_student_quantile(0.9995, BATCHES - 1) * sqrt(moments.variance / BATCHES);
    return moments.mean;
}

/* Probability that all k servers are busy at offered load a = k rho (Erlang C, by the recursion of Erlang B). */
static double erlang_c(int k, double rho)
{
    double blocking = 1, offered = k * rho;
    for (int i = 1; i <= k; i++)
        blocking = offered * blocking / (i + offered * blocking);
    return blocking / (1 - rho * (1 - blocking));
}

static double theory(const struct queue_case *c)
{
    if (!c->exponential)
        return c->load / (2 * (1 - c->load));
    return erlang_c(c->servers, c->load) / (c->servers * (1 - c->load));
}

static const struct queue_case cases[] = {
    {1, 0.3, 1, ROUTER_ROUND_ROBIN},  {1, 0.7, 1, ROUTER_ROUND_ROBIN}, {1, 0.7, 0, ROUTER_ROUND_ROBIN},
    {1, 0.9, 0, ROUTER_LEAST_LOADED}, {2, 0.7, 1, ROUTER_CENTRAL},     {5, 0.8, 1, ROUTER_CENTRAL},
    {8, 0.6, 1, ROUTER_CENTRAL},
};

START_TEST(waiting_is_as_queueing_theory_says)
{
    struct arena *arena = arena_new();
    struct serving_result result;
    double half_width, expected = theory(&cases[_i]);
    serve(&cases[_i], arena, &result);
    double wait = mean_wait(&result, &half_width);
    ck_assert_msg(fabs(wait - expected) < half_width, "wait %g, expected %g within %g", wait, expected, half_width);
    ck_assert_msg(half_width < 0.15 * expected, "half width %g of %g", half_width, expected);
    arena_free(arena);
}
END_TEST

/* Poisson arrivals see time averages: the share that waits is the share of time that all servers are busy. */
START_TEST(the_share_that_waits_is_erlang_c)
{
    struct arena *arena = arena_new();
    struct serving_result result;
    size_t waits = 0;
    serve(&cases[_i], arena, &result);
    for (size_t i = 0; i < N; i++)
        waits += served_queue_ps(&result.record[i]) > 0;
    double expected = cases[_i].exponential ? erlang_c(cases[_i].servers, cases[_i].load) : cases[_i].load;
    ck_assert_double_eq_tol((double)waits / N, expected, 0.03 * expected + 0.005);
    arena_free(arena);
}
END_TEST

START_TEST(little_holds_to_the_picosecond)
{
    struct arena *arena = arena_new();
    struct serving_result result;
    wide_uint sojourns = 0, busy = 0;
    serve(&cases[_i], arena, &result);
    for (size_t i = 0; i < N; i++)
        sojourns += served_e2e_ps(&result.record[i]);
    ck_assert(sojourns == result.summary.in_system_ps);
    for (size_t i = 0; i < result.summary.n_instances; i++)
        busy += result.summary.instance[i].busy_ps;
    double utilisation = (double)busy / (double)result.summary.end_ps / cases[_i].servers;
    ck_assert_double_eq_tol(utilisation, cases[_i].load, 0.015);
    arena_free(arena);
}
END_TEST

/* The same arrivals and service times: sharing a queue beats guessing, guessing well beats taking turns. */
START_TEST(a_shared_queue_waits_least)
{
    static const enum router_policy policies[] = {ROUTER_CENTRAL, ROUTER_LEAST_LOADED, ROUTER_ROUND_ROBIN};
    double wait[3], half_width;
    for (int p = 0; p < 3; p++) {
        struct arena *arena = arena_new();
        struct serving_result result;
        serve(&(struct queue_case){4, 0.8, 1, policies[p]}, arena, &result);
        wait[p] = mean_wait(&result, &half_width);
        arena_free(arena);
    }
    ck_assert_double_lt(wait[0], 0.9 * wait[1]);
    ck_assert_double_lt(wait[1], 0.9 * wait[2]);
}
END_TEST

Suite *suite_serving_queue(void)
{
    Suite *suite = suite_create("serving_queue");
    TCase *tcase = tcase_create("queue");
    int n = sizeof cases / sizeof *cases;
    tcase_add_loop_test(tcase, waiting_is_as_queueing_theory_says, 0, n);
    tcase_add_loop_test(tcase, the_share_that_waits_is_erlang_c, 0, n);
    tcase_add_loop_test(tcase, little_holds_to_the_picosecond, 0, n);
    tcase_add_test(tcase, a_shared_queue_waits_least);
    suite_add_tcase(suite, tcase);
    return suite;
}
