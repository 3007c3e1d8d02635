/* Devices that hold the KV cache and share the feed-forward: whatever the share and the kind, the same logits; work in
 * iterations without prompts only; timing-only equals functional; what copies take is counted. And the cost of products
 * of vectors with weights in HBM-PIM. */
#include <math.h>
#include <string.h>

#include "config/job.h"
#include "device/catalogue.h"
#include "device/hbm_pim_gemv.h"
#include "folder.h"
#include "scheduler/decoder_plan.h"

Suite *suite_ff_share(void);

enum { N_FAMILIES = 3, VOCABULARY = 23, MOST_SEQUENCES = 3, STEPS = 4, BLOCK = 4, CONTEXT = 32 };

/* Like GPT-2, OPT and LLaMA: biases and GELU, ReLU, a gate. */
static struct decoder_config small_decoder(int family)
{
    static const char *const names[N_FAMILIES] = {"gpt", "opt", "llama"};
    static const enum activation acts[N_FAMILIES] = {ACT_GELU_TANH, ACT_RELU, ACT_SILU};
    int llama = family == 2;
    return (struct decoder_config){.name = "small",
                                   .family = names[family],
                                   .layers = 3,
                                   .d_model = 24,
                                   .heads = llama ? 6 : 3,
                                   .kv_heads = 3,
                                   .head_width = llama ? 4 : 8,
                                   .ffn = 37,
                                   .vocabulary = VOCABULARY,
                                   .context = CONTEXT,
                                   .act = acts[family],
                                   .gated = llama,
                                   .rotary = llama,
                                   .rms_norm = llama,
                                   .tied = !llama,
                                   .biases = !llama,
                                   .norm_eps = 1e-5,
                                   .rope_theta = llama ? 100 : 0};
}

/* A weight by its name alone, about as large as trained ones. */
static enum status read_weight(void *state, const char *weight, int64_t first_row, int64_t n_rows, int64_t columns,
                               float *values, struct fault *fault)
{
    uint32_t place = 2166136261u;
    (void)state;
    (void)fault;
    for (const char *c = weight; *c; c++)
        place = (place ^ (uint32_t)(unsigned char)*c) * 16777619u;
    for (int64_t i = 0; i < n_rows * columns; i++) {
        double value = 2 * rng_uniform(rng_key(5, RNG_TEST, place), 0, (uint64_t)(first_row * columns + i)) - 1;
        values[i] = (float)(strstr(weight, "gamma") ? 1 + 0.3 * value : 0.5 * value);
    }
    return STATUS_OK;
}

struct setting {
    struct arena *arena;
    struct job job;
    struct machine machine;
    struct decoder_config config;
    struct decoder_limits limits;
    struct decoder_plan plan;
    enum status status;
    struct fault fault;
};

/* `holders`: of the cache; n_holders in all. */
static void setting_open_mix(struct setting *s, int family, int gpus, const char *holders, int n_holders,
                             double ff_share, int64_t prompt, int64_t answer)
{
    memset(s, 0, sizeof *s);
    s->arena = arena_new();
    s->config = small_decoder(family);
    const char *text =
        arena_printf(s->arena,
                     "cluster:\n  name: c\n  devices:\n    - {kind: gpu, profile: a100-hbm3, count: %d}\n%s"
                     "  links: {inside: nvlink3, host: pcie4, bridge: nvlink3, stack: nvlink3}\n"
                     "decoder: {model: gpt-3-175b}\nserve: {requests: 1}\n",
                     gpus, n_holders ? arena_printf(s->arena, "    - {%s, count: %d}\n", holders, n_holders) : "");
    ck_assert_msg(job_parse(s->arena, "j.yaml", text, NULL, 0, &s->job, &s->fault) == STATUS_OK, "%s", s->fault.text);
    s->job.placement.stores_format = 1;
    ck_assert_msg(machine_open(&s->job, s->arena, &s->machine, &s->fault) == STATUS_OK, "%s", s->fault.text);
    const struct decoder_limits limits = {.max_tokens = 24,
                                          .max_sequences = MOST_SEQUENCES,
                                          .block_tokens = BLOCK,
                                          .n_blocks = MOST_SEQUENCES * CONTEXT / BLOCK,
                                          .head_chunks = 1,
                                          .partition = "hybrid",
                                          .ff_share = ff_share,
                                          .typical_context = CONTEXT / 2,
                                          .typical_prompt = prompt,
                                          .typical_answer = answer};
    s->limits = limits;
    s->status = decoder_plan_build(&s->config, &s->machine, &limits, s->arena, &s->plan, &s->fault);
}

