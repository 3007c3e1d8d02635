/* reram.h - the physics of ReRAM processing in memory: what reading and programming a matrix costs. Pure: no tensors,
 * no MPI, no I/O. The arithmetic is kernel/crossbar.h.
 *
 * A chip is tiles of in-situ multiply-accumulate units (IMA) of crossbars, rows x columns cells each. A matrix [O, C]
 * (O outputs, C inputs) of weight_bits lies in slices of cell_bits, S = ceil(weight_bits / cell_bits):
 *   crossbars X = ceil(C / rows) ceil(O S / columns) q,   q = 2 differential, 1 offset
 * One read is P = ceil(input_bits / dac_bits) phases in all crossbars at once:
 *   phase = max(read, columns per ADC * conversion);   initiation = P * phase
 *   T reads with `replicas` copies: ceil(T / replicas) initiation + stages * stage + ceil(log2(blocks of rows)) add
 * Energy of one read: P [lines driven * DAC + conversions * (ADC + shift-add) + crossbar power * read * share of its
 * cells in use] + bits in and out * (buffer + bus + router); static power of the whole chip while it lasts.
 * Read the other way (errors times w): O and C swapped, error_bits for input_bits.
 * Programming: the rows of a crossbar one after the other, crossbars side by side, as far as the write power goes:
 *   time = max(rows * pulses * (row + verify), energy / write power);   energy = cells * pulses * (cell + verify)
 * Sources: ISAAC (ISCA 2016) for organisation and pipeline; constants with their sources in the catalogue;
 * docs/reram.md.
 */
#ifndef DEVICE_RERAM_H
#define DEVICE_RERAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/cost.h"

/* The constants of a profile. X(type, field, unit, meaning) */
#define RERAM_CONSTANTS(X)                                                                                             \
    X(int, rows, "1", "word lines of a crossbar")                                                                      \
    X(int, columns, "1", "bit lines of a crossbar")                                                                    \
    X(int, cell_bits, "bit", "bits of a cell")                                                                         \
    X(int, weight_bits, "bit", "bits of a weight, sign included")                                                      \
    X(int, input_bits, "bit", "bits of an input of the forward read, sign included")                                   \
    X(int, error_bits, "bit", "bits of an input of the read the other way")                                            \
    X(int, output_bits, "bit", "bits of a result on its way out")                                                      \
    X(int, dac_bits, "bit", "input bits of one phase")                                                                 \
    X(int, adc_bits, "bit", "bits of an analog-digital converter")                                                     \
    X(int, offset_mapping, "1", "1: weights are stored with an offset, 0: as differential pairs")                      \
    X(double, adc_range, "1", "range of a converter as a share of the largest possible sum, 0: from the cells")        \
    X(double, on_off, "1", "highest over lowest conductance of a cell")                                                \
    X(double, program_noise, "1", "sigma of a cell's conductance after programming, as a share of it")                 \
    X(double, read_noise, "1", "sigma of a cell's conductance from read to read, as a share of it")                    \
    X(double, stuck_low, "1", "share of cells stuck at the lowest conductance")                                        \
    X(double, stuck_high, "1", "share of cells stuck at the highest conductance")                                      \
    X(double, drift, "1", "exponent of the loss of conductance with time")                                             \
    X(int, crossbars_per_ima, "1", "crossbars of an in-situ multiply-accumulate unit (IMA)")                           \
    X(int, imas_per_tile, "1", "IMAs of a tile")                                                                       \
    X(int, tiles, "1", "tiles of a chip")                                                                              \
    X(uint64_t, read_ps, "ps", "one analog read of a crossbar")                                                        \
    X(double, adc_ps, "ps", "one conversion")                                                                          \
    X(int, columns_per_adc, "1", "bit lines that share a converter")                                                   \
    X(uint64_t, stage_ps, "ps", "one stage of the pipeline around the crossbars")                                      \
    X(int, stages, "1", "stages beside the phases of reading")                                                         \
    X(uint64_t, add_ps, "ps", "one level of the tree that adds blocks of rows")                                        \
    X(double, dac_fj, "fJ", "driving one line in one phase")                                                           \
    X(double, adc_fj, "fJ", "one conversion")                                                                          \
    X(double, add_fj, "fJ", "sample and shift-add of one conversion")                                                  \
    X(double, crossbar_mw, "mW", "power of one crossbar while it is read, all cells in use")                           \
    X(double, buffer_fj_per_bit, "fJ/bit", "tile buffer")                                                              \
    X(double, bus_fj_per_bit, "fJ/bit", "bus of a tile")                                                               \
    X(double, router_fj_per_bit, "fJ/bit", "network between tiles")                                                    \
    X(uint64_t, tile_buffer_bytes, "byte", "buffer of one tile")                                                       \
    X(double, tile_bytes_per_s, "byte/s", "bandwidth of one tile's buffer")                                            \
    X(double, static_mw_per_tile, "mW", "power of a tile without work")                                                \
    X(uint64_t, write_row_ps, "ps", "one programming pulse of a row")                                                  \
    X(double, write_cell_fj, "fJ", "one programming pulse of a cell")                                                  \
    X(double, verify_pulses, "1", "mean pulses of a cell when each is verified by a read")                             \
    X(uint64_t, verify_ps, "ps", "verifying read of a row")                                                            \
    X(double, verify_cell_fj, "fJ", "verifying read of a cell")                                                        \
    X(double, write_power_mw, "mW", "power that programming may draw at once")                                         \
    X(double, endurance, "1", "writes that a cell survives")

