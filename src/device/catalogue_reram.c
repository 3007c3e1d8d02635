#include "device/catalogue_list.h"

/* Each list X(field, value, evidence, source) makes both a profile and its printed table; what two profiles share is a
 * list of its own. */

#define ISAAC_ENERGIES(X)                                                                                              \
    X(dac_fj, 416.67, SOURCE, "hwcomponents, ISAAC DAC: 0.41667 pJ per row and cycle")                                 \
    X(add_fj, 21, SOURCE, "hwcomponents, ISAAC shift-add: 0.021 pJ")                                                   \
    X(buffer_fj_per_bit, 79.9, SOURCE, "hwcomponents, ISAAC eDRAM: 20.45 pJ per 256 bit")                              \
    X(bus_fj_per_bit, 54, SOURCE, "hwcomponents, ISAAC bus: 0.054 pJ/bit")                                             \
    X(router_fj_per_bit, 81.0, SOURCE, "hwcomponents, ISAAC router: 20.74 pJ per 256 bit")                             \
    X(tile_buffer_bytes, 65536, SOURCE, "ISAAC table: 64 KB eDRAM per tile")                                           \
    X(tile_bytes_per_s, 38.4e9, DERIVED, "256 bit port at 1.2 GHz")                                                    \
    X(static_mw_per_tile, 33, DERIVED, "assumption: a tenth of ISAAC's 330 mW at full work")                           \
    X(add_ps, 833, DERIVED, "one cycle at 1.2 GHz")                                                                    \
    X(output_bits, 16, RECALLED, "ISAAC: results leave as 16 bit")

#define CELL_ERRORS(X)                                                                                                 \
    X(program_noise, 0.02, SOURCE, "CMO/HfOx array, arXiv 2502.04524: accepted within 2 %")                            \
    X(read_noise, 0.01, SOURCE, "aihwkit ReRamWan2022: about 1 %")                                                     \
    X(stuck_low, 0.001, SOURCE, "MNSIM 2.0 SimConfig: 0.1 %")                                                          \
    X(stuck_high, 0.001, SOURCE, "MNSIM 2.0 SimConfig: 0.1 %")                                                         \
    X(drift, 0, DERIVED, "no drift unless asked for")                                                                  \
    X(endurance, 1e8, DERIVED, "HfOx: 1e6 shown with four levels, two orders more with recovery; sweep 1e6 to 1e12")

#define PANTHER_WRITES(X)                                                                                              \
    X(write_row_ps, 85690, SOURCE, "PANTHER constants: 351e3/32 ns for the 128 rows of a crossbar")                    \
    X(write_cell_fj, 1379.8, SOURCE, "PANTHER constants: 676e3/32 * 351/328 pJ for the 16384 cells of a crossbar")     \
    X(verify_ps, 100000, DERIVED, "one read")                                                                          \
    X(verify_cell_fj, 18.2, DERIVED, "299 pJ of a crossbar's phase over its 16384 cells")

