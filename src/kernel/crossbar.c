#include "kernel/crossbar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "kernel/crossbar_private.h"
#include "kernel/dropout.h"
#include "kernel/gauss.h"

static int outside(int value, int low, int high)
{
    return value < low || value > high;
}

const char *crossbar_problem(const struct crossbar_spec *spec, char *text, size_t size)
{
    const struct {
        const char *name;
        int value, low, high;
    } whole[] = {
        {"rows", spec->rows, 4, CROSSBAR_MAX_LINES},
        {"columns", spec->columns, 4, CROSSBAR_MAX_LINES},
        {"weight_bits", spec->weight_bits, 2, CROSSBAR_MAX_BITS},
        {"input_bits", spec->input_bits, 2, CROSSBAR_MAX_BITS},
        {"error_bits", spec->error_bits, 2, CROSSBAR_MAX_BITS},
        {"cell_bits", spec->cell_bits, 1, CROSSBAR_MAX_CELL_BITS},
        {"dac_bits", spec->dac_bits, 1, CROSSBAR_MAX_DAC_BITS},
        {"adc_bits", spec->adc_bits, 0, CROSSBAR_MAX_BITS},
    };
    const struct {
        const char *name;
        double value, low, high;
        int low_excluded;
    } real[] = {
        {"adc_range", spec->adc_range, 0, 1, 0},
        {"on_off", spec->on_off, 1, 1e9, 1},
        {"program_noise", spec->program_noise, 0, 1, 0},
        {"read_noise", spec->read_noise, 0, 1, 0},
        {"stuck_low", spec->stuck_low, 0, 1, 0},
        {"stuck_high", spec->stuck_high, 0, 1 - spec->stuck_low, 0},
        {"drift", spec->drift, 0, 1, 0},
        {"stuck_columns", spec->stuck_columns, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (outside(whole[i].value, whole[i].low, whole[i].high)) {
            snprintf(text, size, "%s: expected a whole number from %d to %d, found %d", whole[i].name, whole[i].low,
                     whole[i].high, whole[i].value);
            return text;
        }
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++)
        if (!(real[i].value >= real[i].low && real[i].value <= real[i].high) ||
            (real[i].low_excluded && real[i].value <= real[i].low)) {
            snprintf(text, size, "%s: expected a number %s %g and at most %g, found %g", real[i].name,
                     real[i].low_excluded ? "above" : "of at least", real[i].low, real[i].high, real[i].value);
            return text;
        }
    if (spec->cell_bits >= spec->weight_bits) {
        snprintf(text, size, "cell_bits: expected fewer than the %d of a weight, found %d", spec->weight_bits,
                 spec->cell_bits);
        return text;
    }
    return NULL;
}

/* Do converters see sums of both signs? */
static int is_signed(const struct crossbar_spec *spec)
{
    return spec->mapping == CROSSBAR_DIFFERENTIAL || spec->dac_bits > 1;
}

static int largest_digit(const struct crossbar_spec *spec)
{
    return (1 << spec->dac_bits) - 1;
}

double crossbar_adc_step(const struct crossbar_spec *spec, int lines)
{
    if (spec->adc_bits == 0)
        return 0;
    double full_scale = (double)lines * largest_digit(spec) * cell_top(spec);
    double step = spec->adc_range * full_scale * (is_signed(spec) ? 2 : 1) / exp2(spec->adc_bits);
    return step > 1 ? step : 1;
}

static int lines_of(const struct crossbar_spec *spec, enum crossbar_direction direction)
{
    return direction == CROSSBAR_FORWARD ? spec->rows : spec->columns;
}

static struct crossbar_converter make_converter(const struct crossbar_spec *spec, enum crossbar_direction direction)
{
    double codes = spec->adc_bits ? exp2(spec->adc_bits) : INFINITY;
    struct crossbar_converter converter = {.step = (float)crossbar_adc_step(spec, lines_of(spec, direction))};
    converter.low = is_signed(spec) ? (float)(-codes / 2) : 0;
    converter.high = is_signed(spec) ? (float)(codes / 2 - 1) : (float)(codes - 1);
    return converter;
}

/* Levels of one slice of q in a cell: of |q| (differential), of q + half (offset). */
static int level_of(const struct crossbar_spec *spec, float q, int slice)
{
    int whole = (int)q, value = spec->mapping == CROSSBAR_OFFSET ? whole + (1 << (spec->weight_bits - 1)) : abs(whole);
    return value >> (slice * spec->cell_bits) & cell_top(spec);
}

static void quantise_weights(struct crossbar_matrix *matrix, const float *w)
{
    float most = 0, top = (float)((1 << (matrix->spec.weight_bits - 1)) - 1);
    size_t n = matrix->out * matrix->in;
    for (size_t i = 0; i < n; i++)
        most = fabsf(w[i]) > most ? fabsf(w[i]) : most;
    if (!(most <= 3e38f))
        bug("a weight that is not a number cannot be programmed");
    matrix->weight_step = most > 0 ? most / top : 1;
    for (size_t i = 0; i < n; i++)
        matrix->integers[i] = rintf(w[i] / matrix->weight_step);
}

static uint8_t *flip_of(const struct crossbar_matrix *matrix, size_t line, int slice)
{
    size_t block = line / (size_t)matrix->spec.rows;
    return matrix->flipped + (block * (size_t)matrix->slices + (size_t)slice) * matrix->out_lanes;
}

/* Offset: a column that sums to more than half of what it could is stored as its complement. */
static void choose_flips(struct crossbar_matrix *matrix)
{
    const struct crossbar_spec *spec = &matrix->spec;
    if (is_signed(spec))
        return;
    size_t rows = (size_t)spec->rows;
    for (int k = 0; k < matrix->slices; k++)
        for (size_t first = 0; first < matrix->in; first += rows) {
            size_t last = first + rows < matrix->in ? first + rows : matrix->in;
            uint8_t *flip = flip_of(matrix, first, k);
            for (size_t o = 0; o < matrix->out; o++) {
                int64_t sum = 0;
                for (size_t i = first; i < last; i++)
                    sum += level_of(spec, matrix->integers[o * matrix->in + i], k);
                flip[o] = 2 * sum > (int64_t)(last - first) * cell_top(spec);
            }
        }
}

/* Random numbers of one line of cells: two polarities of out_lanes each. */
struct line_noise {
    float *normal;         /* [2 * out_lanes] or NULL */
    const uint32_t *words; /* [2 * out_lanes] or NULL */
    uint32_t low, high;    /* stuck: word < low, else word < high */
};

/* Conductance less g0 that a cell shows when `level` was written. */
static double cell_value(const struct crossbar_spec *spec, const struct line_noise *noise, size_t e, int level)
{
    double empty = cell_floor(spec), value = level + empty;
    if (noise->normal) {
        double sigma = spec->program_noise * (spec->state_independent ? cell_top(spec) : value);
        value += sigma * (double)noise->normal[e];
        value = value > 0 ? value : 0;
    }
    if (noise->words && noise->words[e] < noise->low)
        return 0;
    if (noise->words && noise->words[e] < noise->high)
        return cell_top(spec);
    return value - empty;
}

static int16_t stored(const struct crossbar_matrix *matrix, double levels)
{
    double units = nearbyint(levels / (double)matrix->cell_unit);
    return (int16_t)(units > 32767 ? 32767 : units < -32767 ? -32767 : units);
}

static void program_line(struct crossbar_matrix *matrix, const struct line_noise *noise, int slice, size_t line)
{
    const struct crossbar_spec *spec = &matrix->spec;
    int16_t *cells = matrix->cells + ((size_t)slice * matrix->in + line) * matrix->out_lanes;
    const uint8_t *flip = flip_of(matrix, line, slice);
    for (size_t o = 0; o < matrix->out; o++) {
        float q = matrix->integers[o * matrix->in + line];
        int level = level_of(spec, q, slice);
        double value;
        if (spec->mapping == CROSSBAR_DIFFERENTIAL)
            value = cell_value(spec, noise, o, q > 0 ? level : 0) -
                    cell_value(spec, noise, matrix->out_lanes + o, q < 0 ? level : 0);
        else if (flip[o])
            value = cell_top(spec) - cell_value(spec, noise, o, cell_top(spec) - level);
        else
            value = cell_value(spec, noise, o, level);
        cells[o] = stored(matrix, value);
    }
}

static void *need(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    if (!memory)
        bug("out of memory: %zu bytes for a crossbar", bytes);
    memset(memory, 0, bytes);
    return memory;
}

static void program_cells(struct crossbar_matrix *matrix, uint32_t writing)
{
    const struct crossbar_spec *spec = &matrix->spec;
    int analog = spec->fidelity == CROSSBAR_ANALOG, noisy = analog && spec->program_noise > 0;
    int stuck = analog && spec->stuck_low + spec->stuck_high > 0;
    size_t n = 2 * matrix->out_lanes;
    float *normal = need(n * sizeof *normal);
    uint32_t *words = need((n + DROPOUT_SLACK) * sizeof *words);
    struct rng_key key = rng_key(matrix->seed, RNG_PROGRAM, matrix->number);
    struct dropout faults = {.key = rng_key(matrix->seed, RNG_STUCK, matrix->number)};
    double high = (spec->stuck_low + spec->stuck_high) * 0x1p32;
    struct line_noise noise = {noisy ? normal : NULL, NULL, (uint32_t)fmin(spec->stuck_low * 0x1p32, UINT32_MAX),
                               (uint32_t)fmin(high, UINT32_MAX)};
    for (int k = 0; k < matrix->slices; k++)
        for (size_t line = 0; line < matrix->in; line++) {
            uint64_t first = ((uint64_t)k * matrix->in + line) * n;
            if (noisy)
                gauss_fill(key, writing, first, n, normal);
            if (stuck)
                noise.words = dropout_words(&faults, first, n, words);
            program_line(matrix, &noise, k, line);
        }
    free(normal);
    free(words);
}

/* Sums over the cells of one column (of one block and slice), as a converter meets them. */
struct column {
    int64_t up, down; /* of cells above and below zero, in cell units */
    double squares;
};

static void add_cell(struct column *column, int64_t cell)
{
    column->up += cell > 0 ? cell : 0;
    column->down += cell < 0 ? -cell : 0;
    column->squares += (double)cell * (double)cell;
}

/* The largest sum that a column can give: all lines driven that add to it. */
static double worst_sum(const struct crossbar_spec *spec, const struct column *column)
{
    int64_t up = column->up, down = column->down, sum = spec->dac_bits > 1 ? up + down : up > down ? up : down;
    return (double)sum * largest_digit(spec);
}

/* What it hardly ever exceeds: mean and four standard deviations when inputs are random bits (or digits with signs). */
static double likely_sum(const struct crossbar_spec *spec, const struct column *column)
{
    double top = largest_digit(spec), square = top * (2 * top + 1) / 6;
    if (spec->dac_bits > 1)
        return 4 * sqrt(square * column->squares);
    return fabs((double)(column->up - column->down)) / 2 + 4 * sqrt(column->squares / 4);
}

typedef double column_measure(const struct crossbar_spec *spec, const struct column *column);

/* The largest of a measure over all columns, in levels. Forward, columns go side by side, as their cells lie. */
static double largest_forward(const struct crossbar_matrix *matrix, column_measure *measure)
{
    const struct crossbar_spec *spec = &matrix->spec;
    size_t rows = (size_t)spec->rows;
    int64_t top = (int64_t)(cell_top(spec) / (double)matrix->cell_unit);
    double largest = 0;
    for (int k = 0; k < matrix->slices; k++)
        for (size_t first = 0; first < matrix->in; first += rows)
            for (size_t o = 0; o < matrix->out; o += GAUSS_GROUP) {
                struct column columns[GAUSS_GROUP] = {{0, 0, 0}};
                const uint8_t *flip = flip_of(matrix, first, k) + o;
                for (size_t i = first; i < first + rows && i < matrix->in; i++) {
                    const int16_t *cell = matrix->cells + ((size_t)k * matrix->in + i) * matrix->out_lanes + o;
                    for (int c = 0; c < GAUSS_GROUP; c++)
                        add_cell(&columns[c], flip[c] ? top - cell[c] : cell[c]);
                }
                for (int c = 0; c < GAUSS_GROUP; c++)
                    largest = fmax(largest, measure(spec, &columns[c]));
            }
    return largest * (double)matrix->cell_unit;
}

static double largest_backward(const struct crossbar_matrix *matrix, column_measure *measure)
{
    const struct crossbar_spec *spec = &matrix->spec;
    size_t columns = (size_t)spec->columns;
    double largest = 0;
    for (size_t line = 0; line < (size_t)matrix->slices * matrix->in; line++)
        for (size_t first = 0; first < matrix->out; first += columns) {
            struct column column = {0, 0, 0};
            for (size_t o = first; o < first + columns && o < matrix->out; o++)
                add_cell(&column, matrix->cells[line * matrix->out_lanes + o]);
            largest = fmax(largest, measure(spec, &column));
        }
    return largest * (double)matrix->cell_unit;
}

static double largest_sum(const struct crossbar_matrix *matrix, int direction, column_measure *measure)
{
    return direction == CROSSBAR_FORWARD ? largest_forward(matrix, measure) : largest_backward(matrix, measure);
}

/* Largest sum of |q| over what one result adds. */
static double largest_weight_sum(const struct crossbar_matrix *matrix, enum crossbar_direction direction)
{
    int forward = direction == CROSSBAR_FORWARD;
    size_t results = forward ? matrix->out : matrix->in, lines = forward ? matrix->in : matrix->out;
    double most = 0;
    for (size_t r = 0; r < results; r++) {
        double sum = 0;
        for (size_t l = 0; l < lines; l++)
            sum += (double)fabsf(matrix->integers[forward ? r * matrix->in + l : l * matrix->in + r]);
        most = sum > most ? sum : most;
    }
    return most;
}

static int cells_are_true(const struct crossbar_spec *spec)
{
    return spec->stuck_columns == 0 &&
           (spec->fidelity == CROSSBAR_QUANTIZED || (spec->program_noise == 0 && spec->read_noise == 0 &&
                                                     spec->stuck_low + spec->stuck_high == 0 && spec->drift == 0));
}

static void settle_converters(struct crossbar_matrix *matrix)
{
    const struct crossbar_spec *spec = &matrix->spec;
    for (int d = 0; d < 2; d++) {
        struct crossbar_converter *converter = &matrix->converter[d];
        *converter = make_converter(spec, (enum crossbar_direction)d);
        if (spec->adc_range == 0 && spec->adc_bits)
            converter->step = (float)fmax(1, largest_sum(matrix, d, likely_sum) / (double)converter->high);
        if (!cells_are_true(spec) || converter->step > 1)
            continue;
        int bits = d == CROSSBAR_FORWARD ? spec->input_bits : spec->error_bits;
        converter->exact = largest_sum(matrix, d, worst_sum) <= (double)converter->high;
        converter->narrow =
            largest_weight_sum(matrix, (enum crossbar_direction)d) * (exp2(bits - 1) - 1) < (double)(1 << 24);
    }
}

static size_t blocks_of(const struct crossbar_matrix *matrix)
{
    return (matrix->in + (size_t)matrix->spec.rows - 1) / (size_t)matrix->spec.rows;
}

static size_t count_cells(const struct crossbar_matrix *matrix)
{
    return (size_t)matrix->slices * matrix->in * matrix->out_lanes;
}

static size_t count_flips(const struct crossbar_matrix *matrix)
{
    return blocks_of(matrix) * (size_t)matrix->slices * matrix->out_lanes;
}

/* Room for a matrix [out, in], nothing in its cells. */
static struct crossbar_matrix *make_room(const struct crossbar_spec *spec, int64_t out, int64_t in)
{
    char text[160];
    if (spec->fidelity == CROSSBAR_IDEAL || crossbar_problem(spec, text, sizeof text) || out < 1 || in < 1)
        bug("a crossbar matrix that cannot be");
    struct crossbar_matrix *matrix = need(sizeof *matrix);
    matrix->spec = *spec;
    matrix->out = (size_t)out;
    matrix->in = (size_t)in;
    matrix->out_lanes = (matrix->out + GAUSS_GROUP - 1) / GAUSS_GROUP * GAUSS_GROUP;
    matrix->slices = (spec->weight_bits + spec->cell_bits - 1) / spec->cell_bits;
    matrix->cell_unit = (float)exp2(spec->cell_bits - 14);
    matrix->integers = need(matrix->out * matrix->in * sizeof *matrix->integers);
    matrix->cells = need(count_cells(matrix) * sizeof *matrix->cells);
    matrix->flipped = need(count_flips(matrix));
    return matrix;
}

static size_t count_columns(const struct crossbar_matrix *matrix)
{
    return blocks_of(matrix) * (size_t)matrix->slices * matrix->out;
}

/* Column c of all: of a block of rows, a slice and a result. */
static int column_sticks(const struct crossbar_matrix *matrix, size_t c)
{
    struct rng_key key = rng_key(matrix->seed, RNG_COLUMN, matrix->number);
    return rng_uniform(key, 0, c) < matrix->spec.stuck_columns;
}

/* A column that stands flipped shows the complement of nothing: the top. */
static void stick_column(struct crossbar_matrix *matrix, size_t c)
{
    size_t rows = (size_t)matrix->spec.rows, slices = (size_t)matrix->slices, o = c % matrix->out;
    size_t slice = c / matrix->out % slices, first = c / matrix->out / slices * rows;
    int16_t value = flip_of(matrix, first, (int)slice)[o] ? stored(matrix, cell_top(&matrix->spec)) : 0;
    for (size_t line = first; line < first + rows && line < matrix->in; line++)
        matrix->cells[(slice * matrix->in + line) * matrix->out_lanes + o] = value;
}

static void stick_columns(struct crossbar_matrix *matrix)
{
    for (size_t c = 0; c < count_columns(matrix) && matrix->spec.stuck_columns > 0; c++)
        if (column_sticks(matrix, c))
            stick_column(matrix, c);
}

void crossbar_stick(struct crossbar_matrix *matrix, double share)
{
    if (!(share >= matrix->spec.stuck_columns && share <= 1))
        bug("a share of %g of all columns sticks, after %g", share, matrix->spec.stuck_columns);
    matrix->spec.stuck_columns = share;
    stick_columns(matrix);
    settle_converters(matrix);
}

size_t crossbar_columns(const struct crossbar_matrix *matrix, size_t *stuck)
{
    for (size_t c = *stuck = 0; c < count_columns(matrix); c++)
        *stuck += (size_t)column_sticks(matrix, c);
    return count_columns(matrix);
}

struct crossbar_matrix *crossbar_program(const struct crossbar_spec *spec, int64_t out, int64_t in, const float *w,
                                         uint64_t seed, uint32_t number, uint32_t writing)
{
    struct crossbar_matrix *matrix = make_room(spec, out, in);
    matrix->seed = seed;
    matrix->number = number;
    quantise_weights(matrix, w);
    choose_flips(matrix);
    program_cells(matrix, writing);
    stick_columns(matrix);
    settle_converters(matrix);
    return matrix;
}

void crossbar_free(struct crossbar_matrix *matrix)
{
    if (!matrix)
        return;
    free(matrix->integers);
    free(matrix->cells);
    free(matrix->flipped);
    free(matrix);
}

size_t crossbar_bytes(const struct crossbar_matrix *matrix)
{
    return sizeof *matrix + matrix->out * matrix->in * sizeof *matrix->integers +
           count_cells(matrix) * sizeof *matrix->cells + count_flips(matrix);
}

static void converter_archive(struct crossbar_converter *converter, struct archive *archive)
{
    archive_field(archive, "step", &converter->step);
    archive_field(archive, "low", &converter->low);
    archive_field(archive, "high", &converter->high);
    archive_field(archive, "exact", &converter->exact);
    archive_field(archive, "narrow", &converter->narrow);
}

void crossbar_archive(struct crossbar_matrix **held, const struct crossbar_spec *spec, struct archive *archive)
{
    struct crossbar_matrix *matrix = *held;
    size_t out = archive_count(archive, "out", matrix ? matrix->out : 0);
    size_t in = archive_count(archive, "in", matrix ? matrix->in : 0);
    if (archive_restores(archive)) {
        crossbar_free(matrix);
        *held = matrix = out && in ? make_room(spec, (int64_t)out, (int64_t)in) : NULL;
    }
    if (!matrix)
        return;
    archive_field(archive, "seed", &matrix->seed);
    archive_field(archive, "number", &matrix->number);
    archive_field(archive, "weight_step", &matrix->weight_step);
    archive_memory(archive, "integers", ARCHIVE_F32, matrix->integers, out * in);
    archive_memory(archive, "cells", ARCHIVE_I16, matrix->cells, count_cells(matrix));
    archive_memory(archive, "flipped", ARCHIVE_U8, matrix->flipped, count_flips(matrix));
    for (int direction = 0; direction < 2; direction++) {
        archive_enter(archive, direction == CROSSBAR_FORWARD ? "forward" : "backward");
        converter_archive(&matrix->converter[direction], archive);
        archive_leave(archive);
    }
}

int crossbar_is_exact(const struct crossbar_matrix *matrix, enum crossbar_direction direction)
{
    return matrix->converter[direction].exact;
}

double crossbar_weight_step(const struct crossbar_matrix *matrix)
{
    return (double)matrix->weight_step;
}

const float *crossbar_integers(const struct crossbar_matrix *matrix)
{
    return matrix->integers;
}
