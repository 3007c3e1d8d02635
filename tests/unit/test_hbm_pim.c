#include <check.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/rng.h"
#include "command/reproduce_attacc.h"
#include "device/catalogue.h"
#include "device/hbm_pim_channel.h"
#include "device/hbm_pim_load.h"

Suite *suite_hbm_pim(void);

enum { CASES = 150 };

/* A profile of the catalogue, with or without the power limit. */
static struct hbm_pim_profile some_pim(struct rng_key key, uint64_t i)
{
    struct hbm_pim_profile pim = *catalogue_hbm_pim(catalogue_hbm_pim_name(i % 3));
    pim.power_limited = (int)rng_below(key, 1, i, 2);
    return pim;
}

static struct hbm_pim_head some_head(struct rng_key key, uint64_t i)
{
    static const int64_t widths[] = {64, 80, 128, 160, 256};
    return (struct hbm_pim_head){.tokens = 1 + (int64_t)rng_below(key, 2, i, 3000),
                                 .width = widths[rng_below(key, 3, i, 5)],
                                 .element_bytes = 1 + (int)rng_below(key, 4, i, 2),
                                 .queries = 1 + (int)rng_below(key, 5, i, 8)};
}

START_TEST(profiles_hold_together)
{
    char text[256];
    int n = 0;
    for (; catalogue_hbm_pim_name((size_t)n); n++) {
        const struct hbm_pim_profile *pim = catalogue_hbm_pim(catalogue_hbm_pim_name((size_t)n));
        ck_assert_ptr_null(hbm_pim_problem(pim, text, sizeof text));
        ck_assert_uint_eq(hbm_pim_stack_bytes(pim), 16ull << 30);
        ck_assert_int_eq(hbm_pim_channels(pim), 80);
    }
    ck_assert_int_eq(n, 3);
    struct hbm_pim_profile odd = *catalogue_hbm_pim("attacc-bank");
    odd.stacks = 0;
    ck_assert_str_eq(hbm_pim_problem(&odd, text, sizeof text), "stacks: expected 1 to 1024, found 0");
    odd = *catalogue_hbm_pim("attacc-bank");
    odd.refi_cycles = 100;
    ck_assert_ptr_nonnull(hbm_pim_problem(&odd, text, sizeof text));
    odd = *catalogue_hbm_pim("attacc-bank");
    odd.mac_fj = NAN;
    ck_assert_ptr_nonnull(hbm_pim_problem(&odd, text, sizeof text));
    ck_assert_ptr_null(catalogue_hbm_pim("attacc"));
}
END_TEST

/* Counts by the definition: every token and every column of a head's width is covered, none twice over. */
START_TEST(commands_cover_the_head)
{
    struct rng_key key = rng_key(11, RNG_TEST, 1);
    for (uint64_t i = 0; i < CASES; i++) {
        struct hbm_pim_profile pim = some_pim(key, i);
        struct hbm_pim_head head = some_head(key, i);
        struct hbm_pim_work work = hbm_pim_work(&pim, head.tokens, head.width, head.element_bytes);
        int64_t lanes = 32 / head.element_bytes, issued = work.macs * hbm_pim_units(&pim) * lanes,
                needed = head.tokens * head.width, step = hbm_pim_token_step(&pim),
                padded = (head.tokens + step - 1) / step * step * work.columns * hbm_pim_width_ways(&pim) * lanes;
        ck_assert_int_ge(issued, needed);
        ck_assert_int_eq(issued, padded);
        ck_assert_int_eq(work.macs % work.columns, 0);
        ck_assert_int_ge(work.chunks * 16 * step, head.tokens);
        ck_assert_int_lt((work.chunks - 1) * 16 * step, head.tokens);
        ck_assert_int_eq(work.queries_in, work.columns * hbm_pim_width_ways(&pim));
    }
}
END_TEST

