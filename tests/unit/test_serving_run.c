/* Runs over random configurations: whatever the policy, the same tokens, nothing lost, every law of counting. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "serving_setting.h"

Suite *suite_serving_run(void);

enum { CASES = 160 };

struct answers {
    uint32_t *token[TOY_REQUESTS];
    uint32_t n[TOY_REQUESTS];
    uint64_t n_finished, last_ps;
    uint64_t sampled_tokens, sampled_prefill, sampled_busy_ps;
    double sampled_running_ps;
    uint64_t most_kv_tokens;
};

static enum status hear_finished(void *state, const struct served *record, struct fault *fault)
{
    struct answers *answers = state;
    (void)fault;
    ck_assert_uint_ge(record->finish_ps, answers->last_ps);
    answers->last_ps = record->finish_ps;
    answers->n_finished++;
    return STATUS_OK;
}

static enum status hear_answer(void *state, uint32_t request, const uint32_t *token, uint32_t n, struct fault *fault)
{
    struct answers *answers = state;
    (void)fault;
    answers->token[request] = malloc(n * sizeof *token);
    memcpy(answers->token[request], token, n * sizeof *token);
    answers->n[request] = n;
    return STATUS_OK;
}

static enum status hear_sample(void *state, const struct serving_sample *sample, struct fault *fault)
{
    struct answers *answers = state;
    (void)fault;
    ck_assert_uint_gt(sample->end_ps, sample->start_ps);
    ck_assert_double_le(sample->kv_share, 1);
    answers->sampled_tokens += sample->output_tokens;
    answers->sampled_prefill += sample->prefill_tokens;
    answers->sampled_busy_ps += sample->busy_ps;
    answers->sampled_running_ps += sample->running * (double)(sample->end_ps - sample->start_ps);
    return STATUS_OK;
}

static void close_setting(struct setting *s, struct answers *answers)
{
    for (size_t i = 0; i < s->requests.n; i++)
        free(answers->token[i]);
    arena_free(s->arena);
}

static void run(struct setting *s, struct answers *answers, struct serving_result *result)
{
    struct fault fault = FAULT_NONE;
    struct serving_sink sink = {
        .state = answers, .finished = hear_finished, .answer = hear_answer, .sample = hear_sample};
    *answers = (struct answers){.n_finished = 0};
    serving_run(&s->config, &s->requests, s->engine, s->n, &sink, s->arena, result, &fault);
    expect_ok(&fault);
    ck_assert_uint_eq(answers->n_finished, s->requests.n);
}

/* What the toy says to a prompt, without any serving. */
static void expect_answer(const struct setting *s, size_t r, const struct answers *answers)
{
    const struct request *request = &s->requests.request[r];
    uint64_t hash = 1;
    for (uint32_t t = 0; t < request->prompt_tokens; t++)
        hash = toy_hash(hash, request->prompt[t]);
    for (uint32_t t = 0; t < request->output_tokens; t++) {
        uint32_t token = 1 + (uint32_t)(hash % TOY_VOCABULARY);
        ck_assert_uint_lt(t, answers->n[r]);
        ck_assert_uint_eq(answers->token[r][t], token);
        if (s->toy[0].end_token == token) {
            ck_assert_uint_eq(answers->n[r], t + 1);
            return;
        }
        hash = toy_hash(hash, token);
    }
    ck_assert_uint_eq(answers->n[r], request->output_tokens);
}

static void expect_record(const struct setting *s, const struct served *record, size_t r)
{
    const struct request *request = &s->requests.request[r];
    uint32_t n_prefill = s->config.n_prefill_instances;
    ck_assert_uint_eq(record->request, r);
    ck_assert_uint_eq(record->arrival_ps, request->arrival_ps);
    ck_assert(record->arrival_ps <= record->scheduled_ps && record->scheduled_ps < record->first_token_ps &&
              record->first_token_ps <= record->finish_ps);
    ck_assert_int_eq(record->output_tokens == 1, record->first_token_ps == record->finish_ps);
    ck_assert(record->itl_p99_ps <= record->itl_max_ps &&
              (record->output_tokens == 1 || record->itl_max_ps >= served_tpot_ps(record)));
    ck_assert_uint_lt(record->prefix_tokens, record->prompt_tokens);
    ck_assert_uint_le(record->swaps, record->preemptions);
    ck_assert(!s->config.reserve_output || record->preemptions == 0);
    ck_assert(record->decode_instance < s->n && (!n_prefill || record->instance < n_prefill));
    ck_assert(!n_prefill || record->output_tokens == 1 || record->decode_instance >= n_prefill ||
              record->decode_instance == record->instance);
    int meets = (!s->config.slo.ttft_ps || served_ttft_ps(record) <= s->config.slo.ttft_ps) &&
                (!s->config.slo.tpot_ps || served_tpot_ps(record) <= s->config.slo.tpot_ps);
    ck_assert_int_eq(record->meets_slo, meets);
}

