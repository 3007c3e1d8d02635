#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "command/reproduce.h"
#include "device/catalogue.h"
#include "rank.h"

Suite *suite_reram(void);

static double part_mw(const char *name, int of_tile)
{
    size_t n;
    const struct reram_part *parts = reram_parts(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(parts[i].name, name) == 0)
            return parts[i].milliwatts * (of_tile ? parts[i].per_tile : parts[i].per_ima);
    ck_abort_msg("no part %s", name);
}

/* The published totals: an IMA 24.08 mW, twelve 289 mW, a tile 330 mW, 168 tiles 55.4 W. */
START_TEST(isaac_parts_sum_to_the_published_totals)
{
    size_t n;
    const struct reram_part *parts = reram_parts(&n);
    double ima = 0, tile = 0;
    for (size_t i = 0; i < n; i++) {
        ima += parts[i].per_ima * parts[i].milliwatts;
        tile += parts[i].per_tile * parts[i].milliwatts;
    }
    ck_assert_double_eq_tol(ima, 24.08, 0.01);
    ck_assert_double_eq_tol(12 * ima, 289, 0.1);
    ck_assert_double_eq_tol(12 * ima + tile, 330, 0.5);
    ck_assert_double_eq_tol(168 * (12 * ima + tile) * 1e-3, 55.4, 0.05);
    ck_assert_double_eq(part_mw("adc", 0), 16);
    ck_assert_double_eq(part_mw("buffer", 1), 20.7);
}
END_TEST

static double dynamic_pj(const struct cost *cost)
{
    double sum = 0;
    for (int i = 0; i < N_ENERGY_PARTS; i++)
        sum += i == ENERGY_STATIC || i == ENERGY_SRAM ? 0 : (double)cost->energy_fj[i];
    return sum * 1e-3;
}

/* One phase of one crossbar: 53.3 + 213.4 + 2.7 + 30 = 299 pJ; 8 bit 0.585 pJ and 16 bit 2.34 pJ per multiplication. */
START_TEST(isaac_reads_cost_what_was_published)
{
    struct reram_profile isaac = *catalogue_reram("isaac");
    struct reram_read one = {.out = 512, .in = 512, .rows = 1, .replicas = 1};
    struct cost cost;
    ck_assert_uint_eq(reram_crossbars(&isaac, 512, 512), 64);
    ck_assert_uint_eq(reram_crossbars(&isaac, 32, 128), 1);
    ck_assert_uint_eq(reram_capacity(&isaac), 168 * 96);
    reram_read_cost(&isaac, &(struct reram_read){.out = 32, .in = 128, .rows = 1, .replicas = 1}, &cost);
    ck_assert_double_eq_tol(dynamic_pj(&cost) / 8, 299.4, 0.1);
    ck_assert_double_eq_tol((double)cost.energy_fj[ENERGY_CONVERT] / 8e3, 53.3 + 213.4, 0.1);
    reram_read_cost(&isaac, &one, &cost);
    ck_assert_double_eq_tol(dynamic_pj(&cost) / (512 * 512), 0.585, 0.001);
    isaac.weight_bits = isaac.input_bits = 16;
    ck_assert_uint_eq(reram_initiation_ps(&isaac, 0), 1600000);
    reram_read_cost(&isaac, &(struct reram_read){.out = 16, .in = 128, .rows = 1, .replicas = 1}, &cost);
    ck_assert_uint_eq(cost.time_ps, 2200000);
    reram_read_cost(&isaac, &one, &cost);
    ck_assert_double_eq_tol(dynamic_pj(&cost) / (512 * 512), 2.34, 0.005);
}
END_TEST

