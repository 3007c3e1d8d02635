#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/status.h"
#include "command/reproduce.h"
#include "kernel/crossbar.h"

enum { LINES = 128, READS = 16 };

enum source { FROM_ADC, FROM_PROGRAMMING, FROM_READING, FROM_WEIGHTS, FROM_INPUTS, FROM_ALL };

/* Weights have `weight_bits` with the sign, so that of 9 all four slices of 2 bit are full. */
static const struct setting {
    const char *name;
    enum source source;
    int weight_bits, cell_bits, adc_bits;
    double range, sigma, on_off;
    int state_independent;
    double tolerance;
} settings[] = {
    {"ADC 9 bit, full scale", FROM_ADC, 9, 2, 9, 1, 0, 1e9, 0, 0.05},
    {"ADC 8 bit, full scale", FROM_ADC, 9, 2, 8, 1, 0, 1e9, 0, 0.05},
    {"ADC 7 bit, full scale", FROM_ADC, 9, 2, 7, 1, 0, 1e9, 0, 0.05},
    {"ADC 6 bit, full scale", FROM_ADC, 9, 2, 6, 1, 0, 1e9, 0, 0.05},
    {"ADC 6 bit, 25 % of full scale", FROM_ADC, 9, 2, 6, 0.25, 0, 1e9, 0, 0.05},
    {"programming 2 %", FROM_PROGRAMMING, 9, 2, 0, 1, 0.02, 1e9, 0, 0.03},
    {"programming 5 %", FROM_PROGRAMMING, 9, 2, 0, 1, 0.05, 1e9, 0, 0.03},
    {"programming 10 %", FROM_PROGRAMMING, 9, 2, 0, 1, 0.10, 1e9, 0, 0.03},
    {"programming 5 %, on/off 10", FROM_PROGRAMMING, 9, 2, 0, 1, 0.05, 10, 0, 0.03},
    {"programming 2 %, 4 bit cells", FROM_PROGRAMMING, 9, 4, 0, 1, 0.02, 1e9, 0, 0.03},
    {"programming 5 % of range, clamped at 0", FROM_PROGRAMMING, 9, 2, 0, 1, 0.05, 1e9, 1, 0.03},
    {"programming 5 % of range, on/off 10", FROM_PROGRAMMING, 9, 2, 0, 1, 0.05, 10, 1, 0.03},
    {"reading 2 %", FROM_READING, 9, 2, 0, 1, 0.02, 1e9, 0, 0.03},
    {"reading 5 %, on/off 10", FROM_READING, 9, 2, 0, 1, 0.05, 10, 0, 0.03},
    {"rounding of weights, 8 bit", FROM_WEIGHTS, 8, 2, 0, 1, 0, 1e9, 0, 0.03},
    {"rounding of inputs, 8 bit", FROM_INPUTS, 8, 2, 0, 1, 0, 1e9, 0, 0.03},
    {"ADC 7 bit, programming 5 %, reading 2 %", FROM_ALL, 9, 2, 7, 1, 0.05, 1e9, 0, 0.10},
};

static const double read_sigma_of_all = 0.02;

struct data {
    int64_t columns;
    float *w, *x, *y; /* [columns][LINES], [READS][LINES], [READS][columns] */
};

static void *need(size_t n)
{
    void *memory = calloc(n, sizeof(float));
    if (!memory)
        bug("out of memory");
    return memory;
}

/* Integers that the quantisation keeps as they are, because the largest possible one is there; or normal numbers. */
static void fill(struct rng_key key, int whole, int bits, size_t rows, size_t of_rows, float *to)
{
    int top = (1 << (bits - 1)) - 1;
    for (size_t i = 0; i < rows * of_rows; i++)
        to[i] = whole ? (float)((int)rng_below(key, 0, i, 2 * (uint64_t)top + 1) - top) : (float)rng_normal(key, 0, i);
    for (size_t r = 0; r < rows && whole; r++)
        to[r * of_rows] = (float)top;
}

