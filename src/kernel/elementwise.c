#include <string.h>

#include "kernel/dims.h"
#include "kernel/ops.h"
#include "kernel/simd.h"

KERNEL_CLONES
static void add(size_t n, const float *a, const float *b, float *c)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        c[i] = a[i] + b[i];
}

KERNEL_F32(add_f32)
{
    (void)context;
    add(add_elements(op), in[0], in[1], out[0]);
}

KERNEL_F32(add_pos_f32)
{
    (void)context;
    size_t n = sample_elements(op);
    for (size_t b = 0; b < (size_t)op->samples; b++)
        add(n, in[0] + b * n, in[1], out[0] + b * n);
}

/* Rows of `n` elements between tensors whose rows lie `from_row` and `to_row` apart; zeros when there is no `from`. */
static void copy_rows(size_t rows, size_t n, const float *from, size_t from_row, float *to, size_t to_row)
{
    for (size_t t = 0; t < rows; t++)
        if (from)
            memcpy(to + t * to_row, from + t * from_row, n * sizeof *to);
        else
            memset(to + t * to_row, 0, n * sizeof *to);
}

KERNEL_F32(concat_f32)
{
    (void)context;
    size_t c = (size_t)op->in, o = (size_t)op->out, rows = (size_t)op->rows;
    copy_rows(rows, c, in[0], c, out[0], c + o);
    copy_rows(rows, o, in[1], o, out[0] + c, c + o);
}

KERNEL_F32(split_f32)
{
    (void)context;
    size_t c = (size_t)op->in, o = (size_t)op->out, rows = (size_t)op->rows;
    if (out[0])
        copy_rows(rows, c, in[0], c + o, out[0], c);
    if (out[1])
        copy_rows(rows, o, in[0] + c, c + o, out[1], o);
}

KERNEL_F32(add_last_f32)
{
    (void)context;
    const size_t n = (size_t)op->out, count = (size_t)op->last_count, step = (size_t)op->last_stride;
    for (size_t b = 0; b < (size_t)op->samples; b++) {
        const float *last = in[1] + b * sample_elements(op) + (size_t)op->last_offset, *y = in[0] + b * n;
        float *z = out[0] + b * n;
        for (size_t first = 0; first < n; first += count)
            for (size_t i = 0; i < count; i++)
                z[first + i] = y[first + i] + last[i * step];
    }
}
