#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernel/crossbar.h"
#include "kernel/gauss.h"

Suite *suite_crossbar(void);

/* A small machine whose every choice a case may change. */
static struct crossbar_spec some_spec(void)
{
    return (struct crossbar_spec){.fidelity = CROSSBAR_QUANTIZED,
                                  .mapping = CROSSBAR_DIFFERENTIAL,
                                  .rows = 32,
                                  .columns = 32,
                                  .weight_bits = 8,
                                  .input_bits = 8,
                                  .error_bits = 8,
                                  .cell_bits = 2,
                                  .dac_bits = 1,
                                  .adc_bits = 12,
                                  .adc_range = 0.25,
                                  .on_off = 100};
}

struct bench {
    size_t rows, lines, results; /* of a read */
    int64_t out, in;
    float *w, *x, *y;
    struct crossbar_work work;
};

static float *numbers(uint32_t place, size_t n)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(rng_key(7, RNG_TEST, place), 0, i);
    return x;
}

static struct bench bench_of(enum crossbar_direction direction, size_t rows, int64_t out, int64_t in, uint32_t place)
{
    int forward = direction == CROSSBAR_FORWARD;
    struct bench bench = {.rows = rows, .out = out, .in = in};
    bench.lines = (size_t)(forward ? in : out);
    bench.results = (size_t)(forward ? out : in);
    bench.w = numbers(2 * place, (size_t)(out * in));
    bench.x = numbers(2 * place + 1, rows * bench.lines);
    bench.y = calloc(rows * bench.results, sizeof *bench.y);
    return bench;
}

static void bench_release(struct bench *bench)
{
    free(bench->w);
    free(bench->x);
    free(bench->y);
    crossbar_work_release(&bench->work);
}

static void read_all(struct bench *bench, const struct crossbar_matrix *matrix, enum crossbar_direction direction)
{
    struct crossbar_read read = {.step = 3};
    if (direction == CROSSBAR_FORWARD)
        crossbar_forward(matrix, &read, (int64_t)bench->rows, bench->x, NULL, bench->y, &bench->work);
    else
        crossbar_backward(matrix, &read, (int64_t)bench->rows, bench->x, 0, bench->y, &bench->work);
}

/* The model as the header tells it, number by number. */
static int level(const struct crossbar_spec *spec, int q, int slice)
{
    int value = spec->mapping == CROSSBAR_OFFSET ? q + (1 << (spec->weight_bits - 1)) : abs(q);
    int cell = value >> (slice * spec->cell_bits) & ((1 << spec->cell_bits) - 1);
    return spec->mapping == CROSSBAR_DIFFERENTIAL && q < 0 ? -cell : cell;
}

static int digit(const struct crossbar_spec *spec, int x, int phase)
{
    if (spec->dac_bits == 1)
        return (int)((unsigned)x >> phase & 1u);
    int size = abs(x) >> (phase * spec->dac_bits) & ((1 << spec->dac_bits) - 1);
    return x < 0 ? -size : size;
}

/* *tie: the sum is half-way between two codes, which float arithmetic may decide either way. */
static double convert(const struct crossbar_spec *spec, double sum, int lines, int *tie)
{
    double step = crossbar_adc_step(spec, lines), codes = exp2(spec->adc_bits), code = rint(sum / step);
    int is_signed = spec->mapping == CROSSBAR_DIFFERENTIAL || spec->dac_bits > 1;
    double low = is_signed ? -codes / 2 : 0, high = is_signed ? codes / 2 - 1 : codes - 1;
    *tie |= fabs(fabs(sum / step - code) - 0.5) < 1e-5;
    return step * fmin(fmax(code, low), high);
}

struct naive {
    const struct crossbar_spec *spec;
    enum crossbar_direction direction;
    const struct bench *bench;
    const float *q; /* [out][in] */
    const int *x;   /* [lines] of one row */
    int bits;
};

