/* Small runs worked out by hand, and what is refused. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "folder.h"
#include "serving_toy.h"

Suite *suite_serving_batching(void);

/* An iteration takes 1000 ps, 10 for each decode and 1 for each token of a prefill. */
static struct toy by_hand(void)
{
    return (struct toy){.base_ps = 1000, .decode_ps = 10, .prefill_ps = 1, .block_tokens = 4};
}

static struct serving_config small(enum batching_policy batching, uint32_t max_batch, uint32_t token_budget)
{
    struct serving_config config = serving_defaults();
    config.batching = batching;
    config.max_batch = max_batch;
    config.token_budget = token_budget;
    config.block_tokens = 4;
    config.watermark_permille = 0;
    return config;
}

static void serve(const struct serving_config *config, struct request *request, size_t n, uint64_t capacity_tokens,
                  struct arena *arena, struct serving_result *result)
{
    struct toy toy = by_hand();
    struct serving_engine engine = toy_engine(&toy, capacity_tokens);
    struct requests requests = {.path = "t", .n = n, .request = request};
    struct fault fault = FAULT_NONE;
    serving_run(config, &requests, &engine, 1, NULL, arena, result, &fault);
    expect_ok(&fault);
}

static void expect_times(const struct served *record, uint64_t scheduled_ps, uint64_t first_ps, uint64_t finish_ps)
{
    ck_assert_uint_eq(record->scheduled_ps, scheduled_ps);
    ck_assert_uint_eq(record->first_token_ps, first_ps);
    ck_assert_uint_eq(record->finish_ps, finish_ps);
}

static struct request asked(uint64_t arrival_ps, uint32_t prompt, uint32_t output)
{
    return (struct request){.arrival_ps = arrival_ps, .prompt_tokens = prompt, .output_tokens = output};
}

START_TEST(chunks_share_iterations_with_decodes)
{
    struct request request[] = {asked(0, 25, 3), asked(500, 4, 2)};
    struct serving_config config = small(BATCHING_CHUNKED, 4, 10);
    struct arena *arena = arena_new();
    struct serving_result result;
    serve(&config, request, 2, 0, arena, &result);
    /* chunks of 10, 10, then 5 and the second's 4 (1009), two decodes (1020), one (1010) */
    expect_times(&result.record[0], 0, 3029, 5059);
    expect_times(&result.record[1], 2020, 3029, 4049);
    ck_assert_uint_eq(served_queue_ps(&result.record[1]), 1520);
    ck_assert_uint_eq(served_ttft_ps(&result.record[1]), 2529);
    ck_assert_uint_eq(served_tpot_ps(&result.record[0]), 1015);
    ck_assert_uint_eq(result.record[0].itl_max_ps, 1020);
    ck_assert_uint_eq(result.record[0].itl_p99_ps, 1019);
    ck_assert_uint_eq(result.summary.n_iterations, 5);
    ck_assert_uint_eq(result.summary.itl_s.n, 3);
    ck_assert_double_eq_tol(result.summary.itl_s.mean, (1020 + 1010 + 1020) / 3e12, 1e-21);
    ck_assert_double_eq_tol(result.summary.output_tokens_per_s, 5 / 5059e-12, 1);
    arena_free(arena);
}
END_TEST

START_TEST(prompts_go_before_decodes)
{
    struct request request[] = {asked(0, 25, 3), asked(500, 4, 2)};
    struct serving_config config = small(BATCHING_PREFILL_FIRST, 4, 30);
    struct arena *arena = arena_new();
    struct serving_result result;
    serve(&config, request, 2, 0, arena, &result);
    expect_times(&result.record[0], 0, 1025, 4059);
    expect_times(&result.record[1], 1025, 2029, 3049);
    ck_assert_uint_eq(result.record[0].itl_max_ps, 2024);
    ck_assert_uint_eq(result.record[0].itl_p99_ps, 2013);
    arena_free(arena);
}
END_TEST

