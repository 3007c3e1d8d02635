/* decoder_case.h - small decoders with random weights on small machines of GPUs and HBM-PIM devices, for tests: planned
 * as for a serving job and run by the executor, in this process.
 */
#ifndef TESTS_UNIT_DECODER_CASE_H
#define TESTS_UNIT_DECODER_CASE_H

#include <math.h>
#include <string.h>

#include "config/job.h"
#include "folder.h"
#include "scheduler/decoder_plan.h"

struct decoder_case {
    struct arena *arena;
    struct job job;
    struct decoder_config config;
    struct machine machine;
    struct decoder_limits limits;
    struct decoder_plan plan;
};

enum { N_FAMILIES = 3 };

/* Like GPT-2, OPT and LLaMA (grouped queries, stretched wavelengths). */
static inline struct decoder_config small_decoder(int family, struct dice *d)
{
    static const char *const names[N_FAMILIES] = {"gpt", "opt", "llama"};
    static const enum activation acts[N_FAMILIES] = {ACT_GELU_TANH, ACT_RELU, ACT_SILU};
    int llama = family == 2;
    int64_t kv_heads = 3 + (int64_t)below(d, 4);
    struct decoder_config config = {
        .name = "small",
        .family = names[family],
        .layers = 1 + (int64_t)below(d, 4),
        .kv_heads = kv_heads,
        .heads = kv_heads * (llama ? 1 + (int64_t)below(d, 3) : 1),
        .head_width = 2 * (1 + (int64_t)below(d, 5)),
        .ffn = 5 + (int64_t)below(d, 30),
        .vocabulary = 11 + (int64_t)below(d, 40),
        .context = 64,
        .act = acts[family],
        .gated = llama,
        .rotary = llama,
        .rms_norm = llama,
        .tied = !llama,
        .biases = !llama,
        .norm_eps = 1e-5,
        .rope_theta = llama ? 100 : 0,
        .rope_factor = llama && below(d, 2) ? 4 : 0,
        .rope_low = 1,
        .rope_high = 4,
        .rope_original = 32,
    };
    config.d_model = config.heads * config.head_width;
    return config;
}

/* The weight `name`, element i: of no file, by its name alone. Gammas lie about 1. */
static inline float weight_value(const char *name, int64_t i)
{
    uint32_t place = 2166136261u;
    for (const char *c = name; *c; c++)
        place = (place ^ (uint32_t)(unsigned char)*c) * 16777619u;
    double value = 2 * rng_uniform(rng_key(3, RNG_TEST, place), 0, (uint64_t)i) - 1;
    return (float)(strstr(name, "gamma") ? 1 + 0.3 * value : 0.5 * value);
}

static inline enum status read_weight(void *state, const char *weight, int64_t first_row, int64_t n_rows,
                                      int64_t columns, float *values, struct fault *fault)
{
    (void)state;
    (void)fault;
    for (int64_t i = 0; i < n_rows * columns; i++)
        values[i] = weight_value(weight, first_row * columns + i);
    return STATUS_OK;
}

static inline void decoder_machine(struct decoder_case *c, int gpus, int pims, const char *numerics)
{
    struct fault fault = FAULT_NONE;
    const char *text = arena_printf(
        c->arena,
        "cluster:\n"
        "  name: small\n"
        "  devices:\n"
        "    - {kind: gpu, profile: a100-hbm3, count: %d}\n"
        "%s"
        "  links: {inside: nvlink3, host: pcie4, bridge: nvlink3, stack: nvlink3}\n"
        "decoder: {model: gpt-3-175b}\n"
        "serve: {requests: 1}\n"
        "placement: {numerics: %s}\n",
        gpus,
        pims ? arena_printf(c->arena, "    - {kind: hbm-pim, profile: attacc-bank, count: %d}\n", gpus * pims) : "",
        numerics);
    ck_assert_msg(job_parse(c->arena, "j.yaml", text, NULL, 0, &c->job, &fault) == STATUS_OK, "%s", fault.text);
    c->job.placement.stores_format = 1;
    ck_assert_msg(machine_open(&c->job, c->arena, &c->machine, &fault) == STATUS_OK, "%s", fault.text);
}

static inline void decoder_case_open(struct decoder_case *c, const struct decoder_config *config, int gpus, int pims,
                                     const char *numerics, const struct decoder_limits *limits)
{
    struct fault fault = FAULT_NONE;
    memset(c, 0, sizeof *c);
    c->arena = arena_new();
    c->config = *config;
    c->limits = *limits;
    decoder_machine(c, gpus, pims, numerics);
    ck_assert_msg(decoder_check(config, &fault) == STATUS_OK, "%s", fault.text);
    enum status status = decoder_plan_build(config, &c->machine, limits, c->arena, &c->plan, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
}

static inline struct executor *decoder_executor(struct decoder_case *c, struct comm *comm, int timing_only)
{
    struct fault fault = FAULT_NONE;
    struct executor *executor = NULL;
    static const struct decoder_source source = {NULL, read_weight};
    const struct executor_options options = {.timing_only = timing_only,
                                             .seed = 4,
                                             .prices = decoder_plan_prices(&c->plan),
                                             .decoder = &c->plan.config,
                                             .weights = timing_only ? NULL : &source};
    enum status status =
        executor_open(comm, &c->plan.plan, c->machine.specs, NULL, &options, &executor, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
    return executor;
}

static inline void decoder_case_close(struct decoder_case *c)
{
    arena_free(c->arena);
}

#endif
