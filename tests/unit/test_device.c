#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "device/catalogue.h"
#include "device/gpu.h"

Suite *suite_device(void);

enum { N_CASES = 2000 };

static struct rng_key key(uint32_t place)
{
    return rng_key(1, RNG_TEST, place);
}

/* A size between 1 and `most`, small ones as likely as large ones. */
static uint64_t size_of(struct rng_key k, uint32_t step, uint64_t i, double most)
{
    return (uint64_t)exp2(rng_uniform(k, step, i) * log2(most));
}

static struct gpu_gemm random_gemm(struct rng_key k, uint64_t i)
{
    return (struct gpu_gemm){size_of(k, 0, i, 32),
                             size_of(k, 1, i, 16384),
                             size_of(k, 2, i, 16384),
                             size_of(k, 3, i, 16384),
                             GPU_FP16,
                             2,
                             2};
}

static uint64_t gemm_ps(const struct gpu_profile *gpu, struct gpu_gemm gemm)
{
    struct cost cost;
    gpu_gemm_cost(gpu, &gemm, &cost);
    return cost.time_ps;
}

static uint64_t energy_fj(const struct cost *cost)
{
    uint64_t sum = 0;
    for (int i = 0; i < N_ENERGY_PARTS; i++)
        sum += cost->energy_fj[i];
    return sum;
}

static void check_power(const struct gpu_profile *gpu, const struct cost *cost)
{
    ck_assert_uint_gt(cost->time_ps, 0);
    ck_assert_uint_gt(cost->bytes, 0);
    ck_assert_uint_eq(cost->energy_fj[ENERGY_STATIC], gpu->base_power_mw * cost->time_ps);
    ck_assert_uint_eq(cost->energy_fj[ENERGY_LINK] + cost->energy_fj[ENERGY_WRITE] + cost->energy_fj[ENERGY_CONVERT],
                      0);
    ck_assert_double_le((double)energy_fj(cost), (double)gpu->tdp_mw * (double)cost->time_ps * (1 + 1e-9) + 4);
}

START_TEST(gemm_cost_is_positive_complete_and_under_the_power_limit)
{
    const struct gpu_profile *gpu;
    for (size_t g = 0; catalogue_gpu_name(g); g++) {
        gpu = catalogue_gpu(catalogue_gpu_name(g));
        for (uint64_t i = 0; i < N_CASES; i++) {
            struct gpu_gemm gemm = random_gemm(key(1), i);
            struct cost cost;
            gpu_gemm_cost(gpu, &gemm, &cost);
            check_power(gpu, &cost);
            ck_assert_uint_ge(cost.time_ps, gpu->launch_ps);
            ck_assert_uint_eq(cost.flops, 2 * gemm.batch * gemm.m * gemm.n * gemm.k);
            ck_assert_uint_ge(cost.bytes, 2 * gemm.batch * (gemm.m * gemm.k + gemm.k * gemm.n + gemm.m * gemm.n));
            ck_assert_double_ge((double)cost.time_ps, (double)cost.flops / gpu->fp16_flops_per_s * 1e12);
            ck_assert_double_ge((double)cost.time_ps, (double)cost.bytes / gpu->dram_bytes_per_s * 1e12);
        }
    }
}
END_TEST

START_TEST(gemm_time_never_falls_when_a_dimension_doubles)
{
    static const char *const names[] = {"a100-80g", "h100-sxm"};
    for (int g = 0; g < 2; g++) {
        const struct gpu_profile *gpu = catalogue_gpu(names[g]);
        for (uint64_t i = 0; i < N_CASES; i++) {
            struct gpu_gemm gemm = random_gemm(key(2), i), m = gemm, n = gemm, k = gemm, b = gemm;
            m.m *= 2, n.n *= 2, k.k *= 2, b.batch *= 2;
            uint64_t once = gemm_ps(gpu, gemm);
            ck_assert_uint_ge(gemm_ps(gpu, m), once);
            ck_assert_uint_ge(gemm_ps(gpu, n), once);
            ck_assert_uint_ge(gemm_ps(gpu, b), once);
            /* Twice the depth allows twice the splits: equal but for the rounding of the depth. */
            ck_assert_double_ge((double)gemm_ps(gpu, k), 0.999 * (double)once);
        }
    }
}
END_TEST

