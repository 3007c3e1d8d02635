#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "command/cost_systolic.h"
#include "device/catalogue.h"
#include "device/systolic_replay.h"
#include "device/systolic_stream.h"

Suite *suite_systolic(void);

enum { N_CASES = 400 };

static const char golden[] = "tests/golden/systolic.csv"; /* SCALE-Sim v3, commit 1d62b68; 59 of its runs, all modes */

static struct rng_key key(uint32_t place)
{
    return rng_key(3, RNG_TEST, place);
}

/* A size between 1 and `most`, small ones as likely as large ones. */
static uint64_t size_of(struct rng_key k, uint32_t step, uint64_t i, double most)
{
    return (uint64_t)exp2(rng_uniform(k, step, i) * log2(most));
}

static enum status price_golden(struct table *table, char last[256], struct arena *arena, struct fault *fault)
{
    FILE *out = tmpfile();
    enum status status = systolic_table_price(table, 1, out, NULL, arena, fault);
    rewind(out);
    last[0] = 0;
    while (fgets(last, 256, out))
        ;
    fclose(out);
    return status;
}

START_TEST(every_golden_run_is_met_exactly)
{
    struct arena *arena = arena_new();
    struct table table;
    struct fault fault = FAULT_NONE;
    char last[256];
    ck_assert_msg(table_read(&table, golden, arena, &fault) == STATUS_OK, "%s", fault.text);
    ck_assert(systolic_table_matches(&table));
    ck_assert_uint_ge(table.n_rows, 55);
    ck_assert_msg(price_golden(&table, last, arena, &fault) == STATUS_OK, "%s", fault.text);
    ck_assert_str_eq(last, "rows 59, mean 0.00 %, max 0.0 %, failed 0\n");
    arena_free(arena);
}
END_TEST

/* A table whose numbers are off by one in one column of one row is not met. */
START_TEST(a_golden_run_that_is_wrong_is_found)
{
    static const char *const columns[] = {"compute_cycles",    "total_cycles",     "stall_cycles",
                                          "overall_cycles",    "ifmap_dram_reads", "filter_dram_reads",
                                          "ofmap_dram_writes", "ifmap_sram_reads", "ofmap_sram_writes"};
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        struct arena *arena = arena_new();
        struct table table;
        struct fault fault = FAULT_NONE;
        char last[256];
        size_t row = 0, column = 0;
        ck_assert_int_eq(table_read(&table, golden, arena, &fault), STATUS_OK);
        while (strcmp(table_cell(&table, row, "mode"), "USER") != 0)
            row++;
        while (strcmp(table.header[column], columns[c]) != 0)
            column++;
        const char **cell = &table.cells[row * table.n_columns + column];
        *cell = arena_printf(arena, "%lld", atoll(*cell) + 1);
        ck_assert_int_eq(price_golden(&table, last, arena, &fault), STATUS_INVALID);
        ck_assert_ptr_nonnull(strstr(last, "failed 1\n"));
        arena_free(arena);
    }
}
END_TEST

START_TEST(tables_with_impossible_sizes_are_refused)
{
    static const struct {
        const char *column, *value, *message;
    } cases[] = {
        {"M", "0", "tests/golden/systolic.csv:2: M: expected a whole number from 1 to 1000000, found '0'"},
        {"rows", "1.5", "tests/golden/systolic.csv:2: rows: expected a whole number from 1 to 4096, found '1.5'"},
        {"mode", "CALD", "tests/golden/systolic.csv:2: mode: 'CALD' is not known"},
        {"dataflow", "rs", "tests/golden/systolic.csv:2: dataflow: 'rs' is not known"}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct arena *arena = arena_new();
        struct table table;
        struct fault fault = FAULT_NONE;
        char last[256];
        size_t column = 0;
        ck_assert_int_eq(table_read(&table, golden, arena, &fault), STATUS_OK);
        while (strcmp(table.header[column], cases[c].column) != 0)
            column++;
        table.cells[column] = cases[c].value;
        ck_assert_int_eq(price_golden(&table, last, arena, &fault), STATUS_USAGE);
        ck_assert_str_eq(fault.text, cases[c].message);
        arena_free(arena);
    }
}
END_TEST