static void setting_open(struct setting *s, int family, int gpus, const char *holders, int n_holders, double ff_share)
{
    setting_open_mix(s, family, gpus, holders, n_holders, ff_share, 0, 0);
}

static void setting_close(struct setting *s)
{
    arena_free(s->arena);
}

/* What iterations gave: three sequences prefill, decode, and one more prefills while the others decode. */
struct course {
    float logits[STEPS][MOST_SEQUENCES * VOCABULARY];
    uint64_t end_ps[STEPS], energy_fj[STEPS], gpu_ps[STEPS], pim_ps[STEPS];
};

/* Step 0: sequences 0 and 1 prefill. 1, 2: they decode. 3: they decode, sequence 2 prefills. */
static struct batch batch_of(int step, struct batch_part *parts, uint32_t *ids, uint32_t *blocks)
{
    static const int64_t prompt[] = {5, 9, 4};
    struct batch batch = {.parts = parts, .ids = ids};
    for (int s = 0; s < (step == 3 ? 3 : 2); s++) {
        int prefills = step == 0 || s == 2;
        for (uint32_t b = 0; b < CONTEXT / BLOCK; b++)
            blocks[s * (CONTEXT / BLOCK) + (int)b] = (uint32_t)s * (CONTEXT / BLOCK) + b;
        parts[s] = (struct batch_part){.context = prefills ? 0 : prompt[s] + step - 1,
                                       .tokens = prefills ? (int32_t)prompt[s] : 1,
                                       .is_answer = 1,
                                       .request = (uint32_t)s,
                                       .top_p = 1,
                                       .block = blocks + s * (CONTEXT / BLOCK)};
        for (int32_t t = 0; t < parts[s].tokens; t++)
            ids[batch.n_tokens + t] = (uint32_t)(7 * step + 3 * s + 5 * t) % VOCABULARY;
        batch.n_tokens += parts[s].tokens;
        batch.n_cached_tokens += prefills ? 0 : parts[s].tokens;
        batch.n_cached += !prefills;
        batch.n_parts++;
        batch.n_answers++;
    }
    return batch;
}

static void run(struct setting *s, int timing_only, struct course *course)
{
    static const struct decoder_source source = {NULL, read_weight};
    const struct executor_options options = {.timing_only = timing_only,
                                             .seed = 4,
                                             .prices = decoder_plan_prices(&s->plan),
                                             .decoder = &s->plan.config,
                                             .weights = timing_only ? NULL : &source};
    struct comm *alone = comm_alone();
    struct executor *executor = NULL;
    uint64_t busy_ps[8];
    memset(course, 0, sizeof *course);
    ck_assert_msg(executor_open(alone, &s->plan.plan, s->machine.specs, NULL, &options, &executor, &s->fault) ==
                      STATUS_OK,
                  "%s", s->fault.text);
    for (int step = 0; step < STEPS; step++) {
        struct batch_part parts[MOST_SEQUENCES];
        uint32_t ids[32], blocks[MOST_SEQUENCES * CONTEXT / BLOCK], next[MOST_SEQUENCES];
        const struct batch batch = batch_of(step, parts, ids, blocks);
        struct batch own = batch;
        if (!s->plan.layout.pims_per_gpu) { /* all to the cache */
            own.n_cached = own.n_parts;
            own.n_cached_tokens = own.n_tokens;
        }
        const struct iteration iteration = {
            .batch = &own, .number = (uint32_t)step + 1, .logits = timing_only ? NULL : course->logits[step]};
        struct iteration_cost cost = {.busy_ps = busy_ps};
        struct step_result result;
        ck_assert_int_eq(executor_iterate(executor, &iteration, next, &cost, &result, &s->fault), STATUS_OK);
        course->end_ps[step] = result.end_ps;
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            course->energy_fj[step] += cost.energy_fj[p];
        for (int d = 0; d < s->machine.n_devices; d++)
            *(d < s->plan.n_gpus ? &course->gpu_ps[step] : &course->pim_ps[step]) += busy_ps[d];
    }
    executor_close(executor);
    comm_close(alone, 0);
}

static double largest_difference(const struct course *a, const struct course *b)
{
    double most = 0;
    for (int step = 0; step < STEPS; step++)
        for (int i = 0; i < (step == 3 ? 3 : 2) * VOCABULARY; i++)
            most = fmax(most, fabs((double)a->logits[step][i] - (double)b->logits[step][i]));
    return most;
}

