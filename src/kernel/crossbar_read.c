#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "kernel/crossbar_private.h"
#include "kernel/gauss.h"
#include "kernel/gemm.h"
#include "kernel/run.h"

/* Spread of the drift exponent over its mean: header. */
static const float drift_spread = 0.47f;

void crossbar_work_release(struct crossbar_work *work)
{
    free(work->memory);
    *work = (struct crossbar_work){NULL, 0};
}

static char *work_need(struct crossbar_work *work, size_t bytes)
{
    if (bytes > work->bytes) {
        free(work->memory);
        work->bytes = (bytes + 63) / 64 * 64;
        work->memory = aligned_alloc(64, work->bytes);
        if (!work->memory)
            bug("out of memory: %zu bytes to read a crossbar", bytes);
    }
    return work->memory;
}

/* Parts of the working memory, each aligned to a vector. */
static size_t part(size_t *end, size_t bytes)
{
    size_t start = *end;
    *end += (bytes + 63) / 64 * 64;
    return start;
}

static void *at(char *memory, size_t start)
{
    return memory + start;
}

void crossbar_code(const struct crossbar_spec *spec, enum crossbar_direction direction, struct crossbar_coding *coding)
{
    *coding = (struct crossbar_coding){.bits = direction == CROSSBAR_FORWARD ? spec->input_bits : spec->error_bits};
    coding->phases = (coding->bits + spec->dac_bits - 1) / spec->dac_bits;
    for (int p = 0; p < coding->phases; p++)
        coding->phase_weight[p] = exp2f((float)(p * spec->dac_bits));
    coding->planes = 1;
    coding->plane_weight[0] = 1;
    if (spec->dac_bits == 1) {
        coding->phase_weight[coding->phases - 1] *= -1;
        return;
    }
    coding->planes = spec->dac_bits + 1;
    for (int b = 0; b < coding->planes; b++)
        coding->plane_weight[b] = exp2f((float)b) * (b == spec->dac_bits ? -1 : 1);
    coding->square_planes = 2 * spec->dac_bits;
    for (int b = 0; b < coding->square_planes; b++)
        coding->square_weight[b] = exp2f((float)b);
}

/* Integers of a row and their unit. A row with something that is not finite gets such a unit, and so such results. */
KERNEL_CLONES
static float quantise_row(const float *x, size_t n, int bits, float *integers)
{
    const vn to_integer = vn_set(12582912.0f);
    float top = (float)((1 << (bits - 1)) - 1), most, check;
    struct v16 largest = v16_set(0), wrong = v16_set(0); /* x - x is 0 when finite, else not a number */
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int part = 0; part < V16_PARTS; part++) {
            vn some = vn_load(x + i + part * VN_FLOATS);
            largest.part[part] = vn_max(vn_abs(some), largest.part[part]);
            wrong.part[part] += some - some;
        }
    most = v16_largest(&largest);
    check = v16_sum(&wrong);
    for (; i < n; i++) {
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
        check += x[i] - x[i];
    }
    int finite = check == 0;
    if (!finite || most == 0) {
        memset(integers, 0, n * sizeof *integers);
        return finite ? 0 : NAN;
    }
    float unit = most / top, per_unit = top / most;
    if (!(per_unit <= 3e38f)) { /* subnormal rows */
        memset(integers, 0, n * sizeof *integers);
        return 0;
    }
    for (i = 0; i + VN_FLOATS <= n; i += VN_FLOATS)
        vn_store(integers + i, (vn_load(x + i) * vn_set(per_unit) + to_integer) - to_integer);
    for (; i < n; i++)
        integers[i] = (x[i] * per_unit + 12582912.0f) - 12582912.0f;
    return unit;
}

/* The read as an integer product in floats: exact while everything stays below 2^24. */
static void multiply_narrow(const struct crossbar_matrix *matrix, enum crossbar_direction direction, size_t rows,
                            const float *integers, float *result, void *scratch)
{
    struct op op = {.kind = direction == CROSSBAR_FORWARD ? OP_LINEAR : OP_LINEAR_DX,
                    .rows = (int64_t)rows,
                    .in = (int64_t)matrix->in,
                    .out = (int64_t)matrix->out};
    struct kernel_context context = {.format = FORMAT_FP32, .scratch = scratch};
    const float *in[OP_MAX_IN] = {integers, matrix->integers};
    float *out[OP_MAX_OUT] = {result};
    kernel_run_f32(&op, &context, in, out);
}

