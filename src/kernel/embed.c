/* embed.c - sums of embeddings over a grid of steps and nodes, their gradients, and the grid turned over. */
#include <string.h>

#include "base/status.h"
#include "kernel/ops.h"
#include "kernel/simd.h"

/* The grid of op.h: [samples, steps, nodes, width]. */
struct grid {
    size_t samples, steps, nodes, width, slots;
};

static struct grid grid_of(const struct op *op)
{
    return (struct grid){(size_t)op->samples, (size_t)op->n_key, (size_t)op->n_query, (size_t)op->in, (size_t)op->out};
}

static size_t slot_of(const struct grid *grid, double index)
{
    if (!(index >= 0 && index < (double)grid->slots))
        bug("slot %g of %zu", index, grid->slots);
    return (size_t)index;
}

/* z = e + node + moment, over the nodes of one step; moment = step + slot. */
KERNEL_CLONES
static void add_step(size_t nodes, size_t width, const float *e, const float *node, const float *step,
                     const float *slot, float *z)
{
    for (size_t n = 0; n < nodes; n++)
#pragma omp simd
        for (size_t c = 0; c < width; c++)
            z[n * width + c] = e[n * width + c] + node[n * width + c] + (step[c] + slot[c]);
}

KERNEL_F32(add_embed_f32)
{
    (void)context;
    const struct grid grid = grid_of(op);
    const size_t layer = grid.nodes * grid.width;
    for (size_t i = 0; i < grid.samples * grid.steps; i++)
        add_step(grid.nodes, grid.width, in[0] + i * layer, in[1], in[2] + i % grid.steps * grid.width,
                 in[3] + slot_of(&grid, (double)in[4][i]) * grid.width, out[0] + i * layer);
}

size_t embed_scratch_bytes(const struct op *op)
{
    return (size_t)op->in * sizeof(float);
}

/* sum[c] = sum over nodes of dz, node += dz where it is wanted. */
KERNEL_CLONES
static void sum_step(size_t nodes, size_t width, const float *dz, float *node, float *sum)
{
    memset(sum, 0, width * sizeof *sum);
    for (size_t n = 0; n < nodes; n++)
#pragma omp simd
        for (size_t c = 0; c < width; c++)
            sum[c] += dz[n * width + c];
    if (!node)
        return;
#pragma omp simd
    for (size_t i = 0; i < nodes * width; i++)
        node[i] += dz[i];
}

static void add_row(size_t width, const float *from, float *to)
{
    for (size_t c = 0; c < width; c++)
        to[c] += from[c];
}

KERNEL_F32(add_embed_bwd_f32)
{
    const struct grid grid = grid_of(op);
    const size_t layer = grid.nodes * grid.width, n_out[3] = {grid.nodes, grid.steps, grid.slots};
    float *sum = context->scratch;
    for (int o = 0; o < 3; o++)
        if (out[o])
            memset(out[o], 0, n_out[o] * grid.width * sizeof *out[o]);
    for (size_t i = 0; i < grid.samples * grid.steps; i++) {
        sum_step(grid.nodes, grid.width, in[0] + i * layer, out[0], sum);
        if (out[1])
            add_row(grid.width, sum, out[1] + i % grid.steps * grid.width);
        if (out[2])
            add_row(grid.width, sum, out[2] + slot_of(&grid, (double)in[1][i]) * grid.width);
    }
}

/* The rows of a permuted grid in their new order: bytes of a row are all the same to it. */
static void permute(const struct grid *grid, size_t row_bytes, const char *from, char *to)
{
    for (size_t b = 0; b < grid->samples; b++, from += grid->steps * grid->nodes * row_bytes)
        for (size_t n = 0; n < grid->nodes; n++)
            for (size_t m = 0; m < grid->steps; m++, to += row_bytes)
                memcpy(to, from + (m * grid->nodes + n) * row_bytes, row_bytes);
}

KERNEL_F32(permute_f32)
{
    (void)context;
    const struct grid grid = grid_of(op);
    permute(&grid, grid.width * sizeof(float), (const char *)in[0], (char *)out[0]);
}

KERNEL_F64(permute_f64)
{
    (void)context;
    const struct grid grid = grid_of(op);
    permute(&grid, grid.width * sizeof(double), (const char *)in[0], (char *)out[0]);
}

KERNEL_F64(add_embed_f64)
{
    (void)context;
    const struct grid grid = grid_of(op);
    for (size_t i = 0; i < grid.samples * grid.steps; i++) {
        const double *step = in[2] + i % grid.steps * grid.width;
        const double *slot = in[3] + slot_of(&grid, in[4][i]) * grid.width;
        for (size_t n = 0; n < grid.nodes; n++)
            for (size_t c = 0; c < grid.width; c++) {
                size_t at = (i * grid.nodes + n) * grid.width + c;
                out[0][at] = in[0][at] + in[1][n * grid.width + c] + step[c] + slot[c];
            }
    }
}

KERNEL_F64(add_embed_bwd_f64)
{
    (void)context;
    const struct grid grid = grid_of(op);
    const size_t n_out[3] = {grid.nodes, grid.steps, grid.slots};
    for (int o = 0; o < 3; o++)
        if (out[o])
            memset(out[o], 0, n_out[o] * grid.width * sizeof *out[o]);
    for (size_t i = 0; i < grid.samples * grid.steps; i++)
        for (size_t n = 0; n < grid.nodes; n++) {
            const size_t row[3] = {n, i % grid.steps, slot_of(&grid, in[1][i])};
            for (int o = 0; o < 3; o++)
                for (size_t c = 0; out[o] && c < grid.width; c++)
                    out[o][row[o] * grid.width + c] += in[0][(i * grid.nodes + n) * grid.width + c];
        }
}
