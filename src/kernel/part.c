#include <string.h>

#include "kernel/ops.h"
#include "kernel/simd.h"

/* Parts of columns: what adapters add to a packed product, and heads dealt to groups. */

KERNEL_CLONES
static void add_scaled(size_t n, float scale, const float *b, const float *a, float *c)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        c[i] = a[i] + scale * b[i];
}

KERNEL_CLONES
static void scaled(size_t n, float scale, const float *x, float *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = scale * x[i];
}

KERNEL_F32(add_part_f32)
{
    (void)context;
    const size_t c = (size_t)op->in, stride = c * (size_t)op->parts, at = c * (size_t)op->part;
    if (out[0] != in[0] && op->parts > 1)
        memcpy(out[0], in[0], (size_t)op->rows * stride * sizeof(float));
    for (size_t t = 0; t < (size_t)op->rows; t++)
        add_scaled(c, (float)op->scale, in[1] + t * c, in[0] + t * stride + at, out[0] + t * stride + at);
}

KERNEL_F32(part_f32)
{
    (void)context;
    const size_t c = (size_t)op->in, stride = c * (size_t)op->parts, at = c * (size_t)op->part;
    for (size_t t = 0; t < (size_t)op->rows; t++)
        scaled(c, (float)op->scale, in[0] + t * stride + at, out[0] + t * c);
}

KERNEL_F64(add_part_f64)
{
    (void)context;
    const size_t c = (size_t)op->in, parts = (size_t)op->parts;
    for (size_t i = 0; i < (size_t)op->rows * parts * c; i++) {
        size_t t = i / (parts * c), part = i / c % parts;
        out[0][i] = in[0][i] + (part == (size_t)op->part ? op->scale * in[1][t * c + i % c] : 0);
    }
}

KERNEL_F64(part_f64)
{
    (void)context;
    const size_t c = (size_t)op->in, parts = (size_t)op->parts;
    for (size_t i = 0; i < (size_t)op->rows * c; i++)
        out[0][i] = op->scale * in[0][(i / c * parts + (size_t)op->part) * c + i % c];
}

/* Copies group `g` of each row and part from the tensor of all heads to the group's own, or back. */
static void copy_group(const struct op *op, size_t element_bytes, int64_t g, const void *from, void *to, int back)
{
    int64_t first, heads = op_group_heads(op->heads, op->groups, g, &first);
    const size_t head = (size_t)op->head_width * element_bytes, all = (size_t)op->heads * head,
                 some = (size_t)heads * head, skip = (size_t)first * head;
    for (size_t block = 0; block < (size_t)(op->rows * op->parts); block++) {
        size_t in_all = block * all + skip, in_group = block * some;
        memcpy((char *)to + (back ? in_all : in_group), (const char *)from + (back ? in_group : in_all), some);
    }
}

KERNEL_F32(split_heads_f32)
{
    (void)context;
    for (int64_t g = 0; g < op->groups; g++)
        if (out[g])
            copy_group(op, sizeof(float), g, in[0], out[g], 0);
}

KERNEL_F32(join_heads_f32)
{
    (void)context;
    for (int64_t g = 0; g < op->groups; g++)
        if (in[g])
            copy_group(op, sizeof(float), g, in[g], out[0], 1);
}

KERNEL_F64(split_heads_f64)
{
    (void)context;
    for (int64_t g = 0; g < op->groups; g++)
        if (out[g])
            copy_group(op, sizeof(double), g, in[0], out[g], 0);
}

KERNEL_F64(join_heads_f64)
{
    (void)context;
    for (int64_t g = 0; g < op->groups; g++)
        if (in[g])
            copy_group(op, sizeof(double), g, in[g], out[0], 1);
}
