/* Host processors that attend: never free, monotone, no faster than memory, cores and one core allow; capacity; what a
 * cluster file may say of them. */
#include <string.h>

#include "config/job.h"
#include "device/catalogue.h"
#include "folder.h"
#include "kernel/batch.h"
#include "scheduler/machine.h"

Suite *suite_cpu(void);

enum { CASES = 400 };

static struct cpu_profile some_cpu(struct dice *d)
{
    struct cpu_profile cpu = *catalogue_cpu(catalogue_cpu_name(below(d, 3)));
    cpu.cores = 1 + (double)below(d, 200);
    cpu.dram_bytes_per_s = 1e9 * (1 + (double)below(d, 1000));
    return cpu;
}

static struct cpu_attention some_attention(struct dice *d)
{
    struct cpu_attention a = {.longest = 1 + below(d, 4096),
                              .kv_heads = 1 + (int64_t)below(d, 12),
                              .head_width = 2 * (1 + (int64_t)below(d, 80)),
                              .element_bytes = 1 << below(d, 3)};
    a.heads = a.kv_heads * (1 + (int64_t)below(d, 8));
    a.pairs = a.longest + below(d, 100000);
    return a;
}

START_TEST(catalogue_is_sound)
{
    char text[128];
    int n = 0;
    for (; catalogue_cpu_name((size_t)n); n++)
        ck_assert_ptr_null(cpu_problem(catalogue_cpu(catalogue_cpu_name((size_t)n)), text, sizeof text));
    ck_assert_int_eq(n, 3);
    const struct cpu_profile *host = catalogue_cpu("dgx-host"), *share = catalogue_cpu("dgx-host-share");
    ck_assert_uint_eq(host->memory_bytes, 8 * share->memory_bytes);
    ck_assert_double_eq(cpu_peak_flop_per_s(host), 8 * cpu_peak_flop_per_s(share));
    ck_assert_double_eq(host->dram_bytes_per_s, 8 * share->dram_bytes_per_s);
    ck_assert_double_eq_tol(cpu_peak_flop_per_s(catalogue_cpu("attacc-cpu")), 4e12, 1);
    struct cpu_profile odd = *host;
    odd.cores = 0;
    ck_assert_str_eq(cpu_problem(&odd, text, sizeof text), "cores: expected 1 to 1e+06, found 0");
    odd = *host;
    odd.active_mw = odd.idle_mw - 1;
    ck_assert_ptr_nonnull(cpu_problem(&odd, text, sizeof text));
    ck_assert_ptr_null(catalogue_cpu("host"));
    int listed = 0;
    for (size_t i = 0; catalogue_entry(i); i++)
        listed += strcmp(catalogue_entry(i)->kind, "cpu") == 0 && catalogue_entry(i)->n_constants == 15;
    ck_assert_int_eq(listed, 3);
}
END_TEST

START_TEST(attention_keeps_its_bounds)
{
    struct dice d = dice(11);
    for (int i = 0; i < CASES; i++) {
        struct cpu_profile cpu = some_cpu(&d);
        struct cpu_attention a = some_attention(&d);
        struct cost cost;
        cpu_attention_cost(&cpu, &a, &cost);
        double seconds = 1e-12 * (double)(cost.time_ps - cpu.start_ps),
               bytes = (double)a.pairs * (double)(a.kv_heads * 2 * a.head_width * a.element_bytes);
        ck_assert_double_eq((double)cost.bytes, bytes);
        ck_assert_uint_gt(cost.time_ps, cpu.start_ps);
        ck_assert_double_ge(seconds * cpu.dram_bytes_per_s, bytes);
        ck_assert_double_ge(seconds * cpu_peak_flop_per_s(&cpu), (double)cost.flops);
        ck_assert_double_ge(seconds * cpu.core_bytes_per_s * (double)a.kv_heads * (double)a.pairs * 1.0000001,
                            (double)a.longest * bytes);
        ck_assert_uint_ge(cost.flops, a.pairs * (uint64_t)(4 * a.heads * a.head_width));
        ck_assert_uint_gt(cost.energy_fj[ENERGY_DRAM], 0);
        ck_assert_uint_gt(cost.energy_fj[ENERGY_COMPUTE], 0);
        ck_assert_uint_eq(cost.energy_fj[ENERGY_STATIC], cpu.active_mw * cost.time_ps);
    }
}
END_TEST

