/* int8.h - matrix products of eight-bit integers, as an array of them computes.
 *
 * An operand is quantised symmetrically with one scale: q = round half to even(x / scale), scale = largest |x| / 127,
 * so that q is -127 .. 127; an operand of zeros (or so small that the scale vanishes) is all zeros. Sums of products
 * are exact integers, whatever the order: they are formed in floats, exact below 2^24, in stretches of the inner
 * dimension short enough for that, and added in doubles. A result is float(sum * scale_a * scale_b), the product of
 * scales in double. Anything infinite or not a number in an operand makes the results it takes part in not a number.
 */
#ifndef KERNEL_INT8_H
#define KERNEL_INT8_H

#include <stddef.h>

#include "kernel/ops.h"

/* The longest inner dimension whose sums fit 32 bits whatever the operands: 2^31 / 127^2. */
enum { INT8_MAX_DEPTH = 133144 };

/* Local. The scale of n values; quantised values as floats (`q` may be `x`). */
float int8_scale(size_t n, const float *x);
void int8_quantise(size_t n, const float *x, float scale, float *q);

/* c[i,j] (+)= scale * sum over k of a[i,k] b[k,j] (+ bias[j]), i < rows, j < columns, k < depth, of quantised a and b.
 */
struct int8_product {
    size_t rows, columns, depth;
    const float *a; /* a[i,k] = a[i * a_row + k * a_step] */
    size_t a_row, a_step;
    const float *b; /* b[k,j] = b[k * b_row + j], readable to whole vectors */
    size_t b_row;
    double scale;
    const float *bias; /* or NULL */
    int accumulate;
    float *c; /* c[i,j] = c[i * c_row + j] */
    size_t c_row;
};

/* Local. Scratch in bytes for products of so many columns; computes c. */
size_t int8_product_scratch_bytes(size_t columns);
void int8_multiply(const struct int8_product *product, void *scratch);

/* Local. The largest inner dimension of the products that an op means. */
size_t int8_depth(const struct op *op);

/* Local. The ops in this format; bytes of scratch. Attention has a scale per operand of each head's products: q, k, v,
 * the gradient, probabilities, score gradients. Softmax and its gradient are floats. */
KERNEL_F32(linear_int8);
KERNEL_F32(linear_dx_int8);
KERNEL_F32(linear_dw_int8);
KERNEL_F32(attention_int8);
KERNEL_F32(attention_bwd_int8);
size_t linear_int8_scratch_bytes(const struct op *op);

/* Local. LINEAR with op.weight_bits 8, as inference engines quantise: a scale for each output (row of the weight) and
 * one for each row of x, found as it comes; bias and activation in floats. A row's result does not depend on the other
 * rows. */
KERNEL_F32(linear_w8a8);
size_t linear_w8a8_scratch_bytes(const struct op *op);
size_t attention_int8_scratch_bytes(const struct op *op);

#endif
