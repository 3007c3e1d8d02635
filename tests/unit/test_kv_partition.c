/* test_kv_partition.c - who holds what of the KV cache: each token of each head on one device, even shares, policies;
 * through whole plans: what fits, and that auto is never slower than a policy it could have taken.
 */
#include "decoder_case.h"
#include "kernel/batch.h"

Suite *suite_kv_partition(void);

static const char *const policies[] = {"heads", "sequence", "hybrid"};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Devices that keep this token of this head, by the rules that the kernels go by. */
static int holders(const struct kv_partition *p, int64_t kv_heads, int64_t block, int64_t head, int64_t token,
                   int64_t *who)
{
    int n = 0;
    for (int64_t g = 0; g < p->groups; g++)
        for (int64_t s = 0; s < p->shards; s++) {
            int64_t first, heads = op_group_heads(kv_heads, p->groups, g, &first);
            if (head < first || head >= first + heads || !shard_holds(token, s, p->shards, block))
                continue;
            *who = g * p->shards + s;
            n++;
        }
    return n;
}

START_TEST(every_token_of_a_head_has_one_owner)
{
    struct dice d = dice(1200 + (uint32_t)_i);
    int64_t devices = 1 + (int64_t)below(&d, KV_MOST_DEVICES), kv_heads = 1 + (int64_t)below(&d, 20), who = -1;
    int64_t block = 1 + (int64_t)below(&d, 20), held[KV_MOST_DEVICES] = {0}, tokens = 1 + (int64_t)below(&d, 300);
    struct kv_partition p = kv_partition_of(policies[_i % 3], devices, kv_heads);
    ck_assert_int_le(p.groups * p.shards, devices);
    for (int64_t head = 0; head < kv_heads; head++)
        for (int64_t t = 0; t < tokens; t++) {
            ck_assert_int_eq(holders(&p, kv_heads, block, head, t, &who), 1);
            ck_assert_int_eq(kv_partition_owner(&p, kv_heads, block, head, t), who);
            held[who]++;
        }
    int64_t most_heads = (kv_heads + p.groups - 1) / p.groups, least_heads = kv_heads / p.groups;
    for (int64_t i = 0; i < p.groups * p.shards; i++) { /* even to a head and to a block */
        ck_assert_int_le(held[i], most_heads * (tokens / (block * p.shards) + 1) * block);
        ck_assert_int_ge(held[i], least_heads * (tokens / (block * p.shards)) * block);
    }
}
END_TEST

START_TEST(policies_are_as_described)
{
    for (int64_t devices = 1; devices <= KV_MOST_DEVICES; devices++)
        for (int64_t kv_heads = 1; kv_heads <= 12; kv_heads++) {
            int64_t most = devices;
            struct kv_partition heads = kv_partition_of("heads", devices, kv_heads);
            struct kv_partition sequence = kv_partition_of("sequence", devices, kv_heads);
            struct kv_partition hybrid = kv_partition_of("hybrid", devices, kv_heads);
            ck_assert(heads.shards == 1 && heads.groups == smaller(most, kv_heads));
            ck_assert(sequence.groups == 1 && sequence.shards == most);
            ck_assert(hybrid.groups * hybrid.shards == most && hybrid.groups <= kv_heads);
            for (int64_t g = hybrid.groups + 1; g <= smaller(most, kv_heads); g++)
                ck_assert(most % g != 0);
        }
}
END_TEST

static int is_candidate(const struct kv_partition *wanted, int64_t devices, int64_t kv_heads)
{
    struct kv_partition p;
    for (int i = 0; kv_partition_candidate(i, devices, kv_heads, &p); i++)
        if (p.groups == wanted->groups && p.shards == wanted->shards)
            return 1;
    return 0;
}

START_TEST(candidates_hold_the_policies)
{
    for (int64_t devices = 1; devices <= KV_MOST_DEVICES; devices++)
        for (int64_t kv_heads = 1; kv_heads <= 12; kv_heads++) {
            struct kv_partition p, q;
            for (int k = 0; k < 3; k++) {
                p = kv_partition_of(policies[k], devices, kv_heads);
                ck_assert_msg(is_candidate(&p, devices, kv_heads), "%s of %lld devices, %lld heads", policies[k],
                              (long long)devices, (long long)kv_heads);
            }
            for (int i = 0; kv_partition_candidate(i, devices, kv_heads, &p); i++) {
                ck_assert(p.groups >= 1 && p.shards >= 1 && p.groups <= kv_heads);
                ck_assert_int_le(p.groups * p.shards, devices);
                for (int j = 0; j < i; j++)
                    ck_assert(kv_partition_candidate(j, devices, kv_heads, &q) &&
                              (p.groups != q.groups || p.shards != q.shards));
            }
        }
}
END_TEST