static struct systolic_product random_product(struct rng_key k, uint64_t i, double most)
{
    return (struct systolic_product){.m = size_of(k, 0, i, most),
                                     .n = size_of(k, 1, i, most),
                                     .k = size_of(k, 2, i, most),
                                     .rows = size_of(k, 3, i, 20),
                                     .cols = size_of(k, 4, i, 20),
                                     .dataflow = (enum systolic_dataflow)(i % N_SYSTOLIC_DATAFLOWS)};
}

/* Adds up what all lines of all folds ask for; each word of an operand equally often, and no other. */
static uint64_t count_requests(const struct mapping *map, const struct stream *stream, struct arena *arena)
{
    uint64_t n = 0;
    uint32_t *times = arena_array(arena, (size_t)stream->words, sizeof *times);
    for (int64_t c = 0; c < map->col_folds; c++)
        for (int64_t r = 0; r < map->row_folds; r++)
            for (int64_t l = 0; l < map->line_cycles; l++) {
                struct range range = stream_range(stream, map, r, c, l);
                ck_assert_msg(range.first >= 0 && range.first + range.n <= stream->words, "a word that is not there");
                for (int64_t w = 0; w < range.n; w++)
                    times[range.first + w]++;
                n += (uint64_t)range.n;
            }
    for (int64_t w = 1; w < stream->words; w++)
        if (times[w] != times[0])
            ck_abort_msg("word %lld is asked for %u times, word 0 %u times", (long long)w, times[w], times[0]);
    return n;
}

START_TEST(lines_ask_for_every_word_as_often_as_counted)
{
    for (uint64_t i = 0; i < N_CASES; i++) {
        struct systolic_product product = random_product(key(1), i, 50);
        struct systolic_counts counts;
        struct arena *arena = arena_new();
        struct mapping map = mapping_of(&product);
        struct stream ifmap = stream_ifmap(&map, arena), filter = stream_filter(&map, arena);
        uint64_t results = 0;
        systolic_count(&product, &counts);
        ck_assert_int_eq(ifmap.words, (int64_t)(product.m * product.k));
        ck_assert_int_eq(filter.words, (int64_t)(product.k * product.n));
        ck_assert_uint_eq(count_requests(&map, &ifmap, arena), counts.ifmap_reads);
        ck_assert_uint_eq(count_requests(&map, &filter, arena), counts.filter_reads);
        for (int64_t c = 0; c < map.col_folds; c++)
            for (int64_t r = 0; r < map.row_folds; r++)
                for (int64_t l = 0; l < map.line_cycles; l++)
                    results += (uint64_t)mapping_results(&map, r, c, l);
        ck_assert_uint_eq(results, counts.ofmap_writes);
        arena_free(arena);
    }
}
END_TEST

/* What must hold of a replay whatever its rules. */
START_TEST(replays_take_no_less_than_the_array_and_move_every_word)
{
    for (uint64_t i = 0; i < N_CASES; i++) {
        struct systolic_product product = random_product(key(2), i, 120);
        struct systolic_buffers buffers = {.ifmap_words = 1024u << (i % 4),
                                           .filter_words = 1024u << (i / 4 % 4),
                                           .ofmap_words = 1024u << (i / 16 % 4),
                                           .ifmap_rate = size_of(key(2), 5, i, 64),
                                           .filter_rate = size_of(key(2), 6, i, 64),
                                           .ofmap_rate = size_of(key(2), 7, i, 64),
                                           .unlimited_reads = i % 5 == 0};
        struct systolic_counts counts;
        struct systolic_replay replay, again;
        systolic_count(&product, &counts);
        systolic_replay(&product, &buffers, &replay);
        systolic_replay(&product, &buffers, &again);
        ck_assert_mem_eq(&replay, &again, sizeof replay);
        ck_assert_int_eq((int64_t)replay.total_cycles - (int64_t)(counts.line_cycles - 1), replay.stall_cycles);
        ck_assert_int_ge(replay.stall_cycles, 0);
        ck_assert_uint_ge(replay.ofmap_dram_words, counts.ofmap_writes);
        if (buffers.unlimited_reads) {
            ck_assert_uint_ge(replay.ifmap_dram_words, product.m * product.k);
            ck_assert_uint_le(replay.ifmap_dram_words, counts.ifmap_reads);
        } else {
            ck_assert_uint_gt(replay.overall_cycles, replay.total_cycles);
        }
    }
}
END_TEST