START_TEST(a_static_batch_ends_before_the_next)
{
    struct request request[] = {asked(0, 5, 3), asked(0, 5, 5), asked(0, 5, 1)};
    struct serving_config config = small(BATCHING_STATIC, 2, 30);
    struct arena *arena = arena_new();
    struct serving_result result;
    serve(&config, request, 3, 0, arena, &result);
    expect_times(&result.record[0], 0, 1010, 3050);
    expect_times(&result.record[1], 0, 1010, 5070);
    expect_times(&result.record[2], 5070, 6075, 6075);
    arena_free(arena);
}
END_TEST

/* Four blocks of four: the third decode finds none, and the later request gives way until the earlier has ended. */
/* Who comes during an iteration is not in the next one, which is decided already; who leaves at its end still holds a
 * place in the next. Without anybody else to run nothing is decided, and nobody waits. */
START_TEST(iterations_are_decided_ahead)
{
    struct request request[] = {asked(0, 4, 4), asked(500, 4, 2)};
    struct serving_config config = small(BATCHING_CHUNKED, 4, 10);
    config.schedule_ahead = 1;
    struct arena *arena = arena_new();
    struct serving_result result;
    serve(&config, request, 2, 0, arena, &result);
    /* prompt (1004), decode alone (1010), decode and prompt (1014), two decodes (1020) */
    expect_times(&result.record[0], 0, 1004, 4048);
    expect_times(&result.record[1], 2014, 3028, 4048);
    ck_assert_uint_eq(result.record[0].seen_ps, 0);
    ck_assert_uint_eq(result.record[1].seen_ps, 1004);
    struct request full[] = {asked(0, 4, 1), asked(0, 4, 3), asked(0, 4, 1)};
    config.max_batch = 2;
    serve(&config, full, 3, 0, arena, &result);
    /* two prompts (1008), decode alone (1010), decode and prompt (1014) */
    expect_times(&result.record[1], 0, 1008, 3032);
    expect_times(&result.record[2], 2018, 3032, 3032);
    struct request alone[] = {asked(0, 4, 1), asked(500, 4, 1)};
    serve(&config, alone, 2, 0, arena, &result);
    expect_times(&result.record[1], 1004, 2008, 2008);
    arena_free(arena);
}
END_TEST

START_TEST(preemption_takes_the_latest)
{
    struct arena *arena = arena_new();
    for (int swaps = 0; swaps < 2; swaps++) {
        struct request request[] = {asked(0, 7, 6), asked(0, 7, 6)};
        struct serving_config config = small(BATCHING_CHUNKED, 4, 100);
        struct serving_result result;
        config.preemption = swaps ? PREEMPTION_SWAP : PREEMPTION_RECOMPUTE;
        serve(&config, request, 2, 16, arena, &result);
        expect_times(&result.record[0], 0, 1014, swaps ? 6474 : 6074);
        expect_times(&result.record[1], 0, 1014, swaps ? 10914 : 10113);
        ck_assert_uint_eq(result.record[0].preemptions, 0);
        ck_assert_uint_eq(result.record[1].preemptions, 1);
        ck_assert_uint_eq(result.record[1].swaps, (unsigned)swaps);
        ck_assert_uint_eq(result.record[1].recomputed_tokens, swaps ? 0 : 8);
        ck_assert_uint_eq(result.summary.instance[0].kv_peak_blocks, 4);
        config.reserve_output = 1;
        serve(&config, request, 2, 16, arena, &result);
        ck_assert_uint_eq(result.record[1].preemptions, 0);
        ck_assert_uint_eq(result.record[1].scheduled_ps, result.record[0].finish_ps);
    }
    arena_free(arena);
}
END_TEST

/* As above with named prefixes: the first block of the one that gave way is still there when it comes back. */
START_TEST(what_is_still_cached_is_not_computed_again)
{
    uint32_t prompt[2][7] = {{1, 2, 3, 4, 5, 6, 7}, {11, 12, 13, 14, 15, 16, 17}};
    struct request request[] = {asked(0, 7, 6), asked(0, 7, 6)};
    struct serving_config config = small(BATCHING_CHUNKED, 4, 100);
    struct arena *arena = arena_new();
    struct serving_result result;
    request[0].prompt = prompt[0];
    request[1].prompt = prompt[1];
    config.prefix_caching = 1;
    serve(&config, request, 2, 16, arena, &result);
    expect_times(&result.record[0], 0, 1014, 6074);
    expect_times(&result.record[1], 0, 1014, 10109);
    ck_assert_uint_eq(result.record[1].recomputed_tokens, 4);
    ck_assert_uint_eq(result.record[1].prefix_tokens, 0);
    arena_free(arena);
}
END_TEST

