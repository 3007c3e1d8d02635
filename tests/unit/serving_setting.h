/* serving_setting.h - random machines with random requests and policies, for tests of serving. */
#ifndef TESTS_SERVING_SETTING_H
#define TESTS_SERVING_SETTING_H

#include "serving_toy.h"

enum { MOST_INSTANCES = 5 };

/* A random machine and its requests. */
struct setting {
    struct arena *arena;
    struct serving_config config;
    struct requests requests;
    uint32_t n;
    uint64_t capacity_tokens;
    struct toy toy[MOST_INSTANCES];
    struct serving_engine engine[MOST_INSTANCES];
};

static inline void random_config(struct setting *s, struct dice *d)
{
    static const uint32_t blocks[] = {1, 4, 16, 32};
    s->config = serving_defaults();
    s->config.batching = (enum batching_policy)below(d, 3);
    s->config.max_batch = 1 + (uint32_t)below(d, 24);
    s->config.token_budget = 128 + (uint32_t)below(d, 500);
    s->config.block_tokens = blocks[below(d, 4)];
    s->config.prefix_caching = (int)below(d, 2);
    s->config.reserve_output = below(d, 4) == 0;
    s->config.watermark_permille = (uint32_t)below(d, 100);
    s->config.schedule_ahead = (int)(s->config.watermark_permille % 2);
    s->config.preemption = (enum preemption_policy)below(d, 2);
    s->config.router = (enum router_policy)below(d, s->config.prefix_caching ? 4 : 3);
    s->config.slo = (struct serving_slo){.ttft_ps = below(d, 2) * 20000000, .tpot_ps = below(d, 2) * 3000000};
    s->n = 1 + (uint32_t)below(d, MOST_INSTANCES);
    s->config.n_prefill_instances = s->n > 1 && below(d, 2) ? 1 + (uint32_t)below(d, s->n - 1) : 0;
    s->config.sample_ps = below(d, 2) ? 1 + below(d, 50000000) : 0;
}

static inline void open_setting(struct setting *s, struct dice *d, int functional)
{
    struct fault fault = FAULT_NONE;
    *s = (struct setting){.arena = arena_new()};
    random_config(s, d);
    struct arrivals arrivals = {.n = 1 + below(d, 120),
                                .seed = d->n,
                                .process = (enum arrival_process)below(d, 4),
                                .rate_per_s = 1000 * (1 + (double)below(d, 300)),
                                .cv = 2,
                                .lengths = LENGTHS_UNIFORM,
                                .least_prompt_tokens = 1,
                                .most_prompt_tokens = 1 + (uint32_t)below(d, 120),
                                .least_output_tokens = 1,
                                .most_output_tokens = 1 + (uint32_t)below(d, 60)};
    arrivals_make(&arrivals, s->arena, &s->requests, &fault);
    expect_ok(&fault);
    toy_prompts(&s->requests, d, s->arena);
    s->capacity_tokens = 224 + below(d, 2) * below(d, 1500);
    uint32_t end_token = below(d, 2) ? 5 : 0;
    for (uint32_t i = 0; i < s->n; i++) {
        s->toy[i] = functional ? toy_functional(s->config.block_tokens, s->arena) : toy_usual();
        s->toy[i].all = s->toy;
        s->toy[i].end_token = end_token;
        s->engine[i] = toy_engine(&s->toy[i], s->capacity_tokens);
    }
}

#endif
