/* test_mask_cost.c - what attention to neighbours alone costs: fused kernels on GPUs leave out tiles of which nothing
 * is seen, everything else computes every score. */
#include <check.h>
#include <string.h>

#include "folder.h"
#include "rank.h"
#include "rank_gpu.h"

Suite *suite_mask_cost(void);

enum { CASES = 40 };

static void cost_of(const char *kind, const char *profile, int fused, const struct op *op, struct cost *cost)
{
    const struct device_spec spec = {.name = "device0",
                                     .kind = kind,
                                     .profile = profile,
                                     .host_link = "pcie4",
                                     .idle_w = -1,
                                     .format = FORMAT_FP32,
                                     .fused_attention = fused};
    const struct device *device = device_find(kind);
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    void *state;
    ck_assert_msg(device->open(&spec, arena, &state, &fault) == STATUS_OK, "%s", fault.text);
    device->cost(state, op, cost);
    arena_free(arena);
}

static uint64_t energy_of(const struct cost *cost)
{
    uint64_t energy_fj = 0;
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        energy_fj += cost->energy_fj[p];
    return energy_fj;
}

static void expect_equal(const struct cost *a, const struct cost *b)
{
    ck_assert_uint_eq(a->time_ps, b->time_ps);
    ck_assert_mem_eq(a->energy_fj, b->energy_fj, sizeof a->energy_fj);
    ck_assert(a->flops == b->flops && a->bytes == b->bytes && a->cell_writes == b->cell_writes);
}

static struct op attention(int64_t places, int64_t steps, int is_causal, int is_backward)
{
    int64_t n = places * steps;
    return (struct op){.kind = is_backward ? OP_ATTENTION_BWD : OP_ATTENTION,
                       .samples = 4,
                       .rows = 4 * n,
                       .n_query = n,
                       .n_key = n,
                       .heads = 2,
                       .head_width = 16,
                       .packed = 1,
                       .causal_block = is_causal ? places : 0};
}