/* Prompt and answer so far, 9 tokens, are more than the budget of 8: they go alone. */
START_TEST(a_recompute_longer_than_the_budget_goes_alone)
{
    struct request request[] = {asked(0, 7, 6), asked(0, 7, 6)};
    struct serving_config config = small(BATCHING_PREFILL_FIRST, 4, 8);
    struct arena *arena = arena_new();
    struct serving_result result;
    serve(&config, request, 2, 16, arena, &result);
    expect_times(&result.record[0], 0, 1007, 7074);
    expect_times(&result.record[1], 1007, 2014, 11113);
    arena_free(arena);
}
END_TEST

/* Ten blocks, three of which admission leaves free - unless nothing else runs. */
START_TEST(the_watermark_holds_admission_back)
{
    struct arena *arena = arena_new();
    for (uint32_t watermark = 0; watermark <= 300; watermark += 300) {
        struct request request[] = {asked(0, 14, 3), asked(0, 14, 3), asked(0, 35, 3)};
        struct serving_config config = small(BATCHING_CHUNKED, 4, 100);
        struct serving_result result;
        config.watermark_permille = watermark;
        serve(&config, request, 3, 40, arena, &result);
        ck_assert_uint_eq(result.record[1].scheduled_ps, watermark ? result.record[0].finish_ps : 0);
        ck_assert_uint_eq(result.record[2].scheduled_ps, result.record[1].finish_ps);
    }
    arena_free(arena);
}
END_TEST

static enum status keep_sample(void *state, const struct serving_sample *sample, struct fault *fault)
{
    struct serving_sample **next = state;
    (void)fault;
    *(*next)++ = *sample;
    return STATUS_OK;
}

/* Iterations of 1010 ps from 0 on, intervals of 1010 ps: what ends with an interval belongs to it. */
START_TEST(samples_hold_what_ends_with_them)
{
    struct request request[] = {asked(0, 10, 3), asked(500, 9, 1)};
    struct toy toy = by_hand();
    struct serving_engine engine = toy_engine(&toy, 100);
    struct requests requests = {.path = "t", .n = 2, .request = request};
    struct serving_config config = small(BATCHING_PREFILL_FIRST, 1, 100);
    struct serving_sample sample[8], *next = sample;
    struct serving_sink sink = {.state = &next, .sample = keep_sample};
    struct arena *arena = arena_new();
    struct serving_result result;
    struct fault fault = FAULT_NONE;
    config.sample_ps = 1010;
    serving_run(&config, &requests, &engine, 1, &sink, arena, &result, &fault);
    expect_ok(&fault);
    ck_assert_int_eq(next - sample, 4); /* three of 1010 and the second prefill, 1009 */
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(sample[i].output_tokens, 1);
        ck_assert_uint_eq(sample[i].prefill_tokens, i == 0 ? 10 : i == 3 ? 9 : 0);
        ck_assert_uint_eq(sample[i].busy_ps, i == 3 ? 1009 : 1010);
        ck_assert_double_eq_tol(sample[i].running, 1, 1e-12);
        ck_assert_double_eq_tol(sample[i].waiting, i == 0 ? 510 / 1010.0 : i < 3, 1e-12);
        ck_assert_double_eq_tol(sample[i].kv_tokens, 12, 1e-12);
        ck_assert_double_eq_tol(sample[i].kv_share, 0.12, 1e-12);
    }
    arena_free(arena);
}
END_TEST