START_TEST(time_and_energy_grow_with_everything)
{
    struct rng_key key = rng_key(12, RNG_TEST, 1);
    for (uint64_t i = 0; i < CASES; i++) {
        struct hbm_pim_profile pim = some_pim(key, i);
        struct hbm_pim_head head = some_head(key, i), more = head;
        struct cost cost, longer;
        hbm_pim_head_cost(&pim, &head, &cost);
        ck_assert_uint_eq(cost.time_ps, hbm_pim_head_ps(&pim, &head));
        ck_assert_uint_gt(cost.energy_fj[ENERGY_DRAM], 0);
        ck_assert_uint_gt(cost.energy_fj[ENERGY_COMPUTE], 0);
        ck_assert_uint_gt(cost.energy_fj[ENERGY_SRAM], 0);
        ck_assert_uint_eq(cost.energy_fj[ENERGY_LINK] + cost.energy_fj[ENERGY_STATIC], 0);
        ck_assert_uint_eq(cost.flops, (uint64_t)(head.tokens * head.queries * (4 * head.width + 5)));
        more.tokens += 1 + (int64_t)rng_below(key, 6, i, 200);
        hbm_pim_head_cost(&pim, &more, &longer);
        ck_assert_uint_ge(longer.time_ps, cost.time_ps);
        ck_assert_uint_ge(hbm_pim_stream_ps(&pim, &more), hbm_pim_stream_ps(&pim, &head));
        ck_assert_uint_ge(longer.energy_fj[ENERGY_DRAM], cost.energy_fj[ENERGY_DRAM]);
        ck_assert_uint_gt(longer.energy_fj[ENERGY_COMPUTE], cost.energy_fj[ENERGY_COMPUTE] - 1);
        more = head;
        more.queries++;
        ck_assert_uint_gt(hbm_pim_head_ps(&pim, &more), cost.time_ps);
        /* Rows are opened once for all queries. */
        hbm_pim_head_cost(&pim, &more, &longer);
        ck_assert_uint_lt((uint64_t)head.queries * longer.energy_fj[ENERGY_DRAM],
                          (uint64_t)more.queries * cost.energy_fj[ENERGY_DRAM]);
    }
}
END_TEST

/* A unit at every bank beats one at every group, which beats the buffer die; the limit costs time at banks and groups
 * alone. Energy per bit read goes the same way. */
START_TEST(placements_are_ordered)
{
    struct rng_key key = rng_key(13, RNG_TEST, 1);
    for (uint64_t i = 0; i < CASES; i++) {
        struct hbm_pim_head head = some_head(key, i);
        head.tokens += 512;
        struct cost cost[3], limited[3];
        for (size_t p = 0; p < 3; p++) {
            struct hbm_pim_profile pim = *catalogue_hbm_pim(catalogue_hbm_pim_name(p));
            hbm_pim_head_cost(&pim, &head, &limited[p]);
            pim.power_limited = 0;
            hbm_pim_head_cost(&pim, &head, &cost[p]);
        }
        ck_assert_uint_lt(cost[0].time_ps, cost[1].time_ps);
        ck_assert_uint_lt(cost[1].time_ps, cost[2].time_ps);
        ck_assert_uint_lt(cost[0].time_ps, limited[0].time_ps);
        ck_assert_uint_lt(cost[1].time_ps, limited[1].time_ps);
        ck_assert_uint_eq(cost[2].time_ps, limited[2].time_ps);
        for (int p = 0; p < 3; p++)
            ck_assert_uint_eq(cost[p].energy_fj[ENERGY_DRAM], limited[p].energy_fj[ENERGY_DRAM]);
        if (head.width % 64 == 0) { /* no lanes lost to rounding */
            ck_assert_uint_lt(cost[0].energy_fj[ENERGY_DRAM], cost[1].energy_fj[ENERGY_DRAM]);
            ck_assert_uint_lt(cost[1].energy_fj[ENERGY_DRAM], cost[2].energy_fj[ENERGY_DRAM]);
        }
    }
}
END_TEST

/* Heads back to back: each head's score runs beside the weights of the one before, as hbm_pim_load.h says. Cycles of
 * the replica with its refreshes. */