static int weight(const struct naive *naive, size_t result, size_t line)
{
    size_t in = (size_t)naive->bench->in;
    return (int)(naive->direction == CROSSBAR_FORWARD ? naive->q[result * in + line] : naive->q[line * in + result]);
}

static double block_sum(const struct naive *naive, size_t result, size_t first, size_t last, int slice, int *tie)
{
    const struct crossbar_spec *spec = naive->spec;
    int phases = (naive->bits + spec->dac_bits - 1) / spec->dac_bits, stored = 0, inputs = 0;
    int top = (1 << spec->cell_bits) - 1, lines = naive->direction == CROSSBAR_FORWARD ? spec->rows : spec->columns;
    double sum = 0;
    for (size_t l = first; l < last; l++) {
        stored += level(spec, weight(naive, result, l), slice);
        inputs += naive->x[l];
    }
    int flips = spec->mapping == CROSSBAR_OFFSET && spec->dac_bits == 1 && naive->direction == CROSSBAR_FORWARD &&
                2 * stored > (int)(last - first) * top;
    for (int p = 0; p < phases; p++) {
        int current = 0;
        for (size_t l = first; l < last; l++) {
            int cell = level(spec, weight(naive, result, l), slice);
            current += digit(spec, naive->x[l], p) * (flips ? top - cell : cell);
        }
        double phase = exp2(p * spec->dac_bits) * (spec->dac_bits == 1 && p == phases - 1 ? -1 : 1);
        sum += phase * convert(spec, current, lines, tie);
    }
    return flips ? top * inputs - sum : sum;
}

static double naive_result(const struct naive *naive, size_t result, int *tie)
{
    const struct crossbar_spec *spec = naive->spec;
    size_t lines = naive->bench->lines,
           block = (size_t)(naive->direction == CROSSBAR_FORWARD ? spec->rows : spec->columns);
    int slices = (spec->weight_bits + spec->cell_bits - 1) / spec->cell_bits;
    double sum = 0;
    for (size_t first = 0; first < lines; first += block)
        for (int k = 0; k < slices; k++)
            sum += exp2(k * spec->cell_bits) *
                   block_sum(naive, result, first, first + block < lines ? first + block : lines, k, tie);
    for (size_t l = 0; l < lines && spec->mapping == CROSSBAR_OFFSET; l++)
        sum -= exp2(spec->weight_bits - 1) * naive->x[l];
    return sum;
}

/* Integers of a row; returns their unit. */
static double row_integers(const float *x, size_t n, int bits, int *integers)
{
    float most = 0, top = exp2f((float)bits - 1) - 1;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    for (size_t i = 0; i < n; i++)
        integers[i] = (int)rintf(x[i] * (top / most));
    return (double)(most / top);
}

static void compare_with_naive(const struct crossbar_spec *spec, enum crossbar_direction direction, uint32_t place)
{
    struct rng_key key = rng_key(8, RNG_TEST, place);
    struct bench bench = bench_of(direction, 1 + rng_below(key, 0, 0, 4), 1 + (int64_t)rng_below(key, 0, 1, 90),
                                  1 + (int64_t)rng_below(key, 0, 2, 90), place);
    struct crossbar_matrix *matrix = crossbar_program(spec, bench.out, bench.in, bench.w, 5, 0, 1);
    int *x = malloc(bench.lines * sizeof *x);
    struct naive naive = {
        spec, direction, &bench, crossbar_integers(matrix), x, direction ? spec->error_bits : spec->input_bits};
    read_all(&bench, matrix, direction);
    for (size_t t = 0; t < bench.rows; t++) {
        double unit =
            row_integers(bench.x + t * bench.lines, bench.lines, naive.bits, x) * crossbar_weight_step(matrix);
        for (size_t r = 0; r < bench.results; r++) {
            int tie = 0;
            double want = naive_result(&naive, r, &tie) * unit, scale = unit * exp2(spec->weight_bits + naive.bits);
            if (!tie)
                ck_assert_double_eq_tol((double)bench.y[t * bench.results + r], want, 1e-6 * (scale + fabs(want)));
        }
    }
    free(x);
    crossbar_free(matrix);
    bench_release(&bench);
}