static void expect_sums(const struct setting *s, const struct answers *answers, const struct serving_result *result)
{
    const struct serving_summary *sum = &result->summary;
    uint64_t computed = 0, expected = 0, made = 0, busy = 0, prefill = 0, capacity = s->capacity_tokens;
    wide_uint sojourns = 0;
    for (size_t r = 0; r < s->requests.n; r++) {
        const struct served *record = &result->record[r];
        sojourns += served_e2e_ps(record);
        made += record->output_tokens;
        expected += record->prompt_tokens + record->output_tokens - 1 + record->recomputed_tokens;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const struct serving_instance_summary *instance = &sum->instance[i];
        computed += s->toy[i].n_prefill_tokens + s->toy[i].n_decodes;
        prefill += s->toy[i].n_prefill_tokens;
        busy += instance->busy_ps;
        ck_assert_uint_le(instance->kv_peak_blocks, capacity / s->config.block_tokens);
        ck_assert_uint_le(s->toy[i].most_blocks, capacity / s->config.block_tokens);
        ck_assert_uint_le(instance->peak_batch, s->config.max_batch);
        ck_assert(s->config.batching != BATCHING_CHUNKED || s->toy[i].most_tokens <= s->config.token_budget);
        ck_assert(s->config.batching == BATCHING_CHUNKED || s->toy[i].n_mixed == 0);
        ck_assert_uint_eq(instance->n_iterations, s->toy[i].n_iterations);
    }
    ck_assert(sojourns == sum->in_system_ps);
    ck_assert_uint_eq(made, sum->output_tokens);
    if (!s->config.prefix_caching)
        ck_assert_uint_eq(computed, expected);
    else
        ck_assert_uint_le(computed, expected);
    if (s->config.sample_ps) {
        ck_assert_uint_eq(answers->sampled_tokens, made);
        ck_assert_uint_eq(answers->sampled_prefill, prefill);
        ck_assert_uint_eq(answers->sampled_busy_ps, busy);
    }
}

START_TEST(any_policy_makes_the_same_tokens)
{
    struct dice d = dice(9000 + (uint32_t)_i);
    struct setting s;
    struct answers answers;
    struct serving_result result;
    open_setting(&s, &d, 1);
    run(&s, &answers, &result);
    for (size_t r = 0; r < s.requests.n; r++) {
        expect_answer(&s, r, &answers);
        expect_record(&s, &result.record[r], r);
    }
    expect_sums(&s, &answers, &result);
    close_setting(&s, &answers);
}
END_TEST

static void expect_same(const struct served *a, const struct served *b, const char *what)
{
    ck_assert_msg(a->scheduled_ps == b->scheduled_ps && a->first_token_ps == b->first_token_ps &&
                      a->finish_ps == b->finish_ps && a->itl_max_ps == b->itl_max_ps &&
                      a->itl_p99_ps == b->itl_p99_ps && a->instance == b->instance &&
                      a->decode_instance == b->decode_instance && a->preemptions == b->preemptions &&
                      a->prefix_tokens == b->prefix_tokens && a->recomputed_tokens == b->recomputed_tokens,
                  "request %u: %s", a->request, what);
}

/* Can a run that knows lengths only schedule as one in which sequences end themselves? Not if it counts on lengths. */
static int lengths_matter(const struct setting *s)
{
    return s->toy[0].end_token && (s->config.reserve_output || s->config.router != ROUTER_ROUND_ROBIN);
}

