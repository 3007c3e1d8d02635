#include <check.h>
#include <math.h>
#include <string.h>

#include "device/catalogue.h"
#include "kernel_case.h"
#include "rank.h"

Suite *suite_rank_systolic(void);

static struct device_spec spec_of(const char *profile, enum number_format format)
{
    return (struct device_spec){
        .name = "systolic0", .kind = "systolic", .profile = profile, .host_link = "pcie4", .format = format};
}

static void *opened(const struct device_spec *spec, struct arena *arena)
{
    void *state = NULL;
    struct fault fault = FAULT_NONE;
    ck_assert_msg(systolic_device.open(spec, arena, &state, &fault) == STATUS_OK, "%s", fault.text);
    return state;
}

START_TEST(what_an_array_cannot_be_is_refused)
{
    struct device_spec good = spec_of("systolic-128-7nm", FORMAT_BF16), bad[11];
    static const char *const texts[11] = {
        "systolic0: unknown systolic profile 'tpu': polyrank devices lists them",
        "systolic0: unknown link profile 'wire': polyrank devices lists them",
        "systolic0: a tpuv1 has no fp32: choose other numerics",
        "systolic0: a systolic-128-7nm has no fp64: choose other numerics",
        "systolic0: a systolic-128-7nm has no tf32: choose other numerics",
        "systolic0: dataflow: expected os, ws or is, found 'rs'",
        "systolic0: memory_mode: expected ideal or scalesim, found 'exact'",
        "systolic0: memory_mode: scalesim is of one array, a tpuv4 has 8",
        "systolic0: overlap_weights: not with memory_mode scalesim",
        "systolic0: memory_mode: with scalesim all operands come from memory: attention_kernel must be unfused",
        "systolic0: tdp_w: a systolic array has no power limit here",
    };
    for (int i = 0; i < 11; i++)
        bad[i] = good;
    bad[0].profile = "tpu";
    bad[1].host_link = "wire";
    bad[2] = spec_of("tpuv1", FORMAT_FP32);
    bad[3].format = FORMAT_FP64;
    bad[4].format = FORMAT_TF32;
    bad[5].dataflow = "rs";
    bad[6].memory_mode = "exact";
    bad[7].profile = "tpuv4", bad[7].memory_mode = "scalesim";
    bad[8].memory_mode = "scalesim", bad[8].overlap_weights = 1;
    bad[9].memory_mode = "scalesim", bad[9].fused_attention = 1;
    bad[10].tdp_w = 100;
    for (int i = 0; i < 11; i++) {
        struct arena *arena = arena_new();
        struct fault fault = FAULT_NONE;
        void *state = NULL;
        ck_assert_int_eq(systolic_device.open(&bad[i], arena, &state, &fault), STATUS_USAGE);
        ck_assert_str_eq(fault.text, texts[i]);
        ck_assert_ptr_null(state);
        arena_free(arena);
    }
    struct arena *arena = arena_new();
    opened(&good, arena);
    arena_free(arena);
}
END_TEST

/* One of each op that a training step has, of about one size. */
static struct op op_of(enum op_kind kind)
{
    struct op op = {.kind = kind,
                    .samples = 4,
                    .rows = 4 * 57,
                    .in = 48,
                    .out = 96,
                    .n_query = 57,
                    .n_key = 57,
                    .heads = 3,
                    .head_width = 16,
                    .packed = 1,
                    .act = ACT_GELU,
                    .eps = 1e-5,
                    .optimiser = OPTIMISER_ADAMW,
                    .last_count = 1,
                    .parts = 3,
                    .groups = 1,
                    .scale = 1,
                    .transfer_bytes = 4096};
    return op;
}

static int is_fabric(enum op_kind kind)
{
    return kind == OP_ALLREDUCE;
}

