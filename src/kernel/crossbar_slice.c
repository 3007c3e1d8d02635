#include <math.h>
#include <string.h>

#include "kernel/crossbar_private.h"
#include "kernel/gauss.h"
#include "kernel/simd8.h"

/* A crossbar sums what its driven lines add. Here four lines at a time are one look-up in a table of their sixteen
 * possible sums, made anew for each block, slice and sixteen results and used for all rows and phases. */

struct tables {
    float *sums, *variances; /* [group][16 entries][16 results]; variances NULL without read noise */
    float *lines;            /* [block_lines rounded up][16] */
    float *normals;          /* [phases][16], rounded up */
    uint8_t flipped[LANES];
};

static size_t table_floats(const struct crossbar_pass *pass)
{
    return pass->block_groups * GROUP_ENTRIES * LANES;
}

static size_t normals_of_row(const struct crossbar_pass *pass)
{
    return ((size_t)pass->coding.phases * LANES + GAUSS_GROUP - 1) / GAUSS_GROUP * GAUSS_GROUP;
}

size_t crossbar_tile_bytes(const struct crossbar_pass *pass)
{
    size_t floats =
        2 * table_floats(pass) + pass->block_groups * GROUP_LINES * LANES + normals_of_row(pass) + 4 * (size_t)LANES;
    return floats * sizeof(float);
}

static struct tables place_tables(const struct crossbar_pass *pass, void *scratch)
{
    float *next = scratch;
    struct tables tables = {.sums = next, .lines = next + 2 * table_floats(pass)};
    tables.variances = pass->noisy ? next + table_floats(pass) : NULL;
    tables.normals = tables.lines + pass->block_groups * GROUP_LINES * LANES;
    return tables;
}

/* Lines of a block that exist. */
static size_t lines_in_block(const struct crossbar_pass *pass, size_t block)
{
    size_t left = pass->lines - block * pass->block_lines;
    return left < pass->block_lines ? left : pass->block_lines;
}

/* Cells of sixteen results, line by line, in levels; what does not exist is 0. */
static void load_lines(const struct crossbar_pass *pass, size_t first, size_t block, int slice, float *lines)
{
    const struct crossbar_matrix *matrix = pass->matrix;
    size_t n = lines_in_block(pass, block), start = block * pass->block_lines;
    const int16_t *cells = pass->cells + (size_t)slice * matrix->in * matrix->out_lanes;
    memset(lines, 0, pass->block_groups * GROUP_LINES * LANES * sizeof *lines);
    if (pass->direction == CROSSBAR_FORWARD) {
        for (size_t l = 0; l < n; l++)
            for (size_t r = 0; r < LANES; r++)
                lines[l * LANES + r] = (float)cells[(start + l) * matrix->out_lanes + first + r] * matrix->cell_unit;
        return;
    }
    for (size_t r = 0; r < LANES && first + r < matrix->in; r++)
        for (size_t l = 0; l < n; l++)
            lines[l * LANES + r] = (float)cells[(first + r) * matrix->out_lanes + start + l] * matrix->cell_unit;
}

/* Forward: flipped columns conduct the complement. */
static void flip_lines(const struct crossbar_pass *pass, size_t first, size_t block, int slice, struct tables *tables)
{
    const struct crossbar_matrix *matrix = pass->matrix;
    memset(tables->flipped, 0, sizeof tables->flipped);
    if (pass->direction == CROSSBAR_BACKWARD)
        return;
    memcpy(tables->flipped,
           matrix->flipped + (block * (size_t)matrix->slices + (size_t)slice) * matrix->out_lanes + first, LANES);
    float top = (float)cell_top(&matrix->spec);
    for (size_t l = 0; l < lines_in_block(pass, block); l++)
        for (size_t r = 0; r < LANES; r++)
            if (tables->flipped[r])
                tables->lines[l * LANES + r] = top - tables->lines[l * LANES + r];
}