static struct systolic ideal_array(const char *name, enum systolic_dataflow dataflow)
{
    const struct systolic_profile *profile = catalogue_systolic(name);
    ck_assert_ptr_nonnull(profile);
    return (struct systolic){.profile = *profile, .dataflow = dataflow, .memory = SYSTOLIC_IDEAL};
}

static struct systolic_gemm random_gemm(struct rng_key k, uint64_t i)
{
    return (struct systolic_gemm){.batch = size_of(k, 0, i, 32),
                                  .m = size_of(k, 1, i, 16384),
                                  .n = size_of(k, 2, i, 16384),
                                  .k = size_of(k, 3, i, 16384),
                                  .math = SYSTOLIC_FP16,
                                  .operand_bytes = 2,
                                  .result_bytes = 4};
}

/* Time, energy by part and traffic are whole and complete. */
static void check_cost(const struct systolic *array, const struct systolic_gemm *gemm, const struct cost *cost)
{
    const struct systolic_profile *profile = &array->profile;
    double macs = (double)gemm->batch * (double)gemm->m * (double)gemm->n * (double)gemm->k;
    double least = (double)gemm->batch * ((double)(gemm->m * gemm->k + gemm->k * gemm->n) * gemm->operand_bytes +
                                          (double)(gemm->m * gemm->n) * gemm->result_bytes);
    double peak = 2.0 * (double)(profile->rows * profile->cols * profile->arrays) * profile->clock_hz;
    ck_assert_uint_gt(cost->time_ps, 0);
    ck_assert_uint_eq(cost->energy_fj[ENERGY_STATIC], profile->static_power_mw * cost->time_ps);
    ck_assert_double_eq_tol((double)cost->energy_fj[ENERGY_COMPUTE], macs * systolic_fj_per_mac(profile, gemm->math),
                            1 + 1e-12 * macs * 1e4);
    ck_assert_uint_gt(cost->energy_fj[ENERGY_SRAM], 0);
    ck_assert_double_eq_tol((double)cost->energy_fj[ENERGY_DRAM], (double)cost->bytes * profile->dram_fj_per_byte,
                            1 + 1e-9 * (double)cost->energy_fj[ENERGY_DRAM]);
    ck_assert_uint_eq(cost->energy_fj[ENERGY_LINK] + cost->energy_fj[ENERGY_WRITE] + cost->energy_fj[ENERGY_CONVERT],
                      0);
    ck_assert_double_ge((double)cost->bytes, least * (1 - 1e-12));
    ck_assert_double_ge((double)cost->time_ps * 1e-12, (double)cost->bytes / profile->dram_bytes_per_s * (1 - 1e-9));
    ck_assert_double_ge((double)cost->time_ps * 1e-12, (double)cost->flops / peak * (1 - 1e-9));
    ck_assert_double_eq_tol((double)cost->flops, 2 * macs, 1e-12 * macs + 1);
}

START_TEST(products_cost_time_and_energy_and_never_less_when_larger)
{
    for (uint64_t i = 0; i < N_CASES; i++) {
        struct systolic array = ideal_array(i % 2 ? "systolic-32-7nm" : "systolic-128-7nm",
                                            (enum systolic_dataflow)(i / 2 % N_SYSTOLIC_DATAFLOWS));
        struct systolic_gemm gemm = random_gemm(key(3), i);
        array.overlap_weights = i / 6 % 2 == 0;
        struct cost once, more;
        systolic_gemm_cost(&array, &gemm, &once);
        check_cost(&array, &gemm, &once);
        for (int d = 0; d < 4; d++) {
            struct systolic_gemm larger = gemm;
            *(d == 0 ? &larger.batch : d == 1 ? &larger.m : d == 2 ? &larger.n : &larger.k) *= 2;
            systolic_gemm_cost(&array, &larger, &more);
            ck_assert_msg(more.time_ps >= once.time_ps, "case %llu, dimension %d: %llu < %llu ps",
                          (unsigned long long)i, d, (unsigned long long)more.time_ps, (unsigned long long)once.time_ps);
            for (int p = 0; p < N_ENERGY_PARTS; p++)
                ck_assert_uint_ge(more.energy_fj[p], once.energy_fj[p]);
        }
    }
}
END_TEST

