#include "kernel/format.h"

#include <stdint.h>
#include <string.h>

#include "base/status.h"
#include "kernel/simd.h"

enum { FP32_MANTISSA = 23, TF32_MANTISSA = 10, BF16_MANTISSA = 7, FP16_MANTISSA = 10 };

/* Rounds the bit pattern to `kept` bits of mantissa; a carry runs into the exponent, up to infinity, as it should. */
KERNEL_INLINE v16 round_bits(v16 x, int kept)
{
    const int cut = FP32_MANTISSA - kept;
    v16u odd = ((v16u)x >> cut) & 1u;
    return (v16)(((v16u)x + odd + ((1u << (cut - 1)) - 1u)) & ~((1u << cut) - 1u));
}

KERNEL_INLINE v16 quiet(v16 x)
{
    return (v16)((v16u)x | 0x00400000u);
}

KERNEL_INLINE v16 round_mantissa(v16 x, int kept)
{
    return v16_select(x == x, round_bits(x, kept), quiet(x));
}

KERNEL_INLINE v16 round_fp16(v16 x)
{
    v16 a = v16_abs(x);
    /* The spacing of floats in [0.5, 1) is that of fp16's subnormals, 2^-24: adding and subtracting 0.5 rounds to it.
     */
    v16 small = (a + v16_set(0.5f)) - v16_set(0.5f);
    v16 normal = round_bits(a, FP16_MANTISSA);
    normal = v16_select(normal > v16_set(65504.0f), v16_set(__builtin_inff()), normal);
    v16 magnitude = v16_select(a < v16_set(0x1p-14f), small, normal);
    return v16_select(x == x, (v16)((v16u)magnitude | v16_sign(x)), quiet(x));
}

KERNEL_INLINE v16 round_lanes(enum number_format format, v16 x)
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
    for (; i + LANES <= n; i += LANES)
        v16_store(to + i, round_lanes(format, v16_load(from + i)));
    if (i < n)
        v16_store_part(to + i, round_lanes(format, v16_load_part(from + i, n - i)), n - i);
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
