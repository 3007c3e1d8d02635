#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attacc/schedule.h"
#include "attacc/system.h"
#include "base/arena.h"
#include "base/rng.h"
#include "command/reproduce_attacc.h"
#include "device/catalogue.h"

Suite *suite_attacc(void);

/* Rows of the public simulator's own tables (Ramulator 2 with its PIM commands, the corrected trace generator). */
static const char *const golden[] = {"tests/golden/attacc/gpu.csv", "tests/golden/attacc/pim.csv",
                                     "tests/golden/attacc/onehead.csv", "tests/golden/attacc/cycles.csv",
                                     "tests/golden/attacc/published.csv"};
enum { N_GOLDEN = sizeof golden / sizeof golden[0] };

static enum status judge(struct table *table, char last[256], struct fault *fault)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    *fault = FAULT_NONE;
    enum status status = attacc_table(table, out, fault);
    fclose(out);
    char *line = strrchr(text, '\n');
    if (line)
        *line = '\0';
    line = strrchr(text, '\n');
    snprintf(last, 256, "%s", line ? line + 1 : text);
    free(text);
    return status;
}

START_TEST(golden_tables_are_met)
{
    struct arena *arena = arena_new();
    struct table table = {0};
    struct fault fault = FAULT_NONE;
    char last[256], want[64];
    ck_assert_msg(table_read(&table, golden[_i], arena, &fault) == STATUS_OK, "%s", fault.text);
    ck_assert_msg(judge(&table, last, &fault) == STATUS_OK, "%s: %s", fault.text, last);
    snprintf(want, sizeof want, "rows %zu, ", table.n_rows);
    ck_assert_msg(strncmp(last, want, strlen(want)) == 0, "%s", last);
    ck_assert_ptr_nonnull(strstr(last, ", failed 0"));
    arena_free(arena);
}
END_TEST

/* One cell changed: the row fails where it is judged. */
START_TEST(a_wrong_cell_is_found)
{
    static const struct {
        int table;
        const char *column;
        double factor;
        enum status status;
    } changes[] = {
        {0, "g_ff_time", 1 + 3e-6, STATUS_INVALID},
        {0, "s_act", 1 - 3e-6, STATUS_INVALID},
        {0, "g_etc_comp_energy", 1.001, STATUS_INVALID},
        {0, "required_cap", 1.0001, STATUS_INVALID},
        {0, "g_ff_time", 1 + 1e-7, STATUS_OK},
        {1, "g_time (ms)", 1.02, STATUS_INVALID},
        {1, "g_attn_mem_energy", 1.02, STATUS_INVALID},
        {1, "g_time (ms)", 1.001, STATUS_OK},
        {2, "cycles_attention", 1.05, STATUS_INVALID},
        {2, "mac", 2, STATUS_INVALID},
        {3, "cycle", 1.05, STATUS_INVALID},
        {3, "wrgb", 1.2, STATUS_INVALID},
        {4, "g_time (ms)", 2, STATUS_OK}, /* only stated */
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct arena *arena = arena_new();
        struct table table = {0};
        struct fault fault = FAULT_NONE;
        char last[256];
        ck_assert_int_eq(table_read(&table, golden[changes[i].table], arena, &fault), STATUS_OK);
        for (size_t c = 0; c < table.n_columns; c++)
            if (strcmp(table.header[c], changes[i].column) == 0)
                table.cells[c] = arena_printf(arena, "%.17g", changes[i].factor * strtod(table.cells[c], NULL));
        ck_assert_msg(judge(&table, last, &fault) == changes[i].status, "%s: %s", changes[i].column, last);
        arena_free(arena);
    }
}
END_TEST