/* Step by step over the places where one part more is needed for the streamed operand to stay in its buffer: it does
 * stay, and is not fetched again and again. */
START_TEST(parts_that_are_to_stay_do)
{
    for (uint64_t i = 0; i < 200; i++) {
        struct systolic array = ideal_array("systolic-128-7nm", i % 2 ? SYSTOLIC_WS : SYSTOLIC_IS);
        struct systolic_gemm gemm = random_gemm(key(7), i);
        int is_b = array.dataflow == SYSTOLIC_IS;
        uint64_t half = (is_b ? array.profile.filter_kib : array.profile.ifmap_kib) * 512,
                 stay = half / (gemm.k * gemm.operand_bytes), edge = stay * size_of(key(8), 0, i, 8),
                 *steps = is_b ? &gemm.n : &gemm.m;
        gemm.batch = 1;
        array.overlap_weights = i / 2 % 2 == 0;
        struct cost less = {0}, more;
        for (*steps = edge > 3 ? edge - 3 : 1; *steps < edge + 4; ++*steps, less = more) {
            systolic_gemm_cost(&array, &gemm, &more);
            ck_assert_msg((double)more.bytes >= .95 * (double)less.bytes,
                          "case %llu, %llu steps: %llu after %llu bytes", (unsigned long long)i,
                          (unsigned long long)*steps, (unsigned long long)more.bytes, (unsigned long long)less.bytes);
        }
    }
}
END_TEST

START_TEST(overlap_and_more_arrays_never_cost_time)
{
    for (uint64_t i = 0; i < N_CASES; i++) {
        struct systolic array = ideal_array("systolic-128-7nm", (enum systolic_dataflow)(i % N_SYSTOLIC_DATAFLOWS));
        struct systolic_gemm gemm = random_gemm(key(4), i);
        struct systolic_counts counts;
        struct systolic_product product = {gemm.m, gemm.n, gemm.k, 128, 128, array.dataflow};
        struct cost plain, overlapped, shared;
        array.profile.dram_bytes_per_s = 1e15; /* the array alone decides */
        systolic_gemm_cost(&array, &gemm, &plain);
        array.overlap_weights = 1;
        systolic_gemm_cost(&array, &gemm, &overlapped);
        array.overlap_weights = 0;
        array.profile.arrays = 4;
        systolic_gemm_cost(&array, &gemm, &shared);
        systolic_count(&product, &counts);
        ck_assert_uint_le(overlapped.time_ps, plain.time_ps);
        if (counts.row_folds * counts.col_folds * gemm.batch == 1)
            ck_assert_uint_eq(overlapped.time_ps, plain.time_ps);
        else
            ck_assert_uint_lt(overlapped.time_ps, plain.time_ps);
        ck_assert_uint_le(shared.time_ps, plain.time_ps);
        ck_assert_double_ge(4.01 * (double)shared.time_ps, (double)plain.time_ps);
    }
}
END_TEST

START_TEST(scalesim_costs_are_those_of_the_replay)
{
    struct arena *arena = arena_new();
    struct systolic array = ideal_array("systolic-32-7nm", SYSTOLIC_WS), remembering;
    array.memory = SYSTOLIC_SCALESIM;
    remembering = array;
    remembering.memo = systolic_memo_new(arena);
    uint64_t rate = systolic_buffer_rate(&array.profile, 2), result_rate = systolic_buffer_rate(&array.profile, 4);
    ck_assert_uint_eq(rate, 4);
    ck_assert_uint_eq(result_rate, 2);
    for (uint64_t i = 0; i < 60; i++) {
        struct systolic_gemm gemm = random_gemm(key(5), i % 20); /* each comes back */
        gemm.m = gemm.m % 200 + 1, gemm.n = gemm.n % 200 + 1, gemm.k = gemm.k % 200 + 1;
        struct systolic_product product = {gemm.m, gemm.n, gemm.k, 32, 32, SYSTOLIC_WS};
        struct systolic_buffers buffers = {131072, 131072, 65536, rate, rate, result_rate, 0};
        struct systolic_replay replay;
        struct cost anew, remembered;
        systolic_replay(&product, &buffers, &replay);
        systolic_gemm_cost(&array, &gemm, &anew);
        systolic_gemm_cost(&remembering, &gemm, &remembered);
        ck_assert_mem_eq(&anew, &remembered, sizeof anew);
        ck_assert_uint_eq(anew.time_ps, 1000 * gemm.batch * (replay.overall_cycles + 1));
        ck_assert_uint_eq(anew.bytes, gemm.batch * (2 * (replay.ifmap_dram_words + replay.filter_dram_words) +
                                                    4 * replay.ofmap_dram_words));
    }
    arena_free(arena);
}
END_TEST