START_TEST(gemm_is_symmetric_in_m_and_n)
{
    const struct gpu_profile *gpu = catalogue_gpu("h200-sxm");
    for (uint64_t i = 0; i < 200; i++) {
        struct gpu_gemm gemm = random_gemm(key(3), i), turned = gemm;
        turned.m = gemm.n, turned.n = gemm.m;
        ck_assert_uint_eq(gemm_ps(gpu, gemm), gemm_ps(gpu, turned));
    }
}
END_TEST

START_TEST(huge_gemm_runs_at_the_sustained_rate_and_tiny_at_the_floor)
{
    static const char *const names[] = {"v100", "a100-80g", "h100-sxm", "h200-sxm"};
    for (int g = 0; g < 4; g++) {
        const struct gpu_profile *gpu = catalogue_gpu(names[g]);
        struct gpu_gemm huge = {1, 16384, 16384, 16384, GPU_FP16, 2, 2}, tiny = {1, 16, 16, 32, GPU_FP16, 2, 2};
        double rate = 2.0 * 16384 * 16384 * 16384 / ((double)gemm_ps(gpu, huge) * 1e-12);
        double sustained = gpu->fp16_flops_per_s * gpu->matrix_share * gpu->sustained_share;
        ck_assert_double_le(rate, sustained);
        ck_assert_double_ge(rate, 0.85 * sustained);
        ck_assert_double_le((double)gemm_ps(gpu, tiny), 1.2 * (double)gpu->launch_ps);
    }
}
END_TEST

START_TEST(one_tile_more_than_a_wave_costs_more_on_an_a100)
{
    struct gpu_profile gpu = *catalogue_gpu("a100-80g");
    gpu.dram_bytes_per_s *= 1e6; /* arithmetic alone */
    gpu.tdp_mw *= 1000;
    gpu.last_wave_share = 1.0;
    /* 108 x (256 x 128) of results fill one wave exactly; one row more starts another of some tile. */
    struct gpu_gemm full = {1, 256 * 27, 128 * 4, 8192, GPU_BF16, 2, 2}, more = full;
    more.m += 1;
    double one = (double)(gemm_ps(&gpu, full) - gpu.launch_ps), two = (double)(gemm_ps(&gpu, more) - gpu.launch_ps);
    double ideal =
        2.0 * 256 * 27 * 128 * 4 * 8192 / (gpu.bf16_flops_per_s * gpu.matrix_share * gpu.sustained_share) * 1e12;
    ck_assert_double_eq_tol(one / ideal, 1.0, 1e-3);
    ck_assert_double_ge(two, 1.15 * one);
    ck_assert_double_le(two, 2.0 * one + 1.0);
    gpu.last_wave_share = 0.0;
    ck_assert_double_le((double)(gemm_ps(&gpu, more) - gpu.launch_ps), 1.1 * one);
}
END_TEST

START_TEST(unsupported_arithmetic_is_told)
{
    ck_assert_int_eq(gpu_supports_math(catalogue_gpu("v100"), GPU_BF16), 0);
    ck_assert_int_eq(gpu_supports_math(catalogue_gpu("a100-80g"), GPU_FP8), 0);
    ck_assert_int_eq(gpu_supports_math(catalogue_gpu("h100-sxm"), GPU_FP8), 1);
    for (size_t g = 0; catalogue_gpu_name(g); g++)
        ck_assert_int_eq(gpu_supports_math(catalogue_gpu(catalogue_gpu_name(g)), GPU_FP16), 1);
}
END_TEST

