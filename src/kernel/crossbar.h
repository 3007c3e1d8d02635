/* crossbar.h - products with a matrix that stands in memory cells: what a ReRAM crossbar computes, and how wrongly.
 *
 * A matrix w[O,C] (a linear weight: O outputs, C inputs) is programmed once and then read in both directions,
 * y = x w^T and dx = dy w. This is arithmetic alone: time, energy and wear are device/reram.h.
 *
 * Fidelity:
 *   IDEAL      the plain float product (kernel/run.h); nothing here is needed for it.
 *   QUANTIZED  weights in weight_bits (one scale per matrix), inputs in input_bits and errors in error_bits (one scale
 *              per row: each row is a read of its own, so that results do not depend on how rows are split into
 *              calls), cells of cell_bits, and the analog-digital converters (ADC).
 *   ANALOG     the same, with the cells' errors: programming noise, read noise, stuck cells, drift.
 *
 * Model. q = round(w / step), |q| < 2^(weight_bits - 1), in S = ceil(weight_bits / cell_bits) slices of cells.
 *   differential: |q| is in one cell of a pair, the other one is empty; the pair's currents are subtracted before the
 *     ADC, which is signed.
 *   offset: q + 2^(weight_bits - 1) is in one cell; 2^(weight_bits - 1) sum(x) is subtracted afterwards, exactly. A
 *     column whose cells sum to more than half of the full scale stands flipped (complement), as in ISAAC: the forward
 *     read converts the complement, and the unit column's count of inputs turns it back exactly.
 * Inputs are two's complement bits, one phase each, when dac_bits = 1; with more bits to the DAC they are signed digits
 * (sign and magnitude, voltages of both signs). A block of `rows` word lines (read the other way: of `columns` bit
 * lines, one slice at a time) is summed by current; its ADC turns sum v into the code round(v / step), clipped to 2^b
 * codes. step = max(1 level, adc_range * full scale / 2^b); with adc_range 0 the range is found when the matrix is
 * programmed: the largest column's mean and four standard deviations for inputs of random bits. No ADC steps finer than
 * what two neighbouring exact sums differ by. Codes are shifted and added without error. When the step is 1 level and
 * no input at all can clip - the programmed cells are looked at, not the worst case of their kind - all of that is an
 * integer product, and is computed as one: exactly.
 *
 * Conductance in units of a level: G = level + g0, g0 = (2^cell_bits - 1) / (on_off - 1).
 *   programming: G (1 + sigma n), or state-independent G + sigma (2^cell_bits - 1) n, once; never below 0.
 *   stuck: the cell is at g0 (low) or at the highest level (high), whatever is written.
 *   stuck columns (a fault of a running machine): all cells of a crossbar's column are at g0, both of each pair; with
 * any of them, products are no longer exact, whatever the fidelity, and converters are settled on what is left. drift:
 * G (1 + t / 1 s)^(-nu), nu = drift (1 + 0.47 n) for each cell (pair of cells), t = virtual time since programming.
 * Spread of nu: CMO/HfOx array, arXiv 2502.04524 (0.042 to 0.089). read noise: proportional, sigma per cell, fresh in
 * each phase of each read. Added per conversion as one normal number of the variance that its cells have together,
 * sigma^2 sum_i x_i^2 G_i^2: a sum of independent normals is a normal, so nothing is lost against one number per cell
 * but their cost. The resolution of a stored conductance is 2^-(14 - cell_bits) of a level.
 *
 * Random numbers are keyed by seed, the matrix's number and the place in the matrix (programming, stuck cells, drift)
 * or the global row, step, block, slice and phase (read noise); never by device or call.
 */
#ifndef KERNEL_CROSSBAR_H
#define KERNEL_CROSSBAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/archive.h"

/* X(enum, name in files) */
#define CROSSBAR_FIDELITIES(X)                                                                                         \
    X(CROSSBAR_IDEAL, "ideal")                                                                                         \
    X(CROSSBAR_QUANTIZED, "quantized")                                                                                 \
    X(CROSSBAR_ANALOG, "analog")
#define CROSSBAR_MAPPINGS(X)                                                                                           \
    X(CROSSBAR_DIFFERENTIAL, "differential")                                                                           \
    X(CROSSBAR_OFFSET, "offset")

#define X(id, name) id,
enum crossbar_fidelity { CROSSBAR_FIDELITIES(X) N_CROSSBAR_FIDELITIES };
enum crossbar_mapping { CROSSBAR_MAPPINGS(X) N_CROSSBAR_MAPPINGS };
#undef X

enum { CROSSBAR_MAX_BITS = 16, CROSSBAR_MAX_CELL_BITS = 6, CROSSBAR_MAX_DAC_BITS = 4, CROSSBAR_MAX_LINES = 4096 };