static struct data make_data(const struct setting *setting, uint64_t seed, uint32_t place, int64_t columns)
{
    struct data data = {.columns = columns};
    data.w = need((size_t)columns * LINES);
    data.x = need((size_t)READS * LINES);
    data.y = need((size_t)READS * (size_t)columns);
    fill(rng_key(seed, RNG_SYNTH, 2 * place), setting->source != FROM_WEIGHTS, setting->weight_bits, (size_t)columns,
         LINES, data.w);
    fill(rng_key(seed, RNG_SYNTH, 2 * place + 1), setting->source != FROM_INPUTS, 8, READS, LINES, data.x);
    return data;
}

static struct crossbar_spec spec_of(const struct setting *setting)
{
    enum source source = setting->source;
    return (struct crossbar_spec){
        .fidelity = CROSSBAR_ANALOG,
        .mapping = CROSSBAR_DIFFERENTIAL,
        .rows = LINES,
        .columns = LINES,
        .weight_bits = setting->weight_bits,
        .input_bits = 8,
        .error_bits = 8,
        .cell_bits = setting->cell_bits,
        .dac_bits = 1,
        .adc_bits = setting->adc_bits,
        .adc_range = setting->range,
        .on_off = setting->on_off,
        .program_noise = source == FROM_PROGRAMMING || source == FROM_ALL ? setting->sigma : 0,
        .state_independent = setting->state_independent,
        .read_noise = source == FROM_READING ? setting->sigma
                      : source == FROM_ALL   ? read_sigma_of_all
                                             : 0,
    };
}

/* Mean and variance of what programming adds to a cell of conductance g: a normal number, cut at conductance 0. */
static void cell_moments(double g, double sigma, double *mean, double *variance)
{
    double z = sigma > 0 ? g / sigma : 1e9, below = 0.5 * erfc(z / sqrt(2)),
           density = exp(-z * z / 2) / sqrt(8 * atan(1));
    double first = g * (1 - below) + sigma * density,
           second = (g * g + sigma * sigma) * (1 - below) + g * sigma * density;
    *mean = first - g;
    *variance = second - first * first;
}

struct line_error { /* of one weight, whatever drives it */
    double mean, variance;
};

/* Sum over slices, both cells of a pair. `read`: the proportional variance alone. */
static struct line_error error_of_weight(const struct setting *setting, int q, int read, double read_sigma)
{
    int slices = (setting->weight_bits + setting->cell_bits - 1) / setting->cell_bits,
        top = (1 << setting->cell_bits) - 1;
    double empty = top / (setting->on_off - 1);
    struct line_error error = {0, 0};
    for (int k = 0; k < slices; k++)
        for (int pole = -1; pole <= 1; pole += 2) {
            int level = pole * q > 0 ? abs(q) >> (k * setting->cell_bits) & top : 0;
            double g = level + empty, mean = 0, variance = read_sigma * read_sigma * g * g;
            if (!read)
                cell_moments(g, setting->sigma * (setting->state_independent ? top : g), &mean, &variance);
            error.mean += pole * exp2(k * setting->cell_bits) * mean;
            error.variance += exp2(2 * k * setting->cell_bits) * variance;
        }
    return error;
}

/* sum_p 4^p x^(p) of a two's complement input: what read noise, fresh in each phase, is multiplied with. */
static double phase_squares(float x)
{
    double sum = 0;
    for (int p = 0; p < 8; p++)
        sum += exp2(2 * p) * ((unsigned)(int)x >> p & 1u);
    return sum;
}

/* Per line, the mean over reads of x^2 or of phase_squares times the mean over columns of the variance; and what the
 * means of the cells' errors add, read by read and column by column. */
static double predict_cells(const struct setting *setting, const struct data *data, int read, double read_sigma)
{
    size_t columns = (size_t)data->columns;
    double total = 0, shifts = 0;
    float *mean = need(columns * LINES);
    for (size_t i = 0; i < LINES; i++) {
        double squares = 0, variance = 0;
        for (size_t t = 0; t < READS; t++) {
            float x = data->x[t * LINES + i];
            squares += (read ? phase_squares(x) : (double)x * (double)x) / READS;
        }
        for (size_t o = 0; o < columns; o++) {
            struct line_error error = error_of_weight(setting, (int)data->w[o * LINES + i], read, read_sigma);
            variance += error.variance / (double)columns;
            mean[o * LINES + i] = (float)error.mean;
        }
        total += squares * variance;
    }
    for (size_t o = 0; o < columns && !read; o++)
        for (size_t t = 0; t < READS; t++) {
            double shift = 0;
            for (size_t i = 0; i < LINES; i++)
                shift += (double)data->x[t * LINES + i] * (double)mean[o * LINES + i];
            shifts += shift * shift;
        }
    free(mean);
    return total + shifts / ((double)columns * READS);
}