static double scale(const struct course *a)
{
    double most = 0;
    for (int i = 0; i < 2 * VOCABULARY; i++)
        most = fmax(most, fabs((double)a->logits[1][i]));
    return most;
}

static void check_times(struct setting *s, const struct course *functional)
{
    struct course timing;
    run(s, 1, &timing);
    ck_assert_mem_eq(timing.end_ps, functional->end_ps, sizeof timing.end_ps);
    ck_assert_mem_eq(timing.energy_fj, functional->energy_fj, sizeof timing.energy_fj);
    for (int step = 1; step < STEPS; step++)
        ck_assert_uint_gt(timing.end_ps[step], timing.end_ps[step - 1]);
}

static const char pim[] = "kind: hbm-pim, profile: attacc-bank", cpu[] = "kind: cpu, profile: dgx-host-share";

START_TEST(logits_do_not_depend_on_who_computes)
{
    int family = _i % N_FAMILIES, gpus = 1 + _i / N_FAMILIES;
    struct setting s;
    struct course alone, apart, shared;
    setting_open(&s, family, gpus, pim, 0, 0);
    run(&s, 0, &alone);
    setting_close(&s);
    ck_assert_double_gt(scale(&alone), 0.1);
    for (int n = 1; n <= 3; n++) {
        setting_open(&s, family, gpus, cpu, n * gpus, 0);
        ck_assert_msg(s.status == STATUS_OK, "%s", s.fault.text);
        run(&s, 0, &apart);
        ck_assert_double_le(largest_difference(&alone, &apart), 1e-5 * scale(&alone));
        check_times(&s, &apart);
        setting_close(&s);
        setting_open(&s, family, gpus, pim, n * gpus, 0);
        run(&s, 0, &apart);
        setting_close(&s);
        for (int share = 1; share <= 9; share += 4) {
            setting_open(&s, family, gpus, pim, n * gpus, share / 10.0);
            ck_assert_msg(s.status == STATUS_OK, "%s", s.fault.text);
            run(&s, 0, &shared);
            ck_assert_double_le(largest_difference(&alone, &shared), 1e-5 * scale(&alone));
            check_times(&s, &shared);
            /* Prompts: nothing of the feed-forward is in the PIM devices. */
            ck_assert_uint_eq(shared.pim_ps[0], apart.pim_ps[0]);
            ck_assert_uint_eq(shared.pim_ps[3], apart.pim_ps[3]);
            ck_assert_uint_gt(shared.pim_ps[1], apart.pim_ps[1]);
            ck_assert_uint_gt(shared.gpu_ps[0], apart.gpu_ps[0]);
            setting_close(&s);
        }
    }
}
END_TEST

static int64_t inner_width(const struct slot *slot)
{
    return strncmp(slot->name, "layers.ffn.up.weight", 20) == 0 ? slot->dims[0] : 0;
}

START_TEST(places_are_dealt_and_counted)
{
    struct dice d = dice(3);
    for (int i = 0; i < 40; i++) {
        int family = (int)below(&d, 3), gpus = 1 + (int)below(&d, 3), pims = 1 + (int)below(&d, 3);
        double share = (1 + (double)below(&d, 90)) / 100;
        struct setting s, without;
        setting_open(&s, family, gpus, pim, pims * gpus, share);
        setting_open(&without, family, gpus, pim, pims * gpus, 0);
        ck_assert_msg(s.status == STATUS_OK, "%s", s.fault.text);
        int64_t of_gpus = 0, of_pims = 0;
        for (int dev = 0; dev < s.machine.n_devices; dev++) {
            const struct program *program = &s.plan.plan.programs[PROGRAM_ITERATE][dev];
            int64_t width = 0;
            for (int t = 0; t < program->n_slots; t++)
                width += inner_width(&program->slots[t]);
            *(dev < gpus ? &of_gpus : &of_pims) += width;
            if (dev < gpus)
                continue;
            ck_assert_int_ge(width, 1);
            ck_assert_uint_ge(s.plan.need[dev].weight_bytes, (uint64_t)(width * 24 * 2 * 4 * 3));
            ck_assert_uint_eq(without.plan.need[dev].weight_bytes, 0);
        }
        ck_assert_int_eq(of_gpus, 37);
        ck_assert_int_eq(of_pims, gpus * s.plan.layout.ff_columns);
        ck_assert_double_le(fabs(s.plan.ff_share - share) * (37 / gpus), pims > share * (37 / gpus) ? pims : 1);
        ck_assert_uint_le(s.plan.kv_capacity_tokens, without.plan.kv_capacity_tokens);
        setting_close(&s);
        setting_close(&without);
    }
}
END_TEST