START_TEST(every_op_that_is_supported_costs_time_and_energy)
{
    static const char *const modes[] = {"ideal", "scalesim"}, *const flows[] = {"os", "ws", "is"};
    static const enum number_format formats[] = {FORMAT_FP32, FORMAT_BF16, FORMAT_FP16, FORMAT_INT8};
    for (int i = 0; i < 2 * 3 * 4 * 2; i++) {
        struct device_spec spec = spec_of("systolic-32-7nm", formats[i / 6 % 4]);
        spec.memory_mode = modes[i % 2];
        spec.dataflow = flows[i / 2 % 3];
        spec.fused_attention = i >= 24;
        if (spec.fused_attention && i % 2)
            continue;
        struct arena *arena = arena_new();
        void *state = opened(&spec, arena);
        int n = 0;
        for (int kind = 0; kind < N_OP_KINDS; kind++) {
            struct op op = op_of((enum op_kind)kind);
            if (!systolic_device.supports(state, &op) || is_fabric(op.kind))
                continue;
            struct cost cost, again;
            systolic_device.cost(state, &op, &cost);
            systolic_device.cost(state, &op, &again);
            ck_assert_mem_eq(&cost, &again, sizeof cost);
            ck_assert_msg(cost.time_ps > 0 && cost.bytes > 0, "%s is free", op_name(op.kind));
            int is_copy = op_class(op.kind) == CLASS_HOST_COPY;
            ck_assert_msg(cost.energy_fj[is_copy ? ENERGY_LINK : ENERGY_STATIC] > 0, "%s: no energy", op_name(op.kind));
            /* All arithmetic of the op is paid for, give or take what passes round differently. */
            ck_assert_msg(is_copy || (double)cost.flops >= 0.9 * (double)op_flops(&op), "%s: %llu of %llu operations",
                          op_name(op.kind), (unsigned long long)cost.flops, (unsigned long long)op_flops(&op));
            n++;
        }
        ck_assert_int_ge(n, 18);
        arena_free(arena);
    }
}
END_TEST

/* Gradients of bias, gain and shift that nobody wants are not paid for: adapters have no bias, frozen norms no
 * gradient. */
START_TEST(what_is_skipped_is_free)
{
    static const enum op_kind kinds[] = {OP_LINEAR_DW, OP_NORM_BWD};
    struct arena *arena = arena_new();
    struct device_spec spec = spec_of("systolic-128-7nm", FORMAT_FP32);
    void *state = opened(&spec, arena);
    for (int i = 0; i < 2; i++) {
        struct op op = op_of(kinds[i]);
        struct cost with, without;
        systolic_device.cost(state, &op, &with);
        uint64_t flops = op_flops(&op);
        op.skip_sums = 1;
        systolic_device.cost(state, &op, &without);
        ck_assert_uint_eq(with.flops - without.flops, flops - op_flops(&op));
        ck_assert(without.time_ps <= with.time_ps && without.bytes <= with.bytes);
        if (kinds[i] == OP_LINEAR_DW) {
            struct op forward = op_of(OP_LINEAR);
            struct cost product;
            forward.rows = op.out, forward.out = op.in, forward.in = op.rows, forward.act = ACT_NONE;
            systolic_device.cost(state, &forward, &product);
            ck_assert(without.bytes == product.bytes);
        }
    }
    arena_free(arena);
}
END_TEST

START_TEST(fused_attention_spares_the_traffic_of_scores)
{
    struct arena *arena = arena_new();
    struct device_spec spec = spec_of("systolic-128-7nm", FORMAT_BF16);
    void *unfused = opened(&spec, arena);
    spec.fused_attention = 1;
    void *fused = opened(&spec, arena);
    for (int backward = 0; backward < 2; backward++) {
        struct op op = op_of(backward ? OP_ATTENTION_BWD : OP_ATTENTION);
        op.n_query = op.n_key = 1024;
        struct cost with, without;
        systolic_device.cost(unfused, &op, &with);
        systolic_device.cost(fused, &op, &without);
        ck_assert_uint_lt(4 * without.bytes, with.bytes);
        if (!backward)
            ck_assert_uint_lt(without.time_ps, with.time_ps);
        op.n_key = 100000000; /* a row of scores no longer fits */
        op.n_query = 1;
        systolic_device.cost(unfused, &op, &with);
        systolic_device.cost(fused, &op, &without);
        ck_assert_uint_eq(with.bytes, without.bytes);
    }
    arena_free(arena);
}
END_TEST