START_TEST(a_shared_prompt_is_computed_once)
{
    uint32_t prompt[64];
    for (uint32_t i = 0; i < 64; i++)
        prompt[i] = 1 + i;
    struct request request[] = {asked(0, 64, 2), asked(1000000, 64, 2), asked(2000000, 30, 1)};
    request[0].prompt = request[1].prompt = request[2].prompt = prompt;
    struct serving_config config = small(BATCHING_CHUNKED, 4, 100);
    config.prefix_caching = 1;
    config.block_tokens = 16;
    struct arena *arena = arena_new();
    struct serving_result result;
    serve(&config, request, 3, 0, arena, &result);
    ck_assert_uint_eq(result.record[0].prefix_tokens, 0);
    ck_assert_uint_eq(result.record[1].prefix_tokens, 48); /* the last token is computed in any case */
    ck_assert_uint_eq(result.record[2].prefix_tokens, 16);
    ck_assert_uint_eq(served_ttft_ps(&result.record[1]), 1016);
    ck_assert_uint_eq(result.summary.prefix_queried_tokens, 158);
    ck_assert_uint_eq(result.summary.prefix_hit_tokens, 64);
    arena_free(arena);
}
END_TEST

START_TEST(routers_share_out)
{
    /* The first is long: its instance is the more loaded one for all that follow. */
    struct request request[] = {asked(0, 1000, 100), asked(1, 10, 5), asked(2, 10, 5), asked(3, 10, 5)};
    static const uint32_t expected[2][4] = {{0, 1, 0, 1}, {0, 1, 1, 1}};
    struct arena *arena = arena_new();
    for (int p = 0; p < 2; p++) {
        struct toy toy[2] = {by_hand(), by_hand()};
        struct serving_engine engine[2] = {toy_engine(&toy[0], 0), toy_engine(&toy[1], 0)};
        struct requests requests = {.path = "t", .n = 4, .request = request};
        struct serving_config config = small(BATCHING_CHUNKED, 4, 2000);
        struct serving_result result;
        struct fault fault = FAULT_NONE;
        config.router = p ? ROUTER_LEAST_LOADED : ROUTER_ROUND_ROBIN;
        serving_run(&config, &requests, engine, 2, NULL, arena, &result, &fault);
        expect_ok(&fault);
        for (int r = 0; r < 4; r++)
            ck_assert_uint_eq(result.record[r].instance, expected[p][r]);
    }
    arena_free(arena);
}
END_TEST

/* Two families of prompts, two instances: each family goes where its prompt lies, once it lies somewhere. */
START_TEST(a_router_that_knows_prefixes_keeps_families_together)
{
    uint32_t family[2][80];
    struct request request[40];
    struct toy toy[2] = {by_hand(), by_hand()};
    struct serving_engine engine[2] = {toy_engine(&toy[0], 0), toy_engine(&toy[1], 0)};
    struct requests requests = {.path = "t", .n = 40, .request = request};
    struct serving_config config = small(BATCHING_CHUNKED, 4, 2000);
    struct arena *arena = arena_new();
    struct serving_result result;
    struct fault fault = FAULT_NONE;
    struct dice d = dice(6);
    for (uint32_t i = 0; i < 80; i++)
        family[0][i] = 1 + i, family[1][i] = 200 + i;
    for (uint32_t r = 0; r < 40; r++) {
        request[r] = asked(r * UINT64_C(3000), 80, 1 + (uint32_t)below(&d, 3));
        request[r].prompt = family[r < 2 ? r : below(&d, 2)];
    }
    config.router = ROUTER_PREFIX;
    config.prefix_caching = 1;
    request[0].output_tokens = 4; /* still there when the second comes */
    request[1].arrival_ps = 10;
    serving_run(&config, &requests, engine, 2, NULL, arena, &result, &fault);
    expect_ok(&fault);
    for (int r = 0; r < 40; r++) {
        ck_assert_uint_eq(result.record[r].instance, request[r].prompt == family[1]);
        ck_assert_uint_eq(result.record[r].prefix_tokens, r < 2 ? 0 : 76);
    }
    arena_free(arena);
}
END_TEST