START_TEST(programming_costs_what_panther_says)
{
    struct reram_profile isaac = *catalogue_reram("isaac");
    struct cost cost;
    reram_program_cost(&isaac, 32, 128, 1, 0, &cost);
    ck_assert_double_eq_tol((double)cost.time_ps * 1e-6, 10.97, 0.01);
    ck_assert_double_eq_tol((double)cost.energy_fj[ENERGY_WRITE] * 1e-6, 22.6, 0.05);
    ck_assert_uint_eq(cost.cell_writes, 128 * 128);
    /* The encoder of the snow model: 12 blocks of 4 x 512^2 + 2 x 512 x 2048, 9216 crossbars, 11 us and 0.21 mJ. */
    uint64_t crossbars = 0, energy_fj = 0;
    static const uint64_t shapes[][3] = {{512, 512, 48}, {2048, 512, 12}, {512, 2048, 12}};
    for (int i = 0; i < 3; i++) {
        reram_program_cost(&isaac, shapes[i][0], shapes[i][1], 1, 0, &cost);
        crossbars += shapes[i][2] * reram_crossbars(&isaac, shapes[i][0], shapes[i][1]);
        energy_fj += shapes[i][2] * cost.energy_fj[ENERGY_WRITE];
        ck_assert_double_eq_tol((double)cost.time_ps * 1e-6, 10.97, 0.01);
    }
    ck_assert_uint_eq(crossbars, 9216);
    ck_assert_double_eq_tol((double)energy_fj * 1e-12, 0.21, 0.005);
    /* A small write power stretches it: energy over power. */
    isaac.write_power_mw = 100;
    reram_program_cost(&isaac, 512, 512, 1, 0, &cost);
    ck_assert_double_eq_tol((double)cost.time_ps * 1e-6, (double)cost.energy_fj[ENERGY_WRITE] / 100 * 1e-6, 1e-5);
    struct cost verified;
    isaac.write_power_mw = 1e9;
    reram_program_cost(&isaac, 512, 512, 1, 0, &cost);
    reram_program_cost(&isaac, 512, 512, 1, 1, &verified);
    ck_assert_double_eq_tol((double)verified.time_ps / (double)cost.time_ps, 5 * (85.69 + 100) / 85.69, 1e-3);
    ck_assert_uint_eq(verified.cell_writes, cost.cell_writes);
    isaac.endurance = 1e6; /* full training of the snow model writes every cell at each of 84,240 steps */
    ck_assert_double_eq_tol(reram_lifetime_runs(&isaac, 84240), 11.87, 0.01);
}
END_TEST

START_TEST(reads_pipeline_and_copies_share_them)
{
    struct rng_key key = rng_key(4, RNG_TEST, 1);
    for (size_t g = 0; catalogue_reram_name(g); g++)
        for (uint64_t i = 0; i < 500; i++) {
            const struct reram_profile *reram = catalogue_reram(catalogue_reram_name(g));
            struct reram_read read = {.out = 1 + rng_below(key, 0, i, 3000),
                                      .in = 1 + rng_below(key, 1, i, 3000),
                                      .rows = 1 + rng_below(key, 2, i, 2000),
                                      .replicas = 1 + rng_below(key, 3, i, 8),
                                      .backward = (int)rng_below(key, 4, i, 2)};
            struct reram_read one = read;
            struct cost cost, single;
            one.rows = 1;
            reram_read_cost(reram, &read, &cost);
            reram_read_cost(reram, &one, &single);
            uint64_t initiation_ps = reram_initiation_ps(reram, read.backward);
            uint64_t rounds = (read.rows + read.replicas - 1) / read.replicas;
            ck_assert_uint_eq(cost.time_ps, single.time_ps + (rounds - 1) * initiation_ps);
            ck_assert_uint_gt(single.time_ps, initiation_ps);
            for (int p = 0; p < N_ENERGY_PARTS; p++)
                if (p != ENERGY_STATIC) /* rounded once */
                    ck_assert_double_eq_tol((double)cost.energy_fj[p], (double)(read.rows * single.energy_fj[p]),
                                            (double)read.rows);
            ck_assert_uint_eq(cost.energy_fj[ENERGY_STATIC], reram_static_mw(reram) * cost.time_ps);
            ck_assert_uint_eq(cost.flops, 2 * read.rows * read.out * read.in);
            ck_assert_uint_gt(cost.energy_fj[ENERGY_CONVERT], 0);
            ck_assert_uint_gt(cost.energy_fj[ENERGY_COMPUTE], 0);
            ck_assert_uint_gt(cost.energy_fj[ENERGY_SRAM], 0);
        }
}
END_TEST

START_TEST(converters_of_other_widths_follow_the_series)
{
    struct reram_profile isaac = *catalogue_reram("isaac");
    reram_set_adc_bits(&isaac, 6);
    ck_assert_double_eq_tol(isaac.adc_fj, 1200, 1e-9);
    double last = 0;
    for (int bits = 2; bits <= 16; bits++) {
        reram_set_adc_bits(&isaac, bits);
        ck_assert_int_eq(isaac.adc_bits, bits);
        ck_assert_double_gt(isaac.adc_fj, last);
        last = isaac.adc_fj;
    }
}
END_TEST

/* The device, through its table. */
static struct device_spec some_device(const char *profile, const char *fidelity)
{
    struct device_spec spec = {.name = "reram0", .kind = "reram", .profile = profile, .host_link = "pcie4"};
    spec.cells = (struct cell_options){.fidelity = fidelity,
                                       .program_noise = -1,
                                       .read_noise = -1,
                                       .stuck_low = -1,
                                       .stuck_high = -1,
                                       .drift = -1,
                                       .adc_range = -1};
    return spec;
}