/* All sums of each group of four lines: entry n adds the lines whose bits n has. */
KERNEL_CLONES
static void fill_table(size_t groups, const float *lines, float *table)
{
    for (size_t g = 0; g < groups; g++) {
        float *entry = table + g * GROUP_ENTRIES * LANES;
        const float *line = lines + g * GROUP_LINES * LANES;
        memset(entry, 0, LANES * sizeof *entry);
        for (size_t bit = 0; bit < GROUP_LINES; bit++)
            for (size_t n = 0; n < (size_t)LANES << bit; n++)
                entry[((size_t)LANES << bit) + n] = entry[n] + line[bit * LANES + n % LANES];
    }
}

/* From conductances to the variances of their read noise; a differential pair has an empty cell as well. */
static void lines_to_variances(const struct crossbar_pass *pass, size_t lines, float *line)
{
    const struct crossbar_spec *spec = &pass->matrix->spec;
    float empty = (float)cell_floor(spec), variance = (float)(spec->read_noise * spec->read_noise);
    int is_pair = spec->mapping == CROSSBAR_DIFFERENTIAL;
    for (size_t i = 0; i < lines * LANES; i++) {
        float g = (is_pair ? fabsf(line[i]) : line[i]) + empty;
        line[i] = variance * (g * g + (is_pair ? empty * empty : 0));
    }
}

/* Sixteen results. */
struct halves {
    v8 low, high;
};

KERNEL_INLINE struct halves look_up(const float *table, const uint8_t *index, size_t groups)
{
    v8 zero = v8_set(0);
    struct halves even = {zero, zero}, odd = {zero, zero};
    for (size_t g = 0; g < groups; g += 2, table += 2 * GROUP_ENTRIES * LANES) {
        const float *one = table + index[g], *other = table + GROUP_ENTRIES * LANES + index[g + 1];
        even.low += v8_load(one);
        even.high += v8_load(one + LANES8);
        odd.low += v8_load(other);
        odd.high += v8_load(other + LANES8);
    }
    return (struct halves){even.low + odd.low, even.high + odd.high};
}

KERNEL_INLINE void add_scaled(struct halves *sum, struct halves x, float scale)
{
    sum->low += x.low * v8_set(scale);
    sum->high += x.high * v8_set(scale);
}

/* What the converter makes of eight sums. */
KERNEL_INLINE v8 convert(const struct crossbar_converter *converter, float per_step, v8 sum)
{
    const v8 to_integer = v8_set(12582912.0f); /* 1.5 * 2^23: adding it rounds to the nearest integer */
    v8 code = (sum * v8_set(per_step) + to_integer) - to_integer;
    return v8_max(v8_min(code, v8_set(converter->high)), v8_set(converter->low));
}

/* One row's conversions of a block and slice: the sum over phases of code times phase weight, times the step. */
KERNEL_INLINE struct halves convert_row(const struct crossbar_pass *pass, const struct tables *tables,
                                        const uint8_t *index, size_t groups, int noisy, v8 *largest)
{
    const struct crossbar_coding *coding = &pass->coding;
    const float step = pass->converter.step, per_step = step > 0 ? 1 / step : 0;
    size_t stride = pass->blocks * pass->block_groups;
    struct halves total = {v8_set(0), v8_set(0)};
    for (int p = 0; p < coding->phases; p++) {
        const uint8_t *plane = index + (size_t)(p * (coding->planes + coding->square_planes)) * stride;
        struct halves sum = look_up(tables->sums, plane, groups);
        for (int b = 1; b < coding->planes; b++)
            add_scaled(&sum, look_up(tables->sums, plane + (size_t)b * stride, groups), coding->plane_weight[b]);
        if (noisy) {
            const uint8_t *square = plane + (size_t)coding->planes * stride;
            struct halves variance = {v8_set(0), v8_set(0)};
            if (coding->square_planes == 0)
                variance = look_up(tables->variances, plane, groups);
            for (int b = 0; b < coding->square_planes; b++)
                add_scaled(&variance, look_up(tables->variances, square + (size_t)b * stride, groups),
                           coding->square_weight[b]);
            sum.low += v8_sqrt(variance.low) * v8_load(tables->normals + p * LANES);
            sum.high += v8_sqrt(variance.high) * v8_load(tables->normals + p * LANES + LANES8);
        }
        *largest = v8_max(v8_abs(sum.low), v8_max(v8_abs(sum.high), *largest));
        if (step > 0) {
            sum.low = convert(&pass->converter, per_step, sum.low);
            sum.high = convert(&pass->converter, per_step, sum.high);
        }
        add_scaled(&total, sum, coding->phase_weight[p]);
    }
    if (step > 0)
        total = (struct halves){total.low * v8_set(step), total.high * v8_set(step)};
    return total;
}

