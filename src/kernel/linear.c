#include <string.h>

#include "kernel/activation.h"
#include "kernel/format.h"
#include "kernel/gemm.h"
#include "kernel/ops.h"
#include "kernel/simd.h"
#include "kernel/tile.h"

/* PANEL columns of b lie together in scratch, as wide as the largest tile (tile.c), so that a tile reads memory in one
 * piece: rows that lie powers of two apart would meet in few lines of the cache. BLOCK_ROWS rows of the result are
 * finished while they are hot; BLOCK_DEPTH rows of x and dy meet in the second-level cache. */
enum { PANEL = V16_PARTS == 1 ? 64 : LANES, BLOCK_ROWS = 96, BLOCK_DEPTH = 256 };

/* Our own tiles win while the weights fit the second-level cache and packing them pays; see bench/kernels.c. */
enum { TILE_MAX_WEIGHTS = 256 * 1024, TILE_MIN_ROWS = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int takes_tiles(const struct op *op)
{
    return op->in * op->out <= TILE_MAX_WEIGHTS && (op->rows >= TILE_MIN_ROWS || op->kind == OP_LINEAR_DW);
}

/* The next n floats of scratch. */
static float *take(float **scratch, size_t n)
{
    float *taken = *scratch;
    *scratch += lanes_up(n);
    return taken;
}

/* The operand itself, or its copy in the format. */
static const float *rounded(enum number_format format, const float *from, size_t n, float **scratch)
{
    if (format == FORMAT_FP32)
        return from;
    float *to = take(scratch, n);
    format_round(format, n, from, to);
    return to;
}

/* b as panels: panel p holds columns PANEL * p .., `depth` rows of its width. `from` is [columns, depth] when
 * transposed, else [depth, columns]. */
static const float *pack(enum number_format format, int transposed, size_t depth, size_t columns, const float *from,
                         float *to)
{
    for (size_t j = 0; j < columns; j += PANEL) {
        size_t n = smaller(columns - j, PANEL);
        if (transposed)
            tile_transpose(n, depth, from + j * depth, depth, to + j * depth, lanes_up(n));
        else
            tile_copy(n, depth, from + j, columns, to + j * depth, lanes_up(n));
    }
    if (format != FORMAT_FP32)
        format_round(format, depth * lanes_up(columns), to, to);
    return to;
}

/* Some rows of `all` = rows of a times the packed panels. */
static void multiply_panels(const struct tile_product *all, size_t first, size_t rows, const float *panels)
{
    struct tile_product part = *all;
    part.rows = rows;
    part.a += first * all->a_row;
    for (size_t j = 0; j < all->columns; j += PANEL) {
        part.columns = smaller(all->columns - j, PANEL);
        part.b = panels + j * all->depth;
        part.b_row = lanes_up(part.columns);
        part.c = all->c + first * all->c_row + j;
        part.start = all->start ? all->start + first * all->start_row + j : NULL;
        tile_multiply(&part);
    }
}

static void linear_by_tiles(const struct op *op, enum number_format format, const float *x, const float *w,
                            const float *bias, float *y, float *pre, float *scratch)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    const float *panels = pack(format, 1, c, o, w, take(&scratch, c * lanes_up(o)));
    float *kept = act_is_gelu(op->act) && pre ? pre : y;
    struct tile_product product = {.columns = o,
                                   .depth = c,
                                   .a = rounded(format, x, t * c, &scratch),
                                   .a_row = c,
                                   .a_step = 1,
                                   .start = bias,
                                   .c = kept,
                                   .c_row = o,
                                   .relu = op->act == ACT_RELU};
    for (size_t i = 0; i < t; i += BLOCK_ROWS) {
        size_t rows = smaller(t - i, BLOCK_ROWS);
        multiply_panels(&product, i, rows, panels);
        if (op->act == ACT_GELU)
            gelu_f32(rows * o, kept + i * o, y + i * o);
        else if (op->act == ACT_GELU_TANH)
            gelu_tanh_f32(rows * o, kept + i * o, y + i * o);
    }
}

static void linear_by_blas(const struct op *op, enum number_format format, const float *x, const float *w,
                           const float *bias, float *y, float *pre, float *scratch)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    float *kept = act_is_gelu(op->act) && pre ? pre : y;
    const float *a = rounded(format, x, t * c, &scratch), *b = rounded(format, w, o * c, &scratch);
    gemm_f32(GEMM_B_TRANSPOSED, t, o, c, a, b, 0, kept);
    for (size_t i = 0; i < t; i += BLOCK_ROWS) {
        size_t rows = smaller(t - i, BLOCK_ROWS);
        bias_f32(rows, o, bias, op->act == ACT_RELU, kept + i * o);
        if (op->act == ACT_GELU)
            gelu_f32(rows * o, kept + i * o, y + i * o);
        else if (op->act == ACT_GELU_TANH)
            gelu_tanh_f32(rows * o, kept + i * o, y + i * o);
    }
}

KERNEL_F32(linear_f32)
{
    if (takes_tiles(op))
        linear_by_tiles(op, context->format, in[0], in[1], in[2], out[0], out[1], context->scratch);
    else
        linear_by_blas(op, context->format, in[0], in[1], in[2], out[0], out[1], context->scratch);
}

