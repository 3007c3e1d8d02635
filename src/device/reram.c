#include "device/reram.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"

const char *reram_problem(const struct reram_profile *reram, char *text, size_t size)
{
    const struct {
        const char *name;
        double value, low, high;
    } fields[] = {
        {"tiles", reram->tiles, 1, 1e6},
        {"imas_per_tile", reram->imas_per_tile, 1, 1e6},
        {"crossbars_per_ima", reram->crossbars_per_ima, 1, 1e6},
        {"columns_per_adc", reram->columns_per_adc, 1, reram->columns},
        {"output_bits", reram->output_bits, 1, 64},
        {"read_ps", (double)reram->read_ps, 1, 1e12},
        {"write_row_ps", (double)reram->write_row_ps, 1, 1e12},
        {"write_cell_fj", reram->write_cell_fj, 1e-3, 1e12},
        {"adc_fj", reram->adc_fj, 1e-3, 1e9},
        {"dac_fj", reram->dac_fj, 1e-3, 1e9},
        {"verify_pulses", reram->verify_pulses, 1, 1e6},
        {"write_power_mw", reram->write_power_mw, 1e-3, 1e9},
        {"tile_bytes_per_s", reram->tile_bytes_per_s, 1, 1e15},
        {"endurance", reram->endurance, 1, 1e18},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (!(fields[i].value >= fields[i].low && fields[i].value <= fields[i].high)) {
            snprintf(text, size, "%s: expected %g to %g, found %g", fields[i].name, fields[i].low, fields[i].high,
                     fields[i].value);
            return text;
        }
    return NULL;
}

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

static uint64_t slices(const struct reram_profile *reram)
{
    return ceil_div((uint64_t)reram->weight_bits, (uint64_t)reram->cell_bits);
}

static uint64_t polarities(const struct reram_profile *reram)
{
    return reram->offset_mapping ? 1 : 2;
}

uint64_t reram_crossbars(const struct reram_profile *reram, uint64_t out, uint64_t in)
{
    return ceil_div(in, (uint64_t)reram->rows) * ceil_div(out * slices(reram), (uint64_t)reram->columns) *
           polarities(reram);
}

uint64_t reram_capacity(const struct reram_profile *reram)
{
    return (uint64_t)reram->tiles * (uint64_t)reram->imas_per_tile * (uint64_t)reram->crossbars_per_ima;
}

uint64_t reram_static_mw(const struct reram_profile *reram)
{
    return cost_whole(reram->static_mw_per_tile * reram->tiles);
}

static uint64_t phases(const struct reram_profile *reram, int backward)
{
    return ceil_div((uint64_t)(backward ? reram->error_bits : reram->input_bits), (uint64_t)reram->dac_bits);
}

uint64_t reram_initiation_ps(const struct reram_profile *reram, int backward)
{
    uint64_t convert_ps = cost_whole(ceil(reram->columns_per_adc * reram->adc_ps));
    uint64_t phase_ps = convert_ps > reram->read_ps ? convert_ps : reram->read_ps;
    return phases(reram, backward) * phase_ps;
}

static uint64_t tree_levels(uint64_t n)
{
    uint64_t levels = 0;
    while ((UINT64_C(1) << levels) < n)
        levels++;
    return levels;
}

/* What one read drives, converts and moves. */
struct work {
    uint64_t driven, conversions, cells; /* of one phase */
    uint64_t blocks, bits_moved;
};

static struct work work_of(const struct reram_profile *reram, const struct reram_read *read)
{
    uint64_t lines = read->backward ? read->out : read->in, results = read->backward ? read->in : read->out;
    uint64_t block = (uint64_t)(read->backward ? reram->columns : reram->rows),
             across = (uint64_t)(read->backward ? reram->rows : reram->columns),
             bits = (uint64_t)(read->backward ? reram->error_bits : reram->input_bits);
    uint64_t s = slices(reram), q = polarities(reram);
    struct work work = {.blocks = ceil_div(lines, block)};
    work.driven = lines * ceil_div(results * s, across) * q;
    work.conversions = results * s * work.blocks * q;
    work.cells = lines * results * s * q;
    work.bits_moved = lines * bits + results * (uint64_t)reram->output_bits;
    return work;
}

void reram_read_cost(const struct reram_profile *reram, const struct reram_read *read, struct cost *cost)
{
    if (!read->out || !read->in || !read->rows || !read->replicas)
        bug("a crossbar read without size");
    struct work work = work_of(reram, read);
    uint64_t initiation_ps = reram_initiation_ps(reram, read->backward);
    double crossbars = (double)work.cells / ((double)reram->rows * reram->columns),
           reads = (double)read->rows * (double)phases(reram, read->backward),
           bits = (double)read->rows * (double)work.bits_moved;
    memset(cost, 0, sizeof *cost);
    cost->time_ps = ceil_div(read->rows, read->replicas) * initiation_ps + (uint64_t)reram->stages * reram->stage_ps +
                    tree_levels(work.blocks) * reram->add_ps;
    cost->energy_fj[ENERGY_CONVERT] =
        cost_whole(reads * ((double)work.driven * reram->dac_fj + (double)work.conversions * reram->adc_fj));
    cost->energy_fj[ENERGY_COMPUTE] = cost_whole(
        reads * ((double)work.conversions * reram->add_fj + crossbars * reram->crossbar_mw * (double)reram->read_ps));
    cost->energy_fj[ENERGY_SRAM] =
        cost_whole(bits * (reram->buffer_fj_per_bit + reram->bus_fj_per_bit + reram->router_fj_per_bit));
    cost->energy_fj[ENERGY_STATIC] = cost_of_power(reram_static_mw(reram), cost->time_ps);
    cost->flops = 2 * read->rows * read->out * read->in;
    cost->bytes = read->rows * ceil_div(work.bits_moved, 8);
}

void reram_program_cost(const struct reram_profile *reram, uint64_t out, uint64_t in, uint64_t replicas, int verify,
                        struct cost *cost)
{
    if (!out || !in || !replicas)
        bug("programming of a matrix without size");
    uint64_t cells = in * out * slices(reram) * polarities(reram) * replicas;
    uint64_t rows = in < (uint64_t)reram->rows ? in : (uint64_t)reram->rows;
    double pulses = verify ? reram->verify_pulses : 1,
           row_ps = (double)(reram->write_row_ps + (verify ? reram->verify_ps : 0)),
           cell_fj = reram->write_cell_fj + (verify ? reram->verify_cell_fj : 0);
    double energy_fj = (double)cells * pulses * cell_fj, serial_ps = (double)rows * pulses * row_ps,
           power_ps = energy_fj / reram->write_power_mw;
    memset(cost, 0, sizeof *cost);
    cost->time_ps = cost_whole(ceil(serial_ps > power_ps ? serial_ps : power_ps));
    cost->energy_fj[ENERGY_WRITE] = cost_whole(energy_fj);
    cost->energy_fj[ENERGY_STATIC] = cost_of_power(reram_static_mw(reram), cost->time_ps);
    cost->bytes = ceil_div(in * out * (uint64_t)reram->weight_bits, 8) * replicas;
    cost->energy_fj[ENERGY_SRAM] =
        cost_whole((double)cost->bytes * 8 * (reram->bus_fj_per_bit + reram->router_fj_per_bit));
    cost->cell_writes = cells;
}

void reram_stream_cost(const struct reram_profile *reram, uint64_t read_bytes, uint64_t write_bytes, uint64_t additions,
                       struct cost *cost)
{
    double bytes = (double)read_bytes + (double)write_bytes;
    if (!(bytes > 0))
        bug("moving nothing has no cost");
    memset(cost, 0, sizeof *cost);
    cost->time_ps =
        reram->stage_ps + cost_whole(ceil(bytes / (reram->tile_bytes_per_s * reram->tiles) * 1e12)) + reram->add_ps;
    cost->energy_fj[ENERGY_SRAM] = cost_whole(8 * bytes * (reram->buffer_fj_per_bit + reram->bus_fj_per_bit));
    cost->energy_fj[ENERGY_COMPUTE] = cost_whole((double)additions * reram->add_fj);
    cost->energy_fj[ENERGY_STATIC] = cost_of_power(reram_static_mw(reram), cost->time_ps);
    cost->flops = additions;
    cost->bytes = read_bytes + write_bytes;
}

/* Energy of a conversion, pJ, 4 to 10 bits: hwcomponents' ISAAC converter. */
static double adc_series(int bits)
{
    static const double pj[] = {0.79, 0.99, 1.20, 1.42, 1.667, 1.97, 2.38};
    if (bits < 4)
        return pj[0] * pow(pj[0] / pj[1], 4 - bits);
    if (bits > 10)
        return pj[6] * pow(pj[6] / pj[5], bits - 10);
    return pj[bits - 4];
}

void reram_set_adc_bits(struct reram_profile *reram, int bits)
{
    reram->adc_fj *= adc_series(bits) / adc_series(reram->adc_bits);
    reram->adc_bits = bits;
}

double reram_lifetime_runs(const struct reram_profile *reram, double writes_per_cell)
{
    if (!(writes_per_cell > 0))
        bug("cells that are never written do not wear");
    return reram->endurance / writes_per_cell;
}