START_TEST(reads_do_what_the_header_says)
{
    enum { CASES = 60 };
    for (uint32_t i = 0; i < CASES; i++) {
        struct rng_key key = rng_key(9, RNG_TEST, i + (uint32_t)_i * CASES);
        struct crossbar_spec spec = some_spec();
        spec.mapping = rng_below(key, 0, 0, 2) ? CROSSBAR_OFFSET : CROSSBAR_DIFFERENTIAL;
        spec.cell_bits = 1 + (int)rng_below(key, 0, 1, 4);
        spec.dac_bits = 1 + (int)rng_below(key, 0, 2, 3);
        spec.weight_bits = 5 + (int)rng_below(key, 0, 3, 5);
        spec.input_bits = 2 + (int)rng_below(key, 0, 4, 8);
        spec.error_bits = 2 + (int)rng_below(key, 0, 5, 8);
        spec.adc_bits = 3 + (int)rng_below(key, 0, 6, 8);
        spec.adc_range = rng_below(key, 0, 7, 2) ? 1 : 0.27;
        spec.rows = 5 + (int)rng_below(key, 0, 8, 60);
        spec.columns = 5 + (int)rng_below(key, 0, 9, 60);
        compare_with_naive(&spec, rng_below(key, 0, 10, 2) ? CROSSBAR_BACKWARD : CROSSBAR_FORWARD,
                           1000 + i + (uint32_t)_i * CASES);
    }
}
END_TEST

/* Enough codes: the integer product, through the fast way and slice by slice (forced by noise too small to matter). */
START_TEST(enough_codes_give_the_integer_product)
{
    enum crossbar_direction direction = _i % 2 ? CROSSBAR_BACKWARD : CROSSBAR_FORWARD;
    struct crossbar_spec spec = some_spec();
    spec.mapping = _i / 2 % 2 ? CROSSBAR_OFFSET : CROSSBAR_DIFFERENTIAL;
    if (_i / 4)
        spec.weight_bits = spec.input_bits = spec.error_bits = 16;
    struct bench bench = bench_of(direction, 7, 150, 130, (uint32_t)_i);
    struct crossbar_matrix *fast = crossbar_program(&spec, bench.out, bench.in, bench.w, 5, 0, 1);
    ck_assert_int_eq(crossbar_is_exact(fast, direction), 1);
    spec.fidelity = CROSSBAR_ANALOG;
    spec.program_noise = 1e-9;
    struct crossbar_matrix *slow = crossbar_program(&spec, bench.out, bench.in, bench.w, 5, 0, 1);
    ck_assert_int_eq(crossbar_is_exact(slow, direction), 0);
    const float *q = crossbar_integers(fast);
    read_all(&bench, fast, direction);
    float *y = malloc(bench.rows * bench.results * sizeof *y);
    memcpy(y, bench.y, bench.rows * bench.results * sizeof *y);
    read_all(&bench, slow, direction);
    int *x = malloc(bench.lines * sizeof *x);
    for (size_t t = 0; t < bench.rows; t++) {
        double unit = row_integers(bench.x + t * bench.lines, bench.lines, spec.input_bits, x);
        for (size_t r = 0; r < bench.results; r++) {
            int64_t sum = 0;
            for (size_t l = 0; l < bench.lines; l++)
                sum += x[l] * (int64_t)(direction ? q[l * (size_t)bench.in + r] : q[r * (size_t)bench.in + l]);
            double want = (double)sum * unit * crossbar_weight_step(fast);
            ck_assert_double_eq_tol((double)y[t * bench.results + r], want, 3e-7 * fabs(want));
            double slack = unit * crossbar_weight_step(fast) * exp2(2 * spec.input_bits) * 1e-6;
            ck_assert_double_eq_tol((double)bench.y[t * bench.results + r], want, slack);
        }
    }
    free(x);
    free(y);
    crossbar_free(fast);
    crossbar_free(slow);
    bench_release(&bench);
}
END_TEST