static struct decoder_limits limits_of(const char *partition, int64_t context)
{
    return (struct decoder_limits){.max_tokens = 64,
                                   .max_sequences = 6,
                                   .block_tokens = 4,
                                   .head_chunks = 1,
                                   .partition = partition,
                                   .typical_context = context};
}

/* Tokens per second by the rule that auto goes by. */
static double rate_of(const struct decoder_config *config, int gpus, int pims, const struct decoder_limits *limits,
                      struct kv_partition *chosen)
{
    struct decoder_case c;
    struct fault fault = FAULT_NONE;
    double rate = 0;
    decoder_case_open(&c, config, gpus, pims, "fp16", limits);
    ck_assert(!decoder_plan_rate(&c.plan, limits, &rate, &fault));
    ck_assert_double_gt(rate, 0);
    *chosen = c.plan.partition;
    decoder_case_close(&c);
    return rate;
}

/* Long contexts, so that one partition does better than another; with prompts and without. */
START_TEST(auto_is_as_fast_as_any_policy)
{
    struct dice d = dice(1300 + (uint32_t)_i);
    struct decoder_config config = small_decoder(_i % N_FAMILIES, &d);
    int gpus = 1 + (int)below(&d, 3), pims = 2 + (int)below(&d, 10);
    struct kv_partition chosen, other;
    config.context = 1 << 17;
    int64_t context = 1 + (int64_t)below(&d, below(&d, 2) ? 100000 : 100);
    struct decoder_limits limits = limits_of("auto", context);
    if (below(&d, 2)) {
        limits.typical_answer = 1 + (int64_t)below(&d, 40);
        limits.typical_prompt = 1 + (int64_t)below(&d, 200);
    }
    double best = rate_of(&config, gpus, pims, &limits, &chosen);
    ck_assert(is_candidate(&chosen, pims, config.kv_heads / gpus));
    for (int k = 0; k < 3; k++) {
        limits.partition = policies[k];
        double rate = rate_of(&config, gpus, pims, &limits, &other);
        ck_assert_msg(best >= rate, "auto (%lld groups, %lld shards) makes %g tokens/s, %s (%lld, %lld) %g",
                      (long long)chosen.groups, (long long)chosen.shards, best, policies[k], (long long)other.groups,
                      (long long)other.shards, rate);
        if (other.groups == chosen.groups && other.shards == chosen.shards)
            ck_assert_double_eq(best, rate);
    }
}
END_TEST

static uint64_t price_ps(const struct decoder_plan *plan, const struct decoder_iteration *iteration)
{
    struct fault fault = FAULT_NONE;
    uint64_t time_ps = 0;
    double energy_j;
    ck_assert_int_eq(decoder_plan_price(plan, iteration, &time_ps, &energy_j, &fault), STATUS_OK);
    return time_ps;
}

/* By hand: 6 sequences of 50 tokens; answers of 3 tokens, so 2 prompts to an iteration; of 24, so one in every fourth;
 * prompts of 200 tokens, in pieces of the 58 that the limits have room for. */