/* Rows of one block and slice. Flipped results are turned back: top times the sum of the inputs, less the sum. */
KERNEL_CLONES
static void convert_rows(const struct crossbar_pass *pass, const struct tables *tables, size_t first, size_t block,
                         int slice, float *result)
{
    const struct crossbar_spec *spec = &pass->matrix->spec;
    const struct crossbar_coding *coding = &pass->coding;
    size_t planes = coding_planes(coding),
           groups = (lines_in_block(pass, block) + 2 * GROUP_LINES - 1) / (2 * GROUP_LINES) * 2,
           normals = normals_of_row(pass), tiles = (pass->results + LANES - 1) / LANES;
    struct rng_key key = rng_key(pass->matrix->seed, RNG_READ, pass->matrix->number);
    float sign[LANES], back[LANES], weight = exp2f((float)(slice * spec->cell_bits));
    for (int r = 0; r < LANES; r++) {
        sign[r] = tables->flipped[r] ? -weight : weight;
        back[r] = tables->flipped[r] ? weight * (float)cell_top(spec) : 0;
    }
    float most[LANES8];
    v8 largest = v8_set(0);
    for (size_t t = 0; t < pass->rows; t++) {
        const uint8_t *index =
            pass->index + t * planes * pass->blocks * pass->block_groups + block * pass->block_groups;
        struct halves sum;
        if (pass->noisy) {
            uint64_t place = (pass->read->first_row + t) * pass->blocks + block;
            place = ((place * (uint64_t)pass->matrix->slices + (uint64_t)slice) * tiles + first / LANES) * 2;
            gauss_fill(key, pass->read->step, (place + (uint64_t)pass->direction) * normals, normals, tables->normals);
            sum = convert_row(pass, tables, index, groups, 1, &largest);
        } else {
            sum = convert_row(pass, tables, index, groups, 0, &largest);
        }
        v8 inputs = v8_set(pass->line_sum[t * pass->blocks + block]);
        float *to = result + t * LANES;
        v8_store(to, v8_load(to) + sum.low * v8_load(sign) + v8_load(back) * inputs);
        to += LANES8;
        v8_store(to, v8_load(to) + sum.high * v8_load(sign + LANES8) + v8_load(back + LANES8) * inputs);
    }
    v8_store(most, largest);
    for (int r = 0; r < LANES8 && pass->largest; r++)
        *pass->largest = most[r] > *pass->largest ? most[r] : *pass->largest;
}

void crossbar_tile(const struct crossbar_pass *pass, size_t first, float *result, void *scratch)
{
    const struct crossbar_spec *spec = &pass->matrix->spec;
    struct tables tables = place_tables(pass, scratch);
    memset(result, 0, pass->rows * LANES * sizeof *result);
    for (size_t block = 0; block < pass->blocks; block++)
        for (int slice = 0; slice < pass->matrix->slices; slice++) {
            load_lines(pass, first, block, slice, tables.lines);
            flip_lines(pass, first, block, slice, &tables);
            fill_table(pass->block_groups, tables.lines, tables.sums);
            if (pass->noisy) {
                lines_to_variances(pass, lines_in_block(pass, block), tables.lines);
                fill_table(pass->block_groups, tables.lines, tables.variances);
            }
            convert_rows(pass, &tables, first, block, slice, result);
        }
    if (spec->mapping == CROSSBAR_DIFFERENTIAL)
        return;
    float half = exp2f((float)(spec->weight_bits - 1));
    for (size_t t = 0; t < pass->rows; t++) {
        float inputs = 0;
        for (size_t block = 0; block < pass->blocks; block++)
            inputs += pass->line_sum[t * pass->blocks + block];
        for (size_t r = 0; r < LANES; r++)
            result[t * LANES + r] -= half * inputs;
    }
}