START_TEST(isaac_columns_are_exact_with_eight_bits)
{
    struct crossbar_spec spec = some_spec();
    spec.mapping = CROSSBAR_OFFSET;
    spec.rows = spec.columns = 128;
    spec.adc_bits = 8;
    struct bench bench = bench_of(CROSSBAR_FORWARD, 1, 300, 500, 77);
    for (int64_t i = 0; i < bench.in; i++) /* a column of the largest weight: all of its cells full */
        bench.w[i] = 5;
    struct crossbar_matrix *matrix = crossbar_program(&spec, bench.out, bench.in, bench.w, 5, 0, 1);
    ck_assert_int_eq(crossbar_is_exact(matrix, CROSSBAR_FORWARD), 1);
    crossbar_free(matrix);
    spec.adc_bits = 7;
    matrix = crossbar_program(&spec, bench.out, bench.in, bench.w, 5, 0, 1);
    ck_assert_int_eq(crossbar_is_exact(matrix, CROSSBAR_FORWARD), 0);
    crossbar_free(matrix);
    bench_release(&bench);
}
END_TEST

static struct crossbar_spec noisy_spec(void)
{
    struct crossbar_spec spec = some_spec();
    spec.fidelity = CROSSBAR_ANALOG;
    spec.adc_bits = 6;
    spec.program_noise = 0.05;
    spec.read_noise = 0.02;
    spec.stuck_low = spec.stuck_high = 0.01;
    spec.drift = 0.05;
    return spec;
}

START_TEST(rows_do_not_know_how_they_are_split)
{
    enum crossbar_direction direction = _i % 2 ? CROSSBAR_BACKWARD : CROSSBAR_FORWARD;
    struct crossbar_spec spec = noisy_spec();
    if (_i / 2)
        spec.dac_bits = 3;
    struct bench bench = bench_of(direction, 9, 70, 90, 5);
    struct crossbar_matrix *matrix = crossbar_program(&spec, bench.out, bench.in, bench.w, 5, 2, 1);
    struct crossbar_read whole = {4, 100, 1000000000000}, part = {4, 103, 1000000000000};
    float *y = calloc(bench.rows * bench.results, sizeof *y);
    for (int call = 0; call < 2; call++) {
        float *to = call ? y + 3 * bench.results : bench.y;
        const float *x = call ? bench.x + 3 * bench.lines : bench.x;
        int64_t rows = call ? 6 : 9;
        if (direction)
            crossbar_backward(matrix, call ? &part : &whole, rows, x, 0, to, &bench.work);
        else
            crossbar_forward(matrix, call ? &part : &whole, rows, x, NULL, to, &bench.work);
    }
    ck_assert_mem_eq(y + 3 * bench.results, bench.y + 3 * bench.results, 6 * bench.results * sizeof *y);
    whole.step = 5; /* another step reads other noise */
    if (direction)
        crossbar_backward(matrix, &whole, 9, bench.x, 0, y, &bench.work);
    else
        crossbar_forward(matrix, &whole, 9, bench.x, NULL, y, &bench.work);
    ck_assert_int_ne(memcmp(y, bench.y, bench.rows * bench.results * sizeof *y), 0);
    free(y);
    crossbar_free(matrix);
    bench_release(&bench);
}
END_TEST