static uint64_t replica_ps(const struct hbm_pim_profile *pim, const int64_t *tokens, int heads, int64_t width)
{
    struct hbm_pim_channel channel;
    int64_t base = 0;
    hbm_pim_channel_start(&channel, pim);
    for (int h = 0; h <= heads; h++) {
        if (h < heads) {
            struct hbm_pim_work work = hbm_pim_work(pim, tokens[h], width, 2);
            struct hbm_pim_step in = {.transfers = work.queries_in, .transfer_cycles = 4, .barrier = 1};
            hbm_pim_channel_step(&channel, &in);
            for (int64_t c = 0; c < work.chunks; c++) {
                int64_t from = work.macs * c / work.chunks, to = work.macs * (c + 1) / work.chunks;
                struct hbm_pim_step step = {.first = base + from,
                                            .macs = to - from,
                                            .transfers = work.scores_out / work.chunks,
                                            .transfer_cycles = 2,
                                            .barrier = 1};
                hbm_pim_channel_step(&channel, &step);
            }
        }
        if (h > 0) {
            struct hbm_pim_work work = hbm_pim_work(pim, tokens[h - 1], width, 2);
            for (int64_t c = 0; c < work.columns; c++) {
                struct hbm_pim_step step = {.first = base - (1 << 19) + (1 << 18) + c * (work.macs / work.columns),
                                            .macs = work.macs / work.columns,
                                            .transfers = (work.weights_in + work.results_out) / work.columns,
                                            .transfer_cycles = 2,
                                            .barrier = 1};
                hbm_pim_channel_step(&channel, &step);
            }
        }
        base += 1 << 19;
    }
    return (uint64_t)hbm_pim_channel_end(&channel) * pim->clock_ps;
}

START_TEST(heads_of_a_channel_add_up)
{
    struct rng_key key = rng_key(14, RNG_TEST, 1);
    double worst = 0;
    for (uint64_t i = 0; i < CASES; i++) {
        struct hbm_pim_profile pim = some_pim(key, i);
        static const int64_t widths[] = {64, 128, 160};
        int64_t tokens[12], width = widths[rng_below(key, 7, i, 3)];
        int heads = 1 + (int)rng_below(key, 8, i, 12);
        struct arena *arena = arena_new();
        struct hbm_pim_load *load = hbm_pim_load_new(hbm_pim_table_new(&pim, width, 2, 1, 8192, arena), arena);
        for (int h = 0; h < heads; h++) {
            tokens[h] = 16 * (16 + (int64_t)rng_below(key, 9, 12 * i + (uint64_t)h, 200));
            hbm_pim_load_add(load, 5, tokens[h]);
        }
        struct cost cost;
        hbm_pim_attention_cost(load, &cost);
        double ratio = (double)cost.time_ps / (double)replica_ps(&pim, tokens, heads, width);
        /* In a short list a refresh falls or not; here it is a share of the time, some 9 %. */
        if (cost.time_ps > 4 * (uint64_t)pim.refi_cycles * pim.clock_ps)
            worst = fmax(worst, fabs(ratio - 1));
        ck_assert_double_ge(ratio, 0.95);
        ck_assert_double_le(ratio, 1.3);
        arena_free(arena);
    }
    ck_assert_double_gt(worst, 0);
    ck_assert_double_lt(worst, 0.06);
}
END_TEST

