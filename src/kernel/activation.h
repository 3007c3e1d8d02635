/* activation.h - GELU and the activations' derivatives on flat arrays. ReLU's forward is part of the linear kernels. */
#ifndef KERNEL_ACTIVATION_H
#define KERNEL_ACTIVATION_H

#include <stddef.h>

/* Local. y = ACT_GELU or ACT_GELU_TANH of x (op.h), n elements; y may be x. */
void gelu_f32(size_t n, const float *x, float *y);
void gelu_tanh_f32(size_t n, const float *x, float *y);

/* Local. y[t,o] += bias[o], then negative values become 0 with `relu`: the second pass after a BLAS product. bias may
 * be NULL. */
void bias_f32(size_t rows, size_t columns, const float *bias, int relu, float *y);

#endif