static size_t narrow_scratch_bytes(const struct crossbar_matrix *matrix, size_t rows)
{
    size_t most = 0;
    for (int d = 0; d < 2; d++) {
        struct op op = {.kind = d ? OP_LINEAR_DX : OP_LINEAR,
                        .rows = (int64_t)rows,
                        .in = (int64_t)matrix->in,
                        .out = (int64_t)matrix->out};
        size_t bytes = kernel_scratch_bytes(&op, FORMAT_FP32);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* The same in doubles, exact to 2^53. */
static void multiply_wide(const struct crossbar_matrix *matrix, enum crossbar_direction direction, size_t rows,
                          const float *integers, float *result, double *scratch)
{
    int forward = direction == CROSSBAR_FORWARD;
    size_t lines = forward ? matrix->in : matrix->out, results = forward ? matrix->out : matrix->in;
    double *a = scratch, *b = a + rows * lines, *c = b + lines * results;
    for (size_t i = 0; i < rows * lines; i++)
        a[i] = (double)integers[i];
    for (size_t i = 0; i < lines * results; i++)
        b[i] = (double)matrix->integers[i];
    gemm_f64(forward ? GEMM_B_TRANSPOSED : GEMM_PLAIN, rows, results, lines, a, b, 0, c);
    for (size_t i = 0; i < rows * results; i++)
        result[i] = (float)c[i];
}

/* Index of one group of four lines: bit l of plane b says whether line l is driven in it. As an offset into the group's
 * table: times LANES. */
static void index_group(const struct crossbar_coding *coding, int dac_bits, const int *q, uint8_t *index, size_t stride)
{
    for (int p = 0; p < coding->phases; p++) {
        unsigned planes[16] = {0};
        for (unsigned l = 0; l < GROUP_LINES; l++) {
            unsigned digit = (unsigned)q[l] >> p & 1u;
            if (dac_bits > 1) {
                int size = (abs(q[l]) >> p * dac_bits) & ((1 << dac_bits) - 1);
                unsigned square = (unsigned)(size * size);
                digit = (unsigned)(q[l] < 0 ? -size : size);
                for (int b = 0; b < coding->square_planes; b++)
                    planes[coding->planes + b] |= (square >> b & 1u) << l;
            }
            for (int b = 0; b < coding->planes; b++)
                planes[b] |= (digit >> b & 1u) << l;
        }
        for (int b = 0; b < coding->planes + coding->square_planes; b++, index += stride)
            *index = (uint8_t)(planes[b] * LANES);
    }
}

static void index_rows(const struct crossbar_pass *pass, const float *integers, uint8_t *index, float *line_sum)
{
    const struct crossbar_coding *coding = &pass->coding;
    size_t stride = pass->blocks * pass->block_groups, planes = coding_planes(coding);
    memset(index, 0, pass->rows * planes * stride);
    for (size_t t = 0; t < pass->rows; t++, index += planes * stride)
        for (size_t block = 0; block < pass->blocks; block++) {
            size_t first = block * pass->block_lines, left = pass->lines - first;
            size_t n = left < pass->block_lines ? left : pass->block_lines;
            int64_t sum = 0;
            for (size_t l = 0; l < n; l += GROUP_LINES) {
                int q[GROUP_LINES] = {0};
                for (size_t i = 0; i < GROUP_LINES && l + i < n; i++) {
                    q[i] = (int)integers[t * pass->lines + first + l + i];
                    sum += q[i];
                }
                index_group(coding, pass->matrix->spec.dac_bits, q,
                            index + block * pass->block_groups + l / GROUP_LINES, stride);
            }
            line_sum[t * pass->blocks + block] = (float)sum;
        }
}

/* The cells as they are `age_ps` after programming. */
static void age_cells(const struct crossbar_matrix *matrix, uint64_t age_ps, int16_t *aged, float *normals)
{
    const struct crossbar_spec *spec = &matrix->spec;
    struct rng_key key = rng_key(matrix->seed, RNG_DRIFT, matrix->number);
    float decay = (float)(-spec->drift * log1p((double)age_ps * 1e-12)), unit = matrix->cell_unit,
          empty = (float)cell_floor(spec) / unit, top = (float)cell_top(spec) / unit;
    size_t lanes = matrix->out_lanes, rows = (size_t)spec->rows;
    for (size_t line = 0; line < (size_t)matrix->slices * matrix->in; line++) {
        size_t slice = line / matrix->in, block = line % matrix->in / rows;
        const uint8_t *flip = matrix->flipped + (block * (size_t)matrix->slices + slice) * lanes;
        const int16_t *cell = matrix->cells + line * lanes;
        gauss_fill(key, 0, line * lanes, lanes, normals);
        for (size_t o = 0; o < matrix->out; o++) {
            float left = expf(decay * (1 + drift_spread * normals[o])), g = (float)cell[o];
            if (spec->mapping == CROSSBAR_DIFFERENTIAL)
                g *= left;
            else if (flip[o])
                g = top - ((top - g + empty) * left - empty);
            else
                g = (g + empty) * left - empty;
            aged[line * lanes + o] = (int16_t)rintf(g > 32767 ? 32767 : g < -32767 ? -32767 : g);
        }
        for (size_t o = matrix->out; o < lanes; o++)
            aged[line * lanes + o] = 0;
    }
}

static struct crossbar_pass open_pass(const struct crossbar_matrix *matrix, const struct crossbar_read *read,
                                      enum crossbar_direction direction, size_t rows)
{
    const struct crossbar_spec *spec = &matrix->spec;
    int forward = direction == CROSSBAR_FORWARD, analog = spec->fidelity == CROSSBAR_ANALOG;
    struct crossbar_pass pass = {.matrix = matrix,
                                 .read = read,
                                 .direction = direction,
                                 .converter = matrix->converter[direction],
                                 .rows = rows,
                                 .lines = forward ? matrix->in : matrix->out,
                                 .results = forward ? matrix->out : matrix->in,
                                 .block_lines = (size_t)(forward ? spec->rows : spec->columns),
                                 .cells = matrix->cells,
                                 .noisy = analog && spec->read_noise > 0};
    size_t most = pass.lines < pass.block_lines ? pass.lines : pass.block_lines;
    pass.blocks = (pass.lines + pass.block_lines - 1) / pass.block_lines;
    pass.block_groups = (most + 2 * GROUP_LINES - 1) / (2 * GROUP_LINES) * 2;
    crossbar_code(spec, direction, &pass.coding);
    return pass;
}

/* Sums slice by slice: result[row][results] in integer units, or only *largest. */
static void multiply_slices(struct crossbar_pass *pass, const float *integers, float *result,
                            struct crossbar_work *work, size_t used)
{
    const struct crossbar_matrix *matrix = pass->matrix;
    const struct crossbar_coding *coding = &pass->coding;
    size_t planes = coding_planes(coding);
    int drifts = matrix->spec.fidelity == CROSSBAR_ANALOG && matrix->spec.drift > 0 && pass->read->age_ps > 0;
    size_t end = used, index_at = part(&end, pass->rows * planes * pass->blocks * pass->block_groups),
           sums_at = part(&end, pass->rows * pass->blocks * sizeof(float)),
           tile_at = part(&end, pass->rows * LANES * sizeof(float)), scratch_at = part(&end, crossbar_tile_bytes(pass)),
           normals_at = part(&end, matrix->out_lanes * sizeof(float)),
           aged_at = part(&end, drifts ? (size_t)matrix->slices * matrix->in * matrix->out_lanes * 2 : 0);
    char *memory = work->memory;
    if (end > work->bytes)
        bug("working memory of a crossbar read");
    index_rows(pass, integers, at(memory, index_at), at(memory, sums_at));
    pass->index = at(memory, index_at);
    pass->line_sum = at(memory, sums_at);
    if (drifts) {
        age_cells(matrix, pass->read->age_ps, at(memory, aged_at), at(memory, normals_at));
        pass->cells = at(memory, aged_at);
    }
    float *tile = at(memory, tile_at);
    for (size_t first = 0; first < pass->results; first += LANES) {
        size_t n = pass->results - first < LANES ? pass->results - first : LANES;
        crossbar_tile(pass, first, tile, memory + scratch_at);
        for (size_t t = 0; t < pass->rows && result; t++)
            memcpy(result + t * pass->results + first, tile + t * LANES, n * sizeof *result);
    }
}

/* An upper bound of what a read needs beyond integers, units and result. */
static size_t pass_bytes(const struct crossbar_pass *pass)
{
    const struct crossbar_matrix *matrix = pass->matrix;
    const struct crossbar_coding *coding = &pass->coding;
    size_t planes = coding_planes(coding), bytes;
    if (pass->converter.exact)
        bytes = pass->converter.narrow ? narrow_scratch_bytes(matrix, pass->rows)
                                       : (pass->rows * (matrix->in + matrix->out) + matrix->in * matrix->out) * 8;
    else
        bytes = pass->rows * planes * pass->blocks * pass->block_groups + pass->rows * (pass->blocks + LANES) * 4 +
                crossbar_tile_bytes(pass) + matrix->out_lanes * 4 +
                (matrix->spec.drift > 0 ? (size_t)matrix->slices * matrix->in * matrix->out_lanes * 2 : 0);
    return bytes + 8 * (size_t)64;
}

KERNEL_CLONES
static void finish_row(float unit, const float *bias, int accumulate, const float *from, size_t n, float *to)
{
    for (size_t i = 0; i < n; i++) {
        float value = from[i] * unit;
        if (bias)
            value += bias[i];
        to[i] = accumulate ? to[i] + value : value;
    }
}

struct finish {
    const float *bias;
    int accumulate;
    float *to;
};

static void read_matrix(struct crossbar_pass *pass, const float *x, const struct finish *finish,
                        struct crossbar_work *work)
{
    const struct crossbar_matrix *matrix = pass->matrix;
    size_t end = 0, integers_at = part(&end, pass->rows * pass->lines * 4), units_at = part(&end, pass->rows * 4),
           result_at = part(&end, pass->rows * pass->results * 4);
    char *memory = work_need(work, end + pass_bytes(pass));
    float *integers = at(memory, integers_at), *units = at(memory, units_at),
          *result = finish ? at(memory, result_at) : NULL;
    for (size_t t = 0; t < pass->rows; t++)
        units[t] = quantise_row(x + t * pass->lines, pass->lines, pass->coding.bits, integers + t * pass->lines);
    if (!pass->converter.exact)
        multiply_slices(pass, integers, result, work, end);
    else if (pass->converter.narrow)
        multiply_narrow(matrix, pass->direction, pass->rows, integers, result, memory + end);
    else
        multiply_wide(matrix, pass->direction, pass->rows, integers, result, at(memory, end));
    for (size_t t = 0; t < pass->rows && finish; t++)
        finish_row(units[t] * matrix->weight_step, finish->bias, finish->accumulate, result + t * pass->results,
                   pass->results, finish->to + t * pass->results);
}

void crossbar_forward(const struct crossbar_matrix *matrix, const struct crossbar_read *read, int64_t rows,
                      const float *x, const float *bias, float *y, struct crossbar_work *work)
{
    struct crossbar_pass pass = open_pass(matrix, read, CROSSBAR_FORWARD, (size_t)rows);
    read_matrix(&pass, x, &(struct finish){bias, 0, y}, work);
}

void crossbar_backward(const struct crossbar_matrix *matrix, const struct crossbar_read *read, int64_t rows,
                       const float *dy, int accumulate, float *dx, struct crossbar_work *work)
{
    struct crossbar_pass pass = open_pass(matrix, read, CROSSBAR_BACKWARD, (size_t)rows);
    read_matrix(&pass, dy, &(struct finish){NULL, accumulate, dx}, work);
}

double crossbar_calibrate(struct crossbar_matrix *matrix, enum crossbar_direction direction, int64_t rows,
                          const float *x, struct crossbar_work *work)
{
    struct crossbar_read none = {0, 0, 0};
    struct crossbar_pass pass = open_pass(matrix, &none, direction, (size_t)rows);
    struct crossbar_converter *converter = &matrix->converter[direction];
    const struct crossbar_spec *spec = &matrix->spec;
    float largest = 0;
    pass.noisy = 0;
    pass.converter.exact = 0;
    pass.largest = &largest;
    read_matrix(&pass, x, NULL, work);
    double step = (double)largest / (double)converter->high;
    int lines = direction == CROSSBAR_FORWARD ? spec->rows : spec->columns;
    converter->exact = converter->exact && step <= 1;
    converter->step = (float)(step > 1 ? step : 1);
    return (double)largest / ((double)lines * ((1 << spec->dac_bits) - 1) * cell_top(spec));
}
