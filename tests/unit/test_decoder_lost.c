/* Decoders on machines that have lost devices, or whose devices have become slower: what is left of a machine is
 * planned and priced as a machine that never had more. */
#include "decoder_case.h"

Suite *suite_decoder_lost(void);

enum { CASES = 60 };

static struct decoder_limits random_limits(struct dice *d)
{
    static const char *const partitions[] = {"heads", "sequence", "hybrid", "auto"};
    return (struct decoder_limits){.max_tokens = 32,
                                   .max_sequences = 4,
                                   .block_tokens = 4,
                                   .n_blocks = 0,
                                   .head_chunks = 1 + (int64_t)below(d, 2),
                                   .partition = partitions[below(d, 4)],
                                   .ff_share = below(d, 3) ? 0 : 0.3,
                                   .typical_context = 16};
}

/* Costs of an iteration that decodes and of one with a prompt. */
struct price {
    uint64_t decode_ps, prompt_ps, capacity_tokens;
    double decode_j, prompt_j;
};

static struct price price_of(const struct decoder_plan *plan)
{
    struct price price = {.capacity_tokens = plan->kv_capacity_tokens};
    struct fault fault = FAULT_NONE;
    decoder_plan_price(plan, &(struct decoder_iteration){3, 12, 0, 0}, &price.decode_ps, &price.decode_j, &fault);
    decoder_plan_price(plan, &(struct decoder_iteration){2, 9, 7, 0}, &price.prompt_ps, &price.prompt_j, &fault);
    expect_ok(&fault);
    return price;
}

static void expect_same(struct price a, struct price b)
{
    ck_assert_uint_eq(a.decode_ps, b.decode_ps);
    ck_assert_uint_eq(a.prompt_ps, b.prompt_ps);
    ck_assert_uint_eq(a.capacity_tokens, b.capacity_tokens);
    ck_assert_double_eq(a.decode_j, b.decode_j);
    ck_assert_double_eq(a.prompt_j, b.prompt_j);
}

START_TEST(what_is_left_is_a_machine)
{
    struct dice d = dice(6100 + (uint32_t)_i);
    struct decoder_config config = small_decoder((int)below(&d, N_FAMILIES), &d);
    struct decoder_limits limits = random_limits(&d), smaller = limits;
    int gpus = 1 + (int)below(&d, (uint64_t)(config.kv_heads < 3 ? config.kv_heads : 3)), pims = (int)below(&d, 5);
    struct decoder_case whole, left;
    struct decoder_plan plan;
    struct fault fault = FAULT_NONE;
    uint8_t lost[32] = {0};
    if (!pims || config.ffn / gpus <= pims)
        limits.ff_share = 0;
    decoder_case_open(&whole, &config, gpus, pims, "fp16", &limits);
    int n = whole.machine.n_devices, gone = gpus > 1 && below(&d, 3) == 0 ? (int)below(&d, (uint64_t)gpus) : -1;
    int fewest = pims;
    if (gone >= 0)
        lost[gone] = 1; /* GPUs come first */
    for (int g = 0; g < gpus; g++) {
        int here = 0;
        for (int k = 0; k < pims; k++) {
            lost[gpus + g * pims + k] = below(&d, 4) == 0;
            here += !lost[gpus + g * pims + k];
        }
        fewest = g != gone && here < fewest ? here : fewest;
    }
    limits.lost = lost;
    decoder_plan_build(&config, &whole.machine, &limits, whole.arena, &plan, &fault);
    expect_ok(&fault);
    smaller.ff_share = fewest ? limits.ff_share : 0;
    decoder_case_open(&left, &config, gpus - (gone >= 0), fewest, "fp16", &smaller);
    expect_same(price_of(&plan), price_of(&left.plan));
    for (int k = 0; k < n; k++)
        ck_assert(!lost[k] || plan.plan.programs[PROGRAM_ITERATE][k].n_instrs == 0);
    decoder_case_close(&left);
    decoder_case_close(&whole);
}
END_TEST