START_TEST(the_rate_is_that_of_the_mix)
{
    struct dice d = dice(6);
    struct decoder_config config = small_decoder(2, &d);
    struct decoder_limits limits = limits_of("heads", 50);
    struct decoder_case c;
    struct fault fault = FAULT_NONE;
    double rate;
    decoder_case_open(&c, &config, 1, 2, "fp16", &limits);
    double decode = (double)price_ps(&c.plan, &(struct decoder_iteration){6, 50, 0, 0});
    ck_assert_int_eq(decoder_plan_rate(&c.plan, &limits, &rate, &fault), STATUS_OK);
    ck_assert_double_eq_tol(rate, 6 / decode * 1e12, 1e-9 * rate);
    limits.typical_prompt = 20;
    limits.typical_answer = 3;
    double two = (double)price_ps(&c.plan, &(struct decoder_iteration){6, 50, 20, 2});
    ck_assert_int_eq(decoder_plan_rate(&c.plan, &limits, &rate, &fault), STATUS_OK);
    ck_assert_double_eq_tol(rate, 18 / (3 * two) * 1e12, 1e-9 * rate);
    limits.typical_answer = 24;
    double one = (double)price_ps(&c.plan, &(struct decoder_iteration){6, 50, 20, 1});
    ck_assert_int_eq(decoder_plan_rate(&c.plan, &limits, &rate, &fault), STATUS_OK);
    ck_assert_double_eq_tol(rate, 144 / (6 * one + 18 * decode) * 1e12, 1e-9 * rate);
    limits.typical_prompt = 200;
    double piece = (double)price_ps(&c.plan, &(struct decoder_iteration){6, 50, 58, 1}), n = 1200.0 / 58;
    ck_assert_int_eq(decoder_plan_rate(&c.plan, &limits, &rate, &fault), STATUS_OK);
    ck_assert_double_eq_tol(rate, 144 / (n * piece + (24 - n) * decode) * 1e12, 1e-9 * rate);
    ck_assert(one > decode && two > one && piece > one);
    decoder_case_close(&c);
}
END_TEST

/* Bytes of KV on every device when sequences of these lengths are in the cache, token by token. */
static void fill(const struct decoder_case *c, uint64_t tokens_of_sequence, uint64_t n, uint64_t *held)
{
    const struct decoder_layout *layout = &c->plan.layout;
    for (int g = 0; g < layout->n_gpus; g++) {
        int64_t first, heads = op_group_heads(c->config.kv_heads, layout->n_gpus, g, &first);
        for (int64_t k = 0; k < layout->pims_per_gpu; k++) {
            uint64_t *bytes = &held[layout->pim[g * layout->pims_per_gpu + k]];
            for (int64_t head = 0; head < heads; head++)
                for (uint64_t t = 0; t < tokens_of_sequence; t++)
                    if (kv_partition_owner(&c->plan.partition, heads, layout->shard_block, head, (int64_t)t) == k)
                        *bytes += n;
        }
    }
}

/* Bytes of one head of one token, in all layers. */
static uint64_t head_bytes(const struct decoder_case *c)
{
    uint64_t width = (uint64_t)c->config.head_width, layers = (uint64_t)c->config.layers;
    return layers * 2 * (c->limits.kv_bits == 8 ? width + 2 : 2 * width);
}

/* The cache is full of sequences that are as unfair to its shards as they can be - of one block, of one block and one
 * token, of many - and no device has more than it holds; the one that sets the limit is full to a block. */
START_TEST(no_device_holds_more_than_it_can)
{
    struct dice d = dice(1400 + (uint32_t)_i);
    struct decoder_config config = small_decoder(_i % N_FAMILIES, &d);
    int gpus = 1 + (int)below(&d, 3), pims = 1 + (int)below(&d, 12);
    struct decoder_limits limits = limits_of(policies[below(&d, 3)], 50);
    struct decoder_case c;
    limits.kv_bits = below(&d, 2) ? 8 : 0;
    limits.block_tokens = 1 + (int64_t)below(&d, 40);
    decoder_case_open(&c, &config, gpus, pims, "fp16", &limits);
    uint64_t block = (uint64_t)limits.block_tokens, blocks = c.plan.kv_capacity_tokens / block;
    ck_assert_uint_eq(c.plan.kv_capacity_tokens % block, 0);
    for (uint64_t each = 1; each <= 9; each += 1 + below(&d, 3)) { /* blocks of a sequence */
        uint64_t held[64] = {0}, fullest = 0;
        fill(&c, each * block - (each > 1 ? below(&d, block) : 0), blocks / each, held);
        for (int device = 0; device < c.machine.n_devices; device++) {
            const struct decoder_need *need = &c.plan.need[device];
            uint64_t bytes = need->weight_bytes + need->activation_bytes + held[device] * head_bytes(&c);
            ck_assert_msg(bytes <= need->capacity_bytes, "device %d: %llu of %llu bytes", device,
                          (unsigned long long)bytes, (unsigned long long)need->capacity_bytes);
            fullest = device == c.plan.kv_limit ? bytes : fullest;
        }
        if (each == 1) { /* nothing is given away: a block more does not fit */
            const struct decoder_need *need = &c.plan.need[c.plan.kv_limit];
            uint64_t piece = (uint64_t)c.plan.layout.shard_block * need->kv_bytes_per_token;
            ck_assert_uint_gt(fullest + piece, need->capacity_bytes);
        }
    }
    decoder_case_close(&c);
}
END_TEST