/* Without arithmetic, and once more: the same times to the picosecond. */
START_TEST(timing_alone_and_again_is_the_same)
{
    struct answers *answers = calloc(3, sizeof *answers);
    struct setting *s = calloc(3, sizeof *s);
    struct serving_result result[3];
    for (int k = 0; k < 3; k++) {
        struct dice d = dice(9000 + (uint32_t)_i);
        open_setting(&s[k], &d, k == 0);
        if (k && lengths_matter(&s[0]))
            continue;
        for (size_t r = 0; k && r < s[k].requests.n; r++)
            s[k].requests.request[r].output_tokens = answers[0].n[r];
        run(&s[k], &answers[k], &result[k]);
        for (size_t r = 0; k && r < s[k].requests.n; r++)
            expect_same(&result[k].record[r], &result[0].record[r], k == 1 ? "timing only" : "once more");
    }
    for (int k = 0; k < 3; k++)
        close_setting(&s[k], &answers[k]);
    free(s);
    free(answers);
}
END_TEST

/* One instance that has work works: its busy time is the union of all stays. */
START_TEST(an_instance_with_work_is_not_idle)
{
    struct dice d = dice(7000 + (uint32_t)_i);
    struct setting s;
    struct answers answers;
    struct serving_result result;
    open_setting(&s, &d, 0);
    s.n = 1;
    s.config.n_prefill_instances = 0;
    run(&s, &answers, &result);
    uint64_t busy_ps = 0, until_ps = 0, idle_ps;
    for (size_t r = 0; r < s.requests.n; r++) {
        const struct served *record = &result.record[r];
        uint64_t from_ps = record->arrival_ps > until_ps ? record->arrival_ps : until_ps;
        busy_ps += record->finish_ps > from_ps ? record->finish_ps - from_ps : 0;
        until_ps = record->finish_ps > until_ps ? record->finish_ps : until_ps;
    }
    ck_assert_uint_eq(result.summary.instance[0].busy_ps, busy_ps);
    idle_ps = result.summary.end_ps - result.summary.first_arrival_ps - busy_ps;
    ck_assert(result.summary.instance[0].idle_energy_fj == (wide_uint)idle_ps * 2);
    for (size_t r = 1; r < s.requests.n; r++) /* and first come, first served */
        ck_assert_uint_ge(result.record[r].scheduled_ps, result.record[r - 1].scheduled_ps);
    close_setting(&s, &answers);
}
END_TEST

/* The cases above do meet what they are for. */
START_TEST(random_cases_meet_everything)
{
    uint64_t n_swaps = 0, n_recomputes = 0, n_hits = 0, n_evictions = 0, n_handovers = 0, n_early = 0;
    for (uint32_t i = 0; i < CASES; i++) {
        struct dice d = dice(9000 + i);
        struct setting s;
        struct answers answers;
        struct serving_result result;
        open_setting(&s, &d, 1);
        run(&s, &answers, &result);
        for (size_t r = 0; r < s.requests.n; r++) {
            n_handovers += result.record[r].instance != result.record[r].decode_instance;
            n_early += result.record[r].output_tokens < s.requests.request[r].output_tokens;
        }
        for (uint32_t k = 0; k < s.n; k++)
            n_evictions += result.summary.instance[k].n_evictions;
        n_swaps += result.summary.n_swaps;
        n_recomputes += result.summary.n_preemptions - result.summary.n_swaps;
        n_hits += result.summary.prefix_hit_tokens;
        close_setting(&s, &answers);
    }
    ck_assert_msg(n_swaps > 20 && n_recomputes > 50 && n_hits > 1000 && n_evictions > 100 && n_handovers > 500 &&
                      n_early > 100,
                  "swaps %llu, recomputes %llu, hits %llu, evictions %llu, handovers %llu, early %llu",
                  (unsigned long long)n_swaps, (unsigned long long)n_recomputes, (unsigned long long)n_hits,
                  (unsigned long long)n_evictions, (unsigned long long)n_handovers, (unsigned long long)n_early);
}
END_TEST

Suite *suite_serving_run(void)
{
    Suite *suite = suite_create("serving_run");
    TCase *tcase = tcase_create("run");
    tcase_add_loop_test(tcase, any_policy_makes_the_same_tokens, 0, CASES);
    tcase_add_loop_test(tcase, timing_alone_and_again_is_the_same, 0, CASES);
    tcase_add_loop_test(tcase, an_instance_with_work_is_not_idle, 0, 60);
    tcase_add_test(tcase, random_cases_meet_everything);
    suite_add_tcase(suite, tcase);
    return suite;
}