START_TEST(bad_cells_are_refused)
{
    static const struct {
        int table;
        const char *column, *text, *fault;
    } cells[] = {
        {0, "model", "GPT-5", ":2: model: expected a model such as GPT-175B, found 'GPT-5'"},
        {0, "system", "tpu", ":2: system: expected dgx, dgx-cpu or dgx-attacc, found 'tpu'"},
        {0, "ngpu", "0", ":2: GPUs: expected 1 to 1024, found 0"},
        {0, "ngpu", "x", ":2: ngpu: expected a number, found 'x'"},
        {0, "bs", "1.5", ":2: bs: expected a whole number, found '1.5'"},
        {0, "Lout", "1", ":2: lout: expected 2 to 1048576, found 1"},
        {0, "pipe_level", "yes", ":2: pipe_level: expected True or False, found 'yes'"},
        {0, "command", "main.py --gpu V100", ":2: command: expected --gpu A100a or H100, found 'main.py --gpu V100'"},
        {0, "s_fc", "", ":2: s_fc: expected a number, found ''"},
        {1, "pim", "-", ":2: pim: expected bank, bg or buffer, found '-'"},
        {2, "pim", "XX", ":2: pim: expected BA, BG or BUFFER, found 'XX'"},
        {2, "dbyte", "4", ":2: expected heads, tokens and width from 1 on and 1 or 2 bytes"},
        {3, "nhead", "0", ":2: expected heads, tokens and width from 1 on and 1 or 2 bytes"},
        {3, "cycle", "nan", ":2: cycle: expected a number, found 'nan'"},
    };
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        struct arena *arena = arena_new();
        struct table table = {0};
        struct fault fault = FAULT_NONE;
        char last[256];
        ck_assert_int_eq(table_read(&table, golden[cells[i].table], arena, &fault), STATUS_OK);
        for (size_t c = 0; c < table.n_columns; c++)
            if (strcmp(table.header[c], cells[i].column) == 0)
                table.cells[c] = cells[i].text;
        ck_assert_int_eq(judge(&table, last, &fault), STATUS_USAGE);
        ck_assert_msg(strcmp(fault.text + strlen(golden[cells[i].table]), cells[i].fault) == 0, "%s", fault.text);
        arena_free(arena);
    }
}
END_TEST

/* The largest batches of the published runs, in 1280 and in 640 GiB. */
START_TEST(largest_batches_are_the_published_ones)
{
    static const struct {
        const char *model;
        double words, lin, lout, gib, batch;
    } points[] = {
        {"GPT-175B", 2, 128, 128, 1280, 854},   {"GPT-175B", 2, 512, 512, 1280, 213},
        {"GPT-175B", 2, 128, 2048, 1280, 101},  {"GPT-175B", 2, 2048, 2048, 1280, 54},
        {"GPT-175B", 1, 128, 128, 1280, 1996},  {"GPT-175B", 1, 128, 2048, 1280, 234},
        {"GPT-175B", 1, 2048, 2048, 1280, 125}, {"LLAMA-65B", 2, 128, 128, 1280, 1864},
        {"LLAMA-65B", 2, 128, 2048, 1280, 219}, {"LLAMA-65B", 2, 2048, 2048, 1280, 117},
        {"MT-530B", 1, 128, 128, 1280, 772},    {"MT-530B", 1, 128, 2048, 1280, 91},
        {"MT-530B", 1, 2048, 2048, 1280, 49},   {"GPT-175B", 2, 128, 128, 640, 282},
        {"GPT-175B", 2, 2048, 2048, 640, 18},
    };
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        ck_assert_double_eq(attacc_largest_batch(attacc_model(points[i].model), points[i].words, points[i].lin,
                                                 points[i].lout, points[i].gib * 1073741824.0),
                            points[i].batch);
    }
    ck_assert_double_eq(attacc_largest_batch(attacc_model("MT-1008B"), 2, 128, 128, 640 * 1073741824.0), 0);
}
END_TEST