START_TEST(what_stays_on_chip_costs_no_traffic)
{
    for (uint64_t i = 0; i < N_CASES; i++) {
        struct systolic array = ideal_array("tpuv4", (enum systolic_dataflow)(i % N_SYSTOLIC_DATAFLOWS));
        struct systolic_gemm gemm = random_gemm(key(6), i);
        struct cost all, some;
        gemm.math = SYSTOLIC_BF16;
        systolic_gemm_cost(&array, &gemm, &all);
        gemm.a_on_chip = gemm.result_on_chip = 1;
        systolic_gemm_cost(&array, &gemm, &some);
        ck_assert_uint_lt(some.bytes, all.bytes);
        ck_assert_uint_le(some.time_ps, all.time_ps);
        gemm.b_on_chip = 1;
        systolic_gemm_cost(&array, &gemm, &some);
        ck_assert_uint_eq(some.bytes, 0);
        ck_assert_uint_gt(some.time_ps, 0);
    }
}
END_TEST

START_TEST(passes_are_bound_by_lanes_or_by_memory)
{
    struct systolic array = ideal_array("systolic-128-7nm", SYSTOLIC_WS);
    struct systolic_pass busy = {.ops = 512000, .chip_bytes = 4}, moving = {.ops = 1, .read_bytes = 256000};
    struct cost cost;
    systolic_pass_cost(&array, &busy, &cost);
    ck_assert_uint_eq(cost.time_ps, (1000 + 16) * 1000);
    ck_assert_uint_eq(cost.bytes, 0);
    systolic_pass_cost(&array, &moving, &cost);
    ck_assert_uint_eq(cost.time_ps, (1000 + 16) * 1000);
    ck_assert_uint_eq(cost.energy_fj[ENERGY_DRAM], 256000 * (uint64_t)43750);
    for (uint64_t i = 0; i < N_CASES; i++) {
        struct systolic_pass pass = {size_of(key(7), 0, i, 1e9), size_of(key(7), 1, i, 1e9), size_of(key(7), 2, i, 1e9),
                                     size_of(key(7), 3, i, 1e9)};
        struct cost once, twice;
        systolic_pass_cost(&array, &pass, &once);
        ck_assert_uint_eq(once.bytes, pass.read_bytes + pass.write_bytes);
        ck_assert_uint_eq(once.flops, pass.ops);
        pass.ops *= 2, pass.read_bytes *= 2, pass.write_bytes *= 2, pass.chip_bytes *= 2;
        systolic_pass_cost(&array, &pass, &twice);
        ck_assert_uint_ge(twice.time_ps, once.time_ps);
        ck_assert_uint_ge(2 * once.time_ps, twice.time_ps);
    }
}
END_TEST

START_TEST(a_pass_without_work_is_a_bug)
{
    struct systolic array = ideal_array("systolic-128-7nm", SYSTOLIC_WS);
    struct systolic_pass nothing = {0};
    struct cost cost;
    systolic_pass_cost(&array, &nothing, &cost);
}
END_TEST

START_TEST(arithmetic_that_the_array_lacks_is_a_bug)
{
    struct systolic array = ideal_array("tpuv1", SYSTOLIC_WS);
    struct systolic_gemm gemm = random_gemm(key(8), 1);
    struct cost cost;
    systolic_gemm_cost(&array, &gemm, &cost);
}
END_TEST