struct crossbar_spec {
    enum crossbar_fidelity fidelity;
    enum crossbar_mapping mapping;
    int rows, columns;                       /* lines of one crossbar */
    int weight_bits, input_bits, error_bits; /* 2 .. CROSSBAR_MAX_BITS, sign included */
    int cell_bits, dac_bits, adc_bits;       /* adc_bits 0 (sums are taken as they are) .. 16 */
    double adc_range;                        /* share of full scale, at most 1; 0: from the programmed cells */
    double on_off;                           /* highest over lowest conductance, above 1 */
    double program_noise;                    /* sigma; of the cell's conductance or, state-independent, of the range */
    int state_independent;
    double read_noise;            /* sigma, of the cell's conductance */
    double stuck_low, stuck_high; /* shares of all cells; together at most 1 */
    double drift;                 /* exponent nu, 0: none */
    double stuck_columns;         /* share of all columns of crossbars; with QUANTIZED too */
};

enum crossbar_direction { CROSSBAR_FORWARD, CROSSBAR_BACKWARD };

/* Local. NULL, or what is wrong with a spec: "expected ..., found ...", led by the field's name; in `text`. */
const char *crossbar_problem(const struct crossbar_spec *spec, char *text, size_t size);

/* Local. ADC steps of a spec, in levels: what one code is worth when `lines` are summed (adc_range
 * above 0). */
double crossbar_adc_step(const struct crossbar_spec *spec, int lines);

struct crossbar_matrix;

/* Local. Programs w[out, in] into cells (QUANTIZED or ANALOG; IDEAL is a bug). `number` names the matrix in the whole
 * model, `writing` says which writing of it this is (training step). The result is the caller's: crossbar_free. */
struct crossbar_matrix *crossbar_program(const struct crossbar_spec *spec, int64_t out, int64_t in, const float *w,
                                         uint64_t seed, uint32_t number, uint32_t writing);
void crossbar_free(struct crossbar_matrix *matrix);

/* Local. From now on this share of the columns sticks at g0: each column of the crossbars by a random number of its own
 * (seed, number of the matrix, column), so that a larger share sticks those of a smaller one and more. A share below
 * that of before is a bug. */
void crossbar_stick(struct crossbar_matrix *matrix, double share);

/* Local. For validation: columns of the crossbars, and how many of them stick. */
size_t crossbar_columns(const struct crossbar_matrix *matrix, size_t *stuck);

/* Local. Saves or restores a programmed matrix, conductances included; *matrix may be NULL (nothing was programmed). A
 * restored one replaces it. */
void crossbar_archive(struct crossbar_matrix **matrix, const struct crossbar_spec *spec, struct archive *archive);

/* Local. Bytes of one matrix in this process's memory. */
size_t crossbar_bytes(const struct crossbar_matrix *matrix);

/* What a read needs to know besides its operands. */
struct crossbar_read {
    uint32_t step;      /* training step: keys the read noise */
    uint64_t first_row; /* global number of the first row, as kernel_context.first_row */
    uint64_t age_ps;    /* virtual time since programming */
};

/* Memory for reads, grown as needed; zero it at the start. */
struct crossbar_work {
    void *memory;
    size_t bytes;
};
void crossbar_work_release(struct crossbar_work *work);

/* Local. y[rows, out] = x[rows, in] w^T (+ bias[out], added digitally, when not NULL). */
void crossbar_forward(const struct crossbar_matrix *matrix, const struct crossbar_read *read, int64_t rows,
                      const float *x, const float *bias, float *y, struct crossbar_work *work);

/* Local. dx[rows, in] (+)= dy[rows, out] w; += with `accumulate`. */
void crossbar_backward(const struct crossbar_matrix *matrix, const struct crossbar_read *read, int64_t rows,
                       const float *dy, int accumulate, float *dx, struct crossbar_work *work);

/* Local. Sets the ADC range of a direction from a batch of inputs: the largest sum that any converter sees, without
 * read noise. Returns it as a share of full scale. */
double crossbar_calibrate(struct crossbar_matrix *matrix, enum crossbar_direction direction, int64_t rows,
                          const float *x, struct crossbar_work *work);

/* Local. 1 when reads in this direction are exact integer products. */
int crossbar_is_exact(const struct crossbar_matrix *matrix, enum crossbar_direction direction);

/* Local. For validation: value of one integer unit of weight, and the programmed, undisturbed q[out, in]. */
double crossbar_weight_step(const struct crossbar_matrix *matrix);
const float *crossbar_integers(const struct crossbar_matrix *matrix);

#endif