START_TEST(shares_that_cannot_be_are_refused)
{
    struct setting s;
    setting_open(&s, 0, 1, pim, 0, 0.5);
    ck_assert_int_eq(s.status, STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(s.fault.text, "serve.ff_share: expected 0 without hbm-pim devices"));
    setting_close(&s);
    setting_open(&s, 0, 1, cpu, 1, FF_SHARE_AUTO);
    ck_assert_int_eq(s.status, STATUS_USAGE);
    setting_close(&s);
    setting_open(&s, 0, 2, cpu, 3, 0);
    ck_assert_int_eq(s.status, STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(s.fault.text, "as many cpu devices at each GPU, a multiple of 2, found 3"));
    setting_close(&s);
    setting_open(&s, 0, 1, "kind: cpu, profile: dgx-host}\n    - {kind: hbm-pim, profile: attacc-bank", 1, 0);
    ck_assert_int_eq(s.status, STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(s.fault.text, "expected one kind of devices to hold the KV cache"));
    setting_close(&s);
}
END_TEST

/* No share of the hundredths is faster than the one chosen, among those looked at. */
START_TEST(the_chosen_share_takes_least_time)
{
    struct setting s, other;
    uint64_t chosen_ps, ps;
    double energy_j;
    const struct decoder_iteration typical = {MOST_SEQUENCES, CONTEXT / 2, 0, 0};
    setting_open(&s, 0, 1, pim, 1, FF_SHARE_AUTO);
    ck_assert_msg(s.status == STATUS_OK, "%s", s.fault.text);
    ck_assert_int_eq(decoder_plan_price(&s.plan, &typical, &chosen_ps, &energy_j, &s.fault), STATUS_OK);
    for (int share = 0; share <= 90; share += 5) {
        setting_open(&other, 0, 1, pim, 1, share / 100.0);
        ck_assert_int_eq(decoder_plan_price(&other.plan, &typical, &ps, &energy_j, &other.fault), STATUS_OK);
        ck_assert_uint_ge(ps, chosen_ps);
        setting_close(&other);
    }
    setting_close(&s);
}
END_TEST

/* With prompts too: no share of those looked at first makes more tokens a second; many prompts leave less to gain. */
START_TEST(the_chosen_share_has_the_highest_rate)
{
    static const int64_t answers[] = {1, 3, 8, 100};
    int64_t answer = answers[_i];
    struct setting s, other;
    double chosen, rate;
    setting_open_mix(&s, 2, 1, pim, 1, FF_SHARE_AUTO, 9, answer);
    ck_assert_msg(s.status == STATUS_OK, "%s", s.fault.text);
    ck_assert_int_eq(decoder_plan_rate(&s.plan, &s.limits, &chosen, &s.fault), STATUS_OK);
    for (int share = 0; share <= 90; share += 5) {
        setting_open_mix(&other, 2, 1, pim, 1, share / 100.0, 9, answer);
        ck_assert_int_eq(decoder_plan_rate(&other.plan, &other.limits, &rate, &other.fault), STATUS_OK);
        ck_assert_double_ge(chosen, rate);
        setting_close(&other);
    }
    if (answer == 1) /* every iteration has a prompt: copies are for nothing */
        ck_assert_int_eq(s.plan.layout.ff_columns, 0);
    setting_close(&s);
}
END_TEST

/* ---- products in the banks ---- */

static struct hbm_pim_gemv some_gemv(struct dice *d)
{
    return (struct hbm_pim_gemv){.vectors = 1 + (int64_t)below(d, 64),
                                 .in = 1 + (int64_t)below(d, 16384),
                                 .out = 1 + (int64_t)below(d, 16384),
                                 .element_bytes = below(d, 2) ? 4 : 2,
                                 .unit_ops = (int)below(d, 10)};
}