START_TEST(streams_are_positive_monotone_and_never_faster_than_the_caches)
{
    for (size_t g = 0; catalogue_gpu_name(g); g++) {
        const struct gpu_profile *gpu = catalogue_gpu(catalogue_gpu_name(g));
        for (uint64_t i = 0; i < N_CASES; i++) {
            struct gpu_stream stream = {.kernel = (enum gpu_kernel)(i % N_GPU_KERNELS),
                                        .read_bytes = size_of(key(4), 0, i, 1e9),
                                        .write_bytes = size_of(key(4), 1, i, 1e9),
                                        .flops = size_of(key(4), 2, i, 1e9)};
            struct cost once, twice;
            gpu_stream_cost(gpu, &stream, &once);
            check_power(gpu, &once);
            ck_assert_uint_eq(once.bytes, stream.read_bytes + stream.write_bytes);
            ck_assert_uint_eq(once.flops, stream.flops);
            ck_assert_double_ge((double)once.time_ps,
                                (double)once.bytes / fmax(gpu->l2_bytes_per_s, gpu->dram_bytes_per_s) * 1e12);
            stream.read_bytes *= 2, stream.write_bytes *= 2, stream.flops *= 2;
            gpu_stream_cost(gpu, &stream, &twice);
            ck_assert_uint_ge(twice.time_ps, once.time_ps);
        }
    }
}
END_TEST

static struct gpu_attention random_attention(struct rng_key k, uint64_t i)
{
    uint64_t group = size_of(k, 0, i, 16), kv = size_of(k, 1, i, 16), queries = size_of(k, 2, i, 4096);
    return (struct gpu_attention){.batch = size_of(k, 3, i, 64),
                                  .heads = group * kv,
                                  .kv_heads = kv,
                                  .n_query = i % 3 ? queries : 1,
                                  .n_key = queries + size_of(k, 4, i, 8192),
                                  .head_width = 32 << (i % 3),
                                  .math = GPU_FP16,
                                  .operand_bytes = 2,
                                  .causal = (int)(i % 2)};
}

START_TEST(attention_is_positive_and_its_parts_compare_as_they_should)
{
    static const char *const names[] = {"v100", "a100-80g", "h100-sxm"};
    for (int g = 0; g < 3; g++) {
        const struct gpu_profile *gpu = catalogue_gpu(names[g]);
        for (uint64_t i = 0; i < N_CASES; i++) {
            struct gpu_attention a = random_attention(key(5), i);
            struct cost fused, unfused, backward, more;
            gpu_attention_cost(gpu, &a, &unfused);
            a.fused = 1;
            gpu_attention_cost(gpu, &a, &fused);
            check_power(gpu, &fused);
            check_power(gpu, &unfused);
            ck_assert_uint_lt(fused.bytes, unfused.bytes + 1);
            a.backward = 1;
            gpu_attention_cost(gpu, &a, &backward);
            ck_assert_uint_ge(backward.time_ps, fused.time_ps);
            ck_assert_uint_ge(backward.flops, 2 * fused.flops);
            a.backward = 0;
            a.batch *= 2;
            gpu_attention_cost(gpu, &a, &more);
            ck_assert_double_ge((double)more.time_ps, 0.999 * (double)fused.time_ps);
            ck_assert_uint_eq(more.flops, 2 * fused.flops);
        }
    }
}
END_TEST

START_TEST(a_causal_mask_halves_the_arithmetic_of_long_prompts)
{
    const struct gpu_profile *gpu = catalogue_gpu("h100-sxm");
    struct gpu_attention a = {8, 32, 32, 32768, 32768, 128, GPU_BF16, 2, 0, 0, 1, 0, 0, NULL};
    struct cost full, causal;
    gpu_attention_cost(gpu, &a, &full);
    a.causal = 1;
    gpu_attention_cost(gpu, &a, &causal);
    ck_assert_double_eq_tol((double)causal.flops / (double)full.flops, 0.5, 1e-3);
    ck_assert_double_eq_tol((double)causal.time_ps / (double)full.time_ps, 0.5, 0.03);
}
END_TEST