/* The search for tiles against a plain loop over all of them. */
static double slow_dram_bytes(const struct attacc_gpu *gpu, const struct attacc_layer *layer, double words, double tm,
                              double tn)
{
    double least = INFINITY;
    for (double i = 1; i <= floor(layer->m / tm) + 1; i++)
        for (double j = 1; j <= floor(layer->n / tn) + 1; j++) {
            double m = i <= floor(layer->m / tm) ? i * tm : layer->m, n = j <= floor(layer->n / tn) ? j * tn : layer->n;
            int own = i == 1 && j == 1;
            if (!own && ((m + n) * layer->k / 64 + m * n) * words > gpu->l2_bytes)
                continue;
            least = fmin(least, words * layer->count *
                                    (ceil(layer->m / m) * layer->n * layer->k +
                                     ceil(layer->n / n) * layer->m * layer->k + layer->m * layer->n));
        }
    return least;
}

START_TEST(tile_search_finds_the_least_traffic)
{
    struct rng_key key = rng_key(21, RNG_TEST, 1);
    const struct attacc_gpu *gpu = attacc_gpu("A100a");
    for (uint64_t i = 0; i < 60; i++) {
        double m = 1 + (double)rng_below(key, 0, i, i % 3 ? 64 : 3000),
               n = 1 + (double)rng_below(key, 1, i, 9000) / 1.5, k = 64 + (double)rng_below(key, 2, i, 9000),
               words = 1 + (double)rng_below(key, 3, i, 2);
        struct attacc_layer layer = {KIND_FC, m, n, k, 1, 2 * m * n * k, 0};
        struct attacc_price price = attacc_gpu_price(gpu, 1, words, &layer);
        double bytes = price.energy_pj[LEVEL_DRAM] / 28.72, best = INFINITY;
        static const double sizes[] = {8, 16, 32, 64, 128, 192, 256, 320, 384, 448, 512};
        for (int a = 0; a < 11; a++)
            for (int b = 0; b < 11; b++)
                best = fmin(best, slow_dram_bytes(gpu, &layer, words, fmin(sizes[a], m), fmin(sizes[b], n)));
        ck_assert_double_ge(bytes, best * (1 - 1e-12)); /* one of the tiles gives it */
        ck_assert_double_ge(bytes, words * (m * k + n * k + m * n) * (1 - 1e-12));
        ck_assert_double_ge(price.energy_pj[LEVEL_L2] / 2.4, bytes * (1 - 1e-12));
        ck_assert_double_gt(price.time_s, 0);
    }
}
END_TEST

static struct attacc_config some_config(struct rng_key key, uint64_t i, struct hbm_pim_profile *pim)
{
    static const char *const names[] = {"GPT-13B", "LLAMA-7B", "GPT-175B", "OPT-66B", "MT-76B"};
    struct attacc_config config = {.machine = (enum attacc_machine)rng_below(key, 0, i, 3),
                                   .gpu = attacc_gpu(rng_below(key, 1, i, 2) ? "A100a" : "H100"),
                                   .model = attacc_model(names[rng_below(key, 2, i, 5)]),
                                   .gpus = 8,
                                   .word_bytes = 1 + (int)rng_below(key, 3, i, 2),
                                   .lin = 1 + (int)rng_below(key, 4, i, 1500),
                                   .lout = 2 + (int)rng_below(key, 5, i, 60),
                                   .batch = 1 + (int)rng_below(key, 6, i, 40)};
    if (config.machine == ATTACC_DGX_PIM) {
        *pim = *catalogue_hbm_pim(catalogue_hbm_pim_name(rng_below(key, 7, i, 3)));
        pim->power_limited = (int)rng_below(key, 8, i, 2);
        config.pim = pim;
        config.pipeline = (int)rng_below(key, 9, i, 2);
        config.ff_split = (int)rng_below(key, 10, i, 2);
    }
    return config;
}

static void equal(double a, double b)
{
    ck_assert_double_le(fabs(a - b), 1e-9 * fmax(fabs(a), fabs(b)));
}