#define ISAAC(X)                                                                                                       \
    X(rows, 128, SOURCE, "ISAAC table: 128x128")                                                                       \
    X(columns, 128, SOURCE, "ISAAC table: 128x128")                                                                    \
    X(cell_bits, 2, SOURCE, "ISAAC table; CrossSim ISAAC.json: 8 slices of 2 bit")                                     \
    X(weight_bits, 8, DERIVED, "the published chip has 16; 8 is what errors of training are read with")                \
    X(input_bits, 8, DERIVED, "the published chip has 16")                                                             \
    X(error_bits, 8, SOURCE, "NeuroSim V2.1 train.py: 8 bit errors")                                                   \
    X(dac_bits, 1, SOURCE, "ISAAC table: 1 bit")                                                                       \
    X(adc_bits, 8, SOURCE, "ISAAC table: 8 bit, through flipped columns")                                              \
    X(offset_mapping, 1, SOURCE, "CrossSim ISAAC.json: offset with a unit column")                                     \
    X(adc_range, 0.25, DERIVED, "CrossSim calibrates; no converter steps finer than one level")                        \
    X(on_off, 1000, SOURCE, "CrossSim ISAAC.json: 2 kOhm and 2 MOhm")                                                  \
    CELL_ERRORS(X)                                                                                                     \
    X(crossbars_per_ima, 8, SOURCE, "ISAAC table")                                                                     \
    X(imas_per_tile, 12, SOURCE, "ISAAC table")                                                                        \
    X(tiles, 168, SOURCE, "ISAAC: 168 tiles, 55.4 W")                                                                  \
    X(read_ps, 100000, SOURCE, "ISAAC: 100 ns")                                                                        \
    X(adc_ps, 781.25, SOURCE, "MNSIM 2.0 converter 2, of ISAAC: 1.28 GS/s")                                            \
    X(columns_per_adc, 128, SOURCE, "ISAAC table: 8 converters for the 8 crossbars of an IMA")                         \
    X(stage_ps, 100000, SOURCE, "ISAAC: cycles of 100 ns")                                                             \
    X(stages, 6, DERIVED, "22 cycles for 16 bits: 16 phases and 6 stages")                                             \
    X(adc_fj, 1667, SOURCE, "hwcomponents, ISAAC ADC: 1.667 pJ")                                                       \
    X(crossbar_mw, 0.3, SOURCE, "PUMA constants: 0.3 mW")                                                              \
    ISAAC_ENERGIES(X)                                                                                                  \
    PANTHER_WRITES(X)                                                                                                  \
    X(verify_pulses, 5, DERIVED, "assumption: 5 pulses for 2 bit cells")                                               \
    X(write_power_mw, 55400, DERIVED, "the chip's power at full work")

#define PRIME_LIKE(X)                                                                                                  \
    X(rows, 256, SOURCE, "CrossSim PRIME.json: 256x256")                                                               \
    X(columns, 256, SOURCE, "CrossSim PRIME.json: 256x256")                                                            \
    X(cell_bits, 4, SOURCE, "CrossSim PRIME.json: 2 slices of 4 bit")                                                  \
    X(weight_bits, 8, SOURCE, "CrossSim PRIME.json")                                                                   \
    X(input_bits, 6, SOURCE, "CrossSim PRIME.json")                                                                    \
    X(error_bits, 6, DERIVED, "as inputs")                                                                             \
    X(dac_bits, 3, SOURCE, "CrossSim PRIME.json: slices of 3 bit")                                                     \
    X(adc_bits, 6, SOURCE, "CrossSim PRIME.json: 6 bit ramp, calibrated")                                              \
    X(offset_mapping, 0, SOURCE, "CrossSim PRIME.json: differential")                                                  \
    X(adc_range, 0, SOURCE, "CrossSim PRIME.json: calibrated")                                                         \
    X(on_off, 20, SOURCE, "CrossSim PRIME.json: 1 kOhm and 20 kOhm")                                                   \
    CELL_ERRORS(X)                                                                                                     \
    X(crossbars_per_ima, 8, DERIVED, "as isaac")                                                                       \
    X(imas_per_tile, 12, DERIVED, "as isaac")                                                                          \
    X(tiles, 168, DERIVED, "as isaac")                                                                                 \
    X(read_ps, 100000, DERIVED, "as isaac")                                                                            \
    X(adc_ps, 781.25, DERIVED, "as isaac")                                                                             \
    X(columns_per_adc, 128, DERIVED, "as isaac: two converters for a crossbar of 256 lines")                           \
    X(stage_ps, 100000, DERIVED, "as isaac")                                                                           \
    X(stages, 6, DERIVED, "as isaac")                                                                                  \
    X(adc_fj, 1200, SOURCE, "hwcomponents, ISAAC ADC at 6 bit: 1.20 pJ")                                               \
    X(crossbar_mw, 1.2, DERIVED, "as isaac, by the number of cells")                                                   \
    ISAAC_ENERGIES(X)                                                                                                  \
    PANTHER_WRITES(X)                                                                                                  \
    X(verify_pulses, 10, DERIVED, "assumption: 10 pulses for 4 bit cells")                                             \
    X(write_power_mw, 55400, DERIVED, "as isaac")