/* B 2, M 12 steps, N 50 stations, C 64, O 288 slots. */
START_TEST(embeddings_and_turns_move_what_they_must)
{
    const uint64_t z = 2 * 12 * 50 * 64 * 4, node = 50 * 64 * 4, step = 12 * 64 * 4, slots = 288 * 64 * 4;
    struct arena *arena = arena_new();
    struct device_spec spec = spec_of("systolic-128-7nm", FORMAT_BF16);
    void *array = opened(&spec, arena);
    struct op op = {
        .samples = 2, .rows = 2 * 12 * 50, .in = 64, .out = 288, .n_query = 50, .n_key = 12, .kind = OP_ADD_EMBED};
    struct cost embed, backward, turn;
    systolic_device.cost(array, &op, &embed);
    op.kind = OP_ADD_EMBED_BWD;
    systolic_device.cost(array, &op, &backward);
    op.kind = OP_PERMUTE;
    systolic_device.cost(array, &op, &turn);
    /* z in and out, each table's rows, and a row of the slots for each step of each sample */
    ck_assert_uint_eq(embed.bytes, 2 * z + node + step + 2 * step);
    /* dz in, the nodes' rows and the sums of each step out; these in again, the steps' and all slots' rows out */
    ck_assert_uint_eq(backward.bytes, z + node + 2 * step + 2 * step + step + slots);
    ck_assert_uint_eq(turn.bytes, 2 * z);
    ck_assert(turn.flops == 0 && embed.flops == 3 * z / 4 && backward.flops == 2 * z / 4 + 2 * 2 * step / 4);
    const double bytes_per_s = 256e9;
    ck_assert((double)turn.time_ps >= (double)turn.bytes / bytes_per_s * 1e12);
    arena_free(arena);
}
END_TEST

START_TEST(overrides_reach_the_physics)
{
    struct arena *arena = arena_new();
    struct device_spec spec = spec_of("systolic-128-7nm", FORMAT_BF16);
    struct op op = op_of(OP_LINEAR);
    op.rows = op.in = op.out = 4096;
    op.act = ACT_NONE;
    void *plain = opened(&spec, arena);
    struct cost before, after;
    systolic_device.cost(plain, &op, &before);
    spec.array_rows = 64;
    systolic_device.cost(opened(&spec, arena), &op, &after);
    ck_assert_uint_gt(after.time_ps, before.time_ps);
    spec.array_rows = 0, spec.peak_flop_per_s = 2.0 * 128 * 128 * 2e9;
    systolic_device.cost(opened(&spec, arena), &op, &after);
    ck_assert_uint_lt(after.time_ps, before.time_ps);
    spec.peak_flop_per_s = 0, spec.memory_bytes_per_s = 10e9;
    systolic_device.cost(opened(&spec, arena), &op, &after);
    ck_assert_uint_gt(after.time_ps, 2 * before.time_ps);
    spec.memory_bytes_per_s = 0, spec.overlap_weights = 1;
    systolic_device.cost(opened(&spec, arena), &op, &after);
    ck_assert_uint_lt(after.time_ps, before.time_ps);
    spec.overlap_weights = 0, spec.dataflow = "os";
    systolic_device.cost(opened(&spec, arena), &op, &after);
    ck_assert_uint_ne(after.time_ps, before.time_ps);
    spec.memory_bytes = 12345;
    ck_assert_uint_eq(systolic_device.memory_bytes(opened(&spec, arena)), 12345);
    ck_assert_uint_eq(systolic_device.idle_power_mw(plain), 13750);
    ck_assert_uint_eq(systolic_device.wait_power_mw(plain), 13750);
    arena_free(arena);
}
END_TEST