static void refused(struct device_spec spec, const char *text)
{
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    void *state = NULL;
    ck_assert_int_eq(device_find("reram")->open(&spec, arena, &state, &fault), STATUS_USAGE);
    ck_assert_str_eq(fault.text, text);
    arena_free(arena);
}

START_TEST(impossible_devices_are_refused)
{
    struct device_spec spec = some_device("isac", NULL);
    refused(spec, "reram0: unknown ReRAM profile 'isac': polyrank devices lists them");
    spec = some_device("isaac", NULL);
    spec.format = FORMAT_FP64;
    refused(spec,
            "reram0: a reram device takes and gives single precision and has bits of its own: fp64 is not for it");
    spec = some_device("isaac", NULL);
    spec.cells.cell_bits = 4;
    spec.cells.weight_bits = 4;
    refused(spec, "reram0: cell_bits: expected fewer than the 4 of a weight, found 4");
    spec = some_device("isaac", NULL);
    spec.cells.stuck_low = 0.8;
    spec.cells.stuck_high = 0.4;
    refused(spec, "reram0: stuck_high: expected a number of at least 0 and at most 0.2, found 0.4");
    spec = some_device("isaac", NULL);
    spec.tdp_w = 3;
    refused(spec, "reram0: tdp_w: expected with other kinds than reram, found with reram");
}
END_TEST

struct run {
    struct arena *arena;
    void *state;
    const struct device *device;
};

static struct run run_open(struct device_spec spec)
{
    struct run run = {.arena = arena_new(), .device = device_find("reram")};
    struct fault fault = FAULT_NONE;
    ck_assert_int_eq(run.device->open(&spec, run.arena, &run.state, &fault), STATUS_OK);
    return run;
}

static void run_close(struct run *run)
{
    run->device->close(run->state);
    arena_free(run->arena);
}

static void run_op(struct run *run, const struct op *op, uint64_t virtual_ps, const void *a, const void *b,
                   const void *c, void *out)
{
    const void *in[OP_MAX_IN] = {a, b, c};
    void *to[OP_MAX_OUT] = {out};
    float scratch[1 << 14];
    struct kernel_context context = {.format = FORMAT_BF16, .seed = 3, .step = 1, .virtual_ps = virtual_ps};
    context.scratch = scratch;
    ck_assert_int_eq(run->device->supports(run->state, op), 1);
    struct cost cost;
    run->device->cost(run->state, op, &cost);
    ck_assert_uint_gt(cost.time_ps, 0);
    run->device->run(run->state, op, &context, in, to);
}

enum { O = 20, C = 36, T = 7 };

/* Distance of what the device gives to the plain product, as a share of its size. */
static double device_error(struct run *run, uint64_t read_ps)
{
    float w[O * C], cells[O * C], x[T * C], bias[O], y[T * O];
    double wrong = 0, size = 0;
    struct rng_key key = rng_key(5, RNG_TEST, 2);
    for (int i = 0; i < O * C; i++)
        w[i] = (float)rng_normal(key, 0, (uint64_t)i);
    for (int i = 0; i < T * C; i++)
        x[i] = (float)rng_normal(key, 1, (uint64_t)i);
    for (int i = 0; i < O; i++)
        bias[i] = (float)i;
    struct op op = {.kind = OP_PROGRAM, .out = O, .in = C, .matrix = 3, .replicas = 2, .site = 9};
    run_op(run, &op, 0, w, NULL, NULL, cells);
    ck_assert_mem_eq(w, cells, sizeof w);
    op.kind = OP_LINEAR;
    op.rows = T;
    run_op(run, &op, read_ps, x, cells, bias, y);
    for (int t = 0; t < T; t++)
        for (int o = 0; o < O; o++) {
            double want = 0;
            for (int c = 0; c < C; c++)
                want += (double)x[t * C + c] * (double)w[o * C + c];
            wrong += pow((double)y[t * O + o] - (double)bias[o] - want, 2);
            size += want * want;
        }
    float dy[T * O], dx[T * C];
    memcpy(dy, y, sizeof y);
    op.kind = OP_LINEAR_DX;
    run_op(run, &op, read_ps, dy, cells, NULL, dx);
    for (int t = 0; t < T; t++)
        for (int c = 0; c < C; c++) {
            double want = 0;
            for (int o = 0; o < O; o++)
                want += (double)dy[t * O + o] * (double)w[o * C + c];
            wrong += pow((double)dx[t * C + c] - want, 2);
            size += want * want;
        }
    return sqrt(wrong / size);
}