START_TEST(a_load_follows_its_heads)
{
    struct rng_key key = rng_key(15, RNG_TEST, 1);
    for (uint64_t i = 0; i < 30; i++) {
        struct hbm_pim_profile pim = some_pim(key, i);
        struct arena *arena = arena_new();
        struct hbm_pim_table *table = hbm_pim_table_new(&pim, 128, 2, 2, 4096, arena);
        struct hbm_pim_load *load = hbm_pim_load_new(table, arena), *again = hbm_pim_load_new(table, arena);
        int64_t tokens[64];
        int channel[64];
        struct cost one, other, all = {0};
        hbm_pim_attention_cost(load, &one);
        ck_assert_int_eq(memcmp(&one, &all, sizeof one), 0);
        for (uint64_t h = 0; h < 64; h++) {
            tokens[h] = 1 + (int64_t)rng_below(key, 10, 64 * i + h, 2000);
            channel[h] = hbm_pim_load_least(load);
            hbm_pim_load_add(load, channel[h], tokens[h]);
        }
        for (uint64_t h = 0; h < 64; h++) {
            int64_t to = tokens[h] + (int64_t)rng_below(key, 11, 64 * i + h, 100);
            hbm_pim_load_grow(load, channel[h], tokens[h], to);
            tokens[h] = to;
        }
        for (int h = 0; h < 64; h += 3)
            hbm_pim_load_remove(load, channel[h], tokens[h]);
        for (int h = 0; h < 64; h++)
            if (h % 3)
                hbm_pim_load_add(again, channel[h], tokens[h]);
        hbm_pim_attention_cost(load, &one);
        hbm_pim_attention_cost(again, &other);
        ck_assert_int_eq(memcmp(&one, &other, sizeof one), 0);
        ck_assert_uint_gt(one.time_ps, 0);
        /* 42 heads on 80 channels: none shares one but those of the same step. */
        int64_t step = hbm_pim_token_step(&pim), most = 0;
        for (int h = 0; h < 64; h++)
            most = h % 3 && tokens[h] > most ? tokens[h] : most;
        struct hbm_pim_head head = {(most + step - 1) / step * step, 128, 2, 2};
        ck_assert_uint_ge(one.time_ps, hbm_pim_head_ps(&pim, &head));
        arena_free(arena);
    }
}
END_TEST

START_TEST(capacity_and_transfers)
{
    const struct hbm_pim_profile *pim = catalogue_hbm_pim("attacc-bank");
    /* GPT-175B: 96 layers, 12 heads of 128 on each of eight devices, fp16: 2 x 2 x 96 x 12 x 128 bytes a token. */
    ck_assert_uint_eq(hbm_pim_token_bytes(pim, 96, 12, 128, 2), 589824);
    ck_assert_uint_eq(hbm_pim_capacity_tokens(pim, 96, 12, 128, 2), (80ull << 30) / 589824);
    /* A width of 160 takes three columns of four banks where two and a half would do. */
    ck_assert_uint_eq(hbm_pim_token_bytes(pim, 1, 1, 160, 2), 2 * 3 * 4 * 32);
    ck_assert_uint_eq(hbm_pim_token_bytes(catalogue_hbm_pim("attacc-bank-group"), 1, 1, 160, 2), 2 * 320);
    struct cost cost, twice;
    hbm_pim_stream_bytes_cost(pim, 1 << 30, &cost);
    ck_assert_double_eq_tol((double)cost.time_ps, 1e12 * (1 << 30) / (5 * 670.4e9), 1);
    ck_assert_uint_eq(cost.bytes, 1 << 30);
    hbm_pim_append_cost(pim, 12 * 64, 128, 2, &cost);
    hbm_pim_append_cost(pim, 24 * 64, 128, 2, &twice);
    ck_assert_uint_eq(cost.bytes, 12 * 64 * 512);
    ck_assert_uint_gt(twice.time_ps, cost.time_ps);
    ck_assert_uint_lt(twice.time_ps, 2 * cost.time_ps);
    ck_assert_double_eq_tol((double)twice.energy_fj[ENERGY_DRAM], 2 * (double)cost.energy_fj[ENERGY_DRAM], 2);
    /* Per byte, scattered appends cost more than whole rows. */
    hbm_pim_stream_bytes_cost(pim, cost.bytes, &twice);
    ck_assert_uint_gt(cost.energy_fj[ENERGY_DRAM], twice.energy_fj[ENERGY_DRAM]);
    ck_assert_uint_gt(hbm_pim_static_mw(pim), 5 * 1000);
}
END_TEST