START_TEST(rows_of_zeros_and_of_no_numbers)
{
    struct crossbar_spec spec = noisy_spec();
    struct bench bench = bench_of(CROSSBAR_FORWARD, 3, 20, 40, 6);
    struct crossbar_matrix *matrix = crossbar_program(&spec, 20, 40, bench.w, 5, 2, 1);
    float bias[20];
    for (int o = 0; o < 20; o++)
        bias[o] = (float)o;
    memset(bench.x, 0, 40 * sizeof *bench.x);
    bench.x[45] = NAN;
    crossbar_forward(matrix, &(struct crossbar_read){1, 0, 0}, 3, bench.x, bias, bench.y, &bench.work);
    for (int o = 0; o < 20; o++) {
        ck_assert_float_eq(bench.y[o], bias[o]);
        ck_assert(isnan(bench.y[20 + o]));
        ck_assert(isfinite(bench.y[40 + o]));
    }
    crossbar_free(matrix);
    bench_release(&bench);
}
END_TEST

START_TEST(backward_accumulates)
{
    struct crossbar_spec spec = some_spec();
    struct bench bench = bench_of(CROSSBAR_BACKWARD, 4, 30, 50, 8);
    struct crossbar_matrix *matrix = crossbar_program(&spec, 30, 50, bench.w, 5, 2, 1);
    float *twice = malloc(200 * sizeof *twice);
    read_all(&bench, matrix, CROSSBAR_BACKWARD);
    memcpy(twice, bench.y, 200 * sizeof *twice);
    crossbar_backward(matrix, &(struct crossbar_read){3, 0, 0}, 4, bench.x, 1, twice, &bench.work);
    for (int i = 0; i < 200; i++)
        ck_assert_float_eq(twice[i], 2 * bench.y[i]);
    free(twice);
    crossbar_free(matrix);
    bench_release(&bench);
}
END_TEST

static double difference(const struct bench *bench, const float *y)
{
    double sum = 0, all = 0;
    for (size_t i = 0; i < bench->rows * bench->results; i++) {
        sum += pow((double)y[i] - (double)bench->y[i], 2);
        all += pow((double)bench->y[i], 2);
    }
    return sqrt(sum / all);
}

/* Drift makes everything smaller by (1 + t)^-nu: with differential pairs, results too. */
START_TEST(drift_shrinks_results)
{
    struct crossbar_spec spec = some_spec();
    spec.fidelity = CROSSBAR_ANALOG;
    spec.adc_bits = 0;
    spec.drift = 0.1;
    struct bench bench = bench_of(CROSSBAR_FORWARD, 4, 200, 200, 9);
    struct crossbar_matrix *matrix = crossbar_program(&spec, 200, 200, bench.w, 5, 2, 1);
    float *y = malloc(800 * sizeof *y);
    read_all(&bench, matrix, CROSSBAR_FORWARD);
    crossbar_forward(matrix, &(struct crossbar_read){3, 0, 99000000000000}, 4, bench.x, NULL, y, &bench.work);
    double along = 0, all = 0, shrunk = pow(100, -0.1);
    for (int i = 0; i < 800; i++) {
        along += (double)y[i] * (double)bench.y[i];
        all += (double)bench.y[i] * (double)bench.y[i];
    }
    /* Mean of e^(-nu L (1 + 0.47 n)) is e^(-nu L + (0.47 nu L)^2 / 2). */
    double spread = 0.47 * 0.1 * log(100);
    ck_assert_double_eq_tol(along / all, shrunk * exp(spread * spread / 2), 0.02);
    free(y);
    crossbar_free(matrix);
    bench_release(&bench);
}
END_TEST