/* A profile is plain data: copy it and change a constant to ask "what if". */
struct reram_profile {
#define X(type, field, unit, meaning) type field;
    RERAM_CONSTANTS(X)
#undef X
};

/* A part of a chip and what it draws at full work: the published break-down. */
struct reram_part {
    const char *name;
    int per_ima, per_tile; /* how many: of an IMA, else of a tile */
    double milliwatts;     /* each */
};

/* Local. NULL, or what is wrong with a profile ("tiles: expected ..., found ..."), written into `text`. */
const char *reram_problem(const struct reram_profile *reram, char *text, size_t size);

/* Local. Crossbars that one copy of a matrix takes, and those of a chip. */
uint64_t reram_crossbars(const struct reram_profile *reram, uint64_t out, uint64_t in);
uint64_t reram_capacity(const struct reram_profile *reram);

/* Local. Time between two reads of one copy; `backward`: read the other way. */
uint64_t reram_initiation_ps(const struct reram_profile *reram, int backward);

/* Reads of `rows` vectors with a matrix that stands in `replicas` copies. */
struct reram_read {
    uint64_t out, in, rows, replicas;
    int backward;
};

/* Local. Time and energy of them. Sizes of 0 are a bug. */
void reram_read_cost(const struct reram_profile *reram, const struct reram_read *read, struct cost *cost);

/* Local. Programming all copies of a matrix; `verify`: pulse and read until it is right. cell_writes counts cells, not
 * pulses. */
void reram_program_cost(const struct reram_profile *reram, uint64_t out, uint64_t in, uint64_t replicas, int verify,
                        struct cost *cost);

/* Local. Moving (and adding) data in the tiles' buffers: bytes in and out, additions. */
void reram_stream_cost(const struct reram_profile *reram, uint64_t read_bytes, uint64_t write_bytes, uint64_t additions,
                       struct cost *cost);

/* Local. Another resolution of the converters: adc_bits, and adc_fj along the published series of 4 to 10 bits (beyond
 * it by its last ratio). */
void reram_set_adc_bits(struct reram_profile *reram, int bits);

/* Local. How often a job of so many writes per cell can run before the cells are worn out. */
double reram_lifetime_runs(const struct reram_profile *reram, double writes_per_cell);

/* Local. Power of the chip without work. */
uint64_t reram_static_mw(const struct reram_profile *reram);

#endif