/* The KV of one prefill comes over while the next one is computed; ports take one at a time. */
START_TEST(a_split_hands_kv_over)
{
    struct request request[] = {asked(0, 20, 3), asked(0, 20, 1), asked(0, 20, 2)};
    struct toy toy[2] = {by_hand(), by_hand()};
    struct serving_engine engine[2] = {toy_engine(&toy[0], 0), toy_engine(&toy[1], 0)};
    struct requests requests = {.path = "t", .n = 3, .request = request};
    struct serving_config config = small(BATCHING_CHUNKED, 4, 100);
    struct arena *arena = arena_new();
    struct serving_result result;
    struct fault fault = FAULT_NONE;
    config.n_prefill_instances = 1;
    serving_run(&config, &requests, engine, 2, NULL, arena, &result, &fault);
    expect_ok(&fault);
    /* prefill of 60 tokens ends at 1060; 20 tokens take 1000 ps: 2060 and, after it, 3060 */
    expect_times(&result.record[0], 0, 1060, 4090);
    expect_times(&result.record[1], 0, 1060, 1060);
    expect_times(&result.record[2], 0, 1060, 4090);
    ck_assert_uint_eq(result.record[0].itl_max_ps, 3070 - 1060);
    ck_assert_uint_eq(result.record[0].decode_instance, 1);
    ck_assert_uint_eq(result.record[1].decode_instance, 0);
    ck_assert(result.summary.instance[1].energy_fj[ENERGY_LINK] == 40);
    arena_free(arena);
}
END_TEST

/* One prefill instance feeds two, or two feed one: two requests' KV of 20 tokens (1000 ps) goes one after the other. */
START_TEST(ports_take_one_transfer_at_a_time)
{
    struct arena *arena = arena_new();
    for (uint32_t n_prefill = 1; n_prefill <= 2; n_prefill++) {
        struct request request[] = {asked(0, 20, 2), asked(0, 20, 2)};
        struct toy toy[3] = {by_hand(), by_hand(), by_hand()};
        struct serving_engine engine[3] = {toy_engine(&toy[0], 0), toy_engine(&toy[1], 0), toy_engine(&toy[2], 0)};
        struct requests requests = {.path = "t", .n = 2, .request = request};
        struct serving_config config = small(BATCHING_CHUNKED, 4, 100);
        struct serving_result result;
        struct fault fault = FAULT_NONE;
        config.n_prefill_instances = n_prefill;
        serving_run(&config, &requests, engine, 3, NULL, arena, &result, &fault);
        expect_ok(&fault);
        uint64_t first_ps = n_prefill == 1 ? 1040 : 1020;
        expect_times(&result.record[0], 0, first_ps, first_ps + 1000 + 1010);
        /* The second has an instance of its own, or joins when the first has ended: 10 ps after it came. */
        expect_times(&result.record[1], 0, first_ps, first_ps + 2000 + 1010 + (n_prefill == 1 ? 0 : 10));
    }
    arena_free(arena);
}
END_TEST

/* Both instances are idle; the third request fits neither beside what they take first, and waits for whoever is done.
 */
START_TEST(a_central_queue_keeps_what_nobody_can_take)
{
    struct request request[] = {asked(0, 12, 2), asked(0, 9, 4), asked(0, 5, 1)};
    struct toy toy[2] = {by_hand(), by_hand()};
    struct serving_engine engine[2] = {toy_engine(&toy[0], 16), toy_engine(&toy[1], 16)};
    struct requests requests = {.path = "t", .n = 3, .request = request};
    struct serving_config config = small(BATCHING_CHUNKED, 4, 100);
    struct arena *arena = arena_new();
    struct serving_result result;
    struct fault fault = FAULT_NONE;
    config.router = ROUTER_CENTRAL;
    serving_run(&config, &requests, engine, 2, NULL, arena, &result, &fault);
    expect_ok(&fault);
    expect_times(&result.record[0], 0, 1012, 2022);
    expect_times(&result.record[1], 0, 1009, 4039);
    expect_times(&result.record[2], 2022, 3027, 3027);
    ck_assert_uint_eq(result.record[2].instance, 0);
    ck_assert_uint_eq(result.summary.tpot_s.n, 2); /* an answer of one token has none */
    arena_free(arena);
}
END_TEST