START_TEST(without_a_gpu_nothing_goes_on)
{
    struct dice d = dice(1);
    struct decoder_config config = small_decoder(0, &d);
    struct decoder_limits limits = random_limits(&d);
    struct decoder_case c;
    struct decoder_plan plan;
    struct fault fault = FAULT_NONE;
    const uint8_t lost[3] = {1, 0, 0};
    limits.ff_share = 0;
    decoder_case_open(&c, &config, 1, 2, "fp32", &limits);
    limits.lost = lost;
    ck_assert_int_eq(decoder_plan_build(&config, &c.machine, &limits, c.arena, &plan, &fault), STATUS_USAGE);
    ck_assert_msg(strstr(fault.text, "no GPU is left") != NULL, "%s", fault.text);
    decoder_case_close(&c);
}
END_TEST

static uint64_t iterate(struct executor *executor, uint64_t not_before_ps, struct iteration_cost *cost)
{
    const struct batch_part parts[] = {{.context = 5, .tokens = 1, .is_answer = 1},
                                       {.context = 8, .tokens = 1, .is_answer = 1, .request = 1}};
    const struct batch batch = {2, 2, 2, 2, 2, parts, NULL};
    struct step_result result;
    struct fault fault = FAULT_NONE;
    executor_iterate(executor, &(struct iteration){.batch = &batch, .number = 1, .not_before_ps = not_before_ps}, NULL,
                     cost, &result, &fault);
    expect_ok(&fault);
    return result.end_ps - not_before_ps;
}

/* Slower devices and links: as if they had always been, from the next iteration on. */
START_TEST(slower_devices_take_longer)
{
    struct dice d = dice(7200 + (uint32_t)_i);
    struct decoder_config config = small_decoder((int)below(&d, N_FAMILIES), &d);
    struct decoder_limits limits = random_limits(&d);
    int gpus = config.kv_heads > 1 && below(&d, 2) ? 2 : 1, pims = 1 + (int)below(&d, 3);
    struct decoder_case c;
    struct comm *alone = comm_alone(), *other = comm_alone();
    struct iteration_cost before = {.busy_ps = NULL}, after = {.busy_ps = NULL}, fresh = {.busy_ps = NULL};
    limits.ff_share = 0;
    decoder_case_open(&c, &config, gpus, pims, "fp32", &limits);
    struct executor *executor = decoder_executor(&c, alone, 1);
    uint64_t before_ps = iterate(executor, 0, &before), at_ps = UINT64_C(1000000000000);
    double factor = 0.1 + 0.8 * (double)below(&d, 1000) / 1000;
    int slows_link = (int)below(&d, 2),
        slow = slows_link ? gpus : (int)below(&d, (uint64_t)gpus); /* a GPU; a PIM device */
    *(slows_link ? &c.machine.specs[slow].link_speed : &c.machine.specs[slow].speed) = factor;
    executor_reprice(executor, c.machine.specs);
    uint64_t after_ps = iterate(executor, at_ps, &after);
    struct executor *anew = decoder_executor(&c, other, 1);
    ck_assert_uint_eq(iterate(anew, at_ps, &fresh), after_ps);
    ck_assert_mem_eq(fresh.energy_fj, after.energy_fj, sizeof after.energy_fj);
    ck_assert_uint_gt(after_ps, before_ps);
    ck_assert_double_le((double)after_ps, (double)before_ps / factor + 1000);
    ck_assert_uint_eq(before.energy_fj[ENERGY_COMPUTE], after.energy_fj[ENERGY_COMPUTE]);
    executor_close(executor);
    executor_close(anew);
    comm_close(alone, 0);
    comm_close(other, 0);
    decoder_case_close(&c);
}
END_TEST

Suite *suite_decoder_lost(void)
{
    Suite *suite = suite_create("decoder_lost");
    TCase *tcase = tcase_create("lost");
    tcase_add_loop_test(tcase, what_is_left_is_a_machine, 0, CASES);
    tcase_add_test(tcase, without_a_gpu_nothing_goes_on);
    tcase_add_loop_test(tcase, slower_devices_take_longer, 0, CASES);
    suite_add_tcase(suite, tcase);
    return suite;
}
