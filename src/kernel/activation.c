#include "kernel/activation.h"

#include "base/status.h"
#include "kernel/ops.h"
#include "kernel/special.h"

/* 1 / sqrt 2 and 1 / sqrt(2 pi) */
static const float SQRT_HALF = 0.70710678f, DENSITY_AT_ZERO = 0.39894228f;

KERNEL_INLINE vn gelu_lanes(vn x)
{
    vn half = x * vn_set(0.5f);
    return half + half * vn_erf(x * vn_set(SQRT_HALF));
}

/* Phi(x) + x phi(x). Beyond 20 the density is 0 and x^2 must not overflow. */
KERNEL_INLINE vn gelu_slope(vn x)
{
    vn near_x = vn_select(vn_abs(x) > vn_set(20.0f), vn_set(20.0f), x);
    vn density = vn_set(DENSITY_AT_ZERO) * vn_exp(near_x * near_x * vn_set(-0.5f));
    vn below = vn_set(0.5f) + vn_set(0.5f) * vn_erf(x * vn_set(SQRT_HALF));
    return below + near_x * density;
}

/* (1 + tanh u) / 2 = 1 / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3): 1 and 0 far out, where e must not overflow. */
KERNEL_INLINE vn gelu_gate(vn x)
{
    vn near_x = vn_select(vn_abs(x) > vn_set(9.0f), vn_set(9.0f), vn_abs(x));
    near_x = (vn)((vnu)near_x | vn_sign(x));
    vn cube = near_x * near_x * near_x;
    return vn_set(1) / (vn_set(1) + vn_exp(vn_set(-1.5957691f) * (near_x + vn_set(0.044715f) * cube)));
}

KERNEL_INLINE vn gelu_tanh_lanes(vn x)
{
    return x * gelu_gate(x);
}

KERNEL_INLINE vn gelu_tanh_slope(vn x)
{
    vn gate = gelu_gate(x), slope = vn_set(1.5957691f) * (vn_set(1) + vn_set(0.134145f) * x * x);
    vn inside = gate + x * gate * (vn_set(1) - gate) * slope;
    return vn_select(vn_abs(x) > vn_set(9.0f), gate, inside);
}

KERNEL_CLONES
void gelu_f32(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + VN_FLOATS <= n; i += VN_FLOATS)
        vn_store(y + i, gelu_lanes(vn_load(x + i)));
    vn_store_row(y, i, n, gelu_lanes(vn_load_row(x, i, n)));
}

KERNEL_CLONES
void gelu_tanh_f32(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + VN_FLOATS <= n; i += VN_FLOATS)
        vn_store(y + i, gelu_tanh_lanes(vn_load(x + i)));
    vn_store_row(y, i, n, gelu_tanh_lanes(vn_load_row(x, i, n)));
}

KERNEL_CLONES
static void gelu_bwd(size_t n, const float *dy, const float *pre, float *dz)
{
    size_t i = 0;
    for (; i + VN_FLOATS <= n; i += VN_FLOATS)
        vn_store(dz + i, vn_load(dy + i) * gelu_slope(vn_load(pre + i)));
    vn_store_row(dz, i, n, vn_load_row(dy, i, n) * gelu_slope(vn_load_row(pre, i, n)));
}

KERNEL_CLONES
static void gelu_tanh_bwd(size_t n, const float *dy, const float *pre, float *dz)
{
    size_t i = 0;
    for (; i + VN_FLOATS <= n; i += VN_FLOATS)
        vn_store(dz + i, vn_load(dy + i) * gelu_tanh_slope(vn_load(pre + i)));
    vn_store_row(dz, i, n, vn_load_row(dy, i, n) * gelu_tanh_slope(vn_load_row(pre, i, n)));
}

KERNEL_CLONES
static void relu_bwd(size_t n, const float *dy, const float *y, float *dz)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dz[i] = y[i] > 0 ? dy[i] : 0;
}

KERNEL_CLONES
static void relu(size_t n, const float *x, float *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] <= 0 ? 0 : x[i];
}

/* Not a number stays: only what compares as negative or zero is cut. */
KERNEL_CLONES
static void bias_relu(size_t rows, size_t columns, const float *bias, float *y)
{
    for (size_t t = 0; t < rows; t++)
#pragma omp simd
        for (size_t o = 0; o < columns; o++) {
            float z = y[t * columns + o] + (bias ? bias[o] : 0);
            y[t * columns + o] = z <= 0 ? 0 : z;
        }
}

KERNEL_CLONES
static void bias_only(size_t rows, size_t columns, const float *bias, float *y)
{
    for (size_t t = 0; t < rows; t++)
#pragma omp simd
        for (size_t o = 0; o < columns; o++)
            y[t * columns + o] += bias[o];
}

void bias_f32(size_t rows, size_t columns, const float *bias, int relu, float *y)
{
    if (relu)
        bias_relu(rows, columns, bias, y);
    else if (bias)
        bias_only(rows, columns, bias, y);
}

KERNEL_F32(activation_f32)
{
    (void)context;
    size_t n = (size_t)(op->rows * op->out);
    if (op->act == ACT_GELU)
        gelu_f32(n, in[0], out[0]);
    else if (op->act == ACT_GELU_TANH)
        gelu_tanh_f32(n, in[0], out[0]);
    else if (op->act == ACT_RELU)
        relu(n, in[0], out[0]);
    else
        bug("activation %d", (int)op->act);
}

KERNEL_F32(act_bwd_f32)
{
    (void)context;
    size_t n = (size_t)(op->rows * op->out);
    if (op->act == ACT_GELU)
        gelu_bwd(n, in[0], in[1], out[0]);
    else if (op->act == ACT_GELU_TANH)
        gelu_tanh_bwd(n, in[0], in[1], out[0]);
    else if (op->act == ACT_RELU)
        relu_bwd(n, in[0], in[1], out[0]);
    else
        bug("activation bwd of activation %d", (int)op->act);
}