START_TEST(columns_sum)
{
    struct rng_key key = rng_key(22, RNG_TEST, 1);
    for (uint64_t i = 0; i < 60; i++) {
        struct hbm_pim_profile pim;
        struct attacc_config config = some_config(key, i, &pim);
        struct attacc_output o;
        char text[256];
        ck_assert_ptr_null(attacc_problem(&config, text, sizeof text));
        attacc_run(&config, &o);
        equal(o.g_time,
              o.g_matmul + o.g_qkv + o.g_prj + o.g_ff + o.g2g_comm + o.c2g_comm + o.g_act + o.g_lnorm + o.g_softmax);
        equal(o.s_time, o.s_matmul + o.s_fc + o.s_comm + o.s_softmax + o.s_act + o.s_lnorm);
        equal(o.g_energy,
              o.g_fc_mem + o.g_fc_comp + o.g_attn_mem + o.g_attn_comp + o.g_etc_mem + o.g_etc_comp + o.g_comm_energy);
        ck_assert_double_gt(o.g_matmul, 0);
        ck_assert_double_gt(o.g_energy, 0);
        size_t n;
        const struct attacc_column *columns = attacc_columns(&n);
        for (size_t c = 0; c < n; c++) {
            double value = attacc_column_value(&o, &columns[c]);
            ck_assert(isfinite(value));
            if (strcmp(columns[c].name, "g_prj_time") != 0) /* a published peculiarity */
                ck_assert_msg(value >= 0 || !config.pim, "%s %g", columns[c].name, value);
        }
        /* Energy knows nothing of pipelining, of sharing the feed-forward, or of the power limit. */
        if (config.pim) {
            struct attacc_output other;
            config.pipeline = !config.pipeline;
            config.ff_split = !config.ff_split;
            pim.power_limited = !pim.power_limited;
            attacc_run(&config, &other);
            ck_assert_double_eq(other.g_energy, o.g_energy);
        }
    }
}
END_TEST

START_TEST(stacks_depend_on_steps_and_iterations)
{
    struct rng_key key = rng_key(23, RNG_TEST, 1);
    for (uint64_t i = 0; i < 100; i++) {
        struct hbm_pim_profile pim = *catalogue_hbm_pim(catalogue_hbm_pim_name(i % 3));
        int64_t heads = 1 + (int64_t)rng_below(key, 0, i, 200), tokens = 1 + (int64_t)rng_below(key, 1, i, 3000),
                step = hbm_pim_token_step(&pim), up = (tokens + step - 1) / step * step, full = (heads + 15) / 16 * 16;
        int64_t cycles = attacc_stack_cycles(&pim, heads, tokens, 128, 2);
        ck_assert_int_eq(cycles, attacc_stack_cycles(&pim, heads, up, 128, 2));
        ck_assert_int_eq(cycles, attacc_stack_cycles(&pim, full, tokens, 128, 2));
        struct attacc_counts counts = attacc_stack_counts(&pim, heads, tokens, 128, 2),
                             all = attacc_stack_counts(&pim, full, tokens, 128, 2);
        ck_assert_int_eq(counts.softmax, heads);
        ck_assert_int_le(counts.mac, all.mac);
        /* A channel issues a sixteenth of a full stack's commands, one after the other. */
        ck_assert_int_gt(cycles, (all.mac / 16 - 1) * hbm_pim_mac_interval(&pim));
        ck_assert_int_lt(cycles, 3 * all.mac / 16 * hbm_pim_mac_interval(&pim) + 3000);
        ck_assert_int_lt(attacc_stack_cycles(&pim, heads, tokens, 128, 2),
                         attacc_stack_cycles(&pim, heads + 16, tokens, 128, 2));
    }
}
END_TEST

Suite *suite_attacc(void)
{
    Suite *suite = suite_create("attacc");
    TCase *tcase = tcase_create("attacc");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, golden_tables_are_met, 0, N_GOLDEN);
    tcase_add_test(tcase, a_wrong_cell_is_found);
    tcase_add_test(tcase, bad_cells_are_refused);
    tcase_add_test(tcase, largest_batches_are_the_published_ones);
    tcase_add_test(tcase, tile_search_finds_the_least_traffic);
    tcase_add_test(tcase, columns_sum);
    tcase_add_test(tcase, stacks_depend_on_steps_and_iterations);
    suite_add_tcase(suite, tcase);
    return suite;
}