KERNEL_F32(linear_dx_f32)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    float *scratch = context->scratch;
    const float *dy = rounded(context->format, in[0], t * o, &scratch);
    if (!takes_tiles(op)) {
        const float *w = rounded(context->format, in[1], o * c, &scratch);
        gemm_f32(GEMM_PLAIN, t, c, o, dy, w, op->accumulate, out[0]);
        return;
    }
    const float *panels = pack(context->format, 0, o, c, in[1], take(&scratch, o * lanes_up(c)));
    struct tile_product product = {.columns = c,
                                   .depth = o,
                                   .a = dy,
                                   .a_row = o,
                                   .a_step = 1,
                                   .start = op->accumulate ? out[0] : NULL,
                                   .start_row = c,
                                   .c = out[0],
                                   .c_row = c};
    for (size_t i = 0; i < t; i += BLOCK_ROWS)
        multiply_panels(&product, i, smaller(t - i, BLOCK_ROWS), panels);
}

/* Some columns of a sum over rows, in `registers` registers. */
KERNEL_INLINE void stripe_sum(size_t rows, size_t columns, size_t o, const float *dy, float *db, const int registers)
{
    vn sum[8];
    for (int i = 0; i < registers; i++)
        sum[i] = vn_load(db + o + i * VN_FLOATS);
    for (size_t t = 0; t < rows; t++)
        for (int i = 0; i < registers; i++)
            sum[i] += vn_load(dy + t * columns + o + i * VN_FLOATS);
    for (int i = 0; i < registers; i++)
        vn_store(db + o + i * VN_FLOATS, sum[i]);
}

/* db[o] += sum over rows of dy[t,o], rows in order. */
KERNEL_CLONES
static void add_column_sums(size_t rows, size_t columns, const float *dy, float *db)
{
    size_t o = 0;
    for (; o + 8 * VN_FLOATS <= columns; o += 8 * VN_FLOATS)
        stripe_sum(rows, columns, o, dy, db, 8);
    for (; o + VN_FLOATS <= columns; o += VN_FLOATS)
        stripe_sum(rows, columns, o, dy, db, 1);
    for (; o < columns; o++)
        for (size_t t = 0; t < rows; t++)
            db[o] += dy[t * columns + o];
}

/* BLOCK_DEPTH rows at a time: both operands are copied to where tiles read them in one piece. */
static void weights_by_tiles(const struct op *op, enum number_format format, const float *dy, const float *x, float *dw,
                             float *scratch)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    float *left = take(&scratch, BLOCK_DEPTH * BLOCK_ROWS);
    for (size_t k = 0; k < t; k += BLOCK_DEPTH) {
        size_t depth = smaller(t - k, BLOCK_DEPTH);
        const float *panels = x + k * c;
        if (c != PANEL || format != FORMAT_FP32)
            panels = pack(format, 0, depth, c, x + k * c, scratch);
        for (size_t i = 0; i < o; i += BLOCK_ROWS) {
            size_t rows = smaller(o - i, BLOCK_ROWS);
            tile_copy(rows, depth, dy + k * o + i, o, left, lanes_up(rows));
            struct tile_product product = {.columns = c,
                                           .depth = depth,
                                           .a = left,
                                           .a_row = 1,
                                           .a_step = lanes_up(rows),
                                           .start = k ? dw + i * c : NULL,
                                           .start_row = c,
                                           .c = dw + i * c,
                                           .c_row = c};
            multiply_panels(&product, 0, rows, panels);
        }
    }
}

KERNEL_F32(linear_dw_f32)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    float *scratch = context->scratch;
    const float *dy = rounded(context->format, in[0], t * o, &scratch);
    if (takes_tiles(op)) {
        weights_by_tiles(op, context->format, dy, in[1], out[0], scratch);
    } else {
        const float *x = rounded(context->format, in[1], t * c, &scratch);
        gemm_f32(GEMM_A_TRANSPOSED, o, c, t, dy, x, 0, out[0]);
    }
    if (!out[1])
        return;
    memset(out[1], 0, o * sizeof *out[1]);
    for (size_t k = 0; k < t; k += BLOCK_DEPTH)
        add_column_sums(smaller(t - k, BLOCK_DEPTH), o, in[0] + k * o, out[1]);
}

size_t linear_scratch_bytes(const struct op *op, enum number_format format)
{
    size_t t = (size_t)op->rows, c = (size_t)op->in, o = (size_t)op->out;
    size_t x = lanes_up(t * c), dy = lanes_up(t * o), w = lanes_up(o * c), packed = 0, copies;
    if (op->kind == OP_LINEAR) {
        packed = takes_tiles(op) ? c * lanes_up(o) : 0;
        copies = x + (takes_tiles(op) ? 0 : w);
    } else if (op->kind == OP_LINEAR_DX) {
        packed = takes_tiles(op) ? o * lanes_up(c) : 0;
        copies = dy + (takes_tiles(op) ? 0 : w);
    } else {
        packed = takes_tiles(op) ? BLOCK_DEPTH * BLOCK_ROWS + smaller(t, BLOCK_DEPTH) * lanes_up(c) : 0;
        copies = dy + (takes_tiles(op) ? 0 : x);
    }
    return (packed + (format == FORMAT_FP32 ? 0 : copies)) * sizeof(float);
}
