#include "kernel/format.h"

#include <stdint.h>
#include <string.h>

#include "base/status.h"
#include "kernel/simd.h"

enum { FP32_MANTISSA = 23, TF32_MANTISSA = 10, BF16_MANTISSA = 7, FP16_MANTISSA = 10 };

/* Rounds the bit pattern to `kept` bits of mantissa; a carry runs into the exponent, up to infinity, as it should. */
KERNEL_INLINE vn round_bits(vn x, int kept)
{
    const int cut = FP32_MANTISSA - kept;
    vnu odd = ((vnu)x >> cut) & 1u;
    return (vn)(((vnu)x + odd + ((1u << (cut - 1)) - 1u)) & ~((1u << cut) - 1u));
}

KERNEL_INLINE vn quiet(vn x)
{
    return (vn)((vnu)x | 0x00400000u);
}

KERNEL_INLINE vn round_mantissa(vn x, int kept)
{
    return vn_select(x == x, round_bits(x, kept), quiet(x));
}

KERNEL_INLINE vn round_fp16(vn x)
{
    vn a = vn_abs(x);
    /* The spacing of floats in [0.5, 1) is that of fp16's subnormals, 2^-24: adding and subtracting 0.5 rounds to it.
     */
    vn small = (a + vn_set(0.5f)) - vn_set(0.5f);
    vn normal = round_bits(a, FP16_MANTISSA);
    normal = vn_select(normal > vn_set(65504.0f), vn_set(__builtin_inff()), normal);
    vn magnitude = vn_select(a < vn_set(0x1p-14f), small, normal);
    return vn_select(x == x, (vn)((vnu)magnitude | vn_sign(x)), quiet(x));
}

KERNEL_INLINE vn round_lanes(enum number_format format, vn x)
{
    if (format == FORMAT_TF32)
        return round_mantissa(x, TF32_MANTISSA);
    if (format == FORMAT_BF16)
        return round_mantissa(x, BF16_MANTISSA);
    return round_fp16(x);
}

KERNEL_INLINE void round_all(enum number_format format, size_t n, const float *from, float *to)
{
    size_t i = 0;
    for (; i + VN_FLOATS <= n; i += VN_FLOATS)
        vn_store(to + i, round_lanes(format, vn_load(from + i)));
    vn_store_row(to, i, n, round_lanes(format, vn_load_row(from, i, n)));
}

KERNEL_CLONES
static void round_tf32(size_t n, const float *from, float *to)
{
    round_all(FORMAT_TF32, n, from, to);
}

KERNEL_CLONES
static void round_bf16(size_t n, const float *from, float *to)
{
    round_all(FORMAT_BF16, n, from, to);
}

KERNEL_CLONES
static void round_half(size_t n, const float *from, float *to)
{
    round_all(FORMAT_FP16, n, from, to);
}

void format_round(enum number_format format, size_t n, const float *from, float *to)
{
    switch (format) {
    case FORMAT_FP32:
        if (to != from)
            memcpy(to, from, n * sizeof *to);
        break;
    case FORMAT_TF32:
        round_tf32(n, from, to);
        break;
    case FORMAT_BF16:
        round_bf16(n, from, to);
        break;
    case FORMAT_FP16:
        round_half(n, from, to);
        break;
    default:
        bug("floats are not rounded to number format %d", (int)format);
    }
}