START_TEST(a_calibrated_range_does_not_clip_its_batch)
{
    enum crossbar_direction direction = _i % 2 ? CROSSBAR_BACKWARD : CROSSBAR_FORWARD;
    struct crossbar_spec spec = some_spec();
    spec.adc_range = 1;
    spec.adc_bits = 5;
    struct bench bench = bench_of(direction, 8, 120, 140, 10);
    struct crossbar_matrix *matrix = crossbar_program(&spec, 120, 140, bench.w, 5, 2, 1);
    float *exact = malloc(8 * 140 * sizeof *exact);
    read_all(&bench, matrix, direction);
    memcpy(exact, bench.y, bench.rows * bench.results * sizeof *exact);
    struct crossbar_spec enough = spec;
    enough.adc_bits = 12;
    struct crossbar_matrix *true_matrix = crossbar_program(&enough, 120, 140, bench.w, 5, 2, 1);
    read_all(&bench, true_matrix, direction);
    double before = difference(&bench, exact);
    double share = crossbar_calibrate(matrix, direction, 8, bench.x, &bench.work);
    float *want = malloc(8 * 140 * sizeof *want);
    memcpy(want, bench.y, bench.rows * bench.results * sizeof *want);
    read_all(&bench, matrix, direction);
    double after = difference(&bench, want);
    ck_assert_double_gt(share, 0.02);
    ck_assert_double_lt(share, 0.7);
    ck_assert_double_lt(after, 0.75 * before);
    free(exact);
    free(want);
    crossbar_free(matrix);
    crossbar_free(true_matrix);
    bench_release(&bench);
}
END_TEST

/* Few lines of a large crossbar: a range from the cells is far better than a share of what full crossbars could give.
 */
START_TEST(a_range_from_the_cells_fits_them)
{
    enum crossbar_direction direction = _i % 2 ? CROSSBAR_BACKWARD : CROSSBAR_FORWARD;
    struct crossbar_spec spec = some_spec();
    spec.mapping = _i / 2 ? CROSSBAR_OFFSET : CROSSBAR_DIFFERENTIAL;
    spec.rows = spec.columns = 256;
    spec.adc_bits = 14;
    struct bench bench = bench_of(direction, 8, 60, 50, 11);
    float *exact = malloc(8 * 60 * sizeof *exact);
    double error[2];
    for (int i = 0; i < 3; i++) {
        struct crossbar_matrix *matrix = crossbar_program(&spec, 60, 50, bench.w, 5, 2, 1);
        read_all(&bench, matrix, direction);
        if (i == 0)
            memcpy(exact, bench.y, bench.rows * bench.results * sizeof *exact);
        else
            error[i - 1] = difference(&bench, exact);
        crossbar_free(matrix);
        spec.adc_bits = 6;
        spec.adc_range = i == 0 ? 0.25 : 0;
    }
    ck_assert_double_lt(error[1], 0.7 * error[0]);
    ck_assert_double_gt(error[1], 0);
    free(exact);
    bench_release(&bench);
}
END_TEST

START_TEST(stuck_cells_are_as_many_as_asked_for)
{
    struct crossbar_spec spec = some_spec();
    spec.fidelity = CROSSBAR_ANALOG;
    spec.adc_bits = 0;
    spec.weight_bits = 3;
    spec.stuck_low = 0.1;
    spec.stuck_high = 0.05;
    enum { N = 200 };
    float *w = malloc(N * N * sizeof *w), *x = calloc(N * N, sizeof *x), *y = malloc(N * N * sizeof *y);
    struct crossbar_work work = {NULL, 0};
    for (int i = 0; i < N * N; i++)
        w[i] = 3; /* both slices of 11: full, empty */
    for (int i = 0; i < N; i++)
        x[i * N + i] = 1;
    struct crossbar_matrix *matrix = crossbar_program(&spec, N, N, w, 5, 2, 1);
    crossbar_forward(matrix, &(struct crossbar_read){3, 0, 0}, N, x, NULL, y, &work);
    double sum = 0;
    for (int i = 0; i < N * N; i++)
        sum += (double)y[i] / 3;
    /* Full cells stuck low lose all; empty partners stuck high (of both slices: 1 and 4 units) take 3 each; empty cells
     * of the upper slice stuck high add 12. */
    double want = 1 - 0.1 - 0.05 * 1 + (0.05 - 0.05) * 4;
    ck_assert_double_eq_tol(sum / (N * N), want, 0.03);
    crossbar_free(matrix);
    crossbar_work_release(&work);
    free(w);
    free(x);
    free(y);
}
END_TEST