#define NEUROSIM_LIKE(X)                                                                                               \
    X(rows, 128, SOURCE, "NeuroSim V2.1 Param: 128x128")                                                               \
    X(columns, 128, SOURCE, "NeuroSim V2.1 Param: 128x128")                                                            \
    X(cell_bits, 4, DERIVED, "NeuroSim V2.1 Param has 5; 4 divides weights of 8 bit")                                  \
    X(weight_bits, 8, DERIVED, "the default network has 5; 8 as the other profiles")                                   \
    X(input_bits, 8, SOURCE, "NeuroSim V2.1 train.py: 8 bit activations")                                              \
    X(error_bits, 8, SOURCE, "NeuroSim V2.1 train.py: 8 bit errors")                                                   \
    X(dac_bits, 1, SOURCE, "NeuroSim V2.1: bit-serial inputs")                                                         \
    X(adc_bits, 6, SOURCE, "NeuroSim V2.1 Param: 64 levels")                                                           \
    X(offset_mapping, 0, DERIVED, "a pair of cells for NeuroSim's reference column")                                   \
    X(adc_range, 0, DERIVED, "levels where the sums are, as for prime-like")                                           \
    X(on_off, 100, SOURCE, "NeuroSim V2.1 Param: 240 kOhm, on/off 100")                                                \
    CELL_ERRORS(X)                                                                                                     \
    X(crossbars_per_ima, 8, DERIVED, "as isaac")                                                                       \
    X(imas_per_tile, 12, DERIVED, "as isaac")                                                                          \
    X(tiles, 168, DERIVED, "as isaac")                                                                                 \
    X(read_ps, 10000, SOURCE, "NeuroSim V2.1 Param: 0.5 V, 10 ns")                                                     \
    X(adc_ps, 8000, SOURCE, "MNSIM 2.0: (bits + 2) cycles of 1 GHz")                                                   \
    X(columns_per_adc, 8, SOURCE, "NeuroSim V2.1 Param: 8 columns share a converter")                                  \
    X(stage_ps, 64000, DERIVED, "one phase")                                                                           \
    X(stages, 6, DERIVED, "as isaac")                                                                                  \
    X(adc_fj, 1200, SOURCE, "hwcomponents, ISAAC ADC at 6 bit: 1.20 pJ")                                               \
    X(crossbar_mw, 8.6, DERIVED, "0.25 V^2 x 16384 cells at half of 1/240 kOhm")                                       \
    ISAAC_ENERGIES(X)                                                                                                  \
    X(write_row_ps, 3000000, DERIVED, "60 pulses of 50 ns, the most that a row's largest change takes")                \
    X(write_cell_fj, 50000, DERIVED, "(4 V)^2 x 50 ns x 30 pulses at half of 1/240 kOhm")                              \
    X(verify_ps, 10000, DERIVED, "one read")                                                                           \
    X(verify_cell_fj, 5.2, DERIVED, "0.25 V^2 x 10 ns at half of 1/240 kOhm")                                          \
    X(verify_pulses, 2, DERIVED, "assumption: the pulse train once more")                                              \
    X(write_power_mw, 55400, DERIVED, "as isaac")

enum reram_field {
#define X(type, field, unit, meaning) FIELD_##field,
    RERAM_CONSTANTS(X)
#undef X
};

static const struct constant_field reram_fields[] = {
#define X(type, field, unit, meaning) {#field, unit, meaning},
    RERAM_CONSTANTS(X)
#undef X
};

#define SET(field, value, evidence, source) .field = (value),
#define ROW(field, value, evidence, source) {FIELD_##field, (value), EVIDENCE_##evidence, source},

static const struct constant isaac_rows[] = {ISAAC(ROW)};
static const struct constant prime_rows[] = {PRIME_LIKE(ROW)};
static const struct constant neurosim_rows[] = {NEUROSIM_LIKE(ROW)};

#define ENTRY(name, title, rows)                                                                                       \
    {                                                                                                                  \
        name, "reram", title, reram_fields, rows, sizeof(rows) / sizeof(rows)[0]                                       \
    }