START_TEST(the_catalogue_meets_published_peaks_and_tables)
{
    static const struct {
        const char *name;
        double peak_tops;
    } chips[] = {{"tpuv1", 92}, {"tpuv3", 123}, {"tpuv4i", 138}, {"tpuv4", 275}};
    size_t n = 0;
    for (size_t c = 0; c < 4; c++) {
        const struct systolic_profile *p = catalogue_systolic(chips[c].name);
        double peak = 2e-12 * (double)(p->arrays * p->rows * p->cols) * p->clock_hz;
        ck_assert_double_eq_tol(peak, chips[c].peak_tops, 0.5);
    }
    /* pJ for 8 bytes at 8 KB, 32 KB, 1 MB. */
    static const struct {
        const char *name;
        double pj[3];
    } sram[] = {{"systolic-128-7nm", {7.5, 8.5, 14}}, {"systolic-128-45nm", {10, 20, 100}}};
    for (size_t c = 0; c < 2; c++)
        for (int s = 0; s < 3; s++) {
            const struct systolic_profile *p = catalogue_systolic(sram[c].name);
            double times = s == 0 ? 1 : s == 1 ? 4 : 128;
            double pj = 8e-3 * p->sram_fj_per_byte * pow(times, p->sram_exponent);
            ck_assert_double_eq_tol(pj / sram[c].pj[s], 1, 0.06);
        }
    while (catalogue_systolic_name(n)) {
        const struct systolic_profile *p = catalogue_systolic(catalogue_systolic_name(n++));
        ck_assert_uint_lt(p->dataflow, N_SYSTOLIC_DATAFLOWS);
        ck_assert_uint_le(p->idle_power_mw, p->static_power_mw);
        ck_assert(p->vector_lanes > 0 && p->vector_ops > 0 && p->clock_hz > 0 && p->dram_bytes_per_s > 0);
    }
    ck_assert_uint_eq(n, 7);
    ck_assert_ptr_null(catalogue_systolic("tpu"));
}
END_TEST

/* Jouppi, ISCA 2017: MLP0 runs at 12.3 of 92 TOPS, bound by its weights' bandwidth; about 40 W. Layers of 2000 x 2000
 * at minibatch 200, activations in the unified buffer. */
START_TEST(tpuv1_is_bound_by_its_weights)
{
    struct systolic array = ideal_array("tpuv1", SYSTOLIC_WS);
    struct systolic_gemm gemm = {.batch = 1,
                                 .m = 200,
                                 .n = 2000,
                                 .k = 2000,
                                 .math = SYSTOLIC_INT8,
                                 .operand_bytes = 1,
                                 .result_bytes = 4,
                                 .a_on_chip = 1,
                                 .result_on_chip = 1};
    struct cost cost;
    systolic_gemm_cost(&array, &gemm, &cost);
    double tops = (double)cost.flops / (double)cost.time_ps, energy_fj = 0;
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        energy_fj += (double)cost.energy_fj[p];
    ck_assert_double_eq_tol(tops / 12.3, 1, 0.15);
    ck_assert_double_eq_tol(energy_fj / (double)cost.time_ps * 1e-3, 40, 6);
}
END_TEST

Suite *suite_systolic(void)
{
    Suite *suite = suite_create("systolic");
    TCase *replay = tcase_create("replay"), *cost = tcase_create("cost"), *catalogue = tcase_create("catalogue");
    tcase_add_test(replay, every_golden_run_is_met_exactly);
    tcase_add_test(replay, a_golden_run_that_is_wrong_is_found);
    tcase_add_test(replay, tables_with_impossible_sizes_are_refused);
    tcase_add_test(replay, lines_ask_for_every_word_as_often_as_counted);
    tcase_add_test(replay, replays_take_no_less_than_the_array_and_move_every_word);
    tcase_add_test(cost, products_cost_time_and_energy_and_never_less_when_larger);
    tcase_add_test(cost, parts_that_are_to_stay_do);
    tcase_add_test(cost, overlap_and_more_arrays_never_cost_time);
    tcase_add_test(cost, scalesim_costs_are_those_of_the_replay);
    tcase_add_test(cost, what_stays_on_chip_costs_no_traffic);
    tcase_add_test(cost, passes_are_bound_by_lanes_or_by_memory);
    tcase_add_test_raise_signal(cost, a_pass_without_work_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(cost, arithmetic_that_the_array_lacks_is_a_bug, SIGABRT);
    tcase_add_test(catalogue, the_catalogue_meets_published_peaks_and_tables);
    tcase_add_test(catalogue, tpuv1_is_bound_by_its_weights);
    suite_add_tcase(suite, replay);
    suite_add_tcase(suite, cost);
    suite_add_tcase(suite, catalogue);
    return suite;
}