START_TEST(fidelities_are_further_and_further_from_the_product)
{
    for (size_t g = 0; catalogue_reram_name(g); g++) {
        double error[3];
        static const char *const fidelity[] = {"ideal", "quantized", "analog"};
        for (int f = 0; f < 3; f++) {
            struct run run = run_open(some_device(catalogue_reram_name(g), fidelity[f]));
            error[f] = device_error(&run, 1000000000);
            run_close(&run);
        }
        ck_assert_double_lt(error[0], 1e-6);
        ck_assert_double_gt(error[1], 1e-3);
        ck_assert_double_gt(error[2], error[1]);
        ck_assert_double_lt(error[2], 0.6);
    }
}
END_TEST

START_TEST(drift_is_by_virtual_time_since_programming)
{
    struct device_spec spec = some_device("isaac", "analog");
    spec.cells.drift = 0.1;
    struct run run = run_open(spec);
    double fresh = device_error(&run, 0), old = device_error(&run, UINT64_C(100000000000000));
    ck_assert_double_gt(old, fresh + 0.1);
    run_close(&run);
}
END_TEST

START_TEST(the_device_does_not_do_other_work)
{
    struct run run = run_open(some_device("isaac", NULL));
    struct op op = {.kind = OP_LINEAR, .rows = 4, .out = 4, .in = 4, .matrix = 0, .replicas = 1, .act = ACT_RELU};
    ck_assert_int_eq(run.device->supports(run.state, &op), 0);
    op.act = ACT_NONE;
    ck_assert_int_eq(run.device->supports(run.state, &op), 1);
    op.matrix = -1;
    ck_assert_int_eq(run.device->supports(run.state, &op), 0);
    op.kind = OP_ATTENTION;
    ck_assert_int_eq(run.device->supports(run.state, &op), 0);
    ck_assert_uint_eq(run.device->units_total(run.state), 168 * 96);
    ck_assert_uint_eq(run.device->units_needed(run.state, 2048, 512), 256);
    ck_assert_uint_eq(run.device->wait_power_mw(run.state), 168 * 33);
    run_close(&run);
}
END_TEST

/* Cells are programmed by an engine of their own, while the device waits or idles at its stand-by power: once. */
START_TEST(programming_draws_no_power_twice)
{
    struct run run = run_open(some_device("isaac", NULL));
    struct op op = {.kind = OP_PROGRAM, .out = 512, .in = 512, .matrix = 0, .replicas = 1, .site = 1};
    struct cost cost;
    run.device->cost(run.state, &op, &cost);
    ck_assert(cost.time_ps > 0 && cost.energy_fj[ENERGY_WRITE] > 0 && cost.energy_fj[ENERGY_STATIC] == 0);
    run_close(&run);
}
END_TEST

/* The table of `polyrank reproduce reram`, with fewer columns and another seed. */
START_TEST(errors_are_what_the_formulas_say)
{
    struct reram_experiment experiment;
    int n = 0;
    for (; reram_experiment(n, 11, 4000, &experiment); n++) {
        double ratio = experiment.measured / experiment.predicted;
        ck_assert_msg(fabs(ratio - 1) <= experiment.tolerance, "%s: %g measured, %g predicted", experiment.name,
                      experiment.measured, experiment.predicted);
    }
    ck_assert_int_eq(n, 17);
}
END_TEST

Suite *suite_reram(void)
{
    Suite *suite = suite_create("reram");
    TCase *physics = tcase_create("physics"), *device = tcase_create("device");
    tcase_add_test(physics, isaac_parts_sum_to_the_published_totals);
    tcase_add_test(physics, isaac_reads_cost_what_was_published);
    tcase_add_test(physics, programming_costs_what_panther_says);
    tcase_add_test(physics, reads_pipeline_and_copies_share_them);
    tcase_add_test(physics, converters_of_other_widths_follow_the_series);
    tcase_add_test(device, errors_are_what_the_formulas_say);
    tcase_add_test(device, impossible_devices_are_refused);
    tcase_add_test(device, fidelities_are_further_and_further_from_the_product);
    tcase_add_test(device, drift_is_by_virtual_time_since_programming);
    tcase_add_test(device, the_device_does_not_do_other_work);
    tcase_add_test(device, programming_draws_no_power_twice);
    suite_add_tcase(suite, physics);
    suite_add_tcase(suite, device);
    return suite;
}