START_TEST(normal_numbers_have_normal_moments)
{
    enum { N = 1 << 20 };
    float *n = malloc(N * sizeof *n), part[64];
    double sum[5] = {0};
    gauss_fill(rng_key(3, RNG_READ, 1), 2, 0, N, n);
    for (int i = 0; i < N; i++)
        for (int m = 1; m <= 4; m++)
            sum[m] += pow((double)n[i], m) / N;
    ck_assert_double_eq_tol(sum[1], 0, 0.004);
    ck_assert_double_eq_tol(sum[2], 1, 0.005);
    ck_assert_double_eq_tol(sum[3], 0, 0.012);
    ck_assert_double_eq_tol(sum[4], 3, 0.03);
    gauss_fill(rng_key(3, RNG_READ, 1), 2, 960, 64, part);
    ck_assert_mem_eq(part, n + 960, sizeof part);
    uint32_t word[4]; /* the first number by the formula of the header */
    rng_block(rng_key(3, RNG_READ, 1), 2, 0, word);
    double radius = sqrt(-2 * log(((word[0] >> 16) + 0.5) / 65536)),
           angle = 6.283185307179586 * (word[0] & 65535) / 65536;
    ck_assert_double_eq_tol((double)n[0], radius * cos(angle), 2e-6);
    ck_assert_double_eq_tol((double)n[16], radius * sin(angle), 2e-6);
    free(n);
}
END_TEST

START_TEST(impossible_specs_are_told)
{
    char text[200];
    struct crossbar_spec spec = some_spec();
    ck_assert_ptr_null(crossbar_problem(&spec, text, sizeof text));
    spec.weight_bits = 17;
    ck_assert_str_eq(crossbar_problem(&spec, text, sizeof text),
                     "weight_bits: expected a whole number from 2 to 16, found 17");
    spec = some_spec();
    spec.adc_range = 2;
    ck_assert_str_eq(crossbar_problem(&spec, text, sizeof text),
                     "adc_range: expected a number of at least 0 and at most 1, found 2");
    spec = some_spec();
    spec.stuck_low = 0.7;
    spec.stuck_high = 0.5;
    ck_assert_str_eq(crossbar_problem(&spec, text, sizeof text),
                     "stuck_high: expected a number of at least 0 and at most 0.3, found 0.5");
    spec = some_spec();
    spec.weight_bits = spec.cell_bits = 4;
    ck_assert_str_eq(crossbar_problem(&spec, text, sizeof text),
                     "cell_bits: expected fewer than the 4 of a weight, found 4");
}
END_TEST

/* Stuck after programming or before: the same cells; a larger share sticks more columns, about that many. */
START_TEST(columns_that_stick_conduct_nothing)
{
    struct crossbar_spec spec = some_spec(), stuck = spec;
    struct bench bench = bench_of(CROSSBAR_FORWARD, 3, 70, 50, 400 + (uint32_t)_i);
    struct crossbar_read read = {.step = 1};
    spec.mapping = stuck.mapping = _i % 2 ? CROSSBAR_OFFSET : CROSSBAR_DIFFERENTIAL;
    stuck.stuck_columns = 0.3;
    struct crossbar_matrix *later = crossbar_program(&spec, bench.out, bench.in, bench.w, 5, 3, 1),
                           *before = crossbar_program(&stuck, bench.out, bench.in, bench.w, 5, 3, 1);
    float *other = calloc(bench.rows * bench.results, sizeof *other);
    crossbar_forward(later, &read, (int64_t)bench.rows, bench.x, NULL, other, &bench.work);
    crossbar_stick(later, 0.1);
    size_t few, some, columns = crossbar_columns(later, &few);
    crossbar_stick(later, 0.3);
    crossbar_columns(later, &some);
    ck_assert_uint_eq(columns, 2 * 4 * 70); /* two blocks of rows, four slices of two bits */
    ck_assert(few > columns / 20 && few < columns / 6 && some > columns / 5 && some < columns * 2 / 5);
    crossbar_forward(before, &read, (int64_t)bench.rows, bench.x, NULL, bench.y, &bench.work);
    ck_assert_mem_ne(other, bench.y, bench.rows * bench.results * sizeof *other);
    crossbar_forward(later, &read, (int64_t)bench.rows, bench.x, NULL, other, &bench.work);
    ck_assert_mem_eq(other, bench.y, bench.rows * bench.results * sizeof *other);
    free(other);
    crossbar_free(later);
    crossbar_free(before);
    bench_release(&bench);
}
END_TEST

