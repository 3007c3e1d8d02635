/* crossbar_private.h - inside of a programmed matrix: crossbar.c (programming), crossbar_read.c (reads),
 * crossbar_slice.c (sums, converters). */
#ifndef KERNEL_CROSSBAR_PRIVATE_H
#define KERNEL_CROSSBAR_PRIVATE_H

#include "base/rng.h"
#include "kernel/crossbar.h"
#include "kernel/simd.h"

/* Four lines are summed by a look-up: a table of sixteen partial sums for each group of four. */
enum { GROUP_LINES = 4, GROUP_ENTRIES = 16 };

struct crossbar_converter {
    float step;      /* levels of one code */
    float low, high; /* codes */
    int exact;       /* reads are integer products */
    int narrow;      /* ... that stay below 2^24 */
};

struct crossbar_matrix {
    struct crossbar_spec spec;
    uint64_t seed;
    uint32_t number;
    size_t out, in;   /* O, C */
    size_t out_lanes; /* O rounded up to groups of normal numbers */
    int slices;
    float weight_step;
    float *integers;  /* q [out][in] */
    int16_t *cells;   /* [slice][in][out_lanes], what the cells hold less g0, in units of cell_unit */
    float cell_unit;  /* levels */
    uint8_t *flipped; /* offset: [block of rows][slice][out_lanes] */
    struct crossbar_converter converter[2];
};

/* How an input line is driven: `planes` bits per phase, each summed by itself; all of it constant per direction. */
struct crossbar_coding {
    int bits, phases, planes; /* planes: of one phase */
    int square_planes;        /* of the square of a digit, for the read noise; 0: those of `planes` serve */
    float plane_weight[8];    /* [planes] */
    float square_weight[8];   /* [square_planes] */
    float phase_weight[CROSSBAR_MAX_BITS];
};

/* One direction of reading: `lines` summed in blocks of block_lines, `results` beside. */
struct crossbar_pass {
    const struct crossbar_matrix *matrix;
    const struct crossbar_read *read;
    enum crossbar_direction direction;
    struct crossbar_coding coding;
    struct crossbar_converter converter;
    size_t rows, lines, results, block_lines, blocks, block_groups;
    const int16_t *cells;  /* as in the matrix, drift applied */
    const uint8_t *index;  /* [row][phase][planes + square_planes][blocks * block_groups], 4 bits each, times
                             LANES */
    const float *line_sum; /* [row][block] sum of the integer inputs */
    int noisy;             /* add read noise */
    float *largest;        /* calibration: largest |sum| instead of results, or NULL */
};

/* Local. The coding of a direction. */
void crossbar_code(const struct crossbar_spec *spec, enum crossbar_direction direction, struct crossbar_coding *coding);

/* Local. All planes of a line of a row. */
static inline size_t coding_planes(const struct crossbar_coding *coding)
{
    return (size_t)coding->phases * (size_t)(coding->planes + coding->square_planes);
}

/* Local. Levels above the empty cell at the top. */
static inline int cell_top(const struct crossbar_spec *spec)
{
    return (1 << spec->cell_bits) - 1;
}

static inline double cell_floor(const struct crossbar_spec *spec)
{
    return cell_top(spec) / (spec->on_off - 1);
}

/* Local. result[row][0..15] for results first .. first + 15, in integer units; scratch of crossbar_tile_bytes. */
void crossbar_tile(const struct crossbar_pass *pass, size_t first, float *result, void *scratch);
size_t crossbar_tile_bytes(const struct crossbar_pass *pass);

#endif