static double mean_square(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum / (double)n;
}

/* Mean square of rounding whole numbers to multiples of a step: step^2 / 12, but for the grid that both are on. */
static double rounding_square(double step)
{
    enum { PERIOD = 4096 };
    double sum = 0;
    for (int v = 0; v < PERIOD; v++) {
        double rest = v - step * rint(v / step);
        sum += rest * rest;
    }
    return sum / PERIOD;
}

/* The same for each phase and slice that has levels. With noise on the sums the grid is lost: step^2 / 12. */
static double predict_adc(const struct setting *setting, const struct crossbar_spec *spec)
{
    int slices = (setting->weight_bits - 1 + setting->cell_bits - 1) / setting->cell_bits;
    double step = crossbar_adc_step(spec, LINES), per_slice = exp2(2 * setting->cell_bits);
    double each = setting->source == FROM_ADC ? rounding_square(step) : step * step / 12;
    return each * (exp2(16) - 1) / 3 * (pow(per_slice, slices) - 1) / (per_slice - 1);
}

static double predict(const struct setting *setting, const struct data *data, const struct crossbar_matrix *matrix,
                      const struct crossbar_spec *spec)
{
    double step = crossbar_weight_step(matrix);
    switch (setting->source) {
    case FROM_ADC:
        return predict_adc(setting, spec);
    case FROM_PROGRAMMING:
        return predict_cells(setting, data, 0, 0);
    case FROM_READING:
        return predict_cells(setting, data, 1, setting->sigma);
    case FROM_WEIGHTS:
        return LINES * mean_square(data->x, (size_t)READS * LINES) * step * step / 12;
    case FROM_INPUTS: {
        double units = 0;
        for (size_t t = 0; t < READS; t++) {
            float most = 0;
            for (size_t i = 0; i < LINES; i++)
                most = fmaxf(most, fabsf(data->x[t * LINES + i]));
            units += pow((double)most / 127, 2) / READS;
        }
        return LINES * mean_square(data->w, (size_t)data->columns * LINES) * units / 12;
    }
    default:
        return predict_adc(setting, spec) + predict_cells(setting, data, 0, 0) +
               predict_cells(setting, data, 1, read_sigma_of_all);
    }
}

static void measure(const struct data *data, struct reram_experiment *experiment)
{
    size_t columns = (size_t)data->columns;
    double wrong = 0, signal = 0;
    for (size_t t = 0; t < READS; t++)
        for (size_t o = 0; o < columns; o++) {
            double exact = 0, y = (double)data->y[t * columns + o];
            for (size_t i = 0; i < LINES; i++)
                exact += (double)data->x[t * LINES + i] * (double)data->w[o * LINES + i];
            wrong += (y - exact) * (y - exact);
            signal += exact * exact;
        }
    experiment->measured = wrong / ((double)columns * READS);
    experiment->signal = signal / ((double)columns * READS);
}

int reram_experiment(int i, uint64_t seed, int64_t columns, struct reram_experiment *experiment)
{
    if (i < 0 || (size_t)i >= sizeof settings / sizeof settings[0])
        return 0;
    const struct setting *setting = &settings[i];
    struct crossbar_spec spec = spec_of(setting);
    struct data data = make_data(setting, seed, (uint32_t)i, columns);
    struct crossbar_work work = {NULL, 0};
    struct crossbar_matrix *matrix = crossbar_program(&spec, columns, LINES, data.w, seed, (uint32_t)i, 1);
    crossbar_forward(matrix, &(struct crossbar_read){.step = 1}, READS, data.x, NULL, data.y, &work);
    *experiment = (struct reram_experiment){.name = setting->name, .tolerance = setting->tolerance};
    experiment->predicted = predict(setting, &data, matrix, &spec);
    measure(&data, experiment);
    crossbar_free(matrix);
    crossbar_work_release(&work);
    free(data.w);
    free(data.x);
    free(data.y);
    return 1;
}