/* The decode instance has four blocks: the second request gives way to the first, and the third, though it would fit,
 * does not come over before the second is back. */
START_TEST(who_was_preempted_goes_before_handovers)
{
    struct request request[] = {asked(0, 7, 6), asked(0, 7, 6), asked(3000, 3, 2)};
    struct toy toy[2] = {by_hand(), by_hand()};
    struct serving_engine engine[2] = {toy_engine(&toy[0], 0), toy_engine(&toy[1], 16)};
    struct requests requests = {.path = "t", .n = 3, .request = request};
    struct serving_config config = small(BATCHING_CHUNKED, 4, 100);
    struct arena *arena = arena_new();
    struct serving_result result;
    struct fault fault = FAULT_NONE;
    config.n_prefill_instances = 1;
    serving_run(&config, &requests, engine, 2, NULL, arena, &result, &fault);
    expect_ok(&fault);
    /* KV of 7 tokens takes 350 ps: the first decodes from 1364 on, the second is there at 1714 and out at 2374 */
    expect_times(&result.record[0], 0, 1014, 6414);
    ck_assert_uint_eq(result.record[1].preemptions, 1);
    ck_assert_uint_eq(result.record[1].recomputed_tokens, 7);
    /* back at 6414 with a prefill of 8 tokens; meanwhile the third comes over, and decodes once */
    expect_times(&result.record[2], 3000, 4003, 7422 + 1020);
    arena_free(arena);
}
END_TEST

/* ---- refusals ---- */

struct refusal {
    struct serving_config config;
    struct serving_engine engine;
    uint32_t prompt;
};

static const char *text_of(int i, struct refusal *r)
{
    struct serving_config *config = &r->config;
    switch (i) {
    case 0:
        config->max_batch = 0;
        return "max_batch: expected 1 to 1000000 sequences, found 0";
    case 1:
        config->token_budget = 3;
        return "token_budget: 4 sequences may decode at a time, one token each; the budget has 3; shortest fix: "
               "token_budget 4, or max_batch 3";
    case 2:
        config->block_tokens = 0;
        return "block_tokens: expected 1 to 1048576 tokens, found 0";
    case 3:
        config->n_prefill_instances = 1;
        return "prefill instances: 1 of 1 leave none for decodes; shortest fix: at most 0";
    case 4:
        r->engine.kv_block_tokens = 3;
        return "block_tokens: instance 0 has pages of 3 tokens: expected a multiple, found 4";
    case 5:
        r->engine.kv_capacity_tokens = 3;
        return "instance 0 has room for 3 tokens of KV, less than a block of 4";
    case 6:
        r->engine.swap = NULL;
        config->preemption = PREEMPTION_SWAP;
        return "preemption: instance 0 cannot swap KV to the host; shortest fix: preemption recompute";
    case 7:
        r->engine.kv_capacity_tokens = 27;
        return "t:7: needs KV for 25 tokens (7 blocks of 4), instance 0 has room for 24 (6 blocks); shortest fix: "
               "leave "
               "out requests of more than 24 tokens";
    case 8:
        r->engine.context_tokens = 25;
        return "t:7: needs a context of 26 tokens (prompt 20, answer 6), the model has 25; shortest fix: leave out "
               "requests of more than 25 tokens";
    case 9:
        config->batching = BATCHING_PREFILL_FIRST;
        config->token_budget = 19;
        return "t:7: needs an iteration of 20 tokens for its prompt, token_budget has 19; shortest fix: token_budget "
               "20, or batching chunked";
    case 10:
        r->engine.tokens = toy_tokens;
        return "t:7: has no prompt, only its length: run timing-only";
    case 11:
        r->prompt = 0;
        return "t:7: expected a prompt and an answer of at least 1 token";
    case 12:
        config->watermark_permille = 1000;
        return "watermark: expected less than 1000 of 1000 blocks, found 1000";
    case 13:
        config->router = ROUTER_PREFIX;
        return "router prefix needs prefix caching; shortest fix: router least-loaded";
    default:
        return NULL;
    }
}

enum { REFUSALS = 14 };