/* From one block of everything, which is no mask, to blocks of 1, the plain causal mask; pairs counted one by one. */
START_TEST(a_mask_of_blocks_lies_between_none_and_a_plain_one)
{
    const struct gpu_profile *gpu = catalogue_gpu("a100-80g");
    for (uint64_t i = 0; i < N_CASES; i++) {
        uint64_t keys = size_of(key(6), 0, i, 300), queries = 1 + size_of(key(6), 1, i, keys) % keys;
        uint64_t block = size_of(key(6), 2, i, keys), pairs = 0;
        struct gpu_attention a = {3, 4, 4, queries, keys, 64, GPU_BF16, 2, 0, 0, 1, 0, 0, NULL};
        struct cost full, plain, blocks;
        gpu_attention_cost(gpu, &a, &full);
        a.causal = 1;
        gpu_attention_cost(gpu, &a, &plain);
        a.causal_block = block;
        gpu_attention_cost(gpu, &a, &blocks);
        for (uint64_t q = keys - queries; q < keys; q++)
            pairs += (q / block + 1) * block < keys ? (q / block + 1) * block : keys;
        ck_assert_uint_eq(blocks.flops, 12 * 4 * 64 * pairs);
        ck_assert_uint_le(plain.flops, blocks.flops);
        ck_assert_uint_le(blocks.flops, full.flops);
        ck_assert_uint_le(plain.time_ps, blocks.time_ps);
        ck_assert_uint_le(blocks.time_ps, full.time_ps);
        a.fused = 0;
        gpu_attention_cost(gpu, &a, &blocks);
        a.causal = 0;
        gpu_attention_cost(gpu, &a, &full);
        ck_assert_uint_eq(blocks.time_ps, full.time_ps);
        check_power(gpu, &blocks);
    }
}
END_TEST

START_TEST(decoding_long_contexts_reads_memory_at_its_rate)
{
    const struct gpu_profile *gpu = catalogue_gpu("h200-sxm");
    struct gpu_attention a = {64, 64, 8, 1, 65536, 128, GPU_BF16, 2, 1, 0, 1, 0, 0, NULL};
    struct cost cost;
    gpu_attention_cost(gpu, &a, &cost);
    double rate = (double)cost.bytes / ((double)cost.time_ps * 1e-12);
    ck_assert_double_ge(rate, 0.8 * gpu->dram_bytes_per_s);
    ck_assert_double_le(rate, gpu->dram_bytes_per_s);
}
END_TEST

START_TEST(idle_costs_idle_power)
{
    const struct gpu_profile *gpu = catalogue_gpu("a100-80g");
    ck_assert_uint_eq(gpu_idle_energy_fj(gpu, 1000000), 1000000 * gpu->idle_power_mw);
    ck_assert_uint_le(gpu->idle_power_mw, gpu->base_power_mw);
}
END_TEST

START_TEST(profiles_are_in_order)
{
    for (size_t g = 0; catalogue_gpu_name(g); g++) {
        const struct gpu_profile *gpu = catalogue_gpu(catalogue_gpu_name(g));
        ck_assert_uint_lt(gpu->idle_power_mw, gpu->base_power_mw);
        ck_assert_uint_lt(gpu->base_power_mw, gpu->tdp_mw / 4);
        for (int m = 0; m < N_GPU_MATHS; m++)
            ck_assert_double_ge(gpu_peak_flops_per_s(gpu, (enum gpu_math)m), 0.0);
        ck_assert(gpu->matrix_share <= 1.0 && gpu->sustained_share <= 1.0 && gpu->dram_read_share <= 1.0);
        ck_assert(gpu->last_wave_share <= 1.0 && gpu->attention_share <= 1.0 && gpu->attention_memory_share <= 1.0);
        ck_assert_double_gt(gpu->l2_bytes_per_s, gpu->dram_bytes_per_s);
    }
}
END_TEST