START_TEST(more_work_takes_no_less)
{
    struct dice d = dice(12);
    for (int i = 0; i < CASES; i++) {
        struct cpu_profile cpu = some_cpu(&d), faster = cpu;
        struct cpu_attention a = some_attention(&d), more = a;
        struct cost cost, other;
        cpu_attention_cost(&cpu, &a, &cost);
        switch (below(&d, 4)) {
        case 0:
            more.pairs += 1 + below(&d, 50000);
            break;
        case 1:
            more.longest += below(&d, 1000);
            more.pairs += more.longest - a.longest;
            break;
        case 2:
            more.head_width += 2;
            break;
        default:
            more.element_bytes = 4;
            cpu.half_share = 1; /* widening is work of its own */
            cpu_attention_cost(&cpu, &a, &cost);
        }
        cpu_attention_cost(&cpu, &more, &other);
        ck_assert_uint_ge(other.time_ps, cost.time_ps);
        ck_assert_uint_ge(other.energy_fj[ENERGY_DRAM], cost.energy_fj[ENERGY_DRAM]);
        faster.dram_bytes_per_s *= 2;
        faster.cores *= 2;
        faster.core_bytes_per_s *= 2;
        faster.clock_hz *= 2;
        cpu_attention_cost(&faster, &more, &cost);
        ck_assert_uint_lt(cost.time_ps, other.time_ps);
        cpu_stream_cost(&cpu, 1 + below(&d, 1 << 30), &cost);
        ck_assert_uint_gt(cost.time_ps, cpu.start_ps);
        cpu_stream_cost(&cpu, cost.bytes + (1 << 20), &other);
        ck_assert_uint_gt(other.time_ps, cost.time_ps);
        ck_assert_uint_gt(other.energy_fj[ENERGY_DRAM], cost.energy_fj[ENERGY_DRAM]);
    }
}
END_TEST

/* The cost of an op is that of its sequences, whatever shard they lie in. */
START_TEST(ops_cost_what_their_sequences_do)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    const struct device *device = device_find("cpu");
    const struct device_spec spec = {.name = "cpu0", .profile = "dgx-host-share", .format = FORMAT_FP16, .idle_w = -1};
    void *state;
    ck_assert_int_eq(device->open(&spec, arena, &state, &fault), STATUS_OK);
    const struct batch_part parts[] = {{.context = 99, .tokens = 1}, {.context = 299, .tokens = 1}};
    const struct batch batch = {2, 2, 2, 2, 2, parts, NULL};
    struct op op = {.kind = OP_KV_ATTENTION,
                    .rows = 2,
                    .heads = 8,
                    .kv_heads = 4,
                    .head_width = 64,
                    .in = 512,
                    .shards = 1,
                    .tokens = TOKENS_CACHED,
                    .batch = &batch};
    const struct cpu_attention work = {400, 300, 8, 4, 64, 2};
    struct cost cost, wanted;
    device->cost(state, &op, &cost);
    cpu_attention_cost(catalogue_cpu("dgx-host-share"), &work, &wanted);
    ck_assert_mem_eq(&cost, &wanted, sizeof cost);
    uint64_t bytes = 0;
    op.shards = 2;
    op.shard_block = 16;
    for (op.shard = 0; op.shard < 2; op.shard++) {
        device->cost(state, &op, &cost);
        bytes += cost.bytes;
    }
    ck_assert_uint_eq(bytes, wanted.bytes);
    op.kind = OP_KV_APPEND;
    op.tokens = TOKENS_ALL;
    op.shards = 1;
    op.kv_bits = 8;
    device->cost(state, &op, &cost);
    ck_assert_uint_eq(cost.bytes, 2 * 4 * 2 * 64);
    op.kind = OP_LINEAR;
    ck_assert(!device->supports(state, &op));
    ck_assert_uint_eq(device->memory_bytes(state), 256ull << 30);
    arena_free(arena);
}
END_TEST

static void refused(const char *device, const char *numerics, const char *wanted)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct job job;
    struct machine machine;
    const char *text = arena_printf(arena,
                                    "cluster:\n  name: c\n  devices:\n    - {kind: gpu, profile: a100-hbm3}\n    - %s\n"
                                    "  links: {host: pcie4, bridge: pcie4}\n"
                                    "decoder: {model: gpt-3-175b}\nserve: {requests: 1}\nplacement: {numerics: %s}\n",
                                    device, numerics);
    ck_assert_msg(job_parse(arena, "j.yaml", text, NULL, 0, &job, &fault) == STATUS_OK, "%s", fault.text);
    ck_assert_int_eq(machine_open(&job, arena, &machine, &fault), STATUS_USAGE);
    ck_assert_msg(strstr(fault.text, wanted), "'%s' is not in: %s", wanted, fault.text);
    arena_free(arena);
}

START_TEST(what_a_cpu_cannot_be_is_refused)
{
    refused("{kind: cpu, profile: dgx}", "fp16", "cpu0: unknown CPU profile 'dgx'");
    refused("{kind: cpu, profile: dgx-host}", "tf32", "fp16, bf16 or fp32, not tf32");
    refused("{kind: cpu, profile: dgx-host, tdp_w: 300 W}", "fp16", "cpu0: tdp_w: expected with other kinds");
    refused("{kind: cpu, profile: dgx-host, stacks: 3}", "fp16", "stacks: expected with kind hbm-pim only");
    refused("{kind: cpu, profile: dgx-host, launch_s: 3 us}", "fp16", "launch_s: expected with kind gpu only");
}
END_TEST

Suite *suite_cpu(void)
{
    Suite *suite = suite_create("cpu");
    TCase *tcase = tcase_create("cpu");
    tcase_add_test(tcase, catalogue_is_sound);
    tcase_add_test(tcase, attention_keeps_its_bounds);
    tcase_add_test(tcase, more_work_takes_no_less);
    tcase_add_test(tcase, ops_cost_what_their_sequences_do);
    tcase_add_test(tcase, what_a_cpu_cannot_be_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