START_TEST(what_cannot_be_served_is_refused_before_the_run)
{
    struct toy toy = by_hand();
    struct refusal r = {small(BATCHING_CHUNKED, 4, 100), toy_engine(&toy, 28), 20};
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct serving_result result;
    struct request request = {.prompt_tokens = 20, .output_tokens = 6, .line = 7};
    struct requests requests = {.path = "t", .n = 1, .request = &request};
    serving_run(&r.config, &requests, &r.engine, 1, NULL, arena, &result, &fault);
    expect_ok(&fault); /* as it is, it can be served */
    const char *message = text_of(_i, &r);
    request.prompt_tokens = r.prompt;
    ck_assert_int_eq(serving_run(&r.config, &requests, &r.engine, 1, NULL, arena, &result, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, message);
    arena_free(arena);
}
END_TEST

static enum status costs_nothing(void *state, const struct serving_iteration *iteration, struct serving_cost *cost,
                                 struct fault *fault)
{
    (void)iteration;
    (void)fault;
    cost->time_ps = *(const uint64_t *)state;
    return STATUS_OK;
}

START_TEST(engines_that_fail_or_cost_nothing_end_the_run)
{
    struct toy toy = by_hand();
    struct serving_engine engine = toy_engine(&toy, 0);
    struct request request[] = {asked(0, 5, 9), asked(0, 5, 9)};
    struct requests requests = {.path = "t", .n = 2, .request = request};
    struct serving_config config = small(BATCHING_CHUNKED, 4, 100);
    struct arena *arena = arena_new();
    struct serving_result result;
    struct fault fault = FAULT_NONE;
    toy.refuses_at = 4;
    ck_assert_int_eq(serving_run(&config, &requests, &engine, 1, NULL, arena, &result, &fault), STATUS_DEVICE);
    ck_assert_str_eq(fault.text, "the toy is broken");
    for (uint64_t time_ps = 0; time_ps < 2; time_ps++) {
        fault = FAULT_NONE;
        engine = (struct serving_engine){.iterate = costs_nothing, .state = &time_ps};
        ck_assert_int_eq(serving_run(&config, &requests, &engine, 1, NULL, arena, &result, &fault), STATUS_FAILED);
        ck_assert_str_eq(fault.text, time_ps ? "instance 0: the engine takes no energy for an iteration of 2 sequences"
                                             : "instance 0: the engine takes no time for an iteration of 2 sequences");
    }
    arena_free(arena);
}
END_TEST

Suite *suite_serving_batching(void)
{
    Suite *suite = suite_create("serving_batching");
    TCase *tcase = tcase_create("batching");
    tcase_add_test(tcase, chunks_share_iterations_with_decodes);
    tcase_add_test(tcase, prompts_go_before_decodes);
    tcase_add_test(tcase, a_static_batch_ends_before_the_next);
    tcase_add_test(tcase, iterations_are_decided_ahead);
    tcase_add_test(tcase, preemption_takes_the_latest);
    tcase_add_test(tcase, what_is_still_cached_is_not_computed_again);
    tcase_add_test(tcase, a_recompute_longer_than_the_budget_goes_alone);
    tcase_add_test(tcase, the_watermark_holds_admission_back);
    tcase_add_test(tcase, samples_hold_what_ends_with_them);
    tcase_add_test(tcase, a_shared_prompt_is_computed_once);
    tcase_add_test(tcase, routers_share_out);
    tcase_add_test(tcase, a_router_that_knows_prefixes_keeps_families_together);
    tcase_add_test(tcase, a_split_hands_kv_over);
    tcase_add_test(tcase, ports_take_one_transfer_at_a_time);
    tcase_add_test(tcase, a_central_queue_keeps_what_nobody_can_take);
    tcase_add_test(tcase, who_was_preempted_goes_before_handovers);
    tcase_add_loop_test(tcase, what_cannot_be_served_is_refused_before_the_run, 0, REFUSALS);
    tcase_add_test(tcase, engines_that_fail_or_cost_nothing_end_the_run);
    suite_add_tcase(suite, tcase);
    return suite;
}