/* One head of the public simulator's DRAM model. Ours has a softmax and a share of refresh whatever the length. */
START_TEST(one_head_takes_what_the_dram_model_says)
{
    struct arena *arena = arena_new();
    struct table table = {0};
    struct fault fault = FAULT_NONE;
    ck_assert_msg(table_read(&table, "tests/golden/attacc/onehead.csv", arena, &fault) == STATUS_OK, "%s", fault.text);
    ck_assert_uint_gt(table.n_rows, 10);
    for (size_t row = 0; row < table.n_rows; row++) {
        struct hbm_pim_profile pim;
        double tokens, width, bytes, cycles;
        ck_assert_int_eq(attacc_row_stack(&table, row, &pim, &fault), STATUS_OK);
        ck_assert_int_eq(attacc_cell(&table, row, "L", &tokens, &fault), STATUS_OK);
        ck_assert_int_eq(attacc_cell(&table, row, "dhead", &width, &fault), STATUS_OK);
        ck_assert_int_eq(attacc_cell(&table, row, "dbyte", &bytes, &fault), STATUS_OK);
        ck_assert_int_eq(attacc_cell(&table, row, "cycles_attention", &cycles, &fault), STATUS_OK);
        struct hbm_pim_head head = {(int64_t)tokens, (int64_t)width, (int)bytes, 1};
        double loss = pim.placement == HBM_PIM_BANK ? 438 : 478,
               softmax = (double)(hbm_pim_softmax_ps(&pim, &head) / pim.clock_ps),
               ours = (double)(hbm_pim_head_ps(&pim, &head) / pim.clock_ps) * (1 - loss / 5070) - softmax,
               theirs = cycles - loss * floor(cycles / 5070);
        ck_assert_double_lt(fabs(ours / theirs - 1), tokens < 256 ? 0.1 : 0.02);
    }
    arena_free(arena);
}
END_TEST

/* A list's time without refresh is that of its parts or more, and refreshes lengthen it. */
START_TEST(a_channel_refreshes)
{
    struct rng_key key = rng_key(16, RNG_TEST, 1);
    for (uint64_t i = 0; i < CASES; i++) {
        struct hbm_pim_profile pim = some_pim(key, i), calm = pim;
        calm.refi_cycles = 1 << 30;
        int64_t macs = 2000 + (int64_t)rng_below(key, 12, i, 20000);
        struct hbm_pim_step step = {.macs = macs, .barrier = 1};
        struct hbm_pim_channel channel, quiet;
        hbm_pim_channel_start(&channel, &pim);
        hbm_pim_channel_start(&quiet, &calm);
        hbm_pim_channel_step(&channel, &step);
        hbm_pim_channel_step(&quiet, &step);
        int64_t end = hbm_pim_channel_end(&channel), plain = hbm_pim_channel_end(&quiet);
        ck_assert_int_eq(quiet.refreshes, 0);
        ck_assert_int_ge(plain, (macs - 1) * hbm_pim_mac_interval(&pim));
        ck_assert_int_ge(channel.refreshes, plain / pim.refi_cycles - 1);
        ck_assert_int_le(channel.refreshes, end / pim.refi_cycles);
        ck_assert_int_ge(end - plain, channel.refreshes * (pim.rfc_cycles - pim.rp_cycles));
        ck_assert_int_le(end - plain, channel.refreshes * (pim.rfc_cycles + 50));
        /* Transfers beside the MACs that have time enough cost nothing. */
        struct hbm_pim_step with = step;
        with.transfers = 8;
        with.transfer_cycles = 2;
        hbm_pim_channel_start(&quiet, &calm);
        hbm_pim_channel_step(&quiet, &with);
        ck_assert_int_eq(hbm_pim_channel_end(&quiet), plain);
        hbm_pim_channel_wait(&quiet, 100);
        with.macs = 0;
        hbm_pim_channel_step(&quiet, &with);
        ck_assert_int_ge(hbm_pim_channel_end(&quiet), plain + 100);
    }
}
END_TEST

Suite *suite_hbm_pim(void)
{
    Suite *suite = suite_create("hbm_pim");
    TCase *tcase = tcase_create("hbm_pim");
    tcase_add_test(tcase, profiles_hold_together);
    tcase_add_test(tcase, commands_cover_the_head);
    tcase_add_test(tcase, time_and_energy_grow_with_everything);
    tcase_add_test(tcase, placements_are_ordered);
    tcase_add_test(tcase, heads_of_a_channel_add_up);
    tcase_add_test(tcase, a_load_follows_its_heads);
    tcase_add_test(tcase, capacity_and_transfers);
    tcase_add_test(tcase, one_head_takes_what_the_dram_model_says);
    tcase_add_test(tcase, a_channel_refreshes);
    suite_add_tcase(suite, tcase);
    return suite;
}
