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
static int holders(const struct kv_partition *p, int64_t kv_heads, int64_t block, int64_t head, int64_t token, int64_t *who)
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
    int64_t devices = 1 + (int64_t)below(&d, 12), kv_heads = 1 + (int64_t)below(&d, 20), who = -1;
    int64_t block = 1 + (int64_t)below(&d, 20), held[8] = {0}, tokens = 1 + (int64_t)below(&d, 300);
    struct kv_partition p = kv_partition_of(policies[_i % 3], devices, kv_heads);
    ck_assert_int_le(p.groups * p.shards, smaller(devices, KV_MOST_DEVICES));
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
    for (int64_t devices = 1; devices <= 12; devices++)
        for (int64_t kv_heads = 1; kv_heads <= 12; kv_heads++) {
            int64_t most = smaller(devices, KV_MOST_DEVICES);
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
    for (int64_t devices = 1; devices <= 12; devices++)
        for (int64_t kv_heads = 1; kv_heads <= 12; kv_heads++) {
            struct kv_partition p, q;
            for (int k = 0; k < 3; k++) {
                p = kv_partition_of(policies[k], devices, kv_heads);
                ck_assert_msg(is_candidate(&p, devices, kv_heads), "%s of %lld devices, %lld heads", policies[k],
                              (long long)devices, (long long)kv_heads);
            }
            for (int i = 0; kv_partition_candidate(i, devices, kv_heads, &p); i++) {
                ck_assert(p.groups >= 1 && p.shards >= 1 && p.groups <= kv_heads);
                ck_assert_int_le(p.groups * p.shards, smaller(devices, KV_MOST_DEVICES));
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

static uint64_t decode_ps(const struct decoder_config *config, int gpus, int pims, const char *partition,
                          int64_t context, struct kv_partition *chosen)
{
    struct decoder_case c;
    struct fault fault = FAULT_NONE;
    uint64_t time_ps = 0;
    const struct decoder_limits limits = limits_of(partition, context);
    decoder_case_open(&c, config, gpus, pims, "fp16", &limits);
    const struct decoder_iteration iteration = {limits.max_sequences, context, 0};
    double energy_j = 0;
    ck_assert(!decoder_plan_price(&c.plan, &iteration, &time_ps, &energy_j, &fault));
    ck_assert_double_gt(energy_j, 0);
    *chosen = c.plan.partition;
    decoder_case_close(&c);
    return time_ps;
}

/* Long contexts, so that one partition does better than another. */
START_TEST(auto_is_as_fast_as_any_policy)
{
    struct dice d = dice(1300 + (uint32_t)_i);
    struct decoder_config config = small_decoder(_i % N_FAMILIES, &d);
    int gpus = 1 + (int)below(&d, 3), pims = 2 + (int)below(&d, 8);
    struct kv_partition chosen, other;
    config.context = 1 << 17;
    int64_t context = 1 + (int64_t)below(&d, below(&d, 2) ? 100000 : 100);
    uint64_t best_ps = decode_ps(&config, gpus, pims, "auto", context, &chosen);
    ck_assert(is_candidate(&chosen, pims, config.kv_heads / gpus));
    for (int k = 0; k < 3; k++) {
        uint64_t ps = decode_ps(&config, gpus, pims, policies[k], context, &other);
        ck_assert_msg(best_ps <= ps, "auto (%lld groups, %lld shards) takes %llu ps, %s (%lld, %lld) %llu ps",
                      (long long)chosen.groups, (long long)chosen.shards, (unsigned long long)best_ps, policies[k],
                      (long long)other.groups, (long long)other.shards, (unsigned long long)ps);
        if (other.groups == chosen.groups && other.shards == chosen.shards)
            ck_assert_uint_eq(best_ps, ps);
    }
}
END_TEST

/* What the capacity says fits on every device, and a block more for each shard does not on the one that sets it. */
START_TEST(capacity_is_what_the_devices_hold)
{
    struct dice d = dice(1400 + (uint32_t)_i);
    struct decoder_config config = small_decoder(_i % N_FAMILIES, &d);
    int gpus = 1 + (int)below(&d, 3), pims = (int)below(&d, 6);
    struct decoder_limits limits = limits_of(policies[below(&d, 3)], 50);
    struct decoder_case c;
    uint64_t per_token = 0;
    limits.kv_bits = below(&d, 2) ? 8 : 0;
    decoder_case_open(&c, &config, gpus, pims, "fp16", &limits);
    uint64_t shards = pims ? (uint64_t)c.plan.partition.shards : 1, capacity = c.plan.kv_capacity_tokens;
    for (int device = 0; device < c.machine.n_devices; device++) {
        const struct decoder_need *need = &c.plan.need[device];
        uint64_t used = need->weight_bytes + need->activation_bytes;
        ck_assert_uint_le(used + (capacity + shards - 1) / shards * need->kv_bytes_per_token,
                          need->capacity_bytes + need->kv_bytes_per_token);
        if (device == c.plan.kv_limit)
            ck_assert_uint_gt(used + (capacity + shards * 4) / shards * need->kv_bytes_per_token, need->capacity_bytes);
        per_token += need->kv_bytes_per_token;
    }
    uint64_t elements = (uint64_t)decoder_kv_elements(&config), heads = elements / (uint64_t)config.head_width;
    ck_assert_uint_eq(per_token, shards * (limits.kv_bits ? elements + 2 * heads : 2 * elements));
    decoder_case_close(&c);
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
    tcase_add_loop_test(tcase, capacity_is_what_the_devices_hold, 0, 30);
    suite_add_tcase(suite, tcase);
    return suite;
}