/* Places in their order; each sees those up to `reach` away. */
static uint8_t *band(struct arena *arena, int64_t n, int64_t reach)
{
    uint8_t *sees = arena_array(arena, (size_t)(n * n), 1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            sees[i * n + j] = (i > j ? i - j : j - i) <= reach;
    return sees;
}

/* Nothing by chance, all of it with the whole mask; a smaller mask never costs more, and none of them is free. */
START_TEST(less_is_never_more)
{
    static const char *const gpus[] = {"a100-80g", "h100-sxm", "v100"};
    struct dice d = dice(47000 + (uint32_t)_i);
    struct arena *arena = arena_new();
    int64_t places = 1 + (int64_t)below(&d, 300), steps = 1 + (int64_t)below(&d, 3);
    struct op op = attention(places, steps, (int)below(&d, 2), (int)below(&d, 2));
    int64_t reach[] = {places, (int64_t)below(&d, (uint64_t)places), 0};
    reach[2] = (int64_t)below(&d, (uint64_t)reach[1] + 1);
    const char *gpu = gpus[below(&d, 3)];
    struct cost dense, before, cost;
    cost_of("gpu", gpu, 1, &op, &dense);
    before = dense;
    for (int r = 0; r < 3; r++) {
        struct neighbours near = {.n = places, .sees = band(arena, places, reach[r])};
        op.near = &near;
        cost_of("gpu", gpu, 1, &op, &cost);
        if (r == 0)
            expect_equal(&cost, &dense);
        ck_assert_uint_le(cost.time_ps, before.time_ps);
        ck_assert_uint_le(cost.flops, dense.flops);
        ck_assert_uint_le(energy_of(&cost), energy_of(&dense));
        ck_assert_uint_eq(cost.bytes, dense.bytes);
        ck_assert(cost.time_ps > 0 && cost.flops > 0 && energy_of(&cost) > 0);
        before = cost;
    }
    arena_free(arena);
}
END_TEST

/* Unfused kernels and systolic arrays compute every score. */
START_TEST(nothing_is_saved_elsewhere)
{
    struct dice d = dice(48000 + (uint32_t)_i);
    struct arena *arena = arena_new();
    int64_t places = 200 + (int64_t)below(&d, 200);
    struct op dense = attention(places, 1, (int)below(&d, 2), (int)below(&d, 2)), op = dense;
    const struct neighbours near = {.n = places, .sees = band(arena, places, 1)};
    op.near = &near;
    for (int k = 0; k < 3; k++) {
        const char *kind = k ? "systolic" : "gpu", *profile = k ? "systolic-128-7nm" : "a100-80g";
        struct cost whole, masked;
        cost_of(kind, profile, k == 2, &dense, &whole);
        cost_of(kind, profile, k == 2, &op, &masked);
        expect_equal(&masked, &whole);
    }
    arena_free(arena);
}
END_TEST

/* 2,048 places in a line, each sees four on either side. Blocks of 64 queries go through their own tile of keys and one
 * on either side, blocks of 128 through four tiles; the first and the last block have one less. */
START_TEST(a_band_leaves_its_tiles)
{
    enum { N = 2048 };
    struct arena *arena = arena_new();
    struct op op = attention(N, 1, 0, 0);
    const struct neighbours near = {.n = N, .sees = band(arena, N, 4)};
    struct cost dense, cost;
    cost_of("gpu", "a100-80g", 1, &op, &dense);
    op.near = &near;
    cost_of("gpu", "a100-80g", 1, &op, &cost);
    const uint64_t small = (3 * N / 64 - 2) * 64 * 64, large = (4 * N / 128 - 2) * 128 * 64, each = 4 * 2 * 4 * 16;
    ck_assert_msg(cost.flops == each * small || cost.flops == each * large, "%llu FLOP of %llu",
                  (unsigned long long)cost.flops, (unsigned long long)dense.flops);
    ck_assert_uint_eq(dense.flops, each * N * N);
    ck_assert_uint_lt(2 * cost.time_ps, dense.time_ps);
    struct gpu_tiles tiles = gpu_tiles_of(&op, 64);
    ck_assert_uint_eq(tiles.most_keys, 3 * 64);
    ck_assert_double_eq_tol(tiles.key_share, (3.0 * N / 64 - 2) / (N / 64.0) / (N / 64.0), 1e-15);
    ck_assert_double_eq_tol(tiles.pair_share, tiles.key_share, 1e-15);
    arena_free(arena);
}
END_TEST

/* Pairs and keys counted one by one. */
START_TEST(tiles_as_counted)
{
    struct dice d = dice(49000 + (uint32_t)_i);
    struct arena *arena = arena_new();
    int64_t places = 1 + (int64_t)below(&d, 150), steps = 1 + (int64_t)below(&d, 3), rows = below(&d, 2) ? 64 : 128;
    struct op op = attention(places, steps, (int)below(&d, 2), 0);
    uint8_t *sees = band(arena, places, 0);
    for (uint64_t k = below(&d, 60); k > 0; k--)
        sees[below(&d, (uint64_t)(places * places))] = 1;
    const struct neighbours near = {.n = places, .sees = sees};
    op.near = &near;
    int64_t n = op.n_query, keys = 0, left_keys = 0, pairs = 0, left_pairs = 0, most = 0;
    for (int64_t i = 0; i < n; i += rows) {
        int64_t here = 0;
        for (int64_t j = 0; j < n; j += 64) {
            int64_t open = 0, seen = 0;
            for (int64_t q = i; q < i + rows && q < n; q++)
                for (int64_t k = j; k < j + 64 && k < n; k++) {
                    int is_open = !op.causal_block || k / places <= q / places;
                    open += is_open;
                    seen += is_open && sees[q % places * places + k % places];
                }
            int64_t width = open ? (n - j < 64 ? n - j : 64) : 0;
            keys += width, pairs += open;
            here += seen ? width : 0, left_pairs += seen ? open : 0;
        }
        left_keys += here;
        most = here > most ? here : most;
    }
    struct gpu_tiles tiles = gpu_tiles_of(&op, rows);
    ck_assert_double_eq_tol(tiles.key_share, (double)left_keys / (double)keys, 1e-15);
    ck_assert_double_eq_tol(tiles.pair_share, (double)left_pairs / (double)pairs, 1e-15);
    ck_assert_uint_eq(tiles.most_keys, (uint64_t)most);
    arena_free(arena);
}
END_TEST

Suite *suite_mask_cost(void)
{
    Suite *suite = suite_create("mask_cost");
    TCase *tcase = tcase_create("mask_cost");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, less_is_never_more, 0, CASES);
    tcase_add_loop_test(tcase, nothing_is_saved_elsewhere, 0, 8);
    tcase_add_test(tcase, a_band_leaves_its_tiles);
    tcase_add_loop_test(tcase, tiles_as_counted, 0, CASES);
    suite_add_tcase(suite, tcase);
    return suite;
}