START_TEST(each_constant_stands_once_in_the_catalogue)
{
    size_t n = 0;
    for (; catalogue_entry(n); n++) {
        const struct catalogue_entry *entry = catalogue_entry(n);
        unsigned char seen[128] = {0};
        ck_assert_uint_gt(entry->n_constants, 0);
        for (size_t i = 0; i < entry->n_constants; i++) {
            const struct constant *constant = &entry->constants[i];
            ck_assert_uint_lt(constant->field, entry->n_constants);
            ck_assert_msg(!seen[constant->field], "%s: %s twice", entry->name, entry->fields[constant->field].name);
            seen[constant->field] = 1;
            ck_assert(isfinite(constant->value) && constant->value >= 0);
            ck_assert_uint_gt(strlen(constant->source), 5);
            ck_assert_uint_gt(strlen(entry->fields[constant->field].unit), 0);
        }
    }
    ck_assert_uint_ge(n, 6 + 1 + 8);
    ck_assert_ptr_null(catalogue_gpu("a100"));
    ck_assert_ptr_null(catalogue_link("nvlink"));
}
END_TEST

START_TEST(the_catalogue_prints_what_is_used)
{
    const struct gpu_profile *gpu = catalogue_gpu("a100-hbm3");
    int found = 0;
    for (size_t n = 0; catalogue_entry(n); n++) {
        const struct catalogue_entry *entry = catalogue_entry(n);
        for (size_t i = 0; strcmp(entry->name, "a100-hbm3") == 0 && i < entry->n_constants; i++) {
            const char *name = entry->fields[entry->constants[i].field].name;
            if (strcmp(name, "dram_bytes_per_s") == 0)
                found += entry->constants[i].value == gpu->dram_bytes_per_s && gpu->dram_bytes_per_s == 3352e9;
            if (strcmp(name, "tdp_mw") == 0)
                found += entry->constants[i].value == (double)gpu->tdp_mw;
        }
    }
    ck_assert_int_eq(found, 2);
}
END_TEST

Suite *suite_device(void)
{
    Suite *suite = suite_create("device");
    TCase *gemm = tcase_create("gemm"), *stream = tcase_create("stream"), *attention = tcase_create("attention"),
          *catalogue = tcase_create("catalogue");
    tcase_add_test(gemm, gemm_cost_is_positive_complete_and_under_the_power_limit);
    tcase_add_test(gemm, gemm_time_never_falls_when_a_dimension_doubles);
    tcase_add_test(gemm, gemm_is_symmetric_in_m_and_n);
    tcase_add_test(gemm, huge_gemm_runs_at_the_sustained_rate_and_tiny_at_the_floor);
    tcase_add_test(gemm, one_tile_more_than_a_wave_costs_more_on_an_a100);
    tcase_add_test(gemm, unsupported_arithmetic_is_told);
    tcase_add_test(stream, streams_are_positive_monotone_and_never_faster_than_the_caches);
    tcase_add_test(attention, attention_is_positive_and_its_parts_compare_as_they_should);
    tcase_add_test(attention, a_causal_mask_halves_the_arithmetic_of_long_prompts);
    tcase_add_test(attention, a_mask_of_blocks_lies_between_none_and_a_plain_one);
    tcase_add_test(attention, decoding_long_contexts_reads_memory_at_its_rate);
    tcase_add_test(stream, idle_costs_idle_power);
    tcase_add_test(catalogue, profiles_are_in_order);
    tcase_add_test(catalogue, each_constant_stands_once_in_the_catalogue);
    tcase_add_test(catalogue, the_catalogue_prints_what_is_used);
    suite_add_tcase(suite, gemm);
    suite_add_tcase(suite, stream);
    suite_add_tcase(suite, attention);
    suite_add_tcase(suite, catalogue);
    return suite;
}