/* The numbers are the device's own, whatever the job's are. */
START_TEST(arithmetic_is_in_the_devices_own_format)
{
    static const enum number_format formats[] = {FORMAT_FP32, FORMAT_BF16, FORMAT_FP16, FORMAT_INT8};
    float results[4][5 * 6];
    float x[5 * 40], w[6 * 40];
    for (int i = 0; i < 200; i++)
        x[i] = (float)rng_normal(case_key(1), 0, (uint64_t)i);
    for (int i = 0; i < 240; i++)
        w[i] = (float)rng_normal(case_key(2), 0, (uint64_t)i);
    struct op op = {.kind = OP_LINEAR, .samples = 1, .rows = 5, .in = 40, .out = 6};
    for (int f = 0; f < 4; f++) {
        struct arena *arena = arena_new();
        struct device_spec spec = spec_of("systolic-32-7nm", formats[f]);
        void *scratch = arena_take(arena, kernel_scratch_bytes(&op, formats[f]) + 64);
        struct kernel_context context = {.format = FORMAT_FP32, .scratch = scratch};
        float direct[5 * 6];
        systolic_device.run(opened(&spec, arena), &op, &context, (const void *[OP_MAX_IN]){x, w},
                            (void *[OP_MAX_OUT]){results[f]});
        context.format = formats[f];
        kernel_run_f32(&op, &context, (const float *[OP_MAX_IN]){x, w}, (float *[OP_MAX_OUT]){direct});
        ck_assert_mem_eq(direct, results[f], sizeof direct);
        for (int g = 0; g < f; g++)
            ck_assert_int_ne(memcmp(results[g], results[f], sizeof direct), 0);
        arena_free(arena);
    }
}
END_TEST

START_TEST(integer_sums_that_could_overflow_are_refused)
{
    struct arena *arena = arena_new();
    struct device_spec spec = spec_of("systolic-32-7nm", FORMAT_INT8);
    void *int8 = opened(&spec, arena);
    spec.format = FORMAT_BF16;
    void *bf16 = opened(&spec, arena);
    struct op op = op_of(OP_LINEAR_DW);
    op.rows = 133144;
    ck_assert(systolic_device.supports(int8, &op));
    op.rows = 133145;
    ck_assert(!systolic_device.supports(int8, &op));
    ck_assert(systolic_device.supports(bf16, &op));
    op.kind = OP_SEND;
    ck_assert(!systolic_device.supports(bf16, &op));
    arena_free(arena);
}
END_TEST

START_TEST(the_kind_is_found)
{
    ck_assert_ptr_eq(device_find("systolic"), &systolic_device);
    ck_assert_ptr_eq(device_find("gpu"), &gpu_device);
    struct arena *arena = arena_new();
    struct device_spec spec = spec_of("a100-80g", FORMAT_INT8);
    struct fault fault = FAULT_NONE;
    void *state = NULL;
    ck_assert_int_eq(gpu_device.open(&spec, arena, &state, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, "systolic0: a a100-80g has no int8: choose other numerics");
    arena_free(arena);
}
END_TEST

Suite *suite_rank_systolic(void)
{
    Suite *suite = suite_create("rank_systolic");
    TCase *tcase = tcase_create("device");
    tcase_add_test(tcase, what_an_array_cannot_be_is_refused);
    tcase_add_test(tcase, every_op_that_is_supported_costs_time_and_energy);
    tcase_add_test(tcase, what_is_skipped_is_free);
    tcase_add_test(tcase, fused_attention_spares_the_traffic_of_scores);
    tcase_add_test(tcase, embeddings_and_turns_move_what_they_must);
    tcase_add_test(tcase, overrides_reach_the_physics);
    tcase_add_test(tcase, arithmetic_is_in_the_devices_own_format);
    tcase_add_test(tcase, integer_sums_that_could_overflow_are_refused);
    tcase_add_test(tcase, the_kind_is_found);
    suite_add_tcase(suite, tcase);
    return suite;
}