/* Every column stuck: as if nothing had been programmed, in either mapping (weights that no column stands flipped
 * for). */
START_TEST(stuck_everywhere_is_empty_everywhere)
{
    struct crossbar_spec spec = some_spec();
    struct bench bench = bench_of(CROSSBAR_FORWARD, 3, 20, 50, 410 + (uint32_t)_i);
    struct crossbar_read read = {.step = 1};
    spec.mapping = _i ? CROSSBAR_OFFSET : CROSSBAR_DIFFERENTIAL;
    for (int64_t k = 0; k < bench.out * bench.in; k++)
        bench.w[k] = -1;
    struct crossbar_matrix *matrix = crossbar_program(&spec, bench.out, bench.in, bench.w, 5, 3, 1);
    crossbar_stick(matrix, 1);
    size_t all, columns = crossbar_columns(matrix, &all);
    ck_assert_uint_eq(all, columns);
    crossbar_forward(matrix, &read, (int64_t)bench.rows, bench.x, NULL, bench.y, &bench.work);
    double half = _i ? 128 * crossbar_weight_step(matrix) : 0;
    for (size_t t = 0; t < bench.rows; t++) {
        double inputs = 0;
        for (size_t l = 0; l < bench.lines; l++)
            inputs += (double)bench.x[t * bench.lines + l];
        for (size_t r = 0; r < bench.results; r++)
            ck_assert_double_eq_tol((double)bench.y[t * bench.results + r], -half * inputs, 0.2 * half + 1e-9);
    }
    crossbar_free(matrix);
    bench_release(&bench);
}
END_TEST

Suite *suite_crossbar(void)
{
    Suite *suite = suite_create("crossbar");
    TCase *reads = tcase_create("reads"), *cells = tcase_create("cells");
    tcase_add_loop_test(reads, reads_do_what_the_header_says, 0, 4);
    tcase_add_loop_test(reads, enough_codes_give_the_integer_product, 0, 8);
    tcase_add_test(reads, isaac_columns_are_exact_with_eight_bits);
    tcase_add_loop_test(reads, rows_do_not_know_how_they_are_split, 0, 4);
    tcase_add_test(reads, rows_of_zeros_and_of_no_numbers);
    tcase_add_test(reads, backward_accumulates);
    tcase_add_loop_test(reads, a_calibrated_range_does_not_clip_its_batch, 0, 2);
    tcase_add_loop_test(reads, a_range_from_the_cells_fits_them, 0, 4);
    tcase_add_test(cells, drift_shrinks_results);
    tcase_add_test(cells, stuck_cells_are_as_many_as_asked_for);
    tcase_add_test(cells, normal_numbers_have_normal_moments);
    tcase_add_test(cells, impossible_specs_are_told);
    tcase_add_loop_test(cells, columns_that_stick_conduct_nothing, 0, 4);
    tcase_add_loop_test(cells, stuck_everywhere_is_empty_everywhere, 0, 2);
    suite_add_tcase(suite, reads);
    suite_add_tcase(suite, cells);
    return suite;
}
