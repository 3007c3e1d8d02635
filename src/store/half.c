#include "store/half.h"

#include <string.h>

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float bfloat_widen(uint16_t bits)
{
    return from_bits((uint32_t)bits << 16);
}

float half_widen(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
    if (exponent == 31)
        return from_bits(sign | UINT32_C(0x7f800000) | mantissa << 13);
    if (exponent > 0)
        return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    /* Subnormal: mantissa * 2^-24, which a float holds exactly. */
    float size = (float)mantissa * 0x1p-24F;
    return sign ? -size : size;
}

uint16_t half_narrow(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (size >> 13 & 0x3ff));
    if (size >= 0x477ff000) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00);
    if (size < 0x38800000) { /* below 2^-14: a multiple of 2^-24 */
        uint32_t shift = 126 - (size >> 23), mantissa = (size & 0x7fffff) | 0x800000;
        if (shift > 24)
            return (uint16_t)sign;
        uint32_t kept = mantissa >> shift, rest = mantissa & ((UINT32_C(1) << shift) - 1);
        uint32_t middle = UINT32_C(1) << (shift - 1);
        kept += rest > middle || (rest == middle && (kept & 1));
        return (uint16_t)(sign | kept);
    }
    uint32_t kept = (size >> 13) - (UINT32_C(112) << 10), rest = size & 0x1fff;
    kept += rest > 0x1000 || (rest == 0x1000 && (kept & 1));
    return (uint16_t)(sign | kept);
}