/* With the GPUs as holders too, the bytes of a token on all devices are those of the model. */
START_TEST(a_token_is_counted_once)
{
    struct dice d = dice(1500 + (uint32_t)_i);
    struct decoder_config config = small_decoder(_i % N_FAMILIES, &d);
    int gpus = 1 + (int)below(&d, 3), pims = (int)below(&d, 6);
    struct decoder_limits limits = limits_of(policies[below(&d, 3)], 50);
    struct decoder_case c;
    uint64_t per_token = 0;
    limits.kv_bits = below(&d, 2) ? 8 : 0;
    decoder_case_open(&c, &config, gpus, pims, "fp16", &limits);
    for (int device = 0; device < c.machine.n_devices; device++)
        per_token += c.plan.need[device].kv_bytes_per_token;
    ck_assert_uint_eq(per_token,
                      (uint64_t)(pims ? c.plan.partition.shards : 1) * (uint64_t)config.kv_heads * head_bytes(&c));
    decoder_case_close(&c);
}
END_TEST

START_TEST(too_many_devices_are_refused)
{
    struct dice d = dice(5);
    struct decoder_config config = small_decoder(0, &d);
    const struct decoder_limits limits = limits_of("sequence", 50);
    struct decoder_case c;
    struct fault fault = FAULT_NONE;
    decoder_case_open(&c, &config, 1, KV_MOST_DEVICES, "fp16", &limits);
    ck_assert_int_eq(c.plan.partition.shards, KV_MOST_DEVICES);
    decoder_machine(&c, 1, KV_MOST_DEVICES + 1, "fp16");
    ck_assert_int_eq(decoder_plan_build(&config, &c.machine, &limits, c.arena, &c.plan, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "expected at most 32 hbm-pim devices at each GPU, found 33"));
    decoder_case_close(&c);
}
END_TEST

/* The weights of a GPU: those of the model, a tied head not once more; int8: a byte each and a scale for each output.
 */
START_TEST(weights_are_counted_once)
{
    struct dice d = dice(1600 + (uint32_t)_i);
    struct decoder_config config = small_decoder(_i % N_FAMILIES, &d);
    struct decoder_limits limits = limits_of("heads", 50);
    struct decoder_case c, bytes;
    int pims = (int)below(&d, 2);
    decoder_case_open(&c, &config, 1, pims, "fp16", &limits);
    limits.weight_bits = 8;
    decoder_case_open(&bytes, &config, 1, pims, "fp16", &limits);
    uint64_t weights = (uint64_t)decoder_parameters(&config), width = (uint64_t)(config.heads * config.head_width);
    ck_assert_uint_eq(c.plan.need[0].weight_bytes, 2 * weights);
    uint64_t model = (uint64_t)config.d_model, ffn = (uint64_t)config.ffn;
    uint64_t qkv = width + 2 * (uint64_t)(config.kv_heads * config.head_width), ups = config.gated ? 2 : 1;
    uint64_t products = model * qkv + width * model + (ups + 1) * model * ffn, outputs = qkv + ups * ffn + 2 * model;
    ck_assert_uint_eq(bytes.plan.need[0].weight_bytes,
                      2 * weights - (uint64_t)config.layers * products + 4 * (uint64_t)config.layers * outputs);
    decoder_case_close(&c);
    decoder_case_close(&bytes);
}
END_TEST

Suite *suite_kv_partition(void)
{
    Suite *suite = suite_create("kv_partition");
    TCase *tcase = tcase_create("partition");
    tcase_add_loop_test(tcase, every_token_of_a_head_has_one_owner, 0, 90);
    tcase_add_test(tcase, policies_are_as_described);
    tcase_add_test(tcase, candidates_hold_the_policies);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("plan");
    tcase_add_loop_test(tcase, auto_is_as_fast_as_any_policy, 0, 30);
    tcase_add_test(tcase, the_rate_is_that_of_the_mix);
    tcase_add_loop_test(tcase, no_device_holds_more_than_it_can, 0, 60);
    tcase_add_loop_test(tcase, a_token_is_counted_once, 0, 30);
    tcase_add_test(tcase, too_many_devices_are_refused);
    tcase_add_loop_test(tcase, weights_are_counted_once, 0, 12);
    suite_add_tcase(suite, tcase);
    return suite;
}