START_TEST(products_are_priced_by_their_commands)
{
    struct dice d = dice(4);
    for (int i = 0; i < 400; i++) {
        struct hbm_pim_profile profile = *catalogue_hbm_pim(catalogue_hbm_pim_name(below(&d, 3)));
        struct hbm_pim_gemv gemv = some_gemv(&d), more = gemv;
        struct cost cost, other;
        profile.stacks = 1 + (int)below(&d, 8);
        hbm_pim_gemv_cost(&profile, &gemv, &cost);
        /* All of the weight is read for every vector, and no faster than the MACs come. */
        double bytes = (double)(gemv.vectors * gemv.in * gemv.out * gemv.element_bytes),
               rate = (double)hbm_pim_units(&profile) * profile.column_bytes * hbm_pim_channels(&profile) /
                      ((double)hbm_pim_mac_interval(&profile) * (double)profile.clock_ps);
        ck_assert_double_ge((double)cost.bytes, bytes);
        ck_assert_double_ge((double)cost.time_ps * rate, bytes);
        ck_assert_double_ge((double)cost.time_ps * 1e-12 * profile.external_bytes_per_s,
                            (double)(gemv.vectors * gemv.in * gemv.element_bytes));
        ck_assert_uint_ge(cost.flops, (uint64_t)(2 * gemv.vectors * gemv.in * gemv.out));
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            ck_assert(cost.energy_fj[p] > 0 || (p != ENERGY_DRAM && p != ENERGY_COMPUTE && p != ENERGY_SRAM));
        int64_t pieces = hbm_pim_gemv_pieces(&profile, &gemv);
        ck_assert(pieces >= 1 && pieces <= profile.channels && (pieces & (pieces - 1)) == 0);
        /* Vectors add up: n more take n times what one among others does. */
        more.vectors += 10;
        hbm_pim_gemv_cost(&profile, &more, &other);
        ck_assert_uint_gt(other.time_ps, cost.time_ps);
        more = gemv;
        more.out *= 2;
        hbm_pim_gemv_cost(&profile, &more, &other);
        ck_assert_uint_ge(other.time_ps, cost.time_ps);
        ck_assert_uint_ge(other.energy_fj[ENERGY_COMPUTE], cost.energy_fj[ENERGY_COMPUTE]);
        more = gemv;
        more.in *= 2;
        hbm_pim_gemv_cost(&profile, &more, &other);
        ck_assert_uint_ge(other.time_ps, cost.time_ps);
    }
}
END_TEST

/* By hand: GPT-175B's up-projection of 1280 places in a device of five stacks at banks under the power limit. A stack
 * has 256 rows and cuts 12288 columns into 16 pieces of 768: 16 steps of 12 MACs at 6 cycles and six rows opened. */
START_TEST(a_product_by_hand)
{
    const struct hbm_pim_profile *profile = catalogue_hbm_pim("attacc-bank");
    const struct hbm_pim_gemv one = {1, 12288, 1280, 2, 0}, many = {101, 12288, 1280, 2, 0};
    struct cost cost, more;
    ck_assert_int_eq(hbm_pim_gemv_pieces(profile, &one), 16);
    hbm_pim_gemv_cost(profile, &one, &cost);
    hbm_pim_gemv_cost(profile, &many, &more);
    double cycles = (192 * 6 + 6 * (8 + 19 + 19 - 6)) / (1 - 438.0 / 5070);
    ck_assert_double_eq_tol((double)(more.time_ps - cost.time_ps) / 100 / 769, cycles, 1);
    ck_assert_uint_eq(cost.bytes, UINT64_C(12288) * 1280 * 2);
    ck_assert_uint_eq(more.energy_fj[ENERGY_DRAM], 101 * cost.energy_fj[ENERGY_DRAM]);
    struct cost gate;
    hbm_pim_unit_cost(profile, 5000, HBM_PIM_GATE_OPS, 2, &gate);
    ck_assert_uint_eq(gate.time_ps, (uint64_t)ceil(1e12 * 9000 / 670.4e9));
    ck_assert_uint_eq(gate.energy_fj[ENERGY_COMPUTE], 45000 * 160);
}
END_TEST

Suite *suite_ff_share(void)
{
    Suite *suite = suite_create("ff_share");
    TCase *tcase = tcase_create("ff_share");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, logits_do_not_depend_on_who_computes, 0, 2 * N_FAMILIES);
    tcase_add_test(tcase, places_are_dealt_and_counted);
    tcase_add_test(tcase, shares_that_cannot_be_are_refused);
    tcase_add_test(tcase, the_chosen_share_takes_least_time);
    tcase_add_loop_test(tcase, the_chosen_share_has_the_highest_rate, 0, 4);
    tcase_add_test(tcase, products_are_priced_by_their_commands);
    tcase_add_test(tcase, a_product_by_hand);
    suite_add_tcase(suite, tcase);
    return suite;
}