static const struct reram_entry reram_entries[] = {
    {ENTRY("isaac", "ISAAC (ISCA 2016): 168 tiles of 96 crossbars 128x128, 2 bit cells", isaac_rows), {ISAAC(SET)}},
    {ENTRY("prime-like", "PRIME's crossbars, 256x256 with 4 bit cells, in ISAAC's tiles", prime_rows),
     {PRIME_LIKE(SET)}},
    {ENTRY("neurosim-like", "NeuroSim V2.1's default cells and periphery in ISAAC's tiles", neurosim_rows),
     {NEUROSIM_LIKE(SET)}},
};

const struct reram_entry *reram_entry(size_t i)
{
    return i < sizeof reram_entries / sizeof reram_entries[0] ? &reram_entries[i] : NULL;
}

/* The published break-down of ISAAC's power: X(enum, name, per IMA, per tile, mW each, evidence, source). The energies
 * above are checked against it. */
#define ISAAC_PARTS(X)                                                                                                 \
    X(PART_ADC, "adc", 8, 0, 2.0, SOURCE, "hwcomponents; MNSIM 2.0 converter 2: 2 mW")                                 \
    X(PART_DAC, "dac", 1024, 0, 0.00390625, SOURCE, "hwcomponents: 4 mW per IMA; MNSIM 2.0: 3.9 uW each")              \
    X(PART_SAMPLE_HOLD, "sample-hold", 1024, 0, 9.7e-6, SOURCE, "PUMA constants")                                      \
    X(PART_CROSSBAR, "crossbar", 8, 0, 0.3, SOURCE, "PUMA constants")                                                  \
    X(PART_SHIFT_ADD, "shift-add", 4, 0, 0.05, SOURCE, "PUMA constants")                                               \
    X(PART_INPUT_REGISTER, "input-register", 1, 0, 1.24, RECALLED, "ISAAC table")                                      \
    X(PART_OUTPUT_REGISTER, "output-register", 1, 0, 0.23, RECALLED, "ISAAC table")                                    \
    X(PART_BUFFER, "buffer", 0, 1, 20.7, SOURCE, "hwcomponents")                                                       \
    X(PART_BUS, "bus", 0, 1, 7.0, SOURCE, "hwcomponents")                                                              \
    X(PART_ROUTER, "router", 0, 1, 10.5, SOURCE, "hwcomponents: 42 mW shared by four tiles")                           \
    X(PART_SIGMOID, "sigmoid", 0, 2, 0.26, SOURCE, "PUMA constants: 0.26 each")                                        \
    X(PART_TILE_SHIFT_ADD, "tile-shift-add", 0, 1, 0.05, RECALLED, "ISAAC table")                                      \
    X(PART_MAX_POOL, "max-pool", 0, 1, 0.4, RECALLED, "ISAAC table")                                                   \
    X(PART_TILE_REGISTER, "tile-register", 0, 1, 1.68, RECALLED, "ISAAC table")

static const struct reram_part isaac_parts[] = {
#define X(id, name, ima, tile, mw, evidence, source) {name, ima, tile, mw},
    ISAAC_PARTS(X)
#undef X
};

static const struct constant_field part_fields[] = {
#define X(id, name, ima, tile, mw, evidence, source) {name, "mW", "one " name " at full work"},
    ISAAC_PARTS(X)
#undef X
};

enum part_field {
#define X(id, name, ima, tile, mw, evidence, source) id,
    ISAAC_PARTS(X)
#undef X
        N_PARTS
};

static const struct constant part_rows[] = {
#define X(id, name, ima, tile, mw, evidence, source) {id, mw, EVIDENCE_##evidence, source},
    ISAAC_PARTS(X)
#undef X
};

const struct reram_part *reram_parts(size_t *n)
{
    *n = N_PARTS;
    return isaac_parts;
}

const struct catalogue_entry *reram_parts_entry(void)
{
    static const struct catalogue_entry entry = {"isaac-parts", "reram parts", "power of ISAAC's parts at full work",
                                                 part_fields,   part_rows,     N_PARTS};
    return &entry;
}
